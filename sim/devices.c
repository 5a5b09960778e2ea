/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands around the elements, in virtual time: the optics of each QKD link (host/optics.h) and
 * the load (host/load.h). */
#include <stdlib.h>

#include "core/base/err.h"
#include "sim/world.h"

void sim_world_tell(void *ctx, const struct host_message *message)
{
    sim_world_local(ctx, &(struct sim_local){.kind = SIM_PACKET_MESSAGE,
                                             .rp = message->rp,
                                             .from = message->from,
                                             .to = message->to,
                                             .bytes = message->bytes,
                                             .len = message->len});
}

static void on_block(void *ctx, uint32_t link, const struct wire_q_block *block, struct qkd_eid to)
{
    struct sim_world *world = ctx;
    if (world->oracle != NULL) {
        watch_oracle_block(world->oracle, sim_world_now(world), link, block, to);
    }
}

static struct host_optics_calls calls_of(struct sim_world *world)
{
    return (struct host_optics_calls){{world, &world->message_id, sim_world_tell}, on_block};
}

static struct qkd_time now_of(const struct sim_world *world)
{
    return (struct qkd_time){sim_world_now(world)};
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
        rc = host_optics_init(&world->devices[i].optics, world->plan, i);
    }
    for (uint32_t i = 0; i < scenario->application_count && rc == 0; i++) {
        host_load_init(&world->loads[i], world->plan, i);
    }
    return rc;
}

void sim_devices_free(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->scenario->link_count && world->devices != NULL; i++) {
        host_optics_fini(&world->devices[i].optics);
    }
    for (uint32_t i = 0; i < world->scenario->application_count && world->loads != NULL; i++) {
        host_load_fini(&world->loads[i]);
    }
    free(world->devices);
    free(world->loads);
}

/* ---- optics ---- */

/* Posts the instant at which the block in work will be complete; an older timer counts no more. */
static void block_arm(struct sim_world *world, uint32_t link)
{
    struct sim_device *device = &world->devices[link];
    struct qkd_time due = host_optics_block_due(&device->optics);
    device->stamp++;
    if (due.ns != QKD_NEVER.ns) {
        sim_world_post(world, world->scenario->links[link].a, due.ns,
                       sim_world_tag(SIM_TIMER_BLOCK, device->stamp, link));
    }
}

static void noise_arm(struct sim_world *world, uint32_t link)
{
    struct qkd_time due = host_optics_noise_due(&world->devices[link].optics);
    if (due.ns != QKD_NEVER.ns) {
        sim_world_post(world, world->scenario->links[link].a, due.ns,
                       sim_world_tag(SIM_TIMER_NOISE, 0, link));
    }
}

void sim_noise_timer(struct sim_world *world, uint32_t link)
{
    struct host_optics_calls calls = calls_of(world);
    host_optics_noise(&world->devices[link].optics, &calls);
    noise_arm(world, link);
}

void sim_device_break(struct sim_world *world, uint32_t link)
{
    host_optics_break(&world->devices[link].optics, now_of(world));
    block_arm(world, link);
}

void sim_device_mend(struct sim_world *world, uint32_t link)
{
    struct host_optics_calls calls = calls_of(world);
    host_optics_mend(&world->devices[link].optics, now_of(world), &calls);
    block_arm(world, link);
}

void sim_device_stop(struct sim_world *world, uint32_t link, uint8_t end)
{
    host_optics_stop(&world->devices[link].optics, now_of(world), end);
    block_arm(world, link);
}

void sim_device_control(struct sim_world *world, struct qkd_eid eid, const uint8_t *bytes,
                        size_t len)
{
    const struct host_node *node = &world->plan->nodes[qkd_eid_node(eid)];
    if (qkd_eid_instance(eid) >= node->module_count) {
        return;
    }
    uint32_t link = world->plan->ports[node->first_port + qkd_eid_instance(eid)].link;
    struct host_optics_calls calls = calls_of(world);
    struct host_message message = {.rp = QKD_RP_Q, .to = eid, .bytes = bytes, .len = len};
    int rc = host_optics_control(&world->devices[link].optics, now_of(world), &message, &calls);
    sim_world_fail(world, rc, "key block");
    block_arm(world, link);
}

void sim_optical_control(struct sim_world *world, struct qkd_eid eid, const uint8_t *bytes,
                         size_t len)
{
    uint32_t number = host_optical_of_device(world->plan, eid);
    bool on = false;
    struct host_message message = {.rp = QKD_RP_Q, .to = eid, .bytes = bytes, .len = len};
    uint32_t link = host_optics_light_read(world->plan, number, &message, &on);
    if (link != HOST_NO_LINK) {
        enum host_dark why = number < world->scenario->optical_switch_count ? HOST_DARK_SWITCH
                                                                            : HOST_DARK_POINT;
        host_optics_light(&world->devices[link].optics, now_of(world), why, on);
        block_arm(world, link);
    }
}

void sim_optical_stop(struct sim_world *world, uint32_t number)
{
    if (number < world->scenario->optical_switch_count) {
        return; /* a switch stays where it is */
    }
    uint32_t link = scn_optical_at(world->scenario, number)->links[0];
    host_optics_light(&world->devices[link].optics, now_of(world), HOST_DARK_POINT, false);
    block_arm(world, link);
}

void sim_device_timer(struct sim_world *world, uint32_t link, uint32_t stamp)
{
    struct sim_device *device = &world->devices[link];
    if ((device->stamp & 0xffffffU) != stamp) {
        return; /* stopped meanwhile */
    }
    struct host_optics_calls calls = calls_of(world);
    sim_world_fail(world, host_optics_block(&device->optics, &calls), "key block");
    block_arm(world, link);
}

/* ---- load ---- */

static void load_arm(struct sim_world *world, uint32_t application)
{
    struct qkd_time at = host_load_next(&world->loads[application]);
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
        noise_arm(world, i);
    }
}

void sim_load_timer(struct sim_world *world, uint32_t application)
{
    uint32_t from = world->scenario->applications[application].from;
    if (world->nodes[from].incarnation == 0 && world->booted < world->scenario->node_count) {
        /* Its node is about to start: a large network does so in groups. */
        sim_world_post(world, from, sim_world_now(world) + SIM_BOOT_GROUP_NS,
                       sim_world_tag(SIM_TIMER_LOAD, 0, application));
        return;
    }
    struct host_sender sender = {world, &world->message_id, sim_world_tell};
    host_load_ask(&world->loads[application], &sender);
    load_arm(world, application);
}
