/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A check as bytes, for the way from the process that ran it to the one that reports. Both are the
 * same program, so numbers travel as they are in memory; lengths are not trusted. */
#include <stdlib.h>
#include <string.h>

#include "analysis/check.h"

#define END_MARK 0x4b434f44U        /* the last word of a complete check */
#define MOST_TEXT ((size_t)1 << 26) /* bytes of one text */

static bool text_pack(const char *text, FILE *out)
{
    size_t len = strlen(text);
    return fwrite(&len, sizeof len, 1, out) == 1 && fwrite(text, 1, len, out) == len;
}

static bool text_unpack(char **text, FILE *in)
{
    size_t len = 0;
    if (fread(&len, sizeof len, 1, in) != 1 || len > MOST_TEXT) {
        return false;
    }
    char *made = malloc(len + 1);
    if (made == NULL) {
        return false;
    }
    bool ok = fread(made, 1, len, in) == len;
    made[ok ? len : 0] = '\0';
    free(*text);
    *text = made;
    return ok;
}

static bool point_pack(const struct ana_point *point, FILE *out)
{
    return fwrite(&point->verdict, sizeof point->verdict, 1, out) == 1 &&
           fwrite(&point->has_value, sizeof point->has_value, 1, out) == 1 &&
           fwrite(&point->value, sizeof point->value, 1, out) == 1 &&
           fwrite(&point->compares, sizeof point->compares, 1, out) == 1 &&
           text_pack(point->name, out) && text_pack(point->where, out) &&
           text_pack(point->text, out);
}

static bool point_unpack(struct ana_check *check, FILE *in)
{
    struct ana_point *point = ana_check_add(check, "", ANA_PASS, "");
    return point != NULL && fread(&point->verdict, sizeof point->verdict, 1, in) == 1 &&
           fread(&point->has_value, sizeof point->has_value, 1, in) == 1 &&
           fread(&point->value, sizeof point->value, 1, in) == 1 &&
           fread(&point->compares, sizeof point->compares, 1, in) == 1 &&
           text_unpack(&point->name, in) && text_unpack(&point->where, in) &&
           text_unpack(&point->text, in);
}

/* What is no text: packed as one block. */
struct numbers {
    uint64_t seed;
    double sim_s, wall_s;
    int exit_code;
    bool failed, overwrites;
    size_t point_count;
};

bool ana_check_pack(const struct ana_check *check, FILE *out)
{
    struct numbers numbers;
    const unsigned mark = END_MARK;
    memset(&numbers, 0, sizeof numbers);
    numbers.seed = check->seed;
    numbers.sim_s = check->sim_s;
    numbers.wall_s = check->wall_s;
    numbers.exit_code = check->exit_code;
    numbers.failed = check->failed;
    numbers.overwrites = check->overwrites;
    numbers.point_count = check->point_count;
    bool ok = fwrite(&numbers, sizeof numbers, 1, out) == 1 && text_pack(check->scenario, out) &&
              text_pack(check->engine, out) && text_pack(check->digest, out);
    for (size_t i = 0; i < check->point_count && ok; i++) {
        ok = point_pack(&check->points[i], out);
    }
    return ok && ana_figures_pack(&check->figures, out) &&
           ana_comparison_pack(&check->comparison, out) &&
           fwrite(&mark, sizeof mark, 1, out) == 1 && fflush(out) == 0;
}

bool ana_check_unpack(struct ana_check *check, const char *bytes, size_t len)
{
    struct numbers numbers;
    unsigned mark = 0;
    if (len == 0) {
        return false;
    }
    FILE *in = fmemopen((void *)(uintptr_t)bytes, len, "rb");
    if (in == NULL) {
        return false;
    }
    bool ok = fread(&numbers, sizeof numbers, 1, in) == 1 && text_unpack(&check->scenario, in) &&
              text_unpack(&check->engine, in) && text_unpack(&check->digest, in);
    for (size_t i = 0; ok && i < numbers.point_count; i++) {
        ok = point_unpack(check, in);
    }
    ok = ok && ana_figures_unpack(&check->figures, in) &&
         ana_comparison_unpack(&check->comparison, in) && fread(&mark, sizeof mark, 1, in) == 1 &&
         mark == END_MARK;
    fclose(in);
    if (ok) {
        check->seed = numbers.seed;
        check->sim_s = numbers.sim_s;
        check->wall_s = numbers.wall_s;
        check->exit_code = numbers.exit_code;
        check->failed = check->failed || numbers.failed;
        check->overwrites = numbers.overwrites;
    }
    return ok;
}
