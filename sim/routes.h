/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Static routes of least latency over the classical links. Unless asked otherwise, neighbours take
 * their direct link (the fastest of parallel ones). Ties: fewer links, then the lower link number towards the root, so
 * that a route does not depend on what was asked before. */
#ifndef SIM_ROUTES_H
#define SIM_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/net.h"

struct sim_routes;

/* links must outlive it; NULL without memory. */
struct sim_routes *sim_routes_new(uint32_t node_count, const struct sim_net_link *links,
                                  uint32_t link_count);
void sim_routes_free(struct sim_routes *routes);

struct sim_route_query {
    uint32_t root, leaf;
    bool keep;     /* keep the whole tree of this root for later queries */
    bool shortest; /* neighbours too take the route of least latency */
};

/* The links from root to leaf into to[] (at most node_count - 1) and their number; 0,
 * QKD_ERR_UNKNOWN (no path, or root is leaf), QKD_ERR_NOMEM. */
int sim_routes_find(struct sim_routes *routes, const struct sim_route_query *query, uint32_t *to,
                    uint32_t *count);

#endif
