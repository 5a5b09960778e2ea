/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole file in memory that is wiped: for keys and secrets. Read and written with read(2) and write(2), not
 * stdio, so that no buffer of the C library keeps a copy. */
#ifndef EMU_FILE_H
#define EMU_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/base/why.h"

struct emu_file {
    uint8_t *bytes; /* a 0 stands behind the last one; NULL: nothing was read */
    size_t len;
};

struct emu_file_rule {
    const char *
        secret; /* what it is, if it must be closed to group and others; NULL: anybody may read it */
    size_t most; /* bytes */
};

/* Reads a regular file. QKD_ERR_UNKNOWN: there is none; QKD_ERR_DENIED: open to others; QKD_ERR_RANGE:
 * longer than allowed; QKD_ERR_IO; QKD_ERR_NOMEM. */
int emu_file_read(const char *path, const struct emu_file_rule *rule, struct emu_file *file,
                  struct emu_why *why);

/* Writes all of it, or says false with errno set. */
bool emu_file_put(int fd, const void *bytes, size_t len);

void emu_file_wipe(struct emu_file *file); /* and frees; one never read is allowed if zero */

#endif
