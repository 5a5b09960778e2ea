/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys, MACs and records by OpenSSL alone: see tests/lib/chan_golden.h. */
#include "tests/lib/chan_golden.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "core/channel/frames.h"
#include "core/crypto/crypto.h"
#include "tests/lib/chan_case.h"

void golden_hkdf(const uint8_t secret[32], const uint8_t salt[64], const uint8_t *info,
                 size_t info_len, uint8_t out[100])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    uint8_t s[32], n[64], i[64];
    char sha256[] = "SHA256";
    memcpy(s, secret, 32);
    memcpy(n, salt, 64);
    memcpy(i, info, info_len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, s, sizeof s),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, n, sizeof n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, i, info_len),
        OSSL_PARAM_construct_end(),
    };
    ck_assert_int_eq(EVP_KDF_derive(ctx, out, 100, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

/* The session's keys from the OPEN and ACCEPT that crossed the network: net frames 0 and 1. The
 * identities are written out: role 1 (KMA), instance 0, nodes 1 and 2; Kx-1 is 4. */
void golden_keys(uint8_t out[100])
{
    uint8_t secret[32], salt[64];
    uint8_t info[43] = "qkdn channel keys\x04"
                       "\x01\0\0\0\0\0\0\x01"
                       "\x01\0\0\0\0\0\0\x02"
                       "\0\0\0\x01"
                       "\0\0\0\x01";
    net_secret(QKD_RP_KX1, chc_net.element[0].eid, chc_net.element[1].eid, secret);
    memcpy(salt, chc_frame(0)->bytes + 12, 32);
    memcpy(salt + 32, chc_frame(1)->bytes + 12, 32);
    golden_hkdf(secret, salt, info, 42, out);
}

/* The MAC of an OPEN or ACCEPT by OpenSSL's one-shot HMAC. */
void golden_mac(const struct net_frame *frame, const uint8_t *answered, uint8_t mac[32])
{
    uint8_t secret[32], key[32], text[17 + 44 + 32];
    size_t len = 17 + 44;
    net_secret(QKD_RP_KX1, chc_net.element[0].eid, chc_net.element[1].eid, secret);
    HMAC(EVP_sha256(), secret, 32, (const uint8_t *)"qkdn channel shake", 18, key, NULL);
    bool first = qkd_eid_eq(frame->from, chc_net.element[0].eid);
    memset(text, 0, 17);
    text[0] = 1;
    text[7] = first ? 1 : 2;
    text[8] = 1;
    text[15] = first ? 2 : 1;
    text[16] = 4;
    memcpy(text + 17, frame->bytes, 44);
    if (answered != NULL) {
        memcpy(text + len, answered, 32);
        len += 32;
    }
    HMAC(EVP_sha256(), key, 32, text, len, mac, NULL);
}

/* Decrypts record `frame` by EVP and returns the length of the text. */
size_t golden_open(const struct net_frame *frame, const uint8_t key[32], uint8_t *text)
{
    uint8_t nonce[12] = {0}, aad[32], tag[16];
    size_t len = frame->len - 32;
    int done;
    memcpy(nonce + 4, frame->bytes + 8, 8);
    memcpy(aad, frame->bytes, 16);
    memset(aad + 16, 0, 16);
    aad[16] = aad[24] = 1;
    aad[23] = (uint8_t)frame->from.v;
    aad[31] = (uint8_t)frame->to.v;
    aad[2] = 4;
    memcpy(tag, frame->bytes + frame->len - 16, 16);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    ck_assert_int_eq(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce), 1);
    ck_assert_int_eq(EVP_DecryptUpdate(ctx, NULL, &done, aad, sizeof aad), 1);
    ck_assert_int_eq(EVP_DecryptUpdate(ctx, text, &done, frame->bytes + 16, (int)len), 1);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag), 1);
    ck_assert_int_eq(EVP_DecryptFinal_ex(ctx, text + len, &done), 1);
    EVP_CIPHER_CTX_free(ctx);
    return len;
}

struct net_frame golden_seal(const uint8_t keys[100], uint64_t counter, const uint8_t *text,
                             size_t len)
{
    struct net_frame frame = {.rp = QKD_RP_KX1,
                              .from = chc_net.element[0].eid,
                              .to = chc_net.element[1].eid,
                              .len = len + 32,
                              .bytes = {0xc1, CHAN_FRAME_CONTROL}};
    uint8_t nonce[12] = {0}, aad[32] = {0};
    memcpy(frame.bytes + 4, keys + 96, 4);
    frame.bytes[15] = (uint8_t)counter;
    nonce[11] = (uint8_t)counter;
    memcpy(aad, frame.bytes, 16);
    aad[2] = 4;
    aad[16] = aad[24] = 1;
    aad[23] = 1;
    aad[31] = 2;
    struct crypto_gcm_text seal = {aad, sizeof aad, text, len};
    ck_assert_int_eq(crypto_gcm_seal(keys, nonce, &seal, frame.bytes + 16), 0);
    return frame;
}
