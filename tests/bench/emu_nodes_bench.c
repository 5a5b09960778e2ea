/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many nodes of the live world on one machine: time until all daemons are ready, memory, CPU time when
 * nobody asks for keys, and the same under a little load (SAEs at opposite corners of a grid).
 *
 *   QKDN_BENCH_ROWS=5   rows of the grid, of 4 nodes each (default 5: 20 nodes, 31 links, 53 daemons)
 *   QKDN_BENCH_S=5      seconds of each measurement */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/lib/bench.h"
#include "tests/lib/emu_live.h"
#include "tests/lib/emu_sae_load.h"

enum { BASE_PORT = 23100, COLUMNS = 4, READY_MS = 120000, CLIENTS = 4 };

static double seconds = 10;

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void scenario_write(char *text, size_t size, unsigned rows)
{
    unsigned nodes = rows * COLUMNS;
    size_t len = (size_t)snprintf(
        text, size,
        "scenario: grid of %u\nseed: 1\nduration: 1 h\nnetwork:\n"
        "  generate: {kind: grid, rows: %u, columns: %d, spacing: 10 km, link: {initial: 4 Mbit, "
        "qkd: {rate: 1 Mbit/s, block: 1 Mbit}}}\n"
        "control: {routing: fewest-hops, route_validity: 1 h}\napplications:\n",
        nodes, rows, COLUMNS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        len += (size_t)snprintf(text + len, size - len,
                                "  - {id: app%u, from: n%04u, to: n%04u, rate: 1 /s}\n", i, 1U,
                                nodes);
    }
    QKD_ASSERT(len < size);
}

struct sums {
    unsigned count;
    double rss_kib, pss_kib, anonymous_kib, cpu_s;
};

static struct sums sums_of(const struct live *live, int kind)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < live->deployment->count; i++) {
        struct live_usage usage;
        if ((kind < 0 || (int)live->deployment->daemons[i].kind == kind) &&
            live_usage(live, i, &usage)) {
            sums.count++;
            sums.rss_kib += usage.rss_kib;
            sums.pss_kib += usage.pss_kib;
            sums.anonymous_kib += usage.anonymous_kib;
            sums.cpu_s += usage.cpu_s;
        }
    }
    return sums;
}

static void memory_print(const struct live *live, const char *when)
{
    for (int kind = EMU_KMD; kind <= EMU_LINKD; kind++) {
        struct sums sums = sums_of(live, kind);
        (void)printf("  %s: %u qkdn-%s, each %.0f KiB RSS, %.0f PSS, %.0f of its own\n", when,
                     sums.count, emu_kind_name((enum emu_kind)kind), sums.rss_kib / sums.count,
                     sums.pss_kib / sums.count, sums.anonymous_kib / sums.count);
    }
}

/* CPU time of all daemons in a stretch of time, in parts of one processor; by kind on stdout. */
static double cpu_part(const struct live *live, const char *when, struct sae_load *load)
{
    struct sums before[4];
    struct sae_load_figures figures = {.seconds = seconds};
    double all = 0;
    for (int kind = EMU_KMD; kind <= EMU_LINKD; kind++) {
        before[kind] = sums_of(live, kind);
    }
    if (load != NULL) {
        QKD_ASSERT(sae_load_run(load, seconds, &figures));
        (void)printf("  %s: %.0f keys/s, enc %.1f / %.1f ms (p50 / p99), %llu refused\n", when,
                     (double)figures.keys / figures.seconds, figures.enc_p50_ms, figures.enc_p99_ms,
                     (unsigned long long)figures.refused);
    } else {
        (void)sleep((unsigned)(seconds + 0.5));
    }
    for (int kind = EMU_KMD; kind <= EMU_LINKD; kind++) {
        struct sums now = sums_of(live, kind);
        double part = (now.cpu_s - before[kind].cpu_s) / figures.seconds;
        (void)printf("  %s: qkdn-%s together %.2f %% of a processor\n", when,
                     emu_kind_name((enum emu_kind)kind), 100 * part);
        all += part;
    }
    return all;
}

static struct sae_load *load_open(const struct live *live, unsigned nodes)
{
    char pki[256], last[16];
    (void)snprintf(pki, sizeof pki, "%s/pki", live->folder);
    (void)snprintf(last, sizeof last, "n%04u", nodes);
    struct sae_load_config config = {.pki = pki,
                                     .master_kme = live->deployment->daemons[0].etsi014,
                                     .slave_kme = live->deployment->daemons[nodes - 1].etsi014,
                                     .prefix = "app",
                                     .master_site = "n0001",
                                     .slave_site = last,
                                     .clients = CLIENTS,
                                     .number = 1};
    return sae_load_open(&config);
}

static bool network(unsigned rows)
{
    static char text[4096], name[64];
    struct live live;
    unsigned nodes = rows * COLUMNS;
    scenario_write(text, sizeof text, rows);
    double start = now_s();
    bool good = live_start(&live, text, BASE_PORT);
    (void)printf("  rendered and started in %.1f s\n", now_s() - start);
    start = now_s();
    good = good && live_ready(&live, READY_MS);
    if (good) {
        double ready_s = now_s() - start;
        struct sums sums = sums_of(&live, -1);
        (void)snprintf(name, sizeof name, "live, %u nodes, %u daemons: ready", nodes, sums.count);
        bench_row(&(struct bench_row){name, ready_s, "s", sums.cpu_s, "CPU s", ready_s / sums.cpu_s,
                                      "", true});
        memory_print(&live, "idle");
        (void)snprintf(name, sizeof name, "live, %u nodes: memory (PSS)", nodes);
        bench_row(&(struct bench_row){name, sums.pss_kib, "KiB", sums.count * 1.0, "daemons",
                                      sums.pss_kib / sums.count, "", true});
        (void)snprintf(name, sizeof name, "live, %u nodes: CPU when idle", nodes);
        double part = cpu_part(&live, "idle", NULL);
        bench_row(&(struct bench_row){name, 1e6 * part / sums.count, "us/s", sums.count * 1.0,
                                      "daemons", 0, "", true});
        struct sae_load *load = load_open(&live, nodes);
        good = load != NULL;
        if (good) {
            (void)cpu_part(&live, "at work", load);
            sae_load_close(load);
            memory_print(&live, "after work");
        }
    }
    bool stopped = live_stop(&live);
    return good && stopped;
}

int main(void)
{
    const char *text = getenv("QKDN_BENCH_S");
    const char *rows = getenv("QKDN_BENCH_ROWS");
    seconds = text != NULL ? strtod(text, NULL) : seconds;
    (void)signal(SIGPIPE, SIG_IGN);
    return network(rows != NULL ? (unsigned)strtoul(rows, NULL, 10) : 5) ? 0 : 1;
}
