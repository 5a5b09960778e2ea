/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Static routes of least latency over the classical links. Unless asked otherwise, neighbours take
 * their direct link (the fastest of parallel ones). Ties: fewer links, then the lower link number towards the root, so
 * that a route does not depend on what was asked before. */
#ifndef HOST_ROUTES_H
#define HOST_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/id.h"
#include "scenarios/scenario.h"

#define HOST_NO_CABLE UINT32_MAX

/* A classical link; both directions alike. */
struct host_cable {
    uint32_t a, b;
    int64_t latency_ns;
    uint64_t bandwidth_bps;
};

/* The links of the scenario's classical network: its own, or those beside the QKD links, under the same
 * numbers. The caller frees them; NULL without memory. */
struct host_cable *host_cables_new(const struct scn_scenario *scenario, uint32_t *count);

/* Whether what crosses this reference point goes over a management network of its own. */
bool host_is_management(const struct scn_scenario *scenario, enum qkd_rp rp);

struct host_routes;

/* links must outlive it; NULL without memory. */
struct host_routes *host_routes_new(uint32_t node_count, const struct host_cable *links,
                                    uint32_t link_count);
void host_routes_free(struct host_routes *routes);

struct host_route_query {
    uint32_t root, leaf;
    bool keep;     /* keep the whole tree of this root for later queries */
    bool shortest; /* neighbours too take the route of least latency */
};

/* The links from root to leaf into to[] (at most node_count - 1) and their number; 0,
 * QKD_ERR_UNKNOWN (no path, or root is leaf), QKD_ERR_NOMEM. */
int host_routes_find(struct host_routes *routes, const struct host_route_query *query, uint32_t *to,
                     uint32_t *count);

#endif
