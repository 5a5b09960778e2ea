/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a scenario to nodes and units, and what each element is told at its start: START with what
 * was persisted, then the configuration (docs/protocol.md, "Start and configuration"). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "sim/world.h"

enum {
    REQUEST_LIMIT = 65536, /* requests under way, per element */
    KEY_LIMIT = 1 << 20,   /* KSA-keys held per KSA */
    FILE_LIMIT = 64,       /* key files waiting in a module */
    LIFE_LIMIT = 1 << 16,  /* life-cycle records that the manager keeps */
    ALARM_LIMIT = 1 << 16, /* alarms standing */
    MONO_SPREAD_S = 1000,  /* a node's monotonic clock starts anywhere in this range */
    CONFIG_BYTES = 512     /* of a configuration message without its bootstrap secret */
};

/* Community ID of HELLO: the key managers of a scenario are one network under one controller, whoever
 * runs their nodes. */
#define COMMUNITY "default"

static struct qkd_eid module_eid(uint32_t node, uint32_t instance)
{
    return qkd_eid_make(QKD_ROLE_MODULE, instance, node);
}

static struct qkd_eid controller_eid(const struct sim_world *world)
{
    return qkd_eid_make(QKD_ROLE_CONTROLLER, 0, world->scenario->control.at);
}

static struct qkd_eid manager_eid(const struct sim_world *world)
{
    return qkd_eid_make(QKD_ROLE_MANAGER, 0, world->scenario->management.at);
}

static struct qkd_eid agent_eid(const struct sim_world *world, uint32_t agent)
{
    const struct scn_application *app = &world->scenario->applications[agent / 2];
    return qkd_eid_make(QKD_ROLE_APP, agent, agent % 2 == 0 ? app->from : app->to);
}

/* 10.x.y.z, mapped into IPv6. */
static void node_ip(uint32_t node, uint8_t ip[16])
{
    memset(ip, 0, 10);
    ip[10] = ip[11] = 0xff;
    wire_put_u32(ip + 12, (UINT32_C(10) << 24) + node + 1);
}

uint32_t sim_unit_find(const struct sim_world *world, struct qkd_eid eid)
{
    uint32_t number = qkd_eid_node(eid);
    uint32_t instance = qkd_eid_instance(eid);
    if (number >= world->scenario->node_count) {
        return SIM_NO_UNIT;
    }
    const struct sim_node *node = &world->nodes[number];
    switch (qkd_eid_role(eid)) {
    case QKD_ROLE_KMA:
    case QKD_ROLE_KMC:
        return instance == 0 ? node->kma_unit : SIM_NO_UNIT;
    case QKD_ROLE_KSA:
        return instance == 0 ? node->ksa_unit : SIM_NO_UNIT;
    case QKD_ROLE_MODULE:
        return instance < node->module_count ? node->first_module + instance : SIM_NO_UNIT;
    case QKD_ROLE_CONTROLLER:
        return instance == 0 ? node->controller_unit : SIM_NO_UNIT;
    case QKD_ROLE_MANAGER:
        return instance == 0 ? node->manager_unit : SIM_NO_UNIT;
    case QKD_ROLE_APP: {
        uint32_t unit = instance < 2 * world->scenario->application_count ? world->agents[instance]
                                                                          : SIM_NO_UNIT;
        return unit != SIM_NO_UNIT && world->units[unit].node == number ? unit : SIM_NO_UNIT;
    }
    default:
        return SIM_NO_UNIT;
    }
}

/* ---- nodes and units ---- */

struct counts {
    uint32_t *links;  /* per node */
    uint32_t *agents; /* per node */
};

static uint32_t unit_add(struct sim_world *world, uint32_t node, enum sim_unit_kind kind,
                         uint32_t instance)
{
    struct sim_unit *unit = &world->units[world->unit_count];
    *unit = (struct sim_unit){.kind = (uint8_t)kind, .node = node, .instance = instance};
    world->nodes[node].unit_count++;
    return world->unit_count++;
}

static void node_units(struct sim_world *world, uint32_t number, uint32_t links)
{
    const struct scn_scenario *scenario = world->scenario;
    struct sim_node *node = &world->nodes[number];
    node->first_unit = world->unit_count;
    node->controller_unit = node->manager_unit = SIM_NO_UNIT;
    node->kma_unit = node->ksa_unit = unit_add(world, number, SIM_UNIT_KM, 0);
    world->units[node->kma_unit].parts = KM_ALL;
    if (scenario->key_management.deployment == SCN_DEPLOYMENT_TWO) {
        node->ksa_unit = unit_add(world, number, SIM_UNIT_KM, 0);
        world->units[node->kma_unit].parts = KM_KMA | KM_KMC;
        world->units[node->ksa_unit].parts = KM_KSA;
    }
    node->first_module = world->unit_count;
    node->module_count = links;
    for (uint32_t i = 0; i < links; i++) {
        (void)unit_add(world, number, SIM_UNIT_MODULE, i);
    }
    if (scenario->control.at == number) {
        node->controller_unit = unit_add(world, number, SIM_UNIT_CONTROLLER, 0);
    }
    if (scenario->management.at == number) {
        node->manager_unit = unit_add(world, number, SIM_UNIT_MANAGER, 0);
    }
}

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

/* The ports of all nodes, in the order of the links. */
static void ports_fill(struct sim_world *world, uint32_t *used)
{
    const struct scn_scenario *scenario = world->scenario;
    memset(used, 0, scenario->node_count * sizeof(*used));
    for (uint32_t link = 0; link < scenario->link_count; link++) {
        uint32_t ends[2] = {scenario->links[link].a, scenario->links[link].b};
        for (uint8_t end = 0; end < 2; end++) {
            struct sim_node *node = &world->nodes[ends[end]];
            uint32_t instance = used[ends[end]]++;
            world->ports[node->first_port + instance] = (struct sim_port){link, end};
            world->devices[link].unit[end] = node->first_module + instance;
        }
    }
}

/* Agents in the order of the applications, together per node. */
static void agents_fill(struct sim_world *world, uint32_t number, const uint32_t *by_node,
                        const uint32_t *starts)
{
    for (uint32_t i = starts[number]; i < starts[number + 1]; i++) {
        world->agents[by_node[i]] = unit_add(world, number, SIM_UNIT_APP, by_node[i]);
    }
}

/* Agent numbers sorted by node: those of node n are by_node[starts[n]] .. by_node[starts[n+1]-1]. */
static void agents_sort(const struct sim_world *world, uint32_t *by_node, uint32_t *starts)
{
    uint32_t agents = 2 * (uint32_t)world->scenario->application_count;
    uint32_t nodes = (uint32_t)world->scenario->node_count;
    for (uint32_t i = 0; i < agents; i++) {
        starts[qkd_eid_node(agent_eid(world, i)) + 1]++;
    }
    for (uint32_t n = 0; n < nodes; n++) {
        starts[n + 1] += starts[n];
    }
    for (uint32_t i = agents; i-- > 0;) {
        by_node[--starts[qkd_eid_node(agent_eid(world, i)) + 1]] = i;
    }
    memmove(starts, starts + 1, nodes * sizeof(*starts));
    starts[nodes] = agents;
}

static int nodes_fill(struct sim_world *world, uint32_t *links, uint32_t *starts, uint32_t *by_node)
{
    const struct scn_scenario *scenario = world->scenario;
    uint32_t nodes = (uint32_t)scenario->node_count;
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        links[scenario->links[i].a]++;
        links[scenario->links[i].b]++;
    }
    agents_sort(world, by_node, starts);
    uint32_t port = 0;
    for (uint32_t n = 0; n < nodes; n++) {
        world->nodes[n].first_port = port;
        port += links[n];
        node_units(world, n, links[n]);
        agents_fill(world, n, by_node, starts);
        node_clock(world, n);
    }
    ports_fill(world, links);
    for (uint32_t i = 0; i < world->unit_count; i++) {
        if (sim_engine_unit(world->engine, world->units[i].node) != i) {
            return QKD_ERR_NOMEM;
        }
    }
    return 0;
}

int sim_world_build(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    size_t nodes = scenario->node_count;
    size_t agents = 2 * scenario->application_count;
    size_t units = 2 * nodes + 2 * scenario->link_count + agents + 2;
    world->nodes = calloc(nodes, sizeof(*world->nodes));
    world->units = calloc(units, sizeof(*world->units));
    world->dirty = calloc(units, sizeof(*world->dirty));
    world->ports = calloc(2 * scenario->link_count + 1, sizeof(*world->ports));
    world->agents = calloc(agents + 1, sizeof(*world->agents));
    uint32_t *links = calloc(nodes, sizeof(*links));
    uint32_t *starts = calloc(nodes + 1, sizeof(*starts));
    uint32_t *by_node = calloc(agents + 1, sizeof(*by_node));
    int rc = QKD_ERR_NOMEM;
    if (world->nodes != NULL && world->units != NULL && world->dirty != NULL &&
        world->ports != NULL && world->agents != NULL && links != NULL && starts != NULL &&
        by_node != NULL) {
        rc = nodes_fill(world, links, starts, by_node);
    }
    free(links);
    free(starts);
    free(by_node);
    return rc;
}

/* ---- making elements ---- */

static int km_make(const struct sim_world *world, struct sim_unit *unit)
{
    const struct scn_scenario *scenario = world->scenario;
    const struct scn_key_management *given = &scenario->key_management;
    const struct scn_node *node = &scenario->nodes[unit->node];
    uint32_t links = world->nodes[unit->node].module_count;
    struct km_config config = {
        .node = unit->node,
        .parts = unit->parts,
        .name = node->id,
        .community = COMMUNITY,
        .controller = controller_eid(world),
        .manager = manager_eid(world),
        .unit_bits = given->unit_bits,
        .batch = given->batch,
        .lease_bits = (uint32_t)given->lease_bits,
        .retransmit = {given->retransmit_ns},
        .retries = given->retries,
        .expiry = {given->expiry_ns},
        .fetch_within = {given->fetch_within_ns},
        .timer = {given->timer_ns},
        .status_period = {scenario->control.status_period_ns},
        .preserve = given->retention == SCN_RETENTION_PRESERVE,
        .metadata_clear = given->relay_metadata == SCN_METADATA_CLEAR,
        .request_limit = REQUEST_LIMIT,
        .key_limit = KEY_LIMIT,
        .link_limit = links > 0 ? links : 1,
    };
    node_ip(unit->node, config.ip);
    static const uint8_t local[2] = {0x02, 0x00}; /* locally administered */
    memcpy(config.mac, local, 2);
    wire_put_u32(config.mac + 2, unit->node + 1);
    if (node->has_mac) {
        memcpy(config.mac, node->mac, 6);
    }
    return km_new(&config, &unit->element.km);
}

static int module_make(const struct sim_world *world, struct sim_unit *unit)
{
    const struct scn_scenario *scenario = world->scenario;
    struct mod_config config = {
        .self = module_eid(unit->node, unit->instance),
        .controller = controller_eid(world),
        .manager = manager_eid(world),
        .retransmit = {scenario->key_management.retransmit_ns},
        .status_period = {scenario->control.status_period_ns},
        .queue_limit = FILE_LIMIT,
    };
    return mod_new(&config, &unit->element.mod);
}

static int controller_make(const struct sim_world *world, struct sim_unit *unit)
{
    const struct scn_scenario *scenario = world->scenario;
    struct ctl_config config = {
        .self = controller_eid(world),
        .manager = manager_eid(world),
        .routing = scenario->control.routing == SCN_ROUTING_WIDEST ? CTL_WIDEST : CTL_FEWEST_HOPS,
        .keep_route = scenario->control.keep_route,
        .low_mark_bits = scenario->control.low_mark_bits,
        .route_validity = {scenario->control.route_validity_ns},
        .status_period = {scenario->control.status_period_ns},
        .retransmit = {scenario->key_management.retransmit_ns},
        .node_limit = (uint32_t)scenario->node_count,
        .link_limit = scenario->link_count > 0 ? (uint32_t)scenario->link_count : 1,
    };
    return ctl_new(&config, &unit->element.ctl);
}

static int manager_make(const struct sim_world *world, struct sim_unit *unit)
{
    const struct scn_scenario *scenario = world->scenario;
    struct mgr_config config = {
        .self = manager_eid(world),
        .peer_limit = (uint32_t)(scenario->node_count + 2 * scenario->link_count + 1),
        .life_limit = LIFE_LIMIT,
        .alarm_limit = ALARM_LIMIT,
        .report_life = world->sink.life != NULL,
    };
    return mgr_new(&config, &unit->element.mgr);
}

static int app_make(const struct sim_world *world, struct sim_unit *unit)
{
    const struct scn_application *given = &world->scenario->applications[unit->instance / 2];
    static const uint8_t levels[] = {[SCN_LEVEL_ANY] = WIRE_LEVEL_ANY,
                                     [SCN_LEVEL_OTP_PREFERRED] = WIRE_LEVEL_OTP_PREFERRED,
                                     [SCN_LEVEL_OTP_ONLY] = WIRE_LEVEL_OTP_ONLY};
    struct app_config config = {
        .self = agent_eid(world, unit->instance),
        .partner = agent_eid(world, unit->instance ^ 1U),
        .key_bits = given->key_bits,
        .level = levels[given->level],
        .wait = given->wait,
        .timeout = {given->timeout_ns},
        .retransmit = {world->scenario->key_management.retransmit_ns},
        .limit = REQUEST_LIMIT,
        .delete_after = world->hooks.delete_after,
    };
    return app_new(&config, &unit->element.app);
}

static int unit_make(const struct sim_world *world, struct sim_unit *unit)
{
    switch ((enum sim_unit_kind)unit->kind) {
    case SIM_UNIT_KM:
        return km_make(world, unit);
    case SIM_UNIT_MODULE:
        return module_make(world, unit);
    case SIM_UNIT_CONTROLLER:
        return controller_make(world, unit);
    case SIM_UNIT_MANAGER:
        return manager_make(world, unit);
    case SIM_UNIT_APP:
        return app_make(world, unit);
    }
    return QKD_ERR_INVALID;
}

void sim_unit_free(struct sim_unit *unit)
{
    switch ((enum sim_unit_kind)unit->kind) {
    case SIM_UNIT_KM:
        km_free(unit->element.km);
        break;
    case SIM_UNIT_MODULE:
        mod_free(unit->element.mod);
        break;
    case SIM_UNIT_CONTROLLER:
        ctl_free(unit->element.ctl);
        break;
    case SIM_UNIT_MANAGER:
        mgr_free(unit->element.mgr);
        break;
    case SIM_UNIT_APP:
        app_free(unit->element.app);
        break;
    }
    unit->element.any = NULL;
}

const char *sim_unit_name(const struct sim_unit *unit)
{
    static const char *const names[] = {[SIM_UNIT_KM] = "key manager",
                                        [SIM_UNIT_MODULE] = "QKD module",
                                        [SIM_UNIT_CONTROLLER] = "controller",
                                        [SIM_UNIT_MANAGER] = "manager",
                                        [SIM_UNIT_APP] = "application agent"};
    return names[unit->kind];
}

/* ---- start ---- */

/* The elements that a unit hosts: their IDs into eids[3], the KM part of each into parts[3]. */
static uint32_t unit_elements(const struct sim_world *world, const struct sim_unit *unit,
                              struct qkd_eid eids[3], uint32_t parts[3])
{
    static const struct {
        enum km_parts part;
        enum qkd_role role;
    } km_elements[] = {{KM_KMA, QKD_ROLE_KMA}, {KM_KSA, QKD_ROLE_KSA}, {KM_KMC, QKD_ROLE_KMC}};
    uint32_t count = 0;
    parts[0] = 0;
    switch ((enum sim_unit_kind)unit->kind) {
    case SIM_UNIT_KM:
        for (uint32_t i = 0; i < 3; i++) {
            if ((unit->parts & km_elements[i].part) != 0) {
                parts[count] = km_elements[i].part;
                eids[count++] = qkd_eid_make(km_elements[i].role, 0, unit->node);
            }
        }
        return count;
    case SIM_UNIT_MODULE:
        eids[0] = module_eid(unit->node, unit->instance);
        return 1;
    case SIM_UNIT_CONTROLLER:
        eids[0] = controller_eid(world);
        return 1;
    case SIM_UNIT_MANAGER:
        eids[0] = manager_eid(world);
        return 1;
    case SIM_UNIT_APP:
        eids[0] = agent_eid(world, unit->instance);
        return 1;
    }
    return 0;
}

static void unit_start(struct sim_world *world, uint32_t number)
{
    struct sim_unit *unit = &world->units[number];
    struct sim_node *node = &world->nodes[unit->node];
    int rc = unit_make(world, unit);
    if (rc != 0) {
        sim_world_fail(world, rc, sim_unit_name(unit));
        return;
    }
    struct qkd_eid eids[3];
    uint32_t parts[3];
    uint32_t count = unit_elements(world, unit, eids, parts);
    for (uint32_t i = 0; i < count && unit->element.any != NULL; i++) {
        struct qkd_record *records = NULL;
        struct qkd_event event = {.type = QKD_EV_START};
        rc = sim_store_records(&node->store, eids[i], &records, &event.u.start.count);
        if (rc != 0) {
            sim_world_fail(world, rc, sim_unit_name(unit));
            return;
        }
        event.u.start.records = records;
        event.u.start.incarnation = node->incarnation;
        uint64_t numbers[3] = {eids[i].v, node->incarnation, 0};
        sim_world_derive(world, "seed", numbers, event.u.start.seed);
        sim_unit_step(world, number, &event, parts[i]);
        free(records);
    }
}

/* ---- configuration ---- */

static void config_send(struct sim_world *world, struct qkd_eid to, const uint8_t *bytes, int len)
{
    if (len < 0) {
        sim_world_fail(world, len, "configuration message");
        return;
    }
    sim_world_local(world,
                    &(struct sim_local){
                        .kind = SIM_PACKET_CONFIG, .to = to, .bytes = bytes, .len = (size_t)len});
}

static void config_link(struct sim_world *world, uint32_t number, uint32_t instance)
{
    const struct scn_scenario *scenario = world->scenario;
    const struct sim_port *port = &world->ports[world->nodes[number].first_port + instance];
    const struct scn_link *link = &scenario->links[port->link];
    const struct sim_unit *far = &world->units[world->devices[port->link].unit[port->end ^ 1]];
    const char *far_name = scenario->nodes[far->node].id;
    size_t len = (size_t)(scenario->key_management.bootstrap_bits / 8);
    size_t cap = len + CONFIG_BYTES;
    uint8_t *bytes = malloc(cap + len);
    if (bytes == NULL) {
        sim_world_fail(world, QKD_ERR_NOMEM, "bootstrap secret");
        return;
    }
    uint8_t *secret = bytes + cap;
    sim_world_bootstrap(world, port->link, secret, len);
    struct wire_cfg_link config = {
        .head = {.message_id = ++world->message_id},
        .link = port->link,
        .peer = qkd_eid_make(QKD_ROLE_KMA, 0, far->node),
        .peer_name = {(const uint8_t *)far_name, strlen(far_name)},
        .module = module_eid(number, instance),
        .peer_module = module_eid(far->node, far->instance),
        .store_bits = link->store_bits,
    };
    node_ip(far->node, config.peer_ip.b);
    struct qkd_eid kma = qkd_eid_make(QKD_ROLE_KMA, 0, number);
    config_send(world, qkd_eid_sibling(kma, QKD_ROLE_KMC), bytes,
                wire_cfg_link_encode(&config, bytes, cap));
    config_send(world, config.module, bytes, wire_cfg_link_encode(&config, bytes, cap));
    config.bootstrap = (struct wire_bytes){secret, len};
    config_send(world, kma, bytes, wire_cfg_link_encode(&config, bytes, cap));
    crypto_wipe(bytes, cap + len);
    free(bytes);
}

/* Directory: both agents of an application, to the KSA at one of its ends. */
static void config_application(struct sim_world *world, uint32_t agent)
{
    const struct scn_application *app = &world->scenario->applications[agent / 2];
    static const uint8_t levels[] = {[SCN_LEVEL_ANY] = WIRE_LEVEL_ANY,
                                     [SCN_LEVEL_OTP_PREFERRED] = WIRE_LEVEL_OTP_PREFERRED,
                                     [SCN_LEVEL_OTP_ONLY] = WIRE_LEVEL_OTP_ONLY};
    struct qkd_eid ksa = qkd_eid_sibling(agent_eid(world, agent), QKD_ROLE_KSA);
    uint8_t bytes[CONFIG_BYTES];
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t about = (agent & ~1U) + i;
        struct wire_cfg_app config = {
            .head = {.message_id = ++world->message_id},
            .app = agent_eid(world, about),
            .name = {(const uint8_t *)app->id, strlen(app->id)},
            .peer_app = agent_eid(world, about ^ 1U),
            .level = levels[app->level],
        };
        sim_access_describe(world, &config);
        config_send(world, ksa, bytes, wire_cfg_app_encode(&config, bytes, sizeof(bytes)));
    }
}

void sim_node_start(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    node->incarnation++;
    /* A crash hook may take the node down again at its first output. */
    for (uint32_t i = 0; i < node->unit_count && node->crashed == 0; i++) {
        uint32_t known = world->units[node->first_unit + i].secret_count;
        unit_start(world, node->first_unit + i);
        sim_unit_introduce_again(world, node->first_unit + i, known);
    }
    for (uint32_t i = 0; i < node->module_count && node->crashed == 0; i++) {
        config_link(world, number, i);
    }
    if (node->crashed == 0) {
        sim_access_config(world, number);
    }
    for (uint32_t i = 0; i < node->unit_count && node->crashed == 0; i++) {
        const struct sim_unit *unit = &world->units[node->first_unit + i];
        if (unit->kind == SIM_UNIT_APP) {
            config_application(world, unit->instance);
        }
    }
    sim_world_drain(world);
}

void sim_node_drop(struct sim_world *world, uint32_t number)
{
    const struct sim_node *node = &world->nodes[number];
    for (uint32_t i = 0; i < node->unit_count; i++) {
        struct sim_unit *unit = &world->units[node->first_unit + i];
        sim_unit_free(unit);
        sim_engine_deadline(world->engine, node->first_unit + i, SIM_NEVER);
    }
    for (uint32_t i = 0; i < node->module_count; i++) {
        const struct sim_port *port = &world->ports[node->first_port + i];
        sim_device_stop(world, port->link, port->end);
    }
}
