/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Floods and cuts at each attack surface, in SimGrid's network: a flood of ten times the honest load, and a
 * thousand messages a second at least, costs honest applications at most 5 % of their requests while limits
 * and filter stand, and much more without them; memory stays bounded; the manager hears of it; what was cut
 * goes on afterwards. Counted by hand: 5 requests a second from 1 s to 30 s are 146. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

#define LINE                                                                                       \
    "scenario: flooded line\nseed: 1\nduration: 30 s\nengine: fast\n"                              \
    "network:\n  nodes:\n    - {id: A, boundary: outside}\n"                                       \
    "    - {id: B, boundary: outside}\n    - {id: C, boundary: outside}\n"                         \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 20 km, qkd: {rate: 100 kbit/s, block: 128 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 128 kbit}}\n"      \
    "key_management: {deployment: two}\n"                                                          \
    "applications:\n"                                                                              \
    "  - {id: v, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 4 /s, offset: 5 s}\n"     \
    "  - {id: w, from: A, to: B, key: 256 bit, arrivals: periodic, rate: 1 /s, offset: 5.1 s}\n"
#define COSTS "security={work: 5 ms, requests: 20, retry: 200 ms}"
#define WHEN "at: 10 s, for: 10 s"

enum { HONEST = 125, BACKLOG = 1000 }; /* requests from 5 s on: 100 and 25 */

/* With all measures in SimGrid's network; without some of them in the fast world: SimGrid runs once in a
 * process. */
static struct case_run *run_with(const char *attack, const char *measures)
{
    enum scn_engine engine = measures[0] == '\0' ? SCN_ENGINE_SIMGRID : SCN_ENGINE_FAST;
    char sets[2][256];
    (void)snprintf(sets[0], sizeof sets[0], "attacks=[%s]", attack);
    (void)snprintf(sets[1], sizeof sets[1], "measures={%s}", measures);
    const char *list[] = {sets[0], sets[1], COSTS, NULL};
    struct case_run *run = case_run_new(LINE,
                                        &(struct case_options){.sets = list, .engine = engine});
    ck_assert_int_eq(run->rc, 0);
    ck_assert_uint_eq(run->summary.oracle.violations, 0);
    return run;
}

static const struct {
    const char *surface, *flood;
} floods[] = {
    {"K1", "junk"},   {"K1", "forged"}, {"K2-1", "junk"},   {"K2-1", "forged"}, {"K3", "forged"},
    {"A1", "forged"}, {"K2-2", "junk"}, {"K2-2", "forged"}, {"C&M", "forged"},  {"A1", "strangers"},
};

START_TEST(a_flood_costs_five_percent)
{
    char attack[128];
    (void)snprintf(attack, sizeof attack, "{surface: %s, what: flood, flood: %s, " WHEN "}",
                   floods[_i].surface, floods[_i].flood);
    struct case_run *on = run_with(attack, "");
    const struct scn_attack_summary *a = &on->summary.attacks[0];
    ck_assert_uint_ge(a->sent, 9999);
    ck_assert_uint_eq(a->accepted, 0);
    ck_assert_uint_ge(on->summary.requests.served * 100, HONEST * 95);
    ck_assert_uint_lt(a->backlog, BACKLOG / 2);
    ck_assert_double_lt(a->restore_s, 1);
    if (strcmp(floods[_i].flood, "strangers") != 0) {
        ck_assert_double_lt(a->alarm_s, 3);
    }
    case_run_free(on);
    struct case_run *off = run_with(attack, "rate_limit: off, peer_filter: off");
    ck_assert_uint_lt(off->summary.requests.served * 100, HONEST * 80);
    ck_assert_uint_eq(off->summary.attacks[0].backlog, BACKLOG);
    case_run_free(off);
}
END_TEST

/* Controller and manager: routes are kept, reports arrive. */
START_TEST(controller_and_manager_are_flooded)
{
    static const char *const surfaces[] = {"C", "M"};
    char attack[128];
    (void)snprintf(attack, sizeof attack, "{surface: %s, what: flood, flood: forged, " WHEN "}",
                   surfaces[_i]);
    struct case_run *on = run_with(attack, "");
    ck_assert_uint_eq(on->summary.requests.served, HONEST);
    ck_assert_uint_eq(on->summary.attacks[0].missed, 0);
    ck_assert_double_lt(on->summary.attacks[0].alarm_s, 3);
    case_run_free(on);
}
END_TEST

/* A valid application that asks a thousand times a second is refused, and others are served. */
START_TEST(one_application_asks_for_all)
{
    const char *attack = "{surface: A1, what: flood, flood: requests, application: w, " WHEN "}";
    struct case_run *on = run_with(attack, "");
    const struct scn_application_summary *v = &on->summary.applications[0];
    const struct scn_application_summary *w = &on->summary.applications[1];
    ck_assert_uint_ge(v->requests.served, 95);
    ck_assert_uint_le(w->requests.served, 15 + 20 * 16); /* its quota, until its patience ends */
    case_run_free(on);
    struct case_run *off = run_with(attack, "rate_limit: off");
    ck_assert_uint_lt(off->summary.applications[0].requests.served, 80);
    case_run_free(off);
}
END_TEST

/* Half a second without a link: what was under way is asked again, in the same bytes, and served. */
START_TEST(a_short_cut_costs_nothing)
{
    static const char *const surfaces[] = {"K2-1", "K3", "A1", "K2-2"};
    char attack[128];
    (void)snprintf(attack, sizeof attack, "{surface: %s, what: drop, at: 10 s, for: 500 ms}",
                   surfaces[_i]);
    struct case_run *on = run_with(attack, "");
    ck_assert_uint_gt(on->summary.attacks[0].touched, 0);
    ck_assert_uint_eq(on->summary.requests.served, HONEST);
    ck_assert_uint_eq(on->summary.mismatched_pairs, 0);
    ck_assert_double_lt(on->summary.attacks[0].restore_s, 2);
    case_run_free(on);
    struct case_run *off = run_with(attack, "resend: off");
    ck_assert_uint_lt(off->summary.requests.served, HONEST);
    case_run_free(off);
}
END_TEST

/* Ten seconds without a module, a controller, a manager. */
START_TEST(a_long_cut_is_told_and_survived)
{
    static const char *const surfaces[] = {"K1", "C", "M", "C&M"};
    char attack[128];
    (void)snprintf(attack, sizeof attack, "{surface: %s, what: drop, " WHEN "}", surfaces[_i]);
    struct case_run *on = run_with(attack, "");
    ck_assert_uint_eq(on->summary.requests.served, HONEST);
    ck_assert_uint_eq(on->summary.attacks[0].missed, 0);
    /* NaN is not; K1: a store lasts, no alarm; M: it comes when the manager can be told again. */
    ck_assert(_i == 0 || on->summary.attacks[0].alarm_s < 13);
    case_run_free(on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flood");
    TCase *tests = tcase_create("flood");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_flood_costs_five_percent, 0, sizeof floods / sizeof floods[0]);
    tcase_add_loop_test(tests, controller_and_manager_are_flooded, 0, 2);
    tcase_add_test(tests, one_application_asks_for_all);
    tcase_add_loop_test(tests, a_short_cut_costs_nothing, 0, 4);
    tcase_add_loop_test(tests, a_long_cut_is_told_and_survived, 0, 4);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
