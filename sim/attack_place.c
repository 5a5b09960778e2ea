/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where an attacker stands, and which messages it goes for. Sealed messages are told by what was said in
 * them: as if an attacker who sees their length and time were never wrong. */
#include "core/channel/frames.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "sim/attack.h"

static bool is_role(const struct sim_local *m, enum qkd_role role)
{
    return qkd_eid_role(m->from) == role || qkd_eid_role(m->to) == role;
}

/* Whether a message crosses an attack surface. */
static bool at_surface(const struct sim_local *m, enum scn_surface surface)
{
    bool kma = is_role(m, QKD_ROLE_KMA);
    bool ksa = is_role(m, QKD_ROLE_KSA);
    switch (surface) {
    case SCN_SURFACE_K1:
        return m->rp == QKD_RP_KQ1;
    case SCN_SURFACE_K2_1:
        return m->rp == QKD_RP_KX1;
    case SCN_SURFACE_K3:
        return m->rp == QKD_RP_KMI && kma && ksa;
    case SCN_SURFACE_A1:
        return m->rp == QKD_RP_AK;
    case SCN_SURFACE_K2_2:
        return m->rp == QKD_RP_KX2;
    case SCN_SURFACE_C:
        return m->rp == QKD_RP_CK;
    case SCN_SURFACE_M:
        return m->rp == QKD_RP_MK;
    case SCN_SURFACE_CM:
        return m->rp == QKD_RP_KQ2;
    case SCN_SURFACE_KMA:
        return kma && (m->rp == QKD_RP_KQ1 || m->rp == QKD_RP_KX1 || m->rp == QKD_RP_KMI);
    case SCN_SURFACE_KSA:
        return ksa && (m->rp == QKD_RP_AK || m->rp == QKD_RP_KX2 || m->rp == QKD_RP_KMI);
    case SCN_SURFACES:
        break;
    }
    return false;
}

/* Whether it is where the attacker stands. */
static bool at_place(const struct sim_world *world, const struct scn_attack *plan,
                     const struct sim_local *m)
{
    uint32_t from = qkd_eid_node(m->from), to = qkd_eid_node(m->to);
    if (plan->node != UINT32_MAX && from != plan->node && to != plan->node) {
        return false;
    }
    if (plan->application != UINT32_MAX && m->rp == QKD_RP_AK) {
        uint32_t agent = plan->application * 2;
        struct qkd_eid ends[2] = {host_agent_eid(world->plan, agent),
                                  host_agent_eid(world->plan, agent + 1)};
        if (!qkd_eid_eq(m->from, ends[0]) && !qkd_eid_eq(m->from, ends[1]) &&
            !qkd_eid_eq(m->to, ends[0]) && !qkd_eid_eq(m->to, ends[1])) {
            return false;
        }
    }
    if (plan->link == UINT32_MAX) {
        return true;
    }
    const struct scn_link *link = &world->scenario->links[plan->link];
    if (from != to) {
        return (from == link->a && to == link->b) || (from == link->b && to == link->a);
    }
    for (uint32_t end = 0; end < 2; end++) {
        const struct host_unit *unit = &world->plan->units[world->plan->modules[plan->link][end]];
        struct qkd_eid module = host_module_eid(unit->node, unit->instance);
        if (qkd_eid_eq(m->from, module) || qkd_eid_eq(m->to, module)) {
            return true;
        }
    }
    return false;
}

uint8_t sim_attack_kind(const struct sim_local *m, const uint8_t *observed, size_t observed_len)
{
    const uint8_t *text = observed_len > 2 ? observed : m->bytes;
    size_t len = observed_len > 2 ? observed_len : m->len;
    if (len <= 2) {
        return 0;
    }
    if (m->rp == QKD_RP_KX1 && text[0] == WIRE_FRAME_MAGIC) {
        return text[1];
    }
    return observed_len > 2 ? text[2] : 0;
}

static bool is_report(uint8_t kind)
{
    return kind == WIRE_CMD_FAULT || kind == WIRE_CMD_CONFIGURATION ||
           kind == WIRE_CMD_ACCOUNTING || kind == WIRE_CMD_PERFORMANCE ||
           kind == WIRE_CMD_SECURITY || kind == WIRE_CMD_METADATA;
}

static bool is_wanted(enum scn_message_kind wanted, const struct sim_local *m, uint8_t kind)
{
    bool frame = m->rp == QKD_RP_KX1;
    switch (wanted) {
    case SCN_MESSAGE_ANY:
        return true;
    case SCN_MESSAGE_RELAY:
        return frame && kind == WIRE_FRAME_RELAY && m->bytes[0] == WIRE_FRAME_MAGIC;
    case SCN_MESSAGE_TAKE:
        return frame && kind == WIRE_FRAME_TAKE;
    case SCN_MESSAGE_KEY_FILE:
        return kind == WIRE_CMD_KEY_FILE;
    case SCN_MESSAGE_KEY_SUPPLY:
        return kind == WIRE_CMD_KEY_SUPPLY_RSP;
    case SCN_MESSAGE_HAND_OVER:
        return kind == WIRE_CMD_KMI_SUPPLY;
    case SCN_MESSAGE_COMPARE:
        return kind == WIRE_CMD_SUPPLY_NOTIFY || kind == WIRE_CMD_SUPPLY_NOTIFY_RSP;
    case SCN_MESSAGE_ROUTE:
        return kind == WIRE_CMD_ROUTE_RSP || kind == WIRE_CMD_ROUTE_TABLE;
    case SCN_MESSAGE_STATUS:
        return kind == WIRE_CMD_STATUS_RSP;
    case SCN_MESSAGE_REPORT:
        return is_report(kind);
    case SCN_MESSAGE_REQUEST:
        return kind == WIRE_CMD_KEY_SUPPLY || kind == WIRE_CMD_KMI_NEED ||
               kind == WIRE_CMD_KMI_FETCH;
    case SCN_MESSAGE_HANDSHAKE:
        return kind == 0 && m->bytes[0] == CHAN_MAGIC && m->bytes[1] == CHAN_FRAME_OPEN;
    case SCN_MESSAGE_KINDS:
        break;
    }
    return false;
}

bool sim_attack_is_shielded(const struct sim_world *world, const struct sim_local *m)
{
    uint32_t node = qkd_eid_node(m->from);
    return node == qkd_eid_node(m->to) &&
           world->scenario->nodes[node].boundary == SCN_BOUNDARY_INSIDE;
}

bool sim_attack_wants(const struct sim_world *world, const struct scn_attack *plan,
                      const struct sim_local *message, uint8_t kind)
{
    return at_surface(message, plan->surface) && at_place(world, plan, message) &&
           is_wanted(plan->message, message, kind);
}
