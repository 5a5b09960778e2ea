/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names in certificates: written as URIs, read from URIs or the CN. */
#include "emu/net/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "core/base/err.h"

#define FAMILIES "urn:qkdn:"

const struct emu_identity_rule emu_identity_daemon = {FAMILIES "daemon:", EMU_IDENTITY_URI};
const struct emu_identity_rule emu_identity_sae = {FAMILIES "sae:", EMU_IDENTITY_URI_OR_CN};

/* ---- names ---- */

/* Bytes of the UTF-8 character at `at`, 0 if there is none; RFC 3629 without the planes' subtleties
 * that no comparison of bytes depends on. */
static size_t character_len(const unsigned char *at)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (at[0] > 0xF4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return len;
}

bool emu_identity_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= EMU_IDENTITY_SIZE) {
        return false;
    }
    for (size_t i = 0; i < len;) {
        const unsigned char *at = (const unsigned char *)name + i;
        size_t step = character_len(at);
        if (step == 0 || at[0] < 0x20 || at[0] == 0x7F || (at[0] == 0xC2 && at[1] < 0xA0)) {
            return false;
        }
        i += step;
    }
    return true;
}

/* Characters of a URN's name that need no %XX (RFC 8141: pchar and '/'). */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

void emu_identity_uri(const struct emu_identity_rule *rule, const char *name,
                      char uri[EMU_URI_SIZE])
{
    size_t at = strlen(rule->prefix);
    QKD_ASSERT(emu_identity_valid(name) && at + 3 * strlen(name) < EMU_URI_SIZE);
    memcpy(uri, rule->prefix, at);
    for (const char *c = name; *c != '\0'; c++) {
        if (is_plain(*c)) {
            uri[at++] = *c;
        } else {
            snprintf(uri + at, 4, "%%%02X", (unsigned)(unsigned char)*c);
            at += 3;
        }
    }
    uri[at] = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A name out of the rest of a URI, %XX undone; false if that is no valid name. */
static bool name_decode(const char *from, size_t len, char name[EMU_IDENTITY_SIZE])
{
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)from[i];
        if (byte == '%') {
            int high = i + 2 < len ? hex_digit(from[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            byte = high * 16 + low;
            i += 2;
        }
        if (byte == 0 || at + 1 >= EMU_IDENTITY_SIZE) {
            return false;
        }
        name[at++] = (char)byte;
    }
    name[at] = '\0';
    return emu_identity_valid(name);
}

/* ---- certificates ---- */

static bool begins(const char *text, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* How many URIs are of our families or of the rule's, and the name in the last one of the rule's. */
struct uris {
    unsigned families, names;
    bool bad; /* one is of the rule's, but holds no name; or they cannot be read */
};

static struct uris uris_read(const X509 *certificate, const struct emu_identity_rule *rule,
                             char name[EMU_IDENTITY_SIZE])
{
    struct uris uris = {0};
    int found = -1;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
    uris.bad = names == NULL && found != -1; /* there are two, or it cannot be read */
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *general = sk_GENERAL_NAME_value(names, i);
        if (general->type != GEN_URI) {
            continue;
        }
        const char *text = (const char *)ASN1_STRING_get0_data(
            general->d.uniformResourceIdentifier);
        size_t len = (size_t)ASN1_STRING_length(general->d.uniformResourceIdentifier);
        size_t prefix = strlen(rule->prefix);
        bool ours = begins(text, len, rule->prefix);
        uris.families += ours || begins(text, len, FAMILIES);
        if (ours) {
            uris.names++;
            uris.bad = uris.bad || !name_decode(text + prefix, len - prefix, name);
        }
    }
    GENERAL_NAMES_free(names);
    return uris;
}

static int cn_read(const X509 *certificate, char name[EMU_IDENTITY_SIZE])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return QKD_ERR_DENIED;
    }
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text,
                                  X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool good = len > 0 && len < EMU_IDENTITY_SIZE && memchr(text, 0, (size_t)len) == NULL;
    if (good) {
        memcpy(name, text, (size_t)len);
        name[len] = '\0';
    }
    OPENSSL_free(text);
    return good && emu_identity_valid(name) ? QKD_OK : QKD_ERR_DENIED;
}

int emu_identity_get(const X509 *certificate, const struct emu_identity_rule *rule,
                     char name[EMU_IDENTITY_SIZE])
{
    struct uris uris = uris_read(certificate, rule, name);
    if (rule->field ==
        EMU_IDENTITY_CN) { /* an SAE's CN may be a daemon's name, but not its certificate */
        return uris.families == uris.names && !uris.bad ? cn_read(certificate, name)
                                                        : QKD_ERR_DENIED;
    }
    if (uris.families == 0 && !uris.bad && rule->field == EMU_IDENTITY_URI_OR_CN) {
        return cn_read(certificate, name);
    }
    return uris.names == 1 && uris.families == 1 && !uris.bad ? QKD_OK : QKD_ERR_DENIED;
}

int emu_identity_get_der(const uint8_t *der, size_t len, const struct emu_identity_rule *rule,
                         char name[EMU_IDENTITY_SIZE])
{
    const unsigned char *at = der;
    X509 *certificate = len > 100000 ? NULL : d2i_X509(NULL, &at, (long)len);
    if (certificate == NULL) {
        return QKD_ERR_FORMAT;
    }
    int err = emu_identity_get(certificate, rule, name);
    X509_free(certificate);
    return err;
}
