/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-256-GCM by OpenSSL's EVP. The library allocates a context per call, which only long messages
 * repay; so no state is kept between messages. */
#include "core/crypto/gcm_evp.h"

#include <limits.h>
#include <openssl/evp.h>

#include "core/base/err.h"

/* Feeds `len` bytes to the cipher; `to` NULL means associated data. */
static bool update(EVP_CIPHER_CTX *ctx, uint8_t *to, const uint8_t *from, size_t len)
{
    int done;
    return len == 0 || EVP_CipherUpdate(ctx, to, &done, from, (int)len) == 1;
}

/* A context ready for text; NULL if the library failed. */
static EVP_CIPHER_CTX *start(const uint8_t *key, const uint8_t *nonce,
                             const struct crypto_gcm_text *text, bool seal)
{
    if (text->len > INT_MAX || text->aad_len > INT_MAX) {
        return NULL;
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seal) != 1 ||
                        !update(ctx, NULL, text->aad, text->aad_len))) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

int crypto_gcm_evp_seal(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                        const struct crypto_gcm_text *text, uint8_t *to)
{
    EVP_CIPHER_CTX *ctx = start(key, nonce, text, true);
    if (ctx == NULL) {
        return QKD_ERR_CRYPTO;
    }
    int done;
    bool ok = update(ctx, to, text->from, text->len) &&
              EVP_CipherFinal_ex(ctx, to + text->len, &done) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_GCM_TAG_LEN, to + text->len) ==
                  1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? QKD_OK : QKD_ERR_CRYPTO;
}

int crypto_gcm_evp_open(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                        const struct crypto_gcm_text *text, uint8_t *to)
{
    if (text->len < CRYPTO_GCM_TAG_LEN) {
        return QKD_ERR_AUTH;
    }
    size_t len = text->len - CRYPTO_GCM_TAG_LEN;
    EVP_CIPHER_CTX *ctx = start(key, nonce, text, false);
    if (ctx == NULL) {
        crypto_wipe(to, len);
        return QKD_ERR_CRYPTO;
    }
    uint8_t tag[CRYPTO_GCM_TAG_LEN];
    for (unsigned i = 0; i < sizeof tag; i++) {
        tag[i] = text->from[len + i];
    }
    int done;
    uint8_t none;
    bool ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)sizeof tag, tag) == 1 &&
              update(ctx, to, text->from, len) && EVP_CipherFinal_ex(ctx, &none, &done) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        crypto_wipe(to, len);
        return QKD_ERR_AUTH;
    }
    return QKD_OK;
}

int crypto_gcm_peel(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                    const struct crypto_gcm_text *text, uint8_t *to)
{
    if (text->len < CRYPTO_GCM_TAG_LEN) {
        return QKD_ERR_AUTH;
    }
    EVP_CIPHER_CTX *ctx = start(key, nonce, text, false);
    bool ok = ctx != NULL && update(ctx, to, text->from, text->len - CRYPTO_GCM_TAG_LEN);
    EVP_CIPHER_CTX_free(ctx);
    return ok ? QKD_OK : QKD_ERR_CRYPTO;
}
