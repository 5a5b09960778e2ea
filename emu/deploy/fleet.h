/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs all daemons of a deployment on this machine as children of this process: starts them, sees whether
 * they are ready (/healthz) and whether they end, ends them. No daemon outlives the process that started it:
 * if that dies, the kernel kills them.
 *
 *           start                     probe: ready
 *   (none) -------> STARTED, not ready -----------> STARTED, ready
 *      ^               |     ^  probe: not ready       |
 *      |               |     +-------------------------+
 *      +-- ended ------+-------------------------------+     with `restart`: started again after a pause
 *
 * One process at a time runs a deployment: it holds a lock on DIR/up.lock and says in DIR/up.json what it
 * started. Everything happens in the calls; there are no threads and no signal handlers. */
#ifndef EMU_FLEET_H
#define EMU_FLEET_H

#include <sys/types.h>

#include "emu/deploy/deployment.h"

#define EMU_FLEET_STOP_MS 5000

struct emu_fleet_options {
    const char *folder;   /* of the deployment */
    const char *programs; /* folder of qkdn-kmd and so on; NULL: where this program is, else PATH */
    bool restart;         /* start daemons again that ended by themselves */
    unsigned stop_ms;     /* from SIGTERM to SIGKILL; 0: EMU_FLEET_STOP_MS */
};

enum emu_fleet_what {
    EMU_FLEET_NOTHING,
    EMU_FLEET_ENDED,     /* a daemon did: .daemon, .status */
    EMU_FLEET_RESTARTED, /* a daemon was started again: .daemon */
    EMU_FLEET_READY,     /* now all are */
    EMU_FLEET_UNREADY    /* no longer all are: .daemon */
};

struct emu_fleet_event {
    enum emu_fleet_what what;
    size_t daemon; /* number */
    int status;    /* of waitpid() */
};

struct emu_fleet_daemon {
    pid_t pid;         /* 0: not running */
    int64_t since_ns;  /* started, ns since 1970 UTC */
    uint32_t restarts; /* how often it was started again */
    bool ready;
    char missing[256]; /* if not: what /healthz says */
};

struct emu_fleet;

/* Whether a deployment on this machine that is about to be made could be started: its programs are there, its
 * ports are free; else as below. */
int emu_fleet_check(const struct emu_fleet_options *options, const struct scn_scenario *scenario,
                    const struct emu_hosts *hosts, struct emu_why *why);

/* Takes the deployment: nobody else runs it, its programs are there, its ports are free. QKD_ERR_UNKNOWN
 * (no deployment, no program), QKD_ERR_EXISTS (it is up already; "kmd.B: 127.0.0.1:7110 is in use"),
 * QKD_ERR_INVALID (several hosts), QKD_ERR_FORMAT, QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_fleet_new(const struct emu_fleet_options *options, struct emu_fleet **out,
                  struct emu_why *why);

/* Kills what still runs, gives the deployment free. NULL: nothing. */
void emu_fleet_free(struct emu_fleet *fleet);

/* Starts all. On an error none runs. QKD_ERR_IO. */
int emu_fleet_start(struct emu_fleet *fleet, struct emu_why *why);

/* Waits at most so long for something to happen; ends early at a signal, too. */
void emu_fleet_poll(struct emu_fleet *fleet, unsigned ms, struct emu_fleet_event *event);

/* Ends all: SIGTERM, and SIGKILL to those that are there after stop_ms. How many had to be killed or ended
 * with another code than 0. */
size_t emu_fleet_stop(struct emu_fleet *fleet);

/* Sends a signal to one daemon. QKD_ERR_STATE: it does not run. That it ends is an event. */
int emu_fleet_signal(struct emu_fleet *fleet, size_t daemon, int number);

/* Starts one that does not run. QKD_ERR_STATE: it does; QKD_ERR_IO. */
int emu_fleet_restart(struct emu_fleet *fleet, size_t daemon, struct emu_why *why);

const char *emu_fleet_folder(const struct emu_fleet *fleet); /* of the deployment, absolute */
const struct emu_deployment *emu_fleet_deployment(const struct emu_fleet *fleet);
const struct emu_fleet_daemon *emu_fleet_daemon(const struct emu_fleet *fleet, size_t daemon);
bool emu_fleet_is_ready(const struct emu_fleet *fleet); /* all are */

/* ---- seen from another process ---- */

struct emu_fleet_state {
    pid_t pid;                        /* of the process that runs the deployment; 0: nobody does */
    int64_t since_ns;                 /* ns since 1970 UTC */
    struct emu_fleet_daemon *daemons; /* by number; ready and missing are not known */
    size_t count;
};

/* What runs there. QKD_ERR_FORMAT, QKD_ERR_IO, QKD_ERR_NOMEM; nothing at all is pid 0. */
int emu_fleet_look(const char *folder, struct emu_fleet_state *state, struct emu_why *why);
void emu_fleet_state_fini(struct emu_fleet_state *state);

#endif
