/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slave side of a supply: a notification of the other KSA (Kx-2) is checked, the key it names is
 * fetched from the own KMA and compared (FG QIT4N D2.3 clause 7.1.5), and its KSA-keys then wait for
 * the target application, which gets each of them once by ID (Table 7-4, code 0x02). */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/km/ksa_element.h"
#include "core/km/sync.h"

enum { FETCH_PATIENCE = 4 }; /* retransmission times that the KMA has to answer */

/* ---- the answer at Kx-2 ---- */

static void verdict_send(struct ksa *ksa, const struct qkd_event *event,
                         const struct ksa_answer *answer, const struct qkd_id *kma_id,
                         struct qkd_out *out)
{
    struct wire_supply_notify_rsp message = {
        .head = ksa_head(ksa, QKD_RP_KX2, answer->message_id),
        .key_id = *kma_id,
        .match = answer->code,
        .reason = answer->reason,
    };
    struct ksa_to to = {QKD_RP_KX2, answer->peer, 0, NULL};
    (void)KSA_SEND(ksa, event, to, supply_notify_rsp, &message, out); /* lost: asked again */
}

static void verdict(struct ksa *ksa, const struct qkd_event *event, const struct ksa_answer *answer,
                    const struct qkd_id *kma_id, struct qkd_out *out)
{
    ksa_recent_answer(&ksa->recent, answer);
    verdict_send(ksa, event, answer, kma_id, out);
}

/* Says no to the notification of a batch and wipes the batch. */
static void batch_refuse(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         enum wire_reason reason, struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct ksa_answer answer = {.peer = qkd_eid_sibling(batch->source_app, QKD_ROLE_KSA),
                                .message_id = batch->notify_id,
                                .reason = (uint8_t)reason};
    ksa_life_batch(ksa, event, batch, WIRE_ACTION_DISCARD, reason, out);
    verdict(ksa, event, &answer, &batch->kma_id, out);
    ksa_batch_drop(ksa, slot, out);
}

/* ---- notification ---- */

static enum wire_reason notify_check(const struct ksa *ksa, struct qkd_eid peer,
                                     const struct wire_supply_notify *notify,
                                     const struct wire_sync_item *item)
{
    bool own = qkd_eid_node(notify->target_app) == ksa->config->node;
    bool sender = qkd_eid_eq(peer, qkd_eid_sibling(notify->source_app, QKD_ROLE_KSA)) &&
                  qkd_eid_eq(notify->head.sender, peer);
    if (!own || !sender) {
        return WIRE_REASON_UNAUTHORIZED;
    }
    enum wire_reason reason = ksa_directory_check(ksa, notify->target_app, notify->source_app);
    if (reason == WIRE_REASON_NONE) {
        reason = ksa_access_check(ksa, notify->source_app, notify->target_app);
    }
    if (reason != WIRE_REASON_NONE) {
        return reason;
    }
    if (notify->grade == WIRE_METHOD_AES && ksa_directory_strict(ksa, notify->target_app) &&
        !QKDN_MUTANT(FALL_ANYWAY)) {
        return WIRE_REASON_POLICY; /* its application takes one-time padded keys only */
    }
    size_t count = notify->key_ids.len / KSA_ID_LEN;
    bool good = count > 0 && count <= KSA_KEYS_PER_BATCH && notify->key_ids.len % KSA_ID_LEN == 0 &&
                notify->key_size >= KSA_KEY_BITS_LEAST && notify->key_size <= KSA_KEY_BITS_MOST &&
                notify->key_size % 8 == 0 && item->length == count * notify->key_size;
    return good ? WIRE_REASON_NONE : WIRE_REASON_BAD_REQUEST;
}

/* Sets a batch up and asks the KMA for its keys. */
static enum wire_reason fetch_begin(struct ksa *ksa, const struct qkd_event *event,
                                    const struct wire_supply_notify *notify,
                                    const struct wire_sync_item *item, struct qkd_out *out)
{
    uint32_t count = (uint32_t)(notify->key_ids.len / KSA_ID_LEN);
    uint32_t slot = ksa_batch_new(ksa, count, notify->key_size);
    if (slot == QKD_SLAB_NONE) {
        return WIRE_REASON_OVERLOAD;
    }
    struct wire_kmi_fetch fetch = {.head = ksa_head(ksa, QKD_RP_KMI, 0),
                                   .key_id = item->id,
                                   .source_app = notify->source_app,
                                   .target_app = notify->target_app};
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct qkd_span asked = qkd_span_ms(notify->fetch_within_ms);
    batch->phase = KSA_FETCHING;
    batch->slave = true;
    batch->kma_id = item->id;
    batch->session_id = notify->session_id;
    batch->source_app = notify->source_app;
    batch->target_app = QKDN_MUTANT(WRONG_SLAVE) ? notify->source_app : notify->target_app;
    batch->grade = notify->grade;
    batch->notify_id = notify->head.message_id;
    batch->command_id = fetch.head.message_id;
    batch->fetch_within = asked.ns < ksa->config->fetch_within.ns ? asked
                                                                  : ksa->config->fetch_within;
    memcpy(batch->tag, item->digest.b, sizeof batch->tag);
    memcpy(ksa_batch_ids(ksa, batch), notify->key_ids.at, notify->key_ids.len);
    struct ksa_to to = {QKD_RP_KMI, ksa->kma, 0, NULL};
    struct qkd_span patience = qkd_span_ns(ksa->config->retransmit.ns * FETCH_PATIENCE);
    int err = qkd_map_put(&ksa->outstanding, &batch->command_id, slot);
    if (err == QKD_OK && !ksa_batch_linger(ksa, event, slot, patience)) {
        err = QKD_ERR_NOMEM;
    }
    if (err == QKD_OK) {
        err = KSA_SEND(ksa, event, to, kmi_fetch, &fetch, out);
    }
    if (err != QKD_OK && err != QKD_ERR_AGAIN) {
        ksa_batch_drop(ksa, slot, out);
        return WIRE_REASON_OVERLOAD;
    }
    return WIRE_REASON_NONE;
}

void ksa_on_notify(struct ksa *ksa, const struct qkd_event *event,
                   const struct chan_message *message, struct qkd_out *out)
{
    struct wire_supply_notify notify;
    struct wire_sync_item item;
    int err = wire_supply_notify_decode(&notify, message->bytes, message->len);
    if (err == QKD_OK) {
        err = km_sync_read(notify.sync, &item);
    }
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    const struct ksa_answer *known = ksa_recent_find(&ksa->recent, message->peer,
                                                     notify.head.message_id);
    if (known != NULL) {
        if (known->state == KSA_ANSWER_DONE) {
            verdict_send(ksa, event, known, &item.id, out);
        }
        return;
    }
    ksa_recent_add(&ksa->recent, message->peer, notify.head.message_id);
    enum wire_reason reason = notify_check(ksa, message->peer, &notify, &item);
    if (reason == WIRE_REASON_UNAUTHORIZED || reason == WIRE_REASON_UNKNOWN_APPLICATION ||
        reason == WIRE_REASON_ACCESS_DENIED) {
        chan_report_security(&ksa->reports, event, WIRE_FAULT_DENIED, QKD_RP_KX2, out);
    }
    if (reason == WIRE_REASON_NONE) {
        reason = fetch_begin(ksa, event, &notify, &item, out);
    }
    if (reason != WIRE_REASON_NONE) {
        struct ksa_answer answer = {.peer = message->peer,
                                    .message_id = notify.head.message_id,
                                    .reason = (uint8_t)reason};
        verdict(ksa, event, &answer, &item.id, out);
    }
}

/* ---- comparison ---- */

/* Judges the notified item against the keys that the own KMA gave. */
static enum km_sync_verdict compare(const struct ksa *ksa, const struct ksa_batch *batch,
                                    const struct wire_kmi_supply *supply)
{
    struct wire_sync_item theirs = {.id = batch->kma_id, .length = batch->count * batch->key_size};
    memcpy(theirs.digest.b, batch->tag, sizeof theirs.digest.b);
    if (supply->code != WIRE_SUCCESS || !supply->has_key_id || !supply->has_key_data ||
        !supply->has_compare) {
        return km_sync_judge(NULL, &theirs);
    }
    struct wire_sync_item own = {.id = supply->key_id,
                                 .length = (uint32_t)(supply->key_data.len * 8)};
    struct wire_bytes ids = {ksa_batch_ids(ksa, batch), (size_t)batch->count * KSA_ID_LEN};
    ksa_tag(batch, ids, supply->key_data, supply->compare.b, own.digest.b);
    if (qkd_is_off(ksa->config->measures_off, QKD_MEASURE_COMPARE)) {
        own.digest = theirs.digest;
    }
    return km_sync_judge(&own, &theirs);
}

/* Equal on both sides: the keys wait, durably, before the other KSA hears of it. */
static void batch_accept(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         const struct wire_kmi_supply *supply, struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    int err = ksa_batch_hold(ksa, slot, KSA_KEY_WAITING);
    if (err != QKD_OK) {
        ksa_life_batch(ksa, event, batch, WIRE_ACTION_RECEPTION, WIRE_REASON_NONE, out);
        batch_refuse(ksa, event, slot,
                     err == QKD_ERR_EXISTS ? WIRE_REASON_DUPLICATE : WIRE_REASON_OVERLOAD, out);
        return;
    }
    (void)qkd_map_del(&ksa->outstanding, &batch->command_id);
    batch->command_id = 0;
    memcpy(ksa_batch_keys(ksa, batch), supply->key_data.at, supply->key_data.len);
    struct qkd_span wait = ksa_batch_times(ksa, event, batch);
    ksa_life_accepted(ksa, event, batch, out);
    struct ksa_run run = {.batch = batch, .count = batch->count};
    ksa_life_keys(ksa, event, &run, WIRE_ACTION_SYNCHRONIZATION, out);
    for (uint32_t place = 0; place < batch->count; place++) {
        if (!QKDN_MUTANT(MATCH_UNSAVED)) {
            ksa_key_persist(ksa, batch, place, out);
        }
    }
    (void)ksa_batch_linger(ksa, event, slot, wait); /* its timer runs: it is only moved */
    struct ksa_answer answer = {.peer = qkd_eid_sibling(batch->source_app, QKD_ROLE_KSA),
                                .message_id = batch->notify_id,
                                .code = 1};
    verdict(ksa, event, &answer, &batch->kma_id, out);
}

void ksa_key_fetched(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                     const struct wire_kmi_supply *supply, struct qkd_out *out)
{
    switch (compare(ksa, ksa_batch_at(ksa, batch_slot), supply)) {
    case KM_SYNC_MATCH:
        batch_accept(ksa, event, batch_slot, supply, out);
        break;
    case KM_SYNC_MISMATCH:
        chan_report_security(&ksa->reports, event, WIRE_FAULT_KEY_MISMATCH, 0, out);
        batch_refuse(ksa, event, batch_slot, WIRE_REASON_MISMATCH, out);
        break;
    case KM_SYNC_UNKNOWN: /* the key did not arrive here, or is no longer there */
        batch_refuse(ksa, event, batch_slot, WIRE_REASON_RELAY_FAILED, out);
        break;
    }
}

/* The KMA does not answer: as if the notification had never come. */
void ksa_fetch_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                       struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, batch_slot);
    ksa_life_batch(ksa, event, batch, WIRE_ACTION_DISCARD, WIRE_REASON_UNREACHABLE, out);
    ksa_recent_forget(&ksa->recent, qkd_eid_sibling(batch->source_app, QKD_ROLE_KSA),
                      batch->notify_id);
    ksa_batch_drop(ksa, batch_slot, out);
}

/* ---- key by ID ---- */

/* Unknown, somebody else's, already supplied: the answer is the same, so that nothing is learnt
 * from asking. */
void ksa_supply_by_id(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                      const struct ksa_echo *echo, struct qkd_out *out)
{
    uint32_t place = 0;
    uint32_t slot = ksa_key_find(ksa, &echo->key_id, &place);
    struct ksa_batch *batch = slot == QKD_SLAB_NONE ? NULL : ksa_batch_at(ksa, slot);
    bool anybody = QKDN_MUTANT(RIGHTS_BLIND) ||
                   qkd_is_off(ksa->config->measures_off, QKD_MEASURE_AUTHORIZATION);
    bool target = batch != NULL && batch->slave && (anybody || qkd_eid_eq(batch->target_app, app));
    bool foreign = batch != NULL && !target && !qkd_eid_eq(batch->source_app, app);
    if (foreign) {
        chan_report_security(&ksa->reports, event, WIRE_FAULT_DENIED, QKD_RP_AK, out);
    }
    if (!target || ksa_batch_states(ksa, batch)[place] != KSA_KEY_WAITING) {
        enum wire_reason reason = QKDN_MUTANT(PROBE_TELLS) && foreign ? WIRE_REASON_UNAUTHORIZED
                                                                      : WIRE_REASON_UNKNOWN_KEY;
        ksa_answer_refused(ksa, event, app, echo, reason, out);
        return;
    }
    struct ksa_answer_keys answer = {.app = app,
                                     .echo = echo,
                                     .batch = batch,
                                     .place = (int)place,
                                     .count_id = 1,
                                     .code = WIRE_SUFFICIENT};
    ksa_answer_supply(ksa, event, &answer, out);
    struct ksa_run run = {.batch = batch, .from = place, .count = 1};
    ksa_life_supplied(ksa, event, &run, out);
    ksa_key_supplied(ksa, slot, place, out);
    ksa_batch_settle(ksa, slot, out);
}
