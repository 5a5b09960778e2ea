/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: ownership of key on a link (rule 1): GRANT moves free key to the other end, SKIP says what
 * will never be used, expiry takes old key out. All three under a Wegman-Carter tag. */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <stdlib.h>

#define TRIM_PER_TICK 8
#define TRIM_ABOVE (4 * KM_POOL_RESERVE) /* own bytes below which every tail is kept for tags */
#define GRANTS_OPEN 8                    /* own GRANTs without acknowledgement on a link */
#define MUTE_PERIODS 4                   /* in which an answer that was lost has come again */
#define GRANT_MORE 1024                  /* bytes still wanted that are worth a further GRANT */

/* Bytes of the longest frame of payload of late; 0: none. */
static uint32_t frame_longest(const struct kma_link *link)
{
    const uint32_t *most = link->frame_most;
    return most[0] > most[1] ? most[0] : most[1];
}

void kma_grant_want(const struct kma_step *s, struct kma_link *link, uint64_t bytes, uint8_t level)
{
    struct qkd_time again = qkd_time_add(link->grant_asked, s->kma->config->retransmit);
    if (!link->up || (link->grant_asked.ns != 0 && qkd_time_before(s->event->now, again)) ||
        link->pool.peer_free == 0) {
        return;
    }
    link->grant_asked = s->event->now;
    bytes = kma_share_want(link, bytes, level);
    struct wire_grant_request request = {.head = kma_head(s->kma, QKD_RP_KX1, 0),
                                         .link = link->id,
                                         .wanted = bytes > UINT32_MAX ? UINT32_MAX
                                                                      : (uint32_t)bytes,
                                         .has_piece = frame_longest(link) > 0,
                                         .piece = frame_longest(link),
                                         .has_level = link->share != NULL,
                                         .level = level};
    KMA_SEND(s, grant_request, QKD_RP_KX1, link->peer, &request);
}

static void persist_grant(const struct kma_step *s, const struct kma_link *link,
                          const struct wire_grant_body *grant, bool del)
{
    uint8_t body[64];
    struct qkd_persist entry = {
        .owner = s->kma->self, .del = del, .kind = WIRE_PERSIST_FRAME, .key_len = 12};
    wire_put_u32(entry.key, link->id);
    wire_put_u32(entry.key + 4, grant->block);
    wire_put_u32(entry.key + 8, grant->start);
    if (QKDN_MUTANT(GRANT_UNSAVED)) {
        return;
    }
    if (!del) {
        int len = wire_grant_body_encode(grant, body, sizeof body);
        QKD_ASSERT(len > 0);
        struct wire_p_frame record = {.link = link->id,
                                      .block = grant->block,
                                      .offset = grant->start,
                                      .frame = {body, (size_t)len}};
        entry.value = qkd_out_reserve(s->out, wire_p_frame_size(&record));
        if (entry.value.len == 0) {
            return;
        }
        (void)wire_p_frame_encode(&record, qkd_out_at(s->out, entry.value), entry.value.len);
    }
    qkd_out_put(s->out, &entry);
}

static bool control_send(const struct kma_step *s, struct kma_link *link, uint8_t type,
                         struct wire_bytes body)
{
    struct kma_send send = {.type = type, .body = body.at, .body_len = (uint32_t)body.len};
    struct km_take take;
    return kma_frame_send(s, link, &send, &take) == 0;
}

static bool grant_send(const struct kma_step *s, struct kma_link *link,
                       const struct wire_grant_body *grant)
{
    uint8_t body[64];
    int len = wire_grant_body_encode(grant, body, sizeof body);
    QKD_ASSERT(len > 0);
    return control_send(s, link, WIRE_FRAME_GRANT, (struct wire_bytes){body, (size_t)len});
}

/* Rounded up to whole units. */
static uint64_t units(uint64_t bytes, uint32_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

void kma_grant_request(const struct kma_step *s, struct qkd_eid peer,
                       const struct wire_grant_request *request)
{
    struct kma_link *link = kma_link_of(s->kma, peer);
    if (link == NULL || request->link != link->id || !link->up) {
        return;
    }
    uint64_t mine = kma_share_spare(s, link, request->has_level ? request->level : KM_SHARE_NONE);
    uint32_t unit = s->kma->config->unit_bits / 8;
    uint64_t most = mine / 2 / unit * unit;
    uint32_t asked = request->has_piece ? request->piece : 0;
    asked = asked > KMA_FRAME_MAX ? KMA_FRAME_MAX : asked;
    link->frame_most[0] = asked > link->frame_most[0] ? asked : link->frame_most[0];
    uint64_t piece = units(asked, unit);
    uint64_t wanted = units(request->wanted > piece ? request->wanted : piece, unit);
    uint32_t want = wanted < most ? (uint32_t)wanted : (uint32_t)most;
    if (piece > most) {
        return; /* less than a piece would serve neither end */
    }
    bool is_short = mine < (link->pool.own_free + link->pool.peer_free) / 4; /* would ask itself */
    struct wire_grant_body grant;
    while (
        want > 0 && !is_short && link->grants_open < GRANTS_OPEN &&
        km_pool_grant(&link->pool,
                      &(struct km_grant_ask){.want = want, .piece = (uint32_t)piece, .unit = unit},
                      s->out, &grant)) {
        persist_grant(s, link, &grant, false);
        link->grants_open++;
        if (!grant_send(s, link, &grant)) {
            kma_grant_pend(s, link, &grant);
        }
        kma_link_mark(s, link);
        want -= grant.end - grant.start < want ? grant.end - grant.start : want;
        want = want < GRANT_MORE || want < piece ? 0 : want;
    }
}

void kma_grant_receive(const struct kma_step *s, struct kma_link *link,
                       const struct wire_frame *frame)
{
    struct wire_grant_body grant;
    if (wire_grant_body_decode(&grant, frame->body, frame->body_len) != (int)frame->body_len) {
        return;
    }
    kma_file_implied(s, link, grant.block);
    struct km_range gone;
    if (!km_pool_granted(&link->pool, &grant, s->out, &gone)) {
        return; /* known already, or used, or given back since: GRANTs are sent again */
    }
    if (gone.start < gone.end) {
        link->n.discarded += 8 * (uint64_t)(gone.end - gone.start);
        kma_skip_send(s, link, grant.block, &gone, WIRE_REASON_GONE);
    }
    /* What comes back answers what we once gave: our own record of it is done. */
    persist_grant(s, link, &grant, true);
    kma_skip_resend(s, link);
    kma_link_mark(s, link);
    kma_hold_retry(s, link);
}

void kma_grant_acked(const struct kma_step *s, struct kma_link *link,
                     const struct wire_grant_body *grant)
{
    link->grants_open -= link->grants_open > 0;
    if (!km_pool_regranted(&link->pool, grant)) {
        persist_grant(s, link, grant, true);
    }
}

void kma_grant_pend(const struct kma_step *s, struct kma_link *link,
                    const struct wire_grant_body *grant)
{
    struct kma *kma = s->kma;
    link->grants_open -= link->grants_open > 0;
    if (QKDN_MUTANT(GRANT_FORGOT)) {
        return;
    }
    if (kma->grant_count == kma->grant_cap) {
        uint32_t cap = kma->grant_cap == 0 ? 4 : kma->grant_cap * 2;
        struct kma_grant_record *grants = realloc(kma->grants, cap * sizeof *grants);
        if (grants == NULL) {
            return; /* the record is persisted: sent again after the next restart */
        }
        kma->grants = grants;
        kma->grant_cap = cap;
    }
    kma->grants[kma->grant_count++] = (struct kma_grant_record){link->id, *grant};
}

void kma_grant_resend(const struct kma_step *s, struct kma_link *link)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->grant_count;) {
        struct kma_grant_record g = kma->grants[i];
        if (g.link != link->id) {
            i++;
            continue;
        }
        if (!km_pool_grant_stands(&link->pool, &g.grant)) {
            /* It arrived, the acknowledgement did not: the peer used of it or gave it back, and then
             * it may be in use here, or given again. */
            if (!km_pool_regranted(&link->pool, &g.grant)) {
                persist_grant(s, link, &g.grant, true);
            }
            kma->grants[i] = kma->grants[--kma->grant_count];
            continue;
        }
        if (!grant_send(s, link, &g.grant)) {
            return; /* no tags now: the tick tries again */
        }
        link->grants_open++;
        kma->grants[i] = kma->grants[--kma->grant_count];
    }
}

/* ---- SKIP ---- */

/* False: it could not be paid, or too much is in flight. */
static bool skip_try(const struct kma_step *s, struct kma_link *link,
                     const struct wire_skip_body *skip)
{
    uint8_t body[64];
    int len = wire_skip_body_encode(skip, body, sizeof body);
    QKD_ASSERT(len > 0);
    return control_send(s, link, WIRE_FRAME_SKIP, (struct wire_bytes){body, (size_t)len});
}

void kma_skip_send(const struct kma_step *s, struct kma_link *link, uint32_t block,
                   const struct km_range *range, uint8_t reason)
{
    struct wire_skip_body skip = {
        .block = block, .start = range->start, .end = range->end, .reason = reason};
    if (!skip_try(s, link, &skip)) {
        kma_skip_pend(s, link, &skip);
    }
}

void kma_skip_pend(const struct kma_step *s, const struct kma_link *link,
                   const struct wire_skip_body *skip)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->skip_count; i++) {
        struct kma_skip_record *r = &kma->skips[i];
        if (r->link == link->id && r->block == skip->block && skip->start <= r->end &&
            r->start <= skip->end) {
            r->start = skip->start < r->start ? skip->start : r->start;
            r->end = skip->end > r->end ? skip->end : r->end;
            return;
        }
    }
    if (kma->skip_count == kma->skip_cap) {
        uint32_t cap = kma->skip_cap == 0 ? 4 : kma->skip_cap * 2;
        struct kma_skip_record *skips = realloc(kma->skips, cap * sizeof *skips);
        if (skips == NULL) {
            return; /* the gap closes when the adjacency is next made */
        }
        kma->skips = skips;
        kma->skip_cap = cap;
    }
    kma->skips[kma->skip_count++] = (struct kma_skip_record){.link = link->id,
                                                             .block = skip->block,
                                                             .start = skip->start,
                                                             .end = skip->end,
                                                             .reason = skip->reason};
}

void kma_skip_resend(const struct kma_step *s, struct kma_link *link)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->skip_count;) {
        struct kma_skip_record r = kma->skips[i];
        struct wire_skip_body skip = {
            .block = r.block, .start = r.start, .end = r.end, .reason = r.reason};
        if (r.link != link->id) {
            i++;
            continue;
        }
        if (!skip_try(s, link, &skip)) {
            return; /* no tags now: the tick tries again */
        }
        kma->skips[i] = kma->skips[--kma->skip_count];
    }
}

void kma_skip_forget(const struct kma_step *s, const struct kma_link *link)
{
    struct kma *kma = s->kma;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < kma->skip_count; i++) {
        if (kma->skips[i].link != link->id) {
            kma->skips[kept++] = kma->skips[i];
        }
    }
    kma->skip_count = kept;
}

bool kma_skip_fits(const struct kma_link *link, const struct wire_frame *frame)
{
    struct wire_skip_body skip;
    return wire_skip_body_decode(&skip, frame->body, frame->body_len) < 0 ||
           km_pool_rx_skip_fits(&link->pool, skip.block, &(struct km_range){skip.start, skip.end});
}

void kma_skip_receive(const struct kma_step *s, struct kma_link *link,
                      const struct wire_frame *frame)
{
    struct wire_skip_body skip;
    if (wire_skip_body_decode(&skip, frame->body, frame->body_len) != (int)frame->body_len ||
        skip.start > skip.end) {
        return;
    }
    kma_file_implied(s, link, skip.block);
    km_pool_rx_skip(&link->pool, skip.block, &(struct km_range){skip.start, skip.end}, s->out);
    kma_file_room(s, link);
}

/* How long a file waits for its match. The lower KMA asked for it and must not drop it while an answer
 * can come: the other end answers no question older than `expiry`, and repeats an answer for so long.
 * One that has paid for as many questions as it may, where no tag is left for another and no other file has
 * room, makes room: an answer would have come again with each status period. */
static struct qkd_span patience(const struct kma_step *s, const struct kma_link *link,
                                const struct km_block *b)
{
    const struct km_config *config = s->kma->config;
    bool mute = b->asked[1] + WIRE_FRAME_TAG_LEN > KM_POOL_ASKS * WIRE_FRAME_TAG_LEN &&
                km_pool_tag_bytes(&link->pool) < WIRE_FRAME_TAG_LEN;
    if (mute && kma_store_full(link)) {
        return qkd_span_ns(MUTE_PERIODS * config->status_period.ns);
    }
    int64_t repeating_ns = 16 * ((int64_t)config->retries + 1) * config->retransmit.ns;
    return qkd_span_ns(config->expiry.ns + (link->lower ? repeating_ns : 0));
}

/* Files whose match never came: the other end lost it, or it was never sent. */
static void expire_waiting(const struct kma_step *s, struct kma_link *link)
{
    for (uint32_t i = 0; i < link->pool.waiting_count;) {
        uint32_t slot = link->pool.waiting[i];
        const struct km_block *b = km_pool_block(&link->pool, slot);
        if (qkd_time_before(s->event->now, qkd_time_add(b->since, patience(s, link, b)))) {
            i++;
            continue;
        }
        kma_file_drop(s, link, slot, WIRE_REASON_EXPIRED);
    }
}

/* Gives a chunk up as far as the reserve allows: without tags no fresh key could be confirmed and
 * the link would never come back. False: nothing was given up. */
static bool expire_chunk(const struct kma_step *s, struct kma_link *link, const struct km_chunk *c,
                         const struct qkd_id *id)
{
    uint64_t keep = KM_POOL_RESERVE + WIRE_FRAME_TAG_LEN; /* the SKIP takes a tag too */
    uint64_t have = km_pool_tag_bytes(&link->pool);
    uint64_t spare = have > keep ? have - keep : 0;
    uint32_t upto = c->end - c->next > spare ? c->next + (uint32_t)spare : c->end;
    uint32_t number = c->block;
    struct km_range gone;
    if (!km_pool_forget(&link->pool, number, c->start, upto, s->out, &gone)) {
        return false;
    }
    link->n.expired += 8 * (uint64_t)(gone.end - gone.start);
    kma_life(s, &(struct kma_life){.action = WIRE_ACTION_EXPIRY,
                                   .key_class = WIRE_CLASS_QKD,
                                   .id = *id,
                                   .length_bits = 8 * (gone.end - gone.start),
                                   .reason = WIRE_REASON_EXPIRED,
                                   .link = link});
    if (!QKDN_MUTANT(EXPIRE_SILENT)) {
        kma_skip_send(s, link, number, &gone, WIRE_REASON_EXPIRED);
    }
    return true;
}

static uint32_t file_of(const struct kma_link *link)
{
    return link->file_bytes > link->paused_bytes ? link->file_bytes : link->paused_bytes;
}

bool kma_store_full(const struct kma_link *link)
{
    uint32_t file = file_of(link);
    return file > 0 && km_pool_stored(&link->pool) + file > link->store_bytes;
}

/* Bytes of a file for which there is no room: no key comes any more. 0: there is room. */
static uint32_t room_lacks(const struct kma_link *link)
{
    return kma_store_full(link) ? file_of(link) : 0;
}

/* Tails shorter than this are of no use. Where no key comes any more because the store is full, pieces
 * shorter than the frames of today make room for fresh key, which is lost otherwise: else a store
 * could be full of what serves nobody. */
static uint32_t tail_least(const struct kma_step *s, const struct kma_link *link)
{
    uint32_t key = (uint32_t)(wire_take_cost_bits(s->kma->config->unit_bits, 1, 1) / 8);
    uint32_t frame = frame_longest(link);
    return room_lacks(link) > 0 && frame > key && !QKDN_MUTANT(TAILS_KEPT) ? frame : key;
}

/* A frame's pad lies within one chunk, so chunks end in tails too short for a frame. Some serve tags;
 * the oldest of the others go, lest they hold blocks, slow allocation down and look like key. */
void kma_trim(const struct kma_step *s, struct kma_link *link)
{
    for (uint32_t i = 0, trimmed = 0; i < link->pool.own_count && trimmed < TRIM_PER_TICK; i++) {
        const struct km_chunk *c = km_pool_own(&link->pool, i);
        uint32_t tail = c->end - c->next;
        if (c->block == 0 || tail >= tail_least(s, link) ||
            link->pool.own_free < TRIM_ABOVE + tail || tail == WIRE_FRAME_TAG_LEN ||
            km_pool_tag_bytes(&link->pool) < KM_POOL_RESERVE + 2 * WIRE_FRAME_TAG_LEN) {
            continue; /* a tail of one tag would cost a tag to skip: it serves one instead */
        }
        uint32_t number = c->block;
        struct km_range gone;
        if (km_pool_forget(&link->pool, number, c->start, c->end, s->out, &gone)) {
            link->n.discarded += 8 * (uint64_t)(gone.end - gone.start);
            kma_skip_send(s, link, number, &gone, WIRE_REASON_NONE);
            trimmed++;
            i -= i < 2 ? i + 1 : 2; /* it is gone, and its SKIP's tag may have emptied another */
        }
    }
}

/* A full store stops its source, so that all its key comes to be of one age, and would expire at once. So
 * where there is no room, the oldest key makes some in the second half of its life, for one file in a
 * status period. Nothing is lost by that: what comes instead would not have come. */
static void renew(const struct kma_step *s, struct kma_link *link)
{
    struct qkd_span half = qkd_span_ns(s->kma->config->expiry.ns / 2);
    /* The own half of a block of that length; tags took some of it, and another one must not go for that. */
    uint64_t share = QKDN_MUTANT(AGE_AT_ONCE) ? 0 : (uint64_t)room_lacks(link) * 3 / 8;
    uint64_t before = link->pool.own_free;
    for (uint32_t i = 0; i < link->pool.count && before - link->pool.own_free < share; i++) {
        const struct km_chunk *c = km_pool_chunk(&link->pool, i);
        const struct km_block *b = km_pool_block(&link->pool, c->block_slot);
        if (c->block == 0 || !c->mine) {
            continue;
        }
        if (qkd_time_before(s->event->now, qkd_time_add(b->since, half))) {
            return;
        }
        struct qkd_id id = b->id;
        if (expire_chunk(s, link, c, &id)) {
            i -= i < 2 ? i + 1 : 2; /* as below */
        }
    }
}

/* The owner's share of every block older than `expiry`, block 0 and the reserve excepted. */
void kma_expire(const struct kma_step *s, struct kma_link *link)
{
    struct qkd_span age = s->kma->config->expiry;
    expire_waiting(s, link);
    for (uint32_t i = 0; i < link->pool.count; i++) {
        const struct km_chunk *c = km_pool_chunk(&link->pool, i);
        const struct km_block *b = km_pool_block(&link->pool, c->block_slot);
        if (c->block == 0) {
            continue;
        }
        if (qkd_time_before(s->event->now, qkd_time_add(b->since, age))) {
            break; /* blocks are in order of age, but for those just granted or recovered */
        }
        struct qkd_id id = b->id;
        if (c->mine && expire_chunk(s, link, c, &id)) {
            i -= i < 2 ? i + 1 : 2; /* it is gone, and its SKIP's tag may have emptied another */
        }
    }
    renew(s, link);
}
