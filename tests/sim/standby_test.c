/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A standby controller in whole worlds (docs/protocol.md, "A standby controller"). A ring of five nodes, the
 * controller at A, the other at D. The oracle watches that each KM obeys terms that never fall and that no
 * term has two bearers; random crashes and partitions of networks with two controllers are `properties`. */
#include "sim/fuzz.h"
#include "tests/sim/world_lib.h"

static struct lib_run run;

static const char network[] =
    "scenario: standby\n"
    "duration: 60 s\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}, {id: E}]\n"
    "  links:\n"
    "  - {id: AB, ends: [A, B], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: BC, ends: [B, C], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: CD, ends: [C, D], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: DE, ends: [D, E], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: EA, ends: [E, A], initial: 2 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "management: {at: C}\n"
    "applications:\n"
    "  - {id: old, from: B, to: D, key: 256 bit, arrivals: periodic, rate: 2 /s, start: 5 s, stop: "
    "55 s}\n"
    "  - {id: new, from: E, to: C, key: 256 bit, arrivals: periodic, rate: 2 /s, start: 30 s, "
    "stop: 55 s}\n";

static void run_with(const char *control, const char *faults)
{
    char text[4096];
    snprintf(text, sizeof text, "%scontrol: {at: A%s}\nfaults:\n%s", network, control, faults);
    lib_run_text(&run, text);
    ck_assert_uint_ge(run.request_count, 146); /* from a random instant of the first half second */
}

static size_t not_served(int64_t from_s)
{
    size_t count = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        bool is_late = run.requests[i].start_ns >= from_s * INT64_C(1000000000);
        count += is_late && strcmp(run.requests[i].outcome, "served") != 0 ? 1 : 0;
    }
    return count;
}

/* From 20 s on, and it never comes back: alone, nobody knows a route for whoever asks at 30 s; with a
 * standby (it takes over within five periods) everybody is served, also over its return. */
START_TEST(it_takes_over)
{
    run_with("", "  - {at: 20 s, element: controller}\n");
    ck_assert_uint_gt(not_served(30), 45); /* all of `new` */
    lib_end(&run);
    run_with(", standby: D", "  - {at: 20 s, element: controller}\n");
    ck_assert_uint_eq(not_served(0), 0);
    lib_end(&run);
    run_with(", standby: D", "  - {at: 20 s, element: controller, for: 12 s}\n"
                             "  - {at: 40 s, element: standby, for: 12 s}\n");
    ck_assert_uint_eq(not_served(0), 0);
    lib_end(&run);
    run_with(", standby: D", "  - {at: 20 s, node: A, what: partition, for: 25 s}\n");
    ck_assert_uint_eq(not_served(0), 0);
    lib_end(&run);
    run_with(", standby: D", "  - {at: 20 s, node: A, what: down, for: 12 s}\n");
    ck_assert_uint_eq(not_served(28), 0);
    lib_end(&run);
}
END_TEST

/* The controller goes on for its own node while the others follow the standby; a link fails meanwhile, so
 * that it has something to say to all when the network is whole again. Nobody obeys it. */
START_TEST(who_was_overtaken_is_not_obeyed)
{
    run_with(", standby: D, mode: proactive",
             "  - {at: 20 s, node: A, what: partition, for: 8 s}\n"
             "  - {at: 25 s, link: EA, what: both, for: 4 s}\n"
             "  - {at: 27500 ms, node: B, what: crash, for: 500 ms}\n");
    ck_assert_uint_eq(not_served(30), 0);
    lib_end(&run);
}
END_TEST

/* Random networks of `qkdn fuzz` that have two controllers. */
START_TEST(properties)
{
    static char text[SIM_FUZZ_TEXT];
    struct sim_fuzz_plan plan;
    struct sim_fuzz_verdict verdict;
    unsigned count = 0;
    unsigned lively = 0;
    for (uint64_t seed = 1000 * (uint64_t)_i + 1; count < 8; seed++) {
        sim_fuzz_plan_limited(
            &plan, seed,
            SIM_FUZZ_ONLY(SIM_FUZZ_CALM | SIM_FUZZ_BIT(SIM_FUZZ_STANDBY) |
                          SIM_FUZZ_BIT(SIM_FUZZ_CONTROL) | SIM_FUZZ_BIT(SIM_FUZZ_CRASH) |
                          SIM_FUZZ_BIT(SIM_FUZZ_LOSS) | SIM_FUZZ_BIT(SIM_FUZZ_ELEMENT) |
                          SIM_FUZZ_BIT(SIM_FUZZ_PARTITION) | SIM_FUZZ_BIT(SIM_FUZZ_SESSIONS)));
        if (plan.standby == 0) {
            continue;
        }
        count++;
        sim_fuzz_print(&plan, text);
        sim_fuzz_judge_text(text, NULL, &verdict);
        ck_assert_msg(verdict.phase == SIM_FUZZ_GOOD, "seed %d: %s", (int)seed, verdict.why);
        lively += verdict.live_checks > 0;
    }
    ck_assert_uint_ge(lively, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("standby");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, it_takes_over);
    tcase_add_test(tests, who_was_overtaken_is_not_obeyed);
    tcase_add_loop_test(tests, properties, 0, 4);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
