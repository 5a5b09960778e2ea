/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slab: items of one size named by a stable 32-bit slot; grows by chunks up to a limit (pointers
 * stay valid), reuses freed slots, wipes items when freed. */
#ifndef QKD_BASE_SLAB_H
#define QKD_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define QKD_SLAB_NONE UINT32_MAX

struct qkd_slab {
    uint8_t *first;       /* chunk 0, found without another load */
    uint8_t **chunks;     /* all chunks, the first one included */
    size_t item_size;     /* bytes, rounded up to 8 */
    uint32_t chunk_items; /* items per chunk, a power of two */
    uint32_t chunk_shift; /* its logarithm */
    uint32_t chunk_count;
    uint32_t limit;     /* most items */
    uint32_t live;      /* items in use */
    uint32_t top;       /* slots ever used */
    uint32_t free_head; /* first freed slot or QKD_SLAB_NONE */
};

void qkd_slab_init(struct qkd_slab *slab, size_t item_size, uint32_t chunk_items, uint32_t limit);

/* Wipes all items and frees the memory; the slab is empty then and may be used again. */
void qkd_slab_fini(struct qkd_slab *slab);

/* A zeroed item; QKD_SLAB_NONE when the limit or memory is reached. */
uint32_t qkd_slab_take(struct qkd_slab *slab);

/* Wipes and frees. */
void qkd_slab_give(struct qkd_slab *slab, uint32_t slot);

/* The item in a slot that is in use. */
static inline void *qkd_slab_at(const struct qkd_slab *slab, uint32_t slot)
{
    QKD_ASSERT(slot < slab->top);
    uint32_t chunk = slot >> slab->chunk_shift;
    return (chunk == 0 ? slab->first : slab->chunks[chunk]) +
           slab->item_size * (slot & (slab->chunk_items - 1));
}

/* Whether a slot is in use: for loops over 0 .. top-1. */
bool qkd_slab_live(const struct qkd_slab *slab, uint32_t slot);

#endif
