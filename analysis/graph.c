/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures with Graphviz: builds the graph, lays it out, renders into memory, writes the file. */
#include "analysis/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graphviz/gvc.h>

#include "analysis/graph_place.h"
#include "analysis/graph_style.h"
#include "analysis/outfile.h"
#include "analysis/text.h"
#include "core/base/err.h"

#define MOST_LABELLED_LINKS 80   /* above it, links carry no text */
#define MOST_LABELLED_NODES 400  /* above it, nodes are dots */
#define MOST_PLACED_BY_NEATO 300 /* above it, sfdp lays out */
#define MOST_NETWORKS 4 /* names of user networks in a label */
#define LABEL_SIZE 2048
#define LABEL_BEGIN                                                                                \
    "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLPADDING=\"1\" CELLSPACING=\"0\" "                    \
    "BGCOLOR=\"#ffffffd0\"><TR><TD>"
#define LABEL_END "</TD></TR></TABLE>"
#define FAULTS_SHOWN 2 /* per link or node, in its label */

struct drawing {
    const struct scn_scenario *scenario;
    const struct scn_summary *summary; /* may be NULL */
    const struct ana_graph_options *options;
    Agraph_t *graph;
    Agnode_t **nodes; /* by index in the scenario */
    bool small_nodes, link_texts;
};

/* Graphviz takes names and values as char * that it does not change. */
static void set(void *object, const char *name, const char *value)
{
    agsafeset(object, (char *)(uintptr_t)name, (char *)(uintptr_t)value, "");
}

static void set_number(void *object, const char *name, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.4g", value);
    set(object, name, text);
}

/* A label in Graphviz's HTML-like language. */
static void set_html(Agraph_t *graph, void *object, const char *name, const char *html)
{
    char *text = agstrdup_html(graph, (char *)(uintptr_t)html);
    agsafeset(object, (char *)(uintptr_t)name, text, "");
    agstrfree(graph, text);
}

/* ---- nodes ---- */

static bool has_fault(const struct scn_scenario *scenario, enum scn_target target, size_t index)
{
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (fault->target == target && fault->index == index) {
            return true;
        }
    }
    return false;
}

static const char *fault_words(enum scn_fault_what what)
{
    switch (what) {
    case SCN_FAULT_QUANTUM:
        return "quantum fault";
    case SCN_FAULT_CLASSICAL:
        return "classical fault";
    case SCN_FAULT_CRASH:
        return "crash";
    case SCN_FAULT_DOWN:
        return "cut off";
    case SCN_FAULT_TORN:
        return "crash in a commit";
    case SCN_FAULT_DISK_FULL:
        return "disk full";
    case SCN_FAULT_BOTH:
        break;
    }
    return "fault";
}

/* Adds "crash at 10 min for 5 min" for the first faults of a link or node to a label. */
static void faults_text(const struct scn_scenario *scenario, enum scn_target target, size_t index,
                        struct ana_text *text)
{
    size_t shown = 0;
    for (size_t i = 0; i < scenario->fault_count && shown <= FAULTS_SHOWN; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (fault->target != target || fault->index != index) {
            continue;
        }
        if (shown++ == FAULTS_SHOWN) {
            ana_text_add(text, "<BR/><FONT COLOR=\"" ANA_RED "\">...</FONT>");
            continue;
        }
        bool ends = fault->for_ns != SCN_FOREVER;
        char at[ANA_TEXT_SIZE], duration[ANA_TEXT_SIZE];
        ana_text_add(text, "<BR/><FONT COLOR=\"" ANA_RED "\">%s at %s%s%s</FONT>",
                     fault_words(fault->what), ana_seconds_text((double)fault->at_ns * 1e-9, at),
                     ends ? " for " : "",
                     ends ? ana_seconds_text((double)fault->for_ns * 1e-9, duration) : "");
    }
}

static void node_label(const struct drawing *d, size_t i, Agnode_t *node)
{
    const struct scn_node *n = &d->scenario->nodes[i];
    char escaped[ANA_ESCAPED_SIZE], label[LABEL_SIZE];
    struct ana_text text = {label, 0, sizeof label};
    ana_html_escape(n->id, escaped);
    ana_text_add(&text, "<B>%s</B>", escaped);
    if (strcmp(n->id, n->name) != 0 && strlen(n->name) < 40) {
        ana_html_escape(n->name, escaped);
        ana_text_add(&text, "<BR/><FONT POINT-SIZE=\"9\">%s</FONT>", escaped);
    }
    bool controls = i == d->scenario->control.at;
    bool manages = i == d->scenario->management.at;
    if (controls || manages) {
        ana_text_add(&text, "<BR/><FONT POINT-SIZE=\"8\">%s%s%s</FONT>",
                     controls ? "controller" : "", controls && manages ? ", " : "",
                     manages ? "manager" : "");
    }
    for (size_t k = 0; k < n->user_network_count && k < MOST_NETWORKS; k++) {
        ana_html_escape(n->user_networks[k].name, escaped);
        ana_text_add(&text, "%s%s%s", k == 0 ? "<BR/><FONT POINT-SIZE=\"8\">" : ", ", escaped,
                     k + 1 < n->user_network_count && k + 1 < MOST_NETWORKS ? "" : "</FONT>");
    }
    faults_text(d->scenario, SCN_TARGET_NODE, i, &text);
    set_html(d->graph, node, "label", label);
}

static void node_add(struct drawing *d, size_t i)
{
    const struct scn_node *n = &d->scenario->nodes[i];
    const struct ana_node_style *style = ana_node_style(n->role);
    Agnode_t *node = agnode(d->graph, (char *)(uintptr_t)n->id, 1);
    d->nodes[i] = node;
    set(node, "shape", style->shape);
    set(node, "fillcolor", style->fill);
    set(node, "color", has_fault(d->scenario, SCN_TARGET_NODE, i) ? ANA_RED : style->line);
    if (d->small_nodes) {
        set(node, "label", "");
        set(node, "shape", "circle");
        set(node, "width", "0.12");
        set(node, "height", "0.12");
        return;
    }
    if (i == d->scenario->control.at) {
        set(node, "peripheries", "2");
    }
    node_label(d, i, node);
}

/* ---- links ---- */

static void level_text(const struct scn_link_summary *link, struct ana_text *text)
{
    char end[ANA_TEXT_SIZE];
    double made = (double)(link->bits.generated + link->bits.bootstrap);
    double used = (double)(link->bits.pads + link->bits.tags + link->bits.relayed_as_key);
    ana_text_add(text, "<BR/>pool %s", ana_bits_text((double)link->pool_end_bits, end));
    if (made > 0) {
        ana_text_add(text, "<BR/>used %.2g %%", 100.0 * used / made);
    }
}

static void link_label(const struct drawing *d, size_t i, Agedge_t *edge)
{
    const struct scn_link *link = &d->scenario->links[i];
    char rate[ANA_TEXT_SIZE], label[LABEL_SIZE];
    struct ana_text text = {label, 0, sizeof label - sizeof LABEL_END};
    ana_text_add(&text, LABEL_BEGIN "<B>%s</B>", ana_rate_text((double)link->qkd.mean_bps, rate));
    if (link->length_m > 0) {
        ana_text_add(&text, "<BR/>%.3g km", (double)link->length_m / 1000);
    }
    if (link->loss_db > 0) {
        ana_text_add(&text, "%s%.3g dB", link->length_m > 0 ? ", " : "<BR/>", link->loss_db);
    }
    if (d->summary != NULL) {
        level_text(&d->summary->links[i], &text);
    }
    faults_text(d->scenario, SCN_TARGET_LINK, i, &text);
    text.size = sizeof label;
    ana_text_add(&text, LABEL_END);
    set_html(d->graph, edge, "label", label);
}

/* Broken now (or, without results, by a planned fault): dashed red; else by pool level. */
static void link_colour(const struct drawing *d, size_t i, Agedge_t *edge)
{
    bool planned = has_fault(d->scenario, SCN_TARGET_LINK, i);
    bool broken = d->summary == NULL ? planned : !d->summary->links[i].up_end;
    char colour[ANA_COLOUR_SIZE];
    if (broken) {
        set(edge, "color", ANA_RED);
        set(edge, "style", "dashed");
        return;
    }
    if (d->summary == NULL) {
        set(edge, "color", ANA_LINK_PLAIN);
        return;
    }
    double store = (double)d->scenario->links[i].store_bits;
    double level = store > 0 ? (double)d->summary->links[i].pool_end_bits / store : 0;
    ana_level_colour(level, colour);
    set(edge, "color", colour);
    if (planned || d->summary->links[i].down_s > 0) {
        set(edge, "style", "dashed"); /* it was down for a while */
    }
}

static void link_add(struct drawing *d, size_t i)
{
    const struct scn_link *link = &d->scenario->links[i];
    Agedge_t *edge = agedge(d->graph, d->nodes[link->a], d->nodes[link->b],
                            (char *)(uintptr_t)link->id, 1);
    double width = ana_rate_width((double)link->qkd.mean_bps);
    set_number(edge, "penwidth", d->small_nodes ? width / 3 : width);
    set(edge, "dir", "none");
    link_colour(d, i, edge);
    if (d->link_texts) {
        link_label(d, i, edge);
    }
}

static void application_add(struct drawing *d, size_t i)
{
    const struct scn_application *app = &d->scenario->applications[i];
    char name[SCN_ID_SIZE + 8];
    snprintf(name, sizeof name, "app:%s", app->id);
    Agedge_t *edge = agedge(d->graph, d->nodes[app->from], d->nodes[app->to], name, 1);
    set(edge, "color", ANA_APPLICATION);
    set(edge, "style", "dotted");
    set(edge, "penwidth", "1.2");
    set(edge, "dir", "forward");
    set(edge, "arrowsize", "0.6");
    set(edge, "weight", "0");
    if (d->link_texts && d->scenario->application_count <= 40) {
        set(edge, "fontcolor", ANA_APPLICATION);
        set(edge, "label", app->id);
    }
}

/* ---- the whole ---- */

static void set_defaults(Agraph_t *graph)
{
    static const struct {
        int kind;
        const char *name, *value;
    } defaults[] = {
        {AGRAPH, "bgcolor", "white"},
        {AGRAPH, "fontname", "Helvetica"},
        {AGRAPH, "fontsize", "11"},
        {AGRAPH, "pad", "0.3"},
        {AGRAPH, "outputorder", "edgesfirst"},
        {AGRAPH, "splines", "line"},
        {AGRAPH, "start", "1"},
        {AGRAPH, "labelloc", "b"},
        {AGNODE, "fontname", "Helvetica"},
        {AGNODE, "fontsize", "11"},
        {AGNODE, "style", "filled"},
        {AGNODE, "penwidth", "1.4"},
        {AGNODE, "margin", "0.08,0.05"},
        {AGEDGE, "fontname", "Helvetica"},
        {AGEDGE, "fontsize", "9"},
        {AGEDGE, "fontcolor", "#374151"},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        agattr(graph, defaults[i].kind, (char *)(uintptr_t)defaults[i].name,
               (char *)(uintptr_t)defaults[i].value);
    }
}

/* Positions on the map, in inches, pinned. True if all nodes have one. */
static bool place_on_map(struct drawing *d)
{
    size_t count = d->scenario->node_count;
    struct ana_point *points = calloc(count + 1, sizeof *points);
    bool placed = points != NULL && ana_map_points(d->scenario, d->link_texts, points);
    for (size_t i = 0; placed && i < count; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.4f,%.4f!", points[i].x, points[i].y);
        set(d->nodes[i], "pos", text);
    }
    free(points);
    return placed;
}

static void build(struct drawing *d)
{
    const struct scn_scenario *scenario = d->scenario;
    d->small_nodes = scenario->node_count > MOST_LABELLED_NODES;
    d->link_texts = scenario->link_count <= MOST_LABELLED_LINKS;
    set_defaults(d->graph);
    for (size_t i = 0; i < scenario->node_count; i++) {
        node_add(d, i);
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        link_add(d, i);
    }
    for (size_t i = 0; d->options->applications && i < scenario->application_count; i++) {
        application_add(d, i);
    }
    char legend[ANA_LEGEND_SIZE];
    ana_legend(scenario, d->summary, legend);
    set_html(d->graph, d->graph, "label", legend);
    bool large = scenario->node_count > MOST_PLACED_BY_NEATO;
    if (place_on_map(d)) {
        set(d->graph, "layout", "neato");
    } else {
        set(d->graph, "layout", large ? "sfdp" : "neato");
        set(d->graph, "overlap", large ? "scale" : "false");
        agattr(d->graph, AGEDGE, (char *)(uintptr_t) "len", d->link_texts ? "2.6" : "1.2");
    }
}

/* Graphviz prints to standard error otherwise; what matters shows in its return values. */
static int swallow(char *message)
{
    (void)message;
    return 0;
}

/* One context for the whole process, never freed: Graphviz's text plugin remembers the name of the
 * font that it used last by a pointer into the context (seen with 2.42). */
static GVC_t *context(void)
{
    static GVC_t *gvc;
    if (gvc == NULL) {
        gvc = gvContext();
    }
    return gvc;
}

/* Lays out and renders to memory, then to the file. */
static int render(struct drawing *d, const char *format, struct ana_error *error)
{
    const struct ana_graph_options *options = d->options;
    agseterrf(swallow);
    GVC_t *gvc = context();
    if (gvc == NULL) {
        return ana_fail(error, QKD_ERR_NOMEM, "Graphviz does not start");
    }
    const char *layout = agget(d->graph, (char *)(uintptr_t) "layout");
    char *bytes = NULL;
    unsigned len = 0;
    int err = QKD_OK;
    if (gvLayout(gvc, d->graph, layout) != 0) {
        err = ana_fail(error, QKD_ERR_IO, "Graphviz has no layout '%s': is it installed?", layout);
    } else {
        if (gvRenderData(gvc, d->graph, format, &bytes, &len) != 0 || bytes == NULL) {
            err = ana_fail(error, QKD_ERR_IO, "Graphviz cannot draw %s: is it installed?", format);
        } else {
            struct ana_bytes picture = {bytes, len};
            err = ana_outfile_write(options->path, options->force, picture, error);
        }
        gvFreeRenderData(bytes);
        gvFreeLayout(gvc, d->graph);
    }
    return err;
}

/* "svg", "png" or "dot" by the ending of the name; NULL for any other. */
static const char *format_of(const char *path)
{
    static const char *const formats[] = {"svg", "png", "dot"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(dot + 1, formats[i]) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

int ana_graph_write(const struct scn_scenario *scenario, const struct scn_summary *summary,
                    const struct ana_graph_options *options, struct ana_error *error)
{
    const char *format = format_of(options->path);
    if (format == NULL) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "%s: expected a name that ends in .svg, .png or .dot", options->path);
    }
    int err = ana_outfile_check(options->path, options->force, error);
    if (err != QKD_OK) {
        return err;
    }
    struct drawing d = {.scenario = scenario, .summary = summary, .options = options};
    d.nodes = calloc(scenario->node_count + 1, sizeof(Agnode_t *));
    d.graph = agopen((char *)(uintptr_t) "qkdn", Agundirected, NULL);
    if (d.nodes == NULL || d.graph == NULL) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory for the picture");
    } else {
        build(&d);
        err = render(&d, format, error);
    }
    if (d.graph != NULL) {
        agclose(d.graph);
    }
    free(d.nodes);
    return err;
}
