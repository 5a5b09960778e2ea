/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults by time. A link loses its light (both devices stop, the key in work is lost), its classical
 * channel (frames that depart or arrive on any channel routed over it are dropped; routes are static
 * and do not move) or both. A node crashes (its elements are dropped; frames that reach it meanwhile
 * find nobody; it starts again from what was persisted), at an instant, after one of its outputs, or
 * in a commit that is then lost, or its key store is lost with it; or it is cut off (no light and no frame in or out; its elements run
 * on); or its disk is full (its outputs wait). Frames only passing through such a node pass: the
 * classical network's routers are not the QKDN's nodes. A module, the controller or the manager fails
 * alone: it is gone, and starts anew when the fault ends. A channel gets slower, loses frames or flips
 * bits in them. A node loses the management network. Light that gets worse is in the series of its link
 * from the start (host/light.h); here it is only noted. */

#include "sim/world.h"
#include "watch/stats.h"

static void note_node(struct sim_world *world, const char *kind, uint32_t node)
{
    char text[SCN_ENTITY_SIZE];
    struct scn_fault fault = {.target = SCN_TARGET_NODE, .index = node};
    scn_fault_entity(world->scenario, &fault, text);
    sim_world_note(world, kind, text, "");
}

/* A fault that waits for an output of its node: it begins there, and ends after it. */
static bool by_output(const struct scn_fault *fault)
{
    return fault->what == SCN_FAULT_TORN || fault->output > 0;
}

void sim_faults_start(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    for (uint32_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        uint32_t node = 0; /* a classical link may have no node */
        if (fault->target != SCN_TARGET_CLASSICAL) {
            node = fault->target == SCN_TARGET_LINK ? scenario->links[fault->index].a
                                                    : fault->index;
        }
        sim_world_post(world, node, fault->at_ns, sim_world_tag(SIM_TIMER_FAULT_BEGIN, 0, i));
        if (!by_output(fault) && fault->for_ns < scenario->duration_ns - fault->at_ns) {
            sim_world_post(world, node, fault->at_ns + fault->for_ns,
                           sim_world_tag(SIM_TIMER_FAULT_END, 0, i));
        }
    }
}

/* ---- nodes ---- */

void sim_node_crash(struct sim_world *world, uint32_t number)
{
    if (world->nodes[number].crashed++ > 0) {
        return;
    }
    int64_t now_ns = sim_world_now(world);
    sim_node_drop(world, number);
    sim_node_forget(world, number);
    if (world->oracle != NULL) {
        watch_oracle_crash(world->oracle, now_ns, number);
    }
    sim_world_fail(world, watch_stats_crash(world->stats, now_ns, number), "statistics");
    note_node(world, "crash", number);
}

void sim_node_restart(struct sim_world *world, uint32_t number)
{
    if (world->nodes[number].crashed == 0 || --world->nodes[number].crashed > 0) {
        return;
    }
    if (world->oracle != NULL) {
        watch_oracle_restart(world->oracle, sim_world_now(world), number);
    }
    note_node(world, "restart", number);
    sim_node_start(world, number);
}

/* No light and no frame in or out. */
static void node_cut(struct sim_world *world, uint32_t number, bool begin)
{
    const struct host_node *node = &world->plan->nodes[number];
    sim_net_node_set(world->net, number, !begin);
    for (uint32_t i = 0; i < node->module_count; i++) {
        uint32_t link = world->plan->ports[node->first_port + i].link;
        if (begin) {
            sim_device_break(world, link);
        } else {
            sim_device_mend(world, link);
        }
    }
}

static void disk_fault(struct sim_world *world, uint32_t number, bool begin)
{
    struct sim_node *node = &world->nodes[number];
    if (begin) {
        node->disk_full++;
    } else if (--node->disk_full == 0) {
        sim_node_release(world, number);
    }
}

void sim_node_strike(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    const struct scn_fault *fault = &world->scenario->faults[node->armed - 1];
    int64_t now_ns = sim_world_now(world);
    node->armed = 0;
    note_node(world, "fault_begin", number);
    watch_stats_fault(world->stats, now_ns, fault);
    sim_node_crash(world, number);
    if (fault->for_ns < world->scenario->duration_ns - now_ns) {
        sim_world_post(world, number, now_ns + fault->for_ns,
                       sim_world_tag(SIM_TIMER_RESTART, 0, number));
    }
}

static void record_gone(void *ctx, const struct qkd_persist *deletion)
{
    const struct sim_world *world = ctx;
    watch_oracle_lose(world->oracle, sim_world_now(world), deletion);
}

/* Of its key manager: what else stands at the node has a store of its own. */
void sim_node_store_lose(struct sim_world *world, uint32_t number, bool ksa_only)
{
    static const enum qkd_role roles[] = {QKD_ROLE_KSA, QKD_ROLE_KMA, QKD_ROLE_KMC};
    struct sim_node *node = &world->nodes[number];
    node->store_lost = node->store_lost || !ksa_only;
    for (size_t i = 0; i < (ksa_only ? 1 : sizeof roles / sizeof roles[0]); i++) {
        sim_store_lose(&node->store, qkd_eid_make(roles[i], 0, number),
                       world->oracle == NULL ? NULL : record_gone, world);
    }
}

static void node_fault(struct sim_world *world, const struct scn_fault *fault, bool begin)
{
    if (fault->what == SCN_FAULT_DOWN) {
        node_cut(world, fault->index, begin);
    } else if (fault->what == SCN_FAULT_PARTITION) {
        int rc = sim_net_cut(world->net, fault->event_number, fault->index, begin);
        sim_world_fail(world, rc, "partition");
    } else if (fault->what == SCN_FAULT_DISK_FULL) {
        disk_fault(world, fault->index, begin);
    } else if (begin) {
        sim_node_crash(world, fault->index);
        if (fault->what == SCN_FAULT_STORE_LOST) {
            sim_node_store_lose(world, fault->index, false);
        }
    } else {
        sim_node_restart(world, fault->index);
    }
}

/* ---- elements ---- */

/* What the watchers are told of an element that is gone. */
static void element_gone(struct sim_world *world, const struct host_unit *unit)
{
    int64_t now_ns = sim_world_now(world);
    if (unit->kind == HOST_UNIT_MODULE) {
        const struct host_node *node = &world->plan->nodes[unit->node];
        uint32_t link = world->plan->ports[node->first_port + unit->instance].link;
        if (world->oracle != NULL) {
            watch_oracle_crash_module(world->oracle, now_ns, link, unit->node);
        }
    } else if (unit->kind == HOST_UNIT_CONTROLLER) {
        if (world->oracle != NULL) {
            watch_oracle_crash_controller(world->oracle, now_ns, unit->node);
        }
        if (world->scenario->control.standby == SCN_NO_NODE) {
            watch_stats_crash_controller(world->stats, now_ns);
        }
    }
}

static void unit_fault(struct sim_world *world, uint32_t number, bool begin)
{
    struct sim_unit *unit = &world->units[number];
    const struct host_unit *hosted = &world->plan->units[number];
    bool alone = world->nodes[hosted->node].crashed == 0; /* else its node's fault does the rest */
    if (begin && unit->failed++ == 0 && alone) {
        sim_unit_drop(world, number);
        element_gone(world, hosted);
    } else if (!begin && --unit->failed == 0 && alone) {
        sim_unit_start(world, number);
    }
}

static uint32_t unit_of(const struct sim_world *world, const struct scn_fault *fault)
{
    if (fault->what == SCN_FAULT_SWITCH || fault->what == SCN_FAULT_POINT) {
        return world->plan->opticals[scn_optical_of(world->scenario, fault->index,
                                                    fault->what == SCN_FAULT_SWITCH)];
    }
    if (fault->what == SCN_FAULT_MODULE) {
        uint32_t end = world->scenario->links[fault->index].a == fault->end ? 0 : 1;
        return world->plan->modules[fault->index][end];
    }
    const struct host_node *node = &world->plan->nodes[fault->index];
    return fault->element == SCN_ELEMENT_MANAGER ? node->manager_unit : node->controller_unit;
}

/* ---- links ---- */

static void impair(struct sim_world *world, const struct scn_fault *fault, bool begin)
{
    struct sim_impairment how = {fault->delay_ns, fault->frame_loss, fault->frame_corruption};
    sim_world_fail(world, sim_net_impair(world->net, fault->index, &how, begin), "impairment");
}

static void link_fault(struct sim_world *world, const struct scn_fault *fault, bool begin)
{
    bool light = fault->target == SCN_TARGET_LINK && fault->what != SCN_FAULT_CLASSICAL;
    if (fault->what == SCN_FAULT_DEGRADED) {
        return; /* the series of its light has it */
    }
    if (fault->what == SCN_FAULT_IMPAIRED) {
        impair(world, fault, begin);
        return;
    }
    if (light && begin) {
        sim_device_break(world, fault->index);
    } else if (light) {
        sim_device_mend(world, fault->index);
    }
    if (fault->what != SCN_FAULT_QUANTUM && fault->what != SCN_FAULT_MAINTENANCE) {
        sim_net_link_set(world->net, fault->index, !begin);
    }
}

static void fault_do(struct sim_world *world, uint32_t number, bool begin)
{
    const struct scn_fault *fault = &world->scenario->faults[number];
    char text[SCN_ENTITY_SIZE];
    if (by_output(fault)) {
        struct sim_node *node = &world->nodes[fault->index];
        node->armed = number + 1;
        node->armed_left = fault->output > 0 ? fault->output : 1;
        return;
    }
    scn_fault_entity(world->scenario, fault, text);
    sim_world_note(world, begin ? "fault_begin" : "fault_end", text, scn_fault_name(fault->what));
    if (begin) {
        watch_stats_fault(world->stats, sim_world_now(world), fault);
    } else {
        watch_stats_fault_end(world->stats, sim_world_now(world), fault);
    }
    bool is_unit = fault->target == SCN_TARGET_ELEMENT || fault->what == SCN_FAULT_MODULE ||
                   fault->what == SCN_FAULT_SWITCH || fault->what == SCN_FAULT_POINT;
    if (is_unit) {
        unit_fault(world, unit_of(world, fault), begin);
    } else if (fault->target == SCN_TARGET_NODE) {
        node_fault(world, fault, begin);
    } else {
        link_fault(world, fault, begin);
    }
}

void sim_fault_begin(struct sim_world *world, uint32_t fault)
{
    fault_do(world, fault, true);
}

void sim_fault_end(struct sim_world *world, uint32_t fault)
{
    fault_do(world, fault, false);
}
