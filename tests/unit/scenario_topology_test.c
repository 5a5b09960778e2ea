/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: generated networks against what is known of them from elsewhere: exact neighbours of
 * regular ones, all pairs of geometric ones, the probability law of Waxman's, the degrees of
 * Barabasi and Albert's, and a plain Kruskal for the links that join parts. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/topology.h"

#define KM INT64_C(1000)

static struct scn_topology make(const struct scn_topology_params *params)
{
    struct scn_topology t;
    ck_assert_int_eq(scn_topology_make(params, &t), 0);
    ck_assert_uint_eq(t.node_count, params->nodes);
    for (size_t i = 0; i < t.edge_count; i++) {
        const struct scn_edge *edge = &t.edges[i];
        ck_assert(edge->a < edge->b && edge->b < t.node_count && edge->length_m >= 1);
        if (i > 0) { /* sorted, and so: no link twice */
            const struct scn_edge *last = edge - 1;
            ck_assert(last->a < edge->a || (last->a == edge->a && last->b < edge->b));
        }
    }
    return t;
}

static bool has_edge(const struct scn_topology *t, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < t->edge_count; i++) {
        if (t->edges[i].a == (a < b ? a : b) && t->edges[i].b == (a < b ? b : a)) {
            return true;
        }
    }
    return false;
}

static double distance_m(const struct scn_topology *t, uint32_t a, uint32_t b)
{
    return hypot((double)(t->spots[a].x_m - t->spots[b].x_m),
                 (double)(t->spots[a].y_m - t->spots[b].y_m));
}

/* Parts by a label that spreads until nothing changes. */
static uint32_t *labels_make(const struct scn_topology *t, size_t edges)
{
    uint32_t *label = calloc(t->node_count, sizeof *label);
    ck_assert_ptr_nonnull(label);
    for (uint32_t n = 0; n < t->node_count; n++) {
        label[n] = n;
    }
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < edges; i++) {
            uint32_t *a = &label[t->edges[i].a];
            uint32_t *b = &label[t->edges[i].b];
            again = again || *a != *b;
            uint32_t low = *a < *b ? *a : *b;
            *a = low;
            *b = low;
        }
    }
    return label;
}

static void assert_connected(const struct scn_topology *t)
{
    uint32_t *label = labels_make(t, t->edge_count);
    for (uint32_t n = 0; n < t->node_count; n++) {
        ck_assert_uint_eq(label[n], 0);
    }
    free(label);
}

START_TEST(line_and_ring)
{
    struct scn_topology_params p = {
        .kind = SCN_TOPOLOGY_LINE, .nodes = 7, .spacing_m = 20 * KM, .link_limit = 100};
    struct scn_topology line = make(&p);
    ck_assert_uint_eq(line.edge_count, 6);
    p.kind = SCN_TOPOLOGY_RING;
    struct scn_topology ring = make(&p);
    ck_assert_uint_eq(ring.edge_count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert(has_edge(&ring, i, (i + 1) % 7));
        ck_assert_int_eq(ring.edges[i].length_m, 20 * KM);
        /* Neighbours on the circle are as far apart as the link is long, to rounding. */
        ck_assert_double_eq_tol(distance_m(&ring, i, (i + 1) % 7), 20000, 2);
        ck_assert(i == 6 || (has_edge(&line, i, i + 1) && line.edges[i].length_m == 20 * KM));
    }
    scn_topology_fini(&line);
    scn_topology_fini(&ring);
    p.nodes = 1;
    p.kind = SCN_TOPOLOGY_LINE;
    line = make(&p);
    ck_assert_uint_eq(line.edge_count, 0);
    scn_topology_fini(&line);
}
END_TEST

START_TEST(grid)
{
    struct scn_topology_params p = {.kind = SCN_TOPOLOGY_GRID,
                                    .nodes = 12,
                                    .columns = 4,
                                    .spacing_m = 5 * KM,
                                    .link_limit = 100};
    struct scn_topology t = make(&p);
    ck_assert_uint_eq(t.edge_count, 3 * 3 + 2 * 4); /* rows (columns - 1) + (rows - 1) columns */
    for (uint32_t a = 0; a < 12; a++) {
        for (uint32_t b = a + 1; b < 12; b++) {
            uint32_t steps = (b % 4 > a % 4 ? b % 4 - a % 4 : a % 4 - b % 4) + b / 4 - a / 4;
            ck_assert_int_eq(has_edge(&t, a, b), steps == 1);
        }
    }
    scn_topology_fini(&t);
}
END_TEST

/* Every pair within the radius is joined, and no other unless it joins parts. */
START_TEST(geometric_all_pairs)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct scn_topology_params p = {.kind = SCN_TOPOLOGY_GEOMETRIC,
                                        .nodes = 300,
                                        .seed = seed,
                                        .side_m = 100 * KM,
                                        .radius_m = (int64_t)seed * 3 * KM,
                                        .link_limit = 100000};
        struct scn_topology t = make(&p);
        size_t near = 0;
        for (uint32_t a = 0; a < p.nodes; a++) {
            for (uint32_t b = a + 1; b < p.nodes; b++) {
                if (distance_m(&t, a, b) <= (double)p.radius_m) {
                    near++;
                    ck_assert(has_edge(&t, a, b));
                }
            }
        }
        ck_assert_uint_eq(t.edge_count, near + t.joined);
        assert_connected(&t);
        scn_topology_fini(&t);
    }
}
END_TEST

/* Uniform in the square: the mean distance of two points in the unit square is
 * (2 + sqrt 2 + 5 ln(1 + sqrt 2)) / 15 = 0.5214, its standard deviation 0.2479 (B. Ghosh, 1951).
 * Of 10,000 independent pairs the mean is within 4 standard errors of it. */
START_TEST(places_are_uniform)
{
    struct scn_topology_params p = {.kind = SCN_TOPOLOGY_BARABASI_ALBERT,
                                    .nodes = 20000,
                                    .seed = 5,
                                    .side_m = 1000 * KM,
                                    .m = 1,
                                    .link_limit = 100000};
    struct scn_topology t = make(&p);
    double sum = 0;
    for (uint32_t i = 0; i < p.nodes; i += 2) {
        sum += distance_m(&t, i, i + 1) / (double)p.side_m;
    }
    double expected = (2 + sqrt(2) + 5 * log(1 + sqrt(2))) / 15;
    ck_assert_double_eq_tol(sum / 10000, expected, 4 * 0.2479 / 100);
    scn_topology_fini(&t);
}
END_TEST

/* Waxman: in each of twelve classes of distance the number of links is the sum of the pairs'
 * probabilities; chi-square over 20 networks, below its 0.999 quantile for 12 degrees of freedom. */
START_TEST(waxman_law)
{
    enum { CLASSES = 12 };
    double expected[CLASSES] = {0};
    double variance[CLASSES] = {0};
    double observed[CLASSES] = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scn_topology_params p = {.kind = SCN_TOPOLOGY_WAXMAN,
                                        .nodes = 600,
                                        .seed = seed,
                                        .side_m = 300 * KM,
                                        .alpha = 0.08,
                                        .beta = 0.7,
                                        .link_limit = 400000};
        struct scn_topology t = make(&p);
        ck_assert_uint_eq(t.joined, 0); /* dense enough: all links are by chance */
        double scale_m = 0.08 * 300000 * sqrt(2);
        for (uint32_t a = 0; a < p.nodes; a++) {
            for (uint32_t b = a + 1; b < p.nodes; b++) {
                double far = distance_m(&t, a, b);
                double probability = 0.7 * exp(-far / scale_m);
                size_t class = (size_t)(far / 12000);
                class = class < CLASSES ? class : CLASSES - 1;
                expected[class] += probability;
                variance[class] += probability * (1 - probability);
            }
        }
        for (size_t i = 0; i < t.edge_count; i++) {
            size_t class = (size_t)(distance_m(&t, t.edges[i].a, t.edges[i].b) / 12000);
            observed[class < CLASSES ? class : CLASSES - 1] += 1;
        }
        scn_topology_fini(&t);
    }
    double chi = 0;
    for (size_t i = 0; i < CLASSES; i++) {
        ck_assert_double_gt(expected[i], 50);
        double off = observed[i] - expected[i];
        chi += off * off / variance[i];
    }
    ck_assert_double_lt(chi, 32.91);
    ck_assert_double_gt(chi, 1.6); /* and not too good: its 0.0003 quantile */
}
END_TEST

/* Links m (m + 1) / 2 + m (n - m - 1), no node below m, and the share of nodes of degree k is
 * 2 m (m + 1) / (k (k + 1) (k + 2)) (S. N. Dorogovtsev, J. F. F. Mendes, A. N. Samukhin, Phys. Rev.
 * Lett. 85 (2000)), within 5 standard deviations of independent nodes. */
START_TEST(barabasi_albert_degrees)
{
    enum { M = 3, NODES = 50000, KNOWN = 30 };
    struct scn_topology_params p = {.kind = SCN_TOPOLOGY_BARABASI_ALBERT,
                                    .nodes = NODES,
                                    .seed = 9,
                                    .side_m = 1000 * KM,
                                    .m = M,
                                    .link_limit = 400000};
    struct scn_topology t = make(&p);
    ck_assert_uint_eq(t.edge_count, M * (M + 1) / 2 + M * (NODES - M - 1));
    ck_assert_uint_eq(t.joined, 0);
    uint32_t *degree = calloc(NODES, sizeof *degree);
    ck_assert_ptr_nonnull(degree);
    for (size_t i = 0; i < t.edge_count; i++) {
        degree[t.edges[i].a]++;
        degree[t.edges[i].b]++;
    }
    double count[KNOWN] = {0};
    for (uint32_t n = 0; n < NODES; n++) {
        ck_assert_uint_ge(degree[n], M);
        if (degree[n] < KNOWN) {
            count[degree[n]] += 1;
        }
    }
    for (uint32_t k = M; k < 15; k++) {
        double share = 2.0 * M * (M + 1) / ((double)k * (k + 1) * (k + 2));
        ck_assert_double_eq_tol(count[k], NODES * share, 5 * sqrt(NODES * share));
    }
    assert_connected(&t);
    free(degree);
    scn_topology_fini(&t);
}
END_TEST

struct pair {
    double far;
    uint32_t a, b;
};

static int pair_compare(const void *x, const void *y)
{
    const struct pair *p = x;
    const struct pair *q = y;
    return p->far < q->far ? -1 : (p->far > q->far ? 1 : 0);
}

static uint32_t root_of(const uint32_t *parent, uint32_t node)
{
    while (parent[node] != node) {
        node = parent[node];
    }
    return node;
}

/* Links longer than the radius are those that join the parts: their total length is that of
 * Kruskal's minimum spanning tree over all pairs, where pairs within the radius cost nothing. */
START_TEST(parts_are_joined_by_the_shortest_links)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct scn_topology_params p = {.kind = SCN_TOPOLOGY_GEOMETRIC,
                                        .nodes = 150,
                                        .seed = seed,
                                        .side_m = 400 * KM,
                                        .radius_m = seed == 10 ? 1 : (int64_t)seed * 5 * KM,
                                        .link_limit = 100000};
        struct scn_topology t = make(&p);
        assert_connected(&t);
        struct pair *pairs = calloc((size_t)p.nodes * p.nodes, sizeof *pairs);
        uint32_t *parent = calloc(p.nodes, sizeof *parent);
        ck_assert(pairs != NULL && parent != NULL);
        size_t count = 0;
        for (uint32_t a = 0; a < p.nodes; a++) {
            parent[a] = a;
            for (uint32_t b = a + 1; b < p.nodes; b++) {
                pairs[count++] = (struct pair){distance_m(&t, a, b), a, b};
            }
        }
        qsort(pairs, count, sizeof *pairs, pair_compare);
        double least = 0;
        size_t joins = 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t a = root_of(parent, pairs[i].a);
            uint32_t b = root_of(parent, pairs[i].b);
            bool far = pairs[i].far > (double)p.radius_m;
            least += a != b && far ? pairs[i].far : 0;
            joins += a != b && far ? 1 : 0;
            parent[a] = b;
        }
        double added = 0;
        for (size_t i = 0; i < t.edge_count; i++) {
            double far = distance_m(&t, t.edges[i].a, t.edges[i].b);
            added += far > (double)p.radius_m ? far : 0;
        }
        ck_assert_uint_gt(joins, 0);
        ck_assert_uint_eq(t.joined, joins);
        ck_assert_double_eq_tol(added, least, 1e-3);
        free(pairs);
        free(parent);
        scn_topology_fini(&t);
    }
}
END_TEST

START_TEST(the_seed_decides)
{
    struct scn_topology_params p = {.kind = SCN_TOPOLOGY_WAXMAN,
                                    .nodes = 200,
                                    .seed = 3,
                                    .side_m = 300 * KM,
                                    .alpha = 0.05,
                                    .beta = 0.5,
                                    .link_limit = 10000};
    struct scn_topology one = make(&p);
    struct scn_topology same = make(&p);
    p.seed = 4;
    struct scn_topology other = make(&p);
    ck_assert_uint_eq(one.edge_count, same.edge_count);
    ck_assert_mem_eq(one.edges, same.edges, one.edge_count * sizeof *one.edges);
    ck_assert_mem_eq(one.spots, same.spots, p.nodes * sizeof *one.spots);
    ck_assert_mem_ne(one.spots, other.spots, p.nodes * sizeof *one.spots);
    scn_topology_fini(&one);
    scn_topology_fini(&same);
    scn_topology_fini(&other);
}
END_TEST

/* Nodes at few places, squares of a metre, more links than allowed. */
START_TEST(edges_of_the_range)
{
    struct scn_topology_params p = {.kind = SCN_TOPOLOGY_WAXMAN,
                                    .nodes = 40,
                                    .seed = 1,
                                    .side_m = 1,
                                    .alpha = 1,
                                    .beta = 1,
                                    .link_limit = 780};
    struct scn_topology t = make(&p); /* all at one place: probability 1 */
    ck_assert_uint_eq(t.edge_count, 780);
    ck_assert_int_eq(t.edges[0].length_m, 1);
    scn_topology_fini(&t);
    p.link_limit = 779;
    ck_assert_int_eq(scn_topology_make(&p, &t), QKD_ERR_LIMIT);
    scn_topology_fini(&t);
    p = (struct scn_topology_params){.kind = SCN_TOPOLOGY_GEOMETRIC,
                                     .nodes = 50,
                                     .seed = 1,
                                     .side_m = 2,
                                     .radius_m = 1000000000,
                                     .link_limit = 1225};
    t = make(&p);
    ck_assert_uint_eq(t.edge_count, 1225); /* 50 * 49 / 2 */
    scn_topology_fini(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_topology");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, line_and_ring);
    tcase_add_test(tcase, grid);
    tcase_add_test(tcase, geometric_all_pairs);
    tcase_add_test(tcase, places_are_uniform);
    tcase_add_test(tcase, waxman_law);
    tcase_add_test(tcase, barabasi_albert_degrees);
    tcase_add_test(tcase, parts_are_joined_by_the_shortest_links);
    tcase_add_test(tcase, the_seed_decides);
    tcase_add_test(tcase, edges_of_the_range);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
