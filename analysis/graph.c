/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures with Graphviz: builds the graph, lays it out, renders into memory, writes the file. */
#include "analysis/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graphviz/gvc.h>

#include "analysis/graph_layout.h"
#include "analysis/graph_place.h"
#include "analysis/graph_style.h"
#include "analysis/outfile.h"
#include "analysis/text.h"
#include "core/base/err.h"

#define MOST_LABELLED_LINKS 48   /* above it, links carry no text */
#define MOST_LABELLED_NODES 400  /* above it, all nodes are dots */
#define MOST_SEEN_NODES 2000     /* above it, dots are as small as can be */
#define MOST_PLACED_BY_NEATO 300 /* above it, sfdp lays out */
#define MOST_NETWORKS 4          /* names of user networks in a label */
#define TEXT_LENGTH 2.6          /* inches of a link with a text where there is no map, */
#define BARE_LENGTH 1.4          /* and of one without */
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
    Agnode_t **nodes; /* by index in the scenario, switches behind the nodes */
    bool *dot;        /* nodes drawn without text */
    bool link_texts;  /* links carry texts */
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
    case SCN_FAULT_STORE_LOST:
        return "store lost";
    case SCN_FAULT_DISK_FULL:
        return "disk full";
    case SCN_FAULT_DEGRADED:
        return "degraded";
    case SCN_FAULT_MODULE:
        return "module fault";
    case SCN_FAULT_IMPAIRED:
        return "classical channel impaired";
    case SCN_FAULT_PARTITION:
        return "management cut off";
    case SCN_FAULT_SWITCH:
        return "switch agent fault";
    case SCN_FAULT_POINT:
        return "relay point fault";
    case SCN_FAULT_MAINTENANCE:
        return "maintenance";
    case SCN_FAULT_BOTH:
    case SCN_FAULT_WHATS:
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
    if (d->dot[i]) { /* who has applications is seen among those who pass on */
        bool user = n->role != SCN_ROLE_RELAY;
        set(node, "label", "");
        set(node, "shape", "circle");
        set(node, "fillcolor", user ? style->line : style->fill);
        set(node, "penwidth", "0.8");
        const char *size = user                                        ? "0.14"
                           : d->scenario->node_count > MOST_SEEN_NODES ? "0.03"
                                                                       : "0.08";
        set(node, "width", size);
        set(node, "height", size);
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
    set_number(edge, "penwidth", d->scenario->node_count > MOST_LABELLED_NODES ? width / 3 : width);
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
    set(edge, ANA_GRAPH_LOOSE, "1");
    if (d->link_texts && d->scenario->application_count <= 40) {
        set(edge, "fontcolor", ANA_APPLICATION);
        set(edge, "label", app->id);
    }
}

static void switch_add(struct drawing *d, size_t i)
{
    const struct scn_classical *classical = &d->scenario->classical;
    char name[SCN_ID_SIZE + 8];
    snprintf(name, sizeof name, "switch:%s", classical->switches[i].id);
    Agnode_t *node = agnode(d->graph, name, 1);
    d->nodes[d->scenario->node_count + i] = node;
    set(node, "shape", "diamond");
    set(node, "fillcolor", "white");
    set(node, "color", ANA_CLASSICAL);
    set(node, "fontsize", "8");
    bool small = classical->switch_count > MOST_LABELLED_LINKS;
    set(node, "label", small ? "" : classical->switches[i].id);
    set(node, "width", small ? "0.12" : "0.3");
    set(node, "height", small ? "0.12" : "0.3");
}

static void classical_link_add(struct drawing *d, size_t i)
{
    const struct scn_classical_link *link = &d->scenario->classical.links[i];
    char name[SCN_ID_SIZE + 16];
    snprintf(name, sizeof name, "classical:%s", link->id);
    Agedge_t *edge = agedge(d->graph, d->nodes[link->a], d->nodes[link->b], name, 1);
    bool planned = has_fault(d->scenario, SCN_TARGET_CLASSICAL, i);
    set(edge, "color", planned ? ANA_RED : ANA_CLASSICAL);
    set(edge, "style", "dotted");
    set(edge, "penwidth", "1");
    set(edge, "dir", "none");
    set(edge, "weight", "0");
    set(edge, ANA_GRAPH_LOOSE, "1");
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

/* Switches have no coordinates: each lies amid the nodes to which it leads, if it leads to any. */
static void switches_place(struct drawing *d, const struct ana_point *points)
{
    const struct scn_classical *classical = &d->scenario->classical;
    size_t nodes = d->scenario->node_count;
    for (size_t i = 0; d->options->classical && i < classical->switch_count; i++) {
        double x = 0, y = 0;
        size_t count = 0;
        for (size_t k = 0; k < classical->link_count; k++) {
            const struct scn_classical_link *link = &classical->links[k];
            size_t other = link->a == nodes + i ? link->b : link->b == nodes + i ? link->a : nodes;
            if (other < nodes) {
                x += points[other].x;
                y += points[other].y;
                count++;
            }
        }
        size_t some = i % nodes; /* among switches only: anywhere */
        char text[64];
        snprintf(text, sizeof text, "%.3f,%.3f",
                 72 * (count > 0 ? x / (double)count : points[some].x + 0.5),
                 72 * (count > 0 ? y / (double)count : points[some].y + 0.5));
        set(d->nodes[nodes + i], "pos", text);
    }
}

/* Positions on the map. True if all nodes have one. */
static bool place_on_map(struct drawing *d)
{
    size_t count = d->scenario->node_count;
    struct ana_point *points = calloc(count + 1, sizeof *points);
    bool placed = points != NULL && ana_map_points(d->scenario, d->link_texts, d->dot, points);
    for (size_t i = 0; placed && i < count; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.3f,%.3f", 72 * points[i].x, 72 * points[i].y);
        set(d->nodes[i], "pos", text);
    }
    if (placed) {
        switches_place(d, points);
    }
    free(points);
    return placed;
}

/* Graphviz only draws what is placed on the map; else small networks are laid out by neato, which
 * looks best, large ones by sfdp, which takes time in proportion to them. */
static void layout_choose(struct drawing *d)
{
    bool large = d->scenario->node_count > MOST_PLACED_BY_NEATO;
    if (place_on_map(d)) {
        set(d->graph, "layout", "nop");
        return;
    }
    set(d->graph, "layout", large ? "sfdp" : "neato");
    set(d->graph, "overlap", large ? "scale" : "false");
    char length[16];
    snprintf(length, sizeof length, "%.1f", d->link_texts ? TEXT_LENGTH : BARE_LENGTH);
    agattr(d->graph, AGEDGE, (char *)(uintptr_t) "len", length);
}

static void build(struct drawing *d)
{
    const struct scn_scenario *scenario = d->scenario;
    d->link_texts = scenario->link_count <= MOST_LABELLED_LINKS;
    ana_graph_dots(scenario, d->dot);
    size_t labelled = 0;
    for (size_t i = 0; i < scenario->node_count; i++) {
        labelled += !d->dot[i];
    }
    for (size_t i = 0; i < scenario->node_count; i++) {
        d->dot[i] = d->dot[i] || labelled > MOST_LABELLED_NODES;
    }
    set_defaults(d->graph);
    for (int layer = 0; layer < 2; layer++) { /* what is made last lies on top */
        for (size_t i = 0; i < scenario->node_count; i++) {
            bool below = d->dot[i] && scenario->nodes[i].role == SCN_ROLE_RELAY;
            if (below == (layer == 0)) {
                node_add(d, i);
            }
        }
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        link_add(d, i);
    }
    for (size_t i = 0; d->options->classical && i < scenario->classical.switch_count; i++) {
        switch_add(d, i);
    }
    for (size_t i = 0; d->options->classical && i < scenario->classical.link_count; i++) {
        classical_link_add(d, i);
    }
    char legend[ANA_LEGEND_SIZE];
    ana_legend(scenario, d->summary, legend);
    set_html(d->graph, d->graph, "label", legend);
    layout_choose(d);
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

/* Applications join when the nodes have their places: a picture with them is the one without, and
 * lines more. */
static bool lay_out(struct drawing *d, GVC_t *gvc)
{
    const char *layout = agget(d->graph, (char *)(uintptr_t) "layout");
    double length = 72 * (d->link_texts ? TEXT_LENGTH : BARE_LENGTH);
    if (strcmp(layout, "neato") == 0 && !ana_graph_place(gvc, d->graph, length)) {
        return false;
    }
    for (size_t i = 0; d->options->applications && i < d->scenario->application_count; i++) {
        application_add(d, i);
    }
    return ana_graph_lay_out(gvc, d->graph);
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
    char *bytes = NULL;
    unsigned len = 0;
    int err = QKD_OK;
    if (!lay_out(d, gvc)) {
        err = ana_fail(error, QKD_ERR_IO, "Graphviz has no layout '%s': is it installed?",
                       agget(d->graph, (char *)(uintptr_t) "layout"));
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

/* ---- formats ---- */

static const char *const formats[] = {"", "svg", "png", "dot", "mmd", "json"};

bool ana_graph_format_parse(const char *text, enum ana_graph_format *format)
{
    for (size_t i = 1; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(text, formats[i]) == 0) {
            *format = (enum ana_graph_format)i;
            return true;
        }
    }
    return false;
}

/* The format, by the ending of the name if it is not given; false if neither says one. */
static bool format_of(const struct ana_graph_options *options, enum ana_graph_format *format)
{
    const char *dot = strrchr(options->path, '.');
    *format = options->format;
    return *format != ANA_GRAPH_BY_NAME || (dot != NULL && ana_graph_format_parse(dot + 1, format));
}

static int write_text(const struct scn_scenario *scenario, const struct scn_summary *summary,
                      const struct ana_graph_options *options, enum ana_graph_format format,
                      struct ana_error *error)
{
    struct ana_bytes bytes = {NULL, 0};
    char *text = format == ANA_GRAPH_MERMAID
                     ? ana_graph_mermaid(scenario, summary, options, &bytes.len)
                     : ana_graph_json(scenario, summary, options, &bytes.len);
    if (text == NULL) {
        return ana_fail(error, QKD_ERR_NOMEM, "no memory for the picture");
    }
    bytes.bytes = text;
    int err = ana_outfile_write(options->path, options->force, bytes, error);
    free(text);
    return err;
}

static int write_picture(const struct scn_scenario *scenario, const struct scn_summary *summary,
                         const struct ana_graph_options *options, const char *format,
                         struct ana_error *error)
{
    int err = QKD_OK;
    struct drawing d = {.scenario = scenario, .summary = summary, .options = options};
    d.nodes = calloc(scenario->node_count + scenario->classical.switch_count + 1,
                     sizeof(Agnode_t *));
    d.dot = calloc(scenario->node_count + 1, sizeof *d.dot);
    d.graph = agopen((char *)(uintptr_t) "qkdn", Agundirected, NULL);
    if (d.nodes == NULL || d.dot == NULL || d.graph == NULL) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory for the picture");
    } else {
        build(&d);
        err = render(&d, format, error);
    }
    if (d.graph != NULL) {
        agclose(d.graph);
    }
    free(d.nodes);
    free(d.dot);
    return err;
}

int ana_graph_write(const struct scn_scenario *scenario, const struct scn_summary *summary,
                    const struct ana_graph_options *options, struct ana_error *error)
{
    enum ana_graph_format format;
    bool to_file = strcmp(options->path, "-") != 0;
    if (!format_of(options, &format)) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "%s: expected a name that ends in .svg, .png, .dot, .mmd or .json, or "
                        "--format",
                        options->path);
    }
    int err = to_file ? ana_outfile_check(options->path, options->force, error) : QKD_OK;
    if (err != QKD_OK) {
        return err;
    }
    if (format == ANA_GRAPH_MERMAID || format == ANA_GRAPH_JSON) {
        return write_text(scenario, summary, options, format, error);
    }
    return write_picture(scenario, summary, options, formats[format], error);
}
