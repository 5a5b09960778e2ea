/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records of a run as rows. */
#include "analysis/store_rows.h"

#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

#define ROUTE_SIZE 4096 /* a longer route is cut after a whole node */

static const char *const inserts[ANA_ROW_COUNT] = {
    [ANA_ROW_REQUEST] = "INSERT INTO requests VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ANA_ROW_KEY] = "INSERT INTO request_keys VALUES(?,?,?)",
    [ANA_ROW_SESSION] = "INSERT INTO sessions VALUES(?,?,?,?,?,?,?,?,?)",
    [ANA_ROW_HOP] = "INSERT INTO hops VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
    [ANA_ROW_POOL] = "INSERT INTO pool_samples VALUES(?,?,?,?,?,?,?)",
    [ANA_ROW_EVENT] = "INSERT INTO events VALUES(?,?,?,?)",
    [ANA_ROW_FAULT] = "INSERT INTO faults VALUES(?,?,?,?,?,?,?)",
    [ANA_ROW_LIFE] = "INSERT INTO life VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ANA_ROW_MESSAGE] = "INSERT INTO messages VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
};

int ana_rows_prepare(struct ana_store *store)
{
    for (int i = 0; i < ANA_ROW_COUNT; i++) {
        if (sqlite3_prepare_v3(store->db, inserts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->rows[i], NULL) != SQLITE_OK) {
            return ana_store_fail(store);
        }
    }
    return QKD_OK;
}

void ana_rows_finalize(struct ana_store *store)
{
    for (int i = 0; i < ANA_ROW_COUNT; i++) {
        sqlite3_finalize(store->rows[i]);
        store->rows[i] = NULL;
    }
}

/* ---- binding, column by column ---- */

/* A statement being filled: each put_ binds the next column. */
struct row {
    sqlite3_stmt *statement;
    int column;
};

/* Binding can fail only without memory or for a wrong column; the step then fails too or the column
 * stays NULL, which NOT NULL refuses. */
static void put_int(struct row *row, int64_t value)
{
    (void)sqlite3_bind_int64(row->statement, ++row->column, value);
}

static void put_count(struct row *row, uint64_t value)
{
    put_int(row, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void put_null(struct row *row)
{
    (void)sqlite3_bind_null(row->statement, ++row->column);
}

static void put_time(struct row *row, int64_t ns)
{
    if (ns == SCN_NO_TIME) {
        put_null(row);
    } else {
        put_int(row, ns);
    }
}

/* The text must live until the step. */
static void put_text(struct row *row, const char *text)
{
    if (text == NULL) {
        put_null(row);
    } else {
        (void)sqlite3_bind_text(row->statement, ++row->column, text, -1, SQLITE_STATIC);
    }
}

static void put_id(struct row *row, const struct qkd_id *id)
{
    if (qkd_id_is_zero(id)) {
        put_null(row);
    } else {
        (void)sqlite3_bind_blob(row->statement, ++row->column, id->b, sizeof id->b, SQLITE_STATIC);
    }
}

static void put_index(struct row *row, uint32_t index)
{
    if (index == SCN_NO_INDEX) {
        put_null(row);
    } else {
        put_int(row, index);
    }
}

static void put_node(struct row *row, struct qkd_eid element)
{
    put_index(row, element.v == 0 ? SCN_NO_INDEX : qkd_eid_node(element));
}

/* An application agent's instance is twice the application's index, plus one for the slave. */
static void put_application(struct row *row, struct qkd_eid element)
{
    put_index(row, element.v == 0 ? SCN_NO_INDEX : qkd_eid_instance(element) / 2);
}

static struct row row_begin(struct ana_store *store, enum ana_row kind)
{
    return (struct row){store->rows[kind], 0};
}

static void row_end(struct ana_store *store, struct row *row)
{
    if (sqlite3_step(row->statement) != SQLITE_DONE) {
        (void)ana_store_fail(store);
    }
    (void)sqlite3_reset(row->statement);
    if (!store->failed) {
        ana_store_row_done(store);
    }
}

/* ---- records ---- */

/* Appends "A B C", the ids of the nodes of a way; false: there is no room for all of it. */
static bool way_text(const struct ana_store *store, const struct scn_way *way, size_t *len,
                     char text[ROUTE_SIZE])
{
    for (size_t i = 0; i < way->count; i++) {
        const char *id = store->scenario->nodes[way->nodes[i]].id;
        size_t id_len = strlen(id);
        if (*len + id_len + 3 > ROUTE_SIZE) {
            return false;
        }
        if (i > 0) {
            text[(*len)++] = ' ';
        }
        memcpy(text + *len, id, id_len);
        *len += id_len;
    }
    return true;
}

/* "A B C", or of a multicast "A B C, A B D". */
static const char *route_text(const struct ana_store *store, const struct scn_request *request,
                              char text[ROUTE_SIZE])
{
    const struct scn_way first = {request->route, request->route_count};
    size_t len = 0;
    if (request->route == NULL || request->route_count == 0) {
        return NULL;
    }
    bool fits = way_text(store, &first, &len, text);
    for (size_t i = 0; fits && i < request->way_count && len + 3 < ROUTE_SIZE; i++) {
        text[len++] = ',';
        text[len++] = ' ';
        fits = way_text(store, &request->ways[i], &len, text);
    }
    text[len] = '\0';
    return text;
}

static void on_request(void *ctx, const struct scn_request *request)
{
    struct ana_store *store = ctx;
    char route[ROUTE_SIZE];
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_REQUEST);
    put_count(&row, request->number);
    put_index(&row, request->application);
    put_time(&row, request->start_ns);
    put_time(&row, request->end_ns);
    put_time(&row, request->fetched_ns);
    put_text(&row, request->outcome);
    put_text(&row, request->reason);
    put_text(&row, request->grade);
    put_int(&row, request->key_bits);
    put_int(&row, request->keys_asked);
    put_int(&row, request->keys_supplied);
    put_int(&row, request->hops);
    put_int(&row, request->reroutes);
    put_int(&row, request->counted);
    put_text(&row, route_text(store, request, route));
    row_end(store, &row);
    for (size_t i = 0; i < request->key_count && !store->failed; i++) {
        row = row_begin(store, ANA_ROW_KEY);
        put_count(&row, request->number);
        put_id(&row, &request->keys[i].ksa_key);
        put_id(&row, &request->keys[i].kma_key);
        row_end(store, &row);
    }
}

static void on_session(void *ctx, const struct scn_session_record *session)
{
    struct ana_store *store = ctx;
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_SESSION);
    put_count(&row, session->number);
    put_index(&row, session->application);
    put_time(&row, session->start_ns);
    put_time(&row, session->admitted_ns);
    put_time(&row, session->end_ns);
    put_count(&row, session->rate_bps);
    put_text(&row, session->outcome);
    put_text(&row, session->reason);
    put_int(&row, session->counted);
    row_end(store, &row);
}

static void on_hop(void *ctx, const struct scn_hop *hop)
{
    struct ana_store *store = ctx;
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_HOP);
    put_id(&row, &hop->kma_key);
    put_index(&row, hop->link);
    put_index(&row, hop->from);
    put_index(&row, hop->to);
    put_time(&row, hop->sent_ns);
    put_int(&row, hop->hop);
    put_int(&row, hop->attempt);
    put_int(&row, hop->block);
    put_int(&row, hop->offset);
    put_count(&row, hop->pad_bits);
    put_count(&row, hop->tag_bits);
    put_text(&row, hop->method);
    row_end(store, &row);
}

/* Below level full, samples are kept that are as far apart as they may be in a run of this duration,
 * and changes: their number does not grow with the duration then. */
static bool pool_wanted(const struct ana_store *store, const struct scn_pool_sample *sample)
{
    const struct scn_scenario *scenario = store->scenario;
    unsigned end = scenario->links[sample->link].a == sample->node ? 0 : 1;
    struct ana_pool_kept *kept = &store->pools[2 * (size_t)sample->link + end];
    int64_t apart_ns = scenario->duration_ns / ANA_STORE_POOL_SAMPLES;
    if (store->record < ANA_RECORD_FULL && kept->known && kept->up == sample->up &&
        sample->time_ns - kept->time_ns < apart_ns) {
        return false;
    }
    *kept = (struct ana_pool_kept){sample->time_ns, true, sample->up};
    return true;
}

static void on_pool(void *ctx, const struct scn_pool_sample *sample)
{
    struct ana_store *store = ctx;
    if (store->failed || !pool_wanted(store, sample)) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_POOL);
    put_time(&row, sample->time_ns);
    put_index(&row, sample->link);
    put_index(&row, sample->node);
    put_count(&row, sample->own_bits);
    put_count(&row, sample->peer_bits);
    put_count(&row, sample->stored_bits);
    put_int(&row, sample->up);
    row_end(store, &row);
}

static void on_event(void *ctx, const struct scn_event *event)
{
    struct ana_store *store = ctx;
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_EVENT);
    put_time(&row, event->time_ns);
    put_text(&row, event->kind);
    put_text(&row, event->entity);
    put_text(&row, event->detail == NULL ? "" : event->detail);
    row_end(store, &row);
}

static void on_alarm(void *ctx, const struct scn_alarm *alarm)
{
    struct ana_store *store = ctx;
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_FAULT);
    put_time(&row, alarm->time_ns);
    put_text(&row, qkd_role_name(qkd_eid_role(alarm->at)));
    put_int(&row, qkd_eid_node(alarm->at));
    put_text(&row, alarm->fault);
    put_count(&row, alarm->object);
    put_int(&row, alarm->raised);
    put_count(&row, alarm->count);
    row_end(store, &row);
}

static void on_life(void *ctx, const struct scn_life *life)
{
    struct ana_store *store = ctx;
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_LIFE);
    put_time(&row, life->time_ns);
    put_text(&row, qkd_role_name(qkd_eid_role(life->at)));
    put_int(&row, qkd_eid_node(life->at));
    put_text(&row, life->action);
    put_text(&row, life->key_class);
    put_id(&row, &life->id);
    put_id(&row, &life->parent);
    put_int(&row, life->key_bits);
    put_node(&row, life->source);
    put_node(&row, life->destination);
    put_application(&row, life->source_app);
    put_application(&row, life->target_app);
    put_text(&row, life->method);
    put_index(&row, life->link);
    put_int(&row, life->hop);
    put_text(&row, life->reason);
    row_end(store, &row);
}

static void put_number(struct row *row, uint32_t number)
{
    put_index(row, number == 0 ? SCN_NO_INDEX : number);
}

static void on_message(void *ctx, const struct scn_message *message)
{
    struct ana_store *store = ctx;
    if (store->failed) {
        return;
    }
    struct row row = row_begin(store, ANA_ROW_MESSAGE);
    put_count(&row, message->request);
    put_count(&row, message->number);
    put_time(&row, message->sent_ns);
    put_time(&row, message->arrived_ns);
    put_text(&row, qkd_role_name(qkd_eid_role(message->from)));
    put_int(&row, qkd_eid_node(message->from));
    put_text(&row, qkd_role_name(qkd_eid_role(message->to)));
    put_int(&row, qkd_eid_node(message->to));
    put_text(&row, message->point);
    put_text(&row, message->name);
    put_int(&row, message->bytes);
    put_index(&row, message->link);
    put_number(&row, message->hop);
    put_number(&row, message->attempt);
    put_int(&row, message->sending);
    put_int(&row, message->shared);
    put_text(&row, strcmp(message->reason, "none") == 0 ? NULL : message->reason);
    put_text(&row, message->fate);
    row_end(store, &row);
}

void ana_rows_sink(struct ana_store *store, struct scn_sink *sink)
{
    sink->ctx = store;
    sink->event = on_event;
    sink->alarm = on_alarm;
    if (store->record >= ANA_RECORD_REQUESTS) {
        sink->request = on_request;
        sink->session = on_session;
        sink->pool = on_pool;
    }
    if (store->record >= ANA_RECORD_FULL) {
        sink->hop = on_hop;
        sink->life = on_life;
        sink->message = on_message;
    }
}
