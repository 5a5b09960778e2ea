/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writer of stored runs: all of them in one transaction, into a file beside the named one that takes
 * its place at the end. */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/baseline.h"
#include "analysis/fields.h"
#include "analysis/outfile.h"
#include "analysis/schema.h"
#include "core/base/err.h"

static void columns_add(struct ana_text *sql, const struct ana_field *table, const char *type)
{
    for (const struct ana_field *f = table; f->name != NULL; f++) {
        ana_text_add(sql, ", ");
        ana_column_add(sql, f);
        ana_text_add(sql, "%s", type);
    }
}

static void tables_sql(struct ana_text *sql)
{
    ana_text_add(sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN;",
                 ANA_BASELINE_ID, ANA_BASELINE_VERSION);
    ana_text_add(sql, "CREATE TABLE runs(id INTEGER PRIMARY KEY, file TEXT NOT NULL, topology TEXT "
                      "NOT NULL, scenario TEXT NOT NULL, scenario_hash TEXT NOT NULL, engine TEXT "
                      "NOT NULL, seed TEXT NOT NULL, sim_s REAL NOT NULL, trace_digest TEXT NOT "
                      "NULL, version TEXT NOT NULL, saved TEXT NOT NULL, points INTEGER NOT NULL, "
                      "failed INTEGER NOT NULL");
    columns_add(sql, ana_run_fields, " REAL");
    ana_text_add(sql, ");CREATE TABLE links(run INTEGER NOT NULL REFERENCES runs(id), idx INTEGER "
                      "NOT NULL, id TEXT NOT NULL");
    columns_add(sql, ana_link_fields, " REAL");
    ana_text_add(sql, ", PRIMARY KEY(run, idx)) WITHOUT ROWID;CREATE TABLE applications(run "
                      "INTEGER NOT NULL REFERENCES runs(id), idx INTEGER NOT NULL, id TEXT NOT "
                      "NULL");
    columns_add(sql, ana_application_fields, " REAL");
    ana_text_add(sql, ", PRIMARY KEY(run, idx)) WITHOUT ROWID;");
}

/* "INSERT INTO table VALUES(?, ?, ...)" with so many values. */
static sqlite3_stmt *insert_prepare(sqlite3 *db, const char *table, size_t values)
{
    char sql[ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    sqlite3_stmt *s = NULL;
    ana_text_add(&text, "INSERT INTO %s VALUES(?", table);
    for (size_t i = 1; i < values; i++) {
        ana_text_add(&text, ", ?");
    }
    ana_text_add(&text, ")");
    return sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK ? s : NULL;
}

static void bind_text(sqlite3_stmt *s, int column, const char *text)
{
    (void)sqlite3_bind_text(s, column, text, -1, SQLITE_TRANSIENT);
}

static void bind_numbers(sqlite3_stmt *s, int column, const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isnan(numbers[i])) {
            (void)sqlite3_bind_double(s, column + (int)i, numbers[i]);
        }
    }
}

static bool step(sqlite3_stmt *s)
{
    bool done = sqlite3_step(s) == SQLITE_DONE;
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    return done;
}

static bool run_write(sqlite3_stmt *s, const struct ana_check *check, sqlite3_int64 id)
{
    const struct ana_figures *figures = &check->figures;
    char seed[24], now_text[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(now_text, sizeof now_text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)figures->seed);
    const char *slash = strrchr(check->file, '/');
    (void)sqlite3_bind_int64(s, 1, id);
    bind_text(s, 2, slash == NULL ? check->file : slash + 1);
    bind_text(s, 3, figures->topology);
    bind_text(s, 4, figures->scenario);
    bind_text(s, 5, figures->hash);
    bind_text(s, 6, figures->engine);
    bind_text(s, 7, seed);
    (void)sqlite3_bind_double(s, 8, figures->sim_s);
    bind_text(s, 9, figures->digest);
    bind_text(s, 10, QKDN_VERSION);
    bind_text(s, 11, now_text);
    (void)sqlite3_bind_int64(s, 12, (sqlite3_int64)check->point_count);
    (void)sqlite3_bind_int64(s, 13, (sqlite3_int64)ana_check_count(check, ANA_FAIL));
    bind_numbers(s, 14, figures->run, ana_figures_fields(SCN_SCOPE_RUN));
    return step(s);
}

static bool items_write(sqlite3_stmt *s, const struct ana_figures *figures, sqlite3_int64 run,
                        enum scn_scope scope)
{
    bool links = scope == SCN_SCOPE_LINK;
    size_t count = links ? figures->link_count : figures->application_count;
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        (void)sqlite3_bind_int64(s, 1, run);
        (void)sqlite3_bind_int64(s, 2, (sqlite3_int64)i);
        bind_text(s, 3, links ? figures->link_ids[i] : figures->application_ids[i]);
        bind_numbers(s, 4, ana_figures_of(figures, scope, i), ana_figures_fields(scope));
        good = step(s);
    }
    return good;
}

static bool all_write(sqlite3 *db, const struct ana_check *checks, size_t count)
{
    sqlite3_stmt *run = insert_prepare(db, "runs", 13 + ana_figures_fields(SCN_SCOPE_RUN));
    sqlite3_stmt *link = insert_prepare(db, "links", 3 + ana_figures_fields(SCN_SCOPE_LINK));
    sqlite3_stmt *application = insert_prepare(db, "applications",
                                               3 + ana_figures_fields(SCN_SCOPE_APPLICATION));
    bool good = run != NULL && link != NULL && application != NULL;
    sqlite3_int64 id = 0;
    for (size_t i = 0; i < count && good; i++) {
        if (checks[i].figures.run != NULL) {
            id++;
            good = run_write(run, &checks[i], id) &&
                   items_write(link, &checks[i].figures, id, SCN_SCOPE_LINK) &&
                   items_write(application, &checks[i].figures, id, SCN_SCOPE_APPLICATION);
        }
    }
    sqlite3_finalize(run);
    sqlite3_finalize(link);
    sqlite3_finalize(application);
    return good && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

/* Makes the database at `partial`. */
static int db_make(const char *partial, const struct ana_check *checks, size_t count,
                   struct ana_error *error)
{
    char sql[2 * ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    sqlite3 *db = NULL;
    tables_sql(&text);
    (void)remove(partial);
    bool good = sqlite3_open_v2(partial, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ==
                    SQLITE_OK &&
                sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
                all_write(db, checks, count);
    int err = good ? QKD_OK
                   : ana_fail(error, QKD_ERR_IO, "%s: cannot be written: %s", partial,
                              sqlite3_errmsg(db));
    if (sqlite3_close(db) != SQLITE_OK && err == QKD_OK) {
        err = ana_fail(error, QKD_ERR_IO, "%s: cannot be closed", partial);
    }
    return err;
}

int ana_baseline_save(const char *path, bool force, const struct ana_check *checks, size_t count,
                      struct ana_error *error)
{
    int err = ana_outfile_replace_check(path, force, error);
    if (err != QKD_OK) {
        return err;
    }
    size_t size = strlen(path) + sizeof ".partial";
    char *partial = malloc(size);
    if (partial == NULL) {
        return ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", path);
    }
    snprintf(partial, size, "%s.partial", path);
    err = db_make(partial, checks, count, error);
    if (err == QKD_OK && rename(partial, path) != 0) {
        err = ana_fail(error, QKD_ERR_IO, "%s: cannot be replaced: %s", path, strerror(errno));
    }
    if (err != QKD_OK) {
        (void)remove(partial);
    }
    free(partial);
    return err;
}
