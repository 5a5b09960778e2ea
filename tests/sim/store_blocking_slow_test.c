/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exhaustion of a key store, long runs of all rows of tests/data/store_blocking.csv: see
 * store_blocking_test.c. */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/store_case.h"

enum { LEAST = 20000 };

/* One row: within 3 standard errors, batches at least ten times as long as the store remembers. */
START_TEST(row_agrees)
{
    struct store_row rows[STORE_ROWS];
    store_rows_read(rows);
    double requests = STORE_BATCHES * 10 * store_memory(&rows[_i]);
    struct store_run run = {(uint64_t)_i + 5001, requests < LEAST ? LEAST : (size_t)requests};
    (void)store_judge(&rows[_i], &run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store blocking, long");
    TCase *tc = tcase_create("store blocking, long");
    tcase_set_timeout(tc, 1200);
    tcase_add_loop_test(tc, row_agrees, 0, STORE_ROWS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
