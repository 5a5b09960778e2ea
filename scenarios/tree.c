/* SPDX-License-Identifier: GPL-3.0-or-later */
/* YAML events to a tree. libfyaml does the syntax; this file keeps places, follows anchors (which
 * must come first, so that a tree is never cyclic), and refuses what the loader could not name. */
#include "scenarios/tree.h"

#include <libfyaml.h>
#include <stdio.h>
#include <string.h>

/* An anchor that may be referred to from here on. */
struct anchor {
    const char *name;
    const struct scn_tree *tree;
    struct anchor *older;
};

struct frame {
    struct scn_tree *tree; /* mapping or list under construction */
    const char *anchor;    /* its own name, NULL if none */
    const char *key;       /* the key whose value comes next */
    struct scn_place key_place;
};

struct parse {
    struct scn_ctx *ctx;
    struct scn_place at; /* source; line 0 if places are not counted */
    struct frame stack[SCN_TREE_DEPTH];
    size_t depth;
    struct scn_tree *root;
    struct anchor *anchors;
    bool failed;
};

struct scn_tree *scn_tree_find(const struct scn_tree *map, const char *key)
{
    if (map == NULL || map->kind != SCN_TREE_MAP) {
        return NULL;
    }
    for (struct scn_tree *child = map->first; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0) {
            return child;
        }
    }
    return NULL;
}

bool scn_tree_is_null(const struct scn_tree *tree)
{
    return tree->kind == SCN_TREE_SCALAR && tree->plain &&
           (tree->text[0] == '\0' || strcmp(tree->text, "~") == 0 ||
            strcmp(tree->text, "null") == 0);
}

static void child_append(struct scn_tree *parent, struct scn_tree *child)
{
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->count++;
}

struct scn_tree *scn_tree_add(struct scn_ctx *ctx, struct scn_tree *parent, const char *key,
                              struct scn_place place)
{
    struct scn_tree *child = scn_ctx_new(ctx, sizeof *child);
    if (child != NULL) {
        *child = (struct scn_tree){.place = place, .key_place = place, .key = key, .text = ""};
        child_append(parent, child);
    }
    return child;
}

struct scn_tree *scn_tree_share(struct scn_ctx *ctx, struct scn_tree *parent,
                                const struct scn_tree *child)
{
    struct scn_tree *copy = scn_ctx_new(ctx, sizeof *copy);
    if (copy != NULL) {
        *copy = *child;
        copy->next = NULL;
        child_append(parent, copy);
    }
    return copy;
}

bool scn_tree_own(struct scn_ctx *ctx, struct scn_tree *tree)
{
    const struct scn_tree *shared = tree->first;
    tree->first = NULL;
    tree->last = NULL;
    tree->count = 0;
    for (; shared != NULL; shared = shared->next) {
        if (scn_tree_share(ctx, tree, shared) == NULL) {
            return false;
        }
    }
    return true;
}

struct scn_tree *scn_tree_put(struct scn_ctx *ctx, struct scn_tree *map, const char *key,
                              const char *text)
{
    struct scn_tree *child = scn_tree_find(map, key);
    if (child == NULL) {
        child = scn_tree_add(ctx, map, key, map->place);
    }
    if (child != NULL) {
        child->kind = SCN_TREE_SCALAR;
        child->plain = true;
        child->text = text;
        child->first = NULL;
        child->last = NULL;
        child->count = 0;
    }
    return child;
}

static struct scn_place event_place(const struct parse *p, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (p->at.line == 0 || mark == NULL) {
        return p->at;
    }
    struct scn_place place = {.source = p->at.source,
                              .line = (uint32_t)mark->line + 1,
                              .column = (uint32_t)mark->column + 1};
    enum fy_node_style style = fy_event_get_node_style(event);
    bool quoted = event->type == FYET_SCALAR &&
                  (style == FYNS_DOUBLE_QUOTED || style == FYNS_SINGLE_QUOTED);
    if ((quoted || event->type == FYET_ALIAS) && place.column > 1) {
        place.column--; /* the mark is behind the quote or the star */
    }
    return place;
}

static void fail(struct parse *p, struct scn_place place, const char *text)
{
    scn_mistake(p->ctx, place, "%s", text);
    p->failed = true;
}

/* Text of a token in the arena; "" for none. */
static const char *token_copy(struct parse *p, struct fy_token *token, struct scn_place place)
{
    size_t len = 0;
    const char *text = token == NULL ? NULL : fy_token_get_text(token, &len);
    if (text == NULL) {
        return "";
    }
    if (memchr(text, '\0', len) != NULL) {
        fail(p, place, "a text cannot contain the character 0");
        return "";
    }
    const char *copy = scn_ctx_copy(p->ctx, text, len);
    p->failed = p->failed || copy == NULL;
    return copy == NULL ? "" : copy;
}

static const char *anchor_copy(struct parse *p, struct fy_event *event, struct scn_place place)
{
    struct fy_token *token = fy_event_get_anchor_token(event);
    return token == NULL ? NULL : token_copy(p, token, place);
}

static void anchor_add(struct parse *p, const char *name, const struct scn_tree *tree)
{
    if (name == NULL) {
        return;
    }
    struct anchor *anchor = scn_ctx_new(p->ctx, sizeof *anchor);
    if (anchor == NULL) {
        p->failed = true;
        return;
    }
    *anchor = (struct anchor){.name = name, .tree = tree, .older = p->anchors};
    p->anchors = anchor;
}

/* The mapping or list that is being filled, NULL at the top. */
static struct frame *frame_open(struct parse *p)
{
    struct frame *frame = p->depth > 0 ? &p->stack[p->depth - 1] : NULL;
    return frame != NULL && frame->tree != NULL ? frame : NULL;
}

/* Puts a finished or opened value where it belongs: the root, a list, or behind its key. */
static void place_value(struct parse *p, struct scn_tree *value)
{
    struct frame *frame = frame_open(p);
    if (frame == NULL) {
        p->root = p->root == NULL ? value : p->root;
        return;
    }
    if (frame->tree->kind == SCN_TREE_MAP) {
        value->key = frame->key;
        value->key_place = frame->key_place;
        frame->key = NULL;
    }
    child_append(frame->tree, value);
}

static bool key_expected(struct parse *p)
{
    const struct frame *frame = frame_open(p);
    return frame != NULL && frame->tree->kind == SCN_TREE_MAP && frame->key == NULL;
}

static void scalar_take(struct parse *p, struct fy_event *event)
{
    struct scn_place place = event_place(p, event);
    const char *text = token_copy(p, fy_event_get_token(event), place);
    if (p->failed) {
        return;
    }
    if (key_expected(p)) {
        p->stack[p->depth - 1].key = text;
        p->stack[p->depth - 1].key_place = place;
        return;
    }
    struct scn_tree *value = scn_ctx_new(p->ctx, sizeof *value);
    if (value == NULL) {
        p->failed = true;
        return;
    }
    enum fy_node_style style = fy_event_get_node_style(event);
    *value = (struct scn_tree){.kind = SCN_TREE_SCALAR, .place = place, .text = text};
    value->plain = style == FYNS_PLAIN || style == FYNS_ANY;
    if (text[0] == '\0' && p->depth > 0 && fy_event_start_mark(event) == NULL) {
        value->place = p->stack[p->depth - 1].key_place; /* nothing is written */
    }
    anchor_add(p, anchor_copy(p, event, place), value);
    place_value(p, value);
}

static void alias_take(struct parse *p, struct fy_event *event)
{
    struct scn_place place = event_place(p, event);
    const char *name = token_copy(p, fy_event_get_token(event), place);
    if (p->failed) {
        return;
    }
    if (key_expected(p)) {
        fail(p, place, "a key cannot be an alias");
        return;
    }
    const struct anchor *anchor = p->anchors;
    while (anchor != NULL && strcmp(anchor->name, name) != 0) {
        anchor = anchor->older;
    }
    if (anchor == NULL) {
        scn_mistake(p->ctx, place,
                    "unknown alias '*%s': no finished value above has the anchor '&%s'", name,
                    name);
        p->failed = true;
        return;
    }
    struct scn_tree *value = scn_ctx_new(p->ctx, sizeof *value);
    if (value == NULL) {
        p->failed = true;
        return;
    }
    *value = *anchor->tree; /* shares the children */
    value->next = NULL;
    value->key = NULL;
    place_value(p, value);
}

static void open_take(struct parse *p, struct fy_event *event, enum scn_tree_kind kind)
{
    struct scn_place place = event_place(p, event);
    if (key_expected(p)) {
        fail(p, place, "a key must be a word");
        return;
    }
    if (p->depth == SCN_TREE_DEPTH) {
        fail(p, place, "nested too deeply");
        return;
    }
    struct scn_tree *value = scn_ctx_new(p->ctx, sizeof *value);
    if (value == NULL) {
        p->failed = true;
        return;
    }
    *value = (struct scn_tree){.kind = kind, .place = place};
    place_value(p, value);
    p->stack[p->depth++] = (struct frame){.tree = value, .anchor = anchor_copy(p, event, place)};
}

static void event_take(struct parse *p, struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        scalar_take(p, event);
        break;
    case FYET_ALIAS:
        alias_take(p, event);
        break;
    case FYET_MAPPING_START:
        open_take(p, event, SCN_TREE_MAP);
        break;
    case FYET_SEQUENCE_START:
        open_take(p, event, SCN_TREE_LIST);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        p->depth--;
        anchor_add(p, p->stack[p->depth].anchor, p->stack[p->depth].tree);
        break;
    case FYET_DOCUMENT_START:
        if (p->root != NULL) {
            fail(p, event_place(p, event), "only one document per file is read");
        }
        break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        break;
    }
}

/* Bytes of the UTF-8 character at `s` (of `len` bytes): 0 if it is malformed or a control
 * character that YAML does not allow. */
static size_t character_len(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80) {
        return (s[0] >= 0x20 && s[0] != 0x7f) || s[0] == '\n' || s[0] == '\r' || s[0] == '\t';
    }
    size_t need = s[0] >= 0xf0 ? 4 : (s[0] >= 0xe0 ? 3 : 2);
    if (s[0] < 0xc2 || s[0] > 0xf4 || need > len) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    bool c1 = s[0] == 0xc2 && s[1] < 0xa0 && s[1] != 0x85;
    return overlong || outside || c1 ? 0 : need;
}

/* The parser takes a bad byte for the end of its input, so bad bytes must be found before. */
bool scn_text_check(struct scn_ctx *ctx, const char *text, size_t len, struct scn_place at)
{
    struct scn_place place = at;
    for (size_t i = 0; i < len;) {
        size_t step = character_len((const unsigned char *)text + i, len - i);
        if (step == 0) {
            scn_mistake(ctx, place, "byte 0x%02x is not allowed: expected UTF-8 text",
                        (unsigned)(unsigned char)text[i]);
            return false;
        }
        if (place.line > 0) {
            place.column++;
            if (text[i] == '\n') {
                place.line++;
                place.column = 1;
            }
        }
        i += step;
    }
    return true;
}

static void syntax_mistakes(struct parse *p, struct fy_diag *diag)
{
    void *iterator = NULL;
    bool any = false;
    struct fy_diag_error *error;
    while ((error = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
        struct scn_place place = p->at;
        if (place.line > 0 && error->line > 0) {
            place.line = (uint32_t)error->line;
            place.column = error->column > 0 ? (uint32_t)error->column : 1;
        }
        scn_mistake(p->ctx, place, "not YAML: %s", error->msg == NULL ? "" : error->msg);
        any = true;
    }
    if (!any) {
        fail(p, p->at, "not YAML");
    }
}

static void document_parse(struct parse *p, struct fy_diag *diag, const char *text, size_t len)
{
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE |
                                        FYPCF_DEFAULT_VERSION_1_2,
                               .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    if (parser == NULL || fy_parser_set_string(parser, text, len) != 0) {
        p->ctx->no_memory = true;
    } else {
        struct fy_event *event;
        while (!p->failed && (event = fy_parser_parse(parser)) != NULL) {
            event_take(p, event);
            fy_parser_event_free(parser, event);
        }
        if (!p->failed && fy_parser_get_stream_error(parser)) {
            p->failed = true;
            syntax_mistakes(p, diag);
        }
    }
    if (parser != NULL) {
        fy_parser_destroy(parser);
    }
}

struct scn_tree *scn_tree_parse(struct scn_ctx *ctx, const char *text, size_t len,
                                struct scn_place at)
{
    struct parse p = {.ctx = ctx, .at = at};
    if (!scn_text_check(ctx, text, len, at)) {
        return NULL;
    }
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    cfg.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (diag == NULL) {
        ctx->no_memory = true;
        return NULL;
    }
    fy_diag_set_collect_errors(diag, true);
    document_parse(&p, diag, text, len);
    fy_diag_destroy(diag);
    if (!p.failed && p.root == NULL && at.line > 0) {
        scn_mistake(ctx, at, "the file is empty: expected a scenario");
    }
    return p.failed || ctx->no_memory ? NULL : p.root;
}
