/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processes that judge fuzz seeds. A process each, so that seeds run side by side and one that ends
 * its process (an assertion of core, a signal) or never ends is a finding, not the end. */
#ifndef CLI_FUZZ_POOL_H
#define CLI_FUZZ_POOL_H

#include "sim/fuzz.h"

#define CLI_FUZZ_PATIENCE_S 60 /* wall time of one seed; longer counts as an error */

struct cli_fuzz_result {
    uint64_t seed;
    struct sim_fuzz_verdict verdict;
};

struct cli_fuzz_pool;

/* Starts `jobs` processes; NULL: no memory, or none could be started. */
struct cli_fuzz_pool *cli_fuzz_pool_new(uint32_t jobs);

/* Ends all processes. */
void cli_fuzz_pool_free(struct cli_fuzz_pool *pool);

/* Gives a seed to an idle process; false: all are busy. */
bool cli_fuzz_pool_give(struct cli_fuzz_pool *pool, uint64_t seed);

/* Waits for a result up to wait_ms; false: none came (also when a signal did). */
bool cli_fuzz_pool_take(struct cli_fuzz_pool *pool, int wait_ms, struct cli_fuzz_result *result);

uint32_t cli_fuzz_pool_busy(const struct cli_fuzz_pool *pool);

/* Judges one scenario in a process of its own. */
void cli_fuzz_alone(const char *text, struct sim_fuzz_verdict *verdict);

#endif
