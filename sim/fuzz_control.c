/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the controller of a plan works. Drawn from a stream of chance of its own, so that a seed means
 * what it meant before but for this. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { RARITY = 3, PATHS_LEAST = 2, PATHS_MOST = 8 };

void sim_fuzz_plan_control(struct sim_fuzz_plan *plan, uint64_t allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz control", 0);
    bool is_on = qkd_rng_below(&rng, RARITY) == 0 && (allowed >> SIM_FUZZ_CONTROL & 1) != 0;
    if (is_on) {
        plan->features |= SIM_FUZZ_BIT(SIM_FUZZ_CONTROL);
        plan->control.is_set = true;
        plan->control.routing = (enum scn_routing)qkd_rng_below(&rng, SCN_ROUTING_COUNT);
        plan->control.paths = PATHS_LEAST +
                              (uint32_t)qkd_rng_below(&rng, PATHS_MOST - PATHS_LEAST + 1);
        plan->control.proactive = qkd_rng_below(&rng, 2) == 0;
    }
    qkd_rng_fini(&rng);
}
