/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Units: how each kind of element is made from a scenario, and which function steps it. */
#include "host/unit.h"

#include <math.h>
#include <string.h>

#include "core/app/app.h"
#include "core/base/err.h"
#include "core/base/measure.h"
#include "core/controller/controller.h"
#include "core/km/km.h"
#include "core/manager/manager.h"
#include "core/module/module.h"
#include "core/module/optical.h"
#include "core/wire/codec.h"

#define PPM 1e6
#define UNSTORED_NS (3 * QKD_NS_PER_S) /* how long key lives without a store that lasts */

enum {
    REQUEST_LIMIT = 65536, /* requests under way, per element */
    KEY_LIMIT = 1 << 20,   /* KSA-keys held per KSA */
    FILE_LIMIT = 64,       /* key files waiting in a module */
    LIFE_LIMIT = 1 << 16,  /* life-cycle records that the manager keeps */
    ALARM_LIMIT = 1 << 16  /* alarms standing */
};

/* Community ID of HELLO: the key managers of a scenario are one network under one controller, whoever
 * runs their nodes. */
#define COMMUNITY "default"

/* ---- making elements ---- */

/* What an element lets others cost it. */
static struct qkd_guard_config guard_of(const struct scn_scenario *scenario)
{
    const struct scn_security *given = &scenario->security;
    uint32_t off = scenario->measures_off;
    return (struct qkd_guard_config){
        .bad_most = qkd_is_off(off, QKD_MEASURE_PEER_FILTER) ? 0 : given->bad_frames,
        .quarantine = {given->quarantine_ns},
        .checks = qkd_is_off(off, QKD_MEASURE_RATE_LIMIT) ? 0 : given->checks,
    };
}

/* Without a store that lasts key is gone soon after it came. */
static int64_t expiry_of(const struct scn_scenario *scenario)
{
    int64_t expiry_ns = scenario->key_management.expiry_ns;
    bool kept = !qkd_is_off(scenario->measures_off, QKD_MEASURE_STORED_KEYS);
    return kept || expiry_ns < UNSTORED_NS ? expiry_ns : UNSTORED_NS;
}

static int km_make(const struct host_plan *plan, struct host_unit *unit)
{
    static const enum km_routing routings[SCN_ROUTING_COUNT] = {
        [SCN_ROUTING_FEWEST_HOPS] = KM_FEWEST_HOPS,   [SCN_ROUTING_WIDEST] = KM_WIDEST,
        [SCN_ROUTING_LOWEST_DELAY] = KM_LOWEST_DELAY, [SCN_ROUTING_REFILL_TIME] = KM_REFILL_TIME,
        [SCN_ROUTING_LEAST_LOADED] = KM_LEAST_LOADED, [SCN_ROUTING_K_SHORTEST] = KM_K_SHORTEST,
        [SCN_ROUTING_DISJOINT] = KM_DISJOINT};
    const struct scn_scenario *scenario = plan->scenario;
    const struct scn_key_management *given = &scenario->key_management;
    const struct scn_node *node = &scenario->nodes[unit->node];
    uint32_t links = plan->nodes[unit->node].module_count;
    struct km_config config = {
        .node = unit->node,
        .parts = unit->parts,
        .name = node->id,
        .community = COMMUNITY,
        .controller = host_controller_eid(plan),
        .standby = host_standby_eid(plan),
        .manager = host_manager_eid(plan),
        .unit_bits = given->unit_bits,
        .batch = given->batch,
        .lease_bits = (uint32_t)given->lease_bits,
        .retransmit = {given->retransmit_ns},
        .retries = qkd_is_off(scenario->measures_off, QKD_MEASURE_RESEND) ? 0 : given->retries,
        .expiry = {expiry_of(scenario)},
        .fetch_within = {given->fetch_within_ns},
        .timer = {given->timer_ns},
        .status_period = {scenario->control.status_period_ns},
        .distributed = scenario->control.mode == SCN_MODE_DISTRIBUTED,
        .routing = routings[scenario->control.routing],
        .paths = scenario->control.paths,
        .low_mark_bits = scenario->control.low_mark_bits,
        .route_validity = {scenario->control.route_validity_ns},
        .node_limit = (uint32_t)scenario->node_count,
        .network_link_limit = scenario->link_count > 0 ? (uint32_t)scenario->link_count : 1,
        .measure_delay = scenario->control.routing == SCN_ROUTING_LOWEST_DELAY,
        .pooled = given->supply == SCN_SUPPLY_POOLED,
        .pool_low = given->pool_low,
        .pool_high = given->pool_high,
        .pool_batch = given->pool_batch,
        .fallback = given->fallback == SCN_FALLBACK_AES256,
        .fallback_reserve_bits = (uint32_t)given->fallback_reserve_bits,
        .fallback_rekey = {given->fallback_rekey_ns},
        .class_count = (uint32_t)scenario->class_count,
        .preserve = given->retention == SCN_RETENTION_PRESERVE,
        .metadata_clear = given->relay_metadata == SCN_METADATA_CLEAR,
        .request_limit = REQUEST_LIMIT,
        .key_limit = KEY_LIMIT,
        .link_limit = links > 0 ? links : 1,
        .app_requests = qkd_is_off(scenario->measures_off, QKD_MEASURE_RATE_LIMIT)
                            ? 0
                            : scenario->security.requests,
        .measures_off = scenario->measures_off,
        .guard = guard_of(scenario),
    };
    for (size_t i = 0; i < scenario->class_count; i++) {
        const struct scn_class *class = &scenario->classes[i];
        config.classes[i] = (struct km_class){.priority = (uint8_t) class->priority,
                                              .reserve_bits = (uint64_t) class->reserve_bits};
    }
    host_node_ip(unit->node, config.ip);
    static const uint8_t local[2] = {0x02, 0x00}; /* locally administered */
    memcpy(config.mac, local, 2);
    wire_put_u32(config.mac + 2, unit->node + 1);
    if (node->has_mac) {
        memcpy(config.mac, node->mac, 6);
    }
    return km_new(&config, &unit->element.km);
}

static int module_make(const struct host_plan *plan, struct host_unit *unit)
{
    const struct scn_scenario *scenario = plan->scenario;
    struct mod_config config = {
        .self = host_module_eid(unit->node, unit->instance),
        .controller = host_controller_eid(plan),
        .standby = host_standby_eid(plan),
        .manager = host_manager_eid(plan),
        .retransmit = {scenario->key_management.retransmit_ns},
        .status_period = {scenario->control.status_period_ns},
        .queue_limit = FILE_LIMIT,
        .measures_off = scenario->measures_off,
        .guard = guard_of(scenario),
    };
    return mod_new(&config, &unit->element.mod);
}

static int optical_make(const struct host_plan *plan, struct host_unit *unit)
{
    const struct scn_scenario *scenario = plan->scenario;
    struct mod_optical_config config = {
        .self = host_optical_eid(plan, unit->instance),
        .device = host_optical_device_eid(plan, unit->instance),
        .controller = host_controller_eid(plan),
        .standby = host_standby_eid(plan),
        .retransmit = {scenario->key_management.retransmit_ns},
        .status_period = {scenario->control.status_period_ns},
        .switching = {scn_optical_at(scenario, unit->instance)->switching_ns},
        .measures_off = scenario->measures_off,
        .guard = guard_of(scenario),
    };
    return mod_optical_new(&config, &unit->element.optical);
}

static int controller_make(const struct host_plan *plan, struct host_unit *unit)
{
    static const enum ctl_routing routings[SCN_ROUTING_COUNT] = {
        [SCN_ROUTING_FEWEST_HOPS] = CTL_FEWEST_HOPS,   [SCN_ROUTING_WIDEST] = CTL_WIDEST,
        [SCN_ROUTING_LOWEST_DELAY] = CTL_LOWEST_DELAY, [SCN_ROUTING_REFILL_TIME] = CTL_REFILL_TIME,
        [SCN_ROUTING_LEAST_LOADED] = CTL_LEAST_LOADED, [SCN_ROUTING_K_SHORTEST] = CTL_K_SHORTEST,
        [SCN_ROUTING_DISJOINT] = CTL_DISJOINT};
    const struct scn_scenario *scenario = plan->scenario;
    struct qkd_eid first = host_controller_eid(plan);
    bool is_first = unit->node == scenario->control.at;
    struct ctl_config config = {
        .self = qkd_eid_make(QKD_ROLE_CONTROLLER, 0, unit->node),
        .other = is_first ? host_standby_eid(plan) : first,
        .is_first = is_first,
        .manager = host_manager_eid(plan),
        .routing = routings[scenario->control.routing],
        .paths = scenario->control.paths,
        .mode = scenario->control.mode == SCN_MODE_PROACTIVE ? CTL_PROACTIVE : CTL_ON_REQUEST,
        .unit_bits = scenario->key_management.unit_bits,
        .keep_route = scenario->control.keep_route,
        .low_mark_bits = scenario->control.low_mark_bits,
        .reservable_ppm = (uint32_t)lround(scenario->control.reservable * PPM),
        .route_validity = {scenario->control.route_validity_ns},
        .status_period = {scenario->control.status_period_ns},
        .retransmit = {scenario->key_management.retransmit_ns},
        .node_limit = (uint32_t)scenario->node_count,
        .link_limit = scenario->link_count > 0 ? (uint32_t)scenario->link_count : 1,
        .measures_off = scenario->measures_off,
        .guard = guard_of(scenario),
        .optical_limit = scn_optical_count(scenario),
        .forecast = {scenario->control.forecast_ns},
    };
    return ctl_new(&config, &unit->element.ctl);
}

static int manager_make(const struct host_plan *plan, struct host_unit *unit)
{
    const struct scn_scenario *scenario = plan->scenario;
    struct mgr_config config = {
        .self = host_manager_eid(plan),
        .controller = host_controller_eid(plan),
        .standby = host_standby_eid(plan),
        .peer_limit = (uint32_t)(scenario->node_count + 2 * scenario->link_count + 2),
        .life_limit = LIFE_LIMIT,
        .alarm_limit = ALARM_LIMIT,
        .report_life = plan->options.report_life,
        .measures_off = scenario->measures_off,
        .guard = guard_of(scenario),
    };
    return mgr_new(&config, &unit->element.mgr);
}

static int app_make(const struct host_plan *plan, struct host_unit *unit)
{
    const struct scn_application *given = &plan->scenario->applications[unit->instance / 2];
    static const uint8_t levels[] = {[SCN_LEVEL_ANY] = WIRE_LEVEL_ANY,
                                     [SCN_LEVEL_OTP_PREFERRED] = WIRE_LEVEL_OTP_PREFERRED,
                                     [SCN_LEVEL_OTP_ONLY] = WIRE_LEVEL_OTP_ONLY};
    struct qkd_eid more[SCN_TARGETS_MAX];
    bool is_master = unit->instance % 2 == 0;
    uint32_t partner = !is_master && given->of > 0 ? 2 * (given->of - 1) : unit->instance ^ 1U;
    struct app_config config = {
        .self = host_agent_eid(plan, unit->instance),
        .partner = host_agent_eid(plan, partner),
        .more = more,
        .more_count = is_master ? host_members(plan, unit->instance / 2, more) : 0,
        .key_bits = given->key_bits,
        .level = levels[given->level],
        .wait = given->wait,
        .timeout = {given->timeout_ns},
        .retransmit = {plan->scenario->key_management.retransmit_ns},
        .limit = REQUEST_LIMIT,
        .delete_after = plan->options.delete_after,
        .retry = {qkd_is_off(plan->scenario->measures_off, QKD_MEASURE_RESEND)
                      ? 0
                      : plan->scenario->security.retry_ns},
        .session_rate_bps = given->session.rate_bps,
        .session_keys = given->session.keys == SCN_SESSION_AT_RATE,
        .session_timeout = {given->session.timeout_ns},
        .measures_off = plan->scenario->measures_off,
        .guard = guard_of(plan->scenario),
    };
    config.by_address = is_master && given->address != NULL;
    if (config.by_address && !scn_address_read(given->address, config.address)) {
        config.network = given->address; /* the scenario outlives the agent */
    }
    return app_new(&config, &unit->element.app);
}

int host_unit_make(const struct host_plan *plan, struct host_unit *unit)
{
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
        return km_make(plan, unit);
    case HOST_UNIT_MODULE:
        return module_make(plan, unit);
    case HOST_UNIT_CONTROLLER:
        return controller_make(plan, unit);
    case HOST_UNIT_MANAGER:
        return manager_make(plan, unit);
    case HOST_UNIT_OPTICAL:
        return optical_make(plan, unit);
    case HOST_UNIT_APP:
        return app_make(plan, unit);
    }
    return QKD_ERR_INVALID;
}

void host_unit_free(struct host_unit *unit)
{
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
        km_free(unit->element.km);
        break;
    case HOST_UNIT_MODULE:
        mod_free(unit->element.mod);
        break;
    case HOST_UNIT_CONTROLLER:
        ctl_free(unit->element.ctl);
        break;
    case HOST_UNIT_MANAGER:
        mgr_free(unit->element.mgr);
        break;
    case HOST_UNIT_OPTICAL:
        mod_optical_free(unit->element.optical);
        break;
    case HOST_UNIT_APP:
        app_free(unit->element.app);
        break;
    }
    unit->element.any = NULL;
}

const char *host_unit_name(const struct host_unit *unit)
{
    static const char *const names[] = {
        [HOST_UNIT_KM] = "key manager",        [HOST_UNIT_MODULE] = "QKD module",
        [HOST_UNIT_CONTROLLER] = "controller", [HOST_UNIT_MANAGER] = "manager",
        [HOST_UNIT_APP] = "application agent", [HOST_UNIT_OPTICAL] = "agent of the optics"};
    return names[unit->kind];
}

uint32_t host_unit_elements(const struct host_plan *plan, const struct host_unit *unit,
                            struct qkd_eid eids[3], uint32_t parts[3])
{
    static const struct {
        enum km_parts part;
        enum qkd_role role;
    } km_elements[] = {{KM_KMA, QKD_ROLE_KMA}, {KM_KSA, QKD_ROLE_KSA}, {KM_KMC, QKD_ROLE_KMC}};
    uint32_t count = 0;
    parts[0] = 0;
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
        for (uint32_t i = 0; i < 3; i++) {
            if ((unit->parts & km_elements[i].part) != 0) {
                parts[count] = km_elements[i].part;
                eids[count++] = qkd_eid_make(km_elements[i].role, 0, unit->node);
            }
        }
        return count;
    case HOST_UNIT_MODULE:
        eids[0] = host_module_eid(unit->node, unit->instance);
        return 1;
    case HOST_UNIT_CONTROLLER:
        eids[0] = qkd_eid_make(QKD_ROLE_CONTROLLER, 0, unit->node);
        return 1;
    case HOST_UNIT_MANAGER:
        eids[0] = host_manager_eid(plan);
        return 1;
    case HOST_UNIT_OPTICAL:
        eids[0] = host_optical_eid(plan, unit->instance);
        return 1;
    case HOST_UNIT_APP:
        eids[0] = host_agent_eid(plan, unit->instance);
        return 1;
    }
    return 0;
}

/* ---- steps ---- */

int host_unit_step(const struct host_unit *unit, const struct qkd_event *event, uint32_t part,
                   struct qkd_out *out)
{
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
        if (event->type == QKD_EV_START) {
            return km_start(unit->element.km, (enum km_parts)part, event, out);
        }
        return km_step(unit->element.km, event, out);
    case HOST_UNIT_MODULE:
        return mod_step(unit->element.mod, event, out);
    case HOST_UNIT_CONTROLLER:
        return ctl_step(unit->element.ctl, event, out);
    case HOST_UNIT_MANAGER:
        return mgr_step(unit->element.mgr, event, out);
    case HOST_UNIT_OPTICAL:
        return mod_optical_step(unit->element.optical, event, out);
    case HOST_UNIT_APP:
        return app_step(unit->element.app, event, out);
    }
    return QKD_ERR_INVALID;
}

struct qkd_time host_unit_deadline(const struct host_unit *unit)
{
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
        return km_deadline(unit->element.km);
    case HOST_UNIT_MODULE:
        return mod_deadline(unit->element.mod);
    case HOST_UNIT_CONTROLLER:
        return ctl_deadline(unit->element.ctl);
    case HOST_UNIT_MANAGER:
        return mgr_deadline(unit->element.mgr);
    case HOST_UNIT_OPTICAL:
        return mod_optical_deadline(unit->element.optical);
    case HOST_UNIT_APP:
        return app_deadline(unit->element.app);
    }
    return QKD_NEVER;
}
