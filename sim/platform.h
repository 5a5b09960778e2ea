/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The classical network as a SimGrid platform file (XML, DTD 4.1): host n<i> per node, a split-duplex
 * link l<k> per classical link, and a static route per pair of nodes that may talk. With a management
 * network of its own, host m<i> per node and a split-duplex link per hub and node. */
#ifndef SIM_PLATFORM_H
#define SIM_PLATFORM_H

#include <stdio.h>

#include "sim/engine.h"

/* Writes the platform; 0, QKD_ERR_LIMIT (too many routes), QKD_ERR_NOMEM, QKD_ERR_IO. */
int sim_platform_write(const struct sim_engine_config *config, FILE *file);

#endif
