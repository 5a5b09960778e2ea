/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: keys that come to their destination in parts, in any order and by several ways. The key is the XOR of
 * all parts; each counts once. A key of which a part stays away is forgotten: its source notices. */
#include "core/km/kma_internal.h"

#include <string.h>

static struct kma_gather *gather_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->gathers, slot);
}

static void gather_give(struct kma *kma, uint32_t slot)
{
    struct kma_gather *g = gather_at(kma, slot);
    (void)qkd_map_del(&kma->gather_map, &g->item.key_id);
    km_secbuf_give(&kma->bufs, &g->buf);
    qkd_slab_give(&kma->gathers, slot);
}

/* The key's entry, made if new; QKD_SLAB_NONE at a limit. */
static uint32_t gather_get(const struct kma_step *s, const struct kma_part *part)
{
    struct kma *kma = s->kma;
    uint32_t slot = qkd_map_get(&kma->gather_map, &part->key_id);
    if (slot != QKD_MAP_NONE) {
        return slot;
    }
    slot = qkd_slab_take(&kma->gathers);
    uint32_t buf = slot == QKD_SLAB_NONE ? KM_SECBUF_NONE
                                         : km_secbuf_take(&kma->bufs, part->bytes.len);
    if (buf == KM_SECBUF_NONE || qkd_map_put(&kma->gather_map, &part->key_id, slot) != 0) {
        km_secbuf_give(&kma->bufs, &buf);
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->gathers, slot);
        }
        return QKD_SLAB_NONE;
    }
    bool timer_first = kma->config->timer.ns < kma->config->fetch_within.ns; /* HS-T2 */
    struct qkd_span patience = timer_first ? kma->config->timer : kma->config->fetch_within;
    *gather_at(kma, slot) = (struct kma_gather){.item.key_id = part->key_id,
                                                .item.until = kma_after(s, patience),
                                                .buf = buf,
                                                .len = (uint32_t)part->bytes.len};
    memset(km_secbuf_at(&kma->bufs, buf), 0, part->bytes.len);
    return slot;
}

static void whole(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_gather *g = gather_at(kma, slot);
    uint8_t secret[KM_SECBUF_MAX];
    uint32_t keys_len = g->len - WIRE_COMPARE_LEN;
    memcpy(secret, km_secbuf_at(&kma->bufs, g->buf), g->len);
    struct kma_arrival a = {.item = g->item,
                            .keys = {secret, keys_len},
                            .compare = secret + keys_len};
    struct kma_forward key = {.source = g->item.source,
                              .key_id = g->item.key_id,
                              .session = g->item.session,
                              .attempt = g->attempt};
    gather_give(kma, slot);
    kma_arrived(s, &a, &key);
    crypto_wipe(secret, keys_len + WIRE_COMPARE_LEN);
}

void kma_gather_add(const struct kma_step *s, const struct kma_part *part)
{
    struct kma *kma = s->kma;
    if (qkd_map_get(&kma->stored_map, &part->key_id) != QKD_MAP_NONE) {
        kma_arrived_again(s, part);
        return;
    }
    if (part->index >= 64 || part->parts > 64 || part->bytes.len <= WIRE_COMPARE_LEN ||
        part->bytes.len > KM_SECBUF_MAX) {
        return; /* nonsense */
    }
    uint32_t slot = gather_get(s, part);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    struct kma_gather *g = gather_at(kma, slot);
    uint64_t bit = UINT64_C(1) << part->index;
    if ((g->have & bit) != 0 || g->len != part->bytes.len) {
        return;
    }
    g->have |= bit;
    uint8_t *sum = km_secbuf_at(&kma->bufs, g->buf);
    crypto_xor(sum, sum, part->bytes.at, g->len);
    if (part->parts > 0) {
        struct qkd_time until = g->item.until;
        uint8_t grade = g->parts > 0 ? kma_grade_weaker(g->item.grade, part->item->grade)
                                     : part->item->grade;
        g->item = *part->item;
        g->item.until = until;
        g->item.grade = grade; /* of the weakest way: what any of them saw counts */
        g->parts = part->parts;
        g->attempt = part->attempt;
    }
    uint64_t all = g->parts == 64 ? UINT64_MAX : (UINT64_C(1) << g->parts) - 1;
    if (g->parts > 0 && g->have == all) {
        whole(s, slot);
    }
}

void kma_gather_sweep(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; kma->gathers.live > 0 && i < kma->gathers.top; i++) {
        if (qkd_slab_live(&kma->gathers, i) &&
            !qkd_time_before(s->event->now, gather_at(kma, i)->item.until)) {
            gather_give(kma, i);
        }
    }
}
