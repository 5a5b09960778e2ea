/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all routings share: see controller/route.h. */
#include "core/controller/route.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define FIRST_NODES 16

void ctl_search_init(struct ctl_search *s)
{
    *s = (struct ctl_search){0};
}

void ctl_search_fini(struct ctl_search *s)
{
    free(s->mark);
    free(s->level);
    free(s->width);
    free(s->place);
    free(s->heap);
    *s = (struct ctl_search){0};
}

static bool resize(void **items, size_t bytes)
{
    void *grown = realloc(*items, bytes);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    return true;
}

int ctl_search_fit(struct ctl_search *s, uint32_t nodes)
{
    if (nodes <= s->cap) {
        return 0;
    }
    uint32_t cap = s->cap == 0 ? FIRST_NODES : s->cap;
    while (cap < nodes) {
        cap *= 2;
    }
    void *items[] = {s->mark, s->level, s->width, s->place, s->heap};
    bool grown = resize(&items[0], cap * sizeof *s->mark);
    grown = resize(&items[1], cap * sizeof *s->level) && grown;
    grown = resize(&items[2], cap * sizeof *s->width) && grown;
    grown = resize(&items[3], cap * sizeof *s->place) && grown;
    grown = resize(&items[4], cap * sizeof *s->heap) && grown;
    s->mark = items[0];
    s->level = items[1];
    s->width = items[2];
    s->place = items[3];
    s->heap = items[4];
    if (!grown) {
        return QKD_ERR_NOMEM;
    }
    memset(s->mark + s->cap, 0, (cap - s->cap) * sizeof *s->mark);
    s->cap = cap;
    return 0;
}

void ctl_search_begin(struct ctl_search *s)
{
    s->heap_count = 0;
    if (++s->epoch == 0) {
        memset(s->mark, 0, s->cap * sizeof *s->mark);
        s->epoch = 1;
    }
}

uint64_t ctl_route_usable(const struct ctl_topology *t, const struct ctl_query *q, uint32_t from,
                          uint32_t half)
{
    uint64_t available = ctl_half_available(t, half, q->now);
    uint64_t own = t->halves[half].own;
    available = q->own_only && own < available ? own : available;
    if (q->of_rate) {
        available = ctl_half_is_usable(t, half, q->now)
                        ? ctl_link_residual_bps(t, &t->links[half >> 1])
                        : 0;
    }
    available = q->quiet_only && ctl_half_is_noisy(t, half) ? 0 : available;
    bool has_failed = from == q->failed_from && t->halves[half].to == q->failed_to;
    available = has_failed ? 0 : available;
    bool is_direct = from == q->source && t->halves[half].to == q->destination;
    uint64_t relay_bits = q->relay_bits - (from == q->source ? q->first_saved_bits : 0);
    return available >= (is_direct ? q->direct_bits : relay_bits) ? available : 0;
}

/* Levels counted back from the destination over hops of at least `width`; whether the source was
 * reached. A hop is looked at in the direction of the route: the twin of the one walked here. */
static bool levels_from_destination(const struct ctl_topology *t, struct ctl_search *s,
                                    const struct ctl_query *q, uint64_t width)
{
    ctl_search_begin(s);
    s->mark[q->destination] = s->epoch;
    s->level[q->destination] = 0;
    s->heap[s->heap_count++] = q->destination;
    for (uint32_t at = 0; at < s->heap_count; at++) {
        uint32_t node = s->heap[at];
        uint32_t level = s->level[node] + 1;
        if (level > CTL_HOPS_MAX) {
            return false;
        }
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint32_t before = t->halves[h].to;
            if (s->mark[before] == s->epoch || ctl_route_usable(t, q, before, h ^ 1U) < width) {
                continue;
            }
            s->mark[before] = s->epoch;
            s->level[before] = level;
            if (before == q->source) {
                return true;
            }
            s->heap[s->heap_count++] = before;
        }
    }
    return false;
}

/* The next hop: one level nearer, lowest node number, then most bits, then lowest link ID. */
static uint32_t next_half(const struct ctl_topology *t, const struct ctl_search *s,
                          const struct ctl_query *q, uint32_t node, uint64_t width)
{
    uint32_t best = CTL_NONE;
    uint64_t best_bits = 0;
    for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t to = t->halves[h].to;
        if (s->mark[to] != s->epoch || s->level[to] + 1 != s->level[node]) {
            continue;
        }
        uint64_t bits = ctl_route_usable(t, q, node, h);
        if (bits < width) {
            continue;
        }
        uint32_t number = t->nodes[to].number;
        uint32_t best_number = best == CTL_NONE ? 0 : t->nodes[t->halves[best].to].number;
        bool is_better = best == CTL_NONE || number < best_number ||
                         (number == best_number &&
                          (bits > best_bits ||
                           (bits == best_bits && t->links[h >> 1].id < t->links[best >> 1].id)));
        if (is_better) {
            best = h;
            best_bits = bits;
        }
    }
    return best;
}

/* All hops of the search's nodes one level apart are marked by the time the source is, because
 * every node of a lower level was expanded before. */
static bool path_lowest(const struct ctl_topology *t, struct ctl_search *s,
                        const struct ctl_query *q, uint64_t width, struct ctl_path *path)
{
    if (!levels_from_destination(t, s, q, width)) {
        return false;
    }
    uint32_t node = q->source;
    path->hops = 0;
    path->nodes[0] = node;
    while (node != q->destination) {
        uint32_t half = next_half(t, s, q, node, width);
        QKD_ASSERT(half != CTL_NONE && path->hops < CTL_HOPS_MAX);
        node = t->halves[half].to;
        path->halves[path->hops++] = half;
        path->nodes[path->hops] = node;
    }
    return true;
}

bool ctl_route(const struct ctl_topology *t, struct ctl_search *s, ctl_routing_fn *routing,
               const struct ctl_query *q, struct ctl_path *path)
{
    uint64_t width = routing(t, s, q);
    if (width == 0) {
        return false;
    }
    if (path_lowest(t, s, q, width, path)) {
        return true;
    }
    width = ctl_route_fewest_hops(t, s, q);
    return width > 0 && path_lowest(t, s, q, width, path);
}

bool ctl_route_exists(const struct ctl_topology *t, struct ctl_search *s, const struct ctl_query *q)
{
    ctl_search_begin(s);
    s->mark[q->source] = s->epoch;
    s->level[q->source] = 0;
    s->heap[s->heap_count++] = q->source;
    for (uint32_t at = 0; at < s->heap_count; at++) {
        uint32_t node = s->heap[at];
        if (s->level[node] == CTL_HOPS_MAX) {
            return false;
        }
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint32_t to = t->halves[h].to;
            if (s->mark[to] == s->epoch || !ctl_half_is_usable(t, h, q->now)) {
                continue;
            }
            if (to == q->destination) {
                return true;
            }
            s->mark[to] = s->epoch;
            s->level[to] = s->level[node] + 1;
            s->heap[s->heap_count++] = to;
        }
    }
    return false;
}
