/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/channel case by case: the key schedule against an independent computation (OpenSSL's HKDF,
 * HMAC and GCM over inputs laid out by hand from core/channel/keys.h), authentication by Tables 7-2
 * and 7-3 (D23-PR-01, D23-PR-02, D23-AU-01 ... 06), authorization apart from authentication (S-KMA
 * of X.1712), replay, RESET, restarts, queue and limits. Topology: KMA 0, KMA 1 and an outsider. */
#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/keys.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "tests/lib/chan_net.h"

static struct net net;

/* What the elements have received. */
static struct {
    unsigned ups[NET_ELEMENTS];
    unsigned data[NET_ELEMENTS];
    uint32_t incarnation[NET_ELEMENTS]; /* of the peer, in the last event */
    size_t len;
    uint8_t text[NET_FRAME_LEN]; /* last message */
} got;

static void record_event(struct net *n, unsigned at, enum chan_event event,
                         const struct chan_message *message)
{
    ck_assert_ptr_eq(n, &net);
    got.ups[at] += event == CHAN_UP;
    got.data[at] += event == CHAN_DATA;
    got.incarnation[at] = message->peer_incarnation;
    got.len = message->len;
    if (message->len > 0) {
        memcpy(got.text, message->bytes, message->len);
    }
}

static void setup(void)
{
    memset(&got, 0, sizeof got);
    net_init(&net, 1);
    net.on_event = record_event;
    net.element[0].eid = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    net.element[1].eid = qkd_eid_make(QKD_ROLE_KMA, 0, 2);
    net.element[2].eid = qkd_eid_make(QKD_ROLE_KSA, 0, 3);
    for (unsigned at = 0; at < NET_ELEMENTS; at++) {
        net_start(&net, at);
    }
}

static void teardown(void)
{
    net_fini(&net);
}

static int send_text(unsigned from, unsigned to, const char *text)
{
    struct chan_send send = {.rp = QKD_RP_KX1,
                             .peer = net.element[to].eid,
                             .message = (const uint8_t *)text,
                             .len = strlen(text)};
    return net_send(&net, from, &send);
}

static void bring_up(void)
{
    ck_assert_int_eq(net_provision(&net, 1, QKD_RP_KX1, net.element[0].eid), 0);
    ck_assert_int_eq(net_open(&net, 0, QKD_RP_KX1, net.element[1].eid), 0);
    net_run(&net, 40 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(net.element[0].set, QKD_RP_KX1, net.element[1].eid));
    ck_assert(chan_is_up(net.element[1].set, QKD_RP_KX1, net.element[0].eid));
}

static const struct chan_stats *stats(unsigned at)
{
    return chan_stats(net.element[at].set);
}

/* ---- key schedule ---- */

/* HKDF-SHA-256 by OpenSSL's EVP_KDF. */
static void openssl_hkdf(const uint8_t secret[32], const uint8_t salt[64], const uint8_t *info,
                         size_t info_len, uint8_t out[100])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    uint8_t s[32], n[64], i[64];
    char sha256[] = "SHA256";
    memcpy(s, secret, 32);
    memcpy(n, salt, 64);
    memcpy(i, info, info_len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, s, sizeof s),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, n, sizeof n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, i, info_len),
        OSSL_PARAM_construct_end(),
    };
    ck_assert_int_eq(EVP_KDF_derive(ctx, out, 100, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

/* Frame `index` in the order of sending. */
static const struct net_frame *frame_sent(unsigned index)
{
    ck_assert_uint_lt(index, net.frames_sent);
    return &net.history[index];
}

/* The session's keys from the OPEN and ACCEPT that crossed the network: net frames 0 and 1. The
 * identities are written out: role 1 (KMA), instance 0, nodes 1 and 2; Kx-1 is 4. */
static void golden_keys(uint8_t out[100])
{
    uint8_t secret[32], salt[64];
    uint8_t info[43] = "qkdn channel keys\x04"
                       "\x01\0\0\0\0\0\0\x01"
                       "\x01\0\0\0\0\0\0\x02"
                       "\0\0\0\x01"
                       "\0\0\0\x01";
    net_secret(QKD_RP_KX1, net.element[0].eid, net.element[1].eid, secret);
    memcpy(salt, frame_sent(0)->bytes + 12, 32);
    memcpy(salt + 32, frame_sent(1)->bytes + 12, 32);
    openssl_hkdf(secret, salt, info, 42, out);
}

/* The MAC of an OPEN or ACCEPT by OpenSSL's one-shot HMAC. */
static void golden_mac(const struct net_frame *frame, const uint8_t *answered, uint8_t mac[32])
{
    uint8_t secret[32], key[32], text[17 + 44 + 32];
    size_t len = 17 + 44;
    net_secret(QKD_RP_KX1, net.element[0].eid, net.element[1].eid, secret);
    HMAC(EVP_sha256(), secret, 32, (const uint8_t *)"qkdn channel shake", 18, key, NULL);
    bool first = qkd_eid_eq(frame->from, net.element[0].eid);
    memset(text, 0, 17);
    text[0] = 1;
    text[7] = first ? 1 : 2;
    text[8] = 1;
    text[15] = first ? 2 : 1;
    text[16] = 4;
    memcpy(text + 17, frame->bytes, 44);
    if (answered != NULL) {
        memcpy(text + len, answered, 32);
        len += 32;
    }
    HMAC(EVP_sha256(), key, 32, text, len, mac, NULL);
}

START_TEST(golden_handshake)
{
    bring_up();
    const struct net_frame *open = frame_sent(0);
    const struct net_frame *accept = frame_sent(1);
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

/* Decrypts record `frame` by EVP and returns the length of the text. */
static size_t golden_open(const struct net_frame *frame, const uint8_t key[32], uint8_t *text)
{
    uint8_t nonce[12] = {0}, aad[32], tag[16];
    size_t len = frame->len - 32;
    int done;
    memcpy(nonce + 4, frame->bytes + 8, 8);
    memcpy(aad, frame->bytes, 16);
    memset(aad + 16, 0, 16);
    aad[16] = aad[24] = 1;
    aad[23] = (uint8_t)frame->from.v;
    aad[31] = (uint8_t)frame->to.v;
    aad[2] = 4;
    memcpy(tag, frame->bytes + frame->len - 16, 16);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    ck_assert_int_eq(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce), 1);
    ck_assert_int_eq(EVP_DecryptUpdate(ctx, NULL, &done, aad, sizeof aad), 1);
    ck_assert_int_eq(EVP_DecryptUpdate(ctx, text, &done, frame->bytes + 16, (int)len), 1);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag), 1);
    ck_assert_int_eq(EVP_DecryptFinal_ex(ctx, text + len, &done), 1);
    EVP_CIPHER_CTX_free(ctx);
    return len;
}

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
    bring_up();
    golden_keys(keys);
    ck_assert_uint_eq(net.frames_sent, 6);
    for (unsigned i = 2; i < 6; i++) {
        ck_assert_mem_eq(frame_sent(i)->bytes + 4, keys + 96, 4);
    }
    uint64_t first = golden_auth(frame_sent(2), keys, true);
    golden_answer(frame_sent(3), keys + 32, first);
    uint64_t second = golden_auth(frame_sent(4), keys, false);
    golden_answer(frame_sent(5), keys, second);
    send_text(1, 0, "hello");
    ck_assert_mem_eq(frame_sent(6)->bytes, "\xc1\x05\0\0", 4);
    ck_assert_uint_eq(golden_open(frame_sent(6), keys + 32, text), 5);
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
    openssl_hkdf(secret, nonces, info, 42, out);
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

/* ---- sending ---- */

START_TEST(both_ways)
{
    bring_up();
    ck_assert_uint_eq(got.ups[0], 1);
    ck_assert_uint_eq(got.ups[1], 1);
    ck_assert_uint_eq(net.element[0].peer_up, 1);
    ck_assert_uint_eq(net.element[1].peer_up, 1);
    ck_assert_int_eq(send_text(0, 1, "there"), QKD_OK);
    net_run(&net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(got.data[1], 1);
    ck_assert_mem_eq(got.text, "there", 5);
    ck_assert_int_eq(send_text(1, 0, ""), QKD_OK);
    net_run(&net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(got.data[0], 1);
    ck_assert_uint_eq(got.len, 0);
    ck_assert_int_eq(chan_deadline(net.element[0].set).ns, QKD_NEVER.ns);
    ck_assert_int_eq(chan_deadline(net.element[1].set).ns, QKD_NEVER.ns);
}
END_TEST

/* `observed` is the plaintext of records and 7-2/7-3, and empty for clear frames. */
START_TEST(observed)
{
    bring_up();
    struct qkd_event event = net_event(&net);
    struct chan_send send = {.rp = QKD_RP_KX1,
                             .peer = net.element[1].eid,
                             .message = (const uint8_t *)"observe me",
                             .len = 10,
                             .flags = QKD_SEND_REPLY};
    ck_assert_int_eq(chan_send(net.element[0].set, &event, &send, &net.out), 0);
    ck_assert_uint_eq(net.out.send_count, 1);
    ck_assert_uint_eq(net.out.send[0].bytes.len, 10 + CHAN_OVERHEAD);
    ck_assert_uint_eq(net.out.send[0].flags, QKD_SEND_REPLY);
    ck_assert_uint_eq(net.out.send[0].observed.len, 10);
    ck_assert_mem_eq(qkd_out_at(&net.out, net.out.send[0].observed), "observe me", 10);
    qkd_out_reset(&net.out);
    chan_open(net.element[0].set, &event, QKD_RP_KX1, net.element[2].eid, &net.out);
    uint8_t secret[32] = {1};
    chan_provision(net.element[0].set, &event, QKD_RP_KX1, net.element[2].eid, secret, &net.out);
    ck_assert_uint_eq(net.out.send_count, 1);
    ck_assert_uint_eq(net.out.send[0].observed.len, 0);
    qkd_out_reset(&net.out);
}
END_TEST

START_TEST(queue_before_up)
{
    char text[8] = "m00";
    for (int i = 0; i < CHAN_QUEUE; i++) {
        text[2] = (char)('a' + i);
        ck_assert_int_eq(send_text(0, 1, text), QKD_ERR_AGAIN);
    }
    ck_assert_int_eq(send_text(0, 1, "too much"), QKD_ERR_LIMIT);
    ck_assert_uint_eq(stats(0)->queue_drops, 1);
    ck_assert_uint_eq(net.element[0].want_secret, 1);
    net_run(&net, 40 * QKD_NS_PER_MS);
    ck_assert_uint_eq(got.data[1], CHAN_QUEUE);
    ck_assert_mem_eq(got.text, "m0p", 3);
}
END_TEST

START_TEST(queue_bytes)
{
    static uint8_t big[CHAN_QUEUE_BYTES + 1];
    struct qkd_event event = net_event(&net);
    struct chan_send send = {
        .rp = QKD_RP_KX1, .peer = net.element[1].eid, .message = big, .len = sizeof big};
    ck_assert_int_eq(chan_send(net.element[0].set, &event, &send, &net.out), QKD_ERR_LIMIT);
    ck_assert_uint_eq(net.element[0].set->queues.live, 0);
    send.len = CHAN_QUEUE_BYTES - 1;
    struct chan_set *set = net.element[0].set;
    ck_assert_int_eq(chan_send(set, &event, &send, &net.out), QKD_ERR_AGAIN);
    send.len = 2;
    ck_assert_int_eq(chan_send(set, &event, &send, &net.out), QKD_ERR_LIMIT);
    send.len = 1;
    ck_assert_int_eq(chan_send(set, &event, &send, &net.out), QKD_ERR_AGAIN);
    send.len = (size_t)WIRE_MAX_MESSAGE + 1;
    ck_assert_int_eq(chan_send(set, &event, &send, &net.out), QKD_ERR_LIMIT);
    qkd_out_reset(&net.out);
}
END_TEST

/* ---- attacks ---- */

/* Any one flipped bit of a record is refused, changes nothing, and burns nothing. */
START_TEST(flipped_bits)
{
    bring_up();
    ck_assert_int_eq(send_text(0, 1, "genuine"), QKD_OK);
    struct net_frame genuine = *frame_sent((unsigned)net.frames_sent - 1);
    memset(net.frame, 0, sizeof net.frame);
    for (size_t bit = 0; bit < 8 * genuine.len; bit++) {
        struct net_frame bad = genuine;
        bad.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        net_inject(&net, &bad, 1);
        net_run(&net, 2);
        ck_assert_uint_eq(got.data[1], 0);
    }
    ck_assert_uint_gt(stats(1)->auth_failures, 8 * 20);
    ck_assert_uint_eq(stats(1)->auth_failures, net.element[1].auth_failures);
    net_inject(&net, &genuine, 1);
    net_run(&net, 2);
    ck_assert_uint_eq(got.data[1], 1);
}
END_TEST

/* The same bytes under another reference point, from another sender, or back to their sender. */
START_TEST(misplaced)
{
    bring_up();
    net_provision(&net, 1, QKD_RP_KMI, net.element[0].eid);
    net_provision(&net, 1, QKD_RP_KX1, net.element[2].eid);
    send_text(0, 1, "genuine");
    struct net_frame bad = *frame_sent((unsigned)net.frames_sent - 1);
    memset(net.frame, 0, sizeof net.frame);
    bad.rp = QKD_RP_KMI;
    net_inject(&net, &bad, 1);
    bad.rp = QKD_RP_KX1;
    bad.from = net.element[2].eid;
    net_inject(&net, &bad, 1);
    bad.from = net.element[1].eid;
    bad.to = net.element[0].eid;
    net_inject(&net, &bad, 1);
    net_run(&net, 2);
    ck_assert_uint_eq(got.data[0] + got.data[1], 0);
}
END_TEST

START_TEST(replayed_record)
{
    bring_up();
    send_text(0, 1, "once");
    struct net_frame old = *frame_sent((unsigned)net.frames_sent - 1);
    net_run(&net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(got.data[1], 1);
    net_inject(&net, &old, 1);
    net_run(&net, 2);
    ck_assert_uint_eq(got.data[1], 1);
    ck_assert_uint_eq(stats(1)->replays, 1);
    for (int i = 0; i < 200; i++) { /* far out of the window */
        send_text(0, 1, "more");
    }
    net_run(&net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(got.data[1], 201);
    net_inject(&net, &old, 1);
    net_run(&net, 2);
    ck_assert_uint_eq(got.data[1], 201);
    ck_assert_uint_eq(stats(1)->replays, 2);
}
END_TEST

/* Records that arrive in the reverse order: 64 fit the window, older ones are refused. */
START_TEST(window_edges)
{
    bring_up();
    uint64_t before = net.frames_sent;
    for (int i = 0; i < 70; i++) {
        send_text(0, 1, "numbered");
    }
    memset(net.frame, 0, sizeof net.frame);
    for (unsigned i = 70; i-- > 0;) {
        net_inject(&net, &net.history[(before + i) % NET_HISTORY], 1);
    }
    net_run(&net, 2);
    ck_assert_uint_eq(got.data[1], 64);
    ck_assert_uint_eq(stats(1)->replays, 6);
}
END_TEST

/* An OPEN seen before is refused; one that was held back makes keys that nobody can use. In both
 * cases the session serves on. */
START_TEST(replayed_open)
{
    bring_up();
    struct net_frame old = *frame_sent(0);
    net_inject(&net, &old, 1);
    net_run(&net, 2);
    ck_assert_uint_eq(stats(1)->replays, 1);
    ck_assert_uint_eq(net.frames_sent, 6);
    /* A RESET makes element 0 open again; the attacker holds that OPEN back and plays it later. */
    struct net_frame reset = {.rp = QKD_RP_KX1,
                              .from = net.element[1].eid,
                              .to = net.element[0].eid,
                              .len = CHAN_RESET_LEN,
                              .bytes = {0xc1, 3}};
    memcpy(reset.bytes + 4, frame_sent(2)->bytes + 4, 4);
    net_run(&net, 50 * QKD_NS_PER_MS);
    net.faults.lose = 100;
    net_inject(&net, &reset, 1);
    net_run(&net, 2 * QKD_NS_PER_S);
    struct net_frame held = *frame_sent(6);
    ck_assert_uint_eq(held.bytes[1], CHAN_FRAME_OPEN);
    ck_assert_uint_eq(net.frames_sent, 6 + 8); /* nobody waits: given up after 8 */
    net.faults.lose = 0;
    net_inject(&net, &held, 1);
    net_run(&net, 2 * QKD_NS_PER_MS);
    ck_assert_uint_eq(frame_sent(14)->bytes[1], CHAN_FRAME_ACCEPT);
    ck_assert_int_eq(send_text(0, 1, "still here"), QKD_OK);
    ck_assert_int_eq(send_text(1, 0, "here too"), QKD_OK);
    net_run(&net, 2 * QKD_NS_PER_S);
    ck_assert_uint_eq(got.data[0], 1);
    ck_assert_uint_eq(got.data[1], 1);
    ck_assert_uint_eq(got.ups[0] + got.ups[1], 2);
    ck_assert_uint_eq(net.frames_sent, 17);
}
END_TEST

/* RESETs: answered at a bounded rate, obeyed at a bounded rate, and no session is dropped. */
START_TEST(reset_flood)
{
    bring_up();
    struct net_frame junk = {.rp = QKD_RP_KX1,
                             .from = net.element[0].eid,
                             .to = net.element[1].eid,
                             .len = 60,
                             .bytes = {0xc1, 5, 0, 0, 1, 2, 3, 4}};
    uint64_t before = net.frames_sent;
    for (int i = 0; i < 1000; i++) { /* 100 ms, 10 intervals */
        net_inject(&net, &junk, 1);
        net_run(&net, 100 * QKD_NS_PER_US);
    }
    ck_assert_uint_le(net.frames_sent - before, 11);
    ck_assert_uint_ge(net.frames_sent - before, 9);
    struct net_frame reset = {.rp = QKD_RP_KX1,
                              .from = net.element[1].eid,
                              .to = net.element[0].eid,
                              .len = CHAN_RESET_LEN,
                              .bytes = {0xc1, 3}};
    unsigned opens = 0;
    uint64_t seen = net.frames_sent;
    memcpy(reset.bytes + 4, frame_sent(2)->bytes + 4, 4);
    for (int i = 0; i < 1000; i++) { /* 100 ms; the attacker reads each new session number */
        for (; seen < net.frames_sent; seen++) {
            const struct net_frame *frame = &net.history[seen % NET_HISTORY];
            opens += frame->bytes[1] == CHAN_FRAME_OPEN;
            if (frame->bytes[1] == CHAN_FRAME_CONTROL) {
                memcpy(reset.bytes + 4, frame->bytes + 4, 4);
            }
        }
        net_inject(&net, &reset, 1);
        net_run(&net, 100 * QKD_NS_PER_US);
        ck_assert(chan_is_up(net.element[0].set, QKD_RP_KX1, net.element[1].eid));
        ck_assert(chan_is_up(net.element[1].set, QKD_RP_KX1, net.element[0].eid));
    }
    ck_assert_uint_ge(opens, 2);
    ck_assert_uint_le(opens, 5); /* at most one in two intervals */
    ck_assert_uint_eq(net.element[0].peer_down + net.element[1].peer_down, 0);
}
END_TEST

/* Authenticated, but a KSA has no business at Kx-1: denied, not an authentication failure. */
START_TEST(wrong_role)
{
    net_provision(&net, 1, QKD_RP_KX1, net.element[2].eid);
    ck_assert_int_eq(send_text(2, 1, "let me in"), QKD_ERR_AGAIN);
    net_run(&net, QKD_NS_PER_S);
    ck_assert_uint_eq(stats(1)->denied, 1);
    ck_assert_uint_eq(stats(1)->auth_failures, 0);
    ck_assert_uint_eq(stats(2)->auth_failures, 0);
    ck_assert_uint_eq(stats(2)->queue_drops, 1);
    ck_assert_uint_eq(got.ups[1] + got.ups[2] + got.data[1], 0);
    ck_assert_uint_eq(net.frames_sent, 4); /* OPEN, ACCEPT, 7-2, 7-3 with 0x02 */
    ck_assert(!chan_is_up(net.element[1].set, QKD_RP_KX1, net.element[2].eid));
    ck_assert_int_eq(chan_deadline(net.element[2].set).ns, QKD_NEVER.ns);
}
END_TEST

/* Seals `text` under the initiator's key of the golden session, as record `counter`. */
static struct net_frame golden_seal(const uint8_t keys[100], uint64_t counter, const uint8_t *text,
                                    size_t len)
{
    struct net_frame frame = {.rp = QKD_RP_KX1,
                              .from = net.element[0].eid,
                              .to = net.element[1].eid,
                              .len = len + 32,
                              .bytes = {0xc1, CHAN_FRAME_CONTROL}};
    uint8_t nonce[12] = {0}, aad[32] = {0};
    memcpy(frame.bytes + 4, keys + 96, 4);
    frame.bytes[15] = (uint8_t)counter;
    nonce[11] = (uint8_t)counter;
    memcpy(aad, frame.bytes, 16);
    aad[2] = 4;
    aad[16] = aad[24] = 1;
    aad[23] = 1;
    aad[31] = 2;
    struct crypto_gcm_text seal = {aad, sizeof aad, text, len};
    ck_assert_int_eq(crypto_gcm_seal(keys, nonce, &seal, frame.bytes + 16), 0);
    return frame;
}

/* The holder of the session keys must also show the proof, under its own name: 0x02 if not. */
START_TEST(wrong_proof)
{
    uint8_t keys[100], text[96], proof[32] = {0};
    net_provision(&net, 1, QKD_RP_KX1, net.element[0].eid);
    net_open(&net, 0, QKD_RP_KX1, net.element[1].eid);
    net_run(&net, 3 * QKD_NS_PER_MS / 2);
    ck_assert_uint_eq(net.frames_sent, 2);
    memset(net.frame, 0, sizeof net.frame);
    golden_keys(keys);
    struct wire_auth auth = {
        .head = {.rp = 4, .message_id = 1, .sender = net.element[0].eid},
        .info = {proof, (size_t)(_i == 2 ? 31 : 32)},
    };
    if (_i == 1) {
        chan_proof(keys + 64, wire_get_u32(keys + 96), net.element[0].eid, true, proof);
        auth.head.sender = net.element[2].eid;
    }
    int len = wire_auth_encode(&auth, text, sizeof text);
    ck_assert_int_gt(len, 0);
    struct net_frame forged = golden_seal(keys, 0, text, (size_t)len);
    net_inject(&net, &forged, 1);
    net_run(&net, 2);
    ck_assert_uint_eq(stats(1)->auth_failures, 1);
    ck_assert_uint_eq(stats(1)->denied, 0);
    ck_assert_uint_eq(net.frames_sent, 3);
    size_t answer = golden_open(frame_sent(2), keys + 32, text);
    struct wire_auth_rsp rsp;
    ck_assert_int_eq(wire_auth_rsp_decode(&rsp, text, answer), 0);
    ck_assert_uint_eq(rsp.code, 2);
    ck_assert_uint_eq(rsp.head.orig_message_id, 1);
}
END_TEST

/* KMI joins elements of one node only. */
START_TEST(kmi_same_node)
{
    struct qkd_eid near = qkd_eid_sibling(net.element[0].eid, QKD_ROLE_KSA);
    for (int same = 0; same < 2; same++) {
        net.element[2].eid = same ? near : qkd_eid_make(QKD_ROLE_KSA, 0, 3);
        net_start(&net, 2);
        net_open(&net, 2, QKD_RP_KMI, net.element[0].eid);
        net_run(&net, QKD_NS_PER_S);
        bool up = chan_is_up(net.element[2].set, QKD_RP_KMI, net.element[0].eid);
        ck_assert(up == (same != 0));
        ck_assert_uint_eq(stats(0)->denied, 1);
    }
}
END_TEST

START_TEST(wrong_secret)
{
    net.element[1].provision = false;
    uint8_t wrong[32] = {1};
    struct qkd_event event = net_event(&net);
    chan_provision(net.element[1].set, &event, QKD_RP_KX1, net.element[0].eid, wrong, &net.out);
    net_open(&net, 0, QKD_RP_KX1, net.element[1].eid);
    net_run(&net, 5 * QKD_NS_PER_MS);
    ck_assert_uint_eq(stats(1)->auth_failures, 1);
    ck_assert_uint_eq(net.element[1].auth_failures, 1);
    ck_assert_uint_eq(net.frames_sent, 1);
}
END_TEST

/* ---- time ---- */

/* Somebody waits: repeated for ever, at most 8 times slower than at first. */
START_TEST(retries_while_wanted)
{
    net.faults.lose = 100;
    net_provision(&net, 1, QKD_RP_KX1, net.element[0].eid);
    net_open(&net, 0, QKD_RP_KX1, net.element[1].eid);
    net_run(&net, 10 * QKD_NS_PER_S);
    /* At 0, 20, 60 and 140 ms (intervals 10 doubled once to 80) and every 80 ms from there. */
    ck_assert_uint_ge(net.frames_sent, 125);
    ck_assert_uint_le(net.frames_sent, 129);
    net.faults.lose = 0;
    net_run(&net, 100 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(net.element[0].set, QKD_RP_KX1, net.element[1].eid));
}
END_TEST

START_TEST(early_timeout)
{
    net_open(&net, 0, QKD_RP_KX1, net.element[1].eid);
    struct qkd_event event = net_event(&net);
    chan_timeout(net.element[0].set, &event, &net.out);
    ck_assert_uint_eq(net.out.send_count + net.out.report_count, 0);
    ck_assert_int_eq(chan_deadline(net.element[0].set).ns, net.now.ns + 10 * QKD_NS_PER_MS);
}
END_TEST

/* Either side restarts; whoever speaks first, the channel is up again within 8 intervals. */
START_TEST(restart_recovers)
{
    unsigned restarted = (unsigned)_i & 1;
    unsigned speaker = (unsigned)_i >> 1;
    bring_up();
    net_start(&net, restarted);
    net_run(&net, 50 * QKD_NS_PER_MS);
    send_text(speaker, 1 - speaker, "after the restart");
    net_run(&net, 20 * QKD_NS_PER_MS);
    send_text(speaker, 1 - speaker, "again");
    net_run(&net, 60 * QKD_NS_PER_MS);
    ck_assert_uint_ge(got.data[1 - speaker], 1);
    ck_assert_mem_eq(got.text, "again", 5);
    ck_assert_uint_eq(got.ups[0] + got.ups[1], 4);
    ck_assert_uint_eq(net.element[1 - restarted].peer_down, 1);
    ck_assert_uint_eq(got.incarnation[1 - speaker], speaker == restarted ? 2 : 1);
}
END_TEST

/* Both open at once: one handshake, that of the lower element ID. */
START_TEST(crossing_opens)
{
    net_open(&net, 0, QKD_RP_KX1, net.element[1].eid);
    net_open(&net, 1, QKD_RP_KX1, net.element[0].eid);
    net_run(&net, 9 * QKD_NS_PER_MS);
    ck_assert_uint_eq(got.ups[0], 1);
    ck_assert_uint_eq(got.ups[1], 1);
    ck_assert_uint_eq(net.frames_sent, 7);
    net_run(&net, QKD_NS_PER_S);
    ck_assert_uint_eq(net.frames_sent, 7);
}
END_TEST

/* Frames of strangers fill the table and make room for our own channels. */
START_TEST(strangers)
{
    struct net_frame junk = {
        .rp = QKD_RP_KX1, .to = net.element[1].eid, .len = 76, .bytes = {0xc1, CHAN_FRAME_OPEN}};
    net.element[1].provision = false;
    for (uint32_t i = 0; i < 100; i++) {
        junk.from = qkd_eid_make(QKD_ROLE_KMA, 0, 1000 + i);
        net_inject(&net, &junk, 1);
        net_inject(&net, &junk, 2);
    }
    net_run(&net, 10);
    ck_assert_uint_eq(net.element[1].want_secret, 16); /* the limit, once each */
    net.element[1].provision = true;
    ck_assert_int_eq(net_open(&net, 1, QKD_RP_KX1, net.element[0].eid), 0);
    net_run(&net, 20 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(net.element[1].set, QKD_RP_KX1, net.element[0].eid));
    for (uint32_t i = 0; i < 15; i++) {
        struct qkd_eid peer = qkd_eid_make(QKD_ROLE_KMA, 0, 5000 + i);
        ck_assert_int_eq(net_provision(&net, 1, QKD_RP_KX1, peer), 0);
    }
    struct qkd_eid last = qkd_eid_make(QKD_ROLE_KMA, 0, 9000);
    ck_assert_int_eq(net_provision(&net, 1, QKD_RP_KX1, last), QKD_ERR_LIMIT);
    ck_assert(chan_is_up(net.element[1].set, QKD_RP_KX1, net.element[0].eid));
}
END_TEST

/* ---- table and sizes ---- */

/* The ends of each reference point as D2.3 clause 11 names them; every other pair is refused. */
START_TEST(roles)
{
    static const struct {
        enum qkd_rp rp;
        enum qkd_role a, b;
    } meets[14] = {
        {QKD_RP_AK, QKD_ROLE_KSA, QKD_ROLE_APP},
        {QKD_RP_KQ1, QKD_ROLE_KMA, QKD_ROLE_MODULE},
        {QKD_RP_KQ2, QKD_ROLE_KMC, QKD_ROLE_MODULE},
        {QKD_RP_KX1, QKD_ROLE_KMA, QKD_ROLE_KMA},
        {QKD_RP_KX2, QKD_ROLE_KSA, QKD_ROLE_KSA},
        {QKD_RP_CK, QKD_ROLE_KMC, QKD_ROLE_CONTROLLER},
        {QKD_RP_CQ, QKD_ROLE_MODULE, QKD_ROLE_CONTROLLER},
        {QKD_RP_CX, QKD_ROLE_CONTROLLER, QKD_ROLE_CONTROLLER},
        {QKD_RP_MC, QKD_ROLE_CONTROLLER, QKD_ROLE_MANAGER},
        {QKD_RP_MK, QKD_ROLE_KMC, QKD_ROLE_MANAGER},
        {QKD_RP_MQ, QKD_ROLE_MODULE, QKD_ROLE_MANAGER},
        {QKD_RP_KMI, QKD_ROLE_KMA, QKD_ROLE_KSA},
        {QKD_RP_KMI, QKD_ROLE_KMC, QKD_ROLE_KMA},
        {QKD_RP_KMI, QKD_ROLE_KSA, QKD_ROLE_KMC},
    };
    unsigned allowed = 0;
    for (int rp = 0; rp < QKD_RP_COUNT; rp++) {
        for (int a = 0; a < QKD_ROLE_COUNT; a++) {
            for (int b = 0; b < QKD_ROLE_COUNT; b++) {
                bool ok = chan_role_allowed((enum qkd_rp)rp, (enum qkd_role)a, (enum qkd_role)b);
                ck_assert(ok ==
                          chan_role_allowed((enum qkd_rp)rp, (enum qkd_role)b, (enum qkd_role)a));
                allowed += ok;
            }
        }
    }
    for (unsigned i = 0; i < 14; i++) {
        ck_assert(chan_role_allowed(meets[i].rp, meets[i].a, meets[i].b));
    }
    ck_assert_uint_eq(allowed, 3 + 2 * 11);
}
END_TEST

/* Idle: the entry with its link in the slab, and its share of the map at the lowest load after a
 * doubling (0.35; cells of 8 + 12 bytes). */
START_TEST(idle_size)
{
    bring_up();
    struct chan_set *set = net.element[0].set;
    ck_assert_uint_eq(set->shakes.live, 0);
    ck_assert_uint_eq(set->queues.live, 0);
    ck_assert_uint_eq(set->timers.count, 0);
    ck_assert_double_le((double)set->channels.item_size + 4 + 20 / 0.35, 256);
}
END_TEST

START_TEST(bad_config)
{
    struct chan_set *set;
    struct chan_config config = {.self = QKD_NOBODY, .limit = 0, .retransmit = qkd_span_ms(1)};
    ck_assert_int_eq(chan_set_new(&config, &set), QKD_ERR_RANGE);
    config.limit = 1;
    config.retransmit.ns = 0;
    ck_assert_int_eq(chan_set_new(&config, &set), QKD_ERR_RANGE);
    config.retransmit.ns = INT64_MAX;
    ck_assert_int_eq(chan_set_new(&config, &set), QKD_ERR_RANGE);
    chan_set_free(NULL);
}
END_TEST

static void add_attacks(TCase *tests)
{
    tcase_add_test(tests, flipped_bits);
    tcase_add_test(tests, misplaced);
    tcase_add_test(tests, replayed_record);
    tcase_add_test(tests, window_edges);
    tcase_add_test(tests, replayed_open);
    tcase_add_test(tests, reset_flood);
    tcase_add_test(tests, wrong_role);
    tcase_add_loop_test(tests, wrong_proof, 0, 3);
    tcase_add_test(tests, kmi_same_node);
    tcase_add_test(tests, wrong_secret);
}

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel");
    TCase *tests = tcase_create("channel");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, golden_handshake);
    tcase_add_test(tests, golden_authentication);
    tcase_add_test(tests, schedule_directly);
    tcase_add_test(tests, both_ways);
    tcase_add_test(tests, observed);
    tcase_add_test(tests, queue_before_up);
    tcase_add_test(tests, queue_bytes);
    add_attacks(tests);
    tcase_add_test(tests, retries_while_wanted);
    tcase_add_test(tests, early_timeout);
    tcase_add_loop_test(tests, restart_recovers, 0, 4);
    tcase_add_test(tests, crossing_opens);
    tcase_add_test(tests, strangers);
    tcase_add_test(tests, roles);
    tcase_add_test(tests, idle_size);
    tcase_add_test(tests, bad_config);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
