/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A QKD link as a single store of key, the blocking of which is known: M/M/1/K and D/M/1/K
 * (tests/data/store_blocking.csv).
 *
 * Topology: A - B. A unit of the model is a block of 192 bytes, of which each end owns half: 96 bytes
 * pay one key supplied to the neighbour (80 bytes: key 32, compare key 32, tag 16) and the tag of the
 * frame by which this end confirms the next block. So that both halves are used, a request is two: A asks
 * for B and B for A at the same instant, and either both are served or none. The reserve of 16 tags at
 * each end, the bootstrap (which counts towards it) and a rest of 32 bytes, too little for a key, are
 * there all the time: 2 * 288 bytes. The store has room for that and K units, and for less than one more.
 * Blocks come regularly or as a Poisson process; one that finds the store full is lost, because the
 * modules are paused. Everything is as small or slow as makes the model exact: 1 us of latency against
 * 100 ms between requests, status once an hour, keys that do not expire. */
#ifndef QKD_TESTS_STORE_CASE_H
#define QKD_TESTS_STORE_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/batch.h"

enum { STORE_ROWS = 75, STORE_BATCHES = 32 };

struct store_row {
    bool poisson; /* M/M/1/K; else D/M/1/K */
    double rho;   /* units per request */
    uint32_t k;
    double refused; /* share of requests */
};

/* Reads the table; it has STORE_ROWS rows. */
void store_rows_read(struct store_row rows[STORE_ROWS]);

/* Requests after which a store has forgotten its state: the relaxation time of M/M/1/K (Karlin and
 * McGregor's spectrum: 1 / (1 + rho - 2 sqrt(rho) cos(pi / (K + 1)))), twice that for D/M/1/K, the walk of
 * which has half the variance. */
double store_memory(const struct store_row *row);

struct store_run {
    uint64_t seed;
    size_t requests; /* counted; a fifth as many before them fill the store and are not */
};

/* Share of requests refused in a run of the fast world. Ends the test if a rule was broken or if anything
 * but what the model knows was paid for with key. */
struct batch_result store_case(const struct store_row *row, const struct store_run *run);

/* Standard errors between the table and a run, by the run's own batch means. Where refusals are rare (1 %
 * or less, less than 100 clumps of them expected) the batches say too little of their spread: there the
 * error is at least that of clumps at random, 1 / (rho - 1) refusals in each, of geometric number (Aldous,
 * Probability Approximations via the Poisson Clumping Heuristic, 1989, section B). */
double store_off(const struct store_row *row, const struct batch_result *result,
                 const struct store_run *run);

/* Runs a row and prints what came of it. One that is off by more than 3 standard errors (1 of 190, Student
 * with 31 degrees of freedom) is run once more, four times as long and by another seed, and must then
 * agree. Returns how far the first run was off. */
double store_judge(const struct store_row *row, const struct store_run *run);

#endif
