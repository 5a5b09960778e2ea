/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoders and decoders of the messages, made from the field lists of wire/messages.h by the macros
 * of wire/fields.h. The order of every check is the same for all: sizes before contents, and
 * nothing is written or returned unless all of them pass. */
#include "core/wire/codec.h"

#include "core/wire/fields.h"

#define WIRE_MIN_MESSAGE (WIRE_HEAD_LEN + WIRE_BITMAP_LEN)

static uint8_t *head_put(const struct wire_head *head, uint8_t command, size_t length, uint8_t *to)
{
    uint32_t length32 = (uint32_t)length;
    to[0] = WIRE_VERSION;
    to[1] = head->rp;
    to[2] = command;
    to[3] = 0;
    to = wire_put_u32_field(to + 4, &length32);
    to = wire_put_u64_field(to, &head->message_id);
    to = wire_put_u64_field(to, &head->orig_message_id);
    return wire_put_eid_field(to, &head->sender);
}

static int head_get(struct wire_head *head, const uint8_t *from, size_t len)
{
    if (len < WIRE_HEAD_LEN) {
        return QKD_ERR_SHORT;
    }
    struct wire_in in = {.at = from};
    wire_get_u8_field(&in, &head->version);
    wire_get_u8_field(&in, &head->rp);
    wire_get_u8_field(&in, &head->command);
    wire_get_u8_field(&in, &head->flags);
    wire_get_u32_field(&in, &head->length);
    wire_get_u64_field(&in, &head->message_id);
    wire_get_u64_field(&in, &head->orig_message_id);
    wire_get_eid_field(&in, &head->sender);
    if (head->version != WIRE_VERSION || head->flags != 0 || head->length < WIRE_MIN_MESSAGE ||
        head->length > WIRE_MAX_MESSAGE) {
        return QKD_ERR_FORMAT;
    }
    if (head->length > len) {
        return QKD_ERR_SHORT;
    }
    return head->length == len ? 0 : QKD_ERR_FORMAT;
}

int wire_head_decode(struct wire_head *head, const uint8_t *from, size_t len)
{
    *head = (struct wire_head){0};
    int err = head_get(head, from, len);
    if (err != 0) {
        *head = (struct wire_head){0};
    }
    return err;
}

#define WIRE_DEFINE_MESSAGE(NAME, name, code)                                                      \
    WIRE_DEFINE_FIELDS(name, WIRE_##NAME)                                                          \
    size_t wire_##name##_size(const struct wire_##name *m)                                         \
    {                                                                                              \
        return WIRE_HEAD_LEN + wire_##name##_body_size(m);                                         \
    }                                                                                              \
    int wire_##name##_encode(const struct wire_##name *m, uint8_t *to, size_t cap)                 \
    {                                                                                              \
        if (!wire_##name##_may(m)) {                                                               \
            return QKD_ERR_RANGE;                                                                  \
        }                                                                                          \
        size_t size = wire_##name##_size(m);                                                       \
        if (size > WIRE_MAX_MESSAGE) {                                                             \
            return QKD_ERR_RANGE;                                                                  \
        }                                                                                          \
        if (size > cap) {                                                                          \
            return QKD_ERR_SHORT;                                                                  \
        }                                                                                          \
        (void)wire_##name##_body_put(m, head_put(&m->head, (code), size, to));                     \
        return (int)size;                                                                          \
    }                                                                                              \
    int wire_##name##_decode(struct wire_##name *m, const uint8_t *from, size_t len)               \
    {                                                                                              \
        memset(m, 0, sizeof *m);                                                                   \
        int err = head_get(&m->head, from, len);                                                   \
        if (err == 0 && m->head.command != (code)) {                                               \
            err = QKD_ERR_FORMAT;                                                                  \
        }                                                                                          \
        if (err == 0) {                                                                            \
            err = wire_##name##_body_get(m, from + WIRE_HEAD_LEN, len - WIRE_HEAD_LEN);            \
        }                                                                                          \
        if (err != 0) {                                                                            \
            memset(m, 0, sizeof *m);                                                               \
        }                                                                                          \
        return err;                                                                                \
    }
WIRE_MESSAGES(WIRE_DEFINE_MESSAGE)

#define WIRE_CHECK_MESSAGE(NAME, name, code)                                                       \
    case (code): {                                                                                 \
        struct wire_##name message;                                                                \
        return wire_##name##_decode(&message, from, len);                                          \
    }

int wire_any_check(const uint8_t *from, size_t len)
{
    struct wire_head head;
    int err = wire_head_decode(&head, from, len);
    if (err != 0) {
        return err;
    }
    switch (head.command) {
        WIRE_MESSAGES(WIRE_CHECK_MESSAGE)
    default:
        return QKD_ERR_UNKNOWN;
    }
}

void wire_put_u32(uint8_t *to, uint32_t v)
{
    (void)wire_put_u32_field(to, &v);
}

void wire_put_u64(uint8_t *to, uint64_t v)
{
    (void)wire_put_u64_field(to, &v);
}

uint32_t wire_get_u32(const uint8_t *from)
{
    struct wire_in in = {.at = from};
    uint32_t v;
    wire_get_u32_field(&in, &v);
    return v;
}

uint64_t wire_get_u64(const uint8_t *from)
{
    struct wire_in in = {.at = from};
    uint64_t v;
    wire_get_u64_field(&in, &v);
    return v;
}
