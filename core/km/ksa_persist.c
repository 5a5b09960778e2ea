/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of a KSA survives a restart: slave keys that wait to be fetched, and the fact that a key was
 * supplied (with its bytes, and for long, only when the policy is to preserve). Requests do not survive. A restored
 * key stands alone in its batch: which keys came together no longer matters. */
#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"

static struct qkd_persist entry_of(const struct ksa *ksa, const struct qkd_id *id)
{
    struct qkd_persist entry = {.owner = ksa->self,
                                .kind = WIRE_PERSIST_KEY,
                                .key_len = sizeof id->b};
    memcpy(entry.key, id->b, sizeof id->b);
    return entry;
}

void ksa_key_persist(struct ksa *ksa, const struct ksa_batch *batch, uint32_t place,
                     struct qkd_out *out)
{
    struct qkd_id id = ksa_batch_id(ksa, batch, place);
    bool waiting = ksa_batch_states(ksa, batch)[place] == KSA_KEY_WAITING;
    size_t key_len = waiting || ksa->config->preserve ? batch->key_size / 8 : 0;
    struct wire_p_key value = {
        .key_id = id,
        .parent = batch->kma_id,
        .session_id = batch->session_id,
        .source_app = batch->source_app,
        .target_app = batch->target_app,
        .key_size = batch->key_size,
        .grade = batch->grade,
        .slave = batch->slave,
        .state = waiting ? WIRE_KEY_WAITING : WIRE_KEY_SUPPLIED,
        .until = waiting ? batch->fetch_until : batch->keep_until,
        .key = {ksa_batch_keys(ksa, batch) + (size_t)place * (batch->key_size / 8), key_len},
    };
    struct qkd_persist entry = entry_of(ksa, &id);
    entry.value = qkd_out_reserve(out, wire_p_key_size(&value));
    if (entry.value.len > 0) {
        int len = wire_p_key_encode(&value, qkd_out_at(out, entry.value), entry.value.len);
        QKD_ASSERT(len == (int)entry.value.len);
        qkd_out_put(out, &entry);
    }
}

void ksa_key_unpersist(struct ksa *ksa, const struct qkd_id *id, struct qkd_out *out)
{
    struct qkd_persist entry = entry_of(ksa, id);
    entry.del = true;
    qkd_out_put(out, &entry);
}

/* Whether a decoded entry can be one of ours. */
static bool entry_good(const struct ksa *ksa, const struct wire_p_key *value)
{
    size_t full = value->key_size / 8;
    bool waiting = value->state == WIRE_KEY_WAITING && value->slave == 1;
    bool supplied = value->state == WIRE_KEY_SUPPLIED && value->slave <= 1;
    struct qkd_eid app = value->slave ? value->target_app : value->source_app;
    return (waiting || supplied) && value->key_size > 0 && value->key_size % 8 == 0 &&
           value->key_size <= KSA_KEY_BITS_MOST && qkd_eid_node(app) == ksa->config->node &&
           (value->key.len == full || (supplied && value->key.len == 0));
}

/* Time left by the wall clock, which may have jumped: never more than the policy gives. */
static struct qkd_span time_left(const struct ksa *ksa, const struct qkd_event *event,
                                 const struct wire_p_key *value)
{
    bool supplied = value->state == WIRE_KEY_SUPPLIED;
    int64_t most = supplied ? ksa->config->expiry.ns : ksa->config->fetch_within.ns;
    int64_t left = qkd_time_sub(value->until, event->wall).ns;
    return qkd_span_ns(left < 0 ? 0 : left < most ? left : most);
}

static int key_restore(struct ksa *ksa, const struct qkd_event *event,
                       const struct wire_p_key *value, struct qkd_out *out)
{
    bool waiting = value->state == WIRE_KEY_WAITING;
    if (!waiting && !ksa->config->preserve) {
        ksa_told_add(ksa, &value->key_id, out);
        return QKD_OK;
    }
    uint32_t slot = ksa_batch_new(ksa, 1, value->key_size);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    batch->kma_id = value->parent;
    batch->session_id = value->session_id;
    batch->source_app = value->source_app;
    batch->target_app = value->target_app;
    batch->grade = value->grade;
    batch->slave = value->slave;
    batch->fetch_over = !waiting;
    memcpy(ksa_batch_ids(ksa, batch), value->key_id.b, KSA_ID_LEN);
    if (value->key.len > 0 && (waiting || ksa->config->preserve)) {
        memcpy(ksa_batch_keys(ksa, batch), value->key.at, value->key.len);
    }
    batch->fetch_within = time_left(ksa, event, value);
    struct qkd_span first = ksa_batch_times(ksa, event, batch);
    int err = ksa_batch_hold(ksa, slot, waiting ? KSA_KEY_WAITING : KSA_KEY_SUPPLIED);
    if (err != QKD_OK) {
        return err;
    }
    if (!waiting) {
        batch->keep_until = value->until;
        first = batch->fetch_within;
    }
    return ksa_batch_linger(ksa, event, slot, first) ? QKD_OK : QKD_ERR_NOMEM;
}

int ksa_restore(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    for (size_t i = 0; i < event->u.start.count; i++) {
        const struct qkd_record *record = &event->u.start.records[i];
        struct wire_p_key value;
        int len = record->kind == WIRE_PERSIST_KEY
                      ? wire_p_key_decode(&value, record->value, record->value_len)
                      : QKD_ERR_FORMAT;
        if (len < 0 || (size_t)len != record->value_len || !entry_good(ksa, &value)) {
            return len < 0 ? len : QKD_ERR_FORMAT;
        }
        int err = key_restore(ksa, event, &value, out);
        if (err != QKD_OK) {
            return err;
        }
    }
    return QKD_OK;
}
