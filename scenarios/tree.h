/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A document as a tree of scalars, mappings and lists, each with its place: from YAML (or JSON),
 * from CSV tables, changed by overrides. Internal to scenarios/. */
#ifndef SCN_TREE_H
#define SCN_TREE_H

#include "scenarios/context.h"

#define SCN_TREE_DEPTH 24 /* deepest nesting that is read */

enum scn_tree_kind { SCN_TREE_SCALAR, SCN_TREE_MAP, SCN_TREE_LIST };

struct scn_tree {
    enum scn_tree_kind kind;
    bool plain;                    /* a scalar without quotes */
    struct scn_place place;        /* of the value */
    struct scn_place key_place;    /* of the key, in a mapping */
    const char *key;               /* in a mapping, else NULL */
    const char *text;              /* of a scalar, zero-terminated, else NULL */
    struct scn_tree *first, *last; /* children */
    struct scn_tree *next;         /* sibling */
    size_t count;                  /* children */
};

/* Parses one YAML document. NULL: mistakes were recorded (or the text is empty: also a mistake).
 * at.line 0: every place is `at` (an override); else places count from line 1 of at.source. */
struct scn_tree *scn_tree_parse(struct scn_ctx *ctx, const char *text, size_t len,
                                struct scn_place at);

/* Turns a CSV table into a list of mappings: the header names the keys (dots descend, "a" and "b"
 * make `ends`, a unit in parentheses is appended to each value), empty cells are left out.
 * `list` is the scalar that names the file and becomes the list. */
void scn_tree_table(struct scn_ctx *ctx, struct scn_tree *list);

/* Whether a scalar names a CSV table: the value of `nodes`, `links` or `applications`. */
bool scn_tree_is_table(const struct scn_tree *scalar);

/* Applies "path=value"; mistakes are recorded. */
void scn_tree_set(struct scn_ctx *ctx, struct scn_tree *root, const char *text);

/* Takes out what a path of the same form names; a mistake at `place` if there is nothing. */
void scn_tree_remove(struct scn_ctx *ctx, struct scn_tree *root, const char *text,
                     struct scn_place place);

/* Whether a text is UTF-8 without control characters; a mistake if not. at.line 0: as for
 * scn_tree_parse. */
bool scn_text_check(struct scn_ctx *ctx, const char *text, size_t len, struct scn_place at);

/* The value of a key, NULL if it is not there (or map is NULL or no mapping). */
struct scn_tree *scn_tree_find(const struct scn_tree *map, const char *key);

/* Whether a scalar says nothing: empty, ~ or null without quotes. */
bool scn_tree_is_null(const struct scn_tree *tree);

/* Gives `tree` children of its own, so that they can be changed: an alias shares them with its
 * anchor. false without memory. */
bool scn_tree_own(struct scn_ctx *ctx, struct scn_tree *tree);

/* A scalar child with this text, appended or in the place of the one with this key. NULL without
 * memory. The children must be the tree's own. */
struct scn_tree *scn_tree_put(struct scn_ctx *ctx, struct scn_tree *map, const char *key,
                              const char *text);

/* The same child under another parent: a copy that shares its children. NULL without memory. */
struct scn_tree *scn_tree_share(struct scn_ctx *ctx, struct scn_tree *parent,
                                const struct scn_tree *child);

/* An empty child, appended; key may be NULL (list). NULL without memory. */
struct scn_tree *scn_tree_add(struct scn_ctx *ctx, struct scn_tree *parent, const char *key,
                              struct scn_place place);

#endif
