/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of a pool: key files taken in, confirmation into chunks, persistence and recovery. */
#include "core/km/pool_block.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"

void km_pool_persist_chunk(const struct km_pool *pool, const struct km_chunk *c, bool del,
                           struct qkd_out *out)
{
    struct qkd_persist entry = {
        .owner = pool->owner, .del = del, .kind = WIRE_PERSIST_CHUNK, .key_len = 12};
    wire_put_u32(entry.key, pool->link);
    wire_put_u32(entry.key + 4, c->block);
    wire_put_u32(entry.key + 8, c->start);
    if (!del) {
        struct wire_p_chunk record = {.link = pool->link,
                                      .block = c->block,
                                      .start = c->start,
                                      .end = c->end,
                                      .mine = c->mine,
                                      .lease = c->lease,
                                      .turn = c->turn};
        entry.value = qkd_out_reserve(out, wire_p_chunk_size(&record));
        if (entry.value.len == 0) {
            return;
        }
        (void)wire_p_chunk_encode(&record, qkd_out_at(out, entry.value), entry.value.len);
    }
    qkd_out_put(out, &entry);
}

void km_pool_persist_block(const struct km_pool *pool, const struct km_block *b, bool del,
                           struct qkd_out *out)
{
    struct qkd_persist entry = {
        .owner = pool->owner, .del = del, .kind = WIRE_PERSIST_BLOCK, .key_len = 20};
    wire_put_u32(entry.key, pool->link);
    memcpy(entry.key + 4, b->id.b, sizeof b->id.b);
    if (!del) {
        struct wire_p_block record = {.link = pool->link,
                                      .qkd_key_id = b->id,
                                      .number = b->number,
                                      .confirmed = b->confirmed,
                                      .bytes = b->bytes,
                                      .form = b->form,
                                      .stored = b->stored_wall};
        record.key.at = b->form == 0 ? b->bits : b->seed;
        record.key.len = b->form == 0 ? b->bytes : sizeof b->seed;
        entry.value = qkd_out_reserve(out, wire_p_block_size(&record));
        if (entry.value.len == 0) {
            return;
        }
        (void)wire_p_block_encode(&record, qkd_out_at(out, entry.value), entry.value.len);
    }
    qkd_out_put(out, &entry);
}

void km_block_wipe(struct km_block *b)
{
    crypto_wipe(b->seed, sizeof b->seed);
    if (b->bits != NULL) {
        crypto_wipe(b->bits, b->bytes);
        free(b->bits);
        b->bits = NULL;
    }
}

static void id_key(const struct km_pool *pool, const struct qkd_id *id, uint8_t key[KM_BLOCK_KEY])
{
    wire_put_u32(key, pool->link);
    memcpy(key + 4, id->b, sizeof id->b);
}

/* Gives a block back that holds nothing any more. */
static void block_give(struct km_pool *pool, uint32_t slot)
{
    struct km_block *b = km_pool_block(pool, slot);
    uint8_t key[KM_BLOCK_KEY];
    id_key(pool, &b->id, key);
    if (qkd_map_get(&pool->store->by_id, key) == slot) {
        (void)qkd_map_del(&pool->store->by_id, key);
    }
    km_block_wipe(b);
    qkd_slab_give(&pool->store->blocks, slot);
}

void km_pool_free_block(struct km_pool *pool, uint32_t slot, struct qkd_out *out)
{
    struct km_block *b = km_pool_block(pool, slot);
    for (int i = 0; i < 2; i++) {
        if (pool->window[i].block_slot == slot) {
            crypto_wipe(pool->window[i].bytes, KM_POOL_WINDOW);
            pool->window[i].block_slot = QKD_SLAB_NONE;
        }
    }
    km_pool_persist_block(pool, b, true, out);
    block_give(pool, slot);
}

/* A block in the store with its own copy of the key; QKD_SLAB_NONE on failure. */
static uint32_t block_make(struct km_pool *pool, const struct km_block *block, const uint8_t *key)
{
    uint32_t slot = qkd_slab_take(&pool->store->blocks);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    struct km_block *b = km_pool_block(pool, slot);
    *b = *block;
    b->chunks = 0;
    b->bits = NULL;
    if (b->form == 0) {
        b->bits = malloc(b->bytes);
        if (b->bits == NULL) {
            qkd_slab_give(&pool->store->blocks, slot);
            return QKD_SLAB_NONE;
        }
        memcpy(b->bits, key, b->bytes);
    } else {
        memcpy(b->seed, key, sizeof b->seed);
    }
    uint8_t name[KM_BLOCK_KEY];
    id_key(pool, &b->id, name);
    if (qkd_map_put(&pool->store->by_id, name, slot) != QKD_OK) {
        km_block_wipe(b);
        qkd_slab_give(&pool->store->blocks, slot);
        return QKD_SLAB_NONE;
    }
    return slot;
}

static bool waiting_push(struct km_pool *pool, uint32_t slot)
{
    if (pool->waiting_count == pool->waiting_cap) {
        uint32_t cap = pool->waiting_cap == 0 ? 2 : pool->waiting_cap * 2;
        uint32_t *waiting = realloc(pool->waiting, cap * sizeof *waiting);
        if (waiting == NULL) {
            return false;
        }
        pool->waiting = waiting;
        pool->waiting_cap = cap;
    }
    pool->waiting[pool->waiting_count++] = slot;
    pool->waiting_bytes += km_pool_block(pool, slot)->bytes;
    return true;
}

static void waiting_remove(struct km_pool *pool, uint32_t slot)
{
    for (uint32_t i = 0; i < pool->waiting_count; i++) {
        if (pool->waiting[i] == slot) {
            pool->waiting_count--;
            memmove(pool->waiting + i, pool->waiting + i + 1,
                    (pool->waiting_count - i) * sizeof *pool->waiting);
            pool->waiting_bytes -= km_pool_block(pool, slot)->bytes;
            return;
        }
    }
}

uint32_t km_pool_add(struct km_pool *pool, const struct km_block *block, const uint8_t *key,
                     struct qkd_out *out)
{
    uint32_t slot = block_make(pool, block, key);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    if (!waiting_push(pool, slot)) {
        block_give(pool, slot);
        return QKD_SLAB_NONE;
    }
    km_pool_persist_block(pool, km_pool_block(pool, slot), false, out);
    return slot;
}

int km_pool_take_ask(struct km_pool *pool, uint32_t slot, uint32_t mid, struct qkd_out *out,
                     struct km_take *take)
{
    struct km_block *b = km_pool_block(pool, slot);
    uint32_t end = b->asked[1] + CRYPTO_TAG_LEN;
    QKD_ASSERT(!b->confirmed && b->number != 0);
    if (end > KM_POOL_ASKS * CRYPTO_TAG_LEN || end >= mid) {
        return QKD_ERR_INSUFFICIENT;
    }
    *take = (struct km_take){
        .block = b->number, .block_slot = slot, .offset = b->asked[1], .key_id = b->id};
    b->asked[1] = QKDN_MUTANT(ASK_AGAIN) ? b->asked[1] : end;
    struct km_chunk half = {.block = b->number, .end = mid, .lease = end, .mine = true};
    if (!QKDN_MUTANT(ASK_UNSAVED)) {
        km_pool_persist_chunk(pool, &half, false, out);
    }
    return 0;
}

uint32_t km_pool_find(const struct km_pool *pool, const struct qkd_id *id)
{
    uint8_t key[KM_BLOCK_KEY];
    id_key(pool, id, key);
    uint32_t slot = qkd_map_get(&pool->store->by_id, key);
    return slot == QKD_MAP_NONE ? QKD_SLAB_NONE : slot;
}

void km_pool_drop(struct km_pool *pool, uint32_t slot, struct qkd_out *out)
{
    struct km_block *b = km_pool_block(pool, slot);
    if (b->asked[1] > 0) {
        struct km_chunk half = {.block = b->number};
        km_pool_persist_chunk(pool, &half, true, out);
    }
    waiting_remove(pool, slot);
    km_pool_free_block(pool, slot, out);
}

int km_pool_confirm(struct km_pool *pool, const struct km_confirm *confirm, struct qkd_out *out)
{
    struct km_block *b = km_pool_block(pool, confirm->slot);
    QKD_ASSERT(!b->confirmed && confirm->first <= confirm->mid && confirm->mid <= b->bytes);
    struct km_chunk half[2] = {
        {.start = confirm->first, .end = confirm->mid, .mine = confirm->lower},
        {.start = confirm->mid, .end = b->bytes, .mine = !confirm->lower}};
    waiting_remove(pool, confirm->slot);
    b->number = confirm->number;
    b->confirmed = true;
    b->since = confirm->now;
    km_pool_persist_block(pool, b, false, out);
    for (int i = 0; i < 2; i++) {
        struct km_chunk *c = &half[i];
        c->block = confirm->number;
        c->block_slot = confirm->slot;
        c->next = c->lease = c->start + (i == 0 ? b->asked[confirm->lower] : 0);
        if (c->start == c->end) {
            continue;
        }
        int err = km_pool_insert(pool, c);
        if (err != 0) {
            return err; /* limits are sized so that a block's chunks always fit: see km_new */
        }
        km_pool_persist_chunk(pool, c, false, out);
    }
    return 0;
}

int km_pool_recover_block(struct km_pool *pool, const struct wire_p_block *record,
                          struct qkd_time now)
{
    size_t want = record->form == 0 ? record->bytes : 32;
    if (record->key.len != want) {
        return QKD_ERR_FORMAT;
    }
    struct km_block block = {.id = record->qkd_key_id,
                             .number = record->number,
                             .bytes = record->bytes,
                             .form = record->form,
                             .confirmed = record->confirmed != 0,
                             .since = now,
                             .stored = now,
                             .stored_wall = record->stored};
    uint32_t slot = block_make(pool, &block, record->key.at);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    /* confirmed blocks wait here too until their chunks are read: km_pool_recovered() */
    return waiting_push(pool, slot) ? 0 : QKD_ERR_NOMEM;
}

int km_pool_recover_chunk(struct km_pool *pool, const struct wire_p_chunk *record,
                          struct qkd_out *out)
{
    struct km_chunk c = {.block = record->block,
                         .start = record->start,
                         .end = record->end,
                         .next = QKDN_MUTANT(PAD_AGAIN) ? record->start : record->lease,
                         .lease = record->lease,
                         .turn = record->turn,
                         .mine = record->mine != 0};
    for (uint32_t i = 0; i < pool->waiting_count; i++) {
        struct km_block *b = km_pool_block(pool, pool->waiting[i]);
        bool unnumbered = !b->confirmed && record->block == 0; /* the bootstrap is 0, too */
        if (b->number != record->block || unnumbered) {
            continue;
        }
        if (!b->confirmed) { /* what questions about it took */
            b->asked[1] = record->lease;
            return record->mine != 0 && record->start == 0 && record->lease <= b->bytes
                       ? 0
                       : QKD_ERR_FORMAT;
        }
        bool sane = record->start < record->end && record->end <= b->bytes &&
                    record->lease >= record->start && record->lease <= record->end;
        if (!sane) {
            return QKD_ERR_FORMAT;
        }
        if (record->lease == record->end) {
            break; /* leased to its end when it crashed: nothing of it may be used */
        }
        c.block_slot = pool->waiting[i];
        return km_pool_insert(pool, &c);
    }
    km_pool_persist_chunk(pool, &c, true, out);
    return 0;
}

void km_pool_recovered(struct km_pool *pool, struct qkd_out *out)
{
    for (uint32_t i = 0; i < pool->waiting_count;) {
        uint32_t slot = pool->waiting[i];
        const struct km_block *b = km_pool_block(pool, slot);
        if (!b->confirmed) {
            i++;
            continue;
        }
        waiting_remove(pool, slot);
        if (b->chunks == 0) {
            km_pool_free_block(pool, slot, out);
        }
    }
}
