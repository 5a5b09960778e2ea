/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The re-routing experiment of SECOQC (Peev et al. 2009, section 5.1.2), scenarios/secoqc-rerouting.yaml,
 * with one thing changed at a time. As it is shipped, the test check.scenarios runs it. */
#include "tests/sim/shipped_lib.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char path[] = "scenarios/secoqc-rerouting.yaml";

static double route_last_s(const struct shipped *run, size_t index, double *span_s)
{
    const struct scn_application_summary *app = &run->summary.applications[0];
    ck_assert_uint_eq(app->route_count, 3);
    ck_assert_uint_eq(app->routes[index].periods, 1);
    *span_s = app->routes[index].span_s;
    return app->routes[index].last_s;
}

/* With no key made but on FOR-ERD, the stores alone decide. What is usable, above 2 MiB, divided by
 * 8192 bit/s: ERD-BRT 3.5 MiB lasts 3584 s, SIE-BRT 4 MiB 4096 s, ERD-GUD 1.8 MiB 1843.2 s. A route is
 * left within its validity (10 s) and a status period (1 s). */
START_TEST(stores_alone)
{
    const char *texts[] = {"network.links[SIE-ERD].qkd.trace=[[0 s, 0, 0]]",
                           "network.links[SIE-BRT].qkd.trace=[[0 s, 0, 0]]", "expect=[]"};
    struct scn_sets sets = {.texts = texts, .count = COUNT(texts)};
    static const double lasts_s[] = {3584, 4096, 1843.2};
    struct shipped run;
    double before_s = 0;
    double span_s = 0;
    shipped_run(&run, path, &sets, SCN_ENGINE_FAST);
    for (size_t i = 0; i < COUNT(lasts_s); i++) {
        double last_s = route_last_s(&run, i, &span_s);
        ck_assert_double_ge(last_s - before_s, lasts_s[i] - 3); /* two requests */
        ck_assert_double_le(last_s - before_s, lasts_s[i] + 14);
        before_s = last_s;
    }
    shipped_end(&run);
}
END_TEST

/* Without a kept route, the two routes of three links take turns once their stores are equal; without
 * a low mark, the first one goes on until its store is empty. */
START_TEST(what_the_switches_do)
{
    const char *keep[] = {"control.keep_route=false", "expect=[]"};
    const char *mark[] = {"control.low_mark=0", "expect=[]"};
    struct scn_sets sets = {.texts = keep, .count = COUNT(keep)};
    struct shipped run;
    shipped_run(&run, path, &sets, SCN_ENGINE_FAST);
    const struct scn_application_summary *app = &run.summary.applications[0];
    ck_assert_uint_eq(app->route_count, 3);
    ck_assert_uint_gt(app->routes[1].periods, 10);
    ck_assert_uint_gt(app->routes[2].periods, 10);
    shipped_end(&run);
    sets = (struct scn_sets){.texts = mark, .count = COUNT(mark)};
    shipped_run(&run, path, &sets, SCN_ENGINE_FAST);
    app = &run.summary.applications[0];
    /* 5.5 MiB at 8192 bit/s: 5632 s */
    ck_assert_double_ge(app->routes[0].last_s, 5500);
    ck_assert_double_le(app->routes[0].last_s, 5650);
    shipped_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("re-routing");
    TCase *tc = tcase_create("runs");
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, stores_alone);
    tcase_add_test(tc, what_the_switches_do);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
