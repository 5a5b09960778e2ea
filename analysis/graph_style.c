/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Colours, widths, shapes, legend. */
#include "analysis/graph_style.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/text.h"

const struct ana_node_style *ana_node_style(enum scn_node_role role)
{
    static const struct ana_node_style user = {"ellipse", "#dbeafe", "#1d4ed8", "user node"};
    static const struct ana_node_style relay = {"box", "#f1f5f9", "#64748b", "relay node"};
    static const struct ana_node_style border = {"hexagon", "#fef3c7", "#b45309", "border node"};
    switch (role) {
    case SCN_ROLE_RELAY:
        return &relay;
    case SCN_ROLE_BORDER:
        return &border;
    case SCN_ROLE_USER:
        break;
    }
    return &user;
}

double ana_rate_width(double rate_bps)
{
    double decades = log10(fmax(rate_bps, 1) / 1000);
    return 1 + 1.5 * fmin(fmax(decades, 0), 5);
}

void ana_level_colour(double share, char colour[ANA_COLOUR_SIZE])
{
    static const int stops[][3] = {
        {0xf9, 0x73, 0x16}, {0xea, 0xb3, 0x08}, {0x22, 0xa0, 0x4b}, {0x03, 0x69, 0xa1}};
    double place = 3 * sqrt(fmin(fmax(share, 0), 1));
    int from = place >= 3 ? 2 : (int)place;
    double part = place - from;
    int mixed[3];
    for (int i = 0; i < 3; i++) {
        mixed[i] = (int)lround(stops[from][i] + part * (stops[from + 1][i] - stops[from][i]));
    }
    snprintf(colour, ANA_COLOUR_SIZE, "#%02x%02x%02x", (unsigned)mixed[0] & 0xffU,
             (unsigned)mixed[1] & 0xffU, (unsigned)mixed[2] & 0xffU);
}

void ana_html_escape(const char *text, char escaped[ANA_ESCAPED_SIZE])
{
    size_t len = 0;
    for (const char *c = text; *c != '\0' && len + 7 < ANA_ESCAPED_SIZE; c++) {
        const char *entity = *c == '&'   ? "&amp;"
                             : *c == '<' ? "&lt;"
                             : *c == '>' ? "&gt;"
                             : *c == '"' ? "&quot;"
                                         : NULL;
        if (entity != NULL) {
            memcpy(escaped + len, entity, strlen(entity));
            len += strlen(entity);
        } else {
            escaped[len++] = *c;
        }
    }
    escaped[len] = '\0';
}

/* ---- legend ---- */

static void add_roles(struct ana_text *legend, const struct scn_scenario *scenario)
{
    static const enum scn_node_role roles[] = {SCN_ROLE_USER, SCN_ROLE_RELAY, SCN_ROLE_BORDER};
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        bool used = false;
        for (size_t i = 0; i < scenario->node_count; i++) {
            used = used || scenario->nodes[i].role == roles[r];
        }
        if (used) {
            const struct ana_node_style *style = ana_node_style(roles[r]);
            ana_text_add(legend, "<TD BGCOLOR=\"%s\" COLOR=\"%s\" BORDER=\"1\">%s</TD>",
                         style->fill, style->line, style->word);
        }
    }
}

static void add_levels(struct ana_text *legend)
{
    static const struct {
        double share;
        const char *text;
    } steps[] = {{0, "0 %"}, {0.05, "5 %"}, {0.25, "25 %"}, {0.5, "50 %"}, {1, "full"}};
    ana_text_add(legend, "<TD>pool at the end:</TD>");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char colour[ANA_COLOUR_SIZE];
        ana_level_colour(steps[i].share, colour);
        ana_text_add(legend, "<TD BGCOLOR=\"%s\"><FONT COLOR=\"white\">%s</FONT></TD>", colour,
                     steps[i].text);
    }
}

void ana_legend(const struct scn_scenario *scenario, const struct scn_summary *summary,
                char legend_text[ANA_LEGEND_SIZE])
{
    struct ana_text legend = {legend_text, 0, ANA_LEGEND_SIZE};
    char name[ANA_ESCAPED_SIZE];
    ana_html_escape(scenario->name, name);
    ana_text_add(&legend,
                 "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"4\" CELLPADDING=\"3\">"
                 "<TR><TD COLSPAN=\"12\"><FONT POINT-SIZE=\"14\"><B>%s</B></FONT></TD></TR>",
                 name);
    if (summary != NULL) {
        char sim[ANA_TEXT_SIZE], key[ANA_TEXT_SIZE];
        double served = scn_served_fraction(&summary->requests);
        ana_text_add(
            &legend,
            "<TR><TD COLSPAN=\"12\">after %s: %llu requests, %.2f %% served, %s of key</TD>"
            "</TR>",
            ana_seconds_text(summary->sim_s, sim), (unsigned long long)summary->requests.total,
            isnan(served) ? 0.0 : 100 * served, ana_bits_text((double)summary->supplied_bits, key));
    }
    ana_text_add(&legend, "<TR>");
    add_roles(&legend, scenario);
    if (summary != NULL) {
        add_levels(&legend);
    }
    ana_text_add(&legend,
                 "<TD>width: key rate</TD><TD><FONT COLOR=\"" ANA_RED "\">- - %s</FONT></TD>%s",
                 summary != NULL ? "down" : "fault planned",
                 summary != NULL ? "<TD>- - was down</TD>" : "");
    ana_text_add(&legend, "</TR></TABLE>");
}
