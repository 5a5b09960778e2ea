/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: what keys may take of a link, by class and application (km/share.h): those of this KM's applications of
 * their first link, those of other KMs of the link by which they go on. Only where classes are configured. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <stdlib.h>

bool kma_share_new(const struct kma *kma, struct kma_link *link)
{
    if (kma->config->class_count == 0 || link->share != NULL) {
        return true;
    }
    link->share = calloc(1, sizeof *link->share);
    if (link->share != NULL) {
        km_share_init(link->share, kma->config, link->store_bytes);
    }
    return link->share != NULL;
}

void kma_share_free(struct kma_link *link)
{
    if (link->share != NULL) {
        km_share_fini(link->share);
        free(link->share);
        link->share = NULL;
    }
}

static struct km_share_who who_of(const struct kma *kma, const struct kma_need *need)
{
    return (struct km_share_who){.source = kma->self,
                                 .flow = need->flow,
                                 .is_guaranteed = need->is_guaranteed &&
                                                  !QKDN_MUTANT(SHARE_UNKEPT)};
}

/* What those of more important levels could use of what is there after a frame of `bytes`. It may end what is
 * too short for them anyhow. */
static uint64_t left_above(struct kma_link *link, uint8_t level, uint64_t bytes)
{
    uint64_t longest = link->file_bytes /
                       2; /* of what a block gives one end: longer frames are halved */
    uint64_t piece = km_share_piece(link->share, level);
    piece = longest > 0 && piece > longest ? longest : piece;
    uint64_t lost = piece == 0 ? 0 : km_pool_usable_lost(&link->pool, (uint32_t)bytes, piece);
    if (lost == 0) {
        return UINT64_MAX;
    }
    uint64_t there = km_pool_usable(&link->pool, piece);
    return there > lost ? there - lost : 0;
}

static uint32_t class_slot_of(const struct km_config *config, uint8_t class_number)
{
    return class_number > 0 && class_number <= config->class_count ? class_number - 1U : KM_CLASSES;
}

uint8_t kma_share_level(const struct km_config *config, uint8_t class_number, bool is_guaranteed)
{
    uint32_t class_slot = class_slot_of(config, class_number);
    if (is_guaranteed) {
        return KM_SHARE_GUARANTEED;
    }
    return class_slot == KM_CLASSES
               ? (uint8_t)KM_SHARE_NONE
               : (uint8_t)(KM_SHARE_PRIORITY + config->classes[class_slot].priority);
}

uint8_t kma_share_level_of(struct kma *kma, const struct kma_forward *forward)
{
    const struct kma_session *session = kma_session_find(kma, forward->session);
    return kma_share_level(kma->config, session == NULL ? 0 : session->class_number,
                           forward->guaranteed);
}

/* Whether not even two more files have room, and no less of what is there is here than at the other end: key will
 * soon be lost that nobody takes. */
static bool is_nearly_full(const struct kma_link *link)
{
    const struct km_pool *pool = &link->pool;
    return km_pool_stored(pool) + 2 * (uint64_t)link->file_bytes > link->store_bytes &&
           km_pool_payload_free(pool) >= km_pool_peer_payload(pool);
}

static bool link_take(const struct kma_step *s, struct kma_link *link,
                      const struct km_share_who *who, uint8_t class_number, uint64_t bytes)
{
    const struct km_config *config = s->kma->config;
    uint32_t class_slot = class_slot_of(config, class_number);
    uint8_t level = kma_share_level(config, class_number, who->is_guaranteed);
    return km_share_take(link->share,
                         &(struct km_share_ask){.who = *who,
                                                .level = level,
                                                .class_slot = class_slot,
                                                .bytes = bytes,
                                                .free = km_pool_usable(&link->pool, bytes),
                                                .is_full = is_nearly_full(link),
                                                .left = left_above(link, level, bytes),
                                                .now = s->event->now});
}

/* ---- where a key begins ---- */

/* Bytes that the first link of each way pays for `count` keys in one frame. */
static uint64_t bytes_of(const struct kma_flow *flow, const struct kma_need *need, uint32_t count)
{
    uint64_t bits = kma_flow_takes(flow) ? wire_take_cost_bits(need->key_size, count, count)
                                         : wire_relay_cost_bits(need->key_size, count, count);
    return bits / 8;
}

static struct kma_link *first_of(const struct kma_step *s, const struct kma_flow *flow,
                                 uint32_t path)
{
    uint32_t len;
    return kma_link_of(s->kma, kma_flow_path(flow, path, &len)[1]);
}

static void paths_give(const struct kma_step *s, const struct kma_need *need, uint32_t count,
                       uint32_t paths)
{
    const struct kma_flow *flow = qkd_slab_at(&s->kma->flows, need->flow);
    struct km_share_who who = who_of(s->kma, need);
    for (uint32_t i = 0; i < paths; i++) {
        struct kma_link *link = first_of(s, flow, i);
        if (link != NULL && link->share != NULL) {
            km_share_give(link->share, &who, bytes_of(flow, need, count));
        }
    }
}

bool kma_share_take(const struct kma_step *s, const struct kma_need *need, uint32_t count)
{
    const struct kma_flow *flow = qkd_slab_at(&s->kma->flows, need->flow);
    struct km_share_who who = who_of(s->kma, need);
    for (uint32_t i = 0; s->kma->config->class_count > 0 && i < flow->paths; i++) {
        struct kma_link *link = first_of(s, flow, i);
        if (link == NULL || link->share == NULL) {
            continue;
        }
        uint64_t bytes = bytes_of(flow, need, count);
        if (!link_take(s, link, &who, need->class_number, bytes)) {
            kma_report(s, (struct qkd_report){.code = QKD_REPORT_SHARE,
                                              .peer = need->source_app,
                                              .a = link->id,
                                              .b = bytes,
                                              .c = who.is_guaranteed});
            paths_give(s, need, count, i);
            return false;
        }
    }
    return true;
}

void kma_share_give(const struct kma_step *s, const struct kma_need *need, uint32_t count)
{
    const struct kma_flow *flow = qkd_slab_at(&s->kma->flows, need->flow);
    paths_give(s, need, count, s->kma->config->class_count > 0 ? flow->paths : 0);
}

uint64_t kma_share_want(const struct kma_link *link, uint64_t bytes, uint8_t level)
{
    if (link->share == NULL) {
        return bytes;
    }
    uint64_t lacks = km_share_lacks(link->share, level);
    lacks = lacks > link->frame_most[0] ? lacks : link->frame_most[0];
    return bytes < lacks ? bytes : lacks;
}

uint64_t kma_share_spare(const struct kma_step *s, struct kma_link *link, uint8_t level)
{
    if (link->share == NULL) {
        return km_pool_payload_free(&link->pool);
    }
    uint64_t kept = km_share_kept(link->share, level, s->event->now);
    uint64_t piece = km_share_piece(link->share, KM_SHARE_NONE + 1); /* tails stay here anyhow */
    uint64_t there = piece == 0 ? km_pool_payload_free(&link->pool)
                                : km_pool_usable(&link->pool, piece);
    return there > kept ? there - kept : 0;
}

/* ---- where it crosses ---- */

/* What a frame of another KM's key takes of its next link; 0: it is not weighed. */
static uint64_t pass_of(const struct kma_step *s, const struct kma_link *link,
                        const struct kma_forward *forward, struct km_share_who *who)
{
    if (link->share == NULL || qkd_eid_eq(forward->source, s->kma->self) ||
        QKDN_MUTANT(SHARE_TRANSIT)) {
        return 0; /* ours was weighed where it began */
    }
    const struct kma_session *session = kma_session_find(s->kma, forward->session);
    *who = (struct km_share_who){.source = forward->source,
                                 .flow = session == NULL ? 0 : session->flow,
                                 .is_guaranteed = forward->guaranteed &&
                                                  !QKDN_MUTANT(SHARE_UNKEPT)};
    uint32_t payload = forward->upstream != NULL ? forward->upstream_len : forward->len;
    return payload + WIRE_FRAME_TAG_LEN;
}

bool kma_share_pass(const struct kma_step *s, struct kma_link *link,
                    const struct kma_forward *forward)
{
    struct km_share_who who;
    uint64_t bytes = pass_of(s, link, forward, &who);
    const struct kma_session *session = kma_session_find(s->kma, forward->session);
    uint8_t class_number = session == NULL || QKDN_MUTANT(SHARE_HOP) ? 0 : session->class_number;
    bool may = bytes == 0 || link_take(s, link, &who, class_number, bytes);
    if (!may) {
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_SHARE,
                                          .peer = forward->source,
                                          .a = link->id,
                                          .b = bytes,
                                          .c = who.is_guaranteed});
    }
    return may;
}

void kma_share_stay(const struct kma_step *s, struct kma_link *link,
                    const struct kma_forward *forward)
{
    struct km_share_who who;
    uint64_t bytes = pass_of(s, link, forward, &who);
    if (bytes > 0) {
        km_share_give(link->share, &who, bytes);
    }
}
