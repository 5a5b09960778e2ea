/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: sessions with a guaranteed rate, from what passes at Ck alone. What the controller says is
 * reserved lies on a way of links from source to destination, is what the rate that was asked for
 * costs on each of them, and together is never more than what sessions may reserve of what the link's
 * optics said they give. A reservation ends once: it is not released twice, and not held again after
 * its KM released it. */
#include <math.h>

#include "watch/oracle_state.h"

enum {
    LIMIT = 1 << 22,
    CHUNK = 64,
    FORGET_EVERY = 4096,
    KEPT_S = 60,      /* what is over is remembered for this long at least */
    LAPSE_PERIODS = 9 /* the controller ends what its KMC does not renew */
};

void watch_orc_session_init(struct watch_oracle *o)
{
    qkd_slab_init(&o->sessions, sizeof(struct watch_orc_session), CHUNK, LIMIT);
    qkd_map_init(&o->session_by_key, 16, LIMIT, NULL);
}

void watch_orc_session_fini(struct watch_oracle *o)
{
    qkd_slab_fini(&o->sessions);
    qkd_map_fini(&o->session_by_key);
}

static struct watch_orc_session *session_find(const struct watch_oracle *o, struct qkd_eid kmc,
                                              uint64_t session_id, uint8_t key[16])
{
    memcpy(key, &kmc.v, 8);
    memcpy(key + 8, &session_id, 8);
    uint32_t slot = qkd_map_get(&o->session_by_key, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&o->sessions, slot);
}

static void session_end(struct watch_oracle *o, struct watch_orc_session *session)
{
    for (uint32_t i = 0; i < session->hops; i++) {
        o->links[session->links[i]].reserved_bps -= session->held_bps;
    }
    session->hops = 0;
    session->said_ns = o->now_ns;
    o->session_ends++;
}

static struct watch_orc_session *slot_live(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_live(&o->sessions, slot) ? qkd_slab_at(&o->sessions, slot) : NULL;
}

static void sessions_forget(struct watch_oracle *o)
{
    o->session_ends = 0;
    for (uint32_t slot = 0; slot < o->sessions.top; slot++) {
        const struct watch_orc_session *session = slot_live(o, slot);
        if (session != NULL && session->hops == 0 &&
            session->said_ns < o->now_ns - INT64_C(1000000000) * KEPT_S) {
            (void)qkd_map_del(&o->session_by_key, session->key);
            qkd_slab_give(&o->sessions, slot);
        }
    }
}

/* What was not renewed has lapsed, also where nobody could be told. */
static void sessions_lapse(struct watch_oracle *o)
{
    int64_t oldest_ns = o->now_ns - LAPSE_PERIODS * o->scenario->control.status_period_ns;
    for (uint32_t slot = 0; slot < o->sessions.top; slot++) {
        struct watch_orc_session *session = slot_live(o, slot);
        if (session != NULL && session->hops > 0 && session->said_ns < oldest_ns) {
            session_end(o, session);
        }
    }
}

void watch_orc_reserve(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed)
{
    struct wire_reserve m;
    uint8_t key[16];
    if (send->rp != QKD_RP_CK || wire_reserve_decode(&m, observed, send->observed.len) != 0 ||
        m.key_size == 0 || m.key_amount == 0) {
        return;
    }
    struct watch_orc_session *session = session_find(o, send->from, m.session_id, key);
    if (session == NULL) {
        if (o->session_ends >= FORGET_EVERY) {
            sessions_forget(o);
        }
        uint32_t slot = qkd_slab_take(&o->sessions);
        if (slot == QKD_SLAB_NONE || qkd_map_put(&o->session_by_key, key, slot) != 0) {
            watch_orc_fail(o, "oracle: out of memory for sessions", NULL);
            return;
        }
        session = qkd_slab_at(&o->sessions, slot);
        memcpy(session->key, key, sizeof key);
    }
    uint64_t bits = (uint64_t)m.key_size * m.key_amount;
    session->source = qkd_eid_node(m.source_id);
    session->destination = qkd_eid_node(m.destination_id);
    session->direct_bps = wire_rate_cost_bps(
        m.rate_bps, bits, wire_take_cost_bits(m.key_size, m.key_amount, m.batch));
    session->relay_bps = wire_rate_cost_bps(
        m.rate_bps, bits, wire_relay_cost_bits(m.key_size, m.key_amount, m.batch));
    session->said_ns = session->hops > 0 ? session->said_ns : o->now_ns;
}

/* Whether the links lead from source to destination. */
static bool is_way(const struct watch_oracle *o, const struct watch_orc_session *session,
                   struct wire_bytes links)
{
    uint32_t at = session->source;
    for (size_t i = 0; i < links.len; i += 4) {
        uint32_t number = wire_get_u32(links.at + i);
        if (number >= o->scenario->link_count) {
            return false;
        }
        const struct scn_link *link = &o->scenario->links[number];
        if (link->a != at && link->b != at) {
            return false;
        }
        at = link->a == at ? link->b : link->a;
    }
    return at == session->destination;
}

static void links_check(struct watch_oracle *o, const struct watch_orc_session *session,
                        struct watch_orc_scene *scene)
{
    for (uint32_t i = 0; i < session->hops; i++) {
        const struct watch_orc_link *link = &o->links[session->links[i]];
        double most = floor((double)link->rate_bps * o->scenario->control.reservable);
        if ((double)link->reserved_bps > most) {
            sessions_lapse(o);
        }
        scene->link = session->links[i];
        scene->rp = 0; /* so that the link is named */
        (void)watch_orc_check(o, (double)link->reserved_bps <= most,
                              "sessions: more reserved on a link than it can give", scene);
    }
}

static void held(struct watch_oracle *o, struct watch_orc_session *session,
                 const struct wire_reserve_rsp *m, struct watch_orc_scene *scene)
{
    size_t hops = m->links.len / 4;
    uint64_t cost = hops == 1 ? session->direct_bps : session->relay_bps;
    bool is_good = m->has_links && hops > 0 && hops <= WATCH_ORC_HOPS && m->links.len % 4 == 0 &&
                   is_way(o, session, m->links) && m->link_bps == cost;
    if (!watch_orc_check(o, is_good, "sessions: reserved on no way, or not what the rate costs",
                         scene) ||
        !watch_orc_check(o, !session->released, "sessions: held again after its release", scene)) {
        return;
    }
    bool is_same = session->hops == hops && session->held_bps == m->link_bps;
    for (size_t i = 0; i < hops && is_same; i++) {
        is_same = session->links[i] == wire_get_u32(m->links.at + 4 * i);
    }
    session->said_ns = o->now_ns;
    if (session->hops > 0) {
        (void)watch_orc_check(o, is_same, "sessions: reserved twice", scene);
        return;
    }
    session->hops = (uint8_t)hops;
    session->held_bps = m->link_bps;
    for (size_t i = 0; i < hops; i++) {
        session->links[i] = wire_get_u32(m->links.at + 4 * i);
        o->links[session->links[i]].reserved_bps += m->link_bps;
    }
    links_check(o, session, scene);
}

void watch_orc_reserve_rsp(struct watch_oracle *o, const struct qkd_send *send,
                           const uint8_t *observed)
{
    struct wire_reserve_rsp m;
    uint8_t key[16];
    if (send->rp != QKD_RP_CK || wire_reserve_rsp_decode(&m, observed, send->observed.len) != 0 ||
        !watch_orc_term_rules(o, m.has_term, m.term)) {
        return;
    }
    struct watch_orc_scene scene = {
        .from = send->from, .to = send->to, .rp = send->rp, .command = WIRE_CMD_RESERVE_RSP};
    struct watch_orc_session *session = session_find(o, send->to, m.session_id, key);
    if (!watch_orc_check(o, session != NULL || m.code != WIRE_SUCCESS,
                         "sessions: reserved what nobody asked for", &scene) ||
        session == NULL) {
        return;
    }
    if (m.code == WIRE_SUCCESS) {
        held(o, session, &m, &scene);
    } else if (watch_orc_check(o, session->hops == 0, "sessions: refused while it is held",
                               &scene)) {
        session->said_ns = o->now_ns;
        o->session_ends++;
    }
}

void watch_orc_release_rsp(struct watch_oracle *o, const struct qkd_send *send,
                           const uint8_t *observed)
{
    struct wire_release_rsp m;
    uint8_t key[16];
    if (send->rp != QKD_RP_CK || wire_release_rsp_decode(&m, observed, send->observed.len) != 0 ||
        !watch_orc_term_rules(o, m.has_term, m.term)) {
        return;
    }
    struct watch_orc_scene scene = {
        .from = send->from, .to = send->to, .rp = send->rp, .command = WIRE_CMD_RELEASE_RSP};
    struct watch_orc_session *session = session_find(o, send->to, m.session_id, key);
    bool is_held = session != NULL && session->hops > 0;
    if (m.code == WIRE_SUCCESS) {
        (void)watch_orc_check(o, is_held, "sessions: released what is not held", &scene);
    } else {
        (void)watch_orc_check(o, !is_held, "sessions: held after its release", &scene);
    }
    if (session != NULL) {
        session_end(o, session);
        session->released = session->released || m.head.orig_message_id != 0;
    }
}

void watch_orc_session_crash(struct watch_oracle *o)
{
    for (uint32_t slot = 0; slot < o->sessions.top; slot++) {
        struct watch_orc_session *session = slot_live(o, slot);
        if (session != NULL) {
            session_end(o, session);
            session->released = false; /* it does not remember either */
        }
    }
}
