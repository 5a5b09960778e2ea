/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processors of receivers, and what waits for them. */
#ifndef SIM_WORK_H
#define SIM_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct sim_packet;
struct sim_world;

/* What the step that has just filled world->out costs. */
int64_t sim_work_cost(const struct sim_world *world);

/* A packet has arrived for a unit. True: its processor is busy, and the packet waits there, or is lost. */
bool sim_work_waits(struct sim_world *world, uint32_t unit, struct sim_packet *packet);

/* The unit's processor is busy for so long from now on. */
void sim_work_spend(struct sim_world *world, uint32_t unit, int64_t cost_ns);

/* The next packet that waits, if the processor is free; the caller owns it. Then go on. */
struct sim_packet *sim_work_next(struct sim_world *world, uint32_t unit);
void sim_work_go_on(struct sim_world *world, uint32_t unit);

void sim_work_free(struct sim_world *world);

#endif
