/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn run`: simulates a scenario, keeps its results, judges its expectations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/json.h"
#include "analysis/outfile.h"
#include "analysis/store.h"
#include "cli/choices.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/outcome.h"
#include "cli/progress.h"
#include "core/base/err.h"
#include "sim/run.h"

enum {
    OPT_OUTPUT,
    OPT_FORCE,
    OPT_RECORD,
    OPT_ENGINE,
    OPT_SEED,
    OPT_UNTIL,
    OPT_SET,
    OPT_JSON,
    OPT_QUIET,
    OPT_KEEP_PLATFORM
};

static const struct cli_option options[] = {
    {"-o", true},       {"--force", false},        {"--record", true}, {"--engine", true},
    {"--seed", true},   {"--until", true},         {"--set", true},    {"--json", false},
    {"--quiet", false}, {"--keep-platform", true}, {NULL, false}};

#define WHY_SIZE 512

struct settings {
    const char *input, *output, *keep_platform;
    struct cli_choices choices;
    enum ana_record record;
    bool force, json, quiet;
};

static const struct cli_command *const self = &cli_run_command;

/* ---- the command line ---- */

static bool value_read(struct settings *settings, int option, const char *value)
{
    switch (option) {
    case OPT_RECORD:
        return cli_choose_record(&settings->record, self, value);
    case OPT_ENGINE:
        return cli_choose_engine(&settings->choices, self, value);
    case OPT_SEED:
        return cli_choose_seed(&settings->choices, self, value);
    default: /* OPT_UNTIL */
        return cli_choose_until(&settings->choices, self, value);
    }
}

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_OUTPUT:
        settings->output = value;
        return true;
    case OPT_FORCE:
        settings->force = true;
        return true;
    case OPT_SET:
        cli_choose_set(&settings->choices, value);
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_QUIET:
        settings->quiet = true;
        return true;
    case OPT_KEEP_PLATFORM:
        settings->keep_platform = value;
        return true;
    case CLI_ARGUMENT:
        if (settings->input != NULL) {
            cli_usage(self, "one scenario at a time, not also '%s'", value);
            return false;
        }
        settings->input = value;
        return true;
    default:
        return value_read(settings, option, value);
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    if (settings->input == NULL) {
        cli_usage(self, "which scenario file?");
        return false;
    }
    cli_choices_complete(&settings->choices);
    return true;
}

/* The options as they are kept with the results. */
static char *options_json(const struct settings *settings)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_INLINE);
    ana_json_string(&json, "file", settings->input);
    ana_json_string(&json, "engine", settings->choices.engine);
    ana_json_string(&json, "seed", settings->choices.seed);
    ana_json_string(&json, "until", settings->choices.until);
    ana_json_array(&json, "set", ANA_JSON_INLINE);
    for (size_t i = 0; i < settings->choices.set_count; i++) {
        ana_json_string(&json, NULL, settings->choices.sets[i]);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    return json.text; /* NULL without memory: the store then notes no options */
}

/* ---- the run ---- */

/* No output over the scenario, what it names, or the other output. */
static int outputs_check(const struct settings *settings, const struct scn_errors *read)
{
    struct ana_error error;
    const char *const outputs[] = {settings->output, settings->keep_platform};
    const struct ana_files files = {(const char *const *)read->sources, read->source_count, outputs,
                                    2};
    int err = ana_outfile_apart(&files, &error);
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    return cli_exit_of(err);
}

/* A file of the user's is not overwritten by mistake. */
static int platform_check(const struct settings *settings)
{
    const char *path = settings->keep_platform;
    if (path == NULL) {
        return CLI_DONE;
    }
    struct ana_error error;
    int err = ana_outfile_check(path, settings->force, &error);
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    return cli_exit_of(err);
}

static int scenario_run(const struct settings *settings, const struct cli_outcome *outcome,
                        const struct scn_scenario *scenario, struct ana_store *store)
{
    char why[WHY_SIZE] = "";
    struct scn_summary summary;
    struct scn_sink sink = {.progress = cli_progress};
    int64_t end_ns = scenario->duration_ns;
    if (settings->choices.until_ns > 0 && settings->choices.until_ns < end_ns) {
        end_ns = settings->choices.until_ns;
    }
    struct sim_options sim = {.until_ns = settings->choices.until_ns,
                              .sink = &sink,
                              .interrupt = &cli_interrupted,
                              .keep_platform = settings->keep_platform,
                              .why = why,
                              .why_size = sizeof why};
    if (store != NULL) {
        ana_store_sink(store, &sink);
    }
    cli_progress_begin(end_ns, settings->quiet, store);
    cli_signals_catch();
    int err = sim_run(scenario, &sim, &summary);
    cli_progress_end();
    int exit_code;
    if (err != QKD_OK && summary.events == 0) {
        cli_complain(self, "%s", why[0] != '\0' ? why : qkd_err_text(err));
        if (store != NULL) {
            ana_store_abandon(store);
        }
        exit_code = CLI_BROKEN;
    } else {
        if (err != QKD_OK) {
            summary.interrupted = true;
            cli_complain(self, "the run ended early: %s", why[0] != '\0' ? why : qkd_err_text(err));
        }
        exit_code = cli_outcome_conclude(outcome, scenario, &summary, store);
        exit_code = err != QKD_OK ? CLI_BROKEN : exit_code;
    }
    scn_summary_fini(&summary);
    return exit_code;
}

static int keep_and_run(const struct settings *settings, const struct scn_scenario *scenario)
{
    char *json = options_json(settings);
    struct cli_outcome outcome = {
        self,           settings->output, json, settings->record, settings->force,
        settings->json, settings->quiet};
    struct ana_store *store = NULL;
    int exit_code = cli_outcome_open(&outcome, scenario, &store);
    if (exit_code == CLI_DONE) {
        exit_code = scenario_run(settings, &outcome, scenario, store);
    }
    free(json);
    return exit_code;
}

static int load_and_run(const struct settings *settings)
{
    struct scn_sets sets = {settings->choices.sets, settings->choices.set_count};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int exit_code;
    int err = cli_scenario_load(settings->input, &sets, &scenario, &errors);
    if (err != QKD_OK) {
        cli_errors_print(&errors);
        exit_code = err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
    } else {
        exit_code = outputs_check(settings, &errors);
        if (exit_code == CLI_DONE) {
            exit_code = platform_check(settings);
        }
        if (exit_code == CLI_DONE) {
            exit_code = keep_and_run(settings, scenario);
        }
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
    return exit_code;
}

static int run(int argc, char **argv)
{
    int exit_code = CLI_BROKEN;
    struct settings settings = {.record = ANA_RECORD_REQUESTS};
    if (cli_choices_init(&settings.choices, argc) != 0) {
        cli_complain(self, "no memory");
    } else if (settings_read(&settings, argc, argv, &exit_code)) {
        exit_code = load_and_run(&settings);
    }
    cli_choices_fini(&settings.choices);
    return exit_code;
}

const struct cli_command cli_run_command = {
    "run", run, "simulate a scenario",
    "usage: qkdn run SCENARIO.yaml [OPTIONS]\n\n"
    "Simulates the network of a scenario with real key managers, controller and manager, and "
    "prints\n"
    "what was served, what was not and why.\n\n"
    "  -o FILE             keep the results in this SQLite database\n"
    "  --force             replace files that exist\n"
    "  --record LEVEL      how much -o keeps: summary; requests (default: also every request and\n"
    "                      pool samples); full (also every hop, the life of every key and\n"
    "                      the messages of every request)\n"
    "  --engine ENGINE     fast or simgrid, instead of the scenario's\n"
    "  --seed N            instead of the scenario's\n"
    "  --until TIME        end at this simulated time, such as '10 min'\n"
    "  --set PATH=VALUE    change a value of the scenario; may be repeated\n"
    "  --keep-platform F   keep the platform file of the simgrid engine\n"
    "  --json              print one JSON object instead of the table\n"
    "  --quiet             print nothing but errors\n"
    "  --help              this text\n\n"
    "Ctrl-C ends the run and keeps what it has so far; a second one ends at once.\n\n"
    "examples:\n"
    "  qkdn run scenarios/line-3.yaml\n"
    "  qkdn run scenarios/line-3.yaml --engine fast --seed 7 -o line-3.db --record full\n"
    "  qkdn run scenarios/line-3.yaml --set 'applications[video].rate=10 /s' --json\n\n"
    "exit codes: 0 done; 1 an expectation or a rule failed; 2 bad usage or input; 3 failure at "
    "run\n"
    "time, or interrupted (results so far are kept and say so)\n"};
