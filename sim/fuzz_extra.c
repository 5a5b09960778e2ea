/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What else a plan may have. It is drawn from a stream of chance of its own and put over a plan that is
 * otherwise complete, so that a seed means what it always meant but for what is added here. Faults
 * stay within chaos_end_ms; what asks for more key makes links give more. */
#include "core/base/rng.h"
#include "core/wire/frame.h"
#include "sim/fuzz_plan.h"

enum {
    DENSITY = 3, /* of DICE: a feature is rarely on, often none is */
    DICE = 12,
    BURST = 3,              /* sessions at once, over their mean number */
    RANDOM_BLOCKS_MS = 150, /* mean time between blocks that come at random */
    RANDOM_MORE_MS = 1200   /* longer recovery with them: sim/fuzz_live.c */
};

struct extra {
    struct sim_fuzz_plan *plan;
    struct qkd_rng rng;
};

/* Uniform in [low, high]. */
static uint32_t between(struct extra *m, uint32_t low, uint32_t high)
{
    return low + (uint32_t)qkd_rng_below(&m->rng, (uint64_t)high - low + 1);
}

static bool one_in(struct extra *m, uint32_t n)
{
    return qkd_rng_below(&m->rng, n) == 0;
}

static bool has(const struct extra *m, enum sim_fuzz_feature feature)
{
    return sim_fuzz_set_has(m->plan->features, feature);
}

/* All links can give so much more, and the margin on top. */
static void richer(struct sim_fuzz_plan *p, uint64_t bps)
{
    uint32_t kbps = (uint32_t)(SIM_FUZZ_MARGIN * bps / 1000 + 1);
    for (uint32_t i = 0; i < p->link_count; i++) {
        bool steady = p->link[i].first_kbps == p->link[i].then_kbps;
        p->link[i].then_kbps += kbps;
        p->link[i].first_kbps += steady ? kbps : 0;
    }
}

static void access_rules(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    p->rule_count = between(m, 1, SIM_FUZZ_RULES);
    for (uint32_t i = 0; i < p->rule_count; i++) {
        uint32_t of = between(m, SIM_FUZZ_OF_APP, SIM_FUZZ_OF_SLAVE);
        p->rule[i].of = of;
        p->rule[i].allow = i + 1 < p->rule_count && one_in(m, 2); /* an exception to what follows */
        p->rule[i].index = between(m, 0,
                                   (of == SIM_FUZZ_OF_APP ? p->app_count : p->node_count) - 1);
    }
}

static void demands(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    p->demand.nodes = between(m, 2, p->node_count < 4 ? p->node_count : 4);
    p->demand.key_bits = 64 * between(m, 1, 8);
    p->demand.hundredths_per_s = between(m, 10, 60);
    p->demand.timeout_s = between(m, 2, 3);
    p->demand.poisson = one_in(m, 2);
    uint32_t pairs = p->demand.nodes * (p->demand.nodes - 1) / 2;
    richer(p, wire_relay_cost_bits(p->demand.key_bits, 1, p->batch) * pairs *
                  p->demand.hundredths_per_s / 100);
}

/* Some applications; none of them asks more often than before. */
static void shapes(struct extra *m, uint32_t shape)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t i = 0; i < p->app_count; i++) {
        if (one_in(m, 2)) {
            p->app[i].shape = shape;
            p->app[i].on_ms = between(m, 200, 1000);
            p->app[i].off_ms = between(m, 200, 1500);
            p->app[i].day_ms = between(m, 2000, 6000);
            p->app[i].fixed_periods = one_in(m, 2);
        }
    }
}

/* One or two pairs open sessions instead of asking; the first pair never does. */
static void sessions(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t n = p->app_count > 1 ? between(m, 1, 2) : 0; n > 0; n--) {
        uint32_t i = between(m, 1, p->app_count - 1);
        uint32_t bits = p->app[i].key_bits * p->app[i].count;
        if (p->app[i].session_bps > 0 || p->app[i].shape != SIM_FUZZ_STEADY) {
            continue;
        }
        uint32_t requests_per_s = between(m, 1, 3);
        p->app[i].tenths_per_s = between(m, 3, 8);
        p->app[i].stop_ms = p->stop_ms;
        p->app[i].session_bps = bits * requests_per_s;
        p->app[i].hold_ms = between(m, 500, 3000);
        p->app[i].session_timeout_s = between(m, 1, 6);
        p->app[i].fixed_hold = one_in(m, 2);
        p->app[i].without_keys = one_in(m, 4);
        uint64_t cost = wire_relay_cost_bits(p->app[i].key_bits, p->app[i].count, p->batch);
        richer(p,
               BURST * cost * requests_per_s * p->app[i].tenths_per_s * p->app[i].hold_ms / 10000);
    }
}

static void random_blocks(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t i = 0; i < p->link_count; i++) {
        uint32_t kbit = p->link[i].then_kbps * RANDOM_BLOCKS_MS / 1000;
        p->link[i].random_blocks = one_in(m, 2);
        bool shorter = p->link[i].random_blocks && p->link[i].block_kbit > kbit;
        p->link[i].block_kbit = shorter ? kbit : p->link[i].block_kbit;
    }
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].stop_ms += p->app[i].stop_ms == p->stop_ms ? RANDOM_MORE_MS : 0;
    }
    p->stop_ms += RANDOM_MORE_MS;
    p->end_ms += RANDOM_MORE_MS;
}

static void initial(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t i = 0; i < p->link_count; i++) {
        uint32_t most = p->link[i].store_kbit > 0 ? p->link[i].store_kbit / 4
                                                  : 2 * p->link[i].block_kbit;
        p->link[i].initial_kbit = most > 4 && one_in(m, 2) ? between(m, 4, most) : 0;
    }
}

static void noise(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t i = 0; i < p->link_count; i++) {
        if (one_in(m, 2)) {
            p->link[i].noise_ms = between(m, 1, p->chaos_end_ms - 200);
            p->link[i].quiet_ms = between(m, p->link[i].noise_ms + 1, p->chaos_end_ms - 1);
        }
    }
}

static void low_mark(struct extra *m)
{
    struct sim_fuzz_plan *p = m->plan;
    uint32_t least = p->link[0].block_kbit;
    for (uint32_t i = 1; i < p->link_count; i++) {
        least = p->link[i].block_kbit < least ? p->link[i].block_kbit : least;
    }
    p->low_mark_kbit = between(m, 1, least / 4 + 1);
}

static void policies(struct extra *m)
{
    static const uint32_t units[] = {64, 128, 192, 512, 1024};
    struct sim_fuzz_plan *p = m->plan;
    p->hub = has(m, SIM_FUZZ_HUB);
    p->keep_route = has(m, SIM_FUZZ_KEEP_ROUTE);
    p->processing_ms = has(m, SIM_FUZZ_PROCESSING) ? between(m, 1, 8) : 0;
    p->unit_bits = has(m, SIM_FUZZ_UNIT) ? units[between(m, 0, 4)] : 0;
    if (has(m, SIM_FUZZ_SLOW) && one_in(m, 2)) { /* such runs are judged for safety only */
        p->bandwidth_kbps = between(m, 200, 4999);
        p->queue_kib = between(m, 32, 128);
    }
}

void sim_fuzz_plan_extra(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    static const struct {
        enum sim_fuzz_feature feature;
        void (*add)(struct extra *m);
    } parts[] = {{SIM_FUZZ_ACCESS, access_rules}, {SIM_FUZZ_DEMANDS, demands},
                 {SIM_FUZZ_SESSIONS, sessions},   {SIM_FUZZ_RANDOM_BLOCKS, random_blocks},
                 {SIM_FUZZ_INITIAL, initial},     {SIM_FUZZ_NOISE, noise},
                 {SIM_FUZZ_LOW_MARK, low_mark}};
    struct extra m = {.plan = plan};
    qkd_rng_init_named(&m.rng, plan->seed, "fuzz extra", 0);
    uint32_t density = between(&m, 0, DENSITY);
    for (uint32_t f = SIM_FUZZ_EXTRA; f < SIM_FUZZ_RELAY; f++) {
        bool on = between(&m, 1, DICE) <= density && sim_fuzz_set_has(allowed, f);
        sim_fuzz_set_add(&plan->features, f, on);
    }
    policies(&m);
    if (has(&m, SIM_FUZZ_ON_OFF)) {
        shapes(&m, SIM_FUZZ_BY_BURSTS);
    }
    if (has(&m, SIM_FUZZ_DIURNAL)) {
        shapes(&m, SIM_FUZZ_BY_DAY);
    }
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        if (has(&m, parts[k].feature)) {
            parts[k].add(&m);
        }
    }
    qkd_rng_fini(&m.rng);
}
