/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages that a world itself gives to elements: configuration, blocks of the optics, load. */
#ifndef HOST_MESSAGE_H
#define HOST_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"

struct host_message {
    enum qkd_rp rp; /* of CONFIG messages: no meaning */
    struct qkd_eid from, to;
    const uint8_t *bytes; /* encoded, plain; may hold key material: wiped after the call */
    size_t len;
};

/* Where they go. */
struct host_sender {
    void *ctx;
    uint64_t *message_id; /* the last one used */
    void (*give)(void *ctx, const struct host_message *message);
};

#endif
