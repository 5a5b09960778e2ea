/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The faults of a live run, by time. */
#include "emu/flight/events.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "emu/deploy/place.h"
#include "emu/flight/flight.h"

/* A killed daemon may be dead a moment later than the scenario says. */
#define LATE_NS (2 * QKD_NS_PER_S)

struct emu_events {
    const struct scn_scenario *scenario;
    struct emu_event *at;
    size_t count, next;
};

/* What is known of a crash: what its daemon did afterwards. */
struct crash {
    uint32_t daemon;
    bool is_one;
    bool started; /* anew */
    bool lived;   /* did something later, without a start */
};

static bool is_crash(const struct scn_fault *fault)
{
    return fault->what == SCN_FAULT_CRASH;
}

static uint32_t daemon_of(const struct scn_scenario *scenario, const struct scn_fault *fault)
{
    return fault->target == SCN_TARGET_NODE
               ? fault->index
               : emu_place_of_element(scenario, (enum scn_fault_element)fault->element);
}

static void crash_see(struct crash *crash, const struct scn_fault *fault, int64_t now_ns,
                      bool starts)
{
    if (now_ns < fault->at_ns || crash->started || crash->lived) {
        return;
    }
    crash->started = starts;
    crash->lived = !starts && now_ns >= fault->at_ns + LATE_NS;
}

static int crashes_look(const struct emu_replay *replay, struct crash *crashes, struct emu_why *why)
{
    const struct scn_scenario *scenario = replay->plan->scenario;
    struct emu_flight_merge *merge = NULL;
    struct emu_flight_entry entry = {.type = EMU_FLIGHT_STOP};
    int64_t zero_ns = 0;
    bool has_zero = false;
    size_t from = 0;
    int rc = emu_flight_merge_open(replay->flights, replay->flight_count, &merge, why);
    rc = rc == 0 ? emu_flight_merge_next(merge, &entry, &from, why) : rc;
    for (; rc == 1; rc = emu_flight_merge_next(merge, &entry, &from, why)) {
        bool starts = entry.type == EMU_FLIGHT_START;
        if (starts && !has_zero) {
            zero_ns = entry.at.ns - (entry.u.start.wall.ns - replay->epoch_ns);
            has_zero = true;
        }
        const char *name = emu_flight_reader_name(emu_flight_merge_reader(merge, from));
        uint32_t daemon = emu_place_find(scenario, name);
        for (size_t i = 0; i < scenario->fault_count; i++) {
            if (crashes[i].is_one && crashes[i].daemon == daemon) {
                crash_see(&crashes[i], &scenario->faults[i], entry.at.ns - zero_ns, starts);
            }
        }
    }
    emu_flight_merge_free(merge);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct emu_event *one = a;
    const struct emu_event *other = b;
    if (one->at_ns != other->at_ns) {
        return one->at_ns < other->at_ns ? -1 : 1;
    }
    if (one->begins != other->begins) {
        return one->begins ? 1 : -1; /* what ends makes room */
    }
    return one->fault < other->fault ? -1 : one->fault > other->fault;
}

static void fill(struct emu_events *events, const struct crash *crashes)
{
    for (uint32_t i = 0; i < events->scenario->fault_count; i++) {
        const struct scn_fault *fault = &events->scenario->faults[i];
        if (crashes[i].is_one && crashes[i].lived) {
            continue; /* nobody made it */
        }
        events->at[events->count++] = (struct emu_event){fault->at_ns, i, true};
        if (fault->for_ns != SCN_FOREVER) {
            events->at[events->count++] = (struct emu_event){fault->at_ns + fault->for_ns, i,
                                                             false};
        }
    }
    qsort(events->at, events->count, sizeof(*events->at), by_time);
}

static struct emu_events *events_make(const struct scn_scenario *scenario)
{
    struct emu_events *events = calloc(1, sizeof(*events));
    struct emu_event *at = calloc(2 * scenario->fault_count + 1, sizeof(*at));
    if (events == NULL || at == NULL) {
        free(events);
        free(at);
        return NULL;
    }
    *events = (struct emu_events){.scenario = scenario, .at = at};
    return events;
}

int emu_events_new(const struct emu_replay *replay, struct emu_events **out, struct emu_why *why)
{
    const struct scn_scenario *scenario = replay->plan->scenario;
    struct crash *crashes = calloc(scenario->fault_count + 1, sizeof(*crashes));
    bool any = false;
    *out = NULL;
    if (crashes == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < scenario->fault_count; i++) {
        crashes[i].is_one = is_crash(&scenario->faults[i]);
        crashes[i].daemon = daemon_of(scenario, &scenario->faults[i]);
        any = any || crashes[i].is_one;
    }
    int rc = any ? crashes_look(replay, crashes, why) : 0;
    struct emu_events *events = rc == 0 ? events_make(scenario) : NULL;
    if (events != NULL) {
        fill(events, crashes);
    } else if (rc == 0) {
        rc = emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    *out = events;
    free(crashes);
    return rc;
}

void emu_events_free(struct emu_events *events)
{
    if (events != NULL) {
        free(events->at);
        free(events);
    }
}

bool emu_events_next(struct emu_events *events, int64_t until_ns, struct emu_event *event)
{
    if (events->next == events->count || events->at[events->next].at_ns > until_ns) {
        return false;
    }
    *event = events->at[events->next++];
    return true;
}
