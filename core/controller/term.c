/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of two controllers is in charge: see controller/term.h. */
#include "core/controller/term.h"

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/controller/element.h"

#define MESSAGE_BYTES 64
#define VERSION_SHIFT 40 /* of tables: those of a later term are newer */

bool ctl_in_charge(const struct ctl *ctl)
{
    return ctl->config.other.v == 0 || ctl->term.own != 0;
}

static void term_send(struct ctl *ctl, const struct qkd_event *event, enum qkd_rp rp,
                      struct qkd_eid to, struct qkd_out *out)
{
    struct wire_term message = {.head = {.rp = (uint8_t)rp,
                                         .message_id = ctl->next_message_id++,
                                         .sender = ctl->config.self},
                                .term = ctl->term.seen,
                                .active = ctl->term.own != 0};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_term_encode(&message, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {.rp = rp, .peer = to, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* said again in a period */
}

/* The other controller, and whoever is to obey, hear that this one is there. */
static void tell_all(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    if (chan_is_up(ctl->set, QKD_RP_CX, ctl->config.other)) {
        term_send(ctl, event, QKD_RP_CX, ctl->config.other, out);
    }
    for (uint32_t slot = 0; ctl->term.own != 0 && slot < ctl->peers.top; slot++) {
        const struct ctl_peer *peer = qkd_slab_live(&ctl->peers, slot)
                                          ? qkd_slab_at(&ctl->peers, slot)
                                          : NULL;
        if (peer != NULL && peer->node != CTL_NONE && chan_is_up(ctl->set, QKD_RP_CK, peer->eid)) {
            term_send(ctl, event, QKD_RP_CK, peer->eid, out);
        }
    }
}

static void term_report(const struct ctl *ctl, struct qkd_out *out)
{
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_TERM,
                                             .who = ctl->config.self,
                                             .a = ctl->term.own,
                                             .b = ctl->term.seen});
}

/* ---- in charge, and not any more ---- */

static void own_persist(const struct ctl *ctl, struct qkd_out *out)
{
    struct wire_p_term record = {.term = ctl->term.own, .controller = ctl->config.self};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_p_term_encode(&record, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    qkd_out_put(out, &(struct qkd_persist){.owner = ctl->config.self,
                                           .kind = WIRE_PERSIST_TERM,
                                           .key_len = 1,
                                           .value = qkd_out_copy(out, bytes, (size_t)len)});
}

static void begin(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    uint64_t odd = ctl->config.is_first ? 1 : 0;
    uint64_t next = ctl->term.seen + 1;
    ctl->term.own = next % 2 == odd ? next : next + 1;
    ctl->term.seen = ctl->term.own;
    if (!QKDN_MUTANT(TERM_UNSAVED)) {
        own_persist(ctl, out);
    }
    ctl->table_version = (ctl->term.own << VERSION_SHIFT) + 1;
    if (ctl->term.own > 1) { /* KMs are still to tell what they hold */
        ctl_sessions_grace(ctl, event);
    }
    term_report(ctl, out);
    tell_all(ctl, event, out);
    ctl_light_begin(ctl, event);
    ctl_command_all(ctl, event, out);
}

/* Everything that was promised or given is the other one's business now. */
static void end(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    const struct ctl_topology *t = &ctl->topology;
    for (uint32_t i = 0; i < t->link_count; i++) {
        (void)chan_report_clear(&ctl->reports, event, WIRE_FAULT_LINK_DOWN, t->links[i].id, out);
    }
    ctl_light_end(ctl, event, out);
    ctl->term.own = 0;
    ctl->push_at = QKD_NEVER;
    ctl_state_forget(ctl);
    for (uint32_t slot = 0; slot < ctl->peers.top; slot++) {
        if (!qkd_slab_live(&ctl->peers, slot)) {
            continue;
        }
        struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
        peer->silent = peer->obeys = peer->push_rest = peer->hears_nobody = false;
        peer->push_at = QKD_NEVER;
        peer->last_status_id = 0;
        if (peer->node != CTL_NONE) { /* there was room for them before */
            peer->node = ctl_topology_node(&ctl->topology, qkd_eid_node(peer->eid));
        }
    }
    term_report(ctl, out);
}

static void see(struct ctl *ctl, const struct qkd_event *event, uint64_t term, struct qkd_out *out)
{
    ctl->term.seen = term > ctl->term.seen ? term : ctl->term.seen;
    if (ctl->term.own != 0 && ctl->term.seen > ctl->term.own) {
        end(ctl, event, out);
    }
}

/* ---- what others say ---- */

static void from_other(struct ctl *ctl, const struct qkd_event *event,
                       const struct wire_term *message, struct qkd_out *out)
{
    see(ctl, event, message->term, out);
    if (ctl->term.own == 0 && message->active == 0 && ctl->config.is_first) {
        begin(ctl, event, out); /* neither is in charge */
    }
}

/* Half of all KMs or more are there and hear no controller. */
static bool is_needed(const struct ctl *ctl, const struct qkd_event *event)
{
    struct qkd_span patience = qkd_span_ns(CTL_TERM_PERIODS * ctl->config.status_period.ns);
    uint64_t votes = 0;
    for (uint32_t slot = 0; slot < ctl->peers.top; slot++) {
        const struct ctl_peer *peer = qkd_slab_live(&ctl->peers, slot)
                                          ? qkd_slab_at(&ctl->peers, slot)
                                          : NULL;
        votes += peer != NULL && peer->hears_nobody &&
                 !qkd_time_before(qkd_time_add(peer->said_at, patience), event->now);
    }
    return votes > 0 && 2 * votes >= ctl->config.node_limit;
}

static void look(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    if (ctl->term.own == 0 && is_needed(ctl, event)) {
        begin(ctl, event, out);
    }
}

void ctl_on_term(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                 struct qkd_out *out)
{
    struct wire_term message;
    int err = wire_term_decode(&message, m->bytes, m->len);
    bool is_other = m->rp == QKD_RP_CX && qkd_eid_eq(m->peer, ctl->config.other);
    struct ctl_peer *peer = is_other ? NULL : ctl_peer_find(ctl, m->peer);
    bool is_known = is_other || (m->rp == QKD_RP_CK && peer != NULL && ctl->config.other.v != 0);
    if (err != 0 || message.active > 1 || !is_known || message.term == UINT64_MAX) {
        ctl_bad_bytes(ctl, m, err != 0 ? err : QKD_ERR_INVALID, out);
        return;
    }
    if (is_other) {
        from_other(ctl, event, &message, out);
        return;
    }
    peer->hears_nobody = message.active == 0;
    peer->said_at = event->now;
    see(ctl, event, message.term, out);
    look(ctl, event, out);
}

/* ---- start and time ---- */

void ctl_term_start(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    ctl->term = (struct ctl_term){0};
    if (ctl->config.other.v == 0) {
        return;
    }
    (void)chan_open(ctl->set, event, QKD_RP_CX, ctl->config.other, out);
    bool was_there = event->u.start.incarnation > 1;
    for (size_t i = 0; i < event->u.start.count; i++) {
        const struct qkd_record *record = &event->u.start.records[i];
        struct wire_p_term own;
        if (record->kind == WIRE_PERSIST_TERM &&
            wire_p_term_decode(&own, record->value, record->value_len) > 0) {
            ctl->term.seen = own.term;
            was_there = true;
        }
    }
    if (ctl->config.is_first && !was_there) {
        begin(ctl, event, out);
    }
}

void ctl_term_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    if (ctl->config.other.v != 0) {
        tell_all(ctl, event, out);
        look(ctl, event, out);
    }
}
