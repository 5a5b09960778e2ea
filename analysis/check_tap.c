/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks in the Test Anything Protocol, version 13: one point for each thing judged, a YAML block
 * under each that is not ok, the plan at the end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/check.h"

/* A description must not hold a directive or a line end. */
static void write_name(FILE *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '#' || *c == '\\') {
            fputc('\\', out);
        }
        fputc(*c == '\n' || *c == '\r' ? ' ' : *c, out);
    }
}

/* In double quotes, as YAML and JSON have it. */
static void write_quoted(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            fprintf(out, "\\%c", text[i]);
        } else if ((unsigned char)text[i] < 0x20) {
            fprintf(out, "\\x%02x", (unsigned)(unsigned char)text[i]);
        } else {
            fputc(text[i], out);
        }
    }
    fputc('"', out);
}

static void write_text(FILE *out, const char *text)
{
    size_t len = strcspn(text, "\n");
    if (text[len] == '\0') {
        fputs("  message: ", out);
        write_quoted(out, text, len);
        fputs("\n", out);
        return;
    }
    fputs("  message:\n", out);
    while (*text != '\0') {
        len = strcspn(text, "\n");
        fputs("    - ", out);
        write_quoted(out, text, len);
        fputs("\n", out);
        text += text[len] == '\n' ? len + 1 : len;
    }
}

static void write_diagnostics(FILE *out, const struct ana_point *point)
{
    fputs("  ---\n", out);
    write_text(out, point->text);
    fprintf(out, "  severity: %s\n", point->verdict == ANA_ERROR ? "error" : "fail");
    if (point->has_value) {
        char value[32] = "null";
        if (!isnan(point->value)) {
            ana_double_text(point->value, value);
        }
        fprintf(out, "  found: %s\n", value);
    }
    if (point->where[0] != '\0') {
        fputs("  at: ", out);
        write_quoted(out, point->where, strlen(point->where));
        fputs("\n", out);
    }
    fputs("  ...\n", out);
}

/* The differences as comments, where people see them. */
static void write_comparison(FILE *out, const struct ana_comparison *comparison)
{
    char *text = NULL;
    size_t len = 0;
    FILE *lines = open_memstream(&text, &len);
    if (lines == NULL) {
        return;
    }
    ana_comparison_print(lines, comparison);
    fclose(lines);
    for (char *line = text; line != NULL && *line != '\0';) {
        size_t line_len = strcspn(line, "\n");
        fprintf(out, "# %.*s\n", (int)line_len, line);
        line += line[line_len] == '\n' ? line_len + 1 : line_len;
    }
    free(text);
}

void ana_tap_begin(FILE *out)
{
    fputs("TAP version 13\n", out);
}

void ana_tap_check(FILE *out, const struct ana_check *check, size_t *number)
{
    char *title = ana_check_title(check);
    for (size_t i = 0; i < check->point_count; i++) {
        const struct ana_point *point = &check->points[i];
        bool ok = point->verdict == ANA_PASS || point->verdict == ANA_SKIP;
        fprintf(out, "%s %zu - ", ok ? "ok" : "not ok", ++*number);
        write_name(out, title == NULL ? check->file : title);
        fputs(": ", out);
        write_name(out, point->name);
        if (point->verdict == ANA_SKIP) {
            fputs(" # SKIP ", out);
            write_name(out, point->text);
        }
        fputs("\n", out);
        if (!ok) {
            write_diagnostics(out, point);
        }
    }
    write_comparison(out, &check->comparison);
    free(title);
    fflush(out);
}

void ana_tap_end(FILE *out, size_t number)
{
    fprintf(out, "1..%zu\n", number);
}
