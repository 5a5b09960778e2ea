/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A live network for tests and benches: a scenario rendered into a folder of its own, its daemons as
 * processes (emu/deploy/fleet.h), and what they use: CPU time, memory, files. */
#ifndef QKD_TESTS_EMU_LIVE_H
#define QKD_TESTS_EMU_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/deploy/deployment.h"
#include "emu/deploy/fleet.h"

struct live {
    char folder[128]; /* of the deployment */
    struct scn_scenario *scenario;
    struct emu_deployment *deployment;
    struct emu_fleet *fleet;
};

/* Renders the scenario (YAML) with ports from `base_port` on and starts all daemons. False, and a line on
 * stderr, if something fails. */
bool live_start(struct live *live, const char *scenario, uint16_t base_port);

/* Waits until every daemon says that it is ready; false after so long, or when one has ended. */
bool live_ready(const struct live *live, unsigned wait_ms);

/* Ends all and takes the folder away (QKDN_KEEP=1: leaves it); whether each ended in good order. */
bool live_stop(struct live *live);

/* What one daemon uses now. */
struct live_usage {
    double cpu_s;
    double rss_kib, pss_kib, anonymous_kib;
    unsigned files;            /* open descriptors */
    double store_kib, wal_kib; /* its store's file, and the store's log */
};
bool live_usage(const struct live *live, uint32_t number, struct live_usage *usage);

/* A row of its /metrics; -1: there is none. */
double live_metric(const struct live *live, uint32_t number, const char *name);

/* By name ("kmd.A"); there has to be one. */
uint32_t live_find(const struct live *live, const char *name);

#endif
