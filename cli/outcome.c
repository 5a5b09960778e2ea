/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every command does after a run. */
#include "cli/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/expect.h"
#include "analysis/summary.h"
#include "cli/progress.h"
#include "core/base/err.h"

int cli_outcome_open(const struct cli_outcome *outcome, const struct scn_scenario *scenario,
                     struct ana_store **store)
{
    *store = NULL;
    if (outcome->output == NULL) {
        return CLI_DONE;
    }
    struct ana_error error;
    struct ana_store_options options = {outcome->output, outcome->force, outcome->record,
                                        outcome->options};
    int err = ana_store_open(&options, scenario, store, &error);
    if (err != QKD_OK) {
        cli_complain(outcome->command, "%s", error.text);
    }
    return cli_exit_of(err);
}

/* Failed expectations and violations go to standard error in every mode. */
static void failures_print(const struct cli_outcome *outcome, const struct scn_scenario *scenario,
                           const struct scn_summary *summary)
{
    if (summary->oracle.violations > 0) {
        cli_complain(outcome->command,
                     "a rule was violated at event %" PRIu64 " with seed %" PRIu64 ": %s",
                     summary->oracle.first_event, summary->seed, summary->oracle.first);
    }
    for (size_t i = 0; i < summary->verdict_count; i++) {
        if (!summary->verdicts[i].pass) {
            char value[32] = "no value";
            if (summary->verdicts[i].value == summary->verdicts[i].value) {
                snprintf(value, sizeof value, "%.9g", summary->verdicts[i].value);
            }
            cli_complain(outcome->command, "expectation failed: %s (is %s)",
                         scenario->expects[i].text, value);
        }
    }
}

/* `results` is where they were kept, NULL if nowhere. */
static int result_print(const struct cli_outcome *outcome, const struct scn_scenario *scenario,
                        const struct scn_summary *summary, const char *results)
{
    if (outcome->json) {
        char *json = ana_summary_json(scenario, summary);
        if (json == NULL) {
            cli_complain(outcome->command, "no memory for the summary");
            return CLI_BROKEN;
        }
        puts(json);
        free(json);
    } else if (!outcome->quiet) {
        ana_summary_print(scenario, summary, stdout);
        if (results != NULL) {
            printf("Results in %s\n", results);
        }
    }
    return CLI_DONE;
}

int cli_outcome_conclude(const struct cli_outcome *outcome, const struct scn_scenario *scenario,
                         struct scn_summary *summary, struct ana_store *store)
{
    int exit_code = CLI_DONE;
    if (ana_expect_judge(scenario, summary) > 0 || summary->oracle.violations > 0) {
        exit_code = CLI_FAILED;
    }
    if (summary->interrupted && summary->oracle.violations == 0) {
        exit_code = CLI_BROKEN;
    }
    summary->wall_s = cli_wall_s();
    summary->cpu_s = cli_cpu_s();
    struct ana_error error;
    const char *results = outcome->output;
    if (store != NULL) {
        bool kept = ana_store_kept(store);
        if (ana_store_finish(store, summary, &error) != QKD_OK) {
            cli_complain(outcome->command, "%s", error.text);
            exit_code = CLI_BROKEN;
            results = kept ? results : NULL;
        }
    }
    summary->wall_s = cli_wall_s();
    summary->cpu_s = cli_cpu_s();
    failures_print(outcome, scenario, summary);
    int printed = result_print(outcome, scenario, summary, results);
    return printed == CLI_DONE ? exit_code : printed;
}
