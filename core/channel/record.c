/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records: AES-256-GCM with the record counter as nonce (each direction has its own key), and a
 * window of 64 records against replay. Sealing writes straight into the arena of the port.
 *
 * Associated data, 32 bytes (two blocks: a third would cost 5 % of the time of a short record): the
 * clear header with the reference point in the first of its two zero bytes, sender eid, receiver
 * eid. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"

#include <stdlib.h>

enum { AAD_LEN = CHAN_HEAD_LEN + 16, NONCE_LEN = 12, WINDOW = 64 };

static void make_aad(uint8_t aad[AAD_LEN], const uint8_t *head, const struct chan_path *path)
{
    memcpy(aad, head, CHAN_HEAD_LEN);
    wire_put_u64(aad + CHAN_HEAD_LEN, QKDN_MUTANT(ONE_KEY) ? 0 : path->from.v);
    wire_put_u64(aad + CHAN_HEAD_LEN + 8, QKDN_MUTANT(ONE_KEY) ? 0 : path->to.v);
    aad[2] = (uint8_t)path->rp;
}

static void make_nonce(uint8_t nonce[NONCE_LEN], uint64_t counter)
{
    wire_put_u32(nonce, 0);
    wire_put_u64(nonce + 4, counter);
}

static void append(const struct chan_call *call, struct qkd_slice bytes, struct qkd_slice observed,
                   uint32_t flags)
{
    struct qkd_send send = {
        .rp = (enum qkd_rp)call->channel->rp,
        .flags = flags,
        .from = call->set->config.self,
        .to = call->channel->peer,
        .bytes = bytes,
        .observed = observed,
    };
    if (!call->out->failed) {
        qkd_out_send(call->out, &send);
    }
}

void chan_record_send(const struct chan_call *call, struct chan_session *session,
                      enum chan_frame_type type, const struct chan_send *send)
{
    struct chan_frame frame = {.type = type, .session = session->id, .counter = session->sent++};
    struct chan_path path = {call->set->config.self, call->channel->peer,
                             (enum qkd_rp)call->channel->rp};
    uint8_t aad[AAD_LEN];
    uint8_t nonce[NONCE_LEN];
    struct qkd_slice bytes = qkd_out_reserve(call->out, send->len + (size_t)CHAN_OVERHEAD);
    if (bytes.len == 0) {
        return;
    }
    uint8_t *to = qkd_out_at(call->out, bytes);
    chan_head_encode(&frame, to);
    make_aad(aad, to, &path);
    make_nonce(nonce, frame.counter);
    struct crypto_gcm_text text = {aad, sizeof aad, send->message, send->len};
    int err = call->set->config.off == 0
                  ? crypto_gcm_seal(session->seal, nonce, &text, to + CHAN_HEAD_LEN)
                  : chan_weak_seal(call->set, session->seal, nonce, &text, to + CHAN_HEAD_LEN);
    if (err != QKD_OK) {
        qkd_out_shrink(call->out, &bytes, 0);
        call->out->failed = true;
        return;
    }
    call->set->stats.sealed++;
    append(call, bytes, qkd_out_copy(call->out, send->message, send->len), send->flags);
}

/* Whether `counter` was seen before or is too old to tell. */
static bool is_replay(const struct chan_session *session, uint64_t counter)
{
    if (counter >= session->top) {
        return counter == UINT64_MAX;
    }
    uint64_t age = session->top - 1 - counter;
    if (age >= WINDOW + (QKDN_MUTANT(WINDOW_ONE) ? 1 : 0)) {
        return !QKDN_MUTANT(WINDOW_OPEN);
    }
    return age < WINDOW && (session->window >> age & 1) != 0;
}

static void mark_seen(struct chan_session *session, uint64_t counter)
{
    if (counter >= session->top) {
        uint64_t step = counter + 1 - session->top;
        session->window = step >= WINDOW ? 0 : session->window << step;
        session->top = counter + 1;
    }
    uint64_t age = session->top - 1 - counter;
    session->window |= age < WINDOW && !QKDN_MUTANT(WINDOW_LAST) ? UINT64_C(1) << age : 0;
}

int chan_record_open(const struct chan_call *call, struct chan_session *session,
                     const struct chan_frame *frame, const struct crypto_part *bytes,
                     struct crypto_part *plain)
{
    struct chan_set *set = call->set;
    const struct chan_channel *channel = call->channel;
    if (is_replay(session, frame->counter) && !chan_is_off(set, QKD_MEASURE_REPLAY_WINDOW)) {
        set->stats.replays++;
        return QKD_ERR_REPLAY;
    }
    size_t len = bytes->len - CHAN_OVERHEAD;
    uint8_t *to = qkd_out_scratch(call->out, len);
    if (to == NULL) {
        return QKD_ERR_NOMEM;
    }
    const uint8_t *from = bytes->bytes;
    struct chan_path path = {channel->peer, set->config.self, (enum qkd_rp)channel->rp};
    uint8_t aad[AAD_LEN];
    uint8_t nonce[NONCE_LEN];
    make_aad(aad, from, &path);
    make_nonce(nonce, frame->counter);
    struct crypto_gcm_text text = {aad, sizeof aad, from + CHAN_HEAD_LEN,
                                   bytes->len - CHAN_HEAD_LEN};
    call->out->checks++;
    int err = QKDN_MUTANT(TAG_UNREAD) ? crypto_gcm_peel(session->open, nonce, &text, to)
              : set->config.off == 0  ? crypto_gcm_open(session->open, nonce, &text, to)
                                      : chan_weak_open(set, session->open, nonce, &text, to);
    if (err == QKD_OK) {
        *plain = (struct crypto_part){to, len};
        set->stats.opened++;
        mark_seen(session, frame->counter);
    }
    return err;
}

void chan_clear_send(const struct chan_call *call, const uint8_t *bytes, size_t len)
{
    append(call, qkd_out_copy(call->out, bytes, len), (struct qkd_slice){0, 0}, 0);
}

void chan_report(const struct chan_call *call, enum qkd_report_code code, uint64_t b)
{
    struct qkd_report report = {
        .code = code,
        .who = call->set->config.self,
        .peer = call->channel->peer,
        .a = call->channel->rp,
        .b = b,
    };
    qkd_out_report(call->out, &report);
}

void chan_auth_failure(const struct chan_call *call)
{
    if (QKDN_MUTANT(AUTH_MUTE)) {
        return;
    }
    call->set->stats.auth_failures++;
    if (chan_guard_bad(call, true)) {
        chan_report(call, QKD_REPORT_AUTH_FAILURE, 0);
    }
}
