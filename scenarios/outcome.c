/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Summary of a run: its making and freeing. */
#include "scenarios/outcome.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

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

/* Attackers, and the measures that are off. */
static void security_init(struct scn_summary *summary, const struct scn_scenario *scenario)
{
#define MEASURE_KEY(name, key, text) key,
    static const char *const keys[] = {QKD_MEASURES(MEASURE_KEY)};
    static_assert(QKD_MEASURE_COUNT <= SCN_MAX_MEASURES, "room in the summary");
    for (uint32_t m = 0; m < QKD_MEASURE_COUNT; m++) {
        if (qkd_is_off(scenario->measures_off, m)) {
            summary->security.measures_off[summary->security.measure_count++] = keys[m];
        }
    }
    summary->attack_count = scenario->attack_count;
    for (size_t i = 0; i < summary->attack_count; i++) {
        struct scn_attack_summary *attack = &summary->attacks[i];
        attack->first_s = attack->detect_s = attack->alarm_s = attack->restore_s = NAN;
    }
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
    summary->fault_events = calloc(scenario->fault_events + 1, sizeof *summary->fault_events);
    summary->attacks = calloc(scenario->attack_count + 1, sizeof *summary->attacks);
    if (summary->attacks == NULL || summary->verdicts == NULL || summary->fault_events == NULL ||
        summary->links == NULL || summary->applications == NULL ||
        watches_init(summary, scenario) != QKD_OK) {
        scn_summary_fini(summary);
        return QKD_ERR_NOMEM;
    }
    summary->verdict_count = scenario->expect_count;
    summary->link_count = scenario->link_count;
    summary->fault_event_count = scenario->fault_events;
    for (size_t i = 0; i < summary->fault_event_count; i++) {
        struct scn_event_summary *event = &summary->fault_events[i];
        event->at_s = event->end_s = event->detect_s = event->first_key_s = event->healed_s = NAN;
        event->discarded_bits = NAN;
    }
    summary->application_count = scenario->application_count;
    security_init(summary, scenario);
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
    free(summary->fault_events);
    free(summary->attacks);
    free(summary->links);
    for (size_t i = 0; summary->applications != NULL && i < summary->application_count; i++) {
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
