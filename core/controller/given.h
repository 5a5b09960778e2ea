/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes that were given and are still valid, so that a KM can be told when one of them is no good any
 * more. Each way between two KMs is in it once, with what the last request that it was given for has
 * to pay. At most CTL_GIVEN_LIMIT; those beyond it are not remembered. Lost with a restart. Private to
 * the room. */
#ifndef QKD_CONTROLLER_GIVEN_H
#define QKD_CONTROLLER_GIVEN_H

#include "core/base/slab.h"
#include "core/controller/route.h"

#define CTL_GIVEN_LIMIT 65536
#define CTL_TABLE_NODES 256 /* mode proactive: KMs that are in the table; others ask */

struct ctl_given_route {
    struct qkd_eid kmc;
    struct qkd_time until;
    uint64_t relay_bits, direct_bits, first_saved_bits; /* as in the query */
    struct ctl_path path;                               /* what the KM has, or is to get */
    bool is_pending;           /* the KM has to be told and has not acknowledged it */
    bool is_double;            /* that path is remembered in another place too: not in by_way */
    uint32_t old_from, old_to; /* slots: the hop of the old route that is no good */
    uint64_t push_id;          /* message ID that last told it */
};

struct ctl_given {
    bool by_pair; /* mode proactive: one way per pair, whatever its hops */
    struct qkd_slab routes;
    struct qkd_map by_way; /* slots of source and destination, hash of the hops -> slot */
};

void ctl_given_init(struct ctl_given *g, bool by_pair);
void ctl_given_fini(struct ctl_given *g);
void ctl_given_salt(struct ctl_given *g, const uint8_t salt[16]);

/* Remembers a route that was given until an instant, or that it was given again. NULL: no room. */
struct ctl_given_route *ctl_given_put(struct ctl_given *g, struct qkd_eid kmc,
                                      const struct ctl_query *q, const struct ctl_path *path,
                                      struct qkd_time until);

/* The route that is remembered for a way; with by_pair: for its ends. NULL: none. */
struct ctl_given_route *ctl_given_find(const struct ctl_given *g, const struct ctl_path *path);

/* Another path instead. */
void ctl_given_move(struct ctl_given *g, uint32_t slot, const struct ctl_path *path);

void ctl_given_forget(struct ctl_given *g, uint32_t slot);

static inline struct ctl_given_route *ctl_given_at(const struct ctl_given *g, uint32_t slot)
{
    return qkd_slab_live(&g->routes, slot) ? qkd_slab_at(&g->routes, slot) : NULL;
}

#endif
