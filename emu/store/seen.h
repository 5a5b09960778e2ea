/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often a key store was opened, in a small file beside it (opened.NAME: no NAME* takes it, too): so that a store that is gone, or
 * an older copy in its place, is noticed before its pads are used a second time. Who takes this file away,
 * too, is not noticed. */
#ifndef EMU_SEEN_H
#define EMU_SEEN_H

#include <stdint.h>

#include "emu/base/why.h"

/* How often the store at this path was opened; 0: never, as far as is known. QKD_ERR_FORMAT: the file holds no
 * number; QKD_ERR_IO; QKD_ERR_NOMEM. */
int emu_seen_get(const char *store, uint32_t *count, struct emu_why *why);

/* Writes it down, durably. QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_seen_put(const char *store, uint32_t count, struct emu_why *why);

#endif
