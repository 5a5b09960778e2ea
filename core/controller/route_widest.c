/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: widest. Dijkstra's algorithm with (max, min) instead of (min, +) over a binary heap of
 * nodes by width; `place` finds a node in the heap. Which of two equally wide nodes comes first has
 * no influence on the width of the destination. */
#include "core/controller/route.h"

static void heap_set(struct ctl_search *s, uint32_t at, uint32_t node)
{
    s->heap[at] = node;
    s->place[node] = at;
}

static void heap_up(struct ctl_search *s, uint32_t node)
{
    uint32_t at = s->place[node];
    while (at > 0) {
        uint32_t parent = s->heap[(at - 1) / 2];
        if (s->width[parent] >= s->width[node]) {
            break;
        }
        heap_set(s, at, parent);
        at = (at - 1) / 2;
    }
    heap_set(s, at, node);
}

static uint32_t heap_take(struct ctl_search *s)
{
    uint32_t top = s->heap[0];
    uint32_t last = s->heap[--s->heap_count];
    s->place[top] = CTL_NONE;
    uint32_t at = 0;
    while (s->heap_count > 0) {
        uint32_t child = 2 * at + 1;
        if (child >= s->heap_count) {
            break;
        }
        if (child + 1 < s->heap_count && s->width[s->heap[child + 1]] > s->width[s->heap[child]]) {
            child++;
        }
        if (s->width[s->heap[child]] <= s->width[last]) {
            break;
        }
        heap_set(s, at, s->heap[child]);
        at = child;
    }
    if (s->heap_count > 0) {
        heap_set(s, at, last);
    }
    return top;
}

static void reach(struct ctl_search *s, uint32_t node, uint64_t width)
{
    if (s->mark[node] != s->epoch) {
        s->mark[node] = s->epoch;
        s->width[node] = width;
        s->place[node] = s->heap_count++;
        heap_up(s, node);
    } else if (s->place[node] != CTL_NONE && width > s->width[node]) {
        s->width[node] = width;
        heap_up(s, node);
    }
}

uint64_t ctl_route_widest(const struct ctl_topology *t, struct ctl_search *s,
                          const struct ctl_query *q)
{
    ctl_search_begin(s);
    reach(s, q->source, UINT64_MAX);
    while (s->heap_count > 0) {
        uint32_t node = heap_take(s);
        if (node == q->destination) {
            return s->width[node];
        }
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint64_t bits = ctl_route_usable(t, q, node, h);
            if (bits > 0) {
                reach(s, t->halves[h].to, bits < s->width[node] ? bits : s->width[node]);
            }
        }
    }
    return 0;
}
