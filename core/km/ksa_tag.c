/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What two KSAs compare over Kx-2 before a key is released (FG QIT4N D2.3 clause 7.1.5, D23-OP-15).
 * The tag tells nothing about the keys: its pad s is 128 fresh bits that both KMAs share. */
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"

enum { FIXED_LEN = 21 }; /* applications, key size, grade */

void ksa_tag(const struct ksa_batch *batch, struct wire_bytes key_ids, struct wire_bytes keys,
             const uint8_t compare[32], uint8_t tag[16])
{
    uint8_t fixed[FIXED_LEN];
    wire_put_u64(fixed, batch->source_app.v);
    wire_put_u64(fixed + 8, batch->target_app.v);
    wire_put_u32(fixed + 16, batch->key_size);
    fixed[20] = batch->grade;
    const struct crypto_part parts[] = {
        {key_ids.at, key_ids.len},
        {batch->kma_id.b, sizeof batch->kma_id.b},
        {fixed, sizeof fixed},
        {keys.at, keys.len},
    };
    crypto_wc_tag_parts(tag, compare, compare + CRYPTO_HASH_KEY_LEN, parts,
                        sizeof parts / sizeof *parts);
}
