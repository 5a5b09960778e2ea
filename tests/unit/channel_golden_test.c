/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The channel's frames and keys against an independent computation (OpenSSL's HKDF, HMAC and GCM over
 * inputs laid out by hand from core/channel/keys.h: tests/lib/chan_golden.c), and authentication by
 * Tables 7-2 and 7-3 (D23-PR-01, D23-PR-02, D23-AU-01 ... 06). */
#include <check.h>
#include <stdlib.h>

#include <openssl/hmac.h>

#include "core/channel/keys.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "tests/lib/chan_case.h"
#include "tests/lib/chan_golden.h"

START_TEST(golden_handshake)
{
    chc_bring_up();
    const struct net_frame *open = chc_frame(0);
    const struct net_frame *accept = chc_frame(1);
    uint8_t mac[32];
    ck_assert_uint_eq(open->len, 76);
    ck_assert_mem_eq(open->bytes, "\xc1\x01\0\0\0\0\0\x01\0\0\0\x01", 12);
    golden_mac(open, NULL, mac);
    ck_assert_mem_eq(open->bytes + 44, mac, 32);
    ck_assert_uint_eq(accept->len, 76);
    ck_assert_mem_eq(accept->bytes, "\xc1\x02\0\0\0\0\0\x01\0\0\0\x01", 12);
    golden_mac(accept, open->bytes + 12, mac);
    ck_assert_mem_eq(accept->bytes + 44, mac, 32);
}
END_TEST

/* The 7-2 of `frame` carries the proof that the exporter secret gives for its sender. */
static uint64_t golden_auth(const struct net_frame *frame, const uint8_t keys[100], bool initiator)
{
    uint8_t text[NET_FRAME_LEN], proof[32];
    struct wire_auth auth;
    size_t len = golden_open(frame, initiator ? keys : keys + 32, text);
    ck_assert_int_eq(wire_auth_decode(&auth, text, len), 0);
    ck_assert_uint_eq(auth.head.sender.v, frame->from.v);
    ck_assert_uint_ne(auth.head.message_id, 0);
    uint8_t input[32] = "qkdn channel proof\x01\x01";
    input[26] = (uint8_t)frame->from.v;
    input[27] = initiator ? 1 : 2;
    memcpy(input + 28, keys + 96, 4);
    HMAC(EVP_sha256(), keys + 64, 32, input, 32, proof, NULL);
    ck_assert_uint_eq(auth.info.len, 32);
    ck_assert_mem_eq(auth.info.at, proof, 32);
    return auth.head.message_id;
}

static void golden_answer(const struct net_frame *frame, const uint8_t key[32], uint64_t orig)
{
    uint8_t text[NET_FRAME_LEN];
    struct wire_auth_rsp rsp;
    size_t len = golden_open(frame, key, text);
    ck_assert_int_eq(wire_auth_rsp_decode(&rsp, text, len), 0);
    ck_assert_uint_eq(rsp.code, 1);
    ck_assert_uint_eq(rsp.head.orig_message_id, orig);
    ck_assert_uint_eq(rsp.head.sender.v, frame->from.v);
}

START_TEST(golden_authentication)
{
    uint8_t keys[100], text[NET_FRAME_LEN];
    chc_bring_up();
    golden_keys(keys);
    ck_assert_uint_eq(chc_net.frames_sent, 6);
    for (unsigned i = 2; i < 6; i++) {
        ck_assert_mem_eq(chc_frame(i)->bytes + 4, keys + 96, 4);
    }
    uint64_t first = golden_auth(chc_frame(2), keys, true);
    golden_answer(chc_frame(3), keys + 32, first);
    uint64_t second = golden_auth(chc_frame(4), keys, false);
    golden_answer(chc_frame(5), keys, second);
    chc_send_text(1, 0, "hello");
    ck_assert_mem_eq(chc_frame(6)->bytes, "\xc1\x05\0\0", 4);
    ck_assert_uint_eq(golden_open(chc_frame(6), keys + 32, text), 5);
    ck_assert_mem_eq(text, "hello", 5);
}
END_TEST

START_TEST(schedule_directly)
{
    uint8_t secret[32], nonces[64], out[100];
    uint8_t info[43] = "qkdn channel keys\x01"
                       "\x07\0\0\x05\0\0\0\x09"
                       "\x02\0\0\0\0\0\0\x09"
                       "\0\0\x01\x02"
                       "\x80\0\0\0";
    for (unsigned i = 0; i < 64; i++) {
        nonces[i] = (uint8_t)(i * 3);
        secret[i % 32] = (uint8_t)(200 - i % 32);
    }
    golden_hkdf(secret, nonces, info, 42, out);
    struct chan_party a = {qkd_eid_make(QKD_ROLE_APP, 5, 9), 0x102, nonces};
    struct chan_party b = {qkd_eid_make(QKD_ROLE_KSA, 0, 9), 0x80000000, nonces + 32};
    struct chan_keys keys;
    ck_assert_int_eq(chan_keys_derive(secret, QKD_RP_AK, &a, &b, &keys), 0);
    ck_assert_mem_eq(keys.to_responder, out, 32);
    ck_assert_mem_eq(keys.to_initiator, out + 32, 32);
    ck_assert_mem_eq(keys.exporter, out + 64, 32);
    ck_assert_uint_eq(keys.session, wire_get_u32(out + 96));
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel_golden");
    TCase *tests = tcase_create("channel_golden");
    tcase_add_checked_fixture(tests, chc_setup, chc_teardown);
    tcase_add_test(tests, golden_handshake);
    tcase_add_test(tests, golden_authentication);
    tcase_add_test(tests, schedule_directly);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
