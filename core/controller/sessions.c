/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Session control at Ck: admission of sessions with a guaranteed rate (docs/protocol.md, "Sessions
 * with a guaranteed rate"). Admitted is what finds a route of the configured routing over links that
 * can give the rate beside all that they have promised; nothing else about the session is decided
 * here, its keys are routed like all others.
 *
 *   RESERVE ──▶ known? same answer     RESERVE_RSP {links, link_bps | reason} ──▶
 *               new: room? HELD        HELD: renewed within RENEW_PERIODS, or LAPSED
 *   RELEASE ──▶ RELEASED               RELEASE_RSP ──▶
 *   KM silent, KM restarted ──▶ LAPSED, RELEASE_RSP unasked ──▶ */
#include "core/base/err.h"
#include "core/controller/element.h"
#include "core/wire/frame.h"

#define LAPSE_PERIODS 9   /* a KMC renews every 3 periods */
#define GRACE_PERIODS 4   /* after a restart: by then all KMCs have told what they hold */
#define SMALL_MESSAGE 128 /* bytes of a RELEASE_RSP */
#define RSP_BYTES 512     /* bytes of the longest RESERVE_RSP */
#define RATE_MOST (UINT64_C(1) << 50)
#define KEY_SIZE_MOST 65536 /* bits */
#define AMOUNT_MOST 65536

void ctl_sessions_start(struct ctl *ctl, const struct qkd_event *event)
{
    ctl->admit_from = event->now;
    if (event->u.start.incarnation > 1) {
        ctl_sessions_grace(ctl, event);
    }
}

void ctl_sessions_grace(struct ctl *ctl, const struct qkd_event *event)
{
    struct qkd_span grace = qkd_span_ns(GRACE_PERIODS * ctl->config.status_period.ns);
    ctl->admit_from = qkd_time_add(event->now, grace);
}

/* Facts for statistics: what is reserved on the links of an entry. */
static void links_report(const struct ctl *ctl, const struct ctl_reservation *entry,
                         struct qkd_out *out)
{
    for (uint32_t i = 0; i < entry->hops; i++) {
        const struct ctl_link *link = &ctl->topology.links[entry->links[i]];
        qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_RESERVED,
                                                 .who = ctl->config.self,
                                                 .a = link->id,
                                                 .b = link->reserved_bps,
                                                 .c = ctl_link_capacity_bps(&ctl->topology, link)});
    }
}

static void send_to(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                    struct wire_bytes message, struct qkd_out *out)
{
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = kmc, .message = message.at, .len = message.len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}

static struct wire_head head_of(struct ctl *ctl, uint64_t orig)
{
    return (struct wire_head){.rp = QKD_RP_CK,
                              .message_id = ctl->next_message_id++,
                              .orig_message_id = orig,
                              .sender = ctl->config.self};
}

/* ---- the end of a reservation ---- */

struct ending {
    uint64_t session_id;
    uint64_t orig; /* message ID of the RELEASE; 0: unasked */
    enum wire_reason reason;
    bool was_held;
};

static void release_rsp_send(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                             const struct ending *ending, struct qkd_out *out)
{
    struct wire_release_rsp rsp = {.head = head_of(ctl, ending->orig),
                                   .session_id = ending->session_id,
                                   .reason = (uint8_t)ending->reason,
                                   .code = ending->was_held ? WIRE_SUCCESS : WIRE_FAILURE,
                                   .has_term = ctl->term.own != 0,
                                   .term = ctl->term.own};
    uint8_t bytes[SMALL_MESSAGE];
    int len = wire_release_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    send_to(ctl, event, kmc, (struct wire_bytes){bytes, (size_t)len}, out);
}

static void entry_end(struct ctl *ctl, const struct qkd_event *event, struct ctl_reservation *entry,
                      enum ctl_reserve_state state, struct qkd_out *out)
{
    ctl_reserve_end(entry, &ctl->topology, state);
    entry->until = qkd_time_add(event->now, qkd_span_s(CTL_YOUNG_ANSWER_S));
    links_report(ctl, entry, out);
}

/* The controller ends it: the KM is told, should it be there. */
static void entry_lapse(struct ctl *ctl, const struct qkd_event *event,
                        struct ctl_reservation *entry, enum wire_reason reason, struct qkd_out *out)
{
    struct ending ending = {.session_id = entry->session_id, .reason = reason, .was_held = true};
    entry->reason = (uint8_t)reason;
    entry_end(ctl, event, entry, CTL_RESERVE_LAPSED, out);
    release_rsp_send(ctl, event, entry->kmc, &ending, out);
}

void ctl_sessions_drop(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                       enum wire_reason reason, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < ctl->reserve.table.top; slot++) {
        if (!qkd_slab_live(&ctl->reserve.table, slot)) {
            continue;
        }
        struct ctl_reservation *entry = qkd_slab_at(&ctl->reserve.table, slot);
        if (entry->state == CTL_RESERVE_HELD && qkd_eid_eq(entry->kmc, kmc)) {
            entry_lapse(ctl, event, entry, reason, out);
        }
    }
}

void ctl_sessions_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < ctl->reserve.table.top; slot++) {
        if (!qkd_slab_live(&ctl->reserve.table, slot)) {
            continue;
        }
        struct ctl_reservation *entry = qkd_slab_at(&ctl->reserve.table, slot);
        if (!qkd_time_before(entry->until, event->now)) {
            continue;
        }
        if (entry->state == CTL_RESERVE_HELD) {
            entry_lapse(ctl, event, entry, WIRE_REASON_EXPIRED, out);
        } else {
            ctl_reserve_forget(&ctl->reserve, slot);
        }
    }
}

void ctl_on_release(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out)
{
    struct wire_release release;
    int err = wire_release_decode(&release, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    struct ctl_reservation *entry = ctl_reserve_find(&ctl->reserve, m->peer, release.session_id);
    struct ending ending = {.session_id = release.session_id, .orig = release.head.message_id};
    if (entry == NULL) { /* its RESERVE may come later: it must find that it is over */
        entry = ctl_reserve_add(&ctl->reserve, m->peer, release.session_id);
    } else if (entry->state == CTL_RESERVE_HELD) {
        ending.was_held = true;
        entry_end(ctl, event, entry, CTL_RESERVE_RELEASED, out);
    }
    if (entry != NULL) {
        entry->state = CTL_RESERVE_RELEASED;
        entry->reason = WIRE_REASON_NO_SESSION;
        entry->until = qkd_time_add(event->now, qkd_span_s(CTL_YOUNG_ANSWER_S));
    }
    release_rsp_send(ctl, event, m->peer, &ending, out);
}

/* ---- admission ---- */

static void reserve_rsp_send(struct ctl *ctl, const struct qkd_event *event,
                             const struct ctl_reservation *entry, uint64_t orig,
                             struct qkd_out *out)
{
    uint8_t links[CTL_HOPS_MAX * 4];
    bool is_held = entry->state == CTL_RESERVE_HELD;
    struct wire_reserve_rsp rsp = {.head = head_of(ctl, orig),
                                   .source_id = entry->source,
                                   .destination_id = entry->destination,
                                   .session_id = entry->session_id,
                                   .has_links = is_held,
                                   .has_link_bps = is_held,
                                   .link_bps = entry->link_bps,
                                   .has_reason = !is_held,
                                   .reason = entry->reason,
                                   .code = is_held ? WIRE_SUCCESS : WIRE_FAILURE,
                                   .has_term = ctl->term.own != 0,
                                   .term = ctl->term.own};
    if (is_held) {
        for (uint32_t i = 0; i < entry->hops; i++) {
            wire_put_u32(links + 4 * i, ctl->topology.links[entry->links[i]].id);
        }
        rsp.links = (struct wire_bytes){links, 4U * entry->hops};
    }
    uint8_t bytes[RSP_BYTES];
    int len = wire_reserve_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    send_to(ctl, event, entry->kmc, (struct wire_bytes){bytes, (size_t)len}, out);
}

/* A KMC asks for its own KMA only. */
static uint8_t request_check(struct ctl *ctl, const struct qkd_event *event,
                             const struct wire_reserve *m, struct qkd_eid asker,
                             struct qkd_out *out)
{
    if (!qkd_eid_eq(m->source_id, qkd_eid_sibling(asker, QKD_ROLE_KMA))) {
        chan_report_security(&ctl->reports, event, WIRE_FAULT_DENIED, QKD_RP_CK, out);
        return WIRE_REASON_UNAUTHORIZED;
    }
    bool is_valid = m->key_amount > 0 && m->key_amount <= AMOUNT_MOST && m->key_size > 0 &&
                    m->key_size <= KEY_SIZE_MOST && m->rate_bps > 0 && m->rate_bps <= RATE_MOST &&
                    qkd_eid_role(m->destination_id) == QKD_ROLE_KMA &&
                    !qkd_eid_eq(m->source_id, m->destination_id);
    if (!is_valid) {
        return WIRE_REASON_BAD_REQUEST;
    }
    bool is_early = m->renew == 0 && qkd_time_before(event->now, ctl->admit_from);
    return is_early ? WIRE_REASON_RESTARTED : WIRE_REASON_NONE;
}

/* Finds a route with room for the rate and takes it; the reason if there is none. */
static uint8_t room_find(struct ctl *ctl, const struct qkd_event *event,
                         const struct wire_reserve *m, struct ctl_reservation *entry)
{
    struct ctl_topology *t = &ctl->topology;
    uint64_t key_bits = (uint64_t)m->key_size * m->key_amount;
    struct ctl_query query = {
        .source = ctl_topology_find(t, qkd_eid_node(m->source_id)),
        .destination = ctl_topology_find(t, qkd_eid_node(m->destination_id)),
        .relay_bits = wire_rate_cost_bps(
            m->rate_bps, key_bits, wire_relay_cost_bits(m->key_size, m->key_amount, m->batch)),
        .direct_bits = wire_rate_cost_bps(
            m->rate_bps, key_bits, wire_take_cost_bits(m->key_size, m->key_amount, m->batch)),
        .quiet_only = true, /* no key is to be had from noisy light */
        .of_rate = true,
        .paths = ctl->config.paths,
        .now = event->now};
    if (query.source == CTL_NONE || query.destination == CTL_NONE) {
        return WIRE_REASON_NO_ROUTE;
    }
    struct ctl_path path;
    if (!ctl_route(t, &ctl->search, ctl_routing_of(ctl), &query, &path)) {
        return ctl_route_exists(t, &ctl->search, &query) ? WIRE_REASON_NO_CAPACITY
                                                         : WIRE_REASON_NO_ROUTE;
    }
    entry->link_bps = path.hops == 1 ? query.direct_bits : query.relay_bits;
    ctl_reserve_hold(entry, t, &path);
    return WIRE_REASON_NONE;
}

static void admit(struct ctl *ctl, const struct qkd_event *event, const struct wire_reserve *m,
                  struct ctl_reservation *entry, struct qkd_out *out)
{
    entry->source = m->source_id;
    entry->destination = m->destination_id;
    entry->reason = request_check(ctl, event, m, entry->kmc, out);
    if (entry->reason == WIRE_REASON_NONE) {
        entry->reason = room_find(ctl, event, m, entry);
    }
    if (entry->state == CTL_RESERVE_HELD) {
        links_report(ctl, entry, out);
    } else {
        entry->state = CTL_RESERVE_REFUSED;
        entry->until = qkd_time_add(event->now, qkd_span_s(CTL_YOUNG_ANSWER_S));
    }
}

void ctl_on_reserve(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out)
{
    struct wire_reserve reserve;
    int err = wire_reserve_decode(&reserve, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    struct ctl_reservation *entry = ctl_reserve_find(&ctl->reserve, m->peer, reserve.session_id);
    bool is_new = entry == NULL || (entry->state == CTL_RESERVE_LAPSED && reserve.renew != 0);
    if (entry == NULL) {
        entry = ctl_reserve_add(&ctl->reserve, m->peer, reserve.session_id);
    }
    if (entry == NULL) { /* the table is full */
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        struct ctl_reservation refused = {.kmc = m->peer,
                                          .session_id = reserve.session_id,
                                          .source = reserve.source_id,
                                          .destination = reserve.destination_id,
                                          .state = CTL_RESERVE_REFUSED,
                                          .reason = WIRE_REASON_OVERLOAD};
        reserve_rsp_send(ctl, event, &refused, reserve.head.message_id, out);
        return;
    }
    if (is_new) {
        admit(ctl, event, &reserve, entry, out);
        bool is_early = reserve.renew != 0 && qkd_time_before(event->now, ctl->admit_from);
        if (entry->state != CTL_RESERVE_HELD && is_early) {
            ctl_reserve_drop(&ctl->reserve, entry);
            return; /* links and rates may not be known yet: it will be renewed again */
        }
    }
    if (entry->state == CTL_RESERVE_HELD) {
        struct qkd_span lapse = qkd_span_ns(LAPSE_PERIODS * ctl->config.status_period.ns);
        entry->until = qkd_time_add(event->now, lapse);
    }
    reserve_rsp_send(ctl, event, entry, reserve.head.message_id, out);
}
