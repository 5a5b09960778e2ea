/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Security measures that an experiment may switch off one by one (X.1712; docs/security.md), so that an
 * attack shows what each of them is good for. Elements get the set of those that are off with their
 * configuration; only virtual worlds ever give one that is not empty, and every result says so. */
#ifndef QKD_BASE_MEASURE_H
#define QKD_BASE_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/* name, key in a scenario, what it does */
/* clang-format off */
#define QKD_MEASURES(X)                                                                            \
    X(RECORD_ENCRYPTION, "record_encryption", "messages between elements are encrypted")           \
    X(RECORD_AUTHENTICATION, "record_authentication",                                              \
      "messages between elements, and who says them, are authenticated")                           \
    X(REPLAY_WINDOW, "replay_window", "a record or handshake that comes twice is taken once")                   \
    X(RELAY_ENCRYPTION, "relay_encryption", "relayed keys and their metadata are under a pad")     \
    X(RELAY_TAG, "relay_tag", "the tag of frames between key managers is verified")                \
    X(FRAME_SEQUENCE, "frame_sequence", "a frame that comes twice is taken once")                  \
    X(COMPARE, "compare", "both KSAs compare a key before either supplies it")                     \
    X(FILE_CHECK, "file_check", "a key file is checked against its hash and its metadata")         \
    X(AUTHORIZATION, "authorization", "an authenticated element is asked for its role and rights") \
    X(RESEND, "resend", "what is not acknowledged is sent again")                                  \
    X(KEPT_ROUTES, "kept_routes", "a route that was good is used on while no controller answers")  \
    X(FULL_TAGS, "full_tags", "tags of frames between key managers have 128 bits, not 8")          \
    X(STORAGE_PROTECTION, "storage_protection",                                                    \
      "what is stored is encrypted and authenticated under the unlock secret")                     \
    X(FRESH_START, "fresh_start",                                                                  \
      "an element that lost its store begins with numbers that it never used")                   \
    X(RATE_LIMIT, "rate_limit",                                                                    \
      "what one source may cost before it has shown who it is, or may ask for, is bounded")        \
    X(PEER_FILTER, "peer_filter",                                                                  \
      "sources of many bad frames are put into quarantine, strangers are few")                     \
    X(STORED_KEYS, "stored_keys", "key is stored ahead of need, for as long as it may be used")    \
    X(STALE_STATUS, "stale_status", "a status that grows old is noticed and told")
/* clang-format on */

#define QKD_MEASURE_ENUM(name, key, text) QKD_MEASURE_##name,
enum qkd_measure { QKD_MEASURES(QKD_MEASURE_ENUM) QKD_MEASURE_COUNT };

/* One measure in a set of those that are off. */
#define QKD_OFF(name) (UINT32_C(1) << QKD_MEASURE_##name)

static inline bool qkd_is_off(uint32_t off, enum qkd_measure measure)
{
    return (off >> measure & 1) != 0;
}

#endif
