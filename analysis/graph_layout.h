/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lays a picture out: Graphviz first, and then what makes it readable. */
#ifndef ANA_GRAPH_LAYOUT_H
#define ANA_GRAPH_LAYOUT_H

#include <stdbool.h>

#include <graphviz/gvc.h>

/* Edges with this attribute "1" are no links: they hinder nobody. */
#define ANA_GRAPH_LOOSE "loose"

/* Finds places for the nodes by neato, moves those of a small network off the links of others, and
 * makes "nop" the graph's layout, which draws them there; `length` points are what a link should
 * have. Edges that should not decide where nodes lie are added after it. False if Graphviz refuses. */
bool ana_graph_place(GVC_t *gvc, Agraph_t *graph, double length);

/* Lays out by the graph's attribute `layout` and, in a small network, places the texts of links.
 * The caller frees the layout. False if Graphviz refuses. */
bool ana_graph_lay_out(GVC_t *gvc, Agraph_t *graph);

#endif
