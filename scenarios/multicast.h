/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Applications that get the keys of another one. Internal to scenarios/. */
#ifndef SCN_MULTICAST_H
#define SCN_MULTICAST_H

#include "scenarios/field.h"

/* Makes applications of `also`, behind all others. After scn_demands_expand. */
void scn_multicast_expand(struct scn_ctx *ctx, struct scn_tree *root);

/* Finds whose keys they get, and takes over what its leader says. */
void scn_multicast_resolve(struct scn_ctx *ctx);

extern const struct scn_special scn_special_also, scn_special_of;

#endif
