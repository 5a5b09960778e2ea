/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: least-loaded. The width of a hop is the share of its link's key rate that is not used yet:
 * the route whose busiest link is least busy. */
#include "core/controller/route_parts.h"

static uint64_t width(const struct ctl_topology *t, const struct ctl_query *q, uint32_t from,
                      uint32_t half)
{
    if (ctl_route_usable(t, q, from, half) == 0) {
        return 0;
    }
    uint64_t load_ppm = ctl_link_load_ppm(t, half >> 1);
    return load_ppm < CTL_LOAD_MOST_PPM ? CTL_LOAD_MOST_PPM - load_ppm : 1;
}

bool ctl_route_least_loaded(const struct ctl_topology *t, struct ctl_search *s,
                            const struct ctl_query *q, struct ctl_path *path)
{
    struct ctl_narrow narrow = {.width = width};
    narrow.least = ctl_width_best(t, s, q, width);
    return narrow.least > 0 && ctl_path_of_width(t, s, q, &narrow, path);
}
