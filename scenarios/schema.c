/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON Schema (2020-12) of scenario files, by the tables. What a schema cannot say (references,
 * ranges of quantities, keys that exclude each other) only the loader checks. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/expand.h"

#define DEEPEST 8 /* of the tables */

static void object_print(struct scn_buffer *out, const struct scn_table *table, int depth);

static void newline(struct scn_buffer *out, int depth)
{
    scn_buffer_add(out, "\n%*s", depth * 2, "");
}

static void words_print(struct scn_buffer *out, const struct scn_word *words)
{
    scn_buffer_text(out, "\"enum\": [");
    bool any = false;
    for (; words->word != NULL; words++) {
        if (words->value != SCN_LATER) {
            scn_buffer_add(out, "%s\"%s\"", any ? ", " : "", words->word);
            any = true;
        }
    }
    scn_buffer_text(out, "]");
}

/* A number with its unit is a string; without one, also a JSON number. */
static void quantity_print(struct scn_buffer *out, const struct scn_field *field)
{
    bool bare = field->dimension == SCN_DIM_NUMBER || field->dimension == SCN_DIM_REAL ||
                field->dimension == SCN_DIM_FRACTION;
    const char *number = field->dimension == SCN_DIM_NUMBER ? "integer" : "number";
    scn_buffer_add(out, "\"type\": [\"string\", \"%s\"], \"pattern\": ", number);
    char pattern[SCN_NAME_SIZE * 2];
    int len = snprintf(pattern, sizeof pattern, "%s%s%s%s", scn_dimension_pattern(field->dimension),
                       field->word == NULL ? "" : "|^", field->word == NULL ? "" : field->word,
                       field->word == NULL ? "" : "$");
    out->failed = out->failed || len < 0 || (size_t)len >= sizeof pattern;
    scn_buffer_quoted(out, pattern);
    char low[SCN_QUANTITY_SIZE];
    char high[SCN_QUANTITY_SIZE];
    scn_real_print(SCN_DIM_REAL, field->min, low);
    scn_real_print(SCN_DIM_REAL, field->max, high);
    if (bare) {
        scn_buffer_add(out, ", \"minimum\": %s, \"maximum\": %s", low, high);
    } else {
        scn_buffer_text(out, ", \"minimum\": 0, \"maximum\": 0"); /* only 0 needs no unit */
    }
}

/* The schema of a special value; @time@ and such stand for a quantity. */
static void special_print(struct scn_buffer *out, const char *schema)
{
    static const struct {
        const char *word;
        struct scn_field field;
    } quantities[] = {
        {"@time@", {.dimension = SCN_DIM_TIME}},
        {"@rate@", {.dimension = SCN_DIM_RATE}},
        {"@frequency@", {.dimension = SCN_DIM_FREQUENCY}},
        {"@qber@", {.dimension = SCN_DIM_FRACTION, .max = 0.5}},
    };
    while (schema[0] != '\0') {
        size_t len = strcspn(schema, "@");
        char *part = scn_mem_new(len + 1, 1);
        if (part == NULL) {
            out->failed = true;
            return;
        }
        memcpy(part, schema, len);
        scn_buffer_text(out, part);
        scn_mem_free(part);
        schema += len;
        for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
            size_t word = strlen(quantities[i].word);
            if (strncmp(schema, quantities[i].word, word) == 0) {
                quantity_print(out, &quantities[i].field);
                schema += word;
                break;
            }
        }
    }
}

/* One line of text: no control characters in it. */
static void text_print(struct scn_buffer *out, const struct scn_field *field)
{
    scn_buffer_add(out,
                   "\"type\": [\"string\", \"number\", \"boolean\"], %s\"maxLength\": %d, "
                   "\"pattern\": \"^[^\\n\\r\\t\\b\\f\\u000b\\u001b]*$\"",
                   field->required ? "\"minLength\": 1, " : "",
                   (field->room != 0 ? field->room : SCN_NAME_SIZE) - 1);
}

static void type_print(struct scn_buffer *out, const struct scn_field *field, int depth)
{
    switch (field->type) {
    case SCN_T_ID:
    case SCN_T_NODE:
        scn_buffer_text(out, SCN_SCHEMA_ID);
        break;
    case SCN_T_TEXT:
        text_print(out, field);
        break;
    case SCN_T_BOOL:
        scn_buffer_text(out, "\"type\": \"boolean\"");
        break;
    case SCN_T_WORD:
        words_print(out, field->words);
        break;
    case SCN_T_I64:
    case SCN_T_U32:
    case SCN_T_REAL:
        quantity_print(out, field);
        break;
    case SCN_T_SECTION:
        object_print(out, field->table, depth);
        break;
    case SCN_T_LIST:
        /* Nodes, links and applications may be a CSV file. */
        scn_buffer_add(out, "\"type\": [\"array\", \"null\"%s], \"maxItems\": %zu, \"items\": {",
                       field->table->kind == SCN_KIND_NODE || field->table->kind == SCN_KIND_LINK ||
                               field->table->kind == SCN_KIND_CLASSICAL ||
                               field->table->kind == SCN_KIND_APPLICATION
                           ? ", \"string\""
                           : "",
                       field->limit);
        object_print(out, field->table, depth);
        scn_buffer_text(out, "}");
        break;
    case SCN_T_SPECIAL:
        special_print(out, field->special->schema);
        break;
    case SCN_T_LATER:
        scn_buffer_text(out, "\"type\": [\"object\", \"array\", \"null\"], \"maxItems\": 0, "
                             "\"maxProperties\": 0");
        break;
    }
}

static void default_print(struct scn_buffer *out, const struct scn_field *field)
{
    const char *text = field->fallback == NULL ? field->word : field->fallback;
    if (text == NULL) {
        return;
    }
    scn_buffer_text(out, ", \"default\": ");
    double number = 0;
    bool bare = field->type == SCN_T_BOOL ||
                ((field->type == SCN_T_I64 || field->type == SCN_T_U32 ||
                  field->type == SCN_T_REAL) &&
                 scn_real_parse(SCN_DIM_REAL, text, &number) == NULL);
    if (bare) {
        scn_buffer_text(out, text);
    } else {
        scn_buffer_quoted(out, text);
    }
}

static void field_print(struct scn_buffer *out, const struct scn_field *field, int depth)
{
    newline(out, depth);
    scn_buffer_quoted(out, field->key);
    scn_buffer_text(out, ": {\"description\": ");
    scn_buffer_quoted(out, field->doc);
    scn_buffer_text(out, ", ");
    type_print(out, field, depth);
    default_print(out, field);
    scn_buffer_text(out, "}");
}

/* The inside of the schema of a mapping: which keys, and which values; not which must be there.
 * Recursion: as deep as the tables. */
static void object_print(struct scn_buffer *out, const struct scn_table *table, int depth)
{
    if (depth > DEEPEST) {
        out->failed = true;
        return;
    }
    scn_buffer_add(out, "\"type\": %s, \"additionalProperties\": false, \"properties\": {",
                   table->kind == SCN_KIND_NONE && depth > 0 ? "[\"object\", \"null\"]"
                                                             : "\"object\"");
    bool any = false;
    for (size_t i = 0; i < table->field_count; i++) {
        scn_buffer_text(out, any ? "," : "");
        field_print(out, &table->fields[i], depth + 1);
        any = true;
    }
    newline(out, depth);
    scn_buffer_text(out, "}");
}

/* Whether this table, or one in it, has a key that must be there. */
static bool any_required(const struct scn_table *table, int depth)
{
    for (size_t i = 0; i < table->field_count && depth <= DEEPEST; i++) {
        const struct scn_field *field = &table->fields[i];
        if (field->required || table->needs != NULL ||
            (field->table != NULL && any_required(field->table, depth + 1))) {
            return true;
        }
    }
    return false;
}

/* What must be there, in a mapping and in those in it. */
static void required_print(struct scn_buffer *out, const struct scn_table *table, int depth)
{
    bool any = false;
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].required) {
            scn_buffer_add(out, "%s\"%s\"", any ? ", " : "\"required\": [", table->fields[i].key);
            any = true;
        }
    }
    scn_buffer_text(out, any ? "], " : "");
    if (any && table != &scn_table_generate) { /* nothing is given where nothing is generated */
        scn_buffer_text(out, "\"type\": \"object\", ");
    }
    if (table->needs != NULL) {
        scn_buffer_text(out, table->needs);
        scn_buffer_text(out, ", ");
    }
    scn_buffer_text(out, "\"properties\": {");
    any = false;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct scn_field *field = &table->fields[i];
        if (field->table == NULL || !any_required(field->table, depth)) {
            continue;
        }
        scn_buffer_text(out, any ? "," : "");
        newline(out, depth + 1);
        scn_buffer_add(out, "\"%s\": {%s", field->key,
                       field->type == SCN_T_LIST ? "\"items\": {" : "");
        required_print(out, field->table, depth + 1);
        scn_buffer_text(out, field->type == SCN_T_LIST ? "}}" : "}");
        any = true;
    }
    scn_buffer_text(out, "}");
}

/* A file over others need not have what they have. */
char *scn_schema(void)
{
    struct scn_buffer out = {0};
    scn_buffer_text(&out, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                          "\"title\": \"QKDN Lab scenario\",\n");
    object_print(&out, &scn_table_scenario, 0);
    scn_buffer_text(&out, ",\n\"if\": {\"anyOf\": [{\"required\": [\"extends\"]}, {\"required\": "
                          "[\"include\"]}]},\n\"then\": {},\n\"else\": {");
    required_print(&out, &scn_table_scenario, 0);
    scn_buffer_text(&out, "}}\n");
    return scn_buffer_take(&out);
}
