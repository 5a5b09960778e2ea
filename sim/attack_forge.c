/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages that an attacker makes up in the name of somebody whose messages it sees, without any secret
 * of theirs. Session, counters and places of pads stand in clear, so those it gets right. If the text of the
 * message that it imitates lies open, it takes over that text under another message ID or key ID, with keys
 * of its own; otherwise it can but send as many bytes of chance. */
#include <string.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/channel/frames.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "sim/attack.h"

enum {
    COUNTER_AT = 8,  /* in the head of a record */
    ID_AT = 8,       /* the message ID in the head of a message */
    OWN_ID_BIT = 38, /* message IDs are (incarnation << 40) + n: n so high is not used */
    SEQ_AHEAD = 256  /* frames in flight are fewer, and the receiver's window is wider */
};

/* A message with the head of the one seen, one record later. */
static bool record_forge(struct qkd_rng *rng, const struct sim_sight *sight, uint8_t *to)
{
    if (sight->len <= CHAN_OVERHEAD || sight->bytes[0] != CHAN_MAGIC ||
        sight->bytes[1] != CHAN_FRAME_DATA) {
        return false;
    }
    size_t text = sight->len - CHAN_OVERHEAD;
    memcpy(to, sight->bytes, CHAN_HEAD_LEN);
    wire_put_u64(to + COUNTER_AT, wire_get_u64(sight->bytes + COUNTER_AT) + 1);
    qkd_rng_bytes(rng, to + CHAN_HEAD_LEN, sight->len - CHAN_HEAD_LEN);
    if (sim_sight_is_open(sight)) {
        uint8_t *message = to + CHAN_HEAD_LEN;
        memcpy(message, sight->observed, text);
        if (message[0] != WIRE_FRAME_MAGIC && text >= WIRE_HEAD_LEN) {
            uint64_t id = wire_get_u64(message + ID_AT);
            wire_put_u64(message + ID_AT, id ^ UINT64_C(1) << OWN_ID_BIT);
        }
    }
    return true;
}

/* A RELAY under pads further on in the same block. */
static bool relay_forge(struct qkd_rng *rng, const struct sim_sight *sight, uint8_t *to)
{
    struct wire_frame frame;
    if (wire_frame_decode(&frame, sight->bytes, sight->len) != QKD_OK ||
        frame.type != WIRE_FRAME_RELAY) {
        return false;
    }
    frame.seq += SEQ_AHEAD;
    frame.offset += frame.length;
    wire_frame_head_encode(&frame, to);
    qkd_rng_bytes(rng, to + WIRE_FRAME_HEAD_LEN, sight->len - WIRE_FRAME_HEAD_LEN);
    struct wire_relay_body body;
    const uint8_t *plain = sight->bytes + WIRE_FRAME_HEAD_LEN;
    if (sim_sight_is_open(sight) && wire_relay_body_decode(&body, plain, frame.body_len) > 0 &&
        body.keys.len <= WIRE_FRAME_KEY_BYTES) {
        uint8_t keys[WIRE_FRAME_KEY_BYTES];
        qkd_rng_bytes(rng, body.key_id.b, sizeof body.key_id.b);
        qkd_rng_bytes(rng, keys, body.keys.len);
        body.keys.at = keys;
        return wire_relay_body_encode(&body, to + WIRE_FRAME_HEAD_LEN, frame.body_len) > 0;
    }
    return true;
}

bool sim_forge(struct qkd_rng *rng, const struct sim_sight *sight, uint8_t *to)
{
    return sight->rp == QKD_RP_KX1 && sight->bytes[0] == WIRE_FRAME_MAGIC
               ? relay_forge(rng, sight, to)
               : record_forge(rng, sight, to);
}
