/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All figures of one run as numbers, with the names of its links and applications: what is kept of a
 * run to compare a later one with. They are in the order of the tables of analysis/fields.h. */
#ifndef ANA_FIGURES_H
#define ANA_FIGURES_H

#include <stdio.h>

#include "scenarios/outcome.h"

struct ana_figures {
    char scenario[SCN_NAME_SIZE];
    char topology[SCN_NAME_SIZE]; /* file name of the network; "": the scenario's own */
    char hash[65];                /* of the resolved scenario */
    char engine[16];
    char digest[17];
    uint64_t seed;
    double sim_s;
    size_t link_count, application_count;
    char (*link_ids)[SCN_ID_SIZE];
    char (*application_ids)[SCN_ID_SIZE];
    double *run;          /* one per field */
    double *links;        /* of link i: from i * number of fields */
    double *applications; /* the same */
};

/* Fields of one run, link or application. */
size_t ana_figures_fields(enum scn_scope scope);

/* Room for so many links and applications, all figures NAN. 0 or QKD_ERR_NOMEM. */
int ana_figures_init(struct ana_figures *figures, size_t link_count, size_t application_count);
void ana_figures_fini(struct ana_figures *figures);

/* Takes the figures of a run; topology may be a path. 0 or QKD_ERR_NOMEM. */
int ana_figures_take(struct ana_figures *figures, const struct scn_scenario *scenario,
                     const struct scn_summary *summary, const char *topology);

/* Figures of link or application `index` (or of the run), and their number. */
double *ana_figures_of(const struct ana_figures *figures, enum scn_scope scope, size_t index);

/* As bytes for the same program; false: not written, or not complete. */
bool ana_figures_pack(const struct ana_figures *figures, FILE *out);
bool ana_figures_unpack(struct ana_figures *figures, FILE *in);

#endif
