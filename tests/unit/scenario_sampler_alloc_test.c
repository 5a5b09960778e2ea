/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/sampler: quantiles by nearest rank (the smallest value with at least p % of the values at
 * or under it), of few values by hand and of many against sorting; memory that stops growing. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "scenarios/sampler.h"
#include "tests/lib/alloc_count.h"

START_TEST(nothing_has_no_value)
{
    struct scn_sampler sampler = {0};
    struct scn_spread spread;
    scn_sampler_spread(&sampler, &spread);
    ck_assert_uint_eq(spread.count, 0);
    ck_assert(isnan(spread.mean) && isnan(spread.p50) && isnan(spread.p99) && isnan(spread.max));
    scn_sampler_fini(&sampler);
}
END_TEST

START_TEST(few_values)
{
    /* The classic example of nearest rank: 15, 20, 35, 40, 50; the 50th percentile is 35, the 95th
     * and 99th are 50. */
    static const int64_t seconds[] = {40, 15, 50, 20, 35};
    struct scn_sampler sampler = {0};
    struct scn_spread spread;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(scn_sampler_add(&sampler, seconds[i] * 1000000000), 0);
    }
    scn_sampler_spread(&sampler, &spread);
    ck_assert_uint_eq(spread.count, 5);
    ck_assert_double_eq_tol(spread.mean, 32, 1e-12);
    ck_assert_double_eq_tol(spread.p50, 35, 1e-12);
    ck_assert_double_eq_tol(spread.p95, 50, 1e-12);
    ck_assert_double_eq_tol(spread.p99, 50, 1e-12);
    ck_assert_double_eq_tol(spread.max, 50, 1e-12);
    scn_sampler_fini(&sampler);
}
END_TEST

/* Values as a run has them, spread over many factors of ten, and how they are sorted by hand. */
static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t next(uint64_t *state) /* xorshift64, Marsaglia 2003 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* n values into both; the sorted ones are returned. */
static int64_t *sampled(struct scn_sampler *sampler, size_t n)
{
    uint64_t state = 88172645463325252U;
    int64_t *values = calloc(n, sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (size_t i = 0; i < n; i++) {
        values[i] = (int64_t)(next(&state) >> (8 + next(&state) % 56));
        ck_assert_int_eq(scn_sampler_add(sampler, values[i]), 0);
    }
    qsort(values, n, sizeof *values, compare);
    return values;
}

/* The k-th of n sorted values is the p-quantile by nearest rank if k = ceil(p n). */
static double rank_s(const int64_t *values, size_t n, double p)
{
    return (double)values[(size_t)ceil(p * (double)n - 1e-9) - 1] / 1e9;
}

/* Up to the limit quantiles are exact, one above it they are within the stated error. */
START_TEST(many_values)
{
    static const size_t counts[] = {SCN_SAMPLER_EXACT, SCN_SAMPLER_EXACT + 1, 100003, 1000000};
    size_t n = counts[_i];
    struct scn_sampler sampler = {0};
    struct scn_spread spread;
    int64_t *values = sampled(&sampler, n);
    scn_sampler_spread(&sampler, &spread);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)values[i] / 1e9;
    }
    double error = n <= SCN_SAMPLER_EXACT ? 1e-15 : 1.0 / SCN_SAMPLER_ERROR;
    const double p[] = {0.50, 0.95, 0.99};
    const double got[] = {spread.p50, spread.p95, spread.p99};
    for (int i = 0; i < 3; i++) {
        double want = rank_s(values, n, p[i]);
        ck_assert_double_eq_tol(got[i], want, error * want + 1e-18);
    }
    ck_assert_uint_eq(spread.count, n);
    ck_assert_double_eq_tol(spread.mean, sum / (double)n, 1e-9 * sum / (double)n);
    ck_assert_double_eq_tol(spread.max, (double)values[n - 1] / 1e9, 1e-9 * spread.max);
    free(values);
    scn_sampler_fini(&sampler);
}
END_TEST

/* The ends of the range, and one value many times: exact, because of the maximum. */
START_TEST(ends)
{
    static const int64_t values[] = {0, 1, 255, 256, 511, 512, 1000000, INT64_MAX, -5};
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
        struct scn_sampler sampler = {0};
        struct scn_spread spread;
        double want = values[k] < 0 ? 0 : (double)values[k] / 1e9;
        for (int i = 0; i < SCN_SAMPLER_EXACT + 10; i++) {
            ck_assert_int_eq(scn_sampler_add(&sampler, values[k]), 0);
        }
        scn_sampler_spread(&sampler, &spread);
        ck_assert_double_eq_tol(spread.p50, want, want / SCN_SAMPLER_ERROR + 1e-18);
        ck_assert_double_eq(spread.max, want);
        ck_assert(spread.p99 <= spread.max);
        ck_assert_double_eq_tol(spread.mean, want, 1e-9 * want + 1e-18);
        scn_sampler_fini(&sampler);
    }
}
END_TEST

/* A million durations more take no allocation more: what is there is used. */
START_TEST(constant_memory)
{
    struct scn_sampler sampler = {0};
    int64_t *values = sampled(&sampler, 1000000);
    free(values);
    uint64_t state = 362436069;
    alloc_count_begin();
    for (int i = 0; i < 1000000; i++) {
        (void)scn_sampler_add(&sampler, (int64_t)(next(&state) >> 20));
    }
    uint64_t calls = alloc_count_end();
    ck_assert_uint_eq(calls, 0);
    scn_sampler_fini(&sampler);
}
END_TEST

/* Without memory for more values, or for counting: said, and what can be told stays right. */
START_TEST(no_memory)
{
    for (int64_t n = 0; n < 12; n++) {
        struct scn_sampler sampler = {0};
        struct scn_spread spread;
        int failed = 0;
        alloc_count_begin_failing(n);
        for (int64_t i = 1; i <= 2 * SCN_SAMPLER_EXACT; i++) {
            failed += scn_sampler_add(&sampler, i) != 0;
        }
        (void)alloc_count_end();
        scn_sampler_spread(&sampler, &spread);
        ck_assert_uint_eq(spread.count, 2 * SCN_SAMPLER_EXACT);
        ck_assert_double_eq(spread.max, 2 * SCN_SAMPLER_EXACT * 1e-9);
        ck_assert_int_le(failed, 2 * SCN_SAMPLER_EXACT);
        scn_sampler_fini(&sampler);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenarios/sampler");
    TCase *tests = tcase_create("figures");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, nothing_has_no_value);
    tcase_add_test(tests, few_values);
    tcase_add_loop_test(tests, many_values, 0, 4);
    tcase_add_test(tests, ends);
    tcase_add_test(tests, constant_memory);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
