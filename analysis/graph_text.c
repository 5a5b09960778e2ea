/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks as text: a Mermaid flowchart for pages that render it, and JSON for programs, with
 * everything that a picture shows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/graph.h"
#include "analysis/graph_style.h"
#include "analysis/json.h"
#include "analysis/text.h"

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

/* Broken now; without results, by a planned fault. */
static bool is_broken(const struct scn_scenario *scenario, const struct scn_summary *summary,
                      size_t link)
{
    return summary == NULL ? has_fault(scenario, SCN_TARGET_LINK, link)
                           : !summary->links[link].up_end;
}

/* Share of the store that the pool has at the end. */
static double level_of(const struct scn_scenario *scenario, const struct scn_summary *summary,
                       size_t link)
{
    double store = (double)scenario->links[link].store_bits;
    return store > 0 ? (double)summary->links[link].pool_end_bits / store : 0;
}

/* Share of the key made that was used; NAN if none was made. */
static double used_of(const struct scn_link_summary *link)
{
    double made = (double)(link->bits.generated + link->bits.bootstrap);
    double used = (double)(link->bits.pads + link->bits.tags + link->bits.relayed_as_key);
    return made > 0 ? used / made : NAN;
}

/* ---- Mermaid ---- */

/* A text between quotes: what would end it or begin an entity is written as an entity. */
static void put_text(FILE *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr("\"#&<>;", *c) != NULL || (unsigned char)*c < ' ') {
            fprintf(out, "#%u;", (unsigned)(unsigned char)*c);
        } else {
            fputc(*c, out);
        }
    }
}

static void mermaid_node(const struct scn_scenario *scenario, size_t i, FILE *out)
{
    static const char *const shapes[][2] = {{"([\"", "\"])"}, {"[\"", "\"]"}, {"{{\"", "\"}}"}};
    const struct scn_node *node = &scenario->nodes[i];
    int shape = node->role == SCN_ROLE_USER ? 0 : node->role == SCN_ROLE_RELAY ? 1 : 2;
    fprintf(out, "    n%zu%s", i, shapes[shape][0]);
    put_text(out, node->id);
    if (strcmp(node->id, node->name) != 0) {
        fputs("<br>", out);
        put_text(out, node->name);
    }
    if (i == scenario->control.at || i == scenario->management.at) {
        fprintf(out, "<br>%s%s%s", i == scenario->control.at ? "controller" : "",
                i == scenario->control.at && i == scenario->management.at ? ", " : "",
                i == scenario->management.at ? "manager" : "");
    }
    fprintf(out, "%s:::%s\n", shapes[shape][1], scn_role_name(node->role));
}

static void mermaid_link(const struct scn_scenario *scenario, const struct scn_summary *summary,
                         size_t i, FILE *out)
{
    const struct scn_link *link = &scenario->links[i];
    char text[ANA_TEXT_SIZE];
    bool broken = is_broken(scenario, summary, i);
    fprintf(out, "    n%u %s|\"%s", (unsigned)link->a, broken ? "-.-" : "---",
            ana_rate_text((double)link->qkd.mean_bps, text));
    if (link->length_m > 0) {
        fprintf(out, "<br>%.3g km", (double)link->length_m / 1000);
    }
    if (link->loss_db > 0) {
        fprintf(out, "%s%.3g dB", link->length_m > 0 ? ", " : "<br>", link->loss_db);
    }
    if (summary != NULL) {
        double used = used_of(&summary->links[i]);
        fprintf(out, "<br>pool %s", ana_bits_text((double)summary->links[i].pool_end_bits, text));
        if (!isnan(used)) {
            fprintf(out, "<br>used %.2g %%", 100 * used);
        }
    }
    fprintf(out, "\"| n%u\n", (unsigned)link->b);
}

static void mermaid_link_style(const struct scn_scenario *scenario,
                               const struct scn_summary *summary, size_t i, FILE *out)
{
    char colour[ANA_COLOUR_SIZE] = ANA_LINK_PLAIN;
    if (is_broken(scenario, summary, i)) {
        snprintf(colour, sizeof colour, "%s", ANA_RED);
    } else if (summary != NULL) {
        ana_level_colour(level_of(scenario, summary, i), colour);
    }
    fprintf(out, "    linkStyle %zu stroke:%s,stroke-width:%.1fpx\n", i, colour,
            ana_rate_width((double)scenario->links[i].qkd.mean_bps));
}

/* A node or, behind the nodes, a switch. */
static void mermaid_end(const struct scn_scenario *scenario, uint32_t end, FILE *out)
{
    bool node = end < scenario->node_count;
    fprintf(out, "%c%zu", node ? 'n' : 's', node ? end : end - scenario->node_count);
}

static void mermaid_classical(const struct scn_scenario *scenario, FILE *out)
{
    const struct scn_classical *classical = &scenario->classical;
    for (size_t i = 0; i < classical->switch_count; i++) {
        fprintf(out, "    s%zu{\"", i);
        put_text(out, classical->switches[i].id);
        fputs("\"}\n", out);
    }
    for (size_t i = 0; i < classical->link_count; i++) {
        fputs("    ", out);
        mermaid_end(scenario, classical->links[i].a, out);
        fputs(" -.- ", out);
        mermaid_end(scenario, classical->links[i].b, out);
        fputs("\n", out);
    }
}

static void mermaid_classical_style(const struct scn_scenario *scenario, size_t first, FILE *out)
{
    for (size_t i = 0; i < scenario->classical.link_count; i++) {
        fprintf(out, "    linkStyle %zu stroke:%s\n", first + i,
                has_fault(scenario, SCN_TARGET_CLASSICAL, i) ? ANA_RED : ANA_CLASSICAL);
    }
}

static void mermaid_write(const struct scn_scenario *scenario, const struct scn_summary *summary,
                          const struct ana_graph_options *options, FILE *out)
{
    static const enum scn_node_role roles[] = {SCN_ROLE_USER, SCN_ROLE_RELAY, SCN_ROLE_BORDER};
    size_t applications = options->applications ? scenario->application_count : 0;
    fputs("---\ntitle: \"", out);
    for (const char *c = scenario->name; *c != '\0'; c++) { /* YAML, double-quoted */
        fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", (unsigned char)*c < ' ' ? ' ' : *c);
    }
    fputs("\"\n---\nflowchart LR\n", out);
    for (size_t i = 0; i < scenario->node_count; i++) {
        mermaid_node(scenario, i, out);
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        mermaid_link(scenario, summary, i, out);
    }
    for (size_t i = 0; i < applications; i++) {
        const struct scn_application *app = &scenario->applications[i];
        fprintf(out, "    n%u -.->|\"", (unsigned)app->from);
        put_text(out, app->id);
        fprintf(out, "\"| n%u\n", (unsigned)app->to);
    }
    if (options->classical) {
        mermaid_classical(scenario, out);
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        mermaid_link_style(scenario, summary, i, out);
    }
    for (size_t i = 0; i < applications; i++) {
        fprintf(out, "    linkStyle %zu stroke:%s\n", scenario->link_count + i, ANA_APPLICATION);
    }
    if (options->classical) {
        mermaid_classical_style(scenario, scenario->link_count + applications, out);
    }
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        const struct ana_node_style *style = ana_node_style(roles[r]);
        fprintf(out, "    classDef %s fill:%s,stroke:%s,color:#0f172a\n", scn_role_name(roles[r]),
                style->fill, style->line);
    }
}

char *ana_graph_mermaid(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        const struct ana_graph_options *options, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (out == NULL) {
        return NULL;
    }
    mermaid_write(scenario, summary, options, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- JSON ---- */

static void json_faults(struct ana_json *json, const struct scn_scenario *scenario,
                        enum scn_target target, size_t index)
{
    ana_json_array(json, "faults", ANA_JSON_INLINE);
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (fault->target == target && fault->index == index) {
            bool ends = fault->for_ns != SCN_FOREVER;
            ana_json_object(json, NULL, ANA_JSON_INLINE);
            ana_json_string(json, "what", scn_fault_name(fault->what));
            ana_json_double(json, "at_s", (double)fault->at_ns / 1e9);
            ana_json_double(json, "for_s", ends ? (double)fault->for_ns / 1e9 : NAN);
            ana_json_close(json);
        }
    }
    ana_json_close(json);
}

static void json_node(struct ana_json *json, const struct scn_scenario *scenario, size_t i)
{
    const struct scn_node *node = &scenario->nodes[i];
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    ana_json_string(json, "id", node->id);
    ana_json_string(json, "name", node->name);
    ana_json_string(json, "role", scn_role_name(node->role));
    ana_json_string(json, "operator", node->operator_id);
    ana_json_double(json, "lat_deg", node->has_geo ? node->lat : NAN);
    ana_json_double(json, "lon_deg", node->has_geo ? node->lon : NAN);
    ana_json_bool(json, "controller", i == scenario->control.at);
    ana_json_bool(json, "manager", i == scenario->management.at);
    json_faults(json, scenario, SCN_TARGET_NODE, i);
    ana_json_close(json);
}

static void json_link(struct ana_json *json, const struct scn_scenario *scenario,
                      const struct scn_summary *summary, size_t i)
{
    const struct scn_link *link = &scenario->links[i];
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    ana_json_string(json, "id", link->id);
    ana_json_string(json, "a", scenario->nodes[link->a].id);
    ana_json_string(json, "b", scenario->nodes[link->b].id);
    ana_json_int(json, "length_m", link->length_m);
    ana_json_double(json, "loss_db", link->loss_db);
    ana_json_uint(json, "rate_bps", link->qkd.mean_bps);
    ana_json_uint(json, "store_bits", link->store_bits);
    json_faults(json, scenario, SCN_TARGET_LINK, i);
    if (summary != NULL) {
        const struct scn_link_summary *figures = &summary->links[i];
        ana_json_uint(json, "pool_min_bits", figures->pool_min_bits);
        ana_json_double(json, "pool_mean_bits", figures->pool_mean_bits);
        ana_json_uint(json, "pool_end_bits", figures->pool_end_bits);
        ana_json_double(json, "level", level_of(scenario, summary, i));
        ana_json_double(json, "used", used_of(figures));
        ana_json_uint(json, "exhaustions", figures->exhaustions);
        ana_json_double(json, "down_s", figures->down_s);
        ana_json_bool(json, "up", figures->up_end);
    }
    ana_json_close(json);
}

static void json_application(struct ana_json *json, const struct scn_scenario *scenario,
                             const struct scn_summary *summary, size_t i)
{
    const struct scn_application *app = &scenario->applications[i];
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    ana_json_string(json, "id", app->id);
    ana_json_string(json, "from", scenario->nodes[app->from].id);
    ana_json_string(json, "to", scenario->nodes[app->to].id);
    if (summary != NULL) {
        const struct scn_requests *requests = &summary->applications[i].requests;
        ana_json_uint(json, "requests", requests->total);
        ana_json_double(json, "served_fraction", scn_served_fraction(requests));
    }
    ana_json_close(json);
}

/* A node's or a switch's id. */
static const char *end_id(const struct scn_scenario *scenario, uint32_t end)
{
    return end < scenario->node_count ? scenario->nodes[end].id
                                      : scenario->classical.switches[end - scenario->node_count].id;
}

static void json_classical(struct ana_json *json, const struct scn_scenario *scenario)
{
    const struct scn_classical *classical = &scenario->classical;
    ana_json_array(json, "switches", ANA_JSON_LINES);
    for (size_t i = 0; i < classical->switch_count; i++) {
        ana_json_string(json, NULL, classical->switches[i].id);
    }
    ana_json_close(json);
    ana_json_array(json, "classical_links", ANA_JSON_LINES);
    for (size_t i = 0; i < classical->link_count; i++) {
        const struct scn_classical_link *link = &classical->links[i];
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "id", link->id);
        ana_json_string(json, "a", end_id(scenario, link->a));
        ana_json_string(json, "b", end_id(scenario, link->b));
        ana_json_int(json, "latency_ns", link->latency_ns);
        ana_json_uint(json, "bandwidth_bps", link->bandwidth_bps);
        json_faults(json, scenario, SCN_TARGET_CLASSICAL, i);
        ana_json_close(json);
    }
    ana_json_close(json);
}

char *ana_graph_json(const struct scn_scenario *scenario, const struct scn_summary *summary,
                     const struct ana_graph_options *options, size_t *len)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_uint(&json, "schema", 1);
    ana_json_string(&json, "scenario", scenario->name);
    ana_json_bool(&json, "results", summary != NULL);
    ana_json_array(&json, "nodes", ANA_JSON_LINES);
    for (size_t i = 0; i < scenario->node_count; i++) {
        json_node(&json, scenario, i);
    }
    ana_json_close(&json);
    ana_json_array(&json, "links", ANA_JSON_LINES);
    for (size_t i = 0; i < scenario->link_count; i++) {
        json_link(&json, scenario, summary, i);
    }
    ana_json_close(&json);
    if (options->applications) {
        ana_json_array(&json, "applications", ANA_JSON_LINES);
        for (size_t i = 0; i < scenario->application_count; i++) {
            json_application(&json, scenario, summary, i);
        }
        ana_json_close(&json);
    }
    if (options->classical) {
        json_classical(&json, scenario);
    }
    ana_json_close(&json);
    size_t size = json.failed ? 0 : json.len;
    char *text = json.failed ? NULL : malloc(size + 1);
    if (text != NULL) {
        memcpy(text, json.text, size);
        text[size] = '\n';
        *len = size + 1;
    }
    ana_json_fini(&json);
    return text;
}
