/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chain of blocks; each allocation is cut from the newest, large ones get a block of their own. */
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "scenarios/mem.h"

#define BLOCK_BYTES ((size_t)65536)

struct scn_arena_block {
    struct scn_arena_block *older;
    size_t used, room; /* bytes after the header */
};

#define ALIGN alignof(max_align_t)
#define HEADER ((sizeof(struct scn_arena_block) + ALIGN - 1) / ALIGN * ALIGN)

static struct scn_arena_block *block_new(size_t room)
{
    struct scn_arena_block *block = scn_mem_new(1, HEADER + room);
    if (block != NULL) {
        block->room = room;
    }
    return block;
}

void *scn_arena_new(struct scn_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct scn_arena_block *block = arena->head;
    if (block == NULL || block->room - block->used < bytes) {
        struct scn_arena_block *fresh = block_new(bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES);
        if (fresh == NULL) {
            return NULL;
        }
        if (block != NULL && fresh->room == bytes && bytes > BLOCK_BYTES / 4) {
            fresh->older = block->older; /* keep cutting small pieces from the current block */
            block->older = fresh;
        } else {
            fresh->older = block;
            arena->head = fresh;
        }
        block = fresh;
    }
    void *at = (char *)block + HEADER + block->used;
    block->used += bytes;
    return at;
}

char *scn_arena_copy(struct scn_arena *arena, const char *text, size_t len)
{
    char *copy = scn_arena_new(arena, len + 1);
    if (copy != NULL && len > 0) {
        memcpy(copy, text, len);
    }
    return copy;
}

void scn_arena_fini(struct scn_arena *arena)
{
    while (arena->head != NULL) {
        struct scn_arena_block *older = arena->head->older;
        scn_mem_free(arena->head);
        arena->head = older;
    }
}
