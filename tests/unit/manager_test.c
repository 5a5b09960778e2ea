/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN manager against scripted KMCs, a module and a controller (FG QIT4N D2.3 clauses 7.1.6, 9;
 * docs/protocol.md, "Management"): order and gaps of reports, alarms, accounting, performance,
 * life-cycle records. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/manager/manager.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(mgr)

enum { LIFE_LIMIT = 100, ALARM_LIMIT = 4 };

static const struct qkd_eid manager = {(uint64_t)QKD_ROLE_MANAGER << 56 | 91};
static const struct qkd_eid controller_eid = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 92};
static const struct qkd_eid kmc_eid = {(uint64_t)QKD_ROLE_KMC << 56 | 7};
static const struct qkd_eid kma_eid = {(uint64_t)QKD_ROLE_KMA << 56 | 7};
static const struct qkd_eid ksa_eid = {(uint64_t)QKD_ROLE_KSA << 56 | 7};
static const struct qkd_eid module_eid = {(uint64_t)QKD_ROLE_MODULE << 56 | 7};
static const struct qkd_eid foreign_kma = {(uint64_t)QKD_ROLE_KMA << 56 | 8};
static const struct qkd_eid app = {(uint64_t)QKD_ROLE_APP << 56 | 7};
static const struct qkd_eid peer_app = {(uint64_t)QKD_ROLE_APP << 56 | 8};

static struct pump *pump;
static struct mgr *mgr;
static struct puppet *kmc;

static void manager_make(bool report_life)
{
    struct mgr_config config = {.self = manager,
                                .controller = controller_eid,
                                .peer_limit = 8,
                                .life_limit = LIFE_LIMIT,
                                .alarm_limit = ALARM_LIMIT,
                                .report_life = report_life};
    ck_assert_int_eq(mgr_new(&config, &mgr), 0);
    pump_add(
        pump, manager,
        (struct pump_element){.self = mgr, .step = pump_mgr_step, .deadline = pump_mgr_deadline});
    pump_start(pump, manager);
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    manager_make(true);
    kmc = puppet_new(pump, kmc_eid);
    puppet_open(kmc, QKD_RP_MK, manager);
    pump_run(pump, qkd_span_ms(100));
}

static void teardown(void)
{
    puppet_free(kmc);
    mgr_free(mgr);
    pump_free(pump);
}

static struct qkd_id id_make(uint32_t n)
{
    struct qkd_id id = {{0}};
    wire_put_u32(id.b + 12, n);
    return id;
}

/* ---- sending ---- */

static uint8_t blob[65536];
static size_t blob_len;

static void life_add(const struct wire_life *life)
{
    int len = wire_life_encode(life, blob + blob_len, sizeof blob - blob_len);
    ck_assert_int_gt(len, 0);
    blob_len += (size_t)len;
}

static struct wire_life life_make(uint32_t id, uint8_t action)
{
    return (struct wire_life){
        .when = {action}, .at = kma_eid, .action = action, .key_class = 1, .id = id_make(id)};
}

/* `after`: the report before it that the sender still keeps. */
static void metadata_send_after(uint64_t seq, uint64_t after)
{
    struct wire_metadata report = {
        .seq = seq, .after = after, .source = kma_eid, .records = {blob, blob_len}};
    PUPPET_SEND(kmc, metadata, QKD_RP_MK, manager, &report);
    pump_run(pump, qkd_span_ms(5));
    blob_len = 0;
}

static void metadata_send(uint64_t seq)
{
    metadata_send_after(seq, seq - 1);
}

static void life_send_after(uint64_t seq, uint64_t after, uint32_t id, uint8_t action)
{
    struct wire_life life = life_make(id, action);
    life_add(&life);
    metadata_send_after(seq, after);
}

static void life_send(uint64_t seq, uint32_t id, uint8_t action)
{
    struct wire_life life = life_make(id, action);
    life_add(&life);
    metadata_send(seq);
}

static void fault_add(uint8_t fault, uint64_t object, uint8_t raised, struct qkd_eid at)
{
    struct wire_fault_record record = {
        .at = at, .fault = fault, .object = object, .raised = raised, .count = 1};
    int len = wire_fault_record_encode(&record, blob + blob_len, sizeof blob - blob_len);
    ck_assert_int_gt(len, 0);
    blob_len += (size_t)len;
}

static void faults_send(uint64_t seq)
{
    struct wire_fault report = {.seq = seq, .source = kma_eid, .records = {blob, blob_len}};
    PUPPET_SEND(kmc, fault, QKD_RP_MK, manager, &report);
    pump_run(pump, qkd_span_ms(5));
    blob_len = 0;
}

static void security_send(uint64_t seq)
{
    struct wire_security report = {.seq = seq, .source = kma_eid, .records = {blob, blob_len}};
    PUPPET_SEND(kmc, security, QKD_RP_MK, manager, &report);
    pump_run(pump, qkd_span_ms(5));
    blob_len = 0;
}

/* The last acknowledgement; 0: none. */
static uint64_t acked(void)
{
    pump_run(pump, qkd_span_ms(200));
    size_t count = puppet_count(kmc, WIRE_CMD_REPORT_ACK);
    struct wire_report_ack ack = {.seq = 0};
    if (count > 0) {
        const struct puppet_message *m = puppet_get(kmc, WIRE_CMD_REPORT_ACK, count - 1);
        ck_assert_int_eq(wire_report_ack_decode(&ack, m->bytes.at, m->bytes.len), 0);
    }
    return ack.seq;
}

/* ---- numbers ---- */

START_TEST(reports_are_acknowledged_together)
{
    for (uint64_t seq = 1; seq <= 5; seq++) {
        life_send(seq, 1, WIRE_ACTION_STORAGE);
    }
    ck_assert_uint_eq(acked(), 5);
    ck_assert_uint_eq(puppet_count(kmc, WIRE_CMD_REPORT_ACK), 1);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 5);
    ck_assert_uint_eq(mgr_counts(mgr).gaps, 0);
}
END_TEST

START_TEST(duplicates_are_stored_once)
{
    life_send(1, 1, WIRE_ACTION_STORAGE);
    ck_assert_uint_eq(acked(), 1);
    life_send(1, 1, WIRE_ACTION_STORAGE);
    ck_assert_uint_eq(acked(), 1);
    ck_assert_uint_eq(puppet_count(kmc, WIRE_CMD_REPORT_ACK), 2);
    ck_assert_uint_eq(mgr_counts(mgr).life_records, 1);
}
END_TEST

START_TEST(lost_report_is_waited_for)
{
    life_send(1, 1, WIRE_ACTION_STORAGE);
    life_send(3, 1, WIRE_ACTION_SUPPLY); /* 2 was lost */
    ck_assert_uint_eq(acked(), 1);
    life_send(2, 1, WIRE_ACTION_RELAY);
    life_send(3, 1, WIRE_ACTION_SUPPLY);
    ck_assert_uint_eq(acked(), 3);
    struct wire_life records[4];
    struct qkd_id id = id_make(1);
    ck_assert_uint_eq(mgr_trace(mgr, &id, records, 4), 3);
    ck_assert_uint_eq(records[0].action, WIRE_ACTION_STORAGE);
    ck_assert_uint_eq(records[1].action, WIRE_ACTION_RELAY);
    ck_assert_uint_eq(records[2].action, WIRE_ACTION_SUPPLY);
    ck_assert_uint_eq(mgr_counts(mgr).gaps, 0);
}
END_TEST

START_TEST(dropped_reports_are_counted)
{
    life_send(1, 1, WIRE_ACTION_STORAGE);
    life_send_after(5, 1, 1, WIRE_ACTION_SUPPLY); /* 2, 3, 4 were dropped by the sender */
    ck_assert_uint_eq(acked(), 5);
    ck_assert_uint_eq(mgr_counts(mgr).gaps, 3);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 2);
    life_send(4, 1, WIRE_ACTION_SUPPLY); /* late: it is no longer waited for */
    ck_assert_uint_eq(acked(), 5);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 2);
}
END_TEST

/* What the sender still keeps is waited for however long it takes. */
START_TEST(kept_reports_are_not_given_up)
{
    life_send(1, 1, WIRE_ACTION_STORAGE);
    for (int i = 0; i < 20; i++) {
        life_send(3, 1, WIRE_ACTION_SUPPLY); /* 2 does not come through */
        life_send(4, 1, WIRE_ACTION_SUPPLY);
        pump_run(pump, qkd_span_ms(1000));
    }
    ck_assert_uint_eq(acked(), 1);
    life_send(2, 1, WIRE_ACTION_SUPPLY);
    life_send(4, 1, WIRE_ACTION_SUPPLY); /* 3 is lost once more */
    ck_assert_uint_eq(acked(), 2);
    life_send_after(4, 2, 1, WIRE_ACTION_SUPPLY); /* and dropped */
    ck_assert_uint_eq(acked(), 4);
    ck_assert_uint_eq(mgr_counts(mgr).gaps, 1);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 3);
    life_send_after(UINT64_MAX, 0, 1, WIRE_ACTION_SUPPLY); /* nothing could follow */
    ck_assert_uint_eq(acked(), 4);
}
END_TEST

START_TEST(restarted_sender_counts_from_one)
{
    life_send(1, 1, WIRE_ACTION_STORAGE);
    life_send(2, 1, WIRE_ACTION_STORAGE);
    ck_assert_uint_eq(acked(), 2);
    puppet_free(kmc);
    pump_crash(pump, kmc_eid);
    kmc = puppet_new(pump, kmc_eid); /* incarnation 2 */
    puppet_open(kmc, QKD_RP_MK, manager);
    pump_run(pump, qkd_span_ms(500));
    life_send(1, 1, WIRE_ACTION_STORAGE);
    ck_assert_uint_eq(acked(), 1);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 3);
    ck_assert_uint_eq(mgr_counts(mgr).gaps, 0);
}
END_TEST

/* A manager that comes back knows nothing of what it has acknowledged: no gap. */
START_TEST(restarted_manager_counts_no_gap)
{
    life_send(1, 1, WIRE_ACTION_STORAGE);
    ck_assert_uint_eq(acked(), 1);
    pump_crash(pump, manager);
    mgr_free(mgr);
    manager_make(true);
    for (int i = 0; i < 10; i++) {
        life_send_after(9, 0, 1, WIRE_ACTION_STORAGE); /* 8 was acknowledged */
        pump_run(pump, qkd_span_ms(1000));
    }
    ck_assert_uint_eq(acked(), 9);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 1);
    ck_assert_uint_eq(mgr_counts(mgr).gaps, 0);
}
END_TEST

/* The controller has nothing to say: the manager that comes back opens their channel itself. A first
 * start leaves it to the controller. */
START_TEST(restarted_manager_greets_the_controller)
{
    struct puppet *controller = puppet_new(pump, controller_eid);
    pump_run(pump, qkd_span_s(5));
    ck_assert(!puppet_is_up(controller, QKD_RP_MC, manager));
    puppet_open(controller, QKD_RP_MC, manager);
    pump_run(pump, qkd_span_ms(500));
    ck_assert(puppet_is_up(controller, QKD_RP_MC, manager));
    size_t before = pump_report_count(pump, QKD_REPORT_PEER_UP, manager);
    pump_crash(pump, manager);
    mgr_free(mgr);
    manager_make(true);
    pump_run(pump, qkd_span_s(1));
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_PEER_UP, manager), before + 1);
    puppet_free(controller);
    pump_crash(pump, controller_eid);
}
END_TEST

START_TEST(sources_are_checked)
{
    struct wire_life life = life_make(1, WIRE_ACTION_STORAGE);
    life_add(&life);
    struct wire_metadata report = {.seq = 1, .source = foreign_kma, .records = {blob, blob_len}};
    PUPPET_SEND(kmc, metadata, QKD_RP_MK, manager, &report);
    pump_run(pump, qkd_span_ms(5));
    blob_len = 0;
    ck_assert_uint_eq(mgr_counts(mgr).life_records, 0);
    ck_assert_uint_eq(acked(), 1);                      /* or it would come for ever */
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, foreign_kma); /* own report about another's fault */
    faults_send(2);
    ck_assert_uint_eq(mgr_counts(mgr).alarms_raised, 0);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_BAD_BYTES, manager), 1);
}
END_TEST

START_TEST(torn_records_are_not_stored)
{
    struct wire_life life = life_make(1, WIRE_ACTION_STORAGE);
    life_add(&life);
    life_add(&life);
    blob_len--;
    metadata_send(1);
    ck_assert_uint_eq(mgr_counts(mgr).life_records, 0);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_LIFE, manager), 0);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_BAD_BYTES, manager), 1);
    ck_assert_uint_eq(acked(), 1);
}
END_TEST

START_TEST(loss_reorders_nothing)
{
    pump_set_chances(pump, 20, 20, 20);
    uint64_t first = 1; /* not acknowledged yet */
    for (int round = 0; round < 300 && first <= 40; round++) {
        for (uint64_t seq = first; seq < first + 4 && seq <= 40; seq++) {
            life_send(seq, 1, (uint8_t)(1 + seq % 10));
        }
        first = acked() + 1 > first ? acked() + 1 : first;
    }
    ck_assert_uint_eq(first, 41);
    struct wire_life records[64];
    struct qkd_id id = id_make(1);
    ck_assert_uint_eq(mgr_trace(mgr, &id, records, 64), 40);
    for (uint64_t seq = 1; seq <= 40; seq++) {
        ck_assert_uint_eq(records[seq - 1].action, 1 + seq % 10);
    }
}
END_TEST

/* ---- alarms ---- */

static void expect_alarm(size_t n, uint8_t fault, uint64_t object, uint64_t raised)
{
    const struct qkd_report *report = pump_report(pump, QKD_REPORT_ALARM, manager, n);
    ck_assert_ptr_nonnull(report);
    ck_assert_uint_eq(report->a, fault);
    ck_assert_uint_eq(report->b, raised);
    ck_assert_uint_eq(report->c, object);
}

START_TEST(alarms_are_raised_and_cleared)
{
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, kma_eid);
    fault_add(WIRE_FAULT_LINK_DOWN, 2, 1, kma_eid);
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, kma_eid); /* stands already */
    fault_add(WIRE_FAULT_POOL_LOW, 1, 0, kma_eid);  /* does not stand */
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 0, kma_eid);
    faults_send(1);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_ALARM, manager), 3);
    expect_alarm(0, WIRE_FAULT_LINK_DOWN, 1, 1);
    expect_alarm(1, WIRE_FAULT_LINK_DOWN, 2, 1);
    expect_alarm(2, WIRE_FAULT_LINK_DOWN, 1, 0);
    ck_assert_uint_eq(pump_report(pump, QKD_REPORT_ALARM, manager, 0)->peer.v, kma_eid.v);
    struct mgr_counts counts = mgr_counts(mgr);
    ck_assert_uint_eq(counts.alarms_raised, 2);
    ck_assert_uint_eq(counts.alarms_cleared, 1);
    ck_assert_uint_eq(counts.alarms_standing, 1);
}
END_TEST

START_TEST(restart_of_an_element_voids_its_alarms)
{
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, kma_eid);
    fault_add(WIRE_FAULT_POOL_LOW, 1, 1, kma_eid);
    fault_add(WIRE_FAULT_KEY_MISMATCH, 0, 1, ksa_eid);
    faults_send(1);
    fault_add(0, 0, 0, kma_eid);
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, kma_eid);
    faults_send(2);
    struct mgr_counts counts = mgr_counts(mgr);
    ck_assert_uint_eq(counts.alarms_raised, 4);
    ck_assert_uint_eq(counts.alarms_cleared, 2);
    ck_assert_uint_eq(counts.alarms_standing, 2); /* the KSA's, and the one raised anew */
}
END_TEST

START_TEST(security_alarms_clear_when_quiet)
{
    fault_add(WIRE_FAULT_AUTH_FAILURE, QKD_RP_KX1, 1, kma_eid);
    security_send(1);
    expect_alarm(0, WIRE_FAULT_AUTH_FAILURE, QKD_RP_KX1, 1);
    pump_run(pump, qkd_span_s(40));
    fault_add(WIRE_FAULT_AUTH_FAILURE, QKD_RP_KX1, 1, kma_eid);
    security_send(2);
    pump_run(pump, qkd_span_s(40));
    ck_assert_uint_eq(mgr_counts(mgr).alarms_standing, 1); /* 40 s after the last */
    pump_run(pump, qkd_span_s(31));
    ck_assert_uint_eq(mgr_counts(mgr).alarms_standing, 0);
    expect_alarm(1, WIRE_FAULT_AUTH_FAILURE, QKD_RP_KX1, 0);
    ck_assert_int_eq(mgr_deadline(mgr).ns, QKD_NEVER.ns); /* nothing left to watch */
}
END_TEST

START_TEST(alarm_table_has_a_limit)
{
    for (uint64_t i = 0; i < ALARM_LIMIT + 3; i++) {
        fault_add(WIRE_FAULT_LINK_DOWN, i, 1, kma_eid);
    }
    faults_send(1);
    ck_assert_uint_eq(mgr_counts(mgr).alarms_standing, ALARM_LIMIT + 1);
    expect_alarm(ALARM_LIMIT, WIRE_FAULT_STORE_LIMIT, 0, 1); /* the manager's own, once */
    fault_add(WIRE_FAULT_LINK_DOWN, 0, 0, kma_eid);
    fault_add(WIRE_FAULT_LINK_DOWN, 77, 1, kma_eid);
    faults_send(2);
    expect_alarm(ALARM_LIMIT + 1, WIRE_FAULT_LINK_DOWN, 0, 0);
    expect_alarm(ALARM_LIMIT + 2, WIRE_FAULT_STORE_LIMIT, 0, 0);
    expect_alarm(ALARM_LIMIT + 3, WIRE_FAULT_LINK_DOWN, 77, 1);
}
END_TEST

/* A record whose tag is wrong, at the manager itself. */
static uint8_t taken[4096];
static size_t taken_len;

static bool take_away(void *ctx, const struct pump_message *m)
{
    (void)ctx;
    if (!qkd_eid_eq(m->to, manager) || m->len > sizeof taken) {
        return true;
    }
    memcpy(taken, m->bytes, m->len);
    taken_len = m->len;
    return false;
}

START_TEST(attack_on_the_manager_is_an_alarm)
{
    pump_tap(pump, take_away, NULL);
    life_send(1, 1, WIRE_ACTION_STORAGE);
    pump_tap(pump, NULL, NULL);
    ck_assert_uint_gt(taken_len, 0);
    taken[taken_len - 1] ^= 1;
    struct pump_message forged = {
        .rp = QKD_RP_MK, .from = kmc_eid, .to = manager, .bytes = taken, .len = taken_len};
    pump_inject(pump, &forged);
    pump_run(pump, qkd_span_ms(5));
    expect_alarm(0, WIRE_FAULT_AUTH_FAILURE, QKD_RP_MK, 1);
    ck_assert_uint_eq(mgr_counts(mgr).reports, 0);
}
END_TEST

/* ---- accounting and performance ---- */

START_TEST(accounting_adds_up)
{
    struct wire_account_record record = {
        .app = app, .peer_app = peer_app, .keys = 3, .bits = 768, .refused = 1, .otp_bits = 512};
    for (uint64_t seq = 1; seq <= 2; seq++) {
        int len = wire_account_record_encode(&record, blob, sizeof blob);
        ck_assert_int_gt(len, 0);
        struct wire_accounting report = {.seq = seq,
                                         .source = ksa_eid,
                                         .records = {blob, (size_t)len}};
        PUPPET_SEND(kmc, accounting, QKD_RP_MK, manager, &report);
        pump_run(pump, qkd_span_ms(5));
    }
    struct wire_account_record sum;
    ck_assert(!mgr_account(mgr, peer_app, &sum));
    ck_assert(mgr_account(mgr, app, &sum));
    ck_assert_uint_eq(sum.peer_app.v, peer_app.v);
    ck_assert_uint_eq(sum.keys, 6);
    ck_assert_uint_eq(sum.bits, 1536);
    ck_assert_uint_eq(sum.refused, 2);
    ck_assert_uint_eq(sum.otp_bits, 1024);
}
END_TEST

START_TEST(latest_performance_and_configuration)
{
    for (uint64_t seq = 1; seq <= 2; seq++) {
        struct wire_link_status status = {.link = 4, .peer = foreign_kma, .own_bits = 100 * seq};
        int len = wire_link_status_encode(&status, blob, sizeof blob);
        ck_assert_int_gt(len, 0);
        struct wire_performance report = {.seq = seq,
                                          .source = kma_eid,
                                          .records = {blob, (size_t)len}};
        PUPPET_SEND(kmc, performance, QKD_RP_MK, manager, &report);
        pump_run(pump, qkd_span_ms(5));
    }
    struct wire_link_config config = {
        .link = 4, .a = kma_eid, .b = foreign_kma, .store_bits = 64000000};
    int len = wire_link_config_encode(&config, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_link_config got_config;
    ck_assert(!mgr_link_configuration(mgr, kma_eid, 4, &got_config));
    struct wire_configuration report = {.seq = 3,
                                        .source = kma_eid,
                                        .records = {blob, (size_t)len}};
    PUPPET_SEND(kmc, configuration, QKD_RP_MK, manager, &report);
    pump_run(pump, qkd_span_ms(5));
    struct wire_link_status got;
    ck_assert(mgr_link(mgr, kma_eid, 4, &got));
    ck_assert_uint_eq(got.own_bits, 200);
    ck_assert(!mgr_link(mgr, kma_eid, 5, &got));
    ck_assert(!mgr_link(mgr, foreign_kma, 4, &got));
    ck_assert(mgr_link_configuration(mgr, kma_eid, 4, &got_config));
    ck_assert_uint_eq(got_config.store_bits, 64000000);
}
END_TEST

/* ---- life-cycle records ---- */

START_TEST(trace_leads_from_a_supplied_key_to_its_qkd_key)
{
    struct wire_life records[] = {life_make(1, WIRE_ACTION_RECEPTION), /* QKD-key 1 */
                                  life_make(2, WIRE_ACTION_RELAY),     /* KMA-key 2 */
                                  life_make(3, WIRE_ACTION_SUPPLY),    /* KSA-key 3 */
                                  life_make(3, WIRE_ACTION_DELETION)};
    records[1].key_class = WIRE_CLASS_KMA;
    records[1].has_parent = true;
    records[1].parent = id_make(1);
    records[1].has_link = true;
    records[1].link = 9;
    records[1].has_hop = true;
    records[1].hop = 2;
    records[1].has_method = true;
    records[1].method = WIRE_METHOD_OTP;
    records[1].has_key_length = true;
    records[1].key_length = 256;
    records[2].key_class = WIRE_CLASS_KSA;
    records[2].has_parent = true;
    records[2].parent = id_make(2);
    records[2].has_source_app = true;
    records[2].source_app = app;
    records[2].has_target_app = true;
    records[2].target_app = peer_app;
    records[3].key_class = WIRE_CLASS_KSA;
    records[3].has_reason = true;
    records[3].reason = WIRE_REASON_DELETED;
    for (size_t i = 0; i < 4; i++) {
        life_add(&records[i]);
    }
    metadata_send(1);
    struct wire_life got[4];
    struct qkd_id id = id_make(3);
    ck_assert_uint_eq(mgr_trace(mgr, &id, got, 4), 2);
    ck_assert_uint_eq(got[0].action, WIRE_ACTION_SUPPLY);
    ck_assert_uint_eq(got[0].source_app.v, app.v);
    ck_assert_uint_eq(got[0].target_app.v, peer_app.v);
    ck_assert(got[0].has_parent && !got[0].has_reason && !got[0].has_link);
    ck_assert_uint_eq(got[1].reason, WIRE_REASON_DELETED);
    ck_assert(got[1].has_reason && !got[1].has_parent);
    id = got[0].parent;
    ck_assert_uint_eq(mgr_trace(mgr, &id, got, 4), 1);
    ck_assert_uint_eq(got[0].link, 9);
    ck_assert_uint_eq(got[0].hop, 2);
    ck_assert_uint_eq(got[0].method, WIRE_METHOD_OTP);
    ck_assert_uint_eq(got[0].key_length, 256);
    ck_assert(!got[0].has_source_app && !got[0].has_target_app && !got[0].has_source);
    id = got[0].parent;
    ck_assert_uint_eq(mgr_trace(mgr, &id, got, 4), 1);
    ck_assert_uint_eq(got[0].action, WIRE_ACTION_RECEPTION);
    ck_assert_uint_eq(mgr_trace(mgr, &id, NULL, 0), 1);
    id = id_make(77);
    ck_assert_uint_eq(mgr_trace(mgr, &id, got, 4), 0);
}
END_TEST

START_TEST(life_records_are_handed_out)
{
    struct wire_life life = life_make(5, WIRE_ACTION_EXPIRY);
    life_add(&life);
    life_add(&life);
    uint8_t want[256];
    int len = wire_life_encode(&life, want, sizeof want);
    metadata_send(1);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_LIFE, manager), 2);
    const struct qkd_report *report = pump_report(pump, QKD_REPORT_LIFE, manager, 1);
    ck_assert_uint_eq(report->bytes.len, (uint32_t)len);
    ck_assert_mem_eq(pump_report_bytes(pump, report), want, (size_t)len);
    ck_assert_mem_eq(report->id.b, life.id.b, 16);
}
END_TEST

/* The ring holds LIFE_LIMIT records: of 3 keys with interleaved records the oldest leave, and what
 * remains of each chain is its end, in order. */
START_TEST(oldest_records_leave_the_store)
{
    enum { ALL = 3 * LIFE_LIMIT + 17 };
    for (uint32_t i = 0; i < ALL; i++) {
        struct wire_life life = life_make(i % 3, (uint8_t)(1 + i % 12));
        life.has_link = true;
        life.link = i;
        life_add(&life);
    }
    metadata_send(1);
    size_t total = 0;
    for (uint32_t key = 0; key < 3; key++) {
        struct wire_life got[LIFE_LIMIT];
        struct qkd_id id = id_make(key);
        size_t count = mgr_trace(mgr, &id, got, LIFE_LIMIT);
        ck_assert_uint_ge(count, LIFE_LIMIT / 3);
        for (size_t i = 0; i < count; i++) {
            uint32_t first = ALL - LIFE_LIMIT;
            while (first % 3 != key) {
                first++;
            }
            ck_assert_uint_eq(got[i].link, first + 3 * i);
        }
        total += count;
    }
    ck_assert_uint_eq(total, LIFE_LIMIT);
    ck_assert_uint_eq(mgr_counts(mgr).life_dropped, ALL - LIFE_LIMIT);
    /* a key whose records are all gone is unknown */
    for (uint32_t i = 0; i < LIFE_LIMIT; i++) {
        struct wire_life life = life_make(1000 + i, 1);
        life_add(&life);
    }
    metadata_send(2);
    struct qkd_id id = id_make(0);
    ck_assert_uint_eq(mgr_trace(mgr, &id, NULL, 0), 0);
    id = id_make(1000);
    ck_assert_uint_eq(mgr_trace(mgr, &id, NULL, 0), 1);
}
END_TEST

/* ---- the other senders ---- */

START_TEST(modules_report_at_mq)
{
    struct puppet *module = puppet_new(pump, module_eid);
    fault_add(WIRE_FAULT_QBER_HIGH, 1, 1, module_eid);
    struct wire_fault report = {.seq = 1, .source = module_eid, .records = {blob, blob_len}};
    PUPPET_SEND(module, fault, QKD_RP_MQ, manager, &report);
    pump_run(pump, qkd_span_ms(500));
    blob_len = 0;
    ck_assert_uint_eq(mgr_counts(mgr).alarms_standing, 1);
    ck_assert_uint_eq(puppet_count(module, WIRE_CMD_REPORT_ACK), 1);
    /* a module reports for itself only */
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, kma_eid);
    report = (struct wire_fault){.seq = 2, .source = kma_eid, .records = {blob, blob_len}};
    PUPPET_SEND(module, fault, QKD_RP_MQ, manager, &report);
    pump_run(pump, qkd_span_ms(500));
    blob_len = 0;
    ck_assert_uint_eq(mgr_counts(mgr).alarms_standing, 1);
    puppet_free(module);
    pump_crash(pump, module_eid);
}
END_TEST

START_TEST(a_ksa_may_not_speak_to_the_manager)
{
    struct puppet *ksa = puppet_new(pump, ksa_eid);
    fault_add(WIRE_FAULT_LINK_DOWN, 1, 1, ksa_eid);
    struct wire_fault report = {.seq = 1, .source = ksa_eid, .records = {blob, blob_len}};
    PUPPET_SEND(ksa, fault, QKD_RP_MK, manager, &report);
    pump_run(pump, qkd_span_s(5));
    blob_len = 0;
    ck_assert_uint_eq(mgr_counts(mgr).reports, 0);
    puppet_free(ksa);
    pump_crash(pump, ksa_eid);
}
END_TEST

START_TEST(configuration_is_checked)
{
    struct mgr *none;
    struct mgr_config config = {.self = kmc_eid, .peer_limit = 1, .alarm_limit = 1};
    ck_assert_int_eq(mgr_new(&config, &none), QKD_ERR_INVALID);
    ck_assert_ptr_null(none);
    config.self = manager;
    config.peer_limit = 0;
    ck_assert_int_eq(mgr_new(&config, &none), QKD_ERR_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("manager");
    TCase *tests = tcase_create("manager");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, reports_are_acknowledged_together);
    tcase_add_test(tests, duplicates_are_stored_once);
    tcase_add_test(tests, lost_report_is_waited_for);
    tcase_add_test(tests, dropped_reports_are_counted);
    tcase_add_test(tests, kept_reports_are_not_given_up);
    tcase_add_test(tests, restarted_sender_counts_from_one);
    tcase_add_test(tests, restarted_manager_counts_no_gap);
    tcase_add_test(tests, restarted_manager_greets_the_controller);
    tcase_add_test(tests, sources_are_checked);
    tcase_add_test(tests, torn_records_are_not_stored);
    tcase_add_test(tests, loss_reorders_nothing);
    tcase_add_test(tests, alarms_are_raised_and_cleared);
    tcase_add_test(tests, restart_of_an_element_voids_its_alarms);
    tcase_add_test(tests, security_alarms_clear_when_quiet);
    tcase_add_test(tests, alarm_table_has_a_limit);
    tcase_add_test(tests, attack_on_the_manager_is_an_alarm);
    tcase_add_test(tests, accounting_adds_up);
    tcase_add_test(tests, latest_performance_and_configuration);
    tcase_add_test(tests, trace_leads_from_a_supplied_key_to_its_qkd_key);
    tcase_add_test(tests, life_records_are_handed_out);
    tcase_add_test(tests, oldest_records_leave_the_store);
    tcase_add_test(tests, modules_report_at_mq);
    tcase_add_test(tests, a_ksa_may_not_speak_to_the_manager);
    tcase_add_test(tests, configuration_is_checked);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
