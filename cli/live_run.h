/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn up --run`: a scenario in real time with real daemons, judged as a simulated one is. */
#ifndef CLI_LIVE_RUN_H
#define CLI_LIVE_RUN_H

#include "cli/outcome.h"
#include "emu/deploy/deployment.h"

struct cli_live_run {
    const struct cli_outcome *outcome;
    const struct scn_scenario *scenario;
    struct emu_hosts hosts; /* all on this machine */
    const char *folder;     /* where the deployment is made */
    bool force;             /* replace a deployment that is there */
    const char *programs;   /* folder of the daemons' programs; NULL: as emu_fleet_new() */
    int64_t lead_ns;        /* from the start of the daemons to time 0; 0: cli_live_lead_ns() */
    bool keep;              /* the flight records, though they contain key */
    int64_t end_ns;         /* run time */
};

/* Whether the live world can have this network; complains where it cannot. */
bool cli_live_able(const struct cli_command *self, const struct scn_scenario *scenario);

/* Whether it can have its attackers; where each stands is for `qkdn up` alone, without --run at A1 too. */
bool cli_live_attackers_able(const struct cli_command *self, const struct scn_scenario *scenario,
                             bool run);

/* The time that daemons get to start before run time 0. */
int64_t cli_live_lead_ns(const struct scn_scenario *scenario);

/* Makes the deployment, runs it to the end or Ctrl-C, judges it, wipes the flight records. If the live world
 * cannot make a fault of the scenario, each is named and nothing is run: CLI_BAD_INPUT. An exit code. */
int cli_live_run(const struct cli_live_run *run);

#endif
