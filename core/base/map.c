/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open addressing with linear probing and deletion by backward shift (Knuth, TAOCP 3, 6.4,
 * algorithm R): no tombstones, so long-lived maps do not decay. Load stays at or below 0.7. */
#include "core/base/map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum { CAP_FIRST = 8, KEY_MAX = 32, KEY_AT = 8 };

struct cell {
    uint32_t slot; /* QKD_MAP_NONE: empty */
    uint32_t hash;
};

static size_t stride(const struct qkd_map *map)
{
    return KEY_AT + ((map->key_len + 3U) & ~(size_t)3U);
}

static uint8_t *cell_at(const struct qkd_map *map, uint32_t index)
{
    return (uint8_t *)map->coefficient + map->head + stride(map) * index;
}

static struct cell cell_load(const struct qkd_map *map, uint32_t index)
{
    struct cell cell;
    memcpy(&cell, cell_at(map, index), sizeof cell);
    return cell;
}

/* Multilinear hash, strongly universal for secret coefficients (Lemire and Kaser, "Strongly universal
 * string hashing is fast", 2014, equation 2): who does not know the salt finds no collisions. */
static uint32_t hash_of(const struct qkd_map *map, const void *key)
{
    const uint8_t *at = key;
    uint64_t sum = map->coefficient[0];
    uint32_t words = map->key_len / 4;
    uint32_t word = 0;
    for (uint32_t i = 0; i < words; i++) {
        memcpy(&word, at + (size_t)4 * i, sizeof word);
        sum += map->coefficient[i + 1] * word;
    }
    if (map->key_len % 4 != 0) {
        word = 0;
        memcpy(&word, at + (size_t)4 * words, map->key_len % 4);
        sum += map->coefficient[words + 1] * word;
    }
    return (uint32_t)(sum >> 32);
}

void qkd_map_init(struct qkd_map *map, uint32_t key_len, uint32_t limit, const uint8_t *salt)
{
    QKD_ASSERT(key_len >= 1 && key_len <= KEY_MAX);
    *map = (struct qkd_map){.head = ((key_len + 3) / 4 + 1) * (uint32_t)sizeof(uint64_t),
                            .limit = limit,
                            .key_len = key_len};
    if (salt != NULL) {
        memcpy(map->salt, salt, sizeof map->salt);
    }
}

/* The coefficients of a new table. */
static void coefficients_make(struct qkd_map *map)
{
    for (uint64_t i = 0; i < map->head / sizeof(uint64_t); i++) {
        uint8_t digest[crypto_shorthash_BYTES];
        crypto_shorthash(digest, (const uint8_t *)&i, sizeof i, map->salt);
        memcpy(&map->coefficient[i], digest, sizeof map->coefficient[i]);
    }
}

void qkd_map_fini(struct qkd_map *map)
{
    free(map->coefficient);
    map->coefficient = NULL;
    map->cap = 0;
    map->count = 0;
}

/* The cell that holds `key`, or the empty cell where it would go. The map is not full. */
static uint32_t probe(const struct qkd_map *map, const void *key, uint32_t hash, bool *found)
{
    uint32_t mask = map->cap - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct cell cell = cell_load(map, i);
        if (cell.slot == QKD_MAP_NONE) {
            *found = false;
            return i;
        }
        if (cell.hash == hash && memcmp(cell_at(map, i) + KEY_AT, key, map->key_len) == 0) {
            *found = true;
            return i;
        }
    }
}

uint32_t qkd_map_get(const struct qkd_map *map, const void *key)
{
    if (map->count == 0) {
        return QKD_MAP_NONE;
    }
    bool found;
    uint32_t i = probe(map, key, hash_of(map, key), &found);
    return found ? cell_load(map, i).slot : QKD_MAP_NONE;
}

static void cell_store(struct qkd_map *map, uint32_t index, struct cell cell, const void *key)
{
    memcpy(cell_at(map, index), &cell, sizeof cell);
    memcpy(cell_at(map, index) + KEY_AT, key, map->key_len);
}

/* Moves every entry to a table of `cap` cells. */
static int rehash(struct qkd_map *map, uint32_t cap)
{
    if (cap == 0 || cap > (SIZE_MAX - map->head) / stride(map)) {
        return QKD_ERR_NOMEM;
    }
    struct qkd_map grown = *map;
    grown.cap = cap;
    grown.coefficient = malloc(map->head + stride(map) * cap);
    if (grown.coefficient == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (map->coefficient == NULL) {
        coefficients_make(&grown);
    } else {
        memcpy(grown.coefficient, map->coefficient, map->head);
    }
    memset(cell_at(&grown, 0), 0xff, stride(map) * cap);
    for (uint32_t i = 0; i < map->cap; i++) {
        struct cell cell = cell_load(map, i);
        if (cell.slot == QKD_MAP_NONE) {
            continue;
        }
        uint32_t to = cell.hash & (cap - 1);
        while (cell_load(&grown, to).slot != QKD_MAP_NONE) {
            to = (to + 1) & (cap - 1);
        }
        cell_store(&grown, to, cell, cell_at(map, i) + KEY_AT);
    }
    free(map->coefficient);
    *map = grown;
    return QKD_OK;
}

int qkd_map_put(struct qkd_map *map, const void *key, uint32_t slot)
{
    QKD_ASSERT(slot != QKD_MAP_NONE);
    bool found = false;
    struct cell cell = {slot, 0};
    uint32_t i = 0;
    if (map->cap > 0) {
        cell.hash = hash_of(map, key);
        i = probe(map, key, cell.hash, &found);
    }
    if (!found) {
        if (map->count >= map->limit) {
            return QKD_ERR_LIMIT;
        }
        if ((uint64_t)(map->count + 1) * 10 > (uint64_t)map->cap * 7) {
            int err = rehash(map, map->cap > 0 ? map->cap * 2 : CAP_FIRST);
            if (err != QKD_OK) {
                return err;
            }
            cell.hash = hash_of(map, key);
            i = probe(map, key, cell.hash, &found);
        }
        map->count++;
    }
    cell_store(map, i, cell, key);
    return QKD_OK;
}

/* Closes the gap at `hole`: pulls back each following entry that may not stand behind a gap. */
static void close_gap(struct qkd_map *map, uint32_t hole)
{
    uint32_t mask = map->cap - 1;
    for (uint32_t i = (hole + 1) & mask;; i = (i + 1) & mask) {
        struct cell cell = cell_load(map, i);
        if (cell.slot == QKD_MAP_NONE) {
            break;
        }
        if (((i - cell.hash) & mask) >= ((i - hole) & mask)) {
            memcpy(cell_at(map, hole), cell_at(map, i), stride(map));
            hole = i;
        }
    }
    memset(cell_at(map, hole), 0xff, stride(map));
}

bool qkd_map_del(struct qkd_map *map, const void *key)
{
    if (map->count == 0) {
        return false;
    }
    bool found;
    uint32_t i = probe(map, key, hash_of(map, key), &found);
    if (found) {
        close_gap(map, i);
        map->count--;
    }
    return found;
}
