/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A live run judged afterwards: the flight records of all its daemons are merged by time and shown to
 * the same oracle, statistics and recorder (room watch) that watch the virtual worlds. Entries of a
 * batch count when its COMMIT is there; a batch that a kill cut off counts as far as the next START's
 * records show that the store had it. */
#ifndef EMU_REPLAY_H
#define EMU_REPLAY_H

#include "emu/base/why.h"
#include "host/plan.h"
#include "scenarios/outcome.h"

struct emu_replay {
    const struct host_plan *plan;
    const char *const *flights; /* files, one per daemon */
    size_t flight_count;
    int64_t epoch_ns; /* UTC of the run's time 0 */
    int64_t end_ns;   /* what happened later than this (run time) is not looked at */
    struct scn_sink sink;
    void *ctx; /* of bootstrap */
    /* The initial secret of a link, as its key managers had it. */
    void (*bootstrap)(void *ctx, uint32_t link, uint8_t *to, size_t len);
};

/* Judges the run and fills the summary (to be given to scn_summary_fini() in every case); wall_s, cpu_s and
 * the verdicts of `expect:` are the caller's. 0; QKD_ERR_IO, QKD_ERR_FORMAT (a record), QKD_ERR_NOMEM. */
int emu_replay_run(const struct emu_replay *replay, struct scn_summary *summary,
                   struct emu_why *why);

#endif
