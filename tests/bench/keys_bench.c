/* SPDX-License-Identifier: GPL-3.0-or-later */
/* End-to-end keys per second in the fast world, and cost per message and node of larger networks,
 * each beside a floor measured in the same run: the same number of pads, tags, seals and heap
 * operations alone, without elements, world and oracle. Ratios, not seconds, are to be quoted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/timers.h"
#include "core/crypto/crypto.h"
#include "sim/run.h"
#include "tests/lib/bench.h"

#define KEYS 100000
#define ROUNDS 3 /* of what is compared: floor, oracle on, oracle off in turn */

/* What one end-to-end key over three hops takes, counted in a run of the scenario below: 15 sealed
 * messages (Ak 4, KMI 4, Kx-2 2, completion, application pairs' share of acknowledgements and
 * reports), the life-cycle records sealed twice (KMI and Mk), three relay frames at two ends each. */
enum {
    FLOOR_SEALS = 15,
    FLOOR_SEAL_LEN = 110, /* bytes, mean without reports */
    FLOOR_BULK = 2100,    /* bytes of reports, both seals */
    FLOOR_HOPS = 3,
    FLOOR_FRAME = 171, /* bytes under the pad of a relay frame of one 256-bit key */
    FLOOR_HEAP = 24    /* events and timers set and taken */
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void seal_open(uint64_t k, size_t len)
{
    static uint8_t plain[4096], cipher[4096], aad[48];
    uint8_t key[32] = {1}, nonce[12] = {0};
    struct crypto_gcm_text seal = {aad, sizeof aad, plain, len};
    struct crypto_gcm_text open = {aad, sizeof aad, cipher, len + CRYPTO_GCM_TAG_LEN};
    memcpy(nonce, &k, 8);
    (void)crypto_gcm_seal(key, nonce, &seal, cipher);
    (void)crypto_gcm_open(key, nonce, &open, plain);
}

/* CPU seconds per key of the bare work of KEYS keys, by kind. */
struct floor_s {
    double seals, pads, heap;
};

static struct floor_s floor_run(void)
{
    static uint8_t frame[512], pad[1024], tag[CRYPTO_TAG_LEN];
    uint8_t seed[32] = {2};
    struct floor_s floor;
    struct qkd_timers heap;
    double begin = now_s();
    for (uint64_t k = 0; k < KEYS; k++) {
        for (int i = 0; i < FLOOR_SEALS; i++) {
            seal_open(k, FLOOR_SEAL_LEN);
        }
        seal_open(k, FLOOR_BULK);
    }
    floor.seals = (now_s() - begin) / KEYS;
    begin = now_s();
    for (uint64_t k = 0; k < KEYS; k++) {
        for (int i = 0; i < 2 * FLOOR_HOPS; i++) {
            if (k % 5 == 0) { /* 1 KiB of key serves five frames */
                crypto_expand(pad, seed, k * 1024, sizeof pad);
            }
            crypto_xor(frame, frame, pad, FLOOR_FRAME);
            crypto_wc_tag(tag, seed, pad + FLOOR_FRAME, frame, FLOOR_FRAME + 44);
        }
    }
    floor.pads = (now_s() - begin) / KEYS;
    qkd_timers_init(&heap, 1 << 20);
    for (int i = 0; i < 1000; i++) {
        (void)qkd_timers_set(&heap, (struct qkd_time){i * 1000}, 0);
    }
    begin = now_s();
    for (uint64_t k = 0; k < KEYS; k++) {
        for (int i = 0; i < FLOOR_HEAP; i++) {
            uint64_t t = 0;
            (void)qkd_timers_pop(&heap, QKD_NEVER, &t);
            (void)qkd_timers_set(&heap, (struct qkd_time){(int64_t)(k * 1000 + k % 997)}, t);
        }
    }
    floor.heap = (now_s() - begin) / KEYS;
    qkd_timers_fini(&heap);
    return floor;
}

static struct scn_scenario *load(const char *text)
{
    struct scn_text in = {.name = "bench", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    if (scn_load_text(&in, NULL, &scenario, &errors) != 0) {
        fprintf(stderr, "the bench scenario does not load\n");
        exit(1);
    }
    scn_errors_fini(&errors);
    return scenario;
}

/* CPU seconds of a run; 0 keys served or a violation ends the bench. */
static double run(struct scn_scenario *scenario, bool oracle_off, struct scn_summary *summary)
{
    char why[200] = "";
    struct sim_options options = {.oracle_off = oracle_off, .why = why, .why_size = sizeof why};
    double begin = now_s();
    int err = sim_run(scenario, &options, summary);
    double cpu_s = now_s() - begin;
    if (err != 0 || summary->oracle.violations != 0) {
        fprintf(stderr, "run failed: %d %s\n", err, why);
        exit(1);
    }
    scn_free(scenario);
    return cpu_s;
}

static const char line4[] =
    "scenario: line of four, saturated\n"
    "duration: 12 s\nengine: fast\n"
    "network:\n  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {model: rate, rate: 100 Mbit/s, block: 10 "
    "Mbit}}\n"
    "    - {id: BC, ends: [B, C], length: 10 km, qkd: {model: rate, rate: 100 Mbit/s, block: 10 "
    "Mbit}}\n"
    "    - {id: CD, ends: [C, D], length: 10 km, qkd: {model: rate, rate: 100 Mbit/s, block: 10 "
    "Mbit}}\n"
    "key_management: {store: 200 Mbit}\n"
    "applications:\n"
    "  - {id: a, from: A, to: D, key: 256 bit, arrivals: periodic, rate: 10000 /s, start: 2 s}\n";

/* Up to 16 keys in a frame: requests for 16 keys. */
static const char batched[] =
    "scenario: line of four, saturated, batched\n"
    "duration: 12 s\nengine: fast\n"
    "network:\n  generate: {kind: line, nodes: 4, spacing: 10 km,\n"
    "    link: {qkd: {model: rate, rate: 100 Mbit/s, block: 10 Mbit}}}\n"
    "key_management: {store: 200 Mbit, batch: 16}\n"
    "applications:\n"
    "  - {id: a, from: n0001, to: n0004, key: 256 bit, count: 16, arrivals: periodic, rate: 1000 "
    "/s, start: 2 s}\n";

static void bench_batched(double single_per_key)
{
    struct scn_summary summary;
    double cpu_s = run(load(batched), false, &summary);
    double keys = (double)summary.supplied_bits / 256;
    double per_key = cpu_s / keys;
    printf("fast world, line of 4, 3 hops, requests of 16 keys, up to 16 keys per frame\n");
    printf("  %.0f keys, %.2f messages per key, %.2f us per key\n", keys,
           (double)summary.messages / keys, per_key * 1e6);
    bench_row(&(struct bench_row){"keys per CPU second, 16 per frame", 1 / per_key, "keys/s",
                                  1 / single_per_key, "1 per frame", single_per_key / per_key,
                                  bench_goal(">=", 100000), 1 / per_key >= 100000});
    scn_summary_fini(&summary);
}

static double floor_sum(const struct floor_s *floor)
{
    return floor->seals + floor->pads + floor->heap;
}

/* The line once more: the lesser CPU time, as what others do on the machine only adds. */
static double least(double cpu_s, bool oracle_off, struct scn_summary *summary)
{
    scn_summary_fini(summary);
    double again = run(load(line4), oracle_off, summary);
    return again < cpu_s ? again : cpu_s;
}

static void bench_keys(void)
{
    struct scn_summary with, without;
    struct floor_s floor = floor_run();
    double cpu_with = run(load(line4), false, &with);
    double cpu_without = run(load(line4), true, &without);
    for (int round = 1; round < ROUNDS; round++) {
        struct floor_s again = floor_run();
        floor = floor_sum(&again) < floor_sum(&floor) ? again : floor;
        cpu_with = least(cpu_with, false, &with);
        cpu_without = least(cpu_without, true, &without);
    }
    double floor_s = floor_sum(&floor);
    double keys = (double)with.requests.served;
    double per_key = cpu_with / keys;
    printf("fast world, line of 4, 3 hops, 256-bit keys, one key per frame\n");
    printf("  keys per CPU second, oracle on     %9.0f   (%.2f x the floor's time)\n", 1 / per_key,
           per_key / floor_s);
    printf("  keys per CPU second, oracle off    %9.0f   (%.2f x the floor's time)\n",
           keys / cpu_without, cpu_without / keys / floor_s);
    printf("  floor: seals, pads, tags, heap     %9.0f\n", 1 / floor_s);
    printf("  a key: %.1f us = seals %.0f %%, pads and tags %.0f %%, heap %.0f %%, oracle %.0f %%, "
           "the "
           "rest: elements, codec, world\n",
           per_key * 1e6, 100 * floor.seals / per_key, 100 * floor.pads / per_key,
           100 * floor.heap / per_key, 100 * (cpu_with - cpu_without) / cpu_with);
    printf("  messages per key %.1f, ns per message %.0f\n", (double)with.messages / keys,
           cpu_with / (double)with.messages * 1e9);
    bench_row(&(struct bench_row){"keys per CPU second, 1 per frame", 1 / per_key, "keys/s",
                                  1 / floor_s, "floor", per_key / floor_s, bench_goal("<=", 3),
                                  per_key <= 3 * floor_s});
    bench_row(&(struct bench_row){"the same, oracle off", keys / cpu_without, "keys/s", 1 / floor_s,
                                  "floor", cpu_without / keys / floor_s, "", true});
    scn_summary_fini(&with);
    scn_summary_fini(&without);
    bench_batched(per_key);
}

/* The shipped network under load: one simulated hour. */
static void bench_tokyo(void)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_summary summary;
    if (scn_load("scenarios/tokyo-2010-x100.yaml", NULL, &scenario, &errors) != 0) {
        fprintf(stderr, "run the bench from the top folder\n");
        exit(1);
    }
    scn_errors_fini(&errors);
    scenario->engine = SCN_ENGINE_FAST;
    double cpu_s = run(scenario, false, &summary);
    printf("fast world, tokyo-2010-x100, one simulated hour, oracle on: %.2f s of CPU, %.0f ns per "
           "message\n",
           cpu_s, cpu_s / (double)summary.messages * 1e9);
    scn_summary_fini(&summary);
}

/* A square grid with one application per ten nodes, between nodes two columns apart. */
static char *grid(unsigned side, double seconds)
{
    size_t cap = 4096 + (size_t)side * side * 400;
    char *text = malloc(cap);
    size_t n = 0;
    if (text == NULL) {
        exit(1);
    }
    n += (size_t)snprintf(text + n, cap - n,
                          "scenario: grid\nduration: %.0f s\nengine: fast\nnetwork:\n  nodes:\n",
                          seconds);
    for (unsigned i = 0; i < side * side; i++) {
        n += (size_t)snprintf(text + n, cap - n, "    - {id: N%u}\n", i);
    }
    n += (size_t)snprintf(text + n, cap - n, "  links:\n");
    for (unsigned i = 0; i < side * side; i++) {
        const char *qkd = "length: 20 km, qkd: {model: rate, rate: 100 kbit/s, block: 200 kbit}";
        if (i % side + 1 < side) {
            n += (size_t)snprintf(text + n, cap - n, "    - {id: R%u, ends: [N%u, N%u], %s}\n", i,
                                  i, i + 1, qkd);
        }
        if (i / side + 1 < side) {
            n += (size_t)snprintf(text + n, cap - n, "    - {id: D%u, ends: [N%u, N%u], %s}\n", i,
                                  i, i + side, qkd);
        }
    }
    n += (size_t)snprintf(text + n, cap - n, "applications:\n");
    for (unsigned i = 0; i < side * side; i += side < 4 ? 2 : 10) {
        unsigned to = side < 4 ? 3 - i : (i % side + 2 < side ? i + 2 : i - 2);
        n += (size_t)snprintf(text + n, cap - n,
                              "  - {id: a%u, from: N%u, to: N%u, arrivals: periodic, rate: 2 /s, "
                              "start: 5 s}\n",
                              i, i, to);
    }
    return text;
}

static double ns_per_message_4;

static void bench_size(unsigned side, double seconds)
{
    int back[2];
    double result[4] = {0};
    if (pipe(back) != 0) {
        exit(1);
    }
    fflush(stdout);
    pid_t child = fork(); /* a process of its own: its peak memory is this network's alone */
    if (child == 0) {
        char *text = grid(side, seconds);
        struct scn_summary summary;
        double cpu_s = run(load(text), false, &summary);
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        result[0] = cpu_s / (double)summary.messages * 1e9;
        result[1] = (double)usage.ru_maxrss * 1024;
        result[2] = (double)summary.messages;
        result[3] = (double)summary.requests.served /
                    (double)(summary.requests.total + (summary.requests.total == 0));
        ssize_t wrote = write(back[1], result, sizeof result);
        _exit(wrote == (ssize_t)sizeof result ? 0 : 1);
    }
    int status = 0;
    ssize_t got = read(back[0], result, sizeof result);
    (void)waitpid(child, &status, 0);
    close(back[0]);
    close(back[1]);
    if (got != (ssize_t)sizeof result || status != 0) {
        printf("  %6u nodes: failed\n", side * side);
        return;
    }
    unsigned nodes = side * side;
    unsigned links = 2 * side * (side - 1);
    ns_per_message_4 = nodes == 4 ? result[0] : ns_per_message_4;
    printf("  %6u nodes %6u links: %6.0f ns/message (%.2f x that of 4 nodes), %8.0f messages, "
           "peak %6.1f KiB per node and link, served %.3f\n",
           nodes, links, result[0], result[0] / ns_per_message_4, result[2],
           result[1] / 1024 / (nodes + links), result[3]);
    char name[64];
    (void)snprintf(name, sizeof name, "cost of a message, %u nodes", nodes);
    bench_row(&(struct bench_row){name, result[0], "ns", ns_per_message_4, "4 nodes",
                                  result[0] / ns_per_message_4,
                                  nodes > 4 ? bench_goal("<=", 2) : "",
                                  result[0] <= 2 * ns_per_message_4});
}

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    bench_keys();
    bench_tokyo();
    printf("fast world, square grids, 20 s of simulated time (10,000 nodes: 10 s), oracle on\n");
    bench_size(2, 2000);
    bench_size(10, 100);
    bench_size(32, 20);
    bench_size(100, 10);
    return 0;
}
