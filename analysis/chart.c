/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a sequence chart shows: one request's messages and the elements between which they passed,
 * read from the database and put in order. */
#include "analysis/chart.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

/* ---- which request ---- */

static sqlite3_stmt *query(const struct ana_results *results, const char *sql,
                           struct ana_error *error)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(ana_results_db(results), sql, -1, &s, NULL) != SQLITE_OK) {
        (void)ana_results_fail(results, error);
        return NULL;
    }
    return s;
}

/* Whether the query of one row and parameter has a row; *number its first column. */
static int one_number(const struct ana_results *results, const char *sql, const struct qkd_id *key,
                      uint64_t *number, struct ana_error *error)
{
    sqlite3_stmt *s = query(results, sql, error);
    if (s == NULL) {
        return QKD_ERR_INVALID;
    }
    if (key != NULL) {
        (void)sqlite3_bind_blob(s, 1, key->b, sizeof key->b, SQLITE_STATIC);
    }
    int step = sqlite3_step(s);
    *number = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    int err = step == SQLITE_ROW    ? QKD_OK
              : step == SQLITE_DONE ? QKD_ERR_UNKNOWN
                                    : ana_results_fail(results, error);
    sqlite3_finalize(s);
    return err;
}

/* Messages are there only if the run was to record them. */
static int need_messages(const struct ana_results *results, struct ana_error *error)
{
    uint64_t tables = 0;
    const char *record = ana_results_record(results);
    if (strcmp(record, "full") != 0) {
        return ana_fail(error, QKD_ERR_UNKNOWN,
                        "%s: recorded with --record %s, without messages; qkdn run --record full "
                        "records them",
                        ana_results_path(results), record);
    }
    int err = one_number(results, "SELECT count(*) FROM sqlite_master WHERE name = 'messages'",
                         NULL, &tables, error);
    if (err == QKD_OK && tables == 0) {
        return ana_fail(error, QKD_ERR_UNKNOWN,
                        "%s: recorded by a qkdn that kept no messages; run the scenario again with "
                        "--record full",
                        ana_results_path(results));
    }
    return err;
}

int ana_chart_request(const struct ana_results *results, const struct qkd_id *key,
                      uint64_t *request, struct ana_error *error)
{
    int err = need_messages(results, error);
    if (err != QKD_OK) {
        return err;
    }
    err = one_number(results,
                     "SELECT request FROM request_keys WHERE ksa_key = ?1 OR kma_key = ?1 "
                     "ORDER BY request LIMIT 1",
                     key, request, error);
    if (err != QKD_ERR_UNKNOWN) {
        return err;
    }
    uint64_t known = 0;
    char text[37];
    qkd_id_format(key, text);
    err = one_number(
        results,
        "SELECT count(*) FROM (SELECT 1 FROM life WHERE id = ?1 OR parent = ?1 UNION ALL SELECT 1 "
        "FROM hops WHERE kma_key = ?1 LIMIT 1)",
        key, &known, error);
    if (err != QKD_OK) {
        return err;
    }
    return known == 0
               ? ana_fail(error, QKD_ERR_UNKNOWN, "%s: no key %s", ana_results_path(results), text)
               : ana_fail(error, QKD_ERR_UNKNOWN,
                          "%s: key %s was supplied for no request; a chart needs a KSA-key, "
                          "a KMA-key cut into such, or --request",
                          ana_results_path(results), text);
}

/* ---- the title ---- */

static const char *text_of(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text == NULL ? "?" : text;
}

static bool is_null(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL;
}

struct parties {
    int64_t start_ns;
    uint32_t from_node, to_node;
    char application[ANA_CHART_NAME];
};

static void title_write(sqlite3_stmt *s, struct ana_chart *chart)
{
    char *to = chart->title;
    size_t size = sizeof chart->title;
    size_t len = (size_t)snprintf(to, size,
                                  "Request %" PRIu64
                                  " of %.64s, %.64s to %.64s, asked at %.6f s: %s",
                                  chart->request, text_of(s, 0), text_of(s, 1), text_of(s, 2),
                                  sqlite3_column_double(s, 3) / 1e9, text_of(s, 4));
    if (!is_null(s, 6) && len < size) {
        len += (size_t)snprintf(to + len, size - len, " after %.3f ms",
                                sqlite3_column_double(s, 6) / 1e6);
    }
    if (strcmp(text_of(s, 5), "none") != 0 && len < size) {
        len += (size_t)snprintf(to + len, size - len, " (%s)", text_of(s, 5));
    }
    if (!is_null(s, 7) && len < size) {
        (void)snprintf(to + len, size - len, ", fetched after %.3f ms",
                       sqlite3_column_double(s, 7) / 1e6);
    }
}

static int load_request(const struct ana_results *results, struct ana_chart *chart,
                        struct parties *parties, struct ana_error *error)
{
    sqlite3_stmt *s = query(
        results,
        "SELECT a.id, f.id, t.id, r.start_ns, r.outcome, r.reason, r.end_ns - r.start_ns, "
        "r.fetched_ns - r.start_ns, a.from_node, a.to_node FROM requests r JOIN applications a ON "
        "a.idx = r.application JOIN nodes f ON f.idx = a.from_node JOIN nodes t ON t.idx = "
        "a.to_node WHERE r.number = ?1",
        error);
    if (s == NULL) {
        return QKD_ERR_INVALID;
    }
    (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)chart->request);
    int step = sqlite3_step(s);
    int err = QKD_OK;
    if (step == SQLITE_ROW) {
        parties->start_ns = sqlite3_column_int64(s, 3);
        parties->from_node = (uint32_t)sqlite3_column_int64(s, 8);
        parties->to_node = (uint32_t)sqlite3_column_int64(s, 9);
        snprintf(parties->application, sizeof parties->application, "%s", text_of(s, 0));
        title_write(s, chart);
    } else if (step == SQLITE_DONE) {
        err = ana_fail(error, QKD_ERR_UNKNOWN, "%s: no request %" PRIu64, ana_results_path(results),
                       chart->request);
    } else {
        err = ana_results_fail(results, error);
    }
    sqlite3_finalize(s);
    return err;
}

/* ---- elements ---- */

/* From left to right: the master's application and KM, the control of the network, the hops in the
 * order in which messages reach them, the slave's KM and application. */
static int rank_of(const char *role, uint32_t node, const struct parties *parties)
{
    static const char *const roles[] = {"application", "KSA", "KMA", "KMC"};
    int place = 4;
    for (int i = 0; i < 4; i++) {
        place = strcmp(role, roles[i]) == 0 ? i : place;
    }
    if (place == 4) {
        return 10;
    }
    if (node == parties->from_node) {
        return place;
    }
    return node == parties->to_node ? 33 - place : 20;
}

/* The element, added at the end if it is new; SIZE_MAX without memory. */
static size_t element_get(struct ana_chart *chart, const struct parties *parties, const char *role,
                          uint32_t node, const char *node_id)
{
    for (size_t i = 0; i < chart->element_count; i++) {
        const struct ana_chart_element *element = &chart->elements[i];
        if (element->node_index == node && strcmp(element->role, role) == 0) {
            return i;
        }
    }
    struct ana_chart_element *elements = realloc(chart->elements,
                                                 (chart->element_count + 1) * sizeof *elements);
    if (elements == NULL) {
        return SIZE_MAX;
    }
    chart->elements = elements;
    struct ana_chart_element *element = &elements[chart->element_count];
    memset(element, 0, sizeof *element);
    snprintf(element->role, sizeof element->role, "%s", role);
    snprintf(element->name, sizeof element->name, "%s",
             strcmp(role, "application") == 0 ? parties->application : role);
    snprintf(element->node, sizeof element->node, "%s", node_id);
    element->node_index = node;
    element->rank = rank_of(role, node, parties);
    return chart->element_count++;
}

/* Places element i and, at once after it, the others of its node and rank; their rank is -1 then. */
static void node_place(struct ana_chart *chart, size_t i, size_t *places,
                       struct ana_chart_element *sorted, size_t *next)
{
    const struct ana_chart_element first = chart->elements[i];
    for (size_t k = i; k < chart->element_count; k++) {
        struct ana_chart_element *element = &chart->elements[k];
        if (element->rank == first.rank && element->node_index == first.node_index) {
            places[k] = *next;
            sorted[(*next)++] = *element;
            element->rank = -1;
        }
    }
}

/* Sorts the elements by rank, those of one rank in the order of their appearance (but together with
 * their node), and renames them in the messages. */
static int elements_sort(struct ana_chart *chart)
{
    size_t count = chart->element_count;
    size_t *places = calloc(count + 1, sizeof *places);
    struct ana_chart_element *sorted = calloc(count + 1, sizeof *sorted);
    if (places == NULL || sorted == NULL) {
        free(places);
        free(sorted);
        return QKD_ERR_NOMEM;
    }
    size_t next = 0;
    for (int rank = 0; rank <= 33; rank++) {
        for (size_t i = 0; i < count; i++) {
            if (chart->elements[i].rank == rank) {
                node_place(chart, i, places, sorted, &next);
            }
        }
    }
    for (size_t i = 0; i < chart->message_count; i++) {
        chart->messages[i].from = places[chart->messages[i].from];
        chart->messages[i].to = places[chart->messages[i].to];
    }
    memcpy(chart->elements, sorted, count * sizeof *sorted);
    free(places);
    free(sorted);
    return QKD_OK;
}

/* ---- messages ---- */

static const char *point_of(const char *name)
{
    for (int rp = 0; rp < QKD_RP_COUNT; rp++) {
        if (strcmp(qkd_rp_name((enum qkd_rp)rp), name) == 0) {
            return qkd_rp_name((enum qkd_rp)rp);
        }
    }
    return qkd_rp_name(QKD_RP_NONE);
}

static int add_message(struct ana_chart *chart, const struct parties *parties, sqlite3_stmt *s)
{
    size_t count = chart->message_count;
    if ((count & (count - 1)) == 0) {
        struct ana_chart_message *messages = realloc(chart->messages, (count == 0 ? 1 : 2 * count) *
                                                                          sizeof *messages);
        if (messages == NULL) {
            return QKD_ERR_NOMEM;
        }
        chart->messages = messages;
    }
    struct ana_chart_message *message = &chart->messages[count];
    memset(message, 0, sizeof *message);
    message->number = (uint64_t)sqlite3_column_int64(s, 0);
    message->sent_ns = sqlite3_column_int64(s, 1) - parties->start_ns;
    message->arrived_ns = is_null(s, 2) ? SCN_NO_TIME
                                        : sqlite3_column_int64(s, 2) - parties->start_ns;
    message->from = element_get(chart, parties, text_of(s, 3), (uint32_t)sqlite3_column_int64(s, 4),
                                text_of(s, 5));
    message->to = element_get(chart, parties, text_of(s, 6), (uint32_t)sqlite3_column_int64(s, 7),
                              text_of(s, 8));
    if (message->from == SIZE_MAX || message->to == SIZE_MAX) {
        return QKD_ERR_NOMEM;
    }
    message->point = point_of(text_of(s, 9));
    snprintf(message->name, sizeof message->name, "%s", text_of(s, 10));
    message->bytes = (uint32_t)sqlite3_column_int64(s, 11);
    message->hop = (uint32_t)sqlite3_column_int64(s, 12);
    message->attempt = (uint32_t)sqlite3_column_int64(s, 13);
    message->sending = (uint32_t)sqlite3_column_int64(s, 14);
    message->shared = (uint32_t)sqlite3_column_int64(s, 15);
    snprintf(message->reason, sizeof message->reason, "%s", is_null(s, 16) ? "" : text_of(s, 16));
    snprintf(message->fate, sizeof message->fate, "%s", text_of(s, 17));
    chart->message_count++;
    return QKD_OK;
}

static int load_messages(const struct ana_results *results, struct ana_chart *chart,
                         const struct parties *parties, struct ana_error *error)
{
    sqlite3_stmt *s = query(
        results,
        "SELECT m.number, m.sent_ns, m.arrived_ns, m.from_role, m.from_node, f.id, m.to_role, "
        "m.to_node, t.id, m.point, m.name, m.bytes, m.hop, m.attempt, m.sending, m.shared, "
        "m.reason, m.fate FROM messages m LEFT JOIN nodes f ON f.idx = m.from_node LEFT JOIN nodes "
        "t ON t.idx = m.to_node WHERE m.request = ?1 ORDER BY m.number, m.arrived_ns IS NULL, "
        "m.arrived_ns",
        error);
    if (s == NULL) {
        return QKD_ERR_INVALID;
    }
    (void)sqlite3_bind_int64(s, 1, (sqlite3_int64)chart->request);
    int err = QKD_OK;
    int step = SQLITE_DONE;
    while (err == QKD_OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
        err = chart->message_count == ANA_CHART_MESSAGES
                  ? ana_fail(error, QKD_ERR_UNKNOWN,
                             "%s: request %" PRIu64 " has more than %d messages: too many to draw",
                             ana_results_path(results), chart->request, ANA_CHART_MESSAGES)
                  : add_message(chart, parties, s);
    }
    if (err == QKD_ERR_NOMEM) {
        (void)ana_fail(error, err, "no memory");
    } else if (err == QKD_OK && step != SQLITE_DONE) {
        err = ana_results_fail(results, error);
    }
    sqlite3_finalize(s);
    return err;
}

int ana_chart_load(const struct ana_results *results, uint64_t request, struct ana_chart *chart,
                   struct ana_error *error)
{
    struct parties parties = {0};
    memset(chart, 0, sizeof *chart);
    chart->request = request;
    int err = need_messages(results, error);
    if (err == QKD_OK) {
        err = load_request(results, chart, &parties, error);
    }
    if (err == QKD_OK) {
        err = load_messages(results, chart, &parties, error);
    }
    if (err == QKD_OK && chart->message_count == 0) {
        err = ana_fail(error, QKD_ERR_UNKNOWN, "%s: no messages of request %" PRIu64,
                       ana_results_path(results), request);
    }
    if (err == QKD_OK && elements_sort(chart) != QKD_OK) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory");
    }
    if (err != QKD_OK) {
        ana_chart_fini(chart);
    }
    return err;
}

void ana_chart_fini(struct ana_chart *chart)
{
    free(chart->elements);
    free(chart->messages);
    memset(chart, 0, sizeof *chart);
}

/* ---- words ---- */

bool ana_chart_arrived(const struct ana_chart_message *message)
{
    return message->arrived_ns != SCN_NO_TIME;
}

void ana_chart_time(int64_t ns, char text[32])
{
    snprintf(text, 32, "%+.3f ms", (double)ns / 1e6);
}

static size_t add(char facts[ANA_CHART_FACTS], size_t len, const char *before, const char *what)
{
    if (len < ANA_CHART_FACTS) {
        len += (size_t)snprintf(facts + len, ANA_CHART_FACTS - len, "%s%s", before, what);
    }
    return len;
}

void ana_chart_facts(const struct ana_chart_message *message, char facts[ANA_CHART_FACTS])
{
    char number[48];
    size_t len = add(facts, 0, "", message->point);
    snprintf(number, sizeof number, "%" PRIu32 " B", message->bytes);
    len = add(facts, len, ", ", number);
    if (message->hop > 0) {
        snprintf(number, sizeof number, "hop %" PRIu32, message->hop);
        len = add(facts, len, ", ", number);
    }
    if (message->attempt > 1) {
        snprintf(number, sizeof number, "attempt %" PRIu32, message->attempt);
        len = add(facts, len, ", ", number);
    }
    if (message->shared > 1) {
        snprintf(number, sizeof number, "for %" PRIu32 " requests", message->shared);
        len = add(facts, len, ", ", number);
    }
    if (message->reason[0] != '\0') {
        len = add(facts, len, ", ", message->reason);
    }
    if (message->sending > 1) {
        snprintf(number, sizeof number, "sending no. %" PRIu32, message->sending);
        len = add(facts, len, ", ", number);
    }
    if (strcmp(message->fate, "delivered") != 0) {
        char words[sizeof message->fate];
        snprintf(words, sizeof words, "%s", message->fate);
        for (char *c = words; *c != '\0'; c++) {
            *c = *c == '_' ? ' ' : *c;
        }
        (void)add(facts, len, ", ", words);
    }
}
