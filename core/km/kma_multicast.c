/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: one key for several destinations (multicast; Table 7-5 names additional slaves of ETSI GS QKD
 * 014). The need of the KSA becomes one need per destination, each with the flow of its application
 * pair; all of them send the same keys, which are drawn once and kept here until every destination has
 * them. Every piece has pads and a compare key of its own. Where one need fails all of them are over.
 * A neighbour is given no link key: others are to have the key, too. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

static struct kma_group *group_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->groups, slot);
}

static uint64_t bits_of(uint32_t place, uint32_t count)
{
    uint64_t low = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    return low << place;
}

/* Application number i of those that are to have the keys. */
static struct qkd_eid target_at(const struct wire_kmi_need *need, uint32_t i)
{
    return i == 0 ? need->target_app
                  : (struct qkd_eid){wire_get_u64(need->more_targets.at + (size_t)8 * (i - 1))};
}

static bool is_valid(const struct kma *kma, const struct wire_kmi_need *need, uint32_t count)
{
    if (need->more_targets.len % 8 != 0 || count > WIRE_TARGETS_MAX ||
        need->count > WIRE_MULTICAST_KEYS_MAX ||
        need->key_size / 8 * need->count > WIRE_FRAME_KEY_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (qkd_eid_node(target_at(need, i)) == qkd_eid_node(kma->self)) {
            return false;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (qkd_eid_node(target_at(need, i)) == qkd_eid_node(target_at(need, k))) {
                return false;
            }
        }
    }
    return true;
}

/* A group with its keys and no need yet; QKD_SLAB_NONE at a limit. */
static uint32_t group_make(struct kma *kma, const struct kma_need *like)
{
    size_t len = (size_t)like->key_size / 8 * like->count;
    uint32_t slot = qkd_slab_take(&kma->groups);
    uint32_t buf = slot == QKD_SLAB_NONE ? KM_SECBUF_NONE : km_secbuf_take(&kma->bufs, len);
    if (buf == KM_SECBUF_NONE || qkd_map_put(&kma->group_map, &like->message_id, slot) != 0) {
        km_secbuf_give(&kma->bufs, &buf);
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->groups, slot);
        }
        return QKD_SLAB_NONE;
    }
    *group_at(kma, slot) = (struct kma_group){.message_id = like->message_id, .buf = buf};
    qkd_rng_bytes(&kma->rng, km_secbuf_at(&kma->bufs, buf), len);
    return slot;
}

static void group_free(struct kma *kma, uint32_t slot)
{
    struct kma_group *group = group_at(kma, slot);
    km_secbuf_give(&kma->bufs, &group->buf);
    (void)qkd_map_del(&kma->group_map, &group->message_id);
    qkd_slab_give(&kma->groups, slot);
}

/* A need per destination; false at a limit. */
static bool needs_add(const struct kma_step *s, uint32_t slot, const struct wire_kmi_need *need,
                      const struct kma_need *like, uint32_t count)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < count; i++) {
        struct wire_kmi_need one = *need;
        struct kma_need n = *like;
        one.target_app = n.target_app = target_at(need, i);
        one.destination_id = n.destination = qkd_eid_sibling(one.target_app, QKD_ROLE_KMA);
        one.has_relay = need->has_relay && need->relay == WIRE_RELAY_MULTIPATH;
        n.group = slot;
        uint32_t flow = kma_flow_get(s, &one);
        uint32_t added = flow == QKD_SLAB_NONE ? flow : kma_need_add(s, &n, flow);
        if (added == QKD_SLAB_NONE) {
            return false;
        }
        group_at(kma, slot)->needs[group_at(kma, slot)->count++] = added;
        group_at(kma, slot)->open++;
    }
    return true;
}

uint8_t kma_group_receive(const struct kma_step *s, const struct wire_kmi_need *need,
                          const struct kma_need *like)
{
    struct kma *kma = s->kma;
    uint32_t flows[WIRE_TARGETS_MAX];
    uint32_t count = 1 + (uint32_t)(need->more_targets.len / 8);
    if (!is_valid(kma, need, count)) {
        return WIRE_REASON_BAD_REQUEST;
    }
    uint32_t slot = group_make(kma, like);
    if (slot == QKD_SLAB_NONE) {
        return WIRE_REASON_OVERLOAD;
    }
    if (!needs_add(s, slot, need, like, count)) {
        if (group_at(kma, slot)->count == 0) {
            group_free(kma, slot);
        } else {
            kma_group_end(s, slot);
        }
        return WIRE_REASON_OVERLOAD;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct kma_need *n = qkd_slab_at(&kma->needs, group_at(kma, slot)->needs[i]);
        flows[i] = n->flow;
    }
    for (uint32_t i = 0; i < count; i++) { /* one that fails ends the needs of all */
        kma_flow_go(s, flows[i]);
    }
    return WIRE_REASON_NONE;
}

void kma_group_end(const struct kma_step *s, uint32_t slot)
{
    struct kma_group group = *group_at(s->kma, slot); /* the last need takes it along */
    for (uint32_t i = 0; i < group.count; i++) {
        if (group.needs[i] != QKD_SLAB_NONE) {
            kma_need_give(s, group.needs[i]);
        }
    }
}

void kma_group_leave(const struct kma_step *s, uint32_t slot, uint32_t need)
{
    struct kma_group *group = group_at(s->kma, slot);
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->needs[i] == need) {
            group->needs[i] = QKD_SLAB_NONE;
            group->open--;
        }
    }
    if (group->open == 0) {
        group_free(s->kma, slot);
    }
}

uint32_t kma_group_gap(const struct kma_need *need, uint16_t *count)
{
    uint32_t place = 0;
    while (place < need->count && (need->placed >> place & 1) != 0) {
        place++;
    }
    uint16_t run = 0;
    while (run < *count && place + run < need->count && (need->placed >> (place + run) & 1) == 0) {
        run++;
    }
    *count = run;
    return place;
}

void kma_group_place(struct kma_need *need, const struct kma_piece *piece, bool is_sent)
{
    uint64_t bits = bits_of(piece->place, piece->count);
    need->placed = is_sent ? need->placed | bits : need->placed & ~bits;
}

void kma_group_lost(const struct kma_step *s, const struct kma_need *need)
{
    struct kma_group *group = group_at(s->kma, need->group);
    group->is_weak = group->is_weak || kma_fall(s, need->level) != 0;
}

uint8_t kma_group_grade(const struct kma *kma, const struct kma_need *need, uint8_t grade)
{
    const struct kma_group *group = qkd_slab_at(&kma->groups, need->group);
    return group->is_weak ? WIRE_METHOD_AES : grade;
}

void kma_group_copy(struct kma *kma, const struct kma_need *need, const struct kma_piece *piece,
                    uint8_t *to)
{
    const struct kma_group *group = group_at(kma, need->group);
    size_t each = need->key_size / 8;
    memcpy(to, km_secbuf_at(&kma->bufs, group->buf) + piece->place * each, piece->count * each);
    if (QKDN_MUTANT(MULTICAST_APART) && qkd_eid_node(need->destination) % 2 == 1) {
        to[0] ^= 1;
    }
}

uint32_t kma_group_count(struct kma *kma, const struct kma_need *need, bool *is_last)
{
    struct kma_group *group = group_at(kma, need->group);
    *is_last = need->done == need->count && group->open == 1;
    return ++group->count_id;
}
