/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base/id and err: text forms (RFC 9562 clause 4 gives the UUID layout and its example), names
 * as the standards print them, element identities. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/id.h"
#include "tests/lib/hex.h"

START_TEST(id_text)
{
    static const char text[] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    struct qkd_id id;
    uint8_t want[16];
    char back[37];
    hex_bytes("f81d4fae7dec11d0a76500a0c91e6bf6", want, sizeof want);
    ck_assert(qkd_id_parse(text, &id));
    ck_assert_mem_eq(id.b, want, 16);
    qkd_id_format(&id, back);
    ck_assert_str_eq(back, text);
    ck_assert(qkd_id_parse("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", &id));
    ck_assert_mem_eq(id.b, want, 16);
    ck_assert(!qkd_id_is_zero(&id));
    ck_assert(qkd_id_is_zero(&(struct qkd_id){{0}}));
}
END_TEST

START_TEST(id_malformed)
{
    static const char *const bad[] = {
        "",
        "f81d4fae",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6a",
        "f81d4fae7dec-11d0-a765-00a0c91e6bf6",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bg6",
        "f81d4fae-7dec-11d0-a765000-a0c91e6bf6",
        " 81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "-f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    };
    struct qkd_id id = {{9}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!qkd_id_parse(bad[i], &id), "accepted \"%s\"", bad[i]);
    }
    ck_assert_uint_eq(id.b[0], 9);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(qkd_rp_name(QKD_RP_AK), "Ak");
    ck_assert_str_eq(qkd_rp_name(QKD_RP_KX1), "Kx-1");
    ck_assert_str_eq(qkd_rp_name(QKD_RP_COPS), "Cops");
    ck_assert_str_eq(qkd_rp_name(QKD_RP_MU), "Mu");
    ck_assert_str_eq(qkd_rp_name(QKD_RP_KMI), "KMI");
    ck_assert_str_eq(qkd_rp_name((enum qkd_rp)99), "unknown");
    ck_assert_str_eq(qkd_role_name(QKD_ROLE_KMA), "KMA");
    ck_assert_str_eq(qkd_role_name(QKD_ROLE_LOAD), "load");
    ck_assert_str_eq(qkd_role_name((enum qkd_role)200), "unknown");
    for (int rp = 0; rp < QKD_RP_COUNT; rp++) {
        ck_assert_str_ne(qkd_rp_name((enum qkd_rp)rp), "unknown");
    }
    ck_assert_str_eq(qkd_err_text(0), "success");
    ck_assert_str_eq(qkd_err_text(QKD_ERR_REPLAY), "replayed or out of the window");
    ck_assert_str_eq(qkd_err_text(-999), "unknown error");
}
END_TEST

START_TEST(element_ids)
{
    struct qkd_eid e = qkd_eid_make(QKD_ROLE_APP, 0xabcdef, 0xfedcba98);
    ck_assert_int_eq(qkd_eid_role(e), QKD_ROLE_APP);
    ck_assert_uint_eq(qkd_eid_instance(e), 0xabcdef);
    ck_assert_uint_eq(qkd_eid_node(e), 0xfedcba98);
    struct qkd_eid s = qkd_eid_sibling(e, QKD_ROLE_KSA);
    ck_assert(qkd_eid_eq(s, qkd_eid_make(QKD_ROLE_KSA, 0, 0xfedcba98)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_id");
    TCase *tests = tcase_create("id");
    tcase_add_test(tests, id_text);
    tcase_add_test(tests, id_malformed);
    tcase_add_test(tests, names);
    tcase_add_test(tests, element_ids);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
