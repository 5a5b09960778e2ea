/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of a results database as CSV (RFC 4180) or JSON, row by row. Columns are those of
 * docs/results.md; where a name says no unit, the exported name does (ledger.pads: pads_bits). */
#ifndef ANA_EXPORT_H
#define ANA_EXPORT_H

#include <stdio.h>

#include "analysis/results.h"

enum ana_export_format {
    ANA_EXPORT_CSV,  /* header, CR LF, NULL as nothing, an empty text as "" */
    ANA_EXPORT_JSON, /* one array, an object per line */
    ANA_EXPORT_JSONL /* an object per line */
};

/* "csv", "json" or "jsonl", which are the endings of file names too; false for another text. */
bool ana_export_format_parse(const char *text, enum ana_export_format *format);
const char *ana_export_format_name(enum ana_export_format format);

/* Names of all tables and views, in the order of their making; to be given to free(), one block,
 * ended by NULL. NULL with error set if they cannot be read. */
const char **ana_export_tables(const struct ana_results *results, struct ana_error *error);

/* Rows of a table; QKD_ERR_INVALID. */
int ana_export_count(const struct ana_results *results, const char *table, uint64_t *rows,
                     struct ana_error *error);

/* Writes all rows of a table in the order in which they were recorded; identifiers as
 * 8-4-4-4-12 text. The memory that it takes does not depend on their number. Errors of the stream
 * are the caller's to see; it stops at one. QKD_ERR_UNKNOWN (no such table), QKD_ERR_INVALID,
 * QKD_ERR_NOMEM. */
int ana_export_table(const struct ana_results *results, const char *table,
                     enum ana_export_format format, FILE *out, struct ana_error *error);

#endif
