/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the controller searches for a route, by routing and size of the network: random graphs with
 * twice as many links as KMs, random pools, rates, loads and delays, random pairs. Prints one line per
 * routing and size, beside the time of a plain breadth-first search from the source over all links in
 * the same run. Fails if a routing takes more than 20 us at 50 KMs or 1 ms at 1,000. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/rng.h"
#include "core/controller/route.h"

enum { REQUESTS = 400, ROUNDS = 3 };

static const struct qkd_time now = {INT64_C(1000000000)};

static void status_give(struct ctl_topology *t, uint32_t node, uint32_t peer, uint32_t link,
                        struct qkd_rng *rng)
{
    struct wire_link_status status = {.link = link,
                                      .peer = qkd_eid_make(QKD_ROLE_KMA, 0, peer + 1),
                                      .up = 1,
                                      .own_bits = 100000 + qkd_rng_below(rng, 64000000),
                                      .consumption_bps = qkd_rng_below(rng, 100000),
                                      .has_delay_ns = true,
                                      .delay_ns = 5000 * (1 + (uint32_t)qkd_rng_below(rng, 80))};
    if (ctl_topology_status(t, node, &status, now) != 0) {
        fprintf(stderr, "status refused\n");
        exit(EXIT_FAILURE);
    }
    ctl_topology_rate(t, node + 1, link, 1000 + qkd_rng_below(rng, 300000));
}

/* A ring, so that it is connected, and as many random chords. */
static void build(struct ctl_topology *t, uint32_t nodes, struct qkd_rng *rng)
{
    for (uint32_t i = 0; i < nodes; i++) {
        (void)ctl_topology_node(t, i + 1);
    }
    for (uint32_t link = 0; link < 2 * nodes; link++) {
        uint32_t a = link % nodes;
        uint32_t b = link < nodes ? (a + 1) % nodes
                                  : (a + 1 + (uint32_t)qkd_rng_below(rng, nodes - 1)) % nodes;
        status_give(t, a, b, link, rng);
        status_give(t, b, a, link, rng);
    }
}

/* The yardstick: every node that can be reached, over every link, with nothing asked of it. */
static bool plain_search(const struct ctl_topology *t, struct ctl_search *s,
                         const struct ctl_query *q, struct ctl_path *path)
{
    ctl_search_begin(s);
    s->mark[q->source] = s->epoch;
    s->level[q->source] = 0;
    s->heap[s->heap_count++] = q->source;
    for (uint32_t at = 0; at < s->heap_count; at++) {
        uint32_t node = s->heap[at];
        for (uint32_t h = t->nodes[node].first; h != CTL_NONE; h = t->halves[h].next) {
            uint32_t to = t->halves[h].to;
            if (s->mark[to] != s->epoch) {
                s->mark[to] = s->epoch;
                s->level[to] = s->level[node] + 1;
                s->heap[s->heap_count++] = to;
            }
        }
    }
    path->hops = s->level[q->destination];
    return true;
}

/* Microseconds per request, the best of some rounds. */
static double measure(const struct ctl_topology *t, struct ctl_search *s, ctl_routing_fn *routing,
                      double *hops)
{
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct qkd_rng rng;
        struct timespec begin, end;
        uint64_t sum = 0;
        qkd_rng_init_named(&rng, 1, "pairs", t->node_count);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int i = 0; i < REQUESTS; i++) {
            uint32_t source = (uint32_t)qkd_rng_below(&rng, t->node_count);
            uint32_t step = 1 + (uint32_t)qkd_rng_below(&rng, t->node_count - 1);
            struct ctl_query query = {.source = source,
                                      .destination = (source + step) % t->node_count,
                                      .relay_bits = 5000,
                                      .direct_bits = 1000,
                                      .paths = 3,
                                      .now = now};
            struct ctl_path path;
            sum += routing(t, s, &query, &path) ? path.hops : 0;
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        double us = (1e6 * (double)(end.tv_sec - begin.tv_sec) +
                     1e-3 * (double)(end.tv_nsec - begin.tv_nsec)) /
                    REQUESTS;
        best = round == 0 || us < best ? us : best;
        *hops = (double)sum / REQUESTS;
        qkd_rng_fini(&rng);
    }
    return best;
}

int main(void)
{
    static const uint32_t sizes[] = {10, 50, 1000, 10000};
    static const struct {
        const char *name;
        ctl_routing_fn *routing;
    } kinds[] = {{"fewest-hops", ctl_route_fewest_hops},   {"widest", ctl_route_widest},
                 {"lowest-delay", ctl_route_lowest_delay}, {"refill-time", ctl_route_refill_time},
                 {"least-loaded", ctl_route_least_loaded}, {"k-shortest", ctl_route_k_shortest},
                 {"disjoint", ctl_route_disjoint}};
    int result = EXIT_SUCCESS;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct qkd_rng rng;
        struct ctl_topology topology;
        struct ctl_search search;
        double hops;
        qkd_rng_init_named(&rng, 1, "routes", sizes[i]);
        ctl_topology_init(&topology, sizes[i], 2 * sizes[i], qkd_span_s(3));
        ctl_search_init(&search);
        if (ctl_search_fit(&search, sizes[i]) != 0) {
            return EXIT_FAILURE;
        }
        build(&topology, sizes[i], &rng);
        double plain_us = measure(&topology, &search, plain_search, &hops);
        printf("%6" PRIu32 " KMs %6" PRIu32 " links  plain breadth-first %9.2f us\n", sizes[i],
               topology.link_count, plain_us);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            double us = measure(&topology, &search, kinds[k].routing, &hops);
            bool is_late = (sizes[i] == 50 && us > 20) || (sizes[i] == 1000 && us > 1000);
            printf("                          %-12s %13.2f us, %5.1f x, %.1f hops%s\n",
                   kinds[k].name, us, us / plain_us, hops, is_late ? "  TOO SLOW" : "");
            result = is_late ? EXIT_FAILURE : result;
        }
        ctl_search_fini(&search);
        ctl_topology_fini(&topology);
        qkd_rng_fini(&rng);
    }
    return result;
}
