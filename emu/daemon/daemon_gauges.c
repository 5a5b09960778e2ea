/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metrics of a daemon: what its parts count, as the text that Prometheus scrapes. Values are taken over when
 * the text is asked for; only pools and the times of commits are noted as they come. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/base/err.h"
#include "emu/daemon/daemon_state.h"
#include "emu/http/metrics.h"

/* Of one number each; the order is that of the text. */
#define ROWS(X)                                                                                    \
    X(READY, GAUGE, "qkdn_ready", "1 if every channel that the daemon needs is authenticated")     \
    X(NEEDED, GAUGE, "qkdn_channels_needed", "Channels and adjacencies that the daemon needs")     \
    X(MISSING, GAUGE, "qkdn_channels_missing", "Those of them that are not there")                 \
    X(INCARNATION, GAUGE, "qkdn_incarnation", "How often the daemon was started")                  \
    X(STEPS, COUNTER, "qkdn_steps_total", "Events given to elements")                              \
    X(BATCHES, COUNTER, "qkdn_batches_total", "Batches of outputs executed")                       \
    X(DROPPED, COUNTER, "qkdn_dropped_total", "Messages dropped while a commit had to wait")       \
    X(COMMITS, COUNTER, "qkdn_store_commits_total", "Durable commits of the key store")            \
    X(REFUSED, COUNTER, "qkdn_store_refused_total", "Commits that the key store refused")          \
    X(REFUSING, GAUGE, "qkdn_store_refusing", "1 while the key store refuses commits")             \
    X(ENTRIES, COUNTER, "qkdn_store_entries_total", "Entries put or deleted")                      \
    X(STORE_MEMORY, GAUGE, "qkdn_store_memory_bytes",                                              \
      "Memory that SQLite uses, its cache included")                                               \
    X(FRAMES_IN, COUNTER, "qkdn_frames_received_total", "Frames from other daemons")               \
    X(FRAMES_OUT, COUNTER, "qkdn_frames_sent_total", "Frames to other daemons")                    \
    X(FRAMES_DROPPED, COUNTER, "qkdn_frames_dropped_total",                                        \
      "Frames to other daemons that were dropped")                                                 \
    X(BYTES_IN, COUNTER, "qkdn_received_bytes_total", "Bytes of frames from other daemons")        \
    X(BYTES_OUT, COUNTER, "qkdn_sent_bytes_total", "Bytes of frames to other daemons")             \
    X(DIALS, COUNTER, "qkdn_dials_total", "Connections to other daemons that were tried")          \
    X(SPOOFED, COUNTER, "qkdn_frames_spoofed_total",                                               \
      "Frames in the name of an element that the peer does not host")                              \
    X(CUT, COUNTER, "qkdn_frames_cut_total", "Frames that a fault of the scenario took")           \
    X(AUTHENTICATION, COUNTER, "qkdn_authentication_failures_total",                               \
      "Failed authentications that elements reported")                                             \
    X(TAGS, COUNTER, "qkdn_tag_failures_total", "Frames at Kx-1 whose tag did not verify")         \
    X(BAD_BYTES, COUNTER, "qkdn_bad_bytes_total", "Messages that elements refused as malformed")   \
    X(REQUESTS, COUNTER, "qkdn_requests_total", "Requests for key that ended")                     \
    X(SERVED, COUNTER, "qkdn_requests_served_total", "Requests for key that were served")          \
    X(KEYS, COUNTER, "qkdn_etsi014_keys_total", "Keys handed over by ETSI GS QKD 014")             \
    X(KEYS_LOST, COUNTER, "qkdn_etsi014_keys_lost_total",                                          \
      "Keys that came too late for their question")                                                \
    X(SAE_REFUSED, COUNTER, "qkdn_etsi014_refused_total", "Connections refused by a limit")        \
    X(HANDSHAKES, COUNTER, "qkdn_etsi014_handshakes_total", "TLS handshakes begun by SAEs")        \
    X(CONNECTIONS, GAUGE, "qkdn_etsi014_connections", "Connections of SAEs now")                   \
    X(QUESTIONS, GAUGE, "qkdn_etsi014_questions_open",                                             \
      "Questions of SAEs that wait for an answer")                                                 \
    X(CPU, COUNTER, "process_cpu_seconds_total", "CPU time in whole seconds")                      \
    X(RESIDENT, GAUGE, "process_resident_memory_bytes",                                            \
      "Memory in use, shared libraries included")                                                  \
    X(FILES, GAUGE, "process_open_fds", "Open files and sockets")

#define ROW_ID(id, type, name, help) ROW_##id,
enum row { ROWS(ROW_ID) ROW_COUNT };

enum row_type { GAUGE, COUNTER };
static const struct row_spec {
    enum row_type type;
    const char *name, *help;
} specs[ROW_COUNT] = {
#define ROW_SPEC(id, type, name, help) {type, name, help},
    ROWS(ROW_SPEC)};

static const char *const fault_names[EMU_NET_FAULT_COUNT] = {
#define FAULT_NAME(id, name) name,
    EMU_NET_FAULT_MAP(FAULT_NAME)};

static const char *const method_names[EMU_E14_METHODS + 1] = {"status", "enc_keys", "dec_keys",
                                                              "other"};
static const char *const code_names[EMU_E14_CODES] = {"200", "400", "401", "503", "other"};

static const double commit_bounds_s[] = {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
                                         0.02,   0.05,   0.1,   0.2,   0.5,   1};

struct emu_gauges {
    const struct emu_daemon *daemon;
    struct emu_metrics *metrics;
    struct emu_metric *rows[ROW_COUNT];
    struct emu_metric_family *faults, *connected, *answers, *pool;
    struct emu_metric *commit;
};

/* ---- making ---- */

static int family_add(struct emu_gauges *gauges, const struct emu_metric_spec *spec,
                      struct emu_metric_family **family)
{
    return emu_metrics_add(gauges->metrics, spec, family);
}

static int rows_add(struct emu_gauges *gauges)
{
    int rc = 0;
    for (unsigned i = 0; i < ROW_COUNT && rc == 0; i++) {
        struct emu_metric_family *family = NULL;
        struct emu_metric_spec spec = {.name = specs[i].name,
                                       .help = specs[i].help,
                                       .type = specs[i].type == COUNTER ? EMU_METRIC_COUNTER
                                                                        : EMU_METRIC_GAUGE};
        rc = family_add(gauges, &spec, &family);
        gauges->rows[i] = rc == 0 ? emu_metric_of(family, NULL) : NULL;
    }
    return rc;
}

static int families_add(struct emu_gauges *gauges)
{
    const struct emu_metric_spec faults = {.name = "qkdn_connection_faults_total",
                                           .help = "Why connections between daemons ended",
                                           .type = EMU_METRIC_COUNTER,
                                           .labels = {"peer", "fault"}};
    const struct emu_metric_spec connected = {.name = "qkdn_connected",
                                              .help =
                                                  "1 if the connection to, or from, a peer is up",
                                              .type = EMU_METRIC_GAUGE,
                                              .labels = {"peer", "direction"}};
    const struct emu_metric_spec answers = {.name = "qkdn_etsi014_answers_total",
                                            .help = "Answers to SAEs",
                                            .type = EMU_METRIC_COUNTER,
                                            .labels = {"method", "code"}};
    const struct emu_metric_spec pool = {
        .name = "qkdn_pool_bits",
        .help = "Key of a link: free for our frames, for those of the peer, stored in all",
        .type = EMU_METRIC_GAUGE,
        .labels = {"link", "part"}};
    const struct emu_metric_spec commit = {.name = "qkdn_store_commit_seconds",
                                           .help = "What a durable commit took",
                                           .type = EMU_METRIC_HISTOGRAM,
                                           .bounds = commit_bounds_s,
                                           .bound_count = sizeof commit_bounds_s /
                                                          sizeof commit_bounds_s[0]};
    struct emu_metric_family *commits = NULL;
    int rc = family_add(gauges, &faults, &gauges->faults);
    rc = rc == 0 ? family_add(gauges, &connected, &gauges->connected) : rc;
    rc = rc == 0 ? family_add(gauges, &answers, &gauges->answers) : rc;
    rc = rc == 0 ? family_add(gauges, &pool, &gauges->pool) : rc;
    rc = rc == 0 ? family_add(gauges, &commit, &commits) : rc;
    gauges->commit = rc == 0 ? emu_metric_of(commits, NULL) : NULL;
    return rc;
}

int emu_gauges_new(const struct emu_daemon *daemon, struct emu_gauges **to)
{
    struct emu_gauges *gauges = calloc(1, sizeof(*gauges));
    int rc = gauges == NULL ? QKD_ERR_NOMEM : 0;
    if (rc == 0) {
        gauges->daemon = daemon;
        gauges->metrics = emu_metrics_new();
        rc = gauges->metrics == NULL ? QKD_ERR_NOMEM : rows_add(gauges);
        rc = rc == 0 ? families_add(gauges) : rc;
    }
    if (rc != 0) {
        emu_gauges_free(gauges);
        return rc;
    }
    *to = gauges;
    return 0;
}

void emu_gauges_free(struct emu_gauges *gauges)
{
    if (gauges != NULL) {
        emu_metrics_free(gauges->metrics);
        free(gauges);
    }
}

/* ---- noted as they come ---- */

void emu_gauges_commit(struct emu_gauges *gauges, struct qkd_span took)
{
    emu_metric_observe(gauges->commit, (double)took.ns * 1e-9);
}

void emu_gauges_pool(struct emu_gauges *gauges, const struct qkd_report *report)
{
    const struct scn_scenario *scenario = gauges->daemon->config->scenario;
    if (report->a >= scenario->link_count) {
        return;
    }
    const char *link = scenario->links[report->a].id;
    emu_metric_set(emu_metric_of(gauges->pool, (const char *[]){link, "own"}), (double)report->e);
    emu_metric_set(emu_metric_of(gauges->pool, (const char *[]){link, "peer"}), (double)report->c);
    emu_metric_set(emu_metric_of(gauges->pool, (const char *[]){link, "stored"}),
                   (double)report->d);
}

/* ---- taken over ---- */

static void row_set(struct emu_gauges *gauges, enum row row, uint64_t value)
{
    if (specs[row].type == COUNTER) {
        emu_metric_count_to(gauges->rows[row], value);
    } else {
        emu_metric_set(gauges->rows[row], (double)value);
    }
}

static void elements_take(struct emu_gauges *gauges)
{
    const struct emu_daemon *daemon = gauges->daemon;
    const struct emu_hosted_figures *hosted = emu_hosted_figures(daemon->hosted);
    const struct emu_daemon_figures *own = &daemon->figures;
    size_t missing = emu_ready_missing(daemon->ready);
    row_set(gauges, ROW_READY, missing == 0);
    row_set(gauges, ROW_NEEDED, emu_ready_needed(daemon->ready));
    row_set(gauges, ROW_MISSING, missing);
    row_set(gauges, ROW_STEPS, hosted->steps);
    row_set(gauges, ROW_BATCHES, hosted->batches);
    row_set(gauges, ROW_DROPPED, hosted->dropped);
    row_set(gauges, ROW_SPOOFED, own->spoofed + own->malformed);
    row_set(gauges, ROW_CUT, own->cut);
    row_set(gauges, ROW_AUTHENTICATION, own->auth_failures);
    row_set(gauges, ROW_TAGS, own->tag_failures);
    row_set(gauges, ROW_BAD_BYTES, own->bad_bytes);
    row_set(gauges, ROW_REQUESTS, own->ended);
    row_set(gauges, ROW_SERVED, own->served);
}

static void store_take(struct emu_gauges *gauges)
{
    const struct emu_daemon *daemon = gauges->daemon;
    struct emu_store_figures store = emu_store_figures(daemon->store);
    row_set(gauges, ROW_INCARNATION, emu_store_incarnation(daemon->store));
    row_set(gauges, ROW_COMMITS, store.commits);
    row_set(gauges, ROW_REFUSED, daemon->figures.refused);
    row_set(gauges, ROW_REFUSING, daemon->refusals > 0);
    row_set(gauges, ROW_ENTRIES, store.entries);
    row_set(gauges, ROW_STORE_MEMORY, (uint64_t)sqlite3_memory_used());
}

/* Faults that never came have no line. */
static void faults_take(struct emu_gauges *gauges, const char *peer,
                        const struct emu_net_counters *counters)
{
    for (unsigned i = 0; i < EMU_NET_FAULT_COUNT; i++) {
        if (counters->faults[i] > 0) {
            emu_metric_count_to(emu_metric_of(gauges->faults,
                                              (const char *[]){peer, fault_names[i]}),
                                counters->faults[i]);
        }
    }
}

static void net_take(struct emu_gauges *gauges)
{
    const struct emu_daemon *daemon = gauges->daemon;
    struct emu_net_counters sum = {0};
    for (size_t i = 0; i < daemon->config->peer_count; i++) {
        const char *peer = daemon->config->peers[i].name;
        const struct emu_net_counters *of = emu_net_counters(daemon->net, i);
        sum.frames_in += of->frames_in;
        sum.frames_out += of->frames_out;
        sum.bytes_in += of->bytes_in;
        sum.bytes_out += of->bytes_out;
        sum.frames_dropped += of->frames_dropped;
        sum.dials += of->dials;
        emu_metric_set(emu_metric_of(gauges->connected, (const char *[]){peer, "out"}),
                       emu_net_is_up(daemon->net, i) ? 1 : 0);
        emu_metric_set(emu_metric_of(gauges->connected, (const char *[]){peer, "in"}),
                       emu_net_is_heard(daemon->net, i) ? 1 : 0);
        faults_take(gauges, peer, of);
    }
    faults_take(gauges, "(unknown)", emu_net_counters(daemon->net, EMU_NET_NOBODY));
    row_set(gauges, ROW_FRAMES_IN, sum.frames_in);
    row_set(gauges, ROW_FRAMES_OUT, sum.frames_out);
    row_set(gauges, ROW_FRAMES_DROPPED, sum.frames_dropped);
    row_set(gauges, ROW_BYTES_IN, sum.bytes_in);
    row_set(gauges, ROW_BYTES_OUT, sum.bytes_out);
    row_set(gauges, ROW_DIALS, sum.dials);
}

static void saes_take(struct emu_gauges *gauges)
{
    const struct emu_daemon *daemon = gauges->daemon;
    struct emu_e14_counts counts = {.keys = 0};
    if (daemon->etsi014 != NULL) {
        emu_etsi014_count(daemon->etsi014, &counts);
    }
    for (unsigned m = 0; m <= EMU_E14_METHODS; m++) {
        for (unsigned c = 0; c < EMU_E14_CODES && daemon->etsi014 != NULL; c++) {
            const char *labels[] = {method_names[m], code_names[c]};
            emu_metric_count_to(emu_metric_of(gauges->answers, labels), counts.answers[m][c]);
        }
    }
    row_set(gauges, ROW_KEYS, counts.keys);
    row_set(gauges, ROW_KEYS_LOST, counts.keys_lost);
    row_set(gauges, ROW_SAE_REFUSED, counts.refused);
    row_set(gauges, ROW_HANDSHAKES, counts.handshakes);
    row_set(gauges, ROW_CONNECTIONS, counts.connections);
    row_set(gauges, ROW_QUESTIONS, counts.open);
}

/* Nobody else may look into this process, so it says these itself. */
static void process_take(struct emu_gauges *gauges)
{
    struct rusage usage;
    char sizes[128]; /* in pages: of the address space, resident, ... */
    uint64_t files = 0;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        row_set(gauges, ROW_CPU,
                (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000000);
    }
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        const char *resident = fgets(sizes, sizeof(sizes), file) == NULL ? NULL
                                                                         : strchr(sizes, ' ');
        if (resident != NULL) {
            row_set(gauges, ROW_RESIDENT,
                    (uint64_t)strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE));
        }
        (void)fclose(file);
    }
    DIR *list = opendir("/proc/self/fd");
    while (list != NULL && readdir(list) != NULL) {
        files++;
    }
    if (list != NULL) {
        (void)closedir(list);
        row_set(gauges, ROW_FILES, files - 3); /* ".", "..", and the list itself */
    }
}

char *emu_gauges_text(void *ctx, size_t *len)
{
    const struct emu_daemon *daemon = ctx;
    struct emu_gauges *gauges = daemon->gauges;
    char *text = NULL;
    elements_take(gauges);
    store_take(gauges);
    net_take(gauges);
    saes_take(gauges);
    process_take(gauges);
    return emu_metrics_write(gauges->metrics, &text, len) == 0 ? text : NULL;
}
