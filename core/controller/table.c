/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode: proactive (D23-CT-01). The controller holds a table of routes between all pairs of KMs that are
 * no neighbours, and tells each KM its part of it: whole when the KM comes, afterwards what changes, in
 * ROUTE_TABLE with the version of the table.
 *
 *   a link is worse            ──▶  routes over it are replaced at once (pushes.c)
 *   a link is better, KM new   ──▶  with the next status period all routes are computed again
 *   route validity over        ──▶  the same: levels and loads have changed
 *
 * A route is for one key of the unit length. Nothing is promised on it; a KM whose route cannot pay asks
 * as in mode on-request. A pair that has lost its only route keeps it until there is another one: see
 * pushes.c. */
#include "core/controller/element.h"
#include "core/wire/frame.h"

/* Whether the pair's route is a new one. */
static bool pair_refresh(struct ctl *ctl, const struct qkd_event *event, struct ctl_query *query,
                         struct qkd_out *out)
{
    const struct ctl_topology *t = &ctl->topology;
    struct ctl_path path;
    if (!ctl_route_best(ctl, query, false, &path) || path.hops == 1) {
        return false;
    }
    struct qkd_eid kmc = qkd_eid_make(QKD_ROLE_KMC, 0, t->nodes[query->source].number);
    const struct ctl_given_route *old = ctl_given_find(&ctl->given, &path);
    bool is_same = old != NULL && old->path.hops == path.hops;
    for (uint32_t i = 0; is_same && i < path.hops; i++) {
        is_same = old->path.halves[i] == path.halves[i];
    }
    if (is_same) {
        return false;
    }
    struct ctl_given_route *route = ctl_given_put(&ctl->given, kmc, query, &path, QKD_NEVER);
    if (route == NULL) {
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        return false;
    }
    route->is_pending = true;
    route->push_id = 0;
    route->old_from = route->old_to = query->source;
    return true;
}

void ctl_table_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct ctl_topology *t = &ctl->topology;
    bool is_due = t->is_better || !qkd_time_before(event->now, ctl->table_at);
    if (ctl->config.mode != CTL_PROACTIVE || !is_due) {
        return;
    }
    t->is_better = false;
    ctl->table_at = qkd_time_add(event->now, ctl->config.route_validity);
    struct ctl_query query = {.relay_bits = t->pay_bits,
                              .direct_bits = wire_take_cost_bits(ctl->config.unit_bits, 1, 1),
                              .paths = ctl->config.paths,
                              .now = event->now};
    bool is_new = false;
    uint32_t count = t->node_count < CTL_TABLE_NODES ? t->node_count : CTL_TABLE_NODES;
    for (uint32_t a = 0; a < count; a++) {
        for (uint32_t b = 0; b < count; b++) {
            query.source = a;
            query.destination = b;
            is_new = (a != b && pair_refresh(ctl, event, &query, out)) || is_new;
        }
    }
    if (is_new) {
        ctl->table_version++;
        ctl_pushes_tell(ctl, event, out);
    }
}

void ctl_table_to(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                  struct qkd_out *out)
{
    bool is_any = false;
    for (uint32_t slot = 0; ctl->config.mode == CTL_PROACTIVE && slot < ctl->given.routes.top;
         slot++) {
        struct ctl_given_route *route = ctl_given_at(&ctl->given, slot);
        if (route != NULL && qkd_eid_eq(route->kmc, kmc)) {
            route->is_pending = is_any = true;
            route->push_id = 0;
            route->old_from = route->old_to = route->path.nodes[0];
        }
    }
    if (is_any) {
        ctl_pushes_tell(ctl, event, out);
    }
}
