/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random scenarios for property tests, as text: the same seed always gives the same text, so that a
 * failing seed is replayed by one test, or by `qkdn run` on the printed text. */
#ifndef QKD_TESTS_SIM_RANDOM_H
#define QKD_TESTS_SIM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum random_kind {
    /* No loss, no fault, plenty of key: everything must be served. */
    RANDOM_CALM,
    /* Loss, duplication and reordering up to 10 % each, clocks off and drifting. */
    RANDOM_LOSSY,
    /* The same with fewer losses, and links and nodes that fail, crash and come back until
     * RANDOM_FAULTS_END_S; what is asked RANDOM_RECOVERY_S later is to be served. */
    RANDOM_FAULTY,
    /* Little key, small stores, early expiry, short time-outs, faults at any time. */
    RANDOM_SCARCE,
    /* As RANDOM_FAULTY, but what fails is one node, between two outputs drawn at random; what is asked
     * RANDOM_RECOVERY_S after its restart is to be served. */
    RANDOM_CRASH,
    RANDOM_KINDS
};

/* Faults of RANDOM_FAULTY end before RANDOM_FAULTS_END_S; all runs end at RANDOM_END_S. */
enum { RANDOM_FAULTS_END_S = 14, RANDOM_RECOVERY_S = 8, RANDOM_END_S = 32, RANDOM_TEXT = 16384 };

const char *random_kind_name(enum random_kind kind); /* "calm" ... */

void random_scenario(enum random_kind kind, uint64_t seed, char text[RANDOM_TEXT]);

/* Runs the scenario and judges it: case_fault(), and what its kind promises. "" or what is wrong in
 * `why`, with kind and seed. */
const char *random_judge(enum random_kind kind, uint64_t seed, char *why, size_t why_size);

#endif
