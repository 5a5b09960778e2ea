/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the codec costs on the busiest path: one relay frame (head, body with one 256-bit key and its
 * metadata record), encoded and decoded, beside memcpy() of as many bytes in the same run. Prints
 * the median of several rounds; the budget is 150 ns each way. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"

#define ROUNDS 31
#define CALLS 200000
#define FRAME_MAX 512
#define SOURCES 16 /* what memcpy() copies, in turn */

struct bench {
    struct wire_frame frame;
    struct wire_relay_body body;
    struct wire_relay_metadata metadata;
    uint8_t keys[32];
    uint8_t metadata_bytes[64];
    uint8_t bytes[FRAME_MAX];
    uint8_t sources[SOURCES][FRAME_MAX];
    size_t len;
};

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The fields that differ from frame to frame are changed, so that no call can be dropped. */
static void encode(struct bench *b, uint32_t i)
{
    b->frame.seq = i;
    b->body.session_id = i;
    b->metadata.generated.ns = i;
    int n = wire_relay_metadata_encode(&b->metadata, b->metadata_bytes, sizeof b->metadata_bytes);
    QKD_ASSERT(n > 0);
    b->body.metadata = (struct wire_bytes){b->metadata_bytes, (size_t)n};
    n = wire_relay_body_encode(&b->body, b->bytes + WIRE_FRAME_HEAD_LEN,
                               sizeof b->bytes - WIRE_FRAME_HEAD_LEN - WIRE_FRAME_TAG_LEN);
    QKD_ASSERT(n > 0);
    b->frame.length = (uint32_t)n + WIRE_FRAME_TAG_LEN;
    wire_frame_head_encode(&b->frame, b->bytes);
    b->len = WIRE_FRAME_HEAD_LEN + (size_t)n + WIRE_FRAME_TAG_LEN;
}

static void decode(struct bench *b, uint32_t i)
{
    struct wire_frame frame;
    struct wire_relay_body body;
    struct wire_relay_metadata metadata;
    wire_put_u32(b->bytes + 20, i);
    QKD_ASSERT(wire_frame_decode(&frame, b->bytes, b->len) == 0);
    QKD_ASSERT(wire_relay_body_decode(&body, frame.body, frame.body_len) > 0);
    QKD_ASSERT(wire_relay_metadata_decode(&metadata, body.metadata.at, body.metadata.len) > 0);
    QKD_ASSERT(frame.seq == i && metadata.key_type == WIRE_FOR_ENCRYPTION);
}

/* From another place each time, untouched shortly before: a copy of a buffer just written waits for
 * its stores and looks slower than it is. */
static void copy(struct bench *b, uint32_t i)
{
    const uint8_t *from = b->sources[i % SOURCES];
    memcpy(b->bytes, from, b->len);
    QKD_ASSERT(b->bytes[i % SOURCES] == from[i % SOURCES]);
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x;
    double b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median_ns(struct bench *b, void (*call)(struct bench *b, uint32_t i))
{
    double rounds[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        double start = now_ns();
        for (uint32_t i = 0; i < CALLS; i++) {
            call(b, i);
        }
        rounds[r] = (now_ns() - start) / CALLS;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], by_value);
    return rounds[ROUNDS / 2];
}

int main(void)
{
    static struct bench b;
    b.frame = (struct wire_frame){.type = WIRE_FRAME_RELAY, .method = WIRE_METHOD_OTP, .link = 1};
    b.metadata.key_type = WIRE_FOR_ENCRYPTION;
    b.body.key_size = 256;
    b.body.count = 1;
    b.body.keys = (struct wire_bytes){b.keys, sizeof b.keys};
    encode(&b, 0);
    QKD_ASSERT(b.len == WIRE_FRAME_HEAD_LEN + wire_relay_body_bytes(256, 1) + WIRE_FRAME_TAG_LEN);

    double encode_ns = median_ns(&b, encode);
    double decode_ns = median_ns(&b, decode);
    double copy_ns = median_ns(&b, copy); /* last: it overwrites the frame */
    (void)printf("relay frame of %zu bytes, median of %d rounds of %d calls\n", b.len, ROUNDS,
                 CALLS);
    (void)printf("encode  %7.1f ns  %6.1f x memcpy\n", encode_ns, encode_ns / copy_ns);
    (void)printf("decode  %7.1f ns  %6.1f x memcpy\n", decode_ns, decode_ns / copy_ns);
    (void)printf("memcpy  %7.1f ns\n", copy_ns);
    return 0;
}
