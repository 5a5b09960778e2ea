/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kinds of fault beyond cuts and crashes: light that gets worse, a module that is gone, channels
 * that are slow or damage frames, a controller or manager that is gone, a management network in parts,
 * groups. What is expected follows from docs/scenario.md ("faults") and docs/protocol.md; figures are
 * counted by hand beside the tests. Topology: line A - B - C, fibres of 10 and 20 km (50 and 100 us),
 * 100 kbit/s, blocks of 100 kbit; controller and manager at A. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

#define HEAD(seconds)                                                                              \
    "scenario: kinds\n"                                                                            \
    "duration: " seconds " s\n"                                                                    \
    "engine: fast\n"
#define NET                                                                                        \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"                                                       \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"
#define STEADY                                                                                     \
    "applications:\n"                                                                              \
    "  - {id: video, from: A, to: C, arrivals: periodic, rate: 4 /s, start: 4 s}\n"

static struct case_run *checked_with(const char *yaml, const struct case_options *options)
{
    struct case_run *run = case_run_new(yaml, options);
    case_check(run);
    return run;
}

static struct case_run *checked(const char *yaml)
{
    return checked_with(yaml, NULL);
}

static size_t served_between(const struct case_run *run, int64_t from_s, int64_t to_s)
{
    return case_count_between(run, "served", from_s * QKD_NS_PER_S, to_s * QKD_NS_PER_S);
}

/* ---- light ---- */

/* 20 s at 100 kbit/s, of which 10 s at a quarter (3.0103 dB, half, and `rate: 50 %`): 10 + 2.5 blocks.
 * Without
 * the degradation: 20. */
START_TEST(degraded_light_makes_less)
{
    struct case_run *run = checked(HEAD("20") NET STEADY
                                   "faults: [{at: 5 s, for: 10 s, link: BC, what: degraded, loss: "
                                   "3.0103 dB, rate: 50 %}]\n");
    ck_assert_uint_eq(run->summary.links[0].bits.generated, 20 * 100000);
    ck_assert_uint_eq(run->summary.links[1].bits.generated, 12 * 100000);
    ck_assert_uint_eq(case_events(run, "fault_begin link BC"), 1);
    ck_assert_uint_eq(case_events(run, "fault_end link BC"), 1);
    case_run_free(run);
}
END_TEST

/* Two at once: each of 10 %, 1 kbit/s for 10 s. */
START_TEST(degradations_multiply)
{
    struct case_run *run = checked(
        HEAD("20") NET STEADY "faults:\n"
                              "  - {at: 5 s, for: 10 s, link: BC, what: degraded, rate: 10 %}\n"
                              "  - {at: 5 s, for: 10 s, link: BC, what: degraded, loss: 10 dB}\n");
    ck_assert_uint_eq(run->summary.links[1].bits.generated, 10 * 100000);
    case_run_free(run);
}
END_TEST

/* A QBER of 2 + 10 %: no key, and the modules say so; 2 + 8 %: key all the same. */
START_TEST(noisy_light_is_reported)
{
    static const char text[] = HEAD("20") "network:\n"
                                          "  nodes: [{id: A}, {id: B}]\n"
                                          "  links:\n"
                                          "    - {id: AB, ends: [A, B], qkd: {rate: 100 kbit/s, "
                                          "block: 100 kbit, qber: 2 %}}\n"
                                          "faults: [{at: 5 s, for: 10 s, link: AB, what: degraded, "
                                          "qber: 10 %}]\n";
    struct case_run *run = checked(text);
    ck_assert_uint_gt(case_events(run, "alarm raised qber_high"), 0);
    ck_assert_uint_gt(case_events(run, "alarm cleared qber_high"), 0);
    ck_assert_uint_eq(run->summary.links[0].bits.generated, 10 * 100000);
    case_run_free(run);
    const char *sets[] = {"faults=[{at: 5 s, for: 10 s, link: AB, what: degraded, qber: 8 %}]",
                          NULL};
    run = checked_with(text, &(struct case_options){.sets = sets});
    ck_assert_uint_eq(case_events(run, "alarm raised qber_high"), 0);
    ck_assert_uint_eq(run->summary.links[0].bits.generated, 20 * 100000);
    case_run_free(run);
}
END_TEST

/* ---- elements ---- */

/* The module of BC at C is gone for 10 s: no key meanwhile; its key manager misses it; the node goes
 * on, and key comes again afterwards. */
START_TEST(module_is_gone_and_comes_back)
{
    struct case_run *run = checked(
        HEAD("30") NET STEADY "faults: [{at: 8 s, for: 10 s, link: BC, what: module, end: C}]\n");
    ck_assert_uint_gt(case_events(run, "alarm raised module_down"), 0);
    ck_assert_uint_gt(case_events(run, "alarm cleared module_down"), 0);
    ck_assert_uint_eq(case_events(run, "crash"), 0);
    uint64_t generated = run->summary.links[1].bits.generated;
    ck_assert_msg(generated >= 17 * 100000 && generated <= 19 * 100000, "%llu",
                  (unsigned long long)generated);
    ck_assert_uint_eq(served_between(run, 4, 29), 99); /* 4.25 s to 28.75 s */
    case_run_free(run);
}
END_TEST

/* A crash of its node in the middle of it, and the other way round: nothing starts twice. */
START_TEST(module_and_node_overlap)
{
    struct case_run *run = checked(HEAD("40") NET STEADY
                                   "faults:\n"
                                   "  - {at: 8 s, for: 10 s, link: BC, what: module, end: C}\n"
                                   "  - {at: 10 s, for: 3 s, node: C}\n"
                                   "  - {at: 16 s, for: 6 s, node: C}\n"
                                   "  - {at: 25 s, for: 1 s, link: AB, what: module, end: A}\n"
                                   "  - {at: 25.5 s, for: 1 s, link: AB, what: module, end: A}\n");
    ck_assert_uint_eq(served_between(run, 32, 39), 4 * 7);
    ck_assert_uint_gt(run->summary.links[1].bits.generated, 20 * 100000);
    case_run_free(run);
}
END_TEST

/* Without its controller a key manager goes on with the route it has, valid for 1 s only; one that has
 * none refuses; the nodes go on, and so does everything once the controller is back. */
START_TEST(controller_is_gone_and_comes_back)
{
    struct case_run *run = checked(HEAD(
        "40") NET "control: {route_validity: 1 s}\n"
                  "applications:\n"
                  "  - {id: far, from: A, to: C, arrivals: periodic, rate: 4 /s, start: 4 s}\n"
                  "  - {id: near, from: A, to: B, arrivals: periodic, rate: 4 /s, start: 4 s}\n"
                  "  - {id: back, from: C, to: A, arrivals: periodic, rate: 4 /s, start: 12 s}\n"
                  "faults: [{at: 10 s, for: 10 s, element: controller}]\n");
    size_t refused = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        if (r->application != 2) { /* near: D23-RP-04 */
            ck_assert_str_eq(r->outcome, "served");
        } else if (r->start_ns > 13 * QKD_NS_PER_S && r->start_ns < 20 * QKD_NS_PER_S) {
            ck_assert_str_ne(r->outcome, "served");
            refused++;
        } else if (r->start_ns > 26 * QKD_NS_PER_S) {
            ck_assert_str_eq(r->outcome, "served");
        }
    }
    ck_assert_uint_ge(refused, 26);
    ck_assert_uint_gt(case_events(run, "alarm raised controller_lost"), 0);
    ck_assert_uint_gt(case_events(run, "alarm cleared controller_lost"), 0);
    ck_assert_uint_eq(case_events(run, "crash"), 0);
    case_run_free(run);
}
END_TEST

/* The manager steers nothing: all is served without it. It hears of what happens after its return. */
START_TEST(manager_is_gone_and_comes_back)
{
    struct case_run *run = checked(HEAD("40") NET STEADY
                                   "faults:\n"
                                   "  - {at: 10 s, for: 10 s, element: manager}\n"
                                   "  - {at: 22 s, for: 12 s, link: AB, what: quantum}\n");
    ck_assert_uint_eq(run->summary.requests.served, run->summary.requests.total);
    ck_assert_uint_gt(case_events(run, "alarm raised no_key"), 0);
    case_run_free(run);
}
END_TEST

/* ---- channels ---- */

/* Both links 40 ms longer, one way: a request has waited at least for the way there and back. */
START_TEST(impaired_channels_delay)
{
    struct case_run *run = checked(
        HEAD("20") NET STEADY
        "faults: [{at: 10 s, for: 5 s, link: [AB, BC], what: impaired, delay: 40 ms}]\n");
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        int64_t took_ns = r->end_ns - r->start_ns;
        bool slow = r->start_ns >= 10 * QKD_NS_PER_S && r->start_ns < 14 * QKD_NS_PER_S;
        bool fast = r->start_ns < 9 * QKD_NS_PER_S || r->start_ns > 16 * QKD_NS_PER_S;
        ck_assert_str_eq(r->outcome, "served");
        ck_assert(!slow || took_ns >= 4 * 40 * QKD_NS_PER_MS);
        ck_assert(!fast || took_ns < 40 * QKD_NS_PER_MS);
    }
    case_run_free(run);
}
END_TEST

/* Half the frames lost, or damaged: they are sent again, and none that is damaged is believed. */
START_TEST(impaired_channels_lose_and_damage)
{
    static const char text[] = HEAD("40") NET
        "key_management: {retransmit: 50 ms, retries: 20}\n" STEADY
        "faults: [{at: 10 s, for: 10 s, link: BC, what: impaired, frame_loss: 0.3}]\n";
    struct case_run *run = checked(text);
    ck_assert_uint_gt(run->net.dropped_chance, 20);
    ck_assert_uint_eq(run->summary.security.forgeries_rejected, 0);
    ck_assert_uint_gt(run->summary.relay.retransmissions, 5);
    ck_assert_uint_eq(served_between(run, 26, 39), 4 * 13);
    case_run_free(run);
    const char *sets[] = {"faults=[{at: 10 s, for: 10 s, link: BC, what: impaired, "
                          "frame_corruption: 0.3}]",
                          NULL};
    run = checked_with(text, &(struct case_options){.sets = sets});
    ck_assert_uint_gt(run->summary.security.forgeries_rejected, 5); /* tags of RELAY frames */
    ck_assert_uint_gt(run->summary.security.auth_failures, 5);      /* the record layer */
    ck_assert_uint_eq(run->summary.mismatched_pairs, 0);
    ck_assert_uint_eq(served_between(run, 26, 39), 4 * 13);
    case_run_free(run);
}
END_TEST

/* C has no management network: its status does not reach the controller at A. B has, and so have A's
 * own elements. With B and C cut off together they still do not reach A. */
START_TEST(management_network_in_parts)
{
    static const char text[] = HEAD("40") NET STEADY
        "faults: [{at: 10 s, for: 10 s, node: C, what: partition}]\n";
    struct case_run *run = checked(text);
    ck_assert_uint_gt(run->net.dropped_fault, 5);
    uint64_t one = run->net.dropped_fault;
    ck_assert_uint_eq(served_between(run, 26, 39), 4 * 13);
    case_run_free(run);
    const char *sets[] = {"faults=[{at: 10 s, for: 10 s, node: [B, C], what: partition}]", NULL};
    run = checked_with(text, &(struct case_options){.sets = sets});
    ck_assert_uint_gt(run->net.dropped_fault, one);
    ck_assert_uint_eq(served_between(run, 26, 39), 4 * 13);
    case_run_free(run);
}
END_TEST

/* ---- groups ---- */

/* A duct with both links: neither has light, and both come back. */
START_TEST(risk_group_fails_at_once)
{
    struct case_run *run = checked(HEAD("30") NET
                                   "  risk_groups: [{id: duct, links: [AB, BC]}]\n" STEADY
                                   "faults: [{at: 10 s, for: 5 s, group: duct, what: quantum}]\n");
    ck_assert_uint_eq(case_events(run, "fault_begin"), 2);
    ck_assert_uint_eq(case_events(run, "fault_end"), 2);
    ck_assert_uint_le(run->summary.links[0].bits.generated, 24 * 100000);
    ck_assert_uint_eq(run->summary.links[0].bits.generated, run->summary.links[1].bits.generated);
    case_run_free(run);
}
END_TEST

/* The same in both engines: outcome and reason of each request, key of each link, alarms. */
START_TEST(engines_agree)
{
    static const char text[] = HEAD("60") NET
        "  risk_groups: [{id: duct, links: [AB, BC]}]\n" STEADY "faults:\n"
        "  - {at: 6 s, for: 4 s, link: BC, what: degraded, loss: 6 dB}\n"
        "  - {at: 8.1 s, for: 3 s, link: BC, what: module, end: B}\n"
        "  - {at: 15.1 s, for: 2 s, link: AB, what: impaired, delay: 3 ms}\n"
        "  - {at: 20.1 s, for: 4 s, element: controller}\n"
        "  - {at: 30.1 s, for: 4 s, node: C, what: partition}\n"
        "  - {at: 40.1 s, for: 1 s, every: 6 s, until: 50 s, group: duct}\n"
        "  - {at: 53.1 s, for: 2 s, element: manager}\n";
    struct case_run *fast = checked(text);
    struct case_run *grid = checked_with(text,
                                         &(struct case_options){.engine = SCN_ENGINE_SIMGRID});
    ck_assert_uint_eq(fast->request_count, grid->request_count);
    for (size_t i = 0; i < fast->request_count; i++) {
        ck_assert_str_eq(fast->requests[i].outcome, grid->requests[i].outcome);
        ck_assert_str_eq(fast->requests[i].reason, grid->requests[i].reason);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(fast->summary.links[i].bits.generated,
                          grid->summary.links[i].bits.generated);
    }
    ck_assert_uint_eq(fast->event_count, grid->event_count);
    case_run_free(fast);
    case_run_free(grid);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault kinds");
    TCase *tcase = tcase_create("kinds");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, degraded_light_makes_less);
    tcase_add_test(tcase, degradations_multiply);
    tcase_add_test(tcase, noisy_light_is_reported);
    tcase_add_test(tcase, module_is_gone_and_comes_back);
    tcase_add_test(tcase, module_and_node_overlap);
    tcase_add_test(tcase, controller_is_gone_and_comes_back);
    tcase_add_test(tcase, manager_is_gone_and_comes_back);
    tcase_add_test(tcase, impaired_channels_delay);
    tcase_add_test(tcase, impaired_channels_lose_and_damage);
    tcase_add_test(tcase, management_network_in_parts);
    tcase_add_test(tcase, risk_group_fails_at_once);
    tcase_add_test(tcase, engines_agree);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
