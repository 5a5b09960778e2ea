/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory for the keys of one KMA-key: buffers in classes of powers of two, each class a slab, so
 * that nothing is allocated in the steady state and every byte is wiped when given back. Internal to
 * the KSA. */
#ifndef QKD_KM_KSA_POOL_H
#define QKD_KM_KSA_POOL_H

#include "core/base/slab.h"

#define KSA_POOL_CLASSES 11 /* 64 bytes ... 64 KiB */
#define KSA_POOL_NONE ((struct ksa_buf){QKD_SLAB_NONE, 0})

struct ksa_pool {
    struct qkd_slab slab[KSA_POOL_CLASSES];
};

/* A buffer; open so that it can lie in an item of the store. */
struct ksa_buf {
    uint32_t slot;       /* QKD_SLAB_NONE: no buffer */
    uint32_t class_size; /* index of its class */
};

/* `limit` buffers per class at most. */
void ksa_pool_init(struct ksa_pool *pool, uint32_t limit);
void ksa_pool_fini(struct ksa_pool *pool);

/* A zeroed buffer of at least len bytes; slot QKD_SLAB_NONE if memory or the largest class ends. */
struct ksa_buf ksa_pool_take(struct ksa_pool *pool, size_t len);

/* Wipes a buffer and gives it back; does nothing for KSA_POOL_NONE. */
void ksa_pool_give(struct ksa_pool *pool, struct ksa_buf *buf);

uint8_t *ksa_pool_at(const struct ksa_pool *pool, struct ksa_buf buf);

#endif
