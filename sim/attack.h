/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers of a virtual world (docs/security.md). An attacker is a part of the world: it stands at
 * reference points, sees the bytes that cross them, and may drop, hold back, change, repeat or make up
 * some. Elements know nothing of it. What lies within a node that is inside the security demarcation
 * boundary it cannot reach.
 *
 *   attack.c        which messages it meets, what it does with them, what became of that
 *   attack_read.c   what it can read, and which bits of key it knows from it for certain */
#ifndef SIM_ATTACK_H
#define SIM_ATTACK_H

#include "core/base/map.h"
#include "sim/world.h"

/* world->attackers stays NULL if the scenario has none: then nothing of this is ever called. 0 or
 * QKD_ERR_NOMEM. */
int sim_attackers_new(struct sim_world *world);
void sim_attackers_free(struct sim_world *world);

/* A message is about to leave; observed: before sealing, or NULL. True: the attackers have taken it,
 * and have sent on what they wanted. */
bool sim_attackers_meet(struct sim_world *world, const struct sim_local *message,
                        const uint8_t *observed, size_t observed_len);

/* What an attacker held back, or repeats, is due. */
void sim_attackers_timer(struct sim_world *world, uint32_t slot);

/* An element has been given a message that attacker world->forged - 1 made; its outputs are in
 * world->out. */
void sim_attackers_stepped(struct sim_world *world);

/* The manager raised an alarm. */
void sim_attackers_alarm(struct sim_world *world, const struct qkd_report *report);

/* What each of them met, did and gained. */
void sim_attackers_summarise(const struct sim_world *world, struct scn_summary *summary);

/* ---- attack_read.c ---- */

/* A message on the wire, and what was said in it. */
struct sim_sight {
    enum qkd_rp rp;
    const uint8_t *bytes;
    size_t len;
    const uint8_t *observed; /* not NULL */
    size_t observed_len;
};

/* What an attacker knows. */
struct sim_knowledge {
    bool unbounded;      /* class Q */
    struct qkd_map keys; /* IDs of those counted */
    uint64_t read, leaked_keys, leaked_bits, marked_bits;
};

/* Reads a message if that is possible with what is known; true if it was. */
bool sim_knowledge_read(struct sim_knowledge *knowledge, const struct sim_sight *sight);

#endif
