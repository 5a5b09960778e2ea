/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which daemon hosts which element. Daemons are numbered: the key manager of each node in the order of
 * the nodes, the controller, the manager, each QKD link in the order of the links, the standby controller.
 *
 *   kmd.NODE    KMA, KSA and KMC, application agents and their load, at a node
 *   ctld, mgrd  QKDN controller (if there is one), QKDN manager
 *   ctld.standby  the controller that may take its place, if there is one
 *   linkd.LINK  both module agents of a link and the optics between them */
#ifndef EMU_PLACE_H
#define EMU_PLACE_H

#include "host/plan.h"

#define EMU_PLACE_NAME_SIZE (SCN_ID_SIZE + 8) /* bytes of any daemon's name, with its final zero */
#define EMU_NOWHERE UINT32_MAX

enum emu_kind { EMU_KMD, EMU_CTLD, EMU_MGRD, EMU_LINKD };

/* A daemon: its kind, and the index of its node (kmd; of ctld and mgrd: where they stand) or link. */
struct emu_place {
    enum emu_kind kind;
    uint32_t index;
};

/* "kmd" and so on; the program is "qkdn-" and this. */
const char *emu_kind_name(enum emu_kind kind);

/* The daemon of the controller, the manager or the standby controller; EMU_NOWHERE: there is none. */
uint32_t emu_place_of_element(const struct scn_scenario *scenario, enum scn_fault_element element);

/* How many daemons a network has. */
uint32_t emu_place_count(const struct scn_scenario *scenario);

/* Number below emu_place_count(). */
struct emu_place emu_place_at(const struct scn_scenario *scenario, uint32_t number);

/* "kmd.A" */
void emu_place_name(const struct scn_scenario *scenario, uint32_t number,
                    char name[EMU_PLACE_NAME_SIZE]);

/* The number of a daemon by its name; EMU_NOWHERE: there is none. */
uint32_t emu_place_find(const struct scn_scenario *scenario, const char *name);

/* The number of the daemon that hosts an element; EMU_NOWHERE: there is no such element. Also for
 * what is no unit: devices (beside their modules) and load generators (beside their agents). */
uint32_t emu_place_of(const struct host_plan *plan, struct qkd_eid eid);

/* The node where a daemon runs; of a link's the node of its end a. */
uint32_t emu_place_node(const struct scn_scenario *scenario, uint32_t number);

/* Whether elements of two daemons may ever exchange messages. */
bool emu_place_talk(const struct scn_scenario *scenario, uint32_t one, uint32_t other);

#endif
