/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON Schema (2020-12), the part that is needed. Recursion: as deep as a test's documents. */
#include "tests/lib/json_schema.h"

#include <libfyaml.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum { DEEPEST = 100, PATTERN_BYTES = 8192, PATTERNS = 250 };

/* ---- values ---- */

static struct js_value *value_new(enum js_kind kind)
{
    struct js_value *value = calloc(1, sizeof *value);
    QKD_ASSERT(value != NULL);
    value->kind = kind;
    return value;
}

static char *text_copy(const char *text, size_t len)
{
    char *copy = calloc(1, len + 1);
    QKD_ASSERT(copy != NULL);
    memcpy(copy, text, len);
    return copy;
}

void js_free(struct js_value *value)
{
    if (value == NULL) {
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        js_free(value->items[i]);
    }
    free(value->items);
    free(value->key);
    free(value->text);
    free(value);
}

void js_append(struct js_value *to, const char *key, struct js_value *child)
{
    to->items = realloc(to->items, (to->count + 1) * sizeof *to->items);
    QKD_ASSERT(to->items != NULL);
    free(child->key);
    child->key = key == NULL ? NULL : text_copy(key, strlen(key));
    to->items[to->count++] = child;
}

struct js_value *js_copy(const struct js_value *value)
{
    struct js_value *copy = value_new(value->kind);
    copy->truth = value->truth;
    copy->number = value->number;
    copy->text = value->text == NULL ? NULL : text_copy(value->text, strlen(value->text));
    for (size_t i = 0; i < value->count; i++) {
        js_append(copy, value->items[i]->key, js_copy(value->items[i]));
    }
    copy->key = value->key == NULL ? NULL : text_copy(value->key, strlen(value->key));
    return copy;
}

const struct js_value *js_find(const struct js_value *object, const char *key)
{
    for (size_t i = 0; object != NULL && object->kind == JS_OBJECT && i < object->count; i++) {
        if (strcmp(object->items[i]->key, key) == 0) {
            return object->items[i];
        }
    }
    return NULL;
}

/* ECMA 262 to POSIX: only in brackets does a backslash mean another thing, and ] comes first. */
static void posix_make(const char *pattern, char to[PATTERN_BYTES])
{
    size_t len = 0;
    while (*pattern != '\0') {
        QKD_ASSERT(len + 8 < PATTERN_BYTES);
        if (*pattern != '[') {
            bool escape = *pattern == '\\' && pattern[1] != '\0';
            to[len++] = *pattern++;
            if (escape) {
                to[len++] = *pattern++;
            }
            continue;
        }
        to[len++] = *pattern++;
        if (*pattern == '^') {
            to[len++] = *pattern++;
        }
        size_t first = len;
        while (*pattern != ']') {
            pattern += *pattern == '\\' ? 1 : 0;
            QKD_ASSERT(*pattern != '\0' && len + 2 < PATTERN_BYTES);
            if (*pattern == ']') {
                memmove(to + first + 1, to + first, len - first);
                to[first] = ']';
                len++;
            } else {
                to[len++] = *pattern;
            }
            pattern++;
        }
        to[len++] = *pattern++;
    }
    to[len] = '\0';
}

/* Patterns are few and used often. */
static bool matches(const char *ecma, const char *text)
{
    static struct {
        char *ecma;
        regex_t regex;
    } known[PATTERNS];
    static size_t count;
    size_t i = 0;
    while (i < count && strcmp(known[i].ecma, ecma) != 0) {
        i++;
    }
    if (i == count) {
        char pattern[PATTERN_BYTES];
        QKD_ASSERT(count < PATTERNS);
        posix_make(ecma, pattern);
        QKD_ASSERT(regcomp(&known[i].regex, pattern, REG_EXTENDED | REG_NOSUB) == 0);
        known[i].ecma = text_copy(ecma, strlen(ecma));
        count++;
    }
    return regexec(&known[i].regex, text, 0, NULL, 0) == 0;
}

/* The core schema of YAML 1.2 (chapter 10.3.2). */
static void plain_resolve(struct js_value *value)
{
    const char *text = value->text;
    if (matches("^(null|Null|NULL|~|)$", text)) {
        value->kind = JS_NULL;
    } else if (matches("^(true|True|TRUE|false|False|FALSE)$", text)) {
        value->kind = JS_BOOL;
        value->truth = text[0] == 't' || text[0] == 'T';
    } else if (matches("^0o[0-7]+$", text)) {
        value->kind = JS_NUMBER;
        value->number = (double)strtoull(text + 2, NULL, 8);
    } else if (matches("^0x[0-9a-fA-F]+$", text) ||
               matches("^[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?$", text)) {
        value->kind = JS_NUMBER;
        value->number = strtod(text, NULL);
    } else if (matches("^([-+]?(\\.inf|\\.Inf|\\.INF)|\\.nan|\\.NaN|\\.NAN)$", text)) {
        value->kind = JS_NUMBER;
        value->number = NAN;
    }
}

struct js_value *js_scalar(const char *text, bool plain)
{
    struct js_value *value = value_new(JS_STRING);
    value->text = text_copy(text, strlen(text));
    if (plain) {
        plain_resolve(value);
    }
    return value;
}

/* ---- YAML ---- */

static struct js_value *node_take(struct fy_node *node, int depth)
{
    QKD_ASSERT(depth < DEEPEST);
    if (node == NULL) {
        return js_scalar("", true);
    }
    if (fy_node_get_type(node) == FYNT_SCALAR) {
        size_t len = 0;
        const char *text = fy_node_get_scalar(node, &len);
        char *copy = text_copy(text == NULL ? "" : text, len);
        struct js_value *value = js_scalar(copy, fy_node_get_style(node) == FYNS_PLAIN);
        free(copy);
        return value;
    }
    void *at = NULL;
    if (fy_node_get_type(node) == FYNT_SEQUENCE) {
        struct js_value *array = value_new(JS_ARRAY);
        struct fy_node *item;
        while ((item = fy_node_sequence_iterate(node, &at)) != NULL) {
            js_append(array, NULL, node_take(item, depth + 1));
        }
        return array;
    }
    struct js_value *object = value_new(JS_OBJECT);
    struct fy_node_pair *pair;
    while ((pair = fy_node_mapping_iterate(node, &at)) != NULL) {
        struct js_value *key = node_take(fy_node_pair_key(pair), depth + 1);
        js_append(object, key->text == NULL ? "" : key->text,
                  node_take(fy_node_pair_value(pair), depth + 1));
        js_free(key);
    }
    return object;
}

struct js_value *js_parse(const char *text, size_t len)
{
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.level = FYET_MAX;
    struct fy_diag *diag = fy_diag_create(&quiet);
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_RESOLVE_DOCUMENT | FYPCF_ALLOW_DUPLICATE_KEYS, .diag = diag};
    struct fy_document *document = fy_document_build_from_string(&config, text, len);
    struct js_value *value = NULL;
    if (document != NULL) {
        value = node_take(fy_document_root(document), 0);
        fy_document_destroy(document);
    }
    fy_diag_destroy(diag);
    return value;
}

/* ---- printing ---- */

struct writer {
    char *text;
    size_t len, room;
};

static void put(struct writer *w, const char *text)
{
    size_t len = strlen(text);
    if (w->len + len + 1 > w->room) {
        w->room = 2 * (w->len + len + 1);
        w->text = realloc(w->text, w->room);
        QKD_ASSERT(w->text != NULL);
    }
    memcpy(w->text + w->len, text, len + 1);
    w->len += len;
}

static void put_quoted(struct writer *w, const char *text)
{
    put(w, "\"");
    for (; *text != '\0'; text++) {
        char one[8];
        unsigned char c = (unsigned char)*text;
        bool plain = c >= 0x20 && c != '"' && c != '\\';
        (void)snprintf(one, sizeof one, plain ? "%c" : "\\u%04x", c);
        put(w, one);
    }
    put(w, "\"");
}

static void value_put(struct writer *w, const struct js_value *value)
{
    if (value->kind == JS_STRING) {
        put_quoted(w, value->text);
    } else if (value->kind == JS_NULL) {
        put(w, "null");
    } else if (value->kind == JS_BOOL || value->kind == JS_NUMBER) {
        put(w, value->text);
    } else {
        bool object = value->kind == JS_OBJECT;
        put(w, object ? "{" : "[");
        for (size_t i = 0; i < value->count; i++) {
            put(w, i > 0 ? ", " : "");
            if (object) {
                put_quoted(w, value->items[i]->key);
                put(w, ": ");
            }
            value_put(w, value->items[i]);
        }
        put(w, object ? "}" : "]");
    }
}

char *js_print(const struct js_value *value)
{
    struct writer w = {0};
    value_put(&w, value);
    put(&w, "\n");
    return w.text;
}

/* ---- validation ---- */

static const struct js_value *whole; /* the schema that js_valid() was given */

static bool valid(const struct js_value *schema, const struct js_value *value, char why[200]);

static bool type_is(const char *type, const struct js_value *value)
{
    static const char *const names[] = {
        [JS_NULL] = "null",     [JS_BOOL] = "boolean", [JS_NUMBER] = "number",
        [JS_STRING] = "string", [JS_ARRAY] = "array",  [JS_OBJECT] = "object"};
    if (strcmp(type, "integer") == 0) {
        return value->kind == JS_NUMBER && value->number >= floor(value->number) &&
               value->number <= floor(value->number);
    }
    return strcmp(type, names[value->kind]) == 0;
}

static bool keyword_type(const struct js_value *is, const struct js_value *value)
{
    bool good = is->kind == JS_STRING && type_is(is->text, value);
    for (size_t i = 0; is->kind == JS_ARRAY && i < is->count; i++) {
        good = good || type_is(is->items[i]->text, value);
    }
    return good;
}

/* Only scalars are compared here. */
static bool equal(const struct js_value *a, const struct js_value *b)
{
    if (a->kind == JS_NUMBER && b->kind == JS_NUMBER) {
        return a->number >= b->number && a->number <= b->number;
    }
    return a->kind == b->kind && a->text != NULL && b->text != NULL &&
           strcmp(a->text, b->text) == 0;
}

static size_t code_points(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0U) != 0x80U ? 1 : 0;
    }
    return count;
}

/* Keywords with a number, each for one kind of value. */
static bool keyword_number(const char *name, double is, const struct js_value *value)
{
    double length = value->kind == JS_STRING ? (double)code_points(value->text) : 0;
    double count = (double)value->count;
    if (value->kind == JS_NUMBER) {
        return strcmp(name, "minimum") == 0   ? value->number >= is
               : strcmp(name, "maximum") == 0 ? value->number <= is
                                              : true;
    }
    if (value->kind == JS_STRING) {
        return strcmp(name, "minLength") == 0   ? length >= is
               : strcmp(name, "maxLength") == 0 ? length <= is
                                                : true;
    }
    bool array = value->kind == JS_ARRAY;
    bool object = value->kind == JS_OBJECT;
    if ((array && strcmp(name, "minItems") == 0) ||
        (object && strcmp(name, "minProperties") == 0)) {
        return count >= is;
    }
    if ((array && strcmp(name, "maxItems") == 0) ||
        (object && strcmp(name, "maxProperties") == 0)) {
        return count <= is;
    }
    return true;
}

static bool keyword_required(const struct js_value *is, const struct js_value *value)
{
    for (size_t i = 0; value->kind == JS_OBJECT && i < is->count; i++) {
        if (js_find(value, is->items[i]->text) == NULL) {
            return false;
        }
    }
    return true;
}

static bool keyword_items(const struct js_value *schema, const struct js_value *is,
                          const struct js_value *value, char why[200])
{
    const struct js_value *prefix = js_find(schema, "prefixItems");
    for (size_t i = prefix == NULL ? 0 : prefix->count; value->kind == JS_ARRAY && i < value->count;
         i++) {
        if (!valid(is, value->items[i], why)) {
            return false;
        }
    }
    return true;
}

static bool keyword_prefix(const struct js_value *is, const struct js_value *value, char why[200])
{
    for (size_t i = 0; value->kind == JS_ARRAY && i < value->count && i < is->count; i++) {
        if (!valid(is->items[i], value->items[i], why)) {
            return false;
        }
    }
    return true;
}

static bool keyword_properties(const struct js_value *schema, const struct js_value *value,
                               bool additional, char why[200])
{
    const struct js_value *properties = js_find(schema, "properties");
    const struct js_value *others = js_find(schema, "additionalProperties");
    for (size_t i = 0; value->kind == JS_OBJECT && i < value->count; i++) {
        const struct js_value *is = js_find(properties, value->items[i]->key);
        is = is == NULL ? (additional ? others : NULL) : (additional ? NULL : is);
        if (is != NULL && !valid(is, value->items[i], why)) {
            size_t len = strlen(why);
            (void)snprintf(why + len, 200 - len, " < %.40s", value->items[i]->key);
            return false;
        }
    }
    return true;
}

static bool keyword_any(const struct js_value *is, const struct js_value *value)
{
    char why[200];
    for (size_t i = 0; i < is->count; i++) {
        if (valid(is->items[i], value, why)) {
            return true;
        }
    }
    return false;
}

static bool keyword_if(const struct js_value *schema, const struct js_value *value, char why[200])
{
    char unused[200];
    bool then = valid(js_find(schema, "if"), value, unused);
    const struct js_value *branch = js_find(schema, then ? "then" : "else");
    return branch == NULL || valid(branch, value, why);
}

/* "#/$defs/NAME" */
static const struct js_value *definition_of(const char *reference)
{
    QKD_ASSERT(strncmp(reference, "#/$defs/", 8) == 0);
    const struct js_value *found = js_find(js_find(whole, "$defs"), reference + 8);
    QKD_ASSERT(found != NULL);
    return found;
}

static bool keyword(const struct js_value *schema, const struct js_value *is,
                    const struct js_value *value, char why[200])
{
    static const char *const notes[] = {"$schema", "title", "description", "default",
                                        "then",    "else",  "$defs"};
    static const char *const numbers[] = {"minimum",  "maximum",  "minLength",     "maxLength",
                                          "minItems", "maxItems", "minProperties", "maxProperties"};
    const char *name = is->key;
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if (strcmp(name, notes[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(name, numbers[i]) == 0) {
            return keyword_number(name, is->number, value);
        }
    }
    if (strcmp(name, "type") == 0) {
        return keyword_type(is, value);
    }
    if (strcmp(name, "enum") == 0) {
        bool found = false;
        for (size_t i = 0; i < is->count; i++) {
            found = found || equal(is->items[i], value);
        }
        return found;
    }
    if (strcmp(name, "pattern") == 0) {
        return value->kind != JS_STRING || matches(is->text, value->text);
    }
    if (strcmp(name, "required") == 0) {
        return keyword_required(is, value);
    }
    if (strcmp(name, "properties") == 0 || strcmp(name, "additionalProperties") == 0) {
        return keyword_properties(schema, value, name[0] == 'a', why);
    }
    if (strcmp(name, "items") == 0) {
        return keyword_items(schema, is, value, why);
    }
    if (strcmp(name, "prefixItems") == 0) {
        return keyword_prefix(is, value, why);
    }
    if (strcmp(name, "anyOf") == 0) {
        return keyword_any(is, value);
    }
    if (strcmp(name, "allOf") == 0) {
        for (size_t i = 0; i < is->count; i++) {
            if (!valid(is->items[i], value, why)) {
                return false;
            }
        }
        return true;
    }
    if (strcmp(name, "const") == 0) {
        return equal(is, value);
    }
    if (strcmp(name, "$ref") == 0) {
        return valid(definition_of(is->text), value, why);
    }
    if (strcmp(name, "not") == 0) {
        char unused[200];
        return !valid(is, value, unused);
    }
    if (strcmp(name, "if") == 0) {
        return keyword_if(schema, value, why);
    }
    fprintf(stderr, "the schema has a keyword that this validator does not know: %s\n", name);
    QKD_ASSERT(false);
    return false;
}

static bool valid(const struct js_value *schema, const struct js_value *value, char why[200])
{
    why[0] = '\0';
    if (schema->kind == JS_BOOL) {
        (void)snprintf(why, 200, "%s", schema->truth ? "" : "false");
        return schema->truth;
    }
    QKD_ASSERT(schema->kind == JS_OBJECT);
    for (size_t i = 0; i < schema->count; i++) {
        if (!keyword(schema, schema->items[i], value, why)) {
            if (why[0] == '\0') {
                (void)snprintf(why, 200, "%s", schema->items[i]->key);
            }
            return false;
        }
    }
    return true;
}

bool js_valid_part(const struct js_value *schema, const struct js_value *part,
                   const struct js_value *value)
{
    char why[200];
    whole = schema;
    return valid(part, value, why);
}

bool js_valid(const struct js_value *schema, const struct js_value *value, char why[200])
{
    whole = schema;
    return valid(schema, value, why);
}
