/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Colours, widths and shapes of pictures, and the legend that explains them. */
#ifndef ANA_GRAPH_STYLE_H
#define ANA_GRAPH_STYLE_H

#include "scenarios/outcome.h"

#define ANA_RED "#dc2626"         /* broken */
#define ANA_LINK_PLAIN "#475569"  /* a link whose level is not known */
#define ANA_APPLICATION "#7c3aed" /* who asks whom */
#define ANA_CLASSICAL "#0891b2"   /* a classical network of its own */
#define ANA_COLOUR_SIZE 8         /* "#rrggbb" */
#define ANA_ESCAPED_SIZE 784      /* a text of SCN_NAME_SIZE, escaped */
#define ANA_LEGEND_SIZE 4096

struct ana_node_style {
    const char *shape, *fill, *line;
    const char *word; /* in the legend */
};

const struct ana_node_style *ana_node_style(enum scn_node_role role);

/* Width of a link in points: 1 at 1 kbit/s or less, one more and a half per factor of ten. */
double ana_rate_width(double rate_bps);

/* Colour of a pool at this share (0 to 1) of its store: orange, yellow, green, blue when full.
 * The steps are even in the square root, because stores are large beside what one request needs. */
void ana_level_colour(double share, char colour[ANA_COLOUR_SIZE]);

/* The text with & < > " as entities. */
void ana_html_escape(const char *text, char escaped[ANA_ESCAPED_SIZE]);

/* The legend as an HTML-like Graphviz label; summary may be NULL. */
void ana_legend(const struct scn_scenario *scenario, const struct scn_summary *summary,
                char legend[ANA_LEGEND_SIZE]);

#endif
