/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers with units. Decimal multiples for bits and rates (1 kbit = 1000 bit), both kinds for
 * bytes (1 KiB = 1024 B). */
#include "scenarios/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dimension {
    const char *hint;
    const char *pattern;
    struct scn_unit
        units[12]; /* largest first, down to the base unit; those behind it are read only */
    bool bare;     /* the unit may be left out */
};

/* As number_len() and number_is_zero() read them. */
#define EXPONENT "([eE][-+]?[0-9]+)?"
#define NUMBER "[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)" EXPONENT
#define ZERO "[-+]?(0+\\.?0*|\\.0+)" EXPONENT

static const struct dimension dimensions[SCN_DIM_COUNT] = {
    [SCN_DIM_NUMBER] = {"a whole number", "^" NUMBER " *$", {{"", 1, false}}, true},
    [SCN_DIM_TIME] = {"a time such as '5 s' (units ns, us, ms, s, min, h, d)",
                      "^(" ZERO " *|" NUMBER " *(ns|us|µs|ms|s|min|h|d))$",
                      {{"d", INT64_C(86400000000000), false},
                       {"h", INT64_C(3600000000000), false},
                       {"min", INT64_C(60000000000), false},
                       {"s", INT64_C(1000000000), false},
                       {"ms", 1000000, false},
                       {"us", 1000, false},
                       {"µs", 1000, false},
                       {"ns", 1, false}},
                      false},
    [SCN_DIM_RATE] = {"a rate such as '304 kbit/s' (units bit/s, kbit/s, Mbit/s, Gbit/s)",
                      "^(" ZERO " *|" NUMBER " *[kMG]?bit/s)$",
                      {{"Gbit/s", 1000000000, false},
                       {"Mbit/s", 1000000, false},
                       {"kbit/s", 1000, false},
                       {"bit/s", 1, false}},
                      false},
    [SCN_DIM_BITS] = {"an amount such as '64 Mbit' (units bit, kbit, Mbit, Gbit, or bytes: B to "
                      "GiB)",
                      "^(" ZERO " *|" NUMBER " *([kMG]?bit|([kMG]|[KMG]i)?B))$",
                      {{"Gbit", 1000000000, false},
                       {"Mbit", 1000000, false},
                       {"kbit", 1000, false},
                       {"bit", 1, false},
                       {"GiB", INT64_C(8589934592), false},
                       {"GB", INT64_C(8000000000), false},
                       {"MiB", 8388608, false},
                       {"MB", 8000000, false},
                       {"KiB", 8192, false},
                       {"kB", 8000, false},
                       {"B", 8, false}},
                      false},
    [SCN_DIM_BYTES] = {"an amount such as '1 MiB' (units B, kB, MB, GB, KiB, MiB, GiB)",
                       "^(" ZERO " *|" NUMBER " *([kMG]|[KMG]i)?B)$",
                       {{"GiB", 1073741824, false},
                        {"GB", 1000000000, false},
                        {"MiB", 1048576, false},
                        {"MB", 1000000, false},
                        {"KiB", 1024, false},
                        {"kB", 1000, false},
                        {"B", 1, false}},
                       false},
    [SCN_DIM_LENGTH] = {"a length such as '25 km' (units m, km)",
                        "^(" ZERO " *|" NUMBER " *k?m)$",
                        {{"km", 1000, false}, {"m", 1, false}},
                        false},
    [SCN_DIM_LOSS] = {"a loss such as '14.5 dB'",
                      "^(" ZERO " *|" NUMBER " *dB)$",
                      {{"dB", 1, false}},
                      false},
    [SCN_DIM_FREQUENCY] = {"a frequency such as '2 /s' (units /s, /min, /h)",
                           "^(" ZERO " *|" NUMBER " */(s|min|h))$",
                           {{"/s", 1, false}, {"/min", 60, true}, {"/h", 3600, true}},
                           false},
    [SCN_DIM_FRACTION] = {"a fraction such as 0.02 or '2 %'",
                          "^" NUMBER " *%?$",
                          {{"", 1, false}, {"%", 100, true}},
                          true},
    [SCN_DIM_PPM] = {"a drift such as '20 ppm'",
                     "^(" ZERO " *|" NUMBER " *ppm)$",
                     {{"ppm", 1, false}},
                     false},
    [SCN_DIM_REAL] = {"a number", "^" NUMBER " *$", {{"", 1, false}}, true},
};

#define UNIT_COUNT (sizeof dimensions[0].units / sizeof dimensions[0].units[0])

const char *scn_dimension_hint(enum scn_dimension dimension)
{
    return dimensions[dimension].hint;
}

const char *scn_dimension_pattern(enum scn_dimension dimension)
{
    return dimensions[dimension].pattern;
}

const struct scn_unit *scn_dimension_units(enum scn_dimension dimension)
{
    return dimensions[dimension].units;
}

bool scn_dimension_bare(enum scn_dimension dimension)
{
    return dimensions[dimension].bare;
}

/* Length of the number at the start of the text: [-+] digits [. digits] [e [-+] digits]; 0: none. */
static size_t number_len(const char *text)
{
    size_t at = text[0] == '-' || text[0] == '+' ? 1 : 0;
    size_t digits = strspn(text + at, "0123456789");
    at += digits;
    if (text[at] == '.') {
        size_t fraction = strspn(text + at + 1, "0123456789");
        digits += fraction;
        at += fraction + 1;
    }
    if (digits == 0) {
        return 0;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        size_t sign = text[at + 1] == '-' || text[at + 1] == '+' ? 1 : 0;
        size_t exponent = strspn(text + at + 1 + sign, "0123456789");
        at += exponent > 0 ? 1 + sign + exponent : 0;
    }
    return at;
}

/* The unit behind the number; NULL if unknown or missing where one is needed. */
static const struct scn_unit *unit_find(enum scn_dimension dimension, const char *text, bool zero)
{
    const struct dimension *d = &dimensions[dimension];
    text += strspn(text, " ");
    for (size_t i = 0; i < UNIT_COUNT && d->units[i].name != NULL; i++) {
        if (strcmp(text, d->units[i].name) == 0) {
            return &d->units[i];
        }
    }
    if (text[0] == '\0' && (zero || d->bare)) {
        return &d->units[0];
    }
    return NULL;
}

/* A decimal number: mantissa * 10^exponent. False if it has more than 18 significant digits. */
static bool decimal_read(const char *text, size_t len, int64_t *mantissa, int *exponent)
{
    int64_t m = 0;
    int e = 0;
    bool fraction = false;
    size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0;
    for (; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            fraction = true;
            continue;
        }
        if (m > (INT64_MAX - (text[i] - '0')) / 10) {
            return false;
        }
        m = m * 10 + (text[i] - '0');
        e -= fraction ? 1 : 0;
    }
    if (i < len) {
        long given = strtol(text + i + 1, NULL, 10);
        if (given > 1000 || given < -1000) {
            return false;
        }
        e += (int)given;
    }
    *mantissa = text[0] == '-' ? -m : m;
    *exponent = e;
    return true;
}

/* mantissa * 10^exponent * multiple, exactly; NULL or what is wrong. */
static const char *scale_exact(int64_t mantissa, int exponent, int64_t multiple, int64_t *value)
{
    int64_t m = mantissa;
    for (; exponent < 0 && m != 0; exponent++) {
        for (int64_t prime = 2; prime <= 5; prime += 3) {
            if (m % prime == 0) {
                m /= prime;
            } else if (multiple % prime == 0) {
                multiple /= prime;
            } else {
                return "is finer than the smallest unit";
            }
        }
    }
    for (; exponent > 0 && m != 0; exponent--) {
        if (m > INT64_MAX / 10 || m < -INT64_MAX / 10) {
            return "is too large";
        }
        m *= 10;
    }
    if (m > INT64_MAX / multiple || m < -INT64_MAX / multiple) {
        return "is too large";
    }
    *value = m * multiple;
    return NULL;
}

/* Whether the number at the start is 0, however written: it then needs no unit. */
static bool number_is_zero(const char *text, size_t len)
{
    for (size_t i = 0; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] >= '1' && text[i] <= '9') {
            return false;
        }
    }
    return true;
}

static const char *unit_complaint(const char *rest)
{
    return rest[strspn(rest, " ")] == '\0' ? "has no unit" : "has an unknown unit";
}

const char *scn_integer_parse(enum scn_dimension dimension, const char *text, int64_t *value)
{
    size_t len = number_len(text);
    if (len == 0) {
        return "is not a number";
    }
    const struct scn_unit *unit = unit_find(dimension, text + len, number_is_zero(text, len));
    if (unit == NULL) {
        return unit_complaint(text + len);
    }
    int64_t mantissa = 0;
    int exponent = 0;
    if (!decimal_read(text, len, &mantissa, &exponent)) {
        return "has too many digits";
    }
    return scale_exact(mantissa, exponent, unit->multiple, value);
}

const char *scn_real_parse(enum scn_dimension dimension, const char *text, double *value)
{
    size_t len = number_len(text);
    if (len == 0 || len >= SCN_QUANTITY_SIZE) {
        return len == 0 ? "is not a number" : "has too many digits";
    }
    const struct scn_unit *unit = unit_find(dimension, text + len, number_is_zero(text, len));
    if (unit == NULL) {
        return unit_complaint(text + len);
    }
    char number[SCN_QUANTITY_SIZE + 4];
    bool percent = unit->divides && unit->multiple == 100 && strpbrk(text, "eE") == NULL;
    (void)snprintf(number, sizeof number, "%.*s%s", (int)len, text, percent ? "e-2" : "");
    char *end = NULL;
    double read = strtod(number, &end);
    if (*end != '\0' || !isfinite(read)) {
        return "is not a finite number";
    }
    if (percent) {
        *value = read; /* as exact as if the fraction had been written */
        return NULL;
    }
    *value = unit->divides ? read / (double)unit->multiple : read * (double)unit->multiple;
    return NULL;
}

void scn_integer_print(enum scn_dimension dimension, int64_t value, char text[SCN_QUANTITY_SIZE])
{
    const struct dimension *d = &dimensions[dimension];
    size_t i = 0;
    while (d->units[i].multiple != 1 && (value == 0 || value % d->units[i].multiple != 0)) {
        i++;
    }
    (void)snprintf(text, SCN_QUANTITY_SIZE, "%" PRId64 "%s%s", value / d->units[i].multiple,
                   d->units[i].name[0] == '\0' ? "" : " ", d->units[i].name);
}

void scn_real_print(enum scn_dimension dimension, double value, char text[SCN_QUANTITY_SIZE])
{
    if (dimension < SCN_DIM_INTEGERS && value <= floor(value) && fabs(value) < 9e18) {
        scn_integer_print(dimension, (int64_t)value, text);
        return;
    }
    char number[SCN_QUANTITY_SIZE];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(number, sizeof number, "%.*g", digits, value);
        double back = strtod(number, NULL);
        if (back >= value && back <= value) {
            break;
        }
    }
    size_t base = 0; /* real quantities have theirs first */
    while (dimension < SCN_DIM_INTEGERS && dimensions[dimension].units[base].multiple != 1) {
        base++;
    }
    const char *unit = dimensions[dimension].units[base].name;
    (void)snprintf(text, SCN_QUANTITY_SIZE, "%.32s%s%s", number, unit[0] == '\0' ? "" : " ", unit);
}
