/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzz target: arbitrary bytes at chan_receive() in several states of the channel. The first byte of
 * the input chooses the state, the rest is cut into frames by u8 lengths; a length of 0 lets time
 * pass. Two honest ends share the channel, so that a state is reached by genuine frames. Frames of
 * the input that start with 0xC1 are completed with the live session number where one is known, so
 * that the search gets past the table look-up. An unforged message must never be delivered. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct end {
    struct qkd_eid eid;
    struct chan_set *set;
    struct qkd_rng rng;
    struct qkd_out out;
};

static const uint8_t secret[32] = {3};

static void end_init(struct end *end, uint32_t node)
{
    uint8_t seed[32] = {(uint8_t)node};
    struct chan_config config = {.self = qkd_eid_make(QKD_ROLE_KMA, 0, node),
                                 .limit = 3,
                                 .retransmit = qkd_span_ms(1)};
    end->eid = config.self;
    qkd_out_init(&end->out, 1 << 20);
    qkd_rng_init(&end->rng, seed);
    QKD_ASSERT(chan_set_new(&config, &end->set) == QKD_OK);
    chan_set_start(end->set, 1, &end->rng);
}

static void end_fini(struct end *end)
{
    chan_set_free(end->set);
    qkd_out_fini(&end->out);
}

static enum chan_event receive(struct end *to, struct qkd_eid from, const uint8_t *bytes,
                               size_t len)
{
    struct chan_message message;
    struct qkd_event event = {.type = QKD_EV_RECV, .now = {QKD_NS_PER_S}};
    event.u.recv.rp = QKD_RP_KX1;
    event.u.recv.from = from;
    event.u.recv.to = to->eid;
    event.u.recv.bytes = bytes;
    event.u.recv.len = len;
    return chan_receive(to->set, &event, &to->out, &message);
}

/* Hands the last `count` sends of `from` over; the session number of a record goes to *session. */
static void carry(struct end *from, struct end *to, uint8_t session[4])
{
    for (size_t i = 0; i < from->out.send_count; i++) {
        struct qkd_slice sent = from->out.send[i].bytes;
        const uint8_t *bytes = qkd_out_at(&from->out, sent);
        if (sent.len >= CHAN_OVERHEAD && bytes[1] >= 4) {
            memcpy(session, bytes + 4, 4);
        }
        receive(to, from->eid, bytes, sent.len);
    }
    qkd_out_reset(&from->out);
}

/* Brings the pair `steps` flights into the handshake: 0 unprovisioned, 1 closed, 2 OPEN sent, ... 7 UP
 * on both sides. */
static void reach(struct end ends[2], unsigned steps, uint8_t session[4])
{
    struct qkd_event event = {.type = QKD_EV_TIMEOUT, .now = {QKD_NS_PER_S}};
    if (steps == 0) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct qkd_eid peer = ends[1 - i].eid;
        QKD_ASSERT(chan_provision(ends[i].set, &event, QKD_RP_KX1, peer, secret, &ends[i].out) ==
                   QKD_OK);
    }
    if (steps >= 2) {
        chan_open(ends[0].set, &event, QKD_RP_KX1, ends[1].eid, &ends[0].out);
    }
    for (unsigned i = 2; i < steps; i++) {
        carry(&ends[i % 2], &ends[1 - i % 2], session);
    }
}

/* One frame of the input to one end, with the live session number if it asks for it. */
static void attack(struct end ends[2], const uint8_t session[4], const uint8_t *bytes, size_t len)
{
    uint8_t frame[256];
    unsigned at = bytes[0] & 1;
    memcpy(frame, bytes, len);
    if (len >= 8 && (frame[0] & 2) != 0) {
        memcpy(frame + 4, session, 4);
    }
    if (len >= 4 && (frame[0] & 4) != 0) {
        frame[0] = 0xc1;
        frame[1] = (uint8_t)(frame[1] % 6);
        frame[2] = frame[3] = 0;
    }
    QKD_ASSERT(receive(&ends[at], ends[1 - at].eid, frame, len) != CHAN_DATA);
    qkd_out_reset(&ends[at].out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct end ends[2];
    uint8_t session[4] = {0};
    int64_t now = QKD_NS_PER_S;
    if (len == 0 || crypto_init() != 0) {
        return 0;
    }
    end_init(&ends[0], 1);
    end_init(&ends[1], 2);
    reach(ends, bytes[0] % 8, session);
    for (size_t at = 1; at < len;) {
        size_t frame_len = bytes[at++];
        if (frame_len == 0) {
            now += 3 * QKD_NS_PER_MS;
            for (unsigned i = 0; i < 2; i++) {
                struct qkd_event event = {.type = QKD_EV_TIMEOUT, .now = {now}};
                chan_timeout(ends[i].set, &event, &ends[i].out);
                qkd_out_reset(&ends[i].out);
            }
            continue;
        }
        frame_len = frame_len < len - at ? frame_len : len - at;
        if (frame_len > 0) {
            attack(ends, session, bytes + at, frame_len);
        }
        at += frame_len;
    }
    end_fini(&ends[0]);
    end_fini(&ends[1]);
    return 0;
}
