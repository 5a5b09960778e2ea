/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who the controller hears of: KMs and modules that authenticated themselves are commanded to tell their
 * status (D23-CT-05 ... 07), what they tell goes into the topology, and one that falls silent takes its
 * links out of it.
 *
 *   channel UP             STATUS {period}  ──▶
 *   STATUS_RSP {links}     ──▶  topology, ages   (3 periods of silence: asked again, LINK_DOWN) */
#include "core/base/err.h"
#include "core/controller/element.h"

#define SMALL_MESSAGE 128 /* bytes of a STATUS */

static void eid_key(uint8_t key[8], struct qkd_eid eid)
{
    wire_put_u64(key, eid.v);
}

/* ---- peers ---- */

struct ctl_peer *ctl_peer_find(const struct ctl *ctl, struct qkd_eid eid)
{
    uint8_t key[8];
    eid_key(key, eid);
    uint32_t slot = qkd_map_get(&ctl->peer_map, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&ctl->peers, slot);
}

/* NULL at a limit or without memory: the peer may speak again later. */
static struct ctl_peer *peer_add(struct ctl *ctl, struct qkd_eid eid, struct qkd_time now)
{
    uint32_t node = CTL_NONE;
    if (qkd_eid_role(eid) == QKD_ROLE_KMC) {
        node = ctl_topology_node(&ctl->topology, qkd_eid_node(eid));
        if (node == CTL_NONE || ctl_search_fit(&ctl->search, ctl->topology.node_count) != 0) {
            return NULL;
        }
    }
    uint32_t slot = qkd_slab_take(&ctl->peers);
    if (slot == QKD_SLAB_NONE) {
        return NULL;
    }
    uint8_t key[8];
    eid_key(key, eid);
    if (qkd_map_put(&ctl->peer_map, key, slot) != 0) {
        qkd_slab_give(&ctl->peers, slot);
        return NULL;
    }
    struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
    *peer = (struct ctl_peer){.eid = eid, .heard = now, .node = node, .push_at = QKD_NEVER};
    return peer;
}

/* Where a peer and the controller meet. */
static enum qkd_rp rp_of(const struct ctl_peer *peer)
{
    switch (qkd_eid_role(peer->eid)) {
    case QKD_ROLE_MODULE:
        return QKD_RP_CQ;
    case QKD_ROLE_SWITCH:
        return QKD_RP_COPS;
    case QKD_ROLE_RELAY_POINT:
        return QKD_RP_CQRP;
    default:
        return QKD_RP_CK;
    }
}

static void status_command(struct ctl *ctl, const struct qkd_event *event,
                           const struct ctl_peer *peer, struct qkd_out *out)
{
    bool is_km = peer->node != CTL_NONE;
    enum qkd_rp rp = rp_of(peer);
    int64_t period_ms = ctl->config.status_period.ns / QKD_NS_PER_MS;
    uint32_t delay = ctl->config.routing == CTL_LOWEST_DELAY ? WIRE_STATUS_DELAY : 0;
    struct wire_status status = {.head = {.rp = (uint8_t)rp,
                                          .message_id = ctl->next_message_id++,
                                          .sender = ctl->config.self},
                                 .has_period_ms = true,
                                 .period_ms = period_ms < 1            ? 1
                                              : period_ms > UINT32_MAX ? UINT32_MAX
                                                                       : (uint32_t)period_ms,
                                 .has_term = ctl->term.own != 0,
                                 .term = ctl->term.own,
                                 .table = is_km ? delay | WIRE_STATUS_KEY_AMOUNT |
                                                      WIRE_STATUS_CONSUMPTION |
                                                      WIRE_STATUS_KM_LINK | WIRE_STATUS_KEY_RATE
                                                : WIRE_STATUS_KEY_RATE | WIRE_STATUS_QKD_LINK};
    uint8_t bytes[SMALL_MESSAGE];
    int len = wire_status_encode(&status, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {.rp = rp, .peer = peer->eid, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}

void ctl_on_up(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
               struct qkd_out *out)
{
    if (m->rp == QKD_RP_MC || m->rp == QKD_RP_CX) {
        return;
    }
    struct ctl_peer *peer = ctl_peer_find(ctl, m->peer);
    if (peer == NULL) {
        peer = peer_add(ctl, m->peer, event->now);
    }
    if (peer == NULL) {
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        return;
    }
    if (peer->node != CTL_NONE && peer->incarnation != m->peer_incarnation) {
        ctl_sessions_drop(ctl, event, peer->eid, WIRE_REASON_RESTARTED, out);
    }
    peer->incarnation = m->peer_incarnation;
    peer->obeys = false;
    if (!ctl_in_charge(ctl)) {
        return;
    }
    status_command(ctl, event, peer, out);
    if (peer->node != CTL_NONE) {
        ctl_table_to(ctl, event, peer->eid, out);
    } else {
        ctl_light_up(ctl, event, peer->eid);
    }
}

void ctl_command_all(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < ctl->peers.top; slot++) {
        if (!qkd_slab_live(&ctl->peers, slot)) {
            continue;
        }
        struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
        peer->heard = event->now; /* its silence begins now */
        if (chan_is_up(ctl->set, rp_of(peer), peer->eid)) {
            status_command(ctl, event, peer, out);
        }
    }
}

/* ---- silent KMs ---- */

/* A KM that says nothing takes its links out of the controller's network; the alarm stands on each
 * link until both its ends are heard of. */
static void links_silent(struct ctl *ctl, const struct qkd_event *event,
                         const struct ctl_peer *peer, struct qkd_out *out)
{
    const struct ctl_topology *t = &ctl->topology;
    for (uint32_t h = t->nodes[peer->node].first; h != CTL_NONE; h = t->halves[h].next) {
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_LINK_DOWN, t->links[h >> 1].id,
                                out);
        ctl_topology_worse(&ctl->topology, h >> 1, QKD_WORSE_DOWN);
    }
}

static void links_heard(struct ctl *ctl, const struct qkd_event *event, const struct ctl_peer *peer,
                        struct qkd_out *out)
{
    const struct ctl_topology *t = &ctl->topology;
    for (uint32_t h = t->nodes[peer->node].first; h != CTL_NONE; h = t->halves[h].next) {
        uint32_t number = t->nodes[t->halves[h].to].number;
        const struct ctl_peer *other = ctl_peer_find(ctl, qkd_eid_make(QKD_ROLE_KMC, 0, number));
        if (other == NULL || !other->silent) {
            (void)chan_report_clear(&ctl->reports, event, WIRE_FAULT_LINK_DOWN, t->links[h >> 1].id,
                                    out);
        }
    }
}

/* In slot order, so that the order of what is sent is the same in every run. */
void ctl_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct qkd_time oldest = {event->now.ns - ctl_stale_after(ctl).ns};
    ctl->sweep_at = qkd_time_add(event->now, ctl->config.status_period);
    ctl_term_sweep(ctl, event, out);
    if (!ctl_in_charge(ctl)) {
        return;
    }
    for (uint32_t slot = 0; slot < ctl->peers.top; slot++) {
        if (!qkd_slab_live(&ctl->peers, slot)) {
            continue;
        }
        struct ctl_peer *peer = qkd_slab_at(&ctl->peers, slot);
        bool is_km = peer->node != CTL_NONE;
        if (qkd_time_before(peer->heard, oldest)) {
            if (is_km && !peer->silent) {
                links_silent(ctl, event, peer, out);
                ctl_sessions_drop(ctl, event, peer->eid, WIRE_REASON_UNREACHABLE, out);
            }
            peer->silent = true;
        } else if (peer->obeys) {
            continue;
        }
        if (chan_is_up(ctl->set, rp_of(peer), peer->eid)) {
            status_command(ctl, event, peer, out);
        }
    }
    ctl_pushes_sweep(ctl, event);
    ctl_reroute(ctl, event, out);
    ctl_table_sweep(ctl, event, out);
    ctl_sessions_sweep(ctl, event, out);
    ctl_light_sweep(ctl, event, out);
}

/* ---- status ---- */

/* Whether a blob holds whole records of one kind and nothing else; else nothing of it is used. */
#define DEFINE_CHECK(name)                                                                         \
    static int name##_check(struct wire_bytes blob)                                                \
    {                                                                                              \
        struct wire_##name record;                                                                 \
        for (size_t at = 0; at < blob.len;) {                                                      \
            int len = wire_##name##_decode(&record, blob.at + at, blob.len - at);                  \
            if (len < 0) {                                                                         \
                return len;                                                                        \
            }                                                                                      \
            at += (size_t)len;                                                                     \
        }                                                                                          \
        return 0;                                                                                  \
    }
DEFINE_CHECK(link_status)
DEFINE_CHECK(module_status)

static void links_take(struct ctl *ctl, const struct qkd_event *event, const struct ctl_peer *peer,
                       struct wire_bytes blob, struct qkd_out *out)
{
    struct wire_link_status status;
    for (size_t at = 0; at < blob.len;) {
        int len = wire_link_status_decode(&status, blob.at + at, blob.len - at);
        if (len <= 0) {
            return;
        }
        at += (size_t)len;
        int err = ctl_topology_status(&ctl->topology, peer->node, &status, event->now);
        if (err == QKD_ERR_LIMIT || err == QKD_ERR_NOMEM) {
            (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        }
    }
}

/* A module speaks for its own light. */
static void modules_take(struct ctl *ctl, const struct ctl_peer *peer, struct wire_bytes blob)
{
    struct wire_module_status status;
    for (size_t at = 0; at < blob.len;) {
        int len = wire_module_status_decode(&status, blob.at + at, blob.len - at);
        if (len <= 0) {
            return;
        }
        at += (size_t)len;
        if (qkd_eid_eq(status.module, peer->eid)) {
            ctl_topology_noise(&ctl->topology, qkd_eid_node(peer->eid), status.link,
                               status.qber_ppm);
            ctl_topology_rate(&ctl->topology, qkd_eid_node(peer->eid), status.link,
                              ctl_light_status(ctl, &status));
        }
    }
}

void ctl_on_status(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                   struct qkd_out *out)
{
    struct wire_status_rsp rsp;
    int err = wire_status_rsp_decode(&rsp, m->bytes, m->len);
    err = err == 0 ? link_status_check(rsp.links) : err;
    err = err == 0 ? module_status_check(rsp.modules) : err;
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    struct ctl_peer *peer = ctl_peer_find(ctl, m->peer);
    if (peer == NULL) {
        peer = peer_add(ctl, m->peer, event->now);
    }
    if (peer == NULL || rsp.head.message_id <= peer->last_status_id) {
        return;
    }
    peer->last_status_id = rsp.head.message_id;
    peer->heard = event->now;
    peer->obeys = peer->obeys || rsp.head.orig_message_id != 0;
    if (peer->node != CTL_NONE) {
        if (peer->silent) {
            links_heard(ctl, event, peer, out);
        }
        links_take(ctl, event, peer, rsp.links, out);
        ctl_reach_take(ctl, event, peer, &rsp);
    } else if (m->rp == QKD_RP_CQ) {
        modules_take(ctl, peer, rsp.modules);
    } else {
        ctl_optical_status(ctl, event, peer->eid, rsp.opticals, out);
    }
    peer->silent = false;
    ctl_reroute(ctl, event, out);
    if (peer->push_rest) {
        ctl_table_to(ctl, event, peer->eid, out);
    }
}
