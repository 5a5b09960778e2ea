/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Structs, encoders and decoders that wire/messages.h describes. For each message NAME/name:
 *
 *   struct wire_name {struct wire_head head; fields...};   optional field f has a bool has_f
 *   size_t wire_name_size(const struct wire_name *m);                    encoded bytes
 *   int wire_name_encode(const struct wire_name *m, uint8_t *to, size_t cap);   bytes or error
 *   int wire_name_decode(struct wire_name *m, const uint8_t *from, size_t len); 0 or error
 *
 * The encoder fills head.version, command, flags and length. Records have no head but a u32 length
 * (itself included) and the u32 bitmap, so that a blob holds several: wire_name_decode() of a record
 * returns the bytes it took.
 *
 * Encoders: QKD_ERR_SHORT if cap is too small, QKD_ERR_RANGE if the struct cannot be encoded (a str
 * over 255 bytes or with a NUL inside, over WIRE_MAX_MESSAGE); nothing is written then.
 * Decoders take untrusted bytes: QKD_ERR_SHORT if truncated, QKD_ERR_FORMAT if malformed in any
 * other way; the struct is all zero then. Fields that are absent are zero. */
#ifndef QKD_WIRE_CODEC_H
#define QKD_WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/wire/messages.h"

/* A view of bytes; not owned. */
struct wire_bytes {
    const uint8_t *at;
    size_t len;
};

struct wire_head {
    uint8_t version;          /* WIRE_VERSION */
    uint8_t rp;               /* enum qkd_rp it is meant for */
    uint8_t command;          /* enum wire_command */
    uint8_t flags;            /* zero */
    uint32_t length;          /* of the whole message, bytes */
    uint64_t message_id;      /* chosen by the sender, never 0, unique per sender and incarnation */
    uint64_t orig_message_id; /* of the command answered; 0: none */
    struct qkd_eid sender;
};

#define WIRE_ENUM_COMMAND(NAME, name, code) WIRE_CMD_##NAME = (code),
enum wire_command { WIRE_MESSAGES(WIRE_ENUM_COMMAND) };

typedef uint8_t wire_type_u8;
typedef uint16_t wire_type_u16;
typedef uint32_t wire_type_u32;
typedef uint64_t wire_type_u64;
typedef struct qkd_time wire_type_time;
typedef struct qkd_span wire_type_span;
typedef struct qkd_eid wire_type_eid;
typedef struct qkd_id wire_type_id;
typedef struct wire_b16 {
    uint8_t b[16];
} wire_type_b16;
typedef struct wire_b32 {
    uint8_t b[32];
} wire_type_b32;
typedef struct wire_bytes wire_type_str; /* at most 255 bytes, no NUL inside */
typedef struct wire_bytes wire_type_blob;

#define WIRE_FIELD_M(kind, name) wire_type_##kind name;
#define WIRE_FIELD_O(kind, name)                                                                   \
    bool has_##name;                                                                               \
    wire_type_##kind name;

#define WIRE_DECLARE_MESSAGE(NAME, name, code)                                                     \
    struct wire_##name {                                                                           \
        struct wire_head head;                                                                     \
        WIRE_##NAME(WIRE_FIELD_M, WIRE_FIELD_O)                                                    \
    };                                                                                             \
    size_t wire_##name##_size(const struct wire_##name *m);                                        \
    int wire_##name##_encode(const struct wire_##name *m, uint8_t *to, size_t cap);                \
    int wire_##name##_decode(struct wire_##name *m, const uint8_t *from, size_t len);
WIRE_MESSAGES(WIRE_DECLARE_MESSAGE)
#undef WIRE_DECLARE_MESSAGE

#define WIRE_DECLARE_RECORD(name, FIELDS)                                                          \
    struct wire_##name {                                                                           \
        FIELDS(WIRE_FIELD_M, WIRE_FIELD_O)                                                         \
    };                                                                                             \
    size_t wire_##name##_size(const struct wire_##name *m);                                        \
    int wire_##name##_encode(const struct wire_##name *m, uint8_t *to, size_t cap);                \
    int wire_##name##_decode(struct wire_##name *m, const uint8_t *from, size_t len);
WIRE_RECORDS(WIRE_DECLARE_RECORD)
#undef WIRE_DECLARE_RECORD

/* Reads the head alone, to choose the decoder; 0 or an error. Checks version and length. */
int wire_head_decode(struct wire_head *head, const uint8_t *from, size_t len);

/* "KEY_SUPPLY" for a command code; NULL if there is no such command. */
const char *wire_command_name(unsigned command);

/* Decodes any message and throws it away: for fuzzing and statistics. 0 or an error;
 * QKD_ERR_UNKNOWN if the head is good but the command is none. */
int wire_any_check(const uint8_t *from, size_t len);

/* big-endian integers */
void wire_put_u32(uint8_t *to, uint32_t v);
void wire_put_u64(uint8_t *to, uint64_t v);
uint32_t wire_get_u32(const uint8_t *from);
uint64_t wire_get_u64(const uint8_t *from);

#endif
