/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of a run, in whatever world it was: results kept, expectations judged, a table or one JSON
 * object printed, the exit code. */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include "analysis/store.h"
#include "cli/cli.h"
#include "scenarios/outcome.h"

struct cli_outcome {
    const struct cli_command *command; /* who complains */
    const char *output;                /* results database; NULL: none is kept */
    const char *options;               /* JSON of the command's options, kept with the results */
    enum ana_record record;
    bool force, json, quiet;
};

/* Opens the results, if any are wanted (else *store is NULL); an exit code. */
int cli_outcome_open(const struct cli_outcome *outcome, const struct scn_scenario *scenario,
                     struct ana_store **store);

/* After the run: verdicts, results, output. Returns the exit code; frees the store (which may be NULL). */
int cli_outcome_conclude(const struct cli_outcome *outcome, const struct scn_scenario *scenario,
                         struct scn_summary *summary, struct ana_store *store);

#endif
