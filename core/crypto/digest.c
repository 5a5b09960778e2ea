/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 through OpenSSL (it uses the processor's SHA instructions, libsodium does not), HMAC and
 * HKDF through libsodium (no workspace; they serve handshakes only). */
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"

struct crypto_digest {
    EVP_MD *algorithm;
    EVP_MD_CTX *ctx; /* always initialised: nothing of the last message remains in it */
};

struct crypto_digest *crypto_digest_new(void)
{
    struct crypto_digest *digest = calloc(1, sizeof *digest);
    if (digest == NULL) {
        return NULL;
    }
    digest->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->ctx = EVP_MD_CTX_new();
    if (digest->algorithm == NULL || digest->ctx == NULL ||
        EVP_DigestInit_ex(digest->ctx, digest->algorithm, NULL) != 1) {
        crypto_digest_free(digest);
        return NULL;
    }
    return digest;
}

void crypto_digest_free(struct crypto_digest *digest)
{
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->ctx);
        EVP_MD_free(digest->algorithm);
        free(digest);
    }
}

int crypto_sha256(struct crypto_digest *digest, const struct crypto_part *parts, size_t count,
                  uint8_t to[32])
{
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        ok = EVP_DigestUpdate(digest->ctx, parts[i].bytes, parts[i].len) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(digest->ctx, to, NULL) == 1;
    /* The library wipes its block buffer at the end; a new start overwrites the chaining value. */
    bool again = EVP_DigestInit_ex(digest->ctx, digest->algorithm, NULL) == 1;
    return ok && again ? QKD_OK : QKD_ERR_CRYPTO;
}

void crypto_hmac(const uint8_t key[32], const struct crypto_part *parts, size_t count,
                 uint8_t to[32])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, 32);
    for (size_t i = 0; i < count; i++) {
        crypto_auth_hmacsha256_update(&state, parts[i].bytes, parts[i].len);
    }
    crypto_auth_hmacsha256_final(&state, to);
    sodium_memzero(&state, sizeof state);
}

int crypto_hkdf(const struct crypto_hkdf *in, uint8_t *to, size_t len)
{
    if (len > (size_t)255 * 32) {
        return QKD_ERR_RANGE;
    }
    crypto_auth_hmacsha256_state state;
    uint8_t prk[32];
    uint8_t block[32];
    crypto_auth_hmacsha256_init(&state, in->salt, in->salt_len);
    crypto_auth_hmacsha256_update(&state, in->secret, in->secret_len);
    crypto_auth_hmacsha256_final(&state, prk);
    uint8_t number = 1;
    for (size_t done = 0; done < len; number++) {
        size_t n = len - done < sizeof block ? len - done : sizeof block;
        crypto_auth_hmacsha256_init(&state, prk, sizeof prk);
        if (number > 1) {
            crypto_auth_hmacsha256_update(&state, block, sizeof block);
        }
        crypto_auth_hmacsha256_update(&state, in->info, in->info_len);
        crypto_auth_hmacsha256_update(&state, &number, 1);
        crypto_auth_hmacsha256_final(&state, block);
        memcpy(to + done, block, n);
        done += n;
    }
    sodium_memzero(&state, sizeof state);
    sodium_memzero(prk, sizeof prk);
    sodium_memzero(block, sizeof block);
    return QKD_OK;
}
