/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A live run judged from the flight records in its directory (emu/flight/replay.h), and its results kept as
 * those of a virtual world are. */
#ifndef CLI_JUDGE_H
#define CLI_JUDGE_H

#include "cli/outcome.h"
#include "emu/deploy/deployment.h"

struct cli_judge {
    const struct cli_outcome *outcome;
    const struct scn_scenario *scenario;
    const char *folder; /* of the deployment */
    const struct emu_deployment *deployment;
    int64_t epoch_ns; /* UTC of the run's time 0 */
    int64_t end_ns;   /* run time */
    bool interrupted;
};

/* The exit code of the run. */
int cli_judge_run(const struct cli_judge *judge);

#endif
