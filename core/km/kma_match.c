/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: what one end of a link has and the other has lost, with its store or with a module. Files that
 * find no match, and key whose owner has no tag left to SKIP it, fill a store until no key comes any
 * more. Both ends tell of it by HELLO, and drop it (7.1.2; docs/protocol.md, "Quantum layer to KMA").
 *
 * The lower KMA asks about files, and the higher one may confirm one as long as a question is under way.
 * So the lower one first stops asking, and drops a file when a status period later the answer still is
 * that it is unknown:
 *
 *   asked ─unknown─▶ let go ─unknown, a status period later─▶ dropped
 *     ▲                │ known
 *     └────────────────┘
 */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

enum { FILES_MOST = 32, ID_LEN = sizeof((struct qkd_id *)0)->b };

/* Whether a file is here for longer than a match takes to come. */
static bool is_old(const struct kma_step *s, const struct km_block *block)
{
    struct qkd_time old = qkd_time_add(block->stored, s->kma->config->status_period);
    return !qkd_time_before(s->event->now, old);
}

static bool any_old(const struct kma_step *s, const struct kma_link *link)
{
    for (uint32_t i = 0; i < link->pool.waiting_count; i++) {
        if (is_old(s, km_pool_block(&link->pool, link->pool.waiting[i]))) {
            return true;
        }
    }
    return false;
}

/* Where files that find no match fill the store. */
static void unmatched_tell(const struct kma_step *s, struct kma_link *link,
                           struct wire_hello *hello)
{
    if (!link->up || hello->reply || !kma_store_full(link) || !any_old(s, link)) {
        return;
    }
    uint8_t *ids = qkd_out_scratch(s->out, FILES_MOST * ID_LEN);
    uint32_t count = 0;
    for (uint32_t i = 0; ids != NULL && i < link->pool.waiting_count && count < FILES_MOST; i++) {
        const struct km_block *block = km_pool_block(&link->pool, link->pool.waiting[i]);
        if (is_old(s, block)) {
            memcpy(ids + ID_LEN * (size_t)count++, block->id.b, ID_LEN);
        }
    }
    hello->has_unmatched = count > 0;
    hello->unmatched = (struct wire_bytes){ids, ID_LEN * (size_t)count};
}

/* Where no tag is left: the peer cannot be told by SKIPs what is gone. */
static void own_tell(const struct kma_step *s, const struct kma_link *link,
                     struct wire_hello *hello)
{
    const struct km_pool *pool = &link->pool;
    struct wire_rx_state state = {0};
    size_t each = wire_rx_state_size(&state);
    if (!hello->has_rx || km_pool_tag_bytes(pool) >= WIRE_FRAME_TAG_LEN) {
        return;
    }
    uint8_t *list = qkd_out_scratch(s->out, pool->own_count * each + 1);
    size_t len = 0;
    for (uint32_t i = 0; list != NULL && i < pool->own_count; i++) {
        const struct km_chunk *c = km_pool_own(pool, i);
        state = (struct wire_rx_state){.block = c->block, .offset = c->next, .end = c->end};
        len += (size_t)wire_rx_state_encode(&state, list + len, each);
    }
    hello->has_own = list != NULL && len < WIRE_MAX_MESSAGE / 4;
    hello->own = (struct wire_bytes){list, hello->has_own ? len : 0};
}

void kma_match_tell(const struct kma_step *s, struct kma_link *link, struct wire_hello *hello)
{
    own_tell(s, link, hello);
    unmatched_tell(s, link, hello);
}

void kma_match_answer(const struct kma_step *s, struct kma_link *link, struct wire_bytes unmatched,
                      struct wire_hello *answer)
{
    /* Where no file has room one may wait at the module, for key that is used some day. But if files
     * without a match are in the way here, too, none of the two ends must wait for the other. */
    bool may_come = !link->up || (kma_store_full(link) && !any_old(s, link));
    uint8_t *ids = qkd_out_scratch(s->out, FILES_MOST * ID_LEN);
    uint32_t count = 0;
    for (size_t at = 0;
         ids != NULL && !may_come && at + ID_LEN <= unmatched.len && count < FILES_MOST;
         at += ID_LEN) {
        struct qkd_id id;
        memcpy(id.b, unmatched.at + at, ID_LEN);
        if (km_pool_find(&link->pool, &id) == QKD_SLAB_NONE) {
            kma_file_forget(link, &id);
            memcpy(ids + ID_LEN * (size_t)count++, id.b, ID_LEN);
        }
    }
    answer->has_unknown = ids != NULL;
    answer->unknown = (struct wire_bytes){ids, ID_LEN * (size_t)count};
}

static bool is_listed(struct wire_bytes ids, const struct qkd_id *id)
{
    for (size_t at = 0; at + ID_LEN <= ids.len; at += ID_LEN) {
        if (memcmp(ids.at + at, id->b, ID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* One step of the drawing above; true: it can be dropped. */
static bool let_go(const struct kma_step *s, struct kma_link *link, struct km_block *block,
                   bool unknown)
{
    struct qkd_time silent = qkd_time_add(block->since, s->kma->config->status_period);
    if (!unknown || !link->lower) {
        return unknown;
    }
    if (block->let_go) {
        return !qkd_time_before(s->event->now, silent);
    }
    block->let_go = true;
    block->since = s->event->now;
    kma_frame_confirm_withdraw(s, link, block->number);
    return false;
}

void kma_match_answered(const struct kma_step *s, struct kma_link *link, struct wire_bytes unknown)
{
    for (uint32_t i = 0; i < link->pool.waiting_count;) {
        uint32_t slot = link->pool.waiting[i];
        struct km_block *block = km_pool_block(&link->pool, slot);
        bool is_unknown = is_listed(unknown, &block->id) && !QKDN_MUTANT(LET_GO_NEVER);
        if (let_go(s, link, block, is_unknown)) {
            kma_file_drop(s, link, slot, WIRE_REASON_GONE);
            continue;
        }
        if (!is_unknown && block->let_go) {
            block->let_go = false;
            block->stored = s->event->now;
            kma_file_ask(s, link, slot);
        }
        i++;
    }
    kma_file_room(s, link);
}

/* Whether a block waits at the peer for its confirmation: what it owns of it may yet come. */
static bool peer_waits(struct wire_bytes rx, uint32_t block)
{
    struct wire_rx_state state;
    for (size_t at = 0; at < rx.len;) {
        int n = wire_rx_state_decode(&state, rx.at + at, rx.len - at);
        if (n <= 0) {
            return true; /* cut short: nobody knows */
        }
        if (state.block == block && state.end == 0) {
            return true;
        }
        at += (size_t)n;
    }
    return false;
}

/* Whether we granted some of a chunk by a GRANT that the peer need not have yet. */
static bool grant_open(const struct kma *kma, const struct kma_link *link, const struct km_chunk *c)
{
    for (uint32_t i = 0; i < kma->grant_count; i++) {
        const struct kma_grant_record *g = &kma->grants[i];
        if (g->link == link->id && g->grant.block == c->block && g->grant.start < c->end &&
            c->start < g->grant.end) {
            return true;
        }
    }
    return false;
}

/* From `from` on the next range of a block that the peer says it owns; that behind `end`: none. */
static struct km_range next_owned(struct wire_bytes own, uint32_t block, uint32_t from,
                                  uint32_t end)
{
    struct wire_rx_state state;
    struct km_range next = {end, end};
    for (size_t at = 0; at < own.len;) {
        int n = wire_rx_state_decode(&state, own.at + at, own.len - at);
        if (n <= 0) {
            return (struct km_range){from, end};
        }
        if (state.block == block && state.end > from && state.offset < next.start) {
            next.start = state.offset > from ? state.offset : from;
            next.end = state.end < end ? state.end : end;
        }
        at += (size_t)n;
    }
    return next;
}

void kma_match_lost(const struct kma_step *s, struct kma_link *link, const struct wire_hello *hello)
{
    if (!hello->has_own || QKDN_MUTANT(OWN_UNTOLD)) {
        return;
    }
    for (uint32_t i = link->pool.count; i-- > 0;) {
        const struct km_chunk *c = km_pool_chunk(&link->pool, i);
        if (c->mine || peer_waits(hello->rx, c->block) || grant_open(s->kma, link, c)) {
            continue;
        }
        uint32_t block = c->block;
        uint32_t end = c->end;
        for (uint32_t from = c->start; from < end;) {
            struct km_range owned = next_owned(hello->own, block, from, end);
            if (from < owned.start) {
                km_pool_rx_skip(&link->pool, block, &(struct km_range){from, owned.start}, s->out);
            }
            from = owned.end;
        }
    }
    kma_file_room(s, link);
}
