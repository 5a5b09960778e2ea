/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which KM serves a user network (FG QIT4N D2.3 clause 7.2.2.1; D23-KR-07): KMs say with their status what
 * they serve, and ask whom to contact. */
#include "core/base/err.h"
#include "core/controller/element.h"

void ctl_reach_take(struct ctl *ctl, const struct qkd_event *event, const struct ctl_peer *peer,
                    const struct wire_status_rsp *rsp)
{
    if (rsp->has_networks) { /* else the message does not speak of it */
        struct wire_bytes ksa = rsp->has_ksa ? rsp->ksa : (struct wire_bytes){NULL, 0};
        (void)ctl_reach_put(&ctl->reach, peer->eid, rsp->networks, ksa, event->now);
    }
}

void ctl_on_resolve(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out)
{
    struct wire_resolve question;
    int err = wire_resolve_decode(&question, m->bytes, m->len);
    if (err != 0 || question.has_address == question.has_name) {
        ctl_bad_bytes(ctl, m, err != 0 ? err : QKD_ERR_INVALID, out);
        return;
    }
    struct wire_resolve_rsp rsp = {.head = {.rp = QKD_RP_CK,
                                            .message_id = ctl->next_message_id++,
                                            .orig_message_id = question.head.message_id,
                                            .sender = ctl->config.self},
                                   .has_term = ctl->term.own != 0,
                                   .term = ctl->term.own};
    struct qkd_time oldest = {event->now.ns - ctl_stale_after(ctl).ns};
    ctl_reach_answer(&ctl->reach, &question, oldest, &rsp);
    if (qkd_time_before(event->now, ctl->admit_from)) { /* a longer prefix may not be known yet */
        rsp = (struct wire_resolve_rsp){.head = rsp.head,
                                        .source_id = rsp.source_id,
                                        .reason = WIRE_REASON_RESTARTED,
                                        .has_term = rsp.has_term,
                                        .term = rsp.term};
    }
    uint8_t bytes[128];
    int len = wire_resolve_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = m->peer, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}
