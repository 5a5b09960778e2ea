/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8 (RFC 3629) in text that leaves a daemon: JSON and the metrics must not contain anything
 * else. */
#ifndef EMU_UTF8_H
#define EMU_UTF8_H

#include <stddef.h>

/* Bytes of the sequence at the front of len > 0 bytes; 0 if there is none: cut off, not the shortest
 * form, a surrogate, above U+10FFFF. */
size_t emu_utf8_length(const unsigned char *at, size_t len);

#endif
