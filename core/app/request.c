/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of a master: one per LOAD message or SAE_GET, answered by sub-sessions (FG QIT4N D2.3 Table 7-5),
 * and, for the load, the IDs of the keys handed to the partner. Each request is reported REQUEST once, KEY once
 * per key and OUTCOME once; keys themselves are looked at only for their length. */
#include "core/app/element.h"
#include "core/base/err.h"

#define LAST_RESORT_MS 2000 /* beyond the timeout that the KSA watches */

enum { ID_LEN = 16 };

static struct qkd_id request_id(const struct app *app, uint64_t message_id)
{
    struct qkd_id id;
    wire_put_u64(id.b, message_id);
    wire_put_u64(id.b + 8, app->config.self.v);
    return id;
}

static void report_outcome(struct app *app, const struct app_command *command,
                           enum wire_outcome outcome, enum wire_reason reason, struct qkd_out *out)
{
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_OUTCOME,
                                             .who = app->config.self,
                                             .peer = app->config.partner,
                                             .id = request_id(app, command->message_id),
                                             .a = outcome,
                                             .b = reason,
                                             .c = command->supplied_bits,
                                             .d = command->grade});
}

static void report_request(struct app *app, uint64_t message_id, uint32_t count, uint64_t bits,
                           uint32_t slaves, struct qkd_out *out)
{
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_REQUEST,
                                             .who = app->config.self,
                                             .peer = app->config.partner,
                                             .id = request_id(app, message_id),
                                             .a = bits,
                                             .b = count,
                                             .c = slaves});
}

/* The timer of a request that may be asked again before it ends. */
static void retry_arm(struct app *app, const struct qkd_event *event,
                      const struct app_command *command)
{
    if (app->config.retry.ns > 0) {
        struct qkd_time again = qkd_time_add(event->now, app->config.retry);
        qkd_timers_move(&app->timers, command->timer, qkd_time_min(again, command->end));
    }
}

uint32_t app_request_begin(struct app *app, const struct qkd_event *event, uint32_t count,
                           uint32_t key_size, uint32_t slaves, struct qkd_out *out)
{
    uint64_t bits = (uint64_t)count * key_size;
    uint32_t slot = QKD_SLAB_NONE;
    if (app->requests < app->config.limit) {
        slot = app_command_begin(app, event, APP_REQUEST, app->config.timeout);
    }
    if (slot == QKD_SLAB_NONE) {
        struct app_command refused = {.message_id = app->next_message_id++};
        report_request(app, refused.message_id, count, bits, slaves, out);
        report_outcome(app, &refused, WIRE_OUTCOME_REFUSED, WIRE_REASON_OVERLOAD, out);
        return slot;
    }
    struct app_command *command = app_command_at(app, slot);
    command->count = count;
    command->key_size = key_size;
    command->session_id = command->message_id; /* one key-supply session per request */
    retry_arm(app, event, command);
    report_request(app, command->message_id, count, bits, slaves, out);
    return slot;
}

void app_request_open(struct app *app, const struct qkd_event *event, uint32_t count,
                      uint64_t session_id, struct qkd_out *out)
{
    uint32_t slot = app_request_begin(app, event, count, app->config.key_bits,
                                      1 + app->config.more_count, out);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    if (session_id != 0) {
        app_command_at(app, slot)->session_id = session_id;
        app_command_at(app, slot)->reserved = true;
    }
    app_command_send(app, event, slot, out);
}

/* What the application calls the end of a request for a reason that the KM gave. */
static enum wire_outcome outcome_of(enum wire_reason reason)
{
    switch (reason) {
    case WIRE_REASON_INSUFFICIENT_KEY:
    case WIRE_REASON_NO_ROUTE:
    case WIRE_REASON_UNAUTHORIZED:
    case WIRE_REASON_UNKNOWN_APPLICATION:
    case WIRE_REASON_UNKNOWN_KEY:
    case WIRE_REASON_BAD_REQUEST:
    case WIRE_REASON_OVERLOAD:
    case WIRE_REASON_UNREACHABLE:
    case WIRE_REASON_POLICY:
    case WIRE_REASON_ACCESS_DENIED:
    case WIRE_REASON_OVER_RATE:
    case WIRE_REASON_OVER_SHARE:
    case WIRE_REASON_NO_SESSION:
        return WIRE_OUTCOME_REFUSED;
    case WIRE_REASON_TIMEOUT:
        return WIRE_OUTCOME_TIMED_OUT;
    default:
        return WIRE_OUTCOME_FAILED;
    }
}

uint8_t app_grade_weaker(uint8_t a, uint8_t b)
{
    static const uint8_t strength[] = {[WIRE_METHOD_NONE] = 4,
                                       [WIRE_METHOD_OTP] = 2,
                                       [WIRE_METHOD_AES] = 1,
                                       [WIRE_METHOD_POOL] = 3};
    uint8_t strength_a = a < sizeof strength ? strength[a] : 0;
    uint8_t strength_b = b < sizeof strength ? strength[b] : 0;
    return strength_a <= strength_b ? a : b;
}

/* RP_APP: the application's own way, no channel; key IDs are no secret. */
static void partner_notify(struct app *app, const struct app_command *command,
                           struct wire_bytes key_ids, struct qkd_eid to, struct qkd_out *out)
{
    struct wire_app_notify notify = {
        .head = {.rp = QKD_RP_APP,
                 .message_id = app->next_message_id++,
                 .sender = app->config.self},
        .session_id = command->session_id,
        .key_size = command->key_size,
        .key_ids = key_ids,
    };
    struct qkd_slice slice = qkd_out_reserve(out, wire_app_notify_size(&notify));
    if (slice.len == 0) {
        return;
    }
    int len = wire_app_notify_encode(&notify, qkd_out_at(out, slice), slice.len);
    QKD_ASSERT(len == (int)slice.len);
    qkd_out_send(out, &(struct qkd_send){.rp = QKD_RP_APP,
                                         .from = app->config.self,
                                         .to = to,
                                         .bytes = slice,
                                         .observed = slice});
}

/* The partner, and with multicast every further slave. */
static void partners_notify(struct app *app, const struct app_command *command,
                            struct wire_bytes key_ids, struct qkd_out *out)
{
    partner_notify(app, command, key_ids, app->config.partner, out);
    for (uint32_t i = 0; i < app->config.more_count; i++) {
        struct qkd_eid to = {wire_get_u64(app->more + (size_t)8 * i)};
        partner_notify(app, command, key_ids, to, out);
    }
}

static void keys_take(struct app *app, struct app_command *command,
                      const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    size_t count = answer->key_ids.len / ID_LEN;
    for (size_t i = 0; i < count; i++) {
        struct qkd_report report = {.code = QKD_REPORT_KEY,
                                    .who = app->config.self,
                                    .peer = app->config.partner,
                                    .id = request_id(app, command->message_id)};
        memcpy(report.id2.b, answer->key_ids.at + i * ID_LEN, ID_LEN);
        qkd_out_report(out, &report);
    }
    command->parts = answer->count_id;
    command->supplied_bits += (uint64_t)count * command->key_size;
    command->grade = app_grade_weaker(command->grade, answer->grade);
    if (command->sae == QKD_SLAB_NONE) {
        partners_notify(app, command, answer->key_ids, out);
    } /* else: how the IDs get to the other SAE is the SAEs' business */
}

/* Whether a sub-session is new and consistent. */
static bool part_good(const struct app_command *command, const struct wire_key_supply_rsp *answer)
{
    size_t count = answer->key_ids.len / ID_LEN;
    uint64_t bits = (uint64_t)answer->key_data.len * 8;
    return answer->has_key_ids && answer->has_key_data && count > 0 &&
           answer->key_ids.len % ID_LEN == 0 && bits == (uint64_t)count * command->key_size &&
           answer->count_id > command->parts;
}

static void delete_session(struct app *app, const struct qkd_event *event, uint64_t session_id,
                           struct qkd_out *out)
{
    uint32_t slot = app_command_begin(app, event, APP_DELETE, app->config.timeout);
    if (slot != QKD_SLAB_NONE) {
        app_command_at(app, slot)->session_id = session_id;
        app_command_send(app, event, slot, out);
    }
}

static void request_end(struct app *app, const struct qkd_event *event, uint32_t slot,
                        enum wire_reason reason, struct qkd_out *out)
{
    const struct app_command *command = app_command_at(app, slot);
    uint64_t session_id = command->session_id;
    bool clean = app->config.delete_after && command->supplied_bits > 0;
    report_outcome(app, command,
                   reason == WIRE_REASON_NONE ? WIRE_OUTCOME_SERVED : outcome_of(reason), reason,
                   out);
    if (command->sae != QKD_SLAB_NONE) {
        app_sae_answer(app, command, reason, out);
    }
    app_command_end(app, slot);
    if (clean) {
        delete_session(app, event, session_id, out);
    }
}

void app_request_refuse(struct app *app, const struct qkd_event *event, uint32_t slot,
                        enum wire_reason reason, struct qkd_out *out)
{
    request_end(app, event, slot, reason, out);
}

void app_request_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                          const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    switch (answer->code) {
    case WIRE_SUCCESS:
    case WIRE_SUFFICIENT:
        if (!part_good(command, answer)) {
            return;
        }
        if (command->sae != QKD_SLAB_NONE && !app_sae_keys(app, command, answer)) {
            request_end(app, event, slot, WIRE_REASON_OVERLOAD, out);
            return;
        }
        keys_take(app, command, answer, out);
        if (answer->code == WIRE_SUFFICIENT) {
            request_end(app, event, slot, WIRE_REASON_NONE, out);
        }
        break;
    case WIRE_INSUFFICIENT:
        request_end(app, event, slot,
                    answer->reason != 0 ? (enum wire_reason)answer->reason
                                        : WIRE_REASON_INSUFFICIENT_KEY,
                    out);
        break;
    case WIRE_STATUS_TABLE:
        if (command->count == 0) {
            request_end(app, event, slot, WIRE_REASON_NONE, out);
        }
        break;
    default:
        break;
    }
}

void app_request_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    if (qkd_time_before(event->now, command->end)) { /* not its end: it is asked again */
        command->timer = qkd_timers_set(&app->timers, command->end, slot);
        QKD_ASSERT(command->timer != QKD_TIMER_NONE); /* its own place has just become free */
        retry_arm(app, event, command);
        if (command->parts == 0) {
            app_command_send(app, event, slot, out);
        }
        return;
    }
    if (!command->sent) { /* the KSA was never there to refuse it */
        request_end(app, event, slot, WIRE_REASON_UNREACHABLE, out);
        return;
    }
    if (command->patient) {
        request_end(app, event, slot, WIRE_REASON_TIMEOUT, out);
        return;
    }
    command->patient = true;
    command->end = qkd_time_add(command->end, qkd_span_ms(LAST_RESORT_MS));
    command->timer = qkd_timers_set(&app->timers, command->end, slot);
    QKD_ASSERT(command->timer != QKD_TIMER_NONE); /* its own place has just become free */
}
