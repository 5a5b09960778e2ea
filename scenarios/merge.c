/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `extends`, `include` and `remove`: a file over others. What lies under it is its base and then its
 * fragments, each over the one before; what it removes is taken out of these; then its own keys go
 * over them: mappings deeply, lists whose items have ids by these, everything else as a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "scenarios/expand.h"

#define MOST_KEYS 1000 /* of a mapping that is merged: merging looks each of them up */
#define DEEPEST 8      /* files under files */
#define MOST_FILES 100 /* of one scenario */

/* A file that is being read: those above it lead here. */
struct file {
    const struct file *above;
    struct stat identity;
    bool known; /* it is a file, so that identity is set */
};

struct merge {
    struct scn_ctx *ctx;
    uint32_t files; /* read so far */
};

static struct scn_tree *value_over(struct scn_ctx *ctx, struct scn_tree *upper,
                                   struct scn_tree *base);

/* ---- values ---- */

/* A tree like this one, under the same key, without children. */
static struct scn_tree *shell(struct scn_ctx *ctx, const struct scn_tree *like)
{
    struct scn_tree *tree = scn_ctx_new(ctx, sizeof *tree);
    if (tree != NULL) {
        *tree = *like;
        tree->first = NULL;
        tree->last = NULL;
        tree->next = NULL;
        tree->count = 0;
    }
    return tree;
}

static struct scn_tree *map_over(struct scn_ctx *ctx, const struct scn_tree *upper,
                                 const struct scn_tree *base)
{
    if (upper->count > MOST_KEYS || base->count > MOST_KEYS) {
        scn_mistake(ctx, upper->place, "more than %d keys in one mapping", MOST_KEYS);
        return NULL;
    }
    struct scn_tree *merged = shell(ctx, upper);
    for (struct scn_tree *under = base->first; under != NULL && merged != NULL;
         under = under->next) {
        struct scn_tree *over = scn_tree_find(upper, under->key);
        bool first = scn_tree_find(base, under->key) ==
                     under; /* else it is given twice: a mistake */
        struct scn_tree *value = over == NULL || !first ? under : value_over(ctx, over, under);
        merged = value == NULL || scn_tree_share(ctx, merged, value) == NULL ? NULL : merged;
    }
    for (struct scn_tree *over = upper->first; over != NULL && merged != NULL; over = over->next) {
        bool done = scn_tree_find(upper, over->key) == over &&
                    scn_tree_find(base, over->key) != NULL;
        merged = done || scn_tree_share(ctx, merged, over) != NULL ? merged : NULL;
    }
    return merged;
}

/* An item of the lower list. */
struct entry {
    const char *id; /* NULL: it has none */
    size_t order;
    struct scn_tree *item;
    struct scn_tree *over; /* the item above with this id; NULL: none yet */
};

static const char *item_id(const struct scn_tree *item)
{
    const struct scn_tree *id = scn_tree_find(item, "id");
    return id == NULL || id->kind != SCN_TREE_SCALAR ? NULL : id->text;
}

static bool has_ids(const struct scn_tree *list)
{
    for (const struct scn_tree *item = list->first; item != NULL; item = item->next) {
        if (item_id(item) != NULL) {
            return true;
        }
    }
    return false;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->id == NULL || y->id == NULL) {
        return x->id != NULL ? -1 : (y->id != NULL ? 1 : 0);
    }
    int order = strcmp(x->id, y->id);
    return order != 0 ? order : (x->order < y->order ? -1 : (x->order > y->order ? 1 : 0));
}

/* The first entry with this id, NULL if there is none. */
static struct entry *entry_find(struct entry *sorted, size_t count, const char *id)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *here = sorted[middle].id;
        if (here != NULL && strcmp(here, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && sorted[low].id != NULL && strcmp(sorted[low].id, id) == 0 ? &sorted[low]
                                                                                    : NULL;
}

/* Items of the lower list, changed where the upper list has their id, then its other items. */
static struct scn_tree *list_over(struct scn_ctx *ctx, struct scn_tree *upper,
                                  const struct scn_tree *base)
{
    struct entry *sorted = scn_ctx_new(ctx, (base->count + 1) * sizeof *sorted);
    struct scn_tree **over = scn_ctx_new(ctx, (base->count + 1) * sizeof *over);
    struct scn_tree *merged = shell(ctx, upper);
    struct scn_tree *rest = shell(ctx, upper);
    if (sorted == NULL || over == NULL || merged == NULL || rest == NULL) {
        return NULL;
    }
    size_t count = 0;
    for (struct scn_tree *item = base->first; item != NULL; item = item->next, count++) {
        sorted[count] = (struct entry){item_id(item), count, item, NULL};
    }
    if (count > 0) {
        qsort(sorted, count, sizeof *sorted, entry_compare);
    }
    for (struct scn_tree *item = upper->first; item != NULL; item = item->next) {
        const char *id = item_id(item);
        struct entry *entry = id == NULL ? NULL : entry_find(sorted, count, id);
        if (entry != NULL && over[entry->order] == NULL) {
            over[entry->order] = item;
        } else if (scn_tree_share(ctx, rest, item) == NULL) {
            return NULL;
        }
    }
    size_t order = 0;
    for (struct scn_tree *item = base->first; item != NULL; item = item->next, order++) {
        struct scn_tree *value = over[order] == NULL ? item : value_over(ctx, over[order], item);
        if (value == NULL || scn_tree_share(ctx, merged, value) == NULL) {
            return NULL;
        }
    }
    for (struct scn_tree *item = rest->first; item != NULL; item = item->next) {
        if (scn_tree_share(ctx, merged, item) == NULL) {
            return NULL;
        }
    }
    return merged;
}

/* One value over another; NULL: a mistake was recorded, or there is no memory. Recursion: as deep
 * as the trees, which SCN_TREE_DEPTH limits. */
static struct scn_tree *value_over(struct scn_ctx *ctx, struct scn_tree *upper,
                                   struct scn_tree *base)
{
    if (scn_tree_is_null(upper) && base->kind != SCN_TREE_SCALAR) {
        return base; /* a heading with nothing under it says nothing */
    }
    if (upper->kind == SCN_TREE_MAP && base->kind == SCN_TREE_MAP) {
        return map_over(ctx, upper, base);
    }
    if (upper->kind == SCN_TREE_LIST && base->kind == SCN_TREE_SCALAR && scn_tree_is_table(base)) {
        scn_tree_table(ctx, base);
    } else if (base->kind == SCN_TREE_LIST && upper->kind == SCN_TREE_SCALAR &&
               scn_tree_is_table(upper)) {
        scn_tree_table(ctx, upper);
    }
    bool lists = upper->kind == SCN_TREE_LIST && base->kind == SCN_TREE_LIST;
    return lists && (has_ids(upper) || has_ids(base)) ? list_over(ctx, upper, base) : upper;
}

/* ---- files ---- */

static struct scn_tree *tree_merge(struct merge *m, struct scn_tree *root, const struct file *file);

/* Whether the file just opened is one of those that led to it. */
static bool in_circle(const struct file *file)
{
    for (const struct file *above = file->above; above != NULL; above = above->above) {
        if (file->known && above->known && above->identity.st_dev == file->identity.st_dev &&
            above->identity.st_ino == file->identity.st_ino) {
            return true;
        }
    }
    return false;
}

static size_t depth_of(const struct file *file)
{
    size_t depth = 0;
    for (; file->above != NULL; file = file->above) {
        depth++;
    }
    return depth;
}

/* The tree of a file that another one names, with all that lies under it. NULL after a mistake. */
static struct scn_tree *file_merge(struct merge *m, const struct scn_tree *name,
                                   const struct file *above)
{
    struct scn_ctx *ctx = m->ctx;
    if (name->kind != SCN_TREE_SCALAR || name->text[0] == '\0') {
        scn_mistake(ctx, name->place, "expected the name of a scenario file");
        return NULL;
    }
    struct file file = {.above = above};
    struct scn_place at = name->place;
    size_t len = 0;
    char *text = scn_data_read(ctx, name->text, &at, &len);
    if (text == NULL) {
        return NULL;
    }
    scn_source_enter(ctx, at.source);
    file.known = stat(ctx->sources[at.source], &file.identity) == 0;
    if (in_circle(&file)) {
        scn_mistake(ctx, name->place, "'%.64s' is named in a circle: it leads back to itself",
                    name->text);
        return NULL;
    }
    if (depth_of(&file) > DEEPEST || ++m->files > MOST_FILES) {
        scn_mistake(ctx, name->place, "too many files: expected at most %d, %d deep", MOST_FILES,
                    DEEPEST);
        return NULL;
    }
    struct scn_tree *root = scn_tree_parse(ctx, text, len, at);
    if (root != NULL && root->kind != SCN_TREE_MAP) {
        scn_mistake(ctx, root->place, "expected a mapping of keys to values, such as 'seed: 1'");
        return NULL;
    }
    return root == NULL ? NULL : tree_merge(m, root, &file);
}

/* One more file over what lies there already. False after a mistake. */
static bool layer_add(struct merge *m, const struct scn_tree *name, const struct file *file,
                      struct scn_tree **base)
{
    struct scn_tree *layer = file_merge(m, name, file);
    if (layer != NULL && *base != NULL) {
        layer = map_over(m->ctx, layer, *base);
    }
    *base = layer == NULL ? *base : layer;
    return layer != NULL;
}

/* The files that `include` names: one, or a list of them. */
static bool includes_add(struct merge *m, const struct scn_tree *include, const struct file *file,
                         struct scn_tree **base)
{
    if (include->kind == SCN_TREE_SCALAR) {
        return layer_add(m, include, file, base);
    }
    if (include->kind != SCN_TREE_LIST) {
        scn_mistake(m->ctx, include->place, "include: expected a list of scenario files");
        return false;
    }
    bool good = true;
    for (const struct scn_tree *name = include->first; name != NULL; name = name->next) {
        good = layer_add(m, name, file, base) && good;
    }
    return good;
}

static void removes_do(struct scn_ctx *ctx, const struct scn_tree *remove, struct scn_tree *base)
{
    if (remove->kind != SCN_TREE_LIST) {
        scn_mistake(ctx, remove->place,
                    "remove: expected a list of paths, such as "
                    "[network.links[AB], faults]");
        return;
    }
    for (const struct scn_tree *path = remove->first; path != NULL; path = path->next) {
        if (path->kind != SCN_TREE_SCALAR || path->text[0] == '\0') {
            scn_mistake(ctx, path->place, "remove: expected a path such as network.links[AB]");
        } else if (base == NULL) {
            scn_mistake(ctx, path->place, "nothing to remove: no file lies under this one");
        } else {
            scn_tree_remove(ctx, base, path->text, path->place);
        }
    }
}

/* The keys of a file that are used up by now are left out. */
static struct scn_tree *own_keys(struct scn_ctx *ctx, const struct scn_tree *root)
{
    struct scn_tree *own = shell(ctx, root);
    for (const struct scn_tree *key = root->first; key != NULL && own != NULL; key = key->next) {
        bool used = strcmp(key->key, "include") == 0 || strcmp(key->key, "extends") == 0 ||
                    strcmp(key->key, "remove") == 0;
        if (used && scn_tree_find(root, key->key) != key) {
            scn_mistake(ctx, key->key_place, "the key '%s' is given twice: first on line %u",
                        key->key, scn_tree_find(root, key->key)->key_place.line);
        }
        own = used || scn_tree_share(ctx, own, key) != NULL ? own : NULL;
    }
    return own;
}

static struct scn_tree *tree_merge(struct merge *m, struct scn_tree *root, const struct file *file)
{
    struct scn_tree *network = scn_tree_find(root, "network");
    if (network != NULL && network->kind == SCN_TREE_MAP && scn_tree_own(m->ctx, network)) {
        scn_classical_expand(m->ctx, network); /* items are merged and overridden by their ids */
    }
    struct scn_tree *extends = scn_tree_find(root, "extends");
    struct scn_tree *include = scn_tree_find(root, "include");
    struct scn_tree *remove = scn_tree_find(root, "remove");
    if (extends == NULL && include == NULL && remove == NULL) {
        return root;
    }
    struct scn_tree *base = NULL;
    bool good = true;
    if (extends != NULL && !scn_tree_is_null(extends)) {
        good = layer_add(m, extends, file, &base);
    }
    if (include != NULL && !scn_tree_is_null(include)) {
        good = includes_add(m, include, file, &base) && good;
    }
    if (!good) {
        return NULL;
    }
    if (remove != NULL && !scn_tree_is_null(remove)) {
        removes_do(m->ctx, remove, base);
    }
    struct scn_tree *own = own_keys(m->ctx, root);
    return own == NULL || base == NULL ? own : map_over(m->ctx, own, base);
}

struct scn_tree *scn_merge(struct scn_ctx *ctx, struct scn_tree *root)
{
    struct merge m = {.ctx = ctx};
    struct file file = {0};
    file.known = ctx->source_count > 0 && stat(ctx->sources[0], &file.identity) == 0;
    return tree_merge(&m, root, &file);
}

/* ---- for the table ---- */

#define FILE_SCHEMA "{\"type\": \"string\", \"minLength\": 1}"

const struct scn_special scn_special_extends = {.schema = "\"type\": \"string\""};
const struct scn_special scn_special_include = {
    .schema = "\"anyOf\": [" FILE_SCHEMA ", {\"type\": \"array\", \"items\": " FILE_SCHEMA "}]"};
const struct scn_special scn_special_remove = {
    .schema = "\"type\": \"array\", \"items\": " FILE_SCHEMA};

/* ---- the network of another file ---- */

/* "X" of the tables X-nodes.csv and X-links.csv: what a file would say that names them. NULL if there
 * are no such tables. */
static char *tables_text(struct scn_ctx *ctx, const char *path, size_t *len)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t size = strlen(path) + 2 * strlen(name) + 80;
    struct stat st;
    char *text = scn_ctx_new(ctx, size);
    if (text == NULL) {
        return NULL;
    }
    (void)snprintf(text, size, "%s-nodes.csv", path);
    if (stat(text, &st) != 0) {
        return NULL;
    }
    *len = (size_t)snprintf(text, size, "network: {nodes: '%s-nodes.csv', links: '%s-links.csv'}",
                            name, name);
    return text;
}

void scn_merge_network(struct scn_ctx *ctx, struct scn_tree *root, const char *path)
{
    const char *folder = ctx->folder;
    ctx->folder = scn_folder_of(ctx, path);
    struct scn_place at = {.source = scn_source_add(ctx, path)};
    ctx->folder = folder;
    size_t len = 0;
    char *text = ctx->no_memory ? NULL : tables_text(ctx, path, &len);
    if (text == NULL && !ctx->no_memory) {
        text = scn_file_read(ctx, path, at, &len);
    }
    if (text == NULL) {
        return;
    }
    struct merge m = {.ctx = ctx};
    struct file file = {0};
    file.known = stat(path, &file.identity) == 0;
    at.line = 1;
    at.column = 1;
    struct scn_tree *other = scn_tree_parse(ctx, text, len, at);
    other = other == NULL || other->kind != SCN_TREE_MAP ? other : tree_merge(&m, other, &file);
    struct scn_tree *network = scn_tree_find(other, "network");
    if (network == NULL) {
        if (other != NULL) {
            scn_mistake(ctx, at, "no 'network' in the file that is to give it");
        }
        return;
    }
    if (scn_tree_own(ctx, root)) {
        struct scn_tree *here = scn_tree_find(root, "network");
        struct scn_tree *next = here == NULL ? NULL : here->next;
        if (here == NULL) {
            (void)scn_tree_share(ctx, root, network);
        } else {
            *here = *network;
            here->next = next;
        }
    }
}
