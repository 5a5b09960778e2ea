/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What bad frames may cost a receiver: budgets of checks, quarantine that lets the honest peer pass, few
 * strangers, muting. Figures are those of the configuration here and of base/guard.h: 12 failing checks in a
 * second for nothing and 16 for each good message, quarantine after 32 bad frames in a second, for 10 s. */
#include <check.h>
#include <stdlib.h>

#include "core/base/guard.h"
#include "core/channel/frames.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "tests/lib/chan_case.h"

enum { CHECKS = 12, BAD_MOST = 32, QUARANTINE_S = 10, JUNK_LEN = 64 };

static const struct qkd_guard_config guarded = {.bad_most = BAD_MOST,
                                                .quarantine = {QUARANTINE_S * QKD_NS_PER_S},
                                                .checks = CHECKS};

static void setup(void)
{
    chc_setup();
    chc_net.guard = guarded;
    for (unsigned at = 0; at < NET_ELEMENTS; at++) {
        net_start(&chc_net, at);
    }
}

/* ---- the guard alone ---- */

START_TEST(good_messages_pay_for_checks)
{
    struct qkd_guard guard = {.strict = false};
    struct qkd_time now = {5 * QKD_NS_PER_S};
    unsigned checked = 0;
    for (int i = 0; i < 1000 && qkd_guard_may_check(&guard, &guarded, now); i++, checked++) {
        (void)qkd_guard_bad(&guard, &guarded, now, true);
    }
    ck_assert_uint_eq(checked, CHECKS);
    qkd_guard_good(&guard, now);
    for (int i = 0; i < 1000 && qkd_guard_may_check(&guard, &guarded, now); i++, checked++) {
        (void)qkd_guard_bad(&guard, &guarded, now, true);
    }
    ck_assert_uint_eq(checked, CHECKS + QKD_GUARD_PER_GOOD);
    now.ns += QKD_NS_PER_S; /* the good one of the second before still pays */
    for (checked = 0; checked < 1000 && qkd_guard_may_check(&guard, &guarded, now); checked++) {
        (void)qkd_guard_bad(&guard, &guarded, now, true);
    }
    ck_assert_uint_eq(checked, CHECKS + QKD_GUARD_PER_GOOD);
    now.ns += 2 * QKD_NS_PER_S;
    for (checked = 0; checked < 1000 && qkd_guard_may_check(&guard, &guarded, now); checked++) {
        (void)qkd_guard_bad(&guard, &guarded, now, true);
    }
    ck_assert_uint_eq(checked, CHECKS);
}
END_TEST

START_TEST(quarantine_begins_once_and_ends)
{
    struct qkd_guard guard = {.strict = false};
    struct qkd_time now = {5 * QKD_NS_PER_S};
    for (int i = 0; i < BAD_MOST; i++) {
        ck_assert(!qkd_guard_bad(&guard, &guarded, now, false));
    }
    ck_assert(!qkd_guard_is_strict(&guard, now));
    ck_assert(qkd_guard_bad(&guard, &guarded, now, false));
    ck_assert(!qkd_guard_bad(&guard, &guarded, now, false));
    now.ns += QUARANTINE_S * QKD_NS_PER_S - 1;
    ck_assert(qkd_guard_is_strict(&guard, now));
    now.ns += 1;
    ck_assert(!qkd_guard_is_strict(&guard, now));
    for (int second = 0; second < 100; second++) { /* a few now and then are no flood */
        now.ns += QKD_NS_PER_S;
        for (int i = 0; i < BAD_MOST; i++) {
            ck_assert(!qkd_guard_bad(&guard, &guarded, now, true));
        }
    }
}
END_TEST

/* ---- channels ---- */

/* A frame in the name of element 0 for element 1. */
static struct net_frame frame_of(size_t len)
{
    struct net_frame frame = {
        .rp = QKD_RP_KX1, .from = chc_net.element[0].eid, .to = chc_net.element[1].eid, .len = len};
    qkd_rng_bytes(&chc_net.rng, frame.bytes, len);
    return frame;
}

static void junk_send(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct net_frame junk = frame_of(JUNK_LEN);
        junk.bytes[0] = 0;
        net_inject(&chc_net, &junk, 1);
        net_run(&chc_net, 2);
    }
}

/* Forgeries of the next record of element 0, as its last one shows it. */
static void forged_send(unsigned count)
{
    struct net_frame last = chc_net.history[(chc_net.frames_sent - 1) % NET_HISTORY];
    for (unsigned i = 0; i < count; i++) {
        struct net_frame forged = last;
        uint64_t next = wire_get_u64(last.bytes + 8) + 1;
        wire_put_u64(forged.bytes + 8, next);
        qkd_rng_bytes(&chc_net.rng, forged.bytes + CHAN_HEAD_LEN, forged.len - CHAN_HEAD_LEN);
        net_inject(&chc_net, &forged, 1);
        net_run(&chc_net, 2);
    }
}

static bool news_is(bool begins)
{
    struct chan_quarantine what = {.begins = !begins};
    return chan_quarantine_next(chc_net.element[1].set, &what) && what.begins == begins &&
           qkd_eid_eq(what.peer, chc_net.element[0].eid);
}

START_TEST(junk_brings_quarantine_and_the_peer_passes)
{
    chc_bring_up();
    struct chan_quarantine what;
    junk_send(BAD_MOST);
    ck_assert(!chan_quarantine_next(chc_net.element[1].set, &what));
    junk_send(1000);
    ck_assert_uint_eq(chc_net.element[1].bad_bytes, BAD_MOST);
    ck_assert(news_is(true));
    ck_assert(!chan_quarantine_next(chc_net.element[1].set, &what));
    for (int i = 0; i < 50; i++) {
        junk_send(10);
        chc_send_text(0, 1, "honest");
        net_run(&chc_net, 2 * QKD_NS_PER_MS);
    }
    ck_assert_uint_eq(chc_got.data[1], 50);
    net_run(&chc_net, (QUARANTINE_S + 1) * QKD_NS_PER_S);
    ck_assert(news_is(false));
    junk_send(1);
    ck_assert_uint_eq(chc_net.element[1].bad_bytes, BAD_MOST + 1);
}
END_TEST

/* Ten forgeries to each honest record: all of these pass, and all of those are looked at. */
START_TEST(ten_forgeries_to_one)
{
    chc_bring_up();
    for (int i = 0; i < 100; i++) {
        chc_send_text(0, 1, "honest");
        net_run(&chc_net, 2 * QKD_NS_PER_MS);
        forged_send(i > 0 ? 10 : 0);
    }
    ck_assert_uint_eq(chc_got.data[1], 100);
    ck_assert_uint_eq(chc_stats(1)->limited, 0);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, 990);
    ck_assert_uint_eq(chc_net.element[1].auth_failures, BAD_MOST); /* then nobody is told of each */
}
END_TEST

/* What a flood costs is bounded, however large it is. */
START_TEST(checks_are_bounded)
{
    chc_bring_up();
    chc_send_text(0, 1, "honest");
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    uint64_t good = chc_stats(1)->opened;
    forged_send(5000);
    ck_assert_uint_le(chc_stats(1)->auth_failures, CHECKS + QKD_GUARD_PER_GOOD * good);
    ck_assert_uint_eq(chc_stats(1)->auth_failures + chc_stats(1)->limited, 5000);
    net_run(&chc_net, 3 * QKD_NS_PER_S);
    chc_send_text(0, 1, "honest");
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], 2);
}
END_TEST

/* In quarantine a record too far ahead to be the next is not looked at. */
START_TEST(far_records_wait_outside)
{
    chc_bring_up();
    chc_send_text(0, 1, "honest");
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    junk_send(BAD_MOST + 1);
    struct net_frame far = chc_net.history[(chc_net.frames_sent - 1) % NET_HISTORY];
    wire_put_u64(far.bytes + 8, wire_get_u64(far.bytes + 8) + 100000);
    uint64_t before = chc_stats(1)->auth_failures;
    net_inject(&chc_net, &far, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, before);
    net_run(&chc_net, (QUARANTINE_S + 1) * QKD_NS_PER_S);
    net_inject(&chc_net, &far, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, before + 1);
}
END_TEST

/* A peer that restarts amid forged handshakes in its name comes back. */
START_TEST(peer_restarts_amid_forgeries)
{
    chc_bring_up();
    net_start(&chc_net, 0);
    net_provision(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    for (int i = 0; i < 40; i++) {
        struct net_frame forged = chc_net.history[(chc_net.frames_sent - 1) % NET_HISTORY];
        qkd_rng_bytes(&chc_net.rng, forged.bytes + CHAN_MACED_LEN, CHAN_MAC_LEN);
        net_inject(&chc_net, &forged, 1);
        net_run(&chc_net, 50 * QKD_NS_PER_MS);
    }
    ck_assert(chan_is_up(chc_net.element[1].set, QKD_RP_KX1, chc_net.element[0].eid));
    ck_assert(chan_is_up(chc_net.element[0].set, QKD_RP_KX1, chc_net.element[1].eid));
}
END_TEST

/* An OPEN in the name of a stranger. */
static void stranger_send(uint32_t number)
{
    uint8_t nonce[CHAN_NONCE_LEN] = {1};
    struct net_frame frame = frame_of(CHAN_SHAKE_LEN);
    struct chan_frame open = {
        .type = CHAN_FRAME_OPEN, .incarnation = 1, .serial = 1, .nonce = nonce};
    chan_shake_encode(&open, frame.bytes);
    frame.from = qkd_eid_make(QKD_ROLE_KMA, 0, 1000 + number);
    net_inject(&chc_net, &frame, 1);
    net_run(&chc_net, 2);
}

/* 16 channels are all there are here; strangers leave room for a peer that speaks first. */
START_TEST(strangers_are_few)
{
    chc_net.limit = 256;
    net_start(&chc_net, 1);
    chc_net.element[1].provision = false;
    for (uint32_t i = 0; i < 2000; i++) {
        stranger_send(i);
    }
    ck_assert_uint_le(chc_net.element[1].want_secret, 64 + 8);
    for (uint32_t second = 0; second < 20; second++) {
        net_run(&chc_net, QKD_NS_PER_S);
        for (uint32_t i = 0; i < 500; i++) {
            stranger_send(10000 + second * 500 + i);
        }
    }
    ck_assert_uint_le(chc_net.element[1].set->channels.live, 64 + 8);
    net_run(&chc_net, QKD_NS_PER_S);
    chc_net.element[1].provision = true;
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    net_run(&chc_net, 100 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(chc_net.element[0].set, QKD_RP_KX1, chc_net.element[1].eid));
}
END_TEST

START_TEST(who_is_muted_is_not_heard)
{
    chc_bring_up();
    struct qkd_event event = net_event(&chc_net);
    struct qkd_time until = qkd_time_add(event.now, qkd_span_ms(500));
    chan_mute(chc_net.element[1].set, &event, QKD_RP_KX1, chc_net.element[0].eid, until);
    uint64_t opened = chc_stats(1)->opened;
    chc_send_text(0, 1, "early");
    net_run(&chc_net, 100 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], 0);
    ck_assert_uint_eq(chc_stats(1)->opened, opened);
    net_run(&chc_net, QKD_NS_PER_S);
    chc_send_text(0, 1, "late");
    net_run(&chc_net, 100 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], 1);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel_guard");
    TCase *tests = tcase_create("channel_guard");
    tcase_add_checked_fixture(tests, setup, chc_teardown);
    tcase_add_test(tests, good_messages_pay_for_checks);
    tcase_add_test(tests, quarantine_begins_once_and_ends);
    tcase_add_test(tests, junk_brings_quarantine_and_the_peer_passes);
    tcase_add_test(tests, ten_forgeries_to_one);
    tcase_add_test(tests, checks_are_bounded);
    tcase_add_test(tests, far_records_wait_outside);
    tcase_add_test(tests, peer_restarts_amid_forgeries);
    tcase_add_test(tests, strangers_are_few);
    tcase_add_test(tests, who_is_muted_is_not_heard);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
