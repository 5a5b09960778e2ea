/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes by bottleneck: Dijkstra's algorithm with (max, min) instead of (min, +), and the route of
 * least hops over hops that are wide enough. See controller/route_parts.h. */
#include "core/base/err.h"
#include "core/controller/route_parts.h"

#define AVOIDED UINT32_MAX /* level of a node to go around */

/* Which of two equally wide nodes comes first has no influence on the width of the destination. */
uint64_t ctl_width_best(const struct ctl_topology *t, struct ctl_search *s,
                        const struct ctl_query *q, ctl_width_fn *width)
{
    ctl_search_begin(s);
    ctl_heap_reach(s, q->source, 0);
    while (s->heap_count > 0) {
        uint32_t node = ctl_heap_take(s);
        if (node == q->destination) {
            return UINT64_MAX - s->key[node];
        }
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint64_t narrow = UINT64_MAX - width(t, q, node, h);
            if (narrow < UINT64_MAX) {
                ctl_heap_reach(s, t->halves[h].to, narrow > s->key[node] ? narrow : s->key[node]);
            }
        }
    }
    return 0;
}

static bool is_banned(const struct ctl_narrow *narrow, uint32_t node)
{
    for (uint32_t i = 0; i < narrow->banned_count; i++) {
        if (narrow->banned[i] == node) {
            return true;
        }
    }
    return false;
}

/* Levels counted back from the destination over hops of at least the width, around nodes that are
 * marked; whether the end of the path was reached. A hop is looked at in the direction of the route:
 * the twin of the one walked here. */
static bool levels_count(const struct ctl_topology *t, struct ctl_search *s,
                         const struct ctl_query *q, const struct ctl_narrow *narrow,
                         const struct ctl_path *path)
{
    uint32_t from = path->nodes[path->hops];
    s->mark[q->destination] = s->epoch;
    s->level[q->destination] = 0;
    s->heap[s->heap_count++] = q->destination;
    for (uint32_t at = 0; at < s->heap_count; at++) {
        uint32_t node = s->heap[at];
        uint32_t level = s->level[node] + 1;
        if (level + path->hops > CTL_HOPS_MAX) {
            return false;
        }
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint32_t before = t->halves[h].to;
            if (s->mark[before] == s->epoch || (before == from && is_banned(narrow, node)) ||
                narrow->width(t, q, before, h ^ 1U) < narrow->least) {
                continue;
            }
            s->mark[before] = s->epoch;
            s->level[before] = level;
            if (before == from) {
                return true;
            }
            s->heap[s->heap_count++] = before;
        }
    }
    return false;
}

/* The next hop: one level nearer, lowest node number, then the widest, then lowest link ID. */
static uint32_t next_half(const struct ctl_topology *t, const struct ctl_search *s,
                          const struct ctl_query *q, const struct ctl_narrow *narrow, uint32_t node)
{
    uint32_t best = CTL_NONE;
    uint64_t best_width = 0;
    for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t to = t->halves[h].to;
        if (s->mark[to] != s->epoch || s->level[to] + 1 != s->level[node] ||
            is_banned(narrow, to)) {
            continue;
        }
        uint64_t width = narrow->width(t, q, node, h);
        if (width < narrow->least) {
            continue;
        }
        uint32_t number = t->nodes[to].number;
        uint32_t best_number = best == CTL_NONE ? 0 : t->nodes[t->halves[best].to].number;
        bool is_better = best == CTL_NONE || number < best_number ||
                         (number == best_number &&
                          (width > best_width ||
                           (width == best_width && t->links[h >> 1].id < t->links[best >> 1].id)));
        if (is_better) {
            best = h;
            best_width = width;
        }
    }
    return best;
}

/* All hops of the search's nodes one level apart are marked by the time the start is, because every
 * node of a lower level was expanded before. */
bool ctl_path_rest(const struct ctl_topology *t, struct ctl_search *s, const struct ctl_query *q,
                   const struct ctl_narrow *narrow, struct ctl_path *path)
{
    ctl_search_begin(s);
    for (uint32_t i = 0; i < path->hops; i++) {
        s->mark[path->nodes[i]] = s->epoch;
        s->level[path->nodes[i]] = AVOIDED;
    }
    if (!levels_count(t, s, q, narrow, path)) {
        return false;
    }
    struct ctl_narrow now = *narrow;
    uint32_t node = path->nodes[path->hops];
    while (node != q->destination) {
        uint32_t half = next_half(t, s, q, &now, node);
        QKD_ASSERT(half != CTL_NONE && path->hops < CTL_HOPS_MAX);
        node = t->halves[half].to;
        path->halves[path->hops++] = half;
        path->nodes[path->hops] = node;
        now.banned_count = 0; /* they may come later */
    }
    return true;
}

bool ctl_path_of_width(const struct ctl_topology *t, struct ctl_search *s,
                       const struct ctl_query *q, const struct ctl_narrow *narrow,
                       struct ctl_path *path)
{
    path->hops = 0;
    path->nodes[0] = q->source;
    return ctl_path_rest(t, s, q, narrow, path);
}
