/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /healthz and /metrics of a daemon: plain HTTP for its own machine. What they say comes from the daemon. */
#ifndef EMU_HEALTH_H
#define EMU_HEALTH_H

#include "emu/http/https.h"

struct emu_health;

struct emu_health_config {
    uv_loop_t *loop;
    const char *listen; /* "127.0.0.1:9090"; port 0: any */
    void *ctx;
    /* Whether the daemon is ready; if not, why it is not, in one line. */
    bool (*healthy)(void *ctx, struct emu_why *why);
    /* All metrics in the Prometheus text format 0.0.4: malloc'd, *len bytes; NULL: memory ended. */
    char *(*metrics)(void *ctx, size_t *len);
};

int emu_health_new(const struct emu_health_config *config, struct emu_health **health,
                   struct emu_why *why);
void emu_health_free(struct emu_health *health);
uint16_t emu_health_port(const struct emu_health *health);

#endif
