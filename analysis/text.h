/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Quantities as short texts for people. Each returns the text it wrote. */
#ifndef ANA_TEXT_H
#define ANA_TEXT_H

#include <stddef.h>

#define ANA_TEXT_SIZE 32

char *ana_bits_text(double bits, char text[ANA_TEXT_SIZE]);       /* "1.25 Mbit" */
char *ana_rate_text(double bps, char text[ANA_TEXT_SIZE]);        /* "304 kbit/s" */
char *ana_seconds_text(double seconds, char text[ANA_TEXT_SIZE]); /* "12.4 ms"; NAN: "-" */

#endif
