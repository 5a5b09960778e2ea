/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reader of results databases. */
#include "analysis/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/schema.h"
#include "core/base/err.h"

#define MAGIC "SQLite format 3"
#define BUSY_MS 10000

struct ana_results {
    sqlite3 *db;
    char *path;
    char record[16];
    struct scn_scenario *scenario;
    struct scn_summary summary;
    bool has_summary; /* it was initialised */
    bool finished;    /* the run wrote its figures */
};

bool ana_results_is(const char *path)
{
    char head[sizeof MAGIC] = "";
    size_t len = strlen(path);
    FILE *file = fopen(path, "rb");
    bool magic = false;
    if (file != NULL) {
        magic = fread(head, 1, sizeof MAGIC, file) == sizeof MAGIC &&
                memcmp(head, MAGIC, sizeof MAGIC) == 0;
        fclose(file);
    }
    return magic || (len > 3 && strcmp(path + len - 3, ".db") == 0);
}

int ana_results_fail(const struct ana_results *results, struct ana_error *error)
{
    return ana_fail(error, QKD_ERR_INVALID, "%s: cannot be read as results: %s", results->path,
                    sqlite3_errmsg(results->db));
}

/* One number of a query of one row. */
static int read_number(struct ana_results *results, const char *sql, sqlite3_int64 *number,
                       struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    int err = QKD_OK;
    if (sqlite3_prepare_v2(results->db, sql, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        err = ana_results_fail(results, error);
    } else {
        *number = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    return err;
}

static int check_schema(struct ana_results *results, struct ana_error *error)
{
    sqlite3_int64 application = 0;
    sqlite3_int64 version = 0;
    int err = read_number(results, "PRAGMA application_id", &application, error);
    if (err == QKD_OK) {
        err = read_number(results, "PRAGMA user_version", &version, error);
    }
    if (err != QKD_OK) {
        return err;
    }
    if (application != ANA_APPLICATION_ID) {
        return ana_fail(error, QKD_ERR_INVALID, "%s: not a results database of qkdn",
                        results->path);
    }
    if (version != ANA_SCHEMA_VERSION) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "%s: results of schema version %lld; this program reads version %d",
                        results->path, (long long)version, ANA_SCHEMA_VERSION);
    }
    return QKD_OK;
}

static int read_scenario(struct ana_results *results, const char *yaml, struct ana_error *error)
{
    struct scn_text text = {results->path, yaml, strlen(yaml), NULL};
    struct scn_errors errors;
    int err = scn_load_text(&text, NULL, &results->scenario, &errors);
    if (err != QKD_OK) {
        (void)ana_fail(error, err, "%s: the scenario inside is damaged: %s", results->path,
                       errors.count > 0 ? errors.lines[0] : "no memory");
    }
    scn_errors_fini(&errors);
    return err;
}

static int read_run(struct ana_results *results, struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    int err;
    if (sqlite3_prepare_v2(results->db, "SELECT scenario_yaml, record, ended IS NOT NULL FROM run",
                           -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        err = ana_results_fail(results, error);
    } else {
        const char *yaml = (const char *)sqlite3_column_text(s, 0);
        const char *record = (const char *)sqlite3_column_text(s, 1);
        snprintf(results->record, sizeof results->record, "%s", record == NULL ? "" : record);
        results->finished = sqlite3_column_int(s, 2) != 0;
        err = read_scenario(results, yaml == NULL ? "" : yaml, error);
    }
    sqlite3_finalize(s);
    return err;
}

/* ---- figures ---- */

/* Writes a value into the field of the struct at base; a fraction is derived and not stored. */
static void take_field(sqlite3_stmt *s, int column, const struct ana_field *field, void *base)
{
    char *place = (char *)base + field->offset;
    if (field->kind == ANA_KIND_COUNT) {
        uint64_t value = (uint64_t)sqlite3_column_int64(s, column);
        memcpy(place, &value, sizeof value);
    } else if (field->kind == ANA_KIND_BOOL) {
        bool value = sqlite3_column_int(s, column) != 0;
        memcpy(place, &value, sizeof value);
    } else if (field->kind == ANA_KIND_REAL && sqlite3_column_type(s, column) != SQLITE_NULL) {
        double value = sqlite3_column_double(s, column);
        memcpy(place, &value, sizeof value);
    }
}

/* How rows of one SQL table become structs: row idx fills the struct at base + idx * stride. */
struct figures {
    const char *table, *index; /* index: the column of the row's number */
    const struct ana_field *fields;
    void *base;
    size_t stride, count;
};

static int read_figures(struct ana_results *results, const struct figures *figures,
                        struct ana_error *error)
{
    char sql[ANA_SQL_SIZE];
    struct ana_text text = {sql, 0, sizeof sql};
    bool ledger = strcmp(figures->table, "ledger") == 0;
    bool links = figures->fields == ana_link_fields;
    ana_text_add(&text, "SELECT %s", figures->index);
    for (const struct ana_field *f = figures->fields; f->name != NULL; f++) {
        if (ledger && ana_field_in_ledger(f)) {
            ana_text_add(&text, ", %s", f->name + sizeof ANA_BITS_PREFIX - 1);
        } else if (!ledger && !(links && ana_field_in_ledger(f))) {
            ana_text_add(&text, ", ");
            ana_column_add(&text, f);
        }
    }
    ana_text_add(&text, " FROM %s", figures->table);
    sqlite3_stmt *s = NULL;
    int step = sqlite3_prepare_v2(results->db, sql, -1, &s, NULL);
    while (step == SQLITE_OK || step == SQLITE_ROW) {
        step = sqlite3_step(s);
        size_t row = (size_t)sqlite3_column_int64(s, 0);
        if (step != SQLITE_ROW || row >= figures->count) {
            continue;
        }
        int column = 1;
        for (const struct ana_field *f = figures->fields; f->name != NULL; f++) {
            if (ledger ? ana_field_in_ledger(f) : !(links && ana_field_in_ledger(f))) {
                take_field(s, column++, f, (char *)figures->base + row * figures->stride);
            }
        }
    }
    int err = step == SQLITE_DONE ? QKD_OK : ana_results_fail(results, error);
    sqlite3_finalize(s);
    return err;
}

static int read_summary(struct ana_results *results, struct ana_error *error)
{
    struct scn_summary *summary = &results->summary;
    if (scn_summary_init(summary, results->scenario) != QKD_OK) {
        return ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", results->path);
    }
    results->has_summary = true;
    const struct figures all[] = {
        {"run", "0", ana_head_fields, summary, 0, 1},
        {"run", "0", ana_run_fields, summary, 0, 1},
        {"links", "idx", ana_link_fields, summary->links, sizeof *summary->links,
         summary->link_count},
        {"ledger", "link", ana_link_fields, summary->links, sizeof *summary->links,
         summary->link_count},
        {"applications", "idx", ana_application_fields, summary->applications,
         sizeof *summary->applications, summary->application_count},
    };
    int err = QKD_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && err == QKD_OK; i++) {
        err = read_figures(results, &all[i], error);
    }
    return err;
}

/* ---- opening and closing ---- */

/* For writing first, because a killed run leaves a journal that must be rolled back. */
static int open_db(struct ana_results *results, struct ana_error *error)
{
    if (access(results->path, R_OK) != 0) {
        return ana_fail(error, QKD_ERR_INVALID, "%s: no such file, or not readable", results->path);
    }
    if (sqlite3_open_v2(results->path, &results->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        (void)sqlite3_close(results->db);
        if (sqlite3_open_v2(results->path, &results->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
            return ana_results_fail(results, error);
        }
    }
    (void)sqlite3_busy_timeout(results->db, BUSY_MS);
    return check_schema(results, error);
}

int ana_results_open(const char *path, struct ana_results **out, struct ana_error *error)
{
    *out = NULL;
    struct ana_results *results = calloc(1, sizeof *results);
    size_t size = strlen(path) + 1;
    char *copy = malloc(size);
    if (results == NULL || copy == NULL) {
        free(results);
        free(copy);
        return ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", path);
    }
    results->path = memcpy(copy, path, size);
    int err = open_db(results, error);
    if (err == QKD_OK) {
        err = read_run(results, error);
    }
    if (err == QKD_OK && results->finished) {
        err = read_summary(results, error);
    }
    if (err != QKD_OK) {
        ana_results_close(results);
        return err;
    }
    *out = results;
    return QKD_OK;
}

void ana_results_close(struct ana_results *results)
{
    if (results == NULL) {
        return;
    }
    if (results->has_summary) {
        scn_summary_fini(&results->summary);
    }
    scn_free(results->scenario);
    (void)sqlite3_close(results->db);
    free(results->path);
    free(results);
}

const char *ana_results_path(const struct ana_results *results)
{
    return results->path;
}

const struct scn_scenario *ana_results_scenario(const struct ana_results *results)
{
    return results->scenario;
}

const char *ana_results_record(const struct ana_results *results)
{
    return results->record;
}

const struct scn_summary *ana_results_summary(const struct ana_results *results)
{
    return results->finished ? &results->summary : NULL;
}

sqlite3 *ana_results_db(const struct ana_results *results)
{
    return results->db;
}
