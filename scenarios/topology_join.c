/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Joins the parts of a random network: O. Boruvka's algorithm (1926). In each round every part but
 * the largest gets the shortest link that leaves it; nearest nodes are searched cell by cell, ring
 * by ring. Ties: the lower node numbers, so that the order of links is strict and no cycle arises. */
#include <math.h>
#include <stdbool.h>

#include "core/base/err.h"
#include "scenarios/mem.h"
#include "scenarios/topology.h"

#define CELLS_MOST 316

/* The shortest link found that leaves a part; a == b: none yet. */
struct best {
    int64_t square;
    uint32_t a, b;
};

struct join {
    const struct scn_topology_params *p;
    struct scn_topology *t;
    struct scn_cells cells;
    uint32_t *parent; /* of the union-find forest */
    uint32_t *size;   /* nodes of a part, at its root */
    struct best *best;
    uint32_t parts;
};

static uint32_t root_of(const struct join *j, uint32_t node)
{
    while (j->parent[node] != node) {
        j->parent[node] = j->parent[j->parent[node]]; /* path halving */
        node = j->parent[node];
    }
    return node;
}

static bool unite(struct join *j, uint32_t a, uint32_t b)
{
    a = root_of(j, a);
    b = root_of(j, b);
    if (a == b) {
        return false;
    }
    uint32_t big = j->size[a] >= j->size[b] ? a : b;
    uint32_t small = big == a ? b : a;
    j->parent[small] = big;
    j->size[big] += j->size[small];
    j->parts--;
    return true;
}

/* Keeps the shorter of the part's best link and this one. */
static void offer(struct best *best, int64_t square, uint32_t a, uint32_t b)
{
    uint32_t low = a < b ? a : b;
    uint32_t high = a < b ? b : a;
    bool none = best->a == best->b;
    if (none || square < best->square ||
        (square == best->square && (low < best->a || (low == best->a && high < best->b)))) {
        *best = (struct best){square, low, high};
    }
}

static void cell_search(struct join *j, uint32_t node, uint32_t root, uint32_t cell)
{
    for (uint32_t i = j->cells.first[cell]; i < j->cells.first[cell + 1]; i++) {
        uint32_t other = j->cells.order[i];
        if (root_of(j, other) != root) {
            offer(&j->best[root], scn_topology_square(j->t, node, other), node, other);
        }
    }
}

/* Whether no node at `ring` cells from a node can be nearer than the best of its part. */
static bool ring_too_far(const struct join *j, const struct best *best, int64_t ring)
{
    int64_t cell_m = j->p->side_m / j->cells.cells; /* rounded down: cells are at least so wide */
    int64_t least_m = ring > 1 ? (ring - 1) * cell_m : 0;
    return best->a != best->b && least_m * least_m > best->square;
}

/* Offers the part of `node` its nearest nodes outside. */
static void node_search(struct join *j, uint32_t node)
{
    int64_t count = j->cells.cells;
    int64_t x = scn_cells_at(&j->cells, j->p->side_m, j->t->spots[node].x_m);
    int64_t y = scn_cells_at(&j->cells, j->p->side_m, j->t->spots[node].y_m);
    uint32_t root = root_of(j, node);
    for (int64_t ring = 0; ring < count && !ring_too_far(j, &j->best[root], ring); ring++) {
        for (int64_t row = y - ring; row <= y + ring; row++) {
            bool whole = row == y - ring || row == y + ring; /* top and bottom; else two cells */
            int64_t step = whole || ring == 0 ? 1 : 2 * ring;
            for (int64_t column = x - ring; column <= x + ring; column += step) {
                if (row >= 0 && row < count && column >= 0 && column < count) {
                    cell_search(j, node, root, (uint32_t)(row * count + column));
                }
            }
        }
    }
}

/* One round; 0 or an error. */
static int round_do(struct join *j)
{
    uint32_t nodes = j->t->node_count;
    uint32_t largest = 0;
    for (uint32_t n = 0; n < nodes; n++) {
        j->best[n] = (struct best){0};
        if (j->parent[n] == n && j->size[n] > j->size[root_of(j, largest)]) {
            largest = n;
        }
    }
    largest = root_of(j, largest);
    for (uint32_t n = 0; n < nodes; n++) {
        if (root_of(j, n) != largest) {
            node_search(j, n);
        }
    }
    int rc = 0;
    for (uint32_t n = 0; n < nodes && rc == 0; n++) {
        const struct best *best = &j->best[n];
        if (best->a != best->b && unite(j, best->a, best->b)) {
            rc = scn_topology_edge(j->t, j->p->link_limit, best->a, best->b);
            j->t->joined++;
        }
    }
    return rc;
}

int scn_topology_join(const struct scn_topology_params *p, struct scn_topology *t)
{
    struct join j = {.p = p, .t = t, .parts = t->node_count};
    uint32_t count = (uint32_t)sqrt((double)p->nodes / 2);
    count = count < 1 ? 1 : (count > CELLS_MOST ? CELLS_MOST : count);
    count = count > p->side_m ? (uint32_t)p->side_m : count;
    int rc = scn_cells_init(&j.cells, t, p->side_m, count);
    j.parent = scn_mem_new(p->nodes, sizeof *j.parent);
    j.size = scn_mem_new(p->nodes, sizeof *j.size);
    j.best = scn_mem_new(p->nodes, sizeof *j.best);
    if (j.parent == NULL || j.size == NULL || j.best == NULL) {
        rc = QKD_ERR_NOMEM;
    }
    for (uint32_t n = 0; n < p->nodes && rc == 0; n++) {
        j.parent[n] = n;
        j.size[n] = 1;
    }
    for (size_t i = 0; i < t->edge_count && rc == 0; i++) {
        (void)unite(&j, t->edges[i].a, t->edges[i].b);
    }
    while (rc == 0 && j.parts > 1) {
        rc = round_do(&j);
    }
    scn_cells_fini(&j.cells);
    scn_mem_free(j.parent);
    scn_mem_free(j.size);
    scn_mem_free(j.best);
    return rc;
}
