/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the nodes of a picture lie when their coordinates are known. */
#ifndef ANA_GRAPH_PLACE_H
#define ANA_GRAPH_PLACE_H

#include <stdbool.h>

#include "scenarios/scenario.h"

/* Inches; x to the east, y to the north. */
struct ana_point {
    double x, y;
    double wide; /* of the node, if that is known */
};

/* Pictures of more nodes show relays that only pass on, as on a long span, as dots on their way. */
#define ANA_GRAPH_FULL 60

/* Marks them: relay nodes of two links, without a name of their own, controller, manager or
 * application. One per node; none is
 * marked in a smaller network. */
void ana_graph_dots(const struct scn_scenario *scenario, bool *dot);

/* Positions of all nodes by an equirectangular projection at their middle latitude, scaled and
 * then pushed apart so that close nodes do not cover one another. texts: links carry texts, which
 * need room. dot: of ana_graph_dots, or NULL; these need no room and move with the nodes between
 * which they lie. False if a node has no coordinates, there are fewer than 2, or memory ends. */
bool ana_map_points(const struct scn_scenario *scenario, bool texts, const bool *dot,
                    struct ana_point *points);

#endif
