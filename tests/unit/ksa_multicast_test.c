/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multicast at the master's KSA (docs/protocol.md, "Multicast"): KSA A asks for the same keys at B and C. B's
 * KSA is a real one; its KMA, and all of C, are played (tests/lib/ksa_net.h). What is looked at: nobody is
 * told a key, or its ID, before both have compared it; whatever fails, nothing is released; the weakest
 * grade is told to all; keys that differ between the slaves are never compared. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ksa_net.h"

#define SLAVE_C qkd_eid_make(QKD_ROLE_APP, 5, NET_C)

static struct ksa_net net;

static struct wire_cfg_app entry_of(struct qkd_eid app, struct qkd_eid peer, uint8_t more[8],
                                    struct qkd_eid other)
{
    wire_put_u64(more, other.v);
    return (struct wire_cfg_app){.head = {.message_id = 1},
                                 .app = app,
                                 .name = {(const uint8_t *)"x", 1},
                                 .peer_app = peer,
                                 .has_more_peers = other.v != 0,
                                 .more_peers = {more, 8}};
}

static void setup(void)
{
    uint8_t more[8];
    ksn_init(&net, 9);
    ksn_start(&net);
    struct wire_cfg_app master = entry_of(NET_MASTER, NET_SLAVE, more, SLAVE_C);
    ksn_directory(&net, 0, &master);
    struct wire_cfg_app slave = entry_of(SLAVE_C, NET_MASTER, more, QKD_NOBODY);
    ksn_directory(&net, 0, &slave);
    puppet_open(net.ksa_c, QKD_RP_KX2, NET_KSA(NET_A));
    ksn_run(&net, 500);
}

static void teardown(void)
{
    ksn_free(&net);
}

/* The master asks for two keys at B and C. */
static uint64_t ask(uint8_t level)
{
    uint8_t more[8];
    wire_put_u64(more, SLAVE_C.v);
    struct wire_key_supply command = ksn_command(&net, 2, 256, 77);
    command.has_more_targets = true;
    command.more_targets = (struct wire_bytes){more, 8};
    command.has_level = true;
    command.level = level;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    return command.head.message_id;
}

/* Both keys for B in one piece, those for C in two. */
static void pieces(uint64_t need, uint8_t grade_b, uint8_t flip_c)
{
    struct ksn_piece b = {.orig = need,
                          .tag = 1,
                          .keys = 9,
                          .count = 2,
                          .key_size = 256,
                          .count_id = 1,
                          .to = NET_B,
                          .grade = grade_b};
    ksn_piece(&net, 0, &b);
    struct ksn_piece c = {.orig = need,
                          .tag = 2,
                          .keys = 9,
                          .count = 1,
                          .key_size = 256,
                          .count_id = 2,
                          .to = NET_C,
                          .flip = flip_c};
    ksn_piece(&net, 0, &c);
}

/* The second key for C: the bytes that a pattern of both has behind the first. */
static void last_piece(uint64_t need)
{
    uint8_t keys[64];
    uint8_t meta[128];
    ksn_pattern(9, keys, sizeof keys);
    struct wire_kmi_supply supply = {.head = {.orig_message_id = need},
                                     .code = WIRE_SUCCESS,
                                     .has_key_id = true,
                                     .has_key_size = true,
                                     .key_size = 256,
                                     .has_key_data = true,
                                     .key_data = {keys + 32, 32},
                                     .has_compare = true,
                                     .has_grade = true,
                                     .grade = WIRE_METHOD_OTP,
                                     .has_destination_id = true,
                                     .destination_id = NET_KMA(NET_C),
                                     .has_place = true,
                                     .place = 1,
                                     .has_count_id = true,
                                     .count_id = 3,
                                     .has_last = true,
                                     .last = 1};
    ksn_pattern(3, supply.key_id.b, sizeof supply.key_id.b);
    ksn_pattern(33, supply.compare.b, sizeof supply.compare.b);
    struct wire_key_metadata metadata = {.has_kma_key_id = true,
                                         .kma_key_id = supply.key_id,
                                         .has_matching_kma_id = true,
                                         .matching_kma_id = NET_KMA(NET_C)};
    int len = wire_key_metadata_encode(&metadata, meta, sizeof meta);
    ck_assert_int_gt(len, 0);
    supply.has_metadata = true;
    supply.metadata = (struct wire_bytes){meta, (size_t)len};
    PUPPET_SEND(net.kma[0], kmi_supply, QKD_RP_KMI, NET_KSA(NET_A), &supply);
    ksn_run(&net, 20);
}

/* C's KSA answers its n-th notification. */
static struct wire_supply_notify answer_c(size_t n, uint8_t match)
{
    const struct puppet_message *m = puppet_get(net.ksa_c, WIRE_CMD_SUPPLY_NOTIFY, n);
    struct wire_supply_notify notify;
    struct wire_sync_item item;
    ck_assert_int_eq(wire_supply_notify_decode(&notify, m->bytes.at, m->bytes.len), 0);
    ck_assert_int_gt(wire_sync_item_decode(&item, notify.sync.at, notify.sync.len), 0);
    struct wire_supply_notify_rsp rsp = {.head = {.orig_message_id = m->head.message_id},
                                         .key_id = item.id,
                                         .match = match,
                                         .reason = match == 1 ? 0 : WIRE_REASON_MISMATCH};
    PUPPET_SEND(net.ksa_c, supply_notify_rsp, QKD_RP_KX2, NET_KSA(NET_A), &rsp);
    ksn_run(&net, 10);
    return notify;
}

/* B's KSA fetches its piece and compares. */
static void answer_b(uint8_t grade)
{
    struct ksn_piece b = {.orig = ksn_fetch_of_kma(&net),
                          .tag = 1,
                          .keys = 9,
                          .count = 2,
                          .key_size = 256,
                          .last = true,
                          .grade = grade};
    ksn_piece(&net, 1, &b);
}

static size_t told(void)
{
    return puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP);
}

/* One need; no comparison before all pieces are there; no answer before all have compared. */
START_TEST(released_when_all_have_compared)
{
    uint64_t asked = ask(WIRE_LEVEL_ANY);
    struct wire_kmi_need need;
    const struct puppet_message *m = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, 0);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 1);
    ck_assert_int_eq(wire_kmi_need_decode(&need, m->bytes.at, m->bytes.len), 0);
    ck_assert(need.has_more_targets && need.more_targets.len == 8);
    ck_assert_uint_eq(wire_get_u64(need.more_targets.at), SLAVE_C.v);
    pieces(ksn_need(&net), WIRE_METHOD_OTP, 0);
    ck_assert_uint_eq(puppet_count(net.ksa_c, WIRE_CMD_SUPPLY_NOTIFY), 0);
    last_piece(ksn_need(&net));
    ck_assert_uint_eq(puppet_count(net.ksa_c, WIRE_CMD_SUPPLY_NOTIFY), 2);
    answer_b(WIRE_METHOD_OTP);
    (void)answer_c(0, 1);
    ck_assert_uint_eq(told(), 0);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    (void)answer_c(1, 1);
    ck_assert_uint_eq(told(), 1);
    struct wire_key_supply_rsp answer = ksn_answer(net.master);
    uint8_t keys[64];
    ksn_pattern(9, keys, sizeof keys);
    ck_assert_uint_eq(answer.head.orig_message_id, asked);
    ck_assert_uint_eq(answer.code, WIRE_SUFFICIENT);
    ck_assert_uint_eq(answer.key_ids.len, 32);
    ck_assert_mem_eq(answer.key_data.at, keys, 64);
    ck_assert(answer.has_more_targets && wire_get_u64(answer.more_targets.at) == SLAVE_C.v);
    struct qkd_id id;
    memcpy(id.b, answer.key_ids.at + 16, 16);
    (void)ksn_fetch(&net, net.slave, &id, 77); /* B's second key, under the same ID */
    ck_assert_mem_eq(ksn_answer(net.slave).key_data.at, keys + 32, 32);
}
END_TEST

/* B matches, C does not: nobody is given anything, and the master is told so once. */
START_TEST(one_that_differs_ends_all)
{
    (void)ask(WIRE_LEVEL_ANY);
    uint64_t need = ksn_need(&net);
    pieces(need, WIRE_METHOD_OTP, 0);
    last_piece(need);
    answer_b(WIRE_METHOD_OTP);
    (void)answer_c(0, 0);
    ck_assert_uint_eq(told(), 1);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_MISMATCH);
    ck_assert_uint_eq(ksn_security(&net, 0, WIRE_FAULT_KEY_MISMATCH),
                      0); /* reported with the tick */
    (void)answer_c(1, 1);
    ksn_run(&net, 6000);
    ck_assert_uint_eq(told(), 1);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    ck_assert_uint_eq(ksn_security(&net, 0, WIRE_FAULT_KEY_MISMATCH), 1);
}
END_TEST

/* C never answers: unreachable, after the tries. */
START_TEST(one_that_is_silent_ends_all)
{
    (void)ask(WIRE_LEVEL_ANY);
    uint64_t need = ksn_need(&net);
    pieces(need, WIRE_METHOD_OTP, 0);
    last_piece(need);
    answer_b(WIRE_METHOD_OTP);
    ksn_run(&net, 6000);
    ck_assert_uint_eq(told(), 1);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_UNREACHABLE);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
}
END_TEST

/* The KMA's pieces for B and C differ: no KSA is asked. */
START_TEST(keys_that_differ_are_not_compared)
{
    (void)ask(WIRE_LEVEL_ANY);
    pieces(ksn_need(&net), WIRE_METHOD_OTP, 1);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_MISMATCH);
    ck_assert_uint_eq(puppet_count(net.ksa_c, WIRE_CMD_SUPPLY_NOTIFY), 0);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_DROP), 1);
}
END_TEST

/* B's way crossed a hop under AES-256: C is told that grade, too, and so is the master. */
START_TEST(the_weakest_grade_is_told_to_all)
{
    (void)ask(WIRE_LEVEL_ANY);
    uint64_t need = ksn_need(&net);
    pieces(need, WIRE_METHOD_AES, 0);
    last_piece(need);
    answer_b(WIRE_METHOD_AES);
    ck_assert_uint_eq(answer_c(0, 1).grade, WIRE_METHOD_AES);
    ck_assert_uint_eq(answer_c(1, 1).grade, WIRE_METHOD_AES);
    ck_assert_uint_eq(ksn_answer(net.master).grade, WIRE_METHOD_AES);
    (void)ask(WIRE_LEVEL_OTP_ONLY);
    pieces(ksn_need(&net), WIRE_METHOD_AES, 0);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
}
END_TEST

/* Malformed, too many keys, twice the same node, somebody who is not entitled. */
START_TEST(refused_before_anything_is_asked)
{
    static const struct {
        struct qkd_eid target;
        size_t len;
        uint32_t amount;
        uint8_t reason;
    } cases[] = {
        {{0}, 8, 2, WIRE_REASON_UNKNOWN_APPLICATION}, {{0}, 7, 2, WIRE_REASON_BAD_REQUEST},
        {{1}, 8, 2, WIRE_REASON_UNAUTHORIZED}, /* the other slave, of another master */
        {{2}, 8, 2, WIRE_REASON_BAD_REQUEST},  /* B once more */
        {{3}, 8, 65, WIRE_REASON_BAD_REQUEST},
    };
    const struct qkd_eid targets[] = {qkd_eid_make(QKD_ROLE_APP, 99, NET_C), NET_OTHER_SLAVE,
                                      NET_SLAVE, SLAVE_C};
    uint8_t more[8];
    wire_put_u64(more, targets[cases[_i].target.v].v);
    struct wire_key_supply command = ksn_command(&net, cases[_i].amount, 256, 77);
    command.has_more_targets = true;
    command.more_targets = (struct wire_bytes){more, cases[_i].len};
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(ksn_answer(net.master).reason, cases[_i].reason);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ksa_multicast");
    TCase *tc = tcase_create("supply");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, released_when_all_have_compared);
    tcase_add_test(tc, one_that_differs_ends_all);
    tcase_add_test(tc, one_that_is_silent_ends_all);
    tcase_add_test(tc, keys_that_differ_are_not_compared);
    tcase_add_test(tc, the_weakest_grade_is_told_to_all);
    tcase_add_loop_test(tc, refused_before_anything_is_asked, 0, 5);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
