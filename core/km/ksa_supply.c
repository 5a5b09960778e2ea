/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Master side of a supply (FG QIT4N D2.3 clauses 7.1.4, 7.1.5): the need told to the KMA, KSA-key
 * IDs for the keys that come, comparison with the other KSA at Kx-2, and only then the keys to the
 * application. Each piece of the KMA is one sub-session; the last one carries code 0x02. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"
#include "core/km/sync.h"

enum { BACKOFF_LIMIT = 16, POOLED_AGAIN = 4 };

/* A reason that another element gave, or `instead` if it gave none or no known one. */
static enum wire_reason reason_of(uint8_t given, enum wire_reason instead)
{
    return given > WIRE_REASON_NONE && given < WIRE_REASON_COUNT ? (enum wire_reason)given
                                                                 : instead;
}

/* ---- requests ---- */

/* The KMA need not work on this request any more. */
static void need_drop(struct ksa *ksa, const struct qkd_event *event, struct ksa_request *request,
                      enum wire_reason reason, struct qkd_out *out)
{
    if (request->need_id == 0) {
        return;
    }
    struct wire_kmi_drop drop = {.head = ksa_head(ksa, QKD_RP_KMI, request->need_id),
                                 .reason = (uint8_t)reason};
    struct ksa_to to = {QKD_RP_KMI, ksa->kma, 0, NULL};
    (void)KSA_SEND(ksa, event, to, kmi_drop, &drop, out);
    (void)qkd_map_del(&ksa->outstanding, &request->need_id);
    request->need_id = 0;
}

void ksa_request_free(struct ksa *ksa, uint32_t slot, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    while (request->first_batch != QKD_SLAB_NONE) {
        uint32_t batch = request->first_batch;
        request->first_batch = ksa_batch_at(ksa, batch)->next;
        ksa_batch_drop(ksa, batch, out);
    }
    if (request->need_id != 0) {
        (void)qkd_map_del(&ksa->outstanding, &request->need_id);
    }
    ksa_group_close(ksa, request);
    qkd_timers_cancel(&ksa->timers, &request->timer);
    qkd_slab_give(&ksa->requests, slot);
}

void ksa_request_fail(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      enum wire_reason reason, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    for (uint32_t i = request->first_batch; i != QKD_SLAB_NONE; i = ksa_batch_at(ksa, i)->next) {
        ksa_life_batch(ksa, event, ksa_batch_at(ksa, i), WIRE_ACTION_DISCARD, reason, out);
    }
    need_drop(ksa, event, request, reason, out);
    ksa_answer_refused(ksa, event, request->app, &request->echo, reason, out);
    ksa_request_free(ksa, slot, out);
}

static struct wire_kmi_need need_message(const struct ksa_request *request, struct wire_head head,
                                         uint32_t amount)
{
    const struct ksa_need *need = &request->asked;
    return (struct wire_kmi_need){
        .head = head,
        .destination_id = qkd_eid_sibling(need->target, QKD_ROLE_KMA),
        .source_app = need->app,
        .target_app = need->target,
        .key_size = need->key_size,
        .count = amount,
        .level = need->level,
        .has_relay = need->relay != WIRE_RELAY_HOP_BY_HOP,
        .relay = need->relay,
        .has_paths = need->paths > 0,
        .paths = need->paths,
        .has_class_number = need->class_number > 0,
        .class_number = need->class_number,
        .has_guaranteed = need->is_guaranteed,
        .guaranteed = need->is_guaranteed,
        .wait = need->wait,
        .timeout_ms = need->timeout_ms,
        .has_more_targets = need->more_targets.len > 0,
        .more_targets = need->more_targets,
    };
}

/* Asks the KMA for `amount` keys of a request: QKD_OK, QKD_ERR_AGAIN (it will leave), or an error. */
static int need_send(struct ksa *ksa, const struct qkd_event *event, uint32_t slot, uint32_t amount,
                     struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    struct wire_kmi_need message = need_message(request, ksa_head(ksa, QKD_RP_KMI, 0), amount);
    request->need_id = message.head.message_id;
    request->pieces = 0;
    struct ksa_to to = {QKD_RP_KMI, ksa->kma, 0, NULL};
    int err = qkd_map_put(&ksa->outstanding, &request->need_id, KSA_COMMAND_NEED | slot);
    return err == QKD_OK ? KSA_SEND(ksa, event, to, kmi_need, &message, out) : err;
}

void ksa_request_again(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                       const struct ksa_answer *known, struct qkd_out *out)
{
    if (known->request == 0 || !qkd_slab_live(&ksa->requests, known->request - 1)) {
        return;
    }
    const struct ksa_request *request = ksa_request_at(ksa, known->request - 1);
    bool is_it = qkd_eid_eq(request->app, app) && request->echo.message_id == known->message_id;
    bool waits = request->need_id != 0 && request->pieces == 0 && request->again == 0;
    if (!is_it || !waits || request->group != QKD_SLAB_NONE) {
        return; /* something of it has come; a multicast is not asked for again */
    }
    struct wire_head head = {.rp = QKD_RP_KMI, .message_id = request->need_id, .sender = ksa->self};
    struct wire_kmi_need message = need_message(request, head, request->amount);
    struct ksa_to to = {QKD_RP_KMI, ksa->kma, 0, NULL};
    (void)KSA_SEND(ksa, event, to, kmi_need, &message, out);
}

/* Asks for others in place of pooled keys that were lost; true if that is under way. */
static bool lost_again(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                       struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    uint32_t count = request->lost;
    if (count == 0 || request->need_id != 0 || request->reason != 0) {
        return count > 0 && request->need_id != 0;
    }
    request->lost = 0;
    request->again++;
    int err = need_send(ksa, event, slot, count, out);
    if (err != QKD_OK && err != QKD_ERR_AGAIN) {
        request->need_id = 0;
        request->reason = WIRE_REASON_OVERLOAD;
        return false;
    }
    return true;
}

/* Ends the request when nothing is left to wait for. */
static void request_settle(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                           struct qkd_out *out)
{
    const struct ksa_request *request = ksa_request_at(ksa, slot);
    if (request->supplied == request->amount) {
        ksa_request_free(ksa, slot, out);
    } else if (!lost_again(ksa, event, slot, out) && request->need_id == 0 &&
               request->comparing == 0) {
        ksa_request_fail(ksa, event, slot, reason_of(request->reason, WIRE_REASON_INSUFFICIENT_KEY),
                         out);
    }
}

/* The first failure decides what the request ends with; no further piece is wanted then. */
static void request_broken(struct ksa *ksa, const struct qkd_event *event,
                           struct ksa_request *request, enum wire_reason reason,
                           struct qkd_out *out)
{
    if (request->reason == 0) {
        request->reason = (uint8_t)reason;
    }
    need_drop(ksa, event, request, reason, out);
}

enum wire_reason ksa_request_open(struct ksa *ksa, const struct qkd_event *event,
                                  const struct ksa_echo *echo, const struct ksa_need *need,
                                  struct qkd_out *out)
{
    uint32_t slot = qkd_slab_take(&ksa->requests);
    if (slot == QKD_SLAB_NONE) {
        return WIRE_REASON_OVERLOAD;
    }
    struct ksa_request *request = ksa_request_at(ksa, slot);
    *request = (struct ksa_request){
        .echo = *echo,
        .app = need->app,
        .target = need->target,
        .key_size = need->key_size,
        .amount = need->amount,
        .level = need->level,
        .asked = *need,
        .first_batch = QKD_SLAB_NONE,
        .group = QKD_SLAB_NONE,
    };
    struct qkd_time end = qkd_time_add(event->now, qkd_span_ms(need->timeout_ms));
    request->timer = qkd_timers_set(&ksa->timers, end, (uint64_t)KSA_TIMER_REQUEST << 32 | slot);
    int err = request->timer == QKD_TIMER_NONE ? QKD_ERR_NOMEM : QKD_OK;
    if (err == QKD_OK && need->more_targets.len > 0) {
        err = ksa_group_open(ksa, request, need);
    }
    if (err == QKD_OK) {
        err = need_send(ksa, event, slot, need->amount, out);
    }
    request->asked.more_targets = (struct wire_bytes){NULL, 0}; /* the group has them */
    if (err != QKD_OK && err != QKD_ERR_AGAIN) {
        ksa_request_free(ksa, slot, out);
        return WIRE_REASON_OVERLOAD;
    }
    struct ksa_answer *known = ksa_recent_find(&ksa->recent, need->app, echo->message_id);
    if (known != NULL) {
        known->request = slot + 1;
    }
    return WIRE_REASON_NONE;
}

void ksa_request_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    ksa_request_at(ksa, slot)->timer = QKD_TIMER_NONE;
    ksa_request_fail(ksa, event, slot, WIRE_REASON_TIMEOUT, out);
}

/* ---- pieces from the KMA ---- */

/* Version and variant bits of RFC 9562 clause 5.4; the rest is chance. */
void ksa_ids_make(struct ksa *ksa, uint8_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *id = ids + (size_t)i * KSA_ID_LEN;
        do {
            qkd_rng_bytes(&ksa->rng, id, KSA_ID_LEN);
            id[6] = (uint8_t)((id[6] & 0x0fU) | 0x40U);
            id[8] = (uint8_t)((id[8] & 0x3fU) | 0x80U);
        } while (qkd_map_get(&ksa->by_key, id) != QKD_MAP_NONE);
    }
}

static void notify_send(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                        struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    uint8_t sync[KM_SYNC_LEN];
    struct wire_sync_item item = {.id = batch->kma_id, .length = batch->count * batch->key_size};
    memcpy(item.digest.b, batch->tag, sizeof item.digest.b);
    struct wire_supply_notify notify = {
        .head = {.rp = QKD_RP_KX2, .message_id = batch->command_id, .sender = ksa->self},
        .sync = km_sync_build(&item, sync),
        .key_ids = {ksa_batch_ids(ksa, batch), (size_t)batch->count * KSA_ID_LEN},
        .session_id = batch->session_id,
        .source_app = batch->source_app,
        .target_app = batch->target_app,
        .key_size = batch->key_size,
        .grade = batch->grade,
        .fetch_within_ms = (uint32_t)(ksa->config->fetch_within.ns / QKD_NS_PER_MS),
    };
    struct ksa_to to = {QKD_RP_KX2, qkd_eid_sibling(batch->target_app, QKD_ROLE_KSA), 0, NULL};
    batch->spoken = chan_is_up(ksa->chans, to.rp, to.peer);
    if (batch->tries == 0 || batch->spoken) {
        (void)KSA_SEND(ksa, event, to, supply_notify, &notify, out); /* lost: it is repeated */
    }
    batch->tries++;
}

/* Waits for the answer: the retransmission time, doubled with each try. */
static bool notify_wait(struct ksa *ksa, const struct qkd_event *event, uint32_t slot)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    uint32_t doublings = batch->tries > 0 ? batch->tries - 1U : 0;
    doublings = doublings < BACKOFF_LIMIT ? doublings : BACKOFF_LIMIT;
    struct qkd_span wait = qkd_span_ns(ksa->config->retransmit.ns * (INT64_C(1) << doublings));
    return ksa_batch_linger(ksa, event, slot, wait);
}

/* An ID for the notification of a batch, and its timer; false at a limit. */
static bool notify_prepare(struct ksa *ksa, const struct qkd_event *event, uint32_t slot)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    batch->command_id = ksa->next_message_id++;
    return qkd_map_put(&ksa->outstanding, &batch->command_id, slot) == QKD_OK &&
           notify_wait(ksa, event, slot);
}

bool ksa_notify_begin(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out)
{
    if (!notify_prepare(ksa, event, slot)) {
        return false;
    }
    ksa_batch_at(ksa, slot)->phase = KSA_COMPARING;
    notify_send(ksa, event, slot, out);
    return true;
}

void ksa_notify_channel_up(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid peer,
                           struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < ksa->batches.top; slot++) {
        if (!qkd_slab_live(&ksa->batches, slot)) {
            continue;
        }
        struct ksa_batch *batch = ksa_batch_at(ksa, slot);
        if (batch->phase != KSA_COMPARING ||
            !qkd_eid_eq(qkd_eid_sibling(batch->target_app, QKD_ROLE_KSA), peer)) {
            continue;
        }
        if (batch->spoken) {
            batch->tries--; /* it is no further try: the last one was lost with the old channel */
            notify_send(ksa, event, slot, out);
            (void)notify_wait(ksa, event, slot); /* its timer runs: it is only moved */
        }
        batch->spoken = true; /* what waited for the channel has just left */
    }
}

static bool piece_good(const struct ksa_request *request, const struct wire_kmi_supply *supply)
{
    size_t len = request->key_size / 8;
    size_t count = supply->key_data.len / len;
    return supply->has_key_id && supply->has_key_data && supply->has_compare && count > 0 &&
           count <= KSA_KEYS_PER_BATCH && supply->key_data.len % len == 0 &&
           count <= request->amount - request->received && supply->has_grade &&
           (supply->grade != WIRE_METHOD_AES || request->level != WIRE_LEVEL_OTP_ONLY ||
            QKDN_MUTANT(FALL_ANYWAY)) &&
           (!supply->has_key_size || supply->key_size == request->key_size);
}

/* Takes the keys of a piece in: QKD_OK, or QKD_ERR_LIMIT if there is no room. */
static int piece_compare(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                         const struct wire_kmi_supply *supply, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, request_slot);
    uint32_t count = (uint32_t)(supply->key_data.len / (request->key_size / 8));
    uint32_t slot = ksa_batch_new(ksa, count, request->key_size);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    batch->phase = KSA_COMPARING;
    batch->kma_id = supply->key_id;
    batch->session_id = request->echo.session_id;
    batch->source_app = request->app;
    batch->target_app = request->target;
    batch->grade = supply->grade;
    batch->is_pooled = supply->has_pooled && supply->pooled != 0;
    batch->request = request_slot;
    if (!notify_prepare(ksa, event, slot)) {
        ksa_batch_drop(ksa, slot, out);
        return QKD_ERR_LIMIT;
    }
    uint8_t *ids = ksa_batch_ids(ksa, batch);
    uint8_t *keys = ksa_batch_keys(ksa, batch);
    ksa_ids_make(ksa, ids, count);
    memcpy(keys, supply->key_data.at, supply->key_data.len);
    ksa_tag(batch, (struct wire_bytes){ids, (size_t)count * KSA_ID_LEN}, supply->key_data,
            supply->compare.b, batch->tag);
    batch->next = request->first_batch;
    if (batch->next != QKD_SLAB_NONE) {
        ksa_batch_at(ksa, batch->next)->prev = slot;
    }
    request->first_batch = slot;
    request->comparing++;
    request->received += count;
    ksa_life_batch(ksa, event, batch, WIRE_ACTION_RECEPTION, WIRE_REASON_NONE, out);
    notify_send(ksa, event, slot, out);
    return QKD_OK;
}

void ksa_piece_arrived(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                       const struct wire_kmi_supply *supply, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, request_slot);
    if (supply->has_count_id && supply->count_id <= request->pieces) {
        return; /* seen before */
    }
    bool good = supply->code == WIRE_SUCCESS && piece_good(request, supply);
    bool empty_end = supply->code == WIRE_SUCCESS && !supply->has_key_data && supply->last;
    request->pieces = supply->has_count_id ? supply->count_id : request->pieces + 1;
    if (supply->last || supply->code != WIRE_SUCCESS) {
        (void)qkd_map_del(&ksa->outstanding, &request->need_id);
        request->need_id = 0;
    }
    if (request->group != QKD_SLAB_NONE) {
        ksa_group_piece(ksa, event, request_slot, supply, out);
        return;
    }
    enum wire_reason reason = WIRE_REASON_NONE;
    if (good) {
        bool room = piece_compare(ksa, event, request_slot, supply, out) == QKD_OK;
        reason = room ? WIRE_REASON_NONE : WIRE_REASON_OVERLOAD;
    } else if (supply->code != WIRE_SUCCESS) {
        reason = reason_of(supply->reason, WIRE_REASON_INSUFFICIENT_KEY);
    } else if (!empty_end) {
        reason = WIRE_REASON_RELAY_FAILED; /* not what was asked for */
    }
    if (reason != WIRE_REASON_NONE) {
        request_broken(ksa, event, request, reason, out);
    }
    request_settle(ksa, event, request_slot, out);
}

/* ---- comparison ---- */

void ksa_comparing_unlink(struct ksa *ksa, struct ksa_request *request, struct ksa_batch *batch)
{
    if (batch->next != QKD_SLAB_NONE) {
        ksa_batch_at(ksa, batch->next)->prev = batch->prev;
    }
    if (batch->prev != QKD_SLAB_NONE) {
        ksa_batch_at(ksa, batch->prev)->next = batch->next;
    } else {
        request->first_batch = batch->next;
    }
    batch->next = batch->prev = QKD_SLAB_NONE;
    request->comparing--;
}

/* The keys are equal on both sides: persists and answers them. */
static void batch_supply(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct ksa_request *request = ksa_request_at(ksa, batch->request);
    struct qkd_span keep = ksa_batch_times(ksa, event, batch);
    ksa_life_batch(ksa, event, batch, WIRE_ACTION_AUTHENTICATION, WIRE_REASON_NONE, out);
    request->supplied += batch->count;
    bool all = request->supplied == request->amount;
    struct ksa_answer_keys answer = {.app = request->app,
                                     .echo = &request->echo,
                                     .batch = batch,
                                     .place = -1,
                                     .count_id = ++request->count_id,
                                     .code = all ? WIRE_SUFFICIENT : WIRE_SUCCESS};
    ksa_answer_supply(ksa, event, &answer, out);
    struct ksa_run run = {.batch = batch, .count = batch->count};
    ksa_life_keys(ksa, event, &run, WIRE_ACTION_SYNCHRONIZATION, out);
    ksa_life_supplied(ksa, event, &run, out);
    for (uint32_t place = 0; place < batch->count; place++) {
        ksa_key_supplied(ksa, slot, place, out);
    }
    (void)ksa_batch_linger(ksa, event, slot, keep); /* its timer runs: it is only moved */
    ksa_batch_settle(ksa, slot, out);
}

/* The other end has lost its copy of a pooled key, and so of all: the KMA is told. True: another is asked for. */
static bool pooled_again(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         enum wire_reason reason, struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct ksa_request *request = ksa_request_at(ksa, batch->request);
    bool is_lost = reason == WIRE_REASON_RELAY_FAILED || reason == WIRE_REASON_UNKNOWN_KEY;
    if (!batch->is_pooled || !is_lost || request->reason != 0 || request->again == POOLED_AGAIN) {
        return false;
    }
    struct wire_kmi_drop drop = {.head = ksa_head(ksa, QKD_RP_KMI, 0),
                                 .key_id = batch->kma_id,
                                 .reason = (uint8_t)reason,
                                 .has_destination_id = true,
                                 .destination_id = qkd_eid_sibling(batch->target_app,
                                                                   QKD_ROLE_KMA)};
    struct ksa_to to = {QKD_RP_KMI, ksa->kma, 0, NULL};
    (void)KSA_SEND(ksa, event, to, kmi_drop, &drop, out);
    request->received -= batch->count;
    request->lost += batch->count;
    return true;
}

static void batch_fail(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                       enum wire_reason reason, struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    uint32_t request_slot = batch->request;
    if (ksa_request_at(ksa, request_slot)->group != QKD_SLAB_NONE) { /* all or nothing */
        ksa_request_fail(ksa, event, request_slot, reason, out);
        return;
    }
    bool again = pooled_again(ksa, event, slot, reason, out);
    ksa_life_batch(ksa, event, batch, WIRE_ACTION_DISCARD, reason, out);
    ksa_comparing_unlink(ksa, ksa_request_at(ksa, request_slot), ksa_batch_at(ksa, slot));
    ksa_batch_drop(ksa, slot, out);
    if (!again) {
        request_broken(ksa, event, ksa_request_at(ksa, request_slot), reason, out);
    }
    request_settle(ksa, event, request_slot, out);
}

void ksa_notify_answered(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                         const struct wire_supply_notify_rsp *answer, struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, batch_slot);
    if (!qkd_id_eq(&answer->key_id, &batch->kma_id)) {
        return;
    }
    if (answer->match != 1 && !QKDN_MUTANT(COMPARE_SKIP)) {
        enum wire_reason reason = reason_of(answer->reason, WIRE_REASON_MISMATCH);
        if (reason == WIRE_REASON_MISMATCH) {
            chan_report_security(&ksa->reports, event, WIRE_FAULT_KEY_MISMATCH, 0, out);
        }
        batch_fail(ksa, event, batch_slot, reason, out);
        return;
    }
    uint32_t request_slot = batch->request;
    if (ksa_request_at(ksa, request_slot)->group != QKD_SLAB_NONE) {
        ksa_group_matched(ksa, event, batch_slot, out);
        return;
    }
    (void)qkd_map_del(&ksa->outstanding, &batch->command_id);
    batch->command_id = 0;
    ksa_comparing_unlink(ksa, ksa_request_at(ksa, request_slot), batch);
    /* A key that its supply deletes need never be found. */
    int err = ksa->config->preserve ? ksa_batch_hold(ksa, batch_slot, KSA_KEY_WAITING) : QKD_OK;
    if (err != QKD_OK) {
        request_broken(ksa, event, ksa_request_at(ksa, request_slot), WIRE_REASON_OVERLOAD, out);
        ksa_batch_drop(ksa, batch_slot, out);
    } else {
        batch_supply(ksa, event, batch_slot, out);
    }
    request_settle(ksa, event, request_slot, out);
}

void ksa_notify_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                        struct qkd_out *out)
{
    if (ksa_batch_at(ksa, batch_slot)->tries > ksa->config->retries) {
        batch_fail(ksa, event, batch_slot, WIRE_REASON_UNREACHABLE, out);
        return;
    }
    notify_send(ksa, event, batch_slot, out);
    if (!notify_wait(ksa, event, batch_slot)) {
        batch_fail(ksa, event, batch_slot, WIRE_REASON_OVERLOAD, out);
    }
}
