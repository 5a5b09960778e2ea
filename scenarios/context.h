/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the loader share during one load: memory, sources, errors, the scenario under
 * construction, and the places where its items were written. Internal to scenarios/. */
#ifndef SCN_CONTEXT_H
#define SCN_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/mem.h"
#include "scenarios/scenario.h"

/* Where something is written. line 0: the source as a whole (a missing file, an override). */
struct scn_place {
    uint32_t source; /* index into scn_ctx.sources */
    uint32_t line, column;
};

struct scn_mistake {
    struct scn_place place;
    size_t order; /* in which it was found */
    char *text;
};

struct scn_tree;

/* Lists whose items have identifiers or are checked after decoding. */
enum scn_kind {
    SCN_KIND_NONE,
    SCN_KIND_NODE,
    SCN_KIND_LINK,
    SCN_KIND_APPLICATION,
    SCN_KIND_FAULT,
    SCN_KIND_SWITCH,
    SCN_KIND_CLASSICAL, /* links of the classical network */
    SCN_KIND_ACCESS,
    SCN_KIND_DEMAND,
    SCN_KIND_RISK,  /* risk groups */
    SCN_KIND_CLASS, /* classes of applications */
    SCN_KIND_PEER,  /* daemons of the live world, in their configuration */
    SCN_KIND_ATTACK,
    SCN_KIND_OPTICAL_SWITCH,
    SCN_KIND_RELAY_POINT,
    SCN_KIND_COUNT
};

struct scn_items {
    const struct scn_tree **trees; /* where each item was written, in list order */
    size_t count;
    const char *ids;    /* id of the first item; NULL for items without ids */
    size_t stride;      /* bytes from one id to the next */
    uint32_t *by_id;    /* item numbers in order of their ids */
    size_t by_id_count; /* items that have an id */
};

struct scn_ctx {
    struct scn_arena arena;
    const char **sources; /* names of files, or "--set: path=value" */
    const char **folders; /* of the data files that each source names; as `folder` */
    uint32_t source_count;
    uint32_t source_cap;
    struct scn_mistake *mistakes;
    size_t mistake_count, mistake_cap;
    size_t omitted;      /* mistakes beyond the limit */
    bool no_memory;      /* some allocation failed: the load fails */
    bool incomplete;     /* nodes or links could not be made: unknown ids are no mistakes */
    bool io_failed;      /* the scenario file itself could not be read */
    const char *folder;  /* of data files, "" for the current one; NULL: none may be named */
    const char *network; /* the file whose network is taken instead of the own one, or NULL */
    struct scn_scenario *scenario;
    const struct scn_tree *root; /* of the scenario file, after overrides */
    struct scn_items items[SCN_KIND_COUNT];
    struct scn_place *expect_places; /* of the expectations */
};

/* Records a mistake: what is wrong and what was expected, as printf. The same text at the same
 * place (of what stands in the file once and is used often) is recorded once. */
void scn_mistake(struct scn_ctx *ctx, struct scn_place place, const char *format, ...);

/* Registers a source by name, in ctx->folder; its index. */
uint32_t scn_source_add(struct scn_ctx *ctx, const char *name);

/* A source that is a scenario file: what it names is beside it. */
void scn_source_enter(struct scn_ctx *ctx, uint32_t source);

/* The folder part of a path, in the arena: "" for none. */
const char *scn_folder_of(struct scn_ctx *ctx, const char *path);

/* Arena memory; on failure notes no_memory and returns NULL. */
void *scn_ctx_new(struct scn_ctx *ctx, size_t bytes);
char *scn_ctx_copy(struct scn_ctx *ctx, const char *text, size_t len);

/* Reads a whole file (at most SCN_MAX_BYTES) into zero-terminated arena memory. NULL: a mistake was
 * recorded at `at`. */
char *scn_file_read(struct scn_ctx *ctx, const char *path, struct scn_place at, size_t *len);

/* Reads a file named at *at, relative to the folder of that source, and registers it as a source (in
 * the same folder), whose first place is *at from then on. */
char *scn_data_read(struct scn_ctx *ctx, const char *name, struct scn_place *at, size_t *len);

/* Reads the file that a load is about and registers it as the first source, in its own folder. NULL:
 * a mistake was recorded. */
char *scn_ctx_open(struct scn_ctx *ctx, const char *path, size_t *len);

/* Ends a load: moves what was wrong and what was read into *errors (empty before), frees all of ctx but
 * what was made from it. 0, QKD_ERR_INVALID, QKD_ERR_IO or QKD_ERR_NOMEM. */
int scn_ctx_finish(struct scn_ctx *ctx, struct scn_errors *errors);

/* The word of `words` nearest to `text` by edit distance, NULL if none is near. */
const char *scn_nearest(const char *text, const char *const *words, size_t count);

#endif
