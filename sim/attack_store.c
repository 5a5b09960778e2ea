/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers who reach a key manager's machine: they take an image of its store, let bits of it rot while the
 * machine is off, or destroy it. The virtual world's store keeps values as elements gave them; what lies on a
 * disk is made of them here as the live world writes it (core/crypto/seal.h), or as it is with the measure
 * `storage_protection` off.
 *
 * A store of which a value does not open is refused, as the live world refuses it; its operator then starts
 * with an empty one. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/measure.h"
#include "core/crypto/crypto.h"
#include "core/crypto/seal.h"
#include "core/wire/codec.h"
#include "sim/attack.h"

enum { PLACE_MOST = 8 + 1 + 32 };

/* A value as it lies on the disk. */
struct lying {
    uint8_t *bytes;
    size_t len;
    uint8_t place[PLACE_MOST];
    size_t place_len;
};

static bool is_protected(const struct sim_world *world)
{
    return !qkd_is_off(world->scenario->measures_off, QKD_MEASURE_STORAGE_PROTECTION);
}

/* Whether an entry is of what the attacker went for: of the KMA or of the KSA. */
static bool is_of(const struct sim_store_entry *entry, enum scn_surface surface)
{
    struct qkd_eid owner = {entry->owner};
    return entry->live &&
           qkd_eid_role(owner) == (surface == SCN_SURFACE_KSA ? QKD_ROLE_KSA : QKD_ROLE_KMA);
}

/* The data key of a node's store: what the unlock secret gives out. */
static void data_key(const struct sim_world *world, uint32_t node, uint8_t key[CRYPTO_SEAL_KEY_LEN])
{
    uint64_t numbers[3] = {node, 0, 0};
    sim_world_derive(world, "data key of a store", numbers, key);
}

static int lie(const struct sim_world *world, uint32_t node, const struct sim_store_entry *entry,
               struct qkd_rng *rng, struct lying *lying)
{
    uint8_t key[CRYPTO_SEAL_KEY_LEN];
    size_t more = is_protected(world) ? CRYPTO_SEAL_EXTRA : 0;
    lying->len = entry->value_len + more;
    lying->bytes = malloc(lying->len > 0 ? lying->len : 1);
    if (lying->bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    wire_put_u64(lying->place, entry->owner);
    lying->place[8] = entry->kind;
    memcpy(lying->place + 9, entry->key, entry->key_len);
    lying->place_len = 9 + (size_t)entry->key_len;
    if (more == 0) {
        memcpy(lying->bytes, entry->value, entry->value_len);
        return QKD_OK;
    }
    qkd_rng_bytes(rng, lying->bytes, CRYPTO_SEAL_NONCE_LEN);
    data_key(world, node, key);
    crypto_seal(key, (struct crypto_place){lying->place, lying->place_len}, entry->value,
                entry->value_len, lying->bytes);
    crypto_wipe(key, sizeof key);
    return QKD_OK;
}

static void lie_no_more(struct lying *lying)
{
    crypto_wipe(lying->bytes, lying->len);
    free(lying->bytes);
}

/* ---- the key in a value ---- */

struct stored_key {
    struct qkd_id id;
    struct wire_bytes bytes;
    uint64_t bits; /* that they stand for */
    bool marked;
};

static bool key_in(const struct sim_store_entry *entry, struct stored_key *key)
{
    struct wire_p_block block;
    struct wire_p_key supplied;
    if (entry->kind == WIRE_PERSIST_BLOCK &&
        wire_p_block_decode(&block, entry->value, entry->value_len) > 0) {
        *key = (struct stored_key){block.qkd_key_id, block.key, (uint64_t)block.bytes * 8, false};
    } else if (entry->kind == WIRE_PERSIST_KEY &&
               wire_p_key_decode(&supplied, entry->value, entry->value_len) > 0) {
        *key = (struct stored_key){supplied.key_id, supplied.key, (uint64_t)supplied.key.len * 8,
                                   supplied.grade == WIRE_METHOD_AES};
    } else {
        return false;
    }
    return key->bytes.len > 0;
}

static bool stands_in(const struct wire_bytes *what, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at + what->len <= len; at++) {
        if (memcmp(bytes + at, what->at, what->len) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- image ---- */

uint64_t sim_store_image(struct sim_world *world, const struct scn_attack *plan,
                         struct qkd_rng *rng, struct sim_knowledge *knowledge)
{
    uint64_t seen = 0;
    for (uint32_t n = 0; n < world->scenario->node_count; n++) {
        const struct sim_store *store = &world->nodes[n].store;
        for (uint32_t i = 0; i < store->entry_count; i++) {
            const struct sim_store_entry *entry = &store->entries[i];
            struct stored_key key;
            struct lying lying;
            if ((plan->node != UINT32_MAX && plan->node != n) || !is_of(entry, plan->surface)) {
                continue;
            }
            int err = lie(world, n, entry, rng, &lying);
            sim_world_fail(world, err, "image of a store");
            if (err != QKD_OK) {
                return seen;
            }
            seen++;
            knowledge->read += lying.len == entry->value_len &&
                               memcmp(lying.bytes, entry->value, lying.len) == 0;
            if (key_in(entry, &key) && stands_in(&key.bytes, lying.bytes, lying.len)) {
                sim_knowledge_key(knowledge, &key.id, key.bits, key.marked);
            }
            lie_no_more(&lying);
        }
    }
    return seen;
}

/* ---- rot ---- */

/* Flips a bit of a value on the disk; true if the store is read all the same. */
static bool rot_one(struct sim_world *world, uint32_t node, struct sim_store_entry *entry,
                    const struct stored_key *key, struct qkd_rng *rng)
{
    struct lying lying;
    if (!is_protected(world)) {
        size_t at = (size_t)(key->bytes.at - entry->value) + qkd_rng_below(rng, key->bytes.len);
        entry->value[at] ^= (uint8_t)(1U << qkd_rng_below(rng, 8));
        return true;
    }
    int err = lie(world, node, entry, rng, &lying);
    sim_world_fail(world, err, "store that rots");
    if (err != QKD_OK) {
        return false;
    }
    uint8_t data[CRYPTO_SEAL_KEY_LEN];
    uint8_t *opened = malloc(entry->value_len + 1);
    lying.bytes[qkd_rng_below(rng, lying.len)] ^= (uint8_t)(1U << qkd_rng_below(rng, 8));
    data_key(world, node, data);
    bool good = opened != NULL &&
                crypto_unseal(data, (struct crypto_place){lying.place, lying.place_len},
                              lying.bytes, lying.len, opened) == QKD_OK;
    if (opened != NULL) {
        crypto_wipe(opened, entry->value_len);
    }
    free(opened);
    crypto_wipe(data, sizeof data);
    lie_no_more(&lying);
    return good;
}

void sim_store_rot(struct sim_world *world, const struct scn_attack *plan, uint32_t node,
                   struct qkd_rng *rng, struct sim_rot *rot)
{
    struct sim_store *store = &world->nodes[node].store;
    *rot = (struct sim_rot){0, 0};
    for (uint32_t i = 0; i < store->entry_count; i++) {
        struct sim_store_entry *entry = &store->entries[i];
        struct stored_key key;
        if (is_of(entry, plan->surface) && key_in(entry, &key) &&
            (plan->probability >= 1 || qkd_rng_unit(rng) < plan->probability)) {
            rot->flipped++;
            rot->taken += rot_one(world, node, entry, &key, rng);
        }
    }
}

/* ---- destruction ---- */

void sim_store_destroy(struct sim_world *world, const struct scn_attack *plan, uint32_t node)
{
    sim_node_store_lose(world, node, plan->surface == SCN_SURFACE_KSA);
}

void sim_store_return(struct sim_world *world, uint32_t node)
{
    if (qkd_is_off(world->scenario->measures_off, QKD_MEASURE_FRESH_START)) {
        world->nodes[node].incarnation = 0; /* of a machine that knows nothing of its past */
        world->nodes[node].store_lost = false;
    }
    sim_node_restart(world, node);
}
