/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options of a command line: --name, --name VALUE, --name=VALUE, -o VALUE, -oVALUE, in any order
 * with the other arguments; after -- everything is an argument. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "cli/cli.h"

struct cli_option {
    const char *name; /* as typed: "--json", "-o"; NULL ends the list */
    bool has_value;
};

enum { CLI_ARGUMENT = -1, CLI_END = -2, CLI_BAD = -3, CLI_HELP = -4 };

/* Walks over a command line; fill the first four members. */
struct cli_walk {
    const struct cli_command *command;
    const struct cli_option *options;
    int argc;
    char **argv;
    int next;     /* argv index; starts at 0, the subcommand's name */
    bool literal; /* after -- */
    const char *value;
};

/* The number of the next option in `options`, CLI_ARGUMENT (either way walk->value is set if there
 * is a value), CLI_HELP for --help (printed already), CLI_BAD (complained already) or CLI_END. */
int cli_next(struct cli_walk *walk);

/* Takes one option, or an argument (CLI_ARGUMENT); false: complained already. */
typedef bool cli_take(void *ctx, int option, const char *value);

/* Hands all of a command line over. False: --help was printed (*exit_code is CLI_DONE), or something is
 * wrong, said already. *exit_code is CLI_BAD_INPUT otherwise, for what the caller finds wrong. */
bool cli_take_all(struct cli_walk *walk, cli_take *take, void *ctx, int *exit_code);

/* Whole text as a decimal number of 64 bits. */
bool cli_uint(const char *text, uint64_t *value);

#endif
