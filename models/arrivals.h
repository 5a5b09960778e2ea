/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When requests come: a Poisson process, a fixed period, or a list of instants. */
#ifndef MDL_ARRIVALS_H
#define MDL_ARRIVALS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/time.h"

enum mdl_arrivals_kind { MDL_ARRIVALS_POISSON, MDL_ARRIVALS_PERIODIC, MDL_ARRIVALS_TRACE };

struct mdl_arrivals_params {
    enum mdl_arrivals_kind kind;
    double rate_per_s;       /* poisson, periodic: > 0 */
    int64_t offset_ns;       /* periodic: first arrival after start; < 0: one period */
    const int64_t *times_ns; /* trace: not decreasing; must live as long as the arrivals */
    size_t times_count;      /* trace */
    struct qkd_time start;   /* no arrival before */
    struct qkd_time stop;    /* none at or after */
};

struct mdl_arrivals {
    struct mdl_arrivals_params params;
    uint64_t made; /* arrivals so far (trace: instants passed) */
    int64_t last_ns;
};

void mdl_arrivals_init(struct mdl_arrivals *arrivals, const struct mdl_arrivals_params *params);

/* The next arrival, QKD_NEVER after the last. Poisson: the gap is exponential (inverse transform of
 * one uniform draw from `rng`), rounded to a whole nanosecond; the others draw nothing. */
struct qkd_time mdl_arrivals_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng);

#endif
