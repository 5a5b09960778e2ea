/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: what KMAs persist of blocks and chunks. Leases are read from it: a byte is used only
 * inside a persisted lease, and what a lease reserved before a crash is never used after it (rule
 * 2). It also tells what an owner gave up without a word, and what the other end cannot receive any
 * more, which the ledger needs (rule 6). */
#include <stdlib.h>

#include "core/crypto/crypto.h"
#include "watch/oracle_state.h"

enum { FIRST_CAP = 8 };

/* ---- what the owner gave up ---- */

/* The first byte at or after `at` that `side` may still receive pads of, and where that ends. */
static uint32_t receivable(const struct watch_orc_block *block, uint32_t side, uint32_t at,
                           uint32_t *end)
{
    uint32_t best = UINT32_MAX;
    *end = UINT32_MAX;
    for (uint32_t i = 0; i < block->chunks; i++) {
        const struct watch_orc_chunk *c = &block->chunk[i];
        uint32_t from = c->start > c->empty ? c->start : c->empty;
        from = from > at ? from : at;
        if (c->side == side && !c->mine && from < c->end && from < best) {
            best = from;
            *end = c->end;
        }
    }
    return best;
}

void watch_orc_follow(struct watch_oracle *o, uint32_t slot)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    bool again = block->confirmed;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < block->segments && !again; i++) {
            struct watch_orc_segment s = block->segment[i];
            if (s.kind < WATCH_ORC_DROPPED || s.kind > WATCH_ORC_SKIP_DISCARDED) {
                continue;
            }
            struct watch_orc_paint paint = {
                .start = s.start, .kind = s.kind, .side = s.side, .to_kind = WATCH_ORC_GONE};
            for (uint32_t at = s.start; at < s.end && !again;) {
                uint32_t open_end;
                uint32_t open = receivable(block, 1U - s.side, at, &open_end);
                paint.start = at;
                paint.end = open < s.end ? open : s.end;
                again = watch_orc_paint(o, block, &paint) > 0; /* segments moved: begin anew */
                at = open_end;
            }
        }
    }
    watch_orc_block_settle(o, slot);
}

/* ---- records of KMAs ---- */

static struct watch_orc_chunk *chunk_find(struct watch_orc_block *block, uint32_t side,
                                          uint32_t start)
{
    for (uint32_t i = 0; i < block->chunks; i++) {
        if (block->chunk[i].side == side && block->chunk[i].start == start) {
            return &block->chunk[i];
        }
    }
    return NULL;
}

static struct watch_orc_chunk *chunk_add(struct watch_oracle *o, struct watch_orc_block *block)
{
    if (block->chunks == block->chunk_cap) {
        uint32_t cap = block->chunk_cap == 0 ? FIRST_CAP : 2 * block->chunk_cap;
        struct watch_orc_chunk *grown = realloc(block->chunk, cap * sizeof *grown);
        if (grown == NULL) {
            watch_orc_fail(o, "oracle: out of memory for chunks", NULL);
            return NULL;
        }
        block->chunk = grown;
        block->chunk_cap = cap;
    }
    return &block->chunk[block->chunks++];
}

static void deleted_add(struct watch_oracle *o, uint32_t slot, const struct watch_orc_chunk *c)
{
    if (o->deleted_count == o->deleted_cap) {
        uint32_t cap = o->deleted_cap == 0 ? FIRST_CAP : 2 * o->deleted_cap;
        struct watch_orc_deleted *grown = realloc(o->deleted, cap * sizeof *grown);
        if (grown == NULL) {
            watch_orc_fail(o, "oracle: out of memory for chunks", NULL);
            return;
        }
        o->deleted = grown;
        o->deleted_cap = cap;
    }
    o->deleted[o->deleted_count++] = (struct watch_orc_deleted){
        .block = slot, .start = c->start, .end = c->end, .side = c->side};
    o->deleted_ns = o->now_ns;
}

void watch_orc_flush(struct watch_oracle *o)
{
    uint32_t count = o->deleted_count;
    o->deleted_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct watch_orc_deleted d = o->deleted[i];
        if (!qkd_slab_live(&o->blocks, d.block)) {
            continue;
        }
        struct watch_orc_block *block = watch_orc_block_at(o, d.block);
        struct watch_orc_chunk *c = chunk_find(block, d.side, d.start);
        if (c != NULL && c->deleted) {
            *c = block->chunk[--block->chunks];
        }
        struct watch_orc_paint paint = {.start = d.start,
                                        .end = d.end,
                                        .kind = WATCH_ORC_FREE,
                                        .side = d.side,
                                        .to_kind = WATCH_ORC_DROPPED,
                                        .to_side = d.side};
        (void)watch_orc_paint(o, block, &paint);
    }
    for (uint32_t i = 0; i < count; i++) { /* a block may stand in the list more than once */
        if (qkd_slab_live(&o->blocks, o->deleted[i].block)) {
            watch_orc_follow(o, o->deleted[i].block);
        }
    }
}

static void chunk_put(struct watch_oracle *o, struct watch_orc_block *block, uint32_t side,
                      const struct wire_p_chunk *record)
{
    struct watch_orc_chunk *c = chunk_find(block, side, record->start);
    if (c == NULL) {
        c = chunk_add(o, block);
        if (c == NULL) {
            return;
        }
        c->empty = 0;
    } else if (c->mine != (record->mine != 0)) {
        c->empty = 0;
    }
    c->start = record->start;
    c->end = record->end;
    c->lease = record->lease;
    c->side = (uint8_t)side;
    c->mine = record->mine != 0;
    c->deleted = false;
}

static void chunk_delete(struct watch_oracle *o, uint32_t slot, uint32_t side, uint32_t start)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    struct watch_orc_chunk *c = chunk_find(block, side, start);
    if (c == NULL) {
        return;
    }
    if (c->mine) { /* frames of the same step may still use it: see watch_orc_flush() */
        c->deleted = true;
        deleted_add(o, slot, c);
        return;
    }
    struct watch_orc_range range = {block->number, c->start, c->end};
    /* What its owner has lost and cannot SKIP it tells by HELLO: nobody waits for it any more. */
    struct watch_orc_paint paint = {.start = c->start,
                                    .end = c->end,
                                    .kind = WATCH_ORC_DROPPED,
                                    .side = (uint8_t)(1U - side),
                                    .to_kind = WATCH_ORC_GONE,
                                    .to_side = (uint8_t)(1U - side)};
    *c = block->chunk[--block->chunks];
    (void)watch_orc_paint(o, block, &paint);
    watch_orc_frame_close(o, block->link, 1U - side, &range);
    watch_orc_follow(o, slot);
}

void watch_orc_persist_chunk(struct watch_oracle *o, const struct qkd_persist *entry,
                             const uint8_t *value)
{
    if (entry->key_len != 12) {
        return;
    }
    uint32_t link = wire_get_u32(entry->key);
    uint32_t number = wire_get_u32(entry->key + 4);
    uint32_t side = watch_orc_side_of(o, link, entry->owner);
    struct watch_orc_scene scene = {.from = entry->owner, .link = link, .block = number};
    if (!watch_orc_check(o, side < 2, "rule 1: chunk record of a link that is not the KMA's",
                         &scene)) {
        return;
    }
    struct watch_orc_side *own = &o->links[link].side[side];
    own->lost = own->lost || o->losing;
    own->mute = own->mute || o->losing;
    uint32_t slot = watch_orc_block_find(o, link, number);
    if (slot == QKD_SLAB_NONE) {
        return; /* used up, or not answered: its use would fail */
    }
    if (entry->del) {
        chunk_delete(o, slot, side, wire_get_u32(entry->key + 8));
        return;
    }
    struct wire_p_chunk record;
    if (wire_p_chunk_decode(&record, value, entry->value.len) > 0) {
        chunk_put(o, watch_orc_block_at(o, slot), side, &record);
    }
}

/* It can never be confirmed. Its ID stays known: the other end may still have it. */
static void block_lost(struct watch_oracle *o, struct watch_orc_block *block)
{
    struct watch_orc_link *link = &o->links[block->link];
    uint32_t rest = block->bytes - watch_orc_asked_bytes(block); /* what questions took are tags */
    block->lost = true;
    watch_orc_move(link, WATCH_ORC_IN_FLIGHT, WATCH_ORC_DISCARDED, rest);
    link->settled[WATCH_ORC_DISCARDED] += rest;
    if (block->bits != NULL) {
        crypto_wipe(block->bits, block->bytes);
        free(block->bits);
        block->bits = NULL;
    }
}

void watch_orc_persist_block(struct watch_oracle *o, const struct qkd_persist *entry,
                             const uint8_t *value)
{
    struct wire_p_block record;
    if (entry->key_len != 20) {
        return;
    }
    uint32_t slot = qkd_map_get(&o->block_by_id, entry->key + 4);
    uint32_t side = watch_orc_side_of(o, wire_get_u32(entry->key), entry->owner);
    if (slot == QKD_MAP_NONE || side > 1) {
        return;
    }
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (!entry->del) { /* its chunk records may come before its CONFIRM leaves */
        block->stored |= (uint8_t)(1U << side);
        if (!block->answered && wire_p_block_decode(&record, value, entry->value.len) > 0 &&
            (record.confirmed || side == 0) && record.number != 0) {
            block->durable |= side == 1;
            watch_orc_block_name(o, slot, record.number);
        }
        return;
    }
    block->stored &= (uint8_t) ~(1U << side);
    block->forsaken |= o->losing && side == 1 && block->answered && !block->confirmed;
    bool answer_comes = o->losing && side == 0 && block->asked != 0; /* it may be under way */
    if (!block->answered && block->generated && !block->lost && !answer_comes) { /* refused */
        block_lost(o, block);
    }
}

/* ---- crash ---- */

static void chunk_crash(struct watch_oracle *o, uint32_t slot, struct watch_orc_chunk c)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (c.mine) {
        struct watch_orc_paint paint = {.start = c.start,
                                        .end = c.deleted ? c.end : c.lease,
                                        .kind = WATCH_ORC_FREE,
                                        .side = c.side,
                                        .to_kind = WATCH_ORC_DROPPED,
                                        .to_side = c.side};
        (void)watch_orc_paint(o, block, &paint);
    } else {
        struct watch_orc_range range = {block->number, c.start, c.lease};
        watch_orc_frame_close(o, block->link, 1U - c.side, &range);
    }
}

static void block_crash(struct watch_oracle *o, uint32_t slot, uint32_t side, bool modules)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    bool swallowed = side == 1 && (block->stored & 2U) != 0 && block->durable &&
                     block->asked_received == block->number;
    if (!block->answered && swallowed) {
        /* it confirmed durably; the answer was lost with the crash and will be asked for again */
        watch_orc_block_answer(o, slot, block->number);
    }
    for (uint32_t i = 0; !block->answered && side == 0 && i < block->chunks; i++) {
        const struct watch_orc_chunk *c = &block->chunk[i];
        bool more = c->side == 0 && c->mine && c->lease > block->asks_end;
        block->asks_end = more ? c->lease : block->asks_end;
    }
    if (!block->answered) {
        bool kept = ((unsigned)block->stored >> side & 1U) != 0;
        if (modules && !kept && block->generated && !block->lost) { /* it lay in the module only */
            block_lost(o, block);
        }
        return;
    }
    for (uint32_t i = 0; i < block->chunks; i++) {
        struct watch_orc_chunk *c = &block->chunk[i];
        if (c->side == side) {
            c->empty = c->lease > c->empty ? c->lease : c->empty;
            chunk_crash(o, slot, *c);
        }
    }
    watch_orc_follow(o, slot);
}

void watch_orc_block_crash(struct watch_oracle *o, uint32_t node, bool modules)
{
    for (uint32_t i = 0; i < o->blocks.top; i++) {
        if (!qkd_slab_live(&o->blocks, i)) {
            continue;
        }
        const struct watch_orc_link *link = &o->links[watch_orc_block_at(o, i)->link];
        for (uint32_t side = 0; side < 2; side++) {
            if (qkd_eid_node(link->side[side].kma) == node) {
                block_crash(o, i, side, modules);
                break;
            }
        }
    }
}

void watch_orc_module_crash(struct watch_oracle *o, uint32_t link, uint32_t side)
{
    for (uint32_t i = 0; i < o->blocks.top; i++) {
        if (!qkd_slab_live(&o->blocks, i)) {
            continue;
        }
        struct watch_orc_block *block = watch_orc_block_at(o, i);
        /* A file that was sent may have arrived, or arrive yet: such a block stays in flight. */
        bool nowhere = ((unsigned)(block->stored | block->filed) >> side & 1U) == 0;
        if (block->link == link && nowhere && block->generated && !block->answered &&
            !block->lost) {
            block_lost(o, block);
        }
    }
}
