/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Overrides: "path=value" changes the tree before it is read, so that an override is checked by
 * the same rules as the file. path = key { "." key | "[" id "]" }. */
#include <stdio.h>
#include <string.h>

#include "scenarios/tree.h"

struct override {
    struct scn_ctx *ctx;
    struct scn_place place;
    char *rest;             /* of the path, cut as it is read */
    struct scn_tree *here;  /* the value reached */
    struct scn_tree *above; /* what it is in */
    bool removes;           /* what is not there is a mistake, not made */
};

/* The item of a list whose `id` is the given one; a mistake if there is none. */
static struct scn_tree *item_find(struct override *o, const char *id)
{
    if (o->here->kind == SCN_TREE_SCALAR && scn_tree_is_table(o->here)) {
        scn_tree_table(o->ctx, o->here);
    }
    if (!scn_tree_own(o->ctx, o->here)) {
        return NULL;
    }
    const char *ids[256];
    size_t count = 0;
    for (struct scn_tree *item = o->here->first; item != NULL; item = item->next) {
        const struct scn_tree *found = scn_tree_find(item, "id");
        if (found == NULL || found->text == NULL) {
            continue;
        }
        if (strcmp(found->text, id) == 0) {
            return item;
        }
        if (count < sizeof ids / sizeof ids[0]) {
            ids[count++] = found->text;
        }
    }
    const char *near = scn_nearest(id, ids, count);
    scn_mistake(o->ctx, o->place, "no item with the id '%s'%s%s%s", id,
                near == NULL ? "" : ": did you mean '", near == NULL ? "" : near,
                near == NULL ? "" : "'?");
    return NULL;
}

/* Descends by one key, making the mapping and the key if they are not there. */
static struct scn_tree *key_descend(struct override *o, const char *key)
{
    struct scn_tree *here = o->here;
    if (here->kind != SCN_TREE_MAP) {
        if (!scn_tree_is_null(here)) {
            scn_mistake(o->ctx, o->place, "'%s' is looked for in something that has no keys", key);
            return NULL;
        }
        here->kind = SCN_TREE_MAP;
        here->text = NULL;
        here->plain = false;
    }
    if (!scn_tree_own(o->ctx, here)) {
        return NULL;
    }
    struct scn_tree *child = scn_tree_find(here, key);
    if (child == NULL && o->removes) {
        scn_mistake(o->ctx, o->place, "no '%s' to remove in the files under this one", key);
    } else if (child == NULL) {
        child = scn_tree_add(o->ctx, here, key, o->place);
        if (child != NULL) {
            child->plain = true;
        }
    }
    return child;
}

/* Takes one step of the path: false at its end or after a mistake (here is then NULL). */
static bool path_step(struct override *o)
{
    char *rest = o->rest;
    if (rest[0] == '\0') {
        return false;
    }
    if (rest[0] == '[') {
        char *end = strchr(rest, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != '.' && end[1] != '[')) {
            scn_mistake(o->ctx, o->place, "a '[' needs its ']', then '.' or the end of the path");
            o->here = NULL;
            return false;
        }
        *end = '\0';
        o->rest = end[1] == '.' ? end + 2 : end + 1;
        o->above = o->here;
        o->here = item_find(o, rest + 1);
        return o->here != NULL;
    }
    size_t len = strcspn(rest, ".[");
    if (len == 0) {
        scn_mistake(o->ctx, o->place, "the path has an empty part");
        o->here = NULL;
        return false;
    }
    const char *key = scn_ctx_copy(o->ctx, rest, len);
    o->rest = rest[len] == '.' ? rest + len + 1 : rest + len;
    o->above = o->here;
    o->here = key == NULL ? NULL : key_descend(o, key);
    return o->here != NULL;
}

void scn_tree_set(struct scn_ctx *ctx, struct scn_tree *root, const char *text)
{
    size_t room = strlen(text) + 8;
    char *name = scn_ctx_new(ctx, room);
    if (name == NULL) {
        return;
    }
    (void)snprintf(name, room, "--set: %s", text);
    struct scn_place place = {.source = scn_source_add(ctx, name)};
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        scn_mistake(ctx, place, "expected path=value, such as control.routing=widest");
        return;
    }
    char *path = scn_ctx_copy(ctx, text, (size_t)(equals - text));
    if (path == NULL) {
        return;
    }
    struct override o = {.ctx = ctx, .place = place, .rest = path, .here = root};
    while (path_step(&o)) {
    }
    if (o.here == NULL) {
        return;
    }
    size_t before = ctx->mistake_count;
    struct scn_tree *value = scn_tree_parse(ctx, equals + 1, strlen(equals + 1), place);
    if (value == NULL && ctx->mistake_count == before) {
        scn_mistake(ctx, place, "the value is empty");
    }
    if (value != NULL) {
        struct scn_tree *next = o.here->next;
        value->key = o.here->key;
        value->key_place = place;
        value->next = next;
        *o.here = *value;
    }
}

static void child_unlink(struct scn_tree *parent, const struct scn_tree *child)
{
    struct scn_tree *before = NULL;
    struct scn_tree *at = parent->first;
    while (at != child) {
        before = at;
        at = at->next;
    }
    if (before == NULL) {
        parent->first = child->next;
    } else {
        before->next = child->next;
    }
    parent->last = parent->last == child ? before : parent->last;
    parent->count--;
}

void scn_tree_remove(struct scn_ctx *ctx, struct scn_tree *root, const char *text,
                     struct scn_place place)
{
    char *path = scn_ctx_copy(ctx, text, strlen(text));
    if (path == NULL) {
        return;
    }
    struct override o = {.ctx = ctx, .place = place, .rest = path, .here = root, .removes = true};
    while (path_step(&o)) {
    }
    if (o.here != NULL && o.above != NULL) {
        child_unlink(o.above, o.here);
    }
}
