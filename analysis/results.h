/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a results database: the scenario of the run and its figures. */
#ifndef ANA_RESULTS_H
#define ANA_RESULTS_H

#include <stdbool.h>

#include <sqlite3.h>

#include "analysis/error.h"
#include "scenarios/outcome.h"

struct ana_results;

/* Whether a file looks like a results database (by its first bytes, or the ending .db of its name),
 * rather than a scenario. */
bool ana_results_is(const char *path);

/* Opens and checks. QKD_ERR_INVALID with what is wrong: no such file, no results database, another
 * schema version, damaged; QKD_ERR_NOMEM. */
int ana_results_open(const char *path, struct ana_results **out, struct ana_error *error);
void ana_results_close(struct ana_results *results);

const char *ana_results_path(const struct ana_results *results);
const struct scn_scenario *ana_results_scenario(const struct ana_results *results);
const char *ana_results_record(const struct ana_results *results); /* summary requests full */

/* Figures of the run, its links and applications (not reasons, verdicts, texts); NULL if the run
 * was stopped before it could write them. */
const struct scn_summary *ana_results_summary(const struct ana_results *results);

/* The connection, for reading. */
sqlite3 *ana_results_db(const struct ana_results *results);

/* For a query that failed: QKD_ERR_INVALID, and the database's message. */
int ana_results_fail(const struct ana_results *results, struct ana_error *error);

#endif
