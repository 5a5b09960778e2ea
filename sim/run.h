/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario is run in a virtual world: what the command line calls. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <signal.h>

#include "scenarios/outcome.h"
#include "scenarios/scenario.h"

/* All zero: as the scenario says. */
struct sim_options {
    bool has_engine; /* take `engine` instead of the scenario's */
    enum scn_engine engine;
    int64_t until_ns;                       /* end earlier than the duration; 0: no */
    const struct scn_sink *sink;            /* where records go; NULL: nowhere */
    const volatile sig_atomic_t *interrupt; /* not zero: end now, cleanly; NULL: never */
    const char *keep_platform;              /* simgrid: keep the platform file under this name */
    bool oracle_off;                        /* for measurements only */
    char *why;                              /* one line when sim_run() fails; NULL: none wanted */
    size_t why_size;                        /* bytes of why */
};

/* Runs to the end, to the first violation of a rule (summary->oracle.violations > 0) or until
 * interrupted (summary->interrupted). Initialises *summary, to be given to scn_summary_fini() in
 * every case; what is known when a run fails is filled in. wall_s, cpu_s and the verdicts of
 * expect: are left to the caller. 0 or an error: QKD_ERR_NOMEM, QKD_ERR_LIMIT and QKD_ERR_STATE
 * (engine: see sim/engine.h), QKD_ERR_IO, or the error of an element's step. The simgrid engine can
 * run once per process. */
int sim_run(const struct scn_scenario *scenario, const struct sim_options *options,
            struct scn_summary *summary);

#endif
