/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairwise secrets (emu/deploy/secrets.h). Expected values come from Python's hmac module and from
 * `openssl enc -chacha20` (zero counter and nonce) on the texts that the header states. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/deploy/secrets.h"
#include "tests/lib/hex.h"

#define S1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define S2 "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char file[64];
static struct emu_secrets *secrets;
static struct emu_why why;

static void put(const char *text, mode_t mode)
{
    FILE *to = fopen(file, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
    ck_assert_int_eq(chmod(file, mode), 0);
}

static int load(const char *text)
{
    put(text, 0600);
    return emu_secrets_load(file, &secrets, &why);
}

static void setup(void)
{
    snprintf(file, sizeof file, "/tmp/qkdn_secrets_XXXXXX");
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void teardown(void)
{
    emu_secrets_free(secrets);
    secrets = NULL;
    ck_assert_int_eq(unlink(file), 0);
}

static const struct qkd_eid a = {0x0100000000000000},
                            b = {0x0100000000000001}; /* KMAs of nodes 0, 1 */

START_TEST(derived_values)
{
    ck_assert_int_eq(load("# of kmd.A\n\nkmd.B " S1 "\nkmd.A " S2 "\n"), 0);
    ck_assert_uint_eq(emu_secrets_count(secrets), 2);
    uint8_t got[80];
    uint8_t want[80];
    struct emu_secrets_ends ends = {QKD_RP_KX1, a, b};
    hex_bytes("2c1dc824d402480118f0a4a6afd03b943e28b086baff17c88fb0657b4faaab2a", want, 32);
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd.B", &ends, got), 0);
    ck_assert_mem_eq(got, want, 32);
    hex_bytes(
        "615c480eaaa22ae6de3cebd1ea77a8f696cafec9a6c5c2190a260b288374ceaa98aeaa0eb928792887a4c4be"
        "1b07bb9dc138fa03cfa9ba916aa44b56f76f2846c49806b0db92df6e7d7c100d9e4d0f59",
        want, 80);
    ck_assert_int_eq(emu_secrets_bootstrap(secrets, "kmd.B", "AB", got, 80), 0);
    ck_assert_mem_eq(got, want, 80);
}
END_TEST

START_TEST(both_ends_and_nobody_else)
{
    ck_assert_int_eq(load("kmd.B " S1 "\nkmd.C " S2), 0);
    uint8_t got[4][32];
    struct emu_secrets_ends here = {QKD_RP_KX1, a, b};
    struct emu_secrets_ends there = {QKD_RP_KX1, b, a};
    struct emu_secrets_ends other_rp = {QKD_RP_KX2, a, b};
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd.B", &here, got[0]), 0);
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd.B", &there, got[1]), 0);
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd.B", &other_rp, got[2]), 0);
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd.C", &here, got[3]), 0);
    ck_assert_mem_eq(got[0], got[1], 32);
    ck_assert_mem_ne(got[0], got[2], 32);
    ck_assert_mem_ne(got[0], got[3], 32);
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd.D", &here, got[0]), QKD_ERR_UNKNOWN);
    ck_assert_int_eq(emu_secrets_pair(secrets, "kmd", &here, got[0]), QKD_ERR_UNKNOWN);
    ck_assert_int_eq(emu_secrets_bootstrap(secrets, "ctld", "AB", got[0], 32), QKD_ERR_UNKNOWN);
}
END_TEST

START_TEST(many)
{
    static char text[200 * 80];
    size_t len = 0;
    for (int i = 0; i < 200; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "kmd.%d " S1 "\n", 199 - i);
    }
    ck_assert_int_eq(load(text), 0);
    ck_assert_uint_eq(emu_secrets_count(secrets), 200);
    uint8_t got[32];
    struct emu_secrets_ends ends = {QKD_RP_KX1, a, b};
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "kmd.%d", i);
        ck_assert_int_eq(emu_secrets_pair(secrets, name, &ends, got), 0);
    }
}
END_TEST

START_TEST(bad_files)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"kmd.B\n", ":1:1: expected the name of a daemon, a blank and a secret"},
        {" " S1 "\n", ":1:1: expected the name of a daemon, a blank and a secret"},
        {"kmd.A " S2 "\nkmd.B 00\n", ":2:7: expected 64 hexadecimal digits"},
        {"kmd.B  " S1 "\n", ":1:7: expected 64 hexadecimal digits"},
        {"kmd.B 0G" S1 "\n", ":1:7: expected 64 hexadecimal digits"},
        {"kmd.B " S1 "\nkmd.B " S2 "\n", ": two secrets of kmd.B"},
        {"kmd.B " S1 "\r\n", ":1:7: expected 64 hexadecimal digits"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s", file, rows[i].why);
        ck_assert_int_eq(load(rows[i].text), QKD_ERR_FORMAT);
        ck_assert_str_eq(why.text, text);
        ck_assert_ptr_null(secrets);
    }
    put("kmd.B " S1 "\n", 0640);
    ck_assert_int_eq(emu_secrets_load(file, &secrets, &why), QKD_ERR_DENIED);
    ck_assert_int_eq(emu_secrets_load("/nowhere/s", &secrets, &why), QKD_ERR_UNKNOWN);
    ck_assert_int_eq(emu_secrets_load("/dev/null", &secrets, &why), QKD_ERR_IO);
}
END_TEST

START_TEST(empty)
{
    ck_assert_int_eq(load(""), 0);
    ck_assert_uint_eq(emu_secrets_count(secrets), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("secrets");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, derived_values);
    tcase_add_test(tests, both_ends_and_nobody_else);
    tcase_add_test(tests, many);
    tcase_add_test(tests, bad_files);
    tcase_add_test(tests, empty);
    Suite *suite = suite_create("emu_secrets");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
