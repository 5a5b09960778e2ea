/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Outputs of key managers that the world holds back for their processing time. */
#ifndef SIM_LATE_H
#define SIM_LATE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_world;

/* After a step of `unit`: takes the world's `out` to execute it later; false: it is to be executed
 * now. */
bool sim_late_hold(struct sim_world *world, uint32_t unit);

/* Executes what is due at the node. */
void sim_late_timer(struct sim_world *world, uint32_t node);

/* Drops what waits at a node that crashes. */
void sim_late_forget(struct sim_world *world, uint32_t node);

void sim_late_free(struct sim_world *world);

#endif
