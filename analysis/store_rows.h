/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the results writer: the connection, its prepared statements and transactions. */
#ifndef ANA_STORE_ROWS_H
#define ANA_STORE_ROWS_H

#include <sqlite3.h>
#include <stdint.h>
#include <time.h>

#include "analysis/store.h"

enum ana_row {
    ANA_ROW_REQUEST,
    ANA_ROW_KEY,
    ANA_ROW_SESSION,
    ANA_ROW_HOP,
    ANA_ROW_POOL,
    ANA_ROW_EVENT,
    ANA_ROW_FAULT,
    ANA_ROW_LIFE,
    ANA_ROW_MESSAGE,
    ANA_ROW_COUNT
};

/* The pool sample kept last of one end of a link. */
struct ana_pool_kept {
    int64_t time_ns;
    bool known, up;
};

struct ana_store {
    sqlite3 *db;
    char *path;
    char *partial; /* where it is written while older results are kept at path; NULL: at path */
    const struct scn_scenario *scenario;
    enum ana_record record;
    sqlite3_stmt *rows[ANA_ROW_COUNT]; /* INSERT of each kind */
    struct ana_pool_kept *pools;       /* two per link */
    unsigned in_batch;                 /* rows since the transaction began */
    unsigned since_clock;              /* rows since the clock was read */
    struct timespec began;             /* of the transaction */
    bool kept;                         /* records of the run were committed */
    bool failed;                       /* nothing more is written; error says why */
    struct ana_error error;
};

/* Prepares the INSERT statements. 0 or QKD_ERR_IO with store->error set. */
int ana_rows_prepare(struct ana_store *store);
void ana_rows_finalize(struct ana_store *store);

/* Sets the callbacks of the record level. */
void ana_rows_sink(struct ana_store *store, struct scn_sink *sink);

/* Notes the connection's error as the store's; QKD_ERR_IO. */
int ana_store_fail(struct ana_store *store);

/* A row was inserted: commits if the batch is full or old. */
void ana_store_row_done(struct ana_store *store);

/* Statements that run once. Each notes a failure in the store. */
int ana_store_execute(struct ana_store *store, const char *sql);
sqlite3_stmt *ana_store_prepare(struct ana_store *store, const char *sql); /* NULL on failure */
int ana_store_step(struct ana_store *store, sqlite3_stmt *statement);      /* and clears it */
void ana_bind_text(sqlite3_stmt *statement, int column, const char *text);

/* UTC now as ISO 8601. */
void ana_now_text(char text[32]);

/* Writes all figures and makes the indexes, in the transaction that holds the last records: a
 * reader sees none or all. */
void ana_figures_write(struct ana_store *store, const struct scn_summary *summary);

#endif
