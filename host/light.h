/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What light a QKD link has over the run: its model, and the degradations among the faults. */
#ifndef HOST_LIGHT_H
#define HOST_LIGHT_H

#include "models/link.h"
#include "scenarios/scenario.h"

/* *points (to be freed by the caller) in increasing time, *count at least 1. 0 or QKD_ERR_NOMEM. */
int host_light_points(const struct scn_scenario *scenario, uint32_t link, struct mdl_point **points,
                      size_t *count);

#endif
