/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a key store seals: a random data key seals each value (core/crypto/seal.h); the data key lies in the store's head, sealed
 * by a key that Argon2id (RFC 9106) makes of the unlock secret. So the unlock secret can change
 * without a value being sealed anew. Everything here is libsodium's. */
#ifndef EMU_SEAL_H
#define EMU_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "core/crypto/seal.h"
#include "emu/base/why.h"
#include "emu/store/unlock.h"

#define EMU_SEAL_HEAD_LEN 137 /* bytes of a head */

/* What one derivation from the unlock secret costs; zeros are the defaults. */
struct emu_seal_cost {
    uint64_t passes; /* over the memory; default 2 */
    uint64_t bytes;  /* of memory, at least 8192; default 64 MiB */
};

/* Makes the head that keeps data_key for the unlock secret, with a fresh salt.
 * QKD_ERR_RANGE: a cost beyond the limits of emu_seal_unwrap(); QKD_ERR_NOMEM. */
int emu_seal_wrap(const struct emu_unlock *unlock, const struct emu_seal_cost *cost,
                  const uint8_t data_key[CRYPTO_SEAL_KEY_LEN], uint8_t head[EMU_SEAL_HEAD_LEN],
                  struct emu_why *why);

/* Takes the data key out of a head. QKD_ERR_FORMAT: no whole head of this version, or a cost above
 * 1 GiB or 64 passes; QKD_ERR_AUTH: the unlock secret is another one; QKD_ERR_NOMEM. */
int emu_seal_unwrap(const struct emu_unlock *unlock, const uint8_t *head, size_t len,
                    uint8_t data_key[CRYPTO_SEAL_KEY_LEN], struct emu_why *why);

#endif
