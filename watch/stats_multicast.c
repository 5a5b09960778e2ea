/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of multicast: a key takes a way to each slave, each under a KMA-key of its own. What joins
 * them is the KSA-key: a further slave's KSA holds it before the master is answered. */
#include <stdlib.h>

#include "core/base/err.h"
#include "watch/stats_state.h"

int watch_multicast_held(struct watch_key *key, uint32_t application, const struct qkd_id *parent)
{
    uint32_t at = 0;
    if (key->more == NULL) {
        key->more = calloc(SCN_TARGETS_MAX, sizeof(*key->more));
        if (key->more == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    while (at < key->more_count && key->more[at].application < application) {
        at++;
    }
    bool is_there = at < key->more_count && key->more[at].application == application;
    if (is_there || key->more_count == SCN_TARGETS_MAX) {
        return 0;
    }
    for (uint32_t i = key->more_count++; i > at; i--) { /* in the order of the scenario */
        key->more[i] = key->more[i - 1];
    }
    key->more[at] = (struct watch_parent){application, *parent};
    return 0;
}

static int way_add(struct watch_request *request, uint32_t application,
                   const struct watch_relay *relay)
{
    if (request->ways == NULL) {
        request->ways = calloc(SCN_TARGETS_MAX, sizeof(*request->ways));
        if (request->ways == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    struct watch_way *way = &request->ways[request->way_count++];
    way->application = application;
    return watch_route_set(&way->route, watch_route_nodes(&relay->route), relay->route.len);
}

int watch_multicast_ways(struct watch_stats *stats, struct watch_request *request,
                         const struct watch_key *key, bool *leaked)
{
    bool is_first = request->way_count == 0; /* the ways of a request are those of its first key */
    int rc = 0;
    for (uint32_t i = 0; i < key->more_count && rc == 0; i++) {
        const struct watch_relay *relay = watch_relay_find(stats, &key->more[i].kma_key);
        if (relay == NULL) {
            continue;
        }
        *leaked = *leaked || watch_relay_leaked(relay);
        if (is_first && relay->route.len > 0) {
            request->reroutes += relay->reroutes;
            rc = way_add(request, key->more[i].application, relay);
        }
    }
    return rc;
}

int watch_multicast_served(struct watch_stats *stats, const struct watch_request *request)
{
    int rc = 0;
    for (uint32_t i = 0; i < request->way_count && rc == 0; i++) {
        const struct watch_route *route = &request->ways[i].route;
        struct watch_app_stats *app = &stats->apps[request->ways[i].application];
        rc = watch_route_set(&app->route, watch_route_nodes(route), route->len);
        if (rc == 0 && request->counted) {
            rc = watch_routes_served(&app->routes, route, request->end_ns);
        }
    }
    return rc;
}

void watch_multicast_fini(struct watch_request *request)
{
    for (uint32_t i = 0; i < request->way_count; i++) {
        watch_route_fini(&request->ways[i].route);
    }
    free(request->ways);
    request->ways = NULL;
    request->way_count = 0;
}

uint32_t watch_request_hops(const struct watch_request *request)
{
    uint32_t nodes = request->route.len;
    for (uint32_t i = 0; i < request->way_count; i++) {
        nodes = request->ways[i].route.len > nodes ? request->ways[i].route.len : nodes;
    }
    return nodes > 0 ? nodes - 1 : 0;
}
