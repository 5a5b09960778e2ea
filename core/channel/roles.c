/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which roles meet at which reference point: D2.3 clause 11 (functional ends), with KMI, which the
 * standards leave unnamed, joining the three elements of one KM. Everything else is denied. */
#include "core/channel/channel.h"

bool chan_role_allowed(enum qkd_rp rp, enum qkd_role self, enum qkd_role peer)
{
    static const struct {
        enum qkd_rp rp;
        enum qkd_role a, b;
    } meets[] = {
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
    };
    for (size_t i = 0; i < sizeof meets / sizeof meets[0]; i++) {
        if (meets[i].rp == rp && ((meets[i].a == self && meets[i].b == peer) ||
                                  (meets[i].b == self && meets[i].a == peer))) {
            return true;
        }
    }
    return false;
}
