/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A second opinion on scenario files: YAML read as JSON values (the core schema of YAML 1.2), and a
 * validator for the JSON Schema keywords that our published schema uses. It shares nothing with
 * scenarios/ but the YAML library; a keyword it does not know ends the test. */
#ifndef QKD_TESTS_JSON_SCHEMA_H
#define QKD_TESTS_JSON_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum js_kind { JS_NULL, JS_BOOL, JS_NUMBER, JS_STRING, JS_ARRAY, JS_OBJECT };

struct js_value {
    enum js_kind kind;
    char *key;  /* in an object, else NULL */
    char *text; /* of a scalar, as written */
    bool truth;
    double number;
    struct js_value **items; /* of arrays and objects; a key that is given twice is there twice */
    size_t count;
};

/* NULL: not YAML, or more than one document. */
struct js_value *js_parse(const char *text, size_t len);
void js_free(struct js_value *value);

/* A copy of a value, with its key. */
struct js_value *js_copy(const struct js_value *value);

/* Adds a child at the end; its key is copied (NULL in arrays). */
void js_append(struct js_value *to, const char *key, struct js_value *child);

/* A scalar with this text: a string, or what the core schema makes of it if plain. */
struct js_value *js_scalar(const char *text, bool plain);

/* The value of a key, NULL if there is none. */
const struct js_value *js_find(const struct js_value *object, const char *key);

/* The value as flow YAML, strings quoted; to be freed. */
char *js_print(const struct js_value *value);

/* Whether a value is what the schema says; if not, why. */
bool js_valid(const struct js_value *schema, const struct js_value *value, char why[200]);

/* The same of one of the schemas that it consists of. */
bool js_valid_part(const struct js_value *schema, const struct js_value *part,
                   const struct js_value *value);

#endif
