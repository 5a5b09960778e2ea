/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key of a link over time, in exact integers: see link.h. */
#include "models/link.h"

#include <math.h>

#include "core/base/err.h"
#include "models/real.h"

#define NS_PER_S UINT64_C(1000000000)

/* Index of the point in force at t_ns, `count` before the first; searching on from `from`. */
static size_t point_at(const struct mdl_link_params *params, int64_t t_ns, size_t from)
{
    size_t next = from == params->count ? 0 : from + 1;
    while (next < params->count && params->points[next].t_ns <= t_ns) {
        next++;
    }
    return next == 0 ? params->count : next - 1;
}

/* The rate that yields key under point `index` (0 before the first point). */
static uint64_t rate_of(const struct mdl_link_params *params, size_t index)
{
    if (index == params->count || params->points[index].qber >= MDL_QBER_LIMIT) {
        return 0;
    }
    return params->points[index].rate_bps;
}

/* Where point `index` ends. */
static int64_t end_of(const struct mdl_link_params *params, size_t index)
{
    size_t next = index == params->count ? 0 : index + 1;
    return next == params->count ? INT64_MAX : params->points[next].t_ns;
}

/* The state of counting: a copy of it looks ahead. */
struct count {
    int64_t now_ns;
    size_t index;
    struct mdl_wide progress;
    double error_bits;
};

/* Counts to `to_ns`, which point c->index reaches. */
static void count_within(struct count *c, const struct mdl_link_params *params, int64_t to_ns)
{
    uint64_t rate = rate_of(params, c->index);
    if (rate > 0 && to_ns > c->now_ns) {
        struct mdl_wide made = mdl_wide_mul(rate, (uint64_t)(to_ns - c->now_ns));
        c->progress = mdl_wide_add(c->progress, made);
        c->error_bits += params->points[c->index].qber * (mdl_wide_real(made) / 1e9);
    }
    c->now_ns = to_ns;
}

/* Counts to `to_ns` across points. */
static void count_to(struct count *c, const struct mdl_link_params *params, int64_t to_ns)
{
    while (end_of(params, c->index) <= to_ns && end_of(params, c->index) < INT64_MAX) {
        count_within(c, params, end_of(params, c->index));
        c->index = point_at(params, c->now_ns, c->index);
    }
    count_within(c, params, to_ns);
}

static struct count count_of(const struct mdl_link *link)
{
    return (struct count){.now_ns = link->now_ns,
                          .index = link->index,
                          .progress = link->progress,
                          .error_bits = link->error_bits};
}

static void count_store(struct mdl_link *link, const struct count *c)
{
    link->now_ns = c->now_ns;
    link->index = c->index;
    link->progress = c->progress;
    link->error_bits = c->error_bits;
}

/* What the rate must yield for a new block. */
static struct mdl_wide whole_next(const struct mdl_link_params *params)
{
    struct mdl_wide whole = mdl_wide_mul(params->block_bits, NS_PER_S);
    if (params->poisson == NULL) {
        return whole;
    }
    /* at least 1: two blocks never complete by the same bit */
    double drawn = -mdl_log(qkd_rng_unit(params->poisson)) * mdl_wide_real(whole);
    return mdl_wide_of(drawn < 1 ? 1 : drawn);
}

/* Looks ahead for the end of the block in work. */
static struct mdl_block block_find(const struct mdl_link *link)
{
    const struct mdl_link_params *params = &link->params;
    struct mdl_wide whole = link->whole;
    double whole_bits = mdl_wide_real(whole) / 1e9;
    struct count c = count_of(link);
    for (;;) {
        uint64_t rate = rate_of(params, c.index);
        int64_t end_ns = end_of(params, c.index);
        if (!mdl_wide_less(c.progress, whole)) {
            return (struct mdl_block){.done = {c.now_ns},
                                      .qber = c.error_bits / (mdl_wide_real(c.progress) / 1e9)};
        }
        if (rate > 0) {
            uint64_t need_ns = mdl_wide_div_up(mdl_wide_sub(whole, c.progress), rate);
            if (need_ns <= (uint64_t)(end_ns - c.now_ns)) {
                double bits = mdl_wide_real(mdl_wide_sub(whole, c.progress)) / 1e9;
                double errors = c.error_bits + params->points[c.index].qber * bits;
                return (struct mdl_block){.done = {c.now_ns + (int64_t)need_ns},
                                          .qber = errors / whole_bits};
            }
        }
        if (end_ns == INT64_MAX) {
            return (struct mdl_block){.done = QKD_NEVER};
        }
        count_within(&c, params, end_ns);
        c.index = point_at(params, c.now_ns, c.index);
    }
}

void mdl_link_init(struct mdl_link *link, const struct mdl_link_params *params, struct qkd_time now)
{
    QKD_ASSERT(params->count > 0 && params->block_bits > 0);
    *link = (struct mdl_link){.params = *params, .running = true, .now_ns = now.ns};
    link->index = point_at(params, now.ns, params->count);
    link->whole = whole_next(params);
    link->next = block_find(link);
}

struct mdl_block mdl_link_next_block(const struct mdl_link *link)
{
    return link->running ? link->next : (struct mdl_block){.done = QKD_NEVER};
}

void mdl_link_take_block(struct mdl_link *link)
{
    QKD_ASSERT(link->running && link->next.done.ns < INT64_MAX);
    struct count c = count_of(link);
    count_to(&c, &link->params, link->next.done.ns);
    c.progress = mdl_wide_sub(c.progress, link->whole);
    uint64_t rate = rate_of(&link->params, c.index);
    /* The rest of the last nanosecond belongs to the next block. */
    c.error_bits = rate == 0
                       ? 0
                       : link->params.points[c.index].qber * (mdl_wide_real(c.progress) / 1e9);
    count_store(link, &c);
    link->whole = whole_next(&link->params);
    link->next = block_find(link);
}

void mdl_link_pause(struct mdl_link *link, struct qkd_time now)
{
    QKD_ASSERT(!link->running || now.ns <= link->next.done.ns);
    link->running = false;
}

/* Regular blocks: counts to `to_ns` and drops what was completed on the way. */
static void count_past(struct count *c, const struct mdl_link *link, int64_t to_ns)
{
    const struct mdl_link_params *params = &link->params;
    while (c->now_ns < to_ns) {
        int64_t end_ns = end_of(params, c->index);
        count_within(c, params, end_ns < to_ns ? end_ns : to_ns);
        if (!mdl_wide_less(c->progress, link->whole)) {
            /* the last of them was completed under this point: so is all that is left */
            c->progress = mdl_wide_rest(c->progress, link->whole);
            c->error_bits = params->points[c->index].qber * (mdl_wide_real(c->progress) / 1e9);
        }
        c->index = c->now_ns == end_ns ? point_at(params, end_ns, c->index) : c->index;
    }
}

void mdl_link_resume(struct mdl_link *link, struct qkd_time now)
{
    if (link->running) {
        return;
    }
    QKD_ASSERT(now.ns >= link->now_ns);
    link->running = true;
    if (now.ns < link->next.done.ns) {
        return; /* nothing was completed meanwhile */
    }
    struct count c = count_of(link);
    if (link->params.poisson == NULL) {
        count_past(&c, link, now.ns);
    } else { /* whatever went by, the wait for the next block has no memory */
        c = (struct count){.now_ns = now.ns, .index = point_at(&link->params, now.ns, c.index)};
        link->whole = whole_next(&link->params);
    }
    count_store(link, &c);
    link->next = block_find(link);
}

/* Counts what is under way up to now, as a pause or not does. */
static void catch_up(struct mdl_link *link, struct qkd_time now)
{
    struct count c = count_of(link);
    if (link->running || now.ns < link->next.done.ns) { /* else it was lost in a pause */
        count_to(&c, &link->params, now.ns);
    } else if (link->params.poisson == NULL) {
        count_past(&c, link, now.ns);
    } else {
        c = (struct count){.now_ns = now.ns, .index = point_at(&link->params, now.ns, c.index)};
        link->whole = whole_next(&link->params);
    }
    count_store(link, &c);
}

void mdl_link_freeze(struct mdl_link *link, struct qkd_time now)
{
    if (link->frozen) {
        return;
    }
    QKD_ASSERT(now.ns >= link->now_ns);
    catch_up(link, now);
    link->frozen = true;
    link->next = (struct mdl_block){.done = QKD_NEVER};
}

void mdl_link_thaw(struct mdl_link *link, struct qkd_time now)
{
    if (!link->frozen) {
        return;
    }
    QKD_ASSERT(now.ns >= link->now_ns);
    link->frozen = false;
    link->now_ns = now.ns;
    link->index = point_at(&link->params, now.ns, link->params.count);
    link->next = block_find(link);
}

uint64_t mdl_link_bits(const struct mdl_link_params *params, struct qkd_time from,
                       struct qkd_time to)
{
    struct count c = {.now_ns = from.ns, .index = point_at(params, from.ns, params->count)};
    count_to(&c, params, to.ns);
    uint64_t up = mdl_wide_div_up(c.progress, NS_PER_S);
    bool exact = mdl_wide_mul(up, NS_PER_S).lo == c.progress.lo;
    return exact ? up : up - 1;
}

size_t mdl_link_noise_change(const struct mdl_link_params *params, size_t from, bool noisy)
{
    size_t index = from;
    while (index < params->count && (params->points[index].qber > MDL_QBER_LIMIT) == noisy) {
        index++;
    }
    return index;
}
