/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks under the oracle (rules 1 to 6 of docs/architecture.md), 300 seeds. Topology: 2 to 8
 * nodes in a line, a ring or a tree with chords; applications of random size, opposite pairs among
 * them; see tests/lib/sim_random.h for the kinds and for what each must show besides: no
 * violation, every ledger balances, every request ends with an outcome and a reason, and where key
 * and time are plenty everything is served, also after faults.
 *
 * A seed that fails is printed and belongs into tests/sim/regressions.txt the same day. */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/sim_random.h"

enum { SEEDS = 60 };

static void judge(enum random_kind kind, int seed)
{
    char why[1024];
    random_judge(kind, (uint64_t)seed, why, sizeof(why));
    ck_assert_msg(why[0] == '\0', "%s", why);
}

START_TEST(calm)
{
    judge(RANDOM_CALM, _i);
}
END_TEST

START_TEST(lossy)
{
    judge(RANDOM_LOSSY, _i);
}
END_TEST

START_TEST(faulty)
{
    judge(RANDOM_FAULTY, _i);
}
END_TEST

START_TEST(scarce)
{
    judge(RANDOM_SCARCE, _i);
}
END_TEST

START_TEST(crash)
{
    judge(RANDOM_CRASH, _i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("property_networks");
    TCase *tc = tcase_create("networks");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, calm, 1, SEEDS + 1);
    tcase_add_loop_test(tc, lossy, 1, SEEDS + 1);
    tcase_add_loop_test(tc, faulty, 1, SEEDS + 1);
    tcase_add_loop_test(tc, scarce, 1, SEEDS + 1);
    tcase_add_loop_test(tc, crash, 1, SEEDS + 1);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
