/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: key files from the node's QKD modules at Kq-1 (7.1.1, 7.1.2, Table 7-1 group 1) and their
 * confirmation with the matching KMA at Kx-1, after which both hold the block as chunks (rule 1). */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"
#include "core/km/sync.h"

#include <stdlib.h>
#include <string.h>

#define TRIES_LEFT 8         /* confirmations that tags must pay for after those in flight */
#define ASKS_FLYING 32       /* questions at once that their own blocks pay */
#define BLOCK_NUMBER_BITS 20 /* numbers of one incarnation; the incarnation is above them */

static void acknowledge(const struct kma_step *s, struct qkd_eid module,
                        const struct wire_key_file *file, uint8_t code)
{
    struct wire_key_file_ack ack = {.head = kma_head(s->kma, QKD_RP_KQ1, file->head.message_id),
                                    .qkd_key_id = file->qkd_key_id,
                                    .code = code};
    KMA_SEND(s, key_file_ack, QKD_RP_KQ1, module, &ack);
}

/* Bits of a file that is well formed; 0 if it must be refused. */
static uint32_t file_bits(const struct kma_step *s, const struct kma_link *link,
                          struct qkd_eid module, const struct wire_key_file *file)
{
    bool blind = qkd_is_off(s->kma->config->measures_off, QKD_MEASURE_FILE_CHECK);
    bool ours = qkd_eid_eq(link->module, module) &&
                (!file->has_module_id || qkd_eid_eq(file->module_id, module)) &&
                (!file->has_matching_module_id ||
                 qkd_eid_eq(file->matching_module_id, link->peer_module));
    if ((!ours && !blind) || !file->has_qkd_key_id || file->form > 1) {
        return 0;
    }
    uint64_t bits = file->has_key_length ? file->key_length : (uint64_t)file->key.len * 8;
    bool fits = file->form == 0 ? bits == (uint64_t)file->key.len * 8
                                : file->key.len == 32 && file->has_key_length;
    if (!fits || bits == 0 || bits % 8 != 0 || bits > UINT32_MAX) {
        return 0;
    }
    if (file->has_hash && !blind) {
        uint8_t hash[32];
        struct crypto_part part = {file->key.at, file->key.len};
        if (crypto_sha256(&part, 1, hash) != 0 || !crypto_equal(hash, file->hash.b, sizeof hash)) {
            return 0;
        }
    }
    return (uint32_t)bits;
}

static void life_block(const struct kma_step *s, const struct kma_link *link,
                       const struct km_block *block, uint8_t action)
{
    kma_life(s, &(struct kma_life){.action = action,
                                   .key_class = WIRE_CLASS_QKD,
                                   .id = block->id,
                                   .length_bits = block->bytes * 8,
                                   .source = link->module,
                                   .destination = link->peer_module,
                                   .link = link});
}

uint32_t kma_file_half(const struct kma_step *s, const struct km_block *block)
{
    uint32_t unit = s->kma->config->unit_bits / 8;
    uint32_t half = block->bytes / 2;
    return half - half % unit;
}

/* False: short of tags. With `ask`, the block itself pays. */
static bool confirm_send(const struct kma_step *s, struct kma_link *link, uint8_t answer,
                         const struct km_block *block, const struct kma_ask *ask)
{
    uint8_t item[KM_SYNC_LEN];
    uint8_t body[128];
    struct wire_sync_item own = {.id = block->id,
                                 .length = QKDN_MUTANT(LENGTH_BLIND) ? 0 : block->bytes * 8};
    struct wire_confirm_body confirm = {.answer = answer,
                                        .block = block->number,
                                        .sync = km_sync_build(&own, item)};
    int len = wire_confirm_body_encode(&confirm, body, sizeof body);
    QKD_ASSERT(len > 0);
    struct kma_send send = {
        .type = WIRE_FRAME_CONFIRM, .ask = ask, .body = body, .body_len = (uint32_t)len};
    struct km_take take;
    return kma_frame_send(s, link, &send, &take) == 0;
}

/* Both ends have it: the block becomes two chunks. False at a limit. */
static bool block_enter(const struct kma_step *s, struct kma_link *link, uint32_t slot,
                        uint32_t number)
{
    struct km_block *block = km_pool_block(&link->pool, slot);
    struct km_range asked = {0, block->asked[1]};
    uint32_t mid = kma_file_half(s, block);
    if (QKDN_MUTANT(HALF_WRONG) && !link->lower) {
        mid -= s->kma->config->unit_bits / 8;
    }
    struct km_confirm confirm = {
        .slot = slot, .number = number, .mid = mid, .lower = link->lower, .now = s->event->now};
    if (km_pool_confirm(&link->pool, &confirm, s->out) != 0) {
        (void)chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_STORE_LIMIT, 0, s->out);
        return false;
    }
    link->n.generated += (uint64_t)block->bytes * 8;
    life_block(s, link, block, WIRE_ACTION_SYNCHRONIZATION);
    life_block(s, link, block, WIRE_ACTION_FORMATTING);
    if (asked.end > 0) { /* the other end need not have got each question that was paid */
        kma_skip_send(s, link, number, &asked, WIRE_REASON_GONE);
    }
    return true;
}

static void block_confirmed(const struct kma_step *s, struct kma_link *link, uint32_t slot,
                            uint32_t number)
{
    if (block_enter(s, link, slot, number)) {
        kma_link_mark(s, link);
        kma_hold_retry(s, link);
    }
}

/* Makes room for one more; false if there is none. */
static bool confirm_room(struct kma_link *link)
{
    enum { CAP_FIRST = 2 };
    if (link->confirm_count < link->confirm_cap) {
        return true;
    }
    uint32_t cap = link->confirm_cap == 0 ? CAP_FIRST : 2 * link->confirm_cap;
    struct kma_confirm_wait *grown = NULL;
    if (cap <= KMA_CONFIRM_QUEUE) {
        grown = realloc(link->confirm, cap * sizeof *grown);
    }
    if (grown != NULL) {
        link->confirm = grown;
        link->confirm_cap = cap;
    }
    return grown != NULL;
}

static void confirm_keep(struct kma_link *link, const struct kma_confirm_wait *wait)
{
    for (uint32_t i = 0; i < link->confirm_count; i++) {
        if (qkd_id_eq(&link->confirm[i].id, &wait->id)) {
            link->confirm[i] = *wait;
            return;
        }
    }
    if (!confirm_room(link)) { /* the oldest leaves: it will be asked again */
        if (link->confirm_count == 0) {
            return;
        }
        link->confirm_count--;
        memmove(link->confirm, link->confirm + 1, link->confirm_count * sizeof link->confirm[0]);
    }
    link->confirm[link->confirm_count++] = *wait;
}

static bool is_poor(const struct kma_link *link)
{
    return km_pool_tag_bytes(&link->pool) < WIRE_FRAME_TAG_LEN;
}

/* The answer first, then the block: the tag of the answer and what follows from the new key must not
 * take pads that the other end does not accept before it has the answer. Only where no tag is left
 * does the block pay for its own answer, which shows by its tag that this end has confirmed it. */
static void confirm_answer(const struct kma_step *s, struct kma_link *link, uint32_t slot,
                           const struct kma_confirm_wait *wait)
{
    struct km_block *block = km_pool_block(&link->pool, slot);
    bool pays = is_poor(link) && kma_frame_ready(s, link) && !QKDN_MUTANT(POOR_SILENT);
    if (km_pool_numbered(&link->pool,
                         wait->number)) { /* another block's: pads would be ambiguous */
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        return;
    }
    block->number = wait->number;
    if (pays && block_enter(s, link, slot, wait->number)) {
        if (confirm_send(s, link, 1, block, NULL)) {
            kma_link_mark(s, link);
            kma_hold_retry(s, link);
        } else {
            confirm_keep(link, wait);
        }
    } else if (!pays && confirm_send(s, link, 1, block, NULL)) {
        block_confirmed(s, link, slot, wait->number);
    } else { /* at a limit, or down: the tick tries again */
        block->number = 0;
        confirm_keep(link, wait);
    }
}

/* Our answer of long ago was lost: again, and that what we owned of the block is gone, if it is. False:
 * short of tags. */
static bool answer_again(const struct kma_step *s, struct kma_link *link,
                         const struct km_block *block)
{
    struct km_range gone = {0, block->bytes};
    uint32_t number = block->number;
    for (uint32_t i = 0; i < link->pool.count; i++) {
        const struct km_chunk *c = km_pool_chunk(&link->pool, i);
        gone.start = c->block == number && c->end > gone.start ? c->end : gone.start;
    }
    if (!confirm_send(s, link, 1, block, NULL)) {
        return false;
    }
    if (gone.start < gone.end) {
        kma_skip_send(s, link, number, &gone, WIRE_REASON_GONE);
    }
    return true;
}

/* Answers confirmations that waited for our file, or whose answer was lost. */
static void confirm_waiting(const struct kma_step *s, struct kma_link *link, uint32_t slot)
{
    struct km_block *block = km_pool_block(&link->pool, slot);
    for (uint32_t i = 0; i < link->confirm_count; i++) {
        struct kma_confirm_wait wait = link->confirm[i];
        if (!qkd_id_eq(&wait.id, &block->id)) {
            continue;
        }
        link->confirm[i] = link->confirm[--link->confirm_count];
        struct qkd_time stale = qkd_time_add(wait.asked, s->kma->config->expiry);
        if (wait.length == block->bytes * 8 && !block->confirmed) {
            /* Who asked has given the file up by then: expire_waiting() in kma_grant.c. */
            if (qkd_time_before(s->event->now, stale)) {
                confirm_answer(s, link, slot, &wait);
            }
        } else if (block->confirmed && block->number == wait.number &&
                   !answer_again(s, link, block)) {
            confirm_keep(link, &wait);
        }
        return;
    }
}

/* While tags are all that is left, most of them are kept for further tries: what is asked now may be
 * lost, and one answer makes the link rich. */
static bool asked_enough(const struct kma_link *link)
{
    uint64_t tags = km_pool_tag_bytes(&link->pool) / WIRE_FRAME_TAG_LEN;
    return km_pool_payload_free(&link->pool) == 0 &&
           kma_frame_flying(link, WIRE_FRAME_CONFIRM) > tags / TRIES_LEFT;
}

void kma_file_ask(const struct kma_step *s, struct kma_link *link, uint32_t slot)
{
    struct km_block *block = km_pool_block(&link->pool, slot);
    if (block->let_go) {
        return;
    }
    struct kma_ask own = {slot, kma_file_half(s, block)};
    bool pays = is_poor(link) && !QKDN_MUTANT(POOR_SILENT);
    bool enough = pays && !QKDN_MUTANT(ASK_OLDEST) ? kma_frame_asks_about(link, block->number)
                                                   : asked_enough(link);
    if (enough || !confirm_send(s, link, 0, block, pays ? &own : NULL)) {
        link->confirm_again = true;
        return;
    }
    block->since = s->event->now;
    if (QKDN_MUTANT(CONFIRM_BLIND)) {
        block_confirmed(s, link, slot, block->number);
    }
}

/* Asks about a block that has just come. Without tags as many are asked about as an acknowledgement can
 * name, the newest: what has waited for long may be lost at the other end, whose answer about any one
 * makes the link rich. */
static void confirm_fresh(const struct kma_step *s, struct kma_link *link, uint32_t slot)
{
    bool many = is_poor(link) && kma_frame_asks(link) >= ASKS_FLYING;
    if (many && !QKDN_MUTANT(ASK_OLDEST)) {
        kma_frame_ask_withdraw(s, link);
    }
    kma_file_ask(s, link, slot);
}

/* A number for a new block that no chunk bears: those of an incarnation run on into those of the next after 2^20
 * blocks, and all come round after 2^32. */
static uint32_t number_next(const struct kma *kma, struct kma_link *link)
{
    uint32_t number = (kma->incarnation << BLOCK_NUMBER_BITS) + link->block_counter + 1;
    while (number == 0 || km_pool_numbered(&link->pool, number)) {
        number++;
        link->block_counter++;
    }
    return number;
}

/* Has the module run, or pause. */
static void generation_send(const struct kma_step *s, struct kma_link *link, bool run)
{
    link->paused = !run;
    struct wire_generation command = {.head = kma_head(s->kma, QKD_RP_KMI, 0),
                                      .module_id = link->module,
                                      .run = run};
    KMA_SEND(s, generation, QKD_RP_KMI, qkd_eid_sibling(s->kma->self, QKD_ROLE_KMC), &command);
}

void kma_file_receive(const struct kma_step *s, struct qkd_eid module,
                      const struct wire_key_file *file)
{
    struct kma *kma = s->kma;
    uint32_t index = qkd_map_get(&kma->link_by_id, &file->link);
    struct kma_link *link = index == QKD_MAP_NONE ? NULL : &kma->links[index];
    uint32_t bits = link == NULL ? 0 : file_bits(s, link, module, file);
    if (bits == 0) {
        acknowledge(s, module, file, WIRE_FILE_REFUSED);
        chan_report_security(&kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KQ1, s->out);
        return;
    }
    uint32_t known = km_pool_find(&link->pool, &file->qkd_key_id);
    if (known != QKD_SLAB_NONE) {
        bool same = km_pool_block(&link->pool, known)->bytes == bits / 8;
        acknowledge(s, module, file, same ? WIRE_FILE_STORED : WIRE_FILE_REFUSED);
        return;
    }
    bool room = km_pool_stored(&link->pool) + bits / 8 <= link->store_bytes;
    struct km_block block = {.id = file->qkd_key_id,
                             .bytes = bits / 8,
                             .form = file->form,
                             .since = s->event->now,
                             .stored = s->event->now,
                             .stored_wall = s->event->wall};
    if (link->lower) {
        block.number = number_next(kma, link);
    }
    uint32_t slot = room ? km_pool_add(&link->pool, &block, file->key.at, s->out) : QKD_SLAB_NONE;
    if (slot == QKD_SLAB_NONE) {
        link->paused = true;
        link->paused_bytes = bits / 8;
        acknowledge(s, module, file, WIRE_FILE_FULL);
        return;
    }
    link->block_counter++;
    acknowledge(s, module, file, WIRE_FILE_STORED);
    uint32_t next = bits / 8 < link->file_bytes ? bits / 8 : link->file_bytes;
    link->file_bytes = bits / 8;
    if (link->up && km_pool_stored(&link->pool) + next > link->store_bytes) {
        kma_trim(s, link); /* what is of no use may make room */
    }
    if (km_pool_stored(&link->pool) + next > link->store_bytes) {
        link->paused_bytes = next;
        generation_send(s, link, false);
    }
    life_block(s, link, km_pool_block(&link->pool, slot), WIRE_ACTION_RECEPTION);
    life_block(s, link, km_pool_block(&link->pool, slot), WIRE_ACTION_STORAGE);
    if (!link->lower) {
        confirm_waiting(s, link, slot);
    } else if (link->up) {
        confirm_fresh(s, link, slot);
    }
}

void kma_file_confirm_all(const struct kma_step *s, struct kma_link *link)
{
    uint32_t count = link->lower ? link->pool.waiting_count : 0;
    uint32_t flying = kma_frame_asks(link);
    link->confirm_again = false;
    /* The newest first: the other end may have lost the files that have waited long. */
    for (uint32_t i = count; i-- > 0;) {
        uint32_t slot = link->pool.waiting[QKDN_MUTANT(ASK_OLDEST) ? count - 1 - i : i];
        bool pays = is_poor(link);
        if (pays && flying >= ASKS_FLYING) {
            link->confirm_again = true;
            return;
        }
        flying += pays && !kma_frame_asks_about(link, km_pool_block(&link->pool, slot)->number);
        kma_file_ask(s, link, slot);
    }
}

void kma_file_forget(struct kma_link *link, const struct qkd_id *id)
{
    for (uint32_t i = 0; i < link->confirm_count; i++) {
        if (qkd_id_eq(&link->confirm[i].id, id)) {
            link->confirm[i] = link->confirm[--link->confirm_count];
            return;
        }
    }
}

void kma_file_drop(const struct kma_step *s, struct kma_link *link, uint32_t slot, uint8_t reason)
{
    const struct km_block *b = km_pool_block(&link->pool, slot);
    kma_life(s, &(struct kma_life){.action = WIRE_ACTION_DISCARD,
                                   .key_class = WIRE_CLASS_QKD,
                                   .id = b->id,
                                   .length_bits = 8 * b->bytes,
                                   .reason = reason,
                                   .link = link});
    km_pool_drop(&link->pool, slot, s->out);
}

void kma_file_confirm_lost(struct kma_link *link, const struct wire_confirm_body *body)
{
    struct wire_sync_item item;
    if (body->answer == 0) {
        link->confirm_again = true;
    } else if (km_sync_read(body->sync, &item) == 0) {
        confirm_keep(link, &(struct kma_confirm_wait){
                               .id = item.id, .number = body->block, .length = item.length});
    }
}

void kma_file_confirm_again(const struct kma_step *s, struct kma_link *link)
{
    if (link->confirm_again) {
        kma_file_confirm_all(s, link);
    }
    struct kma_confirm_wait waits[KMA_CONFIRM_QUEUE];
    uint32_t count = link->confirm_count;
    for (uint32_t i = 0; i < count; i++) {
        waits[i] = link->confirm[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = km_pool_find(&link->pool, &waits[i].id);
        if (slot != QKD_SLAB_NONE) {
            confirm_waiting(s, link, slot);
        }
    }
}

/* The matching KMA asks (answer 0): we answer when we hold the same file. */
static void confirm_asked(const struct kma_step *s, struct kma_link *link,
                          const struct wire_confirm_body *body, const struct wire_sync_item *item)
{
    struct kma_confirm_wait wait = {
        .id = item->id, .number = body->block, .length = item->length, .asked = s->event->now};
    uint32_t slot = km_pool_find(&link->pool, &item->id);
    if (slot == QKD_SLAB_NONE) {
        confirm_keep(link, &wait);
        return;
    }
    struct km_block *block = km_pool_block(&link->pool, slot);
    struct wire_sync_item own = {.id = block->id, .length = block->bytes * 8};
    if (km_sync_judge(&own, item) != KM_SYNC_MATCH && !QKDN_MUTANT(LENGTH_BLIND)) {
        (void)chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_KEY_MISMATCH, link->id,
                                s->out);
        if (!block->confirmed) {
            life_block(s, link, block, WIRE_ACTION_DISCARD);
            km_pool_drop(&link->pool, slot, s->out);
        }
        return;
    }
    if (!block->confirmed) {
        confirm_answer(s, link, slot, &wait);
    } else if (block->number == body->block && !answer_again(s, link, block)) {
        confirm_keep(link, &wait);
    }
}

void kma_file_confirm(const struct kma_step *s, struct kma_link *link,
                      const struct wire_frame *frame)
{
    struct wire_confirm_body body;
    struct wire_sync_item item;
    if (wire_confirm_body_decode(&body, frame->body, frame->body_len) != (int)frame->body_len ||
        km_sync_read(body.sync, &item) != 0 || (body.answer != 0) != link->lower ||
        body.block == 0) {
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                          .peer = link->peer,
                                          .a = QKD_RP_KX1,
                                          .b = -QKD_ERR_FORMAT});
        return;
    }
    if (body.answer == 0) {
        confirm_asked(s, link, &body, &item);
        return;
    }
    uint32_t slot = km_pool_find(&link->pool, &item.id);
    struct km_block *block = slot == QKD_SLAB_NONE ? NULL : km_pool_block(&link->pool, slot);
    if (block != NULL && !block->confirmed && block->number == body.block &&
        (QKDN_MUTANT(LENGTH_BLIND) || item.length == block->bytes * 8)) {
        block_confirmed(s, link, slot, body.block);
    }
}

uint32_t kma_file_asking(const struct kma_step *s, const struct kma_link *link,
                         const struct wire_frame *frame)
{
    struct wire_confirm_body body;
    struct wire_sync_item item;
    if (link->lower || frame->type != WIRE_FRAME_CONFIRM || frame->length != WIRE_FRAME_TAG_LEN ||
        wire_confirm_body_decode(&body, frame->body, frame->body_len) != (int)frame->body_len ||
        km_sync_read(body.sync, &item) != 0 || body.answer != 0 || body.block == 0 ||
        body.block != frame->block) {
        return QKD_SLAB_NONE;
    }
    uint32_t slot = km_pool_find(&link->pool, &item.id);
    const struct km_block *block = slot == QKD_SLAB_NONE ? NULL : km_pool_block(&link->pool, slot);
    bool fits = block != NULL && !block->confirmed && frame->offset >= block->asked[0] &&
                frame->offset < KM_POOL_ASKS * WIRE_FRAME_TAG_LEN &&
                frame->offset + WIRE_FRAME_TAG_LEN < kma_file_half(s, block);
    return fits ? slot : QKD_SLAB_NONE;
}

uint32_t kma_file_asked(const struct kma_link *link, uint32_t number, uint32_t bytes)
{
    for (uint32_t i = 0; link->lower && number != 0 && i < link->pool.waiting_count; i++) {
        const struct km_block *block = km_pool_block(&link->pool, link->pool.waiting[i]);
        if (block->number == number) {
            return bytes <= block->bytes ? link->pool.waiting[i] : QKD_SLAB_NONE;
        }
    }
    return QKD_SLAB_NONE;
}

void kma_file_awaited(const struct kma_step *s, const struct kma_link *link,
                      struct wire_rx_state *state)
{
    for (uint32_t i = 0; !link->lower && state->block != 0 && i < link->pool.count; i++) {
        const struct km_chunk *c = km_pool_chunk(&link->pool, i);
        if (c->block == state->block) {
            const struct km_block *block = km_pool_block(&link->pool, c->block_slot);
            state->offset = kma_file_half(s, block);
            state->end = block->bytes;
            return;
        }
    }
}

void kma_file_implied(const struct kma_step *s, struct kma_link *link, uint32_t number)
{
    for (uint32_t i = 0; link->lower && i < link->pool.waiting_count; i++) {
        uint32_t slot = link->pool.waiting[i];
        if (number != 0 && km_pool_block(&link->pool, slot)->number == number) {
            block_confirmed(s, link, slot, number);
            return;
        }
    }
}

void kma_file_room(const struct kma_step *s, struct kma_link *link)
{
    if (link->paused && km_pool_stored(&link->pool) + link->paused_bytes <= link->store_bytes) {
        generation_send(s, link, true);
    }
}
