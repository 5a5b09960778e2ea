/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Channels that a daemon needs, and which of them are up. */
#include "emu/daemon/ready.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/km/km.h"
#include "host/unit.h"

struct need {
    struct qkd_eid self, peer;
    enum qkd_rp rp;
    bool adjacency; /* not the channel, but what neighbours agree through it */
    bool up;
};

struct emu_ready {
    const struct host_plan *plan;
    struct need *needs;
    size_t count, cap, missing;
};

static bool need_put(struct emu_ready *ready, const struct need *need)
{
    if (ready->count == ready->cap) {
        size_t cap = ready->cap == 0 ? 16 : 2 * ready->cap;
        struct need *needs = realloc(ready->needs, cap * sizeof(*needs));
        if (needs == NULL) {
            return false;
        }
        ready->needs = needs;
        ready->cap = cap;
    }
    ready->needs[ready->count++] = *need;
    ready->missing++;
    return true;
}

static bool need_add(struct emu_ready *ready, struct qkd_eid self, enum qkd_rp rp,
                     struct qkd_eid peer)
{
    if (qkd_eid_eq(peer, QKD_NOBODY)) {
        return true; /* there is none in this network */
    }
    return need_put(ready, &(struct need){.self = self, .peer = peer, .rp = rp});
}

/* A neighbour at Kx-1: the channel, and the adjacency. */
static bool neighbour_add(struct emu_ready *ready, struct qkd_eid self, struct qkd_eid peer)
{
    struct need need = {.self = self, .peer = peer, .rp = QKD_RP_KX1, .adjacency = true};
    return need_add(ready, self, QKD_RP_KX1, peer) && need_put(ready, &need);
}

static bool km_needs(struct emu_ready *ready, const struct host_unit *unit)
{
    const struct host_plan *plan = ready->plan;
    const struct host_node *node = &plan->nodes[unit->node];
    struct qkd_eid kma = qkd_eid_make(QKD_ROLE_KMA, 0, unit->node);
    struct qkd_eid kmc = qkd_eid_sibling(kma, QKD_ROLE_KMC);
    bool ok = true;
    for (uint32_t i = 0; i < node->module_count && ok; i++) {
        const struct host_port *port = &plan->ports[node->first_port + i];
        struct qkd_eid module = host_module_eid(unit->node, i);
        uint32_t far = plan->units[plan->modules[port->link][port->end ^ 1]].node;
        if ((unit->parts & KM_KMA) != 0) {
            ok = neighbour_add(ready, kma, qkd_eid_make(QKD_ROLE_KMA, 0, far)) &&
                 need_add(ready, kma, QKD_RP_KQ1, module);
        }
        if (ok && (unit->parts & KM_KMC) != 0) {
            ok = need_add(ready, kmc, QKD_RP_KQ2, module);
        }
    }
    if (ok && (unit->parts & KM_KMC) != 0) {
        ok = need_add(ready, kmc, QKD_RP_CK, host_controller_eid(plan)) &&
             need_add(ready, kmc, QKD_RP_CK, host_standby_eid(plan)) &&
             need_add(ready, kmc, QKD_RP_MK, host_manager_eid(plan));
    }
    return ok;
}

static bool module_needs(struct emu_ready *ready, const struct host_unit *unit)
{
    struct qkd_eid self = host_module_eid(unit->node, unit->instance);
    return need_add(ready, self, QKD_RP_KQ1, qkd_eid_make(QKD_ROLE_KMA, 0, unit->node)) &&
           need_add(ready, self, QKD_RP_KQ2, qkd_eid_make(QKD_ROLE_KMC, 0, unit->node)) &&
           need_add(ready, self, QKD_RP_CQ, host_controller_eid(ready->plan)) &&
           need_add(ready, self, QKD_RP_CQ, host_standby_eid(ready->plan)) &&
           need_add(ready, self, QKD_RP_MQ, host_manager_eid(ready->plan));
}

/* Controllers and manager among themselves. */
static bool centres_meet(struct emu_ready *ready, struct qkd_eid self)
{
    struct qkd_eid controllers[2] = {host_controller_eid(ready->plan),
                                     host_standby_eid(ready->plan)};
    bool is_manager = qkd_eid_role(self) == QKD_ROLE_MANAGER;
    bool ok = is_manager || need_add(ready, self, QKD_RP_MC, host_manager_eid(ready->plan));
    for (size_t i = 0; i < 2 && ok; i++) {
        ok = qkd_eid_eq(self, controllers[i]) ||
             need_add(ready, self, is_manager ? QKD_RP_MC : QKD_RP_CX, controllers[i]);
    }
    return ok;
}

/* Controller or manager: every key manager and module. */
static bool centre_needs(struct emu_ready *ready, struct qkd_eid self)
{
    const struct host_plan *plan = ready->plan;
    bool controller = qkd_eid_role(self) == QKD_ROLE_CONTROLLER;
    bool ok = centres_meet(ready, self);
    for (uint32_t n = 0; n < plan->scenario->node_count && ok; n++) {
        struct qkd_eid kmc = qkd_eid_make(QKD_ROLE_KMC, 0, n);
        ok = need_add(ready, self, controller ? QKD_RP_CK : QKD_RP_MK, kmc);
        for (uint32_t i = 0; i < plan->nodes[n].module_count && ok; i++) {
            ok = need_add(ready, self, controller ? QKD_RP_CQ : QKD_RP_MQ, host_module_eid(n, i));
        }
    }
    return ok;
}

static bool unit_needs(struct emu_ready *ready, const struct host_unit *unit)
{
    switch ((enum host_unit_kind)unit->kind) {
    case HOST_UNIT_KM:
        return km_needs(ready, unit);
    case HOST_UNIT_MODULE:
        return module_needs(ready, unit);
    case HOST_UNIT_CONTROLLER:
        return centre_needs(ready, qkd_eid_make(QKD_ROLE_CONTROLLER, 0, unit->node));
    case HOST_UNIT_MANAGER:
        return centre_needs(ready, host_manager_eid(ready->plan));
    case HOST_UNIT_OPTICAL:
    case HOST_UNIT_APP:
        return true; /* opens its channel when it first asks */
    }
    return true;
}

struct emu_ready *emu_ready_new(const struct host_plan *plan, const uint32_t *units, uint32_t count)
{
    struct emu_ready *ready = calloc(1, sizeof(*ready));
    bool ok = ready != NULL;
    if (ok) {
        ready->plan = plan;
    }
    for (uint32_t i = 0; i < count && ok; i++) {
        ok = unit_needs(ready, &plan->units[units[i]]);
    }
    if (!ok) {
        emu_ready_free(ready);
        return NULL;
    }
    return ready;
}

void emu_ready_free(struct emu_ready *ready)
{
    if (ready != NULL) {
        free(ready->needs);
        free(ready);
    }
}

void emu_ready_report(struct emu_ready *ready, const struct qkd_report *report)
{
    if (report->code != QKD_REPORT_PEER_UP && report->code != QKD_REPORT_PEER_DOWN) {
        return;
    }
    bool up = report->code == QKD_REPORT_PEER_UP;
    for (size_t i = 0; i < ready->count; i++) {
        struct need *need = &ready->needs[i];
        if (qkd_eid_eq(need->self, report->who) && qkd_eid_eq(need->peer, report->peer) &&
            need->rp == (enum qkd_rp)report->a && need->adjacency == (report->b == 1) &&
            need->up != up) {
            need->up = up;
            ready->missing += up ? SIZE_MAX : 1;
        }
    }
}

size_t emu_ready_needed(const struct emu_ready *ready)
{
    return ready->count;
}

size_t emu_ready_missing(const struct emu_ready *ready)
{
    return ready->missing;
}

bool emu_ready_missing_text(const struct emu_ready *ready, size_t n, char *to, size_t size)
{
    const struct scn_node *nodes = ready->plan->scenario->nodes;
    for (size_t i = 0; i < ready->count; i++) {
        const struct need *need = &ready->needs[i];
        if (!need->up && n-- == 0) {
            (void)snprintf(to, size, "%s of %s - %s of %s at %s%s",
                           qkd_role_name(qkd_eid_role(need->self)),
                           nodes[qkd_eid_node(need->self)].id,
                           qkd_role_name(qkd_eid_role(need->peer)),
                           nodes[qkd_eid_node(need->peer)].id, qkd_rp_name(need->rp),
                           need->adjacency ? ", key not agreed" : "");
            return true;
        }
    }
    return false;
}
