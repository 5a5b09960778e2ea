/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Agent of a QKD link element (FG QIT4N D2.3 clause 11): of an optical switch, commanded by the controller
 * at Cops, or of a quantum relay point, at Cqrp. A switch joins several QKD links at a node to one module
 * there and lets the light of one of them pass; a relay point stands in the middle of one link, which makes
 * key only while it is active. The agent tells its optics what may pass (WIRE_Q_LIGHT at RP_Q).
 *
 *   switch        AT A LINK ── LIGHT_PATH: another one ──▶ DARK ── the switching time ──▶ AT THE LINK
 *   relay point   STANDS    ── GENERATION run 1 ──▶ ACTIVE ── run 0 ──▶ STANDS
 *
 * One command is in work at a time. A command is obeyed once: a sender's Message IDs grow, and of two
 * controllers that of the higher term is obeyed. The agent keeps nothing across a restart: it comes back
 * dark and says so, and the controller commands it anew. See docs/protocol.md, "Generation control". */
#ifndef QKD_MODULE_OPTICAL_H
#define QKD_MODULE_OPTICAL_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/out.h"

struct mod_optical;

struct mod_optical_config {
    struct qkd_eid self;           /* role SWITCH or RELAY_POINT */
    struct qkd_eid device;         /* its optics */
    struct qkd_eid controller;     /* QKD_NOBODY: none, and it stays dark */
    struct qkd_eid standby;        /* the controller that may take its place; QKD_NOBODY: none */
    struct qkd_span retransmit;    /* of handshakes */
    struct qkd_span status_period; /* until the controller says another one */
    struct qkd_span switching; /* time without light when a switch turns to another link; >= 0 */
    uint32_t measures_off;     /* base/measure.h; 0 outside experiments */
    struct qkd_guard_config guard; /* what peers may cost; zeros: anything */
};

/* The instance of an optical element's device begins here, that of modules' devices at 0. */
#define MOD_OPTICAL_DEVICES 0x800000U

int mod_optical_new(const struct mod_optical_config *config, struct mod_optical **optical);
void mod_optical_free(struct mod_optical *optical);
int mod_optical_step(struct mod_optical *optical, const struct qkd_event *event,
                     struct qkd_out *out);
struct qkd_time mod_optical_deadline(const struct mod_optical *optical);

#endif
