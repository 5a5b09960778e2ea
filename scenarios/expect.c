/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expectations: "path operator number", such as "link[BC].pool_min_bits > 0". The path names a
 * number of the run's summary: words joined by dots; link[ID] and application[ID] name an item. */
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"

#define FORM "expected 'path operator number', such as 'served_fraction >= 0.99'"

/* Takes "<", "<=", "==", "!=", ">=" or ">" at the start of the text; its length, 0 if none. */
static size_t compare_read(const char *text, enum scn_compare *compare)
{
    size_t best = 0;
    for (const struct scn_word *w = scn_words_compare; w->word != NULL; w++) {
        size_t len = strlen(w->word);
        if (len > best && strncmp(text, w->word, len) == 0) {
            best = len;
            *compare = (enum scn_compare)w->value;
        }
    }
    return best;
}

/* Checks one "word" or "word[id]" of a path; the length read, 0 after a mistake. */
static size_t part_check(struct scn_ctx *ctx, const struct scn_tree *value, const char *part)
{
    size_t len = strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    bool link = len == 4 && strncmp(part, "link", 4) == 0;
    bool application = len == 11 && strncmp(part, "application", 11) == 0;
    if (len == 0) {
        scn_mistake(ctx, value->place, "'%.80s': %s", value->text, FORM);
        return 0;
    }
    if (part[len] != '[') {
        return len;
    }
    size_t id_len = strcspn(part + len + 1, "]");
    char id[SCN_ID_SIZE];
    if (part[len + 1 + id_len] != ']' || id_len >= sizeof id || !(link || application)) {
        scn_mistake(ctx, value->place, "'%.80s': only link[ID] and application[ID] have brackets",
                    value->text);
        return 0;
    }
    memcpy(id, part + len + 1, id_len);
    id[id_len] = '\0';
    enum scn_kind kind = link ? SCN_KIND_LINK : SCN_KIND_APPLICATION;
    return scn_ref_find(ctx, kind, id, value->place) == UINT32_MAX ? 0 : len + id_len + 2;
}

static bool path_check(struct scn_ctx *ctx, const struct scn_tree *value, const char *path)
{
    for (;;) {
        size_t len = part_check(ctx, value, path);
        if (len == 0) {
            return false;
        }
        if (path[len] == '\0') {
            return true;
        }
        if (path[len] != '.') {
            scn_mistake(ctx, value->place, "'%.80s': %s", value->text, FORM);
            return false;
        }
        path += len + 1;
    }
}

static bool expect_read(struct scn_ctx *ctx, const struct scn_tree *value,
                        struct scn_expect *expect)
{
    if (value->kind != SCN_TREE_SCALAR) {
        scn_mistake(ctx, value->place, "%s", FORM);
        return false;
    }
    const char *text = value->text + strspn(value->text, " ");
    size_t path_len = strcspn(text, " <>=!");
    const char *rest = text + path_len + strspn(text + path_len, " ");
    size_t compare_len = compare_read(rest, &expect->compare);
    const char *number = rest + compare_len + strspn(rest + compare_len, " ");
    if (path_len == 0 || path_len >= sizeof expect->path || compare_len == 0 ||
        scn_real_parse(SCN_DIM_REAL, number, &expect->number) != NULL) {
        scn_mistake(ctx, value->place, "'%.80s': %s", value->text, FORM);
        return false;
    }
    memcpy(expect->path, text, path_len);
    expect->path[path_len] = '\0';
    expect->line = value->place.line;
    expect->column = value->place.column;
    int len = snprintf(expect->text, sizeof expect->text, "%s %s %s", expect->path,
                       scn_word_of(scn_words_compare, (int)expect->compare), number);
    if (len < 0 || (size_t)len >= sizeof expect->text) {
        scn_mistake(ctx, value->place, "the expectation is too long: expected at most %d bytes",
                    SCN_NAME_SIZE - 1);
        return false;
    }
    return path_check(ctx, value, expect->path);
}

static void expect_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_scenario *scenario = base;
    if (value == NULL || scn_tree_is_null(value)) {
        return;
    }
    if (value->kind != SCN_TREE_LIST || value->count > SCN_MAX_EXPECTS) {
        scn_mistake(ctx, value->place, "expect: expected a list of at most %d texts",
                    SCN_MAX_EXPECTS);
        return;
    }
    scenario->expects = scn_mem_new(value->count, sizeof *scenario->expects);
    if (scenario->expects == NULL) {
        ctx->no_memory = true;
        return;
    }
    for (const struct scn_tree *item = value->first; item != NULL; item = item->next) {
        if (expect_read(ctx, item, &scenario->expects[scenario->expect_count])) {
            scenario->expect_count++;
        }
    }
}

static bool expect_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                         const void *base)
{
    (void)base;
    for (size_t i = 0; i < scenario->expect_count; i++) {
        scn_buffer_text(out, "\n  - ");
        scn_buffer_quoted(out, scenario->expects[i].text);
    }
    return scenario->expect_count > 0;
}

const struct scn_special scn_special_expect = {
    expect_decode, expect_print,
    "\"type\": \"array\", \"maxItems\": 1000, \"items\": {\"type\": \"string\", \"pattern\": "
    "\"^ *[a-z0-9_.A-Z:\\\\[\\\\]-]+ *(<|<=|==|!=|>=|>) *-?[0-9.]+([eE][+-]?[0-9]+)?$\"}"};
