/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller does with light: an optical switch whose links share a module, quantum relay points,
 * agents of theirs that are gone, generation that stops where a store will be full, windows of maintenance.
 * Drawn from a stream of chance of its own. Links of a switch make so much more key that each one's share of
 * the time makes what it made before. */
#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum {
    SWITCH_IN = 8,
    POINT_IN = 10,
    FORECAST_IN = 10,
    MAINTENANCE_IN = 10,
    MOST_LINKS = 3,
    LEAST_DWELL_MS = 100,
    MOST_DWELL_MS = 300,
    TURNS = 4,    /* longest turn by demand, in times of dwell; and turns of recovery */
    DARK_MS = 50, /* between two turns, at most; never longer than a turn */
    LONGEST_MS = 3000,
    LONG_S = 60
};

static void trouble(struct sim_fuzz_plan *p, struct qkd_rng *rng, enum sim_fuzz_feature kind,
                    uint32_t link)
{
    if (p->trouble_count < SIM_FUZZ_TROUBLES) {
        uint32_t i = p->trouble_count++;
        p->trouble[i].kind = kind;
        p->trouble[i].at_ms = sim_fuzz_between(rng, 0, p->chaos_end_ms - 50);
        uint32_t left_ms = p->chaos_end_ms - p->trouble[i].at_ms;
        p->trouble[i].for_ms = sim_fuzz_between(rng, 1,
                                                left_ms < LONGEST_MS ? left_ms : LONGEST_MS);
        p->trouble[i].index = link;
    }
}

/* Two or three links of a node; none if there is no node with two. */
static uint32_t links_draw(const struct sim_fuzz_plan *p, struct qkd_rng *rng, uint32_t *node)
{
    uint32_t first = sim_fuzz_between(rng, 0, p->node_count - 1);
    for (uint32_t k = 0; k < p->node_count; k++) {
        uint32_t some = 0;
        uint32_t count = 0;
        *node = (first + k) % p->node_count;
        for (uint32_t i = 0; i < p->link_count && count < MOST_LINKS; i++) {
            bool ends = p->link[i].a == *node || p->link[i].b == *node;
            some |= ends ? UINT32_C(1) << i : 0;
            count += ends;
        }
        if (count > 1) {
            return some;
        }
    }
    return 0;
}

static void optical_switch(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    uint32_t count = 0;
    uint32_t last = 0;
    uint32_t block_ms = 0;
    p->optical.links = links_draw(p, rng, &p->optical.node);
    for (uint32_t i = 0; i < p->link_count; i++) {
        bool is_in = (p->optical.links >> i & 1) != 0;
        count += is_in;
        last = is_in ? i : last;
    }
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < p->link_count; i++) {
        if ((p->optical.links >> i & 1) != 0) {
            bool steady = p->link[i].first_kbps == p->link[i].then_kbps;
            p->link[i].then_kbps *= 2 * count;
            p->link[i].first_kbps *= steady ? 2 * count : 1;
            uint32_t ms = 1000 * p->link[i].block_kbit / p->link[i].then_kbps;
            block_ms = ms > block_ms ? ms : block_ms;
        }
    }
    /* By demand the link with most key waits until that is too old: it may lack all at once then. */
    p->optical.by_demand = qkd_rng_below(rng, 2) == 0 && p->expiry_s > LONG_S;
    p->optical.dwell_ms = sim_fuzz_between(rng, LEAST_DWELL_MS, MOST_DWELL_MS) + 2 * block_ms;
    p->optical.dark_ms = sim_fuzz_between(rng, 1, DARK_MS);
    uint32_t turn_ms = p->optical.dwell_ms + p->optical.dark_ms;
    /* By demand, a link that was dark for long is left out for about as long: controller/light_switch.c. */
    sim_fuzz_longer(p, p->optical.by_demand ? TURNS * count * turn_ms + p->chaos_end_ms
                                            : 3 * count * turn_ms);
    if (qkd_rng_below(rng, 2) == 0) {
        trouble(p, rng, SIM_FUZZ_SWITCH, last);
    }
    sim_fuzz_set_add(&p->features, SIM_FUZZ_SWITCH, true);
}

static void points(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    uint32_t last = sim_fuzz_between(rng, 0, p->link_count - 1);
    p->points = UINT32_C(1) << last;
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->points |= qkd_rng_below(rng, 3) == 0 ? UINT32_C(1) << i : 0;
    }
    if (qkd_rng_below(rng, 2) == 0) {
        trouble(p, rng, SIM_FUZZ_POINT, last);
    }
    sim_fuzz_set_add(&p->features, SIM_FUZZ_POINT, true);
}

/* Told in UTC, and obeyed by the clock of a controller: that one is right. */
static void maintenance(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    uint32_t places[2] = {p->controller, p->standby > 0 ? p->standby - 1 : p->controller};
    for (size_t i = 0; i < 2; i++) {
        p->node[places[i]].offset_s = p->node[places[i]].drift_ppm = 0;
    }
    for (uint32_t n = sim_fuzz_between(rng, 1, 3); n > 0; n--) {
        trouble(p, rng, SIM_FUZZ_MAINTENANCE, sim_fuzz_between(rng, 0, p->link_count - 1));
    }
    sim_fuzz_set_add(&p->features, SIM_FUZZ_MAINTENANCE, true);
}

void sim_fuzz_plan_optical(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz optical", 0);
    bool draws[] = {qkd_rng_below(&rng, SWITCH_IN) == 0, qkd_rng_below(&rng, POINT_IN) == 0,
                    qkd_rng_below(&rng, FORECAST_IN) == 0,
                    qkd_rng_below(&rng, MAINTENANCE_IN) == 0};
    if (draws[0] && sim_fuzz_set_has(allowed, SIM_FUZZ_SWITCH)) {
        optical_switch(plan, &rng);
    }
    if (draws[1] && sim_fuzz_set_has(allowed, SIM_FUZZ_POINT)) {
        points(plan, &rng);
    }
    /* Key that is not made anew is too old all at once. */
    if (draws[2] && plan->expiry_s > LONG_S && sim_fuzz_set_has(allowed, SIM_FUZZ_FORECAST)) {
        plan->forecast_ms = sim_fuzz_between(&rng, 100, 3000);
        sim_fuzz_set_add(&plan->features, SIM_FUZZ_FORECAST, true);
    }
    if (draws[3] && sim_fuzz_set_has(allowed, SIM_FUZZ_MAINTENANCE)) {
        maintenance(plan, &rng);
    }
    qkd_rng_fini(&rng);
}

/* ---- smaller ---- */

void sim_fuzz_optical_drop(struct sim_fuzz_plan *plan, uint32_t link)
{
    plan->points &= ~(UINT32_C(1) << link);
    plan->optical.links &= ~(UINT32_C(1) << link);
    if ((plan->optical.links & (plan->optical.links - 1)) == 0) { /* one alone needs no switch */
        plan->optical.links = 0;
    }
}
