/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scripted network for tests of the oracle: no elements, only what they would put out, byte for
 * byte, with a planted mistake on demand. Three nodes A - B - C in a line; application "far" from A
 * to C, "near" from A to B. */
#ifndef QKD_TESTS_ORACLE_RIG_H
#define QKD_TESTS_ORACLE_RIG_H

#include "core/crypto/crypto.h"
#include "core/wire/frame.h"
#include "watch/oracle.h"

#define RIG_BLOCK_BYTES 7500
#define RIG_MID 3744 /* 7500 / 2 = 3750, down to a multiple of 32 bytes: 117 * 32 */
#define RIG_BOOT_BYTES 512
#define RIG_BOOT_MID 288 /* 64 + (512 - 64) / 2 = 288, a multiple of 16 */

/* One side of a link: 0 the lower KMA. */
struct rig_side {
    uint32_t seq, epoch;
    uint32_t boot_next; /* next free byte of block 0 */
    uint32_t next;      /* of block 1 */
};

struct rig {
    struct scn_scenario *scenario;
    struct watch_oracle *oracle;
    int64_t now_ns;
    uint64_t message;
    uint64_t tail;
    uint8_t boot[RIG_BOOT_BYTES];
    uint8_t seed[2][32];
    struct qkd_id block[2];
    struct rig_side side[2][2]; /* [link][side] */
    uint8_t key[32], compare[32];
    struct qkd_id kma_key, ksa_key;
    /* the last message sealed, for its delivery */
    struct qkd_send last;
    uint8_t last_bytes[4096];
};

struct rig *rig_new(void);
void rig_free(struct rig *rig);
const char *rig_first(const struct rig *rig); /* text of the first violation */
uint64_t rig_violations(const struct rig *rig);

struct qkd_eid rig_kma(uint32_t node);
struct qkd_eid rig_ksa(uint32_t node);
struct qkd_eid rig_app(uint32_t instance, uint32_t node);

/* Sends an encoded message in a make-believe record; rig_deliver() delivers the last one. */
void rig_message(struct rig *rig, enum qkd_rp rp, struct qkd_eid from, struct qkd_eid to,
                 const uint8_t *message, size_t len);
void rig_deliver(struct rig *rig);

/* Head of a message. */
struct wire_head rig_head(struct rig *rig, enum qkd_rp rp, struct qkd_eid sender);

/* A frame: as the elements would make it, except for what `spoil` says. */
enum rig_spoil { RIG_GOOD, RIG_BAD_TAG, RIG_BAD_BODY, RIG_CHANGED_AGAIN };
struct rig_frame {
    uint32_t link, side;
    uint8_t type;
    uint32_t block, offset, length;
    const uint8_t *body;
    size_t body_len;
    enum rig_spoil spoil;
};
void rig_frame_send(struct rig *rig, const struct rig_frame *frame);
/* The last RELAY again: the same bytes, nothing observed; spoil RIG_CHANGED_AGAIN flips a bit. */
void rig_relay_again(struct rig *rig, enum rig_spoil spoil);
/* A control frame paid from block 0. */
void rig_control(struct rig *rig, uint32_t link, uint32_t side, uint8_t type, const uint8_t *body,
                 size_t len);

void rig_chunk(struct rig *rig, uint32_t link, uint32_t owner, const struct wire_p_chunk *chunk);
void rig_chunk_delete(struct rig *rig, uint32_t link, uint32_t side, uint32_t block,
                      uint32_t start);

/* Steps of the script. */
void rig_boot(struct rig *rig);                    /* initial secrets and their chunks */
void rig_generate(struct rig *rig, uint32_t link); /* the optics give block 1 */
void rig_file(struct rig *rig, uint32_t link, uint32_t side);
void rig_confirm(struct rig *rig, uint32_t link, uint8_t answer);
void rig_chunks(struct rig *rig, uint32_t link, uint32_t side); /* records of block 1 */
void rig_ready(struct rig *rig);                                /* all the above for both links */
void rig_relay(struct rig *rig, uint32_t link, enum rig_spoil spoil); /* hop 0 or 1 of the key */
void rig_grant(struct rig *rig, uint32_t link, uint32_t side, uint32_t start, uint32_t end);
void rig_skip(struct rig *rig, uint32_t link, uint32_t side, uint32_t start, uint32_t end,
              uint8_t reason);
void rig_take(struct rig *rig); /* on link 0 from A to B: key and compare key become pool bits */
void rig_notify(struct rig *rig, uint32_t to_node);
void rig_match(struct rig *rig, uint32_t to_node); /* answer sent, not delivered */
void rig_persist_key(struct rig *rig, uint32_t node, bool slave, uint8_t state);
void rig_supply(struct rig *rig, uint32_t node, bool slave, struct qkd_eid app, const uint8_t *key);
void rig_crash(struct rig *rig, uint32_t node);
void rig_crash_km(struct rig *rig, uint32_t node); /* its modules stay */
/* A RELAY of `side` with any body, with pads from `offset` of block 1; how many bytes it takes. */
uint32_t rig_use(struct rig *rig, uint32_t link, uint32_t side, uint32_t offset);

#endif
