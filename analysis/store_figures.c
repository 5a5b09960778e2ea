/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of a run in its results database, by the tables of fields.c. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/events.h"
#include "analysis/routes.h"
#include "analysis/schema.h"
#include "analysis/store_rows.h"
#include "analysis/summary.h"
#include "core/base/err.h"

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
    ana_now_text(ended);
    char *json = ana_summary_json(store->scenario, summary);
    sqlite3_stmt *s = ana_store_prepare(store, sql);
    if (s != NULL) {
        int column = bind_fields(s, 1, ana_head_fields, summary);
        column = bind_fields(s, column, ana_run_fields, summary);
        ana_bind_text(s, column, ended);
        ana_bind_text(s, column + 1, digest);
        ana_bind_text(s, column + 2, json);
        (void)ana_store_step(store, s);
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
    sqlite3_stmt *s = ana_store_prepare(store, sql);
    for (size_t i = 0; i < summary->link_count && !store->failed; i++) {
        int column = bind_fields(s, 1, ana_link_fields, &summary->links[i]);
        (void)sqlite3_bind_int64(s, column, (sqlite3_int64)i);
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
}

static void insert_ledger(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = ana_store_prepare(
        store, "INSERT INTO ledger VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < summary->link_count && !store->failed; i++) {
        int column = 1;
        (void)sqlite3_bind_int64(s, column++, (sqlite3_int64)i);
        for (const struct ana_field *f = ana_link_fields; f->name != NULL; f++) {
            if (ana_field_in_ledger(f)) {
                bind_field(s, column++, f, &summary->links[i]);
            }
        }
        (void)ana_store_step(store, s);
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
    sqlite3_stmt *s = ana_store_prepare(store, sql);
    for (size_t i = 0; i < summary->application_count && !store->failed; i++) {
        int column = bind_fields(s, 1, ana_application_fields, &summary->applications[i]);
        (void)sqlite3_bind_int64(s, column, (sqlite3_int64)i);
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
}

static void insert_reasons(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = ana_store_prepare(store, "INSERT INTO reasons VALUES(?, ?)");
    sqlite3_stmt *a = ana_store_prepare(store, "INSERT INTO application_reasons VALUES(?, ?, ?)");
    for (size_t r = 0; r < summary->reason_count && !store->failed; r++) {
        ana_bind_text(s, 1, summary->reasons[r].text);
        (void)sqlite3_bind_int64(s, 2, (sqlite3_int64)summary->reasons[r].count);
        (void)ana_store_step(store, s);
        for (size_t i = 0; i < summary->application_count && !store->failed; i++) {
            if (summary->applications[i].reasons[r] > 0) {
                (void)sqlite3_bind_int64(a, 1, (sqlite3_int64)i);
                ana_bind_text(a, 2, summary->reasons[r].text);
                (void)sqlite3_bind_int64(a, 3, (sqlite3_int64)summary->applications[i].reasons[r]);
                (void)ana_store_step(store, a);
            }
        }
    }
    sqlite3_finalize(s);
    sqlite3_finalize(a);
}

static void insert_routes(struct ana_store *store, const struct scn_summary *summary)
{
    char text[ANA_ROUTE_SIZE];
    sqlite3_stmt *s = ana_store_prepare(store, "INSERT INTO routes VALUES(?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < summary->application_count; i++) {
        const struct scn_application_summary *application = &summary->applications[i];
        for (size_t k = 0; k < application->route_count && !store->failed; k++) {
            const struct scn_route_use *use = &application->routes[k];
            (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
            ana_bind_text(s, 2, ana_route_text(store->scenario, use, text, sizeof text));
            (void)bind_fields(s, 3, ana_route_fields, use);
            (void)ana_store_step(store, s);
        }
    }
    sqlite3_finalize(s);
}

static void insert_event(struct ana_store *store, sqlite3_stmt *s,
                         const struct scn_summary *summary, size_t i)
{
    char entity[ANA_EVENT_TEXT_SIZE];
    struct ana_event_text text = ana_event_text(store->scenario, i, entity);
    (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
    ana_bind_text(s, 2, scn_event_name(store->scenario, i));
    ana_bind_text(s, 3, text.what);
    ana_bind_text(s, 4, entity);
    (void)sqlite3_bind_int64(s, 5, (sqlite3_int64)text.faults);
    (void)bind_fields(s, 6, ana_event_fields, &summary->fault_events[i]);
    (void)ana_store_step(store, s);
}

static void insert_events(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = ana_store_prepare(
        store, "INSERT INTO fault_events VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
               "?, ?)");
    sqlite3_stmt *r = ana_store_prepare(store, "INSERT INTO fault_event_reasons VALUES(?, ?, ?)");
    for (size_t i = 0; i < summary->fault_event_count && !store->failed; i++) {
        if (isnan(summary->fault_events[i].at_s)) {
            continue; /* it did not begin */
        }
        insert_event(store, s, summary, i);
        for (size_t k = 0; k < summary->reason_count && !store->failed; k++) {
            if (summary->fault_events[i].reasons[k] > 0) {
                (void)sqlite3_bind_int64(r, 1, (sqlite3_int64)i);
                ana_bind_text(r, 2, summary->reasons[k].text);
                (void)sqlite3_bind_int64(r, 3, (sqlite3_int64)summary->fault_events[i].reasons[k]);
                (void)ana_store_step(store, r);
            }
        }
    }
    sqlite3_finalize(s);
    sqlite3_finalize(r);
}

static void insert_attacks(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = ana_store_prepare(store, "INSERT INTO attacks VALUES(?, ?, ?, ?, ?, ?, ?, ?, "
                                               "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (size_t i = 0; i < summary->attack_count && !store->failed; i++) {
        const struct scn_attack *attack = &store->scenario->attacks[i];
        bool of_cell = attack->cell < SCN_CELLS;
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        ana_bind_text(s, 2, attack->id);
        ana_bind_text(s, 3, of_cell ? scn_cells[attack->cell].id : "");
        ana_bind_text(s, 4, attack->variant);
        ana_bind_text(s, 5, scn_surface_name(attack->surface));
        (void)bind_fields(s, 6, ana_attack_fields, &summary->attacks[i]);
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
}

static void insert_expectations(struct ana_store *store, const struct scn_summary *summary)
{
    sqlite3_stmt *s = ana_store_prepare(store, "INSERT INTO expectations VALUES(?, ?, ?, ?)");
    for (size_t i = 0; i < summary->verdict_count && !store->failed; i++) {
        (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        ana_bind_text(s, 2, store->scenario->expects[i].text);
        if (!isnan(summary->verdicts[i].value)) {
            (void)sqlite3_bind_double(s, 3, summary->verdicts[i].value);
        }
        (void)sqlite3_bind_int(s, 4, summary->verdicts[i].pass);
        (void)ana_store_step(store, s);
    }
    sqlite3_finalize(s);
}

/* All figures in the transaction that holds the last records: a reader sees none or all. */
void ana_figures_write(struct ana_store *store, const struct scn_summary *summary)
{
    static void (*const writers[])(struct ana_store *, const struct scn_summary *) = {
        update_run,    update_links,  insert_ledger,  insert_reasons,     update_applications,
        insert_routes, insert_events, insert_attacks, insert_expectations};
    for (size_t i = 0; i < sizeof writers / sizeof writers[0] && !store->failed; i++) {
        writers[i](store, summary);
    }
    if (!store->failed) {
        (void)ana_store_execute(store, ana_index_sql);
    }
    if (!store->failed && store->record == ANA_RECORD_FULL) {
        (void)ana_store_execute(store, ana_index_full_sql);
    }
}
