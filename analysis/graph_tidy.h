/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes a picture readable: moves nodes off the links of others, and looks for a free place for each
 * link's text. Geometry only, in points; knows nothing of Graphviz or of networks. */
#ifndef ANA_GRAPH_TIDY_H
#define ANA_GRAPH_TIDY_H

#include <stdbool.h>
#include <stddef.h>

struct ana_box {
    double x, y;       /* of the middle */
    double wide, high; /* 0 by 0: there is none */
};

struct ana_line {
    size_t a, b;         /* nodes */
    struct ana_box text; /* placed by ana_tidy_texts */
    double bend;         /* how far its middle lies to the left of the straight way from a to b */
    bool loose;          /* is in nobody's way and has no length that it should have */
};

struct ana_drawing {
    struct ana_box *nodes;
    size_t node_count;
    struct ana_line *lines;
    size_t line_count;
    double length;       /* that a link should have, if its text and its nodes leave it free */
    struct ana_box room; /* in which texts should stay; 0 by 0: anywhere */
};

/* Moves nodes until no single move makes the picture better, or for a number of rounds. Deterministic;
 * its time grows with nodes times links: for up to a hundred nodes. */
void ana_tidy_nodes(struct ana_drawing *d);

/* Places the text of each line at or near the middle of it: beside it, else upon it. */
void ana_tidy_texts(struct ana_drawing *d);

#endif
