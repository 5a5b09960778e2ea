/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads of the Kx-1 frames that take pads, and what such frames cost. Sizes come from the field
 * lists of wire/messages.h, so that a changed list changes the cost of a hop with it. */
#include "core/wire/frame.h"

#include "core/base/err.h"
#include "core/wire/fields.h"

enum {
    RELAY_BODY_FIXED = WIRE_RECORD_HEAD_LEN + WIRE_MANDATORY_BYTES(WIRE_RELAY_BODY),
    SHARE_BYTES = WIRE_FIXED_BYTES(WIRE_RELAY_BODY) - WIRE_MANDATORY_BYTES(WIRE_RELAY_BODY),
    RELAY_METADATA_BYTES = WIRE_RECORD_HEAD_LEN + WIRE_FIXED_BYTES(WIRE_RELAY_METADATA)
};

void wire_frame_head_encode(const struct wire_frame *frame, uint8_t to[WIRE_FRAME_HEAD_LEN])
{
    to[0] = WIRE_FRAME_MAGIC;
    to[1] = frame->type;
    to[2] = frame->method;
    to[3] = 0;
    to = wire_put_u32_field(to + 4, &frame->link);
    to = wire_put_u32_field(to, &frame->block);
    to = wire_put_u32_field(to, &frame->offset);
    to = wire_put_u32_field(to, &frame->length);
    to = wire_put_u32_field(to, &frame->seq);
    (void)wire_put_u32_field(to, &frame->epoch);
}

/* Whether `length` pad bytes are what a frame of this type, method and body consumes. */
static bool length_fits(const struct wire_frame *frame)
{
    uint32_t length = frame->length;
    switch (frame->type) {
    case WIRE_FRAME_RELAY:
        if (frame->method == WIRE_METHOD_AES) {
            /* the tag's pad, and before it the fallback key when the frame begins a new one */
            return frame->body_len > WIRE_AES_MORE &&
                   (length == WIRE_FRAME_TAG_LEN ||
                    length == WIRE_AES_KEY_LEN + WIRE_FRAME_TAG_LEN);
        }
        return frame->method == WIRE_METHOD_OTP && frame->body_len > 0 &&
               (uint64_t)frame->body_len + WIRE_FRAME_TAG_LEN == length;
    case WIRE_FRAME_CONFIRM:
    case WIRE_FRAME_GRANT:
    case WIRE_FRAME_SKIP:
        return length == WIRE_FRAME_TAG_LEN;
    case WIRE_FRAME_TAKE:
        return length > WIRE_COMPARE_LEN + WIRE_FRAME_TAG_LEN; /* at least one byte of key */
    default:
        return false;
    }
}

static int frame_get(struct wire_frame *frame, const uint8_t *bytes, size_t len)
{
    struct wire_in in = {.at = bytes};
    uint8_t magic;
    uint8_t zero;
    if (len < WIRE_FRAME_HEAD_LEN + WIRE_FRAME_TAG_LEN) {
        return QKD_ERR_SHORT;
    }
    wire_get_u8_field(&in, &magic);
    wire_get_u8_field(&in, &frame->type);
    wire_get_u8_field(&in, &frame->method);
    wire_get_u8_field(&in, &zero);
    wire_get_u32_field(&in, &frame->link);
    wire_get_u32_field(&in, &frame->block);
    wire_get_u32_field(&in, &frame->offset);
    wire_get_u32_field(&in, &frame->length);
    wire_get_u32_field(&in, &frame->seq);
    wire_get_u32_field(&in, &frame->epoch);
    frame->body = in.at;
    frame->body_len = len - WIRE_FRAME_HEAD_LEN - WIRE_FRAME_TAG_LEN;
    frame->tag = in.at + frame->body_len;
    if (magic != WIRE_FRAME_MAGIC || zero != 0 || frame->method > WIRE_METHOD_POOL ||
        !length_fits(frame) || frame->offset > UINT32_MAX - frame->length) {
        return QKD_ERR_FORMAT;
    }
    return 0;
}

int wire_frame_decode(struct wire_frame *frame, const uint8_t *bytes, size_t len)
{
    *frame = (struct wire_frame){0};
    int err = frame_get(frame, bytes, len);
    if (err != 0) {
        *frame = (struct wire_frame){0};
    }
    return err;
}

void wire_aes_head_encode(const struct wire_aes_head *head, uint8_t to[WIRE_AES_HEAD_LEN])
{
    wire_put_u32(to, head->block);
    wire_put_u32(to + 4, head->offset);
    wire_put_u32(to + 8, 0);
    wire_put_u64(to + 12, head->count);
}

bool wire_aes_head_decode(struct wire_aes_head *head, const struct wire_frame *frame)
{
    const uint8_t *at = frame->body;
    *head = (struct wire_aes_head){.block = wire_get_u32(at),
                                   .offset = wire_get_u32(at + 4),
                                   .count = wire_get_u64(at + 12),
                                   .nonce = at + 8};
    return wire_get_u32(at + 8) == 0;
}

const uint8_t *wire_relay_plain(const struct wire_frame *observed, size_t *len)
{
    bool aes = observed->method == WIRE_METHOD_AES;
    *len = observed->body_len - (aes ? WIRE_AES_MORE : 0);
    return observed->body + (aes ? WIRE_AES_HEAD_LEN : 0);
}

/* count keys of key_size bits, each rounded up to bytes; at most 2^61. */
static uint64_t keys_bytes(uint32_t key_size, uint32_t count)
{
    return ((uint64_t)key_size + 7) / 8 * count;
}

static size_t to_size(uint64_t bytes)
{
    return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

/* Bits of `amount` keys in frames of at most `batch`, each with `overhead` bytes beside its keys. */
static uint64_t cost_bits(uint64_t overhead, uint64_t key_bytes, uint32_t amount,
                          uint32_t per_frame)
{
    uint64_t frames = ((uint64_t)amount + per_frame - 1) / per_frame;
    uint64_t bytes = frames * overhead + key_bytes; /* < 2^42 + 2^61 */
    return bytes > UINT64_MAX / 8 ? UINT64_MAX : bytes * 8;
}

uint32_t wire_keys_per_frame(uint32_t key_size, uint32_t batch)
{
    uint64_t key_bytes = keys_bytes(key_size, 1);
    uint64_t fit = key_bytes == 0 ? WIRE_FRAME_KEY_BYTES : WIRE_FRAME_KEY_BYTES / key_bytes;
    uint64_t n = batch < fit ? batch : fit;
    return n == 0 ? 1 : (uint32_t)n;
}

size_t wire_relay_body_bytes(uint32_t key_size, uint32_t count)
{
    return to_size(RELAY_BODY_FIXED + RELAY_METADATA_BYTES + keys_bytes(key_size, count));
}

size_t wire_take_bytes(uint32_t key_size, uint32_t count)
{
    return to_size(WIRE_COMPARE_LEN + keys_bytes(key_size, count));
}

uint64_t wire_relay_cost_bits(uint32_t key_size, uint32_t amount, uint32_t batch)
{
    return cost_bits(wire_relay_body_bytes(key_size, 0) + WIRE_FRAME_TAG_LEN,
                     keys_bytes(key_size, amount), amount, wire_keys_per_frame(key_size, batch));
}

uint64_t wire_take_cost_bits(uint32_t key_size, uint32_t amount, uint32_t batch)
{
    return cost_bits(wire_take_bytes(key_size, 0) + WIRE_FRAME_TAG_LEN,
                     keys_bytes(key_size, amount), amount, wire_keys_per_frame(key_size, batch));
}

uint64_t wire_hop_cost_bits(const struct wire_hop *hop, uint32_t key_size, uint32_t amount,
                            uint32_t batch)
{
    bool is_taken = hop->is_direct || hop->relay == WIRE_RELAY_DESTINATION ||
                    (hop->is_first && hop->relay == WIRE_RELAY_FIRST_KEY);
    if (hop->relay == WIRE_RELAY_MULTIPATH && !hop->is_direct) { /* of each of its ways */
        return cost_bits(wire_relay_body_bytes(key_size, 0) + SHARE_BYTES + WIRE_FRAME_TAG_LEN,
                         keys_bytes(key_size, amount), amount,
                         wire_keys_per_frame(key_size, batch));
    }
    return is_taken ? wire_take_cost_bits(key_size, amount, batch)
                    : wire_relay_cost_bits(key_size, amount, batch);
}

uint64_t wire_rate_cost_bps(uint64_t rate_bps, uint64_t key_bits, uint64_t cost_bits)
{
    uint64_t whole = rate_bps / key_bits;
    uint64_t rest = rate_bps % key_bits;
    if (cost_bits > 0 &&
        (whole > UINT64_MAX / 2 / cost_bits || rest > UINT64_MAX / 4 / cost_bits)) {
        return UINT64_MAX;
    }
    return whole * cost_bits + (rest * cost_bits + key_bits - 1) / key_bits;
}
