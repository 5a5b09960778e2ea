/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every decoder of core/wire on arbitrary bytes. Properties: no decoder reads outside its input
 * (sanitizers see to that); what it accepts encodes to exactly the bytes it took, of the length that
 * size() says; wire_any_check() agrees with the message's own decoder.
 *
 * Random bytes seldom have a good head, so that each input is also tried with the head mended: as
 * each message, and as each record, with the length it really has. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "core/wire/user_network.h"

#define INPUT_MAX 65536
#define PROPERTY(cond) ((cond) ? (void)0 : property_fail(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void property_fail(const char *cond, int line)
{
    (void)fprintf(stderr, "wire_fuzz.c:%d: %s\n", line, cond);
    abort();
}

static bool all_zero(const void *at, size_t len)
{
    const uint8_t *b = at;
    for (size_t i = 0; i < len; i++) {
        if (b[i] != 0) {
            return false;
        }
    }
    return true;
}

/* `scratch` has room for `len` bytes exactly. */
#define CHECK_MESSAGE(NAME, name, code)                                                            \
    static void check_##name(const uint8_t *bytes, size_t len, uint8_t *scratch)                   \
    {                                                                                              \
        struct wire_##name m;                                                                      \
        int err = wire_##name##_decode(&m, bytes, len);                                            \
        PROPERTY(err == 0 || err == QKD_ERR_SHORT || err == QKD_ERR_FORMAT);                       \
        if (len > 2 && bytes[2] == (code)) {                                                       \
            PROPERTY(wire_any_check(bytes, len) == err);                                           \
        }                                                                                          \
        if (err != 0) {                                                                            \
            PROPERTY(all_zero(&m, sizeof m));                                                      \
            return;                                                                                \
        }                                                                                          \
        PROPERTY(m.head.command == (code) && m.head.length == len);                                \
        PROPERTY(wire_##name##_size(&m) == len);                                                   \
        PROPERTY(wire_##name##_encode(&m, scratch, len - 1) == QKD_ERR_SHORT);                     \
        PROPERTY(wire_##name##_encode(&m, scratch, len) == (int)len);                              \
        PROPERTY(memcmp(scratch, bytes, len) == 0);                                                \
    }
WIRE_MESSAGES(CHECK_MESSAGE)

#define CHECK_RECORD(name, FIELDS)                                                                 \
    static void check_##name(const uint8_t *bytes, size_t len, uint8_t *scratch)                   \
    {                                                                                              \
        struct wire_##name m;                                                                      \
        int n = wire_##name##_decode(&m, bytes, len);                                              \
        PROPERTY(n > 0 || n == QKD_ERR_SHORT || n == QKD_ERR_FORMAT);                              \
        if (n < 0) {                                                                               \
            PROPERTY(all_zero(&m, sizeof m));                                                      \
            return;                                                                                \
        }                                                                                          \
        PROPERTY((size_t)n <= len);                                                                \
        PROPERTY(wire_##name##_size(&m) == (size_t)n);                                             \
        PROPERTY(wire_##name##_encode(&m, scratch, (size_t)n - 1) == QKD_ERR_SHORT);               \
        PROPERTY(wire_##name##_encode(&m, scratch, len) == n);                                     \
        PROPERTY(memcmp(scratch, bytes, (size_t)n) == 0);                                          \
    }
WIRE_RECORDS(CHECK_RECORD)

static void check_frame(const uint8_t *bytes, size_t len)
{
    struct wire_frame frame;
    uint8_t head[WIRE_FRAME_HEAD_LEN];
    int err = wire_frame_decode(&frame, bytes, len);
    PROPERTY(err == 0 || err == QKD_ERR_SHORT || err == QKD_ERR_FORMAT);
    if (err != 0) {
        PROPERTY(frame.body == NULL && frame.tag == NULL && frame.body_len == 0);
        return;
    }
    PROPERTY(frame.body == bytes + WIRE_FRAME_HEAD_LEN);
    PROPERTY(frame.tag == frame.body + frame.body_len);
    PROPERTY(frame.tag + WIRE_FRAME_TAG_LEN == bytes + len);
    PROPERTY((uint64_t)frame.offset + frame.length <= UINT32_MAX);
    wire_frame_head_encode(&frame, head);
    PROPERTY(memcmp(head, bytes, sizeof head) == 0);
}

/* Networks of users: a list that is whole can be asked, for each network that stands in it and for any address. */
static void check_networks(const uint8_t *bytes, size_t len)
{
    struct wire_bytes networks = {bytes, len};
    struct wire_user_network what = {0};
    int err = wire_networks_check(networks);
    PROPERTY(err <= 0);
    for (size_t at = 0; err == 0 && at < len;) {
        int n = wire_user_network_decode(&what, bytes + at, len - at);
        PROPERTY(n > 0);
        int match = wire_networks_match(networks, &what);
        PROPERTY(match <= WIRE_NETWORK_NAMED &&
                 match >= (what.has_name ? WIRE_NETWORK_NAMED : what.bits));
        at += (size_t)n;
    }
}

/* Gives the bytes a head that passes, for the command that stands there. */
static void mend_head(uint8_t *bytes, size_t len, uint8_t command)
{
    bytes[0] = WIRE_VERSION;
    bytes[2] = command;
    bytes[3] = 0;
    wire_put_u32(bytes + 4, (uint32_t)len);
}

/* The option bitmap lies at `at`: keeps as many bits as there are options. */
static void mend_bitmap(uint8_t *bytes, size_t at, unsigned options)
{
    uint32_t map = wire_get_u32(bytes + at);
    wire_put_u32(bytes + at, map & ((UINT32_C(1) << options) - 1));
}

#define COUNT_M(kind, name)
#define COUNT_O(kind, name) +1U

#define TRY_MENDED_MESSAGE(NAME, name, code)                                                       \
    mend_head(copy, size, (code));                                                                 \
    memcpy(copy + WIRE_HEAD_LEN, data + WIRE_HEAD_LEN, 4);                                         \
    mend_bitmap(copy, WIRE_HEAD_LEN, 0U WIRE_##NAME(COUNT_M, COUNT_O));                            \
    check_##name(copy, size, scratch);
#define TRY_MENDED_RECORD(name, FIELDS)                                                            \
    wire_put_u32(copy, (uint32_t)size);                                                            \
    memcpy(copy + 4, data + 4, 4);                                                                 \
    mend_bitmap(copy, 4, 0U FIELDS(COUNT_M, COUNT_O));                                             \
    check_##name(copy, size, scratch);

static void try_mended(const uint8_t *data, size_t size, uint8_t *copy, uint8_t *scratch)
{
    if (size >= WIRE_HEAD_LEN + 4) {
        WIRE_MESSAGES(TRY_MENDED_MESSAGE)
    }
    memcpy(copy, data, size);
    if (size >= 8) {
        WIRE_RECORDS(TRY_MENDED_RECORD)
        memcpy(copy, data, size);
        wire_put_u32(copy, (uint32_t)size);
        check_networks(copy, size);
    }
    memcpy(copy, data, size);
    if (size >= WIRE_FRAME_HEAD_LEN) {
        copy[0] = WIRE_FRAME_MAGIC;
        copy[3] = 0;
        check_frame(copy, size);
        wire_put_u32(copy + 16, (uint32_t)(size - WIRE_FRAME_HEAD_LEN)); /* fits a RELAY */
        check_frame(copy, size);
        wire_put_u32(copy + 16, WIRE_FRAME_TAG_LEN);
        check_frame(copy, size);
    }
}

#define TRY_MESSAGE(NAME, name, code) check_##name(data, size, scratch);
#define TRY_RECORD(name, FIELDS) check_##name(data, size, scratch);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    uint8_t *scratch = malloc(size);
    uint8_t *copy = malloc(size);
    if (scratch == NULL || copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    WIRE_MESSAGES(TRY_MESSAGE)
    WIRE_RECORDS(TRY_RECORD)
    int any = wire_any_check(data, size);
    PROPERTY(any == 0 || any == QKD_ERR_SHORT || any == QKD_ERR_FORMAT || any == QKD_ERR_UNKNOWN);
    check_frame(data, size);
    check_networks(data, size);
    try_mended(data, size, copy, scratch);
    free(scratch);
    free(copy);
    return 0;
}
