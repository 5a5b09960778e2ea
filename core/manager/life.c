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
}

void mgr_lives_fini(struct mgr_lives *lives)
{
    free(lives->ring);
    *lives = (struct mgr_lives){0};
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

/* The place of the next record, or NULL without memory. */
static struct mgr_life *place_take(struct mgr_lives *lives)
{
    if (lives->limit == 0) {
        return NULL;
    }
    if (lives->count == lives->limit) {
        uint32_t index = lives->oldest;
        lives->dropped++;
        lives->oldest = index + 1 == lives->limit ? 0 : index + 1;
        return &lives->ring[index];
    }
    if (lives->count == lives->cap && !ring_grow(lives)) {
        return NULL;
    }
    return &lives->ring[lives->count++];
}

void mgr_lives_add(struct mgr_lives *lives, const struct wire_life *record)
{
    struct mgr_life *life = place_take(lives);
    if (life == NULL) {
        lives->dropped++;
        return;
    }
    *life = pack(record);
    lives->stored++;
}

size_t mgr_lives_trace(const struct mgr_lives *lives, const struct qkd_id *key_id,
                       struct wire_life *records, size_t cap)
{
    size_t found = 0;
    for (uint32_t i = 0; i < lives->count; i++) {
        const struct mgr_life *life = &lives->ring[(lives->oldest + i) % lives->count];
        if (!qkd_id_eq(&life->id, key_id)) {
            continue;
        }
        if (found < cap) {
            records[found] = unpack(life);
        }
        found++;
    }
    return found;
}
