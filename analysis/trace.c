/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Life of a key: KSA-key -> KMA-key -> QKD-keys, each with what happened to it. The same queries are
 * written as indented text or as JSON. */
#include "analysis/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/json.h"
#include "core/base/err.h"

#define MOST_GENERATIONS 4 /* KSA-key, KMA-key, QKD-key, and one for damaged data */
#define MOST_PARENTS 256   /* QKD-keys of one KMA-key */

/* One list of rows about a key; NULL columns are left out. */
struct section {
    const char *name, *sql;
};

static const struct section sections[] = {
    {"requests", "SELECT r.number, r.application, r.from_node, r.to_node, r.start_s, r.latency_s, "
                 "r.fetch_latency_s, r.outcome, r.reason, r.grade, r.hops, r.route "
                 "FROM request_keys k JOIN request_list r ON r.number = k.request "
                 "WHERE k.ksa_key = ?1 OR k.kma_key = ?1 GROUP BY r.number ORDER BY r.number"},
    {"hops", "SELECT h.hop, f.id AS from_node, t.id AS to_node, l.id AS link, "
             "h.sent_ns / 1e9 AS sent_s, h.attempt, h.method, h.pad_bits, h.tag_bits, h.block, "
             "h.offset FROM hops h JOIN links l ON l.idx = h.link JOIN nodes f ON f.idx = "
             "h.from_node JOIN nodes t ON t.idx = h.to_node WHERE h.kma_key = ?1 "
             "ORDER BY h.sent_ns, h.hop"},
    {"life", "SELECT l.time_ns / 1e9 AS time_s, l.role, n.id AS node, l.action, k.id AS link, "
             "nullif(l.method, 'none') AS method, nullif(l.hop, 0) AS hop, "
             "nullif(l.reason, 'none') AS reason, nullif(l.key_bits, 0) AS key_bits, "
             "l.parent FROM life l LEFT JOIN nodes n ON n.idx = l.node "
             "LEFT JOIN links k ON k.idx = l.link WHERE l.id = ?1 ORDER BY l.time_ns, l.rowid"},
};

static const char class_sql[] =
    "SELECT key_class FROM (SELECT key_class, 1 AS rank FROM life WHERE id = ?1 "
    "UNION ALL SELECT 'ksa', 2 FROM request_keys WHERE ksa_key = ?1 "
    "UNION ALL SELECT 'kma', 3 FROM request_keys WHERE kma_key = ?1 "
    "UNION ALL SELECT 'kma', 4 FROM hops WHERE kma_key = ?1) ORDER BY rank LIMIT 1";

static const char parents_sql[] =
    "SELECT DISTINCT parent FROM (SELECT parent, time_ns FROM life WHERE id = ?1 AND parent IS NOT "
    "NULL UNION ALL SELECT kma_key, 0 FROM request_keys WHERE ksa_key = ?1 AND kma_key IS NOT "
    "NULL) WHERE parent != ?1";

struct tracer {
    const struct ana_results *results;
    struct ana_error *error;
    FILE *out;             /* text */
    struct ana_json *json; /* or JSON; NULL for text */
    unsigned depth;
};

static sqlite3_stmt *query(struct tracer *tracer, const char *sql, const struct qkd_id *id)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(ana_results_db(tracer->results), sql, -1, &s, NULL) != SQLITE_OK) {
        (void)ana_results_fail(tracer->results, tracer->error);
        return NULL;
    }
    (void)sqlite3_bind_blob(s, 1, id->b, sizeof id->b, SQLITE_STATIC);
    return s;
}

/* The end of a query: 0 or the error of its last step. */
static int query_end(struct tracer *tracer, sqlite3_stmt *s, int step)
{
    int err = step == SQLITE_DONE ? QKD_OK : ana_results_fail(tracer->results, tracer->error);
    sqlite3_finalize(s);
    return err;
}

static bool column_id(sqlite3_stmt *s, int column, struct qkd_id *id)
{
    const void *bytes = sqlite3_column_blob(s, column);
    if (bytes == NULL || sqlite3_column_bytes(s, column) != (int)sizeof id->b) {
        return false;
    }
    memcpy(id->b, bytes, sizeof id->b);
    return true;
}

/* ---- rows ---- */

static void row_json(struct ana_json *json, sqlite3_stmt *s)
{
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *name = sqlite3_column_name(s, i);
        struct qkd_id id;
        char text[37];
        switch (sqlite3_column_type(s, i)) {
        case SQLITE_INTEGER:
            ana_json_int(json, name, sqlite3_column_int64(s, i));
            break;
        case SQLITE_FLOAT:
            ana_json_double(json, name, sqlite3_column_double(s, i));
            break;
        case SQLITE_TEXT:
            ana_json_string(json, name, (const char *)sqlite3_column_text(s, i));
            break;
        case SQLITE_BLOB:
            if (column_id(s, i, &id)) {
                qkd_id_format(&id, text);
                ana_json_string(json, name, text);
            }
            break;
        default:
            break;
        }
    }
    ana_json_close(json);
}

static const char *text_of(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text == NULL ? "?" : text;
}

static bool is_null(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL;
}

static void request_text(FILE *out, sqlite3_stmt *s)
{
    fprintf(out, "request %s of %s, %s to %s: asked at %.6f s, %s", text_of(s, 0), text_of(s, 1),
            text_of(s, 2), text_of(s, 3), sqlite3_column_double(s, 4), text_of(s, 7));
    if (!is_null(s, 5)) {
        fprintf(out, " after %.3f ms", 1e3 * sqlite3_column_double(s, 5));
    }
    if (!is_null(s, 6)) {
        fprintf(out, ", fetched after %.3f ms", 1e3 * sqlite3_column_double(s, 6));
    }
    if (strcmp(text_of(s, 8), "none") != 0) {
        fprintf(out, ", reason %s", text_of(s, 8));
    }
    fprintf(out, ", %s, %s hops", text_of(s, 9), text_of(s, 10));
    if (!is_null(s, 11)) {
        fprintf(out, ", by %s", text_of(s, 11));
    }
}

static void hop_text(FILE *out, sqlite3_stmt *s)
{
    fprintf(out, "hop %s, %s to %s over %s: sent at %.6f s", text_of(s, 0), text_of(s, 1),
            text_of(s, 2), text_of(s, 3), sqlite3_column_double(s, 4));
    if (sqlite3_column_int(s, 5) > 1) {
        fprintf(out, " (attempt %s)", text_of(s, 5));
    }
    fprintf(out, ", %s, %s bit of pad and %s bit of tag from block %s, byte %s", text_of(s, 6),
            text_of(s, 7), text_of(s, 8), text_of(s, 9), text_of(s, 10));
}

static void life_text(FILE *out, sqlite3_stmt *s)
{
    fprintf(out, "%14.6f s  %s at %-8s %s", sqlite3_column_double(s, 0), text_of(s, 1),
            text_of(s, 2), text_of(s, 3));
    static const char *const before[] = {" over ", ", ", ", hop ", ", reason ", ", "};
    for (int i = 4; i <= 8; i++) {
        if (!is_null(s, i)) {
            fprintf(out, "%s%s%s", before[i - 4], text_of(s, i), i == 8 ? " bit" : "");
        }
    }
    struct qkd_id parent;
    if (column_id(s, 9, &parent)) {
        char text[37];
        qkd_id_format(&parent, text);
        fprintf(out, ", with %.8s", text);
    }
}

static int section_write(struct tracer *tracer, size_t number, const struct qkd_id *id)
{
    static void (*const texts[])(FILE *, sqlite3_stmt *) = {request_text, hop_text, life_text};
    sqlite3_stmt *s = query(tracer, sections[number].sql, id);
    if (s == NULL) {
        return QKD_ERR_INVALID;
    }
    if (tracer->json != NULL) {
        ana_json_array(tracer->json, sections[number].name, ANA_JSON_LINES);
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (tracer->json != NULL) {
            row_json(tracer->json, s);
        } else {
            fprintf(tracer->out, "%*s", (int)(2 * tracer->depth + 2), "");
            texts[number](tracer->out, s);
            fputs("\n", tracer->out);
        }
    }
    if (tracer->json != NULL) {
        ana_json_close(tracer->json);
    }
    return query_end(tracer, s, step);
}

/* ---- keys ---- */

/* "ksa", "kma" or "qkd" into class_name[8]; QKD_ERR_UNKNOWN if nothing is known of the key. */
static int key_class(struct tracer *tracer, const struct qkd_id *id, char class_name[8])
{
    sqlite3_stmt *s = query(tracer, class_sql, id);
    if (s == NULL) {
        return QKD_ERR_INVALID;
    }
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        snprintf(class_name, 8, "%s", text_of(s, 0));
        sqlite3_finalize(s);
        return QKD_OK;
    }
    int err = query_end(tracer, s, step);
    return err == QKD_OK ? QKD_ERR_UNKNOWN : err;
}

static int key_parents(struct tracer *tracer, const struct qkd_id *id,
                       struct qkd_id parents[MOST_PARENTS], size_t *count)
{
    *count = 0;
    sqlite3_stmt *s = query(tracer, parents_sql, id);
    if (s == NULL) {
        return QKD_ERR_INVALID;
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (*count < MOST_PARENTS && column_id(s, 0, &parents[*count])) {
            (*count)++;
        }
    }
    return query_end(tracer, s, step);
}

static void key_head(struct tracer *tracer, const struct qkd_id *id, const char *class_name)
{
    char text[37];
    qkd_id_format(id, text);
    if (tracer->json != NULL) {
        ana_json_object(tracer->json, NULL, ANA_JSON_LINES);
        ana_json_string(tracer->json, "key", text);
        ana_json_string(tracer->json, "class", class_name);
        return;
    }
    const char *title = strcmp(class_name, "ksa") == 0   ? "KSA-key"
                        : strcmp(class_name, "kma") == 0 ? "KMA-key"
                                                         : "QKD-key";
    fprintf(tracer->out, "%*s%s %s\n", (int)(2 * tracer->depth), "", title, text);
}

/* One key and, below it, its parents. Recursion is bounded by MOST_GENERATIONS. */
static int key_write(struct tracer *tracer, const struct qkd_id *id)
{
    char class_name[8] = "qkd";
    int err = key_class(tracer, id, class_name);
    if (err == QKD_ERR_INVALID || (err == QKD_ERR_UNKNOWN && tracer->depth == 0)) {
        return err;
    }
    struct qkd_id *parents = calloc(MOST_PARENTS, sizeof *parents);
    if (parents == NULL) {
        return ana_fail(tracer->error, QKD_ERR_NOMEM, "no memory");
    }
    size_t count = 0;
    err = key_parents(tracer, id, parents, &count);
    key_head(tracer, id, class_name);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && err == QKD_OK; i++) {
        err = section_write(tracer, i, id);
    }
    tracer->depth++;
    if (tracer->json != NULL) {
        ana_json_array(tracer->json, "parents", ANA_JSON_LINES);
    }
    for (size_t i = 0; i < count && err == QKD_OK && tracer->depth < MOST_GENERATIONS; i++) {
        err = key_write(tracer, &parents[i]);
    }
    if (tracer->json != NULL) {
        ana_json_close(tracer->json);
        ana_json_close(tracer->json);
    }
    tracer->depth--;
    free(parents);
    return err;
}

static int trace(struct tracer *tracer, const struct qkd_id *id)
{
    int err = key_write(tracer, id);
    if (err == QKD_ERR_UNKNOWN) {
        char text[37];
        qkd_id_format(id, text);
        const char *record = ana_results_record(tracer->results);
        bool full = strcmp(record, "full") == 0;
        (void)ana_fail(tracer->error, err, "%s: no key %s%s%s%s", ana_results_path(tracer->results),
                       text, full ? "" : " (these results were recorded with --record ",
                       full ? "" : record, full ? "" : "; --record full keeps every key)");
    }
    return err;
}

int ana_trace_print(const struct ana_results *results, const struct qkd_id *id, FILE *out,
                    struct ana_error *error)
{
    struct tracer tracer = {results, error, out, NULL, 0};
    int err = trace(&tracer, id);
    if (err == QKD_OK && strcmp(ana_results_record(results), "full") != 0) {
        fprintf(out, "(recorded with --record %s: hops and life cycle need --record full)\n",
                ana_results_record(results));
    }
    return err;
}

int ana_trace_json(const struct ana_results *results, const struct qkd_id *id, FILE *out,
                   struct ana_error *error)
{
    struct ana_json json = {0};
    struct tracer tracer = {results, error, out, &json, 0};
    int err = trace(&tracer, id);
    if (err == QKD_OK && json.failed) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory");
    }
    if (err == QKD_OK) {
        fprintf(out, "%s\n", json.text);
    }
    ana_json_fini(&json);
    return err;
}
