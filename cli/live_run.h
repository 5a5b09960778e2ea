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
    const char *folder;     /* where the deployment is made; contains key afterwards */
    bool force;             /* replace a deployment that is there */
    const char *programs;   /* folder of the daemons' programs; NULL: as emu_fleet_new() */
    int64_t end_ns;         /* run time */
};

/* The time that daemons get to start before run time 0. */
int64_t cli_live_lead_ns(const struct scn_scenario *scenario);

/* Makes the deployment, runs it to the end or Ctrl-C, judges it. Faults that the live world cannot make
 * yet are named on standard error. An exit code. */
int cli_live_run(const struct cli_live_run *run);

#endif
