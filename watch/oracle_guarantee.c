/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: guaranteed rates end to end (docs/protocol.md, "Who gets the key"). What an admitted session asks for
 * within its rate is served, whoever else wants the key of the links on its way: in a minute at most one request in
 * twenty and four lack key or a share. Judged from needs and answers at the KM where the keys begin, and only where
 * that cannot be asked too much, whatever the routes are: in this minute every link made two and a half times what
 * all sessions together may take of one, in eight blocks or more; half a block holds four of the session's frames,
 * the store what is saved for a burst; and from two minutes before to its end nothing failed.
 *
 * Not judged: pooled supply, fallback and multicast, where keys come otherwise; low marks, which close links to all;
 * switches, relay points, attackers. */
#include <stdlib.h>

#include "core/wire/frame.h"
#include "watch/oracle_state.h"

enum {
    WINDOW_S = 60,
    QUIET_S = 120, /* before it */
    BLOCKS = 8,    /* in it, of each link */
    FRAMES = 4,    /* in half a block, and to be saved */
    LACKED = 4,    /* may lack, and of so many more ... */
    LACKED_OF = 20 /* ... one */
};
#define MARGIN                                                                                     \
    2.5 /* of what links make over what is guaranteed: one end owns half, and bursts are 5/4 */

/* Of each application, what was asked for within its guaranteed rate. */
struct watch_orc_promise {
    int64_t since_ns; /* window; < 0: none */
    uint32_t asked, lacked;
    double taken_bps; /* most that all sessions might take of a link, at either end of the window */
    uint64_t *generated; /* per link, bytes, when it began */
};

struct need {
    uint64_t key[2]; /* node, message ID */
    uint32_t application;
};

/* ---- where and when it is judged ---- */

static bool is_judged(const struct watch_oracle *o)
{
    const struct scn_scenario *scenario = o->scenario;
    const struct scn_key_management *km = &scenario->key_management;
    return scenario->class_count > 0 && !o->is_multicast && km->supply != SCN_SUPPLY_POOLED &&
           km->fallback == SCN_FALLBACK_NONE && scenario->control.low_mark_bits == 0 &&
           scenario->optical_switch_count == 0 && scenario->relay_point_count == 0 &&
           scenario->attack_count == 0;
}

/* Whether nothing has failed from QUIET_S before an instant until now. */
static bool is_quiet(const struct watch_oracle *o, int64_t from_ns)
{
    from_ns -= QUIET_S * QKD_NS_PER_S;
    bool is_good = from_ns >= 0;
    for (size_t i = 0; is_good && i < o->scenario->fault_count; i++) {
        const struct scn_fault *fault = &o->scenario->faults[i];
        bool is_over = fault->for_ns < from_ns && fault->at_ns < from_ns - fault->for_ns;
        is_good = is_over || fault->at_ns > o->now_ns;
    }
    return is_good;
}

/* Bits of link key that a session of this application may take in a second. */
static double session_bps(const struct scn_scenario *scenario, const struct scn_application *app)
{
    uint32_t batch = scenario->key_management.batch;
    return (double)wire_rate_cost_bps(app->session.rate_bps, (uint64_t)app->key_bits * app->count,
                                      wire_relay_cost_bits(app->key_bits, app->count, batch));
}

/* What all sessions that are held may take of a link that they all cross. */
static double taken_bps(const struct watch_oracle *o)
{
    double sum = 0;
    for (uint32_t slot = 0; slot < o->sessions.top; slot++) {
        const struct watch_orc_session *session = qkd_slab_live(&o->sessions, slot)
                                                      ? qkd_slab_at(&o->sessions, slot)
                                                      : NULL;
        sum += session != NULL && session->hops > 0 ? (double)session->relay_bps : 0;
    }
    return sum;
}

/* Whether a link could give all of that, as often as it made blocks. */
static bool link_can(const struct watch_oracle *o, const struct watch_orc_promise *promise,
                     const struct scn_application *app, uint32_t index)
{
    const struct scn_link *link = &o->scenario->links[index];
    double window_s = (double)(o->now_ns - promise->since_ns) * 1e-9;
    double made = 8 * (double)(o->links[index].generated - promise->generated[index]);
    double block = (double)link->qkd.block_bits;
    uint32_t batch = wire_keys_per_frame(app->key_bits, o->scenario->key_management.batch);
    uint32_t keys = app->count < batch ? app->count : batch;
    double frame = (double)wire_relay_cost_bits(app->key_bits, keys, keys);
    double burst = promise->taken_bps * (2 * window_s * block / (made + 1) + FRAMES) +
                   FRAMES * frame;
    return made >= MARGIN * promise->taken_bps * window_s && made >= BLOCKS * block &&
           block / 2 >= FRAMES * frame && (double)link->store_bits * 5 / 32 >= burst;
}

static bool links_can(const struct watch_oracle *o, const struct watch_orc_promise *promise,
                      const struct scn_application *app)
{
    bool can = promise->taken_bps > 0;
    for (uint32_t i = 0; can && i < o->scenario->link_count; i++) {
        can = link_can(o, promise, app, i);
    }
    return can;
}

/* ---- memory ---- */

int watch_orc_guarantee_init(struct watch_oracle *o)
{
    size_t count = o->scenario->application_count;
    bool has_any = false;
    for (size_t i = 0; i < count; i++) {
        has_any = has_any || o->scenario->applications[i].session.rate_bps > 0;
    }
    if (!has_any || !is_judged(o)) {
        return 0;
    }
    qkd_slab_init(&o->promise_needs, sizeof(struct need), 64, 65536);
    qkd_map_init(&o->promise_need_map, 16, 65536, NULL);
    o->promises = calloc(count, sizeof *o->promises);
    for (size_t i = 0; o->promises != NULL && i < count; i++) {
        o->promises[i].since_ns = -1;
        bool is_asked = o->scenario->applications[i].session.rate_bps > 0;
        o->promises[i].generated = is_asked ? calloc(o->scenario->link_count, sizeof(uint64_t))
                                            : NULL;
        if (is_asked && o->promises[i].generated == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    return o->promises == NULL ? QKD_ERR_NOMEM : 0;
}

void watch_orc_guarantee_free(struct watch_oracle *o)
{
    for (size_t i = 0; o->promises != NULL && i < o->scenario->application_count; i++) {
        free(o->promises[i].generated);
    }
    if (o->promises != NULL) {
        free(o->promises);
        qkd_slab_fini(&o->promise_needs);
        qkd_map_fini(&o->promise_need_map);
    }
}

static void need_forget(struct watch_oracle *o, uint32_t slot)
{
    const struct need *need = qkd_slab_at(&o->promise_needs, slot);
    (void)qkd_map_del(&o->promise_need_map, need->key);
    qkd_slab_give(&o->promise_needs, slot);
}

void watch_orc_guarantee_crash(struct watch_oracle *o, uint32_t node)
{
    for (uint32_t i = 0; o->promises != NULL && i < o->promise_needs.top; i++) {
        if (qkd_slab_live(&o->promise_needs, i) &&
            ((const struct need *)qkd_slab_at(&o->promise_needs, i))->key[0] == node) {
            need_forget(o, i);
        }
    }
}

/* ---- windows ---- */

static void window_begin(struct watch_oracle *o, struct watch_orc_promise *promise)
{
    promise->since_ns = o->now_ns;
    promise->asked = promise->lacked = 0;
    promise->taken_bps = taken_bps(o);
    for (uint32_t i = 0; i < o->scenario->link_count; i++) {
        promise->generated[i] = o->links[i].generated;
    }
}

static void judge(struct watch_oracle *o, uint32_t application, const struct qkd_send *send)
{
    struct watch_orc_promise *promise = &o->promises[application];
    const struct scn_application *app = &o->scenario->applications[application];
    int64_t end_ns = promise->since_ns + WINDOW_S * QKD_NS_PER_S;
    if (promise->since_ns >= 0 && o->now_ns < end_ns) {
        return;
    }
    bool is_whole = promise->since_ns >= 0 && o->now_ns < end_ns + WINDOW_S * QKD_NS_PER_S;
    double taken = taken_bps(o) + session_bps(o->scenario, app); /* one may just have ended */
    promise->taken_bps = taken > promise->taken_bps ? taken : promise->taken_bps;
    if (is_whole && is_quiet(o, promise->since_ns) && links_can(o, promise, app)) {
        struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
        (void)watch_orc_check(o, promise->lacked <= LACKED + promise->asked / LACKED_OF,
                              "shares: a guaranteed rate is not served", &scene);
    }
    window_begin(o, promise);
}

/* ---- what is said at KMI ---- */

static void need_seen(struct watch_oracle *o, const struct qkd_send *send,
                      const struct wire_kmi_need *m)
{
    uint32_t application = qkd_eid_instance(m->source_app) / 2;
    bool is_ours = m->has_guaranteed && m->guaranteed != 0 &&
                   application < o->scenario->application_count &&
                   o->promises[application].generated != NULL;
    struct need need = {.key = {qkd_eid_node(send->to), m->head.message_id},
                        .application = application};
    if (!is_ours || qkd_map_get(&o->promise_need_map, need.key) != QKD_MAP_NONE) {
        return;
    }
    judge(o, application, send);
    uint32_t slot = qkd_slab_take(&o->promise_needs);
    if (slot != QKD_SLAB_NONE && qkd_map_put(&o->promise_need_map, need.key, slot) == 0) {
        *(struct need *)qkd_slab_at(&o->promise_needs, slot) = need;
        o->promises[application].asked++;
    } else if (slot != QKD_SLAB_NONE) {
        qkd_slab_give(&o->promise_needs, slot);
    }
}

static void supply_seen(struct watch_oracle *o, const struct qkd_send *send,
                        const struct wire_kmi_supply *m)
{
    uint64_t key[2] = {qkd_eid_node(send->from), m->head.orig_message_id};
    uint32_t slot = qkd_map_get(&o->promise_need_map, key);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    const struct need *need = qkd_slab_at(&o->promise_needs, slot);
    bool lacks = m->code != WIRE_SUCCESS &&
                 (m->reason == WIRE_REASON_OVER_SHARE || m->reason == WIRE_REASON_INSUFFICIENT_KEY);
    o->promises[need->application].lacked += lacks;
    if (m->code != WIRE_SUCCESS || (m->has_last && m->last != 0)) {
        need_forget(o, slot);
    }
}

void watch_orc_guarantee(struct watch_oracle *o, const struct qkd_send *send,
                         const uint8_t *observed, uint8_t command)
{
    struct wire_kmi_need need;
    struct wire_kmi_supply supply;
    if (o->promises == NULL || send->rp != QKD_RP_KMI) {
        return;
    }
    if (command == WIRE_CMD_KMI_NEED &&
        wire_kmi_need_decode(&need, observed, send->observed.len) == QKD_OK) {
        need_seen(o, send, &need);
    } else if (command == WIRE_CMD_KMI_SUPPLY &&
               wire_kmi_supply_decode(&supply, observed, send->observed.len) == QKD_OK) {
        supply_seen(o, send, &supply);
    }
}
