/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle over real elements under stress. Topology: A - B - C - D in a line, keys in both
 * directions and between neighbours, small stores and leases, frames lost, doubled and reordered.
 * Seeds: crashes and outages of the scenario; the listed ones once broke rule 1 (a block used before
 * its confirmation left, a GRANT sent again after the range had come back). Outputs: node B or C
 * crashes right after its n-th output, for n over the whole run. Starved: a ring asked for more than
 * its links give, so that relays fail for want of pads. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/time.h"
#include "core/crypto/crypto.h"
#include "sim/world.h"

static const char NETWORK[] =
    "warmup: 1 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 25 km,\n"
    "       qkd: {model: rate, rate: 60 kbit/s, block: 60 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 25 km,\n"
    "       qkd: {model: rate, rate: 60 kbit/s, block: 60 kbit}}\n"
    "    - {id: CD, ends: [C, D], length: 25 km,\n"
    "       qkd: {model: rate, rate: 60 kbit/s, block: 60 kbit}}\n"
    "  classical: {loss: 0.1, duplicate: 0.1, reorder: 0.1}\n"
    "key_management: {store: 4 Mbit, expiry: 10 s, fetch_within: 20 s, timer: 60 s}\n"
    "applications:\n"
    "  - {id: far, from: A, to: D, key: 256 bit, arrivals: poisson, rate: 20 /s, timeout: 5 s}\n"
    "  - {id: near, from: B, to: C, key: 256 bit, arrivals: poisson, rate: 10 /s, timeout: 5 s}\n"
    "  - {id: back, from: D, to: B, key: 512 bit, arrivals: poisson, rate: 10 /s, timeout: 5 s}\n";

static const char FAULTS[] = "faults:\n"
                             "  - {at: 10 s, node: B, what: crash, for: 3 s}\n"
                             "  - {at: 20 s, link: BC, what: both, for: 3 s}\n"
                             "  - {at: 25 s, node: C, what: crash, for: 1 s}\n"
                             "  - {at: 30 s, node: A, what: crash, for: 2 s}\n"
                             "  - {at: 35 s, node: D, what: crash, for: 2 s}\n"
                             "  - {at: 40 s, link: AB, what: classical, for: 4 s}\n"
                             "  - {at: 48 s, node: B, what: crash, for: 100 ms}\n"
                             "  - {at: 52 s, node: C, what: crash, for: 100 ms}\n";

struct outcome {
    struct scn_summary summary;
    uint64_t outputs;
};

/* Six nodes in a ring, each asks for keys with the one across: three hops. */
static const char RING[] =
    "warmup: 1 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes: [{id: N0}, {id: N1}, {id: N2}, {id: N3}, {id: N4}, {id: N5}]\n"
    "  links:\n"
    "    - {id: L0, ends: [N0, N1], length: 25 km, qkd: {model: rate, rate: 20 kbit/s}}\n"
    "    - {id: L1, ends: [N1, N2], length: 25 km, qkd: {model: rate, rate: 20 kbit/s}}\n"
    "    - {id: L2, ends: [N2, N3], length: 25 km, qkd: {model: rate, rate: 20 kbit/s}}\n"
    "    - {id: L3, ends: [N3, N4], length: 25 km, qkd: {model: rate, rate: 20 kbit/s}}\n"
    "    - {id: L4, ends: [N4, N5], length: 25 km, qkd: {model: rate, rate: 20 kbit/s}}\n"
    "    - {id: L5, ends: [N5, N0], length: 25 km, qkd: {model: rate, rate: 20 kbit/s}}\n"
    "key_management: {batch: 16}\n"
    "applications:\n"
    "  - {id: a0, from: N0, to: N3, key: 256 bit, count: 16, arrivals: poisson, rate: 3 /s}\n"
    "  - {id: a1, from: N1, to: N4, key: 256 bit, count: 16, arrivals: poisson, rate: 3 /s}\n"
    "  - {id: a2, from: N2, to: N5, key: 256 bit, arrivals: poisson, rate: 3 /s}\n"
    "  - {id: a3, from: N3, to: N0, key: 256 bit, arrivals: poisson, rate: 3 /s}\n"
    "  - {id: a4, from: N4, to: N1, key: 256 bit, arrivals: poisson, rate: 3 /s}\n"
    "  - {id: a5, from: N5, to: N2, key: 256 bit, arrivals: poisson, rate: 3 /s}\n";

/* Runs a scenario given as text and its length. */
static void run_text(const char *text, int len, const struct sim_hooks *hooks, struct outcome *to)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text from = {.name = "test", .text = text, .len = (size_t)len};
    ck_assert_int_eq(scn_load_text(&from, NULL, &scenario, &errors), 0);
    scn_errors_fini(&errors);
    struct sim_options options = {0};
    struct sim_world *world = NULL;
    ck_assert_int_eq(scn_summary_init(&to->summary, scenario), 0);
    ck_assert_int_eq(sim_world_new(scenario, &options, &to->summary, &world), 0);
    if (hooks != NULL) {
        sim_world_hook(world, hooks);
    }
    ck_assert_int_eq(sim_world_run(world), 0);
    to->outputs = world->outputs;
    sim_world_free(world);
    scn_free(scenario);
}

static void run(uint64_t seed, const char *duration, bool faults, const struct sim_hooks *hooks,
                struct outcome *to)
{
    char text[4096];
    int len = snprintf(text, sizeof text, "scenario: oracle\nseed: %lu\nduration: %s\n%s%s",
                       (unsigned long)seed, duration, NETWORK, faults ? FAULTS : "");
    ck_assert_int_lt(len, (int)sizeof text);
    run_text(text, len, hooks, to);
}

/* No violation, and rule 6 in the sums that the summary shows. */
static void is_sound(const struct outcome *o, const char *what, uint64_t number)
{
    const struct scn_summary *s = &o->summary;
    ck_assert_msg(s->oracle.violations == 0, "%s %lu: %s", what, (unsigned long)number,
                  s->oracle.first);
    ck_assert_uint_eq(s->mismatched_pairs, 0);
    ck_assert_uint_gt(s->requests.served, 0);
    ck_assert_uint_gt(s->oracle.checks, 1000);
    const struct scn_bits *b = &s->bits;
    ck_assert_uint_eq(b->generated + b->bootstrap, b->stored + b->pads + b->tags + b->hash_keys +
                                                       b->fallback_keys + b->postproc_auth +
                                                       b->relayed_as_key + b->expired +
                                                       b->discarded + b->in_flight);
    const struct scn_keys *k = &s->keys;
    ck_assert_uint_eq(k->drawn + k->relayed_as_key,
                      k->supplied + k->pooled + k->expired + k->discarded + k->in_flight);
}

START_TEST(crashes_and_outages)
{
    static const uint64_t seeds[] = {1, 3, 8, 19, 20, 21};
    struct outcome o;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        run(seeds[i], "60 s", true, NULL, &o);
        is_sound(&o, "seed", seeds[i]);
        ck_assert_uint_gt(o.summary.bits.discarded, 0); /* leases did become void */
        scn_summary_fini(&o.summary);
    }
}
END_TEST

START_TEST(crash_after_any_output)
{
    enum { CRASHES = 60 };
    struct outcome base;
    run(5, "8 s", false, NULL, &base);
    is_sound(&base, "no crash", 0);
    for (uint64_t i = 0; i < CRASHES; i++) {
        /* a step that is no divisor of anything: commits and sends of all kinds are met */
        uint64_t n = base.outputs / 8 + i * (base.outputs * 7 / 8) / CRASHES + i % 7;
        struct sim_hooks hooks = {.crash_output = n, .crash_for_ns = 300 * QKD_NS_PER_MS};
        struct outcome o;
        run(5, "8 s", false, &hooks, &o);
        is_sound(&o, "crash after output", n);
        scn_summary_fini(&o.summary);
    }
    scn_summary_fini(&base.summary);
}
END_TEST

/* Crashes that once misled the oracle: the answer to a confirmation persisted and not sent, a frame
 * repeated long after, a frame lost from its own ring. */
START_TEST(crashes_once_misjudged)
{
    static const uint64_t cases[][2] = {{7, 2468}, {9, 3045}, {11, 2850}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_hooks hooks = {.crash_output = cases[i][1], .crash_for_ns = 300 * QKD_NS_PER_MS};
        struct outcome o;
        run(cases[i][0], "8 s", false, &hooks, &o);
        is_sound(&o, "crash after output", cases[i][1]);
        scn_summary_fini(&o.summary);
    }
}
END_TEST

/* Keys whose relay failed are discarded when the source says so, not held in flight until they are
 * too old: at the end no more is in flight than open requests and those of the last status period,
 * whose records are still under way, ask for (6 applications, 3 per second each, at most 16 keys of
 * 256 bit), and nothing had the time to expire. */
START_TEST(failed_relays_are_settled)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        char text[4096];
        int len = snprintf(text, sizeof text, "scenario: starved\nseed: %lu\nduration: 120 s\n%s",
                           (unsigned long)seed, RING);
        ck_assert_int_lt(len, (int)sizeof text);
        struct outcome o;
        run_text(text, len, NULL, &o);
        is_sound(&o, "starved", seed);
        const struct scn_keys *k = &o.summary.keys;
        ck_assert_uint_gt(o.summary.requests.refused, 0);
        ck_assert_uint_gt(k->discarded, 0);
        ck_assert_uint_eq(k->expired, 0);
        ck_assert_uint_le(k->in_flight, (o.summary.requests.pending + 18) * 16 * 256);
        scn_summary_fini(&o.summary);
    }
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("oracle_world");
    TCase *stress = tcase_create("stress");
    tcase_set_timeout(stress, 100);
    tcase_add_test(stress, crashes_and_outages);
    tcase_add_test(stress, crash_after_any_output);
    tcase_add_test(stress, crashes_once_misjudged);
    tcase_add_test(stress, failed_relays_are_settled);
    suite_add_tcase(suite, stress);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
