/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key supply agents A and B among played KMAs, KMCs and applications (tests/lib/ksa_net.h): requests,
 * comparison at Kx-2, all four response codes, authorization, repeated messages, time-outs.
 * FG QIT4N D2.3 clauses 7.1.3 ... 7.1.5, 7.2.1.1; requirements by number in the tests. */
#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "tests/lib/ksa_net.h"

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 7);
    ksn_start(&net);
}

static void teardown(void)
{
    ksn_free(&net);
}

/* ---- what goes over Kx-2 ---- */

struct notify_seen {
    int count; /* SUPPLY_NOTIFY messages */
    uint64_t message_ids[16];
    struct wire_supply_notify last;
    uint8_t bytes[4096]; /* that `last` points into */
};

static bool notify_tap(void *ctx, const struct pump_message *m)
{
    struct notify_seen *seen = ctx;
    struct wire_head head;
    if (m->rp == QKD_RP_KX2 && m->observed_len > 0 &&
        wire_head_decode(&head, m->observed, m->observed_len) == 0 &&
        head.command == WIRE_CMD_SUPPLY_NOTIFY && m->observed_len <= sizeof seen->bytes) {
        memcpy(seen->bytes, m->observed, m->observed_len);
        ck_assert_int_eq(wire_supply_notify_decode(&seen->last, seen->bytes, m->observed_len), 0);
        seen->message_ids[seen->count % 16] = head.message_id;
        seen->count++;
    }
    return true;
}

/* D23-OP-14 ... 16, OP-05: the path of three keys, every message of it. */
START_TEST(supplies_both_sides_once)
{
    struct notify_seen seen = {0};
    pump_tap(net.p, notify_tap, &seen);
    uint64_t asked = ksn_ask(&net, 3, 256, 77);
    const struct puppet_message *m = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, 0);
    struct wire_kmi_need need;
    ck_assert_int_eq(wire_kmi_need_decode(&need, m->bytes.at, m->bytes.len), 0);
    ck_assert(qkd_eid_eq(need.destination_id, NET_KMA(NET_B)));
    ck_assert(qkd_eid_eq(need.source_app, NET_MASTER));
    ck_assert(qkd_eid_eq(need.target_app, NET_SLAVE));
    ck_assert_uint_eq(need.count, 3);
    ck_assert_uint_eq(need.key_size, 256);
    ck_assert_uint_eq(need.timeout_ms, 5000);

    struct ksn_piece piece = {
        .orig = need.head.message_id, .tag = 9, .count = 3, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &piece);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 0);
    ck_assert_int_eq(seen.count, 1);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    piece.orig = ksn_fetch_of_kma(&net);
    ksn_piece(&net, 1, &piece);

    uint8_t keys[96];
    ksn_pattern(9, keys, sizeof keys);
    struct wire_key_supply_rsp answer = ksn_answer(net.master);
    ck_assert_uint_eq(answer.head.orig_message_id, asked);
    ck_assert_uint_eq(answer.code, WIRE_SUFFICIENT);
    ck_assert_uint_eq(answer.count_id, 1);
    ck_assert_uint_eq(answer.session_id, 77);
    ck_assert(qkd_eid_eq(answer.source_id, NET_MASTER) && qkd_eid_eq(answer.target_id, NET_SLAVE));
    ck_assert_uint_eq(answer.key_amount, 3);
    ck_assert_uint_eq(answer.grade, WIRE_METHOD_OTP);
    ck_assert_uint_eq(answer.key_data.len, 96);
    ck_assert_mem_eq(answer.key_data.at, keys, 96);
    ck_assert_uint_eq(answer.key_ids.len, 48);
    ck_assert_mem_eq(answer.key_ids.at, seen.last.key_ids.at, 48);

    struct qkd_id ids[3];
    memcpy(ids, answer.key_ids.at, 48);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(ids[i].b[6] >> 4, 4); /* RFC 9562: version 4, variant 10 */
        ck_assert_uint_eq(ids[i].b[8] >> 6, 2);
        (void)ksn_fetch(&net, net.slave, &ids[i], 77);
        struct wire_key_supply_rsp got = ksn_answer(net.slave);
        ck_assert_uint_eq(got.code, WIRE_SUFFICIENT);
        ck_assert_uint_eq(got.key_data.len, 32);
        ck_assert_mem_eq(got.key_data.at, keys + 32 * i, 32);
        (void)ksn_fetch(&net, net.slave, &ids[i], 77);
        ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_INSUFFICIENT);
        ck_assert_uint_eq(ksn_answer(net.slave).reason, WIRE_REASON_UNKNOWN_KEY);
    }
}
END_TEST

/* D23-OP-15: the tag, computed here with libsodium's Poly1305, whose 32-byte key is r ‖ s. */
START_TEST(compares_by_the_tag)
{
    struct notify_seen seen = {0};
    pump_tap(net.p, notify_tap, &seen);
    (void)ksn_ask(&net, 2, 128, 5);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 4, .count = 2, .key_size = 128, .last = true};
    ksn_piece(&net, 0, &piece);
    uint8_t text[2 * 16 + 16 + 8 + 8 + 4 + 1 + 2 * 16];
    uint8_t *at = text;
    memcpy(at, seen.last.key_ids.at, 32);
    ksn_pattern(4 + 50, at + 32, 16); /* KMA-key ID */
    at += 48;
    for (int i = 7; i >= 0; i--) {
        *at++ = (uint8_t)(NET_MASTER.v >> (8 * i));
    }
    for (int i = 7; i >= 0; i--) {
        *at++ = (uint8_t)(NET_SLAVE.v >> (8 * i));
    }
    *at++ = 0;
    *at++ = 0;
    *at++ = 0;
    *at++ = 128;
    *at++ = WIRE_METHOD_OTP;
    ksn_pattern(4, at, 32);
    uint8_t compare[32], tag[16];
    ksn_pattern(4 + 100, compare, sizeof compare);
    crypto_onetimeauth(tag, text, sizeof text, compare);
    /* sync item: length 44, no optional fields, ID, length in bits, digest */
    ck_assert_uint_eq(seen.last.sync.len, 44);
    ck_assert_mem_eq(seen.last.sync.at + 8, text + 32, 16);
    ck_assert_uint_eq(wire_get_u32(seen.last.sync.at + 24), 256);
    ck_assert_mem_eq(seen.last.sync.at + 28, tag, 16);
}
END_TEST

/* D23-OP-15: one bit differs on one side (0: A, 1: B): no application gets the key. */
START_TEST(mismatch_gives_nobody_the_key)
{
    struct notify_seen seen = {0};
    pump_tap(net.p, notify_tap, &seen);
    (void)ksn_ask(&net, 1, 256, 5);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 4, .count = 1, .key_size = 256, .last = true};
    piece.flip = _i == 0 ? 0x10 : 0;
    ksn_piece(&net, 0, &piece);
    piece.orig = ksn_fetch_of_kma(&net);
    piece.flip = _i == 1 ? 0x10 : 0;
    ksn_piece(&net, 1, &piece);
    struct wire_key_supply_rsp answer = ksn_answer(net.master);
    ck_assert_uint_eq(answer.code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(answer.reason, WIRE_REASON_MISMATCH);
    ck_assert(!answer.has_key_data);
    struct qkd_id id;
    memcpy(id.b, seen.last.key_ids.at, 16);
    (void)ksn_fetch(&net, net.slave, &id, 5);
    ck_assert_uint_eq(ksn_answer(net.slave).reason, WIRE_REASON_UNKNOWN_KEY);
    ck_assert(!ksn_answer(net.slave).has_key_data);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 0);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 0, WIRE_FAULT_KEY_MISMATCH), 1);
    ck_assert_uint_eq(ksn_security(&net, 1, WIRE_FAULT_KEY_MISMATCH), 1);
    ck_assert_uint_eq(ksn_life_count(&net, 0, WIRE_ACTION_DISCARD), 1);
    ck_assert_uint_eq(ksn_life_count(&net, 1, WIRE_ACTION_DISCARD), 1);
}
END_TEST

/* MD-T1: a KMA-key without a mandatory item of Table 7-1 (0: at A, 1: at B) is supplied to nobody. */
START_TEST(metadata_must_be_complete)
{
    (void)ksn_ask(&net, 1, 256, 5);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 4, .count = 1, .key_size = 256, .last = true};
    piece.bare = _i == 0;
    ksn_piece(&net, 0, &piece);
    if (_i == 1) {
        piece.orig = ksn_fetch_of_kma(&net);
        piece.bare = true;
        ksn_piece(&net, 1, &piece);
    }
    struct wire_key_supply_rsp answer = ksn_answer(net.master);
    ck_assert_uint_eq(answer.code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(answer.reason, WIRE_REASON_RELAY_FAILED);
    ck_assert(!answer.has_key_data);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 0);
}
END_TEST

/* The key did not arrive at B: no key on either side, but nothing was found unequal. */
START_TEST(key_that_did_not_arrive_fails)
{
    (void)ksn_ask(&net, 1, 256, 5);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 4, .count = 1, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &piece);
    ksn_refuse(&net, 1, ksn_fetch_of_kma(&net), WIRE_REASON_UNKNOWN_KEY);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_RELAY_FAILED);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 0, WIRE_FAULT_KEY_MISMATCH), 0);
}
END_TEST

/* D23-PR-04: 2 + 2 + 1 keys are three sub-sessions; B's KMA gets the fetches in any order. */
START_TEST(sub_sessions_are_numbered)
{
    uint64_t asked = ksn_ask(&net, 5, 0, 5); /* no size: the unit length, 256 */
    uint64_t need = ksn_need(&net);
    for (uint32_t j = 1; j <= 6; j++) {
        uint32_t i = (j + 1) / 2; /* each piece comes twice */
        ksn_piece(&net, 0,
                  &(struct ksn_piece){.orig = need,
                                      .tag = (uint8_t)i,
                                      .count = i < 3 ? 2 : 1,
                                      .key_size = 256,
                                      .count_id = i,
                                      .last = i == 3});
    }
    ck_assert_uint_eq(puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH), 3);
    static const uint8_t order[] = {2, 3, 1}; /* in which the KMA of B answers */
    for (size_t i = 0; i < 3; i++) {
        uint8_t tag = order[i];
        uint64_t fetch = puppet_get(net.kma[1], WIRE_CMD_KMI_FETCH, tag - 1U)->head.message_id;
        ksn_piece(&net, 1,
                  &(struct ksn_piece){
                      .orig = fetch, .tag = tag, .count = tag < 3 ? 2 : 1, .key_size = 256});
        struct wire_key_supply_rsp answer = ksn_answer(net.master);
        ck_assert_uint_eq(answer.head.orig_message_id, asked);
        ck_assert_uint_eq(answer.count_id, i + 1);
        ck_assert_uint_eq(answer.code, i < 2 ? WIRE_SUCCESS : WIRE_SUFFICIENT);
        ck_assert_uint_eq(answer.key_data.len, tag < 3 ? 64 : 32);
        uint8_t keys[64];
        ksn_pattern(tag, keys, sizeof keys);
        ck_assert_mem_eq(answer.key_data.at, keys, answer.key_data.len);
    }
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 3);
}
END_TEST

/* Code 0x03 after a part: what came before stays valid. */
START_TEST(short_of_key_after_a_part)
{
    (void)ksn_ask(&net, 3, 256, 5);
    uint64_t need = ksn_need(&net);
    struct ksn_piece piece = {.orig = need, .tag = 1, .count = 2, .key_size = 256, .count_id = 1};
    ksn_piece(&net, 0, &piece);
    ksn_refuse(&net, 0, need, WIRE_REASON_INSUFFICIENT_KEY);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 0);
    piece.orig = ksn_fetch_of_kma(&net);
    ksn_piece(&net, 1, &piece);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 2);
    struct wire_key_supply_rsp part;
    const struct puppet_message *m = puppet_get(net.master, WIRE_CMD_KEY_SUPPLY_RSP, 0);
    ck_assert_int_eq(wire_key_supply_rsp_decode(&part, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(part.code, WIRE_SUCCESS);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_INSUFFICIENT_KEY);
    struct qkd_id id;
    memcpy(id.b, part.key_ids.at + 16, 16);
    (void)ksn_fetch(&net, net.slave, &id, 5);
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
}
END_TEST

/* The n-th question for the stock that the KMC of A got. */
static struct wire_stock stock_asked(size_t n)
{
    const struct puppet_message *m = puppet_get(net.kmc[0], WIRE_CMD_STOCK, n);
    struct wire_stock stock;
    ck_assert_int_eq(wire_stock_decode(&stock, m->bytes.at, m->bytes.len), 0);
    return stock;
}

static void stock_answer(const struct wire_stock *to, uint32_t keys)
{
    struct wire_stock_rsp rsp = {.head = {.orig_message_id = to->head.message_id},
                                 .source_id = to->source_id,
                                 .destination_id = to->destination_id,
                                 .keys = keys};
    PUPPET_SEND(net.kmc[0], stock_rsp, QKD_RP_KMI, NET_KSA(NET_A), &rsp);
    ksn_run(&net, 10);
}

static struct wire_key_status status_got(void)
{
    struct wire_key_supply_rsp answer = ksn_answer(net.master);
    ck_assert_uint_eq(answer.code, WIRE_STATUS_TABLE);
    struct wire_key_status status;
    ck_assert_int_eq(wire_key_status_decode(&status, answer.status.at, answer.status.len),
                     (int)answer.status.len);
    return status;
}

/* What cannot be known is not invented: no answer, an answer to something else, a pair that may not. */
START_TEST(status_counts_no_key_that_is_not_known)
{
    (void)ksn_ask(&net, 0, 256, 5);
    struct wire_stock stock = stock_asked(0);
    struct wire_stock other = stock;
    other.head.message_id += 1000;
    stock_answer(&other, 41);
    /* The KMA answers what only the KMC may: it names no key under comparison, and no batch. */
    ksn_refuse(&net, 0, stock.head.message_id, WIRE_REASON_OVERLOAD);
    struct wire_supply_notify_rsp stray = {.head = {.orig_message_id = stock.head.message_id}};
    PUPPET_SEND(net.ksa_c, supply_notify_rsp, QKD_RP_KX2, NET_KSA(NET_A), &stray);
    ksn_run(&net, 500);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 0);
    ksn_run(&net, 6000);
    ck_assert_uint_eq(status_got().stored_key_count, 0);
    struct wire_key_supply command = ksn_command(&net, 0, 256, 6);
    command.target_id = NET_OTHER_SLAVE;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(status_got().stored_key_count, 0);
    ck_assert(qkd_eid_eq(status_got().slave_app, NET_OTHER_SLAVE));
    ck_assert_uint_eq(puppet_count(net.kmc[0], WIRE_CMD_STOCK), 1);
}
END_TEST

/* D23-PR-06: amount 0 asks for the table of ETSI GS QKD 014 Table 9. */
START_TEST(status_table)
{
    (void)ksn_ask(&net, 0, 256, 5);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 0);
    struct wire_stock stock = stock_asked(0);
    ck_assert(qkd_eid_eq(stock.source_id, NET_KMA(NET_A)));
    ck_assert(qkd_eid_eq(stock.destination_id, NET_KMA(NET_B)));
    ck_assert_uint_eq(stock.key_size, 256);
    ck_assert_uint_eq(stock.batch, net.config[0].batch);
    stock_answer(&stock, 41);
    struct wire_key_status status = status_got();
    ck_assert_uint_eq(status.stored_key_count, 41);
    ck_assert_uint_eq(status.max_key_count, net.config[0].key_limit);
    stock_answer(&stock, 42); /* again: nothing is outstanding */
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 1);
    ck_assert(qkd_eid_eq(status.master_app, NET_MASTER));
    ck_assert(qkd_eid_eq(status.slave_app, NET_SLAVE));
    ck_assert(qkd_eid_eq(status.target_km, NET_KMA(NET_B)));
    ck_assert_uint_eq(status.min_key_size, 64);
    ck_assert_uint_eq(status.max_key_size, 4096);
    ck_assert_uint_eq(status.max_key_per_request, 128);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 0);
}
END_TEST

/* D23-OP-06, PR-03: what is refused, and that the KMA hears of none of it. */
START_TEST(refuses_what_it_must)
{
    const struct {
        struct qkd_eid target;
        uint32_t amount, size;
        uint8_t code, level;
        uint8_t reason;
    } cases[] = {
        {NET_OTHER_SLAVE, 1, 256, 1, 0, WIRE_REASON_UNAUTHORIZED},
        {qkd_eid_make(QKD_ROLE_APP, 99, NET_B), 1, 256, 1, 0, WIRE_REASON_UNKNOWN_APPLICATION},
        {NET_SLAVE, 129, 256, 1, 0, WIRE_REASON_BAD_REQUEST},
        {NET_SLAVE, 1, 4104, 1, 0, WIRE_REASON_BAD_REQUEST},
        {NET_SLAVE, 1, 56, 1, 0, WIRE_REASON_BAD_REQUEST},
        {NET_SLAVE, 1, 100, 1, 0, WIRE_REASON_BAD_REQUEST},
        {NET_SLAVE, 1, 256, 3, 0, WIRE_REASON_BAD_REQUEST},
        {NET_SLAVE, 1, 256, 1, 3, WIRE_REASON_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire_key_supply command = ksn_command(&net, cases[i].amount, cases[i].size, 5);
        command.target_id = cases[i].target;
        command.application_code = cases[i].code;
        command.has_level = true;
        command.level = cases[i].level;
        PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
        ksn_run(&net, 10);
        ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), i + 1);
        ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
        ck_assert_uint_eq(ksn_answer(net.master).reason, cases[i].reason);
    }
    struct wire_key_supply command = ksn_command(&net, 1, 256, 5);
    command.source_id = NET_UNLISTED;
    command.head.message_id = 0;
    PUPPET_SEND(net.unlisted, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(ksn_answer(net.unlisted).reason, WIRE_REASON_UNAUTHORIZED);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 0);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 0, WIRE_FAULT_DENIED), 2);
}
END_TEST

/* The target may be named by its KM (Table 7-4), the level is the stricter one. */
START_TEST(target_by_its_km_and_level)
{
    struct wire_key_supply command = ksn_command(&net, 1, 256, 5);
    command.target_id = NET_KSA(NET_B);
    command.source_id = NET_KSA(NET_A);
    command.has_level = true;
    command.level = WIRE_LEVEL_OTP_ONLY;
    command.has_wait = true;
    command.wait = 1;
    command.has_timeout_ms = true;
    command.timeout_ms = 1234;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    const struct puppet_message *m = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, 0);
    struct wire_kmi_need need;
    ck_assert_int_eq(wire_kmi_need_decode(&need, m->bytes.at, m->bytes.len), 0);
    ck_assert(qkd_eid_eq(need.target_app, NET_SLAVE));
    ck_assert_uint_eq(need.level, WIRE_LEVEL_OTP_ONLY);
    ck_assert_uint_eq(need.wait, 1);
    ck_assert_uint_eq(need.timeout_ms, 1234);
}
END_TEST

/* Unknown, another application's, used up: the answers differ in nothing but their own Message ID. */
START_TEST(identical_answer_for_keys_not_mine)
{
    struct qkd_id id, unknown = {{1, 2, 3}};
    ksn_supply(&net, 1, 1, 5, &id);
    const struct qkd_id *ids[] = {&unknown, &id};
    uint8_t first[256];
    size_t first_len = 0;
    for (size_t i = 0; i < 2; i++) {
        struct wire_key_supply command = {.head = {.message_id = puppet_id(net.other_slave)},
                                          .source_id = NET_OTHER_SLAVE,
                                          .target_id = NET_OTHER_MASTER,
                                          .session_id = 5,
                                          .application_code = WIRE_FOR_DECRYPTION,
                                          .has_key_id = true,
                                          .key_id = *ids[i]};
        PUPPET_SEND(net.other_slave, key_supply, QKD_RP_AK, NET_KSA(NET_B), &command);
        ksn_run(&net, 10);
        struct wire_key_supply_rsp answer = ksn_answer(net.other_slave);
        answer.head.message_id = 1;
        answer.head.orig_message_id = 1;
        answer.key_id = unknown;
        uint8_t bytes[256];
        int len = wire_key_supply_rsp_encode(&answer, bytes, sizeof bytes);
        ck_assert_int_gt(len, 0);
        if (i == 0) {
            memcpy(first, bytes, (size_t)len);
            first_len = (size_t)len;
        }
        ck_assert_uint_eq((size_t)len, first_len);
        ck_assert_mem_eq(bytes, first, first_len);
    }
    ck_assert_uint_eq(ksn_answer(net.other_slave).reason, WIRE_REASON_UNKNOWN_KEY);
    (void)ksn_fetch(&net, net.slave, &id, 5); /* the owner still gets it */
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
    (void)ksn_fetch(&net, net.master, &id, 5); /* the master had it with its answer */
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_UNKNOWN_KEY);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 1, WIRE_FAULT_DENIED), 1);
}
END_TEST

/* D23-GM-04: a repeated Message ID is not executed twice, and its keys are never sent twice. */
START_TEST(repeated_request_is_not_executed)
{
    struct wire_key_supply command = ksn_command(&net, 1, 256, 5);
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    /* The KMA may have lost what it was asked: it is asked again in the same bytes, which it executes once. */
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 2);
    const struct puppet_message *need = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, 0);
    const struct puppet_message *again = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, 1);
    ck_assert_uint_eq(need->bytes.len, again->bytes.len);
    ck_assert_mem_eq(need->bytes.at, again->bytes.at, need->bytes.len);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 1, .count = 1, .key_size = 256, .count_id = 1, .last = true};
    ksn_piece(&net, 0, &piece);
    ksn_piece(&net, 0, &piece);
    piece.orig = ksn_fetch_of_kma(&net);
    ck_assert_uint_eq(puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH), 1);
    ksn_piece(&net, 1, &piece);
    ksn_piece(&net, 1, &piece);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 1);
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 2);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 2);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_UNKNOWN_KEY);
    ck_assert(!ksn_answer(net.master).has_key_data);
}
END_TEST

/* D23-GM-03: a command that is none of Ak's. */
START_TEST(unknown_command_fails)
{
    struct wire_route route = {.source_id = NET_MASTER};
    PUPPET_SEND(net.master, route, QKD_RP_AK, NET_KSA(NET_A), &route);
    ksn_run(&net, 10);
    ck_assert_uint_eq(ksn_answer(net.master).head.orig_message_id, route.head.message_id);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_BAD_REQUEST);
}
END_TEST

/* No key in time: 0x03 timeout, and the KMA is told to stop. */
START_TEST(request_times_out)
{
    struct wire_key_supply command = ksn_command(&net, 1, 256, 5);
    command.has_timeout_ms = true;
    command.timeout_ms = 700;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 690);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 0);
    ksn_run(&net, 20);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_TIMEOUT);
    const struct puppet_message *m = puppet_get(net.kma[0], WIRE_CMD_KMI_DROP, 0);
    ck_assert_uint_eq(m->head.orig_message_id, ksn_need(&net));
    struct ksn_piece late = {
        .orig = ksn_need(&net), .tag = 1, .count = 1, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &late);
    ck_assert_uint_eq(puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH), 0);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 1);
}
END_TEST

/* The other KSA is cut off: 1 + 3 notifications, the same message, then unreachable. */
START_TEST(other_side_unreachable)
{
    struct qkd_id id;
    ksn_supply(&net, 1, 1, 5, &id); /* the channel is up */
    struct notify_seen seen = {0};
    pump_tap(net.p, notify_tap, &seen);
    pump_cut(net.p, NET_KSA(NET_A), NET_KSA(NET_B), true);
    (void)ksn_ask(&net, 1, 256, 6);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 2, .count = 1, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &piece);
    ksn_run(&net, 100 + 200 + 400 + 780);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 1);
    ksn_run(&net, 40);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_UNREACHABLE);
    ck_assert_int_eq(seen.count, 4);
    for (int i = 1; i < 4; i++) {
        ck_assert_uint_eq(seen.message_ids[i], seen.message_ids[0]);
    }
}
END_TEST

/* The other KSA has restarted: the notification is lost with the old channel, and said again through
 * the new one, be there repetitions or not. */
START_TEST(other_side_restarted)
{
    struct qkd_id id;
    ksn_supply(&net, 1, 1, 5, &id); /* the channel is up */
    ksn_restart(&net, 1);
    net.config[0].retries = 0;
    net.config[0].retransmit = qkd_span_ms(300); /* longer than opening the channel takes */
    struct notify_seen seen = {0};
    pump_tap(net.p, notify_tap, &seen);
    (void)ksn_ask(&net, 1, 256, 6);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 2, .count = 1, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &piece);
    ksn_run(&net, 200);
    ck_assert_int_eq(seen.count, 2);
    ck_assert_uint_eq(seen.message_ids[1], seen.message_ids[0]);
    piece.orig = ksn_fetch_of_kma(&net);
    ksn_piece(&net, 1, &piece);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_SUFFICIENT);
}
END_TEST

/* Only the KSA of the source application's own node may notify. */
START_TEST(notification_of_a_stranger_is_refused)
{
    uint8_t sync[44] = {0, 0, 0, 44};
    uint8_t ids[16] = {1};
    sync[8] = 1;  /* ID */
    sync[26] = 1; /* length 256 */
    struct wire_supply_notify notify = {.sync = {sync, sizeof sync},
                                        .key_ids = {ids, sizeof ids},
                                        .source_app = NET_MASTER,
                                        .target_app = NET_SLAVE,
                                        .key_size = 256,
                                        .grade = WIRE_METHOD_OTP,
                                        .fetch_within_ms = 1000};
    PUPPET_SEND(net.ksa_c, supply_notify, QKD_RP_KX2, NET_KSA(NET_B), &notify);
    ksn_run(&net, 20);
    const struct puppet_message *m = puppet_get(net.ksa_c, WIRE_CMD_SUPPLY_NOTIFY_RSP, 0);
    struct wire_supply_notify_rsp answer;
    ck_assert_int_eq(wire_supply_notify_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(answer.match, 0);
    ck_assert_uint_eq(answer.reason, WIRE_REASON_UNAUTHORIZED);
    ck_assert_uint_eq(puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH), 0);
}
END_TEST

/* Tables have limits: the request after the last one is refused at once. */
START_TEST(overload_is_refused)
{
    for (uint32_t i = 0; i < net.config[0].request_limit; i++) {
        (void)ksn_ask(&net, 1, 256, 100 + i);
    }
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 0);
    (void)ksn_ask(&net, 1, 256, 5);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_OVERLOAD);
}
END_TEST

/* ---- a bad network between A and B ---- */

/* Plays both KMAs: every NEED gets one key, every FETCH the key of that KMA-key ID. */
static void kmas_play(size_t *needs, size_t *fetches)
{
    for (; *needs < puppet_count(net.kma[0], WIRE_CMD_KMI_NEED); (*needs)++) {
        ksn_piece(&net, 0,
                  &(struct ksn_piece){
                      .orig = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, *needs)->head.message_id,
                      .tag = (uint8_t)*needs,
                      .count = 1,
                      .key_size = 256,
                      .last = true});
    }
    for (; *fetches < puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH); (*fetches)++) {
        const struct puppet_message *m = puppet_get(net.kma[1], WIRE_CMD_KMI_FETCH, *fetches);
        struct wire_kmi_fetch fetch;
        ck_assert_int_eq(wire_kmi_fetch_decode(&fetch, m->bytes.at, m->bytes.len), 0);
        uint8_t tag = 0; /* the pattern starts with 31 * (tag + 50) */
        while ((uint8_t)((uint8_t)(tag + 50) * 31U) != fetch.key_id.b[0]) {
            tag++;
        }
        ksn_piece(&net, 1,
                  &(struct ksn_piece){
                      .orig = m->head.message_id, .tag = tag, .count = 1, .key_size = 256});
    }
}

/* Kx-2 loses, repeats and reorders: each request ends once, a key answered to the master is there
 * for the slave exactly once and is the same. */
START_TEST(bad_network_at_kx2)
{
    enum { REQUESTS = 30 };
    size_t needs = 0, fetches = 0;
    net.config[0].fetch_within = net.config[1].fetch_within = qkd_span_s(60);
    pump_set_chances(net.p, 25, 25, 25);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        (void)ksn_ask(&net, 1, 256, 1000 + i);
        for (int round = 0; round < 40; round++) {
            kmas_play(&needs, &fetches);
            ksn_run(&net, 5);
        }
    }
    for (int round = 0; round < 100; round++) {
        kmas_play(&needs, &fetches);
        ksn_run(&net, 50);
    }
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), REQUESTS);
    int served = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct puppet_message *m = puppet_get(net.master, WIRE_CMD_KEY_SUPPLY_RSP, i);
        struct wire_key_supply_rsp answer;
        ck_assert_int_eq(wire_key_supply_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
        if (answer.code != WIRE_SUFFICIENT) {
            ck_assert_uint_eq(answer.reason, WIRE_REASON_UNREACHABLE);
            continue;
        }
        served++;
        struct qkd_id id;
        memcpy(id.b, answer.key_ids.at, 16);
        (void)ksn_fetch(&net, net.slave, &id, answer.session_id);
        struct wire_key_supply_rsp got = ksn_answer(net.slave);
        ck_assert_uint_eq(got.code, WIRE_SUFFICIENT);
        ck_assert_mem_eq(got.key_data.at, answer.key_data.at, 32);
        (void)ksn_fetch(&net, net.slave, &id, answer.session_id);
        ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_INSUFFICIENT);
    }
    ck_assert_int_gt(served, REQUESTS / 2);
}
END_TEST

/* ---- what the manager hears ---- */

/* D23-OP-18, MD-21 ... 26: the records of one key on both sides, and the accounts. */
START_TEST(records_and_accounts)
{
    struct qkd_id id;
    ksn_supply(&net, 1, 1, 5, &id);
    (void)ksn_fetch(&net, net.slave, &id, 5);
    ksn_run(&net, 2500);
    static const uint8_t actions[] = {WIRE_ACTION_RECEPTION, WIRE_ACTION_AUTHENTICATION,
                                      WIRE_ACTION_SYNCHRONIZATION, WIRE_ACTION_SUPPLY,
                                      WIRE_ACTION_DELETION};
    uint8_t kma_id[16];
    ksn_pattern(51, kma_id, sizeof kma_id);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < sizeof actions; i++) {
            ck_assert_uint_eq(ksn_life_count(&net, side, actions[i]), 1);
        }
        struct wire_life supply = ksn_life(&net, side, WIRE_ACTION_SUPPLY, 0);
        ck_assert(qkd_id_eq(&supply.id, &id));
        ck_assert_mem_eq(supply.parent.b, kma_id, 16);
        ck_assert_uint_eq(supply.key_class, WIRE_CLASS_KSA);
        ck_assert_uint_eq(supply.key_length, 256);
        ck_assert(supply.when.ns > 0);
        ck_assert(qkd_eid_eq(supply.source_app, NET_MASTER));
        ck_assert(qkd_eid_eq(supply.target_app, NET_SLAVE));
        ck_assert_str_eq((const char *)supply.application.b, side == 0 ? "video" : "video-end");
        struct wire_life reception = ksn_life(&net, side, WIRE_ACTION_RECEPTION, 0);
        ck_assert_uint_eq(reception.key_class, WIRE_CLASS_KMA);
        ck_assert_mem_eq(reception.id.b, kma_id, 16);
        ck_assert_uint_eq(reception.key_length, 256);
        ck_assert(qkd_eid_eq(reception.source, NET_KMA(NET_A)));
        ck_assert(qkd_eid_eq(reception.destination, NET_KMA(NET_B)));

        ck_assert_uint_eq(puppet_count(net.kmc[side], WIRE_CMD_ACCOUNTING), 1);
        const struct puppet_message *m = puppet_get(net.kmc[side], WIRE_CMD_ACCOUNTING, 0);
        struct wire_accounting report;
        struct wire_account_record account;
        ck_assert_int_eq(wire_accounting_decode(&report, m->bytes.at, m->bytes.len), 0);
        ck_assert_int_gt(
            wire_account_record_decode(&account, report.records.at, report.records.len), 0);
        ck_assert(qkd_eid_eq(account.app, side == 0 ? NET_MASTER : NET_SLAVE));
        ck_assert_uint_eq(account.keys, 1);
        ck_assert_uint_eq(account.bits, 256);
        ck_assert_uint_eq(account.otp_bits, 256);
        ck_assert_uint_eq(account.refused, 0);
    }
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("ksa");
    TCase *c = tcase_create("supply");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, supplies_both_sides_once);
    tcase_add_test(c, compares_by_the_tag);
    tcase_add_loop_test(c, mismatch_gives_nobody_the_key, 0, 2);
    tcase_add_loop_test(c, metadata_must_be_complete, 0, 2);
    tcase_add_test(c, key_that_did_not_arrive_fails);
    tcase_add_test(c, sub_sessions_are_numbered);
    tcase_add_test(c, short_of_key_after_a_part);
    tcase_add_test(c, status_table);
    tcase_add_test(c, status_counts_no_key_that_is_not_known);
    tcase_add_test(c, refuses_what_it_must);
    tcase_add_test(c, target_by_its_km_and_level);
    tcase_add_test(c, identical_answer_for_keys_not_mine);
    tcase_add_test(c, repeated_request_is_not_executed);
    tcase_add_test(c, unknown_command_fails);
    tcase_add_test(c, request_times_out);
    tcase_add_test(c, other_side_unreachable);
    tcase_add_test(c, other_side_restarted);
    tcase_add_test(c, notification_of_a_stranger_is_refused);
    tcase_add_test(c, overload_is_refused);
    tcase_add_test(c, bad_network_at_kx2);
    tcase_add_test(c, records_and_accounts);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
