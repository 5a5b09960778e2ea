/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the channel between the KMAs of a chan_case must send, computed by OpenSSL's HKDF, HMAC and GCM
 * over inputs laid out by hand from core/channel/keys.h: nothing here calls the channel. */
#ifndef QKD_TESTS_CHAN_GOLDEN_H
#define QKD_TESTS_CHAN_GOLDEN_H

#include "tests/lib/chan_net.h"

/* HKDF-SHA-256 by OpenSSL's EVP_KDF. */
void golden_hkdf(const uint8_t secret[32], const uint8_t salt[64], const uint8_t *info,
                 size_t info_len, uint8_t out[100]);

/* The session's keys from the OPEN and ACCEPT that crossed the network: net frames 0 and 1. */
void golden_keys(uint8_t out[100]);

/* The MAC of an OPEN, or of an ACCEPT that answers the nonce `answered`. */
void golden_mac(const struct net_frame *frame, const uint8_t *answered, uint8_t mac[32]);

/* Decrypts record `frame` and returns the length of the text. */
size_t golden_open(const struct net_frame *frame, const uint8_t key[32], uint8_t *text);

/* Seals `text` under the initiator's key of the session, as record `counter`. */
struct net_frame golden_seal(const uint8_t keys[100], uint64_t counter, const uint8_t *text,
                             size_t len);

#endif
