/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comma-separated values (RFC 4180, without line breaks inside quotes), cut in place, with places.
 * Internal to scenarios/. */
#ifndef SCN_CSV_H
#define SCN_CSV_H

#include "scenarios/context.h"

#define SCN_CSV_COLUMNS 512 /* most columns of a table or matrix */

struct scn_csv {
    struct scn_ctx *ctx;
    struct scn_place place;            /* of the record last read */
    char *rest;                        /* not yet read */
    char *cells[SCN_CSV_COLUMNS];      /* of the record last read, zero-terminated */
    uint32_t columns[SCN_CSV_COLUMNS]; /* where each cell begins */
    size_t count;                      /* cells of the record last read */
    bool failed;                       /* a mistake was recorded: reading ended */
};

/* Reads a data file named in the scenario, as scn_data_read, and checks that it is text. NULL: a
 * mistake was recorded. */
char *scn_csv_read(struct scn_ctx *ctx, const char *name, struct scn_place *at);

/* Starts reading `text`, which must be zero-terminated and is changed. */
void scn_csv_init(struct scn_csv *csv, struct scn_ctx *ctx, char *text, struct scn_place at);

/* The next record that is not empty and not a comment (#); false at the end or after a mistake. A
 * last line without its end is a mistake: such a file was cut off. */
bool scn_csv_next(struct scn_csv *csv);

/* Cuts a cell "length (km)" into the key and the unit ("" if none); false after a mistake. */
bool scn_csv_heading(const struct scn_csv *csv, size_t cell, const char **key, const char **unit);

/* The place of a cell of the record last read. */
struct scn_place scn_csv_place(const struct scn_csv *csv, size_t cell);

#endif
