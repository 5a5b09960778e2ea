/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pool of one QKD link: chunks, leases, ranges; see pool.h. Blocks, recovery and persistence are in
 * pool_block.c. */
#include "core/km/pool.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/km/pool_block.h"

enum { LOOK_AHEAD = 64 }; /* own chunks that a tag looks at */

void km_store_init(struct km_store *store, uint32_t block_limit, uint32_t chunk_limit)
{
    qkd_map_init(&store->by_id, KM_BLOCK_KEY, block_limit, NULL); /* IDs that own modules made */
    qkd_slab_init(&store->blocks, sizeof(struct km_block), 4, block_limit);
    qkd_slab_init(&store->chunks, sizeof(struct km_chunk), 8, chunk_limit);
}

void km_store_fini(struct km_store *store)
{
    for (uint32_t i = 0; i < store->blocks.top; i++) {
        if (qkd_slab_live(&store->blocks, i)) {
            km_block_wipe(qkd_slab_at(&store->blocks, i));
        }
    }
    qkd_slab_fini(&store->blocks);
    qkd_slab_fini(&store->chunks);
    qkd_map_fini(&store->by_id);
}

void km_pool_init(struct km_pool *pool, struct km_store *store, struct qkd_eid owner, uint32_t link,
                  uint32_t lease_bytes)
{
    *pool =
        (struct km_pool){.store = store, .owner = owner, .link = link, .lease_bytes = lease_bytes};
    pool->window[0].block_slot = QKD_SLAB_NONE;
    pool->window[1].block_slot = QKD_SLAB_NONE;
}

void km_pool_fini(struct km_pool *pool)
{
    for (int i = 0; i < 2; i++) {
        if (pool->window[i].bytes != NULL) {
            crypto_wipe(pool->window[i].bytes, KM_POOL_WINDOW);
            free(pool->window[i].bytes);
        }
    }
    free(pool->order);
    free(pool->own);
    free(pool->waiting);
    *pool = (struct km_pool){0};
}

struct km_chunk *km_pool_chunk(const struct km_pool *pool, uint32_t index)
{
    return qkd_slab_at(&pool->store->chunks, pool->order[index]);
}

struct km_chunk *km_pool_own(const struct km_pool *pool, uint32_t index)
{
    return qkd_slab_at(&pool->store->chunks, pool->own[index]);
}

struct km_block *km_pool_block(const struct km_pool *pool, uint32_t slot)
{
    return qkd_slab_at(&pool->store->blocks, slot);
}

/* Index of the first chunk at or after (number, offset). */
static uint32_t lower_bound(const struct km_pool *pool, uint32_t number, uint32_t offset)
{
    uint32_t low = 0;
    uint32_t high = pool->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct km_chunk *c = km_pool_chunk(pool, mid);
        if (c->block < number || (c->block == number && c->end <= offset)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool km_pool_numbered(const struct km_pool *pool, uint32_t number)
{
    uint32_t i = lower_bound(pool, number, 0);
    return i < pool->count && km_pool_chunk(pool, i)->block == number;
}

static bool chunk_holds(const struct km_chunk *c, uint32_t number, uint32_t offset)
{
    return c->block == number && c->start <= offset && offset < c->end;
}

/* Index of the chunk that holds byte `offset` of block `number`; count if there is none. Most
 * questions are about a chunk that was used just now. */
static uint32_t chunk_at(const struct km_pool *pool, uint32_t number, uint32_t offset)
{
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t near = pool->near[side];
        if (near < pool->count && chunk_holds(km_pool_chunk(pool, near), number, offset)) {
            return near;
        }
    }
    uint32_t i = lower_bound(pool, number, offset);
    bool found = i < pool->count && chunk_holds(km_pool_chunk(pool, i), number, offset);
    return found ? i : pool->count;
}

static uint32_t chunk_free(const struct km_chunk *c)
{
    uint32_t bytes = c->end - c->next;
    for (uint32_t i = 0; i < c->range_count; i++) {
        bytes -= c->range[i].end - c->range[i].start;
    }
    return bytes;
}

/* Of what is left of a chunk, what pieces of a length can use. */
static uint64_t whole(uint64_t left, uint64_t piece)
{
    return left / piece * piece;
}

/* Whether payload may take of it and it is asked how much of it pieces can use. */
static bool is_usable(const struct km_chunk *c)
{
    return c->mine && c->block != 0;
}

/* Takes a chunk out of the sums, before it changes ... */
static void count_out(struct km_pool *pool, const struct km_chunk *c)
{
    uint32_t bytes = chunk_free(c);
    *(c->mine ? &pool->own_free : &pool->peer_free) -= bytes;
    pool->crumbs[c->mine] -= bytes % CRYPTO_TAG_LEN;
    for (uint32_t i = 0; i < KM_POOL_PIECES && is_usable(c) && pool->usable[i].piece > 0; i++) {
        pool->usable[i].bytes -= whole(bytes, pool->usable[i].piece);
    }
}

/* ... and back in. */
static void count_in(struct km_pool *pool, const struct km_chunk *c)
{
    uint32_t bytes = chunk_free(c);
    *(c->mine ? &pool->own_free : &pool->peer_free) += bytes;
    pool->crumbs[c->mine] += bytes % CRYPTO_TAG_LEN;
    for (uint32_t i = 0; i < KM_POOL_PIECES && is_usable(c) && pool->usable[i].piece > 0; i++) {
        pool->usable[i].bytes += whole(bytes, pool->usable[i].piece);
    }
}

/* Free bytes of one side beyond bootstrap and reserve; crumbs pay nothing, not even a tag. */
static uint64_t payload_free(const struct km_pool *pool, bool mine)
{
    uint64_t boot = 0;
    for (uint32_t i = 0; i < pool->count; i++) { /* block 0 sorts first */
        const struct km_chunk *c = km_pool_chunk(pool, i);
        if (c->block != 0) {
            break;
        }
        boot += c->mine == mine ? chunk_free(c) / CRYPTO_TAG_LEN * CRYPTO_TAG_LEN : 0;
    }
    uint64_t kept = boot < KM_POOL_RESERVE ? KM_POOL_RESERVE - boot : 0;
    uint64_t free_bytes = (mine ? pool->own_free : pool->peer_free) - pool->crumbs[mine] - boot;
    return free_bytes > kept ? free_bytes - kept : 0;
}

/* What is left of them when a part is spared. */
static uint64_t beyond(uint64_t free_bytes, uint64_t spare)
{
    return free_bytes > spare ? free_bytes - spare : 0;
}

uint64_t km_pool_payload_free(const struct km_pool *pool)
{
    return beyond(payload_free(pool, true), pool->spare_bytes);
}

uint64_t km_pool_fallback_free(const struct km_pool *pool)
{
    return payload_free(pool, true);
}

uint64_t km_pool_peer_payload(const struct km_pool *pool)
{
    return beyond(payload_free(pool, false), pool->spare_bytes);
}

uint64_t km_pool_tag_bytes(const struct km_pool *pool)
{
    return pool->own_free - pool->crumbs[1];
}

uint64_t km_pool_stored(const struct km_pool *pool)
{
    return pool->own_free + pool->peer_free + pool->waiting_bytes;
}

/* Index of the first own chunk at or after (number, start). */
static uint32_t own_bound(const struct km_pool *pool, uint32_t number, uint32_t start)
{
    uint32_t low = 0;
    uint32_t high = pool->own_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct km_chunk *c = km_pool_own(pool, mid);
        if (c->block < number || (c->block == number && c->start < start)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void own_add(struct km_pool *pool, uint32_t slot, const struct km_chunk *c)
{
    uint32_t at = own_bound(pool, c->block, c->start);
    memmove(pool->own + at + 1, pool->own + at, (pool->own_count - at) * sizeof *pool->own);
    pool->own[at] = slot;
    pool->own_count++;
}

static void own_drop(struct km_pool *pool, const struct km_chunk *c)
{
    uint32_t at = own_bound(pool, c->block, c->start);
    QKD_ASSERT(at < pool->own_count && km_pool_own(pool, at) == c);
    pool->own_count--;
    memmove(pool->own + at, pool->own + at + 1, (pool->own_count - at) * sizeof *pool->own);
}

static bool order_grow(struct km_pool *pool)
{
    uint32_t cap = pool->cap == 0 ? 4 : pool->cap * 2;
    uint32_t *order = realloc(pool->order, cap * sizeof *order);
    if (order != NULL) {
        pool->order = order;
    }
    uint32_t *own = order == NULL ? NULL : realloc(pool->own, cap * sizeof *own);
    if (own != NULL) {
        pool->own = own;
        pool->cap = cap;
    }
    return own != NULL;
}

int km_pool_insert(struct km_pool *pool, const struct km_chunk *chunk)
{
    if (pool->count == pool->cap && !order_grow(pool)) {
        return QKD_ERR_NOMEM;
    }
    uint32_t slot = qkd_slab_take(&pool->store->chunks);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    uint32_t at = lower_bound(pool, chunk->block, chunk->start);
    memmove(pool->order + at + 1, pool->order + at, (pool->count - at) * sizeof *pool->order);
    pool->order[at] = slot;
    pool->count++;
    if (chunk->mine) {
        own_add(pool, slot, chunk);
    }
    *(struct km_chunk *)qkd_slab_at(&pool->store->chunks, slot) = *chunk;
    km_pool_block(pool, chunk->block_slot)->chunks++;
    count_in(pool, chunk);
    return 0;
}

/* Removes an exhausted chunk, and its block with the last one. */
static void remove_at(struct km_pool *pool, uint32_t index, struct qkd_out *out)
{
    uint32_t slot = pool->order[index];
    struct km_chunk *c = qkd_slab_at(&pool->store->chunks, slot);
    count_out(pool, c);
    km_pool_persist_chunk(pool, c, true, out);
    if (c->mine) {
        own_drop(pool, c);
    }
    uint32_t block_slot = c->block_slot;
    qkd_slab_give(&pool->store->chunks, slot);
    pool->count--;
    memmove(pool->order + index, pool->order + index + 1,
            (pool->count - index) * sizeof *pool->order);
    struct km_block *b = km_pool_block(pool, block_slot);
    if (--b->chunks == 0) {
        km_pool_free_block(pool, block_slot, out);
    }
}

/* Moves the lease so that `upto` is inside, ahead of it if payload is to follow, and persists it. The
 * last bytes of a chunk are leased as they are used: a crash must not take the tags on which the link
 * comes back. What is leased cannot be granted: a tag leases itself only. */
static void extend_lease(struct km_pool *pool, struct km_chunk *c, uint32_t upto, bool ahead,
                         struct qkd_out *out)
{
    if (upto <= c->lease) {
        return;
    }
    uint64_t lease = (uint64_t)c->lease + (ahead ? pool->lease_bytes : 0);
    uint32_t tail = c->end - c->start > KM_POOL_RESERVE ? c->end - KM_POOL_RESERVE : c->start;
    lease = lease > tail ? tail : lease;
    uint32_t grown = lease < upto ? upto : (uint32_t)lease;
    c->lease = QKDN_MUTANT(LEASE_LATE) ? c->lease : grown - QKDN_MUTANT(LEASE_SHORT);
    if (!QKDN_MUTANT(LEASE_UNSAVED)) {
        km_pool_persist_chunk(pool, c, false, out);
    }
    c->lease = grown;
}

/* The oldest own chunk that has so many bytes, block 0 excepted; NULL if there is none. */
static struct km_chunk *payload_chunk(const struct km_pool *pool, uint32_t len)
{
    for (uint32_t i = 0; i < pool->own_count; i++) {
        struct km_chunk *c = km_pool_own(pool, i);
        if (c->block != 0 && c->end - c->next >= len) {
            return c;
        }
    }
    return NULL;
}

/* The sum for a length, made if it is not kept. */
static uint64_t usable_sum(struct km_pool *pool, uint64_t piece)
{
    for (uint32_t i = 0; i < KM_POOL_PIECES; i++) {
        if (pool->usable[i].piece == piece) {
            return pool->usable[i].bytes;
        }
    }
    struct km_usable *kept = &pool->usable[pool->usable_next++ % KM_POOL_PIECES];
    *kept = (struct km_usable){.piece = piece};
    for (uint32_t i = 0; i < pool->own_count; i++) {
        const struct km_chunk *c = km_pool_own(pool, i);
        kept->bytes += is_usable(c) ? whole(chunk_free(c), piece) : 0;
    }
    return kept->bytes;
}

uint64_t km_pool_usable(struct km_pool *pool, uint64_t piece)
{
    QKD_ASSERT(piece > 0);
    uint64_t all = km_pool_payload_free(pool);
    uint64_t sum = usable_sum(pool, piece);
    return sum < all ? sum : all;
}

uint64_t km_pool_peer_usable(const struct km_pool *pool, uint64_t piece)
{
    uint64_t all = km_pool_peer_payload(pool);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct km_chunk *c = km_pool_chunk(pool, i);
        sum += c->block == 0 || c->mine ? 0 : whole(chunk_free(c), piece);
    }
    return sum < all ? sum : all;
}

uint64_t km_pool_usable_lost(const struct km_pool *pool, uint32_t len, uint64_t piece)
{
    const struct km_chunk *c = payload_chunk(pool, len);
    uint64_t left = c == NULL ? 0 : c->end - c->next;
    return c == NULL ? 0 : whole(left, piece) - whole(left - len, piece);
}

/* The chunk to take a tag from: the oldest, block 0 first, that can pay as many keys afterwards as
 * before, so that tags eat up tails and not keys; else the oldest that has so many bytes. The search
 * is not endless: a tag is not worth it. */
static struct km_chunk *control_chunk(const struct km_pool *pool, uint32_t len, bool with_boot)
{
    struct km_chunk *oldest = NULL;
    for (uint32_t i = 0, seen = 0; i < pool->own_count && seen < LOOK_AHEAD; i++) {
        struct km_chunk *c = km_pool_own(pool, i);
        uint32_t left = c->end - c->next;
        if (left < len || (c->block == 0 && !with_boot)) {
            continue;
        }
        if (pool->key_bytes == 0 || left % pool->key_bytes >= len) {
            return c;
        }
        oldest = oldest == NULL ? c : oldest;
        seen++;
    }
    return oldest;
}

bool km_pool_has_run(const struct km_pool *pool, uint32_t len)
{
    if (payload_chunk(pool, len) != NULL) {
        return true;
    }
    bool grants = payload_free(pool, false) / 2 >= len;
    for (uint32_t i = 0; grants && i < pool->count; i++) {
        const struct km_chunk *c = km_pool_chunk(pool, i);
        if (c->block != 0 && !c->mine && c->end - c->next >= len) {
            return true;
        }
    }
    return false;
}

/* Takes the next bytes of a chunk that has them; the lease is persisted first. */
static int chunk_take(struct km_pool *pool, struct km_chunk *c, uint32_t len, bool ahead,
                      struct qkd_out *out, struct km_take *take)
{
    extend_lease(pool, c, c->next + len, ahead, out);
    const struct km_block *b = km_pool_block(pool, c->block_slot);
    *take = (struct km_take){
        .block = c->block, .block_slot = c->block_slot, .offset = c->next, .key_id = b->id};
    count_out(pool, c);
    c->next += len - QKDN_MUTANT(PAD_OVERLAP);
    count_in(pool, c);
    return 0;
}

int km_pool_take(struct km_pool *pool, uint32_t len, bool control, struct qkd_out *out,
                 struct km_take *take)
{
    if (!control && km_pool_payload_free(pool) < len) {
        return QKD_ERR_INSUFFICIENT;
    }
    struct km_chunk *c = control ? control_chunk(pool, len, true) : payload_chunk(pool, len);
    return c == NULL ? QKD_ERR_INSUFFICIENT : chunk_take(pool, c, len, !control, out, take);
}

int km_pool_take_fallback(struct km_pool *pool, uint32_t len, struct qkd_out *out,
                          struct km_take *take)
{
    struct km_chunk *c = km_pool_fallback_free(pool) < len ? NULL : control_chunk(pool, len, false);
    return c == NULL ? QKD_ERR_INSUFFICIENT : chunk_take(pool, c, len, false, out, take);
}

/* Removes the own chunk that holds byte `offset` if nothing of it is left. */
static void settle(struct km_pool *pool, uint32_t number, uint32_t offset, struct qkd_out *out)
{
    uint32_t i = chunk_at(pool, number, offset);
    if (i < pool->count) {
        const struct km_chunk *c = km_pool_chunk(pool, i);
        pool->near[1] = i;
        if (c->mine && c->next == c->end) {
            remove_at(pool, i, out);
        }
    }
}

void km_pool_settle(struct km_pool *pool, const struct km_take *take, struct qkd_out *out)
{
    settle(pool, take->block, take->offset, out);
}

void km_pool_read(struct km_pool *pool, uint32_t block_slot, const struct km_range *range,
                  bool mine, uint8_t *to)
{
    const struct km_block *b = km_pool_block(pool, block_slot);
    uint32_t len = range->end - range->start;
    QKD_ASSERT(range->start <= range->end && range->end <= b->bytes);
    if (b->form == 0) {
        memcpy(to, b->bits + range->start, len);
        return;
    }
    struct km_window *w = &pool->window[mine];
    bool big = len > CRYPTO_TAG_LEN && len <= KM_POOL_WINDOW / 2;
    if (w->bytes == NULL && big) {
        w->bytes = malloc(KM_POOL_WINDOW);
    }
    bool inside = w->bytes != NULL && w->block_slot == block_slot && range->start >= w->base &&
                  range->end <= w->base + KM_POOL_WINDOW;
    if (!inside && (!big || w->bytes == NULL)) {
        crypto_expand(to, b->seed, range->start, len);
        return;
    }
    if (!inside && !(QKDN_MUTANT(READ_STALE) && w->block_slot == block_slot)) {
        w->base = range->start & ~63U; /* ChaCha20 block boundary */
        w->block_slot = block_slot;
        crypto_expand(w->bytes, b->seed, w->base, KM_POOL_WINDOW);
    }
    memcpy(to, w->bytes + (QKDN_MUTANT(READ_STALE) ? 0 : range->start - w->base), len);
}

int km_pool_rx_check(const struct km_pool *pool, uint32_t number, const struct km_range *range,
                     uint32_t *block_slot)
{
    uint32_t i = chunk_at(pool, number, range->start);
    if (i == pool->count) {
        return QKD_ERR_UNKNOWN;
    }
    const struct km_chunk *c = km_pool_chunk(pool, i);
    if (c->mine || range->end > c->end) {
        return QKD_ERR_UNKNOWN;
    }
    *block_slot = c->block_slot;
    if (range->start < c->next) {
        return QKD_ERR_REPLAY;
    }
    for (uint32_t k = 0; k < c->range_count; k++) {
        if (range->start < c->range[k].end && range->end > c->range[k].start) {
            return QKD_ERR_REPLAY;
        }
    }
    return 0;
}

/* Adds a disjoint range above next; false when the list is full and it touches no neighbour. */
static bool range_add(struct km_chunk *c, struct km_range r)
{
    uint32_t at = 0;
    while (at < c->range_count && c->range[at].start < r.start) {
        at++;
    }
    bool left = at > 0 && c->range[at - 1].end == r.start;
    bool right = at < c->range_count && c->range[at].start == r.end;
    if (left && right) {
        c->range[at - 1].end = c->range[at].end;
        c->range_count--;
        memmove(c->range + at, c->range + at + 1, (c->range_count - at) * sizeof r);
    } else if (left) {
        c->range[at - 1].end = r.end;
    } else if (right) {
        c->range[at].start = r.start;
    } else if (c->range_count == KM_POOL_RANGES) {
        return false;
    } else {
        memmove(c->range + at + 1, c->range + at, (c->range_count - at) * sizeof r);
        c->range[at] = r;
        c->range_count++;
    }
    return true;
}

/* Lets next pass the ranges that now touch it. */
static void range_absorb(struct km_chunk *c)
{
    uint32_t n = 0;
    while (n < c->range_count && c->range[n].start <= c->next) {
        c->next = c->range[n].end > c->next ? c->range[n].end : c->next;
        n++;
    }
    c->range_count = (uint8_t)(c->range_count - n);
    memmove(c->range, c->range + n, c->range_count * sizeof c->range[0]);
}

int km_pool_rx_mark(struct km_pool *pool, uint32_t number, const struct km_range *range,
                    struct qkd_out *out)
{
    uint32_t i = chunk_at(pool, number, range->start);
    QKD_ASSERT(i < pool->count);
    pool->near[0] = i;
    struct km_chunk *c = km_pool_chunk(pool, i);
    bool fits = true;
    count_out(pool, c);
    if (range->start == c->next) {
        c->next = range->end;
        range_absorb(c);
    } else {
        fits = range_add(c, *range);
    }
    count_in(pool, c);
    if (!fits) {
        return QKD_ERR_LIMIT;
    }
    extend_lease(pool, c, range->end, true, out);
    if (c->next == c->end) {
        remove_at(pool, i, out);
    }
    return 0;
}

/* Makes [r.start, r.end) done whatever of it was done before; false when the list is full. */
static bool range_cover(struct km_chunk *c, struct km_range r)
{
    for (uint32_t k = 0; k < c->range_count;) {
        if (c->range[k].start < r.end && r.start < c->range[k].end) {
            r.start = c->range[k].start < r.start ? c->range[k].start : r.start;
            r.end = c->range[k].end > r.end ? c->range[k].end : r.end;
            c->range_count--;
            memmove(c->range + k, c->range + k + 1, (c->range_count - k) * sizeof r);
        } else {
            k++;
        }
    }
    return range_add(c, r);
}

bool km_pool_rx_skip_fits(const struct km_pool *pool, uint32_t number, const struct km_range *range)
{
    for (uint32_t i = lower_bound(pool, number, range->start); i < pool->count; i++) {
        const struct km_chunk *c = km_pool_chunk(pool, i);
        if (c->block != number || c->start >= range->end) {
            break;
        }
        bool joins = range->start <= c->next;
        for (uint32_t k = 0; k < c->range_count && !joins; k++) {
            joins = c->range[k].start <= range->end && range->start <= c->range[k].end;
        }
        if (!c->mine && !joins && c->range_count + 1 >= KM_POOL_RANGES) { /* one for its own pads */
            return false;
        }
    }
    return true;
}

void km_pool_rx_skip(struct km_pool *pool, uint32_t number, const struct km_range *range,
                     struct qkd_out *out)
{
    if (QKDN_MUTANT(SKIP_IGNORED)) {
        return;
    }
    for (uint32_t i = lower_bound(pool, number, range->start); i < pool->count;) {
        struct km_chunk *c = km_pool_chunk(pool, i);
        if (c->block != number || c->start >= range->end) {
            return;
        }
        struct km_range r = {range->start > c->next ? range->start : c->next,
                             range->end < c->end ? range->end : c->end};
        if (c->mine || r.start >= r.end) {
            i++;
            continue;
        }
        count_out(pool, c);
        if (r.start == c->next) {
            c->next = r.end;
            range_absorb(c);
        } else {
            (void)range_cover(c, r); /* it fits: km_pool_rx_skip_fits() */
        }
        count_in(pool, c);
        extend_lease(pool, c, c->next, true, out);
        if (c->next >= c->end) {
            remove_at(pool, i, out);
        } else {
            i++;
        }
    }
}

bool km_pool_forget(struct km_pool *pool, uint32_t number, uint32_t from, uint32_t upto,
                    struct qkd_out *out, struct km_range *skipped)
{
    uint32_t i = chunk_at(pool, number, from);
    if (i == pool->count) {
        return false;
    }
    struct km_chunk *c = km_pool_chunk(pool, i);
    uint32_t end = upto < c->end ? upto : c->end;
    if (!c->mine || end <= c->next) {
        return false;
    }
    *skipped = (struct km_range){c->next, end};
    count_out(pool, c);
    c->next = end;
    count_in(pool, c);
    extend_lease(pool, c, end, false, out);
    if (c->next == c->end) {
        remove_at(pool, i, out);
    }
    return true;
}

bool km_pool_grant(struct km_pool *pool, const struct km_grant_ask *ask, struct qkd_out *out,
                   struct wire_grant_body *granted)
{
    uint32_t least = ask->piece > ask->unit ? ask->piece : ask->unit;
    uint32_t grain = ask->piece > pool->key_bytes ? ask->piece : pool->key_bytes;
    for (uint32_t k = pool->own_count; k > 0; k--) {
        struct km_chunk *c = km_pool_own(pool, k - 1);
        if (c->block == 0) {
            continue;
        }
        /* never below the lease: what is leased may already be in a frame of this step */
        uint32_t from = c->lease > c->next ? c->lease : c->next;
        uint32_t all = c->end - from;
        uint32_t n = all <= ask->want ? all : ask->want - ask->want % ask->unit;
        n = all - n < grain ? all : n;
        if (n < least) {
            continue;
        }
        *granted = (struct wire_grant_body){
            .block = c->block, .start = c->end - n, .end = c->end, .turn = c->turn + 1};
        if (n == c->end - c->start) { /* all of it, untouched: it changes hands as it is */
            count_out(pool, c);
            own_drop(pool, c);
            c->mine = false;
            c->turn++;
            count_in(pool, c);
            km_pool_persist_chunk(pool, c, false, out);
            return true;
        }
        struct km_chunk given = {.block = c->block,
                                 .block_slot = c->block_slot,
                                 .start = c->end - n,
                                 .end = c->end,
                                 .next = c->end - n,
                                 .lease = c->end - n,
                                 .turn = c->turn + 1};
        count_out(pool, c);
        c->end -= QKDN_MUTANT(GRANT_KEPT) ? 0 : n;
        count_in(pool, c);
        km_pool_persist_chunk(pool, c, false, out);
        if (QKDN_MUTANT(GRANT_KEPT)) {
            return true;
        }
        if (km_pool_insert(pool, &given) != 0) {
            count_out(pool, c);
            c->end += n;
            count_in(pool, c);
            km_pool_persist_chunk(pool, c, false, out);
            return false;
        }
        km_pool_persist_chunk(pool, &given, false, out);
        settle(pool, c->block, c->start, out);
        return true;
    }
    return false;
}

bool km_pool_grant_stands(const struct km_pool *pool, const struct wire_grant_body *grant)
{
    struct km_range range = {grant->start, grant->end};
    uint32_t dummy;
    uint32_t i = chunk_at(pool, grant->block, grant->start);
    return i < pool->count && km_pool_chunk(pool, i)->turn == grant->turn &&
           km_pool_rx_check(pool, grant->block, &range, &dummy) == 0;
}

bool km_pool_regranted(const struct km_pool *pool, const struct wire_grant_body *grant)
{
    uint32_t i = chunk_at(pool, grant->block, grant->start);
    const struct km_chunk *c = i < pool->count ? km_pool_chunk(pool, i) : NULL;
    return c != NULL && !c->mine && c->turn > grant->turn;
}

/* Cuts [start, end) out of a peer's chunk; a rest behind it (an earlier GRANT of it was overtaken) is
 * a chunk of its own. False at a limit: nothing changed. */
static bool chunk_cut(struct km_pool *pool, struct km_chunk *c, const struct km_range *range,
                      struct qkd_out *out)
{
    struct km_chunk rest = {.block = c->block,
                            .block_slot = c->block_slot,
                            .start = range->end,
                            .end = c->end,
                            .next = range->end,
                            .lease = range->end,
                            .turn = c->turn};
    uint32_t end = c->end;
    uint32_t lease = c->lease;
    uint32_t next = c->next;
    count_out(pool, c);
    c->end = range->start;
    c->lease = lease > c->end ? c->end : lease;
    c->next = next > c->end ? c->end : next;
    count_in(pool, c);
    if (rest.start < rest.end && km_pool_insert(pool, &rest) != 0) {
        count_out(pool, c);
        c->end = end;
        c->lease = lease;
        c->next = next;
        count_in(pool, c);
        return false;
    }
    if (c->next < c->end) {
        km_pool_persist_chunk(pool, c, false, out);
    }
    if (rest.start < rest.end) {
        km_pool_persist_chunk(pool, &rest, false, out);
    }
    return true;
}

bool km_pool_granted(struct km_pool *pool, const struct wire_grant_body *grant, struct qkd_out *out,
                     struct km_range *gone)
{
    struct km_range range = {grant->start, grant->end};
    *gone = (struct km_range){0};
    uint32_t i = chunk_at(pool, grant->block, range.start);
    if (i == pool->count) {
        return false;
    }
    struct km_chunk *c = km_pool_chunk(pool, i);
    /* The owner gives away only what it has not used: what is done here is a lease that a restart made
     * void, and the rest is as good as any. */
    uint32_t next = c->next > range.start ? c->next : range.start;
    bool used = c->range_count > 0 && c->range[c->range_count - 1].end > range.start;
    bool old = grant->turn <= c->turn && !QKDN_MUTANT(GRANT_TWICE);
    bool early = QKDN_MUTANT(GRANT_ORDER) && range.end != c->end;
    if (c->mine || used || next >= range.end || range.end > c->end || old || early) {
        return false;
    }
    struct km_chunk mine = {.block = grant->block,
                            .block_slot = c->block_slot,
                            .start = range.start,
                            .end = range.end,
                            .next = next,
                            .lease = next,
                            .turn = grant->turn,
                            .mine = true};
    uint32_t before = c->next;
    if (!chunk_cut(pool, c, &range, out)) {
        return false;
    }
    bool empty = c->next == c->end;
    if (km_pool_insert(pool, &mine) != 0) {
        count_out(pool, c);
        c->end = range.end; /* a rest stays cut off: it is the peer's all the same */
        c->next = before;
        count_in(pool, c);
        km_pool_persist_chunk(pool, c, false, out);
        return false;
    }
    if (empty) {
        /* same (block, start) key in the store: delete first, put after */
        remove_at(pool, i, out);
    }
    km_pool_persist_chunk(pool, &mine, false, out);
    *gone = (struct km_range){range.start, next};
    return true;
}
