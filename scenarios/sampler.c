/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Durations: sorted while they are few, counted in logarithmic intervals when they are many. */
#include "scenarios/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/err.h"

enum { STEPS = 256, STEPS_SHIFT = 8, FIRST_LIMIT = 64 };

/* Where a duration is counted. Octave 0 holds 0 to 255 ns one by one; octave k the durations of
 * STEPS_SHIFT + k significant bits, by the leading nine of them. */
struct place {
    unsigned octave, step;
};

static struct place place_of(uint64_t ns)
{
    unsigned shift = 0;
    while (ns >> shift >= 2 * STEPS) {
        shift++;
    }
    if (ns < STEPS) {
        return (struct place){0, (unsigned)ns};
    }
    return (struct place){shift + 1, (unsigned)(ns >> shift) - STEPS};
}

/* The middle of the interval. */
static double middle_ns(struct place place)
{
    if (place.octave == 0) {
        return place.step;
    }
    double width = ldexp(1, (int)place.octave - 1);
    return ((double)STEPS + place.step) * width + (width - 1) / 2;
}

static int count_one(struct scn_sampler *sampler, int64_t ns)
{
    struct place place = place_of((uint64_t)ns);
    uint64_t **octave = &sampler->octaves[place.octave];
    if (*octave == NULL) {
        *octave = calloc(STEPS, sizeof **octave);
        if (*octave == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    (*octave)[place.step]++;
    return QKD_OK;
}

/* From here on durations are counted. */
static int grow_many(struct scn_sampler *sampler, size_t count)
{
    int err = QKD_OK;
    sampler->many = true;
    for (size_t i = 0; i < count; i++) {
        int counted = count_one(sampler, sampler->values_ns[i]);
        err = err == QKD_OK ? counted : err;
    }
    free(sampler->values_ns);
    sampler->values_ns = NULL;
    sampler->limit = 0;
    return err;
}

static int keep_one(struct scn_sampler *sampler, size_t count, int64_t ns)
{
    if (count == sampler->limit) {
        size_t limit = count == 0 ? FIRST_LIMIT : 2 * count;
        int64_t *values = realloc(sampler->values_ns, limit * sizeof *values);
        if (values == NULL) {
            (void)grow_many(sampler, count); /* takes less, and says so if that is too much too */
            return count_one(sampler, ns);
        }
        sampler->values_ns = values;
        sampler->limit = limit;
    }
    sampler->values_ns[count] = ns;
    return QKD_OK;
}

int scn_sampler_add(struct scn_sampler *sampler, int64_t ns)
{
    uint64_t count = sampler->seen++;
    ns = ns < 0 ? 0 : ns;
    sampler->max_ns = ns > sampler->max_ns ? ns : sampler->max_ns;
    sampler->sum_s += (double)ns / 1e9;
    if (!sampler->many && count < SCN_SAMPLER_EXACT) {
        return keep_one(sampler, (size_t)count, ns);
    }
    int err = sampler->many ? QKD_OK : grow_many(sampler, (size_t)count);
    int counted = count_one(sampler, ns);
    return err == QKD_OK ? counted : err;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The duration at a rank, from 1, of those that are counted. */
static double counted_at(const struct scn_sampler *sampler, uint64_t rank)
{
    uint64_t before = 0;
    for (unsigned octave = 0; octave < SCN_SAMPLER_OCTAVES; octave++) {
        for (unsigned step = 0; step < STEPS && sampler->octaves[octave] != NULL; step++) {
            before += sampler->octaves[octave][step];
            if (before >= rank) {
                return middle_ns((struct place){octave, step});
            }
        }
    }
    return (double)sampler->max_ns;
}

/* Nearest rank: the smallest value with at least percent % of the values at or under it. */
static double quantile_s(const struct scn_sampler *sampler, unsigned percent)
{
    uint64_t rank = sampler->seen / 100 * percent + (sampler->seen % 100 * percent + 99) / 100;
    double ns = sampler->many ? counted_at(sampler, rank)
                              : (double)sampler->values_ns[rank == 0 ? 0 : rank - 1];
    return fmin(ns, (double)sampler->max_ns) / 1e9;
}

void scn_sampler_spread(struct scn_sampler *sampler, struct scn_spread *spread)
{
    *spread = (struct scn_spread){0, NAN, NAN, NAN, NAN, NAN};
    if (sampler->seen == 0) {
        return;
    }
    if (!sampler->many) {
        qsort(sampler->values_ns, (size_t)sampler->seen, sizeof *sampler->values_ns, compare_ns);
    }
    spread->count = sampler->seen;
    spread->mean = sampler->sum_s / (double)sampler->seen;
    spread->max = (double)sampler->max_ns / 1e9;
    spread->p50 = quantile_s(sampler, 50);
    spread->p95 = quantile_s(sampler, 95);
    spread->p99 = quantile_s(sampler, 99);
}

void scn_sampler_fini(struct scn_sampler *sampler)
{
    free(sampler->values_ns);
    for (unsigned i = 0; i < SCN_SAMPLER_OCTAVES; i++) {
        free(sampler->octaves[i]);
    }
    *sampler = (struct scn_sampler){0};
}
