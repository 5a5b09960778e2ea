/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Applications whose keys go to several nodes. Drawn from a stream of chance of its own. They ask as much
 * more rarely as they have slaves: what they take of links is about what it was. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum { ONE_IN = 4, MOST_MORE = 3, LEAST_TENTHS = 2, MOST_BITS = 16384 };

/* Up to MOST_MORE other nodes, a bit each. */
static uint32_t nodes_draw(const struct sim_fuzz_plan *plan, uint32_t app, struct qkd_rng *rng)
{
    uint32_t some = 0;
    uint32_t count = 1 + (uint32_t)qkd_rng_below(rng, MOST_MORE);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = (uint32_t)qkd_rng_below(rng, plan->node_count);
        bool is_end = node == plan->app[app].from || node == plan->app[app].to;
        some |= is_end || plan->node[node].off ? 0 : UINT32_C(1) << node;
    }
    return some;
}

void sim_fuzz_plan_multicast(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz multicast", 0);
    bool on = qkd_rng_below(&rng, ONE_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_MULTICAST);
    for (uint32_t i = 0; on && i < plan->app_count; i++) {
        uint32_t also = qkd_rng_below(&rng, 2) == 0 ? nodes_draw(plan, i, &rng) : 0;
        bool fits = plan->app[i].session_bps == 0 &&
                    plan->app[i].count * plan->app[i].key_bits <= MOST_BITS;
        if (plan->app[i].off || !fits || also == 0) {
            continue;
        }
        uint32_t slaves = 1;
        for (uint32_t n = 0; n < plan->node_count; n++) {
            slaves += also >> n & 1;
        }
        uint32_t tenths = plan->app[i].tenths_per_s / slaves;
        bool is_drawn = plan->app[i].relay == SCN_RELAY_FIRST_KEY ||
                        plan->app[i].relay == SCN_RELAY_DESTINATION;
        plan->app[i].also = also;
        plan->app[i].tenths_per_s = tenths < LEAST_TENTHS ? LEAST_TENTHS : tenths;
        plan->app[i].relay = is_drawn ? SCN_RELAY_HOP_BY_HOP : plan->app[i].relay;
        if (plan->app[i].timeout_s > plan->fetch_within_s) {
            plan->app[i].timeout_s = plan->fetch_within_s;
        }
        sim_fuzz_set_add(&plan->features, SIM_FUZZ_MULTICAST, true);
    }
    qkd_rng_fini(&rng);
}
