/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What it costs to supply keys to SAEs in the live world: real daemons of a line of nodes (the programs beside
 * this one), 1, 10 and 100 clients over TLS 1.3 with client certificates and keep-alive (tests/lib/emu_sae_load.h),
 * requests of one and of more keys. Keys per CPU second are those of the busiest key manager of the line. Floors of
 * the same run: the same exchanges with a server of keys that are ready (TLS, HTTP and JSON alone), and
 * commits of the key store alone.
 *
 *   QKDN_BENCH_S=2          seconds of each measurement (default 5)
 *   QKDN_BENCH_ONLY=10/128  only the rows of 10 clients with 128 keys per request */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "emu/etsi014/etsi014.h"
#include "emu/store/store.h"
#include "tests/lib/bench.h"
#include "tests/lib/emu_live.h"
#include "tests/lib/emu_sae_load.h"

enum { BASE_PORT = 23100, CLIENTS = 100, READY_MS = 60000, GOAL = 5000 };

static double seconds = 5;

/* ---- the network ---- */

/* A line of so many nodes, whose links never run out of key; applications app0, app1, ... end to end. */
static char *scenario_of(unsigned nodes)
{
    size_t size = 65536, len = 0;
    char *text = malloc(size);
    QKD_ASSERT(text != NULL);
    len += (size_t)snprintf(text + len, size - len,
                            "scenario: line of %u\nseed: 1\nduration: 1 h\nnetwork:\n  nodes: [",
                            nodes);
    for (unsigned i = 0; i < nodes; i++) {
        len += (size_t)snprintf(text + len, size - len, "%s{id: n%u}", i > 0 ? ", " : "", i);
    }
    len += (size_t)snprintf(text + len, size - len, "]\n  links:\n");
    for (unsigned i = 0; i + 1 < nodes; i++) {
        len += (size_t)snprintf(text + len, size - len,
                                "    - {id: l%u, ends: [n%u, n%u], store: 4 Gbit, initial: 1 Gbit,"
                                " qkd: {rate: 20 Mbit/s, block: 100 Mbit}}\n",
                                i, i, i + 1);
    }
    len +=
        (size_t)snprintf(text + len, size - len,
                         "key_management: {lease: 1 Mbit, batch: 64}\n"
                         "control: {routing: fewest-hops, route_validity: 1 h}\napplications:\n");
    for (unsigned i = 0; i < CLIENTS; i++) {
        len += (size_t)snprintf(text + len, size - len,
                                "  - {id: app%u, from: n0, to: n%u, key: 256 bit, rate: 1 /s}\n", i,
                                nodes - 1);
        QKD_ASSERT(len < size);
    }
    return text;
}

/* ---- a measurement ---- */

struct tally {
    double cpu_s, commits, entries, batches, steps, frames;
};

static struct tally tally_of(const struct live *live, uint32_t number)
{
    struct live_usage usage;
    QKD_ASSERT(live_usage(live, number, &usage));
    return (struct tally){usage.cpu_s,
                          live_metric(live, number, "qkdn_store_commits_total"),
                          live_metric(live, number, "qkdn_store_entries_total"),
                          live_metric(live, number, "qkdn_batches_total"),
                          live_metric(live, number, "qkdn_steps_total"),
                          live_metric(live, number, "qkdn_frames_sent_total")};
}

struct shape {
    unsigned clients, number;
};

struct result {
    struct sae_load_figures load;
    double per_cpu_s;       /* keys, of the busiest key manager */
    double commits_per_key; /* of the same one */
    double entries_per_commit;
};

static void print_km(const struct live *live, uint32_t number, const struct tally *used,
                     const struct sae_load_figures *load)
{
    double keys = (double)load->keys;
    (void)printf("    %-8s %8.0f keys/CPU s, %5.1f %% busy, %6.1f commits/s, per key %.3f commits "
                 "%.2f entries %.2f batches %.1f steps %.2f frames out\n",
                 live->deployment->daemons[number].name, keys / used->cpu_s,
                 used->cpu_s / load->seconds * 100, used->commits / load->seconds,
                 used->commits / keys, used->entries / keys, used->batches / keys,
                 used->steps / keys, used->frames / keys);
}

static bool measure(const struct live *live, unsigned nodes, const struct shape *shape,
                    struct result *result)
{
    char pki[256], last[16];
    const struct emu_deployed *daemons = live->deployment->daemons;
    struct tally before[8], after;
    struct sae_load_figures warm;
    (void)snprintf(pki, sizeof pki, "%s/pki", live->folder);
    (void)snprintf(last, sizeof last, "n%u", nodes - 1);
    struct sae_load_config config = {.pki = pki,
                                     .master_kme = daemons[0].etsi014,
                                     .slave_kme = daemons[nodes - 1].etsi014,
                                     .prefix = "app",
                                     .master_site = "n0",
                                     .slave_site = last,
                                     .clients = shape->clients,
                                     .number = shape->number};
    struct sae_load *load = sae_load_open(&config);
    if (load == NULL || !sae_load_run(load, 1, &warm)) {
        return false;
    }
    for (uint32_t i = 0; i < nodes; i++) {
        before[i] = tally_of(live, i);
    }
    bool good = sae_load_run(load, seconds, &result->load);
    double most_s = 0;
    (void)printf(
        "  line of %u, %u clients, %u keys per request: %.0f keys/s, %.0f requests/s, enc %.1f "
        "/ %.1f ms, dec %.1f / %.1f ms (p50 / p99), %llu refused\n",
        nodes, shape->clients, shape->number, (double)result->load.keys / result->load.seconds,
        (double)result->load.requests / result->load.seconds, result->load.enc_p50_ms,
        result->load.enc_p99_ms, result->load.dec_p50_ms, result->load.dec_p99_ms,
        (unsigned long long)result->load.refused);
    for (uint32_t i = 0; i < nodes; i++) {
        after = tally_of(live, i);
        struct tally used = {after.cpu_s - before[i].cpu_s,     after.commits - before[i].commits,
                             after.entries - before[i].entries, after.batches - before[i].batches,
                             after.steps - before[i].steps,     after.frames - before[i].frames};
        print_km(live, i, &used, &result->load);
        if (used.cpu_s > most_s) {
            most_s = used.cpu_s;
            result->commits_per_key = used.commits / (double)result->load.keys;
            result->entries_per_commit = used.commits > 0 ? used.entries / used.commits : 0;
        }
    }
    result->per_cpu_s = (double)result->load.keys / most_s;
    sae_load_close(load);
    return good && result->load.keys > 0;
}

/* ---- floor: TLS, HTTP and JSON ---- */

static struct emu_etsi014 *floor_server;

static void floor_answer(uint64_t ticket, uint32_t count, const struct qkd_id *ids)
{
    static uint8_t keys[EMU_E14_IDS_MOST * 32];
    uint32_t sizes[EMU_E14_IDS_MOST];
    for (uint32_t i = 0; i < count; i++) {
        sizes[i] = 256;
    }
    struct emu_e14_keys all = {count, ids, sizes, keys};
    (void)emu_etsi014_keys(floor_server, ticket, WIRE_REASON_NONE, &all);
}

static void floor_get(void *ctx, const struct emu_e14_question *question,
                      const struct emu_e14_enc *enc)
{
    struct qkd_id ids[EMU_E14_IDS_MOST];
    static uint8_t next;
    (void)ctx;
    for (uint32_t i = 0; i < enc->number; i++) {
        memset(&ids[i], ++next, sizeof ids[i]);
    }
    floor_answer(question->ticket, enc->number, ids);
}

static void floor_fetch(void *ctx, const struct emu_e14_question *question,
                        const struct emu_e14_dec *dec)
{
    (void)ctx;
    floor_answer(question->ticket, dec->count, dec->ids);
}

static void floor_status(void *ctx, const struct emu_e14_question *question)
{
    (void)ctx;
    (void)emu_etsi014_status(floor_server, question->ticket, WIRE_REASON_OVERLOAD, NULL);
}

static char *file_text(const char *folder, const char *name)
{
    char path[600];
    char *text = calloc(1, 65536);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    QKD_ASSERT(file != NULL && text != NULL && fread(text, 1, 65535, file) > 0);
    (void)fclose(file);
    return text;
}

static void floor_serve(const struct live *live, const char *listen)
{
    char folder[512];
    uv_loop_t loop;
    struct emu_why why = {""};
    struct emu_identity_rule rule = emu_identity_sae;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(folder, sizeof folder, "%s/%s", live->folder,
                   live->deployment->daemons[0].folder);
    QKD_ASSERT(uv_loop_init(&loop) == 0);
    struct emu_etsi014_config config = {.https = {.loop = &loop,
                                                  .listen = listen,
                                                  .certificate = file_text(folder, "daemon.crt"),
                                                  .key = file_text(folder, "daemon.key"),
                                                  .trust = file_text(folder, "ca.crt"),
                                                  .identity = &rule,
                                                  .body_most = 65536,
                                                  .connections_most = 1024,
                                                  .idle_s = 60},
                                        .limits = {256, 64, 4096, EMU_E14_IDS_MOST, 1000},
                                        .backend = {NULL, floor_get, floor_fetch, floor_status}};
    if (emu_etsi014_new(&config, &floor_server, &why) != 0) {
        (void)fprintf(stderr, "floor: %s\n", why.text);
        _exit(1);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

/* Keys per CPU second of a server that has keys ready and is asked once for each. */
static double floor_measure(const struct live *live, const struct shape *shape)
{
    char listen[32], pki[256];
    clockid_t clock;
    struct timespec cpu[2];
    struct sae_load_figures figures;
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", BASE_PORT - 1);
    (void)snprintf(pki, sizeof pki, "%s/pki", live->folder);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        floor_serve(live, listen);
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    struct sae_load_config config = {.pki = pki,
                                     .master_kme = listen,
                                     .slave_kme = listen,
                                     .prefix = "app",
                                     .master_site = "n0",
                                     .slave_site = "n1",
                                     .clients = shape->clients,
                                     .number = shape->number};
    struct sae_load *load = sae_load_open(&config);
    QKD_ASSERT(load != NULL && sae_load_run(load, 0.3, &figures));
    QKD_ASSERT(clock_getcpuclockid(child, &clock) == 0 && clock_gettime(clock, &cpu[0]) == 0);
    QKD_ASSERT(sae_load_run(load, seconds / 3, &figures) && clock_gettime(clock, &cpu[1]) == 0);
    sae_load_close(load);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    double used = (double)(cpu[1].tv_sec - cpu[0].tv_sec) +
                  (double)(cpu[1].tv_nsec - cpu[0].tv_nsec) * 1e-9;
    (void)printf(
        "  TLS, HTTP and JSON alone: %.1f us CPU per exchange of %u keys, enc %.2f / %.2f ms\n",
        used / 2 / (double)figures.requests * 1e6, shape->number, figures.enc_p50_ms,
        figures.enc_p99_ms);
    return 2 * (double)figures.keys / used;
}

/* ---- floor: the store ---- */

/* CPU of a commit of so many entries of 100 bytes, us. */
static double commit_cpu_us(const struct live *live, unsigned entries)
{
    enum { COMMITS = 200, VALUE = 100 };
    char path[256];
    struct emu_unlock unlock = {.bytes = "correct horse staple", .len = 20};
    struct emu_store *store;
    struct emu_why why = {""};
    struct qkd_out out;
    (void)snprintf(path, sizeof path, "%s/bench.db", live->folder);
    struct emu_store_options options = {
        .path = path, .unlock = &unlock, .create = true, .cost = {1, 8192}};
    QKD_ASSERT(emu_store_open(&options, &store, &why) == 0);
    qkd_out_init(&out, 1 << 22);
    double start = bench_cpu_s();
    for (unsigned i = 0; i < COMMITS; i++) {
        qkd_out_reset(&out);
        for (unsigned k = 0; k < entries; k++) {
            struct qkd_persist entry = {.owner = qkd_eid_make(QKD_ROLE_KSA, 0, 0),
                                        .kind = 1,
                                        .key_len = 2};
            entry.key[0] = (uint8_t)k;
            entry.key[1] = (uint8_t)(i % 8);
            entry.value = qkd_out_reserve(&out, VALUE);
            memset(qkd_out_at(&out, entry.value), (int)i, VALUE);
            qkd_out_put(&out, &entry);
        }
        QKD_ASSERT(emu_store_commit(store, &out, &why) == 0);
    }
    double cpu_us = (bench_cpu_s() - start) / COMMITS * 1e6;
    qkd_out_fini(&out);
    emu_store_close(store);
    (void)unlink(path);
    return cpu_us;
}

/* ---- memory ---- */

static void memory_print(const struct live *live, const char *when)
{
    (void)printf("  memory %s (KiB: RSS, PSS, anonymous):", when);
    for (uint32_t i = 0; i < live->deployment->count; i++) {
        struct live_usage usage;
        if (live_usage(live, i, &usage)) {
            (void)printf(" %s %.0f %.0f %.0f;", live->deployment->daemons[i].name, usage.rss_kib,
                         usage.pss_kib, usage.anonymous_kib);
        }
    }
    (void)printf("\n");
}

/* ---- the rows ---- */

static bool row(const struct live *live, unsigned nodes, const struct shape *shape, double floor)
{
    struct result result;
    char name[64];
    if (!measure(live, nodes, shape, &result)) {
        return false;
    }
    (void)snprintf(name, sizeof name, "live, line of %u: %u clients, %u per request", nodes,
                   shape->clients, shape->number);
    bench_row(&(struct bench_row){name, result.per_cpu_s, "keys/CPU s", floor, "TLS+HTTP",
                                  result.per_cpu_s / floor, bench_goal(">=", GOAL),
                                  result.per_cpu_s >= GOAL});
    unsigned entries = (unsigned)(result.entries_per_commit + 0.5);
    if (entries > 0) {
        double cpu_us = commit_cpu_us(live, entries);
        double per_key_us = cpu_us * result.commits_per_key;
        (void)printf(
            "    store alone: %.0f us CPU per commit of %u entries, %.1f us per key, %.2f of "
            "the busiest\n",
            cpu_us, entries, per_key_us, per_key_us * result.per_cpu_s * 1e-6);
    }
    return true;
}

static bool wanted(const struct shape *shape)
{
    const char *only = getenv("QKDN_BENCH_ONLY");
    char name[32];
    (void)snprintf(name, sizeof name, "%u/%u", shape->clients, shape->number);
    return only == NULL || strcmp(only, name) == 0;
}

static bool line(unsigned nodes)
{
    static const struct shape shapes[] = {{1, 1}, {10, 1}, {100, 1}, {10, 10}, {10, 128}};
    struct live live;
    char *text = scenario_of(nodes);
    bool good = live_start(&live, text, BASE_PORT) && live_ready(&live, READY_MS);
    free(text);
    if (good) {
        memory_print(&live, "idle");
    }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && good; i++) {
        if (wanted(&shapes[i])) {
            static double floors[sizeof shapes / sizeof shapes[0]];
            if (floors[i] == 0) {
                floors[i] = floor_measure(&live, &shapes[i]);
            }
            good = row(&live, nodes, &shapes[i], floors[i]);
        }
    }
    if (good) {
        memory_print(&live, "after work");
    }
    bool stopped = live_stop(&live);
    return good && stopped;
}

int main(void)
{
    const char *text = getenv("QKDN_BENCH_S");
    seconds = text != NULL ? strtod(text, NULL) : seconds;
    (void)signal(SIGPIPE, SIG_IGN);
    return line(2) && line(3) ? 0 : 1;
}
