/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store as a list that is searched from end to end. */
#include "tests/lib/store_model.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

uint64_t store_model_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct qkd_eid store_model_owner(unsigned n)
{
    return qkd_eid_make(n == 2 ? QKD_ROLE_KSA : QKD_ROLE_KMA, n & 1, 7);
}

void store_model_batch(struct qkd_out *out, uint64_t seed)
{
    uint64_t state = seed;
    uint64_t entries = 1 + store_model_next(&state) % 12;
    for (uint64_t i = 0; i < entries; i++) {
        uint64_t dice = store_model_next(&state);
        struct qkd_persist entry = {.owner = store_model_owner((unsigned)(dice % 3)),
                                    .kind = (uint8_t)(dice >> 8 & 3),
                                    .key_len = (uint8_t)((dice >> 16 & 1) != 0 ? 32
                                                                               : dice >> 20 & 3),
                                    .del = (dice >> 24 & 3) == 0};
        memset(entry.key, (int)(dice >> 32 & 15), entry.key_len);
        if (entry.key_len > 0) { /* above and below 127, to see that order is unsigned */
            entry.key[0] = (uint8_t)((dice >> 40 & 1) * 0x80);
        }
        uint64_t len = entry.del ? 0 : (dice >> 44) % STORE_MODEL_VALUE;
        len *= (dice >> 28 & 31) == 0 ? 20 : 1;
        entry.value = qkd_out_reserve(out, len);
        for (uint64_t b = 0; b < len; b++) {
            qkd_out_at(out, entry.value)[b] = (uint8_t)store_model_next(&state);
        }
        qkd_out_put(out, &entry);
    }
    QKD_ASSERT(!out->failed);
}

static bool same_key(const struct store_model_entry *entry, const struct qkd_persist *persist)
{
    return qkd_eid_eq(entry->owner, persist->owner) && entry->kind == persist->kind &&
           entry->key_len == persist->key_len &&
           memcmp(entry->key, persist->key, persist->key_len) == 0;
}

static void put(struct store_model *model, const struct qkd_persist *persist, const uint8_t *value)
{
    if (model->count == model->cap) {
        model->cap = model->cap == 0 ? 64 : 2 * model->cap;
        model->entries = realloc(model->entries, model->cap * sizeof *model->entries);
        QKD_ASSERT(model->entries != NULL);
    }
    struct store_model_entry *entry = &model->entries[model->count++];
    *entry = (struct store_model_entry){.owner = persist->owner,
                                        .kind = persist->kind,
                                        .key_len = persist->key_len,
                                        .value_len = persist->value.len};
    memcpy(entry->key, persist->key, sizeof entry->key);
    entry->value = malloc(entry->value_len + 1);
    QKD_ASSERT(entry->value != NULL);
    if (entry->value_len > 0) {
        memcpy(entry->value, value, entry->value_len);
    }
}

void store_model_apply(struct store_model *model, const struct qkd_out *out)
{
    for (size_t i = 0; i < out->persist_count; i++) {
        const struct qkd_persist *persist = &out->persist[i];
        for (size_t j = 0; j < model->count; j++) {
            if (same_key(&model->entries[j], persist)) {
                free(model->entries[j].value);
                model->entries[j] = model->entries[--model->count];
                break;
            }
        }
        if (!persist->del) {
            put(model, persist, qkd_out_at(out, persist->value));
        }
    }
}

void store_model_fini(struct store_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        free(model->entries[i].value);
    }
    free(model->entries);
    *model = (struct store_model){0};
}

/* Order of two records by kind, then by key as unsigned bytes, the shorter of two equal ones first. */
static int order(const struct qkd_record *a, const struct qkd_record *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    for (unsigned i = 0; i < a->key_len && i < b->key_len; i++) {
        if (a->key[i] != b->key[i]) {
            return a->key[i] < b->key[i] ? -1 : 1;
        }
    }
    return (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static bool has(const struct store_model *model, struct qkd_eid owner,
                const struct qkd_record *record)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct store_model_entry *entry = &model->entries[i];
        if (qkd_eid_eq(entry->owner, owner) && entry->kind == record->kind &&
            entry->key_len == record->key_len &&
            memcmp(entry->key, record->key, record->key_len) == 0) {
            return entry->value_len == record->value_len &&
                   (entry->value_len == 0 ||
                    memcmp(entry->value, record->value, entry->value_len) == 0);
        }
    }
    return false;
}

bool store_model_is(const struct store_model *model, struct qkd_eid owner,
                    const struct qkd_record *records, size_t count)
{
    size_t wanted = 0;
    for (size_t i = 0; i < model->count; i++) {
        wanted += qkd_eid_eq(model->entries[i].owner, owner);
    }
    for (size_t i = 0; i < count; i++) {
        if (!has(model, owner, &records[i]) ||
            (i > 0 && order(&records[i - 1], &records[i]) >= 0)) {
            return false;
        }
    }
    return wanted == count;
}
