/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of the faults in words: what failed, and how. */
#ifndef ANA_EVENTS_H
#define ANA_EVENTS_H

#include "scenarios/scenario.h"

#define ANA_EVENT_TEXT_SIZE (2 * SCN_ID_SIZE + 32)

struct ana_event_text {
    const char *what; /* of its first fault: "both", "crash" ... */
    uint64_t faults;  /* single faults in it */
};

/* entity: "link AB", "node C", "controller"; of several: the first "and 2 more". */
struct ana_event_text ana_event_text(const struct scn_scenario *scenario, size_t event,
                                     char entity[ANA_EVENT_TEXT_SIZE]);

#endif
