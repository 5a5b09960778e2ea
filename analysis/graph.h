/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture of a network, drawn with Graphviz in this process: nodes by role, links wide by key
 * rate and coloured by pool level, broken links dashed red; on the map if all nodes have
 * coordinates. */
#ifndef ANA_GRAPH_H
#define ANA_GRAPH_H

#include <stdbool.h>

#include "analysis/error.h"
#include "scenarios/outcome.h"

enum ana_graph_format {
    ANA_GRAPH_BY_NAME, /* by the ending of the path */
    ANA_GRAPH_SVG,
    ANA_GRAPH_PNG,
    ANA_GRAPH_DOT,
    ANA_GRAPH_MERMAID, /* .mmd: a flowchart */
    ANA_GRAPH_JSON     /* what is drawn, in numbers */
};

/* "svg", "png", "dot", "mmd" or "json"; false for another text. */
bool ana_graph_format_parse(const char *text, enum ana_graph_format *format);

struct ana_graph_options {
    const char *path;  /* where to; "-": standard output */
    bool force;        /* replace an existing file */
    bool applications; /* draw who asks whom for keys */
    bool classical;    /* draw a classical network of its own */
    enum ana_graph_format format;
};

/* Draws the scenario, with the levels and failures of `summary` unless it is NULL. QKD_ERR_INVALID
 * if the name says no format, QKD_ERR_EXISTS, QKD_ERR_IO, QKD_ERR_NOMEM. */
int ana_graph_write(const struct scn_scenario *scenario, const struct scn_summary *summary,
                    const struct ana_graph_options *options, struct ana_error *error);

/* The network as Mermaid flowchart, and as JSON, into a text to be given to free(); NULL without
 * memory. For ana_graph_write(). */
char *ana_graph_mermaid(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        const struct ana_graph_options *options, size_t *len);
char *ana_graph_json(const struct scn_scenario *scenario, const struct scn_summary *summary,
                     const struct ana_graph_options *options, size_t *len);

#endif
