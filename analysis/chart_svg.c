/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sequence charts as SVG 1.1. The vertical axis is time, but not to scale: each sending has a line of
 * its own, and a pause is as high as its logarithm, so that a microsecond and a retransmission time
 * are both seen. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/chart.h"
#include "analysis/text.h"
#include "core/base/err.h"

enum {
    LEFT = 96,    /* of the first lifeline's column */
    COLUMN = 168, /* between lifelines */
    BOX_WIDTH = 112,
    TITLE_Y = 26,
    BAND_Y = 44, /* node bands begin */
    BOX_Y = 66,  /* element boxes */
    BOX_HEIGHT = 26,
    FIRST_ROW = 128,
    ROW = 25,    /* a sending */
    ARRIVAL = 7, /* an arrival */
    LEGEND = 64
};

/* When something happens, and where that is on the page. */
struct instant {
    int64_t ns;
    uint64_t order; /* of things at the same time */
    size_t message;
    bool arrival;
    double y;
};

struct page {
    const struct ana_chart *chart;
    FILE *out;
    struct instant *instants;
    size_t count;
    double *sent_y, *arrived_y; /* per message */
    double width, height;
};

static const struct {
    const char *point, *colour;
} colours[] = {{"Ak", "#1d4ed8"},   {"KMI", "#64748b"}, {"Kx-1", "#15803d"},
               {"Kx-2", "#7e22ce"}, {"Ck", "#b45309"},  {"app", "#0e7490"}};

#define COLOUR_COUNT (sizeof colours / sizeof colours[0])
#define RED "#dc2626"

static const char *colour_of(const char *point)
{
    for (size_t i = 0; i < COLOUR_COUNT; i++) {
        if (strcmp(colours[i].point, point) == 0) {
            return colours[i].colour;
        }
    }
    return "#334155";
}

/* ---- writing ---- */

static double column_x(size_t element)
{
    return LEFT + COLUMN / 2.0 + (double)element * COLUMN;
}

/* ---- places ---- */

static int by_time(const void *a, const void *b)
{
    const struct instant *x = a;
    const struct instant *y = b;
    if (x->ns != y->ns) {
        return x->ns < y->ns ? -1 : 1;
    }
    if (x->arrival != y->arrival) {
        return x->arrival ? -1 : 1; /* what arrives is the cause of what is sent */
    }
    return (x->order > y->order) - (x->order < y->order);
}

/* Room for a pause. */
static double pause_height(int64_t ns)
{
    return ns <= 0 ? 0 : 3 + 6 * log10(1 + (double)ns / 20e3);
}

static bool is_copy(const struct ana_chart *chart, size_t message)
{
    return message > 0 && chart->messages[message - 1].number == chart->messages[message].number;
}

static void instants_fill(struct page *page)
{
    const struct ana_chart *chart = page->chart;
    for (size_t i = 0; i < chart->message_count; i++) {
        const struct ana_chart_message *m = &chart->messages[i];
        if (!is_copy(chart, i)) {
            page->instants[page->count++] = (struct instant){m->sent_ns, m->number, i, false, 0};
        }
        if (ana_chart_arrived(m) && m->arrived_ns > m->sent_ns) {
            page->instants[page->count++] = (struct instant){m->arrived_ns, m->number, i, true, 0};
        }
    }
    qsort(page->instants, page->count, sizeof *page->instants, by_time);
}

static void places_fill(struct page *page)
{
    const struct ana_chart *chart = page->chart;
    double y = FIRST_ROW;
    for (size_t k = 0; k < page->count; k++) {
        struct instant *instant = &page->instants[k];
        bool same = k > 0 && page->instants[k - 1].ns == instant->ns;
        if (k > 0) {
            y += same ? 0 : pause_height(instant->ns - page->instants[k - 1].ns);
            y += instant->arrival ? (same ? 0 : ARRIVAL) : ROW;
        }
        instant->y = y;
        *(instant->arrival ? &page->arrived_y[instant->message]
                           : &page->sent_y[instant->message]) = y;
    }
    for (size_t i = 0; i < chart->message_count; i++) {
        if (is_copy(chart, i)) {
            page->sent_y[i] = page->sent_y[i - 1];
        }
        if (ana_chart_arrived(&chart->messages[i]) && page->arrived_y[i] == 0) {
            page->arrived_y[i] = page->sent_y[i];
        }
    }
    page->width = LEFT + (double)chart->element_count * COLUMN + 24;
    double title = 24 + 7.6 * (double)strlen(chart->title);
    page->width = fmax(page->width, title);
    page->height = y + ROW + LEGEND;
}

static int page_init(struct page *page, const struct ana_chart *chart, FILE *out)
{
    size_t count = chart->message_count;
    *page = (struct page){.chart = chart, .out = out};
    page->instants = calloc(2 * count + 1, sizeof *page->instants);
    page->sent_y = calloc(count + 1, sizeof *page->sent_y);
    page->arrived_y = calloc(count + 1, sizeof *page->arrived_y);
    if (page->instants == NULL || page->sent_y == NULL || page->arrived_y == NULL) {
        return QKD_ERR_NOMEM;
    }
    instants_fill(page);
    places_fill(page);
    return QKD_OK;
}

static void page_fini(struct page *page)
{
    free(page->instants);
    free(page->sent_y);
    free(page->arrived_y);
}

/* ---- drawing ---- */

static void draw_head(const struct page *page)
{
    fprintf(page->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Verdana, sans-serif\" "
            "font-size=\"11\">\n<defs>\n",
            page->width, page->height, page->width, page->height);
    for (size_t i = 0; i <= COLOUR_COUNT; i++) {
        const char *name = i < COLOUR_COUNT ? colours[i].point : "other";
        fprintf(page->out,
                "<marker id=\"%s\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
                "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 10 5 0 10z\" fill=\"%s\"/>"
                "</marker>\n",
                name, colour_of(name));
    }
    fputs("</defs>\n<style>.halo{paint-order:stroke;stroke:#fff;stroke-width:3px;"
          "stroke-linejoin:round}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
          page->out);
    fprintf(page->out, "<text x=\"12\" y=\"%d\" font-size=\"14\" font-weight=\"bold\">", TITLE_Y);
    ana_text_escaped(page->out, page->chart->title);
    fputs("</text>\n", page->out);
}

/* Bands of neighbouring columns that are one node's. */
static void draw_bands(const struct page *page)
{
    const struct ana_chart *chart = page->chart;
    double bottom = page->height - LEGEND + 8;
    size_t band = 0;
    for (size_t i = 0; i < chart->element_count;) {
        size_t end = i + 1;
        while (end < chart->element_count &&
               chart->elements[end].node_index == chart->elements[i].node_index) {
            end++;
        }
        double x = LEFT + (double)i * COLUMN;
        double width = (double)(end - i) * COLUMN;
        fprintf(page->out,
                "<rect x=\"%.0f\" y=\"%d\" width=\"%.0f\" height=\"%.0f\" rx=\"4\" fill=\"%s\"/>\n"
                "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\" fill=\"#334155\">node ",
                x + 3, BAND_Y, width - 6, bottom - BAND_Y, band % 2 == 0 ? "#f1f5f9" : "#f8fafc",
                x + width / 2, BAND_Y + 15);
        ana_text_escaped(page->out, chart->elements[i].node);
        fputs("</text>\n", page->out);
        band++;
        i = end;
    }
}

static void draw_lifelines(const struct page *page)
{
    double bottom = page->height - LEGEND;
    for (size_t i = 0; i < page->chart->element_count; i++) {
        double x = column_x(i);
        fprintf(page->out,
                "<line x1=\"%.0f\" y1=\"%d\" x2=\"%.0f\" y2=\"%.0f\" stroke=\"#94a3b8\" "
                "stroke-dasharray=\"2 3\"/>\n<rect x=\"%.0f\" y=\"%d\" width=\"%d\" height=\"%d\" "
                "rx=\"3\" fill=\"#fff\" stroke=\"#475569\"/>\n<text x=\"%.0f\" y=\"%d\" "
                "text-anchor=\"middle\" font-weight=\"bold\">",
                x, BOX_Y + BOX_HEIGHT, x, bottom, x - BOX_WIDTH / 2.0, BOX_Y, BOX_WIDTH, BOX_HEIGHT,
                x, BOX_Y + 17);
        char name[20]; /* what the box holds */
        snprintf(name, sizeof name, "%.16s%s", page->chart->elements[i].name,
                 strlen(page->chart->elements[i].name) > 16 ? ".." : "");
        ana_text_escaped(page->out, name);
        fputs("</text>\n", page->out);
    }
}

/* Times at the left edge, where there is room for them. */
static void draw_times(const struct page *page)
{
    double last_y = 0;
    for (size_t k = 0; k < page->count; k++) {
        const struct instant *instant = &page->instants[k];
        bool fresh = k == 0 || page->instants[k - 1].ns != instant->ns;
        if (fresh && instant->y - last_y >= 12) {
            char text[32];
            ana_chart_time(instant->ns, text);
            fprintf(page->out,
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"#475569\">%s</text>\n",
                    LEFT - 8, instant->y + 4, text);
            last_y = instant->y;
        }
    }
}

/* A message that never arrived ends on its way: a cross, or a ring if the run ended before. */
static void draw_end(const struct page *page, const struct ana_chart_message *m, double x, double y)
{
    if (strcmp(m->fate, "under_way") == 0) {
        fprintf(page->out,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#fff\" stroke=\"#64748b\"/>\n", x,
                y);
        return;
    }
    fprintf(page->out,
            "<path d=\"M%.1f %.1fl10 10m0 -10l-10 10\" stroke=\"" RED "\" stroke-width=\"2\"/>\n",
            x - 5, y - 5);
}

static void draw_label(const struct page *page, const struct ana_chart_message *m, double y)
{
    char facts[ANA_CHART_FACTS];
    bool right = m->to >= m->from;
    bool bad = !ana_chart_arrived(m) || m->reason[0] != '\0';
    ana_chart_facts(m, facts);
    fprintf(page->out,
            "<text class=\"halo\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"><tspan "
            "font-weight=\"bold\" fill=\"%s\">",
            column_x(m->from) + (right ? 6 : -6), y - 4, right ? "start" : "end",
            colour_of(m->point));
    ana_text_escaped(page->out, m->name);
    fprintf(page->out, "</tspan> <tspan font-size=\"9.5\" fill=\"%s\">", bad ? RED : "#475569");
    ana_text_escaped(page->out, facts);
    fputs("</tspan></text>\n", page->out);
}

static void draw_message(const struct page *page, size_t i)
{
    const struct ana_chart_message *m = &page->chart->messages[i];
    double x1 = column_x(m->from);
    double x2 = column_x(m->to);
    double y1 = page->sent_y[i];
    double y2 = ana_chart_arrived(m) ? page->arrived_y[i] : y1 + ROW / 2.0;
    bool copy = is_copy(page->chart, i);
    const char *dash = copy             ? " stroke-dasharray=\"1 3\""
                       : m->sending > 1 ? " stroke-dasharray=\"6 3\""
                                        : "";
    if (!ana_chart_arrived(m)) {
        x2 = x1 + 0.45 * (x2 - x1);
    }
    const char *marker = "other";
    for (size_t c = 0; c < COLOUR_COUNT; c++) {
        marker = strcmp(colours[c].point, m->point) == 0 ? colours[c].point : marker;
    }
    fprintf(page->out, "<path d=\"M%.1f %.1f", x1, y1);
    if (m->from == m->to) {
        fprintf(page->out, "h24v%.1fh-24", fmax(y2 - y1, 8));
    } else {
        fprintf(page->out, "L%.1f %.1f", x2, y2);
    }
    fprintf(page->out, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.4\"%s", colour_of(m->point),
            dash);
    if (ana_chart_arrived(m)) {
        fprintf(page->out, " marker-end=\"url(#%s)\"", marker);
    }
    fputs("/>\n", page->out);
    if (!ana_chart_arrived(m)) {
        draw_end(page, m, x2, y2);
    }
}

static void draw_legend(const struct page *page)
{
    double y = page->height - LEGEND + 34;
    double x = LEFT;
    for (size_t c = 0; c < COLOUR_COUNT; c++) {
        bool used = false;
        for (size_t i = 0; i < page->chart->message_count; i++) {
            used = used || strcmp(page->chart->messages[i].point, colours[c].point) == 0;
        }
        if (used) {
            fprintf(page->out,
                    "<path d=\"M%.0f %.0fh26\" stroke=\"%s\" stroke-width=\"1.4\" "
                    "marker-end=\"url(#%s)\"/><text x=\"%.0f\" y=\"%.0f\">%s</text>\n",
                    x, y, colours[c].colour, colours[c].point, x + 31, y + 4, colours[c].point);
            x += 76;
        }
    }
    fprintf(page->out,
            "<text x=\"%d\" y=\"%.0f\" fill=\"#475569\">dashed: sent again; dotted: a second copy; "
            "cross: never arrived. Time since the request, not to scale.</text>\n",
            LEFT, y + 22);
}

int ana_chart_svg(const struct ana_chart *chart, FILE *out)
{
    struct page page;
    int err = page_init(&page, chart, out);
    if (err == QKD_OK) {
        draw_head(&page);
        draw_bands(&page);
        draw_lifelines(&page);
        draw_times(&page);
        for (size_t i = 0; i < chart->message_count; i++) {
            draw_message(&page, i);
        }
        for (size_t i = 0; i < chart->message_count; i++) {
            if (!is_copy(chart, i)) {
                draw_label(&page, &chart->messages[i], page.sent_y[i]);
            }
        }
        draw_legend(&page);
        fputs("</svg>\n", out);
        err = ferror(out) ? QKD_ERR_IO : QKD_OK;
    }
    page_fini(&page);
    return err;
}
