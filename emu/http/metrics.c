/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Families and series in lists; the text is made anew for each scrape. */
#include "emu/http/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "emu/base/utf8.h"

enum { TEXT_FIRST = 4096, NUMBER_ROOM = 40 };

struct emu_metric {
    struct emu_metric *next;
    const struct emu_metric_family *family;
    char *values[EMU_METRICS_LABELS_MAX];
    uint64_t count;     /* of a counter; observations of a histogram */
    double value;       /* of a gauge; sum of a histogram */
    uint64_t buckets[]; /* observations up to each bound and above the one before */
};

struct emu_metric_family {
    struct emu_metric_family *next;
    char *name, *help;
    enum emu_metric_type type;
    size_t label_count, bound_count;
    char *labels[EMU_METRICS_LABELS_MAX];
    double bounds[EMU_METRICS_BOUNDS_MAX];
    struct emu_metric *first, **last;
    size_t series;
};

struct emu_metrics {
    struct emu_metric_family *first, **last;
};

/* ---- families ---- */

struct emu_metrics *emu_metrics_new(void)
{
    struct emu_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics != NULL) {
        metrics->last = &metrics->first;
    }
    return metrics;
}

static void series_free(struct emu_metric *metric)
{
    for (size_t i = 0; i < EMU_METRICS_LABELS_MAX; i++) {
        free(metric->values[i]);
    }
    free(metric);
}

static void family_free(struct emu_metric_family *family)
{
    while (family->first != NULL) {
        struct emu_metric *next = family->first->next;
        series_free(family->first);
        family->first = next;
    }
    for (size_t i = 0; i < EMU_METRICS_LABELS_MAX; i++) {
        free(family->labels[i]);
    }
    free(family->name);
    free(family->help);
    free(family);
}

void emu_metrics_free(struct emu_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    while (metrics->first != NULL) {
        struct emu_metric_family *next = metrics->first->next;
        family_free(metrics->first);
        metrics->first = next;
    }
    free(metrics);
}

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *made = malloc(size);
    if (made != NULL) {
        memcpy(made, text, size);
    }
    return made;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A name of letters, digits and `also`; no digit first. */
static bool name_is_good(const char *name, char also)
{
    if (!letter(name[0]) && name[0] != also) {
        return false;
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (!letter(*at) && !(*at >= '0' && *at <= '9') && *at != also) {
            return false;
        }
    }
    return true;
}

static bool label_is_good(const char *label, enum emu_metric_type type)
{
    return name_is_good(label, '_') && strncmp(label, "__", 2) != 0 &&
           (type != EMU_METRIC_HISTOGRAM || strcmp(label, "le") != 0);
}

static bool spec_is_good(const struct emu_metric_spec *spec)
{
    if (!name_is_good(spec->name, ':') || spec->bound_count > EMU_METRICS_BOUNDS_MAX ||
        (spec->type != EMU_METRIC_HISTOGRAM && spec->bound_count > 0)) {
        return false;
    }
    for (size_t i = 0; i < spec->bound_count; i++) {
        if (!isfinite(spec->bounds[i]) || (i > 0 && spec->bounds[i] <= spec->bounds[i - 1])) {
            return false;
        }
    }
    for (size_t i = 0; i < EMU_METRICS_LABELS_MAX && spec->labels[i] != NULL; i++) {
        if (!label_is_good(spec->labels[i], spec->type)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(spec->labels[i], spec->labels[j]) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* Whether `name` is what a histogram `base` calls one of its lines. */
static bool is_part_of(const char *name, const char *base)
{
    size_t len = strlen(base);
    return strncmp(name, base, len) == 0 &&
           (strcmp(name + len, "_bucket") == 0 || strcmp(name + len, "_sum") == 0 ||
            strcmp(name + len, "_count") == 0);
}

static bool is_taken(const struct emu_metrics *metrics, const struct emu_metric_spec *spec)
{
    for (const struct emu_metric_family *f = metrics->first; f != NULL; f = f->next) {
        if (strcmp(f->name, spec->name) == 0 ||
            (f->type == EMU_METRIC_HISTOGRAM && is_part_of(spec->name, f->name)) ||
            (spec->type == EMU_METRIC_HISTOGRAM && is_part_of(f->name, spec->name))) {
            return true;
        }
    }
    return false;
}

static struct emu_metric_family *family_new(const struct emu_metric_spec *spec)
{
    struct emu_metric_family *family = calloc(1, sizeof *family);
    if (family == NULL) {
        return NULL;
    }
    family->name = copy(spec->name);
    family->help = copy(spec->help);
    family->type = spec->type;
    family->last = &family->first;
    family->bound_count = spec->bound_count;
    if (spec->bound_count > 0) {
        memcpy(family->bounds, spec->bounds, spec->bound_count * sizeof *spec->bounds);
    }
    bool whole = family->name != NULL && family->help != NULL;
    for (size_t i = 0; i < EMU_METRICS_LABELS_MAX && spec->labels[i] != NULL; i++) {
        family->labels[i] = copy(spec->labels[i]);
        family->label_count++;
        whole = whole && family->labels[i] != NULL;
    }
    if (!whole) {
        family_free(family);
        return NULL;
    }
    return family;
}

int emu_metrics_add(struct emu_metrics *metrics, const struct emu_metric_spec *spec,
                    struct emu_metric_family **family)
{
    *family = NULL;
    if (!spec_is_good(spec)) {
        return QKD_ERR_INVALID;
    }
    if (is_taken(metrics, spec)) {
        return QKD_ERR_EXISTS;
    }
    struct emu_metric_family *made = family_new(spec);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    *metrics->last = made;
    metrics->last = &made->next;
    *family = made;
    return 0;
}

/* ---- series ---- */

static bool has_values(const struct emu_metric *metric, const char *const *values)
{
    for (size_t i = 0; i < metric->family->label_count; i++) {
        if (strcmp(metric->values[i], values[i]) != 0) {
            return false;
        }
    }
    return true;
}

struct emu_metric *emu_metric_of(struct emu_metric_family *family, const char *const *values)
{
    for (struct emu_metric *metric = family->first; metric != NULL; metric = metric->next) {
        if (has_values(metric, values)) {
            return metric;
        }
    }
    size_t buckets = family->bound_count + 1;
    struct emu_metric *metric = NULL;
    if (family->series < EMU_METRICS_SERIES_MAX) {
        metric = calloc(1, sizeof *metric + buckets * sizeof metric->buckets[0]);
    }
    if (metric == NULL) {
        return NULL;
    }
    metric->family = family;
    for (size_t i = 0; i < family->label_count; i++) {
        metric->values[i] = copy(values[i]);
        if (metric->values[i] == NULL) {
            series_free(metric);
            return NULL;
        }
    }
    *family->last = metric;
    family->last = &metric->next;
    family->series++;
    return metric;
}

void emu_metric_count(struct emu_metric *counter, uint64_t more)
{
    if (counter != NULL) {
        QKD_ASSERT(counter->family->type == EMU_METRIC_COUNTER);
        counter->count += more;
    }
}

void emu_metric_count_to(struct emu_metric *counter, uint64_t total)
{
    if (counter != NULL) {
        QKD_ASSERT(counter->family->type == EMU_METRIC_COUNTER);
        counter->count = total;
    }
}

void emu_metric_set(struct emu_metric *gauge, double value)
{
    if (gauge != NULL) {
        QKD_ASSERT(gauge->family->type == EMU_METRIC_GAUGE);
        gauge->value = value;
    }
}

void emu_metric_observe(struct emu_metric *histogram, double value)
{
    if (histogram == NULL) {
        return;
    }
    const struct emu_metric_family *family = histogram->family;
    QKD_ASSERT(family->type == EMU_METRIC_HISTOGRAM);
    size_t i = 0;
    while (i < family->bound_count && !(value <= family->bounds[i])) {
        i++;
    }
    histogram->buckets[i]++;
    histogram->count++;
    histogram->value += value;
}

/* ---- the text ---- */

struct text {
    char *at;
    size_t len, cap;
    bool failed;
};

static void add(struct text *text, const char *bytes, size_t len)
{
    size_t cap = text->cap == 0 ? TEXT_FIRST : text->cap;
    while (!text->failed && cap - text->len <= len) {
        cap *= 2;
    }
    if (!text->failed && cap != text->cap) {
        char *grown = realloc(text->at, cap);
        text->failed = grown == NULL;
        text->at = grown == NULL ? text->at : grown;
        text->cap = grown == NULL ? text->cap : cap;
    }
    if (!text->failed) {
        memcpy(text->at + text->len, bytes, len);
        text->len += len;
        text->at[text->len] = '\0';
    }
}

static void add_plain(struct text *text, const char *plain)
{
    add(text, plain, strlen(plain));
}

/* Backslash and line feed are escaped, in a label's value the quote, too. */
static void add_escaped(struct text *text, const char *from, bool quote)
{
    const unsigned char *at = (const unsigned char *)from;
    size_t left = strlen(from);
    while (left > 0) {
        size_t n = emu_utf8_length(at, left);
        if (n == 0) {
            add_plain(text, "\xef\xbf\xbd"); /* U+FFFD */
        } else if (*at == '\\') {
            add_plain(text, "\\\\");
        } else if (*at == '\n') {
            add_plain(text, "\\n");
        } else if (*at == '"' && quote) {
            add_plain(text, "\\\"");
        } else {
            add(text, (const char *)at, n);
        }
        at += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
}

static void add_double(struct text *text, double value)
{
    char number[NUMBER_ROOM];
    if (isnan(value)) {
        add_plain(text, "NaN");
    } else if (isinf(value)) {
        add_plain(text, value > 0 ? "+Inf" : "-Inf");
    } else {
        int digits = 15; /* the fewest that read back to it */
        do {
            (void)snprintf(number, sizeof number, "%.*g", digits, value);
        } while (strtod(number, NULL) != value && ++digits <= 17);
        add_plain(text, number);
    }
}

static void add_uint(struct text *text, uint64_t value)
{
    char number[NUMBER_ROOM];
    (void)snprintf(number, sizeof number, "%" PRIu64, value);
    add_plain(text, number);
}

/* Name and labels of a line; bound is the value of `le` or NULL. */
static void add_name(struct text *text, const struct emu_metric *metric, const char *ending,
                     const double *bound)
{
    const struct emu_metric_family *family = metric->family;
    const char *between = "{";
    add_plain(text, family->name);
    add_plain(text, ending);
    for (size_t i = 0; i < family->label_count; i++) {
        add_plain(text, between);
        add_plain(text, family->labels[i]);
        add_plain(text, "=\"");
        add_escaped(text, metric->values[i], true);
        add_plain(text, "\"");
        between = ",";
    }
    if (bound != NULL) {
        add_plain(text, between);
        add_plain(text, "le=\"");
        add_double(text, *bound);
        add_plain(text, "\"");
    }
    add_plain(text, family->label_count > 0 || bound != NULL ? "} " : " ");
}

static void add_histogram(struct text *text, const struct emu_metric *metric)
{
    const struct emu_metric_family *family = metric->family;
    uint64_t below = 0;
    for (size_t i = 0; i <= family->bound_count; i++) {
        double bound = i < family->bound_count ? family->bounds[i] : (double)INFINITY;
        below += metric->buckets[i];
        add_name(text, metric, "_bucket", &bound);
        add_uint(text, below);
        add_plain(text, "\n");
    }
    add_name(text, metric, "_sum", NULL);
    add_double(text, metric->value);
    add_plain(text, "\n");
    add_name(text, metric, "_count", NULL);
    add_uint(text, metric->count);
    add_plain(text, "\n");
}

static void add_family(struct text *text, const struct emu_metric_family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    add_plain(text, "# HELP ");
    add_plain(text, family->name);
    add_plain(text, " ");
    add_escaped(text, family->help, false);
    add_plain(text, "\n# TYPE ");
    add_plain(text, family->name);
    add_plain(text, " ");
    add_plain(text, types[family->type]);
    add_plain(text, "\n");
    for (const struct emu_metric *metric = family->first; metric != NULL; metric = metric->next) {
        if (family->type == EMU_METRIC_HISTOGRAM) {
            add_histogram(text, metric);
            continue;
        }
        add_name(text, metric, "", NULL);
        if (family->type == EMU_METRIC_COUNTER) {
            add_uint(text, metric->count);
        } else {
            add_double(text, metric->value);
        }
        add_plain(text, "\n");
    }
}

int emu_metrics_write(const struct emu_metrics *metrics, char **text, size_t *len)
{
    struct text made = {0};
    add_plain(&made, "");
    for (const struct emu_metric_family *f = metrics->first; f != NULL; f = f->next) {
        add_family(&made, f);
    }
    *text = NULL;
    *len = 0;
    if (made.failed) {
        free(made.at);
        return QKD_ERR_NOMEM;
    }
    *text = made.at;
    *len = made.len;
    return 0;
}
