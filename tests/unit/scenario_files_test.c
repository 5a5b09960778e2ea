/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: data files beside a scenario (traces, instants, tables of nodes and links), their
 * mistakes with file:line:column, and the shipped scenarios. Each test makes its own folder. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"

#define S INT64_C(1000000000)

static char folder[64];
static char path[128];

static void folder_make(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/qkdn-scenario-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *path_of(const char *name)
{
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void file_write(const char *name, const char *text, size_t len)
{
    FILE *file = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

static void folder_remove(void)
{
    static const char *const names[] = {"s.yaml", "t.csv", "n.csv", "l.csv", "c.csv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)remove(path_of(names[i]));
    }
    (void)rmdir(folder);
}

static const char with_trace[] =
    "scenario: files\nduration: 1 h\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
    "  links: [{id: AB, ends: [A, B], qkd: {model: trace, trace: t.csv}}]\n";

static const char with_times[] =
    "scenario: files\nduration: 1 h\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
    "  links: [{id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}]\n"
    "applications: [{id: v, from: A, to: B, arrivals: trace, times: t.csv}]\n";

/* Loads s.yaml from the folder; the errors are left to the caller. */
static int load(struct scn_scenario **scenario, struct scn_errors *errors)
{
    return scn_load(path_of("s.yaml"), NULL, scenario, errors);
}

static struct scn_scenario *load_good(void)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int err = load(&scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    return scenario;
}

START_TEST(trace_file)
{
    static const char csv[] = "# measured, time in s\r\ntime_s,rate_bps,qber\r\n0, 304000 ,0.02\r\n"
                              "\r\n1800.5,12.7,.03\r\n3600,0,0\r\n";
    file_write("s.yaml", with_trace, strlen(with_trace));
    file_write("t.csv", csv, strlen(csv));
    struct scn_scenario *s = load_good();
    const struct scn_qkd *qkd = &s->links[0].qkd;
    ck_assert_uint_eq(qkd->trace_count, 3);
    ck_assert_uint_eq(qkd->trace[0].rate_bps, 304000);
    ck_assert_int_eq(qkd->trace[1].t_ns, 1800 * S + S / 2);
    ck_assert_uint_eq(qkd->trace[1].rate_bps, 13); /* to the nearest bit/s */
    ck_assert_double_eq_tol(qkd->trace[1].qber, 0.03, 1e-15);
    /* (1800.5 s * 304 kbit/s + 1799.5 s * 13 bit/s) / 3600 s = 152048.72 bit/s */
    ck_assert_uint_eq(qkd->mean_bps, 152049);
    ck_assert_uint_eq(qkd->block_bits, 1520488);
    scn_free(s);
}
END_TEST

START_TEST(times_file)
{
    static const char csv[] = "1\n1\n2.000000001\n1e3\n";
    file_write("s.yaml", with_times, strlen(with_times));
    file_write("t.csv", csv, strlen(csv));
    struct scn_scenario *s = load_good();
    ck_assert_uint_eq(s->applications[0].times_count, 4);
    ck_assert_int_eq(s->applications[0].times_ns[2], 2 * S + 1);
    ck_assert_int_eq(s->applications[0].times_ns[3], 1000 * S);
    scn_free(s);
}
END_TEST

struct bad_csv {
    const char *scenario;
    const char *csv;
    const char *expect; /* after the folder */
};

static const struct bad_csv bad_csvs[] = {
    {with_trace, "0,100,0.01\n5,20",
     "/t.csv:2:1: the last line has no end: is the file truncated?"},
    {with_trace, "0,100,0.01\n5,20\n", "/t.csv:2:1: expected three cells"},
    {with_trace, "0,100,0.01\n5,200,0.02\n5,300,0.02\n", "/t.csv:3:1: unsorted"},
    {with_trace, "0,100,0.01\n5,-1,0.02\n", "/t.csv:2:3: expected a key rate in bit/s"},
    {with_trace, "0,100,0.01\n5,1x,0.02\n", "/t.csv:2:3: expected a key rate in bit/s"},
    {with_trace, "0,100,0.01\n 5, 1,0.6\n", "/t.csv:2:7: expected a QBER from 0 to 0.5"},
    {with_trace, "0,100,0.01\nfive,1,0.1\n", "/t.csv:2:1: expected a time in seconds"},
    {with_trace, "0.0000000001,100,0.01\n", "/t.csv:1:1: expected a time in seconds"},
    {with_trace, "-1,100,0.01\n", "/t.csv:1:1: the time is out of range"},
    {with_trace, "t,r,q\n0,100,0.01\n", "/t.csv:1:1: the header is not 'time_s,rate_bps,qber'"},
    {with_trace, "\"0,100,0.01\n", "/t.csv:1:1: a quoted cell needs its closing quote"},
    {with_trace, "", "/t.csv:1:1: the series is empty"},
    {with_trace, "time_s,rate_bps,qber\n", "/t.csv:1:1: the series is empty"},
    {with_times, "1\n0.5\n", "/t.csv:2:1: unsorted: expected a time not before"},
    {with_times, "1,2\n", "/t.csv:1:1: expected one cell"},
    {with_times, "time\n1\n", "/t.csv:1:1: the header is not 'time_s'"},
    {with_times, NULL, "/s.yaml:6:64: cannot open"},
    {with_trace, NULL, "/s.yaml:5:61: cannot open"},
};

START_TEST(bad_series)
{
    const struct bad_csv *bad = &bad_csvs[_i];
    file_write("s.yaml", bad->scenario, strlen(bad->scenario));
    if (bad->csv != NULL) {
        file_write("t.csv", bad->csv, strlen(bad->csv));
    }
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(load(&scenario, &errors), QKD_ERR_INVALID);
    ck_assert_ptr_null(scenario);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_msg(strncmp(errors.lines[0], folder, strlen(folder)) == 0, "%s", errors.lines[0]);
    ck_assert_msg(strncmp(errors.lines[0] + strlen(folder), bad->expect, strlen(bad->expect)) == 0,
                  "%s, not %s", errors.lines[0], bad->expect);
    scn_errors_fini(&errors);
}
END_TEST

START_TEST(csv_with_zero_byte)
{
    static const char csv[] = "0,100,0.01\n5,\0,0.01\n";
    file_write("s.yaml", with_trace, strlen(with_trace));
    file_write("t.csv", csv, sizeof csv - 1);
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(load(&scenario, &errors), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(errors.lines[0], "the file contains the character 0"));
    scn_errors_fini(&errors);
}
END_TEST

/* A broken file of many lines is not repeated line by line. */
START_TEST(broken_csv_is_reported_briefly)
{
    static char csv[100000];
    size_t used = 0;
    for (int i = 0; i < 5000; i++) {
        used += (size_t)snprintf(csv + used, sizeof csv - used, "%d;100;0.01\n", i);
    }
    file_write("s.yaml", with_trace, strlen(with_trace));
    file_write("t.csv", csv, used);
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(load(&scenario, &errors), QKD_ERR_INVALID);
    ck_assert_uint_eq(errors.count, 20);
    scn_errors_fini(&errors);
}
END_TEST

static const char with_tables[] = "scenario: tables\nduration: 1 h\nnetwork:\n"
                                  "  nodes: n.csv\n  links: l.csv\n";

START_TEST(tables)
{
    static const char nodes[] = "id,name,lat,lon,clock.drift (ppm)\n"
                                "A,\"West, \"\"old\"\"\",35.7,139.5,\nB,,,,20\nC,,,,\n";
    static const char links[] = "id,a,b,length (km),loss (dB),qkd.rate (kbit/s),qkd.qber\n"
                                "AB,A,B,45,14.5,304,0.02\nBC,B,C,12,,81.7,\n";
    file_write("s.yaml", with_tables, strlen(with_tables));
    file_write("n.csv", nodes, strlen(nodes));
    file_write("l.csv", links, strlen(links));
    const char *texts[] = {"network.links[BC].qkd.rate=5 kbit/s"};
    struct scn_sets sets = {.texts = texts, .count = 1};
    struct scn_scenario *s = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load(path_of("s.yaml"), &sets, &s, &errors), 0);
    scn_errors_fini(&errors);
    ck_assert_uint_eq(s->node_count, 3);
    ck_assert_str_eq(s->nodes[0].name, "West, \"old\"");
    ck_assert(s->nodes[0].has_geo && !s->nodes[1].has_geo);
    ck_assert_double_eq_tol(s->nodes[1].clock_drift_ppm, 20, 1e-12);
    ck_assert_uint_eq(s->link_count, 2);
    ck_assert_uint_eq(s->links[1].b, 2);
    ck_assert_int_eq(s->links[0].length_m, 45000);
    ck_assert_double_eq_tol(s->links[0].loss_db, 14.5, 1e-12);
    ck_assert_uint_eq(s->links[0].qkd.rate_bps, 304000);
    ck_assert_uint_eq(s->links[1].qkd.rate_bps, 5000);
    scn_free(s);
}
END_TEST

static const struct bad_csv bad_tables[] = {
    {"id\nA\nB\nA\n", "id,a,b,qkd.rate\nAB,A,B,1 kbit/s\n",
     "/n.csv:4:1: the node id 'A' is used twice: first on line 2"},
    {"id\nA\nB\n", "id,a,b,qkd.rate\nAB,A,X,1 kbit/s\n", "/l.csv:2:6: unknown node 'X'"},
    {"id\nA\nB\n", "id,a,b,qkd.rate\nAB,A,B,1\n", "/l.csv:2:8: rate '1' has no unit"},
    {"id\nA\nB\n", "id,a,b,rate\nAB,A,B,1\n", "/l.csv:2:1: the key 'qkd' is missing in link"},
    {"id\nA\nB\n", "id,a,b,qkd.rate\nAB,A,B\n", "/l.csv:2:1: 3 cells, but the header has 4"},
    {"id\nA\nB\n", "id,a,b,qkd.rate (kbit/s\nAB,A,B,1\n", "/l.csv:1:8: expected 'key'"},
    {"id\nA\nB\n", "", "/l.csv:1:1: the table is empty"},
    {"id\nA\nB", "id,a,b,qkd.rate\n", "/n.csv:3:1: the last line has no end"},
    {"\nid,lat,lon\nA,95,0\n", "id\n", "/n.csv:3:3: lat '95' is out of range"},
};

START_TEST(bad_table)
{
    const struct bad_csv *bad = &bad_tables[_i];
    file_write("s.yaml", with_tables, strlen(with_tables));
    file_write("n.csv", bad->scenario, strlen(bad->scenario));
    file_write("l.csv", bad->csv, strlen(bad->csv));
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(load(&scenario, &errors), QKD_ERR_INVALID);
    bool found = false;
    for (size_t i = 0; i < errors.count; i++) {
        found = found ||
                strncmp(errors.lines[i] + strlen(folder), bad->expect, strlen(bad->expect)) == 0;
    }
    ck_assert_msg(found, "%s, not %s", errors.lines[0], bad->expect);
    scn_errors_fini(&errors);
}
END_TEST

/* Every sort of key fits into a cell: lists of names, words, quantities; a table of cables too. */
START_TEST(tables_of_all_keys)
{
    static const char scenario[] =
        "scenario: tables\nduration: 1 h\nnetwork:\n  nodes: n.csv\n  links: l.csv\n"
        "  classical: {switches: [hub], links: c.csv}\n";
    static const char nodes[] = "id,user_networks,boundary,mac,clock.offset (ms)\n"
                                "A,lan-a 10.1.0.0/16 2001:db8::/32,outside,02:00:00:00:00:0a,-5\n"
                                "B,,,,\n";
    static const char links[] = "id,a,b,initial (kbit),qkd.blocks,qkd.rate (kbit/s),store (Mbit)\n"
                                "AB,A,B,80,poisson,304,8\n";
    static const char cables[] =
        "id,a,b,latency (ms),bandwidth (Mbit/s)\n,A,hub,2,100\nb,B,hub,,\n";
    file_write("s.yaml", scenario, strlen(scenario));
    file_write("n.csv", nodes, strlen(nodes));
    file_write("l.csv", links, strlen(links));
    file_write("c.csv", cables, strlen(cables));
    struct scn_scenario *s = load_good();
    ck_assert_uint_eq(s->nodes[0].user_network_count, 3);
    ck_assert_str_eq(s->nodes[0].user_networks[2].name, "2001:db8::/32");
    ck_assert_int_eq(s->nodes[0].boundary, SCN_BOUNDARY_OUTSIDE);
    ck_assert_int_eq(s->nodes[0].clock_offset_ns, -5000000);
    ck_assert_uint_eq(s->nodes[0].mac[5], 10);
    ck_assert_uint_eq(s->nodes[1].user_network_count, 0);
    ck_assert_uint_eq(s->links[0].initial_bits, 80000);
    ck_assert_int_eq(s->links[0].qkd.blocks, SCN_BLOCKS_POISSON);
    ck_assert_uint_eq(s->classical.link_count, 2);
    ck_assert_str_eq(s->classical.links[0].id, "A-hub");
    ck_assert_int_eq(s->classical.links[0].latency_ns, 2000000);
    ck_assert_uint_eq(s->classical.links[1].bandwidth_bps, 1000000000);
    scn_free(s);
}
END_TEST

struct shipped {
    const char *path;
    size_t nodes, links;
    uint64_t rate_bps; /* of all links together */
};

/* Sums of the published figures: Dynes 2019 (2.58 + 2.40 + 2.22 Mbit/s), Sasaki 2011 (81.7 + 2.1 +
 * 2 + 304 + 0.41 kbit/s). */
static const struct shipped shipped[] = {{"scenarios/line-3.yaml", 3, 2, 385700},
                                         {"scenarios/cambridge-2019.yaml", 3, 3, 7200000},
                                         {"scenarios/tokyo-2010.yaml", 5, 5, 390210},
                                         {"scenarios/tokyo-2010-x100.yaml", 5, 5, 39021000}};

START_TEST(shipped_scenarios)
{
    struct scn_scenario *s = NULL;
    struct scn_errors errors;
    int err = scn_load(shipped[_i].path, NULL, &s, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    ck_assert_uint_eq(s->node_count, shipped[_i].nodes);
    ck_assert_uint_eq(s->link_count, shipped[_i].links);
    uint64_t rate_bps = 0;
    double requests_per_s = 0;
    for (size_t i = 0; i < s->link_count; i++) {
        rate_bps += s->links[i].qkd.rate_bps;
    }
    for (size_t i = 0; i < s->application_count; i++) {
        requests_per_s += s->applications[i].rate_per_s;
    }
    ck_assert_uint_eq(rate_bps, shipped[_i].rate_bps);
    ck_assert(_i != 3 || (requests_per_s > 9.999 && requests_per_s < 10.001));
    ck_assert_uint_gt(s->expect_count, 0);
    scn_free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario files");
    TCase *tc = tcase_create("files");
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, trace_file);
    tcase_add_test(tc, times_file);
    tcase_add_loop_test(tc, bad_series, 0, (int)(sizeof bad_csvs / sizeof bad_csvs[0]));
    tcase_add_test(tc, csv_with_zero_byte);
    tcase_add_test(tc, broken_csv_is_reported_briefly);
    tcase_add_test(tc, tables);
    tcase_add_test(tc, tables_of_all_keys);
    tcase_add_loop_test(tc, bad_table, 0, (int)(sizeof bad_tables / sizeof bad_tables[0]));
    tcase_add_loop_test(tc, shipped_scenarios, 0, (int)(sizeof shipped / sizeof shipped[0]));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
