/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes that pairs keep: see controller/kept.h. */
#include "core/controller/kept.h"

#define KEY_LEN 8
#define CHUNK 64

void ctl_kept_init(struct ctl_kept *k)
{
    qkd_slab_init(&k->paths, sizeof(struct ctl_path), CHUNK, CTL_KEPT_LIMIT);
    qkd_map_init(&k->by_pair, KEY_LEN, CTL_KEPT_LIMIT, NULL);
}

void ctl_kept_fini(struct ctl_kept *k)
{
    qkd_slab_fini(&k->paths);
    qkd_map_fini(&k->by_pair);
}

void ctl_kept_salt(struct ctl_kept *k, const uint8_t salt[16])
{
    qkd_map_init(&k->by_pair, KEY_LEN, CTL_KEPT_LIMIT, salt);
}

static struct ctl_path *path_find(const struct ctl_kept *k, uint32_t source, uint32_t destination)
{
    uint8_t key[KEY_LEN];
    wire_put_u32(key, source);
    wire_put_u32(key + 4, destination);
    uint32_t slot = qkd_map_get(&k->by_pair, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&k->paths, slot);
}

bool ctl_kept_route(const struct ctl_kept *k, const struct ctl_topology *t,
                    const struct ctl_query *q, struct ctl_path *path)
{
    const struct ctl_path *kept = path_find(k, q->source, q->destination);
    if (kept == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < kept->hops; i++) {
        if (ctl_route_usable(t, q, kept->nodes[i], kept->halves[i]) == 0) {
            return false;
        }
    }
    *path = *kept;
    return true;
}

void ctl_kept_put(struct ctl_kept *k, const struct ctl_path *path)
{
    uint32_t source = path->nodes[0];
    uint32_t destination = path->nodes[path->hops];
    struct ctl_path *kept = path_find(k, source, destination);
    if (kept == NULL) {
        uint32_t slot = qkd_slab_take(&k->paths);
        if (slot == QKD_SLAB_NONE) {
            return;
        }
        uint8_t key[KEY_LEN];
        wire_put_u32(key, source);
        wire_put_u32(key + 4, destination);
        if (qkd_map_put(&k->by_pair, key, slot) != 0) {
            qkd_slab_give(&k->paths, slot);
            return;
        }
        kept = qkd_slab_at(&k->paths, slot);
    }
    *kept = *path;
}
