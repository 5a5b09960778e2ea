/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands of the live world share: where deployments are, and what they have in common. */
#ifndef CLI_DEPLOY_H
#define CLI_DEPLOY_H

#include "analysis/json.h"
#include "cli/cli.h"
#include "emu/deployment.h"

/* Reads --base-port. false: complained already. */
bool cli_port_read(const struct cli_command *command, const char *text, uint16_t *port);

/* Appends the members of a daemon to a JSON object that is open: name, listen, status, etsi014. */
void cli_daemon_json(struct ana_json *json, const struct emu_deployed *daemon);

#endif
