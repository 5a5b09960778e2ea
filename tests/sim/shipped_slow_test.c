/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The large shipped scenarios satisfy their expectations: see shipped_test.c. */
#include "tests/sim/shipped_lib.h"

static const char *const paths[] = {"scenarios/tokyo-2010-x100.yaml", "scenarios/geant.yaml",
                                    "scenarios/grid-1000.yaml", "scenarios/nation-10k.yaml"};

START_TEST(fast)
{
    shipped_check(paths[_i], SCN_ENGINE_FAST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("large shipped scenarios");
    TCase *tc = tcase_create("runs");
    tcase_set_timeout(tc, 1000);
    tcase_add_loop_test(tc, fast, 0, (int)(sizeof(paths) / sizeof(paths[0])));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
