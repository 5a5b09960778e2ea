/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The `qkdn` command: a table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "scenarios/context.h"

static const struct cli_command *const commands[] = {
    &cli_run_command,    &cli_validate_command, &cli_check_command,   &cli_graph_command,
    &cli_trace_command,  &cli_fuzz_command,     &cli_export_command,  &cli_pki_command,
    &cli_render_command, &cli_up_command,       &cli_status_command,  &cli_logs_command,
    &cli_down_command,   &cli_judge_command,    &cli_threats_command,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(void)
{
    puts("qkdn " QKDN_VERSION ": simulate quantum key distribution networks\n\n"
         "usage: qkdn COMMAND [OPTIONS] ...\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        printf("  %-10s %s\n", commands[i]->name, commands[i]->line);
    }
    puts("\n`qkdn COMMAND --help` explains a command, with examples.\n"
         "Exit codes: 0 done; 1 an expectation or invariant failed; 2 bad usage or input;\n"
         "3 failure at run time, or interrupted.");
}

static int unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i]->name;
    }
    const char *near = scn_nearest(name, names, COMMAND_COUNT);
    fprintf(stderr, "qkdn: unknown command '%s'", name);
    if (near != NULL) {
        fprintf(stderr, "; did you mean '%s'?", near);
    }
    fputs("\ntry 'qkdn --help'\n", stderr);
    return CLI_BAD_INPUT;
}

/* Closing standard output shows a full disk behind `qkdn ... > file`. */
static int close_output(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("qkdn: standard output cannot be written\n", stderr);
        return code == CLI_DONE || code == CLI_FAILED ? CLI_BROKEN : code;
    }
    return code;
}

int main(int argc, char **argv)
{
    cli_clock_start();
    /* Writing past a limit is an error to report, not a reason to die. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        fputs("usage: qkdn COMMAND [OPTIONS] ...\ntry 'qkdn --help'\n", stderr);
        return CLI_BAD_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        puts("qkdn " QKDN_VERSION);
        return close_output(CLI_DONE);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return close_output(CLI_DONE);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return close_output(commands[i]->run(argc - 1, argv + 1));
        }
    }
    return unknown_command(name);
}
