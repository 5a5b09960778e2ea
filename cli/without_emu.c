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
