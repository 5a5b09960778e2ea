/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What elements are told at each start, after START itself (docs/protocol.md, "Start and
 * configuration"): CFG_LINK, CFG_ACCESS, CFG_APP, CFG_LIGHT, CFG_OPTICAL; and CFG_PEER when an element asks for a secret. */
#ifndef HOST_CONFIGURE_H
#define HOST_CONFIGURE_H

#include "host/message.h"
#include "host/plan.h"

#define HOST_SEED_BYTES 32 /* of a secret that is told by its seed */

struct host_configure {
    struct host_sender sender; /* give(): a CONFIG message, valid during the call */
    /* Whether an element is to be told; NULL: all are. */
    bool (*wants)(void *ctx, struct qkd_eid element);
    /* The initial secret of a link: the same at both ends and after each restart. */
    void (*bootstrap)(void *ctx, uint32_t link, uint8_t *to, size_t len);
    bool
        seeds; /* where a link's key files are seeds, it gives the seed of the secret: HOST_SEED_BYTES */
    int64_t epoch_ns; /* UTC at the start of the run: maintenance is planned by it */
};

/* Tells the elements of a node all that they need; 0 or a negative error. */
int host_configure_node(const struct host_plan *plan, uint32_t node,
                        const struct host_configure *how);

/* Gives `self` the secret that it shares with `peer` at a reference point. */
int host_configure_peer(const struct host_sender *sender, enum qkd_rp rp,
                        const struct qkd_eid sides[2], const uint8_t secret[32]);

#endif
