/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the nodes of a picture lie when their coordinates are known. */
#ifndef ANA_GRAPH_PLACE_H
#define ANA_GRAPH_PLACE_H

#include <stdbool.h>

#include "scenarios/scenario.h"

/* Inches; x to the east, y to the north. */
struct ana_point {
    double x, y;
};

/* Positions of all nodes by an equirectangular projection at their middle latitude, scaled and
 * then pushed apart so that close nodes do not cover one another. texts: links carry
 * texts, which need room. False if a node has no coordinates or there
 * are fewer than 2. */
bool ana_map_points(const struct scn_scenario *scenario, bool texts, struct ana_point *points);

#endif
