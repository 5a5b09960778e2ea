/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What both engines share: the checks at departure and arrival, the counters, the choice. */
#include "sim/engine.h"

#include <stdio.h>

#include "core/base/err.h"
#include "sim/engine_ops.h"

void sim_engine_why(const struct sim_engine_config *config, const char *why)
{
    if (config->why != NULL && config->why_size > 0) {
        (void)snprintf(config->why, config->why_size, "%s", why);
    }
}

int sim_engine_new(const struct sim_engine_config *config, struct sim_engine **engine)
{
    *engine = NULL;
    int rc = QKD_ERR_STATE;
    if (config->kind == SCN_ENGINE_FAST) {
        rc = sim_engine_fast_new(config, engine);
    } else {
#ifdef QKDN_HAVE_SIMGRID
        rc = sim_engine_simgrid_new(config, engine);
#else
        sim_engine_why(config, "engine: simgrid is not in this build; use --engine fast, or build "
                               "with SimGrid 3.32 (Debian package libsimgrid-dev)");
#endif
    }
    if (rc == QKD_ERR_NOMEM) {
        sim_engine_why(config, "out of memory");
    }
    return rc;
}

void sim_engine_free(struct sim_engine *engine)
{
    if (engine != NULL) {
        engine->ops->free(engine);
    }
}

uint32_t sim_engine_unit(struct sim_engine *engine, uint32_t node)
{
    return engine->ops->unit(engine, node);
}

void sim_engine_deadline(struct sim_engine *engine, uint32_t unit, int64_t at_ns)
{
    engine->ops->deadline(engine, unit, at_ns < engine->now_ns ? engine->now_ns : at_ns);
}

int sim_engine_post(struct sim_engine *engine, uint32_t node, int64_t at_ns, uint64_t tag)
{
    return engine->ops->post(engine, node, at_ns < engine->now_ns ? engine->now_ns : at_ns, tag);
}

int64_t sim_engine_now(const struct sim_engine *engine)
{
    return engine->now_ns;
}

void sim_engine_stop(struct sim_engine *engine)
{
    engine->stopped = true;
}

const struct sim_engine_stats *sim_engine_stats(const struct sim_engine *engine)
{
    return &engine->stats;
}

int sim_engine_run(struct sim_engine *engine, int64_t until_ns)
{
    engine->stopped = false;
    return engine->ops->run(engine, until_ns);
}

void sim_engine_tell(const struct sim_engine *engine, const struct sim_packet *packet,
                     enum watch_fate fate)
{
    if (engine->config.fate != NULL) {
        engine->config.fate(engine->config.calls.world, packet, fate);
    }
}

struct sim_fate sim_engine_chance(struct sim_engine *engine, struct sim_packet *packet)
{
    struct sim_fate fate = sim_net_fate(engine->config.net, packet->channel);
    if (fate.damaged && (packet->checked || packet->len == 0)) {
        fate.copies = 0;
    } else if (fate.damaged) {
        uint64_t bit = fate.bit % (8 * (uint64_t)packet->len);
        packet->bytes[bit / 8] = (uint8_t)(packet->bytes[bit / 8] ^ 1U << bit % 8);
    }
    return fate;
}

bool sim_engine_drop(struct sim_engine *engine, struct sim_packet *packet, enum watch_fate fate)
{
    struct sim_engine_stats *stats = &engine->stats;
    stats->dropped_queue += fate == WATCH_FATE_QUEUE;
    stats->dropped_chance += fate == WATCH_FATE_CHANCE;
    stats->dropped_fault += fate == WATCH_FATE_FAULT;
    stats->dropped_route += fate == WATCH_FATE_ROUTE;
    sim_engine_tell(engine, packet, fate);
    sim_pool_give(engine->config.pool, packet);
    return false;
}

bool sim_engine_send(struct sim_engine *engine, struct sim_packet *packet)
{
    struct sim_net *net = engine->config.net;
    struct sim_engine_stats *stats = &engine->stats;
    packet->channel = sim_net_channel(net, packet->from_node, packet->to_node,
                                      (enum sim_plane)packet->plane);
    if (packet->channel == NULL) {
        engine->error = QKD_ERR_NOMEM;
        engine->stopped = true;
        return sim_engine_drop(engine, packet, WATCH_FATE_ROUTE);
    }
    if (!packet->channel->routed) {
        return sim_engine_drop(engine, packet, WATCH_FATE_ROUTE);
    }
    if (!sim_net_open(net, packet->channel)) {
        return sim_engine_drop(engine, packet, WATCH_FATE_FAULT);
    }
    uint32_t wire_len = packet->wire_len;
    if (!engine->ops->send(engine, packet)) {
        return false;
    }
    stats->frames++;
    stats->bytes += wire_len;
    return true;
}

void sim_engine_arrive(struct sim_engine *engine, struct sim_packet *packet)
{
    if (!sim_net_open(engine->config.net, packet->channel)) {
        (void)sim_engine_drop(engine, packet, WATCH_FATE_FAULT);
        return;
    }
    engine->stats.callbacks++;
    engine->config.calls.deliver(engine->config.calls.world, packet);
}
