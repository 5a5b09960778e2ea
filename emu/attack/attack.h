/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers of the live world (docs/security.md): in the middle of TCP connections between daemons, and between
 * SAEs and key managers. They see bytes of TLS and nothing else: no file of a daemon, no secret. What they do
 * with a record of TLS, a struct scn_attack says.
 *
 *     who dials ──▶ tap ──▶ lane 0 ──▶ who is meant
 *               ◀── lane 1 ◀──
 *
 * They run in a process of their own (emu_attack_start), in one thread, without libuv: sockets and poll(2). At
 * its end it writes what each met and did to FOLDER/attackers.json; what those who listen saw is in
 * FOLDER/attackers/ID, the bytes of all their connections one after the other. */
#ifndef EMU_ATTACK_H
#define EMU_ATTACK_H

#include <sys/types.h>

#include "emu/deploy/deployment.h"
#include "scenarios/outcome.h"

#define EMU_ATTACK_REPORT "attackers.json"
#define EMU_ATTACK_FOLDER "attackers"
#define EMU_ATTACK_SEEN_MAX (UINT64_C(64) << 20) /* bytes that a listener keeps */

struct emu_attack_options {
    const struct scn_scenario *scenario;
    const struct emu_deployment *deployment;
    const char *folder; /* of the deployment; credentials for those who pose are in it */
    int64_t epoch_ns;   /* UTC of time 0; EMU_EPOCH_NONE: emu_attack_begin() says it */
};

struct emu_attack;

/* Listens wherever attackers stand. QKD_ERR_EXISTS, QKD_ERR_IO, QKD_ERR_NOMEM, QKD_ERR_INVALID (credentials). */
int emu_attack_new(const struct emu_attack_options *options, struct emu_attack **out,
                   struct emu_why *why);
void emu_attack_free(struct emu_attack *attack); /* NULL is allowed */

/* Time 0 is now. */
void emu_attack_begin(struct emu_attack *attack);

/* Does what is to be done, waiting for it so long at most. */
void emu_attack_turn(struct emu_attack *attack, unsigned ms);

/* What an attacker met and did so far; `accepted` and `read` are for emu_attack_judge(). */
const struct scn_attack_summary *emu_attack_summary(const struct emu_attack *attack, size_t number);

/* Writes FOLDER/attackers.json. QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_attack_report(const struct emu_attack *attack, struct emu_why *why);

/* ---- as a process (attack_child.c) ---- */

/* Starts it; it listens when this returns, and dies with its parent. Without attackers *pid is 0. */
int emu_attack_start(const struct emu_attack_options *options, pid_t *pid, struct emu_why *why);

/* Tells it that time 0 is now. */
void emu_attack_go(pid_t pid);

/* Ends it; its report is there then. False: it failed. pid 0: nothing. */
bool emu_attack_stop(pid_t pid);

/* ---- afterwards (attack_judge.c) ---- */

/* Reads the report of FOLDER and compares it with the flight records of all daemons: which messages lie open in
 * what was listened to, and what was received that nobody had sent. Fills summary->attacks. QKD_ERR_UNKNOWN: there
 * is no report; QKD_ERR_FORMAT, QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_attack_judge(const struct emu_attack_options *options, const char *const *flights,
                     struct scn_summary *summary, struct emu_why *why);

#endif
