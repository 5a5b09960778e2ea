/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults of the classical network in a run: each daemon knows the scenario and the time, and drops the frames that
 * a simulated network would drop. A cut link takes the frames of all pairs of nodes whose static route (the same
 * as in the virtual worlds, host/routes.h) goes over it; a node that is down takes its own. The management
 * network has no links; what stays inside a node never meets a fault. */
#include <stdlib.h>

#include "core/base/err.h"
#include "emu/daemon/daemon_state.h"
#include "host/routes.h"

struct emu_faults {
    const struct scn_scenario *scenario;
    struct host_cable *cables;
    struct host_routes *routes;
    uint32_t *route; /* room for the links of one */
    uint32_t *which; /* numbers of the scenario's faults that take frames */
    uint32_t count;
};

static bool takes_frames(const struct scn_fault *fault)
{
    if (fault->target == SCN_TARGET_NODE) {
        return fault->what == SCN_FAULT_DOWN;
    }
    return fault->what == SCN_FAULT_CLASSICAL || fault->what == SCN_FAULT_BOTH;
}

int emu_faults_new(const struct scn_scenario *scenario, struct emu_faults **to)
{
    struct emu_faults *faults = calloc(1, sizeof(*faults));
    if (faults == NULL) {
        return QKD_ERR_NOMEM;
    }
    uint32_t cables = 0;
    uint32_t ends = (uint32_t)(scenario->node_count + scenario->classical.switch_count);
    faults->scenario = scenario;
    faults->cables = host_cables_new(scenario, &cables);
    faults->route = calloc(ends + 1, sizeof(*faults->route));
    faults->which = calloc(scenario->fault_count + 1, sizeof(*faults->which));
    faults->routes = faults->cables == NULL ? NULL : host_routes_new(ends, faults->cables, cables);
    if (faults->routes == NULL || faults->route == NULL || faults->which == NULL) {
        emu_faults_free(faults);
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < scenario->fault_count; i++) {
        if (takes_frames(&scenario->faults[i])) {
            faults->which[faults->count++] = i;
        }
    }
    *to = faults;
    return 0;
}

void emu_faults_free(struct emu_faults *faults)
{
    if (faults != NULL) {
        host_routes_free(faults->routes);
        free(faults->cables);
        free(faults->route);
        free(faults->which);
        free(faults);
    }
}

/* Whether the route between two nodes goes over a link. */
static bool route_has(struct emu_faults *faults, const uint32_t nodes[2], uint32_t cable)
{
    struct host_route_query query = {
        .root = nodes[0] < nodes[1] ? nodes[0] : nodes[1],
        .leaf = nodes[0] < nodes[1] ? nodes[1] : nodes[0],
        .keep = true,
        .shortest = faults->scenario->classical.link_count > 0,
    };
    uint32_t count = 0;
    if (host_routes_find(faults->routes, &query, faults->route, &count) != 0) {
        return true; /* no path, or no memory */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (faults->route[i] == cable) {
            return true;
        }
    }
    return false;
}

bool emu_faults_take(struct emu_faults *faults, struct qkd_time now, enum qkd_rp rp,
                     const struct qkd_eid ends[2])
{
    const uint32_t nodes[2] = {qkd_eid_node(ends[0]), qkd_eid_node(ends[1])};
    bool is_management = host_is_management(faults->scenario, rp);
    for (uint32_t i = 0; i < faults->count && nodes[0] != nodes[1]; i++) {
        const struct scn_fault *fault = &faults->scenario->faults[faults->which[i]];
        if (now.ns < fault->at_ns ||
            (fault->for_ns != SCN_FOREVER && now.ns - fault->at_ns >= fault->for_ns)) {
            continue;
        }
        if (fault->target == SCN_TARGET_NODE
                ? fault->index == nodes[0] || fault->index == nodes[1]
                : !is_management && route_has(faults, nodes, fault->index)) {
            return true;
        }
    }
    return false;
}
