/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing of stored values, by libsodium. */
#include "core/crypto/seal.h"

#include <sodium.h>

#include "core/base/err.h"

_Static_assert(CRYPTO_SEAL_KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(CRYPTO_SEAL_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(CRYPTO_SEAL_EXTRA ==
                   CRYPTO_SEAL_NONCE_LEN + crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "what sealing adds");

void crypto_seal(const uint8_t key[CRYPTO_SEAL_KEY_LEN], struct crypto_place place,
                 const uint8_t *value, size_t len, uint8_t *to)
{
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(to + CRYPTO_SEAL_NONCE_LEN, NULL, value, len,
                                                     place.bytes, place.len, NULL, to, key);
}

int crypto_unseal(const uint8_t key[CRYPTO_SEAL_KEY_LEN], struct crypto_place place,
                  const uint8_t *sealed, size_t len, uint8_t *to)
{
    if (len < CRYPTO_SEAL_EXTRA) {
        return QKD_ERR_AUTH;
    }
    int err = crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL,
                                                         sealed + CRYPTO_SEAL_NONCE_LEN,
                                                         len - CRYPTO_SEAL_NONCE_LEN, place.bytes,
                                                         place.len, sealed, key);
    return err == 0 ? QKD_OK : QKD_ERR_AUTH;
}
