/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with a guaranteed rate, the blocking of which is known: Erlang's B formula and the product
 * form of a chain of two links (tests/data/session_blocking.csv).
 *
 * Topology: A - B - C, controller at A. erlang: sessions A -> C, relayed over both links, each of which
 * has room for c of them: they fill alike. chain: sessions A -> B, B -> C, and A -> C relayed over
 * both. A key of 256 bit costs each link 640 bit between neighbours and 1,488 bit relayed
 * (docs/protocol.md, "Frames at Kx-1"), so that 1,488 bit/s of key here and 640 bit/s there take the
 * same 3,720 bit/s of a link. Sessions ask for no keys: what is admitted is the question. Latencies are
 * 1 us against some 100 ms that a session lasts, so that nothing comes between request and answer. */
#ifndef QKD_TESTS_SESSION_CASE_H
#define QKD_TESTS_SESSION_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/batch.h"

enum { SESSION_ROWS = 18, SESSION_BATCHES = 32 };

struct session_row {
    bool is_chain;
    double load;    /* sessions per mean holding time; chain: of each local stream */
    double through; /* chain: of the stream over both links */
    uint32_t c;     /* sessions that a link has room for */
    double refused; /* share; chain: of local sessions */
    double refused_through;
};

void session_rows_read(struct session_row rows[SESSION_ROWS]);

struct session_run {
    uint64_t seed;
    size_t sessions; /* of the stream of least load, about */
    bool fixed;      /* holding times all alike, else exponential */
    uint32_t room;   /* sessions that links have room for, where not the row's c; 0: that */
};

/* The sessions of least load that a run needs: batches at least ten times as long as the system
 * remembers its state. Two systems that see the same arrivals come together at least as fast as each
 * session that they differ by ends: the memory is at most a holding time, in which `load` arrive. */
size_t session_count(const struct session_row *row);

/* Standard errors between the table and a run in the fast world by the run's own batch means: the most
 * of the row's streams. Ends the test if a rule was broken or if anything was refused for another
 * reason than want of capacity. `squares` sums them up, `streams` counts them; both may be NULL. Where
 * less than 100 refusals are expected, the error is at least that of clumps at random: refusals come in
 * clumps of geometric number, as full links see (1 + load / c) / (1 - load / c). */
double session_case(const struct session_row *row, const struct session_run *run, double *squares,
                    unsigned *streams);

/* Runs a row and prints what came of it. One that is off by more than 3 standard errors (1 of 190,
 * Student with 31 degrees of freedom) is run once more, four times as long and by another seed, and
 * must then agree. Returns whether the first run was off by more than 2. */
bool session_judge(const struct session_row *row, const struct session_run *run, double *squares,
                   unsigned *streams);

#endif
