/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Summary of a run: its making and freeing, and the collection of durations. */
#include "scenarios/outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

/* ---- durations ---- */

/* Keeps every second value of what is kept, so that the stride doubles. */
static void sampler_halve(struct scn_sampler *sampler)
{
    for (size_t i = 0; 2 * i < sampler->count; i++) {
        sampler->values_ns[i] = sampler->values_ns[2 * i];
    }
    sampler->count = (sampler->count + 1) / 2;
    sampler->stride *= 2;
}

static int sampler_grow(struct scn_sampler *sampler)
{
    size_t limit = sampler->limit == 0 ? 64 : 2 * sampler->limit;
    int64_t *values = realloc(sampler->values_ns, limit * sizeof *values);
    if (values == NULL) {
        return QKD_ERR_NOMEM;
    }
    sampler->values_ns = values;
    sampler->limit = limit;
    return QKD_OK;
}

int scn_sampler_add(struct scn_sampler *sampler, int64_t ns)
{
    if (sampler->stride == 0) {
        sampler->stride = 1;
        sampler->max_ns = ns;
    }
    sampler->max_ns = ns > sampler->max_ns ? ns : sampler->max_ns;
    sampler->sum_s += (double)ns / 1e9;
    uint64_t index = sampler->seen++;
    if (index % sampler->stride != 0) {
        return QKD_OK;
    }
    if (sampler->count == SCN_SAMPLER_LIMIT) {
        sampler_halve(sampler);
        if (index % sampler->stride != 0) {
            return QKD_OK;
        }
    }
    if (sampler->count == sampler->limit) {
        int err = sampler_grow(sampler);
        if (err != QKD_OK) {
            return err;
        }
    }
    sampler->values_ns[sampler->count++] = ns;
    return QKD_OK;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank: the smallest value with at least percent % of the values at or under it. */
static double quantile_s(const struct scn_sampler *sampler, size_t percent)
{
    size_t rank = (sampler->count * percent + 99) / 100;
    return (double)sampler->values_ns[rank == 0 ? 0 : rank - 1] / 1e9;
}

void scn_sampler_spread(struct scn_sampler *sampler, struct scn_spread *spread)
{
    *spread = (struct scn_spread){0, NAN, NAN, NAN, NAN, NAN};
    if (sampler->seen == 0) {
        return;
    }
    spread->count = sampler->seen;
    spread->mean = sampler->sum_s / (double)sampler->seen;
    spread->max = (double)sampler->max_ns / 1e9;
    if (sampler->count == 0) {
        return;
    }
    qsort(sampler->values_ns, sampler->count, sizeof *sampler->values_ns, compare_ns);
    spread->p50 = quantile_s(sampler, 50);
    spread->p95 = quantile_s(sampler, 95);
    spread->p99 = quantile_s(sampler, 99);
}

void scn_sampler_fini(struct scn_sampler *sampler)
{
    free(sampler->values_ns);
    *sampler = (struct scn_sampler){0};
}

/* ---- the summary ---- */

static const struct scn_spread no_spread = {0, NAN, NAN, NAN, NAN, NAN};

static void figures_unknown(struct scn_summary *summary)
{
    summary->latency = no_spread;
    summary->fetch_latency = no_spread;
    summary->relay.hops_mean = NAN;
    summary->healing.detect_s = NAN;
    summary->healing.first_key_s = NAN;
}

static void application_unknown(struct scn_application_summary *application)
{
    application->hops_mean = NAN;
    application->latency = no_spread;
    application->fetch_latency = no_spread;
}

static int watches_init(struct scn_summary *summary, const struct scn_scenario *scenario)
{
    static const size_t sizes[] = {[SCN_SCOPE_RUN] = sizeof(struct scn_summary),
                                   [SCN_SCOPE_LINK] = sizeof(struct scn_link_summary),
                                   [SCN_SCOPE_APPLICATION] = sizeof(
                                       struct scn_application_summary)};
    summary->watches = calloc(scenario->watch_count + 1, sizeof *summary->watches);
    if (summary->watches == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < scenario->watch_count; i++) {
        struct scn_watch_summary *watch = &summary->watches[i];
        enum scn_scope scope = scenario->watches[i].scope;
        void *figures = calloc(1, sizes[scope]);
        if (figures == NULL) {
            return QKD_ERR_NOMEM;
        }
        watch->via = NAN;
        if (scope == SCN_SCOPE_RUN) {
            watch->of.run = figures;
            figures_unknown(watch->of.run);
        } else if (scope == SCN_SCOPE_LINK) {
            watch->of.link = figures;
            watch->of.link->pool_mean_bits = NAN;
        } else {
            watch->of.application = figures;
            application_unknown(watch->of.application);
        }
        summary->watch_count++;
    }
    return QKD_OK;
}

int scn_summary_init(struct scn_summary *summary, const struct scn_scenario *scenario)
{
    memset(summary, 0, sizeof *summary);
    summary->engine = scenario->engine;
    summary->seed = scenario->seed;
    figures_unknown(summary);
    /* At least one of each, so that no pointer is NULL. */
    summary->verdicts = calloc(scenario->expect_count + 1, sizeof *summary->verdicts);
    summary->links = calloc(scenario->link_count + 1, sizeof *summary->links);
    summary->applications = calloc(scenario->application_count + 1, sizeof *summary->applications);
    if (summary->verdicts == NULL || summary->links == NULL || summary->applications == NULL ||
        watches_init(summary, scenario) != QKD_OK) {
        scn_summary_fini(summary);
        return QKD_ERR_NOMEM;
    }
    summary->verdict_count = scenario->expect_count;
    summary->link_count = scenario->link_count;
    summary->application_count = scenario->application_count;
    for (size_t i = 0; i < scenario->expect_count; i++) {
        summary->verdicts[i].value = NAN;
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        summary->links[i].rate_bps = scenario->links[i].qkd.mean_bps;
        summary->links[i].pool_mean_bits = NAN;
    }
    for (size_t i = 0; i < scenario->application_count; i++) {
        application_unknown(&summary->applications[i]);
    }
    return QKD_OK;
}

void scn_summary_fini(struct scn_summary *summary)
{
    for (size_t i = 0; i < summary->watch_count; i++) {
        free(summary->watches[i].of.run);
    }
    free(summary->watches);
    free(summary->verdicts);
    free(summary->links);
    for (size_t i = 0; i < summary->application_count; i++) {
        for (size_t k = 0; k < summary->applications[i].route_count; k++) {
            free(summary->applications[i].routes[k].nodes);
        }
        free(summary->applications[i].routes);
    }
    free(summary->applications);
    memset(summary, 0, sizeof *summary);
}

double scn_served_fraction(const struct scn_requests *requests)
{
    return requests->total == 0 ? NAN : (double)requests->served / (double)requests->total;
}
