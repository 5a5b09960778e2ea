/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: k-shortest. Of the q->paths routes of least hops the one of the widest bottleneck; of equally
 * wide ones the first. The routes: J. Y. Yen, Finding the K shortest loopless paths in a network,
 * Management Science 17 (1971) 712, with E. L. Lawler's remark (1972) that a route found by leaving
 * another one at hop i need be left from hop i on only, so that none is found twice. */
#include "core/controller/route_parts.h"

/* Routes found and not yet taken, in order; the last one leaves when there are enough. */
struct candidates {
    struct ctl_path paths[CTL_PATHS_MAX];
    uint32_t left_at[CTL_PATHS_MAX]; /* the hop at which each left the route it came from */
    uint32_t count;
};

static void candidate_add(struct candidates *c, const struct ctl_topology *t, uint32_t limit,
                          const struct ctl_path *path, uint32_t left_at)
{
    uint32_t at = c->count;
    while (at > 0 && ctl_path_is_before(t, path, &c->paths[at - 1])) {
        at--;
    }
    if (at >= limit) {
        return;
    }
    c->count = c->count < limit ? c->count + 1 : limit;
    for (uint32_t i = c->count - 1; i > at; i--) {
        c->paths[i] = c->paths[i - 1];
        c->left_at[i] = c->left_at[i - 1];
    }
    c->paths[at] = *path;
    c->left_at[at] = left_at;
}

/* Where the routes found go on that share the first `hops` hops of the last one. */
static uint32_t banned_find(const struct ctl_path *paths, uint32_t count, uint32_t hops,
                            uint32_t *banned)
{
    const struct ctl_path *last = &paths[count - 1];
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_same = paths[i].hops > hops;
        for (uint32_t n = 0; is_same && n <= hops; n++) {
            is_same = paths[i].nodes[n] == last->nodes[n];
        }
        if (is_same) {
            banned[found++] = paths[i].nodes[hops + 1];
        }
    }
    return found;
}

uint32_t ctl_route_k_set(const struct ctl_topology *t, struct ctl_search *s,
                         const struct ctl_query *q, struct ctl_path *paths)
{
    struct candidates c = {.count = 0};
    uint32_t limit = q->paths < CTL_PATHS_MAX ? q->paths : CTL_PATHS_MAX;
    uint32_t left_at = 0;
    struct ctl_narrow narrow = {.width = ctl_route_usable, .least = 1};
    if (limit == 0 || !ctl_path_of_width(t, s, q, &narrow, &paths[0])) {
        return 0;
    }
    uint32_t count = 1;
    while (count < limit) {
        const struct ctl_path *last = &paths[count - 1];
        for (uint32_t hop = left_at; hop < last->hops; hop++) {
            uint32_t banned[CTL_PATHS_MAX];
            struct ctl_path path = *last;
            path.hops = hop;
            narrow.banned = banned;
            narrow.banned_count = banned_find(paths, count, hop, banned);
            if (ctl_path_rest(t, s, q, &narrow, &path)) {
                candidate_add(&c, t, limit - count, &path, hop);
            }
        }
        if (c.count == 0) {
            break;
        }
        paths[count++] = c.paths[0];
        left_at = c.left_at[0];
        c.count--;
        for (uint32_t i = 0; i < c.count; i++) {
            c.paths[i] = c.paths[i + 1];
            c.left_at[i] = c.left_at[i + 1];
        }
    }
    return count;
}

bool ctl_route_k_shortest(const struct ctl_topology *t, struct ctl_search *s,
                          const struct ctl_query *q, struct ctl_path *path)
{
    struct ctl_path paths[CTL_PATHS_MAX];
    uint32_t count = ctl_route_k_set(t, s, q, paths);
    return ctl_path_widest(t, q, paths, count, path);
}
