/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Thin layer over libsodium and OpenSSL's libcrypto: one-time pad, Wegman-Carter tag, AES-256-GCM,
 * digests, key derivation, wipe. No home-made ciphers; constant-time comparison everywhere. */
#ifndef QKD_CRYPTO_CRYPTO_H
#define QKD_CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_TAG_LEN 16      /* bytes of a Wegman-Carter tag and of its pad */
#define CRYPTO_HASH_KEY_LEN 16 /* bytes of a Wegman-Carter hash key */
#define CRYPTO_GCM_TAG_LEN 16
#define CRYPTO_GCM_KEY_LEN 32

/* One piece of a message that is hashed as a concatenation. */
struct crypto_part {
    const void *bytes;
    size_t len;
};

/* Once per process before anything else; 0 or QKD_ERR_CRYPTO. */
int crypto_init(void);

/* to = a XOR b over `len` bytes (one-time pad); to may be a. */
void crypto_xor(uint8_t *to, const uint8_t *a, const uint8_t *b, size_t len);

/* Wegman-Carter tag of X.1712 note 7: (poly_r(message) + s) mod 2^128 with Poly1305's polynomial
 * (RFC 8439 clause 2.5) over a recycled hash key r (16 bytes, clamped: 106 effective bits) and a
 * fresh one-time pad s (16 bytes, never used twice). A forgery of a message of L bytes succeeds
 * with probability at most 8*ceil(L/16)*2^-106 per attempt (Bernstein 2005, theorem 3.3). */
void crypto_wc_tag(uint8_t tag[CRYPTO_TAG_LEN], const uint8_t r[CRYPTO_HASH_KEY_LEN],
                   const uint8_t s[CRYPTO_TAG_LEN], const void *message, size_t len);

/* The same over the concatenation of parts. */
void crypto_wc_tag_parts(uint8_t tag[CRYPTO_TAG_LEN], const uint8_t r[CRYPTO_HASH_KEY_LEN],
                         const uint8_t s[CRYPTO_TAG_LEN], const struct crypto_part *parts,
                         size_t count);

/* A tag of 8 bits in its place (the other bytes are 0): for experiments that look at how often a forgery
 * succeeds (base/measure.h), and for nothing else. The first 120 bits of Poly1305's polynomial are hashed
 * once more by an inner product over GF(2^8) with 15 fresh bytes of the pad, and padded with its 16th. A
 * forgery succeeds with probability at most 2^-8 + 8*ceil(L/16)*2^-98: the first term where the polynomials
 * differ, as the inner product is uniform then; the second bounds that they do not. */
void crypto_wc_tag_short(uint8_t tag[CRYPTO_TAG_LEN], const uint8_t r[CRYPTO_HASH_KEY_LEN],
                         const uint8_t s[CRYPTO_TAG_LEN], const void *message, size_t len);

/* AES-256-GCM (NIST SP 800-38D), 96-bit nonce. `to` may be `from`. Seal writes len + 16 bytes.
 * Open returns QKD_ERR_AUTH and writes zeros when the tag does not verify. */
struct crypto_gcm_text {
    const uint8_t *aad;
    size_t aad_len;
    const uint8_t *from;
    size_t len; /* of `from`: plain for seal; cipher text with its tag for open */
};
int crypto_gcm_seal(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                    const struct crypto_gcm_text *text, uint8_t *to);
int crypto_gcm_open(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                    const struct crypto_gcm_text *text, uint8_t *to);

/* The cipher text without a look at its tag: for experiments that switch authentication off
 * (base/measure.h), and for nothing else. */
int crypto_gcm_peel(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                    const struct crypto_gcm_text *text, uint8_t *to);

/* Expands a 32-byte seed: writes bytes [offset, offset + len) of its ChaCha20 keystream (RFC 8439
 * block function, zero nonce). Virtual worlds use it for QKD-keys that travel as a seed. */
void crypto_expand(uint8_t *to, const uint8_t seed[32], uint64_t offset, size_t len);

/* SHA-256 over the concatenation of parts; 0 or QKD_ERR_CRYPTO. */
int crypto_sha256(const struct crypto_part *parts, size_t count, uint8_t to[32]);

/* HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), to at most 255*32 bytes. */
void crypto_hmac(const uint8_t key[32], const struct crypto_part *parts, size_t count,
                 uint8_t to[32]);
struct crypto_hkdf {
    const uint8_t *secret;
    size_t secret_len;
    const uint8_t *salt;
    size_t salt_len;
    const uint8_t *info;
    size_t info_len;
};
int crypto_hkdf(const struct crypto_hkdf *in, uint8_t *to, size_t len);

/* 64-bit keyed hash (SipHash-2-4) for digests of traces and maps, not for authentication. */
uint64_t crypto_hash64(const uint8_t key[16], const void *bytes, size_t len);

bool crypto_equal(const void *a, const void *b, size_t len);
void crypto_wipe(void *at, size_t len);

#endif
