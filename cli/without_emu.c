/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In place of the commands of the live world where it is not built (QKDN_WITH_EMU). */
#include <stdio.h>

#include "cli/cli.h"

static const char help[] =
    "this qkdn was built without the live world (QKDN_WITH_EMU, or one of its\n"
    "libraries was not there).\n";

static int absent(int argc, char **argv)
{
    (void)argc;
    fprintf(stderr, "qkdn %s: %s", argv[0], help);
    return CLI_BAD_INPUT;
}

const struct cli_command cli_pki_command = {"pki", absent,
                                            "certificates for tests of the live world", help};
const struct cli_command cli_render_command = {
    "render", absent, "write configurations, secrets and start scripts of the live world", help};
const struct cli_command cli_judge_command = {"judge", absent,
                                              "results of a live network from its flight records",
                                              help};
const struct cli_command cli_up_command = {"up", absent,
                                           "start all daemons of a network on this machine", help};
const struct cli_command cli_status_command = {
    "status", absent, "which daemons of a network run, and which are ready", help};
const struct cli_command cli_logs_command = {"logs", absent,
                                             "log lines of the daemons of a network", help};
const struct cli_command cli_down_command = {"down", absent, "end the daemons of a network", help};
