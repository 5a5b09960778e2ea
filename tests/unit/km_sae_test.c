/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions of SAEs outside (QKD_RP_SAE), end to end through real elements: a line of three nodes, one
 * application, its agents at both ends. What ETSI GS QKD 014 asks of a KME is named by test: E14-... */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/codec.h"
#include "tests/lib/kmnet.h"

enum { NODES = 3, ANSWERS_MAX = 64, BYTES_MAX = 70000 };

static struct kmn *net;
static struct {
    uint8_t bytes[ANSWERS_MAX][BYTES_MAX];
    size_t len[ANSWERS_MAX];
    struct qkd_eid to[ANSWERS_MAX];
    size_t count;
} got;
static uint64_t next_id;

static bool see(void *ctx, const struct pump_message *m)
{
    (void)ctx;
    if (m->rp == QKD_RP_SAE && qkd_eid_role(m->to) == QKD_ROLE_LOAD) {
        ck_assert_uint_lt(got.count, ANSWERS_MAX);
        ck_assert_uint_le(m->len, BYTES_MAX);
        memcpy(got.bytes[got.count], m->bytes, m->len);
        got.len[got.count] = m->len;
        got.to[got.count++] = m->to;
        return false; /* nobody in the pump plays the SAE */
    }
    return true;
}

static void begin(const struct kmn_config *config)
{
    net = kmn_new(config);
    pump_tap(net->pump, see, NULL);
    kmn_settle(net, 4);
    got.count = 0;
    next_id = 100;
}

static void setup(void)
{
    struct kmn_config config = kmn_line(NODES);
    config.key_bits = true;
    begin(&config);
}

static void teardown(void)
{
    kmn_free(net);
}

static struct qkd_eid front(uint32_t end)
{
    return qkd_eid_make(QKD_ROLE_LOAD, 7, qkd_eid_node(kmn_app(net, 0, end)));
}

static uint64_t inject(uint32_t end, const uint8_t *bytes, int len)
{
    ck_assert_int_gt(len, 0);
    pump_inject(net->pump, &(struct pump_message){.rp = QKD_RP_SAE,
                                                  .from = front(end),
                                                  .to = kmn_app(net, 0, end),
                                                  .bytes = bytes,
                                                  .len = (size_t)len});
    kmn_run(net, 4000);
    return next_id;
}

static uint64_t get(uint32_t end, uint32_t number, uint32_t key_size)
{
    uint8_t bytes[128];
    struct wire_sae_get ask = {.head = {.message_id = ++next_id},
                               .number = number,
                               .has_key_size = key_size != 0,
                               .key_size = key_size};
    return inject(end, bytes, wire_sae_get_encode(&ask, bytes, sizeof bytes));
}

static uint64_t fetch(uint32_t end, const uint8_t *ids, size_t count)
{
    static uint8_t bytes[8192];
    struct wire_sae_fetch ask = {.head = {.message_id = ++next_id}, .key_ids = {ids, 16 * count}};
    return inject(end, bytes, wire_sae_fetch_encode(&ask, bytes, sizeof bytes));
}

/* The only answer so far to a question. */
static struct wire_sae_keys answer(uint64_t question)
{
    struct wire_sae_keys keys = {.reason = 255}, one;
    size_t found = 0;
    for (size_t i = 0; i < got.count; i++) {
        if (wire_sae_keys_decode(&one, got.bytes[i], got.len[i]) == 0 &&
            one.head.orig_message_id == question) {
            keys = one;
            found++;
        }
    }
    ck_assert_uint_eq(found, 1);
    return keys;
}

static void expect_sizes(const struct wire_sae_keys *keys, size_t count, uint32_t bits)
{
    ck_assert_uint_eq(keys->reason, WIRE_REASON_NONE);
    ck_assert_uint_eq(keys->key_ids.len, count * 16);
    ck_assert_uint_eq(keys->key_sizes.len, count * 4);
    ck_assert_uint_eq(keys->key_data.len, count * bits / 8);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(wire_get_u32(keys->key_sizes.at + 4 * i), bits);
    }
}

/* E14-15: the same bits for each ID at both ends; E14-09: each ID once. Relayed over two hops, one
 * key per frame, so that each key is a sub-session of its own. */
START_TEST(both_ends_get_the_same_keys)
{
    struct wire_sae_keys master = answer(get(0, 3, 0));
    expect_sizes(&master, 3, 256);
    struct wire_sae_keys slave = answer(fetch(1, master.key_ids.at, 3));
    expect_sizes(&slave, 3, 256);
    ck_assert_mem_eq(slave.key_ids.at, master.key_ids.at, 48);
    ck_assert_mem_eq(slave.key_data.at, master.key_data.at, 96);
    ck_assert_mem_ne(master.key_data.at, master.key_data.at + 32, 32);
    ck_assert_uint_eq(answer(fetch(1, master.key_ids.at, 1)).reason, WIRE_REASON_UNKNOWN_KEY);
    struct qkd_eid app[] = {kmn_app(net, 0, 0), kmn_app(net, 0, 1)};
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_KEY, app[0]), 3);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_FETCHED, app[1]), 3);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 1);
    ck_assert_uint_eq(pump_sent(net->pump, QKD_RP_APP), 0); /* the IDs are the SAEs' business */
}
END_TEST

/* Every SAE can be both: the load's slave asks as a master. */
START_TEST(the_other_way_round)
{
    struct wire_sae_keys master = answer(get(1, 2, 128));
    expect_sizes(&master, 2, 128);
    struct wire_sae_keys slave = answer(fetch(0, master.key_ids.at, 2));
    expect_sizes(&slave, 2, 128);
    ck_assert_mem_eq(slave.key_data.at, master.key_data.at, 32);
}
END_TEST

/* Two sizes in one fetch. */
START_TEST(fetch_of_two_sizes)
{
    uint8_t ids[64], keys[3][64];
    struct wire_sae_keys a = answer(get(0, 2, 512));
    memcpy(ids, a.key_ids.at, 16);
    memcpy(ids + 32, a.key_ids.at + 16, 16);
    memcpy(keys[0], a.key_data.at, 64);
    memcpy(keys[2], a.key_data.at + 64, 64);
    struct wire_sae_keys b = answer(get(0, 1, 64));
    memcpy(ids + 16, b.key_ids.at, 16);
    memcpy(keys[1], b.key_data.at, 8);
    struct wire_sae_keys all = answer(fetch(1, ids, 3));
    ck_assert_uint_eq(all.reason, WIRE_REASON_NONE);
    ck_assert_mem_eq(all.key_ids.at, ids, 48);
    ck_assert_uint_eq(wire_get_u32(all.key_sizes.at), 512);
    ck_assert_uint_eq(wire_get_u32(all.key_sizes.at + 4), 64);
    ck_assert_uint_eq(wire_get_u32(all.key_sizes.at + 8), 512);
    ck_assert_uint_eq(all.key_data.len, 64 + 8 + 64);
    ck_assert_mem_eq(all.key_data.at, keys[0], 64);
    ck_assert_mem_eq(all.key_data.at + 64, keys[1], 8);
    ck_assert_mem_eq(all.key_data.at + 72, keys[2], 64);
}
END_TEST

/* The most and one more, in number and size (E14-05, E14-06). */
START_TEST(limits)
{
    ck_assert_uint_eq(answer(get(0, 129, 64)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(answer(get(0, 0, 64)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(answer(get(0, 1, 56)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(answer(get(0, 1, 4104)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(answer(get(0, 1, 257)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(answer(fetch(1, NULL, 0)).reason, WIRE_REASON_BAD_REQUEST);
    struct wire_sae_keys many = answer(get(0, 128, 64));
    expect_sizes(&many, 128, 64);
    struct wire_sae_keys slave = answer(fetch(1, many.key_ids.at, 128));
    expect_sizes(&slave, 128, 64);
    ck_assert_mem_eq(slave.key_data.at, many.key_data.at, 1024);
}
END_TEST

/* Whoever is not named as a load of the agent's own node gets no answer at all. */
START_TEST(who_may_ask)
{
    uint8_t bytes[128];
    struct wire_sae_get ask = {.head = {.message_id = 5}, .number = 1};
    int len = wire_sae_get_encode(&ask, bytes, sizeof bytes);
    struct qkd_eid wrong[] = {front(1), kmn_app(net, 0, 1), kmn_ksa(0)};
    for (size_t i = 0; i < 3; i++) {
        pump_inject(net->pump, &(struct pump_message){.rp = QKD_RP_SAE,
                                                      .from = wrong[i],
                                                      .to = kmn_app(net, 0, 0),
                                                      .bytes = bytes,
                                                      .len = (size_t)len});
    }
    for (size_t cut = 0; cut < (size_t)len; cut += 7) {
        pump_inject(net->pump, &(struct pump_message){.rp = QKD_RP_SAE,
                                                      .from = front(0),
                                                      .to = kmn_app(net, 0, 0),
                                                      .bytes = bytes,
                                                      .len = cut});
    }
    kmn_run(net, 4000);
    ck_assert_uint_eq(got.count, 0);
}
END_TEST

static struct wire_key_status status_of(uint32_t end, struct qkd_eid target, uint8_t reason)
{
    uint8_t bytes[128];
    struct wire_sae_status ask = {.head = {.message_id = ++next_id}, .target = target};
    (void)inject(end, bytes, wire_sae_status_encode(&ask, bytes, sizeof bytes));
    struct wire_sae_status_rsp rsp;
    struct wire_key_status status = {0};
    ck_assert_uint_gt(got.count, 0);
    ck_assert_int_eq(
        wire_sae_status_rsp_decode(&rsp, got.bytes[got.count - 1], got.len[got.count - 1]), 0);
    ck_assert_uint_eq(rsp.head.orig_message_id, next_id);
    ck_assert_uint_eq(rsp.reason, reason);
    ck_assert(rsp.has_status == (reason == WIRE_REASON_NONE));
    if (rsp.has_status) {
        ck_assert_int_gt(wire_key_status_decode(&status, rsp.status.at, rsp.status.len), 0);
    }
    return status;
}

/* E14-08: stored_key_count falls by what was delivered. A relayed key of 256 bits costs a hop 1,488 bits
 * of pad (docs/protocol.md), and each of the two directions has what is left of four blocks. As many as the
 * table says can be had in one request, and then only what GRANTs and new key bring. */
START_TEST(status_counts_deliverable_keys)
{
    struct wire_key_status before = status_of(0, QKD_NOBODY, WIRE_REASON_NONE);
    ck_assert_uint_eq(before.key_size, 256);
    ck_assert(qkd_eid_eq(before.master_app, kmn_app(net, 0, 0)));
    ck_assert(qkd_eid_eq(before.slave_app, kmn_app(net, 0, 1)));
    ck_assert_uint_eq(before.max_key_per_request, 128);
    ck_assert_uint_gt(before.stored_key_count, 100);
    ck_assert_uint_lt(before.stored_key_count, 4 * 20000 * 8 / 1488);
    struct wire_sae_keys keys = answer(get(0, 40, 0));
    expect_sizes(&keys, 40, 256);
    struct wire_key_status after = status_of(0, QKD_NOBODY, WIRE_REASON_NONE);
    /* The reserve of tags and the rest of a lease that no key fits into make it a little less exact. */
    ck_assert_uint_le(after.stored_key_count, before.stored_key_count - 35);
    ck_assert_uint_ge(after.stored_key_count, before.stored_key_count - 45);
    ck_assert_uint_eq(answer(get(0, 128, 4096)).reason, WIRE_REASON_INSUFFICIENT_KEY);
    (void)status_of(0, qkd_eid_make(QKD_ROLE_APP, 999, 1), WIRE_REASON_UNKNOWN_APPLICATION);
}
END_TEST

/* Without a controller nobody knows what is deliverable over several hops: none is said to be. */
START_TEST(status_without_a_controller)
{
    kmn_free(net);
    struct kmn_config config = kmn_line(2);
    config.no_controller = true;
    begin(&config);
    ck_assert_uint_eq(status_of(0, QKD_NOBODY, WIRE_REASON_NONE).stored_key_count, 0);
}
END_TEST

/* Names that the directory does not know, or does not pair: decided by the KSA. */
START_TEST(directory_decides)
{
    uint8_t bytes[128];
    struct wire_sae_get ask = {.head = {.message_id = ++next_id},
                               .target = qkd_eid_make(QKD_ROLE_APP, 999, 1),
                               .number = 1};
    uint64_t id = inject(0, bytes, wire_sae_get_encode(&ask, bytes, sizeof bytes));
    ck_assert_uint_eq(answer(id).reason, WIRE_REASON_UNKNOWN_APPLICATION);
    ask = (struct wire_sae_get){.head = {.message_id = ++next_id},
                                .target = kmn_app(net, 0, 0),
                                .number = 1};
    id = inject(0, bytes, wire_sae_get_encode(&ask, bytes, sizeof bytes));
    ck_assert_uint_eq(answer(id).reason, WIRE_REASON_UNAUTHORIZED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("km_sae");
    TCase *c = tcase_create("sae");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, both_ends_get_the_same_keys);
    tcase_add_test(c, the_other_way_round);
    tcase_add_test(c, fetch_of_two_sizes);
    tcase_add_test(c, limits);
    tcase_add_test(c, who_may_ask);
    tcase_add_test(c, directory_decides);
    tcase_add_test(c, status_counts_deliverable_keys);
    tcase_add_test(c, status_without_a_controller);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
