/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Applications that name their partners by addresses in user networks, which all nodes serve then, and key
 * supply agents with dynamic addresses. Drawn from a stream of chance of its own. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { ONE_IN = 6 };

void sim_fuzz_plan_address(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz address", 0);
    bool on = qkd_rng_below(&rng, ONE_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_ADDRESS);
    sim_fuzz_set_add(&plan->features, SIM_FUZZ_ADDRESS, on);
    plan->addresses = on;
    plan->widest_node = (uint32_t)qkd_rng_below(&rng, plan->node_count);
    for (uint32_t i = 0; on && i < plan->app_count; i++) {
        bool fits = plan->app[i].session_bps == 0 && plan->app[i].also == 0;
        uint32_t drawn = (uint32_t)qkd_rng_below(&rng, 3);
        plan->app[i].named = (uint8_t)(fits ? drawn : 0);
    }
    qkd_rng_fini(&rng);
}
