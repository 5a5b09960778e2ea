/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What changes the tree of a network before it is decoded, so that what is decoded, printed and run
 * are nodes and links like any other. Internal to scenarios/. */
#ifndef SCN_EXPAND_H
#define SCN_EXPAND_H

#include "scenarios/field.h"

/* The list under this key, its own and without CSV file, made if it is not there. NULL: it is no
 * list (decoding will say so), or there is no memory. */
struct scn_tree *scn_expand_list(struct scn_ctx *ctx, struct scn_tree *map, const char *key);

/* A text in the arena, as printf; at most 127 bytes. "" without memory. */
const char *scn_expand_text(struct scn_ctx *ctx, const char *format, ...);

/* A length or a time as the file would say it. */
const char *scn_expand_quantity(struct scn_ctx *ctx, enum scn_dimension dimension, int64_t value);

/* `network.generate`: nodes and links behind those that are written. */
void scn_generate_expand(struct scn_ctx *ctx, struct scn_tree *network);

/* The keys network.scale and network.max_span. */
struct scn_spans {
    double scale;       /* of lengths and losses */
    int64_t max_span_m; /* 0: any length */
};

/* Carries them out. */
void scn_spans_expand(struct scn_ctx *ctx, struct scn_tree *network);

/* `network.classical.links`: ids for those that have none; lengths by `network.scale`. */
void scn_classical_expand(struct scn_ctx *ctx, struct scn_tree *network);

/* The key demands. */
struct scn_demand;
struct scn_demands {
    struct scn_demand *items;
    size_t count;
};

extern const struct scn_table scn_table_generate;

#endif
