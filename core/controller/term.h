/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two controllers, of which one is in charge (docs/protocol.md, "A standby controller"). Private to the
 * room.
 *
 *   BESIDE ── half of the KMs hear nobody ──▶ IN CHARGE   new term, persisted, STATUS to all
 *     ▲                                           │
 *     └────────── a higher term is seen ──────────┘         all that was promised is forgotten
 *
 * A term belongs to one start of one controller: those of the first are odd, the other's even, and each is
 * persisted before it is used. KMs obey the highest they have seen, for ever: who was overtaken cannot
 * give routes any more, whether it knows that or not. */
#ifndef QKD_CONTROLLER_TERM_H
#define QKD_CONTROLLER_TERM_H

#include "core/base/event.h"
#include "core/base/out.h"

#define CTL_TERM_PERIODS 3 /* for which a KM's word counts that it hears nobody */

struct ctl;
struct chan_message;

struct ctl_term {
    uint64_t own;  /* the term in which this controller is in charge; 0: it is not */
    uint64_t seen; /* the highest of all */
};

/* Whether this controller decides: alone, or in charge. */
bool ctl_in_charge(const struct ctl *ctl);

/* START: what was persisted; the first controller begins at once if it never did before. */
void ctl_term_start(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* TERM of the other controller (Cx) or of a KM (Ck). */
void ctl_on_term(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                 struct qkd_out *out);

/* Once per status period: says that it is there, and looks whether it is needed. */
void ctl_term_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

#endif
