/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: conservation (rule 6). Each byte of a link is in one class. The counters move with the
 * events; an audit recounts from scratch what lives in blocks and frames and compares. End to end
 * the same for keys. */
#include <stdlib.h>

#include "watch/oracle_state.h"

enum { QUIET_PERIODS = 10 }; /* status periods after which a promised SKIP is missed */

struct sums {
    uint64_t bytes[WATCH_ORC_CLASSES];
};

static void count_block(const struct watch_orc_block *block, struct sums *sums)
{
    if (!block->answered) {
        if (block->generated && !block->lost) {
            sums->bytes[WATCH_ORC_IN_FLIGHT] += block->bytes - watch_orc_asked_bytes(block);
        }
        return;
    }
    for (uint32_t i = 0; i < block->segments; i++) {
        const struct watch_orc_segment *s = &block->segment[i];
        if (s->kind == WATCH_ORC_FREE && block->confirmed) {
            sums->bytes[WATCH_ORC_STORED] += s->end - s->start;
        } else if (s->kind < WATCH_ORC_USED) {
            sums->bytes[WATCH_ORC_IN_FLIGHT] += s->end - s->start;
        }
    }
}

static void audit_link(struct watch_oracle *o, uint32_t index, const struct sums *live)
{
    const struct watch_orc_link *link = &o->links[index];
    struct sums sums = *live;
    uint64_t total = 0;
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < link->side[side].ring_cap; i++) {
            const struct watch_orc_frame *f = &link->side[side].ring[i];
            sums.bytes[WATCH_ORC_IN_FLIGHT] += f->open ? f->length : 0;
        }
    }
    struct watch_orc_scene scene = {.link = index, .has_range = false};
    for (uint32_t c = 0; c < WATCH_ORC_CLASSES; c++) {
        total += link->bytes[c];
        o->verdict.checks++;
        if (link->bytes[c] != link->settled[c] + sums.bytes[c]) {
            watch_orc_fail(o, "rule 6: ledger of a link differs from its recount", &scene);
            return;
        }
    }
    (void)watch_orc_check(o, total == link->generated + link->bootstrap,
                          "rule 6: bits of a link are not conserved", &scene);
}

static void audit_keys(struct watch_oracle *o)
{
    uint64_t flying = watch_orc_draws_flying(o);
    uint64_t pooled = 0;
    for (uint32_t slot = o->key_first; slot != QKD_SLAB_NONE;) {
        const struct watch_orc_kma_key *kma = qkd_slab_at(&o->kma_keys, slot);
        for (uint32_t k = kma->first; k != QKD_SLAB_NONE;) {
            const struct watch_orc_ksa_key *key = qkd_slab_at(&o->ksa_keys, k);
            bool is_copy = key->draw != QKD_SLAB_NONE; /* it counts once with all of them */
            flying += key->end == WATCH_ORC_KEY_IN_FLIGHT && !is_copy ? key->bits : 0;
            pooled += key->end == WATCH_ORC_KEY_POOLED ? key->bits : 0;
            k = key->next;
        }
        slot = kma->next;
    }
    uint64_t total = o->key_bits[WATCH_ORC_KEY_IN_FLIGHT] + o->key_bits[WATCH_ORC_KEY_SUPPLIED] +
                     o->key_bits[WATCH_ORC_KEY_POOLED] + o->key_bits[WATCH_ORC_KEY_EXPIRED] +
                     o->key_bits[WATCH_ORC_KEY_DISCARDED];
    (void)watch_orc_check(o,
                          flying == o->key_bits[WATCH_ORC_KEY_IN_FLIGHT] &&
                              pooled == o->key_bits[WATCH_ORC_KEY_POOLED] &&
                              total == o->drawn_bits + o->taken_bits,
                          "rule 6: bits of keys are not conserved end to end", NULL);
}

void watch_orc_audit(struct watch_oracle *o)
{
    size_t count = o->scenario->link_count;
    struct sums *sums = calloc(count > 0 ? count : 1, sizeof *sums);
    if (sums == NULL) {
        return; /* the next audit may have room */
    }
    for (uint32_t i = 0; i < o->blocks.top; i++) {
        if (qkd_slab_live(&o->blocks, i)) {
            const struct watch_orc_block *block = watch_orc_block_at(o, i);
            count_block(block, &sums[block->link]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        audit_link(o, i, &sums[i]);
    }
    audit_keys(o);
    free(sums);
}

/* Whether one end of a link owns a tag to say anything with. */
static bool has_tag(const struct watch_oracle *o, uint32_t link, uint32_t side)
{
    for (uint32_t i = 0; i < o->blocks.top; i++) {
        const struct watch_orc_block *block = watch_orc_block_at(o, i);
        bool ours = qkd_slab_live(&o->blocks, i) && block->link == link && block->answered &&
                    (side == 1 || block->confirmed); /* who asked knows of it with the answer */
        for (uint32_t k = 0; ours && k < block->segments; k++) {
            const struct watch_orc_segment *s = &block->segment[k];
            if (s->kind == WATCH_ORC_FREE && s->side == side &&
                s->end - s->start >= WIRE_FRAME_TAG_LEN) {
                return true;
            }
        }
    }
    return false;
}

/* Bytes that their owner gave up long ago without a SKIP while the other end, which was in reach,
 * still waits for them: they have vanished from the books of one side only. */
static void vanished(struct watch_oracle *o, uint32_t slot)
{
    const struct watch_orc_block *block = watch_orc_block_at(o, slot);
    const struct watch_orc_link *link = &o->links[block->link];
    int64_t quiet_ns = QUIET_PERIODS * o->scenario->control.status_period_ns;
    if (block->forsaken) {
        return; /* the one who asked heeds no answer of a past life: to it this is a file that waits */
    }
    for (uint32_t i = 0; i < block->segments; i++) {
        const struct watch_orc_segment *s = &block->segment[i];
        if (s->kind != WATCH_ORC_DROPPED || link->side[s->side].mute) {
            continue;
        }
        struct watch_orc_scene scene = {.from = link->side[s->side].kma,
                                        .link = block->link,
                                        .block = block->number,
                                        .has_range = true,
                                        .start = s->start,
                                        .end = s->end};
        bool unheard = link->side[s->side].heard_ns < block->dropped_ns + quiet_ns;
        /* Before the answer came the other end lost the file: nobody waits. */
        bool nobody = !block->confirmed && (block->stored >> (1U - s->side) & 1) == 0;
        (void)watch_orc_check(o, nobody || unheard || !has_tag(o, block->link, s->side),
                              "rule 6: bits given up without a SKIP", &scene);
    }
}

void watch_orc_ledger_finish(struct watch_oracle *o)
{
    for (uint32_t i = 0; i < o->blocks.top; i++) {
        if (qkd_slab_live(&o->blocks, i)) {
            vanished(o, i);
        }
    }
    watch_orc_audit(o);
}

struct scn_bits watch_oracle_link_ledger(const struct watch_oracle *oracle, uint32_t link)
{
    if (link >= oracle->scenario->link_count) {
        return (struct scn_bits){0};
    }
    const struct watch_orc_link *l = &oracle->links[link];
    return (struct scn_bits){.generated = 8 * l->generated,
                             .bootstrap = 8 * l->bootstrap,
                             .stored = 8 * l->bytes[WATCH_ORC_STORED],
                             .pads = 8 * l->bytes[WATCH_ORC_PADS],
                             .tags = 8 * l->bytes[WATCH_ORC_TAGS],
                             .hash_keys = 8 * l->bytes[WATCH_ORC_HASH_KEYS],
                             .fallback_keys = 8 * l->bytes[WATCH_ORC_FALLBACK],
                             .postproc_auth = 8 * l->bytes[WATCH_ORC_POSTPROC],
                             .relayed_as_key = 8 * l->bytes[WATCH_ORC_RELAYED],
                             .expired = 8 * l->bytes[WATCH_ORC_EXPIRED],
                             .discarded = 8 * l->bytes[WATCH_ORC_DISCARDED],
                             .in_flight = 8 * l->bytes[WATCH_ORC_IN_FLIGHT]};
}

struct scn_keys watch_oracle_key_ledger(const struct watch_oracle *oracle)
{
    return (struct scn_keys){.drawn = oracle->drawn_bits,
                             .relayed_as_key = oracle->taken_bits,
                             .supplied = oracle->key_bits[WATCH_ORC_KEY_SUPPLIED],
                             .pooled = oracle->key_bits[WATCH_ORC_KEY_POOLED],
                             .expired = oracle->key_bits[WATCH_ORC_KEY_EXPIRED],
                             .discarded = oracle->key_bits[WATCH_ORC_KEY_DISCARDED],
                             .in_flight = oracle->key_bits[WATCH_ORC_KEY_IN_FLIGHT]};
}
