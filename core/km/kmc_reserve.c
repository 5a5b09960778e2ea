/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reservations that the KMC keeps with the controller for sessions of its KSA (docs/protocol.md,
 * "Sessions with a guaranteed rate"). What is reserved is soft state: the KMC says it again every
 * few periods, so that a controller that restarted learns of it and one that lost a RELEASE forgets.
 *
 *   RESERVE ──▶ ASKED ──RSP 1──▶ HELD ──RELEASE, KSA restarted──▶ RELEASING ──RSP──▶ gone
 *                 │ RSP 2: gone   │ renewal refused: gone, KSA told     ▲
 *                 └─ no answer: KSA told, in case it was reserved ──────┘
 *
 * While the controller is away a reservation stands: it may still hold it. */
#include "core/base/err.h"
#include "core/km/kmc_state.h"

#define RETRANSMITS 3
#define BACKOFF_SHIFT_MAX 3
#define CHUNK 8
#define MESSAGE_BYTES 128 /* the longest message of this file */

void kmc_reserve_init(struct kmc *kmc, const uint8_t *salt)
{
    qkd_slab_init(&kmc->reserves, sizeof(struct kmc_reserve), CHUNK, kmc->config->request_limit);
    qkd_map_init(&kmc->by_session, 8, kmc->config->request_limit, salt);
}

void kmc_reserve_fini(struct kmc *kmc)
{
    qkd_slab_fini(&kmc->reserves);
    qkd_map_fini(&kmc->by_session);
}

static struct kmc_reserve *reserve_at(const struct kmc *kmc, uint32_t slot)
{
    return qkd_slab_at(&kmc->reserves, slot);
}

static uint32_t find(const struct kmc *kmc, uint64_t session_id)
{
    uint8_t key[8];
    wire_put_u64(key, session_id);
    return qkd_map_get(&kmc->by_session, key);
}

static uint32_t add(struct kmc *kmc, uint64_t session_id)
{
    uint32_t slot = qkd_slab_take(&kmc->reserves);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    uint8_t key[8];
    wire_put_u64(key, session_id);
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    reserve->session_id = session_id;
    reserve->timer = qkd_timers_set(&kmc->timers, QKD_NEVER, KMC_TIMER_RESERVE | slot);
    if (reserve->timer == QKD_TIMER_NONE || qkd_map_put(&kmc->by_session, key, slot) != 0) {
        qkd_timers_cancel(&kmc->timers, &reserve->timer);
        qkd_slab_give(&kmc->reserves, slot);
        return QKD_SLAB_NONE;
    }
    return slot;
}

static void drop(struct kmc *kmc, uint32_t slot)
{
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    uint8_t key[8];
    wire_put_u64(key, reserve->session_id);
    (void)qkd_map_del(&kmc->by_session, key);
    qkd_timers_cancel(&kmc->timers, &reserve->timer);
    qkd_slab_give(&kmc->reserves, slot);
}

/* Its timer stays set for its whole life, so that setting it again cannot fail. */
static void wait_for(struct kmc *kmc, const struct qkd_event *event, uint32_t slot,
                     struct qkd_span span)
{
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    struct qkd_time at = qkd_time_add(event->now, span);
    if (reserve->timer == QKD_TIMER_NONE) { /* it has fired: its place is free */
        reserve->timer = qkd_timers_set(&kmc->timers, at, KMC_TIMER_RESERVE | slot);
        QKD_ASSERT(reserve->timer != QKD_TIMER_NONE);
    } else {
        qkd_timers_move(&kmc->timers, reserve->timer, at);
    }
}

static struct qkd_span renew_span(const struct kmc *kmc)
{
    return qkd_span_ns(KMC_RENEW_PERIODS * kmc->config->status_period.ns);
}

/* ---- to the controller ---- */

/* Says what the state asks for, anew with each try: RESERVE or RELEASE. */
static void ask(struct kmc *kmc, const struct qkd_event *event, uint32_t slot, struct qkd_out *out)
{
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    uint8_t bytes[MESSAGE_BYTES];
    struct wire_head head = kmc_head(kmc, QKD_RP_CK, 0);
    reserve->sent_id = head.message_id;
    int len;
    if (reserve->state == KMC_RESERVE_RELEASING) {
        struct wire_release release = {.head = head, .session_id = reserve->session_id};
        len = wire_release_encode(&release, bytes, sizeof bytes);
    } else {
        struct wire_reserve message = {.head = head,
                                       .source_id = kmc->kma,
                                       .destination_id = reserve->destination,
                                       .session_id = reserve->session_id,
                                       .key_size = reserve->key_size,
                                       .key_amount = reserve->key_amount,
                                       .batch = reserve->batch,
                                       .rate_bps = reserve->rate_bps,
                                       .renew = reserve->was_held};
        len = wire_reserve_encode(&message, bytes, sizeof bytes);
    }
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = kmc->controller, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out);
    unsigned shift = reserve->tries < BACKOFF_SHIFT_MAX ? reserve->tries : BACKOFF_SHIFT_MAX;
    reserve->tries++;
    wait_for(kmc, event, slot, qkd_span_ns(kmc->config->retransmit.ns << shift));
}

static void release(struct kmc *kmc, const struct qkd_event *event, uint32_t slot,
                    struct qkd_out *out)
{
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    reserve->state = KMC_RESERVE_RELEASING;
    reserve->tries = 0;
    ask(kmc, event, slot, out);
}

/* ---- to the KSA ---- */

static void ksa_send(struct kmc *kmc, const struct qkd_event *event, const uint8_t *bytes, int len,
                     struct qkd_out *out)
{
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_KMI, .peer = kmc->ksa, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out);
}

/* reason NONE: it is held. */
static void tell(struct kmc *kmc, const struct qkd_event *event, const struct kmc_reserve *reserve,
                 uint8_t reason, struct qkd_out *out)
{
    uint8_t bytes[MESSAGE_BYTES];
    struct wire_reserve_rsp rsp = {.head = kmc_head(kmc, QKD_RP_KMI, reserve->ksa_id),
                                   .source_id = kmc->kma,
                                   .destination_id = reserve->destination,
                                   .session_id = reserve->session_id,
                                   .has_reason = reason != WIRE_REASON_NONE,
                                   .reason = reason,
                                   .code = reason == WIRE_REASON_NONE ? WIRE_SUCCESS
                                                                      : WIRE_FAILURE};
    ksa_send(kmc, event, bytes, wire_reserve_rsp_encode(&rsp, bytes, sizeof bytes), out);
}

void kmc_reserve_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                          const struct chan_message *m, struct qkd_out *out)
{
    struct wire_reserve message;
    int err = wire_reserve_decode(&message, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint32_t slot = find(kmc, message.session_id);
    if (slot != QKD_MAP_NONE) { /* said again, or kept over a restart of ours */
        struct kmc_reserve *known = reserve_at(kmc, slot);
        known->ksa_id = message.head.message_id;
        if (known->state == KMC_RESERVE_HELD) {
            tell(kmc, event, known, WIRE_REASON_NONE, out);
        }
        return;
    }
    struct kmc_reserve asked = {.session_id = message.session_id,
                                .ksa_id = message.head.message_id,
                                .destination = message.destination_id,
                                .key_size = message.key_size,
                                .key_amount = message.key_amount,
                                .batch = message.batch,
                                .rate_bps = message.rate_bps,
                                .was_held = message.renew != 0,
                                .state = KMC_RESERVE_ASKED};
    if (kmc->config->controller.v == 0) {
        tell(kmc, event, &asked, WIRE_REASON_UNREACHABLE, out);
        return;
    }
    slot = add(kmc, message.session_id);
    if (slot == QKD_SLAB_NONE) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        tell(kmc, event, &asked, WIRE_REASON_OVERLOAD, out);
        return;
    }
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    asked.timer = reserve->timer;
    *reserve = asked;
    ask(kmc, event, slot, out);
}

/* The KSA needs to know only that it was heard: the rest is ours. */
void kmc_release_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                          const struct chan_message *m, struct qkd_out *out)
{
    struct wire_release message;
    int err = wire_release_decode(&message, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint8_t bytes[MESSAGE_BYTES];
    struct wire_release_rsp rsp = {.head = kmc_head(kmc, QKD_RP_KMI, message.head.message_id),
                                   .session_id = message.session_id,
                                   .code = WIRE_SUCCESS};
    ksa_send(kmc, event, bytes, wire_release_rsp_encode(&rsp, bytes, sizeof bytes), out);
    uint32_t slot = find(kmc, message.session_id);
    if (slot != QKD_MAP_NONE && reserve_at(kmc, slot)->state != KMC_RESERVE_RELEASING) {
        release(kmc, event, slot, out);
    }
}

/* ---- answers of the controller ---- */

void kmc_reserve_answer(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct wire_reserve_rsp rsp;
    int err = wire_reserve_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint32_t slot = find(kmc, rsp.session_id);
    if (slot == QKD_MAP_NONE || reserve_at(kmc, slot)->state == KMC_RESERVE_RELEASING) {
        return;
    }
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    if (rsp.code == WIRE_SUCCESS) {
        bool is_news = reserve->state == KMC_RESERVE_ASKED;
        reserve->state = KMC_RESERVE_HELD;
        reserve->was_held = true;
        reserve->tries = 0;
        wait_for(kmc, event, slot, renew_span(kmc));
        if (is_news) {
            tell(kmc, event, reserve, WIRE_REASON_NONE, out);
        }
        return;
    }
    bool has_reason = rsp.has_reason && rsp.reason != WIRE_REASON_NONE;
    tell(kmc, event, reserve, has_reason ? rsp.reason : WIRE_REASON_NO_CAPACITY, out);
    drop(kmc, slot);
}

/* Unasked: the controller thought us gone. What is still wanted is asked for again, as held before. */
void kmc_release_answer(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct wire_release_rsp rsp;
    int err = wire_release_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    uint32_t slot = find(kmc, rsp.session_id);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    if (reserve->state == KMC_RESERVE_RELEASING) {
        drop(kmc, slot);
    } else if (reserve->state == KMC_RESERVE_HELD && rsp.head.orig_message_id == 0) {
        reserve->tries = 0;
        ask(kmc, event, slot, out);
    }
}

/* ---- siblings and controller come and go ---- */

void kmc_reserve_ksa_up(struct kmc *kmc, const struct qkd_event *event, uint32_t incarnation,
                        struct qkd_out *out)
{
    bool is_new = incarnation != kmc->ksa_incarnation;
    kmc->ksa_incarnation = incarnation;
    for (uint32_t slot = 0; is_new && slot < kmc->reserves.top; slot++) {
        if (qkd_slab_live(&kmc->reserves, slot) &&
            reserve_at(kmc, slot)->state != KMC_RESERVE_RELEASING) {
            release(kmc, event, slot, out);
        }
    }
}

void kmc_reserve_controller_up(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < kmc->reserves.top; slot++) {
        if (qkd_slab_live(&kmc->reserves, slot)) {
            reserve_at(kmc, slot)->tries = 0;
            ask(kmc, event, slot, out);
        }
    }
}

void kmc_reserve_timeout(struct kmc *kmc, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct kmc_reserve *reserve = reserve_at(kmc, slot);
    reserve->timer = QKD_TIMER_NONE;
    if (reserve->tries <= RETRANSMITS) {
        ask(kmc, event, slot, out);
        return;
    }
    switch ((enum kmc_reserve_state)reserve->state) {
    case KMC_RESERVE_ASKED:
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
        tell(kmc, event, reserve, WIRE_REASON_UNREACHABLE, out);
        release(kmc, event, slot, out);
        break;
    case KMC_RESERVE_HELD: /* it stands, and is renewed when its time comes */
        reserve->tries = 0;
        wait_for(kmc, event, slot, renew_span(kmc));
        break;
    case KMC_RESERVE_RELEASING: /* the controller forgets it by itself */
        drop(kmc, slot);
        break;
    }
}
