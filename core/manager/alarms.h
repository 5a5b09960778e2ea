/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alarms standing, one per (element, fault, object). A fault report raises and clears; a security
 * event raises, and clears itself when it has not come again for a while, since nobody reports that
 * an attack has ended. Each change is told to the world (QKD_REPORT_ALARM). Private to the room. */
#ifndef QKD_MANAGER_ALARMS_H
#define QKD_MANAGER_ALARMS_H

#include "core/base/map.h"
#include "core/base/out.h"
#include "core/base/slab.h"
#include "core/wire/codec.h"

#define MGR_SECURITY_QUIET_S 60 /* after which a security alarm clears itself */

struct mgr_alarms {
    struct qkd_eid self; /* the manager */
    struct qkd_slab slab;
    struct qkd_map map;
    struct qkd_time sweep_at; /* QKD_NEVER while no security alarm stands */
    uint64_t raised, cleared;
    bool is_full; /* STORE_LIMIT of the manager itself stands */
};

void mgr_alarms_init(struct mgr_alarms *alarms, struct qkd_eid self, uint32_t limit);
void mgr_alarms_fini(struct mgr_alarms *alarms);
void mgr_alarms_salt(struct mgr_alarms *alarms, const uint8_t salt[16]);

/* A record of a FAULT report: raises, clears, or (fault 0) voids all that the element raised. */
void mgr_alarms_fault(struct mgr_alarms *alarms, const struct wire_fault_record *record,
                      struct qkd_time now, struct qkd_out *out);

/* A record of a SECURITY report. */
void mgr_alarms_security(struct mgr_alarms *alarms, const struct wire_fault_record *record,
                         struct qkd_time now, struct qkd_out *out);

/* Clears security alarms that have been quiet; call when sweep_at is due. */
void mgr_alarms_sweep(struct mgr_alarms *alarms, struct qkd_time now, struct qkd_out *out);

#endif
