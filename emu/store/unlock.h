/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The unlock secret of a key store: bytes that an operator keeps in a file or gives in an
 * environment variable. It opens the store (emu/store/store.h) and nothing else. */
#ifndef EMU_UNLOCK_H
#define EMU_UNLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "emu/base/why.h"

#define EMU_UNLOCK_MIN 16   /* bytes at least */
#define EMU_UNLOCK_MAX 1024 /* bytes at most */

struct emu_unlock {
    uint8_t bytes[EMU_UNLOCK_MAX];
    size_t len;
};

/* Reads it from the file, or, if file is NULL, from the environment variable; one line end at the
 * end is not part of it. The file must be regular and closed to group and others. The variable is
 * wiped and taken out of the environment, so that no child process inherits it.
 * QKD_ERR_UNKNOWN: not there; QKD_ERR_DENIED: open to others; QKD_ERR_RANGE: length; QKD_ERR_IO. */
int emu_unlock_read(struct emu_unlock *unlock, const char *file, const char *variable,
                    struct emu_why *why);

void emu_unlock_wipe(struct emu_unlock *unlock);

#endif
