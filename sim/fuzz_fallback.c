/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether hops that cannot pay pads may use AES-256, how much is kept for it, and how long its keys serve. Drawn
 * from a stream of chance of its own, like the schemes of relay. The reserve is small, so that keys for
 * those who take no cipher can still be had where stores are small; the levels of applications are drawn
 * with their load. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { ONE_IN = 4, MOST_KBIT = 4, MOST_REKEY_S = 20 };

void sim_fuzz_plan_fallback(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz fallback", 0);
    bool on = qkd_rng_below(&rng, ONE_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_FALLBACK);
    uint32_t kbit = 2 + (uint32_t)qkd_rng_below(&rng, MOST_KBIT - 1);
    uint32_t rekey_s = 1 + (uint32_t)qkd_rng_below(&rng, MOST_REKEY_S);
    sim_fuzz_set_add(&plan->features, SIM_FUZZ_FALLBACK, on);
    plan->fallback_kbit = on ? kbit : 0;
    plan->fallback_rekey_s = rekey_s;
    qkd_rng_fini(&rng);
}
