/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One item of `demands` on its way to applications. Internal to scenarios/demands*.c. */
#ifndef SCN_DEMANDS_H
#define SCN_DEMANDS_H

#include "scenarios/expand.h"

enum scn_pairs { SCN_PAIRS_ALL, SCN_PAIRS_ONCE };

/* One item of the list, decoded to find its mistakes; what it names is in its tree. */
struct scn_demand {
    char id[SCN_ID_SIZE];
    int pairs;                    /* enum scn_pairs; -1: none */
    double gravity_bps;           /* 0: none */
    struct scn_application every; /* the template, decoded only to find its mistakes */
};

/* What a demand is being turned into. */
struct scn_made {
    struct scn_ctx *ctx;
    const struct scn_tree *item;  /* the demand */
    const struct scn_tree *every; /* its template; NULL: none */
    struct scn_tree *list;        /* applications */
    const char *id;               /* of the demand */
};

/* An application between two nodes (scalars with their ids); the key that says how much is for the
 * caller to add, then the template. NULL without memory. */
struct scn_tree *scn_demand_pair(const struct scn_made *made, const struct scn_tree *from,
                                 const struct scn_tree *to);

/* Appends what the template says and the application does not. */
void scn_demand_template(const struct scn_made *made, struct scn_tree *application);

/* Whether so many more applications fit; a mistake at `at` if not. */
bool scn_demand_room(const struct scn_made *made, double more, struct scn_place at);

/* `pairs` and `gravity`. */
void scn_demand_pairs(const struct scn_made *made, const struct scn_demand *demand,
                      const struct scn_tree *network);
void scn_demand_gravity(const struct scn_made *made, const struct scn_demand *demand);

#endif
