/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN controller: the element. FG QIT4N D2.3 clause 8; docs/protocol.md, "Control".
 *
 *   KMC, module            channel UP            STATUS {period}  ──▶
 *   STATUS_RSP {links}     ──▶  topology, ages   (3 periods of silence: asked again, LINK_DOWN)
 *   ROUTE                  ──▶  pays? promised   ROUTE_RSP {route, validity | reason}  ──▶
 *   RESERVE, RELEASE       ──▶  see sessions.c
 *   GENERATION, LIGHT_PATH  ◀──▶  see light.c
 *   a link is worse        ──▶  see pushes.c     ROUTE_TABLE unasked, until acknowledged  ──▶
 *
 * Timers: one sweep per status period for silent KMs; the channels' and reports' own. */
#include "core/controller/controller.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/controller/element.h"
#include "core/crypto/crypto.h"
#include "core/wire/frame.h"

#define INCARNATION_SHIFT 40 /* of message IDs */
#define PEER_CHUNK 64
#define PATHS_DEFAULT 3

struct qkd_span ctl_stale_after(const struct ctl *ctl)
{
    return qkd_span_ns(CTL_STALE_PERIODS * ctl->config.status_period.ns);
}

/* What the controller knows of the network, and what it has given to KMs. */
static void state_init(struct ctl *ctl)
{
    ctl_topology_init(&ctl->topology, ctl->config.node_limit, ctl->config.link_limit,
                      ctl_stale_after(ctl));
    ctl->topology.low_bits = ctl->config.low_mark_bits;
    ctl->topology.pay_bits = ctl->config.mode == CTL_PROACTIVE
                                 ? wire_relay_cost_bits(ctl->config.unit_bits, 1, 1)
                                 : 0;
    ctl->topology.reservable_ppm = ctl->config.reservable_ppm;
    ctl_reach_init(&ctl->reach, ctl->config.node_limit, NULL);
    ctl_kept_init(&ctl->kept);
    ctl_given_init(&ctl->given, ctl->config.mode == CTL_PROACTIVE);
    ctl_reserve_init(&ctl->reserve);
    ctl_answers_init(&ctl->answers, qkd_span_s(CTL_YOUNG_ANSWER_S));
}

static void state_fini(struct ctl *ctl)
{
    ctl_topology_fini(&ctl->topology);
    ctl_answers_fini(&ctl->answers);
    ctl_reach_fini(&ctl->reach);
    ctl_kept_fini(&ctl->kept);
    ctl_given_fini(&ctl->given);
    ctl_reserve_fini(&ctl->reserve);
}

static void state_salt(struct ctl *ctl, const uint8_t salt[16])
{
    ctl_topology_salt(&ctl->topology, salt);
    ctl_answers_salt(&ctl->answers, salt);
    ctl_reach_init(&ctl->reach, ctl->config.node_limit, salt); /* nothing is in it yet */
    ctl_kept_salt(&ctl->kept, salt);
    ctl_given_salt(&ctl->given, salt);
    ctl_reserve_salt(&ctl->reserve, salt);
}

void ctl_state_forget(struct ctl *ctl)
{
    uint8_t salt[16];
    state_fini(ctl);
    state_init(ctl);
    qkd_rng_bytes(&ctl->rng, salt, sizeof salt);
    state_salt(ctl, salt);
    crypto_wipe(salt, sizeof salt);
}

int ctl_new(const struct ctl_config *config, struct ctl **result)
{
    *result = NULL;
    bool is_valid = qkd_eid_role(config->self) == QKD_ROLE_CONTROLLER &&
                    config->status_period.ns > 0 && config->status_period.ns <= INT64_MAX / 16 &&
                    config->route_validity.ns >= 0 && config->node_limit > 0 &&
                    config->link_limit > 0 && config->link_limit < CTL_NONE / 4 &&
                    config->reservable_ppm <= CTL_PPM &&
                    config->optical_limit <= 2 * config->link_limit && config->forecast.ns >= 0 &&
                    (config->mode != CTL_PROACTIVE || config->unit_bits > 0) &&
                    config->paths <= CTL_PATHS_MAX && !qkd_eid_eq(config->other, config->self);
    if (!is_valid) {
        return QKD_ERR_INVALID;
    }
    struct ctl *ctl = calloc(1, sizeof *ctl);
    if (ctl == NULL) {
        return QKD_ERR_NOMEM;
    }
    ctl->config = *config;
    ctl->config.paths = config->paths == 0 ? PATHS_DEFAULT : config->paths;
    ctl->sweep_at = QKD_NEVER;
    ctl->push_at = QKD_NEVER;
    uint32_t modules = 2 * config->link_limit;
    uint32_t others = modules + config->optical_limit;
    uint32_t peers = config->node_limit < UINT32_MAX - others - 2 ? config->node_limit + others
                                                                  : UINT32_MAX - 2;
    struct chan_config channels = {.self = config->self,
                                   .limit = peers + 2, /* manager, other controller */
                                   .retransmit = config->retransmit,
                                   .off = config->measures_off,
                                   .guard = config->guard};
    struct chan_reports_config reports = {
        .self = config->self,
        .to = config->manager,
        .rp = QKD_RP_MC,
        .period = config->status_period,
        .keep_bytes = qkd_is_off(config->measures_off, QKD_MEASURE_RESEND) ? 0
                                                                           : CHAN_REPORT_KEEP_BYTES,
        .fault_limit = config->link_limit};
    int err = chan_reports_init(&ctl->reports, &reports);
    if (err == 0) {
        err = chan_set_new(&channels, &ctl->set);
    }
    if (err != 0) {
        free(ctl);
        return err;
    }
    state_init(ctl);
    ctl_light_init(ctl);
    ctl_search_init(&ctl->search);
    qkd_slab_init(&ctl->peers, sizeof(struct ctl_peer), PEER_CHUNK, peers);
    qkd_map_init(&ctl->peer_map, 8, peers, NULL);
    *result = ctl;
    return 0;
}

void ctl_free(struct ctl *ctl)
{
    if (ctl == NULL) {
        return;
    }
    chan_reports_fini(&ctl->reports);
    chan_set_free(ctl->set);
    state_fini(ctl);
    ctl_light_fini(ctl);
    ctl_search_fini(&ctl->search);
    qkd_slab_fini(&ctl->peers);
    qkd_map_fini(&ctl->peer_map);
    qkd_rng_fini(&ctl->rng);
    free(ctl);
}

void ctl_bad_bytes(const struct ctl *ctl, const struct chan_message *m, int err,
                   struct qkd_out *out)
{
    struct qkd_report report = {.code = QKD_REPORT_BAD_BYTES,
                                .who = ctl->config.self,
                                .peer = m->peer,
                                .a = m->rp,
                                .b = (uint64_t)-err};
    qkd_out_report(out, &report);
}

/* ---- the element ---- */

static void on_report_ack(struct ctl *ctl, const struct chan_message *m, struct qkd_out *out)
{
    struct wire_report_ack ack;
    int err = wire_report_ack_decode(&ack, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    chan_reports_ack(&ctl->reports, ack.seq);
}

static void on_data(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    bool is_asked = head.command != WIRE_CMD_TERM && head.command != WIRE_CMD_REPORT_ACK;
    if (is_asked && !ctl_in_charge(ctl)) {
        return; /* for the one that is */
    }
    bool is_optical = m->rp == QKD_RP_COPS || m->rp == QKD_RP_CQRP;
    bool is_status_point = m->rp == QKD_RP_CK || m->rp == QKD_RP_CQ || is_optical;
    if (head.command == WIRE_CMD_STATUS_RSP && is_status_point) {
        ctl_on_status(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_ROUTE && m->rp == QKD_RP_CK) {
        ctl_on_route(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_ROUTE_TABLE_ACK && m->rp == QKD_RP_CK) {
        ctl_on_table_ack(ctl, m, out);
    } else if (head.command == WIRE_CMD_RESERVE && m->rp == QKD_RP_CK) {
        ctl_on_reserve(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_RELEASE && m->rp == QKD_RP_CK) {
        ctl_on_release(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_STOCK && m->rp == QKD_RP_CK) {
        ctl_on_stock(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_RESOLVE && m->rp == QKD_RP_CK) {
        ctl_on_resolve(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_GENERATION_RSP && (m->rp == QKD_RP_CQ || is_optical)) {
        ctl_light_on_rsp(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_LIGHT_PATH_RSP && m->rp == QKD_RP_COPS) {
        ctl_light_path_rsp(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_TERM) {
        ctl_on_term(ctl, event, m, out);
    } else if (head.command == WIRE_CMD_REPORT_ACK && m->rp == QKD_RP_MC) {
        on_report_ack(ctl, m, out);
    } else {
        ctl_bad_bytes(ctl, m, QKD_ERR_UNKNOWN, out);
    }
}

static void on_receive(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message message;
    enum chan_event what = chan_receive(ctl->set, event, out, &message);
    chan_report_channels(&ctl->reports, event, out);
    switch (what) {
    case CHAN_UP:
        ctl_on_up(ctl, event, &message, out);
        break;
    case CHAN_DATA:
        on_data(ctl, event, &message, out);
        break;
    case CHAN_NONE:
        break;
    }
}

static void on_start(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    qkd_rng_init(&ctl->rng, event->u.start.seed);
    uint8_t salt[16];
    qkd_rng_bytes(&ctl->rng, salt, sizeof salt);
    state_salt(ctl, salt);
    qkd_map_init(&ctl->peer_map, 8, ctl->peers.limit, salt);
    crypto_wipe(salt, sizeof salt);
    ctl->next_message_id = ((uint64_t)event->u.start.incarnation << INCARNATION_SHIFT) + 1;
    ctl->table_version = ctl->next_message_id;
    chan_set_start(ctl->set, event->u.start.incarnation, &ctl->rng);
    chan_reports_start(&ctl->reports, ctl->set, &ctl->next_message_id);
    ctl->sweep_at = qkd_time_add(event->now, ctl->config.status_period);
    ctl_sessions_start(ctl, event);
    if (ctl->config.manager.v != 0) {
        (void)chan_open(ctl->set, event, QKD_RP_MC, ctl->config.manager, out);
    }
    ctl_term_start(ctl, event, out);
}

static int on_config(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err == 0 && (head.command == WIRE_CMD_CFG_LIGHT || head.command == WIRE_CMD_CFG_OPTICAL)) {
        return ctl_light_config(ctl, event);
    }
    if (err != 0 || head.command != WIRE_CMD_CFG_PEER) {
        return err;
    }
    struct wire_cfg_peer peer;
    err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
    if (err == 0) {
        err = chan_provision(ctl->set, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b, out);
    }
    crypto_wipe(&peer, sizeof peer);
    return err;
}

int ctl_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    switch (event->type) {
    case QKD_EV_START:
        on_start(ctl, event, out);
        return 0;
    case QKD_EV_RECV:
        on_receive(ctl, event, out);
        return 0;
    case QKD_EV_TIMEOUT:
        chan_timeout(ctl->set, event, out);
        chan_reports_timeout(&ctl->reports, event, out);
        if (!qkd_time_before(event->now, ctl->sweep_at)) {
            ctl_sweep(ctl, event, out);
        }
        if (!qkd_time_before(event->now, ctl->push_at)) {
            ctl_pushes_repeat(ctl, event, out);
        }
        if (!qkd_time_before(event->now, ctl->light.due)) {
            ctl_light_step(ctl, event, out);
        }
        return 0;
    case QKD_EV_CONFIG:
        return on_config(ctl, event, out);
    case QKD_EV_PEER:
        return 0;
    }
    return QKD_ERR_INVALID;
}

struct qkd_time ctl_deadline(const struct ctl *ctl)
{
    struct qkd_time own = qkd_time_min(ctl->sweep_at, chan_reports_deadline(&ctl->reports));
    own = qkd_time_min(own, qkd_time_min(ctl->push_at, ctl->light.due));
    return qkd_time_min(own, chan_deadline(ctl->set));
}
