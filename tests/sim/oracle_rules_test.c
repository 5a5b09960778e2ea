/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle against a script: three nodes A - B - C (tests/lib/oracle_rig.h). A correct exchange
 * passes and its ledgers are those counted by hand; then each rule is broken once, and the oracle
 * must name it. */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/oracle_rig.h"
#include "watch/oracle_state.h"

/* A key of 256 bits travels from A over B to C. */
static void travel(struct rig *rig)
{
    rig_relay(rig, 0, RIG_GOOD);
    rig_deliver(rig);
    rig_relay(rig, 1, RIG_GOOD);
    rig_deliver(rig);
}

static void compare(struct rig *rig)
{
    rig_notify(rig, 2);
    rig_deliver(rig);
    rig_persist_key(rig, 2, true, WIRE_KEY_WAITING);
    rig_match(rig, 2);
    rig_deliver(rig);
}

static void supply_master(struct rig *rig)
{
    rig_persist_key(rig, 0, false, WIRE_KEY_SUPPLIED);
    rig_supply(rig, 0, false, rig_app(0, 0), rig->key);
}

static void supply_slave(struct rig *rig)
{
    rig_persist_key(rig, 2, true, WIRE_KEY_SUPPLIED);
    rig_supply(rig, 2, true, rig_app(1, 2), rig->key);
}

static void exchange(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    supply_master(rig);
    supply_slave(rig);
}

/* A report of two records: the key on its way, which settles nothing, and its end. */
static void recorded(struct rig *rig, struct qkd_eid by, uint8_t action)
{
    struct wire_life life = {.at = by,
                             .action = WIRE_ACTION_RELAY,
                             .key_class = WIRE_CLASS_KMA,
                             .id = rig->kma_key,
                             .has_hop = true,
                             .hop = 1};
    uint8_t records[256];
    int first = wire_life_encode(&life, records, sizeof records);
    ck_assert_int_gt(first, 0);
    life.action = action;
    life.has_hop = false;
    life.has_reason = true;
    life.reason = WIRE_REASON_RELAY_FAILED;
    int second = wire_life_encode(&life, records + first, sizeof records - (size_t)first);
    ck_assert_int_gt(second, 0);
    struct wire_metadata report = {.head = rig_head(rig, QKD_RP_KMI, by),
                                   .seq = 1,
                                   .source = by,
                                   .records = {records, (size_t)(first + second)}};
    uint8_t bytes[512];
    int len = wire_metadata_encode(&report, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_KMI, by, qkd_eid_sibling(by, QKD_ROLE_KMC), bytes, (size_t)len);
}

/* The end-to-end ledger of the one key: supplied, expired, discarded or in flight. */
static void key_is(const struct rig *rig, enum watch_orc_end end)
{
    struct scn_keys k = watch_oracle_key_ledger(rig->oracle);
    ck_assert_uint_eq(k.drawn, 256);
    ck_assert_uint_eq(k.in_flight, end == WATCH_ORC_KEY_IN_FLIGHT ? 256 : 0);
    ck_assert_uint_eq(k.supplied, end == WATCH_ORC_KEY_SUPPLIED ? 256 : 0);
    ck_assert_uint_eq(k.expired, end == WATCH_ORC_KEY_EXPIRED ? 256 : 0);
    ck_assert_uint_eq(k.discarded, end == WATCH_ORC_KEY_DISCARDED ? 256 : 0);
}

static void ends_well(struct rig *rig)
{
    watch_oracle_finish(rig->oracle, rig->now_ns + 1);
    ck_assert_str_eq(rig_first(rig), "");
    ck_assert_uint_eq(rig_violations(rig), 0);
}

/* ---- what is right ---- */

START_TEST(key_given_up_is_discarded_once)
{
    const struct qkd_eid by[] = {rig_kma(0), rig_ksa(0)}; /* source; master's KSA */
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        struct rig *rig = rig_new();
        rig_ready(rig);
        recorded(rig, by[i], WIRE_ACTION_DISCARD); /* not drawn yet: nothing to settle */
        travel(rig);
        compare(rig);
        key_is(rig, WATCH_ORC_KEY_IN_FLIGHT);
        recorded(rig, rig_kma(1), WIRE_ACTION_DISCARD); /* a hop */
        recorded(rig, rig_ksa(2), WIRE_ACTION_DISCARD); /* the slave's KSA may be asked again */
        key_is(rig, WATCH_ORC_KEY_IN_FLIGHT);
        recorded(rig, by[i], WIRE_ACTION_DISCARD);
        key_is(rig, WATCH_ORC_KEY_DISCARDED);
        recorded(rig, by[i], WIRE_ACTION_DISCARD); /* the report again */
        recorded(rig, rig_kma(2), WIRE_ACTION_EXPIRY);
        rig_crash(rig, 0);
        key_is(rig, WATCH_ORC_KEY_DISCARDED);
        ends_well(rig);
        rig_free(rig);
    }
}
END_TEST

/* The destination wiped its copy; the source relayed once more, and it is supplied after all. */
START_TEST(key_expired_at_the_destination_may_come_again)
{
    struct rig *rig = rig_new();
    rig_ready(rig);
    travel(rig);
    recorded(rig, rig_kma(2), WIRE_ACTION_EXPIRY);
    key_is(rig, WATCH_ORC_KEY_EXPIRED);
    compare(rig);
    supply_master(rig);
    key_is(rig, WATCH_ORC_KEY_SUPPLIED);
    ends_well(rig);
    rig_free(rig);
}
END_TEST

START_TEST(exchange_passes_and_adds_up)
{
    struct rig *rig = rig_new();
    exchange(rig);
    ends_well(rig);
    ck_assert_uint_gt(watch_oracle_verdict(rig->oracle)->checks, 50);
    /* Per link: bootstrap 512 bytes, of which 64 are hash and HELLO keys; two CONFIRM tags and one
     * RELAY tag of 16 bytes; one RELAY body; all else is stored. */
    uint64_t body = 8 * wire_relay_body_bytes(256, 1);
    for (uint32_t link = 0; link < 2; link++) {
        struct scn_bits b = watch_oracle_link_ledger(rig->oracle, link);
        ck_assert_uint_eq(b.generated, 60000);
        ck_assert_uint_eq(b.bootstrap, 4096);
        ck_assert_uint_eq(b.hash_keys, 512);
        ck_assert_uint_eq(b.tags, 3 * 128);
        ck_assert_uint_eq(b.pads, body);
        ck_assert_uint_eq(b.stored, 60000 + 4096 - 512 - 3 * 128 - body);
        ck_assert_uint_eq(b.in_flight + b.relayed_as_key + b.expired + b.discarded, 0);
    }
    struct scn_keys k = watch_oracle_key_ledger(rig->oracle);
    ck_assert_uint_eq(k.drawn, 256);
    ck_assert_uint_eq(k.supplied, 256);
    ck_assert_uint_eq(k.in_flight + k.relayed_as_key + k.discarded + k.expired, 0);
    ck_assert_uint_eq(watch_oracle_verdict(rig->oracle)->supplied_unanswered, 0);
    rig_free(rig);
}
END_TEST

START_TEST(pool_units_pass_and_add_up)
{
    struct rig *rig = rig_new();
    rig_ready(rig);
    rig_take(rig);
    rig_deliver(rig);
    rig_notify(rig, 1);
    rig_persist_key(rig, 1, true, WIRE_KEY_WAITING);
    rig_match(rig, 1);
    rig_deliver(rig);
    rig_persist_key(rig, 0, false, WIRE_KEY_SUPPLIED);
    rig_supply(rig, 0, false, rig_app(2, 0), rig->key);
    ends_well(rig);
    struct scn_bits b = watch_oracle_link_ledger(rig->oracle, 0);
    ck_assert_uint_eq(b.relayed_as_key, 256);
    ck_assert_uint_eq(b.tags, 2 * 128 + 128 + 256); /* CONFIRMs; its tag and compare key */
    ck_assert_uint_eq(b.pads, 0);
    struct scn_keys k = watch_oracle_key_ledger(rig->oracle);
    ck_assert_uint_eq(k.relayed_as_key, 256);
    ck_assert_uint_eq(k.supplied, 256);
    rig_free(rig);
}
END_TEST

START_TEST(repetition_loss_and_grant_pass)
{
    struct rig *rig = rig_new();
    rig_ready(rig);
    rig_relay(rig, 0, RIG_GOOD);
    uint64_t length = 8 * (wire_relay_body_bytes(256, 1) + 16);
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).in_flight, length);
    rig_relay_again(rig, RIG_GOOD); /* the first was lost */
    rig_deliver(rig);
    rig_deliver(rig); /* a duplicate */
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).in_flight, 0);
    rig_grant(rig, 0, 0, 3200, RIG_MID); /* A gives the tail of its half to B */
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).in_flight,
                      8 * (RIG_MID - 3200) + 128);
    rig_deliver(rig);
    rig_chunk(rig, 0, 1,
              &(struct wire_p_chunk){
                  .block = 1, .start = 3200, .end = RIG_MID, .mine = 1, .lease = RIG_MID});
    rig_use(rig, 0, 1, 3200);
    rig_deliver(rig);
    rig_skip(rig, 0, 0, 1000, 1100, WIRE_REASON_EXPIRED);
    rig_deliver(rig);
    rig_skip(rig, 0, 0, 1100, 1150, WIRE_REASON_GONE);
    rig_deliver(rig);
    ends_well(rig);
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).expired, 800);
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 400);
    rig_free(rig);
}
END_TEST

START_TEST(crash_makes_the_lease_void_and_the_answer_unanswered)
{
    struct rig *rig = rig_new();
    rig_ready(rig);
    travel(rig);
    compare(rig);
    rig_persist_key(rig, 0, false, WIRE_KEY_SUPPLIED);
    rig_crash(rig, 0); /* the answer never left */
    ck_assert_uint_eq(watch_oracle_verdict(rig->oracle)->supplied_unanswered, 256);
    ck_assert_uint_eq(watch_oracle_key_ledger(rig->oracle).supplied, 256);
    /* A's half of block 1 is leased up to byte 2048: the rest of the lease is in flight, as is
     * what was left of A's half of block 0 (224 bytes, one tag used). */
    uint32_t used = (uint32_t)wire_relay_body_bytes(256, 1) + 16;
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).in_flight,
                      8 * (2048 - used) + 8 * (224 - 16));
    rig_chunk(
        rig, 0, 0,
        &(struct wire_p_chunk){.block = 1, .start = 0, .end = RIG_MID, .mine = 1, .lease = 3000});
    rig_use(rig, 0, 0, 2048);
    rig_deliver(rig);
    struct wire_skip_body body = {.block = 1, .start = 0, .end = 2048, .reason = WIRE_REASON_GONE};
    uint8_t bytes[64];
    int len = wire_skip_body_encode(&body, bytes, sizeof bytes);
    rig_frame_send(rig, &(struct rig_frame){.link = 0,
                                            .side = 0,
                                            .type = WIRE_FRAME_SKIP,
                                            .block = 1,
                                            .offset = 2900,
                                            .length = 16,
                                            .body = bytes,
                                            .body_len = (size_t)len});
    rig_deliver(rig);
    ends_well(rig);
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 8 * (2048 - used));
    rig_free(rig);
}
END_TEST

/* ---- what is wrong ---- */

static void reuse_after_restart(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_crash(rig, 0);
    rig_use(rig, 0, 0, 0);
}

static void reuse_by_another_frame(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_use(rig, 0, 0, 100);
}

static void void_lease(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_crash(rig, 0);
    rig_use(rig, 0, 0, 1024); /* leased, not used, before the crash */
}

static void no_lease(struct rig *rig)
{
    rig_ready(rig);
    rig_use(rig, 0, 0, 2500);
}

static void same_epoch(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_crash(rig, 0);
    rig->side[0][0].epoch--;
    rig->side[0][0].seq = 1000;
    rig_use(rig, 0, 0, 2048);
}

static void wrong_owner(struct rig *rig)
{
    rig_ready(rig);
    rig_chunk(rig, 0, 0,
              &(struct wire_p_chunk){
                  .block = 1, .start = 0, .end = RIG_BLOCK_BYTES, .mine = 1, .lease = 5000});
    rig_use(rig, 0, 0, RIG_MID);
}

static void outside_block(struct rig *rig)
{
    rig_ready(rig);
    rig_chunk(
        rig, 0, 0,
        &(struct wire_p_chunk){.block = 1, .start = 0, .end = 9000, .mine = 1, .lease = 9000});
    rig_use(rig, 0, 0, RIG_BLOCK_BYTES);
}

static void half_confirmed(struct rig *rig, bool answer)
{
    rig_boot(rig);
    rig_generate(rig, 0);
    rig_file(rig, 0, 0);
    rig_file(rig, 0, 1);
    rig_confirm(rig, 0, 0);
    rig_deliver(rig);
    if (answer) {
        rig_confirm(rig, 0, 1);
    }
    rig_chunks(rig, 0, 0);
    rig_use(rig, 0, 0, 0);
}

static void before_answer_sent(struct rig *rig)
{
    half_confirmed(rig, false);
}

static void before_answer_delivered(struct rig *rig)
{
    half_confirmed(rig, true);
}

static void answer_not_asked(struct rig *rig)
{
    rig_boot(rig);
    rig_generate(rig, 0);
    rig_file(rig, 0, 1);
    rig_confirm(rig, 0, 1);
}

static void confirmed_without_file(struct rig *rig)
{
    rig_boot(rig);
    rig_generate(rig, 0);
    rig_confirm(rig, 0, 0);
}

static void file_differs(struct rig *rig)
{
    rig_boot(rig);
    rig_generate(rig, 0);
    rig->seed[0][5] ^= 1;
    rig_file(rig, 0, 0);
}

static void never_generated(struct rig *rig)
{
    rig_boot(rig);
    rig_confirm(rig, 0, 0);
}

static void changed_repetition(struct rig *rig)
{
    rig_ready(rig);
    rig_relay(rig, 0, RIG_GOOD);
    rig_relay_again(rig, RIG_CHANGED_AGAIN);
}

static void repetition_of_nothing(struct rig *rig)
{
    rig_ready(rig);
    rig_relay(rig, 0, RIG_GOOD);
    wire_put_u32(rig->last_bytes + 20, 77); /* another frame number */
    rig_relay_again(rig, RIG_GOOD);
}

static void bad_tag(struct rig *rig)
{
    rig_boot(rig);
    rig_generate(rig, 0);
    rig_file(rig, 0, 0);
    rig->boot[0] ^= 1; /* another hash key; control frames are all verified */
    rig_confirm(rig, 0, 0);
}

static void bad_body(struct rig *rig)
{
    rig_ready(rig);
    rig_relay(rig, 0, RIG_BAD_BODY); /* the first of each 64 RELAYs is opened */
}

static void bad_relay_tag(struct rig *rig)
{
    rig_ready(rig);
    rig_relay(rig, 0, RIG_BAD_TAG);
}

static void used_after_grant(struct rig *rig)
{
    rig_ready(rig);
    rig_grant(rig, 0, 0, 0, 320);
    rig_use(rig, 0, 0, 0);
}

static void used_before_grant(struct rig *rig)
{
    rig_ready(rig);
    rig_grant(rig, 0, 0, 0, 320);
    rig_chunk(rig, 0, 1,
              &(struct wire_p_chunk){.block = 1, .start = 0, .end = 320, .mine = 1, .lease = 320});
    rig_use(rig, 0, 1, 0);
}

static void grant_of_used(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_grant(rig, 0, 0, 0, 320);
}

static void used_after_skip(struct rig *rig)
{
    rig_ready(rig);
    rig_skip(rig, 0, 0, 0, 320, WIRE_REASON_EXPIRED);
    rig_use(rig, 0, 0, 0);
}

static void skip_of_foreign(struct rig *rig)
{
    rig_ready(rig);
    rig_skip(rig, 0, 0, 4000, 4100, WIRE_REASON_EXPIRED);
}

static void other_key_at_hop(struct rig *rig)
{
    rig_ready(rig);
    rig_relay(rig, 0, RIG_GOOD);
    rig->key[31] ^= 1;
    rig_relay(rig, 1, RIG_GOOD);
}

static void not_compared(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_notify(rig, 2);
    rig_persist_key(rig, 2, true, WIRE_KEY_WAITING);
    rig_match(rig, 2); /* lost */
    supply_master(rig);
}

static void match_not_persisted(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    rig_notify(rig, 2);
    rig_match(rig, 2);
}

static void supply_not_persisted(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    rig_supply(rig, 0, false, rig_app(0, 0), rig->key);
}

static void master_twice(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    supply_master(rig);
    supply_master(rig);
}

static void slave_twice(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    supply_slave(rig);
    rig_crash(rig, 2);
    supply_slave(rig);
}

static void again_after_all(struct rig *rig)
{
    exchange(rig);
    rig_supply(rig, 2, true, rig_app(1, 2), rig->key);
}

static void again_after_crash(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    rig_persist_key(rig, 0, false, WIRE_KEY_SUPPLIED);
    rig_crash(rig, 0);
    rig_supply(rig, 0, false, rig_app(0, 0), rig->key);
}

static void forgotten_request(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    rig_crash(rig, 0);
    rig_supply(rig, 0, false, rig_app(0, 0), rig->key);
}

static void supplied_though_given_up(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    recorded(rig, rig_kma(0), WIRE_ACTION_DISCARD);
    supply_master(rig);
}

static void supplied_after_crash(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    rig_crash(rig, 0);
    supply_master(rig);
}

static void given_up_though_supplied(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    supply_master(rig);
    recorded(rig, rig_ksa(0), WIRE_ACTION_DISCARD);
}

static void record_cut_off(struct rig *rig)
{
    static const uint8_t records[] = {0, 0, 0, 60, 0, 0, 0, 0};
    struct wire_metadata report = {.head = rig_head(rig, QKD_RP_KMI, rig_kma(0)),
                                   .seq = 1,
                                   .source = rig_kma(0),
                                   .records = {records, sizeof records}};
    uint8_t bytes[128];
    int len = wire_metadata_encode(&report, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_ready(rig);
    rig_message(rig, QKD_RP_KMI, rig_kma(0), qkd_eid_sibling(rig_kma(0), QKD_ROLE_KMC), bytes,
                (size_t)len);
}

static void foreign_application(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    rig_persist_key(rig, 2, true, WIRE_KEY_SUPPLIED);
    rig_supply(rig, 2, true, rig_app(5, 2), rig->key);
}

static void other_bits_supplied(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    compare(rig);
    supply_master(rig);
    rig->key[0] ^= 1;
    supply_slave(rig);
}

static void key_in_clear(struct rig *rig)
{
    rig_ready(rig);
    travel(rig);
    uint8_t message[128];
    struct wire_grant_request request = {.head = rig_head(rig, QKD_RP_KX1, rig_kma(0))};
    int len = wire_grant_request_encode(&request, message, sizeof message);
    rig_message(rig, QKD_RP_KX1, rig_kma(0), rig_kma(1), message, (size_t)len);
    memcpy(rig->last_bytes + 21, rig->key, 32); /* at no round offset */
    watch_oracle_send(rig->oracle, rig->now_ns, &rig->last, rig->last_bytes, message);
}

static void seed_in_clear(struct rig *rig)
{
    rig_ready(rig);
    rig_message(rig, QKD_RP_KX1, rig_kma(0), rig_kma(1), rig->boot, 0);
    memcpy(rig->last_bytes + 3, rig->seed[1], 20); /* a part of it */
    watch_oracle_send(rig->oracle, rig->now_ns, &rig->last, rig->last_bytes, NULL);
}

static void sealed_in_clear(struct rig *rig)
{
    uint8_t message[128];
    struct wire_grant_request request = {.head = rig_head(rig, QKD_RP_KX1, rig_kma(0))};
    int len = wire_grant_request_encode(&request, message, sizeof message);
    struct qkd_send send = {.rp = QKD_RP_KX1,
                            .from = rig_kma(0),
                            .to = rig_kma(1),
                            .bytes = {0, (uint32_t)len},
                            .observed = {0, (uint32_t)len}};
    watch_oracle_send(rig->oracle, rig->now_ns, &send, message, message);
}

static void wrong_place(struct rig *rig, enum qkd_rp head_rp, struct qkd_eid to)
{
    uint8_t message[128];
    struct wire_grant_request request = {.head = rig_head(rig, head_rp, rig_kma(0))};
    int len = wire_grant_request_encode(&request, message, sizeof message);
    rig_message(rig, QKD_RP_KX1, rig_kma(0), to, message, (size_t)len);
}

static void wrong_reference_point(struct rig *rig)
{
    wrong_place(rig, QKD_RP_KX2, rig_kma(1));
}

static void wrong_role(struct rig *rig)
{
    wrong_place(rig, QKD_RP_KX1, rig_ksa(1));
}

static void wrong_command(struct rig *rig)
{
    uint8_t message[128];
    struct wire_kmi_drop drop = {.head = rig_head(rig, QKD_RP_KX1, rig_kma(0))};
    int len = wire_kmi_drop_encode(&drop, message, sizeof message);
    rig_message(rig, QKD_RP_KX1, rig_kma(0), rig_kma(1), message, (size_t)len);
}

static void wrong_sender(struct rig *rig)
{
    uint8_t message[128];
    struct wire_grant_request request = {.head = rig_head(rig, QKD_RP_KX1, rig_kma(2))};
    int len = wire_grant_request_encode(&request, message, sizeof message);
    rig_message(rig, QKD_RP_KX1, rig_kma(0), rig_kma(1), message, (size_t)len);
}

/* A deletes its chunk with key in it and tells B nothing, though B hears of it for long after. */
static void missing_skip(struct rig *rig)
{
    rig_ready(rig);
    rig_chunk_delete(rig, 0, 0, 1, 0);
    rig->now_ns += 60 * QKD_NS_PER_S;
    rig_skip(rig, 0, 0, 0, 0, WIRE_REASON_GONE); /* any word of A */
    rig_deliver(rig);
    watch_oracle_finish(rig->oracle, rig->now_ns);
}

/* The books themselves: one byte moved by hand is found by the recount. */
static void ledger_off_by_one(struct rig *rig)
{
    exchange(rig);
    rig->oracle->links[1].bytes[WATCH_ORC_STORED]--;
    rig->oracle->links[1].bytes[WATCH_ORC_PADS]++;
    watch_oracle_finish(rig->oracle, rig->now_ns);
}

static void keys_off_by_one(struct rig *rig)
{
    exchange(rig);
    rig->oracle->key_bits[WATCH_ORC_KEY_SUPPLIED]++;
    watch_oracle_finish(rig->oracle, rig->now_ns);
}

static const struct mistake {
    const char *name;
    void (*make)(struct rig *rig);
    const char *found; /* how the text of the first violation begins */
} mistakes[] = {
    {"reuse after restart", reuse_after_restart, "rule 2: pad reuse"},
    {"reuse by another frame", reuse_by_another_frame, "rule 2: pad reuse"},
    {"void lease", void_lease, "rule 2: pad of a lease that a crash made void"},
    {"no lease", no_lease, "rule 2: pad used outside its persisted lease"},
    {"same epoch", same_epoch, "rule 2: epoch"},
    {"wrong owner", wrong_owner, "rule 1: pad of the other owner"},
    {"outside block", outside_block, "rule 1: pad range outside its block"},
    {"before answer sent", before_answer_sent, "rule 1: pads of a block that is not confirmed"},
    {"before answer delivered", before_answer_delivered, "rule 1: pads used before the other KMA"},
    {"answer not asked", answer_not_asked, "rule 1: answer to a confirmation"},
    {"confirmed without file", confirmed_without_file, "rule 1: block confirmed by a KMA"},
    {"file differs", file_differs, "rule 1: key file differs"},
    {"never generated", never_generated, "rule 1: confirmation of a block never generated"},
    {"changed repetition", changed_repetition, "rule 2: pad reuse: a frame sent again"},
    {"repetition of nothing", repetition_of_nothing, "rule 2: a frame sent again that was never"},
    {"bad tag", bad_tag, "rule 3: tag"},
    {"bad body", bad_body, "rule 3: body is not the plain text under its pad"},
    {"bad relay tag", bad_relay_tag, "rule 3: tag"},
    {"used after grant", used_after_grant, "rule 1: pad used after it was granted away"},
    {"used before grant", used_before_grant, "rule 1: pad used before its GRANT arrived"},
    {"grant of used", grant_of_used, "rule 1: GRANT of bytes that its sender used"},
    {"used after skip", used_after_skip, "rule 1: pad used after it was given up"},
    {"skip of foreign", skip_of_foreign, "rule 1: SKIP of bytes of the other owner"},
    {"other key at hop", other_key_at_hop, "rule 4: a key travels on with other bits"},
    {"not compared", not_compared, "rule 4: a key is released before both"},
    {"match not persisted", match_not_persisted, "rule 4: match answered before"},
    {"supply not persisted", supply_not_persisted, "rule 5: a supply leaves before"},
    {"master twice", master_twice, "rule 5: a key is supplied twice"},
    {"slave twice", slave_twice, "rule 5: a key is supplied twice"},
    {"again after all", again_after_all, "rule 5: a key is supplied that was not compared"},
    {"again after crash", again_after_crash, "rule 5: a key is supplied twice"},
    {"forgotten request", forgotten_request, "rule 5: "},
    {"supplied though given up", supplied_though_given_up, "rule 5: a key is supplied that its"},
    {"supplied after crash", supplied_after_crash, "rule 5: a key is supplied that its source"},
    {"given up though supplied", given_up_though_supplied, "rule 6: a key that was supplied"},
    {"record cut off", record_cut_off, "rule 6: METADATA malformed"},
    {"foreign application", foreign_application, "rule 5: a key is supplied to an application"},
    {"other bits supplied", other_bits_supplied, "rule 4: the key supplied is not the one"},
    {"key in clear", key_in_clear, "leak: key bits in clear"},
    {"seed in clear", seed_in_clear, "leak: key bits in clear"},
    {"sealed in clear", sealed_in_clear, "rule 9: message outside the record layer"},
    {"wrong reference point", wrong_reference_point, "place: message at a reference point"},
    {"wrong role", wrong_role, "place: roles that do not meet"},
    {"wrong command", wrong_command, "place: message at a reference point"},
    {"wrong sender", wrong_sender, "place: message that names another sender"},
    {"missing SKIP", missing_skip, "rule 6: bits given up without a SKIP"},
    {"ledger off by one", ledger_off_by_one, "rule 6: ledger of a link"},
    {"keys off by one", keys_off_by_one, "rule 6: bits of keys"},
};

START_TEST(mistake_is_found)
{
    const struct mistake *m = &mistakes[_i];
    struct rig *rig = rig_new();
    m->make(rig);
    const char *first = rig_first(rig);
    ck_assert_msg(strncmp(first, m->found, strlen(m->found)) == 0,
                  "%s: expected \"%s\", got \"%s\"", m->name, m->found, first);
    ck_assert_uint_gt(rig_violations(rig), 0);
    rig_free(rig);
}
END_TEST

START_TEST(mismatch_is_counted)
{
    struct rig *rig = rig_new();
    other_bits_supplied(rig);
    ck_assert_uint_eq(watch_oracle_verdict(rig->oracle)->mismatched_pairs, 1);
    rig_free(rig);
}
END_TEST

START_TEST(violation_names_who_and_where)
{
    struct rig *rig = rig_new();
    reuse_by_another_frame(rig);
    const char *first = rig_first(rig);
    ck_assert_ptr_nonnull(strstr(first, "KMA A -> KMA B"));
    ck_assert_ptr_nonnull(strstr(first, "link AB, block 1, bytes 100 to "));
    rig_free(rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracle_rules");
    TCase *right = tcase_create("right");
    tcase_add_test(right, exchange_passes_and_adds_up);
    tcase_add_test(right, pool_units_pass_and_add_up);
    tcase_add_test(right, repetition_loss_and_grant_pass);
    tcase_add_test(right, key_given_up_is_discarded_once);
    tcase_add_test(right, key_expired_at_the_destination_may_come_again);
    tcase_add_test(right, crash_makes_the_lease_void_and_the_answer_unanswered);
    suite_add_tcase(suite, right);
    TCase *wrong = tcase_create("wrong");
    tcase_add_loop_test(wrong, mistake_is_found, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_test(wrong, mismatch_is_counted);
    tcase_add_test(wrong, violation_names_who_and_where);
    suite_add_tcase(suite, wrong);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
