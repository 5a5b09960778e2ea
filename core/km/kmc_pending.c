/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests that the KMC passes on for its KMA: ROUTE to the controller (Ck), GENERATION to a module
 * (Kq-2); and for its KSA: STOCK to the controller. Each is repeated with the same message ID until answered, so the other side does it once;
 * a request that the KMA repeats meanwhile is not passed on again.
 *
 *   KMA ── ROUTE id k ──▶ pending {k, own} ── ROUTE id own ──▶ controller
 *       ◀─ ROUTE_RSP orig k ────────────── ◀─ ROUTE_RSP orig own ──
 *                          retransmit, x2 up to x8; after the last: code 2, unreachable */
#include "core/base/err.h"
#include "core/km/kmc_state.h"

#define ROUTE_RETRANSMITS 3
#define KNOWN_TRIES 2            /* to ask who serves what, where an old answer will do */
#define STANDBY_RETRANSMITS 2    /* more, while another controller may take over */
#define GENERATION_RETRANSMITS 8 /* a module that misses "run" stays paused */
#define BACKOFF_SHIFT_MAX 3
#define PENDING_CHUNK 16
#define ANSWER_BYTES 1024
#define KSA_MARK (UINT64_C(1) << 62) /* tells Message IDs of the KSA from the KMA's */

void kmc_pending_init(struct kmc *kmc, const uint8_t *salt)
{
    uint32_t limit = kmc->config->request_limit + kmc->config->link_limit;
    qkd_slab_init(&kmc->pending, sizeof(struct kmc_pending), PENDING_CHUNK, limit);
    qkd_map_init(&kmc->by_kma_id, 8, limit, salt);
    qkd_map_init(&kmc->by_own_id, 8, limit, salt);
    qkd_timers_init(&kmc->timers, limit + kmc->config->request_limit); /* pending and reserves */
}

void kmc_pending_fini(struct kmc *kmc)
{
    qkd_slab_fini(&kmc->pending);
    qkd_map_fini(&kmc->by_kma_id);
    qkd_map_fini(&kmc->by_own_id);
    qkd_timers_fini(&kmc->timers);
}

static uint32_t find(const struct qkd_map *map, uint64_t id)
{
    uint8_t key[8];
    wire_put_u64(key, id);
    return qkd_map_get(map, key);
}

static struct kmc_pending *pending_at(const struct kmc *kmc, uint32_t slot)
{
    return qkd_slab_at(&kmc->pending, slot);
}

static void pending_drop(struct kmc *kmc, uint32_t slot)
{
    struct kmc_pending *pending = pending_at(kmc, slot);
    uint8_t key[8];
    wire_put_u64(key, pending->kma_id);
    (void)qkd_map_del(&kmc->by_kma_id, key);
    wire_put_u64(key, pending->own_id);
    (void)qkd_map_del(&kmc->by_own_id, key);
    qkd_timers_cancel(&kmc->timers, &pending->timer);
    qkd_slab_give(&kmc->pending, slot);
}

/* A pending with both IDs entered; QKD_SLAB_NONE at the limit or without memory. */
static uint32_t pending_add(struct kmc *kmc, uint64_t kma_id, uint64_t own_id)
{
    uint32_t slot = qkd_slab_take(&kmc->pending);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    struct kmc_pending *pending = pending_at(kmc, slot);
    pending->kma_id = kma_id;
    pending->own_id = own_id;
    pending->timer = QKD_TIMER_NONE;
    uint8_t key[8];
    wire_put_u64(key, kma_id);
    int err = qkd_map_put(&kmc->by_kma_id, key, slot);
    wire_put_u64(key, own_id);
    err = err == 0 ? qkd_map_put(&kmc->by_own_id, key, slot) : err;
    if (err != 0) {
        pending_drop(kmc, slot);
        return QKD_SLAB_NONE;
    }
    return slot;
}

/* Sends the request (again) and sets the timer of the next repetition. */
static void pending_send(struct kmc *kmc, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct kmc_pending *pending = pending_at(kmc, slot);
    struct chan_send send = {
        .rp = pending->rp, .peer = pending->to, .message = pending->bytes, .len = pending->len};
    (void)chan_send(kmc->set, event, &send, out);
    unsigned shift = pending->tries < BACKOFF_SHIFT_MAX ? pending->tries : BACKOFF_SHIFT_MAX;
    struct qkd_span wait = qkd_span_ns(kmc->config->retransmit.ns << shift);
    pending->tries++;
    pending->timer = qkd_timers_set(&kmc->timers, qkd_time_add(event->now, wait), slot);
    if (pending->timer == QKD_TIMER_NONE) {
        pending_drop(kmc, slot); /* no memory: the KMA's own timeout ends it */
    }
}

static void kma_send(struct kmc *kmc, const struct qkd_event *event, struct wire_bytes message,
                     struct qkd_out *out)
{
    struct chan_send send = {
        .rp = QKD_RP_KMI, .peer = kmc->kma, .message = message.at, .len = message.len};
    (void)chan_send(kmc->set, event, &send, out);
}

/* A question for the controller about two KMAs, not yet encoded; QKD_SLAB_NONE at a limit. */
static uint32_t question_add(struct kmc *kmc, uint64_t kma_id, uint64_t own_id,
                             const struct qkd_eid about[2])
{
    uint32_t slot = pending_add(kmc, kma_id, own_id);
    if (slot != QKD_SLAB_NONE) {
        struct kmc_pending *pending = pending_at(kmc, slot);
        pending->rp = QKD_RP_CK;
        pending->to = kmc->controller;
        pending->a = about[0];
        pending->b = about[1];
    }
    return slot;
}

/* Sends what was encoded into the question's bytes. */
static void question_send(struct kmc *kmc, const struct qkd_event *event, uint32_t slot, int len,
                          struct qkd_out *out)
{
    QKD_ASSERT(len > 0);
    pending_at(kmc, slot)->len = (uint8_t)len;
    pending_send(kmc, event, slot, out);
}

/* The question that an answer of the controller, about these KMAs, belongs to; QKD_SLAB_NONE if it is
 * answered or given up already, or if the answer does not fit, which is reported. */
static uint32_t question_answered(struct kmc *kmc, const struct chan_message *m, bool stock,
                                  const struct wire_stock_rsp *answer, struct qkd_out *out)
{
    uint32_t slot = find(&kmc->by_own_id, answer->head.orig_message_id);
    if (slot == QKD_MAP_NONE) {
        return QKD_SLAB_NONE;
    }
    const struct kmc_pending *pending = pending_at(kmc, slot);
    if (pending->rp != QKD_RP_CK || pending->stock != stock || pending->resolve ||
        !qkd_eid_eq(pending->a, answer->source_id) ||
        !qkd_eid_eq(pending->b, answer->destination_id)) {
        kmc_bad_bytes(kmc, m, QKD_ERR_INVALID, out);
        return QKD_SLAB_NONE;
    }
    return slot;
}

/* ---- routes ---- */

static void route_rsp_send(struct kmc *kmc, const struct qkd_event *event,
                           const struct wire_route_rsp *rsp, struct qkd_out *out)
{
    uint8_t *bytes = qkd_out_scratch(out, ANSWER_BYTES);
    int len = bytes == NULL ? QKD_ERR_NOMEM : wire_route_rsp_encode(rsp, bytes, ANSWER_BYTES);
    if (len > 0) {
        kma_send(kmc, event, (struct wire_bytes){bytes, (size_t)len}, out);
    }
}

static void route_refuse(struct kmc *kmc, const struct qkd_event *event,
                         const struct wire_route_rsp *about, uint8_t reason, struct qkd_out *out)
{
    struct wire_route_rsp rsp = {.head = kmc_head(kmc, QKD_RP_KMI, about->head.orig_message_id),
                                 .source_id = about->source_id,
                                 .destination_id = about->destination_id,
                                 .has_reason = true,
                                 .reason = reason,
                                 .code = WIRE_FAILURE};
    route_rsp_send(kmc, event, &rsp, out);
}

static void route_by_map(struct kmc *kmc, const struct qkd_event *event,
                         const struct wire_route *route, uint64_t kma_id, struct qkd_out *out)
{
    uint8_t room[CTL_PATH_MAX * 8];
    struct wire_route_rsp rsp;
    kmc_map_route(kmc, event, route, room, &rsp);
    rsp.head = kmc_head(kmc, QKD_RP_KMI, kma_id);
    route_rsp_send(kmc, event, &rsp, out);
}

void kmc_route_from_kma(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct wire_route route;
    int err = wire_route_decode(&route, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint64_t kma_id = route.head.message_id;
    if (find(&kmc->by_kma_id, kma_id) != QKD_MAP_NONE) {
        return;
    }
    struct wire_route_rsp about = {.head.orig_message_id = kma_id,
                                   .source_id = route.source_id,
                                   .destination_id = route.destination_id};
    if (kmc_map_decides(kmc)) {
        route_by_map(kmc, event, &route, kma_id, out);
        return;
    }
    if (kmc->config->controller.v == 0) {
        route_refuse(kmc, event, &about, WIRE_REASON_UNREACHABLE, out);
        return;
    }
    route.head = kmc_head(kmc, QKD_RP_CK, 0);
    struct qkd_eid ends[2] = {route.source_id, route.destination_id};
    uint32_t slot = question_add(kmc, kma_id, route.head.message_id, ends);
    if (slot == QKD_SLAB_NONE) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        route_refuse(kmc, event, &about, WIRE_REASON_OVERLOAD, out);
        return;
    }
    int len = wire_route_encode(&route, pending_at(kmc, slot)->bytes, KMC_PENDING_BYTES);
    question_send(kmc, event, slot, len, out);
}

void kmc_route_probe(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    uint8_t bytes[KMC_PENDING_BYTES];
    struct wire_route route = {.head = kmc_head(kmc, QKD_RP_CK, 0),
                               .source_id = kmc->kma,
                               .destination_id = kmc->kma,
                               .key_amount = 1,
                               .key_size = kmc->config->unit_bits,
                               .batch = 1};
    int len = wire_route_encode(&route, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = kmc->controller, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out); /* lost: the next tick asks again */
}

void kmc_route_answer(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out)
{
    struct wire_route_rsp rsp;
    int err = wire_route_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    struct wire_stock_rsp about = {.head = rsp.head,
                                   .source_id = rsp.source_id,
                                   .destination_id = rsp.destination_id};
    uint32_t slot = question_answered(kmc, m, false, &about, out);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    const struct kmc_pending *pending = pending_at(kmc, slot);
    rsp.head = kmc_head(kmc, QKD_RP_KMI, pending->kma_id);
    route_rsp_send(kmc, event, &rsp, out);
    pending_drop(kmc, slot);
}

void kmc_route_table(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                     struct qkd_out *out)
{
    struct wire_route_table table;
    int err = wire_route_table_decode(&table, m->bytes, m->len);
    if (err != 0 || table.head.orig_message_id != 0) {
        kmc_bad_bytes(kmc, m, err != 0 ? err : QKD_ERR_INVALID, out);
        return;
    }
    if (table.head.message_id < kmc->last_table_id) {
        return; /* overtaken: what of it still holds is said again */
    }
    struct wire_route_table_ack ack = {.head = kmc_head(kmc, QKD_RP_CK, table.head.message_id),
                                       .code = WIRE_SUCCESS};
    if (table.head.message_id > kmc->last_table_id) {
        kmc->last_table_id = table.head.message_id;
        table.head = kmc_head(kmc, QKD_RP_KMI, 0);
        uint8_t *bytes = qkd_out_scratch(out, m->len);
        int len = bytes == NULL ? QKD_ERR_NOMEM : wire_route_table_encode(&table, bytes, m->len);
        if (len < 0) {
            return;
        }
        kma_send(kmc, event, (struct wire_bytes){bytes, (size_t)len}, out);
    }
    uint8_t bytes[KMC_PENDING_BYTES];
    int len = wire_route_table_ack_encode(&ack, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = kmc->controller, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out); /* lost: it comes again */
}

/* ---- stock ---- */

/* Answers the KSA: id is its Message ID, marked. */
static void stock_rsp_send(struct kmc *kmc, const struct qkd_event *event,
                           struct wire_stock_rsp *rsp, uint64_t id, struct qkd_out *out)
{
    uint8_t bytes[KMC_PENDING_BYTES];
    rsp->head = kmc_head(kmc, QKD_RP_KMI, id & ~KSA_MARK);
    int len = wire_stock_rsp_encode(rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_KMI, .peer = kmc->ksa, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out);
}

void kmc_stock_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct wire_stock stock;
    int err = wire_stock_decode(&stock, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint64_t id = stock.head.message_id | KSA_MARK;
    if (find(&kmc->by_kma_id, id) != QKD_MAP_NONE) {
        return;
    }
    struct wire_stock_rsp refusal = {.source_id = stock.source_id,
                                     .destination_id = stock.destination_id,
                                     .reason = WIRE_REASON_UNREACHABLE};
    if (kmc->config->controller.v == 0) {
        stock_rsp_send(kmc, event, &refusal, id, out);
        return;
    }
    stock.head = kmc_head(kmc, QKD_RP_CK, 0);
    struct qkd_eid ends[2] = {stock.source_id, stock.destination_id};
    uint32_t slot = question_add(kmc, id, stock.head.message_id, ends);
    if (slot == QKD_SLAB_NONE) {
        refusal.reason = WIRE_REASON_OVERLOAD;
        stock_rsp_send(kmc, event, &refusal, id, out);
        return;
    }
    struct kmc_pending *pending = pending_at(kmc, slot);
    pending->stock = true;
    int len = wire_stock_encode(&stock, pending->bytes, sizeof pending->bytes);
    question_send(kmc, event, slot, len, out);
}

void kmc_stock_answer(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out)
{
    struct wire_stock_rsp rsp;
    int err = wire_stock_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint32_t slot = question_answered(kmc, m, true, &rsp, out);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    const struct kmc_pending *pending = pending_at(kmc, slot);
    stock_rsp_send(kmc, event, &rsp, pending->kma_id, out);
    pending_drop(kmc, slot);
}

/* ---- who serves what ---- */

bool kmc_question_resolve(struct kmc *kmc, const struct qkd_event *event,
                          const struct wire_resolve *question, struct qkd_out *out)
{
    uint64_t id = question->head.message_id | KSA_MARK;
    if (find(&kmc->by_kma_id, id) != QKD_MAP_NONE) {
        return true; /* repeated */
    }
    struct wire_resolve own = *question;
    own.head = kmc_head(kmc, QKD_RP_CK, 0);
    struct qkd_eid ends[2] = {question->source_id, QKD_NOBODY};
    uint32_t slot = question_add(kmc, id, own.head.message_id, ends);
    if (slot == QKD_SLAB_NONE) {
        return false;
    }
    struct kmc_pending *pending = pending_at(kmc, slot);
    pending->resolve = true;
    int len = wire_resolve_encode(&own, pending->bytes, sizeof pending->bytes);
    question_send(kmc, event, slot, len, out);
    return true;
}

bool kmc_question_resolved(struct kmc *kmc, uint64_t own_id, struct kmc_asked *asked)
{
    uint32_t slot = find(&kmc->by_own_id, own_id);
    bool found = slot != QKD_MAP_NONE && pending_at(kmc, slot)->resolve;
    if (found) {
        const struct kmc_pending *pending = pending_at(kmc, slot);
        *asked = (struct kmc_asked){.ksa_id = pending->kma_id & ~KSA_MARK, .len = pending->len};
        memcpy(asked->bytes, pending->bytes, pending->len);
        pending_drop(kmc, slot);
    }
    return found;
}

/* ---- another controller ---- */

void kmc_pending_move(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < kmc->pending.top; slot++) {
        if (!qkd_slab_live(&kmc->pending, slot) || pending_at(kmc, slot)->rp != QKD_RP_CK) {
            continue;
        }
        struct kmc_pending *pending = pending_at(kmc, slot);
        qkd_timers_cancel(&kmc->timers, &pending->timer);
        pending->to = kmc->controller;
        pending->tries = 0;
        pending_send(kmc, event, slot, out);
    }
}

/* ---- key generation control ---- */

static void generation_rsp_send(struct kmc *kmc, const struct qkd_event *event,
                                const struct wire_generation_rsp *rsp, struct qkd_out *out)
{
    uint8_t bytes[KMC_PENDING_BYTES];
    int len = wire_generation_rsp_encode(rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    kma_send(kmc, event, (struct wire_bytes){bytes, (size_t)len}, out);
}

static bool is_own_module(const struct kmc *kmc, struct qkd_eid module)
{
    for (uint32_t i = 0; i < kmc->link_count; i++) {
        if (qkd_eid_eq(kmc->links[i].module, module)) {
            return true;
        }
    }
    return false;
}

/* A newer command for the same module makes the older one void. */
static void generation_supersede(struct kmc *kmc, struct qkd_eid module)
{
    for (uint32_t slot = 0; slot < kmc->pending.top; slot++) {
        if (qkd_slab_live(&kmc->pending, slot) && qkd_eid_eq(pending_at(kmc, slot)->to, module)) {
            pending_drop(kmc, slot);
        }
    }
}

void kmc_generation_from_kma(struct kmc *kmc, const struct qkd_event *event,
                             const struct chan_message *m, struct qkd_out *out)
{
    struct wire_generation command;
    int err = wire_generation_decode(&command, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint64_t kma_id = command.head.message_id;
    if (find(&kmc->by_kma_id, kma_id) != QKD_MAP_NONE) {
        return;
    }
    uint32_t slot = QKD_SLAB_NONE;
    if (is_own_module(kmc, command.module_id)) {
        generation_supersede(kmc, command.module_id);
        command.head = kmc_head(kmc, QKD_RP_KQ2, 0);
        slot = pending_add(kmc, kma_id, command.head.message_id);
    }
    if (slot == QKD_SLAB_NONE) {
        struct wire_generation_rsp rsp = {.head = kmc_head(kmc, QKD_RP_KMI, kma_id),
                                          .module_id = command.module_id,
                                          .code = WIRE_FAILURE};
        generation_rsp_send(kmc, event, &rsp, out);
        return;
    }
    struct kmc_pending *pending = pending_at(kmc, slot);
    pending->rp = QKD_RP_KQ2;
    pending->to = command.module_id;
    pending->a = command.module_id;
    int len = wire_generation_encode(&command, pending->bytes, sizeof pending->bytes);
    QKD_ASSERT(len > 0);
    pending->len = (uint8_t)len;
    pending_send(kmc, event, slot, out);
}

void kmc_generation_answer(struct kmc *kmc, const struct qkd_event *event,
                           const struct chan_message *m, struct qkd_out *out)
{
    struct wire_generation_rsp rsp;
    int err = wire_generation_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint32_t slot = find(&kmc->by_own_id, rsp.head.orig_message_id);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    const struct kmc_pending *pending = pending_at(kmc, slot);
    if (pending->rp != QKD_RP_KQ2 || !qkd_eid_eq(pending->to, m->peer)) {
        kmc_bad_bytes(kmc, m, QKD_ERR_INVALID, out);
        return;
    }
    rsp.head = kmc_head(kmc, QKD_RP_KMI, pending->kma_id);
    generation_rsp_send(kmc, event, &rsp, out);
    pending_drop(kmc, slot);
}

/* ---- time ---- */

static unsigned tries_most(const struct kmc *kmc, const struct kmc_pending *pending)
{
    return pending->rp != QKD_RP_CK      ? GENERATION_RETRANSMITS
           : kmc->config->standby.v != 0 ? ROUTE_RETRANSMITS + STANDBY_RETRANSMITS
                                         : ROUTE_RETRANSMITS;
}

/* Who serves what, as it was asked. */
static struct wire_resolve question_of(const struct kmc_pending *pending)
{
    struct wire_resolve question;
    int err = wire_resolve_decode(&question, pending->bytes, pending->len);
    QKD_ASSERT(err == 0); /* our own bytes */
    return question;
}

static void pending_fail(struct kmc *kmc, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    const struct kmc_pending *pending = pending_at(kmc, slot);
    if (pending->stock) {
        struct wire_stock_rsp refusal = {.source_id = pending->a,
                                         .destination_id = pending->b,
                                         .reason = WIRE_REASON_UNREACHABLE};
        stock_rsp_send(kmc, event, &refusal, pending->kma_id, out);
    } else if (pending->resolve) {
        struct wire_resolve question = question_of(pending);
        if (pending->tries > tries_most(kmc, pending)) {
            (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
        }
        kmc_reach_refuse(kmc, event, &question, pending->kma_id & ~KSA_MARK, out);
    } else if (pending->rp == QKD_RP_CK) {
        struct wire_route_rsp about = {.head.orig_message_id = pending->kma_id,
                                       .source_id = pending->a,
                                       .destination_id = pending->b};
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
        struct wire_route route;
        if (kmc->map.is_on && wire_route_decode(&route, pending->bytes, pending->len) == 0) {
            route_by_map(kmc, event, &route, pending->kma_id, out);
        } else {
            route_refuse(kmc, event, &about, WIRE_REASON_UNREACHABLE, out);
        }
    } else {
        struct wire_generation_rsp rsp = {.head = kmc_head(kmc, QKD_RP_KMI, pending->kma_id),
                                          .module_id = pending->a,
                                          .code = WIRE_FAILURE};
        generation_rsp_send(kmc, event, &rsp, out);
    }
    pending_drop(kmc, slot);
}

void kmc_pending_timeout(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    uint64_t tag;
    while (qkd_timers_pop(&kmc->timers, event->now, &tag)) {
        uint32_t slot = (uint32_t)tag;
        if ((tag & KMC_TIMER_RESERVE) != 0) {
            kmc_reserve_timeout(kmc, event, slot, out);
            continue;
        }
        struct kmc_pending *pending = pending_at(kmc, slot);
        pending->timer = QKD_TIMER_NONE;
        bool is_known = pending->resolve && pending->tries >= KNOWN_TRIES;
        if (is_known) {
            struct wire_resolve question = question_of(pending);
            is_known = kmc_reach_is_known(kmc, &question);
        }
        if (is_known || pending->tries > tries_most(kmc, pending)) {
            pending_fail(kmc, event, slot, out);
        } else {
            pending_send(kmc, event, slot, out);
        }
    }
}
