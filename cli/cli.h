/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The `qkdn` command: what its subcommands share. Each subcommand is one file and one entry of the
 * table in main.c. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "scenarios/scenario.h"

/* Exit codes of every subcommand. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,    /* an expectation or an invariant does not hold */
    CLI_BAD_INPUT = 2, /* bad usage, bad or missing input */
    CLI_BROKEN = 3     /* failure at run time, or interrupted */
};

struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name; returns the exit code */
    const char *line;                  /* of `qkdn --help` */
    const char *help;                  /* of `qkdn NAME --help` */
};

extern const struct cli_command cli_run_command;
extern const struct cli_command cli_validate_command;
extern const struct cli_command cli_check_command;
extern const struct cli_command cli_graph_command;
extern const struct cli_command cli_trace_command;
extern const struct cli_command cli_fuzz_command;
extern const struct cli_command cli_export_command;
extern const struct cli_command cli_pki_command;
extern const struct cli_command cli_render_command;
extern const struct cli_command cli_up_command;
extern const struct cli_command cli_status_command;
extern const struct cli_command cli_logs_command;
extern const struct cli_command cli_down_command;
extern const struct cli_command cli_judge_command;
extern const struct cli_command cli_threats_command;

/* "qkdn run: text" on standard error, as printf; and with "try qkdn run --help" below, for usage. */
void cli_complain(const struct cli_command *command, const char *format, ...);
int cli_usage(const struct cli_command *command, const char *format, ...); /* CLI_BAD_INPUT */

/* The exit code for an error code of a library call. */
int cli_exit_of(int err);

/* Reads a scenario and checks its expectations. 0, or what scn_load gives, with the lines of what is
 * wrong in *errors (to be given to scn_errors_fini in every case). */
int cli_scenario_load(const char *path, const struct scn_sets *sets, struct scn_scenario **out,
                      struct scn_errors *errors);

/* The same with the network of another file, see scn_load_on(); NULL: its own. */
int cli_scenario_load_on(const char *path, const char *network, const struct scn_sets *sets,
                         struct scn_scenario **out, struct scn_errors *errors);

/* Prints the lines of what is wrong on standard error. */
void cli_errors_print(const struct scn_errors *errors);

#endif
