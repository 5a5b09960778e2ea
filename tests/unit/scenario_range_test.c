/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: the JSON Schema and the loader agree on the range of every row with a number. The
 * rows are taken from the tables; on each are planted its bounds, their neighbours, 0, negative
 * numbers, fractions of the smallest unit, in every unit and in every way to write them. What is
 * right, the loader says, which reads and compares the number; the schema has only regular
 * expressions. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/field.h"
#include "tests/lib/json_schema.h"

enum { TEXT = 80, DEEPEST = 8, ROWS = 400 };

static struct js_value *schema;

/* The row under test: how a document that has only this key begins and ends, and its schema. */
struct row {
    const struct scn_field *field;
    char before[300], after[40];
    const struct js_value *part;
};

static struct {
    size_t rows, accepted, refused, unsure, wrong;
} seen;

static void setup(void)
{
    char *text = scn_schema();
    ck_assert_ptr_nonnull(text);
    schema = js_parse(text, strlen(text));
    ck_assert_ptr_nonnull(schema);
    free(text);
}

static void teardown(void)
{
    js_free(schema);
}

/* Whether the loader has something against this value of the row. */
static bool loader_refuses(const struct row *row, const char *value, bool plain)
{
    char document[500];
    char mark[TEXT + 40];
    const char *quote = plain ? "" : "'";
    (void)snprintf(document, sizeof document, "%s%s: %s%s%s%s", row->before, row->field->key, quote,
                   value, quote, row->after);
    (void)snprintf(mark, sizeof mark, ": %s '%s' ", row->field->key, value);
    struct scn_text input = {.name = "t", .text = document, .len = strlen(document)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    bool refused = false;
    (void)scn_load_text(&input, NULL, &scenario, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        refused = refused || strstr(errors.lines[i], mark) != NULL;
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
    return refused;
}

/* What docs/scenario.md leaves to the loader. */
static bool loader_only(const struct row *row, const char *value)
{
    size_t digits = 0;
    for (const char *c = value; *c != '\0'; c++) {
        digits += *c >= '0' && *c <= '9' ? 1 : 0;
    }
    return strpbrk(value, "eE") != NULL || digits > (row->field->type == SCN_T_REAL ? 15U : 18U);
}

static void judge(const struct row *row, const char *value, bool plain)
{
    struct js_value *scalar = js_scalar(value, plain);
    bool valid = js_valid_part(schema, row->part, scalar);
    bool refused = loader_refuses(row, value, plain);
    js_free(scalar);
    if (valid && refused && loader_only(row, value)) {
        seen.unsure++;
    } else if (valid == refused) {
        fprintf(stderr, "%s%s: '%s'%s: the loader %s, the schema %s\n", row->before,
                row->field->key, value, plain ? " plain" : "", refused ? "refuses" : "accepts",
                valid ? "accepts" : "refuses");
        seen.wrong++;
    } else {
        seen.accepted += valid ? 1 : 0;
        seen.refused += valid ? 0 : 1;
    }
}

/* A number in the ways to write it, with a unit. */
static void plant(const struct row *row, const char *number, const char *unit)
{
    static const struct {
        const char *before, *behind, *gap;
    } ways[] = {{"", "", ""}, {"", "", " "}, {"00", "", " "}, {"+", "", "  "}, {"", "0", " "}};
    bool negative = number[0] == '-';
    bool point = strchr(number, '.') != NULL;
    char text[TEXT];
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        bool plus = ways[i].before[0] == '+';
        if (negative && plus) {
            continue;
        }
        (void)snprintf(text, sizeof text, "%s%s%s%s%s%s%s", negative ? "-" : "", ways[i].before,
                       number + (negative ? 1 : 0), ways[i].behind[0] != '\0' && !point ? "." : "",
                       ways[i].behind, ways[i].gap, unit);
        judge(row, text, false);
    }
    if (unit[0] == '\0' && fabs(strtod(number, NULL)) < 9e15) {
        judge(row, number, true); /* a number of JSON; beyond that it is not exact */
    }
}

/* base + tenths / 10 base units in a unit, if that is a finite decimal number. */
static void plant_whole(const struct row *row, int64_t base, int64_t tenths,
                        const struct scn_unit *unit)
{
    char text[TEXT];
    bool negative = base < 0;
    int64_t size = negative ? -base : base;
    size_t len = (size_t)snprintf(text, sizeof text, "%s%" PRId64 ".", negative ? "-" : "",
                                  size / unit->multiple);
    int64_t rest = size % unit->multiple * 10 + tenths;
    for (int digits = 0; rest != 0 && digits < 35; digits++) {
        text[len++] = (char)('0' + rest / unit->multiple);
        rest = rest % unit->multiple * 10;
    }
    if (rest == 0) {
        text[text[len - 1] == '.' ? len - 1 : len] = '\0';
        plant(row, text, unit->name);
    }
}

static void plant_real(const struct row *row, double base, const struct scn_unit *unit)
{
    char text[TEXT];
    double multiple = (double)unit->multiple;
    double value = unit->divides ? base * multiple : base / multiple;
    double size = fabs(value) > 0 ? floor(log10(fabs(value))) : 0;
    (void)snprintf(text, sizeof text, "%.*f", size < 14 ? 14 - (int)size : 0, value);
    size_t len = strlen(text);
    while (strchr(text, '.') != NULL && (text[len - 1] == '0' || text[len - 1] == '.')) {
        bool point = text[len - 1] == '.';
        text[--len] = '\0';
        if (point) {
            break;
        }
    }
    plant(row, text, unit->name);
}

static void plant_wholes(const struct row *row, const struct scn_unit *unit)
{
    static const int64_t steps[] = {-1000, -8, -4, -1, 0, 1, 4, 8, 12, 100, 512, 1000};
    int64_t bounds[] = {(int64_t)row->field->min, (int64_t)row->field->max, 0, 4096, 1234560};
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            plant_whole(row, bounds[b] + steps[i], 0, unit);
        }
        plant_whole(row, bounds[b], 1, unit);
        plant_whole(row, bounds[b], 5, unit);
    }
}

static void plant_reals(const struct row *row, const struct scn_unit *unit)
{
    static const double factors[] = {1, 1 - 1e-14, 1 + 1e-14, 0.9, 1.1, 0.1, 10, -1, 0.123, 0};
    double bounds[] = {row->field->min, row->field->max, 1};
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
            plant_real(row, bounds[b] * factors[i], unit);
        }
    }
}

static void row_check(const struct row *row)
{
    static const char *const others[] = {"0",    "-0",  "0.0",  ".0",    ".5",    "5",   "1e3",
                                         "-1e3", "0e5", "-0e5", "5 foo", "1e400", "x",   "",
                                         ".",    "+",   "1,5",  "0x5",   "5 5",   "1e-3"};
    const struct scn_unit *units = scn_dimension_units(row->field->dimension);
    size_t refused = seen.refused;
    size_t accepted = seen.accepted;
    for (size_t i = 0; units[i].name != NULL; i++) {
        if (row->field->type == SCN_T_REAL) {
            plant_reals(row, &units[i]);
        } else {
            plant_wholes(row, &units[i]);
        }
        plant(row, "1e3", units[i].name);
        plant(row, "-1e3", units[i].name);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        judge(row, others[i], false);
    }
    seen.rows++;
    ck_assert_msg(seen.refused >= refused + 10 && seen.accepted >= accepted + 10, "%s%s: %zu, %zu",
                  row->before, row->field->key, seen.refused - refused, seen.accepted - accepted);
}

/* Recursion: as deep as the tables. Tables of templates share rows with others. */
static void table_check(const struct scn_table *table, const struct row *outer, int depth)
{
    static const struct scn_field *known[ROWS];
    static size_t count;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct scn_field *field = &table->fields[i];
        struct row row = {.field = field};
        size_t k = 0;
        while (k < count && known[k] != field) {
            k++;
        }
        ck_assert(k < ROWS && depth < DEEPEST);
        if (k < count) {
            continue;
        }
        known[count++] = field;
        row.part = js_find(js_find(outer->part, "properties"), field->key);
        ck_assert_ptr_nonnull(row.part);
        bool list = field->type == SCN_T_LIST;
        if (field->table != NULL) {
            (void)snprintf(row.before, sizeof row.before, "%.200s%.40s: %s", outer->before,
                           field->key, list ? "[{" : "{");
            (void)snprintf(row.after, sizeof row.after, "%s%.30s", list ? "}]" : "}", outer->after);
            row.part = list ? js_find(row.part, "items") : row.part;
            table_check(field->table, &row, depth + 1);
        } else if (field->type == SCN_T_I64 || field->type == SCN_T_U32 ||
                   field->type == SCN_T_REAL) {
            (void)snprintf(row.before, sizeof row.before, "%s", outer->before);
            (void)snprintf(row.after, sizeof row.after, "%s", outer->after);
            row_check(&row);
        }
    }
}

START_TEST(ranges)
{
    struct row root = {.before = "{", .after = "}", .part = schema};
    table_check(&scn_table_scenario, &root, 0);
    printf("%zu rows: %zu accepted and %zu refused by both, %zu left to the loader\n", seen.rows,
           seen.accepted, seen.refused, seen.unsure);
    ck_assert_uint_eq(seen.wrong, 0);
    ck_assert_uint_gt(seen.rows, 70);
    ck_assert_uint_gt(seen.refused, 60 * seen.rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario ranges");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, ranges);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
