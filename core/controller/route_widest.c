/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routing: widest. The width of a hop is what it can still pay. */
#include "core/controller/route_parts.h"

bool ctl_route_widest(const struct ctl_topology *t, struct ctl_search *s, const struct ctl_query *q,
                      struct ctl_path *path)
{
    struct ctl_narrow narrow = {.width = ctl_route_usable};
    narrow.least = ctl_width_best(t, s, q, ctl_route_usable);
    return narrow.least > 0 && ctl_path_of_width(t, s, q, &narrow, path);
}
