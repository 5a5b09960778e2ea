/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fleet of daemons: what happens in one call after the other. */
#include "emu/deploy/fleet.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/deploy/fleet_internal.h"

#define ASK_MS 100        /* between two questions to a daemon that is not ready */
#define ASK_READY_MS 1000 /* that is */
#define ANSWER_MS 2000    /* what it has for its answer */
#define SLICE_MS 50       /* longest time in which we do not look for ended children */
#define QUICK_MS 10000    /* who ends within this time after its start is started later and later */
#define PAUSE_MS 200      /* before it is started again, */
#define PAUSE_DOUBLINGS 6 /* doubled so often at most: 12.8 s */

/* ---- making ---- */

static int port_check(const char *name, const char *address, struct emu_why *why)
{
    struct emu_why own;
    int fd = -1;
    int err = address[0] == '\0' ? QKD_OK : emu_listen(address, &fd, &own);
    if (err == QKD_ERR_EXISTS) {
        return emu_fail(why, err, "%s: %s is in use", name, address);
    }
    if (err != QKD_OK) {
        return emu_fail(why, err, "%s: %s", name, own.text);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return QKD_OK;
}

static int ports_check(const struct emu_deployment *deployment, struct emu_why *why)
{
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_deployed *daemon = &deployment->daemons[i];
        const char *addresses[] = {daemon->listen, daemon->status, daemon->etsi014};
        for (size_t a = 0; a < 3; a++) {
            int err = port_check(daemon->name, addresses[a], why);
            if (err != QKD_OK) {
                return err;
            }
        }
    }
    for (size_t i = 0; i < deployment->tap_count; i++) {
        const struct emu_tap *tap = &deployment->taps[i];
        int err = port_check("attackers", tap->from == EMU_NOWHERE ? tap->target : tap->listen,
                             why);
        if (err != QKD_OK) {
            return err;
        }
    }
    return QKD_OK;
}

int emu_fleet_check(const struct emu_fleet_options *options, const struct scn_scenario *scenario,
                    const struct emu_hosts *hosts, struct emu_why *why)
{
    struct emu_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    int err = emu_deployment_plan(scenario, hosts, &fleet->deployment, why);
    err = err == QKD_OK ? emu_fleet_programs(fleet, options->programs, why) : err;
    err = err == QKD_OK ? ports_check(fleet->deployment, why) : err;
    emu_deployment_free(fleet->deployment);
    free(fleet);
    return err;
}

/* The folder from the root, so that it is known by the same name wherever we and the children are. */
static int folder_place(struct emu_fleet *fleet, const char *folder, struct emu_why *why)
{
    char here[EMU_PATH_SIZE] = "";
    if (folder[0] != '/' && getcwd(here, sizeof here) == NULL) {
        return emu_fail(why, QKD_ERR_IO, "%s: %s", folder, strerror(errno));
    }
    return emu_path_join(fleet->folder, here, folder, why);
}

static int fleet_fill(struct emu_fleet *fleet, const struct emu_fleet_options *options,
                      struct emu_why *why)
{
    int err = emu_deployment_read(options->folder, &fleet->deployment, why);
    if (err != QKD_OK) {
        return err;
    }
    if (fleet->deployment->host_count != 1) {
        return emu_fail(why, QKD_ERR_INVALID,
                        "%s is for %zu hosts: copy each part to its host and run start.sh there",
                        options->folder, fleet->deployment->host_count);
    }
    err = folder_place(fleet, options->folder, why);
    fleet->children = calloc(fleet->deployment->count + 1, sizeof *fleet->children);
    fleet->probes = calloc(fleet->deployment->count + 1, sizeof *fleet->probes);
    if (fleet->children == NULL || fleet->probes == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    err = err == QKD_OK ? emu_fleet_programs(fleet, options->programs, why) : err;
    err = err == QKD_OK ? emu_fleet_lock(fleet, why) : err;
    return err == QKD_OK ? ports_check(fleet->deployment, why) : err;
}

int emu_fleet_new(const struct emu_fleet_options *options, struct emu_fleet **out,
                  struct emu_why *why)
{
    *out = NULL;
    struct emu_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    fleet->lock = -1;
    fleet->restart = options->restart;
    fleet->stop_ms = options->stop_ms == 0 ? EMU_FLEET_STOP_MS : options->stop_ms;
    int err = fleet_fill(fleet, options, why);
    if (err != QKD_OK) {
        emu_fleet_free(fleet);
        return err;
    }
    *out = fleet;
    return QKD_OK;
}

static void kill_all(struct emu_fleet *fleet)
{
    for (size_t i = 0; fleet->children != NULL && i < fleet->deployment->count; i++) {
        struct emu_fleet_daemon *daemon = &fleet->children[i].seen;
        if (daemon->pid > 0) {
            (void)kill(-daemon->pid, SIGKILL);
            (void)kill(daemon->pid, SIGKILL);
            while (waitpid(daemon->pid, NULL, 0) < 0 && errno == EINTR) {
            }
            daemon->pid = 0;
        }
    }
}

void emu_fleet_free(struct emu_fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    if (fleet->deployment != NULL) {
        kill_all(fleet);
        for (size_t i = 0; fleet->probes != NULL && i < fleet->deployment->count; i++) {
            emu_probe_end(&fleet->probes[i]);
        }
    }
    if (fleet->lock >= 0) {
        (void)close(fleet->lock);
    }
    emu_deployment_free(fleet->deployment);
    free(fleet->children);
    free(fleet->probes);
    free(fleet);
}

int emu_fleet_start(struct emu_fleet *fleet, struct emu_why *why)
{
    fleet->since_ns = emu_fleet_now_ns();
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        int err = emu_fleet_spawn(fleet, i, why);
        if (err != QKD_OK) {
            kill_all(fleet);
            return err;
        }
    }
    emu_fleet_state_write(fleet);
    return QKD_OK;
}

/* ---- what happens ---- */

static void child_ended(struct emu_fleet *fleet, size_t number, int status)
{
    struct emu_fleet_child *child = &fleet->children[number];
    int64_t now = emu_probe_now_ms();
    (void)kill(-child->seen.pid, SIGKILL); /* whatever it has started */
    child->seen.pid = 0;
    child->seen.ready = false;
    (void)snprintf(child->seen.missing, sizeof child->seen.missing, "has ended");
    child->status = status;
    child->told = true;
    emu_probe_end(&fleet->probes[number]);
    fleet->probes[number].until_ms = 0;
    if (fleet->restart) {
        child->quick = now - child->begun_ms < QUICK_MS ? child->quick + 1 : 0;
        uint32_t doublings = child->quick < PAUSE_DOUBLINGS ? child->quick : PAUSE_DOUBLINGS;
        child->restart_at_ms = now + (PAUSE_MS << doublings);
    }
}

/* Notices those that have ended. */
static void children_reap(struct emu_fleet *fleet)
{
    bool changed = false;
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        int status = 0;
        pid_t pid = fleet->children[i].seen.pid;
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid) {
            child_ended(fleet, i, status);
            changed = true;
        }
    }
    if (changed) {
        emu_fleet_state_write(fleet);
    }
}

/* Takes an answer in, and asks who is to be asked. */
static void probes_turn(struct emu_fleet *fleet)
{
    int64_t now = emu_probe_now_ms();
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        struct emu_fleet_child *child = &fleet->children[i];
        struct emu_probe *probe = &fleet->probes[i];
        if (child->seen.pid == 0 || probe->open) {
            continue;
        }
        if (probe->until_ms != 0) { /* it was open and is over */
            child->seen.ready = probe->code == 200;
            (void)snprintf(child->seen.missing, sizeof child->seen.missing, "%s",
                           child->seen.ready ? "" : probe->line);
            child->probe_at_ms = now + (child->seen.ready ? ASK_READY_MS : ASK_MS);
            probe->until_ms = 0;
        } else if (now >= child->probe_at_ms) {
            emu_probe_begin(probe, fleet->deployment->daemons[i].status, ANSWER_MS);
        }
    }
}

bool emu_fleet_is_ready(const struct emu_fleet *fleet)
{
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        if (!fleet->children[i].seen.ready) {
            return false;
        }
    }
    return true;
}

static size_t unready(const struct emu_fleet *fleet)
{
    size_t i = 0;
    while (i < fleet->deployment->count && fleet->children[i].seen.ready) {
        i++;
    }
    return i;
}

/* Whether something is to be told; then it is told. */
static bool tell(struct emu_fleet *fleet, struct emu_fleet_event *event)
{
    int64_t now = emu_probe_now_ms();
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        struct emu_fleet_child *child = &fleet->children[i];
        if (child->told) {
            child->told = false;
            *event = (struct emu_fleet_event){EMU_FLEET_ENDED, i, child->status};
            return true;
        }
        if (child->restart_at_ms != 0 && now >= child->restart_at_ms) {
            child->restart_at_ms = now + PAUSE_MS; /* if this fails */
            if (emu_fleet_restart(fleet, i, NULL) == QKD_OK) {
                *event = (struct emu_fleet_event){EMU_FLEET_RESTARTED, i, 0};
                return true;
            }
        }
    }
    bool ready = emu_fleet_is_ready(fleet);
    if (ready != fleet->was_ready) {
        fleet->was_ready = ready;
        *event = (struct emu_fleet_event){ready ? EMU_FLEET_READY : EMU_FLEET_UNREADY,
                                          ready ? 0 : unready(fleet), 0};
        return true;
    }
    return false;
}

/* Waits a moment, or for an answer. */
static bool rest(struct emu_fleet *fleet, int64_t ms)
{
    size_t open = 0;
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        open += fleet->probes[i].open;
    }
    if (open > 0) {
        emu_probe_turn(fleet->probes, fleet->deployment->count, (unsigned)ms);
        return true;
    }
    struct timespec moment = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return nanosleep(&moment, NULL) == 0;
}

void emu_fleet_poll(struct emu_fleet *fleet, unsigned ms, struct emu_fleet_event *event)
{
    int64_t until = emu_probe_now_ms() + (int64_t)ms;
    *event = (struct emu_fleet_event){EMU_FLEET_NOTHING, 0, 0};
    for (;;) {
        children_reap(fleet);
        probes_turn(fleet);
        if (tell(fleet, event)) {
            return;
        }
        int64_t left = until - emu_probe_now_ms();
        if (left <= 0 || !rest(fleet, left < SLICE_MS ? left : SLICE_MS)) {
            return;
        }
    }
}

/* ---- one daemon, all daemons ---- */

int emu_fleet_signal(struct emu_fleet *fleet, size_t daemon, int number)
{
    pid_t pid = fleet->children[daemon].seen.pid;
    return pid > 0 && kill(pid, number) == 0 ? QKD_OK : QKD_ERR_STATE;
}

int emu_fleet_restart(struct emu_fleet *fleet, size_t daemon, struct emu_why *why)
{
    struct emu_fleet_child *child = &fleet->children[daemon];
    if (child->seen.pid > 0) {
        return emu_fail(why, QKD_ERR_STATE, "%s runs", fleet->deployment->daemons[daemon].name);
    }
    int err = emu_fleet_spawn(fleet, daemon, why);
    if (err == QKD_OK) {
        child->seen.restarts++;
        emu_fleet_state_write(fleet);
    }
    return err;
}

size_t emu_fleet_stop(struct emu_fleet *fleet)
{
    size_t bad = 0;
    size_t running = 0;
    int64_t until = emu_probe_now_ms() + fleet->stop_ms;
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        struct emu_fleet_child *child = &fleet->children[i];
        child->restart_at_ms = 0;
        running += child->seen.pid > 0;
        emu_probe_end(&fleet->probes[i]);
        (void)emu_fleet_signal(fleet, i, SIGTERM);
    }
    while (running > 0 && emu_probe_now_ms() < until) {
        running = 0;
        for (size_t i = 0; i < fleet->deployment->count; i++) {
            int status = 0;
            pid_t *pid = &fleet->children[i].seen.pid;
            if (*pid > 0 && waitpid(*pid, &status, WNOHANG) == *pid) {
                *pid = 0;
                /* SIGTERM kills who has not come as far as to its handler: it has done nothing yet */
                bad += status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
            }
            running += *pid > 0;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    kill_all(fleet);
    emu_fleet_state_write(fleet);
    return bad + running;
}

const char *emu_fleet_folder(const struct emu_fleet *fleet)
{
    return fleet->folder;
}

const struct emu_deployment *emu_fleet_deployment(const struct emu_fleet *fleet)
{
    return fleet->deployment;
}

const struct emu_fleet_daemon *emu_fleet_daemon(const struct emu_fleet *fleet, size_t daemon)
{
    return &fleet->children[daemon].seen;
}
