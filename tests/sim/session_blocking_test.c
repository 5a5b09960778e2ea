/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Admission of sessions with a guaranteed rate: the share refused is that of Erlang's B formula and of the
 * product form of two links in line (tests/data/session_blocking.csv, which names its source), whatever the law
 * of the holding times. Topology and what makes the models exact: tests/lib/session_case.h. Longer runs of
 * the same in session_blocking_slow_test.c. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "tests/lib/session_case.h"

/* Each row within 3 standard errors, few beyond 2 (by chance 1 in 18 streams, 5 of 22 at most but for
 * 1 run in 200); and all together: squares of Student's t with 31 degrees of freedom have mean 31/29 and
 * variance 2.54. Rows of alternating law: exponential, fixed. */
START_TEST(rows_agree)
{
    struct session_row rows[SESSION_ROWS];
    session_rows_read(rows);
    double squares = 0;
    unsigned streams = 0;
    unsigned beyond = 0;
    for (size_t i = 0; i < SESSION_ROWS; i++) {
        struct session_run run = {i + 1, session_count(&rows[i]), i % 2 == 1, 0};
        beyond += session_judge(&rows[i], &run, &squares, &streams);
    }
    ck_assert_uint_eq(streams, 22);
    ck_assert_uint_le(beyond, 5);
    ck_assert_double_lt(squares, 31.0 / 29 * streams + 4 * sqrt(2.54 * streams));
}
END_TEST

/* The test can fail: links with a little more or less room are told from the table. */
START_TEST(wrong_rooms_are_seen)
{
    struct session_row rows[SESSION_ROWS];
    session_rows_read(rows);
    static const size_t which[] = {0, 3, 6, 9, 14, 16};
    const struct session_row *row = &rows[which[_i / 2]];
    uint32_t off = 1 + row->c / 10;
    uint32_t room = _i % 2 == 0 ? row->c + off : row->c - off;
    if (room > 0) {
        struct session_run run = {7, session_count(row), false, room};
        ck_assert_double_gt(session_case(row, &run, NULL, NULL), 3);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session blocking");
    TCase *tc = tcase_create("session blocking");
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, rows_agree);
    tcase_add_loop_test(tc, wrong_rooms_are_seen, 0, 12);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
