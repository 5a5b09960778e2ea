/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Daemons of a scenario as child processes, and /proc as the witness of what they use. */
#include "tests/lib/emu_live.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "emu/deploy/fleet.h"
#include "emu/deploy/render.h"

enum { POLL_MS = 50, ANSWER_SIZE = 65536 };

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- start ---- */

static bool render(struct live *live, const char *scenario, uint16_t base_port)
{
    struct scn_errors errors;
    struct scn_sets none = {0};
    struct scn_text text = {"live", scenario, strlen(scenario), NULL};
    struct emu_why why = {""};
    int rc = scn_load_text(&text, &none, &live->scenario, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        (void)fprintf(stderr, "%s\n", errors.lines[i]);
    }
    scn_errors_fini(&errors);
    if (rc != 0) {
        return false;
    }
    const char *base = getenv("TMPDIR");
    (void)snprintf(live->folder, sizeof live->folder, "%s/qkdn_live_XXXXXX",
                   base != NULL ? base : "/tmp");
    if (mkdtemp(live->folder) == NULL || rmdir(live->folder) != 0) {
        (void)fprintf(stderr, "%s: %s\n", live->folder, strerror(errno));
        return false;
    }
    struct emu_render how = {.folder = live->folder,
                             .hosts = {.base_port = base_port},
                             .epoch_ns = EMU_EPOCH_NONE};
    rc = emu_render(live->scenario, &how, &live->deployment, &why);
    if (rc != 0) {
        (void)fprintf(stderr, "render: %s\n", why.text);
    }
    return rc == 0;
}

bool live_start(struct live *live, const char *scenario, uint16_t base_port)
{
    struct emu_why why = {""};
    *live = (struct live){.folder = ""};
    if (crypto_init() != 0 || !render(live, scenario, base_port)) {
        return false;
    }
    struct emu_fleet_options options = {.folder = live->folder};
    int rc = emu_fleet_new(&options, &live->fleet, &why);
    rc = rc == 0 ? emu_fleet_start(live->fleet, &why) : rc;
    if (rc != 0) {
        (void)fprintf(stderr, "fleet: %s\n", why.text);
    }
    return rc == 0;
}

uint32_t live_find(const struct live *live, const char *name)
{
    uint32_t number = emu_deployment_find(live->deployment, name, &(const char *){NULL});
    QKD_ASSERT(number != EMU_NOWHERE);
    return number;
}

/* ---- questions over HTTP ---- */

/* The whole answer to GET `path` at "127.0.0.1:PORT"; its length, or -1. */
static ssize_t get(const char *address, const char *path, char *answer, size_t size)
{
    const char *port = strrchr(address, ':');
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[128];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t got = 0;
    bool good = connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
                write(fd, request, (size_t)len) == len;
    for (ssize_t n = 1; good && n > 0 && got<size - 1; got += n> 0 ? (size_t)n : 0) {
        n = read(fd, answer + got, size - 1 - got);
    }
    answer[got] = '\0';
    (void)close(fd);
    return good ? (ssize_t)got : -1;
}

bool live_ready(const struct live *live, unsigned wait_ms)
{
    int64_t until_ns = now_ns() + (int64_t)wait_ms * 1000000;
    struct emu_fleet_event event = {.what = EMU_FLEET_NOTHING};
    while (event.what != EMU_FLEET_READY && now_ns() < until_ns) {
        emu_fleet_poll(live->fleet, POLL_MS, &event);
        if (event.what == EMU_FLEET_ENDED) {
            (void)fprintf(stderr, "%s has ended\n", live->deployment->daemons[event.daemon].name);
            return false;
        }
    }
    for (size_t i = 0; i < live->deployment->count && event.what != EMU_FLEET_READY; i++) {
        const struct emu_fleet_daemon *daemon = emu_fleet_daemon(live->fleet, i);
        if (!daemon->ready) {
            (void)fprintf(stderr, "%s is not ready: %s\n", live->deployment->daemons[i].name,
                          daemon->missing);
        }
    }
    return event.what == EMU_FLEET_READY;
}

double live_metric(const struct live *live, uint32_t number, const char *name)
{
    static char answer[ANSWER_SIZE];
    char row[128];
    (void)snprintf(row, sizeof row, "\n%s ", name);
    if (get(live->deployment->daemons[number].status, "/metrics", answer, sizeof answer) < 0) {
        return -1;
    }
    const char *at = strstr(answer, row);
    return at == NULL ? -1 : strtod(at + strlen(row), NULL);
}

/* ---- /proc ---- */

/* "Name:   12 kB" of a file of /proc; 0 if it is not there. */
static double proc_kib(pid_t pid, const char *file, const char *name)
{
    char path[64], line[256];
    double value = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *from = fopen(path, "r");
    while (from != NULL && fgets(line, sizeof line, from) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtod(line + strlen(name), NULL);
            break;
        }
    }
    if (from != NULL) {
        (void)fclose(from);
    }
    return value;
}

static unsigned files_open(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count < 2 ? 0 : count - 2;
}

static double file_kib(const struct live *live, uint32_t number, const char *name)
{
    char path[600];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/%s/%s", live->folder,
                   live->deployment->daemons[number].folder, name);
    return stat(path, &info) == 0 ? (double)info.st_size / 1024 : 0;
}

bool live_usage(const struct live *live, uint32_t number, struct live_usage *usage)
{
    pid_t pid = emu_fleet_daemon(live->fleet, number)->pid;
    clockid_t clock;
    struct timespec cpu;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &cpu) != 0) {
        return false;
    }
    /* A daemon is not dumpable: only root may look into its map; the rest is open to all. */
    bool root = geteuid() == 0;
    *usage = (struct live_usage){
        .cpu_s = (double)cpu.tv_sec + (double)cpu.tv_nsec * 1e-9,
        .rss_kib = proc_kib(pid, "status", "VmRSS:"),
        .pss_kib = proc_kib(pid, "smaps_rollup", "Pss:"),
        .anonymous_kib = root ? proc_kib(pid, "smaps_rollup", "Anonymous:")
                              : proc_kib(pid, "status", "RssAnon:"),
        .files = files_open(pid),
        .store_kib = file_kib(live, number, "store.db"),
        .wal_kib = file_kib(live, number, "store.db-wal"),
    };
    return true;
}

/* ---- stop ---- */

bool live_stop(struct live *live)
{
    struct emu_why why = {""};
    bool good = live->fleet != NULL && emu_fleet_stop(live->fleet) == 0;
    emu_fleet_free(live->fleet);
    if (live->deployment != NULL && getenv("QKDN_KEEP") == NULL) {
        good = emu_folder_remove(live->folder, &why) == 0 && good;
    }
    emu_deployment_free(live->deployment);
    scn_free(live->scenario);
    *live = (struct live){.folder = ""};
    return good;
}
