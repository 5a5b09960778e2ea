/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a stored value is sealed: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random 192-bit nonce
 * per value, under the data key of its store, for the place where it lies: it opens nowhere else. The live
 * world's store seals all it writes so (emu/store); a virtual world what an attacker takes or alters. */
#ifndef QKD_CRYPTO_SEAL_H
#define QKD_CRYPTO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SEAL_KEY_LEN 32
#define CRYPTO_SEAL_NONCE_LEN 24
#define CRYPTO_SEAL_EXTRA 40 /* bytes that a sealed value is longer: nonce and tag */

/* The place a value is sealed for. */
struct crypto_place {
    const uint8_t *bytes;
    size_t len;
};

/* Writes len + CRYPTO_SEAL_EXTRA bytes: the nonce, which the caller has drawn at random, stands in the first
 * CRYPTO_SEAL_NONCE_LEN of them already. Each nonce is used once. */
void crypto_seal(const uint8_t key[CRYPTO_SEAL_KEY_LEN], struct crypto_place place,
                 const uint8_t *value, size_t len, uint8_t *to);

/* Writes len - CRYPTO_SEAL_EXTRA bytes; QKD_ERR_AUTH if it was not sealed so, with nothing written that is
 * of use. */
int crypto_unseal(const uint8_t key[CRYPTO_SEAL_KEY_LEN], struct crypto_place place,
                  const uint8_t *sealed, size_t len, uint8_t *to);

#endif
