/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: relay to the destination (7.1.3; docs/protocol.md, "Schemes of key relay"). A node on the way takes as
 * much key of the next link as its neighbour took of the link before, tells the next node which, and sends the
 * XOR of both straight to the destination, again and again until that is acknowledged. It learns nothing of the
 * key but its own links' keys; the sums need no secrecy. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

#define SUM_SHIFT_MAX 3
#define SUM_HOPS_MAX 63 /* parts of a key that can be told apart, less the last link's */

static struct kma_sum *sum_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->sums, slot);
}

static void sum_give(struct kma *kma, uint32_t slot)
{
    struct kma_sum *sum = sum_at(kma, slot);
    (void)qkd_map_del(&kma->sum_map, &sum->key_id);
    qkd_timers_cancel(&kma->timers, &sum->timer);
    km_secbuf_give(&kma->bufs, &sum->buf);
    qkd_slab_give(&kma->sums, slot);
}

static uint8_t reason_of(int err)
{
    return err == QKD_ERR_INSUFFICIENT ? WIRE_REASON_INSUFFICIENT_KEY
           : err == QKD_ERR_AGAIN      ? WIRE_REASON_OVER_SHARE
           : err == QKD_ERR_STATE      ? WIRE_REASON_UNREACHABLE
                                       : WIRE_REASON_OVERLOAD;
}

void kma_sum_onward(const struct kma_step *s, const struct wire_take_body *take,
                    struct wire_bytes upstream, const struct kma_forward *key)
{
    struct kma *kma = s->kma;
    struct qkd_eid next = kma_session_next(s, take->session_id, take->source);
    if (next.v == 0 || take->hop == 0 || take->hop >= SUM_HOPS_MAX ||
        qkd_eid_eq(take->source, kma->self)) {
        kma_relay_fail(s, key, WIRE_REASON_NO_SESSION);
        return;
    }
    uint8_t bytes[256];
    struct wire_take_body body = *take;
    body.hop++;
    struct kma_forward forward = *key;
    int len = wire_take_body_encode(&body, bytes, sizeof bytes);
    forward.body = bytes;
    forward.len = len > 0 ? (uint32_t)len : 0;
    forward.upstream = upstream.at;
    forward.upstream_len = (uint32_t)upstream.len;
    forward.hop = take->hop;
    forward.destination = take->destination;
    forward.guaranteed = take->has_guaranteed && take->guaranteed != 0;
    struct kma_link *onward = kma_link_of(kma, next);
    int err = len <= 0         ? len
              : onward == NULL ? QKD_ERR_STATE
                               : kma_relay_forward(s, onward, &forward);
    if (err != 0) {
        kma_relay_fail(s, key, reason_of(err));
    }
}

static void transmit(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_sum *sum = sum_at(kma, slot);
    struct wire_relay_sum message = {.head = kma_head(kma, QKD_RP_KX1, 0),
                                     .key_id = sum->key_id,
                                     .session_id = sum->session,
                                     .source = sum->source,
                                     .hop = sum->hop,
                                     .sum = {km_secbuf_at(&kma->bufs, sum->buf), sum->len}};
    KMA_SEND(s, relay_sum, QKD_RP_KX1, sum->destination, &message);
    unsigned shift = sum->tries < SUM_SHIFT_MAX ? sum->tries : SUM_SHIFT_MAX;
    sum->timer = qkd_timers_set(&kma->timers,
                                kma_after(s, qkd_span_ns(kma->config->retransmit.ns << shift)),
                                kma_tag(KMA_TIMER_SUM, slot));
}

void kma_sum_send(const struct kma_step *s, const struct kma_forward *forward, const uint8_t *sum)
{
    struct kma *kma = s->kma;
    uint32_t slot = qkd_slab_take(&kma->sums);
    uint32_t buf = slot == QKD_SLAB_NONE ? KM_SECBUF_NONE
                                         : km_secbuf_take(&kma->bufs, forward->upstream_len);
    if (buf == KM_SECBUF_NONE || qkd_map_put(&kma->sum_map, &forward->key_id, slot) != 0) {
        km_secbuf_give(&kma->bufs, &buf);
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->sums, slot);
        }
        kma_relay_fail(s, forward, WIRE_REASON_OVERLOAD);
        return;
    }
    memcpy(km_secbuf_at(&kma->bufs, buf), sum, forward->upstream_len);
    km_secbuf_at(&kma->bufs, buf)[0] ^= QKDN_MUTANT(SUM_FLIPS);
    *sum_at(kma, slot) = (struct kma_sum){.key_id = forward->key_id,
                                          .source = forward->source,
                                          .destination = forward->destination,
                                          .session = forward->session,
                                          .buf = buf,
                                          .len = forward->upstream_len,
                                          .hop = forward->hop,
                                          .timer = QKD_TIMER_NONE};
    transmit(s, slot);
}

void kma_sum_timeout(const struct kma_step *s, uint32_t slot)
{
    struct kma_sum *sum = sum_at(s->kma, slot);
    sum->timer = QKD_TIMER_NONE;
    if (++sum->tries > s->kma->config->retries) {
        sum_give(s->kma, slot); /* the source misses the key and begins anew */
        return;
    }
    transmit(s, slot);
}

void kma_sum_acked(const struct kma_step *s, struct qkd_eid peer,
                   const struct wire_relay_sum_ack *ack)
{
    uint32_t slot = qkd_map_get(&s->kma->sum_map, &ack->key_id);
    if (slot != QKD_MAP_NONE && qkd_eid_eq(sum_at(s->kma, slot)->destination, peer) &&
        sum_at(s->kma, slot)->hop == ack->hop) {
        sum_give(s->kma, slot);
    }
}

/* The session says whose keys come here; what is summed wrongly fails the comparison at Kx-2. */
void kma_sum_receive(const struct kma_step *s, struct qkd_eid peer,
                     const struct wire_relay_sum *sum)
{
    struct kma *kma = s->kma;
    struct wire_relay_sum_ack ack = {.head = kma_head(kma, QKD_RP_KX1, sum->head.message_id),
                                     .key_id = sum->key_id,
                                     .hop = sum->hop};
    bool known = kma_session_here(s, sum->session_id, sum->source) != NULL && sum->hop > 0 &&
                 sum->hop < SUM_HOPS_MAX;
    KMA_SEND(s, relay_sum_ack, QKD_RP_KX1, peer, &ack);
    if (known) {
        struct kma_part part = {.key_id = sum->key_id, .index = sum->hop, .bytes = sum->sum};
        kma_gather_add(s, &part);
    }
}
