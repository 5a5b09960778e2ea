/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One unit of a plan: its element is made, stepped and freed here, whatever its kind. */
#ifndef HOST_UNIT_H
#define HOST_UNIT_H

#include "core/base/event.h"
#include "core/base/out.h"
#include "host/plan.h"

/* Makes the unit's element (which must not be there); it still wants START. 0 or a negative error. */
int host_unit_make(const struct host_plan *plan, struct host_unit *unit);

/* Drops the element, if it is there. */
void host_unit_free(struct host_unit *unit);

/* What the unit is, for people. */
const char *host_unit_name(const struct host_unit *unit);

/* The elements that a unit hosts: their IDs into eids[3], the part of a key manager that START is
 * for (else 0) into parts[3]. How many. */
uint32_t host_unit_elements(const struct host_plan *plan, const struct host_unit *unit,
                            struct qkd_eid eids[3], uint32_t parts[3]);

/* One step; part: for START of a key manager's part, else 0. As X_step() of the element. */
int host_unit_step(const struct host_unit *unit, const struct qkd_event *event, uint32_t part,
                   struct qkd_out *out);

/* When the unit wants a TIMEOUT. */
struct qkd_time host_unit_deadline(const struct host_unit *unit);

#endif
