/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Store of key life-cycle records (D2.3 clause 7.1.6, D23-OP-18): a ring that grows to its limit,
 * then drops the oldest; the records of one key form a chain in order of arrival. The oldest of the
 * ring is always the first of its chain, so dropping it is one step. Private to the room. */
#ifndef QKD_MANAGER_LIFE_H
#define QKD_MANAGER_LIFE_H

#include "core/base/map.h"
#include "core/wire/codec.h"

/* wire_life packed; `has` says which optional fields are present. */
struct mgr_life {
    struct qkd_id id, parent;
    struct qkd_time when;
    struct qkd_eid at, source, destination, source_app, target_app;
    uint32_t key_length, link;
    uint16_t has;
    uint8_t action, key_class, method, hop, reason;
    uint32_t next; /* record of the same key that came after, or QKD_MAP_NONE */
    uint32_t last; /* in the first record of a chain: its last */
};

struct mgr_lives {
    struct mgr_life *ring;
    uint32_t count, cap, limit;
    uint32_t oldest;          /* index, once count == limit */
    struct qkd_map by_key;    /* key ID -> first record of its chain */
    uint64_t stored, dropped; /* dropped: for age or want of memory */
};

void mgr_lives_init(struct mgr_lives *lives, uint32_t limit);
void mgr_lives_fini(struct mgr_lives *lives);
void mgr_lives_salt(struct mgr_lives *lives, const uint8_t salt[16]);

void mgr_lives_add(struct mgr_lives *lives, const struct wire_life *record);

/* Records of one key into records[cap]; how many there are in all. */
size_t mgr_lives_trace(const struct mgr_lives *lives, const struct qkd_id *key_id,
                       struct wire_life *records, size_t cap);

#endif
