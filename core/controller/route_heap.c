/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A binary heap of the nodes of a search; `place` finds a node in it: see
 * controller/route_parts.h. */
#include "core/controller/route_parts.h"

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
        if (s->key[parent] <= s->key[node]) {
            break;
        }
        heap_set(s, at, parent);
        at = (at - 1) / 2;
    }
    heap_set(s, at, node);
}

uint32_t ctl_heap_take(struct ctl_search *s)
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
        if (child + 1 < s->heap_count && s->key[s->heap[child + 1]] < s->key[s->heap[child]]) {
            child++;
        }
        if (s->key[s->heap[child]] >= s->key[last]) {
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

void ctl_heap_reach(struct ctl_search *s, uint32_t node, uint64_t key)
{
    if (s->mark[node] != s->epoch) {
        s->mark[node] = s->epoch;
        s->key[node] = key;
        s->place[node] = s->heap_count++;
        heap_up(s, node);
    } else if (s->place[node] != CTL_NONE && key < s->key[node]) {
        s->key[node] = key;
        heap_up(s, node);
    }
}
