/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks for routings: see tests/lib/route_graph.h. */
#include "tests/lib/route_graph.h"

#include <check.h>
#include <string.h>

#include "core/base/rng.h"

static const struct qkd_time now = {INT64_C(1000000000)};

static void shuffle(struct qkd_rng *rng, uint32_t *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)qkd_rng_below(rng, i + 1);
        items[i] = items[at];
        items[at] = i;
    }
}

void rg_random(struct rg *g, uint64_t seed, uint32_t nodes, uint32_t links)
{
    struct qkd_rng rng;
    ck_assert_uint_ge(nodes, 2);
    qkd_rng_init_named(&rng, seed, "route graph", nodes);
    *g = (struct rg){.nodes = nodes, .links = links};
    shuffle(&rng, g->number, nodes);
    for (uint32_t i = 0; i < nodes; i++) {
        g->number[i]++;
    }
    for (uint32_t l = 0; l < links; l++) {
        uint32_t a = (uint32_t)qkd_rng_below(&rng, nodes);
        uint32_t b = (a + 1 + (uint32_t)qkd_rng_below(&rng, nodes - 1)) % nodes;
        g->end[l][0] = a;
        g->end[l][1] = b;
        for (int side = 0; side < 2; side++) {
            bool is_empty = qkd_rng_below(&rng, 12) == 0;
            g->bits[l][side] = is_empty ? 0 : 200 + 100 * qkd_rng_below(&rng, 9);
            g->used_bps[l][side] = 50 * qkd_rng_below(&rng, 12);
        }
        g->delay_ns[l] = 5000 * (1 + (uint32_t)qkd_rng_below(&rng, 9));
        g->rate_bps[l] = 100 * (1 + qkd_rng_below(&rng, 9));
    }
    uint32_t source = (uint32_t)qkd_rng_below(&rng, nodes);
    g->query = (struct ctl_query){
        .source = source,
        .destination = (source + 1 + (uint32_t)qkd_rng_below(&rng, nodes - 1)) % nodes,
        .relay_bits = 300,
        .direct_bits = 200,
        .paths = 1 + (uint32_t)qkd_rng_below(&rng, 5),
        .now = now};
    if (links > 0 && qkd_rng_below(&rng, 2) == 0) { /* a hop that has just failed */
        uint32_t l = (uint32_t)qkd_rng_below(&rng, links);
        uint32_t side = (uint32_t)qkd_rng_below(&rng, 2);
        g->query.failed_from = g->end[l][side];
        g->query.failed_to = g->end[l][1 - side];
    }
    qkd_rng_fini(&rng);
}

static void link_tell(struct rg_net *net, const struct rg *g, uint32_t l)
{
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t own = g->end[l][side];
        uint32_t other = g->end[l][1 - side];
        struct wire_link_status status = {.link = l,
                                          .peer = qkd_eid_make(QKD_ROLE_KMA, 0, g->number[other]),
                                          .up = 1,
                                          .own_bits = g->bits[l][side],
                                          .consumption_bps = g->used_bps[l][side],
                                          .has_delay_ns = true,
                                          .delay_ns = g->delay_ns[l]};
        ck_assert_int_eq(ctl_topology_status(&net->topology, net->slot[own], &status, now), 0);
        ctl_topology_rate(&net->topology, g->number[own], l, g->rate_bps[l]);
    }
}

void rg_net_init(struct rg_net *net, const struct rg *g, uint64_t order)
{
    uint32_t nodes[RG_NODES], links[RG_LINKS];
    for (uint32_t i = 0; i < g->nodes; i++) {
        nodes[i] = i;
    }
    for (uint32_t l = 0; l < g->links; l++) {
        links[l] = l;
    }
    if (order != 0) {
        struct qkd_rng rng;
        qkd_rng_init_named(&rng, order, "order", 0);
        shuffle(&rng, nodes, g->nodes);
        shuffle(&rng, links, g->links);
        qkd_rng_fini(&rng);
    }
    memset(net, 0, sizeof *net);
    ctl_topology_init(&net->topology, RG_NODES, RG_LINKS, qkd_span_s(3));
    ctl_search_init(&net->search);
    for (uint32_t i = 0; i < g->nodes; i++) {
        net->slot[nodes[i]] = ctl_topology_node(&net->topology, g->number[nodes[i]]);
    }
    ck_assert_int_eq(ctl_search_fit(&net->search, g->nodes), 0);
    for (uint32_t l = 0; l < g->links; l++) {
        link_tell(net, g, links[l]);
    }
    net->query = g->query;
    net->query.source = net->slot[g->query.source];
    net->query.destination = net->slot[g->query.destination];
    net->query.failed_from = net->slot[g->query.failed_from];
    net->query.failed_to = net->slot[g->query.failed_to];
}

void rg_net_fini(struct rg_net *net)
{
    ctl_search_fini(&net->search);
    ctl_topology_fini(&net->topology);
}

uint64_t rg_pays(const struct rg *g, uint32_t l, uint32_t side)
{
    const struct ctl_query *q = &g->query;
    uint32_t from = g->end[l][side];
    uint32_t to = g->end[l][1 - side];
    uint64_t cost = from == q->source && to == q->destination ? q->direct_bits : q->relay_bits;
    bool has_failed = from == q->failed_from && to == q->failed_to;
    return has_failed || g->bits[l][side] < cost ? 0 : g->bits[l][side];
}

uint32_t rg_node(const struct rg *g, const struct rg_net *net, uint32_t slot)
{
    for (uint32_t i = 0; i < g->nodes; i++) {
        if (net->slot[i] == slot) {
            return i;
        }
    }
    ck_abort_msg("no node in slot %u", (unsigned)slot);
    return 0;
}

void rg_check_path(const struct rg *g, const struct rg_net *net, const struct ctl_path *path)
{
    bool seen[RG_NODES] = {false};
    ck_assert_uint_gt(path->hops, 0);
    ck_assert_uint_eq(path->nodes[0], net->query.source);
    ck_assert_uint_eq(path->nodes[path->hops], net->query.destination);
    for (uint32_t i = 0; i <= path->hops; i++) {
        uint32_t node = rg_node(g, net, path->nodes[i]);
        ck_assert_msg(!seen[node], "node %u twice", (unsigned)node);
        seen[node] = true;
    }
    for (uint32_t i = 0; i < path->hops; i++) {
        uint32_t link = net->topology.links[path->halves[i] >> 1].id;
        uint32_t from = rg_node(g, net, path->nodes[i]);
        uint32_t to = rg_node(g, net, path->nodes[i + 1]);
        uint32_t side = g->end[link][0] == from && g->end[link][1] == to ? 0 : 1;
        ck_assert_uint_eq(g->end[link][side], from);
        ck_assert_uint_eq(g->end[link][1 - side], to);
        ck_assert_msg(rg_pays(g, link, side) > 0, "hop %u cannot pay", (unsigned)i);
    }
}
