/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: who may speak to whom at which reference point, and which message belongs there. Both
 * tables are written from FG QIT4N D2.3 clause 11 and docs/protocol.md, not taken from the elements,
 * so that each checks the other. */
#include <string.h>

#include "watch/oracle_state.h"

enum { COMMAND_AT = 2, LENGTH_AT = 4, SENDER_AT = 24 };

#define AT(rp) (UINT32_C(1) << QKD_RP_##rp)

static const struct {
    uint8_t rp, a, b;
} meetings[] = {
    {QKD_RP_AK, QKD_ROLE_APP, QKD_ROLE_KSA},
    {QKD_RP_KQ1, QKD_ROLE_MODULE, QKD_ROLE_KMA},
    {QKD_RP_KQ2, QKD_ROLE_MODULE, QKD_ROLE_KMC},
    {QKD_RP_KX1, QKD_ROLE_KMA, QKD_ROLE_KMA},
    {QKD_RP_KX2, QKD_ROLE_KSA, QKD_ROLE_KSA},
    {QKD_RP_CK, QKD_ROLE_CONTROLLER, QKD_ROLE_KMC},
    {QKD_RP_CQ, QKD_ROLE_CONTROLLER, QKD_ROLE_MODULE},
    {QKD_RP_CQRP, QKD_ROLE_CONTROLLER, QKD_ROLE_RELAY_POINT},
    {QKD_RP_COPS, QKD_ROLE_CONTROLLER, QKD_ROLE_SWITCH},
    {QKD_RP_CX, QKD_ROLE_CONTROLLER, QKD_ROLE_CONTROLLER},
    {QKD_RP_MC, QKD_ROLE_MANAGER, QKD_ROLE_CONTROLLER},
    {QKD_RP_MK, QKD_ROLE_MANAGER, QKD_ROLE_KMC},
    {QKD_RP_MQ, QKD_ROLE_MANAGER, QKD_ROLE_MODULE},
    {QKD_RP_KMI, QKD_ROLE_KMA, QKD_ROLE_KSA},
    {QKD_RP_KMI, QKD_ROLE_KMA, QKD_ROLE_KMC},
    {QKD_RP_KMI, QKD_ROLE_KSA, QKD_ROLE_KMC},
    {QKD_RP_Q, QKD_ROLE_DEVICE, QKD_ROLE_MODULE},
    {QKD_RP_Q, QKD_ROLE_DEVICE, QKD_ROLE_SWITCH},
    {QKD_RP_Q, QKD_ROLE_DEVICE, QKD_ROLE_RELAY_POINT},
    {QKD_RP_LOAD, QKD_ROLE_LOAD, QKD_ROLE_APP},
    {QKD_RP_APP, QKD_ROLE_APP, QKD_ROLE_APP},
    {QKD_RP_SAE, QKD_ROLE_LOAD, QKD_ROLE_APP},
};

#define REPORTS (AT(KMI) | AT(MK) | AT(MC) | AT(MQ))

static const struct {
    uint8_t command;
    uint32_t places;
} belongs[] = {
    {WIRE_CMD_KEY_SUPPLY, AT(AK)},
    {WIRE_CMD_KEY_SUPPLY_RSP, AT(AK)},
    {WIRE_CMD_KEY_DELETE, AT(AK)},
    {WIRE_CMD_KEY_DELETE_RSP, AT(AK)},
    {WIRE_CMD_SESSION_OPEN, AT(AK)},
    {WIRE_CMD_SESSION_OPEN_RSP, AT(AK)},
    {WIRE_CMD_SESSION_CLOSE, AT(AK)},
    {WIRE_CMD_SESSION_CLOSE_RSP, AT(AK)},
    {WIRE_CMD_RESERVE, AT(CK) | AT(KMI)},
    {WIRE_CMD_RESERVE_RSP, AT(CK) | AT(KMI)},
    {WIRE_CMD_RELEASE, AT(CK) | AT(KMI)},
    {WIRE_CMD_RELEASE_RSP, AT(CK) | AT(KMI)},
    {WIRE_CMD_STATUS, AT(CK) | AT(CQ) | AT(KQ2) | AT(CQRP) | AT(COPS)},
    {WIRE_CMD_STATUS_RSP, AT(CK) | AT(CQ) | AT(KQ2) | AT(KMI) | AT(CQRP) | AT(COPS)},
    {WIRE_CMD_ROUTE, AT(CK) | AT(KMI)},
    {WIRE_CMD_ROUTE_RSP, AT(CK) | AT(KMI)},
    {WIRE_CMD_RESOLVE, AT(CK) | AT(KMI)},
    {WIRE_CMD_RESOLVE_RSP, AT(CK) | AT(KMI)},
    {WIRE_CMD_KSA_ADDRESS, AT(KMI)},
    {WIRE_CMD_STOCK, AT(CK) | AT(KMI)},
    {WIRE_CMD_STOCK_RSP, AT(CK) | AT(KMI)},
    {WIRE_CMD_TERM, AT(CK) | AT(CX)},
    {WIRE_CMD_LINK_STATE, AT(KX1) | AT(KMI)},
    {WIRE_CMD_ROUTE_TABLE, AT(CK) | AT(KMI)},
    {WIRE_CMD_ROUTE_TABLE_ACK, AT(CK)},
    {WIRE_CMD_GENERATION, AT(CQ) | AT(KQ2) | AT(KMI) | AT(CQRP)},
    {WIRE_CMD_GENERATION_RSP, AT(CQ) | AT(KQ2) | AT(KMI) | AT(CQRP)},
    {WIRE_CMD_LIGHT_PATH, AT(COPS)},
    {WIRE_CMD_LIGHT_PATH_RSP, AT(COPS)},
    {WIRE_CMD_HELLO, AT(KX1)},
    {WIRE_CMD_SESSION, AT(KX1)},
    {WIRE_CMD_SESSION_RSP, AT(KX1)},
    {WIRE_CMD_UPDATE, AT(KX1)},
    {WIRE_CMD_RELAY_DONE, AT(KX1)},
    {WIRE_CMD_RELAY_SUM, AT(KX1)},
    {WIRE_CMD_RELAY_SUM_ACK, AT(KX1)},
    {WIRE_CMD_GRANT_REQUEST, AT(KX1)},
    {WIRE_CMD_HOP_ACK, AT(KX1)},
    {WIRE_CMD_SUPPLY_NOTIFY, AT(KX2)},
    {WIRE_CMD_SUPPLY_NOTIFY_RSP, AT(KX2)},
    {WIRE_CMD_FAULT, REPORTS},
    {WIRE_CMD_CONFIGURATION, REPORTS},
    {WIRE_CMD_ACCOUNTING, REPORTS},
    {WIRE_CMD_PERFORMANCE, REPORTS},
    {WIRE_CMD_SECURITY, REPORTS},
    {WIRE_CMD_METADATA, REPORTS},
    {WIRE_CMD_REPORT_ACK, REPORTS},
    {WIRE_CMD_KMI_NEED, AT(KMI)},
    {WIRE_CMD_KMI_FETCH, AT(KMI)},
    {WIRE_CMD_KMI_SUPPLY, AT(KMI)},
    {WIRE_CMD_KMI_DROP, AT(KMI)},
    {WIRE_CMD_KEY_FILE, AT(KQ1)},
    {WIRE_CMD_KEY_FILE_ACK, AT(KQ1)},
    {WIRE_CMD_Q_BLOCK, AT(Q)},
    {WIRE_CMD_Q_CONTROL, AT(Q)},
    {WIRE_CMD_Q_NOISE, AT(Q)},
    {WIRE_CMD_Q_LIGHT, AT(Q)},
    {WIRE_CMD_LOAD, AT(LOAD)},
    {WIRE_CMD_APP_NOTIFY, AT(APP)},
    {WIRE_CMD_SAE_GET, AT(SAE)},
    {WIRE_CMD_SAE_FETCH, AT(SAE)},
    {WIRE_CMD_SAE_STATUS, AT(SAE)},
    {WIRE_CMD_SAE_KEYS, AT(SAE)},
    {WIRE_CMD_SAE_STATUS_RSP, AT(SAE)},
};

void watch_orc_place_init(struct watch_oracle *o)
{
    for (size_t i = 0; i < sizeof meetings / sizeof *meetings; i++) {
        o->meets[meetings[i].rp][meetings[i].a] |= UINT32_C(1) << meetings[i].b;
        o->meets[meetings[i].rp][meetings[i].b] |= UINT32_C(1) << meetings[i].a;
    }
    for (size_t i = 0; i < sizeof belongs / sizeof *belongs; i++) {
        o->places[belongs[i].command] = belongs[i].places;
    }
    o->places[WIRE_CMD_AUTH] = o->places[WIRE_CMD_AUTH_RSP] = UINT32_MAX;
}

void watch_orc_place_check(struct watch_oracle *o, const struct qkd_send *send,
                           const uint8_t *observed)
{
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    enum qkd_role from = qkd_eid_role(send->from);
    enum qkd_role to = qkd_eid_role(send->to);
    o->verdict.checks++;
    if (send->rp >= QKD_RP_COUNT || from >= QKD_ROLE_COUNT || to >= QKD_ROLE_COUNT ||
        (o->meets[send->rp][from] >> to & 1U) == 0) {
        watch_orc_fail(o, "place: roles that do not meet at this reference point", &scene);
        return;
    }
    if (observed == NULL || observed[0] == WIRE_FRAME_MAGIC) {
        return;
    }
    bool whole = send->observed.len >= WIRE_HEAD_LEN && observed[0] == WIRE_VERSION &&
                 wire_get_u32(observed + LENGTH_AT) == send->observed.len;
    o->verdict.checks++;
    if (!whole) {
        watch_orc_fail(o, "place: message without a good head", &scene);
        return;
    }
    scene.command = observed[COMMAND_AT];
    if (observed[1] != send->rp || (o->places[scene.command] >> send->rp & 1U) == 0) {
        watch_orc_fail(o, "place: message at a reference point it does not belong to", &scene);
    } else if (wire_get_u64(observed + SENDER_AT) != send->from.v) {
        watch_orc_fail(o, "place: message that names another sender", &scene);
    }
}
