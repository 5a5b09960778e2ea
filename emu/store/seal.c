/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Head of a store, big-endian: version 1 byte, passes 8, memory 8, salt 16, nonce 24, data key
 * sealed 32 + 16 (associated data: all before the nonce), BLAKE2b-256 of all before it 32. The last
 * tells a damaged head from a wrong secret. */
#include "emu/store/seal.h"

#include <sodium.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"

enum {
    VERSION = 1,
    AT_PASSES = 1,
    AT_BYTES = 9,
    AT_SALT = 17,
    AT_NONCE = 33,
    AT_KEY = 57,
    AT_SUM = 105,
    SUM_LEN = 32,
    NONCE_LEN = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_LEN = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    PASSES_MAX = 64
};
#define BYTES_MAX (UINT64_C(1) << 30)

_Static_assert(AT_NONCE == AT_SALT + crypto_pwhash_SALTBYTES, "salt");
_Static_assert(AT_SUM == AT_KEY + CRYPTO_SEAL_KEY_LEN + TAG_LEN, "sealed data key");
_Static_assert(EMU_SEAL_HEAD_LEN == AT_SUM + SUM_LEN, "head");

static int derive(const struct emu_unlock *unlock, const uint8_t *head, uint8_t to[32])
{
    uint64_t passes = wire_get_u64(head + AT_PASSES);
    uint64_t bytes = wire_get_u64(head + AT_BYTES);
    if (passes < crypto_pwhash_OPSLIMIT_MIN || passes > PASSES_MAX ||
        bytes < crypto_pwhash_MEMLIMIT_MIN || bytes > BYTES_MAX) {
        return QKD_ERR_RANGE;
    }
    return crypto_pwhash(to, 32, (const char *)unlock->bytes, unlock->len, head + AT_SALT, passes,
                         (size_t)bytes, crypto_pwhash_ALG_ARGON2ID13) == 0
               ? 0
               : QKD_ERR_NOMEM;
}

static void sum(const uint8_t *head, uint8_t to[SUM_LEN])
{
    (void)crypto_generichash(to, SUM_LEN, head, AT_SUM, NULL, 0);
}

int emu_seal_wrap(const struct emu_unlock *unlock, const struct emu_seal_cost *cost,
                  const uint8_t data_key[CRYPTO_SEAL_KEY_LEN], uint8_t head[EMU_SEAL_HEAD_LEN],
                  struct emu_why *why)
{
    head[0] = VERSION;
    wire_put_u64(head + AT_PASSES,
                 cost->passes != 0 ? cost->passes : crypto_pwhash_OPSLIMIT_INTERACTIVE);
    wire_put_u64(head + AT_BYTES,
                 cost->bytes != 0 ? cost->bytes : crypto_pwhash_MEMLIMIT_INTERACTIVE);
    randombytes_buf(head + AT_SALT, crypto_pwhash_SALTBYTES);
    randombytes_buf(head + AT_NONCE, NONCE_LEN);
    uint8_t key[32];
    int err = derive(unlock, head, key);
    if (err != 0) {
        return emu_fail(why, err, "the unlock secret cannot be worked on: %s", qkd_err_text(err));
    }
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(head + AT_KEY, NULL, data_key,
                                                     CRYPTO_SEAL_KEY_LEN, head, AT_NONCE, NULL,
                                                     head + AT_NONCE, key);
    sodium_memzero(key, sizeof key);
    sum(head, head + AT_SUM);
    return 0;
}

int emu_seal_unwrap(const struct emu_unlock *unlock, const uint8_t *head, size_t len,
                    uint8_t data_key[CRYPTO_SEAL_KEY_LEN], struct emu_why *why)
{
    uint8_t key[32];
    if (len != EMU_SEAL_HEAD_LEN) {
        return emu_fail(why, QKD_ERR_FORMAT, "damaged: the head has %zu bytes, not %d", len,
                        EMU_SEAL_HEAD_LEN);
    }
    sum(head, key);
    if (sodium_memcmp(key, head + AT_SUM, SUM_LEN) != 0) {
        return emu_fail(why, QKD_ERR_FORMAT, "damaged: the head does not match its checksum");
    }
    if (head[0] != VERSION) {
        return emu_fail(why, QKD_ERR_FORMAT, "version %u of the format, this program knows %d",
                        head[0], VERSION);
    }
    int err = derive(unlock, head, key);
    if (err == QKD_ERR_RANGE) {
        return emu_fail(why, QKD_ERR_FORMAT, "the head asks for too much work to be opened");
    }
    if (err != 0) {
        return emu_fail(why, err, "the unlock secret cannot be worked on: %s", qkd_err_text(err));
    }
    err = crypto_aead_xchacha20poly1305_ietf_decrypt(data_key, NULL, NULL, head + AT_KEY,
                                                     CRYPTO_SEAL_KEY_LEN + TAG_LEN, head, AT_NONCE,
                                                     head + AT_NONCE, key) == 0
              ? 0
              : emu_fail(why, QKD_ERR_AUTH, "the unlock secret is not the one of this store");
    sodium_memzero(key, sizeof key);
    return err;
}
