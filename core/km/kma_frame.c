/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: Kx-1 frames that take pads. Sending allocates a pad range, encrypts (RELAY), tags, keeps the
 * bytes for identical repetition. Receiving verifies the tag before anything changes, accepts each
 * sequence number and each pad byte once, acknowledges cumulatively (rules 1-3, docs/protocol.md). */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <stdlib.h>
#include <string.h>

#define AUTH_LEN 16 /* sender and receiver element IDs before the header, under the tag */
#define RTO_SHIFT_MAX 3

static struct kma_tx *tx_at(const struct kma_link *link, uint32_t seq)
{
    return &link->tx[seq & (link->tx_cap - 1)];
}

/* Room for one more frame in flight. */
static bool tx_room(struct kma_link *link)
{
    uint32_t flying = link->seq - link->oldest;
    if (flying >= KMA_WINDOW) {
        return false;
    }
    if (flying < link->tx_cap) {
        return true;
    }
    uint32_t cap = link->tx_cap == 0 ? 4 : link->tx_cap * 2;
    struct kma_tx *tx = calloc(cap, sizeof *tx);
    if (tx == NULL) {
        return false;
    }
    for (uint32_t seq = link->oldest; seq != link->seq; seq++) {
        tx[seq & (cap - 1)] = *tx_at(link, seq);
    }
    free(link->tx);
    link->tx = tx;
    link->tx_cap = cap;
    return true;
}

static void arm_rto(const struct kma_step *s, struct kma_link *link, struct qkd_time due)
{
    if (link->rto_timer == QKD_TIMER_NONE) {
        uint32_t index = (uint32_t)(link - s->kma->links);
        link->rto_timer = qkd_timers_set(&s->kma->timers, due, kma_tag(KMA_TIMER_RTO, index));
    }
}

/* Hands the frame to the transport: RELAY bare, the others in the record layer. */
static void transmit(const struct kma_step *s, const struct kma_link *link, uint8_t type,
                     struct wire_bytes bytes, const uint8_t *observed)
{
    if (type != WIRE_FRAME_RELAY) {
        kma_send(s, QKD_RP_KX1, link->peer, &bytes);
        return;
    }
    struct qkd_send send = {.rp = QKD_RP_KX1, .from = s->kma->self, .to = link->peer};
    send.bytes = qkd_out_copy(s->out, bytes.at, bytes.len);
    if (observed != NULL) {
        send.observed = qkd_out_copy(s->out, observed, bytes.len);
    }
    qkd_out_send(s->out, &send);
}

static void eids_put(uint8_t to[AUTH_LEN], struct qkd_eid from, struct qkd_eid peer)
{
    wire_put_u64(to, from.v);
    wire_put_u64(to + 8, peer.v);
}

/* The tag of a message under keys[0], the hash key, and keys[1], its pad. */
static void tag_make(const struct kma *kma, uint8_t tag[CRYPTO_TAG_LEN],
                     const uint8_t *const keys[2], const struct wire_bytes *message)
{
    if (qkd_is_off(kma->config->measures_off, QKD_MEASURE_FULL_TAGS)) {
        crypto_wc_tag_short(tag, keys[0], keys[1], message->at, message->len);
    } else {
        crypto_wc_tag(tag, keys[0], keys[1], message->at, message->len);
    }
}

/* Bytes of a tag that count. */
static size_t tag_len(const struct kma *kma)
{
    bool full = !qkd_is_off(kma->config->measures_off, QKD_MEASURE_FULL_TAGS);
    return full ? CRYPTO_TAG_LEN - (QKDN_MUTANT(TAG_TAIL) ? 1 : 0) : 1;
}

/* Reads pads or keys of an allocation: [skip, skip + len) of it. */
static void take_read(struct kma_link *link, const struct km_take *take, uint32_t skip,
                      uint32_t len, uint8_t *to)
{
    struct km_range range = {take->offset + skip, take->offset + skip + len};
    km_pool_read(&link->pool, take->block_slot, &range, true, to);
}

static void count_sent(struct kma_link *link, const struct kma_send *send, uint32_t payload)
{
    link->n.tags += 8 * WIRE_FRAME_TAG_LEN;
    if (send->is_aes) {
        link->n.fallback_keys += 8 * (uint64_t)payload;
    } else if (send->type == WIRE_FRAME_RELAY) {
        link->n.pads += 8 * (uint64_t)send->body_len;
    } else if (send->type == WIRE_FRAME_TAKE) {
        uint64_t as_key = send->as_pad ? 0 : send->key_len - WIRE_COMPARE_LEN;
        link->n.relayed_as_key += 8 * as_key;
        link->n.pads += send->as_pad ? 8 * (uint64_t)send->key_len : 0;
        link->n.tags += send->as_pad ? 0 : 8 * WIRE_COMPARE_LEN;
    }
}

/* The body as it travels; what a TAKE takes goes to its keys. */
static void body_put(const struct kma_step *s, const struct kma_send *send, const uint8_t *pad,
                     uint8_t *body)
{
    bool open = qkd_is_off(s->kma->config->measures_off, QKD_MEASURE_RELAY_ENCRYPTION);
    if (send->type == WIRE_FRAME_RELAY && !open && !QKDN_MUTANT(BODY_CLEAR)) {
        crypto_xor(body, send->body, pad, send->body_len);
        return;
    }
    memcpy(body, send->body, send->body_len);
    if (send->keys != NULL) {
        memcpy(send->keys, pad, send->key_len);
    }
}

/* Takes so many bytes in a row, and remembers what frames of payload need. */
static int pads_take(const struct kma_step *s, struct kma_link *link, uint32_t length, bool control,
                     struct km_take *take)
{
    if (!control && length > link->frame_most[0]) {
        link->frame_most[0] = length;
    }
    int err = km_pool_take(&link->pool, length, control, s->out, take);
    if (err != 0) {
        link->missing = control ? link->missing : length;
        kma_link_exhausted(s, link);
    }
    return err;
}

bool kma_frame_ready(const struct kma_step *s, struct kma_link *link)
{
    return link->up && chan_is_up(s->kma->chan, QKD_RP_KX1, link->peer) && tx_room(link);
}

/* Notes how short a frame of this kind may be: with one key of the unit, if this one has several. */
static void frame_seen(const struct kma_step *s, struct kma_link *link, bool is_relay,
                       uint32_t length)
{
    uint32_t unit = s->kma->config->unit_bits;
    uint64_t bits = is_relay ? wire_relay_cost_bits(unit, 1, 1) : wire_take_cost_bits(unit, 1, 1);
    uint32_t least = length < bits / 8 ? length : (uint32_t)(bits / 8);
    if (link->frame_least[0] == 0 || least < link->frame_least[0]) {
        link->frame_least[0] = least;
    }
}

/* Takes what the frame consumes. */
static int send_take(const struct kma_step *s, struct kma_link *link, const struct kma_send *send,
                     uint32_t payload, struct km_take *take)
{
    bool relay = send->type == WIRE_FRAME_RELAY;
    bool control = !relay && send->type != WIRE_FRAME_TAKE;
    if (send->ask != NULL) {
        return km_pool_take_ask(&link->pool, send->ask->slot, send->ask->mid, s->out, take);
    }
    if (!control && !send->is_aes) {
        frame_seen(s, link, relay, payload + WIRE_FRAME_TAG_LEN);
    }
    if (!send->is_aes) {
        return pads_take(s, link, payload + WIRE_FRAME_TAG_LEN, control, take);
    }
    int err = km_pool_take_fallback(&link->pool, payload + WIRE_FRAME_TAG_LEN, s->out, take);
    if (err != 0) {
        kma_link_exhausted(s, link);
    }
    return err;
}

static uint8_t method_of(const struct kma_send *send)
{
    switch (send->type) {
    case WIRE_FRAME_RELAY:
        return send->is_aes ? WIRE_METHOD_AES : WIRE_METHOD_OTP;
    case WIRE_FRAME_TAKE:
        return WIRE_METHOD_POOL;
    default:
        return WIRE_METHOD_NONE;
    }
}

/* The frame as the oracle may see it: a body that travels encrypted is plain in it. */
static void observed_put(const struct kma_send *send, const uint8_t *bytes, uint32_t total,
                         uint8_t *observed)
{
    uint32_t at = WIRE_FRAME_HEAD_LEN + (send->is_aes ? WIRE_AES_HEAD_LEN : 0);
    memcpy(observed, bytes, total);
    if (send->type == WIRE_FRAME_RELAY) {
        memcpy(observed + at, send->body, send->body_len);
    }
}

/* Bytes of what a frame takes before its tag's pad. */
static uint32_t payload_of(const struct kma_step *s, const struct kma_link *link,
                           const struct kma_send *send)
{
    if (send->is_aes) {
        bool due = kma_fallback_due(link->fallback, s->event->now, send->body_len,
                                    s->kma->config->fallback_rekey);
        return due ? WIRE_AES_KEY_LEN : 0;
    }
    return send->type == WIRE_FRAME_RELAY ? send->body_len : send->key_len; /* control: 0 */
}

/* Remembers the frame for repetition. */
static void tx_note(const struct kma_step *s, struct kma_link *link, const struct kma_send *send,
                    const struct kma_tx *what)
{
    struct kma_tx *tx = tx_at(link, what->seq);
    *tx = *what;
    tx->type = send->type;
    tx->attempt = send->attempt;
    tx->due = kma_after(s, s->kma->config->retransmit);
    tx->source = send->source;
    tx->key_id = send->key_id;
    tx->session = send->session;
    arm_rto(s, link, tx->due);
}

int kma_frame_send(const struct kma_step *s, struct kma_link *link, const struct kma_send *send,
                   struct km_take *take)
{
    struct kma *kma = s->kma;
    uint8_t work[AUTH_LEN + KMA_FRAME_MAX];
    uint8_t pad[KMA_FRAME_MAX];
    bool relay = send->type == WIRE_FRAME_RELAY;
    uint32_t body_len = send->body_len + (send->is_aes ? WIRE_AES_MORE : 0);
    uint32_t total = WIRE_FRAME_HEAD_LEN + body_len + WIRE_FRAME_TAG_LEN;
    uint32_t payload = payload_of(s, link, send);
    /* Pads are not spent on what would wait for the channel: the peer may have restarted meanwhile. */
    bool closed = !relay && !chan_is_up(kma->chan, QKD_RP_KX1, link->peer);
    if (total > KMA_FRAME_MAX || !link->up || closed || !tx_room(link)) {
        return QKD_ERR_LIMIT;
    }
    uint32_t buf = km_secbuf_take(&kma->bufs, total);
    if (buf == KM_SECBUF_NONE) {
        return QKD_ERR_LIMIT;
    }
    int err = send_take(s, link, send, payload, take);
    if (err != 0) {
        km_secbuf_give(&kma->bufs, &buf);
        return err;
    }
    struct wire_frame frame = {.type = send->type,
                               .method = method_of(send),
                               .link = link->id,
                               .block = take->block,
                               .offset = take->offset,
                               .length = payload + WIRE_FRAME_TAG_LEN,
                               .seq = link->seq++,
                               .epoch = QKDN_MUTANT(EPOCH_STUCK) ? 1 : kma->incarnation};
    uint8_t *bytes = work + AUTH_LEN;
    uint8_t *body = bytes + WIRE_FRAME_HEAD_LEN;
    eids_put(work, kma->self, link->peer);
    wire_frame_head_encode(&frame, bytes);
    take_read(link, take, 0, payload + WIRE_FRAME_TAG_LEN, pad);
    if (send->is_aes) {
        if (payload > 0) {
            kma_fallback_begin(link, take, pad, s->event->now);
        }
        kma_fallback_seal(link, work, (struct wire_bytes){send->body, send->body_len}, body);
    } else {
        body_put(s, send, pad, body);
    }
    tag_make(kma, body + body_len, (const uint8_t *[2]){link->tx_key, pad + payload},
             &(struct wire_bytes){work, AUTH_LEN + WIRE_FRAME_HEAD_LEN +
                                            (QKDN_MUTANT(TAG_BODY) ? 0 : body_len)});
    km_pool_settle(&link->pool, take, s->out);
    if (link->paused) {
        kma_file_room(s, link);
    }
    memcpy(km_secbuf_at(&kma->bufs, buf), bytes, total);
    tx_note(s, link, send,
            &(struct kma_tx){.seq = frame.seq,
                             .block = take->block,
                             .offset = take->offset,
                             .length = frame.length,
                             .buf = buf,
                             .len = total});
    count_sent(link, send, payload);
    if (relay) { /* pad now holds the observed form */
        observed_put(send, bytes, total, pad);
    }
    transmit(s, link, send->type, (struct wire_bytes){bytes, total}, relay ? pad : NULL);
    crypto_wipe(pad, total > payload + WIRE_FRAME_TAG_LEN ? total : payload + WIRE_FRAME_TAG_LEN);
    return 0;
}

/* ---- acknowledgement, repetition ---- */

static void tx_free(const struct kma_step *s, struct kma_link *link, struct kma_tx *tx)
{
    km_secbuf_give(&s->kma->bufs, &tx->buf);
    tx->seq = 0;
    while (link->oldest != link->seq && tx_at(link, link->oldest)->seq == 0) {
        link->oldest++;
    }
    if (link->oldest == link->seq) {
        qkd_timers_cancel(&s->kma->timers, &link->rto_timer);
    }
}

/* The frame will never be received: its source must know. */
static void tx_lost(const struct kma_step *s, const struct kma_tx *tx, uint8_t reason)
{
    if (tx->type == WIRE_FRAME_RELAY || tx->type == WIRE_FRAME_TAKE) {
        struct kma_forward lost = {.source = tx->source,
                                   .key_id = tx->key_id,
                                   .session = tx->session,
                                   .attempt = tx->attempt};
        kma_relay_fail(s, &lost, reason);
    }
}

/* The body of an own GRANT in flight; false if it is none. */
static bool tx_grant(const struct kma_step *s, const struct kma_tx *tx,
                     struct wire_grant_body *grant)
{
    const uint8_t *bytes = km_secbuf_at(&s->kma->bufs, tx->buf);
    return tx->type == WIRE_FRAME_GRANT &&
           wire_grant_body_decode(grant, bytes + WIRE_FRAME_HEAD_LEN,
                                  tx->len - WIRE_FRAME_HEAD_LEN - WIRE_FRAME_TAG_LEN) > 0;
}

/* Takes a frame out of flight unreceived; a GRANT is kept to be sent in a new frame. */
static struct kma_tx tx_withdraw(const struct kma_step *s, struct kma_link *link,
                                 struct kma_tx *slot)
{
    struct kma_tx tx = *slot;
    struct wire_grant_body grant;
    kma_fallback_lost(link, &tx);
    if (tx_grant(s, slot, &grant)) {
        kma_grant_pend(s, link, &grant);
    }
    tx_free(s, link, slot);
    return tx;
}

/* What the frame was for is kept, to be sent in a new frame at the next tick and not before: it would
 * take tags for ever otherwise. */
static void tx_keep(const struct kma_step *s, struct kma_link *link, const struct kma_tx *tx)
{
    const uint8_t *body = km_secbuf_at(&s->kma->bufs, tx->buf) + WIRE_FRAME_HEAD_LEN;
    size_t len = tx->len - WIRE_FRAME_HEAD_LEN - WIRE_FRAME_TAG_LEN;
    struct wire_skip_body skip;
    struct wire_confirm_body confirm;
    if (tx->type == WIRE_FRAME_SKIP && wire_skip_body_decode(&skip, body, len) > 0) {
        kma_skip_pend(s, link, &skip);
    } else if (tx->type == WIRE_FRAME_CONFIRM &&
               wire_confirm_body_decode(&confirm, body, len) > 0) {
        kma_file_confirm_lost(link, &confirm);
    }
}

uint32_t kma_frame_flying(const struct kma_link *link, uint8_t type)
{
    uint32_t count = 0;
    for (uint32_t seq = link->oldest; seq != link->seq; seq++) {
        const struct kma_tx *tx = tx_at(link, seq);
        count += tx->seq == seq && tx->type == type;
    }
    return count;
}

void kma_frame_acked(const struct kma_step *s, struct qkd_eid peer, const struct wire_hop_ack *ack)
{
    struct kma_link *link = kma_link_of(s->kma, peer);
    if (link == NULL || ack->link != link->id || ack->epoch != s->kma->incarnation) {
        return;
    }
    for (size_t i = 0; i + 4 <= ack->gone.len; i += 4) {
        uint32_t seq = wire_get_u32(ack->gone.at + i);
        if (seq - link->oldest < link->seq - link->oldest && tx_at(link, seq)->seq == seq) {
            if (!QKDN_MUTANT(SKIP_LOST)) {
                tx_keep(s, link, tx_at(link, seq));
            } /* a SKIP may have overtaken it and taken its tag */
            struct kma_tx tx = tx_withdraw(s, link, tx_at(link, seq));
            tx_lost(s, &tx, WIRE_REASON_GONE);
        }
    }
    uint32_t window = link->seq - link->oldest;
    for (uint32_t i = 0; i < window; i++) {
        uint32_t seq = link->seq - window + i;
        uint32_t ahead = seq - ack->next; /* wraps for those below next */
        bool got = (int32_t)ahead < 0 ||
                   (ahead >= 1 && ahead <= 64 && (ack->bitmap >> (ahead - 1) & 1) != 0);
        if ((int32_t)ahead > 64) {
            break;
        }
        struct kma_tx *tx = tx_at(link, seq);
        if (!got || tx->seq != seq) {
            continue;
        }
        struct wire_grant_body grant;
        if (tx_grant(s, tx, &grant)) {
            kma_grant_acked(s, link, &grant);
        }
        tx_free(s, link, tx);
    }
}

/* Out of tries: the range is given up, the source is told. */
static void tx_give_up(const struct kma_step *s, struct kma_link *link, struct kma_tx *slot)
{
    tx_keep(s, link, slot);
    struct kma_tx tx = tx_withdraw(s, link, slot);
    struct wire_skip_body own = {.block = tx.block,
                                 .start = tx.offset,
                                 .end = tx.offset + tx.length,
                                 .reason = WIRE_REASON_RELAY_FAILED};
    /* What questions took of a block is SKIPped when it is confirmed. */
    bool waits = kma_file_asked(link, tx.block, 0) != QKD_SLAB_NONE;
    if (!waits && !QKDN_MUTANT(GIVE_UP_SILENT)) {
        kma_skip_pend(s, link, &own);
    }
    tx_lost(s, &tx, WIRE_REASON_RELAY_FAILED);
}

/* Whether a frame is a question that the block pays which it asks about. */
static bool tx_asks(const struct kma_link *link, const struct kma_tx *tx)
{
    return tx->seq != 0 && tx->type == WIRE_FRAME_CONFIRM &&
           kma_file_asked(link, tx->block, 0) != QKD_SLAB_NONE;
}

uint32_t kma_frame_asks(const struct kma_link *link)
{
    uint32_t count = 0;
    for (uint32_t seq = link->oldest; seq != link->seq; seq++) {
        count += tx_asks(link, tx_at(link, seq));
    }
    return count;
}

bool kma_frame_asks_about(const struct kma_link *link, uint32_t number)
{
    for (uint32_t seq = link->oldest; seq != link->seq; seq++) {
        const struct kma_tx *tx = tx_at(link, seq);
        if (tx->block == number && tx_asks(link, tx)) {
            return true;
        }
    }
    return false;
}

void kma_frame_ask_withdraw(const struct kma_step *s, struct kma_link *link)
{
    for (uint32_t seq = link->oldest; seq != link->seq; seq++) {
        if (tx_asks(link, tx_at(link, seq))) {
            tx_give_up(s, link, tx_at(link, seq));
            return;
        }
    }
}

void kma_frame_confirm_withdraw(const struct kma_step *s, struct kma_link *link, uint32_t number)
{
    uint32_t end = link->seq;
    for (uint32_t seq = link->oldest; seq != end; seq++) {
        struct kma_tx *tx = tx_at(link, seq);
        struct wire_confirm_body body;
        const uint8_t *bytes = tx->seq == seq && tx->type == WIRE_FRAME_CONFIRM
                                   ? km_secbuf_at(&s->kma->bufs, tx->buf)
                                   : NULL;
        if (bytes != NULL &&
            wire_confirm_body_decode(&body, bytes + WIRE_FRAME_HEAD_LEN,
                                     tx->len - WIRE_FRAME_HEAD_LEN - WIRE_FRAME_TAG_LEN) > 0 &&
            body.block == number) {
            tx_give_up(s, link, tx);
        }
    }
}

void kma_frame_repeat(const struct kma_step *s, struct kma_link *link)
{
    struct qkd_time next = QKD_NEVER;
    uint32_t end = link->seq; /* what giving up sends anew is not due yet */
    for (uint32_t seq = link->oldest; seq != end; seq++) {
        struct kma_tx *tx = tx_at(link, seq);
        if (tx->seq != seq) {
            continue;
        }
        if (!qkd_time_before(s->event->now, tx->due)) {
            if (tx->tries >= s->kma->config->retries) {
                tx_give_up(s, link, tx);
                continue;
            }
            tx->tries++;
            unsigned shift = tx->tries < RTO_SHIFT_MAX ? tx->tries : RTO_SHIFT_MAX;
            tx->due = kma_after(s, qkd_span_ns(s->kma->config->retransmit.ns << shift));
            link->n.retransmissions++;
            kma_report(s, (struct qkd_report){
                              .code = QKD_REPORT_RETRANSMIT, .a = link->id, .b = tx->type});
            km_secbuf_at(&s->kma->bufs, tx->buf)[tx->len - 1] ^= QKDN_MUTANT(REPEAT_CHANGED);
            struct wire_bytes bytes = {km_secbuf_at(&s->kma->bufs, tx->buf), tx->len};
            transmit(s, link, tx->type, bytes, NULL);
        }
        next = qkd_time_min(next, tx->due);
    }
    qkd_timers_cancel(&s->kma->timers, &link->rto_timer);
    for (uint32_t seq = end; seq != link->seq; seq++) {
        next = tx_at(link, seq)->seq == seq ? qkd_time_min(next, tx_at(link, seq)->due) : next;
    }
    if (next.ns != QKD_NEVER.ns) {
        arm_rto(s, link, next);
    }
}

void kma_frame_void(const struct kma_step *s, struct kma_link *link)
{
    uint32_t end = link->seq;
    for (uint32_t seq = link->oldest; seq != end; seq++) {
        struct kma_tx *tx = tx_at(link, seq);
        if (tx->seq == seq) {
            tx_keep(s, link, tx); /* only one end may see a need to join again: it answers anew */
            struct kma_tx copy = tx_withdraw(s, link, tx);
            tx_lost(s, &copy, WIRE_REASON_GONE);
        }
    }
}

/* ---- receiving ---- */

void kma_frame_ack_now(const struct kma_step *s, struct kma_link *link)
{
    qkd_timers_cancel(&s->kma->timers, &link->ack_timer);
    link->ack_due = 0;
    uint8_t gone[4 * KMA_GONE_MAX];
    struct wire_hop_ack ack = {.head = kma_head(s->kma, QKD_RP_KX1, 0),
                               .link = link->id,
                               .epoch = link->peer_epoch,
                               .next = link->rx_next};
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t bit = (link->rx_next + 1 + i) % KMA_WINDOW;
        ack.bitmap |= (link->rx_seen[bit / 64] >> (bit % 64) & 1) << i;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < KMA_GONE_MAX;
         i++) { /* again and again: an acknowledgement may be lost */
        uint32_t seq = link->gone[i];
        if (seq != 0 && (int32_t)(link->rx_next - seq) <= KMA_GONE_TOLD) {
            wire_put_u32(gone + 4 * count++, seq);
        }
    }
    ack.has_gone = count > 0;
    ack.gone = (struct wire_bytes){gone, 4 * (size_t)count};
    if (QKDN_MUTANT(GONE_ONCE)) {
        memset(link->gone, 0, sizeof link->gone);
    }
    KMA_SEND(s, hop_ack, QKD_RP_KX1, link->peer, &ack);
}

static void ack_later(const struct kma_step *s, struct kma_link *link)
{
    if (QKDN_MUTANT(ACK_LOST)) {
        return;
    }
    if (++link->ack_due >= KMA_ACK_EVERY) {
        kma_frame_ack_now(s, link);
    } else if (link->ack_timer == QKD_TIMER_NONE) {
        uint32_t index = (uint32_t)(link - s->kma->links);
        link->ack_timer = qkd_timers_set(&s->kma->timers,
                                         kma_after(s, qkd_span_ms(KMA_ACK_DELAY_MS)),
                                         kma_tag(KMA_TIMER_ACK, index));
    }
}

/* Whether seq is new; false: seen, or outside the window. */
static bool seq_new(const struct kma_link *link, uint32_t off, uint32_t seq)
{
    uint32_t ahead = seq - link->rx_next;
    uint32_t bit = seq % KMA_WINDOW;
    return qkd_is_off(off, QKD_MEASURE_FRAME_SEQUENCE) || QKDN_MUTANT(REPLAY) ||
           (ahead < KMA_WINDOW && (link->rx_seen[bit / 64] >> (bit % 64) & 1) == 0);
}

/* Lets rx_next pass what was received. */
static void seq_advance(struct kma_link *link)
{
    for (;;) {
        uint32_t bit = link->rx_next % KMA_WINDOW;
        if ((link->rx_seen[bit / 64] >> (bit % 64) & 1) == 0) {
            return;
        }
        link->rx_seen[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
        link->rx_next++;
    }
}

static void seq_mark(struct kma_link *link, uint32_t seq)
{
    link->rx_seen[seq % KMA_WINDOW / 64] |= UINT64_C(1) << (seq % 64);
    seq_advance(link);
}

void kma_frame_closed(struct kma_link *link, uint32_t below)
{
    if ((int32_t)(below - link->rx_next) <= 0) {
        return;
    }
    if (below - link->rx_next >= KMA_WINDOW) {
        memset(link->rx_seen, 0, sizeof link->rx_seen);
        link->rx_next = below;
        return;
    }
    while (link->rx_next != below) {
        uint32_t bit = link->rx_next % KMA_WINDOW;
        link->rx_seen[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
        link->rx_next++;
    }
    seq_advance(link);
}

/* A bad frame in the name of a neighbour; checked: it cost a look at its tag. False: nobody is to hear
 * of it. */
static bool frame_bad(const struct kma_step *s, struct kma_link *link, bool checked)
{
    const struct qkd_guard_config *guard = &s->kma->config->guard;
    if (qkd_guard_bad(&link->guard, guard, s->event->now, checked) && !link->quarantined) {
        link->quarantined = true;
        (void)chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_PEER_QUARANTINED,
                                link->peer.v, s->out);
    }
    return !qkd_guard_is_strict(&link->guard, s->event->now);
}

void kma_frame_tick(const struct kma_step *s, struct kma_link *link)
{
    if (link->quarantined && !qkd_guard_is_strict(&link->guard, s->event->now)) {
        link->quarantined = false;
        (void)chan_report_clear(&s->kma->reports, s->event, WIRE_FAULT_PEER_QUARANTINED,
                                link->peer.v, s->out);
    }
}

static bool tag_good(const struct kma_step *s, struct kma_link *link,
                     const struct wire_frame *frame, const uint8_t *pad)
{
    uint8_t work[AUTH_LEN + KMA_FRAME_MAX];
    uint8_t tag[CRYPTO_TAG_LEN];
    eids_put(work, link->peer, s->kma->self);
    wire_frame_head_encode(frame, work + AUTH_LEN);
    memcpy(work + AUTH_LEN + WIRE_FRAME_HEAD_LEN, frame->body, frame->body_len);
    tag_make(s->kma, tag, (const uint8_t *[2]){link->rx_key, pad},
             &(struct wire_bytes){work, AUTH_LEN + WIRE_FRAME_HEAD_LEN +
                                            (QKDN_MUTANT(TAG_BODY) ? 0 : frame->body_len)});
    bool good = crypto_equal(tag, frame->tag, tag_len(s->kma)) ||
                qkd_is_off(s->kma->config->measures_off, QKD_MEASURE_RELAY_TAG);
    crypto_wipe(tag, sizeof tag);
    if (good) {
        qkd_guard_good(&link->guard, s->event->now);
        return true;
    }
    link->n.tag_failures++;
    if (++link->n.tag_failures_period == KMA_TAG_ALARM) {
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_TAG_FAILURE, link->id, s->out);
    }
    if (frame_bad(s, link, true)) {
        kma_report(s, (struct qkd_report){
                          .code = QKD_REPORT_TAG_FAILURE, .peer = link->peer, .a = link->id});
    }
    return false;
}

static void dispatch(const struct kma_step *s, struct kma_link *link,
                     const struct wire_frame *frame, const uint8_t *plain,
                     const struct km_take *pad)
{
    switch (frame->type) {
    case WIRE_FRAME_RELAY:
        kma_relay_receive(s, link, frame, plain, pad);
        break;
    case WIRE_FRAME_TAKE:
        kma_take_receive(s, link, frame, plain, pad);
        break;
    case WIRE_FRAME_CONFIRM:
        kma_file_confirm(s, link, frame);
        break;
    case WIRE_FRAME_GRANT:
        kma_grant_receive(s, link, frame);
        break;
    default:
        kma_skip_receive(s, link, frame);
        break;
    }
}

/* Decrypts a RELAY of method AES; its body is that much shorter then. */
static bool aes_open(const struct kma_step *s, struct kma_link *link, struct wire_frame *frame,
                     uint8_t *plain)
{
    uint8_t aad[AUTH_LEN + WIRE_FRAME_HEAD_LEN];
    eids_put(aad, link->peer, s->kma->self);
    wire_frame_head_encode(frame, aad + AUTH_LEN);
    if (!kma_fallback_open(link, frame, aad, plain)) {
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                          .peer = link->peer,
                                          .a = QKD_RP_KX1,
                                          .b = -QKD_ERR_AUTH});
        return false;
    }
    frame->body_len -= WIRE_AES_MORE;
    return true;
}

/* Decrypts a RELAY into plain, which holds the key bytes of its range. */
static bool body_open(const struct kma_step *s, struct kma_link *link, struct wire_frame *frame,
                      uint8_t *plain)
{
    uint32_t payload = frame->length - WIRE_FRAME_TAG_LEN;
    if (frame->method == WIRE_METHOD_AES) {
        if (payload > 0) {
            kma_fallback_take(link, frame, plain);
        }
        return aes_open(s, link, frame, plain);
    }
    crypto_xor(plain, plain, frame->body, payload);
    if (qkd_is_off(s->kma->config->measures_off, QKD_MEASURE_RELAY_ENCRYPTION) ||
        QKDN_MUTANT(BODY_CLEAR)) {
        memcpy(plain, frame->body, payload);
    }
    return true;
}

/* The tag was right and the frame is new: the world may want to know. */
static void taken_tell(const struct kma_step *s, const struct kma_link *link)
{
    if (s->event->type == QKD_EV_RECV && s->event->u.recv.told) {
        kma_report(s, (struct qkd_report){
                          .code = QKD_REPORT_TAKEN, .peer = link->peer, .a = QKD_RP_KX1, .b = 1});
    }
}

/* A frame whose sequence number is new. plain is scratch of KMA_FRAME_MAX bytes. */
static void receive_new(const struct kma_step *s, struct kma_link *link,
                        const struct wire_frame *frame, uint8_t *plain)
{
    struct km_range range = {frame->offset, frame->offset + frame->length};
    uint32_t slot = QKD_SLAB_NONE;
    int err = km_pool_rx_check(&link->pool, frame->block, &range, &slot);
    bool unknown = slot == QKD_SLAB_NONE;
    bool asking = false;
    bool asked = false; /* the answer was lost; its tag shows that the peer has it */
    if (unknown) {
        slot = kma_file_asking(s, link, frame);
        asking = slot != QKD_SLAB_NONE;
        slot = asking ? slot : kma_file_asked(link, frame->block, range.end);
        asked = !asking;
    }
    if (slot == QKD_SLAB_NONE || frame->length > KMA_FRAME_MAX) {
        return; /* a block we do not hold (yet): nothing can be verified */
    }
    if (!qkd_guard_may_check(&link->guard, &s->kma->config->guard, s->event->now)) {
        return;
    }
    s->out->checks++;
    uint32_t payload = frame->length - WIRE_FRAME_TAG_LEN;
    km_pool_read(&link->pool, slot, &range, false, plain);
    if (!tag_good(s, link, frame, plain + payload)) {
        return;
    }
    if (asking) { /* the block that it asks about pays for it: its bytes are done */
        struct km_block *block = km_pool_block(&link->pool, slot);
        block->asked[0] = range.end > block->asked[0] ? range.end : block->asked[0];
        link->heard = s->event->now;
        seq_mark(link, frame->seq);
        ack_later(s, link);
        kma_file_confirm(s, link, frame);
        return;
    }
    if (asked) {
        kma_file_implied(s, link, frame->block);
        err = km_pool_rx_check(&link->pool, frame->block, &range, &slot);
        if (err != 0) {
            return; /* not the peer's half, or a limit */
        }
    }
    struct km_take pad = {.block = frame->block,
                          .block_slot = slot,
                          .offset = frame->offset,
                          .key_id = km_pool_block(&link->pool, slot)->id};
    link->heard = s->event->now;
    bool again = qkd_is_off(s->kma->config->measures_off, QKD_MEASURE_FRAME_SEQUENCE);
    err = again || QKDN_MUTANT(REPLAY) ? 0 : err;
    if (err == QKD_ERR_REPLAY) { /* genuine, but its pads are void here since our restart */
        seq_mark(link, frame->seq);
        link->gone[link->gone_next++ % KMA_GONE_MAX] = frame->seq;
        ack_later(s, link);
        return;
    }
    bool fits = frame->type != WIRE_FRAME_SKIP || kma_skip_fits(link, frame);
    bool aes = frame->type == WIRE_FRAME_RELAY && frame->method == WIRE_METHOD_AES;
    fits = fits && (!aes || kma_fallback_known(link, frame)); /* what begins its key will come */
    if (!fits || km_pool_rx_mark(&link->pool, frame->block, &range, s->out) != 0) {
        return; /* repeated later, when gaps have closed */
    }
    seq_mark(link, frame->seq);
    ack_later(s, link);
    taken_tell(s, link);
    if (link->paused) {
        kma_file_room(s, link);
    }
    struct wire_frame inner = *frame;
    if (frame->type != WIRE_FRAME_RELAY || body_open(s, link, &inner, plain)) {
        dispatch(s, link, &inner, plain, &pad);
    }
}

/* A frame that is none, in the name of a neighbour or of nobody we know. */
void kma_frame_refuse(const struct kma_step *s, struct qkd_eid from, int err)
{
    struct kma_link *link = kma_link_of(s->kma, from);
    struct qkd_guard *crowd = &s->kma->crowd;
    if (link == NULL) {
        (void)qkd_guard_bad(crowd, &s->kma->config->guard, s->event->now, false);
    }
    if (link == NULL ? !qkd_guard_is_strict(crowd, s->event->now) : frame_bad(s, link, false)) {
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                          .peer = from,
                                          .a = QKD_RP_KX1,
                                          .b = (uint64_t)-err});
    }
}

void kma_frame_receive(const struct kma_step *s, struct qkd_eid from, const uint8_t *bytes,
                       size_t len)
{
    struct wire_frame frame;
    struct kma_link *link = kma_link_of(s->kma, from);
    int err = len > KMA_FRAME_MAX ? QKD_ERR_RANGE : wire_frame_decode(&frame, bytes, len);
    if (link == NULL || err != 0 || frame.link != link->id) {
        kma_frame_refuse(s, from, err != 0 ? err : QKD_ERR_UNKNOWN);
        return;
    }
    if (!link->up || (frame.epoch != link->peer_epoch && !QKDN_MUTANT(EPOCH_STUCK))) {
        return; /* before HELLO, or from before its restart: repeated by a living sender */
    }
    if (!seq_new(link, s->kma->config->measures_off, frame.seq)) {
        ack_later(s, link);
        return;
    }
    uint8_t plain[KMA_FRAME_MAX];
    receive_new(s, link, &frame, plain);
    size_t used = frame.length > frame.body_len ? frame.length : frame.body_len;
    crypto_wipe(plain, used < sizeof plain ? used : sizeof plain);
}
