/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key schedule and proofs: see keys.h for every input. */
#include "core/channel/keys.h"

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"

#define SHAKE_LABEL "qkdn channel shake"
#define KEYS_LABEL "qkdn channel keys"
#define PROOF_LABEL "qkdn channel proof"

void chan_shake_mac(const uint8_t secret[32], const struct chan_path *path, const uint8_t *frame,
                    const uint8_t *answered, uint8_t mac[CHAN_MAC_LEN])
{
    uint8_t key[32];
    struct crypto_part label = {SHAKE_LABEL, sizeof SHAKE_LABEL - 1};
    crypto_hmac(secret, &label, 1, key);
    uint8_t ends[17];
    wire_put_u64(ends, path->from.v);
    wire_put_u64(ends + 8, path->to.v);
    ends[16] = (uint8_t)path->rp;
    struct crypto_part parts[3] = {{ends, sizeof ends},
                                   {frame, CHAN_MACED_LEN},
                                   {answered, CHAN_NONCE_LEN}};
    crypto_hmac(key, parts, answered != NULL ? 3 : 2, mac);
    crypto_wipe(key, sizeof key);
}

int chan_keys_derive(const uint8_t secret[32], enum qkd_rp rp, const struct chan_party *initiator,
                     const struct chan_party *responder, struct chan_keys *keys)
{
    enum { LABEL = sizeof KEYS_LABEL - 1, INFO = LABEL + 25 };
    uint8_t salt[2 * CHAN_NONCE_LEN] = {0};
    uint8_t info[INFO];
    uint8_t out[100];
    bool fresh = !QKDN_MUTANT(SHAKE_SAME);
    memcpy(salt, initiator->nonce, fresh ? CHAN_NONCE_LEN : 0);
    memcpy(salt + CHAN_NONCE_LEN, responder->nonce, fresh ? CHAN_NONCE_LEN : 0);
    memcpy(info, KEYS_LABEL, LABEL);
    info[LABEL] = (uint8_t)rp;
    wire_put_u64(info + LABEL + 1, initiator->eid.v);
    wire_put_u64(info + LABEL + 9, responder->eid.v);
    wire_put_u32(info + LABEL + 17, fresh ? initiator->incarnation : 0);
    wire_put_u32(info + LABEL + 21, fresh ? responder->incarnation : 0);
    struct crypto_hkdf in = {secret, 32, salt, sizeof salt, info, sizeof info};
    int err = crypto_hkdf(&in, out, sizeof out);
    if (err == QKD_OK) {
        memcpy(keys->to_responder, out, 32);
        memcpy(keys->to_initiator, out + (QKDN_MUTANT(ONE_KEY) ? 0 : 32), 32);
        memcpy(keys->exporter, out + 64, 32);
        keys->session = wire_get_u32(out + 96);
    }
    crypto_wipe(out, sizeof out);
    return err;
}

void chan_proof(const uint8_t exporter[32], uint32_t session, struct qkd_eid sender, bool initiator,
                uint8_t proof[CHAN_PROOF_LEN])
{
    uint8_t text[14];
    text[0] = (uint8_t)qkd_eid_role(sender);
    wire_put_u64(text + 1, sender.v);
    text[9] = initiator ? 1 : 2;
    wire_put_u32(text + 10, session);
    struct crypto_part parts[2] = {{PROOF_LABEL, sizeof PROOF_LABEL - 1}, {text, sizeof text}};
    crypto_hmac(exporter, parts, 2, proof);
}
