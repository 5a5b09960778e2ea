/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers with units: "25 km", "304 kbit/s", "14.5 dB". Integer quantities are exact: a value that
 * is not a whole number of the base unit is refused, never rounded. Internal to scenarios/. */
#ifndef SCN_QUANTITY_H
#define SCN_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scn_dimension {
    SCN_DIM_NUMBER,    /* whole number, no unit */
    SCN_DIM_TIME,      /* ns */
    SCN_DIM_RATE,      /* bit/s */
    SCN_DIM_BITS,      /* bit */
    SCN_DIM_BYTES,     /* byte */
    SCN_DIM_LENGTH,    /* m */
    SCN_DIM_INTEGERS,  /* end of the integer dimensions */
    SCN_DIM_LOSS,      /* dB */
    SCN_DIM_FREQUENCY, /* 1/s */
    SCN_DIM_FRACTION,  /* 1, or % */
    SCN_DIM_PPM,       /* 1e-6 */
    SCN_DIM_REAL,      /* a number without unit */
    SCN_DIM_COUNT
};

/* A unit is `multiple` base units, or one base unit is `multiple` of it (divides). */
struct scn_unit {
    const char *name;
    int64_t multiple;
    bool divides;
};

/* Room for a printed quantity. */
#define SCN_QUANTITY_SIZE 48

/* Reads an integer quantity in its base unit. NULL, or what is wrong (static text). */
const char *scn_integer_parse(enum scn_dimension dimension, const char *text, int64_t *value);

/* Reads a real quantity in its base unit. NULL, or what is wrong (static text). */
const char *scn_real_parse(enum scn_dimension dimension, const char *text, double *value);

/* Prints so that parsing gives the same value back, in the largest unit that needs no fraction. */
void scn_integer_print(enum scn_dimension dimension, int64_t value, char text[SCN_QUANTITY_SIZE]);
void scn_real_print(enum scn_dimension dimension, double value, char text[SCN_QUANTITY_SIZE]);

/* What to write: "a time such as '5 s'"; and a regular expression (ECMA 262) that matches it. */
const char *scn_dimension_hint(enum scn_dimension dimension);
const char *scn_dimension_pattern(enum scn_dimension dimension);

/* Its units, up to one without a name; and whether a number may stand without one. */
const struct scn_unit *scn_dimension_units(enum scn_dimension dimension);
bool scn_dimension_bare(enum scn_dimension dimension);

#endif
