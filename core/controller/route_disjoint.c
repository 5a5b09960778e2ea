/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: disjoint. Of at most q->paths routes that share no node but source and destination, of the
 * least hops together, the one of the widest bottleneck; of equally wide ones the first. The set: a
 * flow of least cost through nodes of capacity one, built route by route over shortest ways in the
 * residual network (J. W. Suurballe, Disjoint paths in a network, Networks 4 (1974) 125; R. Bhandari,
 * Survivable networks, 1999).
 *
 * A node v that a route goes through has two labels: "in" (2 v) for ways that come to it, which can only
 * go back along the route, and "out" (2 v + 1) for ways that came back along the route and may leave it.
 * Other nodes have "out" only. Ways have no two equal lengths (up to chance of 2^-24): a hop is longer
 * than 1 by a hash of its link, so that order of arrival decides nothing. */
#include <string.h>

#include "core/base/err.h"
#include "core/controller/route_parts.h"

#define HOP_SHIFT 40
#define WAITS (UINT32_C(1) << 31) /* flag of a parent: the label is in the queue */
#define BACK (WAITS - 1)          /* parent of an "out" label: back along the route */
#define ACROSS (WAITS - 2)        /* parent of an "in" label: its node's "out" */
#define REMOVED (UINT32_C(1) << 31)

/* One search: what it is about, and the routes chosen so far by their first hop. */
struct flow {
    const struct ctl_topology *t;
    const struct ctl_query *q;
    struct ctl_search *s;
    uint32_t first[CTL_PATHS_MAX];
    uint32_t count;
    uint32_t head, waiting; /* ring of labels in s->queue */
};

static uint32_t start_of(const struct ctl_topology *t, uint32_t half)
{
    return t->links[half >> 1].node[half & 1U];
}

/* The finalizer of SplitMix64 (S. Vigna, public domain). */
static uint64_t length_of(const struct ctl_topology *t, uint32_t half)
{
    uint64_t x = ((uint64_t)t->links[half >> 1].id << 1 | (half & 1U)) +
                 UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (UINT64_C(1) << HOP_SHIFT) + ((x ^ x >> 31) >> HOP_SHIFT);
}

static bool is_on_route(const struct flow *f, uint32_t node)
{
    return f->s->after[node] != CTL_NONE;
}

/* Whether a label is as low as one hop more than `label` could make it, at best. */
static bool is_low(const struct flow *f, uint32_t at, uint64_t label)
{
    return f->s->stamp[at] == f->s->epoch && f->s->label[at] <= label + (UINT64_C(1) << HOP_SHIFT);
}

/* A shorter way to a label: it waits to be looked at (again). */
static void label_lower(struct flow *f, uint32_t at, uint64_t label, uint32_t parent)
{
    struct ctl_search *s = f->s;
    bool is_new = s->stamp[at] != s->epoch;
    if (!is_new && s->label[at] <= label) {
        return;
    }
    bool is_waiting = !is_new && (s->parent[at] & WAITS) != 0;
    s->stamp[at] = s->epoch;
    s->label[at] = label;
    s->parent[at] = parent | WAITS;
    if (!is_waiting) {
        uint32_t size = 2 * s->cap;
        uint32_t end = f->head + f->waiting++;
        s->queue[end < size ? end : end - size] = at;
    }
}

static uint32_t label_take(struct flow *f)
{
    struct ctl_search *s = f->s;
    uint32_t at = s->queue[f->head];
    f->head = f->head + 1 == 2 * s->cap ? 0 : f->head + 1;
    f->waiting--;
    s->parent[at] &= ~WAITS;
    return at;
}

/* The hop from source to destination serves one route, over however many links. */
static bool is_direct_taken(const struct flow *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->t->halves[f->first[i]].to == f->q->destination) {
            return true;
        }
    }
    return false;
}

static void ways_out(struct flow *f, uint32_t node)
{
    const struct ctl_topology *t = f->t;
    uint64_t label = f->s->label[2 * node + 1];
    bool skips_direct = node == f->q->source && is_direct_taken(f);
    for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t to = t->halves[h].to;
        uint32_t at = is_on_route(f, to) ? 2 * to : 2 * to + 1;
        if (to == f->q->source || h == f->s->after[node] || is_low(f, at, label) ||
            (skips_direct && to == f->q->destination) || ctl_route_usable(t, f->q, node, h) == 0) {
            continue;
        }
        label_lower(f, at, label + length_of(t, h), h);
    }
    if (is_on_route(f, node)) {
        label_lower(f, 2 * node, label, ACROSS);
    }
}

static void way_back(struct flow *f, uint32_t node)
{
    uint32_t half = f->s->before[node];
    uint32_t from = start_of(f->t, half);
    if (from != f->q->source) {
        uint64_t label = f->s->label[2 * node] - length_of(f->t, half);
        label_lower(f, 2 * from + 1, label, BACK);
    }
}

/* Labels of all that can be reached; whether the destination can. */
static bool labels_count(struct flow *f)
{
    struct ctl_search *s = f->s;
    ctl_search_begin(s);
    f->head = f->waiting = 0;
    label_lower(f, 2 * f->q->source + 1, 0, CTL_NONE >> 1);
    while (f->waiting > 0) {
        uint32_t at = label_take(f);
        if (at / 2 == f->q->destination) {
            continue;
        }
        if (at % 2 == 0) {
            way_back(f, at / 2);
        } else {
            ways_out(f, at / 2);
        }
    }
    return s->stamp[2 * f->q->destination + 1] == s->epoch;
}

/* The hops of the way found, from its end; those that leave a route are marked. The queue is empty and
 * serves as the list. */
static uint32_t way_collect(const struct flow *f)
{
    struct ctl_search *s = f->s;
    uint32_t count = 0;
    uint32_t at = 2 * f->q->destination + 1;
    while (at != 2 * f->q->source + 1) {
        uint32_t parent = s->parent[at];
        if (parent == ACROSS) {
            at++;
        } else if (parent == BACK) {
            uint32_t half = s->after[at / 2];
            s->queue[count++] = half | REMOVED;
            at = 2 * f->t->halves[half].to;
        } else {
            s->queue[count++] = parent;
            at = 2 * start_of(f->t, parent) + 1;
        }
    }
    return count;
}

/* One more route; false if there is none. */
static bool flow_grow(struct flow *f)
{
    struct ctl_search *s = f->s;
    if (!labels_count(f)) {
        return false;
    }
    uint32_t count = way_collect(f);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t half = s->queue[i] & ~REMOVED;
        if ((s->queue[i] & REMOVED) != 0) {
            s->after[start_of(f->t, half)] = CTL_NONE;
            s->before[f->t->halves[half].to] = CTL_NONE;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t half = s->queue[i];
        if ((half & REMOVED) != 0) {
            continue;
        }
        uint32_t from = start_of(f->t, half);
        uint32_t to = f->t->halves[half].to;
        if (from == f->q->source) {
            f->first[f->count++] = half;
        } else {
            s->after[from] = half;
        }
        if (to != f->q->destination) {
            s->before[to] = half;
        }
    }
    return true;
}

/* Of the links side by side the one that can pay most, then of the lowest ID. */
static uint32_t half_widest(const struct flow *f, uint32_t half)
{
    const struct ctl_topology *t = f->t;
    uint32_t from = start_of(t, half);
    uint32_t best = half;
    uint64_t best_bits = ctl_route_usable(t, f->q, from, half);
    for (uint32_t h = t->nodes[from].first; h != CTL_NONE; h = t->halves[h].next) {
        if (t->halves[h].to != t->halves[half].to) {
            continue;
        }
        uint64_t bits = ctl_route_usable(t, f->q, from, h);
        if (bits > best_bits ||
            (bits == best_bits && t->links[h >> 1].id < t->links[best >> 1].id)) {
            best = h;
            best_bits = bits;
        }
    }
    return best;
}

/* False if it is too long. */
static bool route_follow(const struct flow *f, uint32_t half, struct ctl_path *path)
{
    path->hops = 0;
    path->nodes[0] = f->q->source;
    while (path->hops < CTL_HOPS_MAX) {
        uint32_t to = f->t->halves[half].to;
        path->halves[path->hops++] = half_widest(f, half);
        path->nodes[path->hops] = to;
        if (to == f->q->destination) {
            return true;
        }
        half = f->s->after[to];
    }
    return false;
}

uint32_t ctl_route_disjoint_set(const struct ctl_topology *t, struct ctl_search *s,
                                const struct ctl_query *q, struct ctl_path *paths)
{
    struct flow f = {.t = t, .q = q, .s = s};
    memset(s->after, 0xff, t->node_count * sizeof *s->after);
    memset(s->before, 0xff, t->node_count * sizeof *s->before);
    uint32_t limit = q->paths < CTL_PATHS_MAX ? q->paths : CTL_PATHS_MAX;
    while (f.count < limit && flow_grow(&f)) {
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < f.count; i++) {
        struct ctl_path path;
        if (!route_follow(&f, f.first[i], &path)) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && ctl_path_is_before(t, &path, &paths[at - 1]); at--) {
            paths[at] = paths[at - 1];
        }
        paths[at] = path;
    }
    return count;
}

bool ctl_route_disjoint(const struct ctl_topology *t, struct ctl_search *s,
                        const struct ctl_query *q, struct ctl_path *path)
{
    struct ctl_path paths[CTL_PATHS_MAX];
    uint32_t count = ctl_route_disjoint_set(t, s, q, paths);
    return ctl_path_widest(t, q, paths, count, path);
}
