/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options that change a scenario before it runs: see cli/choices.h. */
#include "cli/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "core/base/err.h"
#include "scenarios/quantity.h"

int cli_choices_init(struct cli_choices *choices, int argc)
{
    *choices = (struct cli_choices){.sets = calloc((size_t)argc + 3, sizeof *choices->sets)};
    return choices->sets == NULL ? QKD_ERR_NOMEM : QKD_OK;
}

void cli_choices_fini(struct cli_choices *choices)
{
    free(choices->sets);
    *choices = (struct cli_choices){0};
}

bool cli_choose_engine(struct cli_choices *choices, const struct cli_command *command,
                       const char *value)
{
    if (strcmp(value, "fast") != 0 && strcmp(value, "simgrid") != 0) {
        cli_usage(command, "--engine '%s': expected fast or simgrid", value);
        return false;
    }
    choices->engine = value;
    return true;
}

bool cli_choose_seed(struct cli_choices *choices, const struct cli_command *command,
                     const char *value)
{
    uint64_t number;
    if (!cli_uint(value, &number)) {
        cli_usage(command, "--seed '%s': expected a whole number of at most 64 bits", value);
        return false;
    }
    choices->seed = value;
    return true;
}

bool cli_choose_until(struct cli_choices *choices, const struct cli_command *command,
                      const char *value)
{
    const char *wrong = scn_integer_parse(SCN_DIM_TIME, value, &choices->until_ns);
    if (wrong != NULL || choices->until_ns <= 0) {
        cli_usage(command, "--until '%s': expected a time such as '10 min'", value);
        return false;
    }
    choices->until = value;
    return true;
}

bool cli_choose_record(enum ana_record *record, const struct cli_command *command,
                       const char *value)
{
    if (!ana_record_parse(value, record)) {
        cli_usage(command, "--record '%s': expected summary, requests or full", value);
        return false;
    }
    return true;
}

void cli_choose_set(struct cli_choices *choices, const char *value)
{
    choices->sets[choices->set_count++] = value;
}

void cli_choices_complete(struct cli_choices *choices)
{
    if (choices->engine != NULL) {
        snprintf(choices->engine_set, CLI_SET_SIZE, "engine=%s", choices->engine);
        cli_choose_set(choices, choices->engine_set);
    }
    if (choices->seed != NULL) {
        snprintf(choices->seed_set, CLI_SET_SIZE, "seed=%s", choices->seed);
        cli_choose_set(choices, choices->seed_set);
    }
}
