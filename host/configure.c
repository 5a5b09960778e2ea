/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CONFIG messages of the elements of a node. */
#include "host/configure.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "host/optics.h"
#include "host/unit.h"

enum {
    NETWORK_BYTES = 128, /* of an encoded user network */
    CONFIG_BYTES = 512,  /* of a configuration message without its bootstrap secret */
    PEER_BYTES = 128     /* of CFG_PEER */
};

static bool wanted(const struct host_configure *how, struct qkd_eid to)
{
    return how->wants == NULL || how->wants(how->sender.ctx, to);
}

/* len: what an encoder said. */
static int config_send(const struct host_configure *how, struct qkd_eid to, const uint8_t *bytes,
                       int len)
{
    if (len < 0) {
        return len;
    }
    if (wanted(how, to)) {
        how->sender.give(how->sender.ctx,
                         &(struct host_message){.to = to, .bytes = bytes, .len = (size_t)len});
    }
    return 0;
}

static int config_kma(const struct host_plan *plan, const struct host_configure *how,
                      struct wire_cfg_link *config, struct qkd_eid kma)
{
    size_t len = (size_t)(plan->scenario->key_management.bootstrap_bits / 8);
    bool seed = how->seeds && plan->scenario->links[config->link].qkd.key_form == SCN_KEY_SEED;
    size_t given = seed ? HOST_SEED_BYTES : len;
    size_t cap = given + CONFIG_BYTES;
    uint8_t *bytes = malloc(cap + given);
    if (bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    uint8_t *secret = bytes + cap;
    how->bootstrap(how->sender.ctx, config->link, secret, given);
    config->bootstrap = (struct wire_bytes){secret, given};
    config->has_expanded = seed;
    config->expanded = (uint32_t)len;
    int rc = config_send(how, kma, bytes, wire_cfg_link_encode(config, bytes, cap));
    crypto_wipe(bytes, cap + given);
    free(bytes);
    return rc;
}

static int config_link(const struct host_plan *plan, const struct host_configure *how,
                       uint32_t number, uint32_t instance)
{
    const struct scn_scenario *scenario = plan->scenario;
    const struct host_port *port = &plan->ports[plan->nodes[number].first_port + instance];
    const struct host_unit *far = &plan->units[plan->modules[port->link][port->end ^ 1]];
    const char *far_name = scenario->nodes[far->node].id;
    struct wire_cfg_link config = {
        .head = {.message_id = ++*how->sender.message_id},
        .link = port->link,
        .peer = qkd_eid_make(QKD_ROLE_KMA, 0, far->node),
        .peer_name = {(const uint8_t *)far_name, strlen(far_name)},
        .module = host_module_eid(number, instance),
        .peer_module = host_module_eid(far->node, far->instance),
        .store_bits = scenario->links[port->link].store_bits,
        .has_commanded = host_optics_commanded(scenario, port->link),
        .commanded = 1,
    };
    host_node_ip(far->node, config.peer_ip.b);
    struct qkd_eid kma = qkd_eid_make(QKD_ROLE_KMA, 0, number);
    uint8_t bytes[CONFIG_BYTES];
    int rc = config_send(how, qkd_eid_sibling(kma, QKD_ROLE_KMC), bytes,
                         wire_cfg_link_encode(&config, bytes, sizeof(bytes)));
    if (rc == 0) {
        rc = config_send(how, config.module, bytes,
                         wire_cfg_link_encode(&config, bytes, sizeof(bytes)));
    }
    return rc == 0 && wanted(how, kma) ? config_kma(plan, how, &config, kma) : rc;
}

/* Multicast: with whom an agent may share keys beside its partner. A member's slave, with whom it gets
 * the keys from; their master, with all of them. */
static struct wire_bytes more_of(const struct host_plan *plan, uint32_t agent,
                                 uint8_t bytes[8 * SCN_TARGETS_MAX])
{
    const struct scn_application *app = &plan->scenario->applications[agent / 2];
    struct qkd_eid peers[SCN_TARGETS_MAX];
    uint32_t count = agent % 2 == 0 ? host_members(plan, agent / 2, peers) : 0;
    if (agent % 2 == 1 && app->of > 0) {
        peers[count++] = host_agent_eid(plan, 2 * (app->of - 1));
    }
    for (uint32_t i = 0; i < count; i++) {
        wire_put_u64(bytes + (size_t)8 * i, peers[i].v);
    }
    return (struct wire_bytes){bytes, (size_t)8 * count};
}

/* Directory: both agents of an application, and the master whose keys it gets, to the KSA at one of its
 * ends. */
static int config_application(const struct host_plan *plan, const struct host_configure *how,
                              uint32_t agent)
{
    const struct scn_application *app = &plan->scenario->applications[agent / 2];
    static const uint8_t relays[] = {[SCN_RELAY_HOP_BY_HOP] = WIRE_RELAY_HOP_BY_HOP,
                                     [SCN_RELAY_FIRST_KEY] = WIRE_RELAY_FIRST_KEY,
                                     [SCN_RELAY_DESTINATION] = WIRE_RELAY_DESTINATION,
                                     [SCN_RELAY_MULTIPATH] = WIRE_RELAY_MULTIPATH};
    enum scn_relay relay = scn_relay_of(plan->scenario, app);
    struct qkd_eid ksa = qkd_eid_sibling(host_agent_eid(plan, agent), QKD_ROLE_KSA);
    uint8_t bytes[CONFIG_BYTES];
    bool is_member = app->of > 0 && agent % 2 == 1;
    for (uint32_t i = 0; i < (is_member ? 3U : 2U); i++) {
        uint32_t about = i == 2 ? 2 * (app->of - 1) : (agent & ~1U) + i;
        const char *name = plan->scenario->applications[about / 2].id;
        uint8_t more[8 * SCN_TARGETS_MAX];
        struct wire_bytes more_peers = more_of(plan, about, more);
        struct wire_cfg_app config = {
            .head = {.message_id = ++*how->sender.message_id},
            .app = host_agent_eid(plan, about),
            .name = {(const uint8_t *)name, strlen(name)},
            .peer_app = host_agent_eid(plan, about ^ 1U),
            .level = host_level_number(app->level),
            .has_relay = relay != SCN_RELAY_HOP_BY_HOP,
            .relay = relays[relay],
            .has_paths = relay == SCN_RELAY_MULTIPATH,
            .paths = (uint8_t)scn_paths_of(plan->scenario, app),
            .has_max_bps = app->max_bps > 0,
            .max_bps = (uint64_t)app->max_bps,
            .has_more_peers = more_peers.len > 0,
            .more_peers = more_peers,
            .has_class_number = app->class_index != UINT32_MAX,
            .class_number = (uint8_t)(app->class_index + 1),
        };
        host_access_describe(plan, &config);
        int rc = config_send(how, ksa, bytes, wire_cfg_app_encode(&config, bytes, sizeof(bytes)));
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* A user network as text: a prefix, or a name. */
static int network_encode(const char *text, uint8_t *to, size_t cap)
{
    struct wire_user_network network = {.name = {(const uint8_t *)text, strlen(text)}};
    int bits = scn_prefix_read(text, network.address.b);
    network.has_address = network.has_bits = bits >= 0;
    network.bits = (uint8_t)(bits >= 0 ? bits : 0);
    network.has_name = bits < 0;
    return wire_user_network_encode(&network, to, cap);
}

/* What the node serves, to its KMC and KSA; nothing, if the scenario says nothing of it. */
static int config_serves(const struct host_plan *plan, const struct host_configure *how,
                         uint32_t number)
{
    const struct scn_node *node = &plan->scenario->nodes[number];
    size_t cap = node->user_network_count * NETWORK_BYTES;
    if (node->user_network_count == 0 && node->ksa_address == NULL) {
        return 0;
    }
    uint8_t *networks = malloc(2 * cap + CONFIG_BYTES);
    if (networks == NULL) {
        return QKD_ERR_NOMEM;
    }
    struct wire_cfg_serves config = {.head = {.message_id = ++*how->sender.message_id},
                                     .networks = {networks, 0},
                                     .has_ksa_address = true,
                                     .apart = plan->scenario->key_management.deployment ==
                                              SCN_DEPLOYMENT_TWO};
    for (size_t i = 0; i < node->user_network_count; i++) {
        int len = network_encode(node->user_networks[i].name, networks + config.networks.len,
                                 cap - config.networks.len);
        QKD_ASSERT(len > 0);
        config.networks.len += (size_t)len;
    }
    int bits = node->ksa_address == NULL ? -1
                                         : scn_prefix_read(node->ksa_address, config.ksa_address.b);
    config.has_ksa_bits = bits >= 0;
    config.ksa_bits = (uint8_t)(bits >= 0 ? bits : 0);
    if (node->ksa_address == NULL) { /* where its KM is */
        host_node_ip(number, config.ksa_address.b);
    } else if (bits < 0) {
        (void)scn_address_read(node->ksa_address, config.ksa_address.b);
    }
    uint8_t *bytes = networks + cap;
    int len = wire_cfg_serves_encode(&config, bytes, cap + CONFIG_BYTES);
    int rc = config_send(how, qkd_eid_make(QKD_ROLE_KMC, 0, number), bytes, len);
    rc = rc == 0 ? config_send(how, qkd_eid_make(QKD_ROLE_KSA, 0, number), bytes, len) : rc;
    free(networks);
    return rc;
}

/* ---- generation control ---- */

enum { WINDOW_BYTES = 32 }; /* of a wire_window record, at least */

struct span {
    int64_t from_ns, to_ns;
};

static int span_compare(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

/* In order of time; those that overlap or touch become one, as its modules are told to stand until the end
 * of a window. How many are left. */
static size_t spans_join(struct span *spans, size_t count, int64_t touch_ns)
{
    size_t left = 0;
    if (count > 0) {
        qsort(spans, count, sizeof(*spans), span_compare);
    }
    for (size_t i = 0; i < count; i++) {
        struct span *last = left > 0 ? &spans[left - 1] : NULL;
        if (last != NULL && spans[i].from_ns <= last->to_ns + touch_ns) {
            last->to_ns = spans[i].to_ns > last->to_ns ? spans[i].to_ns : last->to_ns;
        } else {
            spans[left++] = spans[i];
        }
    }
    return left;
}

/* When a link is maintained, for the controllers: as records. */
static int windows_write(const struct host_plan *plan, const struct host_configure *how,
                         uint32_t link, uint8_t *to, size_t *len)
{
    const struct scn_scenario *scenario = plan->scenario;
    struct span *spans = calloc(scenario->fault_count + 1, sizeof(*spans));
    size_t count = 0;
    int rc = spans == NULL ? QKD_ERR_NOMEM : 0;
    *len = 0;
    for (size_t i = 0; i < scenario->fault_count && rc == 0; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (fault->what == SCN_FAULT_MAINTENANCE && fault->index == link) {
            bool ends = fault->for_ns < scenario->duration_ns;
            spans[count++] = (struct span){fault->at_ns, ends ? fault->at_ns + fault->for_ns
                                                              : 2 * scenario->duration_ns};
        }
    }
    count = rc == 0 ? spans_join(spans, count, scenario->control.status_period_ns) : 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        struct wire_window window = {.from = {how->epoch_ns + spans[i].from_ns},
                                     .to = {how->epoch_ns + spans[i].to_ns}};
        rc = wire_window_encode(&window, to + *len, WINDOW_BYTES);
        *len += rc > 0 ? (size_t)rc : 0;
    }
    free(spans);
    return rc < 0 ? rc : 0;
}

static size_t window_count(const struct scn_scenario *scenario, uint32_t link)
{
    size_t count = 0;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        count += scenario->faults[i].what == SCN_FAULT_MAINTENANCE &&
                 scenario->faults[i].index == link;
    }
    return count;
}

static int config_light(const struct host_plan *plan, const struct host_configure *how,
                        struct qkd_eid controller, uint32_t link)
{
    const struct scn_scenario *scenario = plan->scenario;
    size_t windows = window_count(scenario, link);
    if (windows == 0 && scenario->control.forecast_ns == 0 &&
        !host_optics_commanded(scenario, link)) {
        return 0;
    }
    size_t cap = CONFIG_BYTES + windows * WINDOW_BYTES;
    uint8_t *bytes = malloc(cap + windows * WINDOW_BYTES);
    if (bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    const struct host_unit *a = &plan->units[plan->modules[link][0]];
    const struct host_unit *b = &plan->units[plan->modules[link][1]];
    struct wire_cfg_light config = {.head = {.message_id = ++*how->sender.message_id},
                                    .link = link,
                                    .module_a = host_module_eid(a->node, a->instance),
                                    .module_b = host_module_eid(b->node, b->instance),
                                    .store_bits = scenario->links[link].store_bits,
                                    .has_windows = windows > 0,
                                    .windows = {bytes + cap, 0}};
    int rc = windows_write(plan, how, link, bytes + cap, &config.windows.len);
    if (rc == 0) {
        rc = config_send(how, controller, bytes, wire_cfg_light_encode(&config, bytes, cap));
    }
    free(bytes);
    return rc;
}

/* What a switch or relay point serves, to it or to a controller. */
static int config_optical(const struct host_plan *plan, const struct host_configure *how,
                          struct qkd_eid to, uint32_t number)
{
    static const uint8_t by[] = {
        [SCN_BY_SCHEDULE] = WIRE_BY_SCHEDULE, [SCN_BY_DEMAND] = WIRE_BY_DEMAND};
    const struct scn_optical *optical = scn_optical_at(plan->scenario, number);
    bool is_switch = number < plan->scenario->optical_switch_count;
    uint8_t links[4 * SCN_MAX_SWITCH_LINKS], bytes[CONFIG_BYTES];
    for (size_t i = 0; i < optical->link_count; i++) {
        wire_put_u32(links + 4 * i, optical->links[i]);
    }
    struct wire_cfg_optical config = {.head = {.message_id = ++*how->sender.message_id},
                                      .optical = host_optical_eid(plan, number),
                                      .links = {links, 4 * optical->link_count},
                                      .has_by = is_switch,
                                      .by = by[optical->by],
                                      .has_dwell = is_switch,
                                      .dwell = {optical->dwell_ns}};
    return config_send(how, to, bytes, wire_cfg_optical_encode(&config, bytes, sizeof(bytes)));
}

static int config_controller(const struct host_plan *plan, const struct host_configure *how,
                             uint32_t node)
{
    const struct scn_scenario *scenario = plan->scenario;
    struct qkd_eid self = qkd_eid_make(QKD_ROLE_CONTROLLER, 0, node);
    bool any = scn_optical_count(scenario) > 0 || scenario->control.forecast_ns > 0;
    for (size_t i = 0; i < scenario->fault_count && !any; i++) {
        any = scenario->faults[i].what == SCN_FAULT_MAINTENANCE;
    }
    int rc = 0;
    for (uint32_t i = 0; i < scenario->link_count && any && rc == 0; i++) {
        rc = config_light(plan, how, self, i);
    }
    for (uint32_t i = 0; i < scn_optical_count(scenario) && rc == 0; i++) {
        rc = config_optical(plan, how, self, i);
    }
    return rc;
}

int host_configure_node(const struct host_plan *plan, uint32_t number,
                        const struct host_configure *how)
{
    const struct host_node *node = &plan->nodes[number];
    int rc = 0;
    for (uint32_t i = 0; i < node->module_count && rc == 0; i++) {
        rc = config_link(plan, how, number, i);
    }
    rc = rc == 0 ? config_serves(plan, how, number) : rc;
    if (rc == 0 && plan->access_len > 0) {
        rc = config_send(how, qkd_eid_make(QKD_ROLE_KSA, 0, number), plan->access,
                         (int)plan->access_len);
    }
    for (uint32_t i = 0; i < node->unit_count && rc == 0; i++) {
        const struct host_unit *unit = &plan->units[node->first_unit + i];
        if (unit->kind == HOST_UNIT_APP) {
            rc = config_application(plan, how, unit->instance);
        } else if (unit->kind == HOST_UNIT_CONTROLLER) {
            rc = config_controller(plan, how, number);
        } else if (unit->kind == HOST_UNIT_OPTICAL) {
            rc = config_optical(plan, how, host_optical_eid(plan, unit->instance), unit->instance);
        }
    }
    return rc;
}

int host_configure_peer(const struct host_sender *sender, enum qkd_rp rp,
                        const struct qkd_eid sides[2], const uint8_t secret[32])
{
    struct wire_cfg_peer config = {.head = {.message_id = ++*sender->message_id},
                                   .rp = (uint8_t)rp,
                                   .peer = sides[1]};
    memcpy(config.secret.b, secret, sizeof(config.secret.b));
    uint8_t bytes[PEER_BYTES];
    int len = wire_cfg_peer_encode(&config, bytes, sizeof(bytes));
    if (len > 0) {
        sender->give(sender->ctx,
                     &(struct host_message){.to = sides[0], .bytes = bytes, .len = (size_t)len});
    }
    crypto_wipe(bytes, sizeof(bytes));
    crypto_wipe(&config, sizeof(config));
    return len < 0 ? len : 0;
}
