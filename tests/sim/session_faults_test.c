/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with a guaranteed rate under loss, duplication, reordering, crashes and cuts, watched by the oracle
 * (docs/oracle.md, "sessions"): whatever happens, no link promises more than it gives, and once all sessions are
 * over nothing stays reserved. Topology: ring A - B - C - D, controller at A; sessions A -> C (relayed), B -> D
 * (relayed), C -> D (neighbours, asking for keys), about twice what the links can guarantee. Sessions stop a good
 * while before the end. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run.h"

#define SESSION(id, from, to, keys)                                                                \
    "  - {id: " id ", from: " from ", to: " to ", rate: 8 /s, stop: 90 s, timeout: 3 s,\n"         \
    "     session: {rate: 256 bit/s, hold: 2 s, keys: " keys ", timeout: 6 s}}\n"

static const char head[] =
    "scenario: sessions under faults\nduration: 140 s\nengine: fast\nnetwork:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], initial: 1 Mbit, qkd: {rate: 20 kbit/s}}\n"
    "    - {id: BC, ends: [B, C], initial: 1 Mbit, qkd: {rate: 20 kbit/s}}\n"
    "    - {id: CD, ends: [C, D], initial: 1 Mbit, qkd: {rate: 20 kbit/s}}\n"
    "    - {id: DA, ends: [D, A], initial: 1 Mbit, qkd: {rate: 20 kbit/s}}\n"
    "  classical: {latency: 2 ms, management_latency: 2 ms, loss: 0.05, duplicate: 0.05,\n"
    "              reorder: 0.1, reorder_jitter: 400 ms}\n"
    "control: {at: A}\nkey_management: {retransmit: 100 ms}\napplications:\n" SESSION("ac", "A",
                                                                                      "C", "none")
        SESSION("bd", "B", "D", "none") SESSION("cd", "C", "D", "at-rate");

static void run(const char *faults, uint64_t seed, struct scn_summary *summary)
{
    char text[4000];
    char seed_text[40];
    int len = snprintf(text, sizeof text, "%sfaults:\n%s", head, faults);
    ck_assert_int_lt(len, (int)sizeof text);
    (void)snprintf(seed_text, sizeof seed_text, "seed=%u", (unsigned)seed);
    const char *sets[] = {seed_text};
    struct scn_scenario *scenario;
    struct scn_errors errors;
    struct scn_text from = {"sessions", text, (size_t)len, NULL};
    int rc = scn_load_text(&from, &(struct scn_sets){sets, 1}, &scenario, &errors);
    ck_assert_msg(rc == 0, "%s", errors.count > 0 ? errors.lines[0] : "does not load");
    scn_errors_fini(&errors);
    char why[200] = "";
    struct scn_sink sink = {0};
    struct sim_options options = {.sink = &sink, .why = why, .why_size = sizeof why};
    rc = sim_run(scenario, &options, summary);
    ck_assert_msg(rc == 0, "%s", why);
    ck_assert_msg(summary->oracle.violations == 0, "seed %u: %s", (unsigned)seed,
                  summary->oracle.first);
    const struct scn_sessions *s = &summary->sessions;
    ck_assert_uint_eq(s->offered, s->refused + s->closed + s->broken + s->open);
    ck_assert_uint_gt(s->closed, 300);
    ck_assert_uint_gt(s->refused, 100);
    ck_assert_uint_eq(s->open, 0);
    for (size_t i = 0; i < summary->link_count; i++) {
        ck_assert_uint_eq(summary->links[i].reserved_end_bps, 0);
        ck_assert_uint_le(summary->links[i].reserved_max_bps, 18000);
        ck_assert_uint_gt(summary->links[i].reserved_max_bps, 12000);
    }
    ck_assert_uint_gt(summary->applications[2].requests.served, 300);
    scn_free(scenario);
}

static uint64_t because(const struct scn_summary *summary, const char *reason)
{
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (strcmp(summary->reasons[i].text, reason) == 0) {
            return summary->session_reasons[i];
        }
    }
    ck_abort_msg("no reason %s", reason);
    return 0;
}

START_TEST(disturbed)
{
    struct scn_summary summary;
    run("  []\n", (uint64_t)_i + 1, &summary);
    ck_assert_uint_gt(because(&summary, "no_capacity"), 100);
    ck_assert_uint_eq(summary.sessions.broken, 0);
    ck_assert_uint_eq(because(&summary, "restarted"), 0);
    scn_summary_fini(&summary);
}
END_TEST

START_TEST(nodes_crash)
{
    struct scn_summary summary;
    run("  - {at: 20 s, node: B, for: 2 s}\n  - {at: 35 s, node: C, for: 500 ms}\n"
        "  - {at: 50 s, node: C, for: 8 s}\n",
        (uint64_t)_i + 1, &summary);
    ck_assert_uint_gt(because(&summary, "restarted"), 5);
    ck_assert_uint_gt(summary.sessions.broken, 5);
    scn_summary_fini(&summary);
}
END_TEST

/* Sessions outlive the controller; while it is away, and for a while after, none is admitted. */
START_TEST(controller_crashes)
{
    struct scn_summary summary;
    run("  - {at: 30 s, node: A, for: 3 s}\n  - {at: 60 s, node: A, for: 200 ms}\n",
        (uint64_t)_i + 1, &summary);
    ck_assert_uint_gt(because(&summary, "restarted"), 50);
    ck_assert_uint_gt(summary.applications[1].sessions.closed, 100);
    ck_assert_uint_eq(summary.applications[1].sessions.broken, 0);
    scn_summary_fini(&summary);
}
END_TEST

/* A KM that is cut off for longer than its reservations last takes them up again, as far as there is room. */
START_TEST(cut_off)
{
    struct scn_summary summary;
    run("  - {at: 20 s, node: B, what: down, for: 2 s}\n"
        "  - {at: 40 s, node: C, what: down, for: 12 s}\n"
        "  - {at: 45 s, link: AB, for: 10 s}\n  - {at: 70 s, link: DA, what: quantum, for: 5 s}\n",
        (uint64_t)_i + 1, &summary);
    ck_assert_uint_gt(because(&summary, "unreachable") + because(&summary, "timeout"), 20);
    scn_summary_fini(&summary);
}
END_TEST

/* The same seed gives the same run. */
START_TEST(same_again)
{
    struct scn_summary first, second;
    const char *faults = "  - {at: 30 s, node: A, for: 3 s}\n";
    run(faults, 9, &first);
    run(faults, 9, &second);
    ck_assert_uint_eq(first.trace_digest, second.trace_digest);
    ck_assert_uint_eq(first.sessions.admitted, second.sessions.admitted);
    scn_summary_fini(&first);
    scn_summary_fini(&second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sessions under faults");
    TCase *tc = tcase_create("sessions under faults");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, disturbed, 0, 2);
    tcase_add_loop_test(tc, nodes_crash, 0, 3);
    tcase_add_loop_test(tc, controller_crashes, 0, 3);
    tcase_add_loop_test(tc, cut_off, 0, 3);
    tcase_add_test(tc, same_again);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
