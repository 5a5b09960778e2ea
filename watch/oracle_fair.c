/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: shares (docs/protocol.md, "Who gets the key"). Judged at key managers with one link, where it is plain
 * whose key is meant: from one refusal over_share to the next of an application that asks for its neighbour's
 * keys, as long as it was served so little in between that it cannot have saved all that it may,
 *
 *   - no less important application gets key that it asks for meanwhile, but for what was there before: less
 *     than the refused request cost; so no class is below its guarantee while another is above its share;
 *   - no equal one gets more than it, but for what the equal one had saved: at most 5/16 of the store, and the
 *     reserve of its class; unless something more important was served, which takes from both.
 *
 * Not judged: pooled supply, fallback and multicast, where keys come otherwise, and stores too small for five
 * frames of each application. */
#include <stdlib.h>

#include "core/wire/frame.h"
#include "watch/oracle_state.h"

enum {
    CLAIMS_MOST = 32,  /* two of each application: within its guaranteed rate, and else */
    SAVED = 4,         /* frames that an account may hold in any case */
    GAP_S = 30,        /* between two refusals, at most */
    NEED_LIMIT = 65536 /* followed at a time */
};

struct claim {
    uint32_t application;
    uint32_t level; /* 0 the most important */
    uint64_t frame; /* bytes of link key that one takes */
    bool is_judged;
    int64_t since_ns, last_ns; /* first and last refusal of the run; since < 0: none */
    uint64_t served;           /* bytes since the last */
};

struct watch_orc_fair {
    uint32_t count;
    uint64_t store;                         /* bytes */
    struct claim claims[CLAIMS_MOST];       /* by application, guaranteed behind */
    uint64_t got[CLAIMS_MOST][CLAIMS_MOST]; /* [a][b]: what b got since a's run began */
    uint64_t reserve[CLAIMS_MOST];          /* bytes of its class */
};

struct need {
    uint64_t key[2]; /* node, message ID */
    uint32_t claim;
    int64_t at_ns;
};

/* ---- which nodes are judged ---- */

static uint64_t cost_of(const struct scn_scenario *scenario, uint32_t application, uint32_t keys)
{
    const struct scn_application *app = &scenario->applications[application];
    enum scn_relay relay = scn_relay_of(scenario, app);
    bool is_near = false;
    for (size_t i = 0; i < scenario->link_count; i++) {
        const struct scn_link *link = &scenario->links[i];
        is_near = is_near || (link->a == app->from && link->b == app->to) ||
                  (link->b == app->from && link->a == app->to);
    }
    bool is_taken = is_near || relay == SCN_RELAY_FIRST_KEY || relay == SCN_RELAY_DESTINATION;
    return (is_taken ? wire_take_cost_bits(app->key_bits, keys, keys)
                     : wire_relay_cost_bits(app->key_bits, keys, keys)) /
           8;
}

static void claim_add(const struct scn_scenario *scenario, struct watch_orc_fair *shares,
                      uint32_t application, uint32_t neighbour)
{
    const struct scn_application *app = &scenario->applications[application];
    const struct scn_class *class = app->class_index < scenario->class_count
                                        ? &scenario->classes[app->class_index]
                                        : NULL;
    uint32_t frame = wire_keys_per_frame(app->key_bits, scenario->key_management.batch);
    for (uint32_t i = 0; i < 2; i++) {
        shares->reserve[shares->count] = class == NULL ? 0 : (uint64_t) class->reserve_bits / 8;
        shares->claims[shares->count++] = (struct claim){
            .application = application,
            .level = i == 1          ? 0
                     : class == NULL ? UINT32_MAX
                                     : 1 + class->priority,
            .frame = cost_of(scenario, application, app->count < frame ? app->count : frame),
            .is_judged = app->to == neighbour,
            .since_ns = -1};
    }
}

/* NULL: nothing to judge there, or no memory (*failed). */
static struct watch_orc_fair *node_new(const struct scn_scenario *scenario, uint32_t node,
                                       bool *failed)
{
    uint32_t links = 0;
    uint32_t neighbour = 0;
    uint64_t store = 0;
    for (size_t i = 0; i < scenario->link_count; i++) {
        const struct scn_link *link = &scenario->links[i];
        if (link->a == node || link->b == node) {
            links++;
            neighbour = link->a == node ? link->b : link->a;
            store = link->store_bits / 8;
        }
    }
    struct watch_orc_fair *shares = links == 1 ? calloc(1, sizeof *shares) : NULL;
    *failed = *failed || (links == 1 && shares == NULL);
    if (shares == NULL) {
        return NULL;
    }
    shares->store = store;
    uint64_t largest = 0;
    bool is_good = true;
    for (uint32_t i = 0; is_good && i < scenario->application_count; i++) {
        if (scenario->applications[i].from == node) {
            is_good = shares->count + 2 <= CLAIMS_MOST;
            if (is_good) {
                claim_add(scenario, shares, i, neighbour);
                uint64_t frame = shares->claims[shares->count - 1].frame;
                largest = frame > largest ? frame : largest;
            }
        }
    }
    is_good = is_good && shares->count > 2 &&
              store / 16 * 5 / 2 >= (SAVED + 1) * largest * shares->count;
    if (!is_good) {
        free(shares);
        return NULL;
    }
    return shares;
}

int watch_orc_fair_init(struct watch_oracle *o)
{
    const struct scn_scenario *scenario = o->scenario;
    const struct scn_key_management *km = &scenario->key_management;
    if (scenario->class_count == 0 || o->is_multicast || km->supply == SCN_SUPPLY_POOLED ||
        km->fallback != SCN_FALLBACK_NONE) {
        return 0;
    }
    o->fair_nodes = calloc(scenario->node_count, sizeof(struct watch_orc_fair *));
    bool failed = o->fair_nodes == NULL;
    for (uint32_t i = 0; !failed && i < scenario->node_count; i++) {
        o->fair_nodes[i] = node_new(scenario, i, &failed);
    }
    qkd_slab_init(&o->fair_needs, sizeof(struct need), 64, NEED_LIMIT);
    qkd_map_init(&o->fair_need_map, 16, NEED_LIMIT, NULL);
    return failed ? QKD_ERR_NOMEM : 0;
}

void watch_orc_fair_free(struct watch_oracle *o)
{
    for (uint32_t i = 0; o->fair_nodes != NULL && i < o->scenario->node_count; i++) {
        free(o->fair_nodes[i]);
    }
    if (o->fair_nodes != NULL) {
        free(o->fair_nodes);
        qkd_slab_fini(&o->fair_needs);
        qkd_map_fini(&o->fair_need_map);
    }
}

static void need_forget(struct watch_oracle *o, uint32_t slot)
{
    const struct need *need = qkd_slab_at(&o->fair_needs, slot);
    (void)qkd_map_del(&o->fair_need_map, need->key);
    qkd_slab_give(&o->fair_needs, slot);
}

void watch_orc_fair_crash(struct watch_oracle *o, uint32_t node)
{
    struct watch_orc_fair *shares = o->fair_nodes == NULL ? NULL : o->fair_nodes[node];
    for (uint32_t i = 0; shares != NULL && i < shares->count; i++) {
        shares->claims[i].since_ns = -1;
    }
    for (uint32_t i = 0; shares != NULL && i < o->fair_needs.top; i++) {
        if (qkd_slab_live(&o->fair_needs, i) &&
            ((const struct need *)qkd_slab_at(&o->fair_needs, i))->key[0] == node) {
            need_forget(o, i);
        }
    }
}

/* ---- what is said at KMI ---- */

static void need_seen(struct watch_oracle *o, const struct qkd_send *send,
                      const struct watch_orc_fair *shares, const struct wire_kmi_need *m)
{
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    uint32_t application = qkd_eid_instance(m->source_app) / 2;
    bool is_guaranteed = m->has_guaranteed && m->guaranteed != 0;
    uint32_t claim = 0;
    while (claim < shares->count && shares->claims[claim].application != application) {
        claim++;
    }
    if (claim == shares->count) {
        return;
    }
    const struct scn_application *app = &o->scenario->applications[application];
    uint32_t number = app->class_index < o->scenario->class_count ? app->class_index + 1 : 0;
    bool good = (m->has_class_number ? m->class_number : 0) == number &&
                (!is_guaranteed || app->session.rate_bps > 0);
    (void)watch_orc_check(o, good, "shares: a need of another class than its application's",
                          &scene);
    struct need need = {.key = {qkd_eid_node(send->to), m->head.message_id},
                        .claim = claim + is_guaranteed,
                        .at_ns = o->now_ns};
    uint32_t slot = qkd_slab_take(&o->fair_needs);
    if (slot != QKD_SLAB_NONE && qkd_map_put(&o->fair_need_map, need.key, slot) == 0) {
        *(struct need *)qkd_slab_at(&o->fair_needs, slot) = need;
    } else if (slot != QKD_SLAB_NONE) {
        qkd_slab_give(&o->fair_needs, slot);
    }
}

static void served(struct watch_orc_fair *shares, const struct need *need, uint64_t bytes)
{
    for (uint32_t a = 0; a < shares->count; a++) {
        if (shares->claims[a].since_ns >= 0 && need->at_ns > shares->claims[a].since_ns) {
            shares->got[a][need->claim] += bytes;
        }
    }
    shares->claims[need->claim].served += bytes;
}

/* A refusal that continues a run: what others got meanwhile. */
static void judge(struct watch_oracle *o, const struct watch_orc_fair *shares, uint32_t a,
                  const struct watch_orc_scene *scene)
{
    const struct claim *claim = &shares->claims[a];
    uint64_t below = 0;
    uint64_t above = 0;
    uint64_t slack = 0;
    for (uint32_t b = 0; b < shares->count; b++) {
        const struct claim *other = &shares->claims[b];
        below += other->level > claim->level ? shares->got[a][b] : 0;
        above += other->level < claim->level ? shares->got[a][b] : 0;
        slack = other->frame > slack ? other->frame : slack;
    }
    slack = SAVED * (slack + claim->frame);
    (void)watch_orc_check(o, below <= slack,
                          "shares: less important applications get key that another one lacks",
                          scene);
    for (uint32_t b = 0; b < shares->count && above == 0; b++) {
        uint64_t most = shares->got[a][a] + shares->store / 16 * 5 + shares->reserve[b] + slack;
        (void)watch_orc_check(o,
                              shares->claims[b].level != claim->level || shares->got[a][b] <= most,
                              "shares: an equal gets more than one that lacks key", scene);
    }
}

static void refused(struct watch_oracle *o, struct watch_orc_fair *shares, uint32_t a,
                    const struct watch_orc_scene *scene)
{
    struct claim *claim = &shares->claims[a];
    bool goes_on = claim->since_ns >= 0 && claim->served <= (SAVED - 1) * claim->frame &&
                   o->now_ns - claim->last_ns <= GAP_S * QKD_NS_PER_S;
    if (goes_on) {
        judge(o, shares, a, scene);
    } else {
        claim->since_ns = o->now_ns;
        for (uint32_t b = 0; b < shares->count; b++) {
            shares->got[a][b] = 0;
        }
    }
    claim->last_ns = o->now_ns;
    claim->served = 0;
}

static void supply_seen(struct watch_oracle *o, const struct qkd_send *send,
                        struct watch_orc_fair *shares, const struct wire_kmi_supply *m)
{
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    uint64_t key[2] = {qkd_eid_node(send->from), m->head.orig_message_id};
    uint32_t slot = qkd_map_get(&o->fair_need_map, key);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    struct need need = *(const struct need *)qkd_slab_at(&o->fair_needs, slot);
    const struct claim *claim = &shares->claims[need.claim];
    uint32_t key_bytes = o->scenario->applications[claim->application].key_bits / 8;
    if (m->code == WIRE_SUCCESS && m->has_key_data) {
        uint32_t keys = (uint32_t)(m->key_data.len / key_bytes);
        served(shares, &need, cost_of(o->scenario, claim->application, keys > 0 ? keys : 1));
    } else if (m->reason == WIRE_REASON_OVER_SHARE && claim->is_judged) {
        refused(o, shares, need.claim, &scene);
    }
    if (m->code != WIRE_SUCCESS || (m->has_last && m->last != 0)) {
        need_forget(o, slot);
    }
}

void watch_orc_fair(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed,
                    uint8_t command)
{
    uint32_t node = qkd_eid_node(send->from);
    struct watch_orc_fair *shares = o->fair_nodes == NULL || node >= o->scenario->node_count
                                        ? NULL
                                        : o->fair_nodes[node];
    struct wire_kmi_need need;
    struct wire_kmi_supply supply;
    if (shares == NULL || send->rp != QKD_RP_KMI) {
        return;
    }
    if (command == WIRE_CMD_KMI_NEED &&
        wire_kmi_need_decode(&need, observed, send->observed.len) == QKD_OK) {
        need_seen(o, send, shares, &need);
    } else if (command == WIRE_CMD_KMI_SUPPLY &&
               wire_kmi_supply_decode(&supply, observed, send->observed.len) == QKD_OK) {
        supply_seen(o, send, shares, &supply);
    }
}
