/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a frame between daemons costs (emu/net/net.h): two ends in one process over loopback, so the CPU time
 * of a frame is that of both. `corked`: 64 frames leave together at the end of a turn; `one by one`: each
 * is flushed. The floor is bare TCP with the same frames: written together or one by one, read, and cut
 * into frames. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/net/net.h"
#include "tests/lib/bench.h"
#include "tests/lib/emu_rig.h"

#define FRAMES 400000
#define TURN 64
#define ROUNDS 3

struct figure {
    double cpu_us, per_s, writes;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- bare TCP ---- */

static void pair_open(int ends[2])
{
    struct emu_address address = {"127.0.0.1", "0"};
    struct sockaddr_storage at;
    int listener;
    int on = 1;
    QKD_ASSERT(emu_listen("127.0.0.1:0", &listener, NULL) == QKD_OK);
    snprintf(address.port, sizeof address.port, "%u", emu_port_of(listener) & 0xFFFF);
    QKD_ASSERT(emu_address_numeric(&address, &at));
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    QKD_ASSERT(connect(ends[0], (const struct sockaddr *)&at, sizeof(struct sockaddr_in)) == 0);
    ends[1] = accept(listener, NULL, NULL);
    QKD_ASSERT(ends[1] >= 0);
    for (int i = 0; i < 2; i++) {
        QKD_ASSERT(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
        QKD_ASSERT(fcntl(ends[i], F_SETFL, O_NONBLOCK) == 0);
    }
    (void)close(listener);
}

/* Reads what is there; the whole frames of it. */
static unsigned frames_read(int fd, size_t frame, uint64_t *seen)
{
    static uint8_t bytes[65536];
    ssize_t n;
    uint64_t before = *seen / frame;
    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        *seen += (uint64_t)n;
    }
    return (unsigned)(*seen / frame - before);
}

static void bare(size_t len, unsigned together, struct figure *figure)
{
    static uint8_t bytes[TURN * 2048];
    int ends[2];
    size_t frame = len + 4;
    uint64_t seen = 0;
    unsigned sent = 0, got = 0, writes = 0;
    memset(bytes, 7, sizeof bytes);
    pair_open(ends);
    double cpu = bench_cpu_s();
    double start = now_s();
    while (got < FRAMES) {
        for (unsigned i = 0; i < TURN && sent < FRAMES; i += together) {
            size_t all = frame * together;
            for (size_t at = 0; at < all;) {
                ssize_t n = write(ends[0], bytes + at, all - at);
                if (n <= 0) { /* TCP is full */
                    got += frames_read(ends[1], frame, &seen);
                    continue;
                }
                at += (size_t)n;
                writes++;
            }
            sent += together;
        }
        got += frames_read(ends[1], frame, &seen);
    }
    figure->cpu_us = (bench_cpu_s() - cpu) / FRAMES * 1e6;
    figure->per_s = FRAMES / (now_s() - start);
    figure->writes = (double)writes / FRAMES;
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- nets ---- */

static struct {
    uv_loop_t loop;
    struct emu_net *nets[2];
    unsigned got, stopped;
} bench;

static void on_recv(void *ctx, size_t peer, const uint8_t *bytes, size_t len)
{
    (void)ctx;
    (void)peer;
    QKD_ASSERT(len > 0 && bytes[0] == 7);
    bench.got++;
}

static void on_stopped(void *ctx)
{
    (void)ctx;
    bench.stopped++;
}

static void nets_open(void)
{
    static const struct emu_net_peer peers[] = {{"n0", NULL}, {"n1", NULL}};
    char ca[128], certificate[128], key[128], address[32];
    struct emu_why why = {""};
    QKD_ASSERT(uv_loop_init(&bench.loop) == 0);
    snprintf(ca, sizeof ca, "%s/ca.crt", rig_folder());
    for (int i = 0; i < 2; i++) {
        snprintf(certificate, sizeof certificate, "%s/n%d.crt", rig_folder(), i);
        snprintf(key, sizeof key, "%s/n%d.key", rig_folder(), i);
        struct emu_net_config config = {.loop = &bench.loop,
                                        .name = i == 0 ? "n0" : "n1",
                                        .listen = "127.0.0.1:0",
                                        .files = {ca, certificate, key, false},
                                        .peers = peers,
                                        .peer_count = 2,
                                        .calls = {.recv = on_recv}};
        int err = emu_net_new(&config, &bench.nets[i], &why);
        QKD_ASSERT(err == QKD_OK);
    }
    snprintf(address, sizeof address, "127.0.0.1:%u", emu_net_port(bench.nets[1]));
    QKD_ASSERT(emu_net_dial(bench.nets[0], 1, address) == QKD_OK);
    while (!emu_net_is_up(bench.nets[0], 1)) {
        (void)uv_run(&bench.loop, UV_RUN_ONCE);
    }
}

static void nets_close(void)
{
    for (int i = 0; i < 2; i++) {
        emu_net_stop(bench.nets[i], on_stopped, NULL);
    }
    QKD_ASSERT(uv_run(&bench.loop, UV_RUN_DEFAULT) == 0 && bench.stopped == 2);
    for (int i = 0; i < 2; i++) {
        emu_net_free(bench.nets[i]);
    }
    QKD_ASSERT(uv_loop_close(&bench.loop) == 0);
}

static void sealed(size_t len, unsigned together, struct figure *figure)
{
    static uint8_t bytes[2048];
    const struct emu_net_part part = {bytes, len};
    const struct emu_net_counters *counters = emu_net_counters(bench.nets[0], 1);
    uint64_t writes = counters->writes;
    memset(bytes, 7, sizeof bytes);
    bench.got = 0;
    double cpu = bench_cpu_s();
    double start = now_s();
    for (unsigned sent = 0; bench.got < FRAMES;) {
        bool room = emu_net_waiting(bench.nets[0], 1) == 0; /* TCP keeps up */
        for (unsigned i = 0; i < TURN && sent < FRAMES && room; i++) {
            QKD_ASSERT(emu_net_send(bench.nets[0], 1, &part, 1) == QKD_OK);
            sent++;
            if (together == 1) {
                emu_net_flush(bench.nets[0]);
            }
        }
        emu_net_flush(bench.nets[0]);
        (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
        QKD_ASSERT(counters->ups_out == 1); /* else frames were lost */
    }
    figure->cpu_us = (bench_cpu_s() - cpu) / FRAMES * 1e6;
    figure->per_s = FRAMES / (now_s() - start);
    figure->writes = (double)(counters->writes - writes) / FRAMES;
}

/* The best of some rounds: what the machine does besides only adds. */
static struct figure best(void (*run)(size_t, unsigned, struct figure *), size_t len,
                          unsigned together)
{
    struct figure best = {0};
    for (int i = 0; i < ROUNDS; i++) {
        struct figure figure;
        run(len, together, &figure);
        if (i == 0 || figure.cpu_us < best.cpu_us) {
            best = figure;
        }
    }
    return best;
}

int main(void)
{
    static const size_t lens[] = {200, 1500};
    (void)signal(SIGPIPE, SIG_IGN);
    nets_open();
    for (int i = 0; i < 4; i++) {
        size_t len = lens[i / 2];
        unsigned together = i % 2 == 0 ? TURN : 1;
        struct figure floor = best(bare, len, together);
        struct figure net = best(sealed, len, together);
        char name[64];
        snprintf(name, sizeof name, "frame of %zu bytes, %s", len,
                 together > 1 ? "corked" : "one by one");
        (void)printf("%s: %.0f frames/s, %.3f writes per frame; bare TCP %.0f frames/s\n", name,
                     net.per_s, net.writes, floor.per_s);
        bench_row(&(struct bench_row){name, net.cpu_us, "us CPU", floor.cpu_us, "floor",
                                      net.cpu_us / floor.cpu_us, "", true});
    }
    nets_close();
    rig_folder_remove();
    return 0;
}
