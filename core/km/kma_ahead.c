/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: pooled supply. The source keeps keys that the destination has already: relayed ahead of need, many in a
 * frame, those for one request together under a compare key (docs/protocol.md, "Pooled supply"). One pool per
 * destination; a request of one unit per key is served from it at once. Pools are kept in memory: a restart of
 * either end empties them. Only one-time padded keys are kept. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

#define LIFE_MARGIN 16 /* the last of so many parts of a key's life is not used: clocks drift */
#define PATIENCE_S 10  /* of a refill */

static struct kma_ahead *ahead_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->aheads, slot);
}

static struct kma_ahead_key *key_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->ahead_keys, slot);
}

void kma_ahead_key_id(const struct qkd_id *frame, uint32_t index, struct qkd_id *id)
{
    uint8_t number[4];
    uint8_t hash[32];
    wire_put_u32(number, index);
    struct crypto_part parts[] = {{"pooled", 6},
                                  {frame->b, sizeof frame->b},
                                  {number, sizeof number}};
    int err = crypto_sha256(parts, 3, hash);
    QKD_ASSERT(err == 0);
    memcpy(id->b, hash, sizeof id->b);
}

static void life_key(const struct kma_step *s, const struct qkd_id *id, uint8_t action,
                     uint8_t reason)
{
    kma_life(s, &(struct kma_life){
                    .action = action, .key_class = WIRE_CLASS_KMA, .id = *id, .reason = reason});
}

/* Takes the oldest entry out of a pool; its bytes are the caller's to give back. */
static struct kma_ahead_key key_take(struct kma *kma, struct kma_ahead *pool)
{
    uint32_t slot = pool->first;
    struct kma_ahead_key key = *key_at(kma, slot);
    pool->first = key.next;
    pool->last = pool->first == QKD_SLAB_NONE ? QKD_SLAB_NONE : pool->last;
    pool->count -= key.keys;
    qkd_slab_give(&kma->ahead_keys, slot);
    return key;
}

static void drop_first(const struct kma_step *s, struct kma_ahead *pool, uint8_t action,
                       uint8_t reason)
{
    struct kma_ahead_key key = key_take(s->kma, pool);
    life_key(s, &key.id, action, reason);
    km_secbuf_give(&s->kma->bufs, &key.buf);
}

static void drop_all(const struct kma_step *s, struct kma_ahead *pool)
{
    while (pool->count > 0) {
        drop_first(s, pool, WIRE_ACTION_DISCARD, WIRE_REASON_GONE);
    }
}

static struct kma_ahead *pool_find(struct kma *kma, struct qkd_eid destination)
{
    uint32_t slot = qkd_map_get(&kma->ahead_map, &destination.v);
    return slot == QKD_MAP_NONE ? NULL : ahead_at(kma, slot);
}

static struct kma_ahead *pool_get(struct kma *kma, struct qkd_eid destination)
{
    struct kma_ahead *pool = pool_find(kma, destination);
    uint32_t slot = pool == NULL ? qkd_slab_take(&kma->aheads) : QKD_SLAB_NONE;
    if (slot == QKD_SLAB_NONE) {
        return pool;
    }
    if (qkd_map_put(&kma->ahead_map, &destination.v, slot) != 0) {
        qkd_slab_give(&kma->aheads, slot);
        return NULL;
    }
    pool = ahead_at(kma, slot);
    *pool = (struct kma_ahead){.destination = destination,
                               .first = QKD_SLAB_NONE,
                               .last = QKD_SLAB_NONE};
    return pool;
}

/* ---- refill ---- */

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A request for `count` keys: what comes from now on can serve all that were asked for since the pool
 * was empty. */
static void each_learn(const struct kma *kma, struct kma_ahead *pool, uint32_t count)
{
    uint32_t fits = (8 * WIRE_FRAME_KEY_BYTES - 8 * WIRE_COMPARE_LEN) / kma->config->unit_bits;
    uint32_t most = fits < kma->config->pool_batch ? fits : kma->config->pool_batch;
    uint32_t each = pool->count == 0 ? count : common_divisor(pool->each, count);
    uint32_t part = each < most ? each : most;
    while (part > 1 && each % part != 0) {
        part--;
    }
    pool->each = part > 0 ? part : 1;
}

uint32_t kma_ahead_batch(const struct kma *kma, uint32_t entry_bits)
{
    uint32_t each = (entry_bits - 8 * WIRE_COMPARE_LEN) / kma->config->unit_bits;
    uint32_t entries = each == 0 ? 1 : kma->config->pool_batch / each;
    return entries == 0 ? 1 : entries;
}

static void refill(const struct kma_step *s, struct kma_ahead *pool)
{
    struct kma *kma = s->kma;
    const struct km_config *config = kma->config;
    bool is_early = qkd_time_before(s->event->now, pool->again_at);
    if (pool->coming > 0 || pool->count >= config->pool_low || is_early) {
        return;
    }
    uint32_t entry_bits = pool->each * config->unit_bits + 8 * WIRE_COMPARE_LEN;
    uint32_t lacks = (config->pool_high - pool->count + pool->each - 1) / pool->each;
    uint32_t most = wire_keys_per_frame(entry_bits, kma_ahead_batch(kma, entry_bits));
    lacks -= lacks >= most ? lacks % most : 0; /* full frames are the cheapest */
    struct kma_need need = {.message_id = ++kma->ahead_id | KMA_AHEAD_NEED,
                            .key_size = entry_bits,
                            .count = lacks,
                            .level = WIRE_LEVEL_OTP_ONLY,
                            .is_ahead = true,
                            .group = QKD_SLAB_NONE,
                            .destination = pool->destination,
                            .source_app = kma->self,
                            .target_app = pool->destination,
                            .deadline = kma_after(s, qkd_span_s(PATIENCE_S)),
                            .next = QKD_SLAB_NONE};
    pool->coming = lacks;
    pool->again_at = kma_after(s, config->status_period);
    if (!kma_need_begin(s, &need)) {
        pool->coming = 0;
    }
}

void kma_ahead_over(const struct kma_step *s, struct qkd_eid destination)
{
    struct kma_ahead *pool = pool_find(s->kma, destination);
    if (pool != NULL) {
        pool->coming = 0;
    }
}

/* A frame of keys that the destination has. */
void kma_ahead_take_in(const struct kma_step *s, const struct kma_ahead_frame *frame)
{
    struct kma *kma = s->kma;
    struct kma_ahead *pool = pool_find(kma, frame->destination);
    size_t each = frame->entry_bits / 8;
    uint32_t keys_bits = frame->entry_bits - 8 * WIRE_COMPARE_LEN;
    uint32_t keys = keys_bits / kma->config->unit_bits;
    if (pool != NULL) {
        pool->again_at = s->event->now; /* only what failed waits */
    }
    for (uint32_t i = 0; pool != NULL && i < frame->count; i++) {
        struct qkd_id id;
        uint32_t from = QKDN_MUTANT(POOLED_MIXED) ? frame->count - 1U - i : i;
        kma_ahead_key_id(&frame->key_id, i, &id);
        uint32_t slot = qkd_slab_take(&kma->ahead_keys);
        uint32_t buf = slot == QKD_SLAB_NONE ? KM_SECBUF_NONE : km_secbuf_take(&kma->bufs, each);
        if (buf == KM_SECBUF_NONE) {
            if (slot != QKD_SLAB_NONE) {
                qkd_slab_give(&kma->ahead_keys, slot);
            }
            life_key(s, &id, WIRE_ACTION_DISCARD, WIRE_REASON_OVERLOAD);
            continue;
        }
        memcpy(km_secbuf_at(&kma->bufs, buf), frame->bytes + from * each, each);
        *key_at(kma, slot) = (struct kma_ahead_key){.id = id,
                                                    .buf = buf,
                                                    .keys = (uint16_t)keys,
                                                    .hops = frame->hops,
                                                    .drawn = frame->drawn,
                                                    .drawn_wall = frame->drawn_wall,
                                                    .next = QKD_SLAB_NONE};
        if (pool->last == QKD_SLAB_NONE) {
            pool->first = slot;
        } else {
            key_at(kma, pool->last)->next = slot;
        }
        pool->last = slot;
        pool->count += keys;
        kma_life(s, &(struct kma_life){.action = WIRE_ACTION_FORMATTING,
                                       .key_class = WIRE_CLASS_KMA,
                                       .id = id,
                                       .parent = frame->key_id,
                                       .length_bits = keys_bits,
                                       .source = kma->self,
                                       .destination = frame->destination,
                                       .method = WIRE_METHOD_OTP});
    }
}

/* ---- supply ---- */

/* Keys that are too old: the destination drops its copies a little later. */
static void expire(const struct kma_step *s, struct kma_ahead *pool)
{
    int64_t life_ns = s->kma->config->timer.ns;
    struct qkd_span life = qkd_span_ns(life_ns - life_ns / LIFE_MARGIN);
    while (pool->count > 0 && !QKDN_MUTANT(POOLED_FOREVER)) {
        const struct kma_ahead_key *first = key_at(s->kma, pool->first);
        if (qkd_time_before(s->event->now, qkd_time_add(first->drawn, life))) {
            return;
        }
        drop_first(s, pool, WIRE_ACTION_EXPIRY, WIRE_REASON_EXPIRED);
    }
}

/* Whether the oldest entries are exactly `count` keys. */
static bool can_serve(struct kma *kma, const struct kma_ahead *pool, uint32_t count)
{
    uint32_t slot = pool->first;
    while (count > 0 && slot != QKD_SLAB_NONE && key_at(kma, slot)->keys <= count) {
        count -= key_at(kma, slot)->keys;
        slot = key_at(kma, slot)->next;
    }
    return count == 0;
}

/* Supplies the oldest entry of a pool to a need. */
static void entry_supply(const struct kma_step *s, uint32_t slot, struct kma_ahead *pool)
{
    struct kma *kma = s->kma;
    struct kma_ahead_key key = key_take(kma, pool);
    uint8_t *bytes = km_secbuf_at(&kma->bufs, key.buf);
    kma_need_supply(s, slot,
                    &(struct kma_supplied){.key_id = key.id,
                                           .bytes = bytes,
                                           .count = key.keys,
                                           .hops = key.hops,
                                           .grade = WIRE_METHOD_OTP,
                                           .method = WIRE_METHOD_OTP,
                                           .is_pooled = true,
                                           .drawn_wall = key.drawn_wall});
    crypto_wipe(bytes, (size_t)kma->config->unit_bits / 8 * key.keys + WIRE_COMPARE_LEN);
    km_secbuf_give(&kma->bufs, &key.buf);
    life_key(s, &key.id, WIRE_ACTION_SUPPLY, 0);
}

bool kma_ahead_serve(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_need *need = qkd_slab_at(&kma->needs, slot);
    const struct kma_flow *flow = qkd_slab_at(&kma->flows, need->flow);
    uint32_t count = need->count;
    bool fits = kma->config->pooled && !need->is_ahead && flow->relay == WIRE_RELAY_HOP_BY_HOP &&
                need->key_size == kma->config->unit_bits &&
                kma_link_of(kma, need->destination) == NULL; /* neighbours have pools anyway */
    struct kma_ahead *pool = fits ? pool_get(kma, need->destination) : NULL;
    if (pool == NULL) {
        return false;
    }
    expire(s, pool);
    each_learn(kma, pool, count);
    uint32_t index = (uint32_t)qkd_map_get(&kma->ahead_map, &pool->destination.v);
    bool served = can_serve(kma, pool, count);
    while (served && count > 0) {
        count -= key_at(kma, pool->first)->keys;
        entry_supply(s, slot, pool);
        pool = ahead_at(kma, index);
    }
    refill(s, pool);
    return served;
}

/* ---- time and restarts ---- */

void kma_ahead_tick(const struct kma_step *s)
{
    for (uint32_t i = 0; s->kma->aheads.live > 0 && i < s->kma->aheads.top; i++) {
        if (qkd_slab_live(&s->kma->aheads, i)) {
            expire(s, ahead_at(s->kma, i));
            refill(s, ahead_at(s->kma, i));
        }
    }
}

void kma_ahead_void(const struct kma_step *s, struct qkd_eid destination)
{
    struct kma_ahead *pool = pool_find(s->kma, destination);
    if (pool != NULL) {
        drop_all(s, pool);
    }
}

void kma_ahead_peer(const struct kma_step *s, struct qkd_eid peer, uint32_t incarnation)
{
    struct kma_ahead *pool = pool_find(s->kma, peer);
    if (pool != NULL && pool->incarnation != incarnation) {
        drop_all(s, pool); /* it lost its copies, or we do not know */
    }
    if (pool != NULL) {
        pool->incarnation = incarnation;
    }
}
