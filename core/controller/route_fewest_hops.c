/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: fewest-hops. Breadth first from the source; of the ways to a node in its level the
 * widest counts, which is complete once the level before has been expanded. */
#include "core/controller/route_parts.h"

static void expand(const struct ctl_topology *t, struct ctl_search *s, const struct ctl_query *q,
                   uint32_t node)
{
    uint32_t level = s->level[node] + 1;
    for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t to = t->halves[h].to;
        bool is_seen = s->mark[to] == s->epoch;
        if (is_seen && s->level[to] != level) {
            continue;
        }
        uint64_t bits = ctl_route_usable(t, q, node, h);
        if (bits == 0) {
            continue;
        }
        uint64_t width = bits < s->key[node] ? bits : s->key[node];
        if (!is_seen) {
            s->mark[to] = s->epoch;
            s->level[to] = level;
            s->key[to] = width;
            s->heap[s->heap_count++] = to;
        } else if (width > s->key[to]) {
            s->key[to] = width;
        }
    }
}

/* The width of the widest of the routes of least hops; 0: there is none. */
static uint64_t width_best(const struct ctl_topology *t, struct ctl_search *s,
                           const struct ctl_query *q)
{
    ctl_search_begin(s);
    s->mark[q->source] = s->epoch;
    s->level[q->source] = 0;
    s->key[q->source] = UINT64_MAX;
    s->heap[s->heap_count++] = q->source;
    for (uint32_t at = 0; at < s->heap_count; at++) {
        uint32_t node = s->heap[at];
        bool is_found = s->mark[q->destination] == s->epoch;
        if (is_found && s->level[node] >= s->level[q->destination]) {
            break;
        }
        if (s->level[node] == CTL_HOPS_MAX) {
            break;
        }
        expand(t, s, q, node);
    }
    return s->mark[q->destination] == s->epoch ? s->key[q->destination] : 0;
}

bool ctl_route_fewest_hops(const struct ctl_topology *t, struct ctl_search *s,
                           const struct ctl_query *q, struct ctl_path *path)
{
    struct ctl_narrow narrow = {.width = ctl_route_usable};
    narrow.least = width_best(t, s, q);
    return narrow.least > 0 && ctl_path_of_width(t, s, q, &narrow, path);
}
