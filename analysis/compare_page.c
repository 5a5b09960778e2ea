/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparisons for people: a table on the terminal, JSON, a page in HTML or Markdown. */
#include <math.h>
#include <string.h>

#include "analysis/compare.h"

static const char *const change_names[] = {"within", "better", "worse"};

#define VALUE_SIZE 40

static const char *value_text(double value, char text[VALUE_SIZE])
{
    if (isnan(value)) {
        return "none";
    }
    snprintf(text, VALUE_SIZE, "%.6g", value);
    return text;
}

/* "+12.5 %", "" if there is no such share. */
static const char *share_text(const struct ana_difference *difference, char text[VALUE_SIZE])
{
    double share = (difference->after - difference->before) / fabs(difference->before);
    text[0] = '\0';
    if (isfinite(share)) {
        snprintf(text, VALUE_SIZE, "%+.3g %%", 100 * share);
    }
    return text;
}

void ana_comparison_print(FILE *out, const struct ana_comparison *comparison)
{
    if (!comparison->found || comparison->wrong[0] != '\0') {
        return;
    }
    if (comparison->note[0] != '\0') {
        fprintf(out, "note: %s\n", comparison->note);
    }
    if (comparison->worse > 0) {
        fprintf(out, "  %-44s %14s %14s %10s %12s\n", "worse than the stored run", "was", "is",
                "change", "tolerance");
    }
    for (size_t i = 0; i < comparison->count; i++) {
        const struct ana_difference *d = &comparison->differences[i];
        char before[VALUE_SIZE], after[VALUE_SIZE], share[VALUE_SIZE], slack[VALUE_SIZE];
        if (d->change == ANA_WORSE) {
            fprintf(out, "  %-44s %14s %14s %10s %12s\n", d->figure, value_text(d->before, before),
                    value_text(d->after, after), share_text(d, share), value_text(d->slack, slack));
        }
    }
    fprintf(out, "%zu figures compared with the stored run: %zu worse, %zu better\n",
            comparison->compared, comparison->worse, comparison->better);
}

void ana_comparison_json(struct ana_json *json, const char *name,
                         const struct ana_comparison *comparison)
{
    ana_json_object(json, name, ANA_JSON_LINES);
    ana_json_string(json, "note", comparison->note[0] == '\0' ? NULL : comparison->note);
    ana_json_uint(json, "compared", comparison->compared);
    ana_json_uint(json, "worse", comparison->worse);
    ana_json_uint(json, "better", comparison->better);
    ana_json_array(json, "differences", ANA_JSON_LINES);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct ana_difference *d = &comparison->differences[i];
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "figure", d->figure);
        ana_json_double(json, "before", d->before);
        ana_json_double(json, "after", d->after);
        ana_json_double(json, "tolerance", d->slack);
        ana_json_string(json, "change", change_names[d->change]);
        ana_json_close(json);
    }
    ana_json_close(json);
    ana_json_close(json);
}

/* ---- the page ---- */

/* Text that means nothing to HTML, nor to a cell of a Markdown table. */
static void write_plain(FILE *out, bool html, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (html && *c == '&') {
            fputs("&amp;", out);
        } else if (html && *c == '<') {
            fputs("&lt;", out);
        } else if (!html && strchr("\\|*_[]<>`", *c) != NULL) {
            fprintf(out, "\\%c", *c);
        } else {
            fputc(*c, out);
        }
    }
}

static void write_row(FILE *out, bool html, const struct ana_difference *d)
{
    char before[VALUE_SIZE], after[VALUE_SIZE], share[VALUE_SIZE], slack[VALUE_SIZE];
    const char *cells[] = {value_text(d->before, before), value_text(d->after, after),
                           share_text(d, share), value_text(d->slack, slack),
                           change_names[d->change]};
    if (html) {
        fprintf(out, "<tr class=\"%s\"><td>", change_names[d->change]);
    } else {
        fputs("| ", out);
    }
    write_plain(out, html, d->figure);
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        fputs(html ? "</td><td>" : " | ", out);
        write_plain(out, html, cells[i]);
    }
    fputs(html ? "</td></tr>\n" : " |\n", out);
}

static void write_section(FILE *out, bool html, const struct ana_comparison *comparison)
{
    const char *on = comparison->topology[0] == '\0' ? "" : " on ";
    fputs(html ? "<h2>" : "\n## ", out);
    write_plain(out, html, comparison->scenario);
    fputs(on, out);
    write_plain(out, html, comparison->topology);
    fputs(html ? "</h2>\n" : "\n\n", out);
    if (comparison->wrong[0] != '\0' || comparison->note[0] != '\0') {
        fputs(html ? "<p>" : "", out);
        write_plain(out, html, comparison->wrong[0] != '\0' ? comparison->wrong : comparison->note);
        fputs(html ? "</p>\n" : "\n\n", out);
    }
    fprintf(out, "%s%zu figures compared: %zu worse, %zu better, %zu changed in all%s\n",
            html ? "<p>" : "", comparison->compared, comparison->worse, comparison->better,
            comparison->count, html ? "</p>" : "\n");
    if (comparison->count == 0) {
        return;
    }
    fputs(html ? "<table>\n<tr><th>figure</th><th>was</th><th>is</th><th>change</th>"
                 "<th>tolerance</th><th></th></tr>\n"
               : "| figure | was | is | change | tolerance | |\n|---|--:|--:|--:|--:|---|\n",
          out);
    for (size_t i = 0; i < comparison->count; i++) {
        write_row(out, html, &comparison->differences[i]);
    }
    fputs(html ? "</table>\n" : "", out);
}

void ana_comparison_page(FILE *out, bool html, const struct ana_comparison *const *comparisons,
                         size_t count)
{
    size_t worse = 0;
    for (size_t i = 0; i < count; i++) {
        worse += comparisons[i]->worse > 0 || comparisons[i]->wrong[0] != '\0';
    }
    if (html) {
        fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
              "<title>Differences to the baseline</title>\n<style>\n"
              "body { font: 15px/1.4 sans-serif; margin: 2em; }\n"
              "table { border-collapse: collapse; }\n"
              "td, th { padding: 0.15em 0.8em; text-align: right; }\n"
              "td:first-child, th:first-child { text-align: left; }\n"
              "tr.worse { background: #f8d7d3; }\ntr.better { background: #d9eed7; }\n"
              "</style></head><body>\n<h1>Differences to the baseline</h1>\n",
              out);
    } else {
        fputs("# Differences to the baseline\n\n", out);
    }
    if (count == 0) {
        fprintf(out, "%sNo run was compared.%s\n", html ? "<p>" : "", html ? "</p>" : "");
    } else {
        fprintf(out, "%s%zu of %zu runs are worse by more than their tolerances.%s\n",
                html ? "<p>" : "", worse, count, html ? "</p>" : "");
    }
    for (size_t i = 0; i < count; i++) {
        write_section(out, html, comparisons[i]);
    }
    fputs(html ? "</body></html>\n" : "", out);
}
