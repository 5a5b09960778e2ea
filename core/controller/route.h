/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choosing a route for key relay: the interface behind which each routing of the scenario is one
 * file. Private to the room. What each routing promises is in docs/protocol.md, "Routings".
 *
 * Only hops that can pay their full cost count: relay_bits, or direct_bits on the link between
 * neighbours, which supply pool units instead of relaying. No route meets a node twice, and which of
 * several equally good ones is taken depends on node numbers and link IDs only, never on the order in
 * which the network became known. */
#ifndef QKD_CONTROLLER_ROUTE_H
#define QKD_CONTROLLER_ROUTE_H

#include "core/controller/topology.h"

#define CTL_HOPS_MAX 64 /* a hop refuses keys with a higher hop number */
#define CTL_PATH_MAX (CTL_HOPS_MAX + 1)
#define CTL_PATHS_MAX 8 /* routes looked at, or given, at a time */

struct ctl_query {
    uint32_t source, destination;    /* slots, different */
    uint64_t relay_bits;             /* what a hop pays */
    uint64_t first_saved_bits;       /* so much less is what the hop from the source pays */
    uint64_t direct_bits;            /* what a link straight from source to destination pays */
    uint32_t paths;                  /* k of k-shortest and disjoint; at most CTL_PATHS_MAX */
    bool quiet_only;                 /* avoid links whose light is noisy */
    bool own_only;                   /* count on no GRANT: the last route could not pay */
    uint32_t failed_from, failed_to; /* slots: a hop that is not taken; the same: none */
    uint64_t
        fallback_bits; /* a hop that cannot pay may pay this of what is kept for AES-256; 0: none
                               may */
    bool of_rate;      /* bits per second of what may be reserved, not of what is there */
    struct qkd_time now;
};

struct ctl_path {
    uint32_t nodes[CTL_PATH_MAX];  /* slots from source to destination */
    uint32_t halves[CTL_HOPS_MAX]; /* half edges between them */
    uint32_t hops;
};

/* Scratch of a search, per node; grows with the topology, so that a search allocates nothing. */
struct ctl_search {
    uint32_t *mark;   /* == epoch: the other entries of this node are of this search */
    uint32_t *level;  /* hops from where the search began */
    uint64_t *key;    /* what the heap is ordered by, or the width of the best way found */
    uint32_t *place;  /* index in heap, or CTL_NONE when settled */
    uint32_t *heap;   /* nodes: a queue, or a heap, least key first */
    uint64_t *label;  /* two per node, like those below: of disjoint routes */
    uint32_t *parent; /* two per node */
    uint32_t *stamp;  /* two per node */
    uint32_t *queue;  /* two per node */
    uint32_t *after;  /* half edge on which a chosen route leaves the node */
    uint32_t *before; /* half edge on which it enters the node */
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

/* ---- routings: the best route; false if there is none of at most CTL_HOPS_MAX hops ---- */

typedef bool ctl_routing_fn(const struct ctl_topology *t, struct ctl_search *s,
                            const struct ctl_query *q, struct ctl_path *path);

ctl_routing_fn ctl_route_fewest_hops; /* least hops, then the widest bottleneck */
ctl_routing_fn ctl_route_widest;      /* the widest bottleneck, then least hops */
ctl_routing_fn ctl_route_lowest_delay;
ctl_routing_fn ctl_route_refill_time;
ctl_routing_fn ctl_route_least_loaded;
ctl_routing_fn ctl_route_k_shortest; /* of the q->paths shortest ones */
ctl_routing_fn ctl_route_disjoint;   /* of the q->paths ones that share no node */

/* The route of a routing; false if there is none. Where the best one is longer than CTL_HOPS_MAX, the
 * one of fewest hops is taken. */
bool ctl_route(const struct ctl_topology *t, struct ctl_search *s, ctl_routing_fn *routing,
               const struct ctl_query *q, struct ctl_path *path);

/* The q->paths first routes by hops, then by node numbers: Yen's algorithm. How many there are. */
uint32_t ctl_route_k_set(const struct ctl_topology *t, struct ctl_search *s,
                         const struct ctl_query *q, struct ctl_path *paths);

/* As many routes as there are, at most q->paths, that share no node but source and destination, of
 * the least hops together; shorter ones first. How many. */
uint32_t ctl_route_disjoint_set(const struct ctl_topology *t, struct ctl_search *s,
                                const struct ctl_query *q, struct ctl_path *paths);

/* Whether usable links join source and destination within CTL_HOPS_MAX hops, whatever they can
 * pay. */
bool ctl_route_exists(const struct ctl_topology *t, struct ctl_search *s,
                      const struct ctl_query *q);

#endif
