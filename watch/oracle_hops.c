/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: shares at hops (docs/protocol.md, "Who gets the key"). A KMA on the way that refuses keys of an
 * application again and again for want of a share (RELAY_DONE over_share), and sends few of them in between, gives
 * none of that link's key to less important applications meanwhile, wherever theirs begin. Whose key a frame carries
 * is told by the session that it names, and by the bit in its grade that it is within a guaranteed rate.
 *
 * Frames shorter than those of the refused are not counted: they may use tails that are too short for these. Not
 * judged: what oracle_fair.c does not judge, and networks of many applications. */
#include <stdlib.h>

#include "core/wire/frame.h"
#include "watch/oracle_state.h"

enum {
    APPLICATIONS_MOST = 16,
    CLAIMS = 2 * APPLICATIONS_MOST, /* application; and within its guaranteed rate */
    LINKS_MOST = 256,
    SAVED = 4,  /* frames that an account may hold in any case */
    GAP_S = 30, /* between two refusals, at most */
    SESSIONS_MOST = 65536
};

/* One end of a link. */
struct watch_orc_hop {
    uint64_t sent[CLAIMS];  /* bytes ever */
    uint32_t frame[CLAIMS]; /* of its last frame */
    struct run {
        int64_t since_ns, last_ns;                 /* first and last refusal; since < 0: none */
        uint64_t sent_before[CLAIMS], served_mark; /* when it began; own ones at the last refusal */
    } runs[APPLICATIONS_MOST];
};

struct session {
    uint64_t id;
    uint32_t application;
};

static uint32_t level_of(const struct watch_oracle *o, uint32_t claim)
{
    const struct scn_application *app = &o->scenario->applications[claim / 2];
    if (claim % 2 == 1) {
        return 0;
    }
    return app->class_index < o->scenario->class_count
               ? 1U + o->scenario->classes[app->class_index].priority
               : UINT32_MAX;
}

static void runs_end(struct watch_orc_hop *hop)
{
    for (uint32_t i = 0; i < APPLICATIONS_MOST; i++) {
        hop->runs[i].since_ns = -1;
    }
}

int watch_orc_hops_init(struct watch_oracle *o)
{
    const struct scn_scenario *scenario = o->scenario;
    const struct scn_key_management *km = &scenario->key_management;
    if (scenario->class_count == 0 || o->is_multicast || km->supply == SCN_SUPPLY_POOLED ||
        km->fallback != SCN_FALLBACK_NONE || scenario->link_count > LINKS_MOST ||
        scenario->application_count > APPLICATIONS_MOST) {
        return 0;
    }
    qkd_slab_init(&o->hop_sessions, sizeof(struct session), 64, SESSIONS_MOST);
    qkd_map_init(&o->hop_session_map, 8, SESSIONS_MOST, NULL);
    o->hops = calloc(2 * scenario->link_count + 1, sizeof *o->hops);
    for (size_t i = 0; o->hops != NULL && i < 2 * scenario->link_count; i++) {
        runs_end(&o->hops[i]);
    }
    return o->hops == NULL ? QKD_ERR_NOMEM : 0;
}

void watch_orc_hops_free(struct watch_oracle *o)
{
    if (o->hops != NULL) {
        free(o->hops);
        qkd_slab_fini(&o->hop_sessions);
        qkd_map_fini(&o->hop_session_map);
    }
}

void watch_orc_hops_crash(struct watch_oracle *o, uint32_t node)
{
    for (uint32_t i = 0; o->hops != NULL && i < o->scenario->link_count; i++) {
        const struct scn_link *link = &o->scenario->links[i];
        if (link->a == node || link->b == node) {
            runs_end(&o->hops[2 * i]);
            runs_end(&o->hops[2 * i + 1]);
        }
    }
}

/* ---- whose key ---- */

void watch_orc_hops_session(struct watch_oracle *o, const struct qkd_send *send,
                            const uint8_t *observed)
{
    struct wire_session m;
    if (o->hops == NULL || send->rp != QKD_RP_KX1 ||
        wire_session_decode(&m, observed, send->observed.len) != QKD_OK ||
        qkd_map_get(&o->hop_session_map, &m.session_id) != QKD_MAP_NONE) {
        return;
    }
    uint32_t application = qkd_eid_instance(m.source_app) / 2;
    uint32_t slot = application < o->scenario->application_count ? qkd_slab_take(&o->hop_sessions)
                                                                 : QKD_SLAB_NONE;
    if (slot != QKD_SLAB_NONE && qkd_map_put(&o->hop_session_map, &m.session_id, slot) == 0) {
        *(struct session *)qkd_slab_at(&o->hop_sessions, slot) =
            (struct session){.id = m.session_id, .application = application};
    } else if (slot != QKD_SLAB_NONE) {
        qkd_slab_give(&o->hop_sessions, slot);
    }
}

/* UINT32_MAX: not known. */
static uint32_t application_of(const struct watch_oracle *o, uint64_t session_id)
{
    uint32_t slot = qkd_map_get(&o->hop_session_map, &session_id);
    return slot == QKD_MAP_NONE
               ? UINT32_MAX
               : ((const struct session *)qkd_slab_at(&o->hop_sessions, slot))->application;
}

void watch_orc_hops_frame(struct watch_oracle *o, const struct wire_frame *frame,
                          struct qkd_eid from, const struct wire_relay_body *body)
{
    uint32_t application = o->hops == NULL ? UINT32_MAX : application_of(o, body->session_id);
    if (application == UINT32_MAX || frame->link >= o->scenario->link_count) {
        return;
    }
    bool is_b = o->scenario->links[frame->link].b == qkd_eid_node(from);
    struct watch_orc_hop *hop = &o->hops[2 * frame->link + is_b];
    uint32_t claim = 2 * application + ((body->grade & WIRE_GRADE_GUARANTEED) != 0);
    hop->sent[claim] += frame->length;
    hop->frame[claim] = frame->length;
}

/* ---- refusals ---- */

/* The end of a link by which keys of an application leave a node, if they ever left it by one only. */
static uint32_t end_of(const struct watch_oracle *o, uint32_t node, uint32_t application)
{
    uint32_t found = UINT32_MAX;
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->scenario->link_count; i++) {
        const struct scn_link *link = &o->scenario->links[i];
        if (link->a != node && link->b != node) {
            continue;
        }
        uint32_t end = 2 * i + (link->b == node);
        const struct watch_orc_hop *hop = &o->hops[end];
        if (hop->frame[2 * application] > 0 || hop->frame[2 * application + 1] > 0) {
            found = end;
            count++;
        }
    }
    return count == 1 ? found : UINT32_MAX;
}

static uint64_t reserves(const struct watch_oracle *o)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < o->scenario->class_count; i++) {
        sum += (uint64_t)o->scenario->classes[i].reserve_bits / 8;
    }
    return sum;
}

static void judge(struct watch_oracle *o, const struct watch_orc_hop *hop, uint32_t application,
                  const struct watch_orc_scene *scene)
{
    const struct run *run = &hop->runs[application];
    uint32_t claim = 2 * application; /* what is guaranteed counts as its class at least */
    uint32_t frame = hop->frame[claim] > hop->frame[claim + 1] ? hop->frame[claim]
                                                               : hop->frame[claim + 1];
    uint64_t below = 0;
    uint64_t largest = frame;
    for (uint32_t i = 0; i < 2 * o->scenario->application_count; i++) {
        if (level_of(o, i) > level_of(o, claim) && hop->frame[i] >= frame) {
            below += hop->sent[i] - run->sent_before[i];
            largest = hop->frame[i] > largest ? hop->frame[i] : largest;
        }
    }
    (void)watch_orc_check(
        o, below <= SAVED * (largest + frame) + reserves(o),
        "shares: at a hop less important applications get key that another one lacks", scene);
}

void watch_orc_hops_done(struct watch_oracle *o, const struct qkd_send *send,
                         const uint8_t *observed)
{
    struct wire_relay_done m;
    if (o->hops == NULL || send->rp != QKD_RP_KX1 ||
        wire_relay_done_decode(&m, observed, send->observed.len) != QKD_OK ||
        m.reason != WIRE_REASON_OVER_SHARE || !qkd_eid_eq(m.at, send->from)) {
        return;
    }
    uint32_t application = application_of(o, m.session_id);
    uint32_t end = application == UINT32_MAX ? UINT32_MAX
                                             : end_of(o, qkd_eid_node(send->from), application);
    if (end == UINT32_MAX) {
        return;
    }
    struct watch_orc_hop *hop = &o->hops[end];
    struct run *run = &hop->runs[application];
    struct watch_orc_scene scene = {.from = send->from, .link = end / 2};
    uint32_t claim = 2 * application;
    uint64_t own = hop->sent[claim] + hop->sent[claim + 1];
    uint32_t frame = hop->frame[claim] > 0 ? hop->frame[claim] : hop->frame[claim + 1];
    bool goes_on = run->since_ns >= 0 && own - run->served_mark <= (SAVED - 1) * (uint64_t)frame &&
                   o->now_ns - run->last_ns <= GAP_S * QKD_NS_PER_S;
    if (goes_on) {
        judge(o, hop, application, &scene);
    } else {
        run->since_ns = o->now_ns;
        memcpy(run->sent_before, hop->sent, sizeof run->sent_before);
    }
    run->last_ns = o->now_ns;
    run->served_mark = own;
}
