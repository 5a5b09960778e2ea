/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine: moves time and bytes between nodes, and knows nothing of key distribution. Two
 * implementations: engine_fast.c (own event queue) and engine_simgrid.c (SimGrid). Time is ns since
 * the start of the run; what happens at one instant happens in the order it was asked for.
 *
 * A unit is whatever has one deadline (an element or a host of elements) at a node. Callbacks never
 * nest and a callback is never interrupted by another one: sim_engine_send() and the others only
 * take note, whichever engine runs. */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/scenario.h"
#include "sim/net.h"
#include "sim/packet.h"
#include "watch/fate.h"

#define SIM_NEVER INT64_MAX
#define SIM_SIMGRID_NODE_LIMIT SCN_MAX_SIMGRID_NODES /* most nodes in the simgrid engine */
#define SIM_SIMGRID_ALL_PAIRS 64        /* up to so many nodes, SimGrid routes all pairs */
#define SIM_SIMGRID_ROUTE_LIMIT 2000000 /* most links in all its routes together */

/* Two nodes that talk on the data plane. */
struct sim_pair {
    uint32_t a, b;
};

/* What the engine calls. The packet belongs to the callee from then on (sim_pool_give()). */
struct sim_engine_calls {
    void *world;
    void (*deliver)(void *world, struct sim_packet *packet);
    void (*wake)(void *world, uint32_t unit); /* its deadline has come; it is then unset */
    void (*timer)(void *world, uint64_t tag); /* a posted instant has come */
};

struct sim_engine_config {
    enum scn_engine kind;
    struct sim_net *net;       /* borrowed; outlives the engine */
    struct sim_pool *pool;     /* borrowed; outlives the engine */
    const char *keep_platform; /* simgrid: keep the platform file under this name, or NULL */
    /* simgrid, above SIM_SIMGRID_ALL_PAIRS nodes: pairs that talk much, besides neighbours. Frames
     * between others (answers of a hop to a far source) take the fast engine's formula and no part
     * in the sharing of bandwidth. Read by new() only. */
    const struct sim_pair *pairs;
    size_t pair_count;
    struct sim_engine_calls calls;
    /* Told of packets that are dropped or copied, which stay the engine's; NULL: not wanted. */
    void (*fate)(void *world, const struct sim_packet *packet, enum watch_fate fate);
    char *why;       /* receives one line when sim_engine_new() fails */
    size_t why_size; /* bytes of why */
};

struct sim_engine;

/* 0; QKD_ERR_NOMEM; QKD_ERR_LIMIT (too many nodes for simgrid); QKD_ERR_STATE (simgrid ran already
 * in this process, or is not in this build); QKD_ERR_IO (platform file). */
int sim_engine_new(const struct sim_engine_config *config, struct sim_engine **engine);
void sim_engine_free(struct sim_engine *engine);

/* Registers a unit at a node, before the run or in it; its number (0, 1, 2 ...) or
 * SIM_NET_NONE without memory. Its deadline is SIM_NEVER. */
uint32_t sim_engine_unit(struct sim_engine *engine, uint32_t node);

/* Replaces the unit's deadline; one in the past counts as now. */
void sim_engine_deadline(struct sim_engine *engine, uint32_t unit, int64_t at_ns);

/* Takes the packet: delivers it later, once or twice, or drops it (returns false: the channel was
 * full, the frame lost, blocked or without route). Fields from_node, to_node, plane and wire_len
 * must be set. from_node == to_node is not for the engine. */
bool sim_engine_send(struct sim_engine *engine, struct sim_packet *packet);

/* Calls timer(tag) at the instant, at the earliest now; 0 or QKD_ERR_NOMEM. `node` is where it
 * runs (any node if it does not matter). */
int sim_engine_post(struct sim_engine *engine, uint32_t node, int64_t at_ns, uint64_t tag);

int64_t sim_engine_now(const struct sim_engine *engine);

/* Runs all that happens before or at `until_ns`, or until sim_engine_stop(). 0 or an error. The
 * simgrid engine can do this once. */
int sim_engine_run(struct sim_engine *engine, int64_t until_ns);

/* Makes sim_engine_run() return after the current callback. */
void sim_engine_stop(struct sim_engine *engine);

struct sim_engine_stats {
    uint64_t callbacks;      /* deliver, wake and timer */
    uint64_t frames, bytes;  /* accepted, headers included */
    uint64_t dropped_queue;  /* channel full */
    uint64_t dropped_chance; /* lost */
    uint64_t dropped_fault;  /* link or node down, at departure or arrival */
    uint64_t dropped_route;  /* no path */
};
const struct sim_engine_stats *sim_engine_stats(const struct sim_engine *engine);

#endif
