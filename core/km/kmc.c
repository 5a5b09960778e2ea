/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KM's control and management function: the element. It meets its siblings KMA and KSA at KMI,
 * the modules of its node at Kq-2, the controller at Ck and the manager at Mk (D2.3 clause 11):
 *
 *   KMI  STATUS_RSP, ROUTE, RESERVE, RELEASE, GENERATION, reports
 *                              ──▶  KMC  ◀── Kq-2  STATUS_RSP, GENERATION_RSP
 *   Ck   STATUS_RSP, ROUTE, RESERVE, RELEASE ◀──                            ──▶ Mk    reports, renumbered
 *
 * It keeps nothing across a restart but whom of two controllers it follows (kmc_term.c): all else that it
 * knows is said again within a period. */
#include "core/km/kmc.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/measure.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/km/kmc_state.h"

#define INCARNATION_SHIFT 40 /* of message IDs */
#define OTHER_CHANNELS 5     /* Ck twice, Mk, KMI with KMA and KSA */

int kmc_new(const struct km_config *config, struct kmc **result)
{
    *result = NULL;
    if (config->status_period.ns <= 0 || config->retransmit.ns <= 0 || config->link_limit == 0 ||
        config->request_limit == 0 || config->retransmit.ns > INT64_MAX / 16) {
        return QKD_ERR_INVALID;
    }
    struct kmc *kmc = calloc(1, sizeof *kmc);
    if (kmc == NULL) {
        return QKD_ERR_NOMEM;
    }
    kmc->config = config;
    kmc->self = qkd_eid_make(QKD_ROLE_KMC, 0, config->node);
    kmc->kma = qkd_eid_sibling(kmc->self, QKD_ROLE_KMA);
    kmc->ksa = qkd_eid_sibling(kmc->self, QKD_ROLE_KSA);
    kmc->tick_at = QKD_NEVER;
    kmc->push_at = QKD_NEVER;
    struct chan_config channels = {.self = kmc->self,
                                   .limit = config->link_limit + OTHER_CHANNELS,
                                   .retransmit = config->retransmit,
                                   .off = config->measures_off,
                                   .guard = config->guard};
    struct chan_reports_config reports = {.self = kmc->self,
                                          .to = config->manager,
                                          .rp = QKD_RP_MK,
                                          .period = config->status_period,
                                          .keep_bytes = qkd_is_off(config->measures_off,
                                                                   QKD_MEASURE_RESEND)
                                                            ? 0
                                                            : CHAN_REPORT_KEEP_BYTES};
    int err = chan_reports_init(&kmc->reports, &reports);
    err = err == 0 ? chan_set_new(&channels, &kmc->set) : err;
    if (err != 0) {
        free(kmc);
        return err;
    }
    qkd_map_init(&kmc->link_map, 4, config->link_limit, NULL);
    kmc_pending_init(kmc, NULL);
    kmc_reserve_init(kmc, NULL);
    kmc_map_init(kmc, NULL);
    *result = kmc;
    return 0;
}

void kmc_free(struct kmc *kmc)
{
    if (kmc == NULL) {
        return;
    }
    kmc_pending_fini(kmc);
    kmc_reserve_fini(kmc);
    kmc_map_fini(kmc);
    kmc_reach_fini(kmc);
    chan_reports_fini(&kmc->reports);
    chan_set_free(kmc->set);
    qkd_map_fini(&kmc->link_map);
    qkd_rng_fini(&kmc->rng);
    free(kmc->links);
    free(kmc);
}

struct wire_head kmc_head(struct kmc *kmc, enum qkd_rp rp, uint64_t orig)
{
    return (struct wire_head){.rp = (uint8_t)rp,
                              .message_id = kmc->next_message_id++,
                              .orig_message_id = orig,
                              .sender = kmc->self};
}

void kmc_bad_bytes(const struct kmc *kmc, const struct chan_message *m, int err,
                   struct qkd_out *out)
{
    struct qkd_report report = {.code = QKD_REPORT_BAD_BYTES,
                                .who = kmc->self,
                                .peer = m->peer,
                                .a = m->rp,
                                .b = (uint64_t)-err};
    qkd_out_report(out, &report);
}

/* Authenticated, but not the one of its role that may speak to this KMC. */
static void denied(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                   struct qkd_out *out)
{
    chan_report_security(&kmc->reports, event, WIRE_FAULT_DENIED, m->rp, out);
    kmc_bad_bytes(kmc, m, QKD_ERR_DENIED, out);
}

/* In experiments: who is authenticated needs no right. */
static bool anybody(const struct kmc *kmc)
{
    return qkd_is_off(kmc->config->measures_off, QKD_MEASURE_AUTHORIZATION);
}

/* ---- one handler per reference point ---- */

static void report_pass_on(struct kmc *kmc, const struct qkd_event *event,
                           const struct chan_message *m, struct qkd_out *out)
{
    struct wire_bytes message = {m->bytes, m->len};
    struct qkd_eid source;
    if (!chan_report_source(message, &source)) {
        kmc_bad_bytes(kmc, m, QKD_ERR_FORMAT, out);
    } else if (!qkd_eid_eq(source, m->peer)) {
        denied(kmc, event, m, out);
    } else {
        chan_report_forward(&kmc->reports, event, message, out);
    }
}

static void on_kmi(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                   uint8_t command, struct qkd_out *out)
{
    bool is_kma = qkd_eid_eq(m->peer, kmc->kma);
    if (!is_kma && !qkd_eid_eq(m->peer, kmc->ksa)) {
        denied(kmc, event, m, out);
    } else if (command >= WIRE_CMD_FAULT && command <= WIRE_CMD_METADATA) {
        report_pass_on(kmc, event, m, out);
    } else if (command == WIRE_CMD_STATUS_RSP && is_kma) {
        kmc_status_from_kma(kmc, event, m, out);
    } else if (command == WIRE_CMD_ROUTE && is_kma) {
        kmc_route_from_kma(kmc, event, m, out);
    } else if (command == WIRE_CMD_LINK_STATE && is_kma) {
        kmc_map_receive(kmc, event, m, out);
    } else if (command == WIRE_CMD_STOCK && !is_kma) {
        kmc_stock_from_ksa(kmc, event, m, out);
    } else if (command == WIRE_CMD_RESOLVE && !is_kma) {
        kmc_reach_from_ksa(kmc, event, m, out);
    } else if (command == WIRE_CMD_KSA_ADDRESS && !is_kma) {
        kmc_reach_ksa_address(kmc, event, m, out);
    } else if (command == WIRE_CMD_GENERATION && is_kma) {
        kmc_generation_from_kma(kmc, event, m, out);
    } else if (command == WIRE_CMD_RESERVE && !is_kma) {
        kmc_reserve_from_ksa(kmc, event, m, out);
    } else if (command == WIRE_CMD_RELEASE && !is_kma) {
        kmc_release_from_ksa(kmc, event, m, out);
    } else {
        kmc_bad_bytes(kmc, m, QKD_ERR_UNKNOWN, out);
    }
}

static void on_kq2(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                   uint8_t command, struct qkd_out *out)
{
    if (qkd_eid_node(m->peer) != kmc->config->node && !anybody(kmc) && !QKDN_MUTANT(MODULE_ANY)) {
        denied(kmc, event, m, out);
    } else if (command == WIRE_CMD_STATUS_RSP) {
        kmc_status_from_module(kmc, event, m, out);
    } else if (command == WIRE_CMD_GENERATION_RSP) {
        kmc_generation_answer(kmc, event, m, out);
    } else {
        kmc_bad_bytes(kmc, m, QKD_ERR_UNKNOWN, out);
    }
}

static void on_ck(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                  uint8_t command, struct qkd_out *out)
{
    bool is_standby = kmc->config->standby.v != 0 && qkd_eid_eq(m->peer, kmc->config->standby);
    if (!is_standby && !qkd_eid_eq(m->peer, kmc->config->controller) && !anybody(kmc) &&
        !QKDN_MUTANT(CONTROLLER_ANY)) {
        denied(kmc, event, m, out);
        return;
    }
    if (!kmc_term_admits(kmc, event, m, command, out)) {
        return;
    }
    (void)chan_report_clear(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
    if (command == WIRE_CMD_STATUS) {
        kmc_status_command(kmc, event, m, out);
    } else if (command == WIRE_CMD_ROUTE_RSP) {
        kmc_route_answer(kmc, event, m, out);
    } else if (command == WIRE_CMD_RESERVE_RSP) {
        kmc_reserve_answer(kmc, event, m, out);
    } else if (command == WIRE_CMD_RELEASE_RSP) {
        kmc_release_answer(kmc, event, m, out);
    } else if (command == WIRE_CMD_ROUTE_TABLE) {
        kmc_route_table(kmc, event, m, out);
    } else if (command == WIRE_CMD_STOCK_RSP) {
        kmc_stock_answer(kmc, event, m, out);
    } else if (command == WIRE_CMD_RESOLVE_RSP) {
        kmc_reach_answer(kmc, event, m, out);
    } else {
        kmc_bad_bytes(kmc, m, QKD_ERR_UNKNOWN, out);
    }
}

static void on_mk(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                  uint8_t command, struct qkd_out *out)
{
    struct wire_report_ack ack;
    if (!qkd_eid_eq(m->peer, kmc->config->manager) && !anybody(kmc) && !QKDN_MUTANT(MANAGER_ANY)) {
        denied(kmc, event, m, out);
    } else if (command != WIRE_CMD_REPORT_ACK ||
               wire_report_ack_decode(&ack, m->bytes, m->len) != 0) {
        kmc_bad_bytes(kmc, m, QKD_ERR_UNKNOWN, out);
    } else {
        chan_reports_ack(&kmc->reports, ack.seq);
        kmc->manager_heard = event->now;
        (void)chan_report_clear(&kmc->reports, event, WIRE_FAULT_MANAGER_LOST, 0, out);
    }
}

static void on_data(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    switch (m->rp) {
    case QKD_RP_KMI:
        on_kmi(kmc, event, m, head.command, out);
        break;
    case QKD_RP_KQ2:
        on_kq2(kmc, event, m, head.command, out);
        break;
    case QKD_RP_CK:
        on_ck(kmc, event, m, head.command, out);
        break;
    case QKD_RP_MK:
        on_mk(kmc, event, m, head.command, out);
        break;
    default:
        denied(kmc, event, m, out);
        break;
    }
}

/* ---- events ---- */

static void on_receive(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message message;
    enum chan_event what = chan_receive(kmc->set, event, out, &message);
    chan_report_channels(&kmc->reports, event, out);
    switch (what) {
    case CHAN_UP:
        if (message.rp == QKD_RP_CK && qkd_eid_eq(message.peer, kmc->controller)) {
            (void)chan_report_clear(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
            kmc_reserve_controller_up(kmc, event, out);
        } else if (message.rp == QKD_RP_KMI && qkd_eid_eq(message.peer, kmc->ksa)) {
            kmc_reserve_ksa_up(kmc, event, message.peer_incarnation, out);
        }
        break;
    case CHAN_DATA:
        on_data(kmc, event, &message, out);
        break;
    case CHAN_NONE:
        break;
    }
}

static void on_start(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    uint8_t salt[16];
    qkd_rng_init(&kmc->rng, event->u.start.seed);
    qkd_rng_bytes(&kmc->rng, salt, sizeof salt);
    qkd_map_init(&kmc->link_map, 4, kmc->config->link_limit, salt);
    kmc_pending_init(kmc, salt);
    kmc_reserve_init(kmc, salt);
    kmc_map_init(kmc, salt);
    crypto_wipe(salt, sizeof salt);
    kmc->next_message_id = ((uint64_t)event->u.start.incarnation << INCARNATION_SHIFT) + 1;
    chan_set_start(kmc->set, event->u.start.incarnation, &kmc->rng);
    chan_reports_start(&kmc->reports, kmc->set, &kmc->next_message_id);
    struct qkd_span silent = qkd_span_ns(KMC_SILENT_PERIODS * kmc->config->status_period.ns);
    kmc->tick_at = qkd_time_add(event->now, kmc->config->status_period);
    kmc->controller_due = qkd_time_add(event->now, silent);
    kmc->manager_heard = event->now;
    kmc->started = true;
    kmc_term_start(kmc, event);
    kmc_map_start(kmc, event);
    if (kmc->config->standby.v != 0) {
        (void)chan_open(kmc->set, event, QKD_RP_CK, kmc->config->standby, out);
    }
    if (kmc->config->controller.v != 0) {
        (void)chan_open(kmc->set, event, QKD_RP_CK, kmc->config->controller, out);
    }
    if (kmc->config->manager.v != 0) {
        (void)chan_open(kmc->set, event, QKD_RP_MK, kmc->config->manager, out);
    }
}

static int on_config(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err != 0) {
        return err;
    }
    if (head.command == WIRE_CMD_CFG_LINK) {
        return kmc_link_configure(kmc, event);
    }
    if (head.command == WIRE_CMD_CFG_SERVES) {
        return kmc_reach_configure(kmc, event, out);
    }
    if (head.command != WIRE_CMD_CFG_PEER) {
        return 0; /* for a sibling */
    }
    struct wire_cfg_peer peer;
    err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
    if (err == 0) {
        err = chan_provision(kmc->set, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b, out);
    }
    crypto_wipe(&peer, sizeof peer);
    return err;
}

int kmc_step(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    switch (event->type) {
    case QKD_EV_START:
        on_start(kmc, event, out);
        return 0;
    case QKD_EV_RECV:
        on_receive(kmc, event, out);
        return 0;
    case QKD_EV_TIMEOUT:
        chan_timeout(kmc->set, event, out);
        chan_reports_timeout(&kmc->reports, event, out);
        kmc_pending_timeout(kmc, event, out);
        kmc_status_timeout(kmc, event, out);
        return 0;
    case QKD_EV_CONFIG:
        return on_config(kmc, event, out);
    case QKD_EV_PEER:
        return 0;
    }
    return QKD_ERR_INVALID;
}

struct qkd_time kmc_deadline(const struct kmc *kmc)
{
    struct qkd_time own = qkd_time_min(kmc->tick_at, kmc->push_at);
    own = qkd_time_min(own, qkd_timers_next(&kmc->timers));
    own = qkd_time_min(own, chan_reports_deadline(&kmc->reports));
    return qkd_time_min(own, chan_deadline(kmc->set));
}
