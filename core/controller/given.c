/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes that were given: see controller/given.h. */
#include "core/controller/given.h"

#define KEY_LEN 16
#define CHUNK 64

void ctl_given_init(struct ctl_given *g, bool by_pair)
{
    *g = (struct ctl_given){.by_pair = by_pair};
    qkd_slab_init(&g->routes, sizeof(struct ctl_given_route), CHUNK, CTL_GIVEN_LIMIT);
    qkd_map_init(&g->by_way, KEY_LEN, CTL_GIVEN_LIMIT, NULL);
}

void ctl_given_fini(struct ctl_given *g)
{
    qkd_slab_fini(&g->routes);
    qkd_map_fini(&g->by_way);
}

void ctl_given_salt(struct ctl_given *g, const uint8_t salt[16])
{
    qkd_map_init(&g->by_way, KEY_LEN, CTL_GIVEN_LIMIT, salt);
}

/* The hops by FNV-1a over 64 bits: two ways of a pair that meet in it are taken for one. */
static void key_make(const struct ctl_given *g, uint8_t key[KEY_LEN], const struct ctl_path *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; !g->by_pair && i < path->hops; i++) {
        hash = (hash ^ path->halves[i]) * UINT64_C(0x100000001b3);
    }
    wire_put_u32(key, path->nodes[0]);
    wire_put_u32(key + 4, path->nodes[path->hops]);
    wire_put_u64(key + 8, hash);
}

struct ctl_given_route *ctl_given_put(struct ctl_given *g, struct qkd_eid kmc,
                                      const struct ctl_query *q, const struct ctl_path *path,
                                      struct qkd_time until)
{
    uint8_t key[KEY_LEN];
    key_make(g, key, path);
    uint32_t slot = qkd_map_get(&g->by_way, key);
    if (slot == QKD_MAP_NONE) {
        slot = qkd_slab_take(&g->routes);
        if (slot == QKD_SLAB_NONE) {
            return NULL;
        }
        if (qkd_map_put(&g->by_way, key, slot) != 0) {
            qkd_slab_give(&g->routes, slot);
            return NULL;
        }
        *(struct ctl_given_route *)qkd_slab_at(&g->routes,
                                               slot) = (struct ctl_given_route){.kmc = kmc};
    }
    struct ctl_given_route *route = qkd_slab_at(&g->routes, slot);
    route->until = qkd_time_before(route->until, until) ? until : route->until;
    route->relay_bits = q->relay_bits;
    route->direct_bits = q->direct_bits;
    route->first_saved_bits = q->first_saved_bits;
    route->path = *path;
    route->is_pending = false; /* what it was to be told is overtaken */
    return route;
}

struct ctl_given_route *ctl_given_find(const struct ctl_given *g, const struct ctl_path *path)
{
    uint8_t key[KEY_LEN];
    key_make(g, key, path);
    uint32_t slot = qkd_map_get(&g->by_way, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&g->routes, slot);
}

static void way_forget(struct ctl_given *g, const struct ctl_given_route *route)
{
    uint8_t key[KEY_LEN];
    key_make(g, key, &route->path);
    if (!route->is_double) {
        (void)qkd_map_del(&g->by_way, key);
    }
}

void ctl_given_move(struct ctl_given *g, uint32_t slot, const struct ctl_path *path)
{
    struct ctl_given_route *route = qkd_slab_at(&g->routes, slot);
    uint8_t key[KEY_LEN];
    way_forget(g, route);
    route->path = *path;
    key_make(g, key, path);
    route->is_double = qkd_map_get(&g->by_way, key) != QKD_MAP_NONE ||
                       qkd_map_put(&g->by_way, key, slot) != 0;
}

void ctl_given_forget(struct ctl_given *g, uint32_t slot)
{
    way_forget(g, qkd_slab_at(&g->routes, slot));
    qkd_slab_give(&g->routes, slot);
}
