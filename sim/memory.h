/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large pages for the heap of a large network. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include "scenarios/scenario.h"

/* Asks the system for large pages where the heap will grow for this network. Without effect for small
 * networks, other C libraries and systems without large pages. */
void sim_memory_expect(const struct scn_scenario *scenario);

#endif
