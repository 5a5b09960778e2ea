/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with a guaranteed rate at Ak (docs/protocol.md, "Sessions with a guaranteed rate"): who may
 * open one, how long it stays without a word of its application, and what the KMC is told of it.
 *
 *   SESSION_OPEN ─checks─▶ OPENING ──RESERVE_RSP 1──▶ OPEN ──CLOSE, time-out, restart──▶ CLOSING
 *                   │ 0x03    │ 0x03: gone              │ 0x03: gone, application told     │ RSP:
 *                             └ no answer: 0x03 ────────┼────────────────▶ CLOSING         ▼ gone
 *
 * SESSION_OPEN said again keeps an open session. An answer 0x03 at any time ends it. */
#include "core/base/err.h"
#include "core/km/ksa_element.h"

#define TRIES 8 /* of RESERVE: the KMC answers before, also when the controller does not */
#define BACKOFF_SHIFT_MAX 3
#define LIFE_MS_LEAST 1000
#define OPENED_KEY 16
#define EARLY_PART 4 /* of its rate, more: its requests come a little early or late */
#define RATE_MOST (UINT64_C(1) << 50)

static struct ksa_session *session_at(const struct ksa *ksa, uint32_t slot)
{
    return qkd_slab_at(&ksa->sessions, slot);
}

static void opened_key(uint8_t key[OPENED_KEY], struct qkd_eid app, uint64_t session_id)
{
    wire_put_u64(key, app.v);
    wire_put_u64(key + 8, session_id);
}

static uint32_t find_opened(const struct ksa *ksa, struct qkd_eid app, uint64_t session_id)
{
    uint8_t key[OPENED_KEY];
    opened_key(key, app, session_id);
    return qkd_map_get(&ksa->by_opened, key);
}

/* The session is no more the application's: it may open another by that ID. */
static void unlist(struct ksa *ksa, const struct ksa_session *session)
{
    uint8_t key[OPENED_KEY];
    opened_key(key, session->app, session->session_id);
    (void)qkd_map_del(&ksa->by_opened, key);
}

static void drop(struct ksa *ksa, uint32_t slot)
{
    struct ksa_session *session = session_at(ksa, slot);
    if (session->state != KSA_SESSION_CLOSING) {
        unlist(ksa, session);
    }
    (void)qkd_map_del(&ksa->by_number, &session->number);
    qkd_timers_cancel(&ksa->timers, &session->timer);
    qkd_slab_give(&ksa->sessions, slot);
}

/* The timer stays set for the session's whole life, so that setting it again cannot fail. */
static void wait_for(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                     struct qkd_span span)
{
    struct ksa_session *session = session_at(ksa, slot);
    struct qkd_time at = qkd_time_add(event->now, span);
    if (session->timer == QKD_TIMER_NONE) { /* it has fired: its place is free */
        session->timer = qkd_timers_set(&ksa->timers, at, (uint64_t)KSA_TIMER_SESSION << 32 | slot);
        QKD_ASSERT(session->timer != QKD_TIMER_NONE);
    } else {
        qkd_timers_move(&ksa->timers, session->timer, at);
    }
}

static uint32_t add(struct ksa *ksa, const struct ksa_session *from)
{
    uint32_t slot = qkd_slab_take(&ksa->sessions);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    struct ksa_session *session = session_at(ksa, slot);
    *session = *from;
    uint8_t key[OPENED_KEY];
    opened_key(key, from->app, from->session_id);
    session->timer = qkd_timers_set(&ksa->timers, QKD_NEVER,
                                    (uint64_t)KSA_TIMER_SESSION << 32 | slot);
    if (session->timer == QKD_TIMER_NONE ||
        qkd_map_put(&ksa->by_number, &session->number, slot) != QKD_OK ||
        qkd_map_put(&ksa->by_opened, key, slot) != QKD_OK) {
        drop(ksa, slot);
        return QKD_SLAB_NONE;
    }
    return slot;
}

/* ---- to the KMC ---- */

static void ask(struct ksa *ksa, const struct qkd_event *event, uint32_t slot, struct qkd_out *out)
{
    struct ksa_session *session = session_at(ksa, slot);
    struct ksa_to to = {QKD_RP_KMI, ksa->kmc, 0, NULL};
    if (session->state == KSA_SESSION_CLOSING) {
        struct wire_release release = {.head = ksa_head(ksa, QKD_RP_KMI, 0),
                                       .session_id = session->number};
        (void)KSA_SEND(ksa, event, to, release, &release, out);
    } else {
        struct wire_reserve reserve = {.head = ksa_head(ksa, QKD_RP_KMI, 0),
                                       .source_id = ksa->kma,
                                       .destination_id = qkd_eid_sibling(session->target,
                                                                         QKD_ROLE_KMA),
                                       .session_id = session->number,
                                       .key_size = session->key_size,
                                       .key_amount = session->key_amount,
                                       .batch = ksa->config->batch,
                                       .rate_bps = session->rate_bps,
                                       .renew = session->was_open};
        (void)KSA_SEND(ksa, event, to, reserve, &reserve, out);
    }
    unsigned shift = session->tries < BACKOFF_SHIFT_MAX ? session->tries : BACKOFF_SHIFT_MAX;
    session->tries = session->tries < UINT8_MAX ? (uint8_t)(session->tries + 1) : UINT8_MAX;
    wait_for(ksa, event, slot, qkd_span_ns(ksa->config->retransmit.ns * (INT64_C(1) << shift)));
}

static void session_close(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                          struct qkd_out *out)
{
    struct ksa_session *session = session_at(ksa, slot);
    unlist(ksa, session);
    session->state = KSA_SESSION_CLOSING;
    session->tries = 0;
    ask(ksa, event, slot, out);
}

/* ---- to the application ---- */

static void answer(struct ksa *ksa, const struct qkd_event *event,
                   const struct ksa_session *session, enum wire_reason reason, struct qkd_out *out)
{
    struct wire_session_open_rsp rsp = {.head = ksa_head(ksa, QKD_RP_AK, session->open_id),
                                        .source_id = session->source_id,
                                        .target_id = session->target_id,
                                        .session_id = session->session_id,
                                        .has_reason = reason != WIRE_REASON_NONE,
                                        .reason = (uint8_t)reason,
                                        .code = reason == WIRE_REASON_NONE ? WIRE_SUCCESS
                                                                           : WIRE_INSUFFICIENT};
    struct ksa_to to = {QKD_RP_AK, session->app, QKD_SEND_REPLY, NULL};
    (void)KSA_SEND(ksa, event, to, session_open_rsp, &rsp, out);
}

/* The session is over before the application closed it. */
static void session_refuse(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                           enum wire_reason reason, struct qkd_out *out)
{
    const struct ksa_session *session = session_at(ksa, slot);
    answer(ksa, event, session, reason, out);
    ksa_account_refused(ksa, event, session->app);
}

/* As for a key request: authorization first, then whether it makes sense. */
static enum wire_reason open_check(const struct ksa *ksa, const struct wire_session_open *open,
                                   const struct ksa_session *session)
{
    if (ksa_directory_find(ksa, session->app) == NULL ||
        !ksa_source_good(ksa, session->app, open->source_id) ||
        !qkd_eid_eq(open->head.sender, session->app) ||
        qkd_eid_node(session->app) != ksa->config->node) {
        return WIRE_REASON_UNAUTHORIZED;
    }
    enum wire_reason reason = ksa_directory_check(ksa, session->app, session->target);
    if (reason == WIRE_REASON_NONE) {
        reason = ksa_access_check(ksa, session->app, session->target);
    }
    bool is_good = open->key_size >= KSA_KEY_BITS_LEAST && open->key_size <= KSA_KEY_BITS_MOST &&
                   open->key_size % 8 == 0 && open->key_amount > 0 &&
                   open->key_amount <= KSA_KEYS_PER_REQUEST && open->rate_bps > 0 &&
                   open->rate_bps <= RATE_MOST && open->timeout_ms >= LIFE_MS_LEAST &&
                   qkd_eid_node(session->target) != ksa->config->node;
    return reason == WIRE_REASON_NONE && !is_good ? WIRE_REASON_BAD_REQUEST : reason;
}

static void session_again(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                          uint64_t open_id, struct qkd_out *out)
{
    struct ksa_session *session = session_at(ksa, slot);
    session->open_id = open_id;
    if (session->state == KSA_SESSION_OPEN) {
        wait_for(ksa, event, slot, session->life);
        answer(ksa, event, session, WIRE_REASON_NONE, out);
    }
}

void ksa_on_session_open(struct ksa *ksa, const struct qkd_event *event,
                         const struct chan_message *message, struct qkd_out *out)
{
    struct wire_session_open open;
    int err = wire_session_open_decode(&open, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    uint32_t slot = find_opened(ksa, message->peer, open.session_id);
    if (slot != QKD_MAP_NONE) {
        session_again(ksa, event, slot, open.head.message_id, out);
        return;
    }
    struct ksa_session session = {.app = message->peer,
                                  .target = ksa_target_of(ksa, message->peer, open.target_id),
                                  .session_id = open.session_id,
                                  .number = ksa->next_message_id++,
                                  .open_id = open.head.message_id,
                                  .source_id = open.source_id,
                                  .target_id = open.target_id,
                                  .key_size = open.key_size,
                                  .key_amount = open.key_amount,
                                  .rate_bps = open.rate_bps,
                                  .rate = {.max_bps = open.rate_bps + open.rate_bps / EARLY_PART,
                                           .credit_bits = open.rate_bps +
                                                          open.rate_bps / EARLY_PART,
                                           .credit_at = event->now},
                                  .life = qkd_span_ms(open.timeout_ms),
                                  .incarnation = message->peer_incarnation,
                                  .state = KSA_SESSION_OPENING};
    enum wire_reason reason = open_check(ksa, &open, &session);
    if (reason == WIRE_REASON_UNAUTHORIZED || reason == WIRE_REASON_ACCESS_DENIED) {
        chan_report_security(&ksa->reports, event, WIRE_FAULT_DENIED, QKD_RP_AK, out);
    }
    if (reason == WIRE_REASON_NONE) {
        slot = add(ksa, &session);
        reason = slot == QKD_SLAB_NONE ? WIRE_REASON_OVERLOAD : WIRE_REASON_NONE;
    }
    if (reason != WIRE_REASON_NONE) {
        answer(ksa, event, &session, reason, out);
        ksa_account_refused(ksa, event, session.app);
        return;
    }
    ask(ksa, event, slot, out);
}

bool ksa_session_is_open(const struct ksa *ksa, struct qkd_eid app, struct qkd_eid target,
                         uint64_t session_id)
{
    uint32_t slot = find_opened(ksa, app, session_id);
    return slot != QKD_MAP_NONE && session_at(ksa, slot)->was_open &&
           qkd_eid_eq(session_at(ksa, slot)->target, target);
}

bool ksa_session_rate(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                      uint64_t session_id, uint64_t bits)
{
    uint32_t slot = find_opened(ksa, app, session_id);
    return slot != QKD_MAP_NONE && ksa_bucket_take(&session_at(ksa, slot)->rate, event->now, bits);
}

/* A session that is not there has been closed before: the answer is the same. */
void ksa_on_session_close(struct ksa *ksa, const struct qkd_event *event,
                          const struct chan_message *message, struct qkd_out *out)
{
    struct wire_session_close command;
    int err = wire_session_close_decode(&command, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    uint32_t slot = find_opened(ksa, message->peer, command.session_id);
    if (slot != QKD_MAP_NONE) {
        session_close(ksa, event, slot, out);
    }
    struct wire_session_close_rsp rsp = {.head = ksa_head(ksa, QKD_RP_AK, command.head.message_id),
                                         .source_id = command.source_id,
                                         .target_id = command.target_id,
                                         .session_id = command.session_id,
                                         .code = WIRE_SUCCESS};
    struct ksa_to to = {QKD_RP_AK, message->peer, QKD_SEND_REPLY, NULL};
    (void)KSA_SEND(ksa, event, to, session_close_rsp, &rsp, out);
}

/* ---- the KMC ---- */

static void on_reserve_rsp(struct ksa *ksa, const struct qkd_event *event,
                           const struct wire_reserve_rsp *rsp, struct qkd_out *out)
{
    uint32_t slot = qkd_map_get(&ksa->by_number, &rsp->session_id);
    if (slot == QKD_MAP_NONE || session_at(ksa, slot)->state == KSA_SESSION_CLOSING) {
        return;
    }
    struct ksa_session *session = session_at(ksa, slot);
    if (rsp->code != WIRE_SUCCESS) {
        bool is_known = rsp->reason > WIRE_REASON_NONE && rsp->reason < WIRE_REASON_COUNT;
        session_refuse(ksa, event, slot,
                       is_known ? (enum wire_reason)rsp->reason : WIRE_REASON_NO_CAPACITY, out);
        drop(ksa, slot);
    } else if (session->state == KSA_SESSION_OPENING) {
        session->state = KSA_SESSION_OPEN;
        wait_for(ksa, event, slot, session->life);
        if (!session->was_open) {
            answer(ksa, event, session, WIRE_REASON_NONE, out);
        }
        session->was_open = true;
    }
}

void ksa_on_kmc(struct ksa *ksa, const struct qkd_event *event, const struct chan_message *message,
                struct qkd_out *out)
{
    struct wire_reserve_rsp reserved;
    struct wire_release_rsp released;
    if (wire_reserve_rsp_decode(&reserved, message->bytes, message->len) == QKD_OK) {
        on_reserve_rsp(ksa, event, &reserved, out);
    } else if (wire_release_rsp_decode(&released, message->bytes, message->len) == QKD_OK) {
        uint32_t slot = qkd_map_get(&ksa->by_number, &released.session_id);
        if (slot != QKD_MAP_NONE && session_at(ksa, slot)->state == KSA_SESSION_CLOSING) {
            drop(ksa, slot);
        }
    } else {
        ksa_bad_bytes(ksa, message, QKD_ERR_UNKNOWN, out);
    }
}

void ksa_sessions_up(struct ksa *ksa, const struct qkd_event *event,
                     const struct chan_message *message, struct qkd_out *out)
{
    bool is_app = message->rp == QKD_RP_AK;
    bool is_kmc = message->rp == QKD_RP_KMI && qkd_eid_eq(message->peer, ksa->kmc);
    for (uint32_t slot = 0; (is_app || is_kmc) && slot < ksa->sessions.top; slot++) {
        if (!qkd_slab_live(&ksa->sessions, slot)) {
            continue;
        }
        struct ksa_session *session = session_at(ksa, slot);
        bool is_over = is_app && qkd_eid_eq(session->app, message->peer) &&
                       session->incarnation != message->peer_incarnation &&
                       session->state != KSA_SESSION_CLOSING;
        if (is_over) {
            session_close(ksa, event, slot, out);
        } else if (is_kmc) {
            session->tries = 0;
            if (session->state == KSA_SESSION_OPEN) {
                session->state = KSA_SESSION_OPENING; /* till the KMC says that it knows */
            }
            ask(ksa, event, slot, out);
        }
    }
}

void ksa_session_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct ksa_session *session = session_at(ksa, slot);
    session->timer = QKD_TIMER_NONE;
    switch ((enum ksa_session_state)session->state) {
    case KSA_SESSION_OPENING:
        if (session->tries < TRIES) {
            ask(ksa, event, slot, out);
            break;
        }
        session_refuse(ksa, event, slot, WIRE_REASON_UNREACHABLE, out);
        session_close(ksa, event, slot, out);
        break;
    case KSA_SESSION_OPEN:
        session_refuse(ksa, event, slot, WIRE_REASON_EXPIRED, out);
        session_close(ksa, event, slot, out);
        break;
    case KSA_SESSION_CLOSING:
        ask(ksa, event, slot, out);
        break;
    }
}
