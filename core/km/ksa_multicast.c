/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Master side of a supply to several slaves (multicast; "additional slaves" of ETSI GS QKD 014, which
 * Table 7-5 points to). One need is told to the KMA, which relays the same keys to each slave's node.
 * When all of it is here at the master's KSA the keys get their IDs, the same for all slaves, and the
 * weakest grade of all ways; then each slave's KSA compares (Kx-2), each under a compare key of its own.
 * When all have said that they match the master is answered, once and with all keys: nobody else knows
 * the IDs before, and without its ID no slave is given a key. Whatever fails on the way ends all of it. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"
#include "core/wire/frame.h"

static struct ksa_group *group_at(const struct ksa *ksa, uint32_t slot)
{
    return qkd_slab_at(&ksa->groups, slot);
}

static uint8_t *ids_of(const struct ksa *ksa, const struct ksa_group *group)
{
    return ksa_pool_at(&ksa->pool, group->buf);
}

static uint8_t *keys_of(const struct ksa *ksa, const struct ksa_request *request,
                        const struct ksa_group *group)
{
    return ids_of(ksa, group) + (size_t)request->amount * KSA_ID_LEN;
}

static uint64_t bits_of(uint32_t place, uint32_t count)
{
    uint64_t low = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    return low << place;
}

static struct qkd_eid more_at(const struct ksa_need *need, uint32_t i)
{
    return (struct qkd_eid){wire_get_u64(need->more_targets.at + (size_t)8 * i)};
}

enum wire_reason ksa_group_check(const struct ksa *ksa, const struct ksa_need *need)
{
    uint32_t count = (uint32_t)(need->more_targets.len / 8);
    if (need->more_targets.len == 0) {
        return WIRE_REASON_NONE;
    }
    if (need->more_targets.len % 8 != 0 || count >= WIRE_TARGETS_MAX ||
        need->amount > WIRE_MULTICAST_KEYS_MAX ||
        (size_t)need->key_size / 8 * need->amount > WIRE_FRAME_KEY_BYTES) {
        return WIRE_REASON_BAD_REQUEST;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct qkd_eid target = more_at(need, i);
        enum wire_reason reason = ksa_directory_check(ksa, need->app, target);
        reason = reason == WIRE_REASON_NONE ? ksa_access_check(ksa, need->app, target) : reason;
        bool apart = qkd_eid_node(target) != qkd_eid_node(need->target) &&
                     qkd_eid_node(target) != ksa->config->node;
        for (uint32_t k = 0; k < i; k++) {
            apart = apart && qkd_eid_node(target) != qkd_eid_node(more_at(need, k));
        }
        if (reason != WIRE_REASON_NONE || !apart) { /* one at a node */
            return reason != WIRE_REASON_NONE ? reason : WIRE_REASON_BAD_REQUEST;
        }
    }
    return WIRE_REASON_NONE;
}

int ksa_group_open(struct ksa *ksa, struct ksa_request *request, const struct ksa_need *need)
{
    uint32_t slot = qkd_slab_take(&ksa->groups);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    struct ksa_group *group = group_at(ksa, slot);
    size_t each = KSA_ID_LEN + need->key_size / 8;
    *group = (struct ksa_group){.buf = ksa_pool_take(&ksa->pool, each * need->amount)};
    if (group->buf.slot == QKD_SLAB_NONE) {
        qkd_slab_give(&ksa->groups, slot);
        return QKD_ERR_LIMIT;
    }
    group->targets[group->count++] = need->target;
    for (uint32_t i = 0; i < need->more_targets.len / 8; i++) {
        group->targets[group->count++] = more_at(need, i);
    }
    request->group = slot;
    return QKD_OK;
}

void ksa_group_close(struct ksa *ksa, struct ksa_request *request)
{
    if (request->group != QKD_SLAB_NONE) {
        ksa_pool_give(&ksa->pool, &group_at(ksa, request->group)->buf);
        qkd_slab_give(&ksa->groups, request->group);
        request->group = QKD_SLAB_NONE;
    }
}

/* ---- pieces from the KMA ---- */

/* Which of the targets a piece is for; group->count: none. */
static uint32_t target_of(const struct ksa_group *group, const struct wire_kmi_supply *supply)
{
    uint32_t i = 0;
    while (i < group->count &&
           !qkd_eid_eq(qkd_eid_sibling(group->targets[i], QKD_ROLE_KMA), supply->destination_id)) {
        i++;
    }
    return i;
}

static bool piece_good(const struct ksa_request *request, const struct ksa_group *group,
                       const struct wire_kmi_supply *supply)
{
    size_t len = request->key_size / 8;
    uint32_t target = target_of(group, supply);
    if (!supply->has_key_id || !supply->has_key_data || !supply->has_compare ||
        !supply->has_grade || !supply->has_place || !supply->has_destination_id ||
        supply->key_data.len == 0 || supply->key_data.len % len != 0 || target == group->count ||
        (supply->has_key_size && supply->key_size != request->key_size)) {
        return false;
    }
    size_t count = supply->key_data.len / len;
    bool strict = request->level == WIRE_LEVEL_OTP_ONLY && !QKDN_MUTANT(FALL_ANYWAY);
    return supply->place < request->amount && count <= request->amount - supply->place &&
           (group->have[target] & bits_of(supply->place, (uint32_t)count)) == 0 &&
           (supply->grade != WIRE_METHOD_AES || !strict);
}

/* Takes keys in, or compares them with those that came for another slave; false: they differ. */
static bool keys_agree(const struct ksa *ksa, const struct ksa_request *request,
                       struct ksa_group *group, const struct wire_kmi_supply *supply)
{
    size_t len = request->key_size / 8;
    uint32_t count = (uint32_t)(supply->key_data.len / len);
    uint8_t *keys = keys_of(ksa, request, group) + supply->place * len;
    bool same = true;
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = (group->seen >> (supply->place + i) & 1) == 0;
        if (is_new) {
            memcpy(keys + i * len, supply->key_data.at + i * len, len);
        }
        same = same && crypto_equal(keys + i * len, supply->key_data.at + i * len, len);
    }
    group->seen |= bits_of(supply->place, count);
    return same;
}

/* A batch of the keys of a piece, with its compare key until it is compared. */
static bool batch_add(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                      const struct wire_kmi_supply *supply, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, request_slot);
    struct ksa_group *group = group_at(ksa, request->group);
    uint32_t target = target_of(group, supply);
    uint32_t count = (uint32_t)(supply->key_data.len / (request->key_size / 8));
    uint32_t slot = ksa_batch_room(ksa, count, request->key_size, WIRE_COMPARE_LEN);
    if (slot == QKD_SLAB_NONE) {
        return false;
    }
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    batch->phase = KSA_COLLECTED;
    batch->kma_id = supply->key_id;
    batch->session_id = request->echo.session_id;
    batch->source_app = request->app;
    batch->target_app = group->targets[target];
    batch->grade = supply->grade;
    batch->place = supply->place;
    batch->request = request_slot;
    uint8_t *keys = ksa_batch_keys(ksa, batch);
    memcpy(keys, supply->key_data.at, supply->key_data.len);
    memcpy(keys + supply->key_data.len, supply->compare.b, WIRE_COMPARE_LEN);
    batch->next = request->first_batch;
    if (batch->next != QKD_SLAB_NONE) {
        ksa_batch_at(ksa, batch->next)->prev = slot;
    }
    request->first_batch = slot;
    request->comparing++;
    group->have[target] |= bits_of(supply->place, count);
    group->grade = group->grade == 0 || supply->grade == WIRE_METHOD_AES ? supply->grade
                                                                         : group->grade;
    ksa_life_batch(ksa, event, batch, WIRE_ACTION_RECEPTION, WIRE_REASON_NONE, out);
    return true;
}

static bool is_complete(const struct ksa_request *request, const struct ksa_group *group)
{
    bool all = true;
    for (uint32_t i = 0; i < group->count; i++) {
        all = all && group->have[i] == bits_of(0, request->amount);
    }
    return all;
}

/* All slaves' nodes have all keys: their KSAs are asked to compare. */
static enum wire_reason compare_all(struct ksa *ksa, const struct qkd_event *event,
                                    uint32_t request_slot, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, request_slot);
    struct ksa_group *group = group_at(ksa, request->group);
    ksa_ids_make(ksa, ids_of(ksa, group), request->amount);
    for (uint32_t i = request->first_batch; i != QKD_SLAB_NONE; i = ksa_batch_at(ksa, i)->next) {
        struct ksa_batch *batch = ksa_batch_at(ksa, i);
        size_t keys_len = (size_t)batch->count * batch->key_size / 8;
        size_t ids_len = (size_t)batch->count * KSA_ID_LEN;
        uint8_t *keys = ksa_batch_keys(ksa, batch);
        batch->grade = group->grade;
        memcpy(ksa_batch_ids(ksa, batch), ids_of(ksa, group) + (size_t)batch->place * KSA_ID_LEN,
               ids_len);
        ksa_tag(batch, (struct wire_bytes){ksa_batch_ids(ksa, batch), ids_len},
                (struct wire_bytes){keys, keys_len}, keys + keys_len, batch->tag);
        crypto_wipe(keys + keys_len, WIRE_COMPARE_LEN);
        if (!ksa_notify_begin(ksa, event, i, out)) {
            return WIRE_REASON_OVERLOAD;
        }
        group->unmatched++;
    }
    return WIRE_REASON_NONE;
}

void ksa_group_piece(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                     const struct wire_kmi_supply *supply, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, request_slot);
    struct ksa_group *group = group_at(ksa, request->group);
    enum wire_reason reason = WIRE_REASON_NONE;
    if (supply->code != WIRE_SUCCESS) {
        reason = supply->reason > WIRE_REASON_NONE && supply->reason < WIRE_REASON_COUNT
                     ? (enum wire_reason)supply->reason
                     : WIRE_REASON_INSUFFICIENT_KEY;
    } else if (!piece_good(request, group, supply)) {
        reason = WIRE_REASON_RELAY_FAILED; /* not what was asked for */
    } else if (!keys_agree(ksa, request, group, supply)) {
        reason = WIRE_REASON_MISMATCH;
        chan_report_security(&ksa->reports, event, WIRE_FAULT_KEY_MISMATCH, 0, out);
    } else if (!batch_add(ksa, event, request_slot, supply, out)) {
        reason = WIRE_REASON_OVERLOAD;
    } else if (is_complete(request, group)) {
        reason = compare_all(ksa, event, request_slot, out);
    } else if (supply->last) {
        reason = WIRE_REASON_RELAY_FAILED;
    }
    if (reason != WIRE_REASON_NONE) {
        ksa_request_fail(ksa, event, request_slot, reason, out);
    }
}

/* ---- supply ---- */

/* A batch of the first slave stands for the master's keys: they are persisted as supplied. */
static void batch_supplied(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                           struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct qkd_span keep = ksa_batch_times(ksa, event, batch);
    struct ksa_run run = {.batch = batch, .count = batch->count};
    ksa_life_keys(ksa, event, &run, WIRE_ACTION_SYNCHRONIZATION, out);
    ksa_life_supplied(ksa, event, &run, out);
    for (uint32_t place = 0; place < batch->count; place++) {
        ksa_key_supplied(ksa, slot, place, out);
    }
    if (ksa_batch_at(ksa, slot)->live > 0) { /* preserved */
        (void)ksa_batch_linger(ksa, event, slot, keep);
    }
    ksa_batch_settle(ksa, slot, out);
}

/* Of the other slaves only what their KMA-keys were for is recorded. */
static void batch_told(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                       struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct ksa_run run = {.batch = batch, .count = batch->count};
    ksa_life_keys(ksa, event, &run, WIRE_ACTION_SYNCHRONIZATION, out);
    ksa_batch_drop(ksa, slot, out);
}

static void answer(struct ksa *ksa, const struct qkd_event *event,
                   const struct ksa_request *request, const struct ksa_group *group,
                   struct qkd_out *out)
{
    uint8_t more[8 * WIRE_TARGETS_MAX];
    for (uint32_t i = 1; i < group->count; i++) {
        wire_put_u64(more + (size_t)8 * (i - 1), group->targets[i].v);
    }
    struct ksa_part part = {.app = request->app,
                            .echo = &request->echo,
                            .ids = {ids_of(ksa, group), (size_t)request->amount * KSA_ID_LEN},
                            .keys = {keys_of(ksa, request, group),
                                     (size_t)request->amount * request->key_size / 8},
                            .more_targets = {more, (size_t)8 * (group->count - 1)},
                            .key_size = request->key_size,
                            .count_id = 1,
                            .code = WIRE_SUFFICIENT,
                            .grade = group->grade};
    struct ksa_answer memory = {.peer = request->app,
                                .message_id = request->echo.message_id,
                                .code = WIRE_SUFFICIENT,
                                .reason = WIRE_REASON_UNKNOWN_KEY};
    ksa_recent_answer(&ksa->recent, &memory);
    ksa_answer_part(ksa, event, &part, out);
}

/* All have compared. */
static void supply_all(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                       struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, request_slot);
    const struct ksa_group *group = group_at(ksa, request->group);
    uint32_t next;
    bool accounted = false;
    answer(ksa, event, request, group, out);
    request->supplied = request->amount;
    for (uint32_t i = request->first_batch; i != QKD_SLAB_NONE; i = next) {
        struct ksa_batch *batch = ksa_batch_at(ksa, i);
        bool is_first = qkd_eid_eq(batch->target_app, group->targets[0]);
        next = batch->next;
        if (!accounted) {
            ksa_account_supplied(ksa, event, request->app, batch, request->amount);
            accounted = true;
        }
        ksa_life_batch(ksa, event, batch, WIRE_ACTION_AUTHENTICATION, WIRE_REASON_NONE, out);
        ksa_comparing_unlink(ksa, request, batch);
        if (is_first && ksa->config->preserve &&
            ksa_batch_hold(ksa, i, KSA_KEY_WAITING) != QKD_OK) {
            is_first = false; /* no room to keep it: it is supplied nevertheless */
        }
        (is_first ? batch_supplied : batch_told)(ksa, event, i, out);
    }
    ksa_request_free(ksa, request_slot, out);
}

void ksa_group_matched(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                       struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, batch_slot);
    uint32_t request_slot = batch->request;
    struct ksa_group *group = group_at(ksa, ksa_request_at(ksa, request_slot)->group);
    (void)qkd_map_del(&ksa->outstanding, &batch->command_id);
    batch->command_id = 0;
    batch->phase = KSA_COLLECTED;
    qkd_timers_cancel(&ksa->timers, &batch->timer);
    group->unmatched--;
    if (group->unmatched == 0 || QKDN_MUTANT(MULTICAST_SOME)) {
        supply_all(ksa, event, request_slot, out);
    }
}
