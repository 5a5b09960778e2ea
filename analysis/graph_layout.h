/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lays a picture out: Graphviz first, and then what makes it readable. */
#ifndef ANA_GRAPH_LAYOUT_H
#define ANA_GRAPH_LAYOUT_H

#include <stdbool.h>

#include <graphviz/gvc.h>

/* Edges with this attribute "1" are no links: they hinder nobody. */
#define ANA_GRAPH_LOOSE "loose"

/* Lays out by the graph's attribute `layout`; after "neato", moves the nodes of a small network off
 * the links of others, `length` points being what a link should have; places the texts of links,
 * whatever the layout was. The caller frees the layout. False if Graphviz refuses. */
bool ana_graph_lay_out(GVC_t *gvc, Agraph_t *graph, double length);

#endif
