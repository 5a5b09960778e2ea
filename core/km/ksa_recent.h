/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of the commands received last and of how they were answered, so that a repeated Message ID
 * of one sender is not executed twice (D23-GM-04). No key is in it: a supply is never repeated.
 * Internal to the KSA. */
#ifndef QKD_KM_KSA_RECENT_H
#define QKD_KM_KSA_RECENT_H

#include "core/base/id.h"
#include "core/base/map.h"
#include "core/base/slab.h"

enum ksa_answer_state {
    KSA_ANSWER_PENDING, /* under way: the answer will come */
    KSA_ANSWER_DONE
};

struct ksa_answer {
    struct qkd_eid peer;
    uint64_t message_id; /* of the command */
    uint8_t state;       /* enum ksa_answer_state */
    uint8_t code;        /* enum wire_code answered, or match at Kx-2 */
    uint8_t reason;      /* enum wire_reason answered */
    uint32_t deleted;    /* keys, of a key deletion */
    uint32_t request;    /* pending: its slot + 1, if it has one */
};

struct ksa_recent {
    struct qkd_slab slab;
    struct qkd_map map; /* (peer, message ID) -> slot */
    uint32_t limit;
    uint32_t oldest; /* slot to be used next when all are */
};

void ksa_recent_init(struct ksa_recent *recent, uint32_t limit, const uint8_t salt[16]);
void ksa_recent_fini(struct ksa_recent *recent);

/* The memory of a command or NULL. */
struct ksa_answer *ksa_recent_find(const struct ksa_recent *recent, struct qkd_eid peer,
                                   uint64_t message_id);

/* Remembers a new command as pending in place of the oldest; nothing happens if memory ends. */
void ksa_recent_add(struct ksa_recent *recent, struct qkd_eid peer, uint64_t message_id);

/* Notes the answer of a command, if it is still remembered. */
void ksa_recent_answer(struct ksa_recent *recent, const struct ksa_answer *answer);

/* Forgets a command, so that its repetition is executed. */
void ksa_recent_forget(struct ksa_recent *recent, struct qkd_eid peer, uint64_t message_id);

#endif
