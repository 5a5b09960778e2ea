/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts of a deployment: configurations, start scripts, README. Internal to emu/deploy/render*.c. All are to
 * be freed with free(); NULL without memory. */
#ifndef EMU_RENDER_TEXT_H
#define EMU_RENDER_TEXT_H

#include "emu/deploy/render.h"

/* daemon.yaml of a daemon. */
char *emu_render_config(const struct scn_scenario *scenario,
                        const struct emu_deployment *deployment, const struct emu_render *how,
                        uint32_t number);

/* start.sh of a host. */
char *emu_render_start(const struct emu_deployment *deployment, uint32_t host);

char *emu_render_readme(const struct scn_scenario *scenario,
                        const struct emu_deployment *deployment);

#endif
