/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Agent of an optical switch or of a quantum relay point: see module/optical.h. */
#include "core/module/optical.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/channel/channel.h"
#include "core/crypto/crypto.h"
#include "core/module/generation.h"
#include "core/wire/codec.h"

enum {
    CONTROLLERS = 2,
    MOST_LINKS = 64,     /* of a switch */
    MESSAGE_BYTES = 256, /* enough for every message this file sends */
    STATUS_TABLE = WIRE_STATUS_QKD_LINK
};

/* A controller, as one that commands and is told the status. */
struct master {
    struct qkd_eid eid; /* QKD_NOBODY: there is none */
    uint64_t last_id;   /* newest command obeyed: older ones come late */
    uint64_t last_status_id;
    struct qkd_span period;
    struct qkd_time next_push;
};

struct mod_optical {
    struct mod_optical_config config;
    enum qkd_rp rp; /* Cops or Cqrp */
    struct chan_set *chans;
    struct qkd_rng rng;
    bool started;
    uint64_t next_message_id;
    uint32_t links[MOST_LINKS];
    uint32_t link_count;
    struct master master[CONTROLLERS];
    uint64_t term;           /* the highest that was heard */
    uint32_t link;           /* whose light may pass; WIRE_NO_LINK: none */
    uint32_t turning_to;     /* the switch turns to this link until `done_at`; else WIRE_NO_LINK */
    struct qkd_time done_at; /* QKD_NEVER: nothing is in work */
    struct qkd_eid asked_by; /* who commanded what is in work, and by which message */
    uint64_t asked_id;
};

/* ---- life ---- */

int mod_optical_new(const struct mod_optical_config *config, struct mod_optical **optical)
{
    *optical = NULL;
    enum qkd_role role = qkd_eid_role(config->self);
    if ((role != QKD_ROLE_SWITCH && role != QKD_ROLE_RELAY_POINT) || config->retransmit.ns <= 0 ||
        config->status_period.ns <= 0 || config->switching.ns < 0) {
        return QKD_ERR_INVALID;
    }
    struct mod_optical *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    struct chan_config chans = {.self = config->self,
                                .limit = CONTROLLERS,
                                .retransmit = config->retransmit,
                                .off = config->measures_off,
                                .guard = config->guard};
    made->config = *config;
    made->rp = role == QKD_ROLE_SWITCH ? QKD_RP_COPS : QKD_RP_CQRP;
    made->link = made->turning_to = WIRE_NO_LINK;
    made->done_at = QKD_NEVER;
    made->master[0].eid = config->controller;
    made->master[1].eid = config->standby;
    for (size_t i = 0; i < CONTROLLERS; i++) {
        made->master[i].period = config->status_period;
        made->master[i].next_push = QKD_NEVER;
    }
    int err = chan_set_new(&chans, &made->chans);
    if (err != QKD_OK) {
        free(made);
        return err;
    }
    *optical = made;
    return QKD_OK;
}

void mod_optical_free(struct mod_optical *optical)
{
    if (optical == NULL) {
        return;
    }
    chan_set_free(optical->chans);
    qkd_rng_fini(&optical->rng);
    free(optical);
}

static struct wire_head head_make(struct mod_optical *o, enum qkd_rp rp, uint64_t orig)
{
    return (struct wire_head){.rp = (uint8_t)rp,
                              .message_id = o->next_message_id++,
                              .orig_message_id = orig,
                              .sender = o->config.self};
}

static void on_start(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    o->started = true;
    o->next_message_id = ((uint64_t)event->u.start.incarnation << 40) + 1;
    qkd_rng_init(&o->rng, event->u.start.seed);
    chan_set_start(o->chans, event->u.start.incarnation, &o->rng);
    for (size_t i = 0; i < CONTROLLERS; i++) {
        struct master *master = &o->master[i];
        if (!qkd_eid_eq(master->eid, QKD_NOBODY)) {
            (void)chan_open(o->chans, event, o->rp, master->eid, out);
            master->next_push = qkd_time_add(event->now, master->period);
        }
    }
}

static int on_links(struct mod_optical *o, const struct qkd_event *event)
{
    struct wire_cfg_optical config;
    int err = wire_cfg_optical_decode(&config, event->u.config.bytes, event->u.config.len);
    if (err != QKD_OK) {
        return err;
    }
    size_t count = config.links.len / 4;
    if (!qkd_eid_eq(config.optical, o->config.self) || config.links.len % 4 != 0 || count == 0 ||
        count > MOST_LINKS || (o->rp == QKD_RP_CQRP && count != 1)) {
        return QKD_ERR_INVALID;
    }
    o->link_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        o->links[i] = wire_get_u32(config.links.at + 4 * i);
    }
    return QKD_OK;
}

static int on_config(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err != QKD_OK) {
        return err;
    }
    if (head.command == WIRE_CMD_CFG_OPTICAL) {
        return on_links(o, event);
    }
    if (head.command != WIRE_CMD_CFG_PEER) {
        return QKD_OK; /* not for optical elements */
    }
    struct wire_cfg_peer peer;
    err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
    if (err == QKD_OK) {
        err = chan_provision(o->chans, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b, out);
    }
    crypto_wipe(&peer, sizeof peer);
    return err;
}

/* ---- what is said ---- */

static void message_send(struct mod_optical *o, const struct qkd_event *event, struct qkd_eid to,
                         struct wire_bytes message, struct qkd_out *out)
{
    struct chan_send send = {o->rp, to, message.at, message.len, 0};
    (void)chan_send(o->chans, event, &send, out); /* asked again, or said again in a period */
}

static void status_send(struct mod_optical *o, const struct qkd_event *event,
                        const struct master *master, uint64_t orig, struct qkd_out *out)
{
    uint8_t record[MESSAGE_BYTES], bytes[MESSAGE_BYTES];
    struct wire_optical_status status = {.optical = o->config.self, .link = o->link};
    int record_len = wire_optical_status_encode(&status, record, sizeof record);
    QKD_ASSERT(record_len > 0);
    struct wire_status_rsp answer = {.head = head_make(o, o->rp, orig),
                                     .table = STATUS_TABLE,
                                     .code = WIRE_SUCCESS,
                                     .has_opticals = true,
                                     .opticals = {record, (size_t)record_len}};
    int len = wire_status_rsp_encode(&answer, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    message_send(o, event, master->eid, (struct wire_bytes){bytes, (size_t)len}, out);
}

static void status_push(struct mod_optical *o, const struct qkd_event *event,
                        const struct master *master, struct qkd_out *out)
{
    if (master->next_push.ns != QKD_NEVER.ns && chan_is_up(o->chans, o->rp, master->eid)) {
        status_send(o, event, master, 0, out);
    }
}

static void status_tell(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    for (size_t i = 0; i < CONTROLLERS; i++) {
        status_push(o, event, &o->master[i], out);
    }
}

static void light_path_answer(struct mod_optical *o, const struct qkd_event *event,
                              const struct wire_light_path *command, uint8_t code,
                              struct qkd_out *out)
{
    uint8_t bytes[MESSAGE_BYTES];
    struct wire_light_path_rsp answer = {.head = head_make(o, o->rp, command->head.message_id),
                                         .switch_id = o->config.self,
                                         .link = command->link,
                                         .code = code};
    int len = wire_light_path_rsp_encode(&answer, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    message_send(o, event, command->head.sender, (struct wire_bytes){bytes, (size_t)len}, out);
}

/* ---- optics ---- */

static void light_set(struct mod_optical *o, uint32_t link, bool on, struct qkd_out *out)
{
    struct wire_q_light light = {.head = head_make(o, QKD_RP_Q, 0), .link = link, .on = on};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_q_light_encode(&light, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct qkd_slice slice = qkd_out_copy(out, bytes, (size_t)len);
    qkd_out_send(out, &(struct qkd_send){.rp = QKD_RP_Q,
                                         .from = o->config.self,
                                         .to = o->config.device,
                                         .bytes = slice,
                                         .observed = slice});
}

/* The optics stand at whatever the agent before this one left them at: dark, until it is told. */
static void dark(struct mod_optical *o, struct qkd_out *out)
{
    if (o->link != WIRE_NO_LINK && !QKDN_MUTANT(SWITCH_BOTH)) {
        light_set(o, o->link, false, out);
    }
    for (uint32_t i = 0; o->link == WIRE_NO_LINK && i < o->link_count; i++) {
        light_set(o, o->links[i], false, out);
    }
    o->link = WIRE_NO_LINK;
}

static bool serves(const struct mod_optical *o, uint32_t link)
{
    bool found = false;
    for (uint32_t i = 0; i < o->link_count; i++) {
        found = found || o->links[i] == link;
    }
    return found;
}

/* ---- commands ---- */

/* Whether a command of this term is to be obeyed: not of a controller that was overtaken. */
static bool term_take(struct mod_optical *o, bool has_term, uint64_t term)
{
    uint64_t given = has_term ? term : 0;
    if (given < o->term) {
        return false;
    }
    o->term = given;
    return true;
}

static void switch_done(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_light_path command = {.head = {.message_id = o->asked_id, .sender = o->asked_by},
                                      .link = o->turning_to};
    o->link = o->turning_to;
    o->turning_to = WIRE_NO_LINK;
    o->done_at = QKD_NEVER;
    light_set(o, o->link, true, out);
    light_path_answer(o, event, &command, WIRE_SUCCESS, out);
    status_tell(o, event, out);
}

static void on_light_path(struct mod_optical *o, const struct qkd_event *event,
                          struct master *master, const struct chan_message *message,
                          struct qkd_out *out)
{
    struct wire_light_path command;
    if (wire_light_path_decode(&command, message->bytes, message->len) != QKD_OK ||
        !qkd_eid_eq(command.head.sender, master->eid)) {
        return;
    }
    bool is_busy = o->done_at.ns != QKD_NEVER.ns;
    uint64_t id = command.head.message_id;
    bool good = qkd_eid_eq(command.switch_id, o->config.self) && serves(o, command.link) &&
                term_take(o, command.has_term, command.term);
    if (good && is_busy && id == o->asked_id && qkd_eid_eq(o->asked_by, master->eid)) {
        return; /* said again: it is in work */
    }
    if (good && id == master->last_id && o->link == command.link) {
        light_path_answer(o, event, &command, WIRE_SUCCESS, out); /* said again: it is done */
        return;
    }
    if (!good || is_busy || id <= master->last_id) {
        light_path_answer(o, event, &command, WIRE_FAILURE, out);
        return;
    }
    master->last_id = id;
    o->asked_id = id;
    o->asked_by = master->eid;
    if (o->link != command.link) {
        dark(o, out);
        o->turning_to = command.link;
        o->done_at = qkd_time_add(event->now, o->config.switching);
        return; /* answered when it is done */
    }
    light_path_answer(o, event, &command, WIRE_SUCCESS, out);
}

static void on_generation(struct mod_optical *o, const struct qkd_event *event,
                          struct master *master, const struct chan_message *message,
                          struct qkd_out *out)
{
    struct wire_generation command;
    if (wire_generation_decode(&command, message->bytes, message->len) != QKD_OK) {
        return;
    }
    bool good = qkd_eid_eq(command.module_id, o->config.self) && command.run <= 1 &&
                o->link_count == 1 && term_take(o, command.has_term, command.term);
    if (good && command.head.message_id > master->last_id) {
        uint32_t wanted = command.run == 1 ? o->links[0] : WIRE_NO_LINK;
        master->last_id = command.head.message_id;
        bool is_new = wanted != o->link;
        if (is_new || command.run == 0) {
            light_set(o, o->links[0], command.run == 1, out);
        }
        o->link = wanted;
        if (is_new) {
            status_tell(o, event, out);
        }
    }
    struct mod_generation_answer answer = {head_make(o, o->rp, command.head.message_id),
                                           master->eid, good};
    mod_generation_answer(o->chans, event, &command, &answer, out);
}

static void on_status(struct mod_optical *o, const struct qkd_event *event, struct master *master,
                      const struct chan_message *message, struct qkd_out *out)
{
    struct wire_status status;
    if (wire_status_decode(&status, message->bytes, message->len) != QKD_OK) {
        return;
    }
    if (status.has_period_ms && status.head.message_id > master->last_status_id) {
        master->last_status_id = status.head.message_id;
        master->period = qkd_span_ms(status.period_ms);
        master->next_push = master->period.ns > 0 ? qkd_time_add(event->now, master->period)
                                                  : QKD_NEVER;
    }
    status_send(o, event, master, status.head.message_id, out);
}

static void on_message(struct mod_optical *o, const struct qkd_event *event,
                       const struct chan_message *message, struct qkd_out *out)
{
    size_t place = qkd_eid_eq(message->peer, o->master[0].eid) ? 0 : 1;
    struct master *master = &o->master[place];
    struct wire_head head;
    if (!qkd_eid_eq(message->peer, master->eid) ||
        wire_head_decode(&head, message->bytes, message->len) != QKD_OK) {
        return;
    }
    if (head.command == WIRE_CMD_STATUS) {
        on_status(o, event, master, message, out);
    } else if (head.command == WIRE_CMD_LIGHT_PATH && o->rp == QKD_RP_COPS) {
        on_light_path(o, event, master, message, out);
    } else if (head.command == WIRE_CMD_GENERATION && o->rp == QKD_RP_CQRP) {
        on_generation(o, event, master, message, out);
    } else {
        qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                                 .who = o->config.self,
                                                 .peer = message->peer,
                                                 .a = o->rp,
                                                 .b = (uint64_t)-QKD_ERR_UNKNOWN});
    }
}

/* ---- events ---- */

static void on_timeout(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    chan_timeout(o->chans, event, out);
    if (!qkd_time_before(event->now, o->done_at)) {
        switch_done(o, event, out);
    }
    for (size_t i = 0; i < CONTROLLERS; i++) {
        struct master *master = &o->master[i];
        if (!qkd_time_before(event->now, master->next_push)) {
            status_push(o, event, master, out);
            master->next_push = qkd_time_add(event->now, master->period);
        }
    }
}

static void on_receive(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message message = {0};
    if (event->u.recv.rp == o->rp && chan_receive(o->chans, event, out, &message) == CHAN_DATA) {
        on_message(o, event, &message, out);
    }
}

static void on_peer(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    for (size_t i = 0; i < CONTROLLERS; i++) {
        if (event->u.peer.up && qkd_eid_eq(event->u.peer.peer, o->master[i].eid)) {
            chan_greet(o->chans, event, o->rp, o->master[i].eid, out);
        }
    }
}

int mod_optical_step(struct mod_optical *o, const struct qkd_event *event, struct qkd_out *out)
{
    int err = QKD_OK;
    if (o->started == (event->type == QKD_EV_START)) {
        return QKD_ERR_STATE;
    }
    switch (event->type) {
    case QKD_EV_START:
        on_start(o, event, out);
        break;
    case QKD_EV_RECV:
        on_receive(o, event, out);
        break;
    case QKD_EV_TIMEOUT:
        on_timeout(o, event, out);
        break;
    case QKD_EV_PEER:
        on_peer(o, event, out);
        break;
    case QKD_EV_CONFIG:
        err = on_config(o, event, out);
        break;
    }
    return err != QKD_OK ? err : out->failed ? QKD_ERR_NOMEM : QKD_OK;
}

struct qkd_time mod_optical_deadline(const struct mod_optical *o)
{
    if (!o->started) {
        return QKD_NEVER;
    }
    struct qkd_time at = qkd_time_min(chan_deadline(o->chans), o->done_at);
    at = qkd_time_min(at, o->master[0].next_push);
    return qkd_time_min(at, o->master[1].next_push);
}
