/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where attackers of a scenario stand in the live world: on connections between daemons, and between SAEs and
 * key managers. They are in the middle of TCP: they see and touch bytes of TLS. What they do there is in
 * emu/attack.
 *
 *   surface  dials                     is dialled           X.1712
 *   C        key manager, controller   the other of both    T_C, Ck
 *   M        key manager, manager      the other of both    T_M, Mk
 *   A1       SAEs                      key manager          T_A1, Ak by ETSI GS QKD 014 */
#ifndef EMU_TAP_H
#define EMU_TAP_H

#include "emu/deploy/deployment.h"

#define EMU_MAX_TAPS 2000

/* Why the live world cannot have this attacker, with what is expected; NULL: it can. */
const char *emu_attack_unable(const struct scn_attack *attack);

/* Whether an attacker stands between who dials (EMU_NOWHERE: SAEs) and who is dialled. */
bool emu_attack_stands(const struct scn_scenario *scenario, const struct scn_attack *attack,
                       uint32_t from, uint32_t to);

/* All ways on which attackers stand, without addresses; to be freed with free(). QKD_ERR_RANGE,
 * QKD_ERR_NOMEM. */
int emu_taps_plan(const struct scn_scenario *scenario, struct emu_tap **taps, size_t *count,
                  struct emu_why *why);

#endif
