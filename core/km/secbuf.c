/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Size-classed wiped buffers; see secbuf.h. */
#include "core/km/secbuf.h"

#define CLASS_SHIFT 28
#define SLOT_MASK ((1U << CLASS_SHIFT) - 1)

static const size_t class_bytes[KM_SECBUF_CLASSES] = {64, 256, 768, KM_SECBUF_MAX};
static const uint32_t class_items[KM_SECBUF_CLASSES] = {16, 8, 4, 2};

void km_secbuf_init(struct km_secbuf *pool, uint32_t limit)
{
    for (uint32_t i = 0; i < KM_SECBUF_CLASSES; i++) {
        qkd_slab_init(&pool->slab[i], class_bytes[i], class_items[i],
                      limit < SLOT_MASK ? limit : SLOT_MASK);
    }
}

void km_secbuf_fini(struct km_secbuf *pool)
{
    for (uint32_t i = 0; i < KM_SECBUF_CLASSES; i++) {
        qkd_slab_fini(&pool->slab[i]);
    }
}

uint32_t km_secbuf_take(struct km_secbuf *pool, size_t len)
{
    for (uint32_t i = 0; i < KM_SECBUF_CLASSES; i++) {
        if (len <= class_bytes[i]) {
            uint32_t slot = qkd_slab_take(&pool->slab[i]);
            return slot == QKD_SLAB_NONE ? KM_SECBUF_NONE : (i << CLASS_SHIFT) | slot;
        }
    }
    return KM_SECBUF_NONE;
}

void km_secbuf_give(struct km_secbuf *pool, uint32_t *handle)
{
    if (*handle != KM_SECBUF_NONE) {
        qkd_slab_give(&pool->slab[*handle >> CLASS_SHIFT], *handle & SLOT_MASK);
        *handle = KM_SECBUF_NONE;
    }
}

uint8_t *km_secbuf_at(const struct km_secbuf *pool, uint32_t handle)
{
    return qkd_slab_at(&pool->slab[handle >> CLASS_SHIFT], handle & SLOT_MASK);
}
