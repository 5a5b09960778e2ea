/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA as source of a relay: a need of the KSA is served piece by piece, each piece the keys of one
 * frame. How a piece travels is kma_piece.c (docs/protocol.md, "A key request"). */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <string.h>

static struct kma_need *need_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->needs, slot);
}

static struct kma_piece *piece_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->pieces, slot);
}

static struct kma_flow *flow_of(struct kma *kma, const struct kma_need *need)
{
    return qkd_slab_at(&kma->flows, need->flow);
}

/* ---- the list of needs that still lack keys ---- */

static void waiting_append(struct kma *kma, struct kma_flow *flow, uint32_t slot)
{
    struct kma_need *need = need_at(kma, slot);
    need->waits = true;
    need->prev = flow->last_need;
    need->next = QKD_SLAB_NONE;
    if (flow->last_need == QKD_SLAB_NONE) {
        flow->needs = slot;
    } else {
        need_at(kma, flow->last_need)->next = slot;
    }
    flow->last_need = slot;
}

static void waiting_remove(struct kma *kma, struct kma_flow *flow, uint32_t slot)
{
    struct kma_need *need = need_at(kma, slot);
    if (!need->waits) {
        return;
    }
    need->waits = false;
    if (need->prev == QKD_SLAB_NONE) {
        flow->needs = need->next;
    } else {
        need_at(kma, need->prev)->next = need->next;
    }
    if (need->next == QKD_SLAB_NONE) {
        flow->last_need = need->prev;
    } else {
        need_at(kma, need->next)->prev = need->prev;
    }
}

/* ---- pieces ---- */

static void life_piece(const struct kma_step *s, const struct kma_piece *piece,
                       const struct kma_need *need, uint8_t action, uint8_t reason)
{
    bool first = action == WIRE_ACTION_GENERATION; /* later records add only what is new */
    kma_life(s, &(struct kma_life){.action = action,
                                   .key_class = WIRE_CLASS_KMA,
                                   .id = piece->key_id,
                                   .length_bits = first ? need->key_size * piece->count : 0,
                                   .source = first ? s->kma->self : QKD_NOBODY,
                                   .destination = first ? need->destination : QKD_NOBODY,
                                   .method = !first         ? 0
                                             : piece->taken ? WIRE_METHOD_POOL
                                                            : WIRE_METHOD_OTP,
                                   .reason = reason});
}

static void piece_give(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_piece *piece = piece_at(kma, slot);
    need_at(kma, piece->need)->pieces--;
    qkd_timers_cancel(&kma->timers, &piece->timer);
    km_secbuf_give(&kma->bufs, &piece->buf);
    for (uint32_t i = 0; i + 1 < WIRE_PATHS_MAX; i++) {
        km_secbuf_give(&kma->bufs, &piece->share[i]);
    }
    (void)qkd_map_del(&kma->piece_map, &piece->key_id);
    qkd_slab_give(&kma->pieces, slot);
}

static void piece_arm(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_piece *piece = piece_at(kma, slot);
    const struct kma_flow *flow = flow_of(kma, need_at(kma, piece->need));
    int64_t wait = 2 * kma->config->retransmit.ns * (int64_t)kma_flow_longest(flow);
    qkd_timers_cancel(&kma->timers, &piece->timer);
    piece->timer = qkd_timers_set(&kma->timers, kma_after(s, qkd_span_ns(wait)),
                                  kma_tag(KMA_TIMER_PIECE, slot));
}

bool kma_flow_takes(const struct kma_flow *flow)
{
    bool of_link = flow->relay == WIRE_RELAY_FIRST_KEY || flow->relay == WIRE_RELAY_DESTINATION;
    return !flow->drawn && (flow->direct || (of_link && !QKDN_MUTANT(SCHEME_IGNORED)));
}

/* A new piece of `count` keys; QKD_SLAB_NONE at a limit. */
static uint32_t piece_make(const struct kma_step *s, uint32_t need_slot, uint16_t count)
{
    struct kma *kma = s->kma;
    struct kma_need *need = need_at(kma, need_slot);
    struct kma_flow *flow = flow_of(kma, need);
    size_t len = (size_t)need->key_size / 8 * count + WIRE_COMPARE_LEN;
    uint32_t slot = qkd_slab_take(&kma->pieces);
    uint32_t buf = slot == QKD_SLAB_NONE ? KM_SECBUF_NONE : km_secbuf_take(&kma->bufs, len);
    if (buf == KM_SECBUF_NONE) {
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->pieces, slot);
        }
        return QKD_SLAB_NONE;
    }
    struct kma_piece *piece = piece_at(kma, slot);
    *piece = (struct kma_piece){.need = need_slot,
                                .count = count,
                                .attempt = 1,
                                .direct = flow->direct,
                                .taken = kma_flow_takes(flow) && !need->over_share,
                                .poor = need->over_share,
                                .buf = buf,
                                .paths = flow->direct ? 1 : flow->paths,
                                .session = flow->session,
                                .generation = flow->generation,
                                .drawn = s->event->now,
                                .drawn_wall = s->event->wall,
                                .timer = QKD_TIMER_NONE};
    for (uint32_t i = 0; i + 1 < WIRE_PATHS_MAX; i++) {
        piece->share[i] = KM_SECBUF_NONE;
    }
    kma_flow_key_id(flow, &piece->key_id);
    if (qkd_map_put(&kma->piece_map, &piece->key_id, slot) != 0) {
        km_secbuf_give(&kma->bufs, &buf);
        qkd_slab_give(&kma->pieces, slot);
        return QKD_SLAB_NONE;
    }
    need->pieces++;
    return slot;
}

static uint8_t reason_of(int err)
{
    return err == QKD_ERR_INSUFFICIENT ? WIRE_REASON_INSUFFICIENT_KEY
           : err == QKD_ERR_STATE      ? WIRE_REASON_UNREACHABLE
                                       : WIRE_REASON_OVERLOAD;
}

static void piece_draw(const struct kma_step *s, struct kma_piece *piece,
                       const struct kma_need *need)
{
    struct kma *kma = s->kma;
    size_t keys_len = (size_t)need->key_size / 8 * piece->count;
    uint8_t *bytes = km_secbuf_at(&kma->bufs, piece->buf);
    if (need->group != QKD_SLAB_NONE) {
        kma_group_copy(kma, need, piece, bytes);
        qkd_rng_bytes(&kma->rng, bytes + keys_len, WIRE_COMPARE_LEN);
    } else {
        qkd_rng_bytes(&kma->rng, bytes, keys_len + WIRE_COMPARE_LEN);
    }
    if (QKDN_MUTANT(COMPARE_AGAIN)) {
        memset(bytes + keys_len, 7, WIRE_COMPARE_LEN);
    }
}

/* Sends a new piece. A first link that has no key to give may still carry a drawn one under AES-256. */
static int piece_first(const struct kma_step *s, uint32_t slot, const struct kma_need *need)
{
    struct kma_piece *piece = piece_at(s->kma, slot);
    int err = kma_piece_split(s, slot);
    err = err == 0 ? kma_piece_send(s, slot) : err;
    bool may_draw = piece->taken && !piece->direct && kma_fall(s, need->level) != 0 &&
                    flow_of(s->kma, need)->relay == WIRE_RELAY_FIRST_KEY;
    if (err == QKD_ERR_INSUFFICIENT && may_draw) {
        piece->taken = false;
        piece_draw(s, piece, need);
        err = kma_piece_send(s, slot);
    }
    return err;
}

static int piece_launch(const struct kma_step *s, uint32_t need_slot, uint16_t count,
                        uint32_t place)
{
    struct kma *kma = s->kma;
    uint32_t slot = piece_make(s, need_slot, count);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    struct kma_piece *piece = piece_at(kma, slot);
    piece->place = (uint8_t)place;
    struct kma_need *need = need_at(kma, need_slot);
    if (!piece->taken) {
        piece_draw(s, piece, need);
    }
    int err = piece_first(s, slot, need);
    if (err != 0) {
        if (piece->sent > 0) { /* some shares are on their way: the key is lost, and that is said */
            life_piece(s, piece, need, WIRE_ACTION_GENERATION, 0);
            life_piece(s, piece, need, WIRE_ACTION_DISCARD, reason_of(err));
        }
        piece_give(s, slot);
        return err;
    }
    kma_report(s, (struct qkd_report){
                      .code = QKD_REPORT_PIECE, .id = piece->key_id, .a = need->message_id});
    life_piece(s, piece, need, WIRE_ACTION_GENERATION, 0);
    if (need->group != QKD_SLAB_NONE) {
        kma_group_place(need, piece, true);
    }
    piece_arm(s, slot);
    return 0;
}

/* ---- needs ---- */

void kma_need_give(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_need *need = need_at(kma, slot);
    if (need->is_ahead) {
        kma_ahead_over(s, need->destination);
    }
    waiting_remove(kma, flow_of(kma, need), slot);
    for (uint32_t i = 0; need->pieces > 0 && i < kma->pieces.top; i++) {
        if (qkd_slab_live(&kma->pieces, i) && piece_at(kma, i)->need == slot) {
            life_piece(s, piece_at(kma, i), need, WIRE_ACTION_DISCARD, WIRE_REASON_TIMEOUT);
            piece_give(s, i);
        }
    }
    qkd_timers_cancel(&kma->timers, &need->timer);
    if (need->group == QKD_SLAB_NONE) {
        (void)qkd_map_del(&kma->need_map, &need->message_id);
    } else {
        kma_group_leave(s, need->group, slot);
    }
    qkd_slab_give(&kma->needs, slot);
}

void kma_need_fail(const struct kma_step *s, uint32_t slot, uint8_t reason)
{
    struct kma_need *need = need_at(s->kma, slot);
    bool is_short = reason == WIRE_REASON_INSUFFICIENT_KEY || reason == WIRE_REASON_NO_ROUTE;
    reason = is_short && need->over_share ? WIRE_REASON_OVER_SHARE : reason;
    struct wire_kmi_supply supply = {.head = kma_head(s->kma, QKD_RP_KMI, need->message_id),
                                     .code = WIRE_INSUFFICIENT,
                                     .reason = reason,
                                     .has_last = true,
                                     .last = 1,
                                     .has_rerouted = true,
                                     .rerouted = need->rerouted};
    if (!need->is_ahead) {
        kma_supply_send(s, &supply);
    }
    if (need->group != QKD_SLAB_NONE) { /* all or nothing */
        kma_group_end(s, need->group);
    } else {
        kma_need_give(s, slot);
    }
}

void kma_need_fail_all(const struct kma_step *s, uint32_t flow_slot, uint8_t reason)
{
    struct kma_flow *flow = qkd_slab_at(&s->kma->flows, flow_slot);
    uint32_t slot = flow->needs;
    while (slot != QKD_SLAB_NONE) {
        struct kma_need *need = need_at(s->kma, slot);
        uint32_t next = need->next;
        bool later = need->wait &&
                     (reason == WIRE_REASON_INSUFFICIENT_KEY || reason == WIRE_REASON_NO_ROUTE);
        if (!later) { /* a patient one is tried again by the tick until its time is over */
            kma_need_fail(s, slot, reason);
        }
        slot = next;
    }
}

uint32_t kma_need_add(const struct kma_step *s, const struct kma_need *what, uint32_t flow)
{
    struct kma *kma = s->kma;
    uint32_t slot = qkd_slab_take(&kma->needs);
    bool is_alone = what->group == QKD_SLAB_NONE; /* else its group is known by that */
    if (slot == QKD_SLAB_NONE ||
        (is_alone && qkd_map_put(&kma->need_map, &what->message_id, slot) != 0)) {
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&kma->needs, slot);
        }
        return QKD_SLAB_NONE;
    }
    struct kma_need *need = need_at(kma, slot);
    *need = *what;
    need->flow = flow;
    need->timer = qkd_timers_set(&kma->timers, need->deadline, kma_tag(KMA_TIMER_NEED, slot));
    waiting_append(kma, qkd_slab_at(&kma->flows, flow), slot);
    return slot;
}

static bool need_valid(const struct wire_kmi_need *need)
{
    return need->count > 0 && need->count <= KSA_KEYS_PER_REQUEST && need->key_size > 0 &&
           need->key_size % 8 == 0 && need->key_size / 8 <= WIRE_FRAME_KEY_BYTES &&
           (!need->has_relay || need->relay < WIRE_RELAY_COUNT) &&
           (!need->has_relay || need->relay != WIRE_RELAY_MULTIPATH ||
            (need->has_paths && need->paths >= 2 && need->paths <= WIRE_PATHS_MAX));
}

void kma_need_receive(const struct kma_step *s, const struct wire_kmi_need *need)
{
    struct kma *kma = s->kma;
    struct wire_kmi_supply refused = {.head = kma_head(kma, QKD_RP_KMI, need->head.message_id),
                                      .code = WIRE_INSUFFICIENT,
                                      .reason = WIRE_REASON_OVERLOAD,
                                      .has_last = true,
                                      .last = 1};
    if (qkd_map_get(&kma->need_map, &need->head.message_id) != QKD_MAP_NONE ||
        qkd_map_get(&kma->group_map, &need->head.message_id) != QKD_MAP_NONE) {
        return; /* repeated: under way (GM-04) */
    }
    if (!need_valid(need)) {
        refused.reason = WIRE_REASON_BAD_REQUEST;
        kma_supply_send(s, &refused);
        return;
    }
    struct kma_need n = {.message_id = need->head.message_id,
                         .key_size = need->key_size,
                         .count = need->count,
                         .level = need->level,
                         .class_number = need->has_class_number ? need->class_number : 0,
                         .is_guaranteed = need->has_guaranteed && need->guaranteed != 0,
                         .wait = need->wait != 0,
                         .destination = need->destination_id,
                         .source_app = need->source_app,
                         .target_app = need->target_app,
                         .deadline = kma_after(s, qkd_span_ms((int64_t)need->timeout_ms)),
                         .group = QKD_SLAB_NONE,
                         .next = QKD_SLAB_NONE};
    if (need->has_more_targets && need->more_targets.len > 0) {
        refused.reason = kma_group_receive(s, need, &n);
        if (refused.reason != WIRE_REASON_NONE) {
            kma_supply_send(s, &refused);
        }
        return;
    }
    uint32_t flow = kma_flow_get(s, need);
    uint32_t slot = flow == QKD_SLAB_NONE ? flow : kma_need_add(s, &n, flow);
    if (slot == QKD_SLAB_NONE) {
        kma_supply_send(s, &refused);
    } else if (!kma_ahead_serve(s, slot)) {
        kma_flow_go(s, flow);
    }
}

bool kma_need_begin(const struct kma_step *s, const struct kma_need *need)
{
    struct wire_kmi_need like = {.source_app = need->source_app,
                                 .target_app = need->target_app,
                                 .destination_id = need->destination};
    uint32_t flow = kma_flow_get(s, &like);
    bool good = flow != QKD_SLAB_NONE && kma_need_add(s, need, flow) != QKD_SLAB_NONE;
    if (good) {
        kma_flow_go(s, flow);
    }
    return good;
}

void kma_need_drop(const struct kma_step *s, uint64_t message_id)
{
    uint32_t slot = qkd_map_get(&s->kma->need_map, &message_id);
    uint32_t group = qkd_map_get(&s->kma->group_map, &message_id);
    if (slot != QKD_MAP_NONE) {
        kma_need_give(s, slot);
    } else if (group != QKD_MAP_NONE) {
        kma_group_end(s, group);
    }
}

void kma_need_timeout(const struct kma_step *s, uint32_t slot)
{
    struct kma_need *need = need_at(s->kma, slot);
    uint32_t flow = need->flow;
    need->timer = QKD_TIMER_NONE;
    kma_need_fail(s, slot, WIRE_REASON_TIMEOUT);
    kma_flow_overdue(s, flow);
}

/* The hop of the flow's route that begins at this KMA is the one that failed. */
static void hop_blame(struct kma_flow *flow, struct qkd_eid at)
{
    for (uint32_t i = 0; i + 1 < flow->all_len; i++) {
        bool is_way = !qkd_eid_eq(flow->route[i], flow->destination);
        if (is_way && qkd_eid_eq(flow->route[i], at) && !QKDN_MUTANT(HOP_AGAIN)) {
            flow->failed_from = at;
            flow->failed_to = flow->route[i + 1];
        }
    }
}

/* A need could not be launched, or not relayed at KMA `at`: wait for a GRANT once, ask another route
 * once, then refuse. */
static void need_stuck(const struct kma_step *s, uint32_t slot, int err, struct qkd_eid at)
{
    struct kma *kma = s->kma;
    struct kma_need *need = need_at(kma, slot);
    struct kma_flow *flow = flow_of(kma, need);
    struct kma_link *first = kma_link_of(kma, flow->route[1]);
    uint8_t reason = reason_of(err);
    bool is_taken = kma_flow_takes(flow); /* a RELAY is held */
    uint8_t level = kma_share_level(kma->config, need->class_number, need->is_guaranteed);
    bool may_ask = !need->over_share || /* else both ends would ask each other by turns */
                   (first != NULL &&
                    km_pool_peer_payload(&first->pool) > 2 * kma_share_spare(s, first, level));
    if (err == QKD_ERR_INSUFFICIENT && !need->graced && first != NULL && is_taken && may_ask &&
        km_pool_peer_payload(&first->pool) / 2 >= wire_take_cost_bits(need->key_size, 1, 1) / 8) {
        need->graced = true;
        for (uint32_t i = need->next; need->over_share && i != QKD_SLAB_NONE;) {
            need_at(kma, i)->graced = true; /* one wait is for all that are here */
            i = need_at(kma, i)->next;
        }
        kma_grant_want(s, first, km_pool_peer_payload(&first->pool) / 2, level);
        kma_flow_wait(s, need->flow);
        return;
    }
    if (!need->retried && reason != WIRE_REASON_OVERLOAD) {
        need->rerouted = need->retried = true;
        hop_blame(flow, at);
        kma_flow_reroute(s, need->flow);
        return;
    }
    if (!need->wait) {
        kma_need_fail(s, slot, reason);
    }
}

uint32_t kma_need_batch(const struct kma *kma, const struct kma_need *need)
{
    uint32_t batch = need->is_ahead ? kma_ahead_batch(kma, need->key_size) : kma->config->batch;
    return need->most > 0 && need->most < batch ? need->most : batch;
}

/* A frame's pad lies within one chunk: where none is long enough, a frame of half the keys may do. */
static void need_halve(struct kma_need *need, uint32_t count)
{
    need->most = (count + 1) / 2;
}

/* Whether the first hop has the key that a frame has just lacked, in pieces. */
static bool in_pieces(const struct kma_step *s, const struct kma_need *need)
{
    const struct kma_link *first = kma_link_of(s->kma, flow_of(s->kma, need)->route[1]);
    return first != NULL && km_pool_payload_free(&first->pool) >= first->missing;
}

/* Whether it may go under AES-256 where it has no share of pads. */
static bool may_go_poor(const struct kma_step *s, const struct kma_need *need)
{
    const struct kma_flow *flow = flow_of(s->kma, need);
    uint8_t fall = kma_fall(s, need->level);
    return !flow->direct && flow->relay != WIRE_RELAY_DESTINATION &&
           ((fall & WIRE_FALL_FIRST) != 0 || (fall != 0 && need->retried));
}

/* Launches what is left of a need: 0 or a negative error. */
static int need_launch(const struct kma_step *s, uint32_t slot)
{
    struct kma *kma = s->kma;
    struct kma_need *need = need_at(kma, slot);
    int err = 0;
    while (err == 0 && need->launched < need->count) {
        uint32_t most = wire_keys_per_frame(need->key_size, kma_need_batch(kma, need));
        uint32_t left = need->count - need->launched;
        uint16_t count = (uint16_t)(left < most ? left : most);
        bool is_alone = need->group == QKD_SLAB_NONE;
        uint32_t place = is_alone ? 0 : kma_group_gap(need, &count);
        need->over_share = need->is_barred || !kma_share_take(s, need, count);
        bool is_barred = need->over_share && !may_go_poor(s, need);
        err = is_barred ? QKD_ERR_INSUFFICIENT : piece_launch(s, slot, count, place);
        if (err != 0 && !need->over_share) {
            kma_share_give(s, need, count);
        } else if (is_barred) {
            break;
        }
        need->launched += err == 0 ? count : 0;
        if (err == QKD_ERR_INSUFFICIENT && count > 1 && in_pieces(s, need)) {
            need_halve(need, count);
            err = 0;
        }
    }
    return err;
}

void kma_need_run(const struct kma_step *s, uint32_t flow_slot)
{
    struct kma *kma = s->kma;
    struct kma_flow *flow = qkd_slab_at(&kma->flows, flow_slot);
    while (flow->needs != QKD_SLAB_NONE) {
        uint32_t slot = flow->needs;
        int err = need_launch(s, slot);
        if (err == 0) {
            waiting_remove(kma, flow, slot);
            continue;
        }
        need_stuck(s, slot, err, kma->self);
        if (flow->needs == slot || flow->state != KMA_FLOW_READY) {
            return; /* it waits, and those behind it; refused, it makes way for the next */
        }
    }
}

void kma_source_tick(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->flows.top; i++) {
        if (qkd_slab_live(&kma->flows, i)) {
            kma_flow_go(s, i);
        }
    }
}

/* Patient needs are tried again as if they had just come: another route may have key now. */
void kma_source_again(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; kma->needs.live > 0 && i < kma->needs.top; i++) {
        struct kma_need *need = qkd_slab_live(&kma->needs, i) ? need_at(kma, i) : NULL;
        if (need != NULL && need->wait) {
            need->retried = need->is_barred = false;
        }
    }
    kma_source_tick(s);
}

/* ---- how a piece went ---- */

/* The piece is to be launched again from scratch. */
static void piece_again(const struct kma_step *s, uint32_t slot, uint8_t reason)
{
    struct kma *kma = s->kma;
    struct kma_piece *piece = piece_at(kma, slot);
    uint32_t need_slot = piece->need;
    struct kma_need *need = need_at(kma, need_slot);
    struct kma_flow *flow = flow_of(kma, need);
    need->launched -= piece->count;
    if (need->group != QKD_SLAB_NONE) {
        kma_group_place(need, piece, false);
        kma_group_lost(s, need);
    }
    life_piece(s, piece, need, WIRE_ACTION_DISCARD, reason);
    piece_give(s, slot);
    if (!need->waits) {
        waiting_append(kma, flow, need_slot);
    }
}

/* Relays the same keys under fresh pads (attempt + 1), or starts anew when that cannot be; at most
 * `most` times. */
static void piece_retry(const struct kma_step *s, uint32_t slot, bool anew, uint32_t most)
{
    struct kma *kma = s->kma;
    struct kma_piece *piece = piece_at(kma, slot);
    uint32_t need_slot = piece->need;
    uint32_t flow_slot = need_at(kma, need_slot)->flow;
    const struct kma_flow *flow = flow_of(kma, need_at(kma, need_slot));
    struct qkd_time end = qkd_time_add(piece->drawn, kma->config->timer);
    if (piece->attempt > most) {
        kma_need_fail(s, need_slot, WIRE_REASON_RELAY_FAILED);
        return;
    }
    if (!qkd_time_before(s->event->now, end)) {
        kma_need_fail(s, need_slot, WIRE_REASON_EXPIRED); /* HS-T2: the ID's Timer */
        return;
    }
    bool summed = piece->taken && !piece->direct && flow->relay == WIRE_RELAY_DESTINATION;
    /* What was tried under AES-256 would be of that grade for good, whatever way it goes now. */
    bool may_fall = !piece->direct && kma_fall(s, need_at(kma, need_slot)->level) != 0;
    bool other_ways = piece->paths > 1 &&
                      (piece->session != flow->session || piece->generation != flow->generation);
    if (anew || summed || other_ways || may_fall || flow->direct != piece->direct ||
        flow->state != KMA_FLOW_READY) {
        piece_again(s, slot, WIRE_REASON_GONE);
        kma_flow_go(s, flow_slot);
        return;
    }
    piece->attempt++;
    piece_arm(s, slot);
    km_secbuf_at(&kma->bufs, piece->buf)[0] ^= QKDN_MUTANT(RETRY_DRAWS);
    int err = kma_piece_send(s, slot);
    if (err != 0 && err != QKD_ERR_LIMIT) {
        piece_again(s, slot, reason_of(err));
        need_stuck(s, need_slot, err, kma->self);
    }
}

void kma_piece_timeout(const struct kma_step *s, uint32_t slot)
{
    piece_at(s->kma, slot)->timer = QKD_TIMER_NONE;
    piece_retry(s, slot, false, s->kma->config->retries);
}

void kma_need_supply(const struct kma_step *s, uint32_t slot, const struct kma_supplied *keys)
{
    struct kma *kma = s->kma;
    struct kma_need *need = need_at(kma, slot);
    const struct kma_flow *flow = flow_of(kma, need);
    size_t keys_len = (size_t)need->key_size / 8 * keys->count;
    need->done += keys->count;
    uint8_t meta[160];
    const struct kma_link *first = flow->route_len > 1 ? kma_link_of(kma, flow->route[1]) : NULL;
    struct wire_key_metadata metadata = {.has_kma_key_id = true,
                                         .kma_key_id = keys->key_id,
                                         .has_key_length = true,
                                         .key_length = need->key_size,
                                         .has_key_type = true,
                                         .key_type = WIRE_FOR_ENCRYPTION,
                                         .has_kma_id = true,
                                         .kma_id = kma->self,
                                         .has_matching_kma_id = true,
                                         .matching_kma_id = need->destination,
                                         .has_generated = true,
                                         .generated = keys->drawn_wall,
                                         .has_module_id = first != NULL,
                                         .module_id = first == NULL ? QKD_NOBODY : first->module,
                                         .has_matching_module_id = first != NULL,
                                         .matching_module_id = first == NULL ? QKD_NOBODY
                                                                             : first->peer_module,
                                         .has_method = true,
                                         .method = keys->method};
    int meta_len = wire_key_metadata_encode(&metadata, meta, sizeof meta);
    QKD_ASSERT(meta_len > 0);
    bool is_alone = need->group == QKD_SLAB_NONE;
    bool is_last = need->done == need->count;
    uint32_t count_id = is_alone ? ++need->count_id : kma_group_count(kma, need, &is_last);
    struct wire_kmi_supply supply = {.head = kma_head(kma, QKD_RP_KMI, need->message_id),
                                     .code = WIRE_SUCCESS,
                                     .has_key_id = true,
                                     .key_id = keys->key_id,
                                     .has_key_size = true,
                                     .key_size = need->key_size,
                                     .has_key_data = true,
                                     .key_data = {keys->bytes, keys_len},
                                     .has_compare = true,
                                     .has_grade = true,
                                     .grade = keys->grade,
                                     .has_hops = true,
                                     .hops = keys->hops,
                                     .has_source_id = true,
                                     .source_id = kma->self,
                                     .has_destination_id = true,
                                     .destination_id = need->destination,
                                     .has_metadata = true,
                                     .metadata = {meta, (size_t)meta_len},
                                     .has_count_id = true,
                                     .count_id = count_id,
                                     .has_last = true,
                                     .last = is_last,
                                     .has_place = !is_alone,
                                     .place = keys->place,
                                     .has_rerouted = true,
                                     .rerouted = need->rerouted,
                                     .has_pooled = keys->is_pooled,
                                     .pooled = keys->is_pooled};
    memcpy(supply.compare.b, keys->bytes + keys_len, WIRE_COMPARE_LEN);
    if (keys->is_pooled) {
        kma_report(s, (struct qkd_report){
                          .code = QKD_REPORT_PIECE, .id = keys->key_id, .a = need->message_id});
    }
    kma_supply_send(s, &supply);
    crypto_wipe(supply.compare.b, sizeof supply.compare.b);
    if (need->done == need->count && need->pieces == 0) {
        kma_need_give(s, slot);
    }
}

static void piece_supply(const struct kma_step *s, uint32_t slot, uint8_t grade)
{
    struct kma *kma = s->kma;
    struct kma_piece *piece = piece_at(kma, slot);
    uint32_t need_slot = piece->need;
    struct kma_need *need = need_at(kma, need_slot);
    const struct kma_flow *flow = flow_of(kma, need);
    const uint8_t *bytes = km_secbuf_at(&kma->bufs, piece->buf);
    uint8_t hops = (uint8_t)(flow->route_len - 1);
    if (need->group != QKD_SLAB_NONE) {
        grade = kma_group_grade(kma, need, grade);
    }
    if (need->is_ahead) {
        kma_ahead_take_in(s, &(struct kma_ahead_frame){.key_id = piece->key_id,
                                                       .destination = need->destination,
                                                       .bytes = bytes,
                                                       .count = piece->count,
                                                       .entry_bits = need->key_size,
                                                       .hops = hops,
                                                       .drawn = piece->drawn,
                                                       .drawn_wall = piece->drawn_wall});
        need->done += piece->count;
    } else {
        kma_need_supply(s, need_slot,
                        &(struct kma_supplied){.key_id = piece->key_id,
                                               .bytes = bytes,
                                               .count = piece->count,
                                               .place = piece->place,
                                               .hops = hops,
                                               .grade = grade,
                                               .method = grade == WIRE_METHOD_AES ? grade
                                                         : piece->taken           ? WIRE_METHOD_POOL
                                                                                  : WIRE_METHOD_OTP,
                                               .drawn_wall = piece->drawn_wall});
    }
    life_piece(s, piece, need, WIRE_ACTION_SUPPLY, 0);
    piece_give(s, slot);
    if (need->done == need->count) {
        kma_need_give(s, need_slot);
    }
}

void kma_piece_done(const struct kma_step *s, struct qkd_eid peer,
                    const struct wire_relay_done *done)
{
    struct kma *kma = s->kma;
    uint32_t slot = qkd_map_get(&kma->piece_map, &done->key_id);
    if (slot == QKD_MAP_NONE) {
        return; /* an earlier attempt of a key that is settled */
    }
    struct kma_piece *piece = piece_at(kma, slot);
    uint32_t need_slot = piece->need;
    struct kma_need *need = need_at(kma, need_slot);
    bool ours = done->attempt == 0 || done->attempt == piece->attempt;
    /* Nothing was lost where a hop says what it lacked: once more is always worth it. */
    uint32_t most = kma->config->retries > 0 ? kma->config->retries : 1;
    if (done->reason == WIRE_REASON_NONE && !qkd_eid_eq(peer, need->destination)) {
        chan_report_security(&kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        return; /* a hop cannot say that the destination has it */
    }
    uint8_t grade = done->has_grade ? done->grade : WIRE_METHOD_OTP;
    bool is_weak = grade == WIRE_METHOD_AES && (kma_fall(s, need->level) == 0 || piece->direct);
    switch (is_weak ? WIRE_REASON_POLICY : done->reason) {
    case WIRE_REASON_NONE:
        piece_supply(s, slot, grade);
        break;
    case WIRE_REASON_GONE:
        if (ours) {
            piece_retry(s, slot, piece->direct, most);
        }
        break;
    case WIRE_REASON_NO_SESSION:
        if (ours) {
            kma_flow_forgotten(s, need->flow);
            piece_retry(s, slot, piece->direct, most);
        }
        break;
    case WIRE_REASON_OVER_SHARE:
        if (ours) {
            piece_again(s, slot, done->reason);
            need->over_share = need->is_barred = true;
            need_stuck(s, need_slot, QKD_ERR_INSUFFICIENT, done->at);
        }
        break;
    case WIRE_REASON_INSUFFICIENT_KEY:
    case WIRE_REASON_UNREACHABLE:
    case WIRE_REASON_RELAY_FAILED:
        if (ours) {
            bool is_short = done->reason == WIRE_REASON_INSUFFICIENT_KEY;
            if (is_short && piece->count > 1) {
                need_halve(need, piece->count);
            }
            piece_again(s, slot, done->reason);
            need_stuck(s, need_slot, is_short ? QKD_ERR_INSUFFICIENT : QKD_ERR_STATE, done->at);
        }
        break;
    default:
        kma_need_fail(s, need_slot,
                      is_weak                            ? WIRE_REASON_POLICY
                      : done->reason < WIRE_REASON_COUNT ? done->reason
                                                         : WIRE_REASON_RELAY_FAILED);
        break;
    }
}
