/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks under random faults, judged as `qkdn fuzz` does (sim/fuzz.h): safety all along,
 * liveness once faults have ended. Topology: 2 to 12 nodes in a line, a ring, a tree or a mesh; each
 * seed uses some of the features. Here the first 160 seeds, and that they are what they should be:
 * most of them are judged for liveness, nodes crash in commits and elsewhere, commits are refused.
 *
 * What fails is printed and belongs into tests/sim/regressions.txt the same day. */
#include <check.h>
#include <stdlib.h>

#include "sim/fuzz.h"

enum { SEEDS = 160, PART = 20 };

static void judge(uint64_t seed, struct sim_fuzz_verdict *verdict)
{
    static char text[SIM_FUZZ_TEXT];
    struct sim_fuzz_plan plan;
    sim_fuzz_plan_make(&plan, seed);
    sim_fuzz_print(&plan, text);
    sim_fuzz_judge_text(text, NULL, verdict);
}

START_TEST(networks)
{
    struct sim_fuzz_verdict verdict;
    unsigned lively = 0;
    uint64_t crashes = 0;
    uint64_t torn = 0;
    for (int seed = _i * PART + 1; seed <= (_i + 1) * PART; seed++) {
        judge((uint64_t)seed, &verdict);
        ck_assert_msg(verdict.phase == SIM_FUZZ_GOOD, "seed %d: %s", seed, verdict.why);
        ck_assert_uint_gt(verdict.checks, 0);
        lively += verdict.live_checks > 0;
        crashes += verdict.crashes;
        torn += verdict.torn;
    }
    ck_assert_uint_ge(lively, PART * 13 / 20);
    ck_assert_uint_ge(crashes, 5);
    ck_assert_uint_ge(torn, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("property_networks");
    TCase *tc = tcase_create("networks");
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, networks, 0, SEEDS / PART);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
