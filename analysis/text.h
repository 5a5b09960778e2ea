/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Quantities as short texts for people. Each returns the text it wrote. */
#ifndef ANA_TEXT_H
#define ANA_TEXT_H

#include <stddef.h>
#include <stdio.h>

#define ANA_TEXT_SIZE 32

char *ana_bits_text(double bits, char text[ANA_TEXT_SIZE]);       /* "1.25 Mbit" */
char *ana_rate_text(double bps, char text[ANA_TEXT_SIZE]);        /* "304 kbit/s" */
char *ana_seconds_text(double seconds, char text[ANA_TEXT_SIZE]); /* "12.4 ms"; NAN: "-" */

/* A text put together in the caller's memory. A piece that does not fit whole is left out, so that
 * markup stays well-formed. */
struct ana_text {
    char *text;       /* zero-terminated after the first piece */
    size_t len, size; /* size > 0 */
};

void ana_text_add(struct ana_text *text, const char *format, ...); /* as printf */

/* Writes a text as character data of HTML and SVG: markup escaped, control characters as blanks (XML 1.0
 * forbids them). */
void ana_text_escaped(FILE *out, const char *text);

/* Bytes of the UTF-8 character at the beginning of a text; 0 if there is none (an end, or a byte that
 * is not UTF-8). */
size_t ana_character_len(const char *text);

#define ANA_NO_CHARACTER "\xef\xbf\xbd" /* U+FFFD: stands for what is no character */

#endif
