/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the key store, shared by its sources only. */
#ifndef EMU_STORE_STATE_H
#define EMU_STORE_STATE_H

#include <sqlite3.h>

#include "emu/store/store.h"

#define EMU_STORE_PAGE 4096
#define EMU_STORE_APPLICATION 0x514b4453 /* "QKDS", says whose file it is */
#define EMU_STORE_VERSION 1
#define EMU_STORE_NONCES 64  /* drawn at once */
#define EMU_STORE_ROW_KEY 41 /* owner 8, kind 1, key at most 32 */

/* Key of a row: its bytes in order are (owner, kind, key) in order. */
struct emu_store_row {
    uint8_t bytes[EMU_STORE_ROW_KEY];
    size_t len;
};

enum emu_store_query {
    EMU_STORE_BEGIN,
    EMU_STORE_COMMIT,
    EMU_STORE_ROLLBACK,
    EMU_STORE_PUT,
    EMU_STORE_DEL,
    EMU_STORE_GET,
    EMU_STORE_SIZE,
    EMU_STORE_LIST,
    EMU_STORE_QUERIES
};

struct emu_store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *query[EMU_STORE_QUERIES];
    uint8_t *data_key; /* guarded memory */
    uint8_t *sealed;   /* the value being put */
    size_t sealed_cap;
    uint8_t nonces[EMU_STORE_NONCES * CRYPTO_SEAL_NONCE_LEN]; /* random, public once used */
    size_t nonces_used;
    uint32_t incarnation;
    bool replaced; /* made in place of one that was lost */
    bool suspect;  /* a commit failed: its remains may lie in the log */
    struct emu_store_figures figures;
};

/* What SQLite's last error is in our codes, in words with `doing`. */
int emu_store_fail(struct emu_store *store, const char *doing, struct emu_why *why);

/* Runs SQL without results. */
int emu_store_run(struct emu_store *store, const char *sql, const char *doing, struct emu_why *why);

/* The incarnation has the row of owner nobody, kind 0; a store that replaces a lost one has kind 1, too. */
struct emu_store_row emu_store_row(struct qkd_eid owner, uint8_t kind, const uint8_t *key,
                                   size_t len);

/* One row, sealed; inside a transaction. */
int emu_store_put(struct emu_store *store, const struct emu_store_row *row, const uint8_t *value,
                  size_t len, struct emu_why *why);

int emu_store_begin(struct emu_store *store, struct emu_why *why);

/* Ends the transaction: commits if err is 0, else, or if that fails, rolls back. */
int emu_store_end(struct emu_store *store, int err, struct emu_why *why);

#endif
