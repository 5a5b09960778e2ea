/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kx-1 frames that take pads and a Wegman-Carter tag (rule 3). A RELAY frame is bare: its body is
 * under the pad. CONFIRM, GRANT, SKIP and TAKE frames travel as messages of the record layer with a
 * clear body: their secrecy is computational, their authenticity is not.
 *
 *   0 magic 0xF1 | 1 type | 2 method | 3 zero | 4 link u32 | 8 block u32 | 12 offset u32 |
 *   16 length u32 | 20 seq u32 | 24 epoch u32 | 28 body ... | 16 bytes tag
 *
 * [offset, offset + length) of the block is what the frame consumes, in bytes. RELAY: method OTP
 * length = body + 16; method AES length = 16, or 32 (a new AES key) + 16, and the body is block u32,
 * offset u32 (where its key was taken), nonce (12), cipher text, GCM tag (16). CONFIRM, GRANT, SKIP:
 * length = 16. TAKE: length = keys + 32 (compare key) + 16. The last 16 bytes of the range are the
 * tag's pad. The tag covers sender and receiver element IDs (8
 * bytes each), header and body. epoch: the sender's incarnation; seq: per sender, link and epoch,
 * from 1. */
#ifndef QKD_WIRE_FRAME_H
#define QKD_WIRE_FRAME_H

#include <stddef.h>

#include "core/base/id.h"

#define WIRE_FRAME_MAGIC 0xF1
#define WIRE_FRAME_HEAD_LEN 28
#define WIRE_FRAME_TAG_LEN 16
#define WIRE_FRAME_KEY_BYTES 2048 /* most key bytes in one frame */
#define WIRE_AES_HEAD_LEN 20      /* clear bytes before the cipher text of a RELAY of method AES */
#define WIRE_AES_KEY_LEN 32
#define WIRE_AES_MORE 36    /* bytes by which its body is longer: these, and the GCM tag */
#define WIRE_COMPARE_LEN 32 /* bytes of the Kx-2 compare key: hash key r and pad s */

enum wire_frame_type {
    WIRE_FRAME_RELAY = 0x30,
    WIRE_FRAME_CONFIRM = 0x61,
    WIRE_FRAME_GRANT = 0x63,
    WIRE_FRAME_SKIP = 0x64,
    WIRE_FRAME_TAKE = 0x67
};

struct wire_frame {
    uint8_t type;   /* enum wire_frame_type */
    uint8_t method; /* enum wire_method */
    uint32_t link;
    uint32_t block;
    uint32_t offset; /* bytes */
    uint32_t length; /* bytes consumed, tag pad included */
    uint32_t seq;
    uint32_t epoch;
    const uint8_t *body;
    size_t body_len;
    const uint8_t *tag; /* 16 bytes */
};

/* Writes the 28-byte header. */
void wire_frame_head_encode(const struct wire_frame *frame, uint8_t to[WIRE_FRAME_HEAD_LEN]);

/* Splits untrusted bytes; 0 or QKD_ERR_FORMAT / QKD_ERR_SHORT (then *frame is zero). Checks magic,
 * type, method, that length fits type and body, and that offset + length does not wrap. */
int wire_frame_decode(struct wire_frame *frame, const uint8_t *bytes, size_t len);

/* What stands before the cipher text of a RELAY of method AES. The key is the 32 bytes of the block that
 * a frame of the same sender and epoch took there; no nonce is used twice under it. */
struct wire_aes_head {
    uint32_t block, offset;
    uint64_t count; /* the nonce: four zero bytes and this number */
    const uint8_t *nonce;
};
void wire_aes_head_encode(const struct wire_aes_head *head, uint8_t to[WIRE_AES_HEAD_LEN]);
/* Of a decoded frame of method AES. False: the nonce is none of ours. */
bool wire_aes_head_decode(struct wire_aes_head *head, const struct wire_frame *frame);

/* The body of a RELAY in its observed form, where only what names its key is not plain: where it is, and its
 * length. */
const uint8_t *wire_relay_plain(const struct wire_frame *observed, size_t *len);

/* Bytes of an encoded wire_relay_body with count keys of key_size bits (each rounded up to bytes) and
 * its wire_relay_metadata. The tag is not in. */
size_t wire_relay_body_bytes(uint32_t key_size, uint32_t count);

/* Pool bytes that a TAKE of count keys of key_size bits takes: keys and compare key. The tag's pad
 * is not in. */
size_t wire_take_bytes(uint32_t key_size, uint32_t count);

/* Keys of key_size bits in one frame: `batch`, or as many as WIRE_FRAME_KEY_BYTES hold; at least
 * 1, also for batch 0. */
uint32_t wire_keys_per_frame(uint32_t key_size, uint32_t batch);

/* Bits that one hop pays to relay `amount` keys of `key_size` bits in frames of at most `batch`:
 * per frame body (wire_relay_body with wire_relay_metadata) and tag. Saturates at UINT64_MAX. What a
 * hop of a given scheme pays is wire_hop_cost_bits(). */
uint64_t wire_relay_cost_bits(uint32_t key_size, uint32_t amount, uint32_t batch);

/* The same where link key becomes the key itself (TAKE): keys, 256 bits for comparison, tag, per frame. */
uint64_t wire_take_cost_bits(uint32_t key_size, uint32_t amount, uint32_t batch);

/* A hop of a route, as far as its cost is concerned. */
struct wire_hop {
    uint8_t relay;  /* enum wire_relay */
    bool is_first;  /* it begins at the source */
    bool is_direct; /* and ends at the destination: neighbours supply pool units */
};

/* What this hop pays, with MULTIPATH each hop of each way: wire_take_cost_bits() where a frame only names link key (which becomes the key
 * itself, or is summed with the next link's), else wire_relay_cost_bits(), and two bytes a frame for a
 * share. */
uint64_t wire_hop_cost_bits(const struct wire_hop *hop, uint32_t key_size, uint32_t amount,
                            uint32_t batch);

/* Bits per second that a hop pays for `rate_bps` of key if it pays cost_bits for key_bits of it,
 * rounded up; key_bits > 0. Saturates at UINT64_MAX. */
uint64_t wire_rate_cost_bps(uint64_t rate_bps, uint64_t key_bits, uint64_t cost_bits);

#endif
