/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A classical network that is not the QKD network: a ring of QKD links whose hosts hang on one
 * switch (and one of them on two). Latencies are worked out from the links on the way; opposite
 * pairs between the same two KMs work at once; both engines agree; a cut cable stops those it
 * serves and nobody else. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

/* Ring A B C D E F; host links of 2 ms at 100 Mbit/s; C has a second, faster way to D only. */
static const char star[] =
    "scenario: star\nduration: 30 s\nwarmup: 5 s\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}, {id: E}, {id: F}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 90 km, qkd: {rate: 40 kbit/s, block: 65536 bit}}\n"
    "    - {id: BC, ends: [B, C], length: 90 km, qkd: {rate: 40 kbit/s, block: 65536 bit}}\n"
    "    - {id: CD, ends: [C, D], length: 90 km, qkd: {rate: 40 kbit/s, block: 65536 bit}}\n"
    "    - {id: DE, ends: [D, E], length: 90 km, qkd: {rate: 40 kbit/s, block: 65536 bit}}\n"
    "    - {id: EF, ends: [E, F], length: 90 km, qkd: {rate: 40 kbit/s, block: 65536 bit}}\n"
    "    - {id: FA, ends: [F, A], length: 90 km, qkd: {rate: 40 kbit/s, block: 65536 bit}}\n"
    "  classical:\n"
    "    bandwidth: 100 Mbit/s\n    latency: 2 ms\n    switches: [hub, side]\n"
    "    links:\n"
    "      - {ends: [A, hub]}\n      - {ends: [B, hub]}\n      - {ends: [C, hub]}\n"
    "      - {ends: [D, hub]}\n      - {ends: [E, hub]}\n      - {ends: [F, hub]}\n"
    "      - {ends: [C, side], latency: 250 us}\n      - {ends: [side, D], latency: 250 us}\n"
    "applications:\n"
    "  - {id: ab, from: A, to: B, rate: 5 /s, start: 5 s, stop: 25 s}\n"
    "  - {id: cd, from: C, to: D, rate: 5 /s, start: 5 s, stop: 25 s}\n"
    "  - {id: ac, from: A, to: C, rate: 5 /s, start: 5 s, stop: 25 s}\n"
    "  - {id: ca, from: C, to: A, rate: 5 /s, start: 5 s, stop: 25 s}\n"
    "  - {id: df, from: D, to: F, rate: 5 /s, start: 5 s, stop: 25 s}\n"
    "  - {id: fd, from: F, to: D, rate: 5 /s, start: 5 s, stop: 25 s}\n"
    "control: {route_validity: 1 min}\n";

static const enum scn_engine engines[] = {SCN_ENGINE_FAST, SCN_ENGINE_SIMGRID};

static struct case_run *run(enum scn_engine engine, const char *const *sets)
{
    struct case_options options = {.sets = sets, .engine = engine};
    struct case_run *r = case_run_new(star, &options);
    case_check(r);
    return r;
}

/* Every request is served, in both directions of a pair alike. Neighbours: the master's key comes
 * after a round trip between the KMAs (TAKE, RELAY_DONE) and one between the KSAs (SUPPLY_NOTIFY
 * and its answer: docs/protocol.md), the slave's after one more way; 2 ms + 2 ms one way over
 * the hub, 0.25 ms + 0.25 ms over C's other link. A frame takes at most some 20 us to send.
 * The first requests also open channels and install a route. */
START_TEST(latencies_are_those_of_the_way)
{
    struct case_run *r = run(engines[_i], NULL);
    size_t seen[6] = {0};
    for (size_t i = 0; i < r->request_count; i++) {
        const struct case_request *q = &r->requests[i];
        ck_assert_str_eq(q->outcome, "served");
        seen[q->application]++;
        if (q->start_ns < 8 * S) {
            continue;
        }
        int64_t one_way_ns = q->application == 1 ? MS / 2 : 4 * MS;
        int64_t took_ns = q->end_ns - q->start_ns;
        int64_t fetched_ns = q->fetched_ns - q->end_ns;
        if (q->application < 2) {
            ck_assert_int_ge(took_ns, 4 * one_way_ns);
            ck_assert_int_lt(took_ns, 4 * one_way_ns + MS / 5);
        }
        ck_assert_int_ge(fetched_ns, one_way_ns);
        ck_assert_int_lt(fetched_ns, one_way_ns + MS / 5);
    }
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_gt(seen[i], 60); /* about 100 each */
    }
    ck_assert_uint_eq(r->net.dropped_route + r->net.dropped_fault + r->net.dropped_queue, 0);
    case_run_free(r);
}
END_TEST

/* Controller and manager are reached over the same links when in band. */
START_TEST(in_band)
{
    static const char *const sets[] = {"network.classical.management=in-band", "control.at=E",
                                       "management.at=B", NULL};
    struct case_run *r = run(engines[_i], sets);
    ck_assert_uint_eq(case_count(r, "served", NULL), r->request_count);
    ck_assert_uint_eq(r->net.dropped_route, 0);
    case_run_free(r);
}
END_TEST

/* B's cable is cut for good: nothing between A and B is served any more, C and D, D and F are as
 * before, and A and C get a route the other way round once the neighbours miss B. */
START_TEST(a_cut_cable)
{
    static const char *const sets[] = {"faults=[{at: 10 s, classical_link: B-hub}]", NULL};
    struct case_run *r = run(engines[_i], sets);
    size_t late_ac = 0;
    for (size_t i = 0; i < r->request_count; i++) {
        const struct case_request *q = &r->requests[i];
        bool served = strcmp(q->outcome, "served") == 0;
        if (q->application == 0 && q->start_ns > 10 * S) {
            ck_assert(!served);
        } else if (q->application == 1 || q->application >= 4) {
            ck_assert(served);
        } else if (q->application == 2 && q->start_ns > 18 * S) {
            ck_assert(served);
            ck_assert_uint_eq(q->hops, 4); /* A F E D C */
            late_ac++;
        }
    }
    ck_assert_uint_gt(late_ac, 10);
    ck_assert_uint_gt(r->net.dropped_fault, 0);
    ck_assert_uint_eq(case_events(r, "fault_begin classical link B-hub"), 1);
    case_run_free(r);
}
END_TEST

/* Without congestion both engines serve each request alike, by the same route. */
START_TEST(engines_agree)
{
    struct case_run *fast = run(SCN_ENGINE_FAST, NULL);
    struct case_run *grid = run(SCN_ENGINE_SIMGRID, NULL);
    ck_assert_uint_eq(fast->request_count, grid->request_count);
    size_t same = 0;
    for (size_t i = 0; i < fast->request_count; i++) {
        for (size_t k = 0; k < grid->request_count; k++) {
            const struct case_request *a = &fast->requests[i];
            const struct case_request *b = &grid->requests[k];
            same += a->number == b->number && a->application == b->application &&
                            strcmp(a->outcome, b->outcome) == 0 && a->hops == b->hops &&
                            memcmp(a->route, b->route, sizeof a->route) == 0
                        ? 1
                        : 0;
        }
    }
    ck_assert_uint_eq(same, fast->request_count);
    case_run_free(fast);
    case_run_free(grid);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classical");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
#ifdef QKDN_HAVE_SIMGRID
    int kinds = 2;
    tcase_add_test(tcase, engines_agree);
#else
    int kinds = 1;
#endif
    tcase_add_loop_test(tcase, latencies_are_those_of_the_way, 0, kinds);
    tcase_add_loop_test(tcase, in_band, 0, kinds);
    tcase_add_loop_test(tcase, a_cut_cable, 0, kinds);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
