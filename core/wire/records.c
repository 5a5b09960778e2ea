/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoders and decoders of the records that lie in blobs, in frames and in the store; made from the
 * field lists of wire/messages.h by the macros of wire/fields.h. A record begins with its own
 * length, so that several can follow one another. */
#include "core/wire/codec.h"

#include "core/wire/fields.h"

/* Splits a record off the front of untrusted bytes: its length into *size; 0 or an error. */
static inline int record_length(const uint8_t *from, size_t len, size_t *size)
{
    if (len < WIRE_RECORD_HEAD_LEN) {
        return QKD_ERR_SHORT;
    }
    struct wire_in in = {.at = from};
    uint32_t length;
    wire_get_u32_field(&in, &length);
    if (length < WIRE_RECORD_HEAD_LEN || length > INT_MAX) {
        return QKD_ERR_FORMAT;
    }
    *size = length;
    return length > len ? QKD_ERR_SHORT : 0;
}

#define WIRE_LENGTH_LEN (WIRE_RECORD_HEAD_LEN - WIRE_BITMAP_LEN)

#define WIRE_DEFINE_RECORD(name, FIELDS)                                                           \
    WIRE_DEFINE_FIELDS(name, FIELDS)                                                               \
    size_t wire_##name##_size(const struct wire_##name *m)                                         \
    {                                                                                              \
        return WIRE_LENGTH_LEN + wire_##name##_body_size(m);                                       \
    }                                                                                              \
    int wire_##name##_encode(const struct wire_##name *m, uint8_t *to, size_t cap)                 \
    {                                                                                              \
        if (!wire_##name##_may(m)) {                                                               \
            return QKD_ERR_RANGE;                                                                  \
        }                                                                                          \
        size_t size = wire_##name##_size(m);                                                       \
        if (size > INT_MAX) {                                                                      \
            return QKD_ERR_RANGE;                                                                  \
        }                                                                                          \
        if (size > cap) {                                                                          \
            return QKD_ERR_SHORT;                                                                  \
        }                                                                                          \
        uint32_t length = (uint32_t)size;                                                          \
        (void)wire_##name##_body_put(m, wire_put_u32_field(to, &length));                          \
        return (int)size;                                                                          \
    }                                                                                              \
    int wire_##name##_decode(struct wire_##name *m, const uint8_t *from, size_t len)               \
    {                                                                                              \
        size_t size = 0;                                                                           \
        memset(m, 0, sizeof *m);                                                                   \
        int err = record_length(from, len, &size);                                                 \
        if (err == 0) {                                                                            \
            err = wire_##name##_body_get(m, from + WIRE_LENGTH_LEN, size - WIRE_LENGTH_LEN);       \
        }                                                                                          \
        if (err != 0) {                                                                            \
            memset(m, 0, sizeof *m);                                                               \
            return err;                                                                            \
        }                                                                                          \
        return (int)size;                                                                          \
    }
WIRE_RECORDS(WIRE_DEFINE_RECORD)
