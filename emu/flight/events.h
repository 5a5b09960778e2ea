/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the faults of a scenario began and ended in a live run. Daemons make cuts and worse light by the clock;
 * crashes are made by whoever runs the daemons, so flight records tell whether one took place: the daemon started
 * anew afterwards, or was silent from then on. */
#ifndef EMU_EVENTS_H
#define EMU_EVENTS_H

#include <stdbool.h>

#include "emu/flight/replay.h"

/* A fault that begins or ends. */
struct emu_event {
    int64_t at_ns;  /* run time */
    uint32_t fault; /* index in the scenario */
    bool begins;
};

struct emu_events; /* in the order of time */

/* Of the faults that were made. Reads the flight records if there are crashes among them. QKD_ERR_NOMEM, and the
 * errors of emu_flight_merge_next(). */
int emu_events_new(const struct emu_replay *replay, struct emu_events **events,
                   struct emu_why *why);
void emu_events_free(struct emu_events *events); /* NULL is allowed */

/* The next until this instant of the run; false: none. */
bool emu_events_next(struct emu_events *events, int64_t until_ns, struct emu_event *event);

#endif
