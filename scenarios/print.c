/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario as YAML, by the tables: sections as blocks, items of lists one to a line. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/buffer.h"
#include "scenarios/field.h"

struct print {
    struct scn_buffer out;
    const struct scn_scenario *scenario;
};

/* Prints an integer or a node; false if it is "not given". */
static bool integer_print(struct print *p, const struct scn_field *field, const char *at)
{
    int64_t value = 0;
    if (field->type == SCN_T_I64) {
        memcpy(&value, at, sizeof value);
    } else {
        uint32_t narrow = 0;
        memcpy(&narrow, at, sizeof narrow);
        value = (int64_t)narrow;
    }
    if (field->fallback == NULL && !field->required && value == field->unset) {
        if (field->word != NULL) {
            scn_buffer_text(&p->out, field->word);
        }
        return field->word != NULL;
    }
    char text[SCN_QUANTITY_SIZE];
    scn_integer_print(field->dimension, value, text);
    scn_buffer_text(&p->out, text);
    return true;
}

static bool real_print(struct print *p, const struct scn_field *field, const char *at)
{
    double value = 0;
    memcpy(&value, at, sizeof value);
    double unset = (double)field->unset;
    if (field->fallback == NULL && value >= unset && value <= unset) {
        return false;
    }
    char text[SCN_QUANTITY_SIZE];
    scn_real_print(field->dimension, value, text);
    scn_buffer_text(&p->out, text);
    return true;
}

/* Prints one value of an item; false if there is nothing to print. */
static bool value_print(struct print *p, const struct scn_field *field, const char *base)
{
    const char *at = base + field->offset;
    switch (field->type) {
    case SCN_T_ID:
    case SCN_T_TEXT:
        if (at[0] != '\0') {
            scn_buffer_quoted(&p->out, at);
        }
        return at[0] != '\0';
    case SCN_T_BOOL:
        scn_buffer_text(&p->out, *(const bool *)at ? "true" : "false");
        return true;
    case SCN_T_WORD: {
        int value = 0;
        memcpy(&value, at, sizeof value);
        if (field->fallback == NULL && value == (int)field->unset) {
            return false;
        }
        scn_buffer_text(&p->out, scn_word_of(field->words, value));
        return true;
    }
    case SCN_T_NODE: {
        uint32_t index = 0;
        memcpy(&index, at, sizeof index);
        if (index == UINT32_MAX) {
            return false; /* not given, and not needed */
        }
        scn_buffer_quoted(&p->out, p->scenario->nodes[index].id);
        return true;
    }
    case SCN_T_I64:
    case SCN_T_U32:
        return integer_print(p, field, at);
    case SCN_T_REAL:
        return real_print(p, field, at);
    case SCN_T_SPECIAL:
        return field->special->print(&p->out, p->scenario, base);
    case SCN_T_SECTION:
    case SCN_T_LIST:
    case SCN_T_LATER:
        break; /* not values */
    }
    return false;
}

/* Whether a quiet row is to be left out: a word that is its default. */
static bool default_hidden(const struct scn_field *field, const char *base)
{
    if (!field->quiet || field->type != SCN_T_WORD) {
        return false;
    }
    int value = 0;
    memcpy(&value, base + field->offset, sizeof value);
    return strcmp(scn_word_of(field->words, value), field->fallback) == 0;
}

/* Whether lat and lon of this node are to be left out. */
static bool geo_hidden(const struct scn_table *table, const struct scn_field *field,
                       const char *base)
{
    if (table->kind != SCN_KIND_NODE ||
        (strcmp(field->key, "lat") != 0 && strcmp(field->key, "lon") != 0)) {
        return false;
    }
    return !((const struct scn_node *)(const void *)base)->has_geo;
}

/* Whether rate and qber are to be left out: the model is trace. */
static bool rate_hidden(const struct scn_field *field, const char *base)
{
    bool qber = strcmp(field->key, "qber") == 0 && field->offset == offsetof(struct scn_qkd, qber);
    return qber && ((const struct scn_qkd *)(const void *)base)->model == SCN_QKD_TRACE;
}

/* Whether the section of sessions is to be left out: the application opens none. */
static bool session_hidden(const struct scn_table *table, const struct scn_field *field,
                           const char *base)
{
    return field->type == SCN_T_SECTION && strcmp(field->key, "session") == 0 &&
           table->kind == SCN_KIND_APPLICATION &&
           ((const struct scn_application *)(const void *)base)->session.rate_bps == 0;
}

static bool flow_list_print(struct print *p, const struct scn_field *field, const char *base);

/* Whether the channel beside a link is to be left out: the classical network is another one. */
static bool channel_hidden(const struct print *p, const struct scn_table *table,
                           const struct scn_field *field)
{
    return table->kind == SCN_KIND_LINK && strcmp(field->key, "classical") == 0 &&
           p->scenario->classical.link_count > 0;
}

/* An item of a list, or a section in one, in flow style: {id: "A", ...}. Recursion: as deep as the
 * tables. */
static void flow_print(struct print *p, const struct scn_table *table, const char *base)
{
    scn_buffer_text(&p->out, "{");
    bool any = false;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct scn_field *field = &table->fields[i];
        if (field->type == SCN_T_LATER || field->early || default_hidden(field, base) ||
            geo_hidden(table, field, base) || rate_hidden(field, base) ||
            channel_hidden(p, table, field) || session_hidden(table, field, base)) {
            continue;
        }
        size_t before = p->out.len;
        scn_buffer_add(&p->out, "%s%s: ", any ? ", " : "", field->key);
        if (field->type == SCN_T_SECTION) {
            flow_print(p, field->table, base + field->offset);
        } else if (field->type == SCN_T_LIST ? !flow_list_print(p, field, base)
                                             : !value_print(p, field, base)) {
            p->out.len = before; /* nothing to say: take the key back */
            continue;
        }
        any = true;
    }
    scn_buffer_text(&p->out, "}");
}

/* A list in a section: items one to a line. */
static bool flow_list_print(struct print *p, const struct scn_field *field, const char *base)
{
    const char *array = NULL;
    size_t count = 0;
    memcpy(&array, base + field->offset, sizeof array);
    memcpy(&count, base + field->count_offset, sizeof count);
    scn_buffer_text(&p->out, "[");
    for (size_t i = 0; i < count; i++) {
        scn_buffer_text(&p->out, i == 0 ? "\n      " : ",\n      ");
        flow_print(p, field->table, array + i * field->table->item_bytes);
    }
    scn_buffer_text(&p->out, "]");
    return count > 0;
}

static void list_print(struct print *p, const struct scn_field *field, const char *base,
                       const char *indent)
{
    const char *array = NULL;
    size_t count = 0;
    memcpy(&array, base + field->offset, sizeof array);
    memcpy(&count, base + field->count_offset, sizeof count);
    enum scn_kind kind = field->table->kind;
    if (count == 0 && (kind == SCN_KIND_OPTICAL_SWITCH || kind == SCN_KIND_RELAY_POINT)) {
        return; /* few networks have them */
    }
    if (count == 0) {
        if (!field->quiet) {
            scn_buffer_add(&p->out, "%s%s: []\n", indent, field->key);
        }
        return;
    }
    scn_buffer_add(&p->out, "%s%s:\n", indent, field->key);
    for (size_t i = 0; i < count; i++) {
        scn_buffer_add(&p->out, "%s  - ", indent);
        flow_print(p, field->table, array + i * field->table->item_bytes);
        scn_buffer_text(&p->out, "\n");
    }
}

/* The file, or its section `network`, in block style. */
static void block_print(struct print *p, const struct scn_table *table, const char *base,
                        const char *indent)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct scn_field *field = &table->fields[i];
        size_t before = p->out.len;
        if (field->type == SCN_T_LATER || field->early) {
            continue;
        }
        if (field->type == SCN_T_LIST) {
            list_print(p, field, base, indent);
        } else if (field->type == SCN_T_SECTION && field->offset == 0 && indent[0] == '\0') {
            scn_buffer_add(&p->out, "%s:\n", field->key);
            block_print(p, field->table, base, "  ");
        } else if (field->type == SCN_T_SECTION) {
            scn_buffer_add(&p->out, "%s%s: ", indent, field->key);
            size_t empty = p->out.len + 2;
            flow_print(p, field->table, base + field->offset);
            scn_buffer_text(&p->out, "\n");
            if (field->quiet && p->out.len == empty + 1) {
                p->out.len = before;
            }
        } else {
            scn_buffer_add(&p->out, "%s%s: ", indent, field->key);
            if (value_print(p, field, base)) {
                scn_buffer_text(&p->out, "\n");
            } else {
                p->out.len = before;
            }
        }
    }
}

char *scn_print(const struct scn_scenario *scenario)
{
    struct print p = {.scenario = scenario};
    block_print(&p, &scn_table_scenario, (const char *)scenario, "");
    scn_buffer_text(&p.out, "");
    return scn_buffer_take(&p.out);
}

int scn_hash(const struct scn_scenario *scenario, char hex[65])
{
    char *text = scn_print(scenario);
    if (text == NULL) {
        return QKD_ERR_NOMEM;
    }
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, (const unsigned char *)text, strlen(text)); /* cannot fail */
    scn_mem_free(text);
    (void)sodium_bin2hex(hex, 65, digest, sizeof digest);
    return 0;
}
