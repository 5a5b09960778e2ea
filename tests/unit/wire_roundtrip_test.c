/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every message and record of wire/messages.h, filled from its own field list: comes back equal;
 * size() is what encode() writes; nothing is written past a short buffer; every truncation, every
 * extra byte and every unknown option bit is refused and leaves a zero struct. Buffers have the
 * exact size on the heap, so that a sanitizer or valgrind sees a read past the end. What the bytes
 * are is the matter of wire_golden_test.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/wire/codec.h"

#define ROUNDS 24 /* 0: all options, 1: none, 2 ...: random subsets */
#define CONTENT_MAX 300
#define BITMAP_IN_MESSAGE 32 /* offsets of the bitmap; WIRE_HEAD_LEN by the layout comment */
#define BITMAP_IN_RECORD 4

/* A deterministic source of contents (Marsaglia's xorshift64). */
struct gen {
    uint64_t state;
    unsigned round;
    uint8_t pool[4 * CONTENT_MAX];
    size_t used;
};

static uint64_t next(struct gen *g)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return g->state;
}

static void gen_init(struct gen *g, unsigned type, unsigned round)
{
    memset(g, 0, sizeof *g);
    g->state = UINT64_C(0x9e3779b97f4a7c15) * (type + 1) + round;
    g->round = round;
}

static bool want(struct gen *g)
{
    return g->round == 0 || (g->round > 1 && next(g) >> 40 & 1U);
}

static void fill_raw(struct gen *g, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)(next(g) >> 32);
    }
}

static void fill_u8(struct gen *g, uint8_t *v)
{
    *v = (uint8_t)(next(g) >> 24);
}

static void fill_u16(struct gen *g, uint16_t *v)
{
    *v = (uint16_t)(next(g) >> 24);
}

static void fill_u32(struct gen *g, uint32_t *v)
{
    *v = (uint32_t)(next(g) >> 24);
}

static void fill_u64(struct gen *g, uint64_t *v)
{
    *v = next(g);
}

/* Both signs, and the ends of the range. */
static void fill_time(struct gen *g, struct qkd_time *v)
{
    const int64_t ends[] = {INT64_MIN, INT64_MAX, -1, 0};
    uint64_t r = next(g);
    int64_t half = (int64_t)(r >> 1);
    v->ns = g->round < 4 ? ends[g->round] : (r & 1U) != 0 ? -half : half;
}

static void fill_span(struct gen *g, struct qkd_span *v)
{
    struct qkd_time t;
    fill_time(g, &t);
    v->ns = t.ns;
}

static void fill_eid(struct gen *g, struct qkd_eid *v)
{
    v->v = next(g);
}

static void fill_id(struct gen *g, struct qkd_id *v)
{
    fill_raw(g, v->b, sizeof v->b);
}

static void fill_b16(struct gen *g, struct wire_b16 *v)
{
    fill_raw(g, v->b, sizeof v->b);
}

static void fill_b32(struct gen *g, struct wire_b32 *v)
{
    fill_raw(g, v->b, sizeof v->b);
}

static void fill_content(struct gen *g, size_t len, struct wire_bytes *v)
{
    ck_assert_uint_le(g->used + len, sizeof g->pool);
    v->at = g->pool + g->used;
    v->len = len;
    fill_raw(g, g->pool + g->used, len);
    g->used += len;
}

static void fill_str(struct gen *g, struct wire_bytes *v)
{
    size_t len = g->round == 0 ? 255 : g->round == 1 ? 0 : (size_t)(next(g) >> 20) % 256;
    uint8_t *at = g->pool + g->used;
    fill_content(g, len, v);
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(at[i] == 0 ? 'x' : at[i]);
    }
}

static void fill_blob(struct gen *g, struct wire_bytes *v)
{
    size_t len = g->round == 1 ? 0 : (size_t)(next(g) >> 20) % 200;
    fill_content(g, len, v);
}

/* ---- equality of one field ---- */

static bool same_u8(uint8_t a, uint8_t b)
{
    return a == b;
}

static bool same_u16(uint16_t a, uint16_t b)
{
    return a == b;
}

static bool same_u32(uint32_t a, uint32_t b)
{
    return a == b;
}

static bool same_u64(uint64_t a, uint64_t b)
{
    return a == b;
}

static bool same_time(struct qkd_time a, struct qkd_time b)
{
    return a.ns == b.ns;
}

static bool same_span(struct qkd_span a, struct qkd_span b)
{
    return a.ns == b.ns;
}

static bool same_eid(struct qkd_eid a, struct qkd_eid b)
{
    return a.v == b.v;
}

static bool same_id(struct qkd_id a, struct qkd_id b)
{
    return memcmp(a.b, b.b, 16) == 0;
}

static bool same_b16(struct wire_b16 a, struct wire_b16 b)
{
    return memcmp(a.b, b.b, 16) == 0;
}

static bool same_b32(struct wire_b32 a, struct wire_b32 b)
{
    return memcmp(a.b, b.b, 32) == 0;
}

static bool same_str(struct wire_bytes a, struct wire_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static bool same_blob(struct wire_bytes a, struct wire_bytes b)
{
    return same_str(a, b);
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

/* ---- what each type can do, behind one set of function types ---- */

union any {
#define MEMBER_OF_MESSAGE(NAME, name, code) struct wire_##name name;
#define MEMBER_OF_RECORD(name, FIELDS) struct wire_##name name;
    WIRE_MESSAGES(MEMBER_OF_MESSAGE) WIRE_RECORDS(MEMBER_OF_RECORD)
};

struct type {
    const char *name;
    bool record;
    unsigned options;
    size_t struct_size;
    void (*fill)(struct gen *g, union any *any);
    bool (*same)(const union any *a, const union any *b);
    size_t (*size)(const union any *any);
    int (*encode)(const union any *any, uint8_t *to, size_t cap);
    int (*decode)(union any *any, const uint8_t *from, size_t len);
};

#define FILL_M(kind, name) fill_##kind(g, &m->name);
#define FILL_O(kind, name)                                                                         \
    m->has_##name = want(g);                                                                       \
    if (m->has_##name) {                                                                           \
        fill_##kind(g, &m->name);                                                                  \
    }
#define SAME_M(kind, name) same = same && same_##kind(x->name, y->name);
#define SAME_O(kind, name)                                                                         \
    same = same && x->has_##name == y->has_##name;                                                 \
    same = same &&                                                                                 \
           (x->has_##name ? same_##kind(x->name, y->name) : all_zero(&y->name, sizeof y->name));
#define COUNT_M(kind, name)
#define COUNT_O(kind, name) +1U

#define DEFINE_TYPE(name, FIELDS)                                                                  \
    static void fill_##name(struct gen *g, union any *any)                                         \
    {                                                                                              \
        struct wire_##name *m = &any->name;                                                        \
        FIELDS(FILL_M, FILL_O)                                                                     \
    }                                                                                              \
    static bool same_##name(const union any *a, const union any *b)                                \
    {                                                                                              \
        const struct wire_##name *x = &a->name;                                                    \
        const struct wire_##name *y = &b->name;                                                    \
        bool same = true;                                                                          \
        FIELDS(SAME_M, SAME_O)                                                                     \
        return same;                                                                               \
    }                                                                                              \
    static size_t size_##name(const union any *any)                                                \
    {                                                                                              \
        return wire_##name##_size(&any->name);                                                     \
    }                                                                                              \
    static int encode_##name(const union any *any, uint8_t *to, size_t cap)                        \
    {                                                                                              \
        return wire_##name##_encode(&any->name, to, cap);                                          \
    }                                                                                              \
    static int decode_##name(union any *any, const uint8_t *from, size_t len)                      \
    {                                                                                              \
        return wire_##name##_decode(&any->name, from, len);                                        \
    }
#define DEFINE_MESSAGE_TYPE(NAME, name, code) DEFINE_TYPE(name, WIRE_##NAME)
WIRE_MESSAGES(DEFINE_MESSAGE_TYPE)
WIRE_RECORDS(DEFINE_TYPE)

#define ROW(name, FIELDS, is_record)                                                               \
    {#name,                                                                                        \
     is_record,                                                                                    \
     (0U FIELDS(COUNT_M, COUNT_O)),                                                                \
     sizeof(struct wire_##name),                                                                   \
     fill_##name,                                                                                  \
     same_##name,                                                                                  \
     size_##name,                                                                                  \
     encode_##name,                                                                                \
     decode_##name},
#define MESSAGE_ROW(NAME, name, code) ROW(name, WIRE_##NAME, false)
#define RECORD_ROW(name, FIELDS) ROW(name, FIELDS, true)
static const struct type types[] = {WIRE_MESSAGES(MESSAGE_ROW) WIRE_RECORDS(RECORD_ROW)};
#define TYPE_COUNT ((int)(sizeof types / sizeof types[0]))

static const uint8_t command_codes[] = {
#define CODE(NAME, name, code) code,
    WIRE_MESSAGES(CODE)};

/* ---- helpers ---- */

struct sample {
    union any in;
    struct gen gen; /* owns the contents of `in` */
    uint8_t *bytes;
    size_t len;
};

/* All members begin with their head if they are messages. */
static struct wire_head *head_of(union any *any)
{
    return &any->auth.head;
}

static void sample_init(struct sample *s, int index, unsigned round)
{
    const struct type *type = &types[index];
    memset(s, 0, sizeof *s);
    gen_init(&s->gen, (unsigned)index, round);
    type->fill(&s->gen, &s->in);
    if (!type->record) {
        struct wire_head *head = head_of(&s->in);
        head->rp = (uint8_t)(1 + round);
        fill_u64(&s->gen, &head->message_id);
        fill_u64(&s->gen, &head->orig_message_id);
        fill_eid(&s->gen, &head->sender);
    }
    s->len = type->size(&s->in);
    s->bytes = malloc(s->len);
    ck_assert_ptr_nonnull(s->bytes);
    ck_assert_int_eq(type->encode(&s->in, s->bytes, s->len), (int)s->len);
}

static int expected_result(const struct type *type, size_t len)
{
    return type->record ? (int)len : 0;
}

/* Decodes a heap copy of exactly `len` bytes. Refusal must leave a zero struct. */
static int decode_copy(const struct type *type, const uint8_t *bytes, size_t len)
{
    union any out;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, len);
    memset(&out, 0x5a, sizeof out);
    int result = type->decode(&out, copy, len);
    if (result < 0) {
        ck_assert_msg(all_zero(&out, type->struct_size), "%s: not zeroed", type->name);
    }
    free(copy);
    return result;
}

static void patch_length(const struct type *type, uint8_t *bytes, size_t len)
{
    wire_put_u32(bytes + (type->record ? 0 : 4), (uint32_t)len);
}

/* ---- tests, one run per type ---- */

START_TEST(comes_back_equal)
{
    const struct type *type = &types[_i];
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct sample s;
        union any out;
        sample_init(&s, _i, round);
        memset(&out, 0x5a, sizeof out);
        ck_assert_msg(type->decode(&out, s.bytes, s.len) == expected_result(type, s.len),
                      "%s round %u", type->name, round);
        ck_assert_msg(type->same(&s.in, &out), "%s round %u", type->name, round);
        if (!type->record) {
            struct wire_head *in = head_of(&s.in);
            struct wire_head *head = head_of(&out);
            struct wire_head alone;
            ck_assert_uint_eq(head->version, 1);
            ck_assert_uint_eq(head->rp, in->rp);
            ck_assert_uint_eq(head->command, command_codes[_i]);
            ck_assert_uint_eq(head->flags, 0);
            ck_assert_uint_eq(head->length, s.len);
            ck_assert_uint_eq(head->message_id, in->message_id);
            ck_assert_uint_eq(head->orig_message_id, in->orig_message_id);
            ck_assert_uint_eq(head->sender.v, in->sender.v);
            ck_assert_int_eq(wire_head_decode(&alone, s.bytes, s.len), 0);
            ck_assert_uint_eq(alone.message_id, in->message_id);
            ck_assert_int_eq(wire_any_check(s.bytes, s.len), 0);
        }
        free(s.bytes);
    }
}
END_TEST

START_TEST(short_buffer_is_refused_untouched)
{
    const struct type *type = &types[_i];
    for (unsigned round = 0; round < 3; round++) {
        struct sample s;
        sample_init(&s, _i, round);
        uint8_t *to = malloc(s.len);
        uint8_t *untouched = malloc(s.len);
        ck_assert(to != NULL && untouched != NULL);
        memset(to, 0xa5, s.len);
        memset(untouched, 0xa5, s.len);
        for (size_t cap = 0; cap < s.len; cap++) {
            ck_assert_int_eq(type->encode(&s.in, to, cap), QKD_ERR_SHORT);
            ck_assert_msg(memcmp(to, untouched, s.len) == 0, "%s wrote, cap %zu", type->name, cap);
        }
        free(untouched);
        free(to);
        free(s.bytes);
    }
}
END_TEST

/* Cut short as it is; and cut short with a length that says so. */
START_TEST(every_truncation_is_refused)
{
    const struct type *type = &types[_i];
    for (unsigned round = 0; round < 4; round++) {
        struct sample s;
        sample_init(&s, _i, round);
        for (size_t len = 0; len < s.len; len++) {
            ck_assert_msg(decode_copy(type, s.bytes, len) == QKD_ERR_SHORT, "%s cut at %zu of %zu",
                          type->name, len, s.len);
        }
        for (size_t len = 8; len < s.len; len++) {
            patch_length(type, s.bytes, len);
            int result = decode_copy(type, s.bytes, len);
            ck_assert_msg(result == QKD_ERR_SHORT || result == QKD_ERR_FORMAT,
                          "%s cut at %zu of %zu, length patched: %d", type->name, len, s.len,
                          result);
        }
        free(s.bytes);
    }
}
END_TEST

START_TEST(every_extra_byte_is_refused)
{
    const struct type *type = &types[_i];
    for (unsigned round = 0; round < 4; round++) {
        struct sample s;
        sample_init(&s, _i, round);
        uint8_t *longer = calloc(1, s.len + 40);
        ck_assert_ptr_nonnull(longer);
        memcpy(longer, s.bytes, s.len);
        for (size_t extra = 1; extra <= 40; extra++) {
            /* behind a record another one may follow; behind a message nothing may */
            int expected = type->record ? (int)s.len : QKD_ERR_FORMAT;
            patch_length(type, longer, s.len);
            ck_assert_int_eq(decode_copy(type, longer, s.len + extra), expected);
            patch_length(type, longer, s.len + extra);
            ck_assert_int_eq(decode_copy(type, longer, s.len + extra), QKD_ERR_FORMAT);
        }
        free(longer);
        free(s.bytes);
    }
}
END_TEST

START_TEST(unknown_options_are_refused)
{
    const struct type *type = &types[_i];
    struct sample s;
    sample_init(&s, _i, 0);
    uint8_t *bitmap = s.bytes + (type->record ? BITMAP_IN_RECORD : BITMAP_IN_MESSAGE);
    uint32_t map = wire_get_u32(bitmap);
    ck_assert_uint_eq(map, (UINT32_C(1) << type->options) - 1);
    for (unsigned bit = type->options; bit < 32; bit++) {
        wire_put_u32(bitmap, map | UINT32_C(1) << bit);
        ck_assert_int_eq(decode_copy(type, s.bytes, s.len), QKD_ERR_FORMAT);
    }
    free(s.bytes);
}
END_TEST

/* Whatever one byte becomes, the decoder either refuses or gives a struct that encodes to it. */
START_TEST(every_changed_byte_is_refused_or_canonical)
{
    const struct type *type = &types[_i];
    struct sample s;
    sample_init(&s, _i, 2);
    uint8_t *again = malloc(s.len);
    ck_assert_ptr_nonnull(again);
    for (size_t i = 0; i < s.len; i++) {
        uint8_t old = s.bytes[i];
        for (unsigned flip = 1; flip < 256; flip += flip < 8 ? 1 : 31) {
            union any out;
            s.bytes[i] = (uint8_t)(old ^ flip);
            int result = type->decode(&out, s.bytes, s.len);
            if (result >= 0) {
                ck_assert_int_eq(result, expected_result(type, s.len));
                ck_assert_int_eq(type->encode(&out, again, s.len), (int)s.len);
                ck_assert_mem_eq(again, s.bytes, s.len);
            }
        }
        s.bytes[i] = old;
    }
    free(again);
    free(s.bytes);
}
END_TEST

START_TEST(head_is_strict)
{
    struct sample s;
    sample_init(&s, 0, 0);
    const struct type *type = &types[0];
    ck_assert(!type->record);
    const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{0, 0}, {0, 2}, {3, 1}, {3, 0x80}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t old = s.bytes[bad[i].at];
        s.bytes[bad[i].at] = bad[i].value;
        struct wire_head head;
        memset(&head, 0x5a, sizeof head);
        ck_assert_int_eq(wire_head_decode(&head, s.bytes, s.len), QKD_ERR_FORMAT);
        ck_assert(all_zero(&head, sizeof head));
        ck_assert_int_eq(decode_copy(type, s.bytes, s.len), QKD_ERR_FORMAT);
        s.bytes[bad[i].at] = old;
    }
    ck_assert_int_eq(decode_copy(type, s.bytes, s.len), 0);
    free(s.bytes);
}
END_TEST

/* A message is decoded by its own decoder only; unknown commands are told apart. */
START_TEST(command_must_match)
{
    const struct type *type = &types[_i];
    if (type->record) {
        return;
    }
    struct sample s;
    sample_init(&s, _i, 1);
    for (unsigned command = 0; command < 256; command++) {
        s.bytes[2] = (uint8_t)command;
        ck_assert_int_eq(decode_copy(type, s.bytes, s.len),
                         command == command_codes[_i] ? 0 : QKD_ERR_FORMAT);
        if (wire_command_name(command) == NULL) {
            ck_assert_int_eq(wire_any_check(s.bytes, s.len), QKD_ERR_UNKNOWN);
        }
    }
    free(s.bytes);
}
END_TEST

/* Several records lie one after the other in a blob. */
START_TEST(records_follow_one_another)
{
    uint8_t blob[256];
    size_t len = 0;
    for (uint32_t i = 0; i < 5; i++) {
        struct wire_skip_body in = {.block = 100 + i, .start = 7 * i};
        int n = wire_skip_body_encode(&in, blob + len, sizeof blob - len);
        ck_assert_int_eq(n, 21);
        len += (size_t)n;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < 5; i++) {
        struct wire_skip_body out;
        int n = wire_skip_body_decode(&out, blob + at, len - at);
        ck_assert_int_eq(n, 21);
        ck_assert_uint_eq(out.block, 100 + i);
        ck_assert_uint_eq(out.start, 7 * i);
        at += (size_t)n;
    }
    ck_assert_uint_eq(at, len);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_roundtrip");
    TCase *tc = tcase_create("every type");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, comes_back_equal, 0, TYPE_COUNT);
    tcase_add_loop_test(tc, short_buffer_is_refused_untouched, 0, TYPE_COUNT);
    tcase_add_loop_test(tc, every_truncation_is_refused, 0, TYPE_COUNT);
    tcase_add_loop_test(tc, every_extra_byte_is_refused, 0, TYPE_COUNT);
    tcase_add_loop_test(tc, unknown_options_are_refused, 0, TYPE_COUNT);
    tcase_add_loop_test(tc, every_changed_byte_is_refused_or_canonical, 0, TYPE_COUNT);
    tcase_add_loop_test(tc, command_must_match, 0, TYPE_COUNT);
    tcase_add_test(tc, head_is_strict);
    tcase_add_test(tc, records_follow_one_another);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
