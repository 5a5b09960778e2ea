/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: one active controller. Of two controllers each term belongs to one start of one of them, and
 * what a KM does with routes it does by terms that never fall: seen from what controllers say at Ck and
 * from what KMCs hand on to their KMAs at KMI, restarts included. */
#include <stdlib.h>

#include "watch/oracle_state.h"

int watch_orc_term_init(struct watch_oracle *o)
{
    if (o->scenario->control.standby == SCN_NO_NODE) {
        return 0;
    }
    o->terms.of_km = calloc(o->scenario->node_count, sizeof *o->terms.of_km);
    return o->terms.of_km == NULL ? QKD_ERR_NOMEM : 0;
}

void watch_orc_term_fini(struct watch_oracle *o)
{
    free(o->terms.of_km);
    free(o->terms.known);
}

void watch_orc_term_crash(struct watch_oracle *o, uint32_t node)
{
    if (node == o->scenario->control.at || node == o->scenario->control.standby) {
        o->terms.starts[node == o->scenario->control.standby]++;
    }
}

void watch_orc_term_persist(struct watch_oracle *o, const struct qkd_persist *entry)
{
    uint32_t node = qkd_eid_node(entry->owner);
    if (o->losing && o->terms.of_km != NULL && node < o->scenario->node_count &&
        qkd_eid_role(entry->owner) == QKD_ROLE_KMC) {
        o->terms.of_km[node] = 0;
    }
}

/* Who began a term; it is entered with the first message of it. NULL: no memory. */
static const struct watch_orc_term *term_begun(struct watch_oracle *o, uint64_t term,
                                               const struct watch_orc_term *now)
{
    for (uint32_t i = o->terms.count; i-- > 0;) {
        if (o->terms.known[i].term == term) {
            return &o->terms.known[i];
        }
    }
    if (o->terms.count == o->terms.cap) {
        uint32_t cap = o->terms.cap == 0 ? 8 : 2 * o->terms.cap;
        struct watch_orc_term *grown = realloc(o->terms.known, cap * sizeof *grown);
        if (grown == NULL) {
            watch_orc_fail(o, "oracle: out of memory for terms", NULL);
            return NULL;
        }
        o->terms.known = grown;
        o->terms.cap = cap;
    }
    o->terms.known[o->terms.count] = *now;
    return &o->terms.known[o->terms.count++];
}

static void controller_says(struct watch_oracle *o, const struct qkd_send *send, uint64_t term,
                            struct watch_orc_scene *scene)
{
    bool is_standby = qkd_eid_node(send->from) == o->scenario->control.standby;
    struct watch_orc_term now = {term, send->from, o->terms.starts[is_standby]};
    const struct watch_orc_term *begun = term_begun(o, term, &now);
    if (begun != NULL) {
        (void)watch_orc_check(
            o, qkd_eid_eq(begun->controller, now.controller) && begun->start == now.start,
            "control: two controllers, or two starts of one, in the same term", scene);
    }
}

static void km_obeys(struct watch_oracle *o, const struct qkd_send *send, uint64_t term,
                     struct watch_orc_scene *scene)
{
    uint64_t *highest = &o->terms.of_km[qkd_eid_node(send->from)];
    (void)watch_orc_check(o, term >= *highest,
                          "control: a key manager obeys a controller that was overtaken", scene);
    *highest = term > *highest ? term : *highest;
}

#define TERM_IN(name)                                                                              \
    struct wire_##name m;                                                                          \
    if (wire_##name##_decode(&m, observed, send->observed.len) != 0 || !m.has_term) {              \
        return 0;                                                                                  \
    }                                                                                              \
    return m.term

static uint64_t of_status(const struct qkd_send *send, const uint8_t *observed)
{
    TERM_IN(status);
}

static uint64_t of_route_rsp(const struct qkd_send *send, const uint8_t *observed)
{
    TERM_IN(route_rsp);
}

static uint64_t of_route_table(const struct qkd_send *send, const uint8_t *observed)
{
    TERM_IN(route_table);
}

static uint64_t of_reserve_rsp(const struct qkd_send *send, const uint8_t *observed)
{
    TERM_IN(reserve_rsp);
}

void watch_orc_term_sent(struct watch_oracle *o, const struct qkd_send *send,
                         const uint8_t *observed)
{
    uint8_t command = observed[2];
    if (o->terms.of_km == NULL || (send->rp != QKD_RP_CK && send->rp != QKD_RP_KMI)) {
        return;
    }
    uint64_t term = command == WIRE_CMD_STATUS        ? of_status(send, observed)
                    : command == WIRE_CMD_ROUTE_RSP   ? of_route_rsp(send, observed)
                    : command == WIRE_CMD_ROUTE_TABLE ? of_route_table(send, observed)
                    : command == WIRE_CMD_RESERVE_RSP ? of_reserve_rsp(send, observed)
                                                      : 0;
    if (term == 0) {
        return;
    }
    struct watch_orc_scene scene = {
        .from = send->from, .to = send->to, .rp = send->rp, .command = command};
    if (qkd_eid_role(send->from) == QKD_ROLE_CONTROLLER) {
        controller_says(o, send, term, &scene);
    } else if (qkd_eid_role(send->from) == QKD_ROLE_KMC &&
               qkd_eid_node(send->from) < o->scenario->node_count) {
        km_obeys(o, send, term, &scene);
    }
}

bool watch_orc_term_rules(struct watch_oracle *o, bool has_term, uint64_t term)
{
    if (has_term && term > o->terms.highest) {
        o->terms.highest = term;
        watch_orc_session_crash(o); /* who is in charge now learns it anew */
    }
    return !has_term || term == o->terms.highest;
}
