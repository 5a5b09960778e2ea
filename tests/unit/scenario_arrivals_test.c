/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: the keys of each kind of arrivals: what they become, their defaults, and that the
 * printed scenario loads to the same one. (Mistakes: scenario_errors_test.c.) */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/scenario.h"

#define S INT64_C(1000000000)
#define H (3600 * S)

#define HEAD                                                                                       \
    "scenario: t\nduration: 4 d\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"                          \
    "  links: [{id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}]\napplications:\n"

static struct scn_scenario *load(const char *text, const char *folder)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text), .folder = folder};
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    return scenario;
}

static void prints_the_same(const struct scn_scenario *scenario)
{
    char *printed = scn_print(scenario);
    struct scn_scenario *again = load(printed, NULL);
    char *twice = scn_print(again);
    ck_assert_str_eq(printed, twice);
    free(printed);
    free(twice);
    scn_free(again);
}

START_TEST(on_off)
{
    struct scn_scenario *s = load(
        HEAD "  - {id: e, from: A, to: B, arrivals: on-off, rate: 5 /s, on_time: 2 min, off_time: "
             "90 s}\n"
             "  - {id: f, from: A, to: B, arrivals: on-off, rate: 5 /s, on_time: 8 h, off_time: "
             "16 h, periods: fixed}\n"
             "  - {id: g, from: A, to: B, arrivals: on-off, rate: 5 /s, on_time: 8 h, off_time: "
             "16 h, periods: fixed, offset: 9 h}\n",
        NULL);
    const struct scn_application *a = s->applications;
    ck_assert_int_eq(a[0].arrivals, SCN_ARRIVALS_ON_OFF);
    ck_assert_int_eq(a[0].on_ns, 120 * S);
    ck_assert_int_eq(a[0].off_ns, 90 * S);
    ck_assert_int_eq(a[0].periods, SCN_PERIODS_EXPONENTIAL);
    ck_assert_int_eq(a[0].offset_ns, SCN_AUTO);
    ck_assert_int_eq(a[1].periods, SCN_PERIODS_FIXED);
    ck_assert_int_eq(a[1].offset_ns, 0);
    ck_assert_int_eq(a[2].offset_ns, 9 * H);
    prints_the_same(s);
    scn_free(s);
}
END_TEST

START_TEST(diurnal)
{
    struct scn_scenario *s = load(
        HEAD "  - {id: s, from: A, to: B, arrivals: diurnal, rate: 5 /s}\n"
             "  - {id: t, from: A, to: B, arrivals: diurnal, rate: 5 /s, trough: 30 /min, peak: 6 "
             "min, day: 10 min}\n"
             "  - {id: p, from: A, to: B, arrivals: diurnal, profile: [[30 min, 0], [8 h, 0.1 "
             "/s], [20 h, 60 /h]]}\n"
             "  - {id: z, from: A, to: B, arrivals: diurnal, rate: 5 /s, trough: 0, peak: 0}\n"
             "  - {id: e, from: A, to: B, arrivals: diurnal, day: 48 min, rate: 5 /s}\n",
        NULL);
    const struct scn_application *a = s->applications;
    ck_assert_int_eq(a[0].day_ns, 24 * H);
    ck_assert_int_eq(a[0].peak_ns, 14 * H);
    ck_assert(a[0].trough_per_s <= 0 && a[0].trough_per_s >= 0);
    ck_assert_int_eq(a[1].day_ns, 600 * S);
    ck_assert_int_eq(a[1].peak_ns, 360 * S);
    ck_assert_double_eq_tol(a[1].trough_per_s, 0.5, 1e-12);
    ck_assert_uint_eq(a[2].profile_count, 3);
    ck_assert_int_eq(a[2].profile[0].t_ns, 1800 * S);
    ck_assert_double_eq_tol(a[2].profile[1].rate_per_s, 0.1, 1e-12);
    ck_assert_double_eq_tol(a[2].profile[2].rate_per_s, 1.0 / 60, 1e-12);
    ck_assert_int_eq(a[2].peak_ns, SCN_AUTO);
    ck_assert_int_eq(a[3].peak_ns, 0);
    ck_assert_int_eq(a[4].peak_ns, 28 * 60 * S); /* 14/24 of 48 min */
    prints_the_same(s);
    scn_free(s);
}
END_TEST

/* A profile from a CSV file, with and without its header, and what is wrong with others. */
START_TEST(profile_from_a_file)
{
    static const struct {
        const char *csv, *wrong; /* NULL: right */
    } cases[] = {
        {"time_s,rate_per_s\n0,0.5\n28800,2\n", NULL},
        {"# night, day\n0,0.5\n\n28800,2\n", NULL},
        {"time_s,rate\n0,0.5\n", "p.csv:1:1: the header is not 'time_s,rate_per_s'"},
        {"time_s\n0,0.5\n", "p.csv:1:1: the header is not 'time_s,rate_per_s'"},
        {"time_s,rate_per_s,x\n0,0.5\n", "p.csv:1:1: the header is not 'time_s,rate_per_s'"},
        {"0,0.5\n3600,-1\n", "p.csv:2:6: expected a rate per second"},
        {"0,0.5\n0,1\n", "p.csv:2:1: unsorted"},
        {"0,0.5,1\n", "p.csv:1:1: expected two cells"},
        {"0,0.5", "p.csv:1:1: the last line has no end"},
        {"time_s,rate_per_s\n", "p.csv:1:1: the series is empty"},
    };
    char folder[] = "/tmp/qkdn-profile-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/p.csv", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        (void)fputs(cases[i].csv, file);
        ck_assert_int_eq(fclose(file), 0);
        static const char text[] = HEAD "  - {id: p, from: A, to: B, arrivals: diurnal, "
                                        "profile: p.csv}\n";
        struct scn_text input = {
            .name = "t", .text = text, .len = sizeof text - 1, .folder = folder};
        struct scn_scenario *s = NULL;
        struct scn_errors errors;
        int err = scn_load_text(&input, NULL, &s, &errors);
        if (cases[i].wrong == NULL) {
            ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "");
            ck_assert_uint_eq(s->applications[0].profile_count, 2);
            ck_assert_int_eq(s->applications[0].profile[1].t_ns, 8 * H);
            ck_assert_double_eq_tol(s->applications[0].profile[1].rate_per_s, 2, 1e-12);
            prints_the_same(s);
            scn_free(s);
        } else {
            ck_assert_int_ne(err, 0);
            ck_assert_msg(strstr(errors.lines[0], cases[i].wrong) != NULL, "%s", errors.lines[0]);
        }
        scn_errors_fini(&errors);
    }
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario arrivals");
    TCase *tc = tcase_create("arrivals");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, on_off);
    tcase_add_test(tc, diurnal);
    tcase_add_test(tc, profile_from_a_file);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
