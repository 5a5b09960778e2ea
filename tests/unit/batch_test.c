/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tests' own batch means (tests/lib/batch.h): by hand, and against a process whose standard error
 * is known. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "tests/lib/batch.h"

/* Batches of 2: means 1 and 3 in turn, ten of each; the mean is 2, each is off by 1, so the error is
 * sqrt(20 / 19 / 20) = sqrt(1 / 19). The 41st value counts in the mean: (80 + 43) / 41 = 3. */
START_TEST(by_hand)
{
    double values[41];
    for (size_t i = 0; i < 40; i++) {
        values[i] = i / 2 % 2 == 0 ? (i % 2 == 0 ? 0 : 2) : (i % 2 == 0 ? 2 : 4);
    }
    struct batch_result result = batch_means(values, 40, 20);
    ck_assert_double_eq_tol(result.mean, 2, 1e-12);
    ck_assert_double_eq_tol(result.error, sqrt(1.0 / 19), 1e-12);
    ck_assert_uint_eq(result.length, 2);
    values[40] = 43;
    result = batch_means(values, 41, 20);
    ck_assert_double_eq_tol(result.mean, 3, 1e-12);
    ck_assert_double_eq_tol(result.error, sqrt(1.0 / 19), 1e-12);
}
END_TEST

/* AR(1), x' = 0.9 x + e with e uniform in (-1, 1), variance 1/3: the standard error of the mean of n is
 * sqrt(1 / 3 / n) / (1 - 0.9) for large n (Priestley, Spectral Analysis and Time Series, 5.3.2), more
 * than four times what independent values of that variance, sqrt(1 / 3 / (1 - 0.81) / n), would have.
 * 200 runs of 32 batches: the errors' mean square is good to 1 / sqrt(100 * 31) = 1.8 %, and about 2 %
 * low because batches of 500 still touch; and 3 errors hold the true mean, 0, in 99.5 % of runs (Student,
 * 31 degrees of freedom: 1 in 200 misses; 6 or more of 200 have probability 0.0006). */
START_TEST(correlated)
{
    enum { RUNS = 200, LENGTH = 16000 };
    static const uint8_t seed[32] = {3};
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    double *values = malloc(LENGTH * sizeof(*values));
    ck_assert_ptr_nonnull(values);
    double x = 0, squares = 0;
    unsigned misses = 0;
    for (unsigned run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < LENGTH; i++) {
            x = 0.9 * x + 2 * qkd_rng_unit(&rng) - 1;
            values[i] = x;
        }
        struct batch_result result = batch_means(values, LENGTH, 32);
        squares += result.error * result.error;
        misses += fabs(result.mean) > 3 * result.error;
    }
    ck_assert_double_eq_tol(sqrt(squares / RUNS), 10 * sqrt(1.0 / 3 / LENGTH), 0.07 * 0.0456);
    ck_assert_uint_le(misses, 5);
    free(values);
    qkd_rng_fini(&rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tc = tcase_create("batch");
    tcase_add_test(tc, by_hand);
    tcase_add_test(tc, correlated);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
