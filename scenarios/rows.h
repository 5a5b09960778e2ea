/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the tables of a scenario file's keys are written: ranges, and one macro per sort of row. A
 * row fills the member of the struct that STRUCT names. Internal to scenarios/tables*.c. */
#ifndef SCN_ROWS_H
#define SCN_ROWS_H

#include <math.h>

#include "scenarios/field.h"

#define YEAR_NS 31536000e9 /* 365 days */
#define LONGEST_NS (10 * YEAR_NS)
#define MOST_BPS 1e15
#define MOST_BITS 1e15
#define MOST_SEED 9223372036854774784.0
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define AT(member) .offset = offsetof(struct STRUCT, member)
#define ID(name, member, text)                                                                     \
    {                                                                                              \
        .key = name, .doc = text, .type = SCN_T_ID, AT(member), .required = true                   \
    }
#define WORD(name, member, list, deflt, text)                                                      \
    {                                                                                              \
        .key = name, .doc = text, .type = SCN_T_WORD, AT(member), .words = list, .fallback = deflt \
    }
#define NUM(name, member, kind, dim, low, high, ...)                                               \
    {                                                                                              \
        .key = name, .type = kind, AT(member), .dimension = dim, .min = low, .max = high,          \
        __VA_ARGS__                                                                                \
    }
#define TIME(name, member, low, ...)                                                               \
    NUM(name, member, SCN_T_I64, SCN_DIM_TIME, low, LONGEST_NS, __VA_ARGS__)
#define RATE(name, member, ...) NUM(name, member, SCN_T_I64, SCN_DIM_RATE, 1, MOST_BPS, __VA_ARGS__)
#define BITS(name, member, low, ...)                                                               \
    NUM(name, member, SCN_T_I64, SCN_DIM_BITS, low, MOST_BITS, __VA_ARGS__)
#define SEED(name, member, text)                                                                   \
    NUM(name, member, SCN_T_I64, SCN_DIM_NUMBER, 0, MOST_SEED, .unset = SCN_AUTO, .doc = text)
#define LATER(name)                                                                                \
    {                                                                                              \
        .key = name, .type = SCN_T_LATER, .doc = "not available in this version"                   \
    }
#define TABLE(symbol, text, array, structure, items)                                               \
    const struct scn_table symbol = {.name = text,                                                 \
                                     .fields = array,                                              \
                                     .field_count = COUNT_OF(array),                               \
                                     .item_bytes = sizeof(struct structure),                       \
                                     .kind = items}

#endif
