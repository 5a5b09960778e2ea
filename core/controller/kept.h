/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes that pairs of KMs keep while every hop can pay, so that a pair does not change its way with
 * each status report when several are equally good. Lost with a restart: the pair is then routed
 * anew. At most CTL_KEPT_LIMIT pairs; those beyond it keep nothing. Private to the room. */
#ifndef QKD_CONTROLLER_KEPT_H
#define QKD_CONTROLLER_KEPT_H

#include "core/base/slab.h"
#include "core/controller/route.h"

#define CTL_KEPT_LIMIT 65536

struct ctl_kept {
    struct qkd_slab paths;  /* struct ctl_path */
    struct qkd_map by_pair; /* slots of source and destination -> slot of the path */
};

void ctl_kept_init(struct ctl_kept *k);
void ctl_kept_fini(struct ctl_kept *k);
void ctl_kept_salt(struct ctl_kept *k, const uint8_t salt[16]);

/* The pair's route, if each of its hops can pay what the query asks. */
bool ctl_kept_route(const struct ctl_kept *k, const struct ctl_topology *t,
                    const struct ctl_query *q, struct ctl_path *path);

/* Remembers the route of its first and last node instead of an earlier one. */
void ctl_kept_put(struct ctl_kept *k, const struct ctl_path *path);

#endif
