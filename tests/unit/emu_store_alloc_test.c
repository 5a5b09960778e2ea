/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/store under a heap that is counted and fails on demand: a warm commit allocates nothing of
 * ours (what SQLite does inside is not seen), and each failed allocation is QKD_ERR_NOMEM with the
 * store as it was. Leaks are for the sanitizer to find. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/store/store.h"
#include "tests/lib/alloc_count.h"
#include "tests/lib/store_model.h"

static char folder[40];
static char path[64], wal[72];
static struct emu_unlock unlock = {.bytes = "correct horse staple", .len = 20};
static struct emu_why why;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_emu_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys.db", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
}

static void teardown(void)
{
    unlink(path);
    unlink(wal);
    rmdir(folder);
}

static int open_store(struct emu_store **store)
{
    struct emu_store_options options = {
        .path = path, .unlock = &unlock, .create = true, .cost = {1, 8192}};
    return emu_store_open(&options, store, &why);
}

START_TEST(warm_commits)
{
    struct emu_store *store;
    struct qkd_out out;
    qkd_out_init(&out, 1 << 22);
    ck_assert_int_eq(open_store(&store), 0);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        qkd_out_reset(&out);
        store_model_batch(&out, seed);
        ck_assert_int_eq(emu_store_commit(store, &out, &why), 0);
    }
    int err = 0;
    alloc_count_begin();
    for (uint64_t seed = 1; seed <= 60; seed++) {
        qkd_out_reset(&out);
        store_model_batch(&out, seed);
        err |= emu_store_commit(store, &out, &why);
    }
    ck_assert_uint_eq(alloc_count_end(), 0);
    ck_assert_int_eq(err, 0);
    emu_store_close(store);
    qkd_out_fini(&out);
}
END_TEST

/* A new store, then one that is there; whichever allocation fails, the next opening succeeds. */
START_TEST(failing_opens)
{
    for (int there = 0; there < 2; there++) {
        int failures = 0;
        for (int64_t n = 0; n < 30; n++) {
            struct emu_store *store = NULL;
            if (there == 0) {
                unlink(path);
                unlink(wal);
            }
            alloc_count_begin_failing(n);
            int err = open_store(&store);
            (void)alloc_count_end();
            ck_assert_msg(err == 0 || err == QKD_ERR_NOMEM, "%d %s", err, why.text);
            ck_assert((err == 0) == (store != NULL));
            failures += err != 0;
            emu_store_close(store);
        }
        ck_assert_int_ge(failures, 4);
        struct emu_store *store;
        ck_assert_int_eq(open_store(&store), 0);
        emu_store_close(store);
    }
}
END_TEST

START_TEST(failing_commit_and_records)
{
    struct emu_store *store;
    struct qkd_out out;
    struct store_model model = {0};
    struct emu_records records;
    qkd_out_init(&out, 1 << 22);
    ck_assert_int_eq(open_store(&store), 0);
    int err = 0;
    for (uint64_t seed = 5; seed < 100 && err == 0; seed++) {
        qkd_out_reset(&out);
        store_model_batch(&out, seed);
        alloc_count_begin_failing(0); /* fails when a value is longer than all before */
        err = emu_store_commit(store, &out, &why);
        (void)alloc_count_end();
        if (err == 0) {
            store_model_apply(&model, &out);
        }
    }
    ck_assert_int_eq(err, QKD_ERR_NOMEM);
    ck_assert_int_eq(emu_store_commit(store, &out, &why), 0); /* the same batch, later */
    store_model_apply(&model, &out);
    for (unsigned owner = 0; owner < STORE_MODEL_OWNERS; owner++) {
        err = -1;
        for (int64_t n = 0; n < 5 && err != 0; n++) {
            alloc_count_begin_failing(n);
            err = emu_store_records(store, store_model_owner(owner), &records, &why);
            (void)alloc_count_end();
            ck_assert(err == 0 || (err == QKD_ERR_NOMEM && records.at == NULL));
        }
        ck_assert(store_model_is(&model, store_model_owner(owner), records.at, records.count));
        emu_records_free(&records);
    }
    emu_store_close(store);
    store_model_fini(&model);
    qkd_out_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_store_alloc");
    TCase *tcase = tcase_create("emu_store_alloc");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, warm_commits);
    tcase_add_test(tcase, failing_opens);
    tcase_add_test(tcase, failing_commit_and_records);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
