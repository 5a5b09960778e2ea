/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrivals of requests: see arrivals.h. */
#include "models/arrivals.h"

#include <math.h>

#include "core/base/err.h"
#include "models/real.h"

#define LATEST_NS 9e18 /* below INT64_MAX, whatever the rounding */

/* The gaps of the interrupted Poisson process: with probability `share` exponential at the fast
 * rate, else at the slow one. With the rates l of arrivals, a of leaving the on state and b of
 * returning to it, both are the roots of x^2 - (l + a + b) x + l b. */
static void gaps_init(struct mdl_arrivals *arrivals)
{
    double l = arrivals->params.rate_per_s;
    double a = 1e9 / (double)arrivals->params.on_ns;
    double b = 1e9 / (double)arrivals->params.off_ns;
    double root = sqrt((l + a - b) * (l + a - b) + 4 * a * b);
    double fast = (l + a + b + root) / 2;
    double above = l + a - b; /* 2 (fast - b) = above + root, without cancellation */
    double twice = above < 0 ? 4 * a * b / (root - above) : above + root;
    arrivals->fast_per_s = fast;
    arrivals->slow_per_s = l * b / fast;
    arrivals->share = l * (twice / 2) / fast / root;
}

static int64_t level_end_ns(const struct mdl_arrivals_params *params, size_t level)
{
    return level + 1 < params->level_count ? params->levels[level + 1].t_ns : params->day_ns;
}

/* Sums a day; the part of it before the first level belongs to the last. */
static void levels_init(struct mdl_arrivals *arrivals)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    const struct mdl_arrivals_level *levels = params->levels;
    size_t last = params->level_count - 1;
    arrivals->day_sum = levels[last].rate_per_s * (double)levels[0].t_ns / 1e9;
    for (size_t i = 0; i <= last; i++) {
        int64_t length_ns = level_end_ns(params, i) - levels[i].t_ns;
        arrivals->day_sum += levels[i].rate_per_s * (double)length_ns / 1e9;
    }
    QKD_ASSERT(arrivals->day_sum > 0);
    int64_t in_day_ns = params->start.ns % params->day_ns;
    arrivals->level = last;
    for (size_t i = 0; i <= last && levels[i].t_ns <= in_day_ns; i++) {
        arrivals->level = i;
    }
}

void mdl_arrivals_init(struct mdl_arrivals *arrivals, const struct mdl_arrivals_params *params)
{
    QKD_ASSERT(params->kind == MDL_ARRIVALS_TRACE || params->levels != NULL ||
               params->rate_per_s > 0);
    *arrivals = (struct mdl_arrivals){.params = *params, .last_ns = params->start.ns};
    if (params->kind == MDL_ARRIVALS_ON_OFF && !params->fixed) {
        gaps_init(arrivals);
    } else if (params->kind == MDL_ARRIVALS_DIURNAL && params->levels != NULL) {
        levels_init(arrivals);
    }
}

/* start_ns + gap_ns, INT64_MAX if that is too late. */
static int64_t later(int64_t start_ns, double gap_ns)
{
    if (!(gap_ns + (double)start_ns < LATEST_NS)) {
        return INT64_MAX;
    }
    return start_ns + (int64_t)llround(gap_ns);
}

/* A draw of the exponential law with mean 1. */
static double exponential(struct qkd_rng *rng)
{
    return -mdl_log(qkd_rng_unit(rng));
}

static int64_t poisson_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    double gap_ns = exponential(rng) / arrivals->params.rate_per_s * 1e9;
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

/* Exponential periods: an arrival is always in the on state, so that the gaps renew. */
static int64_t bursts_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    double wait_ns = 0;
    if (arrivals->made == 0) {
        double on = (double)params->on_ns;
        double off = (double)params->off_ns;
        wait_ns = qkd_rng_unit(rng) * (on + off) < on ? 0 : exponential(rng) * off;
    }
    bool fast = qkd_rng_unit(rng) < arrivals->share;
    double rate_per_s = fast ? arrivals->fast_per_s : arrivals->slow_per_s;
    return later(arrivals->last_ns, wait_ns + exponential(rng) / rate_per_s * 1e9);
}

/* begin_ns + wait_ns rounded, but not before begin_ns, and before end_ns. */
static int64_t within(int64_t begin_ns, double wait_ns, int64_t end_ns)
{
    int64_t at_ns = begin_ns + (wait_ns > 0 ? (int64_t)llround(wait_ns) : 0);
    return at_ns < end_ns ? at_ns : end_ns - 1;
}

/* Fixed periods: the gap in on time, then whole cycles and the off periods on its way added. */
static int64_t cycles_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    int64_t cycle_ns = params->on_ns + params->off_ns;
    int64_t first_ns = params->start.ns + (params->offset_ns < 0 ? 0 : params->offset_ns);
    int64_t last_ns = arrivals->last_ns < first_ns ? first_ns : arrivals->last_ns;
    int64_t on_ns = (last_ns - first_ns) % cycle_ns; /* an arrival is always in an on period */
    int64_t begin_ns = last_ns - on_ns;
    double gap_ns = exponential(rng) / params->rate_per_s * 1e9 + (double)on_ns;
    double cycles = floor(gap_ns / (double)params->on_ns);
    if (!((double)begin_ns + (cycles + 1) * (double)cycle_ns < LATEST_NS)) {
        return INT64_MAX;
    }
    begin_ns += (int64_t)cycles * cycle_ns;
    return within(begin_ns, gap_ns - cycles * (double)params->on_ns, begin_ns + params->on_ns);
}

static int64_t sinusoid_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    int64_t at_ns = arrivals->last_ns;
    for (;;) {
        at_ns = later(at_ns, exponential(rng) / params->rate_per_s * 1e9);
        if (at_ns >= params->stop.ns) {
            return INT64_MAX;
        }
        int64_t after_ns = (at_ns % params->day_ns) - params->peak_ns;
        double turn = (double)after_ns / (double)params->day_ns;
        double swing = (1 + mdl_cos_turns(turn)) / 2;
        double rate = params->trough_per_s + (params->rate_per_s - params->trough_per_s) * swing;
        if (qkd_rng_unit(rng) * params->rate_per_s < rate) {
            return at_ns;
        }
    }
}

/* One exponential draw is spent along the levels; whole days are skipped at once. */
static int64_t levels_next(struct mdl_arrivals *arrivals, struct qkd_rng *rng)
{
    const struct mdl_arrivals_params *params = &arrivals->params;
    double left = exponential(rng);
    double days = floor(left / arrivals->day_sum);
    left -= days * arrivals->day_sum;
    if (!((double)arrivals->last_ns + days * (double)params->day_ns < LATEST_NS)) {
        return INT64_MAX;
    }
    int64_t at_ns = arrivals->last_ns + (int64_t)days * params->day_ns;
    while (at_ns < params->stop.ns) {
        double rate_per_s = params->levels[arrivals->level].rate_per_s;
        int64_t day_ns = at_ns - at_ns % params->day_ns; /* it began */
        int64_t end_ns = day_ns + level_end_ns(params, arrivals->level);
        if (at_ns - day_ns < params->levels[0].t_ns) {
            end_ns = day_ns + params->levels[0].t_ns; /* the last level goes on over midnight */
        }
        double sum = rate_per_s * (double)(end_ns - at_ns) / 1e9;
        if (left < sum) {
            return within(at_ns, left / rate_per_s * 1e9, end_ns);
        }
        left -= sum;
        at_ns = end_ns;
        bool midnight = at_ns % params->day_ns == 0;
        if (!midnight || params->levels[0].t_ns == 0) {
            arrivals->level = (arrivals->level + 1) % params->level_count;
        }
    }
    return INT64_MAX;
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
    case MDL_ARRIVALS_ON_OFF:
        next_ns = arrivals->params.fixed ? cycles_next(arrivals, rng) : bursts_next(arrivals, rng);
        break;
    case MDL_ARRIVALS_DIURNAL:
        next_ns = arrivals->params.levels == NULL ? sinusoid_next(arrivals, rng)
                                                  : levels_next(arrivals, rng);
        break;
    }
    if (next_ns >= arrivals->params.stop.ns) {
        next_ns = INT64_MAX;
    }
    arrivals->made++;
    arrivals->last_ns = next_ns;
    return (struct qkd_time){next_ns};
}

struct qkd_span mdl_hold_next(const struct mdl_hold *hold, struct qkd_rng *rng)
{
    QKD_ASSERT(hold->mean_ns > 0);
    if (hold->fixed) {
        return (struct qkd_span){hold->mean_ns};
    }
    int64_t hold_ns = later(0, exponential(rng) * (double)hold->mean_ns);
    return (struct qkd_span){hold_ns > 0 ? hold_ns : 1};
}
