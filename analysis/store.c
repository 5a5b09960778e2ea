/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results database: creation, transactions, figures at the end. A rollback journal is used, not a
 * write-ahead log, so that the results are one file at every moment. */
#include "analysis/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/outfile.h"
#include "analysis/schema.h"
#include "analysis/store_rows.h"
#include "analysis/summary.h"
#include "core/base/err.h"

#define CLOCK_EVERY 256 /* rows between two looks at the clock */
#define BUSY_MS 10000   /* how long a reader may hold the writer up */

static const char *const record_names[] = {"summary", "requests", "full"};

bool ana_record_parse(const char *text, enum ana_record *record)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, record_names[i]) == 0) {
            *record = (enum ana_record)i;
            return true;
        }
    }
    return false;
}

const char *ana_record_name(enum ana_record record)
{
    return record_names[record];
}

/* ---- transactions ---- */

int ana_store_fail(struct ana_store *store)
{
    if (!store->failed) {
        int system = sqlite3_system_errno(store->db);
        store->failed = true;
        (void)ana_fail(&store->error, QKD_ERR_IO, "%s: cannot be written: %s%s%s", store->path,
                       sqlite3_errmsg(store->db), system == 0 ? "" : ": ",
                       system == 0 ? "" : strerror(system));
    }
    return QKD_ERR_IO;
}

static int execute(struct ana_store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? QKD_OK
                                                                       : ana_store_fail(store);
}

static int begin(struct ana_store *store)
{
    store->in_batch = 0;
    store->since_clock = 0;
    clock_gettime(CLOCK_MONOTONIC, &store->began);
    return execute(store, "BEGIN");
}

static int commit(struct ana_store *store)
{
    bool rows = store->in_batch > 0;
    int err = execute(store, "COMMIT");
    store->kept = store->kept || (err == QKD_OK && rows);
    return err;
}

static bool batch_is_old(const struct ana_store *store)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (int64_t)(now.tv_sec - store->began.tv_sec) * 1000000000 +
                 (now.tv_nsec - store->began.tv_nsec);
    return ns >= ANA_STORE_BATCH_NS;
}

static void commit_batch(struct ana_store *store)
{
    if (commit(store) == QKD_OK) {
        (void)begin(store);
    }
}

void ana_store_row_done(struct ana_store *store)
{
    store->in_batch++;
    if (store->in_batch >= ANA_STORE_BATCH_ROWS) {
        commit_batch(store);
    } else if (++store->since_clock >= CLOCK_EVERY) {
        store->since_clock = 0;
        if (batch_is_old(store)) {
            commit_batch(store);
        }
    }
}

bool ana_store_tick(struct ana_store *store)
{
    if (!store->failed && store->in_batch > 0 && batch_is_old(store)) {
        commit_batch(store);
    }
    return !store->failed;
}

void ana_store_sink(struct ana_store *store, struct scn_sink *sink)
{
    ana_rows_sink(store, sink);
}

/* ---- statements that run once ---- */

static sqlite3_stmt *prepare(struct ana_store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        (void)ana_store_fail(store);
    }
    return statement;
}

/* Runs a filled statement once and clears it. */
static int step(struct ana_store *store, sqlite3_stmt *statement)
{
    int err = sqlite3_step(statement) == SQLITE_DONE ? QKD_OK : ana_store_fail(store);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return err;
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    (void)sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
}

/* UTC now as ISO 8601. */
static void now_text(char text[32])
{
    time_t now = time(NULL);
    struct tm utc;
    text[0] = '\0';
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
}

/* ---- the scenario ---- */

static int write_run(struct ana_store *store, const char *command_options)
{
    char hash[65], seed[24], started[32];
    char *yaml = scn_print(store->scenario);
    if (yaml == NULL || scn_hash(store->scenario, hash) != QKD_OK) {
        free(yaml);
        store->failed = true;
        return ana_fail(&store->error, QKD_ERR_NOMEM, "%s: no memory", store->path);
    }
    snprintf(seed, sizeof seed, "%" PRIu64, store->scenario->seed);
    now_text(started);
    sqlite3_stmt *s = prepare(store,
                              "INSERT INTO run(id, schema, version, scenario, scenario_yaml, "
                              "scenario_hash, engine, seed, record, options, started, interrupted) "
                              "VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)");
    int err = QKD_ERR_IO;
    if (s != NULL) {
        (void)sqlite3_bind_int(s, 1, ANA_SCHEMA_VERSION);
        bind_text(s, 2, QKDN_VERSION);
        bind_text(s, 3, store->scenario->name);
        bind_text(s, 4, yaml);
        bind_text(s, 5, hash);
        bind_text(s, 6, scn_engine_name(store->scenario->engine));
        bind_text(s, 7, seed);
        bind_text(s, 8, ana_record_name(store->record));
        bind_text(s, 9, command_options == NULL ? "{}" : command_options);
        bind_text(s, 10, started);
        err = step(store, s);
    }
    sqlite3_finalize(s);
    free(yaml);
    return err;
}

static int write_nodes(struct ana_store *store)
{
    sqlite3_stmt *s = prepare(store, "INSERT INTO nodes VALUES(?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < store->scenario->node_count && !store->failed; i++) {
        const struct scn_node *node = &store->scenario->nodes[i];
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        bind_text(s, 2, node->id);
        bind_text(s, 3, node->name);
        bind_text(s, 4, scn_role_name(node->role));
        bind_text(s, 5, node->operator_id);
        if (node->has_geo) {
            (void)sqlite3_bind_double(s, 6, node->lat);
            (void)sqlite3_bind_double(s, 7, node->lon);
        }
        (void)step(store, s);
    }
    sqlite3_finalize(s);
    return store->failed ? QKD_ERR_IO : QKD_OK;
}

static int write_links(struct ana_store *store)
{
    sqlite3_stmt *s = prepare(store, "INSERT INTO links(idx, id, a, b, length_m, loss_db, "
                                     "store_bits, rate_bps) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < store->scenario->link_count && !store->failed; i++) {
        const struct scn_link *link = &store->scenario->links[i];
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        bind_text(s, 2, link->id);
        (void)sqlite3_bind_int64(s, 3, link->a);
        (void)sqlite3_bind_int64(s, 4, link->b);
        (void)sqlite3_bind_int64(s, 5, link->length_m);
        (void)sqlite3_bind_double(s, 6, link->loss_db);
        (void)sqlite3_bind_int64(s, 7, (sqlite3_int64)link->store_bits);
        (void)sqlite3_bind_int64(s, 8, (sqlite3_int64)link->qkd.mean_bps);
        (void)step(store, s);
    }
    sqlite3_finalize(s);
    return store->failed ? QKD_ERR_IO : QKD_OK;
}

static int write_applications(struct ana_store *store)
{
    sqlite3_stmt *s = prepare(store,
                              "INSERT INTO applications(idx, id, from_node, to_node, key_bits, "
                              "keys_per_request, level) VALUES(?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < store->scenario->application_count && !store->failed; i++) {
        const struct scn_application *app = &store->scenario->applications[i];
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        bind_text(s, 2, app->id);
        (void)sqlite3_bind_int64(s, 3, app->from);
        (void)sqlite3_bind_int64(s, 4, app->to);
        (void)sqlite3_bind_int64(s, 5, app->key_bits);
        (void)sqlite3_bind_int64(s, 6, app->count);
        bind_text(s, 7, scn_level_name(app->level));
        (void)step(store, s);
    }
    sqlite3_finalize(s);
    return store->failed ? QKD_ERR_IO : QKD_OK;
}

static int write_scenario(struct ana_store *store, const char *command_options)
{
    char sql[ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    ana_text_add(&text,
                 "PRAGMA journal_mode = DELETE; PRAGMA synchronous = NORMAL;"
                 "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN;",
                 ANA_APPLICATION_ID, ANA_SCHEMA_VERSION);
    ana_figure_tables(&text);
    if (execute(store, sql) != QKD_OK || execute(store, ana_schema_sql) != QKD_OK ||
        write_run(store, command_options) != QKD_OK || write_nodes(store) != QKD_OK ||
        write_links(store) != QKD_OK || write_applications(store) != QKD_OK ||
        execute(store, "COMMIT") != QKD_OK) {
        return QKD_ERR_IO;
    }
    return ana_rows_prepare(store) != QKD_OK ? QKD_ERR_IO : begin(store);
}

/* ---- opening and closing ---- */

/* Removes the database and what SQLite may have left beside it. */
static void remove_files(const char *path)
{
    size_t size = strlen(path) + sizeof "-journal";
    char *journal = malloc(size);
    (void)remove(path);
    if (journal != NULL) {
        snprintf(journal, size, "%s-journal", path);
        (void)remove(journal);
        free(journal);
    }
}

/* Creates an empty file, so that nobody else's is ever opened. */
static int claim(const struct ana_store_options *options, struct ana_error *error)
{
    struct stat st;
    int err = ana_outfile_check(options->path, options->force, error);
    if (err != QKD_OK) {
        return err;
    }
    if (stat(options->path, &st) == 0) {
        if (!S_ISREG(st.st_mode)) {
            return ana_fail(error, QKD_ERR_IO, "%s: not a regular file", options->path);
        }
        remove_files(options->path);
    }
    int fd = open(options->path, O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (fd < 0 || close(fd) != 0) {
        return ana_fail(error, QKD_ERR_IO, "%s: cannot be written: %s", options->path,
                        strerror(errno));
    }
    return QKD_OK;
}

static void store_free(struct ana_store *store)
{
    ana_rows_finalize(store);
    (void)sqlite3_close(store->db);
    free(store->path);
    free(store);
}

static struct ana_store *store_new(const struct ana_store_options *options,
                                   const struct scn_scenario *scenario)
{
    struct ana_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->path = malloc(strlen(options->path) + 1);
    if (store->path == NULL) {
        free(store);
        return NULL;
    }
    strcpy(store->path, options->path);
    store->scenario = scenario;
    store->record = options->record;
    return store;
}

int ana_store_open(const struct ana_store_options *options, const struct scn_scenario *scenario,
                   struct ana_store **out, struct ana_error *error)
{
    *out = NULL;
    int err = claim(options, error);
    if (err != QKD_OK) {
        return err;
    }
    struct ana_store *store = store_new(options, scenario);
    if (store == NULL) {
        remove_files(options->path);
        return ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", options->path);
    }
    if (sqlite3_open_v2(options->path, &store->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        err = ana_store_fail(store);
    } else {
        (void)sqlite3_extended_result_codes(store->db, 1);
        (void)sqlite3_busy_timeout(store->db, BUSY_MS);
        err = write_scenario(store, options->command_options);
    }
    if (err != QKD_OK) {
        *error = store->error;
        store_free(store);
        remove_files(options->path);
        return err;
    }
    *out = store;
    return QKD_OK;
}

/* ---- figures at the end ---- */

static void bind_field(sqlite3_stmt *statement, int column, const struct ana_field *field,
                       const void *base)
{
    if (field->kind == ANA_KIND_COUNT) {
        uint64_t value = ana_field_count(field, base);
        (void)sqlite3_bind_int64(statement, column,
                                 value > INT64_MAX ? INT64_MAX : (sqlite3_int64)value);
    } else if (field->kind == ANA_KIND_BOOL) {
        (void)sqlite3_bind_int(statement, column, ana_field_bool(field, base));
    } else {
        double value = ana_field_number(field, base);
        if (isnan(value)) {
            (void)sqlite3_bind_null(statement, column);
        } else {
            (void)sqlite3_bind_double(statement, column, value);
        }
    }
}

/* "name=?, name=?" for the fields of a table that stand in the SQL table. */
static void assignments(struct ana_text *sql, const struct ana_field *table, bool ledger_too)
{
    bool first = true;
    for (const struct ana_field *f = table; f->name != NULL; f++) {
        if (!ana_field_in_ledger(f) || ledger_too) {
            ana_text_add(sql, first ? "" : ", ");
            ana_column_add(sql, f);
            ana_text_add(sql, " = ?");
            first = false;
        }
    }
}

/* Binds them in the same order from column `from`; returns the next column. */
static int bind_fields(sqlite3_stmt *statement, int from, const struct ana_field *table,
                       const void *base)
{
    for (const struct ana_field *f = table; f->name != NULL; f++) {
        if (table != ana_link_fields || !ana_field_in_ledger(f)) {
            bind_field(statement, from++, f, base);
        }
    }
    return from;
}

static void update_run(struct ana_store *store, const struct scn_summary *summary)
{
    char sql[ANA_SQL_SIZE], digest[24], ended[32];
    struct ana_text text = {sql, 0, sizeof sql};
    ana_text_add(&text, "UPDATE run SET ");
    assignments(&text, ana_head_fields, true);
    ana_text_add(&text, ", ");
    assignments(&text, ana_run_fields, true);
    ana_text_add(&text, ", ended = ?, trace_digest = ?, summary = ?");
    snprintf(digest, sizeof digest, "%016" PRIx64, summary->trace_digest);
    now_text(ended);
    char *json = ana_summary_json(store->scenario, summary);
    sqlite3_stmt *s = prepare(store, sql);
    if (s != NULL) {
        int column = bind_fields(s, 1, ana_head_fields, summary);
        column = bind_fields(s, column, ana_run_fields, summary);
        bind_text(s, column, ended);
        bind_text(s, column + 1, digest);
        bind_text(s, column + 2, json);
        (void)step(store, s);
    }
    sqlite3_finalize(s);
    free(json);
}

static void update_links(struct ana_store *store, const struct scn_summary *summary)
{
    char sql[ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    ana_text_add(&text, "UPDATE links SET ");
    assignments(&text, ana_link_fields, false);
    ana_text_add(&text, " WHERE idx = ?");
    sqlite3_stmt *s = prepare(store, sql);
    for (size_t i = 0; i < summary->link_count && !store->failed; i++) {
        int column = bind_fields(s, 1, ana_link_fields, &summary->links[i]);
        (void)sqlite3_bind_int64(s, column, (sqlite3_int64)i);
        (void)step(store, s);
    }
    sqlite3_finalize(s);
}

static void insert_ledger(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = prepare(store,
                              "INSERT INTO ledger VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < summary->link_count && !store->failed; i++) {
        int column = 1;
        (void)sqlite3_bind_int64(s, column++, (sqlite3_int64)i);
        for (const struct ana_field *f = ana_link_fields; f->name != NULL; f++) {
            if (ana_field_in_ledger(f)) {
                bind_field(s, column++, f, &summary->links[i]);
            }
        }
        (void)step(store, s);
    }
    sqlite3_finalize(s);
}

static void update_applications(struct ana_store *store, const struct scn_summary *summary)
{
    char sql[ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    ana_text_add(&text, "UPDATE applications SET ");
    assignments(&text, ana_application_fields, true);
    ana_text_add(&text, " WHERE idx = ?");
    sqlite3_stmt *s = prepare(store, sql);
    for (size_t i = 0; i < summary->application_count && !store->failed; i++) {
        int column = bind_fields(s, 1, ana_application_fields, &summary->applications[i]);
        (void)sqlite3_bind_int64(s, column, (sqlite3_int64)i);
        (void)step(store, s);
    }
    sqlite3_finalize(s);
}

static void insert_reasons(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = prepare(store, "INSERT INTO reasons VALUES(?, ?)");
    sqlite3_stmt *a = prepare(store, "INSERT INTO application_reasons VALUES(?, ?, ?)");
    for (size_t r = 0; r < summary->reason_count && !store->failed; r++) {
        bind_text(s, 1, summary->reasons[r].text);
        (void)sqlite3_bind_int64(s, 2, (sqlite3_int64)summary->reasons[r].count);
        (void)step(store, s);
        for (size_t i = 0; i < summary->application_count && !store->failed; i++) {
            if (summary->applications[i].reasons[r] > 0) {
                (void)sqlite3_bind_int64(a, 1, (sqlite3_int64)i);
                bind_text(a, 2, summary->reasons[r].text);
                (void)sqlite3_bind_int64(a, 3, (sqlite3_int64)summary->applications[i].reasons[r]);
                (void)step(store, a);
            }
        }
    }
    sqlite3_finalize(s);
    sqlite3_finalize(a);
}

static void insert_expectations(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = prepare(store, "INSERT INTO expectations VALUES(?, ?, ?, ?)");
    for (size_t i = 0; i < summary->verdict_count && !store->failed; i++) {
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        bind_text(s, 2, store->scenario->expects[i].text);
        if (!isnan(summary->verdicts[i].value)) {
            (void)sqlite3_bind_double(s, 3, summary->verdicts[i].value);
        }
        (void)sqlite3_bind_int(s, 4, summary->verdicts[i].pass);
        (void)step(store, s);
    }
    sqlite3_finalize(s);
}

/* All figures in the transaction that holds the last records: a reader sees none or all. */
static void write_figures(struct ana_store *store, const struct scn_summary *summary)
{
    static void (*const writers[])(struct ana_store *, const struct scn_summary *) = {
        update_run,     update_links,        insert_ledger,
        insert_reasons, update_applications, insert_expectations};
    for (size_t i = 0; i < sizeof writers / sizeof writers[0] && !store->failed; i++) {
        writers[i](store, summary);
    }
    if (!store->failed && execute(store, ana_index_sql) == QKD_OK) {
        (void)commit(store);
    }
}

/* After a failure: what was committed stays, marked interrupted since the beginning. */
static void close_failed(struct ana_store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    bool kept = store->kept;
    char *path = store->path;
    store->path = NULL;
    store_free(store);
    if (!kept) {
        remove_files(path);
    }
    free(path);
}

int ana_store_finish(struct ana_store *store, const struct scn_summary *summary,
                     struct ana_error *error)
{
    if (!store->failed) {
        write_figures(store, summary);
    }
    if (store->failed) {
        *error = store->error;
        if (store->kept) {
            size_t len = strlen(error->text);
            snprintf(error->text + len, sizeof error->text - len,
                     " (the records written so far are kept, marked interrupted)");
        }
        close_failed(store);
        return QKD_ERR_IO;
    }
    store_free(store);
    return QKD_OK;
}

void ana_store_abandon(struct ana_store *store)
{
    if (!store->failed && store->in_batch > 0) {
        (void)commit(store);
    }
    close_failed(store);
}
