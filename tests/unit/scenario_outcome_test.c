/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/outcome: shares. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "scenarios/outcome.h"

START_TEST(served_share)
{
    struct scn_requests requests = {0};
    ck_assert(isnan(scn_served_fraction(&requests)));
    requests = (struct scn_requests){.total = 8, .served = 6, .refused = 1, .pending = 1};
    ck_assert_double_eq(scn_served_fraction(&requests), 0.75);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenarios/outcome");
    TCase *tests = tcase_create("figures");
    tcase_add_test(tests, served_share);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
