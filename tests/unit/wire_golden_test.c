/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layout of wire/messages.h against byte strings written by hand, field by field, from its head
 * comment (big-endian; head of 32 bytes, bitmap, fields in order): encoding gives exactly them and
 * decoding them gives the values. A change that breaks this file breaks every recorded trace. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "tests/lib/hex.h"

#define BYTES_MAX 256
#define TEXT(s)                                                                                    \
    ((struct wire_bytes){(const uint8_t *)(s), sizeof(s) - 1}) /* without the terminating NUL */

struct golden {
    uint8_t bytes[BYTES_MAX];
    size_t len;
};

static void golden_init(struct golden *g, const char *hex)
{
    memset(g, 0, sizeof *g);
    g->len = hex_bytes(hex, g->bytes, sizeof g->bytes);
}

static void assert_encoded(const struct golden *g, const uint8_t *bytes, int len)
{
    ck_assert_int_eq(len, (int)g->len);
    ck_assert_mem_eq(bytes, g->bytes, g->len);
}

static void assert_bytes(struct wire_bytes is, const char *hex)
{
    uint8_t want[BYTES_MAX];
    size_t len = hex_bytes(hex, want, sizeof want);
    ck_assert_uint_eq(is.len, len);
    ck_assert_mem_eq(is.at, want, len);
}

static struct qkd_id id_of(uint8_t last)
{
    struct qkd_id id = {{0}};
    id.b[0] = 0xa0;
    id.b[15] = last;
    return id;
}

START_TEST(auth)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    golden_init(&g, "01 06 01 00"      /* version, rp Ck, command AUTH, flags */
                    "0000002b"         /* length 43 */
                    "0000000000000005" /* message id */
                    "0000000000000000" /* answers none */
                    "0100000000000007" /* sender: KMA of node 7 */
                    "00000000"         /* no options */
                    "00000003 616263" /* info "abc" */);
    struct wire_auth m = {.head = {.rp = QKD_RP_CK, .message_id = 5}, .info = TEXT("abc")};
    m.head.sender = qkd_eid_make(QKD_ROLE_KMA, 0, 7);
    assert_encoded(&g, to, wire_auth_encode(&m, to, sizeof to));

    struct wire_auth back;
    ck_assert_int_eq(wire_auth_decode(&back, g.bytes, g.len), 0);
    ck_assert_uint_eq(back.head.version, 1);
    ck_assert_uint_eq(back.head.rp, QKD_RP_CK);
    ck_assert_uint_eq(back.head.command, WIRE_CMD_AUTH);
    ck_assert_uint_eq(back.head.length, 43);
    ck_assert_uint_eq(back.head.message_id, 5);
    ck_assert_uint_eq(back.head.orig_message_id, 0);
    ck_assert_uint_eq(back.head.sender.v, UINT64_C(0x0100000000000007));
    assert_bytes(back.info, "616263");
}
END_TEST

START_TEST(key_supply)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    golden_init(&g, "01 01 02 00 00000046"              /* Ak, KEY_SUPPLY, 70 bytes */
                    "0102030405060708 0000000000000000" /* message id; answers none */
                    "0700000200000001"                  /* sender: third application of node 1 */
                    "0000000d"         /* options 0, 2, 3: key_amount, key_size, level */
                    "0700000200000001" /* source_id */
                    "0700000000000009" /* target_id */
                    "00000000000000ff" /* session_id */
                    "01"               /* application_code: for encryption */
                    "00000003"         /* key_amount */
                    "00000100"         /* key_size 256 */
                    "02" /* level: otp-only */);
    struct wire_key_supply m = {.head = {.rp = QKD_RP_AK, .message_id = 0x0102030405060708},
                                .session_id = 0xff,
                                .application_code = WIRE_FOR_ENCRYPTION,
                                .has_key_amount = true,
                                .key_amount = 3,
                                .has_key_size = true,
                                .key_size = 256,
                                .has_level = true,
                                .level = WIRE_LEVEL_OTP_ONLY,
                                /* present in the struct but not said to be: must not travel */
                                .timeout_ms = 77};
    m.head.sender = qkd_eid_make(QKD_ROLE_APP, 2, 1);
    m.source_id = m.head.sender;
    m.target_id = qkd_eid_make(QKD_ROLE_APP, 0, 9);
    assert_encoded(&g, to, wire_key_supply_encode(&m, to, sizeof to));

    struct wire_key_supply back;
    ck_assert_int_eq(wire_key_supply_decode(&back, g.bytes, g.len), 0);
    ck_assert_uint_eq(back.source_id.v, UINT64_C(0x0700000200000001));
    ck_assert_uint_eq(back.target_id.v, UINT64_C(0x0700000000000009));
    ck_assert_uint_eq(back.session_id, 0xff);
    ck_assert_uint_eq(back.application_code, 1);
    ck_assert(back.has_key_amount && back.has_key_size && back.has_level);
    ck_assert(!back.has_key_id && !back.has_timeout_ms && !back.has_wait);
    ck_assert_uint_eq(back.key_amount, 3);
    ck_assert_uint_eq(back.key_size, 256);
    ck_assert_uint_eq(back.level, 2);
    ck_assert_uint_eq(back.timeout_ms, 0);
}
END_TEST

START_TEST(key_supply_rsp)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    uint8_t key[16];
    struct qkd_id key_id = id_of(0x01);
    golden_init(&g, "01 01 82 00 00000073"              /* Ak, KEY_SUPPLY_RSP, 115 bytes */
                    "0000000000000011 0102030405060708" /* message id; answers */
                    "0200000000000001"                  /* sender: KSA of node 1 */
                    "0000007d"         /* options 0, 2 ... 6: all but key_id, status, reason */
                    "0700000200000001" /* source_id */
                    "0700000000000009" /* target_id */
                    "00000000000000ff" /* session_id */
                    "01"               /* application_code */
                    "00000001"         /* key_amount */
                    "00000080"         /* key_size 128 */
                    "00000001"         /* count_id */
                    "00000010 a0000000000000000000000000000001" /* key_ids */
                    "00000010 00112233445566778899aabbccddeeff" /* key_data */
                    "01"                                        /* grade: one-time pad */
                    "02" /* code: sufficient */);
    hex_bytes("00112233445566778899aabbccddeeff", key, sizeof key);
    struct wire_key_supply_rsp m = {
        .head = {.rp = QKD_RP_AK, .message_id = 0x11, .orig_message_id = 0x0102030405060708},
        .session_id = 0xff,
        .application_code = WIRE_FOR_ENCRYPTION,
        .has_key_amount = true,
        .key_amount = 1,
        .has_key_size = true,
        .key_size = 128,
        .has_count_id = true,
        .count_id = 1,
        .has_key_ids = true,
        .key_ids = {key_id.b, 16},
        .has_key_data = true,
        .key_data = {key, 16},
        .has_grade = true,
        .grade = WIRE_METHOD_OTP,
        .code = WIRE_SUFFICIENT};
    m.head.sender = qkd_eid_make(QKD_ROLE_KSA, 0, 1);
    m.source_id = qkd_eid_make(QKD_ROLE_APP, 2, 1);
    m.target_id = qkd_eid_make(QKD_ROLE_APP, 0, 9);
    assert_encoded(&g, to, wire_key_supply_rsp_encode(&m, to, sizeof to));

    struct wire_key_supply_rsp back;
    ck_assert_int_eq(wire_key_supply_rsp_decode(&back, g.bytes, g.len), 0);
    ck_assert_uint_eq(back.head.orig_message_id, UINT64_C(0x0102030405060708));
    ck_assert_uint_eq(back.count_id, 1);
    assert_bytes(back.key_ids, "a0000000000000000000000000000001");
    assert_bytes(back.key_data, "00112233445566778899aabbccddeeff");
    /* what a decoder returns by pointer lies in the input */
    ck_assert(back.key_data.at == g.bytes + 32 + 4 + 25 + 12 + 20 + 4);
    ck_assert_uint_eq(back.grade, 1);
    ck_assert_uint_eq(back.code, 2);
    ck_assert(!back.has_key_id && !back.has_status && !back.has_reason);
    ck_assert_ptr_null(back.status.at);
}
END_TEST

static const char hello_hex[] =
    "01 04 20 00 0000009d"                         /* Kx-1, HELLO, 157 bytes */
    "0000000000000002 0000000000000000"            /* message id; answers none */
    "0100000000000001"                             /* sender: KMA of node 1 */
    "00000001"                                     /* option 0: rx */
    "00000000000000000000ffff0a000001"             /* sender_ip 10.0.0.1 */
    "0005 6b6d612d61"                              /* sender_name "kma-a" */
    "0003 6c6162"                                  /* community "lab" */
    "101112131415161718191a1b1c1d1e1f"             /* auth_info */
    "202122232425262728292a2b2c2d2e2f"             /* ... */
    "00000004"                                     /* link */
    "00000002"                                     /* epoch */
    "00000006"                                     /* peer_epoch */
    "00000037"                                     /* next_seq */
    "01"                                           /* reply */
    "00000028"                                     /* rx: 40 bytes, two records */
    "00000014 00000000 00000001 00000400 00000800" /* block 1: 1024 to 2048 */
    "00000014 00000000 00000003 00000000 00000c00" /* block 3: 0 to 3072 */;

START_TEST(hello)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    uint8_t rx[40];
    golden_init(&g, hello_hex);
    struct wire_rx_state first = {.block = 1, .offset = 1024, .end = 2048};
    struct wire_rx_state second = {.block = 3, .end = 3072};
    ck_assert_int_eq(wire_rx_state_encode(&first, rx, sizeof rx), 20);
    ck_assert_int_eq(wire_rx_state_encode(&second, rx + 20, sizeof rx - 20), 20);
    struct wire_hello m = {.head = {.rp = QKD_RP_KX1, .message_id = 2},
                           .sender_name = TEXT("kma-a"),
                           .community = TEXT("lab"),
                           .link = 4,
                           .epoch = 2,
                           .peer_epoch = 6,
                           .next_seq = 55,
                           .reply = 1,
                           .has_rx = true,
                           .rx = {rx, sizeof rx}};
    m.head.sender = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    hex_bytes("00000000000000000000ffff0a000001", m.sender_ip.b, 16);
    for (size_t i = 0; i < 32; i++) {
        m.auth_info.b[i] = (uint8_t)(0x10 + i);
    }
    assert_encoded(&g, to, wire_hello_encode(&m, to, sizeof to));

    struct wire_hello back;
    struct wire_rx_state state;
    ck_assert_int_eq(wire_hello_decode(&back, g.bytes, g.len), 0);
    ck_assert_mem_eq(back.sender_ip.b, m.sender_ip.b, 16);
    assert_bytes(back.sender_name, "6b6d612d61");
    assert_bytes(back.community, "6c6162");
    ck_assert_mem_eq(back.auth_info.b, m.auth_info.b, 32);
    ck_assert_uint_eq(back.link, 4);
    ck_assert_uint_eq(back.epoch, 2);
    ck_assert_uint_eq(back.peer_epoch, 6);
    ck_assert_uint_eq(back.next_seq, 55);
    ck_assert_uint_eq(back.reply, 1);
    ck_assert(back.has_rx);
    ck_assert_int_eq(wire_rx_state_decode(&state, back.rx.at + 20, back.rx.len - 20), 20);
    ck_assert_uint_eq(state.block, 3);
    ck_assert_uint_eq(state.end, 3072);
}
END_TEST

START_TEST(route_rsp)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    uint8_t route[24];
    golden_init(&g, "01 06 91 00 00000055"              /* Ck, ROUTE_RSP, 85 bytes */
                    "0000000000000021 0000000000000020" /* message id; answers */
                    "0500000000000000"                  /* sender: controller */
                    "00000003"                          /* options 0, 1: route, validity_ms */
                    "0100000000000001"                  /* source_id */
                    "0100000000000003"                  /* destination_id */
                    "00000018 0100000000000001 0100000000000002 0100000000000003" /* route */
                    "00001388" /* validity 5000 ms */
                    "01" /* code: success */);
    for (uint32_t i = 0; i < 3; i++) {
        wire_put_u64(route + 8 * i, qkd_eid_make(QKD_ROLE_KMA, 0, i + 1).v);
    }
    struct wire_route_rsp m = {
        .head = {.rp = QKD_RP_CK, .message_id = 0x21, .orig_message_id = 0x20},
        .has_route = true,
        .route = {route, sizeof route},
        .has_validity_ms = true,
        .validity_ms = 5000,
        .code = WIRE_SUCCESS};
    m.head.sender = qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 0);
    m.source_id = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    m.destination_id = qkd_eid_make(QKD_ROLE_KMA, 0, 3);
    assert_encoded(&g, to, wire_route_rsp_encode(&m, to, sizeof to));

    struct wire_route_rsp back;
    ck_assert_int_eq(wire_route_rsp_decode(&back, g.bytes, g.len), 0);
    ck_assert(back.has_route && back.has_validity_ms && !back.has_reason);
    ck_assert_uint_eq(back.route.len, 24);
    ck_assert_uint_eq(wire_get_u64(back.route.at + 16), back.destination_id.v);
    ck_assert_uint_eq(back.validity_ms, 5000);
    ck_assert_uint_eq(back.code, 1);
}
END_TEST

START_TEST(route_rsp_failure)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    golden_init(&g, "01 06 91 00 00000036"              /* 54 bytes */
                    "0000000000000022 0000000000000020" /* message id; answers */
                    "0500000000000000"                  /* sender: controller */
                    "00000004"                          /* option 2: reason */
                    "0100000000000001 0100000000000003" /* source_id, destination_id */
                    "02"                                /* reason: no route */
                    "02" /* code: failure */);
    struct wire_route_rsp m = {
        .head = {.rp = QKD_RP_CK, .message_id = 0x22, .orig_message_id = 0x20},
        .has_reason = true,
        .reason = WIRE_REASON_NO_ROUTE,
        .code = WIRE_FAILURE};
    m.head.sender = qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 0);
    m.source_id = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    m.destination_id = qkd_eid_make(QKD_ROLE_KMA, 0, 3);
    assert_encoded(&g, to, wire_route_rsp_encode(&m, to, sizeof to));

    struct wire_route_rsp back;
    ck_assert_int_eq(wire_route_rsp_decode(&back, g.bytes, g.len), 0);
    ck_assert(!back.has_route && !back.has_validity_ms && back.has_reason);
    ck_assert_uint_eq(back.reason, 2);
    ck_assert_uint_eq(back.code, 2);
}
END_TEST

START_TEST(life_record)
{
    struct golden g;
    uint8_t to[BYTES_MAX];
    golden_init(&g, "00000033"         /* length 51, itself included */
                    "00000282"         /* options 1, 7, 9: key_length, link, reason */
                    "fffffffffffffffe" /* when: 2 ns before the epoch */
                    "0100000000000001" /* at: KMA of node 1 */
                    "0a"               /* action: expiry */
                    "02"               /* key class: KMA-key */
                    "a0000000000000000000000000000002" /* id */
                    "00000100"                         /* key_length 256 */
                    "00000007"                         /* link */
                    "0d" /* reason: expired */);
    struct wire_life m = {.when = {-2},
                          .action = WIRE_ACTION_EXPIRY,
                          .key_class = WIRE_CLASS_KMA,
                          .has_key_length = true,
                          .key_length = 256,
                          .has_link = true,
                          .link = 7,
                          .has_reason = true,
                          .reason = WIRE_REASON_EXPIRED};
    m.at = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    m.id = id_of(2);
    assert_encoded(&g, to, wire_life_encode(&m, to, sizeof to));

    struct wire_life back;
    ck_assert_int_eq(wire_life_decode(&back, g.bytes, sizeof g.bytes), 51);
    ck_assert_int_eq(back.when.ns, -2);
    ck_assert_uint_eq(back.action, 10);
    ck_assert(qkd_id_eq(&back.id, &m.id));
    ck_assert_uint_eq(back.key_length, 256);
    ck_assert_uint_eq(back.link, 7);
    ck_assert_uint_eq(back.reason, 13);
    ck_assert(!back.has_parent && !back.has_method && !back.has_hop);
}
END_TEST

START_TEST(frame_head)
{
    struct golden g;
    uint8_t to[WIRE_FRAME_HEAD_LEN];
    golden_init(&g, "f1 30 01 00" /* magic, RELAY, one-time pad, zero */
                    "00000007"    /* link */
                    "00000102"    /* block */
                    "00000400"    /* offset */
                    "00000014"    /* length: 4 + 16 */
                    "00000009"    /* seq */
                    "00000003"    /* epoch */
                    "deadbeef"    /* body */
                    "00112233445566778899aabbccddeeff" /* tag */);
    struct wire_frame frame = {.type = WIRE_FRAME_RELAY,
                               .method = WIRE_METHOD_OTP,
                               .link = 7,
                               .block = 0x102,
                               .offset = 1024,
                               .length = 20,
                               .seq = 9,
                               .epoch = 3};
    wire_frame_head_encode(&frame, to);
    ck_assert_mem_eq(to, g.bytes, 28);

    struct wire_frame back;
    ck_assert_int_eq(wire_frame_decode(&back, g.bytes, g.len), 0);
    ck_assert_uint_eq(back.type, WIRE_FRAME_RELAY);
    ck_assert_uint_eq(back.method, WIRE_METHOD_OTP);
    ck_assert_uint_eq(back.link, 7);
    ck_assert_uint_eq(back.block, 0x102);
    ck_assert_uint_eq(back.offset, 1024);
    ck_assert_uint_eq(back.length, 20);
    ck_assert_uint_eq(back.seq, 9);
    ck_assert_uint_eq(back.epoch, 3);
    ck_assert_ptr_eq(back.body, g.bytes + 28);
    ck_assert_uint_eq(back.body_len, 4);
    ck_assert_ptr_eq(back.tag, g.bytes + 32);
}
END_TEST

/* ---- malformed on purpose ---- */

/* Offsets in hello_hex: the length of sender_name is at 52, its first letter at 54. */
START_TEST(bad_strings_are_refused)
{
    struct golden g;
    struct wire_hello m;
    golden_init(&g, hello_hex);
    g.bytes[55] = 0; /* a NUL inside the name */
    ck_assert_int_eq(wire_hello_decode(&m, g.bytes, g.len), QKD_ERR_FORMAT);

    golden_init(&g, hello_hex);
    wire_put_u32(g.bytes + 50, UINT32_C(0x0001ffff)); /* a name longer than the message */
    ck_assert_int_eq(wire_hello_decode(&m, g.bytes, g.len), QKD_ERR_SHORT);

    /* sender_name of 255 bytes passes, of 256 does not, though the message is long enough */
    for (size_t name_len = 255; name_len <= 256; name_len++) {
        uint8_t bytes[512];
        golden_init(&g, hello_hex);
        size_t len = g.len - 5 + name_len;
        memcpy(bytes, g.bytes, 54);
        memset(bytes + 54, 'n', name_len);
        memcpy(bytes + 54 + name_len, g.bytes + 59, g.len - 59);
        bytes[52] = (uint8_t)(name_len >> 8);
        bytes[53] = (uint8_t)name_len;
        wire_put_u32(bytes + 4, (uint32_t)len);
        ck_assert_int_eq(wire_hello_decode(&m, bytes, len), name_len == 255 ? 0 : QKD_ERR_FORMAT);
    }
}
END_TEST

START_TEST(blob_lengths_cannot_wrap)
{
    struct golden g;
    struct wire_auth m;
    golden_init(&g, "01 06 01 00 0000002b 0000000000000005 0000000000000000 0100000000000007"
                    "00000000 00000003 616263");
    ck_assert_int_eq(wire_auth_decode(&m, g.bytes, g.len), 0);
    static const uint32_t too_long[] = {4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc};
    for (size_t i = 0; i < sizeof too_long / sizeof too_long[0]; i++) {
        wire_put_u32(g.bytes + 36, too_long[i]);
        ck_assert_int_eq(wire_auth_decode(&m, g.bytes, g.len), QKD_ERR_SHORT);
    }
    wire_put_u32(g.bytes + 36, 2); /* one byte of the body belongs to no field */
    ck_assert_int_eq(wire_auth_decode(&m, g.bytes, g.len), QKD_ERR_FORMAT);
}
END_TEST

START_TEST(encoder_refuses_what_no_decoder_takes)
{
    uint8_t to[BYTES_MAX];
    uint8_t letters[256];
    memset(letters, 'x', sizeof letters);
    struct wire_cfg_app app = {.name = {letters, 256}};
    ck_assert_int_eq(wire_cfg_app_encode(&app, to, sizeof to), QKD_ERR_RANGE);
    app.name = TEXT("a\0b");
    ck_assert_int_eq(wire_cfg_app_encode(&app, to, sizeof to), QKD_ERR_RANGE);
    app.name = (struct wire_bytes){NULL, 3};
    ck_assert_int_eq(wire_cfg_app_encode(&app, to, sizeof to), QKD_ERR_RANGE);
    app.name = (struct wire_bytes){NULL, 0};
    ck_assert_int_gt(wire_cfg_app_encode(&app, to, sizeof to), 0);

    uint8_t *big = calloc(1, 2 * WIRE_MAX_MESSAGE);
    uint8_t *out = malloc(2 * WIRE_MAX_MESSAGE);
    ck_assert(big != NULL && out != NULL);
    struct wire_auth message = {.info = {big, WIRE_MAX_MESSAGE - 40}};
    ck_assert_int_eq(wire_auth_encode(&message, out, 2 * WIRE_MAX_MESSAGE), WIRE_MAX_MESSAGE);
    ck_assert_int_eq(wire_auth_decode(&message, out, WIRE_MAX_MESSAGE), 0);
    message.info = (struct wire_bytes){big, WIRE_MAX_MESSAGE - 39};
    ck_assert_int_eq(wire_auth_encode(&message, out, 2 * WIRE_MAX_MESSAGE), QKD_ERR_RANGE);
    message.info.len = SIZE_MAX;
    ck_assert_int_eq(wire_auth_encode(&message, out, 2 * WIRE_MAX_MESSAGE), QKD_ERR_RANGE);
    /* a record of the store has no such limit */
    struct wire_p_block block = {.key = {big, WIRE_MAX_MESSAGE}};
    struct wire_p_block back;
    int len = wire_p_block_encode(&block, out, 2 * WIRE_MAX_MESSAGE);
    ck_assert_int_gt(len, WIRE_MAX_MESSAGE);
    ck_assert_int_eq(wire_p_block_decode(&back, out, (size_t)len), len);
    ck_assert_uint_eq(back.key.len, WIRE_MAX_MESSAGE);
    free(big);
    free(out);
}
END_TEST

START_TEST(texts)
{
    ck_assert_str_eq(wire_command_name(0x02), "KEY_SUPPLY");
    ck_assert_str_eq(wire_command_name(0xa1), "SESSION_RSP");
    ck_assert_str_eq(wire_command_name(0x7a), "CFG_LINK");
    ck_assert_ptr_null(wire_command_name(0x00));
    ck_assert_ptr_null(wire_command_name(0xff));
    ck_assert_ptr_null(wire_command_name(0x102));
    ck_assert_str_eq(wire_outcome_text(WIRE_OUTCOME_SERVED), "served");
    ck_assert_str_eq(wire_outcome_text(3), "timed_out");
    ck_assert_str_eq(wire_outcome_text(WIRE_OUTCOME_COUNT), "?");
    ck_assert_str_eq(wire_reason_text(0), "none");
    ck_assert_str_eq(wire_reason_text(WIRE_REASON_DUPLICATE), "duplicate");
    ck_assert_str_eq(wire_reason_text(255), "?");
    ck_assert_str_eq(wire_action_text(WIRE_ACTION_RELAY), "relay");
    ck_assert_str_eq(wire_action_text(0), "?");
    ck_assert_str_eq(wire_fault_text(WIRE_FAULT_TAG_FAILURE), "tag_failure");
    ck_assert_str_eq(wire_fault_text(0), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_golden");
    TCase *tc = tcase_create("bytes");
    tcase_add_test(tc, auth);
    tcase_add_test(tc, key_supply);
    tcase_add_test(tc, key_supply_rsp);
    tcase_add_test(tc, hello);
    tcase_add_test(tc, route_rsp);
    tcase_add_test(tc, route_rsp_failure);
    tcase_add_test(tc, life_record);
    tcase_add_test(tc, frame_head);
    tcase_add_test(tc, bad_strings_are_refused);
    tcase_add_test(tc, blob_lengths_cannot_wrap);
    tcase_add_test(tc, encoder_refuses_what_no_decoder_takes);
    tcase_add_test(tc, texts);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
