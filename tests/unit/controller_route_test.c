/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routings of the controller on random graphs against two oracles of this file: all simple paths of a
 * small graph, judged one by one (every tie-break of docs/protocol.md, "Control"); and, on larger
 * graphs, matrices: Floyd and Warshall's recursion for the widest bottleneck, walks of exactly k hops
 * for the widest of the shortest. Seeds are fixed; a failing one is printed. */
#include <check.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "core/controller/route.h"

enum { NODES_MAX = 48, LINKS_MAX = 256 };

static const struct qkd_time now = {INT64_C(1000000000)};

/* The graph as the oracles see it; the one under test is built from it by status records. */
struct graph {
    uint32_t nodes, links;
    uint32_t end[LINKS_MAX][2];
    uint64_t bits[LINKS_MAX][2]; /* of end[0], of end[1] */
    uint32_t number[NODES_MAX];  /* node numbers, not in slot order */
};

static struct graph g;
static struct ctl_topology topology;
static struct ctl_search search;
static struct ctl_query query;

static void build(void)
{
    ctl_topology_init(&topology, NODES_MAX, LINKS_MAX, qkd_span_s(3));
    ctl_search_init(&search);
    for (uint32_t i = 0; i < g.nodes; i++) {
        ck_assert_uint_eq(ctl_topology_node(&topology, g.number[i]), i);
    }
    ck_assert_int_eq(ctl_search_fit(&search, g.nodes), 0);
    for (uint32_t l = 0; l < g.links; l++) {
        for (uint32_t side = 0; side < 2; side++) {
            struct wire_link_status status = {.link = l,
                                              .peer = qkd_eid_make(QKD_ROLE_KMA, 0,
                                                                   g.number[g.end[l][1 - side]]),
                                              .up = 1,
                                              .own_bits = g.bits[l][side]};
            ck_assert_int_eq(ctl_topology_status(&topology, g.end[l][side], &status, now), 0);
        }
    }
}

static void demolish(void)
{
    ctl_search_fini(&search);
    ctl_topology_fini(&topology);
}

/* Few different widths, so that ties are common; node numbers shuffled against slots. */
static void graph_random(uint64_t seed, uint32_t nodes, uint32_t links, uint64_t widths)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, seed, "graph", nodes);
    g = (struct graph){.nodes = nodes, .links = links};
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t at = (uint32_t)qkd_rng_below(&rng, i + 1);
        g.number[i] = g.number[at];
        g.number[at] = i + 1;
    }
    for (uint32_t l = 0; l < links; l++) {
        g.end[l][0] = (uint32_t)qkd_rng_below(&rng, nodes);
        g.end[l][1] = (g.end[l][0] + 1 + (uint32_t)qkd_rng_below(&rng, nodes - 1)) % nodes;
        g.bits[l][0] = 100 * qkd_rng_below(&rng, widths);
        g.bits[l][1] = 100 * qkd_rng_below(&rng, widths);
    }
    uint32_t source = (uint32_t)qkd_rng_below(&rng, nodes);
    query = (struct ctl_query){.source = source,
                               .destination =
                                   (source + 1 + (uint32_t)qkd_rng_below(&rng, nodes - 1)) % nodes,
                               .relay_bits = 200,
                               .direct_bits = 100,
                               .now = now};
    if (qkd_rng_below(&rng, 2) == 0) { /* a hop that has just failed */
        uint32_t l = (uint32_t)qkd_rng_below(&rng, links);
        uint32_t side = (uint32_t)qkd_rng_below(&rng, 2);
        query.failed_from = g.end[l][side];
        query.failed_to = g.end[l][1 - side];
    }
    qkd_rng_fini(&rng);
}

/* Widest of the parallel links from a to b that can pay, 0: none. */
static uint64_t hop_bits(uint32_t a, uint32_t b)
{
    uint64_t need = a == query.source && b == query.destination ? query.direct_bits
                                                                : query.relay_bits;
    uint64_t best = 0;
    if (a == query.failed_from && b == query.failed_to) {
        return 0;
    }
    for (uint32_t l = 0; l < g.links; l++) {
        for (uint32_t side = 0; side < 2; side++) {
            uint64_t bits = g.bits[l][side];
            if (g.end[l][side] == a && g.end[l][1 - side] == b && bits >= need && bits > best) {
                best = bits;
            }
        }
    }
    return best;
}

/* ---- oracle one: all simple paths ---- */

struct found {
    uint32_t nodes[NODES_MAX];
    uint32_t hops; /* 0: none */
    uint64_t width;
};

/* Whether a is better than b under the rule; `is_widest` puts the width before the hops. */
static bool is_better(const struct found *a, const struct found *b, bool is_widest)
{
    if (b->hops == 0) {
        return true;
    }
    if (is_widest && a->width != b->width) {
        return a->width > b->width;
    }
    if (a->hops != b->hops) {
        return a->hops < b->hops;
    }
    if (a->width != b->width) {
        return a->width > b->width;
    }
    for (uint32_t i = 0; i <= a->hops; i++) {
        if (a->nodes[i] != b->nodes[i]) {
            return g.number[a->nodes[i]] < g.number[b->nodes[i]];
        }
    }
    return false;
}

/* Visits all permutations of intermediate nodes by counting; at most 7 nodes. */
static struct found all_paths(bool is_widest)
{
    struct found best = {.hops = 0};
    struct found path = {.nodes = {query.source}};
    uint32_t next[NODES_MAX] = {0}; /* candidate to try at each depth */
    uint32_t depth = 0;
    for (;;) {
        if (next[depth] == g.nodes || path.nodes[depth] == query.destination) {
            if (path.nodes[depth] == query.destination) {
                path.hops = depth;
                path.width = UINT64_MAX;
                for (uint32_t i = 0; i < depth; i++) {
                    uint64_t bits = hop_bits(path.nodes[i], path.nodes[i + 1]);
                    path.width = bits < path.width ? bits : path.width;
                }
                if (is_better(&path, &best, is_widest)) {
                    best = path;
                }
            }
            if (depth == 0) {
                return best;
            }
            depth--;
            continue;
        }
        uint32_t node = next[depth]++;
        bool is_new = true;
        for (uint32_t i = 0; i <= depth; i++) {
            is_new = is_new && path.nodes[i] != node;
        }
        if (is_new && hop_bits(path.nodes[depth], node) > 0) {
            path.nodes[++depth] = node;
            next[depth] = 0;
        }
    }
}

START_TEST(every_tie_break)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint32_t nodes = 2 + (uint32_t)(seed % 6);
        graph_random(seed, nodes, 1 + (uint32_t)(seed * 7 % (3 * nodes)), 2 + seed % 5);
        build();
        for (int i = 0; i < 2; i++) {
            bool is_widest = i == 1;
            struct found want = all_paths(is_widest);
            struct ctl_path got;
            bool is_there = ctl_route(&topology, &search,
                                      is_widest ? ctl_route_widest : ctl_route_fewest_hops, &query,
                                      &got);
            ck_assert_msg(is_there == (want.hops > 0), "seed %lu", (unsigned long)seed);
            if (!is_there) {
                continue;
            }
            ck_assert_msg(got.hops == want.hops, "seed %lu", (unsigned long)seed);
            for (uint32_t n = 0; n <= want.hops; n++) {
                ck_assert_msg(got.nodes[n] == want.nodes[n], "seed %lu", (unsigned long)seed);
            }
            for (uint32_t n = 0; n < got.hops; n++) {
                /* the widest of parallel links */
                ck_assert_uint_eq(ctl_half_available(&topology, got.halves[n], now),
                                  hop_bits(got.nodes[n], got.nodes[n + 1]));
                ck_assert_uint_eq(topology.halves[got.halves[n]].to, got.nodes[n + 1]);
            }
        }
        demolish();
    }
}
END_TEST

/* ---- oracle two: matrices ---- */

static uint64_t min2(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max2(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Floyd and Warshall with (max, min): the widest bottleneck from source to destination. */
static uint64_t widest_by_matrix(void)
{
    static uint64_t w[NODES_MAX][NODES_MAX];
    for (uint32_t i = 0; i < g.nodes; i++) {
        for (uint32_t j = 0; j < g.nodes; j++) {
            w[i][j] = i == j ? UINT64_MAX : hop_bits(i, j);
        }
    }
    for (uint32_t k = 0; k < g.nodes; k++) {
        for (uint32_t i = 0; i < g.nodes; i++) {
            for (uint32_t j = 0; j < g.nodes; j++) {
                w[i][j] = max2(w[i][j], min2(w[i][k], w[k][j]));
            }
        }
    }
    return w[query.source][query.destination];
}

/* Fewest hops over hops of at least `least` bits, and the widest of these routes: walks of exactly
 * k hops; a shortest walk is a path. */
static uint32_t shortest_by_walks(uint64_t least, uint64_t *width)
{
    static uint64_t at[2][NODES_MAX];
    for (uint32_t i = 0; i < g.nodes; i++) {
        at[0][i] = i == query.source ? UINT64_MAX : 0;
    }
    for (uint32_t k = 1; k < g.nodes; k++) {
        uint64_t *from = at[(k - 1) % 2];
        uint64_t *to = at[k % 2];
        for (uint32_t j = 0; j < g.nodes; j++) {
            to[j] = 0;
            for (uint32_t i = 0; i < g.nodes; i++) {
                uint64_t bits = i == j ? 0 : hop_bits(i, j);
                to[j] = bits >= least ? max2(to[j], min2(from[i], bits)) : to[j];
            }
        }
        if (to[query.destination] > 0) {
            *width = to[query.destination];
            return k;
        }
    }
    *width = 0;
    return 0;
}

static uint64_t path_width(const struct ctl_path *path)
{
    uint64_t width = UINT64_MAX;
    for (uint32_t i = 0; i < path->hops; i++) {
        width = min2(width, hop_bits(path->nodes[i], path->nodes[i + 1]));
    }
    return width;
}

START_TEST(larger_graphs)
{
    unsigned routed = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint32_t nodes = 20 + (uint32_t)(seed % 29);
        graph_random(seed, nodes, nodes + (uint32_t)(seed * 13 % nodes), 40);
        build();
        struct ctl_path path;
        uint64_t width;
        uint32_t hops = shortest_by_walks(1, &width);
        bool is_there = ctl_route(&topology, &search, ctl_route_fewest_hops, &query, &path);
        ck_assert_msg(is_there == (hops > 0), "seed %lu", (unsigned long)seed);
        if (is_there) {
            ck_assert_msg(path.hops == hops, "seed %lu", (unsigned long)seed);
            ck_assert_msg(path_width(&path) == width, "seed %lu", (unsigned long)seed);
            routed++;
        }
        uint64_t widest = widest_by_matrix();
        is_there = ctl_route(&topology, &search, ctl_route_widest, &query, &path);
        ck_assert_msg(is_there == (widest > 0), "seed %lu", (unsigned long)seed);
        if (is_there) {
            ck_assert_msg(path_width(&path) == widest, "seed %lu", (unsigned long)seed);
            ck_assert_msg(path.hops == shortest_by_walks(widest, &width), "seed %lu",
                          (unsigned long)seed);
        }
        demolish();
    }
    ck_assert_uint_gt(routed, 20); /* the graphs are not all torn apart */
}
END_TEST

/* A line of `hops` hops: 64 is the most a frame may take. */
START_TEST(routes_end_at_the_hop_limit)
{
    for (uint32_t hops = CTL_HOPS_MAX; hops <= CTL_HOPS_MAX + 1; hops++) {
        ctl_topology_init(&topology, hops + 1, hops, qkd_span_s(3));
        ctl_search_init(&search);
        for (uint32_t i = 0; i <= hops; i++) {
            ck_assert_uint_eq(ctl_topology_node(&topology, 100 + i), i);
        }
        ck_assert_int_eq(ctl_search_fit(&search, hops + 1), 0);
        for (uint32_t i = 0; i <= hops; i++) {
            for (uint32_t side = 0; side < 2; side++) {
                if ((side == 0 && i == 0) || (side == 1 && i == hops)) {
                    continue;
                }
                struct wire_link_status status = {
                    .link = side == 0 ? i - 1 : i,
                    .peer = qkd_eid_make(QKD_ROLE_KMA, 0, 100 + (side == 0 ? i - 1 : i + 1)),
                    .up = 1,
                    .own_bits = 1000};
                ck_assert_int_eq(ctl_topology_status(&topology, i, &status, now), 0);
            }
        }
        query = (struct ctl_query){
            .source = 0, .destination = hops, .relay_bits = 10, .direct_bits = 10, .now = now};
        struct ctl_path path;
        bool is_short = hops == CTL_HOPS_MAX;
        ck_assert(ctl_route(&topology, &search, ctl_route_widest, &query, &path) == is_short);
        ck_assert(ctl_route(&topology, &search, ctl_route_fewest_hops, &query, &path) == is_short);
        ck_assert(ctl_route_exists(&topology, &search, &query) == is_short);
        demolish();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_route");
    TCase *tests = tcase_create("routes");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_tie_break);
    tcase_add_test(tests, larger_graphs);
    tcase_add_test(tests, routes_end_at_the_hop_limit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
