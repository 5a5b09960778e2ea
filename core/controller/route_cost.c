/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes by cost: Dijkstra's algorithm from the destination, so that the route can then be walked from
 * the source over the lowest node numbers. See controller/route_parts.h. */
#include "core/base/err.h"
#include "core/controller/route_parts.h"

/* A label is the sum of costs in its upper bits and the number of hops below: it grows with each hop,
 * so what is walked downwards has no loop. */
#define HOP_BITS 14
#define LABEL_MOST (UINT64_MAX >> 1)

static uint64_t step_of(const struct ctl_topology *t, const struct ctl_query *q, ctl_cost_fn *cost,
                        uint32_t half)
{
    uint64_t of_hop = cost(t, q, half);
    return ((of_hop < CTL_COST_MOST ? of_hop : CTL_COST_MOST) << HOP_BITS) + 1;
}

/* Settles all nodes that are nearer to the destination than the source; whether it was reached. */
static bool labels_count(const struct ctl_topology *t, struct ctl_search *s,
                         const struct ctl_query *q, ctl_cost_fn *cost)
{
    ctl_search_begin(s);
    ctl_heap_reach(s, q->destination, 0);
    while (s->heap_count > 0) {
        uint32_t node = ctl_heap_take(s);
        if (node == q->source) {
            return true;
        }
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint32_t before = t->halves[h].to;
            if (ctl_route_usable(t, q, before, h ^ 1U) == 0) {
                continue;
            }
            uint64_t label = s->key[node] + step_of(t, q, cost, h ^ 1U);
            if (label <= LABEL_MOST) {
                ctl_heap_reach(s, before, label);
            }
        }
    }
    return false;
}

/* A hop that leads down by just its cost: the lowest node number, then the lowest link ID. A node that
 * is not settled has a label above that of the source. */
static uint32_t next_half(const struct ctl_topology *t, const struct ctl_search *s,
                          const struct ctl_query *q, ctl_cost_fn *cost, uint32_t node)
{
    uint32_t best = CTL_NONE;
    for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t to = t->halves[h].to;
        bool is_down = s->mark[to] == s->epoch && s->key[to] < s->key[node] &&
                       ctl_route_usable(t, q, node, h) > 0 &&
                       s->key[node] - s->key[to] == step_of(t, q, cost, h);
        if (!is_down) {
            continue;
        }
        uint32_t number = t->nodes[to].number;
        uint32_t best_number = best == CTL_NONE ? 0 : t->nodes[t->halves[best].to].number;
        if (best == CTL_NONE || number < best_number ||
            (number == best_number && t->links[h >> 1].id < t->links[best >> 1].id)) {
            best = h;
        }
    }
    return best;
}

bool ctl_path_cheapest(const struct ctl_topology *t, struct ctl_search *s,
                       const struct ctl_query *q, ctl_cost_fn *cost, struct ctl_path *path)
{
    if (!labels_count(t, s, q, cost)) {
        return false;
    }
    uint32_t node = q->source;
    path->hops = 0;
    path->nodes[0] = node;
    while (node != q->destination) {
        if (path->hops == CTL_HOPS_MAX) {
            return false;
        }
        uint32_t half = next_half(t, s, q, cost, node);
        QKD_ASSERT(half != CTL_NONE);
        node = t->halves[half].to;
        path->halves[path->hops++] = half;
        path->nodes[path->hops] = node;
    }
    return true;
}
