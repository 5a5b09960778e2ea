/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrivals of requests: see arrivals.h. */
#include "models/arrivals.h"

#include <math.h>

#include "core/base/err.h"

#define LATEST_NS 9e18 /* below INT64_MAX, whatever the rounding */

void mdl_arrivals_init(struct mdl_arrivals *arrivals, const struct mdl_arrivals_params *params)
{
    QKD_ASSERT(params->kind == MDL_ARRIVALS_TRACE || params->rate_per_s > 0);
    *arrivals = (struct mdl_arrivals){.params = *params, .last_ns = params->start.ns};
}

/* start_ns + gap_ns, INT64_MAX if that is too late. */
static int64_t later(int64_t start_ns, double gap_ns)
{
    if (!(gap_ns + (double)start_ns < LATEST_NS)) {
        return INT64_MAX;
    }
    return start_ns + (int64_t)llround(gap_ns);
}

static int64_t poisson_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    double gap_ns = -log(qkd_rng_unit(rng)) / arrivals->params.rate_per_s * 1e9;
    return later(arrivals->last_ns, gap_ns);
}

/* From the number of arrivals, not from the one before: rounding does not add up. */
static int64_t periodic_next(const struct mdl_arrivals *arrivals)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    double periods = (double)arrivals->made + (params->offset_ns < 0 ? 1 : 0);
    int64_t first_ns = params->start.ns + (params->offset_ns < 0 ? 0 : params->offset_ns);
    return later(first_ns, periods * 1e9 / params->rate_per_s);
}

static int64_t trace_next(struct mdl_arrivals *arrivals)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    while (arrivals->made < params->times_count &&
           params->times_ns[arrivals->made] < params->start.ns) {
        arrivals->made++;
    }
    return arrivals->made < params->times_count ? params->times_ns[arrivals->made] : INT64_MAX;
}

struct qkd_time mdl_arrivals_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    if (arrivals->last_ns == INT64_MAX) {
        return QKD_NEVER;
    }
    int64_t next_ns = INT64_MAX;
    switch (arrivals->params.kind) {
    case MDL_ARRIVALS_POISSON:
        next_ns = poisson_next(arrivals, rng);
        break;
    case MDL_ARRIVALS_PERIODIC:
        next_ns = periodic_next(arrivals);
        break;
    case MDL_ARRIVALS_TRACE:
        next_ns = trace_next(arrivals);
        break;
    }
    if (next_ns >= arrivals->params.stop.ns) {
        next_ns = INT64_MAX;
    }
    arrivals->made++;
    arrivals->last_ns = next_ns;
    return (struct qkd_time){next_ns};
}
