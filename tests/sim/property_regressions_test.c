/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replays every line of tests/sim/regressions.txt: each one failed once. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fuzz.h"

/* A scenario file by name, or the plan of a seed. */
static void judge(const char *what, struct sim_fuzz_verdict *verdict)
{
    static char text[SIM_FUZZ_TEXT];
    if (strchr(what, '.') == NULL) {
        struct sim_fuzz_plan plan;
        sim_fuzz_plan_make(&plan, strtoull(what, NULL, 10));
        sim_fuzz_print(&plan, text);
    } else {
        char path[256];
        (void)snprintf(path, sizeof path, "tests/sim/regressions/%s", what);
        FILE *file = fopen(path, "r");
        ck_assert_msg(file != NULL, "%s is not there", path);
        size_t len = fread(text, 1, sizeof text - 1, file);
        text[len] = '\0';
        (void)fclose(file);
    }
    sim_fuzz_judge_text(text, NULL, verdict);
}

START_TEST(regressions)
{
    FILE *file = fopen("tests/sim/regressions.txt", "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    unsigned replayed = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        char what[64];
        double least = 0;
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        ck_assert_msg(sscanf(line, "%63s %lf", what, &least) == 2, "not a line: %s", line);
        struct sim_fuzz_verdict verdict;
        judge(what, &verdict);
        ck_assert_msg(verdict.phase == SIM_FUZZ_GOOD, "%s: %s", what, verdict.why);
        ck_assert_msg((double)verdict.served >= least * (double)verdict.requests,
                      "%s: %" PRIu64 " of %" PRIu64 " requests served", what, verdict.served,
                      verdict.requests);
        replayed++;
    }
    (void)fclose(file);
    ck_assert_uint_gt(replayed, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("property_regressions");
    TCase *tc = tcase_create("regressions");
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, regressions);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
