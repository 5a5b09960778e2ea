/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The summary of a run as text: the JSON object of `qkdn run --json` and a table for people. */
#ifndef ANA_SUMMARY_H
#define ANA_SUMMARY_H

#include <stdio.h>

#include "scenarios/outcome.h"

/* The JSON object (docs/cli.md), without a final newline, to be freed with free(); NULL without
 * memory. */
char *ana_summary_json(const struct scn_scenario *scenario, const struct scn_summary *summary);

/* A table for people. */
void ana_summary_print(const struct scn_scenario *scenario, const struct scn_summary *summary,
                       FILE *out);

#endif
