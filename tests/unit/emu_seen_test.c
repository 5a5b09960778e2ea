/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often a store was opened, beside it (emu/store/seen.h): written and read, damaged, no place for it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/store/seen.h"

static char folder[40], store[64], beside[64];

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_emu_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(store, sizeof store, "%s/keys.db", folder);
    (void)snprintf(beside, sizeof beside, "%s/opened.keys.db", folder);
}

static void teardown(void)
{
    (void)unlink(beside);
    (void)rmdir(folder);
}

START_TEST(written_and_read)
{
    static const uint32_t counts[] = {1, 2, 4711, UINT32_MAX};
    uint32_t count = 99;
    ck_assert_int_eq(emu_seen_get(store, &count, NULL), 0);
    ck_assert_uint_eq(count, 0);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ck_assert_int_eq(emu_seen_put(store, counts[i], NULL), 0);
        ck_assert_int_eq(emu_seen_get(store, &count, NULL), 0);
        ck_assert_uint_eq(count, counts[i]);
    }
    ck_assert_int_eq(access(store, F_OK), -1); /* the store itself is not touched */
    (void)snprintf(store, sizeof store, "%s/none/keys.db", folder);
    ck_assert_int_eq(emu_seen_put(store, 1, NULL), QKD_ERR_IO);
}
END_TEST

START_TEST(a_name_without_a_folder)
{
    uint32_t count = 0;
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(emu_seen_put("keys.db", 3, NULL), 0);
    ck_assert_int_eq(emu_seen_get(store, &count, NULL), 0);
    ck_assert_uint_eq(count, 3);
}
END_TEST

/* What is no number is refused, not taken for "never": the store might be an older copy. */
START_TEST(damaged)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "0\n",
                                        "-1\n",
                                        "+1\n",
                                        " 1\n",
                                        "1",
                                        "1\n\n",
                                        "1x\n",
                                        "4294967296\n",
                                        "00000000000000000000000000000000000001\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct emu_why why = {""};
        uint32_t count = 99;
        FILE *file = fopen(beside, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(texts[i], file), 0);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_int_eq(emu_seen_get(store, &count, &why), QKD_ERR_FORMAT);
        ck_assert_uint_eq(count, 0);
        ck_assert_ptr_nonnull(strstr(why.text, "opened.keys.db"));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emu_seen");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, written_and_read);
    tcase_add_test(c, a_name_without_a_folder);
    tcase_add_test(c, damaged);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
