/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One-time pad, Wegman-Carter tag, AES-256-GCM, seed expansion, comparison and wipe, each by one
 * call of libsodium (of OpenSSL for long messages). Digests and key derivation are in digest.c. */
#include "core/crypto/crypto.h"

#include <sodium.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/gcm_evp.h"

/* From here on OpenSSL's faster loop repays the context that it allocates (measured: from 3 KiB). */
#define BULK_LEN 8192

int crypto_init(void)
{
    return sodium_init() >= 0 ? QKD_OK : QKD_ERR_CRYPTO;
}

void crypto_xor(uint8_t *to, const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t x;
        uint64_t y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        x ^= y;
        memcpy(to + i, &x, 8);
    }
    for (; i < len; i++) {
        to[i] = a[i] ^ b[i];
    }
}

void crypto_wc_tag(uint8_t tag[CRYPTO_TAG_LEN], const uint8_t r[CRYPTO_HASH_KEY_LEN],
                   const uint8_t s[CRYPTO_TAG_LEN], const void *message, size_t len)
{
    uint8_t key[crypto_onetimeauth_KEYBYTES];
    memcpy(key, r, CRYPTO_HASH_KEY_LEN);
    memcpy(key + CRYPTO_HASH_KEY_LEN, s, CRYPTO_TAG_LEN);
    crypto_onetimeauth(tag, message, len, key);
    sodium_memzero(key, sizeof key);
}

/* Product in GF(2^8) = GF(2)[x] / (x^8 + x^4 + x^3 + x + 1). */
static uint8_t product(uint8_t a, uint8_t b)
{
    uint32_t sum = 0;
    uint32_t shifted = a;
    for (int bit = 0; bit < 8; bit++) {
        sum ^= (b >> bit & 1) != 0 ? shifted : 0;
        shifted = shifted << 1 ^ ((shifted & 0x80) != 0 ? 0x11b : 0);
    }
    return (uint8_t)sum;
}

void crypto_wc_tag_short(uint8_t tag[CRYPTO_TAG_LEN], const uint8_t r[CRYPTO_HASH_KEY_LEN],
                         const uint8_t s[CRYPTO_TAG_LEN], const void *message, size_t len)
{
    static const uint8_t nothing[CRYPTO_TAG_LEN] = {0};
    uint8_t hash[CRYPTO_TAG_LEN];
    crypto_wc_tag(hash, r, nothing, message, len);
    memset(tag, 0, CRYPTO_TAG_LEN);
    tag[0] = s[0];
    for (size_t i = 1; i < CRYPTO_TAG_LEN; i++) {
        tag[0] ^= product(s[i], hash[i - 1]);
    }
    sodium_memzero(hash, sizeof hash);
}

void crypto_wc_tag_parts(uint8_t tag[CRYPTO_TAG_LEN], const uint8_t r[CRYPTO_HASH_KEY_LEN],
                         const uint8_t s[CRYPTO_TAG_LEN], const struct crypto_part *parts,
                         size_t count)
{
    uint8_t key[crypto_onetimeauth_KEYBYTES];
    crypto_onetimeauth_state state;
    memcpy(key, r, CRYPTO_HASH_KEY_LEN);
    memcpy(key + CRYPTO_HASH_KEY_LEN, s, CRYPTO_TAG_LEN);
    crypto_onetimeauth_init(&state, key);
    for (size_t i = 0; i < count; i++) {
        crypto_onetimeauth_update(&state, parts[i].bytes, parts[i].len);
    }
    crypto_onetimeauth_final(&state, tag);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
}

int crypto_gcm_seal(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                    const struct crypto_gcm_text *text, uint8_t *to)
{
    if (text->len >= BULK_LEN || !crypto_aead_aes256gcm_is_available()) {
        return crypto_gcm_evp_seal(key, nonce, text, to);
    }
    int err = crypto_aead_aes256gcm_encrypt(to, NULL, text->from, text->len, text->aad,
                                            text->aad_len, NULL, nonce, key);
    return err == 0 ? QKD_OK : QKD_ERR_CRYPTO;
}

int crypto_gcm_open(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                    const struct crypto_gcm_text *text, uint8_t *to)
{
    if (text->len < CRYPTO_GCM_TAG_LEN) {
        return QKD_ERR_AUTH;
    }
    if (text->len >= BULK_LEN || !crypto_aead_aes256gcm_is_available()) {
        return crypto_gcm_evp_open(key, nonce, text, to);
    }
    int err = crypto_aead_aes256gcm_decrypt(to, NULL, NULL, text->from, text->len, text->aad,
                                            text->aad_len, nonce, key);
    if (err != 0) {
        sodium_memzero(to, text->len - CRYPTO_GCM_TAG_LEN);
        return QKD_ERR_AUTH;
    }
    return QKD_OK;
}

void crypto_expand(uint8_t *to, const uint8_t seed[32], uint64_t offset, size_t len)
{
    enum { BLOCK = 64 };
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint64_t block = offset / BLOCK;
    size_t skip = (size_t)(offset % BLOCK);
    if (skip > 0 && len > 0) {
        uint8_t first[BLOCK] = {0};
        size_t n = BLOCK - skip < len ? BLOCK - skip : len;
        crypto_stream_chacha20_xor_ic(first, first, BLOCK, nonce, block, seed);
        memcpy(to, first + skip, n);
        sodium_memzero(first, sizeof first);
        block++;
        to += n;
        len -= n;
    }
    if (len > 0) {
        memset(to, 0, len);
        crypto_stream_chacha20_xor_ic(to, to, len, nonce, block, seed);
    }
}

uint64_t crypto_hash64(const uint8_t key[16], const void *bytes, size_t len)
{
    uint8_t digest[crypto_shorthash_BYTES];
    crypto_shorthash(digest, bytes, len, key);
    uint64_t value = 0;
    for (unsigned i = 0; i < sizeof digest; i++) {
        value |= (uint64_t)digest[i] << (8 * i);
    }
    return value;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *at, size_t len)
{
    if (len > 0) {
        sodium_memzero(at, len);
    }
}
