/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: a flow is an application pair at its source KMA: its route (Tables 8-3, 8-4, cached for its
 * validity), its session (Tables 7-9, 7-10) and the IDs of its keys (D23-KR-03, -05, -08). States are
 * drawn in kma_internal.h. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <stdlib.h>
#include <string.h>

/* So many status periods, at least, is a route used on without a controller. */
#define KEPT_PERIODS 3

#define SESSION_MARGIN 16 /* the last of so many parts of a session's Timer is not used */

static struct kma_flow *flow_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->flows, slot);
}

uint32_t kma_flow_get(const struct kma_step *s, const struct wire_kmi_need *need)
{
    struct kma *kma = s->kma;
    uint8_t key[KMA_FLOW_KEY];
    bool drawn = need->has_more_targets && need->more_targets.len > 0;
    wire_put_u64(key, need->source_app.v);
    wire_put_u64(key + 8, need->target_app.v);
    key[16] = drawn;
    uint32_t slot = qkd_map_get(&kma->flow_map, key);
    uint8_t relay = need->has_relay ? need->relay : WIRE_RELAY_HOP_BY_HOP;
    uint8_t wanted = relay == WIRE_RELAY_MULTIPATH ? need->paths : 1;
    uint8_t class_number = need->has_class_number ? need->class_number : 0;
    if (slot != QKD_MAP_NONE) {
        flow_at(kma, slot)->relay = relay;
        flow_at(kma, slot)->wanted = wanted;
        flow_at(kma, slot)->class_number = class_number;
        return slot;
    }
    slot = qkd_slab_take(&kma->flows);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    if (qkd_map_put(&kma->flow_map, key, slot) != 0) {
        qkd_slab_give(&kma->flows, slot);
        return QKD_SLAB_NONE;
    }
    *flow_at(kma, slot) = (struct kma_flow){.source_app = need->source_app,
                                            .target_app = need->target_app,
                                            .destination = need->destination_id,
                                            .relay = relay,
                                            .wanted = wanted,
                                            .drawn = drawn,
                                            .class_number = class_number,
                                            .timer = QKD_TIMER_NONE,
                                            .needs = QKD_SLAB_NONE,
                                            .last_need = QKD_SLAB_NONE};
    return slot;
}

static void arm(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    qkd_timers_cancel(&s->kma->timers, &flow->timer);
    flow->timer = qkd_timers_set(&s->kma->timers, kma_after(s, s->kma->config->retransmit),
                                 kma_tag(KMA_TIMER_FLOW, slot));
}

static void disarm(const struct kma_step *s, struct kma_flow *flow)
{
    qkd_timers_cancel(&s->kma->timers, &flow->timer);
}

/* ---- routes ---- */

const struct qkd_eid *kma_flow_path(const struct kma_flow *flow, uint32_t index, uint32_t *len)
{
    const struct qkd_eid *at = flow->route;
    for (;;) {
        *len = 1;
        while (!qkd_eid_eq(at[*len - 1], flow->destination)) {
            ++*len;
        }
        if (index-- == 0) {
            return at;
        }
        at += *len;
    }
}

uint32_t kma_flow_longest(const struct kma_flow *flow)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < flow->paths; i++) {
        uint32_t len;
        (void)kma_flow_path(flow, i, &len);
        longest = len > longest ? len : longest;
    }
    return longest;
}

/* ---- key IDs ---- */

/* First 128 bits of a hash over the names of module pair and KMs, addresses and the session: unique
 * in the network, the same at both ends (D23-KR-03, MD-07). */
static void base_id(const struct kma_step *s, struct kma_flow *flow)
{
    struct kma *kma = s->kma;
    uint8_t ids[56];
    uint8_t hash[32];
    const struct kma_link *first = flow->route_len > 1 ? kma_link_of(kma, flow->route[1])
                                                       : &kma->links[0];
    wire_put_u64(ids, first->module.v);
    wire_put_u64(ids + 8, first->peer_module.v);
    wire_put_u64(ids + 16, kma->self.v);
    wire_put_u64(ids + 24, flow->destination.v);
    wire_put_u64(ids + 32, flow->session);
    wire_put_u64(ids + 40, qkd_rng_u64(&kma->rng));
    wire_put_u64(ids + 48, kma->incarnation);
    struct crypto_part parts[] = {{"KMA-key", 7},
                                  {ids, sizeof ids},
                                  {kma->config->ip, sizeof kma->config->ip},
                                  {kma->config->mac, sizeof kma->config->mac},
                                  {kma->config->name, strlen(kma->config->name)}};
    int err = crypto_sha256(parts, sizeof parts / sizeof parts[0], hash);
    QKD_ASSERT(err == 0);
    memcpy(flow->base.b, hash, sizeof flow->base.b);
    flow->counter = 0;
}

void kma_flow_key_id(struct kma_flow *flow, struct qkd_id *id)
{
    uint8_t counter[8];
    uint8_t hash[32];
    wire_put_u64(counter, ++flow->counter);
    struct crypto_part parts[] = {{flow->base.b, sizeof flow->base.b}, {counter, sizeof counter}};
    int err = crypto_sha256(parts, 2, hash);
    QKD_ASSERT(err == 0);
    memcpy(id->b, hash, sizeof id->b);
}

/* ---- session ---- */

static void update_send(const struct kma_step *s, uint32_t slot, uint32_t path, uint32_t timer_s)
{
    struct kma *kma = s->kma;
    const struct kma_flow *flow = flow_at(kma, slot);
    uint32_t len;
    const struct qkd_eid *eids = kma_flow_path(flow, path, &len);
    const struct kma_link *first = kma_link_of(kma, eids[1]);
    if (first == NULL) {
        return;
    }
    uint8_t route[8 * (KMA_HOP_MAX + 1)];
    for (uint32_t i = 0; i < len; i++) {
        wire_put_u64(route + (size_t)8 * i, eids[i].v);
    }
    const struct kma_need *need = flow->needs == QKD_SLAB_NONE
                                      ? NULL
                                      : qkd_slab_at(&kma->needs, flow->needs);
    bool is_several = flow->paths > 1;
    struct wire_update update = {.head = kma_head(kma, QKD_RP_KX1, 0),
                                 .key_id = flow->base,
                                 .qos = need == NULL ? WIRE_LEVEL_ANY : need->level,
                                 .session_id = flow->session,
                                 .timer_s = timer_s,
                                 .route = {route, (size_t)8 * len},
                                 .hop = 1,
                                 .generation = flow->generation,
                                 .has_path = is_several,
                                 .path = (uint8_t)path,
                                 .has_paths = is_several,
                                 .paths = flow->paths,
                                 .has_class_number = kma->config->class_count > 0,
                                 .class_number = flow->class_number,
                                 .has_flow = kma->config->class_count > 0,
                                 .flow = slot};
    memcpy(update.sender_ip.b, kma->config->ip, sizeof update.sender_ip.b);
    memcpy(update.receiver_ip.b, first->peer_ip, sizeof update.receiver_ip.b);
    KMA_SEND(s, update, QKD_RP_KX1, first->peer, &update);
}

static void session_send(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_flow *flow = flow_at(kma, slot);
    int64_t timer_s = (kma->config->timer.ns + QKD_NS_PER_S - 1) / QKD_NS_PER_S;
    struct wire_session session = {.head = kma_head(kma, QKD_RP_KX1, 0),
                                   .session_id = flow->session,
                                   .timer_s = (uint32_t)timer_s,
                                   .source_id = kma->self,
                                   .destination_id = flow->destination,
                                   .source_app = flow->source_app,
                                   .target_app = flow->target_app};
    struct crypto_part part = {flow->base.b, sizeof flow->base.b};
    int err = crypto_sha256(&part, 1, session.key_id_hash.b);
    QKD_ASSERT(err == 0);
    flow->spoken = chan_is_up(kma->chan, QKD_RP_KX1, flow->destination);
    KMA_SEND(s, session, QKD_RP_KX1, flow->destination, &session);
    for (uint32_t i = 0; i < flow->paths; i++) {
        update_send(s, slot, i, session.timer_s);
    }
}

/* How long the source uses a session: hops forget it after `timer` by clocks that may run faster. */
static struct qkd_span session_life(const struct kma_step *s)
{
    int64_t timer_ns = s->kma->config->timer.ns;
    return qkd_span_ns(timer_ns - timer_ns / SESSION_MARGIN);
}

void kma_session_begin(const struct kma_step *s, uint32_t slot, bool renew)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    for (uint32_t i = flow->needs; i != QKD_SLAB_NONE;) { /* it may be another way */
        struct kma_need *need = qkd_slab_at(&s->kma->needs, i);
        need->is_barred = false;
        i = need->next;
    }
    if (renew) {
        flow->session = qkd_rng_u64(&s->kma->rng);
        flow->session_until = kma_after(s, session_life(s));
        flow->generation = 0;
        base_id(s, flow);
    }
    if (flow->direct) { /* TAKE names everything: no hop needs to know */
        flow->state = KMA_FLOW_READY;
        disarm(s, flow);
        kma_need_run(s, slot);
        return;
    }
    flow->state = KMA_FLOW_SETUP;
    flow->generation++;
    flow->tries = 0;
    session_send(s, slot);
    arm(s, slot);
}

void kma_flow_session(const struct kma_step *s, struct qkd_eid peer,
                      const struct wire_session_rsp *rsp)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->flows.top; i++) {
        struct kma_flow *flow = qkd_slab_live(&kma->flows, i) ? flow_at(kma, i) : NULL;
        if (flow == NULL || flow->session != rsp->session_id || flow->state != KMA_FLOW_SETUP) {
            continue;
        }
        if (rsp->code == WIRE_SUCCESS && qkd_eid_eq(peer, flow->destination)) {
            flow->state = KMA_FLOW_READY;
            disarm(s, flow);
            kma_need_run(s, i);
        } else if (rsp->has_reason && rsp->reason == WIRE_REASON_UNREACHABLE) {
            kma_flow_reroute(s, i);
        }
        return;
    }
}

void kma_flow_channel_up(const struct kma_step *s, struct qkd_eid peer)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->flows.top; i++) {
        struct kma_flow *flow = qkd_slab_live(&kma->flows, i) ? flow_at(kma, i) : NULL;
        if (flow == NULL || flow->state != KMA_FLOW_SETUP || !qkd_eid_eq(flow->destination, peer)) {
            continue;
        }
        if (flow->spoken) {
            session_send(s, i);
            arm(s, i);
        }
        flow->spoken = true; /* what waited for the channel has just left */
    }
}

/* ---- route ---- */

static void route_ask(const struct kma_step *s, uint32_t slot, bool again)
{
    struct kma *kma = s->kma;
    struct kma_flow *flow = flow_at(kma, slot);
    const struct kma_need *need = qkd_slab_at(&kma->needs, flow->needs);
    bool fallback = kma_fall(s, need->level) != 0 && flow->relay != WIRE_RELAY_DESTINATION;
    struct wire_route route = {.head = kma_head(kma, QKD_RP_KMI, 0),
                               .source_id = kma->self,
                               .destination_id = flow->destination,
                               .key_amount = need->count - need->launched,
                               .key_size = need->key_size,
                               .batch = kma_need_batch(kma, need),
                               .has_level = true,
                               .level = need->level,
                               .has_reroute = again,
                               .reroute = again,
                               .has_failed_from = again && flow->failed_to.v != 0,
                               .failed_from = flow->failed_from,
                               .has_failed_to = again && flow->failed_to.v != 0,
                               .failed_to = flow->failed_to,
                               .has_relay = flow->relay != WIRE_RELAY_HOP_BY_HOP,
                               .relay = flow->relay,
                               .has_paths = flow->wanted > 1,
                               .paths = flow->wanted,
                               .has_fallback = fallback,
                               .fallback = fallback,
                               .has_drawn = flow->drawn,
                               .drawn = flow->drawn};
    flow->failed_from = flow->failed_to = QKD_NOBODY;
    flow->state = KMA_FLOW_ROUTING;
    flow->route_again = again;
    flow->tries = 0;
    (void)qkd_map_del(&kma->route_map, &flow->route_message);
    flow->route_message = route.head.message_id;
    if (qkd_map_put(&kma->route_map, &flow->route_message, slot) != 0) {
        flow->state = KMA_FLOW_IDLE;
        kma_need_fail_all(s, slot, WIRE_REASON_OVERLOAD);
        return;
    }
    KMA_SEND(s, route, QKD_RP_KMI, qkd_eid_sibling(kma->self, QKD_ROLE_KMC), &route);
    disarm(s, flow);
}

/* Bytes that a link pays for what a need of a neighbour still lacks, or for one key. */
static uint64_t direct_cost(const struct kma_step *s, const struct kma_need *need, uint32_t keys)
{
    uint32_t batch = kma_need_batch(s->kma, need);
    bool drawn = need->group != QKD_SLAB_NONE;
    return (drawn ? wire_relay_cost_bits(need->key_size, keys, batch)
                  : wire_take_cost_bits(need->key_size, keys, batch)) /
           8;
}

/* Neighbours need no controller while their link can pay (D23-RP-04). */
static bool direct_possible(const struct kma_step *s, const struct kma_flow *flow)
{
    struct kma_link *link = kma_link_of(s->kma, flow->destination);
    const struct kma_need *need = qkd_slab_at(&s->kma->needs, flow->needs);
    if (link == NULL || !link->up) {
        return false;
    }
    uint64_t cost = direct_cost(s, need, need->count - need->launched);
    uint32_t least = (uint32_t)direct_cost(s, need, 1);
    bool can = km_pool_payload_free(&link->pool) + km_pool_peer_payload(&link->pool) / 2 >= cost &&
               km_pool_has_run(&link->pool, least);
    if (!can) {
        kma_link_exhausted(s, link);
    }
    return can;
}

static bool route_reserve(struct kma_flow *flow, uint32_t len)
{
    if (len > flow->route_cap) {
        struct qkd_eid *route = realloc(flow->route, len * sizeof *route);
        if (route == NULL) {
            return false;
        }
        flow->route = route;
        flow->route_cap = len;
    }
    return true;
}

static void route_direct(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    bool alive = flow->drawn && flow->state == KMA_FLOW_READY && flow->all_len == 2 &&
                 qkd_time_before(s->event->now, flow->session_until);
    if (!route_reserve(flow, 2)) {
        kma_need_fail_all(s, slot, WIRE_REASON_OVERLOAD);
        return;
    }
    flow->route[0] = s->kma->self;
    flow->route[1] = flow->destination;
    flow->route_len = flow->all_len = 2;
    flow->paths = 1;
    flow->direct = !flow->drawn;
    flow->by_table = false;
    flow->route_until = kma_after(s, s->kma->config->status_period);
    flow->route_until = QKDN_MUTANT(ROUTE_STUCK) ? QKD_NEVER : flow->route_until;
    if (alive) { /* its session goes over that link */
        kma_need_run(s, slot);
    } else {
        kma_session_begin(s, slot, true);
    }
}

void kma_flow_go(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    if (flow->needs == QKD_SLAB_NONE || flow->state == KMA_FLOW_ROUTING ||
        flow->state == KMA_FLOW_SETUP) {
        return;
    }
    bool valid = flow->state == KMA_FLOW_READY &&
                 qkd_time_before(s->event->now, flow->route_until) &&
                 qkd_time_before(s->event->now, flow->session_until);
    if (valid) {
        kma_need_run(s, slot);
    } else if (direct_possible(s, flow)) {
        route_direct(s, slot);
    } else if (!kma_table_use(s, slot)) {
        route_ask(s, slot, false);
    }
}

void kma_flow_reroute(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    if (QKDN_MUTANT(ROUTE_STUCK)) {
        return;
    }
    flow->route_until = s->event->now;
    if (flow->needs != QKD_SLAB_NONE && flow->state != KMA_FLOW_ROUTING) {
        route_ask(s, slot, true);
    } else if (flow->state != KMA_FLOW_ROUTING) {
        disarm(s, flow);
        flow->state = KMA_FLOW_IDLE;
    }
}

void kma_flow_forgotten(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    if (flow->state == KMA_FLOW_READY && !flow->direct) {
        kma_session_begin(s, slot, false);
    }
}

/* KMA number i of an answer: of its first route, then of the others. */
static struct qkd_eid answer_at(const struct wire_route_rsp *rsp, uint32_t i)
{
    uint32_t first = (uint32_t)(rsp->route.len / 8);
    const uint8_t *at = i < first ? rsp->route.at + (size_t)8 * i
                                  : rsp->others.at + (size_t)8 * (i - first);
    return (struct qkd_eid){wire_get_u64(at)};
}

/* Whether a KMA is on the way of an answer before place i. */
static bool answer_has(const struct wire_route_rsp *rsp, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (qkd_eid_eq(answer_at(rsp, k), answer_at(rsp, i))) {
            return true;
        }
    }
    return false;
}

/* KMAs of all routes of an answer; 0 unless there are as many routes as asked for, each begins here with a
 * live neighbour and ends at the destination, and no KMA is on the way twice. */
uint32_t kma_route_usable(const struct kma_step *s, const struct kma_flow *flow,
                          const struct wire_route_rsp *rsp)
{
    size_t total = (rsp->route.len + (rsp->has_others ? rsp->others.len : 0)) / 8;
    uint32_t routes = 0;
    if (!rsp->has_route || rsp->route.len % 8 != 0 || rsp->route.len < 16 ||
        total > KMA_HOP_MAX + 1 || (rsp->has_others && rsp->others.len % 8 != 0)) {
        return 0;
    }
    bool begins = true;
    for (uint32_t i = 0; i < total; i++) {
        struct qkd_eid at = answer_at(rsp, i);
        bool ends = !begins && qkd_eid_eq(at, flow->destination);
        if (begins) {
            const struct kma_link *first = i + 1 < total
                                               ? kma_link_of(s->kma, answer_at(rsp, i + 1))
                                               : NULL;
            if (!qkd_eid_eq(at, s->kma->self) || first == NULL || !first->up) {
                return 0;
            }
        } else if (!ends && answer_has(rsp, i)) {
            return 0;
        }
        routes += ends;
        begins = ends;
    }
    bool split = qkd_eid_eq(answer_at(rsp, (uint32_t)(rsp->route.len / 8) - 1), flow->destination);
    return begins && split && routes == flow->wanted ? (uint32_t)total : 0;
}

/* The `total` KMAs of an answer in place of the routes that were there; same: they are those, and a session
 * goes over them. False without memory. */
bool kma_route_take(struct kma_flow *flow, const struct wire_route_rsp *rsp, uint32_t total,
                    bool *same)
{
    uint32_t len = (uint32_t)(rsp->route.len / 8);
    bool is_short = rsp->has_grade && rsp->grade == WIRE_METHOD_AES; /* of what a TAKE takes, too */
    bool direct = len == 2 && flow->wanted == 1 && !is_short && !flow->drawn;
    if (!route_reserve(flow, total)) {
        return false;
    }
    *same = flow->all_len == total && flow->route_len == len && flow->session != 0 &&
            flow->direct == direct;
    for (uint32_t i = 0; i < total; i++) {
        struct qkd_eid hop = answer_at(rsp, i);
        *same = *same && qkd_eid_eq(hop, flow->route[i]);
        flow->route[i] = hop;
    }
    flow->route_len = len;
    flow->all_len = total;
    flow->paths = flow->wanted;
    flow->direct = direct;
    return true;
}

/* The controller does not answer, or has restarted and knows no route yet: one that was good until now is used on, for another while of the
 * validity that it had, unless it is the one that has just failed. How old it is is reported. */
static bool route_kept(const struct kma_step *s, uint32_t slot, uint8_t reason)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    const struct kma_link *first = flow->route_len > 2 ? kma_link_of(s->kma, flow->route[1]) : NULL;
    bool is_away = reason == WIRE_REASON_UNREACHABLE || reason == WIRE_REASON_RESTARTED;
    bool never = qkd_is_off(s->kma->config->measures_off, QKD_MEASURE_KEPT_ROUTES);
    if (!is_away || flow->route_again || first == NULL || !first->up || never) {
        return false;
    }
    struct qkd_span least = qkd_span_ns(KEPT_PERIODS * s->kma->config->status_period.ns);
    bool alive = flow->session != 0 && qkd_time_before(s->event->now, flow->session_until);
    int64_t age_ns = qkd_time_sub(s->event->now, flow->route_at).ns;
    flow->route_until = kma_after(s, flow->validity.ns > least.ns ? flow->validity : least);
    kma_report(s, (struct qkd_report){.code = QKD_REPORT_ROUTE,
                                      .peer = flow->destination,
                                      .a = flow->route_len - 1,
                                      .c = 2,
                                      .d = (uint64_t)(age_ns / QKD_NS_PER_MS)});
    if (alive) {
        flow->state = KMA_FLOW_READY;
        kma_need_run(s, slot);
    } else {
        kma_session_begin(s, slot, true);
    }
    return true;
}

/* Whether the flow is for a neighbour whose link cannot pay pool units, and its keys may do without. */
static bool neighbour_short(const struct kma_step *s, const struct kma_flow *flow)
{
    const struct kma_need *need = flow->needs == QKD_SLAB_NONE
                                      ? NULL
                                      : qkd_slab_at(&s->kma->needs, flow->needs);
    const struct kma_link *link = kma_link_of(s->kma, flow->destination);
    if (need == NULL || link == NULL || kma_fall(s, need->level) == 0) {
        return false;
    }
    bool no_grant = flow->route_again && /* none came, or it was spent */
                    (need->over_share || km_pool_payload_free(&link->pool) <
                                             direct_cost(s, need, need->count - need->launched));
    return no_grant || !direct_possible(s, flow);
}

void kma_flow_route(const struct kma_step *s, const struct wire_route_rsp *rsp)
{
    bool same;
    struct kma *kma = s->kma;
    uint64_t message = rsp->head.orig_message_id;
    uint32_t slot = qkd_map_get(&kma->route_map, &message);
    if (slot == QKD_MAP_NONE) {
        return; /* not asked, or answered before (GM-01) */
    }
    (void)qkd_map_del(&kma->route_map, &message);
    struct kma_flow *flow = flow_at(kma, slot);
    flow->route_message = 0;
    uint8_t reason = rsp->has_reason ? rsp->reason : WIRE_REASON_NO_ROUTE;
    if (rsp->code != WIRE_SUCCESS && route_kept(s, slot, reason)) {
        return;
    }
    reason = reason == WIRE_REASON_RESTARTED ? WIRE_REASON_NO_ROUTE : reason;
    struct wire_route_rsp told = *rsp;
    if (neighbour_short(s, flow)) { /* what the controller last heard may be better */
        told.has_grade = true;
        told.grade = WIRE_METHOD_AES;
    }
    uint32_t total = rsp->code == WIRE_SUCCESS ? kma_route_usable(s, flow, rsp) : 0;
    if (total == 0) {
        flow->state = KMA_FLOW_IDLE;
        reason = rsp->code == WIRE_SUCCESS ? WIRE_REASON_NO_ROUTE : reason;
        kma_need_fail_all(s, slot, reason);
        return;
    }
    if (!kma_route_take(flow, &told, total, &same)) {
        flow->state = KMA_FLOW_IDLE;
        kma_need_fail_all(s, slot, WIRE_REASON_OVERLOAD);
        return;
    }
    uint32_t validity_ms = rsp->has_validity_ms ? rsp->validity_ms : 0;
    flow->validity = qkd_span_ms((int64_t)validity_ms);
    flow->route_at = s->event->now;
    flow->route_until = kma_after(s, flow->validity);
    flow->by_table = false;
    bool alive = flow->session != 0 && qkd_time_before(s->event->now, flow->session_until);
    kma_report(s, (struct qkd_report){.code = QKD_REPORT_ROUTE,
                                      .peer = flow->destination,
                                      .a = flow->route_len - 1,
                                      .b = flow->route_again});
    if (same && alive) {
        flow->state = KMA_FLOW_READY;
        kma_need_run(s, slot);
    } else {
        kma_session_begin(s, slot, !alive || flow->direct);
    }
}

void kma_flow_timeout(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    flow->timer = QKD_TIMER_NONE;
    if (flow->state != KMA_FLOW_SETUP) {
        kma_flow_go(s, slot); /* the wait for a GRANT is over */
        return;
    }
    const struct kma_link *first = kma_link_of(s->kma, flow->route[1]);
    if (++flow->tries > s->kma->config->retries || first == NULL || !first->up) {
        flow->state = KMA_FLOW_IDLE;
        kma_need_fail_all(s, slot, WIRE_REASON_UNREACHABLE);
        return;
    }
    session_send(s, slot);
    arm(s, slot);
}

void kma_flow_overdue(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    bool lost = flow->state == KMA_FLOW_ROUTING ||
                (flow->state == KMA_FLOW_SETUP && flow->timer == QKD_TIMER_NONE);
    if (lost) {
        flow->state = KMA_FLOW_IDLE;
        kma_flow_go(s, slot);
    }
}

void kma_flow_wait(const struct kma_step *s, uint32_t slot)
{
    if (flow_at(s->kma, slot)->timer == QKD_TIMER_NONE) {
        arm(s, slot);
    }
}
