/* SPDX-License-Identifier: GPL-3.0-or-later */
/* models/link: block instants against rational arithmetic (the k-th block of a constant rate ends
 * at ceil(k * block / rate)), traces and pauses against sums done by hand in the comments, Poisson
 * blocks against mean and variance of the Poisson law, wide arithmetic against Python's integers. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "models/link.h"

#define S INT64_C(1000000000)

static struct mdl_link link_of(const struct mdl_point *points, size_t count, uint64_t block_bits)
{
    struct mdl_link link;
    struct mdl_link_params params = {.points = points, .count = count, .block_bits = block_bits};
    mdl_link_init(&link, &params, (struct qkd_time){0});
    return link;
}

START_TEST(rate_blocks_never_drift)
{
    /* 81.7 kbit/s and 1 Mbit (12.239902... s), 410 bit/s and 4,100 bit, 2.58 Mbit/s and 8 bit, and
     * a prime rate: the quotient is never a whole number of nanoseconds. */
    static const uint64_t cases[][2] = {
        {81700, 1000000}, {410, 4100}, {2580000, 8}, {1000003, 77777}};
    uint64_t rate = cases[_i][0];
    uint64_t block = cases[_i][1];
    struct mdl_point point = {.rate_bps = rate, .qber = 0.03};
    struct mdl_link link = link_of(&point, 1, block);
    for (uint64_t k = 1; k <= 10000; k++) {
        uint64_t want_ns = (k * block * (uint64_t)S + rate - 1) / rate;
        struct mdl_block next = mdl_link_next_block(&link);
        ck_assert_int_eq(next.done.ns, (int64_t)want_ns);
        ck_assert_double_eq_tol(next.qber, 0.03, 1e-12);
        mdl_link_take_block(&link);
    }
}
END_TEST

/* Beyond 64 bits: Python, -(-k * 10**24 // 999999999999989). */
START_TEST(rate_blocks_beyond_64_bits)
{
    struct mdl_point point = {.rate_bps = UINT64_C(999999999999989)};
    struct mdl_link link = link_of(&point, 1, UINT64_C(1000000000000000));
    int64_t at[1001] = {0};
    for (size_t k = 1; k <= 1000; k++) {
        at[k] = mdl_link_next_block(&link).done.ns;
        mdl_link_take_block(&link);
    }
    ck_assert_int_eq(at[1], INT64_C(1000000001));
    ck_assert_int_eq(at[2], INT64_C(2000000001));
    ck_assert_int_eq(at[7], INT64_C(7000000001));
    ck_assert_int_eq(at[1000], INT64_C(1000000000001));
}
END_TEST

/* 100 bit/s and blocks of 1,000 bit: lit for 4 s of every 10 s, the first block takes 2.5 such turns: 4 + 4
 * + 2 s of light, so until 22 s. What is asked of a frozen link is nothing. */
START_TEST(frozen_light_makes_no_progress)
{
    struct mdl_point point = {.rate_bps = 100, .qber = 0.02};
    struct mdl_link link = link_of(&point, 1, 1000);
    mdl_link_freeze(&link, (struct qkd_time){4 * S});
    mdl_link_freeze(&link, (struct qkd_time){5 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, QKD_NEVER.ns);
    mdl_link_thaw(&link, (struct qkd_time){10 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 16 * S);
    mdl_link_freeze(&link, (struct qkd_time){14 * S});
    mdl_link_pause(&link, (struct qkd_time){15 * S});
    mdl_link_thaw(&link, (struct qkd_time){20 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, QKD_NEVER.ns); /* paused */
    mdl_link_resume(&link, (struct qkd_time){21 * S});
    struct mdl_block block = mdl_link_next_block(&link);
    ck_assert_int_eq(block.done.ns, 22 * S);
    ck_assert_double_eq_tol(block.qber, 0.02, 1e-12);
    mdl_link_freeze(&link,
                    (struct qkd_time){22 * S}); /* in the instant of the block: it is not lost */
    mdl_link_thaw(&link, (struct qkd_time){30 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 30 * S);
    mdl_link_take_block(&link);
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 40 * S);
}
END_TEST

static const struct mdl_point trace[] = {{.t_ns = 1 * S, .rate_bps = 100, .qber = 0.01},
                                         {.t_ns = 5 * S, .rate_bps = 0, .qber = 0},
                                         {.t_ns = 10 * S, .rate_bps = 200, .qber = 0.03},
                                         {.t_ns = 12 * S, .rate_bps = 300, .qber = 0.11},
                                         {.t_ns = 20 * S, .rate_bps = 50, .qber = 0.02}};

/* 1 to 5 s: 400 bit; 10 to 12 s: 400 bit; then 11 % yields none; 200 bit at 50 bit/s take until
 * 24 s. QBER (400 * 0.01 + 400 * 0.03 + 200 * 0.02) / 1000 = 0.02. The next 1000 bit take 20 s. */
START_TEST(trace_is_integrated)
{
    struct mdl_link link = link_of(trace, 5, 1000);
    struct mdl_block next = mdl_link_next_block(&link);
    ck_assert_int_eq(next.done.ns, 24 * S);
    ck_assert_double_eq_tol(next.qber, 0.02, 1e-12);
    mdl_link_take_block(&link);
    next = mdl_link_next_block(&link);
    ck_assert_int_eq(next.done.ns, 44 * S);
    ck_assert_double_eq_tol(next.qber, 0.02, 1e-12);
}
END_TEST

/* Blocks of 400 bit end at 5 s exactly (the point's end), at 12 s exactly, then at 28 s. */
START_TEST(trace_block_ends_with_its_point)
{
    static const int64_t want_s[] = {5, 12, 28, 36};
    static const double qber[] = {0.01, 0.03, 0.02, 0.02};
    struct mdl_link link = link_of(trace, 5, 400);
    for (size_t i = 0; i < 4; i++) {
        struct mdl_block next = mdl_link_next_block(&link);
        ck_assert_int_eq(next.done.ns, want_s[i] * S);
        ck_assert_double_eq_tol(next.qber, qber[i], 1e-12);
        mdl_link_take_block(&link);
    }
}
END_TEST

START_TEST(trace_without_key_never_ends_a_block)
{
    static const struct mdl_point dead[] = {{.t_ns = 0, .rate_bps = 500, .qber = 0.2},
                                            {.t_ns = 3 * S, .rate_bps = 0, .qber = 0}};
    struct mdl_link link = link_of(dead, 2, 8);
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, INT64_MAX);
    struct mdl_link_params params = {.points = dead, .count = 2, .block_bits = 8};
    ck_assert_uint_eq(mdl_link_bits(&params, (struct qkd_time){0}, (struct qkd_time){100 * S}), 0);
}
END_TEST

/* 0 to 11 s: 400 + 200 bit; 2 to 24.5 s: 300 + 400 + 225 bit; 1/3 s at 100 bit/s: 33 bit. */
START_TEST(bits_between_instants)
{
    struct mdl_link_params params = {.points = trace, .count = 5, .block_bits = 8};
    ck_assert_uint_eq(mdl_link_bits(&params, (struct qkd_time){0}, (struct qkd_time){11 * S}), 600);
    ck_assert_uint_eq(
        mdl_link_bits(&params, (struct qkd_time){2 * S}, (struct qkd_time){24 * S + S / 2}), 925);
    ck_assert_uint_eq(mdl_link_bits(&params, (struct qkd_time){S}, (struct qkd_time){S + S / 3}),
                      33);
}
END_TEST

/* 100 bit/s, 1000 bit: blocks at 10, 20, 30 ... s whatever the pauses; what completes in one is lost.
 * One that is due at the very instant of the return is lost too. */
START_TEST(pause_moves_no_block)
{
    struct mdl_point point = {.rate_bps = 100, .qber = 0.01};
    struct mdl_link link = link_of(&point, 1, 1000);
    mdl_link_pause(&link, (struct qkd_time){3 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, INT64_MAX);
    mdl_link_pause(&link, (struct qkd_time){4 * S}); /* nothing more */
    mdl_link_resume(&link, (struct qkd_time){9 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 10 * S);
    mdl_link_resume(&link, (struct qkd_time){9 * S + 1}); /* nothing more */
    mdl_link_take_block(&link);
    mdl_link_pause(&link, (struct qkd_time){10 * S});
    mdl_link_resume(&link, (struct qkd_time){37 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 40 * S);
    ck_assert_double_eq_tol(mdl_link_next_block(&link).qber, 0.01, 1e-12);
    mdl_link_pause(&link, (struct qkd_time){38 * S});
    mdl_link_resume(&link, (struct qkd_time){40 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 50 * S);
}
END_TEST

/* Blocks of 300 bit of the trace end at 4, 11, 22 (at 50 bit/s from 20 s), 28 s. Paused from 2 to 11.5
 * s, two are lost; of the third, 100 bit of 10.5 to 11 s are none of it: 200 bit at 11 to 12 s and 100
 * at 20 to 22 s. QBER (200 * 0.03 + 100 * 0.02) / 300. */
START_TEST(pause_over_points_of_a_trace)
{
    struct mdl_link link = link_of(trace, 5, 300);
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 4 * S);
    mdl_link_pause(&link, (struct qkd_time){2 * S});
    mdl_link_resume(&link, (struct qkd_time){11 * S + S / 2});
    struct mdl_block next = mdl_link_next_block(&link);
    ck_assert_int_eq(next.done.ns, 22 * S);
    ck_assert_double_eq_tol(next.qber, 8.0 / 300, 1e-12);
    mdl_link_take_block(&link);
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 28 * S);
}
END_TEST

/* 81.7 kbit/s, 1 Mbit: after each of 1000 pauses the next block is at a multiple of block / rate, the
 * first one after the pause, to the nanosecond (integers, not the model's own sums). */
START_TEST(pauses_keep_the_beat)
{
    struct mdl_point point = {.rate_bps = 81700};
    struct mdl_link link = link_of(&point, 1, 1000000);
    for (int64_t i = 1; i <= 1000; i++) {
        int64_t to_ns = i * 37 * S + i * 7654321;
        while (mdl_link_next_block(&link).done.ns <= to_ns - S) {
            mdl_link_take_block(&link);
        }
        mdl_link_pause(&link, (struct qkd_time){to_ns - S});
        mdl_link_resume(&link, (struct qkd_time){to_ns});
        int64_t k = (int64_t)((double)to_ns * 81700 / 1e15) - 1;
        int64_t want_ns = 0;
        for (; want_ns <= to_ns; k++) {
            want_ns = (k * 1000000 * (S / 100) + 816) / 817; /* 10^15 k / 81700, rounded up */
        }
        ck_assert_int_eq(mdl_link_next_block(&link).done.ns, want_ns);
    }
}
END_TEST

/* Blocks in each of `count` seconds: mean and variance. Every other time, the model is paused for
 * `pause_ns` out of each 500 ms; blocks are then counted over the seconds that it runs. */
static void poisson_counts(int64_t pause_ns, double *mean, double *variance)
{
    enum { COUNT = 20000 };
    static const uint8_t seed[32] = {7};
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    struct mdl_point point = {.rate_bps = 10000};
    struct mdl_link_params params = {
        .points = &point, .count = 1, .block_bits = 1000, .poisson = &rng};
    struct mdl_link link;
    mdl_link_init(&link, &params, (struct qkd_time){0});
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t end_ns = i * (S + pause_ns) + S;
        double n = 0;
        for (; mdl_link_next_block(&link).done.ns <= end_ns; n++) {
            mdl_link_take_block(&link);
        }
        sum += n;
        squares += n * n;
        mdl_link_pause(&link, (struct qkd_time){end_ns});
        mdl_link_resume(&link, (struct qkd_time){end_ns + pause_ns});
    }
    *mean = sum / COUNT;
    *variance = squares / COUNT - *mean * *mean;
    qkd_rng_fini(&rng);
}

/* 10 blocks/s: counts of a second have mean and variance 10, with pauses as without. Standard errors
 * over 20,000 of them: sqrt(10 / 20000) = 0.022 and sqrt((10 + 2 * 100) / 20000) = 0.10 (fourth moment
 * of the Poisson law); four of each. */
START_TEST(poisson_blocks)
{
    static const int64_t pauses_ns[] = {0, S / 20, 3 * S};
    double mean, variance;
    poisson_counts(pauses_ns[_i], &mean, &variance);
    ck_assert_double_eq_tol(mean, 10, 0.09);
    ck_assert_double_eq_tol(variance, 10, 0.41);
}
END_TEST

/* Under a trace the rate of blocks follows it: none before 1 s, between 5 and 10 s, 12 and 20 s. */
START_TEST(poisson_blocks_follow_a_trace)
{
    static const uint8_t seed[32] = {8};
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    struct mdl_link_params params = {.points = trace, .count = 5, .block_bits = 8, .poisson = &rng};
    double n[2] = {0, 0};
    for (int i = 0; i < 500; i++) {
        struct mdl_link link;
        mdl_link_init(&link, &params, (struct qkd_time){0});
        for (;;) {
            struct mdl_block next = mdl_link_next_block(&link);
            double at_s = (double)next.done.ns / 1e9;
            if (at_s > 12) {
                ck_assert_double_ge(at_s, 20);
                break;
            }
            ck_assert(at_s > 1 && (at_s <= 5 || at_s > 10));
            ck_assert(at_s > 10 || fabs(next.qber - 0.01) < 1e-6);
            n[at_s > 10]++;
            mdl_link_take_block(&link);
        }
    }
    /* 4 s at 100 bit/s and 2 s at 200 bit/s: 50 blocks each; sqrt(50 * 500) = 158 */
    ck_assert_double_eq_tol(n[0], 25000, 4 * 158);
    ck_assert_double_eq_tol(n[1], 25000, 4 * 158);
    qkd_rng_fini(&rng);
}
END_TEST

START_TEST(start_inside_a_trace)
{
    struct mdl_link link;
    struct mdl_link_params params = {.points = trace, .count = 5, .block_bits = 100};
    mdl_link_init(&link, &params, (struct qkd_time){11 * S});
    ck_assert_int_eq(mdl_link_next_block(&link).done.ns, 11 * S + S / 2);
}
END_TEST

/* Expected values: Python. */
START_TEST(wide_arithmetic)
{
    struct mdl_wide p = mdl_wide_mul(UINT64_C(0xfedcba9876543210), UINT64_C(0x0123456789abcdef));
    ck_assert_uint_eq(p.hi, UINT64_C(0x121fa00ad77d742));
    ck_assert_uint_eq(p.lo, UINT64_C(0x2236d88fe5618cf0));
    ck_assert_uint_eq(mdl_wide_div_up(p, UINT64_MAX), UINT64_C(0x121fa00ad77d743));
    ck_assert_uint_eq(mdl_wide_div_up(p, 3), UINT64_MAX);
    ck_assert_uint_eq(mdl_wide_div_up((struct mdl_wide){1, 0}, 3), UINT64_C(6148914691236517206));
    struct mdl_wide one = {0, 1};
    struct mdl_wide carry = mdl_wide_add((struct mdl_wide){0, UINT64_MAX}, one);
    ck_assert_uint_eq(carry.hi, 1);
    ck_assert_uint_eq(carry.lo, 0);
    ck_assert_uint_eq(mdl_wide_sub(carry, one).lo, UINT64_MAX);
    ck_assert(mdl_wide_less(one, carry) && !mdl_wide_less(carry, one));
    struct mdl_wide rest = mdl_wide_rest(p, (struct mdl_wide){3, 7});
    ck_assert_uint_eq(rest.hi, UINT64_C(0x2));
    ck_assert_uint_eq(rest.lo, UINT64_C(0x1f923be3a5f496b0));
    rest = mdl_wide_rest(carry, carry);
    ck_assert(rest.hi == 0 && rest.lo == 0);
    ck_assert_uint_eq(mdl_wide_rest(one, carry).lo, 1);
    rest = mdl_wide_of(3 * 18446744073709551616.0 + 16384);
    ck_assert(rest.hi == 3 && rest.lo == 16384);
}
END_TEST

/* 11 % itself is not above the limit; equal states are passed over. */
START_TEST(noise_changes)
{
    static const struct mdl_point points[] = {{.t_ns = 0, .rate_bps = 9, .qber = 0.11},
                                              {.t_ns = 1 * S, .rate_bps = 9, .qber = 0.02},
                                              {.t_ns = 2 * S, .rate_bps = 9, .qber = 0.1101},
                                              {.t_ns = 3 * S, .rate_bps = 9, .qber = 0.5},
                                              {.t_ns = 4 * S, .rate_bps = 9, .qber = 0.03}};
    struct mdl_link_params params = {.points = points, .count = 5, .block_bits = 8};
    ck_assert_uint_eq(mdl_link_noise_change(&params, 0, false), 2);
    ck_assert_uint_eq(mdl_link_noise_change(&params, 2, true), 4);
    ck_assert_uint_eq(mdl_link_noise_change(&params, 4, false), 5);
    ck_assert_uint_eq(mdl_link_noise_change(&params, 5, true), 5);
    params.count = 0;
    ck_assert_uint_eq(mdl_link_noise_change(&params, 0, false), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model link");
    TCase *tc = tcase_create("link");
    tcase_add_loop_test(tc, rate_blocks_never_drift, 0, 4);
    tcase_add_test(tc, rate_blocks_beyond_64_bits);
    tcase_add_test(tc, trace_is_integrated);
    tcase_add_test(tc, trace_block_ends_with_its_point);
    tcase_add_test(tc, trace_without_key_never_ends_a_block);
    tcase_add_test(tc, bits_between_instants);
    tcase_add_test(tc, pause_moves_no_block);
    tcase_add_test(tc, pause_over_points_of_a_trace);
    tcase_add_test(tc, pauses_keep_the_beat);
    tcase_add_loop_test(tc, poisson_blocks, 0, 3);
    tcase_add_test(tc, poisson_blocks_follow_a_trace);
    tcase_add_test(tc, start_inside_a_trace);
    tcase_add_test(tc, noise_changes);
    tcase_add_test(tc, frozen_light_makes_no_progress);
    tcase_add_test(tc, wide_arithmetic);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
