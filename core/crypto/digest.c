/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869) on OpenSSL's SHA-256, which uses the processor's SHA
 * instructions; libsodium does not and takes five times as long. Its functions below EVP need no
 * memory from the heap: a network of 10,000 nodes makes half a million handshakes at once. */
#define OPENSSL_API_COMPAT                                                                         \
    10101 /* they are those of version 1.1.1, deprecated since, not removed */
#include <openssl/sha.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"

enum { BLOCK_LEN = SHA256_CBLOCK, HASH_LEN = SHA256_DIGEST_LENGTH };

static bool hash_parts(SHA256_CTX *hash, const struct crypto_part *parts, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        ok = parts[i].len == 0 || SHA256_Update(hash, parts[i].bytes, parts[i].len) == 1;
    }
    return ok;
}

static bool hash_end(SHA256_CTX *hash, uint8_t to[HASH_LEN])
{
    bool ok = SHA256_Final(to, hash) == 1;
    crypto_wipe(hash, sizeof *hash);
    return ok;
}

int crypto_sha256(const struct crypto_part *parts, size_t count, uint8_t to[HASH_LEN])
{
    SHA256_CTX hash;
    bool ok = SHA256_Init(&hash) == 1 && hash_parts(&hash, parts, count);
    return hash_end(&hash, to) && ok ? QKD_OK : QKD_ERR_CRYPTO;
}

/* A key for HMAC: both hashes after their first block. */
struct hmac_key {
    SHA256_CTX inner, outer;
};

static bool hmac_key(struct hmac_key *made, const uint8_t *key, size_t len)
{
    uint8_t block[BLOCK_LEN] = {0};
    bool ok = true;
    if (len > sizeof block) {
        struct crypto_part part = {key, len};
        ok = crypto_sha256(&part, 1, block) == QKD_OK;
    } else if (len > 0) {
        memcpy(block, key, len);
    }
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36;
    }
    ok = ok && SHA256_Init(&made->inner) == 1 &&
         SHA256_Update(&made->inner, block, sizeof block) == 1;
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    ok = ok && SHA256_Init(&made->outer) == 1 &&
         SHA256_Update(&made->outer, block, sizeof block) == 1;
    crypto_wipe(block, sizeof block);
    return ok;
}

static bool hmac(const struct hmac_key *key, const struct crypto_part *parts, size_t count,
                 uint8_t to[HASH_LEN])
{
    SHA256_CTX hash = key->inner;
    uint8_t inner[HASH_LEN];
    bool ok = hash_parts(&hash, parts, count);
    ok = hash_end(&hash, inner) && ok;
    hash = key->outer;
    ok = ok && SHA256_Update(&hash, inner, sizeof inner) == 1;
    ok = hash_end(&hash, to) && ok;
    crypto_wipe(inner, sizeof inner);
    return ok;
}

void crypto_hmac(const uint8_t key[32], const struct crypto_part *parts, size_t count,
                 uint8_t to[HASH_LEN])
{
    struct hmac_key made;
    bool ok = hmac_key(&made, key, 32) && hmac(&made, parts, count, to);
    crypto_wipe(&made, sizeof made);
    QKD_ASSERT(ok); /* the library has no way to fail here */
}

int crypto_hkdf(const struct crypto_hkdf *in, uint8_t *to, size_t len)
{
    if (len > (size_t)255 * HASH_LEN) {
        return QKD_ERR_RANGE;
    }
    struct hmac_key made;
    struct crypto_part secret = {in->secret, in->secret_len};
    uint8_t prk[HASH_LEN];
    uint8_t block[HASH_LEN];
    bool ok = hmac_key(&made, in->salt, in->salt_len) && hmac(&made, &secret, 1, prk) &&
              hmac_key(&made, prk, sizeof prk);
    uint8_t number = 1;
    for (size_t done = 0; done < len && ok; number++) {
        size_t n = len - done < sizeof block ? len - done : sizeof block;
        struct crypto_part parts[3] = {{block, number > 1 ? sizeof block : 0},
                                       {in->info, in->info_len},
                                       {&number, 1}};
        ok = hmac(&made, parts, 3, block);
        memcpy(to + done, block, n);
        done += n;
    }
    crypto_wipe(&made, sizeof made);
    crypto_wipe(prk, sizeof prk);
    crypto_wipe(block, sizeof block);
    return ok ? QKD_OK : QKD_ERR_CRYPTO;
}
