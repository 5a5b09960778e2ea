/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of one key in the results of a run, back to the QKD-keys that it was made of or
 * travelled under. */
#ifndef ANA_TRACE_H
#define ANA_TRACE_H

#include <stdio.h>

#include "analysis/results.h"
#include "core/base/id.h"

/* Both write to out. QKD_ERR_UNKNOWN: the results know no such key (nothing is written);
 * QKD_ERR_INVALID: the database is damaged; QKD_ERR_NOMEM. */
int ana_trace_print(const struct ana_results *results, const struct qkd_id *id, FILE *out,
                    struct ana_error *error);
int ana_trace_json(const struct ana_results *results, const struct qkd_id *id, FILE *out,
                   struct ana_error *error);

#endif
