/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: `demands`, `key_rate` and `volume`: which applications they become, at which rates, in
 * which order and with which ids; thousands of them load fast. Expected numbers are worked out by
 * hand in the comments, those of the gravity model also by exact fractions. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scenarios/scenario.h"

#define S INT64_C(1000000000)

#define RING4                                                                                      \
    "scenario: t\nduration: 1000 s\nengine: fast\nnetwork:\n"                                      \
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n  links:\n"                                    \
    "    - {id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}\n"                                        \
    "    - {id: BC, ends: [B, C], qkd: {rate: 1 kbit/s}}\n"                                        \
    "    - {id: CD, ends: [C, D], qkd: {rate: 1 kbit/s}}\n"

static char folder[] = "/tmp/qkdn-demands-XXXXXX";

static void setup(void)
{
    memcpy(strrchr(folder, '-'), "-XXXXXX", 8);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void file_write(const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void teardown(void)
{
    static const char *const names[] = {"d.csv", "m.csv", "w.csv", "a.csv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path); /* not every test has each */
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct scn_scenario *try(const char *text, struct scn_errors *errors)
{
    struct scn_scenario *scenario = NULL;
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text), .folder = folder};
    (void)scn_load_text(&input, NULL, &scenario, errors);
    return scenario;
}

/* Loads a text that must be good, and checks that what it prints loads to the same. */
static struct scn_scenario *load(const char *text)
{
    struct scn_errors errors;
    struct scn_scenario *scenario = try(text, &errors);
    ck_assert_msg(scenario != NULL, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    char *printed = scn_print(scenario);
    struct scn_scenario *again = try(printed, &errors);
    ck_assert_msg(again != NULL, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    char *twice = scn_print(again);
    ck_assert_str_eq(printed, twice);
    free(printed);
    free(twice);
    scn_free(again);
    return scenario;
}

/* What a text must be refused for. */
static void refused(const char *text, const char *why)
{
    struct scn_errors errors;
    ck_assert_ptr_null(try(text, &errors));
    bool found = false;
    for (size_t i = 0; i < errors.count; i++) {
        found = found || strstr(errors.lines[i], why) != NULL;
    }
    ck_assert_msg(found, "wanted '%s', got '%s'", why, errors.lines[0]);
    scn_errors_fini(&errors);
}

static const struct scn_application *by_id(const struct scn_scenario *s, const char *id)
{
    for (size_t i = 0; i < s->application_count; i++) {
        if (strcmp(s->applications[i].id, id) == 0) {
            return &s->applications[i];
        }
    }
    ck_abort_msg("no application %s", id);
    return NULL;
}

/* A mean key rate of 1,024 bit/s in keys of 256 bit, 2 per request: 2 requests per second. While on
 * for a quarter of the time: 8 /s. Around a day with a trough of 1 /s: 3 /s at the peak. A volume of
 * 51,200 bit within 100 s: 1 /s. */
START_TEST(rates_from_key)
{
    struct scn_scenario *s = load(
        RING4 "applications:\n"
              "  - {id: p, from: A, to: B, count: 2, key_rate: 1024 bit/s}\n"
              "  - {id: q, from: A, to: B, count: 2, key_rate: 1.024 kbit/s, arrivals: periodic}\n"
              "  - {id: o, from: A, to: B, count: 2, key_rate: 1024 bit/s, arrivals: on-off, "
              "on_time: 10 s, off_time: 30 s}\n"
              "  - {id: d, from: A, to: B, count: 2, key_rate: 1024 bit/s, arrivals: diurnal, "
              "trough: 1 /s}\n"
              "  - {id: v, from: A, to: B, count: 2, volume: 51.2 kbit, start: 5 s, stop: 105 s}\n"
              "  - {id: w, from: A, to: B, volume: 256 kbit}\n");
    static const double want[] = {2, 2, 8, 3, 1, 1};
    for (size_t i = 0; i < 6; i++) {
        ck_assert_double_eq_tol(s->applications[i].rate_per_s, want[i], 1e-12);
        ck_assert(s->applications[i].key_rate_bps <= 0 && s->applications[i].volume_bits == 0);
    }
    ck_assert_int_eq(s->applications[1].offset_ns, S / 2);
    scn_free(s);
}
END_TEST

/* A table: one application per row, template for what the row leaves out, its own keys first. */
START_TEST(table)
{
    file_write("d.csv", "from,to,volume (Mbit),start (s),stop (s),level\n"
                        "A,B,0.256,0,100,any\n"
                        "A,C,0.512,100,200,\n"
                        "A,B,0.256,500,1000,\n"
                        "D,A,1.024,,,otp-only\n");
    struct scn_scenario *s = load(
        RING4 "applications:\n  - {id: first, from: A, to: D, rate: 1 /s}\n"
              "demands:\n  - {id: t, table: d.csv, application: {level: otp-preferred, timeout: 2 "
              "s, arrivals: periodic}}\n");
    ck_assert_uint_eq(s->application_count, 5);
    ck_assert_str_eq(s->applications[0].id, "first");
    static const char *const ids[] = {"t:A-B", "t:A-C", "t:A-B.2", "t:D-A"};
    /* 256 kbit in 100 s are 10 keys per s; 512 kbit: 20; 256 kbit in 500 s: 2; 1,024 in 1000 s: 4 */
    static const double rates[] = {10, 20, 2, 4};
    static const int levels[] = {SCN_LEVEL_ANY, SCN_LEVEL_OTP_PREFERRED, SCN_LEVEL_OTP_PREFERRED,
                                 SCN_LEVEL_OTP_ONLY};
    for (size_t i = 0; i < 4; i++) {
        const struct scn_application *a = &s->applications[i + 1];
        ck_assert_str_eq(a->id, ids[i]);
        ck_assert_double_eq_tol(a->rate_per_s, rates[i], 1e-9);
        ck_assert_int_eq(a->level, levels[i]);
        ck_assert_int_eq(a->timeout_ns, 2 * S);
        ck_assert_int_eq(a->arrivals, SCN_ARRIVALS_PERIODIC);
    }
    ck_assert_int_eq(s->applications[3].start_ns, 500 * S);
    ck_assert_uint_eq(s->applications[4].from, 3);
    scn_free(s);
}
END_TEST

/* `applications` itself may be a table; it then has ids. */
START_TEST(applications_table)
{
    file_write("a.csv", "id,from,to,rate (/min)\nv,A,B,30\nw,B,D,60\n");
    struct scn_scenario *s = load(RING4 "applications: a.csv\n"
                                        "demands: [{id: d, pairs: once, nodes: [A, C], "
                                        "application: {rate: 1 /s}}]\n");
    ck_assert_uint_eq(s->application_count, 3);
    ck_assert_double_eq_tol(s->applications[0].rate_per_s, 0.5, 1e-12);
    ck_assert_str_eq(s->applications[1].id, "w");
    ck_assert_str_eq(s->applications[2].id, "d:A-C");
    scn_free(s);
}
END_TEST

START_TEST(matrix)
{
    file_write("m.csv",
               "key_rate (kbit/s),A,C,D\n# sites\nA,,2.56,0\nB,1.28,0.0,5.12\nD,0.256,,\n");
    struct scn_scenario *s = load(RING4 "demands: [{id: m, matrix: m.csv}]\n");
    ck_assert_uint_eq(s->application_count, 4);
    static const char *const ids[] = {"m:A-C", "m:B-A", "m:B-D", "m:D-A"};
    static const double rates[] = {10, 5, 20, 1};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(s->applications[i].id, ids[i]);
        ck_assert_double_eq_tol(s->applications[i].rate_per_s, rates[i], 1e-9);
    }
    scn_free(s);
    /* As spreadsheets write it: a byte order mark, lines that end with CR LF. */
    file_write("m.csv", "\xef\xbb\xbfkey_rate (kbit/s),A,C\r\nA,,2.56\r\nB,1.28,-0\r\n");
    s = load(RING4 "demands: [{id: m, matrix: m.csv}]\n");
    ck_assert_uint_eq(s->application_count, 2);
    ck_assert_double_eq_tol(s->applications[0].rate_per_s, 10, 1e-9);
    scn_free(s);
    file_write("m.csv", "volume (Gbit),A,B\nA,,0.000256\nB,,\n");
    s = load(RING4 "demands: [{id: m, matrix: m.csv}]\n");
    ck_assert_double_eq_tol(s->applications[0].rate_per_s, 1, 1e-9); /* 1,000 keys in 1,000 s */
    scn_free(s);
    file_write("m.csv", "rate (/s),A,B\nA,,2\nB,3,\n");
    s = load(RING4 "demands: [{id: m, matrix: m.csv, application: {count: 7}}]\n");
    ck_assert_double_eq_tol(s->applications[1].rate_per_s, 3, 1e-12);
    ck_assert_uint_eq(s->applications[1].count, 7);
    scn_free(s);
}
END_TEST

START_TEST(pairs)
{
    struct scn_scenario *s = load(RING4 "demands:\n"
                                        "  - {id: all, pairs: all, application: {rate: 1 /s}}\n"
                                        "  - {id: once, pairs: once, application: {rate: 2 /s}}\n"
                                        "  - {id: two, pairs: all, nodes: [D, B], application: "
                                        "{key_rate: 256 bit/s, wait: true}}\n");
    ck_assert_uint_eq(s->application_count, 12 + 6 + 2);
    for (size_t i = 0; i < 12; i++) {
        char id[SCN_ID_SIZE];
        size_t from = i / 3;
        size_t to = i % 3 + (i % 3 >= from ? 1 : 0);
        (void)snprintf(id, sizeof id, "all:%c-%c", "ABCD"[from], "ABCD"[to]);
        ck_assert_str_eq(s->applications[i].id, id);
        ck_assert_uint_eq(s->applications[i].from, from);
        ck_assert_uint_eq(s->applications[i].to, to);
    }
    ck_assert_str_eq(s->applications[12].id, "once:A-B");
    ck_assert_str_eq(s->applications[17].id, "once:C-D");
    ck_assert_str_eq(s->applications[18].id, "two:D-B");
    ck_assert_str_eq(s->applications[19].id, "two:B-D");
    ck_assert_double_eq_tol(s->applications[19].rate_per_s, 1, 1e-12);
    ck_assert(s->applications[19].wait && !s->applications[0].wait);
    scn_free(s);
}
END_TEST

/* Weights 5, 3, 2 (and 0): the sum of all products of two different ones, both ways, is
 * 2 (15 + 10 + 6) = 62. Of 62 x 256 bit/s each pair gets w_i w_j keys per second. */
START_TEST(gravity)
{
    file_write("w.csv", "node,weight\nA,5\nB,3\nC,2\nD,0\n");
    static const char *const texts[] = {
        RING4 "demands: [{id: g, gravity: 15872 bit/s, weights: {A: 5, B: 3, C: 2, D: 0}, "
              "application: {arrivals: periodic}}]\n",
        RING4 "demands: [{id: g, gravity: 15.872 kbit/s, weights: w.csv, application: {arrivals: "
              "periodic}}]\n"};
    struct scn_scenario *s = load(texts[_i]);
    ck_assert_uint_eq(s->application_count, 6);
    ck_assert_double_eq_tol(by_id(s, "g:A-B")->rate_per_s, 15, 1e-9);
    ck_assert_double_eq_tol(by_id(s, "g:B-A")->rate_per_s, 15, 1e-9);
    ck_assert_double_eq_tol(by_id(s, "g:A-C")->rate_per_s, 10, 1e-9);
    ck_assert_double_eq_tol(by_id(s, "g:C-B")->rate_per_s, 6, 1e-9);
    ck_assert_int_eq(by_id(s, "g:C-B")->arrivals, SCN_ARRIVALS_PERIODIC);
    double sum = 0;
    for (size_t i = 0; i < s->application_count; i++) {
        sum += s->applications[i].rate_per_s;
    }
    ck_assert_double_eq_tol(sum, 62, 1e-9);
    scn_free(s);
}
END_TEST

START_TEST(broken_files)
{
    static const struct {
        const char *csv, *why;
    } tables[] = {
        {"from,to\nA,B\n", "d.csv:2:1: the key 'rate' is missing"},
        {"from,rate (/s)\nA,1\n", "d.csv:2:1: the key 'to' is missing in application"},
        {"from,to,rate (/s)\nA,Q,1\n", "d.csv:2:3: unknown node 'Q'"},
        {"from,to,rate (/s)\nA,A,1\n", "d.csv:2:3: the application pair is at one node"},
        {"from,to,rate (/s)\nA,B,-1\n", "d.csv:2:5: rate '-1 /s' is out of range"},
        {"from,to,rate (/s),speed\nA,B,1,2\n", "d.csv:2:7: unknown key 'speed' in application"},
        {"from,to,rate (/s),to\nA,B,1,C\n", "d.csv:1:19: the column 'to' is given twice"},
        {"from,to,volume\nA,B,5\n", "d.csv:2:5: volume '5' has no unit"},
        {"from,to,rate (/s)\nA,B\n", "d.csv:2:1: 2 cells, but the header has 3 columns"},
        {"from,to,rate (/s)\nA,B\xb0,1\n", "d.csv:2:4: byte 0xb0 is not allowed"},
        {"from,to,rate (/s)\nA,B\x01,1\n", "d.csv:2:4: byte 0x01 is not allowed"},
        {"", "d.csv:1:1: the table is empty"},
    };
    static const struct {
        const char *csv, *why;
    } matrices[] = {
        {"key_rate (kbit/s),A,B\nA,1,2\n", "m.csv:2:3: a demand of node 'A' on itself"},
        {"demand,A,B\nA,,2\n", "m.csv:1:1: the first cell of a matrix says what its numbers are"},
        {"rate,A,B\nA,,2\n", "m.csv:2:4: rate '2' has no unit"},
        {"rate (/s),A,Q\nA,,2\n", "m.csv:1:13: unknown node 'Q'"},
        {"rate (/s),A,B\nQ,2,2\n", "m.csv:2:1: unknown node 'Q'"},
        {"rate (/s),A,B\nA,,x\n", "m.csv:2:4: rate 'x /s' is not a number"},
        {"rate (/s),A,B\nA,,nan\n", "m.csv:2:4: rate 'nan /s' is not a number"},
        {"rate (/s),A,B\nA,,-NAN\n", "m.csv:2:4: rate '-NAN /s' is not a number"},
        {"rate (/s),A,B\nA,,inf\n", "m.csv:2:4: rate 'inf /s' is not a number"},
        {"\xef\xbb\xbfrate (/s),A,B\nA,,x\n", "m.csv:2:4: rate 'x /s' is not a number"},
        {"rate (/s),A,B\n\xef\xbb\xbf"
         "A,,2\n",
         "m.csv:2:1: unknown node"},
        {"rate (/s),A,B\nA,,-2\n", "m.csv:2:4: rate '-2 /s' is out of range"},
        {"rate (/s),A,B\nA,,2\nA,,3\n", "the application id 'm:A-B' is used twice"},
        {"rate (/s),A,B\nA,2\n", "m.csv:2:1: 2 cells, but the header has 3 columns"},
        {"rate (/s,A,B\nA,,2\n", "m.csv:1:1: expected 'key' or 'key (unit)'"},
        {"", "m.csv:1:1: the matrix is empty"},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        file_write("d.csv", tables[i].csv);
        refused(RING4 "demands: [{id: d, table: d.csv}]\n", tables[i].why);
    }
    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++) {
        file_write("m.csv", matrices[i].csv);
        refused(RING4 "demands: [{id: m, matrix: m.csv}]\n", matrices[i].why);
    }
    file_write("w.csv", "node,wait\nA,1\nB,2\n");
    refused(RING4 "demands: [{id: g, gravity: 1 kbit/s, weights: w.csv}]\n",
            "w.csv:2:1: expected the columns node,weight");
    file_write("w.csv", "node,weight\nA,1\nQ,2\n");
    refused(RING4 "demands: [{id: g, gravity: 1 kbit/s, weights: w.csv}]\n",
            "w.csv:3:1: unknown node 'Q'");
    refused(RING4 "demands: [{id: a0123456789012345678901234567890123456789012345678901234567890, "
                  "pairs: all, application: {rate: 1 /s}}]\n",
            "is longer than 63 letters");
}
END_TEST

/* All pairs of 100 nodes of a generated network are 9,900 applications, of 316 nodes 99,540: the time
 * grows with their number (a quadratic step would take a hundred times as long for the larger). */
static double load_s(unsigned nodes)
{
    char text[512];
    struct timespec from;
    struct timespec to;
    (void)snprintf(text, sizeof text,
                   "scenario: t\nduration: 1 h\nengine: fast\nnetwork:\n  generate: {kind: ring, "
                   "nodes: %u, spacing: 10 km, link: {qkd: {rate: 1 kbit/s}}}\n"
                   "demands: [{id: all, pairs: all, application: {rate: 1 /h, level: any, "
                   "timeout: 3 s}}]\n",
                   nodes);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    struct scn_errors errors;
    struct scn_scenario *s = try(text, &errors);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    ck_assert_msg(s != NULL, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    ck_assert_uint_eq(s->application_count, nodes * (nodes - 1));
    scn_errors_fini(&errors);
    scn_free(s);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

START_TEST(thousands_load_fast)
{
    double small_s = load_s(100);
    double large_s = load_s(316);
    printf("9,900 applications: %.0f ms; 99,540: %.0f ms\n", small_s * 1e3, large_s * 1e3);
    ck_assert_double_lt(large_s, 40 * small_s + 0.5);
    refused("scenario: t\nduration: 1 h\nengine: fast\nnetwork:\n  generate: {kind: ring, nodes: "
            "400, spacing: 10 km, link: {qkd: {rate: 1 kbit/s}}}\n"
            "demands: [{id: all, pairs: all, application: {rate: 1 /h}}]\n",
            "159600 applications: at most 100000 are read in all");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario demands");
    TCase *tc = tcase_create("demands");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, rates_from_key);
    tcase_add_test(tc, table);
    tcase_add_test(tc, applications_table);
    tcase_add_test(tc, matrix);
    tcase_add_test(tc, pairs);
    tcase_add_loop_test(tc, gravity, 0, 2);
    tcase_add_test(tc, broken_files);
    tcase_add_test(tc, thousands_load_fast);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
