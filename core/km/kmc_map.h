/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode: distributed (D23-KR-09): what a KM knows of the network by itself, and the routes that it finds in
 * it (docs/protocol.md, "Distributed"). Each KM floods the state of its own links to all others, from
 * neighbour to neighbour over Kx-1: its KMA carries it, its KMC keeps and judges it.
 *
 *   KMI  STATUS_RSP of the KMA ──▶ own state, next number ──▶ LINK_STATE to the KMA, for all neighbours
 *   KMI  LINK_STATE of another ──▶ newer? kept, map ────────▶ LINK_STATE to the KMA, for all others
 *   a link comes up            ──▶ all that is kept ────────▶ LINK_STATE to the KMA, for that neighbour
 *
 * Routes are computed by the same code as the controller's. Private to kmc. */
#ifndef QKD_KM_KMC_MAP_H
#define QKD_KM_KMC_MAP_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/channel/channel.h"
#include "core/controller/reach.h"
#include "core/controller/route.h"
#include "core/wire/codec.h"

struct km_config;
struct kmc;

/* What a KM said of itself, as it came. */
struct kmc_said {
    struct qkd_eid origin; /* KMC */
    uint64_t seq;
    struct qkd_time said; /* by our clock */
    uint8_t *bytes;       /* records of links, modules, networks, KSA */
    uint32_t links_len, modules_len, networks_len, ksa_len;
    bool has_networks;
};

struct kmc_map {
    bool is_on;
    struct ctl_topology topology;
    struct ctl_search search;
    struct ctl_reach reach;
    struct qkd_slab said;     /* struct kmc_said */
    struct qkd_map by_origin; /* eid -> slot */
    uint64_t next_seq;
    struct qkd_time told_at; /* own state; QKD_NEVER: not yet */
};

/* Whether the mode is on is in the configuration. */
void kmc_map_init(struct kmc *kmc, const uint8_t *salt);
void kmc_map_fini(struct kmc *kmc);
void kmc_map_start(struct kmc *kmc, const struct qkd_event *event);

/* The KMA said how its links are: told to all, if it is news or due. */
void kmc_map_own(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);

/* LINK_STATE at KMI. */
void kmc_map_receive(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                     struct qkd_out *out);

/* Whether there is a map, and no controller to be asked: its routes would win. */
bool kmc_map_decides(const struct kmc *kmc);

/* The answer to ROUTE from the map; `route` and `others` of it lie in room[] of CTL_PATH_MAX * 8
 * bytes. */
void kmc_map_route(struct kmc *kmc, const struct qkd_event *event, const struct wire_route *route,
                   uint8_t *room, struct wire_route_rsp *rsp);

#endif
