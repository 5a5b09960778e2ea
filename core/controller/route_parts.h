/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What routings are made of: a heap, routes by bottleneck (the least width of any hop counts), routes
 * by cost (the sum counts). Private to route*.c. */
#ifndef QKD_CONTROLLER_ROUTE_PARTS_H
#define QKD_CONTROLLER_ROUTE_PARTS_H

#include "core/controller/route.h"

/* ---- heap: nodes of a search by s->key, least first ---- */

/* Brings a node in, or up to a lesser key; not one that was taken, nor with no lesser key. */
void ctl_heap_reach(struct ctl_search *s, uint32_t node, uint64_t key);

/* Takes the node of the least key; the heap is not empty. */
uint32_t ctl_heap_take(struct ctl_search *s);

/* ---- by bottleneck ---- */

/* Width of a half edge from `from`; 0 if it cannot pay. */
typedef uint64_t ctl_width_fn(const struct ctl_topology *t, const struct ctl_query *q,
                              uint32_t from, uint32_t half);

/* The width of the widest route; 0: there is none. */
uint64_t ctl_width_best(const struct ctl_topology *t, struct ctl_search *s,
                        const struct ctl_query *q, ctl_width_fn *width);

/* Of the routes whose hops all have at least `least` the one of least hops and, of these, of the
 * lowest node numbers in order; of parallel links the widest, then the lowest link ID. */
struct ctl_narrow {
    ctl_width_fn *width;
    uint64_t least;         /* not 0 */
    const uint32_t *banned; /* of ctl_path_rest() only: slots */
    uint32_t banned_count;
};
bool ctl_path_of_width(const struct ctl_topology *t, struct ctl_search *s,
                       const struct ctl_query *q, const struct ctl_narrow *narrow,
                       struct ctl_path *path);

/* The same, as the rest of a route that is there up to nodes[hops], which may not meet what lies
 * before, nor go on to one of the `banned` nodes. */
bool ctl_path_rest(const struct ctl_topology *t, struct ctl_search *s, const struct ctl_query *q,
                   const struct ctl_narrow *narrow, struct ctl_path *path);

/* ---- by cost ---- */

#define CTL_COST_MOST (UINT64_C(1) << 40) /* of one hop; more counts as this */

/* Cost of a half edge that can pay. */
typedef uint64_t ctl_cost_fn(const struct ctl_topology *t, const struct ctl_query *q,
                             uint32_t half);

/* Of the routes of the least sum the one of least hops and, of these, of the lowest node numbers in
 * order. */
bool ctl_path_cheapest(const struct ctl_topology *t, struct ctl_search *s,
                       const struct ctl_query *q, ctl_cost_fn *cost, struct ctl_path *path);

/* The route of the widest bottleneck, of equally wide ones the first; false if there are none. */
bool ctl_path_widest(const struct ctl_topology *t, const struct ctl_query *q,
                     const struct ctl_path *paths, uint32_t count, struct ctl_path *path);

/* Whether a comes before b: fewer hops, then lower node numbers in order. */
bool ctl_path_is_before(const struct ctl_topology *t, const struct ctl_path *a,
                        const struct ctl_path *b);

#endif
