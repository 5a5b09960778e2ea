/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a channel puts on a reference point, byte for byte (big-endian). Every frame starts with
 * magic 0xC1 and its type.
 *
 *   OPEN     0 magic | 1 type | 2 zero (2) | 4 incarnation u32 | 8 serial u32 | 12 nonce 32 | 44 MAC 32
 *   ACCEPT   the same; serial is that of the OPEN it answers
 *   RESET    0 magic | 1 type | 2 zero (2) | 4 session u32
 *   CONTROL  0 magic | 1 type | 2 zero (2) | 4 session u32 | 8 counter u64 | sealed 7-2 or 7-3 | 16 tag
 *   DATA     the same with a sealed message
 *
 * Kx-1 frames that travel bare start with another byte (WIRE_FRAME_MAGIC). */
#ifndef QKD_CHANNEL_FRAMES_H
#define QKD_CHANNEL_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define CHAN_MAGIC 0xC1
#define CHAN_NONCE_LEN 32
#define CHAN_MAC_LEN 32
#define CHAN_MACED_LEN 44 /* bytes of OPEN and ACCEPT before the MAC */
#define CHAN_SHAKE_LEN (CHAN_MACED_LEN + CHAN_MAC_LEN)
#define CHAN_RESET_LEN 8
#define CHAN_HEAD_LEN 16

enum chan_frame_type {
    CHAN_FRAME_OPEN = 1,
    CHAN_FRAME_ACCEPT = 2,
    CHAN_FRAME_RESET = 3,
    CHAN_FRAME_CONTROL = 4,
    CHAN_FRAME_DATA = 5
};

struct chan_frame {
    enum chan_frame_type type;
    uint32_t incarnation; /* OPEN, ACCEPT */
    uint32_t serial;      /* OPEN, ACCEPT: number of the sender's OPEN, from 1 per incarnation */
    uint32_t session;     /* RESET, CONTROL, DATA */
    uint64_t counter;     /* CONTROL, DATA */
    const uint8_t *nonce; /* OPEN, ACCEPT: in the input; 32 bytes */
    const uint8_t *mac;   /* OPEN, ACCEPT: in the input; 32 bytes */
};

/* Splits untrusted bytes; 0, QKD_ERR_SHORT or QKD_ERR_FORMAT. */
int chan_frame_decode(struct chan_frame *frame, const uint8_t *bytes, size_t len);

/* Writes an OPEN or ACCEPT up to its MAC (frame->mac is not read). */
void chan_shake_encode(const struct chan_frame *frame, uint8_t to[CHAN_MACED_LEN]);

/* Writes the clear header of a record. */
void chan_head_encode(const struct chan_frame *frame, uint8_t to[CHAN_HEAD_LEN]);

/* Writes a RESET. */
void chan_reset_encode(uint32_t session, uint8_t to[CHAN_RESET_LEN]);

#endif
