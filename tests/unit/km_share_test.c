/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shares of a link's key among applications (core/km/share.h), as properties of random histories. What
 * applications of one level must get is worked out here by itself: the max-min fair allocation of the income,
 * by raising everybody's level until demand or income ends (Bertsekas and Gallager, Data Networks, 6.5.2). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "core/km/share.h"

enum { APPS = 6, PIECE = 80, STORE = 1 << 20, ROUNDS = 20000 };

static struct km_config config;
static struct km_share share;
static struct qkd_rng rng;
static uint64_t pool; /* free bytes */
static int64_t now_ms;

static void setup(uint64_t seed)
{
    uint8_t bytes[32] = {0};
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(seed >> (8 * i));
    }
    qkd_rng_init(&rng, bytes);
    config = (struct km_config){.class_count = 3,
                                .classes = {{.priority = 0, .reserve_bits = 4096},
                                            {.priority = 1, .reserve_bits = 4096},
                                            {.priority = 5, .reserve_bits = 0}}};
    km_share_init(&share, &config, STORE);
    pool = 0;
    now_ms = 1000000;
}

/* `who`: its flow, and in the thousands the KM where it begins. */
static bool ask(uint32_t who, uint32_t class_slot, bool is_guaranteed, uint64_t bytes)
{
    struct km_share_who is = {.source = {who / 1000},
                              .flow = who % 1000,
                              .is_guaranteed = is_guaranteed};
    uint8_t level = is_guaranteed ? KM_SHARE_GUARANTEED
                    : class_slot == KM_CLASSES
                        ? (uint8_t)KM_SHARE_NONE
                        : (uint8_t)(KM_SHARE_PRIORITY + config.classes[class_slot].priority);
    bool may = km_share_take(&share, &(struct km_share_ask){.who = is,
                                                            .level = level,
                                                            .class_slot = class_slot,
                                                            .bytes = bytes,
                                                            .free = pool,
                                                            .is_full = pool > STORE / 16 * 7,
                                                            .left = pool > bytes ? pool - bytes : 0,
                                                            .now = {now_ms * QKD_NS_PER_MS}});
    if (may && pool >= bytes) {
        pool -= bytes;
        return true;
    }
    if (may) {
        km_share_give(&share, &is, bytes);
    }
    return false;
}

/* The identity of share.h, right after a question. */
static void whole(uint64_t free_before, uint64_t taken)
{
    uint64_t sum = share.common;
    for (uint32_t i = 0; i < share.count; i++) {
        sum += share.accounts[i].credit;
    }
    for (uint32_t c = 0; c < config.class_count; c++) {
        sum += share.reserve[c];
    }
    ck_assert_uint_eq(sum + taken, free_before + share.debt);
}

START_TEST(nothing_is_claimed_twice)
{
    setup((uint64_t)_i);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        now_ms += (int64_t)qkd_rng_below(&rng, 400);
        pool += qkd_rng_below(&rng, 8) == 0 ? qkd_rng_below(&rng, 4000) : 0;
        uint64_t lost = qkd_rng_below(&rng, 16) == 0 ? qkd_rng_below(&rng, 500) : 0;
        pool -= lost < pool ? lost : pool;
        uint32_t who = (uint32_t)qkd_rng_below(&rng, APPS);
        uint32_t class_slot = who % 4 == 3 ? KM_CLASSES : who % 4;
        uint64_t bytes = 16 * (1 + (uint64_t)qkd_rng_below(&rng, 20));
        uint64_t before = pool;
        struct km_share_who is = {.source = {who / 3}, .flow = who};
        bool may = km_share_take(&share, &(struct km_share_ask){.who = is,
                                                                .level = (uint8_t)(1 + who),
                                                                .class_slot = class_slot,
                                                                .bytes = bytes,
                                                                .free = pool,
                                                                .left = UINT64_MAX,
                                                                .now = {now_ms * QKD_NS_PER_MS}});
        whole(before, may ? bytes : 0);
        if (may && pool >= bytes) {
            pool -= bytes;
        } else if (may) {
            km_share_give(&share, &is, bytes);
        }
    }
    km_share_fini(&share);
}
END_TEST

/* Pieces per second that each gets of `income` by max-min fairness. */
static void max_min(const double demand[APPS], double income, double gets[APPS])
{
    bool done[APPS] = {false};
    for (uint32_t i = 0; i < APPS; i++) {
        gets[i] = 0;
    }
    for (uint32_t turn = 0; turn < APPS; turn++) {
        uint32_t open = 0;
        double step = income;
        for (uint32_t i = 0; i < APPS; i++) {
            open += !done[i];
            step = !done[i] && demand[i] - gets[i] < step ? demand[i] - gets[i] : step;
        }
        if (open == 0) {
            return;
        }
        step = step < income / open ? step : income / open;
        for (uint32_t i = 0; i < APPS; i++) {
            gets[i] += done[i] ? 0 : step;
            income -= done[i] ? 0 : step;
            done[i] = done[i] || gets[i] >= demand[i] - 1e-9;
        }
    }
}

/* Poisson-like demand of applications of one class, key in blocks of ten seconds. */
START_TEST(equals_get_max_min)
{
    static const double demand[APPS] = {0.5, 1, 3, 8, 20, 20};
    enum { SECONDS = 4000, INCOME = 24 };
    setup((uint64_t)_i);
    double fair[APPS];
    uint64_t got[APPS] = {0};
    max_min(demand, INCOME, fair);
    for (int64_t t = 0; t < SECONDS * 100; t++) {
        now_ms += 10;
        pool += t % 1000 == 0 ? INCOME * 10 * PIECE : 0;
        for (uint32_t i = 0; i < APPS; i++) {
            bool asks = qkd_rng_below(&rng, 100000) < (uint32_t)(demand[i] * 1000);
            got[i] += asks && ask(i, 1, false, PIECE);
        }
    }
    for (uint32_t i = 0; i < APPS; i++) {
        double rate = (double)got[i] / SECONDS;
        ck_assert_msg(rate > 0.9 * fair[i] - 0.05 && rate < 1.1 * fair[i] + 0.05,
                      "application %u: %.2f pieces per second, fair %.2f", i, rate, fair[i]);
    }
    km_share_fini(&share);
}
END_TEST

/* Large pieces and small ones get the same amount. */
START_TEST(size_does_not_matter)
{
    setup((uint64_t)_i);
    uint64_t got[2] = {0, 0};
    for (uint32_t t = 0; t < 100000; t++) {
        now_ms += 10;
        pool += t % 500 == 0 ? 20000 : 0;
        got[0] += ask(0, 0, false, 80) ? 80 : 0;
        got[1] += ask(1, 0, false, 2400) ? 2400 : 0;
    }
    ck_assert_uint_gt(got[0] + got[1], 3900000);
    ck_assert_double_eq_tol((double)got[0], (double)got[1], 50000);
    km_share_fini(&share);
}
END_TEST

/* What comes in is enough for the first two levels and a half of the third; the last gets nothing. */
START_TEST(the_more_important_first)
{
    setup((uint64_t)_i);
    uint64_t got[4] = {0};
    uint64_t asked[4] = {0};
    for (uint32_t t = 0; t < 400000; t++) {
        now_ms += 10;
        pool += t % 1000 == 0 ? 10 * 25 * PIECE : 0;
        uint32_t who = (uint32_t)qkd_rng_below(&rng, 10); /* ten of each level per second */
        if (who < 4) {
            bool may = ask(who, who < 2 ? 0 : who - 1, who == 0, PIECE);
            bool warm = t > 40000;
            asked[who] += warm;
            got[who] += warm && may;
        }
    }
    ck_assert_uint_eq(got[0], asked[0]);
    ck_assert_uint_eq(got[1], asked[1]);
    double half = (double)got[2] / (double)asked[2];
    ck_assert_double_gt(half, 0.4);
    ck_assert_double_lt(half, 0.6);
    ck_assert_uint_le(got[3], asked[3] / 100);
    km_share_fini(&share);
}
END_TEST

/* Key is lost by other ways, a tenth of what comes, just before each block: the most important still get all they
 * ask for, since those below bear the debt. (They asked before, so that they have saved what could be cashed.) */
START_TEST(the_least_bear_the_debt)
{
    setup((uint64_t)_i);
    uint64_t got[2] = {0};
    uint64_t asked[2] = {0};
    for (uint32_t t = 0; t < 200000; t++) {
        now_ms += 10;
        if (t % 1000 == 999) {
            uint64_t lost = 3 * 10 * PIECE;
            pool -= lost < pool ? lost : pool;
        }
        pool += t % 1000 == 0 ? 10 * 30 * PIECE : 0;
        uint32_t who = qkd_rng_below(&rng, 10) == 0 ? 0 : 1; /* 10 pieces a second, and 90 */
        bool may = ask(who, who, who == 0, PIECE);
        bool warm = t > 20000;
        asked[who] += warm;
        got[who] += warm && may;
    }
    ck_assert_uint_ge(got[0], asked[0] * 999 / 1000);
    ck_assert_uint_ge(got[1],
                      asked[1] / 90 * 16); /* 30 a second came, 3 were lost, 10 are guaranteed */
    km_share_fini(&share);
}
END_TEST

/* Nobody cashes a claim with bytes that a more important one's pieces need: `left` says what they could use. */
START_TEST(what_is_claimed_above_is_left)
{
    setup((uint64_t)_i);
    struct km_share_who high = {.source = {1}, .flow = 0, .is_guaranteed = true};
    struct km_share_who low = {.source = {2}, .flow = 0};
    struct km_share_ask ask_high = {.who = high,
                                    .level = KM_SHARE_GUARANTEED,
                                    .class_slot = KM_CLASSES,
                                    .bytes = 186,
                                    .free = 10000,
                                    .left = UINT64_MAX,
                                    .now = {now_ms * QKD_NS_PER_MS}};
    ck_assert(km_share_take(&share, &ask_high));
    struct km_share_ask ask_low = {.who = low,
                                   .level = KM_SHARE_NONE,
                                   .class_slot = KM_CLASSES,
                                   .bytes = 80,
                                   .free = 9814,
                                   .left = 500, /* the rest are tails of 166 byte */
                                   .now = {now_ms * QKD_NS_PER_MS}};
    ck_assert_uint_eq(km_share_piece(&share, KM_SHARE_NONE), 186);
    ck_assert_uint_eq(km_share_piece(&share, KM_SHARE_GUARANTEED), 0);
    ck_assert(!km_share_take(&share, &ask_low)); /* 4 pieces are claimed: 744 */
    ask_low.left = UINT64_MAX;                   /* a tail */
    ck_assert(km_share_take(&share, &ask_low));
    /* The other end gets nothing of what is guaranteed, whoever needs it there, and nothing of what is saved by
     * those who come before him. */
    struct qkd_time now = {now_ms * QKD_NS_PER_MS};
    ck_assert_uint_ge(km_share_kept(&share, KM_SHARE_GUARANTEED, now), 744);
    ck_assert_uint_ge(km_share_kept(&share, KM_SHARE_NONE, now),
                      km_share_kept(&share, KM_SHARE_GUARANTEED, now));
    km_share_fini(&share);
}
END_TEST

/* Pairs that begin at several KMs, with the same number there, are each one of them. */
START_TEST(pairs_of_several_kms_are_equals)
{
    static const uint32_t who[3] = {1001, 2001, 3001};
    setup((uint64_t)_i);
    uint64_t got[3] = {0};
    for (uint32_t t = 0; t < 100000; t++) {
        now_ms += 10;
        pool += t % 500 == 0 ? 20000 : 0;
        for (uint32_t i = 0; i < 3; i++) {
            got[i] += ask(who[i], 1, false, i == 2 ? 186 : PIECE) ? (i == 2 ? 186 : PIECE) : 0;
        }
    }
    ck_assert_double_eq_tol((double)got[1] / (double)got[0], 1, 0.02);
    ck_assert_double_eq_tol((double)got[2] / (double)got[0], 1, 0.02);
    km_share_fini(&share);
}
END_TEST

/* A class that did not ask for minutes finds its reserve. */
START_TEST(the_reserve_is_left)
{
    setup((uint64_t)_i);
    pool = 4096;
    while (ask(9, KM_CLASSES, false, PIECE)) {
        now_ms += 100;
    }
    ck_assert_uint_ge(pool, 2 * 512); /* of two classes, 4096 bits each */
    now_ms += 600000;
    for (uint32_t i = 0; i < 6; i++) {
        ck_assert(ask(0, 0, false, PIECE));
    }
    km_share_fini(&share);
}
END_TEST

/* Nobody is refused while there is plenty. */
START_TEST(plenty_is_for_all)
{
    setup((uint64_t)_i);
    for (uint32_t t = 0; t < 100000; t++) {
        now_ms += 1;
        pool = STORE / 2;
        uint32_t who = (uint32_t)qkd_rng_below(&rng, APPS);
        ck_assert(ask(who, who % 3, who % 2 == 0, 400));
    }
    km_share_fini(&share);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("km_share");
    TCase *tests = tcase_create("shares");
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, nothing_is_claimed_twice, 0, 20);
    tcase_add_loop_test(tests, equals_get_max_min, 0, 3);
    tcase_add_loop_test(tests, size_does_not_matter, 0, 1);
    tcase_add_loop_test(tests, the_more_important_first, 0, 3);
    tcase_add_loop_test(tests, the_least_bear_the_debt, 0, 3);
    tcase_add_loop_test(tests, what_is_claimed_above_is_left, 0, 1);
    tcase_add_loop_test(tests, pairs_of_several_kms_are_equals, 0, 1);
    tcase_add_loop_test(tests, the_reserve_is_left, 0, 1);
    tcase_add_loop_test(tests, plenty_is_for_all, 0, 1);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
