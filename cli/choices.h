/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a command line changes of a scenario before it runs: --engine, --seed, --until and --set, the
 * same in `qkdn run` and `qkdn check`. */
#ifndef CLI_CHOICES_H
#define CLI_CHOICES_H

#include "analysis/store.h"
#include "cli/cli.h"

#define CLI_SET_SIZE 80

struct cli_choices {
    const char *engine, *seed, *until; /* as typed; NULL: not given */
    int64_t until_ns;                  /* 0: no */
    const char **sets;                 /* "path=value"; --engine and --seed at the end */
    size_t set_count;
    char engine_set[CLI_SET_SIZE], seed_set[CLI_SET_SIZE];
};

/* Room for the sets of a command line of so many arguments; 0 or QKD_ERR_NOMEM. */
int cli_choices_init(struct cli_choices *choices, int argc);
void cli_choices_fini(struct cli_choices *choices);

/* One option each; false: complained already. */
bool cli_choose_engine(struct cli_choices *choices, const struct cli_command *command,
                       const char *value);
bool cli_choose_seed(struct cli_choices *choices, const struct cli_command *command,
                     const char *value);
bool cli_choose_until(struct cli_choices *choices, const struct cli_command *command,
                      const char *value);
void cli_choose_set(struct cli_choices *choices, const char *value);

/* --record LEVEL. */
bool cli_choose_record(enum ana_record *record, const struct cli_command *command,
                       const char *value);

/* After the last option: engine and seed are sets, so that the resolved scenario tells what was run. */
void cli_choices_complete(struct cli_choices *choices);

#endif
