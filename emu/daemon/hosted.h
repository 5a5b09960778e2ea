/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The units that one daemon hosts, and the duties of a world towards them (core/base/out.h): events
 * go in, outputs collect; emu_hosted_settle() makes everything persisted durable by one commit and
 * only then lets sends and reports go. Knows no sockets and no loop.
 *
 *     recv, tick, START, CONFIG --step--> out --+--> to an element here: stepped at once, same commit
 *                                               +--> WANT_SECRET: answered at once
 *     settle: flight record, commit of the store, then send() and report() in order
 *
 * While the store refuses a commit (disk full), outputs stay and steps add to them; beyond half of
 * EMU_HOSTED_HOLD bytes what comes in is dropped, as a full queue drops it, and no time passes. */
#ifndef EMU_HOSTED_H
#define EMU_HOSTED_H

#include "core/base/event.h"
#include "core/base/out.h"
#include "emu/flight/flight.h"
#include "emu/store/store.h"
#include "host/message.h"
#include "host/plan.h"

#define EMU_HOSTED_HOLD (UINT32_C(64) << 20) /* bytes of outputs that may wait for a commit */

struct emu_hosted;

/* Calls out. send() and report() may call emu_hosted_recv(), but nothing else here. */
struct emu_hosted_calls {
    void *ctx;
    /* To an element elsewhere, to a device, or to whoever acts for an SAE; bytes wiped afterwards. */
    void (*send)(void *ctx, const struct qkd_send *send, const uint8_t *bytes);
    void (*report)(void *ctx, const struct qkd_report *report, const uint8_t *bytes);
    /* The secret that two elements share at a reference point; false: they share none. */
    bool (*secret)(void *ctx, enum qkd_rp rp, const struct qkd_eid sides[2], uint8_t secret[32]);
    /* The initial secret of a QKD link. */
    void (*bootstrap)(void *ctx, uint32_t link, uint8_t *to, size_t len);
    /* A durable commit with entries took so long. */
    void (*committed)(void *ctx, struct qkd_span took);
};

struct emu_hosted_config {
    struct host_plan *plan; /* borrowed; its hosted units get elements */
    const uint32_t *units;  /* numbers of the units hosted here */
    uint32_t unit_count;
    struct emu_store *store;   /* borrowed */
    struct emu_flight *flight; /* borrowed; NULL: none is kept */
    struct emu_hosted_calls calls;
};

/* 0 or QKD_ERR_NOMEM. */
int emu_hosted_new(const struct emu_hosted_config *config, struct emu_hosted **hosted);
void emu_hosted_free(struct emu_hosted *hosted); /* drops the elements; NULL is allowed */

/* START of every element with what the store holds of it, then its configuration. 0 or an error of
 * which `why` tells. */
int emu_hosted_start(struct emu_hosted *hosted, struct emu_why *why);

/* Bytes from elsewhere for an element here (nobody of that name: dropped). 0; QKD_ERR_AGAIN: dropped
 * because outputs wait; another error ends the daemon. */
int emu_hosted_recv(struct emu_hosted *hosted, const struct host_message *message);

/* The transport to an element elsewhere came up or went: a hint for the modules here. Errors as recv. */
int emu_hosted_peer(struct emu_hosted *hosted, struct qkd_eid peer, bool up);

/* TIMEOUT to every unit that is due; errors as recv. */
int emu_hosted_tick(struct emu_hosted *hosted);

/* When the next unit is due, by emu_now(). */
struct qkd_time emu_hosted_deadline(const struct emu_hosted *hosted);

/* Commits and executes all that was put out, and what that brings about in turn. 0; QKD_ERR_AGAIN: the
 * store refused (`why` tells), everything waits for the next call; other errors end the daemon. */
int emu_hosted_settle(struct emu_hosted *hosted, struct emu_why *why);

/* The unit that hosts an element, if it is hosted here; else HOST_NO_UNIT. */
uint32_t emu_hosted_find(const struct emu_hosted *hosted, struct qkd_eid eid);

/* Message IDs of what the world itself sends. */
uint64_t *emu_hosted_message_id(struct emu_hosted *hosted);

/* Since the start. */
struct emu_hosted_figures {
    uint64_t steps;
    uint64_t batches; /* settled, with or without a commit */
    uint64_t dropped; /* came in while outputs waited */
    uint64_t misses;  /* for nobody here */
};
const struct emu_hosted_figures *emu_hosted_figures(const struct emu_hosted *hosted);

/* CLOCK_MONOTONIC and UTC. */
struct qkd_time emu_now(void);
struct qkd_time emu_wall(void);

#endif
