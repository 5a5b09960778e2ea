/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a database, one at a time, in formats that other programs read. */
#include "analysis/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/json.h"
#include "core/base/err.h"
#include "core/base/id.h"

#define SQL_SIZE 256
#define NAME_SIZE 80

static const char *const format_names[] = {"csv", "json", "jsonl"};

bool ana_export_format_parse(const char *text, enum ana_export_format *format)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *format = (enum ana_export_format)i;
            return true;
        }
    }
    return false;
}

const char *ana_export_format_name(enum ana_export_format format)
{
    return format_names[format];
}

/* ---- tables ---- */

const char **ana_export_tables(const struct ana_results *results, struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    size_t count = 0, size = 0;
    const char **names = NULL;
    if (sqlite3_prepare_v2(ana_results_db(results),
                           "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND "
                           "name NOT LIKE 'sqlite_%' ORDER BY rowid",
                           -1, &s, NULL) != SQLITE_OK) {
        (void)ana_results_fail(results, error);
        return NULL;
    }
    while (sqlite3_step(s) == SQLITE_ROW) {
        count++;
        size += (size_t)sqlite3_column_bytes(s, 0) + 1;
    }
    (void)sqlite3_reset(s);
    names = malloc((count + 1) * sizeof *names + size);
    if (names == NULL) {
        (void)ana_fail(error, QKD_ERR_NOMEM, "no memory");
        sqlite3_finalize(s);
        return NULL;
    }
    char *text = (char *)(names + count + 1);
    size_t i = 0;
    while (i < count && sqlite3_step(s) == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(s, 0) + 1;
        const void *name = sqlite3_column_text(s, 0);
        if (name != NULL && len <= size) {
            memcpy(text, name, len);
            names[i++] = text;
            text += len;
            size -= len;
        }
    }
    names[i] = NULL;
    sqlite3_finalize(s);
    return names;
}

static sqlite3_stmt *select_from(const struct ana_results *results, const char *what,
                                 const char *table, struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    char *sql = sqlite3_mprintf("SELECT %s FROM \"%w\"", what, table);
    int rc = sql == NULL ? SQLITE_NOMEM
                         : sqlite3_prepare_v2(ana_results_db(results), sql, -1, &s, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) {
        (void)ana_results_fail(results, error);
    }
    return s;
}

int ana_export_count(const struct ana_results *results, const char *table, uint64_t *rows,
                     struct ana_error *error)
{
    sqlite3_stmt *s = select_from(results, "count(*)", table, error);
    int err = QKD_ERR_INVALID;
    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        *rows = (uint64_t)sqlite3_column_int64(s, 0);
        err = QKD_OK;
    } else if (s != NULL) {
        err = ana_results_fail(results, error);
    }
    sqlite3_finalize(s);
    return err;
}

/* ---- names with units ---- */

/* Columns whose names say no unit. */
static const struct {
    const char *table, *column, *unit;
} units[] = {
    {"nodes", "lat", "deg"},
    {"nodes", "lon", "deg"},
    {"hops", "offset", "bytes"},
    {"ledger", "generated", "bits"},
    {"ledger", "bootstrap", "bits"},
    {"ledger", "stored", "bits"},
    {"ledger", "pads", "bits"},
    {"ledger", "tags", "bits"},
    {"ledger", "hash_keys", "bits"},
    {"ledger", "fallback_keys", "bits"},
    {"ledger", "postproc_auth", "bits"},
    {"ledger", "relayed_as_key", "bits"},
    {"ledger", "expired", "bits"},
    {"ledger", "discarded", "bits"},
    {"ledger", "in_flight", "bits"},
    {"run", "supplied_unanswered", "bits"},
    {"run", "supplied_by_grade_otp", "bits"},
    {"run", "supplied_by_grade_aes", "bits"},
    {"run", "keys_drawn", "bits"},
    {"run", "keys_relayed_as_key", "bits"},
    {"run", "keys_supplied", "bits"},
    {"run", "keys_pooled", "bits"},
    {"run", "keys_expired", "bits"},
    {"run", "keys_discarded", "bits"},
    {"run", "keys_in_flight", "bits"},
};

static const char *unit_of(const char *table, const char *column)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].table, table) == 0 && strcmp(units[i].column, column) == 0) {
            return units[i].unit;
        }
    }
    return NULL;
}

static void name_of(const char *table, const char *column, char name[NAME_SIZE])
{
    const char *unit = unit_of(table, column);
    snprintf(name, NAME_SIZE, "%s%s%s", column, unit == NULL ? "" : "_", unit == NULL ? "" : unit);
}

/* ---- values ---- */

/* A blob as text: identifiers in their usual form, others in hexadecimal. */
static void blob_text(sqlite3_stmt *s, int column, char text[2 * NAME_SIZE])
{
    struct qkd_id id;
    const uint8_t *bytes = sqlite3_column_blob(s, column);
    int len = sqlite3_column_bytes(s, column);
    text[0] = '\0';
    if (bytes != NULL && len == (int)sizeof id.b) {
        memcpy(id.b, bytes, sizeof id.b);
        qkd_id_format(&id, text);
        return;
    }
    for (int i = 0; bytes != NULL && i < len && i < NAME_SIZE - 1; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* Quoted if it has to be, or if it is empty: nothing at all stands for NULL. */
static void csv_text(FILE *out, const char *text)
{
    if (text[0] != '\0' && strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            fputc('"', out);
        }
        fputc(*c, out);
    }
    fputc('"', out);
}

static void csv_value(FILE *out, sqlite3_stmt *s, int column)
{
    char text[2 * NAME_SIZE];
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        fprintf(out, "%" PRId64, (int64_t)sqlite3_column_int64(s, column));
        break;
    case SQLITE_FLOAT:
        ana_double_text(sqlite3_column_double(s, column), text);
        fputs(text, out);
        break;
    case SQLITE_TEXT:
        csv_text(out, (const char *)sqlite3_column_text(s, column));
        break;
    case SQLITE_BLOB:
        blob_text(s, column, text);
        fputs(text, out);
        break;
    default:
        break;
    }
}

static void json_value(struct ana_json *json, const char *name, sqlite3_stmt *s, int column)
{
    char text[2 * NAME_SIZE];
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        ana_json_int(json, name, sqlite3_column_int64(s, column));
        break;
    case SQLITE_FLOAT:
        ana_json_double(json, name, sqlite3_column_double(s, column));
        break;
    case SQLITE_TEXT:
        ana_json_string(json, name, (const char *)sqlite3_column_text(s, column));
        break;
    case SQLITE_BLOB:
        blob_text(s, column, text);
        ana_json_string(json, name, text);
        break;
    default:
        ana_json_string(json, name, NULL);
        break;
    }
}

/* ---- rows ---- */

struct writer {
    FILE *out;
    enum ana_export_format format;
    sqlite3_stmt *statement;
    char (*names)[NAME_SIZE];
    int columns;
    struct ana_json json; /* its memory serves all rows */
    bool filled;
};

static void csv_header(const struct writer *writer)
{
    for (int i = 0; i < writer->columns; i++) {
        fputs(i == 0 ? "" : ",", writer->out);
        csv_text(writer->out, writer->names[i]);
    }
    fputs("\r\n", writer->out);
}

static void row_write(struct writer *writer)
{
    if (writer->format == ANA_EXPORT_CSV) {
        for (int i = 0; i < writer->columns; i++) {
            fputs(i == 0 ? "" : ",", writer->out);
            csv_value(writer->out, writer->statement, i);
        }
        fputs("\r\n", writer->out);
        return;
    }
    writer->json.len = 0;
    ana_json_object(&writer->json, NULL, ANA_JSON_INLINE);
    for (int i = 0; i < writer->columns; i++) {
        json_value(&writer->json, writer->names[i], writer->statement, i);
    }
    ana_json_close(&writer->json);
    if (writer->format == ANA_EXPORT_JSON) {
        fputs(writer->filled ? ",\n" : "\n", writer->out);
    }
    fputs(writer->json.failed ? "" : writer->json.text, writer->out);
    fputs(writer->format == ANA_EXPORT_JSONL ? "\n" : "", writer->out);
    writer->filled = true;
}

static int rows_write(const struct ana_results *results, struct writer *writer,
                      struct ana_error *error)
{
    int step = SQLITE_ROW;
    if (writer->format == ANA_EXPORT_CSV) {
        csv_header(writer);
    } else if (writer->format == ANA_EXPORT_JSON) {
        fputs("[", writer->out);
    }
    while (!ferror(writer->out) && !writer->json.failed &&
           (step = sqlite3_step(writer->statement)) == SQLITE_ROW) {
        row_write(writer);
    }
    if (writer->format == ANA_EXPORT_JSON) {
        fputs("\n]\n", writer->out);
    }
    if (writer->json.failed) {
        return ana_fail(error, QKD_ERR_NOMEM, "no memory");
    }
    return step == SQLITE_DONE || step == SQLITE_ROW ? QKD_OK : ana_results_fail(results, error);
}

static int table_check(const struct ana_results *results, const char *table,
                       struct ana_error *error)
{
    const char **tables = ana_export_tables(results, error);
    if (tables == NULL) {
        return QKD_ERR_INVALID;
    }
    bool known = false;
    for (size_t i = 0; tables[i] != NULL; i++) {
        known = known || strcmp(tables[i], table) == 0;
    }
    free(tables);
    return known ? QKD_OK
                 : ana_fail(error, QKD_ERR_UNKNOWN,
                            "%s: no table '%.64s'; qkdn export --list shows those that there are",
                            ana_results_path(results), table);
}

int ana_export_table(const struct ana_results *results, const char *table,
                     enum ana_export_format format, FILE *out, struct ana_error *error)
{
    int err = table_check(results, table, error);
    if (err != QKD_OK) {
        return err;
    }
    struct writer writer = {.out = out, .format = format};
    writer.statement = select_from(results, "*", table, error);
    if (writer.statement == NULL) {
        return QKD_ERR_INVALID;
    }
    writer.columns = sqlite3_column_count(writer.statement);
    writer.names = calloc((size_t)writer.columns, sizeof *writer.names);
    if (writer.names == NULL) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory");
    } else {
        for (int i = 0; i < writer.columns; i++) {
            name_of(table, sqlite3_column_name(writer.statement, i), writer.names[i]);
        }
        err = rows_write(results, &writer, error);
    }
    ana_json_fini(&writer.json);
    free(writer.names);
    sqlite3_finalize(writer.statement);
    return err;
}
