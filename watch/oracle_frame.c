/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: Kx-1 frames that take pads. A frame is new or a repetition; a new one uses its range, one
 * sent again is the same bytes. Frames are remembered in a ring per side until they were
 * acknowledged. One frame of WATCH_ORC_SAMPLE is opened with the key of its block, so that `observed`
 * and the bytes on the wire are known to agree; control frames are always verified. */
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "watch/oracle_state.h"
#include "watch/pooled.h"

enum { RING_FIRST = 16, EIDS_LEN = 16 };

uint32_t watch_orc_side_of(const struct watch_oracle *o, uint32_t link, struct qkd_eid kma)
{
    if (link >= o->scenario->link_count) {
        return 2;
    }
    const struct watch_orc_link *l = &o->links[link];
    return kma.v == l->side[0].kma.v ? 0 : kma.v == l->side[1].kma.v ? 1 : 2;
}

/* ---- the ring of frames ---- */

static void frame_close(struct watch_orc_link *link, struct watch_orc_frame *f)
{
    if (f->seq == 0 || !f->open) {
        return;
    }
    uint32_t tags = f->length - f->payload_bytes;
    f->open = false;
    watch_orc_move(link, WATCH_ORC_IN_FLIGHT, f->payload, f->payload_bytes);
    watch_orc_move(link, WATCH_ORC_IN_FLIGHT, WATCH_ORC_TAGS, tags);
    link->settled[f->payload] += f->payload_bytes;
    link->settled[WATCH_ORC_TAGS] += tags;
}

static bool ring_grow(struct watch_orc_side *side)
{
    uint32_t cap = side->ring_cap == 0 ? RING_FIRST : 2 * side->ring_cap;
    struct watch_orc_frame *ring = calloc(cap, sizeof *ring);
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < side->ring_cap; i++) {
        if (side->ring[i].seq != 0) {
            ring[side->ring[i].seq & (cap - 1)] = side->ring[i];
        }
    }
    free(side->ring);
    side->ring = ring;
    side->ring_cap = cap;
    return true;
}

/* The place for a new frame: grows the ring while the frame there may still be repeated. */
static struct watch_orc_frame *ring_place(struct watch_oracle *o, struct watch_orc_link *link,
                                          struct watch_orc_side *side, uint32_t seq)
{
    for (;;) {
        if (side->ring_cap > 0) {
            struct watch_orc_frame *f = &side->ring[seq & (side->ring_cap - 1)];
            bool done = f->seq == 0 || f->seq < side->acked;
            if (done || side->ring_cap >= WATCH_ORC_WINDOW) {
                frame_close(link, f);
                return f;
            }
        }
        if (!ring_grow(side)) {
            watch_orc_fail(o, "oracle: out of memory for frames", NULL);
            return NULL;
        }
    }
}

static void epoch_check(struct watch_oracle *o, struct watch_orc_link *link,
                        const struct watch_orc_sight *s)
{
    struct watch_orc_side *side = &link->side[s->side];
    uint32_t epoch = s->frame.epoch;
    o->verdict.checks++;
    if (epoch < side->epoch || (epoch == side->epoch && side->restarted)) {
        watch_orc_fail(o, "rule 2: epoch does not grow after a restart", &s->scene);
        return;
    }
    if (epoch == side->epoch) {
        return;
    }
    for (uint32_t i = 0; i < side->ring_cap; i++) {
        frame_close(link, &side->ring[i]);
        side->ring[i] = (struct watch_orc_frame){0};
    }
    side->epoch = epoch;
    side->aes.is_there = false;
    side->restarted = false;
    side->top = side->acked = 0;
}

/* ---- agreement of bytes and key ---- */

static void tag_of(const struct watch_oracle *o, const struct watch_orc_sight *s,
                   uint8_t tag[CRYPTO_TAG_LEN])
{
    uint8_t eids[EIDS_LEN];
    const uint8_t *r = o->links[s->frame.link].side[s->side].hash_key;
    const uint8_t *pad = o->scratch + s->frame.length - WIRE_FRAME_TAG_LEN;
    wire_put_u64(eids, s->send->from.v);
    wire_put_u64(eids + 8, s->send->to.v);
    struct crypto_part parts[] = {{eids, sizeof eids}, {s->bytes, s->len - WIRE_FRAME_TAG_LEN}};
    crypto_wc_tag_parts(tag, r, pad, parts, 2);
}

/* o->scratch holds the key bytes of the frame's range. */
static void verify(struct watch_oracle *o, const struct watch_orc_sight *s)
{
    uint8_t tag[CRYPTO_TAG_LEN];
    tag_of(o, s, tag);
    (void)watch_orc_check(o, memcmp(tag, s->frame.tag, sizeof tag) == 0,
                          "rule 3: tag is not that of header and body under the block's key",
                          &s->scene);
    if (s->frame.type == WIRE_FRAME_RELAY && s->frame.method == WIRE_METHOD_AES) {
        watch_orc_aes_verify(o, s);
    }
    if (s->frame.type != WIRE_FRAME_RELAY || s->frame.method != WIRE_METHOD_OTP) {
        return;
    }
    const uint8_t *plain = s->observed + WIRE_FRAME_HEAD_LEN;
    uint8_t differ = 0;
    for (size_t i = 0; i < s->frame.body_len; i++) {
        differ |= (uint8_t)(plain[i] ^ o->scratch[i] ^ s->frame.body[i]);
    }
    (void)watch_orc_check(o, differ == 0, "rule 3: body is not the plain text under its pad",
                          &s->scene);
}

/* Reads the key bytes of the range into o->scratch; false if there are none to read. */
static bool key_read(struct watch_oracle *o, const struct watch_orc_sight *s)
{
    uint32_t slot = watch_orc_block_find(o, s->frame.link, s->frame.block);
    if (slot == QKD_SLAB_NONE || s->frame.length > WATCH_ORC_SCRATCH) {
        return false;
    }
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    bool wiped = block->form == 0 && block->bits == NULL; /* lost: its bits are forgotten */
    if (wiped || (uint64_t)s->frame.offset + s->frame.length > block->bytes) {
        return false;
    }
    watch_orc_block_read(block, s->frame.offset, o->scratch, s->frame.length);
    return true;
}

/* ---- what new frames say ---- */

static void relay_new(struct watch_oracle *o, const struct watch_orc_sight *s)
{
    struct wire_relay_body body;
    size_t plain_len;
    struct wire_frame observed = s->frame;
    observed.body = s->observed + WIRE_FRAME_HEAD_LEN;
    const uint8_t *plain = wire_relay_plain(&observed, &plain_len);
    int len = wire_relay_body_decode(&body, plain, plain_len);
    bool good = len == (int)plain_len &&
                (uint64_t)(body.key_size / 8) * body.count == body.keys.len && body.count > 0;
    if (!watch_orc_check(o, good, "rule 3: relay body malformed", &s->scene)) {
        return;
    }
    struct watch_orc_travel travel = {.source = body.source,
                                      .destination = body.destination,
                                      .id = &body.key_id,
                                      .keys = body.keys.at,
                                      .compare = body.compare.b,
                                      .key_size = body.key_size,
                                      .count = body.count,
                                      .pooled = watch_is_pooled(&body),
                                      .weak = s->frame.method == WIRE_METHOD_AES,
                                      .first = qkd_eid_eq(body.source, s->send->from),
                                      .direct = qkd_eid_eq(body.source, s->send->from) &&
                                                qkd_eid_eq(body.destination, s->send->to)};
    if (s->frame.method != WIRE_METHOD_AES) {
        watch_orc_hops_frame(o, &s->frame, s->send->from, &body);
    }
    if (body.has_share) {
        travel.share = body.share;
        travel.shares = body.has_shares ? body.shares : 0;
        watch_orc_key_share(o, &travel, s->send->to, &s->scene);
    } else {
        watch_orc_key_travels(o, &travel, &s->scene);
    }
}

static void take_new(struct watch_oracle *o, const struct watch_orc_sight *s)
{
    struct wire_take_body body;
    int len = wire_take_body_decode(&body, s->frame.body, s->frame.body_len);
    uint32_t keys = s->frame.length - WIRE_FRAME_TAG_LEN - WIRE_COMPARE_LEN;
    uint8_t hop = len > 0 && body.has_hop ? body.hop : 1;
    bool good = len == (int)s->frame.body_len && body.count > 0 &&
                (uint64_t)(body.key_size / 8) * body.count == keys &&
                (hop > 1 || qkd_eid_eq(body.source, s->send->from));
    if (!watch_orc_check(o, good, "rule 3: TAKE body malformed", &s->scene)) {
        return;
    }
    struct watch_orc_travel travel = {.source = body.source,
                                      .destination = body.destination,
                                      .id = &body.key_id,
                                      .keys = o->scratch,
                                      .compare = o->scratch + keys,
                                      .key_size = body.key_size,
                                      .count = body.count,
                                      .first = true,
                                      .taken = true,
                                      .direct = qkd_eid_eq(body.destination, s->send->to)};
    if (hop == 1) {
        watch_orc_key_travels(o, &travel, &s->scene);
    }
    if (body.has_hop) {
        watch_orc_key_summed(o, &travel, hop, &s->scene);
    }
}

/* ---- new or again ---- */

static void payload_of(const struct wire_frame *frame, struct watch_orc_frame *f)
{
    uint32_t rest = frame->length - WIRE_FRAME_TAG_LEN;
    f->payload = WATCH_ORC_PADS;
    f->payload_bytes = rest;
    struct wire_take_body take;
    bool take_good = frame->type == WIRE_FRAME_TAKE &&
                     wire_take_body_decode(&take, frame->body, frame->body_len) > 0;
    if (take_good && !(take.has_hop && take.hop > 1)) { /* else it is summed: pads */
        f->payload = WATCH_ORC_RELAYED;
        f->payload_bytes = rest - WIRE_COMPARE_LEN;
    } else if (frame->method == WIRE_METHOD_AES) {
        f->payload = WATCH_ORC_FALLBACK;
    }
}

static void frame_new(struct watch_oracle *o, struct watch_orc_sight *s,
                      struct watch_orc_mail *mail)
{
    struct watch_orc_link *link = &o->links[s->frame.link];
    struct watch_orc_side *side = &link->side[s->side];
    if (!watch_orc_check(o, s->observed != NULL, "rule 2: a frame sent again that was never sent",
                         &s->scene)) {
        return;
    }
    bool relay = s->frame.type == WIRE_FRAME_RELAY;
    bool take = s->frame.type == WIRE_FRAME_TAKE;
    bool sampled = (!relay && !take) || o->frames++ % WATCH_ORC_SAMPLE == 0;
    bool read = (sampled || take) && key_read(o, s);
    struct watch_orc_frame *f = ring_place(o, link, side, s->frame.seq);
    if (f == NULL) {
        return;
    }
    *f = (struct watch_orc_frame){.seq = s->frame.seq,
                                  .block = s->frame.block,
                                  .offset = s->frame.offset,
                                  .length = s->frame.length,
                                  .hash = watch_orc_hash(s->bytes, s->len),
                                  .tag = watch_orc_word(s->frame.tag)};
    payload_of(&s->frame, f);
    side->top = s->frame.seq > side->top ? s->frame.seq : side->top;
    bool confirm = s->frame.type == WIRE_FRAME_CONFIRM;
    if (confirm) { /* first what it says: its tag may take pads of the block that it confirms */
        watch_orc_control_new(o, s, mail);
    }
    bool own = confirm && s->side == 0 && mail->detail == 0 && mail->block == s->frame.block;
    f->open = own ? watch_orc_ask(o, &s->frame, &s->scene)
                  : watch_orc_use(o, s->side, &s->frame, &s->scene);
    if (f->open && read && sampled) {
        verify(o, s);
    }
    if (relay && s->frame.method == WIRE_METHOD_AES) {
        watch_orc_aes_new(o, s);
    }
    if (relay) {
        relay_new(o, s);
    } else if (take && read) {
        take_new(o, s);
    } else if (!take && !confirm) {
        watch_orc_control_new(o, s, mail);
    }
}

static void frame_again(struct watch_oracle *o, const struct watch_orc_sight *s,
                        const struct watch_orc_frame *f)
{
    bool same = f->block == s->frame.block && f->offset == s->frame.offset &&
                f->length == s->frame.length && f->hash == watch_orc_hash(s->bytes, s->len);
    (void)watch_orc_check(o, same, "rule 2: pad reuse: a frame sent again is not the same bytes",
                          &s->scene);
}

/* A frame sent again that is forgotten, as an acknowledgement that its sender did not understand
 * once arrived: its range must be used by its sender. First sendings of RELAY come in order. */
static bool frame_old(const struct watch_oracle *o, const struct watch_orc_sight *s)
{
    bool first = s->frame.type == WIRE_FRAME_RELAY && s->observed != NULL;
    if (s->frame.seq > o->links[s->frame.link].side[s->side].top || first) {
        return false;
    }
    uint32_t slot = watch_orc_block_find(o, s->frame.link, s->frame.block);
    if (slot == QKD_SLAB_NONE) {
        return true; /* used up */
    }
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    if (!block->answered && s->side == 0) { /* a question that its block paid */
        return s->frame.offset < block->asks_end;
    }
    const struct watch_orc_segment *g = watch_orc_segment_at(block, s->frame.offset);
    return g != NULL && g->kind == WATCH_ORC_USED && g->side == s->side &&
           s->frame.offset + s->frame.length <= g->end;
}

static void frame_seen(struct watch_oracle *o, struct watch_orc_sight *s)
{
    struct watch_orc_link *link = &o->links[s->frame.link];
    struct watch_orc_side *side = &link->side[s->side];
    epoch_check(o, link, s);
    struct watch_orc_mail mail = {.kind = WATCH_ORC_MAIL_FRAME,
                                  .type = s->frame.type,
                                  .to = s->send->to,
                                  .link = s->frame.link,
                                  .side = (uint8_t)s->side,
                                  .seq = s->frame.seq,
                                  .epoch = s->frame.epoch,
                                  .pad_block = s->frame.block};
    bool good = watch_orc_control_read(&s->frame, &mail);
    if (!watch_orc_check(o, good, "rule 1: CONFIRM, GRANT or SKIP malformed", &s->scene)) {
        return;
    }
    const struct watch_orc_frame *f = side->ring_cap > 0
                                          ? &side->ring[s->frame.seq & (side->ring_cap - 1)]
                                          : NULL;
    if (f != NULL && f->seq == s->frame.seq) {
        frame_again(o, s, f);
    } else if (!frame_old(o, s)) {
        frame_new(o, s, &mail);
    }
    if (s->frame.type != WIRE_FRAME_RELAY && s->record_len >= 8) {
        mail.tail = watch_orc_word(s->record + s->record_len - 8);
        watch_orc_mail_post(o, &mail);
    }
}

void watch_orc_frame_sent(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                          const uint8_t *observed)
{
    bool bare = bytes[0] == WIRE_FRAME_MAGIC;
    struct watch_orc_sight s = {.send = send,
                                .bytes = bare ? bytes : observed,
                                .len = bare ? send->bytes.len : send->observed.len,
                                .observed = observed,
                                .record = bytes,
                                .record_len = send->bytes.len,
                                .scene = {.from = send->from, .to = send->to, .rp = QKD_RP_KX1}};
    if (!watch_orc_check(o, wire_frame_decode(&s.frame, s.bytes, s.len) == 0,
                         "rule 3: frame malformed", &s.scene)) {
        return;
    }
    s.scene.link = s.frame.link;
    s.scene.block = s.frame.block;
    s.scene.start = s.frame.offset;
    s.scene.end = s.frame.offset + s.frame.length;
    s.scene.seq = s.frame.seq;
    s.scene.has_range = true;
    s.side = watch_orc_side_of(o, s.frame.link, send->from);
    bool ends = s.side < 2 && watch_orc_side_of(o, s.frame.link, send->to) == 1U - s.side;
    if (!watch_orc_check(o, ends, "rule 1: frame between KMAs that are not the ends of its link",
                         &s.scene)) {
        return;
    }
    bool agree = bare == (s.frame.type == WIRE_FRAME_RELAY);
    if (agree && bare && observed != NULL) { /* clear fields and tag are those that were observed */
        agree = send->observed.len == s.len && memcmp(observed, bytes, WIRE_FRAME_HEAD_LEN) == 0 &&
                memcmp(observed + s.len - WIRE_FRAME_TAG_LEN, s.frame.tag, WIRE_FRAME_TAG_LEN) == 0;
    }
    if (watch_orc_check(o, agree, "rule 3: frame in the wrong envelope or not as observed",
                        &s.scene)) {
        frame_seen(o, &s);
    }
}

/* ---- delivery ---- */

void watch_orc_relay_delivered(struct watch_oracle *o, const struct watch_oracle_frame *frame)
{
    if (frame->len < WIRE_FRAME_HEAD_LEN + WIRE_FRAME_TAG_LEN) {
        return;
    }
    uint32_t link = wire_get_u32(frame->bytes + 4);
    uint32_t seq = wire_get_u32(frame->bytes + 20);
    uint32_t side = watch_orc_side_of(o, link, frame->from);
    if (side > 1 || watch_orc_side_of(o, link, frame->to) != 1U - side) {
        return;
    }
    struct watch_orc_side *sender = &o->links[link].side[side];
    if (sender->ring_cap == 0 || wire_get_u32(frame->bytes + 24) != sender->epoch) {
        return;
    }
    struct watch_orc_frame *f = &sender->ring[seq & (sender->ring_cap - 1)];
    if (f->seq == seq && f->tag == watch_orc_word(frame->bytes + frame->len - WIRE_FRAME_TAG_LEN)) {
        sender->heard_ns = o->now_ns;
        frame_close(&o->links[link], f);
        watch_orc_block_shown(o, link, side, f->block);
    } else if ((int32_t)(f->seq - seq) > 0) { /* it waited so long that the ring has moved on */
        watch_orc_block_shown(o, link, side, wire_get_u32(frame->bytes + 8));
    }
}

void watch_orc_frame_close(struct watch_oracle *o, uint32_t link, uint32_t side,
                           const struct watch_orc_range *range)
{
    struct watch_orc_side *sender = &o->links[link].side[side];
    for (uint32_t i = 0; i < sender->ring_cap; i++) {
        struct watch_orc_frame *f = &sender->ring[i];
        if (f->open && f->block == range->block && f->offset >= range->start &&
            f->offset + f->length <= range->end) {
            frame_close(&o->links[link], f);
        }
    }
}

void watch_orc_frame_meant(struct watch_oracle *o, const struct watch_orc_mail *mail)
{
    struct watch_orc_link *link = &o->links[mail->link];
    struct watch_orc_side *sender = &link->side[mail->side];
    sender->heard_ns = o->now_ns;
    if (sender->ring_cap > 0 && mail->epoch == sender->epoch) {
        struct watch_orc_frame *f = &sender->ring[mail->seq & (sender->ring_cap - 1)];
        if (f->seq == mail->seq) {
            frame_close(link, f);
        }
        watch_orc_block_shown(o, mail->link, mail->side, mail->pad_block);
    }
    watch_orc_control_meant(o, mail);
}

/* ---- acknowledgements ---- */

void watch_orc_ack_sent(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                        const uint8_t *observed)
{
    struct wire_hop_ack ack;
    if (wire_hop_ack_decode(&ack, observed, send->observed.len) != 0 || send->bytes.len < 8) {
        return;
    }
    uint32_t side = watch_orc_side_of(o, ack.link, send->from);
    if (side > 1) {
        return;
    }
    struct watch_orc_mail mail = {.kind = WATCH_ORC_MAIL_ACK,
                                  .to = send->to,
                                  .tail = watch_orc_word(bytes + send->bytes.len - 8),
                                  .link = ack.link,
                                  .side = (uint8_t)(1U - side),
                                  .seq = ack.next,
                                  .epoch = ack.epoch};
    watch_orc_mail_post(o, &mail);
}

void watch_orc_ack_meant(struct watch_oracle *o, const struct watch_orc_mail *mail)
{
    struct watch_orc_side *side = &o->links[mail->link].side[mail->side];
    if (mail->epoch == side->epoch && mail->seq > side->acked && mail->seq <= side->top + 1) {
        side->acked = mail->seq;
    }
}

/* ---- crash ---- */

void watch_orc_frame_crash(struct watch_oracle *o, uint32_t node)
{
    for (size_t i = 0; i < o->scenario->link_count; i++) {
        for (uint32_t side = 0; side < 2; side++) {
            if (qkd_eid_node(o->links[i].side[side].kma) == node) {
                o->links[i].side[side].restarted = true;
            }
        }
    }
}
