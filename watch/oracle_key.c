/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: keys end to end (rules 4 and 5). A KMA-key is known from the first frame it travels in, its
 * KSA-keys by the IDs that the master's KSA gives them at Kx-2. Only hashes of keys are kept. A key
 * is forgotten when both applications have it, or when it is older than any element may keep it. */
#include "core/crypto/crypto.h"
#include "watch/oracle_state.h"
#include "watch/pooled.h"

static struct watch_orc_kma_key *kma_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->kma_keys, slot);
}

static struct watch_orc_ksa_key *ksa_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->ksa_keys, slot);
}

static void shares_forget(struct watch_oracle *o, const struct qkd_id *id);

/* ---- life of an entry ---- */

/* The first end stays, but a supply outweighs any other: an end that only the far side saw need not
 * be the last word. */
static void settle(struct watch_oracle *o, struct watch_orc_ksa_key *key, enum watch_orc_end end)
{
    if (key->end != WATCH_ORC_KEY_IN_FLIGHT && key->end != WATCH_ORC_KEY_POOLED &&
        end != WATCH_ORC_KEY_SUPPLIED) {
        return;
    }
    if (key->draw != QKD_SLAB_NONE) {
        watch_orc_draw_settle(o, key, end);
    } else {
        o->key_bits[key->end] -= key->bits;
        o->key_bits[end] += key->bits;
        key->end = (uint8_t)end;
    }
}

static void settle_all(struct watch_oracle *o, const struct watch_orc_kma_key *kma,
                       enum watch_orc_end end)
{
    for (uint32_t k = kma->first; k != QKD_SLAB_NONE; k = ksa_at(o, k)->next) {
        settle(o, ksa_at(o, k), end);
    }
}

static void unlink_kma(struct watch_oracle *o, const struct watch_orc_kma_key *kma)
{
    *(kma->prev == QKD_SLAB_NONE ? &o->key_first : &kma_at(o, kma->prev)->next) = kma->next;
    *(kma->next == QKD_SLAB_NONE ? &o->key_last : &kma_at(o, kma->next)->prev) = kma->prev;
}

/* Forgets the KSA-keys; the ID of the KMA-key is remembered a while for stragglers. */
static void close_kma(struct watch_oracle *o, uint32_t slot)
{
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    uint32_t k = kma->first;
    while (k != QKD_SLAB_NONE) {
        const struct watch_orc_ksa_key *key = ksa_at(o, k);
        uint32_t next = key->next;
        if (key->draw != QKD_SLAB_NONE) {
            watch_orc_chain_leave(o, k);
        } else if ((key->flags & WATCH_ORC_NAMED) != 0) {
            (void)qkd_map_del(&o->ksa_by_id, &key->id);
        }
        qkd_slab_give(&o->ksa_keys, k);
        k = next;
    }
    if (kma->shares > 0) {
        shares_forget(o, &kma->id);
    }
    unlink_kma(o, kma);
    kma->first = QKD_SLAB_NONE;
    kma->closed = true;
    uint32_t *place = &o->closed[o->closed_count++ % WATCH_ORC_CLOSED];
    if (o->closed_count > WATCH_ORC_CLOSED) {
        (void)qkd_map_del(&o->kma_by_id, &kma_at(o, *place)->id);
        qkd_slab_give(&o->kma_keys, *place);
    }
    *place = slot;
}

void watch_orc_key_age(struct watch_oracle *o)
{
    while (o->key_first != QKD_SLAB_NONE &&
           kma_at(o, o->key_first)->born_ns < o->now_ns - o->horizon_ns) {
        settle_all(o, kma_at(o, o->key_first), WATCH_ORC_KEY_EXPIRED);
        close_kma(o, o->key_first);
    }
}

/* ---- travelling ---- */

static bool add_keys(struct watch_oracle *o, uint32_t slot, const struct watch_orc_travel *travel)
{
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    size_t len = travel->key_size / 8;
    uint32_t *link = &kma->first;
    for (uint32_t i = 0; i < travel->count; i++) {
        uint32_t k = qkd_slab_take(&o->ksa_keys);
        if (k == QKD_SLAB_NONE) {
            return false;
        }
        struct watch_orc_ksa_key *key = ksa_at(o, k);
        key->hash = watch_orc_hash(travel->keys + i * len, len);
        key->kma = slot;
        key->bits = travel->key_size;
        key->next = key->draw = key->also = QKD_SLAB_NONE;
        watch_orc_leak_add(&o->leak, travel->keys + i * len, len);
        if (o->is_multicast && !travel->taken && !travel->unasked) {
            if (!watch_orc_draw_add(o, key, travel)) {
                return false;
            }
        } else {
            o->key_bits[WATCH_ORC_KEY_IN_FLIGHT] += key->bits;
            *(travel->taken ? &o->taken_bits : &o->drawn_bits) += key->bits;
        }
        *link = k;
        link = &key->next;
    }
    watch_orc_leak_add(&o->leak, travel->compare, WIRE_COMPARE_LEN);
    return true;
}

static void first_sight(struct watch_oracle *o, const struct watch_orc_travel *travel)
{
    uint32_t slot = qkd_slab_take(&o->kma_keys);
    if (slot == QKD_SLAB_NONE || qkd_map_put(&o->kma_by_id, travel->id, slot) != 0) {
        watch_orc_fail(o, "oracle: out of memory for keys", NULL);
        return;
    }
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    *kma = (struct watch_orc_kma_key){.id = *travel->id,
                                      .source = travel->source,
                                      .destination = travel->destination,
                                      .compare = watch_orc_hash(travel->compare, WIRE_COMPARE_LEN),
                                      .born_ns = o->now_ns,
                                      .key_size = travel->key_size,
                                      .count = travel->count,
                                      .taken = travel->taken,
                                      .direct = travel->direct,
                                      .padded = !travel->taken,
                                      .weak = travel->weak,
                                      .shares = travel->shares,
                                      .open = travel->count,
                                      .first = QKD_SLAB_NONE,
                                      .prev = o->key_last,
                                      .next = QKD_SLAB_NONE};
    uint64_t *seen = &o->compare_seen[kma->compare % WATCH_ORC_RECENT_COMPARE];
    struct watch_orc_scene scene = {.from = travel->source,
                                    .to = travel->destination,
                                    .id = travel->id};
    (void)watch_orc_check(o, *seen != kma->compare, "rule 4: a compare key is used again", &scene);
    *seen = kma->compare;
    *(kma->prev == QKD_SLAB_NONE ? &o->key_first : &kma_at(o, kma->prev)->next) = slot;
    o->key_last = slot;
    if (travel->pooled) {
        kma->open = 0; /* each of its keys is a KMA-key by itself */
        kma->is_frame = true;
        kma->print[0] = watch_orc_hash(travel->keys, travel->key_size / 8 * travel->count);
    } else if (!add_keys(o, slot, travel)) {
        watch_orc_fail(o, "oracle: out of memory for keys", NULL);
    }
    watch_orc_key_age(o);
}

/* Keys that nobody has asked for yet. */
static void first_pooled(struct watch_oracle *o, const struct watch_orc_travel *travel)
{
    size_t each = travel->key_size / 8;
    uint32_t unit_bits = o->unit_bytes * 8;
    for (uint32_t i = 0; i < travel->count; i++) {
        struct qkd_id id;
        watch_pooled_id(travel->id, i, &id);
        struct watch_orc_travel one = *travel;
        one.id = &id;
        one.keys = travel->keys + i * each;
        one.compare = one.keys + each - WIRE_COMPARE_LEN;
        uint32_t keys_bits = travel->key_size - 8 * WIRE_COMPARE_LEN;
        bool whole = keys_bits % unit_bits == 0; /* of units for one request together */
        one.key_size = whole ? unit_bits : keys_bits;
        one.count = (uint16_t)(keys_bits / one.key_size);
        one.pooled = false;
        one.unasked = true;
        first_sight(o, &one);
        uint32_t slot = qkd_map_get(&o->kma_by_id, &id);
        if (slot == QKD_MAP_NONE) {
            continue;
        }
        kma_at(o, slot)->is_pooled = true;
        for (uint32_t k = kma_at(o, slot)->first; k != QKD_SLAB_NONE; k = ksa_at(o, k)->next) {
            struct watch_orc_ksa_key *key = ksa_at(o, k);
            key->end = WATCH_ORC_KEY_POOLED;
            o->key_bits[WATCH_ORC_KEY_IN_FLIGHT] -= key->bits;
            o->key_bits[WATCH_ORC_KEY_POOLED] += key->bits;
        }
    }
}

static bool same_keys(const struct watch_oracle *o, const struct watch_orc_kma_key *kma,
                      const struct watch_orc_travel *travel)
{
    size_t len = travel->key_size / 8;
    size_t at = 0;
    if (kma->key_size != travel->key_size || kma->count != travel->count ||
        kma->compare != watch_orc_hash(travel->compare, WIRE_COMPARE_LEN) ||
        !qkd_eid_eq(kma->source, travel->source) ||
        !qkd_eid_eq(kma->destination, travel->destination)) {
        return false;
    }
    uint32_t all = travel->key_size / 8 * travel->count;
    if (kma->is_frame && kma->print[0] != watch_orc_hash(travel->keys, all)) {
        return false;
    }
    for (uint32_t k = kma->first; k != QKD_SLAB_NONE; k = ksa_at(o, k)->next, at += len) {
        if (ksa_at(o, k)->hash != watch_orc_hash(travel->keys + at, len)) {
            return false;
        }
    }
    return true;
}

void watch_orc_key_travels(struct watch_oracle *o, const struct watch_orc_travel *travel,
                           const struct watch_orc_scene *scene)
{
    uint32_t slot = qkd_map_get(&o->kma_by_id, travel->id);
    if (slot == QKD_MAP_NONE) {
        if (travel->first) { /* else: a straggler of a key that was forgotten */
            first_sight(o, travel);
            if (travel->pooled) {
                first_pooled(o, travel);
            }
        }
        return;
    }
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    if (!kma->closed) {
        kma->weak = kma->weak || travel->weak;
        kma->padded = kma->padded || !travel->taken;
        (void)watch_orc_check(o, same_keys(o, kma, travel),
                              "rule 4: a key travels on with other bits than before", scene);
    }
}

/* ---- multipath ---- */

static struct watch_orc_shares *shares_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->shares, slot);
}

static void shares_forget(struct watch_oracle *o, const struct qkd_id *id)
{
    uint32_t slot = qkd_map_get(&o->shares_by_id, id);
    if (slot != QKD_MAP_NONE) {
        (void)qkd_map_del(&o->shares_by_id, id);
        qkd_slab_give(&o->shares, slot);
    }
}

/* Those of keys that their source never sent in full. */
static void shares_age(struct watch_oracle *o)
{
    for (uint32_t i = 0; o->shares.live > 0 && i < o->shares.top; i++) {
        if (qkd_slab_live(&o->shares, i) && shares_at(o, i)->born_ns < o->now_ns - o->horizon_ns) {
            struct qkd_id id = shares_at(o, i)->id;
            shares_forget(o, &id);
        }
    }
}

static struct watch_orc_shares *shares_get(struct watch_oracle *o,
                                           const struct watch_orc_travel *travel)
{
    uint32_t slot = qkd_map_get(&o->shares_by_id, travel->id);
    if (slot == QKD_MAP_NONE && travel->first &&
        qkd_map_get(&o->kma_by_id, travel->id) == QKD_MAP_NONE) {
        slot = qkd_slab_take(&o->shares);
        if (slot == QKD_SLAB_NONE || qkd_map_put(&o->shares_by_id, travel->id, slot) != 0) {
            watch_orc_fail(o, "oracle: out of memory for shares", NULL);
            return NULL;
        }
        struct watch_orc_shares *new = shares_at(o, slot);
        *new = (struct watch_orc_shares){.id = *travel->id,
                                         .born_ns = o->now_ns,
                                         .shares = travel->shares,
                                         .len = travel->key_size / 8 * travel->count +
                                                WIRE_COMPARE_LEN};
    }
    return slot == QKD_MAP_NONE ? NULL : shares_at(o, slot);
}

/* No node on the way carries two shares of one key: it could tell more than nothing of it. */
static void carrier_check(struct watch_oracle *o, struct watch_orc_shares *s,
                          const struct watch_orc_travel *travel, uint32_t node,
                          const struct watch_orc_scene *scene)
{
    for (uint32_t i = 0; i < s->carriers; i++) {
        if (s->carrier[i] == node) {
            (void)watch_orc_check(o, s->carried[i] == travel->share,
                                  "rule 4: a node carries two shares of a key", scene);
            return;
        }
    }
    if (s->carriers < WATCH_ORC_CARRIERS) {
        s->carrier[s->carriers] = node;
        s->carried[s->carriers++] = travel->share;
    }
}

/* With the last share that leaves the source the key is known. */
static void share_first(struct watch_oracle *o, struct watch_orc_shares *s,
                        const struct watch_orc_travel *travel)
{
    uint32_t keys_len = s->len - WIRE_COMPARE_LEN;
    for (uint32_t i = 0; i < keys_len; i++) {
        s->sum[i] ^= travel->keys[i];
    }
    for (uint32_t i = 0; i < WIRE_COMPARE_LEN; i++) {
        s->sum[keys_len + i] ^= travel->compare[i];
    }
    s->have |= (uint8_t)(1U << travel->share);
    watch_orc_leak_add(&o->leak, travel->keys, keys_len);
    if (s->have == (1U << s->shares) - 1) {
        uint64_t hash = watch_orc_hash(s->sum, keys_len) ^
                        3 * watch_orc_hash(s->sum + keys_len, WIRE_COMPARE_LEN);
        for (uint8_t i = 0; i < s->shares; i++) {
            struct watch_orc_scene scene = {.from = travel->source, .id = travel->id};
            (void)watch_orc_check(o, s->hash[i] != hash, "rule 4: a share is the key", &scene);
        }
        struct watch_orc_travel whole = *travel;
        whole.weak = s->weak;
        whole.keys = s->sum;
        whole.compare = s->sum + keys_len;
        shares_age(o);
        first_sight(o, &whole);
        memset(s->sum, 0, s->len);
    }
}

void watch_orc_key_share(struct watch_oracle *o, const struct watch_orc_travel *travel,
                         struct qkd_eid to, const struct watch_orc_scene *scene)
{
    bool good = travel->shares > 1 && travel->shares <= WIRE_PATHS_MAX &&
                travel->share < travel->shares;
    if (!watch_orc_check(o, good, "rule 3: share malformed", scene)) {
        return;
    }
    struct watch_orc_shares *s = shares_get(o, travel);
    if (s == NULL) {
        return; /* a straggler of a key that was forgotten */
    }
    uint32_t whole = qkd_map_get(&o->kma_by_id, travel->id);
    s->weak = s->weak || travel->weak;
    if (whole != QKD_MAP_NONE) {
        kma_at(o, whole)->weak = kma_at(o, whole)->weak || travel->weak;
    }
    uint32_t len = travel->key_size / 8 * travel->count;
    uint64_t hash = watch_orc_hash(travel->keys, len) ^
                    3 * watch_orc_hash(travel->compare, WIRE_COMPARE_LEN);
    good = s->shares == travel->shares && s->len == len + WIRE_COMPARE_LEN;
    bool is_new = (s->have >> travel->share & 1) == 0;
    good = good && (is_new ? travel->first : s->hash[travel->share] == hash);
    if (!watch_orc_check(o, good, "rule 4: a share travels on with other bits than before",
                         scene)) {
        return;
    }
    if (!qkd_eid_eq(to, travel->destination)) {
        carrier_check(o, s, travel, qkd_eid_node(to), scene);
    }
    if (is_new) {
        s->hash[travel->share] = hash;
        share_first(o, s, travel);
    }
}

/* ---- relay to the destination ---- */

/* Linear: that of an XOR is the XOR of those of its terms. */
static uint64_t fingerprint(const uint8_t *bytes, size_t len)
{
    uint64_t print = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned turn = (unsigned)(i * 11 % 64);
        uint64_t byte = bytes[i];
        print ^= byte << turn | (turn > 56 ? byte >> (64 - turn) : 0);
    }
    return print;
}

void watch_orc_key_summed(struct watch_oracle *o, const struct watch_orc_travel *travel,
                          uint8_t hop, const struct watch_orc_scene *scene)
{
    uint32_t slot = qkd_map_get(&o->kma_by_id, travel->id);
    if (slot == QKD_MAP_NONE || kma_at(o, slot)->closed) {
        return; /* a straggler */
    }
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    bool fits = hop == kma->hop + 1 && kma->key_size == travel->key_size &&
                kma->count == travel->count;
    (void)watch_orc_check(o, fits, "rule 4: link key is named for a hop that is not the next",
                          scene);
    kma->hop = hop;
    kma->print[1] = kma->print[0];
    kma->print[0] = fingerprint(travel->keys, travel->key_size / 8 * travel->count) ^
                    fingerprint(travel->compare, WIRE_COMPARE_LEN) << 1;
}

/* It is sent with the TAKE of the next link; what is said again later is not judged again. */
void watch_orc_sum(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed)
{
    struct wire_relay_sum sum;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    bool good = wire_relay_sum_decode(&sum, observed, send->observed.len) == 0 &&
                sum.sum.len > WIRE_COMPARE_LEN;
    if (!watch_orc_check(o, good, "rule 4: RELAY_SUM malformed", &scene)) {
        return;
    }
    scene.id = &sum.key_id;
    uint32_t slot = qkd_map_get(&o->kma_by_id, &sum.key_id);
    if (slot == QKD_MAP_NONE || kma_at(o, slot)->closed) {
        return;
    }
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    if (sum.hop + 1 != kma->hop || sum.hop <= kma->sums) {
        return;
    }
    kma->sums = sum.hop;
    size_t keys = sum.sum.len - WIRE_COMPARE_LEN;
    uint64_t print = fingerprint(sum.sum.at, keys) ^
                     fingerprint(sum.sum.at + keys, WIRE_COMPARE_LEN) << 1;
    bool fits = keys == (size_t)kma->key_size / 8 * kma->count &&
                qkd_eid_eq(send->to, kma->destination);
    (void)watch_orc_check(o, fits && print == (kma->print[0] ^ kma->print[1]),
                          "rule 4: a sum is not that of two link keys of the way", &scene);
}

/* ---- comparison at Kx-2 ---- */

/* Whether it crossed the network as its application asks; what neighbours share may be their link's. */
static bool scheme_good(const struct watch_oracle *o, const struct watch_orc_kma_key *kma,
                        struct qkd_eid master)
{
    uint32_t app = qkd_eid_instance(master) / 2;
    if (app >= o->scenario->application_count || (kma->taken && kma->direct)) {
        return true;
    }
    enum scn_relay relay = scn_relay_of(o->scenario, &o->scenario->applications[app]);
    switch (relay) {
    case SCN_RELAY_FIRST_KEY: /* a first link without key to give may carry a drawn one */
        return (kma->taken || o->scenario->key_management.fallback == SCN_FALLBACK_AES256) &&
               kma->sums == 0;
    case SCN_RELAY_DESTINATION: /* the sum of every link but the first, and of no frame a RELAY */
        return kma->taken && !kma->padded && kma->sums > 0 && kma->sums + 1 == kma->hop;
    case SCN_RELAY_MULTIPATH:
        return kma->shares == scn_paths_of(o->scenario, &o->scenario->applications[app]) ||
               (kma->direct && watch_orc_multicast_for(o, master)); /* nobody is on the way */
    default:
        return !kma->taken && kma->sums == 0 && kma->shares == 0;
    }
}

/* A key that crossed a hop under AES-256 is never said to be better, and is for those that take it. */
static bool grade_good(const struct watch_oracle *o, const struct watch_orc_kma_key *kma,
                       struct qkd_eid app, uint8_t grade)
{
    uint32_t index = qkd_eid_instance(app) / 2;
    bool strict = index < o->scenario->application_count &&
                  o->scenario->applications[index].level == SCN_LEVEL_OTP_ONLY;
    bool is_weak = kma->weak || (grade == WIRE_METHOD_AES && watch_orc_multicast_for(o, app));
    return is_weak ? grade == WIRE_METHOD_AES && !strict : grade != WIRE_METHOD_AES;
}

static void name_keys(struct watch_oracle *o, uint32_t slot,
                      const struct wire_supply_notify *notify, const struct watch_orc_scene *scene)
{
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    const uint8_t *id = notify->key_ids.at;
    bool was = kma->named;
    bool same = true;
    for (uint32_t k = kma->first; k != QKD_SLAB_NONE; id += sizeof(struct qkd_id)) {
        struct watch_orc_ksa_key *key = ksa_at(o, k);
        if (was) {
            same = same && memcmp(key->id.b, id, sizeof key->id.b) == 0;
        } else if (o->is_multicast ||
                   watch_orc_check(o, qkd_map_get(&o->ksa_by_id, id) == QKD_MAP_NONE,
                                   "rule 5: KSA-key ID used twice", scene)) {
            memcpy(key->id.b, id, sizeof key->id.b);
            key->flags |= WATCH_ORC_NAMED;
            if (o->is_multicast ? !watch_orc_chain_add(o, k, id, notify)
                                : qkd_map_put(&o->ksa_by_id, id, k) != 0) {
                watch_orc_fail(o, "oracle: out of memory for keys", NULL);
            }
        }
        k = key->next;
    }
    (void)watch_orc_check(o, grade_good(o, kma, notify->source_app, notify->grade),
                          "rule 8: a key is not of the grade that is told", scene);
    int64_t timer_ns = o->scenario->key_management.timer_ns; /* by clocks that drift */
    (void)watch_orc_check(o, was || !kma->is_pooled || o->now_ns - kma->born_ns <= timer_ns / 4 * 5,
                          "rule 5: a pooled key is used after its time", scene);
    for (uint32_t k = kma->first; !was && k != QKD_SLAB_NONE; k = ksa_at(o, k)->next) {
        if (ksa_at(o, k)->end == WATCH_ORC_KEY_POOLED) { /* asked for now */
            settle(o, ksa_at(o, k), WATCH_ORC_KEY_IN_FLIGHT);
        }
    }
    if (!was) {
        (void)watch_orc_check(o, scheme_good(o, kma, notify->source_app),
                              "rule 4: a key is not relayed as its application asks", scene);
        kma->master = notify->source_app;
        kma->slave = notify->target_app;
        kma->named = true;
        return;
    }
    (void)watch_orc_check(o,
                          same && qkd_eid_eq(kma->master, notify->source_app) &&
                              qkd_eid_eq(kma->slave, notify->target_app),
                          "rule 5: a key is notified under other IDs or for other applications",
                          scene);
}

void watch_orc_notify(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed)
{
    struct wire_supply_notify notify;
    struct wire_sync_item item;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    bool good = wire_supply_notify_decode(&notify, observed, send->observed.len) == 0 &&
                wire_sync_item_decode(&item, notify.sync.at, notify.sync.len) > 0;
    if (!watch_orc_check(o, good, "rule 4: SUPPLY_NOTIFY malformed", &scene)) {
        return;
    }
    scene.id = &item.id;
    uint32_t slot = qkd_map_get(&o->kma_by_id, &item.id);
    if (!watch_orc_check(o, slot != QKD_MAP_NONE,
                         "rule 4: comparison of a key that never travelled", &scene) ||
        kma_at(o, slot)->closed) {
        return;
    }
    const struct watch_orc_kma_key *kma = kma_at(o, slot);
    bool parties = qkd_eid_eq(send->from, qkd_eid_sibling(notify.source_app, QKD_ROLE_KSA)) &&
                   qkd_eid_eq(send->to, qkd_eid_sibling(notify.target_app, QKD_ROLE_KSA)) &&
                   qkd_eid_node(kma->source) == qkd_eid_node(send->from) &&
                   qkd_eid_node(kma->destination) == qkd_eid_node(send->to);
    (void)watch_orc_check(o, parties, "rule 5: notification between KSAs that do not hold the key",
                          &scene);
    bool fits = notify.key_ids.len == (size_t)kma->count * sizeof(struct qkd_id) &&
                notify.key_size == kma->key_size;
    if (watch_orc_check(o, fits, "rule 4: notification of another size or number", &scene)) {
        name_keys(o, slot, &notify, &scene);
    }
}

void watch_orc_notify_rsp(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                          const uint8_t *observed)
{
    struct wire_supply_notify_rsp rsp;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    bool good = wire_supply_notify_rsp_decode(&rsp, observed, send->observed.len) == 0;
    if (!watch_orc_check(o, good, "rule 4: SUPPLY_NOTIFY_RSP malformed", &scene)) {
        return;
    }
    uint32_t slot = qkd_map_get(&o->kma_by_id, &rsp.key_id);
    if (slot == QKD_MAP_NONE || kma_at(o, slot)->closed) {
        return; /* an answer given again */
    }
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    if (rsp.match != 1) {
        settle_all(o, kma, WATCH_ORC_KEY_DISCARDED);
        return;
    }
    scene.id = &rsp.key_id;
    bool waits = kma->named && qkd_eid_eq(send->from, qkd_eid_sibling(kma->slave, QKD_ROLE_KSA));
    for (uint32_t k = kma->first; k != QKD_SLAB_NONE; k = ksa_at(o, k)->next) {
        waits = waits && (ksa_at(o, k)->flags & WATCH_ORC_SLAVE_WAITS) != 0;
    }
    (void)watch_orc_check(o, waits, "rule 4: match answered before the slave's keys were persisted",
                          &scene);
    if (send->bytes.len >= 8) {
        struct watch_orc_mail mail = {.kind = WATCH_ORC_MAIL_MATCH,
                                      .to = send->to,
                                      .tail = watch_orc_word(bytes + send->bytes.len - 8),
                                      .id = rsp.key_id};
        watch_orc_mail_post(o, &mail);
    }
}

void watch_orc_match_meant(struct watch_oracle *o, const struct watch_orc_mail *mail)
{
    uint32_t slot = qkd_map_get(&o->kma_by_id, &mail->id);
    if (slot != QKD_MAP_NONE) {
        struct watch_orc_kma_key *kma = kma_at(o, slot);
        kma->matched = kma->matched ||
                       qkd_eid_eq(mail->to, qkd_eid_sibling(kma->master, QKD_ROLE_KSA));
    }
}

/* ---- supply ---- */

static void sent_both(struct watch_oracle *o, const struct watch_orc_ksa_key *key)
{
    const uint8_t both = WATCH_ORC_MASTER_SENT | WATCH_ORC_SLAVE_SENT;
    if ((key->flags & both) == both && --kma_at(o, key->kma)->open == 0) {
        close_kma(o, key->kma);
    }
}

static void supply_bits(struct watch_oracle *o, struct watch_orc_ksa_key *key,
                        const struct wire_bytes *bits, const struct watch_orc_scene *scene)
{
    uint64_t hash = watch_orc_hash(bits->at, bits->len);
    (void)watch_orc_check(o, hash == key->hash && bits->len * 8 == key->bits,
                          "rule 4: the key supplied is not the one that travelled", scene);
    bool second = (key->flags & (WATCH_ORC_MASTER_SENT | WATCH_ORC_SLAVE_SENT)) != 0;
    if (second && key->given != 0 &&
        !watch_orc_check(o, hash == key->given,
                         "rule 4: master and slave were given different keys", scene)) {
        o->verdict.mismatched_pairs++;
    }
    key->given = hash;
}

/* A key as an application gets it. */
struct watch_orc_answer_key {
    struct wire_bytes bits;
    uint8_t grade; /* 0: not told */
};

/* A copy of a key is supplied: the only one, or with multicast that for a slave, or each of the master's. */
static void supply_copy(struct watch_oracle *o, const struct qkd_send *send, bool master,
                        uint32_t slot, const struct watch_orc_answer_key *given)
{
    struct watch_orc_ksa_key *key = ksa_at(o, slot);
    const struct watch_orc_kma_key *kma = kma_at(o, key->kma);
    struct qkd_id id = key->id;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp, .id = &id};
    uint8_t persisted = master ? WATCH_ORC_MASTER_PERSIST : WATCH_ORC_SLAVE_PERSIST;
    uint8_t sent = master ? WATCH_ORC_MASTER_SENT : WATCH_ORC_SLAVE_SENT;
    struct qkd_eid app = master ? kma->master : kma->slave;
    (void)watch_orc_check(o, qkd_eid_eq(send->to, app),
                          "rule 5: a key is supplied to an application it is not for", &scene);
    (void)watch_orc_check(o, qkd_eid_eq(send->from, qkd_eid_sibling(app, QKD_ROLE_KSA)),
                          "rule 5: a key is supplied by another KSA", &scene);
    (void)watch_orc_check(o, !master || kma->matched,
                          "rule 4: a key is released before both KSAs compared it", &scene);
    (void)watch_orc_check(o, master || (key->flags & WATCH_ORC_SLAVE_WAITS) != 0,
                          "rule 4: a key is released that the slave's KSA did not compare", &scene);
    (void)watch_orc_check(o, (key->flags & sent) == 0, "rule 5: a key is supplied twice", &scene);
    (void)watch_orc_check(o, (key->flags & persisted) != 0,
                          "rule 5: a supply leaves before it is persisted", &scene);
    (void)watch_orc_check(o, !kma->weak || grade_good(o, kma, app, given->grade),
                          "rule 8: a key is supplied as of a better grade than it has", &scene);
    supply_bits(o, key, &given->bits, &scene);
    if (master) {
        settle(o, key, WATCH_ORC_KEY_SUPPLIED);
    }
    if ((key->flags & sent) == 0) {
        key->flags |= sent;
        sent_both(o, key);
    }
}

static void supply_one(struct watch_oracle *o, const struct qkd_send *send, const struct qkd_id *id,
                       const struct wire_key_supply_rsp *rsp,
                       const struct watch_orc_answer_key *given)
{
    bool master = rsp->application_code == WIRE_FOR_ENCRYPTION;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp, .id = id};
    uint32_t slot = qkd_map_get(&o->ksa_by_id, id);
    if (!watch_orc_check(o, slot != QKD_MAP_NONE,
                         "rule 5: a key is supplied that was not compared, or was supplied before",
                         &scene)) {
        return;
    }
    if (o->is_multicast && (master || ksa_at(o, slot)->also != QKD_SLAB_NONE)) {
        watch_orc_chain_supply(o, slot, master, rsp, &scene);
    }
    const uint8_t both = WATCH_ORC_MASTER_PERSIST | WATCH_ORC_MASTER_SENT;
    if (master && (ksa_at(o, slot)->flags & both) == WATCH_ORC_MASTER_PERSIST) {
        o->verdict.supplied_unanswered -= ksa_at(o, slot)->bits;
    }
    if (!master) {
        supply_copy(o, send, false, watch_orc_chain_slave(o, slot, send->to), given);
        return;
    }
    while (slot != QKD_SLAB_NONE) {
        uint32_t next = ksa_at(o, slot)->also;
        supply_copy(o, send, true, slot, given);
        slot = next;
    }
}

void watch_orc_supply(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed)
{
    struct wire_key_supply_rsp rsp;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    bool good = wire_key_supply_rsp_decode(&rsp, observed, send->observed.len) == 0;
    if (!watch_orc_check(o, good, "rule 5: KEY_SUPPLY_RSP malformed", &scene) ||
        !rsp.has_key_data || rsp.key_data.len == 0) {
        return;
    }
    struct wire_bytes ids = rsp.key_ids;
    if (!rsp.has_key_ids && rsp.has_key_id) {
        ids = (struct wire_bytes){rsp.key_id.b, sizeof rsp.key_id.b};
    }
    size_t count = ids.len / sizeof(struct qkd_id);
    bool fits = count > 0 && ids.len % sizeof(struct qkd_id) == 0 && rsp.key_data.len % count == 0;
    if (!watch_orc_check(o, fits, "rule 5: keys are supplied without an ID each", &scene)) {
        return;
    }
    size_t each = rsp.key_data.len / count;
    if (rsp.application_code == WIRE_FOR_ENCRYPTION) {
        watch_orc_rate(o, send, 8 * (uint64_t)rsp.key_data.len);
    }
    for (size_t i = 0; i < count; i++) {
        struct qkd_id id;
        struct watch_orc_answer_key given = {.bits = {rsp.key_data.at + i * each, each},
                                             .grade = rsp.has_grade ? rsp.grade : 0};
        memcpy(id.b, ids.at + i * sizeof id.b, sizeof id.b);
        supply_one(o, send, &id, &rsp, &given);
    }
}

/* ---- records of KSAs ---- */

void watch_orc_persist_key(struct watch_oracle *o, const struct qkd_persist *entry,
                           const uint8_t *value)
{
    struct wire_p_key record;
    if (entry->del || wire_p_key_decode(&record, value, entry->value.len) <= 0) {
        return;
    }
    uint32_t slot = qkd_map_get(&o->ksa_by_id, &record.key_id);
    if (slot == QKD_MAP_NONE) {
        return; /* its supply would fail */
    }
    if (record.slave) {
        slot = watch_orc_chain_slave(o, slot, record.target_app);
    }
    struct watch_orc_ksa_key *key = ksa_at(o, slot);
    struct watch_orc_scene scene = {.from = entry->owner, .id = &record.key_id};
    struct qkd_eid app = record.slave ? record.target_app : record.source_app;
    (void)watch_orc_check(o, qkd_eid_eq(entry->owner, qkd_eid_sibling(app, QKD_ROLE_KSA)),
                          "rule 5: a KSA keeps a key of another node", &scene);
    if (record.state == WIRE_KEY_WAITING) {
        (void)watch_orc_check(o, key->hash == watch_orc_hash(record.key.at, record.key.len),
                              "rule 4: the key that waits is not the one that travelled", &scene);
        key->flags |= record.slave ? WATCH_ORC_SLAVE_WAITS : 0;
    } else if (record.slave) {
        key->flags |= WATCH_ORC_SLAVE_PERSIST;
    } else if ((key->flags & WATCH_ORC_MASTER_PERSIST) == 0) {
        o->verdict.supplied_unanswered += key->bits;
        for (uint32_t k = slot; k != QKD_SLAB_NONE; k = ksa_at(o, k)->also) {
            (void)watch_orc_check(o, !kma_at(o, ksa_at(o, k)->kma)->dead,
                                  "rule 5: a key is supplied that its source lost or gave up",
                                  &scene);
            ksa_at(o, k)->flags |= WATCH_ORC_MASTER_PERSIST;
            settle(o, ksa_at(o, k), WATCH_ORC_KEY_SUPPLIED);
        }
    }
}

/* ---- given up ---- */

/* What the source or the master's KSA gives up is over; that it was supplied, before or after,
 * contradicts the record. The destination only tells that it has the key no more. */
void watch_orc_key_over(struct watch_oracle *o, const struct qkd_id *id, struct qkd_eid by,
                        enum watch_orc_end end)
{
    uint32_t slot = qkd_map_get(&o->kma_by_id, id);
    if (slot == QKD_MAP_NONE || kma_at(o, slot)->closed) {
        return;
    }
    struct watch_orc_kma_key *kma = kma_at(o, slot);
    bool source = qkd_eid_eq(by, kma->source) ||
                  qkd_eid_eq(by, qkd_eid_sibling(kma->source, QKD_ROLE_KSA));
    if (!source && !qkd_eid_eq(by, kma->destination)) {
        return; /* a slave's KSA may be asked again; what it refuses for good it answers */
    }
    struct watch_orc_scene scene = {.from = by, .id = id};
    for (uint32_t k = kma->first; k != QKD_SLAB_NONE; k = ksa_at(o, k)->next) {
        (void)watch_orc_check(o, !source || (ksa_at(o, k)->flags & WATCH_ORC_MASTER_PERSIST) == 0,
                              "rule 6: a key that was supplied is recorded as given up", &scene);
        settle(o, ksa_at(o, k), end);
    }
    kma->dead = kma->dead || source;
    for (uint32_t i = 0; kma->is_frame && i < kma->count; i++) { /* those that did not arrive */
        struct qkd_id one;
        watch_pooled_id(id, i, &one);
        watch_orc_key_over(o, &one, by, end);
    }
}

/* ---- crash ---- */

/* A supply that was persisted and did not leave never does; 1 if the key is over at both ends. */
static uint32_t swallow(struct watch_orc_ksa_key *key, uint8_t persisted, uint8_t sent)
{
    const uint8_t both = WATCH_ORC_MASTER_SENT | WATCH_ORC_SLAVE_SENT;
    if ((key->flags & persisted) == 0 || (key->flags & sent) != 0) {
        return 0;
    }
    key->flags |= sent;
    return (key->flags & both) == both;
}

static void kma_crash(struct watch_oracle *o, struct watch_orc_kma_key *kma, uint32_t node)
{
    bool source = qkd_eid_node(kma->source) == node;
    bool target = qkd_eid_node(kma->destination) == node;
    if (!source && !target) {
        return;
    }
    kma->dead = kma->dead || source;
    for (uint32_t k = kma->first; k != QKD_SLAB_NONE; k = ksa_at(o, k)->next) {
        struct watch_orc_ksa_key *key = ksa_at(o, k);
        if (source) {
            if ((key->flags & WATCH_ORC_MASTER_PERSIST) == 0) {
                settle(o, key, WATCH_ORC_KEY_DISCARDED); /* requests do not survive a crash */
            }
            kma->open -= swallow(key, WATCH_ORC_MASTER_PERSIST, WATCH_ORC_MASTER_SENT);
        }
        if (target) {
            kma->open -= swallow(key, WATCH_ORC_SLAVE_PERSIST, WATCH_ORC_SLAVE_SENT);
        }
    }
}

void watch_orc_key_crash(struct watch_oracle *o, uint32_t node)
{
    for (uint32_t slot = o->key_first; slot != QKD_SLAB_NONE;) {
        struct watch_orc_kma_key *kma = kma_at(o, slot);
        uint32_t next = kma->next;
        kma_crash(o, kma, node);
        if (kma->open == 0 && !kma->is_frame) {
            close_kma(o, slot);
        }
        slot = next;
    }
}
