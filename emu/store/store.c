/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key store: batches in, records out. How its file is made, checked and opened: store_open.c. */
#include "emu/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/store/store_state.h"

enum { OWNER_LEN = 8, KEY_AT = 9, FIRST_SEALED = 512 };

/* ---- errors ---- */

static bool no_room(int system)
{
    return system == ENOSPC || system == EDQUOT || system == EFBIG;
}

static int error_of(sqlite3 *db, int system)
{
    int code = sqlite3_extended_errcode(db);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return QKD_ERR_NOMEM;
    case SQLITE_FULL:
        return QKD_ERR_LIMIT;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM) {
            return QKD_ERR_NOMEM;
        }
        return no_room(system) ? QKD_ERR_LIMIT : QKD_ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return QKD_ERR_EXISTS;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our SQL is right: the schema is not ours */
        return QKD_ERR_FORMAT;
    default:
        return QKD_ERR_IO;
    }
}

int emu_store_fail(struct emu_store *store, const char *doing, struct emu_why *why)
{
    int last = errno; /* SQLite notes it for statements, but not for what COMMIT writes */
    int noted = sqlite3_system_errno(store->db);
    int system = noted != 0 ? noted : last;
    int err = error_of(store->db, system);
    bool named = (err == QKD_ERR_IO || err == QKD_ERR_LIMIT) && system != 0;
    switch (err) {
    case QKD_ERR_EXISTS:
        return emu_fail(why, err, "%s: another process has it open", store->path);
    case QKD_ERR_FORMAT:
        return emu_fail(why, err, "%s: damaged, or no key store: %s", store->path,
                        sqlite3_errmsg(store->db));
    default:
        return emu_fail(why, err, "%s: cannot %s: %s%s%s", store->path, doing,
                        sqlite3_errmsg(store->db), named ? ": " : "",
                        named ? strerror(system) : "");
    }
}

int emu_store_run(struct emu_store *store, const char *sql, const char *doing, struct emu_why *why)
{
    errno = 0;
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : emu_store_fail(store, doing, why);
}

/* ---- transactions ---- */

/* Runs a prepared statement without results. */
static int query_run(struct emu_store *store, enum emu_store_query number, const char *doing,
                     struct emu_why *why)
{
    sqlite3_stmt *query = store->query[number];
    errno = 0;
    int err = sqlite3_step(query) == SQLITE_DONE ? 0 : emu_store_fail(store, doing, why);
    (void)sqlite3_reset(query);
    return err;
}

int emu_store_begin(struct emu_store *store, struct emu_why *why)
{
    return query_run(store, EMU_STORE_BEGIN, "begin", why);
}

int emu_store_end(struct emu_store *store, int err, struct emu_why *why)
{
    if (err == 0) {
        err = query_run(store, EMU_STORE_COMMIT, "commit", why);
    }
    if (err != 0) {
        store->suspect = true;
        if (sqlite3_get_autocommit(store->db) == 0) {
            (void)query_run(store, EMU_STORE_ROLLBACK, "roll back", NULL);
        }
    } else if (store->suspect) {
        /* What failed commits left behind this one would look like damage (wal_check.h). */
        store->suspect = emu_store_run(store, "PRAGMA wal_checkpoint(TRUNCATE)", "", NULL) != 0;
    }
    return err;
}

struct emu_store_row emu_store_row(struct qkd_eid owner, uint8_t kind, const uint8_t *key,
                                   size_t len)
{
    struct emu_store_row row = {.len = KEY_AT + len};
    wire_put_u64(row.bytes, owner.v);
    row.bytes[OWNER_LEN] = kind;
    if (len > 0) {
        memcpy(row.bytes + KEY_AT, key, len);
    }
    return row;
}

static int sealed_grow(struct emu_store *store, size_t need)
{
    if (need <= store->sealed_cap) {
        return 0;
    }
    size_t cap = store->sealed_cap == 0 ? FIRST_SEALED : store->sealed_cap;
    while (cap < need) {
        cap *= 2;
    }
    uint8_t *sealed = malloc(cap);
    if (sealed == NULL) {
        return QKD_ERR_NOMEM;
    }
    free(store->sealed);
    store->sealed = sealed;
    store->sealed_cap = cap;
    return 0;
}

/* A random nonce, never given before. */
static void nonce_take(struct emu_store *store, uint8_t to[CRYPTO_SEAL_NONCE_LEN])
{
    size_t at = store->nonces_used % EMU_STORE_NONCES;
    if (at == 0) {
        randombytes_buf(store->nonces, sizeof store->nonces);
    }
    memcpy(to, store->nonces + at * CRYPTO_SEAL_NONCE_LEN, CRYPTO_SEAL_NONCE_LEN);
    store->nonces_used++;
}

int emu_store_put(struct emu_store *store, const struct emu_store_row *row, const uint8_t *value,
                  size_t len, struct emu_why *why)
{
    size_t sealed_len = len + CRYPTO_SEAL_EXTRA;
    sqlite3_stmt *query = store->query[EMU_STORE_PUT];
    if (sealed_grow(store, sealed_len) != 0) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    nonce_take(store, store->sealed);
    crypto_seal(store->data_key, (struct crypto_place){row->bytes, row->len}, value, len,
                store->sealed);
    (void)sqlite3_bind_blob(query, 1, row->bytes, (int)row->len, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(query, 2, store->sealed, sealed_len, SQLITE_STATIC);
    return query_run(store, EMU_STORE_PUT, "be written", why);
}

static int row_del(struct emu_store *store, const struct emu_store_row *row, struct emu_why *why)
{
    (void)sqlite3_bind_blob(store->query[EMU_STORE_DEL], 1, row->bytes, (int)row->len,
                            SQLITE_STATIC);
    return query_run(store, EMU_STORE_DEL, "be written", why);
}

int emu_store_commit(struct emu_store *store, const struct qkd_out *out, struct emu_why *why)
{
    QKD_ASSERT(!out->failed);
    if (out->persist_count == 0) {
        return 0;
    }
    uint64_t bytes = 0;
    int err = emu_store_begin(store, why);
    for (size_t i = 0; i < out->persist_count && err == 0; i++) {
        const struct qkd_persist *entry = &out->persist[i];
        struct emu_store_row row = emu_store_row(entry->owner, entry->kind, entry->key,
                                                 entry->key_len);
        QKD_ASSERT(entry->owner.v != QKD_NOBODY.v);
        if (entry->del) {
            err = row_del(store, &row, why);
        } else {
            err = emu_store_put(store, &row, qkd_out_at(out, entry->value), entry->value.len, why);
            bytes += entry->value.len;
        }
    }
    err = emu_store_end(store, err, why);
    if (err != 0) {
        store->figures.failures++;
        return err;
    }
    store->figures.commits++;
    store->figures.entries += out->persist_count;
    store->figures.bytes += bytes;
    return 0;
}

int emu_store_rekey(struct emu_store *store, const struct emu_unlock *unlock,
                    const struct emu_seal_cost *cost, struct emu_why *why)
{
    uint8_t head[EMU_SEAL_HEAD_LEN];
    int err = emu_seal_wrap(unlock, cost, store->data_key, head, why);
    if (err != 0) {
        return err;
    }
    sqlite3_stmt *query = NULL;
    err = emu_store_begin(store, why);
    if (err != 0) {
        return err;
    }
    if (sqlite3_prepare_v2(store->db, "UPDATE head SET bytes = ?1", -1, &query, NULL) !=
            SQLITE_OK ||
        sqlite3_bind_blob(query, 1, head, sizeof head, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(query) != SQLITE_DONE) {
        err = emu_store_fail(store, "change the unlock secret", why);
    }
    (void)sqlite3_finalize(query);
    store->suspect = true; /* the old head leaves the log too */
    return emu_store_end(store, err, why);
}

/* ---- records ---- */

/* The rows of an owner have keys from `from` up to, and without, `to`. */
struct range {
    uint8_t from[OWNER_LEN], to[OWNER_LEN];
};

static void range_bind(sqlite3_stmt *query, const struct range *range)
{
    (void)sqlite3_bind_blob(query, 1, range->from, OWNER_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_blob(query, 2, range->to, OWNER_LEN, SQLITE_STATIC);
}

/* Room for all entries and their values. */
static int records_room(struct emu_store *store, const struct range *range,
                        struct emu_records *records, struct emu_why *why)
{
    sqlite3_stmt *query = store->query[EMU_STORE_SIZE];
    range_bind(query, range);
    if (sqlite3_step(query) != SQLITE_ROW) {
        int err = emu_store_fail(store, "be read", why);
        (void)sqlite3_reset(query);
        return err;
    }
    size_t count = (size_t)sqlite3_column_int64(query, 0);
    size_t len = (size_t)sqlite3_column_int64(query, 1);
    (void)sqlite3_reset(query);
    if (count == 0) {
        return 0;
    }
    records->at = calloc(count, sizeof *records->at);
    records->bytes = malloc(len + 1);
    records->len = len;
    return records->at != NULL && records->bytes != NULL
               ? 0
               : emu_fail(why, QKD_ERR_NOMEM, "out of memory");
}

/* Opens the row under the cursor into the values from `used` on. */
static int record_open(struct emu_store *store, struct emu_records *records, size_t *used,
                       struct emu_why *why)
{
    sqlite3_stmt *query = store->query[EMU_STORE_LIST];
    const uint8_t *key = sqlite3_column_blob(query, 0);
    const uint8_t *sealed = sqlite3_column_blob(query, 1);
    size_t key_len = (size_t)sqlite3_column_bytes(query, 0);
    size_t len = (size_t)sqlite3_column_bytes(query, 1);
    struct crypto_place place = {key, key_len};
    uint8_t *value = records->bytes + *used;
    if (key == NULL || key_len < KEY_AT || key_len > EMU_STORE_ROW_KEY || sealed == NULL ||
        len < CRYPTO_SEAL_EXTRA || len > records->len - *used ||
        crypto_unseal(store->data_key, place, sealed, len, value) != 0) {
        return emu_fail(why, QKD_ERR_FORMAT, "%s: damaged: an entry does not open", store->path);
    }
    struct qkd_record *record = &records->at[records->count++];
    record->kind = key[OWNER_LEN];
    record->key_len = (uint8_t)(key_len - KEY_AT);
    memcpy(record->key, key + KEY_AT, key_len - KEY_AT);
    record->value = value;
    record->value_len = len - CRYPTO_SEAL_EXTRA;
    *used += len;
    return 0;
}

int emu_store_records(struct emu_store *store, struct qkd_eid owner, struct emu_records *records,
                      struct emu_why *why)
{
    struct range range;
    QKD_ASSERT(owner.v != QKD_NOBODY.v && owner.v != UINT64_MAX);
    wire_put_u64(range.from, owner.v);
    wire_put_u64(range.to, owner.v + 1);
    *records = (struct emu_records){0};
    int err = records_room(store, &range, records, why);
    if (err == 0 && records->at != NULL) {
        sqlite3_stmt *query = store->query[EMU_STORE_LIST];
        size_t used = 0;
        int step;
        range_bind(query, &range);
        while (err == 0 && (step = sqlite3_step(query)) != SQLITE_DONE) {
            err = step == SQLITE_ROW ? record_open(store, records, &used, why)
                                     : emu_store_fail(store, "be read", why);
        }
        (void)sqlite3_reset(query);
    }
    if (err != 0) {
        emu_records_free(records);
    }
    return err;
}

void emu_records_free(struct emu_records *records)
{
    if (records->bytes != NULL) {
        crypto_wipe(records->bytes, records->len);
    }
    free(records->bytes);
    free(records->at);
    *records = (struct emu_records){0};
}

bool emu_store_replaced(const struct emu_store *store)
{
    return store->replaced;
}

uint32_t emu_store_incarnation(const struct emu_store *store)
{
    return store->incarnation;
}

struct emu_store_figures emu_store_figures(const struct emu_store *store)
{
    return store->figures;
}
