/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Private to core/wire: the kinds of fields, and the size, put and get code that WIRE_DEFINE_FIELDS
 * makes of a field list of wire/messages.h.
 *
 * Bounds are checked twice per body, not per field. Every kind has a fixed part (for str and blob
 * the length prefix). `need` is the sum of the fixed parts of the fields present; once len >= need
 * is known, the rest is slack that only str and blob contents may take. So fixed parts are read
 * without a test, and no byte outside the input can be reached whatever the lengths say. */
#ifndef QKD_WIRE_FIELDS_H
#define QKD_WIRE_FIELDS_H

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"

#define WIRE_BITMAP_LEN 4
#define WIRE_RECORD_HEAD_LEN 8 /* u32 length of the record, u32 bitmap */
#define WIRE_STR_MAX 255

/* Bytes of the fixed part of each kind. */
enum {
    WIRE_FIXED_u8 = 1,
    WIRE_FIXED_u16 = 2,
    WIRE_FIXED_u32 = 4,
    WIRE_FIXED_u64 = 8,
    WIRE_FIXED_time = 8,
    WIRE_FIXED_span = 8,
    WIRE_FIXED_eid = 8,
    WIRE_FIXED_id = 16,
    WIRE_FIXED_b16 = 16,
    WIRE_FIXED_b32 = 32,
    WIRE_FIXED_str = 2,
    WIRE_FIXED_blob = 4
};

/* A constant expression: the bytes of a field list with every optional field present and all str
 * and blob empty. */
#define WIRE_FIXED_SUM(kind, name) +WIRE_FIXED_##kind
#define WIRE_FIXED_BYTES(FIELDS) (0 FIELDS(WIRE_FIXED_SUM, WIRE_FIXED_SUM))

/* The same with every optional field absent. */
#define WIRE_FIXED_NONE(kind, name)
#define WIRE_MANDATORY_BYTES(FIELDS) (0 FIELDS(WIRE_FIXED_SUM, WIRE_FIXED_NONE))

/* Input of a decoder: `at` moves over the fixed parts unchecked, `slack` bounds the contents. */
struct wire_in {
    const uint8_t *at;
    size_t slack;
    int err; /* the first one */
};

/* ---- put: write one field, return the end. The caller has checked the room. ---- */

static inline uint8_t *wire_put_u8_field(uint8_t *to, const uint8_t *v)
{
    to[0] = *v;
    return to + 1;
}

static inline uint8_t *wire_put_u16_field(uint8_t *to, const uint16_t *v)
{
    to[0] = (uint8_t)(*v >> 8);
    to[1] = (uint8_t)*v;
    return to + 2;
}

static inline uint8_t *wire_put_u32_field(uint8_t *to, const uint32_t *v)
{
    to[0] = (uint8_t)(*v >> 24);
    to[1] = (uint8_t)(*v >> 16);
    to[2] = (uint8_t)(*v >> 8);
    to[3] = (uint8_t)*v;
    return to + 4;
}

static inline uint8_t *wire_put_u64_field(uint8_t *to, const uint64_t *v)
{
    to[0] = (uint8_t)(*v >> 56);
    to[1] = (uint8_t)(*v >> 48);
    to[2] = (uint8_t)(*v >> 40);
    to[3] = (uint8_t)(*v >> 32);
    to[4] = (uint8_t)(*v >> 24);
    to[5] = (uint8_t)(*v >> 16);
    to[6] = (uint8_t)(*v >> 8);
    to[7] = (uint8_t)*v;
    return to + 8;
}

static inline uint8_t *wire_put_time_field(uint8_t *to, const struct qkd_time *v)
{
    uint64_t ns = (uint64_t)v->ns;
    return wire_put_u64_field(to, &ns);
}

static inline uint8_t *wire_put_span_field(uint8_t *to, const struct qkd_span *v)
{
    uint64_t ns = (uint64_t)v->ns;
    return wire_put_u64_field(to, &ns);
}

static inline uint8_t *wire_put_eid_field(uint8_t *to, const struct qkd_eid *v)
{
    return wire_put_u64_field(to, &v->v);
}

static inline uint8_t *wire_put_id_field(uint8_t *to, const struct qkd_id *v)
{
    memcpy(to, v->b, 16);
    return to + 16;
}

static inline uint8_t *wire_put_b16_field(uint8_t *to, const struct wire_b16 *v)
{
    memcpy(to, v->b, 16);
    return to + 16;
}

static inline uint8_t *wire_put_b32_field(uint8_t *to, const struct wire_b32 *v)
{
    memcpy(to, v->b, 32);
    return to + 32;
}

static inline uint8_t *wire_put_content(uint8_t *to, const struct wire_bytes *v)
{
    if (v->len > 0) { /* `at` may be NULL otherwise */
        memcpy(to, v->at, v->len);
    }
    return to + v->len;
}

static inline uint8_t *wire_put_str_field(uint8_t *to, const struct wire_bytes *v)
{
    uint16_t len = (uint16_t)v->len;
    return wire_put_content(wire_put_u16_field(to, &len), v);
}

static inline uint8_t *wire_put_blob_field(uint8_t *to, const struct wire_bytes *v)
{
    uint32_t len = (uint32_t)v->len;
    return wire_put_content(wire_put_u32_field(to, &len), v);
}

/* ---- get: read one field and move on ---- */

static inline uint64_t wire_get_big_endian(const uint8_t *from, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | from[i];
    }
    return v;
}

static inline void wire_get_u8_field(struct wire_in *in, uint8_t *v)
{
    *v = *in->at;
    in->at += 1;
}

static inline void wire_get_u16_field(struct wire_in *in, uint16_t *v)
{
    *v = (uint16_t)(in->at[0] << 8 | in->at[1]);
    in->at += 2;
}

static inline void wire_get_u32_field(struct wire_in *in, uint32_t *v)
{
    const uint8_t *b = in->at;
    *v = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
    in->at += 4;
}

static inline void wire_get_u64_field(struct wire_in *in, uint64_t *v)
{
    const uint8_t *b = in->at;
    *v = (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 | (uint64_t)b[3] << 32 |
         (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 | (uint64_t)b[6] << 8 | (uint64_t)b[7];
    in->at += 8;
}

/* Two's complement without an implementation-defined conversion; compiles to nothing. */
static inline int64_t wire_signed(uint64_t u)
{
    return u <= INT64_MAX ? (int64_t)u : -(int64_t)~u - 1;
}

static inline void wire_get_time_field(struct wire_in *in, struct qkd_time *v)
{
    uint64_t ns;
    wire_get_u64_field(in, &ns);
    v->ns = wire_signed(ns);
}

static inline void wire_get_span_field(struct wire_in *in, struct qkd_span *v)
{
    uint64_t ns;
    wire_get_u64_field(in, &ns);
    v->ns = wire_signed(ns);
}

static inline void wire_get_eid_field(struct wire_in *in, struct qkd_eid *v)
{
    wire_get_u64_field(in, &v->v);
}

static inline void wire_get_id_field(struct wire_in *in, struct qkd_id *v)
{
    memcpy(v->b, in->at, 16);
    in->at += 16;
}

static inline void wire_get_b16_field(struct wire_in *in, struct wire_b16 *v)
{
    memcpy(v->b, in->at, 16);
    in->at += 16;
}

static inline void wire_get_b32_field(struct wire_in *in, struct wire_b32 *v)
{
    memcpy(v->b, in->at, 32);
    in->at += 32;
}

static inline void wire_get_content(struct wire_in *in, size_t len, struct wire_bytes *v)
{
    if (len > in->slack) {
        in->err = in->err != 0 ? in->err : QKD_ERR_SHORT;
        return;
    }
    in->slack -= len;
    v->at = in->at;
    v->len = len;
    in->at += len;
}

static inline void wire_get_str_field(struct wire_in *in, struct wire_bytes *v)
{
    uint16_t len;
    wire_get_u16_field(in, &len);
    wire_get_content(in, len, v);
    if (v->len > WIRE_STR_MAX || (v->len > 0 && memchr(v->at, 0, v->len) != NULL)) {
        in->err = in->err != 0 ? in->err : QKD_ERR_FORMAT;
    }
}

static inline void wire_get_blob_field(struct wire_in *in, struct wire_bytes *v)
{
    uint32_t len;
    wire_get_u32_field(in, &len);
    wire_get_content(in, len, v);
}

/* ---- contents: how many bytes beyond the fixed part, and may they be encoded ---- */

#define WIRE_KIND_IS_FIXED(kind, type)                                                             \
    static inline size_t wire_content_##kind(const type *v)                                        \
    {                                                                                              \
        (void)v;                                                                                   \
        return 0;                                                                                  \
    }                                                                                              \
    static inline bool wire_may_##kind(const type *v)                                              \
    {                                                                                              \
        (void)v;                                                                                   \
        return true;                                                                               \
    }
WIRE_KIND_IS_FIXED(u8, uint8_t)
WIRE_KIND_IS_FIXED(u16, uint16_t)
WIRE_KIND_IS_FIXED(u32, uint32_t)
WIRE_KIND_IS_FIXED(u64, uint64_t)
WIRE_KIND_IS_FIXED(time, struct qkd_time)
WIRE_KIND_IS_FIXED(span, struct qkd_span)
WIRE_KIND_IS_FIXED(eid, struct qkd_eid)
WIRE_KIND_IS_FIXED(id, struct qkd_id)
WIRE_KIND_IS_FIXED(b16, struct wire_b16)
WIRE_KIND_IS_FIXED(b32, struct wire_b32)
#undef WIRE_KIND_IS_FIXED

static inline size_t wire_content_str(const struct wire_bytes *v)
{
    return v->len;
}

static inline size_t wire_content_blob(const struct wire_bytes *v)
{
    return v->len;
}

static inline bool wire_may_str(const struct wire_bytes *v)
{
    return v->len == 0 ||
           (v->len <= WIRE_STR_MAX && v->at != NULL && memchr(v->at, 0, v->len) == NULL);
}

/* The bound on each blob keeps the sum over a body inside size_t. */
static inline bool wire_may_blob(const struct wire_bytes *v)
{
    return v->len == 0 || (v->len <= INT_MAX && v->at != NULL);
}

/* ---- what a field list expands to ---- */

#define WIRE_NO_FIELD(kind, name)
#define WIRE_OPTION(kind, name) option_##name,
#define WIRE_PRESENT_O(kind, name)                                                                 \
    if (m->has_##name) {                                                                           \
        map |= UINT32_C(1) << option_##name;                                                       \
    }
#define WIRE_SIZE_M(kind, name) size += (size_t)WIRE_FIXED_##kind + wire_content_##kind(&m->name);
#define WIRE_SIZE_O(kind, name)                                                                    \
    if (m->has_##name) {                                                                           \
        WIRE_SIZE_M(kind, name)                                                                    \
    }
#define WIRE_MAY_M(kind, name) may = may && wire_may_##kind(&m->name);
#define WIRE_MAY_O(kind, name) may = may && (!m->has_##name || wire_may_##kind(&m->name));
#define WIRE_PUT_M(kind, name) to = wire_put_##kind##_field(to, &m->name);
#define WIRE_PUT_O(kind, name)                                                                     \
    if (m->has_##name) {                                                                           \
        WIRE_PUT_M(kind, name)                                                                     \
    }
#define WIRE_NEED_M(kind, name) +(size_t)WIRE_FIXED_##kind
#define WIRE_NEED_O(kind, name) +(size_t)(map >> option_##name & 1U) * WIRE_FIXED_##kind
#define WIRE_GET_M(kind, name) wire_get_##kind##_field(&in, &m->name);
#define WIRE_GET_O(kind, name)                                                                     \
    if ((map >> option_##name & 1U) != 0) {                                                        \
        m->has_##name = true;                                                                      \
        WIRE_GET_M(kind, name)                                                                     \
    }

/* For struct wire_<name>, static functions on its body (bitmap and fields, no head or length):
 *   wire_<name>_body_size()  bytes
 *   wire_<name>_may()        can it be encoded at all
 *   wire_<name>_body_put()   writes body_size() bytes, returns the end
 *   wire_<name>_body_get()   reads exactly len bytes into a zeroed struct; 0 or an error */
#define WIRE_DEFINE_FIELDS(name, FIELDS)                                                           \
    static inline size_t wire_##name##_body_size(const struct wire_##name *m)                      \
    {                                                                                              \
        size_t size = WIRE_BITMAP_LEN;                                                             \
        FIELDS(WIRE_SIZE_M, WIRE_SIZE_O)                                                           \
        return size;                                                                               \
    }                                                                                              \
    static inline bool wire_##name##_may(const struct wire_##name *m)                              \
    {                                                                                              \
        bool may = true;                                                                           \
        FIELDS(WIRE_MAY_M, WIRE_MAY_O)                                                             \
        return may;                                                                                \
    }                                                                                              \
    static inline uint8_t *wire_##name##_body_put(const struct wire_##name *m, uint8_t *to)        \
    {                                                                                              \
        enum { FIELDS(WIRE_NO_FIELD, WIRE_OPTION) option_count };                                  \
        static_assert(option_count < 32, "the bitmap has 32 bits");                                \
        uint32_t map = 0;                                                                          \
        FIELDS(WIRE_NO_FIELD, WIRE_PRESENT_O)                                                      \
        to = wire_put_u32_field(to, &map);                                                         \
        FIELDS(WIRE_PUT_M, WIRE_PUT_O)                                                             \
        return to;                                                                                 \
    }                                                                                              \
    static inline int wire_##name##_body_get(struct wire_##name *m, const uint8_t *from,           \
                                             size_t len)                                           \
    {                                                                                              \
        enum { FIELDS(WIRE_NO_FIELD, WIRE_OPTION) option_count };                                  \
        struct wire_in in = {.at = from};                                                          \
        uint32_t map;                                                                              \
        if (len < WIRE_BITMAP_LEN) {                                                               \
            return QKD_ERR_SHORT;                                                                  \
        }                                                                                          \
        wire_get_u32_field(&in, &map);                                                             \
        if (map >> option_count != 0) {                                                            \
            return QKD_ERR_FORMAT;                                                                 \
        }                                                                                          \
        size_t need = WIRE_BITMAP_LEN FIELDS(WIRE_NEED_M, WIRE_NEED_O);                            \
        if (len < need) {                                                                          \
            return QKD_ERR_SHORT;                                                                  \
        }                                                                                          \
        in.slack = len - need;                                                                     \
        FIELDS(WIRE_GET_M, WIRE_GET_O)                                                             \
        if (in.err == 0 && in.slack != 0) {                                                        \
            return QKD_ERR_FORMAT;                                                                 \
        }                                                                                          \
        return in.err;                                                                             \
    }

#endif
