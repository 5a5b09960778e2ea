/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers as a process: forked, told when time 0 is (SIGUSR1), ended by SIGTERM, killed with its parent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/err.h"
#include "emu/attack/attack_internal.h"
#include "emu/deploy/folder.h"

#define TURN_MS 50

/* Set by signals, read by the turn. */
static volatile sig_atomic_t is_to_end;
static volatile sig_atomic_t is_to_begin;

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        is_to_begin = 1;
    } else {
        is_to_end = 1;
    }
}

/* ---- the report ---- */

static json_t *seconds(double s)
{
    return s == s ? json_real(s) : json_null();
}

static json_t *attacker_json(const struct emu_attacker *attacker)
{
    const struct scn_attack_summary *sum = &attacker->sum;
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "id",
                     attacker->plan->id, "connections", (json_int_t)attacker->connections, "bytes",
                     (json_int_t)attacker->bytes, "seen", (json_int_t)sum->seen, "touched",
                     (json_int_t)sum->touched, "forged", (json_int_t)sum->forged, "let_in",
                     (json_int_t)sum->accepted, "sent", (json_int_t)sum->sent, "tried",
                     (json_int_t)attacker->tried, "served", (json_int_t)attacker->served, "ended",
                     (json_int_t)attacker->ended, "kept", (json_int_t)attacker->kept, "first_s",
                     seconds(sum->first_s));
}

int emu_attack_report(const struct emu_attack *attack, struct emu_why *why)
{
    char path[EMU_PATH_SIZE];
    json_t *list = json_array();
    int err = list == NULL ? QKD_ERR_NOMEM : QKD_OK;
    for (size_t i = 0; i < attack->options.scenario->attack_count && err == QKD_OK; i++) {
        err = json_array_append_new(list, attacker_json(&attack->attackers[i])) != 0 ? QKD_ERR_NOMEM
                                                                                     : QKD_OK;
    }
    if (err != QKD_OK) {
        json_decref(list);
        return emu_fail(why, err, "no memory");
    }
    err = emu_path_join(path, attack->options.folder, EMU_ATTACK_REPORT, why);
    if (err == QKD_OK && json_dump_file(list, path, JSON_INDENT(1)) != 0) {
        err = emu_fail(why, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    }
    json_decref(list);
    return err;
}

/* ---- the process ---- */

static void signals_take(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)signal(SIGINT, SIG_IGN); /* of the terminal: for our parent */
    (void)signal(SIGHUP, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void child_run(const struct emu_attack_options *options, pid_t parent, int tell)
{
    struct emu_attack *attack = NULL;
    struct emu_why why = {""};
    (void)setpgid(0, 0);
    signals_take();
    bool good = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
    int err = emu_attack_new(options, &attack, &why);
    if (!good || err != QKD_OK) {
        (void)!write(tell, why.text, strlen(why.text) + 1);
        _exit(3);
    }
    (void)close(tell);
    while (is_to_end == 0) {
        emu_attack_turn(attack, TURN_MS);
        if (is_to_begin != 0) {
            is_to_begin = 0;
            emu_attack_begin(attack);
        }
    }
    err = emu_attack_report(attack, &why);
    emu_attack_free(attack);
    _exit(err == QKD_OK ? 0 : 3);
}

int emu_attack_start(const struct emu_attack_options *options, pid_t *pid, struct emu_why *why)
{
    int ends[2];
    char text[EMU_WHY_SIZE] = "";
    *pid = 0;
    if (options->deployment->tap_count == 0) {
        return QKD_OK;
    }
    if (pipe(ends) != 0) {
        return emu_fail(why, QKD_ERR_IO, "attackers cannot be started: %s", strerror(errno));
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        child_run(options, parent, ends[1]);
    }
    (void)close(ends[1]);
    ssize_t n = -1;
    do {
        n = child < 0 ? 0 : read(ends[0], text, sizeof text - 1);
    } while (n < 0 && errno == EINTR);
    (void)close(ends[0]);
    if (child < 0 || n != 0) {
        if (child > 0) {
            (void)waitpid(child, NULL, 0);
        }
        return emu_fail(why, QKD_ERR_IO, "attackers cannot be started: %s",
                        child < 0 ? strerror(errno) : text);
    }
    *pid = child;
    return QKD_OK;
}

void emu_attack_go(pid_t pid)
{
    if (pid > 0) {
        (void)kill(pid, SIGUSR1);
    }
}

bool emu_attack_stop(pid_t pid)
{
    int status = 0;
    if (pid <= 0) {
        return true;
    }
    (void)kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
