/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Test certificates, made with OpenSSL. */
#include "emu/net/pki.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "core/base/err.h"
#include "emu/net/identity.h"
#include "emu/net/pki_file.h"

#define CA_NAME "QKDN Lab test CA (not for production)"
#define HOUR_S 3600
#define HOST_SIZE 254 /* a host name with its final zero */

static int crypto_failed(struct emu_why *why, const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return emu_fail(why, QKD_ERR_CRYPTO, "%s: %s", what, text);
}

/* ---- names ---- */

/* Host names are not looked up: letters, digits, '-', '.', '_'; and '*' as the first label. */
static bool host_valid(const char *host)
{
    uint8_t address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return true;
    }
    size_t len = strlen(host);
    const char *rest = strncmp(host, "*.", 2) == 0 ? host + 2 : host;
    return len > 0 && len < HOST_SIZE && rest[0] != '\0' && rest[0] != '.' &&
           strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
               strlen(rest);
}

static int subject_check(const struct emu_pki_subject *subject, struct emu_why *why)
{
    const char *what = subject->kind == EMU_PKI_SAE ? "SAE ID" : "name";
    const char *name = subject->name;
    if (name == NULL && subject->kind == EMU_PKI_CA) {
        return QKD_OK;
    }
    if (name == NULL || !emu_identity_valid(name)) {
        return emu_fail(why, QKD_ERR_INVALID,
                        "%s '%.80s': expected 1 to %d bytes of UTF-8 without control characters",
                        what, name == NULL ? "" : name, EMU_IDENTITY_SIZE - 1);
    }
    if (subject->kind == EMU_PKI_DAEMON &&
        (strcmp(name, "ca") == 0 || strncmp(name, "sae.", 4) == 0)) {
        return emu_fail(
            why, QKD_ERR_INVALID,
            "daemon '%s': its files would be called as those of the CA or an SAE; choose "
            "another name",
            name);
    }
    for (size_t i = 0; i < subject->host_count; i++) {
        if (!host_valid(subject->hosts[i])) {
            return emu_fail(why, QKD_ERR_INVALID,
                            "host '%.80s': expected a host name or an IP address",
                            subject->hosts[i]);
        }
    }
    return QKD_OK;
}

/* A name as part of a file's: bytes with a meaning to shells or file systems become %XX. */
static void file_name(const char *name, char text[3 * EMU_IDENTITY_SIZE])
{
    size_t at = 0;
    for (const char *c = name; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-_:@+", *c) != NULL ||
                     (*c == '.' && c != name);
        if (plain) {
            text[at++] = *c;
        } else {
            snprintf(text + at, 4, "%%%02X", (unsigned)(unsigned char)*c);
            at += 3;
        }
    }
    text[at] = '\0';
}

int emu_pki_files(const char *folder, const struct emu_pki_subject *subject,
                  struct emu_pki_files *files, struct emu_why *why)
{
    char name[3 * EMU_IDENTITY_SIZE] = "ca";
    int err = subject_check(subject, why);
    if (err != QKD_OK) {
        return err;
    }
    if (subject->kind != EMU_PKI_CA) {
        file_name(subject->name, name);
    }
    const char *before = subject->kind == EMU_PKI_SAE ? "sae." : "";
    int len = snprintf(files->certificate, sizeof files->certificate, "%s/%s%s.crt", folder, before,
                       name);
    int key_len = snprintf(files->key, sizeof files->key, "%s/%s%s.key", folder, before, name);
    if (len < 0 || len >= EMU_PKI_PATH_SIZE || key_len < 0 || key_len >= EMU_PKI_PATH_SIZE) {
        return emu_fail(why, QKD_ERR_INVALID, "%.80s...: the name of the folder is too long",
                        folder);
    }
    return QKD_OK;
}

int emu_pki_check(const struct emu_pki *pki, const struct emu_pki_subject *subject,
                  struct emu_why *why)
{
    struct emu_pki_files files;
    int err = emu_pki_files(pki->folder, subject, &files, why);
    return err == QKD_OK ? emu_pki_pair_check(&files, pki->force, why) : err;
}

/* ---- the CA ---- */

/* Keys with a password are not ours; never ask a terminal for one. */
static int no_password(char *buffer, int size, int writing, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

/* Who signs. */
struct signer {
    X509 *certificate;
    EVP_PKEY *key;
};

static void signer_fini(struct signer *signer)
{
    X509_free(signer->certificate);
    EVP_PKEY_free(signer->key);
}

static int ca_read(const char *folder, struct signer *ca, struct emu_why *why)
{
    struct emu_pki_files files;
    const struct emu_pki_subject subject = {.kind = EMU_PKI_CA};
    int err = emu_pki_files(folder, &subject, &files, why);
    if (err != QKD_OK) {
        return err;
    }
    BIO *certificate = BIO_new_file(files.certificate, "r");
    BIO *key = BIO_new_file(files.key, "r");
    if (certificate == NULL || key == NULL) {
        err = emu_fail(why, QKD_ERR_UNKNOWN,
                       "%s: cannot be read: a CA must be made in this folder first",
                       certificate == NULL ? files.certificate : files.key);
    } else {
        ca->certificate = PEM_read_bio_X509(certificate, NULL, no_password, NULL);
        ca->key = PEM_read_bio_PrivateKey(key, NULL, no_password, NULL);
        if (ca->certificate == NULL || ca->key == NULL ||
            X509_check_private_key(ca->certificate, ca->key) != 1) {
            err = emu_fail(why, QKD_ERR_INVALID,
                           "%s and %s: expected a certificate and its key, PEM, without password",
                           files.certificate, files.key);
        }
    }
    BIO_free(certificate);
    BIO_free(key);
    ERR_clear_error();
    return err;
}

/* ---- certificates ---- */

static bool extension_add(X509 *certificate, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, ctx, nid, value);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* Takes over `value`. */
static bool general_add(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name == NULL || value == NULL) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) <= 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static bool text_add(GENERAL_NAMES *names, int type, const char *text)
{
    ASN1_STRING *value = ASN1_STRING_type_new(V_ASN1_IA5STRING);
    if (value != NULL && ASN1_STRING_set(value, text, -1) != 1) {
        ASN1_STRING_free(value);
        value = NULL;
    }
    return general_add(names, type, value);
}

static bool host_add(GENERAL_NAMES *names, const char *host)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    if (address != NULL) {
        return general_add(names, GEN_IPADD, address);
    }
    ERR_clear_error();
    return text_add(names, GEN_DNS, host);
}

/* subjectAltName: who it is, and where it is reached. */
static bool alternatives_add(X509 *certificate, const struct emu_pki_subject *subject)
{
    char uri[EMU_URI_SIZE];
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    emu_identity_uri(subject->kind == EMU_PKI_SAE ? &emu_identity_sae : &emu_identity_daemon,
                     subject->name, uri);
    bool good = names != NULL && text_add(names, GEN_URI, uri);
    for (size_t i = 0; i < subject->host_count && good; i++) {
        good = host_add(names, subject->hosts[i]);
    }
    good = good && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return good;
}

static bool extensions_add(X509 *certificate, X509 *issuer, const struct emu_pki_subject *subject)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    bool good = extension_add(certificate, &ctx, NID_subject_key_identifier, "hash");
    if (subject->kind == EMU_PKI_CA) {
        return good &&
               extension_add(certificate, &ctx, NID_basic_constraints,
                             "critical,CA:TRUE,pathlen:0") &&
               extension_add(certificate, &ctx, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    return good && extension_add(certificate, &ctx, NID_authority_key_identifier, "keyid:always") &&
           extension_add(certificate, &ctx, NID_basic_constraints, "critical,CA:FALSE") &&
           extension_add(certificate, &ctx, NID_key_usage, "critical,digitalSignature") &&
           extension_add(certificate, &ctx, NID_ext_key_usage,
                         subject->kind == EMU_PKI_SAE ? "clientAuth" : "serverAuth,clientAuth") &&
           alternatives_add(certificate, subject);
}

/* 127 random bits: never negative, never longer than 20 octets (RFC 5280, 4.1.2.2). */
static bool serial_set(X509 *certificate)
{
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x7F) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return good;
}

static bool times_set(X509 *certificate, const struct emu_pki *pki, bool is_ca)
{
    int64_t from_s = pki->from_s != 0 ? pki->from_s : -HOUR_S;
    int64_t for_s = pki->for_s != 0 ? pki->for_s : is_ca ? EMU_PKI_CA_S : EMU_PKI_S;
    return X509_gmtime_adj(X509_getm_notBefore(certificate), (long)from_s) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), (long)(from_s + for_s)) != NULL;
}

/* The certificate of `key`, signed by the CA, or by itself; NULL on failure. */
static X509 *certificate_make(const struct emu_pki *pki, const struct emu_pki_subject *subject,
                              const struct signer *ca, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return NULL;
    }
    bool is_ca = subject->kind == EMU_PKI_CA;
    X509 *issuer = is_ca ? certificate : ca->certificate;
    const char *name = subject->name != NULL ? subject->name : CA_NAME;
    bool good = X509_set_version(certificate, X509_VERSION_3) == 1 && serial_set(certificate) &&
                times_set(certificate, pki, is_ca) && X509_set_pubkey(certificate, key) == 1 &&
                X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                           MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                                           0) == 1 &&
                X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
                extensions_add(certificate, issuer, subject) &&
                X509_sign(certificate, is_ca ? key : ca->key, EVP_sha256()) > 0;
    if (!good) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* Both as PEM into the files; the key's text is in memory that is wiped. */
static int pair_write(const struct emu_pki *pki, const struct emu_pki_files *files,
                      const struct signer *made, struct emu_why *why)
{
    int err;
    BIO *certificate = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_secmem());
    if (certificate == NULL || key == NULL ||
        PEM_write_bio_X509(certificate, made->certificate) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key, made->key, NULL, NULL, 0, NULL, NULL) != 1) {
        err = crypto_failed(why, files->key);
    } else {
        char *certificate_text, *key_text;
        long certificate_len = BIO_get_mem_data(certificate, &certificate_text);
        long key_len = BIO_get_mem_data(key, &key_text);
        const struct emu_pki_pair pair = {certificate_text, (size_t)certificate_len, key_text,
                                          (size_t)key_len};
        err = emu_pki_pair_write(files, &pair, pki->force, why);
    }
    BIO_free(certificate);
    BIO_free(key);
    return err;
}

int emu_pki_make(const struct emu_pki *pki, const struct emu_pki_subject *subject,
                 struct emu_why *why)
{
    struct emu_pki_files files;
    struct signer ca = {0};
    struct signer made = {0};
    int err = emu_pki_check(pki, subject, why);
    if (err == QKD_OK) {
        err = emu_pki_files(pki->folder, subject, &files, why);
    }
    if (err == QKD_OK && subject->kind != EMU_PKI_CA) {
        err = ca_read(pki->folder, &ca, why);
    }
    if (err == QKD_OK) {
        made.key = EVP_EC_gen("P-256");
        made.certificate = made.key == NULL ? NULL : certificate_make(pki, subject, &ca, made.key);
        err = made.certificate == NULL ? crypto_failed(why, files.certificate)
                                       : pair_write(pki, &files, &made, why);
    }
    signer_fini(&ca);
    signer_fini(&made);
    return err;
}
