/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: one key for several applications (multicast). The bits of a key that travels to several nodes,
 * under a KMA-key each, are a draw: it counts once end to end, as supplied when the master has it, else as
 * given up when the last of its copies is. The copies share their KSA-key IDs and form a chain. Only where
 * the scenario has such applications. */
#include "watch/oracle_state.h"

static struct watch_orc_kma_key *kma_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->kma_keys, slot);
}

static struct watch_orc_ksa_key *ksa_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->ksa_keys, slot);
}

static struct watch_orc_draw *draw_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->draws, slot);
}

bool watch_orc_multicast_any(const struct scn_scenario *scenario)
{
    bool any = false;
    for (size_t i = 0; i < scenario->application_count; i++) {
        any = any || scenario->applications[i].members > 0;
    }
    return any;
}

bool watch_orc_multicast_for(const struct watch_oracle *o, struct qkd_eid app)
{
    uint32_t index = qkd_eid_instance(app) / 2;
    if (index >= o->scenario->application_count) {
        return false;
    }
    const struct scn_application *a = &o->scenario->applications[index];
    return a->members > 0 || a->of > 0;
}

/* ---- draws ---- */

static void move(struct watch_oracle *o, struct watch_orc_draw *draw, enum watch_orc_end end)
{
    o->key_bits[draw->end] -= draw->bits;
    o->key_bits[end] += draw->bits;
    draw->end = (uint8_t)end;
}

bool watch_orc_draw_add(struct watch_oracle *o, struct watch_orc_ksa_key *key,
                        const struct watch_orc_travel *travel)
{
    uint32_t slot = qkd_map_get(&o->draw_by_hash, &key->hash);
    struct watch_orc_scene scene = {.from = travel->source,
                                    .to = travel->destination,
                                    .id = travel->id};
    if (slot == QKD_MAP_NONE) {
        slot = qkd_slab_take(&o->draws);
        if (slot == QKD_SLAB_NONE || qkd_map_put(&o->draw_by_hash, &key->hash, slot) != 0) {
            return false;
        }
        *draw_at(o, slot) = (struct watch_orc_draw){.hash = key->hash,
                                                    .source = travel->source,
                                                    .bits = key->bits,
                                                    .end = WATCH_ORC_KEY_IN_FLIGHT};
        o->key_bits[WATCH_ORC_KEY_IN_FLIGHT] += key->bits;
        o->drawn_bits += key->bits;
    }
    struct watch_orc_draw *draw = draw_at(o, slot);
    (void)watch_orc_check(o, qkd_eid_eq(draw->source, travel->source) && draw->bits == key->bits,
                          "rule 4: the bits of a key are those of another source", &scene);
    if (draw->end != WATCH_ORC_KEY_IN_FLIGHT && draw->end != WATCH_ORC_KEY_SUPPLIED) {
        move(o, draw, WATCH_ORC_KEY_IN_FLIGHT); /* lost on its way, and sent again */
    }
    draw->copies++;
    draw->open++;
    key->draw = slot;
    return true;
}

void watch_orc_draw_settle(struct watch_oracle *o, struct watch_orc_ksa_key *key,
                           enum watch_orc_end end)
{
    struct watch_orc_draw *draw = draw_at(o, key->draw);
    draw->open -= key->end == WATCH_ORC_KEY_IN_FLIGHT;
    if (end == WATCH_ORC_KEY_SUPPLIED ||
        (draw->open == 0 && draw->end == WATCH_ORC_KEY_IN_FLIGHT)) {
        move(o, draw, end);
    }
    key->end = (uint8_t)end;
}

/* A copy is forgotten: its draw with the last one. */
static void draw_leave(struct watch_oracle *o, uint32_t slot)
{
    struct watch_orc_draw *draw = draw_at(o, slot);
    if (--draw->copies == 0) {
        if (draw->end == WATCH_ORC_KEY_IN_FLIGHT) {
            move(o, draw, WATCH_ORC_KEY_EXPIRED);
        }
        (void)qkd_map_del(&o->draw_by_hash, &draw->hash);
        qkd_slab_give(&o->draws, slot);
    }
}

uint64_t watch_orc_draws_flying(const struct watch_oracle *o)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; o->draws.live > 0 && i < o->draws.top; i++) {
        bool is_flying = qkd_slab_live(&o->draws, i) &&
                         draw_at(o, i)->end == WATCH_ORC_KEY_IN_FLIGHT;
        bits += is_flying ? draw_at(o, i)->bits : 0;
    }
    return bits;
}

/* ---- chains of one KSA-key ID ---- */

bool watch_orc_chain_add(struct watch_oracle *o, uint32_t k, const uint8_t *id,
                         const struct wire_supply_notify *notify)
{
    uint32_t head = qkd_map_get(&o->ksa_by_id, id);
    struct watch_orc_ksa_key *key = ksa_at(o, k);
    if (head == QKD_MAP_NONE) {
        return qkd_map_put(&o->ksa_by_id, id, k) == 0;
    }
    bool good = key->draw != QKD_SLAB_NONE && watch_orc_multicast_for(o, notify->source_app);
    for (uint32_t i = head; good && i != QKD_SLAB_NONE; i = ksa_at(o, i)->also) {
        const struct watch_orc_kma_key *kma = kma_at(o, ksa_at(o, i)->kma);
        good = ksa_at(o, i)->draw == key->draw && qkd_eid_eq(kma->master, notify->source_app) &&
               !qkd_eid_eq(kma->slave, notify->target_app);
    }
    struct watch_orc_scene scene = {.from = notify->source_app, .to = notify->target_app};
    if (watch_orc_check(o, good, "rule 5: KSA-key ID used twice", &scene)) {
        key->also = ksa_at(o, head)->also;
        ksa_at(o, head)->also = k;
    }
    return true;
}

void watch_orc_chain_leave(struct watch_oracle *o, uint32_t k)
{
    struct watch_orc_ksa_key *key = ksa_at(o, k);
    uint32_t at = (key->flags & WATCH_ORC_NAMED) != 0 ? qkd_map_get(&o->ksa_by_id, &key->id)
                                                      : QKD_MAP_NONE;
    if (at == k && key->also == QKD_SLAB_NONE) {
        (void)qkd_map_del(&o->ksa_by_id, &key->id);
    } else if (at == k) {
        (void)qkd_map_put(&o->ksa_by_id, &key->id, key->also); /* replaces: cannot fail */
    } else if (at != QKD_MAP_NONE) {
        while (at != QKD_SLAB_NONE && ksa_at(o, at)->also != k) {
            at = ksa_at(o, at)->also;
        }
        if (at != QKD_SLAB_NONE) {
            ksa_at(o, at)->also = key->also;
        }
    }
    if (key->draw != QKD_SLAB_NONE) {
        draw_leave(o, key->draw);
        key->draw = QKD_SLAB_NONE;
    }
}

uint32_t watch_orc_chain_slave(const struct watch_oracle *o, uint32_t head, struct qkd_eid slave)
{
    for (uint32_t k = head; k != QKD_SLAB_NONE; k = ksa_at(o, k)->also) {
        if (qkd_eid_eq(kma_at(o, ksa_at(o, k)->kma)->slave, slave)) {
            return k;
        }
    }
    return head;
}

/* Each target named has a copy that was compared, and nobody else has one. */
static bool targets_good(const struct watch_oracle *o, uint32_t head,
                         const struct wire_key_supply_rsp *rsp)
{
    size_t more = rsp->has_more_targets ? rsp->more_targets.len / 8 : 0;
    size_t copies = 0;
    bool all = true;
    for (uint32_t k = head; k != QKD_SLAB_NONE; k = ksa_at(o, k)->also) {
        copies++;
    }
    for (size_t i = 0; i < more; i++) {
        struct qkd_eid target = {wire_get_u64(rsp->more_targets.at + 8 * i)};
        uint32_t k = watch_orc_chain_slave(o, head, target);
        all = all && qkd_eid_eq(kma_at(o, ksa_at(o, k)->kma)->slave, target);
    }
    return all && copies == more + 1;
}

void watch_orc_chain_supply(struct watch_oracle *o, uint32_t head, bool master,
                            const struct wire_key_supply_rsp *rsp,
                            const struct watch_orc_scene *scene)
{
    bool matched = true;
    bool weak = false;
    for (uint32_t k = head; k != QKD_SLAB_NONE; k = ksa_at(o, k)->also) {
        matched = matched && kma_at(o, ksa_at(o, k)->kma)->matched;
        weak = weak || kma_at(o, ksa_at(o, k)->kma)->weak;
    }
    (void)watch_orc_check(o, matched,
                          "rule 4: a key for several is released before all have compared it",
                          scene);
    (void)watch_orc_check(o, !weak || (rsp->has_grade && rsp->grade == WIRE_METHOD_AES),
                          "rule 8: a key for several is told as better than on its weakest way",
                          scene);
    (void)watch_orc_check(o, !master || targets_good(o, head, rsp),
                          "rule 5: a key for several is not for those that the master asked for",
                          scene);
}
