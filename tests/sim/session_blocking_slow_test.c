/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Admission of sessions with a guaranteed rate, long runs of all rows of tests/data/session_blocking.csv by both
 * laws of the holding time: see session_blocking_test.c. */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/session_case.h"

enum { TIMES = 6 };

START_TEST(row_agrees)
{
    struct session_row rows[SESSION_ROWS];
    session_rows_read(rows);
    const struct session_row *row = &rows[_i / 2];
    struct session_run run = {(uint64_t)_i + 5001, TIMES * session_count(row), _i % 2 == 1, 0};
    (void)session_judge(row, &run, NULL, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session blocking, long");
    TCase *tc = tcase_create("session blocking, long");
    tcase_set_timeout(tc, 1200);
    tcase_add_loop_test(tc, row_agrees, 0, 2 * SESSION_ROWS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
