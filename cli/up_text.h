/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `qkdn up` prints. */
#ifndef CLI_UP_TEXT_H
#define CLI_UP_TEXT_H

#include "cli/cli.h"
#include "emu/deploy/fleet.h"
#include "emu/deploy/probe.h"

/* A fleet that is ready. */
struct cli_up {
    const struct emu_fleet *fleet;
    const struct scn_scenario *scenario;
    const char *folder;
    int64_t took_ms;
    bool detached;
};

/* Where everything is, and an example that gets keys; as text or as one JSON object. */
void cli_up_table(const struct cli_up *up);
void cli_up_json(const struct cli_up *up);

/* Says on standard error what has happened to a daemon; the last lines of its log if it has ended. */
void cli_up_event(const struct cli_command *command, const struct emu_fleet *fleet,
                  const struct emu_fleet_event *event);

/* Lists on standard error what the daemons that are not ready lack. */
void cli_up_missing(const struct emu_fleet *fleet);

#endif
