/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instants as people and programs write them: nanoseconds since 1970 UTC, or RFC 3339 (clause 5.6;
 * without leap seconds, which POSIX time does not have). */
#include <stdlib.h>
#include <string.h>

#include "emu/deploy/config.h"

#define DAY_S 86400
#define LAST_S INT64_C(9214646400) /* 2262-01-01: int64_t in ns ends that year */

/* Reads so many digits; -1 if they are none. */
static int digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return -1;
        }
        value = value * 10 + (**at - '0');
    }
    return value;
}

/* Reads `count` digits and then `end` ('\0': nothing) into *value, within its limits. */
static bool part(const char **at, int count, char end, int limits[2], int *value)
{
    *value = digits(at, count);
    if (*value < limits[0] || *value > limits[1]) {
        return false;
    }
    if (end == '\0') {
        return true;
    }
    bool good = **at == end || (end == 'T' && (**at == 't' || **at == ' '));
    *at += good ? 1 : 0;
    return good;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the first of a year's month. */
static int64_t days_to(int year, int month)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t past = year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    return days + before[month - 1] + (month > 2 && leap(year) ? 1 : 0);
}

static bool date(const char **at, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 0;
    int month = 0;
    int day = 0;
    if (!part(at, 4, '-', (int[]){1970, 2261}, &year) ||
        !part(at, 2, '-', (int[]){1, 12}, &month)) {
        return false;
    }
    int last = lengths[month - 1] + (month == 2 && leap(year) ? 1 : 0);
    bool good = part(at, 2, 'T', (int[]){1, last}, &day);
    *days = days_to(year, month) + day - 1;
    return good;
}

/* ".5" and so on; nothing is 0. */
static bool fraction(const char **at, int64_t *ns)
{
    *ns = 0;
    if (**at != '.') {
        return true;
    }
    (*at)++;
    size_t len = strspn(*at, "0123456789");
    int64_t unit = 100000000;
    for (size_t i = 0; i < len && i < 9; i++, unit /= 10) {
        *ns += unit * ((*at)[i] - '0');
    }
    *at += len;
    return len > 0 && len <= 9;
}

/* "Z" or "+01:00". */
static bool zone(const char **at, int64_t *offset_s)
{
    *offset_s = 0;
    char sign = **at;
    (*at)++;
    if (sign == 'Z' || sign == 'z') {
        return true;
    }
    int hours = 0;
    int minutes = 0;
    if ((sign != '+' && sign != '-') || !part(at, 2, ':', (int[]){0, 23}, &hours) ||
        !part(at, 2, '\0', (int[]){0, 59}, &minutes)) {
        return false;
    }
    *offset_s = (sign == '+' ? 1 : -1) * (int64_t)(hours * 60 + minutes) * 60;
    return true;
}

bool emu_epoch_parse(const char *text, int64_t *epoch_ns)
{
    size_t len = strlen(text);
    if (len > 0 && strspn(text, "0123456789") == len) {
        unsigned long long value = len <= 19 ? strtoull(text, NULL, 10) : UINT64_MAX;
        *epoch_ns = (int64_t)value;
        return value < (unsigned long long)LAST_S * 1000000000U;
    }
    int64_t days = 0;
    int64_t ns = 0;
    int64_t offset_s = 0;
    int clock[3];
    if (!date(&text, &days) || !part(&text, 2, ':', (int[]){0, 23}, &clock[0]) ||
        !part(&text, 2, ':', (int[]){0, 59}, &clock[1]) ||
        !part(&text, 2, '\0', (int[]){0, 59}, &clock[2]) || !fraction(&text, &ns) ||
        !zone(&text, &offset_s) || *text != '\0') {
        return false;
    }
    int64_t s = days * DAY_S + clock[0] * 3600 + clock[1] * 60 + clock[2] - offset_s;
    *epoch_ns = s * 1000000000 + ns;
    return s >= 0 && s < LAST_S;
}
