/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the tree to the structs, by the tables. A bad value leaves its default (or "not given") in
 * place, so that decoding goes on and finds every mistake. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/field.h"

#define MAX_FIELDS 32 /* most rows of one table */
#define LIST_BYTES 800

/* A bound in another unit, as 60e-9 /min for 1e-9 /s, may be rounded to its wrong side. */
#define ROUNDING (2 * DBL_EPSILON)

const char *scn_word_of(const struct scn_word *words, int value)
{
    for (; words->word != NULL; words++) {
        if (words->value == value) {
            return words->word;
        }
    }
    return "?";
}

bool scn_id_valid(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < SCN_ID_SIZE &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:") ==
               len;
}

bool scn_table_has(const struct scn_table *table, const char *key)
{
    for (size_t i = 0; i < table->field_count; i++) {
        if (strcmp(table->fields[i].key, key) == 0) {
            return table->fields[i].type != SCN_T_LATER;
        }
    }
    return false;
}

/* Appends ", word" to a list of words. */
static void list_append(char list[LIST_BYTES], const char *word)
{
    size_t used = strlen(list);
    (void)snprintf(list + used, LIST_BYTES - used, "%s%s", used == 0 ? "" : ", ", word);
}

static void unknown_key(struct scn_ctx *ctx, const struct scn_table *table,
                        const struct scn_tree *pair)
{
    const char *keys[MAX_FIELDS];
    size_t count = 0;
    char list[LIST_BYTES] = "";
    for (size_t i = 0; i < table->field_count && i < MAX_FIELDS; i++) {
        if (table->fields[i].type != SCN_T_LATER) {
            keys[count++] = table->fields[i].key;
            list_append(list, table->fields[i].key);
        }
    }
    char hint[SCN_NAME_SIZE];
    const char *near = scn_nearest(pair->key, keys, count);
    if (near != NULL) {
        scn_mistake(ctx, pair->key_place, "unknown key '%.64s' in %s%s", pair->key, table->name,
                    scn_hint(hint, near));
    } else {
        scn_mistake(ctx, pair->key_place, "unknown key '%.64s' in %s: expected one of %s",
                    pair->key, table->name, list);
    }
}

/* Unknown keys and keys given twice. */
static void keys_check(struct scn_ctx *ctx, const struct scn_table *table,
                       const struct scn_tree *map)
{
    const struct scn_tree *seen[MAX_FIELDS] = {NULL};
    for (const struct scn_tree *pair = map->first; pair != NULL; pair = pair->next) {
        size_t i = 0;
        while (i < table->field_count && strcmp(table->fields[i].key, pair->key) != 0) {
            i++;
        }
        if (i == table->field_count) {
            unknown_key(ctx, table, pair);
        } else if (i < MAX_FIELDS && seen[i] != NULL) {
            scn_mistake(ctx, pair->key_place, "the key '%s' is given twice: first on line %u",
                        pair->key, seen[i]->key_place.line);
        } else if (i < MAX_FIELDS) {
            seen[i] = pair;
        }
    }
}

static void unset_store(const struct scn_field *field, void *at)
{
    if (field->type == SCN_T_I64) {
        memcpy(at, &field->unset, sizeof field->unset);
    } else if (field->type == SCN_T_REAL) {
        double value = (double)field->unset;
        memcpy(at, &value, sizeof value);
    } else if (field->type == SCN_T_U32 || field->type == SCN_T_NODE) {
        uint32_t value = (uint32_t)field->unset;
        memcpy(at, &value, sizeof value);
    } else if (field->type == SCN_T_WORD) {
        int value = (int)field->unset;
        memcpy(at, &value, sizeof value);
    }
}

static void range_mistake(struct scn_ctx *ctx, const struct scn_field *field,
                          const struct scn_tree *value)
{
    char low[SCN_QUANTITY_SIZE];
    char high[SCN_QUANTITY_SIZE];
    if (field->type == SCN_T_REAL) {
        scn_real_print(field->dimension, field->min, low);
        scn_real_print(field->dimension, field->max, high);
    } else {
        scn_integer_print(field->dimension, (int64_t)field->min, low);
        scn_integer_print(field->dimension, (int64_t)field->max, high);
    }
    scn_mistake(ctx, value->place, "%s '%.64s' is out of range: expected %s to %s", field->key,
                value->text, low, high);
}

static void integer_decode(struct scn_ctx *ctx, const struct scn_field *field,
                           const struct scn_tree *value, void *at)
{
    int64_t number = 0;
    const char *why = scn_integer_parse(field->dimension, value->text, &number);
    if (why != NULL) {
        scn_mistake(ctx, value->place, "%s '%.64s' %s: expected %s", field->key, value->text, why,
                    scn_dimension_hint(field->dimension));
    } else if (number < (int64_t)field->min || number > (int64_t)field->max) {
        range_mistake(ctx, field, value);
    } else if (field->multiple != 0 && number % (int64_t)field->multiple != 0) {
        scn_mistake(ctx, value->place, "%s '%.64s' is not a multiple of %u bit", field->key,
                    value->text, field->multiple);
    } else if (field->type == SCN_T_U32) {
        uint32_t narrow = (uint32_t)number;
        memcpy(at, &narrow, sizeof narrow);
    } else {
        memcpy(at, &number, sizeof number);
    }
}

static void real_decode(struct scn_ctx *ctx, const struct scn_field *field,
                        const struct scn_tree *value, void *at)
{
    double number = 0;
    const char *why = scn_real_parse(field->dimension, value->text, &number);
    if (why != NULL) {
        scn_mistake(ctx, value->place, "%s '%.64s' %s: expected %s", field->key, value->text, why,
                    scn_dimension_hint(field->dimension));
    } else if (!(number >= field->min - fabs(field->min) * ROUNDING &&
                 number <= field->max + fabs(field->max) * ROUNDING)) {
        range_mistake(ctx, field, value);
    } else {
        number = fmin(fmax(number, field->min), field->max);
        memcpy(at, &number, sizeof number);
    }
}

static void word_decode(struct scn_ctx *ctx, const struct scn_field *field,
                        const struct scn_tree *value, void *at)
{
    const char *words[MAX_FIELDS];
    size_t count = 0;
    char list[LIST_BYTES] = "";
    bool later = false;
    for (const struct scn_word *w = field->words; w->word != NULL; w++) {
        if (strcmp(w->word, value->text) == 0 && w->value != SCN_LATER) {
            memcpy(at, &w->value, sizeof w->value);
            return;
        }
        later = later || strcmp(w->word, value->text) == 0;
        if (w->value != SCN_LATER && count < MAX_FIELDS) {
            words[count++] = w->word;
            list_append(list, w->word);
        }
    }
    if (later) {
        scn_mistake(ctx, value->place,
                    "%s '%s' is not available in this version: expected one of %s", field->key,
                    value->text, list);
        return;
    }
    char hint[SCN_NAME_SIZE];
    scn_mistake(ctx, value->place, "unknown %s '%.64s': expected one of %s%s", field->key,
                value->text, list, scn_hint(hint, scn_nearest(value->text, words, count)));
}

static void id_decode(struct scn_ctx *ctx, const struct scn_field *field,
                      const struct scn_tree *value, char *at)
{
    if (!scn_id_valid(value->text)) {
        scn_mistake(ctx, value->place,
                    "%s '%.80s' is no identifier: expected 1 to %d letters, digits, '_', '-', '.', "
                    "':'",
                    field->key, value->text, SCN_ID_SIZE - 1);
        return;
    }
    memcpy(at, value->text, strlen(value->text) + 1);
}

static void text_decode(struct scn_ctx *ctx, const struct scn_field *field,
                        const struct scn_tree *value, char *at)
{
    size_t room = field->room != 0 ? field->room : SCN_NAME_SIZE;
    size_t len = strlen(value->text);
    if (len >= room) {
        scn_mistake(ctx, value->place, "%s is too long: expected at most %zu bytes", field->key,
                    room - 1);
    } else if (strcspn(value->text, "\n\r\t\b\f\v\x1b") != len) {
        scn_mistake(ctx, value->place, "%s must be one line without control characters",
                    field->key);
    } else if (len == 0 && field->required) {
        scn_mistake(ctx, value->place, "%s is empty: expected %s", field->key, field->doc);
    } else {
        memcpy(at, value->text, len + 1);
    }
}

static void bool_decode(struct scn_ctx *ctx, const struct scn_field *field,
                        const struct scn_tree *value, bool *at)
{
    static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    size_t i = 0;
    while (i < sizeof words / sizeof words[0] && strcmp(words[i], value->text) != 0) {
        i++;
    }
    if (value->plain && i < sizeof words / sizeof words[0]) {
        *at = i < 3;
    } else {
        scn_mistake(ctx, value->place, "%s '%.64s': expected true or false%s", field->key,
                    value->text, value->plain ? "" : " without quotes");
    }
}

static void list_decode(struct scn_ctx *ctx, const struct scn_field *field, struct scn_tree *value,
                        char *base)
{
    if (scn_tree_is_table(value)) {
        scn_tree_table(ctx, value);
    }
    if (value->kind != SCN_TREE_LIST) {
        scn_mistake(ctx, value->place, "%s: expected a list of mappings", field->key);
        return;
    }
    if (value->count > field->limit) {
        scn_mistake(ctx, value->place, "%s: %zu items, but at most %zu are read", field->key,
                    value->count, field->limit);
        return;
    }
    const struct scn_table *table = field->table;
    struct scn_items *items = &ctx->items[table->kind];
    char *array = scn_mem_new(value->count, table->item_bytes);
    items->trees = scn_ctx_new(ctx, (value->count + 1) * sizeof *items->trees);
    if (array == NULL || items->trees == NULL) {
        ctx->no_memory = true;
        scn_mem_free(array);
        return;
    }
    memcpy(base + field->offset, &array, sizeof array);
    memcpy(base + field->count_offset, &value->count, sizeof value->count);
    items->count = 0;
    for (const struct scn_tree *item = value->first; item != NULL; item = item->next) {
        items->trees[items->count] = item;
        scn_decode_section(ctx, table, item, item->place, array + items->count * table->item_bytes);
        items->count++;
    }
    if (table->fields[0].type == SCN_T_ID) {
        scn_items_index(ctx, table, array + table->fields[0].offset);
    }
}

/* A value that is written in the file (or a default, as if it were). */
static void scalar_decode(struct scn_ctx *ctx, const struct scn_field *field,
                          const struct scn_tree *value, char *at)
{
    if (value->kind != SCN_TREE_SCALAR) {
        scn_mistake(ctx, value->place, "%s: expected one value: %s", field->key,
                    field->doc == NULL ? "" : field->doc);
        return;
    }
    if (field->word != NULL && strcmp(field->word, value->text) == 0) {
        return; /* "not given" is already there */
    }
    switch (field->type) {
    case SCN_T_ID:
        id_decode(ctx, field, value, at);
        break;
    case SCN_T_TEXT:
        text_decode(ctx, field, value, at);
        break;
    case SCN_T_BOOL:
        bool_decode(ctx, field, value, (bool *)at);
        break;
    case SCN_T_WORD:
        word_decode(ctx, field, value, at);
        break;
    case SCN_T_I64:
    case SCN_T_U32:
        integer_decode(ctx, field, value, at);
        break;
    case SCN_T_REAL:
        real_decode(ctx, field, value, at);
        break;
    case SCN_T_NODE: {
        uint32_t index = scn_ref_find(ctx, SCN_KIND_NODE, value->text, value->place);
        memcpy(at, &index, sizeof index);
        break;
    }
    case SCN_T_SECTION:
    case SCN_T_LIST:
    case SCN_T_SPECIAL:
    case SCN_T_LATER:
        break; /* decoded elsewhere */
    }
}

/* A default: written in the table, so a mistake in it is ours. */
static void fallback_decode(struct scn_ctx *ctx, const struct scn_field *field, char *at)
{
    unset_store(field, at);
    if (field->fallback != NULL) {
        struct scn_tree written = {.kind = SCN_TREE_SCALAR, .plain = true, .text = field->fallback};
        scalar_decode(ctx, field, &written, at);
    }
}

static void field_decode(struct scn_ctx *ctx, const struct scn_field *field, struct scn_tree *value,
                         struct scn_place at, char *base)
{
    if (field->early) {
        return;
    }
    switch (field->type) {
    case SCN_T_SECTION:
        scn_decode_section(ctx, field->table, value, at, base + field->offset);
        break;
    case SCN_T_LIST:
        if (value != NULL && !scn_tree_is_null(value)) {
            list_decode(ctx, field, value, base);
        }
        break;
    case SCN_T_SPECIAL:
        field->special->decode(ctx, value, base);
        break;
    case SCN_T_LATER:
        if (value != NULL && !scn_tree_is_null(value) &&
            (value->kind == SCN_TREE_SCALAR || value->count > 0)) {
            scn_mistake(ctx, value->key_place, "'%s' is not available in this version", field->key);
        }
        break;
    default:
        fallback_decode(ctx, field, base + field->offset);
        if (value != NULL && scn_tree_is_null(value)) {
            scn_mistake(ctx, value->place, "%s has no value: expected %s", field->key, field->doc);
        } else if (value != NULL) {
            scalar_decode(ctx, field, value, base + field->offset);
        }
        break;
    }
}

void scn_decode_section(struct scn_ctx *ctx, const struct scn_table *table,
                        const struct scn_tree *map, struct scn_place at, void *base)
{
    bool written = map != NULL; /* then its required keys must be in it */
    if (map != NULL && map->kind != SCN_TREE_MAP) {
        if (!scn_tree_is_null(map) || table->kind != SCN_KIND_NONE) {
            scn_mistake(ctx, map->place, "%s: expected a mapping of keys to values", table->name);
            written = false;
        }
        at = map->place;
        map = NULL;
    } else if (map != NULL) {
        at = map->place;
        keys_check(ctx, table, map);
    }
    for (size_t i = 0; i < table->field_count; i++) {
        const struct scn_field *field = &table->fields[i];
        struct scn_tree *value = scn_tree_find(map, field->key);
        field_decode(ctx, field, value, at, base);
        if (value == NULL && written && field->required) {
            scn_mistake(ctx, at, "the key '%s' is missing in %s: expected %s", field->key,
                        table->name, field->doc);
        }
    }
}

void scn_decode_early(struct scn_ctx *ctx, const struct scn_table *table,
                      const struct scn_tree *map, const char *key, void *base)
{
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].early && strcmp(table->fields[i].key, key) == 0) {
            struct scn_field field = table->fields[i];
            field.early = false;
            field_decode(ctx, &field, scn_tree_find(map, key), map->place, base);
        }
    }
}
