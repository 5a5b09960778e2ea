/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shipped scenarios that are written for simgrid satisfy their expectations in the fast engine too,
 * under the oracle. As written, all are run by the test check.scenarios (tests/golden/scenarios.sh);
 * the large ones in full by shipped_slow_test.c. Figures of the files against publications:
 * tests/unit/scenario_shipped_test.c. Each test has a process of its own. */
#include "tests/sim/shipped_lib.h"

static const char *const paths[] = {
    "scenarios/line-3.yaml",     "scenarios/cambridge-2019.yaml",    "scenarios/conference.yaml",
    "scenarios/tokyo-2010.yaml", "scenarios/tokyo-2010-attack.yaml", "scenarios/secoqc-2008.yaml",
    "scenarios/madqci-2024.yaml"};

START_TEST(fast)
{
    shipped_check(paths[_i], SCN_ENGINE_FAST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shipped scenarios");
    TCase *tc = tcase_create("runs");
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, fast, 0, (int)(sizeof(paths) / sizeof(paths[0])));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
