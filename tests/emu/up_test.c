/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn up`, status, logs and down with the real daemons: three nodes in a line, each step as a user would
 * take it, judged by exit codes and by what is printed. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "emu/base/address.h"
#include "emu/deploy/folder.h"

#define PORTS 70 /* of seven daemons */
#define OUTPUT (64 * 1024)

static char top[64], output[OUTPUT];
static unsigned base;

static void ports_find(void)
{
    for (base = 23000 + (unsigned)getpid() % 100 * PORTS; base < 32000; base += PORTS) {
        unsigned port = base;
        for (; port < base + PORTS; port++) {
            char address[32];
            int fd = -1;
            snprintf(address, sizeof address, "127.0.0.1:%u", port);
            if (emu_listen(address, &fd, NULL) != 0) {
                break;
            }
            (void)close(fd);
        }
        if (port == base + PORTS) {
            return;
        }
    }
    ck_abort_msg("no free ports");
}

/* Runs a command of qkdn; its exit code, what it printed in `output`. */
static int qkdn(const char *arguments)
{
    char command[1024];
    const char *program = getenv("QKDN");
    snprintf(command, sizeof command, "XDG_RUNTIME_DIR=%s %s %s 2>&1", top,
             program == NULL ? "build/dev/qkdn" : program, arguments);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t len = fread(output, 1, sizeof output - 1, pipe);
    output[len] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void up(const char *options, int code)
{
    char text[512];
    snprintf(text, sizeof text, "up scenarios/line-3.yaml --detach --base-port %u %s", base,
             options);
    ck_assert_msg(qkdn(text) == code, "%s", output);
}

/* The first number behind a text in the output. */
static long number_after(const char *text)
{
    const char *at = strstr(output, text);
    ck_assert_msg(at != NULL, "%s: %s", text, output);
    return strtol(at + strlen(text), NULL, 10);
}

static bool gone(long pid)
{
    for (int i = 0; i < 500 && kill((pid_t)pid, 0) == 0; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return kill((pid_t)pid, 0) != 0;
}

static void setup(void)
{
    snprintf(top, sizeof top, "/tmp/qkdn_up_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ports_find();
}

static void teardown(void)
{
    (void)qkdn("down --quiet");
    ck_assert_int_eq(emu_folder_remove(top, NULL), 0);
}

START_TEST(a_day)
{
    up("--json", 0);
    long pid = number_after("\"pid\": ");
    ck_assert_int_eq(qkdn("status --json"), 0);
    ck_assert_ptr_nonnull(strstr(output, "\"ready\": true,"));
    ck_assert_ptr_null(strstr(output, "\"ready\": false"));
    ck_assert_int_eq(number_after("\"pid\": "), pid);
    ck_assert_int_eq(qkdn("logs linkd.AB"), 0);
    ck_assert_ptr_nonnull(strstr(output, "\"daemon\":\"linkd.AB\",\"event\":\"ready\""));
    ck_assert_ptr_null(strstr(output, "\"daemon\":\"kmd"));
    /* A second one: by name; and in another place: by its ports. */
    up("", 2);
    ck_assert_ptr_nonnull(strstr(output, "is up already (process "));
    char other[256];
    snprintf(other, sizeof other, "--dir %s/other", top);
    up(other, 2);
    snprintf(other, sizeof other, "qkdn up: kmd.A: 127.0.0.1:%u is in use\n", base);
    ck_assert_str_eq(output, other);
    snprintf(other, sizeof other, "%s/other", top); /* nothing is left that would be in the way */
    ck_assert_int_ne(access(other, F_OK), 0);
    snprintf(other, sizeof other, "--run --until '61 s' --dir %s/other", top);
    char text[1024];
    snprintf(text, sizeof text, "up scenarios/line-3.yaml --base-port %u %s", base, other);
    ck_assert_int_eq(qkdn(text), 2);
    ck_assert_ptr_nonnull(strstr(output, " is in use\n"));
    snprintf(other, sizeof other, "--dir %s/other --bin %s", top, top); /* no programs there */
    up(other, 2);
    snprintf(other, sizeof other, "%s/other", top);
    ck_assert_int_ne(access(other, F_OK), 0);
    ck_assert_int_eq(qkdn("down"), 0);
    ck_assert(gone(pid));
    ck_assert_int_eq(qkdn("status"), 2);
    /* Another file of that name does not replace it. */
    snprintf(other, sizeof other, "cp scenarios/line-3.yaml %s/line-3.yaml", top);
    ck_assert_int_eq(system(other), 0);
    snprintf(other, sizeof other, "up %s/line-3.yaml", top);
    ck_assert_int_eq(qkdn(other), 2);
    ck_assert_ptr_nonnull(
        strstr(output, "/scenarios/line-3.yaml; choose another place with --dir"));
}
END_TEST

/* Kills a daemon whose number is in the output. */
static void kill_daemon(const char *quoted_name)
{
    const char *line = strstr(output, quoted_name);
    const char *at = line == NULL ? NULL : strstr(line, "\"pid\": ");
    ck_assert_msg(at != NULL, "%s", output);
    ck_assert_int_eq(kill((pid_t)strtol(at + strlen("\"pid\": "), NULL, 10), SIGKILL), 0);
}

/* A daemon that dies is the end of all; with --restart it comes back and all are ready again. */
START_TEST(a_daemon_dies)
{
    up("--json --quiet", 0);
    long pid = number_after("\"pid\": ");
    kill_daemon("\"kmd.B\"");
    ck_assert(gone(pid));
    char path[128];
    char text[128] = "";
    snprintf(path, sizeof path, "%s/qkdn/line-3/up.log", top);
    FILE *log = fopen(path, "r");
    ck_assert_ptr_nonnull(log);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, log));
    (void)fclose(log);
    ck_assert_str_eq(text, "qkdn up: kmd.B was ended by signal 9 (Killed)\n");

    up("--json --restart", 0);
    kill_daemon("\"ctld\"");
    int code = 0;
    for (int i = 0; i < 1200; i++) {
        code = qkdn("status --json");
        if (code == 0 && strstr(output, "\"restarts\": 1") != NULL) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    ck_assert_msg(code == 0 && strstr(output, "\"restarts\": 1") != NULL, "%s", output);
    ck_assert_int_eq(qkdn("down"), 0);
}
END_TEST

/* Under nohup the end of the terminal is not the end of the network. */
START_TEST(hangup_ignored)
{
    char text[768];
    const char *program = getenv("QKDN");
    program = program == NULL ? "build/dev/qkdn" : program;
    snprintf(
        text, sizeof text,
        "exec 2>&1; (trap '' HUP; exec %s up scenarios/line-3.yaml --quiet --base-port %u --dir "
        "%s/net) & up=$!; for i in $(seq 900); do %s status --dir %s/net >%s/said 2>&1 && break; "
        "sleep 0.1; done; kill -HUP $up; sleep 1; %s status --dir %s/net >%s/said || echo gone; "
        "kill $up; wait $up",
        program, base, top, program, top, top, program, top, top);
    FILE *pipe = popen(text, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t len = fread(output, 1, sizeof output - 1, pipe);
    output[len] = '\0';
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_str_eq(output, "");
}
END_TEST

/* Ctrl-C before all are ready is an end in good order, whenever it comes: exit code 0, nothing is said, nothing
 * runs on. (130: it came before the program had begun.) */
START_TEST(interrupted_early)
{
    const char *program = getenv("QKDN");
    program = program == NULL ? "build/dev/qkdn" : program;
    int good = 0;
    for (int ms = 100; ms <= 900; ms += 200) {
        char text[1024];
        snprintf(
            text, sizeof text,
            "timeout --preserve-status -s INT 0.%03d %s up scenarios/line-3.yaml --base-port %u "
            "--dir %s/early --force --quiet 2>&1; echo $?; %s status --dir %s/early 2>&1 | "
            "grep -E 'ready'",
            ms, program, base, top, program, top);
        FILE *pipe = popen(text, "r");
        ck_assert_ptr_nonnull(pipe);
        size_t len = fread(output, 1, sizeof output - 1, pipe);
        output[len] = '\0';
        (void)pclose(pipe);
        good += strcmp(output, "0\n") == 0;
        ck_assert_msg(strcmp(output, "0\n") == 0 || strcmp(output, "130\n") == 0, "after %d ms: %s",
                      ms, output);
    }
    ck_assert_int_gt(good, 0);
}
END_TEST

/* A deployment is there whole or not at all, whenever Ctrl-C comes: nothing with private keys lies beside it. */
START_TEST(interrupted_render)
{
    for (int ms = 10; ms <= 160; ms += 10) {
        char text[768];
        const char *program = getenv("QKDN");
        snprintf(text, sizeof text,
                 "mkdir %s/r && { timeout -s INT 0.%03d %s render scenarios/line-3.yaml --quiet -o "
                 "%s/r/net; ls -A %s/r; test ! -e %s/r/net || test -e %s/r/net/deployment.json || "
                 "echo half; } && rm -rf %s/r",
                 top, ms, program == NULL ? "build/dev/qkdn" : program, top, top, top, top, top);
        FILE *pipe = popen(text, "r");
        ck_assert_ptr_nonnull(pipe);
        size_t len = fread(output, 1, sizeof output - 1, pipe);
        output[len] = '\0';
        ck_assert_int_eq(pclose(pipe), 0);
        ck_assert_msg(len == 0 || strcmp(output, "net\n") == 0, "after %d ms: %s", ms, output);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("up");
    tcase_set_timeout(tests, 250);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_day);
    tcase_add_test(tests, a_daemon_dies);
    tcase_add_test(tests, hangup_ignored);
    tcase_add_test(tests, interrupted_early);
    tcase_add_test(tests, interrupted_render);
    Suite *suite = suite_create("emu_up");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
