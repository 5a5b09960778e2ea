/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers and names of daemons. */
#include "emu/deploy/place.h"

#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

static const char *const kinds[] = {
    [EMU_KMD] = "kmd", [EMU_CTLD] = "ctld", [EMU_MGRD] = "mgrd", [EMU_LINKD] = "linkd"};

const char *emu_kind_name(enum emu_kind kind)
{
    return kinds[kind];
}

static uint32_t node_count(const struct scn_scenario *scenario)
{
    return (uint32_t)scenario->node_count;
}

uint32_t emu_place_count(const struct scn_scenario *scenario)
{
    return node_count(scenario) + 2 + (uint32_t)scenario->link_count;
}

struct emu_place emu_place_at(const struct scn_scenario *scenario, uint32_t number)
{
    uint32_t nodes = node_count(scenario);
    QKD_ASSERT(number < emu_place_count(scenario));
    if (number < nodes) {
        return (struct emu_place){EMU_KMD, number};
    }
    if (number == nodes) {
        return (struct emu_place){EMU_CTLD, scenario->control.at};
    }
    if (number == nodes + 1) {
        return (struct emu_place){EMU_MGRD, scenario->management.at};
    }
    return (struct emu_place){EMU_LINKD, number - nodes - 2};
}

void emu_place_name(const struct scn_scenario *scenario, uint32_t number,
                    char name[EMU_PLACE_NAME_SIZE])
{
    struct emu_place place = emu_place_at(scenario, number);
    const char *id = "";
    if (place.kind == EMU_KMD) {
        id = scenario->nodes[place.index].id;
    } else if (place.kind == EMU_LINKD) {
        id = scenario->links[place.index].id;
    }
    (void)snprintf(name, EMU_PLACE_NAME_SIZE, "%s%s%s", kinds[place.kind], id[0] == '\0' ? "" : ".",
                   id);
}

uint32_t emu_place_find(const struct scn_scenario *scenario, const char *name)
{
    char own[EMU_PLACE_NAME_SIZE];
    for (uint32_t i = 0; i < emu_place_count(scenario); i++) {
        emu_place_name(scenario, i, own);
        if (strcmp(own, name) == 0) {
            return i;
        }
    }
    return EMU_NOWHERE;
}

/* The element in whose daemon this one lives, too. */
static struct qkd_eid companion(const struct host_plan *plan, struct qkd_eid eid)
{
    if (qkd_eid_role(eid) == QKD_ROLE_DEVICE) {
        return host_module_eid(qkd_eid_node(eid), qkd_eid_instance(eid));
    }
    if (qkd_eid_role(eid) == QKD_ROLE_LOAD && qkd_eid_node(eid) < plan->scenario->node_count) {
        return qkd_eid_make(QKD_ROLE_KMA, 0, qkd_eid_node(eid));
    }
    return eid;
}

uint32_t emu_place_of(const struct host_plan *plan, struct qkd_eid eid)
{
    uint32_t number = host_unit_find(plan, companion(plan, eid));
    if (number == HOST_NO_UNIT) {
        return EMU_NOWHERE;
    }
    const struct host_unit *unit = &plan->units[number];
    uint32_t nodes = node_count(plan->scenario);
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
    case HOST_UNIT_APP:
        return unit->node;
    case HOST_UNIT_CONTROLLER:
        return nodes;
    case HOST_UNIT_MANAGER:
        return nodes + 1;
    case HOST_UNIT_MODULE:
        break;
    }
    return nodes + 2 + plan->ports[plan->nodes[unit->node].first_port + unit->instance].link;
}

uint32_t emu_place_node(const struct scn_scenario *scenario, uint32_t number)
{
    struct emu_place place = emu_place_at(scenario, number);
    return place.kind == EMU_LINKD ? scenario->links[place.index].a : place.index;
}

bool emu_place_talk(const struct scn_scenario *scenario, uint32_t one, uint32_t other)
{
    struct emu_place a = emu_place_at(scenario, one);
    struct emu_place b = emu_place_at(scenario, other);
    if (one == other) {
        return false;
    }
    if (a.kind != EMU_LINKD && b.kind != EMU_LINKD) {
        return true;
    }
    if (a.kind == EMU_LINKD && b.kind == EMU_LINKD) {
        return false;
    }
    const struct scn_link *link = &scenario->links[a.kind == EMU_LINKD ? a.index : b.index];
    const struct emu_place *peer = a.kind == EMU_LINKD ? &b : &a;
    return peer->kind != EMU_KMD || peer->index == link->a || peer->index == link->b;
}
