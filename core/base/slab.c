/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chunk is its items followed by one 32-bit link per item: LINK_LIVE while the item is in use,
 * else the next freed slot. Links outside the items let give() wipe an item whole. */
#include "core/base/slab.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define LINK_LIVE (UINT32_MAX - 1)

void qkd_slab_init(struct qkd_slab *slab, size_t item_size, uint32_t chunk_items, uint32_t limit)
{
    QKD_ASSERT(item_size > 0 && item_size <= UINT32_MAX && limit < LINK_LIVE);
    QKD_ASSERT(chunk_items > 0 && (chunk_items & (chunk_items - 1)) == 0);
    *slab = (struct qkd_slab){
        .item_size = (item_size + 7U) & ~(size_t)7U,
        .chunk_items = chunk_items,
        .limit = limit,
        .free_head = QKD_SLAB_NONE,
    };
    while ((UINT32_C(1) << slab->chunk_shift) < chunk_items) {
        slab->chunk_shift++;
    }
}

void qkd_slab_fini(struct qkd_slab *slab)
{
    for (uint32_t i = 0; i < slab->chunk_count; i++) {
        sodium_memzero(slab->chunks[i], slab->item_size * slab->chunk_items);
        free(slab->chunks[i]);
    }
    free(slab->chunks);
    slab->chunks = NULL;
    slab->first = NULL;
    slab->chunk_count = 0;
    slab->live = 0;
    slab->top = 0;
    slab->free_head = QKD_SLAB_NONE;
}

static uint32_t *link_at(const struct qkd_slab *slab, uint32_t slot)
{
    uint32_t chunk = slot >> slab->chunk_shift;
    uint8_t *links = (chunk == 0 ? slab->first : slab->chunks[chunk]) +
                     slab->item_size * slab->chunk_items;
    return (uint32_t *)(void *)links + (slot & (slab->chunk_items - 1));
}

/* Adds a zeroed chunk; false if memory ends. */
static bool add_chunk(struct qkd_slab *slab)
{
    if ((slab->chunk_count & (slab->chunk_count - 1)) == 0) {
        size_t cap = slab->chunk_count > 0 ? (size_t)slab->chunk_count * 2 : 1;
        uint8_t **chunks = realloc(slab->chunks, cap * sizeof *chunks);
        if (chunks == NULL) {
            return false;
        }
        slab->chunks = chunks;
    }
    uint8_t *chunk = calloc(slab->chunk_items, slab->item_size + sizeof(uint32_t));
    if (chunk == NULL) {
        return false;
    }
    slab->chunks[slab->chunk_count++] = chunk;
    slab->first = slab->chunks[0];
    return true;
}

uint32_t qkd_slab_take(struct qkd_slab *slab)
{
    uint32_t slot = slab->free_head;
    if (slot != QKD_SLAB_NONE) {
        slab->free_head = *link_at(slab, slot);
    } else {
        slot = slab->top;
        if (slot >= slab->limit ||
            (slot >> slab->chunk_shift == slab->chunk_count && !add_chunk(slab))) {
            return QKD_SLAB_NONE;
        }
        slab->top++;
    }
    *link_at(slab, slot) = LINK_LIVE;
    slab->live++;
    return slot;
}

void qkd_slab_give(struct qkd_slab *slab, uint32_t slot)
{
    QKD_ASSERT(qkd_slab_live(slab, slot));
    sodium_memzero(qkd_slab_at(slab, slot), slab->item_size);
    *link_at(slab, slot) = slab->free_head;
    slab->free_head = slot;
    slab->live--;
}

bool qkd_slab_live(const struct qkd_slab *slab, uint32_t slot)
{
    return slot < slab->top && *link_at(slab, slot) == LINK_LIVE;
}
