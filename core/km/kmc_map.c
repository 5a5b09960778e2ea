/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network as a KM knows it by itself: see km/kmc_map.h. A KM's word travels under its number, which
 * grows; of each KM the newest is kept. What is older than the controller would believe is not used for
 * routes and not told to a new neighbour. Nothing is acknowledged: each KM says it again every status
 * period. */
#include "core/km/kmc_map.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/kmc_state.h"
#include "core/wire/frame.h"

#define CHUNK 16
#define LINK_BYTES 160U  /* room for one encoded wire_link_status */
#define MODULE_BYTES 96U /* room for one encoded wire_module_status */
#define EXTRA_BYTES 128U /* a LINK_STATE besides its records */
#define ENTRY_BYTES 64U  /* room for one encoded wire_route_entry without a route */
#define SAID_MOST 1048576U
#define SEQ_SHIFT 40

void kmc_map_init(struct kmc *kmc, const uint8_t *salt)
{
    struct kmc_map *map = &kmc->map;
    const struct km_config *config = kmc->config;
    *map = (struct kmc_map){.is_on = config->distributed, .told_at = QKD_NEVER};
    if (!map->is_on) {
        return;
    }
    uint32_t nodes = config->node_limit > 0 ? config->node_limit : 1;
    uint32_t links = config->network_link_limit > 0 ? config->network_link_limit : 1;
    struct qkd_span fresh = qkd_span_ns(CTL_STALE_PERIODS * config->status_period.ns);
    ctl_topology_init(&map->topology, nodes, links, fresh);
    map->topology.low_bits = config->low_mark_bits;
    ctl_search_init(&map->search);
    ctl_reach_init(&map->reach, nodes, salt);
    qkd_slab_init(&map->said, sizeof(struct kmc_said), CHUNK, nodes);
    qkd_map_init(&map->by_origin, 8, nodes, salt);
    if (salt != NULL) {
        ctl_topology_salt(&map->topology, salt);
    }
}

void kmc_map_fini(struct kmc *kmc)
{
    struct kmc_map *map = &kmc->map;
    if (!map->is_on) {
        return;
    }
    for (uint32_t slot = 0; slot < map->said.top; slot++) {
        if (qkd_slab_live(&map->said, slot)) {
            free(((struct kmc_said *)qkd_slab_at(&map->said, slot))->bytes);
        }
    }
    qkd_slab_fini(&map->said);
    qkd_map_fini(&map->by_origin);
    ctl_topology_fini(&map->topology);
    ctl_search_fini(&map->search);
    ctl_reach_fini(&map->reach);
}

void kmc_map_start(struct kmc *kmc, const struct qkd_event *event)
{
    kmc->map.next_seq = ((uint64_t)event->u.start.incarnation << SEQ_SHIFT) + 1;
}

/* ---- the map ---- */

/* Takes in records of a KM, said at an instant; false if there is no room for it. */
static bool map_take(struct kmc_map *map, struct qkd_eid origin,
                     const struct wire_link_state *state, struct qkd_time said)
{
    struct ctl_topology *t = &map->topology;
    uint32_t number = qkd_eid_node(origin);
    uint32_t node = ctl_topology_node(t, number);
    if (node == CTL_NONE) {
        return false;
    }
    for (size_t at = 0; at < state->links.len;) {
        struct wire_link_status status;
        int len = wire_link_status_decode(&status, state->links.at + at, state->links.len - at);
        if (len <= 0) {
            return false;
        }
        at += (size_t)len;
        if (qkd_eid_role(status.peer) == QKD_ROLE_KMA) { /* it may not have spoken yet */
            (void)ctl_topology_node(t, qkd_eid_node(status.peer));
            (void)ctl_topology_status(t, node, &status, said);
        }
    }
    for (size_t at = 0; at < state->modules.len;) {
        struct wire_module_status status;
        int len = wire_module_status_decode(&status, state->modules.at + at,
                                            state->modules.len - at);
        if (len <= 0) {
            return false;
        }
        at += (size_t)len;
        ctl_topology_noise(t, number, status.link, status.qber_ppm);
        ctl_topology_rate(t, number, status.link, status.rate_bps);
    }
    if (state->has_networks) {
        struct wire_bytes ksa = state->has_ksa ? state->ksa : (struct wire_bytes){NULL, 0};
        (void)ctl_reach_put(&map->reach, origin, state->networks, ksa, said);
    }
    return true;
}

/* ---- what has become worse ---- */

bool kmc_map_decides(const struct kmc *kmc)
{
    return kmc->map.is_on &&
           (kmc->config->controller.v == 0 || !chan_is_up(kmc->set, QKD_RP_CK, kmc->controller) ||
            chan_report_stands(&kmc->reports, WIRE_FAULT_CONTROLLER_LOST, 0));
}

static size_t hop_encode(const struct ctl_topology *t, uint32_t half, uint8_t *to)
{
    const struct ctl_link *link = &t->links[half >> 1];
    uint32_t from = t->nodes[link->node[half & 1U]].number;
    uint32_t next = t->nodes[link->node[1 - (half & 1U)]].number;
    struct wire_route_entry entry = {.failed_from = qkd_eid_make(QKD_ROLE_KMA, 0, from),
                                     .failed_to = qkd_eid_make(QKD_ROLE_KMA, 0, next)};
    int len = wire_route_entry_encode(&entry, to, ENTRY_BYTES);
    QKD_ASSERT(len > 0);
    return (size_t)len;
}

/* The KMA asks anew for what leads over links that can be used less than before. */
static void worse_tell(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    struct ctl_topology *t = &kmc->map.topology;
    size_t room = (size_t)2 * t->worse_count * ENTRY_BYTES;
    uint8_t *bytes = NULL;
    if (t->worse_count > 0 && kmc_map_decides(kmc)) {
        bytes = qkd_out_scratch(out, 2 * room + EXTRA_BYTES);
    }
    if (bytes != NULL) {
        struct wire_route_table table = {.head = kmc_head(kmc, QKD_RP_KMI, 0), .entries.at = bytes};
        for (uint32_t i = 0; i < 2 * t->worse_count; i++) {
            uint32_t half = 2 * t->worse[i / 2] + i % 2;
            table.entries.len += hop_encode(t, half, bytes + table.entries.len);
        }
        int len = wire_route_table_encode(&table, bytes + room, room + EXTRA_BYTES);
        QKD_ASSERT(len > 0);
        struct chan_send send = {
            .rp = QKD_RP_KMI, .peer = kmc->kma, .message = bytes + room, .len = (size_t)len};
        (void)chan_send(kmc->set, event, &send, out); /* lost: the route's next failure tells */
    }
    ctl_topology_worse_clear(t);
}

static struct kmc_said *said_of(struct kmc_map *map, struct qkd_eid origin, bool may_add)
{
    uint8_t key[8];
    wire_put_u64(key, origin.v);
    uint32_t slot = qkd_map_get(&map->by_origin, key);
    if (slot == QKD_MAP_NONE && may_add) {
        slot = qkd_slab_take(&map->said);
        if (slot == QKD_SLAB_NONE) {
            return NULL;
        }
        if (qkd_map_put(&map->by_origin, key, slot) != 0) {
            qkd_slab_give(&map->said, slot);
            return NULL;
        }
        *(struct kmc_said *)qkd_slab_at(&map->said, slot) = (struct kmc_said){.origin = origin};
    }
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&map->said, slot);
}

static bool said_keep(struct kmc_said *said, const struct wire_link_state *state,
                      struct qkd_time when)
{
    struct wire_bytes networks = state->has_networks ? state->networks : (struct wire_bytes){0};
    struct wire_bytes ksa = state->has_ksa ? state->ksa : (struct wire_bytes){0};
    size_t len = state->links.len + state->modules.len + networks.len + ksa.len;
    uint8_t *bytes = len > SAID_MOST ? NULL : realloc(said->bytes, len + 1);
    if (bytes == NULL) {
        return false;
    }
    said->bytes = bytes;
    memcpy(bytes, state->links.at, state->links.len);
    memcpy(bytes + state->links.len, state->modules.at, state->modules.len);
    bytes += state->links.len + state->modules.len;
    if (networks.len > 0) {
        memcpy(bytes, networks.at, networks.len);
    }
    if (ksa.len > 0) {
        memcpy(bytes + networks.len, ksa.at, ksa.len);
    }
    said->has_networks = state->has_networks;
    said->networks_len = (uint32_t)networks.len;
    said->ksa_len = (uint32_t)ksa.len;
    said->links_len = (uint32_t)state->links.len;
    said->modules_len = (uint32_t)state->modules.len;
    said->seq = state->seq;
    said->said = when;
    return true;
}

/* ---- telling ---- */

/* Whom the KMA shall tell. */
struct audience {
    struct qkd_eid neighbour; /* KMA; nobody: all */
    bool is_only;             /* it alone; else all but it */
};

static void said_tell(struct kmc *kmc, const struct qkd_event *event, const struct kmc_said *said,
                      struct audience who, struct qkd_out *out)
{
    int64_t age_ns = event->now.ns - said->said.ns;
    struct wire_link_state state = {.head = kmc_head(kmc, QKD_RP_KMI, 0),
                                    .origin = said->origin,
                                    .seq = said->seq,
                                    .age_ms = (uint32_t)(age_ns / QKD_NS_PER_MS),
                                    .links = {said->bytes, said->links_len},
                                    .modules = {said->bytes + said->links_len, said->modules_len},
                                    .has_neighbour = who.neighbour.v != 0,
                                    .neighbour = who.neighbour,
                                    .has_only = who.is_only,
                                    .only = 1,
                                    .has_networks = said->has_networks,
                                    .networks = {said->bytes + said->links_len + said->modules_len,
                                                 said->networks_len},
                                    .has_ksa = said->ksa_len > 0};
    state.ksa = (struct wire_bytes){state.networks.at + said->networks_len, said->ksa_len};
    size_t room = state.links.len + state.modules.len + said->networks_len + said->ksa_len +
                  EXTRA_BYTES;
    uint8_t *bytes = qkd_out_scratch(out, room);
    int len = bytes == NULL ? QKD_ERR_NOMEM : wire_link_state_encode(&state, bytes, room);
    if (len > 0) {
        struct chan_send send = {
            .rp = QKD_RP_KMI, .peer = kmc->kma, .message = bytes, .len = (size_t)len};
        (void)chan_send(kmc->set, event, &send, out); /* said again in a period */
    }
}

static bool is_fresh(const struct kmc *kmc, const struct qkd_event *event,
                     const struct kmc_said *said)
{
    return event->now.ns - said->said.ns <= kmc->map.topology.fresh.ns;
}

static void all_tell(struct kmc *kmc, const struct qkd_event *event, struct qkd_eid neighbour,
                     struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < kmc->map.said.top; slot++) {
        const struct kmc_said *said = qkd_slab_live(&kmc->map.said, slot)
                                          ? qkd_slab_at(&kmc->map.said, slot)
                                          : NULL;
        if (said != NULL && is_fresh(kmc, event, said)) {
            said_tell(kmc, event, said, (struct audience){neighbour, true}, out);
        }
    }
}

/* ---- own state ---- */

static bool own_is_news(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    bool is_news = false;
    for (uint32_t i = 0; i < kmc->link_count; i++) {
        struct kmc_link *link = &kmc->links[i];
        bool is_up = link->has_status && link->status.up != 0;
        uint64_t own = link->status.own_bits;
        bool is_far = own != link->map_bits &&
                      (own <= link->map_bits / 2 || own / 2 >= link->map_bits);
        is_news = is_news || is_up != link->map_up || (is_up && is_far);
        if (is_up && !link->map_up) {
            all_tell(kmc, event, link->status.peer, out);
        }
    }
    return is_news;
}

static bool own_encode(struct kmc *kmc, struct wire_link_state *state, struct qkd_out *out)
{
    size_t links = (size_t)kmc->link_count * LINK_BYTES;
    size_t modules = (size_t)kmc->link_count * MODULE_BYTES;
    uint8_t *room = qkd_out_scratch(out, links + modules + 1);
    if (room == NULL) {
        return false;
    }
    state->links.at = room;
    state->modules.at = room + links;
    for (uint32_t i = 0; i < kmc->link_count; i++) {
        struct kmc_link *link = &kmc->links[i];
        if (!link->has_status) {
            continue;
        }
        int len = wire_link_status_encode(&link->status, room + state->links.len, LINK_BYTES);
        QKD_ASSERT(len > 0);
        state->links.len += (size_t)len;
        link->map_up = link->status.up != 0;
        link->map_bits = link->status.own_bits;
        if (link->has_module_status) {
            len = wire_module_status_encode(&link->module_status, room + links + state->modules.len,
                                            MODULE_BYTES);
            QKD_ASSERT(len > 0);
            state->modules.len += (size_t)len;
        }
    }
    return true;
}

void kmc_map_own(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    struct kmc_map *map = &kmc->map;
    if (!map->is_on) {
        return;
    }
    struct qkd_time due = qkd_time_add(map->told_at, kmc->config->status_period);
    bool is_news = own_is_news(kmc, event, out);
    if (!is_news && map->told_at.ns != QKD_NEVER.ns && qkd_time_before(event->now, due)) {
        return;
    }
    struct wire_link_state state = {.seq = map->next_seq,
                                    .has_networks = kmc->serves.is_set,
                                    .networks = kmc_reach_networks(kmc),
                                    .has_ksa = kmc->serves.has_ksa,
                                    .ksa = kmc_reach_ksa(kmc)};
    struct kmc_said *said = said_of(map, kmc->self, true);
    if (said == NULL || !own_encode(kmc, &state, out) || !said_keep(said, &state, event->now)) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        return;
    }
    map->next_seq++;
    map->told_at = event->now;
    (void)map_take(map, kmc->self, &state, event->now);
    worse_tell(kmc, event, out);
    said_tell(kmc, event, said, (struct audience){0}, out);
}

/* ---- what others say ---- */

/* Whole records and nothing else. */
static int state_check(const struct wire_link_state *state)
{
    struct wire_link_status link;
    struct wire_module_status module;
    int len = 1;
    for (size_t at = 0; len > 0 && at < state->links.len; at += (size_t)len) {
        len = wire_link_status_decode(&link, state->links.at + at, state->links.len - at);
        if (len <= 0) {
            return len < 0 ? len : QKD_ERR_FORMAT;
        }
    }
    for (size_t at = 0; len > 0 && at < state->modules.len; at += (size_t)len) {
        len = wire_module_status_decode(&module, state->modules.at + at, state->modules.len - at);
        if (len <= 0) {
            return len < 0 ? len : QKD_ERR_FORMAT;
        }
        if (qkd_eid_node(module.module) != qkd_eid_node(state->origin)) {
            return QKD_ERR_INVALID; /* a KM speaks for its own modules */
        }
    }
    struct wire_ksa_status ksa;
    if (state->has_ksa &&
        (wire_ksa_status_decode(&ksa, state->ksa.at, state->ksa.len) != (int)state->ksa.len ||
         qkd_eid_node(ksa.ksa) != qkd_eid_node(state->origin))) {
        return QKD_ERR_INVALID; /* and for its own KSA */
    }
    return state->has_networks ? wire_networks_check(state->networks) : 0;
}

/* Somebody has a number of ours that we did not give yet: ours must be the highest. */
static void own_number_seen(struct kmc_map *map, uint64_t seq)
{
    if (seq >= map->next_seq && seq < UINT64_MAX) {
        map->next_seq = seq + 1;
        map->told_at = QKD_NEVER; /* due */
    }
}

void kmc_map_receive(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                     struct qkd_out *out)
{
    struct kmc_map *map = &kmc->map;
    struct wire_link_state state;
    int err = wire_link_state_decode(&state, m->bytes, m->len);
    err = err == 0 ? state_check(&state) : err;
    bool is_good = err == 0 && qkd_eid_role(state.origin) == QKD_ROLE_KMC && state.has_neighbour;
    if (!is_good) {
        kmc_bad_bytes(kmc, m, err != 0 ? err : QKD_ERR_INVALID, out);
        return;
    }
    struct qkd_time said_at = {event->now.ns - (int64_t)state.age_ms * QKD_NS_PER_MS};
    if (map->is_on && qkd_eid_eq(state.origin, kmc->self)) {
        own_number_seen(map, state.seq);
        return;
    }
    if (!map->is_on || event->now.ns - said_at.ns > map->topology.fresh.ns) {
        return;
    }
    struct kmc_said *said = said_of(map, state.origin, true);
    if (said == NULL) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        return;
    }
    bool is_newer = state.seq > said->seq;
    if (!is_newer || !said_keep(said, &state, said_at)) {
        return;
    }
    (void)map_take(map, state.origin, &state, said_at);
    worse_tell(kmc, event, out);
    said_tell(kmc, event, said, (struct audience){state.neighbour, false}, out);
}

/* ---- routes ---- */

static ctl_routing_fn *routing_of(const struct kmc *kmc)
{
    static ctl_routing_fn *const routings[] = {
        [KM_FEWEST_HOPS] = ctl_route_fewest_hops,   [KM_WIDEST] = ctl_route_widest,
        [KM_LOWEST_DELAY] = ctl_route_lowest_delay, [KM_REFILL_TIME] = ctl_route_refill_time,
        [KM_LEAST_LOADED] = ctl_route_least_loaded, [KM_K_SHORTEST] = ctl_route_k_shortest,
        [KM_DISJOINT] = ctl_route_disjoint};
    return routings[kmc->config->routing];
}

static uint32_t routes_find(struct kmc *kmc, const struct ctl_query *query, bool is_several,
                            struct ctl_path *paths)
{
    struct kmc_map *map = &kmc->map;
    if (is_several) {
        uint32_t count = ctl_route_disjoint_set(&map->topology, &map->search, query, paths);
        return count == query->paths ? count : 0;
    }
    return ctl_route(&map->topology, &map->search, routing_of(kmc), query, paths) ? 1 : 0;
}

/* As the controller does: rules give way one after the other where nothing is left: around the hop that
 * failed, over quiet light, without hope of a GRANT after a failure. */
static uint32_t routes_best(struct kmc *kmc, struct ctl_query query, const struct wire_route *route,
                            struct ctl_path *paths)
{
    const struct ctl_topology *t = &kmc->map.topology;
    bool is_again = route->has_reroute && route->reroute != 0;
    bool has_failed = is_again && route->has_failed_from && route->has_failed_to;
    bool is_several = route->has_relay && route->relay == WIRE_RELAY_MULTIPATH;
    for (unsigned rules = 0; rules < 8; rules++) { /* a bit that is set: that rule has given way */
        bool is_around = (rules & 4U) == 0;
        query.quiet_only = (rules & 2U) == 0;
        query.own_only = (rules & 1U) == 0 && is_again;
        query.failed_from = query.failed_to = 0;
        if (is_around && has_failed) {
            query.failed_from = ctl_topology_find(t, qkd_eid_node(route->failed_from));
            query.failed_to = ctl_topology_find(t, qkd_eid_node(route->failed_to));
        } else if (!is_around && !has_failed) {
            break;
        }
        uint32_t count = routes_find(kmc, &query, is_several, paths);
        if (count > 0) {
            return count;
        }
    }
    return 0;
}

static uint64_t hop_cost(const struct wire_route *route, struct wire_hop hop)
{
    hop.relay = route->has_relay ? route->relay : WIRE_RELAY_HOP_BY_HOP;
    return wire_hop_cost_bits(&hop, route->key_size, route->key_amount, route->batch);
}

/* Its KMs as ROUTE_RSP has them, behind what is in room already; promises its hops. */
static void path_write(struct ctl_topology *t, const struct ctl_query *query,
                       const struct ctl_path *path, uint8_t *room)
{
    for (uint32_t i = 0; i <= path->hops; i++) {
        uint32_t number = t->nodes[path->nodes[i]].number;
        wire_put_u64(room + (size_t)8 * i, qkd_eid_make(QKD_ROLE_KMA, 0, number).v);
    }
    for (uint32_t i = 0; i < path->hops; i++) {
        uint64_t relay_bits = query->relay_bits - (i == 0 ? query->first_saved_bits : 0);
        ctl_half_promise(t, path->halves[i], path->hops == 1 ? query->direct_bits : relay_bits);
    }
}

void kmc_map_route(struct kmc *kmc, const struct qkd_event *event, const struct wire_route *route,
                   uint8_t *room, struct wire_route_rsp *rsp)
{
    struct ctl_topology *t = &kmc->map.topology;
    struct ctl_path paths[CTL_PATHS_MAX];
    bool is_several = route->has_relay && route->relay == WIRE_RELAY_MULTIPATH;
    bool is_direct = !is_several && !(route->has_drawn && route->drawn != 0);
    struct ctl_query query = {
        .source = ctl_topology_find(t, kmc->config->node),
        .destination = ctl_topology_find(t, qkd_eid_node(route->destination_id)),
        .relay_bits = hop_cost(route, (struct wire_hop){0}),
        .direct_bits = hop_cost(route, (struct wire_hop){.is_first = true, .is_direct = is_direct}),
        .paths = is_several && route->has_paths ? route->paths : kmc->config->paths,
        .now = event->now};
    query.first_saved_bits = query.relay_bits -
                             hop_cost(route, (struct wire_hop){.is_first = true});
    *rsp = (struct wire_route_rsp){.source_id = route->source_id,
                                   .destination_id = route->destination_id,
                                   .has_reason = true,
                                   .reason = WIRE_REASON_NO_ROUTE,
                                   .code = WIRE_FAILURE};
    if (query.source == CTL_NONE || query.destination == CTL_NONE ||
        query.source == query.destination || ctl_search_fit(&kmc->map.search, t->node_count) != 0) {
        return;
    }
    uint32_t count = routes_best(kmc, query, route, paths);
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += paths[i].hops + 1;
    }
    if (count == 0 || total > CTL_PATH_MAX) {
        bool is_there = !is_several && ctl_route_exists(t, &kmc->map.search, &query);
        rsp->reason = is_there ? WIRE_REASON_INSUFFICIENT_KEY : WIRE_REASON_NO_ROUTE;
        return;
    }
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        path_write(t, &query, &paths[i], room + len);
        len += 8 * (size_t)(paths[i].hops + 1);
    }
    int64_t validity_ms = kmc->config->route_validity.ns / QKD_NS_PER_MS;
    size_t first = 8 * (size_t)(paths[0].hops + 1);
    rsp->has_reason = false;
    rsp->reason = WIRE_REASON_NONE;
    rsp->code = WIRE_SUCCESS;
    rsp->has_route = rsp->has_validity_ms = true;
    rsp->route = (struct wire_bytes){room, first};
    rsp->has_others = count > 1;
    rsp->others = (struct wire_bytes){room + first, len - first};
    rsp->validity_ms = validity_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)validity_ms;
}
