/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Application agent: its life and its events. Requests of a master are in request.c, a slave's
 * fetches in fetch.c, questions of an SAE in sae.c. The agent keeps nothing across a restart. */
#include "core/app/app.h"

#include <stdlib.h>

#include "core/app/element.h"
#include "core/base/err.h"
#include "core/crypto/crypto.h"

enum { CHANNELS = 1, CHUNK_COMMANDS = 16 };

int app_new(const struct app_config *config, struct app **app)
{
    *app = NULL;
    if (qkd_eid_role(config->self) != QKD_ROLE_APP ||
        qkd_eid_role(config->partner) != QKD_ROLE_APP || config->key_bits == 0 ||
        config->timeout.ns <= 0 || config->retransmit.ns <= 0 || config->limit == 0 ||
        config->limit > APP_LIMIT_MOST || config->more_count >= WIRE_TARGETS_MAX ||
        (config->session_rate_bps > 0 && config->session_timeout.ns < QKD_NS_PER_S)) {
        return QKD_ERR_INVALID;
    }
    struct app *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    made->config = *config;
    made->config.more = NULL;
    if (config->more_count > 0 && (made->more = malloc((size_t)8 * config->more_count)) == NULL) {
        free(made);
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < config->more_count; i++) {
        wire_put_u64(made->more + (size_t)8 * i, config->more[i].v);
    }
    made->ksa = qkd_eid_sibling(config->self, QKD_ROLE_KSA);
    uint32_t limit = config->limit * APP_COMMANDS_PER_REQUEST;
    qkd_slab_init(&made->commands, sizeof(struct app_command), CHUNK_COMMANDS, limit);
    qkd_slab_init(&made->lists, sizeof(struct app_list), 1, limit);
    qkd_slab_init(&made->saes, sizeof(struct app_sae), CHUNK_COMMANDS, limit);
    qkd_map_init(&made->by_id, sizeof(uint64_t), limit, NULL);
    qkd_slab_init(&made->sessions, sizeof(struct app_session), CHUNK_COMMANDS, config->limit);
    qkd_map_init(&made->by_session, sizeof(uint64_t), config->limit, NULL);
    qkd_timers_init(&made->timers, limit + config->limit);
    made->first_unsent = made->last_unsent = QKD_SLAB_NONE;
    struct chan_config chans = {.self = config->self,
                                .limit = CHANNELS,
                                .retransmit = config->retransmit,
                                .off = config->measures_off,
                                .guard = config->guard};
    int err = chan_set_new(&chans, &made->chans);
    if (err != QKD_OK) {
        app_free(made);
        return err;
    }
    *app = made;
    return QKD_OK;
}

void app_free(struct app *app)
{
    if (app == NULL) {
        return;
    }
    chan_set_free(app->chans);
    app_sae_fini(app);
    qkd_slab_fini(&app->lists);
    qkd_slab_fini(&app->commands);
    qkd_slab_fini(&app->sessions);
    qkd_map_fini(&app->by_session);
    qkd_map_fini(&app->by_id);
    qkd_timers_fini(&app->timers);
    qkd_rng_fini(&app->rng);
    free(app->more);
    free(app);
}

static void on_start(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    app->started = true;
    app->next_message_id = ((uint64_t)event->u.start.incarnation << 40) + 1;
    qkd_rng_init(&app->rng, event->u.start.seed);
    chan_set_start(app->chans, event->u.start.incarnation, &app->rng);
    (void)chan_open(app->chans, event, QKD_RP_AK, app->ksa, out);
}

static int on_config(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err != QKD_OK || head.command != WIRE_CMD_CFG_PEER) {
        return err; /* the directory is the KM's */
    }
    struct wire_cfg_peer peer;
    err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
    if (err == QKD_OK) {
        err = chan_provision(app->chans, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b,
                             out);
    }
    crypto_wipe(&peer, sizeof peer);
    return err;
}

static void on_answer(struct app *app, const struct qkd_event *event,
                      const struct chan_message *message, struct qkd_out *out)
{
    struct wire_head head;
    if (wire_head_decode(&head, message->bytes, message->len) != QKD_OK) {
        return;
    }
    if (head.command == WIRE_CMD_SESSION_OPEN_RSP || head.command == WIRE_CMD_SESSION_CLOSE_RSP) {
        app_session_answered(app, event, message, out);
        return;
    }
    uint32_t slot = app_command_find(app, head.orig_message_id);
    if (slot == QKD_SLAB_NONE) {
        return; /* D23-GM-01: answers nothing that is outstanding */
    }
    const struct app_command *command = app_command_at(app, slot);
    if (head.command == WIRE_CMD_KEY_SUPPLY_RSP && command->kind != APP_DELETE) {
        struct wire_key_supply_rsp answer;
        if (wire_key_supply_rsp_decode(&answer, message->bytes, message->len) != QKD_OK ||
            answer.session_id != command->session_id) {
            return; /* D23-GM-02: what the answer repeats is the command's */
        }
        if (command->kind == APP_REQUEST) {
            app_request_answered(app, event, slot, &answer, out);
        } else if (command->kind == APP_FETCH) {
            app_fetch_answered(app, event, slot, &answer, out);
        } else {
            app_sae_answered(app, event, slot, &answer, out);
        }
    } else if (head.command == WIRE_CMD_KEY_DELETE_RSP && command->kind == APP_DELETE) {
        app_command_end(app, slot); /* nothing depends on how it went */
    }
}

static void on_plain(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    struct qkd_eid from = event->u.recv.from;
    struct wire_load load;
    struct wire_app_notify notify;
    if (event->u.recv.rp == QKD_RP_LOAD && qkd_eid_role(from) == QKD_ROLE_LOAD &&
        wire_load_decode(&load, event->u.recv.bytes, event->u.recv.len) == QKD_OK) {
        if (load.has_hold && app->config.session_rate_bps > 0) {
            app_session_open(app, event, &load, out);
        } else {
            app_request_open(app, event, load.count, 0, out);
        }
    } else if (event->u.recv.rp == QKD_RP_APP && qkd_eid_eq(from, app->config.partner) &&
               wire_app_notify_decode(&notify, event->u.recv.bytes, event->u.recv.len) == QKD_OK) {
        app_fetch_notified(app, event, &notify, out);
    } else if (event->u.recv.rp != QKD_RP_SAE || !app_sae_asked(app, event, out)) {
        qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                                 .who = app->config.self,
                                                 .peer = from,
                                                 .a = event->u.recv.rp,
                                                 .b = (uint64_t)-QKD_ERR_FORMAT});
    }
}

static void on_recv(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    if (event->u.recv.rp != QKD_RP_AK) {
        on_plain(app, event, out);
        return;
    }
    struct chan_message message = {0};
    switch (chan_receive(app->chans, event, out, &message)) {
    case CHAN_UP:
        app_connected(app, event, out);
        break;
    case CHAN_DATA:
        on_answer(app, event, &message, out);
        break;
    case CHAN_NONE:
        break;
    }
}

static void on_timeout(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    chan_timeout(app->chans, event, out);
    uint64_t slot;
    while (qkd_timers_pop(&app->timers, event->now, &slot)) {
        if ((slot & APP_TIMER_SESSION) != 0) {
            app_session_timeout(app, event, (uint32_t)slot, out);
            continue;
        }
        struct app_command *command = app_command_at(app, (uint32_t)slot);
        command->timer = QKD_TIMER_NONE;
        switch ((enum app_kind)command->kind) {
        case APP_REQUEST:
            app_request_timeout(app, event, (uint32_t)slot, out);
            break;
        case APP_FETCH:
            app_fetch_timeout(app, event, (uint32_t)slot, out);
            break;
        case APP_DELETE:
            app_command_end(app, (uint32_t)slot);
            break;
        case APP_FETCH_LIST:
        case APP_STATUS:
            app_sae_timeout(app, event, (uint32_t)slot, out);
            break;
        }
    }
}

int app_step(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    int err = QKD_OK;
    if (app->started == (event->type == QKD_EV_START)) {
        return QKD_ERR_STATE;
    }
    switch (event->type) {
    case QKD_EV_START:
        on_start(app, event, out);
        break;
    case QKD_EV_RECV:
        on_recv(app, event, out);
        break;
    case QKD_EV_TIMEOUT:
        on_timeout(app, event, out);
        break;
    case QKD_EV_PEER:
        break; /* a hint: the channel copes without it */
    case QKD_EV_CONFIG:
        err = on_config(app, event, out);
        break;
    }
    return err != QKD_OK ? err : out->failed ? QKD_ERR_NOMEM : QKD_OK;
}

struct qkd_time app_deadline(const struct app *app)
{
    if (!app->started) {
        return QKD_NEVER;
    }
    return qkd_time_min(qkd_timers_next(&app->timers), chan_deadline(app->chans));
}
