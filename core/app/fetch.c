/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fetches of a slave: one key-supply command for decryption (FG QIT4N D2.3 Table 7-4, code 0x02) per
 * key ID that the partner announced, repeated under the same Message ID until it is answered. */
#include "core/app/element.h"
#include "core/base/err.h"

enum { ID_LEN = 16, BACKOFF_LIMIT = 6 };

static void report_failed(struct app *app, const struct qkd_id *key_id, uint8_t reason,
                          struct qkd_out *out)
{
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_FETCH_FAILED,
                                             .who = app->config.self,
                                             .peer = app->config.partner,
                                             .id = *key_id,
                                             .a = reason});
}

/* When to repeat: doubling from the retransmission time, not after the end. */
static void repeat_later(struct app *app, const struct qkd_event *event, uint32_t slot)
{
    struct app_command *command = app_command_at(app, slot);
    uint32_t doublings = command->tries > 0 ? command->tries - 1 : 0; /* none sent: no channel */
    doublings = doublings < BACKOFF_LIMIT ? doublings : BACKOFF_LIMIT;
    struct qkd_span wait = qkd_span_ns(app->config.retransmit.ns * (INT64_C(1) << doublings));
    struct qkd_time at = qkd_time_min(qkd_time_add(event->now, wait), command->end);
    if (command->timer == QKD_TIMER_NONE) {
        command->timer = qkd_timers_set(&app->timers, at, slot);
        QKD_ASSERT(command->timer != QKD_TIMER_NONE); /* its own place has just become free */
    } else {
        qkd_timers_move(&app->timers, command->timer, at);
    }
}

void app_fetch_notified(struct app *app, const struct qkd_event *event,
                        const struct wire_app_notify *notify, struct qkd_out *out)
{
    for (size_t at = 0; at + ID_LEN <= notify->key_ids.len; at += ID_LEN) {
        struct qkd_id key_id;
        memcpy(key_id.b, notify->key_ids.at + at, ID_LEN);
        uint32_t slot = app_command_begin(app, event, APP_FETCH, app->config.timeout);
        if (slot == QKD_SLAB_NONE) {
            report_failed(app, &key_id, WIRE_REASON_OVERLOAD, out);
            continue;
        }
        struct app_command *command = app_command_at(app, slot);
        command->key_id = key_id;
        command->key_size = notify->key_size;
        command->session_id = notify->session_id;
        app_command_send(app, event, slot, out);
        repeat_later(app, event, slot);
    }
}

static void delete_key(struct app *app, const struct qkd_event *event,
                       const struct app_command *fetched, struct qkd_out *out)
{
    uint64_t session_id = fetched->session_id;
    struct qkd_id key_id = fetched->key_id;
    uint32_t slot = app_command_begin(app, event, APP_DELETE, app->config.timeout);
    if (slot != QKD_SLAB_NONE) {
        struct app_command *command = app_command_at(app, slot);
        command->session_id = session_id;
        command->key_id = key_id;
        app_command_send(app, event, slot, out);
    }
}

void app_fetch_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                        const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    bool keyed = answer->code == WIRE_SUFFICIENT || answer->code == WIRE_SUCCESS;
    if (keyed && (!answer->has_key_data || answer->key_data.len * 8 != command->key_size)) {
        return;
    }
    if (!keyed) {
        report_failed(app, &command->key_id, answer->reason, out);
        app_command_end(app, slot);
        return;
    }
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_FETCHED,
                                             .who = app->config.self,
                                             .peer = app->config.partner,
                                             .id = command->key_id,
                                             .a = command->key_size});
    if (app->config.delete_after) {
        delete_key(app, event, command, out);
    }
    app_command_end(app, slot);
}

void app_fetch_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                       struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    if (!qkd_time_before(event->now, command->end)) {
        report_failed(app, &command->key_id,
                      command->sent ? WIRE_REASON_TIMEOUT : WIRE_REASON_UNREACHABLE, out);
        app_command_end(app, slot);
        return;
    }
    app_command_send(app, event, slot, out);
    repeat_later(app, event, slot);
}
