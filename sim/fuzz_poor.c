/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links whose initial secret holds a tag or two and no key, so that a few messages lost leave an end
 * without any. Drawn from a stream of chance of its own, so that a seed means what it meant before but
 * for this. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { POOR_IN = 8 }; /* plans with such links */

void sim_fuzz_plan_poor(struct sim_fuzz_plan *plan, uint64_t allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz poor", 0);
    bool on = qkd_rng_below(&rng, POOR_IN) == 0 && (allowed >> SIM_FUZZ_POOR & 1) != 0;
    if (on) {
        plan->features |= SIM_FUZZ_BIT(SIM_FUZZ_POOR);
        plan->bootstrap_kbit = 1;
        for (uint32_t i = 0; i < plan->link_count; i++) {
            plan->link[i].initial_kbit = 0;
        }
    }
    qkd_rng_fini(&rng);
}
