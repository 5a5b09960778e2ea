/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers of a virtual world (docs/security.md). An attacker is a part of the world: it stands at
 * reference points, sees the bytes that cross them, and may drop, hold back, change, repeat or make up
 * some. Elements know nothing of it. What lies within a node that is inside the security demarcation
 * boundary it cannot reach.
 *
 *   attack.c        what it does with messages, and what became of that
 *   attack_place.c  which messages it meets
 *   attack_read.c   what it can read, and which bits of key it knows from it for certain
 *   attack_forge.c  messages made up in the name of others
 *   attack_flood.c  floods: many messages of its own
 *   attack_pose.c   elements with a valid credential of another role
 *   attack_store.c  what lies on the disk of a key manager */
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

/* Timers of attackers: what is held back is due; one that waits for no message begins; a machine that it
 * stopped starts again; one that floods goes on. */
enum sim_attack_timer { SIM_ATTACK_HELD, SIM_ATTACK_BEGINS, SIM_ATTACK_STARTS, SIM_ATTACK_FLOODS };
void sim_attackers_timer(struct sim_world *world, enum sim_attack_timer what, uint32_t slot);

/* An application was supplied with a key. */
void sim_attackers_served(struct sim_world *world, struct qkd_eid app);

/* Posts what is to begin at a time of its own. */
void sim_attackers_start(struct sim_world *world);

/* A packet for nobody of the plan: for an attacker, it may be. */
void sim_attackers_deliver(struct sim_world *world, const struct sim_packet *packet);

/* Whether an attacker poses as this element. */
bool sim_attackers_are(const struct sim_world *world, struct qkd_eid element);

/* An element has been given a message that attacker world->forged - 1 made; its outputs are in
 * world->out. */
void sim_attackers_stepped(struct sim_world *world);

/* The manager raised an alarm. */
void sim_attackers_alarm(struct sim_world *world, const struct qkd_report *report);

/* What each of them met, did and gained. */
void sim_attackers_summarise(const struct sim_world *world, struct scn_summary *summary);

/* ---- attack_place.c ---- */

/* The command of a message, or the type of a frame that takes pads; 0: a handshake. */
uint8_t sim_attack_kind(const struct sim_local *message, const uint8_t *observed,
                        size_t observed_len);

/* Whether an attacker stands where a message of this kind passes, and goes for it. */
bool sim_attack_wants(const struct sim_world *world, const struct scn_attack *plan,
                      const struct sim_local *message, uint8_t kind);

/* Whether the message stays where no attacker comes: within a node that is inside the boundary. */
bool sim_attack_is_shielded(const struct sim_world *world, const struct sim_local *message);

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

/* It has bits of a key. */
void sim_knowledge_key(struct sim_knowledge *knowledge, const struct qkd_id *id, uint64_t bits,
                       bool marked);

/* Whether the text of a message lies open in its bytes. */
bool sim_sight_is_open(const struct sim_sight *sight);

/* What was said to the attacker itself. */
void sim_knowledge_told(struct sim_knowledge *knowledge, enum qkd_rp rp, const uint8_t *message,
                        size_t len);

/* Reads a message if that is possible with what is known; true if it was. */
bool sim_knowledge_read(struct sim_knowledge *knowledge, const struct sim_sight *sight);

/* ---- attack_forge.c ---- */

/* Makes up a message in the name of the sender of one that is seen, as long as it, into `to`. False: it
 * cannot imitate this one. */
bool sim_forge(struct qkd_rng *rng, const struct sim_sight *sight, uint8_t *to);

/* ---- attack_flood.c ---- */

struct sim_flood;
int sim_flood_new(const struct scn_attack *plan, uint64_t seed, struct sim_flood **flood);
void sim_flood_free(struct sim_flood *flood);
uint64_t sim_flood_sent(const struct sim_flood *flood);

/* A message leaves; is_here: where the flood is to be. */
void sim_flood_see(struct sim_flood *flood, const struct sim_local *message,
                   const struct sim_sight *sight, bool is_here);

/* Whether the attacker can reach its victim. */
bool sim_flood_reaches(const struct sim_world *world, const struct sim_flood *flood);

/* Sends one message; number: of the attacker, + 1. True: go on at *next_ns. */
bool sim_flood_tick(struct sim_world *world, struct sim_flood *flood, uint32_t number,
                    int64_t *next_ns);

/* ---- attack_pose.c ---- */

/* An attacker with a valid credential: of another role, or (steal) of an application. 0, QKD_ERR_NOMEM. */
struct sim_pose;
int sim_pose_new(const struct scn_attack *plan, uint32_t node,
                 const uint64_t seed[2] /* of the run; number of the attacker */,
                 struct sim_pose **pose);
void sim_pose_free(struct sim_pose *pose);
struct qkd_eid sim_pose_self(const struct sim_pose *pose);
uint64_t sim_pose_sent(const struct sim_pose *pose); /* attempts and commands */

/* How often it had what it must not: a key of others was deleted, an answer told of one. */
uint64_t sim_pose_won(const struct sim_pose *pose);

/* A key of others, as a thief sees it go by. */
struct sim_prey {
    struct qkd_id id;
    struct qkd_eid source, target;
    uint64_t session_id;
};

/* It gets its credential and opens a channel; number: of the attacker, + 1. */
void sim_pose_begin(struct sim_world *world, struct sim_pose *pose, uint32_t number);
void sim_pose_receive(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                      const struct sim_packet *packet, struct sim_knowledge *knowledge);

/* Asks for a key of others by its ID, or for its deletion, if its channel is up. */
void sim_pose_steal(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                    const struct sim_prey *prey);

/* ---- attack_store.c ---- */

/* Looks at an image of stores; how many values it has. */
uint64_t sim_store_image(struct sim_world *world, const struct scn_attack *plan,
                         struct qkd_rng *rng, struct sim_knowledge *knowledge);

/* Flips bits in the store of a node that is down. */
struct sim_rot {
    uint64_t flipped, taken; /* values; of them those that the store gives out all the same */
};
void sim_store_rot(struct sim_world *world, const struct scn_attack *plan, uint32_t node,
                   struct qkd_rng *rng, struct sim_rot *rot);

/* Of a node that is down: its store is gone; it comes back. */
void sim_store_destroy(struct sim_world *world, const struct scn_attack *plan, uint32_t node);
void sim_store_return(struct sim_world *world, uint32_t node);

#endif
