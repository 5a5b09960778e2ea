/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress line, signals and clocks of a run. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/text.h"
#include "cli/cli.h"

#define LINE_EVERY_S 0.2

volatile sig_atomic_t cli_interrupted;

static struct {
    struct timespec began; /* the process */
    double run_s;          /* wall time when the run began */
    double last_line_s;    /* and when the line was drawn last */
    int64_t end_ns;
    bool shown, drawn;
    struct ana_store *store;
} state;

static void on_signal(int number)
{
    (void)number;
    if (cli_interrupted) {
        _exit(CLI_BROKEN);
    }
    cli_interrupted = 1;
}

void cli_signals_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void cli_clock_start(void)
{
    (void)clock_gettime(CLOCK_MONOTONIC, &state.began);
}

/* In whole microseconds, so that it prints in few digits. */
static double seconds(int64_t s, int64_t ns)
{
    int64_t us = s * 1000000 + ns / 1000;
    return (double)us / 1e6;
}

double cli_wall_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return seconds(now.tv_sec - state.began.tv_sec, now.tv_nsec - state.began.tv_nsec);
}

double cli_cpu_s(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return seconds(used.tv_sec, used.tv_nsec);
}

void cli_progress_begin(int64_t end_ns, bool quiet, struct ana_store *store)
{
    state.run_s = cli_wall_s();
    state.last_line_s = state.run_s;
    state.end_ns = end_ns;
    state.shown = !quiet && isatty(STDERR_FILENO) == 1;
    state.drawn = false;
    state.store = store;
}

static void draw(const struct scn_progress *progress, double wall_s)
{
    char now[ANA_TEXT_SIZE], end[ANA_TEXT_SIZE], left[ANA_TEXT_SIZE];
    double done = (double)progress->now_ns / (double)state.end_ns;
    double sim_s = (double)progress->now_ns * 1e-9;
    double left_s = done > 0 ? wall_s * (1 - done) / done : 0;
    fprintf(stderr, "\r\033[K%3.0f %%  %s of %s  %.3g x real time  %s left  %" PRIu64 " requests",
            100 * done, ana_seconds_text(sim_s, now),
            ana_seconds_text((double)state.end_ns * 1e-9, end), sim_s / wall_s,
            ana_seconds_text(left_s, left), progress->requests_ended);
    fflush(stderr);
    state.drawn = true;
}

bool cli_progress(void *ctx, const struct scn_progress *progress)
{
    (void)ctx;
    if (state.shown) {
        double wall_s = cli_wall_s();
        if (wall_s - state.last_line_s >= LINE_EVERY_S) {
            state.last_line_s = wall_s;
            draw(progress, wall_s - state.run_s);
        }
    }
    bool store_failed = state.store != NULL && !ana_store_tick(state.store);
    return store_failed || cli_interrupted;
}

void cli_progress_end(void)
{
    if (state.drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        state.drawn = false;
    }
}
