/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all routings promise, on random networks: no node twice, every hop pays, the same route however
 * the network became known. And two sets of routes against all simple paths of small networks, looked
 * at one by one: the k first by hops and node numbers; disjoint ones of the least hops together. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/route_graph.h"

static struct rg g;
static struct rg_net net;

static ctl_routing_fn *const routings[] = {ctl_route_fewest_hops,  ctl_route_widest,
                                           ctl_route_lowest_delay, ctl_route_refill_time,
                                           ctl_route_least_loaded, ctl_route_k_shortest,
                                           ctl_route_disjoint};
enum { ROUTINGS = sizeof routings / sizeof routings[0] };

static void make(uint64_t seed, uint32_t nodes_most, uint64_t order)
{
    uint32_t nodes = 2 + (uint32_t)(seed * 7 % (nodes_most - 1));
    rg_random(&g, seed, nodes, nodes / 2 + (uint32_t)(seed * 13 % (2 * nodes)));
    rg_net_init(&net, &g, order);
}

/* A route by node indices of g and link IDs. */
struct route {
    uint32_t hops, nodes[CTL_PATH_MAX], links[CTL_HOPS_MAX];
};

static struct route route_get(ctl_routing_fn *routing)
{
    struct ctl_path path;
    struct route route;
    memset(&route, 0, sizeof route);
    if (!ctl_route(&net.topology, &net.search, routing, &net.query, &path)) {
        return route;
    }
    rg_check_path(&g, &net, &path);
    route.hops = path.hops;
    for (uint32_t i = 0; i <= path.hops; i++) {
        route.nodes[i] = rg_node(&g, &net, path.nodes[i]);
    }
    for (uint32_t i = 0; i < path.hops; i++) {
        route.links[i] = net.topology.links[path.halves[i] >> 1].id;
    }
    return route;
}

START_TEST(same_route_in_any_order)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct route first[ROUTINGS];
        for (uint64_t order = 0; order < 3; order++) {
            make(seed, 60, order * seed);
            for (uint32_t i = 0; i < ROUTINGS; i++) {
                struct route route = route_get(routings[i]);
                first[i] = order == 0 ? route : first[i];
                ck_assert_msg(memcmp(&route, &first[i], sizeof route) == 0,
                              "seed %lu, order %lu, routing %u", (unsigned long)seed,
                              (unsigned long)order, (unsigned)i);
                struct route again = route_get(routings[i]);
                ck_assert(memcmp(&route, &again, sizeof route) == 0);
            }
            rg_net_fini(&net);
        }
    }
}
END_TEST

/* All routings find a route, or none does. */
START_TEST(none_is_blind)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        make(seed, 60, seed);
        bool is_there = route_get(routings[0]).hops > 0;
        for (uint32_t i = 1; i < ROUTINGS; i++) {
            ck_assert_msg((route_get(routings[i]).hops > 0) == is_there, "seed %lu, routing %u",
                          (unsigned long)seed, (unsigned)i);
        }
        rg_net_fini(&net);
    }
}
END_TEST

/* ---- all simple paths of a small network ---- */

enum { SMALL = 7, PATHS_MOST = 512 };

struct simple {
    uint32_t hops, nodes[SMALL];
};

static struct simple all[PATHS_MOST];
static uint32_t all_count;

static bool can_go(uint32_t a, uint32_t b)
{
    for (uint32_t l = 0; l < g.links; l++) {
        for (uint32_t side = 0; side < 2; side++) {
            if (g.end[l][side] == a && g.end[l][1 - side] == b && rg_pays(&g, l, side) > 0) {
                return true;
            }
        }
    }
    return false;
}

static void all_paths(void)
{
    struct simple path = {.nodes = {g.query.source}};
    uint32_t next[SMALL] = {0};
    all_count = 0;
    for (;;) {
        if (next[path.hops] == g.nodes || path.nodes[path.hops] == g.query.destination) {
            if (path.nodes[path.hops] == g.query.destination) {
                ck_assert_uint_lt(all_count, PATHS_MOST);
                all[all_count++] = path;
            }
            if (path.hops == 0) {
                return;
            }
            path.hops--;
            continue;
        }
        uint32_t node = next[path.hops]++;
        bool is_new = true;
        for (uint32_t i = 0; i <= path.hops; i++) {
            is_new = is_new && path.nodes[i] != node;
        }
        if (is_new && can_go(path.nodes[path.hops], node)) {
            path.nodes[++path.hops] = node;
            next[path.hops] = 0;
        }
    }
}

static int by_order(const void *x, const void *y)
{
    const struct simple *a = x;
    const struct simple *b = y;
    if (a->hops != b->hops) {
        return a->hops < b->hops ? -1 : 1;
    }
    for (uint32_t i = 0; i <= a->hops; i++) {
        uint32_t m = g.number[a->nodes[i]];
        uint32_t n = g.number[b->nodes[i]];
        if (m != n) {
            return m < n ? -1 : 1;
        }
    }
    return 0;
}

START_TEST(k_first_of_all)
{
    unsigned full = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        make(seed, SMALL, seed);
        all_paths();
        qsort(all, all_count, sizeof all[0], by_order);
        struct ctl_path paths[CTL_PATHS_MAX];
        uint32_t count = ctl_route_k_set(&net.topology, &net.search, &net.query, paths);
        uint32_t want = all_count < net.query.paths ? all_count : net.query.paths;
        ck_assert_msg(count == want, "seed %lu", (unsigned long)seed);
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_uint_eq(paths[i].hops, all[i].hops);
            for (uint32_t n = 0; n <= all[i].hops; n++) {
                ck_assert_msg(rg_node(&g, &net, paths[i].nodes[n]) == all[i].nodes[n],
                              "seed %lu, route %u", (unsigned long)seed, (unsigned)i);
            }
        }
        full += all_count > net.query.paths;
        rg_net_fini(&net);
    }
    ck_assert_uint_gt(full, 50);
}
END_TEST

static uint32_t inner(const struct simple *path)
{
    uint32_t set = 0;
    for (uint32_t i = 1; i < path->hops; i++) {
        set |= UINT32_C(1) << path->nodes[i];
    }
    return set;
}

/* Least hops of `count` disjoint paths together, UINT32_MAX if there are not so many: for each set of
 * nodes that paths went through, the best so far, path by path. */
static uint32_t least_together(uint32_t count)
{
    static uint32_t best[SMALL + 1][1U << SMALL];
    memset(best, 0xff, sizeof best);
    best[0][0] = 0;
    for (uint32_t i = 0; i < all_count; i++) {
        uint32_t set = inner(&all[i]);
        for (uint32_t n = count; n-- > 0;) {
            for (uint32_t used = 0; used < 1U << SMALL; used++) {
                if (best[n][used] == UINT32_MAX || (used & set) != 0) {
                    continue;
                }
                uint32_t sum = best[n][used] + all[i].hops;
                uint32_t *to = &best[n + 1][used | set];
                *to = sum < *to ? sum : *to;
            }
        }
    }
    uint32_t least = UINT32_MAX;
    for (uint32_t used = 0; used < 1U << SMALL; used++) {
        least = best[count][used] < least ? best[count][used] : least;
    }
    return least;
}

START_TEST(disjoint_of_least_hops)
{
    unsigned several = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        make(seed, SMALL, seed);
        all_paths();
        struct ctl_path paths[CTL_PATHS_MAX];
        uint32_t count = ctl_route_disjoint_set(&net.topology, &net.search, &net.query, paths);
        uint32_t hops = 0;
        for (uint32_t i = 0; i < count; i++) {
            rg_check_path(&g, &net, &paths[i]);
            hops += paths[i].hops;
        }
        ck_assert_msg(least_together(count) == hops, "seed %lu: %u routes, %u hops",
                      (unsigned long)seed, (unsigned)count, (unsigned)hops);
        ck_assert_msg(count == net.query.paths || least_together(count + 1) == UINT32_MAX,
                      "seed %lu", (unsigned long)seed);
        several += count > 1;
        rg_net_fini(&net);
    }
    ck_assert_uint_gt(several, 100);
}
END_TEST

static void link_put(uint32_t a, uint32_t b, uint64_t bits)
{
    uint32_t l = g.links++;
    g.end[l][0] = a;
    g.end[l][1] = b;
    g.bits[l][0] = g.bits[l][1] = bits;
    g.rate_bps[l] = 1000;
    g.delay_ns[l] = 1000;
}

static void by_hand(uint32_t nodes)
{
    g = (struct rg){.nodes = nodes,
                    .query = {.relay_bits = 300, .direct_bits = 200, .paths = 2, .now = {1}}};
    for (uint32_t i = 0; i < nodes; i++) {
        g.number[i] = i + 1;
    }
    g.query.destination = nodes - 1;
}

/* The trap of a greedy search (Suurballe's): the shortest route 0-1-4-7 leaves no other one; the two
 * disjoint ones give up its middle: 0-1-2-3-7 and 0-5-6-4-7. */
START_TEST(disjoint_turns_back)
{
    by_hand(8);
    link_put(0, 1, 1000);
    link_put(1, 4, 1000);
    link_put(4, 7, 1000);
    link_put(1, 2, 1000);
    link_put(2, 3, 1000);
    link_put(3, 7, 1000);
    link_put(0, 5, 1000);
    link_put(5, 6, 1000);
    link_put(6, 4, 1000);
    g.query.now = (struct qkd_time){INT64_C(1000000000)};
    rg_net_init(&net, &g, 0);
    struct ctl_path paths[CTL_PATHS_MAX];
    ck_assert_uint_eq(ctl_route_disjoint_set(&net.topology, &net.search, &net.query, paths), 2);
    static const uint32_t want[2][5] = {{0, 1, 2, 3, 7}, {0, 5, 6, 4, 7}};
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(paths[i].hops, 4);
        for (uint32_t n = 0; n <= 4; n++) {
            ck_assert_uint_eq(rg_node(&g, &net, paths[i].nodes[n]), want[i][n]);
        }
    }
    rg_net_fini(&net);
}
END_TEST

/* Promises load a link until its next status: requests of one period do not all take one way. */
START_TEST(least_loaded_counts_promises)
{
    by_hand(4);
    link_put(0, 1, 100000);
    link_put(1, 3, 100000);
    link_put(0, 2, 100000);
    link_put(2, 3, 100000);
    g.query.now = (struct qkd_time){INT64_C(1000000000)};
    rg_net_init(&net, &g, 0);
    uint32_t through[4] = {0};
    for (int i = 0; i < 10; i++) {
        struct ctl_path path;
        ck_assert(ctl_route_least_loaded(&net.topology, &net.search, &net.query, &path));
        ck_assert_uint_eq(path.hops, 2);
        through[rg_node(&g, &net, path.nodes[1])]++;
        for (uint32_t h = 0; h < path.hops; h++) {
            ctl_half_promise(&net.topology, path.halves[h], 300);
        }
    }
    ck_assert_uint_eq(through[1], 5);
    ck_assert_uint_eq(through[2], 5);
    rg_net_fini(&net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route_property");
    TCase *tests = tcase_create("routings");
    tcase_add_test(tests, same_route_in_any_order);
    tcase_add_test(tests, none_is_blind);
    tcase_add_test(tests, k_first_of_all);
    tcase_add_test(tests, disjoint_of_least_hops);
    tcase_add_test(tests, disjoint_turns_back);
    tcase_add_test(tests, least_loaded_counts_promises);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
