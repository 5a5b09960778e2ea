/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture of a network, drawn with Graphviz in this process: nodes by role, links wide by key
 * rate and coloured by pool level, broken links dashed red; on the map if all nodes have
 * coordinates. */
#ifndef ANA_GRAPH_H
#define ANA_GRAPH_H

#include <stdbool.h>

#include "analysis/error.h"
#include "scenarios/outcome.h"

struct ana_graph_options {
    const char *path;  /* ends in .svg, .png or .dot, which says what is written */
    bool force;        /* replace an existing file */
    bool applications; /* draw who asks whom for keys */
};

/* Draws the scenario, with the levels and failures of `summary` unless it is NULL. QKD_ERR_INVALID
 * for another ending of the name, QKD_ERR_EXISTS, QKD_ERR_IO, QKD_ERR_NOMEM. */
int ana_graph_write(const struct scn_scenario *scenario, const struct scn_summary *summary,
                    const struct ana_graph_options *options, struct ana_error *error);

#endif
