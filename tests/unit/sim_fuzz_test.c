/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans of the fuzzer: the same seed is the same plan, every plan is a scenario that loads, features
 * that are not allowed do not show, and shrinking keeps what fails and nothing that can go. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fuzz.h"

enum { SEEDS = 300 };

/* NULL: it does not load, and why. */
static struct scn_scenario *try(const struct sim_fuzz_plan *plan, char why[256])
{
    static char text[SIM_FUZZ_TEXT];
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    sim_fuzz_print(plan, text);
    struct scn_text from = {.name = "plan", .text = text, .len = strlen(text)};
    (void)scn_load_text(&from, NULL, &scenario, &errors);
    (void)snprintf(why, 256, "%s", errors.count > 0 ? errors.lines[0] : "");
    scn_errors_fini(&errors);
    return scenario;
}

static struct scn_scenario *load(const struct sim_fuzz_plan *plan)
{
    char why[256];
    struct scn_scenario *scenario = try(plan, why);
    ck_assert_msg(scenario != NULL, "%s", why);
    return scenario;
}

START_TEST(plans)
{
    bool seen[SIM_FUZZ_FEATURES] = {false};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_fuzz_plan plan;
        struct sim_fuzz_plan again;
        memset(&plan, 1, sizeof plan);
        memset(&again, 2, sizeof again);
        sim_fuzz_plan_make(&plan, seed);
        sim_fuzz_plan_make(&again, seed);
        static char texts[2][SIM_FUZZ_TEXT];
        sim_fuzz_print(&plan, texts[0]);
        sim_fuzz_print(&again, texts[1]);
        ck_assert_str_eq(texts[0], texts[1]);
        struct scn_scenario *scenario = load(&plan);
        ck_assert_uint_eq(scenario->node_count, plan.node_count);
        ck_assert_uint_ge(scenario->link_count, scenario->node_count - 1);
        uint32_t members = 0; /* multicast: of applications that the plan has */
        for (size_t i = 0; i < scenario->application_count; i++) {
            members += scenario->applications[i].of > 0;
        }
        ck_assert_uint_eq(scenario->application_count - members,
                          plan.app_count + plan.demand.nodes * (plan.demand.nodes - 1) / 2);
        ck_assert_uint_le(scenario->access_count, plan.rule_count);
        ck_assert_uint_ge(scenario->fault_count, plan.fault_count);
        ck_assert(scenario->fault_count == plan.fault_count || plan.trouble_count > 0);
        scn_free(scenario);
        for (uint32_t f = 0; f < SIM_FUZZ_FEATURES; f++) {
            seen[f] = seen[f] || sim_fuzz_set_has(plan.features, f);
        }
    }
    for (uint32_t f = 0; f < SIM_FUZZ_FEATURES; f++) {
        ck_assert_msg(seen[f], "%s is never drawn", sim_fuzz_feature_name(f));
    }
}
END_TEST

START_TEST(limited)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_fuzz_plan plan;
        sim_fuzz_plan_limited(&plan, seed, SIM_FUZZ_ONLY(SIM_FUZZ_CALM));
        ck_assert_uint_eq(plan.features.word[0] & ~(uint64_t)SIM_FUZZ_CALM, 0);
        ck_assert_uint_eq(plan.features.word[1], 0);
        ck_assert_uint_eq(plan.fault_count + plan.trouble_count, 0);
        ck_assert_uint_eq(plan.loss_pm + plan.duplicate_pm + plan.reorder_pm, 0);
    }
}
END_TEST

/* ---- shrinking, of something that can be looked up instead of run ---- */

static uint32_t tries;

/* "Fails" if some application of at least two keys is there, and a crash of its master's node. */
static bool fails(void *ctx, const struct sim_fuzz_plan *plan)
{
    (void)ctx;
    char why[256];
    struct scn_scenario *scenario = try(plan, why);
    scn_free(scenario);
    tries++;
    for (uint32_t a = 0; scenario != NULL && a < plan->app_count; a++) {
        for (uint32_t f = 0; f < plan->fault_count && !plan->app[a].off; f++) {
            bool crash = !plan->fault[f].off && plan->fault[f].what == SCN_FAULT_CRASH;
            if (crash && plan->fault[f].index == plan->app[a].from && plan->app[a].count > 1) {
                return true;
            }
        }
    }
    return false;
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static bool at_once(void *ctx)
{
    (void)ctx;
    return true;
}

/* The first plan that fails. */
static void plan_find(struct sim_fuzz_plan *plan)
{
    uint64_t seed = 0;
    do {
        ck_assert_uint_lt(seed, 10000);
        sim_fuzz_plan_make(plan, ++seed);
    } while (!fails(NULL, plan) || plan->fault_count < 5 || plan->node_count < 5);
}

START_TEST(shrinks)
{
    struct sim_fuzz_plan plan;
    plan_find(&plan);
    tries = 0;
    uint32_t tried = sim_fuzz_shrink(&plan, &(struct sim_fuzz_shrink){fails, never, NULL});
    ck_assert_uint_eq(tried, tries);
    ck_assert(fails(NULL, &plan));
    struct scn_scenario *scenario = load(&plan);
    ck_assert_uint_eq(scenario->application_count, 1);
    ck_assert_uint_eq(scenario->fault_count, 1);
    ck_assert_uint_le(scenario->node_count, 3); /* the application's, and what joins them */
    ck_assert_uint_le(scenario->link_count, scenario->node_count - 1);
    ck_assert_uint_eq(plan.loss_pm + plan.duplicate_pm + plan.reorder_pm, 0);
    scn_free(scenario);
}
END_TEST

START_TEST(no_time)
{
    struct sim_fuzz_plan plan;
    plan_find(&plan);
    struct sim_fuzz_plan before = plan;
    tries = 0;
    ck_assert_uint_eq(sim_fuzz_shrink(&plan, &(struct sim_fuzz_shrink){fails, at_once, NULL}), 0);
    ck_assert_uint_eq(tries, 0);
    ck_assert_mem_eq(&plan, &before, sizeof plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_fuzz");
    TCase *tc = tcase_create("fuzz");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, plans);
    tcase_add_test(tc, limited);
    tcase_add_test(tc, shrinks);
    tcase_add_test(tc, no_time);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
