/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a scenario to the elements of its nodes: which units stand at which node, how each element
 * is made and what it is told at its start. Every world builds its elements from one plan, so that
 * what a key manager, controller or manager is configured with cannot differ between worlds. The
 * plan knows neither time nor bytes under way.
 *
 * A unit is what has one deadline and is stepped as a whole: an element, or a key manager's host of
 * KMA, KSA and KMC. Units of a node lie together: key manager(s), modules in the order of the
 * scenario's links, controller, manager, agents of switches and relay points, application agents.
 *
 *   plan.c       nodes, units, ports, agents      configure.c  CONFIG messages at a start
 *   unit.c       make, step, deadline, free       access.c     who may ask for keys with whom
 *   optics.c     what the light of a link makes   load.c       when applications ask */
#ifndef HOST_PLAN_H
#define HOST_PLAN_H

#include "core/base/id.h"
#include "scenarios/scenario.h"

#define HOST_NO_UNIT UINT32_MAX

enum host_unit_kind {
    HOST_UNIT_KM,
    HOST_UNIT_MODULE,
    HOST_UNIT_CONTROLLER,
    HOST_UNIT_MANAGER,
    HOST_UNIT_APP,
    HOST_UNIT_OPTICAL /* agent of an optical switch or relay point */
};

struct host_unit {
    uint8_t kind;  /* enum host_unit_kind */
    uint8_t parts; /* KM: enum km_parts that it hosts */
    uint32_t node;
    uint32_t instance; /* module: of the node; app: of the element ID; optical: scn_optical_at() */
    union {
        void *any; /* NULL: not there (not started, or crashed) */
        struct km *km;
        struct mod *mod;
        struct mod_optical *optical;
        struct ctl *ctl;
        struct mgr *mgr;
        struct app *app;
    } element;
};

/* One end of a QKD link, in the order of the node's links: a module. */
struct host_port {
    uint32_t link;
    uint8_t end; /* 0: links[link].a, 1: .b */
};

struct host_node {
    uint32_t first_unit, unit_count;
    uint32_t kma_unit, ksa_unit;            /* the same when one process hosts both */
    uint32_t controller_unit, manager_unit; /* HOST_NO_UNIT if it has none; of two controllers each
                                               has its node */
    uint32_t first_module, module_count;    /* units, in the order of its ports */
    uint32_t first_port;                    /* in plan->ports */
};

/* Choices beyond the scenario. */
struct host_options {
    bool delete_after; /* applications delete the keys they were supplied (Table 7-6) */
    bool report_life;  /* the manager reports every life-cycle record (QKD_REPORT_LIFE) */
};

struct host_plan {
    const struct scn_scenario *scenario; /* borrowed; outlives the plan */
    struct host_options options;
    struct host_node *nodes;
    struct host_unit *units;
    uint32_t unit_count;
    struct host_port *ports;
    uint32_t (*modules)[2]; /* units of the modules at both ends of a link */
    uint32_t *opticals;     /* unit of optical switch or relay point n */
    uint32_t *agents;       /* unit of application agent n (2·application + end) */
    uint32_t *operators;    /* numbers of the nodes' operators; NULL without access rules */
    uint32_t *communities;  /* the same of their communities */
    uint8_t *access;        /* CFG_ACCESS, encoded; NULL without access rules */
    size_t access_len;
};

/* 0 or QKD_ERR_NOMEM. Elements are not made yet. */
int host_plan_new(const struct scn_scenario *scenario, struct host_plan **plan);

/* Frees the elements that are there, too. */
void host_plan_free(struct host_plan *plan);

/* The unit that hosts an element, HOST_NO_UNIT if there is none. */
uint32_t host_unit_find(const struct host_plan *plan, struct qkd_eid eid);

struct qkd_eid host_module_eid(uint32_t node, uint32_t instance);
/* QKD_NOBODY: there is none. */
struct qkd_eid host_controller_eid(const struct host_plan *plan);
/* The controller that may take its place; QKD_NOBODY: there is none. */
struct qkd_eid host_standby_eid(const struct host_plan *plan);
/* The agent of an optical switch or relay point, and its optics; the number of the latter, SCN_NO_OPTICAL if
 * this is another device. */
struct qkd_eid host_optical_eid(const struct host_plan *plan, uint32_t number);
struct qkd_eid host_optical_device_eid(const struct host_plan *plan, uint32_t number);
uint32_t host_optical_of_device(const struct host_plan *plan, struct qkd_eid device);
struct qkd_eid host_manager_eid(const struct host_plan *plan);
struct qkd_eid host_agent_eid(const struct host_plan *plan, uint32_t agent);
/* Multicast: the agents that get the keys of an application beside its slave. How many. */
uint32_t host_members(const struct host_plan *plan, uint32_t application,
                      struct qkd_eid slaves[SCN_TARGETS_MAX]);

/* The synthetic address of a node, 10.x.y.z mapped into IPv6: what key managers know one another by
 * in HELLO, in every world. */
void host_node_ip(uint32_t node, uint8_t ip[16]);

/* ---- access.c ---- */

int host_access_new(struct host_plan *plan); /* called by host_plan_new() */

/* enum wire_level of a scenario's. */
uint8_t host_level_number(enum scn_level level);

/* Fills in what access rules may ask of an application: the operator and role of its node. */
struct wire_cfg_app;
void host_access_describe(const struct host_plan *plan, struct wire_cfg_app *app);

#endif
