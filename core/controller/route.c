/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all routings share: see controller/route.h. */
#include "core/controller/route_parts.h"

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
    free(s->key);
    free(s->place);
    free(s->heap);
    free(s->label);
    free(s->parent);
    free(s->stamp);
    free(s->queue);
    free(s->after);
    free(s->before);
    *s = (struct ctl_search){0};
}

static bool resize_u32(uint32_t **items, size_t count)
{
    uint32_t *grown = realloc(*items, count * sizeof *grown);
    *items = grown == NULL ? *items : grown;
    return grown != NULL;
}

static bool resize_u64(uint64_t **items, size_t count)
{
    uint64_t *grown = realloc(*items, count * sizeof *grown);
    *items = grown == NULL ? *items : grown;
    return grown != NULL;
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
    size_t two = 2 * (size_t)cap;
    bool grown = resize_u32(&s->mark, cap) && resize_u32(&s->level, cap) &&
                 resize_u64(&s->key, cap) && resize_u32(&s->place, cap) &&
                 resize_u32(&s->heap, cap) && resize_u64(&s->label, two) &&
                 resize_u32(&s->parent, two) && resize_u32(&s->stamp, two) &&
                 resize_u32(&s->queue, two) && resize_u32(&s->after, cap) &&
                 resize_u32(&s->before, cap);
    if (!grown) {
        return QKD_ERR_NOMEM; /* what has grown is longer than needed */
    }
    memset(s->mark + s->cap, 0, (cap - s->cap) * sizeof *s->mark);
    memset(s->stamp + 2 * (size_t)s->cap, 0, 2 * (size_t)(cap - s->cap) * sizeof *s->stamp);
    s->cap = cap;
    return 0;
}

void ctl_search_begin(struct ctl_search *s)
{
    s->heap_count = 0;
    if (++s->epoch == 0) {
        memset(s->mark, 0, s->cap * sizeof *s->mark);
        memset(s->stamp, 0, 2 * (size_t)s->cap * sizeof *s->stamp);
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
    if (q->fallback_bits > 0 && !has_failed && !(q->quiet_only && ctl_half_is_noisy(t, half)) &&
        ctl_half_is_usable(t, half, q->now) &&
        t->links[half >> 1].fallback_bits[half & 1U] >= q->fallback_bits) {
        return available > 0 ? available : 1;
    }
    return available >= (is_direct ? q->direct_bits : relay_bits) ? available : 0;
}

/* Least bits available on any hop of a route. */
static uint64_t bottleneck(const struct ctl_topology *t, const struct ctl_query *q,
                           const struct ctl_path *path)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < path->hops; i++) {
        uint64_t bits = ctl_route_usable(t, q, path->nodes[i], path->halves[i]);
        least = bits < least ? bits : least;
    }
    return least;
}

bool ctl_path_widest(const struct ctl_topology *t, const struct ctl_query *q,
                     const struct ctl_path *paths, uint32_t count, struct ctl_path *path)
{
    uint64_t widest = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t width = bottleneck(t, q, &paths[i]);
        if (width > widest) {
            widest = width;
            *path = paths[i];
        }
    }
    return count > 0;
}

bool ctl_path_is_before(const struct ctl_topology *t, const struct ctl_path *a,
                        const struct ctl_path *b)
{
    if (a->hops != b->hops) {
        return a->hops < b->hops;
    }
    for (uint32_t i = 0; i <= a->hops; i++) {
        uint32_t x = t->nodes[a->nodes[i]].number;
        uint32_t y = t->nodes[b->nodes[i]].number;
        if (x != y) {
            return x < y;
        }
    }
    return false;
}

bool ctl_route(const struct ctl_topology *t, struct ctl_search *s, ctl_routing_fn *routing,
               const struct ctl_query *q, struct ctl_path *path)
{
    return routing(t, s, q, path) ||
           (routing != ctl_route_fewest_hops && ctl_route_fewest_hops(t, s, q, path));
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
