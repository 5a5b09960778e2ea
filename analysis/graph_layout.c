/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between Graphviz and graph_tidy.c: sizes and places out of a layout, and back into it. */
#include "analysis/graph_layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/graph_tidy.h"

#define MOST_TIDY_NODES 120 /* more are left as Graphviz laid them out */
#define MOST_TIDY_LINES 240

static char *word(const char *text)
{
    return (char *)(uintptr_t)text; /* Graphviz does not change it */
}

/* Numbers of nodes are needed to name the ends of lines. */
static size_t number_of(Agnode_t *const *nodes, size_t count, const Agnode_t *node)
{
    size_t i = 0;
    while (i + 1 < count && nodes[i] != node) {
        i++;
    }
    return i;
}

struct picture {
    struct ana_drawing drawing;
    Agnode_t **nodes;
    Agedge_t **edges;
};

static void picture_fini(struct picture *p)
{
    free(p->drawing.nodes);
    free(p->drawing.lines);
    free(p->nodes);
    free(p->edges);
}

/* Two edges between the same nodes are drawn as curves side by side. */
static double bend_of(const struct ana_drawing *d, const struct ana_line *line, Agedge_t *edge)
{
    const struct splines *spline = ED_spl(edge);
    if (spline == NULL || spline->size < 1 || spline->list[0].size < 4) {
        return 0;
    }
    const pointf *p = spline->list[0].list;
    int last = spline->list[0].size - 1, half = last / 2;
    pointf middle = p[half]; /* a point of the curve if there are two or more pieces */
    if (last == 3) {
        middle.x = (p[0].x + 3 * p[1].x + 3 * p[2].x + p[3].x) / 8;
        middle.y = (p[0].y + 3 * p[1].y + 3 * p[2].y + p[3].y) / 8;
    }
    const struct ana_box *a = &d->nodes[line->a], *b = &d->nodes[line->b];
    double x = b->x - a->x, y = b->y - a->y, length = hypot(x, y);
    return length > 0 ? ((middle.y - a->y) * x - (middle.x - a->x) * y) / length : 0;
}

static void edge_read(struct picture *p, Agedge_t *edge)
{
    struct ana_drawing *d = &p->drawing;
    const textlabel_t *label = ED_label(edge);
    const char *loose = agget(edge, word(ANA_GRAPH_LOOSE));
    struct ana_line line = {.a = number_of(p->nodes, d->node_count, agtail(edge)),
                            .b = number_of(p->nodes, d->node_count, aghead(edge)),
                            .loose = loose != NULL && *loose == '1'};
    if (label != NULL) {
        line.text = (struct ana_box){label->pos.x, label->pos.y, label->dimen.x, label->dimen.y};
    }
    line.bend = bend_of(d, &line, edge);
    p->edges[d->line_count] = edge;
    d->lines[d->line_count++] = line;
}

/* Above the legend, which stands at the bottom. */
static struct ana_box room_of(Agraph_t *graph)
{
    boxf all = GD_bb(graph);
    double legend = GD_label(graph) != NULL ? GD_label(graph)->dimen.y : 0;
    return (struct ana_box){(all.LL.x + all.UR.x) / 2, (all.LL.y + legend + all.UR.y) / 2,
                            all.UR.x - all.LL.x, all.UR.y - all.LL.y - legend};
}

/* Reads what Graphviz laid out; false without memory. */
static bool picture_read(Agraph_t *graph, struct picture *p)
{
    size_t nodes = (size_t)agnnodes(graph), edges = (size_t)agnedges(graph);
    struct ana_drawing *d = &p->drawing;
    *p = (struct picture){{.nodes = calloc(nodes + 1, sizeof *d->nodes),
                           .lines = calloc(edges + 1, sizeof *d->lines)},
                          calloc(nodes + 1, sizeof(Agnode_t *)),
                          calloc(edges + 1, sizeof(Agedge_t *))};
    if (d->nodes == NULL || d->lines == NULL || p->nodes == NULL || p->edges == NULL) {
        picture_fini(p);
        return false;
    }
    for (Agnode_t *n = agfstnode(graph); n != NULL; n = agnxtnode(graph, n)) {
        p->nodes[d->node_count] = n;
        d->nodes[d->node_count++] = (struct ana_box){ND_coord(n).x, ND_coord(n).y, 72 * ND_width(n),
                                                     72 * ND_height(n)};
    }
    for (Agnode_t *n = agfstnode(graph); n != NULL; n = agnxtnode(graph, n)) {
        for (Agedge_t *e = agfstout(graph, n); e != NULL; e = agnxtout(graph, e)) {
            edge_read(p, e);
        }
    }
    d->room = room_of(graph);
    return true;
}

static bool is_small(Agraph_t *graph)
{
    return agnnodes(graph) <= MOST_TIDY_NODES && agnedges(graph) <= MOST_TIDY_LINES;
}

/* Pins the nodes where they are now; the next layout only draws. */
static void nodes_pin(Agraph_t *graph, const struct picture *p)
{
    for (size_t i = 0; i < p->drawing.node_count; i++) {
        char pos[64];
        snprintf(pos, sizeof pos, "%.3f,%.3f", p->drawing.nodes[i].x, p->drawing.nodes[i].y);
        agsafeset(p->nodes[i], word("pos"), pos, word(""));
    }
    agsafeset(graph, word("layout"), word("nop"), word(""));
    agsafeset(graph, word("overlap"), word("true"), word(""));
}

bool ana_graph_place(GVC_t *gvc, Agraph_t *graph, double length)
{
    struct picture p;
    if (gvLayout(gvc, graph, "neato") != 0) {
        return false;
    }
    bool read = picture_read(graph, &p); /* without memory: it is laid out once more, later */
    if (read && is_small(graph)) {
        p.drawing.length = length;
        ana_tidy_nodes(&p.drawing);
    }
    gvFreeLayout(gvc, graph);
    if (read) {
        nodes_pin(graph, &p);
        picture_fini(&p);
    }
    return true;
}

static void texts_tidy(Agraph_t *graph)
{
    struct picture p;
    if (!picture_read(graph, &p)) {
        return;
    }
    ana_tidy_texts(&p.drawing);
    for (size_t k = 0; k < p.drawing.line_count; k++) {
        textlabel_t *label = ED_label(p.edges[k]);
        if (label != NULL) {
            label->pos.x = p.drawing.lines[k].text.x;
            label->pos.y = p.drawing.lines[k].text.y;
        }
    }
    picture_fini(&p);
}

bool ana_graph_lay_out(GVC_t *gvc, Agraph_t *graph)
{
    if (gvLayout(gvc, graph, agget(graph, word("layout"))) != 0) {
        return false;
    }
    if (is_small(graph)) {
        texts_tidy(graph);
    }
    return true;
}
