/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/outcome: quantiles by nearest rank (the smallest value with at least p % of the values
 * at or under it), of few values by hand and of many by the formula for 1 to n. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "scenarios/outcome.h"

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

/* 1 ns to n ns in a scattered order, n above the limit: mean and max exact, quantiles of a sample. */
START_TEST(many_values)
{
    const uint64_t n = 3 * (uint64_t)SCN_SAMPLER_LIMIT + 7;
    struct scn_sampler sampler = {0};
    struct scn_spread spread;
    uint64_t value = 0;
    for (uint64_t i = 0; i < n; i++) {
        value = (value + 2654435761U) % n; /* a generator of all residues: 2654435761 is prime */
        ck_assert_int_eq(scn_sampler_add(&sampler, (int64_t)value + 1), 0);
    }
    scn_sampler_spread(&sampler, &spread);
    double total = (double)n * 1e-9;
    ck_assert_uint_eq(spread.count, n);
    ck_assert_double_eq_tol(spread.mean, (total + 1e-9) / 2, 1e-9 * total);
    ck_assert_double_eq_tol(spread.max, total, 1e-15);
    ck_assert_double_eq_tol(spread.p50, 0.50 * total, 0.005 * total);
    ck_assert_double_eq_tol(spread.p95, 0.95 * total, 0.005 * total);
    ck_assert_double_eq_tol(spread.p99, 0.99 * total, 0.005 * total);
    ck_assert_uint_le(sampler.count, SCN_SAMPLER_LIMIT);
    scn_sampler_fini(&sampler);
}
END_TEST

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
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, nothing_has_no_value);
    tcase_add_test(tests, few_values);
    tcase_add_test(tests, many_values);
    tcase_add_test(tests, served_share);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
