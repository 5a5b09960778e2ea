/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of pooled keys: see watch/pooled.h. */
#include "watch/pooled.h"

#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/frame.h"

bool watch_is_pooled(const struct wire_relay_body *body)
{
    struct wire_relay_metadata metadata;
    return body->key_size > 8 * WIRE_COMPARE_LEN &&
           wire_relay_metadata_decode(&metadata, body->metadata.at, body->metadata.len) > 0 &&
           metadata.key_type == WIRE_FOR_POOL;
}

void watch_pooled_id(const struct qkd_id *frame, uint32_t index, struct qkd_id *id)
{
    uint8_t number[4];
    uint8_t hash[32];
    wire_put_u32(number, index);
    struct crypto_part parts[] = {{"pooled", 6},
                                  {frame->b, sizeof frame->b},
                                  {number, sizeof number}};
    int err = crypto_sha256(parts, 3, hash);
    QKD_ASSERT(err == 0);
    memcpy(id->b, hash, sizeof id->b);
}
