/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the controller of a plan works. Drawn from a stream of chance of its own, so that a seed means
 * what it meant before but for this. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum {
    RARITY = 3,
    PATHS_LEAST = 2,
    PATHS_MOST = 8,
    STANDBY_RARITY = 6,
    RATE_RARITY = 8,
    CLASS_RARITY = 6
};

void sim_fuzz_plan_control(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz control", 0);
    bool is_on = qkd_rng_below(&rng, RARITY) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_CONTROL);
    if (is_on) {
        sim_fuzz_set_add(&plan->features, SIM_FUZZ_CONTROL, true);
        plan->control.is_set = true;
        plan->control.routing = (enum scn_routing)qkd_rng_below(&rng, SCN_ROUTING_COUNT);
        plan->control.paths = PATHS_LEAST +
                              (uint32_t)qkd_rng_below(&rng, PATHS_MOST - PATHS_LEAST + 1);
        plan->control.proactive = qkd_rng_below(&rng, 2) == 0;
        plan->control.distributed = qkd_rng_below(&rng, 3) == 0;
        plan->control.alone = qkd_rng_below(&rng, 2) == 0;
    }
    qkd_rng_fini(&rng);
}

void sim_fuzz_plan_standby(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz standby", 0);
    bool is_on = qkd_rng_below(&rng, STANDBY_RARITY) == 0 && plan->node_count > 2 &&
                 sim_fuzz_set_has(allowed, SIM_FUZZ_STANDBY);
    if (is_on) {
        uint32_t other = (uint32_t)qkd_rng_below(&rng, plan->node_count - 1);
        sim_fuzz_set_add(&plan->features, SIM_FUZZ_STANDBY, true);
        plan->standby = 1 + other + (other >= plan->controller);
    }
    /* one of them falls, or is cut off */
    for (uint32_t n = is_on ? 1 + (uint32_t)qkd_rng_below(&rng, 2) : 0;
         n > 0 && plan->trouble_count < SIM_FUZZ_TROUBLES; n--) {
        uint32_t i = plan->trouble_count++;
        bool is_cut = !plan->in_band && qkd_rng_below(&rng, 2) == 0;
        plan->trouble[i].kind = is_cut ? SIM_FUZZ_PARTITION : SIM_FUZZ_ELEMENT;
        plan->trouble[i].at_ms = (uint32_t)qkd_rng_below(&rng, plan->chaos_end_ms - 50);
        uint32_t left_ms = plan->chaos_end_ms - plan->trouble[i].at_ms;
        plan->trouble[i].for_ms = 1 + (uint32_t)qkd_rng_below(&rng, left_ms);
        plan->trouble[i].index = qkd_rng_below(&rng, 3) == 0 ? 2 : 0;
        uint32_t cut = (uint32_t)qkd_rng_below(&rng, (UINT64_C(1) << plan->node_count) - 2) + 1;
        plan->trouble[i].some = cut;
    }
    qkd_rng_fini(&rng);
}

bool sim_fuzz_is_alone(const struct sim_fuzz_plan *plan)
{
    bool has_sessions = false; /* they need one */
    for (uint32_t i = 0; i < plan->app_count; i++) {
        has_sessions = has_sessions || (!plan->app[i].off && plan->app[i].session_bps > 0);
    }
    return plan->control.is_set && plan->control.distributed && plan->control.alone &&
           plan->standby == 0 && !has_sessions;
}

void sim_fuzz_plan_max_rate(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz max rate", 0);
    bool is_on = qkd_rng_below(&rng, RATE_RARITY) == 0 &&
                 sim_fuzz_set_has(allowed, SIM_FUZZ_MAX_RATE);
    sim_fuzz_set_add(&plan->features, SIM_FUZZ_MAX_RATE, is_on);
    for (uint32_t i = 0; is_on && i < plan->app_count; i++) {
        uint32_t asked = plan->app[i].key_bits * plan->app[i].count * plan->app[i].tenths_per_s /
                         10;
        uint32_t percent = (uint32_t)qkd_rng_below(&rng, 120);
        plan->app[i].max_bps = qkd_rng_below(&rng, 2) == 0 ? 1 + asked / 100 * percent : 0;
    }
    qkd_rng_fini(&rng);
}

void sim_fuzz_plan_classes(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz classes", 0);
    bool is_on = qkd_rng_below(&rng, CLASS_RARITY) == 0 &&
                 sim_fuzz_set_has(allowed, SIM_FUZZ_CLASSES);
    sim_fuzz_set_add(&plan->features, SIM_FUZZ_CLASSES, is_on);
    plan->class_count = is_on ? 1 + (uint32_t)qkd_rng_below(&rng, 3) : 0;
    for (uint32_t i = 0; is_on && i < plan->app_count; i++) {
        plan->app[i].class_number = (uint32_t)qkd_rng_below(&rng, plan->class_count + 1);
    }
    qkd_rng_fini(&rng);
}
