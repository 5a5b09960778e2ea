/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What fuzz_plan.c and fuzz_extra.c share. */
#ifndef SIM_FUZZ_PLAN_H
#define SIM_FUZZ_PLAN_H

#include "sim/fuzz.h"

#define SIM_FUZZ_MARGIN 4 /* key made, over key asked for */

/* Adds features from SIM_FUZZ_EXTRA on to a plan that is otherwise complete. */
void sim_fuzz_plan_extra(struct sim_fuzz_plan *plan, uint64_t allowed);

/* Adds what keys of applications are relayed by. */
void sim_fuzz_plan_relay(struct sim_fuzz_plan *plan, uint64_t allowed);
/* Adds how the controller works. */
void sim_fuzz_plan_control(struct sim_fuzz_plan *plan, uint64_t allowed);

#endif
