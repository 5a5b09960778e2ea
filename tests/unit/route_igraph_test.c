/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All routings of the controller against igraph (https://igraph.org) on 600 random networks of 2 to 60
 * KMs: distances, widest paths, k shortest paths and numbers of disjoint paths. What is compared is
 * what the routing optimises; ties are the business of route_property_test. Built only where igraph
 * is. */
#include <check.h>
#include <igraph/igraph.h>
#include <stdlib.h>

#include "tests/lib/route_graph.h"

enum { SEEDS = 600 };

static struct rg g;
static struct rg_net net;
static igraph_t graph; /* one directed edge per pair of nodes that has a link which can pay */
static igraph_vector_t weights;

/* The number of a link that counts on a routing, for the direction from end[side]. */
typedef double value_fn(uint32_t l, uint32_t side);

static double value_delay(uint32_t l, uint32_t side)
{
    (void)side;
    uint32_t delay_us = g.delay_ns[l] / 1000;
    return delay_us;
}

/* Microseconds, rounded down as the routing does it. */
static double value_refill(uint32_t l, uint32_t side)
{
    bool is_direct = g.end[l][side] == g.query.source && g.end[l][1 - side] == g.query.destination;
    uint64_t bits = is_direct ? g.query.direct_bits : g.query.relay_bits;
    uint64_t refill_us = bits * 1000000 / g.rate_bps[l];
    return (double)refill_us;
}

static double value_bits(uint32_t l, uint32_t side)
{
    return (double)rg_pays(&g, l, side);
}

/* The unused share of the rate, in millionths, above the least that counts. */
static double value_spare(uint32_t l, uint32_t side)
{
    (void)side;
    uint64_t load_ppm = (g.used_bps[l][0] + g.used_bps[l][1]) * 1000000 / g.rate_bps[l];
    return load_ppm < 100000000 ? (double)(100000000 - load_ppm) : 1;
}

static double value_one(uint32_t l, uint32_t side)
{
    (void)l;
    (void)side;
    return 1;
}

/* Of links side by side the one whose value is best. */
static void graph_make(value_fn *value, bool is_width)
{
    static double best[RG_NODES][RG_NODES];
    static bool is_there[RG_NODES][RG_NODES];
    igraph_vector_int_t edges;
    for (uint32_t i = 0; i < g.nodes; i++) {
        for (uint32_t j = 0; j < g.nodes; j++) {
            is_there[i][j] = false;
        }
    }
    for (uint32_t l = 0; l < g.links; l++) {
        for (uint32_t side = 0; side < 2; side++) {
            if (rg_pays(&g, l, side) == 0) {
                continue;
            }
            uint32_t a = g.end[l][side];
            uint32_t b = g.end[l][1 - side];
            double v = value(l, side);
            bool is_better = is_width ? v > best[a][b] : v < best[a][b];
            best[a][b] = !is_there[a][b] || is_better ? v : best[a][b];
            is_there[a][b] = true;
        }
    }
    igraph_vector_int_init(&edges, 0);
    igraph_vector_init(&weights, 0);
    for (uint32_t i = 0; i < g.nodes; i++) {
        for (uint32_t j = 0; j < g.nodes; j++) {
            if (is_there[i][j]) {
                igraph_vector_int_push_back(&edges, i);
                igraph_vector_int_push_back(&edges, j);
                igraph_vector_push_back(&weights, best[i][j]);
            }
        }
    }
    igraph_create(&graph, &edges, (igraph_integer_t)g.nodes, IGRAPH_DIRECTED);
    igraph_vector_int_destroy(&edges);
}

static void graph_drop(void)
{
    igraph_destroy(&graph);
    igraph_vector_destroy(&weights);
}

static void make(uint64_t seed)
{
    uint32_t nodes = 2 + (uint32_t)(seed * 7 % 59);
    rg_random(&g, seed, nodes, nodes / 2 + (uint32_t)(seed * 13 % (2 * nodes)));
    rg_net_init(&net, &g, seed);
}

/* Value of a route: the sum, or the least, over its hops. */
static double path_value(const struct ctl_path *path, value_fn *value, bool is_width)
{
    double total = is_width ? 1e300 : 0;
    for (uint32_t i = 0; i < path->hops; i++) {
        uint32_t l = net.topology.links[path->halves[i] >> 1].id;
        uint32_t side = g.end[l][0] == rg_node(&g, &net, path->nodes[i]) ? 0 : 1;
        double v = value(l, side);
        total = !is_width ? total + v : v < total ? v : total;
    }
    return total;
}

struct kind {
    const char *name;
    ctl_routing_fn *routing;
    value_fn *value;
    bool is_width;
};

static const struct kind kinds[] = {{"fewest-hops", ctl_route_fewest_hops, value_one, false},
                                    {"lowest-delay", ctl_route_lowest_delay, value_delay, false},
                                    {"refill-time", ctl_route_refill_time, value_refill, false},
                                    {"widest", ctl_route_widest, value_bits, true},
                                    {"least-loaded", ctl_route_least_loaded, value_spare, true}};

/* igraph's best value from source to destination; false if there is no way. */
static bool best_value(const struct kind *kind, double *value)
{
    igraph_matrix_t result;
    igraph_matrix_init(&result, 1, 1);
    igraph_vs_t from = igraph_vss_1((igraph_integer_t)g.query.source);
    igraph_vs_t to = igraph_vss_1((igraph_integer_t)g.query.destination);
    if (kind->is_width) {
        igraph_widest_path_widths_dijkstra(&graph, &result, from, to, &weights, IGRAPH_OUT);
    } else {
        igraph_distances_dijkstra(&graph, &result, from, to, &weights, IGRAPH_OUT);
    }
    *value = MATRIX(result, 0, 0);
    igraph_matrix_destroy(&result);
    return *value > -1e300 && *value < 1e300;
}

START_TEST(best_routes)
{
    const struct kind *kind = &kinds[_i];
    unsigned found = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make(seed);
        graph_make(kind->value, kind->is_width);
        double want;
        bool is_there = best_value(kind, &want);
        struct ctl_path path;
        bool has = kind->routing(&net.topology, &net.search, &net.query, &path);
        ck_assert_msg(has == is_there, "%s, seed %lu", kind->name, (unsigned long)seed);
        if (has) {
            rg_check_path(&g, &net, &path);
            double got = path_value(&path, kind->value, kind->is_width);
            ck_assert_msg(got > want - 0.5 && got < want + 0.5, "%s, seed %lu: %.0f, igraph %.0f",
                          kind->name, (unsigned long)seed, got, want);
            found++;
        }
        graph_drop();
        rg_net_fini(&net);
    }
    ck_assert_uint_gt(found, SEEDS / 3);
}
END_TEST

static bool is_same(const struct ctl_path *a, const struct ctl_path *b)
{
    bool same = a->hops == b->hops;
    for (uint32_t i = 0; same && i <= a->hops; i++) {
        same = a->nodes[i] == b->nodes[i];
    }
    return same;
}

START_TEST(k_shortest)
{
    unsigned several = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make(seed);
        graph_make(value_one, false);
        igraph_vector_int_list_t want;
        igraph_vector_int_list_init(&want, 0);
        igraph_get_k_shortest_paths(&graph, NULL, &want, NULL, (igraph_integer_t)net.query.paths,
                                    (igraph_integer_t)g.query.source,
                                    (igraph_integer_t)g.query.destination, IGRAPH_OUT);
        struct ctl_path paths[CTL_PATHS_MAX];
        uint32_t count = ctl_route_k_set(&net.topology, &net.search, &net.query, paths);
        ck_assert_msg(count == (uint32_t)igraph_vector_int_list_size(&want), "seed %lu",
                      (unsigned long)seed);
        for (uint32_t i = 0; i < count; i++) {
            rg_check_path(&g, &net, &paths[i]);
            igraph_vector_int_t *vertices = igraph_vector_int_list_get_ptr(&want,
                                                                           (igraph_integer_t)i);
            ck_assert_msg((igraph_integer_t)paths[i].hops + 1 == igraph_vector_int_size(vertices),
                          "seed %lu, route %u", (unsigned long)seed, (unsigned)i);
            for (uint32_t j = 0; j < i; j++) {
                ck_assert_msg(!is_same(&paths[i], &paths[j]), "seed %lu", (unsigned long)seed);
            }
        }
        several += count > 1;
        igraph_vector_int_list_destroy(&want);
        graph_drop();
        rg_net_fini(&net);
    }
    ck_assert_uint_gt(several, SEEDS / 4);
}
END_TEST

START_TEST(disjoint_number)
{
    unsigned several = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make(seed);
        graph_make(value_one, false);
        igraph_integer_t most = 0;
        igraph_vertex_disjoint_paths(&graph, &most, (igraph_integer_t)g.query.source,
                                     (igraph_integer_t)g.query.destination);
        uint32_t want = (uint32_t)most < net.query.paths ? (uint32_t)most : net.query.paths;
        struct ctl_path paths[CTL_PATHS_MAX];
        uint32_t count = ctl_route_disjoint_set(&net.topology, &net.search, &net.query, paths);
        ck_assert_msg(count == want, "seed %lu: %u, igraph %u", (unsigned long)seed,
                      (unsigned)count, (unsigned)want);
        bool seen[RG_NODES] = {false};
        for (uint32_t i = 0; i < count; i++) {
            rg_check_path(&g, &net, &paths[i]);
            for (uint32_t n = 1; n < paths[i].hops; n++) {
                ck_assert_msg(!seen[paths[i].nodes[n]], "seed %lu", (unsigned long)seed);
                seen[paths[i].nodes[n]] = true;
            }
        }
        several += count > 1;
        graph_drop();
        rg_net_fini(&net);
    }
    ck_assert_uint_gt(several, SEEDS / 4);
}
END_TEST

int main(void)
{
    igraph_set_warning_handler(igraph_warning_handler_ignore); /* "couldn't reach some vertices" */
    Suite *suite = suite_create("route_igraph");
    TCase *tests = tcase_create("igraph");
    tcase_add_loop_test(tests, best_routes, 0, sizeof kinds / sizeof kinds[0]);
    tcase_add_test(tests, k_shortest);
    tcase_add_test(tests, disjoint_number);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
