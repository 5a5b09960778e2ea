/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base under a heap that is counted and fails on demand: out, map, slab and timers allocate
 * nothing when warm, and answer a failed allocation with their error and go on unchanged. Also the
 * arena of out: offsets, limit, shrink, wipe. Leaks are for the sanitizer to find. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/base/out.h"
#include "core/base/slab.h"
#include "core/base/timers.h"
#include "tests/lib/alloc_count.h"

START_TEST(out_arena)
{
    struct qkd_out out;
    qkd_out_init(&out, 10000);
    ck_assert_ptr_null(out.arena);
    struct qkd_slice a = qkd_out_copy(&out, "hello", 5);
    struct qkd_slice b = qkd_out_reserve(&out, 6000);
    ck_assert_uint_eq(b.len, 6000);
    ck_assert_mem_eq(qkd_out_at(&out, a), "hello", 5);
    memset(qkd_out_at(&out, b), 0x77, 6000);
    qkd_out_shrink(&out, &b, 100);
    ck_assert_uint_eq(b.len, 100);
    ck_assert_uint_eq(out.arena_len, 105);
    ck_assert_uint_eq(out.arena[104], 0x77);
    ck_assert_uint_eq(out.arena[105], 0);
    ck_assert(!out.failed);
    ck_assert_uint_eq(qkd_out_reserve(&out, 9896).len, 0);
    ck_assert(out.failed);
    ck_assert_uint_eq(qkd_out_reserve(&out, SIZE_MAX).len, 0);
    uint8_t *arena = out.arena;
    qkd_out_reset(&out);
    ck_assert(!out.failed);
    for (unsigned i = 0; i < 6005; i++) {
        ck_assert_uint_eq(arena[i], 0);
    }
    ck_assert_uint_eq(qkd_out_reserve(&out, 10000).len, 10000);
    qkd_out_fini(&out);
}
END_TEST

static void out_fill(struct qkd_out *out)
{
    for (uint64_t i = 0; i < 50; i++) {
        struct qkd_send send = {.rp = QKD_RP_KX1, .bytes = qkd_out_copy(out, "12345678", 8)};
        struct qkd_persist entry = {.kind = 1, .value = send.bytes};
        struct qkd_report report = {.code = QKD_REPORT_POOL, .a = i};
        qkd_out_send(out, &send);
        qkd_out_put(out, &entry);
        qkd_out_report(out, &report);
    }
}

START_TEST(out_warm)
{
    struct qkd_out out;
    qkd_out_init(&out, 1 << 20);
    out_fill(&out);
    ck_assert_uint_eq(out.send_count, 50);
    ck_assert_uint_eq(out.persist_count, 50);
    ck_assert_uint_eq(out.report[49].a, 49);
    alloc_count_begin();
    for (int round = 0; round < 10; round++) {
        qkd_out_reset(&out);
        out_fill(&out);
    }
    ck_assert_uint_eq(alloc_count_end(), 0);
    qkd_out_fini(&out);
}
END_TEST

/* Whichever allocation fails, the batch is marked failed and nothing leaks. */
START_TEST(out_fails)
{
    for (int64_t n = 0; n < 10; n++) {
        struct qkd_out out;
        qkd_out_init(&out, 1 << 20);
        alloc_count_begin_failing(n);
        out_fill(&out);
        alloc_count_end();
        /* 1 arena of 4096 bytes; 16, 32, 64 entries thrice: 10 allocations. */
        ck_assert(out.failed);
        qkd_out_fini(&out);
    }
}
END_TEST

START_TEST(map_warm_and_fails)
{
    struct qkd_map map;
    qkd_map_init(&map, 4, 1000, NULL);
    uint32_t stored = 0;
    for (uint32_t key = 0; key < 700; key++) {
        alloc_count_begin_failing(0);
        int err = qkd_map_put(&map, &key, key);
        alloc_count_end();
        ck_assert(err == QKD_OK || err == QKD_ERR_NOMEM);
        ck_assert_uint_eq(qkd_map_get(&map, &key), err == QKD_OK ? key : QKD_MAP_NONE);
        ck_assert_int_eq(qkd_map_put(&map, &key, key), QKD_OK);
        ck_assert_uint_eq(map.count, ++stored);
    }
    bool good = true;
    alloc_count_begin();
    for (uint32_t key = 0; key < 100000; key++) {
        uint32_t next = key + 700;
        good = good && qkd_map_del(&map, &key) && qkd_map_put(&map, &next, next) == QKD_OK;
    }
    ck_assert_uint_eq(alloc_count_end(), 0);
    ck_assert(good);
    qkd_map_fini(&map);
}
END_TEST

START_TEST(slab_warm_and_fails)
{
    struct qkd_slab slab;
    qkd_slab_init(&slab, 40, 8, 100);
    for (uint32_t i = 0; i < 100; i++) {
        alloc_count_begin_failing(0);
        uint32_t slot = qkd_slab_take(&slab);
        alloc_count_begin_failing(1); /* the array of chunks grows, the chunk fails */
        if (slot == QKD_SLAB_NONE) {
            slot = qkd_slab_take(&slab);
        }
        alloc_count_end();
        if (slot == QKD_SLAB_NONE) {
            slot = qkd_slab_take(&slab);
        }
        ck_assert_uint_eq(slot, i);
        ck_assert_uint_eq(slab.live, i + 1);
    }
    ck_assert_uint_eq(qkd_slab_take(&slab), QKD_SLAB_NONE);
    bool good = true;
    alloc_count_begin();
    for (uint32_t i = 0; i < 1000; i++) {
        qkd_slab_give(&slab, i % 100);
        good = good && qkd_slab_take(&slab) == i % 100;
    }
    ck_assert_uint_eq(alloc_count_end(), 0);
    ck_assert(good);
    qkd_slab_fini(&slab);
}
END_TEST

START_TEST(timers_warm_and_fails)
{
    struct qkd_timers timers;
    qkd_timers_init(&timers, 100);
    for (uint32_t i = 0; i < 100; i++) {
        struct qkd_time at = {1000 - (int64_t)i};
        uint32_t handle = QKD_TIMER_NONE;
        for (int64_t n = 0; handle == QKD_TIMER_NONE; n++) {
            ck_assert_int_le(n, 2);
            alloc_count_begin_failing(n);
            handle = qkd_timers_set(&timers, at, i);
            alloc_count_end();
        }
        ck_assert_uint_eq(handle, i);
    }
    ck_assert_uint_eq(qkd_timers_set(&timers, (struct qkd_time){1}, 1), QKD_TIMER_NONE);
    bool good = true;
    uint64_t tag;
    alloc_count_begin();
    for (uint32_t i = 0; i < 1000; i++) {
        good = good && qkd_timers_pop(&timers, (struct qkd_time){INT64_MAX - 1}, &tag) &&
               qkd_timers_set(&timers, (struct qkd_time){i}, i) != QKD_TIMER_NONE;
    }
    ck_assert_uint_eq(alloc_count_end(), 0);
    ck_assert(good);
    qkd_timers_fini(&timers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_alloc");
    TCase *tests = tcase_create("alloc");
    tcase_add_test(tests, out_arena);
    tcase_add_test(tests, out_warm);
    tcase_add_test(tests, out_fails);
    tcase_add_test(tests, map_warm_and_fails);
    tcase_add_test(tests, slab_warm_and_fails);
    tcase_add_test(tests, timers_warm_and_fails);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
