/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of one run, written to an SQLite database while the run goes on (docs/results.md). What
 * was committed survives a kill at any moment; until the run has ended its row says interrupted. */
#ifndef ANA_STORE_H
#define ANA_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/error.h"
#include "scenarios/outcome.h"

/* Rows that one transaction takes at most, and how long it stays open. */
#define ANA_STORE_BATCH_ROWS 50000
#define ANA_STORE_BATCH_NS 1000000000

/* Pool samples of one end of a link that level `requests` keeps, besides those that say that it came
 * up or went down. */
#define ANA_STORE_POOL_SAMPLES 1000

/* How much is kept: each level adds to the one before. */
enum ana_record {
    ANA_RECORD_SUMMARY,  /* the run, its figures, events and faults */
    ANA_RECORD_REQUESTS, /* every request, its keys, some pool samples */
    ANA_RECORD_FULL      /* every hop, the life cycle of every key, messages, all pool samples */
};

/* "summary", "requests" or "full"; false for another text. */
bool ana_record_parse(const char *text, enum ana_record *record);
const char *ana_record_name(enum ana_record record);

struct ana_store_options {
    const char *path;
    bool force; /* replace an existing file */
    enum ana_record record;
    const char *command_options; /* JSON text of the options of the run, kept as it is */
};

struct ana_store;

/* Creates the database and writes the scenario into it. QKD_ERR_EXISTS, QKD_ERR_INVALID (what is
 * there is no regular file), QKD_ERR_IO (nothing is left then), QKD_ERR_NOMEM. Older results that are
 * to be replaced stay until the first records are committed: the new ones are written beside them, to
 * path.partial, and then take their place. The scenario must outlive the store. */
int ana_store_open(const struct ana_store_options *options, const struct scn_scenario *scenario,
                   struct ana_store **out, struct ana_error *error);

/* Sets the sink's ctx and all callbacks but progress; those of records above the level stay NULL. */
void ana_store_sink(struct ana_store *store, struct scn_sink *sink);

/* To be called now and then: commits what is due. False after a failure (full disk): nothing more
 * is kept, the run should end. */
bool ana_store_tick(struct ana_store *store);

/* Whether records were committed: something is left even if writing fails now. */
bool ana_store_kept(const struct ana_store *store);

/* Writes the figures of the run and closes. On an error (also an earlier one) the records committed
 * so far stay, marked interrupted; if there are none, the file is removed. store is freed in every
 * case. Returns 0 or the error. */
int ana_store_finish(struct ana_store *store, const struct scn_summary *summary,
                     struct ana_error *error);

/* Closes without figures, as ana_store_finish after an error. */
void ana_store_abandon(struct ana_store *store);

#endif
