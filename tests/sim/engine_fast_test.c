/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fast engine with dummy nodes: order of equal instants, latency and serialisation, the finite
 * queue, faults, chance. Topology: line 0 - 1 - 2, links of 1 Gbit/s and 50 us, and 100 Mbit/s and
 * 20 us. Expected instants are worked out by hand beside each check: a frame of n bytes takes
 * 8 n / bandwidth to leave and arrives one latency later. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/engine.h"

enum { LOG_SIZE = 4096 };

struct entry {
    char what; /* d deliver, w wake, t timer */
    int64_t at_ns;
    uint64_t value; /* first byte of the packet, unit, tag */
};

struct bench {
    struct sim_net *net;
    struct sim_pool *pool;
    struct sim_engine *engine;
    struct entry log[LOG_SIZE];
    size_t count;
};

static void note(struct bench *bench, char what, uint64_t value)
{
    ck_assert_uint_lt(bench->count, LOG_SIZE);
    bench->log[bench->count++] = (struct entry){what, sim_engine_now(bench->engine), value};
}

static void on_deliver(void *world, struct sim_packet *packet)
{
    struct bench *bench = world;
    note(bench, 'd', packet->bytes[0]);
    sim_pool_give(bench->pool, packet);
}

static void on_wake(void *world, uint32_t unit)
{
    note(world, 'w', unit);
}

static void on_timer(void *world, uint64_t tag)
{
    note(world, 't', tag);
}

static const struct host_cable line_links[] = {{0, 1, 50000, 1000000000}, {1, 2, 20000, 100000000}};

static struct sim_net_config line_config(void)
{
    return (struct sim_net_config){.node_count = 3,
                                   .links = line_links,
                                   .link_count = 2,
                                   .queue_bytes = 1000,
                                   .management_latency_ns = 7000,
                                   .management_bandwidth_bps = 8000000000,
                                   .seed = 5,
                                   .hubs = {SIM_NET_NONE, SIM_NET_NONE, SIM_NET_NONE}};
}

static void setup(struct bench *bench, const struct sim_net_config *config)
{
    *bench = (struct bench){0};
    ck_assert_int_eq(sim_net_new(config, &bench->net), 0);
    bench->pool = sim_pool_new();
    ck_assert_ptr_nonnull(bench->pool);
    struct sim_engine_config engine = {
        .kind = SCN_ENGINE_FAST,
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

static bool send_on(struct bench *bench, uint32_t from, uint32_t to, uint32_t len, uint8_t mark)
{
    struct sim_packet *packet = sim_pool_take(bench->pool, len);
    ck_assert_ptr_nonnull(packet);
    packet->from_node = from;
    packet->to_node = to;
    packet->wire_len = len;
    packet->bytes[0] = mark;
    return sim_engine_send(bench->engine, packet);
}

static void expect(const struct bench *bench, size_t i, char what, int64_t at_ns, uint64_t value)
{
    ck_assert_uint_lt(i, bench->count);
    ck_assert_int_eq(bench->log[i].what, what);
    ck_assert_int_eq(bench->log[i].at_ns, at_ns);
    ck_assert_uint_eq(bench->log[i].value, value);
}

/* 200 bytes at 1 Gbit/s: 1,600 ns, then 50,000 ns. The second frame waits for the first. */
START_TEST(latency_and_serialisation)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    ck_assert(send_on(&bench, 0, 1, 200, 1));
    ck_assert(send_on(&bench, 0, 1, 125, 2));
    ck_assert(send_on(&bench, 1, 0, 200, 3)); /* the other direction is another channel */
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    ck_assert_uint_eq(bench.count, 3);
    expect(&bench, 0, 'd', 51600, 1);
    expect(&bench, 1, 'd', 51600, 3);
    expect(&bench, 2, 'd', 52600, 2); /* 1,600 + 1,000 + 50,000 */
    ck_assert_int_eq(sim_engine_now(bench.engine), 1000000);
    ck_assert_uint_eq(sim_pool_live(bench.pool), 0);
    teardown(&bench);
}
END_TEST

/* Two hops: latency 70,000 ns, bandwidth of the narrower link: 200 bytes take 16,000 ns. */
START_TEST(route_latency_and_bottleneck)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    ck_assert(send_on(&bench, 0, 2, 200, 1));
    ck_assert(send_on(&bench, 2, 0, 200, 2));
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    ck_assert_uint_eq(bench.count, 2);
    expect(&bench, 0, 'd', 86000, 1);
    expect(&bench, 1, 'd', 86000, 2);
    teardown(&bench);
}
END_TEST

/* Management plane: 8 Gbit/s, so 1 ns per byte, and 7,000 ns between any two nodes. */
START_TEST(management_is_a_network_of_its_own)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    ck_assert(send_on(&bench, 0, 2, 500, 1));
    struct sim_packet *packet = sim_pool_take(bench.pool, 500);
    packet->from_node = 0;
    packet->to_node = 2;
    packet->wire_len = 500;
    packet->plane = SIM_PLANE_MANAGEMENT;
    packet->bytes[0] = 9;
    ck_assert(sim_engine_send(bench.engine, packet));
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    expect(&bench, 0, 'd', 7500, 9);
    expect(&bench, 1, 'd', 110000, 1); /* 40,000 + 70,000 */
    teardown(&bench);
}
END_TEST

/* Longer than the queue of 1,000 bytes: taken if it has not to wait, as in docs/scenario.md. */
START_TEST(long_frame_passes_alone)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    ck_assert(send_on(&bench, 0, 1, 4000, 1)); /* nobody before it */
    ck_assert(!send_on(&bench, 0, 1, 4000, 2));
    ck_assert_int_eq(sim_engine_run(bench.engine, 32000), 0);
    ck_assert(send_on(&bench, 0, 1, 4000, 3)); /* 4,000 bytes take 32,000 ns */
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    ck_assert_uint_eq(bench.count, 2);
    ck_assert_uint_eq(sim_engine_stats(bench.engine)->dropped_queue, 1);
    teardown(&bench);
}
END_TEST

/* Queue of 1,000 bytes, frames of 400 (3,200 ns each): two fit, the third does not; after 3,200 ns
 * 600 bytes are left, and a third fits again. */
START_TEST(full_queue_drops)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    ck_assert(send_on(&bench, 0, 1, 400, 1));
    ck_assert(send_on(&bench, 0, 1, 400, 2));
    ck_assert(!send_on(&bench, 0, 1, 400, 3));
    ck_assert(send_on(&bench, 0, 1, 200, 4)); /* exactly full */
    ck_assert(!send_on(&bench, 0, 1, 1, 5));
    ck_assert_int_eq(sim_engine_run(bench.engine, 3199), 0);
    ck_assert(!send_on(&bench, 0, 1, 400, 6));
    ck_assert_int_eq(sim_engine_run(bench.engine, 3200), 0);
    ck_assert(send_on(&bench, 0, 1, 400, 7)); /* 400 + 200 left, 400 more */
    ck_assert_int_eq(sim_engine_run(bench.engine, 1000000), 0);
    ck_assert_uint_eq(bench.count, 4);
    expect(&bench, 0, 'd', 53200, 1);
    expect(&bench, 1, 'd', 56400, 2);
    expect(&bench, 2, 'd', 58000, 4);
    expect(&bench, 3, 'd', 61200, 7);
    ck_assert_uint_eq(sim_engine_stats(bench.engine)->dropped_queue, 3);
    ck_assert_uint_eq(sim_engine_stats(bench.engine)->frames, 4);
    ck_assert_uint_eq(sim_pool_live(bench.pool), 0);
    teardown(&bench);
}
END_TEST

/* Equal instants come in the order they were asked for, of whatever kind they are. */
START_TEST(ties_keep_their_order)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    uint32_t a = sim_engine_unit(bench.engine, 0);
    uint32_t b = sim_engine_unit(bench.engine, 1);
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 51600, 100), 0);
    sim_engine_deadline(bench.engine, b, 51600);
    ck_assert(send_on(&bench, 0, 1, 200, 1));
    sim_engine_deadline(bench.engine, a, 51600);
    ck_assert_int_eq(sim_engine_post(bench.engine, 0, 51600, 101), 0);
    ck_assert_int_eq(sim_engine_run(bench.engine, 51600), 0);
    ck_assert_uint_eq(bench.count, 5);
    expect(&bench, 0, 't', 51600, 100);
    expect(&bench, 1, 'w', 51600, b);
    expect(&bench, 2, 'd', 51600, 1);
    expect(&bench, 3, 'w', 51600, a);
    expect(&bench, 4, 't', 51600, 101);
    teardown(&bench);
}
END_TEST

/* A deadline is replaced, not added; NEVER unsets it; one wake per deadline. */
START_TEST(deadlines_move)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    uint32_t a = sim_engine_unit(bench.engine, 0);
    uint32_t b = sim_engine_unit(bench.engine, 0);
    uint32_t c = sim_engine_unit(bench.engine, 0);
    sim_engine_deadline(bench.engine, a, 100);
    sim_engine_deadline(bench.engine, a, 900); /* later */
    sim_engine_deadline(bench.engine, b, 500);
    sim_engine_deadline(bench.engine, b, 200); /* sooner */
    sim_engine_deadline(bench.engine, c, 300);
    sim_engine_deadline(bench.engine, c, SIM_NEVER);
    ck_assert_int_eq(sim_engine_run(bench.engine, 2000), 0);
    ck_assert_uint_eq(bench.count, 2);
    expect(&bench, 0, 'w', 200, b);
    expect(&bench, 1, 'w', 900, a);
    sim_engine_deadline(bench.engine, c, 5); /* in the past: now */
    ck_assert_int_eq(sim_engine_run(bench.engine, 3000), 0);
    expect(&bench, 2, 'w', 2000, c);
    teardown(&bench);
}
END_TEST

/* Many random deadlines and posts against a sorted list of what must come. */
START_TEST(calendar_against_sorting)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    enum { UNITS = 300, POSTS = 1000 };
    static int64_t want[UNITS];
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 11, "calendar test", (uint64_t)_i);
    for (uint32_t i = 0; i < UNITS; i++) {
        ck_assert_uint_eq(sim_engine_unit(bench.engine, 0), i);
    }
    for (uint32_t i = 0; i < 10 * UNITS; i++) {
        uint32_t unit = (uint32_t)qkd_rng_below(&rng, UNITS);
        want[unit] = (int64_t)qkd_rng_below(&rng, 5000) + 1;
        sim_engine_deadline(bench.engine, unit, want[unit]);
    }
    size_t units = 0;
    for (uint32_t i = 0; i < UNITS; i++) {
        units += want[i] > 0;
    }
    static int64_t posted[POSTS];
    for (uint32_t i = 0; i < POSTS; i++) {
        posted[i] = (int64_t)qkd_rng_below(&rng, 5000);
        ck_assert_int_eq(sim_engine_post(bench.engine, 0, posted[i], i), 0);
    }
    ck_assert_int_eq(sim_engine_run(bench.engine, 10000), 0);
    ck_assert_uint_eq(bench.count, units + POSTS);
    for (size_t i = 0; i < bench.count; i++) {
        const struct entry *entry = &bench.log[i];
        ck_assert(i == 0 || bench.log[i - 1].at_ns <= entry->at_ns);
        ck_assert_int_eq(entry->at_ns,
                         entry->what == 'w' ? want[entry->value] : posted[entry->value]);
        if (i > 0 && entry->what == 't' && bench.log[i - 1].what == 't' &&
            bench.log[i - 1].at_ns == entry->at_ns) {
            ck_assert_uint_lt(bench.log[i - 1].value, entry->value);
        }
    }
    teardown(&bench);
}
END_TEST

/* A fault drops what departs and what arrives while it lasts, on every channel over the link. */
START_TEST(faults_block_channels)
{
    struct bench bench;
    struct sim_net_config config = line_config();
    setup(&bench, &config);
    ck_assert(send_on(&bench, 0, 1, 200, 1)); /* arrives at 51,600 */
    ck_assert(send_on(&bench, 1, 2, 200, 2)); /* arrives at 36,000 */
    ck_assert_int_eq(sim_engine_run(bench.engine, 30000), 0);
    sim_net_link_set(bench.net, 0, false);
    ck_assert(!send_on(&bench, 0, 2, 200, 3)); /* its route uses link 0 */
    ck_assert(send_on(&bench, 2, 1, 200, 4));  /* its route does not; arrives at 66,000 */
    ck_assert_int_eq(sim_engine_run(bench.engine, 60000), 0);
    ck_assert_uint_eq(bench.count, 1);
    expect(&bench, 0, 'd', 36000, 2);
    sim_net_link_set(bench.net, 0, true);
    sim_net_node_set(bench.net, 2, false);
    ck_assert(!send_on(&bench, 1, 2, 200, 5));
    ck_assert(send_on(&bench, 0, 1, 200, 6));
    ck_assert_int_eq(sim_engine_run(bench.engine, 200000), 0);
    ck_assert_uint_eq(bench.count, 2);
    expect(&bench, 1, 'd', 111600, 6);
    ck_assert_uint_eq(sim_engine_stats(bench.engine)->dropped_fault, 4);
    teardown(&bench);
}
END_TEST

/* 2,000 frames with loss 0.2, duplication 0.1 and reordering 0.3: the shares lie within 5 standard
 * deviations of a binomial, no frame is early or later than its jitter, and a seed repeats itself. */
START_TEST(chance_by_seed)
{
    static struct bench bench;
    uint64_t sums[2] = {0};
    for (int run = 0; run < 2; run++) {
        struct sim_net_config config = line_config();
        config.loss = 0.2;
        config.duplicate = 0.1;
        config.reorder = 0.3;
        config.reorder_jitter_ns = 1000000;
        setup(&bench, &config);
        size_t late = 0;
        for (int i = 0; i < 2000; i++) {
            int64_t start_ns = sim_engine_now(bench.engine);
            size_t before = bench.count;
            (void)send_on(&bench, 0, 1, 125, (uint8_t)i);
            ck_assert_int_eq(sim_engine_run(bench.engine, start_ns + 2000000), 0);
            for (size_t k = before; k < bench.count; k++) {
                int64_t extra_ns = bench.log[k].at_ns - start_ns - 51000;
                ck_assert_int_ge(extra_ns, 0);
                ck_assert_int_le(extra_ns, 1000000);
                late += extra_ns > 0;
                sums[run] = sums[run] * 31 + (uint64_t)bench.log[k].at_ns;
            }
        }
        uint64_t lost = sim_engine_stats(bench.engine)->dropped_chance;
        ck_assert_uint_ge(lost, 400 - 90); /* sqrt(2000 * 0.2 * 0.8) = 17.9 */
        ck_assert_uint_le(lost, 400 + 90);
        uint64_t copies = bench.count - (2000 - lost);
        ck_assert_uint_ge(copies, 160 - 60); /* 1600 * 0.1, deviation 12 */
        ck_assert_uint_le(copies, 160 + 60);
        ck_assert_uint_ge(late, 528 - 100); /* 1760 * 0.3, deviation 19 */
        ck_assert_uint_le(late, 528 + 100);
        ck_assert_uint_eq(sim_pool_live(bench.pool), 0);
        teardown(&bench);
    }
    ck_assert_uint_eq(sums[0], sums[1]);
}
END_TEST

/* Square 0-1-2-3 with one slow diagonal 0-2: the way round is faster, but neighbours go direct;
 * opposite corners 1 and 3 go over the faster side, the same both ways; node 4 is alone. */
START_TEST(routes_of_least_latency)
{
    static const struct host_cable links[] = {{0, 1, 10, 1000},  {1, 2, 10, 2000},
                                              {2, 3, 5, 3000},   {3, 0, 10, 4000},
                                              {0, 2, 100, 9000}, {0, 2, 90, 8000}};
    struct sim_net_config config = {.node_count = 5,
                                    .links = links,
                                    .link_count = 6,
                                    .queue_bytes = 1000,
                                    .hubs = {3, SIM_NET_NONE, SIM_NET_NONE}};
    struct sim_net *net = NULL;
    ck_assert_int_eq(sim_net_new(&config, &net), 0);
    struct sim_channel *channel = sim_net_channel(net, 0, 2, SIM_PLANE_DATA);
    ck_assert(channel->routed);
    ck_assert_uint_eq(channel->route_len, 1);
    ck_assert_uint_eq(channel->route[0], 5); /* the faster of the parallel links */
    ck_assert_int_eq(channel->latency_ns, 90);
    channel = sim_net_channel(net, 1, 3, SIM_PLANE_DATA);
    ck_assert_uint_eq(channel->route_len, 2);
    ck_assert_uint_eq(channel->route[0], 1);
    ck_assert_uint_eq(channel->route[1], 2);
    ck_assert_int_eq(channel->latency_ns, 15);
    ck_assert_uint_eq(channel->bandwidth_bps, 2000);
    struct sim_channel *back = sim_net_channel(net, 3, 1, SIM_PLANE_DATA);
    ck_assert_uint_eq(back->route[0], 2);
    ck_assert_uint_eq(back->route[1], 1);
    ck_assert_ptr_eq(sim_net_channel(net, 1, 3, SIM_PLANE_DATA), channel);
    ck_assert(!sim_net_channel(net, 4, 1, SIM_PLANE_DATA)->routed);
    sim_net_free(net);
}
END_TEST

/* Random networks: every route is a path, as short as Floyd and Warshall's matrix says (neighbours
 * excepted), and the same backwards. */
START_TEST(routes_against_floyd_warshall)
{
    enum { NODES = 24, LINKS = 50 };
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 3, "route test", (uint64_t)_i);
    struct host_cable links[LINKS];
    int64_t dist[NODES][NODES];
    bool beside[NODES][NODES] = {{false}};
    for (int a = 0; a < NODES; a++) {
        for (int b = 0; b < NODES; b++) {
            dist[a][b] = a == b ? 0 : INT64_MAX / 4;
        }
    }
    for (int i = 0; i < LINKS; i++) {
        uint32_t a = (uint32_t)qkd_rng_below(&rng, NODES);
        uint32_t b = (a + 1 + (uint32_t)qkd_rng_below(&rng, NODES - 1)) % NODES;
        links[i] = (struct host_cable){a, b, (int64_t)qkd_rng_below(&rng, 6), 1000};
        beside[a][b] = beside[b][a] = true;
        if (links[i].latency_ns < dist[a][b]) {
            dist[a][b] = dist[b][a] = links[i].latency_ns;
        }
    }
    for (int k = 0; k < NODES; k++) {
        for (int a = 0; a < NODES; a++) {
            for (int b = 0; b < NODES; b++) {
                if (dist[a][k] + dist[k][b] < dist[a][b]) {
                    dist[a][b] = dist[a][k] + dist[k][b];
                }
            }
        }
    }
    struct sim_net_config config = {.node_count = NODES,
                                    .links = links,
                                    .link_count = LINKS,
                                    .queue_bytes = 1000,
                                    .hubs = {2, 17, SIM_NET_NONE}};
    struct sim_net *net = NULL;
    ck_assert_int_eq(sim_net_new(&config, &net), 0);
    for (uint32_t a = 0; a < NODES; a++) {
        for (uint32_t b = 0; b < NODES; b++) {
            if (a == b) {
                continue;
            }
            const struct sim_channel *channel = sim_net_channel(net, a, b, SIM_PLANE_DATA);
            const struct sim_channel *back = sim_net_channel(net, b, a, SIM_PLANE_DATA);
            ck_assert_int_eq(channel->routed, dist[a][b] < INT64_MAX / 4);
            if (!channel->routed) {
                continue;
            }
            uint32_t node = a;
            int64_t sum_ns = 0;
            for (uint32_t i = 0; i < channel->route_len; i++) {
                const struct host_cable *link = &links[channel->route[i]];
                ck_assert(link->a == node || link->b == node);
                node = link->a == node ? link->b : link->a;
                sum_ns += link->latency_ns;
                ck_assert_uint_eq(channel->route[i], back->route[channel->route_len - 1 - i]);
            }
            ck_assert_uint_eq(node, b);
            ck_assert_int_eq(sum_ns, channel->latency_ns);
            if (!beside[a][b]) {
                ck_assert_int_eq(sum_ns, dist[a][b]);
            }
        }
    }
    sim_net_free(net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine fast");
    TCase *tests = tcase_create("engine");
    tcase_add_test(tests, latency_and_serialisation);
    tcase_add_test(tests, route_latency_and_bottleneck);
    tcase_add_test(tests, management_is_a_network_of_its_own);
    tcase_add_test(tests, long_frame_passes_alone);
    tcase_add_test(tests, full_queue_drops);
    tcase_add_test(tests, ties_keep_their_order);
    tcase_add_test(tests, deadlines_move);
    tcase_add_loop_test(tests, calendar_against_sorting, 0, 5);
    tcase_add_test(tests, faults_block_channels);
    tcase_add_test(tests, chance_by_seed);
    tcase_add_test(tests, routes_of_least_latency);
    tcase_add_loop_test(tests, routes_against_floyd_warshall, 0, 10);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
