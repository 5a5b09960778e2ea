/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller knows of the network: KMs, the KM links between them, and per direction of a
 * link what the KM at its start can pay: by its last status, less what was promised since. Private
 * to the room.
 *
 * A KM is a node only once its KMC has authenticated itself; a link exists once a KMC has reported
 * it toward a known KM, and is used only while both ends report it up and are heard of. The KMs of
 * the network are never forgotten; slots are stable. A half edge is 2 * link slot + side; it leads
 * from node[side] to node[1 - side]. A search reads nothing but half edges, which are small. */
#ifndef QKD_CONTROLLER_TOPOLOGY_H
#define QKD_CONTROLLER_TOPOLOGY_H

#include "core/base/map.h"
#include "core/base/out.h"
#include "core/base/time.h"
#include "core/wire/codec.h"

#define CTL_NONE UINT32_MAX
#define CTL_PPM 1000000
#define CTL_TAG_FAILURES 16 /* between two statuses: an attack */
#define CTL_MARK_SHARE 4    /* a drained link is used again this part above the low mark */
#define CTL_STALE_PERIODS 3 /* a status is used for so many periods */

struct ctl_half {
    uint64_t available; /* bits: own, half of the peer's (a GRANT may bring it), less promises; 0 if
                           both together are below the low mark */
    uint64_t own;       /* bits: own, for those whom the rest has failed */
    int64_t until_ns;   /* both ends are up and fresh until then; INT64_MIN: they are not */
    uint32_t to;        /* slot of the node it leads to */
    uint32_t next;      /* next half edge from the same node, or CTL_NONE */
};

struct ctl_link {
    uint32_t id;              /* of the scenario */
    uint32_t node[2];         /* slots of the two KMs, lower number first */
    bool up[2];               /* as each end says */
    bool noisy[2];            /* as each end's module says: no key can be had from its light */
    struct qkd_time at[2];    /* of each end's last status; INT64_MIN: never */
    bool attacked[2];         /* as each end's KM says: tags fail */
    bool drained[2];          /* under the low mark, and not yet well above it again */
    bool is_worse;            /* in the list `worse` */
    uint8_t why;              /* is_worse: the first enum qkd_worse */
    uint64_t tag_failures[2]; /* of each end, as it said last */
    struct qkd_time attacked_at[2]; /* when the last of them was reported */
    uint64_t rate_bps[2];           /* as each end's module said when it last had one; 0: never */
    uint64_t reserved_bps;          /* for sessions */
    uint64_t consumed_bps[2];       /* as each end says */
    uint64_t stored_bits[2];        /* in the store of each end, as it says */
    uint64_t promised[2];           /* bits, by direction, since the last status of its start */
    uint64_t fallback_bits[2]; /* of each end: what AES-256 frames may take; 0: no such frames */
    uint64_t delay_ns[2];      /* one way, as each end measured; 0: not yet */
};

struct ctl_node {
    uint32_t number; /* of the element IDs */
    uint32_t first;  /* first half edge, or CTL_NONE */
};

struct ctl_topology {
    struct ctl_node *nodes;
    struct ctl_link *links;
    struct ctl_half *halves; /* two per link */
    uint32_t node_count, node_cap, node_limit;
    uint32_t link_count, link_cap, link_limit;
    struct qkd_map by_number; /* u32 node number -> slot */
    struct qkd_map by_link;   /* link ID and both node numbers -> slot */
    struct qkd_span fresh;    /* a status older than this is not used */
    uint32_t noisy_count;     /* links with a noisy end, or under attack */
    uint32_t *worse;          /* links that can be used less than before: ctl_topology_worse() */
    uint32_t worse_count;
    bool is_better;          /* there is a new KM or link, or one can be used more than before */
    uint64_t pay_bits;       /* mode proactive: what a route has to pay; set like low_bits */
    uint64_t low_bits;       /* the low mark: set it after init, before the first status */
    uint32_t reservable_ppm; /* share of a link's rate for sessions; set like low_bits */
};

void ctl_topology_init(struct ctl_topology *t, uint32_t node_limit, uint32_t link_limit,
                       struct qkd_span fresh);
void ctl_topology_fini(struct ctl_topology *t);

/* Keys the hash maps; before the first node. */
void ctl_topology_salt(struct ctl_topology *t, const uint8_t salt[16]);

/* Slot of the KM of a node number, or CTL_NONE. */
uint32_t ctl_topology_find(const struct ctl_topology *t, uint32_t number);

/* The same, adding it; CTL_NONE at the limit or without memory. */
uint32_t ctl_topology_node(struct ctl_topology *t, uint32_t number);

/* Takes in a status that the KM in slot `node` reports. 0; QKD_ERR_UNKNOWN (the neighbour is no KM we
 * know), QKD_ERR_INVALID, QKD_ERR_LIMIT, QKD_ERR_NOMEM. */
int ctl_topology_status(struct ctl_topology *t, uint32_t node,
                        const struct wire_link_status *status, struct qkd_time now);

/* Takes in what the module of link `id` at the KM of a node number says of its light; nothing if KM or
 * link are not known (yet): modules repeat it. Light is noisy above WIRE_QBER_LIMIT_PPM, and quiet
 * again a tenth below it. */
void ctl_topology_noise(struct ctl_topology *t, uint32_t number, uint32_t id, uint32_t qber_ppm);

/* A link is down or drained, noisy or under attack, and was not: it is in the list `worse` until the
 * list is cleared. */
void ctl_topology_worse(struct ctl_topology *t, uint32_t link, enum qkd_worse why);
void ctl_topology_worse_clear(struct ctl_topology *t);

/* Slot of link `id` at the KM of a node number, or CTL_NONE. */
uint32_t ctl_topology_link(const struct ctl_topology *t, uint32_t number, uint32_t id);

/* Takes in the key rate that a module reports. 0 is no news: a module that is paused because the
 * store is full, or has no block yet, reports none. */
void ctl_topology_rate(struct ctl_topology *t, uint32_t number, uint32_t id, uint64_t rate_bps);

/* The lower of the rates that its two modules said, of whom one may not have said any; 0: neither. */
uint64_t ctl_link_rate_bps(const struct ctl_link *link);

/* One way, the mean of what its two ends measured; 0: not known. */
uint64_t ctl_link_delay_ns(const struct ctl_link *link);

#define CTL_LOAD_MOST_PPM UINT64_C(100000000) /* a hundred times the rate; more counts as this */

/* What a link pays per second, as both its ends say, and what was promised since as if it were paid
 * within a status period, as a share of its rate; the most if no rate is known. */
uint64_t ctl_link_load_ppm(const struct ctl_topology *t, uint32_t link);

/* Bits per second that sessions may reserve on a link, both directions together: the reservable share
 * of the lower of its modules' rates; 0 while no rate is known. */
uint64_t ctl_link_capacity_bps(const struct ctl_topology *t, const struct ctl_link *link);

/* What is left of it. */
uint64_t ctl_link_residual_bps(const struct ctl_topology *t, const struct ctl_link *link);

/* Whether a link is to be avoided: its light is noisy, or tags fail on it. */
static inline bool ctl_link_is_noisy(const struct ctl_link *link)
{
    return link->noisy[0] || link->noisy[1] || link->attacked[0] || link->attacked[1];
}

static inline bool ctl_half_is_noisy(const struct ctl_topology *t, uint32_t half)
{
    return t->noisy_count > 0 && ctl_link_is_noisy(&t->links[half >> 1]);
}

/* Bits that the KM at the start of a half edge can still pay on it; 0 if the link is not usable. */
static inline uint64_t ctl_half_available(const struct ctl_topology *t, uint32_t half,
                                          struct qkd_time now)
{
    return t->halves[half].until_ns >= now.ns ? t->halves[half].available : 0;
}

/* Whether both ends report the link up and are fresh. */
static inline bool ctl_half_is_usable(const struct ctl_topology *t, uint32_t half,
                                      struct qkd_time now)
{
    return t->halves[half].until_ns >= now.ns;
}

/* Subtracts from what is available until the next status of that direction. */
void ctl_half_promise(struct ctl_topology *t, uint32_t half, uint64_t bits);

#endif
