/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A queue of bytes in one piece of memory: added at the end, taken from the front. It grows and stays,
 * so that in the steady state nothing is allocated; what it leaves behind is wiped. */
#ifndef EMU_BYTES_H
#define EMU_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. What is in it: at[head .. tail). */
struct emu_bytes {
    uint8_t *at;
    size_t head, tail, size;
};

void emu_bytes_fini(struct emu_bytes *bytes);

/* Room for `len` more bytes at at[tail]; they count once tail is moved. 0 or QKD_ERR_NOMEM. */
int emu_bytes_reserve(struct emu_bytes *bytes, size_t len);

/* Takes `len` bytes away from the front. */
void emu_bytes_drop(struct emu_bytes *bytes, size_t len);

#endif
