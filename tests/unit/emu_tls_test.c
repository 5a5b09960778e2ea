/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS 1.3 over bytes in memory (emu/net/tls.h): two sessions, and what lies between them is the test's. Sizes
 * of records are those of RFC 8446, 5.2: head 5, content type 1, tag 16. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/err.h"
#include "emu/net/tls.h"
#include "tests/lib/emu_rig.h"

static struct emu_tls_context *contexts[2];
static struct emu_tls *ends[2]; /* client, server */
static struct emu_bytes wire;

static void setup(void)
{
    char ca[128], certificate[128], key[128];
    struct emu_why why = {""};
    for (int i = 0; i < 2; i++) {
        snprintf(ca, sizeof ca, "%s/ca.crt", rig_folder());
        snprintf(certificate, sizeof certificate, "%s/n%d.crt", rig_folder(), i);
        snprintf(key, sizeof key, "%s/n%d.key", rig_folder(), i);
        const struct emu_tls_files files = {ca, certificate, key, false};
        ck_assert_msg(emu_tls_context_new(&files, &contexts[i], &why) == QKD_OK, "%s", why.text);
        ends[i] = emu_tls_new(contexts[i], i == 1);
        ck_assert_ptr_nonnull(ends[i]);
    }
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        emu_tls_free(ends[i]);
        emu_tls_context_free(contexts[i]);
    }
    emu_bytes_fini(&wire);
}

/* Carries what `from` has to say to the other, `step` bytes at a time; what came out at the other is put
 * into `plain`. The last result of reading. */
static int carry(int from, size_t step, struct emu_bytes *plain)
{
    int n = QKD_ERR_AGAIN;
    emu_tls_take_out(ends[from], &wire);
    for (size_t at = wire.head; at < wire.tail && n == QKD_ERR_AGAIN; at += step) {
        emu_tls_feed(ends[1 - from], wire.at + at, wire.tail - at < step ? wire.tail - at : step);
        do {
            QKD_ASSERT(emu_bytes_reserve(plain, 16384) == QKD_OK);
            n = emu_tls_read(ends[1 - from], plain->at + plain->tail, plain->size - plain->tail);
            plain->tail += n > 0 ? (size_t)n : 0;
        } while (n > 0);
    }
    emu_bytes_drop(&wire, wire.tail - wire.head);
    return n;
}

static void shake(size_t step)
{
    struct emu_bytes none = {0};
    uint8_t byte;
    ck_assert_int_eq(emu_tls_read(ends[0], &byte, 1), QKD_ERR_AGAIN); /* the client begins */
    for (int i = 0; i < 6 && !(emu_tls_ready(ends[0]) && emu_tls_ready(ends[1])); i++) {
        ck_assert_int_eq(carry(i % 2, step, &none), QKD_ERR_AGAIN);
    }
    ck_assert(emu_tls_ready(ends[0]) && emu_tls_ready(ends[1]));
    ck_assert_uint_eq(none.tail, 0);
    emu_bytes_fini(&none);
}

START_TEST(in_pieces)
{
    static const size_t steps[] = {1, 7, 100000};
    static uint8_t bytes[100000];
    char name[EMU_IDENTITY_SIZE];
    shake(steps[_i]);
    ck_assert_int_eq(emu_tls_peer_name(ends[0], name), QKD_OK);
    ck_assert_str_eq(name, "n1");
    ck_assert_int_eq(emu_tls_peer_name(ends[1], name), QKD_OK);
    ck_assert_str_eq(name, "n0");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    }
    for (int from = 0; from < 2; from++) {
        struct emu_bytes plain = {0};
        ck_assert_int_eq(emu_tls_write(ends[from], bytes, sizeof bytes), QKD_OK);
        ck_assert(emu_tls_has_out(ends[from]));
        ck_assert_int_eq(carry(from, steps[_i], &plain), QKD_ERR_AGAIN);
        ck_assert(!emu_tls_has_out(ends[from]));
        ck_assert_uint_eq(plain.tail, sizeof bytes);
        ck_assert_mem_eq(plain.at, bytes, sizeof bytes);
        emu_bytes_fini(&plain);
    }
}
END_TEST

/* After 2^20 records another key is taken: one KeyUpdate (5 bytes) is sent, and all still opens. */
START_TEST(keys_change)
{
    enum { RECORDS = (1 << 20) + 5, TOGETHER = 1 << 14 };
    struct emu_bytes plain = {0};
    uint8_t byte = 42;
    uint64_t sealed = 0;
    shake(100000);
    for (int sent = 0; sent < RECORDS;) {
        for (int i = 0; i < TOGETHER && sent < RECORDS; i++, sent++) {
            ck_assert_int_eq(emu_tls_write(ends[0], &byte, 1), QKD_OK);
        }
        struct emu_bytes out = {0};
        emu_tls_take_out(ends[0], &out);
        sealed += out.tail;
        emu_tls_feed(ends[1], out.at, out.tail);
        int n;
        do {
            QKD_ASSERT(emu_bytes_reserve(&plain, 16384) == QKD_OK);
            n = emu_tls_read(ends[1], plain.at + plain.tail, plain.size - plain.tail);
            plain.tail += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        ck_assert_int_eq(n, QKD_ERR_AGAIN);
        emu_bytes_fini(&out);
    }
    ck_assert_uint_eq(plain.tail, RECORDS);
    ck_assert_uint_eq(sealed, (uint64_t)RECORDS * (5 + 1 + 1 + 16) + (5 + 5 + 1 + 16));
    emu_bytes_fini(&plain);
}
END_TEST

/* Any bit changed on the way ends the session. */
START_TEST(changed_on_the_way)
{
    uint8_t bytes[64] = "secret";
    shake(100000);
    ck_assert_int_eq(emu_tls_write(ends[0], bytes, sizeof bytes), QKD_OK);
    emu_tls_take_out(ends[0], &wire);
    ck_assert_uint_eq(wire.tail, sizeof bytes + 22);
    wire.at[5 + (size_t)_i * 8] ^= (uint8_t)(1 << _i % 8);
    emu_tls_feed(ends[1], wire.at, wire.tail);
    ck_assert_int_eq(emu_tls_read(ends[1], bytes, sizeof bytes), QKD_ERR_FORMAT);
    ck_assert_str_ne(emu_tls_error(ends[1]), "");
}
END_TEST

START_TEST(good_bye)
{
    struct emu_bytes none = {0};
    shake(100000);
    emu_tls_close(ends[0]);
    ck_assert_int_eq(carry(0, 100000, &none), QKD_ERR_STATE);
    emu_bytes_fini(&none);
}
END_TEST

START_TEST(files_that_are_none)
{
    char ca[128], certificate[128], key[128], wrong[128];
    struct emu_tls_context *context = NULL;
    struct emu_why why = {""};
    snprintf(ca, sizeof ca, "%s/ca.crt", rig_folder());
    snprintf(certificate, sizeof certificate, "%s/n0.crt", rig_folder());
    snprintf(key, sizeof key, "%s/n0.key", rig_folder());
    snprintf(wrong, sizeof wrong, "%s/n1.key", rig_folder());
    struct emu_tls_files files = {wrong, certificate, key, false};
    ck_assert_int_eq(emu_tls_context_new(&files, &context, &why), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "n1.key"));
    files = (struct emu_tls_files){ca, "/nowhere", key, false};
    ck_assert_int_eq(emu_tls_context_new(&files, &context, &why), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "/nowhere"));
    files = (struct emu_tls_files){ca, certificate, wrong, false};
    ck_assert_int_eq(emu_tls_context_new(&files, &context, &why), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "n1.key"));
    files = (struct emu_tls_files){ca, certificate, key, false};
    for (mode_t open = 1; open <= 0040; open <<= 1) { /* to anybody but the owner, in any way */
        ck_assert_int_eq(chmod(key, 0600 | open), 0);
        ck_assert_int_eq(emu_tls_context_new(&files, &context, &why), QKD_ERR_DENIED);
        ck_assert_ptr_nonnull(strstr(why.text, "n0.key: a private key must be closed"));
    }
    ck_assert_int_eq(chmod(key, 0400), 0);
    ck_assert_int_eq(emu_tls_context_new(&files, &context, &why), QKD_OK);
    emu_tls_context_free(context);
    context = NULL;
    snprintf(certificate, sizeof certificate, "%s/sae.n1.crt", rig_folder());
    snprintf(key, sizeof key, "%s/sae.n1.key", rig_folder());
    files = (struct emu_tls_files){ca, certificate, key, false};
    ck_assert_int_eq(emu_tls_context_new(&files, &context, &why), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "names no daemon"));
    ck_assert_ptr_null(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_tls");
    TCase *tcase = tcase_create("emu_tls");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, in_pieces, 0, 3);
    tcase_add_test(tcase, keys_change);
    tcase_add_loop_test(tcase, changed_on_the_way, 0, 10);
    tcase_add_test(tcase, good_bye);
    tcase_add_test(tcase, files_that_are_none);
    suite_add_tcase(suite, tcase);
    (void)rig_folder();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rig_folder_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
