/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A module agent among a played KMA, KMC, controller, manager and optics: key files (FG QIT4N D2.3
 * clause 7.1.1, D23-OP-01, MD-01 ... 06), control and status (clause 8.1.1, Tables 8-1, 8-2). */
#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "core/module/module.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(mod)

enum { NODE = 4, LINK = 6, QUEUE = 12 };

#define SELF qkd_eid_make(QKD_ROLE_MODULE, 2, NODE)
#define MATCHING qkd_eid_make(QKD_ROLE_MODULE, 1, 5)
#define DEVICE qkd_eid_make(QKD_ROLE_DEVICE, 2, NODE)
#define CONTROLLER qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 1)
#define MANAGER qkd_eid_make(QKD_ROLE_MANAGER, 0, 1)

static struct {
    struct pump *p;
    struct mod *mod;
    struct puppet *kma, *kmc, *controller, *manager;
    int runs, stops; /* Q_CONTROL messages that the optics got */
} w;

static bool device_tap(void *ctx, const struct pump_message *m)
{
    struct wire_q_control control;
    (void)ctx;
    if (m->rp == QKD_RP_Q && qkd_eid_eq(m->to, DEVICE) &&
        wire_q_control_decode(&control, m->bytes, m->len) == 0) {
        w.runs += control.run == 1;
        w.stops += control.run == 0;
    }
    return true;
}

static void run(int64_t ms)
{
    pump_run(w.p, qkd_span_ms(ms));
}

static void setup(void)
{
    memset(&w, 0, sizeof w);
    struct mod_config config = {.self = SELF,
                                .controller = CONTROLLER,
                                .manager = MANAGER,
                                .retransmit = qkd_span_ms(100),
                                .status_period = qkd_span_s(1),
                                .queue_limit = QUEUE};
    w.p = pump_new(&(struct pump_config){.seed = 3});
    pump_tap(w.p, device_tap, NULL);
    w.kma = puppet_new(w.p, qkd_eid_make(QKD_ROLE_KMA, 0, NODE));
    w.kmc = puppet_new(w.p, qkd_eid_make(QKD_ROLE_KMC, 0, NODE));
    w.controller = puppet_new(w.p, CONTROLLER);
    w.manager = puppet_new(w.p, MANAGER);
    ck_assert_int_eq(mod_new(&config, &w.mod), 0);
    pump_add(
        w.p, SELF,
        (struct pump_element){.self = w.mod, .step = pump_mod_step, .deadline = pump_mod_deadline});
    pump_start(w.p, SELF);
    struct wire_cfg_link link = {.head = {.message_id = 1},
                                 .link = LINK,
                                 .peer = qkd_eid_make(QKD_ROLE_KMA, 0, 5),
                                 .module = SELF,
                                 .peer_module = MATCHING};
    uint8_t bytes[512];
    int len = wire_cfg_link_encode(&link, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(w.p, SELF, bytes, (size_t)len);
    run(100);
    ck_assert(puppet_is_up(w.kma, QKD_RP_KQ1, SELF));
    ck_assert(puppet_is_up(w.kmc, QKD_RP_KQ2, SELF));
    ck_assert(puppet_is_up(w.controller, QKD_RP_CQ, SELF));
    ck_assert_int_eq(w.runs, 1);
}

static void teardown(void)
{
    mod_free(w.mod);
    puppet_free(w.kma);
    puppet_free(w.kmc);
    puppet_free(w.controller);
    puppet_free(w.manager);
    pump_free(w.p);
}

/* ---- optics and KMA ---- */

static void block_send(uint8_t id, uint8_t form, size_t key_len, uint32_t bits, uint32_t qber_ppm)
{
    static uint8_t key[4096], bytes[8192];
    memset(key, id + 1, sizeof key);
    struct wire_q_block block = {.head = {.rp = QKD_RP_Q, .message_id = id, .sender = DEVICE},
                                 .qkd_key_id = {{id}},
                                 .key_length = bits,
                                 .form = form,
                                 .key = {key, key_len},
                                 .qber_ppm = qber_ppm,
                                 .rate_bps = 5000};
    int len = wire_q_block_encode(&block, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_inject(
        w.p, &(struct pump_message){
                 .rp = QKD_RP_Q, .from = DEVICE, .to = SELF, .bytes = bytes, .len = (size_t)len});
    run(1);
}

static void block(uint8_t id)
{
    block_send(id, 0, 64, 512, 20000);
}

static size_t files(void)
{
    return puppet_count(w.kma, WIRE_CMD_KEY_FILE);
}

static struct wire_key_file file(size_t n)
{
    const struct puppet_message *m = puppet_get(w.kma, WIRE_CMD_KEY_FILE, n);
    struct wire_key_file decoded;
    ck_assert_int_eq(wire_key_file_decode(&decoded, m->bytes.at, m->bytes.len), 0);
    return decoded;
}

static void acknowledge(size_t n, uint8_t code)
{
    struct wire_key_file sent = file(n);
    struct wire_key_file_ack ack = {.head = {.orig_message_id = sent.head.message_id},
                                    .qkd_key_id = sent.qkd_key_id,
                                    .code = code};
    PUPPET_SEND(w.kma, key_file_ack, QKD_RP_KQ1, SELF, &ack);
    run(1);
}

/* The newest status that a watcher has. */
static struct wire_module_status status_of(const struct puppet *watcher)
{
    size_t count = puppet_count(watcher, WIRE_CMD_STATUS_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(watcher, WIRE_CMD_STATUS_RSP, count - 1);
    struct wire_status_rsp answer;
    struct wire_module_status status;
    ck_assert_int_eq(wire_status_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(answer.code, WIRE_SUCCESS);
    ck_assert_int_gt(wire_module_status_decode(&status, answer.modules.at, answer.modules.len), 0);
    return status;
}

START_TEST(pushes_a_key_file_with_its_metadata)
{
    block_send(9, 0, 64, 509, 20000); /* bits need not fill the last byte */
    ck_assert_uint_eq(files(), 1);
    struct wire_key_file sent = file(0);
    uint8_t key[64], hash[32];
    memset(key, 10, sizeof key);
    crypto_hash_sha256(hash, key, sizeof key);
    ck_assert_uint_eq(sent.qkd_key_id.b[0], 9);
    ck_assert_uint_eq(sent.key_length, 509);
    ck_assert(qkd_eid_eq(sent.module_id, SELF));
    ck_assert(qkd_eid_eq(sent.matching_module_id, MATCHING));
    ck_assert_mem_eq(sent.hash.b, hash, 32);
    ck_assert_uint_eq(sent.key.len, 64);
    ck_assert_mem_eq(sent.key.at, key, 64);
    ck_assert_uint_eq(sent.link, LINK);
    ck_assert(sent.has_generated && sent.generated.ns > 0);
}
END_TEST

START_TEST(repeats_until_acknowledged)
{
    static const int64_t gaps_ms[] = {100, 200, 400, 800, 1600, 1600};
    block(1);
    for (size_t i = 0; i < sizeof gaps_ms / sizeof *gaps_ms; i++) {
        run(gaps_ms[i] - 5);
        ck_assert_uint_eq(files(), i + 1);
        run(5);
        ck_assert_uint_eq(files(), i + 2);
        ck_assert_uint_eq(file(i + 1).head.message_id, file(0).head.message_id);
    }
    acknowledge(0, WIRE_FILE_STORED);
    run(5000);
    ck_assert_uint_eq(files(), 7);
    ck_assert_uint_eq(status_of(w.kmc).queued, 0);
    acknowledge(0, WIRE_FILE_FULL); /* D23-GM-01: answers nothing that is outstanding */
    ck_assert_int_eq(w.stops, 0);
}
END_TEST

START_TEST(full_store_stops_the_optics)
{
    block(1);
    acknowledge(0, WIRE_FILE_FULL);
    ck_assert_int_eq(w.stops, 1);
    block(2); /* was on its way: waits */
    run(5000);
    ck_assert_uint_eq(files(), 1);
    ck_assert_uint_eq(status_of(w.kmc).queued, 2);
    ck_assert_uint_eq(status_of(w.kmc).generating, 0);
    struct wire_generation resume = {.module_id = SELF, .run = 1};
    PUPPET_SEND(w.kmc, generation, QKD_RP_KQ2, SELF, &resume);
    run(1);
    ck_assert_uint_eq(files(), 3);
    ck_assert_uint_eq(file(1).qkd_key_id.b[0], 1);
    ck_assert_uint_eq(file(2).qkd_key_id.b[0], 2);
    ck_assert_uint_ne(file(1).head.message_id, file(0).head.message_id);
    ck_assert_int_eq(w.runs, 2);
    acknowledge(1, WIRE_FILE_STORED);
    acknowledge(2, WIRE_FILE_REFUSED);
    run(5000);
    ck_assert_uint_eq(files(), 3);
    ck_assert_uint_eq(status_of(w.kmc).queued, 0);
    ck_assert_uint_eq(status_of(w.kmc).dropped, 1);
}
END_TEST

/* A KMC that comes back knows nothing of a pause that it asked for, and would never end it. */
START_TEST(restart_of_the_kmc_ends_its_pause)
{
    struct qkd_eid kmc = qkd_eid_make(QKD_ROLE_KMC, 0, NODE);
    struct wire_generation pause = {.module_id = SELF, .run = 0};
    PUPPET_SEND(w.kmc, generation, QKD_RP_KQ2, SELF, &pause);
    run(1);
    ck_assert_int_eq(w.stops, 1);
    ck_assert_int_eq(w.runs, 1);
    pump_crash(w.p, kmc);
    puppet_free(w.kmc);
    run(10);
    w.kmc = puppet_new(w.p, kmc);
    puppet_open(w.kmc, QKD_RP_KQ2, SELF);
    run(50);
    ck_assert_int_eq(w.runs, 2);
}
END_TEST

/* A KMA that comes back knows nothing of files sent or held: it gets them again. */
START_TEST(restart_of_the_kma)
{
    struct qkd_eid kma = qkd_eid_make(QKD_ROLE_KMA, 0, NODE);
    block(1);
    acknowledge(0, WIRE_FILE_FULL);
    ck_assert_int_eq(w.stops, 1);
    pump_crash(w.p, kma);
    puppet_free(w.kma);
    run(10);
    w.kma = puppet_new(w.p, kma);
    puppet_open(w.kma, QKD_RP_KQ1, SELF);
    run(50);
    ck_assert_uint_eq(files(), 1);
    acknowledge(0, WIRE_FILE_STORED);
    ck_assert_int_eq(w.runs, 2);
}
END_TEST

/* The whole KM comes back and does not speak at Kq-1 first, as it knows of no file: nor would the module,
 * which holds one and is dark for it. */
START_TEST(restart_of_the_km_asks_for_held_files)
{
    struct qkd_eid kma = qkd_eid_make(QKD_ROLE_KMA, 0, NODE);
    struct qkd_eid kmc = qkd_eid_make(QKD_ROLE_KMC, 0, NODE);
    block(1);
    acknowledge(0, WIRE_FILE_FULL);
    ck_assert_int_eq(w.stops, 1);
    pump_crash(w.p, kma);
    pump_crash(w.p, kmc);
    puppet_free(w.kma);
    puppet_free(w.kmc);
    run(10);
    w.kma = puppet_new(w.p, kma);
    w.kmc = puppet_new(w.p, kmc);
    puppet_open(w.kmc, QKD_RP_KQ2, SELF);
    run(1000);
    ck_assert(puppet_is_up(w.kma, QKD_RP_KQ1, SELF));
    ck_assert_uint_ge(files(), 1);
    acknowledge(files() - 1, WIRE_FILE_STORED);
    ck_assert_int_eq(w.runs, 2);
}
END_TEST

START_TEST(queue_is_bounded)
{
    for (uint8_t i = 0; i < QUEUE + 3; i++) {
        block(i);
    }
    ck_assert_uint_eq(files(), 8); /* the window */
    acknowledge(3, WIRE_FILE_STORED);
    ck_assert_uint_eq(files(), 9);
    run(1200);
    struct wire_module_status status = status_of(w.kmc);
    ck_assert_uint_eq(status.queued, QUEUE - 1);
    ck_assert_uint_eq(status.dropped, 3);
    ck_assert_uint_eq(status.blocks, QUEUE + 3);
    ck_assert_uint_eq(status.rate_bps, 0); /* the last block was 1.2 s ago */
    ck_assert_uint_eq(status.qber_ppm, 20000);
    ck_assert_uint_eq(status.link, LINK);
}
END_TEST

/* How often the fault was raised (1) or cleared (0) at the manager. */
static size_t fault_count(uint8_t fault, uint8_t raised)
{
    size_t n = 0;
    uint64_t seen = 0; /* unacknowledged reports are repeated with their number */
    for (size_t i = 0; i < puppet_count(w.manager, WIRE_CMD_FAULT); i++) {
        const struct puppet_message *m = puppet_get(w.manager, WIRE_CMD_FAULT, i);
        struct wire_fault report;
        struct wire_fault_record record;
        ck_assert_int_eq(wire_fault_decode(&report, m->bytes.at, m->bytes.len), 0);
        if (report.seq <= seen) {
            continue;
        }
        seen = report.seq;
        for (size_t at = 0; at < report.records.len;) {
            int len = wire_fault_record_decode(&record, report.records.at + at,
                                               report.records.len - at);
            ck_assert_int_gt(len, 0);
            n += record.fault == fault && record.raised == raised && record.object == LINK;
            at += (size_t)len;
        }
    }
    return n;
}

/* A block of 512 bit at 5 kbit/s takes 102.4 ms: three are overdue after 307.2 ms. Optics that were
 * told to stop are not missed. */
START_TEST(misses_blocks)
{
    for (uint8_t i = 1; i <= 6; i++) { /* never three in a row missing */
        block(i);
        run(290);
    }
    ck_assert_uint_eq(fault_count(WIRE_FAULT_NO_KEY, 1), 0);
    run(1500); /* until the report left */
    ck_assert_uint_eq(fault_count(WIRE_FAULT_NO_KEY, 1), 1);
    ck_assert_uint_eq(status_of(w.kmc).rate_bps, 0);
    block(7);
    acknowledge(1, WIRE_FILE_FULL);
    run(1500);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_NO_KEY, 0), 1);
    run(5000);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_NO_KEY, 1), 1);
}
END_TEST

START_TEST(seeds_and_bad_blocks)
{
    block_send(1, 1, 32, 1 << 20, 20000);
    ck_assert_uint_eq(files(), 1);
    ck_assert_uint_eq(file(0).form, 1);
    ck_assert_uint_eq(file(0).key_length, 1 << 20);
    block_send(2, 1, 31, 512, 20000);
    block_send(3, 0, 63, 512, 20000);
    block_send(4, 0, 64, 0, 20000);
    block_send(5, 2, 64, 512, 20000);
    block_send(1, 1, 32, 1 << 20, 20000); /* the same block again */
    ck_assert_uint_eq(files(), 1);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_BAD_BYTES, SELF), 4);
}
END_TEST

/* ---- control and status ---- */

static void generation(struct puppet *by, enum qkd_rp rp, uint64_t id, struct qkd_eid module,
                       uint8_t wanted)
{
    struct wire_generation command = {.head = {.message_id = id},
                                      .module_id = module,
                                      .run = wanted};
    PUPPET_SEND(by, generation, rp, SELF, &command);
    run(5);
    size_t count = puppet_count(by, WIRE_CMD_GENERATION_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(by, WIRE_CMD_GENERATION_RSP, count - 1);
    struct wire_generation_rsp answer;
    ck_assert_int_eq(wire_generation_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(answer.head.orig_message_id, command.head.message_id);
    ck_assert_uint_eq(answer.code, qkd_eid_eq(module, SELF) ? WIRE_SUCCESS : WIRE_FAILURE);
}

START_TEST(runs_only_when_all_agree)
{
    generation(w.controller, QKD_RP_CQ, 0, SELF, 0);
    ck_assert_int_eq(w.stops, 1);
    generation(w.kmc, QKD_RP_KQ2, 0, SELF, 0);
    generation(w.controller, QKD_RP_CQ, 0, SELF, 1);
    ck_assert_int_eq(w.runs, 1);
    generation(w.kmc, QKD_RP_KQ2, 0, MATCHING, 1);
    ck_assert_int_eq(w.runs, 1);
    generation(w.kmc, QKD_RP_KQ2, 0, SELF, 1);
    ck_assert_int_eq(w.runs, 2);
    ck_assert_int_eq(w.stops, 1);
}
END_TEST

/* D23-GM-04: a repeated or late command is answered, not obeyed. */
START_TEST(late_command_is_not_obeyed)
{
    uint64_t first = puppet_id(w.controller);
    generation(w.controller, QKD_RP_CQ, first, SELF, 0);
    generation(w.controller, QKD_RP_CQ, 0, SELF, 1);
    ck_assert_int_eq(w.runs, 2);
    generation(w.controller, QKD_RP_CQ, first, SELF, 0);
    ck_assert_int_eq(w.stops, 1);
    ck_assert_uint_eq(status_of(w.controller).generating, 1);
}
END_TEST

/* ---- generation control ---- */

static void stop_for(uint64_t term, uint8_t wanted, uint32_t hold_ms)
{
    struct wire_generation command = {.module_id = SELF,
                                      .run = wanted,
                                      .has_term = term > 0,
                                      .term = term,
                                      .has_hold_ms = hold_ms > 0,
                                      .hold_ms = hold_ms};
    PUPPET_SEND(w.controller, generation, QKD_RP_CQ, SELF, &command);
    run(5);
}

/* A stop with an end is over then, unless it was said again; one without an end stays. */
START_TEST(a_stop_may_have_an_end)
{
    stop_for(0, 0, 400);
    run(300);
    ck_assert_int_eq(w.runs, 1);
    stop_for(0, 0, 400);
    run(300);
    ck_assert_int_eq(w.runs, 1);
    run(100);
    ck_assert_int_eq(w.runs, 2);
    stop_for(0, 0, 400);
    stop_for(0, 0, 0);
    run(60000);
    ck_assert_int_eq(w.runs, 2);
    ck_assert_int_eq(w.stops, 2);
}
END_TEST

/* What a controller says that was overtaken is refused, and changes nothing. */
START_TEST(generation_by_the_highest_term)
{
    stop_for(2, 0, 0);
    ck_assert_int_eq(w.stops, 1);
    stop_for(1, 1, 0);
    stop_for(0, 1, 0);
    ck_assert_int_eq(w.runs, 1);
    stop_for(3, 1, 0);
    ck_assert_int_eq(w.runs, 2);
}
END_TEST

static void status_ask(struct puppet *by, enum qkd_rp rp, int64_t period_ms, uint32_t table)
{
    struct wire_status command = {.has_period_ms = period_ms >= 0,
                                  .period_ms = (uint32_t)period_ms,
                                  .table = table};
    PUPPET_SEND(by, status, rp, SELF, &command);
    run(5);
}

START_TEST(status_by_period)
{
    run(3000);
    size_t before = puppet_count(w.kmc, WIRE_CMD_STATUS_RSP);
    ck_assert_uint_ge(before, 3); /* config.status_period is 1 s */
    status_ask(w.kmc, QKD_RP_KQ2, 200, WIRE_STATUS_QKD_LINK);
    run(2000);
    ck_assert_uint_eq(puppet_count(w.kmc, WIRE_CMD_STATUS_RSP), before + 11);
    status_ask(w.kmc, QKD_RP_KQ2, -1, WIRE_STATUS_QKD_LINK); /* once more, same period */
    ck_assert_uint_eq(puppet_count(w.kmc, WIRE_CMD_STATUS_RSP), before + 12);
    status_ask(w.kmc, QKD_RP_KQ2, 0, WIRE_STATUS_QKD_LINK);
    before = puppet_count(w.kmc, WIRE_CMD_STATUS_RSP);
    run(3000);
    ck_assert_uint_eq(puppet_count(w.kmc, WIRE_CMD_STATUS_RSP), before);
    size_t cq = puppet_count(w.controller, WIRE_CMD_STATUS_RSP);
    run(2000);
    ck_assert_uint_eq(puppet_count(w.controller, WIRE_CMD_STATUS_RSP), cq + 2);
}
END_TEST

static void expect_failure(const struct puppet *by, uint64_t orig)
{
    size_t count = puppet_count(by, WIRE_CMD_STATUS_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(by, WIRE_CMD_STATUS_RSP, count - 1);
    struct wire_status_rsp answer;
    ck_assert_int_eq(wire_status_rsp_decode(&answer, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(answer.head.orig_message_id, orig);
    ck_assert_uint_eq(answer.code, WIRE_FAILURE);
}

START_TEST(what_it_cannot_do_fails)
{
    struct wire_status command = {.table = WIRE_STATUS_KM_LINK}; /* a module knows no KM link */
    PUPPET_SEND(w.controller, status, QKD_RP_CQ, SELF, &command);
    run(5);
    expect_failure(w.controller, command.head.message_id);
    struct wire_route route = {.source_id = CONTROLLER}; /* D23-GM-03 */
    PUPPET_SEND(w.controller, route, QKD_RP_CQ, SELF, &route);
    run(5);
    expect_failure(w.controller, route.head.message_id);
}
END_TEST

/* D23-OP-18: the manager hears of each block, and of an error rate at which no key can be secret. */
START_TEST(reports_to_the_manager)
{
    block(1);
    block_send(2, 0, 64, 512, 120000);
    run(1500);
    ck_assert_uint_ge(puppet_count(w.manager, WIRE_CMD_METADATA), 1);
    const struct puppet_message *m = puppet_get(w.manager, WIRE_CMD_METADATA, 0);
    struct wire_metadata report;
    struct wire_life life;
    ck_assert_int_eq(wire_metadata_decode(&report, m->bytes.at, m->bytes.len), 0);
    ck_assert(qkd_eid_eq(report.source, SELF));
    ck_assert_int_gt(wire_life_decode(&life, report.records.at, report.records.len), 0);
    ck_assert_uint_eq(life.action, WIRE_ACTION_GENERATION);
    ck_assert_uint_eq(life.key_class, WIRE_CLASS_QKD);
    ck_assert_uint_eq(life.id.b[0], 1);
    ck_assert_uint_eq(life.key_length, 512);
    ck_assert_uint_eq(life.link, LINK);
    ck_assert_uint_ge(puppet_count(w.manager, WIRE_CMD_FAULT), 1);
    struct wire_report_ack ack = {.seq = 100};
    PUPPET_SEND(w.manager, report_ack, QKD_RP_MQ, SELF, &ack);
    run(5);
    size_t reports = puppet_count(w.manager, 0);
    run(3000);
    ck_assert_uint_eq(puppet_count(w.manager, 0), reports); /* acknowledged: not repeated */
}
END_TEST

static void noise(uint32_t qber_ppm)
{
    struct wire_q_noise message = {.head = {.rp = QKD_RP_Q, .message_id = 1, .sender = DEVICE},
                                   .qber_ppm = qber_ppm};
    uint8_t bytes[64];
    int len = wire_q_noise_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_inject(
        w.p, &(struct pump_message){
                 .rp = QKD_RP_Q, .from = DEVICE, .to = SELF, .bytes = bytes, .len = (size_t)len});
    run(5);
}

/* The QBER that the last status to a watcher said. */
static uint32_t told_qber(struct puppet *watcher)
{
    size_t count = puppet_count(watcher, WIRE_CMD_STATUS_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(watcher, WIRE_CMD_STATUS_RSP, count - 1);
    struct wire_status_rsp rsp;
    struct wire_module_status status;
    ck_assert_int_eq(wire_status_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_int_gt(wire_module_status_decode(&status, rsp.modules.at, rsp.modules.len), 0);
    ck_assert_uint_eq(status.link, LINK);
    return status.qber_ppm;
}

/* Light too noisy for key makes no block: the optics say so, the alarm is raised, KM and controller
 * hear of it at once; quiet light, or a block, clears it. */
START_TEST(noisy_light)
{
    struct wire_status order = {.has_period_ms = true,
                                .period_ms = 60000,
                                .table = WIRE_STATUS_QKD_LINK};
    PUPPET_SEND(w.controller, status, QKD_RP_CQ, SELF, &order);
    order.head.message_id = 0;
    PUPPET_SEND(w.kmc, status, QKD_RP_KQ2, SELF, &order);
    run(100);
    noise(150000);
    ck_assert_uint_eq(told_qber(w.controller), 150000);
    ck_assert_uint_eq(told_qber(w.kmc), 150000);
    run(2000);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_QBER_HIGH, 1), 1);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_QBER_HIGH, 0), 0);
    noise(160000);
    noise(20000);
    ck_assert_uint_eq(told_qber(w.controller), 20000);
    run(2000);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_QBER_HIGH, 1), 1);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_QBER_HIGH, 0), 1);
    noise(110001);
    block(1);
    run(2000);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_QBER_HIGH, 1), 2);
    ck_assert_uint_eq(fault_count(WIRE_FAULT_QBER_HIGH, 0), 2);
    ck_assert_uint_ge(files(), 1); /* repeated: nobody acknowledges */
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("module");
    TCase *c = tcase_create("module");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, pushes_a_key_file_with_its_metadata);
    tcase_add_test(c, repeats_until_acknowledged);
    tcase_add_test(c, full_store_stops_the_optics);
    tcase_add_test(c, restart_of_the_kmc_ends_its_pause);
    tcase_add_test(c, restart_of_the_kma);
    tcase_add_test(c, restart_of_the_km_asks_for_held_files);
    tcase_add_test(c, queue_is_bounded);
    tcase_add_test(c, misses_blocks);
    tcase_add_test(c, seeds_and_bad_blocks);
    tcase_add_test(c, runs_only_when_all_agree);
    tcase_add_test(c, late_command_is_not_obeyed);
    tcase_add_test(c, status_by_period);
    tcase_add_test(c, what_it_cannot_do_fails);
    tcase_add_test(c, reports_to_the_manager);
    tcase_add_test(c, noisy_light);
    tcase_add_test(c, a_stop_may_have_an_end);
    tcase_add_test(c, generation_by_the_highest_term);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
