/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reader of stored runs. Columns are found by their names, so that figures that a later version adds
 * have no value in an older file. */
#include "analysis/baseline.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/fields.h"
#include "analysis/results.h"
#include "analysis/schema.h"
#include "core/base/err.h"

#define BUSY_MS 10000

static int read_fail(const char *path, sqlite3 *db, struct ana_error *error)
{
    return ana_fail(error, QKD_ERR_INVALID, "%s: cannot be read as a baseline: %s", path,
                    sqlite3_errmsg(db));
}

/* Opens for reading; *application is its application_id. */
static int db_open(const char *path, sqlite3 **db, int *application, struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    *db = NULL;
    if (access(path, R_OK) != 0) {
        return ana_fail(error, QKD_ERR_INVALID, "%s: no such file, or not readable", path);
    }
    int err = QKD_OK;
    if (sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(*db, BUSY_MS) != SQLITE_OK ||
        sqlite3_prepare_v2(*db, "PRAGMA application_id", -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        err = read_fail(path, *db, error);
    } else {
        *application = sqlite3_column_int(s, 0);
    }
    sqlite3_finalize(s);
    if (err != QKD_OK) {
        (void)sqlite3_close(*db);
        *db = NULL;
    }
    return err;
}

int ana_baseline_check(const char *path, struct ana_error *error)
{
    sqlite3 *db = NULL;
    int application = 0;
    int err = db_open(path, &db, &application, error);
    (void)sqlite3_close(db);
    if (err == QKD_OK && application != ANA_BASELINE_ID && application != ANA_APPLICATION_ID) {
        err = ana_fail(error, QKD_ERR_INVALID,
                       "%s: no stored runs: expected a file of `qkdn check --save` or "
                       "`qkdn run -o`",
                       path);
    }
    return err;
}

bool ana_baseline_is_stored(const char *path)
{
    sqlite3 *db = NULL;
    struct ana_error ignored;
    int application = 0;
    bool good = path != NULL && db_open(path, &db, &application, &ignored) == QKD_OK;
    (void)sqlite3_close(db);
    return good && application == ANA_BASELINE_ID;
}

/* ---- a file of many runs ---- */

/* Fills the numbers of one row by the names of its columns. */
static void row_read(sqlite3_stmt *s, const struct ana_field *table, double *numbers)
{
    for (int column = 0; column < sqlite3_column_count(s); column++) {
        const char *name = sqlite3_column_name(s, column);
        size_t i = 0;
        for (const struct ana_field *f = table; f->name != NULL; f++, i++) {
            char field[64];
            struct ana_text text = {field, 0, sizeof field};
            ana_column_add(&text, f);
            if (strcmp(field, name) == 0 && sqlite3_column_type(s, column) != SQLITE_NULL) {
                numbers[i] = sqlite3_column_double(s, column);
            }
        }
    }
}

static size_t rows_count(sqlite3 *db, const char *sql, sqlite3_int64 run)
{
    sqlite3_stmt *s = NULL;
    size_t count = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) {
        (void)sqlite3_bind_int64(s, 1, run);
        count = sqlite3_step(s) == SQLITE_ROW ? (size_t)sqlite3_column_int64(s, 0) : 0;
    }
    sqlite3_finalize(s);
    return count;
}

static void text_read(sqlite3_stmt *s, int column, char *to, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* Links or applications of a run, in the order in which they were written. */
static bool items_read(sqlite3 *db, sqlite3_int64 run, enum scn_scope scope,
                       struct ana_figures *figures)
{
    bool links = scope == SCN_SCOPE_LINK;
    const char *sql = links ? "SELECT id, * FROM links WHERE run = ? ORDER BY idx"
                            : "SELECT id, * FROM applications WHERE run = ? ORDER BY idx";
    size_t count = links ? figures->link_count : figures->application_count;
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
        return false;
    }
    (void)sqlite3_bind_int64(s, 1, run);
    for (size_t i = 0; i < count && sqlite3_step(s) == SQLITE_ROW; i++) {
        text_read(s, 0, links ? figures->link_ids[i] : figures->application_ids[i], SCN_ID_SIZE);
        row_read(s, links ? ana_link_fields : ana_application_fields,
                 ana_figures_of(figures, scope, i));
    }
    return sqlite3_finalize(s) == SQLITE_OK;
}

static int run_read(const char *path, sqlite3 *db, sqlite3_int64 run, struct ana_figures *figures,
                    struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    int err =
        ana_figures_init(figures, rows_count(db, "SELECT count(*) FROM links WHERE run = ?", run),
                         rows_count(db, "SELECT count(*) FROM applications WHERE run = ?", run));
    if (err != QKD_OK) {
        return ana_fail(error, err, "%s: no memory", path);
    }
    bool good = sqlite3_prepare_v2(db,
                                   "SELECT scenario, topology, scenario_hash, engine, "
                                   "trace_digest, sim_s, * FROM runs WHERE id = ?",
                                   -1, &s, NULL) == SQLITE_OK;
    if (good) {
        (void)sqlite3_bind_int64(s, 1, run);
        good = sqlite3_step(s) == SQLITE_ROW;
    }
    if (good) {
        text_read(s, 0, figures->scenario, sizeof figures->scenario);
        text_read(s, 1, figures->topology, sizeof figures->topology);
        text_read(s, 2, figures->hash, sizeof figures->hash);
        text_read(s, 3, figures->engine, sizeof figures->engine);
        text_read(s, 4, figures->digest, sizeof figures->digest);
        figures->sim_s = sqlite3_column_double(s, 5);
        row_read(s, ana_run_fields, figures->run);
    }
    sqlite3_finalize(s);
    if (!good || !items_read(db, run, SCN_SCOPE_LINK, figures) ||
        !items_read(db, run, SCN_SCOPE_APPLICATION, figures)) {
        err = read_fail(path, db, error);
        ana_figures_fini(figures);
    }
    return err;
}

/* The run to compare with, 0 if there is none. */
static int run_find(const char *path, sqlite3 *db, const struct ana_figures *figures,
                    sqlite3_int64 *run, struct ana_error *error)
{
    char seed[24];
    sqlite3_stmt *s = NULL;
    int err = QKD_OK;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)figures->seed);
    *run = 0;
    if (sqlite3_prepare_v2(db,
                           "SELECT id FROM runs WHERE scenario = ? AND topology = ? AND engine = ? "
                           "AND seed = ? ORDER BY scenario_hash = ? DESC, id DESC LIMIT 1",
                           -1, &s, NULL) != SQLITE_OK) {
        return read_fail(path, db, error);
    }
    (void)sqlite3_bind_text(s, 1, figures->scenario, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 2, figures->topology, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 3, figures->engine, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 4, seed, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 5, figures->hash, -1, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        *run = sqlite3_column_int64(s, 0);
    } else if (step != SQLITE_DONE) {
        err = read_fail(path, db, error);
    }
    sqlite3_finalize(s);
    return err;
}

/* ---- the results of one run ---- */

static int results_find(const char *path, const struct ana_figures *figures,
                        struct ana_figures *before, bool *found, struct ana_error *error)
{
    struct ana_results *results = NULL;
    int err = ana_results_open(path, &results, error);
    if (err != QKD_OK) {
        return err;
    }
    const struct scn_scenario *scenario = ana_results_scenario(results);
    const struct scn_summary *summary = ana_results_summary(results);
    *found = summary != NULL && strcmp(scenario->name, figures->scenario) == 0 &&
             figures->topology[0] == '\0' && summary->seed == figures->seed &&
             strcmp(scn_engine_name(summary->engine), figures->engine) == 0;
    if (*found && ana_figures_take(before, scenario, summary, "") != QKD_OK) {
        err = ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", path);
    }
    ana_results_close(results);
    return err;
}

int ana_baseline_find(const char *path, const struct ana_figures *figures,
                      struct ana_figures *before, bool *found, struct ana_error *error)
{
    sqlite3 *db = NULL;
    int application = 0;
    *found = false;
    int err = db_open(path, &db, &application, error);
    if (err != QKD_OK) {
        return err;
    }
    if (application != ANA_BASELINE_ID) {
        (void)sqlite3_close(db);
        return results_find(path, figures, before, found, error);
    }
    sqlite3_int64 run = 0;
    err = run_find(path, db, figures, &run, error);
    if (err == QKD_OK && run != 0) {
        err = run_read(path, db, run, before, error);
        *found = err == QKD_OK;
    }
    (void)sqlite3_close(db);
    return err;
}
