/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/store and results: the invented run of tests/lib/results.h is written and read back with
 * plain SQL; then what goes wrong: existing file, no room, a killed writer, a damaged file. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/results.h"
#include "analysis/schema.h"
#include "analysis/store.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static char folder[] = "/tmp/qkdn_store_XXXXXX";
static char path[64], journal[72], partial[72];
static struct scn_scenario *scenario;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_store_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.db", folder);
    snprintf(journal, sizeof journal, "%s-journal", path);
    snprintf(partial, sizeof partial, "%s.partial", path);
    scenario = test_scenario();
}

static void teardown(void)
{
    unlink(path);
    unlink(journal);
    unlink(partial);
    rmdir(folder);
    scn_free(scenario);
}

static int open_store(enum ana_record record, bool force, struct ana_store **store,
                      struct ana_error *error)
{
    struct ana_store_options options = {path, force, record, "{\"seed\": \"42\"}"};
    return ana_store_open(&options, scenario, store, error);
}

/* Writes the whole invented run. */
static void write_run(enum ana_record record)
{
    struct ana_store *store;
    struct ana_error error = {""};
    struct scn_sink sink = {0};
    struct scn_summary summary;
    ck_assert_msg(open_store(record, false, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    test_records(&sink, TEST_REQUESTS);
    ck_assert(ana_store_tick(store));
    test_summary(scenario, &summary);
    ck_assert_msg(ana_store_finish(store, &summary, &error) == QKD_OK, "%s", error.text);
    scn_summary_fini(&summary);
}

/* The first column of the first row of a query, as text. */
static const char *ask(const char *sql)
{
    static char answer[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    ck_assert_msg(sqlite3_step(s) == SQLITE_ROW, "%s", sql);
    const char *text = (const char *)sqlite3_column_text(s, 0);
    snprintf(answer, sizeof answer, "%s", text == NULL ? "NULL" : text);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return answer;
}

START_TEST(full_run_by_sql)
{
    static const struct {
        const char *sql, *answer;
    } cases[] = {
        {"SELECT count(*) FROM requests", "50"},
        {"SELECT count(*) FROM requests WHERE outcome = 'refused'", "5"},
        {"SELECT reason FROM requests WHERE number = 20", "insufficient_key"},
        {"SELECT fetched_ns FROM requests WHERE number = 20", "NULL"},
        {"SELECT route FROM requests WHERE number = 7", "A B C"},
        {"SELECT latency_s FROM request_list WHERE number = 7", "0.007"},
        {"SELECT fetch_latency_s FROM request_list WHERE number = 7", "0.014"},
        {"SELECT hex(ksa_key) FROM request_keys WHERE request = 7",
         "000000075A5A5A5A5A5A5A5A5A5A5A5A"},
        {"SELECT count(*) FROM hops", "90"},
        {"SELECT sum(pad_bits) + sum(tag_bits) FROM hops WHERE link = 1", "51840"},
        {"SELECT count(*) FROM life", "135"},
        {"SELECT node || action FROM life_list WHERE key_class = 'ksa' LIMIT 1", "Asupply"},
        {"SELECT target_app FROM life WHERE key_class = 'ksa' LIMIT 1", "0"},
        {"SELECT count(*) FROM pool_samples WHERE link = 0", "25"},
        {"SELECT entity FROM events", "link AB"},
        {"SELECT role || node || fault || raised FROM faults", "KMC1link_down1"},
        {"SELECT sum(pads) FROM ledger", "200000"},
        {"SELECT sum(generated + bootstrap) - sum(stored + pads + tags + hash_keys + fallback_keys"
         " + postproc_auth + relayed_as_key + expired + discarded + in_flight) FROM ledger",
         "0"},
        {"SELECT pool_end_bits FROM links WHERE id = 'BC'", "2000000"},
        {"SELECT up_end FROM links WHERE id = 'AB'", "0"},
        {"SELECT requests_served FROM applications WHERE id = 'video'", "45"},
        {"SELECT served_fraction FROM applications WHERE id = 'mail'", "NULL"},
        {"SELECT requests FROM reasons WHERE reason = 'insufficient_key'", "5"},
        {"SELECT requests FROM application_reasons", "5"},
        {"SELECT text FROM expectations WHERE idx = 0", "served_fraction >= 0.85"},
        {"SELECT interrupted FROM run", "0"},
        {"SELECT served_fraction FROM run", "0.9"},
        {"SELECT latency_s_p95 FROM run", "0.048"},
        {"SELECT fetch_latency_s_mean FROM run", "NULL"},
        {"SELECT seed || engine || record FROM run", "42fastfull"},
        {"SELECT trace_digest FROM run", "0123456789abcdef"},
        {"SELECT json_extract(summary, '$.requests.served') FROM run", "45"},
        {"SELECT json_extract(options, '$.seed') FROM run", "42"},
        {"SELECT length(scenario_hash) FROM run", "64"},
        {"SELECT lat FROM nodes WHERE id = 'C'", "35.8"},
        {"PRAGMA user_version", "1"},
        {"PRAGMA integrity_check", "ok"},
    };
    write_run(ANA_RECORD_FULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *answer = ask(cases[i].sql);
        ck_assert_msg(strcmp(answer, cases[i].answer) == 0, "%s: %s", cases[i].sql, answer);
    }
    struct stat st;
    ck_assert_int_ne(stat(journal, &st), 0);
}
END_TEST

/* Pool samples of one end every 10 ms of a run of 100 s: of the 10,000, every tenth is kept up to number
 * 5000 (501), then 5005 and 5006, which say that it was down for a moment, then every tenth from there
 * (499); level full keeps all. */
START_TEST(pool_samples)
{
    struct ana_store *store;
    struct ana_error error = {""};
    struct scn_sink sink = {0};
    struct scn_summary summary;
    enum ana_record record = _i == 0 ? ANA_RECORD_REQUESTS : ANA_RECORD_FULL;
    ck_assert_msg(open_store(record, false, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    for (int i = 0; i < 10000; i++) {
        struct scn_pool_sample sample = {i * INT64_C(10000000), 0, 1, 1, 2, 3, i != 5005, 1};
        sink.pool(sink.ctx, &sample);
    }
    test_summary(scenario, &summary);
    ck_assert_msg(ana_store_finish(store, &summary, &error) == QKD_OK, "%s", error.text);
    scn_summary_fini(&summary);
    ck_assert_str_eq(ask("SELECT count(*) || ' ' || (SELECT group_concat(time_ns / 10000000) FROM "
                         "pool_samples WHERE link = 0 AND time_ns BETWEEN 49900000000 AND "
                         "50200000000 AND NOT up) FROM pool_samples"),
                     _i == 0 ? "1002 5005" : "10000 5005");
}
END_TEST

/* A message's row; nothing is NULL that has a value, what has none is NULL. */
START_TEST(messages)
{
    write_run(ANA_RECORD_FULL);
    ck_assert_str_eq(ask("SELECT group_concat(from_role || from_node || ' ' || to_role || to_node "
                         "|| ' ' || point "
                         "|| ' ' || name || ' ' || bytes || ' ' || ifnull(link, '-') || ' ' || "
                         "ifnull(hop, '-') || "
                         "' ' || sending || ' ' || ifnull(arrived_ns - sent_ns, '-') || ' ' || "
                         "ifnull(reason, '-') "
                         "|| ' ' || fate, '; ') FROM messages WHERE request = 7"),
                     "application0 KSA0 Ak KEY_SUPPLY 107 - - 1 0 - delivered; KMA0 KMA1 Kx-1 "
                     "RELAY 107 0 1 1 - - "
                     "lost; KMA0 KMA1 Kx-1 RELAY 107 0 1 2 1000000 - delivered");
}
END_TEST

/* Each level has the tables of the one below and more. */
START_TEST(levels)
{
    static const char *const counts[] = {"0 0 0 1 0", "50 50 0 1 0", "50 50 90 1 150"};
    write_run((enum ana_record)_i);
    ck_assert_str_eq(ask("SELECT (SELECT count(*) FROM requests) || ' ' || (SELECT count(*) FROM "
                         "pool_samples) || ' ' || (SELECT count(*) FROM hops) || ' ' || (SELECT "
                         "count(*) FROM events) || ' ' || (SELECT count(*) FROM messages)"),
                     counts[_i]);
    ck_assert_str_eq(ask("SELECT requests_total FROM run"), "50");
}
END_TEST

START_TEST(read_back)
{
    struct ana_results *results;
    struct ana_error error = {""};
    write_run(ANA_RECORD_SUMMARY);
    ck_assert(ana_results_is(path));
    ck_assert_msg(ana_results_open(path, &results, &error) == QKD_OK, "%s", error.text);
    const struct scn_summary *summary = ana_results_summary(results);
    ck_assert_ptr_nonnull(summary);
    ck_assert_uint_eq(summary->requests.served, 45);
    ck_assert_double_eq(summary->sim_s, 100);
    ck_assert_uint_eq(summary->links[1].pool_end_bits, 2000000);
    ck_assert_uint_eq(summary->links[1].bits.stored, 900000);
    ck_assert(summary->links[1].up_end && !summary->links[0].up_end);
    ck_assert_uint_eq(summary->applications[0].requests.refused, 5);
    ck_assert_double_eq(summary->latency.p95, 0.048);
    ck_assert_uint_eq(ana_results_scenario(results)->fault_count, 1);
    ck_assert_str_eq(ana_results_record(results), "summary");
    ana_results_close(results);
}
END_TEST

START_TEST(existing_file)
{
    struct ana_store *store;
    struct ana_error error = {""};
    write_run(ANA_RECORD_SUMMARY);
    ck_assert_int_eq(open_store(ANA_RECORD_FULL, false, &store, &error), QKD_ERR_EXISTS);
    ck_assert_ptr_null(store);
    ck_assert_str_eq(ask("SELECT record FROM run"), "summary"); /* untouched */
    ck_assert_msg(open_store(ANA_RECORD_FULL, true, &store, &error) == QKD_OK, "%s", error.text);
    ck_assert_str_eq(ask("SELECT record FROM run"), "summary");
    ana_store_abandon(store);
    struct stat st;
    ck_assert_int_ne(stat(partial, &st), 0); /* nothing was recorded: what was there stays */
    ck_assert_str_eq(ask("SELECT record || interrupted FROM run"), "summary0");
}
END_TEST

/* Old results stay until there are new ones; a hot journal of theirs does not spoil the new ones. */
START_TEST(replaced_results)
{
    struct ana_store *store;
    struct ana_error error = {""};
    struct scn_sink sink = {0};
    struct scn_summary summary;
    struct stat st;
    write_run(ANA_RECORD_SUMMARY);
    FILE *left = fopen(partial, "w"); /* by a killed run */
    ck_assert_ptr_nonnull(left);
    (void)fclose(left);
    ck_assert_msg(open_store(ANA_RECORD_FULL, true, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    ck_assert(!ana_store_kept(store));
    ck_assert_str_eq(ask("SELECT record FROM run"), "summary");
    left = fopen(journal, "w");
    ck_assert_ptr_nonnull(left);
    (void)fclose(left);
    test_records(&sink, 7400); /* a bit more than one batch */
    ck_assert(ana_store_kept(store));
    ck_assert_int_ne(stat(partial, &st), 0);
    ck_assert_str_eq(ask("SELECT record || interrupted FROM run"), "full1");
    test_summary(scenario, &summary);
    ck_assert_msg(ana_store_finish(store, &summary, &error) == QKD_OK, "%s", error.text);
    scn_summary_fini(&summary);
    ck_assert_str_eq(ask("SELECT record || interrupted FROM run"), "full0");
    ck_assert_str_eq(ask("SELECT count(*) FROM requests"), "7400");
    /* A run without a single record replaces too, when it has ended. */
    ck_assert_int_eq(open_store(ANA_RECORD_SUMMARY, true, &store, &error), QKD_OK);
    test_summary(scenario, &summary);
    ck_assert_int_eq(ana_store_finish(store, &summary, &error), QKD_OK);
    scn_summary_fini(&summary);
    ck_assert_str_eq(ask("SELECT record || interrupted FROM run"), "summary0");
    ck_assert_int_ne(stat(partial, &st), 0);
}
END_TEST

START_TEST(unwritable)
{
    static const char *const places[] = {"/nonexistent/r.db", "/tmp", "/dev/null"};
    struct ana_store *store;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct ana_error error = {""};
        struct ana_store_options options = {places[i], true, ANA_RECORD_FULL, NULL};
        ck_assert_int_eq(ana_store_open(&options, scenario, &store, &error),
                         i == 0 ? QKD_ERR_IO : QKD_ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, places[i]));
    }
    struct stat st;
    ck_assert(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
}
END_TEST

static void limit_files(unsigned long bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No room even for the scenario; then room for it, but not for the records. */
START_TEST(no_room_at_all)
{
    struct ana_store *store;
    struct ana_error error = {""};
    struct stat st;
    limit_files(8192);
    ck_assert_int_eq(open_store(ANA_RECORD_FULL, false, &store, &error), QKD_ERR_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be written"));
    ck_assert_int_ne(stat(path, &st), 0);
    ck_assert_int_ne(stat(journal, &st), 0);
}
END_TEST

START_TEST(no_room_for_more)
{
    struct ana_store *store;
    struct ana_error error = {""};
    struct scn_sink sink = {0};
    struct scn_summary summary;
    limit_files(8 << 20);
    ck_assert_msg(open_store(ANA_RECORD_FULL, false, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    test_records(&sink, 60000); /* about 30 MB, more than one batch */
    ck_assert(!ana_store_tick(store));
    test_summary(scenario, &summary);
    ck_assert_int_eq(ana_store_finish(store, &summary, &error), QKD_ERR_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "are kept, marked interrupted"));
    scn_summary_fini(&summary);
    ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
    ck_assert_str_eq(ask("SELECT interrupted FROM run"), "1");
    ck_assert_str_eq(ask("SELECT count(*) > 1000 FROM requests"), "1");
}
END_TEST

/* A writer that is killed: what was committed is there, and reads as interrupted. */
START_TEST(killed_writer)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct ana_store *store;
        struct ana_error error;
        struct scn_sink sink = {0};
        if (open_store(ANA_RECORD_FULL, false, &store, &error) == QKD_OK) {
            ana_store_sink(store, &sink);
            test_records(&sink, 20000);
            (void)kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct ana_results *results;
    struct ana_error error = {""};
    ck_assert_msg(ana_results_open(path, &results, &error) == QKD_OK, "%s", error.text);
    ck_assert_ptr_null(ana_results_summary(results));
    ck_assert_str_eq(ana_results_scenario(results)->name, "test line");
    ana_results_close(results);
    ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
    ck_assert_str_eq(ask("SELECT interrupted FROM run"), "1");
    ck_assert_str_eq(ask("SELECT count(*) >= 6000 FROM requests"), "1"); /* 8 rows each */
    ck_assert_str_eq(ask("SELECT count(*) FROM request_keys k WHERE NOT EXISTS (SELECT 1 FROM "
                         "requests r WHERE r.number = k.request)"),
                     "0");
}
END_TEST

static void expect_refused(const char *says)
{
    struct ana_results *results;
    struct ana_error error = {""};
    ck_assert_int_eq(ana_results_open(path, &results, &error), QKD_ERR_INVALID);
    ck_assert_ptr_null(results);
    ck_assert_msg(strstr(error.text, says) != NULL, "%s", error.text);
}

static void change(const char *sql)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(damaged_files)
{
    expect_refused("no such file");
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs("certainly no database, but long enough to be one by its size alone", file);
    fclose(file);
    expect_refused("not a database");
    unlink(path);
    change("CREATE TABLE t(x)");
    expect_refused("not a results database");
    unlink(path);
    write_run(ANA_RECORD_SUMMARY);
    change("PRAGMA user_version = 99");
    expect_refused("schema version 99");
    change("PRAGMA user_version = 1; UPDATE run SET scenario_yaml = 'seed: [1'");
    expect_refused("the scenario inside is damaged");
    unlink(path);
    write_run(ANA_RECORD_SUMMARY);
    ck_assert_int_eq(truncate(path, 9000), 0);
    expect_refused("cannot be read as results");
}
END_TEST

/* Every table and column is explained in docs/results.md, and every SQL example there runs. */
static char *documentation(void)
{
    static char text[1 << 16];
    FILE *file = fopen("docs/results.md", "rb");
    ck_assert_msg(file != NULL, "docs/results.md is missing");
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    return text;
}

START_TEST(documented_columns)
{
    const char *text = documentation();
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    write_run(ANA_RECORD_SUMMARY);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT m.name, c.name FROM sqlite_schema m JOIN "
                                        "pragma_table_info(m.name) c WHERE m.type = 'table'",
                                        -1, &s, NULL),
                     SQLITE_OK);
    int columns = 0;
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(s, 0);
        const char *column = (const char *)sqlite3_column_text(s, 1);
        char heading[80], name[80];
        snprintf(heading, sizeof heading, "### %s\n", table);
        snprintf(name, sizeof name, "`%s`", column);
        const char *section = strstr(text, heading);
        ck_assert_msg(section != NULL, "table %s is not in docs/results.md", table);
        const char *end = strstr(section + 4, "\n### ");
        const char *found = strstr(section, name);
        ck_assert_msg(found != NULL && (end == NULL || found < end),
                      "column %s.%s is not in docs/results.md", table, column);
        columns++;
    }
    ck_assert_int_gt(columns, 100);
    sqlite3_finalize(s);
    sqlite3_close(db);
}
END_TEST

START_TEST(documented_queries)
{
    char *text = documentation();
    sqlite3 *db = NULL;
    int queries = 0;
    write_run(ANA_RECORD_FULL);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    for (char *block = strstr(text, "```sql\n"); block != NULL; block = strstr(block, "```sql\n")) {
        block += 7;
        char *end = strstr(block, "```");
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        char *message = NULL;
        ck_assert_msg(sqlite3_exec(db, block, NULL, NULL, &message) == SQLITE_OK, "%s\n%s", message,
                      block);
        queries++;
        block = end + 1;
    }
    ck_assert_int_ge(queries, 5);
    sqlite3_close(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/store");
    TCase *tests = tcase_create("results");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, full_run_by_sql);
    tcase_add_loop_test(tests, levels, 0, 3);
    tcase_add_test(tests, messages);
    tcase_add_loop_test(tests, pool_samples, 0, 2);
    tcase_add_test(tests, read_back);
    tcase_add_test(tests, existing_file);
    tcase_add_test(tests, replaced_results);
    tcase_add_test(tests, unwritable);
    tcase_add_test(tests, no_room_at_all);
    tcase_add_test(tests, no_room_for_more);
    tcase_add_test(tests, killed_writer);
    tcase_add_test(tests, damaged_files);
    tcase_add_test(tests, documented_columns);
    tcase_add_test(tests, documented_queries);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
