/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `qkdn validate --show` prints is the same scenario: it loads to the same hash and runs to the
 * same trace digest, for all shipped files (their first seconds) and for random changes to a file
 * with every kind of load. Runs in the folder of the project. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run.h"
#include "tests/lib/json_schema.h"
#include "tests/lib/scenario_mutate.h"

#define S INT64_C(1000000000)

enum { MOST_NODES = 120, MOST_APPLICATIONS = 400 };

struct outcome {
    uint64_t digest, events;
    char hash[65];
};

static struct outcome run(const struct scn_scenario *scenario, int64_t until_ns)
{
    struct outcome outcome = {0};
    struct scn_summary summary;
    char why[200] = "";
    struct sim_options options = {.has_engine = true,
                                  .engine = SCN_ENGINE_FAST,
                                  .until_ns = until_ns,
                                  .why = why,
                                  .why_size = sizeof why};
    int rc = sim_run(scenario, &options, &summary);
    ck_assert_msg(rc == 0, "%s: %s", scenario->name, why);
    ck_assert_uint_eq(summary.oracle.violations, 0);
    outcome.digest = summary.trace_digest;
    outcome.events = summary.events;
    scn_summary_fini(&summary);
    ck_assert_int_eq(scn_hash(scenario, outcome.hash), 0);
    return outcome;
}

/* Frees the scenario. */
static void resolved_is_equal(struct scn_scenario *scenario, int64_t until_ns)
{
    struct scn_scenario *again = NULL;
    struct scn_errors errors;
    char *printed = scn_print(scenario);
    ck_assert_ptr_nonnull(printed);
    struct scn_text text = {.name = "resolved", .text = printed, .len = strlen(printed)};
    int err = scn_load_text(&text, NULL, &again, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no memory");
    scn_errors_fini(&errors);
    struct outcome a = run(scenario, until_ns);
    struct outcome b = run(again, until_ns);
    ck_assert_msg(strcmp(a.hash, b.hash) == 0 && a.digest == b.digest && a.events == b.events,
                  "%s runs differently when resolved:\n%s", scenario->name, printed);
    ck_assert_uint_gt(a.events, 0);
    free(printed);
    scn_free(again);
    scn_free(scenario);
}

START_TEST(shipped_files)
{
    static const char *const folders[] = {"scenarios", "scenarios/bench"};
    size_t files = 0;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        DIR *dir = opendir(folders[i]);
        ck_assert_ptr_nonnull(dir);
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            char path[300];
            struct scn_scenario *scenario = NULL;
            struct scn_errors errors;
            size_t len = strlen(entry->d_name);
            if (len < 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0) {
                continue;
            }
            (void)snprintf(path, sizeof path, "%s/%.250s", folders[i], entry->d_name);
            int err = scn_load(path, NULL, &scenario, &errors);
            ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : path);
            scn_errors_fini(&errors);
            if (scenario->node_count > MOST_NODES) {
                scn_free(scenario); /* its print is compared in scenario_trust_test.c */
                continue;
            }
            resolved_is_equal(scenario, 10 * S);
            files++;
        }
        ck_assert_int_eq(closedir(dir), 0);
    }
    ck_assert_uint_ge(files, 8);
}
END_TEST

static const char rich[] =
    "scenario: rich\nseed: 3\nseeds: {arrivals: 4}\nduration: 8 s\nwarmup: 1 s\nengine: fast\n"
    "network:\n  nodes:\n    - {id: A, operator: x, clock: {offset: 1 ms, drift: 2 ppm}}\n"
    "    - {id: B}\n    - {id: C, role: border}\n  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, initial: 80 kbit, qkd: {rate: 90 kbit/s}}\n"
    "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: [[0 s, 1 Mbit/s, 0], [4 s, 0, 1 "
    "%]]}}\n"
    "  classical: {latency: auto, queue: 1 MiB, loss: 0.01}\n"
    "key_management: {batch: 4}\ncontrol: {routing: key-aware, at: B}\n"
    "applications:\n"
    "  - {id: v, from: A, to: C, rate: 5 /s, wait: true, count: 2, level: any, stop: 7 s}\n"
    "  - {id: o, from: A, to: C, arrivals: on-off, key_rate: 1 kbit/s, on_time: 1 s, off_time: 2 "
    "s}\n"
    "  - {id: d, from: C, to: A, arrivals: diurnal, day: 3 s, profile: [[0, 9 /s], [1 s, 2 /s]]}\n"
    "  - {id: w, from: C, to: A, arrivals: diurnal, day: 3 s, rate: 7 /s}\n"
    "  - {id: t, from: C, to: A, arrivals: trace, times: [1 s, 2 s, 2 s]}\n"
    "demands:\n  - {id: g, gravity: 3 kbit/s, weights: {A: 1, B: 2, C: 0.7}}\n"
    "  - {id: p, pairs: once, nodes: [A, B], application: {volume: 13 kbit, timeout: 1 s}}\n"
    "access:\n  - {rule: allow, application: v}\n  - {rule: deny, from: {operator: x}, to: {role: "
    "border}}\nfaults:\n  - {at: 3 s, link: AB, what: both, for: 1 s}\n  - {at: 5 s, node: B, for: "
    "1 s}\n";

/* Loads run whole only if they are small: a random rate may be a thousand million per second. */
static bool is_small(const struct scn_scenario *scenario)
{
    double rate = 0;
    for (size_t i = 0; i < scenario->application_count; i++) {
        const struct scn_application *a = &scenario->applications[i];
        rate += a->rate_per_s * a->count;
        for (size_t k = 0; k < a->profile_count; k++) {
            rate += a->profile[k].rate_per_s * a->count;
        }
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        rate += (double)scenario->links[i].qkd.mean_bps / (double)scenario->links[i].qkd.block_bits;
    }
    return rate < 500 && scenario->node_count <= MOST_NODES &&
           scenario->application_count <= MOST_APPLICATIONS &&
           scenario->control.status_period_ns >= S / 100 &&
           scenario->key_management.retransmit_ns >= S / 100;
}

START_TEST(random_scenarios)
{
    struct js_value *document = js_parse(rich, sizeof rich - 1);
    size_t ran = 0;
    ck_assert_ptr_nonnull(document);
    for (uint64_t seed = 1; ran < 120; seed++) {
        uint64_t state = seed * 77;
        struct js_value *changed = js_copy(document);
        for (uint64_t n = seed == 1 ? 0 : 1 + mutate_below(&state, 2); n > 0; n--) {
            mutate_once(changed, &state);
        }
        char *text = js_print(changed);
        struct scn_scenario *scenario = NULL;
        struct scn_errors errors;
        struct scn_text input = {.name = "random", .text = text, .len = strlen(text)};
        if (scn_load_text(&input, NULL, &scenario, &errors) == 0 && is_small(scenario)) {
            resolved_is_equal(scenario, 8 * S);
            ran++;
        } else {
            scn_free(scenario);
        }
        ck_assert(seed > 1 || ran == 1);
        scn_errors_fini(&errors);
        js_free(changed);
        free(text);
    }
    js_free(document);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolved equal");
    TCase *tc = tcase_create("resolved");
    tcase_set_timeout(tc, 110);
    tcase_add_test(tc, shipped_files);
    tcase_add_test(tc, random_scenarios);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
