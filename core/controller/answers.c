/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recent answers to ROUTE: see controller/answers.h. */
#include "core/controller/answers.h"

#include <stdlib.h>

#define FIRST_CAP 32
#define KEY_LEN 16

void ctl_answers_init(struct ctl_answers *a, struct qkd_span young)
{
    *a = (struct ctl_answers){.young = young};
    qkd_map_init(&a->by_request, KEY_LEN, CTL_ANSWER_LIMIT, NULL);
}

void ctl_answers_fini(struct ctl_answers *a)
{
    qkd_map_fini(&a->by_request);
    free(a->ring);
    *a = (struct ctl_answers){0};
}

void ctl_answers_salt(struct ctl_answers *a, const uint8_t salt[16])
{
    qkd_map_init(&a->by_request, KEY_LEN, CTL_ANSWER_LIMIT, salt);
}

static void key_make(uint8_t key[KEY_LEN], struct qkd_eid asker, uint64_t message_id)
{
    wire_put_u64(key, asker.v);
    wire_put_u64(key + 8, message_id);
}

const struct ctl_answer *ctl_answers_find(const struct ctl_answers *a, struct qkd_eid asker,
                                          uint64_t message_id)
{
    uint8_t key[KEY_LEN];
    key_make(key, asker, message_id);
    uint32_t index = qkd_map_get(&a->by_request, key);
    return index == QKD_MAP_NONE ? NULL : &a->ring[index];
}

/* Unwraps the ring and doubles it; stays as it is without memory. */
static void ring_grow(struct ctl_answers *a)
{
    uint32_t cap = a->cap == 0 ? FIRST_CAP : a->cap * 2;
    struct ctl_answer *ring = malloc(cap * sizeof *ring);
    if (ring == NULL) {
        return;
    }
    uint8_t key[KEY_LEN];
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t from = a->next + i;
        ring[i] = a->ring[from < a->cap ? from : from - a->cap];
        key_make(key, ring[i].asker, ring[i].message_id);
        (void)qkd_map_put(&a->by_request, key, i); /* there already: no room needed */
    }
    free(a->ring);
    a->ring = ring;
    a->cap = cap;
    a->next = a->count;
}

struct ctl_answer *ctl_answers_add(struct ctl_answers *a, struct qkd_eid asker, uint64_t message_id,
                                   struct qkd_time now)
{
    bool is_full = a->count == a->cap;
    bool is_young = is_full && a->count > 0 &&
                    qkd_time_before(now, qkd_time_add(a->ring[a->next].at, a->young));
    if (a->cap == 0 || (is_young && a->cap < CTL_ANSWER_LIMIT)) {
        ring_grow(a);
        if (a->cap == 0) {
            return NULL;
        }
    }
    uint8_t key[KEY_LEN];
    uint32_t index = a->next;
    if (a->count == a->cap) {
        key_make(key, a->ring[index].asker, a->ring[index].message_id);
        (void)qkd_map_del(&a->by_request, key);
    } else {
        a->count++;
    }
    a->next = index + 1 == a->cap ? 0 : index + 1;
    a->ring[index] = (struct ctl_answer){.asker = asker, .message_id = message_id, .at = now};
    key_make(key, asker, message_id);
    (void)qkd_map_put(&a->by_request, key, index); /* without memory a repeat is answered anew */
    return &a->ring[index];
}
