/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Control and status of a module agent at Kq-2 and Cq (FG QIT4N D2.3 clause 8.1.1, Tables 8-1, 8-2):
 * the optics run only while controller, KM and the module itself agree; status on command and
 * every period. Repeated or late commands are answered but not obeyed twice (D23-GM-04): a sender's
 * Message IDs grow. */
#include "core/base/err.h"
#include "core/module/element.h"
#include "core/module/generation.h"

#define OWN_TABLE (WIRE_STATUS_KEY_RATE | WIRE_STATUS_QKD_LINK)

enum { CONTROL_MESSAGE = 256 }; /* bytes, enough for every message this file sends */

void mod_watchers_init(struct mod *mod)
{
    mod->watcher[0].rp = QKD_RP_KQ2;
    mod->watcher[0].peer = mod->kmc;
    mod->watcher[1].rp = QKD_RP_CQ;
    mod->watcher[1].peer = mod->config.controller;
    mod->watcher[2].rp = QKD_RP_CQ;
    mod->watcher[2].peer = mod->config.standby;
    mod->command = (struct mod_command){.run = true, .resume_at = QKD_NEVER};
    for (size_t i = 0; i < MOD_WATCHERS; i++) {
        mod->watcher[i].run = true;
        mod->watcher[i].period = mod->config.status_period;
        mod->watcher[i].next_push = QKD_NEVER;
        mod->watcher[i].table = OWN_TABLE;
    }
}

static bool device_wanted(const struct mod *mod)
{
    return mod->linked && mod->watcher[0].run && mod->command.run && mod->files.held == 0;
}

static void status_send(struct mod *mod, const struct qkd_event *event,
                        const struct mod_watcher *watcher, const struct wire_status_rsp *head,
                        struct qkd_out *out)
{
    struct wire_status_rsp answer = *head;
    uint8_t record[CONTROL_MESSAGE], bytes[CONTROL_MESSAGE];
    struct wire_module_status status = {
        .module = mod->config.self,
        .link = mod->link,
        .generating = mod->told_run,
        .rate_bps = mod->told_run ? mod->rate_bps : 0,
        .qber_ppm = mod->qber_ppm,
        .blocks = mod->blocks,
        .queued = mod->files.count,
        .dropped = mod->dropped,
    };
    if (answer.code == WIRE_SUCCESS) {
        int record_len = wire_module_status_encode(&status, record, sizeof record);
        QKD_ASSERT(record_len > 0);
        answer.has_modules = true;
        answer.modules = (struct wire_bytes){record, (size_t)record_len};
    }
    int len = wire_status_rsp_encode(&answer, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {watcher->rp, watcher->peer, bytes, (size_t)len, 0};
    (void)chan_send(mod->chans, event, &send, out); /* the next period comes */
}

static void status_push(struct mod *mod, const struct qkd_event *event, struct mod_watcher *watcher,
                        struct qkd_out *out)
{
    if (watcher->next_push.ns == QKD_NEVER.ns ||
        !chan_is_up(mod->chans, watcher->rp, watcher->peer)) {
        return;
    }
    struct wire_status_rsp answer = {.head = mod_head(mod, watcher->rp, 0),
                                     .table = watcher->table,
                                     .code = WIRE_SUCCESS};
    status_send(mod, event, watcher, &answer, out);
}

static void watcher_rearm(struct mod_watcher *watcher, const struct qkd_event *event)
{
    watcher->next_push = watcher->period.ns > 0 ? qkd_time_add(event->now, watcher->period)
                                                : QKD_NEVER;
}

void mod_watchers_tell(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    for (size_t i = 0; i < MOD_WATCHERS; i++) {
        status_push(mod, event, &mod->watcher[i], out);
    }
}

void mod_device_update(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    bool run = device_wanted(mod);
    if (!mod->linked || (mod->told && mod->told_run == run)) {
        return;
    }
    mod->told = true;
    mod->told_run = run;
    mod_expect_block(mod, event, run);
    mod_noise_forget(mod, event, out);
    struct wire_q_control control = {.head = mod_head(mod, QKD_RP_Q, 0), .run = run};
    uint8_t bytes[CONTROL_MESSAGE];
    int len = wire_q_control_encode(&control, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct qkd_slice slice = qkd_out_copy(out, bytes, (size_t)len);
    qkd_out_send(out, &(struct qkd_send){.rp = QKD_RP_Q,
                                         .from = mod->config.self,
                                         .to = mod->device,
                                         .bytes = slice,
                                         .observed = slice});
    mod_watchers_tell(mod, event, out);
}

/* A KM that restarted knows nothing of a pause it asked for, nor of files that it had no room for: it would
 * never end the one, nor ask for the others, and at Kq-1 nobody else speaks while they are held. */
void mod_control_connected(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    mod->watcher[0].run = true;
    mod_push_resume(mod, event, out);
    mod_device_update(mod, event, out);
}

static void on_status(struct mod *mod, const struct qkd_event *event, struct mod_watcher *watcher,
                      const struct chan_message *message, struct qkd_out *out)
{
    struct wire_status status;
    if (wire_status_decode(&status, message->bytes, message->len) != QKD_OK) {
        return;
    }
    uint32_t table = status.table & OWN_TABLE;
    if (table != 0 && status.has_period_ms && status.head.message_id > watcher->last_status_id) {
        watcher->last_status_id = status.head.message_id;
        watcher->period = qkd_span_ms(status.period_ms);
        watcher->table = table;
        watcher_rearm(watcher, event);
    }
    struct wire_status_rsp answer = {
        .head = mod_head(mod, watcher->rp, status.head.message_id),
        .table = table,
        .code = table != 0 ? WIRE_SUCCESS : WIRE_FAILURE,
    };
    status_send(mod, event, watcher, &answer, out);
}

/* A controller's command, unless that was overtaken by the other one. */
static bool command_take(struct mod *mod, const struct qkd_event *event,
                         const struct wire_generation *given)
{
    struct mod_command *command = &mod->command;
    uint64_t term = given->has_term ? given->term : 0;
    if (term < command->term) {
        return false;
    }
    bool ends = given->run == 0 && given->has_hold_ms;
    *command = (struct mod_command){
        .run = given->run == 1,
        .term = term,
        .resume_at = ends ? qkd_time_add(event->now, qkd_span_ms(given->hold_ms)) : QKD_NEVER};
    return true;
}

static void on_generation(struct mod *mod, const struct qkd_event *event,
                          struct mod_watcher *watcher, const struct chan_message *message,
                          struct qkd_out *out)
{
    struct wire_generation command;
    if (wire_generation_decode(&command, message->bytes, message->len) != QKD_OK) {
        return;
    }
    bool is_new = command.head.message_id > watcher->last_generation_id;
    bool good = qkd_eid_eq(command.module_id, mod->config.self) && command.run <= 1;
    if (good && is_new && watcher->rp == QKD_RP_CQ) {
        good = command_take(mod, event, &command);
    }
    struct mod_generation_answer answer = {mod_head(mod, watcher->rp, command.head.message_id),
                                           watcher->peer, good};
    mod_generation_answer(mod->chans, event, &command, &answer, out);
    if (!good || !is_new) {
        return;
    }
    watcher->last_generation_id = command.head.message_id;
    watcher->run = command.run;
    if (watcher->rp == QKD_RP_KQ2 && command.run) {
        mod_push_resume(mod, event, out);
    }
    mod_device_update(mod, event, out);
}

/* D23-GM-03: a command nobody here knows is answered by a failure and changes nothing. */
static void on_unknown(struct mod *mod, const struct qkd_event *event,
                       const struct mod_watcher *watcher, const struct wire_head *head,
                       struct qkd_out *out)
{
    if (head->orig_message_id != 0) {
        return; /* an answer to nothing: D23-GM-01 */
    }
    struct wire_status_rsp answer = {.head = mod_head(mod, watcher->rp, head->message_id),
                                     .code = WIRE_FAILURE};
    status_send(mod, event, watcher, &answer, out);
}

void mod_control(struct mod *mod, const struct qkd_event *event, const struct chan_message *message,
                 struct qkd_out *out)
{
    bool is_standby = mod->config.standby.v != 0 && qkd_eid_eq(message->peer, mod->config.standby);
    size_t place = message->rp == QKD_RP_KQ2 ? 0 : is_standby ? 2 : 1;
    struct mod_watcher *watcher = &mod->watcher[place];
    struct wire_head head;
    if (!qkd_eid_eq(message->peer, watcher->peer) ||
        wire_head_decode(&head, message->bytes, message->len) != QKD_OK) {
        return;
    }
    switch (head.command) {
    case WIRE_CMD_STATUS:
        on_status(mod, event, watcher, message, out);
        break;
    case WIRE_CMD_GENERATION:
        on_generation(mod, event, watcher, message, out);
        break;
    default:
        on_unknown(mod, event, watcher, &head, out);
    }
}

void mod_watchers_timeout(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    for (size_t i = 0; i < MOD_WATCHERS; i++) {
        struct mod_watcher *watcher = &mod->watcher[i];
        if (!qkd_time_before(event->now, watcher->next_push)) {
            status_push(mod, event, watcher, out);
            watcher_rearm(watcher, event);
        }
    }
    if (!qkd_time_before(event->now, mod->command.resume_at)) {
        mod->command.resume_at = QKD_NEVER; /* nobody said again that it shall stand */
        mod->command.run = true;
        mod_device_update(mod, event, out);
    }
}

struct qkd_time mod_watchers_deadline(const struct mod *mod)
{
    struct qkd_time at = qkd_time_min(mod->watcher[0].next_push, mod->watcher[1].next_push);
    at = qkd_time_min(at, mod->watcher[2].next_push);
    return qkd_time_min(at, mod->command.resume_at);
}
