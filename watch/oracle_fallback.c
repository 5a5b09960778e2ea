/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: RELAY frames under AES-256 (rules 2, 3, 8). Each names its key, 32 bytes of the link that a frame
 * of the same sender and epoch took for it; nonces count up under it; it does not serve longer than the
 * scenario lets it. Which keys crossed a hop so is noted, and what becomes of them is judged in
 * oracle_key.c. */
#include <string.h>

#include "core/crypto/crypto.h"
#include "watch/oracle_state.h"

enum { AAD_LEN = 16 + WIRE_FRAME_HEAD_LEN };

void watch_orc_aes_new(struct watch_oracle *o, const struct watch_orc_sight *s)
{
    struct watch_orc_aes *aes = &o->links[s->frame.link].side[s->side].aes;
    const struct scn_key_management *km = &o->scenario->key_management;
    struct wire_aes_head head;
    bool good = wire_aes_head_decode(&head, &s->frame);
    (void)watch_orc_check(o, good && km->fallback == SCN_FALLBACK_AES256,
                          "rule 8: AES-256 where the scenario has none", &s->scene);
    if (s->frame.length > WIRE_FRAME_TAG_LEN) {
        *aes = (struct watch_orc_aes){.is_there = true,
                                      .block = s->frame.block,
                                      .offset = s->frame.offset,
                                      .since_ns = o->now_ns};
    }
    bool ours = aes->is_there && head.block == aes->block && head.offset == aes->offset;
    (void)watch_orc_check(o, ours, "rule 8: AES-256 under bits that were not taken for it",
                          &s->scene);
    (void)watch_orc_check(o, !ours || head.count >= aes->next, "rule 2: a nonce is used twice",
                          &s->scene);
    int64_t most_ns = km->fallback_rekey_ns + km->fallback_rekey_ns / 4; /* clocks drift */
    (void)watch_orc_check(o, !ours || o->now_ns - aes->since_ns <= most_ns,
                          "rule 8: a key of AES-256 serves for too long", &s->scene);
    aes->next = head.count + 1;
}

void watch_orc_aes_verify(struct watch_oracle *o, const struct watch_orc_sight *s)
{
    uint8_t aad[AAD_LEN];
    uint8_t key[WIRE_AES_KEY_LEN];
    uint8_t sealed[WATCH_ORC_SCRATCH];
    struct wire_aes_head head;
    uint32_t slot = wire_aes_head_decode(&head, &s->frame)
                        ? watch_orc_block_find(o, s->frame.link, head.block)
                        : QKD_SLAB_NONE;
    const struct watch_orc_block *block = slot == QKD_SLAB_NONE ? NULL
                                                                : watch_orc_block_at(o, slot);
    size_t plain_len = s->frame.body_len - WIRE_AES_MORE;
    bool wiped = block == NULL || (block->form == 0 && block->bits == NULL);
    if (wiped || (uint64_t)head.offset + sizeof key > block->bytes ||
        plain_len + CRYPTO_GCM_TAG_LEN > sizeof sealed) {
        return; /* used up and forgotten */
    }
    watch_orc_block_read(block, head.offset, key, sizeof key);
    wire_put_u64(aad, s->send->from.v);
    wire_put_u64(aad + 8, s->send->to.v);
    memcpy(aad + 16, s->bytes, WIRE_FRAME_HEAD_LEN);
    struct crypto_gcm_text text = {.aad = aad,
                                   .aad_len = sizeof aad,
                                   .from = s->observed + WIRE_FRAME_HEAD_LEN + WIRE_AES_HEAD_LEN,
                                   .len = plain_len};
    bool same = crypto_gcm_seal(key, head.nonce, &text, sealed) == 0 &&
                memcmp(sealed, s->frame.body + WIRE_AES_HEAD_LEN, plain_len + CRYPTO_GCM_TAG_LEN) ==
                    0;
    (void)watch_orc_check(o, same, "rule 3: body is not the plain text under its key of AES-256",
                          &s->scene);
    crypto_wipe(key, sizeof key);
    crypto_wipe(sealed, sizeof sealed);
}
