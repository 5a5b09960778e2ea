/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON Schema (2020-12) of scenario files, by the tables. What a schema cannot say (references,
 * sums, keys that exclude each other, numbers with an exponent) only the loader checks. */
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/expand.h"
#include "scenarios/pattern.h"
#include "scenarios/rows.h"

#define DEEPEST 8 /* of the tables */
#define MOST_DEFINITIONS 64

/* A quantity with its range, as it is defined under $defs. */
struct definition {
    char name[SCN_NAME_SIZE];
    struct scn_field field;
};

struct schema {
    struct scn_buffer out;
    struct definition definitions[MOST_DEFINITIONS];
    size_t count;
};

static void object_print(struct schema *s, const struct scn_table *table, int depth);

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

/* Appends with `add`, in quotes. */
static void pattern_print(struct scn_buffer *out,
                          void (*add)(struct scn_buffer *out, const struct scn_field *field),
                          const struct scn_field *field)
{
    struct scn_buffer pattern = {0};
    add(&pattern, field);
    char *text = scn_buffer_take(&pattern);
    out->failed = out->failed || text == NULL;
    if (text != NULL) {
        scn_buffer_quoted(out, text);
        scn_mem_free(text);
    }
}

/* The bounds of a row as texts. */
static void bounds_print(const struct scn_field *field, enum scn_dimension dimension,
                         char low[SCN_QUANTITY_SIZE], char high[SCN_QUANTITY_SIZE])
{
    if (field->type == SCN_T_REAL || dimension > SCN_DIM_INTEGERS) {
        scn_real_print(dimension, field->min, low);
        scn_real_print(dimension, field->max, high);
    } else {
        scn_integer_print(dimension, (int64_t)field->min, low);
        scn_integer_print(dimension, (int64_t)field->max, high);
    }
}

/* The name of the definition of a quantity, such as "time_1ms_3650d". */
static void quantity_name(const struct scn_field *field, char name[SCN_NAME_SIZE])
{
    static const char *const dimensions[SCN_DIM_COUNT] = {
        [SCN_DIM_NUMBER] = "number",     [SCN_DIM_TIME] = "time",
        [SCN_DIM_RATE] = "rate",         [SCN_DIM_BITS] = "bits",
        [SCN_DIM_BYTES] = "bytes",       [SCN_DIM_LENGTH] = "length",
        [SCN_DIM_LOSS] = "loss",         [SCN_DIM_FREQUENCY] = "frequency",
        [SCN_DIM_FRACTION] = "fraction", [SCN_DIM_PPM] = "drift",
        [SCN_DIM_REAL] = "real"};
    char low[SCN_QUANTITY_SIZE];
    char high[SCN_QUANTITY_SIZE];
    char step[24] = "";
    bounds_print(field, field->dimension, low, high);
    if (field->multiple != 0) {
        (void)snprintf(step, sizeof step, "_by%u", field->multiple);
    }
    bool real = field->type == SCN_T_REAL && field->dimension < SCN_DIM_INTEGERS;
    (void)snprintf(name, SCN_NAME_SIZE, "%s%s_%.40s_%.40s%s", real ? "real_" : "",
                   dimensions[field->dimension], low, high, step);
    size_t len = 0;
    for (const char *c = name; *c != '\0'; c++) {
        if (*c != ' ') {
            name[len++] = *c;
            name[len - 1] = *c == '/' || *c == '+' ? '.' : *c;
        }
    }
    name[len] = '\0';
}

/* What the definition of a quantity says. A number with its unit is a string; without one, also a
 * JSON number. */
static void quantity_define(struct scn_buffer *out, const struct scn_field *field)
{
    char low[SCN_QUANTITY_SIZE];
    char high[SCN_QUANTITY_SIZE];
    bool bare = scn_dimension_bare(field->dimension);
    bool zero = field->min <= 0; /* only 0 needs no unit */
    bounds_print(field, field->dimension, low, high);
    scn_buffer_add(out, "{\"description\": \"%s, from %s to %s\",",
                   scn_dimension_hint(field->dimension), low, high);
    newline(out, 2);
    if (bare || zero) {
        bounds_print(field, SCN_DIM_REAL, low, high);
        scn_buffer_add(out, "\"type\": [\"string\", \"%s\"], \"minimum\": %s, \"maximum\": %s,",
                       field->dimension == SCN_DIM_NUMBER ? "integer" : "number", bare ? low : "0",
                       bare ? high : "0");
    } else {
        scn_buffer_text(out, "\"type\": \"string\",");
    }
    if (bare && field->multiple != 0) {
        scn_buffer_add(out, " \"multipleOf\": %u,", field->multiple);
    }
    newline(out, 2);
    scn_buffer_text(out, "\"pattern\": ");
    scn_buffer_quoted(out, scn_dimension_pattern(field->dimension));
    scn_buffer_text(out, ", \"allOf\": [{\"pattern\": ");
    pattern_print(out, scn_pattern_most, field);
    scn_buffer_text(out, "}, {\"pattern\": ");
    pattern_print(out, scn_pattern_least, field);
    if (field->type != SCN_T_REAL) {
        scn_buffer_text(out, "}, {\"pattern\": ");
        pattern_print(out, scn_pattern_whole, field);
    }
    scn_buffer_text(out, "}]}");
}

/* A quantity is defined once for all rows with the same range. */
static void quantity_print(struct schema *s, const struct scn_field *field)
{
    struct definition definition = {.field = *field};
    quantity_name(field, definition.name);
    size_t i = 0;
    while (i < s->count && strcmp(s->definitions[i].name, definition.name) != 0) {
        i++;
    }
    if (i == s->count && s->count < MOST_DEFINITIONS) {
        s->definitions[s->count++] = definition;
    }
    s->out.failed = s->out.failed || i == MOST_DEFINITIONS;
    scn_buffer_text(&s->out, "\"anyOf\": [");
    if (field->word != NULL) {
        scn_buffer_add(&s->out, "{\"const\": \"%s\"}, ", field->word);
    }
    scn_buffer_add(&s->out, "{\"$ref\": \"#/$defs/%s\"}]", definition.name);
}

static void definitions_print(struct schema *s)
{
    scn_buffer_text(&s->out, "\"$defs\": {");
    for (size_t i = 0; i < s->count; i++) {
        newline(&s->out, 1);
        scn_buffer_quoted(&s->out, s->definitions[i].name);
        scn_buffer_text(&s->out, ": ");
        quantity_define(&s->out, &s->definitions[i].field);
        scn_buffer_text(&s->out, i + 1 < s->count ? "," : "");
    }
    scn_buffer_text(&s->out, "}");
}

/* The schema of a special value; @time@ and such stand for a quantity. */
static void special_print(struct schema *s, const char *schema)
{
    static const struct {
        const char *word;
        struct scn_field field;
    } quantities[] = {
        {"@time@", {.type = SCN_T_I64, .dimension = SCN_DIM_TIME, .max = LONGEST_NS}},
        {"@rate@", {.type = SCN_T_I64, .dimension = SCN_DIM_RATE, .max = MOST_BPS}},
        {"@frequency@", {.type = SCN_T_REAL, .dimension = SCN_DIM_FREQUENCY, .max = 1e9}},
        {"@qber@", {.type = SCN_T_REAL, .dimension = SCN_DIM_FRACTION, .max = 0.5}},
    };
    while (schema[0] != '\0') {
        size_t len = strcspn(schema, "@");
        char *part = scn_mem_new(len + 1, 1);
        if (part == NULL) {
            s->out.failed = true;
            return;
        }
        memcpy(part, schema, len);
        scn_buffer_text(&s->out, part);
        scn_mem_free(part);
        schema += len;
        for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
            size_t word = strlen(quantities[i].word);
            if (strncmp(schema, quantities[i].word, word) == 0) {
                quantity_print(s, &quantities[i].field);
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

static void type_print(struct schema *s, const struct scn_field *field, int depth)
{
    struct scn_buffer *out = &s->out;
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
        quantity_print(s, field);
        break;
    case SCN_T_SECTION:
        object_print(s, field->table, depth);
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
        object_print(s, field->table, depth);
        scn_buffer_text(out, "}");
        break;
    case SCN_T_SPECIAL:
        special_print(s, field->special->schema);
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

static void field_print(struct schema *s, const struct scn_field *field, int depth)
{
    struct scn_buffer *out = &s->out;
    newline(out, depth);
    scn_buffer_quoted(out, field->key);
    scn_buffer_text(out, ": {\"description\": ");
    scn_buffer_quoted(out, field->doc);
    scn_buffer_text(out, ", ");
    type_print(s, field, depth);
    default_print(out, field);
    scn_buffer_text(out, "}");
}

/* The inside of the schema of a mapping: which keys, and which values; not which must be there.
 * Recursion: as deep as the tables. */
static void object_print(struct schema *s, const struct scn_table *table, int depth)
{
    struct scn_buffer *out = &s->out;
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
        field_print(s, &table->fields[i], depth + 1);
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
    struct schema *s = scn_mem_new(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    struct scn_buffer *out = &s->out;
    scn_buffer_text(out, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                         "\"title\": \"QKDN Lab scenario\",\n");
    object_print(s, &scn_table_scenario, 0);
    scn_buffer_text(out, ",\n\"if\": {\"anyOf\": [{\"required\": [\"extends\"]}, {\"required\": "
                         "[\"include\"]}]},\n\"then\": {},\n\"else\": {");
    required_print(out, &scn_table_scenario, 0);
    scn_buffer_text(out, "},\n");
    definitions_print(s);
    scn_buffer_text(out, "}\n");
    char *text = scn_buffer_take(out);
    scn_mem_free(s);
    return text;
}
