/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files that make and print a plan share. */
#ifndef SIM_FUZZ_PLAN_H
#define SIM_FUZZ_PLAN_H

#include "core/base/rng.h"
#include "sim/fuzz.h"

#define SIM_FUZZ_MARGIN 4 /* key made, over key asked for */

/* Adds features from SIM_FUZZ_EXTRA on to a plan that is otherwise complete. */
void sim_fuzz_plan_extra(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Adds pools that are filled ahead of need. */
void sim_fuzz_plan_ahead(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
/* Makes key go to and fro by GRANTs, lie about in pieces, or expire soon. */
void sim_fuzz_plan_sway(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Adds what hops do that cannot pay pads. */
void sim_fuzz_plan_fallback(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
/* Adds what keys of applications are relayed by. */
void sim_fuzz_plan_relay(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
/* Adds a second controller, and what happens to one of them; after all other trouble. */
void sim_fuzz_plan_standby(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Some applications may ask for about half of what they ask for. */
void sim_fuzz_plan_max_rate(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
void sim_fuzz_plan_classes(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Some applications get their keys at several nodes. */
void sim_fuzz_plan_multicast(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Some applications name their partner by its address. After sim_fuzz_plan_multicast(). */
void sim_fuzz_plan_address(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Uniform in [low, high]. */
uint32_t sim_fuzz_between(struct qkd_rng *rng, uint32_t low, uint32_t high);

/* Load and recovery take so much longer. */
void sim_fuzz_longer(struct sim_fuzz_plan *plan, uint32_t ms);

/* What the controller does with light; after all but attackers. */
void sim_fuzz_plan_optical(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
/* What becomes of it when a link is left out. */
void sim_fuzz_optical_drop(struct sim_fuzz_plan *plan, uint32_t link);

/* Whether the plan has no controller. */
bool sim_fuzz_is_alone(const struct sim_fuzz_plan *plan);

/* Adds how the controller works. */
void sim_fuzz_plan_control(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

/* Adds features from SIM_FUZZ_TROUBLE on, and prints what they are: items of `faults`. */
void sim_fuzz_plan_trouble(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
/* Whether it would change nothing: such a one is not printed. */
bool sim_fuzz_trouble_is_void(const struct sim_fuzz_plan *plan, uint32_t number);
void sim_fuzz_trouble_print(const struct sim_fuzz_plan *plan, uint32_t number, char *text,
                            size_t size);

/* What the troubles become when a link or a node is left out. */
void sim_fuzz_trouble_drop(struct sim_fuzz_plan *plan, bool node, uint32_t index);

/* Adds attackers, and prints one, an item of `attacks`; false: it is left out. */
void sim_fuzz_plan_attack(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);
bool sim_fuzz_attack_print(const struct sim_fuzz_plan *plan, uint32_t number, char *text,
                           size_t size);

/* Leaves links hardly a tag to begin with. */
void sim_fuzz_plan_poor(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed);

#endif
