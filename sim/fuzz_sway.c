/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways of making trouble with what a link has in store, each rare by chance alone: key that goes to and
 * fro between the ends by GRANTs of which many are lost (sway), or come seconds later over channels of a few
 * frames per second (jam, of the same feature); stores full of pieces that are almost as long as a frame
 * (pieces); small stores whose key expires soon while it is asked for steadily (aged), or is lost at one end
 * (lost, of the feature store-lost). Drawn from a stream of chance of their own, after all else but one, so
 * that a seed without them means what it meant before. */
#include "core/base/rng.h"
#include "core/wire/frame.h"
#include "sim/fuzz_plan.h"

enum {
    DICE = 24, /* of its faces: */
    SWAY = 6,
    PIECES = 3,
    AGED = 2,
    JAM = 1,
    LOST = 2,
    SCARCE_KBPS = 24,
    STEADY_KBPS = 400,
    SWAY_MORE_MS = 3200,   /* 16 longer retransmission times, and late frames */
    MOST_TENTHS = 40,      /* requests of all: a store must hold those of a status period */
    PIECES_MORE_MS = 3000, /* there are few of them */
    LOST_MORE_MS = 2000,
    JAM_MORE_MS = 20000, /* for queues to fill */
    AGED_MORE_MS = 4000  /* until the stores are too old again */
};

/* Neighbours ask by turns, in bursts that take more than one end owns. */
static uint32_t turns(struct sim_fuzz_plan *p, struct qkd_rng *rng, uint32_t most_ms)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < p->app_count; i++) {
        uint32_t link = i / 2 % p->link_count;
        bool back = i % 2 == 1;
        p->app[i].from = back ? p->link[link].b : p->link[link].a;
        p->app[i].to = back ? p->link[link].a : p->link[link].b;
        p->app[i].key_bits = 256;
        p->app[i].count = 1;
        p->app[i].poisson = true;
        p->app[i].session_bps = 0;
        p->app[i].tenths_per_s = sim_fuzz_between(rng, 60, 150);
        sum += p->app[i].tenths_per_s;
        p->app[i].shape = SIM_FUZZ_BY_BURSTS;
        p->app[i].on_ms = p->app[i].off_ms = sim_fuzz_between(rng, 200, most_ms);
    }
    return sum;
}

/* No fault, but what channels do. */
static void nothing_fails(struct sim_fuzz_plan *p)
{
    p->fault_count = p->trouble_count = 0;
}

/* Nothing but short crashes: with each, much is said at once of what is void, and some of it is lost or
 * overtaken. */
static void restarts(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    nothing_fails(p);
    p->loss_pm = sim_fuzz_between(rng, 350, 450);
    p->reorder_pm = sim_fuzz_between(rng, 200, 400);
    p->fault_count = SIM_FUZZ_FAULTS;
    for (uint32_t i = 0; i < SIM_FUZZ_FAULTS; i++) {
        p->fault[i].off = false;
        p->fault[i].what = SCN_FAULT_CRASH;
        p->fault[i].at_ms = sim_fuzz_between(rng, p->chaos_end_ms / 4, p->chaos_end_ms - 100);
        p->fault[i].for_ms = sim_fuzz_between(rng, 20, 90);
        p->fault[i].index = sim_fuzz_between(rng, 0, p->node_count - 1);
        p->fault[i].output = 0;
    }
}

/* Frames are lost, and either given up at once, with small blocks that are granted whole; or sent again
 * later than the next ones, with blocks of which one GRANT after the other is cut. */
static void sway(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    bool cuts = qkd_rng_below(rng, 2) == 0;
    sim_fuzz_longer(p, cuts ? SWAY_MORE_MS : 0);
    p->loss_pm = cuts ? sim_fuzz_between(rng, 100, 300) : sim_fuzz_between(rng, 200, 350);
    p->retries = cuts ? sim_fuzz_between(rng, 5, 8) : 0;
    p->retransmit_ms = cuts ? sim_fuzz_between(rng, 150, 200) : sim_fuzz_between(rng, 50, 80);
    p->reorder_pm = cuts ? sim_fuzz_between(rng, 50, 400) : p->reorder_pm;
    p->jitter_ms = cuts ? sim_fuzz_between(rng, 200, 800) : p->jitter_ms;
    p->period_ms = cuts ? sim_fuzz_between(rng, 400, 500) : sim_fuzz_between(rng, 200, 300);
    p->bootstrap_kbit = 16;
    if (cuts && qkd_rng_below(rng, 2) == 0) {
        restarts(p, rng);
    }
    uint32_t sum = turns(p, rng, cuts ? 900 : 500);
    for (uint32_t i = 0; i < p->link_count; i++) {
        uint64_t need_kbps = wire_relay_cost_bits(256, 1, 1) * sum / 10 / 1000 + 1;
        p->link[i].then_kbps = SIM_FUZZ_MARGIN * (uint32_t)need_kbps;
        p->link[i].first_kbps = cuts ? sim_fuzz_between(rng, SCARCE_KBPS, 2 * SCARCE_KBPS)
                                     : sim_fuzz_between(rng, SCARCE_KBPS / 3, SCARCE_KBPS);
        p->link[i].block_kbit = cuts ? sim_fuzz_between(rng, 20, 40) : sim_fuzz_between(rng, 5, 12);
        p->link[i].store_kbit = 0;
        p->link[i].initial_kbit = 0;
    }
}

/* So much key, steadily, that no request may find too little by chance. */
static uint32_t plenty_kbps(const struct sim_fuzz_plan *p)
{
    uint64_t bps = 0;
    for (uint32_t i = 0; i < p->app_count; i++) {
        bps += wire_relay_cost_bits(p->app[i].key_bits, p->app[i].count, p->batch) *
               p->app[i].tenths_per_s / 10;
    }
    return 3 * SIM_FUZZ_MARGIN * ((uint32_t)(bps / 1000) + 1);
}

/* A module is gone for about a block: the other end's waits in its store for a match. */
static void module_winks(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    if (p->trouble_count < SIM_FUZZ_TROUBLES) {
        uint32_t i = p->trouble_count++;
        p->trouble[i].kind = SIM_FUZZ_MODULE;
        p->trouble[i].at_ms = sim_fuzz_between(rng, 1, p->chaos_end_ms - 200);
        p->trouble[i].for_ms = sim_fuzz_between(rng, 20, 120);
        p->trouble[i].index = sim_fuzz_between(rng, 0, p->link_count - 1);
        p->trouble[i].x = sim_fuzz_between(rng, 0, 99); /* which end: fuzz_trouble.c */
    }
}

/* Half a block is a frame and most of another one; a store holds few blocks. */
static void pieces(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    uint32_t key_bits = 64 * sim_fuzz_between(rng, 40, 64);
    uint64_t cost = wire_relay_cost_bits(key_bits, 1, 1);
    sim_fuzz_longer(p, PIECES_MORE_MS);
    p->batch = 1;
    p->period_ms = sim_fuzz_between(rng, 400, 500);
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].key_bits = key_bits;
        p->app[i].count = 1;
        p->app[i].tenths_per_s = sim_fuzz_between(rng, 2, 1 + MOST_TENTHS / p->app_count);
    }
    uint32_t rate_kbps = plenty_kbps(p);
    module_winks(p, rng);
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->link[i].block_kbit = (uint32_t)(cost * sim_fuzz_between(rng, 32, 39) / 10 / 1000) + 1;
        p->link[i].store_kbit = sim_fuzz_between(rng, 4, 6) * p->link[i].block_kbit;
        p->link[i].then_kbps = p->link[i].first_kbps = rate_kbps;
        p->link[i].initial_kbit = 0;
    }
}

/* A store holds four blocks, which are made in a status period, so that all of them may be found too old at
 * once; they live for seconds, and little of them is used. */
static void aged(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    sim_fuzz_longer(p, AGED_MORE_MS);
    p->expiry_s = sim_fuzz_between(rng, 3, 5);
    p->period_ms = sim_fuzz_between(rng, 800, 1000);
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].key_bits = 64;
        p->app[i].count = 1;
        p->app[i].tenths_per_s = sim_fuzz_between(rng, 10, 10 + MOST_TENTHS / p->app_count);
        p->app[i].wait = false;
    }
    uint32_t rate_kbps = plenty_kbps(p) + STEADY_KBPS;
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->link[i].then_kbps = p->link[i].first_kbps = rate_kbps;
        p->link[i].block_kbit = rate_kbps * p->period_ms / sim_fuzz_between(rng, 4, 6) / 1000;
        p->link[i].store_kbit = sim_fuzz_between(rng, 41, 44) * p->link[i].block_kbit / 10;
        p->link[i].initial_kbit = 0;
    }
}

/* Stores of four blocks, full before long, of which some are lost: what one end lost fills the other's. */
static void lost(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    sim_fuzz_longer(p, LOST_MORE_MS);
    p->bootstrap_kbit = sim_fuzz_between(rng, 1, 4);
    p->period_ms = sim_fuzz_between(rng, 400, 500);
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].key_bits = 64;
        p->app[i].count = 1;
        p->app[i].tenths_per_s = sim_fuzz_between(rng, 4, 4 + MOST_TENTHS / p->app_count);
    }
    uint32_t rate_kbps = plenty_kbps(p) + STEADY_KBPS / 4;
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->link[i].then_kbps = p->link[i].first_kbps = rate_kbps;
        p->link[i].block_kbit = rate_kbps / sim_fuzz_between(rng, 8, 12);
        p->link[i].store_kbit = sim_fuzz_between(rng, 41, 48) * p->link[i].block_kbit / 10;
        p->link[i].initial_kbit = 0;
    }
    /* Twice the same one: what came in between is lost at one end only. */
    uint32_t node = sim_fuzz_between(rng, 0, p->node_count - 1);
    uint32_t at_ms = sim_fuzz_between(rng, p->chaos_end_ms / 4, p->chaos_end_ms / 2);
    for (uint32_t k = 0; k < 2 && p->trouble_count < SIM_FUZZ_TROUBLES - 1; k++) {
        uint32_t i = p->trouble_count++;
        p->trouble[i].kind = SIM_FUZZ_STORE_LOST;
        p->trouble[i].at_ms = at_ms;
        p->trouble[i].for_ms = sim_fuzz_between(rng, 20, p->chaos_end_ms / 8);
        p->trouble[i].index = node;
        at_ms += p->trouble[i].for_ms + sim_fuzz_between(rng, 50, p->chaos_end_ms / 8);
    }
    module_winks(p, rng);
}

/* More is asked for, for a while, than there is, over channels of a few frames per second. */
static void jam(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    nothing_fails(p);
    p->bandwidth_kbps = sim_fuzz_between(rng, 15, 40);
    p->queue_kib = sim_fuzz_between(rng, 8, 32);
    p->retransmit_ms = sim_fuzz_between(rng, 100, 200);
    p->retries = sim_fuzz_between(rng, 3, 5);
    p->bootstrap_kbit = 16;
    sim_fuzz_longer(p, JAM_MORE_MS);
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].key_bits = 256;
        p->app[i].count = 1;
        p->app[i].shape = SIM_FUZZ_STEADY;
        p->app[i].session_bps = 0;
        p->app[i].tenths_per_s = sim_fuzz_between(rng, 100, 250) / p->app_count;
    }
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->link[i].first_kbps = p->link[i].then_kbps = sim_fuzz_between(rng, SCARCE_KBPS,
                                                                        4 * SCARCE_KBPS);
        p->link[i].block_kbit = sim_fuzz_between(rng, 60, 130);
        p->link[i].store_kbit = 0;
        p->link[i].initial_kbit = 0;
    }
}

void sim_fuzz_plan_sway(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz sway", 0);
    static const struct {
        enum sim_fuzz_feature feature;
        uint32_t faces;
        void (*make)(struct sim_fuzz_plan *, struct qkd_rng *);
    } ways[] = {{SIM_FUZZ_SWAY, SWAY, sway},
                {SIM_FUZZ_PIECES, PIECES, pieces},
                {SIM_FUZZ_AGED, AGED, aged},
                {SIM_FUZZ_SWAY, JAM, jam},
                {SIM_FUZZ_STORE_LOST, LOST, lost}};
    uint32_t face = sim_fuzz_between(&rng, 0, DICE - 1);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; face -= ways[i++].faces) {
        if (face < ways[i].faces) {
            if (sim_fuzz_set_has(allowed, ways[i].feature)) {
                sim_fuzz_set_add(&plan->features, ways[i].feature, true);
                ways[i].make(plan, &rng);
            }
            break;
        }
    }
    qkd_rng_fini(&rng);
}
