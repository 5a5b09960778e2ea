/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sender of reports (core/channel/reports.h): a bare element that records what the test tells it,
 * and a puppet as manager. Expected: docs/protocol.md, "Management": batches by size or period,
 * numbers without gaps, repetition after 1 s until acknowledged, bounded room. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/reports.h"
#include "tests/lib/puppet.h"

static const struct qkd_eid kmc = {(uint64_t)QKD_ROLE_KMC << 56 | 7};
static const struct qkd_eid kma = {(uint64_t)QKD_ROLE_KMA << 56 | 7};
static const struct qkd_eid manager = {(uint64_t)QKD_ROLE_MANAGER << 56 | 99};

struct sender;
typedef void act_fn(struct sender *s, const struct qkd_event *event, struct qkd_out *out);

struct sender {
    struct chan_set *set;
    struct qkd_rng rng;
    struct chan_reports reports;
    uint64_t next_id;
    act_fn *act; /* done at the next TIMEOUT */
    unsigned n;  /* argument of act */
};

static int sender_step(struct sender *s, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message m;
    struct wire_cfg_peer peer;
    struct wire_report_ack ack;
    switch (event->type) {
    case QKD_EV_START:
        qkd_rng_init(&s->rng, event->u.start.seed);
        s->next_id = ((uint64_t)event->u.start.incarnation << 40) + 1;
        chan_set_start(s->set, event->u.start.incarnation, &s->rng);
        chan_reports_start(&s->reports, s->set, &s->next_id);
        break;
    case QKD_EV_RECV:
        if (chan_receive(s->set, event, out, &m) == CHAN_DATA &&
            wire_report_ack_decode(&ack, m.bytes, m.len) == 0) {
            chan_reports_ack(&s->reports, ack.seq);
        }
        chan_report_channels(&s->reports, event, out);
        break;
    case QKD_EV_TIMEOUT:
        if (s->act != NULL) {
            act_fn *act = s->act;
            s->act = NULL;
            act(s, event, out);
        }
        chan_timeout(s->set, event, out);
        chan_reports_timeout(&s->reports, event, out);
        break;
    case QKD_EV_CONFIG:
        ck_assert_int_eq(wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len),
                         0);
        return chan_provision(s->set, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b, out);
    case QKD_EV_PEER:
        break;
    }
    return 0;
}

static struct qkd_time sender_deadline(const struct sender *s)
{
    struct qkd_time own = qkd_time_min(chan_reports_deadline(&s->reports), chan_deadline(s->set));
    return s->act != NULL ? (struct qkd_time){0} : own;
}
PUMP_ELEMENT(sender)

static struct pump *pump;
static struct sender sender;
static struct puppet *puppet;
static bool is_acking;

static void sender_make(uint32_t flush_bytes, uint32_t keep_bytes)
{
    struct chan_config channels = {.self = kmc, .limit = 8, .retransmit = qkd_span_ms(200)};
    struct chan_reports_config config = {.self = kmc,
                                         .to = manager,
                                         .rp = QKD_RP_MK,
                                         .period = qkd_span_ms(1000),
                                         .flush_bytes = flush_bytes,
                                         .keep_bytes = keep_bytes};
    sender = (struct sender){0};
    ck_assert_int_eq(chan_set_new(&channels, &sender.set), 0);
    ck_assert_int_eq(chan_reports_init(&sender.reports, &config), 0);
    pump_add(pump, kmc,
             (struct pump_element){
                 .self = &sender, .step = pump_sender_step, .deadline = pump_sender_deadline});
    pump_start(pump, kmc);
}

static void sender_drop(void)
{
    chan_reports_fini(&sender.reports);
    chan_set_free(sender.set);
    qkd_rng_fini(&sender.rng);
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    is_acking = true;
}

static void teardown(void)
{
    puppet_free(puppet);
    puppet = NULL;
    sender_drop();
    pump_free(pump);
}

static void act(act_fn *fn, unsigned n)
{
    sender.act = fn;
    sender.n = n;
}

static uint64_t seq_of(const struct puppet_message *m)
{
    struct wire_fault fault;
    struct wire_security security;
    struct wire_metadata metadata;
    if (wire_fault_decode(&fault, m->bytes.at, m->bytes.len) == 0) {
        return fault.seq;
    }
    if (wire_security_decode(&security, m->bytes.at, m->bytes.len) == 0) {
        return security.seq;
    }
    ck_assert_int_eq(wire_metadata_decode(&metadata, m->bytes.at, m->bytes.len), 0);
    return metadata.seq;
}

/* The puppet acknowledges all it has while time passes. */
static void run(int ms)
{
    for (int done = 0; done < ms; done += 50) {
        pump_run(pump, qkd_span_ms(50));
        size_t count = puppet_count(puppet, 0);
        if (is_acking && count > 0) {
            struct wire_report_ack ack = {.seq = seq_of(puppet_get(puppet, 0, count - 1))};
            PUPPET_SEND(puppet, report_ack, QKD_RP_MK, kmc, &ack);
        }
    }
}

static struct wire_life life_make(unsigned i)
{
    struct wire_life life = {.when = {(int64_t)i},
                             .at = kmc,
                             .action = WIRE_ACTION_STORAGE,
                             .key_class = WIRE_CLASS_QKD,
                             .has_link = true,
                             .link = i};
    wire_put_u32(life.id.b, i);
    return life;
}

static void act_lives(struct sender *s, const struct qkd_event *event, struct qkd_out *out)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct wire_life life = life_make(i);
        chan_report_life(&s->reports, event, &life, out);
    }
}

/* Decodes the n-th METADATA message and expects records first, first + 1, ...; how many. */
static unsigned expect_lives(size_t n, uint64_t seq, unsigned first)
{
    const struct puppet_message *m = puppet_get(puppet, WIRE_CMD_METADATA, n);
    struct wire_metadata report;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_metadata_decode(&report, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(report.seq, seq);
    ck_assert_uint_eq(report.source.v, kmc.v);
    ck_assert_uint_eq(report.head.sender.v, kmc.v);
    ck_assert_uint_eq(report.head.rp, QKD_RP_MK);
    unsigned count = 0;
    for (size_t at = 0; at < report.records.len;) {
        struct wire_life life;
        int len = wire_life_decode(&life, report.records.at + at, report.records.len - at);
        ck_assert_int_gt(len, 0);
        struct wire_life want = life_make(first + count);
        ck_assert_uint_eq(life.link, want.link);
        ck_assert(life.has_link && !life.has_parent);
        ck_assert_int_eq(life.when.ns, want.when.ns);
        ck_assert_mem_eq(life.id.b, want.id.b, 16);
        at += (size_t)len;
        count++;
    }
    return count;
}

START_TEST(one_batch_per_period)
{
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    act(act_lives, 100);
    run(900);
    ck_assert_uint_eq(puppet_count(puppet, 0), 0);
    run(1500);
    ck_assert_uint_eq(puppet_count(puppet, 0), 1);
    ck_assert_uint_eq(expect_lives(0, 1, 0), 100);
    run(5000);
    ck_assert_uint_eq(puppet_count(puppet, 0), 1); /* acknowledged: never again */
    ck_assert(!chan_reports_waiting(&sender.reports));
    act(act_lives, 3);
    run(2500);
    ck_assert_uint_eq(expect_lives(1, 2, 0), 3);
}
END_TEST

START_TEST(full_batch_leaves_at_once)
{
    sender_make(1024, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    puppet_open(puppet, QKD_RP_MK, kmc);
    run(500);
    act(act_lives, 100);
    pump_run(pump, qkd_span_ms(5)); /* less than the period: only full batches */
    size_t early = puppet_count(puppet, WIRE_CMD_METADATA);
    ck_assert_uint_gt(early, 2);
    run(2000);
    unsigned seen = 0;
    for (size_t i = 0; i < puppet_count(puppet, WIRE_CMD_METADATA); i++) {
        ck_assert_uint_le(puppet_get(puppet, WIRE_CMD_METADATA, i)->bytes.len, 1024);
        seen += expect_lives(i, i + 1, seen);
    }
    ck_assert_uint_eq(seen, 100);
}
END_TEST

START_TEST(repeats_until_acknowledged)
{
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    is_acking = false;
    act(act_lives, 2);
    run(5500);
    size_t sent = puppet_count(puppet, WIRE_CMD_METADATA);
    ck_assert_uint_ge(sent, 4); /* at 1, 2, 3, 4, 5 s, the first perhaps before the channel is up */
    const struct puppet_message *first = puppet_get(puppet, 0, 0);
    for (size_t i = 1; i < sent; i++) {
        const struct puppet_message *again = puppet_get(puppet, 0, i);
        ck_assert_uint_eq(again->bytes.len, first->bytes.len);
        ck_assert_mem_eq(again->bytes.at, first->bytes.at, first->bytes.len);
        struct qkd_span apart = qkd_time_sub(again->at, puppet_get(puppet, 0, i - 1)->at);
        ck_assert_int_ge(apart.ns, 990 * QKD_NS_PER_MS);
    }
    is_acking = true;
    run(200);
    sent = puppet_count(puppet, WIRE_CMD_METADATA);
    run(5000);
    ck_assert_uint_eq(puppet_count(puppet, WIRE_CMD_METADATA), sent);
}
END_TEST

static void act_flush(struct sender *s, const struct qkd_event *event, struct qkd_out *out)
{
    act_lives(s, event, out);
    chan_reports_flush(&s->reports, event, out);
}

START_TEST(oldest_leaves_when_room_ends)
{
    sender_make(0, 2048); /* no manager yet */
    for (int i = 0; i < 20; i++) {
        act(act_flush, 5);
        pump_run(pump, qkd_span_ms(10));
    }
    ck_assert_uint_gt(sender.reports.lost, 0);
    puppet = puppet_new(pump, manager);
    puppet_open(puppet, QKD_RP_MK, kmc);
    run(4000);
    size_t count = puppet_count(puppet, WIRE_CMD_METADATA);
    ck_assert_uint_ge(count, 3);
    ck_assert_uint_eq(count + sender.reports.lost, 20);
    for (size_t i = 0; i < count; i++) {
        /* the newest are there, in order; the gap is at the front, and nobody need wait for it */
        uint64_t seq = 20 - count + 1 + i;
        ck_assert_uint_eq(expect_lives(i, seq, 0), 5);
        const struct puppet_message *m = puppet_get(puppet, WIRE_CMD_METADATA, i);
        struct wire_metadata report;
        ck_assert_int_eq(wire_metadata_decode(&report, m->bytes.at, m->bytes.len), 0);
        ck_assert_uint_eq(report.after, i == 0 ? 0 : seq - 1);
    }
}
END_TEST

START_TEST(without_acknowledgement_nothing_is_kept)
{
    sender_make(0, 0);
    puppet = puppet_new(pump, manager);
    is_acking = false;
    act(act_lives, 2);
    run(6000);
    ck_assert_uint_eq(puppet_count(puppet, WIRE_CMD_METADATA), 1);
    ck_assert(!chan_reports_waiting(&sender.reports));
}
END_TEST

/* ---- faults and security events ---- */

/* All fault records of FAULT or SECURITY messages so far, in order. */
static unsigned fault_records(uint8_t command, struct wire_fault_record *records, unsigned cap)
{
    unsigned count = 0;
    for (size_t i = 0; i < puppet_count(puppet, command); i++) {
        const struct puppet_message *m = puppet_get(puppet, command, i);
        struct wire_bytes blob;
        struct wire_fault fault;
        struct wire_security security;
        if (command == WIRE_CMD_FAULT) {
            ck_assert_int_eq(wire_fault_decode(&fault, m->bytes.at, m->bytes.len), 0);
            blob = fault.records;
        } else {
            ck_assert_int_eq(wire_security_decode(&security, m->bytes.at, m->bytes.len), 0);
            blob = security.records;
        }
        for (size_t at = 0; at < blob.len;) {
            ck_assert_uint_lt(count, cap);
            int len = wire_fault_record_decode(&records[count++], blob.at + at, blob.len - at);
            ck_assert_int_gt(len, 0);
            at += (size_t)len;
        }
    }
    return count;
}

static void act_faults(struct sender *s, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_reports *r = &s->reports;
    ck_assert(!chan_report_clear(r, event, WIRE_FAULT_POOL_LOW, 4, out));
    ck_assert(chan_report_raise(r, event, WIRE_FAULT_POOL_LOW, 4, out));
    ck_assert(!chan_report_raise(r, event, WIRE_FAULT_POOL_LOW, 4, out));
    ck_assert(!chan_report_raise(r, event, WIRE_FAULT_POOL_LOW, 4, out));
    ck_assert(chan_report_raise(r, event, WIRE_FAULT_POOL_LOW, 3, out));
    ck_assert(chan_report_raise(r, event, WIRE_FAULT_LINK_DOWN, 4, out));
    ck_assert(chan_report_clear(r, event, WIRE_FAULT_POOL_LOW, 4, out));
}

START_TEST(standing_faults_are_told_once)
{
    static const struct {
        uint8_t fault, raised;
        uint64_t object, count;
    } want[] = {{WIRE_FAULT_POOL_LOW, 1, 4, 1},
                {WIRE_FAULT_POOL_LOW, 1, 3, 1},
                {WIRE_FAULT_LINK_DOWN, 1, 4, 1},
                {WIRE_FAULT_POOL_LOW, 0, 4, 3}};
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    act(act_faults, 0);
    run(3000);
    struct wire_fault_record records[8];
    ck_assert_uint_eq(fault_records(WIRE_CMD_FAULT, records, 8), 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(records[i].fault, want[i].fault);
        ck_assert_uint_eq(records[i].raised, want[i].raised);
        ck_assert_uint_eq(records[i].object, want[i].object);
        ck_assert_uint_eq(records[i].count, want[i].count);
        ck_assert_uint_eq(records[i].at.v, kmc.v);
    }
}
END_TEST

static void act_flood(struct sender *s, const struct qkd_event *event, struct qkd_out *out)
{
    for (unsigned i = 0; i < s->n; i++) {
        chan_report_security(&s->reports, event, WIRE_FAULT_TAG_FAILURE, i % 2, out);
    }
}

START_TEST(flood_of_events_makes_no_flood_of_records)
{
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    act(act_flood, 1001);
    run(3000);
    struct wire_fault_record records[4];
    ck_assert_uint_eq(fault_records(WIRE_CMD_SECURITY, records, 4), 2);
    ck_assert_uint_eq(records[0].count, 501);
    ck_assert_uint_eq(records[1].count, 500);
    ck_assert_uint_eq(records[1].object, 1);
}
END_TEST

/* Takes what the manager sends off the wire and keeps it. */
static uint8_t taken[4096];
static size_t taken_len;

static bool take_away(void *ctx, const struct pump_message *m)
{
    (void)ctx;
    if (!qkd_eid_eq(m->to, kmc) || m->len > sizeof taken) {
        return true;
    }
    memcpy(taken, m->bytes, m->len);
    taken_len = m->len;
    return false;
}

START_TEST(forged_records_are_reported)
{
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    is_acking = false;
    act(act_lives, 1);
    run(2500);
    struct wire_report_ack ack = {.seq = 1};
    pump_tap(pump, take_away, NULL);
    PUPPET_SEND(puppet, report_ack, QKD_RP_MK, kmc, &ack);
    run(100);
    pump_tap(pump, NULL, NULL);
    ck_assert_uint_gt(taken_len, CHAN_OVERHEAD);
    taken[taken_len - 1] ^= 1;
    struct pump_message forged = {
        .rp = QKD_RP_MK, .from = manager, .to = kmc, .bytes = taken, .len = taken_len};
    for (int i = 0; i < 5; i++) {
        pump_inject(pump, &forged);
    }
    is_acking = true;
    run(3000);
    struct wire_fault_record records[4];
    ck_assert_uint_eq(fault_records(WIRE_CMD_SECURITY, records, 4), 1);
    ck_assert_uint_eq(records[0].fault, WIRE_FAULT_AUTH_FAILURE);
    ck_assert_uint_eq(records[0].object, QKD_RP_MK);
    ck_assert_uint_eq(records[0].count, 5);
}
END_TEST

START_TEST(restart_voids_earlier_faults)
{
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    act(act_faults, 0);
    run(3000);
    puppet_forget(puppet);
    pump_crash(pump, kmc);
    sender_drop();
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    act(act_faults, 0);
    run(4000);
    struct wire_fault_record records[8];
    ck_assert_uint_eq(fault_records(WIRE_CMD_FAULT, records, 8), 5);
    ck_assert_uint_eq(records[0].fault, 0);
    ck_assert_uint_eq(records[0].raised, 0);
    ck_assert_uint_eq(records[1].fault, WIRE_FAULT_POOL_LOW);
}
END_TEST

/* ---- passing on ---- */

static uint8_t foreign[4096];
static size_t foreign_len;

static void act_forward(struct sender *s, const struct qkd_event *event, struct qkd_out *out)
{
    chan_report_forward(&s->reports, event, (struct wire_bytes){foreign, foreign_len}, out);
    chan_report_forward(&s->reports, event, (struct wire_bytes){foreign, foreign_len - 1}, out);
}

START_TEST(forwarded_report_keeps_source_and_records)
{
    uint8_t records[256];
    struct wire_life life = life_make(5);
    int records_len = wire_life_encode(&life, records, sizeof records);
    ck_assert_int_gt(records_len, 0);
    struct wire_metadata theirs = {.head = {.rp = QKD_RP_KMI, .message_id = 77, .sender = kma},
                                   .seq = 1234,
                                   .source = kma,
                                   .records = {records, (size_t)records_len}};
    int len = wire_metadata_encode(&theirs, foreign, sizeof foreign);
    ck_assert_int_gt(len, 0);
    foreign_len = (size_t)len;
    sender_make(0, CHAN_REPORT_KEEP_BYTES);
    puppet = puppet_new(pump, manager);
    act(act_forward, 0);
    run(2500);
    ck_assert_uint_eq(puppet_count(puppet, WIRE_CMD_METADATA), 1);
    const struct puppet_message *m = puppet_get(puppet, WIRE_CMD_METADATA, 0);
    struct wire_metadata got;
    ck_assert_int_eq(wire_metadata_decode(&got, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(got.seq, 1);
    ck_assert_uint_eq(got.source.v, kma.v);
    ck_assert_uint_eq(got.head.sender.v, kmc.v);
    ck_assert_uint_eq(got.head.rp, QKD_RP_MK);
    ck_assert_uint_eq(got.head.message_id, (UINT64_C(1) << 40) + 1);
    ck_assert_uint_eq(got.records.len, theirs.records.len);
    ck_assert_mem_eq(got.records.at, records, got.records.len);
}
END_TEST

START_TEST(configuration_is_checked)
{
    struct chan_reports r;
    struct chan_reports_config config = {.self = kmc, .to = manager, .rp = QKD_RP_MK};
    ck_assert_int_eq(chan_reports_init(&r, &config), QKD_ERR_INVALID); /* no period */
    config.period = qkd_span_ms(1);
    config.flush_bytes = 100; /* holds no record */
    ck_assert_int_eq(chan_reports_init(&r, &config), QKD_ERR_INVALID);
    config.flush_bytes = WIRE_MAX_MESSAGE + 1;
    ck_assert_int_eq(chan_reports_init(&r, &config), QKD_ERR_INVALID);
    config.flush_bytes = 0;
    ck_assert_int_eq(chan_reports_init(&r, &config), 0);
    ck_assert_int_eq(chan_reports_deadline(&r).ns, QKD_NEVER.ns);
    chan_reports_fini(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reports");
    TCase *tests = tcase_create("sender");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, one_batch_per_period);
    tcase_add_test(tests, full_batch_leaves_at_once);
    tcase_add_test(tests, repeats_until_acknowledged);
    tcase_add_test(tests, oldest_leaves_when_room_ends);
    tcase_add_test(tests, without_acknowledgement_nothing_is_kept);
    tcase_add_test(tests, standing_faults_are_told_once);
    tcase_add_test(tests, flood_of_events_makes_no_flood_of_records);
    tcase_add_test(tests, forged_records_are_reported);
    tcase_add_test(tests, restart_voids_earlier_faults);
    tcase_add_test(tests, forwarded_report_keeps_source_and_records);
    suite_add_tcase(suite, tests);
    TCase *alone = tcase_create("alone");
    tcase_add_test(alone, configuration_is_checked);
    suite_add_tcase(suite, alone);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
