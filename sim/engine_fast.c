/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fast engine: one calendar, integer nanoseconds. A channel sends one frame after the other at
 * the bandwidth of its narrowest link, holds at most queue_bytes that are not yet sent, and delivers
 * a frame one propagation delay after its last bit has left. */
#include <stdlib.h>

#include "core/base/err.h"
#include "sim/calendar.h"
#include "sim/engine_ops.h"

struct fast {
    struct sim_engine base;
    struct sim_calendar calendar;
};

static struct fast *fast_of(struct sim_engine *engine)
{
    return (struct fast *)engine;
}

static void fast_free(struct sim_engine *engine)
{
    struct fast *fast = fast_of(engine);
    sim_calendar_fini(&fast->calendar);
    free(fast);
}

static uint32_t fast_unit(struct sim_engine *engine, uint32_t node)
{
    (void)node;
    struct sim_calendar *calendar = &fast_of(engine)->calendar;
    return sim_calendar_unit_add(calendar, calendar->unit_count);
}

static void fast_deadline(struct sim_engine *engine, uint32_t unit, int64_t at_ns)
{
    sim_calendar_deadline(&fast_of(engine)->calendar, unit, at_ns);
}

static int fast_post(struct sim_engine *engine, uint32_t node, int64_t at_ns, uint64_t tag)
{
    (void)node;
    return sim_calendar_timer(&fast_of(engine)->calendar, at_ns, tag);
}

static void fast_fail(struct sim_engine *engine)
{
    engine->error = QKD_ERR_NOMEM;
    engine->stopped = true;
}

/* Puts one copy of the packet at its arrival; false (packet given back) without memory. */
static bool launch(struct sim_engine *engine, struct sim_packet *packet, int64_t at_ns)
{
    if (sim_calendar_packet(&fast_of(engine)->calendar, at_ns, packet) != 0) {
        sim_pool_give(engine->config.pool, packet);
        fast_fail(engine);
        return false;
    }
    return true;
}

static bool fast_send(struct sim_engine *engine, struct sim_packet *packet)
{
    struct sim_channel *channel = packet->channel;
    int64_t arrival_ns = sim_net_schedule(channel, engine->now_ns, packet->wire_len);
    if (arrival_ns < 0) {
        return sim_engine_drop(engine, packet, WATCH_FATE_QUEUE);
    }
    if (channel->rng == NULL && !sim_net_impaired(engine->config.net)) {
        return launch(engine, packet, arrival_ns);
    }
    struct sim_fate fate = sim_engine_chance(engine, packet);
    if (fate.copies == 0) {
        return sim_engine_drop(engine, packet, WATCH_FATE_CHANCE);
    }
    if (fate.copies == 2) {
        struct sim_packet *copy = sim_pool_copy(engine->config.pool, packet);
        if (copy == NULL) {
            fast_fail(engine);
        } else {
            sim_engine_tell(engine, copy, WATCH_FATE_COPIED);
            (void)launch(engine, copy, arrival_ns + fate.extra_ns[1]);
        }
    }
    return launch(engine, packet, arrival_ns + fate.extra_ns[0]);
}

static int fast_run(struct sim_engine *engine, int64_t until_ns)
{
    struct fast *fast = fast_of(engine);
    const struct sim_engine_calls *calls = &engine->config.calls;
    while (!engine->stopped) {
        int64_t next_ns = sim_calendar_next(&fast->calendar);
        if (next_ns == INT64_MAX || next_ns > until_ns) {
            break;
        }
        struct sim_due due = sim_calendar_pop(&fast->calendar);
        engine->now_ns = due.at_ns;
        switch (due.kind) {
        case SIM_DUE_PACKET:
            sim_engine_arrive(engine, due.u.packet);
            break;
        case SIM_DUE_TIMER:
            engine->stats.callbacks++;
            calls->timer(calls->world, due.u.tag);
            break;
        case SIM_DUE_WAKE:
            engine->stats.callbacks++;
            calls->wake(calls->world, due.u.unit);
            break;
        }
    }
    if (!engine->stopped && engine->now_ns < until_ns) {
        engine->now_ns = until_ns;
    }
    return engine->error;
}

static const struct sim_engine_ops fast_ops = {
    .free = fast_free,
    .unit = fast_unit,
    .deadline = fast_deadline,
    .send = fast_send,
    .post = fast_post,
    .run = fast_run,
};

int sim_engine_fast_new(const struct sim_engine_config *config, struct sim_engine **engine)
{
    struct fast *fast = calloc(1, sizeof(*fast));
    if (fast == NULL) {
        return QKD_ERR_NOMEM;
    }
    fast->base.ops = &fast_ops;
    fast->base.config = *config;
    *engine = &fast->base;
    return 0;
}
