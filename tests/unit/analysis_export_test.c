/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/export: CSV as RFC 4180 clause 2 has it (lines end in CR LF, a field with comma, quote or
 * line break is quoted, quotes are doubled), JSON as RFC 8259; nothing is lost, nothing is kept in
 * memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/export.h"
#include "analysis/store.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static char folder[] = "/tmp/qkdn_export_XXXXXX";
static char path[64];
static struct scn_scenario *scenario;
static struct ana_results *results;
static struct ana_error error;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_export_XXXXXX");
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

/* A run of `count` requests and these events. */
static void write_run(unsigned count, const char *const *details)
{
    struct ana_store_options options = {path, true, ANA_RECORD_REQUESTS, NULL};
    struct ana_store *store;
    struct scn_sink sink = {0};
    struct scn_summary summary;
    ck_assert_msg(ana_store_open(&options, scenario, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    test_records(&sink, count);
    for (int i = 0; details[i] != NULL; i++) {
        sink.event(sink.ctx, &(struct scn_event){i, "note", "", details[i]});
    }
    test_summary(scenario, &summary);
    ck_assert_msg(ana_store_finish(store, &summary, &error) == QKD_OK, "%s", error.text);
    scn_summary_fini(&summary);
    ck_assert_msg(ana_results_open(path, &results, &error) == QKD_OK, "%s", error.text);
}

static const char *exported(const char *table, enum ana_export_format format)
{
    static char text[1 << 16];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_msg(ana_export_table(results, table, format, file, &error) == QKD_OK, "%s",
                  error.text);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static const char *const hard[] = {"plain", "a, b", "say \"no\"", "two\nlines", "", NULL};

START_TEST(csv)
{
    write_run(0, hard);
    ck_assert_str_eq(exported("events", ANA_EXPORT_CSV),
                     "time_ns,kind,entity,detail\r\n"
                     "10000000000,fault_begin,link AB,quantum\r\n"
                     "0,note,\"\",plain\r\n"
                     "1,note,\"\",\"a, b\"\r\n"
                     "2,note,\"\",\"say \"\"no\"\"\"\r\n"
                     "3,note,\"\",\"two\nlines\"\r\n"
                     "4,note,\"\",\"\"\r\n");
}
END_TEST

START_TEST(json)
{
    write_run(0, hard);
    ck_assert_str_eq(exported("events", ANA_EXPORT_JSON) + strlen("["),
                     "\n{\"time_ns\": 10000000000, \"kind\": \"fault_begin\", \"entity\": "
                     "\"link AB\", \"detail\": \"quantum\"},\n"
                     "{\"time_ns\": 0, \"kind\": \"note\", \"entity\": \"\", \"detail\": "
                     "\"plain\"},\n"
                     "{\"time_ns\": 1, \"kind\": \"note\", \"entity\": \"\", \"detail\": \"a, "
                     "b\"},\n"
                     "{\"time_ns\": 2, \"kind\": \"note\", \"entity\": \"\", \"detail\": \"say "
                     "\\\"no\\\"\"},\n"
                     "{\"time_ns\": 3, \"kind\": \"note\", \"entity\": \"\", \"detail\": "
                     "\"two\\nlines\"},\n"
                     "{\"time_ns\": 4, \"kind\": \"note\", \"entity\": \"\", \"detail\": \"\"}\n"
                     "]\n");
    ck_assert_str_eq(exported("application_reasons", ANA_EXPORT_JSONL),
                     "{\"application\": 0, \"reason\": \"insufficient_key\", \"requests\": 5}\n");
    ck_assert_str_eq(exported("faults", ANA_EXPORT_JSONL),
                     "{\"time_ns\": 11000000000, \"role\": \"KMC\", \"node\": 1, \"fault\": "
                     "\"link_down\", \"object\": 0, \"raised\": 1, \"count\": 1}\n");
    ck_assert_str_eq(exported("requests", ANA_EXPORT_JSON), "[\n]\n");
}
END_TEST

/* Identifiers as text, NULL as nothing, units where the name has none. */
START_TEST(values)
{
    char id[37];
    write_run(10, hard + 5);
    struct qkd_id key = test_ksa_key(1);
    qkd_id_format(&key, id);
    const char *text = exported("request_keys", ANA_EXPORT_CSV);
    ck_assert_ptr_eq(strstr(text, "request,ksa_key,kma_key\r\n1,"), text);
    ck_assert_ptr_nonnull(strstr(text, id));
    text = exported("requests", ANA_EXPORT_CSV); /* the tenth is refused: no route, not fetched */
    ck_assert_ptr_nonnull(strstr(text, "\r\n10,0,10000000000,10010000000,,refused,"
                                       "insufficient_key,none,256,1,0,0,0,1,\r\n"));
    ck_assert_ptr_nonnull(strstr(exported("ledger", ANA_EXPORT_CSV), "link,generated_bits,"));
    ck_assert_ptr_nonnull(strstr(exported("nodes", ANA_EXPORT_CSV), ",lat_deg,lon_deg\r\n"));
    ck_assert_ptr_nonnull(strstr(exported("run", ANA_EXPORT_JSONL), "\"keys_drawn_bits\": 0"));
}
END_TEST

/* A larger table takes no more memory: what SQLite holds at most for pages, and a row. */
START_TEST(memory)
{
    const int64_t most = 4 << 20;
    struct ana_error none;
    write_run(60000, hard + 5);
    FILE *file = fopen("/dev/null", "wb");
    ck_assert_ptr_nonnull(file);
    (void)sqlite3_memory_highwater(1);
    int64_t before = sqlite3_memory_used();
    ck_assert_int_eq(ana_export_table(results, "request_list", ANA_EXPORT_JSON, file, &none), 0);
    ck_assert_int_lt(sqlite3_memory_highwater(0) - before, most);
    fclose(file);
    FILE *db = fopen(path, "rb");
    ck_assert_ptr_nonnull(db);
    fseek(db, 0, SEEK_END);
    ck_assert_int_gt(ftell(db), 2 * most); /* more than fits */
    fclose(db);
}
END_TEST

START_TEST(tables)
{
    uint64_t rows = 0;
    write_run(10, hard);
    const char **names = ana_export_tables(results, &error);
    ck_assert_ptr_nonnull(names);
    bool found = false;
    for (size_t i = 0; names[i] != NULL; i++) {
        ck_assert_int_eq(ana_export_count(results, names[i], &rows, &error), QKD_OK);
        ck_assert_int_ne(strncmp(names[i], "sqlite_", 7), 0);
        (void)exported(names[i], ANA_EXPORT_CSV);
        found = found || strcmp(names[i], "request_list") == 0;
    }
    ck_assert(found);
    free(names);
    ck_assert_int_eq(ana_export_count(results, "events", &rows, &error), QKD_OK);
    ck_assert_uint_eq(rows, 6);
    ck_assert_int_eq(ana_export_table(results, "x\" --", ANA_EXPORT_CSV, stdout, &error),
                     QKD_ERR_UNKNOWN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/export");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, csv);
    tcase_add_test(tests, json);
    tcase_add_test(tests, values);
    tcase_add_test(tests, memory);
    tcase_add_test(tests, tables);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
