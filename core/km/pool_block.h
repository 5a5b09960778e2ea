/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of a pool and what is persisted of it: for pool.c only. */
#ifndef QKD_KM_POOL_BLOCK_H
#define QKD_KM_POOL_BLOCK_H

#include "core/km/pool.h"

enum { KM_BLOCK_KEY = 20 }; /* bytes of a key of km_store.by_id: link, QKD-key ID */

/* Inserts a copy of a chunk whose block exists; 0 or QKD_ERR_LIMIT, QKD_ERR_NOMEM. */
int km_pool_insert(struct km_pool *pool, const struct km_chunk *chunk);

/* Appends put or delete of a chunk's or block's record. */
void km_pool_persist_chunk(const struct km_pool *pool, const struct km_chunk *c, bool del,
                           struct qkd_out *out);
void km_pool_persist_block(const struct km_pool *pool, const struct km_block *b, bool del,
                           struct qkd_out *out);

/* Deletes a block without chunks: record, expanded windows, bits. */
void km_pool_free_block(struct km_pool *pool, uint32_t slot, struct qkd_out *out);

/* Wipes and frees what a block holds. */
void km_block_wipe(struct km_block *b);

#endif
