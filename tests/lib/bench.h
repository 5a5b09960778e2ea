/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the benches share: CPU time, a run of a scenario in a process of its own (so that its peak
 * memory is its own), the floor of the machine at this moment, and the rows of the one table that
 * `make bench` prints at its end. */
#ifndef QKD_TESTS_BENCH_H
#define QKD_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double bench_cpu_s(void);

/* A run in the fast world with the oracle on. */
struct bench_run {
    double cpu_s;   /* load, run and free */
    double rss_kib; /* peak of the process, less what an empty process has */
    double sim_s;
    uint64_t events, messages;
    uint64_t total, served, insufficient, pending;
    uint64_t digest;
    uint64_t nodes, links;
};

struct bench_job {
    const char *text;        /* a scenario, or NULL: */
    const char *path;        /* its file */
    const char *const *sets; /* path=value, NULL after the last; NULL: none */
    bool oracle_off;
};

/* False, and a line on stderr, if it does not load, fails or breaks a rule. */
bool bench_run(const struct bench_job *job, struct bench_run *run);

/* What `sh SCRIPT ARGUMENTS` prints; NULL on failure. The caller frees. */
char *bench_script(const char *command);

/* A row of the table: `value` in `unit`, `reference` (a floor measured in the same run, or a figure
 * measured elsewhere: `against` says which), their ratio, and the goal for the ratio or the value.
 * Also printed at once. */
struct bench_row {
    const char *name;
    double value;
    const char *unit;
    double reference;    /* 0: none */
    const char *against; /* "floor", "peer" ... */
    double ratio;        /* as `goal` counts it; 0: none */
    const char *goal;    /* "<= 3", ">= 50" ... or "" */
    bool met;
};
void bench_row(const struct bench_row *row);

/* Met if at least / at most, as a text for `goal`: keeps the last 8 texts. */
const char *bench_goal(const char *sign, double bound);

#endif
