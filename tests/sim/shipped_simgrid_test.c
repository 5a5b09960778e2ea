/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shipped scenarios whose own engine is simgrid, in that engine: their expectations hold there
 * too. Each test has a process of its own. */
#include "tests/sim/shipped_lib.h"

#ifdef QKDN_HAVE_SIMGRID
static const char *const paths[] = {
    "scenarios/line-3.yaml",      "scenarios/cambridge-2019.yaml",
    "scenarios/tokyo-2010.yaml",  "scenarios/tokyo-2010-attack.yaml",
    "scenarios/secoqc-2008.yaml", "scenarios/madqci-2024.yaml"};

START_TEST(as_written)
{
    shipped_check(paths[_i], SCN_ENGINE_SIMGRID);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("shipped scenarios in simgrid");
    TCase *tc = tcase_create("runs");
    tcase_set_timeout(tc, 100);
#ifdef QKDN_HAVE_SIMGRID
    tcase_add_loop_test(tc, as_written, 0, (int)(sizeof(paths) / sizeof(paths[0])));
#endif
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
