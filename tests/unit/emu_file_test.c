/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/base/file: whole files, their limits, and who else may read them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/file.h"

static char path[64];
static struct emu_file file;
static struct emu_why why;

static void setup(void)
{
    strcpy(path, "/tmp/qkdn_file_XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "a\0bc\n", 5), 5);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

static int read_by(const char *secret, size_t most)
{
    const struct emu_file_rule rule = {secret, most};
    return emu_file_read(path, &rule, &file, &why);
}

START_TEST(whole)
{
    ck_assert_int_eq(read_by(NULL, 5), 0);
    ck_assert_uint_eq(file.len, 5);
    ck_assert_mem_eq(file.bytes, "a\0bc\n", 6); /* with the 0 behind it */
    emu_file_wipe(&file);
    ck_assert(file.bytes == NULL && file.len == 0);
    emu_file_wipe(&file);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_int_eq(read_by(NULL, 0), 0);
    ck_assert(file.len == 0 && file.bytes[0] == 0);
    emu_file_wipe(&file);
}
END_TEST

START_TEST(too_long)
{
    ck_assert_int_eq(read_by(NULL, 4), QKD_ERR_RANGE);
    ck_assert_ptr_nonnull(strstr(why.text, "is longer than 4 bytes"));
    ck_assert(file.bytes == NULL && file.len == 0);
}
END_TEST

START_TEST(open_to_others)
{
    for (mode_t bit = 1; bit <= 0040; bit <<= 1) {
        ck_assert_int_eq(chmod(path, 0600 | bit), 0);
        ck_assert_int_eq(read_by("a thing", 9), QKD_ERR_DENIED);
        ck_assert_ptr_nonnull(strstr(why.text, ": a thing must be closed to group and others"));
        ck_assert_int_eq(read_by(NULL, 9), 0);
        emu_file_wipe(&file);
    }
    ck_assert_int_eq(chmod(path, 0400), 0);
    ck_assert_int_eq(read_by("a thing", 9), 0);
    emu_file_wipe(&file);
}
END_TEST

START_TEST(no_files)
{
    const struct emu_file_rule rule = {NULL, 9};
    ck_assert_int_eq(emu_file_read("/tmp/no/such", &rule, &file, &why), QKD_ERR_UNKNOWN);
    ck_assert_int_eq(emu_file_read("/tmp", &rule, &file, &why), QKD_ERR_IO);
    ck_assert_int_eq(emu_file_read("/dev/null", &rule, &file, &why), QKD_ERR_IO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_file");
    TCase *tcase = tcase_create("emu_file");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, whole);
    tcase_add_test(tcase, too_long);
    tcase_add_test(tcase, open_to_others);
    tcase_add_test(tcase, no_files);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
