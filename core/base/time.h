/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instants and durations as two struct types, so that mixing them does not compile.
 * Core never reads a clock: both times arrive with each event (base/event.h). */
#ifndef QKD_BASE_TIME_H
#define QKD_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* An instant: nanoseconds since an epoch that the bearer knows (monotonic or UTC). */
struct qkd_time {
    int64_t ns;
};

/* A duration in nanoseconds. */
struct qkd_span {
    int64_t ns;
};

#define QKD_NEVER ((struct qkd_time){INT64_MAX})
#define QKD_NS_PER_US INT64_C(1000)
#define QKD_NS_PER_MS INT64_C(1000000)
#define QKD_NS_PER_S INT64_C(1000000000)

static inline struct qkd_span qkd_span_ns(int64_t ns)
{
    return (struct qkd_span){ns};
}

static inline struct qkd_span qkd_span_ms(int64_t ms)
{
    return (struct qkd_span){ms * QKD_NS_PER_MS};
}

static inline struct qkd_span qkd_span_s(int64_t s)
{
    return (struct qkd_span){s * QKD_NS_PER_S};
}

/* The instant `d` after `t`; saturates at QKD_NEVER. */
static inline struct qkd_time qkd_time_add(struct qkd_time t, struct qkd_span d)
{
    if (d.ns > 0 && t.ns > INT64_MAX - d.ns) {
        return QKD_NEVER;
    }
    return (struct qkd_time){t.ns + d.ns};
}

/* The duration from `b` to `a` (a - b). */
static inline struct qkd_span qkd_time_sub(struct qkd_time a, struct qkd_time b)
{
    return (struct qkd_span){a.ns - b.ns};
}

static inline bool qkd_time_before(struct qkd_time a, struct qkd_time b)
{
    return a.ns < b.ns;
}

static inline struct qkd_time qkd_time_min(struct qkd_time a, struct qkd_time b)
{
    return a.ns < b.ns ? a : b;
}

#endif
