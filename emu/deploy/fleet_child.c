/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting a daemon: fork, a process group of its own (Ctrl-C at the terminal is for us, not for it), death
 * with its parent, its log as standard output, exec. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/deploy/fleet_internal.h"

/* ---- programs ---- */

/* Whether folder/qkdn-KIND can be run; its path. */
static bool program_at(const char *folder, size_t len, enum emu_kind kind, char path[EMU_PATH_SIZE])
{
    int n = snprintf(path, EMU_PATH_SIZE, "%.*s/qkdn-%s", (int)len, folder, emu_kind_name(kind));
    return n > 0 && n < EMU_PATH_SIZE && access(path, X_OK) == 0;
}

/* In the folders of PATH. */
static bool program_in_path(enum emu_kind kind, char path[EMU_PATH_SIZE])
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ":");
        if (len > 0 && program_at(at, len, kind, path)) {
            return true;
        }
        at += len + (at[len] == ':' ? 1 : 0);
    }
    return false;
}

int emu_fleet_programs(struct emu_fleet *fleet, const char *folder, struct emu_why *why)
{
    char own[EMU_PATH_SIZE] = "";
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    own[len < 0 ? 0 : len] = '\0';
    const char *slash = strrchr(own, '/');
    for (int k = EMU_KMD; k <= EMU_LINKD; k++) {
        enum emu_kind kind = (enum emu_kind)k;
        char *path = fleet->programs[k];
        if (folder != NULL && !program_at(folder, strlen(folder), kind, path)) {
            return emu_fail(why, QKD_ERR_UNKNOWN, "%s: no program qkdn-%s there", folder,
                            emu_kind_name(kind));
        }
        if (folder == NULL &&
            !(slash != NULL && program_at(own, (size_t)(slash - own), kind, path)) &&
            !program_in_path(kind, path)) {
            return emu_fail(why, QKD_ERR_UNKNOWN,
                            "the program qkdn-%s is neither beside this one nor in PATH",
                            emu_kind_name(kind));
        }
    }
    return QKD_OK;
}

/* ---- the child ---- */

/* What it needs, made before the fork. */
struct birth {
    const char *program;
    char config[EMU_PATH_SIZE], log[EMU_PATH_SIZE];
    pid_t parent;
    int tell; /* where it says why it could not be started */
};

static bool streams_set(const struct birth *birth)
{
    int null = open("/dev/null", O_RDONLY);
    int log = open(birth->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    return null >= 0 && log >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
           dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0 &&
           (null <= STDERR_FILENO || close(null) == 0) && (log <= STDERR_FILENO || close(log) == 0);
}

static void signals_reset(void)
{
    sigset_t none;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGCHLD, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)signal(numbers[i], SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void child_run(const struct birth *birth)
{
    (void)setpgid(0, 0);
    signals_reset();
    bool good = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    if (getppid() != birth->parent) {
        _exit(127); /* it died before we asked to be told */
    }
    good = good && streams_set(birth);
    if (good) {
        char program[EMU_PATH_SIZE];
        char config[EMU_PATH_SIZE];
        memcpy(program, birth->program, sizeof program);
        memcpy(config, birth->config, sizeof config);
        char *const argv[] = {program, config, NULL};
        (void)execv(program, argv);
    }
    int failure = errno;
    (void)!write(birth->tell, &failure, sizeof failure);
    _exit(127);
}

/* Waits for the exec, which closes the pipe; errno of the child, or 0. */
static int birth_await(int fd)
{
    int failure = 0;
    ssize_t n = 0;
    do {
        n = read(fd, &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof failure ? failure : 0;
}

static int child_start(struct birth *birth, pid_t *pid)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return errno;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    birth->parent = getpid();
    birth->tell = ends[1];
    *pid = fork();
    if (*pid == 0) {
        child_run(birth);
    }
    int failure = *pid < 0 ? errno : 0;
    (void)close(ends[1]);
    if (*pid > 0) {
        (void)setpgid(*pid, *pid); /* whoever of us is first */
        failure = birth_await(ends[0]);
    }
    (void)close(ends[0]);
    if (failure != 0 && *pid > 0) {
        (void)waitpid(*pid, NULL, 0);
    }
    return failure;
}

int emu_fleet_spawn(struct emu_fleet *fleet, size_t number, struct emu_why *why)
{
    struct emu_fleet_child *child = &fleet->children[number];
    const struct emu_deployed *daemon = &fleet->deployment->daemons[number];
    struct birth birth = {.program = fleet->programs[daemon->kind]};
    char folder[EMU_PATH_SIZE];
    int err = emu_path_join(folder, fleet->folder, daemon->folder, why);
    err = err == QKD_OK ? emu_path_join(birth.config, folder, "daemon.yaml", why) : err;
    err = err == QKD_OK ? emu_path_join(birth.log, folder, "log", why) : err;
    if (err != QKD_OK) {
        return err;
    }
    pid_t pid = 0;
    int failure = child_start(&birth, &pid);
    if (failure != 0) {
        return emu_fail(why, QKD_ERR_IO, "%s: %s cannot be started: %s", daemon->name,
                        birth.program, strerror(failure));
    }
    child->seen = (struct emu_fleet_daemon){.pid = pid,
                                            .since_ns = emu_fleet_now_ns(),
                                            .restarts = child->seen.restarts,
                                            .missing = "has only just started"};
    child->begun_ms = emu_probe_now_ms();
    child->probe_at_ms = child->begun_ms;
    child->restart_at_ms = 0;
    child->told = false;
    return QKD_OK;
}
