/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/chart: which request a key belongs to, elements from left to right, the Mermaid text as
 * written by hand from the invented run, and an SVG that is well-formed whatever names hold. How it
 * looks is for eyes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/chart.h"
#include "analysis/store.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static char folder[] = "/tmp/qkdn_chart_XXXXXX";
static char path[64];
static struct scn_scenario *scenario;
static struct ana_results *results;
static struct ana_error error;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_chart_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.db", folder);
    scenario = test_scenario();
}

static void teardown(void)
{
    ana_results_close(results);
    unlink(path);
    rmdir(folder);
    scn_free(scenario);
}

static void write_run(enum ana_record record)
{
    struct ana_store_options options = {path, true, record, NULL};
    struct ana_store *store;
    struct scn_sink sink = {0};
    struct scn_summary summary;
    ck_assert_msg(ana_store_open(&options, scenario, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    test_records(&sink, TEST_REQUESTS);
    test_summary(scenario, &summary);
    ck_assert_msg(ana_store_finish(store, &summary, &error) == QKD_OK, "%s", error.text);
    scn_summary_fini(&summary);
    ck_assert_msg(ana_results_open(path, &results, &error) == QKD_OK, "%s", error.text);
}

typedef int writer(const struct ana_chart *, FILE *);

static const char *written(writer *write, const struct ana_chart *chart)
{
    static char text[1 << 16];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(write(chart, file), QKD_OK);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(mermaid)
{
    struct ana_chart chart;
    write_run(ANA_RECORD_FULL);
    ck_assert_msg(ana_chart_load(results, 7, &chart, &error) == QKD_OK, "%s", error.text);
    ck_assert_str_eq(written(ana_chart_mermaid, &chart),
                     "sequenceDiagram\n"
                     "    title Request 7 of video, A to C, asked at 7.000000 s: served after "
                     "7.000 ms, fetched after 14.000 ms\n"
                     "    box transparent node A\n"
                     "        participant p0 as video\n"
                     "        participant p1 as KSA\n"
                     "        participant p2 as KMA\n"
                     "    end\n"
                     "    box transparent node B\n"
                     "        participant p3 as KMA\n"
                     "    end\n"
                     "    p0->>p1: +0.000 ms KEY_SUPPLY (Ak, 107 B)\n"
                     "    p2-xp3: +0.000 ms RELAY (Kx-1, 107 B, hop 1, lost)\n"
                     "    p2-->>p3: +200.000 ms RELAY (Kx-1, 107 B, hop 1, sending no. 2)\n");
    ana_chart_fini(&chart);
}
END_TEST

/* Every element that is opened is closed, in order. */
static void check_well_formed(const char *text)
{
    char stack[16][16];
    size_t depth = 0;
    for (const char *c = strchr(text, '<'); c != NULL; c = strchr(c + 1, '<')) {
        const char *end = strchr(c, '>');
        ck_assert_ptr_nonnull(end);
        char name[16] = "";
        size_t skip = c[1] == '/' ? 2 : 1;
        size_t len = strcspn(c + skip, " />");
        ck_assert_uint_lt(len, sizeof name);
        memcpy(name, c + skip, len);
        if (c[1] == '/') {
            ck_assert_uint_gt(depth, 0);
            ck_assert_str_eq(stack[--depth], name);
        } else if (end[-1] != '/') {
            ck_assert_uint_lt(depth, 16);
            strcpy(stack[depth++], name);
        }
    }
    ck_assert_uint_eq(depth, 0);
}

START_TEST(svg)
{
    struct ana_chart chart;
    write_run(ANA_RECORD_FULL);
    ck_assert_msg(ana_chart_load(results, 7, &chart, &error) == QKD_OK, "%s", error.text);
    snprintf(chart.title, sizeof chart.title, "<b> & \"c\"\n");
    snprintf(chart.elements[3].node, sizeof chart.elements[3].node, "</text>");
    snprintf(chart.elements[0].name, sizeof chart.elements[0].name, "a name of more than a box");
    const char *text = written(ana_chart_svg, &chart);
    check_well_formed(text);
    ck_assert_ptr_nonnull(strstr(text, "&lt;b&gt; &amp; &quot;c&quot; </text>"));
    ck_assert_ptr_nonnull(strstr(text, "node &lt;/text&gt;</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">a name of more t..<"));
    ck_assert_ptr_nonnull(strstr(text, "+201.000 ms")); /* the arrival of the second sending */
    ck_assert_ptr_nonnull(strstr(text, "stroke-dasharray=\"6 3\""));
    ck_assert_ptr_nonnull(strstr(text, "hop 1, lost"));
    static char first[1 << 16];
    strcpy(first, text);
    ck_assert_str_eq(first, written(ana_chart_svg, &chart));
    ana_chart_fini(&chart);
}
END_TEST

START_TEST(keys)
{
    uint64_t request = 0;
    write_run(ANA_RECORD_FULL);
    struct qkd_id id = test_ksa_key(23);
    ck_assert_int_eq(ana_chart_request(results, &id, &request, &error), QKD_OK);
    ck_assert_uint_eq(request, 23);
    id = test_kma_key(24);
    ck_assert_int_eq(ana_chart_request(results, &id, &request, &error), QKD_OK);
    ck_assert_uint_eq(request, 24);
    id = test_qkd_key(1);
    ck_assert_int_eq(ana_chart_request(results, &id, &request, &error), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(error.text, "supplied for no request"));
    id.b[0] ^= 1;
    ck_assert_int_eq(ana_chart_request(results, &id, &request, &error), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(error.text, "no key"));
}
END_TEST

START_TEST(nothing_to_draw)
{
    struct ana_chart chart;
    struct qkd_id id = test_ksa_key(23);
    uint64_t request = 0;
    write_run(ANA_RECORD_REQUESTS);
    ck_assert_int_eq(ana_chart_load(results, 7, &chart, &error), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(error.text, "qkdn run --record full"));
    ck_assert_int_eq(ana_chart_request(results, &id, &request, &error), QKD_ERR_UNKNOWN);
    ana_results_close(results);
    write_run(ANA_RECORD_FULL);
    ck_assert_int_eq(ana_chart_load(results, TEST_REQUESTS + 1, &chart, &error), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(error.text, "no request 51"));
    ana_results_close(results);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "DROP TABLE messages", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(ana_results_open(path, &results, &error), QKD_OK);
    ck_assert_int_eq(ana_chart_load(results, 7, &chart, &error), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(error.text, "run the scenario again"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/chart");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, mermaid);
    tcase_add_test(tests, svg);
    tcase_add_test(tests, keys);
    tcase_add_test(tests, nothing_to_draw);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
