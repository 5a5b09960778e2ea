/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn check -j` and `qkdn fuzz -j` that are killed with SIGKILL leave no process behind: the test
 * becomes the parent of what they leave, and sees how that ended. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS = 2, WAIT_MS = 20000 };

static void pause_ms(long ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&span, NULL);
}

/* Children of a process; as many as fit. */
static int children(pid_t of, pid_t to[JOBS])
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)of, (int)of);
    FILE *file = fopen(path, "r");
    int pid;
    while (file != NULL && count < JOBS && fscanf(file, "%d", &pid) == 1) {
        to[count++] = pid;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

static void killed_leaves_nothing(char *const argv[])
{
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    pid_t parent = fork();
    ck_assert_int_ge(parent, 0);
    if (parent == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    pid_t child[JOBS];
    int begun = 0;
    for (int waited = 0; begun < JOBS && waited < WAIT_MS; waited += 10) {
        pause_ms(10);
        begun = children(parent, child);
    }
    ck_assert_int_eq(begun, JOBS);
    pause_ms(50); /* past their first instructions */
    ck_assert_int_eq(kill(parent, SIGKILL), 0);
    ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
    for (int i = 0; i < JOBS; i++) { /* they are ours now */
        int status = 0;
        pid_t got = 0;
        for (int waited = 0; got == 0 && waited < WAIT_MS; waited += 10) {
            got = waitpid(child[i], &status, WNOHANG);
            pause_ms(10);
        }
        ck_assert_int_eq(got, child[i]);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    }
}

START_TEST(check)
{
    char *const argv[] = {getenv("QKDN"),
                          "check",
                          "-j",
                          "2",
                          "scenarios/hefei-46.yaml",
                          "scenarios/hefei-46.yaml",
                          NULL};
    killed_leaves_nothing(argv);
}
END_TEST

START_TEST(fuzz)
{
    char *const argv[] = {getenv("QKDN"), "fuzz",   "-j",   "2", "--seeds",
                          "1..",          "--time", "60 s", NULL};
    killed_leaves_nothing(argv);
}
END_TEST

int main(void)
{
    if (getenv("QKDN") == NULL) {
        return EXIT_SUCCESS; /* built without the command line */
    }
    Suite *suite = suite_create("check_killed");
    TCase *tests = tcase_create("check_killed");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, check);
    tcase_add_test(tests, fuzz);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
