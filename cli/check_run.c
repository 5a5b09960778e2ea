/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One check: a scenario is loaded, run, judged, and compared with a stored run. */
#include <stdio.h>
#include <stdlib.h>

#include "analysis/expect.h"
#include "analysis/outfile.h"
#include "cli/check.h"
#include "cli/progress.h"
#include "core/base/err.h"
#include "sim/run.h"

#define WHY_SIZE 512

static void load_failed(struct ana_check *check, int err, const struct scn_errors *errors)
{
    char omitted[48];
    char *const nothing[] = {"no memory"};
    if (errors->count == 0) {
        ana_check_add_lines(check, "loads", ANA_ERROR, nothing, 1);
    } else {
        ana_check_add_lines(check, "loads", ANA_ERROR, errors->lines, errors->count);
    }
    if (errors->omitted > 0) {
        snprintf(omitted, sizeof omitted, "... and %zu more", errors->omitted);
        (void)ana_check_add(check, "loads", ANA_ERROR, omitted);
    }
    check->exit_code = err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
}

static bool on_progress(void *ctx, const struct scn_progress *progress)
{
    (void)ctx;
    (void)progress;
    return cli_interrupted != 0;
}

/* How the run came to its end. False: there is nothing to judge. */
static bool end_judge(struct ana_check *check, int err, const char *why,
                      const struct scn_summary *summary)
{
    char text[WHY_SIZE + 64] = "";
    enum ana_verdict verdict = ANA_PASS;
    if (err != QKD_OK) {
        snprintf(text, sizeof text, "the run failed after %.9g s: %s", summary->sim_s,
                 why[0] != '\0' ? why : qkd_err_text(err));
        verdict = ANA_ERROR;
    } else if (summary->oracle.violations > 0) {
        snprintf(text, sizeof text, "a rule was broken after %.9g s", summary->sim_s);
        verdict = ANA_FAIL;
    } else if (summary->interrupted) {
        snprintf(text, sizeof text, "interrupted after %.9g s", summary->sim_s);
        verdict = ANA_ERROR;
    }
    (void)ana_check_add(check, "runs to its end", verdict, text);
    return verdict != ANA_ERROR;
}

/* With the stored run of the same scenario. */
static int compare(const struct cli_check_plan *plan, struct ana_check *check,
                   const struct ana_figures *figures, struct ana_error *error)
{
    struct ana_figures before = {0};
    struct ana_comparison comparison = {0};
    bool found = false;
    int err = ana_baseline_find(plan->baseline, figures, &before, &found, error);
    if (err == QKD_OK && found) {
        err = ana_compare(&before, figures, plan->tolerances, plan->tolerance_count, &comparison);
        if (err != QKD_OK) {
            (void)ana_fail(error, err, "no memory");
        }
    }
    if (err == QKD_OK) {
        ana_check_compared(check, &comparison);
    }
    ana_comparison_fini(&comparison);
    ana_figures_fini(&before);
    return err;
}

static void figures_use(const struct cli_check_plan *plan, struct ana_check *check,
                        const struct scn_scenario *scenario, const struct scn_summary *summary)
{
    struct ana_error error = {""};
    struct ana_figures figures = {0};
    if (ana_figures_take(&figures, scenario, summary, check->topology) != QKD_OK) {
        check->failed = true;
        return;
    }
    if (plan->baseline != NULL && compare(plan, check, &figures, &error) != QKD_OK) {
        (void)ana_check_add(check, "no worse than the baseline", ANA_ERROR, error.text);
    }
    if (plan->keep_figures) {
        check->figures = figures;
    } else {
        ana_figures_fini(&figures);
    }
}

static void run(const struct cli_check_plan *plan, const struct scn_scenario *scenario,
                struct ana_check *check)
{
    char why[WHY_SIZE] = "";
    struct scn_summary summary;
    struct scn_sink sink = {.progress = on_progress};
    struct sim_options options = {.until_ns = plan->until_ns,
                                  .sink = &sink,
                                  .interrupt = &cli_interrupted,
                                  .why = why,
                                  .why_size = sizeof why};
    double began_s = cli_wall_s();
    int err = sim_run(scenario, &options, &summary);
    summary.wall_s = cli_wall_s() - began_s;
    if (end_judge(check, err, why, &summary)) {
        (void)ana_expect_judge(scenario, &summary);
        ana_check_judge(check, scenario, &summary);
        if (summary.oracle.violations == 0 && (plan->baseline != NULL || plan->keep_figures)) {
            figures_use(plan, check, scenario, &summary);
        }
    }
    scn_summary_fini(&summary);
}

/* No report over a file that the scenario names: only now that it is read they are known. */
static bool outputs_check(const struct cli_check_plan *plan, const struct scn_errors *read,
                          struct ana_check *check)
{
    struct ana_error error;
    const struct ana_files files = {(const char *const *)read->sources, read->source_count,
                                    plan->outputs, 3};
    if (ana_outfile_apart(&files, &error) == QKD_OK) {
        return true;
    }
    check->overwrites = true;
    (void)ana_check_add(check, "is not written over", ANA_ERROR, error.text);
    check->exit_code = CLI_BAD_INPUT;
    return false;
}

void cli_check_run(const struct cli_check_plan *plan, const struct cli_check_item *item,
                   struct ana_check *check)
{
    struct scn_sets sets = {plan->sets, plan->set_count};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ana_check_init(check, item->file, item->topology == NULL ? "" : item->topology);
    int err = cli_scenario_load_on(item->file, item->topology, &sets, &scenario, &errors);
    if (err != QKD_OK) {
        load_failed(check, err, &errors);
    }
    if (outputs_check(plan, &errors, check) && err == QKD_OK) {
        run(plan, scenario, check);
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
}
