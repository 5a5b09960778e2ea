/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several keys by ID in one command at Ak: all or none (ETSI GS QKD 014 V1.1.1 clause 5.3: "one or more
 * keys specified are not found on KME"), each once, and who may have them. Two KSAs, everything else
 * played: tests/lib/ksa_net.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ksa_net.h"

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 21);
    ksn_start(&net);
}

static void teardown(void)
{
    ksn_free(&net);
}

/* A fetch of `count` keys by `app` that names `master` as where they come from. */
static void fetch_list(struct puppet *app, struct qkd_eid master, const struct qkd_id *ids,
                       size_t count)
{
    struct wire_key_supply command = {
        .source_id = puppet_self(app),
        .target_id = master,
        .session_id = 900,
        .application_code = WIRE_FOR_DECRYPTION,
        .has_key_ids = true,
        .key_ids = {count == 0 ? NULL : ids[0].b, count * sizeof *ids},
    };
    PUPPET_SEND(app, key_supply, QKD_RP_AK, NET_KSA(qkd_eid_node(puppet_self(app))), &command);
    ksn_run(&net, 10);
}

static void expect_refused(struct puppet *app, uint8_t reason)
{
    struct wire_key_supply_rsp answer = ksn_answer(app);
    ck_assert_uint_eq(answer.code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(answer.reason, reason);
    ck_assert(!answer.has_key_data);
}

/* The bits that the played KMAs gave for the key `place` of piece `tag`. */
static void expect_key(const struct wire_key_supply_rsp *answer, size_t i, uint8_t tag,
                       size_t place)
{
    uint8_t keys[1024];
    size_t len = answer->key_size / 8;
    ksn_pattern(tag, keys, (place + 1) * len);
    ck_assert_mem_eq(answer->key_data.at + i * len, keys + place * len, len);
}

/* Keys of two requests, in another order than they were made in, in one answer. */
START_TEST(all_in_one_answer)
{
    struct qkd_id ids[3], more[2];
    ksn_supply(&net, 1, 3, 5, ids);
    ksn_supply(&net, 2, 2, 6, more);
    struct qkd_id asked[] = {more[1], ids[2], ids[0], more[0]};
    fetch_list(net.slave, NET_MASTER, asked, 4);
    struct wire_key_supply_rsp answer = ksn_answer(net.slave);
    ck_assert_uint_eq(answer.code, WIRE_SUFFICIENT);
    ck_assert_uint_eq(answer.count_id, 1);
    ck_assert_uint_eq(answer.session_id, 900);
    ck_assert_uint_eq(answer.key_ids.len, sizeof asked);
    ck_assert_mem_eq(answer.key_ids.at, asked[0].b, sizeof asked);
    ck_assert_uint_eq(answer.key_data.len, 4 * 32);
    expect_key(&answer, 0, 2, 1);
    expect_key(&answer, 1, 1, 2);
    expect_key(&answer, 2, 1, 0);
    expect_key(&answer, 3, 2, 0);
    fetch_list(net.slave, NET_MASTER, &more[0], 1);
    expect_refused(net.slave, WIRE_REASON_UNKNOWN_KEY);
    fetch_list(net.slave, NET_MASTER, &ids[1], 1); /* nobody asked for this one yet */
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 5); /* told, no key waits */
}
END_TEST

/* E14-11: one good and one bad ID; the good one is still there. */
START_TEST(one_bad_leaves_all)
{
    struct qkd_id ids[3], unknown = {{9, 9}};
    ksn_supply(&net, 1, 3, 5, ids);
    struct qkd_id bad[][3] = {{unknown, ids[0], ids[1]},
                              {ids[0], ids[1], unknown},
                              {ids[0], ids[1], ids[0]}}; /* twice the same: it is there once */
    for (size_t i = 0; i < 3; i++) {
        fetch_list(net.slave, NET_MASTER, bad[i], 3);
        expect_refused(net.slave, WIRE_REASON_UNKNOWN_KEY);
    }
    fetch_list(net.slave, NET_OTHER_MASTER, ids, 3); /* not from this master */
    expect_refused(net.slave, WIRE_REASON_UNKNOWN_KEY);
    fetch_list(net.slave, NET_MASTER, ids, 3);
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.slave).key_data.len, 3 * 32);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 1, WIRE_FAULT_DENIED), 0);
}
END_TEST

/* E14-10: a key that is there for another application is told from one that is not there. */
START_TEST(foreign_is_unauthorized)
{
    struct qkd_id ids[2], unknown = {{9, 9}};
    ksn_supply(&net, 1, 2, 5, ids);
    struct qkd_id mixed[] = {unknown, ids[0], unknown};
    fetch_list(net.other_slave, NET_MASTER, ids, 1);
    expect_refused(net.other_slave, WIRE_REASON_UNAUTHORIZED);
    fetch_list(net.other_slave, NET_OTHER_MASTER, mixed, 3);
    expect_refused(net.other_slave, WIRE_REASON_UNAUTHORIZED);
    fetch_list(net.other_slave, NET_OTHER_MASTER, &unknown, 1);
    expect_refused(net.other_slave, WIRE_REASON_UNKNOWN_KEY);
    fetch_list(net.slave, NET_MASTER, ids, 2); /* the right one still gets both */
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
    fetch_list(net.other_slave, NET_MASTER, ids, 1); /* gone: nothing is known of it */
    expect_refused(net.other_slave, WIRE_REASON_UNKNOWN_KEY);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 1, WIRE_FAULT_DENIED), 2);
}
END_TEST

/* Keys of two sizes: a sub-session each, the last one 0x02, all gone by one commit. */
START_TEST(two_sizes_are_two_sub_sessions)
{
    struct qkd_id ids[4];
    ksn_supply(&net, 1, 2, 5, ids);
    (void)ksn_ask(&net, 1, 128, 6);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 7, .count = 1, .key_size = 128, .last = true};
    ksn_piece(&net, 0, &piece);
    piece.orig = ksn_fetch_of_kma(&net);
    ksn_piece(&net, 1, &piece);
    memcpy(ids[2].b, ksn_answer(net.master).key_ids.at, 16);
    struct qkd_id asked[] = {ids[1], ids[2], ids[0]};
    size_t before = puppet_count(net.slave, WIRE_CMD_KEY_SUPPLY_RSP);
    fetch_list(net.slave, NET_MASTER, asked, 3);
    ck_assert_uint_eq(puppet_count(net.slave, WIRE_CMD_KEY_SUPPLY_RSP), before + 3);
    static const struct {
        uint32_t key_size;
        uint8_t code, tag, place;
    } parts[] = {{256, WIRE_SUCCESS, 1, 1},
                 {128, WIRE_SUCCESS, 7, 0},
                 {256, WIRE_SUFFICIENT, 1, 0}};
    for (size_t i = 0; i < 3; i++) {
        const struct puppet_message *m = puppet_get(net.slave, WIRE_CMD_KEY_SUPPLY_RSP, before + i);
        struct wire_key_supply_rsp answer;
        ck_assert_int_eq(wire_key_supply_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
        ck_assert_uint_eq(answer.code, parts[i].code);
        ck_assert_uint_eq(answer.count_id, i + 1);
        ck_assert_uint_eq(answer.key_size, parts[i].key_size);
        ck_assert_mem_eq(answer.key_ids.at, asked[i].b, 16);
        expect_key(&answer, 0, parts[i].tag, parts[i].place);
    }
}
END_TEST

START_TEST(limits)
{
    static struct qkd_id many[129];
    fetch_list(net.slave, NET_MASTER, many, 0);
    expect_refused(net.slave, WIRE_REASON_BAD_REQUEST);
    fetch_list(net.slave, NET_MASTER, many, 129);
    expect_refused(net.slave, WIRE_REASON_BAD_REQUEST);
    fetch_list(net.slave, NET_MASTER, many, 128);
    expect_refused(net.slave, WIRE_REASON_UNKNOWN_KEY);
    fetch_list(net.unlisted, NET_MASTER, many, 1);
    expect_refused(net.unlisted, WIRE_REASON_UNAUTHORIZED);
    struct wire_key_supply odd = {.source_id = NET_SLAVE,
                                  .target_id = NET_MASTER,
                                  .application_code = WIRE_FOR_DECRYPTION,
                                  .has_key_ids = true,
                                  .key_ids = {many[0].b, 17}};
    PUPPET_SEND(net.slave, key_supply, QKD_RP_AK, NET_KSA(NET_B), &odd);
    ksn_run(&net, 10);
    expect_refused(net.slave, WIRE_REASON_BAD_REQUEST);
}
END_TEST

/* Preserved keys stay in the KM, but are supplied once, and their master cannot fetch them. */
START_TEST(preserved_keys_are_supplied_once)
{
    ksn_free(&net);
    ksn_init(&net, 22);
    net.config[0].preserve = net.config[1].preserve = true;
    ksn_start(&net);
    struct qkd_id ids[2];
    ksn_supply(&net, 1, 2, 5, ids);
    fetch_list(net.master, NET_SLAVE, ids, 2);
    expect_refused(net.master, WIRE_REASON_UNAUTHORIZED);
    fetch_list(net.slave, NET_MASTER, ids, 2);
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
    fetch_list(net.slave, NET_MASTER, ids, 2);
    expect_refused(net.slave, WIRE_REASON_UNKNOWN_KEY);
}
END_TEST

/* After a restart each key stands alone: the list still finds all of them, once. */
START_TEST(survives_a_restart)
{
    struct qkd_id ids[3];
    ksn_supply(&net, 1, 3, 5, ids);
    ksn_restart(&net, 1);
    fetch_list(net.slave, NET_MASTER, ids, 3);
    ck_assert_uint_eq(ksn_answer(net.slave).code, WIRE_SUFFICIENT);
    ksn_restart(&net, 1);
    fetch_list(net.slave, NET_MASTER, ids, 3);
    expect_refused(net.slave, WIRE_REASON_UNKNOWN_KEY);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ksa_list");
    TCase *c = tcase_create("list");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, all_in_one_answer);
    tcase_add_test(c, one_bad_leaves_all);
    tcase_add_test(c, foreign_is_unauthorized);
    tcase_add_test(c, two_sizes_are_two_sub_sessions);
    tcase_add_test(c, limits);
    tcase_add_test(c, preserved_keys_are_supplied_once);
    tcase_add_test(c, survives_a_restart);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
