/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exhaustion of a key store: the share of requests refused is that of M/M/1/K and of D/M/1/K
 * (tests/data/store_blocking.csv, which names its source). Topology and what makes the model exact:
 * tests/lib/store_case.h. Here the rows of which the store forgets its state within 15 requests; the others
 * take longer runs, in store_blocking_slow_test.c. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "tests/lib/store_case.h"

enum { LEAST = 1600, LONGEST = 5000 };

/* 32 batches of ten times the memory, or LEAST. */
static size_t length_of(const struct store_row *row)
{
    double requests = STORE_BATCHES * 10 * store_memory(row);
    return requests < LEAST ? LEAST : (size_t)requests;
}

/* Each row within 3 standard errors; and all together: squares of Student's t with 31 degrees of freedom
 * have mean 31/29 and variance 2.54, so that their sum over n rows is below 31/29 n + 4 sqrt(2.54 n). A
 * deviation of one standard error in every row would double it. */
static void rows_agree(bool poisson)
{
    struct store_row rows[STORE_ROWS];
    store_rows_read(rows);
    double squares = 0, n = 0;
    for (size_t i = 0; i < STORE_ROWS; i++) {
        if (rows[i].poisson != poisson || length_of(&rows[i]) > LONGEST) {
            continue;
        }
        double off = store_judge(&rows[i], &(struct store_run){i + 1, length_of(&rows[i])});
        squares += off * off;
        n++;
    }
    ck_assert_double_gt(n, 20);
    ck_assert_double_lt(squares, 31.0 / 29 * n + 4 * sqrt(2.54 * n));
}

START_TEST(poisson_units)
{
    rows_agree(true);
}
END_TEST

START_TEST(regular_units)
{
    rows_agree(false);
}
END_TEST

/* The test can fail: a store of one unit more, units of the other law, or half as many again are told from
 * what the table says. */
START_TEST(wrong_laws_are_seen)
{
    /* as run, but for `refused`, which is that of the comment */
    static const struct store_row rows[] = {
        {true, 1, 2, 0.5},            /* M/M/1/1, rho 1 */
        {false, 1, 2, 0.3678794412},  /* D/M/1/1, rho 1 */
        {false, 1, 5, 1.0 / 6},       /* M/M/1/5, rho 1 */
        {true, 1, 5, 0.09375004041},  /* D/M/1/5, rho 1 */
        {true, 1.5, 5, 1.0 / 6},      /* M/M/1/5, rho 1 */
        {false, 1.5, 2, 0.2140972657} /* D/M/1/2, rho 1 */
    };
    struct store_run run = {1, 4000};
    const struct store_row *row = &rows[_i];
    struct batch_result result = store_case(row, &run);
    ck_assert_double_gt(store_off(row, &result, &run), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store blocking");
    TCase *tc = tcase_create("store blocking");
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, poisson_units);
    tcase_add_test(tc, regular_units);
    tcase_add_loop_test(tc, wrong_laws_are_seen, 0, 6);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
