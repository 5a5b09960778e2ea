/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of two controllers this KM follows (docs/protocol.md, "A standby controller"): the one of the
 * highest term that it has ever seen, which it persists before it obeys. Every message of a controller
 * carries its term; what is of a lower one changes nothing, and its sender is told why.
 *
 *   Ck  term higher        ──▶  persisted; questions under way and what is reserved go to its sender
 *   Ck  term lower         ──▶  TERM {the higher one}
 *   every status period    ──▶  TERM to the one that is not followed, to both when nobody is heard
 *
 * Without a second controller nothing of this happens. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/km/kmc_state.h"

#define MESSAGE_BYTES 64

/* Finds the term of a message of a controller; false: it has none, or is not well formed. */
#define DEFINE_TERM(name)                                                                          \
    static bool name##_term(const struct chan_message *m, uint64_t *term)                          \
    {                                                                                              \
        struct wire_##name message;                                                                \
        int err = wire_##name##_decode(&message, m->bytes, m->len);                                \
        *term = err == 0 ? message.term : 0;                                                       \
        return err == 0 && message.has_term;                                                       \
    }
DEFINE_TERM(status)
DEFINE_TERM(route_rsp)
DEFINE_TERM(route_table)
DEFINE_TERM(reserve_rsp)
DEFINE_TERM(release_rsp)
DEFINE_TERM(stock_rsp)
DEFINE_TERM(resolve_rsp)

static bool term_of(const struct chan_message *m, uint8_t command, uint64_t *term)
{
    struct wire_term message;
    switch (command) {
    case WIRE_CMD_STATUS:
        return status_term(m, term);
    case WIRE_CMD_ROUTE_RSP:
        return route_rsp_term(m, term);
    case WIRE_CMD_ROUTE_TABLE:
        return route_table_term(m, term);
    case WIRE_CMD_RESERVE_RSP:
        return reserve_rsp_term(m, term);
    case WIRE_CMD_RELEASE_RSP:
        return release_rsp_term(m, term);
    case WIRE_CMD_STOCK_RSP:
        return stock_rsp_term(m, term);
    case WIRE_CMD_RESOLVE_RSP:
        return resolve_rsp_term(m, term);
    case WIRE_CMD_TERM:
        if (wire_term_decode(&message, m->bytes, m->len) != 0 || message.active != 1) {
            return false;
        }
        *term = message.term;
        return true;
    default:
        return false;
    }
}

static bool hears(const struct kmc *kmc, const struct qkd_event *event)
{
    struct qkd_span silence = qkd_span_ns(KMC_SILENT_PERIODS * kmc->config->status_period.ns);
    return kmc->term > 0 && !qkd_time_before(qkd_time_add(kmc->heard, silence), event->now);
}

static void term_send(struct kmc *kmc, const struct qkd_event *event, struct qkd_eid to,
                      struct qkd_out *out)
{
    struct wire_term message = {.head = kmc_head(kmc, QKD_RP_CK, 0),
                                .term = kmc->term,
                                .active = hears(kmc, event)};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_term_encode(&message, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {.rp = QKD_RP_CK, .peer = to, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out); /* said again in a period */
}

static void follow(struct kmc *kmc, const struct qkd_event *event, struct qkd_eid controller,
                   uint64_t term, struct qkd_out *out)
{
    bool is_other = !qkd_eid_eq(kmc->controller, controller);
    kmc->term = term;
    kmc->controller = controller;
    kmc->commanded = false;
    kmc->last_command_id = kmc->last_table_id = 0; /* it counts anew */
    struct wire_p_term record = {.term = term, .controller = controller};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_p_term_encode(&record, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    if (!QKDN_MUTANT(FOLLOW_UNSAVED)) {
        qkd_out_put(out, &(struct qkd_persist){.owner = kmc->self,
                                               .kind = WIRE_PERSIST_TERM,
                                               .key_len = 1,
                                               .value = qkd_out_copy(out, bytes, (size_t)len)});
    }
    if (is_other) {
        kmc_pending_move(kmc, event, out);
    }
    kmc_reserve_controller_up(kmc, event, out);
}

bool kmc_term_admits(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                     uint8_t command, struct qkd_out *out)
{
    if (kmc->config->standby.v == 0) {
        return true;
    }
    uint64_t term = 0;
    if (!term_of(m, command, &term) || term == 0 || term == UINT64_MAX) {
        kmc_bad_bytes(kmc, m, QKD_ERR_INVALID, out);
        return false;
    }
    bool is_old = term < kmc->term || (term == kmc->term && !qkd_eid_eq(m->peer, kmc->controller));
    if (is_old && !QKDN_MUTANT(TERM_BLIND)) {
        term_send(kmc, event, m->peer, out);
        return false;
    }
    kmc->heard = event->now;
    if (term > kmc->term) {
        follow(kmc, event, m->peer, term, out);
    }
    (void)chan_report_clear(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
    return command != WIRE_CMD_TERM;
}

void kmc_term_start(struct kmc *kmc, const struct qkd_event *event)
{
    kmc->controller = kmc->config->controller;
    kmc->heard = event->now;
    kmc->term = 0;
    for (size_t i = 0; i < event->u.start.count && kmc->config->standby.v != 0; i++) {
        const struct qkd_record *record = &event->u.start.records[i];
        struct wire_p_term kept;
        if (record->kind == WIRE_PERSIST_TERM &&
            wire_p_term_decode(&kept, record->value, record->value_len) > 0) {
            kmc->term = kept.term;
            kmc->controller = kept.controller;
        }
    }
}

void kmc_term_tick(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    if (kmc->config->standby.v == 0) {
        return;
    }
    struct qkd_span silence = qkd_span_ns(KMC_SILENT_PERIODS * kmc->config->status_period.ns);
    bool is_silent = qkd_time_before(qkd_time_add(kmc->heard, silence), event->now);
    if (is_silent) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
    }
    const struct qkd_eid both[2] = {kmc->config->controller, kmc->config->standby};
    for (size_t i = 0; i < 2; i++) {
        bool is_followed = kmc->term > 0 && qkd_eid_eq(both[i], kmc->controller);
        bool has_news = is_silent || (kmc->term > 0 && !is_followed);
        if (has_news && chan_is_up(kmc->set, QKD_RP_CK, both[i])) {
            term_send(kmc, event, both[i], out);
        } else if (is_silent && both[i].v != 0) { /* it restarted, and its handshake was lost */
            (void)chan_open(kmc->set, event, QKD_RP_CK, both[i], out);
        }
    }
}
