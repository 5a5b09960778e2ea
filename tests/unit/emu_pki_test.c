/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Test certificates (emu/net/pki.h), the names in them (emu/net/identity.h), addresses (emu/base/address.h). What a
 * certificate may be used for is judged by OpenSSL's own verification; the %XX texts are by hand after
 * RFC 8141 (pchar of RFC 3986). */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/net/identity.h"
#include "emu/net/pki.h"

static char folder[64];
static struct emu_pki pki;
static struct emu_why why;

static const struct emu_pki_subject ca = {.kind = EMU_PKI_CA};

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/qkdn_pki_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    pki = (struct emu_pki){.folder = folder};
}

static void teardown(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static X509 *load(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    ck_assert_ptr_nonnull(certificate);
    return certificate;
}

static X509 *make(const struct emu_pki_subject *subject)
{
    struct emu_pki_files files;
    ck_assert_msg(emu_pki_make(&pki, subject, &why) == QKD_OK, "%s", why.text);
    ck_assert_int_eq(emu_pki_files(folder, subject, &files, &why), QKD_OK);
    return load(files.certificate);
}

/* Whether the folder's CA vouches for it, for this use (0: X509_V_OK). */
static int verify(X509 *certificate, int purpose)
{
    char path[96];
    snprintf(path, sizeof path, "%s/ca.crt", folder);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    ck_assert_int_eq(X509_STORE_load_file(store, path), 1);
    ck_assert_int_eq(X509_STORE_CTX_init(ctx, store, certificate, NULL), 1);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    (void)X509_verify_cert(ctx);
    int result = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return result;
}

START_TEST(daemon_certificate)
{
    const char *const hosts[] = {"km-a.example", "192.0.2.7", "2001:db8::7"};
    const struct emu_pki_subject subject = {EMU_PKI_DAEMON, "kmd.A", hosts, 3};
    char name[EMU_IDENTITY_SIZE];
    X509_free(make(&ca));
    X509 *certificate = make(&subject);
    ck_assert_int_eq(verify(certificate, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    ck_assert_int_eq(verify(certificate, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    ck_assert_int_eq(X509_check_host(certificate, "km-a.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(certificate, "km-b.example", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "192.0.2.7", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "2001:db8:0::7", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "192.0.2.8", 0), 0);
    ck_assert_int_eq(X509_check_ca(certificate), 0);
    ck_assert_int_eq(emu_identity_get(certificate, &emu_identity_daemon, name), QKD_OK);
    ck_assert_str_eq(name, "kmd.A");
    ck_assert_int_eq(emu_identity_get(certificate, &emu_identity_sae, name), QKD_ERR_DENIED);
    X509_free(certificate);
}
END_TEST

START_TEST(sae_certificate)
{
    const struct emu_pki_subject subject = {.kind = EMU_PKI_SAE, .name = "b/\xC3\xB6 b%"};
    struct emu_pki_files files;
    char name[EMU_IDENTITY_SIZE];
    char uri[EMU_URI_SIZE];
    X509_free(make(&ca));
    X509 *certificate = make(&subject);
    ck_assert_int_eq(verify(certificate, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    ck_assert_int_ne(verify(certificate, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    emu_identity_uri(&emu_identity_sae, subject.name, uri);
    ck_assert_str_eq(uri, "urn:qkdn:sae:b/%C3%B6%20b%25");
    ck_assert_int_eq(emu_identity_get(certificate, &emu_identity_sae, name), QKD_OK);
    ck_assert_str_eq(name, subject.name);
    ck_assert_int_eq(emu_identity_get(certificate, &emu_identity_daemon, name), QKD_ERR_DENIED);
    /* By its CN, too, and as DER. */
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    const struct emu_identity_rule by_cn = {"urn:qkdn:sae:", EMU_IDENTITY_CN};
    ck_assert_int_eq(emu_identity_get_der(der, (size_t)len, &by_cn, name), QKD_OK);
    ck_assert_str_eq(name, subject.name);
    ck_assert_int_eq(emu_identity_get_der(der, (size_t)len / 2, &by_cn, name), QKD_ERR_FORMAT);
    OPENSSL_free(der);
    X509_free(certificate);
    ck_assert_int_eq(emu_pki_files(folder, &subject, &files, &why), QKD_OK);
    ck_assert_str_eq(strrchr(files.key, '/'), "/sae.b%2F%C3%B6%20b%25.key");
}
END_TEST

/* A certificate with these URIs and this CN, signed by nobody. */
static X509 *crafted(const char *const *uris, const char *cn)
{
    X509 *certificate = X509_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (; *uris != NULL; uris++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        ck_assert_int_eq(ASN1_STRING_set(text, *uris, -1), 1);
        GENERAL_NAME_set0_value(name, GEN_URI, text);
        ck_assert_int_gt(sk_GENERAL_NAME_push(names, name), 0);
    }
    ck_assert_int_eq(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
                                                MBSTRING_UTF8, (const unsigned char *)cn, -1, -1,
                                                0),
                     1);
    return certificate;
}

START_TEST(names_that_are_none)
{
    static const struct {
        const char *uris[3];
        const char *cn, *name; /* NULL: denied */
    } cases[] = {
        {{"urn:qkdn:daemon:kmd.A"}, "x", "kmd.A"},
        {{"https://example.org", "urn:qkdn:daemon:kmd.A"}, "x", "kmd.A"},
        {{"urn:qkdn:daemon:kmd%2eA"}, "x", "kmd.A"},
        {{"https://example.org"}, "kmd.A", NULL}, /* no URI of ours: a CN makes no daemon */
        {{"urn:qkdn:sae:alice"}, "kmd.A", NULL},  /* an SAE whose CN is a daemon's name */
        {{"urn:qkdn:daemon:a", "urn:qkdn:daemon:b"}, "a", NULL},
        {{"urn:qkdn:daemon:a", "urn:qkdn:sae:a"}, "a", NULL},
        {{"urn:qkdn:daemon:"}, "a", NULL},
        {{"urn:qkdn:daemon:a%00"}, "a", NULL},
        {{"urn:qkdn:daemon:a%0a"}, "a", NULL},
        {{"urn:qkdn:daemon:a%4"}, "a", NULL},
        {{"urn:qkdn:daemon:a%zz"}, "a", NULL},
        {{"urn:qkdn:daemon:a%ff"}, "a", NULL},
        {{"urn:qkdn:daemon:0123456789012345678901234567890123456789012345678901234567890123x"},
         "a",
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[EMU_IDENTITY_SIZE] = "";
        X509 *certificate = crafted(cases[i].uris, cases[i].cn);
        int err = emu_identity_get(certificate, &emu_identity_daemon, name);
        ck_assert_msg(err == (cases[i].name != NULL ? QKD_OK : QKD_ERR_DENIED), "%s",
                      cases[i].uris[0]);
        if (err == QKD_OK) {
            ck_assert_str_eq(name, cases[i].name);
        }
        X509_free(certificate);
    }
    ck_assert(!emu_identity_valid(""));
    ck_assert(!emu_identity_valid("a\x7f"));
    ck_assert(!emu_identity_valid("\xC3"));
    ck_assert(!emu_identity_valid("\xC2\x85"));
}
END_TEST

/* A daemon is no SAE and an SAE is no daemon, wherever an SAE's name is looked for. */
START_TEST(one_family_only)
{
    static const struct {
        const char *uris[3];
        const char *by_either, *by_uri, *by_cn; /* the SAE; NULL: denied */
    } cases[] = {
        {{"urn:qkdn:daemon:kmd.A"}, NULL, NULL, NULL},
        {{"urn:qkdn:daemon:kmd.A", "urn:qkdn:sae:alice"}, NULL, NULL, NULL},
        {{"urn:qkdn:sae:alice", "urn:qkdn:other:x"}, NULL, NULL, NULL},
        {{"urn:qkdn:sae:alice"}, "alice", "alice", "kmd.A"},
        {{"https://example.org"}, "kmd.A", NULL, "kmd.A"}, /* of other makers */
        {{NULL}, "kmd.A", NULL, "kmd.A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const want[] = {cases[i].by_either, cases[i].by_uri, cases[i].by_cn};
        static const enum emu_identity_field fields[] = {EMU_IDENTITY_URI_OR_CN, EMU_IDENTITY_URI,
                                                         EMU_IDENTITY_CN};
        X509 *certificate = crafted(cases[i].uris, "kmd.A");
        for (size_t k = 0; k < 3; k++) {
            const struct emu_identity_rule rule = {emu_identity_sae.prefix, fields[k]};
            char name[EMU_IDENTITY_SIZE] = "";
            int err = emu_identity_get(certificate, &rule, name);
            ck_assert_msg(err == (want[k] != NULL ? QKD_OK : QKD_ERR_DENIED), "%zu %zu", i, k);
            if (err == QKD_OK) {
                ck_assert_str_eq(name, want[k]);
            }
        }
        X509_free(certificate);
    }
}
END_TEST

static void slurp(const char *path, char bytes[4096])
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    bytes[fread(bytes, 1, 4095, file)] = '\0';
    (void)fclose(file);
}

START_TEST(files_are_kept)
{
    const struct emu_pki_subject subject = {.kind = EMU_PKI_DAEMON, .name = "kmd.A"};
    const struct emu_pki_subject second = {.kind = EMU_PKI_DAEMON, .name = "kmd.B"};
    struct emu_pki_files files;
    struct stat st;
    char before[4096], after[4096];
    (void)umask(0);
    ck_assert_int_eq(emu_pki_make(&pki, &subject, &why), QKD_ERR_UNKNOWN); /* no CA yet */
    X509_free(make(&ca));
    X509_free(make(&subject));
    ck_assert_int_eq(emu_pki_files(folder, &subject, &files, &why), QKD_OK);
    ck_assert_int_eq(stat(files.key, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    slurp(files.key, before);
    ck_assert_int_eq(emu_pki_make(&pki, &subject, &why), QKD_ERR_EXISTS);
    ck_assert_int_eq(emu_pki_check(&pki, &ca, &why), QKD_ERR_EXISTS);
    slurp(files.key, after);
    ck_assert_str_eq(before, after);
    pki.force = true;
    X509_free(make(&subject));
    slurp(files.key, after);
    ck_assert_str_ne(before, after);
    ck_assert_int_eq(stat(files.key, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    /* Only one of the two can be written: neither is there. A folder is no place for a file. */
    pki.force = false;
    ck_assert_int_eq(emu_pki_files(folder, &second, &files, &why), QKD_OK);
    char partial[EMU_PKI_PATH_SIZE + 16];
    snprintf(partial, sizeof partial, "%s.partial", files.certificate);
    ck_assert_int_eq(mkdir(partial, 0700), 0);
    ck_assert_int_eq(emu_pki_make(&pki, &second, &why), QKD_ERR_IO);
    ck_assert_int_ne(stat(files.key, &st), 0);
    ck_assert_int_ne(stat(files.certificate, &st), 0);
    pki.force = true;
    ck_assert_int_eq(rmdir(partial), 0);
    ck_assert_int_eq(mkdir(files.key, 0700), 0);
    ck_assert_int_eq(emu_pki_make(&pki, &second, &why), QKD_ERR_INVALID);
}
END_TEST

START_TEST(subjects_that_are_none)
{
    const char *const hosts[] = {"a,DNS:b"};
    const struct emu_pki_subject cases[] = {
        {.kind = EMU_PKI_DAEMON, .name = "ca"},
        {.kind = EMU_PKI_DAEMON, .name = "sae.alice"},
        {.kind = EMU_PKI_DAEMON, .name = ""},
        {.kind = EMU_PKI_SAE, .name = "a\nb"},
        {.kind = EMU_PKI_SAE,
         .name = "0123456789012345678901234567890123456789012345678901234567890123x"},
        {EMU_PKI_DAEMON, "a", hosts, 1},
    };
    X509_free(make(&ca));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(emu_pki_make(&pki, &cases[i], &why), QKD_ERR_INVALID);
    }
    /* A CA that is none. */
    char path[96];
    const struct emu_pki_subject good = {.kind = EMU_PKI_SAE, .name = "a"};
    snprintf(path, sizeof path, "%s/ca.key", folder);
    int fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_int_eq(emu_pki_make(&pki, &good, &why), QKD_ERR_INVALID);
}
END_TEST

START_TEST(addresses)
{
    static const struct {
        const char *text, *host, *port; /* host NULL: none */
    } cases[] = {
        {"127.0.0.1:7000", "127.0.0.1", "7000"},
        {"[2001:db8::1]:1", "2001:db8::1", "1"},
        {"km-a.example:65535", "km-a.example", "65535"},
        {":0", "", "0"},
        {"127.0.0.1", NULL, NULL},
        {"2001:db8::1:1", NULL, NULL},
        {"[::1]1", NULL, NULL},
        {"[::1:80", NULL, NULL},
        {"a:65536", NULL, NULL},
        {"a:", NULL, NULL},
        {"a:-1", NULL, NULL},
        {"a:8x", NULL, NULL},
        {"a:000080", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct emu_address address;
        int err = emu_address_parse(cases[i].text, &address, &why);
        ck_assert_msg((err == QKD_OK) == (cases[i].host != NULL), "%s", cases[i].text);
        if (err == QKD_OK) {
            ck_assert_str_eq(address.host, cases[i].host);
            ck_assert_str_eq(address.port, cases[i].port);
        } else {
            ck_assert_int_eq(err, QKD_ERR_INVALID);
        }
    }
    int first, second;
    char text[32];
    ck_assert_int_eq(emu_listen("127.0.0.1:0", &first, &why), QKD_OK);
    snprintf(text, sizeof text, "127.0.0.1:%u", emu_port_of(first));
    ck_assert_int_eq(emu_listen(text, &second, &why), QKD_ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(why.text, text));
    (void)close(first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_pki");
    TCase *tcase = tcase_create("emu_pki");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, daemon_certificate);
    tcase_add_test(tcase, sae_certificate);
    tcase_add_test(tcase, names_that_are_none);
    tcase_add_test(tcase, one_family_only);
    tcase_add_test(tcase, files_are_kept);
    tcase_add_test(tcase, subjects_that_are_none);
    tcase_add_test(tcase, addresses);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
