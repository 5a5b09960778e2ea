/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A daemon of the live world: one process, one loop, one thread. It hosts the units of its place
 * (emu/deploy/place.h) and gives them what a world owes them: time, messages from other daemons, a store
 * that is durable before anything leaves; a module agent's optics (linkd), servers for SAEs (kmd).
 *
 *   daemon.c         from a configuration file to a running loop, and back
 *   daemon_turn.c    frames in and out, deadlines, the end of a loop's turn
 *   daemon_drive.c   what happens by the clock: blocks of the optics, load
 *   daemon_status.c  /healthz, /metrics, log lines */
#ifndef EMU_DAEMON_H
#define EMU_DAEMON_H

#include "emu/deploy/place.h"

/* main() of qkdn-kmd and its siblings: reads the configuration file named in argv, runs until SIGTERM
 * or SIGINT. Exit codes: 0 ended in good order, 2 bad usage or configuration, 3 failed at work. */
int emu_daemon_main(int argc, char **argv, enum emu_kind kind);

#endif
