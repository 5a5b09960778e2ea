/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ROUTE: which way keys take (D23-CT-01; Tables 8-3, 8-4). What is answered is promised: the hops'
 * cost counts as spent until their KMs say what they have. A repeated request gets the same answer. */
#include "core/base/err.h"
#include "core/controller/element.h"
#include "core/wire/frame.h"

#define FALLBACK_BITS                                                                              \
    (8 * (WIRE_AES_KEY_LEN + WIRE_FRAME_TAG_LEN)) /* of one AES-256 frame, at most */
#define ROUTE_RSP_BYTES 1024                      /* bytes of the longest ROUTE_RSP */

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
                                 .code = is_route ? WIRE_SUCCESS : WIRE_FAILURE,
                                 .has_grade = is_route && answer->is_short,
                                 .grade = WIRE_METHOD_AES,
                                 .has_term = ctl->term.own != 0,
                                 .term = ctl->term.own};
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
uint8_t ctl_request_check(struct ctl *ctl, const struct qkd_event *event,
                          const struct wire_route *route, struct qkd_eid asker, struct qkd_out *out)
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

/* What a hop can pay in pads is promised; true if one cannot. */
static bool route_promise(struct ctl *ctl, const struct ctl_query *query,
                          const struct ctl_path *path)
{
    bool is_short = false;
    for (uint32_t i = 0; i < path->hops; i++) {
        uint64_t relay_bits = query->relay_bits - (i == 0 ? query->first_saved_bits : 0);
        uint64_t bits = path->hops == 1 ? query->direct_bits : relay_bits;
        bool can = ctl_half_available(&ctl->topology, path->halves[i], query->now) >= bits;
        is_short = is_short || !can;
        ctl_half_promise(&ctl->topology, path->halves[i], can ? bits : 0);
    }
    return is_short;
}

/* Finds the routes, promises their hops and writes them down; the reason if there is none. */
static uint8_t route_find(struct ctl *ctl, const struct qkd_event *event,
                          const struct wire_route *route, struct ctl_answer *answer)
{
    struct ctl_path paths[CTL_PATHS_MAX];
    bool is_several = is_multipath(route);
    bool is_direct = !is_several && !(route->has_drawn && route->drawn != 0);
    struct ctl_topology *t = &ctl->topology;
    struct ctl_query query = {
        .source = ctl_topology_find(t, qkd_eid_node(route->source_id)),
        .destination = ctl_topology_find(t, qkd_eid_node(route->destination_id)),
        .relay_bits = hop_cost(route, (struct wire_hop){0}),
        .direct_bits = hop_cost(route, (struct wire_hop){.is_first = true, .is_direct = is_direct}),
        .paths = is_several ? route->paths : ctl->config.paths,
        .now = event->now};
    query.first_saved_bits = query.relay_bits -
                             hop_cost(route, (struct wire_hop){.is_first = true});
    if (query.source == CTL_NONE || query.destination == CTL_NONE) {
        return WIRE_REASON_NO_ROUTE;
    }
    uint32_t count = route_search(ctl, &query, route, paths);
    if (count == 0 && route->has_fallback && route->fallback != 0) {
        query.fallback_bits = FALLBACK_BITS;
        count = route_search(ctl, &query, route, paths);
        query.fallback_bits = 0;
    }
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += paths[i].hops + 1;
    }
    if (count == 0 || total > CTL_PATH_MAX) {
        return count > 0 ? WIRE_REASON_NO_ROUTE : route_lacks(ctl, &query, is_several);
    }
    answer->first = (uint8_t)(paths[0].hops + 1);
    for (uint32_t i = 0; i < count; i++) {
        answer->is_short = route_promise(ctl, &query, &paths[i]) || answer->is_short;
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

void ctl_on_route(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
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
    answer->reason = ctl_request_check(ctl, event, &route, m->peer, out);
    if (answer->reason == WIRE_REASON_NONE) {
        answer->reason = route_find(ctl, event, &route, answer);
    }
    bool is_early = qkd_time_before(event->now, ctl->admit_from);
    if (is_early && answer->reason == WIRE_REASON_NO_ROUTE) {
        answer->reason = WIRE_REASON_RESTARTED; /* not all is known yet */
    }
    answer_send(ctl, event, answer, out);
}
