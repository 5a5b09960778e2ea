/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of fault events: what each cost, and how the network got over it. All of it is seen from
 * outside: reports and alarms of elements, outcomes of requests, the routes that keys took.
 *
 * A pair of applications is hit by an event if what fails lay on the route of its last served request
 * (or, where the controller is lost to its master's key manager, if that route needed one), unless it
 * still waits for key since an earlier event. An event is detected when an element at its edge reports
 * a neighbour down, or the manager raises an alarm, of a kind that such a fault causes. The pair
 * suffers from the event until that has ended and it is served a request made afterwards, or until
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
    stats->unseen = calloc(scenario->fault_count + 1, sizeof(*stats->unseen));
    stats->culprits = calloc(scenario->link_count + 1, sizeof(*stats->culprits));
    stats->before = calloc(scenario->link_count + 1, sizeof(*stats->before));
    if (stats->events == NULL || stats->unseen == NULL || stats->culprits == NULL ||
        stats->before == NULL) {
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
    free(stats->unseen);
    free(stats->culprits);
    free(stats->before);
}

/* ---- what a fault touches and shows ---- */

/* Whether a fault is of the link between these nodes, or of one of them. */
static bool fault_touches(const struct watch_stats *stats, const struct scn_fault *fault,
                          uint32_t a, uint32_t b)
{
    switch (fault->target) {
    case SCN_TARGET_NODE:
        return fault->what != SCN_FAULT_PARTITION && (fault->index == a || fault->index == b);
    case SCN_TARGET_CLASSICAL: {
        /* Who is silent is not always at its ends; between switches it can be anybody. */
        const struct scn_classical_link *cable = &stats->scenario->classical.links[fault->index];
        bool backbone = cable->a >= stats->scenario->node_count &&
                        cable->b >= stats->scenario->node_count;
        return backbone || cable->a == a || cable->a == b || cable->b == a || cable->b == b;
    }
    case SCN_TARGET_LINK: {
        const struct scn_link *link = &stats->scenario->links[fault->index];
        return (link->a == a && link->b == b) || (link->a == b && link->b == a);
    }
    case SCN_TARGET_ELEMENT:
        break;
    }
    return false;
}

#define SIGHT(name) (1U << WATCH_SIGHT_##name)

/* What a fault of this kind can be seen by. */
static uint32_t sights_of(const struct watch_stats *stats, const struct scn_fault *fault)
{
    static const uint32_t sights[SCN_FAULT_WHATS] = {
        [SCN_FAULT_BOTH] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(MODULE) | SIGHT(NO_KEY),
        [SCN_FAULT_QUANTUM] = SIGHT(WORSE) | SIGHT(MODULE) | SIGHT(NO_KEY),
        [SCN_FAULT_CLASSICAL] = SIGHT(WORSE) | SIGHT(LINK),
        [SCN_FAULT_CRASH] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(MODULE),
        [SCN_FAULT_DOWN] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(MODULE),
        [SCN_FAULT_TORN] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(MODULE),
        [SCN_FAULT_STORE_LOST] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(MODULE),
        [SCN_FAULT_DISK_FULL] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(MODULE),
        [SCN_FAULT_DEGRADED] = SIGHT(WORSE) | SIGHT(NO_KEY) | SIGHT(NOISE),
        [SCN_FAULT_MODULE] = SIGHT(WORSE) | SIGHT(MODULE) | SIGHT(NO_KEY),
        [SCN_FAULT_IMPAIRED] = SIGHT(WORSE) | SIGHT(LINK) | SIGHT(DAMAGE),
        [SCN_FAULT_PARTITION] = SIGHT(CONTROLLER) | SIGHT(MANAGER),
        [SCN_FAULT_SWITCH] = SIGHT(WORSE) | SIGHT(NO_KEY),
        [SCN_FAULT_POINT] = SIGHT(WORSE) | SIGHT(NO_KEY),
        [SCN_FAULT_MAINTENANCE] = SIGHT(WORSE) | SIGHT(NO_KEY),
    };
    if (fault->target == SCN_TARGET_ELEMENT) {
        return fault->element == SCN_ELEMENT_CONTROLLER ? SIGHT(CONTROLLER) : SIGHT(MANAGER);
    }
    uint32_t more = 0;
    if (fault->target == SCN_TARGET_NODE) { /* what stands there is silent too */
        more |= fault->index == stats->scenario->control.at ? SIGHT(CONTROLLER) : 0;
        more |= fault->index == stats->scenario->management.at ? SIGHT(MANAGER) : 0;
    }
    return sights[fault->what] | more;
}

/* Whether what is seen, between these nodes or at node a, can be of this fault. */
static bool fault_seen(const struct watch_stats *stats, const struct scn_fault *fault,
                       enum watch_sight sight, uint32_t a, uint32_t b)
{
    if ((sights_of(stats, fault) >> sight & 1) == 0) {
        return false;
    }
    if (sight == WATCH_SIGHT_CONTROLLER || sight == WATCH_SIGHT_MANAGER) {
        uint32_t at = sight == WATCH_SIGHT_CONTROLLER ? stats->scenario->control.at
                                                      : stats->scenario->management.at;
        return fault->target == SCN_TARGET_ELEMENT || fault->index == at || fault->index == a;
    }
    return fault_touches(stats, fault, a, b);
}

void watch_healing_seen(struct watch_stats *stats, int64_t now_ns, enum watch_sight sight,
                        uint32_t a, uint32_t b)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < stats->unseen_count; i++) {
        const struct scn_fault *fault = &stats->scenario->faults[stats->unseen[i]];
        struct watch_event_stats *event = &stats->events[fault->event_number];
        if (event->detect_ns == SCN_NO_TIME && fault_seen(stats, fault, sight, a, b)) {
            event->detect_ns = now_ns;
        }
        if (event->detect_ns == SCN_NO_TIME) {
            stats->unseen[left++] = stats->unseen[i];
        }
    }
    stats->unseen_count = left;
}

void watch_healing_alarm(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    static const struct {
        uint64_t fault;
        enum watch_sight sight;
    } alarms[] = {{WIRE_FAULT_LINK_DOWN, WATCH_SIGHT_LINK},
                  {WIRE_FAULT_MODULE_DOWN, WATCH_SIGHT_MODULE},
                  {WIRE_FAULT_NO_KEY, WATCH_SIGHT_NO_KEY},
                  {WIRE_FAULT_QBER_HIGH, WATCH_SIGHT_NOISE}};
    uint32_t node = qkd_eid_node(report->peer);
    for (size_t i = 0; i < sizeof alarms / sizeof alarms[0]; i++) {
        if (report->a == alarms[i].fault && report->c < stats->scenario->link_count) {
            const struct scn_link *link = &stats->scenario->links[report->c];
            watch_healing_seen(stats, now_ns, alarms[i].sight, link->a, link->b);
        }
    }
    if (report->a == WIRE_FAULT_CONTROLLER_LOST) {
        watch_healing_seen(stats, now_ns, WATCH_SIGHT_CONTROLLER, node, node);
    } else if (report->a == WIRE_FAULT_MANAGER_LOST) {
        watch_healing_seen(stats, now_ns, WATCH_SIGHT_MANAGER, node, node);
    }
}

void watch_healing_peer_down(struct watch_stats *stats, int64_t now_ns,
                             const struct qkd_report *report)
{
    uint32_t node = qkd_eid_node(report->who);
    if (qkd_eid_role(report->peer) == QKD_ROLE_CONTROLLER) {
        watch_healing_seen(stats, now_ns, WATCH_SIGHT_CONTROLLER, node, node);
    } else if (qkd_eid_role(report->peer) == QKD_ROLE_MANAGER) {
        watch_healing_seen(stats, now_ns, WATCH_SIGHT_MANAGER, node, node);
    }
}

/* ---- whom it hits ---- */

/* Whether the same event cuts this node off on the management network. */
static bool cut_off_too(const struct scn_scenario *scenario, const struct scn_fault *fault,
                        uint32_t node)
{
    for (size_t i = scenario->event_firsts[fault->event_number]; i < scenario->fault_count; i++) {
        const struct scn_fault *other = &scenario->faults[i];
        if (other->event_number == fault->event_number && other->what == SCN_FAULT_PARTITION &&
            other->index == node) {
            return true;
        }
    }
    return false;
}

/* Whether this fault takes the controller from the key manager of a node. */
static bool controller_lost(const struct scn_scenario *scenario, const struct scn_fault *fault,
                            uint32_t node)
{
    if (fault->target == SCN_TARGET_ELEMENT) {
        return fault->element == SCN_ELEMENT_CONTROLLER;
    }
    if (fault->what != SCN_FAULT_PARTITION) {
        return false;
    }
    uint32_t at = scenario->control.at;
    return (fault->index == node && !cut_off_too(scenario, fault, at)) ||
           (fault->index == at && !cut_off_too(scenario, fault, node));
}

static bool pair_hit(const struct watch_stats *stats, uint32_t application,
                     const struct scn_fault *fault)
{
    const struct watch_route *route = &stats->apps[application].route;
    const uint32_t *nodes = watch_route_nodes(route);
    for (uint32_t i = 0; i + 1 < route->len; i++) {
        if (fault_touches(stats, fault, nodes[i], nodes[i + 1])) {
            return true;
        }
    }
    return route->len > 2 && controller_lost(stats->scenario, fault, nodes[0]);
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
    bool silent = (sights_of(stats, fault) & SIGHT(LINK)) != 0;
    for (uint32_t i = 0; i < stats->scenario->link_count; i++) {
        const struct scn_link *link = &stats->scenario->links[i];
        if (fault_touches(stats, fault, link->a, link->b)) {
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
    if (event->detect_ns == SCN_NO_TIME) {
        stats->unseen[stats->unseen_count++] = (uint32_t)(fault - stats->scenario->faults);
    }
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
