/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: a relayed key at a hop and at its destination (7.1.3). A hop decrypts, records the relay
 * information, encrypts under fresh pads of the next link. The destination keeps the key for its KSA
 * and tells the source. Pool units of neighbours (TAKE) arrive here too. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

#define FETCHED_MEMORY 16 /* x retransmit: how long a fetched key's ID is remembered */

/* ---- telling the source ---- */

static void done_send(const struct kma_step *s, const struct kma_forward *key, uint8_t reason,
                      uint8_t grade)
{
    struct wire_relay_done done = {.head = kma_head(s->kma, QKD_RP_KX1, 0),
                                   .key_id = key->key_id,
                                   .session_id = key->session,
                                   .attempt = key->attempt,
                                   .reason = reason,
                                   .at = s->kma->self,
                                   .has_grade = grade != 0,
                                   .grade = grade};
    if (qkd_eid_eq(key->source, s->kma->self)) {
        kma_piece_done(s, s->kma->self, &done);
    } else {
        KMA_SEND(s, relay_done, QKD_RP_KX1, key->source, &done);
    }
}

void kma_relay_fail(const struct kma_step *s, const struct kma_forward *forward, uint8_t reason)
{
    done_send(s, forward, reason, 0);
}

/* ---- hop ---- */

/* Waits for a GRANT, if the peer can give one; what only lacks its share of what is there waits if the peer has
 * far more, else both would ask each other by turns. */
static int hold(const struct kma_step *s, struct kma_link *link, const struct kma_forward *forward,
                bool over_share)
{
    struct kma *kma = s->kma;
    uint32_t payload = forward->upstream != NULL ? forward->upstream_len : forward->len;
    uint64_t need = payload + WIRE_FRAME_TAG_LEN;
    uint64_t there = km_pool_peer_payload(&link->pool) / 2;
    uint8_t level = kma_share_level_of(kma, forward);
    if (there < need || (over_share && there <= kma_share_spare(s, link, level))) {
        return over_share ? QKD_ERR_AGAIN : QKD_ERR_INSUFFICIENT;
    }
    uint32_t slot = qkd_slab_take(&kma->holds);
    uint32_t buf = slot == QKD_SLAB_NONE
                       ? KM_SECBUF_NONE
                       : km_secbuf_take(&kma->bufs, forward->len + forward->upstream_len);
    if (buf == KM_SECBUF_NONE) {
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->holds, slot);
        }
        return QKD_ERR_LIMIT;
    }
    memcpy(km_secbuf_at(&kma->bufs, buf), forward->body, forward->len);
    if (forward->upstream != NULL) {
        memcpy(km_secbuf_at(&kma->bufs, buf) + forward->len, forward->upstream,
               forward->upstream_len);
    }
    struct kma_hold *h = qkd_slab_at(&kma->holds, slot);
    *h = (struct kma_hold){.link = (uint32_t)(link - kma->links),
                           .buf = buf,
                           .len = forward->len,
                           .upstream_len = forward->upstream_len,
                           .hop = forward->hop,
                           .destination = forward->destination,
                           .source = forward->source,
                           .key_id = forward->key_id,
                           .session = forward->session,
                           .attempt = forward->attempt,
                           .fall = forward->fall,
                           .guaranteed = forward->guaranteed,
                           .over_share = over_share};
    h->timer = qkd_timers_set(&kma->timers, kma_after(s, kma->config->retransmit),
                              kma_tag(KMA_TIMER_HOLD, slot));
    kma_grant_want(s, link, need + link->pool.peer_free / 4, level);
    return 0;
}

/* Relay to the destination: names key of the next link, and sends its sum with that of the link before. */
static int send_take(const struct kma_step *s, struct kma_link *link,
                     const struct kma_forward *forward)
{
    uint8_t sum[KMA_FRAME_MAX];
    struct kma_send send = {.type = WIRE_FRAME_TAKE,
                            .body = forward->body,
                            .body_len = forward->len,
                            .key_len = forward->upstream_len,
                            .keys = sum,
                            .as_pad = true,
                            .source = forward->source,
                            .key_id = forward->key_id,
                            .session = forward->session,
                            .attempt = forward->attempt};
    struct km_take take;
    int err = kma_frame_send(s, link, &send, &take);
    if (err == 0) {
        crypto_xor(sum, sum, forward->upstream, forward->upstream_len);
        kma_sum_send(s, forward, sum);
    }
    return err;
}

int kma_relay_send(const struct kma_step *s, struct kma_link *link,
                   const struct kma_forward *forward, bool is_aes)
{
    struct kma_send send = {.type = WIRE_FRAME_RELAY,
                            .is_aes = is_aes,
                            .body = forward->body,
                            .body_len = forward->len,
                            .source = forward->source,
                            .key_id = forward->key_id,
                            .session = forward->session,
                            .attempt = forward->attempt};
    struct km_take take;
    return kma_frame_send(s, link, &send, &take);
}

static int send_body(const struct kma_step *s, struct kma_link *link,
                     const struct kma_forward *forward)
{
    if (!kma_share_pass(s, link, forward)) {
        return QKD_ERR_AGAIN;
    }
    int err = forward->upstream != NULL ? send_take(s, link, forward)
                                        : kma_relay_send(s, link, forward, false);
    if (err != 0) {
        kma_share_stay(s, link, forward);
    }
    return err;
}

static bool is_short(int err)
{
    return err == QKD_ERR_INSUFFICIENT || err == QKD_ERR_AGAIN;
}

int kma_relay_forward(const struct kma_step *s, struct kma_link *link,
                      const struct kma_forward *forward)
{
    bool closed = forward->upstream != NULL && !chan_is_up(s->kma->chan, QKD_RP_KX1, link->peer);
    if (!link->up || closed) {
        return QKD_ERR_STATE;
    }
    bool at_once = forward->poor || kma_fallback_now(s, link, forward);
    int err = at_once ? kma_fallback_forward(s, link, forward) : send_body(s, link, forward);
    bool over_share = err == QKD_ERR_AGAIN;
    if (!at_once && is_short(err) && (forward->fall & WIRE_FALL_FIRST) != 0) {
        err = kma_fallback_forward(s, link, forward);
    }
    if (is_short(err)) {
        err = hold(s, link, forward, over_share);
    }
    if (!at_once && is_short(err)) {
        err = kma_fallback_forward(s, link, forward);
        err = err == QKD_ERR_INSUFFICIENT && over_share ? QKD_ERR_AGAIN : err;
    }
    kma_link_mark(s, link);
    return err;
}

static void hold_give(struct kma *kma, uint32_t slot)
{
    struct kma_hold *h = qkd_slab_at(&kma->holds, slot);
    qkd_timers_cancel(&kma->timers, &h->timer);
    km_secbuf_give(&kma->bufs, &h->buf);
    qkd_slab_give(&kma->holds, slot);
}

static struct kma_forward hold_forward(struct kma *kma, const struct kma_hold *h)
{
    const uint8_t *bytes = km_secbuf_at(&kma->bufs, h->buf);
    return (struct kma_forward){.body = bytes,
                                .len = h->len,
                                .upstream = h->upstream_len > 0 ? bytes + h->len : NULL,
                                .upstream_len = h->upstream_len,
                                .hop = h->hop,
                                .destination = h->destination,
                                .source = h->source,
                                .key_id = h->key_id,
                                .session = h->session,
                                .attempt = h->attempt,
                                .fall = h->fall,
                                .guaranteed = h->guaranteed};
}

void kma_hold_timeout(const struct kma_step *s, uint32_t slot)
{
    struct kma_hold *h = qkd_slab_at(&s->kma->holds, slot);
    struct kma_forward forward = hold_forward(s->kma, h);
    struct kma_link *link = &s->kma->links[h->link];
    uint8_t reason = h->over_share ? WIRE_REASON_OVER_SHARE : WIRE_REASON_INSUFFICIENT_KEY;
    h->timer = QKD_TIMER_NONE;
    bool fell = link->up && kma_fallback_forward(s, link, &forward) == 0;
    forward.body = NULL;
    hold_give(s->kma, slot);
    if (!fell) {
        kma_relay_fail(s, &forward, reason);
    }
}

void kma_hold_retry(const struct kma_step *s, struct kma_link *link)
{
    struct kma *kma = s->kma;
    uint32_t index = (uint32_t)(link - kma->links);
    for (uint32_t i = 0; kma->holds.live > 0 && i < kma->holds.top; i++) {
        struct kma_hold *h = qkd_slab_live(&kma->holds, i) ? qkd_slab_at(&kma->holds, i) : NULL;
        if (h == NULL || h->link != index) {
            continue;
        }
        struct kma_forward forward = hold_forward(kma, h);
        if (send_body(s, link, &forward) == 0) {
            hold_give(kma, i);
        }
    }
    kma_source_tick(s);
}

/* Encodes the body for the next hop; its length or an error. */
static int body_onward(const struct wire_relay_body *body, uint8_t to[KMA_FRAME_MAX])
{
    struct wire_relay_body onward = *body;
    onward.hop++;
    return wire_relay_body_encode(&onward, to, KMA_FRAME_MAX);
}

static void relay_onward(const struct kma_step *s, const struct wire_relay_body *body,
                         const struct kma_forward *key)
{
    struct kma *kma = s->kma;
    struct qkd_eid next = kma_session_next(s, body->session_id, body->source);
    if (next.v == 0 || body->hop == KMA_HOP_MAX || qkd_eid_eq(body->source, kma->self)) {
        kma_relay_fail(s, key, WIRE_REASON_NO_SESSION);
        return;
    }
    struct kma_link *onward = kma_link_of(kma, next);
    uint8_t bytes[KMA_FRAME_MAX];
    struct kma_forward forward = *key;
    int len = body_onward(body, bytes);
    forward.body = bytes;
    forward.len = len > 0 ? (uint32_t)len : 0;
    forward.fall = body->grade & WIRE_FALL_MASK;
    forward.guaranteed = (body->grade & WIRE_GRADE_GUARANTEED) != 0;
    bytes[len > 0 ? len - 1 : 0] ^= QKDN_MUTANT(HOP_FLIPS);
    int err = len <= 0         ? len
              : onward == NULL ? QKD_ERR_STATE
                               : kma_relay_forward(s, onward, &forward);
    crypto_wipe(bytes, forward.len);
    if (err != 0) {
        kma_relay_fail(s, key,
                       err == QKD_ERR_INSUFFICIENT ? WIRE_REASON_INSUFFICIENT_KEY
                       : err == QKD_ERR_AGAIN      ? WIRE_REASON_OVER_SHARE
                       : err == QKD_ERR_STATE      ? WIRE_REASON_UNREACHABLE
                                                   : WIRE_REASON_OVERLOAD);
    }
}

/* ---- destination ---- */

static void list_remove(struct kma *kma, struct kma_list *list, struct kma_stored *item)
{
    if (item->prev == QKD_SLAB_NONE) {
        list->first = item->after;
    } else {
        ((struct kma_stored *)qkd_slab_at(&kma->stored, item->prev))->after = item->after;
    }
    if (item->after == QKD_SLAB_NONE) {
        list->last = item->prev;
    } else {
        ((struct kma_stored *)qkd_slab_at(&kma->stored, item->after))->prev = item->prev;
    }
}

static void list_append(struct kma *kma, struct kma_list *list, uint32_t slot)
{
    struct kma_stored *item = qkd_slab_at(&kma->stored, slot);
    item->prev = list->last;
    item->after = QKD_SLAB_NONE;
    if (list->last == QKD_SLAB_NONE) {
        list->first = slot;
    } else {
        ((struct kma_stored *)qkd_slab_at(&kma->stored, list->last))->after = slot;
    }
    list->last = slot;
}

/* Keeps it. 0 also when it was kept before with the same bytes; QKD_ERR_EXISTS with others. */
static int keep(const struct kma_step *s, const struct kma_arrival *a)
{
    struct kma *kma = s->kma;
    struct crypto_part parts[] = {{a->keys.at, a->keys.len}, {a->compare, WIRE_COMPARE_LEN}};
    uint8_t digest[32];
    if (crypto_sha256(parts, 2, digest) != 0) {
        return QKD_ERR_CRYPTO;
    }
    uint32_t slot = qkd_map_get(&kma->stored_map, &a->item.key_id);
    if (slot != QKD_MAP_NONE) {
        const struct kma_stored *old = qkd_slab_at(&kma->stored, slot);
        return crypto_equal(old->digest, digest, sizeof digest) ? 0 : QKD_ERR_EXISTS;
    }
    slot = qkd_slab_take(&kma->stored);
    uint32_t buf = slot == QKD_SLAB_NONE
                       ? KM_SECBUF_NONE
                       : km_secbuf_take(&kma->bufs, a->keys.len + WIRE_COMPARE_LEN);
    if (buf == KM_SECBUF_NONE || qkd_map_put(&kma->stored_map, &a->item.key_id, slot) != 0) {
        km_secbuf_give(&kma->bufs, &buf);
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->stored, slot);
        }
        return QKD_ERR_LIMIT;
    }
    struct kma_stored *item = qkd_slab_at(&kma->stored, slot);
    *item = a->item;
    item->buf = buf;
    bool timer_first = kma->config->timer.ns < kma->config->fetch_within.ns; /* HS-T2 */
    item->until = kma_after(s, timer_first || a->item.is_pooled ? kma->config->timer
                                                                : kma->config->fetch_within);
    memcpy(item->digest, digest, sizeof digest);
    memcpy(km_secbuf_at(&kma->bufs, buf), a->keys.at, a->keys.len);
    memcpy(km_secbuf_at(&kma->bufs, buf) + a->keys.len, a->compare, WIRE_COMPARE_LEN);
    list_append(kma, a->item.is_pooled ? &kma->pooled : &kma->waiting, slot);
    return 0;
}

/* A frame of pooled keys: those for one request are kept together, with the compare key behind them. */
static int keep_each(const struct kma_step *s, const struct kma_arrival *a)
{
    uint32_t unit_bits = s->kma->config->unit_bits;
    uint32_t keys_bits = a->item.key_size - 8 * WIRE_COMPARE_LEN;
    bool whole = keys_bits % unit_bits == 0;
    size_t each = a->item.key_size / 8;
    int err = 0;
    for (uint32_t i = 0; i < a->item.count && err == 0; i++) {
        const uint8_t *at = a->keys.at + i * each;
        struct kma_arrival one = *a;
        kma_ahead_key_id(&a->item.key_id, i, &one.item.key_id);
        one.item.key_size = whole ? unit_bits : keys_bits;
        one.item.count = (uint16_t)(whole ? keys_bits / unit_bits : 1);
        one.keys = (struct wire_bytes){at, each - WIRE_COMPARE_LEN};
        one.compare = at + one.keys.len;
        err = keep(s, &one);
    }
    return err;
}

void kma_arrived(const struct kma_step *s, const struct kma_arrival *a,
                 const struct kma_forward *key)
{
    int err = a->item.is_pooled ? keep_each(s, a) : keep(s, a);
    if (err == QKD_ERR_EXISTS) {
        (void)chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_KEY_MISMATCH, 0, s->out);
    }
    done_send(s, key,
              err == 0                ? WIRE_REASON_NONE
              : err == QKD_ERR_EXISTS ? WIRE_REASON_DUPLICATE
                                      : WIRE_REASON_OVERLOAD,
              a->item.grade);
}

void kma_arrived_again(const struct kma_step *s, const struct kma_part *part)
{
    if (part->item != NULL && part->index == 0) { /* one share speaks for all */
        struct kma_forward key = {.source = part->item->source,
                                  .key_id = part->key_id,
                                  .session = part->item->session,
                                  .attempt = part->attempt};
        done_send(s, &key, WIRE_REASON_NONE, part->item->grade);
    }
}

/* A share of a key, at its destination. */
static void share_arrived(const struct kma_step *s, const struct wire_relay_body *body,
                          const struct kma_stored *item)
{
    uint8_t secret[KMA_FRAME_MAX];
    bool good = body->has_shares && body->shares > 1 && body->shares <= WIRE_PATHS_MAX &&
                body->share < body->shares && body->keys.len + WIRE_COMPARE_LEN <= sizeof secret;
    if (good) {
        memcpy(secret, body->keys.at, body->keys.len);
        memcpy(secret + body->keys.len, body->compare.b, WIRE_COMPARE_LEN);
        struct kma_part part = {.key_id = body->key_id,
                                .index = body->share,
                                .parts = body->shares,
                                .attempt = body->attempt,
                                .item = item,
                                .bytes = {secret, body->keys.len + WIRE_COMPARE_LEN}};
        kma_gather_add(s, &part);
        crypto_wipe(secret, part.bytes.len);
    }
}

static void life_relay(const struct kma_step *s, const struct kma_link *link,
                       const struct kma_stored *item, const struct km_take *pad)
{
    kma_life(s, &(struct kma_life){.action = WIRE_ACTION_RELAY,
                                   .key_class = WIRE_CLASS_KMA,
                                   .id = item->key_id,
                                   .parent = pad->key_id,
                                   .source = link->peer,
                                   .destination = s->kma->self,
                                   .method = item->method,
                                   .hop = item->hop,
                                   .link = link});
}

/* Reads a relay body and its metadata; false if they are not what they must be. */
static bool relay_read(const uint8_t *bytes, size_t len, struct wire_relay_body *body,
                       struct wire_relay_metadata *metadata)
{
    bool good = wire_relay_body_decode(body, bytes, len) == (int)len &&
                wire_relay_metadata_decode(metadata, body->metadata.at, body->metadata.len) > 0;
    if (!good || body->count == 0 || body->key_size % 8 != 0 || body->keys.len == 0 ||
        (uint64_t)body->key_size / 8 * body->count != body->keys.len ||
        !qkd_id_eq(&metadata->kma_key_id, &body->key_id) || /* MD-T1: mandatory items */
        !qkd_eid_eq(metadata->matching_kma_id, body->destination)) {
        return false;
    }
    uint8_t grade = body->grade & (uint8_t)~WIRE_GRADE_MARKS;
    bool pooled = metadata->key_type == WIRE_FOR_POOL;
    return (grade == WIRE_METHOD_OTP || grade == WIRE_METHOD_AES) &&
           (!pooled || (body->key_size > 8 * WIRE_COMPARE_LEN && !body->has_share));
}

void kma_relay_receive(const struct kma_step *s, struct kma_link *link,
                       const struct wire_frame *frame, const uint8_t *bytes,
                       const struct km_take *pad)
{
    struct wire_relay_body body;
    struct wire_relay_metadata metadata = {0};
    bool good = relay_read(bytes, frame->body_len, &body, &metadata);
    if (!good) {
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                          .peer = link->peer,
                                          .a = QKD_RP_KX1,
                                          .b = -QKD_ERR_FORMAT});
        return;
    }
    bool pooled = metadata.key_type == WIRE_FOR_POOL;
    uint8_t fall = body.grade & WIRE_FALL_MASK;
    uint8_t marks = body.grade & WIRE_GRADE_MARKS;
    uint8_t grade = body.grade & (uint8_t)~WIRE_GRADE_MARKS;
    grade = QKDN_MUTANT(GRADE_LOST) ? grade : kma_grade_weaker(frame->method, grade);
    body.grade = grade | marks;
    struct kma_arrival a = {.item = {.key_id = body.key_id,
                                     .session = body.session_id,
                                     .source = body.source,
                                     .relay_source = link->peer,
                                     .generated = metadata.generated,
                                     .relayed = s->event->wall,
                                     .key_size = body.key_size,
                                     .count = body.count,
                                     .grade = grade,
                                     .hop = body.hop,
                                     .method = frame->method,
                                     .is_pooled = pooled},
                            .keys = body.keys,
                            .compare = body.compare.b};
    struct kma_forward key = {.source = body.source,
                              .key_id = body.key_id,
                              .session = body.session_id,
                              .attempt = body.attempt};
    life_relay(s, link, &a.item, pad);
    kma_report(s, (struct qkd_report){.code = QKD_REPORT_RELAY,
                                      .peer = link->peer,
                                      .id = body.key_id,
                                      .a = link->id,
                                      .b = body.hop,
                                      .c = 8 * (uint64_t)frame->length});
    if (grade == WIRE_METHOD_AES &&
        fall == 0) { /* never downgraded: whoever did it is no honest hop */
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        kma_relay_fail(s, &key, WIRE_REASON_POLICY);
        return;
    }
    if (!qkd_eid_eq(body.destination, s->kma->self)) {
        relay_onward(s, &body, &key);
        return;
    }
    const struct kma_session *session = kma_session_here(s, body.session_id, body.source);
    bool live = session != NULL;
    bool again = qkd_map_get(&s->kma->stored_map, &body.key_id) != QKD_MAP_NONE;
    if (!live && !again) {
        kma_relay_fail(s, &key, WIRE_REASON_NO_SESSION);
        return;
    }
    if (live) {
        a.item.source_app = session->source_app;
        a.item.target_app = session->target_app;
    }
    if (body.has_share) {
        share_arrived(s, &body, &a.item);
        return;
    }
    kma_arrived(s, &a, &key);
}

/* The neighbour's pool units are the key itself, which goes on to its destination (first-key). */
static void take_onward(const struct kma_step *s, const struct kma_arrival *a,
                        const struct wire_take_body *take, const struct kma_forward *key)
{
    bool is_guaranteed = take->has_guaranteed && take->guaranteed != 0;
    struct wire_relay_body body = {.session_id = take->session_id,
                                   .key_id = take->key_id,
                                   .source = take->source,
                                   .destination = take->destination,
                                   .attempt = key->attempt,
                                   .hop = a->item.hop,
                                   .grade = a->item.grade |
                                            (take->has_fall ? take->fall & WIRE_FALL_MASK : 0) |
                                            (is_guaranteed ? WIRE_GRADE_GUARANTEED : 0),
                                   .key_size = take->key_size,
                                   .count = take->count,
                                   .metadata = take->metadata,
                                   .keys = a->keys};
    memcpy(body.compare.b, a->compare, WIRE_COMPARE_LEN);
    relay_onward(s, &body, key);
    crypto_wipe(body.compare.b, sizeof body.compare.b);
}

void kma_take_receive(const struct kma_step *s, struct kma_link *link,
                      const struct wire_frame *frame, const uint8_t *bytes,
                      const struct km_take *pad)
{
    struct wire_take_body body;
    struct wire_relay_metadata metadata = {0};
    bool good = wire_take_body_decode(&body, frame->body, frame->body_len) == (int)frame->body_len;
    uint32_t keys_len = frame->length - WIRE_FRAME_TAG_LEN - WIRE_COMPARE_LEN;
    bool summed = good && body.has_hop && body.hop > 1; /* the key is another link's */
    good = good && body.count > 0 && (uint64_t)body.key_size / 8 * body.count == keys_len &&
           body.key_size % 8 == 0 && (summed || qkd_eid_eq(body.source, link->peer)) &&
           wire_relay_metadata_decode(&metadata, body.metadata.at, body.metadata.len) > 0 &&
           qkd_id_eq(&metadata.kma_key_id, &body.key_id) && /* MD-T1: mandatory items */
           qkd_eid_eq(metadata.matching_kma_id, body.destination);
    bool ours = qkd_eid_eq(body.destination, s->kma->self);
    if (!good) {
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                          .peer = link->peer,
                                          .a = QKD_RP_KX1,
                                          .b = -QKD_ERR_FORMAT});
        return;
    }
    struct kma_arrival a = {.item = {.key_id = body.key_id,
                                     .session = body.session_id,
                                     .source = body.source,
                                     .source_app = body.source_app,
                                     .target_app = body.target_app,
                                     .relay_source = link->peer,
                                     .generated = body.taken,
                                     .relayed = s->event->wall,
                                     .key_size = body.key_size,
                                     .count = body.count,
                                     .grade = WIRE_METHOD_OTP, /* no cipher touched it */
                                     .hop = summed ? body.hop : 1,
                                     .method = summed ? WIRE_METHOD_OTP : WIRE_METHOD_POOL},
                            .keys = {bytes, keys_len},
                            .compare = bytes + keys_len};
    struct kma_forward key = {.source = body.source,
                              .key_id = body.key_id,
                              .session = body.session_id,
                              .attempt = ours ? 0 : 1}; /* a later attempt is a RELAY */
    life_relay(s, link, &a.item, pad);
    kma_report(s, (struct qkd_report){.code = QKD_REPORT_RELAY,
                                      .peer = link->peer,
                                      .id = body.key_id,
                                      .a = link->id,
                                      .b = a.item.hop,
                                      .c = 8 * (uint64_t)frame->length});
    struct wire_bytes secret = {bytes, keys_len + WIRE_COMPARE_LEN};
    if (ours && summed && kma_session_here(s, body.session_id, body.source) == NULL) {
        kma_relay_fail(s, &key, WIRE_REASON_NO_SESSION); /* and the sums find none, either */
    } else if (ours && summed) {
        struct kma_part part = {body.key_id, 0, body.hop, key.attempt, &a.item, secret};
        kma_gather_add(s, &part);
    } else if (ours) {
        kma_arrived(s, &a, &key);
    } else if (body.has_hop) {
        kma_sum_onward(s, &body, secret, &key);
    } else {
        take_onward(s, &a, &body, &key);
    }
}

/* ---- hand-over to the slave's KSA ---- */

/* Encodes and sends a KMI_SUPPLY, which holds key data: its bytes are wiped here. */
void kma_supply_send(const struct kma_step *s, const struct wire_kmi_supply *supply)
{
    uint8_t bytes[KMA_FRAME_MAX + 512];
    int len = wire_kmi_supply_encode(supply, bytes, sizeof bytes);
    if (len > 0) {
        kma_send(s, QKD_RP_KMI, qkd_eid_sibling(s->kma->self, QKD_ROLE_KSA),
                 &(struct wire_bytes){bytes, (size_t)len});
        crypto_wipe(bytes, (size_t)len);
    }
}

static void stored_fetched(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_stored *item = qkd_slab_at(&kma->stored, slot);
    km_secbuf_give(&kma->bufs, &item->buf);
    item->until = kma_after(s, qkd_span_ns(kma->config->retransmit.ns * FETCHED_MEMORY));
    list_remove(kma, item->is_pooled ? &kma->pooled : &kma->waiting, item);
    item->is_pooled = false;
    list_append(kma, &kma->fetched, slot);
}

static void life_stored(const struct kma_step *s, const struct kma_stored *item, uint8_t action,
                        uint8_t reason)
{
    kma_life(s, &(struct kma_life){.action = action,
                                   .key_class = WIRE_CLASS_KMA,
                                   .id = item->key_id,
                                   .reason = reason});
}

/* Whether a key is for these applications: a pooled one is for those whom the KSA at its source names. */
static bool fetch_fits(const struct kma_stored *item, const struct wire_kmi_fetch *fetch)
{
    if (item->is_pooled) {
        return qkd_eid_node(fetch->source_app) == qkd_eid_node(item->source);
    }
    return qkd_eid_eq(item->source_app, fetch->source_app) &&
           qkd_eid_eq(item->target_app, fetch->target_app);
}

void kma_fetch(const struct kma_step *s, const struct wire_kmi_fetch *fetch)
{
    struct kma *kma = s->kma;
    uint32_t slot = qkd_map_get(&kma->stored_map, &fetch->key_id);
    struct kma_stored *item = slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&kma->stored, slot);
    struct wire_kmi_supply supply = {.head = kma_head(kma, QKD_RP_KMI, fetch->head.message_id),
                                     .code = WIRE_INSUFFICIENT,
                                     .reason = WIRE_REASON_UNKNOWN_KEY,
                                     .has_key_id = true,
                                     .key_id = fetch->key_id};
    if (item == NULL || item->buf == KM_SECBUF_NONE ||
        !qkd_time_before(s->event->now, item->until) || /* HS-T2, also before the sweep */
        !fetch_fits(item, fetch)) {
        kma_supply_send(s, &supply);
        return;
    }
    uint8_t meta[256];
    const struct kma_link *link = kma_link_of(kma, item->relay_source);
    struct wire_key_metadata metadata = {.has_kma_key_id = true,
                                         .kma_key_id = item->key_id,
                                         .has_key_length = true,
                                         .key_length = item->key_size,
                                         .has_key_type = true,
                                         .key_type = WIRE_FOR_DECRYPTION,
                                         .has_kma_id = true,
                                         .kma_id = kma->self,
                                         .has_matching_kma_id = true,
                                         .matching_kma_id = item->source,
                                         .has_generated = true,
                                         .generated = item->generated,
                                         .has_module_id = link != NULL,
                                         .module_id = link == NULL ? QKD_NOBODY : link->module,
                                         .has_matching_module_id = link != NULL,
                                         .matching_module_id = link == NULL ? QKD_NOBODY
                                                                            : link->peer_module,
                                         .has_relay_source = true,
                                         .relay_source = item->relay_source,
                                         .has_relay_destination = true,
                                         .relay_destination = kma->self,
                                         .has_relayed = true,
                                         .relayed = item->relayed,
                                         .has_method = true,
                                         .method = item->method};
    int meta_len = wire_key_metadata_encode(&metadata, meta, sizeof meta);
    QKD_ASSERT(meta_len > 0);
    size_t keys_len = (size_t)item->key_size / 8 * item->count;
    const uint8_t *buf = km_secbuf_at(&kma->bufs, item->buf);
    supply.code = WIRE_SUCCESS;
    supply.reason = WIRE_REASON_NONE;
    supply.has_key_size = supply.has_key_data = supply.has_compare = supply.has_grade = true;
    supply.has_hops = supply.has_source_id = supply.has_destination_id = true;
    supply.has_metadata = true;
    supply.key_size = item->key_size;
    supply.key_data = (struct wire_bytes){buf, keys_len};
    memcpy(supply.compare.b, buf + keys_len, WIRE_COMPARE_LEN);
    supply.grade = item->grade;
    supply.hops = item->hop;
    supply.source_id = item->source;
    supply.destination_id = kma->self;
    supply.metadata = (struct wire_bytes){meta, (size_t)meta_len};
    kma_supply_send(s, &supply);
    crypto_wipe(supply.compare.b, sizeof supply.compare.b);
    life_stored(s, item, WIRE_ACTION_SUPPLY, 0);
    stored_fetched(s, slot);
}

void kma_drop(const struct kma_step *s, const struct wire_kmi_drop *drop)
{
    if (drop->head.orig_message_id != 0) {
        kma_need_drop(s, drop->head.orig_message_id);
        return;
    }
    if (drop->has_destination_id) {
        kma_ahead_void(s, drop->destination_id);
        return;
    }
    uint32_t slot = qkd_map_get(&s->kma->stored_map, &drop->key_id);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    struct kma_stored *item = qkd_slab_at(&s->kma->stored, slot);
    if (item->buf != KM_SECBUF_NONE) {
        life_stored(s, item, WIRE_ACTION_DISCARD, drop->reason);
        stored_fetched(s, slot);
    }
}

static void sweep_list(const struct kma_step *s, struct kma_list *list)
{
    struct kma *kma = s->kma;
    while (list->first != QKD_SLAB_NONE) {
        uint32_t slot = list->first;
        struct kma_stored *item = qkd_slab_at(&kma->stored, slot);
        if (qkd_time_before(s->event->now, item->until)) {
            return;
        }
        if (item->buf != KM_SECBUF_NONE) {
            life_stored(s, item, WIRE_ACTION_EXPIRY, WIRE_REASON_EXPIRED);
            km_secbuf_give(&kma->bufs, &item->buf);
        }
        list_remove(kma, list, item);
        (void)qkd_map_del(&kma->stored_map, &item->key_id);
        qkd_slab_give(&kma->stored, slot);
    }
}

void kma_stored_sweep(const struct kma_step *s)
{
    sweep_list(s, &s->kma->waiting);
    sweep_list(s, &s->kma->pooled);
    sweep_list(s, &s->kma->fetched);
}
