/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The load of one application: when it asks its master agent for keys, and how many. */
#ifndef HOST_LOAD_H
#define HOST_LOAD_H

#include "core/base/rng.h"
#include "host/message.h"
#include "host/plan.h"
#include "models/arrivals.h"

struct host_load {
    const struct host_plan *plan;
    uint32_t application;
    struct mdl_arrivals arrivals;
    struct qkd_rng rng;
    struct qkd_rng holds; /* how long sessions last */
};

void host_load_init(struct host_load *load, const struct host_plan *plan, uint32_t application);
void host_load_fini(struct host_load *load);

/* The next instant at which the application asks, ns since the start of the run; QKD_NEVER after
 * the last. Each call moves on. */
struct qkd_time host_load_next(struct host_load *load);

/* Asks its agent (RP_LOAD), for keys or for a session. */
void host_load_ask(struct host_load *load, const struct host_sender *sender);

#endif
