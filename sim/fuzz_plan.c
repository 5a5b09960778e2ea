/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a seed, a plan: which features, which network, which load, which faults. Things fail until
 * chaos_end_ms (what waits for an output may strike later); after it there is key and time for all
 * that is asked, so that liveness can be judged (sim/fuzz_live.c). */
#include <string.h>

#include "core/base/rng.h"
#include "core/wire/frame.h"
#include "sim/fuzz_plan.h"

enum {
    CHAOS_LEAST_MS = 4000,
    CHAOS_MOST_MS = 11000,
    PROBE_MS = 3000,  /* requests are judged for so long */
    SETTLE_MS = 2500, /* after the last request's time-out, for the last status reports */
    FIRST_BLOCK_MS = 700,
    BRIEF_MS = 400,
    DARK_MS = 1500,
    NARROWEST_KBPS = 5000 /* reports in-band must not hold up answers for a retransmission time */
};

struct maker {
    struct sim_fuzz_plan *plan;
    struct qkd_rng rng;
};

static const char *const names[SIM_FUZZ_FEATURES] = {
    [SIM_FUZZ_CLOCKS] = "clocks",
    [SIM_FUZZ_IN_BAND] = "in-band",
    [SIM_FUZZ_LOSS] = "loss",
    [SIM_FUZZ_DUPLICATE] = "duplicate",
    [SIM_FUZZ_REORDER] = "reorder",
    [SIM_FUZZ_NARROW] = "narrow",
    [SIM_FUZZ_LINK_FAULT] = "link-fault",
    [SIM_FUZZ_DARK] = "dark",
    [SIM_FUZZ_CRASH] = "crash",
    [SIM_FUZZ_OUTPUT] = "output-crash",
    [SIM_FUZZ_TORN] = "torn-commit",
    [SIM_FUZZ_DOWN] = "down",
    [SIM_FUZZ_DISK] = "disk-full",
    [SIM_FUZZ_SCARCE] = "scarce",
    [SIM_FUZZ_TIDE] = "tide",
    [SIM_FUZZ_STORE] = "small-store",
    [SIM_FUZZ_EXPIRY] = "expiry",
    [SIM_FUZZ_TIMERS] = "timers",
    [SIM_FUZZ_TRIES] = "few-tries",
    [SIM_FUZZ_LEASE] = "short-lease",
    [SIM_FUZZ_BATCH] = "batch",
    [SIM_FUZZ_TWO] = "two-processes",
    [SIM_FUZZ_PRESERVE] = "preserve",
    [SIM_FUZZ_BITS] = "key-bits",
    [SIM_FUZZ_OPPOSITE] = "opposite",
    [SIM_FUZZ_MANY] = "many-keys",
    [SIM_FUZZ_BURSTS] = "bursts",
    [SIM_FUZZ_PATIENT] = "patient",
    [SIM_FUZZ_ACCESS] = "access",
    [SIM_FUZZ_DEMANDS] = "demands",
    [SIM_FUZZ_HUB] = "hub",
    [SIM_FUZZ_ON_OFF] = "on-off",
    [SIM_FUZZ_DIURNAL] = "diurnal",
    [SIM_FUZZ_PROCESSING] = "processing",
    [SIM_FUZZ_LOW_MARK] = "low-mark",
    [SIM_FUZZ_KEEP_ROUTE] = "keep-route",
    [SIM_FUZZ_INITIAL] = "initial",
    [SIM_FUZZ_UNIT] = "unit",
    [SIM_FUZZ_RANDOM_BLOCKS] = "random-blocks",
    [SIM_FUZZ_SLOW] = "slow",
    [SIM_FUZZ_SESSIONS] = "sessions",
    [SIM_FUZZ_NOISE] = "noise",
    [SIM_FUZZ_RELAY] = "relay",
    [SIM_FUZZ_CONTROL] = "control",
    [SIM_FUZZ_DEGRADED] = "degraded",
    [SIM_FUZZ_MODULE] = "module",
    [SIM_FUZZ_IMPAIRED] = "impaired",
    [SIM_FUZZ_ELEMENT] = "element",
    [SIM_FUZZ_PARTITION] = "partition",
    [SIM_FUZZ_STORE_LOST] = "store-lost",
    [SIM_FUZZ_GROUP] = "group",
    [SIM_FUZZ_RANDOM] = "random",
    [SIM_FUZZ_POOR] = "poor",
    [SIM_FUZZ_FALLBACK] = "fallback",
    [SIM_FUZZ_STANDBY] = "standby",
    [SIM_FUZZ_POOLED] = "pooled",
    [SIM_FUZZ_MAX_RATE] = "max-rate",
    [SIM_FUZZ_CLASSES] = "classes",
    [SIM_FUZZ_SWAY] = "sway",
    [SIM_FUZZ_PIECES] = "pieces",
    [SIM_FUZZ_AGED] = "aged",
    [SIM_FUZZ_MULTICAST] = "multicast",
    [SIM_FUZZ_ADDRESS] = "address",
    [SIM_FUZZ_SWITCH] = "switch",
    [SIM_FUZZ_POINT] = "relay-point",
    [SIM_FUZZ_FORECAST] = "forecast",
    [SIM_FUZZ_MAINTENANCE] = "maintenance",
    [SIM_FUZZ_ATTACK] = "attack",
};

const char *sim_fuzz_feature_name(enum sim_fuzz_feature feature)
{
    return names[feature];
}

bool sim_fuzz_set_has(struct sim_fuzz_set set, enum sim_fuzz_feature feature)
{
    return (set.word[feature / 64] >> feature % 64 & 1) != 0;
}

void sim_fuzz_set_add(struct sim_fuzz_set *set, enum sim_fuzz_feature feature, bool on)
{
    set->word[feature / 64] |= (uint64_t)on << feature % 64;
}

static bool has(const struct maker *m, enum sim_fuzz_feature feature)
{
    return sim_fuzz_set_has(m->plan->features, feature);
}

uint32_t sim_fuzz_between(struct qkd_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)qkd_rng_below(rng, (uint64_t)high - low + 1);
}

void sim_fuzz_longer(struct sim_fuzz_plan *plan, uint32_t ms)
{
    for (uint32_t i = 0; i < plan->app_count; i++) {
        plan->app[i].stop_ms += plan->app[i].stop_ms == plan->stop_ms ? ms : 0;
    }
    plan->stop_ms += ms;
    plan->end_ms += ms;
}

static uint32_t between(struct maker *m, uint32_t low, uint32_t high)
{
    return sim_fuzz_between(&m->rng, low, high);
}

static bool one_in(struct maker *m, uint32_t n)
{
    return qkd_rng_below(&m->rng, n) == 0;
}

/* ---- network ---- */

static void join(struct maker *m, uint32_t a, uint32_t b)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t i = 0; i < p->link_count; i++) {
        if ((p->link[i].a == a && p->link[i].b == b) || (p->link[i].a == b && p->link[i].b == a)) {
            return;
        }
    }
    if (p->link_count < SIM_FUZZ_LINKS && a != b) {
        bool swap = one_in(m, 2);
        p->link[p->link_count].a = swap ? b : a;
        p->link[p->link_count].b = swap ? a : b;
        p->link_count++;
    }
}

/* A line, a ring, a tree, or a mesh (a tree with chords); small ones more often. */
static void topology(struct maker *m)
{
    struct sim_fuzz_plan *p = m->plan;
    uint32_t first = between(m, 2, SIM_FUZZ_NODES);
    uint32_t second = between(m, 2, SIM_FUZZ_NODES);
    p->node_count = first < second ? first : second;
    uint32_t shape = between(m, 0, 3);
    for (uint32_t i = 1; i < p->node_count; i++) {
        join(m, shape >= 2 ? (uint32_t)qkd_rng_below(&m->rng, i) : i - 1, i);
    }
    if (shape == 1 && p->node_count > 2) {
        join(m, p->node_count - 1, 0);
    }
    for (uint32_t chords = shape == 3 ? between(m, 1, 5) : 0; chords > 0; chords--) {
        join(m, between(m, 0, p->node_count - 1), between(m, 0, p->node_count - 1));
    }
    for (uint32_t i = 0; i < p->node_count && has(m, SIM_FUZZ_CLOCKS); i++) {
        int32_t most_s = one_in(m, 4) ? 86400 : 10;
        p->node[i].offset_s = (int32_t)between(m, 0, 2 * (uint32_t)most_s) - most_s;
        p->node[i].drift_ppm = (int32_t)between(m, 0, 400) - 200;
    }
}

static void classical(struct maker *m)
{
    struct sim_fuzz_plan *p = m->plan;
    bool harsh = one_in(m, 3);
    uint32_t most_pm = harsh ? 150 : 30;
    p->in_band = has(m, SIM_FUZZ_IN_BAND);
    p->loss_pm = has(m, SIM_FUZZ_LOSS) ? between(m, 1, most_pm) : 0;
    p->duplicate_pm = has(m, SIM_FUZZ_DUPLICATE) ? between(m, 1, 2 * most_pm) : 0;
    p->reorder_pm = has(m, SIM_FUZZ_REORDER) ? between(m, 1, 2 * most_pm) : 0;
    p->jitter_ms = has(m, SIM_FUZZ_REORDER) ? between(m, 1, one_in(m, 3) ? 1000 : 50) : 0;
    if (has(m, SIM_FUZZ_NARROW)) {
        p->bandwidth_kbps = between(m, NARROWEST_KBPS, 20000);
        p->queue_kib = between(m, 32, 128);
    }
}

static void policy(struct maker *m)
{
    static const uint32_t leases[] = {2048, 4096, 16384};
    struct sim_fuzz_plan *p = m->plan;
    p->two = has(m, SIM_FUZZ_TWO);
    p->preserve = has(m, SIM_FUZZ_PRESERVE);
    p->widest = one_in(m, 2);
    p->batch = has(m, SIM_FUZZ_BATCH) ? between(m, 2, 16) : 1;
    p->lease_bits = has(m, SIM_FUZZ_LEASE) ? 1024 : leases[between(m, 0, 2)];
    bool few = has(m, SIM_FUZZ_TRIES) && !has(m, SIM_FUZZ_NARROW); /* queues drop, too */
    p->retries = few ? between(m, 0, 3) : between(m, 5, 8);
    p->retransmit_ms = between(m, 50, 200);
    p->bootstrap_kbit = few ? 16 : 4; /* each try takes a tag until the first block is confirmed */
    p->expiry_s = has(m, SIM_FUZZ_EXPIRY) ? between(m, 3, 12) : 3600;
    p->fetch_within_s = has(m, SIM_FUZZ_TIMERS) ? between(m, 2, 10) : 60;
    p->timer_s = has(m, SIM_FUZZ_TIMERS) ? between(m, 3, 20) : 600;
    p->validity_s = one_in(m, 4) ? 0 : between(m, 1, 10);
    p->period_ms = between(m, 400, 1000);
    p->controller = between(m, 0, p->node_count - 1);
    p->manager = between(m, 0, p->node_count - 1);
}

/* ---- load ---- */

static uint64_t cost_bits(const struct sim_fuzz_plan *p, uint32_t app)
{
    return wire_relay_cost_bits(p->app[app].key_bits, p->app[app].count, p->batch);
}

static void application(struct maker *m, uint32_t from, uint32_t to)
{
    struct sim_fuzz_plan *p = m->plan;
    if (p->app_count == SIM_FUZZ_APPS) {
        return;
    }
    uint32_t i = p->app_count++;
    bool burst = has(m, SIM_FUZZ_BURSTS) && one_in(m, 2);
    p->app[i].from = from;
    p->app[i].to = to;
    p->app[i].key_bits = has(m, SIM_FUZZ_MANY) ? 64 * between(m, 1, 24) : 64 * between(m, 1, 8);
    p->app[i].count = has(m, SIM_FUZZ_MANY) ? between(m, 1, 8) : between(m, 1, 2);
    p->app[i].poisson = one_in(m, 2);
    p->app[i].tenths_per_s = burst ? between(m, 50, 200) : between(m, 8, 30);
    p->app[i].level = (enum scn_level)between(m, SCN_LEVEL_ANY, SCN_LEVEL_OTP_ONLY);
    p->app[i].timeout_s = between(m, 2, 5);
    p->app[i].wait = has(m, SIM_FUZZ_PATIENT) && one_in(m, 2);
    p->app[i].start_ms = between(m, 0, 2500);
    p->app[i].stop_ms = burst ? p->app[i].start_ms + between(m, 200, 3000) : p->stop_ms;
}

/* At least one pair asks until the end. */
static void load(struct maker *m)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t n = between(m, 1, 5); n > 0; n--) {
        uint32_t from = between(m, 0, p->node_count - 1);
        uint32_t to = (from + between(m, 1, p->node_count - 1)) % p->node_count;
        application(m, from, to);
        if (has(m, SIM_FUZZ_OPPOSITE) && one_in(m, 2)) {
            application(m, to, from);
        }
    }
    for (uint32_t n = has(m, SIM_FUZZ_TIDE) ? between(m, 1, 2) : 0; n > 0; n--) {
        uint32_t link = between(m, 0, p->link_count - 1);
        uint32_t before = p->app_count;
        application(m, p->link[link].a, p->link[link].b);
        if (p->app_count > before) {
            p->app[before].key_bits = 256;
            p->app[before].count = 1;
            p->app[before].tenths_per_s = between(m, 80, 250);
            p->app[before].stop_ms = p->chaos_end_ms;
        }
    }
    if (p->app[0].stop_ms < p->stop_ms) {
        p->app[0].tenths_per_s = between(m, 8, 30);
        p->app[0].stop_ms = p->stop_ms;
    }
}

/* ---- key ---- */

/* Key that all pairs together ask for once the bursts are over, in kbit/s, and the dearest request. */
static uint32_t demand_kbps(const struct sim_fuzz_plan *p, uint64_t *dearest_bits)
{
    uint64_t sum = 0;
    *dearest_bits = 0;
    for (uint32_t i = 0; i < p->app_count; i++) {
        uint64_t bits = cost_bits(p, i);
        *dearest_bits = bits > *dearest_bits ? bits : *dearest_bits;
        sum += p->app[i].stop_ms == p->stop_ms ? bits * p->app[i].tenths_per_s : 0;
    }
    return (uint32_t)(sum / 10 / 1000);
}

/* As much key as one direction of a link takes, in small blocks, so that both ends always lack it and
 * GRANTs go to and fro; after a while as much as is asked for. */
static void tide(struct maker *m, uint32_t link, uint32_t need_kbps, uint32_t dearest_kbit)
{
    struct sim_fuzz_plan *p = m->plan;
    uint32_t least_kbit = 3 * dearest_kbit;
    p->link[link].then_kbps = SIM_FUZZ_MARGIN * need_kbps + between(m, 20, 60);
    p->link[link].first_kbps = between(m, 6, 30);
    p->link[link].block_kbit = least_kbit + between(m, 4, 10);
}

static void keys(struct maker *m)
{
    struct sim_fuzz_plan *p = m->plan;
    uint64_t dearest_bits;
    uint32_t need_kbps = demand_kbps(p, &dearest_bits) + 1;
    uint32_t dearest_kbit = (uint32_t)(dearest_bits / 1000) + 1;
    for (uint32_t i = 0; i < p->link_count; i++) {
        bool scarce = has(m, SIM_FUZZ_SCARCE) && !one_in(m, 4);
        uint32_t then_kbps = SIM_FUZZ_MARGIN * need_kbps + between(m, 200, 600);
        p->link[i].km = between(m, 1, 100);
        p->link[i].then_kbps = then_kbps;
        p->link[i].first_kbps = scarce ? between(m, 2, 40) : then_kbps;
        p->link[i].block_kbit = then_kbps * between(m, 2, 10) / 20; /* 0.1 to 0.5 s of key */
        if (has(m, SIM_FUZZ_TIDE)) {
            tide(m, i, need_kbps, dearest_kbit);
        }
        p->link[i].bits = has(m, SIM_FUZZ_BITS) && one_in(m, 2);
        if (has(m, SIM_FUZZ_STORE) && one_in(m, 2)) {
            uint32_t least = 4 * p->link[i].block_kbit + 8 * dearest_kbit;
            p->link[i].store_kbit = least + between(m, 0, 200);
        }
    }
}

/* ---- faults ---- */

/* Whether the network stays connected without link `without`. */
static bool connected(const struct sim_fuzz_plan *p, uint32_t without)
{
    uint32_t reached = 1;
    for (uint32_t round = 0; round < p->node_count; round++) {
        for (uint32_t i = 0; i < p->link_count; i++) {
            uint32_t both = (1U << p->link[i].a) | (1U << p->link[i].b);
            reached |= i != without && (reached & both) != 0 ? both : 0;
        }
    }
    return reached == (1U << p->node_count) - 1;
}

static void fault(struct maker *m, enum scn_fault_what what, uint32_t index, uint32_t most_ms)
{
    struct sim_fuzz_plan *p = m->plan;
    if (p->fault_count == SIM_FUZZ_FAULTS) {
        return;
    }
    uint32_t i = p->fault_count++;
    uint32_t latest = p->chaos_end_ms - 50;
    p->fault[i].what = what;
    p->fault[i].index = index;
    p->fault[i].at_ms = between(m, 0, one_in(m, 4) ? 1000 : latest);
    uint32_t left = p->chaos_end_ms - p->fault[i].at_ms;
    p->fault[i].for_ms = between(m, 1, left < most_ms ? left : most_ms);
}

static void node_fault(struct maker *m, enum scn_fault_what what)
{
    struct sim_fuzz_plan *p = m->plan;
    uint32_t before = p->fault_count;
    bool brief = what == SCN_FAULT_DISK_FULL; /* longer than a status period is no liveness */
    fault(m, what, between(m, 0, p->node_count - 1), brief || one_in(m, 2) ? BRIEF_MS : 5000);
    if (p->fault_count == before) {
        return;
    }
    if (what == SCN_FAULT_TORN) {
        p->fault[before].output = between(m, 1, one_in(m, 2) ? 5 : 60);
    }
}

static void output_crash(struct maker *m)
{
    struct sim_fuzz_plan *p = m->plan;
    uint32_t before = p->fault_count;
    node_fault(m, SCN_FAULT_CRASH);
    if (p->fault_count > before) {
        p->fault[before].output = between(m, 1, one_in(m, 2) ? 20 : 300);
    }
}

static void link_fault(struct maker *m)
{
    static const enum scn_fault_what whats[] = {SCN_FAULT_BOTH, SCN_FAULT_QUANTUM,
                                                SCN_FAULT_CLASSICAL};
    fault(m, whats[between(m, 0, 2)], between(m, 0, m->plan->link_count - 1),
          one_in(m, 2) ? 500 : 6000);
}

/* A link that others can replace loses its light for good. */
static void dark_link(struct maker *m)
{
    struct sim_fuzz_plan *p = m->plan;
    uint32_t link = between(m, 0, p->link_count - 1);
    uint32_t before = p->fault_count;
    if (connected(p, link)) {
        fault(m, SCN_FAULT_QUANTUM, link, 1);
        if (p->fault_count > before) {
            p->fault[before].for_ms = 0; /* and soon, so that little is stored */
            p->fault[before].at_ms = between(m, 0, DARK_MS);
        }
    }
}

static void faults(struct maker *m)
{
    static const struct {
        enum sim_fuzz_feature feature;
        enum scn_fault_what what;
    } nodes[] = {{SIM_FUZZ_CRASH, SCN_FAULT_CRASH},
                 {SIM_FUZZ_TORN, SCN_FAULT_TORN},
                 {SIM_FUZZ_DOWN, SCN_FAULT_DOWN},
                 {SIM_FUZZ_DISK, SCN_FAULT_DISK_FULL}};
    if (has(m, SIM_FUZZ_DARK)) {
        dark_link(m);
    }
    for (uint32_t n = has(m, SIM_FUZZ_OUTPUT) ? between(m, 1, 3) : 0; n > 0; n--) {
        output_crash(m);
    }
    for (size_t k = 0; k < sizeof nodes / sizeof nodes[0]; k++) {
        for (uint32_t n = has(m, nodes[k].feature) ? between(m, 1, 2) : 0; n > 0; n--) {
            node_fault(m, nodes[k].what);
        }
    }
    for (uint32_t n = has(m, SIM_FUZZ_LINK_FAULT) ? between(m, 1, 3) : 0; n > 0; n--) {
        link_fault(m);
    }
}

/* ---- all of it ---- */

static uint32_t longest_timeout_ms(const struct sim_fuzz_plan *p)
{
    uint32_t most_s = 0;
    for (uint32_t i = 0; i < p->app_count; i++) {
        most_s = p->app[i].timeout_s > most_s ? p->app[i].timeout_s : most_s;
    }
    return 1000 * most_s;
}

void sim_fuzz_plan_make(struct sim_fuzz_plan *plan, uint64_t seed)
{
    sim_fuzz_plan_limited(plan, seed, SIM_FUZZ_ALL);
}

void sim_fuzz_plan_limited(struct sim_fuzz_plan *plan, uint64_t seed, struct sim_fuzz_set allowed)
{
    struct maker m = {.plan = plan};
    *plan = (struct sim_fuzz_plan){.seed = seed};
    qkd_rng_init_named(&m.rng, seed, "fuzz", 0);
    /* A subset of random density: few features now and then, so that none hides another. */
    uint32_t density = between(&m, 1, 4);
    for (uint32_t f = 0; f < SIM_FUZZ_EXTRA; f++) {
        bool on = between(&m, 1, 6) <= density;
        sim_fuzz_set_add(&plan->features, f, on && sim_fuzz_set_has(allowed, f));
    }
    plan->chaos_end_ms = between(&m, CHAOS_LEAST_MS, CHAOS_MOST_MS);
    topology(&m);
    classical(&m);
    policy(&m);
    /* as long as sim_fuzz_recovery_ns() says, and half a second for what strikes late */
    uint32_t recovery_ms = 4 * plan->period_ms + 16 * plan->retransmit_ms + 1500;
    plan->stop_ms = plan->chaos_end_ms + recovery_ms + FIRST_BLOCK_MS + PROBE_MS;
    load(&m);
    plan->end_ms = plan->stop_ms + longest_timeout_ms(plan) + SETTLE_MS;
    keys(&m);
    faults(&m);
    qkd_rng_fini(&m.rng);
    sim_fuzz_plan_extra(plan, allowed);
    sim_fuzz_plan_relay(plan, allowed);
    sim_fuzz_plan_control(plan, allowed);
    sim_fuzz_plan_trouble(plan, allowed);
    sim_fuzz_plan_sway(plan, allowed);
    sim_fuzz_plan_poor(plan, allowed);
    sim_fuzz_plan_fallback(plan, allowed);
    sim_fuzz_plan_standby(plan, allowed);
    sim_fuzz_plan_ahead(plan, allowed);
    sim_fuzz_plan_max_rate(plan, allowed);
    sim_fuzz_plan_multicast(plan, allowed);
    sim_fuzz_plan_classes(plan, allowed);
    sim_fuzz_plan_address(plan, allowed);
    sim_fuzz_plan_optical(plan, allowed);
    sim_fuzz_plan_attack(plan, allowed);
}
