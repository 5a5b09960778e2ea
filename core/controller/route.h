/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choosing a route for key relay: the interface behind which each routing of the scenario is one
 * file. Private to the room. A routing only says how good the best route is: the least bits
 * available on any of its hops. ctl_route() then takes, among the routes whose hops all have at
 * least that, the one of the least hops and, of these, of the lowest KMA IDs in order.
 *
 * Only hops that can pay their full cost count: relay_bits, or direct_bits on the link between
 * neighbours, which supply pool units instead of relaying. */
#ifndef QKD_CONTROLLER_ROUTE_H
#define QKD_CONTROLLER_ROUTE_H

#include "core/controller/topology.h"

#define CTL_HOPS_MAX 64 /* a hop refuses keys with a higher hop number */
#define CTL_PATH_MAX (CTL_HOPS_MAX + 1)

struct ctl_query {
    uint32_t source, destination;    /* slots, different */
    uint64_t relay_bits;             /* what a hop pays */
    uint64_t first_saved_bits;       /* so much less is what the hop from the source pays */
    uint64_t direct_bits;            /* what a link straight from source to destination pays */
    bool quiet_only;                 /* avoid links whose light is noisy */
    bool own_only;                   /* count on no GRANT: the last route could not pay */
    uint32_t failed_from, failed_to; /* slots: a hop that is not taken; the same: none */
    bool of_rate; /* bits per second of what may be reserved, not of what is there */
    struct qkd_time now;
};

struct ctl_path {
    uint32_t nodes[CTL_PATH_MAX];  /* slots from source to destination */
    uint32_t halves[CTL_HOPS_MAX]; /* half edges between them */
    uint32_t hops;
};

/* Scratch of a search, per node; grows with the topology, so that a search allocates nothing. */
struct ctl_search {
    uint32_t *mark;  /* == epoch: the other entries of this node are of this search */
    uint32_t *level; /* hops from where the search began */
    uint64_t *width; /* least bits on the best way found */
    uint32_t *place; /* index in heap, or CTL_NONE when settled */
    uint32_t *heap;  /* nodes: a queue or a heap by width */
    uint32_t heap_count;
    uint32_t cap;
    uint32_t epoch;
};

void ctl_search_init(struct ctl_search *s);
void ctl_search_fini(struct ctl_search *s);

/* Room for `nodes` nodes (rounded up so that it seldom happens); 0 or QKD_ERR_NOMEM. */
int ctl_search_fit(struct ctl_search *s, uint32_t nodes);

/* Begins a search: no node is marked. */
void ctl_search_begin(struct ctl_search *s);

/* Bits (per second) available on a half edge from `from`, or 0 if it cannot pay its cost. */
uint64_t ctl_route_usable(const struct ctl_topology *t, const struct ctl_query *q, uint32_t from,
                          uint32_t half);

/* A routing: the width of the best route, or 0 if there is none. */
typedef uint64_t ctl_routing_fn(const struct ctl_topology *t, struct ctl_search *s,
                                const struct ctl_query *q);

/* Least hops, then widest bottleneck: breadth first, ends with the destination's level. */
uint64_t ctl_route_fewest_hops(const struct ctl_topology *t, struct ctl_search *s,
                               const struct ctl_query *q);

/* Widest bottleneck: Dijkstra's algorithm on (max, min), ends when the destination is settled. */
uint64_t ctl_route_widest(const struct ctl_topology *t, struct ctl_search *s,
                          const struct ctl_query *q);

/* The route of a routing; false if there is none of at most CTL_HOPS_MAX hops. Where the best one is
 * longer, the one of fewest hops is taken. */
bool ctl_route(const struct ctl_topology *t, struct ctl_search *s, ctl_routing_fn *routing,
               const struct ctl_query *q, struct ctl_path *path);

/* Whether usable links join source and destination within CTL_HOPS_MAX hops, whatever they can
 * pay. */
bool ctl_route_exists(const struct ctl_topology *t, struct ctl_search *s,
                      const struct ctl_query *q);

#endif
