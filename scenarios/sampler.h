/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Collects durations in memory that does not grow with their number. Mean and max are exact. Quantiles
 * (by nearest rank) are exact up to SCN_SAMPLER_EXACT durations; from then on they come from counts in
 * intervals, 256 to each factor of two, and are off by at most one part in SCN_SAMPLER_ERROR: the middle
 * of an interval stands for what lies in it. Shorter than 256 ns, and the maximum, stay exact. */
#ifndef SCN_SAMPLER_H
#define SCN_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCN_SAMPLER_EXACT 8192
#define SCN_SAMPLER_ERROR 512

/* A distribution of durations in seconds; all NAN if count is 0. Quantiles by nearest rank. */
struct scn_spread {
    uint64_t count;
    double mean, p50, p95, p99, max;
};

#define SCN_SAMPLER_OCTAVES 56 /* intervals of 64-bit durations by the power of two */

/* Zero-initialise; fini frees. */
struct scn_sampler {
    int64_t *values_ns;                     /* the durations themselves while there are few */
    size_t limit;                           /* allocated */
    uint64_t *octaves[SCN_SAMPLER_OCTAVES]; /* later counts, 256 each; NULL: nothing there */
    bool many;                              /* octaves are used */
    uint64_t seen;
    int64_t max_ns;
    double sum_s;
};

/* 0 or QKD_ERR_NOMEM (then the value counts in mean and max, not in the quantiles). Durations under 0
 * count as 0. */
int scn_sampler_add(struct scn_sampler *sampler, int64_t ns);
void scn_sampler_spread(struct scn_sampler *sampler, struct scn_spread *spread); /* sorts */
void scn_sampler_fini(struct scn_sampler *sampler);

#endif
