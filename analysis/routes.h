/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of an application by name, "A>B>C": the ids of its nodes, the master's first. For
 * expectations such as "application[video].route[A>B>C].last_s <= 60". */
#ifndef ANA_ROUTES_H
#define ANA_ROUTES_H

#include "analysis/error.h"
#include "scenarios/outcome.h"

#define ANA_ROUTE_SEPARATOR '>'
#define ANA_ROUTE_SIZE 4352 /* bytes of the longest name: 66 nodes */

/* Whether `what` is "route[...].FIGURE" at all: if so, it is for the two functions below. */
bool ana_route_names(const char *what);

/* 0, or QKD_ERR_INVALID and why `what` is no figure of a route of this application: a node or a
 * figure that does not exist, nodes that no link joins, other ends than the application's. */
int ana_route_check(const struct scn_scenario *scenario, uint32_t application, const char *what,
                    struct ana_error *error);

/* The figure; NAN where it has none (first_s of a route that was never used; wrong `what`). */
double ana_route_number(const struct scn_scenario *scenario,
                        const struct scn_application_summary *application, const char *what);

/* Writes the name of a route, without the nodes that do not fit; returns text. */
const char *ana_route_text(const struct scn_scenario *scenario, const struct scn_route_use *use,
                           char *text, size_t size);

#endif
