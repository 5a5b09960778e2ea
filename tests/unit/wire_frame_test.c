/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wire/frame.h: what a frame decoder refuses, and the cost of a hop. Expected costs are sums by hand
 * over the field lists, and what really encoded bodies take. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"

#define BUFFER 16384

/* wire_relay_body by hand: length 4, bitmap 4, session_id 8, key_id 16, source 8, destination 8,
 * attempt 1, hop 1, grade 1, key_size 4, count 2, compare 32, two blob lengths 8 = 97.
 * wire_relay_metadata: length 4, bitmap 4, kma_key_id 16, key_type 1, matching_kma_id 8,
 * generated 8 = 41. */
#define BODY_WITHOUT_KEYS (97 + 41)
#define FRAME_WITHOUT_KEYS (BODY_WITHOUT_KEYS + 16)

/* ---- decoding ---- */

struct raw {
    uint8_t bytes[256];
    size_t len;
};

static void raw_init(struct raw *raw, uint8_t type, uint8_t method, size_t body_len,
                     uint32_t length)
{
    struct wire_frame frame = {.type = type, .method = method, .link = 1, .length = length};
    frame.seq = 1;
    memset(raw, 0x77, sizeof *raw);
    wire_frame_head_encode(&frame, raw->bytes);
    raw->len = 28 + body_len + 16;
}

static int decode(const struct raw *raw)
{
    static const struct wire_frame zero;
    struct wire_frame frame;
    memset(&frame, 0x5a, sizeof frame);
    uint8_t *exact = malloc(raw->len); /* a sanitizer sees a read past its end */
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, raw->bytes, raw->len);
    int err = wire_frame_decode(&frame, exact, raw->len);
    if (err != 0) {
        ck_assert_uint_eq(frame.type, zero.type);
        ck_assert_uint_eq(frame.length, 0);
        ck_assert_ptr_null(frame.body);
        ck_assert_ptr_null(frame.tag);
    } else {
        ck_assert_ptr_eq(frame.body, exact + 28);
        ck_assert_ptr_eq(frame.tag, exact + raw->len - 16);
    }
    free(exact);
    return err;
}

START_TEST(lengths_that_fit)
{
    static const struct {
        uint8_t type;
        uint8_t method;
        size_t body_len;
        uint32_t length;
        int expected;
    } cases[] = {
        {WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 56, 0},
        {WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 40, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 55, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 57, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 0, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 0, 16, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_AES, 40, 16, 0},
        {WIRE_FRAME_RELAY, WIRE_METHOD_AES, 40, 48, 0},
        {WIRE_FRAME_RELAY, WIRE_METHOD_AES, 40, 56, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_NONE, 40, 56, QKD_ERR_FORMAT},
        {WIRE_FRAME_RELAY, WIRE_METHOD_POOL, 40, 56, QKD_ERR_FORMAT},
        {WIRE_FRAME_CONFIRM, WIRE_METHOD_NONE, 40, 16, 0},
        {WIRE_FRAME_CONFIRM, WIRE_METHOD_NONE, 40, 56, QKD_ERR_FORMAT},
        {WIRE_FRAME_GRANT, WIRE_METHOD_NONE, 20, 16, 0},
        {WIRE_FRAME_GRANT, WIRE_METHOD_NONE, 20, 15, QKD_ERR_FORMAT},
        {WIRE_FRAME_SKIP, WIRE_METHOD_NONE, 21, 16, 0},
        {WIRE_FRAME_SKIP, WIRE_METHOD_NONE, 21, 0, QKD_ERR_FORMAT},
        {WIRE_FRAME_TAKE, WIRE_METHOD_POOL, 100, 32 + 32 + 16, 0},
        {WIRE_FRAME_TAKE, WIRE_METHOD_POOL, 100, 49, 0},
        {WIRE_FRAME_TAKE, WIRE_METHOD_POOL, 100, 48, QKD_ERR_FORMAT},
        {WIRE_FRAME_TAKE, WIRE_METHOD_POOL, 100, 16, QKD_ERR_FORMAT},
        {0x00, WIRE_METHOD_OTP, 40, 56, QKD_ERR_FORMAT},
        {0x62, WIRE_METHOD_OTP, 40, 16, QKD_ERR_FORMAT},
        {WIRE_FRAME_CONFIRM, 4, 40, 16, QKD_ERR_FORMAT},
    };
    struct raw raw;
    ck_assert_int_lt(_i, (int)(sizeof cases / sizeof cases[0]));
    raw_init(&raw, cases[_i].type, cases[_i].method, cases[_i].body_len, cases[_i].length);
    ck_assert_int_eq(decode(&raw), cases[_i].expected);
}
END_TEST
#define LENGTH_CASES 24

START_TEST(malformed_frames_are_refused)
{
    struct raw raw;
    raw_init(&raw, WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 56);
    ck_assert_int_eq(decode(&raw), 0);
    raw.bytes[0] = 0xf2;
    ck_assert_int_eq(decode(&raw), QKD_ERR_FORMAT);
    raw.bytes[0] = 0xf1;
    raw.bytes[3] = 1;
    ck_assert_int_eq(decode(&raw), QKD_ERR_FORMAT);
    raw.bytes[3] = 0;
    /* the range may end at 2^32 - 1 and not wrap beyond */
    wire_put_u32(raw.bytes + 12, UINT32_MAX - 56);
    ck_assert_int_eq(decode(&raw), 0);
    wire_put_u32(raw.bytes + 12, UINT32_MAX - 55);
    ck_assert_int_eq(decode(&raw), QKD_ERR_FORMAT);
    wire_put_u32(raw.bytes + 12, UINT32_MAX);
    ck_assert_int_eq(decode(&raw), QKD_ERR_FORMAT);
}
END_TEST

START_TEST(cut_frames_are_refused)
{
    struct raw raw;
    raw_init(&raw, WIRE_FRAME_RELAY, WIRE_METHOD_OTP, 40, 56);
    size_t full = raw.len;
    for (raw.len = 0; raw.len < full; raw.len++) {
        int expected = raw.len < 28 + 16 ? QKD_ERR_SHORT : QKD_ERR_FORMAT;
        ck_assert_int_eq(decode(&raw), expected);
    }
    raw.len = full + 1;
    ck_assert_int_eq(decode(&raw), QKD_ERR_FORMAT);
}
END_TEST

/* ---- costs ---- */

/* Bytes of a relay body with `count` keys, encoded as a KMA does. */
static size_t encoded_body(uint32_t key_size, uint32_t count)
{
    static uint8_t keys[BUFFER];
    uint8_t metadata[64];
    uint8_t body[BUFFER];
    struct wire_relay_metadata of_key = {.key_type = WIRE_FOR_ENCRYPTION, .generated = {1}};
    int metadata_len = wire_relay_metadata_encode(&of_key, metadata, sizeof metadata);
    ck_assert_int_gt(metadata_len, 0);
    struct wire_relay_body m = {.session_id = 1,
                                .key_size = key_size,
                                .count = (uint16_t)count,
                                .metadata = {metadata, (size_t)metadata_len},
                                .keys = {keys, (key_size + 7) / 8 * count}};
    int len = wire_relay_body_encode(&m, body, sizeof body);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

START_TEST(body_bytes_are_what_is_encoded)
{
    static const uint32_t sizes[] = {1, 7, 8, 9, 64, 128, 255, 256, 257, 512, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t count = 0; count <= 16; count++) {
            ck_assert_uint_eq(wire_relay_body_bytes(sizes[i], count),
                              encoded_body(sizes[i], count));
        }
    }
    ck_assert_uint_eq(wire_relay_body_bytes(256, 1), BODY_WITHOUT_KEYS + 32);
    ck_assert_uint_eq(wire_take_bytes(256, 1), 32 + 32);
    ck_assert_uint_eq(wire_take_bytes(9, 3), 6 + 32);
}
END_TEST

START_TEST(keys_per_frame)
{
    ck_assert_uint_eq(wire_keys_per_frame(256, 1), 1);
    ck_assert_uint_eq(wire_keys_per_frame(256, 32), 32);
    ck_assert_uint_eq(wire_keys_per_frame(256, 0), 1);
    /* as many as fit in the most that a frame carries; one that does not fit goes alone */
    ck_assert_uint_eq(wire_keys_per_frame(256, 100000), WIRE_FRAME_KEY_BYTES / 32);
    ck_assert_uint_eq(wire_keys_per_frame(8, UINT32_MAX), WIRE_FRAME_KEY_BYTES);
    ck_assert_uint_eq(wire_keys_per_frame(8 * WIRE_FRAME_KEY_BYTES, 2), 1);
    ck_assert_uint_eq(wire_keys_per_frame(16 * WIRE_FRAME_KEY_BYTES, 2), 1);
    ck_assert_uint_eq(wire_keys_per_frame(UINT32_MAX, UINT32_MAX), 1);
}
END_TEST

START_TEST(relay_cost)
{
    ck_assert_uint_eq(wire_relay_cost_bits(256, 1, 1), 8 * (FRAME_WITHOUT_KEYS + 32));
    ck_assert_uint_eq(wire_relay_cost_bits(256, 1, 1), 1488);
    ck_assert_uint_eq(wire_relay_cost_bits(256, 3, 1), 3 * 1488);
    ck_assert_uint_eq(wire_relay_cost_bits(256, 3, 0), 3 * 1488);
    ck_assert_uint_eq(wire_relay_cost_bits(256, 3, 2), 8 * (2 * FRAME_WITHOUT_KEYS + 3 * 32));
    ck_assert_uint_eq(wire_relay_cost_bits(256, 3, 3), 8 * (FRAME_WITHOUT_KEYS + 3 * 32));
    /* one key more than a frame carries: two frames, whatever the batch */
    uint32_t most = WIRE_FRAME_KEY_BYTES / 32;
    ck_assert_uint_eq(wire_relay_cost_bits(256, most + 1, 1000),
                      8 * (2 * FRAME_WITHOUT_KEYS + WIRE_FRAME_KEY_BYTES + 32));
    ck_assert_uint_eq(wire_relay_cost_bits(256, 0, 8), 0);
    /* 9 bits take two bytes */
    ck_assert_uint_eq(wire_relay_cost_bits(9, 5, 5), 8 * (FRAME_WITHOUT_KEYS + 5 * 2));
}
END_TEST

/* Frame by frame as a KMA sends them: the sum of bodies and tags. */
START_TEST(relay_cost_is_the_sum_of_its_frames)
{
    static const uint32_t sizes[] = {64, 100, 256, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t amount = 1; amount < 200; amount += 13) {
            for (uint32_t batch = 1; batch < 300; batch = 3 * batch + 1) {
                uint32_t per_frame = wire_keys_per_frame(sizes[i], batch);
                uint64_t relay = 0;
                uint64_t take = 0;
                for (uint32_t left = amount; left > 0;) {
                    uint32_t n = left < per_frame ? left : per_frame;
                    relay += 8 * (encoded_body(sizes[i], n) + 16);
                    take += 8 * (wire_take_bytes(sizes[i], n) + 16);
                    left -= n;
                }
                ck_assert_uint_eq(wire_relay_cost_bits(sizes[i], amount, batch), relay);
                ck_assert_uint_eq(wire_take_cost_bits(sizes[i], amount, batch), take);
            }
        }
    }
}
END_TEST

START_TEST(take_cost)
{
    ck_assert_uint_eq(wire_take_cost_bits(256, 1, 1), 8 * (32 + 32 + 16));
    ck_assert_uint_eq(wire_take_cost_bits(256, 3, 2), 8 * (2 * (32 + 16) + 3 * 32));
    ck_assert_uint_eq(wire_take_cost_bits(128, 10, 10), 8 * (48 + 160));
    ck_assert_uint_eq(wire_take_cost_bits(256, 0, 1), 0);
}
END_TEST

/* Where link key is the key itself, 16 + 64 bytes for one of 256 bit; else body and tag, 186. */
START_TEST(cost_of_a_hop_by_its_scheme)
{
    static const struct {
        struct wire_hop hop;
        uint64_t bits;
    } cases[] = {
        {{WIRE_RELAY_HOP_BY_HOP, true, true}, 640},
        {{WIRE_RELAY_HOP_BY_HOP, true, false}, 1488},
        {{WIRE_RELAY_HOP_BY_HOP, false, false}, 1488},
        {{WIRE_RELAY_FIRST_KEY, true, true}, 640},
        {{WIRE_RELAY_FIRST_KEY, true, false}, 640},
        {{WIRE_RELAY_FIRST_KEY, false, false}, 1488},
        {{WIRE_RELAY_DESTINATION, true, false}, 640},
        {{WIRE_RELAY_DESTINATION, false, false}, 640},
        {{WIRE_RELAY_MULTIPATH, true, true}, 640},
        {{WIRE_RELAY_MULTIPATH, true, false}, 1504},
        {{WIRE_RELAY_MULTIPATH, false, false}, 1504},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_uint_eq(wire_hop_cost_bits(&cases[i].hop, 256, 1, 1), cases[i].bits);
        ck_assert_uint_eq(wire_hop_cost_bits(&cases[i].hop, 256, 6, 1), 6 * cases[i].bits);
    }
}
END_TEST

START_TEST(costs_saturate)
{
    /* 2^29 bytes each, 2^32 - 1 of them, and a frame each: over 2^64 bits */
    ck_assert_uint_eq(wire_relay_cost_bits(UINT32_MAX, UINT32_MAX, 1), UINT64_MAX);
    ck_assert_uint_eq(wire_take_cost_bits(UINT32_MAX, UINT32_MAX, UINT32_MAX), UINT64_MAX);
    /* just below: 2^28 bytes each */
    ck_assert_uint_eq(wire_take_cost_bits(UINT32_C(1) << 31, UINT32_MAX, 1),
                      8 * ((UINT64_C(1) << 28) + 48) * UINT32_MAX);
    ck_assert_uint_eq(wire_relay_cost_bits(8, UINT32_MAX, 1),
                      UINT64_C(8) * (FRAME_WITHOUT_KEYS + 1) * UINT32_MAX);
}
END_TEST

/* By hand: 640 bit for a key of 256 are 2.5 per bit; 1,488 are 5.8125. */
START_TEST(cost_of_a_rate)
{
    ck_assert_uint_eq(wire_rate_cost_bps(256, 256, 640), 640);
    ck_assert_uint_eq(wire_rate_cost_bps(1, 256, 640), 3);
    ck_assert_uint_eq(wire_rate_cost_bps(1000, 256, 1488), 5813);
    ck_assert_uint_eq(wire_rate_cost_bps(0, 256, 1488), 0);
    ck_assert_uint_eq(wire_rate_cost_bps(UINT64_MAX, 1, 2), UINT64_MAX);
    ck_assert_uint_eq(wire_rate_cost_bps(5, 8, UINT64_MAX), UINT64_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_frame");
    TCase *tc = tcase_create("frames");
    tcase_add_loop_test(tc, lengths_that_fit, 0, LENGTH_CASES);
    tcase_add_test(tc, cost_of_a_rate);
    tcase_add_test(tc, malformed_frames_are_refused);
    tcase_add_test(tc, cut_frames_are_refused);
    suite_add_tcase(suite, tc);
    TCase *costs = tcase_create("costs");
    tcase_set_timeout(costs, 30);
    tcase_add_test(costs, body_bytes_are_what_is_encoded);
    tcase_add_test(costs, keys_per_frame);
    tcase_add_test(costs, relay_cost);
    tcase_add_test(costs, relay_cost_is_the_sum_of_its_frames);
    tcase_add_test(costs, take_cost);
    tcase_add_test(costs, cost_of_a_hop_by_its_scheme);
    tcase_add_test(costs, costs_saturate);
    suite_add_tcase(suite, costs);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
