/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: refill-time. The cost of a hop is the time that its link needs to make again the key that
 * the request takes of it: what it pays over the rate of its modules. */
#include "core/controller/route_parts.h"

#define US_PER_S UINT64_C(1000000)

static uint64_t cost(const struct ctl_topology *t, const struct ctl_query *q, uint32_t half)
{
    const struct ctl_link *link = &t->links[half >> 1];
    uint64_t rate_bps = ctl_link_rate_bps(link);
    uint32_t from = link->node[half & 1U];
    bool is_direct = from == q->source && t->halves[half].to == q->destination;
    uint64_t bits = is_direct ? q->direct_bits : q->relay_bits;
    bool is_endless = rate_bps == 0 || bits >= CTL_COST_MOST / US_PER_S * rate_bps;
    return is_endless ? CTL_COST_MOST : bits * US_PER_S / rate_bps;
}

bool ctl_route_refill_time(const struct ctl_topology *t, struct ctl_search *s,
                           const struct ctl_query *q, struct ctl_path *path)
{
    return ctl_path_cheapest(t, s, q, cost, path);
}
