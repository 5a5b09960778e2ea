/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The set of channels of one element: table of peers, sending, and the way of what arrives. The
 * handshake is in shake.c, Tables 7-2 and 7-3 in auth.c, sealing in record.c. */
#include "core/channel/channel.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/channel/state.h"
#include "core/wire/codec.h"

enum { KEY_LEN = 9, CHUNK = 4 }; /* small chunks: most elements have few peers */

/* ---- the table ---- */

static void make_key(uint8_t key[KEY_LEN], enum qkd_rp rp, struct qkd_eid peer)
{
    wire_put_u64(key, peer.v);
    key[8] = (uint8_t)rp;
}

/* Multiplicative hashing (Knuth, TAOCP 3, 6.4). */
static uint16_t tag_of(enum qkd_rp rp, struct qkd_eid peer)
{
    uint64_t mixed = (peer.v ^ (uint64_t)rp) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint16_t)(mixed >> 48);
}

/* Whether a slot holds the channel to (rp, peer): a freed one was wiped, so peer 0 is in none. */
static bool slot_is(const struct chan_set *set, uint32_t slot, enum qkd_rp rp, struct qkd_eid peer)
{
    const struct chan_channel *channel = qkd_slab_at(&set->channels, slot);
    return channel->peer.v == peer.v && channel->rp == (uint8_t)rp && peer.v != 0;
}

/* The slot of the channel to (rp, peer); QKD_MAP_NONE. */
static uint32_t slot_find(const struct chan_set *set, enum qkd_rp rp, struct qkd_eid peer)
{
    uint32_t top = set->channels.top;
    if (set->by_peer.count > 0) {
        uint8_t key[KEY_LEN];
        make_key(key, rp, peer);
        return qkd_map_get(&set->by_peer, key);
    }
    uint16_t tag = tag_of(rp, peer);
    for (uint32_t slot = 0; slot < top; slot++) {
        if ((slot >= CHAN_FEW || set->tag[slot] == tag) && slot_is(set, slot, rp, peer)) {
            return slot;
        }
    }
    return QKD_MAP_NONE;
}

/* Makes the map know a slot; 0 or QKD_ERR_NOMEM. */
static int slot_index(struct chan_set *set, uint32_t slot)
{
    const struct chan_channel *channel = qkd_slab_at(&set->channels, slot);
    uint8_t key[KEY_LEN];
    make_key(key, (enum qkd_rp)channel->rp, channel->peer);
    return qkd_map_put(&set->by_peer, key, slot);
}

/* Makes the map know a new channel, or all of them once they are more than few. */
static int slot_add(struct chan_set *set, uint32_t slot)
{
    const struct chan_channel *channel = qkd_slab_at(&set->channels, slot);
    if (slot < CHAN_FEW) {
        set->tag[slot] = tag_of((enum qkd_rp)channel->rp, channel->peer);
    }
    if (set->by_peer.count > 0) {
        return slot_index(set, slot);
    }
    int err = QKD_OK;
    for (uint32_t i = 0; set->channels.top > CHAN_FEW && i < set->channels.top && err == QKD_OK;
         i++) {
        if (qkd_slab_live(&set->channels, i)) {
            err = slot_index(set, i);
        }
    }
    if (err != QKD_OK) {
        qkd_map_fini(&set->by_peer);
    }
    return err;
}

static void slot_drop(struct chan_set *set, uint32_t slot)
{
    const struct chan_channel *channel = qkd_slab_at(&set->channels, slot);
    uint8_t key[KEY_LEN];
    make_key(key, (enum qkd_rp)channel->rp, channel->peer);
    (void)qkd_map_del(&set->by_peer, key);
    qkd_slab_give(&set->channels, slot);
}

bool chan_find(struct chan_call *call, enum qkd_rp rp, struct qkd_eid peer)
{
    call->slot = slot_find(call->set, rp, peer);
    if (call->slot == QKD_MAP_NONE) {
        call->channel = NULL;
        return false;
    }
    call->channel = qkd_slab_at(&call->set->channels, call->slot);
    return true;
}

/* An entry that only a stranger's frame has made may go when the table is full. */
static bool is_stranger(const struct chan_channel *channel)
{
    return !channel->has_secret && !channel->asked && channel->queue == QKD_SLAB_NONE;
}

static void evict_stranger(struct chan_set *set)
{
    for (uint32_t i = 0; i < set->channels.top; i++) {
        uint32_t slot = set->evict_at++ % set->channels.top;
        struct chan_channel *channel = qkd_slab_at(&set->channels, slot);
        if (qkd_slab_live(&set->channels, slot) && is_stranger(channel)) {
            slot_drop(set, slot);
            return;
        }
    }
}

/* Points the call at the channel to (rp, peer), a new one if there is none. */
static int find_or_make(struct chan_call *call, enum qkd_rp rp, struct qkd_eid peer)
{
    struct chan_set *set = call->set;
    if (chan_find(call, rp, peer)) {
        return QKD_OK;
    }
    call->slot = qkd_slab_take(&set->channels);
    if (call->slot == QKD_SLAB_NONE) {
        return set->channels.live == set->config.limit ? QKD_ERR_LIMIT : QKD_ERR_NOMEM;
    }
    call->channel = qkd_slab_at(&set->channels, call->slot);
    call->channel->rp = (uint8_t)rp;
    call->channel->peer = peer;
    int err = slot_add(set, call->slot);
    if (err != QKD_OK) {
        qkd_slab_give(&set->channels, call->slot);
        return err;
    }
    call->channel->shake = QKD_SLAB_NONE;
    call->channel->queue = QKD_SLAB_NONE;
    call->channel->guard = QKD_SLAB_NONE;
    return QKD_OK;
}

/* The same for our own wishes: strangers make room. */
static int find_or_make_own(struct chan_call *call, enum qkd_rp rp, struct qkd_eid peer)
{
    int err = find_or_make(call, rp, peer);
    if (err == QKD_ERR_LIMIT) {
        evict_stranger(call->set);
        err = find_or_make(call, rp, peer);
    }
    return err;
}

/* The oldest of too many strangers goes, unless it is none any more. */
static void stranger_drop(struct chan_set *set, uint32_t slot)
{
    if (slot != QKD_SLAB_NONE && qkd_slab_live(&set->channels, slot) &&
        is_stranger(qkd_slab_at(&set->channels, slot))) {
        slot_drop(set, slot);
    }
}

/* The same for a peer that spoke first: only where its claimed role may meet ours. */
static bool find_or_make_stranger(struct chan_call *call, enum qkd_rp rp, struct qkd_eid peer)
{
    struct qkd_eid self = call->set->config.self;
    if (chan_find(call, rp, peer)) {
        return true;
    }
    if ((!chan_role_allowed(rp, qkd_eid_role(self), qkd_eid_role(peer)) &&
         !chan_is_off(call->set, QKD_MEASURE_AUTHORIZATION) && !QKDN_MUTANT(ROLE_BLIND)) ||
        !chan_stranger_may_come(call) || find_or_make(call, rp, peer) != QKD_OK) {
        return false;
    }
    uint32_t oldest = chan_stranger_came(call);
    if (oldest != call->slot) {
        stranger_drop(call->set, oldest);
    }
    return true;
}

/* ---- life ---- */

int chan_set_new(const struct chan_config *config, struct chan_set **set)
{
    if (config->limit == 0 || config->limit >= UINT32_MAX / 2 || config->retransmit.ns <= 0 ||
        config->retransmit.ns > INT64_MAX / 16) {
        return QKD_ERR_RANGE;
    }
    struct chan_set *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    made->config = *config;
    qkd_slab_init(&made->channels, sizeof(struct chan_channel), CHUNK, config->limit);
    qkd_slab_init(&made->shakes, sizeof(struct chan_shake), CHUNK, config->limit);
    qkd_slab_init(&made->queues, sizeof(struct chan_queue), CHUNK, config->limit);
    qkd_map_init(&made->by_peer, KEY_LEN, config->limit, NULL);
    qkd_timers_init(&made->timers, config->limit);
    *set = made;
    return QKD_OK;
}

void chan_set_free(struct chan_set *set)
{
    if (set == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < set->channels.top; slot++) {
        if (qkd_slab_live(&set->channels, slot)) {
            chan_queue_drop(set, qkd_slab_at(&set->channels, slot));
        }
    }
    qkd_slab_fini(&set->channels);
    qkd_slab_fini(&set->shakes);
    qkd_slab_fini(&set->queues);
    qkd_map_fini(&set->by_peer);
    qkd_timers_fini(&set->timers);
    chan_watch_free(set);
    free(set);
}

void chan_set_start(struct chan_set *set, uint32_t incarnation, struct qkd_rng *rng)
{
    QKD_ASSERT(set->channels.live == 0);
    set->incarnation = incarnation;
    set->rng = rng;
    uint8_t salt[16];
    qkd_rng_bytes(rng, salt, sizeof salt);
    qkd_map_init(&set->by_peer, KEY_LEN, set->by_peer.limit, salt);
    crypto_wipe(salt, sizeof salt);
}

/* ---- what the element wants ---- */

int chan_provision(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
                   struct qkd_eid peer, const uint8_t secret[32], struct qkd_out *out)
{
    struct chan_call call = {.set = set, .now = event->now, .out = out};
    int err = find_or_make_own(&call, rp, peer);
    if (err != QKD_OK) {
        return err;
    }
    struct chan_channel *channel = call.channel;
    if (channel->has_secret && !crypto_equal(channel->secret, secret, sizeof channel->secret)) {
        chan_shake_end(&call);
    }
    memcpy(channel->secret, secret, sizeof channel->secret);
    channel->has_secret = true;
    channel->wanted = false;
    if (channel->asked || channel->queue != QKD_SLAB_NONE) {
        return chan_shake_want(&call);
    }
    return QKD_OK;
}

int chan_send(struct chan_set *set, const struct qkd_event *event, const struct chan_send *send,
              struct qkd_out *out)
{
    struct chan_call call = {.set = set, .now = event->now, .out = out};
    if (send->len > WIRE_MAX_MESSAGE || find_or_make_own(&call, send->rp, send->peer) != QKD_OK) {
        set->stats.queue_drops++;
        return QKD_ERR_LIMIT;
    }
    if (call.channel->serves) {
        chan_record_send(&call, &call.channel->serving, CHAN_FRAME_DATA, send);
        return QKD_OK;
    }
    int queued = chan_queue_add(&call, send);
    /* If memory ends for the handshake, the message waits: the next call tries again. */
    (void)chan_shake_want(&call);
    return queued;
}

int chan_open(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
              struct qkd_eid peer, struct qkd_out *out)
{
    struct chan_call call = {.set = set, .now = event->now, .out = out};
    int err = find_or_make_own(&call, rp, peer);
    if (err != QKD_OK || call.channel->serves) {
        return err;
    }
    call.channel->asked = true;
    return chan_shake_want(&call);
}

void chan_greet(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
                struct qkd_eid peer, struct qkd_out *out)
{
    struct chan_call call = {.set = set, .now = event->now, .out = out};
    if (find_or_make_own(&call, rp, peer) == QKD_OK && call.channel->serves &&
        call.channel->has_secret && chan_shake_of(set, call.channel) == NULL &&
        !qkd_time_before(call.now, call.channel->reopen_at)) {
        chan_shake_begin(&call);
    }
}

/* ---- what arrives ---- */

/* Tells the peer that we do not know its session: at a bounded rate, since anybody can ask. */
static void send_reset(const struct chan_call *call, uint32_t session)
{
    if (!qkd_time_before(call->now, call->channel->answer_at)) {
        uint8_t bytes[CHAN_RESET_LEN];
        call->channel->answer_at = qkd_time_add(call->now, call->set->config.retransmit);
        chan_reset_encode(session, bytes);
        chan_clear_send(call, bytes, sizeof bytes);
    }
}

/* A message came although our 7-2 is not answered: the answer was lost or overtaken. The message is
 * dropped, as its sender must expect, and the 7-2 said again. */
static void prompt(const struct chan_call *call, struct chan_shake *shake)
{
    if (!shake->self_ok && !qkd_time_before(call->now, call->channel->answer_at)) {
        call->channel->answer_at = qkd_time_add(call->now, call->set->config.retransmit);
        chan_auth_send(call, shake);
    }
}

/* The session a record names, or NULL. */
static struct chan_session *session_of(const struct chan_call *call, uint32_t id)
{
    struct chan_channel *channel = call->channel;
    if (channel->serves && channel->serving.id == id) {
        return &channel->serving;
    }
    struct chan_shake *shake = chan_shake_of(call->set, channel);
    bool known = shake != NULL && shake->phase != CHAN_NEXT_NONE && shake->next.id == id;
    return known ? &shake->next : NULL;
}

static enum chan_event on_record(const struct chan_call *call, const struct chan_frame *frame,
                                 const struct crypto_part *bytes, struct chan_message *message)
{
    struct chan_channel *channel = call->channel;
    struct chan_session *session = session_of(call, frame->session);
    struct crypto_part plain = {0};
    if (session == NULL) {
        if (!chan_guard_is_strict(call)) {
            send_reset(call, frame->session);
        }
        return CHAN_NONE;
    }
    if (channel->guard != QKD_SLAB_NONE && !chan_guard_lets_pass(call, session, frame->counter)) {
        return CHAN_NONE;
    }
    int err = chan_record_open(call, session, frame, bytes, &plain);
    if (err == QKD_ERR_AUTH) {
        chan_auth_failure(call);
    }
    if (err != QKD_OK) {
        return CHAN_NONE;
    }
    if (channel->guard != QKD_SLAB_NONE) {
        chan_guard_good(call);
    }
    message->peer_incarnation = session->incarnation;
    if (session == &channel->serving && frame->type == CHAN_FRAME_DATA) {
        message->bytes = plain.bytes;
        message->len = plain.len;
        return CHAN_DATA;
    }
    struct chan_shake *shake = chan_shake_of(call->set, channel);
    if (session != &channel->serving && shake->phase == CHAN_NEXT_PENDING) {
        chan_shake_confirm(call, shake);
    }
    if (frame->type == CHAN_FRAME_DATA) {
        prompt(call, shake);
        return CHAN_NONE;
    }
    bool up = chan_on_control(call, session, plain.bytes, plain.len);
    return up ? CHAN_UP : CHAN_NONE;
}

static void report_bad(const struct chan_set *set, const struct qkd_event *event, int err,
                       struct qkd_out *out)
{
    struct qkd_report report = {
        .code = QKD_REPORT_BAD_BYTES,
        .who = set->config.self,
        .peer = event->u.recv.from,
        .a = (uint64_t)event->u.recv.rp,
        .b = (uint64_t)-err,
    };
    qkd_out_report(out, &report);
}

enum chan_event chan_receive(struct chan_set *set, const struct qkd_event *event,
                             struct qkd_out *out, struct chan_message *message)
{
    struct crypto_part bytes = {event->u.recv.bytes, event->u.recv.len};
    struct chan_call call = {.set = set, .now = event->now, .out = out};
    struct chan_frame frame;
    *message = (struct chan_message){.rp = event->u.recv.rp, .peer = event->u.recv.from};
    int err = chan_frame_decode(&frame, event->u.recv.bytes, event->u.recv.len);
    if (bytes.len > WIRE_MAX_MESSAGE + (size_t)CHAN_OVERHEAD) {
        err = QKD_ERR_FORMAT;
    }
    if (err != QKD_OK) {
        (void)chan_find(&call, message->rp, message->peer);
        if (chan_guard_bad(&call, false)) {
            report_bad(set, event, err, out);
        }
        return CHAN_NONE;
    }
    bool known = frame.type == CHAN_FRAME_ACCEPT || frame.type == CHAN_FRAME_RESET
                     ? chan_find(&call, message->rp, message->peer)
                     : find_or_make_stranger(&call, message->rp, message->peer);
    if (!known || qkd_eid_eq(message->peer, set->config.self)) {
        return CHAN_NONE;
    }
    switch (frame.type) {
    case CHAN_FRAME_OPEN: {
        size_t before = out->send_count;
        chan_on_open(&call, &frame, event->u.recv.bytes);
        if (event->u.recv.told && out->send_count > before) { /* it was answered */
            chan_report(&call, QKD_REPORT_TAKEN, 2);
        }
        return CHAN_NONE;
    }
    case CHAN_FRAME_ACCEPT:
        chan_on_accept(&call, &frame, event->u.recv.bytes);
        return CHAN_NONE;
    case CHAN_FRAME_RESET:
        chan_on_reset(&call, &frame);
        return CHAN_NONE;
    case CHAN_FRAME_CONTROL:
    case CHAN_FRAME_DATA:
        break;
    }
    enum chan_event what = on_record(&call, &frame, &bytes, message);
    if (what == CHAN_DATA && event->u.recv.told) {
        chan_report(&call, QKD_REPORT_TAKEN, 0);
    }
    return what;
}

/* ---- time ---- */

void chan_timeout(struct chan_set *set, const struct qkd_event *event, struct qkd_out *out)
{
    uint64_t tag;
    while (qkd_timers_pop(&set->timers, event->now, &tag)) {
        struct chan_call call = {.set = set, .now = event->now, .out = out};
        call.slot = (uint32_t)tag;
        call.channel = qkd_slab_at(&set->channels, call.slot);
        chan_on_timer(&call);
    }
    chan_guard_timeout(set, event->now);
}

struct qkd_time chan_deadline(const struct chan_set *set)
{
    return qkd_time_min(qkd_timers_next(&set->timers), chan_guard_deadline(set));
}

/* ---- questions ---- */

bool chan_is_up(const struct chan_set *set, enum qkd_rp rp, struct qkd_eid peer)
{
    uint32_t slot = slot_find(set, rp, peer);
    if (slot == QKD_MAP_NONE) {
        return false;
    }
    const struct chan_channel *channel = qkd_slab_at(&set->channels, slot);
    return channel->serves;
}

const struct chan_stats *chan_stats(const struct chan_set *set)
{
    return &set->stats;
}
