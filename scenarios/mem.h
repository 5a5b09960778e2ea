/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loader's only way to memory, so that a test can put a failing one in its place (by defining
 * these three functions itself: the linker then leaves mem.c out). */
#ifndef SCN_MEM_H
#define SCN_MEM_H

#include <stddef.h>

/* Zeroed memory for count items; NULL if there is none. count 0 gives one item. */
void *scn_mem_new(size_t count, size_t item_bytes);

/* Grows or shrinks to count > 0 items; new ones are not zeroed; NULL leaves the old memory as it
 * was. */
void *scn_mem_resize(void *old, size_t count, size_t item_bytes);

/* Gives memory back; NULL is nothing. */
void scn_mem_free(void *old);

/* Memory that is given back all at once: for the trees and texts of one load. */
struct scn_arena {
    struct scn_arena_block *head; /* newest block, NULL at the start */
};

/* Zeroed, aligned for any type; NULL without memory. */
void *scn_arena_new(struct scn_arena *arena, size_t bytes);

/* A zero-terminated copy; NULL without memory. */
char *scn_arena_copy(struct scn_arena *arena, const char *text, size_t len);

void scn_arena_fini(struct scn_arena *arena);

#endif
