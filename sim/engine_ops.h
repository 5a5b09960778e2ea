/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two engines implement behind sim/engine.h. For engine*.c only. */
#ifndef SIM_ENGINE_OPS_H
#define SIM_ENGINE_OPS_H

#include "sim/engine.h"

struct sim_engine_ops {
    void (*free)(struct sim_engine *engine);
    uint32_t (*unit)(struct sim_engine *engine, uint32_t node);
    void (*deadline)(struct sim_engine *engine, uint32_t unit, int64_t at_ns);
    /* The channel is open and the packet's channel field set; true if accepted. */
    bool (*send)(struct sim_engine *engine, struct sim_packet *packet);
    int (*post)(struct sim_engine *engine, uint32_t node, int64_t at_ns, uint64_t tag);
    int (*run)(struct sim_engine *engine, int64_t until_ns);
};

/* First member of each engine's struct. */
struct sim_engine {
    const struct sim_engine_ops *ops;
    struct sim_engine_config config;
    struct sim_engine_stats stats;
    int64_t now_ns;
    int error;    /* of a callback that could not report it; ends the run */
    bool stopped; /* sim_engine_stop() */
};

/* Fill *engine; errors as sim_engine_new(). */
int sim_engine_fast_new(const struct sim_engine_config *config, struct sim_engine **engine);
int sim_engine_simgrid_new(const struct sim_engine_config *config, struct sim_engine **engine);

/* Writes the reason of a failure into config->why. */
void sim_engine_why(const struct sim_engine_config *config, const char *why);

/* Tells the world what became of a packet, if it wants to know. */
void sim_engine_tell(const struct sim_engine *engine, const struct sim_packet *packet,
                     enum watch_fate fate);

/* What chance and impairments do to a packet that its channel took: damage is done to it here, the rest
 * is the engine's. */
struct sim_fate sim_engine_chance(struct sim_engine *engine, struct sim_packet *packet);

/* Counts a packet that is dropped, tells of it and gives it back; false. */
bool sim_engine_drop(struct sim_engine *engine, struct sim_packet *packet, enum watch_fate fate);

/* At the end of a packet's way: hands it to the world, or drops it if a fault blocks its channel. */
void sim_engine_arrive(struct sim_engine *engine, struct sim_packet *packet);

#endif
