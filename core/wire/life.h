/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a life-cycle record. What is done at one instant with several keys, or one after the other
 * with the same keys, is one record on the wire (wire_life: more_ids, then); who stores or shows it has a
 * row for each key and action, as FG QIT4N D2.3 clause 7.1.6 tells of them. */
#ifndef QKD_WIRE_LIFE_H
#define QKD_WIRE_LIFE_H

#include "core/wire/codec.h"

/* How many rows a record has; 0: its lists are malformed, or longer than anybody's. */
size_t wire_life_rows(const struct wire_life *record);

/* Row `number`: a record without lists. The first action of a key has all that the record says, those
 * that follow add nothing. Key by key, each with its actions in order. */
struct wire_life wire_life_row(const struct wire_life *record, size_t number);

#endif
