/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn judge`: what the flight records of a live network say: results, rules, expectations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/choices.h"
#include "cli/judge.h"
#include "cli/options.h"
#include "core/base/err.h"
#include "emu/deploy/config.h"

enum { OPT_OUTPUT, OPT_FORCE, OPT_RECORD, OPT_UNTIL, OPT_JSON, OPT_QUIET };

static const struct cli_option options[] = {{"-o", true},       {"--force", false},
                                            {"--record", true}, {"--until", true},
                                            {"--json", false},  {"--quiet", false},
                                            {NULL, false}};

static const struct cli_command *const self = &cli_judge_command;

struct settings {
    const char *folder;
    struct cli_choices choices;
    struct cli_outcome outcome;
};

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_OUTPUT:
        settings->outcome.output = value;
        return true;
    case OPT_FORCE:
        settings->outcome.force = true;
        return true;
    case OPT_JSON:
        settings->outcome.json = true;
        return true;
    case OPT_QUIET:
        settings->outcome.quiet = true;
        return true;
    case OPT_UNTIL:
        return cli_choose_until(&settings->choices, self, value);
    case CLI_ARGUMENT:
        if (settings->folder != NULL) {
            cli_usage(self, "one folder at a time, not also '%s'", value);
            return false;
        }
        settings->folder = value;
        return true;
    default: /* OPT_RECORD */
        return cli_choose_record(&settings->outcome.record, self, value);
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    if (settings->folder == NULL) {
        cli_usage(self, "the folder of which network?");
        return false;
    }
    return true;
}

/* The configuration of the first daemon tells the scenario and when the run began. */
static int config_load(const char *folder, const struct emu_deployment *deployment,
                       struct emu_config **config)
{
    char path[EMU_FILE_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s/daemon.yaml", folder, deployment->daemons[0].folder);
    struct scn_errors errors;
    int err = emu_config_load(path, config, &errors);
    if (err != 0) {
        cli_errors_print(&errors);
    } else if ((*config)->epoch_ns == EMU_EPOCH_NONE || (*config)->flight[0] == '\0') {
        cli_complain(self, "%s: keeps no flight record (see qkdn render --run)", path);
        err = QKD_ERR_INVALID;
    }
    scn_errors_fini(&errors);
    return err;
}

static int judge(const struct settings *settings, const struct emu_deployment *deployment,
                 const struct emu_config *config)
{
    int64_t end_ns = config->scenario->duration_ns;
    if (settings->choices.until_ns > 0 && settings->choices.until_ns < end_ns) {
        end_ns = settings->choices.until_ns;
    }
    struct cli_judge what = {.outcome = &settings->outcome,
                             .scenario = config->scenario,
                             .folder = settings->folder,
                             .deployment = deployment,
                             .epoch_ns = config->epoch_ns,
                             .end_ns = end_ns};
    return cli_judge_run(&what);
}

static int run(int argc, char **argv)
{
    int exit_code = CLI_BROKEN;
    struct settings settings = {.outcome = {.command = self, .record = ANA_RECORD_REQUESTS}};
    if (!settings_read(&settings, argc, argv, &exit_code)) {
        return exit_code;
    }
    struct emu_deployment *deployment = NULL;
    struct emu_config *config = NULL;
    struct emu_why why;
    int err = emu_deployment_read(settings.folder, &deployment, &why);
    if (err != 0) {
        cli_complain(self, "%s", why.text);
        exit_code = err == QKD_ERR_NOMEM || err == QKD_ERR_IO ? CLI_BROKEN : CLI_BAD_INPUT;
    } else {
        err = config_load(settings.folder, deployment, &config);
        exit_code = err == 0 ? judge(&settings, deployment, config) : cli_exit_of(err);
    }
    emu_config_free(config);
    emu_deployment_free(deployment);
    return exit_code;
}

const struct cli_command cli_judge_command = {
    "judge", run, "results of a live network from its flight records",
    "usage: qkdn judge FOLDER [OPTIONS]\n\n"
    "Shows the flight records of all daemons of a deployment (qkdn render --run) to the oracle "
    "and\n"
    "the statistics that watch simulated networks, keeps the results, judges what the scenario\n"
    "expects. The records must be of one machine and boot, else their instants do not compare.\n\n"
    "  -o FILE         keep the results in this SQLite database\n"
    "  --force         replace a file that exists\n"
    "  --record LEVEL  how much -o keeps: summary; requests (default); full (also every hop, the\n"
    "                  life of every key and the messages of every request)\n"
    "  --until TIME    look no further than this instant of the run, such as '10 min'\n"
    "  --json          print one JSON object instead of the table\n"
    "  --quiet         print nothing but errors\n"
    "  --help          this text\n\n"
    "example:\n"
    "  qkdn judge net -o net.db --record full\n\n"
    "exit codes: 0 done; 1 an expectation or a rule failed; 2 bad usage or input; 3 a record is\n"
    "damaged or results cannot be written\n"};
