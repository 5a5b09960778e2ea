/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of the faults in words. */
#include "analysis/events.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const kinds[] = {[SCN_TARGET_LINK] = "link",
                                    [SCN_TARGET_NODE] = "node",
                                    [SCN_TARGET_CLASSICAL] = "classical link"};

static const char *target_id(const struct scn_scenario *scenario, const struct scn_fault *fault)
{
    return fault->target == SCN_TARGET_LINK   ? scenario->links[fault->index].id
           : fault->target == SCN_TARGET_NODE ? scenario->nodes[fault->index].id
                                              : scenario->classical.links[fault->index].id;
}

struct ana_event_text ana_event_text(const struct scn_scenario *scenario, size_t event,
                                     char entity[ANA_EVENT_TEXT_SIZE])
{
    const struct scn_fault *first = &scenario->faults[scenario->event_firsts[event]];
    struct ana_event_text text = {scn_fault_name(first->what), 0};
    for (size_t i = scenario->event_firsts[event]; i < scenario->fault_count; i++) {
        text.faults += scenario->faults[i].event_number == event ? 1 : 0;
        if (first->event[0] == '\0') {
            break; /* an event of its own */
        }
    }
    char more[32] = "";
    if (text.faults > 1) {
        (void)snprintf(more, sizeof more, " and %" PRIu64 " more", text.faults - 1);
    }
    if (first->target == SCN_TARGET_ELEMENT) {
        (void)snprintf(entity, ANA_EVENT_TEXT_SIZE, "%s%s", scn_element_name(first->element), more);
    } else {
        (void)snprintf(entity, ANA_EVENT_TEXT_SIZE, "%s %s%s", kinds[first->target],
                       target_id(scenario, first), more);
    }
    return text;
}
