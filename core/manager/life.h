/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Store of key life-cycle records (D2.3 clause 7.1.6, D23-OP-18): a ring that grows to its limit,
 * then drops the oldest. Records come by the hundred thousand and are asked for one key at a time, so
 * there is no index: a question reads the ring from the oldest on. Private to the room. */
#ifndef QKD_MANAGER_LIFE_H
#define QKD_MANAGER_LIFE_H

#include "core/wire/codec.h"

/* wire_life packed; `has` says which optional fields are present. */
struct mgr_life {
    struct qkd_id id, parent;
    struct qkd_time when;
    struct qkd_eid at, source, destination, source_app, target_app;
    uint32_t key_length, link;
    uint16_t has;
    uint8_t action, key_class, method, hop, reason;
};

struct mgr_lives {
    struct mgr_life *ring;
    uint32_t count, cap, limit;
    uint32_t oldest;          /* index, once count == limit */
    uint64_t stored, dropped; /* dropped: for age or want of memory */
};

void mgr_lives_init(struct mgr_lives *lives, uint32_t limit);
void mgr_lives_fini(struct mgr_lives *lives);

void mgr_lives_add(struct mgr_lives *lives, const struct wire_life *record);

/* Records of one key in order of arrival into records[cap]; how many there are in all. */
size_t mgr_lives_trace(const struct mgr_lives *lives, const struct qkd_id *key_id,
                       struct wire_life *records, size_t cap);

#endif
