/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: relay sessions as hops and the destination know them: SESSION (Table 7-9) from the source to
 * the destination, UPDATE (Table 7-10) hop by hop. A session lives for its Timer (AN-8: seconds). */
#include "core/km/kma_internal.h"

#include <string.h>

struct kma_session *kma_session_find(struct kma *kma, uint64_t id)
{
    uint32_t slot = qkd_map_get(&kma->session_map, &id);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&kma->sessions, slot);
}

struct qkd_eid kma_session_next(const struct kma_step *s, uint64_t id, struct qkd_eid source)
{
    const struct kma_session *session = kma_session_find(s->kma, id);
    bool known = session != NULL && session->has_update && qkd_eid_eq(session->source, source) &&
                 qkd_time_before(s->event->now, session->until);
    return known ? session->next : QKD_NOBODY;
}

const struct kma_session *kma_session_here(const struct kma_step *s, uint64_t id,
                                           struct qkd_eid source)
{
    const struct kma_session *session = kma_session_find(s->kma, id);
    bool live = session != NULL && session->has_session && session->has_update &&
                qkd_eid_eq(session->source, source) &&
                qkd_time_before(s->event->now, session->until);
    return live ? session : NULL;
}

static struct kma_session *session_make(struct kma *kma, uint64_t id)
{
    struct kma_session *session = kma_session_find(kma, id);
    if (session != NULL) {
        return session;
    }
    uint32_t slot = qkd_slab_take(&kma->sessions);
    if (slot == QKD_SLAB_NONE) {
        return NULL;
    }
    if (qkd_map_put(&kma->session_map, &id, slot) != 0) {
        qkd_slab_give(&kma->sessions, slot);
        return NULL;
    }
    session = qkd_slab_at(&kma->sessions, slot);
    session->id = id;
    return session;
}

static void answer(const struct kma_step *s, const struct kma_session *session, uint8_t reason)
{
    struct wire_session_rsp rsp = {.head = kma_head(s->kma, QKD_RP_KX1, 0),
                                   .session_id = session->id,
                                   .code = reason == 0 ? WIRE_SUCCESS : WIRE_FAILURE,
                                   .has_reason = reason != 0,
                                   .reason = reason};
    KMA_SEND(s, session_rsp, QKD_RP_KX1, session->source, &rsp);
}

/* Both halves are here: the session stands if the UPDATE's ID has the SESSION's hash (HS-T3). */
static void join(const struct kma_step *s, struct kma_session *session)
{
    uint8_t hash[32];
    struct crypto_part part = {session->base.b, sizeof session->base.b};
    bool all = session->paths == 0 || session->paths_seen == (uint8_t)((1U << session->paths) - 1);
    if (!session->has_session || !session->has_update || session->next.v != 0 || !all) {
        return;
    }
    bool same = crypto_sha256(&part, 1, hash) == 0 &&
                crypto_equal(hash, session->hash, sizeof hash);
    if (!same) {
        session->has_update = false;
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
    }
    answer(s, session, same ? WIRE_REASON_NONE : WIRE_REASON_BAD_REQUEST);
}

static struct qkd_time timer_end(const struct kma_step *s, uint32_t timer_s)
{
    return kma_after(s, qkd_span_s((int64_t)timer_s));
}

void kma_session_command(const struct kma_step *s, struct qkd_eid peer,
                         const struct wire_session *command)
{
    if (!qkd_eid_eq(command->source_id, peer) ||
        !qkd_eid_eq(command->destination_id, s->kma->self) || command->timer_s == 0) {
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        return;
    }
    struct kma_session *session = session_make(s->kma, command->session_id);
    if (session == NULL || (session->source.v != 0 && !qkd_eid_eq(session->source, peer))) {
        struct kma_session refused = {.id = command->session_id, .source = peer};
        answer(s, &refused, WIRE_REASON_OVERLOAD);
        return;
    }
    session->source = peer;
    session->source_app = command->source_app;
    session->target_app = command->target_app;
    memcpy(session->hash, command->key_id_hash.b, sizeof session->hash);
    session->has_session = true;
    if (!session->has_update) {
        session->until = timer_end(s, command->timer_s);
    }
    join(s, session);
}

/* Whether this UPDATE may change anything here: from the neighbour before us on its route, to us
 * (HS-T4), and without a loop. */
static bool update_valid(const struct kma_step *s, const struct kma_link *from,
                         const struct wire_update *update)
{
    size_t hops = update->route.len / 8;
    if (from == NULL || !from->up || update->route.len % 8 != 0 || hops > KMA_HOP_MAX + 1 ||
        update->hop == 0 || update->hop >= hops || update->timer_s == 0 ||
        (update->has_paths &&
         (!update->has_path || update->paths > WIRE_PATHS_MAX || update->path >= update->paths)) ||
        memcmp(update->receiver_ip.b, s->kma->config->ip, 16) != 0 ||
        memcmp(update->sender_ip.b, from->peer_ip, 16) != 0) {
        return false;
    }
    uint32_t self = 0;
    for (size_t i = 0; i < hops; i++) {
        self += wire_get_u64(update->route.at + 8 * i) == s->kma->self.v;
    }
    const uint8_t *at = update->route.at + 8 * (size_t)update->hop;
    return self == 1 && wire_get_u64(at) == s->kma->self.v && wire_get_u64(at - 8) == from->peer.v;
}

void kma_session_update(const struct kma_step *s, struct qkd_eid peer,
                        const struct wire_update *update)
{
    struct kma *kma = s->kma;
    struct qkd_eid source = {update->route.len < 8 ? 0 : wire_get_u64(update->route.at)};
    if (!update_valid(s, kma_link_of(kma, peer), update)) {
        chan_report_security(&kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        return;
    }
    struct kma_session *session = session_make(kma, update->session_id);
    if (session == NULL || (session->source.v != 0 && !qkd_eid_eq(session->source, source)) ||
        (session->has_update && update->generation < session->generation)) {
        return;
    }
    size_t hops = update->route.len / 8;
    bool last = update->hop + 1U == hops;
    if (!session->has_update || session->generation != update->generation) {
        session->until = timer_end(s, update->timer_s);
    }
    if (session->generation != update->generation) {
        session->paths_seen = 0;
    }
    session->paths = update->has_paths && update->has_path ? update->paths : 0;
    session->paths_seen |= (uint8_t)(session->paths > 0 ? 1U << update->path : 0);
    session->source = source;
    session->base = update->key_id;
    session->generation = update->generation;
    session->flow = update->has_flow ? update->flow : 0;
    session->class_number = update->has_class_number ? update->class_number : 0;
    session->has_update = true;
    session->next = QKD_NOBODY;
    if (last) {
        join(s, session);
        return;
    }
    session->next = (struct qkd_eid){wire_get_u64(update->route.at + 8 * (update->hop + 1U))};
    struct kma_link *onward = kma_link_of(kma, session->next);
    if (onward == NULL || !onward->up) {
        session->has_update = false;
        answer(s, session, WIRE_REASON_UNREACHABLE);
        return;
    }
    struct wire_update forward = *update;
    forward.head = kma_head(kma, QKD_RP_KX1, 0);
    forward.hop++;
    memcpy(forward.sender_ip.b, kma->config->ip, 16);
    memcpy(forward.receiver_ip.b, onward->peer_ip, 16);
    KMA_SEND(s, update, QKD_RP_KX1, session->next, &forward);
}

void kma_session_sweep(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->sessions.top; i++) {
        if (!qkd_slab_live(&kma->sessions, i)) {
            continue;
        }
        const struct kma_session *session = qkd_slab_at(&kma->sessions, i);
        if (!qkd_time_before(s->event->now, session->until)) {
            (void)qkd_map_del(&kma->session_map, &session->id);
            qkd_slab_give(&kma->sessions, i);
        }
    }
}
