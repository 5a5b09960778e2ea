/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Generated networks: places of nodes in a square, and who is joined to whom. Sources: geometric
 * graphs, E. N. Gilbert, "Random plane networks", J. SIAM 9 (1961); B. M. Waxman, "Routing of
 * multipoint connections", IEEE JSAC 6 (1988); A.-L. Barabasi, R. Albert, "Emergence of scaling in
 * random networks", Science 286 (1999). Internal to scenarios/.
 *
 * Places are whole metres and squares of distances integers, so that a network is the same on every
 * machine; only Waxman's probability is a floating-point number. */
#ifndef SCN_TOPOLOGY_H
#define SCN_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

enum scn_topology_kind {
    SCN_TOPOLOGY_LINE,
    SCN_TOPOLOGY_RING,
    SCN_TOPOLOGY_GRID,
    SCN_TOPOLOGY_GEOMETRIC,
    SCN_TOPOLOGY_WAXMAN,
    SCN_TOPOLOGY_BARABASI_ALBERT
};

struct scn_topology_params {
    enum scn_topology_kind kind;
    uint32_t nodes;      /* grid: rows * columns; ring: at least 3; else at least 1 */
    uint32_t columns;    /* grid */
    uint64_t seed;       /* of the random kinds */
    int64_t spacing_m;   /* line, ring, grid: length of each link, 1 to 1e9 */
    int64_t side_m;      /* random kinds: of the square, 1 to 1e9 */
    int64_t radius_m;    /* geometric: nodes up to this far apart are joined */
    double alpha, beta;  /* waxman: nodes d apart are joined with the probability
                            beta * exp(-d / (alpha * diagonal of the square)); 0 < both <= 1 */
    uint32_t m;          /* barabasi-albert: links of each new node, 1 <= m < nodes */
    uint32_t link_limit; /* more links are an error */
};

struct scn_spot {
    int64_t x_m, y_m;
};

struct scn_edge {
    uint32_t a, b; /* a < b */
    int64_t length_m;
};

struct scn_topology {
    struct scn_spot *spots; /* of each node */
    uint32_t node_count;
    struct scn_edge *edges; /* in order of a, then b */
    size_t edge_count, edge_room;
    size_t joined; /* of these: added so that the network is connected */
};

/* Makes the network. Random geometric and Waxman networks that fall into parts are joined by the
 * shortest links that connect them (a minimum spanning tree of the parts). 0, QKD_ERR_NOMEM or
 * QKD_ERR_LIMIT (too many links). *topology is to be given to scn_topology_fini in every case. */
int scn_topology_make(const struct scn_topology_params *params, struct scn_topology *topology);

void scn_topology_fini(struct scn_topology *topology);

/* Of the parts of it, in topology_random.c and topology_join.c. */
int scn_topology_edge(struct scn_topology *topology, uint32_t limit, uint32_t a, uint32_t b);
int scn_topology_random(const struct scn_topology_params *params, struct scn_topology *topology);
int scn_topology_join(const struct scn_topology_params *params, struct scn_topology *topology);

/* The square of the distance of two nodes, in m^2. */
int64_t scn_topology_square(const struct scn_topology *topology, uint32_t a, uint32_t b);

/* Nodes sorted into square cells, cells x cells of them. */
struct scn_cells {
    uint32_t cells;  /* along one side */
    uint32_t *first; /* nodes of cell c: order[first[c]] .. order[first[c + 1] - 1] */
    uint32_t *order;
};

/* 0 or QKD_ERR_NOMEM; to be given to scn_cells_fini in every case. */
int scn_cells_init(struct scn_cells *cells, const struct scn_topology *topology, int64_t side_m,
                   uint32_t count);
void scn_cells_fini(struct scn_cells *cells);

/* The number of the cell's column (of x) or row (of y). */
uint32_t scn_cells_at(const struct scn_cells *cells, int64_t side_m, int64_t x_m);

#endif
