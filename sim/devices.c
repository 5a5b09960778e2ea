/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands around the elements: the optics of each QKD link, which hand finished blocks to both
 * its modules, and the load, which asks application agents to ask for keys. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "sim/world.h"

enum { MESSAGE_BYTES = 256 /* of a Q_BLOCK without its key, and of a LOAD */ };

#define PPM 1e6

/* ---- optics ---- */

static int device_init(struct sim_world *world, uint32_t number)
{
    const struct scn_qkd *qkd = &world->scenario->links[number].qkd;
    struct sim_device *device = &world->devices[number];
    size_t count = qkd->model == SCN_QKD_TRACE ? qkd->trace_count : 1;
    device->points = calloc(count, sizeof(*device->points));
    if (device->points == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (qkd->model == SCN_QKD_TRACE) {
        for (size_t i = 0; i < count; i++) {
            device->points[i] = (struct mdl_point){qkd->trace[i].t_ns, qkd->trace[i].rate_bps,
                                                   qkd->trace[i].qber};
        }
    } else {
        device->points[0] = (struct mdl_point){0, qkd->rate_bps, qkd->qber};
    }
    device->lost = true; /* nothing in work: starts when both modules want it */
    uint64_t seed = scn_link_seed(world->scenario, number);
    qkd_rng_init_named(&device->rng, seed, "QKD link", number);
    qkd_rng_init_named(&device->instants, seed, "QKD link instants", number);
    return 0;
}

static int load_init(struct sim_world *world, uint32_t number)
{
    const struct scn_application *app = &world->scenario->applications[number];
    static const enum mdl_arrivals_kind kinds[] = {[SCN_ARRIVALS_POISSON] = MDL_ARRIVALS_POISSON,
                                                   [SCN_ARRIVALS_PERIODIC] = MDL_ARRIVALS_PERIODIC,
                                                   [SCN_ARRIVALS_TRACE] = MDL_ARRIVALS_TRACE,
                                                   [SCN_ARRIVALS_ON_OFF] = MDL_ARRIVALS_ON_OFF,
                                                   [SCN_ARRIVALS_DIURNAL] = MDL_ARRIVALS_DIURNAL};
    struct mdl_arrivals_params params = {
        .kind = kinds[app->arrivals],
        .rate_per_s = app->rate_per_s,
        .offset_ns = app->offset_ns,
        .times_ns = app->times_ns,
        .times_count = app->times_count,
        .on_ns = app->on_ns,
        .off_ns = app->off_ns,
        .fixed = app->periods == SCN_PERIODS_FIXED,
        .trough_per_s = app->trough_per_s,
        .peak_ns = app->peak_ns,
        .day_ns = app->day_ns,
        .levels = app->profile,
        .level_count = app->profile_count,
        .start = {app->start_ns},
        .stop = {app->stop_ns},
    };
    mdl_arrivals_init(&world->loads[number].arrivals, &params);
    qkd_rng_init_named(&world->loads[number].rng, scn_application_seed(world->scenario, number),
                       "application", number);
    return 0;
}

int sim_devices_new(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    world->devices = calloc(scenario->link_count + 1, sizeof(*world->devices));
    world->loads = calloc(scenario->application_count + 1, sizeof(*world->loads));
    if (world->devices == NULL || world->loads == NULL) {
        return QKD_ERR_NOMEM;
    }
    int rc = 0;
    for (uint32_t i = 0; i < scenario->link_count && rc == 0; i++) {
        rc = device_init(world, i);
    }
    for (uint32_t i = 0; i < scenario->application_count && rc == 0; i++) {
        rc = load_init(world, i);
    }
    return rc;
}

void sim_devices_free(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->scenario->link_count && world->devices != NULL; i++) {
        free(world->devices[i].points);
        qkd_rng_fini(&world->devices[i].rng);
        qkd_rng_fini(&world->devices[i].instants);
    }
    free(world->devices);
    free(world->loads);
}

/* Posts the instant at which the block in work will be complete. */
static void device_arm(struct sim_world *world, uint32_t link)
{
    struct sim_device *device = &world->devices[link];
    struct mdl_block next = mdl_link_next_block(&device->model);
    device->stamp++;
    if (next.done.ns != QKD_NEVER.ns) {
        sim_world_post(world, world->scenario->links[link].a, next.done.ns,
                       sim_world_tag(SIM_TIMER_BLOCK, device->stamp, link));
    }
}

/* Starts or stops the optics as their modules and faults say. lose: the block in work is gone. */
static void device_update(struct sim_world *world, uint32_t link, bool lose)
{
    struct sim_device *device = &world->devices[link];
    struct qkd_time now = {sim_world_now(world)};
    bool run = device->run[0] && device->run[1] && device->broken == 0;
    if (!run) {
        if (!device->lost) {
            mdl_link_pause(&device->model, now);
        }
        device->lost = device->lost || lose;
        device->stamp++;
        return;
    }
    if (device->lost) {
        const struct scn_qkd *qkd = &world->scenario->links[link].qkd;
        size_t count = qkd->model == SCN_QKD_TRACE ? qkd->trace_count : 1;
        struct mdl_link_params params = {.points = device->points,
                                         .count = count,
                                         .block_bits = qkd->block_bits};
        params.poisson = qkd->blocks == SCN_BLOCKS_POISSON ? &device->instants : NULL;
        mdl_link_init(&device->model, &params, now);
        device->lost = false;
    } else {
        mdl_link_resume(&device->model, now);
    }
    device_arm(world, link);
}

static struct sim_local local_make(const struct sim_world *world, uint32_t link, uint32_t end)
{
    const struct sim_unit *unit = &world->units[world->devices[link].unit[end]];
    return (struct sim_local){.kind = SIM_PACKET_MESSAGE,
                              .rp = QKD_RP_Q,
                              .from = qkd_eid_make(QKD_ROLE_DEVICE, unit->instance, unit->node),
                              .to = qkd_eid_make(QKD_ROLE_MODULE, unit->instance, unit->node)};
}

/* Tells a module that wants light how noisy it is. */
static void noise_tell(struct sim_world *world, uint32_t link, uint32_t end)
{
    const struct sim_device *device = &world->devices[link];
    if (!device->was_noisy || !device->run[end] || device->broken > 0) {
        return;
    }
    struct sim_local local = local_make(world, link, end);
    struct wire_q_noise noise = {
        .head = {.rp = QKD_RP_Q, .message_id = ++world->message_id, .sender = local.from},
        .qber_ppm = (uint32_t)lround(device->qber * PPM)};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_q_noise_encode(&noise, bytes, sizeof(bytes));
    QKD_ASSERT(len > 0);
    local.bytes = bytes;
    local.len = (size_t)len;
    sim_world_local(world, &local);
}

/* Posts the instant at which the light becomes too noisy for key, or quiet again. */
static void noise_arm(struct sim_world *world, uint32_t link, size_t from)
{
    struct sim_device *device = &world->devices[link];
    const struct scn_qkd *qkd = &world->scenario->links[link].qkd;
    struct mdl_link_params params = {.points = device->points, .count = qkd->trace_count};
    device->noise_at = mdl_link_noise_change(&params, from, device->noisy);
    if (device->noise_at < params.count) {
        sim_world_post(world, world->scenario->links[link].a, device->points[device->noise_at].t_ns,
                       sim_world_tag(SIM_TIMER_NOISE, 0, link));
    }
}

void sim_noise_timer(struct sim_world *world, uint32_t link)
{
    struct sim_device *device = &world->devices[link];
    device->noisy = !device->noisy;
    device->was_noisy = true;
    device->qber = device->points[device->noise_at].qber;
    noise_arm(world, link, device->noise_at);
    noise_tell(world, link, 0);
    noise_tell(world, link, 1);
}

void sim_device_break(struct sim_world *world, uint32_t link)
{
    world->devices[link].broken++;
    device_update(world, link, true);
}

void sim_device_mend(struct sim_world *world, uint32_t link)
{
    world->devices[link].broken--;
    device_update(world, link, false);
    noise_tell(world, link, 0);
    noise_tell(world, link, 1);
}

void sim_device_stop(struct sim_world *world, uint32_t link, uint8_t end)
{
    world->devices[link].run[end] = false;
    device_update(world, link, true);
}

static uint64_t rate_at(const struct sim_world *world, uint32_t link, int64_t t_ns)
{
    const struct scn_qkd *qkd = &world->scenario->links[link].qkd;
    uint64_t rate_bps = qkd->rate_bps;
    for (size_t i = 0; qkd->model == SCN_QKD_TRACE && i < qkd->trace_count; i++) {
        if (qkd->trace[i].t_ns > t_ns) {
            break;
        }
        rate_bps = qkd->trace[i].rate_bps;
    }
    return rate_bps;
}

static void block_deliver(struct sim_world *world, uint32_t link, struct wire_q_block *block,
                          uint8_t *bytes, size_t cap)
{
    for (uint32_t end = 0; end < 2; end++) {
        struct sim_local local = local_make(world, link, end);
        local.bytes = bytes;
        block->head = (struct wire_head){.rp = QKD_RP_Q,
                                         .message_id = ++world->message_id,
                                         .sender = local.from};
        int len = wire_q_block_encode(block, bytes, cap);
        if (len < 0) {
            sim_world_fail(world, len, "key block");
            return;
        }
        local.len = (size_t)len;
        if (world->oracle != NULL) {
            watch_oracle_block(world->oracle, sim_world_now(world), link, block, local.to);
        }
        sim_world_local(world, &local);
    }
}

/* Hands a new block of so many bits to both modules. */
static void block_make(struct sim_world *world, uint32_t link, struct wire_q_block *block)
{
    struct sim_device *device = &world->devices[link];
    bool seed_form = world->scenario->links[link].qkd.key_form == SCN_KEY_SEED;
    size_t key_len = seed_form ? 32 : (size_t)(block->key_length / 8);
    size_t cap = key_len + MESSAGE_BYTES;
    uint8_t seed[32];
    uint8_t *bytes = malloc(cap + key_len);
    if (bytes == NULL) {
        sim_world_fail(world, QKD_ERR_NOMEM, "key block");
        return;
    }
    block->form = seed_form ? 1 : 0;
    block->key = (struct wire_bytes){bytes + cap, key_len};
    qkd_rng_bytes(&device->rng, block->qkd_key_id.b, sizeof(block->qkd_key_id.b));
    qkd_rng_bytes(&device->rng, seed, sizeof(seed));
    if (seed_form) {
        memcpy(bytes + cap, seed, sizeof(seed));
    } else {
        crypto_expand(bytes + cap, seed, 0, key_len);
    }
    block_deliver(world, link, block, bytes, cap);
    crypto_wipe(seed, sizeof(seed));
    crypto_wipe(bytes, cap + key_len);
    free(bytes);
}

/* The key that both ends hold at the start, once in a run: its optics need not shine for it. */
static void initial_deliver(struct sim_world *world, uint32_t link)
{
    struct sim_device *device = &world->devices[link];
    uint64_t bits = world->scenario->links[link].initial_bits;
    if (bits > 0 && !device->stocked && device->run[0] && device->run[1]) {
        device->stocked = true;
        struct wire_q_block block = {.key_length = (uint32_t)bits};
        block_make(world, link, &block);
    }
}

void sim_device_control(struct sim_world *world, struct qkd_eid eid, const uint8_t *bytes,
                        size_t len)
{
    const struct sim_node *node = &world->nodes[qkd_eid_node(eid)];
    struct wire_q_control control;
    if (qkd_eid_instance(eid) >= node->module_count ||
        wire_q_control_decode(&control, bytes, len) != 0) {
        return;
    }
    const struct sim_port *port = &world->ports[node->first_port + qkd_eid_instance(eid)];
    world->devices[port->link].run[port->end] = control.run != 0;
    initial_deliver(world, port->link);
    device_update(world, port->link, false);
    noise_tell(world, port->link, port->end);
}

void sim_device_timer(struct sim_world *world, uint32_t link, uint32_t stamp)
{
    struct sim_device *device = &world->devices[link];
    const struct scn_qkd *qkd = &world->scenario->links[link].qkd;
    if ((device->stamp & 0xffffffU) != stamp) {
        return; /* stopped meanwhile */
    }
    struct mdl_block done = mdl_link_next_block(&device->model);
    mdl_link_take_block(&device->model);
    device_arm(world, link);
    struct wire_q_block block = {
        .key_length = (uint32_t)qkd->block_bits,
        .qber_ppm = (uint32_t)lround(done.qber * PPM),
        .rate_bps = rate_at(world, link, done.done.ns),
    };
    block_make(world, link, &block);
}

/* ---- load ---- */

static void load_arm(struct sim_world *world, uint32_t application)
{
    struct sim_load *load = &world->loads[application];
    struct qkd_time at = mdl_arrivals_next(&load->arrivals, &load->rng);
    if (at.ns != QKD_NEVER.ns) {
        sim_world_post(world, world->scenario->applications[application].from, at.ns,
                       sim_world_tag(SIM_TIMER_LOAD, 0, application));
    }
}

void sim_devices_start(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->scenario->application_count; i++) {
        load_arm(world, i);
    }
    for (uint32_t i = 0; i < world->scenario->link_count; i++) {
        noise_arm(world, i, 0); /* a constant rate has no series and never changes */
    }
}

void sim_load_timer(struct sim_world *world, uint32_t application)
{
    const struct scn_application *app = &world->scenario->applications[application];
    struct wire_load load = {.head = {.rp = QKD_RP_LOAD,
                                      .message_id = ++world->message_id,
                                      .sender = qkd_eid_make(QKD_ROLE_LOAD, 0, app->from)},
                             .count = app->count};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_load_encode(&load, bytes, sizeof(bytes));
    QKD_ASSERT(len > 0);
    sim_world_local(world, &(struct sim_local){.kind = SIM_PACKET_MESSAGE,
                                               .rp = QKD_RP_LOAD,
                                               .from = load.head.sender,
                                               .to = qkd_eid_make(QKD_ROLE_APP, 2 * application,
                                                                  app->from),
                                               .bytes = bytes,
                                               .len = (size_t)len});
    load_arm(world, application);
}
