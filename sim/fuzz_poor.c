/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links whose initial secret holds a tag or two and no key, so that a few messages lost leave an end
 * without any. In half of these plans many are lost, and a module is gone for a while at one end, so that
 * the other end asks about blocks that have no match. Drawn from a stream of chance of its own, so that a
 * seed means what it meant before but for this. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum {
    POOR_IN = 8, /* plans with such links */
    LOSS_LEAST_PM = 150,
    LOSS_MOST_PM = 400,
    GONE_LEAST_MS = 500,
    GONE_MOST_MS = 2500
};

static void losses(struct sim_fuzz_plan *plan, struct qkd_rng *rng)
{
    plan->loss_pm = sim_fuzz_between(rng, LOSS_LEAST_PM, LOSS_MOST_PM);
    for (uint32_t i = 0; i < 2 && plan->trouble_count < SIM_FUZZ_TROUBLES; i++) {
        uint32_t k = plan->trouble_count++;
        plan->trouble[k].kind = SIM_FUZZ_MODULE;
        plan->trouble[k].at_ms = sim_fuzz_between(rng, 1, 1000);
        plan->trouble[k].for_ms = sim_fuzz_between(rng, GONE_LEAST_MS, GONE_MOST_MS);
        plan->trouble[k].index = sim_fuzz_between(rng, 0, plan->link_count - 1);
        plan->trouble[k].x = sim_fuzz_between(rng, 0, 99); /* which end: fuzz_trouble.c */
    }
}

void sim_fuzz_plan_poor(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz poor", 0);
    bool on = qkd_rng_below(&rng, POOR_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_POOR);
    if (on) {
        sim_fuzz_set_add(&plan->features, SIM_FUZZ_POOR, true);
        plan->bootstrap_kbit = 1;
        for (uint32_t i = 0; i < plan->link_count; i++) {
            plan->link[i].initial_kbit = 0;
        }
        if (qkd_rng_below(&rng, 2) == 0) {
            losses(plan, &rng);
        }
    }
    qkd_rng_fini(&rng);
}
