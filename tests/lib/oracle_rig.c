/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scripted network: see oracle_rig.h. Frames are made with the encoders of core/wire and the
 * primitives of core/crypto, as docs/protocol.md says, not with code of the elements. */
#include "tests/lib/oracle_rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/time.h"

enum { OVERHEAD_HEAD = 16, OVERHEAD_TAIL = 16, KEY_BITS = 256, BODY_MAX = 512 };

static const char SCENARIO[] =
    "scenario: rig\n"
    "duration: 1 h\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {model: rate, rate: 6 kbit/s}}\n"
    "    - {id: BC, ends: [B, C], length: 10 km, qkd: {model: rate, rate: 6 kbit/s}}\n"
    "applications:\n"
    "  - {id: far, from: A, to: C, key: 256 bit, arrivals: poisson, rate: 1 /s}\n"
    "  - {id: near, from: A, to: B, key: 256 bit, arrivals: poisson, rate: 1 /s}\n";

struct qkd_eid rig_kma(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KMA, 0, node);
}

struct qkd_eid rig_ksa(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KSA, 0, node);
}

struct qkd_eid rig_app(uint32_t instance, uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_APP, instance, node);
}

/* Link 0 joins nodes 0 and 1, link 1 nodes 1 and 2: side s of link l is at node l + s. */
static struct qkd_eid end_of(uint32_t link, uint32_t side)
{
    return rig_kma(link + side);
}

static void fill(uint8_t *to, size_t len, uint8_t name)
{
    uint8_t seed[32] = {name};
    crypto_expand(to, seed, 0, len);
}

struct rig *rig_new(void)
{
    ck_assert_int_eq(crypto_init(), 0);
    struct rig *rig = calloc(1, sizeof *rig);
    struct scn_errors errors;
    struct scn_text text = {.name = "rig", .text = SCENARIO, .len = sizeof SCENARIO - 1};
    ck_assert_ptr_nonnull(rig);
    ck_assert_int_eq(scn_load_text(&text, NULL, &rig->scenario, &errors), 0);
    scn_errors_fini(&errors);
    rig->oracle = watch_oracle_new(rig->scenario);
    ck_assert_ptr_nonnull(rig->oracle);
    rig->now_ns = 1;
    fill(rig->boot, sizeof rig->boot, 1);
    fill(rig->seed[0], 32, 2);
    fill(rig->seed[1], 32, 3);
    fill(rig->block[0].b, 16, 4);
    fill(rig->block[1].b, 16, 5);
    fill(rig->key, 32, 6);
    fill(rig->compare, 32, 7);
    fill(rig->kma_key.b, 16, 8);
    fill(rig->ksa_key.b, 16, 9);
    for (int l = 0; l < 2; l++) {
        rig->side[l][0] = (struct rig_side){.epoch = 1, .boot_next = 64, .next = 0};
        rig->side[l][1] = (struct rig_side){.epoch = 1, .boot_next = RIG_BOOT_MID, .next = RIG_MID};
    }
    return rig;
}

void rig_free(struct rig *rig)
{
    watch_oracle_free(rig->oracle);
    scn_free(rig->scenario);
    free(rig);
}

const char *rig_first(const struct rig *rig)
{
    return watch_oracle_verdict(rig->oracle)->first;
}

uint64_t rig_violations(const struct rig *rig)
{
    return watch_oracle_verdict(rig->oracle)->violations;
}

struct wire_head rig_head(struct rig *rig, enum qkd_rp rp, struct qkd_eid sender)
{
    return (struct wire_head){.rp = (uint8_t)rp, .message_id = ++rig->message, .sender = sender};
}

/* ---- sending ---- */

static void send_last(struct rig *rig, size_t len, const uint8_t *observed, size_t observed_len)
{
    rig->last.bytes = (struct qkd_slice){0, (uint32_t)len};
    rig->last.observed = (struct qkd_slice){0, (uint32_t)observed_len};
    watch_oracle_send(rig->oracle, rig->now_ns, &rig->last, rig->last_bytes, observed);
}

void rig_message(struct rig *rig, enum qkd_rp rp, struct qkd_eid from, struct qkd_eid to,
                 const uint8_t *message, size_t len)
{
    size_t total = OVERHEAD_HEAD + len + OVERHEAD_TAIL;
    uint8_t pad[4096];
    ck_assert_uint_le(total, sizeof rig->last_bytes);
    fill(pad, sizeof pad, 200);
    memset(rig->last_bytes, 0xC1, OVERHEAD_HEAD);
    for (size_t i = 0; i < len; i++) { /* stands for the cipher text */
        rig->last_bytes[OVERHEAD_HEAD + i] = (uint8_t)(message[i] ^ pad[i]);
    }
    memcpy(rig->last_bytes + OVERHEAD_HEAD + len, pad, OVERHEAD_TAIL);
    rig->tail++;
    memcpy(rig->last_bytes + total - 8, &rig->tail, 8);
    rig->last = (struct qkd_send){.rp = rp, .from = from, .to = to};
    send_last(rig, total, message, len);
}

void rig_deliver(struct rig *rig)
{
    struct watch_oracle_frame frame = {.rp = rig->last.rp,
                                       .from = rig->last.from,
                                       .to = rig->last.to,
                                       .bytes = rig->last_bytes,
                                       .len = rig->last.bytes.len};
    rig->now_ns += 1000;
    watch_oracle_deliver(rig->oracle, rig->now_ns, &frame);
}

/* ---- frames ---- */

static void key_bytes(const struct rig *rig, uint32_t link, uint32_t block, uint32_t offset,
                      uint8_t *to, size_t len)
{
    if (block == 0) {
        ck_assert_uint_le(offset + len, RIG_BOOT_BYTES);
        memcpy(to, rig->boot + offset, len);
    } else {
        crypto_expand(to, rig->seed[link], offset, len);
    }
}

static void frame_tag(const struct rig *rig, const struct rig_frame *f, const uint8_t *bytes,
                      size_t len, uint8_t tag[16])
{
    uint8_t work[16 + 1024];
    uint8_t pad[16];
    ck_assert_uint_le(len, 1024);
    wire_put_u64(work, end_of(f->link, f->side).v);
    wire_put_u64(work + 8, end_of(f->link, 1 - f->side).v);
    memcpy(work + 16, bytes, len);
    key_bytes(rig, f->link, f->block, f->offset + f->length - 16, pad, 16);
    crypto_wc_tag(tag, rig->boot + 16 * f->side, pad, work, 16 + len);
}

void rig_frame_send(struct rig *rig, const struct rig_frame *f)
{
    bool relay = f->type == WIRE_FRAME_RELAY;
    struct rig_side *side = &rig->side[f->link][f->side];
    struct wire_frame head = {.type = f->type,
                              .method = relay                        ? WIRE_METHOD_OTP
                                        : f->type == WIRE_FRAME_TAKE ? WIRE_METHOD_POOL
                                                                     : WIRE_METHOD_NONE,
                              .link = f->link,
                              .block = f->block,
                              .offset = f->offset,
                              .length = f->length,
                              .seq = ++side->seq,
                              .epoch = side->epoch};
    uint8_t bytes[1024];
    uint8_t observed[1024];
    uint8_t pad[1024];
    size_t total = WIRE_FRAME_HEAD_LEN + f->body_len + WIRE_FRAME_TAG_LEN;
    ck_assert_uint_le(total, sizeof bytes);
    wire_frame_head_encode(&head, bytes);
    memcpy(bytes + WIRE_FRAME_HEAD_LEN, f->body, f->body_len);
    memcpy(observed, bytes, total - 16);
    if (relay) {
        key_bytes(rig, f->link, f->block, f->offset, pad, f->body_len);
        crypto_xor(bytes + WIRE_FRAME_HEAD_LEN, f->body, pad, f->body_len);
    }
    if (f->spoil == RIG_BAD_BODY) {
        bytes[WIRE_FRAME_HEAD_LEN + f->body_len - 1] ^= 1;
    }
    frame_tag(rig, f, bytes, total - 16, bytes + total - 16);
    if (f->spoil == RIG_BAD_TAG) {
        bytes[total - 1] ^= 1;
    }
    memcpy(observed + total - 16, bytes + total - 16, 16);
    struct qkd_eid from = end_of(f->link, f->side);
    struct qkd_eid to = end_of(f->link, 1 - f->side);
    if (!relay) {
        rig_message(rig, QKD_RP_KX1, from, to, bytes, total);
        return;
    }
    memcpy(rig->last_bytes, bytes, total);
    rig->last = (struct qkd_send){.rp = QKD_RP_KX1, .from = from, .to = to};
    send_last(rig, total, observed, total);
}

void rig_relay_again(struct rig *rig, enum rig_spoil spoil)
{
    if (spoil == RIG_CHANGED_AGAIN) {
        rig->last_bytes[WIRE_FRAME_HEAD_LEN] ^= 1;
    }
    send_last(rig, rig->last.bytes.len, NULL, 0);
}

void rig_control(struct rig *rig, uint32_t link, uint32_t side, uint8_t type, const uint8_t *body,
                 size_t len)
{
    struct rig_side *s = &rig->side[link][side];
    rig_frame_send(rig, &(struct rig_frame){.link = link,
                                            .side = side,
                                            .type = type,
                                            .block = 0,
                                            .offset = s->boot_next,
                                            .length = 16,
                                            .body = body,
                                            .body_len = len});
    s->boot_next += 16;
}

uint32_t rig_use(struct rig *rig, uint32_t link, uint32_t side, uint32_t offset)
{
    struct wire_relay_body body = {.key_id = rig->kma_key, /* of a source that nobody knows */
                                   .source = rig_kma(9),
                                   .destination = rig_kma(8),
                                   .key_size = 64,
                                   .count = 1,
                                   .keys = {rig->key, 8}};
    uint8_t bytes[BODY_MAX];
    body.key_id.b[0] ^= 0xff;
    int len = wire_relay_body_encode(&body, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_frame_send(rig, &(struct rig_frame){.link = link,
                                            .side = side,
                                            .type = WIRE_FRAME_RELAY,
                                            .block = 1,
                                            .offset = offset,
                                            .length = (uint32_t)len + 16,
                                            .body = bytes,
                                            .body_len = (size_t)len});
    return (uint32_t)len + 16;
}

/* ---- records ---- */

static void persist(struct rig *rig, struct qkd_persist *entry, const uint8_t *value, int len)
{
    ck_assert_int_ge(len, 0);
    entry->value = (struct qkd_slice){0, (uint32_t)len};
    watch_oracle_persist(rig->oracle, rig->now_ns, entry, value);
}

void rig_chunk(struct rig *rig, uint32_t link, uint32_t owner, const struct wire_p_chunk *chunk)
{
    uint8_t value[64];
    struct qkd_persist entry = {.owner = end_of(link, owner),
                                .kind = WIRE_PERSIST_CHUNK,
                                .key_len = 12};
    struct wire_p_chunk record = *chunk;
    record.link = link;
    wire_put_u32(entry.key, link);
    wire_put_u32(entry.key + 4, chunk->block);
    wire_put_u32(entry.key + 8, chunk->start);
    persist(rig, &entry, value, wire_p_chunk_encode(&record, value, sizeof value));
}

void rig_chunk_delete(struct rig *rig, uint32_t link, uint32_t side, uint32_t block, uint32_t start)
{
    struct qkd_persist entry = {
        .owner = end_of(link, side), .del = true, .kind = WIRE_PERSIST_CHUNK, .key_len = 12};
    wire_put_u32(entry.key, link);
    wire_put_u32(entry.key + 4, block);
    wire_put_u32(entry.key + 8, start);
    persist(rig, &entry, NULL, 0);
}

/* Both halves of a block as KMA `side` records them, its own leased whole. */
static void halves(struct rig *rig, uint32_t link, uint32_t side, const uint32_t cut[3],
                   uint32_t block)
{
    for (uint32_t half = 0; half < 2; half++) {
        bool mine = half == side;
        struct wire_p_chunk chunk = {.block = block,
                                     .start = cut[half],
                                     .end = cut[half + 1],
                                     .mine = mine,
                                     .lease = mine && block == 0 ? cut[half + 1]
                                              : mine             ? cut[half] + 2048
                                                                 : cut[half]};
        rig_chunk(rig, link, side, &chunk);
    }
}

/* ---- the script ---- */

void rig_boot(struct rig *rig)
{
    const uint32_t cut[3] = {64, RIG_BOOT_MID, RIG_BOOT_BYTES};
    for (uint32_t link = 0; link < 2; link++) {
        struct wire_bytes boot = {rig->boot, sizeof rig->boot};
        watch_oracle_config_link(rig->oracle, link, &boot, NULL);
        halves(rig, link, 0, cut, 0);
        halves(rig, link, 1, cut, 0);
    }
}

void rig_generate(struct rig *rig, uint32_t link)
{
    struct wire_q_block block = {.qkd_key_id = rig->block[link],
                                 .key_length = RIG_BLOCK_BYTES * 8,
                                 .form = 1,
                                 .key = {rig->seed[link], 32}};
    for (uint32_t side = 0; side < 2; side++) {
        watch_oracle_block(rig->oracle, rig->now_ns, link, &block,
                           qkd_eid_make(QKD_ROLE_MODULE, 0, link + side));
    }
}

void rig_file(struct rig *rig, uint32_t link, uint32_t side)
{
    struct qkd_eid module = qkd_eid_make(QKD_ROLE_MODULE, 0, link + side);
    struct wire_key_file file = {.head = rig_head(rig, QKD_RP_KQ1, module),
                                 .has_qkd_key_id = true,
                                 .qkd_key_id = rig->block[link],
                                 .has_key_length = true,
                                 .key_length = RIG_BLOCK_BYTES * 8,
                                 .link = link,
                                 .form = 1,
                                 .key = {rig->seed[link], 32}};
    uint8_t bytes[BODY_MAX];
    int len = wire_key_file_encode(&file, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_KQ1, module, rig_kma(link + side), bytes, (size_t)len);
}

void rig_confirm(struct rig *rig, uint32_t link, uint8_t answer)
{
    struct wire_sync_item item = {.id = rig->block[link], .length = RIG_BLOCK_BYTES * 8};
    uint8_t sync[64];
    uint8_t bytes[128];
    int sync_len = wire_sync_item_encode(&item, sync, sizeof sync);
    ck_assert_int_gt(sync_len, 0);
    struct wire_confirm_body body = {.answer = answer,
                                     .block = 1,
                                     .sync = {sync, (size_t)sync_len}};
    int len = wire_confirm_body_encode(&body, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_control(rig, link, answer, WIRE_FRAME_CONFIRM, bytes, (size_t)len);
}

void rig_chunks(struct rig *rig, uint32_t link, uint32_t side)
{
    const uint32_t cut[3] = {0, RIG_MID, RIG_BLOCK_BYTES};
    halves(rig, link, side, cut, 1);
}

void rig_ready(struct rig *rig)
{
    rig_boot(rig);
    for (uint32_t link = 0; link < 2; link++) {
        rig_generate(rig, link);
        rig_file(rig, link, 0);
        rig_file(rig, link, 1);
        rig_confirm(rig, link, 0);
        rig_deliver(rig);
        rig_confirm(rig, link, 1);
        rig_chunks(rig, link, 1);
        rig_deliver(rig);
        rig_chunks(rig, link, 0);
    }
}

void rig_relay(struct rig *rig, uint32_t link, enum rig_spoil spoil)
{
    struct wire_relay_metadata metadata = {.kma_key_id = rig->kma_key,
                                           .key_type = WIRE_FOR_ENCRYPTION,
                                           .matching_kma_id = rig_kma(2)};
    uint8_t meta[64];
    uint8_t bytes[BODY_MAX];
    int meta_len = wire_relay_metadata_encode(&metadata, meta, sizeof meta);
    ck_assert_int_gt(meta_len, 0);
    struct wire_relay_body body = {.key_id = rig->kma_key,
                                   .source = rig_kma(0),
                                   .destination = rig_kma(2),
                                   .attempt = 1,
                                   .hop = (uint8_t)(link + 1),
                                   .grade = WIRE_METHOD_OTP,
                                   .key_size = KEY_BITS,
                                   .count = 1,
                                   .metadata = {meta, (size_t)meta_len},
                                   .keys = {rig->key, 32}};
    memcpy(body.compare.b, rig->compare, 32);
    int len = wire_relay_body_encode(&body, bytes, sizeof bytes);
    ck_assert_int_eq(len, (int)wire_relay_body_bytes(KEY_BITS, 1));
    struct rig_side *side = &rig->side[link][0];
    rig_frame_send(rig, &(struct rig_frame){.link = link,
                                            .side = 0,
                                            .type = WIRE_FRAME_RELAY,
                                            .block = 1,
                                            .offset = side->next,
                                            .length = (uint32_t)len + 16,
                                            .body = bytes,
                                            .body_len = (size_t)len,
                                            .spoil = spoil});
    side->next += (uint32_t)len + 16;
}

void rig_grant(struct rig *rig, uint32_t link, uint32_t side, uint32_t start, uint32_t end)
{
    struct wire_grant_body body = {.block = 1, .start = start, .end = end};
    uint8_t bytes[64];
    int len = wire_grant_body_encode(&body, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_control(rig, link, side, WIRE_FRAME_GRANT, bytes, (size_t)len);
}

void rig_skip(struct rig *rig, uint32_t link, uint32_t side, uint32_t start, uint32_t end,
              uint8_t reason)
{
    struct wire_skip_body body = {.block = 1, .start = start, .end = end, .reason = reason};
    uint8_t bytes[64];
    int len = wire_skip_body_encode(&body, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_control(rig, link, side, WIRE_FRAME_SKIP, bytes, (size_t)len);
}

void rig_take(struct rig *rig)
{
    struct wire_take_body body = {.key_id = rig->kma_key,
                                  .source = rig_kma(0),
                                  .destination = rig_kma(1),
                                  .key_size = KEY_BITS,
                                  .count = 1,
                                  .source_app = rig_app(2, 0),
                                  .target_app = rig_app(3, 1)};
    uint8_t bytes[BODY_MAX];
    int len = wire_take_body_encode(&body, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    struct rig_side *side = &rig->side[0][0];
    key_bytes(rig, 0, 1, side->next, rig->key, 32);
    key_bytes(rig, 0, 1, side->next + 32, rig->compare, 32);
    rig_frame_send(rig, &(struct rig_frame){.link = 0,
                                            .side = 0,
                                            .type = WIRE_FRAME_TAKE,
                                            .block = 1,
                                            .offset = side->next,
                                            .length = 32 + 32 + 16,
                                            .body = bytes,
                                            .body_len = (size_t)len});
    side->next += 32 + 32 + 16;
}

/* Application agents: master of "far" 0 at A, slave 1 at C; of "near" 2 at A, 3 at B. */
static struct qkd_eid master_of(uint32_t to_node)
{
    return rig_app(to_node == 2 ? 0 : 2, 0);
}

static struct qkd_eid slave_of(uint32_t to_node)
{
    return rig_app(to_node == 2 ? 1 : 3, to_node);
}

void rig_notify(struct rig *rig, uint32_t to_node)
{
    struct wire_sync_item item = {.id = rig->kma_key, .length = KEY_BITS};
    uint8_t sync[64];
    uint8_t bytes[BODY_MAX];
    int sync_len = wire_sync_item_encode(&item, sync, sizeof sync);
    ck_assert_int_gt(sync_len, 0);
    struct wire_supply_notify notify = {.head = rig_head(rig, QKD_RP_KX2, rig_ksa(0)),
                                        .sync = {sync, (size_t)sync_len},
                                        .key_ids = {rig->ksa_key.b, 16},
                                        .source_app = master_of(to_node),
                                        .target_app = slave_of(to_node),
                                        .key_size = KEY_BITS,
                                        .grade = WIRE_METHOD_OTP};
    int len = wire_supply_notify_encode(&notify, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_KX2, rig_ksa(0), rig_ksa(to_node), bytes, (size_t)len);
}

void rig_match(struct rig *rig, uint32_t to_node)
{
    struct wire_supply_notify_rsp rsp = {.head = rig_head(rig, QKD_RP_KX2, rig_ksa(to_node)),
                                         .key_id = rig->kma_key,
                                         .match = 1};
    uint8_t bytes[128];
    int len = wire_supply_notify_rsp_encode(&rsp, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_KX2, rig_ksa(to_node), rig_ksa(0), bytes, (size_t)len);
}

void rig_persist_key(struct rig *rig, uint32_t node, bool slave, uint8_t state)
{
    uint32_t to_node = slave ? node : 2;
    struct wire_p_key record = {.key_id = rig->ksa_key,
                                .parent = rig->kma_key,
                                .source_app = master_of(to_node),
                                .target_app = slave_of(to_node),
                                .key_size = KEY_BITS,
                                .slave = slave,
                                .state = state};
    if (state == WIRE_KEY_WAITING) {
        record.key = (struct wire_bytes){rig->key, 32};
    }
    uint8_t value[BODY_MAX];
    struct qkd_persist entry = {.owner = rig_ksa(node), .kind = WIRE_PERSIST_KEY, .key_len = 16};
    memcpy(entry.key, rig->ksa_key.b, 16);
    persist(rig, &entry, value, wire_p_key_encode(&record, value, sizeof value));
}

void rig_supply(struct rig *rig, uint32_t node, bool slave, struct qkd_eid app, const uint8_t *key)
{
    struct wire_key_supply_rsp rsp = {.head = rig_head(rig, QKD_RP_AK, rig_ksa(node)),
                                      .application_code = slave ? WIRE_FOR_DECRYPTION
                                                                : WIRE_FOR_ENCRYPTION,
                                      .has_key_size = true,
                                      .key_size = KEY_BITS,
                                      .has_key_ids = true,
                                      .key_ids = {rig->ksa_key.b, 16},
                                      .has_key_data = true,
                                      .key_data = {key, 32},
                                      .code = WIRE_SUFFICIENT};
    uint8_t bytes[BODY_MAX];
    int len = wire_key_supply_rsp_encode(&rsp, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_AK, rig_ksa(node), app, bytes, (size_t)len);
}

static void epochs_grow(struct rig *rig, uint32_t node)
{
    rig->now_ns += QKD_NS_PER_S;
    watch_oracle_restart(rig->oracle, rig->now_ns, node);
    for (uint32_t link = 0; link < 2; link++) {
        for (uint32_t side = 0; side < 2; side++) {
            if (link + side == node) {
                rig->side[link][side].epoch++;
                rig->side[link][side].seq = 0;
            }
        }
    }
}

void rig_crash(struct rig *rig, uint32_t node)
{
    rig->now_ns += QKD_NS_PER_S;
    watch_oracle_crash(rig->oracle, rig->now_ns, node);
    epochs_grow(rig, node);
}

void rig_crash_km(struct rig *rig, uint32_t node)
{
    rig->now_ns += QKD_NS_PER_S;
    watch_oracle_crash_km(rig->oracle, rig->now_ns, node);
    epochs_grow(rig, node);
}
