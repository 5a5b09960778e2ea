/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer to a GENERATION command, the same from a QKD module (Kq-2, Cq) and from a quantum relay
 * point (Cqrp). Private to the room. */
#ifndef QKD_MODULE_GENERATION_H
#define QKD_MODULE_GENERATION_H

#include "core/channel/channel.h"
#include "core/wire/codec.h"

struct mod_generation_answer {
    struct wire_head head; /* of the answer: reference point, IDs, sender */
    struct qkd_eid to;     /* who commanded */
    bool good;             /* obeyed, or obeyed before */
};

void mod_generation_answer(struct chan_set *chans, const struct qkd_event *event,
                           const struct wire_generation *command,
                           const struct mod_generation_answer *answer, struct qkd_out *out);

#endif
