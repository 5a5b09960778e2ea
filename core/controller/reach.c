/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which KM serves which user network. */
#include "core/controller/reach.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum { CHUNK = 16, BYTES_MOST = 65536 };

void ctl_reach_init(struct ctl_reach *reach, uint32_t limit, const uint8_t *salt)
{
    qkd_slab_init(&reach->items, sizeof(struct ctl_reach_item), CHUNK, limit);
    qkd_map_init(&reach->by_km, 8, limit, salt);
}

void ctl_reach_fini(struct ctl_reach *reach)
{
    for (uint32_t slot = 0; slot < reach->items.top; slot++) {
        if (qkd_slab_live(&reach->items, slot)) {
            free(((struct ctl_reach_item *)qkd_slab_at(&reach->items, slot))->bytes);
        }
    }
    qkd_slab_fini(&reach->items);
    qkd_map_fini(&reach->by_km);
}

static struct ctl_reach_item *item_of(struct ctl_reach *reach, struct qkd_eid km, bool may_add)
{
    uint32_t slot = qkd_map_get(&reach->by_km, &km.v);
    if (slot == QKD_MAP_NONE && may_add) {
        slot = qkd_slab_take(&reach->items);
        if (slot == QKD_SLAB_NONE) {
            return NULL;
        }
        if (qkd_map_put(&reach->by_km, &km.v, slot) != 0) {
            qkd_slab_give(&reach->items, slot);
            return NULL;
        }
        *(struct ctl_reach_item *)qkd_slab_at(&reach->items,
                                              slot) = (struct ctl_reach_item){.km = km};
    }
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&reach->items, slot);
}

int ctl_reach_put(struct ctl_reach *reach, struct qkd_eid km, struct wire_bytes networks,
                  struct wire_bytes ksa, struct qkd_time said)
{
    struct wire_ksa_status status;
    size_t len = networks.len + ksa.len;
    if (wire_networks_check(networks) != 0 || len > BYTES_MOST ||
        (ksa.len > 0 && wire_ksa_status_decode(&status, ksa.at, ksa.len) != (int)ksa.len)) {
        return QKD_ERR_FORMAT;
    }
    struct ctl_reach_item *item = item_of(reach, km, len > 0);
    if (item == NULL) {
        return len > 0 ? QKD_ERR_NOMEM : QKD_OK;
    }
    uint8_t *bytes = realloc(item->bytes, len + 1);
    if (bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (networks.len > 0) {
        memcpy(bytes, networks.at, networks.len);
    }
    if (ksa.len > 0) {
        memcpy(bytes + networks.len, ksa.at, ksa.len);
    }
    item->bytes = bytes;
    item->networks_len = (uint32_t)networks.len;
    item->ksa_len = (uint32_t)ksa.len;
    item->said = said;
    return QKD_OK;
}

const struct ctl_reach_item *ctl_reach_find(const struct ctl_reach *reach,
                                            const struct wire_user_network *what,
                                            struct qkd_time oldest)
{
    const struct ctl_reach_item *best = NULL;
    int best_bits = -1;
    for (uint32_t slot = 0; slot < reach->items.top; slot++) {
        const struct ctl_reach_item *item = qkd_slab_live(&reach->items, slot)
                                                ? qkd_slab_at(&reach->items, slot)
                                                : NULL;
        if (item == NULL || qkd_time_before(item->said, oldest)) {
            continue;
        }
        struct wire_bytes networks = {item->bytes, item->networks_len};
        int bits = wire_networks_match(networks, what);
        bool is_lower = best != NULL && item->km.v < best->km.v;
        if (bits >= 0 && (bits > best_bits || (bits == best_bits && is_lower))) {
            best = item;
            best_bits = bits;
        }
    }
    return best;
}

void ctl_reach_answer(const struct ctl_reach *reach, const struct wire_resolve *question,
                      struct qkd_time oldest, struct wire_resolve_rsp *answer)
{
    struct wire_user_network what = {.has_address = question->has_address,
                                     .address = question->address,
                                     .has_name = question->has_name,
                                     .name = question->name};
    const struct ctl_reach_item *item = ctl_reach_find(reach, &what, oldest);
    answer->source_id = question->source_id;
    answer->reason = item == NULL ? WIRE_REASON_UNKNOWN_APPLICATION : WIRE_REASON_NONE;
    answer->km_id = item == NULL ? QKD_NOBODY : qkd_eid_sibling(item->km, QKD_ROLE_KMA);
    struct wire_ksa_status ksa;
    if (item != NULL && item->ksa_len > 0 &&
        wire_ksa_status_decode(&ksa, item->bytes + item->networks_len, item->ksa_len) > 0) {
        answer->has_ksa_id = answer->has_ksa_address = true;
        answer->ksa_id = ksa.ksa;
        answer->ksa_address = ksa.address;
    }
}
