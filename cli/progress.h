/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens beside a run: the progress line on a terminal, Ctrl-C, the clock of the process. One
 * run at a time; its state is the process's, because signals are. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "analysis/store.h"
#include "scenarios/outcome.h"

/* Not zero after the first Ctrl-C or SIGTERM; the second ends the process at once (exit code 3). */
extern volatile sig_atomic_t cli_interrupted;
void cli_signals_catch(void);

/* Starts the line for a run of `end_ns` simulated time; shown if standard error is a terminal and
 * quiet is false. store may be NULL. */
void cli_progress_begin(int64_t end_ns, bool quiet, struct ana_store *store);

/* The sink's callback (ctx is not used): true if the run should end. */
bool cli_progress(void *ctx, const struct scn_progress *progress);

/* Removes the line. */
void cli_progress_end(void);

/* Starts the wall clock; first thing in main(). */
void cli_clock_start(void);

/* Wall time since the clock's start, CPU time of the process; seconds. */
double cli_wall_s(void);
double cli_cpu_s(void);

#endif
