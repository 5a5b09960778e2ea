/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/expect and scenarios/expect: lines are taken apart, refused with a reason, found in the
 * summary, and judged over chosen figures. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/expect.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static const char *const reason_texts[] = {"none", "insufficient_key", "no_route"};
static const struct ana_reasons reasons = {reason_texts, 3};

/* The test line with these expectations in place of its own; NULL and the first error otherwise. */
static struct scn_scenario *line_with(const char *expects, char error[256])
{
    char set[512];
    snprintf(set, sizeof set, "expect=[%s]", expects);
    char *yaml = test_scenario_text();
    const char *texts[] = {set};
    struct scn_sets sets = {texts, 1};
    struct scn_text text = {"test.yaml", yaml, strlen(yaml), NULL};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    (void)scn_load_text(&text, &sets, &scenario, &errors);
    snprintf(error, 256, "%s", errors.count > 0 ? errors.lines[0] : "");
    scn_errors_fini(&errors);
    free(yaml);
    return scenario;
}

static struct scn_scenario *line_expecting(const char *expects)
{
    char error[256];
    struct scn_scenario *scenario = line_with(expects, error);
    ck_assert_msg(scenario != NULL, "%s: %s", expects, error);
    return scenario;
}

START_TEST(known_figures)
{
    static const char *const figures[] = {"served_fraction",
                                          "requests.served",
                                          "latency_s.p95",
                                          "reasons.no_route",
                                          "sim_s",
                                          "interrupted",
                                          "bits.in_flight",
                                          "oracle.violations",
                                          "link[BC].pool_min_bits",
                                          "link[AB].bits.pads",
                                          "application[video].served_fraction",
                                          "application[mail].reasons.insufficient_key",
                                          "application[mail].via[AB]",
                                          "via[AB]",
                                          "min(link[*].pool_min_bits)",
                                          "sum( application[*i*].requests.served )",
                                          "served_fraction from 10 s to 20 s",
                                          "reasons.no_route from 1 s",
                                          "link[AB].up_end to 20 s",
                                          "max(link[A*].down_s) from 0 to 100 s",
                                          "alarms.raised from 10 s to 11s",
                                          "application[video].route[A>B>C].last_s"};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "'%s >= 0'", figures[i]);
        struct scn_scenario *scenario = line_expecting(line);
        struct ana_error error = {""};
        ck_assert_msg(ana_expect_check(scenario, &scenario->expects[0], &reasons, &error) == QKD_OK,
                      "%s: %s", figures[i], error.text);
        scn_free(scenario);
    }
}
END_TEST

/* Well written, but there is no such figure. */
START_TEST(unknown_figures)
{
    static const struct {
        const char *figure, *says;
    } cases[] = {{"served_fractoin", "did you mean 'served_fraction'?"},
                 {"link[BC].pool_min_bit", "did you mean 'pool_min_bits'?"},
                 {"application[video].reasons.no_rout", "did you mean 'no_route'?"},
                 {"link[BC].served_fraction", "is no figure of a link"},
                 {"link[BC].reasons.none", "is no figure of a link"},
                 {"bits.pads from 1 s", "known of the whole run only"},
                 {"application[video].route[A>B>C].last_s to 10 s", "of the whole run only"},
                 {"max(application[*].route[A>B>C].last_s)", "of one application"},
                 {"application[video].route[A>C].last_s", "no link"},
                 {"healing.events to 10 s", "known of the whole run only"},
                 {"cpu_s to 10 s", "known of the whole run only"},
                 {"sum(link[*].bits.pads) from 1 s to 10 s", "known of the whole run only"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "'%s >= 0'", cases[i].figure);
        struct scn_scenario *scenario = line_expecting(line);
        struct ana_error error = {""};
        ck_assert_int_eq(ana_expect_check(scenario, &scenario->expects[0], &reasons, &error),
                         QKD_ERR_INVALID);
        ck_assert_msg(strstr(error.text, cases[i].says) != NULL, "%s: %s", cases[i].figure,
                      error.text);
        scn_free(scenario);
    }
}
END_TEST

/* Not well written: the loader refuses them. */
START_TEST(wrong_lines)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"link[XY].pool_min_bits > 0", "unknown link 'XY'"},
        {"application[vidoe].supplied_bits > 0", "did you mean 'video'?"},
        {"application[video].via[A] > 0", "unknown link 'A'"},
        {"min(link[Z*].up_end) == 1", "no link is called like 'Z*'"},
        {"link[*].up_end == 1", "with * say of which"},
        {"min(served_fraction) > 0", "are over link[*], application[*], event[*] or attack[*]"},
        {"median(link[*].up_end) > 0", "expected min(...), max(...), mean(...) or sum(...)"},
        {"min(link[*].up_end > 0", "expected min(...)"},
        {"link[AB].via[BC] == 1", "a link has no via"},
        {"node[A].x > 0",
         "only link[ID], application[ID], event[NAME], attack[ID] and via[ID] have brackets"},
        {"link[BC]pool > 0", "expected an id in brackets and the name of a figure"},
        {"link[BC > 0", "expected 'figure operator number'"},
        {"served_fraction 0.9", "expected 'figure operator number'"},
        {"served_fraction => 0.9", "expected 'figure operator number'"},
        {"served_fraction >= many", "expected 'figure operator number'"},
        {"served_fraction >= 90 s", "expected 'figure operator number'"},
        {"latency_s.p95 < 5 bit", "expected 'figure operator number'"},
        {"Served >= 1", "expected 'figure operator number'"},
        {"served_fraction from 10 s to 5 s > 0", "the window is empty"},
        {"served_fraction from 10 to 20 > 0", "expected a window such as"},
        {"served_fraction from 10 s to 200 s > 0", "the window is longer than the run"},
        {"served_fraction from 100 s > 0", "the window is longer than the run"},
        {"served_fraction >= 0.9 +- 0.1", "only == and != have a tolerance"},
        {"served_fraction == 0.9 +- -0.1", "the tolerance is below zero"},
        {"served_fraction == 0.9 +-", "expected 'figure operator number'"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[160], error[256];
        snprintf(line, sizeof line, "'%s'", cases[i].line);
        struct scn_scenario *scenario = line_with(line, error);
        ck_assert_msg(scenario == NULL, "%s", cases[i].line);
        ck_assert_msg(strstr(error, cases[i].says) != NULL, "%s: %s", cases[i].line, error);
    }
}
END_TEST

/* A printed scenario loads again to the same expectations. */
START_TEST(one_form)
{
    static const struct {
        const char *line, *text;
    } cases[] = {{"  served_fraction>=0.9  ", "served_fraction >= 0.9"},
                 {"max( link[*].down_s )   from 60 s   to 90000 ms<=500 ms",
                  "max(link[*].down_s) from 1 min to 90 s <= 500 ms"},
                 {"requests.total ==5+-10 %", "requests.total == 5 +- 10 %"},
                 {"application[video].via[AB] to 1min !=1",
                  "application[video].via[AB] to 1 min != 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[160];
        snprintf(line, sizeof line, "'%s'", cases[i].line);
        struct scn_scenario *scenario = line_expecting(line);
        ck_assert_str_eq(scenario->expects[0].text, cases[i].text);
        char *printed = scn_print(scenario);
        struct scn_text text = {"printed", printed, strlen(printed), NULL};
        struct scn_scenario *again = NULL;
        struct scn_errors errors;
        ck_assert_int_eq(scn_load_text(&text, NULL, &again, &errors), 0);
        ck_assert_str_eq(again->expects[0].text, cases[i].text);
        ck_assert_uint_eq(again->watch_count, scenario->watch_count);
        scn_errors_fini(&errors);
        free(printed);
        scn_free(again);
        scn_free(scenario);
    }
}
END_TEST

/* What is collected: one watch for each link of a pattern, shared by equal windows. */
START_TEST(watches_are_shared)
{
    struct scn_scenario *scenario = line_expecting(
        "'min(link[*].pool_min_bits) from 10 s to 20 s > 0',"
        "'max(link[*].down_s) from 10 s to 20 s < 1',"
        "'served_fraction from 10 s to 20 s > 0',"
        "'latency_s.p95 from 10 s to 20 s < 1',"
        "'latency_s.p95 from 10 s < 1',"
        "'via[AB] == 1', 'served_fraction > 0'");
    static const uint32_t first[] = {0, 0, 2, 2, 3, 4};
    static const uint32_t count[] = {2, 2, 1, 1, 1, 1, 0};
    ck_assert_uint_eq(scenario->watch_count, 5);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(scenario->expects[i].watch_count, count[i]);
        ck_assert(i == 6 || scenario->expects[i].watch == first[i]);
    }
    ck_assert_uint_eq(scenario->watches[1].index, 1);
    ck_assert_int_eq(scenario->watches[1].from_ns, INT64_C(10000000000));
    ck_assert_int_eq(scenario->watches[3].to_ns, SCN_FOREVER);
    ck_assert_uint_eq(scenario->watches[4].via, 0);
    scn_free(scenario);
}
END_TEST

/* served 45 of 50; link BC's least level is 4001: both expectations of the scenario hold. */
START_TEST(scenario_is_judged)
{
    struct scn_scenario *scenario = test_scenario();
    struct scn_summary summary;
    test_summary(scenario, &summary);
    ck_assert_uint_eq(ana_expect_judge(scenario, &summary), 0);
    ck_assert_double_eq_tol(summary.verdicts[0].value, 0.9, 1e-15);
    ck_assert_double_eq(summary.verdicts[1].value, 4001);
    summary.requests.served = 42; /* 0.84 < 0.85 */
    summary.links[1].pool_min_bits = 4000;
    ck_assert_uint_eq(ana_expect_judge(scenario, &summary), 2);
    ck_assert(!summary.verdicts[0].pass && !summary.verdicts[1].pass);
    scn_summary_fini(&summary);
    scn_free(scenario);
}
END_TEST

/* Value of the expectation `figure >= 0` over the invented run; what is watched is chosen here. */
static double value_of(const char *figure)
{
    char line[128];
    snprintf(line, sizeof line, "'%s >= 0'", figure);
    struct scn_scenario *scenario = line_expecting(line);
    struct scn_summary summary;
    test_summary(scenario, &summary);
    for (size_t i = 0; i < summary.watch_count; i++) {
        struct scn_watch_summary *watch = &summary.watches[i];
        watch->reached = scenario->watches[i].from_ns < INT64_C(50000000000);
        watch->via = 0.25;
        if (scenario->watches[i].scope == SCN_SCOPE_LINK) {
            watch->of.link->pool_min_bits = 7 + i;
        } else if (scenario->watches[i].scope == SCN_SCOPE_RUN) {
            watch->of.run->requests.served = 11;
            watch->of.run->reasons[1] = (struct scn_reason_count){"insufficient_key", 3};
        } else {
            watch->of.application->reasons[1] = 2;
        }
    }
    double value = ana_expect_value(scenario, &summary, &scenario->expects[0]);
    (void)ana_expect_judge(scenario, &summary);
    ck_assert(summary.verdicts[0].pass == !isnan(value));
    scn_summary_fini(&summary);
    scn_free(scenario);
    return value;
}

START_TEST(values_by_figure)
{
    static const struct {
        const char *figure;
        double value;
    } cases[] = {{"reasons.insufficient_key", 5},
                 {"application[video].reasons.insufficient_key", 5},
                 {"application[mail].reasons.insufficient_key", 0},
                 {"link[AB].bits.pads", 100000},
                 {"link[AB].up_end", 0},
                 {"link[BC].up_end", 1},
                 {"latency_s.p95", 0.048},
                 {"application[mail].served_fraction", NAN},
                 {"fetch_latency_s.mean", NAN},
                 /* levels at the end: 1 and 2 Mbit */
                 {"min(link[*].pool_end_bits)", 1000000},
                 {"max(link[*].pool_end_bits)", 2000000},
                 {"mean(link[*].pool_end_bits)", 1500000},
                 {"sum(link[*].pool_end_bits)", 3000000},
                 {"sum(link[B*].pool_end_bits)", 2000000},
                 /* mail has no requests: video alone, 45 of 50 */
                 {"mean(application[*].served_fraction)", 0.9},
                 {"min(application[mai*].served_fraction)", NAN},
                 /* windows; the run did not come to 60 s */
                 {"requests.served from 10 s to 20 s", 11},
                 {"reasons.insufficient_key from 10 s to 20 s", 3},
                 {"application[video].reasons.insufficient_key from 10 s", 2},
                 {"sum(link[*].pool_min_bits) from 10 s", 15},
                 {"requests.served from 60 s", NAN},
                 {"sum(link[*].pool_min_bits) from 60 s", NAN},
                 {"application[video].via[BC]", 0.25}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = value_of(cases[i].figure);
        ck_assert_msg(isnan(cases[i].value) ? isnan(value) : value == cases[i].value, "%s: %g",
                      cases[i].figure, value);
    }
}
END_TEST

/* Rows: operator; columns: 1 against 1, 1 against 2, 2 against 1, no value against 1. */
START_TEST(operators)
{
    static const bool truth[][4] = {
        [SCN_LT] = {false, true, false, false}, [SCN_LE] = {true, true, false, false},
        [SCN_EQ] = {true, false, false, false}, [SCN_NE] = {false, true, true, false},
        [SCN_GE] = {true, false, true, false},  [SCN_GT] = {false, false, true, false}};
    static const double left[] = {1, 1, 2, NAN};
    static const double right[] = {1, 2, 1, 1};
    for (int op = SCN_LT; op <= SCN_GT; op++) {
        for (int i = 0; i < 4; i++) {
            struct scn_expect expect = {.compare = (enum scn_compare)op, .number = right[i]};
            ck_assert_int_eq(ana_expect_holds(&expect, left[i]), truth[op][i]);
        }
    }
}
END_TEST

START_TEST(tolerances)
{
    static const struct {
        const char *line;
        double value;
        bool holds;
    } cases[] = {{"requests.total == 100 +- 5", 95, true},
                 {"requests.total == 100 +- 5", 105.5, false},
                 {"requests.total == 200 +- 10 %", 219, true},
                 {"requests.total == 200 +- 10 %", 221, false},
                 {"requests.total != 200 +- 10 %", 221, true},
                 {"served_fraction == 90 % +- 1 %", 0.891, true},
                 {"served_fraction == 90 % +- 1 %", 0.889, false},
                 {"latency_s.max == 2 s +- 50 ms", 2.05, true},
                 {"latency_s.max == 2 s +- 50 ms", 2.06, false},
                 {"supplied_bits >= 2 kbit", 2000, true},
                 {"supplied_bits >= 2 kbit", 1999, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "'%s'", cases[i].line);
        struct scn_scenario *scenario = line_expecting(line);
        ck_assert_msg(ana_expect_holds(&scenario->expects[0], cases[i].value) == cases[i].holds,
                      "%s: %g", cases[i].line, cases[i].value);
        scn_free(scenario);
    }
}
END_TEST

START_TEST(patterns)
{
    static const struct {
        const char *pattern, *id;
        bool matches;
    } cases[] = {{"*", "", true},         {"*", "AB", true},     {"A*", "AB", true},
                 {"A*", "BA", false},     {"*B", "AB", true},    {"*B", "ABA", false},
                 {"A*C", "ABBC", true},   {"A*C", "AC", true},   {"A**C", "AC", true},
                 {"A*C*", "AC", true},    {"*a*b", "aab", true}, {"*ab", "aaab", true},
                 {"*aba", "ababa", true}, {"AB", "AB", true},    {"AB", "ABC", false},
                 {"ABC", "AB", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(scn_pattern_matches(cases[i].pattern, cases[i].id) == cases[i].matches,
                      "%s %s", cases[i].pattern, cases[i].id);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/expect");
    TCase *tests = tcase_create("expectations");
    tcase_add_test(tests, known_figures);
    tcase_add_test(tests, unknown_figures);
    tcase_add_test(tests, wrong_lines);
    tcase_add_test(tests, one_form);
    tcase_add_test(tests, watches_are_shared);
    tcase_add_test(tests, scenario_is_judged);
    tcase_add_test(tests, values_by_figure);
    tcase_add_test(tests, operators);
    tcase_add_test(tests, tolerances);
    tcase_add_test(tests, patterns);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
