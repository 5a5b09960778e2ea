/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An element played by the test: it holds real channels in a pump, sends what the test encodes and
 * keeps what it receives, so that one element can be tested against scripted peers. */
#ifndef QKD_TESTS_PUPPET_H
#define QKD_TESTS_PUPPET_H

#include "core/wire/codec.h"
#include "tests/lib/pump.h"

struct puppet;

/* Adds and starts it in the pump. */
struct puppet *puppet_new(struct pump *p, struct qkd_eid self);
void puppet_free(struct puppet *u);

/* The next message ID: unique for this puppet. */
uint64_t puppet_id(struct puppet *u);

/* Opens the channel to a peer, or sends one encoded message through it (opening it first). Both
 * happen at once; the pump must run for the peer to see anything. */
void puppet_open(struct puppet *u, enum qkd_rp rp, struct qkd_eid peer);
void puppet_send(struct puppet *u, enum qkd_rp rp, struct qkd_eid peer, struct wire_bytes message);

/* Encodes a `struct wire_name` and sends it; fills rp, sender and, if zero, the message ID. */
#define PUPPET_SEND(puppet, name, rp_, peer, message)                                              \
    do {                                                                                           \
        uint8_t *puppet_bytes = puppet_scratch(puppet);                                            \
        (message)->head.rp = (uint8_t)(rp_);                                                       \
        (message)->head.sender = puppet_self(puppet);                                              \
        if ((message)->head.message_id == 0) {                                                     \
            (message)->head.message_id = puppet_id(puppet);                                        \
        }                                                                                          \
        int puppet_len = wire_##name##_encode((message), puppet_bytes, WIRE_MAX_MESSAGE);          \
        ck_assert_int_gt(puppet_len, 0);                                                           \
        puppet_send((puppet), (rp_), (peer),                                                       \
                    (struct wire_bytes){puppet_bytes, (size_t)puppet_len});                        \
    } while (0)
uint8_t *puppet_scratch(struct puppet *u);
struct qkd_eid puppet_self(const struct puppet *u);

/* Messages received with `command` (0: any), oldest first; kept until puppet_forget(). */
struct puppet_message {
    enum qkd_rp rp;
    struct qkd_eid peer;
    struct wire_head head;
    struct wire_bytes bytes;
    struct qkd_time at;
};
size_t puppet_count(const struct puppet *u, uint8_t command);
const struct puppet_message *puppet_get(const struct puppet *u, uint8_t command, size_t n);
void puppet_forget(struct puppet *u);

bool puppet_is_up(const struct puppet *u, enum qkd_rp rp, struct qkd_eid peer);

#endif
