/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base/map against a naive model (an array indexed by key number), with fixed seeds. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/base/rng.h"

enum { KEYS = 300, OPS = 40000 };

/* The key of number `n`: dense numbers, `len` bytes. */
static void make_key(uint8_t key[32], uint32_t n)
{
    memset(key, 0, 32);
    key[0] = (uint8_t)n;
    key[1] = (uint8_t)(n >> 8);
    key[31] = (uint8_t)n;
}

static void check_all(const struct qkd_map *map, const uint32_t *model)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < KEYS; n++) {
        uint8_t key[32];
        make_key(key, n);
        ck_assert_uint_eq(qkd_map_get(map, key), model[n]);
        count += model[n] != QKD_MAP_NONE;
    }
    ck_assert_uint_eq(map->count, count);
    ck_assert(map->cap == 0 || (map->cap & (map->cap - 1)) == 0);
    ck_assert_uint_le((uint64_t)map->count * 10, (uint64_t)map->cap * 7);
}

/* Runs random puts, replacements and deletions under a limit of 2/3 of the keys. */
START_TEST(map_follows_model)
{
    static const uint32_t key_lens[4] = {2, 8, 16, 32};
    uint8_t seed[32] = "map test";
    seed[31] = (uint8_t)_i;
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    struct qkd_map map;
    uint32_t model[KEYS];
    memset(model, 0xff, sizeof model);
    qkd_map_init(&map, key_lens[_i % 4], 200, _i % 2 == 0 ? NULL : seed);
    for (int op = 0; op < OPS; op++) {
        uint8_t key[32];
        uint32_t n = (uint32_t)qkd_rng_below(&rng, KEYS);
        make_key(key, n);
        if (qkd_rng_below(&rng, 100) < 55) {
            uint32_t slot = (uint32_t)qkd_rng_below(&rng, UINT32_MAX);
            bool full = model[n] == QKD_MAP_NONE && map.count == 200;
            ck_assert_int_eq(qkd_map_put(&map, key, slot), full ? QKD_ERR_LIMIT : QKD_OK);
            model[n] = full ? model[n] : slot;
        } else {
            ck_assert(qkd_map_del(&map, key) == (model[n] != QKD_MAP_NONE));
            model[n] = QKD_MAP_NONE;
        }
        if (op % 500 == 0) {
            check_all(&map, model);
        }
    }
    check_all(&map, model);
    qkd_map_fini(&map);
    ck_assert_uint_eq(map.count, 0);
}
END_TEST

START_TEST(map_empty)
{
    struct qkd_map map;
    uint8_t key[8] = {1};
    qkd_map_init(&map, 8, 0, NULL);
    ck_assert_uint_eq(qkd_map_get(&map, key), QKD_MAP_NONE);
    ck_assert(!qkd_map_del(&map, key));
    ck_assert_int_eq(qkd_map_put(&map, key, 1), QKD_ERR_LIMIT);
    ck_assert_ptr_null(map.cells);
    qkd_map_fini(&map);
}
END_TEST

/* Keys as elements have them, numbers in a row at some place among equal bytes, must not stand in one
 * another's way: a search in a table filled to 0.7 with random keys passes 1.2 cells (Knuth, TAOCP 3, 6.4,
 * theorem K). Twice that is allowed. */
START_TEST(map_spreads)
{
    static const uint32_t lens[] = {4, 8, 9, 12, 16, 17, 20, 32};
    uint32_t len = lens[_i];
    for (uint32_t place = 0; place + 4 <= len; place++) {
        struct qkd_map map;
        qkd_map_init(&map, len, 10000, NULL);
        for (uint32_t n = 0; n < 5600; n++) {
            uint8_t key[32] = {0};
            for (unsigned byte = 0; byte < 2; byte++) {
                key[place + byte] = (uint8_t)(n >> (8 * byte));
            }
            ck_assert_int_eq(qkd_map_put(&map, key, n), QKD_OK);
        }
        uint64_t passed = 0;
        uint32_t cell_len = 8 + (len + 3) / 4 * 4;
        for (uint32_t i = 0; i < map.cap; i++) {
            uint32_t cell[2];
            memcpy(cell, map.cells + (size_t)i * cell_len, sizeof cell);
            passed += cell[0] == QKD_MAP_NONE ? 0 : (i - cell[1]) & (map.cap - 1);
        }
        ck_assert_msg(passed < 2 * 12 * map.count / 10, "%u bytes, place %u: %lu cells", len, place,
                      (unsigned long)passed);
        qkd_map_fini(&map);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_map");
    TCase *tests = tcase_create("map");
    tcase_add_loop_test(tests, map_follows_model, 0, 8);
    tcase_add_test(tests, map_empty);
    tcase_add_loop_test(tests, map_spreads, 0, 8);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
