/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open addressing with linear probing and deletion by backward shift (Knuth, TAOCP 3, 6.4,
 * algorithm R): no tombstones, so long-lived maps do not decay. Load stays at or below 0.7. */
#include "core/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum { CAP_FIRST = 8, KEY_MAX = 32, KEY_AT = 8, SALT_WORDS = 4 };

#define SPREAD UINT64_C(0x9e3779b97f4a7c15) /* Knuth, TAOCP 3, 6.4: 2^64 over the golden ratio */

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
    return map->cells + stride(map) * index;
}

static struct cell cell_load(const struct qkd_map *map, uint32_t index)
{
    struct cell cell;
    memcpy(&cell, cell_at(map, index), sizeof cell);
    return cell;
}

static uint32_t word_at(const uint8_t *key, uint32_t len, uint32_t index)
{
    uint32_t word = 0;
    uint32_t left = len - 4 * index;
    memcpy(&word, key + (size_t)4 * index, left < 4 ? left : 4);
    return word;
}

/* Two words of the key by NH (Black et al., "UMAC: fast and secure message authentication", 1999,
 * clause 5.2): who does not know the salt finds no two keys that collide. */
static uint64_t nh(const uint32_t salt[2], uint32_t first, uint32_t second)
{
    return (uint64_t)(first + salt[0]) * (uint32_t)(second + salt[1]);
}

/* The salt is as long as a usual key; words behind it are chained to the hash of those before them. */
static uint32_t hash_of(const struct qkd_map *map, const void *key)
{
    const uint8_t *at = key;
    const uint32_t *salt = map->salt;
    uint32_t len = map->key_len;
    uint64_t sum;
    if (len == 8) {
        sum = nh(salt, word_at(at, 8, 0), word_at(at, 8, 1));
    } else if (len == 16) {
        sum = nh(salt, word_at(at, 16, 0), word_at(at, 16, 1)) +
              nh(salt + 2, word_at(at, 16, 2), word_at(at, 16, 3));
    } else {
        uint32_t word[SALT_WORDS] = {0};
        uint32_t words = (len + 3) / 4;
        for (uint32_t i = 0; i < words && i < SALT_WORDS; i++) {
            word[i] = word_at(at, len, i);
        }
        sum = nh(salt, word[0], word[1]) + nh(salt + 2, word[2], word[3]);
        for (uint32_t i = SALT_WORDS; i < words; i++) {
            sum = ((sum ^ sum >> 32) + word_at(at, len, i)) * SPREAD;
        }
    }
    return (uint32_t)((sum ^ sum >> 32) * SPREAD >> 32);
}

void qkd_map_init(struct qkd_map *map, uint32_t key_len, uint32_t limit, const uint8_t *salt)
{
    /* Digits of pi: without a salt, too, no factor of the hash may be zero for all keys. */
    static const uint32_t pi[SALT_WORDS] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
    QKD_ASSERT(key_len >= 1 && key_len <= KEY_MAX);
    *map = (struct qkd_map){.limit = limit, .key_len = key_len};
    if (salt != NULL) {
        memcpy(map->salt, salt, sizeof map->salt);
    }
    for (size_t i = 0; i < SALT_WORDS; i++) {
        map->salt[i] ^= pi[i];
    }
}

void qkd_map_fini(struct qkd_map *map)
{
    free(map->cells);
    map->cells = NULL;
    map->cap = 0;
    map->count = 0;
}

static bool key_is(const struct qkd_map *map, uint32_t index, const void *key)
{
    const uint8_t *at = cell_at(map, index) + KEY_AT;
    uint64_t a[2];
    uint64_t b[2];
    switch (map->key_len) { /* no call for the usual lengths */
    case 8:
        memcpy(a, at, 8);
        memcpy(b, key, 8);
        return a[0] == b[0];
    case 16:
        memcpy(a, at, 16);
        memcpy(b, key, 16);
        return a[0] == b[0] && a[1] == b[1];
    default:
        return memcmp(at, key, map->key_len) == 0;
    }
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
        if (cell.hash == hash && key_is(map, i, key)) {
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
    if (cap == 0 || cap > SIZE_MAX / stride(map)) {
        return QKD_ERR_NOMEM;
    }
    struct qkd_map grown = *map;
    grown.cap = cap;
    grown.cells = malloc(stride(map) * cap);
    if (grown.cells == NULL) {
        return QKD_ERR_NOMEM;
    }
    memset(grown.cells, 0xff, stride(map) * cap);
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
    free(map->cells);
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
