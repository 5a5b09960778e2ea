/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node's clocks: monotonic and wall time as its elements see them, from the world's time, with an
 * offset and a constant drift. Integers only, so that a run is the same everywhere. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "core/base/time.h"

/* True UTC at the world's time 0: 2026-01-01T00:00:00Z. */
#define SIM_EPOCH_NS (INT64_C(1767225600) * QKD_NS_PER_S)

struct sim_clock {
    int64_t drift_ppb; /* rate minus 1, in 1e-9; above -1e9 */
    int64_t mono_ns;   /* shown by the monotonic clock at the world's time 0 */
    int64_t wall_ns;   /* shown by the wall clock then */
};

/* What the clocks show at the world's time t_ns >= 0. */
struct qkd_time sim_clock_mono(const struct sim_clock *clock, int64_t t_ns);
struct qkd_time sim_clock_wall(const struct sim_clock *clock, int64_t t_ns);

/* The first world time at which the monotonic clock shows at least `mono`; INT64_MAX for
 * QKD_NEVER and for what lies beyond the range. */
int64_t sim_clock_when(const struct sim_clock *clock, struct qkd_time mono);

#endif
