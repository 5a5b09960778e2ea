/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tap on a virtual world: one line of text per message sent, as it was before sealing.
 *
 *   [   1.234567 s] A.KMA > B.KMA Kx-1 RELAY link AB block 1 offset 171 length 187 ...
 *
 * The time is that of the sending, in simulated seconds. Elements are node.role; modules
 * node.module(link), applications node.name. Keys are named in the order of their appearance: Q1, Q2
 * for QKD-keys, M1 ... for KMA-keys, S1 ... for KSA-keys. No key material is written. The record
 * layer's OPEN, ACCEPT and RESET are `handshake`: there is nothing before sealing. */
#ifndef QKD_TESTS_SIM_TAP_H
#define QKD_TESTS_SIM_TAP_H

#include "sim/world.h"

/* What is written; zero fields do not restrict. */
struct tap_filter {
    int64_t from_ns, to_ns; /* to_ns 0: to the end */
    uint32_t rps;           /* bit 1 << enum qkd_rp */
    const char *only;       /* names of commands, blanks between them */
    const char *without;    /* the same */
    uint32_t most;          /* lines; 0: all */
};

#define TAP_RP(name) (1U << QKD_RP_##name)

struct tap;

/* The scenario must outlive it; so must the filter's texts. */
struct tap *tap_new(const struct scn_scenario *scenario, const struct tap_filter *filter);
void tap_free(struct tap *tap);

/* For struct sim_hooks: ctx is the tap. */
void tap_observe(void *ctx, int64_t now_ns, const struct qkd_send *send, const uint8_t *observed);

/* The lines so far; zero-terminated; valid until the next message. */
const char *tap_text(const struct tap *tap);

#endif
