/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pooled supply (docs/protocol.md, "Pooled supply"): what a frame of pooled keys costs, to the bit; that requests
 * are served from the pool, by all applications of a pair of key managers, and by relay on demand where it lacks;
 * expiry; restarts of both ends. The oracle judges each run: every key once, the same at both ends.
 * Topology: a line A B C. By hand: a frame of N pooled keys of 256 bit takes 138 bytes of body and metadata and
 * 64 N of keys and compare keys under the pad, and a tag of 16. */
#include "tests/sim/world_lib.h"

enum { TAG_BITS = 128, KEY_BITS = 256, FIXED_BITS = 8 * 138, POOLED_BITS = 512 };

static struct lib_run run;

static const char *text(const char *key_management, const char *applications)
{
    static char buffer[3072];
    (void)snprintf(
        buffer, sizeof buffer,
        "scenario: line\nduration: 60 s\nengine: fast\n"
        "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"
        "    - {id: AB, ends: [A, B], initial: 4 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BC, ends: [B, C], initial: 4 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "key_management: {supply: pooled, %s}\n"
        "applications:\n%s",
        key_management, applications);
    return buffer;
}

#define ONE(more)                                                                                  \
    "  - {id: x, from: A, to: C, arrivals: periodic, rate: 10 /s, start: 5 s, stop: 15050 ms" more \
    "}\n"

/* The first request finds no pool and is relayed; while the pool is filled the second may be, too. All others come
 * from frames of N. */
START_TEST(a_frame_pays_for_its_keys)
{
    static const uint32_t batches[] = {1, 4, 16};
    uint32_t n = batches[_i];
    char keys[64];
    (void)snprintf(keys, sizeof keys, "pool_low: 16, pool_high: 32, pool_batch: %u", n);
    lib_run_text(&run, text(keys, ONE("")));
    ck_assert_uint_eq(run.summary.requests.served, 100);
    const struct scn_bits *bits = &run.summary.links[1].bits;
    uint64_t relayed = run.summary.keys.drawn / KEY_BITS; /* keys */
    uint64_t frames = run.summary.links[1].frames;
    ck_assert_uint_eq(run.summary.keys.supplied, 100 * KEY_BITS);
    ck_assert_uint_eq(run.summary.keys.pooled, (relayed - 100) * KEY_BITS);
    ck_assert_uint_ge(relayed, 100 + 16);
    ck_assert_uint_le(relayed, 100 + 32);
    /* d frames of the single keys on demand, the rest pooled: keys = d + pooled */
    uint64_t on_demand = 1;
    uint64_t pooled = relayed - on_demand;
    ck_assert_uint_ge(n * (frames - on_demand), pooled);
    ck_assert_uint_eq(bits->pads,
                      frames * FIXED_BITS + on_demand * KEY_BITS + pooled * POOLED_BITS);
    lib_end(&run);
}
END_TEST

/* Requests of three keys: a bundle of three has one compare key, so 8 * 128 bits under the pad. Only the first
 * request is relayed on demand, key by key; after it each is one piece of the pool. */
START_TEST(keys_of_one_request_are_one_bundle)
{
    lib_run_text(&run, text("pool_low: 12, pool_high: 24, pool_batch: 12", ONE(", count: 3")));
    ck_assert_uint_eq(run.summary.requests.served, 100);
    ck_assert_uint_eq(run.summary.keys.supplied, 300 * KEY_BITS);
    uint64_t relayed = run.summary.keys.drawn / KEY_BITS;
    uint64_t pooled = relayed - 3;
    uint64_t frames = run.summary.links[1].frames;
    ck_assert_uint_eq(pooled % 12, 0); /* full frames of four bundles */
    ck_assert_uint_eq(frames, 3 + pooled / 12);
    ck_assert_uint_eq(run.summary.links[1].bits.pads,
                      frames * FIXED_BITS + 3 * KEY_BITS + pooled / 3 * 1024);
    lib_end(&run);
}
END_TEST

/* Requests of four and of six keys out of one pool: bundles of two serve both. */
START_TEST(bundles_serve_requests_of_several_sizes)
{
    lib_run_text(&run, text("pool_low: 24, pool_high: 48",
                            ONE(", count: 4") "  - {id: y, from: A, to: C, arrivals: periodic, "
                                              "rate: 5 /s, start: 6 s, stop: 15 s, count: 6}\n"));
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    /* 670 keys: one by one they would be 1,340 frames; in frames of up to 16 about 100 */
    ck_assert_uint_lt(run.summary.relay.frames, 300);
    lib_end(&run);
}
END_TEST

/* Latency: a pooled key is at its master after the comparison, one relayed on demand after the way there too. */
START_TEST(pooled_keys_are_there_at_once)
{
    lib_run_text(&run, text("pool_low: 16", ONE("")));
    double pooled_s = run.summary.latency.p50;
    lib_end(&run);
    lib_begin(&run, text("pool_low: 16", ONE("")));
    run.scenario->key_management.supply = SCN_SUPPLY_ON_DEMAND;
    lib_go(&run);
    lib_good(&run);
    ck_assert_double_lt(pooled_s, 0.6 * run.summary.latency.p50);
    lib_end(&run);
}
END_TEST

/* Two applications share a pool; a third asks for keys of another size, a fourth for more than there are. */
START_TEST(who_is_served_from_the_pool)
{
    lib_run_text(&run, text("pool_low: 8, pool_high: 16",
                            ONE("") "  - {id: y, from: A, to: C, arrivals: periodic, rate: 5 /s, "
                                    "start: 6 s, stop: 15 s, level: otp-only}\n"
                                    "  - {id: long, from: A, to: C, arrivals: periodic, rate: 1 "
                                    "/s, start: 6 s, stop: 15 s, key: 512 bit}\n"
                                    "  - {id: many, from: A, to: C, arrivals: periodic, rate: 1 "
                                    "/s, start: 6 s, stop: 15 s, count: 20}\n"));
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    /* one of x, 20 for each of the 9 or 10 of many, as many of long: the rest is pooled */
    ck_assert_uint_lt(run.summary.relay.frames, 2 * (100 + 45 + 10 + 200) * 2 / 3);
    lib_end(&run);
}
END_TEST

/* Keys that nobody asks for expire at their source before they do at the destination. */
START_TEST(unused_keys_expire)
{
    lib_run_text(&run, text("pool_low: 8, pool_high: 16, timer: 10 s",
                            "  - {id: x, from: A, to: C, arrivals: periodic, rate: 0.2 /s, "
                            "start: 5 s, stop: 55 s}\n"));
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    ck_assert_uint_ge(run.summary.keys.expired, 4 * 8 * KEY_BITS);
    ck_assert_uint_eq(run.summary.mismatched_pairs, 0);
    lib_end(&run);
}
END_TEST

/* Each end falls, in the middle of commits too; frames are lost, doubled and held back. A request that meets a key
 * that the other end has lost gets another. */
START_TEST(restarts_of_either_end)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        lib_run_lossy(
            &run,
            text("pool_low: 8, pool_high: 16, pool_batch: 4, lease: 512 bit, retransmit: 50 "
                 "ms}\n"
                 "faults:\n  - {at: 10 s, node: C, what: crash, for: 300 ms}\n"
                 "  - {at: 15 s, node: A, what: crash, for: 300 ms, output: 40}\n"
                 "  - {at: 20 s, node: C, what: crash, for: 300 ms, output: 100}\n"
                 "  - {at: 25 s, node: B, what: crash, for: 300 ms}\n"
                 "control: {status_period: 500 ms, at: B",
                 "  - {id: x, from: A, to: C, arrivals: poisson, rate: 8 /s, start: 5 s, "
                 "stop: 40 s, count: 2}\n"),
            seed, 0.02);
        ck_assert_double_ge((double)run.summary.requests.served,
                            0.9 * (double)run.summary.requests.total);
        lib_end(&run);
    }
}
END_TEST

/* Without loss and with time to spare a restart of the destination costs no request. */
START_TEST(a_lost_pool_costs_no_request)
{
    lib_run_text(&run, text("pool_low: 8, pool_high: 16}\n"
                            "faults:\n  - {at: 20 s, node: C, what: crash, for: 100 ms}\n"
                            "control: {at: A",
                            "  - {id: x, from: A, to: C, arrivals: periodic, rate: 1 /s, start: "
                            "5500 ms, stop: 40 s, count: 3}\n"));
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    ck_assert_uint_gt(run.summary.keys.discarded, 8 * KEY_BITS - 1);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pooled");
    TCase *tc = tcase_create("worlds");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_frame_pays_for_its_keys, 0, 3);
    tcase_add_test(tc, keys_of_one_request_are_one_bundle);
    tcase_add_test(tc, bundles_serve_requests_of_several_sizes);
    tcase_add_test(tc, pooled_keys_are_there_at_once);
    tcase_add_test(tc, who_is_served_from_the_pool);
    tcase_add_test(tc, unused_keys_expire);
    tcase_add_test(tc, restarts_of_either_end);
    tcase_add_test(tc, a_lost_pool_costs_no_request);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
