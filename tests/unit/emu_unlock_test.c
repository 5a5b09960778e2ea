/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/unlock: where a secret comes from, what is refused, and that the environment forgets it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/store/unlock.h"

static char path[40];

static void write_file(const char *text, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void setup(void)
{
    strcpy(path, "/tmp/qkdn_unlock_XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

START_TEST(from_file)
{
    struct emu_unlock unlock;
    struct emu_why why;
    char long_text[EMU_UNLOCK_MAX + 3];
    memset(long_text, 'z', sizeof long_text);
    write_file("sixteen bytes !!\n", 17, 0600);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), 0);
    ck_assert_uint_eq(unlock.len, 16);
    ck_assert_mem_eq(unlock.bytes, "sixteen bytes !!", 16);
    emu_unlock_wipe(&unlock);
    ck_assert_uint_eq(unlock.len, 0);
    ck_assert_uint_eq(unlock.bytes[0], 0);
    write_file("\0binary\n\nis kept too\n\n", 22, 0400);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), 0);
    ck_assert_uint_eq(unlock.len, 21); /* one line end is cut, not two */
    chmod(path, 0600);
    write_file("fifteen bytes !\n", 16, 0600);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), QKD_ERR_RANGE);
    write_file(long_text, EMU_UNLOCK_MAX, 0600);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), 0);
    write_file(long_text, EMU_UNLOCK_MAX + 1, 0600);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), QKD_ERR_RANGE);
    write_file(long_text, EMU_UNLOCK_MAX + 3, 0600);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), QKD_ERR_RANGE);
    ck_assert_uint_eq(unlock.len, 0);
    write_file("sixteen bytes !!\n", 17, 0640);
    ck_assert_int_eq(emu_unlock_read(&unlock, path, NULL, &why), QKD_ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(why.text, "chmod 600"));
    ck_assert_int_eq(emu_unlock_read(&unlock, "/tmp", NULL, &why), QKD_ERR_IO);
    ck_assert_int_eq(emu_unlock_read(&unlock, "/tmp/no/such", NULL, &why), QKD_ERR_UNKNOWN);
}
END_TEST

START_TEST(from_environment)
{
    struct emu_unlock unlock;
    struct emu_why why;
    ck_assert_int_eq(setenv("QKDN_TEST_UNLOCK", "twenty bytes of text", 1), 0);
    const char *place = getenv("QKDN_TEST_UNLOCK");
    ck_assert_int_eq(emu_unlock_read(&unlock, NULL, "QKDN_TEST_UNLOCK", &why), 0);
    ck_assert_uint_eq(unlock.len, 20);
    ck_assert_mem_eq(unlock.bytes, "twenty bytes of text", 20);
    ck_assert_ptr_null(getenv("QKDN_TEST_UNLOCK"));
    ck_assert_uint_eq((unsigned char)place[0], 0);
    ck_assert_int_eq(emu_unlock_read(&unlock, NULL, "QKDN_TEST_UNLOCK", &why), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(why.text, "QKDN_TEST_UNLOCK"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_unlock");
    TCase *tcase = tcase_create("emu_unlock");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, from_file);
    tcase_add_test(tcase, from_environment);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
