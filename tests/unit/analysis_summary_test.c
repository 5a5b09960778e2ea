/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/summary: the JSON object, read with SQLite's JSON functions (a parser that is not ours):
 * its fields are those of docs/cli.md in that order, and figures arrive unchanged. The table for
 * people: what must be seen is in it. */
#include <check.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/expect.h"
#include "analysis/summary.h"
#include "tests/lib/results.h"

static struct scn_scenario *scenario;
static struct scn_summary summary;
static sqlite3 *db;

static void setup(void)
{
    scenario = test_scenario();
    test_summary(scenario, &summary);
    (void)ana_expect_judge(scenario, &summary);
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
}

static void teardown(void)
{
    sqlite3_close(db);
    scn_summary_fini(&summary);
    scn_free(scenario);
}

/* The answer of a query about the JSON text, which is ?1. */
static const char *ask(const char *sql)
{
    static char answer[2048];
    sqlite3_stmt *s = NULL;
    char *json = ana_summary_json(scenario, &summary);
    ck_assert_ptr_nonnull(json);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_bind_text(s, 1, json, -1, SQLITE_STATIC);
    ck_assert_msg(sqlite3_step(s) == SQLITE_ROW, "%s", sqlite3_errmsg(db));
    const char *text = (const char *)sqlite3_column_text(s, 0);
    snprintf(answer, sizeof answer, "%s", text == NULL ? "NULL" : text);
    sqlite3_finalize(s);
    free(json);
    return answer;
}

START_TEST(fields)
{
    ck_assert_str_eq(
        ask("SELECT group_concat(key, ' ') FROM json_each(?1)"),
        "schema version scenario engine seed interrupted sim_s wall_s cpu_s events "
        "messages nodes links_count trace_digest requests reasons session_reasons "
        "served_fraction sessions supplied_bits supplied_unanswered supplied_by_grade "
        "mismatched_pairs "
        "latency_s fetch_latency_s relay fairness pools healing bits keys alarms security "
        "oracle expectations fault_events attacks classes links applications");
}
END_TEST

START_TEST(field_groups)
{
    static const struct {
        const char *group, *fields;
    } groups[] = {
        {"requests", "total served refused timed_out failed pending"},
        {"reasons", "none insufficient_key"},
        {"supplied_by_grade", "otp aes"},
        {"latency_s", "mean p50 p95 p99 max"},
        {"fetch_latency_s", "mean p50 p95 p99 max"},
        {"relay",
         "hops_mean frames retransmissions reroutes fallback_frames kept_routes kept_oldest_s"},
        {"pools", "exhaustions fallbacks empty_s min_bits"},
        {"healing", "events detect_s first_key_s"},
        {"bits", "generated bootstrap stored pads tags hash_keys fallback_keys postproc_auth "
                 "relayed_as_key expired discarded in_flight"},
        {"keys", "drawn relayed_as_key supplied pooled expired discarded in_flight"},
        {"alarms", "raised cleared"},
        {"security",
         "auth_failures forgeries_rejected forgeries_accepted leaked_bits leaked_fraction "
         "violations measures_off"},
        {"oracle", "checks violations cost_s"},
        {"expectations[0]", "text value pass"},
    };
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT group_concat(key, ' ') FROM json_each(?1, '$.%s')",
                 groups[i].group);
        ck_assert_str_eq(ask(sql), groups[i].fields);
    }
}
END_TEST

START_TEST(values)
{
    static const struct {
        const char *path, *value;
    } cases[] = {{"schema", "1"},
                 {"scenario", "test line"},
                 {"engine", "fast"},
                 {"seed", "42"},
                 {"interrupted", "0"},
                 {"trace_digest", "0123456789abcdef"},
                 {"nodes", "3"},
                 {"links_count", "2"},
                 {"requests.refused", "5"},
                 {"reasons.insufficient_key", "5"},
                 {"served_fraction", "0.9"},
                 {"latency_s.p95", "0.048"},
                 {"fetch_latency_s.p95", "NULL"},
                 {"oracle.checks", "1234"},
                 {"oracle.cost_s", "0.125"},
                 {"expectations[1].text", "link[BC].pool_min_bits > 4000"},
                 {"expectations[1].value", "4001"},
                 {"expectations[1].pass", "1"},
                 {"links[1].id", "BC"},
                 {"links[1].a", "B"},
                 {"links[1].rate_bps", "1000000"},
                 {"links[1].pool_mean_bits", "5000.5"},
                 {"links[0].up_end", "0"},
                 {"links[0].bits.pads", "100000"},
                 {"applications[0].to", "C"},
                 {"applications[0].reasons.insufficient_key", "5"},
                 {"applications[1].served_fraction", "NULL"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT json_extract(?1, '$.%s')", cases[i].path);
        const char *value = ask(sql);
        ck_assert_msg(strcmp(value, cases[i].value) == 0, "%s: %s", cases[i].path, value);
    }
}
END_TEST

START_TEST(violation_and_measures)
{
    summary.oracle.violations = 2;
    summary.oracle.first_event = 77;
    strcpy(summary.oracle.first, "pad \"used\" twice");
    summary.security.measures_off[0] = "tags";
    summary.security.measure_count = 1;
    ck_assert_str_eq(ask("SELECT json_extract(?1, '$.oracle.first')"), "pad \"used\" twice");
    ck_assert_str_eq(ask("SELECT json_extract(?1, '$.oracle.first_event')"), "77");
    ck_assert_str_eq(ask("SELECT json_extract(?1, '$.security.measures_off')"), "[\"tags\"]");
}
END_TEST

static const char *print(void)
{
    static char text[1 << 14];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ana_summary_print(scenario, &summary, file);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(table)
{
    static const char *const parts[] = {"test line: nodes 3, links 2, applications 2",
                                        "Requests 50, served 90.00 %",
                                        "insufficient_key                5   10.0 %",
                                        "mean 25 ms, median 24 ms, 95 % 48 ms",
                                        "AB             A-B",
                                        "down",
                                        "pass  served_fraction >= 0.85  (0.9)",
                                        "digest 0123456789abcdef"};
    const char *text = print();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(text, parts[i]) != NULL, "no '%s' in\n%s", parts[i], text);
    }
    ck_assert_ptr_null(strstr(text, "INTERRUPTED"));
    ck_assert_ptr_null(strstr(text, "nan"));
    summary.interrupted = true;
    summary.oracle.violations = 1;
    strcpy(summary.oracle.first, "a pad was used twice");
    text = print();
    ck_assert_ptr_nonnull(strstr(text, "INTERRUPTED"));
    ck_assert_ptr_nonnull(strstr(text, "a pad was used twice"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/summary");
    TCase *tests = tcase_create("summary");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, fields);
    tcase_add_test(tests, field_groups);
    tcase_add_test(tests, values);
    tcase_add_test(tests, violation_and_measures);
    tcase_add_test(tests, table);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
