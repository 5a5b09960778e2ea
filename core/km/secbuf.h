/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Byte buffers for key material and frames in four size classes, from slabs: no allocation once
 * warm, wiped when given back. Not a queue and not a string: owners keep handle and length. */
#ifndef QKD_KM_SECBUF_H
#define QKD_KM_SECBUF_H

#include "core/base/slab.h"

#define KM_SECBUF_CLASSES 4
#define KM_SECBUF_NONE UINT32_MAX
#define KM_SECBUF_MAX 2560 /* bytes of the largest buffer */

struct km_secbuf {
    struct qkd_slab slab[KM_SECBUF_CLASSES];
};

void km_secbuf_init(struct km_secbuf *pool, uint32_t limit);
void km_secbuf_fini(struct km_secbuf *pool);

/* A buffer of at least `len` bytes; KM_SECBUF_NONE when len > KM_SECBUF_MAX or at the limit. */
uint32_t km_secbuf_take(struct km_secbuf *pool, size_t len);

/* Wipes, frees, and sets *handle to KM_SECBUF_NONE; does nothing if it is NONE. */
void km_secbuf_give(struct km_secbuf *pool, uint32_t *handle);

uint8_t *km_secbuf_at(const struct km_secbuf *pool, uint32_t handle);

#endif
