/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key synchronization items (core/km/sync.h), the one mechanism of Kx-1 and Kx-2: D23-RP-06. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/sync.h"

static struct wire_sync_item item(uint8_t id, uint32_t length, uint8_t digest)
{
    struct wire_sync_item made = {.length = length};
    memset(made.id.b, id, sizeof made.id.b);
    memset(made.digest.b, digest, sizeof made.digest.b);
    return made;
}

/* The bytes, by the layout of core/wire/messages.h: length 44, no optional field, ID, u32, digest. */
START_TEST(bytes_of_an_item)
{
    uint8_t bytes[KM_SYNC_LEN], expected[44] = {0, 0, 0, 44, 0, 0, 0, 0};
    memset(expected + 8, 0xab, 16);
    memcpy(expected + 24, (const uint8_t[]){0x00, 0x01, 0x02, 0x03}, 4);
    memset(expected + 28, 0x5c, 16);
    struct wire_sync_item own = item(0xab, 0x00010203, 0x5c);
    struct wire_bytes view = km_sync_build(&own, bytes);
    ck_assert_ptr_eq(view.at, bytes);
    ck_assert_uint_eq(view.len, 44);
    ck_assert_mem_eq(bytes, expected, 44);
    struct wire_sync_item read;
    ck_assert_int_eq(km_sync_read(view, &read), QKD_OK);
    ck_assert_int_eq(km_sync_judge(&own, &read), KM_SYNC_MATCH);
}
END_TEST

START_TEST(reads_exactly_one)
{
    uint8_t bytes[2 * KM_SYNC_LEN];
    struct wire_sync_item own = item(1, 2, 3), read;
    (void)km_sync_build(&own, bytes);
    (void)km_sync_build(&own, bytes + KM_SYNC_LEN);
    for (size_t len = 0; len < KM_SYNC_LEN; len++) {
        ck_assert_int_lt(km_sync_read((struct wire_bytes){bytes, len}, &read), 0);
    }
    ck_assert_int_eq(km_sync_read((struct wire_bytes){bytes, KM_SYNC_LEN}, &read), QKD_OK);
    ck_assert_int_eq(km_sync_read((struct wire_bytes){bytes, KM_SYNC_LEN + 1}, &read),
                     QKD_ERR_FORMAT);
    ck_assert_int_eq(km_sync_read((struct wire_bytes){bytes, sizeof bytes}, &read), QKD_ERR_FORMAT);
}
END_TEST

/* Every single bit of ID, length and digest counts. */
START_TEST(judges_every_bit)
{
    struct wire_sync_item own = item(1, 4096, 3);
    ck_assert_int_eq(km_sync_judge(NULL, &own), KM_SYNC_UNKNOWN);
    for (unsigned bit = 0; bit < 128; bit++) {
        struct wire_sync_item other = own;
        other.id.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_eq(km_sync_judge(&own, &other), KM_SYNC_UNKNOWN);
        other = own;
        other.digest.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_eq(km_sync_judge(&own, &other), KM_SYNC_MISMATCH);
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        struct wire_sync_item other = own;
        other.length ^= UINT32_C(1) << bit;
        ck_assert_int_eq(km_sync_judge(&own, &other), KM_SYNC_MISMATCH);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sync");
    TCase *c = tcase_create("items");
    tcase_add_test(c, bytes_of_an_item);
    tcase_add_test(c, reads_exactly_one);
    tcase_add_test(c, judges_every_bit);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
