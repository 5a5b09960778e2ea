/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/flight: what is written comes back; a torn end at any byte loses the last entry alone; damage
 * is named; a record goes on after a kill; many records merge as a stable sort would order them. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/flight/flight.h"
#include "tests/lib/store_model.h"

static char folder[40];
static char path[64];
static struct emu_why why;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_flight_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/kmd.A.flight", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
}

/* ---- random entries ---- */

static struct emu_flight_bytes any_bytes(uint64_t *state, uint8_t *room)
{
    size_t len = store_model_next(state) % ((store_model_next(state) & 15) == 0 ? 9000 : 40);
    for (size_t i = 0; i < len; i++) {
        room[i] = (uint8_t)store_model_next(state);
    }
    return (struct emu_flight_bytes){len > 0 ? room : NULL, len};
}

static struct qkd_eid any_eid(uint64_t *state)
{
    return (struct qkd_eid){store_model_next(state)};
}

/* Rooms are for the bytes of the entry. */
static struct emu_flight_entry any_entry(uint64_t *state, uint8_t rooms[2][9000])
{
    struct emu_flight_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.type = (enum emu_flight_type)(1 + store_model_next(state) % EMU_FLIGHT_STOP);
    entry.at.ns = (int64_t)store_model_next(state);
    switch (entry.type) {
    case EMU_FLIGHT_START:
        entry.u.start.incarnation = (uint32_t)store_model_next(state);
        entry.u.start.wall.ns = (int64_t)store_model_next(state);
        break;
    case EMU_FLIGHT_RECORD:
    case EMU_FLIGHT_PERSIST:
        entry.u.persist.owner = any_eid(state);
        entry.u.persist.del = store_model_next(state) & 1;
        entry.u.persist.kind = (uint8_t)store_model_next(state);
        entry.u.persist.key_len = (uint8_t)(store_model_next(state) % 33);
        memset(entry.u.persist.key, 0x5a, entry.u.persist.key_len);
        entry.u.persist.value = any_bytes(state, rooms[0]);
        break;
    case EMU_FLIGHT_RECV:
    case EMU_FLIGHT_SEND:
        entry.u.message.rp = (uint8_t)(store_model_next(state) % QKD_RP_COUNT);
        entry.u.message.flags = (uint32_t)store_model_next(state);
        entry.u.message.from = any_eid(state);
        entry.u.message.to = any_eid(state);
        entry.u.message.bytes = any_bytes(state, rooms[0]);
        entry.u.message.observed = any_bytes(state, rooms[1]);
        break;
    case EMU_FLIGHT_COMMIT:
        entry.u.commit.entries = (uint32_t)store_model_next(state);
        break;
    case EMU_FLIGHT_REPORT:
        entry.u.report.report = (struct qkd_report){.code = (enum qkd_report_code)(
                                                        store_model_next(state) % QKD_REPORT_COUNT),
                                                    .who = any_eid(state),
                                                    .peer = any_eid(state),
                                                    .a = store_model_next(state),
                                                    .b = store_model_next(state),
                                                    .c = store_model_next(state),
                                                    .d = store_model_next(state)};
        memset(entry.u.report.report.id.b, 0x11, 16);
        memset(entry.u.report.report.id2.b, 0x22, 16);
        entry.u.report.bytes = any_bytes(state, rooms[0]);
        break;
    default:
        entry.u.wall.ns = entry.type == EMU_FLIGHT_WALL ? (int64_t)store_model_next(state) : 0;
        break;
    }
    return entry;
}

static bool same_bytes(struct emu_flight_bytes a, struct emu_flight_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static bool same_report(const struct qkd_report *a, const struct qkd_report *b)
{
    return a->code == b->code && qkd_eid_eq(a->who, b->who) && qkd_eid_eq(a->peer, b->peer) &&
           qkd_id_eq(&a->id, &b->id) && qkd_id_eq(&a->id2, &b->id2) && a->a == b->a &&
           a->b == b->b && a->c == b->c && a->d == b->d;
}

static bool same(const struct emu_flight_entry *a, const struct emu_flight_entry *b)
{
    if (a->type != b->type || a->at.ns != b->at.ns) {
        return false;
    }
    switch (a->type) {
    case EMU_FLIGHT_START:
        return a->u.start.incarnation == b->u.start.incarnation &&
               a->u.start.wall.ns == b->u.start.wall.ns;
    case EMU_FLIGHT_RECORD:
    case EMU_FLIGHT_PERSIST:
        return qkd_eid_eq(a->u.persist.owner, b->u.persist.owner) &&
               a->u.persist.del == b->u.persist.del && a->u.persist.kind == b->u.persist.kind &&
               a->u.persist.key_len == b->u.persist.key_len &&
               memcmp(a->u.persist.key, b->u.persist.key, 32) == 0 &&
               same_bytes(a->u.persist.value, b->u.persist.value);
    case EMU_FLIGHT_RECV:
    case EMU_FLIGHT_SEND:
        return a->u.message.rp == b->u.message.rp && a->u.message.flags == b->u.message.flags &&
               qkd_eid_eq(a->u.message.from, b->u.message.from) &&
               qkd_eid_eq(a->u.message.to, b->u.message.to) &&
               same_bytes(a->u.message.bytes, b->u.message.bytes) &&
               same_bytes(a->u.message.observed, b->u.message.observed);
    case EMU_FLIGHT_COMMIT:
        return a->u.commit.entries == b->u.commit.entries;
    case EMU_FLIGHT_REPORT:
        return same_report(&a->u.report.report, &b->u.report.report) &&
               same_bytes(a->u.report.bytes, b->u.report.bytes);
    case EMU_FLIGHT_WALL:
        return a->u.wall.ns == b->u.wall.ns;
    default:
        return true;
    }
}

/* Entries first..last-1 of a seed are always the same. */
static void write_entries(struct emu_flight *flight, uint64_t seed, int first, int last)
{
    uint8_t rooms[2][9000];
    for (int i = first; i < last; i++) {
        uint64_t state = seed + (uint64_t)i * 1000;
        struct emu_flight_entry entry = any_entry(&state, rooms);
        emu_flight_put(flight, &entry);
        if (state % 3 == 0) {
            ck_assert_int_eq(emu_flight_flush(flight, &why), 0);
        }
    }
    ck_assert_int_eq(emu_flight_flush(flight, &why), 0);
}

/* How many of the entries of a seed the file begins with; they must all be right. */
static int read_entries(uint64_t seed, bool *torn, int *err)
{
    uint8_t rooms[2][9000];
    struct emu_flight_reader *reader;
    struct emu_flight_entry entry;
    int count = 0;
    ck_assert_msg(emu_flight_reader_open(path, &reader, &why) == 0, "%s", why.text);
    ck_assert_str_eq(emu_flight_reader_name(reader), "kmd.A");
    while ((*err = emu_flight_next(reader, &entry, &why)) == 1) {
        uint64_t state = seed + (uint64_t)count * 1000;
        struct emu_flight_entry wanted = any_entry(&state, rooms);
        ck_assert_msg(same(&entry, &wanted), "entry %d", count);
        count++;
    }
    *torn = emu_flight_torn(reader);
    emu_flight_reader_free(reader);
    return count;
}

static struct emu_flight *open_flight(void)
{
    struct emu_flight *flight;
    ck_assert_msg(emu_flight_open(path, "kmd.A", &flight, &why) == 0, "%s", why.text);
    return flight;
}

START_TEST(round_trip)
{
    bool torn;
    int err;
    struct stat about;
    struct emu_flight *flight = open_flight();
    write_entries(flight, 7, 0, 500);
    ck_assert_int_eq(read_entries(7, &torn, &err), 500); /* flushed: no close needed */
    emu_flight_close(flight);
    flight = open_flight(); /* and it goes on */
    write_entries(flight, 7, 500, 700);
    emu_flight_close(flight);
    ck_assert_int_eq(read_entries(7, &torn, &err), 700);
    ck_assert(!torn && err == 0);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
}
END_TEST

/* What a person sees who opens the file. */
START_TEST(says_what_it_is)
{
    char line[200];
    emu_flight_close(open_flight());
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_str_eq(line, "QKDN-FLIGHT 1\n");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_ptr_nonnull(strstr(line, "WARNING"));
    ck_assert_ptr_nonnull(strstr(line, "secret key material"));
    fclose(file);
}
END_TEST

/* Cut at every length: all whole entries are read, and the writer goes on behind them. */
START_TEST(torn_end)
{
    bool torn;
    int err;
    struct stat about;
    struct emu_flight *flight = open_flight();
    write_entries(flight, 3, 0, 6);
    ck_assert_int_eq(stat(path, &about), 0);
    off_t start = about.st_size;
    write_entries(flight, 3, 6, 7);
    emu_flight_close(flight);
    ck_assert_int_eq(stat(path, &about), 0);
    for (off_t len = about.st_size - 1; len > start; len--) {
        ck_assert_int_eq(truncate(path, len), 0);
        ck_assert_int_eq(read_entries(3, &torn, &err), 6);
        ck_assert(torn && err == 0);
    }
    flight = open_flight();
    write_entries(flight, 3, 6, 20);
    emu_flight_close(flight);
    ck_assert_int_eq(read_entries(3, &torn, &err), 20);
    ck_assert(!torn && err == 0);
}
END_TEST

static void flip(off_t at, int bit)
{
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, at, SEEK_SET);
    int c = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(c ^ (1 << bit), file);
    fclose(file);
}

/* A wrong bit anywhere: an error, or (a length that now points beyond the end) a torn end; never a
 * wrong entry, which read_entries() would see. */
START_TEST(damage)
{
    bool torn;
    int err, errors = 0;
    struct stat about;
    struct emu_flight *flight = open_flight();
    write_entries(flight, 11, 0, 40);
    emu_flight_close(flight);
    ck_assert_int_eq(stat(path, &about), 0);
    uint64_t state = 1;
    off_t head = (off_t)(EMU_FLIGHT_HEAD_LEN + 1 + strlen("kmd.A"));
    for (int i = 0; i < 300; i++) {
        off_t at = head + (off_t)(store_model_next(&state) % (uint64_t)(about.st_size - head));
        flip(at, i % 8);
        int count = read_entries(11, &torn, &err);
        ck_assert_int_lt(count, 40);
        ck_assert((err == QKD_ERR_FORMAT && strstr(why.text, "damaged at byte") != NULL) || torn);
        errors += err != 0;
        flip(at, i % 8);
    }
    ck_assert_int_gt(errors, 200);
    flip(head + 20, 0);
    struct emu_flight *again;
    ck_assert_int_eq(emu_flight_open(path, "kmd.A", &again, &why), QKD_ERR_FORMAT);
    ck_assert_ptr_null(again);
}
END_TEST

START_TEST(refused)
{
    struct emu_flight *flight = open_flight();
    struct emu_flight_reader *reader;
    emu_flight_close(flight);
    ck_assert_int_eq(emu_flight_open(path, "kmd.B", &flight, &why), QKD_ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(why.text, "of kmd.A, not of kmd.B"));
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(emu_flight_open(path, "kmd.A", &flight, &why), QKD_ERR_DENIED);
    ck_assert_int_eq(chmod(path, 0600), 0);
    flip(1, 0);
    ck_assert_int_eq(emu_flight_open(path, "kmd.A", &flight, &why), QKD_ERR_FORMAT);
    ck_assert_int_eq(emu_flight_reader_open(path, &reader, &why), QKD_ERR_FORMAT);
    ck_assert_int_eq(emu_flight_reader_open("/tmp/no/such", &reader, &why), QKD_ERR_UNKNOWN);
}
END_TEST

/* Without room the record ends, says so at each flush, and what is there can be read. */
START_TEST(no_room)
{
    bool torn;
    int err;
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit tight = {.rlim_cur = 5000, .rlim_max = limit.rlim_max};
    struct emu_flight *flight = open_flight();
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct emu_flight_entry entry = {.type = EMU_FLIGHT_WALL};
    for (int i = 0; i < 400; i++) {
        emu_flight_put(flight, &entry);
    }
    ck_assert_int_eq(emu_flight_flush(flight, &why), QKD_ERR_LIMIT);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    emu_flight_put(flight, &entry);
    ck_assert_int_eq(emu_flight_flush(flight, &why), QKD_ERR_LIMIT);
    emu_flight_close(flight);
    struct emu_flight_reader *reader;
    ck_assert_int_eq(emu_flight_reader_open(path, &reader, &why), 0);
    int count = 0;
    while ((err = emu_flight_next(reader, &entry, &why)) == 1) {
        count++;
    }
    torn = emu_flight_torn(reader);
    emu_flight_reader_free(reader);
    ck_assert(torn && err == 0);
    ck_assert_int_gt(count, 100);
    ck_assert_int_lt(count, 400);
}
END_TEST

/* What each step adds becomes entries with what they had, in order, and nothing twice. */
START_TEST(batches)
{
    struct qkd_out out;
    struct emu_flight *flight = open_flight();
    struct emu_flight_reader *reader;
    struct emu_flight_entry entry;
    qkd_out_init(&out, 1 << 20);
    struct qkd_out before = out;
    struct qkd_persist persist = {
        .owner = store_model_owner(1), .kind = 4, .key_len = 3, .key = "abc"};
    persist.value = qkd_out_copy(&out, "value", 5);
    qkd_out_put(&out, &persist);
    persist = (struct qkd_persist){.owner = store_model_owner(2), .del = true, .kind = 2};
    qkd_out_put(&out, &persist);
    emu_flight_step(flight, (struct qkd_time){5}, &out, &before);
    before = out;
    struct qkd_send sent = {.rp = QKD_RP_KX1,
                            .flags = QKD_SEND_REPLY,
                            .from = store_model_owner(0),
                            .to = store_model_owner(1)};
    sent.bytes = qkd_out_copy(&out, "sealed", 6);
    sent.observed = qkd_out_copy(&out, "plain", 5);
    qkd_out_send(&out, &sent);
    struct qkd_report report = {.code = QKD_REPORT_LIFE, .who = store_model_owner(0), .d = 9};
    report.bytes = qkd_out_copy(&out, "life", 4);
    qkd_out_report(&out, &report);
    emu_flight_step(flight, (struct qkd_time){6}, &out, &before);
    emu_flight_close(flight);
    ck_assert_int_eq(emu_flight_reader_open(path, &reader, &why), 0);
    ck_assert_int_eq(emu_flight_next(reader, &entry, &why), 1);
    ck_assert(entry.type == EMU_FLIGHT_PERSIST && entry.at.ns == 5 && entry.u.persist.kind == 4);
    ck_assert(!entry.u.persist.del && memcmp(entry.u.persist.key, "abc", 3) == 0);
    ck_assert(entry.u.persist.value.len == 5 && memcmp(entry.u.persist.value.at, "value", 5) == 0);
    ck_assert_int_eq(emu_flight_next(reader, &entry, &why), 1);
    ck_assert(entry.type == EMU_FLIGHT_PERSIST && entry.u.persist.del == 1);
    ck_assert_int_eq(emu_flight_next(reader, &entry, &why), 1);
    ck_assert(entry.type == EMU_FLIGHT_SEND && entry.at.ns == 6 &&
              entry.u.message.rp == QKD_RP_KX1 && entry.u.message.flags == QKD_SEND_REPLY);
    ck_assert(qkd_eid_eq(entry.u.message.to, store_model_owner(1)));
    ck_assert(entry.u.message.bytes.len == 6 && entry.u.message.observed.len == 5 &&
              memcmp(entry.u.message.observed.at, "plain", 5) == 0);
    ck_assert_int_eq(emu_flight_next(reader, &entry, &why), 1);
    ck_assert(entry.type == EMU_FLIGHT_REPORT && entry.u.report.report.d == 9 &&
              entry.u.report.report.code == QKD_REPORT_LIFE && entry.u.report.bytes.len == 4);
    ck_assert_int_eq(emu_flight_next(reader, &entry, &why), 0);
    emu_flight_reader_free(reader);
    qkd_out_fini(&out);
}
END_TEST

#define FILES 7
#define PER_FILE 200

struct stamped {
    int64_t at;
    size_t file;
    uint32_t number; /* in its file */
};

static int by_order(const void *a, const void *b)
{
    const struct stamped *x = a;
    const struct stamped *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    return x->number < y->number ? -1 : 1;
}

/* Few instants, so that many are equal; one file is empty. The order wanted is qsort's. */
START_TEST(merged)
{
    static struct stamped wanted[FILES * PER_FILE];
    char names[FILES][64];
    const char *paths[FILES];
    uint64_t state = 31;
    size_t total = 0;
    for (size_t file = 0; file < FILES; file++) {
        struct emu_flight *flight;
        snprintf(names[file], sizeof names[file], "%s/%zu", folder, file);
        paths[file] = names[file];
        ck_assert_int_eq(emu_flight_open(names[file], "d", &flight, &why), 0);
        int64_t at = 0;
        for (uint32_t i = 0; i < PER_FILE && file != 3; i++) {
            at += (int64_t)(store_model_next(&state) % 3);
            wanted[total++] = (struct stamped){at, file, i};
            struct emu_flight_entry entry = {.type = EMU_FLIGHT_COMMIT, .at = {at}};
            entry.u.commit.entries = i;
            emu_flight_put(flight, &entry);
        }
        emu_flight_close(flight);
    }
    qsort(wanted, total, sizeof wanted[0], by_order);
    struct emu_flight_merge *merge;
    struct emu_flight_entry entry;
    size_t from = 0;
    ck_assert_int_eq(emu_flight_merge_open(paths, FILES, &merge, &why), 0);
    for (size_t i = 0; i < total; i++) {
        ck_assert_int_eq(emu_flight_merge_next(merge, &entry, &from, &why), 1);
        ck_assert(entry.at.ns == wanted[i].at && from == wanted[i].file &&
                  entry.u.commit.entries == wanted[i].number);
    }
    ck_assert_int_eq(emu_flight_merge_next(merge, &entry, &from, &why), 0);
    ck_assert_int_eq(emu_flight_merge_next(merge, &entry, &from, &why), 0);
    ck_assert(!emu_flight_torn(emu_flight_merge_reader(merge, 2)));
    emu_flight_merge_free(merge);
    ck_assert_int_eq(emu_flight_merge_open(paths, 0, &merge, &why), 0);
    ck_assert_int_eq(emu_flight_merge_next(merge, &entry, &from, &why), 0);
    emu_flight_merge_free(merge);
    paths[FILES - 1] = "/tmp/no/such";
    ck_assert_int_eq(emu_flight_merge_open(paths, FILES, &merge, &why), QKD_ERR_UNKNOWN);
    for (size_t file = 0; file < FILES; file++) {
        unlink(names[file]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_flight");
    TCase *tcase = tcase_create("emu_flight");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, round_trip);
    tcase_add_test(tcase, says_what_it_is);
    tcase_add_test(tcase, torn_end);
    tcase_add_test(tcase, damage);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, no_room);
    tcase_add_test(tcase, batches);
    tcase_add_test(tcase, merged);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
