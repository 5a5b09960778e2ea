/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a plan that fails, a smaller one that still fails: greedy, one step at a time, from the steps
 * that remove most to those that only simplify, again and again until none succeeds. A plan that is
 * nonsense after a step (an application without its node ...) does not load, so it does not fail as
 * the first one did and is not taken. */
#include "sim/fuzz_plan.h"

#include <string.h>

struct shrinker {
    struct sim_fuzz_plan *plan;
    const struct sim_fuzz_shrink *how;
    uint32_t tried;
    bool over;
};

/* Takes the candidate if it fails too; true if it did. */
static bool take(struct shrinker *s, const struct sim_fuzz_plan *candidate)
{
    /* Copies of one plan, padding included; a difference in padding would only cost a run. */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    if (s->over || memcmp(candidate, s->plan, sizeof(*candidate)) == 0) {
        return false;
    }
    s->over = s->how->stop(s->how->ctx);
    if (s->over) {
        return false;
    }
    s->tried++;
    if (!s->how->fails(s->how->ctx, candidate)) {
        return false;
    }
    *s->plan = *candidate;
    return true;
}

/* ---- leaving out ---- */

static bool drop_rules(struct shrinker *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->plan->rule_count; i++) {
        struct sim_fuzz_plan c = *s->plan;
        c.rule[i].off = true;
        any = take(s, &c) || any;
    }
    return any;
}

static bool drop_applications(struct shrinker *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->plan->app_count; i++) {
        struct sim_fuzz_plan c = *s->plan;
        c.app[i].off = true;
        any = take(s, &c) || any;
    }
    return any;
}

static bool drop_faults(struct shrinker *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->plan->fault_count; i++) {
        struct sim_fuzz_plan c = *s->plan;
        c.fault[i].off = true;
        any = take(s, &c) || any;
    }
    for (uint32_t i = 0; i < s->plan->trouble_count; i++) {
        struct sim_fuzz_plan c = *s->plan;
        c.trouble[i].off = true;
        any = take(s, &c) || any;
    }
    for (uint32_t i = 0; i < s->plan->attack_count; i++) {
        struct sim_fuzz_plan c = *s->plan;
        c.attack[i].off = true;
        any = take(s, &c) || any;
    }
    return any;
}

static void fault_links_off(struct sim_fuzz_plan *c, uint32_t link)
{
    for (uint32_t i = 0; i < c->fault_count; i++) {
        bool hit = c->fault[i].what < SCN_FAULT_CRASH && c->fault[i].index == link;
        c->fault[i].off = c->fault[i].off || hit;
    }
    sim_fuzz_trouble_drop(c, false, link);
    sim_fuzz_optical_drop(c, link);
}

static bool drop_links(struct shrinker *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->plan->link_count; i++) {
        struct sim_fuzz_plan c = *s->plan;
        c.link[i].off = true;
        fault_links_off(&c, i);
        any = take(s, &c) || any;
    }
    return any;
}

/* A node goes with all that ends there; controller and manager move to `heir`. */
static void node_off(struct sim_fuzz_plan *c, uint32_t node, uint32_t heir)
{
    c->node[node].off = true;
    for (uint32_t i = 0; i < c->link_count; i++) {
        if (c->link[i].a == node || c->link[i].b == node) {
            c->link[i].off = true;
            fault_links_off(c, i);
        }
    }
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].off = c->app[i].off || c->app[i].from == node || c->app[i].to == node;
    }
    for (uint32_t i = 0; i < c->fault_count; i++) {
        bool hit = c->fault[i].what >= SCN_FAULT_CRASH && c->fault[i].index == node;
        c->fault[i].off = c->fault[i].off || hit;
    }
    sim_fuzz_trouble_drop(c, true, node);
    c->controller = c->controller == node ? heir : c->controller;
    c->manager = c->manager == node ? heir : c->manager;
    bool is_gone = c->standby == node + 1 || c->standby == c->controller + 1;
    c->standby = is_gone ? 0 : c->standby;
}

static bool drop_nodes(struct shrinker *s)
{
    bool any = false;
    for (uint32_t i = s->plan->node_count; i-- > 0;) {
        uint32_t heir = 0;
        while (heir < s->plan->node_count && (s->plan->node[heir].off || heir == i)) {
            heir++;
        }
        if (heir < s->plan->node_count && !s->plan->node[i].off) {
            struct sim_fuzz_plan c = *s->plan;
            node_off(&c, i, heir);
            any = take(s, &c) || any;
        }
    }
    return any;
}

/* ---- simpler ---- */

/* Each sets one thing to what needs no explanation. */
static void no_loss(struct sim_fuzz_plan *c)
{
    c->loss_pm = 0;
}

static void no_duplicate(struct sim_fuzz_plan *c)
{
    c->duplicate_pm = 0;
}

static void no_reorder(struct sim_fuzz_plan *c)
{
    c->reorder_pm = 0;
}

static void no_clocks(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        c->node[i].offset_s = c->node[i].drift_ppm = 0;
    }
}

static void no_limits(struct sim_fuzz_plan *c)
{
    c->bandwidth_kbps = c->queue_kib = 0;
}

static void one_by_one(struct sim_fuzz_plan *c)
{
    c->batch = 1;
}

static void one_process(struct sim_fuzz_plan *c)
{
    c->two = false;
}

static void no_retention(struct sim_fuzz_plan *c)
{
    c->preserve = false;
}

static void out_of_band(struct sim_fuzz_plan *c)
{
    c->in_band = false;
}

static void long_lives(struct sim_fuzz_plan *c)
{
    c->expiry_s = 3600;
    c->fetch_within_s = 60;
    c->timer_s = 600;
}

static void rich_links(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].first_kbps = c->link[i].then_kbps;
    }
}

static void big_stores(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].store_kbit = 0;
    }
}

static void seeds(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].bits = false;
    }
}

static void one_scheme(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].relay = -1;
    }
}

static void small_requests(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].count = 1;
        c->app[i].key_bits = 256;
        c->app[i].wait = false;
    }
}

static void fewer_requests(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].tenths_per_s = c->app[i].tenths_per_s > 4 ? c->app[i].tenths_per_s / 2 : 4;
    }
}

static void no_demand(struct sim_fuzz_plan *c)
{
    c->demand.nodes = 0;
}

static void no_sessions(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].session_bps = 0;
    }
}

static void steady(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].shape = SIM_FUZZ_STEADY;
    }
}

static void no_hub(struct sim_fuzz_plan *c)
{
    c->hub = false;
}

static void default_policies(struct sim_fuzz_plan *c)
{
    c->processing_ms = c->low_mark_kbit = c->unit_bits = 0;
    c->keep_route = false;
    c->control.is_set = false;
}

static void any_rate(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].max_bps = 0;
    }
}

static void no_classes(struct sim_fuzz_plan *c)
{
    c->class_count = 0;
}

static void one_slave(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].also &= c->app[i].also - 1; /* one less */
    }
}

static void named_by_id(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].named = 0;
    }
    c->addresses = false;
}

static void no_switch(struct sim_fuzz_plan *c)
{
    c->optical.links = 0;
}

static void no_points(struct sim_fuzz_plan *c)
{
    c->points = 0;
}

static void no_forecast(struct sim_fuzz_plan *c)
{
    c->forecast_ms = 0;
}

static void one_controller(struct sim_fuzz_plan *c)
{
    c->standby = 0;
}

static void nothing_at_first(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].initial_kbit = 0;
    }
}

static void regular_blocks(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].random_blocks = false;
    }
}

static void no_noise(struct sim_fuzz_plan *c)
{
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].noise_ms = c->link[i].quiet_ms = 0;
    }
}

static void default_times(struct sim_fuzz_plan *c)
{
    c->retries = 5;
    c->retransmit_ms = 200;
    c->period_ms = 1000;
    c->validity_s = 10;
}

static void default_lease(struct sim_fuzz_plan *c)
{
    c->lease_bits = 16384;
}

/* Three quarters of the time before things settle: all instants move. */
static void sooner(struct sim_fuzz_plan *c)
{
    uint32_t cut = c->chaos_end_ms / 4;
    c->chaos_end_ms -= cut;
    c->stop_ms -= cut;
    c->end_ms -= cut;
    for (uint32_t i = 0; i < c->fault_count; i++) {
        c->fault[i].at_ms -= c->fault[i].at_ms / 4;
        c->fault[i].for_ms -= c->fault[i].for_ms / 4;
    }
    for (uint32_t i = 0; i < c->trouble_count; i++) {
        c->trouble[i].at_ms -= c->trouble[i].at_ms / 4;
        c->trouble[i].for_ms -= c->trouble[i].for_ms / 4;
    }
    for (uint32_t i = 0; i < c->attack_count; i++) {
        c->attack[i].at_ms -= c->attack[i].at_ms / 4;
        c->attack[i].for_ms -= c->attack[i].for_ms / 4;
    }
    for (uint32_t i = 0; i < c->link_count; i++) {
        c->link[i].noise_ms -= c->link[i].noise_ms / 4;
        c->link[i].quiet_ms -= c->link[i].quiet_ms / 4;
    }
    for (uint32_t i = 0; i < c->app_count; i++) {
        c->app[i].stop_ms -= c->app[i].stop_ms > c->app[i].start_ms + cut ? cut : 0;
        c->app[i].start_ms -= c->app[i].start_ms / 4;
    }
}

static bool simplify(struct shrinker *s)
{
    static void (*const steps[])(struct sim_fuzz_plan * c) = {
        no_loss,        no_duplicate,  no_reorder,     no_clocks,        no_limits,
        one_by_one,     one_process,   no_retention,   out_of_band,      long_lives,
        rich_links,     big_stores,    seeds,          one_scheme,       small_requests,
        fewer_requests, default_times, default_lease,  sooner,           no_demand,
        no_sessions,    steady,        no_hub,         default_policies, nothing_at_first,
        regular_blocks, no_noise,      one_controller, any_rate,         one_slave,
        no_classes,     named_by_id,   no_switch,      no_points,        no_forecast};
    bool any = false;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct sim_fuzz_plan c = *s->plan;
        steps[i](&c);
        any = take(s, &c) || any;
    }
    return any;
}

uint32_t sim_fuzz_shrink(struct sim_fuzz_plan *plan, const struct sim_fuzz_shrink *shrink)
{
    struct shrinker s = {.plan = plan, .how = shrink};
    bool again = true;
    while (again && !s.over) {
        again = drop_faults(&s);
        again = drop_nodes(&s) || again;
        again = drop_applications(&s) || again;
        again = drop_links(&s) || again;
        again = drop_rules(&s) || again;
        again = simplify(&s) || again;
    }
    return s.tried;
}
