/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The experiments of scenarios/experiments satisfy their expectations in both engines, and the runner
 * of many runs (vary.py) tells what single runs tell. What is expected, and why: docs/experiments.md
 * and the heads of the scenarios. */
#include <math.h>
#include <stdio.h>

#include "tests/sim/shipped_lib.h"

static const char *const paths[] = {"scenarios/experiments/exhaustion.yaml",
                                    "scenarios/experiments/outage.yaml",
                                    "scenarios/experiments/fairness.yaml",
                                    "scenarios/experiments/fallback.yaml",
                                    "scenarios/experiments/multipath.yaml",
                                    "scenarios/experiments/optical-switch.yaml",
                                    "scenarios/experiments/modes-on-request.yaml",
                                    "scenarios/experiments/modes-proactive.yaml",
                                    "scenarios/experiments/modes-distributed.yaml",
                                    "scenarios/secoqc-rerouting.yaml",
                                    "scenarios/tokyo-2010-attack.yaml",
                                    "scenarios/experiments/classes.yaml"};

START_TEST(in_both_engines)
{
    shipped_check(paths[_i / 2], _i % 2 == 0 ? SCN_ENGINE_FAST : SCN_ENGINE_SIMGRID);
}
END_TEST

/* Two seeds of one policy on two networks. By Student's t with one degree of freedom the half width is
 * 12.706 |a - b| / 2, where the mean is (a + b) / 2; a and b are the rows of single seeds. */
START_TEST(runner_tells_means)
{
    static const char command[] =
        "python3 scenarios/experiments/vary.py scenarios/experiments/policies-hubs.yaml "
        "--set 'demands[all].gravity=4 kbit/s' --seeds %s | tail -n +2 | cut -d, -f5,6";
    static const char *const seeds[] = {"1..1", "2..2", "1..2"};
    double means[3];
    double half = NAN;
    for (int i = 0; i < 3; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, command, seeds[i]);
        FILE *pipe = popen(text, "r");
        ck_assert_ptr_nonnull(pipe);
        int fields = fscanf(pipe, "%lf,%lf", &means[i], &half);
        ck_assert_int_eq(pclose(pipe), 0);
        ck_assert_int_ge(fields, 1);
    }
    ck_assert(means[0] > 0.1 && means[0] < 1);
    ck_assert_double_eq_tol(means[2], (means[0] + means[1]) / 2, 1e-5);
    ck_assert_double_eq_tol(half, 12.706 * fabs(means[0] - means[1]) / 2, 1e-3 * half + 1e-5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("experiments");
    TCase *tc = tcase_create("runs");
    tcase_set_timeout(tc, 1000);
    tcase_add_loop_test(tc, in_both_engines, 0, 2 * (int)(sizeof(paths) / sizeof(paths[0])));
    if (getenv("QKDN") != NULL) { /* the program, which ctest names */
        tcase_add_test(tc, runner_tells_means);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
