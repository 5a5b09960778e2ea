/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The handshake: OPEN and ACCEPT make a fresh pair of keys, RESET says that a session is unknown.
 *
 * Nothing that is replayed can harm a session that serves: an OPEN older than the newest one of its
 * sender is refused, one that is not yet refused only makes PENDING keys that nobody can use, and a
 * RESET at most makes us open again, at a bounded rate. Crossing OPENs: the lower element ID does
 * not answer while its own OPEN is out, the higher one answers and keeps its own in reserve. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"

enum {
    TRIES_MAX = 8,       /* timeouts until a handshake that nobody waits for is given up */
    AUTH_REPEATS_MAX = 4 /* unanswered 7-2 until we start again with an OPEN */
};

struct chan_shake *chan_shake_of(const struct chan_set *set, const struct chan_channel *channel)
{
    return channel->shake == QKD_SLAB_NONE ? NULL : qkd_slab_at(&set->shakes, channel->shake);
}

/* Whether our OPEN wins over the peer's. */
static bool we_win(const struct chan_call *call)
{
    return call->set->config.self.v < call->channel->peer.v;
}

static bool is_waiting(const struct chan_channel *channel)
{
    return channel->asked || channel->queue != QKD_SLAB_NONE;
}

static struct qkd_time after(const struct chan_call *call, int64_t times)
{
    return qkd_time_add(call->now, qkd_span_ns(call->set->config.retransmit.ns * times));
}

static void rearm(const struct chan_call *call, struct chan_shake *shake)
{
    int64_t times = INT64_C(1) << (shake->repeats < 3 ? shake->repeats : 3);
    qkd_timers_move(&call->set->timers, shake->timer, after(call, times));
}

/* The handshake of the channel, a new one if there is none; NULL if memory ends. */
static struct chan_shake *shake_take(const struct chan_call *call)
{
    struct chan_set *set = call->set;
    struct chan_shake *shake = chan_shake_of(set, call->channel);
    if (shake != NULL) {
        return shake;
    }
    uint32_t slot = qkd_slab_take(&set->shakes);
    if (slot == QKD_SLAB_NONE) {
        return NULL;
    }
    shake = qkd_slab_at(&set->shakes, slot);
    shake->timer = qkd_timers_set(&set->timers, QKD_NEVER, call->slot);
    if (shake->timer == QKD_TIMER_NONE) {
        qkd_slab_give(&set->shakes, slot);
        return NULL;
    }
    call->channel->shake = slot;
    return shake;
}

void chan_shake_end(const struct chan_call *call)
{
    struct chan_set *set = call->set;
    struct chan_shake *shake = chan_shake_of(set, call->channel);
    if (shake == NULL) {
        return;
    }
    qkd_timers_cancel(&set->timers, &shake->timer);
    qkd_slab_give(&set->shakes, call->channel->shake);
    call->channel->shake = QKD_SLAB_NONE;
    if (set->shakes.live == 0) {
        /* Idle sets are many, handshakes rare: their memory is not kept. */
        qkd_slab_fini(&set->shakes);
        qkd_timers_fini(&set->timers);
    }
}

static void next_forget(struct chan_shake *shake)
{
    crypto_wipe(&shake->next, sizeof shake->next);
    crypto_wipe(shake->exporter, sizeof shake->exporter);
    shake->phase = CHAN_NEXT_NONE;
    shake->auth_id = 0;
    shake->self_ok = false;
    shake->peer_ok = false;
}

/* Sends an OPEN, or the ACCEPT that answers `answered`. */
static void send_shake(const struct chan_call *call, const struct chan_frame *frame,
                       const uint8_t *answered)
{
    struct chan_path path = {call->set->config.self, call->channel->peer,
                             (enum qkd_rp)call->channel->rp};
    uint8_t bytes[CHAN_SHAKE_LEN];
    chan_shake_encode(frame, bytes);
    chan_shake_mac(call->channel->secret, &path, bytes, answered, bytes + CHAN_MACED_LEN);
    chan_clear_send(call, bytes, sizeof bytes);
}

static void send_open(const struct chan_call *call, const struct chan_shake *shake)
{
    struct chan_frame frame = {
        .type = CHAN_FRAME_OPEN,
        .incarnation = call->set->incarnation,
        .serial = call->channel->serial,
        .nonce = shake->nonce,
    };
    send_shake(call, &frame, NULL);
}

static void send_accept(const struct chan_call *call, const struct chan_shake *shake)
{
    struct chan_frame frame = {
        .type = CHAN_FRAME_ACCEPT,
        .incarnation = call->set->incarnation,
        .serial = call->channel->peer_serial,
        .nonce = shake->answer_nonce,
    };
    send_shake(call, &frame, shake->peer_nonce);
}

int chan_shake_begin(const struct chan_call *call)
{
    struct chan_shake *shake = shake_take(call);
    if (shake == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (we_win(call) || shake->phase != CHAN_NEXT_PENDING) {
        next_forget(shake);
    }
    qkd_rng_bytes(call->set->rng, shake->nonce, sizeof shake->nonce);
    shake->attempt = true;
    call->channel->serial++;
    call->channel->reopen_at = after(call, 2);
    send_open(call, shake);
    rearm(call, shake);
    return QKD_OK;
}

int chan_shake_want(const struct chan_call *call)
{
    struct chan_channel *channel = call->channel;
    if (!channel->has_secret) {
        if (!channel->wanted) {
            channel->wanted = true;
            chan_report(call, QKD_REPORT_WANT_SECRET, 0);
        }
        return QKD_OK;
    }
    if (channel->serves || channel->shake != QKD_SLAB_NONE) {
        return QKD_OK;
    }
    return chan_shake_begin(call);
}

/* Forgets the serving session if the peer of `next` is another incarnation: it has lost it. */
static void retire(const struct chan_call *call, const struct chan_shake *shake)
{
    struct chan_channel *channel = call->channel;
    if (channel->serves && channel->serving.incarnation != shake->next.incarnation) {
        crypto_wipe(&channel->serving, sizeof channel->serving);
        channel->serves = false;
        channel->asked = true; /* it is wanted still: nobody else may try again */
        chan_report(call, QKD_REPORT_PEER_DOWN, 0);
    }
}

void chan_shake_confirm(const struct chan_call *call, struct chan_shake *shake)
{
    shake->phase = CHAN_NEXT_AUTH;
    shake->attempt = false;
    shake->tries = 0;
    shake->repeats = 0;
    call->channel->peer_open_used = true;
    retire(call, shake);
    rearm(call, shake);
}

/* Derives `next` from the nonces of both; `frame` is the peer's half. */
static bool next_derive(const struct chan_call *call, struct chan_shake *shake,
                        const struct chan_frame *frame, bool initiator)
{
    struct chan_party own = {call->set->config.self, call->set->incarnation,
                             initiator ? shake->nonce : shake->answer_nonce};
    struct chan_party peer = {call->channel->peer, frame->incarnation, frame->nonce};
    struct chan_keys keys;
    int err = chan_keys_derive(call->channel->secret, (enum qkd_rp)call->channel->rp,
                               initiator ? &own : &peer, initiator ? &peer : &own, &keys);
    next_forget(shake);
    if (err == QKD_OK) {
        memcpy(shake->next.seal, initiator ? keys.to_responder : keys.to_initiator, 32);
        memcpy(shake->next.open, initiator ? keys.to_initiator : keys.to_responder, 32);
        memcpy(shake->exporter, keys.exporter, 32);
        shake->next.id = keys.session;
        shake->next.incarnation = frame->incarnation;
        shake->initiator = initiator;
    }
    crypto_wipe(&keys, sizeof keys);
    return err == QKD_OK;
}

static bool mac_is_right(const struct chan_call *call, const struct chan_frame *frame,
                         const uint8_t *bytes, const uint8_t *answered)
{
    struct chan_path path = {call->channel->peer, call->set->config.self,
                             (enum qkd_rp)call->channel->rp};
    uint8_t mac[CHAN_MAC_LEN];
    if (!chan_guard_may_check(call)) {
        return false;
    }
    call->out->checks++;
    chan_shake_mac(call->channel->secret, &path, bytes, answered, mac);
    if (!crypto_equal(mac, frame->mac, sizeof mac)) {
        chan_auth_failure(call);
        return false;
    }
    return true;
}

/* Below 0: an OPEN older than the newest of this peer; 0: the newest again; above 0: newer. */
static int open_order(const struct chan_channel *channel, const struct chan_frame *frame)
{
    if (frame->incarnation != channel->peer_incarnation) {
        return frame->incarnation < channel->peer_incarnation ? -1 : 1;
    }
    if (frame->serial != channel->peer_serial) {
        return frame->serial < channel->peer_serial ? -1 : 1;
    }
    return 0;
}

/* Whether our own handshake goes on and the peer's OPEN is left unanswered. */
static bool ours_wins(const struct chan_call *call, const struct chan_shake *shake,
                      const struct chan_frame *frame)
{
    if (shake == NULL || !we_win(call)) {
        return false;
    }
    bool authenticating = shake->phase == CHAN_NEXT_AUTH && shake->initiator &&
                          frame->incarnation <= shake->next.incarnation;
    return shake->attempt || authenticating;
}

/* Makes PENDING keys for an OPEN and accepts it. */
static void answer_open(const struct chan_call *call, const struct chan_frame *frame)
{
    struct chan_channel *channel = call->channel;
    struct chan_shake *shake = shake_take(call);
    if (shake == NULL) {
        return;
    }
    qkd_rng_bytes(call->set->rng, shake->answer_nonce, sizeof shake->answer_nonce);
    memcpy(shake->peer_nonce, frame->nonce, sizeof shake->peer_nonce);
    if (!next_derive(call, shake, frame, false)) {
        return;
    }
    shake->phase = CHAN_NEXT_PENDING;
    shake->tries = 0;
    shake->repeats = 0;
    channel->peer_incarnation = frame->incarnation;
    channel->peer_serial = frame->serial;
    channel->peer_open_used = false;
    send_accept(call, shake);
    rearm(call, shake);
}

void chan_on_open(const struct chan_call *call, const struct chan_frame *frame,
                  const uint8_t *bytes)
{
    struct chan_channel *channel = call->channel;
    if (!channel->has_secret) {
        chan_shake_want(call);
        return;
    }
    struct chan_shake *shake = chan_shake_of(call->set, channel);
    int order = open_order(channel, frame);
    bool again = order < 0 || (order == 0 && channel->peer_open_used);
    if (again && !chan_is_off(call->set, QKD_MEASURE_REPLAY_WINDOW) &&
        !QKDN_MUTANT(OPEN_AGAIN)) { /* cheaper than its MAC */
        call->set->stats.replays++;
        return;
    }
    if (!mac_is_right(call, frame, bytes, NULL)) {
        return;
    }
    if (order == 0 && shake != NULL && shake->phase == CHAN_NEXT_PENDING) {
        send_accept(call, shake);
        return;
    }
    if (!ours_wins(call, shake, frame)) {
        answer_open(call, frame);
    }
}

void chan_on_accept(const struct chan_call *call, const struct chan_frame *frame,
                    const uint8_t *bytes)
{
    struct chan_channel *channel = call->channel;
    struct chan_shake *shake = chan_shake_of(call->set, channel);
    if (shake == NULL || !shake->attempt || frame->serial != channel->serial) {
        call->set->stats.replays++;
        return;
    }
    if (!mac_is_right(call, frame, bytes, shake->nonce)) {
        return;
    }
    if (shake->phase == CHAN_NEXT_PENDING || !next_derive(call, shake, frame, true)) {
        return; /* the peer's OPEN crossed ours and wins; the timer takes ours up again */
    }
    if (channel->peer_incarnation != frame->incarnation) {
        channel->peer_incarnation = frame->incarnation;
        channel->peer_serial = 0;
        channel->peer_open_used = false;
    }
    shake->phase = CHAN_NEXT_AUTH;
    shake->attempt = false;
    shake->tries = 0;
    shake->repeats = 0;
    retire(call, shake);
    chan_auth_send(call, shake);
    rearm(call, shake);
}

void chan_on_reset(const struct chan_call *call, const struct chan_frame *frame)
{
    struct chan_channel *channel = call->channel;
    struct chan_shake *shake = chan_shake_of(call->set, channel);
    if (!channel->has_secret || qkd_time_before(call->now, channel->reopen_at)) {
        return;
    }
    bool is_serving = channel->serves && channel->serving.id == frame->session;
    /* An ACCEPT of ours that nobody took up, perhaps as its receiver is another incarnation now. */
    bool is_left = shake != NULL && shake->phase == CHAN_NEXT_PENDING && !shake->attempt;
    if (shake != NULL && !is_left) {
        if (shake->phase != CHAN_NEXT_AUTH || shake->next.id != frame->session) {
            return;
        }
        if (!shake->initiator && !is_waiting(channel)) {
            chan_shake_end(call);
            return;
        }
    } else if (!is_serving) {
        return;
    }
    chan_shake_begin(call);
}

/* Says again what may have been lost. */
static void repeat(const struct chan_call *call, struct chan_shake *shake)
{
    if (shake->phase == CHAN_NEXT_AUTH) {
        if (shake->repeats < AUTH_REPEATS_MAX) {
            chan_auth_send(call, shake);
        } else if (shake->initiator || shake->peer_ok || is_waiting(call->channel)) {
            /* A peer whose proof we accepted may hold the session for up and be silent. */
            chan_shake_begin(call);
        }
    } else if (shake->attempt) {
        next_forget(shake);
        send_open(call, shake);
    } else if (is_waiting(call->channel)) {
        chan_shake_begin(call);
    }
}

void chan_on_timer(const struct chan_call *call)
{
    struct chan_shake *shake = chan_shake_of(call->set, call->channel);
    shake->timer = qkd_timers_set(&call->set->timers, QKD_NEVER, call->slot);
    QKD_ASSERT(shake->timer != QKD_TIMER_NONE); /* the one that has just fired is free */
    shake->tries++;
    shake->repeats++;
    if (shake->tries >= TRIES_MAX && !is_waiting(call->channel)) {
        chan_shake_end(call);
        return;
    }
    repeat(call, shake);
    rearm(call, shake);
}
