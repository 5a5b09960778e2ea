/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/store killed with SIGKILL at random moments while it commits, again and again on the same
 * file: each commit that was acknowledged (through a pipe, after commit returned) is there at the
 * next opening, no batch is there in part, and the incarnation grows. A process kill leaves the
 * kernel's page cache alone: that flushes reach the disk is not what this test shows. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/store/store.h"
#include "tests/lib/store_model.h"

#define ROUNDS 120
#define SEED UINT64_C(20260217)

static char folder[40];
static char path[64];
static struct emu_unlock unlock = {.bytes = "correct horse staple", .len = 20};
static struct emu_why why;

static struct emu_store *open_store(bool create)
{
    struct emu_store_options options = {
        .path = path, .unlock = &unlock, .create = create, .cost = {1, 8192}};
    struct emu_store *store;
    return emu_store_open(&options, &store, &why) == 0 ? store : NULL;
}

/* Batch number `batch` of this test. */
static void make(struct qkd_out *out, uint64_t batch)
{
    qkd_out_reset(out);
    store_model_batch(out, SEED + batch);
}

/* The child: opens, commits batch after batch, acknowledges each by one byte. */
static _Noreturn void work(int ack, uint64_t batch)
{
    struct qkd_out out;
    struct emu_store *store = open_store(true);
    qkd_out_init(&out, 1 << 22);
    if (store == NULL || write(ack, "o", 1) != 1) {
        _exit(2);
    }
    for (;; batch++) {
        make(&out, batch);
        if (emu_store_commit(store, &out, &why) != 0 || write(ack, "c", 1) != 1) {
            _exit(3);
        }
    }
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

/* Runs a child for a while, kills it; the number of acknowledged openings and commits. */
static void run_and_kill(uint64_t batch, int64_t life_us, unsigned *opened, uint64_t *commits)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        work(ends[1], batch);
    }
    close(ends[1]);
    struct timespec life = {.tv_nsec = life_us * 1000};
    nanosleep(&life, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status), "the child ended by itself: %d", WEXITSTATUS(status));
    *opened = 0;
    *commits = 0;
    char bytes[4096];
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            *opened += bytes[i] == 'o';
            *commits += bytes[i] == 'c';
        }
    }
    close(ends[0]);
}

START_TEST(acknowledged_commits_survive)
{
    struct store_model model = {0};
    struct qkd_out out;
    uint64_t state = SEED, batch = 0, commits = 0, unacknowledged = 0, all = 0;
    uint32_t incarnation = 0;
    unsigned opened = 0;
    qkd_out_init(&out, 1 << 22);
    int64_t slower = 1; /* on a machine where children come to nothing they live longer */
    for (int round = 0; round < ROUNDS || (all <= ROUNDS && round < 8 * ROUNDS); round++) {
        int64_t life_us = (int64_t)(store_model_next(&state) % (round % 4 == 0 ? 4000 : 40000));
        slower = all > (uint64_t)round ? 1 : slower < 16 ? 2 * slower : slower;
        life_us *= slower;
        run_and_kill(batch, life_us, &opened, &commits);
        for (uint64_t i = 0; i < commits; i++) {
            make(&out, batch++);
            store_model_apply(&model, &out);
        }
        all += commits;
        struct emu_store *store = open_store(true);
        ck_assert_msg(store != NULL, "round %d: %s", round, why.text);
        ck_assert_uint_ge(emu_store_incarnation(store), incarnation + 1 + opened);
        incarnation = emu_store_incarnation(store);
        if (!holds(store, &model)) { /* one commit more may be durable, and whole */
            make(&out, batch++);
            store_model_apply(&model, &out);
            unacknowledged++;
            ck_assert_msg(holds(store, &model), "round %d, batch %d", round, (int)batch);
        }
        emu_store_close(store);
    }
    printf("store_crash: %d kills, %llu commits acknowledged, %llu more found whole\n", ROUNDS,
           (unsigned long long)all, (unsigned long long)unacknowledged);
    ck_assert_uint_gt(all, ROUNDS); /* the children really worked */
    qkd_out_fini(&out);
    store_model_fini(&model);
}
END_TEST

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_emu_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys.db", folder);
}

static void teardown(void)
{
    static const char *const endings[] = {"",         "-wal",     ".new",
                                          ".new-wal", ".new-shm", ".new-journal"};
    for (int i = 0; i < 6; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    rmdir(folder);
}

int main(void)
{
    Suite *suite = suite_create("store_crash");
    TCase *tcase = tcase_create("store_crash");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, acknowledged_commits_survive);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
