/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: the bytes of each QKD-key block, who owns them, what became of them (rules 1 and 2). A
 * block is a list of segments; used and given up bytes merge, so that the list stays short. */
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "watch/oracle_state.h"

enum { FIRST_CAP = 8, FIRST_SEGMENTS = WATCH_ORC_ASKS_END / WIRE_FRAME_TAG_LEN + 2 };

/* ---- blocks ---- */

struct watch_orc_block *watch_orc_block_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->blocks, slot);
}

static void number_key(uint32_t link, uint32_t number, uint8_t key[8])
{
    memcpy(key, &link, sizeof link);
    memcpy(key + 4, &number, sizeof number);
}

uint32_t watch_orc_block_find(const struct watch_oracle *o, uint32_t link, uint32_t number)
{
    if (number == 0) {
        return o->links[link].boot_block;
    }
    uint8_t key[8];
    number_key(link, number, key);
    uint32_t slot = qkd_map_get(&o->block_by_number, key);
    return slot == QKD_MAP_NONE ? QKD_SLAB_NONE : slot;
}

static bool block_fill(struct watch_orc_block *block, const struct wire_q_block *from)
{
    block->digest = watch_orc_hash(from->key.at, from->key.len);
    if (from->form == 1 && from->key.len == sizeof block->seed) {
        memcpy(block->seed, from->key.at, sizeof block->seed);
        return true;
    }
    if (from->form != 0 || from->key.len != block->bytes) {
        return false;
    }
    block->bits = malloc(block->bytes > 0 ? block->bytes : 1);
    if (block->bits == NULL) {
        return false;
    }
    memcpy(block->bits, from->key.at, block->bytes);
    return true;
}

uint32_t watch_orc_block_new(struct watch_oracle *o, uint32_t link, const struct wire_q_block *from)
{
    uint32_t slot = qkd_slab_take(&o->blocks);
    if (slot == QKD_SLAB_NONE) {
        watch_orc_fail(o, "oracle: out of memory for blocks", NULL);
        return slot;
    }
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    block->id = from->qkd_key_id;
    block->link = link;
    block->bytes = from->key_length / 8;
    block->form = from->form;
    block->segment = calloc(FIRST_SEGMENTS, sizeof *block->segment);
    block->chunk = calloc(FIRST_CAP, sizeof *block->chunk);
    block->segment_cap = FIRST_SEGMENTS;
    block->chunk_cap = FIRST_CAP;
    if (!block_fill(block, from) || block->segment == NULL || block->chunk == NULL) {
        watch_orc_fail(o, "oracle: a block of the optics is malformed, or no memory for it",
                       &(struct watch_orc_scene){.link = link, .id = &from->qkd_key_id});
        watch_orc_block_free(o, slot);
        return QKD_SLAB_NONE;
    }
    return slot;
}

void watch_orc_block_free(struct watch_oracle *o, uint32_t slot)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    struct watch_orc_link *link = &o->links[block->link];
    if (qkd_map_get(&o->block_by_id, &block->id) == slot) {
        (void)qkd_map_del(&o->block_by_id, &block->id);
    }
    if (link->boot_block == slot) {
        link->boot_block = QKD_SLAB_NONE;
    } else if (block->number != 0) {
        uint8_t key[8];
        number_key(block->link, block->number, key);
        (void)qkd_map_del(&o->block_by_number, key);
    }
    if (block->bits != NULL) {
        crypto_wipe(block->bits, block->bytes);
    }
    free(block->bits);
    free(block->segment);
    free(block->chunk);
    free(block->given);
    qkd_slab_give(&o->blocks, slot);
}

void watch_orc_block_name(struct watch_oracle *o, uint32_t slot, uint32_t number)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    uint8_t key[8];
    if (block->number != 0 && block->number != number) {
        number_key(block->link, block->number, key);
        (void)qkd_map_del(&o->block_by_number, key);
    }
    block->number = number;
    number_key(block->link, number, key);
    if (number != 0 && qkd_map_put(&o->block_by_number, key, slot) != 0) {
        watch_orc_fail(o, "oracle: out of memory for blocks", NULL);
    }
}

void watch_orc_block_halve(struct watch_oracle *o, uint32_t slot, uint32_t number, uint32_t first,
                           uint32_t mid)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    watch_orc_block_name(o, slot, number);
    block->answered = true;
    uint32_t at = first;
    for (; at < block->asks_end; at += WIRE_FRAME_TAG_LEN) { /* questions took it, or a crash */
        bool used = (block->asks >> at / WIRE_FRAME_TAG_LEN & 1U) != 0;
        uint8_t kind = used ? WATCH_ORC_USED : WATCH_ORC_DROPPED;
        struct watch_orc_segment *last = &block->segment[block->segments];
        if (block->segments > 0 && last[-1].kind == kind) {
            last[-1].end += WIRE_FRAME_TAG_LEN;
        } else {
            block->segment[block->segments++] =
                (struct watch_orc_segment){at, at + WIRE_FRAME_TAG_LEN, kind, 0};
        }
        block->dropped_ns = used ? block->dropped_ns : o->now_ns;
    }
    struct watch_orc_segment halves[2] = {{at, mid, WATCH_ORC_FREE, 0},
                                          {mid, block->bytes, WATCH_ORC_FREE, 1}};
    for (int i = 0; i < 2; i++) {
        if (halves[i].start < halves[i].end) {
            block->segment[block->segments++] = halves[i];
        }
    }
}

uint32_t watch_orc_asked_bytes(const struct watch_orc_block *block)
{
    uint32_t count = 0;
    for (uint32_t rest = block->asks; rest != 0; rest &= rest - 1) {
        count++;
    }
    return count * WIRE_FRAME_TAG_LEN;
}

void watch_orc_block_answer(struct watch_oracle *o, uint32_t slot, uint32_t number)
{
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    struct watch_orc_link *link = &o->links[block->link];
    uint32_t half = block->bytes / 2;
    link->highest = number > link->highest ? number : link->highest;
    watch_orc_block_halve(o, slot, number, 0, half - half % o->unit_bytes);
}

void watch_orc_block_confirmed(struct watch_oracle *o, uint32_t slot)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < block->segments; i++) {
        const struct watch_orc_segment *s = &block->segment[i];
        bytes += s->kind == WATCH_ORC_FREE ? s->end - s->start : 0;
    }
    block->confirmed = true;
    struct watch_orc_link *link = &o->links[block->link];
    for (uint32_t side = 0; side < 2; side++) { /* who has lost the block gets no tag by it */
        link->side[side].mute = link->side[side].mute && (block->stored >> side & 1) == 0;
    }
    watch_orc_move(link, WATCH_ORC_IN_FLIGHT, WATCH_ORC_STORED, bytes);
}

void watch_orc_block_shown(struct watch_oracle *o, uint32_t link, uint32_t side, uint32_t number)
{
    uint32_t slot = side == 1 ? watch_orc_block_find(o, link, number) : QKD_SLAB_NONE;
    if (slot != QKD_SLAB_NONE) {
        const struct watch_orc_block *block = watch_orc_block_at(o, slot);
        if (block->answered && !block->confirmed) {
            watch_orc_block_confirmed(o, slot);
        }
    }
}

void watch_orc_block_settle(struct watch_oracle *o, uint32_t slot)
{
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    for (uint32_t i = 0; i < block->segments; i++) {
        if (block->segment[i].kind < WATCH_ORC_USED) {
            return;
        }
    }
    if (block->answered && o->deleted_count == 0) {
        watch_orc_block_free(o, slot);
    }
}

void watch_orc_block_read(const struct watch_orc_block *block, uint32_t offset, uint8_t *to,
                          size_t len)
{
    if (block->form == 0) {
        memcpy(to, block->bits + offset, len);
    } else {
        crypto_expand(to, block->seed, offset, len);
    }
}

/* ---- segments ---- */

const struct watch_orc_segment *watch_orc_segment_at(const struct watch_orc_block *block,
                                                     uint32_t offset)
{
    for (uint32_t i = 0; i < block->segments; i++) {
        const struct watch_orc_segment *s = &block->segment[i];
        if (offset >= s->start && offset < s->end) {
            return s;
        }
    }
    return NULL;
}

/* Makes `at` a boundary of segments; false without memory. */
static bool split(struct watch_orc_block *block, uint32_t at)
{
    for (uint32_t i = 0; i < block->segments; i++) {
        struct watch_orc_segment *s = &block->segment[i];
        if (at <= s->start || at >= s->end) {
            continue;
        }
        if (block->segments == block->segment_cap) {
            uint32_t cap = 2 * block->segment_cap;
            struct watch_orc_segment *grown = realloc(block->segment, cap * sizeof *grown);
            if (grown == NULL) {
                return false;
            }
            block->segment = grown;
            block->segment_cap = cap;
            s = &block->segment[i];
        }
        memmove(s + 1, s, (block->segments - i) * sizeof *s);
        block->segments++;
        s[0].end = at;
        s[1].start = at;
        return true;
    }
    return true;
}

static void merge(struct watch_orc_block *block)
{
    uint32_t to = 0;
    for (uint32_t i = 1; i < block->segments; i++) {
        const struct watch_orc_segment *s = &block->segment[i];
        struct watch_orc_segment *last = &block->segment[to];
        if (s->start == last->end && s->kind == last->kind && s->side == last->side) {
            last->end = s->end;
        } else {
            block->segment[++to] = *s;
        }
    }
    block->segments = block->segments > 0 ? to + 1 : 0;
}

/* The class of bytes in the ledger. Used bytes are in flight until their frame is delivered; gone
 * ones are settled by paint(). */
static uint8_t class_of(const struct watch_orc_block *block, uint8_t kind)
{
    return kind == WATCH_ORC_FREE && block->confirmed ? WATCH_ORC_STORED : WATCH_ORC_IN_FLIGHT;
}

static void account(struct watch_oracle *o, const struct watch_orc_block *block,
                    const struct watch_orc_paint *p, uint64_t bytes)
{
    struct watch_orc_link *link = &o->links[block->link];
    uint8_t to = class_of(block, p->to_kind);
    if (p->to_kind == WATCH_ORC_GONE) {
        to = p->kind == WATCH_ORC_SKIP_EXPIRED ? WATCH_ORC_EXPIRED : WATCH_ORC_DISCARDED;
        link->settled[to] += bytes;
    }
    watch_orc_move(link, class_of(block, p->kind), to, bytes);
}

uint32_t watch_orc_paint(struct watch_oracle *o, struct watch_orc_block *block,
                         const struct watch_orc_paint *p)
{
    uint32_t bytes = 0;
    if (p->start >= p->end) {
        return 0;
    }
    if (!split(block, p->start) || !split(block, p->end)) {
        watch_orc_fail(o, "oracle: out of memory for segments", NULL);
        return 0;
    }
    for (uint32_t i = 0; i < block->segments; i++) {
        struct watch_orc_segment *s = &block->segment[i];
        if (s->start >= p->start && s->end <= p->end && s->kind == p->kind && s->side == p->side) {
            bytes += s->end - s->start;
            s->kind = p->to_kind;
            s->side = p->to_side;
        }
    }
    merge(block);
    account(o, block, p, bytes);
    if (bytes > 0 && p->to_kind == WATCH_ORC_DROPPED) {
        block->dropped_ns = o->now_ns;
    }
    return bytes;
}

/* ---- use by a frame ---- */

static const char *misuse(const struct watch_orc_segment *s, uint32_t side)
{
    if (s == NULL) {
        return "rule 1: pad range outside its block";
    }
    switch ((enum watch_orc_kind)s->kind) {
    case WATCH_ORC_USED:
        return "rule 2: pad reuse";
    case WATCH_ORC_FREE:
        return "rule 1: pad of the other owner";
    case WATCH_ORC_GRANTED:
        return s->side == side ? "rule 1: pad used after it was granted away"
                               : "rule 1: pad used before its GRANT arrived";
    case WATCH_ORC_DROPPED:
        return "rule 2: pad of a lease that a crash made void, or of a deleted chunk";
    case WATCH_ORC_SKIP_EXPIRED:
    case WATCH_ORC_SKIP_DISCARDED:
    case WATCH_ORC_GONE:
        break;
    }
    return "rule 1: pad used after it was given up";
}

/* What is wrong with the use of a range that is not one free segment of `side`. */
static const char *diagnose(const struct watch_orc_block *block, uint32_t side,
                            const struct wire_frame *frame)
{
    uint32_t at = frame->offset;
    uint32_t end = frame->offset + frame->length;
    while (at < end) {
        const struct watch_orc_segment *s = watch_orc_segment_at(block, at);
        if (s == NULL || s->kind != WATCH_ORC_FREE || s->side != side) {
            return misuse(s, side);
        }
        at = s->end;
    }
    return NULL;
}

/* The common case: the range begins a free segment right behind used bytes of the same owner. */
static bool use_next(struct watch_orc_block *block, uint32_t side, uint32_t start, uint32_t end)
{
    for (uint32_t i = 1; i < block->segments; i++) {
        struct watch_orc_segment *s = &block->segment[i];
        if (s->start != start) {
            continue;
        }
        struct watch_orc_segment *before = s - 1;
        if (s->kind == WATCH_ORC_FREE && s->side == side && s->end > end &&
            before->kind == WATCH_ORC_USED && before->side == side && before->end == start) {
            before->end = s->start = end;
            return true;
        }
        return false;
    }
    return false;
}

static void lease_check(struct watch_oracle *o, const struct watch_orc_block *block, uint32_t side,
                        const struct watch_orc_scene *scene)
{
    bool leased = false;
    for (uint32_t i = 0; i < block->chunks && !leased; i++) {
        const struct watch_orc_chunk *c = &block->chunk[i];
        leased = c->side == side && c->mine && scene->start >= c->start && scene->end <= c->end &&
                 (c->deleted || scene->end <= c->lease);
    }
    (void)watch_orc_check(o, leased, "rule 2: pad used outside its persisted lease", scene);
}

bool watch_orc_ask(struct watch_oracle *o, const struct wire_frame *frame,
                   const struct watch_orc_scene *scene)
{
    uint32_t slot = watch_orc_block_find(o, frame->link, frame->block);
    struct watch_orc_block *block = slot == QKD_SLAB_NONE ? NULL : watch_orc_block_at(o, slot);
    uint32_t end = frame->offset + WIRE_FRAME_TAG_LEN;
    bool shape = block != NULL && frame->length == WIRE_FRAME_TAG_LEN &&
                 frame->offset % WIRE_FRAME_TAG_LEN == 0 && end <= WATCH_ORC_ASKS_END &&
                 end <= block->bytes / 2;
    if (!watch_orc_check(o, shape, "rule 1: question under pads that are not its block's first",
                         scene) ||
        !watch_orc_check(o, frame->offset >= block->asks_end, "rule 2: pad reuse", scene)) {
        return false;
    }
    lease_check(o, block, 0, scene);
    block->asks_end = end;
    if (block->answered) { /* and the answer is not here yet */
        struct watch_orc_paint paint = {
            .start = frame->offset, .end = end, .kind = WATCH_ORC_FREE, .to_kind = WATCH_ORC_USED};
        return watch_orc_paint(o, block, &paint) == WIRE_FRAME_TAG_LEN;
    }
    if (!block->generated) { /* one module has it only: not in the books yet */
        return false;
    }
    if (block->lost) { /* the other end has refused it: this much of it was a tag all the same */
        struct watch_orc_link *link = &o->links[frame->link];
        watch_orc_move(link, WATCH_ORC_DISCARDED, WATCH_ORC_IN_FLIGHT, WIRE_FRAME_TAG_LEN);
        link->settled[WATCH_ORC_DISCARDED] -= WIRE_FRAME_TAG_LEN;
    }
    block->asks |= 1U << frame->offset / WIRE_FRAME_TAG_LEN;
    return true;
}

bool watch_orc_use(struct watch_oracle *o, uint32_t side, const struct wire_frame *frame,
                   const struct watch_orc_scene *scene)
{
    uint32_t slot = watch_orc_block_find(o, frame->link, frame->block);
    o->verdict.checks++;
    if (slot == QKD_SLAB_NONE || !watch_orc_block_at(o, slot)->answered) {
        watch_orc_fail(o, "rule 1: pads of a block that is not confirmed, or is used up", scene);
        return false;
    }
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    uint32_t end = frame->offset + frame->length;
    if (side == 0 && !block->confirmed) {
        watch_orc_fail(o, "rule 1: pads used before the other KMA confirmed the block", scene);
    }
    lease_check(o, block, side, scene);
    struct watch_orc_link *link = &o->links[frame->link];
    if (use_next(block, side, frame->offset, end)) {
        watch_orc_move(link, class_of(block, WATCH_ORC_FREE), WATCH_ORC_IN_FLIGHT, frame->length);
        return true;
    }
    const char *wrong = diagnose(block, side, frame);
    if (wrong != NULL) {
        watch_orc_fail(o, wrong, scene);
        return false;
    }
    struct watch_orc_paint paint = {.start = frame->offset,
                                    .end = end,
                                    .kind = WATCH_ORC_FREE,
                                    .side = (uint8_t)side,
                                    .to_kind = WATCH_ORC_USED,
                                    .to_side = (uint8_t)side};
    (void)watch_orc_paint(o, block, &paint);
    watch_orc_block_settle(o, slot);
    return true;
}
