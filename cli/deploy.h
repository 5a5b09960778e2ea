/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands of the live world share: where deployments are, and what they have in common. */
#ifndef CLI_DEPLOY_H
#define CLI_DEPLOY_H

#include "analysis/json.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "emu/deploy/fleet.h"
#include "emu/deploy/render.h"

/* Reads --base-port. false: complained already. */
bool cli_port_read(const struct cli_command *command, const char *text, uint16_t *port);

/* Appends the members of a daemon to a JSON object that is open: name, listen, status, etsi014. */
void cli_daemon_json(struct ana_json *json, const struct emu_deployed *daemon);

/* Where the deployment of a scenario file is kept when nobody says so: $XDG_RUNTIME_DIR/qkdn/NAME or
 * /tmp/qkdn-UID/NAME, NAME from the file's; the folder above it is made, for us alone. 0, or an exit code
 * after a complaint. */
int cli_deploy_place(const struct cli_command *command, const char *scenario,
                     char folder[EMU_PATH_SIZE]);

/* The deployment that a command is about: `given`, or else the only one that is up in the usual place. 0,
 * or an exit code after a complaint. */
int cli_deploy_find(const struct cli_command *command, const char *given,
                    char folder[EMU_PATH_SIZE]);

/* "2026-11-22T18:00:00Z" */
void cli_instant_text(int64_t ns, char text[32]);

/* The default folder of a scenario, cli_deploy_place(), may hold the deployment of another file of the same
 * name: CLI_BAD_INPUT then, said. And notes whose it is, once it was made. */
int cli_deploy_claim(const struct cli_command *command, const char *scenario, const char *folder);
void cli_deploy_note(const char *scenario, const char *folder);

/* Whether what is about to be rendered could be started here (emu_fleet_check()): asked before anything is made or
 * replaced, so that who mends a clash can say the same line again. What is there already and may not be replaced
 * is for emu_render() to complain about. */
int cli_deploy_check(const struct emu_fleet_options *fleet, const struct emu_render *render,
                     const struct scn_scenario *scenario, struct emu_why *why);

/* The command line of a command with --dir DIR (its option 0) and one flag (its option 1), and the folder that
 * is meant. */
struct cli_look {
    bool flag;
    char folder[EMU_PATH_SIZE];
};

/* Reads it; false: *exit_code is the program's (CLI_DONE after --help). */
bool cli_deploy_look(struct cli_walk *walk, struct cli_look *look, int *exit_code);

#endif
