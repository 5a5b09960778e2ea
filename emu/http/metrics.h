/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metrics of a daemon in the text format that Prometheus scrapes
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4): counters, gauges and
 * histograms, with labels. A family has a name, a text and label names; its series differ in label
 * values. Changing a value allocates nothing. One thread. */
#ifndef EMU_METRICS_H
#define EMU_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define EMU_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8" /* Content-Type of the text */
#define EMU_METRICS_LABELS_MAX 4
#define EMU_METRICS_BOUNDS_MAX 32
#define EMU_METRICS_SERIES_MAX 4096 /* of a family: labels must not come from outside unbounded */

enum emu_metric_type { EMU_METRIC_COUNTER, EMU_METRIC_GAUGE, EMU_METRIC_HISTOGRAM };

struct emu_metrics;
struct emu_metric_family;
struct emu_metric; /* one series */

struct emu_metric_spec {
    const char *name; /* [a-zA-Z_:][a-zA-Z0-9_:]*, with the unit at its end */
    const char *help;
    enum emu_metric_type type;
    const char *labels[EMU_METRICS_LABELS_MAX]; /* [a-zA-Z_][a-zA-Z0-9_]*; NULL after the last */
    const double *bounds;                       /* of a histogram: upper bounds, rising, finite */
    size_t bound_count;                         /* without the last, +Inf, which is always there */
};

/* NULL without memory. */
struct emu_metrics *emu_metrics_new(void);
void emu_metrics_free(struct emu_metrics *metrics); /* NULL is allowed */

/* Adds a family, which lives as long as metrics. QKD_ERR_INVALID: name, label or bounds;
 * QKD_ERR_EXISTS: a name of its lines is taken; QKD_ERR_NOMEM. */
int emu_metrics_add(struct emu_metrics *metrics, const struct emu_metric_spec *spec,
                    struct emu_metric_family **family);

/* The series with these label values (as many as the family has labels; values may be NULL without),
 * made with value 0 when asked for first. NULL without memory or beyond EMU_METRICS_SERIES_MAX; the
 * functions below accept NULL and then do nothing. */
struct emu_metric *emu_metric_of(struct emu_metric_family *family, const char *const *values);

void emu_metric_count(struct emu_metric *counter, uint64_t more);
/* For a counter that is counted elsewhere; a smaller value than before is a restart. */
void emu_metric_count_to(struct emu_metric *counter, uint64_t total);
void emu_metric_set(struct emu_metric *gauge, double value);
void emu_metric_observe(struct emu_metric *histogram, double value);

/* The whole text, zero-terminated, families in the order they were added, series in the order they
 * were made. The caller frees *text. QKD_ERR_NOMEM. */
int emu_metrics_write(const struct emu_metrics *metrics, char **text, size_t *len);

#endif
