/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of routes: over which nodes each application was served, from when to when, and how
 * often it changed back. Counts what is counted elsewhere too: requests that came after the
 * warm-up. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "watch/stats_state.h"

enum { FIRST_ROUTES = 2 };

static bool use_is(const struct scn_route_use *use, const struct watch_route *route)
{
    return use->node_count == route->len &&
           memcmp(use->nodes, watch_route_nodes(route), route->len * sizeof(*use->nodes)) == 0;
}

/* Index of the route, added if it is new; SCN_MAX_ROUTES if there are too many. */
static int use_get(struct watch_app_routes *routes, const struct watch_route *route,
                   uint32_t *index)
{
    if (routes->last < routes->count && use_is(&routes->uses[routes->last], route)) {
        *index = routes->last;
        return 0;
    }
    for (*index = 0; *index < routes->count; (*index)++) {
        if (use_is(&routes->uses[*index], route)) {
            return 0;
        }
    }
    if (routes->count == SCN_MAX_ROUTES) {
        return 0;
    }
    if (routes->count == routes->cap) {
        uint32_t cap = routes->cap == 0 ? FIRST_ROUTES : 2 * routes->cap;
        struct scn_route_use *uses = realloc(routes->uses, cap * sizeof(*uses));
        if (uses == NULL) {
            return QKD_ERR_NOMEM;
        }
        routes->uses = uses;
        routes->cap = cap;
    }
    uint32_t *nodes = malloc(route->len * sizeof(*nodes));
    if (nodes == NULL) {
        return QKD_ERR_NOMEM;
    }
    memcpy(nodes, watch_route_nodes(route), route->len * sizeof(*nodes));
    routes->uses[routes->count++] = (struct scn_route_use){.nodes = nodes,
                                                           .node_count = route->len};
    return 0;
}

int watch_routes_served(struct watch_app_routes *routes, const struct watch_route *route,
                        int64_t end_ns)
{
    if (route->len == 0) {
        return 0;
    }
    uint32_t index = 0;
    int rc = use_get(routes, route, &index);
    if (rc != 0) {
        return rc;
    }
    bool is_new = routes->served == 0 || index != routes->last;
    routes->served++;
    routes->last = index;
    if (index == SCN_MAX_ROUTES) {
        routes->other++;
        return 0;
    }
    struct scn_route_use *use = &routes->uses[index];
    double at_s = (double)end_ns / 1e9;
    use->first_s = use->served == 0 ? at_s : use->first_s;
    use->last_s = at_s;
    use->span_s = use->last_s - use->first_s;
    use->served++;
    use->periods += is_new ? 1 : 0;
    return 0;
}

void watch_routes_finish(struct watch_app_routes *routes, struct scn_application_summary *to)
{
    to->routes = routes->uses;
    to->route_count = routes->count;
    to->other_routes = routes->other;
    *routes = (struct watch_app_routes){0};
}

void watch_routes_fini(struct watch_app_routes *routes)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        free(routes->uses[i].nodes);
    }
    free(routes->uses);
    *routes = (struct watch_app_routes){0};
}
