/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN controller: the element. FG QIT4N D2.3 clause 8; docs/protocol.md, "Control".
 *
 *   KMC, module            channel UP            STATUS {period}  ──▶
 *   STATUS_RSP {links}     ──▶  topology, ages   (3 periods of silence: asked again, LINK_DOWN)
 *   ROUTE                  ──▶  pays? promised   ROUTE_RSP {route, validity | reason}  ──▶
 *   RESERVE, RELEASE       ──▶  see sessions.c
 *   a link is worse        ──▶  see pushes.c     ROUTE_TABLE unasked, until acknowledged  ──▶
 *
 * Timers: one sweep per status period for silent KMs; the channels' and reports' own. */
#include "core/controller/controller.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/controller/element.h"
#include "core/crypto/crypto.h"
#include "core/wire/frame.h"

#define INCARNATION_SHIFT 40 /* of message IDs */
#define PEER_CHUNK 64
#define PATHS_DEFAULT 3
#define SMALL_MESSAGE 128    /* bytes of a STATUS */
#define STOCK_MOST 1000000   /* keys; more need not be told apart */
#define ROUTE_RSP_BYTES 1024 /* bytes of the longest ROUTE_RSP */

static void eid_key(uint8_t key[8], struct qkd_eid eid)
{
    wire_put_u64(key, eid.v);
}

static struct qkd_span stale_after(const struct ctl *ctl)
{
    return qkd_span_ns(CTL_STALE_PERIODS * ctl->config.status_period.ns);
}

int ctl_new(const struct ctl_config *config, struct ctl **result)
{
    *result = NULL;
    bool is_valid = qkd_eid_role(config->self) == QKD_ROLE_CONTROLLER &&
                    config->status_period.ns > 0 && config->status_period.ns <= INT64_MAX / 16 &&
                    config->route_validity.ns >= 0 && config->node_limit > 0 &&
                    config->link_limit > 0 && config->link_limit < CTL_NONE / 4 &&
                    config->reservable_ppm <= CTL_PPM &&
                    (config->mode != CTL_PROACTIVE || config->unit_bits > 0) &&
                    config->paths <= CTL_PATHS_MAX;
    if (!is_valid) {
        return QKD_ERR_INVALID;
    }
    struct ctl *ctl = calloc(1, sizeof *ctl);
    if (ctl == NULL) {
        return QKD_ERR_NOMEM;
    }
    ctl->config = *config;
    ctl->config.paths = config->paths == 0 ? PATHS_DEFAULT : config->paths;
    ctl->sweep_at = QKD_NEVER;
    ctl->push_at = QKD_NEVER;
    uint32_t modules = 2 * config->link_limit;
    uint32_t peers = config->node_limit < UINT32_MAX - modules - 1 ? config->node_limit + modules
                                                                   : UINT32_MAX - 1;
    struct chan_config channels = {.self = config->self,
                                   .limit = peers + 1,
                                   .retransmit = config->retransmit};
    struct chan_reports_config reports = {.self = config->self,
                                          .to = config->manager,
                                          .rp = QKD_RP_MC,
                                          .period = config->status_period,
                                          .keep_bytes = CHAN_REPORT_KEEP_BYTES,
                                          .fault_limit = config->link_limit};
    int err = chan_reports_init(&ctl->reports, &reports);
    if (err == 0) {
        err = chan_set_new(&channels, &ctl->set);
    }
    if (err != 0) {
        free(ctl);
        return err;
    }
    ctl_topology_init(&ctl->topology, config->node_limit, config->link_limit, stale_after(ctl));
    ctl->topology.low_bits = config->low_mark_bits;
    ctl->topology.pay_bits = config->mode == CTL_PROACTIVE
                                 ? wire_relay_cost_bits(config->unit_bits, 1, 1)
                                 : 0;
    ctl->topology.reservable_ppm = config->reservable_ppm;
    ctl_search_init(&ctl->search);
    ctl_kept_init(&ctl->kept);
    ctl_given_init(&ctl->given, config->mode == CTL_PROACTIVE);
    ctl_reserve_init(&ctl->reserve);
    ctl_answers_init(&ctl->answers, qkd_span_s(CTL_YOUNG_ANSWER_S));
    qkd_slab_init(&ctl->peers, sizeof(struct ctl_peer), PEER_CHUNK, peers);
    qkd_map_init(&ctl->peer_map, 8, peers, NULL);
    *result = ctl;
    return 0;
}

void ctl_free(struct ctl *ctl)
{
    if (ctl == NULL) {
        return;
    }
    chan_reports_fini(&ctl->reports);
    chan_set_free(ctl->set);
    ctl_topology_fini(&ctl->topology);
    ctl_search_fini(&ctl->search);
    ctl_answers_fini(&ctl->answers);
    ctl_kept_fini(&ctl->kept);
    ctl_given_fini(&ctl->given);
    ctl_reserve_fini(&ctl->reserve);
    qkd_slab_fini(&ctl->peers);
    qkd_map_fini(&ctl->peer_map);
    qkd_rng_fini(&ctl->rng);
    free(ctl);
}

void ctl_bad_bytes(const struct ctl *ctl, const struct chan_message *m, int err,
                   struct qkd_out *out)
{
    struct qkd_report report = {.code = QKD_REPORT_BAD_BYTES,
                                .who = ctl->config.self,
                                .peer = m->peer,
                                .a = m->rp,
                                .b = (uint64_t)-err};
    qkd_out_report(out, &report);
}

/* ---- peers ---- */

struct ctl_peer *ctl_peer_find(const struct ctl *ctl, struct qkd_eid eid)
{
    uint8_t key[8];
    eid_key(key, eid);
    uint32_t slot = qkd_map_get(&ctl->peer_map, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&ctl->peers, slot);
}

/* NULL at a limit or without memory: the peer may speak again later. */
static struct ctl_peer *peer_add(struct ctl *ctl, struct qkd_eid eid, struct qkd_time now)
{
    uint32_t node = CTL_NONE;
    if (qkd_eid_role(eid) == QKD_ROLE_KMC) {
        node = ctl_topology_node(&ctl->topology, qkd_eid_node(eid));
        if (node == CTL_NONE || ctl_search_fit(&ctl->search, ctl->topology.node_count) != 0) {
            return NULL;
        }
    }
    uint32_t slot = qkd_slab_take(&ctl->peers);
    if (slot == QKD_SLAB_NONE) {
        return NULL;
    }
    uint8_t key[8];
    eid_key(key, eid);
    if (qkd_map_put(&ctl->peer_map, key, slot) != 0) {
        qkd_slab_give(&ctl->peers, slot);
        return NULL;
    }
    struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
    *peer = (struct ctl_peer){.eid = eid, .heard = now, .node = node, .push_at = QKD_NEVER};
    return peer;
}

static void status_command(struct ctl *ctl, const struct qkd_event *event,
                           const struct ctl_peer *peer, struct qkd_out *out)
{
    bool is_km = peer->node != CTL_NONE;
    enum qkd_rp rp = is_km ? QKD_RP_CK : QKD_RP_CQ;
    int64_t period_ms = ctl->config.status_period.ns / QKD_NS_PER_MS;
    uint32_t delay = ctl->config.routing == CTL_LOWEST_DELAY ? WIRE_STATUS_DELAY : 0;
    struct wire_status status = {.head = {.rp = (uint8_t)rp,
                                          .message_id = ctl->next_message_id++,
                                          .sender = ctl->config.self},
                                 .has_period_ms = true,
                                 .period_ms = period_ms < 1            ? 1
                                              : period_ms > UINT32_MAX ? UINT32_MAX
                                                                       : (uint32_t)period_ms,
                                 .table = is_km ? delay | WIRE_STATUS_KEY_AMOUNT |
                                                      WIRE_STATUS_CONSUMPTION |
                                                      WIRE_STATUS_KM_LINK | WIRE_STATUS_KEY_RATE
                                                : WIRE_STATUS_KEY_RATE | WIRE_STATUS_QKD_LINK};
    uint8_t bytes[SMALL_MESSAGE];
    int len = wire_status_encode(&status, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {.rp = rp, .peer = peer->eid, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}

static void on_up(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                  struct qkd_out *out)
{
    if (m->rp != QKD_RP_CK && m->rp != QKD_RP_CQ) {
        return;
    }
    struct ctl_peer *peer = ctl_peer_find(ctl, m->peer);
    if (peer == NULL) {
        peer = peer_add(ctl, m->peer, event->now);
    }
    if (peer == NULL) {
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        return;
    }
    if (peer->node != CTL_NONE && peer->incarnation != m->peer_incarnation) {
        ctl_sessions_drop(ctl, event, peer->eid, WIRE_REASON_RESTARTED, out);
    }
    peer->incarnation = m->peer_incarnation;
    peer->obeys = false;
    status_command(ctl, event, peer, out);
    if (peer->node != CTL_NONE) {
        ctl_table_to(ctl, event, peer->eid, out);
    }
}

/* ---- silent KMs ---- */

/* A KM that says nothing takes its links out of the controller's network; the alarm stands on each
 * link until both its ends are heard of. */
static void links_silent(struct ctl *ctl, const struct qkd_event *event,
                         const struct ctl_peer *peer, struct qkd_out *out)
{
    const struct ctl_topology *t = &ctl->topology;
    for (uint32_t h = t->nodes[peer->node].first; h != CTL_NONE; h = t->halves[h].next) {
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_LINK_DOWN, t->links[h >> 1].id,
                                out);
        ctl_topology_worse(&ctl->topology, h >> 1);
    }
}

static void links_heard(struct ctl *ctl, const struct qkd_event *event, const struct ctl_peer *peer,
                        struct qkd_out *out)
{
    const struct ctl_topology *t = &ctl->topology;
    for (uint32_t h = t->nodes[peer->node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t number = t->nodes[t->halves[h].to].number;
        const struct ctl_peer *other = ctl_peer_find(ctl, qkd_eid_make(QKD_ROLE_KMC, 0, number));
        if (other == NULL || !other->silent) {
            (void)chan_report_clear(&ctl->reports, event, WIRE_FAULT_LINK_DOWN, t->links[h >> 1].id,
                                    out);
        }
    }
}

/* In slot order, so that the order of what is sent is the same in every run. */
static void sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct qkd_time oldest = {event->now.ns - stale_after(ctl).ns};
    for (uint32_t slot = 0; slot < ctl->peers.top; slot++) {
        if (!qkd_slab_live(&ctl->peers, slot)) {
            continue;
        }
        struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
        bool is_km = peer->node != CTL_NONE;
        if (qkd_time_before(peer->heard, oldest)) {
            if (is_km && !peer->silent) {
                links_silent(ctl, event, peer, out);
                ctl_sessions_drop(ctl, event, peer->eid, WIRE_REASON_UNREACHABLE, out);
            }
            peer->silent = true;
        } else if (peer->obeys) {
            continue;
        }
        if (chan_is_up(ctl->set, is_km ? QKD_RP_CK : QKD_RP_CQ, peer->eid)) {
            status_command(ctl, event, peer, out);
        }
    }
    ctl_pushes_sweep(ctl, event);
    ctl_reroute(ctl, event, out);
    ctl_table_sweep(ctl, event, out);
    ctl_sessions_sweep(ctl, event, out);
    ctl->sweep_at = qkd_time_add(event->now, ctl->config.status_period);
}

/* ---- status ---- */

/* Whether a blob holds whole records of one kind and nothing else; else nothing of it is used. */
#define DEFINE_CHECK(name)                                                                         \
    static int name##_check(struct wire_bytes blob)                                                \
    {                                                                                              \
        struct wire_##name record;                                                                 \
        for (size_t at = 0; at < blob.len;) {                                                      \
            int len = wire_##name##_decode(&record, blob.at + at, blob.len - at);                  \
            if (len < 0) {                                                                         \
                return len;                                                                        \
            }                                                                                      \
            at += (size_t)len;                                                                     \
        }                                                                                          \
        return 0;                                                                                  \
    }
DEFINE_CHECK(link_status)
DEFINE_CHECK(module_status)

static void links_take(struct ctl *ctl, const struct qkd_event *event, const struct ctl_peer *peer,
                       struct wire_bytes blob, struct qkd_out *out)
{
    struct wire_link_status status;
    for (size_t at = 0; at < blob.len;) {
        int len = wire_link_status_decode(&status, blob.at + at, blob.len - at);
        if (len <= 0) {
            return;
        }
        at += (size_t)len;
        int err = ctl_topology_status(&ctl->topology, peer->node, &status, event->now);
        if (err == QKD_ERR_LIMIT || err == QKD_ERR_NOMEM) {
            (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        }
    }
}

/* A module speaks for its own light. */
static void modules_take(struct ctl *ctl, const struct ctl_peer *peer, struct wire_bytes blob)
{
    struct wire_module_status status;
    for (size_t at = 0; at < blob.len;) {
        int len = wire_module_status_decode(&status, blob.at + at, blob.len - at);
        if (len <= 0) {
            return;
        }
        at += (size_t)len;
        if (qkd_eid_eq(status.module, peer->eid)) {
            ctl_topology_noise(&ctl->topology, qkd_eid_node(peer->eid), status.link,
                               status.qber_ppm);
            ctl_topology_rate(&ctl->topology, qkd_eid_node(peer->eid), status.link,
                              status.rate_bps);
        }
    }
}

static void on_status(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out)
{
    struct wire_status_rsp rsp;
    int err = wire_status_rsp_decode(&rsp, m->bytes, m->len);
    err = err == 0 ? link_status_check(rsp.links) : err;
    err = err == 0 ? module_status_check(rsp.modules) : err;
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    struct ctl_peer *peer = ctl_peer_find(ctl, m->peer);
    if (peer == NULL) {
        peer = peer_add(ctl, m->peer, event->now);
    }
    if (peer == NULL || rsp.head.message_id <= peer->last_status_id) {
        return;
    }
    peer->last_status_id = rsp.head.message_id;
    peer->heard = event->now;
    peer->obeys = peer->obeys || rsp.head.orig_message_id != 0;
    if (peer->node != CTL_NONE) {
        if (peer->silent) {
            links_heard(ctl, event, peer, out);
        }
        links_take(ctl, event, peer, rsp.links, out);
    } else {
        modules_take(ctl, peer, rsp.modules);
    }
    peer->silent = false;
    ctl_reroute(ctl, event, out);
    if (peer->push_rest) {
        ctl_table_to(ctl, event, peer->eid, out);
    }
}

/* ---- routes ---- */

static void answer_send(struct ctl *ctl, const struct qkd_event *event,
                        const struct ctl_answer *answer, struct qkd_out *out)
{
    uint8_t route[CTL_PATH_MAX * 8];
    for (uint32_t i = 0; i < answer->count; i++) {
        wire_put_u64(route + 8 * i, qkd_eid_make(QKD_ROLE_KMA, 0, answer->nodes[i]).v);
    }
    int64_t validity_ms = ctl->config.route_validity.ns / QKD_NS_PER_MS;
    bool is_route = answer->reason == WIRE_REASON_NONE;
    struct wire_route_rsp rsp = {.head = {.rp = QKD_RP_CK,
                                          .message_id = ctl->next_message_id++,
                                          .orig_message_id = answer->message_id,
                                          .sender = ctl->config.self},
                                 .source_id = answer->source,
                                 .destination_id = answer->destination,
                                 .has_route = is_route,
                                 .has_validity_ms = is_route,
                                 .has_reason = !is_route,
                                 .reason = answer->reason,
                                 .code = is_route ? WIRE_SUCCESS : WIRE_FAILURE};
    if (is_route) {
        rsp.route = (struct wire_bytes){route, 8U * answer->first};
        rsp.has_others = answer->count > answer->first;
        rsp.others = (struct wire_bytes){route + rsp.route.len,
                                         8U * (uint32_t)(answer->count - answer->first)};
        rsp.validity_ms = validity_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)validity_ms;
    }
    uint8_t bytes[ROUTE_RSP_BYTES];
    int len = wire_route_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = answer->asker, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}

static bool is_multipath(const struct wire_route *route)
{
    return route->has_relay && route->relay == WIRE_RELAY_MULTIPATH;
}

/* A KMC asks for its own KMA only (X.1712 access control at Ck). */
static uint8_t request_check(struct ctl *ctl, const struct qkd_event *event,
                             const struct wire_route *route, struct qkd_eid asker,
                             struct qkd_out *out)
{
    if (!qkd_eid_eq(route->source_id, qkd_eid_sibling(asker, QKD_ROLE_KMA))) {
        chan_report_security(&ctl->reports, event, WIRE_FAULT_DENIED, QKD_RP_CK, out);
        return WIRE_REASON_UNAUTHORIZED;
    }
    bool is_valid = route->key_amount > 0 && route->key_size > 0 &&
                    qkd_eid_role(route->destination_id) == QKD_ROLE_KMA &&
                    !qkd_eid_eq(route->source_id, route->destination_id) &&
                    !(route->has_relay && route->relay >= WIRE_RELAY_COUNT) &&
                    (!is_multipath(route) ||
                     (route->has_paths && route->paths > 1 && route->paths <= WIRE_PATHS_MAX));
    return is_valid ? WIRE_REASON_NONE : WIRE_REASON_BAD_REQUEST;
}

ctl_routing_fn *ctl_routing_of(const struct ctl *ctl)
{
    static ctl_routing_fn *const routings[] = {
        [CTL_FEWEST_HOPS] = ctl_route_fewest_hops,   [CTL_WIDEST] = ctl_route_widest,
        [CTL_LOWEST_DELAY] = ctl_route_lowest_delay, [CTL_REFILL_TIME] = ctl_route_refill_time,
        [CTL_LEAST_LOADED] = ctl_route_least_loaded, [CTL_K_SHORTEST] = ctl_route_k_shortest,
        [CTL_DISJOINT] = ctl_route_disjoint};
    return routings[ctl->config.routing];
}

/* The routes asked for: one of the scenario's routing, or as many as there must be without a common
 * node. How many. */
static uint32_t routes_now(struct ctl *ctl, const struct ctl_query *query, bool is_several,
                           struct ctl_path *paths)
{
    const struct ctl_topology *t = &ctl->topology;
    if (is_several) {
        uint32_t count = ctl_route_disjoint_set(t, &ctl->search, query, paths);
        return count == query->paths ? count : 0;
    }
    return ctl_route(t, &ctl->search, ctl_routing_of(ctl), query, paths) ? 1 : 0;
}

/* The best route under the rules that bind, which give way one after the other where nothing is left:
 * no noisy light, and after a route that could not pay, no hope of a GRANT (one may have come). */
static uint32_t routes_best(struct ctl *ctl, struct ctl_query *query, bool after_failure,
                            bool is_several, struct ctl_path *path)
{
    const struct ctl_topology *t = &ctl->topology;
    unsigned first = (t->noisy_count > 0 ? 0U : 2U) + (after_failure ? 0U : 1U);
    for (unsigned rules = first; rules < 4; rules += after_failure ? 1U : 2U) {
        query->quiet_only = rules < 2;
        query->own_only = rules % 2 == 0;
        bool may_keep = ctl->config.keep_route && !after_failure && !is_several;
        if (may_keep && ctl_kept_route(&ctl->kept, t, query, path)) {
            return 1;
        }
        uint32_t count = routes_now(ctl, query, is_several, path);
        if (count > 0) {
            if (ctl->config.keep_route && !is_several) {
                ctl_kept_put(&ctl->kept, path);
            }
            return count;
        }
    }
    return 0;
}

bool ctl_route_best(struct ctl *ctl, struct ctl_query *query, bool after_failure,
                    struct ctl_path *path)
{
    return routes_best(ctl, query, after_failure, false, path) > 0;
}

/* The same, and around the hop that has just failed where there is a way around it. */
static uint32_t route_search(struct ctl *ctl, struct ctl_query *query,
                             const struct wire_route *route, struct ctl_path *path)
{
    const struct ctl_topology *t = &ctl->topology;
    bool after_failure = route->has_reroute && route->reroute != 0;
    bool is_several = is_multipath(route);
    uint32_t count;
    if (after_failure && route->has_failed_from && route->has_failed_to) {
        query->failed_from = ctl_topology_find(t, qkd_eid_node(route->failed_from));
        query->failed_to = ctl_topology_find(t, qkd_eid_node(route->failed_to));
        if ((count = routes_best(ctl, query, true, is_several, path)) > 0) {
            return count;
        }
    }
    query->failed_from = query->failed_to = 0;
    return routes_best(ctl, query, after_failure, is_several, path);
}

/* What a hop pays for the keys of a request. */
static uint64_t hop_cost(const struct wire_route *route, struct wire_hop hop)
{
    hop.relay = route->has_relay ? route->relay : WIRE_RELAY_HOP_BY_HOP;
    return wire_hop_cost_bits(&hop, route->key_size, route->key_amount, route->batch);
}

/* Why there is no route: whether one would be there if it could pay. */
static uint8_t route_lacks(struct ctl *ctl, struct ctl_query *query, bool is_several)
{
    if (is_several) { /* links without any key do not count */
        struct ctl_path paths[CTL_PATHS_MAX];
        query->relay_bits = query->direct_bits = 1;
        query->quiet_only = query->own_only = false;
        bool is_there = routes_now(ctl, query, true, paths) > 0;
        return is_there ? WIRE_REASON_INSUFFICIENT_KEY : WIRE_REASON_NO_ROUTE;
    }
    return ctl_route_exists(&ctl->topology, &ctl->search, query) ? WIRE_REASON_INSUFFICIENT_KEY
                                                                 : WIRE_REASON_NO_ROUTE;
}

static void route_promise(struct ctl *ctl, const struct ctl_query *query,
                          const struct ctl_path *path)
{
    for (uint32_t i = 0; i < path->hops; i++) {
        uint64_t relay_bits = query->relay_bits - (i == 0 ? query->first_saved_bits : 0);
        ctl_half_promise(&ctl->topology, path->halves[i],
                         path->hops == 1 ? query->direct_bits : relay_bits);
    }
}

/* Finds the routes, promises their hops and writes them down; the reason if there is none. */
static uint8_t route_find(struct ctl *ctl, const struct qkd_event *event,
                          const struct wire_route *route, struct ctl_answer *answer)
{
    struct ctl_path paths[CTL_PATHS_MAX];
    bool is_several = is_multipath(route);
    struct ctl_topology *t = &ctl->topology;
    struct ctl_query query = {
        .source = ctl_topology_find(t, qkd_eid_node(route->source_id)),
        .destination = ctl_topology_find(t, qkd_eid_node(route->destination_id)),
        .relay_bits = hop_cost(route, (struct wire_hop){0}),
        .direct_bits = hop_cost(route,
                                (struct wire_hop){.is_first = true, .is_direct = !is_several}),
        .paths = is_several ? route->paths : ctl->config.paths,
        .now = event->now};
    query.first_saved_bits = query.relay_bits -
                             hop_cost(route, (struct wire_hop){.is_first = true});
    if (query.source == CTL_NONE || query.destination == CTL_NONE) {
        return WIRE_REASON_NO_ROUTE;
    }
    uint32_t count = route_search(ctl, &query, route, paths);
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += paths[i].hops + 1;
    }
    if (count == 0 || total > CTL_PATH_MAX) {
        return count > 0 ? WIRE_REASON_NO_ROUTE : route_lacks(ctl, &query, is_several);
    }
    answer->first = (uint8_t)(paths[0].hops + 1);
    for (uint32_t i = 0; i < count; i++) {
        route_promise(ctl, &query, &paths[i]);
        for (uint32_t k = 0; k <= paths[i].hops; k++) {
            answer->nodes[answer->count++] = t->nodes[paths[i].nodes[k]].number;
        }
    }
    bool has_table = ctl->config.mode == CTL_PROACTIVE;
    if (count == 1 && paths[0].hops > 1 &&
        !has_table) { /* neighbours see by themselves what becomes of theirs */
        (void)ctl_given_put(&ctl->given, qkd_eid_sibling(route->source_id, QKD_ROLE_KMC), &query,
                            paths, qkd_time_add(event->now, ctl->config.route_validity));
    }
    return WIRE_REASON_NONE;
}

static void on_route(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                     struct qkd_out *out)
{
    struct wire_route route;
    int err = wire_route_decode(&route, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    const struct ctl_answer *given = ctl_answers_find(&ctl->answers, m->peer,
                                                      route.head.message_id);
    if (given != NULL) {
        answer_send(ctl, event, given, out);
        return;
    }
    struct ctl_answer *answer = ctl_answers_add(&ctl->answers, m->peer, route.head.message_id,
                                                event->now);
    if (answer == NULL) {
        return; /* no memory: the KMC asks again */
    }
    answer->source = route.source_id;
    answer->destination = route.destination_id;
    answer->reason = request_check(ctl, event, &route, m->peer, out);
    if (answer->reason == WIRE_REASON_NONE) {
        answer->reason = route_find(ctl, event, &route, answer);
    }
    bool is_early = qkd_time_before(event->now, ctl->admit_from);
    if (is_early && answer->reason == WIRE_REASON_NO_ROUTE) {
        answer->reason = WIRE_REASON_RESTARTED; /* not all is known yet */
    }
    answer_send(ctl, event, answer, out);
}

/* ---- stock ---- */

/* The most keys whose cost `bits` can pay. */
static uint32_t keys_paid(uint64_t (*cost)(uint32_t, uint32_t, uint32_t),
                          const struct wire_stock *stock, uint64_t bits)
{
    uint64_t most = bits / stock->key_size; /* a key costs more than itself */
    uint32_t low = 0;
    uint32_t high = most < STOCK_MOST ? (uint32_t)most : STOCK_MOST;
    while (low < high) {
        uint32_t mid = low + (high - low + 1) / 2;
        if (cost(stock->key_size, mid, stock->batch) <= bits) {
            low = mid;
        } else {
            high = mid - 1;
        }
    }
    return low;
}

/* Keys that one request could have: over the link between neighbours, or over the widest relay route. */
static uint32_t stock_count(struct ctl *ctl, const struct qkd_event *event,
                            const struct wire_stock *stock)
{
    struct ctl_topology *t = &ctl->topology;
    struct ctl_query query = {.source = ctl_topology_find(t, qkd_eid_node(stock->source_id)),
                              .destination = ctl_topology_find(t,
                                                               qkd_eid_node(stock->destination_id)),
                              .relay_bits = wire_relay_cost_bits(stock->key_size, 1, stock->batch),
                              .direct_bits = UINT64_MAX, /* looked at by itself */
                              .paths = ctl->config.paths,
                              .now = event->now};
    if (query.source == CTL_NONE || query.destination == CTL_NONE) {
        return 0;
    }
    uint32_t keys = 0;
    for (uint32_t h = t->nodes[query.source].first; h != CTL_NONE; h = t->halves[h].next) {
        if (t->halves[h].to == query.destination) {
            uint32_t direct = keys_paid(wire_take_cost_bits, stock,
                                        ctl_half_available(t, h, event->now));
            keys = direct > keys ? direct : keys;
        }
    }
    struct ctl_path path;
    if (ctl_route(t, &ctl->search, ctl_route_widest, &query, &path)) {
        uint64_t least = UINT64_MAX;
        for (uint32_t i = 0; i < path.hops; i++) {
            uint64_t bits = ctl_half_available(t, path.halves[i], event->now);
            least = bits < least ? bits : least;
        }
        uint32_t relayed = keys_paid(wire_relay_cost_bits, stock, least);
        keys = relayed > keys ? relayed : keys;
    }
    return keys;
}

static void on_stock(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                     struct qkd_out *out)
{
    struct wire_stock stock;
    int err = wire_stock_decode(&stock, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    struct wire_route like = {.source_id = stock.source_id,
                              .destination_id = stock.destination_id,
                              .key_amount = 1,
                              .key_size = stock.key_size};
    struct wire_stock_rsp rsp = {.head = {.rp = QKD_RP_CK,
                                          .message_id = ctl->next_message_id++,
                                          .orig_message_id = stock.head.message_id,
                                          .sender = ctl->config.self},
                                 .source_id = stock.source_id,
                                 .destination_id = stock.destination_id,
                                 .reason = request_check(ctl, event, &like, m->peer, out)};
    rsp.keys = rsp.reason == WIRE_REASON_NONE ? stock_count(ctl, event, &stock) : 0;
    uint8_t bytes[128];
    int len = wire_stock_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = m->peer, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}

/* ---- the element ---- */

static void on_report_ack(struct ctl *ctl, const struct chan_message *m, struct qkd_out *out)
{
    struct wire_report_ack ack;
    int err = wire_report_ack_decode(&ack, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    chan_reports_ack(&ctl->reports, ack.seq);
}

static void on_data(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    bool is_status_point = m->rp == QKD_RP_CK || m->rp == QKD_RP_CQ;
    if (head.command == WIRE_CMD_STATUS_RSP && is_status_point) {
        on_status(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_ROUTE && m->rp == QKD_RP_CK) {
        on_route(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_ROUTE_TABLE_ACK && m->rp == QKD_RP_CK) {
        ctl_on_table_ack(ctl, m, out);
    } else if (head.command == WIRE_CMD_RESERVE && m->rp == QKD_RP_CK) {
        ctl_on_reserve(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_RELEASE && m->rp == QKD_RP_CK) {
        ctl_on_release(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_STOCK && m->rp == QKD_RP_CK) {
        on_stock(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_REPORT_ACK && m->rp == QKD_RP_MC) {
        on_report_ack(ctl, m, out);
    } else {
        ctl_bad_bytes(ctl, m, QKD_ERR_UNKNOWN, out);
    }
}

static void on_receive(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message message;
    enum chan_event what = chan_receive(ctl->set, event, out, &message);
    chan_report_channels(&ctl->reports, event, out);
    switch (what) {
    case CHAN_UP:
        on_up(ctl, event, &message, out);
        break;
    case CHAN_DATA:
        on_data(ctl, event, &message, out);
        break;
    case CHAN_NONE:
        break;
    }
}

static void on_start(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    uint8_t salt[16];
    qkd_rng_init(&ctl->rng, event->u.start.seed);
    qkd_rng_bytes(&ctl->rng, salt, sizeof salt);
    ctl_topology_salt(&ctl->topology, salt);
    ctl_answers_salt(&ctl->answers, salt);
    ctl_kept_salt(&ctl->kept, salt);
    ctl_given_salt(&ctl->given, salt);
    ctl_reserve_salt(&ctl->reserve, salt);
    qkd_map_init(&ctl->peer_map, 8, ctl->peers.limit, salt);
    crypto_wipe(salt, sizeof salt);
    ctl->next_message_id = ((uint64_t)event->u.start.incarnation << INCARNATION_SHIFT) + 1;
    ctl->table_version = ctl->next_message_id;
    chan_set_start(ctl->set, event->u.start.incarnation, &ctl->rng);
    chan_reports_start(&ctl->reports, ctl->set, &ctl->next_message_id);
    ctl->sweep_at = qkd_time_add(event->now, ctl->config.status_period);
    ctl_sessions_start(ctl, event);
    if (ctl->config.manager.v != 0) {
        (void)chan_open(ctl->set, event, QKD_RP_MC, ctl->config.manager, out);
    }
}

static int on_config(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err != 0 || head.command != WIRE_CMD_CFG_PEER) {
        return err;
    }
    struct wire_cfg_peer peer;
    err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
    if (err == 0) {
        err = chan_provision(ctl->set, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b, out);
    }
    crypto_wipe(&peer, sizeof peer);
    return err;
}

int ctl_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    switch (event->type) {
    case QKD_EV_START:
        on_start(ctl, event, out);
        return 0;
    case QKD_EV_RECV:
        on_receive(ctl, event, out);
        return 0;
    case QKD_EV_TIMEOUT:
        chan_timeout(ctl->set, event, out);
        chan_reports_timeout(&ctl->reports, event, out);
        if (!qkd_time_before(event->now, ctl->sweep_at)) {
            sweep(ctl, event, out);
        }
        if (!qkd_time_before(event->now, ctl->push_at)) {
            ctl_pushes_repeat(ctl, event, out);
        }
        return 0;
    case QKD_EV_CONFIG:
        return on_config(ctl, event, out);
    case QKD_EV_PEER:
        return 0;
    }
    return QKD_ERR_INVALID;
}

struct qkd_time ctl_deadline(const struct ctl *ctl)
{
    struct qkd_time own = qkd_time_min(ctl->sweep_at, chan_reports_deadline(&ctl->reports));
    own = qkd_time_min(own, ctl->push_at);
    return qkd_time_min(own, chan_deadline(ctl->set));
}
