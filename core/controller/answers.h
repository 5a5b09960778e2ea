/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recent answers to ROUTE, so that a request repeated by its KMC gets the same answer and promises
 * nothing twice. A ring: the oldest answer leaves; the ring grows only while its oldest is still
 * young enough to be asked for again. Private to the room. */
#ifndef QKD_CONTROLLER_ANSWERS_H
#define QKD_CONTROLLER_ANSWERS_H

#include "core/controller/route.h"

#define CTL_ANSWER_LIMIT 16384

struct ctl_answer {
    struct qkd_eid asker;
    uint64_t message_id;
    struct qkd_eid source, destination; /* KMAs */
    struct qkd_time at;
    uint8_t reason;               /* enum wire_reason; NONE: a route */
    bool is_short;                /* some hop cannot pay pads: AES-256 */
    uint8_t count, first;         /* KMs on the route, or on all of them; on the first */
    uint32_t nodes[CTL_PATH_MAX]; /* node numbers */
};

struct ctl_answers {
    struct ctl_answer *ring;
    uint32_t count, cap, next; /* next: where the next answer goes, once count == cap */
    struct qkd_map by_request; /* asker and message ID -> index */
    struct qkd_span young;
};

void ctl_answers_init(struct ctl_answers *a, struct qkd_span young);
void ctl_answers_fini(struct ctl_answers *a);
void ctl_answers_salt(struct ctl_answers *a, const uint8_t salt[16]);

/* The answer to a request, or NULL. */
const struct ctl_answer *ctl_answers_find(const struct ctl_answers *a, struct qkd_eid asker,
                                          uint64_t message_id);

/* A place for the answer to a new request, with `asker`, `message_id` and `at` filled in; NULL
 * without memory. Valid until the next call. */
struct ctl_answer *ctl_answers_add(struct ctl_answers *a, struct qkd_eid asker, uint64_t message_id,
                                   struct qkd_time now);

#endif
