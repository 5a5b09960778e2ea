/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoding of the channel's frames. */
#include "core/channel/frames.h"

#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"

static int record_decode(struct chan_frame *frame, const uint8_t *bytes, size_t len)
{
    if (len < CHAN_HEAD_LEN + CRYPTO_GCM_TAG_LEN) {
        return QKD_ERR_SHORT;
    }
    frame->session = wire_get_u32(bytes + 4);
    frame->counter = wire_get_u64(bytes + 8);
    return QKD_OK;
}

static int shake_decode(struct chan_frame *frame, const uint8_t *bytes, size_t len)
{
    if (len != CHAN_SHAKE_LEN) {
        return len < CHAN_SHAKE_LEN ? QKD_ERR_SHORT : QKD_ERR_FORMAT;
    }
    frame->incarnation = wire_get_u32(bytes + 4);
    frame->serial = wire_get_u32(bytes + 8);
    frame->nonce = bytes + 12;
    frame->mac = bytes + CHAN_MACED_LEN;
    return QKD_OK;
}

int chan_frame_decode(struct chan_frame *frame, const uint8_t *bytes, size_t len)
{
    *frame = (struct chan_frame){.nonce = NULL};
    if (len < CHAN_RESET_LEN) {
        return QKD_ERR_SHORT;
    }
    if (bytes[0] != CHAN_MAGIC || bytes[2] != 0 || bytes[3] != 0) {
        return QKD_ERR_FORMAT;
    }
    switch (bytes[1]) {
    case CHAN_FRAME_OPEN:
    case CHAN_FRAME_ACCEPT:
        frame->type = (enum chan_frame_type)bytes[1];
        return shake_decode(frame, bytes, len);
    case CHAN_FRAME_CONTROL:
    case CHAN_FRAME_DATA:
        frame->type = (enum chan_frame_type)bytes[1];
        return record_decode(frame, bytes, len);
    case CHAN_FRAME_RESET:
        frame->type = CHAN_FRAME_RESET;
        frame->session = wire_get_u32(bytes + 4);
        return len == CHAN_RESET_LEN ? QKD_OK : QKD_ERR_FORMAT;
    default:
        return QKD_ERR_FORMAT;
    }
}

static void start_encode(enum chan_frame_type type, uint8_t *to)
{
    to[0] = CHAN_MAGIC;
    to[1] = (uint8_t)type;
    to[2] = 0;
    to[3] = 0;
}

void chan_shake_encode(const struct chan_frame *frame, uint8_t to[CHAN_MACED_LEN])
{
    start_encode(frame->type, to);
    wire_put_u32(to + 4, frame->incarnation);
    wire_put_u32(to + 8, frame->serial);
    memcpy(to + 12, frame->nonce, CHAN_NONCE_LEN);
}

void chan_head_encode(const struct chan_frame *frame, uint8_t to[CHAN_HEAD_LEN])
{
    start_encode(frame->type, to);
    wire_put_u32(to + 4, frame->session);
    wire_put_u64(to + 8, frame->counter);
}

void chan_reset_encode(uint32_t session, uint8_t to[CHAN_RESET_LEN])
{
    start_encode(CHAN_FRAME_RESET, to);
    wire_put_u32(to + 4, session);
}
