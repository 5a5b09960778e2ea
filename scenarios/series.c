/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Series in time: traces of key rate (time, rate, QBER), instants of requests and rates of requests
 * by time of day, from a CSV file (seconds, bit/s, fraction, 1/s) or written out. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/csv.h"
#include "scenarios/field.h"

#define LATEST_NS (INT64_C(315360000) * 1000000000) /* 10 years of 365 days */
#define MOST_BPS 1e15
#define MOST_PER_S 1e9

/* A growing array of points or instants, with the mistakes of one series counted: after a few, the
 * rest of a broken file is noise. */
struct series {
    struct scn_ctx *ctx;
    void *items;
    size_t item_bytes;
    size_t count, room;
    int64_t last_ns;
    size_t mistakes;
};

#define SERIES_MISTAKES 20

static bool series_open(const struct series *series)
{
    return series->mistakes < SERIES_MISTAKES && !series->ctx->no_memory;
}

static void series_mistake(struct series *series, struct scn_place place, const char *text)
{
    series->mistakes++;
    scn_mistake(series->ctx, place, "%s", text);
}

static void *series_add(struct series *series, struct scn_place place)
{
    if (series->count == SCN_MAX_POINTS) {
        series_mistake(series, place, "too many points: at most 1000000 are read");
        series->mistakes = SERIES_MISTAKES;
        return NULL;
    }
    if (series->count == series->room) {
        size_t room = series->room == 0 ? 64 : series->room * 2;
        void *grown = scn_mem_resize(series->items, room, series->item_bytes);
        if (grown == NULL) {
            series->ctx->no_memory = true;
            return NULL;
        }
        series->items = grown;
        series->room = room;
    }
    return (char *)series->items + series->item_bytes * series->count++;
}

/* A time read from one of the two forms; strictly: later than the one before. */
static bool time_take(struct series *series, struct scn_place place, int64_t ns, bool strictly)
{
    if (ns < 0 || ns > LATEST_NS) {
        series_mistake(series, place, "the time is out of range: expected 0 s to 10 years");
        return false;
    }
    if (series->count > 0 && (strictly ? ns <= series->last_ns : ns < series->last_ns)) {
        series_mistake(series, place,
                       strictly ? "unsorted: expected a time after the one before"
                                : "unsorted: expected a time not before the one before");
        return false;
    }
    series->last_ns = ns;
    return true;
}

static void point_add(struct series *series, struct scn_place place, struct mdl_point point)
{
    struct mdl_point *at = series_add(series, place);
    if (at != NULL) {
        *at = point;
    }
}

/* Seconds as written in a CSV cell, exact to the nanosecond. */
static bool seconds_read(struct series *series, const struct scn_csv *csv, int64_t *ns)
{
    char text[SCN_QUANTITY_SIZE];
    int len = snprintf(text, sizeof text, "%s s", csv->cells[0]);
    if (len < 0 || (size_t)len >= sizeof text ||
        scn_integer_parse(SCN_DIM_TIME, text, ns) != NULL) {
        series_mistake(series, scn_csv_place(csv, 0), "expected a time in seconds, such as 12.5");
        return false;
    }
    return true;
}

static void trace_row(struct series *series, const struct scn_csv *csv)
{
    if (csv->count != 3) {
        series_mistake(series, csv->place,
                       "expected three cells, time_s,rate_bps,qber: is the file truncated?");
        return;
    }
    struct mdl_point point = {0};
    double rate = 0;
    if (!seconds_read(series, csv, &point.t_ns)) {
        return;
    }
    if (scn_real_parse(SCN_DIM_REAL, csv->cells[1], &rate) != NULL || rate < 0 || rate > MOST_BPS) {
        series_mistake(series, scn_csv_place(csv, 1), "expected a key rate in bit/s, 0 or more");
        return;
    }
    if (scn_real_parse(SCN_DIM_REAL, csv->cells[2], &point.qber) != NULL || point.qber < 0 ||
        point.qber > 0.5) {
        series_mistake(series, scn_csv_place(csv, 2), "expected a QBER from 0 to 0.5");
        return;
    }
    point.rate_bps = (uint64_t)llround(rate);
    if (time_take(series, scn_csv_place(csv, 0), point.t_ns, true)) {
        point_add(series, csv->place, point);
    }
}

static void times_row(struct series *series, const struct scn_csv *csv)
{
    int64_t ns = 0;
    if (csv->count != 1) {
        series_mistake(series, csv->place, "expected one cell, time_s");
    } else if (seconds_read(series, csv, &ns) &&
               time_take(series, scn_csv_place(csv, 0), ns, false)) {
        int64_t *at = series_add(series, csv->place);
        if (at != NULL) {
            *at = ns;
        }
    }
}

/* Whether the record is a header line: it must then have exactly these names. */
static bool header_check(struct series *series, const struct scn_csv *csv, const char *first)
{
    char c = csv->cells[0][0];
    if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == '\0') {
        return false;
    }
    bool good = true;
    const char *name = first; /* cell by cell */
    for (size_t i = 0; i < csv->count && good; i++) {
        size_t len = strcspn(name, ",");
        good = len > 0 && strlen(csv->cells[i]) == len && strncmp(csv->cells[i], name, len) == 0;
        name += name[len] == ',' ? len + 1 : len;
    }
    good = good && name[0] == '\0';
    if (!good) {
        scn_mistake(series->ctx, csv->place, "the header is not '%s'", first);
        series->mistakes = SERIES_MISTAKES;
    }
    return true;
}

static void file_read(struct series *series, const struct scn_tree *value, const char *header,
                      void (*row)(struct series *, const struct scn_csv *))
{
    struct scn_place at = value->place;
    char *text = scn_csv_read(series->ctx, value->text, &at);
    if (text == NULL) {
        series->mistakes++;
        return;
    }
    struct scn_csv csv;
    scn_csv_init(&csv, series->ctx, text, at);
    bool any = false;
    while (series_open(series) && scn_csv_next(&csv)) {
        if (any || !header_check(series, &csv, header)) {
            row(series, &csv);
        }
        any = true;
    }
    series->mistakes += csv.failed ? 1 : 0;
    if (series->count == 0 && series->mistakes == 0) {
        series_mistake(series, at, "the series is empty: expected at least one line of numbers");
    }
}

static void time_written(struct series *series, const struct scn_tree *item, bool strictly,
                         int64_t *ns)
{
    if (item->kind != SCN_TREE_SCALAR || scn_integer_parse(SCN_DIM_TIME, item->text, ns) != NULL) {
        series_mistake(series, item->place, "expected a time such as '5 s'");
    } else {
        (void)time_take(series, item->place, *ns, strictly);
    }
}

static void trace_written(struct series *series, const struct scn_tree *item)
{
    struct mdl_point point = {0};
    int64_t rate = 0;
    if (item->kind != SCN_TREE_LIST || item->count != 3) {
        series_mistake(series, item->place, "expected [time, rate, QBER]");
        return;
    }
    const struct scn_tree *time = item->first;
    const struct scn_tree *speed = time->next;
    const struct scn_tree *qber = speed->next;
    size_t before = series->mistakes;
    time_written(series, time, true, &point.t_ns);
    if (speed->kind != SCN_TREE_SCALAR ||
        scn_integer_parse(SCN_DIM_RATE, speed->text, &rate) != NULL || rate < 0 ||
        (double)rate > MOST_BPS) {
        series_mistake(series, speed->place, "expected a rate such as '304 kbit/s', or 0");
    }
    if (qber->kind != SCN_TREE_SCALAR ||
        scn_real_parse(SCN_DIM_FRACTION, qber->text, &point.qber) != NULL || point.qber < 0 ||
        point.qber > 0.5) {
        series_mistake(series, qber->place, "expected a QBER from 0 to 0.5");
    }
    point.rate_bps = (uint64_t)rate;
    if (series->mistakes == before) {
        point_add(series, item->place, point);
    }
}

static void times_written(struct series *series, const struct scn_tree *item)
{
    int64_t ns = 0;
    size_t before = series->mistakes;
    time_written(series, item, false, &ns);
    int64_t *at = series->mistakes == before ? series_add(series, item->place) : NULL;
    if (at != NULL) {
        *at = ns;
    }
}

static void list_read(struct series *series, const struct scn_tree *value,
                      void (*written)(struct series *, const struct scn_tree *))
{
    for (const struct scn_tree *item = value->first; item != NULL && series_open(series);
         item = item->next) {
        written(series, item);
    }
    if (value->count == 0) {
        series_mistake(series, value->place, "the series is empty: expected at least one point");
    }
}

static void trace_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_qkd *qkd = base;
    if (value == NULL) {
        return;
    }
    struct series series = {.ctx = ctx, .item_bytes = sizeof *qkd->trace};
    if (value->kind == SCN_TREE_LIST) {
        list_read(&series, value, trace_written);
    } else if (value->kind == SCN_TREE_SCALAR && value->text[0] != '\0') {
        file_read(&series, value, "time_s,rate_bps,qber", trace_row);
    } else {
        scn_mistake(ctx, value->place, "trace: expected a file name or a list of points");
    }
    qkd->trace = series.items;
    qkd->trace_count = series.count;
}

static bool trace_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                        const void *base)
{
    const struct scn_qkd *qkd = base;
    (void)scenario;
    for (size_t i = 0; i < qkd->trace_count; i++) {
        char time[SCN_QUANTITY_SIZE];
        char rate[SCN_QUANTITY_SIZE];
        char qber[SCN_QUANTITY_SIZE];
        scn_integer_print(SCN_DIM_TIME, qkd->trace[i].t_ns, time);
        scn_integer_print(SCN_DIM_RATE, (int64_t)qkd->trace[i].rate_bps, rate);
        scn_real_print(SCN_DIM_FRACTION, qkd->trace[i].qber, qber);
        scn_buffer_add(out, "%s[%s, %s, %s]", i == 0 ? "[" : ", ", time, rate, qber);
    }
    if (qkd->trace_count > 0) {
        scn_buffer_text(out, "]");
    }
    return qkd->trace_count > 0;
}

#define SERIES_SCHEMA(point)                                                                       \
    "\"anyOf\": [{\"type\": \"string\", \"minLength\": 1}, {\"type\": \"array\", \"minItems\": "   \
    "1, "                                                                                          \
    "\"items\": {" point "}}]"
#define POINT_SCHEMA(count, parts)                                                                 \
    "\"type\": \"array\", \"minItems\": " count ", \"maxItems\": " count                           \
    ", \"prefixItems\": [" parts "]"

const struct scn_special scn_special_trace = {
    trace_decode, trace_print, SERIES_SCHEMA(POINT_SCHEMA("3", "{@time@}, {@rate@}, {@qber@}"))};

static void times_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_application *application = base;
    if (value == NULL) {
        return;
    }
    struct series series = {.ctx = ctx, .item_bytes = sizeof *application->times_ns};
    if (value->kind == SCN_TREE_LIST) {
        list_read(&series, value, times_written);
    } else if (value->kind == SCN_TREE_SCALAR && value->text[0] != '\0') {
        file_read(&series, value, "time_s", times_row);
    } else {
        scn_mistake(ctx, value->place, "times: expected a file name or a list of times");
    }
    application->times_ns = series.items;
    application->times_count = series.count;
}

static bool times_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                        const void *base)
{
    const struct scn_application *application = base;
    (void)scenario;
    for (size_t i = 0; i < application->times_count; i++) {
        char time[SCN_QUANTITY_SIZE];
        scn_integer_print(SCN_DIM_TIME, application->times_ns[i], time);
        scn_buffer_add(out, "%s%s", i == 0 ? "[" : ", ", time);
    }
    if (application->times_count > 0) {
        scn_buffer_text(out, "]");
    }
    return application->times_count > 0;
}

const struct scn_special scn_special_times = {times_decode, times_print, SERIES_SCHEMA("@time@")};

static void level_add(struct series *series, struct scn_place place,
                      struct mdl_arrivals_level level)
{
    struct mdl_arrivals_level *at = series_add(series, place);
    if (at != NULL) {
        *at = level;
    }
}

static void profile_row(struct series *series, const struct scn_csv *csv)
{
    struct mdl_arrivals_level level = {0};
    if (csv->count != 2) {
        series_mistake(series, csv->place, "expected two cells, time_s,rate_per_s");
        return;
    }
    if (!seconds_read(series, csv, &level.t_ns)) {
        return;
    }
    if (scn_real_parse(SCN_DIM_REAL, csv->cells[1], &level.rate_per_s) != NULL ||
        level.rate_per_s < 0 || level.rate_per_s > MOST_PER_S) {
        series_mistake(series, scn_csv_place(csv, 1), "expected a rate per second, 0 to 1e9");
    } else if (time_take(series, scn_csv_place(csv, 0), level.t_ns, true)) {
        level_add(series, csv->place, level);
    }
}

static void profile_written(struct series *series, const struct scn_tree *item)
{
    struct mdl_arrivals_level level = {0};
    if (item->kind != SCN_TREE_LIST || item->count != 2) {
        series_mistake(series, item->place, "expected [time of day, rate]");
        return;
    }
    const struct scn_tree *rate = item->last;
    size_t before = series->mistakes;
    time_written(series, item->first, true, &level.t_ns);
    if (rate->kind != SCN_TREE_SCALAR ||
        scn_real_parse(SCN_DIM_FREQUENCY, rate->text, &level.rate_per_s) != NULL ||
        level.rate_per_s < 0 || level.rate_per_s > MOST_PER_S) {
        series_mistake(series, rate->place, "expected a rate such as '2 /s', or 0");
    }
    if (series->mistakes == before) {
        level_add(series, item->place, level);
    }
}

static void profile_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_application *application = base;
    if (value == NULL) {
        return;
    }
    struct series series = {.ctx = ctx, .item_bytes = sizeof *application->profile};
    if (value->kind == SCN_TREE_LIST) {
        list_read(&series, value, profile_written);
    } else if (value->kind == SCN_TREE_SCALAR && value->text[0] != '\0') {
        file_read(&series, value, "time_s,rate_per_s", profile_row);
    } else {
        scn_mistake(ctx, value->place, "profile: expected a file name or a list of [time, rate]");
    }
    application->profile = series.items;
    application->profile_count = series.count;
}

static bool profile_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                          const void *base)
{
    const struct scn_application *application = base;
    (void)scenario;
    for (size_t i = 0; i < application->profile_count; i++) {
        char time[SCN_QUANTITY_SIZE];
        char rate[SCN_QUANTITY_SIZE];
        scn_integer_print(SCN_DIM_TIME, application->profile[i].t_ns, time);
        scn_real_print(SCN_DIM_FREQUENCY, application->profile[i].rate_per_s, rate);
        scn_buffer_add(out, "%s[%s, %s]", i == 0 ? "[" : ", ", time, rate);
    }
    if (application->profile_count > 0) {
        scn_buffer_text(out, "]");
    }
    return application->profile_count > 0;
}

const struct scn_special scn_special_profile = {
    profile_decode, profile_print, SERIES_SCHEMA(POINT_SCHEMA("2", "{@time@}, {@frequency@}"))};
