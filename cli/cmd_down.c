/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn down`: ends a deployment that is up. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "cli/deploy.h"
#include "cli/options.h"
#include "core/base/err.h"

#define LIMIT_MS 30000
#define STEP_MS 20

static const struct cli_option options[] = {{"--dir", true}, {"--quiet", false}, {NULL, false}};

static const struct cli_command *const self = &cli_down_command;

/* Asks the process that runs it to end it, and waits for that. */
static int end(const char *folder, bool quiet)
{
    struct emu_fleet_state state;
    struct emu_why why;
    int err = emu_fleet_look(folder, &state, &why);
    pid_t pid = state.pid;
    emu_fleet_state_fini(&state);
    if (err != QKD_OK || pid == 0) {
        cli_complain(self, "%s%s", err != QKD_OK ? why.text : folder,
                     err != QKD_OK ? "" : " is not up");
        return err != QKD_OK ? cli_exit_of(err) : CLI_BAD_INPUT;
    }
    if (kill(pid, SIGTERM) != 0) {
        cli_complain(self, "process %ld, which runs %s, cannot be ended by us", (long)pid, folder);
        return CLI_BROKEN;
    }
    for (int waited = 0; waited < LIMIT_MS; waited += STEP_MS) {
        err = emu_fleet_look(folder, &state, NULL);
        bool gone = err == QKD_OK && state.pid != pid;
        emu_fleet_state_fini(&state);
        if (gone) {
            if (!quiet) {
                printf("%s is down\n", folder);
            }
            return CLI_DONE;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    cli_complain(self, "%s: process %ld has not ended in %d s", folder, (long)pid, LIMIT_MS / 1000);
    return CLI_BROKEN;
}

static int run(int argc, char **argv)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    struct cli_look look;
    int exit_code;
    return cli_deploy_look(&walk, &look, &exit_code) ? end(look.folder, look.flag) : exit_code;
}

const struct cli_command cli_down_command = {
    "down", run, "end the daemons of a network",
    "usage: qkdn down [--dir DIR] [--quiet]\n\n"
    "Ends the daemons that `qkdn up` started, and waits until all have ended. Their key stores\n"
    "and logs stay.\n\n"
    "  --dir DIR  the deployment; default: the only one that is up in the usual place\n"
    "             ($XDG_RUNTIME_DIR/qkdn or /tmp/qkdn-UID)\n"
    "  --quiet    print nothing but errors\n"
    "  --help     this text\n\n"
    "examples:\n"
    "  qkdn up scenarios/line-3.yaml --detach && qkdn status && qkdn down\n\n"
    "exit codes: 0 all have ended; 2 bad usage, nothing is up; 3 it did not end\n"};
