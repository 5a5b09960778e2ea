/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle of the virtual worlds: it watches all nodes at once and checks rules 1 to 6 of
 * docs/architecture.md and that no key bit lies open on any link. It sees only what enters and
 * leaves elements (key files, persist, send with `observed`), never core's structs, and it steers
 * nothing: a run with and without it is the same run.
 *
 * Order of the calls for one step of an element: watch_oracle_deliver() or watch_oracle_block() before
 * it; then, for what the step put out, every watch_oracle_persist() of the commit, then
 * watch_oracle_send() for each send in order, also for those marked QKD_SEND_DELIVERED. After a crash
 * hook fired, the outputs that did not happen are not shown. Times are simulated (the world's, not
 * a node's clock), ns since the start of the run. */
#ifndef WATCH_ORACLE_H
#define WATCH_ORACLE_H

#include <stdint.h>

#include "core/base/out.h"
#include "core/wire/codec.h"
#include "scenarios/outcome.h"
#include "scenarios/scenario.h"

struct watch_oracle;

/* NULL without memory. The scenario must outlive it. */
struct watch_oracle *watch_oracle_new(const struct scn_scenario *scenario);
void watch_oracle_free(struct watch_oracle *oracle);

/* A link was given its initial secret (both ends get the same bytes), or the seed of 32 bytes that makes
 * it (else NULL); once per link, before any other event of the link. A restarted end is configured again
 * without a call. */
void watch_oracle_config_link(struct watch_oracle *oracle, uint32_t link,
                              const struct wire_bytes *secret, const uint8_t *seed);

/* The optics of `link` hand a block to one of their two modules (RP_Q). */
void watch_oracle_block(struct watch_oracle *oracle, int64_t now_ns, uint32_t link,
                        const struct wire_q_block *block, struct qkd_eid module);

/* Bytes as they reach an element (lost frames are not shown, duplicates are shown twice). */
struct watch_oracle_frame {
    enum qkd_rp rp;
    struct qkd_eid from, to; /* as the transport says */
    const uint8_t *bytes;    /* as on the wire */
    size_t len;
};
void watch_oracle_deliver(struct watch_oracle *oracle, int64_t now_ns,
                          const struct watch_oracle_frame *frame);

/* An element's persist entry, made durable; value may be NULL if its length is 0. */
void watch_oracle_persist(struct watch_oracle *oracle, int64_t now_ns,
                          const struct qkd_persist *entry, const uint8_t *value);

/* A persist entry that went with the store of a crashed key manager; after watch_oracle_crash(). */
void watch_oracle_lose(struct watch_oracle *oracle, int64_t now_ns,
                       const struct qkd_persist *entry);

/* An element's send; bytes and observed as send->bytes and send->observed say, observed NULL for
 * handshakes. */
void watch_oracle_send(struct watch_oracle *oracle, int64_t now_ns, const struct qkd_send *send,
                       const uint8_t *bytes, const uint8_t *observed);

/* All elements of a node were dropped; they start again from what was persisted. In the live world a
 * process falls alone: the key manager of a node (with its applications), the two modules of a link,
 * the controller. A fault may take one module, that of the link's end at `node`. */
void watch_oracle_crash(struct watch_oracle *oracle, int64_t now_ns, uint32_t node);
void watch_oracle_crash_km(struct watch_oracle *oracle, int64_t now_ns, uint32_t node);
void watch_oracle_crash_module(struct watch_oracle *oracle, int64_t now_ns, uint32_t link,
                               uint32_t node);
void watch_oracle_crash_modules(struct watch_oracle *oracle, int64_t now_ns, uint32_t link);
void watch_oracle_crash_controller(struct watch_oracle *oracle, int64_t now_ns, uint32_t node);
void watch_oracle_restart(struct watch_oracle *oracle, int64_t now_ns, uint32_t node);

/* An element took a message for genuine that an attacker had made: what is broken from here on may be
 * its work, and counts as security if a measure is off. */
void watch_oracle_forged(struct watch_oracle *oracle);

/* End of the run: the checks that need the whole of it. */
void watch_oracle_finish(struct watch_oracle *oracle, int64_t now_ns);

struct watch_oracle_verdict {
    uint64_t checks;                /* single comparisons made */
    uint64_t violations;            /* that failed */
    char first[SCN_VIOLATION_SIZE]; /* the first: rule, elements, link, block, range; "" if none */
    int64_t first_ns;
    uint64_t excused; /* further ones, which a measure that is off explains */
    char excused_first[SCN_VIOLATION_SIZE];
    uint64_t supplied_unanswered; /* bits persisted as supplied whose answer a crash swallowed */
    uint64_t mismatched_pairs;    /* released key pairs that differ */
};
const struct watch_oracle_verdict *watch_oracle_verdict(const struct watch_oracle *oracle);

/* Time the oracle itself took, ns of the real clock: an estimate from one call in 251. It is no part
 * of the simulation. */
uint64_t watch_oracle_cost_ns(const struct watch_oracle *oracle);

/* Rule 6 of one link, and end to end, as of now; zero for an unknown link. */
struct scn_bits watch_oracle_link_ledger(const struct watch_oracle *oracle, uint32_t link);
struct scn_keys watch_oracle_key_ledger(const struct watch_oracle *oracle);

/* Fills in what the oracle knows: ledgers, mismatches, its verdict and its cost. */
void watch_oracle_summarise(const struct watch_oracle *oracle, struct scn_summary *summary);

#endif
