/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The simgrid engine with dummy nodes: nothing is lost around deadlines, no frame is held up by one
 * on another channel, and an uncongested network delivers at the instants of the fast engine, which
 * are a formula (route latency + 8 n / bandwidth; tests/sim/engine_fast_test.c works them out by
 * hand). SimGrid runs once per process: Check forks for each test. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/err.h"
#include "sim/engine.h"

#ifdef QKDN_HAVE_SIMGRID

enum { LOG_SIZE = 20000, NEAR_NS = 2 /* "equal": SimGrid counts in doubles */ };

struct entry {
    char what; /* d deliver, w wake, t timer */
    int64_t at_ns;
    uint64_t value; /* number in the packet, unit, tag */
};

struct bench {
    struct sim_net *net;
    struct sim_pool *pool;
    struct sim_engine *engine;
    bool inside; /* a callback runs */
    void (*on_timer)(struct bench *bench, uint64_t tag);
    void (*on_deliver)(struct bench *bench, const struct sim_packet *packet);
    size_t count;
    struct entry log[LOG_SIZE];
};

static void note(struct bench *bench, char what, uint64_t value)
{
    ck_assert_uint_lt(bench->count, LOG_SIZE);
    bench->log[bench->count++] = (struct entry){what, sim_engine_now(bench->engine), value};
}

static void begin(struct bench *bench)
{
    ck_assert(!bench->inside);
    bench->inside = true;
}

static void on_deliver(void *world, struct sim_packet *packet)
{
    struct bench *bench = world;
    uint32_t number = 0;
    begin(bench);
    memcpy(&number, packet->bytes, sizeof(number));
    note(bench, 'd', number);
    if (bench->on_deliver != NULL) {
        bench->on_deliver(bench, packet);
    }
    sim_pool_give(bench->pool, packet);
    bench->inside = false;
}

static void on_wake(void *world, uint32_t unit)
{
    begin(world);
    note(world, 'w', unit);
    ((struct bench *)world)->inside = false;
}

static void on_timer(void *world, uint64_t tag)
{
    struct bench *bench = world;
    begin(bench);
    note(bench, 't', tag);
    if (bench->on_timer != NULL) {
        bench->on_timer(bench, tag);
    }
    bench->inside = false;
}

/* 0 -- 1 -- 2 and 3 -- 1: star around 1 with links of different speed. */
static const struct host_cable star_links[] = {{0, 1, 50000, 1000000000},
                                               {1, 2, 20000, 100000000},
                                               {3, 1, 5000, 1000000000}};

static struct sim_net_config star_config(void)
{
    return (struct sim_net_config){.node_count = 4,
                                   .links = star_links,
                                   .link_count = 3,
                                   .queue_bytes = 1 << 20,
                                   .management_latency_ns = 7000,
                                   .management_bandwidth_bps = 8000000000,
                                   .seed = 5,
                                   .hubs = {0, 2, SIM_NET_NONE}};
}

static void setup(struct bench *bench, const struct sim_net_config *config, enum scn_engine kind)
{
    *bench = (struct bench){0};
    ck_assert_int_eq(sim_net_new(config, &bench->net), 0);
    bench->pool = sim_pool_new();
    ck_assert_ptr_nonnull(bench->pool);
    struct sim_engine_config engine = {
        .kind = kind,
        .net = bench->net,
        .pool = bench->pool,
        .calls = {bench, on_deliver, on_wake, on_timer},
    };
    ck_assert_int_eq(sim_engine_new(&engine, &bench->engine), 0);
}

static void teardown(struct bench *bench)
{
    sim_engine_free(bench->engine);
    sim_net_free(bench->net);
    sim_pool_free(bench->pool);
}

struct frame {
    uint32_t from, to, len, number;
    enum sim_plane plane;
};

static bool send_on(struct bench *bench, const struct frame *frame)
{
    struct sim_packet *packet = sim_pool_take(bench->pool, frame->len);
    ck_assert_ptr_nonnull(packet);
    packet->from_node = frame->from;
    packet->to_node = frame->to;
    packet->wire_len = frame->len;
    packet->plane = (uint8_t)frame->plane;
    memcpy(packet->bytes, &frame->number, sizeof(frame->number));
    return sim_engine_send(bench->engine, packet);
}

/* When a logged thing happened; fails if it did not or twice. */
static int64_t when(const struct bench *bench, char what, uint64_t value)
{
    int64_t at_ns = -1;
    for (size_t i = 0; i < bench->count; i++) {
        if (bench->log[i].what == what && bench->log[i].value == value) {
            ck_assert_int_eq(at_ns, -1);
            at_ns = bench->log[i].at_ns;
        }
    }
    ck_assert_int_ge(at_ns, 0);
    return at_ns;
}

static void near(int64_t a_ns, int64_t b_ns)
{
    ck_assert_int_le(a_ns - b_ns, NEAR_NS);
    ck_assert_int_ge(a_ns - b_ns, -NEAR_NS);
}

/* ---- instants ---- */

static void send_first(struct bench *bench, uint64_t tag)
{
    (void)tag;
    ck_assert(send_on(bench, &(struct frame){0, 1, 200, 1, SIM_PLANE_DATA}));
}

/* 200 bytes over 1 Gbit/s and 50 us: 1.6 us + 50 us. */
START_TEST(one_frame_takes_51_6_us)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = send_first;
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 0, 1), 0);
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    near(when(&bench, 'd', 1), 51600);
    ck_assert_int_eq(sim_engine_now(bench.engine), 1000000);
    ck_assert_uint_eq(sim_pool_live(bench.pool), 0);
    teardown(&bench);
}
END_TEST

enum { FRAMES = 600, SPACING_NS = 3000000 };

/* Frame `number`, by chance: ends, size, plane. */
static struct frame frame_at(uint32_t number)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 77, "frame", number);
    struct frame frame = {.from = (uint32_t)qkd_rng_below(&rng, 4),
                          .len = 4 + (uint32_t)qkd_rng_below(&rng, 20000),
                          .number = number};
    frame.to = (frame.from + 1 + (uint32_t)qkd_rng_below(&rng, 3)) % 4;
    bool hub = frame.from % 2 == 0 || frame.to % 2 == 0;
    frame.plane = hub && qkd_rng_below(&rng, 3) == 0 ? SIM_PLANE_MANAGEMENT : SIM_PLANE_DATA;
    return frame;
}

static void send_random(struct bench *bench, uint64_t tag)
{
    struct frame frame = frame_at((uint32_t)tag);
    ck_assert(send_on(bench, &frame));
}

static void run_spaced(struct bench *bench, enum scn_engine kind)
{
    struct sim_net_config config = star_config();
    setup(bench, &config, kind);
    bench->on_timer = send_random;
    for (uint32_t i = 0; i < FRAMES; i++) {
        /* Not at the sender's own timer actor: any node may have to send. */
        uint32_t node = (frame_at(i).from + i) % 4;
        int64_t at_ns = (int64_t)i * SPACING_NS + (int64_t)(i * 7919 % 1000);
        ck_assert_int_eq(sim_engine_post(bench->engine, node, at_ns, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench->engine, (int64_t)FRAMES * SPACING_NS), 0);
    ck_assert_uint_eq(bench->count, 2 * FRAMES);
}

/* One frame at a time, any route, size and plane: both engines deliver at the same instant. */
START_TEST(uncongested_instants_equal_fast)
{
    static struct bench fast, grid;
    run_spaced(&fast, SCN_ENGINE_FAST);
    run_spaced(&grid, SCN_ENGINE_SIMGRID);
    for (uint32_t i = 0; i < FRAMES; i++) {
        near(when(&grid, 't', i), when(&fast, 't', i));
        near(when(&grid, 'd', i), when(&fast, 'd', i));
    }
    teardown(&fast);
    teardown(&grid);
}
END_TEST

/* ---- deadlines ---- */

enum { NEAR_FRAMES = 2000, NEAR_UNITS = 16 };

static void send_near(struct bench *bench, uint64_t tag)
{
    ck_assert(send_on(bench, &(struct frame){0, 1, 200, (uint32_t)tag, SIM_PLANE_DATA}));
    /* Node 1 has a deadline at the very instant, just before or just after the arrival, and one
     * that is set and moved before it comes. */
    int64_t arrival_ns = sim_engine_now(bench->engine) + 51600;
    uint32_t unit = (uint32_t)tag % NEAR_UNITS;
    sim_engine_deadline(bench->engine, unit, arrival_ns - 4 + (int64_t)(tag % 9));
    uint32_t other = NEAR_UNITS + unit;
    sim_engine_deadline(bench->engine, other, arrival_ns + 30000);
    if (tag % 2 == 0) {
        sim_engine_deadline(bench->engine, other, arrival_ns - 20000);
    }
}

/* 2,000 frames, a deadline of the receiver within 4 ns of each arrival: every frame arrives, every
 * deadline comes, none before its time nor more than 2 ns after. */
START_TEST(nothing_lost_around_deadlines)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = send_near;
    for (uint32_t i = 0; i < 2 * NEAR_UNITS; i++) {
        ck_assert_uint_eq(sim_engine_unit(bench.engine, 1), i);
    }
    for (uint32_t i = 0; i < NEAR_FRAMES; i++) {
        ck_assert_int_eq(sim_engine_post(bench.engine, 0, (int64_t)i * 200000, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench.engine, (int64_t)NEAR_FRAMES * 200000), 0);
    size_t wakes = 0;
    for (size_t i = 0; i < bench.count; i++) {
        const struct entry *entry = &bench.log[i];
        if (entry->what == 'd') {
            near(entry->at_ns, (int64_t)entry->value * 200000 + 51600);
        } else if (entry->what == 'w') {
            wakes++;
            int64_t since_ns = entry->at_ns % 200000;
            uint64_t tag = (uint64_t)(entry->at_ns / 200000);
            int64_t due_ns = 51600 - 4 + (int64_t)(tag % 9);
            if (entry->value >= NEAR_UNITS) {
                due_ns = tag % 2 == 0 ? 31600 : 81600;
            }
            ck_assert_int_ge(since_ns, due_ns);
            ck_assert_int_le(since_ns, due_ns + NEAR_NS);
        }
    }
    ck_assert_uint_eq(wakes, 2 * NEAR_FRAMES);
    ck_assert_uint_eq(bench.count, 4 * NEAR_FRAMES);
    for (uint32_t i = 0; i < NEAR_FRAMES; i += 97) {
        (void)when(&bench, 'd', i); /* once each */
    }
    teardown(&bench);
}
END_TEST

static void rearm(struct bench *bench, uint64_t tag)
{
    uint32_t unit = (uint32_t)(tag % 3);
    int64_t now_ns = sim_engine_now(bench->engine);
    sim_engine_deadline(bench->engine, unit, SIM_NEVER);
    sim_engine_deadline(bench->engine, unit, now_ns + 500);
    if (tag % 5 == 0) {
        sim_engine_deadline(bench->engine, unit, SIM_NEVER);
    }
}

/* Deadlines are replaced and unset from another node's callbacks. */
START_TEST(deadlines_move_from_afar)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = rearm;
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(sim_engine_unit(bench.engine, 2), i);
    }
    for (uint32_t i = 0; i < 300; i++) {
        ck_assert_int_eq(sim_engine_post(bench.engine, i % 2, (int64_t)i * 1000, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    size_t wakes = 0;
    for (size_t i = 0; i < bench.count; i++) {
        if (bench.log[i].what == 'w') {
            wakes++;
            near(bench.log[i].at_ns % 1000, 500);
        }
    }
    ck_assert_uint_eq(wakes, 300 - 60);
    teardown(&bench);
}
END_TEST

/* ---- channels ---- */

static void send_large_and_small(struct bench *bench, uint64_t tag)
{
    (void)tag;
    ck_assert(send_on(bench, &(struct frame){2, 1, 500000, 1, SIM_PLANE_DATA}));
    ck_assert(send_on(bench, &(struct frame){0, 1, 200, 2, SIM_PLANE_DATA}));
    ck_assert(send_on(bench, &(struct frame){3, 1, 200, 3, SIM_PLANE_DATA}));
    ck_assert(send_on(bench, &(struct frame){2, 1, 200, 4, SIM_PLANE_MANAGEMENT}));
    ck_assert(send_on(bench, &(struct frame){1, 2, 200, 5, SIM_PLANE_DATA}));
}

/* 500,000 bytes at 100 Mbit/s take 40 ms to come in at node 1. What comes over other channels at the
 * same node, from the same node on the other plane, or goes the other way is not held up: 51.6 us,
 * 6.6 us, 7.2 us, 36 us by the formula. */
START_TEST(large_frame_holds_up_nobody_else)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = send_large_and_small;
    ck_assert_int_eq(sim_engine_post(bench.engine, 2, 1000000, 9), 0);
    ck_assert_int_eq(sim_engine_run(bench.engine, 100000000), 0);
    near(when(&bench, 'd', 1), 1000000 + 40000000 + 20000);
    near(when(&bench, 'd', 2), 1000000 + 51600);
    near(when(&bench, 'd', 3), 1000000 + 6600);
    near(when(&bench, 'd', 4), 1000000 + 7200);
    near(when(&bench, 'd', 5), 1000000 + 36000);
    teardown(&bench);
}
END_TEST

static void pong(struct bench *bench, const struct sim_packet *packet)
{
    uint32_t number = 0;
    memcpy(&number, packet->bytes, sizeof(number));
    if (number % 1000 < 400) {
        ck_assert(send_on(bench, &(struct frame){packet->to_node, packet->from_node, packet->len,
                                                 number + 1, (enum sim_plane)packet->plane}));
    }
}

static void ping(struct bench *bench, uint64_t tag)
{
    static const struct frame first[] = {{0, 1, 200, 0, SIM_PLANE_DATA},
                                         {3, 1, 300, 1000, SIM_PLANE_DATA},
                                         {2, 3, 400, 2000, SIM_PLANE_MANAGEMENT},
                                         {0, 2, 500, 3000, SIM_PLANE_MANAGEMENT}};
    ck_assert(send_on(bench, &first[tag]));
}

/* Four pairs answer each other 400 times, on both planes: none stops, and callbacks never nest. */
START_TEST(answers_from_callbacks)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = ping;
    bench.on_deliver = pong;
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(sim_engine_post(bench.engine, 1, 10, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000000), 0);
    ck_assert_uint_eq(bench.count, 4 + 4 * 401);
    /* 0 - 1: one way is 51.6 us; 2 - 3 over the management network: 7,000 + 400 ns. */
    int64_t last_ns = when(&bench, 'd', 400);
    ck_assert_int_le(llabs(last_ns - (10 + 401 * 51600)), 401 * NEAR_NS);
    last_ns = when(&bench, 'd', 2400);
    ck_assert_int_le(llabs(last_ns - (10 + 401 * 7400)), 401 * NEAR_NS);
    teardown(&bench);
}
END_TEST

static void send_burst(struct bench *bench, uint64_t tag)
{
    for (uint32_t i = 0; i < 40; i++) {
        (void)send_on(bench, &(struct frame){0, 1, 1000, (uint32_t)tag * 100 + i, SIM_PLANE_DATA});
    }
}

/* 1 Gbit/s and 50 us hold 6,250 bytes on their own, the queue 10,000: 16 frames of 1,000 are taken,
 * the rest of a burst is dropped; when they are through, 16 more are taken. */
START_TEST(full_queue_drops)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    config.queue_bytes = 10000;
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = send_burst;
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 0, 0), 0);
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 10000000, 1), 0);
    ck_assert_int_eq(sim_engine_run(bench.engine, 50000000), 0);
    ck_assert_uint_eq(sim_engine_stats(bench.engine)->dropped_queue, 2 * 24);
    ck_assert_uint_eq(bench.count, 2 + 2 * 16);
    ck_assert_uint_eq(sim_pool_live(bench.pool), 0);
    teardown(&bench);
}
END_TEST

static void fault_script(struct bench *bench, uint64_t tag)
{
    switch (tag) {
    case 0:
        ck_assert(send_on(bench, &(struct frame){0, 1, 200, 1, SIM_PLANE_DATA}));
        ck_assert(send_on(bench, &(struct frame){3, 1, 200, 2, SIM_PLANE_DATA}));
        break;
    case 1:
        sim_net_link_set(bench->net, 0, false);
        ck_assert(!send_on(bench, &(struct frame){0, 2, 200, 3, SIM_PLANE_DATA}));
        break;
    default:
        sim_net_link_set(bench->net, 0, true);
        ck_assert(send_on(bench, &(struct frame){0, 2, 200, 4, SIM_PLANE_DATA}));
        break;
    }
}

/* What departs or arrives while a link of its route is down is dropped, nothing else. */
START_TEST(faults_block_channels)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = fault_script;
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 0, 0), 0);
    ck_assert_int_eq(sim_engine_post(bench.engine, 1, 30000, 1), 0);
    ck_assert_int_eq(sim_engine_post(bench.engine, 2, 100000, 2), 0);
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    ck_assert_uint_eq(bench.count, 3 + 2);
    near(when(&bench, 'd', 2), 6600);
    near(when(&bench, 'd', 4), 100000 + 86000);
    ck_assert_uint_eq(sim_engine_stats(bench.engine)->dropped_fault, 2);
    teardown(&bench);
}
END_TEST

static void send_chance(struct bench *bench, uint64_t tag)
{
    (void)send_on(bench, &(struct frame){0, 1, 125, (uint32_t)tag, SIM_PLANE_DATA});
}

/* Loss 0.2, duplication 0.1, reordering 0.3 over 2,000 frames: shares within 5 standard deviations
 * of a binomial, no copy early or later than its jitter. */
START_TEST(chance)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    config.loss = 0.2;
    config.duplicate = 0.1;
    config.reorder = 0.3;
    config.reorder_jitter_ns = 1000000;
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = send_chance;
    for (uint32_t i = 0; i < 2000; i++) {
        ck_assert_int_eq(sim_engine_post(bench.engine, 0, (int64_t)i * 2000000, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench.engine, INT64_C(2000) * 2000000), 0);
    size_t delivered = 0;
    size_t late = 0;
    for (size_t i = 0; i < bench.count; i++) {
        if (bench.log[i].what == 'd') {
            delivered++;
            int64_t extra_ns = bench.log[i].at_ns - (int64_t)bench.log[i].value * 2000000 - 51000;
            ck_assert_int_ge(extra_ns, -NEAR_NS);
            ck_assert_int_le(extra_ns, 1000000 + 1000 + NEAR_NS); /* a copy follows by 1 us */
            late += extra_ns > 1000 + NEAR_NS;
        }
    }
    uint64_t lost = sim_engine_stats(bench.engine)->dropped_chance;
    ck_assert_uint_ge(lost, 400 - 90); /* sqrt(2000 * 0.2 * 0.8) = 17.9 */
    ck_assert_uint_le(lost, 400 + 90);
    uint64_t copies = delivered - (2000 - lost);
    ck_assert_uint_ge(copies, 160 - 60); /* 1600 * 0.1, deviation 12 */
    ck_assert_uint_le(copies, 160 + 60);
    ck_assert_uint_ge(late, 528 - 100); /* 1760 * 0.3, deviation 19 */
    ck_assert_uint_le(late, 528 + 100);
    ck_assert_uint_eq(sim_pool_live(bench.pool), 0);
    teardown(&bench);
}
END_TEST

/* ---- large networks ---- */

enum { RING = 90 };

/* A ring above SIM_SIMGRID_ALL_PAIRS nodes: SimGrid has routes for neighbours and the given pair
 * only; others take the formula. Hub 7 answers many on the management network. */
static void ring_setup(struct bench *bench, enum scn_engine kind)
{
    static struct host_cable links[RING];
    static const struct sim_pair pairs[] = {{0, 40}};
    for (uint32_t i = 0; i < RING; i++) {
        links[i] = (struct host_cable){i, (i + 1) % RING, 1000 + i, 1000000000};
    }
    struct sim_net_config net = {.node_count = RING,
                                 .links = links,
                                 .link_count = RING,
                                 .queue_bytes = 1 << 20,
                                 .management_latency_ns = 7000,
                                 .management_bandwidth_bps = 8000000000,
                                 .hubs = {7, SIM_NET_NONE, SIM_NET_NONE}};
    *bench = (struct bench){0};
    ck_assert_int_eq(sim_net_new(&net, &bench->net), 0);
    bench->pool = sim_pool_new();
    struct sim_engine_config engine = {.kind = kind,
                                       .net = bench->net,
                                       .pool = bench->pool,
                                       .pairs = pairs,
                                       .pair_count = 1,
                                       .calls = {bench, on_deliver, on_wake, on_timer}};
    ck_assert_int_eq(sim_engine_new(&engine, &bench->engine), 0);
}

static void ring_send(struct bench *bench, uint64_t tag)
{
    uint32_t i = (uint32_t)tag;
    static const struct frame few[] = {{0, 40, 300, 0, SIM_PLANE_DATA},      /* given */
                                       {40, 0, 300, 0, SIM_PLANE_DATA},      /* and back */
                                       {3, 60, 500, 0, SIM_PLANE_DATA},      /* formula */
                                       {11, 12, 700, 0, SIM_PLANE_DATA},     /* neighbours */
                                       {5, 6, 64, 0, SIM_PLANE_MANAGEMENT}}; /* no hub: formula */
    struct frame frame = {7, (8 + i) % RING, 200, i, SIM_PLANE_MANAGEMENT};
    if (i < sizeof(few) / sizeof(few[0])) {
        frame = few[i];
        frame.number = i;
    } else if (frame.to == 7) {
        frame.to = 6;
    }
    ck_assert(send_on(bench, &frame));
}

static void ring_run(struct bench *bench, enum scn_engine kind)
{
    ring_setup(bench, kind);
    bench->on_timer = ring_send;
    for (uint32_t i = 0; i < 85; i++) {
        /* The hub sends all of its frames at one instant. */
        ck_assert_int_eq(sim_engine_post(bench->engine, i % 3, i < 5 ? 1000 * i : 500000, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench->engine, 5000000), 0);
    ck_assert_uint_eq(bench->count, 2 * 85);
    ck_assert_uint_eq(sim_pool_live(bench->pool), 0);
}

/* Whoever carries a frame, it arrives when the fast engine says. */
START_TEST(large_network_mixes_routes)
{
    static struct bench fast, grid;
    ring_run(&fast, SCN_ENGINE_FAST);
    ring_run(&grid, SCN_ENGINE_SIMGRID);
    for (uint32_t i = 0; i < 85; i++) {
        near(when(&grid, 'd', i), when(&fast, 'd', i));
    }
    teardown(&fast);
    teardown(&grid);
}
END_TEST

/* ---- life ---- */

static void stop_now(struct bench *bench, uint64_t tag)
{
    if (tag == 5) {
        sim_engine_stop(bench->engine);
    }
}

/* A stop ends the run after the callback, at its time; nothing follows. */
START_TEST(stop_ends_the_run)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    bench.on_timer = stop_now;
    for (uint32_t i = 0; i < 10; i++) {
        ck_assert_int_eq(sim_engine_post(bench.engine, i % 4, (int64_t)i * 1000, i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    ck_assert_uint_eq(bench.count, 6);
    near(sim_engine_now(bench.engine), 5000);
    teardown(&bench);
}
END_TEST

/* What is due after the end does not happen; what is due at the end does. */
START_TEST(end_of_the_run)
{
    static struct bench bench;
    struct sim_net_config config = star_config();
    setup(&bench, &config, SCN_ENGINE_SIMGRID);
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 777000, 1), 0);
    ck_assert_int_eq(sim_engine_post(bench.engine, 1, 777001, 2), 0);
    ck_assert_int_eq(sim_engine_post(bench.engine, 2, 778000, 3), 0);
    ck_assert_int_eq(sim_engine_run(bench.engine, 777000), 0);
    ck_assert_uint_eq(bench.count, 1);
    (void)when(&bench, 't', 1);
    teardown(&bench);
}
END_TEST

static int engine_try(uint32_t nodes, char why[200])
{
    struct sim_net *net = NULL;
    struct sim_pool *pool = sim_pool_new();
    struct sim_net_config config = {.node_count = nodes,
                                    .queue_bytes = 1000,
                                    .hubs = {SIM_NET_NONE, SIM_NET_NONE, SIM_NET_NONE}};
    ck_assert_int_eq(sim_net_new(&config, &net), 0);
    struct sim_engine *engine = NULL;
    int rc = sim_engine_new(
        &(struct sim_engine_config){
            .kind = SCN_ENGINE_SIMGRID, .net = net, .pool = pool, .why = why, .why_size = 200},
        &engine);
    sim_engine_free(engine);
    sim_net_free(net);
    sim_pool_free(pool);
    return rc;
}

/* Too many nodes, and a second engine in one process: an error that says why. */
START_TEST(limits)
{
    char why[200] = "";
    ck_assert_int_eq(engine_try(SIM_SIMGRID_NODE_LIMIT + 1, why), QKD_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(why, "1000 nodes"));
    ck_assert_int_eq(engine_try(2, why), 0);
    ck_assert_int_eq(engine_try(2, why), QKD_ERR_STATE);
    ck_assert_ptr_nonnull(strstr(why, "once per process"));
}
END_TEST

static uint64_t log_hash(const struct bench *bench)
{
    uint64_t hash = 1469598103934665603U; /* FNV-1a over what happened when */
    for (size_t i = 0; i < bench->count; i++) {
        hash = (hash ^ (uint64_t)bench->log[i].at_ns) * 1099511628211U;
        hash = (hash ^ bench->log[i].value) * 1099511628211U;
    }
    return hash;
}

/* The same run in two processes: the same log. */
START_TEST(runs_repeat)
{
    uint64_t hashes[2] = {0};
    for (int run = 0; run < 2; run++) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            static struct bench bench;
            run_spaced(&bench, SCN_ENGINE_SIMGRID);
            uint64_t hash = log_hash(&bench);
            _exit(write(ends[1], &hash, sizeof(hash)) == (ssize_t)sizeof(hash) ? 0 : 1);
        }
        (void)close(ends[1]);
        ck_assert_int_eq(read(ends[0], &hashes[run], sizeof(hashes[run])),
                         (ssize_t)sizeof(hashes[run]));
        (void)close(ends[0]);
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(hashes[0], hashes[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine simgrid");
    TCase *tests = tcase_create("engine");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, one_frame_takes_51_6_us);
    tcase_add_test(tests, uncongested_instants_equal_fast);
    tcase_add_test(tests, nothing_lost_around_deadlines);
    tcase_add_test(tests, deadlines_move_from_afar);
    tcase_add_test(tests, large_frame_holds_up_nobody_else);
    tcase_add_test(tests, answers_from_callbacks);
    tcase_add_test(tests, full_queue_drops);
    tcase_add_test(tests, faults_block_channels);
    tcase_add_test(tests, chance);
    tcase_add_test(tests, large_network_mixes_routes);
    tcase_add_test(tests, stop_ends_the_run);
    tcase_add_test(tests, end_of_the_run);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, runs_repeat);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

int main(void)
{
    (void)printf("SimGrid is not in this build: nothing to test\n");
    return EXIT_SUCCESS;
}

#endif
