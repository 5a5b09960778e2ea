/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KSA-keys held (tests/lib/ksa_net.h): restart at either side, deletion, expiry, retention, limits.
 * FG QIT4N D2.3 clauses 7.1.6, 7.2.1.1c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "tests/lib/ksa_net.h"

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 11);
}

static void teardown(void)
{
    ksn_free(&net);
}

/* The n-th entry that a KSA has persisted. */
static struct wire_p_key entry(uint32_t node, size_t n)
{
    const struct qkd_record *record = pump_persisted(net.p, NET_KSA(node), n);
    struct wire_p_key value;
    ck_assert_uint_eq(record->kind, WIRE_PERSIST_KEY);
    ck_assert_int_eq(wire_p_key_decode(&value, record->value, record->value_len),
                     (int)record->value_len);
    ck_assert_mem_eq(record->key, value.key_id.b, 16);
    return value;
}

static void expect_fetch(const struct qkd_id *id, uint8_t tag, uint32_t place, bool there)
{
    (void)ksn_fetch(&net, net.slave, id, 5);
    struct wire_key_supply_rsp answer = ksn_answer(net.slave);
    ck_assert_uint_eq(answer.code, there ? WIRE_SUFFICIENT : WIRE_INSUFFICIENT);
    ck_assert_uint_eq(answer.reason, there ? WIRE_REASON_NONE : WIRE_REASON_UNKNOWN_KEY);
    if (there) {
        uint8_t keys[256];
        ksn_pattern(tag, keys, sizeof keys);
        ck_assert_mem_eq(answer.key_data.at, keys + (size_t)32 * place, 32);
    }
}

static uint64_t ask_delete(struct puppet *app, uint64_t id, uint8_t code, uint64_t session,
                           struct wire_bytes ids)
{
    struct wire_key_delete command = {.head = {.message_id = id},
                                      .source_id = puppet_self(app),
                                      .target_id = NET_SLAVE,
                                      .session_id = session,
                                      .application_code = code,
                                      .has_key_ids = ids.len > 0,
                                      .key_ids = ids};
    uint32_t node = qkd_eid_node(puppet_self(app));
    PUPPET_SEND(app, key_delete, QKD_RP_AK, NET_KSA(node), &command);
    ksn_run(&net, 10);
    return command.head.message_id;
}

static void expect_deleted(const struct puppet *app, uint64_t orig, uint8_t code, uint32_t count)
{
    size_t answers = puppet_count(app, WIRE_CMD_KEY_DELETE_RSP);
    ck_assert_uint_gt(answers, 0);
    const struct puppet_message *m = puppet_get(app, WIRE_CMD_KEY_DELETE_RSP, answers - 1);
    struct wire_key_delete_rsp answer;
    ck_assert_int_eq(wire_key_delete_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(answer.head.orig_message_id, orig);
    ck_assert_uint_eq(answer.code, code);
    ck_assert_uint_eq(answer.deleted, count);
}

/* Restart of the slave's KSA: what waits stays fetchable, what was fetched does not come back. */
START_TEST(restart_of_the_slave)
{
    ksn_start(&net);
    struct qkd_id ids[2];
    ksn_supply(&net, 1, 2, 5, ids);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 2);
    ck_assert_uint_eq(entry(NET_B, 0).state, WIRE_KEY_WAITING);
    ck_assert_uint_eq(entry(NET_B, 0).key.len, 32);
    expect_fetch(&ids[0], 1, 0, true);
    ksn_restart(&net, 1);
    expect_fetch(&ids[0], 1, 0, false);
    expect_fetch(&ids[1], 1, 1, true);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(entry(NET_B, i).state, WIRE_KEY_SUPPLIED);
        ck_assert_uint_eq(entry(NET_B, i).key.len, 0);
    }
    ksn_restart(&net, 1);
    expect_fetch(&ids[1], 1, 1, false);
}
END_TEST

/* A key that waited before the restart still expires: the wall clock says when. */
START_TEST(waiting_time_goes_on_over_a_restart)
{
    ksn_start(&net);
    struct qkd_id ids[2];
    ksn_supply(&net, 1, 1, 5, &ids[0]);
    ksn_run(&net, 7000);
    ksn_restart(&net, 1); /* takes 0.55 s */
    ksn_supply(&net, 2, 1, 5, &ids[1]);
    ksn_run(&net, 3000); /* 10.6 s since the first, 3 s since the second */
    expect_fetch(&ids[0], 1, 0, false);
    expect_fetch(&ids[1], 2, 0, true);
    ksn_run(&net, 2000);
    ck_assert_uint_eq(ksn_life_count(&net, 1, WIRE_ACTION_EXPIRY), 1);
}
END_TEST

/* Restart of the master's KSA: the supply stays on record without its key, the request is gone, and
 * the keys that wait at the other side are still good. */
START_TEST(restart_of_the_master)
{
    ksn_start(&net);
    struct qkd_id id;
    ksn_supply(&net, 1, 1, 5, &id);
    (void)ksn_ask(&net, 1, 256, 6);
    uint64_t need = ksn_need(&net);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 1);
    ck_assert_uint_eq(entry(NET_A, 0).state, WIRE_KEY_SUPPLIED);
    ck_assert_uint_eq(entry(NET_A, 0).key.len, 0);
    size_t answers = puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP);
    ksn_restart(&net, 0);
    struct ksn_piece late = {.orig = need, .tag = 2, .count = 1, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &late);
    ksn_run(&net, 6000);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), answers);
    expect_fetch(&id, 1, 0, true);
    struct qkd_id next;
    ksn_supply(&net, 3, 1, 7, &next);
    ck_assert(!qkd_id_eq(&id, &next));
}
END_TEST

/* The answer of B is lost and B restarts: the repeated notification finds no key any more; neither
 * side keeps it for good. */
START_TEST(restart_between_match_and_answer)
{
    ksn_start(&net);
    struct qkd_id id;
    ksn_supply(&net, 1, 1, 5, &id);
    (void)ksn_ask(&net, 1, 256, 6);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 2, .count = 1, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &piece);
    pump_cut(net.p, NET_KSA(NET_A), NET_KSA(NET_B), true);
    piece.orig = ksn_fetch_of_kma(&net);
    ksn_piece(&net, 1, &piece);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 2);
    pump_cut(net.p, NET_KSA(NET_A), NET_KSA(NET_B), false);
    ksn_restart(&net, 1);
    size_t fetches = puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH);
    if (fetches > 2) { /* the repetition got through: this KMA has given the key away */
        ksn_refuse(&net, 1, ksn_fetch_of_kma(&net), WIRE_REASON_UNKNOWN_KEY);
    }
    ksn_run(&net, 3000);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ksn_run(&net, 10000);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 1); /* the first supply */
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 0);
}
END_TEST

/* D23-PR-05: a session's keys, or the listed ones, by their owner only; repeated: the same answer. */
START_TEST(deletion)
{
    ksn_start(&net);
    struct qkd_id ids[3], other;
    struct wire_bytes none = {NULL, 0};
    ksn_supply(&net, 1, 3, 5, ids);
    ksn_supply(&net, 2, 1, 6, &other);
    uint64_t id = ask_delete(net.other_slave, 0, WIRE_FOR_DECRYPTION, 5, none);
    expect_deleted(net.other_slave, id, WIRE_FAILURE, 0);
    struct wire_bytes listed = {ids[1].b, 16};
    id = ask_delete(net.other_slave, 0, WIRE_FOR_DECRYPTION, 5, listed);
    expect_deleted(net.other_slave, id, WIRE_FAILURE, 0);
    id = ask_delete(net.slave, 0, WIRE_FOR_DECRYPTION, 6, listed); /* not of this session */
    expect_deleted(net.slave, id, WIRE_FAILURE, 0);
    id = ask_delete(net.slave, 0, WIRE_FOR_DECRYPTION, 5, listed);
    expect_deleted(net.slave, id, WIRE_SUCCESS, 1);
    (void)ask_delete(net.slave, id, WIRE_FOR_DECRYPTION, 5, listed);
    expect_deleted(net.slave, id, WIRE_SUCCESS, 1);
    expect_fetch(&ids[1], 1, 1, false);
    expect_fetch(&ids[2], 1, 2, true);
    id = ask_delete(net.slave, 0, WIRE_FOR_DECRYPTION, 5, none); /* one waits, one was supplied */
    expect_deleted(net.slave, id, WIRE_SUCCESS, 1);
    expect_fetch(&ids[0], 1, 0, false);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 2);
    expect_fetch(&other, 2, 0, true);
    id = ask_delete(net.master, 0, WIRE_FOR_ENCRYPTION, 5, none); /* deleted at their supply */
    expect_deleted(net.master, id, WIRE_FAILURE, 0);
    ksn_run(&net, 1500);
    /* A: 4 at supply; B: 2 at supply, 1 + 1 by command */
    ck_assert_uint_eq(ksn_life_count(&net, 0, WIRE_ACTION_DELETION), 4);
    ck_assert_uint_eq(ksn_life_count(&net, 1, WIRE_ACTION_DELETION), 4);
}
END_TEST

/* The fact of a supply is persisted, without the key, and leaves when 16 others have followed. */
START_TEST(facts_of_supplies)
{
    ksn_start(&net);
    struct qkd_id ids[20];
    ksn_supply(&net, 1, 12, 5, ids);
    ksn_supply(&net, 2, 8, 5, ids + 12);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 16);
    ksn_restart(&net, 0);
    ksn_supply(&net, 3, 3, 6, ids);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 16);
    for (size_t i = 0; i < 16; i++) {
        ck_assert_uint_eq(entry(NET_A, i).state, WIRE_KEY_SUPPLIED);
        ck_assert_uint_eq(entry(NET_A, i).key.len, 0);
    }
}
END_TEST

/* Not fetched within `fetch_within` (10 s): wiped on both sides of the store, and recorded. */
START_TEST(expiry_of_a_waiting_key)
{
    ksn_start(&net);
    struct qkd_id id;
    ksn_supply(&net, 1, 1, 5, &id);
    ksn_run(&net, 9900);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 1);
    ksn_run(&net, 200);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 0);
    expect_fetch(&id, 1, 0, false);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_life_count(&net, 1, WIRE_ACTION_EXPIRY), 1);
    ck_assert_uint_eq(ksn_life_count(&net, 1, WIRE_ACTION_SUPPLY), 0);
}
END_TEST

/* Retention "preserve": the bytes stay on record, are supplied only once, and go at expiry. */
START_TEST(preserved_keys)
{
    for (int i = 0; i < 2; i++) {
        net.config[i].preserve = true;
        net.config[i].expiry = qkd_span_s(30);
    }
    ksn_start(&net);
    struct qkd_id id, never;
    uint8_t key[32];
    ksn_pattern(1, key, sizeof key);
    ksn_supply(&net, 1, 1, 5, &id);
    ksn_supply(&net, 2, 1, 6, &never);
    expect_fetch(&id, 1, 0, true);
    expect_fetch(&id, 1, 0, false);
    ksn_restart(&net, 1);
    expect_fetch(&id, 1, 0, false);
    ksn_run(&net, 12000); /* the one never fetched is gone from B */
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 2);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 1);
    struct wire_p_key kept = entry(NET_B, 0);
    ck_assert_uint_eq(kept.state, WIRE_KEY_SUPPLIED);
    ck_assert_uint_eq(kept.key.len, 32);
    ck_assert_mem_eq(kept.key.at, key, 32);
    expect_fetch(&never, 2, 0, false);
    ksn_run(&net, 20000);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_B)), 0);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_life_count(&net, 0, WIRE_ACTION_PRESERVATION), 2);
    ck_assert_uint_eq(ksn_life_count(&net, 0, WIRE_ACTION_EXPIRY), 2);
    ck_assert_uint_eq(ksn_life_count(&net, 1, WIRE_ACTION_EXPIRY), 2);
}
END_TEST

/* With retention "preserve" a command deletes also what was supplied. */
START_TEST(deletion_of_preserved)
{
    net.config[0].preserve = true;
    net.config[0].expiry = qkd_span_s(30);
    ksn_start(&net);
    struct qkd_id ids[3];
    struct wire_bytes none = {NULL, 0};
    ksn_supply(&net, 1, 3, 5, ids);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 3);
    uint64_t id = ask_delete(net.master, 0, WIRE_FOR_ENCRYPTION, 5, none);
    expect_deleted(net.master, id, WIRE_SUCCESS, 3);
    ck_assert_uint_eq(pump_persisted_count(net.p, NET_KSA(NET_A)), 0);
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_life_count(&net, 0, WIRE_ACTION_DELETION), 3);
}
END_TEST

/* A full store: keys that were supplied have left, keys that wait take room. */
START_TEST(full_store)
{
    net.config[0].key_limit = 4;
    net.config[1].key_limit = 4;
    ksn_start(&net);
    struct qkd_id ids[3][2];
    for (uint8_t i = 0; i < 3; i++) { /* B: the first two are fetched */
        ksn_supply(&net, i, 2, 50U + i, ids[i]);
        if (i == 0) {
            expect_fetch(&ids[0][0], 0, 0, true);
            expect_fetch(&ids[0][1], 0, 1, true);
        }
    }
    expect_fetch(&ids[1][0], 1, 0, true);
    (void)ksn_ask(&net, 2, 256, 60);
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 9, .count = 2, .key_size = 256, .last = true};
    ksn_piece(&net, 0, &piece);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT); /* B has no room */
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_OVERLOAD);
    expect_fetch(&ids[1][1], 1, 1, true);
    expect_fetch(&ids[2][1], 2, 1, true);
}
END_TEST

/* A store that is not a KSA's is refused, not guessed at. */
START_TEST(foreign_records_are_refused)
{
    ksn_start(&net);
    struct ksa *ksa;
    struct qkd_out out;
    static const uint8_t garbage[] = {0, 0, 0, 8, 0, 0, 0, 0};
    struct qkd_record record = {
        .kind = WIRE_PERSIST_KEY, .key_len = 16, .value = garbage, .value_len = sizeof garbage};
    struct qkd_event event = {.type = QKD_EV_START};
    event.u.start.records = &record;
    event.u.start.count = 1;
    event.u.start.incarnation = 1;
    qkd_out_init(&out, 1 << 20);
    ck_assert_int_eq(ksa_new(&net.config[0], &ksa), 0);
    ck_assert_int_lt(ksa_step(ksa, &event, &out), 0);
    ksa_free(ksa);
    qkd_out_fini(&out);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("ksa_store");
    TCase *c = tcase_create("store");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, restart_of_the_slave);
    tcase_add_test(c, waiting_time_goes_on_over_a_restart);
    tcase_add_test(c, restart_of_the_master);
    tcase_add_test(c, restart_between_match_and_answer);
    tcase_add_test(c, deletion);
    tcase_add_test(c, deletion_of_preserved);
    tcase_add_test(c, facts_of_supplies);
    tcase_add_test(c, expiry_of_a_waiting_key);
    tcase_add_test(c, preserved_keys);
    tcase_add_test(c, full_store);
    tcase_add_test(c, foreign_records_are_refused);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
