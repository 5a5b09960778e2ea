/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the live world reads of strangers besides TLS itself: names in certificates (emu/net/identity.h), as
 * DER and as URIs in a certificate that is otherwise good, and addresses (emu/base/address.h). Properties: a
 * name that is found is a valid one, and written as a URI it reads back; an address that is taken has a
 * host and a port that fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/net/identity.h"

#define PROPERTY(cond) ((cond) ? (void)0 : property_fail(#cond, __LINE__))
#define TEXT_SIZE 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void property_fail(const char *cond, int line)
{
    (void)fprintf(stderr, "emu_net_fuzz.c:%d: %s\n", line, cond);
    abort();
}

static const struct emu_identity_rule rules[] = {{"urn:qkdn:daemon:", EMU_IDENTITY_URI_OR_CN},
                                                 {"urn:qkdn:sae:", EMU_IDENTITY_URI},
                                                 {"https://", EMU_IDENTITY_URI_OR_CN},
                                                 {"urn:qkdn:sae:", EMU_IDENTITY_CN}};

/* A certificate whose only URI is this. */
static X509 *with_uri(const char *text, size_t len)
{
    X509 *certificate = X509_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *uri = ASN1_IA5STRING_new();
    PROPERTY(certificate != NULL && names != NULL && name != NULL && uri != NULL);
    PROPERTY(ASN1_STRING_set(uri, text, (int)len) == 1);
    GENERAL_NAME_set0_value(name, GEN_URI, uri);
    PROPERTY(sk_GENERAL_NAME_push(names, name) > 0);
    PROPERTY(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
    GENERAL_NAMES_free(names);
    return certificate;
}

static void name_check(const char *name, const struct emu_identity_rule *rule)
{
    char uri[EMU_URI_SIZE];
    char again[EMU_IDENTITY_SIZE];
    PROPERTY(emu_identity_valid(name));
    emu_identity_uri(rule, name, uri);
    X509 *certificate = with_uri(uri, strlen(uri));
    const struct emu_identity_rule by_uri = {rule->prefix, EMU_IDENTITY_URI};
    PROPERTY(emu_identity_get(certificate, &by_uri, again) == QKD_OK && strcmp(again, name) == 0);
    X509_free(certificate);
}

static void uri_check(const uint8_t *data, size_t size)
{
    char text[TEXT_SIZE];
    char name[EMU_IDENTITY_SIZE];
    size_t prefix = strlen(rules[0].prefix);
    size_t len = size < TEXT_SIZE - prefix ? size : TEXT_SIZE - prefix;
    memcpy(text, rules[0].prefix, prefix);
    memcpy(text + prefix, data, len);
    X509 *certificate = with_uri(text, prefix + len);
    if (emu_identity_get(certificate, &rules[0], name) == QKD_OK) {
        name_check(name, &rules[0]);
    }
    X509_free(certificate);
}

static void address_check(const uint8_t *data, size_t size)
{
    char text[TEXT_SIZE];
    struct emu_address address;
    struct sockaddr_storage at;
    size_t len = size < TEXT_SIZE ? size : TEXT_SIZE - 1;
    memcpy(text, data, len);
    text[len] = '\0';
    if (emu_address_parse(text, &address, NULL) == QKD_OK) {
        PROPERTY(strlen(address.host) < EMU_HOST_SIZE && atoi(address.port) <= 65535);
        (void)emu_address_numeric(&address, &at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char name[EMU_IDENTITY_SIZE];
        if (emu_identity_get_der(data, size, &rules[i], name) == QKD_OK) {
            name_check(name, &rules[i]);
        }
    }
    uri_check(data, size);
    address_check(data, size);
    return 0;
}
