/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKD module agent: the software side of one QKD module (FG QIT4N D2.3 clauses 7.1.1, 8.1.1). It
 * pushes key files at Kq-1 with acknowledgement and repetition, answers status at Kq-2 and Cq, and
 * runs or stops its optics as controller, KM and a full store say. It makes no key: the optics
 * (a model or hardware behind RP_Q) do. See docs/protocol.md. */
#ifndef QKD_MODULE_MODULE_H
#define QKD_MODULE_MODULE_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/out.h"

struct mod;

struct mod_config {
    struct qkd_eid self;           /* role MODULE */
    struct qkd_eid controller;     /* QKD_NOBODY: none */
    struct qkd_eid standby;        /* the controller that may take its place; QKD_NOBODY: none */
    struct qkd_eid manager;        /* QKD_NOBODY: none */
    struct qkd_span retransmit;    /* first repetition of a key file; doubles, 16x cap */
    struct qkd_span status_period; /* status push and report flush */
    uint32_t queue_limit;  /* key files waiting for acknowledgement; beyond: dropped, counted */
    uint32_t measures_off; /* base/measure.h; 0 outside experiments */
    struct qkd_guard_config guard; /* what peers may cost; zeros: anything */
};

int mod_new(const struct mod_config *config, struct mod **mod);
void mod_free(struct mod *mod);
int mod_step(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time mod_deadline(const struct mod *mod);

#endif
