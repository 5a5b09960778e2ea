/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the engines cost, against floors measured in the same run.
 *
 *   fast      timers and frames per second, against a bare binary heap that does the same pushes and
 *             pops with nothing around it
 *   simgrid   frames and wakes per second of the engine, against bare SimGrid actors that exchange
 *             the same messages and sleep as often, without our engine
 *
 * Ratios are engine / floor in time: 1.0 is the floor. CPU time, one core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "sim/engine.h"

#ifdef QKDN_HAVE_SIMGRID
#include <simgrid/actor.h>
#include <simgrid/comm.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>
#include <simgrid/mailbox.h>
#include <simgrid/semaphore.h>
#endif

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- the floor of the fast engine ---- */

struct item {
    int64_t at_ns;
    uint64_t order;
    uint64_t data;
};

struct heap {
    struct item *items;
    size_t count;
    uint64_t order;
};

static bool before(const struct item *a, const struct item *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void heap_push(struct heap *heap, int64_t at_ns, uint64_t data)
{
    struct item item = {at_ns, heap->order++, data};
    size_t at = heap->count++;
    while (at > 0 && before(&item, &heap->items[(at - 1) / 2])) {
        heap->items[at] = heap->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->items[at] = item;
}

static struct item heap_pop(struct heap *heap)
{
    struct item top = heap->items[0];
    struct item last = heap->items[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && before(&heap->items[child + 1], &heap->items[child])) {
            child++;
        }
        if (!before(&heap->items[child], &last)) {
            break;
        }
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = last;
    return top;
}

/* Delays of 0.05 to 0.1 ms, cheap to draw. */
static int64_t delay_ns(uint64_t n)
{
    return 50000 + (int64_t)((n * UINT64_C(0x9e3779b97f4a7c15)) >> 48) * 50000 / 65536;
}

static double heap_floor(size_t pending, uint64_t events)
{
    struct heap heap = {.items = calloc(pending + 1, sizeof(struct item))};
    for (size_t i = 0; i < pending; i++) {
        heap_push(&heap, delay_ns(i), i);
    }
    double start_s = cpu_s();
    for (uint64_t n = 0; n < events; n++) {
        struct item item = heap_pop(&heap);
        heap_push(&heap, item.at_ns + delay_ns(n), item.data);
    }
    double took_s = cpu_s() - start_s;
    free(heap.items);
    return took_s;
}

/* ---- a world of echoes ---- */

struct bench {
    struct sim_net *net;
    struct sim_pool *pool;
    struct sim_engine *engine;
    uint64_t events, limit;
};

static void count(struct bench *bench)
{
    if (++bench->events >= bench->limit) {
        sim_engine_stop(bench->engine);
    }
}

static void echo(void *world, struct sim_packet *packet)
{
    struct bench *bench = world;
    uint32_t from = packet->from_node;
    packet->from_node = packet->to_node;
    packet->to_node = from;
    (void)sim_engine_send(bench->engine, packet);
    count(bench);
}

static void wake(void *world, uint32_t unit)
{
    struct bench *bench = world;
    sim_engine_deadline(bench->engine, unit,
                        sim_engine_now(bench->engine) + delay_ns(bench->events));
    count(bench);
}

static void post(void *world, uint64_t tag)
{
    struct bench *bench = world;
    (void)sim_engine_post(bench->engine, (uint32_t)tag,
                          sim_engine_now(bench->engine) + delay_ns(bench->events), tag);
    count(bench);
}

/* A ring; every link carries 1 Gbit/s at 50 us. */
static void bench_new(struct bench *bench, enum scn_engine kind, uint32_t nodes, uint64_t limit)
{
    struct host_cable *links = calloc(nodes, sizeof(*links));
    for (uint32_t i = 0; i < nodes; i++) {
        links[i] = (struct host_cable){i, (i + 1) % nodes, 50000, 1000000000};
    }
    *bench = (struct bench){.limit = limit, .pool = sim_pool_new()};
    struct sim_net_config net = {.node_count = nodes,
                                 .links = links,
                                 .link_count = nodes,
                                 .queue_bytes = 1 << 20,
                                 .hubs = {SIM_NET_NONE, SIM_NET_NONE, SIM_NET_NONE}};
    struct sim_engine_config engine = {.kind = kind,
                                       .pool = bench->pool,
                                       .calls = {bench, echo, wake, post}};
    int rc = sim_net_new(&net, &bench->net);
    free(links);
    engine.net = bench->net;
    if (rc != 0 || sim_engine_new(&engine, &bench->engine) != 0) {
        (void)fprintf(stderr, "engine_bench: cannot make an engine\n");
        exit(EXIT_FAILURE);
    }
}

static void bench_free(struct bench *bench)
{
    sim_engine_free(bench->engine);
    sim_net_free(bench->net);
    sim_pool_free(bench->pool);
}

static void frames_start(struct bench *bench, uint32_t nodes, uint32_t per_node)
{
    for (uint32_t i = 0; i < nodes * per_node; i++) {
        struct sim_packet *packet = sim_pool_take(bench->pool, 200);
        packet->from_node = i % nodes;
        packet->to_node = (i + 1) % nodes;
        packet->wire_len = 200;
        (void)sim_engine_send(bench->engine, packet);
    }
}

enum what { FRAMES, DEADLINES, POSTS };

static double engine_run(enum scn_engine kind, enum what what, uint32_t nodes, uint64_t events)
{
    struct bench bench;
    bench_new(&bench, kind, nodes, events);
    for (uint32_t i = 0; i < nodes && what == DEADLINES; i++) {
        sim_engine_deadline(bench.engine, sim_engine_unit(bench.engine, i), delay_ns(i));
    }
    for (uint32_t i = 0; i < nodes && what == POSTS; i++) {
        (void)sim_engine_post(bench.engine, i, delay_ns(i), i);
    }
    if (what == FRAMES) {
        frames_start(&bench, nodes, 1);
    }
    double start_s = cpu_s();
    (void)sim_engine_run(bench.engine, INT64_C(1000000000000));
    double took_s = cpu_s() - start_s;
    bench_free(&bench);
    return took_s;
}

static void line(const char *name, uint64_t events, double took_s, double floor_s)
{
    (void)printf("  %-34s %8.3f M/s %7.0f ns  %5.2f x floor\n", name,
                 (double)events / took_s * 1e-6, took_s / (double)events * 1e9, took_s / floor_s);
}

static void fast_bench(void)
{
    const uint64_t events = 4000000;
    static const uint32_t sizes[] = {4, 100, 10000};
    (void)printf("fast engine\n");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t nodes = sizes[i];
        char name[64];
        double floor_s = heap_floor(nodes, events);
        (void)snprintf(name, sizeof(name), "bare heap, %u pending", nodes);
        line(name, events, floor_s, floor_s);
        (void)snprintf(name, sizeof(name), "posted timers, %u", nodes);
        line(name, events, engine_run(SCN_ENGINE_FAST, POSTS, nodes, events), floor_s);
        (void)snprintf(name, sizeof(name), "deadlines, %u units", nodes);
        line(name, events, engine_run(SCN_ENGINE_FAST, DEADLINES, nodes, events), floor_s);
        (void)snprintf(name, sizeof(name), "frames of 200 bytes, %u nodes", nodes);
        line(name, events, engine_run(SCN_ENGINE_FAST, FRAMES, nodes, events), floor_s);
    }
}

/* ---- simgrid: each measurement in its own process ---- */

#ifdef QKDN_HAVE_SIMGRID

struct floor {
    uint64_t count, limit;
    sg_sem_t end;
};

static struct floor bare;

/* At node n: gets from n - 1, puts to n + 1 (a ring of receivers, as many frames under way). */
static void bare_actor(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    char name[32];
    uint32_t *pair = sg_actor_self_get_data(); /* own number, where to */
    sg_actor_daemonize(sg_actor_self());
    (void)snprintf(name, sizeof(name), "b%u-%u", pair[1], pair[0]);
    sg_mailbox_t in = sg_mailbox_by_name(name);
    sg_mailbox_set_receiver(name);
    (void)snprintf(name, sizeof(name), "b%u-%u", pair[0], pair[1]);
    sg_mailbox_t out = sg_mailbox_by_name(name);
    if (pair[2] != 0) {
        sg_comm_detach(sg_mailbox_put_init(out, &bare, 200), NULL);
    }
    for (;;) {
        (void)sg_mailbox_get(in);
        if (++bare.count >= bare.limit) {
            sg_sem_release(bare.end);
        }
        sg_comm_detach(sg_mailbox_put_init(out, &bare, 200), NULL);
    }
}

static void bare_sleeper(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    sg_sem_t sem = sg_sem_init(0);
    sg_actor_daemonize(sg_actor_self());
    for (;;) {
        (void)sg_sem_acquire_timeout(sem, (double)delay_ns(bare.count) * 1e-9);
        if (++bare.count >= bare.limit) {
            sg_sem_release(bare.end);
        }
    }
}

static void bare_end(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    sg_sem_acquire(bare.end);
}

static void bare_actor_start(uint32_t node, void (*code)(int, char **), void *data)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "n%u", node);
    sg_actor_t actor = sg_actor_init("bare", sg_host_by_name(name));
    sg_actor_set_data(actor, data);
    sg_actor_start(actor, code, 0, NULL);
}

/* The same messages or sleeps by SimGrid alone; the engine is only made for its platform. */
static double bare_run(enum what what, uint32_t nodes, uint64_t events)
{
    struct bench bench;
    bench_new(&bench, SCN_ENGINE_SIMGRID, nodes, events);
    bare = (struct floor){.limit = events, .end = sg_sem_init(0)};
    uint32_t *pairs = calloc((size_t)nodes * 6, sizeof(*pairs));
    bare_actor_start(0, bare_end, NULL);
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t next = (i + 1) % nodes;
        uint32_t both[6] = {i, next, 1, next, i, 0};
        memcpy(pairs + (size_t)i * 6, both, sizeof(both));
        if (what == FRAMES) {
            bare_actor_start(i, bare_actor, pairs + (size_t)i * 6);
            bare_actor_start(next, bare_actor, pairs + (size_t)i * 6 + 3);
        } else {
            bare_actor_start(i, bare_sleeper, NULL);
        }
    }
    double start_s = cpu_s();
    simgrid_run();
    double took_s = cpu_s() - start_s;
    free(pairs);
    return took_s;
}

static double in_child(bool engine, enum what what, uint32_t nodes, uint64_t events)
{
    int ends[2];
    double took_s = 0;
    if (pipe(ends) != 0) {
        return 0;
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        took_s = engine ? engine_run(SCN_ENGINE_SIMGRID, what, nodes, events)
                        : bare_run(what, nodes, events);
        _exit(write(ends[1], &took_s, sizeof(took_s)) == (ssize_t)sizeof(took_s) ? 0 : 1);
    }
    (void)close(ends[1]);
    if (child < 0 || read(ends[0], &took_s, sizeof(took_s)) != (ssize_t)sizeof(took_s)) {
        (void)fprintf(stderr, "engine_bench: the measurement of SimGrid failed\n");
        exit(EXIT_FAILURE);
    }
    (void)close(ends[0]);
    (void)waitpid(child, NULL, 0);
    return took_s;
}

static void simgrid_bench(void)
{
    static const uint32_t sizes[] = {4, 100, 400};
    (void)printf("simgrid engine\n");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t nodes = sizes[i];
        uint64_t events = nodes > 200 ? 200000 : 500000;
        char name[64];
        double floor_s = in_child(false, FRAMES, nodes, events);
        (void)snprintf(name, sizeof(name), "bare actors, frames, %u nodes", nodes);
        line(name, events, floor_s, floor_s);
        (void)snprintf(name, sizeof(name), "engine, frames, %u nodes", nodes);
        line(name, events, in_child(true, FRAMES, nodes, events), floor_s);
        floor_s = in_child(false, DEADLINES, nodes, events);
        (void)snprintf(name, sizeof(name), "bare actors, wakes, %u nodes", nodes);
        line(name, events, floor_s, floor_s);
        (void)snprintf(name, sizeof(name), "engine, wakes, %u nodes", nodes);
        line(name, events, in_child(true, DEADLINES, nodes, events), floor_s);
    }
}

#else

static void simgrid_bench(void)
{
    (void)printf("simgrid engine: not in this build\n");
}

#endif

int main(void)
{
    simgrid_bench();
    fast_bench();
    return EXIT_SUCCESS;
}
