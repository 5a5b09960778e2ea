/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The controller's table of reservations: which session of which KM holds how much of which links.
 * One that was refused or has ended is remembered for a while, so that a request that was repeated
 * or overtaken on the way gets the same answer and reserves nothing again; session IDs are never used
 * twice. Private to the room. */
#ifndef QKD_CONTROLLER_RESERVE_H
#define QKD_CONTROLLER_RESERVE_H

#include "core/base/slab.h"
#include "core/controller/route.h"

#define CTL_RESERVE_LIMIT 65536

enum ctl_reserve_state {
    CTL_RESERVE_HELD,
    CTL_RESERVE_REFUSED,
    CTL_RESERVE_RELEASED, /* its KM said so */
    CTL_RESERVE_LAPSED    /* the controller ended it: its KM may take it up again */
};

struct ctl_reservation {
    struct qkd_eid kmc;
    uint64_t session_id;
    struct qkd_eid source, destination; /* KMAs */
    uint64_t link_bps;                  /* on each of its links */
    struct qkd_time until;              /* held: unless renewed; else: to be forgotten */
    uint8_t state;                      /* enum ctl_reserve_state */
    uint8_t reason;                     /* enum wire_reason, if not held */
    uint8_t hops;
    uint32_t links[CTL_HOPS_MAX]; /* slots in the topology */
};

struct ctl_reserve {
    struct qkd_slab table;
    struct qkd_map by_session; /* KMC and session ID -> slot */
};

void ctl_reserve_init(struct ctl_reserve *r);
void ctl_reserve_fini(struct ctl_reserve *r);
void ctl_reserve_salt(struct ctl_reserve *r, const uint8_t salt[16]);

/* NULL if there is none. */
struct ctl_reservation *ctl_reserve_find(const struct ctl_reserve *r, struct qkd_eid kmc,
                                         uint64_t session_id);

/* A new entry with both filled in, REFUSED; NULL at the limit or without memory. */
struct ctl_reservation *ctl_reserve_add(struct ctl_reserve *r, struct qkd_eid kmc,
                                        uint64_t session_id);

/* Forgets the entry in a slot of the table, which is not HELD. */
void ctl_reserve_forget(struct ctl_reserve *r, uint32_t slot);

/* The same for an entry. */
void ctl_reserve_drop(struct ctl_reserve *r, struct ctl_reservation *entry);

/* Takes link_bps of every link of a path: the entry is HELD. */
void ctl_reserve_hold(struct ctl_reservation *entry, struct ctl_topology *t,
                      const struct ctl_path *path);

/* Gives it back: from HELD to another state. */
void ctl_reserve_end(struct ctl_reservation *entry, struct ctl_topology *t,
                     enum ctl_reserve_state state);

#endif
