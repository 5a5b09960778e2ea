/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of a fleet. Internal to emu/deploy/fleet*.c. */
#ifndef EMU_FLEET_INTERNAL_H
#define EMU_FLEET_INTERNAL_H

#include "emu/deploy/fleet.h"
#include "emu/deploy/probe.h"

struct emu_fleet_child {
    struct emu_fleet_daemon seen;
    int64_t begun_ms;      /* started, monotonic */
    int64_t probe_at_ms;   /* the next question */
    int64_t restart_at_ms; /* 0: not to be started again */
    uint32_t quick;        /* ends shortly after the start, in a row */
    bool told;             /* whether its end is still to be told */
    int status;            /* then */
};

struct emu_fleet {
    struct emu_deployment *deployment;
    char folder[EMU_PATH_SIZE];                  /* absolute */
    char programs[EMU_LINKD + 1][EMU_PATH_SIZE]; /* by kind */
    bool restart;
    unsigned stop_ms;
    int lock; /* descriptor; -1: not held */
    int64_t since_ns;
    bool was_ready;
    struct emu_fleet_child *children; /* by number */
    struct emu_probe *probes;
};

/* ---- fleet_state.c ---- */

/* QKD_ERR_EXISTS: somebody has it. */
int emu_fleet_lock(struct emu_fleet *fleet, struct emu_why *why);

/* Writes up.json; that it cannot be written is no reason to stop. */
void emu_fleet_state_write(const struct emu_fleet *fleet);

/* ns since 1970 UTC */
int64_t emu_fleet_now_ns(void);

/* ---- fleet_child.c ---- */

/* Finds the programs of all kinds. QKD_ERR_UNKNOWN. */
int emu_fleet_programs(struct emu_fleet *fleet, const char *folder, struct emu_why *why);

/* Starts a daemon; QKD_ERR_IO. */
int emu_fleet_spawn(struct emu_fleet *fleet, size_t daemon, struct emu_why *why);

#endif
