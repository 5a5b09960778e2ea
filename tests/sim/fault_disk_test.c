/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults of a node's store and at its outputs, and the end of chance. Topology: line A - B - C, A asks
 * for keys with C and with its neighbour B. What each fault promises: docs/scenario.md, `faults`. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fuzz.h"
#include "tests/lib/sim_case.h"

#define HEAD                                                                                       \
    "scenario: disk\n"                                                                             \
    "seed: 5\n"                                                                                    \
    "duration: 30 s\n"                                                                             \
    "engine: fast\n"                                                                               \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"                                                       \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 50 kbit}}\n"       \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 50 kbit}}\n"
#define LOAD                                                                                       \
    "key_management: {retransmit: 100 ms}\n"                                                       \
    "control: {status_period: 500 ms}\n"                                                           \
    "applications:\n"                                                                              \
    "  - {id: far, from: A, to: C, arrivals: periodic, rate: 4 /s, start: 2 s, timeout: 5 s}\n"    \
    "  - {id: near, from: A, to: B, arrivals: periodic, rate: 4 /s, start: 2 s, timeout: 5 s}\n"

static void judge(const char *text, struct sim_fuzz_verdict *verdict)
{
    sim_fuzz_judge_text(text, NULL, verdict);
    ck_assert_msg(verdict->phase == SIM_FUZZ_GOOD, "%s", verdict->why);
    ck_assert_uint_gt(verdict->live_checks, 20); /* all comes back */
}

static int64_t crash_ns(const char *text, struct case_run **run)
{
    *run = case_run_new(text, NULL);
    case_check(*run);
    for (size_t i = 0; i < (*run)->event_count; i++) {
        if (strncmp((*run)->events[i].text, "crash", 5) == 0) {
            return (*run)->events[i].time_ns;
        }
    }
    return -1;
}

/* After the n-th output from `at` on; later outputs later; more outputs than there are: never. */
START_TEST(output)
{
    static const char *const outputs[] = {"1", "2", "50", "500"};
    int64_t last_ns = 0;
    for (size_t i = 0; i < 4; i++) {
        char text[2048];
        struct case_run *run = NULL;
        (void)snprintf(text, sizeof text,
                       HEAD LOAD "faults:\n  - {at: 4 s, node: B, what: crash, for: 300 ms, "
                                 "output: %s}\n",
                       outputs[i]);
        int64_t at_ns = crash_ns(text, &run);
        ck_assert_int_ge(at_ns, 4 * QKD_NS_PER_S);
        ck_assert_int_ge(at_ns, last_ns);
        ck_assert_uint_eq(case_events(run, "restart"), 1);
        last_ns = at_ns;
        case_run_free(run);
        struct sim_fuzz_verdict verdict;
        judge(text, &verdict);
        ck_assert_uint_eq(verdict.crashes, 1);
    }
    ck_assert_int_gt(last_ns, 4 * QKD_NS_PER_S + QKD_NS_PER_S / 2);
    struct case_run *run = NULL;
    ck_assert_int_eq(crash_ns(HEAD LOAD "faults:\n  - {at: 4 s, node: B, output: 1000000}\n", &run),
                     -1);
    case_run_free(run);
}
END_TEST

/* A commit that a crash undoes: nothing of it is there after the restart, and nothing has left. */
START_TEST(torn)
{
    for (unsigned n = 1; n <= 40; n++) {
        char text[2048];
        struct sim_fuzz_verdict verdict;
        (void)snprintf(text, sizeof text,
                       HEAD LOAD "faults:\n  - {at: 4 s, node: %c, what: torn-commit, "
                                 "for: 200 ms, output: %u}\n",
                       "ABC"[n % 3], n);
        judge(text, &verdict);
        ck_assert_uint_eq(verdict.crashes, 1);
        ck_assert_uint_eq(verdict.torn, 1);
    }
}
END_TEST

/* Nothing that waits for a commit leaves before it, requests of the node's applications among it; then
 * all of it does, at once, and all is served. */
START_TEST(full)
{
    struct case_run *run = case_run_new(
        HEAD LOAD "faults:\n  - {at: 6 s, node: A, what: disk-full, for: 900 ms}\n", NULL);
    case_check(run);
    int64_t to_ns = 6 * QKD_NS_PER_S + 900 * QKD_NS_PER_MS;
    ck_assert_uint_eq(case_count_between(run, NULL, to_ns - 500 * QKD_NS_PER_MS, to_ns), 0);
    ck_assert_uint_ge(case_count_between(run, "served", to_ns, to_ns + QKD_NS_PER_MS), 4);
    ck_assert_uint_eq(case_count_between(run, "served", to_ns, 20 * QKD_NS_PER_S),
                      case_count_between(run, NULL, to_ns, 20 * QKD_NS_PER_S));
    case_run_free(run);
}
END_TEST

/* A crash while the disk is full loses what waited. */
START_TEST(full_and_crash)
{
    struct sim_fuzz_verdict verdict;
    judge(HEAD LOAD "faults:\n"
                    "  - {at: 6 s, node: A, what: disk-full, for: 400 ms}\n"
                    "  - {at: 6200 ms, node: A, what: crash, for: 100 ms}\n",
          &verdict);
    ck_assert_uint_eq(verdict.crashes, 1);
    ck_assert_uint_gt(verdict.refused, 0);
}
END_TEST

/* From `disturbed_until` on no frame is lost: longer runs lose no more. */
START_TEST(chance_ends)
{
#define CHANCE "  classical: {loss: 0.2, duplicate: 0.1, reorder: 0.1, disturbed_until: 8 s}\n"
    uint64_t lost[2];
    const char *const ends[2] = {"duration=9 s", "duration=20 s"};
    for (int i = 0; i < 2; i++) {
        const char *sets[] = {ends[i], NULL};
        struct case_run *run = case_run_new(HEAD CHANCE LOAD, &(struct case_options){.sets = sets});
        case_check(run);
        lost[i] = run->net.dropped_chance;
        case_run_free(run);
    }
    ck_assert_uint_gt(lost[0], 10);
    ck_assert_uint_eq(lost[0], lost[1]);
    struct sim_fuzz_verdict verdict;
    judge(HEAD CHANCE LOAD, &verdict);
}
END_TEST

START_TEST(bad_input)
{
    static const char *const faults[][2] = {
        {"{at: 1 s, node: A, what: down, output: 3}",
         "output: expected with crash or torn-commit only"},
        {"{at: 1 s, link: AB, what: torn-commit}",
         "what 'torn-commit' is not for a link: expected both, quantum, classical"},
        {"{at: 1 s, node: A, what: quantum}",
         "what 'quantum' is not for a node: expected crash, "
         "down, torn-commit, store-lost, disk-full or partition"}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char text[2048];
        (void)snprintf(text, sizeof text, HEAD LOAD "faults:\n  - %s\n", faults[i][0]);
        struct scn_text from = {.name = "t", .text = text, .len = strlen(text)};
        struct scn_scenario *scenario = NULL;
        struct scn_errors errors;
        ck_assert_int_ne(scn_load_text(&from, NULL, &scenario, &errors), 0);
        ck_assert_uint_eq(errors.count, 1);
        ck_assert_msg(strstr(errors.lines[0], faults[i][1]) != NULL, "%s", errors.lines[0]);
        scn_errors_fini(&errors);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault_disk");
    TCase *tc = tcase_create("disk");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, output);
    tcase_add_test(tc, torn);
    tcase_add_test(tc, full);
    tcase_add_test(tc, full_and_crash);
    tcase_add_test(tc, chance_ends);
    tcase_add_test(tc, bad_input);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
