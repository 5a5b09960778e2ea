/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether keys are relayed ahead of need, and how large the pools are. Drawn from a stream of chance of its own.
 * Pools are small: what they hold is not there for others. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { ONE_IN = 5, MOST_LOW = 6, MOST_MORE = 12, MOST_BATCH = 8 };

void sim_fuzz_plan_ahead(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz pooled", 0);
    bool on = qkd_rng_below(&rng, ONE_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_POOLED);
    sim_fuzz_set_add(&plan->features, SIM_FUZZ_POOLED, on);
    plan->pool_low = on ? 1 + (uint32_t)qkd_rng_below(&rng, MOST_LOW) : 0;
    plan->pool_high = plan->pool_low + (uint32_t)qkd_rng_below(&rng, MOST_MORE);
    plan->pool_batch = 1 + (uint32_t)qkd_rng_below(&rng, MOST_BATCH);
    qkd_rng_fini(&rng);
}
