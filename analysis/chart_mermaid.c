/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sequence charts as Mermaid text (sequenceDiagram), for pages that render it. */
#include <inttypes.h>
#include <string.h>

#include "analysis/chart.h"
#include "core/base/err.h"

/* Characters that end a statement or begin an entity are written as entities. */
static void put_text(FILE *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ';' || *c == '#' || *c == '<' || *c == '>' || *c == '"' || *c == '&' ||
            (unsigned char)*c < ' ') {
            fprintf(out, "#%u;", (unsigned)(unsigned char)*c);
        } else {
            fputc(*c, out);
        }
    }
}

static void participants(const struct ana_chart *chart, FILE *out)
{
    for (size_t i = 0; i < chart->element_count; i++) {
        const struct ana_chart_element *element = &chart->elements[i];
        bool opens = i == 0 || element->node_index != chart->elements[i - 1].node_index;
        bool closes = i + 1 == chart->element_count ||
                      element->node_index != chart->elements[i + 1].node_index;
        if (opens) {
            fputs("    box transparent node ", out);
            put_text(out, element->node);
            fputs("\n", out);
        }
        fprintf(out, "        participant p%zu as ", i);
        put_text(out, element->name);
        fputs("\n", out);
        if (closes) {
            fputs("    end\n", out);
        }
    }
}

int ana_chart_mermaid(const struct ana_chart *chart, FILE *out)
{
    fputs("sequenceDiagram\n    title ", out);
    put_text(out, chart->title);
    fputs("\n", out);
    participants(chart, out);
    for (size_t i = 0; i < chart->message_count; i++) {
        const struct ana_chart_message *message = &chart->messages[i];
        char facts[ANA_CHART_FACTS], when[32];
        const char *arrow = message->sending > 1 ? "-->>" : "->>";
        if (!ana_chart_arrived(message)) {
            arrow = message->sending > 1 ? "--x" : "-x";
        }
        ana_chart_facts(message, facts);
        ana_chart_time(message->sent_ns, when);
        fprintf(out, "    p%zu%sp%zu: %s ", message->from, arrow, message->to, when);
        put_text(out, message->name);
        fputs(" (", out);
        put_text(out, facts);
        fputs(")\n", out);
    }
    return ferror(out) ? QKD_ERR_IO : QKD_OK;
}
