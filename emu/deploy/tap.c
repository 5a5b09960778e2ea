/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which ways attackers stand on. */
#include "emu/deploy/tap.h"

#include <stdlib.h>

#include "core/base/err.h"

const char *emu_attack_unable(const struct scn_attack *attack)
{
    if (attack->surface != SCN_SURFACE_A1 && attack->surface != SCN_SURFACE_C &&
        attack->surface != SCN_SURFACE_M) {
        return "at this surface attackers are in the virtual worlds only: expected A1, C or M";
    }
    if (attack->class == SCN_CAPABILITY_Q) {
        return "nobody in the live world breaks ciphers: expected class P or A";
    }
    if (attack->link != UINT32_MAX) {
        return "nothing of a QKD link passes there: expected a node, or all of them";
    }
    switch (attack->what) {
    case SCN_ATTACK_LISTEN:
    case SCN_ATTACK_FLIP:
    case SCN_ATTACK_DROP:
    case SCN_ATTACK_DELAY:
    case SCN_ATTACK_REPLAY:
    case SCN_ATTACK_SPLICE:
    case SCN_ATTACK_FORGE:
    case SCN_ATTACK_POSE:
        return NULL;
    case SCN_ATTACK_FLOOD:
        return attack->flood == SCN_FLOOD_JUNK || attack->flood == SCN_FLOOD_STRANGERS
                   ? NULL
                   : "floods of the live world are of connections: expected junk or strangers";
    default:
        return "this is done in the virtual worlds only: expected listen, flip, drop, delay, "
               "replay, splice, forge, pose or flood";
    }
}

/* Whether an attacker of this node's key manager means this one. */
static bool node_is_meant(const struct scn_scenario *scenario, const struct scn_attack *attack,
                          uint32_t node)
{
    if (attack->node != UINT32_MAX && attack->node != node) {
        return false;
    }
    if (attack->application == UINT32_MAX) {
        return true;
    }
    const struct scn_application *application = &scenario->applications[attack->application];
    return application->from == node || application->to == node;
}

static bool is_pair(enum emu_kind wanted, const struct emu_place *a, const struct emu_place *b)
{
    return (a->kind == EMU_KMD && b->kind == wanted) || (b->kind == EMU_KMD && a->kind == wanted);
}

bool emu_attack_stands(const struct scn_scenario *scenario, const struct scn_attack *attack,
                       uint32_t from, uint32_t to)
{
    struct emu_place dialled = emu_place_at(scenario, to);
    if (attack->surface == SCN_SURFACE_A1) {
        return from == EMU_NOWHERE && dialled.kind == EMU_KMD &&
               node_is_meant(scenario, attack, dialled.index);
    }
    if (from == EMU_NOWHERE || from == to) {
        return false;
    }
    struct emu_place dials = emu_place_at(scenario, from);
    enum emu_kind other = attack->surface == SCN_SURFACE_C ? EMU_CTLD : EMU_MGRD;
    return (attack->surface == SCN_SURFACE_C || attack->surface == SCN_SURFACE_M) &&
           is_pair(other, &dials, &dialled) &&
           node_is_meant(scenario, attack, dials.kind == EMU_KMD ? dials.index : dialled.index);
}

static bool somebody_stands(const struct scn_scenario *scenario, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < scenario->attack_count; i++) {
        if (emu_attack_stands(scenario, &scenario->attacks[i], from, to)) {
            return true;
        }
    }
    return false;
}

int emu_taps_plan(const struct scn_scenario *scenario, struct emu_tap **taps, size_t *count,
                  struct emu_why *why)
{
    uint32_t daemons = emu_place_count(scenario);
    *taps = NULL;
    *count = 0;
    if (scenario->attack_count == 0) {
        return QKD_OK;
    }
    struct emu_tap *made = calloc(EMU_MAX_TAPS, sizeof *made);
    if (made == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    for (uint32_t to = 0; to < daemons; to++) {
        for (uint32_t k = 0; k <= daemons; k++) {
            uint32_t from = k == daemons ? EMU_NOWHERE : k;
            if (!somebody_stands(scenario, from, to)) {
                continue;
            }
            if (*count == EMU_MAX_TAPS) {
                free(made);
                *count = 0;
                return emu_fail(why, QKD_ERR_RANGE,
                                "attacks: they stand on more than %d connections: expected fewer, "
                                "at nodes that are named",
                                EMU_MAX_TAPS);
            }
            made[(*count)++] = (struct emu_tap){.from = from, .to = to};
        }
    }
    *taps = made;
    return QKD_OK;
}
