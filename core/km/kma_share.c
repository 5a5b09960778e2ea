/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: what keys of this KM's applications may take of a first link, by class and application (km/share.h).
 * Only where classes are configured. Keys of other KMs that cross a link are never held back here: they
 * were weighed where they began. */
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

static bool is_guaranteed(const struct kma_need *need)
{
    return need->is_guaranteed && !QKDN_MUTANT(SHARE_UNKEPT);
}

/* A flow has two accounts on a link: one for what it is guaranteed. */
static uint64_t who_of(const struct kma_need *need)
{
    return (uint64_t)need->flow << 1 | (is_guaranteed(need) ? 1 : 0);
}

/* Own free bytes that pieces of a length can use. What is left of each block is too short, and there may be
 * more of that than of anything else. */
static uint64_t usable(const struct km_pool *pool, uint64_t piece)
{
    uint64_t all = km_pool_payload_free(pool);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pool->own_count; i++) {
        const struct km_chunk *chunk = km_pool_own(pool, i);
        sum += chunk->block == 0 ? 0 : (chunk->end - chunk->next) / piece * piece;
    }
    return sum < all ? sum : all;
}

static struct km_share_ask ask_of(const struct kma_step *s, const struct kma_link *link,
                                  const struct kma_need *need, uint64_t bytes)
{
    const struct km_config *config = s->kma->config;
    uint32_t class_slot = need->class_number > 0 && need->class_number <= config->class_count
                              ? need->class_number - 1U
                              : KM_CLASSES;
    uint8_t level = class_slot == KM_CLASSES
                        ? (uint8_t)KM_SHARE_NONE
                        : (uint8_t)(KM_SHARE_PRIORITY + config->classes[class_slot].priority);
    return (struct km_share_ask){.who = who_of(need),
                                 .level = is_guaranteed(need) ? KM_SHARE_GUARANTEED : level,
                                 .class_slot = class_slot,
                                 .bytes = bytes,
                                 .free = usable(&link->pool, bytes),
                                 .now = s->event->now};
}

/* Bytes that the first link of each way pays for `count` keys in one frame. */
static uint64_t bytes_of(const struct kma_flow *flow, const struct kma_need *need, uint32_t count)
{
    bool is_taken = !flow->drawn && (flow->direct || flow->relay == WIRE_RELAY_FIRST_KEY ||
                                     flow->relay == WIRE_RELAY_DESTINATION);
    uint64_t bits = is_taken ? wire_take_cost_bits(need->key_size, count, count)
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
    for (uint32_t i = 0; i < paths; i++) {
        struct kma_link *link = first_of(s, flow, i);
        if (link != NULL && link->share != NULL) {
            km_share_give(link->share, who_of(need), bytes_of(flow, need, count));
        }
    }
}

bool kma_share_take(const struct kma_step *s, const struct kma_need *need, uint32_t count)
{
    const struct kma_flow *flow = qkd_slab_at(&s->kma->flows, need->flow);
    for (uint32_t i = 0; s->kma->config->class_count > 0 && i < flow->paths; i++) {
        struct kma_link *link = first_of(s, flow, i);
        if (link == NULL || link->share == NULL) {
            continue;
        }
        struct km_share_ask ask = ask_of(s, link, need, bytes_of(flow, need, count));
        if (!km_share_take(link->share, &ask)) {
            kma_report(s, (struct qkd_report){.code = QKD_REPORT_SHARE,
                                              .peer = need->source_app,
                                              .a = link->id,
                                              .b = ask.bytes,
                                              .c = is_guaranteed(need)});
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

void kma_share_sent(const struct kma *kma, const struct kma_link *link, struct qkd_eid source,
                    uint32_t bytes)
{
    if (link->share != NULL && source.v != 0 && !qkd_eid_eq(source, kma->self)) {
        km_share_transit(link->share, bytes);
    }
}
