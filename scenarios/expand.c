/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order in which a network's tree is changed before it is decoded, and tools for it. */
#include "scenarios/expand.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *scn_expand_text(struct scn_ctx *ctx, const char *format, ...)
{
    char text[SCN_NAME_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *copy = scn_ctx_copy(ctx, text, strlen(text));
    return copy == NULL ? "" : copy;
}

const char *scn_expand_quantity(struct scn_ctx *ctx, enum scn_dimension dimension, int64_t value)
{
    char text[SCN_QUANTITY_SIZE];
    scn_integer_print(dimension, value, text);
    return scn_expand_text(ctx, "%s", text);
}

struct scn_tree *scn_expand_list(struct scn_ctx *ctx, struct scn_tree *map, const char *key)
{
    struct scn_tree *list = scn_tree_find(map, key);
    if (list == NULL) {
        list = scn_tree_add(ctx, map, key, map->place);
        if (list == NULL) {
            return NULL;
        }
        list->plain = true;
    }
    if (scn_tree_is_table(list)) {
        scn_tree_table(ctx, list);
    } else if (scn_tree_is_null(list)) {
        list->kind = SCN_TREE_LIST;
        list->text = NULL;
    }
    return list->kind == SCN_TREE_LIST && scn_tree_own(ctx, list) ? list : NULL;
}

void scn_expand(struct scn_ctx *ctx, struct scn_tree *root)
{
    if (!scn_tree_own(ctx, root)) {
        return;
    }
    struct scn_tree *network = scn_tree_find(root, "network");
    if (network == NULL || network->kind != SCN_TREE_MAP || !scn_tree_own(ctx, network)) {
        return;
    }
    scn_generate_expand(ctx, network);
    scn_spans_expand(ctx, network);
    scn_classical_expand(ctx, network);
}
