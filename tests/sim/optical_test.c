/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Optical switches (Cops), quantum relay points (Cqrp) and generation control at Cq in whole worlds
 * (docs/protocol.md, "Generation control"), whose own definitions the expected values follow. The oracle
 * watches that a switch never lets two links pass and that key is made only where light passes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/codec.h"
#include "tests/lib/sim_case.h"

#define S INT64_C(1000000000)

enum { LINKS = 3, MOST_TURNS = 200 };

/* When the switch let which link pass. */
static struct {
    int64_t at_ns[MOST_TURNS];
    int64_t dark_ns[MOST_TURNS]; /* before it */
    uint32_t link[MOST_TURNS];
    unsigned count, lit;
    int64_t off_ns;
    unsigned runs[2], stops[2];                        /* GENERATION at Cq, of links 0 and 1 */
    unsigned point_runs, point_stops, paths, opticals; /* messages at Cqrp, Cops */
    int64_t stop_ns;                                   /* last stop at Cq of link 1 */
} seen;

static void observe(void *ctx, int64_t now_ns, const struct qkd_send *send, const uint8_t *observed)
{
    (void)ctx;
    struct wire_q_light light;
    struct wire_generation run;
    if (observed == NULL) {
        return;
    }
    seen.opticals += send->rp == QKD_RP_COPS || send->rp == QKD_RP_CQRP;
    seen.paths += send->rp == QKD_RP_COPS && observed[2] == WIRE_CMD_LIGHT_PATH;
    if (send->rp == QKD_RP_Q && wire_q_light_decode(&light, observed, send->observed.len) == 0) {
        if (light.on == 1 && qkd_eid_role(send->from) == QKD_ROLE_SWITCH) {
            ck_assert_uint_eq(seen.lit, 0); /* never two */
            ck_assert_uint_lt(seen.count, MOST_TURNS);
            seen.at_ns[seen.count] = now_ns;
            seen.dark_ns[seen.count] = now_ns - seen.off_ns;
            seen.link[seen.count++] = light.link;
            seen.lit = 1;
        } else if (light.on == 0) {
            seen.lit = 0;
            seen.off_ns = now_ns;
        }
    }
    if ((send->rp == QKD_RP_CQ || send->rp == QKD_RP_CQRP) &&
        wire_generation_decode(&run, observed, send->observed.len) == 0) {
        if (send->rp == QKD_RP_CQRP) {
            *(run.run == 1 ? &seen.point_runs : &seen.point_stops) += 1;
        } else {
            /* of `line`: C's only module, B's second */
            unsigned link = qkd_eid_node(run.module_id) == 2 ||
                            qkd_eid_instance(run.module_id) == 1;
            *(run.run == 1 ? &seen.runs[link] : &seen.stops[link]) += 1;
            seen.stop_ns = run.run == 0 && link == 1 ? now_ns : seen.stop_ns;
        }
    }
}

static struct case_run *run_with(const char *text, const char *const *sets, enum scn_engine engine)
{
    memset(&seen, 0, sizeof seen);
    struct case_options options = {.sets = sets, .engine = engine, .hooks.observe = observe};
    struct case_run *run = case_run_new(text, &options);
    case_check(run);
    return run;
}

/* H has one module for three links; A asks for eight times what B or C ask for: 16 /s of 650 bit (a key of
 * 256 bit between neighbours takes 2.5 times its length), more than a third of 20 kbit/s, less than two
 * thirds. */
static const char hub[] =
    "scenario: hub\n"
    "duration: 10 min\n"
    "warmup: 60 s\n"
    "network:\n"
    "  nodes: [{id: H}, {id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "  - {id: HA, ends: [H, A], qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  - {id: HB, ends: [B, H], qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  - {id: HC, ends: [H, C], qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  optical_switches:\n"
    "  - {id: S, at: H, links: [HA, HB, HC], by: schedule, dwell: 10 s, switching: 500 ms}\n"
    "applications:\n"
    "  - {id: a, from: A, to: H, rate: 16 /s}\n"
    "  - {id: b, from: B, to: H, rate: 2 /s}\n"
    "  - {id: c, from: H, to: C, rate: 2 /s}\n";

/* ---- switches ---- */

/* Each link in its turn: what lies between two turns of one link is three times dwell and switching, and the
 * few milliseconds that two commands take. */
START_TEST(by_schedule)
{
    struct case_run *run = run_with(hub, NULL, SCN_ENGINE_FAST);
    ck_assert_uint_ge(seen.count, 56); /* 600 s / 10.5 s = 57.1 */
    for (unsigned i = 0; i < seen.count; i++) {
        ck_assert_uint_eq(seen.link[i], i % LINKS);
        ck_assert(i == 0 || seen.dark_ns[i] >= S / 2 - S / 1000);
        ck_assert(i < LINKS ||
                  seen.at_ns[i] - seen.at_ns[i - LINKS] <= 3 * (10 * S + S / 2) + S / 10);
    }
    /* Each turn is commanded once; half a second is longer than the first repetition after 200 ms. */
    ck_assert_uint_eq(seen.paths, 2 * seen.count);
    /* HA gets a third of the time, less the time without light, and so much key: 20 kbit/s * 10 / 31.5. */
    const struct scn_link_summary *ha = &run->summary.links[0];
    double bps = (double)ha->bits.generated / 540.0;
    ck_assert_msg(bps > 5800 && bps < 6700, "%.0f bit/s", bps);
    case_run_free(run);
}
END_TEST

/* Under skewed load demand beats the schedule: HA's share of the time follows its load. */
START_TEST(demand_beats_schedule)
{
    static const char *const demand[] = {"network.optical_switches[S].by=demand", NULL};
    double served[2];
    for (unsigned i = 0; i < 2; i++) {
        struct case_run *run = run_with(hub, i == 0 ? NULL : demand, SCN_ENGINE_FAST);
        served[i] = (double)case_count(run, "served", NULL) / (double)run->request_count;
        case_run_free(run);
        unsigned turns[LINKS] = {0};
        for (unsigned k = 0; k < seen.count; k++) {
            turns[seen.link[k]]++;
        }
        ck_assert_uint_gt(turns[0], 5);
        ck_assert_uint_gt(turns[1], 3); /* nobody is forgotten */
        ck_assert_uint_gt(turns[2], 3);
    }
    ck_assert_msg(served[0] < 0.7 && served[1] > 0.95, "%.3f, %.3f", served[0], served[1]);
}
END_TEST

/* A link without light, by demand: it is tried again, and more and more seldom. */
START_TEST(a_dead_link_does_not_hold_the_switch)
{
    static const char *const sets[] = {"network.optical_switches[S].by=demand",
                                       "applications[a].rate=8 /s",
                                       "faults=[{at: 30 s, link: HB, what: quantum}]", NULL};
    struct case_run *run = run_with(hub, sets, SCN_ENGINE_FAST);
    int64_t on_dead_ns = 0;
    for (unsigned k = 0; k + 1 < seen.count; k++) {
        on_dead_ns += seen.link[k] == 1 ? seen.at_ns[k + 1] - seen.at_ns[k] : 0;
    }
    ck_assert_int_lt(on_dead_ns, 200 * S); /* a third */
    ck_assert_int_gt(on_dead_ns, 40 * S);
    size_t asked = 0, unserved = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        bool counts = run->requests[i].application != 1 && run->requests[i].start_ns > 200 * S;
        asked += counts;
        unserved += counts && strcmp(run->requests[i].outcome, "served") != 0;
    }
    ck_assert_uint_gt(asked, 3500);
    ck_assert_uint_eq(unserved, 0); /* 9.5 of 10 s are enough for 10 keys/s: 6.5 of 20 kbit/s */
    case_run_free(run);
}
END_TEST

/* Controller, switch agent, hub and one module go and come back; the standby takes over; frames of the
 * management network are lost. The switch turns on. */
START_TEST(it_goes_on_after_restarts)
{
    static const char *const cases[][4] = {
        {"faults=[{at: 101 s, for: 5 s, element: controller}]", NULL},
        {"faults=[{at: 103 s, for: 20 s, link: HA, what: optical-switch}]", NULL},
        {"faults=[{at: 103 s, for: 5 s, node: H, what: crash}]", NULL},
        {"faults=[{at: 103 s, for: 5 s, link: HB, what: module, end: B}]", NULL},
        {"control={at: A, standby: B}", "management.at=C",
         "faults=[{at: 103 s, element: controller}]", NULL},
        {"network.classical.loss=0.2", "network.classical.reorder=0.2",
         "network.classical.duplicate=0.2", NULL},
    };
    struct case_run *run = run_with(hub, cases[_i], SCN_ENGINE_FAST);
    unsigned after[LINKS] = {0};
    for (unsigned k = 0; k < seen.count; k++) {
        after[seen.link[k]] += seen.at_ns[k] > 150 * S;
    }
    for (unsigned i = 0; i < LINKS; i++) {
        ck_assert_msg(after[i] >= 8, "link %u: %u turns", i, after[i]);
    }
    if (_i == 1) {
        ck_assert_uint_eq(case_events(run, "alarm raised optical_down"), LINKS);
        ck_assert_uint_eq(case_events(run, "alarm cleared optical_down"), LINKS);
    }
    case_run_free(run);
}
END_TEST

/* ---- relay points, maintenance, forecasts ---- */

static const char line[] =
    "scenario: line\n"
    "duration: 10 min\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "  - {id: AB, ends: [A, B], store: 3 Mbit, qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  - {id: BC, ends: [B, C], store: 3 Mbit, qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "applications:\n"
    "  - {id: a, from: A, to: C, rate: 4 /s, start: 10 s}\n";

/* Key of AB in a window, by the pool's growth: what the life-cycle records of storage say. */
static uint64_t stored_between(const struct case_run *run, uint32_t link, int64_t from_ns,
                               int64_t to_ns)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < run->life_count; i++) {
        const struct case_life *life = &run->life[i];
        bits += life->link == link && life->time_ns >= from_ns && life->time_ns < to_ns &&
                        strcmp(life->action, "storage") == 0 && strcmp(life->key_class, "qkd") == 0
                    ? life->key_bits
                    : 0;
    }
    return bits;
}

/* Its point gone, the link makes no key; the controller notices, and activates it when it is back. */
START_TEST(relay_point)
{
    static const char *const sets[] = {
        "network.relay_points=[{id: M, link: AB}]",
        "faults=[{at: 200 s, for: 100 s, link: AB, what: relay-point}]", NULL};
    memset(&seen, 0, sizeof seen);
    struct case_options options = {.sets = sets, .hooks.observe = observe, .keep_life = true};
    struct case_run *run = case_run_new(line, &options);
    case_check(run);
    ck_assert_uint_gt(stored_between(run, 0, 20 * S, 200 * S), 3000000);
    ck_assert_uint_eq(stored_between(run, 0, 202 * S, 300 * S), 0);
    ck_assert_uint_gt(stored_between(run, 0, 302 * S, 400 * S), 1500000);
    ck_assert_uint_eq(case_events(run, "alarm raised optical_down"), 1);
    ck_assert_uint_eq(case_events(run, "alarm cleared optical_down"), 1);
    ck_assert_uint_eq(seen.point_runs, 2); /* once for each of its starts */
    ck_assert_uint_eq(seen.point_stops, 0);
    case_run_free(run);
}
END_TEST

/* A planned outage: the modules are told to stand before it, and to run after it; nobody is alarmed. The same
 * outage unplanned is an alarm at both ends. */
START_TEST(maintenance)
{
    static const char *const planned[] = {
        "faults=[{at: 200 s, for: 100 s, link: BC, what: maintenance}]", NULL};
    static const char *const unplanned[] = {
        "faults=[{at: 200 s, for: 100 s, link: BC, what: quantum}]", NULL};
    struct case_run *run = run_with(line, planned, SCN_ENGINE_FAST);
    ck_assert_uint_eq(case_events(run, "alarm raised no_key"), 0);
    ck_assert_uint_eq(seen.stops[1], 2); /* both modules */
    ck_assert_uint_eq(seen.runs[1], 4);  /* at the start, and when it is over */
    ck_assert_uint_eq(seen.stops[0], 0);
    ck_assert_int_lt(seen.stop_ns, 200 * S);
    ck_assert_int_gt(seen.stop_ns, 198 * S);
    ck_assert_uint_gt(case_count_between(run, "served", 310 * S, 600 * S), 1000);
    case_run_free(run);
    run = run_with(line, unplanned, SCN_ENGINE_FAST);
    ck_assert_uint_eq(case_events(run, "alarm raised no_key"), 2);
    case_run_free(run);
}
END_TEST

/* Three windows that overlap, not in their order, are one: the modules stand from 200 to 320 s. */
START_TEST(windows_that_overlap)
{
    static const char *const sets[] = {
        "faults=[{at: 250 s, for: 70 s, link: BC, what: maintenance}, {at: 200 s, for: 100 s, "
        "link: "
        "BC, what: maintenance}, {at: 210 s, for: 10 s, link: BC, what: maintenance}]",
        NULL};
    struct case_options options = {.sets = sets, .hooks.observe = observe, .keep_life = true};
    memset(&seen, 0, sizeof seen);
    struct case_run *run = case_run_new(line, &options);
    case_check(run);
    ck_assert_uint_eq(case_events(run, "alarm raised no_key"), 0);
    ck_assert_uint_eq(seen.runs[1], 4);
    ck_assert_uint_eq(stored_between(run, 1, 202 * S, 319 * S), 0);
    ck_assert_uint_gt(stored_between(run, 1, 320 * S, 330 * S), 0);
    case_run_free(run);
}
END_TEST

/* The controller dies in the middle of the window, for ever: the modules run again when it is over. */
START_TEST(maintenance_ends_without_the_controller)
{
    static const char *const sets[] = {
        "faults=[{at: 200 s, for: 100 s, link: BC, what: maintenance}, {at: 250 s, element: "
        "controller}]",
        NULL};
    memset(&seen, 0, sizeof seen);
    struct case_options options = {.sets = sets, .hooks.observe = observe, .keep_life = true};
    struct case_run *run = case_run_new(line, &options);
    case_check(run);
    ck_assert_uint_eq(stored_between(run, 1, 203 * S, 300 * S), 0);
    ck_assert_uint_gt(stored_between(run, 1, 302 * S, 400 * S), 1500000);
    case_run_free(run);
}
END_TEST

/* 20 kbit/s fill 3 Mbit in 150 s. Without a forecast the KMs stop the modules when the last file has no room;
 * with 30 s of forecast (600 kbit) generation stops before, and what is asked for later starts it again. */
START_TEST(forecast)
{
    static const char *const none[] = {"applications[a].start=5 min", NULL};
    static const char *const ahead[] = {"applications[a].start=5 min", "control.forecast=30 s",
                                        NULL};
    struct case_run *run = run_with(line, none, SCN_ENGINE_FAST);
    uint64_t most = run->summary.links[0].bits.generated;
    ck_assert_uint_eq(seen.stops[0] + seen.stops[1], 0);
    case_run_free(run);
    run = run_with(line, ahead, SCN_ENGINE_FAST);
    ck_assert_uint_ge(seen.stops[0], 1);
    ck_assert_uint_ge(seen.runs[0], 4); /* two modules: at the start, and again for who asks */
    ck_assert_uint_lt(run->summary.links[0].bits.generated, most - 300000);
    ck_assert_uint_gt(case_count(run, "served", NULL), 1100);
    ck_assert_uint_eq(case_count(run, "served", NULL), run->request_count);
    case_run_free(run);
}
END_TEST

/* A forecast that reaches further than the store: half of it is filled all the same, and served from. */
START_TEST(forecast_beyond_the_store)
{
    static const char *const far[] = {"network.links[AB].store=500 kbit", "control.forecast=60 s",
                                      NULL};
    struct case_run *run = run_with(line, far, SCN_ENGINE_FAST);
    ck_assert_uint_ge(seen.stops[0], 1);
    ck_assert_uint_ge(case_count(run, "served", NULL), run->request_count * 9 / 10);
    case_run_free(run);
}
END_TEST

/* D23-RP-07: without a switch or relay point nothing is said at Cops and Cqrp, and all works; so does a
 * network that has both, in both engines, with the same requests served. */
START_TEST(with_and_without)
{
    static const char *const both[] = {
        "network.relay_points=[{id: M, link: AB}]",
        "network.optical_switches=[{id: S, at: B, links: [AB, BC], dwell: 5 s, switching: 200 ms}]",
        "applications[a].rate=1 /s", "applications[a].start=1 min", NULL};
    struct case_run *run = run_with(line, NULL, SCN_ENGINE_FAST);
    ck_assert_uint_eq(seen.opticals, 0);
    ck_assert_uint_eq(case_count(run, "served", NULL), run->request_count);
    case_run_free(run);
    run = run_with(line, both, _i == 0 ? SCN_ENGINE_FAST : SCN_ENGINE_SIMGRID);
    ck_assert_uint_gt(seen.opticals, 100);
    ck_assert_uint_eq(case_count(run, "served", NULL), run->request_count);
    case_run_free(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optical");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, by_schedule);
    tcase_add_test(tests, demand_beats_schedule);
    tcase_add_test(tests, a_dead_link_does_not_hold_the_switch);
    tcase_add_loop_test(tests, it_goes_on_after_restarts, 0, 6);
    tcase_add_test(tests, relay_point);
    tcase_add_test(tests, maintenance);
    tcase_add_test(tests, windows_that_overlap);
    tcase_add_test(tests, maintenance_ends_without_the_controller);
    tcase_add_test(tests, forecast);
    tcase_add_test(tests, forecast_beyond_the_store);
    tcase_add_loop_test(tests, with_and_without, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
