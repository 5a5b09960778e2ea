/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Authentication messages of D2.3 Tables 7-2 and 7-3, in both directions of a new session. The
 * authentication info of 7-2 is a proof made with the session's exporter secret; 7-3 carries 0x01
 * or 0x02. Authenticated first, authorised second: a right proof from an element whose role has no
 * business at this reference point is answered 0x02 and counted as denied. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"

/* Message IDs of the record layer have this bit, so that they never meet those of the element. */
#define OWN_MESSAGE_ID (UINT64_C(1) << 63)

/* Room for a 7-2 (72 bytes) or a 7-3 (37 bytes). */
enum { MESSAGE_ROOM = 96 };

static struct wire_head make_head(const struct chan_call *call, uint64_t message_id)
{
    return (struct wire_head){.rp = call->channel->rp,
                              .message_id = message_id,
                              .sender = call->set->config.self};
}

static void control_send(const struct chan_call *call, struct chan_session *session,
                         const uint8_t *bytes, int len)
{
    QKD_ASSERT(len > 0);
    struct chan_send send = {.message = bytes, .len = (size_t)len};
    chan_record_send(call, session, CHAN_FRAME_CONTROL, &send);
}

void chan_auth_send(const struct chan_call *call, struct chan_shake *shake)
{
    uint8_t bytes[MESSAGE_ROOM];
    uint8_t proof[CHAN_PROOF_LEN];
    if (shake->auth_id == 0) {
        shake->auth_id = OWN_MESSAGE_ID | ++call->set->next_message_id;
    }
    chan_proof(shake->exporter, shake->next.id, call->set->config.self, shake->initiator, proof);
    struct wire_auth auth = {.head = make_head(call, shake->auth_id),
                             .info = {proof, sizeof proof}};
    control_send(call, &shake->next, bytes, wire_auth_encode(&auth, bytes, sizeof bytes));
    crypto_wipe(proof, sizeof proof);
    crypto_wipe(bytes, sizeof bytes);
}

static void answer(const struct chan_call *call, struct chan_session *session, uint64_t orig,
                   uint8_t code)
{
    uint8_t bytes[MESSAGE_ROOM];
    struct wire_auth_rsp rsp = {
        .head = make_head(call, OWN_MESSAGE_ID | ++call->set->next_message_id), .code = code};
    rsp.head.orig_message_id = orig;
    control_send(call, session, bytes, wire_auth_rsp_encode(&rsp, bytes, sizeof bytes));
}

/* Both proofs are accepted: the new session serves. */
static void come_up(const struct chan_call *call, struct chan_shake *shake)
{
    struct chan_channel *channel = call->channel;
    channel->serving = shake->next;
    channel->serves = true;
    channel->asked = false;
    chan_shake_end(call);
    chan_report(call, QKD_REPORT_PEER_UP, 0);
    chan_queue_flush(call);
}

/* Whether the authenticated peer may speak here. */
static bool is_authorised(const struct chan_call *call)
{
    struct qkd_eid self = call->set->config.self;
    struct qkd_eid peer = call->channel->peer;
    enum qkd_rp rp = (enum qkd_rp)call->channel->rp;
    if (chan_is_off(call->set, QKD_MEASURE_AUTHORIZATION) || QKDN_MUTANT(ROLE_BLIND)) {
        return true;
    }
    return chan_role_allowed(rp, qkd_eid_role(self), qkd_eid_role(peer)) &&
           (rp != QKD_RP_KMI || QKDN_MUTANT(NODE_BLIND) ||
            qkd_eid_node(self) == qkd_eid_node(peer));
}

/* Judges the peer's 7-2: 0, QKD_ERR_AUTH or QKD_ERR_DENIED. */
static int judge(const struct chan_call *call, const struct chan_shake *shake,
                 const struct wire_auth *auth)
{
    uint8_t proof[CHAN_PROOF_LEN];
    chan_proof(shake->exporter, shake->next.id, call->channel->peer, !shake->initiator, proof);
    bool right = auth->info.len == sizeof proof && crypto_equal(auth->info.at, proof, sizeof proof);
    crypto_wipe(proof, sizeof proof);
    if (!right || !qkd_eid_eq(auth->head.sender, call->channel->peer)) {
        return QKD_ERR_AUTH;
    }
    return is_authorised(call) ? QKD_OK : QKD_ERR_DENIED;
}

static bool on_auth(const struct chan_call *call, struct chan_session *session,
                    const struct wire_auth *auth)
{
    struct chan_shake *shake = chan_shake_of(call->set, call->channel);
    if (session == &call->channel->serving) {
        /* We are up, so this proof was accepted before: our 7-3 was lost. */
        answer(call, session, auth->head.message_id, WIRE_SUCCESS);
        return false;
    }
    int err = judge(call, shake, auth);
    if (err != QKD_OK) {
        answer(call, session, auth->head.message_id, WIRE_FAILURE);
        if (err == QKD_ERR_DENIED) {
            call->set->stats.denied++;
            if (chan_guard_bad(call, false)) {
                chan_report(call, QKD_REPORT_BAD_BYTES, (uint64_t)-err);
            }
        } else {
            chan_auth_failure(call);
        }
        chan_shake_end(call);
        return false;
    }
    answer(call, session, auth->head.message_id, WIRE_SUCCESS);
    shake->peer_ok = true;
    if (shake->self_ok) {
        come_up(call, shake);
        return true;
    }
    if (!shake->initiator) {
        chan_auth_send(call, shake);
    }
    return false;
}

static bool on_auth_rsp(const struct chan_call *call, const struct chan_session *session,
                        const struct wire_auth_rsp *rsp)
{
    struct chan_shake *shake = chan_shake_of(call->set, call->channel);
    if (session == &call->channel->serving || rsp->head.orig_message_id != shake->auth_id) {
        return false; /* a repeated answer */
    }
    if (rsp->code != WIRE_SUCCESS) {
        call->channel->asked = false;
        call->set->stats.queue_drops += chan_queue_drop(call->set, call->channel);
        chan_shake_end(call);
        return false;
    }
    shake->self_ok = true;
    if (!shake->peer_ok) {
        return false;
    }
    come_up(call, shake);
    return true;
}

bool chan_on_control(const struct chan_call *call, struct chan_session *session,
                     const uint8_t *bytes, size_t len)
{
    struct wire_head head;
    struct wire_auth auth;
    struct wire_auth_rsp rsp;
    int err = wire_head_decode(&head, bytes, len);
    if (err == QKD_OK && head.command == WIRE_CMD_AUTH) {
        err = wire_auth_decode(&auth, bytes, len);
        if (err == QKD_OK) {
            return on_auth(call, session, &auth);
        }
    } else if (err == QKD_OK && head.command == WIRE_CMD_AUTH_RSP) {
        err = wire_auth_rsp_decode(&rsp, bytes, len);
        if (err == QKD_OK) {
            return on_auth_rsp(call, session, &rsp);
        }
    } else if (err == QKD_OK) {
        err = QKD_ERR_FORMAT;
    }
    chan_report(call, QKD_REPORT_BAD_BYTES, (uint64_t)-err);
    return false;
}
