/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `qkdn fuzz` does with a seed or a file that fails: it looks for a smaller scenario that fails
 * alike, writes it, and says how to see both again. */
#ifndef CLI_FUZZ_FAILURE_H
#define CLI_FUZZ_FAILURE_H

#include "analysis/json.h"
#include "sim/fuzz.h"

enum { CLI_FUZZ_PATH = 4096 };

/* A seed, or a file, that failed. */
struct cli_fuzz_failure {
    uint64_t seed;
    const char *file; /* NULL: a seed */
    struct sim_fuzz_verdict verdict;
    char path[CLI_FUZZ_PATH]; /* of the smaller scenario; "" if there is none */
    uint32_t tried;           /* candidates */
};

/* Where a smaller scenario goes, and how long to look for it. */
struct cli_fuzz_shrink {
    double most_s; /* 0: do not look */
    const char *folder;
    bool force; /* replace files that exist */
};

/* Finds a smaller scenario that fails alike, and writes it. `scenario`: of a file, else NULL. */
void cli_fuzz_failure_shrink(struct cli_fuzz_failure *failure, const struct scn_scenario *scenario,
                             const struct cli_fuzz_shrink *how);

void cli_fuzz_failure_print(const struct cli_fuzz_failure *failure);
void cli_fuzz_failure_json(struct ana_json *json, const struct cli_fuzz_failure *failure);

#endif
