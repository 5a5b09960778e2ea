/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/check: points of an invented run (tests/lib/results.h), their way as bytes, and the three
 * reports of them. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/check.h"
#include "analysis/expect.h"
#include "analysis/text.h"
#include "tests/lib/results.h"

/* A check of the invented run; with `worse`, its served fraction falls below what is expected. */
static void check_make(struct ana_check *check, bool worse)
{
    struct scn_scenario *scenario = test_scenario();
    struct scn_summary summary;
    test_summary(scenario, &summary);
    summary.requests.served -= worse ? 5 : 0; /* 40 of 50: 0.8 < 0.85 */
    (void)ana_expect_judge(scenario, &summary);
    ana_check_init(check, "dir/a#b.yaml", "nets/ring.yaml");
    (void)ana_check_add(check, "runs to its end", ANA_PASS, "");
    ana_check_judge(check, scenario, &summary);
    ck_assert_int_eq(ana_figures_take(&check->figures, scenario, &summary, "nets/ring.yaml"), 0);
    scn_summary_fini(&summary);
    scn_free(scenario);
}

START_TEST(points_of_a_run)
{
    struct ana_check check;
    check_make(&check, false);
    ck_assert_uint_eq(check.point_count, 4);
    ck_assert_str_eq(check.points[1].name, "no rule is broken");
    ck_assert_str_eq(check.points[2].name, "served_fraction >= 0.85");
    ck_assert_double_eq_tol(check.points[2].value, 0.9, 1e-15);
    ck_assert_uint_eq(ana_check_count(&check, ANA_PASS), 4);
    ck_assert_int_eq(check.exit_code, 0);
    ck_assert_str_eq(check.digest, "0123456789abcdef");
    ana_check_fini(&check);
    check_make(&check, true);
    ck_assert_uint_eq(ana_check_count(&check, ANA_FAIL), 1);
    ck_assert_int_eq(check.exit_code, 1);
    (void)ana_check_add(&check, "more", ANA_ERROR, "broken");
    ck_assert_int_eq(check.exit_code, 3);
    ana_check_fini(&check);
}
END_TEST

START_TEST(broken_rule)
{
    struct scn_scenario *scenario = test_scenario();
    struct scn_summary summary;
    struct ana_check check;
    test_summary(scenario, &summary);
    summary.oracle.violations = 1;
    summary.oracle.first_event = 77;
    strcpy(summary.oracle.first, "pad used twice");
    ana_check_init(&check, "a.yaml", "");
    ana_check_judge(&check, scenario, &summary);
    ck_assert_int_eq(check.points[0].verdict, ANA_FAIL);
    ck_assert_str_eq(check.points[0].text, "at event 77 with seed 42: pad used twice");
    ck_assert_int_eq(check.exit_code, 1);
    ana_check_fini(&check);
    scn_summary_fini(&summary);
    scn_free(scenario);
}
END_TEST

/* Every byte that is missing makes it no check. */
START_TEST(travels_as_bytes)
{
    char *bytes = NULL;
    size_t len = 0;
    struct ana_check check, copy;
    check_make(&check, true);
    FILE *out = open_memstream(&bytes, &len);
    ck_assert(ana_check_pack(&check, out));
    fclose(out);
    ana_check_init(&copy, check.file, check.topology);
    ck_assert(ana_check_unpack(&copy, bytes, len));
    ck_assert_uint_eq(copy.point_count, check.point_count);
    for (size_t i = 0; i < check.point_count; i++) {
        ck_assert_str_eq(copy.points[i].name, check.points[i].name);
        ck_assert_str_eq(copy.points[i].text, check.points[i].text);
        ck_assert_str_eq(copy.points[i].where, check.points[i].where);
        ck_assert_int_eq(copy.points[i].verdict, check.points[i].verdict);
    }
    ck_assert_str_eq(copy.scenario, "test line");
    ck_assert_uint_eq(copy.seed, 42);
    ck_assert_int_eq(copy.exit_code, 1);
    ck_assert_str_eq(copy.figures.link_ids[1], "BC");
    ck_assert_double_eq(ana_figures_of(&copy.figures, SCN_SCOPE_LINK, 1)[1],
                        ana_figures_of(&check.figures, SCN_SCOPE_LINK, 1)[1]);
    ana_check_fini(&copy);
    for (size_t cut = 0; cut < len; cut += 1 + cut / 64) {
        ana_check_init(&copy, check.file, check.topology);
        ck_assert_msg(!ana_check_unpack(&copy, bytes, cut), "%zu of %zu bytes", cut, len);
        ana_check_fini(&copy);
    }
    free(bytes);
    ana_check_fini(&check);
}
END_TEST

/* Two checks: one with a failed expectation, one that does not load. */
static void two_checks(struct ana_check checks[2])
{
    char *lines[] = {"b.yaml:3:1: \"what\" <is> wrong", "b.yaml:4:1: & more"};
    check_make(&checks[0], true);
    ana_check_init(&checks[1], "b.yaml", "");
    ana_check_add_lines(&checks[1], "loads", ANA_ERROR, lines, 2);
    (void)ana_check_add(&checks[1], "no worse than the baseline", ANA_SKIP, "no stored run");
}

START_TEST(tap)
{
    static const char want[] =
        "TAP version 13\n"
        "ok 1 - dir/a\\#b.yaml on nets/ring.yaml: runs to its end\n"
        "ok 2 - dir/a\\#b.yaml on nets/ring.yaml: no rule is broken\n"
        "not ok 3 - dir/a\\#b.yaml on nets/ring.yaml: served_fraction >= 0.85\n"
        "  ---\n"
        "  message: \"the expectation does not hold\"\n"
        "  severity: fail\n"
        "  found: 0.8\n"
        "  at: \"test.yaml:19:5\"\n"
        "  ...\n"
        "ok 4 - dir/a\\#b.yaml on nets/ring.yaml: link[BC].pool_min_bits > 4000\n"
        "not ok 5 - b.yaml: loads\n"
        "  ---\n"
        "  message:\n"
        "    - \"b.yaml:3:1: \\\"what\\\" <is> wrong\"\n"
        "    - \"b.yaml:4:1: & more\"\n"
        "  severity: error\n"
        "  ...\n"
        "ok 6 - b.yaml: no worse than the baseline # SKIP no stored run\n"
        "1..6\n";
    char *text = NULL;
    size_t len = 0;
    size_t number = 0;
    struct ana_check checks[2];
    two_checks(checks);
    FILE *out = open_memstream(&text, &len);
    ana_tap_begin(out);
    ana_tap_check(out, &checks[0], &number);
    ana_tap_check(out, &checks[1], &number);
    ana_tap_end(out, number);
    fclose(out);
    ck_assert_str_eq(text, want);
    free(text);
    ana_check_fini(&checks[0]);
    ana_check_fini(&checks[1]);
}
END_TEST

START_TEST(junit)
{
    static const char *const parts[] = {
        "<testsuite name=\"dir/a#b.yaml on nets/ring.yaml\" package=\"qkdn\" id=\"0\" "
        "timestamp=\"2026-01-31T12:00:00\" hostname=\"localhost\" tests=\"4\" failures=\"1\" "
        "errors=\"0\" skipped=\"0\" time=\"",
        "<testsuite name=\"b.yaml\" package=\"qkdn\" id=\"1\"",
        "tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"1\"",
        "<property name=\"trace_digest\" value=\"0123456789abcdef\"/>",
        "<testcase name=\"served_fraction &gt;= 0.85\" classname=\"dir.a#b on nets.ring\"",
        "<failure message=\"the expectation does not hold\" type=\"expectation\">"
        "served_fraction &gt;= 0.85 (is 0.8)</failure>",
        "b.yaml:3:1: &quot;what&quot; &lt;is&gt; wrong&#10;b.yaml:4:1: &amp; more",
        "<skipped message=\"no stored run\"/>",
        "</testsuites>\n"};
    char *text = NULL;
    size_t len = 0;
    struct ana_check checks[2];
    two_checks(checks);
    FILE *out = open_memstream(&text, &len);
    ana_junit_write(out, checks, 2, "2026-01-31T12:00:00");
    fclose(out);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(text, parts[i]) != NULL, "no %s in\n%s", parts[i], text);
    }
    free(text);
    ana_check_fini(&checks[0]);
    ana_check_fini(&checks[1]);
}
END_TEST

/* What is no character, or none that XML 1.0 (2.2 Char) has, becomes U+FFFD; the file stays UTF-8. */
START_TEST(junit_of_bytes)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a\xff.", "a\xef\xbf\xbd."},                               /* no UTF-8 at all */
        {"\xc3(", "\xef\xbf\xbd("},                                 /* cut character */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                   /* overlong */
        {"\xed\xa0\x80!", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"}, /* half of a pair */
        {"\x01\x1b\x7f", "\xef\xbf\xbd\xef\xbf\xbd\x7f"},           /* control characters */
        {"\xef\xbf\xbf", "\xef\xbf\xbd"},                           /* U+FFFF */
        {"\t\n\r", "&#9;&#10;&#13;"},
        {"Z\xc3\xbcrich \xf0\x9f\x94\x91", "Z\xc3\xbcrich \xf0\x9f\x94\x91"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"}, /* cut by the end */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        char want[80];
        size_t len = 0;
        struct ana_check check;
        struct ana_json json = {0};
        ana_check_init(&check, cases[i].text, "");
        (void)ana_check_add(&check, cases[i].text, ANA_ERROR, cases[i].text);
        FILE *out = open_memstream(&text, &len);
        ana_junit_write(out, &check, 1, "2026-01-31T12:00:00");
        fclose(out);
        snprintf(want, sizeof want, "<testsuite name=\"%s\" package", cases[i].want);
        ck_assert_msg(strstr(text, want) != NULL, "no %s in\n%s", want, text);
        snprintf(want, sizeof want, "<testcase name=\"%s\" classname=\"%s\"", cases[i].want,
                 cases[i].want);
        ck_assert_msg(strstr(text, want) != NULL, "no %s in\n%s", want, text);
        snprintf(want, sizeof want, "<error message=\"%s\"", cases[i].want);
        ck_assert_msg(strstr(text, want) != NULL, "no %s in\n%s", want, text);
        ana_checks_json(&json, &check, 1);
        for (const char *c = json.text; *c != '\0'; c += ana_character_len(c)) {
            ck_assert_uint_gt(ana_character_len(c), 0);
        }
        ana_json_fini(&json);
        free(text);
        ana_check_fini(&check);
    }
}
END_TEST

/* A comparison that failed brings its table. */
START_TEST(junit_of_a_comparison)
{
    char *text = NULL;
    size_t len = 0;
    struct ana_check check, packed;
    struct ana_figures before;
    struct ana_comparison comparison;
    struct scn_scenario *scenario = test_scenario();
    struct scn_summary summary;
    test_summary(scenario, &summary);
    summary.requests.served = 50;
    ck_assert_int_eq(ana_figures_take(&before, scenario, &summary, ""), 0);
    check_make(&check, true);
    ck_assert_int_eq(ana_compare(&before, &check.figures, NULL, 0, &comparison), 0);
    ana_check_compared(&check, &comparison);
    FILE *out = open_memstream(&text, &len);
    ck_assert(ana_check_pack(&check, out));
    fclose(out);
    ana_check_init(&packed, "a.yaml", "");
    ck_assert(ana_check_unpack(&packed, text, len));
    free(text);
    out = open_memstream(&text, &len);
    ana_junit_write(out, &packed, 1, "2026-01-31T12:00:00");
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "<failure message=\"1 of "));
    ck_assert_ptr_nonnull(strstr(text, "&#10;  served_fraction   "));
    free(text);
    ana_check_fini(&packed);
    ana_check_fini(&check);
    ana_figures_fini(&before);
    scn_summary_fini(&summary);
    scn_free(scenario);
}
END_TEST

START_TEST(json)
{
    static const char *const parts[] = {
        "\"passed\": 3,",
        "\"failed\": 1,",
        "\"errors\": 1,",
        "\"skipped\": 1,",
        "\"exit\": 3,",
        "\"topology\": \"nets/ring.yaml\"",
        "\"topology\": null",
        "\"name\": \"served_fraction >= 0.85\", \"verdict\": \"fail\", \"value\": 0.8,",
        "\"at\": \"test.yaml:19:5\", \"message\": \"the expectation does not hold\"}"};
    struct ana_json out = {0};
    struct ana_check checks[2];
    two_checks(checks);
    ana_checks_json(&out, checks, 2);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(out.text, parts[i]) != NULL, "no %s in\n%s", parts[i], out.text);
    }
    ana_json_fini(&out);
    ana_check_fini(&checks[0]);
    ana_check_fini(&checks[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/check");
    TCase *tests = tcase_create("checks");
    tcase_add_test(tests, points_of_a_run);
    tcase_add_test(tests, broken_rule);
    tcase_add_test(tests, travels_as_bytes);
    tcase_add_test(tests, tap);
    tcase_add_test(tests, junit);
    tcase_add_test(tests, junit_of_bytes);
    tcase_add_test(tests, junit_of_a_comparison);
    tcase_add_test(tests, json);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
