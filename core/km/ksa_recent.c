/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of recent commands: see km/ksa_recent.h. */
#include "core/km/ksa_recent.h"

#include "core/base/err.h"

enum { CHUNK_ANSWERS = 128, KEY_LEN = 16 };

void ksa_recent_init(struct ksa_recent *recent, uint32_t limit, const uint8_t salt[16])
{
    *recent = (struct ksa_recent){.limit = limit};
    qkd_slab_init(&recent->slab, sizeof(struct ksa_answer), CHUNK_ANSWERS, limit);
    qkd_map_init(&recent->map, KEY_LEN, limit, salt);
}

void ksa_recent_fini(struct ksa_recent *recent)
{
    qkd_slab_fini(&recent->slab);
    qkd_map_fini(&recent->map);
}

static void key_of(struct qkd_eid peer, uint64_t message_id, uint8_t key[KEY_LEN])
{
    memcpy(key, &peer.v, 8);
    memcpy(key + 8, &message_id, 8);
}

struct ksa_answer *ksa_recent_find(const struct ksa_recent *recent, struct qkd_eid peer,
                                   uint64_t message_id)
{
    uint8_t key[KEY_LEN];
    key_of(peer, message_id, key);
    uint32_t slot = qkd_map_get(&recent->map, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&recent->slab, slot);
}

/* A slot for a new answer: the oldest one leaves when all are used. */
static uint32_t slot_take(struct ksa_recent *recent)
{
    uint32_t slot = qkd_slab_take(&recent->slab);
    if (slot != QKD_SLAB_NONE || recent->slab.live == 0) {
        return slot;
    }
    slot = recent->oldest;
    recent->oldest = (slot + 1) % recent->slab.top;
    const struct ksa_answer *old = qkd_slab_at(&recent->slab, slot);
    uint8_t key[KEY_LEN];
    key_of(old->peer, old->message_id, key);
    if (qkd_map_get(&recent->map, key) == slot) {
        (void)qkd_map_del(&recent->map, key);
    }
    return slot;
}

void ksa_recent_add(struct ksa_recent *recent, struct qkd_eid peer, uint64_t message_id)
{
    uint32_t slot = slot_take(recent);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    *(struct ksa_answer *)qkd_slab_at(&recent->slab, slot) =
        (struct ksa_answer){.peer = peer, .message_id = message_id, .state = KSA_ANSWER_PENDING};
    uint8_t key[KEY_LEN];
    key_of(peer, message_id, key);
    (void)qkd_map_put(&recent->map, key, slot); /* without it a repetition is executed: harmless */
}

void ksa_recent_answer(struct ksa_recent *recent, const struct ksa_answer *answer)
{
    struct ksa_answer *known = ksa_recent_find(recent, answer->peer, answer->message_id);
    if (known != NULL) {
        *known = *answer;
        known->state = KSA_ANSWER_DONE;
    }
}

void ksa_recent_forget(struct ksa_recent *recent, struct qkd_eid peer, uint64_t message_id)
{
    uint8_t key[KEY_LEN];
    key_of(peer, message_id, key);
    (void)qkd_map_del(&recent->map, key);
}
