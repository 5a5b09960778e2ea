/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Store of key life-cycle records: see manager/life.h. */
#include "core/manager/life.h"

#include <stdlib.h>

#define FIRST_CAP 64

enum has {
    HAS_PARENT = 1,
    HAS_KEY_LENGTH = 2,
    HAS_SOURCE = 4,
    HAS_DESTINATION = 8,
    HAS_METHOD = 16,
    HAS_SOURCE_APP = 32,
    HAS_TARGET_APP = 64,
    HAS_LINK = 128,
    HAS_HOP = 256,
    HAS_REASON = 512
};

void mgr_lives_init(struct mgr_lives *lives, uint32_t limit)
{
    *lives = (struct mgr_lives){.limit = limit};
    qkd_map_init(&lives->by_key, sizeof(struct qkd_id), limit, NULL);
}

void mgr_lives_fini(struct mgr_lives *lives)
{
    qkd_map_fini(&lives->by_key);
    free(lives->ring);
    *lives = (struct mgr_lives){0};
}

void mgr_lives_salt(struct mgr_lives *lives, const uint8_t salt[16])
{
    qkd_map_init(&lives->by_key, sizeof(struct qkd_id), lives->limit, salt);
}

static struct mgr_life pack(const struct wire_life *r)
{
    unsigned has = (r->has_parent ? HAS_PARENT : 0U) | (r->has_key_length ? HAS_KEY_LENGTH : 0U) |
                   (r->has_source ? HAS_SOURCE : 0U) | (r->has_destination ? HAS_DESTINATION : 0U) |
                   (r->has_method ? HAS_METHOD : 0U) | (r->has_source_app ? HAS_SOURCE_APP : 0U) |
                   (r->has_target_app ? HAS_TARGET_APP : 0U) | (r->has_link ? HAS_LINK : 0U) |
                   (r->has_hop ? HAS_HOP : 0U) | (r->has_reason ? HAS_REASON : 0U);
    return (struct mgr_life){.id = r->id,
                             .parent = r->parent,
                             .when = r->when,
                             .at = r->at,
                             .source = r->source,
                             .destination = r->destination,
                             .source_app = r->source_app,
                             .target_app = r->target_app,
                             .key_length = r->key_length,
                             .link = r->link,
                             .has = (uint16_t)has,
                             .action = r->action,
                             .key_class = r->key_class,
                             .method = r->method,
                             .hop = r->hop,
                             .reason = r->reason};
}

static struct wire_life unpack(const struct mgr_life *p)
{
    return (struct wire_life){.when = p->when,
                              .at = p->at,
                              .action = p->action,
                              .key_class = p->key_class,
                              .id = p->id,
                              .has_parent = (p->has & HAS_PARENT) != 0,
                              .parent = p->parent,
                              .has_key_length = (p->has & HAS_KEY_LENGTH) != 0,
                              .key_length = p->key_length,
                              .has_source = (p->has & HAS_SOURCE) != 0,
                              .source = p->source,
                              .has_destination = (p->has & HAS_DESTINATION) != 0,
                              .destination = p->destination,
                              .has_method = (p->has & HAS_METHOD) != 0,
                              .method = p->method,
                              .has_source_app = (p->has & HAS_SOURCE_APP) != 0,
                              .source_app = p->source_app,
                              .has_target_app = (p->has & HAS_TARGET_APP) != 0,
                              .target_app = p->target_app,
                              .has_link = (p->has & HAS_LINK) != 0,
                              .link = p->link,
                              .has_hop = (p->has & HAS_HOP) != 0,
                              .hop = p->hop,
                              .has_reason = (p->has & HAS_REASON) != 0,
                              .reason = p->reason};
}

static bool ring_grow(struct mgr_lives *lives)
{
    uint32_t cap = lives->cap == 0 ? FIRST_CAP : lives->cap;
    cap = lives->cap == 0 ? cap : cap > lives->limit / 2 ? lives->limit : cap * 2;
    cap = cap < lives->limit ? cap : lives->limit;
    struct mgr_life *grown = realloc(lives->ring, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    lives->ring = grown;
    lives->cap = cap;
    return true;
}

/* Takes the oldest record out of its chain, which it begins. */
static void oldest_drop(struct mgr_lives *lives)
{
    struct mgr_life *first = &lives->ring[lives->oldest];
    if (first->next == QKD_MAP_NONE) {
        (void)qkd_map_del(&lives->by_key, first->id.b);
    } else {
        lives->ring[first->next].last = first->last;
        (void)qkd_map_put(&lives->by_key, first->id.b, first->next); /* replaces: no room needed */
    }
    lives->dropped++;
}

/* Index of a free place, or QKD_MAP_NONE without memory. */
static uint32_t place_take(struct mgr_lives *lives)
{
    if (lives->limit == 0) {
        return QKD_MAP_NONE;
    }
    if (lives->count == lives->limit) {
        uint32_t index = lives->oldest;
        oldest_drop(lives);
        lives->oldest = index + 1 == lives->limit ? 0 : index + 1;
        return index;
    }
    if (lives->count == lives->cap && !ring_grow(lives)) {
        return QKD_MAP_NONE;
    }
    return lives->count++;
}

void mgr_lives_add(struct mgr_lives *lives, const struct wire_life *record)
{
    uint32_t index = place_take(lives);
    if (index == QKD_MAP_NONE) {
        lives->dropped++;
        return;
    }
    struct mgr_life *life = &lives->ring[index];
    *life = pack(record);
    life->next = QKD_MAP_NONE;
    life->last = index;
    uint32_t first = qkd_map_get(&lives->by_key, record->id.b);
    if (first != QKD_MAP_NONE) {
        lives->ring[lives->ring[first].last].next = index;
        lives->ring[first].last = index;
    } else {
        /* Without memory the record stays in the ring but cannot be found by its key. */
        (void)qkd_map_put(&lives->by_key, record->id.b, index);
    }
    lives->stored++;
}

size_t mgr_lives_trace(const struct mgr_lives *lives, const struct qkd_id *key_id,
                       struct wire_life *records, size_t cap)
{
    size_t count = 0;
    uint32_t at = qkd_map_get(&lives->by_key, key_id->b);
    for (; at != QKD_MAP_NONE; at = lives->ring[at].next) {
        if (count < cap) {
            records[count] = unpack(&lives->ring[at]);
        }
        count++;
    }
    return count;
}
