/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results database: creation, transactions, figures at the end. A rollback journal is used, not a
 * write-ahead log, so that the results are one file at every moment. */
#include "analysis/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/outfile.h"
#include "analysis/schema.h"
#include "analysis/store_rows.h"
#include "core/base/err.h"

#define CLOCK_EVERY 256   /* rows between two looks at the clock */
#define BUSY_MS 10000     /* how long a reader may hold the writer up */
#define CACHE_KIB "16384" /* pages of a batch and of the indexes at the end stay in memory */

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

int ana_store_fail(struct ana_store *store)
{
    if (!store->failed) {
        int system = sqlite3_system_errno(store->db);
        store->failed = true;
        (void)ana_fail(&store->error, QKD_ERR_IO, "%s: cannot be written: %s: %s", store->path,
                       sqlite3_errmsg(store->db),
                       system == 0 ? "is there room left?" : strerror(system));
    }
    return QKD_ERR_IO;
}

int ana_store_execute(struct ana_store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? QKD_OK
                                                                       : ana_store_fail(store);
}

/* ---- files and connection ---- */

static void remove_journal(const char *path)
{
    size_t size = strlen(path) + sizeof "-journal";
    char *journal = malloc(size);
    if (journal != NULL) {
        snprintf(journal, size, "%s-journal", path);
        (void)remove(journal);
        free(journal);
    }
}

/* Removes the database and what SQLite may have left beside it. */
static void remove_files(const char *path)
{
    (void)remove(path);
    remove_journal(path);
}

/* Where the store writes now. */
static const char *place(const struct ana_store *store)
{
    return store->partial != NULL ? store->partial : store->path;
}

static int connect_to_place(struct ana_store *store)
{
    if (sqlite3_open_v2(place(store), &store->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        return ana_store_fail(store);
    }
    (void)sqlite3_extended_result_codes(store->db, 1);
    (void)sqlite3_busy_timeout(store->db, BUSY_MS);
    return ana_store_execute(store, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = NORMAL; "
                                    "PRAGMA cache_size = -" CACHE_KIB);
}

/* ---- transactions ---- */

static int begin(struct ana_store *store)
{
    store->in_batch = 0;
    store->since_clock = 0;
    clock_gettime(CLOCK_MONOTONIC, &store->began);
    return ana_store_execute(store, "BEGIN");
}

/* Lets the new results, committed beside the old ones, take their place. A journal is found by the
 * name under which its database was opened: that is why the file is closed and opened anew. */
static int publish(struct ana_store *store)
{
    ana_rows_finalize(store);
    (void)sqlite3_close(store->db);
    store->db = NULL;
    remove_journal(store->path);
    if (rename(store->partial, store->path) != 0) {
        store->failed = true;
        return ana_fail(&store->error, QKD_ERR_IO, "%s: cannot be replaced: %s", store->path,
                        strerror(errno));
    }
    free(store->partial);
    store->partial = NULL;
    return connect_to_place(store) == QKD_OK ? ana_rows_prepare(store) : QKD_ERR_IO;
}

static int commit(struct ana_store *store)
{
    bool rows = store->in_batch > 0;
    if (ana_store_execute(store, "COMMIT") != QKD_OK) {
        return QKD_ERR_IO;
    }
    int err = rows && store->partial != NULL ? publish(store) : QKD_OK;
    store->kept = store->kept || (rows && store->partial == NULL);
    return err;
}

bool ana_store_kept(const struct ana_store *store)
{
    return store->kept;
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

sqlite3_stmt *ana_store_prepare(struct ana_store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        (void)ana_store_fail(store);
    }
    return statement;
}

/* Runs a filled statement once and clears it. */
int ana_store_step(struct ana_store *store, sqlite3_stmt *statement)
{
    int err = sqlite3_step(statement) == SQLITE_DONE ? QKD_OK : ana_store_fail(store);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return err;
}

void ana_bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    (void)sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
}

/* UTC now as ISO 8601. */
void ana_now_text(char text[32])
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
    ana_now_text(started);
    sqlite3_stmt *s = ana_store_prepare(
        store, "INSERT INTO run(id, schema, version, scenario, scenario_yaml, "
               "scenario_hash, engine, seed, record, options, started, interrupted) "
               "VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)");
    int err = QKD_ERR_IO;
    if (s != NULL) {
        (void)sqlite3_bind_int(s, 1, ANA_SCHEMA_VERSION);
        ana_bind_text(s, 2, QKDN_VERSION);
        ana_bind_text(s, 3, store->scenario->name);
        ana_bind_text(s, 4, yaml);
        ana_bind_text(s, 5, hash);
        ana_bind_text(s, 6, scn_engine_name(store->scenario->engine));
        ana_bind_text(s, 7, seed);
        ana_bind_text(s, 8, ana_record_name(store->record));
        ana_bind_text(s, 9, command_options == NULL ? "{}" : command_options);
        ana_bind_text(s, 10, started);
        err = ana_store_step(store, s);
    }
    sqlite3_finalize(s);
    free(yaml);
    return err;
}

static int write_nodes(struct ana_store *store)
{
    sqlite3_stmt *s = ana_store_prepare(store, "INSERT INTO nodes VALUES(?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < store->scenario->node_count && !store->failed; i++) {
        const struct scn_node *node = &store->scenario->nodes[i];
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        ana_bind_text(s, 2, node->id);
        ana_bind_text(s, 3, node->name);
        ana_bind_text(s, 4, scn_role_name(node->role));
        ana_bind_text(s, 5, node->operator_id);
        if (node->has_geo) {
            (void)sqlite3_bind_double(s, 6, node->lat);
            (void)sqlite3_bind_double(s, 7, node->lon);
        }
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
    return store->failed ? QKD_ERR_IO : QKD_OK;
}

static int write_links(struct ana_store *store)
{
    sqlite3_stmt *s = ana_store_prepare(store,
                                        "INSERT INTO links(idx, id, a, b, length_m, loss_db, "
                                        "store_bits, rate_bps) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < store->scenario->link_count && !store->failed; i++) {
        const struct scn_link *link = &store->scenario->links[i];
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        ana_bind_text(s, 2, link->id);
        (void)sqlite3_bind_int64(s, 3, link->a);
        (void)sqlite3_bind_int64(s, 4, link->b);
        (void)sqlite3_bind_int64(s, 5, link->length_m);
        (void)sqlite3_bind_double(s, 6, link->loss_db);
        (void)sqlite3_bind_int64(s, 7, (sqlite3_int64)link->store_bits);
        (void)sqlite3_bind_int64(s, 8, (sqlite3_int64)link->qkd.mean_bps);
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
    return store->failed ? QKD_ERR_IO : QKD_OK;
}

static int write_applications(struct ana_store *store)
{
    sqlite3_stmt *s =
        ana_store_prepare(store, "INSERT INTO applications(idx, id, from_node, to_node, key_bits, "
                                 "keys_per_request, level) VALUES(?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < store->scenario->application_count && !store->failed; i++) {
        const struct scn_application *app = &store->scenario->applications[i];
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        ana_bind_text(s, 2, app->id);
        (void)sqlite3_bind_int64(s, 3, app->from);
        (void)sqlite3_bind_int64(s, 4, app->to);
        (void)sqlite3_bind_int64(s, 5, app->key_bits);
        (void)sqlite3_bind_int64(s, 6, app->count);
        ana_bind_text(s, 7, scn_level_name(app->level));
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
    return store->failed ? QKD_ERR_IO : QKD_OK;
}

static int write_scenario(struct ana_store *store, const char *command_options)
{
    char sql[ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    ana_text_add(&text, "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN;",
                 ANA_APPLICATION_ID, ANA_SCHEMA_VERSION);
    ana_figure_tables(&text);
    if (ana_store_execute(store, sql) != QKD_OK ||
        ana_store_execute(store, ana_schema_sql) != QKD_OK ||
        write_run(store, command_options) != QKD_OK || write_nodes(store) != QKD_OK ||
        write_links(store) != QKD_OK || write_applications(store) != QKD_OK ||
        ana_store_execute(store, "COMMIT") != QKD_OK) {
        return QKD_ERR_IO;
    }
    return ana_rows_prepare(store) != QKD_OK ? QKD_ERR_IO : begin(store);
}

/* ---- opening and closing ---- */

/* Creates an empty file, so that nobody else's is ever opened. */
static int claim(const struct ana_store *store, struct ana_error *error)
{
    if (store->partial != NULL) {
        remove_files(store->partial); /* a killed run may have left one */
    } else {
        remove_journal(store->path);
    }
    int fd = open(place(store), O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (fd < 0 || close(fd) != 0) {
        return ana_fail(error, QKD_ERR_IO, "%s: cannot be written: %s", store->path,
                        strerror(errno));
    }
    return QKD_OK;
}

static void store_free(struct ana_store *store)
{
    ana_rows_finalize(store);
    (void)sqlite3_close(store->db);
    free(store->path);
    free(store->partial);
    free(store->pools);
    free(store);
}

/* A store for path, or path.partial if there is something at path. */
static struct ana_store *store_new(const struct ana_store_options *options,
                                   const struct scn_scenario *scenario)
{
    struct stat st;
    bool beside = stat(options->path, &st) == 0;
    size_t size = strlen(options->path) + sizeof ".partial";
    struct ana_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->path = malloc(size);
    store->partial = beside ? malloc(size) : NULL;
    store->pools = calloc(2 * scenario->link_count + 1, sizeof *store->pools);
    if (store->path == NULL || store->pools == NULL || (beside && store->partial == NULL)) {
        store_free(store);
        return NULL;
    }
    snprintf(store->path, size, "%s", options->path);
    if (beside) {
        snprintf(store->partial, size, "%s.partial", options->path);
    }
    store->scenario = scenario;
    store->record = options->record;
    return store;
}

/* After a failure: what was committed stays, marked interrupted since the beginning; if that is
 * nothing, older results stay. */
static void close_failed(struct ana_store *store)
{
    if (store->db != NULL && sqlite3_get_autocommit(store->db) == 0) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    ana_rows_finalize(store);
    (void)sqlite3_close(store->db);
    store->db = NULL;
    if (!store->kept) {
        remove_files(place(store));
    }
    store_free(store);
}

int ana_store_open(const struct ana_store_options *options, const struct scn_scenario *scenario,
                   struct ana_store **out, struct ana_error *error)
{
    *out = NULL;
    int err = ana_outfile_replace_check(options->path, options->force, error);
    if (err != QKD_OK) {
        return err;
    }
    struct ana_store *store = store_new(options, scenario);
    if (store == NULL) {
        return ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", options->path);
    }
    err = claim(store, error);
    if (err != QKD_OK) {
        store_free(store);
        return err;
    }
    err = connect_to_place(store);
    if (err == QKD_OK) {
        err = write_scenario(store, options->command_options);
    }
    if (err != QKD_OK) {
        *error = store->error;
        close_failed(store);
        return err;
    }
    *out = store;
    return QKD_OK;
}

int ana_store_finish(struct ana_store *store, const struct scn_summary *summary,
                     struct ana_error *error)
{
    if (!store->failed) {
        ana_figures_write(store, summary);
    }
    if (!store->failed && commit(store) == QKD_OK && store->partial != NULL) {
        (void)publish(store);
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
