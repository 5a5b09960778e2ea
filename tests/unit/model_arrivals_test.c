/* SPDX-License-Identifier: GPL-3.0-or-later */
/* models/arrivals: the Poisson process against its theory (fixed seed, 4 standard errors), periods
 * against rational arithmetic, lists against themselves. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "models/arrivals.h"

#define S INT64_C(1000000000)
#define GAPS 200000

static const struct qkd_time zero = {0};

/* Gaps of an exponential law with mean m: mean m (error m/sqrt(n)), variance m^2 (error
 * m^2 sqrt(8/n), since the fourth central moment is 9 m^4), no correlation between neighbours
 * (error 1/sqrt(n)), a share of exp(-1) longer than m. */
START_TEST(poisson_follows_its_theory)
{
    static const double rates[] = {3.0, 0.01, 2500.0};
    double rate = rates[_i];
    double mean = 1e9 / rate;
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {
        .kind = MDL_ARRIVALS_POISSON, .rate_per_s = rate, .start = zero, .stop = QKD_NEVER};
    struct qkd_rng rng;
    static double gap[GAPS];
    qkd_rng_init_named(&rng, 11, "arrivals", (uint64_t)_i);
    mdl_arrivals_init(&arrivals, &params);
    int64_t last = 0;
    double sum = 0;
    double longer = 0;
    for (size_t i = 0; i < GAPS; i++) {
        struct qkd_time next = mdl_arrivals_next(&arrivals, &rng);
        ck_assert_int_ge(next.ns, last);
        gap[i] = (double)(next.ns - last);
        last = next.ns;
        sum += gap[i];
        longer += gap[i] > mean ? 1 : 0;
    }
    double n = GAPS;
    double squares = 0;
    double neighbours = 0;
    for (size_t i = 0; i < GAPS; i++) {
        squares += (gap[i] - mean) * (gap[i] - mean);
        neighbours += i == 0 ? 0 : (gap[i] - mean) * (gap[i - 1] - mean);
    }
    double share = exp(-1.0);
    ck_assert_double_eq_tol(sum / n / mean, 1, 4 / sqrt(n));
    ck_assert_double_eq_tol(squares / n / (mean * mean), 1, 4 * sqrt(8 / n));
    ck_assert_double_eq_tol(neighbours / n / (mean * mean), 0, 4 / sqrt(n));
    ck_assert_double_eq_tol(longer / n, share, 4 * sqrt(share * (1 - share) / n));
}
END_TEST

/* Counts in windows of one second: mean 20 and variance 20 (error sqrt((20 + 2 * 400) / n)). */
START_TEST(poisson_counts)
{
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {
        .kind = MDL_ARRIVALS_POISSON, .rate_per_s = 20, .start = zero, .stop = {5000 * S}};
    struct qkd_rng rng;
    static double window[5000];
    qkd_rng_init_named(&rng, 12, "arrivals", 0);
    mdl_arrivals_init(&arrivals, &params);
    struct qkd_time next;
    while ((next = mdl_arrivals_next(&arrivals, &rng)).ns != INT64_MAX) {
        ck_assert_int_lt(next.ns, 5000 * S);
        window[next.ns / S] += 1;
    }
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < 5000; i++) {
        sum += window[i];
        squares += (window[i] - 20) * (window[i] - 20);
    }
    ck_assert_double_eq_tol(sum / 5000, 20, 4 * sqrt(20.0 / 5000));
    ck_assert_double_eq_tol(squares / 5000, 20, 4 * sqrt(820.0 / 5000));
    ck_assert_int_eq(mdl_arrivals_next(&arrivals, &rng).ns, INT64_MAX);
}
END_TEST

START_TEST(poisson_starts_after_start_and_repeats_by_seed)
{
    struct mdl_arrivals_params params = {
        .kind = MDL_ARRIVALS_POISSON, .rate_per_s = 1000, .start = {7 * S}, .stop = {8 * S}};
    struct mdl_arrivals a;
    struct mdl_arrivals b;
    struct qkd_rng rng_a;
    struct qkd_rng rng_b;
    qkd_rng_init_named(&rng_a, 1, "application", 3);
    qkd_rng_init_named(&rng_b, 1, "application", 3);
    mdl_arrivals_init(&a, &params);
    mdl_arrivals_init(&b, &params);
    struct qkd_time next;
    size_t count = 0;
    do {
        next = mdl_arrivals_next(&a, &rng_a);
        ck_assert_int_gt(next.ns, 7 * S);
        ck_assert_int_eq(next.ns, mdl_arrivals_next(&b, &rng_b).ns);
        count++;
    } while (next.ns != INT64_MAX);
    ck_assert_uint_gt(count, 800);
    ck_assert_uint_lt(count, 1200);
}
END_TEST

/* A rate so small that the first arrival lies beyond the end of time. */
START_TEST(poisson_may_never_come)
{
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {
        .kind = MDL_ARRIVALS_POISSON, .rate_per_s = 1e-15, .start = zero, .stop = QKD_NEVER};
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 1, "never", 0);
    mdl_arrivals_init(&arrivals, &params);
    ck_assert_int_eq(mdl_arrivals_next(&arrivals, &rng).ns, INT64_MAX);
}
END_TEST

/* The k-th arrival of 3 /s is at k/3 s to the nearest nanosecond: (2 k * 10^9 + 3) / 6. */
START_TEST(periodic_does_not_drift)
{
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_PERIODIC,
                                         .rate_per_s = 3,
                                         .offset_ns = -1,
                                         .start = {S},
                                         .stop = QKD_NEVER};
    mdl_arrivals_init(&arrivals, &params);
    for (int64_t k = 1; k <= 200000; k++) {
        int64_t want_ns = S + (2 * k * S + 3) / 6;
        ck_assert_int_eq(mdl_arrivals_next(&arrivals, NULL).ns, want_ns);
    }
}
END_TEST

START_TEST(periodic_with_offset_until_stop)
{
    static const int64_t want_ms[] = {2250, 2750, 3250, 3750};
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_PERIODIC,
                                         .rate_per_s = 2,
                                         .offset_ns = S / 4,
                                         .start = {2 * S},
                                         .stop = {4250 * QKD_NS_PER_MS}};
    mdl_arrivals_init(&arrivals, &params);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(mdl_arrivals_next(&arrivals, NULL).ns, want_ms[i] * QKD_NS_PER_MS);
    }
    ck_assert_int_eq(mdl_arrivals_next(&arrivals, NULL).ns, INT64_MAX); /* stop is excluded */
    ck_assert_int_eq(mdl_arrivals_next(&arrivals, NULL).ns, INT64_MAX);
}
END_TEST

START_TEST(trace_gives_its_instants)
{
    static const int64_t times[] = {1, 5, 5, 9, 20, 21};
    static const int64_t want[] = {5, 5, 9, INT64_MAX, INT64_MAX};
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_TRACE,
                                         .times_ns = times,
                                         .times_count = 6,
                                         .start = {2},
                                         .stop = {20}};
    mdl_arrivals_init(&arrivals, &params);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(mdl_arrivals_next(&arrivals, NULL).ns, want[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model arrivals");
    TCase *tc = tcase_create("arrivals");
    tcase_add_loop_test(tc, poisson_follows_its_theory, 0, 3);
    tcase_add_test(tc, poisson_counts);
    tcase_add_test(tc, poisson_starts_after_start_and_repeats_by_seed);
    tcase_add_test(tc, poisson_may_never_come);
    tcase_add_test(tc, periodic_does_not_drift);
    tcase_add_test(tc, periodic_with_offset_until_stop);
    tcase_add_test(tc, trace_gives_its_instants);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
