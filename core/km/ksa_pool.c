/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Buffers in classes of powers of two: see km/ksa_pool.h. */
#include "core/km/ksa_pool.h"

enum { SMALLEST_SHIFT = 6, CHUNK_SHIFT = 12 }; /* 64 bytes; a chunk is 4 KiB or one item */

void ksa_pool_init(struct ksa_pool *pool, uint32_t limit)
{
    for (uint32_t i = 0; i < KSA_POOL_CLASSES; i++) {
        uint32_t shift = SMALLEST_SHIFT + i;
        uint32_t items = shift < CHUNK_SHIFT ? UINT32_C(1) << (CHUNK_SHIFT - shift) : 1;
        qkd_slab_init(&pool->slab[i], (size_t)1 << shift, items, limit);
    }
}

void ksa_pool_fini(struct ksa_pool *pool)
{
    for (uint32_t i = 0; i < KSA_POOL_CLASSES; i++) {
        qkd_slab_fini(&pool->slab[i]);
    }
}

struct ksa_buf ksa_pool_take(struct ksa_pool *pool, size_t len)
{
    for (uint32_t i = 0; i < KSA_POOL_CLASSES; i++) {
        if (len <= (size_t)1 << (SMALLEST_SHIFT + i)) {
            return (struct ksa_buf){qkd_slab_take(&pool->slab[i]), i};
        }
    }
    return KSA_POOL_NONE;
}

void ksa_pool_give(struct ksa_pool *pool, struct ksa_buf *buf)
{
    if (buf->slot != QKD_SLAB_NONE) {
        qkd_slab_give(&pool->slab[buf->class_size], buf->slot);
        *buf = KSA_POOL_NONE;
    }
}

uint8_t *ksa_pool_at(const struct ksa_pool *pool, struct ksa_buf buf)
{
    return qkd_slab_at(&pool->slab[buf.class_size], buf.slot);
}
