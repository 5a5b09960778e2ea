/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes a deployment into a folder: everything that the daemons of a network need to start, with secrets
 * and certificates of its own. What lies where is in docs/live.md and in the README of the folder. */
#ifndef EMU_RENDER_H
#define EMU_RENDER_H

#include "emu/deploy/deployment.h"

struct emu_render {
    const char *folder; /* to be made */
    bool force;         /* replace a folder that is a deployment; its key stores go, too */
    struct emu_hosts hosts;
    /* Of the configurations; zero-initialised but for the epoch is usual. */
    int64_t epoch_ns; /* EMU_EPOCH_NONE: each daemon's start */
    enum emu_keys keys;
    enum emu_load load;
    bool flight; /* each daemon writes a flight record, which contains key */
};

/* Writes beside the folder and renames, so that it is there whole or not at all. *deployment may be NULL.
 * QKD_ERR_EXISTS: the folder is there and may not be replaced; QKD_ERR_INVALID: it is no deployment; those
 * of emu_deployment_plan(); QKD_ERR_IO, QKD_ERR_CRYPTO, QKD_ERR_NOMEM. */
int emu_render(const struct scn_scenario *scenario, const struct emu_render *how,
               struct emu_deployment **deployment, struct emu_why *why);

#endif
