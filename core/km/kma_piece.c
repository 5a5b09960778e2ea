/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: how a piece leaves its source (7.1.3; docs/protocol.md, "Schemes of key relay"). A random key
 * goes in a RELAY frame. Pool units of the first link are named in a TAKE frame: for the neighbour, or
 * as the key that the neighbour is to relay on. Several ways get a share each. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

#define METADATA_MOST 64 /* bytes */

static struct kma_need *need_of(struct kma *kma, const struct kma_piece *piece)
{
    return qkd_slab_at(&kma->needs, piece->need);
}

/* Bytes of the keys of a piece and their compare key. */
static size_t secret_len(const struct kma *kma, const struct kma_piece *piece)
{
    const struct kma_need *need = qkd_slab_at(&kma->needs, piece->need);
    return (size_t)need->key_size / 8 * piece->count + WIRE_COMPARE_LEN;
}

int kma_piece_split(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_piece *piece = qkd_slab_at(&kma->pieces, slot);
    size_t len = secret_len(kma, piece);
    for (uint32_t i = 0; i + 1 < piece->paths; i++) {
        piece->share[i] = km_secbuf_take(&kma->bufs, len);
        if (piece->share[i] == KM_SECBUF_NONE) {
            return QKD_ERR_LIMIT;
        }
        qkd_rng_bytes(&kma->rng, km_secbuf_at(&kma->bufs, piece->share[i]), len);
        if (QKDN_MUTANT(SHARE_IS_KEY)) {
            memset(km_secbuf_at(&kma->bufs, piece->share[i]), 0, len);
        }
    }
    return 0;
}

/* What goes over a route: the secret itself, or share `index` of it; the first is what is left when all
 * others are taken away. */
static void share_read(const struct kma *kma, const struct kma_piece *piece, uint32_t index,
                       uint8_t *to)
{
    size_t len = secret_len(kma, piece);
    if (index > 0) {
        memcpy(to, km_secbuf_at(&kma->bufs, piece->share[index - 1]), len);
        return;
    }
    memcpy(to, km_secbuf_at(&kma->bufs, piece->buf), len);
    for (uint32_t i = 0; i + 1 < piece->paths; i++) {
        crypto_xor(to, to, km_secbuf_at(&kma->bufs, piece->share[i]), len);
    }
}

/* Table 7-1, what travels with the keys; in the caller's bytes. */
static struct wire_bytes metadata_make(const struct kma_piece *piece, const struct kma_need *need,
                                       uint8_t bytes[METADATA_MOST])
{
    struct wire_relay_metadata metadata = {.kma_key_id = piece->key_id,
                                           .key_type = need->is_ahead ? WIRE_FOR_POOL
                                                                      : WIRE_FOR_ENCRYPTION,
                                           .matching_kma_id = need->destination,
                                           .generated = piece->drawn_wall};
    int len = wire_relay_metadata_encode(&metadata, bytes, METADATA_MOST);
    QKD_ASSERT(len > 0);
    return (struct wire_bytes){bytes, (size_t)len};
}

/* Hops weigh keys only where there are classes. */
static bool guaranteed_of(const struct kma_step *s, const struct kma_need *need)
{
    return need->is_guaranteed && s->kma->config->class_count > 0;
}

/* Relays a piece, or a share of it, over a route of the flow: 0 or a negative error. */
static int piece_relay(const struct kma_step *s, const struct kma_piece *piece, uint32_t index)
{
    struct kma *kma = s->kma;
    const struct kma_need *need = need_of(kma, piece);
    const struct kma_flow *flow = qkd_slab_at(&kma->flows, need->flow);
    uint32_t hops;
    struct kma_link *first = kma_link_of(kma, kma_flow_path(flow, index, &hops)[1]);
    uint8_t fall = piece->direct ? 0 : kma_fall(s, need->level);
    uint8_t rate = guaranteed_of(s, need) ? WIRE_GRADE_GUARANTEED : 0;
    uint8_t keys[KM_SECBUF_MAX];
    size_t keys_len = (size_t)need->key_size / 8 * piece->count;
    uint8_t meta[METADATA_MOST];
    uint8_t bytes[KMA_FRAME_MAX];
    struct wire_relay_body body = {.session_id = flow->session,
                                   .key_id = piece->key_id,
                                   .source = kma->self,
                                   .destination = need->destination,
                                   .attempt = piece->attempt,
                                   .hop = 1,
                                   .grade = WIRE_METHOD_OTP | fall | rate,
                                   .key_size = need->key_size,
                                   .count = piece->count,
                                   .metadata = metadata_make(piece, need, meta),
                                   .keys = {keys, keys_len},
                                   .has_share = piece->paths > 1,
                                   .share = (uint8_t)index,
                                   .has_shares = piece->paths > 1,
                                   .shares = piece->paths};
    share_read(kma, piece, index, keys);
    memcpy(body.compare.b, keys + keys_len, WIRE_COMPARE_LEN);
    int len = wire_relay_body_encode(&body, bytes, sizeof bytes);
    crypto_wipe(body.compare.b, sizeof body.compare.b);
    crypto_wipe(keys, keys_len + WIRE_COMPARE_LEN);
    if (len < 0) {
        return len;
    }
    struct kma_forward forward = {.body = bytes,
                                  .len = (uint32_t)len,
                                  .source = kma->self,
                                  .key_id = piece->key_id,
                                  .session = flow->session,
                                  .attempt = piece->attempt,
                                  .fall = fall,
                                  .poor = piece->poor};
    int err = first == NULL ? QKD_ERR_STATE : kma_relay_forward(s, first, &forward);
    crypto_wipe(bytes, (size_t)len);
    return err;
}

/* Takes pool units of the first link and tells the neighbour which. */
static int piece_take(const struct kma_step *s, const struct kma_piece *piece)
{
    struct kma *kma = s->kma;
    const struct kma_need *need = need_of(kma, piece);
    const struct kma_flow *flow = qkd_slab_at(&kma->flows, need->flow);
    struct kma_link *link = kma_link_of(kma, flow->route[1]);
    bool summed = !piece->direct && flow->relay == WIRE_RELAY_DESTINATION;
    uint8_t fall = piece->direct || summed ? 0 : kma_fall(s, need->level);
    uint8_t meta[METADATA_MOST];
    uint8_t bytes[256];
    struct wire_take_body body = {.session_id = flow->session,
                                  .key_id = piece->key_id,
                                  .source = kma->self,
                                  .destination = need->destination,
                                  .key_size = need->key_size,
                                  .count = piece->count,
                                  .taken = piece->drawn_wall,
                                  .source_app = flow->source_app,
                                  .target_app = flow->target_app,
                                  .metadata = metadata_make(piece, need, meta),
                                  .has_hop = summed,
                                  .hop = 1,
                                  .has_fall = fall != 0,
                                  .fall = fall,
                                  .has_guaranteed = !piece->direct && guaranteed_of(s, need),
                                  .guaranteed = 1};
    int len = wire_take_body_encode(&body, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct kma_send send = {.type = WIRE_FRAME_TAKE,
                            .body = bytes,
                            .body_len = (uint32_t)len,
                            .key_len = (uint32_t)wire_take_bytes(need->key_size, piece->count),
                            .keys = km_secbuf_at(&kma->bufs, piece->buf),
                            .source = kma->self,
                            .key_id = piece->key_id,
                            .session = flow->session,
                            .attempt = piece->direct ? 0 : piece->attempt};
    struct km_take take;
    if (link == NULL || !link->up || !chan_is_up(kma->chan, QKD_RP_KX1, link->peer)) {
        return QKD_ERR_STATE;
    }
    int err = kma_frame_send(s, link, &send, &take);
    kma_link_mark(s, link);
    return err;
}

int kma_piece_send(const struct kma_step *s, uint32_t slot)
{
    struct kma_piece *piece = qkd_slab_at(&s->kma->pieces, slot);
    bool is_take = piece->taken && piece->attempt == 1; /* then the same keys again, under pads */
    int err = is_take ? piece_take(s, piece) : 0;
    piece->sent = 0;
    for (uint32_t i = 0; !is_take && err == 0 && i < piece->paths; i++) {
        err = piece_relay(s, piece, i);
        piece->sent = err == 0 ? (uint8_t)(i + 1) : piece->sent;
    }
    return err;
}
