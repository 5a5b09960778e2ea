/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of reservations: see controller/reserve.h. */
#include "core/controller/reserve.h"

#include "core/base/err.h"

#define TABLE_CHUNK 16
#define KEY_LEN 16

void ctl_reserve_init(struct ctl_reserve *r)
{
    qkd_slab_init(&r->table, sizeof(struct ctl_reservation), TABLE_CHUNK, CTL_RESERVE_LIMIT);
    qkd_map_init(&r->by_session, KEY_LEN, CTL_RESERVE_LIMIT, NULL);
}

void ctl_reserve_fini(struct ctl_reserve *r)
{
    qkd_slab_fini(&r->table);
    qkd_map_fini(&r->by_session);
}

void ctl_reserve_salt(struct ctl_reserve *r, const uint8_t salt[16])
{
    qkd_map_init(&r->by_session, KEY_LEN, CTL_RESERVE_LIMIT, salt);
}

static void key_make(uint8_t key[KEY_LEN], struct qkd_eid kmc, uint64_t session_id)
{
    wire_put_u64(key, kmc.v);
    wire_put_u64(key + 8, session_id);
}

struct ctl_reservation *ctl_reserve_find(const struct ctl_reserve *r, struct qkd_eid kmc,
                                         uint64_t session_id)
{
    uint8_t key[KEY_LEN];
    key_make(key, kmc, session_id);
    uint32_t slot = qkd_map_get(&r->by_session, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&r->table, slot);
}

struct ctl_reservation *ctl_reserve_add(struct ctl_reserve *r, struct qkd_eid kmc,
                                        uint64_t session_id)
{
    uint32_t slot = qkd_slab_take(&r->table);
    if (slot == QKD_SLAB_NONE) {
        return NULL;
    }
    uint8_t key[KEY_LEN];
    key_make(key, kmc, session_id);
    if (qkd_map_put(&r->by_session, key, slot) != 0) {
        qkd_slab_give(&r->table, slot);
        return NULL;
    }
    struct ctl_reservation *entry = qkd_slab_at(&r->table, slot);
    entry->kmc = kmc;
    entry->session_id = session_id;
    entry->state = CTL_RESERVE_REFUSED;
    return entry;
}

void ctl_reserve_forget(struct ctl_reserve *r, uint32_t slot)
{
    const struct ctl_reservation *entry = qkd_slab_at(&r->table, slot);
    QKD_ASSERT(entry->state != CTL_RESERVE_HELD);
    uint8_t key[KEY_LEN];
    key_make(key, entry->kmc, entry->session_id);
    (void)qkd_map_del(&r->by_session, key);
    qkd_slab_give(&r->table, slot);
}

void ctl_reserve_drop(struct ctl_reserve *r, struct ctl_reservation *entry)
{
    uint8_t key[KEY_LEN];
    key_make(key, entry->kmc, entry->session_id);
    uint32_t slot = qkd_map_get(&r->by_session, key);
    QKD_ASSERT(slot != QKD_MAP_NONE);
    ctl_reserve_forget(r, slot);
}

void ctl_reserve_hold(struct ctl_reservation *entry, struct ctl_topology *t,
                      const struct ctl_path *path)
{
    QKD_ASSERT(entry->state != CTL_RESERVE_HELD && path->hops <= CTL_HOPS_MAX);
    entry->state = CTL_RESERVE_HELD;
    entry->reason = WIRE_REASON_NONE;
    entry->hops = (uint8_t)path->hops;
    for (uint32_t i = 0; i < path->hops; i++) {
        entry->links[i] = path->halves[i] >> 1;
        t->links[entry->links[i]].reserved_bps += entry->link_bps;
    }
}

void ctl_reserve_end(struct ctl_reservation *entry, struct ctl_topology *t,
                     enum ctl_reserve_state state)
{
    QKD_ASSERT(entry->state == CTL_RESERVE_HELD && state != CTL_RESERVE_HELD);
    entry->state = (uint8_t)state;
    for (uint32_t i = 0; i < entry->hops; i++) {
        struct ctl_link *link = &t->links[entry->links[i]];
        QKD_ASSERT(link->reserved_bps >= entry->link_bps);
        link->reserved_bps -= entry->link_bps;
    }
}
