/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hash map from a fixed-size byte key to a 32-bit slot number: open addressing, tombstone-free,
 * grows by doubling up to a limit, no allocation while it is large enough. Iteration order is
 * never used to decide anything. Keys come from the network, so the hash is keyed. */
#ifndef QKD_BASE_MAP_H
#define QKD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QKD_MAP_NONE UINT32_MAX

/* Most maps of an idle network are empty; one that is not costs a search two lines of memory: this struct
 * and the cell. */
struct qkd_map {
    uint8_t *cells;   /* cap cells of (u32 slot, u32 hash, key). NULL: none */
    uint32_t cap;     /* power of two, 0 before the first put */
    uint32_t count;   /* live entries */
    uint32_t limit;   /* most entries ever held */
    uint32_t key_len; /* bytes per key, at most 32 */
    uint32_t salt[4]; /* of the hash */
};

/* `limit` entries at most; nothing is allocated yet. salt may be NULL (zero). */
void qkd_map_init(struct qkd_map *map, uint32_t key_len, uint32_t limit, const uint8_t *salt);
void qkd_map_fini(struct qkd_map *map);

/* The slot of `key`, or QKD_MAP_NONE. */
uint32_t qkd_map_get(const struct qkd_map *map, const void *key);

/* Adds or replaces; 0, QKD_ERR_LIMIT or QKD_ERR_NOMEM. */
int qkd_map_put(struct qkd_map *map, const void *key, uint32_t slot);

/* Removes; false if it was not there. */
bool qkd_map_del(struct qkd_map *map, const void *key);

#endif
