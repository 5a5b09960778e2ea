/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the file of a key store is made, checked and opened.
 *
 * A new store is made whole beside its place and then renamed, so that a file that is empty or
 * halfway made is never one of ours. Opening looks before it writes: a store that is refused is
 * left as it was found, its log included. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/store/store_state.h"
#include "emu/store/wal_check.h"

#define STRING(x) #x
#define TEXT(x) STRING(x)

enum { INCARNATION_LEN = 4, OWN_INCARNATION = 0, OWN_REPLACED = 1 };

static const char *const sql[EMU_STORE_QUERIES] = {
    [EMU_STORE_BEGIN] = "BEGIN IMMEDIATE",
    [EMU_STORE_COMMIT] = "COMMIT",
    [EMU_STORE_ROLLBACK] = "ROLLBACK",
    [EMU_STORE_PUT] = "INSERT OR REPLACE INTO entry (k, v) VALUES (?1, ?2)",
    [EMU_STORE_DEL] = "DELETE FROM entry WHERE k = ?1",
    [EMU_STORE_GET] = "SELECT v FROM entry WHERE k = ?1",
    [EMU_STORE_SIZE] = "SELECT count(*), total(length(v)) FROM entry WHERE k >= ?1 AND k < ?2",
    [EMU_STORE_LIST] = "SELECT k, v FROM entry WHERE k >= ?1 AND k < ?2 ORDER BY k",
};

/* ---- parts of both ---- */

static struct emu_store *store_new(const char *path)
{
    struct emu_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->path = malloc(strlen(path) + 1);
    store->data_key = sodium_malloc(CRYPTO_SEAL_KEY_LEN);
    if (store->path == NULL || store->data_key == NULL) {
        emu_store_close(store);
        return NULL;
    }
    memcpy(store->path, path, strlen(path) + 1);
    return store;
}

void emu_store_close(struct emu_store *store)
{
    if (store == NULL) {
        return;
    }
    for (int i = 0; i < EMU_STORE_QUERIES; i++) {
        (void)sqlite3_finalize(store->query[i]);
    }
    (void)sqlite3_close(store->db);
    sodium_free(store->data_key); /* wipes */
    free(store->sealed);
    free(store->path);
    free(store);
}

static int prepare_all(struct emu_store *store, struct emu_why *why)
{
    for (int i = 0; i < EMU_STORE_QUERIES; i++) {
        if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->query[i],
                               NULL) != SQLITE_OK) {
            return emu_store_fail(store, "be read", why);
        }
    }
    return 0;
}

static int connect_file(struct emu_store *store, const char *path, struct emu_why *why)
{
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        return store->db == NULL ? emu_fail(why, QKD_ERR_NOMEM, "out of memory")
                                 : emu_store_fail(store, "be opened", why);
    }
    (void)sqlite3_extended_result_codes(store->db, 1);
    return 0;
}

static int incarnation_put(struct emu_store *store, uint32_t incarnation, struct emu_why *why)
{
    struct emu_store_row row = emu_store_row(QKD_NOBODY, OWN_INCARNATION, NULL, 0);
    uint8_t bytes[INCARNATION_LEN];
    wire_put_u32(bytes, incarnation);
    store->incarnation = incarnation;
    return emu_store_put(store, &row, bytes, sizeof bytes, why);
}

/* ---- a new one ---- */

static const char schema[] = "PRAGMA page_size = " TEXT(
    EMU_STORE_PAGE) "; PRAGMA journal_mode = WAL;"
                    "PRAGMA application_id = " TEXT(
                        EMU_STORE_APPLICATION) ";"
                                               "PRAGMA user_version = " TEXT(
                                                   EMU_STORE_VERSION) ";"
                                                                      "CREATE TABLE head (id "
                                                                      "INTEGER PRIMARY KEY CHECK "
                                                                      "(id = 1), bytes BLOB NOT "
                                                                      "NULL);"
                                                                      "CREATE TABLE entry (k BLOB "
                                                                      "PRIMARY KEY NOT NULL, v "
                                                                      "BLOB NOT NULL) WITHOUT "
                                                                      "ROWID;";

static int head_insert(struct emu_store *store, const uint8_t head[EMU_SEAL_HEAD_LEN],
                       struct emu_why *why)
{
    sqlite3_stmt *query = NULL;
    int err = 0;
    if (sqlite3_prepare_v2(store->db, "INSERT INTO head VALUES (1, ?1)", -1, &query, NULL) !=
            SQLITE_OK ||
        sqlite3_bind_blob(query, 1, head, EMU_SEAL_HEAD_LEN, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(query) != SQLITE_DONE) {
        err = emu_store_fail(store, "be made", why);
    }
    (void)sqlite3_finalize(query);
    return err;
}

/* Fills an empty file. */
static int fill(struct emu_store *store, const struct emu_store_options *options,
                struct emu_why *why)
{
    uint8_t head[EMU_SEAL_HEAD_LEN];
    randombytes_buf(store->data_key, CRYPTO_SEAL_KEY_LEN);
    int err = emu_seal_wrap(options->unlock, &options->cost, store->data_key, head, why);
    if (err == 0) {
        err = connect_file(store, store->path, why);
    }
    if (err == 0) {
        err = emu_store_run(store, schema, "be made", why);
    }
    if (err == 0) {
        err = prepare_all(store, why);
    }
    if (err == 0) {
        err = emu_store_begin(store, why);
    }
    if (err != 0) {
        return err;
    }
    err = head_insert(store, head, why);
    if (err == 0) {
        err = incarnation_put(store, options->opened, why);
    }
    if (err == 0 && options->opened > 0) {
        struct emu_store_row row = emu_store_row(QKD_NOBODY, OWN_REPLACED, NULL, 0);
        uint8_t bytes[INCARNATION_LEN];
        wire_put_u32(bytes, options->opened);
        err = emu_store_put(store, &row, bytes, sizeof bytes, why);
    }
    return emu_store_end(store, err, why);
}

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return failed ? QKD_ERR_IO : 0;
}

/* Makes the name of a file durable. */
static int sync_folder(const char *path, struct emu_why *why)
{
    char *copy = malloc(strlen(path) + 1);
    if (copy == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    memcpy(copy, path, strlen(path) + 1);
    int err = sync_path(dirname(copy));
    free(copy);
    return err == 0 ? 0 : emu_fail(why, err, "%s: its folder cannot be flushed", path);
}

static void remove_with(const char *path, const char *ending)
{
    size_t room = strlen(path) + strlen(ending) + 1;
    char *name = malloc(room);
    if (name != NULL) {
        (void)snprintf(name, room, "%s%s", path, ending);
        (void)unlink(name);
        free(name);
    }
}

static void remove_all(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (int i = 0; i < 4; i++) {
        remove_with(path, endings[i]);
    }
}

static int make_at(const char *place, const struct emu_store_options *options, struct emu_why *why)
{
    remove_all(place); /* of a start that was cut off */
    int fd = open(place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return emu_fail(why, QKD_ERR_IO, "%s: cannot be made: %s", place, strerror(errno));
    }
    (void)close(fd);
    struct emu_store *store = store_new(place);
    int err = store == NULL ? emu_fail(why, QKD_ERR_NOMEM, "out of memory")
                            : fill(store, options, why);
    emu_store_close(store); /* the log goes into the file */
    if (err == 0 && (sync_path(place) != 0 || rename(place, options->path) != 0)) {
        err = emu_fail(why, QKD_ERR_IO, "%s: cannot be made: %s", options->path, strerror(errno));
    }
    if (err == 0) {
        err = sync_folder(options->path, why);
    }
    if (err != 0) {
        remove_all(place);
    }
    return err;
}

static int make(const struct emu_store_options *options, struct emu_why *why)
{
    size_t room = strlen(options->path) + sizeof ".new";
    char *place = malloc(room);
    if (place == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    (void)snprintf(place, room, "%s.new", options->path);
    int err = make_at(place, options, why);
    free(place);
    return err;
}

/* ---- an old one ---- */

/* The first column of the first row is that text. */
static int expect(struct emu_store *store, const char *question, const char *answer,
                  struct emu_why *why)
{
    sqlite3_stmt *query = NULL;
    int err = 0;
    if (sqlite3_prepare_v2(store->db, question, -1, &query, NULL) != SQLITE_OK ||
        sqlite3_step(query) != SQLITE_ROW) {
        err = emu_store_fail(store, "be checked", why);
    } else {
        const char *text = (const char *)sqlite3_column_text(query, 0);
        if (text == NULL || strcmp(text, answer) != 0) {
            err = emu_fail(why, QKD_ERR_FORMAT, "%s: damaged, or no key store: %s says %.200s",
                           store->path, question, text == NULL ? "nothing" : text);
        }
    }
    (void)sqlite3_finalize(query);
    return err;
}

/* Everything that SQLite and the log can tell about damage; writes nothing. */
static int check(struct emu_store *store, struct emu_why *why)
{
    static const char *const pairs[][2] = {
        {"PRAGMA journal_mode", "wal"},
        {"PRAGMA page_size", TEXT(EMU_STORE_PAGE)},
        {"PRAGMA user_version", TEXT(EMU_STORE_VERSION)},
        {"PRAGMA integrity_check(1)", "ok"},
    };
    char application[16];
    (void)snprintf(application, sizeof application, "%d", EMU_STORE_APPLICATION);
    int err = expect(store, "PRAGMA application_id", application, why);
    if (err == 0) {
        err = emu_wal_check(store->path, EMU_STORE_PAGE, why);
    }
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && err == 0; i++) {
        err = expect(store, pairs[i][0], pairs[i][1], why);
    }
    return err;
}

static int unwrap(struct emu_store *store, const struct emu_unlock *unlock, struct emu_why *why)
{
    sqlite3_stmt *query = NULL;
    struct emu_why inner;
    int err;
    if (sqlite3_prepare_v2(store->db, "SELECT bytes FROM head WHERE id = 1", -1, &query, NULL) !=
            SQLITE_OK ||
        sqlite3_step(query) != SQLITE_ROW) {
        err = emu_fail(why, QKD_ERR_FORMAT, "%s: damaged: it has no head", store->path);
    } else {
        err = emu_seal_unwrap(unlock, sqlite3_column_blob(query, 0),
                              (size_t)sqlite3_column_bytes(query, 0), store->data_key, &inner);
        if (err != 0) {
            err = emu_fail(why, err, "%s: %s", store->path, inner.text);
        }
    }
    (void)sqlite3_finalize(query);
    return err;
}

enum found { FOUND_NOT, FOUND_DAMAGED, FOUND_GOOD };

/* A number of the store's own. */
static enum found number_get(struct emu_store *store, uint8_t kind, uint32_t *number)
{
    struct emu_store_row row = emu_store_row(QKD_NOBODY, kind, NULL, 0);
    sqlite3_stmt *query = store->query[EMU_STORE_GET];
    uint8_t bytes[INCARNATION_LEN];
    (void)sqlite3_bind_blob(query, 1, row.bytes, (int)row.len, SQLITE_STATIC);
    int step = sqlite3_step(query);
    bool good = step == SQLITE_ROW &&
                sqlite3_column_bytes(query, 0) == INCARNATION_LEN + CRYPTO_SEAL_EXTRA &&
                crypto_unseal(store->data_key, (struct crypto_place){row.bytes, row.len},
                              sqlite3_column_blob(query, 0), INCARNATION_LEN + CRYPTO_SEAL_EXTRA,
                              bytes) == 0;
    (void)sqlite3_reset(query);
    *number = good ? wire_get_u32(bytes) : 0;
    return good ? FOUND_GOOD : step == SQLITE_DONE ? FOUND_NOT : FOUND_DAMAGED;
}

/* Reads the incarnation and raises it; in a transaction. */
static int incarnation_raise(struct emu_store *store, struct emu_why *why)
{
    uint32_t incarnation = 0;
    uint32_t before = 0;
    enum found replaced = number_get(store, OWN_REPLACED, &before);
    bool there = number_get(store, OWN_INCARNATION, &incarnation) == FOUND_GOOD &&
                 replaced != FOUND_DAMAGED;
    store->replaced = replaced == FOUND_GOOD;
    if (!there) {
        return emu_fail(why, QKD_ERR_FORMAT, "%s: damaged: its incarnation does not open",
                        store->path);
    }
    if (incarnation == UINT32_MAX) {
        return emu_fail(why, QKD_ERR_LIMIT, "%s: it was opened too often", store->path);
    }
    return incarnation_put(store, incarnation + 1, why);
}

static int settle(struct emu_store *store, uint32_t max_pages, struct emu_why *why)
{
    char limit[64];
    (void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %u", max_pages);
    return max_pages == 0 ? 0 : emu_store_run(store, limit, "be limited", why);
}

/* The lock is taken before anything is believed, and the log stays where it is until the store has
 * proved good: closing a connection would otherwise fold it into the file. */
static int open_old(struct emu_store *store, const struct emu_store_options *options,
                    struct emu_why *why)
{
    int err = connect_file(store, store->path, why);
    if (err == 0) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        err = emu_store_run(store,
                            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;"
                            "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;"
                            "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 8388608;"
                            "BEGIN EXCLUSIVE; COMMIT",
                            "be opened", why);
    }
    if (err == 0) {
        err = check(store, why);
    }
    if (err == 0) {
        err = unwrap(store, options->unlock, why);
    }
    if (err == 0) {
        err = settle(store, options->max_pages, why);
    }
    if (err == 0) {
        err = prepare_all(store, why);
    }
    if (err == 0) {
        err = emu_store_begin(store, why);
    }
    if (err != 0) {
        return err;
    }
    err = emu_store_end(store, incarnation_raise(store, why), why);
    if (err == 0) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    return err;
}

/* A log without its file: making a new file would marry the two. */
static int refuse_lone_log(const char *path, struct emu_why *why)
{
    size_t room = strlen(path) + sizeof "-wal";
    char *name = malloc(room);
    if (name == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    (void)snprintf(name, room, "%s-wal", path);
    bool there = access(name, F_OK) == 0;
    free(name);
    return there ? emu_fail(why, QKD_ERR_FORMAT, "%s: damaged: only its log (-wal) is there", path)
                 : 0;
}

/* Whether there is a file to open, or a place to make one. */
static int look(const struct emu_store_options *options, bool *there, struct emu_why *why)
{
    struct stat about;
    *there = stat(options->path, &about) == 0;
    if (!*there && errno != ENOENT) {
        return emu_fail(why, QKD_ERR_IO, "%s: %s", options->path, strerror(errno));
    }
    if (!*there && !options->create) {
        return emu_fail(why, QKD_ERR_UNKNOWN, "%s: no such key store", options->path);
    }
    if (*there && (!S_ISREG(about.st_mode) || about.st_size < EMU_STORE_PAGE)) {
        return emu_fail(why, QKD_ERR_FORMAT, "%s: damaged, or no key store: %s", options->path,
                        S_ISREG(about.st_mode) ? "too short" : "not a regular file");
    }
    return *there ? 0 : refuse_lone_log(options->path, why);
}

int emu_store_open(const struct emu_store_options *options, struct emu_store **store,
                   struct emu_why *why)
{
    bool there = false;
    *store = NULL;
    if (crypto_init() != 0) {
        return emu_fail(why, QKD_ERR_CRYPTO, "%s", qkd_err_text(QKD_ERR_CRYPTO));
    }
    int err = look(options, &there, why);
    if (err == 0 && !there) {
        err = make(options, why);
    }
    if (err != 0) {
        return err;
    }
    struct emu_store *opened = store_new(options->path);
    if (opened == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    err = open_old(opened, options, why);
    if (err != 0) {
        emu_store_close(opened);
        return err;
    }
    *store = opened;
    return 0;
}
