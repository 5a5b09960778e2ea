/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The durable key store of one daemon: what its elements have persisted, (owner, kind, key) -> value,
 * in one SQLite file (write-ahead log, every commit flushed), values sealed (emu/store/seal.h). It is the
 * live counterpart of sim/store.h.
 *
 * In the clear are: owner, kind and key of each entry (IDs and positions, no key bits), the length
 * of each value, and when the file changed. Not protected: whoever can write the file can put an
 * older state of the whole file, or of single entries, in its place, or take entries away; the store
 * of a key manager belongs on a disk that only it writes. Old values are overwritten in the file
 * (secure_delete); in the write-ahead log, sealed, until it is used again or the store is closed;
 * what a disk keeps below the file system is its own affair.
 *
 * One process has a store open at a time. The process should ignore SIGXFSZ, so that a limit on
 * file sizes is an error of commit like a full disk. */
#ifndef EMU_STORE_H
#define EMU_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/event.h"
#include "core/base/out.h"
#include "emu/base/why.h"
#include "emu/store/seal.h"
#include "emu/store/unlock.h"

struct emu_store;

struct emu_store_options {
    const char *path;
    const struct emu_unlock *unlock; /* only read during open */
    bool create;                     /* make a store where no file is; else that is an error */
    uint32_t
        opened; /* how often one that is made counts as opened already: it replaces a lost one; or 0 */
    struct emu_seal_cost cost; /* of a store that is made; zeros are the defaults */
    uint32_t max_pages;        /* of 4 KiB, the file grows no further; 0: no limit */
};

/* Opens or makes the store, checks it whole and raises its incarnation, durably.
 * QKD_ERR_UNKNOWN: no such file; QKD_ERR_EXISTS: another process has it open; QKD_ERR_AUTH: wrong
 * unlock secret; QKD_ERR_FORMAT: damaged, or no store: nothing is changed then; QKD_ERR_LIMIT: no
 * room for the new incarnation; QKD_ERR_IO; QKD_ERR_NOMEM. `why` says it in words. */
int emu_store_open(const struct emu_store_options *options, struct emu_store **store,
                   struct emu_why *why);

/* NULL is allowed. */
void emu_store_close(struct emu_store *store);

/* 1, 2, 3, ...: how often the store was opened. For START of each element of the daemon. */
uint32_t emu_store_incarnation(const struct emu_store *store);

/* Whether it was made in place of one that was lost. For START, too. */
bool emu_store_replaced(const struct emu_store *store);

/* The live entries of one owner as START wants them. */
struct emu_records {
    struct qkd_record *at; /* in (kind, key) order; NULL if there is none */
    size_t count;
    uint8_t *bytes; /* all values; holds key material */
    size_t len;
};

/* Fills `records`, empty on failure. QKD_ERR_FORMAT: an entry is damaged; QKD_ERR_IO;
 * QKD_ERR_NOMEM. */
int emu_store_records(struct emu_store *store, struct qkd_eid owner, struct emu_records *records,
                      struct emu_why *why);
void emu_records_free(struct emu_records *records); /* wipes */

/* All persist entries of the batch in one transaction, durable when it returns 0. Otherwise nothing
 * of the batch is applied, and the same batch (or a longer one that begins with it) can be tried
 * again later: QKD_ERR_LIMIT: no room (disk, quota, limits); QKD_ERR_IO; QKD_ERR_NOMEM.
 * If the flush itself failed, a crash right after may bring back the whole batch, never a part.
 * A batch without persist entries costs nothing. */
int emu_store_commit(struct emu_store *store, const struct qkd_out *out, struct emu_why *why);

/* Changes the unlock secret (and the cost), durably; errors as commit. */
int emu_store_rekey(struct emu_store *store, const struct emu_unlock *unlock,
                    const struct emu_seal_cost *cost, struct emu_why *why);

/* Counters since open, for metrics. */
struct emu_store_figures {
    uint64_t commits;  /* that are durable */
    uint64_t failures; /* commits that failed */
    uint64_t entries;  /* put or deleted */
    uint64_t bytes;    /* of values put, before sealing */
};
struct emu_store_figures emu_store_figures(const struct emu_store *store);

#endif
