/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Node clocks. The drift of t is split at whole seconds so that no product overflows. */
#include "sim/clock.h"

#define LATEST_NS (INT64_MAX / 4)

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

/* How far a clock that showed 0 at time 0 is at t_ns. */
static int64_t elapsed(const struct sim_clock *clock, int64_t t_ns)
{
    if (clock->drift_ppb == 0) {
        return t_ns;
    }
    int64_t whole = t_ns / QKD_NS_PER_S;
    int64_t rest = t_ns % QKD_NS_PER_S;
    return t_ns + whole * clock->drift_ppb + floor_div(rest * clock->drift_ppb, QKD_NS_PER_S);
}

struct qkd_time sim_clock_mono(const struct sim_clock *clock, int64_t t_ns)
{
    return (struct qkd_time){clock->mono_ns + elapsed(clock, t_ns)};
}

struct qkd_time sim_clock_wall(const struct sim_clock *clock, int64_t t_ns)
{
    return (struct qkd_time){clock->wall_ns + elapsed(clock, t_ns)};
}

int64_t sim_clock_when(const struct sim_clock *clock, struct qkd_time mono)
{
    if (mono.ns >= LATEST_NS) {
        return INT64_MAX;
    }
    int64_t want = mono.ns - clock->mono_ns;
    if (want <= 0) {
        return 0;
    }
    if (clock->drift_ppb == 0) {
        return want;
    }
    /* A first guess that is exact to a few ns, then the exact first instant. */
    int64_t rate = QKD_NS_PER_S + clock->drift_ppb;
    int64_t t_ns = want / rate * QKD_NS_PER_S + want % rate * QKD_NS_PER_S / rate;
    while (t_ns > 0 && elapsed(clock, t_ns - 1) >= want) {
        t_ns--;
    }
    while (elapsed(clock, t_ns) < want) {
        t_ns++;
    }
    return t_ns;
}
