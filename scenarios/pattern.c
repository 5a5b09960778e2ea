/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranges of decimal numbers as regular expressions. A bound is written in each unit; a number is
 * compared with it digit by digit from the left, and each digit opens a group:
 *     at most 304: 0*([0-9]{0,2}(\.[0-9]*)?|([0-2][0-9]{2}(\.[0-9]*)?|30([0-3](\.[0-9]*)?|4(\.0*)?)))
 */
#include "scenarios/pattern.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_FRACTION "(\\.[0-9]*)?"
#define DIGITS 15 /* of real numbers: those that a double keeps */

/* Two digits that are a multiple of 8, or 4 more; three digits that are one; two of 4. */
#define EIGHT_0 "([048][08]|[159]6|[26]4|[37]2)"
#define EIGHT_4 "([048]4|[159]2|[26][08]|[37]6)"
#define EIGHT_3 "([02468]" EIGHT_0 "|[13579]" EIGHT_4 ")"
#define FOUR_2 "([02468][048]|[13579][26])"

/* A number that is not negative, in decimal. */
struct decimal {
    char whole[40]; /* without zeros in front: "" for 0 */
    char part[40];  /* behind the point, without zeros at the end */
    bool cut;       /* further digits follow */
};

static bool is_real(const struct scn_field *field)
{
    return field->type == SCN_T_REAL;
}

/* A whole number of base units, in a unit: as many digits as tell neighbours apart. */
static struct decimal whole_in(int64_t bound, const struct scn_unit *unit)
{
    struct decimal d = {.cut = false};
    int64_t rest = bound % unit->multiple;
    if (bound >= unit->multiple) {
        (void)snprintf(d.whole, sizeof d.whole, "%" PRId64, bound / unit->multiple);
    }
    size_t len = 0;
    for (int64_t scale = 1; scale <= unit->multiple && rest != 0; scale *= 10) {
        d.part[len++] = (char)('0' + rest * 10 / unit->multiple);
        rest = rest * 10 % unit->multiple;
    }
    d.cut = rest != 0;
    return d;
}

/* A real number of base units, in a unit, to as many digits as a double keeps. */
static struct decimal real_in(double bound, const struct scn_unit *unit)
{
    struct decimal d = {.cut = false};
    char text[DIGITS + 16];
    double value = unit->divides ? bound * (double)unit->multiple : bound / (double)unit->multiple;
    (void)snprintf(text, sizeof text, "%.*e", DIGITS - 1, value); /* d.dddde+xx */
    int before = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    char digits[DIGITS + 1] = {text[0]};
    memcpy(digits + 1, text + 2, DIGITS - 1);
    size_t used = DIGITS;
    while (used > 0 && digits[used - 1] == '0') {
        digits[--used] = '\0';
    }
    if (before <= 0) {
        (void)snprintf(d.part, sizeof d.part, "%.*s%s", -before, "00000000000000000000", digits);
        return d;
    }
    for (int i = 0; i < before && i < (int)sizeof d.whole - 1; i++) {
        d.whole[i] = i < (int)used ? digits[i] : '0';
    }
    (void)snprintf(d.part, sizeof d.part, "%s", (int)used > before ? digits + before : "");
    return d;
}

static struct decimal bound_in(const struct scn_field *field, double bound,
                               const struct scn_unit *unit)
{
    return is_real(field) ? real_in(bound, unit) : whole_in((int64_t)bound, unit);
}

/* "[0-4]", or "0" for one digit alone. */
static void class_add(struct scn_buffer *out, char from, char to)
{
    if (from == to) {
        scn_buffer_add(out, "%c", from);
    } else {
        scn_buffer_add(out, "[%c-%c]", from, to);
    }
}

/* "[0-9]{3}" */
static void digits_add(struct scn_buffer *out, size_t count)
{
    if (count > 0) {
        scn_buffer_text(out, "[0-9]");
    }
    if (count > 1) {
        scn_buffer_add(out, "{%zu}", count);
    }
}

static void close_add(struct scn_buffer *out, size_t count, const char *group)
{
    for (; count > 0; count--) {
        scn_buffer_text(out, group);
    }
}

/* What may stand behind the bound's own whole part. */
static void fraction_most(struct scn_buffer *out, const struct decimal *d)
{
    scn_buffer_text(out, "(\\.");
    size_t len = strlen(d->part);
    for (size_t i = 0; i < len; i++) {
        scn_buffer_text(out, "(");
        if (d->part[i] > '0') {
            class_add(out, '0', (char)(d->part[i] - 1));
            scn_buffer_text(out, "[0-9]*|");
        }
        scn_buffer_add(out, "%c", d->part[i]);
    }
    scn_buffer_text(out, d->cut ? "[0-9]*" : "0*");
    close_add(out, len + 1, ")?");
}

static void fraction_least(struct scn_buffer *out, const struct decimal *d)
{
    size_t open = 0;
    if (d->part[0] == '\0') {
        scn_buffer_text(out, ANY_FRACTION);
        return;
    }
    scn_buffer_text(out, "\\.");
    for (size_t i = 0; d->part[i] != '\0'; i++) {
        if (d->part[i] < '9') {
            scn_buffer_text(out, "(");
            class_add(out, (char)(d->part[i] + 1), '9');
            scn_buffer_text(out, "[0-9]*|");
            open++;
        }
        scn_buffer_add(out, "%c", d->part[i]);
    }
    scn_buffer_text(out, "[0-9]*");
    close_add(out, open, ")");
}

/* Numbers without sign and exponent that are at most (or at least) the bound. */
static void number_add(struct scn_buffer *out, const struct decimal *d, bool most)
{
    size_t len = strlen(d->whole);
    size_t open = 1;
    scn_buffer_text(out, "0*(");
    if (!most) {
        scn_buffer_add(out, "[1-9][0-9]{%zu,}" ANY_FRACTION "|", len);
    } else if (len > 0) {
        scn_buffer_add(out, "[0-9]{0,%zu}" ANY_FRACTION "|", len - 1);
    }
    for (size_t i = 0; i < len; i++) {
        char digit = d->whole[i];
        bool better = most ? digit > (i == 0 ? '1' : '0') : digit < '9';
        if (better) {
            scn_buffer_text(out, "(");
            class_add(out, most ? '0' : (char)(digit + 1), most ? (char)(digit - 1) : '9');
            digits_add(out, len - 1 - i);
            scn_buffer_text(out, ANY_FRACTION "|");
            open++;
        }
        scn_buffer_add(out, "%c", digit);
    }
    if (most) {
        fraction_most(out, d);
    } else {
        fraction_least(out, d);
    }
    close_add(out, open, ")");
}

/* " *unit"; units with the same meaning together. Returns how many they are. */
static size_t unit_add(struct scn_buffer *out, const struct scn_unit *unit)
{
    bool two = unit[1].name != NULL && unit[1].multiple == unit->multiple &&
               unit[1].divides == unit->divides;
    scn_buffer_add(out, two ? " *(%s|%s)" : " *%s", unit->name, two ? unit[1].name : "");
    return two ? 2 : 1;
}

/* "number *unit" for each unit, with | between them. */
static void units_add(struct scn_buffer *out, const struct scn_field *field, double bound,
                      bool most)
{
    const struct scn_unit *units = scn_dimension_units(field->dimension);
    for (size_t i = 0; units[i].name != NULL;) {
        struct decimal d = bound_in(field, bound, &units[i]);
        scn_buffer_text(out, i > 0 ? "|" : "");
        number_add(out, &d, most);
        i += unit_add(out, &units[i]);
    }
    if (most) {
        scn_buffer_text(out, "|[0.]+ *"); /* 0 needs no unit */
    }
}

void scn_pattern_most(struct scn_buffer *out, const struct scn_field *field)
{
    scn_buffer_text(out, is_real(field) ? "[eE]|[0-9.]{17}|^-|^[+]?(" : "[eE]|^-|^[+]?(");
    units_add(out, field, field->max, true);
    scn_buffer_text(out, ")$");
}

void scn_pattern_least(struct scn_buffer *out, const struct scn_field *field)
{
    const char *rounded = is_real(field) ? "|[0-9.]{17}" : "";
    if (field->min < 0) {
        scn_buffer_add(out, "[eE]%s|^[^-]|^-(", rounded);
        units_add(out, field, -field->min, true);
        scn_buffer_text(out, ")$");
    } else if (field->min <= 0) { /* -0 is 0, and so is a real number too near to it */
        scn_buffer_add(out, "^[^-]|^-[0.]*([^0-9.]|$)%s%s", rounded, is_real(field) ? "|[eE]" : "");
    } else if (field->min <= 1 && !is_real(field)) { /* whole, and not 0 */
        scn_buffer_text(out, "^[+]?[0-9.]*[1-9]");
    } else {
        scn_buffer_text(out, "^[+]?(");
        units_add(out, field, field->min, false);
        scn_buffer_text(out, ")$|^[+]?[0-9.]*[1-9][0-9.]*[eE]");
        scn_buffer_text(out, is_real(field) ? "|^[+]?[0-9.]{17}" : "");
    }
}

/* How often a prime is in a number. */
static size_t power_of(int64_t prime, int64_t number)
{
    size_t power = 0;
    for (; number % prime == 0; number /= prime) {
        power++;
    }
    return power;
}

/* Numbers that give a whole multiple of `step` base units in a unit of `multiple` of them. */
static void whole_add(struct scn_buffer *out, int64_t multiple, int64_t step)
{
    if (step == 8 && multiple == 1) {
        scn_buffer_text(out,
                        "(([0-9]*[02468])?" EIGHT_0 "|[0-9]*[13579]" EIGHT_4 "|[08]?)(\\.0*)?");
        return;
    }
    if (multiple % step != 0) {
        out->failed = true; /* the tables have only 8 */
        return;
    }
    int64_t steps = multiple / step;
    size_t twos = power_of(2, steps);
    size_t fives = power_of(5, steps);
    size_t zeros = twos < fives ? twos : fives;
    if (fives == zeros + 3) { /* of kbit and such, in bytes: behind the zeros come eighths */
        scn_buffer_add(out,
                       "[0-9]*(\\.([0-9]{0,%zu}|[0-9]{%zu}([02468]|" FOUR_2 "|" EIGHT_3 "))0*)?",
                       zeros, zeros);
        return;
    }
    scn_buffer_add(out, "[0-9]*(\\.[0-9]{0,%zu}0*)?", twos > fives ? twos : fives);
}

void scn_pattern_whole(struct scn_buffer *out, const struct scn_field *field)
{
    const struct scn_unit *units = scn_dimension_units(field->dimension);
    scn_buffer_text(out, "[eE]|^[-+]?(");
    for (size_t i = 0; units[i].name != NULL;) {
        scn_buffer_text(out, i > 0 ? "|" : "");
        whole_add(out, units[i].multiple, field->multiple == 0 ? 1 : field->multiple);
        i += unit_add(out, &units[i]);
    }
    scn_buffer_text(out, "|[0.]+ *)$");
}
