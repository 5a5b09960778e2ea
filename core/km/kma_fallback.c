/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: AES-256 fallback at a hop (X.1712 note 5; docs/protocol.md, "AES-256 fallback"). A hop that cannot
 * pay pads for a key that may do without them sends it under AES-256-GCM. The cipher's key is 32 fresh
 * bytes of the link's pool, which the frame that begins it names, so that both ends take the same; it
 * never outlives an adjacency, let alone this process, and its nonces are counted: none comes twice.
 * Tags remain Wegman-Carter tags. What they and these keys need is kept back from payload. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

#define AAD_LEN (16 + WIRE_FRAME_HEAD_LEN) /* sender, receiver, header */

uint8_t kma_fall(const struct kma_step *s, uint8_t level)
{
    bool is_strict = level == WIRE_LEVEL_OTP_ONLY && !QKDN_MUTANT(FALL_ANYWAY);
    if (!s->kma->config->fallback || is_strict) {
        return 0;
    }
    return level == WIRE_LEVEL_ANY ? WIRE_FALL_FIRST | WIRE_FALL_LAST : WIRE_FALL_LAST;
}

uint8_t kma_grade_weaker(uint8_t a, uint8_t b)
{
    return a == WIRE_METHOD_AES ? a : b;
}

/* ---- state of the link ---- */

static void enter(const struct kma_step *s, struct kma_link *link, uint32_t cost)
{
    struct kma_fallback *f = link->fallback;
    f->leave = 2 * ((uint64_t)cost + link->pool.spare_bytes);
    if (!f->is_on) {
        f->is_on = true;
        (void)chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_FALLBACK, link->id, s->out);
        kma_report(s, (struct qkd_report){
                          .code = QKD_REPORT_FALLBACK, .peer = link->peer, .a = link->id, .b = 1});
    }
}

void kma_fallback_tick(const struct kma_step *s, struct kma_link *link)
{
    struct kma_fallback *f = link->fallback;
    if (f != NULL && f->is_on && km_pool_fallback_free(&link->pool) > f->leave) {
        f->is_on = false;
        (void)chan_report_clear(&s->kma->reports, s->event, WIRE_FAULT_FALLBACK, link->id, s->out);
        kma_report(
            s, (struct qkd_report){.code = QKD_REPORT_FALLBACK, .peer = link->peer, .a = link->id});
    }
}

bool kma_fallback_now(const struct kma_step *s, struct kma_link *link,
                      const struct kma_forward *forward)
{
    if (link->fallback == NULL || forward->fall == 0 || forward->upstream != NULL) {
        return false;
    }
    kma_fallback_tick(s, link);
    return link->fallback->is_on;
}

int kma_fallback_forward(const struct kma_step *s, struct kma_link *link,
                         const struct kma_forward *forward)
{
    if (link->fallback == NULL || forward->fall == 0 || forward->upstream != NULL) {
        return QKD_ERR_INSUFFICIENT;
    }
    int err = kma_relay_send(s, link, forward, true);
    if (err == 0) {
        enter(s, link, forward->len + WIRE_FRAME_TAG_LEN);
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_FALLBACK,
                                          .peer = link->peer,
                                          .id = forward->key_id,
                                          .a = link->id,
                                          .b = 2});
    }
    return err;
}

/* ---- keys ---- */

bool kma_fallback_due(const struct kma_fallback *f, struct qkd_time now, uint32_t len,
                      struct qkd_span rekey)
{
    return !f->tx.is_there || f->count >= KMA_FALLBACK_FRAMES ||
           f->bytes + len > KMA_FALLBACK_BYTES ||
           !qkd_time_before(now, qkd_time_add(f->since, rekey));
}

void kma_fallback_begin(struct kma_link *link, const struct km_take *take, const uint8_t *key,
                        struct qkd_time now)
{
    struct kma_fallback *f = link->fallback;
    f->tx =
        (struct kma_fallback_key){.is_there = true, .block = take->block, .offset = take->offset};
    memcpy(f->tx.key, key, sizeof f->tx.key);
    f->count = QKDN_MUTANT(NONCE_AGAIN) ? f->count : 0;
    f->bytes = 0;
    f->since = now;
}

void kma_fallback_lost(struct kma_link *link, const struct kma_tx *tx)
{
    struct kma_fallback *f = link->fallback;
    if (f != NULL && f->tx.is_there && tx->type == WIRE_FRAME_RELAY && tx->block == f->tx.block &&
        tx->offset == f->tx.offset) {
        crypto_wipe(&f->tx, sizeof f->tx); /* the other end may never learn it */
    }
}

void kma_fallback_void(struct kma_link *link)
{
    if (link->fallback != NULL) {
        crypto_wipe(&link->fallback->tx, sizeof link->fallback->tx);
        crypto_wipe(link->fallback->rx, sizeof link->fallback->rx);
    }
}

/* ---- frames ---- */

void kma_fallback_seal(struct kma_link *link, const uint8_t *aad, struct wire_bytes plain,
                       uint8_t *body)
{
    struct kma_fallback *f = link->fallback;
    uint64_t count = f->count;
    f->count += QKDN_MUTANT(NONCE_AGAIN) ? 0 : 1;
    f->bytes += plain.len;
    wire_aes_head_encode(
        &(struct wire_aes_head){.block = f->tx.block, .offset = f->tx.offset, .count = count},
        body);
    struct crypto_gcm_text text = {
        .aad = aad, .aad_len = AAD_LEN, .from = plain.at, .len = plain.len};
    int err = crypto_gcm_seal(f->tx.key, body + 8, &text, body + WIRE_AES_HEAD_LEN);
    QKD_ASSERT(err == 0);
}

static const struct kma_fallback_key *key_find(const struct kma_fallback *f,
                                               const struct wire_aes_head *head)
{
    for (uint32_t i = 0; i < KMA_FALLBACK_KEYS; i++) {
        const struct kma_fallback_key *key = &f->rx[i];
        if (key->is_there && key->block == head->block && key->offset == head->offset) {
            return key;
        }
    }
    return NULL;
}

bool kma_fallback_known(const struct kma_link *link, const struct wire_frame *frame)
{
    struct wire_aes_head head;
    if (link->fallback == NULL || !wire_aes_head_decode(&head, frame)) {
        return false;
    }
    bool begins = frame->length > WIRE_FRAME_TAG_LEN;
    return begins ? head.block == frame->block && head.offset == frame->offset
                  : key_find(link->fallback, &head) != NULL;
}

void kma_fallback_take(struct kma_link *link, const struct wire_frame *frame, const uint8_t *key)
{
    struct kma_fallback *f = link->fallback;
    struct kma_fallback_key *to = &f->rx[f->rx_next++ % KMA_FALLBACK_KEYS];
    *to =
        (struct kma_fallback_key){.is_there = true, .block = frame->block, .offset = frame->offset};
    memcpy(to->key, key, sizeof to->key);
}

bool kma_fallback_open(const struct kma_link *link, const struct wire_frame *frame,
                       const uint8_t *aad, uint8_t *to)
{
    struct wire_aes_head head;
    bool good = wire_aes_head_decode(&head, frame);
    const struct kma_fallback_key *key = good ? key_find(link->fallback, &head) : NULL;
    struct crypto_gcm_text text = {.aad = aad,
                                   .aad_len = AAD_LEN,
                                   .from = frame->body + WIRE_AES_HEAD_LEN,
                                   .len = frame->body_len - WIRE_AES_HEAD_LEN};
    return key != NULL && crypto_gcm_open(key->key, head.nonce, &text, to) == 0;
}
