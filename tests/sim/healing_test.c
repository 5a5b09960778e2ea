/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run tells of each fault event: who was hit, when it was seen, when key came again, what was
 * lost. Times are held against the instants of the fault and of the requests, which the test knows, and
 * against the list of requests; discarded key against the ledger. Topology: two ways from A to C, by B
 * and by D, controller at B; requests every 231 ms, so that none falls on an instant of anything else. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

#define TEXT                                                                                       \
    "scenario: healing\n"                                                                          \
    "duration: 100 s\n"                                                                            \
    "engine: fast\n"                                                                               \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"                                              \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: AD, ends: [A, D], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: DC, ends: [D, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "  risk_groups: [{id: duct, links: [AB, AD]}]\n"                                               \
    "control: {at: B, route_validity: 2 s, routing: fewest-hops}\n"                                \
    "applications:\n"                                                                              \
    "  - {id: video, from: A, to: C, arrivals: periodic, rate: 4.329 /s, start: 4 s}\n"

enum { S = 1000000000 };

static struct case_run *checked_with(const char *yaml, const struct case_options *options)
{
    struct case_run *run = case_run_new(yaml, options);
    case_check(run);
    return run;
}

static const struct scn_event_summary *event_of(const struct case_run *run, const char *name)
{
    uint32_t number = scn_event_find(run->scenario, name);
    ck_assert_uint_ne(number, UINT32_MAX);
    return &run->summary.fault_events[number];
}

/* The first request at or after this instant that was served: when its key came, since the instant. */
static double first_served_s(const struct case_run *run, int64_t from_ns)
{
    double least = INFINITY;
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        double end_s = (double)(r->end_ns - from_ns) / 1e9;
        if (r->start_ns >= from_ns && strcmp(r->outcome, "served") == 0 && end_s < least) {
            least = end_s;
        }
    }
    return least;
}

static size_t unserved(const struct case_run *run, int64_t from_ns, int64_t to_ns)
{
    size_t all = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        all += r->start_ns >= from_ns && r->start_ns < to_ns && strcmp(r->outcome, "served") != 0;
    }
    return all;
}

/* The duct takes both ways from A for 5 s: nothing is served until it is whole again, and then within
 * the time that neighbours need to find each other (docs/protocol.md: HELLO every second). Each request
 * that was not served is the event's, with its reason. */
START_TEST(duct_is_cut)
{
    struct case_run *run = checked_with(TEXT "faults: [{at: 40.1 s, for: 5 s, group: duct}]\n",
                                        NULL);
    const struct scn_event_summary *event = event_of(run, "duct");
    ck_assert_double_eq(event->at_s, 40.1);
    ck_assert_double_eq_tol(event->end_s, 45.1, 1e-9);
    ck_assert_uint_eq(event->applications, 1);
    ck_assert_uint_eq(event->healed, 1);
    ck_assert(event->detect_s > 0 && event->detect_s <= 5);
    ck_assert_double_eq_tol(event->first_key_s, first_served_s(run, INT64_C(40100) * 1000000),
                            1e-9);
    ck_assert_double_eq_tol(event->healed_s, event->first_key_s, 1e-9);
    ck_assert(event->first_key_s > 5 && event->first_key_s < 8);
    ck_assert_uint_eq(event->lost.total, unserved(run, 39 * (int64_t)S, 100 * (int64_t)S));
    ck_assert_uint_eq(event->lost.total, event->lost.refused + event->lost.timed_out +
                                             event->lost.failed + event->lost.pending);
    ck_assert_uint_gt(event->lost.total, 15); /* of 21 in 5 s; what waits is served in the end */
    ck_assert_uint_eq(event->lost_bits, 256 * event->lost.total);
    uint64_t with_reason = 0;
    for (size_t i = 0; i < run->summary.reason_count; i++) {
        with_reason += event->reasons[i];
    }
    ck_assert_uint_eq(with_reason, event->lost.total);
    ck_assert_uint_eq(run->summary.healing.events, 1);
    ck_assert_double_eq(run->summary.healing.detect_s, event->detect_s);
    ck_assert_double_eq(run->summary.healing.first_key_s, event->first_key_s);
    case_run_free(run);
}
END_TEST

/* One of the two ways alone, for good: the pair was on one of them, so one of two events, one at each
 * way, hits it; the other way takes over long before the end, which does not come. */
START_TEST(other_way_takes_over)
{
    static const char *const ways[] = {"faults=[{at: 40.1 s, link: AB, event: w}]",
                                       "faults=[{at: 40.1 s, link: AD, event: w}]"};
    size_t hit = 0;
    for (int i = 0; i < 2; i++) {
        /* More key over D, so that keys go that way: messages between A and C go over B, and would be cut off
         * with AB. */
        const char *sets[] = {ways[i], "network.links[AD].qkd.rate=200 kbit/s",
                              "network.links[DC].qkd.rate=200 kbit/s", NULL};
        struct case_run *run = checked_with(TEXT, &(struct case_options){.sets = sets});
        const struct scn_event_summary *event = event_of(run, "w");
        ck_assert(isnan(event->end_s));
        hit += event->applications;
        if (event->applications == 1) {
            ck_assert_uint_eq(event->healed, 1);
            ck_assert(event->healed_s > 0 && event->healed_s < 8);
            ck_assert(event->first_key_s <= event->healed_s);
        } else {
            ck_assert_uint_eq(event->lost.total, 0);
        }
        case_run_free(run);
    }
    ck_assert_uint_eq(hit, 1);
}
END_TEST

/* Without the controller a key manager goes on with the routes it has (docs/protocol.md): the pair is hit,
 * as it needs one, but nothing of it is lost, and its next key heals it. */
START_TEST(controller_is_missed)
{
    struct case_run *run = checked_with(
        TEXT "faults: [{at: 55 s, for: 10 s, element: controller, event: ctl}]\n", NULL);
    const struct scn_event_summary *event = event_of(run, "ctl");
    ck_assert_uint_eq(event->applications, 1);
    ck_assert_uint_eq(event->healed, 1);
    ck_assert(event->first_key_s < 1 && event->healed_s < 1);
    ck_assert_uint_eq(event->lost.total, unserved(run, 54 * (int64_t)S, 100 * (int64_t)S));
    ck_assert_uint_eq(event->lost.total, 0);
    ck_assert(event->detect_s > 0 && event->detect_s < 10);
    case_run_free(run);
}
END_TEST

/* The manager serves nobody: no pair is hit. */
START_TEST(manager_is_not_missed)
{
    struct case_run *run =
        checked_with(TEXT "faults: [{at: 55 s, for: 10 s, element: manager, event: mgr}]\n", NULL);
    const struct scn_event_summary *event = event_of(run, "mgr");
    ck_assert_uint_eq(event->applications, 0);
    ck_assert(isnan(event->first_key_s) && isnan(event->healed_s));
    ck_assert_uint_eq(run->summary.healing.events, 0);
    case_run_free(run);
}
END_TEST

static double discarded(const struct case_run *run, int first)
{
    const struct scn_link_summary *links = run->summary.links;
    return (double)(links[first].bits.discarded + links[first + 1].bits.discarded);
}

/* A crash costs leases: of what the links at the node discarded in the run, all is the event's but what
 * the same network discards without it (ends of chunks too short for a frame). */
START_TEST(crash_costs_leases)
{
    struct case_run *run = checked_with(
        TEXT
        "faults: [{at: 70.05 s, for: 2 s, node: D, event: d}, {at: 80.05 s, for: 2 s, node: B, "
        "event: b}]\n",
        NULL);
    struct case_run *calm = checked_with(TEXT, NULL);
    double by_d = event_of(run, "d")->discarded_bits;
    double by_b = event_of(run, "b")->discarded_bits;
    ck_assert(by_d <= discarded(run, 2) && by_d >= discarded(run, 2) - discarded(calm, 2) - 2000);
    ck_assert(by_b <= discarded(run, 0) && by_b >= discarded(run, 0) - discarded(calm, 0) - 2000);
    ck_assert(by_d + by_b > discarded(calm, 0) + discarded(calm, 2));
    case_run_free(run);
    case_run_free(calm);
}
END_TEST

/* Events that overlap, each detected by its own sign (silence: three status periods of a second and what
 * a report takes; noise: at once) or not at all: `again` and `dark` show by alarms that stand already,
 * when `cut` and `noise` have raised them; `works` is planned; `calm` shows by nothing, though alarms of
 * others come meanwhile. Instants of alarms are those at which the manager told of them. */
START_TEST(each_by_its_own_sign)
{
    static const struct {
        const char *name;
        double least_s, most_s; /* 0: not detected */
    } seen[] = {{"works", 0, 0}, {"calm", 0, 0}, {"cut", 2, 5},   {"again", 0, 0},
                {"noise", 0, 2}, {"ctl", 2, 7},  {"dark", 0, 0},  {"new", 2, 5},
                {"mod", 2, 6},   {"late", 2, 6}, {"second", 0, 0}};
    struct case_run *run = checked_with(
        TEXT "faults:\n"
             "  - {at: 10.1 s, for: 85 s, link: DC, what: maintenance, event: works}\n"
             "  - {at: 12.1 s, for: 85 s, link: BC, what: impaired, delay: 1 ms, event: calm}\n"
             "  - {at: 15.1 s, for: 20 s, link: AB, event: cut}\n"
             "  - {at: 20.1 s, for: 10 s, link: AB, event: again}\n"
             "  - {at: 20.3 s, for: 15 s, link: AD, what: degraded, qber: 20 %, event: noise}\n"
             "  - {at: 25.1 s, for: 40 s, element: controller, event: ctl}\n"
             "  - {at: 33.1 s, for: 7 s, link: AD, what: quantum, event: dark}\n"
             "  - {at: 45.1 s, for: 10 s, link: AB, event: new}\n"
             "  - {at: 58.1 s, for: 10 s, link: AD, what: module, end: A, event: mod}\n"
             "  - {at: 75.1 s, for: 10 s, element: controller, event: late}\n"
             "  - {at: 80.1 s, for: 4 s, element: controller, event: second}\n",
        NULL);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        double detect_s = event_of(run, seen[i].name)->detect_s;
        bool is_right = seen[i].most_s > 0
                            ? detect_s > seen[i].least_s && detect_s <= seen[i].most_s
                            : isnan(detect_s);
        ck_assert_msg(is_right, "%s: after %.3f s", seen[i].name, detect_s);
    }
    case_run_free(run);
}
END_TEST

/* The same in both engines, within a millisecond. */
START_TEST(engines_agree)
{
    static const char text[] = TEXT
        "faults:\n"
        "  - {at: 10.03 s, for: 10 s, element: manager, event: mgr}\n"
        "  - {at: 22.03 s, for: 8 s, link: [AB, BC], event: cut}\n"
        "  - {at: 40.13 s, for: 5 s, group: duct}\n"
        "  - {at: 55.03 s, for: 10 s, element: controller, event: ctl}\n"
        "  - {at: 75.03 s, for: 2 s, node: D, event: crash}\n"
        "  - {at: 85.03 s, for: 2 s, link: DC, what: module, end: D, event: mod}\n";
    struct case_run *fast = checked_with(text, NULL);
    struct case_run *grid = checked_with(text,
                                         &(struct case_options){.engine = SCN_ENGINE_SIMGRID});
    ck_assert_uint_eq(fast->summary.fault_event_count, 6);
    ck_assert_uint_eq(grid->summary.fault_event_count, 6);
    for (size_t i = 0; i < 6; i++) {
        const struct scn_event_summary *a = &fast->summary.fault_events[i];
        const struct scn_event_summary *b = &grid->summary.fault_events[i];
        ck_assert_uint_eq(a->applications, b->applications);
        ck_assert_uint_eq(a->healed, b->healed);
        ck_assert_uint_eq(a->lost.total, b->lost.total);
        ck_assert_uint_eq(a->lost.refused, b->lost.refused);
        ck_assert_int_eq(isnan(a->detect_s), isnan(b->detect_s));
        ck_assert(isnan(a->detect_s) || fabs(a->detect_s - b->detect_s) < 1e-3);
        ck_assert(isnan(a->first_key_s) || fabs(a->first_key_s - b->first_key_s) < 1e-3);
        ck_assert(isnan(a->healed_s) || fabs(a->healed_s - b->healed_s) < 1e-3);
    }
    case_run_free(fast);
    case_run_free(grid);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("healing");
    TCase *tcase = tcase_create("events");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, duct_is_cut);
    tcase_add_test(tcase, other_way_takes_over);
    tcase_add_test(tcase, controller_is_missed);
    tcase_add_test(tcase, manager_is_not_missed);
    tcase_add_test(tcase, crash_costs_leases);
    tcase_add_test(tcase, each_by_its_own_sign);
    tcase_add_test(tcase, engines_agree);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
