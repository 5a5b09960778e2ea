/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attacks on a channel: flipped bits, frames in the wrong place, replays, floods of RESETs, wrong roles,
 * proofs and secrets; authorization apart from authentication (S-KMA of X.1712). */
#include <check.h>
#include <stdlib.h>

#include "core/channel/keys.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "tests/lib/chan_case.h"
#include "tests/lib/chan_golden.h"

/* ---- attacks ---- */

/* Any one flipped bit of a record is refused, changes nothing, and burns nothing. */
START_TEST(flipped_bits)
{
    chc_bring_up();
    ck_assert_int_eq(chc_send_text(0, 1, "genuine"), QKD_OK);
    struct net_frame genuine = *chc_frame((unsigned)chc_net.frames_sent - 1);
    memset(chc_net.frame, 0, sizeof chc_net.frame);
    for (size_t bit = 0; bit < 8 * genuine.len; bit++) {
        struct net_frame bad = genuine;
        bad.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        net_inject(&chc_net, &bad, 1);
        net_run(&chc_net, 2);
        ck_assert_uint_eq(chc_got.data[1], 0);
    }
    ck_assert_uint_gt(chc_stats(1)->auth_failures, 8 * 20);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, chc_net.element[1].auth_failures);
    net_inject(&chc_net, &genuine, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_got.data[1], 1);
}
END_TEST

/* The same bytes under another reference point, from another sender, or back to their sender. */
START_TEST(misplaced)
{
    chc_bring_up();
    net_provision(&chc_net, 1, QKD_RP_KMI, chc_net.element[0].eid);
    net_provision(&chc_net, 1, QKD_RP_KX1, chc_net.element[2].eid);
    chc_send_text(0, 1, "genuine");
    struct net_frame bad = *chc_frame((unsigned)chc_net.frames_sent - 1);
    memset(chc_net.frame, 0, sizeof chc_net.frame);
    bad.rp = QKD_RP_KMI;
    net_inject(&chc_net, &bad, 1);
    bad.rp = QKD_RP_KX1;
    bad.from = chc_net.element[2].eid;
    net_inject(&chc_net, &bad, 1);
    bad.from = chc_net.element[1].eid;
    bad.to = chc_net.element[0].eid;
    net_inject(&chc_net, &bad, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_got.data[0] + chc_got.data[1], 0);
}
END_TEST

START_TEST(replayed_record)
{
    chc_bring_up();
    chc_send_text(0, 1, "once");
    struct net_frame old = *chc_frame((unsigned)chc_net.frames_sent - 1);
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], 1);
    net_inject(&chc_net, &old, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_got.data[1], 1);
    ck_assert_uint_eq(chc_stats(1)->replays, 1);
    for (int i = 0; i < 200; i++) { /* far out of the window */
        chc_send_text(0, 1, "more");
    }
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], 201);
    net_inject(&chc_net, &old, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_got.data[1], 201);
    ck_assert_uint_eq(chc_stats(1)->replays, 2);
}
END_TEST

/* Records that arrive in the reverse order: 64 fit the window, older ones are refused. */
START_TEST(window_edges)
{
    chc_bring_up();
    uint64_t before = chc_net.frames_sent;
    for (int i = 0; i < 70; i++) {
        chc_send_text(0, 1, "numbered");
    }
    memset(chc_net.frame, 0, sizeof chc_net.frame);
    for (unsigned i = 70; i-- > 0;) {
        net_inject(&chc_net, &chc_net.history[(before + i) % NET_HISTORY], 1);
    }
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_got.data[1], 64);
    ck_assert_uint_eq(chc_stats(1)->replays, 6);
}
END_TEST

/* An OPEN seen before is refused; one that was held back makes keys that nobody can use. In both
 * cases the session serves on. */
START_TEST(replayed_open)
{
    chc_bring_up();
    struct net_frame old = *chc_frame(0);
    net_inject(&chc_net, &old, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_stats(1)->replays, 1);
    ck_assert_uint_eq(chc_net.frames_sent, 6);
    /* A RESET makes element 0 open again; the attacker holds that OPEN back and plays it later. */
    struct net_frame reset = {.rp = QKD_RP_KX1,
                              .from = chc_net.element[1].eid,
                              .to = chc_net.element[0].eid,
                              .len = CHAN_RESET_LEN,
                              .bytes = {0xc1, 3}};
    memcpy(reset.bytes + 4, chc_frame(2)->bytes + 4, 4);
    net_run(&chc_net, 50 * QKD_NS_PER_MS);
    chc_net.faults.lose = 100;
    net_inject(&chc_net, &reset, 1);
    net_run(&chc_net, 2 * QKD_NS_PER_S);
    struct net_frame held = *chc_frame(6);
    ck_assert_uint_eq(held.bytes[1], CHAN_FRAME_OPEN);
    ck_assert_uint_eq(chc_net.frames_sent, 6 + 8); /* nobody waits: given up after 8 */
    chc_net.faults.lose = 0;
    net_inject(&chc_net, &held, 1);
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_frame(14)->bytes[1], CHAN_FRAME_ACCEPT);
    ck_assert_int_eq(chc_send_text(0, 1, "still here"), QKD_OK);
    ck_assert_int_eq(chc_send_text(1, 0, "here too"), QKD_OK);
    net_run(&chc_net, 2 * QKD_NS_PER_S);
    ck_assert_uint_eq(chc_got.data[0], 1);
    ck_assert_uint_eq(chc_got.data[1], 1);
    ck_assert_uint_eq(chc_got.ups[0] + chc_got.ups[1], 2);
    ck_assert_uint_eq(chc_net.frames_sent, 17);
}
END_TEST

/* RESETs: answered at a bounded rate, obeyed at a bounded rate, and no session is dropped. */
START_TEST(reset_flood)
{
    chc_bring_up();
    struct net_frame junk = {.rp = QKD_RP_KX1,
                             .from = chc_net.element[0].eid,
                             .to = chc_net.element[1].eid,
                             .len = 60,
                             .bytes = {0xc1, 5, 0, 0, 1, 2, 3, 4}};
    uint64_t before = chc_net.frames_sent;
    for (int i = 0; i < 1000; i++) { /* 100 ms, 10 intervals */
        net_inject(&chc_net, &junk, 1);
        net_run(&chc_net, 100 * QKD_NS_PER_US);
    }
    ck_assert_uint_le(chc_net.frames_sent - before, 11);
    ck_assert_uint_ge(chc_net.frames_sent - before, 9);
    struct net_frame reset = {.rp = QKD_RP_KX1,
                              .from = chc_net.element[1].eid,
                              .to = chc_net.element[0].eid,
                              .len = CHAN_RESET_LEN,
                              .bytes = {0xc1, 3}};
    unsigned opens = 0;
    uint64_t seen = chc_net.frames_sent;
    memcpy(reset.bytes + 4, chc_frame(2)->bytes + 4, 4);
    for (int i = 0; i < 1000; i++) { /* 100 ms; the attacker reads each new session number */
        for (; seen < chc_net.frames_sent; seen++) {
            const struct net_frame *frame = &chc_net.history[seen % NET_HISTORY];
            opens += frame->bytes[1] == CHAN_FRAME_OPEN;
            if (frame->bytes[1] == CHAN_FRAME_CONTROL) {
                memcpy(reset.bytes + 4, frame->bytes + 4, 4);
            }
        }
        net_inject(&chc_net, &reset, 1);
        net_run(&chc_net, 100 * QKD_NS_PER_US);
        ck_assert(chan_is_up(chc_net.element[0].set, QKD_RP_KX1, chc_net.element[1].eid));
        ck_assert(chan_is_up(chc_net.element[1].set, QKD_RP_KX1, chc_net.element[0].eid));
    }
    ck_assert_uint_ge(opens, 2);
    ck_assert_uint_le(opens, 5); /* at most one in two intervals */
    ck_assert_uint_eq(chc_net.element[0].peer_down + chc_net.element[1].peer_down, 0);
}
END_TEST

/* Authenticated, but a KSA has no business at Kx-1: denied, not an authentication failure. */
START_TEST(wrong_role)
{
    net_provision(&chc_net, 1, QKD_RP_KX1, chc_net.element[2].eid);
    ck_assert_int_eq(chc_send_text(2, 1, "let me in"), QKD_ERR_AGAIN);
    net_run(&chc_net, QKD_NS_PER_S);
    ck_assert_uint_eq(chc_stats(1)->denied, 1);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, 0);
    ck_assert_uint_eq(chc_stats(2)->auth_failures, 0);
    ck_assert_uint_eq(chc_stats(2)->queue_drops, 1);
    ck_assert_uint_eq(chc_got.ups[1] + chc_got.ups[2] + chc_got.data[1], 0);
    ck_assert_uint_eq(chc_net.frames_sent, 4); /* OPEN, ACCEPT, 7-2, 7-3 with 0x02 */
    ck_assert(!chan_is_up(chc_net.element[1].set, QKD_RP_KX1, chc_net.element[2].eid));
    ck_assert_int_eq(chan_deadline(chc_net.element[2].set).ns, QKD_NEVER.ns);
}
END_TEST

/* The holder of the session keys must also show the proof, under its own name: 0x02 if not. */
START_TEST(wrong_proof)
{
    uint8_t keys[100], text[96], proof[32] = {0};
    net_provision(&chc_net, 1, QKD_RP_KX1, chc_net.element[0].eid);
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    net_run(&chc_net, 3 * QKD_NS_PER_MS / 2);
    ck_assert_uint_eq(chc_net.frames_sent, 2);
    memset(chc_net.frame, 0, sizeof chc_net.frame);
    golden_keys(keys);
    struct wire_auth auth = {
        .head = {.rp = 4, .message_id = 1, .sender = chc_net.element[0].eid},
        .info = {proof, (size_t)(_i == 2 ? 31 : 32)},
    };
    if (_i == 1) {
        chan_proof(keys + 64, wire_get_u32(keys + 96), chc_net.element[0].eid, true, proof);
        auth.head.sender = chc_net.element[2].eid;
    }
    int len = wire_auth_encode(&auth, text, sizeof text);
    ck_assert_int_gt(len, 0);
    struct net_frame forged = golden_seal(keys, 0, text, (size_t)len);
    net_inject(&chc_net, &forged, 1);
    net_run(&chc_net, 2);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, 1);
    ck_assert_uint_eq(chc_stats(1)->denied, 0);
    ck_assert_uint_eq(chc_net.frames_sent, 3);
    size_t answer = golden_open(chc_frame(2), keys + 32, text);
    struct wire_auth_rsp rsp;
    ck_assert_int_eq(wire_auth_rsp_decode(&rsp, text, answer), 0);
    ck_assert_uint_eq(rsp.code, 2);
    ck_assert_uint_eq(rsp.head.orig_message_id, 1);
}
END_TEST

/* KMI joins elements of one node only. */
START_TEST(kmi_same_node)
{
    struct qkd_eid near = qkd_eid_sibling(chc_net.element[0].eid, QKD_ROLE_KSA);
    for (int same = 0; same < 2; same++) {
        chc_net.element[2].eid = same ? near : qkd_eid_make(QKD_ROLE_KSA, 0, 3);
        net_start(&chc_net, 2);
        net_open(&chc_net, 2, QKD_RP_KMI, chc_net.element[0].eid);
        net_run(&chc_net, QKD_NS_PER_S);
        bool up = chan_is_up(chc_net.element[2].set, QKD_RP_KMI, chc_net.element[0].eid);
        ck_assert(up == (same != 0));
        ck_assert_uint_eq(chc_stats(0)->denied, 1);
    }
}
END_TEST

START_TEST(wrong_secret)
{
    chc_net.element[1].provision = false;
    uint8_t wrong[32] = {1};
    struct qkd_event event = net_event(&chc_net);
    chan_provision(chc_net.element[1].set, &event, QKD_RP_KX1, chc_net.element[0].eid, wrong,
                   &chc_net.out);
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    net_run(&chc_net, 5 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_stats(1)->auth_failures, 1);
    ck_assert_uint_eq(chc_net.element[1].auth_failures, 1);
    ck_assert_uint_eq(chc_net.frames_sent, 1);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel_attack");
    TCase *tests = tcase_create("channel_attack");
    tcase_add_checked_fixture(tests, chc_setup, chc_teardown);
    tcase_add_test(tests, flipped_bits);
    tcase_add_test(tests, misplaced);
    tcase_add_test(tests, replayed_record);
    tcase_add_test(tests, window_edges);
    tcase_add_test(tests, replayed_open);
    tcase_add_test(tests, reset_flood);
    tcase_add_test(tests, wrong_role);
    tcase_add_loop_test(tests, wrong_proof, 0, 3);
    tcase_add_test(tests, kmi_same_node);
    tcase_add_test(tests, wrong_secret);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
