/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schema of results databases, one place for writer and readers. docs/results.md explains it. */
#ifndef ANA_SCHEMA_H
#define ANA_SCHEMA_H

#include <stdbool.h>

#include "analysis/fields.h"
#include "analysis/text.h"

#define ANA_SCHEMA_VERSION 1          /* PRAGMA user_version */
#define ANA_APPLICATION_ID 0x514b444e /* PRAGMA application_id: "QKDN" */
#define ANA_SQL_SIZE 8192             /* bytes of the longest statement */
#define ANA_BITS_PREFIX "bits."       /* link fields that stand in table ledger instead */

/* Tables and views that do not depend on the tables of figures; and indexes, made at the end. */
extern const char ana_schema_sql[];
extern const char ana_index_sql[];

/* Indexes that pay only when a key is followed through its life cycle, query by query (level full);
 * with less, to find a key is one look through all of them. */
extern const char ana_index_full_sql[];

/* Whether a link field is a column of `ledger` and not of `links`. */
bool ana_field_in_ledger(const struct ana_field *field);

/* Adds the column of a field: its name with '_' for '.'. */
void ana_column_add(struct ana_text *sql, const struct ana_field *field);

/* CREATE TABLE run, links, applications and ledger, with a column per figure. */
void ana_figure_tables(struct ana_text *sql);

#endif
