/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regular expressions (ECMA 262) for the ranges of quantities, for the JSON Schema: decimal numbers
 * with a unit that are at most, or at least, a bound, and those that are whole numbers of the base
 * unit. They need not refuse what the pattern of the dimension refuses. Internal to scenarios/. */
#ifndef SCN_PATTERN_H
#define SCN_PATTERN_H

#include "scenarios/buffer.h"
#include "scenarios/field.h"

/* Appends the expressions of a row with a number. A number with an exponent is not compared with
 * the bounds, nor is a real number of 16 digits or more, which the loader rounds. */
void scn_pattern_most(struct scn_buffer *out, const struct scn_field *field);
void scn_pattern_least(struct scn_buffer *out, const struct scn_field *field);

/* Whole numbers of the base unit, and of field->multiple (0 or 8) of it; not of real numbers. Where
 * a unit has other prime factors than 2 and 5, only the count of digits is limited. */
void scn_pattern_whole(struct scn_buffer *out, const struct scn_field *field);

#endif
