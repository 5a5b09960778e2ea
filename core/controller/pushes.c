/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rerouting: routes that the controller gave and that are no good any more are replaced without being
 * asked (D23-CT-04; Y.3804 clause 10, rerouting).
 *
 *   a link: down, drained, noisy, under attack   ──▶  routes over it   ROUTE_TABLE  ──▶
 *   ROUTE_TABLE_ACK                              ──▶  told; else said again, doubling, PUSH_TRIES times
 *
 * Only away from links that have become worse: a route is never changed because another one has become
 * better, so a link that comes and goes moves each route once, not with each turn. */
#include "core/base/err.h"
#include "core/controller/element.h"
#include "core/wire/frame.h"

#define PUSH_ENTRIES 24U /* of one message */
#define ENTRY_BYTES 640U /* room for one encoded entry */
#define EXTRA_BYTES 128U /* a ROUTE_TABLE besides its entries */
#define PUSH_TRIES 8
#define PUSH_SHIFT_MAX 3

/* ---- which routes ---- */

/* The first hop over a link that has become worse; CTL_NONE: there is none. */
static uint32_t hop_worse(const struct ctl_topology *t, const struct ctl_path *path)
{
    for (uint32_t i = 0; i < path->hops; i++) {
        if (t->links[path->halves[i] >> 1].is_worse) {
            return i;
        }
    }
    return CTL_NONE;
}

/* Looks for another route; what came of it is counted in the report of the link. One over a link that
 * is to be avoided, but can be used, stays if there is no other without such a link. Where there is
 * none at all nothing is said: the KM sees by itself that the route does not serve, and the link may be
 * back before. */
static void route_replace(struct ctl *ctl, const struct qkd_event *event, uint32_t slot,
                          uint32_t hop, struct qkd_report *report)
{
    const struct ctl_topology *t = &ctl->topology;
    struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
    const struct ctl_path old = route->path;
    struct ctl_query query = {.source = old.nodes[0],
                              .destination = old.nodes[old.hops],
                              .relay_bits = route->relay_bits,
                              .direct_bits = route->direct_bits,
                              .first_saved_bits = route->first_saved_bits,
                              .paths = ctl->config.paths,
                              .now = event->now};
    bool is_usable = ctl_route_usable(t, &query, old.nodes[hop], old.halves[hop]) > 0;
    struct ctl_path path;
    bool has_route = ctl_route_best(ctl, &query, false, &path);
    report->c += has_route ? 0 : 1;
    if (!has_route || path.hops == 1 || (is_usable && hop_worse(t, &path) != CTL_NONE)) {
        return; /* one hop: neighbours help themselves */
    }
    report->b++;
    route->old_from = old.nodes[hop];
    route->old_to = old.nodes[hop + 1];
    ctl_given_move(&ctl->given, slot, &path);
    route->is_pending = true;
    route->push_id = 0;
}

/* ---- telling ---- */

/* Appends one entry; the bytes it took. */
static size_t entry_encode(const struct ctl *ctl, const struct ctl_given_route *route, uint8_t *to)
{
    const struct ctl_node *nodes = ctl->topology.nodes;
    const struct ctl_path *path = &route->path;
    uint8_t bytes[CTL_PATH_MAX * 8];
    struct wire_route_entry entry = {
        .destination_id = qkd_eid_make(QKD_ROLE_KMA, 0, nodes[path->nodes[path->hops]].number),
        .failed_from = qkd_eid_make(QKD_ROLE_KMA, 0, nodes[route->old_from].number),
        .failed_to = qkd_eid_make(QKD_ROLE_KMA, 0, nodes[route->old_to].number),
        .has_route = true};
    for (uint32_t i = 0; i <= path->hops; i++) {
        struct qkd_eid kma = qkd_eid_make(QKD_ROLE_KMA, 0, nodes[path->nodes[i]].number);
        wire_put_u64(bytes + entry.route.len, kma.v);
        entry.route = (struct wire_bytes){bytes, 8 * ((size_t)i + 1)};
    }
    int len = wire_route_entry_encode(&entry, to, ENTRY_BYTES);
    QKD_ASSERT(len > 0);
    return (size_t)len;
}

static void table_send(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                       struct wire_bytes entries, struct qkd_out *out)
{
    int64_t validity_ms = ctl->config.route_validity.ns / QKD_NS_PER_MS;
    struct wire_route_table table = {
        .head = {.rp = QKD_RP_CK, .message_id = ctl->next_message_id++, .sender = ctl->config.self},
        .validity_ms = validity_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)validity_ms,
        .has_version = ctl->config.mode == CTL_PROACTIVE,
        .version = ctl->table_version,
        .has_term = ctl->term.own != 0,
        .term = ctl->term.own,
        .entries = entries};
    uint8_t *bytes = qkd_out_scratch(out, entries.len + EXTRA_BYTES);
    int len = bytes == NULL ? QKD_ERR_NOMEM
                            : wire_route_table_encode(&table, bytes, entries.len + EXTRA_BYTES);
    if (len > 0) {
        struct chan_send send = {
            .rp = QKD_RP_CK, .peer = kmc, .message = bytes, .len = (size_t)len};
        (void)chan_send(ctl->set, event, &send, out); /* said again until acknowledged */
    }
}

/* All that a KM is still to be told, in the order of slots. */
static void peer_tell(struct ctl *ctl, const struct qkd_event *event, struct ctl_peer *peer,
                      struct qkd_out *out)
{
    uint32_t count = 0;
    size_t len = 0;
    uint8_t *entries = qkd_out_scratch(out, PUSH_ENTRIES * ENTRY_BYTES);
    peer->push_rest = false;
    for (uint32_t slot = 0; entries != NULL && slot < ctl->given.routes.top; slot++) {
        struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        if (route == NULL || !route->is_pending || !qkd_eid_eq(route->kmc, peer->eid)) {
            continue;
        }
        route->push_id = ctl->next_message_id; /* of the message that is being made */
        len += entry_encode(ctl, route, entries + len);
        if (++count == PUSH_ENTRIES) {
            table_send(ctl, event, peer->eid, (struct wire_bytes){entries, len}, out);
            count = 0;
            len = 0;
        }
    }
    if (count > 0) {
        table_send(ctl, event, peer->eid, (struct wire_bytes){entries, len}, out);
    }
    unsigned shift = peer->push_tries < PUSH_SHIFT_MAX ? peer->push_tries : PUSH_SHIFT_MAX;
    struct qkd_span wait = qkd_span_ns(ctl->config.retransmit.ns << shift);
    peer->push_tries++;
    peer->push_at = qkd_time_add(event->now, wait);
    ctl->push_at = qkd_time_min(ctl->push_at, peer->push_at);
}

void ctl_pushes_tell(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < ctl->given.routes.top; slot++) {
        const struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        bool is_new = route != NULL && route->is_pending && route->push_id == 0;
        struct ctl_peer *peer = is_new ? ctl_peer_find(ctl, route->kmc) : NULL;
        if (peer != NULL) {
            peer->push_tries = 0;
            peer_tell(ctl, event, peer, out);
        }
    }
}

void ctl_reroute(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct ctl_topology *t = &ctl->topology;
    if (t->worse_count == 0) {
        return;
    }
    struct qkd_report report = {.code = QKD_REPORT_REROUTE,
                                .who = ctl->config.self,
                                .a = t->links[t->worse[0]].id,
                                .d = t->links[t->worse[0]].why};
    for (uint32_t slot = 0; slot < ctl->given.routes.top; slot++) {
        const struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        if (route == NULL || qkd_time_before(route->until, event->now)) {
            continue;
        }
        uint32_t hop = hop_worse(t, &route->path);
        if (hop != CTL_NONE) {
            route_replace(ctl, event, slot, hop, &report);
        }
    }
    ctl_topology_worse_clear(t);
    if (report.b + report.c > 0) {
        qkd_out_report(out, &report);
        ctl->table_version++;
        ctl_pushes_tell(ctl, event, out);
    }
}

/* ---- acknowledged, repeated, over ---- */

void ctl_on_table_ack(struct ctl *ctl, const struct chan_message *m, struct qkd_out *out)
{
    struct wire_route_table_ack ack;
    int err = wire_route_table_ack_decode(&ack, m->bytes, m->len);
    struct ctl_peer *peer = ctl_peer_find(ctl, m->peer);
    if (err != 0 || peer == NULL || ack.head.orig_message_id == 0) {
        ctl_bad_bytes(ctl, m, err != 0 ? err : QKD_ERR_UNKNOWN, out);
        return;
    }
    bool is_waiting = false;
    for (uint32_t slot = 0; slot < ctl->given.routes.top; slot++) {
        struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        if (route == NULL || !route->is_pending || !qkd_eid_eq(route->kmc, m->peer)) {
            continue;
        }
        route->is_pending = route->push_id != ack.head.orig_message_id;
        is_waiting = is_waiting || route->is_pending;
    }
    peer->push_at = is_waiting ? peer->push_at : QKD_NEVER;
}

/* A KM that does not answer is not heard of either: it asks anew when it is back. */
static void peer_give_up(struct ctl *ctl, struct ctl_peer *peer)
{
    peer->push_at = QKD_NEVER;
    peer->push_rest = ctl->config.mode == CTL_PROACTIVE;
    for (uint32_t slot = 0; !peer->push_rest && slot < ctl->given.routes.top; slot++) {
        const struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        if (route != NULL && route->is_pending && qkd_eid_eq(route->kmc, peer->eid)) {
            ctl_given_forget(&ctl->given, slot);
        }
    }
}

void ctl_pushes_repeat(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    ctl->push_at = QKD_NEVER;
    for (uint32_t slot = 0; slot < ctl->peers.top; slot++) {
        if (!qkd_slab_live(&ctl->peers, slot)) {
            continue;
        }
        struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
        bool is_due = !qkd_time_before(event->now, peer->push_at);
        if (is_due && peer->push_tries >= PUSH_TRIES) {
            peer_give_up(ctl, peer);
        } else if (is_due) {
            peer_tell(ctl, event, peer, out);
        }
        ctl->push_at = qkd_time_min(ctl->push_at, peer->push_at);
    }
}

void ctl_pushes_sweep(struct ctl *ctl, const struct qkd_event *event)
{
    for (uint32_t slot = 0; slot < ctl->given.routes.top; slot++) {
        const struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        if (route != NULL && !route->is_pending && qkd_time_before(route->until, event->now)) {
            ctl_given_forget(&ctl->given, slot);
        }
    }
}
