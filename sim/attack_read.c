/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an attacker reads. It has a plain text in one of two ways: the text lies open in the bytes; or it
 * is unbounded, and the text is not under a one-time pad. What it takes for the text of a message is then
 * held against what was said: nothing counts as read that is not exactly that, so a guess never does.
 *
 * A key whose bits stand in a text that it has read is known, each key once however often it was seen. A
 * share of multipath relay tells nothing of its key. */
#include <string.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/channel/frames.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "sim/attack.h"

/* A key that stands in a text. */
struct found {
    struct qkd_id id;
    uint64_t bits;
    bool marked; /* as weaker than information-theoretically secure */
};

static void learn(struct sim_knowledge *knowledge, const struct found *found)
{
    if (found->bits == 0 || qkd_map_get(&knowledge->keys, &found->id) != QKD_MAP_NONE ||
        qkd_map_put(&knowledge->keys, &found->id, 1) != QKD_OK) {
        return;
    }
    knowledge->leaked_keys++;
    knowledge->leaked_bits += found->bits;
    knowledge->marked_bits += found->marked ? found->bits : 0;
}

void sim_knowledge_key(struct sim_knowledge *knowledge, const struct qkd_id *id, uint64_t bits,
                       bool marked)
{
    learn(knowledge, &(struct found){*id, bits, marked});
}

/* ---- keys in texts ---- */

static void relay_learn(struct sim_knowledge *knowledge, const struct sim_sight *sight)
{
    struct wire_frame frame;
    struct wire_relay_body body;
    if (wire_frame_decode(&frame, sight->observed, sight->observed_len) != QKD_OK) {
        return;
    }
    size_t len = 0;
    const uint8_t *plain = wire_relay_plain(&frame, &len);
    if (wire_relay_body_decode(&body, plain, len) > 0 && !body.has_shares) {
        learn(knowledge, &(struct found){body.key_id, (uint64_t)body.keys.len * 8,
                                         frame.method == WIRE_METHOD_AES});
    }
}

static void file_learn(struct sim_knowledge *knowledge, const struct sim_sight *sight)
{
    struct wire_key_file file;
    if (wire_key_file_decode(&file, sight->observed, sight->observed_len) == QKD_OK &&
        file.has_qkd_key_id) {
        /* A seed is as good as the bits it stands for. */
        uint64_t bits = file.has_key_length ? file.key_length : (uint64_t)file.key.len * 8;
        learn(knowledge, &(struct found){file.qkd_key_id, bits, false});
    }
}

static void hand_over_learn(struct sim_knowledge *knowledge, const struct sim_sight *sight)
{
    struct wire_kmi_supply supply;
    if (wire_kmi_supply_decode(&supply, sight->observed, sight->observed_len) == QKD_OK &&
        supply.has_key_id && supply.has_key_data) {
        learn(knowledge, &(struct found){supply.key_id, (uint64_t)supply.key_data.len * 8,
                                         supply.grade == WIRE_METHOD_AES});
    }
}

static void supply_learn(struct sim_knowledge *knowledge, const struct sim_sight *sight)
{
    struct wire_key_supply_rsp rsp;
    if (wire_key_supply_rsp_decode(&rsp, sight->observed, sight->observed_len) != QKD_OK ||
        !rsp.has_key_data) {
        return;
    }
    struct qkd_id one = rsp.key_id;
    struct wire_bytes ids = rsp.has_key_ids ? rsp.key_ids
                                            : (struct wire_bytes){one.b, sizeof one.b};
    for (size_t i = 0; i + sizeof one.b <= ids.len; i += sizeof one.b) {
        struct found found = {.bits = rsp.key_size, .marked = rsp.grade == WIRE_METHOD_AES};
        memcpy(found.id.b, ids.at + i, sizeof found.id.b);
        learn(knowledge, &found);
    }
}

/* ---- reading ---- */

static bool is_frame(const struct sim_sight *sight)
{
    return sight->rp == QKD_RP_KX1 && sight->bytes[0] == WIRE_FRAME_MAGIC;
}

/* Whether what the attacker takes for the text is the text. */
static bool text_is(const uint8_t *claim, size_t len, const struct sim_sight *sight)
{
    return len == sight->observed_len && memcmp(claim, sight->observed, len) == 0;
}

/* Lies the text open? Of a frame all of it, of a record what stands between its head and its tag. */
bool sim_sight_is_open(const struct sim_sight *sight)
{
    if (sight->observed == NULL) {
        return false;
    }
    if (is_frame(sight)) {
        return text_is(sight->bytes, sight->len, sight);
    }
    return sight->len > CHAN_OVERHEAD &&
           text_is(sight->bytes + CHAN_HEAD_LEN, sight->len - CHAN_OVERHEAD, sight);
}

/* Is it under nothing but what computing can break? */
static bool is_breakable(const struct sim_sight *sight)
{
    struct wire_frame frame;
    if (!is_frame(sight)) {
        return true; /* a record: AES-256-GCM */
    }
    return wire_frame_decode(&frame, sight->bytes, sight->len) == QKD_OK &&
           frame.method == WIRE_METHOD_AES;
}

/* Keys in the text of a message of the record layer. */
static void message_learn(struct sim_knowledge *knowledge, const struct sim_sight *sight)
{
    switch (sight->observed_len > 2 ? sight->observed[2] : 0) {
    case WIRE_CMD_KEY_FILE:
        file_learn(knowledge, sight);
        break;
    case WIRE_CMD_KMI_SUPPLY:
        hand_over_learn(knowledge, sight);
        break;
    case WIRE_CMD_KEY_SUPPLY_RSP:
        supply_learn(knowledge, sight);
        break;
    default:
        break;
    }
}

void sim_knowledge_told(struct sim_knowledge *knowledge, enum qkd_rp rp, const uint8_t *message,
                        size_t len)
{
    knowledge->read++;
    message_learn(knowledge,
                  &(struct sim_sight){.rp = rp, .observed = message, .observed_len = len});
}

bool sim_knowledge_read(struct sim_knowledge *knowledge, const struct sim_sight *sight)
{
    if (!sim_sight_is_open(sight) && !(knowledge->unbounded && is_breakable(sight))) {
        return false;
    }
    knowledge->read++;
    if (!is_frame(sight)) {
        message_learn(knowledge, sight);
    } else if (sight->bytes[1] == WIRE_FRAME_RELAY) {
        relay_learn(knowledge, sight);
    }
    return true;
}
