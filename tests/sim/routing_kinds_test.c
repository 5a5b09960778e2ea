/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each routing of the scenario chooses in a network made so that they differ; its numbers reach
 * the controller by the elements' own messages.
 *
 *   S - A - T              2 hops of 100 km, 20 kbit/s, 2 Mbit in store: fewest hops
 *   S - B - C - T          3 hops of   5 km, 10 kbit/s, 4 Mbit: least delay (15 km against 200 and 80)
 *   S - D - E - F - T      4 hops of  20 km, 200 kbit/s, 8 Mbit: widest, and refilled in least time
 *                          (4 / 200 against 2 / 20 and 3 / 10) */
#include "tests/sim/world_lib.h"

static struct lib_run run;

static const char network[] =
    "scenario: routings\n"
    "duration: 12 s\n"
    "warmup: 3 s\n"
    "network:\n"
    "  nodes: [{id: S}, {id: A}, {id: B}, {id: C}, {id: D}, {id: E}, {id: F}, {id: T}]\n"
    "  links:\n"
    "  - {id: SA, ends: [S, A], length: 100 km, loss: 1 dB, initial: 2 Mbit, qkd: {rate: 20 "
    "kbit/s, block: 20 kbit}}\n"
    "  - {id: AT, ends: [A, T], length: 100 km, loss: 1 dB, initial: 2 Mbit, qkd: {rate: 20 "
    "kbit/s, block: 20 kbit}}\n"
    "  - {id: SB, ends: [S, B], length: 5 km, initial: 4 Mbit, qkd: {rate: 10 kbit/s, block: 10 "
    "kbit}}\n"
    "  - {id: BC, ends: [B, C], length: 5 km, initial: 4 Mbit, qkd: {rate: 10 kbit/s, block: 10 "
    "kbit}}\n"
    "  - {id: CT, ends: [C, T], length: 5 km, initial: 4 Mbit, qkd: {rate: 10 kbit/s, block: 10 "
    "kbit}}\n"
    "  - {id: SD, ends: [S, D], length: 20 km, initial: 8 Mbit, qkd: {rate: 200 kbit/s, block: 200 "
    "kbit}}\n"
    "  - {id: DE, ends: [D, E], length: 20 km, initial: 8 Mbit, qkd: {rate: 200 kbit/s, block: 200 "
    "kbit}}\n"
    "  - {id: EF, ends: [E, F], length: 20 km, initial: 8 Mbit, qkd: {rate: 200 kbit/s, block: 200 "
    "kbit}}\n"
    "  - {id: FT, ends: [F, T], length: 20 km, initial: 8 Mbit, qkd: {rate: 200 kbit/s, block: 200 "
    "kbit}}\n"
    "applications:\n"
    "  - {id: v, from: S, to: T, key: 256 bit, arrivals: periodic, rate: 4 /s, start: 3 s, stop: "
    "11 s}\n";

/* Runs with a routing; counts served requests by the hops of their routes. */
static void run_with(const char *control, unsigned served[8])
{
    char text[4096];
    snprintf(text, sizeof text, "%scontrol: {route_validity: 10 ms, %s}\n", network, control);
    lib_run_text(&run, text);
    for (unsigned i = 0; i < 8; i++) {
        served[i] = 0;
    }
    ck_assert_uint_gt(run.request_count, 20);
    for (size_t i = 0; i < run.request_count; i++) {
        ck_assert_str_eq(run.requests[i].outcome, "served");
        served[run.requests[i].route_count - 1]++;
    }
    lib_end(&run);
}

static const struct {
    const char *control;
    unsigned hops; /* of all routes */
} cases[] = {{"routing: fewest-hops", 2},
             {"routing: lowest-delay", 3},
             {"routing: widest", 4},
             {"routing: refill-time", 4},
             {"routing: k-shortest, paths: 2", 3},
             {"routing: k-shortest, paths: 3", 4},
             {"routing: disjoint, paths: 2", 3},
             {"routing: disjoint, paths: 3", 4}};

START_TEST(each_its_own)
{
    unsigned served[8];
    run_with(cases[_i].control, served);
    for (unsigned hops = 0; hops < 8; hops++) {
        ck_assert_msg((served[hops] > 0) == (hops == cases[_i].hops), "%s: %u by %u hops",
                      cases[_i].control, served[hops], hops);
    }
}
END_TEST

/* Load spreads: the links of 200 kbit/s carry most, the others are not idle. */
START_TEST(least_loaded_spreads)
{
    unsigned served[8];
    run_with("routing: least-loaded", served);
    ck_assert_uint_gt(served[2], 0);
    ck_assert_uint_gt(served[3], 0);
    ck_assert_uint_gt(served[4], served[2] + served[3]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routing kinds");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, each_its_own, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tests, least_loaded_spreads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
