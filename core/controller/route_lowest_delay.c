/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: lowest-delay. The cost of a hop is half of the round trip that its two KMs measure with
 * HELLO; one that was not measured yet costs more than any. */
#include "core/controller/route_parts.h"

static uint64_t cost(const struct ctl_topology *t, const struct ctl_query *q, uint32_t half)
{
    (void)q;
    uint64_t delay_ns = ctl_link_delay_ns(&t->links[half >> 1]);
    return delay_ns == 0 ? CTL_COST_MOST : delay_ns / 1000;
}

bool ctl_route_lowest_delay(const struct ctl_topology *t, struct ctl_search *s,
                            const struct ctl_query *q, struct ctl_path *path)
{
    return ctl_path_cheapest(t, s, q, cost, path);
}
