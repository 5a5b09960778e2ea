/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a life-cycle record: one for each key and action, as D2.3 clause 7.1.6 has them, however few
 * records say so; lists that no sender makes have none. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/life.h"

static struct qkd_id id_of(uint8_t number)
{
    return (struct qkd_id){{[15] = number}};
}

/* Supply of the keys 1 to `keys`, and what follows. `ids` holds the further keys. */
static struct wire_life supply_of(uint8_t keys, uint8_t *ids, const uint8_t *then, size_t then_len)
{
    struct wire_life life = {.when = {7},
                             .at = {8},
                             .action = WIRE_ACTION_SUPPLY,
                             .key_class = WIRE_CLASS_KSA,
                             .id = id_of(1),
                             .has_key_length = true,
                             .key_length = 256};
    for (uint8_t key = 2; key <= keys; key++) {
        struct qkd_id id = id_of(key);
        memcpy(ids + (size_t)(key - 2) * sizeof id.b, id.b, sizeof id.b);
    }
    life.has_more_ids = keys > 1;
    life.more_ids = (struct wire_bytes){ids, ((size_t)keys - 1) * 16};
    life.has_then = then_len > 0;
    life.then = (struct wire_bytes){then, then_len};
    return life;
}

START_TEST(a_row_for_each_key_and_action)
{
    static const uint8_t then[] = {WIRE_ACTION_PRESERVATION, WIRE_ACTION_DELETION};
    static const uint8_t actions[] = {WIRE_ACTION_SUPPLY, WIRE_ACTION_PRESERVATION,
                                      WIRE_ACTION_DELETION};
    uint8_t ids[32];
    struct wire_life life = supply_of(3, ids, then, sizeof then);
    uint8_t bytes[256];
    int len = wire_life_encode(&life, bytes, sizeof bytes);
    struct wire_life back;
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(wire_life_decode(&back, bytes, (size_t)len), len);
    ck_assert_uint_eq(wire_life_rows(&back), 9);
    for (uint8_t i = 0; i < 9; i++) {
        struct wire_life row = wire_life_row(&back, i);
        struct qkd_id id = id_of((uint8_t)(i / 3 + 1));
        ck_assert(qkd_id_eq(&row.id, &id));
        ck_assert_uint_eq(row.action, actions[i % 3]);
        ck_assert(row.when.ns == 7 && row.at.v == 8 && row.key_class == WIRE_CLASS_KSA);
        ck_assert(row.has_key_length == (i % 3 == 0)); /* what follows adds nothing */
        ck_assert(!row.has_more_ids && !row.has_then);
    }
}
END_TEST

START_TEST(a_record_without_lists_is_its_row)
{
    struct wire_life life = supply_of(1, NULL, NULL, 0);
    ck_assert_uint_eq(wire_life_rows(&life), 1);
    struct wire_life row = wire_life_row(&life, 0);
    ck_assert(qkd_id_eq(&row.id, &life.id) && row.key_length == 256);
}
END_TEST

START_TEST(odd_lists_have_no_rows)
{
    static const uint8_t then[4] = {WIRE_ACTION_DELETION};
    static uint8_t ids[256 * 16];
    struct wire_life life = supply_of(2, ids, NULL, 0);
    life.more_ids.len = 15; /* an ID is 16 bytes */
    ck_assert_uint_eq(wire_life_rows(&life), 0);
    life.more_ids.len = 255 * 16;
    ck_assert_uint_eq(wire_life_rows(&life), 256);
    life.more_ids.len = 256 * 16;
    ck_assert_uint_eq(wire_life_rows(&life), 0);
    life = supply_of(1, NULL, then, 3);
    ck_assert_uint_eq(wire_life_rows(&life), 4);
    life = supply_of(1, NULL, then, 4);
    ck_assert_uint_eq(wire_life_rows(&life), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_life");
    TCase *tests = tcase_create("life");
    tcase_add_test(tests, a_row_for_each_key_and_action);
    tcase_add_test(tests, a_record_without_lists_is_its_row);
    tcase_add_test(tests, odd_lists_have_no_rows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
