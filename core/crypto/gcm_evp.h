/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-256-GCM by OpenSSL's EVP: for long messages, where it is faster than libsodium, and for
 * processors without AES instructions, where libsodium has none. Same contract as crypto_gcm_seal
 * and crypto_gcm_open. */
#ifndef QKD_CRYPTO_GCM_EVP_H
#define QKD_CRYPTO_GCM_EVP_H

#include "core/crypto/crypto.h"

int crypto_gcm_evp_seal(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                        const struct crypto_gcm_text *text, uint8_t *to);
int crypto_gcm_evp_open(const uint8_t key[CRYPTO_GCM_KEY_LEN], const uint8_t nonce[12],
                        const struct crypto_gcm_text *text, uint8_t *to);

#endif
