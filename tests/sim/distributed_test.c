/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode: distributed in whole worlds (docs/protocol.md, "Distributed"): routes without a controller; routes
 * after the controller is gone; no loops and no black holes on random networks with cuts.
 *
 *   S - A - T        2 hops
 *   S - B - C - T    3 hops; the controller, if there is one, is at B */
#include "sim/fuzz.h"
#include "tests/sim/world_lib.h"

static struct lib_run run;

static const char network[] =
    "scenario: distributed\n"
    "duration: 40 s\n"
    "network:\n"
    "  nodes: [{id: S}, {id: A}, {id: B}, {id: C}, {id: T}]\n"
    "  links:\n"
    "  - {id: SA, ends: [S, A], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: AT, ends: [A, T], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: SB, ends: [S, B], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: BC, ends: [B, C], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: CT, ends: [C, T], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "applications:\n"
    "  - {id: one, from: S, to: T, key: 256 bit, arrivals: periodic, rate: 5 /s, start: 5 s, stop: "
    "38 s}\n"
    "  - {id: new, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 5 /s, start: 15 s, "
    "stop: 38 s}\n"
    "control: {at: B, routing: fewest-hops, mode: ";

static void run_with(const char *mode, const char *rest)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s}\n%s", network, mode, rest);
    lib_run_text(&run, text);
    ck_assert_uint_gt(run.request_count, 200);
}

static bool is_all; /* else of the first pair */

static size_t not_served(double from_s, double to_s)
{
    size_t count = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        double at_s = 1e-9 * (double)run.requests[i].start_ns;
        bool is_then = at_s >= from_s && at_s < to_s;
        bool is_of = run.requests[i].application == 0 || is_all;
        count += is_then && is_of && strcmp(run.requests[i].outcome, "served") != 0 ? 1 : 0;
    }
    return count;
}

/* Of application 0, at this time. */
static bool routes_have(double from_s, double to_s, uint32_t nodes)
{
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        double at_s = 1e-9 * (double)r->start_ns;
        if (r->application == 0 && at_s >= from_s && at_s < to_s && r->route_count != nodes) {
            return false;
        }
    }
    return true;
}

/* Without a controller: over the shorter way, around A while that is gone from 15 to 25 s (its neighbours
 * miss HELLO for three periods), and over it again when the other way's validity is over. */
START_TEST(without_a_controller)
{
    run_with("distributed, controller: false",
             "faults:\n  - {at: 15 s, node: A, what: crash, for: 10 s}\n");
    ck_assert_uint_eq(not_served(0, 14.9), 0);
    ck_assert_uint_eq(not_served(19.5, 40), 0); /* of the first pair */
    ck_assert(routes_have(5, 14.9, 3));
    ck_assert(routes_have(19.5, 25, 4));
    ck_assert(routes_have(37, 40, 3));
    lib_end(&run);
}
END_TEST

/* The controller falls for good at 10 s: who asks for the first time at 15 s finds its route by itself. */
START_TEST(after_the_controller)
{
    is_all = true;
    static const char outage[] = "faults:\n  - {at: 10 s, element: controller}\n";
    run_with("on-request", outage);
    ck_assert_uint_gt(not_served(15, 40), 50);
    lib_end(&run);
    run_with("distributed", outage);
    ck_assert_uint_eq(not_served(0, 40), 0);
    lib_end(&run);
}
END_TEST

/* Each route of a run: no node twice, and each next one a neighbour. */
static void routes_check(const char *text, uint64_t seed)
{
    lib_run_text(&run, text);
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        for (uint32_t a = 0; a + 1 < r->route_count && r->route_count <= LIB_ROUTE; a++) {
            bool is_joined = false;
            for (size_t l = 0; l < run.scenario->link_count; l++) {
                const struct scn_link *link = &run.scenario->links[l];
                is_joined = is_joined || (link->a == r->route[a] && link->b == r->route[a + 1]) ||
                            (link->b == r->route[a] && link->a == r->route[a + 1]);
            }
            ck_assert_msg(is_joined, "seed %d", (int)seed);
            for (uint32_t b = a + 1; b < r->route_count; b++) {
                ck_assert_msg(r->route[a] != r->route[b], "seed %d: a loop", (int)seed);
            }
        }
    }
    lib_end(&run);
}

/* Random networks with cuts, without a controller. The judge of liveness wants everything served once the
 * cuts are over: nothing goes into a black hole. */
START_TEST(properties)
{
    static char text[SIM_FUZZ_TEXT];
    struct sim_fuzz_plan plan;
    struct sim_fuzz_verdict verdict;
    unsigned lively = 0;
    for (uint64_t seed = 10 * (uint64_t)_i + 1; seed <= 10 * (uint64_t)_i + 10; seed++) {
        sim_fuzz_plan_limited(&plan, seed,
                              SIM_FUZZ_ONLY(
                                  SIM_FUZZ_CALM | SIM_FUZZ_BIT(SIM_FUZZ_LINK_FAULT) |
                                  SIM_FUZZ_BIT(SIM_FUZZ_LOSS) | SIM_FUZZ_BIT(SIM_FUZZ_REORDER) |
                                  SIM_FUZZ_BIT(SIM_FUZZ_DOWN) | SIM_FUZZ_BIT(SIM_FUZZ_CRASH) |
                                  SIM_FUZZ_BIT(SIM_FUZZ_GROUP) | SIM_FUZZ_BIT(SIM_FUZZ_RANDOM)));
        plan.control.is_set = plan.control.distributed = plan.control.alone = true;
        plan.control.routing = (enum scn_routing)(seed % SCN_ROUTING_COUNT);
        plan.control.paths = 3;
        sim_fuzz_print(&plan, text);
        sim_fuzz_judge_text(text, NULL, &verdict);
        ck_assert_msg(verdict.phase == SIM_FUZZ_GOOD, "seed %d: %s", (int)seed, verdict.why);
        lively += verdict.live_checks > 0;
        routes_check(text, seed);
    }
    ck_assert_uint_ge(lively, 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("distributed");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, without_a_controller);
    tcase_add_test(tests, after_the_controller);
    tcase_add_loop_test(tests, properties, 0, 3);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
