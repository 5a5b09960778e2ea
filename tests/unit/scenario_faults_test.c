/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/faults.c: lists, risk groups, repetition and chance become single faults. Instants of
 * maintenance windows are counted by hand; random failures are held against the law that
 * docs/scenario.md promises: an alternating renewal process with exponential times, whose long-run
 * share of time in repair is mttr / (mtbf + mttr) (Barlow and Proschan, "Mathematical Theory of
 * Reliability", 1965, chapter 5), and whose times have a standard deviation equal to their mean. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/scenario.h"

#define S INT64_C(1000000000)
#define HEAD                                                                                       \
    "scenario: f\n"                                                                                \
    "duration: 1000 s\n"                                                                           \
    "engine: fast\n"                                                                               \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"                                              \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], qkd: {rate: 9 kbit/s}}\n"                                        \
    "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s}}\n"                                        \
    "    - {id: CD, ends: [C, D], qkd: {rate: 9 kbit/s}}\n"                                        \
    "  risk_groups: [{id: duct, links: [AB, CD], nodes: [D]}]\n"

static struct scn_scenario *load_set(const char *text, const char *set)
{
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    const char *texts[] = {set};
    struct scn_sets sets = {texts, set == NULL ? 0 : 1};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int rc = scn_load_text(&input, &sets, &scenario, &errors);
    ck_assert_msg(rc == 0, "%s", errors.count > 0 ? errors.lines[0] : "?");
    scn_errors_fini(&errors);
    return scenario;
}

static struct scn_scenario *load(const char *text)
{
    return load_set(text, NULL);
}

static void ck_fault(const struct scn_fault *fault, int64_t at_s, int64_t for_s, const char *event)
{
    ck_assert_int_eq(fault->at_ns, at_s * S);
    ck_assert_int_eq(fault->for_ns, for_s == 0 ? SCN_FOREVER : for_s * S);
    ck_assert_str_eq(fault->event, event);
}

START_TEST(groups_and_lists_are_one_event)
{
    struct scn_scenario *s = load(HEAD "faults:\n"
                                       "  - {at: 5 s, group: duct, for: 2 s}\n"
                                       "  - {at: 7 s, link: BC, what: quantum}\n"
                                       "  - {at: 9 s, node: [A, C], what: down, for: 1 s}\n"
                                       "  - {at: 9 s, link: BC, event: storm, for: 1 s}\n"
                                       "  - {at: 10 s, node: A, what: down, event: storm}\n"
                                       "  - {at: 7 s, link: BC}\n");
    ck_assert_uint_eq(s->fault_count, 9);
    ck_fault(&s->faults[0], 5, 2, "duct");
    ck_assert(s->faults[0].target == SCN_TARGET_LINK && s->faults[0].index == 0);
    ck_assert(s->faults[1].target == SCN_TARGET_LINK && s->faults[1].index == 2);
    ck_assert(s->faults[2].target == SCN_TARGET_NODE && s->faults[2].index == 3);
    ck_assert_int_eq(s->faults[0].what, SCN_FAULT_BOTH);
    ck_assert_int_eq(s->faults[2].what, SCN_FAULT_CRASH);
    ck_fault(&s->faults[3], 7, 0, "");
    ck_fault(&s->faults[4], 9, 1, "fault-3");
    ck_fault(&s->faults[5], 9, 1, "fault-3");
    static const uint32_t events[] = {0, 0, 0, 1, 2, 2, 3, 3, 4};
    for (size_t i = 0; i < s->fault_count; i++) {
        ck_assert_uint_eq(s->faults[i].event_number, events[i]);
    }
    ck_assert_uint_eq(s->fault_events, 5);
    scn_free(s);
}
END_TEST

/* 100, 400, 700 s; at 1000 s the run is over. With `until: 700 s` the third does not begin. */
START_TEST(windows_come_again)
{
    struct scn_scenario *s = load(
        HEAD "faults:\n"
             "  - {at: 100 s, every: 300 s, for: 20 s, link: AB, event: m}\n"
             "  - {at: 100 s, every: 300 s, for: 20 s, until: 700 s, node: B}\n"
             "  - {at: 600 s, every: 300 s, for: 9 s, group: duct}\n");
    ck_assert_uint_eq(s->fault_count, 3 + 2 + 2 * 3);
    ck_fault(&s->faults[0], 100, 20, "m.1");
    ck_fault(&s->faults[1], 400, 20, "m.2");
    ck_fault(&s->faults[2], 700, 20, "m.3");
    ck_fault(&s->faults[3], 100, 20, "");
    ck_fault(&s->faults[4], 400, 20, "");
    ck_fault(&s->faults[5], 600, 9, "duct.1");
    ck_fault(&s->faults[10], 900, 9, "duct.2");
    ck_assert_uint_eq(s->fault_events, 3 + 2 + 2);
    scn_free(s);
}
END_TEST

/* Mean and share of time, each within 5 standard errors: for n exponential times the mean's is
 * mean / sqrt(n). One process for each of three links, over 10 years of 10 h and 30 min. */
START_TEST(random_failures_have_their_law)
{
    struct scn_scenario *s = load_set(HEAD "faults: [{mtbf: 10 h, mttr: 30 min, link: '*', what: "
                                           "quantum, event: r}]\n",
                                      "duration=3650 d");
    double good_s[3] = {0, 0, 0};
    double bad_s[3] = {0, 0, 0};
    int64_t end_ns[3] = {0, 0, 0};
    double count[3] = {0, 0, 0};
    for (size_t i = 0; i < s->fault_count; i++) {
        const struct scn_fault *fault = &s->faults[i];
        uint32_t link = fault->index;
        ck_assert_int_ge(fault->at_ns, end_ns[link]);
        good_s[link] += (double)(fault->at_ns - end_ns[link]) / 1e9;
        bad_s[link] += (double)fault->for_ns / 1e9;
        end_ns[link] = fault->at_ns + fault->for_ns;
        count[link]++;
    }
    for (int i = 0; i < 3; i++) {
        double sigmas = 5 / sqrt(count[i]);
        ck_assert_double_eq_tol(count[i], 3650.0 * 24 / 10.5, 5 * sqrt(3650.0 * 24 / 10.5));
        ck_assert_double_eq_tol(good_s[i] / count[i] / 36000, 1, sigmas);
        ck_assert_double_eq_tol(bad_s[i] / count[i] / 1800, 1, sigmas);
    }
    ck_assert(good_s[0] != good_s[1] && good_s[1] != good_s[2]);
    ck_assert_str_eq(s->faults[0].event, "r.AB.1");
    ck_assert_str_eq(s->faults[1].event, "r.AB.2");
    scn_free(s);
}
END_TEST

/* The instants of a thing depend on the seed and on its own place, not on what stands behind it. */
START_TEST(streams_are_apart)
{
    static const char one[] = HEAD "faults: [{mtbf: 100 s, mttr: 10 s, link: AB}]\n";
    static const char more[] = HEAD "faults: [{mtbf: 100 s, mttr: 10 s, link: AB}, {mtbf: 100 s, "
                                    "mttr: 10 s, link: BC}]\n";
    struct scn_scenario *a = load(one);
    struct scn_scenario *b = load(more);
    struct scn_scenario *c = load_set(one, "seed=2");
    struct scn_scenario *d = load_set(one, "seeds.faults=2");
    struct scn_scenario *e = load_set(one, "seeds.arrivals=2");
    ck_assert(a->fault_count > 2 && b->fault_count > a->fault_count && c->fault_count > 0);
    for (size_t i = 0; i < a->fault_count; i++) {
        ck_assert_int_eq(a->faults[i].at_ns, b->faults[i].at_ns);
        ck_assert_int_eq(a->faults[i].at_ns, e->faults[i].at_ns);
    }
    ck_assert_int_ne(a->faults[0].at_ns, c->faults[0].at_ns);
    ck_assert_int_eq(c->faults[0].at_ns, d->faults[0].at_ns);
    ck_assert_int_ne(b->faults[a->fault_count].at_ns, a->faults[0].at_ns);
    struct scn_scenario *all[] = {a, b, c, d, e};
    for (int i = 0; i < 5; i++) {
        scn_free(all[i]);
    }
}
END_TEST

/* What --show prints loads to the same faults. */
START_TEST(single_faults_are_printed)
{
    struct scn_scenario *s = load(
        HEAD
        "faults:\n"
        "  - {mtbf: 200 s, mttr: 20 s, node: '*', event: r}\n"
        "  - {at: 5 s, group: duct, for: 2 s}\n"
        "  - {at: 5 s, link: BC, what: degraded, loss: 3 dB, qber: 2 %, rate: 0.25, for: 2 s}\n"
        "  - {at: 5 s, link: BC, what: module, end: C, for: 2 s}\n"
        "  - {at: 5 s, link: [AB, BC], what: impaired, delay: 3 ms, frame_loss: 0.5,\n"
        "     frame_corruption: 1 %, for: 2 s}\n"
        "  - {at: 5 s, node: [A, B], what: partition, for: 2 s}\n"
        "  - {at: 5 s, element: manager, for: 2 s}\n");
    char *printed = scn_print(s);
    ck_assert_ptr_nonnull(printed);
    struct scn_scenario *again = load(printed);
    char hash[2][65];
    ck_assert_int_eq(scn_hash(s, hash[0]), 0);
    ck_assert_int_eq(scn_hash(again, hash[1]), 0);
    ck_assert_str_eq(hash[0], hash[1]);
    ck_assert_uint_eq(again->fault_count, s->fault_count);
    ck_assert_uint_eq(again->fault_events, s->fault_events);
    for (size_t i = 0; i < s->fault_count; i++) {
        ck_assert_uint_eq(again->faults[i].event_number, s->faults[i].event_number);
        ck_assert_uint_eq(again->faults[i].index, s->faults[i].index);
        ck_assert_int_eq(again->faults[i].what, s->faults[i].what);
        ck_assert_int_eq(again->faults[i].target, s->faults[i].target);
    }
    free(printed);
    scn_free(s);
    scn_free(again);
}
END_TEST

/* 1000 s / 1 ms are a million single faults. */
START_TEST(too_many_are_refused)
{
    static const char text[] = HEAD "faults: [{at: 0, every: 1 ms, for: 1 us, link: AB}]\n";
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_ne(scn_load_text(&input, NULL, &scenario, &errors), 0);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_msg(strstr(errors.lines[0], "more than 100000 single ones") != NULL, "%s",
                  errors.lines[0]);
    scn_errors_fini(&errors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario faults");
    TCase *tcase = tcase_create("expansion");
    tcase_add_test(tcase, groups_and_lists_are_one_event);
    tcase_add_test(tcase, windows_come_again);
    tcase_add_test(tcase, random_failures_have_their_law);
    tcase_add_test(tcase, streams_are_apart);
    tcase_add_test(tcase, single_faults_are_printed);
    tcase_add_test(tcase, too_many_are_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
