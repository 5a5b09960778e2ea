/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Generated networks: the regular ones, lengths, and what the random ones share. */
#include "scenarios/topology.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "models/real.h"
#include "scenarios/mem.h"

void scn_topology_fini(struct scn_topology *topology)
{
    scn_mem_free(topology->spots);
    scn_mem_free(topology->edges);
    *topology = (struct scn_topology){0};
}

int scn_topology_edge(struct scn_topology *topology, uint32_t limit, uint32_t a, uint32_t b)
{
    if (topology->edge_count == limit) {
        return QKD_ERR_LIMIT;
    }
    if (topology->edge_count == topology->edge_room) {
        size_t room = topology->edge_room == 0 ? 256 : topology->edge_room * 2;
        void *grown = scn_mem_resize(topology->edges, room, sizeof *topology->edges);
        if (grown == NULL) {
            return QKD_ERR_NOMEM;
        }
        topology->edges = grown;
        topology->edge_room = room;
    }
    topology->edges[topology->edge_count++] = (struct scn_edge){.a = a < b ? a : b,
                                                                .b = a < b ? b : a};
    return 0;
}

int64_t scn_topology_square(const struct scn_topology *topology, uint32_t a, uint32_t b)
{
    int64_t x = topology->spots[a].x_m - topology->spots[b].x_m;
    int64_t y = topology->spots[a].y_m - topology->spots[b].y_m;
    return x * x + y * y;
}

/* ---- cells ---- */

uint32_t scn_cells_at(const struct scn_cells *cells, int64_t side_m, int64_t x_m)
{
    return (uint32_t)(x_m * (int64_t)cells->cells / side_m);
}

int scn_cells_init(struct scn_cells *cells, const struct scn_topology *topology, int64_t side_m,
                   uint32_t count)
{
    uint32_t total = count * count;
    *cells = (struct scn_cells){.cells = count};
    cells->first = scn_mem_new((size_t)total + 2, sizeof *cells->first);
    cells->order = scn_mem_new(topology->node_count, sizeof *cells->order);
    if (cells->first == NULL || cells->order == NULL) {
        return QKD_ERR_NOMEM;
    }
    /* Counted one place too far, so that filling moves each start to where it belongs. */
    for (uint32_t n = 0; n < topology->node_count; n++) {
        const struct scn_spot *spot = &topology->spots[n];
        cells->first[scn_cells_at(cells, side_m, spot->y_m) * count +
                     scn_cells_at(cells, side_m, spot->x_m) + 2]++;
    }
    for (uint32_t c = 0; c < total; c++) {
        cells->first[c + 2] += cells->first[c + 1];
    }
    for (uint32_t n = 0; n < topology->node_count; n++) {
        const struct scn_spot *spot = &topology->spots[n];
        uint32_t cell = scn_cells_at(cells, side_m, spot->y_m) * count +
                        scn_cells_at(cells, side_m, spot->x_m);
        cells->order[cells->first[cell + 1]++] = n;
    }
    return 0;
}

void scn_cells_fini(struct scn_cells *cells)
{
    scn_mem_free(cells->first);
    scn_mem_free(cells->order);
    *cells = (struct scn_cells){0};
}

/* ---- the regular kinds ---- */

static int line_make(const struct scn_topology_params *p, struct scn_topology *t)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->nodes && rc == 0; i++) {
        t->spots[i].x_m = (int64_t)i * p->spacing_m;
        rc = i == 0 ? 0 : scn_topology_edge(t, p->link_limit, i - 1, i);
    }
    return rc;
}

static int ring_make(const struct scn_topology_params *p, struct scn_topology *t)
{
    int rc = 0;
    double radius_m = (double)p->spacing_m / (2 * mdl_sin_turns(0.5 / (double)p->nodes));
    for (uint32_t i = 0; i < p->nodes && rc == 0; i++) {
        double turns = (double)i / (double)p->nodes;
        t->spots[i] = (struct scn_spot){llround(radius_m * (1 + mdl_cos_turns(turns))),
                                        llround(radius_m * (1 + mdl_sin_turns(turns)))};
        rc = scn_topology_edge(t, p->link_limit, i, (i + 1) % p->nodes);
    }
    return rc;
}

static int grid_make(const struct scn_topology_params *p, struct scn_topology *t)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->nodes && rc == 0; i++) {
        t->spots[i] = (struct scn_spot){(int64_t)(i % p->columns) * p->spacing_m,
                                        (int64_t)(i / p->columns) * p->spacing_m};
        if ((i + 1) % p->columns != 0) {
            rc = scn_topology_edge(t, p->link_limit, i, i + 1);
        }
        if (rc == 0 && p->nodes - i > p->columns) {
            rc = scn_topology_edge(t, p->link_limit, i, i + p->columns);
        }
    }
    return rc;
}

/* ---- all ---- */

static int edge_compare(const void *a, const void *b)
{
    const struct scn_edge *x = a;
    const struct scn_edge *y = b;
    if (x->a != y->a) {
        return x->a < y->a ? -1 : 1;
    }
    return x->b == y->b ? 0 : (x->b < y->b ? -1 : 1);
}

/* Between places: to the nearest metre, at least one; regular networks: as given. */
static void lengths_fill(const struct scn_topology_params *p, struct scn_topology *t)
{
    for (size_t i = 0; i < t->edge_count; i++) {
        struct scn_edge *edge = &t->edges[i];
        edge->length_m = p->spacing_m;
        if (p->kind >= SCN_TOPOLOGY_GEOMETRIC) {
            edge->length_m = llround(sqrt((double)scn_topology_square(t, edge->a, edge->b)));
            edge->length_m = edge->length_m < 1 ? 1 : edge->length_m;
        }
    }
}

int scn_topology_make(const struct scn_topology_params *p, struct scn_topology *t)
{
    *t = (struct scn_topology){.node_count = p->nodes};
    t->spots = scn_mem_new(p->nodes, sizeof *t->spots);
    if (t->spots == NULL) {
        return QKD_ERR_NOMEM;
    }
    int rc;
    switch (p->kind) {
    case SCN_TOPOLOGY_LINE:
        rc = line_make(p, t);
        break;
    case SCN_TOPOLOGY_RING:
        rc = ring_make(p, t);
        break;
    case SCN_TOPOLOGY_GRID:
        rc = grid_make(p, t);
        break;
    default:
        rc = scn_topology_random(p, t);
        rc = rc == 0 ? scn_topology_join(p, t) : rc;
        break;
    }
    if (rc == 0) {
        lengths_fill(p, t);
        if (t->edge_count > 0) {
            qsort(t->edges, t->edge_count, sizeof *t->edges, edge_compare);
        }
    }
    return rc;
}
