/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The key schedule of a channel and the proofs made from it.
 *
 *   handshake key = HMAC-SHA-256(secret, "qkdn channel shake")
 *   MAC           = HMAC-SHA-256(handshake key, sender eid ‖ receiver eid ‖ rp ‖ frame up to the MAC
 *                   ‖ nonce of the OPEN answered, in an ACCEPT)
 *   session keys  = HKDF-SHA-256(secret, salt = initiator's nonce ‖ responder's nonce,
 *                   info = "qkdn channel keys" ‖ rp ‖ initiator eid ‖ responder eid ‖
 *                   initiator's incarnation ‖ responder's incarnation)
 *                 → AES-256 key initiator to responder 32 ‖ responder to initiator 32 ‖
 *                   exporter secret 32 ‖ session number 4
 *   proof (7-2)   = HMAC-SHA-256(exporter secret, "qkdn channel proof" ‖ role ‖ sender eid ‖
 *                   direction (1: initiator to responder, 2: back) ‖ session number)
 *
 * Texts are without a final NUL; eids 8 bytes, incarnations and session number 4, rp, role and
 * direction 1, big-endian. An eid contains its role. */
#ifndef QKD_CHANNEL_KEYS_H
#define QKD_CHANNEL_KEYS_H

#include "core/base/id.h"
#include "core/channel/frames.h"

#define CHAN_PROOF_LEN 32

/* One end of a handshake. */
struct chan_party {
    struct qkd_eid eid;
    uint32_t incarnation;
    const uint8_t *nonce; /* 32 bytes */
};

struct chan_keys {
    uint8_t to_responder[32];
    uint8_t to_initiator[32];
    uint8_t exporter[32];
    uint32_t session;
};

/* Who sends what to whom. */
struct chan_path {
    struct qkd_eid from;
    struct qkd_eid to;
    enum qkd_rp rp;
};

/* MAC of the first 44 bytes of an OPEN (answered NULL) or an ACCEPT (answered: the OPEN's nonce). */
void chan_shake_mac(const uint8_t secret[32], const struct chan_path *path, const uint8_t *frame,
                    const uint8_t *answered, uint8_t mac[CHAN_MAC_LEN]);

/* Derives the keys of a session; they are the caller's to wipe. 0 or QKD_ERR_CRYPTO. */
int chan_keys_derive(const uint8_t secret[32], enum qkd_rp rp, const struct chan_party *initiator,
                     const struct chan_party *responder, struct chan_keys *keys);

/* The authentication info of Table 7-2 that `sender` must show in a session. */
void chan_proof(const uint8_t exporter[32], uint32_t session, struct qkd_eid sender, bool initiator,
                uint8_t proof[CHAN_PROOF_LEN]);

#endif
