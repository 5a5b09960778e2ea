/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets: what travels between elements, with its transport header. They come from a pool of size
 * classes (powers of two), so that the steady state of a run allocates nothing. */
#ifndef SIM_PACKET_H
#define SIM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"
#include "sim/net.h"

#define SIM_TRANSPORT_BYTES 24 /* what the header below takes on the wire */
#define SIM_PACKET_MAX ((size_t)1 << 20)

struct sim_packet {
    struct sim_packet *next;     /* in whatever list holds it */
    struct sim_channel *channel; /* the engine's, while it is on its way */
    void *comm;                  /* simgrid engine: SimGrid's handle of it */
    int64_t extra_ns;            /* simgrid engine: chance adds this delay; < 0: chance loses it */
    uint32_t from_node, to_node;
    uint32_t len;       /* bytes */
    uint32_t wire_len;  /* bytes that the network carries */
    uint8_t size_class; /* the pool's */
    uint8_t kind;       /* the world's */
    uint8_t plane;      /* enum sim_plane */
    uint8_t rp;         /* enum qkd_rp */
    uint32_t note;      /* the recorder's handle of it; 0: none */
    uint32_t forged;    /* attacker that made it, + 1; 0: honest */
    uint32_t twin;      /* pair of a message and its repetition, from 1; 0: none */
    bool checked;       /* its transport drops it when a bit of it is wrong */
    struct qkd_eid from, to;
    uint8_t bytes[];
};

struct sim_pool;

struct sim_pool *sim_pool_new(void); /* NULL without memory */
void sim_pool_free(struct sim_pool *pool);

/* A packet for `len` bytes (header zero, len set), NULL without memory or above SIM_PACKET_MAX. */
struct sim_packet *sim_pool_take(struct sim_pool *pool, size_t len);
struct sim_packet *sim_pool_copy(struct sim_pool *pool, const struct sim_packet *packet);
void sim_pool_give(struct sim_pool *pool, struct sim_packet *packet);

/* Packets taken and not given back. */
size_t sim_pool_live(const struct sim_pool *pool);

#endif
