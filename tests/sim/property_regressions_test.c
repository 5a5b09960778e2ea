/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replays every seed of tests/sim/regressions.txt: each one failed once. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_random.h"

static int kind_of(const char *name)
{
    for (int kind = 0; kind < RANDOM_KINDS; kind++) {
        if (strcmp(random_kind_name((enum random_kind)kind), name) == 0) {
            return kind;
        }
    }
    return -1;
}

START_TEST(regressions)
{
    FILE *file = fopen("tests/sim/regressions.txt", "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    unsigned replayed = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        char name[32];
        uint64_t seed = 0;
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        ck_assert_msg(sscanf(line, "%31s %" SCNu64, name, &seed) == 2, "not a seed: %s", line);
        int kind = kind_of(name);
        ck_assert_msg(kind >= 0, "unknown kind: %s", line);
        char why[1024];
        random_judge((enum random_kind)kind, seed, why, sizeof(why));
        ck_assert_msg(why[0] == '\0', "%s", why);
        replayed++;
    }
    (void)fclose(file);
    ck_assert_uint_gt(replayed, 0);
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
