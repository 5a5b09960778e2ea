/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks for damage in a write-ahead log of SQLite (https://www.sqlite.org/fileformat2.html,
 * "The Write-Ahead Log"). SQLite takes the first frame whose checksum is wrong for the end of the
 * log. That is right for a commit that was cut off, and wrong for a damaged byte further up: commits
 * that were acknowledged would be gone without a word, leases of pads among them. */
#ifndef EMU_WAL_CHECK_H
#define EMU_WAL_CHECK_H

#include <stddef.h>

#include "emu/base/why.h"

/* Reads the log of the database (its path with "-wal"); page_bytes is the page size of the
 * database. 0 if there is none, or if all its commits can be read but perhaps the last one;
 * QKD_ERR_FORMAT: a commit that others follow is damaged; QKD_ERR_IO.
 *
 * Damage in the very last commit looks like a commit that was cut off, and passes. */
int emu_wal_check(const char *database, size_t page_bytes, struct emu_why *why);

#endif
