/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Risk groups of a scenario file while it is loaded: what shares a duct, a cabinet, a power supply.
 * Faults name them and are then one fault for each member. Internal to scenarios/. */
#ifndef SCN_RISK_H
#define SCN_RISK_H

#include "scenarios/field.h"

#define SCN_MAX_RISK_GROUPS 10000

/* One group; the lists of ids are in its tree, NULL if not given. */
struct scn_risk_group {
    char id[SCN_ID_SIZE]; /* unique */
    const struct scn_tree *links, *nodes, *classical_links;
};

struct scn_risk_groups {
    struct scn_risk_group *items;
    size_t count;
};

#endif
