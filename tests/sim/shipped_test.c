/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shipped scenarios: each is run under the oracle and satisfies its expectations; here
 * in the fast engine, in shipped_simgrid_test.c also as written. The large ones: shipped_slow_test.c. Figures of the files
 * against publications: tests/unit/scenario_shipped_test.c. Each test has a process of its own. */
#include <dirent.h>

#include "tests/sim/shipped_lib.h"

/* Seconds in an unoptimised build, half a minute at most. */
static const char *const quick[] = {
    "line-3",           "cambridge-2019", "tokyo-2010", "tokyo-2010-attack", "secoqc-2008",
    "secoqc-rerouting", "madqci-2024",    "hefei-46",   "nsfnet-14",
};

/* In shipped_slow_test.c. */
static const char *const slow[] = {"tokyo-2010-x100", "geant", "grid-1000", "nation-10k"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "scenarios/%s.yaml", name);
    return path;
}

START_TEST(fast)
{
    shipped_check(path_of(quick[_i]), SCN_ENGINE_FAST);
}
END_TEST

static bool is_in(const char *const *names, size_t count, const char *file)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(file, names[i], len) == 0 && strcmp(file + len, ".yaml") == 0) {
            return true;
        }
    }
    return false;
}

/* Every scenario of the folder is in one of the lists. */
START_TEST(none_is_forgotten)
{
    DIR *folder = opendir("scenarios");
    ck_assert_ptr_nonnull(folder);
    size_t count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot != NULL && strcmp(dot, ".yaml") == 0) {
            ck_assert_msg(is_in(quick, COUNT(quick), entry->d_name) ||
                              is_in(slow, COUNT(slow), entry->d_name),
                          "no test runs scenarios/%s", entry->d_name);
            count++;
        }
    }
    (void)closedir(folder);
    ck_assert_uint_eq(count, COUNT(quick) + COUNT(slow));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shipped scenarios");
    TCase *tc = tcase_create("runs");
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, none_is_forgotten);
    tcase_add_loop_test(tc, fast, 0, (int)COUNT(quick));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
