/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The simgrid engine: SimGrid 3.32 moves time and frames; nothing else in the project calls it.
 *
 * What of its C API can be trusted is narrow (docs/architecture.md, "Engines"): a comm waited for
 * with a timeout loses its message, and waiting for any of several is a use after free. So each
 * directed channel has one mailbox with a permanent receiver, a receiver actor that only ever gets;
 * and each node has a timer actor that waits in sg_sem_acquire_timeout() for the next thing due at
 * the node and is released by whoever brings that forward. Sends are detached: they cost no wait.
 *
 *   receiver actor (channel a to b, at b)      timer actor (node n)       sender actor (m host)
 *   get ─▶ callback ─▶ settle                  due ─▶ callback ─▶ settle  released ─▶ flush
 *                                              else wait, at most until the next
 *
 * A callback never calls SimGrid: what it sends goes to the outbox of the sending node, what it sets
 * goes to calendars. settle() then releases the actors that have to look (of other nodes, or those
 * that wait for too long) and flushes the own node's outbox. Every such call lets other actors run,
 * also of the same node; they find the same queues and nothing half done. A frame must be put by an
 * actor on the host it leaves, which is why other nodes' outboxes are left to their own actors and
 * the management network (hosts m<i>) has sender actors of its own.
 *
 * Failures never use SimGrid's host or link states (a put to an off host ends the process). Time is
 * a double here and an integer everywhere else: rounded when read, waits rounded up. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simgrid/actor.h>
#include <simgrid/comm.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>
#include <simgrid/mailbox.h>
#include <simgrid/semaphore.h>

#include "core/base/err.h"
#include "sim/calendar.h"
#include "sim/engine_ops.h"
#include "sim/platform.h"

enum {
    NAME_SIZE = 48,
    PATH_SIZE = 4096,
    /* Above these, thousands of frames may be under way at a time: on the management network, where
     * all nodes tick together, and on the data network. A frame then keeps its handle, which costs
     * more each but spares SimGrid a search of all of them; measured with grids of 100 and 900. */
    MANY_NODES = 64,
    MANY_NODES_DATA = 512
};

struct outbox {
    struct sim_packet *first, *last;
};

struct grid;

/* An actor on a management host that puts what waits for it. A hub has several: SimGrid takes a
 * finished frame out of its sender's list by searching it. */
struct grid_sender {
    struct grid *grid;
    sg_host_t host;
    sg_sem_t sem;
    struct outbox out;
    bool kicked;
};

struct grid_node {
    struct grid *grid;
    uint32_t number;
    struct sim_calendar calendar;
    sg_host_t host, management_host;
    sg_sem_t sem; /* of the timer actor */
    struct outbox out;
    uint32_t first_sender, sender_count; /* in grid->senders */
    int64_t waiting_ns; /* the timer actor sleeps until then; SIM_AWAKE: it does not */
    bool kicked;
};

struct grid_channel {
    struct grid *grid;
    struct sim_channel *channel;
    sg_mailbox_t mailbox;
    char name[NAME_SIZE];
};

struct grid_unit {
    uint32_t node, local; /* unit of the node's calendar */
};

/* Somebody to release: a node's timer actor, or a sender. */
struct kick {
    bool sender;
    uint32_t number;
};

struct grid {
    struct sim_engine base;
    struct grid_node *nodes;
    uint32_t node_count;
    struct grid_channel **channels;
    uint32_t channel_count, channel_cap;
    struct grid_unit *units;
    uint32_t unit_count, unit_cap;
    struct grid_sender *senders;
    uint32_t sender_count;
    struct kick *kicks; /* room for every node and sender */
    uint32_t kick_count;
    uint32_t current; /* node whose actor runs a callback; SIM_NET_NONE outside */
    sg_sem_t end;
    bool ended;
    int64_t until_ns;
};

#define SIM_AWAKE INT64_MIN

/* SimGrid's own state is global and cannot be made twice. */
static bool simgrid_used;

static struct grid *grid_of(struct sim_engine *engine)
{
    return (struct grid *)engine;
}

/* ---- what callbacks may ask for: notes only ---- */

static void kick_timer(struct grid *grid, uint32_t number)
{
    if (!grid->nodes[number].kicked) {
        grid->nodes[number].kicked = true;
        grid->kicks[grid->kick_count++] = (struct kick){false, number};
    }
}

static void kick_sender(struct grid *grid, uint32_t number)
{
    if (!grid->senders[number].kicked) {
        grid->senders[number].kicked = true;
        grid->kicks[grid->kick_count++] = (struct kick){true, number};
    }
}

/* Something is due at a node at at_ns: wakes its timer actor if it sleeps longer. */
static void brought_forward(struct grid *grid, uint32_t node, int64_t at_ns)
{
    if (at_ns < grid->nodes[node].waiting_ns) {
        kick_timer(grid, node);
    }
}

static uint32_t grid_unit(struct sim_engine *engine, uint32_t node)
{
    struct grid *grid = grid_of(engine);
    if (grid->unit_count == grid->unit_cap) {
        uint32_t cap = grid->unit_cap == 0 ? 64 : 2 * grid->unit_cap;
        struct grid_unit *units = realloc(grid->units, cap * sizeof(*units));
        if (units == NULL) {
            return SIM_NET_NONE;
        }
        grid->units = units;
        grid->unit_cap = cap;
    }
    uint32_t local = sim_calendar_unit_add(&grid->nodes[node].calendar, grid->unit_count);
    if (local == UINT32_MAX) {
        return SIM_NET_NONE;
    }
    grid->units[grid->unit_count] = (struct grid_unit){node, local};
    return grid->unit_count++;
}

static void grid_deadline(struct sim_engine *engine, uint32_t unit, int64_t at_ns)
{
    struct grid *grid = grid_of(engine);
    const struct grid_unit *u = &grid->units[unit];
    sim_calendar_deadline(&grid->nodes[u->node].calendar, u->local, at_ns);
    brought_forward(grid, u->node, at_ns);
}

static int grid_post(struct sim_engine *engine, uint32_t node, int64_t at_ns, uint64_t tag)
{
    struct grid *grid = grid_of(engine);
    int rc = sim_calendar_timer(&grid->nodes[node].calendar, at_ns, tag);
    if (rc == 0) {
        brought_forward(grid, node, at_ns);
    }
    return rc;
}

static void outbox_push(struct outbox *out, struct sim_packet *packet)
{
    packet->next = NULL;
    if (out->last != NULL) {
        out->last->next = packet;
    } else {
        out->first = packet;
    }
    out->last = packet;
}

static void outbox_add(struct grid *grid, struct sim_packet *packet)
{
    struct grid_node *node = &grid->nodes[packet->from_node];
    packet->channel->held_bytes += packet->wire_len;
    if (packet->plane == SIM_PLANE_MANAGEMENT) {
        uint32_t sender = node->first_sender + packet->to_node % node->sender_count;
        outbox_push(&grid->senders[sender].out, packet);
        kick_sender(grid, sender);
        return;
    }
    outbox_push(&node->out, packet);
    if (packet->from_node != grid->current) {
        kick_timer(grid, packet->from_node);
    }
}

static void grid_fail(struct grid *grid, int err)
{
    grid->base.error = err;
    grid->base.stopped = true;
}

/* A frame waits in its receiver's calendar. */
static void calendar_add(struct grid *grid, struct sim_packet *packet, int64_t at_ns)
{
    packet->extra_ns = 0;
    if (sim_calendar_packet(&grid->nodes[packet->to_node].calendar, at_ns, packet) != 0) {
        sim_pool_give(grid->base.config.pool, packet);
        grid_fail(grid, QKD_ERR_NOMEM);
        return;
    }
    brought_forward(grid, packet->to_node, at_ns);
}

/* Whether the channel takes the frame; if SimGrid has no route for it, *arrival_ns is when it comes
 * out. */
static bool grid_takes(struct grid *grid, const struct sim_packet *packet, int64_t *arrival_ns)
{
    struct sim_channel *channel = packet->channel;
    if (!channel->in_platform) {
        *arrival_ns = sim_net_schedule(channel, grid->base.now_ns, packet->wire_len);
        return *arrival_ns >= 0;
    }
    /* as in sim_net_schedule() */
    return channel->held_bytes == 0 ||
           channel->held_bytes + packet->wire_len <= channel->held_limit;
}

static void grid_launch(struct grid *grid, struct sim_packet *packet, int64_t extra_ns,
                        int64_t arrival_ns)
{
    packet->extra_ns = extra_ns;
    if (packet->channel->in_platform) {
        outbox_add(grid, packet);
    } else if (extra_ns < 0) {
        sim_pool_give(grid->base.config.pool, packet);
    } else {
        calendar_add(grid, packet, arrival_ns + extra_ns);
    }
}

static bool grid_send(struct sim_engine *engine, struct sim_packet *packet)
{
    struct grid *grid = grid_of(engine);
    int64_t arrival_ns = 0;
    if (!grid_takes(grid, packet, &arrival_ns)) {
        return sim_engine_drop(engine, packet, WATCH_FATE_QUEUE);
    }
    struct sim_fate fate = sim_engine_chance(engine, packet);
    if (fate.copies == 2) {
        struct sim_packet *copy = sim_pool_copy(engine->config.pool, packet);
        if (copy == NULL) {
            grid_fail(grid, QKD_ERR_NOMEM);
        } else {
            sim_engine_tell(engine, copy, WATCH_FATE_COPIED);
            grid_launch(grid, copy, fate.extra_ns[1], arrival_ns);
        }
    }
    if (fate.copies == 0) { /* it takes part in the sharing of bandwidth until it is given back */
        sim_engine_tell(engine, packet, WATCH_FATE_CHANCE);
        packet->note = 0;
    }
    grid_launch(grid, packet, fate.copies == 0 ? -1 : fate.extra_ns[0], arrival_ns);
    engine->stats.dropped_chance += fate.copies == 0;
    return fate.copies > 0;
}

/* ---- actors ---- */

static int64_t clock_read(struct grid *grid)
{
    int64_t now_ns = (int64_t)llround(simgrid_get_clock() * 1e9);
    if (now_ns > grid->base.now_ns) {
        grid->base.now_ns = now_ns;
    }
    return grid->base.now_ns;
}

/* Whether callbacks are still wanted; ends the run if not. */
static bool goes_on(struct grid *grid)
{
    if (!grid->base.stopped && grid->base.now_ns <= grid->until_ns) {
        return true;
    }
    if (!grid->ended) {
        grid->ended = true;
        sg_sem_release(grid->end);
    }
    return false;
}

static void packet_lost(void *packet)
{
    (void)packet; /* the pool frees it at the end; a detached put fails only then */
}

static void receiver_main(int argc, char *argv[]);

/* Gives a channel its mailbox and receiver; false (and the run fails) without memory. */
static bool channel_open(struct grid *grid, struct sim_channel *channel)
{
    if (grid->channel_count == grid->channel_cap) {
        uint32_t cap = grid->channel_cap == 0 ? 64 : 2 * grid->channel_cap;
        struct grid_channel **channels = realloc(grid->channels, cap * sizeof(*channels));
        if (channels == NULL) {
            return false;
        }
        grid->channels = channels;
        grid->channel_cap = cap;
    }
    struct grid_channel *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return false;
    }
    made->grid = grid;
    made->channel = channel;
    bool management = channel->plane == SIM_PLANE_MANAGEMENT;
    (void)snprintf(made->name, sizeof(made->name), "%c%u-%u", management ? 'm' : 'n', channel->from,
                   channel->to);
    channel->tag = grid->channel_count;
    grid->channels[grid->channel_count++] = made;
    made->mailbox = sg_mailbox_by_name(made->name);
    const struct grid_node *to = &grid->nodes[channel->to];
    sg_actor_t actor = sg_actor_init(made->name, management ? to->management_host : to->host);
    sg_actor_set_data(actor, made);
    sg_actor_start(actor, receiver_main, 0, NULL);
    return true;
}

/* Puts one frame. SimGrid keeps all detached frames in one list and searches the whole of it when one
 * ends; so where thousands are under way, the frame keeps its handle, which its receiver gives back. */
static void put(struct grid *grid, struct sim_packet *packet)
{
    sg_mailbox_t mailbox = grid->channels[packet->channel->tag]->mailbox;
    long wire_len = (long)packet->wire_len;
    uint32_t few = packet->plane == SIM_PLANE_DATA ? MANY_NODES_DATA : MANY_NODES;
    if (grid->node_count <= few) {
        packet->comm = NULL;
        sg_comm_detach(sg_mailbox_put_init(mailbox, packet, wire_len), packet_lost);
    } else {
        packet->comm = sg_mailbox_put_async(mailbox, packet, wire_len);
    }
}

/* Puts what waits in an outbox of the calling actor's host. */
static void flush(struct grid *grid, struct outbox *out)
{
    while (out->first != NULL) {
        struct sim_packet *packet = out->first;
        out->first = packet->next;
        if (out->first == NULL) {
            out->last = NULL;
        }
        struct sim_channel *channel = packet->channel;
        if (channel->tag == SIM_NET_NONE && !channel_open(grid, channel)) {
            grid_fail(grid, QKD_ERR_NOMEM);
            sim_pool_give(grid->base.config.pool, packet);
            (void)goes_on(grid);
            return;
        }
        put(grid, packet);
    }
}

/* After a callback: releases who has to look; then flushes the data outbox of `node`, if the caller
 * is an actor on its data host (else SIM_NET_NONE). */
static void settle(struct grid *grid, uint32_t node)
{
    grid->current = SIM_NET_NONE;
    while (grid->kick_count > 0) {
        struct kick next = grid->kicks[--grid->kick_count];
        if (next.sender) {
            grid->senders[next.number].kicked = false;
            sg_sem_release(grid->senders[next.number].sem);
        } else {
            grid->nodes[next.number].kicked = false;
            sg_sem_release(grid->nodes[next.number].sem);
        }
    }
    if (node != SIM_NET_NONE) {
        flush(grid, &grid->nodes[node].out);
    }
    (void)goes_on(grid);
}

/* A frame has come out of the network at its node. */
static void arrive(struct grid *grid, struct sim_packet *packet)
{
    if (packet->extra_ns == 0) {
        sim_engine_arrive(&grid->base, packet);
        return;
    }
    if (packet->extra_ns < 0) {
        sim_pool_give(grid->base.config.pool, packet);
        return;
    }
    calendar_add(grid, packet, grid->base.now_ns + packet->extra_ns);
}

static void receiver_main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    struct grid_channel *channel = sg_actor_self_get_data();
    struct grid *grid = channel->grid;
    bool management = channel->channel->plane == SIM_PLANE_MANAGEMENT;
    uint32_t node = management ? SIM_NET_NONE : channel->channel->to;
    sg_actor_daemonize(sg_actor_self());
    sg_mailbox_set_receiver(channel->name);
    for (;;) {
        struct sim_packet *packet = sg_mailbox_get(channel->mailbox);
        (void)clock_read(grid);
        channel->channel->held_bytes -= packet->wire_len;
        if (packet->comm != NULL) {
            sg_comm_unref(packet->comm);
        }
        if (!goes_on(grid)) {
            sim_pool_give(grid->base.config.pool, packet);
            continue;
        }
        grid->current = node;
        arrive(grid, packet);
        settle(grid, node);
    }
}

static void due_handle(struct grid *grid, const struct sim_due *due)
{
    const struct sim_engine_calls *calls = &grid->base.config.calls;
    switch (due->kind) {
    case SIM_DUE_PACKET:
        sim_engine_arrive(&grid->base, due->u.packet);
        break;
    case SIM_DUE_TIMER:
        grid->base.stats.callbacks++;
        calls->timer(calls->world, due->u.tag);
        break;
    case SIM_DUE_WAKE:
        grid->base.stats.callbacks++;
        calls->wake(calls->world, due->u.unit);
        break;
    }
}

static void timer_main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    struct grid_node *node = sg_actor_self_get_data();
    struct grid *grid = node->grid;
    sg_actor_daemonize(sg_actor_self());
    for (;;) {
        int64_t now_ns = clock_read(grid);
        int64_t next_ns = sim_calendar_next(&node->calendar);
        if (next_ns <= now_ns && goes_on(grid)) {
            struct sim_due due = sim_calendar_pop(&node->calendar);
            grid->current = node->number;
            due_handle(grid, &due);
            settle(grid, node->number);
            continue;
        }
        if (node->out.first != NULL) {
            flush(grid, &node->out);
            continue;
        }
        node->waiting_ns = next_ns;
        if (next_ns == INT64_MAX || next_ns <= now_ns) {
            sg_sem_acquire(node->sem); /* nothing to wait for, or the run is over */
        } else {
            (void)sg_sem_acquire_timeout(node->sem, (double)(next_ns - now_ns) * 1e-9);
        }
        node->waiting_ns = SIM_AWAKE;
    }
}

static void sender_main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    struct grid_sender *sender = sg_actor_self_get_data();
    sg_actor_daemonize(sg_actor_self());
    for (;;) {
        sg_sem_acquire(sender->sem);
        flush(sender->grid, &sender->out);
    }
}

static void end_main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    struct grid *grid = sg_actor_self_get_data();
    (void)sg_sem_acquire_timeout(grid->end, (double)grid->until_ns * 1e-9 + 2e-9);
    grid->base.stopped = grid->base.stopped || grid->ended;
}

static void actor_start(const char *name, sg_host_t host, xbt_main_func_t code, void *data)
{
    sg_actor_t actor = sg_actor_init(name, host);
    sg_actor_set_data(actor, data);
    sg_actor_start(actor, code, 0, NULL);
}

static int grid_run(struct sim_engine *engine, int64_t until_ns)
{
    struct grid *grid = grid_of(engine);
    if (grid->until_ns != 0) {
        return QKD_ERR_STATE;
    }
    grid->until_ns = until_ns;
    if (until_ns <= 0) {
        return until_ns < 0 ? QKD_ERR_INVALID : 0;
    }
    grid->end = sg_sem_init(0);
    actor_start("end", grid->nodes[0].host, end_main, grid);
    for (uint32_t i = 0; i < grid->node_count; i++) {
        struct grid_node *node = &grid->nodes[i];
        node->sem = sg_sem_init(0);
        actor_start("timer", node->host, timer_main, node);
    }
    for (uint32_t i = 0; i < grid->sender_count; i++) {
        grid->senders[i].sem = sg_sem_init(0);
        actor_start("sender", grid->senders[i].host, sender_main, &grid->senders[i]);
    }
    simgrid_run();
    if (!engine->stopped) {
        engine->now_ns = until_ns;
    }
    return engine->error;
}

/* ---- new, free ---- */

static void grid_free(struct sim_engine *engine)
{
    struct grid *grid = grid_of(engine);
    for (uint32_t i = 0; i < grid->node_count && grid->nodes != NULL; i++) {
        struct grid_node *node = &grid->nodes[i];
        sim_calendar_fini(&node->calendar);
        if (node->sem != NULL) {
            sg_sem_destroy(node->sem);
        }
    }
    for (uint32_t i = 0; i < grid->sender_count; i++) {
        if (grid->senders[i].sem != NULL) {
            sg_sem_destroy(grid->senders[i].sem);
        }
    }
    if (grid->end != NULL) {
        sg_sem_destroy(grid->end);
    }
    for (uint32_t i = 0; i < grid->channel_count; i++) {
        free(grid->channels[i]);
    }
    free(grid->channels);
    free(grid->units);
    free(grid->senders);
    free(grid->kicks);
    free(grid->nodes);
    free(grid);
}

static const struct sim_engine_ops grid_ops = {
    .free = grid_free,
    .unit = grid_unit,
    .deadline = grid_deadline,
    .send = grid_send,
    .post = grid_post,
    .run = grid_run,
};

/* Writes the platform to config->keep_platform, or to a temporary file whose name is left in path
 * and that is to be removed. */
static int platform_file(const struct sim_engine_config *config, char path[PATH_SIZE])
{
    FILE *file = NULL;
    if (config->keep_platform != NULL) {
        (void)snprintf(path, PATH_SIZE, "%s", config->keep_platform);
        file = fopen(path, "w");
    } else {
        const char *folder = getenv("TMPDIR");
        (void)snprintf(path, PATH_SIZE, "%s/qkdn-platform-XXXXXX",
                       folder != NULL && folder[0] != '\0' ? folder : "/tmp");
        int fd = mkstemp(path);
        file = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (fd >= 0 && file == NULL) {
            (void)close(fd);
        }
    }
    if (file == NULL) {
        sim_engine_why(config, "engine: simgrid: the platform file cannot be written");
        return QKD_ERR_IO;
    }
    int rc = sim_platform_write(config, file);
    if (fclose(file) != 0 && rc == 0) {
        rc = QKD_ERR_IO;
    }
    if (rc == QKD_ERR_LIMIT) {
        sim_engine_why(config, "engine: simgrid: the routes of these applications are too long for "
                               "SimGrid; use --engine fast");
    } else if (rc != 0) {
        sim_engine_why(config, "engine: simgrid: the platform file cannot be written");
    }
    return rc;
}

/* SimGrid takes over signals and, by default, prints; neither is its business here. */
static void simgrid_begin(const char *path)
{
    static char name[] = "qkdn";
    static char network[] = "--cfg=network/model:CM02";
    static char gamma[] = "--cfg=network/TCP-gamma:0";
    static char cross[] = "--cfg=network/crosstraffic:0";
    static char threads[] = "--cfg=contexts/nthreads:1";
    static char stack[] = "--cfg=contexts/stack-size:256";
    static char quiet[] = "--log=root.thresh:critical";
    char *argv[] = {name, network, gamma, cross, threads, stack, quiet, NULL};
    int argc = 7;
    static const int signals[] = {SIGINT, SIGTERM, SIGSEGV};
    struct sigaction before[3];
    for (int i = 0; i < 3; i++) {
        (void)sigaction(signals[i], NULL, &before[i]);
    }
    simgrid_init(&argc, argv);
    simgrid_load_platform(path);
    for (int i = 0; i < 3; i++) {
        (void)sigaction(signals[i], &before[i], NULL);
    }
}

/* Senders of a node on the management network: many at a hub, which answers everybody. */
static uint32_t senders_wanted(const struct sim_net_config *net, uint32_t node)
{
    if (net->management_bandwidth_bps == 0) {
        return 0;
    }
    return sim_net_is_hub(net, node) ? 1 + net->node_count / 4 : 1;
}

static int nodes_new(struct grid *grid)
{
    const struct sim_net_config *net = sim_net_config(grid->base.config.net);
    grid->node_count = net->node_count;
    grid->nodes = calloc(net->node_count, sizeof(*grid->nodes));
    if (grid->nodes == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < net->node_count; i++) {
        grid->nodes[i].grid = grid;
        grid->nodes[i].number = i;
        grid->nodes[i].waiting_ns = SIM_AWAKE;
        grid->nodes[i].first_sender = grid->sender_count;
        grid->nodes[i].sender_count = senders_wanted(net, i);
        grid->sender_count += grid->nodes[i].sender_count;
    }
    grid->senders = calloc((size_t)grid->sender_count + 1, sizeof(*grid->senders));
    grid->kicks = calloc((size_t)net->node_count + grid->sender_count, sizeof(*grid->kicks));
    return grid->senders == NULL || grid->kicks == NULL ? QKD_ERR_NOMEM : 0;
}

static void hosts_find(struct grid *grid)
{
    char name[NAME_SIZE];
    for (uint32_t i = 0; i < grid->node_count; i++) {
        struct grid_node *node = &grid->nodes[i];
        (void)snprintf(name, sizeof(name), "n%u", i);
        node->host = sg_host_by_name(name);
        if (node->sender_count > 0) {
            (void)snprintf(name, sizeof(name), "m%u", i);
            node->management_host = sg_host_by_name(name);
        }
        for (uint32_t k = 0; k < node->sender_count; k++) {
            grid->senders[node->first_sender + k].grid = grid;
            grid->senders[node->first_sender + k].host = node->management_host;
        }
    }
}

int sim_engine_simgrid_new(const struct sim_engine_config *config, struct sim_engine **engine)
{
    uint32_t nodes = sim_net_config(config->net)->node_count;
    if (simgrid_used) {
        sim_engine_why(config, "engine: simgrid: SimGrid can run only once per process");
        return QKD_ERR_STATE;
    }
    if (nodes == 0 || nodes > SIM_SIMGRID_NODE_LIMIT) {
        char why[128];
        (void)snprintf(why, sizeof(why),
                       "engine: simgrid: at most %d nodes, not %u; use --engine fast",
                       SIM_SIMGRID_NODE_LIMIT, nodes);
        sim_engine_why(config, why);
        return QKD_ERR_LIMIT;
    }
    struct grid *grid = calloc(1, sizeof(*grid));
    if (grid == NULL) {
        return QKD_ERR_NOMEM;
    }
    grid->base.ops = &grid_ops;
    grid->base.config = *config;
    grid->base.config.pairs = NULL;
    grid->current = SIM_NET_NONE;
    char path[PATH_SIZE];
    int rc = nodes_new(grid);
    if (rc == 0) {
        rc = platform_file(config, path);
        if (rc == 0) {
            simgrid_used = true;
            simgrid_begin(path);
            hosts_find(grid);
        }
        if (config->keep_platform == NULL && rc != QKD_ERR_IO) {
            (void)unlink(path);
        }
    }
    if (rc != 0) {
        grid_free(&grid->base);
        return rc;
    }
    *engine = &grid->base;
    return 0;
}
