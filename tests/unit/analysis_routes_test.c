/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/routes: names of routes, which figures they have, and what is wrong with a name. The
 * network is that of tests/lib/results.h: A - B - C, video from A to C, mail from C to A. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/routes.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static struct scn_scenario *scenario;
static uint32_t nodes[] = {0, 1, 2};
static struct scn_route_use use = {.nodes = nodes,
                                   .node_count = 3,
                                   .served = 7,
                                   .periods = 2,
                                   .first_s = 1.5,
                                   .last_s = 61.5,
                                   .span_s = 60};
static struct scn_application_summary application = {.routes = &use, .route_count = 1};

static void setup(void)
{
    scenario = test_scenario();
}

static void teardown(void)
{
    scn_free(scenario);
}

static double number(const char *what)
{
    return ana_route_number(scenario, &application, what);
}

START_TEST(figures)
{
    ck_assert(number("route[A>B>C].served") == 7);
    ck_assert(number("route[A>B>C].periods") == 2);
    ck_assert(number("route[A>B>C].first_s") == 1.5);
    ck_assert(number("route[A>B>C].last_s") == 61.5);
    ck_assert(number("route[A>B>C].span_s") == 60);
    char text[ANA_ROUTE_SIZE];
    ck_assert_str_eq(ana_route_text(scenario, &use, text, sizeof text), "A>B>C");
    ck_assert_str_eq(ana_route_text(scenario, &use, text, 4), "A>B");
}
END_TEST

/* A route that was never used has served nothing, and no time. */
START_TEST(unused_route)
{
    ck_assert(number("route[A>B].served") == 0);
    ck_assert(number("route[A>C].periods") == 0);
    ck_assert(number("route[C>B>A].served") == 0);
    ck_assert(number("route[A>B>C>B].served") == 0);
    ck_assert(isnan(number("route[A>B].first_s")));
    ck_assert(isnan(number("route[A>B>C].nothing")));
    ck_assert(isnan(number("route[A>B>C]")));
    ck_assert(isnan(number("routes")));
}
END_TEST

struct bad {
    const char *what, *why;
};

static const struct bad bad[] = {
    {"route[A>B>X].served", "there is no node 'X'"},
    {"route[B>C].served", "routes of 'video' begin at A"},
    {"route[A>B].served", "routes of 'video' end at C"},
    {"route[].served", "routes of 'video' end at C"},
    {"route[A>>C].served", "routes of 'video' end at C"},
    {"route[A>C].served", "no link joins A and C"},
    {"route[A>B>C].serves", "'serves' is no figure of a route; did you mean 'served'?"},
    {"route[A>B>C", "expected route[A>B>C].FIGURE"},
    {"route[A>B>C]served", "expected route[A>B>C].FIGURE"},
};

START_TEST(mistakes)
{
    struct ana_error error = {0};
    ck_assert_int_eq(ana_route_check(scenario, 0, bad[_i].what, &error), QKD_ERR_INVALID);
    ck_assert_msg(strstr(error.text, bad[_i].why) != NULL, "%s", error.text);
}
END_TEST

START_TEST(good_names)
{
    struct ana_error error = {0};
    ck_assert_int_eq(ana_route_check(scenario, 0, "route[A>B>C].last_s", &error), 0);
    ck_assert_int_eq(ana_route_check(scenario, 1, "route[C>B>A].span_s", &error), 0);
    ck_assert(ana_route_names("route[A>B>C].last_s"));
    ck_assert(!ana_route_names("requests.served"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routes");
    TCase *tc = tcase_create("routes");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, figures);
    tcase_add_test(tc, unused_route);
    tcase_add_loop_test(tc, mistakes, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(tc, good_names);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
