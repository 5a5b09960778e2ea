/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a commit of the key store costs: batches of 1, 16 and 256 entries of 60 bytes (a lease), and
 * blocks of 128 KiB, beside the same rows put into bare SQLite with the same settings (the floor)
 * and beside write and fdatasync of as many bytes (what the disk allows). Wall time and CPU time;
 * the folder is TMPDIR or /tmp. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "emu/store/store.h"
#include "tests/lib/bench.h"

#define KEYS 4096 /* keys that are put again and again, as leases are */

struct shape {
    const char *name;
    size_t entries; /* in a commit */
    size_t bytes;   /* of a value */
    int commits;
};

static const struct shape shapes[] = {
    {"1 x 60 B", 1, 60, 800},
    {"16 x 60 B", 16, 60, 400},
    {"256 x 60 B", 256, 60, 100},
    {"1 x 128 KiB", 1, 131072, 60},
};

struct cost {
    double wall_ns, cpu_ns; /* of a commit */
};

static char folder[256];

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const char *place(const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void batch_fill(struct qkd_out *out, const struct shape *shape, uint32_t *next)
{
    struct qkd_persist entry = {.owner = qkd_eid_make(QKD_ROLE_KMA, 0, 1),
                                .kind = 2,
                                .key_len = 12};
    qkd_out_reset(out);
    for (size_t i = 0; i < shape->entries; i++) {
        entry.value = qkd_out_reserve(out, shape->bytes);
        memset(qkd_out_at(out, entry.value), (int)*next, shape->bytes);
        wire_put_u32(entry.key, (*next * UINT32_C(2654435761)) % (shape->bytes > 1000 ? 64 : KEYS));
        (*next)++;
        qkd_out_put(out, &entry);
    }
}

static struct cost store_cost(const struct shape *shape)
{
    struct emu_unlock unlock = {.bytes = "correct horse staple", .len = 20};
    struct emu_store_options options = {
        .path = place("sealed.db"), .unlock = &unlock, .create = true, .cost = {1, 8192}};
    struct emu_store *store;
    struct emu_why why;
    struct qkd_out out;
    uint32_t next = 0;
    struct cost cost = {0};
    if (emu_store_open(&options, &store, &why) != 0) {
        (void)fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    qkd_out_init(&out, 1 << 22);
    for (int i = -20; i < shape->commits; i++) {
        batch_fill(&out, shape, &next);
        double wall = now_ns(), cpu = bench_cpu_s();
        QKD_ASSERT(emu_store_commit(store, &out, &why) == 0);
        if (i >= 0) {
            cost.wall_ns += (now_ns() - wall) / shape->commits;
            cost.cpu_ns += (bench_cpu_s() - cpu) * 1e9 / shape->commits;
        }
    }
    qkd_out_fini(&out);
    emu_store_close(store);
    (void)unlink(options.path);
    return cost;
}

static void bare_commit(sqlite3_stmt **query, const struct qkd_out *out, uint8_t *sealed)
{
    (void)sqlite3_step(query[0]);
    (void)sqlite3_reset(query[0]);
    for (size_t i = 0; i < out->persist_count; i++) {
        const struct qkd_persist *entry = &out->persist[i];
        uint8_t key[21] = {0};
        wire_put_u64(key, entry->owner.v);
        key[8] = entry->kind;
        memcpy(key + 9, entry->key, 12);
        memcpy(sealed, qkd_out_at(out, entry->value), entry->value.len);
        (void)sqlite3_bind_blob(query[1], 1, key, sizeof key, SQLITE_STATIC);
        (void)sqlite3_bind_blob64(query[1], 2, sealed, entry->value.len + CRYPTO_SEAL_EXTRA,
                                  SQLITE_STATIC);
        QKD_ASSERT(sqlite3_step(query[1]) == SQLITE_DONE);
        (void)sqlite3_reset(query[1]);
    }
    QKD_ASSERT(sqlite3_step(query[2]) == SQLITE_DONE);
    (void)sqlite3_reset(query[2]);
}

/* The same rows, as long as sealed ones, with SQLite alone. */
static struct cost bare_cost(const struct shape *shape)
{
    static const char *const sql[] = {"BEGIN IMMEDIATE",
                                      "INSERT OR REPLACE INTO entry VALUES (?1, ?2)", "COMMIT"};
    const char *path = place("bare.db");
    sqlite3 *db;
    sqlite3_stmt *query[3];
    struct qkd_out out;
    uint32_t next = 0;
    struct cost cost = {0};
    uint8_t *sealed = calloc(1, shape->bytes + CRYPTO_SEAL_EXTRA);
    QKD_ASSERT(sealed != NULL && sqlite3_open(path, &db) == SQLITE_OK);
    QKD_ASSERT(sqlite3_exec(db,
                            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                            "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                            "CREATE TABLE entry (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID",
                            NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < 3; i++) {
        QKD_ASSERT(sqlite3_prepare_v2(db, sql[i], -1, &query[i], NULL) == SQLITE_OK);
    }
    qkd_out_init(&out, 1 << 22);
    for (int i = -20; i < shape->commits; i++) {
        batch_fill(&out, shape, &next);
        double wall = now_ns(), cpu = bench_cpu_s();
        bare_commit(query, &out, sealed);
        if (i >= 0) {
            cost.wall_ns += (now_ns() - wall) / shape->commits;
            cost.cpu_ns += (bench_cpu_s() - cpu) * 1e9 / shape->commits;
        }
    }
    for (int i = 0; i < 3; i++) {
        (void)sqlite3_finalize(query[i]);
    }
    (void)sqlite3_close(db);
    (void)unlink(path);
    free(sealed);
    qkd_out_fini(&out);
    return cost;
}

/* One write of the values of a commit and its flush. */
static struct cost flush_cost(const struct shape *shape)
{
    size_t len = shape->entries * (shape->bytes + CRYPTO_SEAL_EXTRA);
    uint8_t *bytes = calloc(1, len);
    const char *path = place("flush");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct cost cost = {0};
    QKD_ASSERT(bytes != NULL && fd >= 0);
    for (int i = -20; i < shape->commits; i++) {
        double wall = now_ns(), cpu = bench_cpu_s();
        QKD_ASSERT(pwrite(fd, bytes, len, 0) == (ssize_t)len && fdatasync(fd) == 0);
        if (i >= 0) {
            cost.wall_ns += (now_ns() - wall) / shape->commits;
            cost.cpu_ns += (bench_cpu_s() - cpu) * 1e9 / shape->commits;
        }
    }
    (void)close(fd);
    (void)unlink(path);
    free(bytes);
    return cost;
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/qkdn_bench_XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) {
        (void)fprintf(stderr, "%s: cannot be made\n", folder);
        return 1;
    }
    printf("%-14s %12s %12s %12s %12s %12s %12s\n", "commit", "commits/s", "bare SQLite",
           "flush alone", "CPU us", "bare CPU us", "CPU ns/entry");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct shape *shape = &shapes[i];
        struct cost flush = flush_cost(shape);
        struct cost bare = bare_cost(shape);
        struct cost sealed = store_cost(shape);
        printf("%-14s %12.0f %12.0f %12.0f %12.1f %12.1f %12.0f\n", shape->name,
               1e9 / sealed.wall_ns, 1e9 / bare.wall_ns, 1e9 / flush.wall_ns, sealed.cpu_ns / 1e3,
               bare.cpu_ns / 1e3, sealed.cpu_ns / (double)shape->entries);
        char name[64];
        (void)snprintf(name, sizeof name, "key store, commit of %s, CPU", shape->name);
        struct bench_row row = {.name = name,
                                .value = sealed.cpu_ns / 1e3,
                                .unit = "us",
                                .reference = bare.cpu_ns / 1e3,
                                .against = "bare SQLite",
                                .ratio = sealed.cpu_ns / bare.cpu_ns,
                                .goal = bench_goal("<=", 2),
                                .met = sealed.cpu_ns <= 2 * bare.cpu_ns};
        bench_row(&row);
    }
    (void)rmdir(folder);
    return 0;
}
