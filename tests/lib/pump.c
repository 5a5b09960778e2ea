/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small world for unit tests of elements: see tests/lib/pump.h. */
#include "tests/lib/pump.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/wire/codec.h"

#define ARENA_LIMIT (UINT64_C(64) << 20)
#define WALL_OFFSET_NS (INT64_C(1700000000) * QKD_NS_PER_S) /* wall clock at virtual time 0 */
#define TIMEOUTS_AT_ONE_INSTANT 1000                        /* more: the element is stuck */
#define REORDER_LATENCIES 5

struct host {
    struct qkd_eid eid;
    struct pump_element element;
    uint32_t incarnation;
    bool alive;
    struct qkd_record *store; /* sorted by (kind, key); values owned */
    size_t stored;
};

struct packet {
    struct qkd_time at;
    uint64_t seq;
    bool config;
    enum qkd_rp rp;
    struct qkd_eid from, to;
    uint8_t *bytes;
    size_t len;
};

struct cut {
    struct qkd_eid a, b;
};

struct pump {
    struct pump_config config;
    struct qkd_rng rng;
    struct qkd_time now;
    uint64_t next_seq;
    struct host *hosts;
    size_t host_count;
    struct packet *heap;
    size_t packets, packet_cap;
    struct cut *cuts;
    size_t cut_count;
    struct qkd_report *reports;
    size_t report_count, report_cap;
    uint8_t *report_bytes;
    size_t report_bytes_len;
    bool (*tap)(void *ctx, const struct pump_message *message);
    void *tap_ctx;
    struct qkd_out out;
    uint64_t sent[QKD_RP_COUNT + 1];
    unsigned timeouts; /* in a row at one instant */
};

static void *grow(void *at, size_t count, size_t size)
{
    void *to = realloc(at, count * size + 1);
    ck_assert_ptr_nonnull(to);
    return to;
}

static uint8_t *copy_bytes(const uint8_t *bytes, size_t len)
{
    uint8_t *to = grow(NULL, len, 1);
    if (len > 0) {
        memcpy(to, bytes, len);
    }
    return to;
}

/* ---- the queue: a heap by (time, sequence) ---- */

static bool packet_before(const struct packet *a, const struct packet *b)
{
    return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->seq < b->seq;
}

static void heap_push(struct pump *p, struct packet packet)
{
    if (p->packets == p->packet_cap) {
        p->packet_cap = p->packet_cap == 0 ? 64 : p->packet_cap * 2;
        p->heap = grow(p->heap, p->packet_cap, sizeof *p->heap);
    }
    packet.seq = p->next_seq++;
    size_t i = p->packets++;
    while (i > 0 && packet_before(&packet, &p->heap[(i - 1) / 2])) {
        p->heap[i] = p->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    p->heap[i] = packet;
}

static struct packet heap_pop(struct pump *p)
{
    struct packet top = p->heap[0];
    struct packet last = p->heap[--p->packets];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= p->packets) {
            break;
        }
        if (child + 1 < p->packets && packet_before(&p->heap[child + 1], &p->heap[child])) {
            child++;
        }
        if (!packet_before(&p->heap[child], &last)) {
            break;
        }
        p->heap[i] = p->heap[child];
        i = child;
    }
    if (p->packets > 0) {
        p->heap[i] = last;
    }
    return top;
}

/* ---- hosts ---- */

static struct host *host_find(const struct pump *p, struct qkd_eid eid)
{
    for (size_t i = 0; i < p->host_count; i++) {
        if (qkd_eid_eq(p->hosts[i].eid, eid)) {
            return &p->hosts[i];
        }
    }
    return NULL;
}

static int record_compare(const struct qkd_record *record, uint8_t kind, const uint8_t *key,
                          uint8_t key_len)
{
    if (record->kind != kind) {
        return record->kind < kind ? -1 : 1;
    }
    size_t common = record->key_len < key_len ? record->key_len : key_len;
    int order = memcmp(record->key, key, common);
    return order != 0 ? order : (int)record->key_len - (int)key_len;
}

static void store_apply(struct pump *p, const struct qkd_persist *entry)
{
    struct host *host = host_find(p, entry->owner);
    ck_assert_msg(host != NULL, "persist for an unknown owner");
    size_t i = 0;
    while (i < host->stored &&
           record_compare(&host->store[i], entry->kind, entry->key, entry->key_len) < 0) {
        i++;
    }
    bool found = i < host->stored &&
                 record_compare(&host->store[i], entry->kind, entry->key, entry->key_len) == 0;
    if (found) {
        free((void *)host->store[i].value);
    }
    if (entry->del) {
        if (found) {
            host->stored--;
            memmove(&host->store[i], &host->store[i + 1],
                    (host->stored - i) * sizeof host->store[0]);
        }
        return;
    }
    if (!found) {
        host->store = grow(host->store, host->stored + 1, sizeof host->store[0]);
        memmove(&host->store[i + 1], &host->store[i], (host->stored - i) * sizeof host->store[0]);
        host->stored++;
    }
    host->store[i] = (struct qkd_record){.kind = entry->kind, .key_len = entry->key_len};
    memcpy(host->store[i].key, entry->key, sizeof entry->key);
    host->store[i].value = copy_bytes(qkd_out_at(&p->out, entry->value), entry->value.len);
    host->store[i].value_len = entry->value.len;
}

/* ---- outputs ---- */

static bool chance(struct pump *p, unsigned percent)
{
    return percent > 0 && qkd_rng_below(&p->rng, 100) < percent;
}

static bool is_cut(const struct pump *p, struct qkd_eid a, struct qkd_eid b)
{
    for (size_t i = 0; i < p->cut_count; i++) {
        const struct cut *c = &p->cuts[i];
        if ((qkd_eid_eq(c->a, a) && qkd_eid_eq(c->b, b)) ||
            (qkd_eid_eq(c->a, b) && qkd_eid_eq(c->b, a))) {
            return true;
        }
    }
    return false;
}

static void packet_send(struct pump *p, const struct pump_message *m)
{
    struct packet packet = {.at = p->now, .rp = m->rp, .from = m->from, .to = m->to};
    bool inside = qkd_eid_node(m->from) == qkd_eid_node(m->to);
    unsigned copies = 1;
    if (!inside) {
        if (chance(p, p->config.loss_percent)) {
            return;
        }
        copies += chance(p, p->config.dup_percent) ? 1U : 0U;
        packet.at = qkd_time_add(p->now, p->config.latency);
        if (chance(p, p->config.reorder_percent)) {
            uint64_t most = (uint64_t)p->config.latency.ns * REORDER_LATENCIES;
            int64_t more = (int64_t)qkd_rng_below(&p->rng, most + 1);
            packet.at = qkd_time_add(packet.at, qkd_span_ns(more));
        }
    }
    for (unsigned i = 0; i < copies; i++) {
        packet.bytes = copy_bytes(m->bytes, m->len);
        packet.len = m->len;
        heap_push(p, packet);
    }
}

void pump_inject(struct pump *p, const struct pump_message *message)
{
    packet_send(p, message);
}

static void out_send(struct pump *p, const struct qkd_send *send)
{
    struct pump_message m = {.rp = send->rp,
                             .from = send->from,
                             .to = send->to,
                             .bytes = qkd_out_at(&p->out, send->bytes),
                             .len = send->bytes.len,
                             .observed = send->observed.len > 0
                                             ? qkd_out_at(&p->out, send->observed)
                                             : NULL,
                             .observed_len = send->observed.len};
    p->sent[send->rp]++;
    p->sent[QKD_RP_COUNT]++;
    bool pass = p->tap == NULL || p->tap(p->tap_ctx, &m);
    if (pass && (send->flags & QKD_SEND_DELIVERED) == 0 && !is_cut(p, send->from, send->to)) {
        packet_send(p, &m);
    }
}

static void secret_derive(struct pump *p, enum qkd_rp rp, struct qkd_eid a, struct qkd_eid b,
                          uint8_t secret[32])
{
    struct qkd_eid low = a.v < b.v ? a : b;
    struct qkd_eid high = a.v < b.v ? b : a;
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, p->config.seed ^ low.v, qkd_rp_name(rp), high.v);
    qkd_rng_bytes(&rng, secret, 32);
    qkd_rng_fini(&rng);
}

static void secret_give(struct pump *p, enum qkd_rp rp, struct qkd_eid to, struct qkd_eid peer)
{
    struct host *host = host_find(p, to);
    if (host == NULL || !host->alive) {
        return;
    }
    struct wire_cfg_peer message = {.rp = (uint8_t)rp, .peer = peer};
    message.head.message_id = 1;
    secret_derive(p, rp, to, peer, message.secret.b);
    uint8_t bytes[256];
    int len = wire_cfg_peer_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(p, to, bytes, (size_t)len);
}

static void out_report(struct pump *p, const struct qkd_report *report)
{
    if (report->code == QKD_REPORT_WANT_SECRET) {
        secret_give(p, (enum qkd_rp)report->a, report->who, report->peer);
        secret_give(p, (enum qkd_rp)report->a, report->peer, report->who);
    }
    if (p->report_count == p->report_cap) {
        p->report_cap = p->report_cap == 0 ? 256 : p->report_cap * 2;
        p->reports = grow(p->reports, p->report_cap, sizeof *p->reports);
    }
    struct qkd_report *kept = &p->reports[p->report_count++];
    *kept = *report;
    if (report->bytes.len > 0) {
        p->report_bytes = grow(p->report_bytes, p->report_bytes_len + report->bytes.len, 1);
        memcpy(p->report_bytes + p->report_bytes_len, qkd_out_at(&p->out, report->bytes),
               report->bytes.len);
        kept->bytes.at = (uint32_t)p->report_bytes_len;
        p->report_bytes_len += report->bytes.len;
    }
}

static void out_drain(struct pump *p)
{
    ck_assert_msg(!p->out.failed, "an append to the out batch failed");
    for (size_t i = 0; i < p->out.persist_count; i++) {
        store_apply(p, &p->out.persist[i]);
    }
    for (size_t i = 0; i < p->out.send_count; i++) {
        out_send(p, &p->out.send[i]);
    }
    for (size_t i = 0; i < p->out.report_count; i++) {
        out_report(p, &p->out.report[i]);
    }
    qkd_out_reset(&p->out);
}

static struct qkd_event event_make(const struct pump *p, enum qkd_event_type type)
{
    struct qkd_event event = {.type = type, .now = p->now};
    event.wall.ns = WALL_OFFSET_NS + p->now.ns;
    return event;
}

static void host_step(struct pump *p, struct host *host, const struct qkd_event *event)
{
    int err = host->element.step(host->element.self, event, &p->out);
    ck_assert_msg(err >= 0, "step of %s: %s", qkd_role_name(qkd_eid_role(host->eid)),
                  qkd_err_text(err));
    out_drain(p);
}

/* ---- public ---- */

struct pump *pump_new(const struct pump_config *config)
{
    struct pump *p = calloc(1, sizeof *p);
    ck_assert_ptr_nonnull(p);
    p->config = *config;
    if (p->config.latency.ns == 0) {
        p->config.latency = qkd_span_ms(1);
    }
    p->now = (struct qkd_time){QKD_NS_PER_S};
    qkd_rng_init_named(&p->rng, config->seed, "pump", 0);
    qkd_out_init(&p->out, ARENA_LIMIT);
    return p;
}

void pump_free(struct pump *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->host_count; i++) {
        for (size_t k = 0; k < p->hosts[i].stored; k++) {
            free((void *)p->hosts[i].store[k].value);
        }
        free(p->hosts[i].store);
    }
    for (size_t i = 0; i < p->packets; i++) {
        free(p->heap[i].bytes);
    }
    free(p->hosts);
    free(p->heap);
    free(p->cuts);
    free(p->reports);
    free(p->report_bytes);
    qkd_out_fini(&p->out);
    free(p);
}

void pump_set_chances(struct pump *p, unsigned loss_percent, unsigned dup_percent,
                      unsigned reorder_percent)
{
    p->config.loss_percent = loss_percent;
    p->config.dup_percent = dup_percent;
    p->config.reorder_percent = reorder_percent;
}

void pump_add(struct pump *p, struct qkd_eid eid, struct pump_element element)
{
    struct host *host = host_find(p, eid);
    if (host == NULL) {
        p->hosts = grow(p->hosts, p->host_count + 1, sizeof *p->hosts);
        host = &p->hosts[p->host_count++];
        *host = (struct host){.eid = eid};
    }
    ck_assert_msg(!host->alive, "added twice");
    host->element = element;
}

void pump_start(struct pump *p, struct qkd_eid eid)
{
    struct host *host = host_find(p, eid);
    ck_assert_ptr_nonnull(host);
    struct qkd_event event = event_make(p, QKD_EV_START);
    event.u.start.records = host->store;
    event.u.start.count = host->stored;
    event.u.start.incarnation = ++host->incarnation;
    struct qkd_rng seed;
    qkd_rng_init_named(&seed, p->config.seed ^ host->incarnation, "start", eid.v);
    qkd_rng_bytes(&seed, event.u.start.seed, sizeof event.u.start.seed);
    qkd_rng_fini(&seed);
    host->alive = true;
    if (host->element.start != NULL) {
        int err = host->element.start(host->element.self, eid, &event, &p->out);
        ck_assert_msg(err >= 0, "start: %s", qkd_err_text(err));
        out_drain(p);
    } else {
        host_step(p, host, &event);
    }
}

void pump_age(struct pump *p, uint32_t incarnations)
{
    for (size_t i = 0; i < p->host_count; i++) {
        p->hosts[i].incarnation += incarnations;
    }
}

void pump_crash(struct pump *p, struct qkd_eid eid)
{
    struct host *host = host_find(p, eid);
    ck_assert_ptr_nonnull(host);
    host->alive = false;
    host->element = (struct pump_element){0};
}

struct qkd_time pump_now(const struct pump *p)
{
    return p->now;
}

void pump_configure(struct pump *p, struct qkd_eid to, const void *bytes, size_t len)
{
    struct packet packet = {.at = p->now, .config = true, .to = to, .len = len};
    packet.bytes = copy_bytes(bytes, len);
    heap_push(p, packet);
}

static void deliver(struct pump *p)
{
    struct packet packet = heap_pop(p);
    p->now = packet.at;
    struct host *host = host_find(p, packet.to);
    if (host != NULL && host->alive) {
        struct qkd_event event = event_make(p, packet.config ? QKD_EV_CONFIG : QKD_EV_RECV);
        if (packet.config) {
            event.u.config.to = packet.to;
            event.u.config.bytes = packet.bytes;
            event.u.config.len = packet.len;
        } else {
            event.u.recv.rp = packet.rp;
            event.u.recv.from = packet.from;
            event.u.recv.to = packet.to;
            event.u.recv.bytes = packet.bytes;
            event.u.recv.len = packet.len;
        }
        host_step(p, host, &event);
    }
    free(packet.bytes);
}

/* The element with the earliest deadline, or NULL. */
static struct host *earliest(const struct pump *p, struct qkd_time *at)
{
    struct host *found = NULL;
    *at = QKD_NEVER;
    for (size_t i = 0; i < p->host_count; i++) {
        struct host *host = &p->hosts[i];
        if (!host->alive) {
            continue;
        }
        struct qkd_time deadline = host->element.deadline(host->element.self);
        if (qkd_time_before(deadline, *at)) {
            *at = deadline;
            found = host;
        }
    }
    return found;
}

/* Makes the next thing before `end` happen; false if there is none. */
static bool pump_one(struct pump *p, struct qkd_time end)
{
    struct qkd_time wake;
    struct host *host = earliest(p, &wake);
    bool has_packet = p->packets > 0 && !qkd_time_before(end, p->heap[0].at);
    if (has_packet && (host == NULL || !qkd_time_before(wake, p->heap[0].at))) {
        p->timeouts = p->heap[0].at.ns == p->now.ns ? p->timeouts : 0;
        deliver(p);
        return true;
    }
    if (host == NULL || qkd_time_before(end, wake)) {
        return false;
    }
    struct qkd_time before = p->now;
    p->now = qkd_time_before(wake, p->now) ? p->now : wake;
    p->timeouts = p->now.ns == before.ns ? p->timeouts + 1 : 0;
    ck_assert_msg(p->timeouts < TIMEOUTS_AT_ONE_INSTANT * p->host_count,
                  "a %s asks for TIMEOUT again and again", qkd_role_name(qkd_eid_role(host->eid)));
    struct qkd_event event = event_make(p, QKD_EV_TIMEOUT);
    host_step(p, host, &event);
    return true;
}

void pump_run(struct pump *p, struct qkd_span span)
{
    struct qkd_time end = qkd_time_add(p->now, span);
    while (pump_one(p, end)) {
    }
    p->now = end;
}

bool pump_until(struct pump *p, bool (*done)(void *ctx), void *ctx, struct qkd_span limit)
{
    struct qkd_time end = qkd_time_add(p->now, limit);
    while (!done(ctx)) {
        if (!pump_one(p, end)) {
            p->now = end;
            return done(ctx);
        }
    }
    return true;
}

void pump_tap(struct pump *p, bool (*tap)(void *ctx, const struct pump_message *message), void *ctx)
{
    p->tap = tap;
    p->tap_ctx = ctx;
}

void pump_cut(struct pump *p, struct qkd_eid a, struct qkd_eid b, bool cut)
{
    if (cut) {
        p->cuts = grow(p->cuts, p->cut_count + 1, sizeof *p->cuts);
        p->cuts[p->cut_count++] = (struct cut){a, b};
        return;
    }
    for (size_t i = p->cut_count; i-- > 0;) {
        struct cut *c = &p->cuts[i];
        if ((qkd_eid_eq(c->a, a) && qkd_eid_eq(c->b, b)) ||
            (qkd_eid_eq(c->a, b) && qkd_eid_eq(c->b, a))) {
            *c = p->cuts[--p->cut_count];
        }
    }
}

const struct qkd_report *pump_report(const struct pump *p, enum qkd_report_code code,
                                     struct qkd_eid who, size_t n)
{
    for (size_t i = 0; i < p->report_count; i++) {
        const struct qkd_report *r = &p->reports[i];
        if (r->code == code && (who.v == 0 || qkd_eid_eq(who, r->who)) && n-- == 0) {
            return r;
        }
    }
    return NULL;
}

size_t pump_report_count(const struct pump *p, enum qkd_report_code code, struct qkd_eid who)
{
    size_t count = 0;
    for (size_t i = 0; i < p->report_count; i++) {
        const struct qkd_report *r = &p->reports[i];
        count += r->code == code && (who.v == 0 || qkd_eid_eq(who, r->who)) ? 1U : 0U;
    }
    return count;
}

const uint8_t *pump_report_bytes(const struct pump *p, const struct qkd_report *report)
{
    return p->report_bytes + report->bytes.at;
}

size_t pump_persisted_count(const struct pump *p, struct qkd_eid owner)
{
    const struct host *host = host_find(p, owner);
    return host == NULL ? 0 : host->stored;
}

const struct qkd_record *pump_persisted(const struct pump *p, struct qkd_eid owner, size_t n)
{
    const struct host *host = host_find(p, owner);
    return host == NULL || n >= host->stored ? NULL : &host->store[n];
}

uint64_t pump_sent(const struct pump *p, enum qkd_rp rp)
{
    return p->sent[rp == QKD_RP_NONE ? QKD_RP_COUNT : rp];
}
