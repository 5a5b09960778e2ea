/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/compare and analysis/baseline: which figures count as worse, tolerances, the file of
 * stored runs and which of them is taken. Values are chosen here. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/baseline.h"
#include "analysis/fields.h"
#include "analysis/store.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static struct scn_scenario *scenario;
static struct scn_summary before_summary, after_summary;
static char folder[64], path[96];

static void setup(void)
{
    scenario = test_scenario();
    test_summary(scenario, &before_summary);
    test_summary(scenario, &after_summary);
    strcpy(folder, "/tmp/qkdn-compare-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/base.db", folder);
}

static void teardown(void)
{
    scn_summary_fini(&before_summary);
    scn_summary_fini(&after_summary);
    scn_free(scenario);
    (void)remove(path);
    (void)rmdir(folder);
}

static struct ana_figures figures_of(const struct scn_summary *summary)
{
    struct ana_figures figures;
    ck_assert_int_eq(ana_figures_take(&figures, scenario, summary, ""), 0);
    return figures;
}

/* Compares the two summaries with up to two tolerances. */
static struct ana_comparison compared(const char *first, const char *second)
{
    const char *const texts[] = {first, second};
    struct ana_tolerance tolerances[2];
    struct ana_comparison comparison;
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct ana_error error;
        if (texts[i] != NULL) {
            ck_assert_msg(ana_tolerance_parse(&tolerances[count++], texts[i], &error) == 0, "%s",
                          error.text);
        }
    }
    struct ana_figures before = figures_of(&before_summary);
    struct ana_figures after = figures_of(&after_summary);
    ck_assert_int_eq(ana_compare(&before, &after, tolerances, count, &comparison), 0);
    ana_figures_fini(&before);
    ana_figures_fini(&after);
    return comparison;
}

static size_t worse_with(const char *first, const char *second)
{
    struct ana_comparison comparison = compared(first, second);
    size_t worse = comparison.worse;
    ana_comparison_fini(&comparison);
    return worse;
}

START_TEST(equal_runs)
{
    struct ana_comparison comparison = compared(NULL, NULL);
    ck_assert(comparison.found);
    ck_assert_uint_gt(comparison.compared, 20);
    ck_assert_uint_eq(comparison.worse, 0);
    ck_assert_uint_eq(comparison.better, 0);
    ck_assert_uint_eq(comparison.count, 0);
    ck_assert_str_eq(comparison.note, "");
    ana_comparison_fini(&comparison);
}
END_TEST

/* 45 of 50 were served; 43 are 4.4 % fewer, 42 are 6.7 %. */
START_TEST(less_is_worse)
{
    after_summary.requests.served = 43;
    ck_assert_uint_eq(worse_with(NULL, NULL), 0);
    ck_assert_uint_eq(worse_with("4%", NULL), 1);
    ck_assert_uint_eq(worse_with("served_fraction=4 %", NULL), 1);
    after_summary.requests.served = 42;
    ck_assert_uint_eq(worse_with(NULL, NULL), 1);
    ck_assert_uint_eq(worse_with("7%", NULL), 0);
    ck_assert_uint_eq(worse_with("7%", "served_fraction=1%"), 1);
    ck_assert_uint_eq(worse_with("served_fraction=1%", "7%"), 1); /* a name wins */
    ck_assert_uint_eq(worse_with("served_fraction=off", NULL), 0);
    ck_assert_uint_eq(worse_with("served_fraction=0.1", NULL), 0);
    after_summary.requests.served = 50;
    struct ana_comparison comparison = compared(NULL, NULL);
    ck_assert_uint_eq(comparison.worse, 0);
    ck_assert_uint_eq(comparison.better, 1);
    ana_comparison_fini(&comparison);
}
END_TEST

/* p95 was 48 ms. */
START_TEST(more_is_worse)
{
    after_summary.latency.p95 = 0.050;
    ck_assert_uint_eq(worse_with(NULL, NULL), 0);
    after_summary.latency.p95 = 0.051;
    ck_assert_uint_eq(worse_with(NULL, NULL), 1);
    ck_assert_uint_eq(worse_with("latency_s.p95=10%", NULL), 0);
    ck_assert_uint_eq(worse_with("latency_s.p95=0.01", NULL), 0);
    after_summary.latency.p95 = 0.030;
    ck_assert_uint_eq(worse_with(NULL, NULL), 0);
    after_summary.latency.p95 = NAN; /* there was a value, now there is none */
    ck_assert_uint_eq(worse_with(NULL, NULL), 1);
    before_summary.latency.p95 = NAN;
    after_summary.latency.p95 = 1000;
    ck_assert_uint_eq(worse_with(NULL, NULL), 0);
}
END_TEST

/* A pair that differs is never within a tolerance that speaks of everything. */
START_TEST(exact_figures)
{
    after_summary.mismatched_pairs = 1;
    ck_assert_uint_eq(worse_with("1000%", NULL), 1);
    before_summary.mismatched_pairs = 100;
    after_summary.mismatched_pairs = 101;
    ck_assert_uint_eq(worse_with("1000%", NULL), 1);
    ck_assert_uint_eq(worse_with("mismatched_pairs=5%", NULL), 0);
}
END_TEST

/* Levels of links are compared when they are named; link BC is the second. */
START_TEST(links_by_name)
{
    after_summary.links[1].pool_min_bits = 2000; /* was 4001 */
    ck_assert_uint_eq(worse_with(NULL, NULL), 0);
    ck_assert_uint_eq(worse_with("link[*].pool_min_bits=10%", NULL), 1);
    ck_assert_uint_eq(worse_with("link[AB].pool_min_bits=10%", NULL), 0);
    ck_assert_uint_eq(worse_with("link[*].pool_min_bits=10%", "link[B*].pool_min_bits=2001"), 0);
    struct ana_comparison comparison = compared("link[*].pool_min_bits=10%", NULL);
    ck_assert_uint_eq(comparison.count, 1);
    ck_assert_str_eq(comparison.differences[0].figure, "link[BC].pool_min_bits");
    ck_assert_double_eq(comparison.differences[0].before, 4001);
    ck_assert_double_eq_tol(comparison.differences[0].slack, 400.1, 1e-9);
    ana_comparison_fini(&comparison);
    after_summary.applications[0].requests.served = 30; /* was 45 of 50: without being named */
    ck_assert_uint_eq(worse_with(NULL, NULL), 1);
    ck_assert_uint_eq(worse_with("application[video].served_fraction=off", NULL), 0);
}
END_TEST

START_TEST(wrong_tolerances)
{
    static const struct {
        const char *text, *says;
    } cases[] = {{"5", "expected '5%'"},
                 {"off", "expected '5%'"},
                 {"-5%", "expected '5%'"},
                 {"5%%", "expected '5%'"},
                 {"=5%", "expected '5%'"},
                 {"latency_s.p95=", "expected '5%'"},
                 {"latency_s.p95=fast", "expected '5%'"},
                 {"link[].x=5%", "expected '5%'"},
                 {"link[AB]=5%", "expected '5%'"},
                 {"latency_s.p59=5%", "did you mean 'latency_s.p50'?"},
                 {"link[AB].served_fraction=5%", "is no figure of a link"},
                 {"bits.pads=5%", "neither more nor less is worse"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ana_tolerance tolerance;
        struct ana_error error = {""};
        ck_assert_int_eq(ana_tolerance_parse(&tolerance, cases[i].text, &error), QKD_ERR_INVALID);
        ck_assert_msg(strstr(error.text, cases[i].says) != NULL, "%s: %s", cases[i].text,
                      error.text);
    }
}
END_TEST

START_TEST(other_lengths_and_links)
{
    after_summary.sim_s = 50;
    struct ana_comparison comparison = compared(NULL, NULL);
    ck_assert_str_eq(comparison.wrong,
                     "the stored run lasted 100 s, this one 50 s: they cannot be compared");
    ana_comparison_fini(&comparison);
    after_summary.sim_s = 100;
    struct ana_figures before = figures_of(&before_summary);
    struct ana_figures after = figures_of(&after_summary);
    memcpy(before.link_ids[0], "XX", sizeof "XX");
    strcpy(before.hash, "another");
    ck_assert_int_eq(ana_compare(&before, &after, NULL, 0, &comparison), 0);
    ck_assert_str_eq(comparison.note, "the scenario has other links than the stored run: what "
                                      "both have is compared");
    ana_comparison_fini(&comparison);
    ana_figures_fini(&before);
    ana_figures_fini(&after);
}
END_TEST

/* ---- the file ---- */

static void check_of(struct ana_check *check, const struct scn_summary *summary,
                     const char *topology)
{
    ana_check_init(check, "dir/test.yaml", topology);
    ck_assert_int_eq(ana_figures_take(&check->figures, scenario, summary, topology), 0);
}

static bool found_in(const struct ana_figures *figures, struct ana_figures *before)
{
    bool found = false;
    struct ana_error error;
    ck_assert_msg(ana_baseline_find(path, figures, before, &found, &error) == 0, "%s", error.text);
    return found;
}

START_TEST(stored_and_found)
{
    struct ana_check checks[3];
    struct ana_error error;
    struct ana_figures before;
    before_summary.requests.served = 1;
    check_of(&checks[0], &before_summary, "");
    check_of(&checks[1], &after_summary, "nets/ring.yaml");
    ana_check_init(&checks[2], "broken.yaml", ""); /* it has no figures */
    ck_assert_int_eq(ana_baseline_save(path, false, checks, 3, &error), 0);
    ck_assert_int_eq(ana_baseline_save(path, false, checks, 3, &error), QKD_ERR_EXISTS);
    ck_assert_int_eq(ana_baseline_save(path, true, checks, 3, &error), 0);
    ck_assert_int_eq(ana_baseline_check(path, &error), 0);

    ck_assert(found_in(&checks[0].figures, &before));
    for (size_t i = 0; i < ana_figures_fields(SCN_SCOPE_RUN); i++) {
        double want = checks[0].figures.run[i];
        ck_assert_msg(before.run[i] == want || (isnan(want) && isnan(before.run[i])), "%s: %g %g",
                      ana_run_fields[i].name, before.run[i], want);
    }
    ck_assert_uint_eq(before.link_count, 2);
    ck_assert_str_eq(before.link_ids[1], "BC");
    ck_assert_double_eq(ana_figures_of(&before, SCN_SCOPE_LINK, 1)[1], 4001);
    ck_assert_str_eq(before.application_ids[0], "video");
    ck_assert_str_eq(before.hash, checks[0].figures.hash);
    ck_assert_double_eq(before.sim_s, 100);
    ana_figures_fini(&before);

    /* Topology, engine and seed tell runs apart; the folder of the topology does not. */
    strcpy(checks[0].figures.topology, "ring.yaml");
    ck_assert(found_in(&checks[0].figures, &before));
    ck_assert_str_eq(before.topology, "ring.yaml");
    ana_figures_fini(&before);
    strcpy(checks[0].figures.topology, "star.yaml");
    ck_assert(!found_in(&checks[0].figures, &before));
    strcpy(checks[0].figures.topology, "");
    checks[0].figures.seed = 43;
    ck_assert(!found_in(&checks[0].figures, &before));
    checks[0].figures.seed = 42;
    strcpy(checks[0].figures.engine, "simgrid");
    ck_assert(!found_in(&checks[0].figures, &before));
    for (size_t i = 0; i < 3; i++) {
        ana_check_fini(&checks[i]);
    }
}
END_TEST

/* Of runs of the same name the one with the same resolved scenario, else the last. */
START_TEST(same_scenario_wins)
{
    struct ana_check checks[2];
    struct ana_error error;
    struct ana_figures before;
    check_of(&checks[0], &before_summary, "");
    check_of(&checks[1], &after_summary, "");
    strcpy(checks[1].figures.hash, "changed");
    ck_assert_int_eq(ana_baseline_save(path, false, checks, 2, &error), 0);
    ck_assert(found_in(&checks[0].figures, &before));
    ck_assert_str_eq(before.hash, checks[0].figures.hash);
    ana_figures_fini(&before);
    strcpy(checks[0].figures.hash, "a third");
    ck_assert(found_in(&checks[0].figures, &before));
    ck_assert_str_eq(before.hash, "changed");
    ana_figures_fini(&before);
    ana_check_fini(&checks[0]);
    ana_check_fini(&checks[1]);
}
END_TEST

/* The results of one run serve as well. */
START_TEST(results_as_baseline)
{
    struct ana_store_options options = {path, false, ANA_RECORD_SUMMARY, NULL};
    struct ana_store *store = NULL;
    struct ana_error error;
    struct ana_figures before;
    ck_assert_int_eq(ana_store_open(&options, scenario, &store, &error), 0);
    ck_assert_int_eq(ana_store_finish(store, &before_summary, &error), 0);
    struct ana_figures figures = figures_of(&after_summary);
    ck_assert(found_in(&figures, &before));
    ck_assert_double_eq(ana_figures_of(&before, SCN_SCOPE_LINK, 1)[1], 4001);
    ck_assert_str_eq(before.hash, figures.hash);
    ana_figures_fini(&before);
    strcpy(figures.topology, "ring.yaml");
    ck_assert(!found_in(&figures, &before));
    ana_figures_fini(&figures);
}
END_TEST

START_TEST(no_baseline)
{
    struct ana_error error;
    ck_assert_int_eq(ana_baseline_check("/nonexistent.db", &error), QKD_ERR_INVALID);
    FILE *file = fopen(path, "wb");
    fputs("This is a text, not a database; it is longer than a header would be.\n", file);
    fclose(file);
    ck_assert_int_eq(ana_baseline_check(path, &error), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be read as a baseline"));
}
END_TEST

START_TEST(pages)
{
    char *text = NULL;
    size_t len = 0;
    after_summary.requests.served = 30;
    struct ana_comparison comparison = compared(NULL, NULL);
    const struct ana_comparison *all[] = {&comparison};
    for (int html = 0; html < 2; html++) {
        FILE *out = open_memstream(&text, &len);
        ana_comparison_page(out, html == 1, all, 1);
        fclose(out);
        ck_assert_ptr_nonnull(strstr(text, "1 of 1 runs are worse"));
        ck_assert_ptr_nonnull(strstr(
            text, html == 1 ? "<tr class=\"worse\"><td>served_fraction</td><td>0.9</td>"
                              "<td>0.6</td><td>-33.3 %</td>"
                            : "| served\\_fraction | 0.9 | 0.6 | -33.3 % | 0.045 | worse |"));
        free(text);
    }
    ana_comparison_fini(&comparison);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/compare");
    TCase *tests = tcase_create("comparisons");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, equal_runs);
    tcase_add_test(tests, less_is_worse);
    tcase_add_test(tests, more_is_worse);
    tcase_add_test(tests, exact_figures);
    tcase_add_test(tests, links_by_name);
    tcase_add_test(tests, wrong_tolerances);
    tcase_add_test(tests, other_lengths_and_links);
    tcase_add_test(tests, stored_and_found);
    tcase_add_test(tests, same_scenario_wins);
    tcase_add_test(tests, results_as_baseline);
    tcase_add_test(tests, no_baseline);
    tcase_add_test(tests, pages);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
