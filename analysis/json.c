/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON writer: see json.h. */
#include "analysis/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/text.h"
#include "core/base/err.h"

static void append(struct ana_json *json, const char *bytes, size_t len)
{
    if (json->failed) {
        return;
    }
    if (json->limit - json->len <= len) {
        size_t limit = 2 * json->limit + len + 256;
        char *text = realloc(json->text, limit);
        if (text == NULL) {
            json->failed = true;
            return;
        }
        json->text = text;
        json->limit = limit;
    }
    memcpy(json->text + json->len, bytes, len);
    json->len += len;
    json->text[json->len] = '\0';
}

static void append_text(struct ana_json *json, const char *text)
{
    append(json, text, strlen(text));
}

static void append_line(struct ana_json *json)
{
    static const char spaces[2 * ANA_JSON_DEPTH + 1] = "                                ";
    append(json, "\n", 1);
    append(json, spaces, 2 * (size_t)json->depth);
}

/* Texts of scenarios are UTF-8; names of files need not be. */
static void append_quoted(struct ana_json *json, const char *text)
{
    append(json, "\"", 1);
    for (const char *c = text; *c != '\0';) {
        size_t len = ana_character_len(c);
        char escape[8];
        if (*c == '"' || *c == '\\') {
            snprintf(escape, sizeof escape, "\\%c", *c);
            append_text(json, escape);
        } else if (*c == '\n') {
            append_text(json, "\\n");
        } else if ((unsigned char)*c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*c);
            append_text(json, escape);
        } else if (len == 0) {
            append_text(json, ANA_NO_CHARACTER);
        } else {
            append(json, c, len);
        }
        c += len == 0 ? 1 : len;
    }
    append(json, "\"", 1);
}

/* Everything before a value: comma, line, name. */
static void begin_value(struct ana_json *json, const char *name)
{
    if (json->depth > 0) {
        unsigned top = json->depth - 1;
        if (json->open[top].filled) {
            append(json, ",", 1);
        }
        if (json->open[top].lines) {
            append_line(json);
        } else if (json->open[top].filled) {
            append(json, " ", 1);
        }
        json->open[top].filled = true;
    }
    if (name != NULL) {
        append_quoted(json, name);
        append(json, ": ", 2);
    }
}

static void begin_container(struct ana_json *json, const char *brackets, enum ana_json_style style)
{
    QKD_ASSERT(json->depth < ANA_JSON_DEPTH);
    append(json, brackets, 1);
    json->open[json->depth].close = brackets[1];
    json->open[json->depth].lines = style == ANA_JSON_LINES;
    json->open[json->depth].filled = false;
    json->depth++;
}

void ana_json_fini(struct ana_json *json)
{
    free(json->text);
    *json = (struct ana_json){0};
}

void ana_json_object(struct ana_json *json, const char *name, enum ana_json_style style)
{
    begin_value(json, name);
    begin_container(json, "{}", style);
}

void ana_json_array(struct ana_json *json, const char *name, enum ana_json_style style)
{
    begin_value(json, name);
    begin_container(json, "[]", style);
}

void ana_json_close(struct ana_json *json)
{
    QKD_ASSERT(json->depth > 0);
    unsigned top = --json->depth;
    if (json->open[top].lines && json->open[top].filled) {
        append_line(json);
    }
    append(json, &json->open[top].close, 1);
}

void ana_json_string(struct ana_json *json, const char *name, const char *value)
{
    begin_value(json, name);
    if (value == NULL) {
        append_text(json, "null");
    } else {
        append_quoted(json, value);
    }
}

void ana_json_uint(struct ana_json *json, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    begin_value(json, name);
    append_text(json, text);
}

void ana_json_int(struct ana_json *json, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    begin_value(json, name);
    append_text(json, text);
}

void ana_double_text(double value, char text[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            return;
        }
    }
}

void ana_json_double(struct ana_json *json, const char *name, double value)
{
    char text[32] = "null";
    if (isfinite(value)) {
        ana_double_text(value, text);
    }
    begin_value(json, name);
    append_text(json, text);
}

void ana_json_bool(struct ana_json *json, const char *name, bool value)
{
    begin_value(json, name);
    append_text(json, value ? "true" : "false");
}
