/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/err.h"
#include "sim/engine_ops.h"
int sim_engine_simgrid_new(const struct sim_engine_config *config, struct sim_engine **engine)
{
    (void)config;
    (void)engine;
    return QKD_ERR_STATE;
}
