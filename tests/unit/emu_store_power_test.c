/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/store when the power fails: a layer below SQLite (a VFS of ours) keeps apart what was flushed
 * and what was only written. At a random write the power goes: of what was not flushed, each sector
 * of 512 bytes is kept or lost by chance. Then each acknowledged commit must be there, no batch in
 * part, and the store must open: a commit that was cut off is no damage. Also: a flush that fails. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/store/store.h"
#include "tests/lib/store_model.h"

#define SECTOR 512
#define ROUNDS 150
#define IMAGE_MAX (1 << 24)

/* ---- a disk that can lose power ---- */

struct op {     /* written or truncated, not flushed */
    int64_t at; /* -1: truncated to len */
    size_t len;
    uint8_t *bytes;
};

struct disk {
    uint8_t *image; /* what is flushed */
    size_t len;
    struct op *ops;
    size_t op_count, op_cap;
};

struct shim_file {
    sqlite3_file base;
    struct disk *disk;
    sqlite3_file *real; /* right behind this */
};

static struct disk disks[2]; /* the file, its log */
static int64_t writes_left;  /* until the power goes; -1: it stays */
static bool power_lost, flush_fails;
static uint64_t chance;
static unsigned flushes;

static void op_apply(struct disk *disk, const struct op *op, bool sectors)
{
    if (op->at < 0) {
        disk->len = op->len;
        return;
    }
    for (size_t done = 0; done < op->len;) {
        size_t at = (size_t)op->at + done;
        size_t n = SECTOR - at % SECTOR < op->len - done ? SECTOR - at % SECTOR : op->len - done;
        if (!sectors || (store_model_next(&chance) & 1) != 0) {
            ck_assert_uint_lt(at + n, IMAGE_MAX);
            if (at > disk->len) {
                memset(disk->image + disk->len, 0, at - disk->len);
            }
            memcpy(disk->image + at, op->bytes + done, n);
            disk->len = at + n > disk->len ? at + n : disk->len;
        }
        done += n;
    }
}

static void ops_forget(struct disk *disk)
{
    for (size_t i = 0; i < disk->op_count; i++) {
        free(disk->ops[i].bytes);
    }
    disk->op_count = 0;
}

/* Of what was not flushed, a front part in order, or sectors by chance. */
static void lose_power(void)
{
    bool sectors = (store_model_next(&chance) & 1) != 0;
    for (int d = 0; d < 2; d++) {
        size_t kept = disks[d].op_count;
        if (!sectors && kept > 0) {
            kept = store_model_next(&chance) % (kept + 1);
        }
        for (size_t i = 0; i < kept; i++) {
            op_apply(&disks[d], &disks[d].ops[i], sectors);
        }
        ops_forget(&disks[d]);
    }
    power_lost = true;
}

static void op_add(struct disk *disk, int64_t at, const void *bytes, size_t len)
{
    if (power_lost) {
        return;
    }
    if (disk->op_count == disk->op_cap) {
        disk->op_cap = 2 * disk->op_cap + 64;
        disk->ops = realloc(disk->ops, disk->op_cap * sizeof *disk->ops);
        ck_assert_ptr_nonnull(disk->ops);
    }
    struct op *op = &disk->ops[disk->op_count++];
    *op = (struct op){at, len, NULL};
    if (at >= 0) {
        op->bytes = malloc(len);
        ck_assert_ptr_nonnull(op->bytes);
        memcpy(op->bytes, bytes, len);
    }
    if (writes_left > 0 && --writes_left == 0) {
        lose_power();
    }
}

/* ---- the layer ---- */

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)(void *)file)->real;
}

static struct disk *disk_of(sqlite3_file *file)
{
    return ((struct shim_file *)(void *)file)->disk;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    op_add(disk_of(file), at, from, (size_t)len);
    return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    op_add(disk_of(file), -1, NULL, (size_t)len);
    return real_of(file)->pMethods->xTruncate(real_of(file), len);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    struct disk *disk = disk_of(file);
    (void)flags;
    flushes++;
    if (flush_fails) {
        return SQLITE_IOERR_FSYNC;
    }
    for (size_t i = 0; i < disk->op_count; i++) {
        op_apply(disk, &disk->ops[i], false);
    }
    ops_forget(disk);
    return SQLITE_OK;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *len)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), len);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_reserved(sqlite3_file *file, int *locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), locked);
}

static int shim_control(sqlite3_file *file, int what, void *with)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, with);
}

static int shim_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: no shared memory, which a store that is open alone does not need. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
};

static sqlite3_vfs shim;
static sqlite3_vfs *below;

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
    struct shim_file *made = (struct shim_file *)(void *)file;
    (void)vfs;
    made->real = (sqlite3_file *)(void *)(made + 1);
    made->disk = &disks[(flags & SQLITE_OPEN_WAL) != 0];
    made->base.pMethods = NULL;
    int code = below->xOpen(below, name, made->real, flags, given);
    if (code == SQLITE_OK) {
        made->base.pMethods = &methods;
    }
    return code;
}

static void shim_on(void)
{
    below = sqlite3_vfs_find(NULL);
    shim = *below;
    shim.zName = "shim";
    shim.szOsFile = (int)sizeof(struct shim_file) + below->szOsFile;
    shim.xOpen = shim_open;
    ck_assert_int_eq(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
}

static void shim_off(void)
{
    ck_assert_int_eq(sqlite3_vfs_unregister(&shim), SQLITE_OK);
    ck_assert_int_eq(sqlite3_vfs_register(below, 1), SQLITE_OK);
}

/* ---- tests ---- */

static char folder[40], path[64], wal[72];
static struct emu_unlock unlock = {.bytes = "correct horse staple", .len = 20};
static struct emu_why why;

static struct emu_store *open_store(void)
{
    struct emu_store_options options = {
        .path = path, .unlock = &unlock, .create = true, .cost = {1, 8192}};
    struct emu_store *store;
    ck_assert_msg(emu_store_open(&options, &store, &why) == 0, "%s", why.text);
    return store;
}

static bool holds(struct emu_store *store, const struct store_model *model)
{
    bool same = true;
    for (unsigned n = 0; n < STORE_MODEL_OWNERS; n++) {
        struct emu_records records;
        ck_assert_msg(emu_store_records(store, store_model_owner(n), &records, &why) == 0, "%s",
                      why.text);
        same = same && store_model_is(model, store_model_owner(n), records.at, records.count);
        emu_records_free(&records);
    }
    return same;
}

static void image_load(struct disk *disk, const char *name)
{
    FILE *file = fopen(name, "rb");
    disk->len = file == NULL ? 0 : fread(disk->image, 1, IMAGE_MAX, file);
    if (file != NULL) {
        fclose(file);
    }
}

static void image_save(const struct disk *disk, const char *name)
{
    FILE *file = fopen(name, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(disk->image, 1, disk->len, file), disk->len);
    fclose(file);
}

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_emu_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys.db", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
    for (int d = 0; d < 2; d++) {
        disks[d].image = malloc(IMAGE_MAX);
        ck_assert_ptr_nonnull(disks[d].image);
    }
    writes_left = -1;
    emu_store_close(open_store());
}

static void teardown(void)
{
    for (int d = 0; d < 2; d++) {
        ops_forget(&disks[d]);
        free(disks[d].ops);
        free(disks[d].image);
        disks[d] = (struct disk){0};
    }
    unlink(path);
    unlink(wal);
    rmdir(folder);
}

START_TEST(power_fails)
{
    struct store_model model = {0};
    struct qkd_out out;
    uint64_t seed = 0, acknowledged = 0, more = 0;
    qkd_out_init(&out, 1 << 22);
    chance = 42;
    for (int round = 0; round < ROUNDS; round++) {
        struct emu_store *old = open_store();
        uint32_t incarnation = emu_store_incarnation(old);
        emu_store_close(old);
        image_load(&disks[0], path);
        image_load(&disks[1], wal);
        shim_on();
        power_lost = false;
        writes_left = -1;
        struct emu_store *store = open_store();
        /* Some rounds run through checkpoints, at 1,000 pages. */
        writes_left = 1 + (int64_t)(store_model_next(&chance) % (round % 10 == 0 ? 4000 : 300));
        while (!power_lost) {
            qkd_out_reset(&out);
            store_model_batch(&out, ++seed);
            ck_assert_msg(emu_store_commit(store, &out, &why) == 0, "%s", why.text);
            if (!power_lost) {
                store_model_apply(&model, &out);
                acknowledged++;
            }
        }
        emu_store_close(store); /* what it writes now is not on our disk */
        shim_off();
        image_save(&disks[0], path);
        image_save(&disks[1], wal);
        store = open_store();
        ck_assert_uint_ge(emu_store_incarnation(store), incarnation + 2);
        if (!holds(store, &model)) { /* then the batch under way, whole */
            store_model_apply(&model, &out);
            more++;
            ck_assert_msg(holds(store, &model), "round %d", round);
        }
        emu_store_close(store);
    }
    printf("store_power: %d failures, %llu commits acknowledged, %llu more found whole\n", ROUNDS,
           (unsigned long long)acknowledged, (unsigned long long)more);
    ck_assert_uint_gt(acknowledged, 500);
    qkd_out_fini(&out);
    store_model_fini(&model);
}
END_TEST

/* Each commit flushes; when that fails nothing is applied, and the same batch goes through later. */
START_TEST(flush_fails_once)
{
    struct store_model model = {0};
    struct qkd_out out;
    unsigned failures = 0;
    qkd_out_init(&out, 1 << 22);
    shim_on();
    struct emu_store *store = open_store();
    for (uint64_t seed = 1; seed <= 40; seed++) {
        qkd_out_reset(&out);
        store_model_batch(&out, seed);
        flushes = 0;
        flush_fails = seed % 3 == 0;
        int err = emu_store_commit(store, &out, &why);
        bool writes = false; /* deletes of what is not there change nothing */
        for (size_t i = 0; i < out.persist_count; i++) {
            writes = writes || !out.persist[i].del;
        }
        ck_assert(flushes >= 1 || !writes);
        if (flush_fails && flushes > 0) {
            ck_assert_int_eq(err, QKD_ERR_IO);
            ck_assert(holds(store, &model));
            flush_fails = false;
            failures++;
            err = emu_store_commit(store, &out, &why);
        }
        flush_fails = false;
        ck_assert_msg(err == 0, "%s", why.text);
        store_model_apply(&model, &out);
        ck_assert(holds(store, &model));
    }
    ck_assert_uint_gt(failures, 8);
    emu_store_close(store);
    shim_off();
    store = open_store();
    ck_assert(holds(store, &model));
    emu_store_close(store);
    qkd_out_fini(&out);
    store_model_fini(&model);
}
END_TEST

/* Puts of 3,000 bytes, each on a page of its own. */
static void batch_of(struct qkd_out *out, unsigned entries)
{
    qkd_out_reset(out);
    for (unsigned i = 0; i < entries; i++) {
        struct qkd_persist entry = {.owner = store_model_owner(0), .kind = 1, .key_len = 1};
        entry.key[0] = (uint8_t)i;
        entry.value = qkd_out_reserve(out, 3000);
        memset(qkd_out_at(out, entry.value), 7, 3000);
        qkd_out_put(out, &entry);
    }
}

/* Commits whose flush failed leave whole commits behind a shorter one that follows them in the log.
 * They must not pass for damage when the daemon is killed then. */
START_TEST(remains_of_failures)
{
    struct qkd_out out;
    qkd_out_init(&out, 1 << 22);
    shim_on();
    struct emu_store *store = open_store();
    for (unsigned entries = 24; entries >= 8; entries -= 8) {
        batch_of(&out, entries);
        flush_fails = true;
        ck_assert_int_eq(emu_store_commit(store, &out, &why), QKD_ERR_IO);
    }
    flush_fails = false;
    batch_of(&out, 1);
    ck_assert_int_eq(emu_store_commit(store, &out, &why), 0);
    image_load(&disks[0], path); /* as a kill leaves them */
    image_load(&disks[1], wal);
    emu_store_close(store);
    shim_off();
    image_save(&disks[0], path);
    image_save(&disks[1], wal);
    store = open_store();
    struct emu_records records;
    ck_assert_int_eq(emu_store_records(store, store_model_owner(0), &records, &why), 0);
    ck_assert_uint_eq(records.count, 1);
    emu_records_free(&records);
    emu_store_close(store);
    qkd_out_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_store_power");
    TCase *tcase = tcase_create("emu_store_power");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, power_fails);
    tcase_add_test(tcase, flush_fails_once);
    tcase_add_test(tcase, remains_of_failures);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
