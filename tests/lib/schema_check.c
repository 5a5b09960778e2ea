/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Independent of scenarios/schema.c: written from the specification (json-schema.org, draft
 * 2020-12, Core and Validation). Scalars get their type by YAML's core schema (YAML 1.2, 10.3.2);
 * those in quotes are strings. Recursion: as deep as the trees. */
#include "tests/lib/schema_check.h"

#include <check.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NULLS, BOOLEAN, INTEGER, NUMBER, STRING, ARRAY, OBJECT };

struct why {
    char *text;
    size_t size;
};

/* ECMA 262 to POSIX: a class that leaves out `]` has it first, without a backslash. */
static void posix_write(const char *pattern, char posix[400])
{
    size_t len = 0;
    while (*pattern != '\0') {
        bool class = strncmp(pattern, "[^\\]", 4) == 0;
        (void)snprintf(posix + len, 400 - len, "%s", class ? "[^]" : (char[]){*pattern, '\0'});
        len += class ? 3 : 1;
        pattern += class ? 4 : 1;
    }
}

static bool matches(const char *pattern, const char *text)
{
    /* The few patterns of a schema are used again and again. */
    static struct {
        char text[400];
        regex_t regex;
    } known[64];
    static size_t count;
    size_t i = 0;
    while (i < count && strcmp(known[i].text, pattern) != 0) {
        i++;
    }
    if (i == count) {
        ck_assert_uint_lt(count, sizeof known / sizeof known[0]);
        ck_assert_uint_lt(strlen(pattern), sizeof known[0].text);
        char posix[400];
        posix_write(pattern, posix);
        ck_assert_int_eq(regcomp(&known[i].regex, posix, REG_EXTENDED | REG_NOSUB), 0);
        (void)snprintf(known[i].text, sizeof known[i].text, "%s", pattern);
        count++;
    }
    return regexec(&known[i].regex, text, 0, NULL, 0) == 0;
}

static enum kind kind_of(const struct scn_tree *value)
{
    static const char *const words[] = {"null", "Null", "NULL", "~", "", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (value->kind != SCN_TREE_SCALAR) {
        return value->kind == SCN_TREE_MAP ? OBJECT : ARRAY;
    }
    if (!value->plain) {
        return STRING;
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value->text) == 0) {
            return NULLS;
        }
    }
    for (size_t i = 0; bools[i] != NULL; i++) {
        if (strcmp(bools[i], value->text) == 0) {
            return BOOLEAN;
        }
    }
    if (!matches("^[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?$", value->text)) {
        return STRING;
    }
    double number = strtod(value->text, NULL);
    return number <= floor(number) && isfinite(number) ? INTEGER : NUMBER;
}

static bool is_type(const char *type, const struct scn_tree *value)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    enum kind kind = kind_of(value);
    return strcmp(type, names[kind]) == 0 || (kind == INTEGER && strcmp(type, "number") == 0);
}

static bool is_number(const struct scn_tree *value)
{
    enum kind kind = kind_of(value);
    return kind == INTEGER || kind == NUMBER;
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return count;
}

/* Equal scalars: of one type, with the same text or number. */
static bool equal(const struct scn_tree *a, const struct scn_tree *b)
{
    if (a->kind != SCN_TREE_SCALAR || b->kind != SCN_TREE_SCALAR) {
        return false;
    }
    if (is_number(a) && is_number(b)) {
        double x = strtod(a->text, NULL);
        double y = strtod(b->text, NULL);
        return x >= y && x <= y;
    }
    return kind_of(a) == kind_of(b) && strcmp(a->text, b->text) == 0;
}

static bool check(const struct scn_tree *schema, const struct scn_tree *value, struct why *why);

static bool any_of(const struct scn_tree *schemas, const struct scn_tree *value)
{
    for (const struct scn_tree *s = schemas->first; s != NULL; s = s->next) {
        if (check(s, value, NULL)) {
            return true;
        }
    }
    return false;
}

static bool all_of(const struct scn_tree *schemas, const struct scn_tree *value, struct why *why)
{
    for (const struct scn_tree *s = schemas->first; s != NULL; s = s->next) {
        if (!check(s, value, why)) {
            return false;
        }
    }
    return true;
}

static bool properties_check(const struct scn_tree *properties, const struct scn_tree *value,
                             struct why *why)
{
    for (const struct scn_tree *p = properties->first; p != NULL; p = p->next) {
        const struct scn_tree *child = scn_tree_find(value, p->key);
        if (child != NULL && !check(p, child, why)) {
            return false;
        }
    }
    return true;
}

static bool keys_known(const struct scn_tree *properties, const struct scn_tree *value)
{
    for (const struct scn_tree *child = value->first; child != NULL; child = child->next) {
        if (scn_tree_find(properties, child->key) == NULL) {
            return false;
        }
    }
    return true;
}

/* Keywords that need only the value and the keyword's own value. */
static bool simple_check(const struct scn_tree *keyword, const struct scn_tree *value, bool *known)
{
    const char *key = keyword->key;
    double limit = keyword->kind == SCN_TREE_SCALAR ? strtod(keyword->text, NULL) : 0;
    bool string = kind_of(value) == STRING;
    bool array = value->kind == SCN_TREE_LIST;
    *known = true;
    if (strcmp(key, "type") == 0) {
        bool found = keyword->kind == SCN_TREE_SCALAR && is_type(keyword->text, value);
        for (const struct scn_tree *t = keyword->first; t != NULL && !found; t = t->next) {
            found = is_type(t->text, value);
        }
        return found;
    }
    if (strcmp(key, "enum") == 0 || strcmp(key, "const") == 0) {
        bool found = keyword->kind == SCN_TREE_SCALAR && equal(keyword, value);
        for (const struct scn_tree *e = keyword->first; e != NULL && !found; e = e->next) {
            found = equal(e, value);
        }
        return found;
    }
    if (strcmp(key, "required") == 0) {
        bool all = true;
        for (const struct scn_tree *r = keyword->first; r != NULL; r = r->next) {
            all = all && (value->kind != SCN_TREE_MAP || scn_tree_find(value, r->text) != NULL);
        }
        return all;
    }
    if (strcmp(key, "pattern") == 0) {
        return !string || matches(keyword->text, value->text);
    }
    if (strcmp(key, "minLength") == 0 || strcmp(key, "maxLength") == 0) {
        double len = string ? (double)characters(value->text) : limit;
        return key[1] == 'i' ? len >= limit : len <= limit;
    }
    if (strcmp(key, "minItems") == 0 || strcmp(key, "maxItems") == 0) {
        double count = array ? (double)value->count : limit;
        return key[1] == 'i' ? count >= limit : count <= limit;
    }
    if (strcmp(key, "minProperties") == 0 || strcmp(key, "maxProperties") == 0) {
        double count = value->kind == SCN_TREE_MAP ? (double)value->count : limit;
        return key[1] == 'i' ? count >= limit : count <= limit;
    }
    if (strcmp(key, "minimum") == 0 || strcmp(key, "maximum") == 0) {
        double number = is_number(value) ? strtod(value->text, NULL) : limit;
        return key[1] == 'i' ? number >= limit : number <= limit;
    }
    *known = false;
    return true;
}

static bool is_annotation(const char *key)
{
    static const char *const words[] = {"$schema", "title", "description", "default",
                                        "then",    "else",  NULL};
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], key) == 0) {
            return true; /* then and else are looked at with `if` */
        }
    }
    return false;
}

/* Keywords that hold schemas. */
static bool nested_check(const struct scn_tree *schema, const struct scn_tree *keyword,
                         const struct scn_tree *value, struct why *why)
{
    const char *key = keyword->key;
    if (strcmp(key, "properties") == 0) {
        return value->kind != SCN_TREE_MAP || properties_check(keyword, value, why);
    }
    if (strcmp(key, "additionalProperties") == 0 && keyword->kind == SCN_TREE_MAP) {
        bool all = true;
        const struct scn_tree *named = scn_tree_find(schema, "properties");
        for (const struct scn_tree *child = value->first;
             value->kind == SCN_TREE_MAP && child != NULL && all; child = child->next) {
            all = scn_tree_find(named, child->key) != NULL || check(keyword, child, why);
        }
        return all;
    }
    if (strcmp(key, "additionalProperties") == 0) {
        ck_assert_str_eq(keyword->text, "false");
        return value->kind != SCN_TREE_MAP ||
               keys_known(scn_tree_find(schema, "properties"), value);
    }
    if (strcmp(key, "items") == 0) {
        bool all = true;
        for (const struct scn_tree *item = value->first;
             value->kind == SCN_TREE_LIST && item != NULL && all; item = item->next) {
            all = check(keyword, item, why);
        }
        return all;
    }
    if (strcmp(key, "prefixItems") == 0) { /* never beside `items` in our schema */
        const struct scn_tree *item = value->kind == SCN_TREE_LIST ? value->first : NULL;
        const struct scn_tree *is = keyword->first;
        while (item != NULL && is != NULL && check(is, item, why)) {
            item = item->next;
            is = is->next;
        }
        return item == NULL || is == NULL;
    }
    if (strcmp(key, "anyOf") == 0) {
        return any_of(keyword, value);
    }
    if (strcmp(key, "allOf") == 0) {
        return all_of(keyword, value, why);
    }
    if (strcmp(key, "if") == 0) {
        const struct scn_tree *branch = scn_tree_find(schema, check(keyword, value, NULL) ? "then"
                                                                                          : "else");
        return branch == NULL || check(branch, value, why);
    }
    ck_abort_msg("keyword '%s' is not known to this checker", key);
    return false;
}

static bool check(const struct scn_tree *schema, const struct scn_tree *value, struct why *why)
{
    for (const struct scn_tree *keyword = schema->first; keyword != NULL; keyword = keyword->next) {
        if (is_annotation(keyword->key)) {
            continue;
        }
        bool known = false;
        bool good = simple_check(keyword, value, &known);
        if (!known) {
            good = nested_check(schema, keyword, value, why);
        }
        if (!good) {
            if (why != NULL && why->text[0] == '\0') {
                (void)snprintf(why->text, why->size, "%s breaks %s",
                               value->key == NULL ? "an item" : value->key, keyword->key);
            }
            return false;
        }
    }
    return true;
}

bool schema_check(const struct scn_tree *schema, const struct scn_tree *value, char *why,
                  size_t why_size)
{
    struct why reason = {why, why_size};
    why[0] = '\0';
    return check(schema, value, &reason);
}
