/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fetches of a slave: one key-supply command for decryption (FG QIT4N D2.3 Table 7-4, code 0x02) for
 * the key IDs that the partner announced together, repeated under the same Message ID until it is
 * answered. Several keys are supplied all or not at all; where they are not, each is asked for alone. */
#include "core/app/element.h"
#include "core/base/err.h"

enum { ID_LEN = 16, BACKOFF_LIMIT = 6 };

static struct qkd_id id_at(const uint8_t *ids, size_t n)
{
    struct qkd_id id;
    memcpy(id.b, ids + n * ID_LEN, ID_LEN);
    return id;
}

static void report_failed(struct app *app, const uint8_t *ids, size_t count, uint8_t reason,
                          struct qkd_out *out)
{
    for (size_t i = 0; i < count; i++) {
        qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_FETCH_FAILED,
                                                 .who = app->config.self,
                                                 .peer = app->config.partner,
                                                 .id = id_at(ids, i),
                                                 .a = reason});
    }
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

/* What is asked for, and until when. */
struct wanted {
    const uint8_t *ids;
    size_t count;
    uint32_t key_size;
    uint64_t session_id;
    struct qkd_span life;
};

static void fetch_begin(struct app *app, const struct qkd_event *event, const struct wanted *wanted,
                        struct qkd_out *out)
{
    uint32_t slot = app_command_begin(app, event, APP_FETCH, wanted->life);
    uint32_t list = QKD_SLAB_NONE;
    if (slot != QKD_SLAB_NONE && wanted->count > 1) {
        list = qkd_slab_take(&app->lists);
        if (list == QKD_SLAB_NONE) {
            app_command_end(app, slot);
            slot = QKD_SLAB_NONE;
        }
    }
    if (slot == QKD_SLAB_NONE) {
        report_failed(app, wanted->ids, wanted->count, WIRE_REASON_OVERLOAD, out);
        return;
    }
    struct app_command *command = app_command_at(app, slot);
    command->count = (uint32_t)wanted->count;
    command->key_size = wanted->key_size;
    command->session_id = wanted->session_id;
    command->key_id = id_at(wanted->ids, 0);
    command->list = list;
    if (list != QKD_SLAB_NONE) {
        memcpy(qkd_slab_at(&app->lists, list), wanted->ids, wanted->count * ID_LEN);
    }
    app_command_send(app, event, slot, out);
    repeat_later(app, event, slot);
}

void app_fetch_notified(struct app *app, const struct qkd_event *event,
                        const struct wire_app_notify *notify, struct qkd_out *out)
{
    struct wanted wanted = {.key_size = notify->key_size,
                            .session_id = notify->session_id,
                            .life = app->config.timeout};
    size_t left = notify->key_ids.len / ID_LEN;
    for (wanted.ids = notify->key_ids.at; left > 0; wanted.ids += wanted.count * ID_LEN) {
        wanted.count = left < APP_LIST_MOST ? left : APP_LIST_MOST;
        fetch_begin(app, event, &wanted, out);
        left -= wanted.count;
    }
}

/* They were refused together: one of them may be missing. Each alone, in what is left of the time. */
static void fetch_singly(struct app *app, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    struct app_list list = *(const struct app_list *)qkd_slab_at(&app->lists, command->list);
    size_t count = command->count;
    struct wanted wanted = {.count = 1,
                            .key_size = command->key_size,
                            .session_id = command->session_id,
                            .life = qkd_time_sub(command->end, event->now)};
    app_command_end(app, slot);
    for (size_t i = 0; i < count; i++) {
        wanted.ids = list.ids[i].b;
        fetch_begin(app, event, &wanted, out);
    }
}

static void delete_key(struct app *app, const struct qkd_event *event, uint64_t session_id,
                       const struct qkd_id *key_id, struct qkd_out *out)
{
    uint32_t slot = app_command_begin(app, event, APP_DELETE, app->config.timeout);
    if (slot != QKD_SLAB_NONE) {
        struct app_command *command = app_command_at(app, slot);
        command->session_id = session_id;
        command->key_id = *key_id;
        app_command_send(app, event, slot, out);
    }
}

/* Whether an answer brings all keys that were asked for, in the order asked. */
static bool is_complete(const struct app *app, const struct app_command *command,
                        const struct wire_key_supply_rsp *answer)
{
    struct wire_bytes ids = app_command_ids(app, command);
    if (!answer->has_key_data ||
        answer->key_data.len * 8 != (size_t)command->count * command->key_size) {
        return false;
    }
    return command->list == QKD_SLAB_NONE ||
           (answer->has_key_ids && answer->key_ids.len == ids.len &&
            memcmp(answer->key_ids.at, ids.at, ids.len) == 0);
}

/* All keys came: reports them and, if told so, deletes them at once. */
static void keys_took(struct app *app, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out)
{
    uint32_t count = app_command_at(app, slot)->count;
    for (uint32_t i = 0; i < count; i++) {
        const struct app_command *command = app_command_at(app, slot);
        struct qkd_id key_id = id_at(app_command_ids(app, command).at, i);
        qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_FETCHED,
                                                 .who = app->config.self,
                                                 .peer = app->config.partner,
                                                 .id = key_id,
                                                 .a = command->key_size});
        if (app->config.delete_after) {
            delete_key(app, event, command->session_id, &key_id, out);
        }
    }
}

void app_fetch_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                        const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    bool keyed = answer->code == WIRE_SUFFICIENT || answer->code == WIRE_SUCCESS;
    if (keyed && !is_complete(app, command, answer)) {
        return;
    }
    if (!keyed && command->list != QKD_SLAB_NONE) {
        fetch_singly(app, event, slot, out);
        return;
    }
    if (keyed) {
        keys_took(app, event, slot, out);
    } else {
        report_failed(app, command->key_id.b, 1, answer->reason, out);
    }
    app_command_end(app, slot);
}

void app_fetch_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                       struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    if (!qkd_time_before(event->now, command->end)) {
        report_failed(app, app_command_ids(app, command).at, command->count,
                      command->sent ? WIRE_REASON_TIMEOUT : WIRE_REASON_UNREACHABLE, out);
        app_command_end(app, slot);
        return;
    }
    app_command_send(app, event, slot, out);
    repeat_later(app, event, slot);
}
