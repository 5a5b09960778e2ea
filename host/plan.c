/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layout of a plan: which units stand at which node, and where to find them. */
#include "host/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/km.h"
#include "core/module/optical.h"
#include "core/wire/codec.h"
#include "host/unit.h"

struct qkd_eid host_module_eid(uint32_t node, uint32_t instance)
{
    return qkd_eid_make(QKD_ROLE_MODULE, instance, node);
}

struct qkd_eid host_controller_eid(const struct host_plan *plan)
{
    const struct scn_control *control = &plan->scenario->control;
    return control->is_there ? qkd_eid_make(QKD_ROLE_CONTROLLER, 0, control->at) : QKD_NOBODY;
}

struct qkd_eid host_standby_eid(const struct host_plan *plan)
{
    uint32_t at = plan->scenario->control.standby;
    return at == SCN_NO_NODE ? QKD_NOBODY : qkd_eid_make(QKD_ROLE_CONTROLLER, 0, at);
}

struct qkd_eid host_optical_eid(const struct host_plan *plan, uint32_t number)
{
    bool is_switch = number < plan->scenario->optical_switch_count;
    return qkd_eid_make(is_switch ? QKD_ROLE_SWITCH : QKD_ROLE_RELAY_POINT, number,
                        scn_optical_at(plan->scenario, number)->at);
}

struct qkd_eid host_optical_device_eid(const struct host_plan *plan, uint32_t number)
{
    return qkd_eid_make(QKD_ROLE_DEVICE, MOD_OPTICAL_DEVICES + number,
                        scn_optical_at(plan->scenario, number)->at);
}

uint32_t host_optical_of_device(const struct host_plan *plan, struct qkd_eid device)
{
    uint32_t instance = qkd_eid_instance(device);
    bool is_one = qkd_eid_role(device) == QKD_ROLE_DEVICE && instance >= MOD_OPTICAL_DEVICES &&
                  instance - MOD_OPTICAL_DEVICES < scn_optical_count(plan->scenario);
    return is_one ? instance - MOD_OPTICAL_DEVICES : SCN_NO_OPTICAL;
}

struct qkd_eid host_manager_eid(const struct host_plan *plan)
{
    return qkd_eid_make(QKD_ROLE_MANAGER, 0, plan->scenario->management.at);
}

struct qkd_eid host_agent_eid(const struct host_plan *plan, uint32_t agent)
{
    const struct scn_application *app = &plan->scenario->applications[agent / 2];
    return qkd_eid_make(QKD_ROLE_APP, agent, agent % 2 == 0 ? app->from : app->to);
}

_Static_assert(SCN_TARGETS_MAX == WIRE_TARGETS_MAX &&
                   SCN_MULTICAST_KEYS_MAX == WIRE_MULTICAST_KEYS_MAX,
               "a scenario may ask for what the elements do");

uint32_t host_members(const struct host_plan *plan, uint32_t application,
                      struct qkd_eid slaves[SCN_TARGETS_MAX])
{
    const struct scn_scenario *scenario = plan->scenario;
    uint32_t count = 0;
    for (uint32_t i = application; count < scenario->applications[application].members; i++) {
        if (scenario->applications[i].of == application + 1) {
            slaves[count++] = host_agent_eid(plan, 2 * i + 1);
        }
    }
    return count;
}

void host_node_ip(uint32_t node, uint8_t ip[16])
{
    memset(ip, 0, 10);
    ip[10] = ip[11] = 0xff;
    wire_put_u32(ip + 12, (UINT32_C(10) << 24) + node + 1);
}

uint32_t host_unit_find(const struct host_plan *plan, struct qkd_eid eid)
{
    uint32_t number = qkd_eid_node(eid);
    uint32_t instance = qkd_eid_instance(eid);
    if (number >= plan->scenario->node_count) {
        return HOST_NO_UNIT;
    }
    const struct host_node *node = &plan->nodes[number];
    switch (qkd_eid_role(eid)) {
    case QKD_ROLE_KMA:
    case QKD_ROLE_KMC:
        return instance == 0 ? node->kma_unit : HOST_NO_UNIT;
    case QKD_ROLE_KSA:
        return instance == 0 ? node->ksa_unit : HOST_NO_UNIT;
    case QKD_ROLE_MODULE:
        return instance < node->module_count ? node->first_module + instance : HOST_NO_UNIT;
    case QKD_ROLE_CONTROLLER:
        return instance == 0 ? node->controller_unit : HOST_NO_UNIT;
    case QKD_ROLE_MANAGER:
        return instance == 0 ? node->manager_unit : HOST_NO_UNIT;
    case QKD_ROLE_SWITCH:
    case QKD_ROLE_RELAY_POINT:
        return instance < scn_optical_count(plan->scenario) &&
                       qkd_eid_eq(eid, host_optical_eid(plan, instance))
                   ? plan->opticals[instance]
                   : HOST_NO_UNIT;
    case QKD_ROLE_APP: {
        uint32_t unit = instance < 2 * plan->scenario->application_count ? plan->agents[instance]
                                                                         : HOST_NO_UNIT;
        return unit != HOST_NO_UNIT && plan->units[unit].node == number ? unit : HOST_NO_UNIT;
    }
    default:
        return HOST_NO_UNIT;
    }
}

/* ---- layout ---- */

static uint32_t unit_add(struct host_plan *plan, uint32_t node, enum host_unit_kind kind,
                         uint32_t instance)
{
    struct host_unit *unit = &plan->units[plan->unit_count];
    *unit = (struct host_unit){.kind = (uint8_t)kind, .node = node, .instance = instance};
    plan->nodes[node].unit_count++;
    return plan->unit_count++;
}

static void node_units(struct host_plan *plan, uint32_t number, uint32_t links)
{
    const struct scn_scenario *scenario = plan->scenario;
    struct host_node *node = &plan->nodes[number];
    node->first_unit = plan->unit_count;
    node->controller_unit = node->manager_unit = HOST_NO_UNIT;
    node->kma_unit = node->ksa_unit = unit_add(plan, number, HOST_UNIT_KM, 0);
    plan->units[node->kma_unit].parts = KM_ALL;
    if (scenario->key_management.deployment == SCN_DEPLOYMENT_TWO) {
        node->ksa_unit = unit_add(plan, number, HOST_UNIT_KM, 0);
        plan->units[node->kma_unit].parts = KM_KMA | KM_KMC;
        plan->units[node->ksa_unit].parts = KM_KSA;
    }
    node->first_module = plan->unit_count;
    node->module_count = links;
    for (uint32_t i = 0; i < links; i++) {
        (void)unit_add(plan, number, HOST_UNIT_MODULE, i);
    }
    if ((scenario->control.at == number && scenario->control.is_there) ||
        scenario->control.standby == number) {
        node->controller_unit = unit_add(plan, number, HOST_UNIT_CONTROLLER, 0);
    }
    if (scenario->management.at == number) {
        node->manager_unit = unit_add(plan, number, HOST_UNIT_MANAGER, 0);
    }
    for (uint32_t i = 0; i < scn_optical_count(scenario); i++) {
        if (scn_optical_at(scenario, i)->at == number) {
            plan->opticals[i] = unit_add(plan, number, HOST_UNIT_OPTICAL, i);
        }
    }
}

/* The ports of all nodes, in the order of the links. */
static void ports_fill(struct host_plan *plan, uint32_t *used)
{
    const struct scn_scenario *scenario = plan->scenario;
    memset(used, 0, scenario->node_count * sizeof(*used));
    for (uint32_t link = 0; link < scenario->link_count; link++) {
        uint32_t ends[2] = {scenario->links[link].a, scenario->links[link].b};
        for (uint8_t end = 0; end < 2; end++) {
            struct host_node *node = &plan->nodes[ends[end]];
            uint32_t instance = used[ends[end]]++;
            plan->ports[node->first_port + instance] = (struct host_port){link, end};
            plan->modules[link][end] = node->first_module + instance;
        }
    }
}

/* Agents in the order of the applications, together per node. */
static void agents_fill(struct host_plan *plan, uint32_t number, const uint32_t *by_node,
                        const uint32_t *starts)
{
    for (uint32_t i = starts[number]; i < starts[number + 1]; i++) {
        plan->agents[by_node[i]] = unit_add(plan, number, HOST_UNIT_APP, by_node[i]);
    }
}

/* Agent numbers sorted by node: those of node n are by_node[starts[n]] .. by_node[starts[n+1]-1]. */
static void agents_sort(const struct host_plan *plan, uint32_t *by_node, uint32_t *starts)
{
    uint32_t agents = 2 * (uint32_t)plan->scenario->application_count;
    uint32_t nodes = (uint32_t)plan->scenario->node_count;
    for (uint32_t i = 0; i < agents; i++) {
        starts[qkd_eid_node(host_agent_eid(plan, i)) + 1]++;
    }
    for (uint32_t n = 0; n < nodes; n++) {
        starts[n + 1] += starts[n];
    }
    for (uint32_t i = agents; i-- > 0;) {
        by_node[--starts[qkd_eid_node(host_agent_eid(plan, i)) + 1]] = i;
    }
    memmove(starts, starts + 1, nodes * sizeof(*starts));
    starts[nodes] = agents;
}

static void layout_fill(struct host_plan *plan, uint32_t *links, uint32_t *starts,
                        uint32_t *by_node)
{
    const struct scn_scenario *scenario = plan->scenario;
    uint32_t nodes = (uint32_t)scenario->node_count;
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        links[scenario->links[i].a]++;
        links[scenario->links[i].b]++;
    }
    agents_sort(plan, by_node, starts);
    uint32_t port = 0;
    for (uint32_t n = 0; n < nodes; n++) {
        plan->nodes[n].first_port = port;
        port += links[n];
        node_units(plan, n, links[n]);
        agents_fill(plan, n, by_node, starts);
    }
    ports_fill(plan, links);
}

static int layout_new(struct host_plan *plan)
{
    const struct scn_scenario *scenario = plan->scenario;
    size_t nodes = scenario->node_count;
    size_t agents = 2 * scenario->application_count;
    size_t opticals = scn_optical_count(scenario);
    size_t units = 2 * nodes + 2 * scenario->link_count + agents + 3 + opticals;
    plan->nodes = calloc(nodes, sizeof(*plan->nodes));
    plan->units = calloc(units, sizeof(*plan->units));
    plan->ports = calloc(2 * scenario->link_count + 1, sizeof(*plan->ports));
    plan->modules = calloc(scenario->link_count + 1, sizeof(*plan->modules));
    plan->agents = calloc(agents + 1, sizeof(*plan->agents));
    plan->opticals = calloc(opticals + 1, sizeof(*plan->opticals));
    uint32_t *links = calloc(nodes, sizeof(*links));
    uint32_t *starts = calloc(nodes + 1, sizeof(*starts));
    uint32_t *by_node = calloc(agents + 1, sizeof(*by_node));
    int rc = QKD_ERR_NOMEM;
    if (plan->nodes != NULL && plan->units != NULL && plan->ports != NULL &&
        plan->modules != NULL && plan->agents != NULL && plan->opticals != NULL && links != NULL &&
        starts != NULL && by_node != NULL) {
        layout_fill(plan, links, starts, by_node);
        rc = 0;
    }
    free(links);
    free(starts);
    free(by_node);
    return rc;
}

int host_plan_new(const struct scn_scenario *scenario, struct host_plan **to)
{
    *to = NULL;
    struct host_plan *plan = calloc(1, sizeof(*plan));
    if (plan == NULL) {
        return QKD_ERR_NOMEM;
    }
    plan->scenario = scenario;
    int rc = layout_new(plan);
    if (rc == 0) {
        rc = host_access_new(plan);
    }
    if (rc != 0) {
        host_plan_free(plan);
        return rc;
    }
    *to = plan;
    return 0;
}

void host_plan_free(struct host_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (uint32_t i = 0; i < plan->unit_count; i++) {
        host_unit_free(&plan->units[i]);
    }
    free(plan->nodes);
    free(plan->units);
    free(plan->ports);
    free(plan->modules);
    free(plan->agents);
    free(plan->opticals);
    free(plan->operators);
    free(plan->communities);
    free(plan->access);
    free(plan);
}
