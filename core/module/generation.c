/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer to a GENERATION command: see module/generation.h. */
#include "core/module/generation.h"

#include "core/base/err.h"

enum { ANSWER_BYTES = 256 };

void mod_generation_answer(struct chan_set *chans, const struct qkd_event *event,
                           const struct wire_generation *command,
                           const struct mod_generation_answer *answer, struct qkd_out *out)
{
    uint8_t bytes[ANSWER_BYTES];
    struct wire_generation_rsp rsp = {.head = answer->head,
                                      .module_id = command->module_id,
                                      .code = answer->good ? WIRE_SUCCESS : WIRE_FAILURE};
    int len = wire_generation_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {(enum qkd_rp)answer->head.rp, answer->to, bytes, (size_t)len, 0};
    (void)chan_send(chans, event, &send, out); /* lost: it is commanded again */
}
