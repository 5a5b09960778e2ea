/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of fault events: what each cost, and how the network got over it. All of it is seen from
 * outside: reports and alarms of elements, outcomes of requests, the routes that keys took.
 *
 * A pair of applications is hit by an event if what fails lay on the route of its last served request
 * (or, where the controller is lost to its master's key manager, if that route needed one), unless it
 * still waits for key since an earlier event. When an event is detected: stats_detect.c. The pair suffers from the event until that has ended and it is served a request made afterwards, or until
 * another event hits it. Its requests that end unserved meanwhile are lost to the event; it is healed
 * with the first key after the last of them. */
#include <math.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "watch/stats_state.h"

int watch_healing_new(struct watch_stats *stats)
{
    const struct scn_scenario *scenario = stats->scenario;
    stats->events = calloc(scenario->fault_events + 1, sizeof(*stats->events));
    stats->culprits = calloc(scenario->link_count + 1, sizeof(*stats->culprits));
    stats->before = calloc(scenario->link_count + 1, sizeof(*stats->before));
    if (stats->events == NULL || stats->culprits == NULL || stats->before == NULL ||
        watch_detect_new(stats) != 0) {
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < scenario->fault_events; i++) {
        struct watch_event_stats *event = &stats->events[i];
        event->at_ns = event->end_ns = event->detect_ns = SCN_NO_TIME;
        event->key_ns = event->healed_ns = SCN_NO_TIME;
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        stats->culprits[i] = SCN_NO_INDEX;
    }
    return 0;
}

void watch_healing_free(struct watch_stats *stats)
{
    free(stats->events);
    watch_detect_free(stats);
    free(stats->culprits);
    free(stats->before);
}

/* ---- whom it hits ---- */

/* Whether this fault takes the controller from the key manager of a node. */
static bool controller_lost(const struct scn_scenario *scenario, const struct scn_fault *fault,
                            uint32_t node)
{
    if (fault->target == SCN_TARGET_ELEMENT) {
        return fault->element == SCN_ELEMENT_CONTROLLER;
    }
    return watch_fault_parts(scenario, fault, scenario->control.at, node);
}

static bool route_hit(const struct watch_stats *stats, uint32_t application,
                      const struct scn_fault *fault)
{
    const struct watch_route *route = &stats->apps[application].route;
    const uint32_t *nodes = watch_route_nodes(route);
    for (uint32_t i = 0; i + 1 < route->len; i++) {
        if (watch_fault_touches(stats->scenario, fault, nodes[i], nodes[i + 1])) {
            return true;
        }
    }
    return route->len > 2 && controller_lost(stats->scenario, fault, nodes[0]);
}

/* A multicast is hit on the way to any of its slaves; who asks for nothing is not. */
static bool pair_hit(const struct watch_stats *stats, uint32_t application,
                     const struct scn_fault *fault)
{
    const struct scn_application *apps = stats->scenario->applications;
    uint32_t left = apps[application].members;
    bool hit = apps[application].of == 0 && route_hit(stats, application, fault);
    for (uint32_t i = application + 1; left > 0 && i < stats->scenario->application_count; i++) {
        if (apps[i].of == application + 1) {
            hit = hit || route_hit(stats, i, fault);
            left--;
        }
    }
    return hit;
}

/* What was discarded on a link since its last event is that event's. */
static void link_settle(struct watch_stats *stats, uint32_t link, uint32_t next_event)
{
    if (stats->discarded == NULL) {
        return;
    }
    uint64_t so_far_bits = stats->discarded(stats->discarded_ctx, link);
    if (stats->culprits[link] != SCN_NO_INDEX) {
        stats->events[stats->culprits[link]].discarded_bits += so_far_bits - stats->before[link];
    }
    stats->culprits[link] = next_event;
    stats->before[link] = so_far_bits;
}

static void links_hit(struct watch_stats *stats, const struct scn_fault *fault)
{
    bool silent = watch_fault_silences(fault);
    for (uint32_t i = 0; i < stats->scenario->link_count; i++) {
        const struct scn_link *link = &stats->scenario->links[i];
        if (watch_fault_touches(stats->scenario, fault, link->a, link->b)) {
            struct watch_link_stats *state = &stats->links[i];
            state->hit_early = state->hit_early || (silent && !state->was_up);
            link_settle(stats, i, fault->event_number);
        }
    }
}

/* A pair suffers from its event no more. */
static void pair_leave(struct watch_stats *stats, struct watch_app_stats *app)
{
    if (app->event != SCN_NO_INDEX && !app->waits) {
        struct watch_event_stats *event = &stats->events[app->event];
        bool later = event->healed_ns == SCN_NO_TIME || app->back_ns > event->healed_ns;
        event->healed_ns = later ? app->back_ns : event->healed_ns;
        event->healed++;
    }
    app->event = SCN_NO_INDEX;
    app->waits = false;
}

void watch_stats_fault(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault)
{
    struct watch_event_stats *event = &stats->events[fault->event_number];
    if (event->at_ns == SCN_NO_TIME) {
        event->at_ns = now_ns;
    }
    event->open++;
    event->end_ns = SCN_NO_TIME;
    watch_detect_begin(stats, now_ns, fault);
    links_hit(stats, fault);
    for (uint32_t i = 0; i < stats->scenario->application_count; i++) {
        struct watch_app_stats *app = &stats->apps[i];
        if (!app->waits && app->event != fault->event_number && pair_hit(stats, i, fault)) {
            pair_leave(stats, app);
            app->event = fault->event_number;
            app->waits = true;
            event->pairs++;
        }
    }
}

void watch_stats_fault_end(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault)
{
    struct watch_event_stats *event = &stats->events[fault->event_number];
    if (event->open > 0 && --event->open == 0) {
        event->end_ns = now_ns;
    }
    watch_detect_end(stats, now_ns, fault);
}

/* ---- how it ends ---- */

static void pair_served(struct watch_stats *stats, struct watch_app_stats *app,
                        const struct watch_request *request)
{
    struct watch_event_stats *event = &stats->events[app->event];
    if (request->start_ns < event->at_ns) {
        return;
    }
    if (event->key_ns == SCN_NO_TIME) {
        event->key_ns = request->end_ns;
    }
    app->back_ns = app->waits ? request->end_ns : app->back_ns;
    app->waits = false;
    if (event->end_ns != SCN_NO_TIME && request->start_ns >= event->end_ns) {
        pair_leave(stats, app);
    }
}

void watch_healing_ended(struct watch_stats *stats, const struct watch_request *request)
{
    struct watch_app_stats *app = &stats->apps[request->application];
    if (app->event == SCN_NO_INDEX) {
        return;
    }
    struct watch_event_stats *event = &stats->events[app->event];
    if (request->outcome == WIRE_OUTCOME_SERVED) {
        pair_served(stats, app, request);
        return;
    }
    app->waits = true;
    struct scn_requests *lost = &event->lost;
    uint64_t *const counts[] = {&lost->pending, &lost->served, &lost->refused, &lost->timed_out,
                                &lost->failed};
    lost->total++;
    (*counts[request->outcome < WIRE_OUTCOME_COUNT ? request->outcome : WIRE_OUTCOME_FAILED])++;
    event->reasons[request->reason < SCN_MAX_REASONS ? request->reason : 0]++;
    event->lost_bits += (uint64_t)request->asked *
                        stats->scenario->applications[request->application].key_bits;
}

static double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return from_ns == SCN_NO_TIME || to_ns == SCN_NO_TIME ? NAN : (double)(to_ns - from_ns) / 1e9;
}

static void event_finish(const struct watch_stats *stats, const struct watch_event_stats *event,
                         struct scn_event_summary *to)
{
    to->at_s = seconds_between(0, event->at_ns);
    to->end_s = seconds_between(0, event->end_ns);
    to->detect_s = seconds_between(event->at_ns, event->detect_ns);
    to->first_key_s = seconds_between(event->at_ns, event->key_ns);
    to->healed_s = event->pairs > 0 && event->healed == event->pairs
                       ? seconds_between(event->at_ns, event->healed_ns)
                       : NAN;
    to->applications = event->pairs;
    to->healed = event->healed;
    to->lost = event->lost;
    to->lost_bits = event->lost_bits;
    bool known = stats->discarded != NULL && event->at_ns != SCN_NO_TIME;
    to->discarded_bits = known ? (double)event->discarded_bits : NAN;
    for (size_t i = 0; i < SCN_MAX_REASONS; i++) {
        to->reasons[i] = event->reasons[i];
    }
}

/* Adds a value to a mean if there is one. */
static void mean_add(double value, double *sum, uint64_t *count)
{
    if (!isnan(value)) {
        *sum += value;
        (*count)++;
    }
}

void watch_healing_finish(struct watch_stats *stats, struct scn_summary *summary)
{
    double detect_s = 0;
    double key_s = 0;
    uint64_t detections = 0;
    uint64_t keys = 0;
    for (uint32_t i = 0; i < stats->scenario->link_count; i++) {
        link_settle(stats, i, SCN_NO_INDEX);
    }
    for (size_t i = 0; i < stats->scenario->application_count; i++) {
        pair_leave(stats, &stats->apps[i]);
    }
    for (size_t i = 0; i < stats->scenario->fault_events; i++) {
        struct scn_event_summary *event = &summary->fault_events[i];
        event_finish(stats, &stats->events[i], event);
        if (event->applications > 0) {
            summary->healing.events++;
            mean_add(event->detect_s, &detect_s, &detections);
            mean_add(event->first_key_s, &key_s, &keys);
        }
    }
    summary->healing.detect_s = detections > 0 ? detect_s / (double)detections : NAN;
    summary->healing.first_key_s = keys > 0 ? key_s / (double)keys : NAN;
}
