/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What messages cost their receivers, where a scenario says so (`security.work`): each key manager,
 * controller and manager has one processor, which takes messages in the order of their arrival. A message
 * takes it for `screen`, each look at a tag for `check` more, and one that leads to anything (a commit,
 * a message, a report) for `work` more. What arrives meanwhile waits; beyond `backlog` it is lost. So junk
 * costs its receiver what the receiver spends on it, and no more. */
#include "sim/work.h"

#include "core/base/err.h"
#include "sim/world.h"

enum { CHECKS_OF_WORK = 50, SCREENS_OF_WORK = 1000 }; /* where check and screen are not said */

static bool has_processor(const struct sim_world *world, uint32_t unit)
{
    enum host_unit_kind kind = (enum host_unit_kind)world->plan->units[unit].kind;
    return world->scenario->security.work_ns > 0 &&
           (kind == HOST_UNIT_KM || kind == HOST_UNIT_CONTROLLER || kind == HOST_UNIT_MANAGER);
}

int64_t sim_work_cost(const struct sim_world *world)
{
    const struct scn_security *s = &world->scenario->security;
    const struct qkd_out *out = &world->out;
    int64_t check_ns = s->check_ns == SCN_AUTO ? s->work_ns / CHECKS_OF_WORK : s->check_ns;
    int64_t screen_ns = s->screen_ns == SCN_AUTO ? s->work_ns / SCREENS_OF_WORK : s->screen_ns;
    bool leads = out->persist_count + out->send_count + out->report_count > 0;
    return screen_ns + (int64_t)out->checks * check_ns + (leads ? s->work_ns : 0);
}

/* Wakes the unit's processor when it is free. */
static void wake(struct sim_world *world, uint32_t number)
{
    sim_world_post(world, world->plan->units[number].node, world->units[number].busy_until_ns,
                   sim_world_tag(SIM_TIMER_WORK, 0, number));
}

bool sim_work_waits(struct sim_world *world, uint32_t number, struct sim_packet *packet)
{
    struct sim_unit *unit = &world->units[number];
    if (packet->kind != SIM_PACKET_MESSAGE || packet->rp == QKD_RP_Q ||
        !has_processor(world, number)) {
        return false;
    }
    if (unit->work_count == 0 && unit->busy_until_ns <= sim_world_now(world)) {
        return false;
    }
    if (unit->work_count >= world->scenario->security.backlog) {
        world->work_lost++;
        if (packet->note != 0) {
            watch_recorder_fate(world->recorder, packet->note, WATCH_FATE_QUEUE);
        }
        sim_pool_give(world->pool, packet);
        return true;
    }
    packet->next = NULL;
    if (unit->work_first == NULL) {
        unit->work_first = packet;
        wake(world, number);
    } else {
        unit->work_last->next = packet;
    }
    unit->work_last = packet;
    unit->work_count++;
    world->work_most = unit->work_count > world->work_most ? unit->work_count : world->work_most;
    return true;
}

void sim_work_spend(struct sim_world *world, uint32_t number, int64_t cost_ns)
{
    if (has_processor(world, number)) {
        world->units[number].busy_until_ns = sim_world_now(world) + cost_ns;
    }
}

struct sim_packet *sim_work_next(struct sim_world *world, uint32_t number)
{
    struct sim_unit *unit = &world->units[number];
    struct sim_packet *packet = unit->work_first;
    if (packet == NULL || unit->busy_until_ns > sim_world_now(world)) {
        return NULL;
    }
    unit->work_first = packet->next;
    unit->work_last = unit->work_first == NULL ? NULL : unit->work_last;
    unit->work_count--;
    return packet;
}

void sim_work_go_on(struct sim_world *world, uint32_t number)
{
    if (world->units[number].work_first != NULL) {
        wake(world, number);
    }
}

void sim_work_free(struct sim_world *world)
{
    for (uint32_t i = 0; world->units != NULL && i < world->plan->unit_count; i++) {
        struct sim_unit *unit = &world->units[i];
        while (unit->work_first != NULL) {
            struct sim_packet *packet = unit->work_first;
            unit->work_first = packet->next;
            sim_pool_give(world->pool, packet);
        }
    }
}
