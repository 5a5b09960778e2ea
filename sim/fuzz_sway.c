/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways of making trouble with what a link has in store, each rare by chance alone: key that goes to and
 * fro between the ends by GRANTs of which many are lost (sway), stores full of pieces that are almost as
 * long as a frame (pieces), small stores whose key expires soon while it is asked for steadily (aged).
 * Drawn from a stream of chance of their own, after all else but one, so that a seed without them means
 * what it meant before. */
#include "core/base/rng.h"
#include "core/wire/frame.h"
#include "sim/fuzz_plan.h"

enum {
    DICE = 24, /* of its faces: */
    SWAY = 6,
    PIECES = 3,
    AGED = 2,
    SCARCE_KBPS = 24,
    STEADY_KBPS = 400,
    SWAY_MORE_MS = 3200,   /* 16 longer retransmission times, and late frames */
    MOST_TENTHS = 40,      /* requests of all: a store must hold those of a status period */
    PIECES_MORE_MS = 3000, /* there are few of them */
    AGED_MORE_MS = 4000    /* until the stores are too old again */
};

static uint32_t between(struct qkd_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)qkd_rng_below(rng, (uint64_t)high - low + 1);
}

/* Recovery takes so much longer. */
static void longer(struct sim_fuzz_plan *p, uint32_t ms)
{
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].stop_ms += p->app[i].stop_ms == p->stop_ms ? ms : 0;
    }
    p->stop_ms += ms;
    p->end_ms += ms;
}

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
        p->app[i].tenths_per_s = between(rng, 60, 150);
        sum += p->app[i].tenths_per_s;
        p->app[i].shape = SIM_FUZZ_BY_BURSTS;
        p->app[i].on_ms = p->app[i].off_ms = between(rng, 200, most_ms);
    }
    return sum;
}

/* Frames are lost, and either given up at once, with small blocks that are granted whole; or sent again
 * later than the next ones, with blocks of which one GRANT after the other is cut. */
static void sway(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    bool cuts = qkd_rng_below(rng, 2) == 0;
    longer(p, cuts ? SWAY_MORE_MS : 0);
    p->loss_pm = cuts ? between(rng, 100, 300) : between(rng, 200, 350);
    p->retries = cuts ? between(rng, 5, 8) : 0;
    p->retransmit_ms = cuts ? between(rng, 150, 200) : between(rng, 50, 80);
    p->reorder_pm = cuts ? between(rng, 50, 200) : p->reorder_pm;
    p->jitter_ms = cuts ? between(rng, 200, 800) : p->jitter_ms;
    p->period_ms = cuts ? between(rng, 400, 500) : between(rng, 200, 300);
    p->bootstrap_kbit = 16;
    uint32_t sum = turns(p, rng, cuts ? 900 : 500);
    for (uint32_t i = 0; i < p->link_count; i++) {
        uint64_t need_kbps = wire_relay_cost_bits(256, 1, 1) * sum / 10 / 1000 + 1;
        p->link[i].then_kbps = SIM_FUZZ_MARGIN * (uint32_t)need_kbps;
        p->link[i].first_kbps = cuts ? between(rng, SCARCE_KBPS, 2 * SCARCE_KBPS)
                                     : between(rng, SCARCE_KBPS / 3, SCARCE_KBPS);
        p->link[i].block_kbit = cuts ? between(rng, 20, 40) : between(rng, 5, 12);
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
        p->trouble[i].at_ms = between(rng, 1, p->chaos_end_ms - 200);
        p->trouble[i].for_ms = between(rng, 20, 120);
        p->trouble[i].index = between(rng, 0, p->link_count - 1);
        p->trouble[i].x = between(rng, 0, 99); /* which end: fuzz_trouble.c */
    }
}

/* Half a block is a frame and most of another one; a store holds few blocks. */
static void pieces(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    uint32_t key_bits = 64 * between(rng, 40, 64);
    uint64_t cost = wire_relay_cost_bits(key_bits, 1, 1);
    longer(p, PIECES_MORE_MS);
    p->batch = 1;
    p->period_ms = between(rng, 400, 500);
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].key_bits = key_bits;
        p->app[i].count = 1;
        p->app[i].tenths_per_s = between(rng, 2, 1 + MOST_TENTHS / p->app_count);
    }
    uint32_t rate_kbps = plenty_kbps(p);
    module_winks(p, rng);
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->link[i].block_kbit = (uint32_t)(cost * between(rng, 32, 39) / 10 / 1000) + 1;
        p->link[i].store_kbit = between(rng, 4, 6) * p->link[i].block_kbit;
        p->link[i].then_kbps = p->link[i].first_kbps = rate_kbps;
        p->link[i].initial_kbit = 0;
    }
}

/* A store holds four blocks, each nearly half a second of light, which live for seconds and of which little
 * is used until they are too old. */
static void aged(struct sim_fuzz_plan *p, struct qkd_rng *rng)
{
    longer(p, AGED_MORE_MS);
    p->expiry_s = between(rng, 3, 5);
    for (uint32_t i = 0; i < p->app_count; i++) {
        p->app[i].key_bits = 64;
        p->app[i].count = 1;
        p->app[i].tenths_per_s = between(rng, 10, 10 + MOST_TENTHS / p->app_count);
        p->app[i].wait = false;
    }
    uint32_t rate_kbps = plenty_kbps(p) + STEADY_KBPS;
    for (uint32_t i = 0; i < p->link_count; i++) {
        p->link[i].then_kbps = p->link[i].first_kbps = rate_kbps;
        p->link[i].block_kbit = rate_kbps * between(rng, 8, 10) / 20;
        p->link[i].store_kbit = between(rng, 41, 44) * p->link[i].block_kbit / 10;
        p->link[i].initial_kbit = 0;
    }
}

void sim_fuzz_plan_sway(struct sim_fuzz_plan *plan, uint64_t allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz sway", 0);
    uint32_t face = between(&rng, 0, DICE - 1);
    enum sim_fuzz_feature feature = face < SWAY                   ? SIM_FUZZ_SWAY
                                    : face < SWAY + PIECES        ? SIM_FUZZ_PIECES
                                    : face < SWAY + PIECES + AGED ? SIM_FUZZ_AGED
                                                                  : SIM_FUZZ_FEATURES;
    if (feature != SIM_FUZZ_FEATURES && (allowed >> feature & 1) != 0) {
        plan->features |= SIM_FUZZ_BIT(feature);
        if (feature == SIM_FUZZ_SWAY) {
            sway(plan, &rng);
        } else if (feature == SIM_FUZZ_PIECES) {
            pieces(plan, &rng);
        } else {
            aged(plan, &rng);
        }
    }
    qkd_rng_fini(&rng);
}
