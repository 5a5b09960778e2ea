/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN manager (FG QIT4N D2.3 clauses 7.1.6, 9): FCAPS reports of KMs (Mk), controller (Mc) and
 * modules (Mq); alarms with raise and clear; accounting per application; performance per link; the
 * life-cycle store that traces a KSA-key back to its QKD-keys (D23-OP-18). */
#ifndef QKD_MANAGER_MANAGER_H
#define QKD_MANAGER_MANAGER_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/out.h"
#include "core/wire/codec.h"

struct mgr;

struct mgr_config {
    struct qkd_eid self;       /* role MANAGER */
    struct qkd_eid controller; /* greeted after a restart; QKD_NOBODY: not known */
    struct qkd_eid standby;    /* the same */
    uint32_t peer_limit;       /* most reporting elements */
    uint32_t life_limit;       /* life-cycle records kept; the oldest leave first */
    uint32_t alarm_limit;      /* most alarms standing */
    bool report_life;          /* also hand each life-cycle record out as QKD_REPORT_LIFE */
    uint32_t measures_off;     /* base/measure.h; 0 outside experiments */
    struct qkd_guard_config guard; /* what peers may cost; zeros: anything */
};

int mgr_new(const struct mgr_config *config, struct mgr **result);
void mgr_free(struct mgr *mgr);
int mgr_step(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time mgr_deadline(const struct mgr *mgr);

/* Queries for hosts (what a management console would read). They copy nothing secret. */

/* Records of one key in order of arrival into records[cap]; how many there are in all. */
size_t mgr_trace(const struct mgr *mgr, const struct qkd_id *key_id, struct wire_life *records,
                 size_t cap);
/* Accounting of (app, peer_app); false if never reported. */
bool mgr_account(const struct mgr *mgr, struct qkd_eid app, struct wire_account_record *record);
/* Latest performance of one end of a link; false if never reported. */
bool mgr_link(const struct mgr *mgr, struct qkd_eid kma, uint32_t link,
              struct wire_link_status *status);
/* The same of its configuration. */
bool mgr_link_configuration(const struct mgr *mgr, struct qkd_eid kma, uint32_t link,
                            struct wire_link_config *config);
struct mgr_counts {
    uint64_t alarms_raised, alarms_cleared, alarms_standing;
    uint64_t reports, gaps; /* gaps: reports missing by their sequence numbers */
    uint64_t life_records, life_dropped;
};
struct mgr_counts mgr_counts(const struct mgr *mgr);

#endif
