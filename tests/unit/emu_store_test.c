/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/store against a plain list (tests/lib/store_model.h) under random batches; then what goes
 * wrong: other secret, no room, other process, damage at random places of file and log; and that no
 * plain value is ever on disk. Crashes: tests/emu/store_crash_test.c. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/seal.h"
#include "emu/store/store.h"
#include "tests/lib/store_model.h"

static char folder[40];
static char path[64], wal[72];
static struct emu_unlock unlock;
static struct qkd_out out;
static struct emu_why why;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_emu_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys.db", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
    unlock.len = 20;
    memcpy(unlock.bytes, "correct horse staple", 20);
    qkd_out_init(&out, 1 << 22);
}

static void teardown(void)
{
    qkd_out_fini(&out);
    unlink(path);
    unlink(wal);
    rmdir(folder);
}

/* Cheap derivation: its cost is not what these tests are about. */
static int open_with(struct emu_store **store, bool create, uint32_t max_pages)
{
    struct emu_store_options options = {.path = path,
                                        .unlock = &unlock,
                                        .create = create,
                                        .cost = {1, 8192},
                                        .max_pages = max_pages};
    why.text[0] = '\0';
    return emu_store_open(&options, store, &why);
}

static struct emu_store *open_good(void)
{
    struct emu_store *store;
    ck_assert_msg(open_with(&store, true, 0) == 0, "%s", why.text);
    return store;
}

static bool holds(struct emu_store *store, const struct store_model *model)
{
    bool same = true;
    for (unsigned n = 0; n < STORE_MODEL_OWNERS; n++) {
        struct emu_records records;
        int err = emu_store_records(store, store_model_owner(n), &records, &why);
        same = same && err == 0 &&
               store_model_is(model, store_model_owner(n), records.at, records.count);
        emu_records_free(&records);
    }
    return same;
}

/* Commits the batch of a seed. */
static int commit(struct emu_store *store, uint64_t seed, struct store_model *model)
{
    qkd_out_reset(&out);
    store_model_batch(&out, seed);
    int err = emu_store_commit(store, &out, &why);
    if (err == 0) {
        store_model_apply(model, &out);
    }
    return err;
}

START_TEST(same_as_model)
{
    struct store_model model = {0};
    struct emu_store *store = open_good();
    uint32_t opened = 1;
    ck_assert_uint_eq(emu_store_incarnation(store), 1);
    for (uint64_t seed = 1; seed <= 400; seed++) {
        ck_assert_msg(commit(store, seed, &model) == 0, "%s", why.text);
        if (seed % 40 == 0) {
            ck_assert(holds(store, &model));
            emu_store_close(store);
            store = open_good();
            ck_assert_uint_eq(emu_store_incarnation(store), ++opened);
        }
        ck_assert(seed % 8 != 0 || holds(store, &model));
    }
    ck_assert_uint_gt(model.count, 100);
    qkd_out_reset(&out);
    struct emu_store_figures before = emu_store_figures(store);
    ck_assert_int_eq(emu_store_commit(store, &out, &why), 0); /* empty: nothing happens */
    ck_assert_uint_eq(emu_store_figures(store).commits, before.commits);
    emu_store_close(store);
    store_model_fini(&model);
}
END_TEST

START_TEST(closed_to_others)
{
    struct stat about;
    struct emu_store *store = open_good();
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(wal, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    pid_t child = fork();
    if (child == 0) {
        struct emu_store *second;
        int err = open_with(&second, true, 0);
        _exit(err == QKD_ERR_EXISTS && strstr(why.text, "another process") != NULL ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    emu_store_close(store);
}
END_TEST

START_TEST(secrets)
{
    struct store_model model = {0};
    struct emu_store *store = open_good();
    ck_assert_int_eq(commit(store, 1, &model), 0);
    emu_store_close(store);
    unlock.bytes[3] ^= 1;
    ck_assert_int_eq(open_with(&store, true, 0), QKD_ERR_AUTH);
    ck_assert_ptr_null(store);
    ck_assert_ptr_nonnull(strstr(why.text, "the unlock secret is not the one of this store"));
    unlock.bytes[3] ^= 1;
    store = open_good();
    ck_assert_uint_eq(emu_store_incarnation(store), 2); /* the refused opening did not count */
    struct emu_unlock next = {.bytes = "another secret of operators", .len = 27};
    struct emu_seal_cost cost = {2, 16384};
    ck_assert_int_eq(emu_store_rekey(store, &next, &cost, &why), 0);
    ck_assert(holds(store, &model));
    emu_store_close(store);
    ck_assert_int_eq(open_with(&store, true, 0), QKD_ERR_AUTH);
    unlock = next;
    store = open_good();
    ck_assert(holds(store, &model));
    emu_store_close(store);
    store_model_fini(&model);
}
END_TEST

/* ---- what is on disk ---- */

static uint8_t *read_all(const char *name, size_t *len)
{
    FILE *file = fopen(name, "rb");
    *len = 0;
    if (file == NULL) {
        return NULL;
    }
    uint8_t *bytes = malloc(1 << 24);
    ck_assert_ptr_nonnull(bytes);
    *len = fread(bytes, 1, 1 << 24, file);
    fclose(file);
    return bytes;
}

static void write_all(const char *name, const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(name, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static bool contains(const uint8_t *bytes, size_t len, const uint8_t *needle, size_t needle_len)
{
    for (size_t i = 0; i + needle_len <= len; i++) {
        if (bytes[i] == needle[0] && memcmp(bytes + i, needle, needle_len) == 0) {
            return true;
        }
    }
    return false;
}

/* A value of 64 equal bytes with 8 others in the middle: neither those nor a run of 8 equal ones may
 * be found; the key, which is in the clear, is found, so the search works. */
START_TEST(no_plain_value)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    struct emu_store *store = open_good();
    struct qkd_persist entry = {
        .owner = store_model_owner(0), .kind = 1, .key_len = 16, .key = "KEY-IN-THE-CLEAR"};
    uint8_t value[64];
    bool key_found = false;
    memset(value, 0xa7, sizeof value);
    memcpy(value + 24, "\x11\x92\x33\xb4\x55\xd6\x77\xf8", 8);
    for (int round = 0; round < 20; round++) {
        qkd_out_reset(&out);
        entry.key[15] = (uint8_t)('A' + round % 5);
        entry.del = round % 7 == 6;
        entry.value = qkd_out_copy(&out, value, entry.del ? 0 : sizeof value);
        qkd_out_put(&out, &entry);
        ck_assert_int_eq(emu_store_commit(store, &out, &why), 0);
        for (int i = 0; i < 4; i++) {
            char name[80];
            size_t len;
            snprintf(name, sizeof name, "%s%s", path, endings[i]);
            uint8_t *bytes = read_all(name, &len);
            ck_assert(!contains(bytes, len, value + 24, 8));
            ck_assert(!contains(bytes, len, value, 8));
            ck_assert(!contains(bytes, len, unlock.bytes, unlock.len));
            key_found = key_found || contains(bytes, len, (const uint8_t *)"KEY-IN-THE-CLEA", 15);
            free(bytes);
        }
    }
    ck_assert(key_found);
    emu_store_close(store);
}
END_TEST

/* Two stores with the same secret and content have no sealed value in common, and a sealed value
 * that is moved to the place of another does not open. */
START_TEST(bound_to_place)
{
    struct crypto_place here = {(const uint8_t *)"owner,kind,key", 14};
    struct crypto_place there = {(const uint8_t *)"owner,kind,kez", 14};
    uint8_t key[CRYPTO_SEAL_KEY_LEN] = {1};
    uint8_t value[5] = "value";
    uint8_t sealed[2][5 + CRYPTO_SEAL_EXTRA], opened[5];
    for (int i = 0; i < 2; i++) {
        randombytes_buf(sealed[i], CRYPTO_SEAL_NONCE_LEN);
        crypto_seal(key, here, value, 5, sealed[i]);
    }
    ck_assert_mem_ne(sealed[0], sealed[1], sizeof sealed[0]);
    ck_assert_int_eq(crypto_unseal(key, here, sealed[0], sizeof sealed[0], opened), 0);
    ck_assert_mem_eq(opened, value, 5);
    ck_assert_int_eq(crypto_unseal(key, there, sealed[0], sizeof sealed[0], opened), QKD_ERR_AUTH);
    ck_assert_int_eq(crypto_unseal(key, here, sealed[0], CRYPTO_SEAL_EXTRA - 1, opened),
                     QKD_ERR_AUTH);
}
END_TEST

/* ---- no room ---- */

/* Fills until a commit fails; the state is that of the last good commit. */
static void fill_up(struct emu_store *store, struct store_model *model, uint64_t *seed)
{
    int err = 0;
    for (int i = 0; i < 3000 && err == 0; i++) {
        qkd_out_reset(&out);
        store_model_batch(&out, ++*seed);
        for (size_t j = 0; j < out.persist_count; j++) { /* keys of their own: it only grows */
            out.persist[j].key_len = 8;
            out.persist[j].del = false;
            memcpy(out.persist[j].key, seed, 4);
            out.persist[j].key[4] = (uint8_t)j;
        }
        err = emu_store_commit(store, &out, &why);
        if (err == 0) {
            store_model_apply(model, &out);
        }
    }
    ck_assert_msg(err == QKD_ERR_LIMIT, "%d %s", err, why.text);
    ck_assert_uint_ge(strlen(why.text), 20);
    ck_assert(holds(store, model));
    ck_assert_uint_ge(emu_store_figures(store).failures, 1);
}

/* Deletes everything of one owner. */
static void make_room(struct emu_store *store, struct store_model *model)
{
    struct emu_records records;
    ck_assert_int_eq(emu_store_records(store, store_model_owner(0), &records, &why), 0);
    qkd_out_reset(&out);
    for (size_t i = 0; i < records.count; i++) {
        struct qkd_persist entry = {.owner = store_model_owner(0),
                                    .del = true,
                                    .kind = records.at[i].kind,
                                    .key_len = records.at[i].key_len};
        memcpy(entry.key, records.at[i].key, 32);
        qkd_out_put(&out, &entry);
    }
    emu_records_free(&records);
    ck_assert_msg(emu_store_commit(store, &out, &why) == 0, "%s", why.text);
    store_model_apply(model, &out);
}

START_TEST(page_limit)
{
    struct store_model model = {0};
    struct emu_store *store;
    uint64_t seed = 0;
    ck_assert_int_eq(open_with(&store, true, 60), 0);
    fill_up(store, &model, &seed);
    make_room(store, &model);
    ck_assert_msg(commit(store, 77, &model) == 0, "%s", why.text);
    ck_assert(holds(store, &model));
    fill_up(store, &model, &seed);
    emu_store_close(store);
    ck_assert_int_eq(open_with(&store, true, 0), 0);
    ck_assert(holds(store, &model));
    ck_assert_msg(commit(store, 78, &model) == 0, "%s", why.text);
    ck_assert(holds(store, &model));
    emu_store_close(store);
    store_model_fini(&model);
}
END_TEST

/* A limit on the size of files cuts a write in the middle, as a full disk does. */
START_TEST(file_size_limit)
{
    struct store_model model = {0};
    struct emu_store *store = open_good();
    struct rlimit limit, tight = {.rlim_cur = 300000};
    uint64_t seed = 1000;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    tight.rlim_max = limit.rlim_max;
    for (int round = 0; round < 4; round++) {
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
        fill_up(store, &model, &seed);
        ck_assert_int_eq(emu_store_commit(store, &out, &why), QKD_ERR_LIMIT); /* still */
        ck_assert(holds(store, &model));
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_msg(emu_store_commit(store, &out, &why) == 0, "%s", why.text); /* the same */
        store_model_apply(&model, &out);
        ck_assert(holds(store, &model));
        tight.rlim_cur += 150000;
    }
    emu_store_close(store);
    store = open_good();
    ck_assert(holds(store, &model));
    emu_store_close(store);
    store_model_fini(&model);
}
END_TEST

/* ---- damage ---- */

static void refused(int wanted, const char *text)
{
    struct emu_store *store;
    ck_assert_int_eq(open_with(&store, true, 0), wanted);
    ck_assert_msg(strstr(why.text, text) != NULL, "%s", why.text);
    ck_assert_ptr_null(strchr(why.text, '\n'));
}

START_TEST(what_is_no_store)
{
    struct emu_store *store;
    ck_assert_int_eq(open_with(&store, false, 0), QKD_ERR_UNKNOWN);
    write_all(path, (const uint8_t *)"", 0);
    refused(QKD_ERR_FORMAT, "too short");
    uint8_t noise[8192];
    memset(noise, 'x', sizeof noise);
    write_all(path, noise, sizeof noise);
    refused(QKD_ERR_FORMAT, "no key store");
    unlink(path);
    write_all(wal, noise, sizeof noise);
    refused(QKD_ERR_FORMAT, "only its log");
    unlink(wal);
    mkdir(path, 0700);
    refused(QKD_ERR_FORMAT, "not a regular file");
    rmdir(path);
    snprintf(path, sizeof path, "%s/none/keys.db", folder);
    refused(QKD_ERR_IO, "cannot be made");
}
END_TEST

/* The store as a killed daemon leaves it, file and log, after some commits; `old` is the content
 * before the last of them. */
struct remains {
    uint8_t *file, *log;
    size_t file_len, log_len;
    struct store_model model, old;
};

/* checkpoint: everything is in the file, the log is empty. */
static void leave(struct remains *remains, uint64_t seed, bool checkpoint)
{
    struct emu_store *store = open_good();
    *remains = (struct remains){0};
    for (uint64_t i = 0; i < 30; i++) {
        ck_assert_int_eq(commit(store, seed + i, &remains->model), 0);
        if (i < 29) {
            store_model_apply(&remains->old, &out);
        }
    }
    if (checkpoint) {
        emu_store_close(store);
        store = NULL;
    }
    remains->file = read_all(path, &remains->file_len);
    remains->log = read_all(wal, &remains->log_len);
    emu_store_close(store);
    unlink(path);
    unlink(wal);
}

static void remains_free(struct remains *remains)
{
    free(remains->file);
    free(remains->log);
    store_model_fini(&remains->model);
    store_model_fini(&remains->old);
}

/* 1 refused, 0 all there, 2 the last commit is missing, -1 anything else. */
static int judge(const struct remains *remains)
{
    struct emu_store *store;
    int err = open_with(&store, false, 0);
    if (err != 0) {
        ck_assert_msg(err == QKD_ERR_FORMAT || err == QKD_ERR_AUTH, "%d %s", err, why.text);
        ck_assert_msg(strpbrk(why.text, "\r\n") == NULL, "more than one line: %s", why.text);
        return 1;
    }
    bool whole = holds(store, &remains->model);
    bool older = !whole && holds(store, &remains->old);
    bool opens = true;
    for (unsigned n = 0; n < STORE_MODEL_OWNERS; n++) {
        struct emu_records records;
        opens = emu_store_records(store, store_model_owner(n), &records, &why) == 0 && opens;
        emu_records_free(&records);
    }
    emu_store_close(store);
    return whole ? 0 : older ? 2 : opens ? -1 : 1;
}

static void restore(const struct remains *remains)
{
    write_all(path, remains->file, remains->file_len);
    unlink(wal);
    if (remains->log != NULL) {
        write_all(wal, remains->log, remains->log_len);
    }
}

/* One bit of the file is wrong: refused, or the bit did not matter. */
START_TEST(damaged_file)
{
    struct remains remains;
    uint64_t state = 4711;
    int refusals = 0;
    leave(&remains, 1, true);
    ck_assert_uint_gt(remains.file_len, 40000);
    for (int i = 0; i < 400; i++) {
        size_t at = store_model_next(&state) % (i < 100 ? 8192 : remains.file_len);
        uint8_t bit = (uint8_t)(1U << store_model_next(&state) % 8);
        remains.file[at] ^= bit;
        restore(&remains);
        int verdict = judge(&remains);
        ck_assert_msg(verdict == 0 || verdict == 1, "byte %zu bit %u: verdict %d", at, bit,
                      verdict);
        refusals += verdict;
        remains.file[at] ^= bit;
    }
    ck_assert_int_gt(refusals, 100);
    restore(&remains);
    ck_assert_int_eq(judge(&remains), 0);
    remains_free(&remains);
}
END_TEST

/* One bit of the log is wrong: refused, or it lay in the last commit, or it did not matter. A refused
 * store is left as it was. */
START_TEST(damaged_log)
{
    struct remains remains;
    uint64_t state = 815;
    int count[3] = {0};
    leave(&remains, 1, false);
    ck_assert_uint_gt(remains.log_len, 100000);
    size_t last = remains.log_len - 40 * 4120; /* a batch touches fewer than 40 pages */
    for (int i = 0; i < 250; i++) {
        size_t at = store_model_next(&state) % (i < 50 ? 64 : remains.log_len);
        uint8_t bit = (uint8_t)(1U << store_model_next(&state) % 8);
        remains.log[at] ^= bit;
        restore(&remains);
        int verdict = judge(&remains);
        ck_assert_msg(verdict >= 0 && (verdict != 2 || at > last), "byte %zu: verdict %d", at,
                      verdict);
        if (verdict == 1) {
            size_t len;
            uint8_t *log = read_all(wal, &len);
            ck_assert_uint_eq(len, remains.log_len);
            ck_assert_mem_eq(log, remains.log, len);
            free(log);
        }
        count[verdict]++;
        remains.log[at] ^= bit;
    }
    ck_assert_int_gt(count[1], 100);
    restore(&remains);
    ck_assert_int_eq(judge(&remains), 0);
    remains_free(&remains);
}
END_TEST

/* Cut at any length, the log gives a state after some commit or is refused; cut inside the last
 * commit, it gives the one before. The file, cut short, is refused. */
START_TEST(cut_short)
{
    struct remains remains;
    uint64_t state = 99;
    leave(&remains, 50, false);
    size_t whole = remains.log_len;
    remains.log_len = whole - 1;
    restore(&remains);
    ck_assert_int_eq(judge(&remains), 2);
    remains_free(&remains);
    leave(&remains, 1, true);
    whole = remains.file_len;
    for (int i = 0; i < 40; i++) {
        remains.file_len = store_model_next(&state) % whole;
        restore(&remains);
        ck_assert_int_eq(judge(&remains), 1);
    }
    remains_free(&remains);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_store");
    TCase *tcase = tcase_create("emu_store");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, same_as_model);
    tcase_add_test(tcase, closed_to_others);
    tcase_add_test(tcase, secrets);
    tcase_add_test(tcase, no_plain_value);
    tcase_add_test(tcase, bound_to_place);
    tcase_add_test(tcase, page_limit);
    tcase_add_test(tcase, file_size_limit);
    tcase_add_test(tcase, what_is_no_store);
    tcase_add_test(tcase, damaged_file);
    tcase_add_test(tcase, damaged_log);
    tcase_add_test(tcase, cut_short);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
