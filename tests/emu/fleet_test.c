/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fleets (emu/deploy/fleet.h) of a network of two nodes, with daemons that only say what they are told to: the test
 * program itself under the names qkdn-kmd and so on. What such a daemon does stands in a file `behave` in its
 * folder, read at each question:
 *   ready | missing | silent (does not answer) | deaf (does not end at SIGTERM) | exit N (ends at once) */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/deploy/fleet.h"
#include "emu/deploy/render.h"

#define PORTS 50 /* of five daemons */

/* ---- the daemon ---- */

static volatile sig_atomic_t ended;

static void on_term(int number)
{
    (void)number;
    ended = 1;
}

/* What its file says; "ready" without one. */
static void behaviour(const char *config, char to[64])
{
    char path[512];
    snprintf(path, sizeof path, "%.*sbehave", (int)(strrchr(config, '/') + 1 - config), config);
    FILE *file = fopen(path, "r");
    snprintf(to, 64, "ready");
    if (file != NULL) {
        (void)!fgets(to, 64, file);
        (void)fclose(file);
    }
}

static void answer(int fd, const char *how)
{
    char bytes[512];
    bool ready = strcmp(how, "ready") == 0 || strcmp(how, "deaf") == 0;
    (void)!recv(fd, bytes, sizeof bytes, 0);
    int len = snprintf(bytes, sizeof bytes, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n\r\n%s\n",
                       ready ? "200 OK" : "503 Service Unavailable",
                       ready ? "ok" : "KMA of A - KMA of B at Kx-1");
    (void)!send(fd, bytes, (size_t)len, MSG_NOSIGNAL);
}

static int daemon_main(const char *path)
{
    struct emu_config *config = NULL;
    struct scn_errors errors;
    struct emu_why why;
    char how[64];
    int fds[2] = {-1, -1};
    struct sigaction action = {.sa_handler = on_term};
    behaviour(path, how);
    (void)sigaction(SIGTERM, &action, NULL);
    if (emu_config_load(path, &config, &errors) != 0 ||
        emu_listen(config->listen, &fds[0], &why) != 0 ||
        emu_listen(config->status, &fds[1], &why) != 0) {
        fprintf(stderr, "%s: cannot start\n", path);
        return 2;
    }
    printf("%s is here\n", config->daemon);
    (void)fflush(stdout);
    while (!ended || strcmp(how, "deaf") == 0) {
        struct pollfd at = {.fd = fds[1], .events = POLLIN};
        (void)poll(&at, 1, 20);
        behaviour(path, how);
        if (strncmp(how, "exit ", 5) == 0) {
            _exit(atoi(how + 5)); /* as a crash would: nothing is freed */
        }
        int fd = strcmp(how, "silent") == 0 ? -1 : accept(fds[1], NULL, NULL);
        if (fd >= 0) {
            answer(fd, how);
            (void)close(fd);
        }
    }
    scn_errors_fini(&errors);
    emu_config_free(config);
    return 0;
}

/* ---- the rig ---- */

static char top[64], folder[80], programs[80];
static struct emu_fleet *fleet;
static struct emu_why why;
static struct emu_fleet_event event;

/* A base port with free ports behind it. */
static uint16_t ports_find(void)
{
    for (unsigned base = 21000 + (unsigned)getpid() % 200 * 50; base < 32000; base += PORTS) {
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
            return (uint16_t)base;
        }
    }
    ck_abort_msg("no free ports");
    return 0;
}

static void setup(void)
{
    static const char text[] =
        "scenario: pair\nduration: 10 s\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
        "  links: [{id: AB, ends: [A, B], length: 1 km, qkd: {rate: 1 kbit/s}}]\n";
    static const char *const names[] = {"qkdn-kmd", "qkdn-ctld", "qkdn-mgrd", "qkdn-linkd"};
    snprintf(top, sizeof top, "/tmp/qkdn_fleet_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(folder, sizeof folder, "%s/d", top);
    snprintf(programs, sizeof programs, "%s/bin", top);
    ck_assert_int_eq(emu_folder_make(programs, 0700, &why), 0);
    char own[512];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    ck_assert_int_gt(len, 0);
    own[len] = '\0';
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", programs, names[i]);
        ck_assert_int_eq(symlink(own, path), 0);
    }
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text source = {"pair", text, sizeof text - 1, NULL};
    ck_assert_int_eq(scn_load_text(&source, NULL, &scenario, &errors), 0);
    struct emu_render how = {.folder = folder,
                             .epoch_ns = EMU_EPOCH_NONE,
                             .hosts = {.base_port = ports_find()}};
    ck_assert_msg(emu_render(scenario, &how, NULL, &why) == 0, "%s", why.text);
    scn_errors_fini(&errors);
    scn_free(scenario);
}

static void teardown(void)
{
    emu_fleet_free(fleet);
    fleet = NULL;
    ck_assert_msg(emu_folder_remove(top, &why) == 0, "%s", why.text);
}

/* Of a daemon's; NULL: as at the start. */
static void behave(const char *daemon, const char *how)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s/behave", folder, daemon);
    (void)unlink(path);
    if (how != NULL) {
        ck_assert_int_eq(emu_file_write(path, 0600, how, strlen(how), &why), 0);
    }
}

static int open_fleet(bool restart)
{
    struct emu_fleet_options options = {
        .folder = folder, .programs = programs, .restart = restart, .stop_ms = 500};
    return emu_fleet_new(&options, &fleet, &why);
}

/* Runs until such an event; false: it did not come in 10 s. */
static bool await(enum emu_fleet_what what)
{
    time_t until = time(NULL) + 10;
    while (time(NULL) < until) {
        emu_fleet_poll(fleet, 100, &event);
        if (event.what == what) {
            return true;
        }
    }
    return false;
}

static void start_ready(bool restart)
{
    ck_assert_msg(open_fleet(restart) == 0, "%s", why.text);
    ck_assert_msg(emu_fleet_start(fleet, &why) == 0, "%s", why.text);
    ck_assert(await(EMU_FLEET_READY));
}

static bool alive(pid_t pid)
{
    return kill(pid, 0) == 0;
}

/* ---- tests ---- */

START_TEST(up_and_down)
{
    start_ready(false);
    pid_t pids[5];
    for (size_t i = 0; i < 5; i++) {
        pids[i] = emu_fleet_daemon(fleet, i)->pid;
        ck_assert(alive(pids[i]));
        ck_assert_int_eq(getpgid(pids[i]), pids[i]); /* a terminal's Ctrl-C does not reach it */
    }
    ck_assert_uint_eq(emu_fleet_stop(fleet), 0);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(!alive(pids[i]));
    }
    char path[128];
    char line[64] = "";
    snprintf(path, sizeof path, "%s/linkd.AB/log", folder);
    FILE *log = fopen(path, "r");
    ck_assert_ptr_nonnull(log);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, log));
    (void)fclose(log);
    ck_assert_str_eq(line, "linkd.AB is here\n");
    /* And once more: nothing is left in the way. */
    emu_fleet_free(fleet);
    start_ready(false);
}
END_TEST

START_TEST(not_ready_says_what_is_missing)
{
    behave("kmd.B", "missing");
    behave("mgrd", "silent");
    ck_assert_int_eq(open_fleet(false), 0);
    ck_assert_int_eq(emu_fleet_start(fleet, &why), 0);
    for (int i = 0; i < 30; i++) {
        emu_fleet_poll(fleet, 100, &event);
        ck_assert_int_eq(event.what, EMU_FLEET_NOTHING);
    }
    ck_assert(!emu_fleet_is_ready(fleet));
    ck_assert(emu_fleet_daemon(fleet, 0)->ready);
    ck_assert_str_eq(emu_fleet_daemon(fleet, 1)->missing, "KMA of A - KMA of B at Kx-1");
    ck_assert_str_eq(emu_fleet_daemon(fleet, 3)->missing, "does not answer in time");
    behave("kmd.B", NULL);
    behave("mgrd", NULL);
    ck_assert(await(EMU_FLEET_READY));
    behave("ctld", "missing");
    ck_assert(await(EMU_FLEET_UNREADY));
    ck_assert_uint_eq(event.daemon, 2);
}
END_TEST

START_TEST(an_end_is_told)
{
    start_ready(false);
    ck_assert_int_eq(emu_fleet_signal(fleet, 1, SIGKILL), 0);
    ck_assert(await(EMU_FLEET_ENDED));
    ck_assert_uint_eq(event.daemon, 1);
    ck_assert(WIFSIGNALED(event.status));
    ck_assert_int_eq(WTERMSIG(event.status), SIGKILL);
    ck_assert_int_eq(emu_fleet_daemon(fleet, 1)->pid, 0);
    ck_assert_int_eq(emu_fleet_signal(fleet, 1, SIGKILL), QKD_ERR_STATE);
    ck_assert(await(EMU_FLEET_UNREADY));
    ck_assert_int_eq(emu_fleet_restart(fleet, 1, &why), 0);
    ck_assert_int_eq(emu_fleet_restart(fleet, 1, &why), QKD_ERR_STATE);
    ck_assert(await(EMU_FLEET_READY));
    ck_assert_uint_eq(emu_fleet_daemon(fleet, 1)->restarts, 1);
    behave("ctld", "exit 3");
    ck_assert(await(EMU_FLEET_ENDED));
    ck_assert_uint_eq(event.daemon, 2);
    ck_assert_int_eq(WEXITSTATUS(event.status), 3);
}
END_TEST

START_TEST(restart_again_and_again)
{
    start_ready(true);
    for (uint32_t i = 1; i <= 2; i++) {
        ck_assert_int_eq(emu_fleet_signal(fleet, 4, SIGKILL), 0);
        ck_assert(await(EMU_FLEET_ENDED));
        ck_assert(await(EMU_FLEET_RESTARTED));
        ck_assert_uint_eq(event.daemon, 4);
        ck_assert(await(EMU_FLEET_READY));
        ck_assert_uint_eq(emu_fleet_daemon(fleet, 4)->restarts, i);
    }
    struct emu_fleet_state state;
    ck_assert_int_eq(emu_fleet_look(folder, &state, &why), 0);
    ck_assert_int_eq(state.pid, 0); /* a lock of our own is none for us */
    emu_fleet_state_fini(&state);
}
END_TEST

START_TEST(deaf_daemons_are_killed)
{
    behave("kmd.A", "deaf");
    start_ready(false);
    pid_t pid = emu_fleet_daemon(fleet, 0)->pid;
    ck_assert_uint_eq(emu_fleet_stop(fleet), 1);
    ck_assert(!alive(pid));
}
END_TEST

START_TEST(ports_in_use)
{
    struct emu_deployment *deployment = NULL;
    char text[300];
    int fd = -1;
    ck_assert_int_eq(emu_deployment_read(folder, &deployment, &why), 0);
    const char *address = deployment->daemons[1].etsi014;
    ck_assert_int_eq(emu_listen(address, &fd, &why), 0);
    snprintf(text, sizeof text, "kmd.B: %s is in use", address);
    ck_assert_int_eq(open_fleet(false), QKD_ERR_EXISTS);
    ck_assert_str_eq(why.text, text);
    (void)close(fd);
    ck_assert_int_eq(open_fleet(false), 0);
    emu_deployment_free(deployment);
}
END_TEST

START_TEST(bad_places)
{
    struct emu_fleet_options options = {.folder = top, .programs = programs};
    ck_assert_int_eq(emu_fleet_new(&options, &fleet, &why), QKD_ERR_UNKNOWN);
    options = (struct emu_fleet_options){.folder = folder, .programs = top};
    ck_assert_int_eq(emu_fleet_new(&options, &fleet, &why), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(why.text, "no program qkdn-kmd there"));
    /* A program that is none. */
    char path[160];
    snprintf(path, sizeof path, "%s/qkdn-mgrd", programs);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(emu_file_write(path, 0700,
                                    "\x7f"
                                    "none",
                                    5, &why),
                     0);
    ck_assert_int_eq(open_fleet(false), 0);
    ck_assert_int_eq(emu_fleet_start(fleet, &why), QKD_ERR_IO);
    ck_assert_ptr_nonnull(strstr(why.text, "mgrd: "));
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(emu_fleet_daemon(fleet, i)->pid, 0);
    }
}
END_TEST

/* A process that runs the fleet, tells its daemons' numbers, and waits. */
static pid_t runner(pid_t pids[5])
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = open_fleet(false) == 0 && emu_fleet_start(fleet, &why) == 0;
        for (size_t i = 0; i < 5 && good; i++) {
            good = write(ends[1], &emu_fleet_daemon(fleet, i)->pid, sizeof pid) == sizeof pid;
        }
        while (good) {
            emu_fleet_poll(fleet, 1000, &event);
        }
        _exit(1);
    }
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(read(ends[0], &pids[i], sizeof pid), sizeof pid);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    return pid;
}

/* Whoever runs it dies without a word: nobody is left, and the deployment is free. */
START_TEST(no_orphans)
{
    pid_t pids[5];
    pid_t pid = runner(pids);
    struct emu_fleet_state state;
    ck_assert_int_eq(emu_fleet_look(folder, &state, &why), 0);
    ck_assert_int_eq(state.pid, pid);
    ck_assert_uint_eq(state.count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(state.daemons[i].pid, pids[i]);
        ck_assert(alive(pids[i]));
    }
    emu_fleet_state_fini(&state);
    ck_assert_int_eq(open_fleet(false), QKD_ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(why.text, "is up already (process "));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    for (size_t i = 0; i < 5; i++) {
        for (int wait = 0; alive(pids[i]) && wait < 300; wait++) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        ck_assert(!alive(pids[i]));
    }
    ck_assert_int_eq(emu_fleet_look(folder, &state, &why), 0);
    ck_assert_int_eq(state.pid, 0);
    emu_fleet_state_fini(&state);
    start_ready(false);
}
END_TEST

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    if (argc == 2 && strncmp(name == NULL ? argv[0] : name + 1, "qkdn-", 5) == 0) {
        return daemon_main(argv[1]);
    }
    TCase *tests = tcase_create("fleet");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, up_and_down);
    tcase_add_test(tests, not_ready_says_what_is_missing);
    tcase_add_test(tests, an_end_is_told);
    tcase_add_test(tests, restart_again_and_again);
    tcase_add_test(tests, deaf_daemons_are_killed);
    tcase_add_test(tests, ports_in_use);
    tcase_add_test(tests, bad_places);
    tcase_add_test(tests, no_orphans);
    Suite *suite = suite_create("emu_fleet");
    suite_add_tcase(suite, tests);
    SRunner *run = srunner_create(suite);
    srunner_run_all(run, CK_NORMAL);
    int failed = srunner_ntests_failed(run);
    srunner_free(run);
    return failed == 0 ? 0 : 1;
}
