/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multicast (docs/protocol.md, "Multicast"): one key to applications at several nodes; what it costs, to the
 * bit; all or nothing; the weakest grade; losses and restarts. The oracle judges each run: the same key at all
 * ends, to each of them once, to nobody before all KSAs have compared it, drawn once.
 * Topology: B in the middle, A, C and D around it. By hand: a hop of one key of 256 bit takes 138 bytes of
 * body and metadata and the key under the pad, and a tag of 16; a share of multipath 2 bytes more. */
#include "tests/sim/world_lib.h"

enum { TAG_BITS = 128, KEY_BITS = 256, RELAY_BITS = 8 * 138 + KEY_BITS };

static struct lib_run run;

static const char *text(const char *bd, const char *key_management, const char *applications)
{
    static char buffer[3072];
    (void)snprintf(
        buffer, sizeof buffer,
        "scenario: star\nduration: 60 s\nengine: fast\n"
        "network:\n  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n  links:\n"
        "    - {id: AB, ends: [A, B], initial: 8 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BC, ends: [B, C], initial: 8 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BD, ends: [B, D], initial: %s, qkd: {model: rate, rate: 1 bit/s}}\n"
        "key_management: {%s}\ncontrol: {at: B}\nmanagement: {at: B}\n"
        "applications:\n%s",
        bd, key_management, applications);
    return buffer;
}

#define CONF(more)                                                                                 \
    "  - {id: conf, from: A, to: B, also: [C, D], arrivals: periodic, rate: 5 /s, start: 5 s, "    \
    "stop: 25050 ms" more "}\n"

/* A draws each key once; AB carries it three times, BC and BD once. The neighbour B gets no link key. */
START_TEST(a_key_for_three_is_drawn_once)
{
    lib_run_text(&run, text("8 Mbit", "batch: 1", CONF("")));
    const struct scn_summary *s = &run.summary;
    ck_assert_uint_eq(s->requests.served, 100);
    ck_assert_uint_eq(s->keys.drawn, 100 * KEY_BITS);
    ck_assert_uint_eq(s->keys.supplied, 100 * KEY_BITS);
    ck_assert_uint_eq(s->keys.relayed_as_key, 0);
    ck_assert_uint_eq(s->links[0].bits.relayed_as_key, 0);
    ck_assert_uint_eq(s->links[0].bits.pads, 300 * RELAY_BITS);
    ck_assert_uint_eq(s->links[1].bits.pads, 100 * RELAY_BITS);
    ck_assert_uint_eq(s->links[2].bits.pads, 100 * RELAY_BITS);
    size_t fetched = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        fetched += run.requests[i].fetched_ns > run.requests[i].end_ns;
    }
    ck_assert_uint_eq(fetched, 100); /* by all three */
    lib_end(&run);
}
END_TEST

/* Several keys of one request in frames of some of them; applications of two and of one beside it. */
START_TEST(several_keys_and_other_applications)
{
    static const char *const options[] = {"batch: 1",
                                          "batch: 3",
                                          "batch: 16",
                                          "supply: pooled, pool_low: 8, pool_high: 16",
                                          "retention: preserve",
                                          "deployment: two"};
    lib_run_text(&run,
                 text("8 Mbit", options[_i],
                      CONF(", count: 7") "  - {id: back, from: D, to: C, also: [A], arrivals: "
                                         "poisson, rate: 5 /s, count: 2, start: 5 s}\n"
                                         "  - {id: pair, from: A, to: C, arrivals: poisson, rate: "
                                         "5 /s, start: 5 s}\n"));
    const struct scn_summary *s = &run.summary;
    ck_assert_uint_eq(s->requests.served, s->requests.total);
    ck_assert_uint_eq(s->keys.supplied, s->supplied_bits);
    lib_end(&run);
}
END_TEST

/* D cannot be reached: nobody is given a key, though B and C could be. Then it can. */
START_TEST(all_or_nothing)
{
    lib_run_text(&run, text("8 Mbit", "batch: 1",
                            CONF("") "faults:\n  - {at: 4 s, link: BD, what: both, for: 10 s}\n"));
    size_t refused = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        bool is_cut = r->start_ns < INT64_C(14) * QKD_NS_PER_S;
        refused += strcmp(r->outcome, "served") != 0;
        ck_assert_msg(!is_cut || r->supplied == 0, "request %zu got a key", i);
        ck_assert_msg(r->start_ns < INT64_C(17) * QKD_NS_PER_S || r->supplied == 1,
                      "request %zu got none", i);
    }
    ck_assert_uint_ge(refused, 45);
    ck_assert_uint_eq(run.summary.keys.supplied, (100 - refused) * KEY_BITS);
    ck_assert_uint_eq(run.summary.supplied_unanswered, 0);
    lib_end(&run);
}
END_TEST

/* BD has no pads left and goes on under AES-256: that is the grade for all, also where the way is padded. */
START_TEST(the_weakest_way_is_the_grade)
{
    lib_run_text(&run,
                 text("100 kbit", "batch: 1, fallback: aes-256", CONF(", level: otp-preferred")));
    const struct scn_summary *s = &run.summary;
    ck_assert_uint_eq(s->requests.served, 100);
    ck_assert_uint_gt(s->supplied_aes_bits, 0);
    ck_assert_uint_gt(s->supplied_otp_bits, 0);
    ck_assert_uint_eq(s->supplied_aes_bits + s->supplied_otp_bits, 100 * KEY_BITS);
    lib_end(&run);
    lib_run_text(&run, text("100 kbit", "batch: 1, fallback: aes-256", CONF(", level: otp-only")));
    ck_assert_uint_eq(run.summary.supplied_aes_bits, 0);
    ck_assert_uint_lt(run.summary.requests.served, 100);
    lib_end(&run);
}
END_TEST

static const struct scn_application_summary *summary_of(const char *id)
{
    for (size_t i = 0; i < run.scenario->application_count; i++) {
        if (strcmp(run.scenario->applications[i].id, id) == 0) {
            return &run.summary.applications[i];
        }
    }
    ck_abort_msg("no application %s", id);
    return NULL;
}

/* The way to each slave is told: D is compromised, and holds every key of `conf`, whose first slave's way does
 * not pass it; `pair` has other slaves. Hops are those of the longest way. */
START_TEST(every_way_is_told)
{
    static const char *const ids[] = {"conf", "conf.C", "conf.D", "pair", "pair.C"};
    static const uint32_t lens[] = {2, 3, 3, 2, 3}; /* A B, A B C, A B D */
    static const uint32_t ends[] = {1, 2, 3, 1, 2};
    lib_begin(&run, text("8 Mbit", "batch: 1",
                         CONF("") "  - {id: pair, from: A, to: B, also: [C], arrivals: periodic, "
                                  "rate: 1 /s, start: 5 s, stop: 25050 ms}\n"));
    run.scenario->nodes[3].compromised = true;
    lib_go(&run);
    lib_good(&run);
    for (size_t i = 0; i < 5; i++) {
        const struct scn_application_summary *s = summary_of(ids[i]);
        ck_assert_uint_eq(s->route_count, 1);
        ck_assert_uint_eq(s->routes[0].served, i < 3 ? 100 : 20);
        ck_assert_uint_eq(s->routes[0].node_count, lens[i]);
        ck_assert_uint_eq(s->routes[0].nodes[lens[i] - 1], ends[i]);
    }
    ck_assert_uint_eq(summary_of("conf")->leaked_bits, 100 * KEY_BITS);
    ck_assert_uint_eq(summary_of("pair")->leaked_bits, 0);
    ck_assert_double_eq(summary_of("conf")->hops_mean, 2);
    lib_end(&run);
}
END_TEST

/* Frames are lost, doubled and held back; master's node, slaves' and the one between fall, in the middle of
 * commits too. */
START_TEST(losses_and_restarts)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        lib_run_lossy(
            &run,
            text("8 Mbit",
                 "lease: 512 bit, retransmit: 50 ms}\n"
                 "faults:\n  - {at: 10 s, node: C, what: crash, for: 300 ms, output: 60}\n"
                 "  - {at: 15 s, node: A, what: crash, for: 300 ms, output: 40}\n"
                 "  - {at: 20 s, node: D, what: crash, for: 300 ms, output: 100}\n"
                 "  - {at: 25 s, node: B, what: crash, for: 300 ms}\n"
                 "measures: {",
                 "  - {id: conf, from: A, to: B, also: [C, D], arrivals: poisson, rate: 8 /s, "
                 "start: 5 s, stop: 40 s, count: 3}\n"),
            seed, 0.02);
        ck_assert_double_ge((double)run.summary.requests.served,
                            0.8 * (double)run.summary.requests.total);
        lib_end(&run);
    }
}
END_TEST

/* A ring of six: each slave's copy takes two ways of shares of its own. */
START_TEST(over_several_ways)
{
    lib_run_text(&run, "scenario: ring\nduration: 60 s\nengine: fast\n"
                       "network:\n  generate: {kind: ring, nodes: 6, spacing: 20 km, "
                       "link: {qkd: {rate: 100 kbit/s, block: 100 kbit}}}\n"
                       "key_management: {relay: multipath, paths: 2}\n"
                       "applications:\n"
                       "  - {id: conf, from: n0001, to: n0003, also: [n0002, n0005], arrivals: "
                       "poisson, rate: 2 /s, "
                       "start: 20 s}\n");
    ck_assert_uint_gt(run.summary.requests.total, 50);
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("multicast");
    TCase *tc = tcase_create("worlds");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_key_for_three_is_drawn_once);
    tcase_add_loop_test(tc, several_keys_and_other_applications, 0, 6);
    tcase_add_test(tc, all_or_nothing);
    tcase_add_test(tc, the_weakest_way_is_the_grade);
    tcase_add_test(tc, every_way_is_told);
    tcase_add_test(tc, losses_and_restarts);
    tcase_add_test(tc, over_several_ways);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
