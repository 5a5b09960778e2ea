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

/* Behind the key managers: the controller, if there is one, and the manager; then links; then the standby. */
static uint32_t manager_place(const struct scn_scenario *scenario)
{
    return node_count(scenario) + (scenario->control.is_there ? 1 : 0);
}

static uint32_t first_link(const struct scn_scenario *scenario)
{
    return manager_place(scenario) + 1;
}

static bool has_standby(const struct scn_scenario *scenario)
{
    return scenario->control.standby != SCN_NO_NODE;
}

uint32_t emu_place_of_element(const struct scn_scenario *scenario, enum scn_fault_element element)
{
    switch (element) {
    case SCN_ELEMENT_CONTROLLER:
        return scenario->control.is_there ? node_count(scenario) : EMU_NOWHERE;
    case SCN_ELEMENT_MANAGER:
        return manager_place(scenario);
    case SCN_ELEMENT_STANDBY:
        return has_standby(scenario) ? emu_place_count(scenario) - 1 : EMU_NOWHERE;
    }
    return EMU_NOWHERE;
}

uint32_t emu_place_count(const struct scn_scenario *scenario)
{
    return first_link(scenario) + (uint32_t)scenario->link_count + (has_standby(scenario) ? 1 : 0);
}

struct emu_place emu_place_at(const struct scn_scenario *scenario, uint32_t number)
{
    QKD_ASSERT(number < emu_place_count(scenario));
    if (number < node_count(scenario)) {
        return (struct emu_place){EMU_KMD, number};
    }
    if (number == emu_place_of_element(scenario, SCN_ELEMENT_CONTROLLER)) {
        return (struct emu_place){EMU_CTLD, scenario->control.at};
    }
    if (number == emu_place_of_element(scenario, SCN_ELEMENT_STANDBY)) {
        return (struct emu_place){EMU_CTLD, scenario->control.standby};
    }
    if (number == manager_place(scenario)) {
        return (struct emu_place){EMU_MGRD, scenario->management.at};
    }
    return (struct emu_place){EMU_LINKD, number - first_link(scenario)};
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
    } else if (number == emu_place_of_element(scenario, SCN_ELEMENT_STANDBY)) {
        id = "standby";
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
    const struct scn_scenario *scenario = plan->scenario;
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
    case HOST_UNIT_APP:
        return unit->node;
    case HOST_UNIT_CONTROLLER:
        return emu_place_of_element(scenario, unit->node == scenario->control.standby
                                                  ? SCN_ELEMENT_STANDBY
                                                  : SCN_ELEMENT_CONTROLLER);
    case HOST_UNIT_MANAGER:
        return manager_place(scenario);
    case HOST_UNIT_OPTICAL:
        return EMU_NOWHERE; /* not in the live world */
    case HOST_UNIT_MODULE:
        break;
    }
    return first_link(scenario) +
           plan->ports[plan->nodes[unit->node].first_port + unit->instance].link;
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
