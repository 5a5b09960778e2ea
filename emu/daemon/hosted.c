/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps of hosted units, hand-over between them, and the commit before anything leaves. */
#include "emu/daemon/hosted.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "host/configure.h"
#include "host/unit.h"

enum { HANDOVERS_MAX = 1000000 /* in one batch; more is a programming error */ };

struct emu_hosted {
    struct emu_hosted_config config;
    uint32_t *units;           /* numbers in the plan */
    struct qkd_time *deadline; /* by index of units */
    uint32_t *index;           /* of a unit of the plan, or HOST_NO_UNIT */
    struct qkd_out out;        /* what steps put out */
    struct qkd_out done;       /* what is being executed; empty otherwise */
    size_t sends_seen;         /* of out: handed over as far as they stay here */
    size_t reports_seen;
    bool busy; /* hand-over is under way */
    uint64_t message_id;
    struct emu_hosted_figures figures;
};

struct qkd_time emu_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct qkd_time){(int64_t)now.tv_sec * QKD_NS_PER_S + now.tv_nsec};
}

struct qkd_time emu_wall(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (struct qkd_time){(int64_t)now.tv_sec * QKD_NS_PER_S + now.tv_nsec};
}

/* ---- life ---- */

int emu_hosted_new(const struct emu_hosted_config *config, struct emu_hosted **to)
{
    struct emu_hosted *hosted = calloc(1, sizeof(*hosted));
    if (hosted == NULL) {
        return QKD_ERR_NOMEM;
    }
    hosted->config = *config;
    qkd_out_init(&hosted->out, EMU_HOSTED_HOLD);
    qkd_out_init(&hosted->done, EMU_HOSTED_HOLD);
    size_t all = config->plan->unit_count;
    hosted->units = calloc(config->unit_count + 1, sizeof(*hosted->units));
    hosted->deadline = calloc(config->unit_count + 1, sizeof(*hosted->deadline));
    hosted->index = calloc(all + 1, sizeof(*hosted->index));
    if (hosted->units == NULL || hosted->deadline == NULL || hosted->index == NULL) {
        emu_hosted_free(hosted);
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < all; i++) {
        hosted->index[i] = HOST_NO_UNIT;
    }
    for (uint32_t i = 0; i < config->unit_count; i++) {
        hosted->units[i] = config->units[i];
        hosted->index[config->units[i]] = i;
        hosted->deadline[i] = QKD_NEVER;
    }
    *to = hosted;
    return 0;
}

void emu_hosted_free(struct emu_hosted *hosted)
{
    if (hosted == NULL) {
        return;
    }
    for (uint32_t i = 0; i < hosted->config.unit_count && hosted->units != NULL; i++) {
        host_unit_free(&hosted->config.plan->units[hosted->units[i]]);
    }
    qkd_out_fini(&hosted->out);
    qkd_out_fini(&hosted->done);
    free(hosted->units);
    free(hosted->deadline);
    free(hosted->index);
    free(hosted);
}

uint32_t emu_hosted_find(const struct emu_hosted *hosted, struct qkd_eid eid)
{
    uint32_t unit = host_unit_find(hosted->config.plan, eid);
    return unit != HOST_NO_UNIT && hosted->index[unit] != HOST_NO_UNIT ? unit : HOST_NO_UNIT;
}

uint64_t *emu_hosted_message_id(struct emu_hosted *hosted)
{
    return &hosted->message_id;
}

const struct emu_hosted_figures *emu_hosted_figures(const struct emu_hosted *hosted)
{
    return &hosted->figures;
}

/* ---- steps ---- */

static int unit_step(struct emu_hosted *hosted, uint32_t number, struct qkd_event *event,
                     uint32_t part)
{
    const struct host_unit *unit = &hosted->config.plan->units[number];
    if (unit->element.any == NULL) {
        return 0;
    }
    event->now = emu_now();
    event->wall = emu_wall();
    hosted->figures.steps++;
    struct qkd_out before = hosted->out;
    int rc = host_unit_step(unit, event, part, &hosted->out);
    if (hosted->config.flight != NULL) {
        emu_flight_step(hosted->config.flight, emu_now(), &hosted->out, &before);
    }
    hosted->deadline[hosted->index[number]] = host_unit_deadline(unit);
    return rc != 0 ? rc : hosted->out.failed ? QKD_ERR_LIMIT : 0;
}

static int message_step(struct emu_hosted *hosted, uint32_t unit,
                        const struct host_message *message)
{
    struct qkd_event event = {.type = QKD_EV_RECV};
    event.u.recv.rp = message->rp;
    event.u.recv.from = message->from;
    event.u.recv.to = message->to;
    event.u.recv.bytes = message->bytes;
    event.u.recv.len = message->len;
    if (hosted->config.flight != NULL) {
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_RECV, .at = emu_now()};
        entry.u.message.rp = (uint8_t)message->rp;
        entry.u.message.from = message->from;
        entry.u.message.to = message->to;
        entry.u.message.bytes = (struct emu_flight_bytes){message->bytes, message->len};
        emu_flight_put(hosted->config.flight, &entry);
    }
    return unit_step(hosted, unit, &event, 0);
}

/* A send of this batch to an element here. The arena may move while its bytes are looked at. */
static int hand_over(struct emu_hosted *hosted, struct qkd_send *send)
{
    uint32_t unit = emu_hosted_find(hosted, send->to);
    if (unit == HOST_NO_UNIT || (send->flags & QKD_SEND_DELIVERED) != 0) {
        return 0;
    }
    send->flags |= QKD_SEND_DELIVERED;
    uint8_t *bytes = qkd_out_scratch(&hosted->out, send->bytes.len);
    if (bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    memcpy(bytes, qkd_out_at(&hosted->out, send->bytes), send->bytes.len);
    struct host_message message = {
        .rp = send->rp, .from = send->from, .to = send->to, .bytes = bytes, .len = send->bytes.len};
    return message_step(hosted, unit, &message);
}

static void on_config(void *ctx, const struct host_message *message)
{
    struct emu_hosted *hosted = ctx;
    uint32_t unit = emu_hosted_find(hosted, message->to);
    struct qkd_event event = {.type = QKD_EV_CONFIG};
    event.u.config.to = message->to;
    event.u.config.bytes = message->bytes;
    event.u.config.len = message->len;
    if (unit != HOST_NO_UNIT && unit_step(hosted, unit, &event, 0) != 0) {
        hosted->out.failed = true;
    }
}

static int secret_give(struct emu_hosted *hosted, const struct qkd_report *report)
{
    uint8_t secret[32];
    struct qkd_eid sides[2] = {report->who, report->peer};
    enum qkd_rp rp = (enum qkd_rp)report->a;
    if (!hosted->config.calls.secret(hosted->config.calls.ctx, rp, sides, secret)) {
        return 0;
    }
    struct host_sender sender = {hosted, &hosted->message_id, on_config};
    int rc = host_configure_peer(&sender, rp, sides, secret);
    crypto_wipe(secret, sizeof(secret));
    return rc;
}

/* Gives this batch's messages between elements here to them, and secrets to who wants one. */
static int pump(struct emu_hosted *hosted)
{
    if (hosted->busy) {
        return 0; /* a step inside of it: the loop below goes on */
    }
    hosted->busy = true;
    struct qkd_out *out = &hosted->out;
    int rc = 0;
    while (rc == 0 &&
           (hosted->reports_seen < out->report_count || hosted->sends_seen < out->send_count)) {
        if (hosted->reports_seen < out->report_count) {
            struct qkd_report report = out->report[hosted->reports_seen++];
            rc = report.code == QKD_REPORT_WANT_SECRET ? secret_give(hosted, &report) : 0;
        } else {
            struct qkd_send send = out->send[hosted->sends_seen];
            size_t at = hosted->sends_seen++;
            QKD_ASSERT(at < HANDOVERS_MAX);
            rc = hand_over(hosted, &send);
            out->send[at].flags = send.flags;
        }
        rc = rc == 0 && out->failed ? QKD_ERR_LIMIT : rc;
    }
    hosted->busy = false;
    return rc;
}

/* Outputs that wait for a commit leave no room for more. */
static bool crowded(const struct emu_hosted *hosted)
{
    return hosted->out.arena_len > EMU_HOSTED_HOLD / 2;
}

int emu_hosted_recv(struct emu_hosted *hosted, const struct host_message *message)
{
    uint32_t unit = emu_hosted_find(hosted, message->to);
    if (unit == HOST_NO_UNIT) {
        hosted->figures.misses++;
        return 0;
    }
    if (crowded(hosted)) {
        hosted->figures.dropped++;
        return QKD_ERR_AGAIN;
    }
    int rc = message_step(hosted, unit, message);
    return rc == 0 ? pump(hosted) : rc;
}

int emu_hosted_peer(struct emu_hosted *hosted, struct qkd_eid peer, bool up)
{
    if (crowded(hosted)) {
        return QKD_ERR_AGAIN;
    }
    int rc = 0;
    for (uint32_t i = 0; i < hosted->config.unit_count && rc == 0; i++) {
        if (hosted->config.plan->units[hosted->units[i]].kind == HOST_UNIT_MODULE) {
            struct qkd_event event = {.type = QKD_EV_PEER};
            event.u.peer.peer = peer;
            event.u.peer.up = up;
            rc = unit_step(hosted, hosted->units[i], &event, 0);
        }
    }
    return rc == 0 ? pump(hosted) : rc;
}

int emu_hosted_tick(struct emu_hosted *hosted)
{
    if (crowded(hosted)) {
        return QKD_ERR_AGAIN;
    }
    struct qkd_time now = emu_now();
    int rc = 0;
    for (uint32_t i = 0; i < hosted->config.unit_count && rc == 0; i++) {
        if (hosted->deadline[i].ns <= now.ns) {
            struct qkd_event event = {.type = QKD_EV_TIMEOUT};
            rc = unit_step(hosted, hosted->units[i], &event, 0);
            rc = rc == 0 ? pump(hosted) : rc;
        }
    }
    return rc;
}

struct qkd_time emu_hosted_deadline(const struct emu_hosted *hosted)
{
    struct qkd_time first = QKD_NEVER;
    for (uint32_t i = 0; i < hosted->config.unit_count; i++) {
        first = qkd_time_min(first, hosted->deadline[i]);
    }
    return first;
}

/* ---- start ---- */

static int element_start(struct emu_hosted *hosted, uint32_t number, struct qkd_eid eid,
                         uint32_t part, struct emu_why *why)
{
    struct emu_records records;
    int rc = emu_store_records(hosted->config.store, eid, &records, why);
    if (rc != 0) {
        return rc;
    }
    struct qkd_event event = {.type = QKD_EV_START};
    event.u.start.records = records.at;
    event.u.start.count = records.count;
    event.u.start.incarnation = emu_store_incarnation(hosted->config.store);
    event.u.start.replaced = emu_store_replaced(hosted->config.store);
    randombytes_buf(event.u.start.seed, sizeof(event.u.start.seed));
    for (size_t i = 0; i < records.count && hosted->config.flight != NULL; i++) {
        const struct qkd_record *record = &records.at[i];
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_RECORD, .at = emu_now()};
        entry.u.persist.owner = eid;
        entry.u.persist.kind = record->kind;
        entry.u.persist.key_len = record->key_len;
        memcpy(entry.u.persist.key, record->key, record->key_len);
        entry.u.persist.value = (struct emu_flight_bytes){record->value, record->value_len};
        emu_flight_put(hosted->config.flight, &entry);
    }
    rc = unit_step(hosted, number, &event, part);
    crypto_wipe(&event, sizeof(event));
    emu_records_free(&records);
    return rc;
}

static int unit_start(struct emu_hosted *hosted, uint32_t number, struct emu_why *why)
{
    struct host_plan *plan = hosted->config.plan;
    struct host_unit *unit = &plan->units[number];
    int rc = host_unit_make(plan, unit);
    if (rc != 0) {
        return emu_fail(why, rc, "%s: %s", host_unit_name(unit), qkd_err_text(rc));
    }
    struct qkd_eid eids[3];
    uint32_t parts[3];
    uint32_t count = host_unit_elements(plan, unit, eids, parts);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        rc = element_start(hosted, number, eids[i], parts[i], why);
    }
    return rc;
}

static bool on_wants(void *ctx, struct qkd_eid element)
{
    return emu_hosted_find(ctx, element) != HOST_NO_UNIT;
}

static void on_bootstrap(void *ctx, uint32_t link, uint8_t *to, size_t len)
{
    const struct emu_hosted *hosted = ctx;
    hosted->config.calls.bootstrap(hosted->config.calls.ctx, link, to, len);
}

int emu_hosted_start(struct emu_hosted *hosted, struct emu_why *why)
{
    if (hosted->config.flight != NULL) {
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_START, .at = emu_now()};
        entry.u.start.incarnation = emu_store_incarnation(hosted->config.store);
        entry.u.start.wall = emu_wall();
        emu_flight_put(hosted->config.flight, &entry);
    }
    const struct host_plan *plan = hosted->config.plan;
    int rc = 0;
    hosted->busy = true; /* nothing is handed over to an element that has had no START yet */
    for (uint32_t i = 0; i < hosted->config.unit_count && rc == 0; i++) {
        rc = unit_start(hosted, hosted->units[i], why);
    }
    struct host_configure how = {.sender = {hosted, &hosted->message_id, on_config},
                                 .wants = on_wants,
                                 .bootstrap = on_bootstrap};
    for (uint32_t n = 0; n < plan->scenario->node_count && rc == 0; n++) {
        bool here = false;
        for (uint32_t i = 0; i < hosted->config.unit_count && !here; i++) {
            here = plan->units[hosted->units[i]].node == n;
        }
        rc = here ? host_configure_node(plan, n, &how) : 0;
    }
    hosted->busy = false;
    rc = rc == 0 && hosted->out.failed ? QKD_ERR_LIMIT : rc;
    return rc == 0 ? pump(hosted) : rc;
}

/* ---- outputs ---- */

static void execute(struct emu_hosted *hosted)
{
    const struct emu_hosted_calls *calls = &hosted->config.calls;
    const struct qkd_out *done = &hosted->done;
    for (size_t i = 0; i < done->send_count; i++) {
        if ((done->send[i].flags & QKD_SEND_DELIVERED) == 0) {
            calls->send(calls->ctx, &done->send[i], qkd_out_at(done, done->send[i].bytes));
        }
    }
    for (size_t i = 0; i < done->report_count; i++) {
        calls->report(calls->ctx, &done->report[i], qkd_out_at(done, done->report[i].bytes));
    }
    qkd_out_reset(&hosted->done);
}

/* The flight record has every step; then the store; then the record that the store has it. */
static int commit(struct emu_hosted *hosted, struct emu_why *why)
{
    struct emu_flight *flight = hosted->config.flight;
    const struct qkd_out *out = &hosted->out;
    int rc = flight == NULL ? 0 : emu_flight_flush(flight, why);
    if (rc == 0) {
        struct qkd_time before = emu_now();
        rc = emu_store_commit(hosted->config.store, out, why);
        rc = rc == QKD_ERR_LIMIT || rc == QKD_ERR_IO ? QKD_ERR_AGAIN : rc;
        if (rc == 0 && out->persist_count > 0) {
            hosted->config.calls.committed(hosted->config.calls.ctx,
                                           qkd_time_sub(emu_now(), before));
        }
    }
    if (rc == 0 && flight != NULL) {
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_COMMIT, .at = emu_now()};
        entry.u.commit.entries = (uint32_t)out->persist_count;
        emu_flight_put(flight, &entry);
        rc = emu_flight_flush(flight, why);
    }
    return rc;
}

int emu_hosted_settle(struct emu_hosted *hosted, struct emu_why *why)
{
    int rc = pump(hosted);
    while (rc == 0 && (hosted->out.persist_count > 0 || hosted->out.send_count > 0 ||
                       hosted->out.report_count > 0)) {
        rc = commit(hosted, why);
        if (rc == 0) {
            struct qkd_out empty = hosted->done;
            hosted->done = hosted->out;
            hosted->out = empty;
            hosted->sends_seen = hosted->reports_seen = 0;
            hosted->figures.batches++;
            execute(hosted);
            rc = pump(hosted);
        }
    }
    if (rc == 0) {
        qkd_out_reset(&hosted->out); /* working memory of steps that put out nothing */
    }
    return rc;
}
