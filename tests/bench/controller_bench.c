/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the controller searches for a route, by size of the network: random graphs with twice as
 * many links as KMs, random pools, random pairs; both routings. Prints one line per size. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/rng.h"
#include "core/controller/route.h"

static const struct qkd_time now = {INT64_C(1000000000)};

static void status_give(struct ctl_topology *t, uint32_t node, uint32_t peer, uint32_t link,
                        uint64_t bits)
{
    struct wire_link_status status = {
        .link = link, .peer = qkd_eid_make(QKD_ROLE_KMA, 0, peer + 1), .up = 1, .own_bits = bits};
    if (ctl_topology_status(t, node, &status, now) != 0) {
        fprintf(stderr, "status refused\n");
        exit(EXIT_FAILURE);
    }
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
        uint64_t bits = 100000 + qkd_rng_below(rng, 64000000);
        status_give(t, a, b, link, bits);
        status_give(t, b, a, link, bits);
    }
}

static void measure(struct ctl_topology *t, struct ctl_search *s, ctl_routing_fn *routing,
                    struct qkd_rng *rng)
{
    enum { REQUESTS = 300 };
    struct timespec begin, end;
    uint64_t hops = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < REQUESTS; i++) {
        uint32_t source = (uint32_t)qkd_rng_below(rng, t->node_count);
        struct ctl_query query = {.source = source,
                                  .destination = (source + 1 +
                                                  (uint32_t)qkd_rng_below(rng, t->node_count - 1)) %
                                                 t->node_count,
                                  .relay_bits = 5000,
                                  .direct_bits = 1000,
                                  .now = now};
        struct ctl_path path;
        if (ctl_route(t, s, routing, &query, &path)) {
            hops += path.hops;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) +
                     1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    printf("  %.1f us, %.1f hops", 1e6 * seconds / REQUESTS, (double)hops / REQUESTS);
}

int main(void)
{
    static const uint32_t sizes[] = {10, 100, 1000, 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct qkd_rng rng;
        struct ctl_topology topology;
        struct ctl_search search;
        qkd_rng_init_named(&rng, 1, "routes", sizes[i]);
        ctl_topology_init(&topology, sizes[i], 2 * sizes[i], qkd_span_s(3));
        ctl_search_init(&search);
        if (ctl_search_fit(&search, sizes[i]) != 0) {
            return EXIT_FAILURE;
        }
        build(&topology, sizes[i], &rng);
        printf("%6" PRIu32 " KMs %6" PRIu32 " links: fewest hops", sizes[i], topology.link_count);
        measure(&topology, &search, ctl_route_fewest_hops, &rng);
        printf("; widest");
        measure(&topology, &search, ctl_route_widest, &rng);
        printf("\n");
        ctl_search_fini(&search);
        ctl_topology_fini(&topology);
        qkd_rng_fini(&rng);
    }
    return EXIT_SUCCESS;
}
