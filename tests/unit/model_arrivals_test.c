/* SPDX-License-Identifier: GPL-3.0-or-later */
/* models/arrivals: the Poisson process against its theory (fixed seed, 4 standard errors), periods
 * against rational arithmetic, lists against themselves; on-off against the closed form of its
 * counts and against a process made state by state, diurnal by chi-square over the hours. */
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

/* ---- on-off ---- */

static struct mdl_arrivals_params bursts(double rate, int64_t on_ns, int64_t off_ns)
{
    return (struct mdl_arrivals_params){.kind = MDL_ARRIVALS_ON_OFF,
                                        .rate_per_s = rate,
                                        .on_ns = on_ns,
                                        .off_ns = off_ns,
                                        .offset_ns = -1,
                                        .start = zero,
                                        .stop = QKD_NEVER};
}

/* The closed form of the counts of the stationary interrupted Poisson process (W. Fischer, K.
 * Meier-Hellstern, The Markov-modulated Poisson process cookbook, Performance Evaluation 18(2),
 * 1993, for two states of which one is silent): mean m t with m = l b / (a + b), variance over mean
 * 1 + 2 l a / s^2 (1 - (1 - exp(-s t)) / (s t)) with s = a + b, in windows of length t. Windows far
 * shorter than, about as long as, and longer than the periods. Errors: the sample's own, from its
 * second and fourth moments over batches. */
static const struct {
    double rate, on_s, off_s, window_s;
} burst_case[] = {{20, 2, 3, 1}, {5, 10, 1, 4}, {100, 0.05, 0.5, 2}, {1, 0.01, 0.01, 10}};

#define BATCHES 200
#define BATCH_WINDOWS 200

START_TEST(on_off_counts_have_the_closed_form)
{
    double l = burst_case[_i].rate;
    double a = 1 / burst_case[_i].on_s;
    double b = 1 / burst_case[_i].off_s;
    double t = burst_case[_i].window_s;
    double s = a + b;
    double mean = l * b / s * t;
    double index = 1 + 2 * l * a / (s * s) * (1 - (1 - exp(-s * t)) / (s * t));
    struct mdl_arrivals_params params = bursts(l, (int64_t)llround(burst_case[_i].on_s * 1e9),
                                               (int64_t)llround(burst_case[_i].off_s * 1e9));
    struct mdl_arrivals arrivals;
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 21, "on-off", (uint64_t)_i);
    mdl_arrivals_init(&arrivals, &params);
    int64_t window_ns = (int64_t)llround(t * 1e9);
    int64_t next_ns = mdl_arrivals_next(&arrivals, &rng).ns;
    double sums[2] = {0, 0};    /* of the batches' means and variances */
    double squares[2] = {0, 0}; /* of them */
    for (int64_t batch = 0; batch < BATCHES; batch++) {
        double moments[2] = {0, 0};
        for (int64_t w = batch * BATCH_WINDOWS; w < (batch + 1) * BATCH_WINDOWS; w++) {
            double count = 0;
            for (; next_ns < (w + 1) * window_ns; count++) {
                ck_assert_int_ge(next_ns, w * window_ns);
                next_ns = mdl_arrivals_next(&arrivals, &rng).ns;
            }
            moments[0] += count / BATCH_WINDOWS;
            moments[1] += (count - mean) * (count - mean) / BATCH_WINDOWS;
        }
        for (size_t k = 0; k < 2; k++) {
            sums[k] += moments[k] / BATCHES;
            squares[k] += moments[k] * moments[k] / BATCHES;
        }
    }
    double want[2] = {mean, mean * index};
    for (size_t k = 0; k < 2; k++) {
        double error = sqrt((squares[k] - sums[k] * sums[k]) / BATCHES);
        ck_assert_double_eq_tol(sums[k], want[k], 4 * error);
        ck_assert_double_lt(error, want[k] * 0.05); /* the check has power */
    }
    ck_assert_double_gt(index, 1);
}
END_TEST

/* The same process made another way, state by state, as its definition says. */
struct by_states {
    struct qkd_rng rng;
    double now_s, until_s; /* the end of the on period */
};

static double by_states_gap(struct by_states *p, double rate, double on_s, double off_s)
{
    double before_s = p->now_s;
    for (;;) {
        double next_s = p->now_s - log(qkd_rng_unit(&p->rng)) / rate;
        if (next_s < p->until_s) {
            p->now_s = next_s;
            return next_s - before_s;
        }
        p->now_s = p->until_s - log(qkd_rng_unit(&p->rng)) * off_s;
        p->until_s = p->now_s - log(qkd_rng_unit(&p->rng)) * on_s;
    }
}

static int double_compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

#define KS_GAPS 40000

/* Two samples of gaps, Kolmogorov and Smirnov: below 1.95 sqrt(2 / n) at the level of 0.1 %. */
START_TEST(on_off_gaps_are_those_of_the_states)
{
    static double ours[KS_GAPS];
    static double theirs[KS_GAPS];
    double on_s = burst_case[_i].on_s;
    double off_s = burst_case[_i].off_s;
    struct mdl_arrivals_params params = bursts(burst_case[_i].rate, (int64_t)llround(on_s * 1e9),
                                               (int64_t)llround(off_s * 1e9));
    struct mdl_arrivals arrivals;
    struct qkd_rng rng;
    struct by_states states = {.until_s = 0};
    qkd_rng_init_named(&rng, 22, "on-off", (uint64_t)_i);
    qkd_rng_init_named(&states.rng, 23, "states", (uint64_t)_i);
    mdl_arrivals_init(&arrivals, &params);
    int64_t last_ns = mdl_arrivals_next(&arrivals, &rng).ns;
    (void)by_states_gap(&states, burst_case[_i].rate, on_s, off_s);
    for (size_t i = 0; i < KS_GAPS; i++) {
        int64_t next_ns = mdl_arrivals_next(&arrivals, &rng).ns;
        ours[i] = (double)(next_ns - last_ns) / 1e9;
        last_ns = next_ns;
        theirs[i] = by_states_gap(&states, burst_case[_i].rate, on_s, off_s);
    }
    qsort(ours, KS_GAPS, sizeof ours[0], double_compare);
    qsort(theirs, KS_GAPS, sizeof theirs[0], double_compare);
    double most = 0;
    for (size_t i = 0, j = 0; i < KS_GAPS && j < KS_GAPS;) {
        if (ours[i] <= theirs[j]) {
            i++;
        } else {
            j++;
        }
        most = fmax(most, fabs((double)i - (double)j) / KS_GAPS);
    }
    ck_assert_double_lt(most, 1.95 * sqrt(2.0 / KS_GAPS));
}
END_TEST

/* A stationary start: the first arrival comes in the first on-off times as often as in theory,
 * P(N(t) = 0) over many seeds. In on time l the chance of none by t is a small system of linear
 * differential equations, integrated here by Euler steps. */
START_TEST(on_off_begins_stationary)
{
    const double l = 3;
    const double a = 2;
    const double b = 0.5;
    const double t = 0.7;
    double on = b / (a + b);
    double off = a / (a + b);
    const double step = 1e-5;
    for (double now = 0; now < t; now += step) {
        double next_on = on + step * (-(l + a) * on + b * off);
        off += step * (a * on - b * off);
        on = next_on;
    }
    double none = on + off;
    struct mdl_arrivals_params params = bursts(l, S / 2, 2 * S);
    double count = 0;
    const int seeds = 20000;
    for (int i = 0; i < seeds; i++) {
        struct mdl_arrivals arrivals;
        struct qkd_rng rng;
        qkd_rng_init_named(&rng, 24, "start", (uint64_t)i);
        mdl_arrivals_init(&arrivals, &params);
        count += mdl_arrivals_next(&arrivals, &rng).ns > (int64_t)(t * 1e9) ? 1 : 0;
    }
    ck_assert_double_eq_tol(count / seeds, none, 4 * sqrt(none * (1 - none) / seeds) + 1e-4);
}
END_TEST

/* Fixed periods: nothing in the off periods; in each on period a Poisson number, also when they are
 * far shorter or longer than the gaps. */
START_TEST(on_off_fixed_periods)
{
    static const struct {
        double rate;
        int64_t on_ns, off_ns, offset_ns;
    } cases[] = {{10, 3 * S, 5 * S, -1}, {0.1, S / 10, S / 5, 4 * S}, {2000, S / 100, S, S / 2}};
    struct mdl_arrivals_params params = bursts(cases[_i].rate, cases[_i].on_ns, cases[_i].off_ns);
    params.fixed = true;
    params.offset_ns = cases[_i].offset_ns;
    params.start.ns = 2 * S;
    int64_t first_ns = 2 * S + (params.offset_ns < 0 ? 0 : params.offset_ns);
    int64_t cycle_ns = params.on_ns + params.off_ns;
    double mean = cases[_i].rate * (double)params.on_ns / 1e9;
    int64_t cycles = (int64_t)(100000 / mean);
    struct mdl_arrivals arrivals;
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 25, "fixed", (uint64_t)_i);
    mdl_arrivals_init(&arrivals, &params);
    int64_t next_ns = mdl_arrivals_next(&arrivals, &rng).ns;
    double sum = 0;
    double squares = 0;
    for (int64_t cycle = 0; cycle < cycles; cycle++) {
        double count = 0;
        for (; (next_ns - first_ns) / cycle_ns == cycle; count++) {
            ck_assert_int_ge(next_ns, first_ns);
            ck_assert_int_lt((next_ns - first_ns) % cycle_ns, params.on_ns);
            int64_t again_ns = mdl_arrivals_next(&arrivals, &rng).ns;
            ck_assert_int_ge(again_ns, next_ns);
            next_ns = again_ns;
        }
        sum += count;
        squares += (count - mean) * (count - mean);
    }
    double n = (double)cycles;
    ck_assert_double_eq_tol(sum / n, mean, 4 * sqrt(mean / n));
    ck_assert_double_eq_tol(squares / n, mean, 4 * sqrt((mean + 2 * mean * mean) / n));
}
END_TEST

/* ---- diurnal ---- */

#define HOURS 24
#define DAYS 200

/* Critical value of chi-square with 24 degrees of freedom at 0.1 % (tables): 51.2. The expected
 * number of an hour is the integral of the rate over it, done by hand. */
static void hours_check(const struct mdl_arrivals_params *params, const double want[HOURS])
{
    double got[HOURS] = {0};
    struct mdl_arrivals arrivals;
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 31, "diurnal", (uint64_t)params->level_count);
    mdl_arrivals_init(&arrivals, params);
    int64_t hour_ns = params->day_ns / HOURS;
    int64_t last_ns = 0;
    struct qkd_time next;
    while ((next = mdl_arrivals_next(&arrivals, &rng)).ns != INT64_MAX) {
        ck_assert_int_ge(next.ns, last_ns);
        last_ns = next.ns;
        got[next.ns % params->day_ns / hour_ns] += 1;
    }
    double chi = 0;
    for (size_t h = 0; h < HOURS; h++) {
        double expected = want[h] * DAYS;
        ck_assert(expected > 0 || got[h] < 1);
        chi += expected > 0 ? (got[h] - expected) * (got[h] - expected) / expected : 0;
    }
    ck_assert_double_lt(chi, 51.2);
    ck_assert_double_gt(chi, 4.0); /* 24 hours that fit better are not by chance */
}

START_TEST(diurnal_sinusoid_by_hours)
{
    static const double peak_h[] = {14, 0, 23.5};
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_DIURNAL,
                                         .rate_per_s = 0.05,
                                         .trough_per_s = _i == 0 ? 0.01 : 0,
                                         .peak_ns = (int64_t)(peak_h[_i] * 3600e9),
                                         .day_ns = 86400 * S,
                                         .start = zero,
                                         .stop = {DAYS * 86400 * S}};
    double want[HOURS];
    double turn = 2 * acos(-1.0) / HOURS;
    for (int h = 0; h < HOURS; h++) {
        double swing = (sin(turn * (h + 1 - peak_h[_i])) - sin(turn * (h - peak_h[_i]))) / turn;
        double half = (params.rate_per_s - params.trough_per_s) / 2;
        want[h] = 3600 * (params.trough_per_s + half + half * swing);
    }
    hours_check(&params, want);
}
END_TEST

/* Levels that begin at midnight, that begin later (the night goes on), a silent afternoon, and
 * rates far below one a day. */
START_TEST(diurnal_levels_by_hours)
{
    static const struct mdl_arrivals_level levels[][4] = {
        {{0, 0.002}, {6 * 3600 * S, 0.03}, {9 * 3600 * S + 1800 * S, 0.05}, {18 * 3600 * S, 0.01}},
        {{7 * 3600 * S, 0.04}, {12 * 3600 * S, 0}, {17 * 3600 * S, 0.02}, {23 * 3600 * S, 0.005}},
    };
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_DIURNAL,
                                         .levels = levels[_i],
                                         .level_count = 4,
                                         .day_ns = 86400 * S,
                                         .start = zero,
                                         .stop = {DAYS * 86400 * S}};
    double want[HOURS] = {0};
    for (int minute = 0; minute < HOURS * 60; minute++) {
        double rate = levels[_i][3].rate_per_s;
        for (size_t k = 0; k < 4; k++) {
            rate = levels[_i][k].t_ns <= minute * 60 * S ? levels[_i][k].rate_per_s : rate;
        }
        want[minute / 60] += 60 * rate;
    }
    hours_check(&params, want);
}
END_TEST

/* Few arrivals in many days: the number is right (whole days are skipped), all in the one hour. */
START_TEST(diurnal_rare)
{
    static const struct mdl_arrivals_level levels[] = {{5 * 3600 * S, 1e-6}, {6 * 3600 * S, 0}};
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_DIURNAL,
                                         .levels = levels,
                                         .level_count = 2,
                                         .day_ns = 86400 * S,
                                         .start = {11 * 3600 * S},
                                         .stop = QKD_NEVER};
    struct mdl_arrivals arrivals;
    struct qkd_rng rng;
    int64_t count = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        qkd_rng_init_named(&rng, 32, "rare", seed);
        mdl_arrivals_init(&arrivals, &params);
        int64_t at_ns = 0;
        while ((at_ns = mdl_arrivals_next(&arrivals, &rng).ns) < INT64_C(100000) * 86400 * S) {
            ck_assert_int_eq(at_ns / (3600 * S) % HOURS, 5);
            count++;
        }
    }
    double mean = 100 * 100000 * 3600e-6; /* 36,000 */
    ck_assert_double_eq_tol((double)count, mean, 4 * sqrt(mean));
}
END_TEST

/* The same seed, the same arrivals; start and stop are kept by every kind. */
START_TEST(new_kinds_keep_their_bounds)
{
    static const struct mdl_arrivals_level levels[] = {{S, 50}, {3 * S, 100}};
    struct mdl_arrivals_params params[4] = {bursts(100, S / 3, S / 7), bursts(100, S / 3, S / 7)};
    params[1].fixed = true;
    for (size_t k = 2; k < 4; k++) {
        params[k] = (struct mdl_arrivals_params){.kind = MDL_ARRIVALS_DIURNAL,
                                                 .rate_per_s = 100,
                                                 .trough_per_s = 20,
                                                 .day_ns = 5 * S,
                                                 .levels = k == 2 ? NULL : levels,
                                                 .level_count = k == 2 ? 0 : 2};
    }
    for (size_t k = 0; k < 4; k++) {
        params[k].start.ns = 7 * S + 1;
        params[k].stop.ns = 60 * S;
        struct mdl_arrivals a;
        struct mdl_arrivals b;
        struct qkd_rng rng_a;
        struct qkd_rng rng_b;
        qkd_rng_init_named(&rng_a, 1, "application", k);
        qkd_rng_init_named(&rng_b, 1, "application", k);
        mdl_arrivals_init(&a, &params[k]);
        mdl_arrivals_init(&b, &params[k]);
        int64_t last_ns = 0;
        size_t count = 0;
        for (int64_t at_ns; (at_ns = mdl_arrivals_next(&a, &rng_a).ns) != INT64_MAX; count++) {
            ck_assert_int_eq(at_ns, mdl_arrivals_next(&b, &rng_b).ns);
            ck_assert(at_ns > 7 * S && at_ns < 60 * S && at_ns >= last_ns);
            last_ns = at_ns;
        }
        ck_assert_int_gt(last_ns, 59 * S);
        ck_assert_uint_gt(count, 2000);
        ck_assert_int_eq(mdl_arrivals_next(&a, &rng_a).ns, INT64_MAX);
    }
}
END_TEST

/* Holding times: fixed are the mean; exponential have mean and deviation of the law (4 standard errors), a
 * share of exp(-1) beyond the mean, and are never 0. */
START_TEST(holding_times)
{
    struct qkd_rng rng;
    struct mdl_hold hold = {.fixed = true, .mean_ns = 7 * S};
    qkd_rng_init_named(&rng, 11, "holds", 0);
    ck_assert_int_eq(mdl_hold_next(&hold, &rng).ns, 7 * S);
    hold.fixed = false;
    double sum = 0;
    double squares = 0;
    double longer = 0;
    for (size_t i = 0; i < GAPS; i++) {
        double x = (double)mdl_hold_next(&hold, &rng).ns / (double)hold.mean_ns;
        sum += x;
        squares += x * x;
        longer += x > 1 ? 1 : 0;
    }
    double n = GAPS;
    double mean = sum / n;
    double share = exp(-1);
    ck_assert_double_eq_tol(mean, 1, 4 / sqrt(n));
    ck_assert_double_eq_tol(squares / n - mean * mean, 1, 4 * sqrt(8 / n));
    ck_assert_double_eq_tol(longer / n, share, 4 * sqrt(share * (1 - share) / n));
    hold.mean_ns = 1;
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_ge(mdl_hold_next(&hold, &rng).ns, 1);
    }
    qkd_rng_fini(&rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model arrivals");
    TCase *tc = tcase_create("arrivals");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, poisson_follows_its_theory, 0, 3);
    tcase_add_test(tc, poisson_counts);
    tcase_add_test(tc, poisson_starts_after_start_and_repeats_by_seed);
    tcase_add_test(tc, poisson_may_never_come);
    tcase_add_test(tc, periodic_does_not_drift);
    tcase_add_test(tc, periodic_with_offset_until_stop);
    tcase_add_test(tc, trace_gives_its_instants);
    tcase_add_loop_test(tc, on_off_counts_have_the_closed_form, 0, 4);
    tcase_add_loop_test(tc, on_off_gaps_are_those_of_the_states, 0, 4);
    tcase_add_test(tc, on_off_begins_stationary);
    tcase_add_loop_test(tc, on_off_fixed_periods, 0, 3);
    tcase_add_loop_test(tc, diurnal_sinusoid_by_hours, 0, 3);
    tcase_add_loop_test(tc, diurnal_levels_by_hours, 0, 2);
    tcase_add_test(tc, diurnal_rare);
    tcase_add_test(tc, new_kinds_keep_their_bounds);
    tcase_add_test(tc, holding_times);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
