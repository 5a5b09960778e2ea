/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who comes in at a listening socket, and when. What follows at once, a TLS handshake, costs a hundred times
 * more than the connection that asks for it, and a daemon has other duties in the same thread: so only so
 * many are let in per second (more at once after a quiet time), a few in one turn of the loop.
 * The others wait, and hosts take turns: one that knocks often waits for itself, not others for it. When the
 * queue is full, the last in it goes, and so does who has waited too long.
 *
 *     knock ─ accept(2) ─▶ queue, by turns of hosts ─ a token ─▶ enter()
 *                            └─ too many, too long: closed, counted
 *
 * Turns are virtual time (start-time fair queueing): a connection's turn is one after the last of its host
 * that waits, else one after the turn that was let in last; the lowest goes first. A host is an IPv4 address
 * or a /64 network of IPv6. */
#ifndef EMU_DOOR_H
#define EMU_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <uv.h>

struct emu_door;

struct emu_door_config {
    uv_loop_t *loop;
    int fd;            /* listens, does not block; the door's from now on */
    unsigned per_s;    /* to be let in; 0: all at once */
    unsigned burst;    /* at once after a quiet time; 0: per_s */
    unsigned queue;    /* places for those who wait */
    unsigned wait_ms;  /* the longest wait */
    unsigned per_turn; /* of the loop; 0: 4 */
    /* Takes the connection over; it is non-blocking and close-on-exec. */
    void (*enter)(void *ctx, int fd, const struct sockaddr *from, socklen_t len);
    void *ctx;
};

/* QKD_ERR_NOMEM, QKD_ERR_IO; the socket stays the caller's then. */
int emu_door_open(const struct emu_door_config *config, struct emu_door **door);

/* Closes the socket and those who wait. The loop must run on until its handles are closed. */
void emu_door_close(struct emu_door *door); /* NULL is allowed */

uint64_t emu_door_entered(const struct emu_door *door);
uint64_t emu_door_turned_away(const struct emu_door *door);
unsigned emu_door_waiting(const struct emu_door *door);

/* Whether two addresses are of one host, as above. */
bool emu_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
