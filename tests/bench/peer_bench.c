/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same work as the nearest peer, QKDNetSim on ns-3: workloads W1 and W2 (scenarios/bench). CPU
 * per end-to-end key, load and start of the network included, beside the peer's figures, which were
 * measured elsewhere, on a machine of this kind (2 cores, some years old), not in this run. The oracle
 * is on, but for the last rows.
 *
 * Twice: with one key per request, relayed when it is asked for, which costs most here; and in the
 * peer's own arrangement, as its public sources have it: its applications ask for three keys at a time
 * (NumberOfKeyToFetchFromKMS), its key managers fill end-to-end buffers (S-buffers) ahead of requests
 * and tell no controller their status. How the peer was set up for its figures is not known.
 *
 * One more thing differs: a key costs about 1,510 bit of each link here (key, compare key, IDs and
 * metadata under the pad, tag; docs/performance.md) when relayed alone, so where the peer's link rates cannot pay the
 * demand the rate is the next that can. Each line says the rate and how many requests were served. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/bench.h"

struct size {
    const char *script;
    unsigned sites;
    double peer_ms;   /* CPU per key of the peer */
    const char *rate; /* of each link, when not the peer's */
    double least;     /* how much cheaper it must be; 0: no goal stated */
};

static const struct size sizes[] = {
    {"ring", 5, 0.72, "21 kbit/s", 0},   {"ring", 10, 0.73, "21 kbit/s", 50},
    {"ring", 20, 1.07, "21 kbit/s", 0},  {"ring", 50, 1.59, "22 kbit/s", 0},
    {"ring", 100, 1.88, "22 kbit/s", 0}, {"ring", 200, 2.78, "22 kbit/s", 150},
    {"line", 5, 3.6, "100 kbit/s", 0},   {"line", 10, 5.3, "100 kbit/s", 0},
    {"line", 20, 7.9, "105 kbit/s", 0},  {"line", 50, 14.7, "400 kbit/s", 0},
};

/* The peer's own rates and arrangement: KEYS_AHEAD keys per request. */
enum { KEYS_AHEAD = 3 };
static const struct size ahead[] = {
    {"ring", 5, 0.72, "20 kbit/s", 0},   {"ring", 10, 0.73, "20 kbit/s", 50},
    {"ring", 20, 1.07, "20 kbit/s", 0},  {"ring", 50, 1.59, "20 kbit/s", 0},
    {"ring", 100, 1.88, "20 kbit/s", 0}, {"ring", 200, 2.78, "20 kbit/s", 150},
    {"line", 5, 3.6, "100 kbit/s", 0},   {"line", 10, 5.3, "100 kbit/s", 0},
    {"line", 20, 7.9, "100 kbit/s", 0},  {"line", 50, 14.7, "100 kbit/s", 0},
};

/* The peer's own rates with single keys on demand, to show what they pay. */
static const struct size as_peer[] = {
    {"ring", 10, 0.73, "20 kbit/s", 0},
    {"line", 20, 7.9, "100 kbit/s", 0},
};

/* Without the oracle, which the peer does not have. */
static const struct size unwatched[] = {
    {"ring", 10, 0.73, "21 kbit/s", 0},
    {"ring", 200, 2.78, "22 kbit/s", 0},
};

static bool measure(const struct size *size, bool is_ahead, bool oracle)
{
    char command[128], name[64];
    struct bench_run run;
    (void)snprintf(command, sizeof(command), "sh scenarios/bench/%s.sh %u '%s' %s", size->script,
                   size->sites, size->rate, is_ahead ? "ahead" : "on-demand");
    char *text = bench_script(command);
    bool done = text != NULL &&
                bench_run(&(struct bench_job){.text = text, .oracle_off = !oracle}, &run);
    free(text);
    if (!done || run.served == 0 || run.pending > 0) {
        (void)fprintf(stderr, "peer_bench: %s failed\n", command);
        return false;
    }
    double ours_ms = run.cpu_s * 1e3 / ((double)run.served * (is_ahead ? KEYS_AHEAD : 1));
    (void)snprintf(name, sizeof(name), "%s of %u, %s, %.1f %% served",
                   strcmp(size->script, "ring") == 0 ? "W1 ring" : "W2 line", size->sites,
                   size->rate, 100 * (double)run.served / (double)run.total);
    double ratio = size->peer_ms / ours_ms;
    bench_row(&(struct bench_row){name, ours_ms, "ms/key", size->peer_ms, "peer", ratio,
                                  size->least > 0 ? bench_goal(">=", size->least) : "",
                                  ratio >= size->least});
    return true;
}

int main(void)
{
    bool good = true;
    (void)printf("same work as QKDNetSim on ns-3 (its figures: measured elsewhere)\n"
                 "one key per request, relayed on demand\n");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        good = measure(&sizes[i], false, true) && good;
    }
    (void)printf(
        "the peer's own arrangement: three keys per request, buffers filled ahead of need\n");
    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        good = measure(&ahead[i], true, true) && good;
    }
    (void)printf("on demand with the peer's own link rates, which pay for fewer of our keys\n");
    for (size_t i = 0; i < sizeof(as_peer) / sizeof(as_peer[0]); i++) {
        good = measure(&as_peer[i], false, true) && good;
    }
    (void)printf("without the oracle\n");
    for (size_t i = 0; i < sizeof(unwatched) / sizeof(unwatched[0]); i++) {
        good = measure(&unwatched[i], false, false) && good;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
