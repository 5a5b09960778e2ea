/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replays every line of tests/sim/regressions.txt: each one failed once. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fuzz.h"

enum { DRAWS = 5 };

static char text[SIM_FUZZ_TEXT];

/* A scenario file by name, or the plan of a seed. */
static void text_read(const char *what)
{
    if (strchr(what, '.') == NULL) {
        struct sim_fuzz_plan plan;
        sim_fuzz_plan_make(&plan, strtoull(what, NULL, 10));
        sim_fuzz_print(&plan, text);
        return;
    }
    char path[256];
    (void)snprintf(path, sizeof path, "tests/sim/regressions/%s", what);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there", path);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    (void)fclose(file);
}

/* Judges the text with its own seed plus `draw`. */
static void judge(uint64_t draw, struct sim_fuzz_verdict *verdict)
{
    static char drawn[SIM_FUZZ_TEXT + 32];
    static const char key[] = "\nseed: ";
    const char *seed = strstr(text, key);
    ck_assert_ptr_nonnull(seed);
    seed += sizeof key - 1;
    char *after;
    uint64_t own = strtoull(seed, &after, 10);
    int len = snprintf(drawn, sizeof drawn, "%.*s%" PRIu64 "%s", (int)(seed - text), text,
                       own + draw, after);
    ck_assert(len > 0 && (size_t)len < sizeof drawn);
    sim_fuzz_judge_text(drawn, NULL, verdict);
}

/* Its own draw, which failed, and others: what is served of all together counts, so that one poor
 * draw neither hides nor fakes a loss. */
static void replay(const char *what, double least)
{
    uint64_t served = 0, requests = 0;
    text_read(what);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        struct sim_fuzz_verdict verdict;
        judge(draw, &verdict);
        ck_assert_msg(verdict.phase == SIM_FUZZ_GOOD, "%s, seed + %" PRIu64 ": %s", what, draw,
                      verdict.why);
        served += verdict.served;
        requests += verdict.requests;
    }
    /* One that asks for nothing is judged by the oracle alone. */
    double part = requests == 0 ? 1 : (double)served / (double)requests;
    if (getenv("REGRESSIONS_SHOW") != NULL) {
        printf("%-22s %.3f\n", what, part);
    }
    ck_assert_msg(part >= least, "%s: %" PRIu64 " of %" PRIu64 " requests served", what, served,
                  requests);
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
        replay(what, least);
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
