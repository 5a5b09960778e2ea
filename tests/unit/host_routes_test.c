/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host/routes.c against the algorithm of Floyd and Warshall: latencies of all pairs of random
 * networks with ends, islands and parallel links; that a route is a chain of links; that it does
 * not depend on what was asked before; that a star of thousands is not searched. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "host/routes.h"

enum { NODES = 24, LINKS = 30, STAR = 20000 };

#define FAR (INT64_MAX / 4)

static void links_draw(uint64_t seed, struct host_cable links[LINKS])
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, seed, "routes test", 0);
    for (uint32_t i = 0; i < LINKS; i++) {
        uint32_t a = (uint32_t)qkd_rng_below(&rng, NODES);
        uint32_t b = (uint32_t)qkd_rng_below(&rng, NODES - 1);
        b += b >= a ? 1 : 0;
        links[i] = (struct host_cable){a, b, (int64_t)qkd_rng_below(&rng, 6) * 1000, 1000000};
    }
    qkd_rng_fini(&rng);
}

static void floyd_warshall(const struct host_cable *links, int64_t dist[NODES][NODES])
{
    for (uint32_t i = 0; i < NODES; i++) {
        for (uint32_t j = 0; j < NODES; j++) {
            dist[i][j] = i == j ? 0 : FAR;
        }
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        int64_t *at = &dist[links[i].a][links[i].b];
        *at = links[i].latency_ns < *at ? links[i].latency_ns : *at;
        dist[links[i].b][links[i].a] = *at;
    }
    for (uint32_t k = 0; k < NODES; k++) {
        for (uint32_t i = 0; i < NODES; i++) {
            for (uint32_t j = 0; j < NODES; j++) {
                int64_t by = dist[i][k] + dist[k][j];
                dist[i][j] = by < dist[i][j] ? by : dist[i][j];
            }
        }
    }
}

/* Latency of a route that must lead from root to leaf. */
static int64_t walk(const struct host_cable *links, const struct host_route_query *query,
                    const uint32_t *route, uint32_t count)
{
    uint32_t node = query->root;
    int64_t sum_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct host_cable *link = &links[route[i]];
        ck_assert(link->a == node || link->b == node);
        node = link->a == node ? link->b : link->a;
        sum_ns += link->latency_ns;
    }
    ck_assert_uint_eq(node, query->leaf);
    return sum_ns;
}

START_TEST(latencies_of_all_pairs)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct host_cable links[LINKS];
        static int64_t dist[NODES][NODES];
        links_draw(seed, links);
        floyd_warshall(links, dist);
        struct host_routes *routes = host_routes_new(NODES, links, LINKS);
        struct host_routes *other = host_routes_new(NODES, links, LINKS);
        ck_assert(routes != NULL && other != NULL);
        for (uint32_t i = 0; i < NODES * NODES; i++) {
            struct host_route_query query = {
                .root = i / NODES, .leaf = i % NODES, .keep = seed % 2 == 0, .shortest = true};
            uint32_t route[NODES];
            uint32_t again[NODES];
            uint32_t count = 0;
            uint32_t count_again = 0;
            int rc = host_routes_find(routes, &query, route, &count);
            if (query.root == query.leaf || dist[query.root][query.leaf] == FAR) {
                ck_assert_int_eq(rc, QKD_ERR_UNKNOWN);
                continue;
            }
            ck_assert_int_eq(rc, 0);
            ck_assert_int_eq(walk(links, &query, route, count), dist[query.root][query.leaf]);
            /* The same from a table that was asked nothing else, with or without keeping. */
            query.keep = !query.keep;
            ck_assert_int_eq(host_routes_find(other, &query, again, &count_again), 0);
            ck_assert_uint_eq(count, count_again);
            ck_assert_mem_eq(route, again, count * sizeof *route);
        }
        host_routes_free(routes);
        host_routes_free(other);
    }
}
END_TEST

/* A slow link between neighbours: taken unless the route of least latency is asked for. */
START_TEST(neighbours)
{
    static const struct host_cable links[] = {
        {0, 1, 10000, 1}, {0, 2, 2000, 1}, {2, 1, 2000, 1}, {0, 1, 9000, 1}};
    struct host_routes *routes = host_routes_new(3, links, 4);
    uint32_t route[3];
    uint32_t count = 0;
    struct host_route_query query = {.root = 0, .leaf = 1};
    ck_assert_int_eq(host_routes_find(routes, &query, route, &count), 0);
    ck_assert(count == 1 && route[0] == 3); /* the faster of two */
    query.shortest = true;
    ck_assert_int_eq(host_routes_find(routes, &query, route, &count), 0);
    ck_assert(count == 2 && route[0] == 1 && route[1] == 2);
    host_routes_free(routes);
}
END_TEST

/* 20,000 hosts at one switch: a search around it for each pair would take minutes. */
START_TEST(star_is_not_searched)
{
    struct host_cable *links = calloc(STAR, sizeof *links);
    ck_assert_ptr_nonnull(links);
    for (uint32_t i = 0; i < STAR; i++) {
        links[i] = (struct host_cable){i, STAR, 2000000, 1};
    }
    struct host_routes *routes = host_routes_new(STAR + 1, links, STAR);
    uint32_t route[4];
    uint32_t count = 0;
    clock_t begin = clock();
    for (uint32_t i = 0; i + 1 < STAR; i++) {
        struct host_route_query query = {.root = i, .leaf = i + 1, .shortest = true};
        ck_assert_int_eq(host_routes_find(routes, &query, route, &count), 0);
        ck_assert(count == 2 && route[0] == i && route[1] == i + 1);
    }
    ck_assert_double_lt((double)(clock() - begin) / CLOCKS_PER_SEC, 2);
    host_routes_free(routes);
    free(links);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_routes");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, latencies_of_all_pairs);
    tcase_add_test(tcase, neighbours);
    tcase_add_test(tcase, star_is_not_searched);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
