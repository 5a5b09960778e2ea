/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When requests come: a Poisson process, a fixed period, a list of instants, Poisson bursts between
 * silences (on-off), or a Poisson process whose rate follows the time of day (diurnal). */
#ifndef MDL_ARRIVALS_H
#define MDL_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/time.h"

enum mdl_arrivals_kind {
    MDL_ARRIVALS_POISSON,
    MDL_ARRIVALS_PERIODIC,
    MDL_ARRIVALS_TRACE,
    MDL_ARRIVALS_ON_OFF,
    MDL_ARRIVALS_DIURNAL
};

/* From this time of day on, requests come at this rate. */
struct mdl_arrivals_level {
    int64_t t_ns;
    double rate_per_s;
};

struct mdl_arrivals_params {
    enum mdl_arrivals_kind kind;
    double rate_per_s; /* poisson, periodic: > 0; on-off: while on, > 0; diurnal: at the peak */
    int64_t offset_ns; /* periodic: first arrival after start; < 0: one period;
                                on-off, fixed: first on period after start; < 0: at once */
    const int64_t *times_ns; /* trace: not decreasing; must live as long as the arrivals */
    size_t times_count;      /* trace */
    int64_t on_ns, off_ns;   /* on-off: (mean) length of the periods, > 0 */
    bool fixed;              /* on-off: exactly that long; else exponential */
    double trough_per_s;     /* diurnal, sinusoid: least rate, 0 .. rate_per_s */
    int64_t peak_ns;         /* diurnal, sinusoid: time of day of the peak */
    int64_t day_ns;          /* diurnal: the period, > 0; time 0 begins a day */
    const struct mdl_arrivals_level
        *levels; /* diurnal: constant pieces by time of day (in [0, day),
                                                increasing, not all 0; before the first one the last
                                                one holds), or NULL: a sinusoid. Must live long. */
    size_t level_count;
    struct qkd_time start; /* no arrival before */
    struct qkd_time stop;  /* none at or after */
};

struct mdl_arrivals {
    struct mdl_arrivals_params params;
    uint64_t made; /* arrivals so far (trace: instants passed) */
    int64_t last_ns;
    double share, fast_per_s, slow_per_s; /* on-off, exponential: the law of its gaps */
    double day_sum;                       /* diurnal by levels: mean number of arrivals in a day */
    size_t level;                         /* diurnal by levels: the one at last_ns */
};

void mdl_arrivals_init(struct mdl_arrivals *arrivals, const struct mdl_arrivals_params *params);

/* The next arrival, QKD_NEVER after the last; times are rounded to whole nanoseconds. All chance
 * comes from `rng`, by inverse transform of uniform draws. Each kind is exact, not a discretisation:
 *   poisson   exponential gaps
 *   on-off    fixed: the arrivals of a Poisson process in on time, the off periods put between.
 *             exponential: begins in the stationary state; its gaps are then independent and of a
 *             two-phase hyperexponential law (A. Kuczura, The interrupted Poisson process as an
 *             overflow process, Bell System Technical Journal 52(3), 1973).
 *   diurnal   levels: inversion of the summed rate. Sinusoid, trough + (peak - trough) *
 *             (1 + cos(2 pi (t - peak time) / day)) / 2: thinning (P. A. W. Lewis, G. S. Shedler,
 *             Naval Research Logistics Quarterly 26(3), 1979).
 * periodic and trace draw nothing. */
struct qkd_time mdl_arrivals_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng);

/* How long a session lasts: exponential, or always the mean. */
struct mdl_hold {
    bool fixed;
    int64_t mean_ns; /* > 0 */
};

/* The time of one session, at least 1 ns; fixed draws nothing. */
struct qkd_span mdl_hold_next(const struct mdl_hold *hold, struct qkd_rng *rng);

#endif
