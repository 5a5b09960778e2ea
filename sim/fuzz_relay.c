/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which schemes of key relay the applications of a plan use. Drawn from a stream of chance of its own,
 * after all else, so that a seed means what it always meant but for that. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { ONE_IN = 3 }; /* plans with several schemes */

void sim_fuzz_plan_relay(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz relay", 0);
    bool on = qkd_rng_below(&rng, ONE_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_RELAY);
    sim_fuzz_set_add(&plan->features, SIM_FUZZ_RELAY, on);
    for (uint32_t i = 0; i < plan->app_count; i++) {
        uint64_t drawn = qkd_rng_below(&rng, SCN_RELAY_COUNT);
        bool several = drawn == SCN_RELAY_MULTIPATH && plan->app[i].session_bps > 0;
        plan->app[i].relay = on && !several ? (int)drawn : -1; /* sessions take one route */
    }
    qkd_rng_fini(&rng);
}
