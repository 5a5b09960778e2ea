/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The virtual world: elements of core at nodes, an engine between them, devices and load around
 * them, and an oracle that watches. Internal to sim/ and its tests; users call sim/run.h.
 *
 * An event reaches a unit (an element, or a key manager's host of elements); what the step puts out
 * is executed at once: everything persisted is committed to the node's store, then sends go to the
 * node's own first-in-first-out queue (same node) or to the engine (other node), then reports go to
 * the statistics. The queue is drained before the engine's callback returns.
 *
 *   world_build.c  nodes, units, their configuration and start    world_exec.c  steps and outputs
 *   devices.c      optics and load                               faults.c      links and nodes fail
 *   stats.c        requests, pools, records for the sink         world.c       life, time, end */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "host/load.h"
#include "host/optics.h"
#include "host/plan.h"
#include "sim/clock.h"
#include "sim/engine.h"
#include "sim/run.h"
#include "sim/store.h"
#include "watch/oracle.h"
#include "watch/recorder.h"
#include "watch/trace.h"

/* A pair of elements that share a secret at a reference point. */
struct sim_secret {
    struct qkd_eid self, peer;
    uint32_t rp;
};

/* What the world keeps of a unit of the plan, under the same number. */
struct sim_unit {
    bool dirty;                                /* its deadline may have moved */
    uint8_t idle;                              /* time-outs in a row that moved nothing */
    uint32_t failed;                           /* faults that hold it alone down */
    struct sim_packet *work_first, *work_last; /* what waits for its processor: sim/work.h */
    uint32_t work_count;
    int64_t busy_until_ns;
    uint32_t secret_count, secret_cap;
    struct sim_secret *secrets; /* what it was given; given again after a restart */
};

struct sim_late;

enum {
    SIM_BOOT_GROUP = 256,        /* nodes that start at once */
    SIM_BOOT_GROUP_NS = 20000000 /* time from one group to the next */
};

struct sim_node {
    struct sim_clock clock;
    struct sim_store store;
    uint32_t incarnation;
    uint32_t crashed;                        /* faults that hold it down */
    uint32_t cut;                            /* faults that cut it off */
    uint32_t disk_full;                      /* faults that refuse its commits */
    bool store_lost;                         /* of its key manager, once */
    struct qkd_out held;                     /* what waits for a commit that was refused */
    struct sim_late *late_first, *late_last; /* what waits for the KM's processing time */
    uint32_t armed;      /* fault that crashes it at an output to come, + 1; 0: none */
    uint64_t armed_left; /* outputs, or commits, until then */
};

/* The optics of one link. */
struct sim_device {
    struct host_optics optics;
    uint32_t stamp; /* of the timer that counts */
};

/* What tests ask for beyond a scenario. */
struct sim_hooks {
    uint64_t crash_output; /* crash the node that makes the n-th output (commit or send), after it;
                              0: never */
    int64_t crash_for_ns;  /* and restart it after this */
    bool delete_after;     /* applications delete the keys they were supplied (Table 7-6) */
    /* Sees every send as it is executed; observed: the message before sealing, NULL if none. */
    void (*observe)(void *ctx, int64_t now_ns, const struct qkd_send *send,
                    const uint8_t *observed);
    void *observe_ctx;
};

struct watch_stats;
struct sim_attackers;

struct sim_world {
    const struct scn_scenario *scenario;
    struct sim_options options;
    struct scn_sink sink; /* callbacks NULL if there is none */
    struct scn_summary *summary;
    struct sim_hooks hooks;

    struct sim_net *net;
    struct sim_pool *pool;
    struct sim_engine *engine;
    struct watch_oracle *oracle; /* NULL: off */
    const struct watch_oracle_verdict *verdict;
    struct watch_stats *stats;
    struct sim_attackers *attackers; /* NULL: the scenario has none */
    uint32_t forged;                 /* attacker that made the message being delivered, + 1; 0 */
    uint32_t twin;                   /* its pair, if an attacker repeated it; 0 */
    struct watch_recorder *recorder; /* NULL: the sink wants no messages */
    uint64_t cause;                  /* request of the message being delivered; 0: none */
    struct watch_trace trace;

    struct sim_node *nodes;
    struct host_plan *plan; /* what stands at the nodes */
    struct sim_unit *units; /* as plan->units */
    uint32_t starting;      /* the unit that sim_unit_start() configures */
    struct sim_device *devices;
    struct host_load *loads;

    struct qkd_out out;
    struct sim_packet *first, *last; /* what the current callback still has to deliver */
    struct sim_late *late_free;      /* empty batches */
    uint32_t *dirty;
    uint32_t dirty_count;

    uint32_t booted;    /* nodes that were started: sim/world.c */
    uint8_t secret[32]; /* of the run: secrets and seeds of elements derive from it */
    uint64_t message_id;
    uint64_t events;       /* steps */
    uint64_t messages;     /* sends */
    uint64_t outputs;      /* commits and sends executed */
    uint64_t manager_gaps; /* reports that the manager has not got, by their numbers; at the end */
    uint64_t work_lost;    /* messages for which no receiver had room */
    uint32_t work_most;    /* that waited for one at once */
    int64_t step_ns;       /* what the last step took its processor */
    uint64_t torn;         /* commits that a crash undid */
    uint64_t refused;      /* batches with a commit that had to wait */
    uint64_t callbacks;
    int64_t end_ns;
    int64_t progress_ns; /* last call of progress */
    int error;
    bool interrupted;
};

/* Kinds of packets inside the world (sim_packet.kind). */
enum sim_packet_kind { SIM_PACKET_MESSAGE, SIM_PACKET_CONFIG };

/* Posted timers: kind (8 bits), stamp (24), index (32). */
enum sim_timer {
    SIM_TIMER_BOOT,
    SIM_TIMER_BLOCK,
    SIM_TIMER_NOISE, /* the light of a link becomes too noisy for key, or quiet again */
    SIM_TIMER_LOAD,
    SIM_TIMER_FAULT_BEGIN,
    SIM_TIMER_FAULT_END,
    SIM_TIMER_RESTART, /* after a crash hook */
    SIM_TIMER_WARM,    /* end of the warm-up */
    SIM_TIMER_LATE,    /* outputs of a key manager are due */
    SIM_TIMER_ATTACK,  /* what an attacker holds back is due */
    SIM_TIMER_WORK,    /* the processor of a receiver is free */
    SIM_TIMER_CALM     /* no frame is lost, doubled or held back from here on */
};

/* ---- world.c ---- */

int sim_world_new(const struct scn_scenario *scenario, const struct sim_options *options,
                  struct scn_summary *summary, struct sim_world **world);
void sim_world_free(struct sim_world *world);

/* Before sim_world_run(): what tests want. */
void sim_world_hook(struct sim_world *world, const struct sim_hooks *hooks);

/* Runs to the end and fills the summary. */
int sim_world_run(struct sim_world *world);

/* The first error of a run is kept and ends it; err 0 does nothing. `what` for the caller's why. */
void sim_world_fail(struct sim_world *world, int err, const char *what);

static inline int64_t sim_world_now(const struct sim_world *world)
{
    return sim_engine_now(world->engine);
}

void sim_world_post(struct sim_world *world, uint32_t node, int64_t at_ns, uint64_t tag);

static inline uint64_t sim_world_tag(enum sim_timer kind, uint32_t stamp, uint32_t index)
{
    return ((uint64_t)kind << 56) | ((uint64_t)(stamp & 0xffffffU) << 32) | index;
}

/* Tells the sink of something that happened to the network. */
void sim_world_note(struct sim_world *world, const char *kind, const char *entity,
                    const char *detail);

/* Derives 32 secret bytes from the run's secret, a name and two numbers. */
void sim_world_derive(const struct sim_world *world, const char *name, const uint64_t numbers[3],
                      uint8_t to[32]);

/* ---- world_build.c ---- */

int sim_world_build(struct sim_world *world);

/* Starts all units of a node from the node's store and configures them. */
void sim_node_start(struct sim_world *world, uint32_t node);

/* The initial secret of a link: the same at both ends and after each restart. */
void sim_world_bootstrap_seed(const struct sim_world *world, uint32_t link, uint8_t seed[32]);

/* Drops all elements of a node. */
void sim_node_drop(struct sim_world *world, uint32_t node);

/* Drops one unit of a node that runs on; starts it again. */
void sim_unit_drop(struct sim_world *world, uint32_t unit);
void sim_unit_start(struct sim_world *world, uint32_t unit);

/* ---- faults.c, see above; what an attacker does too ---- */

/* The store of a node's key manager is lost, or its KSA's alone. */
void sim_node_store_lose(struct sim_world *world, uint32_t node, bool ksa_only);

/* ---- world_exec.c ---- */

/* Steps a unit and executes what it puts out. part: for START of a KM's part, else 0. */
void sim_unit_step(struct sim_world *world, uint32_t unit, struct qkd_event *event, uint32_t part);

/* Executes world->out as what a unit at this node puts out; it may have to wait for a commit. */
void sim_node_execute(struct sim_world *world, uint32_t node);

/* Executes what waited for a commit that was refused; forgets it. */
void sim_node_release(struct sim_world *world, uint32_t node);
void sim_node_forget(struct sim_world *world, uint32_t node);
/* The same of one element of the node, which fell alone. */
void sim_unit_forget(struct sim_world *world, uint32_t node, struct qkd_eid element);

/* Queues a message (encoded, plain) from the world to an element at the same instant. */
struct sim_local {
    enum sim_packet_kind kind;
    enum qkd_rp rp;
    struct qkd_eid from, to;
    const uint8_t *bytes;
    size_t len;
    uint32_t note;   /* the recorder's handle */
    uint32_t forged; /* attacker that made it, + 1; 0: it is honest */
    uint32_t twin;   /* pair of a message and its repetition, from 1; 0: none */
};
void sim_world_local(struct sim_world *world, const struct sim_local *local);
/* The same for what stands around the elements (host/message.h): ctx is the world. */
void sim_world_tell(void *ctx, const struct host_message *message);

/* Sends a message on its way from the node of its sender; drops it there. */
void sim_world_carry(struct sim_world *world, const struct sim_local *message);
void sim_world_drop(struct sim_world *world, const struct sim_local *message);

/* Delivers all that is queued, then tells the engine the new deadlines. */
void sim_world_drain(struct sim_world *world);

/* Gives both ends of (rp, a, b) their pairwise secret. */
void sim_world_introduce(struct sim_world *world, enum qkd_rp rp, struct qkd_eid a,
                         struct qkd_eid b);

/* Gives `unit` again the first `count` of the secrets it was given before. */
void sim_unit_introduce_again(struct sim_world *world, uint32_t unit, uint32_t count);

/* Gives a unit whose processor is free the next message that waits for it. */
void sim_world_work(struct sim_world *world, uint32_t unit);
void sim_world_on_deliver(void *world, struct sim_packet *packet);
void sim_world_on_wake(void *world, uint32_t unit);

/* ---- devices.c ---- */

int sim_devices_new(struct sim_world *world);
void sim_devices_free(struct sim_world *world);
void sim_devices_start(struct sim_world *world); /* the load; optics wait for their modules */
void sim_optical_control(struct sim_world *world, struct qkd_eid eid, const uint8_t *bytes,
                         size_t len);
/* The agent of a switch or relay point is gone. */
void sim_optical_stop(struct sim_world *world, uint32_t number);
void sim_device_control(struct sim_world *world, struct qkd_eid device, const uint8_t *bytes,
                        size_t len);
void sim_device_break(struct sim_world *world, uint32_t link); /* nests */
void sim_device_mend(struct sim_world *world, uint32_t link);
void sim_device_stop(struct sim_world *world, uint32_t link, uint8_t end); /* module gone */
void sim_device_timer(struct sim_world *world, uint32_t link, uint32_t stamp);
void sim_noise_timer(struct sim_world *world, uint32_t link);
void sim_load_timer(struct sim_world *world, uint32_t application);

/* ---- faults.c ---- */

void sim_faults_start(struct sim_world *world);
void sim_fault_begin(struct sim_world *world, uint32_t fault);
void sim_fault_end(struct sim_world *world, uint32_t fault);
void sim_node_crash(struct sim_world *world, uint32_t node);
/* The fault that waited for an output of the node strikes. */
void sim_node_strike(struct sim_world *world, uint32_t node);
void sim_node_restart(struct sim_world *world, uint32_t node);

#endif
