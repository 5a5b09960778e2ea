/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKD module agent: its life and its events. Key files are in push.c, control and status in
 * control.c. The agent keeps nothing across a restart: a block that was not acknowledged then is
 * confirmed by neither KMA and so enters no pool. */
#include "core/module/module.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/module/element.h"

enum { CHANNELS = 5 }; /* Kq-1, Kq-2, Cq twice, Mq */

static int parts_new(struct mod *mod)
{
    struct chan_config chans = {.self = mod->config.self,
                                .limit = CHANNELS,
                                .retransmit = mod->config.retransmit,
                                .off = mod->config.measures_off,
                                .guard = mod->config.guard};
    struct chan_reports_config reports = {
        .self = mod->config.self,
        .to = mod->config.manager,
        .rp = QKD_RP_MQ,
        .period = mod->config.status_period,
        .keep_bytes = qkd_is_off(mod->config.measures_off, QKD_MEASURE_RESEND)
                          ? 0
                          : CHAN_REPORT_KEEP_BYTES,
    };
    int err = chan_set_new(&chans, &mod->chans);
    if (err != QKD_OK) {
        return err;
    }
    return chan_reports_init(&mod->reports, &reports);
}

int mod_new(const struct mod_config *config, struct mod **mod)
{
    *mod = NULL;
    if (qkd_eid_role(config->self) != QKD_ROLE_MODULE || config->retransmit.ns <= 0 ||
        config->status_period.ns <= 0 || config->queue_limit == 0) {
        return QKD_ERR_INVALID;
    }
    struct mod *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    made->config = *config;
    made->kma = qkd_eid_sibling(config->self, QKD_ROLE_KMA);
    made->kmc = qkd_eid_sibling(config->self, QKD_ROLE_KMC);
    made->device = qkd_eid_make(QKD_ROLE_DEVICE, qkd_eid_instance(config->self),
                                qkd_eid_node(config->self));
    qkd_timers_init(&made->timers, MOD_WINDOW);
    mod_files_init(&made->files, config->queue_limit);
    mod_watchers_init(made);
    int err = parts_new(made);
    if (err != QKD_OK) {
        mod_free(made);
        return err;
    }
    *mod = made;
    return QKD_OK;
}

void mod_free(struct mod *mod)
{
    if (mod == NULL) {
        return;
    }
    chan_reports_fini(&mod->reports);
    chan_set_free(mod->chans);
    mod_files_fini(&mod->files);
    qkd_timers_fini(&mod->timers);
    qkd_rng_fini(&mod->rng);
    free(mod);
}

struct wire_head mod_head(struct mod *mod, enum qkd_rp rp, uint64_t orig)
{
    return (struct wire_head){.rp = (uint8_t)rp,
                              .message_id = mod->next_message_id++,
                              .orig_message_id = orig,
                              .sender = mod->config.self};
}

static void on_start(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    mod->started = true;
    mod->silent_at = QKD_NEVER;
    mod->next_message_id = ((uint64_t)event->u.start.incarnation << 40) + 1;
    qkd_rng_init(&mod->rng, event->u.start.seed);
    chan_set_start(mod->chans, event->u.start.incarnation, &mod->rng);
    chan_reports_start(&mod->reports, mod->chans, &mod->next_message_id);
    (void)chan_open(mod->chans, event, QKD_RP_KQ1, mod->kma, out);
    for (size_t i = 0; i < MOD_WATCHERS; i++) {
        struct mod_watcher *watcher = &mod->watcher[i];
        if (!qkd_eid_eq(watcher->peer, QKD_NOBODY)) {
            (void)chan_open(mod->chans, event, watcher->rp, watcher->peer, out);
            watcher->next_push = qkd_time_add(event->now, watcher->period);
        }
    }
    if (!qkd_eid_eq(mod->config.manager, QKD_NOBODY)) {
        (void)chan_open(mod->chans, event, QKD_RP_MQ, mod->config.manager, out);
    }
}

static int on_cfg_link(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_cfg_link link;
    int err = wire_cfg_link_decode(&link, event->u.config.bytes, event->u.config.len);
    if (err != QKD_OK) {
        return err;
    }
    if (!qkd_eid_eq(link.module, mod->config.self)) {
        return QKD_ERR_INVALID;
    }
    mod->linked = true;
    mod->link = link.link;
    mod->matching = link.peer_module;
    mod->command.run = mod->command.run && !(link.has_commanded && link.commanded == 1);
    mod_device_update(mod, event, out);
    return QKD_OK;
}

static int on_config(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err != QKD_OK) {
        return err;
    }
    switch (head.command) {
    case WIRE_CMD_CFG_PEER: {
        struct wire_cfg_peer peer;
        err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
        if (err == QKD_OK) {
            err = chan_provision(mod->chans, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b,
                                 out);
        }
        crypto_wipe(&peer, sizeof peer);
        return err;
    }
    case WIRE_CMD_CFG_LINK:
        return on_cfg_link(mod, event, out);
    default:
        return QKD_OK; /* not for modules */
    }
}

static void on_report_ack(struct mod *mod, const struct chan_message *message)
{
    struct wire_report_ack ack;
    if (wire_report_ack_decode(&ack, message->bytes, message->len) == QKD_OK) {
        chan_reports_ack(&mod->reports, ack.seq);
    }
}

static void on_message(struct mod *mod, const struct qkd_event *event,
                       const struct chan_message *message, struct qkd_out *out)
{
    switch (message->rp) {
    case QKD_RP_KQ1:
        mod_push_acked(mod, event, message, out);
        break;
    case QKD_RP_KQ2:
    case QKD_RP_CQ:
        mod_control(mod, event, message, out);
        break;
    case QKD_RP_MQ:
        on_report_ack(mod, message);
        break;
    default:
        break;
    }
}

static void on_device(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.recv.bytes, event->u.recv.len);
    if (err == QKD_OK && head.command == WIRE_CMD_Q_NOISE) {
        mod_noise(mod, event, out);
    } else {
        mod_block(mod, event, out);
    }
}

static void on_recv(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    if (event->u.recv.rp == QKD_RP_Q) {
        if (qkd_eid_eq(event->u.recv.from, mod->device)) {
            on_device(mod, event, out);
        }
        return;
    }
    struct chan_message message = {0};
    switch (chan_receive(mod->chans, event, out, &message)) {
    case CHAN_UP:
        if (message.rp == QKD_RP_KQ1) {
            mod_push_connected(mod, event, out);
            mod_device_update(mod, event, out);
        } else if (message.rp == QKD_RP_KQ2) {
            mod_control_connected(mod, event, out);
        }
        break;
    case CHAN_DATA:
        on_message(mod, event, &message, out);
        break;
    case CHAN_NONE:
        break;
    }
    chan_report_channels(&mod->reports, event, out);
}

/* Whoever restarted waits for us to open the channel; the next key file may be long in coming. */
static void on_peer_back(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    struct qkd_eid peer = event->u.peer.peer;
    if (qkd_eid_eq(peer, mod->kma)) {
        chan_greet(mod->chans, event, QKD_RP_KQ1, peer, out);
    }
    for (size_t i = 0; i < MOD_WATCHERS; i++) {
        if (qkd_eid_eq(peer, mod->watcher[i].peer)) {
            chan_greet(mod->chans, event, mod->watcher[i].rp, peer, out);
        }
    }
    if (qkd_eid_eq(peer, mod->config.manager)) {
        chan_greet(mod->chans, event, QKD_RP_MQ, peer, out);
    }
}

int mod_step(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    int err = QKD_OK;
    if (mod->started == (event->type == QKD_EV_START)) {
        return QKD_ERR_STATE;
    }
    switch (event->type) {
    case QKD_EV_START:
        on_start(mod, event, out);
        break;
    case QKD_EV_RECV:
        on_recv(mod, event, out);
        break;
    case QKD_EV_TIMEOUT:
        chan_timeout(mod->chans, event, out);
        mod_push_timeout(mod, event, out);
        mod_silence_timeout(mod, event, out);
        mod_watchers_timeout(mod, event, out);
        chan_reports_timeout(&mod->reports, event, out);
        break;
    case QKD_EV_PEER: /* a hint: channels and repetitions cope without it, later */
        if (event->u.peer.up) {
            on_peer_back(mod, event, out);
        }
        break;
    case QKD_EV_CONFIG:
        err = on_config(mod, event, out);
        break;
    }
    return err != QKD_OK ? err : out->failed ? QKD_ERR_NOMEM : QKD_OK;
}

struct qkd_time mod_deadline(const struct mod *mod)
{
    if (!mod->started) {
        return QKD_NEVER;
    }
    struct qkd_time own = qkd_time_min(qkd_timers_next(&mod->timers), mod_watchers_deadline(mod));
    own = qkd_time_min(own, mod->silent_at);
    struct qkd_time below = qkd_time_min(chan_deadline(mod->chans),
                                         chan_reports_deadline(&mod->reports));
    return qkd_time_min(own, below);
}
