/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hexadecimal text to bytes, for published vectors in tests. */
#ifndef QKD_TESTS_HEX_H
#define QKD_TESTS_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Decodes `text` (an even number of hexadecimal digits, spaces ignored) into `to`, which has room
 * for `cap` bytes; returns the number of bytes, and ends the program if the text is malformed. */
size_t hex_bytes(const char *text, uint8_t *to, size_t cap);

#endif
