/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/channel case by case: sending, the queue before a channel is up, retries, restarts, crossing
 * OPENs, the roles at each reference point, limits. Keys and authentication: channel_golden_test.c;
 * attacks: channel_attack_test.c. Topology: KMA 0, KMA 1 and an outsider. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "tests/lib/chan_case.h"

/* ---- sending ---- */

START_TEST(both_ways)
{
    chc_bring_up();
    ck_assert_uint_eq(chc_got.ups[0], 1);
    ck_assert_uint_eq(chc_got.ups[1], 1);
    ck_assert_uint_eq(chc_net.element[0].peer_up, 1);
    ck_assert_uint_eq(chc_net.element[1].peer_up, 1);
    ck_assert_int_eq(chc_send_text(0, 1, "there"), QKD_OK);
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], 1);
    ck_assert_mem_eq(chc_got.text, "there", 5);
    ck_assert_int_eq(chc_send_text(1, 0, ""), QKD_OK);
    net_run(&chc_net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[0], 1);
    ck_assert_uint_eq(chc_got.len, 0);
    ck_assert_int_eq(chan_deadline(chc_net.element[0].set).ns, QKD_NEVER.ns);
    ck_assert_int_eq(chan_deadline(chc_net.element[1].set).ns, QKD_NEVER.ns);
}
END_TEST

/* `observed` is the plaintext of records and 7-2/7-3, and empty for clear frames. */
START_TEST(observed)
{
    chc_bring_up();
    struct qkd_event event = net_event(&chc_net);
    struct chan_send send = {.rp = QKD_RP_KX1,
                             .peer = chc_net.element[1].eid,
                             .message = (const uint8_t *)"observe me",
                             .len = 10,
                             .flags = QKD_SEND_REPLY};
    ck_assert_int_eq(chan_send(chc_net.element[0].set, &event, &send, &chc_net.out), 0);
    ck_assert_uint_eq(chc_net.out.send_count, 1);
    ck_assert_uint_eq(chc_net.out.send[0].bytes.len, 10 + CHAN_OVERHEAD);
    ck_assert_uint_eq(chc_net.out.send[0].flags, QKD_SEND_REPLY);
    ck_assert_uint_eq(chc_net.out.send[0].observed.len, 10);
    ck_assert_mem_eq(qkd_out_at(&chc_net.out, chc_net.out.send[0].observed), "observe me", 10);
    qkd_out_reset(&chc_net.out);
    chan_open(chc_net.element[0].set, &event, QKD_RP_KX1, chc_net.element[2].eid, &chc_net.out);
    uint8_t secret[32] = {1};
    chan_provision(chc_net.element[0].set, &event, QKD_RP_KX1, chc_net.element[2].eid, secret,
                   &chc_net.out);
    ck_assert_uint_eq(chc_net.out.send_count, 1);
    ck_assert_uint_eq(chc_net.out.send[0].observed.len, 0);
    qkd_out_reset(&chc_net.out);
}
END_TEST

START_TEST(queue_before_up)
{
    char text[8] = "m00";
    for (int i = 0; i < CHAN_QUEUE; i++) {
        text[2] = (char)('a' + i);
        ck_assert_int_eq(chc_send_text(0, 1, text), QKD_ERR_AGAIN);
    }
    ck_assert_int_eq(chc_send_text(0, 1, "too much"), QKD_ERR_LIMIT);
    ck_assert_uint_eq(chc_stats(0)->queue_drops, 1);
    ck_assert_uint_eq(chc_net.element[0].want_secret, 1);
    net_run(&chc_net, 40 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.data[1], CHAN_QUEUE);
    ck_assert_mem_eq(chc_got.text, "m0p", 3);
}
END_TEST

START_TEST(queue_bytes)
{
    static uint8_t big[CHAN_QUEUE_BYTES + 1];
    struct qkd_event event = net_event(&chc_net);
    struct chan_send send = {
        .rp = QKD_RP_KX1, .peer = chc_net.element[1].eid, .message = big, .len = sizeof big};
    ck_assert_int_eq(chan_send(chc_net.element[0].set, &event, &send, &chc_net.out), QKD_ERR_LIMIT);
    ck_assert_uint_eq(chc_net.element[0].set->queues.live, 0);
    send.len = CHAN_QUEUE_BYTES - 1;
    struct chan_set *set = chc_net.element[0].set;
    ck_assert_int_eq(chan_send(set, &event, &send, &chc_net.out), QKD_ERR_AGAIN);
    send.len = 2;
    ck_assert_int_eq(chan_send(set, &event, &send, &chc_net.out), QKD_ERR_LIMIT);
    send.len = 1;
    ck_assert_int_eq(chan_send(set, &event, &send, &chc_net.out), QKD_ERR_AGAIN);
    send.len = (size_t)WIRE_MAX_MESSAGE + 1;
    ck_assert_int_eq(chan_send(set, &event, &send, &chc_net.out), QKD_ERR_LIMIT);
    qkd_out_reset(&chc_net.out);
}
END_TEST

/* ---- time ---- */

/* Somebody waits: repeated for ever, at most 8 times slower than at first. */
START_TEST(retries_while_wanted)
{
    chc_net.faults.lose = 100;
    net_provision(&chc_net, 1, QKD_RP_KX1, chc_net.element[0].eid);
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    net_run(&chc_net, 10 * QKD_NS_PER_S);
    /* At 0, 20, 60 and 140 ms (intervals 10 doubled once to 80) and every 80 ms from there. */
    ck_assert_uint_ge(chc_net.frames_sent, 125);
    ck_assert_uint_le(chc_net.frames_sent, 129);
    chc_net.faults.lose = 0;
    net_run(&chc_net, 100 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(chc_net.element[0].set, QKD_RP_KX1, chc_net.element[1].eid));
}
END_TEST

START_TEST(early_timeout)
{
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    struct qkd_event event = net_event(&chc_net);
    chan_timeout(chc_net.element[0].set, &event, &chc_net.out);
    ck_assert_uint_eq(chc_net.out.send_count + chc_net.out.report_count, 0);
    ck_assert_int_eq(chan_deadline(chc_net.element[0].set).ns, chc_net.now.ns + 10 * QKD_NS_PER_MS);
}
END_TEST

/* Either side restarts; whoever speaks first, the channel is up again within 8 intervals. */
START_TEST(restart_recovers)
{
    unsigned restarted = (unsigned)_i & 1;
    unsigned speaker = (unsigned)_i >> 1;
    chc_bring_up();
    net_start(&chc_net, restarted);
    net_run(&chc_net, 50 * QKD_NS_PER_MS);
    chc_send_text(speaker, 1 - speaker, "after the restart");
    net_run(&chc_net, 20 * QKD_NS_PER_MS);
    chc_send_text(speaker, 1 - speaker, "again");
    net_run(&chc_net, 60 * QKD_NS_PER_MS);
    ck_assert_uint_ge(chc_got.data[1 - speaker], 1);
    ck_assert_mem_eq(chc_got.text, "again", 5);
    ck_assert_uint_eq(chc_got.ups[0] + chc_got.ups[1], 4);
    ck_assert_uint_eq(chc_net.element[1 - restarted].peer_down, 1);
    ck_assert_uint_eq(chc_got.incarnation[1 - speaker], speaker == restarted ? 2 : 1);
}
END_TEST

/* The peer has restarted, and nobody has anything to say: greeting opens the channel anew; a second one
 * while that goes on does nothing. Without a restart it ends in a fresh session as well; what is closed, or
 * unknown, stays so. */
START_TEST(greeting)
{
    struct qkd_eid peer = chc_net.element[1].eid;
    net_greet(&chc_net, 0, QKD_RP_KX1, peer);
    net_run(&chc_net, QKD_NS_PER_S);
    ck_assert_uint_eq(chc_net.frames_sent, 0);
    chc_bring_up();
    net_start(&chc_net, 1);
    net_run(&chc_net, 50 * QKD_NS_PER_MS);
    uint64_t before = chc_net.frames_sent;
    net_greet(&chc_net, 0, QKD_RP_KX1, peer);
    net_greet(&chc_net, 0, QKD_RP_KX1, peer);
    ck_assert_uint_eq(chc_net.frames_sent, before + 1);
    net_run(&chc_net, 20 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.ups[0] + chc_got.ups[1], 4);
    chc_send_text(0, 1, "after the greeting");
    net_run(&chc_net, 20 * QKD_NS_PER_MS);
    ck_assert_mem_eq(chc_got.text, "after the greeting", 18);
    net_run(&chc_net, QKD_NS_PER_S);
    net_greet(&chc_net, 0, QKD_RP_KX1, peer);
    net_run(&chc_net, 50 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.ups[0] + chc_got.ups[1], 6);
    ck_assert(chan_is_up(chc_net.element[0].set, QKD_RP_KX1, peer));
}
END_TEST

/* Both open at once: one handshake, that of the lower element ID. */
START_TEST(crossing_opens)
{
    net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid);
    net_open(&chc_net, 1, QKD_RP_KX1, chc_net.element[0].eid);
    net_run(&chc_net, 9 * QKD_NS_PER_MS);
    ck_assert_uint_eq(chc_got.ups[0], 1);
    ck_assert_uint_eq(chc_got.ups[1], 1);
    ck_assert_uint_eq(chc_net.frames_sent, 7);
    net_run(&chc_net, QKD_NS_PER_S);
    ck_assert_uint_eq(chc_net.frames_sent, 7);
}
END_TEST

/* Frames of strangers fill the table and make room for our own channels. */
START_TEST(strangers)
{
    struct net_frame junk = {.rp = QKD_RP_KX1,
                             .to = chc_net.element[1].eid,
                             .len = 76,
                             .bytes = {0xc1, CHAN_FRAME_OPEN}};
    chc_net.element[1].provision = false;
    for (uint32_t i = 0; i < 100; i++) {
        junk.from = qkd_eid_make(QKD_ROLE_KMA, 0, 1000 + i);
        net_inject(&chc_net, &junk, 1);
        net_inject(&chc_net, &junk, 2);
    }
    net_run(&chc_net, 10);
    ck_assert_uint_eq(chc_net.element[1].want_secret, 16); /* the limit, once each */
    chc_net.element[1].provision = true;
    ck_assert_int_eq(net_open(&chc_net, 1, QKD_RP_KX1, chc_net.element[0].eid), 0);
    net_run(&chc_net, 20 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(chc_net.element[1].set, QKD_RP_KX1, chc_net.element[0].eid));
    for (uint32_t i = 0; i < 15; i++) {
        struct qkd_eid peer = qkd_eid_make(QKD_ROLE_KMA, 0, 5000 + i);
        ck_assert_int_eq(net_provision(&chc_net, 1, QKD_RP_KX1, peer), 0);
    }
    struct qkd_eid last = qkd_eid_make(QKD_ROLE_KMA, 0, 9000);
    ck_assert_int_eq(net_provision(&chc_net, 1, QKD_RP_KX1, last), QKD_ERR_LIMIT);
    ck_assert(chan_is_up(chc_net.element[1].set, QKD_RP_KX1, chc_net.element[0].eid));
}
END_TEST

/* ---- table and sizes ---- */

/* The ends of each reference point as D2.3 clause 11 names them; every other pair is refused. */
START_TEST(roles)
{
    static const struct {
        enum qkd_rp rp;
        enum qkd_role a, b;
    } meets[16] = {
        {QKD_RP_AK, QKD_ROLE_KSA, QKD_ROLE_APP},
        {QKD_RP_KQ1, QKD_ROLE_KMA, QKD_ROLE_MODULE},
        {QKD_RP_KQ2, QKD_ROLE_KMC, QKD_ROLE_MODULE},
        {QKD_RP_KX1, QKD_ROLE_KMA, QKD_ROLE_KMA},
        {QKD_RP_KX2, QKD_ROLE_KSA, QKD_ROLE_KSA},
        {QKD_RP_CK, QKD_ROLE_KMC, QKD_ROLE_CONTROLLER},
        {QKD_RP_CQ, QKD_ROLE_MODULE, QKD_ROLE_CONTROLLER},
        {QKD_RP_CX, QKD_ROLE_CONTROLLER, QKD_ROLE_CONTROLLER},
        {QKD_RP_CQRP, QKD_ROLE_RELAY_POINT, QKD_ROLE_CONTROLLER},
        {QKD_RP_COPS, QKD_ROLE_SWITCH, QKD_ROLE_CONTROLLER},
        {QKD_RP_MC, QKD_ROLE_CONTROLLER, QKD_ROLE_MANAGER},
        {QKD_RP_MK, QKD_ROLE_KMC, QKD_ROLE_MANAGER},
        {QKD_RP_MQ, QKD_ROLE_MODULE, QKD_ROLE_MANAGER},
        {QKD_RP_KMI, QKD_ROLE_KMA, QKD_ROLE_KSA},
        {QKD_RP_KMI, QKD_ROLE_KMC, QKD_ROLE_KMA},
        {QKD_RP_KMI, QKD_ROLE_KSA, QKD_ROLE_KMC},
    };
    unsigned allowed = 0;
    for (int rp = 0; rp < QKD_RP_COUNT; rp++) {
        for (int a = 0; a < QKD_ROLE_COUNT; a++) {
            for (int b = 0; b < QKD_ROLE_COUNT; b++) {
                bool ok = chan_role_allowed((enum qkd_rp)rp, (enum qkd_role)a, (enum qkd_role)b);
                ck_assert(ok ==
                          chan_role_allowed((enum qkd_rp)rp, (enum qkd_role)b, (enum qkd_role)a));
                allowed += ok;
            }
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        ck_assert(chan_role_allowed(meets[i].rp, meets[i].a, meets[i].b));
    }
    ck_assert_uint_eq(allowed, 3 + 2 * 13);
}
END_TEST

/* Idle: the entry with its link in the slab, and its share of the map at the lowest load after a
 * doubling (0.35; cells of 8 + 12 bytes). */
START_TEST(idle_size)
{
    chc_bring_up();
    struct chan_set *set = chc_net.element[0].set;
    ck_assert_uint_eq(set->shakes.live, 0);
    ck_assert_uint_eq(set->queues.live, 0);
    ck_assert_uint_eq(set->timers.count, 0);
    ck_assert_double_le((double)set->channels.item_size + 4 + 20 / 0.35, 256);
}
END_TEST

START_TEST(bad_config)
{
    struct chan_set *set;
    struct chan_config config = {.self = QKD_NOBODY, .limit = 0, .retransmit = qkd_span_ms(1)};
    ck_assert_int_eq(chan_set_new(&config, &set), QKD_ERR_RANGE);
    config.limit = 1;
    config.retransmit.ns = 0;
    ck_assert_int_eq(chan_set_new(&config, &set), QKD_ERR_RANGE);
    config.retransmit.ns = INT64_MAX;
    ck_assert_int_eq(chan_set_new(&config, &set), QKD_ERR_RANGE);
    chan_set_free(NULL);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel");
    TCase *tests = tcase_create("channel");
    tcase_add_checked_fixture(tests, chc_setup, chc_teardown);
    tcase_add_test(tests, both_ways);
    tcase_add_test(tests, observed);
    tcase_add_test(tests, queue_before_up);
    tcase_add_test(tests, queue_bytes);
    tcase_add_test(tests, retries_while_wanted);
    tcase_add_test(tests, early_timeout);
    tcase_add_loop_test(tests, restart_recovers, 0, 4);
    tcase_add_test(tests, greeting);
    tcase_add_test(tests, crossing_opens);
    tcase_add_test(tests, strangers);
    tcase_add_test(tests, roles);
    tcase_add_test(tests, idle_size);
    tcase_add_test(tests, bad_config);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
