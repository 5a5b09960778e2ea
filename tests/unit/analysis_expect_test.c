/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/expect: paths are found or refused with the nearest name; verdicts over chosen figures. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/expect.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static const char *const reason_texts[] = {"none", "insufficient_key", "no_route"};
static const struct ana_reasons reasons = {reason_texts, 3};

static struct scn_expect expectation(const char *path, enum scn_compare compare, double number)
{
    struct scn_expect expect = {.compare = compare, .number = number};
    strcpy(expect.path, path);
    strcpy(expect.text, path);
    return expect;
}

START_TEST(known_paths)
{
    static const char *const paths[] = {"served_fraction",
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
                                        "application[mail].reasons.insufficient_key"};
    struct scn_scenario *scenario = test_scenario();
    struct ana_error error = {""};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct scn_expect expect = expectation(paths[i], SCN_GE, 0);
        ck_assert_msg(ana_expect_check(scenario, &expect, &reasons, &error) == QKD_OK, "%s: %s",
                      paths[i], error.text);
    }
    scn_free(scenario);
}
END_TEST

START_TEST(unknown_paths)
{
    static const struct {
        const char *path, *says;
    } cases[] = {{"served_fractoin", "did you mean 'served_fraction'?"},
                 {"link[BC].pool_min_bit", "did you mean 'pool_min_bits'?"},
                 {"application[video].reasons.no_rout", "did you mean 'no_route'?"},
                 {"link[XY].pool_min_bits", "there is no link 'XY'"},
                 {"application[XY].supplied_bits", "there is no application 'XY'"},
                 {"link[BC].served_fraction", "is no figure of a link"},
                 {"node[A].x", "expected a figure"},
                 {"link[BC]pool", "expected a figure"},
                 {"link[BC", "expected a figure"}};
    struct scn_scenario *scenario = test_scenario();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ana_error error = {""};
        struct scn_expect expect = expectation(cases[i].path, SCN_GE, 0);
        ck_assert_int_eq(ana_expect_check(scenario, &expect, &reasons, &error), QKD_ERR_INVALID);
        ck_assert_msg(strstr(error.text, cases[i].says) != NULL, "%s: %s", cases[i].path,
                      error.text);
    }
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

START_TEST(values_by_path)
{
    static const struct {
        const char *path;
        double value;
    } cases[] = {{"reasons.insufficient_key", 5},
                 {"application[video].reasons.insufficient_key", 5},
                 {"application[mail].reasons.insufficient_key", 0},
                 {"link[AB].bits.pads", 100000},
                 {"link[AB].up_end", 0},
                 {"link[BC].up_end", 1},
                 {"latency_s.p95", 0.048},
                 {"application[mail].served_fraction", NAN},
                 {"fetch_latency_s.mean", NAN}};
    struct scn_scenario *scenario = test_scenario();
    struct scn_summary summary;
    test_summary(scenario, &summary);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scenario->expects[0] = expectation(cases[i].path, SCN_EQ, cases[i].value);
        (void)ana_expect_judge(scenario, &summary);
        double value = summary.verdicts[0].value;
        ck_assert_msg(isnan(cases[i].value) ? isnan(value) : value == cases[i].value, "%s: %g",
                      cases[i].path, value);
        ck_assert(summary.verdicts[0].pass == !isnan(cases[i].value));
    }
    scn_summary_fini(&summary);
    scn_free(scenario);
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
            ck_assert_int_eq(ana_compare(left[i], (enum scn_compare)op, right[i]), truth[op][i]);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/expect");
    TCase *tests = tcase_create("expectations");
    tcase_add_test(tests, known_paths);
    tcase_add_test(tests, unknown_paths);
    tcase_add_test(tests, scenario_is_judged);
    tcase_add_test(tests, values_by_path);
    tcase_add_test(tests, operators);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
