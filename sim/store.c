/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Store of a node: entries in an array, found by an open-addressing table. */
#include "sim/store.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"

enum { FIRST_CAP = 4, VALUE_STEP = 16 };

struct store_key {
    uint64_t owner;
    uint8_t kind, key_len;
    uint8_t key[32];
};

void sim_store_fini(struct sim_store *store)
{
    for (uint32_t i = 0; i < store->entry_count; i++) {
        struct sim_store_entry *entry = &store->entries[i];
        if (entry->value != NULL) {
            crypto_wipe(entry->value, entry->value_cap);
            free(entry->value);
        }
    }
    free(store->entries);
    free(store->table);
    *store = (struct sim_store){0};
}

static uint32_t key_hash(uint64_t owner, uint8_t kind, const uint8_t *key, size_t key_len)
{
    static const uint8_t hash_key[16] = "store of a node";
    uint8_t text[48] = {0};
    memcpy(text, &owner, 8);
    text[8] = kind;
    memcpy(text + 9, key, key_len);
    return (uint32_t)crypto_hash64(hash_key, text, 9 + key_len);
}

static uint32_t persist_hash(const struct qkd_persist *persist)
{
    return key_hash(persist->owner.v, persist->kind, persist->key, persist->key_len);
}

static bool entry_is(const struct sim_store_entry *entry, const struct qkd_persist *persist)
{
    return entry->owner == persist->owner.v && entry->kind == persist->kind &&
           entry->key_len == persist->key_len &&
           memcmp(entry->key, persist->key, persist->key_len) == 0;
}

/* Where in the table the key is, or the free cell where it would go. Only entries of the very hash
 * are looked at: each would be a wait for memory. */
static uint32_t table_at(const struct sim_store *store, const struct qkd_persist *persist,
                         uint32_t hash)
{
    uint32_t mask = store->table_cap - 1;
    uint32_t at = hash & mask;
    for (; store->table[at].number != 0; at = (at + 1) & mask) {
        const struct sim_store_cell *cell = &store->table[at];
        if (cell->hash == hash && entry_is(&store->entries[cell->number - 1], persist)) {
            break;
        }
    }
    return at;
}

static int table_grow(struct sim_store *store)
{
    if (store->table_cap > 0 && (store->live_count + 1) * 2 <= store->table_cap) {
        return 0;
    }
    uint32_t cap = store->table_cap == 0 ? 2 * FIRST_CAP : 2 * store->table_cap;
    struct sim_store_cell *table = calloc(cap, sizeof(*table));
    if (table == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < store->table_cap; i++) {
        if (store->table[i].number != 0) {
            uint32_t at = store->table[i].hash & (cap - 1);
            while (table[at].number != 0) {
                at = (at + 1) & (cap - 1);
            }
            table[at] = store->table[i];
        }
    }
    free(store->table);
    store->table = table;
    store->table_cap = cap;
    return 0;
}

/* Closes the gap at a cell that was freed. */
static void table_close(struct sim_store *store, uint32_t gap)
{
    uint32_t mask = store->table_cap - 1;
    store->table[gap].number = 0;
    for (uint32_t at = (gap + 1) & mask; store->table[at].number != 0; at = (at + 1) & mask) {
        uint32_t home = store->table[at].hash & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            store->table[gap] = store->table[at];
            store->table[at].number = 0;
            gap = at;
        }
    }
}

/* A free entry's number, UINT32_MAX without memory. */
static uint32_t entry_take(struct sim_store *store)
{
    if (store->free_head != 0) {
        uint32_t number = store->free_head - 1;
        store->free_head = store->entries[number].next_free;
        return number;
    }
    if (store->entry_count == store->entry_cap) {
        uint32_t cap = store->entry_cap == 0 ? FIRST_CAP : 2 * store->entry_cap;
        struct sim_store_entry *entries = realloc(store->entries, cap * sizeof(*entries));
        if (entries == NULL) {
            return UINT32_MAX;
        }
        store->entries = entries;
        store->entry_cap = cap;
    }
    store->entries[store->entry_count] = (struct sim_store_entry){0};
    return store->entry_count++;
}

static int value_set(struct sim_store_entry *entry, const uint8_t *value, uint32_t len)
{
    if (len > entry->value_cap) {
        uint32_t cap = (len + VALUE_STEP - 1) / VALUE_STEP * VALUE_STEP;
        uint8_t *bytes = malloc(cap);
        if (bytes == NULL) {
            return QKD_ERR_NOMEM;
        }
        if (entry->value != NULL) {
            crypto_wipe(entry->value, entry->value_cap);
            free(entry->value);
        }
        entry->value = bytes;
        entry->value_cap = cap;
    }
    if (len < entry->value_len) {
        crypto_wipe(entry->value + len, entry->value_len - len);
    }
    if (len > 0) {
        memcpy(entry->value, value, len);
    }
    entry->value_len = len;
    return 0;
}

static void entry_delete(struct sim_store *store, uint32_t cell)
{
    uint32_t number = store->table[cell].number - 1;
    struct sim_store_entry *entry = &store->entries[number];
    table_close(store, cell);
    if (entry->value_len > 0) {
        crypto_wipe(entry->value, entry->value_len);
        entry->value_len = 0;
    }
    entry->live = false;
    entry->next_free = store->free_head;
    store->free_head = number + 1;
    store->live_count--;
}

int sim_store_apply(struct sim_store *store, const struct qkd_persist *persist,
                    const uint8_t *value)
{
    if (table_grow(store) != 0) {
        return QKD_ERR_NOMEM;
    }
    uint32_t hash = persist_hash(persist);
    uint32_t cell = table_at(store, persist, hash);
    if (persist->del) {
        if (store->table[cell].number != 0) {
            entry_delete(store, cell);
        }
        return 0;
    }
    if (store->table[cell].number == 0) {
        uint32_t number = entry_take(store);
        if (number == UINT32_MAX) {
            return QKD_ERR_NOMEM;
        }
        struct sim_store_entry *entry = &store->entries[number];
        entry->owner = persist->owner.v;
        entry->kind = persist->kind;
        entry->key_len = persist->key_len;
        memcpy(entry->key, persist->key, sizeof(entry->key));
        entry->live = true;
        store->table[cell] = (struct sim_store_cell){number + 1, hash};
        store->live_count++;
    }
    return value_set(&store->entries[store->table[cell].number - 1], value, persist->value.len);
}

void sim_store_lose(struct sim_store *store, struct qkd_eid owner, sim_store_gone_fn *gone,
                    void *ctx)
{
    for (uint32_t i = 0; i < store->entry_count; i++) {
        const struct sim_store_entry *entry = &store->entries[i];
        if (!entry->live || entry->owner != owner.v) {
            continue;
        }
        struct qkd_persist deletion = {
            .owner = owner, .kind = entry->kind, .key_len = entry->key_len, .del = true};
        memcpy(deletion.key, entry->key, sizeof deletion.key);
        entry_delete(store, table_at(store, &deletion, persist_hash(&deletion)));
        if (gone != NULL) {
            gone(ctx, &deletion);
        }
    }
}

static int compare_records(const void *a, const void *b)
{
    const struct qkd_record *x = a;
    const struct qkd_record *y = b;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = memcmp(x->key, y->key, len);
    return order != 0 ? order : (int)x->key_len - (int)y->key_len;
}

int sim_store_records(const struct sim_store *store, struct qkd_eid owner,
                      struct qkd_record **records, size_t *count)
{
    *records = NULL;
    *count = 0;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        *count += store->entries[i].live && store->entries[i].owner == owner.v;
    }
    if (*count == 0) {
        return 0;
    }
    *records = calloc(*count, sizeof(**records));
    if (*records == NULL) {
        *count = 0;
        return QKD_ERR_NOMEM;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        const struct sim_store_entry *entry = &store->entries[i];
        if (entry->live && entry->owner == owner.v) {
            struct qkd_record *record = &(*records)[n++];
            record->kind = entry->kind;
            record->key_len = entry->key_len;
            memcpy(record->key, entry->key, sizeof(record->key));
            record->value = entry->value;
            record->value_len = entry->value_len;
        }
    }
    qsort(*records, *count, sizeof(**records), compare_records);
    return 0;
}
