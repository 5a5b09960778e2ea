/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions of a master with a guaranteed rate (docs/protocol.md, "Sessions with a guaranteed rate"):
 * opened by a LOAD that says how long, kept by saying so again, closed at the end. While one is open
 * the agent asks for keys at its rate, if it is configured to. Each session is reported OFFERED once,
 * then ADMITTED and CLOSED or BROKEN, or REFUSED.
 *
 *   OPENING ──answer 1──▶ OPEN ──held long enough──▶ CLOSING ──answer, given up──▶ gone
 *      │ 0x03: REFUSED      │ 0x03 at any time: BROKEN */
#include "core/app/element.h"
#include "core/base/err.h"

#define MESSAGE_BYTES 128
#define BACKOFF_SHIFT_MAX 3
#define KEEP_SHARE 3 /* said so often within the time-out */

static struct app_session *session_at(const struct app *app, uint32_t slot)
{
    return qkd_slab_at(&app->sessions, slot);
}

static void report(const struct app *app, uint64_t session_id, enum qkd_session_event what,
                   enum wire_reason reason, struct qkd_out *out)
{
    struct qkd_report report = {.code = QKD_REPORT_SESSION,
                                .who = app->config.self,
                                .peer = app->config.partner,
                                .a = what,
                                .b = reason,
                                .c = app->config.session_rate_bps};
    wire_put_u64(report.id.b, session_id);
    wire_put_u64(report.id.b + 8, app->config.self.v);
    qkd_out_report(out, &report);
}

static void drop(struct app *app, uint32_t slot)
{
    struct app_session *session = session_at(app, slot);
    (void)qkd_map_del(&app->by_session, &session->session_id);
    qkd_timers_cancel(&app->timers, &session->timer);
    qkd_slab_give(&app->sessions, slot);
}

/* The timer stays set for the session's whole life, so that setting it again cannot fail. */
static void timer_set(struct app *app, uint32_t slot)
{
    struct app_session *session = session_at(app, slot);
    struct qkd_time at = qkd_time_min(session->end, session->say_at);
    at = qkd_time_min(at, session->ask_at);
    if (session->timer == QKD_TIMER_NONE) { /* it has fired: its place is free */
        session->timer = qkd_timers_set(&app->timers, at, APP_TIMER_SESSION | slot);
        QKD_ASSERT(session->timer != QKD_TIMER_NONE);
    } else {
        qkd_timers_move(&app->timers, session->timer, at);
    }
}

/* Says what the state asks for, and when it is to be said again. */
static void say(struct app *app, const struct qkd_event *event, struct app_session *session,
                struct qkd_out *out)
{
    uint8_t bytes[MESSAGE_BYTES];
    struct wire_head head = {.rp = QKD_RP_AK,
                             .message_id = app->next_message_id++,
                             .sender = app->config.self};
    int len;
    if (session->state == APP_SESSION_CLOSING) {
        struct wire_session_close close = {.head = head,
                                           .source_id = app->config.self,
                                           .target_id = app->config.partner,
                                           .session_id = session->session_id};
        len = wire_session_close_encode(&close, bytes, sizeof bytes);
    } else {
        int64_t life_ms = app->config.session_timeout.ns / QKD_NS_PER_MS;
        struct wire_session_open open = {.head = head,
                                         .source_id = app->config.self,
                                         .target_id = app->config.partner,
                                         .session_id = session->session_id,
                                         .key_size = app->config.key_bits,
                                         .key_amount = session->count,
                                         .rate_bps = app->config.session_rate_bps,
                                         .timeout_ms = life_ms > UINT32_MAX ? UINT32_MAX
                                                                            : (uint32_t)life_ms};
        len = wire_session_open_encode(&open, bytes, sizeof bytes);
    }
    QKD_ASSERT(len > 0);
    struct chan_send send = {QKD_RP_AK, app->ksa, bytes, (size_t)len, 0};
    (void)chan_send(app->chans, event, &send, out); /* lost: it is said again */
    unsigned shift = session->tries < BACKOFF_SHIFT_MAX ? session->tries : BACKOFF_SHIFT_MAX;
    struct qkd_span again = qkd_span_ns(app->config.retransmit.ns << shift);
    if (session->state == APP_SESSION_OPEN) {
        again = qkd_span_ns(app->config.session_timeout.ns / KEEP_SHARE);
    }
    session->tries = session->tries < UINT8_MAX ? (uint8_t)(session->tries + 1) : UINT8_MAX;
    session->say_at = qkd_time_add(event->now, again);
}

static uint32_t add(struct app *app, uint64_t session_id)
{
    uint32_t slot = qkd_slab_take(&app->sessions);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    struct app_session *session = session_at(app, slot);
    session->session_id = session_id;
    session->timer = qkd_timers_set(&app->timers, QKD_NEVER, APP_TIMER_SESSION | slot);
    if (session->timer == QKD_TIMER_NONE ||
        qkd_map_put(&app->by_session, &session->session_id, slot) != QKD_OK) {
        drop(app, slot);
        return QKD_SLAB_NONE;
    }
    return slot;
}

void app_session_open(struct app *app, const struct qkd_event *event, const struct wire_load *load,
                      struct qkd_out *out)
{
    uint64_t session_id = app->next_message_id++;
    report(app, session_id, QKD_SESSION_OFFERED, WIRE_REASON_NONE, out);
    uint32_t slot = add(app, session_id);
    if (slot == QKD_SLAB_NONE) {
        report(app, session_id, QKD_SESSION_REFUSED, WIRE_REASON_OVERLOAD, out);
        return;
    }
    struct app_session *session = session_at(app, slot);
    session->count = load->count;
    session->hold = load->hold;
    session->state = APP_SESSION_OPENING;
    session->end = qkd_time_add(event->now, app->config.timeout);
    session->ask_at = QKD_NEVER;
    say(app, event, session, out);
    timer_set(app, slot);
}

/* From here on the KM is only told that it is over. */
static void session_close(struct app *app, const struct qkd_event *event, uint32_t slot,
                          struct qkd_out *out)
{
    struct app_session *session = session_at(app, slot);
    session->state = APP_SESSION_CLOSING;
    session->tries = 0;
    session->end = qkd_time_add(event->now, app->config.session_timeout); /* then it has noticed */
    session->ask_at = QKD_NEVER;
    say(app, event, session, out);
    timer_set(app, slot);
}

static void session_admitted(struct app *app, const struct qkd_event *event, uint32_t slot,
                             struct qkd_out *out)
{
    struct app_session *session = session_at(app, slot);
    report(app, session->session_id, QKD_SESSION_ADMITTED, WIRE_REASON_NONE, out);
    session->state = APP_SESSION_OPEN;
    session->end = qkd_time_add(event->now, session->hold);
    session->say_at = qkd_time_add(event->now,
                                   qkd_span_ns(app->config.session_timeout.ns / KEEP_SHARE));
    session->ask_at = app->config.session_keys ? event->now : QKD_NEVER;
    timer_set(app, slot);
}

static void open_answered(struct app *app, const struct qkd_event *event,
                          const struct wire_session_open_rsp *rsp, struct qkd_out *out)
{
    uint32_t slot = qkd_map_get(&app->by_session, &rsp->session_id);
    if (slot == QKD_MAP_NONE || session_at(app, slot)->state == APP_SESSION_CLOSING) {
        return;
    }
    bool is_open = session_at(app, slot)->state == APP_SESSION_OPEN;
    if (rsp->code == WIRE_SUCCESS) {
        if (!is_open) {
            session_admitted(app, event, slot, out);
        }
        return;
    }
    enum wire_reason reason = rsp->reason > WIRE_REASON_NONE && rsp->reason < WIRE_REASON_COUNT
                                  ? (enum wire_reason)rsp->reason
                                  : WIRE_REASON_NO_CAPACITY;
    report(app, rsp->session_id, is_open ? QKD_SESSION_BROKEN : QKD_SESSION_REFUSED, reason, out);
    drop(app, slot);
}

void app_session_answered(struct app *app, const struct qkd_event *event,
                          const struct chan_message *message, struct qkd_out *out)
{
    struct wire_session_open_rsp opened;
    struct wire_session_close_rsp closed;
    if (wire_session_open_rsp_decode(&opened, message->bytes, message->len) == QKD_OK) {
        open_answered(app, event, &opened, out);
    } else if (wire_session_close_rsp_decode(&closed, message->bytes, message->len) == QKD_OK) {
        uint32_t slot = qkd_map_get(&app->by_session, &closed.session_id);
        if (slot != QKD_MAP_NONE && session_at(app, slot)->state == APP_SESSION_CLOSING) {
            drop(app, slot);
        }
    }
}

/* The next request for keys is due when those of this one are used up at the session's rate. */
static void ask_move(const struct app *app, struct app_session *session)
{
    uint64_t bits = (uint64_t)app->config.key_bits * session->count; /* below 2^20 */
    uint64_t rate = app->config.session_rate_bps;
    uint64_t period_ns = bits / rate * QKD_NS_PER_S + bits % rate * QKD_NS_PER_S / rate;
    period_ns = period_ns > 0 ? period_ns : 1;
    session->ask_at = qkd_time_add(session->ask_at, qkd_span_ns((int64_t)period_ns));
}

void app_session_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct app_session *session = session_at(app, slot);
    session->timer = QKD_TIMER_NONE;
    bool is_end = !qkd_time_before(event->now, session->end);
    if (is_end && session->state == APP_SESSION_CLOSING) {
        drop(app, slot);
        return;
    }
    if (is_end) {
        bool is_open = session->state == APP_SESSION_OPEN;
        report(app, session->session_id, is_open ? QKD_SESSION_CLOSED : QKD_SESSION_REFUSED,
               is_open ? WIRE_REASON_NONE : WIRE_REASON_TIMEOUT, out);
        session_close(app, event, slot, out);
        return;
    }
    if (!qkd_time_before(event->now, session->say_at)) {
        say(app, event, session, out);
    }
    bool is_due = !qkd_time_before(event->now, session->ask_at);
    if (is_due) {
        ask_move(app, session);
    }
    timer_set(app, slot); /* before another takes the place of the one that fired */
    if (is_due) {
        app_request_open(app, event, session->count, session->session_id, out);
    }
}
