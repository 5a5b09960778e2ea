/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks for tests of the controller's routings: as a plain table for an oracle, and as the
 * topology under test, built from it by statuses. A link's numbers differ by direction and are drawn
 * from few values, so that ties are common; node numbers are not in slot order. */
#ifndef QKD_TESTS_ROUTE_GRAPH_H
#define QKD_TESTS_ROUTE_GRAPH_H

#include "core/controller/route.h"

enum { RG_NODES = 64, RG_LINKS = 256 };

struct rg {
    uint32_t nodes, links;
    uint32_t number[RG_NODES];
    uint32_t end[RG_LINKS][2];
    uint64_t bits[RG_LINKS][2]; /* that end[i] can pay */
    uint32_t delay_ns[RG_LINKS];
    uint64_t rate_bps[RG_LINKS];
    uint64_t used_bps[RG_LINKS][2];
    struct ctl_query query; /* slots are the nodes' indices here; paths: 1 ... 5 */
};

/* The topology under test: slot of node i is slot[i]. */
struct rg_net {
    struct ctl_topology topology;
    struct ctl_search search;
    struct ctl_query query;
    uint32_t slot[RG_NODES];
};

void rg_random(struct rg *g, uint64_t seed, uint32_t nodes, uint32_t links);

/* order 0: nodes and links as they stand there; else shuffled by it. */
void rg_net_init(struct rg_net *net, const struct rg *g, uint64_t order);
void rg_net_fini(struct rg_net *net);

/* Bits that a hop from node a to b over link l can pay, 0 if it does not pay the query's cost or is
 * the hop that failed; side: of a. */
uint64_t rg_pays(const struct rg *g, uint32_t l, uint32_t side);

/* Fails the test unless the path of a net goes from source to destination, meets no node twice, and
 * every hop can pay. */
void rg_check_path(const struct rg *g, const struct rg_net *net, const struct ctl_path *path);

/* Index in g of the node in a slot of the net. */
uint32_t rg_node(const struct rg *g, const struct rg_net *net, uint32_t slot);

#endif
