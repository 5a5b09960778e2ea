/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nodes of the world and the start of their units: START with what was persisted, then the
 * configuration (docs/protocol.md, "Start and configuration"). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "host/configure.h"
#include "host/unit.h"
#include "sim/world.h"

enum { MONO_SPREAD_S = 1000 /* a node's monotonic clock starts anywhere in this range */ };

static void node_clock(struct sim_world *world, uint32_t number)
{
    const struct scn_node *given = &world->scenario->nodes[number];
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, world->scenario->seed, "clock", number);
    uint64_t spread_ns = (uint64_t)(MONO_SPREAD_S * QKD_NS_PER_S);
    world->nodes[number].clock = (struct sim_clock){
        .drift_ppb = (int64_t)llround(given->clock_drift_ppm * 1000),
        .mono_ns = (int64_t)qkd_rng_below(&rng, spread_ns),
        .wall_ns = SIM_EPOCH_NS + given->clock_offset_ns,
    };
    qkd_rng_fini(&rng);
}

int sim_world_build(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    int rc = host_plan_new(scenario, &world->plan);
    if (rc != 0) {
        return rc;
    }
    world->plan->options.report_life = world->sink.life != NULL;
    uint32_t units = world->plan->unit_count;
    world->nodes = calloc(scenario->node_count, sizeof(*world->nodes));
    world->units = calloc(units, sizeof(*world->units));
    world->dirty = calloc(units, sizeof(*world->dirty));
    if (world->nodes == NULL || world->units == NULL || world->dirty == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (uint32_t n = 0; n < scenario->node_count; n++) {
        node_clock(world, n);
    }
    for (uint32_t i = 0; i < units; i++) {
        if (sim_engine_unit(world->engine, world->plan->units[i].node) != i) {
            return QKD_ERR_NOMEM;
        }
    }
    return sim_devices_new(world);
}

/* ---- start ---- */

static void unit_start(struct sim_world *world, uint32_t number)
{
    struct host_unit *unit = &world->plan->units[number];
    struct sim_node *node = &world->nodes[unit->node];
    int rc = host_unit_make(world->plan, unit);
    if (rc != 0) {
        sim_world_fail(world, rc, host_unit_name(unit));
        return;
    }
    struct qkd_eid eids[3];
    uint32_t parts[3];
    uint32_t count = host_unit_elements(world->plan, unit, eids, parts);
    for (uint32_t i = 0; i < count && unit->element.any != NULL; i++) {
        struct qkd_record *records = NULL;
        struct qkd_event event = {.type = QKD_EV_START};
        rc = sim_store_records(&node->store, eids[i], &records, &event.u.start.count);
        if (rc != 0) {
            sim_world_fail(world, rc, host_unit_name(unit));
            return;
        }
        event.u.start.records = records;
        event.u.start.incarnation = node->incarnation;
        event.u.start.replaced = node->store_lost;
        uint64_t numbers[3] = {eids[i].v, node->incarnation, 0};
        sim_world_derive(world, "seed", numbers, event.u.start.seed);
        sim_unit_step(world, number, &event, parts[i]);
        free(records);
    }
}

/* ---- configuration ---- */

static void on_config(void *ctx, const struct host_message *message)
{
    sim_world_local(ctx, &(struct sim_local){.kind = SIM_PACKET_CONFIG,
                                             .to = message->to,
                                             .bytes = message->bytes,
                                             .len = message->len});
}

static void on_bootstrap(void *ctx, uint32_t link, uint8_t *to, size_t len)
{
    const struct sim_world *world = ctx;
    uint8_t seed[HOST_SEED_BYTES];
    sim_world_bootstrap_seed(world, link, seed);
    if (world->scenario->links[link].qkd.key_form == SCN_KEY_SEED) {
        QKD_ASSERT(len == sizeof seed);
        memcpy(to, seed, sizeof seed);
    } else {
        crypto_expand(to, seed, 0, len);
    }
    crypto_wipe(seed, sizeof seed);
}

static void node_configure(struct sim_world *world, uint32_t number,
                           bool (*wants)(void *ctx, struct qkd_eid element))
{
    struct host_configure how = {.sender = {world, &world->message_id, on_config},
                                 .wants = wants,
                                 .bootstrap = on_bootstrap,
                                 .seeds = true,
                                 .epoch_ns = SIM_EPOCH_NS};
    sim_world_fail(world, host_configure_node(world->plan, number, &how), "configuration");
}

void sim_node_start(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    const struct host_node *place = &world->plan->nodes[number];
    node->incarnation++;
    /* A crash hook may take the node down again at its first output. */
    for (uint32_t i = 0; i < place->unit_count && node->crashed == 0; i++) {
        if (world->units[place->first_unit + i].failed > 0) {
            continue;
        }
        uint32_t known = world->units[place->first_unit + i].secret_count;
        unit_start(world, place->first_unit + i);
        sim_unit_introduce_again(world, place->first_unit + i, known);
    }
    if (node->crashed == 0) {
        node_configure(world, number, NULL);
    }
    sim_world_drain(world);
}

static bool is_starting(void *ctx, struct qkd_eid element)
{
    const struct sim_world *world = ctx;
    return host_unit_find(world->plan, element) == world->starting;
}

void sim_unit_start(struct sim_world *world, uint32_t number)
{
    uint32_t node = world->plan->units[number].node;
    uint32_t known = world->units[number].secret_count;
    world->nodes[node].incarnation++; /* of whatever starts at the node */
    world->starting = number;
    unit_start(world, number);
    sim_unit_introduce_again(world, number, known);
    if (world->nodes[node].crashed == 0) {
        node_configure(world, node, is_starting);
    }
    sim_world_drain(world);
}

static void modules_stop(struct sim_world *world, const struct host_node *node, uint32_t first,
                         uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct host_port *port = &world->plan->ports[node->first_port + i];
        sim_device_stop(world, port->link, port->end);
    }
}

void sim_unit_drop(struct sim_world *world, uint32_t number)
{
    struct host_unit *unit = &world->plan->units[number];
    struct qkd_eid eids[3];
    uint32_t parts[3];
    uint32_t count = host_unit_elements(world->plan, unit, eids, parts);
    for (uint32_t i = 0; i < count; i++) {
        sim_unit_forget(world, unit->node, eids[i]);
    }
    host_unit_free(unit);
    sim_engine_deadline(world->engine, number, SIM_NEVER);
    if (unit->kind == HOST_UNIT_MODULE) {
        modules_stop(world, &world->plan->nodes[unit->node], unit->instance, 1);
    } else if (unit->kind == HOST_UNIT_OPTICAL) {
        sim_optical_stop(world, unit->instance);
    }
}

void sim_node_drop(struct sim_world *world, uint32_t number)
{
    const struct host_node *node = &world->plan->nodes[number];
    for (uint32_t i = 0; i < node->unit_count; i++) {
        struct host_unit *unit = &world->plan->units[node->first_unit + i];
        host_unit_free(unit);
        if (unit->kind == HOST_UNIT_OPTICAL) {
            sim_optical_stop(world, unit->instance);
        }
        sim_engine_deadline(world->engine, node->first_unit + i, SIM_NEVER);
    }
    modules_stop(world, node, 0, node->module_count);
}
