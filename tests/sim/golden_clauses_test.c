/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Golden traces, named by the clause of FG QIT4N D2.3 that they show: what elements say to one
 * another, message by message, as docs/protocol.md tells it. The texts are in tests/sim/golden; the
 * comments at their head say why each is right. Topology, unless a test says otherwise: line
 * A - B - C, fibres of 10 and 20 km (50 and 100 us), 100 kbit/s and one block of 100 kbit a second on
 * each link, controller and manager at A, clocks without error, no loss. */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/sim_case.h"
#include "tests/lib/sim_golden.h"

#define LINE                                                                                       \
    "scenario: golden\n"                                                                           \
    "duration: 20 s\n"                                                                             \
    "engine: fast\n"                                                                               \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"                                                       \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"

#define MS QKD_NS_PER_MS
#define SIDE_EFFECTS                                                                               \
    "HELLO STATUS STATUS_RSP FAULT CONFIGURATION ACCOUNTING PERFORMANCE SECURITY METADATA "        \
    "REPORT_ACK"

/* Runs, judges the run as any other, compares the trace. */
static void golden(const char *name, const char *yaml, const struct case_options *options)
{
    struct case_run *run = case_run_new(yaml, options);
    case_check(run);
    golden_check(name, tap_text(run->tap));
    case_run_free(run);
}

/* 7.1.1 key acquisition, 7.1.2 storage and synchronization: from the modules' key files to a block
 * that both KMAs hold. */
START_TEST(c711_key_file)
{
    struct tap_filter filter = {.from_ns = 2000 * MS,
                                .to_ns = 2500 * MS,
                                .rps = TAP_RP(KQ1) | TAP_RP(KX1),
                                .without = SIDE_EFFECTS};
    golden("7.1.1_key_file", LINE, &(struct case_options){.tap = &filter});
}
END_TEST

/* 7.1.3 key relay over two hops, session and channels made by an earlier request. */
START_TEST(c713_relay)
{
    struct tap_filter filter = {
        .from_ns = 5500 * MS, .to_ns = 5900 * MS, .rps = TAP_RP(KX1), .without = SIDE_EFFECTS};
    golden("7.1.3_relay",
           LINE "applications:\n"
                "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s, 5.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* 7.1.4, 7.1.5, 7.2.1.2 key supply: the master's request, comparison over Kx-2, the slave's request by
 * ID. Everything, from the application's first word. */
START_TEST(c714_supply)
{
    struct tap_filter filter = {.from_ns = 4500 * MS,
                                .to_ns = 4900 * MS,
                                .without = SIDE_EFFECTS " KEY_FILE KEY_FILE_ACK"};
    golden("7.1.4_supply",
           LINE "applications:\n"
                "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* 7.1.4 neighbours: pool units under a TAKE, no relay, no controller. */
START_TEST(c714_neighbours)
{
    struct tap_filter filter = {.from_ns = 5500 * MS, .to_ns = 5900 * MS, .without = SIDE_EFFECTS};
    golden("7.1.4_neighbours",
           LINE "applications:\n"
                "  - {id: near, from: A, to: B, arrivals: trace, times: [4.5 s, 5.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* 7.2.1.1 a authentication of the application (7-2, 7-3), both directions, at Ak. */
START_TEST(c7211_authentication)
{
    struct tap_filter filter = {.to_ns = 1000 * MS, .rps = TAP_RP(AK)};
    golden("7.2.1.1_authentication",
           LINE "applications:\n"
                "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* 7.2.1.1 b sub-sessions: five keys in frames of two; codes 0x01, 0x01, 0x02 of Table 7-5. */
START_TEST(c7211_sub_sessions)
{
    struct tap_filter filter = {.from_ns = 4500 * MS,
                                .to_ns = 4900 * MS,
                                .rps = TAP_RP(AK) | TAP_RP(KX2) | TAP_RP(KMI) | TAP_RP(APP),
                                .without = SIDE_EFFECTS " ROUTE ROUTE_RSP"};
    golden("7.2.1.1_sub_sessions",
           LINE "key_management: {batch: 2}\n"
                "applications:\n"
                "  - {id: video, from: A, to: C, count: 5, arrivals: trace, times: [4.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* Code 0x03: the links have made no key yet. */
START_TEST(c7211_insufficient)
{
    struct tap_filter filter = {.from_ns = 500 * MS,
                                .to_ns = 900 * MS,
                                .rps = TAP_RP(AK) | TAP_RP(CK) | TAP_RP(KX2),
                                .without = SIDE_EFFECTS};
    golden("7.2.1.1_insufficient",
           LINE "applications:\n"
                "  - {id: video, from: A, to: C, arrivals: trace, times: [500 ms]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

static void ask_status(struct scn_scenario *scenario)
{
    scenario->applications[0].count = 0;
}

/* Code 0x04: amount 0 asks for the status table (D23-PR-06). */
START_TEST(c7211_status)
{
    struct tap_filter filter = {.from_ns = 4500 * MS,
                                .to_ns = 4900 * MS,
                                .rps = TAP_RP(AK) | TAP_RP(KX2),
                                .without = SIDE_EFFECTS};
    golden("7.2.1.1_status",
           LINE "applications:\n"
                "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s]}\n",
           &(struct case_options){.tap = &filter, .adjust = ask_status});
}
END_TEST

/* 7.2.1.1 c deletion (Tables 7-6, 7-7) by both applications after they had their keys. */
START_TEST(c7211_deletion)
{
    struct tap_filter filter = {.from_ns = 4500 * MS,
                                .to_ns = 4900 * MS,
                                .rps = TAP_RP(AK) | TAP_RP(APP)};
    golden("7.2.1.1_deletion",
           LINE "key_management: {batch: 2, retention: preserve}\n"
                "applications:\n"
                "  - {id: video, from: A, to: C, count: 2, arrivals: trace, times: [4.5 s]}\n",
           &(struct case_options){.tap = &filter, .hooks = {.delete_after = true}});
}
END_TEST

/* 7.2.2 HELLO (Table 7-8): two KMAs meet. */
START_TEST(c722_hello)
{
    struct tap_filter filter = {.to_ns = 1100 * MS,
                                .rps = TAP_RP(KX1),
                                .without = "CONFIRM GRANT "
                                           "GRANT_REQUEST "
                                           "HOP_ACK"};
    golden(
        "7.2.2_hello",
        "scenario: golden\n"
        "duration: 2 s\n"
        "engine: fast\n"
        "network:\n"
        "  nodes: [{id: A}, {id: B}]\n"
        "  links:\n"
        "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n",
        &(struct case_options){.tap = &filter});
}
END_TEST

/* 7.2.2 SESSION and UPDATE (Tables 7-9, 7-10) before the first key of a pair. */
START_TEST(c722_session)
{
    struct tap_filter filter = {.from_ns = 4500 * MS,
                                .to_ns = 4900 * MS,
                                .only =
                                    "SESSION SESSION_RSP UPDATE RELAY RELAY_DONE ROUTE ROUTE_RSP",
                                .rps = TAP_RP(KX1) | TAP_RP(CK)};
    golden("7.2.2_session",
           LINE "applications:\n"
                "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* 8.1 status (Tables 8-1, 8-2) and routes upon request (Tables 8-3, 8-4): a ring of four, one side of
 * which goes dark. */
START_TEST(c81_status_route)
{
    struct tap_filter filter = {.from_ns = 4000 * MS, .to_ns = 9000 * MS, .rps = TAP_RP(CK)};
    golden("8.1_status_route",
           "scenario: golden\n"
           "duration: 20 s\n"
           "engine: fast\n"
           "network:\n"
           "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
           "  links:\n"
           "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 90 kbit/s, block: 90 kbit}}\n"
           "    - {id: BC, ends: [B, C], length: 10 km, qkd: {rate: 90 kbit/s, block: 90 kbit}}\n"
           "    - {id: AD, ends: [A, D], length: 10 km, qkd: {rate: 60 kbit/s, block: 60 kbit}}\n"
           "    - {id: DC, ends: [D, C], length: 10 km, qkd: {rate: 60 kbit/s, block: 60 kbit}}\n"
           "control: {route_validity: 0 s, status_period: 1 s, at: A}\n"
           "applications:\n"
           "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s, 8.5 s]}\n"
           "faults:\n"
           "  - {at: 4.6 s, link: BC, what: both}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* Rule 1: one-way traffic uses up its own half of the key, and the neighbour GRANTs from its. */
START_TEST(rule1_grant)
{
    struct tap_filter filter = {.from_ns = 2500 * MS,
                                .to_ns = 10000 * MS,
                                .only = "GRANT GRANT_REQUEST RELAY TAKE",
                                .rps = TAP_RP(KX1)};
    golden("rule1_grant",
           "scenario: golden\n"
           "duration: 8 s\n"
           "engine: fast\n"
           "network:\n"
           "  nodes: [{id: A}, {id: B}]\n"
           "  links:\n"
           "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 8 kbit/s, block: 16 kbit}}\n"
           "applications:\n"
           "  - {id: near, from: A, to: B, count: 4, arrivals: trace,\n"
           "     times: [3 s, 3.1 s, 3.2 s, 3.3 s, 3.4 s, 3.5 s]}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

/* Rule 1: key older than `expiry` is given up by its owner, who tells the other end by SKIP. */
START_TEST(rule1_expiry)
{
    struct tap_filter filter = {.to_ns = 6500 * MS, .only = "CONFIRM SKIP", .rps = TAP_RP(KX1)};
    golden("rule1_expiry",
           "scenario: golden\n"
           "duration: 8 s\n"
           "engine: fast\n"
           "network:\n"
           "  nodes: [{id: A}, {id: B}]\n"
           "  links:\n"
           "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 8 kbit/s, block: 16 kbit}}\n"
           "key_management: {expiry: 3 s}\n",
           &(struct case_options){.tap = &filter});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden_clauses");
    TCase *tc = tcase_create("clauses");
    tcase_add_test(tc, c711_key_file);
    tcase_add_test(tc, c713_relay);
    tcase_add_test(tc, c714_supply);
    tcase_add_test(tc, c714_neighbours);
    tcase_add_test(tc, c7211_authentication);
    tcase_add_test(tc, c7211_sub_sessions);
    tcase_add_test(tc, c7211_insufficient);
    tcase_add_test(tc, c7211_status);
    tcase_add_test(tc, c7211_deletion);
    tcase_add_test(tc, c722_hello);
    tcase_add_test(tc, c722_session);
    tcase_add_test(tc, c81_status_route);
    tcase_add_test(tc, rule1_grant);
    tcase_add_test(tc, rule1_expiry);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
