/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of a daemon's configuration. Internal to emu/deploy/config*.c. */
#ifndef EMU_CONFIG_TABLE_H
#define EMU_CONFIG_TABLE_H

#include "emu/deploy/config.h"
#include "scenarios/field.h"

extern const struct scn_table emu_table_config;

#endif
