/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether many bytes contain any of many texts: each text is known by its pieces of 16 bytes, and found if one of
 * them is, so that 31 bytes in a row of it are enough wherever they begin. Pieces that say little (fewer than six
 * different bytes: zeros, counters) are left out: they stand in many places by chance. */
#ifndef EMU_FIND_H
#define EMU_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_FIND_PIECE 16

struct emu_find;

/* NULL: no memory. */
struct emu_find *emu_find_new(void);
void emu_find_free(struct emu_find *find); /* NULL is allowed */

/* Texts get numbers in the order of adding. Of texts that share a piece the last one stands for it.
 * QKD_ERR_NOMEM, QKD_ERR_LIMIT. */
int emu_find_add(struct emu_find *find, const uint8_t *text, size_t len);

/* How many texts there are; how many of them have a piece that can be looked for. */
size_t emu_find_texts(const struct emu_find *find);
size_t emu_find_sought(const struct emu_find *find);

/* How many texts stand in these bytes, each counted once over all calls. */
size_t emu_find_in(struct emu_find *find, const uint8_t *bytes, size_t len);

#endif
