/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks as JUnit XML. There is no single schema of it; what is written here has every attribute and
 * element, in the order, that the two schemas in use ask for (that of Ant's JUnit task and that of
 * the xUnit plug-in), and none that one of them forbids. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/check.h"
#include "analysis/text.h"

/* Whether XML 1.0 has a place for a character: none for most control characters, U+FFFE, U+FFFF. */
static bool is_xml(const char *c, size_t len)
{
    bool control = len == 1 && (unsigned char)*c < 0x20 && strchr("\t\n\r", *c) == NULL;
    bool none = len == 3 &&
                (memcmp(c, "\xef\xbf\xbe", 3) == 0 || memcmp(c, "\xef\xbf\xbf", 3) == 0);
    return len > 0 && !control && !none;
}

/* How a character is written if not as itself; NULL: as itself. White space other than ' ' is written
 * so that a reader of attributes keeps it. */
static const char *escape_of(char c)
{
    static const char *const escapes[] = {"&&amp;", "<&lt;",   ">&gt;",  "\"&quot;",
                                          "\t&#9;", "\n&#10;", "\r&#13;"};
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (escapes[i][0] == c) {
            return escapes[i] + 1;
        }
    }
    return NULL;
}

/* Text for attributes and content. */
static void write_escaped(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = ana_character_len(text);
        const char *escape = is_xml(text, len) ? escape_of(*text) : ANA_NO_CHARACTER;
        if (escape != NULL) {
            fputs(escape, out);
        } else {
            fwrite(text, 1, len, out);
        }
        text += len == 0 ? 1 : len;
    }
}

static void attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    write_escaped(out, value);
    fputs("\"", out);
}

/* "./scenarios/line-3.yaml" as "scenarios.line-3": a name such as those of classes. */
static void class_name(FILE *out, const struct ana_check *check)
{
    char *title = ana_check_title(check);
    if (title == NULL) {
        return;
    }
    const char *from = title;
    while (strncmp(from, "./", 2) == 0) {
        from += 2;
    }
    char *to = title;
    while (*from != '\0') {
        if (strncmp(from, ".yaml", 5) == 0) {
            from += 5;
        } else {
            *to++ = *from == '/' ? '.' : *from;
            from++;
        }
    }
    *to = '\0';
    attribute(out, "classname", title);
    free(title);
}

/* What stands in a failure: the expectation and its value, the table of what got worse, or the
 * text. */
static void write_details(FILE *out, const struct ana_check *check, const struct ana_point *point)
{
    if (point->has_value) {
        char value[32] = "no value";
        if (!isnan(point->value)) {
            ana_double_text(point->value, value);
        }
        write_escaped(out, point->name);
        fputs(" (is ", out);
        write_escaped(out, value);
        fputs(")", out);
    } else if (point->compares && check->comparison.worse > 0) {
        char *table = NULL;
        size_t len = 0;
        FILE *lines = open_memstream(&table, &len);
        if (lines != NULL) {
            ana_comparison_print(lines, &check->comparison);
            fclose(lines);
            write_escaped(out, table == NULL ? "" : table);
            free(table);
        }
    } else {
        write_escaped(out, point->text);
    }
}

static void write_point(FILE *out, const struct ana_check *check, const struct ana_point *point,
                        double time_s)
{
    fputs("    <testcase", out);
    attribute(out, "name", point->name);
    class_name(out, check);
    fprintf(out, " time=\"%.6f\"", time_s);
    if (point->verdict == ANA_PASS) {
        fputs("/>\n", out);
        return;
    }
    fputs(">\n", out);
    if (point->verdict == ANA_SKIP) {
        fputs("      <skipped", out);
        attribute(out, "message", point->text);
        fputs("/>\n    </testcase>\n", out);
        return;
    }
    const char *element = point->verdict == ANA_FAIL ? "failure" : "error";
    fprintf(out, "      <%s", element);
    attribute(out, "message", point->text);
    attribute(out, "type", point->verdict == ANA_FAIL ? "expectation" : "run");
    fputs(">", out);
    write_details(out, check, point);
    fprintf(out, "</%s>\n    </testcase>\n", element);
}

static void write_property(FILE *out, const char *name, const char *value)
{
    fputs("      <property", out);
    attribute(out, "name", name);
    attribute(out, "value", value);
    fputs("/>\n", out);
}

static void write_suite(FILE *out, const struct ana_check *check, size_t id, const char *started)
{
    char seed[32];
    char *title = ana_check_title(check);
    fputs("  <testsuite", out);
    attribute(out, "name", title == NULL ? check->file : title);
    attribute(out, "package", "qkdn");
    fprintf(out, " id=\"%zu\"", id);
    attribute(out, "timestamp", started);
    attribute(out, "hostname", "localhost");
    fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.6f\">\n",
            check->point_count, ana_check_count(check, ANA_FAIL), ana_check_count(check, ANA_ERROR),
            ana_check_count(check, ANA_SKIP), check->wall_s);
    fputs("    <properties>\n", out);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)check->seed);
    write_property(out, "scenario", check->scenario);
    write_property(out, "engine", check->engine);
    write_property(out, "seed", seed);
    write_property(out, "trace_digest", check->digest);
    fputs("    </properties>\n", out);
    for (size_t i = 0; i < check->point_count; i++) {
        write_point(out, check, &check->points[i], i == 0 ? check->wall_s : 0);
    }
    fputs("    <system-out/>\n    <system-err/>\n  </testsuite>\n", out);
    free(title);
}

void ana_junit_write(FILE *out, const struct ana_check *checks, size_t count, const char *started)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
    for (size_t i = 0; i < count; i++) {
        write_suite(out, &checks[i], i, started);
    }
    fputs("</testsuites>\n", out);
}
