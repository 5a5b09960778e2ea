/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: the frames that govern blocks: CONFIRM, GRANT, SKIP (rule 1). What one says takes effect
 * for its sender when it is sent, for its receiver when it is delivered. Key files are here too,
 * as nobody confirms what it was not given. */
#include <stdlib.h>

#include "watch/oracle_state.h"

/* ---- reading ---- */

bool watch_orc_control_read(const struct wire_frame *frame, struct watch_orc_mail *mail)
{
    struct wire_confirm_body confirm;
    struct wire_sync_item item;
    struct wire_grant_body grant;
    struct wire_skip_body skip;
    switch ((enum wire_frame_type)frame->type) {
    case WIRE_FRAME_CONFIRM:
        if (wire_confirm_body_decode(&confirm, frame->body, frame->body_len) !=
                (int)frame->body_len ||
            wire_sync_item_decode(&item, confirm.sync.at, confirm.sync.len) <= 0) {
            return false;
        }
        mail->id = item.id;
        mail->block = confirm.block;
        mail->end = item.length / 8;
        mail->detail = confirm.answer;
        return item.length % 8 == 0;
    case WIRE_FRAME_GRANT:
        if (wire_grant_body_decode(&grant, frame->body, frame->body_len) <= 0) {
            return false;
        }
        mail->block = grant.block;
        mail->start = grant.start;
        mail->end = grant.end;
        mail->turn = grant.turn;
        return grant.start < grant.end;
    case WIRE_FRAME_SKIP:
        if (wire_skip_body_decode(&skip, frame->body, frame->body_len) <= 0) {
            return false;
        }
        mail->block = skip.block;
        mail->start = skip.start;
        mail->end = skip.end;
        mail->detail = skip.reason == WIRE_REASON_EXPIRED ? WATCH_ORC_SKIP_EXPIRED
                                                          : WATCH_ORC_SKIP_DISCARDED;
        return skip.start <= skip.end;
    case WIRE_FRAME_RELAY:
    case WIRE_FRAME_TAKE:
        break;
    }
    return true;
}

/* ---- sent ---- */

static void confirm_asked(struct watch_oracle *o, const struct watch_orc_sight *s, uint32_t slot,
                          uint32_t number)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    uint32_t holder = watch_orc_block_find(o, s->frame.link, number);
    bool fresh = number != 0 && (holder == QKD_SLAB_NONE || holder == slot);
    (void)watch_orc_check(o, fresh, "rule 1: block number used twice", &s->scene);
    (void)watch_orc_check(o, (block->filed & 1U) != 0,
                          "rule 1: block confirmed by a KMA that was not given it", &s->scene);
    block->asked = number;
}

static void confirm_answered(struct watch_oracle *o, const struct watch_orc_sight *s, uint32_t slot,
                             uint32_t number)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (block->answered) {
        (void)watch_orc_check(o, block->number == number, "rule 1: block confirmed by two numbers",
                              &s->scene);
        return;
    }
    (void)watch_orc_check(o, (block->filed & 2U) != 0,
                          "rule 1: block confirmed by a KMA that was not given it", &s->scene);
    if (!watch_orc_check(o, number != 0 && block->asked_received == number && !block->lost,
                         "rule 1: answer to a confirmation that was not asked", &s->scene)) {
        return;
    }
    watch_orc_block_answer(o, slot, number);
}

static void confirm_new(struct watch_oracle *o, struct watch_orc_sight *s,
                        const struct watch_orc_mail *mail)
{
    if (!watch_orc_check(o, mail->detail == s->side, "rule 1: CONFIRM from the wrong end",
                         &s->scene)) {
        return;
    }
    s->scene.id = &mail->id;
    uint32_t slot = qkd_map_get(&o->block_by_id, &mail->id);
    if (slot == QKD_MAP_NONE) { /* an answer may be given again after the block is used up */
        bool old = mail->detail == 1 && mail->block <= o->links[s->frame.link].highest;
        (void)watch_orc_check(o, old, "rule 1: confirmation of a block never generated", &s->scene);
        return;
    }
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (watch_orc_check(o, block->link == s->frame.link && mail->end == block->bytes,
                        "rule 1: confirmation of another length or link", &s->scene)) {
        (mail->detail == 0 ? confirm_asked : confirm_answered)(o, s, slot, mail->block);
    }
}

/* Whether some byte of [start, end) is (kind, side). */
static bool holds(const struct watch_orc_block *block, const struct watch_orc_segment *what)
{
    for (uint32_t i = 0; i < block->segments; i++) {
        const struct watch_orc_segment *g = &block->segment[i];
        if (g->start < what->end && what->start < g->end && g->kind == what->kind &&
            g->side == what->side) {
            return true;
        }
    }
    return false;
}

/* Whether a GRANT is the first of its kind; it is remembered then. */
static bool given_add(struct watch_oracle *o, struct watch_orc_block *block,
                      const struct watch_orc_mail *mail)
{
    for (uint32_t i = 0; i < block->givens; i++) {
        const struct watch_orc_given *g = &block->given[i];
        if (g->start == mail->start && g->end == mail->end && g->turn == mail->turn &&
            g->side == mail->side) {
            return false;
        }
    }
    if (block->givens == block->given_cap) {
        uint32_t cap = block->given_cap == 0 ? 4 : 2 * block->given_cap;
        struct watch_orc_given *grown = realloc(block->given, cap * sizeof *grown);
        if (grown == NULL) {
            watch_orc_fail(o, "oracle: out of memory for GRANTs", NULL);
            return false;
        }
        block->given = grown;
        block->given_cap = cap;
    }
    block->given[block->givens++] = (struct watch_orc_given){mail->start, mail->end, mail->turn,
                                                             mail->side};
    return true;
}

static void grant_new(struct watch_oracle *o, const struct watch_orc_sight *s,
                      const struct watch_orc_mail *mail, struct watch_orc_block *block)
{
    if (!given_add(o, block, mail)) {
        return;
    }
    struct watch_orc_segment own = {mail->start, mail->end, WATCH_ORC_USED, mail->side};
    (void)watch_orc_check(o, !holds(block, &own), "rule 1: GRANT of bytes that its sender used",
                          &s->scene);
    struct watch_orc_paint paint = {.start = mail->start,
                                    .end = mail->end,
                                    .kind = WATCH_ORC_FREE,
                                    .side = mail->side,
                                    .to_kind = WATCH_ORC_GRANTED,
                                    .to_side = mail->side};
    (void)watch_orc_paint(o, block, &paint);
}

/* Whether all that the other end owns of a range was given to it by GRANTs of `side`. */
static bool all_given(const struct watch_orc_block *block, const struct watch_orc_mail *mail)
{
    for (uint32_t i = 0; i < block->segments; i++) {
        const struct watch_orc_segment *s = &block->segment[i];
        uint32_t start = s->start > mail->start ? s->start : mail->start;
        uint32_t end = s->end < mail->end ? s->end : mail->end;
        bool given = start >= end || s->kind != WATCH_ORC_FREE || s->side == mail->side;
        for (uint32_t g = 0; g < block->givens && !given; g++) {
            const struct watch_orc_given *by = &block->given[g];
            given = by->side == mail->side && by->start <= start && end <= by->end;
        }
        if (!given) {
            return false;
        }
    }
    return true;
}

static void skip_new(struct watch_oracle *o, const struct watch_orc_sight *s,
                     const struct watch_orc_mail *mail, struct watch_orc_block *block)
{
    struct watch_orc_segment other = {mail->start, mail->end, WATCH_ORC_FREE,
                                      (uint8_t)(1U - mail->side)};
    /* Who lost its store does not know what it gave; nor does the other end, if it asks for it. */
    bool forgot = o->links[block->link].side[mail->side].lost && all_given(block, mail);
    (void)watch_orc_check(o, forgot || !holds(block, &other),
                          "rule 1: SKIP of bytes of the other owner", &s->scene);
    struct watch_orc_paint paint = {.start = mail->start,
                                    .end = mail->end,
                                    .kind = WATCH_ORC_FREE,
                                    .side = mail->side,
                                    .to_kind = mail->detail,
                                    .to_side = mail->side};
    (void)watch_orc_paint(o, block, &paint);
    paint.kind = WATCH_ORC_DROPPED;
    (void)watch_orc_paint(o, block, &paint);
}

void watch_orc_control_new(struct watch_oracle *o, struct watch_orc_sight *s,
                           const struct watch_orc_mail *mail)
{
    if (mail->type == WIRE_FRAME_CONFIRM) {
        confirm_new(o, s, mail);
        s->scene.id = NULL;
        return;
    }
    uint32_t slot = watch_orc_block_find(o, mail->link, mail->block);
    if (slot != QKD_SLAB_NONE) { /* else: said again after the block was used up */
        (mail->type == WIRE_FRAME_GRANT ? grant_new : skip_new)(o, s, mail,
                                                                watch_orc_block_at(o, slot));
    }
}

/* ---- delivered ---- */

static void confirm_meant(struct watch_oracle *o, const struct watch_orc_mail *mail)
{
    uint32_t slot = qkd_map_get(&o->block_by_id, &mail->id);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (mail->detail == 0) {
        block->asked_received = mail->block;
    } else if (block->answered && !block->confirmed && block->number == mail->block) {
        watch_orc_block_confirmed(o, slot);
    }
}

static void skip_meant(struct watch_oracle *o, const struct watch_orc_mail *mail, uint32_t slot)
{
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    struct watch_orc_paint paint = {
        .start = mail->start, .end = mail->end, .side = mail->side, .to_kind = WATCH_ORC_GONE};
    for (int kind = WATCH_ORC_SKIP_EXPIRED; kind <= WATCH_ORC_SKIP_DISCARDED; kind++) {
        paint.kind = (uint8_t)kind;
        (void)watch_orc_paint(o, block, &paint);
    }
    watch_orc_block_settle(o, slot);
}

void watch_orc_control_meant(struct watch_oracle *o, const struct watch_orc_mail *mail)
{
    if (mail->type == WIRE_FRAME_CONFIRM) {
        confirm_meant(o, mail);
        return;
    }
    if (mail->type == WIRE_FRAME_SKIP) {
        struct watch_orc_range range = {mail->block, mail->start, mail->end};
        watch_orc_frame_close(o, mail->link, mail->side, &range);
    }
    uint32_t slot = watch_orc_block_find(o, mail->link, mail->block);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    /* Who gives or gives up some of a block has confirmed it, also when its answer was lost. */
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (mail->side == 1 && block->answered && !block->confirmed) {
        watch_orc_block_confirmed(o, slot);
    }
    if (mail->type == WIRE_FRAME_SKIP) {
        skip_meant(o, mail, slot);
    } else if (mail->type == WIRE_FRAME_GRANT) {
        struct watch_orc_paint paint = {.start = mail->start,
                                        .end = mail->end,
                                        .kind = WATCH_ORC_GRANTED,
                                        .side = mail->side,
                                        .to_kind = WATCH_ORC_FREE,
                                        .to_side = (uint8_t)(1U - mail->side)};
        (void)watch_orc_paint(o, watch_orc_block_at(o, slot), &paint);
    }
}

/* ---- key files ---- */

void watch_orc_key_file(struct watch_oracle *o, const struct qkd_send *send,
                        const uint8_t *observed)
{
    struct wire_key_file file;
    if (wire_key_file_decode(&file, observed, send->observed.len) != 0) {
        return;
    }
    uint32_t side = watch_orc_side_of(o, file.link, send->to);
    uint32_t slot = qkd_map_get(&o->block_by_id, &file.qkd_key_id);
    if (side > 1 || slot == QKD_MAP_NONE) {
        return; /* a file sent again after its block was used up */
    }
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    struct watch_orc_scene scene = {
        .from = send->from, .to = send->to, .link = file.link, .id = &file.qkd_key_id};
    bool same = block->link == file.link && block->form == file.form &&
                block->digest == watch_orc_hash(file.key.at, file.key.len) &&
                (!file.has_key_length || file.key_length == block->bytes * 8);
    if (watch_orc_check(o, same, "rule 1: key file differs from what the optics gave", &scene)) {
        block->filed |= (uint8_t)(1U << side);
    }
}
