/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: when any single allocation of a load, a print or a hash fails, the call says so and
 * nothing is left half-built or leaked (the latter is seen in the sanitizer build). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"
#include "tests/lib/alloc_count.h"

static const char good[] =
    "scenario: alloc\nduration: 1 h\nnetwork:\n  nodes: [&n {id: A, lat: 1, lon: 2}, {id: B}]\n"
    "  links: [{id: AB, ends: [A, B], qkd: {model: trace, trace: [[0, 9 kbit/s, 1 %]]}}]\n"
    "applications: [{id: v, from: A, to: B, arrivals: trace, times: [1 s, 2 s]}]\n"
    "faults: [{at: 1 s, link: AB}]\nexpect: [served_fraction > 0]\n";

static const char bad[] = "scenario: alloc\nduration: 0 s\nnetwork: {nodes: [{id: A}, {id: A}]}\n";

static const char wide[] =
    "scenario: alloc\nduration: 1 h\nengine: fast\nnetwork:\n  nodes: [{id: A, user_networks: [a, "
    "10.0.0.0/8]}, {id: B}]\n  links: [{id: AB, ends: [A, B], length: 90 km, qkd: {rate: 9 "
    "kbit/s}}]\n"
    "  generate: {kind: geometric, nodes: 40, side: 90 km, radius: 1 km, link: {qkd: {rate: 9 "
    "kbit/s}}}\n  max_span: 10 km\n";

static const char star[] =
    "scenario: alloc\nduration: 1 h\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
    "  links: [{id: AB, ends: [A, B], qkd: {rate: 9 kbit/s}}]\n"
    "  classical: {switches: [h], links: [{ends: [A, h]}, {ends: [h, B]}]}\n";

static const char asked[] =
    "scenario: alloc\nduration: 1 h\nnetwork:\n  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links: [{id: AB, ends: [A, B], qkd: {rate: 9 kbit/s}}, {id: BC, ends: [B, C], qkd: {rate: 9 "
    "kbit/s}}]\n"
    "applications: [{id: v, from: A, to: B, arrivals: diurnal, profile: [[0, 1 /s], [1 h, 2 "
    "/s]]}]\n"
    "demands:\n  - {id: g, gravity: 9 kbit/s, weights: {A: 1, B: 2, C: 3}, application: {arrivals: "
    "diurnal}}\n"
    "  - {id: p, pairs: all, application: {arrivals: trace, times: [1 s]}}\n"
    "access: [{rule: deny, application: v}, {rule: allow, to: {operator: default}}]\n";

static const char *const texts[] = {good, bad, wide, star, asked};

struct outcome {
    int err;
    bool scenario;
    size_t lines;
    uint64_t allocations;
};

/* One load with the n-th allocation failing (n < 0: none); nothing of Check in between. */
static struct outcome load(const char *text, int64_t n)
{
    static const char *const overrides[] = {"network.links[AB].store=1 Mbit", "seed=2"};
    struct scn_sets sets = {.texts = overrides + (text == bad ? 1 : 0),
                            .count = text == bad ? 1 : 2};
    struct scn_text input = {.name = "t.yaml", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct outcome outcome = {0};
    if (n < 0) {
        alloc_count_begin();
    } else {
        alloc_count_begin_failing(n);
    }
    outcome.err = scn_load_text(&input, &sets, &scenario, &errors);
    outcome.allocations = alloc_count_end();
    outcome.scenario = scenario != NULL;
    outcome.lines = errors.count + errors.omitted;
    scn_free(scenario);
    scn_errors_fini(&errors);
    return outcome;
}

START_TEST(every_allocation_of_a_load)
{
    const char *text = texts[_i];
    struct outcome whole = load(text, -1);
    ck_assert_int_eq(whole.err, text != bad ? 0 : QKD_ERR_INVALID);
    ck_assert_uint_gt(whole.allocations, 5);
    for (uint64_t n = 0; n < whole.allocations; n++) {
        struct outcome o = load(text, (int64_t)n);
        if (text != bad) {
            ck_assert_int_eq(o.err, QKD_ERR_NOMEM);
        } else {
            ck_assert_int_lt(o.err, 0); /* only the text of a message may be missing */
        }
        ck_assert(!o.scenario);
        ck_assert_uint_gt(o.lines, 0);
    }
}
END_TEST

START_TEST(every_allocation_of_a_print)
{
    struct scn_text input = {.name = "t.yaml", .text = good, .len = strlen(good)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load_text(&input, NULL, &scenario, &errors), 0);
    alloc_count_begin();
    char *text = scn_print(scenario);
    uint64_t allocations = alloc_count_end();
    ck_assert_ptr_nonnull(text);
    free(text);
    ck_assert_uint_gt(allocations, 1);
    for (uint64_t n = 0; n < allocations; n++) {
        char hex[65];
        alloc_count_begin_failing((int64_t)n);
        text = scn_print(scenario);
        (void)alloc_count_end();
        ck_assert_ptr_null(text);
        alloc_count_begin_failing((int64_t)n);
        int err = scn_hash(scenario, hex);
        (void)alloc_count_end();
        ck_assert_int_eq(err, QKD_ERR_NOMEM);
        alloc_count_begin_failing((int64_t)n);
        text = scn_schema();
        (void)alloc_count_end();
        ck_assert_ptr_null(text);
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario alloc");
    TCase *tc = tcase_create("alloc");
    tcase_add_loop_test(tc, every_allocation_of_a_load, 0, 5);
    tcase_add_test(tc, every_allocation_of_a_print);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
