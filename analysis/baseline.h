/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stored runs to compare with: a database of the figures of many runs, made by `qkdn check --save`,
 * or the results of one run, made by `qkdn run -o`. docs/results.md has the tables. */
#ifndef ANA_BASELINE_H
#define ANA_BASELINE_H

#include "analysis/check.h"

#define ANA_BASELINE_ID 0x514b4443 /* "QKDC": PRAGMA application_id */
#define ANA_BASELINE_VERSION 1     /* PRAGMA user_version */

/* Whether a file can be read as a baseline: 0, or QKD_ERR_INVALID and why not. */
int ana_baseline_check(const char *path, struct ana_error *error);

/* Whether it is a file of `qkdn check --save`; false for NULL. */
bool ana_baseline_is_stored(const char *path);

/* Finds the stored run of the scenario of these figures: the same name, topology, engine and seed;
 * of several the one whose resolved scenario is the same, otherwise the last. 0 with *found, and
 * *before to be given to ana_figures_fini(); QKD_ERR_INVALID, QKD_ERR_NOMEM. */
int ana_baseline_find(const char *path, const struct ana_figures *figures,
                      struct ana_figures *before, bool *found, struct ana_error *error);

/* Writes the figures of all checks that have some into a new database, which is there completely or
 * not at all; an old file is replaced if force is true. 0, QKD_ERR_EXISTS, QKD_ERR_IO. */
int ana_baseline_save(const char *path, bool force, const struct ana_check *checks, size_t count,
                      struct ana_error *error);

#endif
