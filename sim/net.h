/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The classical network as both engines see it: one channel per ordered pair of nodes and plane,
 * made at its first frame. A channel follows a static route of least latency over the classical
 * links (neighbours: their direct link, where these are beside the QKD links), is as wide as its narrowest link, and may lose, duplicate
 * and hold back frames by chance. Which channels a fault blocks is decided here too, so that
 * engines differ only in how they move bytes and time. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "host/routes.h"

#define SIM_NET_NONE UINT32_MAX
#define SIM_NET_HUBS 3 /* controller, manager, standby controller */

enum sim_plane {
    SIM_PLANE_DATA,       /* beside the QKD links */
    SIM_PLANE_MANAGEMENT, /* a network of its own: one hop between any two nodes */
    SIM_PLANE_COUNT
};

struct sim_net_config {
    uint32_t node_count;
    uint32_t switch_count; /* further ends of links, that only forward: node_count ... */
    bool shortest;         /* neighbours too take the route of least latency, not their own link */
    const struct host_cable *links; /* index = link number; borrowed by sim_net_new() only */
    uint32_t link_count;
    uint64_t queue_bytes; /* what a directed channel holds before it drops */
    int64_t management_latency_ns;
    uint64_t management_bandwidth_bps;
    double loss, duplicate, reorder; /* probabilities per frame */
    int64_t reorder_jitter_ns;       /* extra delay of a reordered frame, uniform up to this */
    uint64_t seed;                   /* of losses */
    uint32_t hubs[SIM_NET_HUBS];     /* nodes that talk with everybody: their route trees are
                                    kept; or NONE */
};

/* One direction between two nodes on one plane. */
struct sim_channel {
    uint32_t from, to;
    enum sim_plane plane;
    bool routed;            /* false: no path; every frame is dropped */
    int64_t latency_ns;     /* sum over the route */
    uint64_t bandwidth_bps; /* least on the route */
    int64_t free_ns;        /* fast engine: when the last frame accepted has left */
    int64_t queue_ns;       /* time to send queue_bytes */
    uint64_t held_bytes;    /* simgrid engine: accepted and not yet arrived */
    uint64_t held_limit;    /* simgrid engine: queue and what the route itself holds */
    uint32_t *route;        /* link numbers from `from` to `to`; NULL on the management plane */
    uint32_t route_len;
    uint32_t tag;        /* for the engine; SIM_NET_NONE at first */
    bool in_platform;    /* simgrid engine: SimGrid knows its route */
    struct qkd_rng *rng; /* NULL until chance is needed */
    struct qkd_rng *bad; /* the same of impairments */
};

struct sim_net;

/* 0, QKD_ERR_NOMEM, QKD_ERR_INVALID (a link names no node). */
int sim_net_new(const struct sim_net_config *config, struct sim_net **net);
void sim_net_free(struct sim_net *net);

/* Whether a node is one of the hubs. */
bool sim_net_is_hub(const struct sim_net_config *config, uint32_t node);

const struct sim_net_config *sim_net_config(const struct sim_net *net); /* links is NULL in it */

/* The channel, made if need be; NULL without memory. Stays where it is. */
struct sim_channel *sim_net_channel(struct sim_net *net, uint32_t from, uint32_t to,
                                    enum sim_plane plane);

/* A channel made before, by its number. */
struct sim_channel *sim_net_channel_at(struct sim_net *net, uint32_t number);

/* Link number `link` as given in the config. */
const struct host_cable *sim_net_link_at(const struct sim_net *net, uint32_t link);

/* A classical link or a whole node stops (up false) and works again. Frames that depart or arrive
 * while a link of their route or one of their end nodes is down are dropped. Calls nest. */
void sim_net_link_set(struct sim_net *net, uint32_t link, bool up);
void sim_net_node_set(struct sim_net *net, uint32_t node, bool up);
bool sim_net_open(const struct sim_net *net, const struct sim_channel *channel);

/* What a classical link does to every frame while a fault lasts. */
struct sim_impairment {
    int64_t delay_ns;        /* more than before */
    double loss, corruption; /* probabilities */
};

/* An impairment of a link begins, or one that began with these values ends; several add up. 0 or
 * QKD_ERR_NOMEM. */
int sim_net_impair(struct sim_net *net, uint32_t link, const struct sim_impairment *how,
                   bool begin);
bool sim_net_impaired(const struct sim_net *net); /* any link is */

/* On the management plane a node reaches only those cut off under the same number, until that ends.
 * Calls with other numbers cut further. 0 or QKD_ERR_NOMEM. */
int sim_net_cut(struct sim_net *net, uint32_t number, uint32_t node, bool begin);

/* Takes a frame into the channel as the fast engine does: it leaves when what was taken before has
 * left, at the channel's bandwidth, and arrives one latency later. When it arrives, or -1: the queue
 * is full. A frame that has not to wait is taken whatever its length: else no try would bring it over. */
int64_t sim_net_schedule(struct sim_channel *channel, int64_t now_ns, uint32_t wire_len);

/* What chance does to one frame. */
struct sim_fate {
    uint32_t copies;     /* 0 lost, 1, 2 duplicated */
    int64_t extra_ns[2]; /* further delay of each copy */
    bool damaged;        /* a bit is flipped ... */
    uint64_t bit;        /* ... this one, modulo the frame's length */
};
void sim_net_calm(struct sim_net *net); /* from now on nothing */
struct sim_fate sim_net_fate(struct sim_net *net, struct sim_channel *channel);

#endif
