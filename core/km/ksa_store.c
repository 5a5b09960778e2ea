/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KSA-keys held: batches of keys that came with one KMA-key, found by KSA-key ID, by session, and
 * by age. Retention (FG QIT4N D2.3 clause 7.1.6): a supplied key is deleted at once, or, when the
 * policy is to preserve, at the application's command or at expiry. Of a deleted key only the
 * persisted fact of its supply stays, until the supplies that follow it have pushed it out: by then
 * its answer has left. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"

enum { CHUNK_BATCHES = 16, CHUNK_REQUESTS = 16, CHUNK_APPS = 4, SESSION_KEY = 17 };
enum { CHUNK_GROUPS = 4, CHUNK_SESSIONS = 8, OPENED_KEY = 16 };
enum { RECENT_SHARE = 8 }; /* commands remembered: this part of the requests that may be open */

void ksa_store_init(struct ksa *ksa, const uint8_t salt[16])
{
    uint32_t keys = ksa->config->key_limit;
    uint32_t requests = ksa->config->request_limit;
    qkd_slab_init(&ksa->apps, sizeof(struct ksa_app), CHUNK_APPS, KSA_APPLICATIONS);
    qkd_slab_init(&ksa->requests, sizeof(struct ksa_request), CHUNK_REQUESTS, requests);
    qkd_slab_init(&ksa->groups, sizeof(struct ksa_group), CHUNK_GROUPS, requests);
    qkd_slab_init(&ksa->batches, sizeof(struct ksa_batch), CHUNK_BATCHES, keys);
    qkd_map_init(&ksa->by_app, sizeof(uint64_t), KSA_APPLICATIONS, salt);
    qkd_map_init(&ksa->outstanding, sizeof(uint64_t), requests + keys, salt);
    qkd_map_init(&ksa->by_key, KSA_ID_LEN, keys, salt);
    qkd_map_init(&ksa->by_session, SESSION_KEY, keys, salt);
    qkd_slab_init(&ksa->sessions, sizeof(struct ksa_session), CHUNK_SESSIONS, requests);
    qkd_map_init(&ksa->by_opened, OPENED_KEY, requests, salt);
    qkd_map_init(&ksa->by_number, sizeof(uint64_t), requests, salt);
    qkd_timers_init(&ksa->timers, 2 * requests + keys);
    ksa_pool_init(&ksa->pool, keys);
    ksa_recent_init(&ksa->recent, requests / RECENT_SHARE + KSA_KEYS_PER_REQUEST, salt);
}

void ksa_store_fini(struct ksa *ksa)
{
    ksa_recent_fini(&ksa->recent);
    ksa_pool_fini(&ksa->pool);
    qkd_timers_fini(&ksa->timers);
    qkd_map_fini(&ksa->by_session);
    qkd_map_fini(&ksa->by_key);
    qkd_map_fini(&ksa->outstanding);
    qkd_map_fini(&ksa->by_app);
    qkd_map_fini(&ksa->by_opened);
    qkd_map_fini(&ksa->by_number);
    qkd_slab_fini(&ksa->sessions);
    qkd_slab_fini(&ksa->batches);
    qkd_slab_fini(&ksa->requests);
    ksa_directory_fini(ksa);
    qkd_slab_fini(&ksa->apps);
    qkd_slab_fini(&ksa->groups);
}

/* ---- the buffer of a batch ---- */

uint8_t *ksa_batch_ids(const struct ksa *ksa, const struct ksa_batch *batch)
{
    return ksa_pool_at(&ksa->pool, batch->buf);
}

uint8_t *ksa_batch_states(const struct ksa *ksa, const struct ksa_batch *batch)
{
    return ksa_batch_ids(ksa, batch) + (size_t)batch->count * KSA_ID_LEN;
}

uint8_t *ksa_batch_keys(const struct ksa *ksa, const struct ksa_batch *batch)
{
    return ksa_batch_states(ksa, batch) + batch->count;
}

struct qkd_id ksa_batch_id(const struct ksa *ksa, const struct ksa_batch *batch, uint32_t place)
{
    struct qkd_id id;
    memcpy(id.b, ksa_batch_ids(ksa, batch) + (size_t)place * KSA_ID_LEN, KSA_ID_LEN);
    return id;
}

/* ---- sessions ---- */

static void session_key(const struct ksa_batch *batch, uint8_t key[SESSION_KEY])
{
    wire_put_u64(key, batch->slave ? batch->target_app.v : batch->source_app.v);
    wire_put_u64(key + 8, batch->session_id);
    key[16] = batch->slave;
}

static int session_link(struct ksa *ksa, uint32_t slot)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    uint8_t key[SESSION_KEY];
    session_key(batch, key);
    uint32_t head = qkd_map_get(&ksa->by_session, key);
    int err = qkd_map_put(&ksa->by_session, key, slot);
    if (err == QKD_OK) {
        batch->prev = QKD_SLAB_NONE;
        batch->next = head;
        if (head != QKD_SLAB_NONE) {
            ksa_batch_at(ksa, head)->prev = slot;
        }
    }
    return err;
}

static void session_unlink(struct ksa *ksa, const struct ksa_batch *batch)
{
    uint8_t key[SESSION_KEY];
    session_key(batch, key);
    if (batch->next != QKD_SLAB_NONE) {
        ksa_batch_at(ksa, batch->next)->prev = batch->prev;
    }
    if (batch->prev != QKD_SLAB_NONE) {
        ksa_batch_at(ksa, batch->prev)->next = batch->next;
    } else if (batch->next != QKD_SLAB_NONE) {
        (void)qkd_map_put(&ksa->by_session, key, batch->next); /* replaces: cannot fail */
    } else {
        (void)qkd_map_del(&ksa->by_session, key);
    }
}

uint32_t ksa_session_find(const struct ksa *ksa, struct qkd_eid app, uint64_t session_id,
                          bool slave)
{
    struct ksa_batch like = {
        .source_app = app, .target_app = app, .session_id = session_id, .slave = slave};
    uint8_t key[SESSION_KEY];
    session_key(&like, key);
    return qkd_map_get(&ksa->by_session, key);
}

/* ---- batches ---- */

uint32_t ksa_batch_room(struct ksa *ksa, uint32_t count, uint32_t key_size, size_t more)
{
    if (ksa->keys_held + count > ksa->config->key_limit) {
        return QKD_SLAB_NONE;
    }
    size_t len = (size_t)count * (KSA_ID_LEN + 1 + key_size / 8) + more;
    struct ksa_buf buf = ksa_pool_take(&ksa->pool, len);
    if (buf.slot == QKD_SLAB_NONE) {
        return QKD_SLAB_NONE;
    }
    uint32_t slot = qkd_slab_take(&ksa->batches);
    if (slot == QKD_SLAB_NONE) {
        ksa_pool_give(&ksa->pool, &buf);
        return QKD_SLAB_NONE;
    }
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    batch->buf = buf;
    batch->count = batch->live = (uint8_t)count;
    batch->key_size = key_size;
    batch->timer = QKD_TIMER_NONE;
    batch->next = batch->prev = QKD_SLAB_NONE;
    batch->request = QKD_SLAB_NONE;
    ksa->keys_held += count;
    return slot;
}

uint32_t ksa_batch_new(struct ksa *ksa, uint32_t count, uint32_t key_size)
{
    return ksa_batch_room(ksa, count, key_size, 0);
}

void ksa_batch_drop(struct ksa *ksa, uint32_t slot, struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    qkd_timers_cancel(&ksa->timers, &batch->timer);
    if (batch->command_id != 0) {
        (void)qkd_map_del(&ksa->outstanding, &batch->command_id);
    }
    if (batch->phase == KSA_HELD) {
        for (uint32_t place = 0; place < batch->count; place++) {
            ksa_key_gone(ksa, slot, place, out);
        }
        session_unlink(ksa, batch);
    }
    ksa->keys_held -= batch->live;
    ksa_pool_give(&ksa->pool, &batch->buf);
    qkd_slab_give(&ksa->batches, slot);
}

/* Undoes the first `count` entries of a batch in by_key. */
static void keys_unname(struct ksa *ksa, const struct ksa_batch *batch, uint32_t count)
{
    for (uint32_t place = 0; place < count; place++) {
        (void)qkd_map_del(&ksa->by_key, ksa_batch_ids(ksa, batch) + (size_t)place * KSA_ID_LEN);
    }
}

int ksa_batch_hold(struct ksa *ksa, uint32_t slot, enum ksa_key_state state)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    const uint8_t *ids = ksa_batch_ids(ksa, batch);
    for (uint32_t place = 0; place < batch->count; place++) {
        const uint8_t *id = ids + (size_t)place * KSA_ID_LEN;
        int err = qkd_map_get(&ksa->by_key, id) != QKD_MAP_NONE ? QKD_ERR_EXISTS : QKD_OK;
        if (err == QKD_OK) {
            err = qkd_map_put(&ksa->by_key, id, slot * KSA_KEYS_PER_BATCH + place);
        }
        if (err != QKD_OK) {
            keys_unname(ksa, batch, place);
            return err;
        }
    }
    int err = session_link(ksa, slot);
    if (err != QKD_OK) {
        keys_unname(ksa, batch, batch->count);
        return err;
    }
    memset(ksa_batch_states(ksa, batch), (int)state, batch->count);
    batch->phase = KSA_HELD;
    return QKD_OK;
}

uint32_t ksa_key_find(const struct ksa *ksa, const struct qkd_id *id, uint32_t *place)
{
    uint32_t found = qkd_map_get(&ksa->by_key, id->b);
    if (found == QKD_MAP_NONE) {
        return QKD_SLAB_NONE;
    }
    *place = found % KSA_KEYS_PER_BATCH;
    return found / KSA_KEYS_PER_BATCH;
}

static void key_wipe(const struct ksa *ksa, const struct ksa_batch *batch, uint32_t place)
{
    size_t len = batch->key_size / 8;
    crypto_wipe(ksa_batch_keys(ksa, batch) + place * len, len);
}

void ksa_told_add(struct ksa *ksa, const struct qkd_id *id, struct qkd_out *out)
{
    struct qkd_id *place = &ksa->told[ksa->told_count % KSA_TOLD];
    if (ksa->told_count >= KSA_TOLD) {
        ksa_key_unpersist(ksa, place, out);
    }
    *place = *id;
    ksa->told_count++;
}

/* Forgets a key that stands at `place` of a batch. */
static void key_forget(struct ksa *ksa, struct ksa_batch *batch, uint32_t place)
{
    key_wipe(ksa, batch, place);
    if (batch->phase == KSA_HELD) {
        (void)qkd_map_del(&ksa->by_key, ksa_batch_ids(ksa, batch) + (size_t)place * KSA_ID_LEN);
    }
    ksa_batch_states(ksa, batch)[place] = KSA_KEY_GONE;
    batch->live--;
    ksa->keys_held--;
}

void ksa_key_supplied(struct ksa *ksa, uint32_t slot, uint32_t place, struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    bool preserve = ksa->config->preserve;
    ksa_batch_states(ksa, batch)[place] = KSA_KEY_SUPPLIED;
    if (!QKDN_MUTANT(SUPPLY_UNSAVED)) {
        ksa_key_persist(ksa, batch, place, out);
    }
    if (!preserve) {
        struct qkd_id id = ksa_batch_id(ksa, batch, place);
        ksa_told_add(ksa, &id, out);
        key_forget(ksa, batch, place);
    }
}

void ksa_key_gone(struct ksa *ksa, uint32_t slot, uint32_t place, struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    if (ksa_batch_states(ksa, batch)[place] != KSA_KEY_GONE) {
        struct qkd_id id = ksa_batch_id(ksa, batch, place);
        ksa_key_unpersist(ksa, &id, out);
        key_forget(ksa, batch, place);
    }
}

bool ksa_batch_linger(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      struct qkd_span left)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    struct qkd_time at = qkd_time_add(event->now, left);
    if (batch->timer != QKD_TIMER_NONE) {
        qkd_timers_move(&ksa->timers, batch->timer, at);
    } else {
        batch->timer = qkd_timers_set(&ksa->timers, at, (uint64_t)KSA_TIMER_BATCH << 32 | slot);
    }
    return batch->timer != QKD_TIMER_NONE;
}

/* The rest of a preserved key's time after the time to fetch. */
static struct qkd_span preserved_rest(const struct ksa *ksa, const struct ksa_batch *batch)
{
    int64_t rest = ksa->config->expiry.ns - batch->fetch_within.ns;
    return qkd_span_ns(rest > 0 ? rest : 0);
}

struct qkd_span ksa_batch_times(const struct ksa *ksa, const struct qkd_event *event,
                                struct ksa_batch *batch)
{
    const struct km_config *config = ksa->config;
    struct qkd_span keep = config->preserve ? config->expiry : batch->fetch_within;
    batch->fetch_until = qkd_time_add(event->wall, batch->fetch_within);
    batch->keep_until = qkd_time_add(event->wall, keep);
    return batch->slave ? batch->fetch_within : keep;
}

/* Wipes the keys in `state` and records that they expired. */
static void expire_keys(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                        enum ksa_key_state state, struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    const uint8_t *states = ksa_batch_states(ksa, batch);
    for (uint32_t place = 0; place < batch->count; place++) {
        if (states[place] == state) {
            ksa_life_key(ksa, event, batch, place, WIRE_ACTION_EXPIRY, out);
            ksa_key_gone(ksa, slot, place, out);
        }
    }
}

void ksa_batch_expire(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out)
{
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    bool preserve = ksa->config->preserve;
    if (batch->slave && !batch->fetch_over) {
        batch->fetch_over = true;
        expire_keys(ksa, event, slot, KSA_KEY_WAITING, out);
        if (preserve && batch->live > 0 &&
            ksa_batch_linger(ksa, event, slot, preserved_rest(ksa, batch))) {
            return;
        }
    }
    if (preserve) {
        expire_keys(ksa, event, slot, KSA_KEY_SUPPLIED, out);
    }
    ksa_batch_drop(ksa, slot, out);
}

void ksa_batch_settle(struct ksa *ksa, uint32_t slot, struct qkd_out *out)
{
    if (ksa_batch_at(ksa, slot)->live == 0) {
        ksa_batch_drop(ksa, slot, out);
    }
}
