/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The random networks. Pairs of nodes are never all looked at: geometric graphs look at neighbouring
 * cells; Waxman graphs pass over pairs of cells by geometric skips with the greatest probability in
 * them, then thin (the idea of V. Batagelj, U. Brandes, "Efficient generation of large random
 * networks", Phys. Rev. E 71 (2005)), so that every pair keeps exactly its own probability. */
#include <math.h>
#include <stdbool.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "models/real.h"
#include "scenarios/mem.h"
#include "scenarios/topology.h"

#define WAXMAN_CELLS 48 /* most cells along a side: the work is at least their number^4 / 2 */
#define GEOMETRIC_CELLS 512

static void spots_draw(const struct scn_topology_params *p, struct scn_topology *t,
                       struct qkd_rng *rng)
{
    for (uint32_t i = 0; i < p->nodes; i++) {
        t->spots[i].x_m = (int64_t)qkd_rng_below(rng, (uint64_t)p->side_m);
        t->spots[i].y_m = (int64_t)qkd_rng_below(rng, (uint64_t)p->side_m);
    }
}

/* Two cells of the field; the same one twice for pairs inside it. */
struct cell_pair {
    const uint32_t *a, *b; /* nodes */
    uint32_t a_count, b_count;
    bool same;
};

static struct cell_pair cell_pair(const struct scn_cells *cells, uint32_t one, uint32_t two)
{
    return (struct cell_pair){
        .a = cells->order + cells->first[one],
        .a_count = cells->first[one + 1] - cells->first[one],
        .b = cells->order + cells->first[two],
        .b_count = cells->first[two + 1] - cells->first[two],
        .same = one == two,
    };
}

/* ---- geometric ---- */

static int near_join(const struct scn_topology_params *p, struct scn_topology *t,
                     const struct cell_pair *pair)
{
    int64_t limit = p->radius_m * p->radius_m;
    int rc = 0;
    for (uint32_t i = 0; i < pair->a_count; i++) {
        for (uint32_t j = pair->same ? i + 1 : 0; j < pair->b_count && rc == 0; j++) {
            if (scn_topology_square(t, pair->a[i], pair->b[j]) <= limit) {
                rc = scn_topology_edge(t, p->link_limit, pair->a[i], pair->b[j]);
            }
        }
    }
    return rc;
}

static int geometric_make(const struct scn_topology_params *p, struct scn_topology *t)
{
    /* A cell is at least as wide as the radius: only its eight neighbours matter. */
    int64_t fit = p->side_m / p->radius_m;
    uint32_t count = fit < 1 ? 1 : (fit > GEOMETRIC_CELLS ? GEOMETRIC_CELLS : (uint32_t)fit);
    struct scn_cells cells;
    int rc = scn_cells_init(&cells, t, p->side_m, count);
    for (uint32_t c = 0; c < count * count && rc == 0; c++) {
        uint32_t x = c % count;
        uint32_t y = c / count;
        /* Itself, right, and the three below: each pair of cells once. */
        static const int32_t dx[] = {0, 1, -1, 0, 1};
        static const int32_t dy[] = {0, 0, 1, 1, 1};
        for (uint32_t k = 0; k < 5 && rc == 0; k++) {
            int64_t to_x = (int64_t)x + dx[k];
            int64_t to_y = (int64_t)y + dy[k];
            if (to_x >= 0 && to_x < count && to_y < count) {
                struct cell_pair pair = cell_pair(&cells, c, (uint32_t)(to_y * count + to_x));
                rc = near_join(p, t, &pair);
            }
        }
    }
    scn_cells_fini(&cells);
    return rc;
}

/* ---- waxman ---- */

struct waxman {
    const struct scn_topology_params *p;
    struct scn_topology *t;
    struct qkd_rng *rng;
    double scale_m; /* alpha * diagonal */
    double cell_m;  /* side of a cell */
};

/* Joins nodes of two cells; `most` is the greatest probability of any pair in them. */
static int pairs_thin(struct waxman *w, const struct cell_pair *pair, double most)
{
    uint64_t total = (uint64_t)pair->a_count * pair->b_count;
    double none = mdl_log1p(-most); /* of one pair passed over; -infinity if most is 1 */
    uint64_t at = 0;
    for (;;) {
        double skip = floor(mdl_log(qkd_rng_unit(w->rng)) / none);
        if (skip >= (double)(total - at)) {
            return 0;
        }
        at += (uint64_t)skip;
        uint32_t i = (uint32_t)(at / pair->b_count);
        uint32_t j = (uint32_t)(at % pair->b_count);
        if (!pair->same || i < j) {
            uint32_t a = pair->a[i];
            uint32_t b = pair->b[j];
            double far_m = sqrt((double)scn_topology_square(w->t, a, b));
            double keep = w->p->beta * mdl_exp(-far_m / w->scale_m) / most;
            int rc = qkd_rng_unit(w->rng) < keep ? scn_topology_edge(w->t, w->p->link_limit, a, b)
                                                 : 0;
            if (rc != 0) {
                return rc;
            }
        }
        at++;
        if (at == total) {
            return 0;
        }
    }
}

/* The gap between two columns (or rows) of cells, in cells. */
static uint32_t gap(uint32_t a, uint32_t b)
{
    uint32_t far = a < b ? b - a : a - b;
    return far > 1 ? far - 1 : 0;
}

static int waxman_make(const struct scn_topology_params *p, struct scn_topology *t,
                       struct qkd_rng *rng)
{
    uint32_t count = (uint32_t)sqrt((double)p->nodes / 8);
    count = count < 1 ? 1 : (count > WAXMAN_CELLS ? WAXMAN_CELLS : count);
    struct scn_cells cells;
    int rc = scn_cells_init(&cells, t, p->side_m, count);
    struct waxman w = {.p = p, .t = t, .rng = rng};
    w.scale_m = p->alpha * (double)p->side_m * sqrt(2);
    w.cell_m = (double)p->side_m / count;
    for (uint32_t one = 0; one < count * count && rc == 0; one++) {
        for (uint32_t two = one; two < count * count && rc == 0; two++) {
            struct cell_pair pair = cell_pair(&cells, one, two);
            if (pair.a_count == 0 || pair.b_count == 0) {
                continue;
            }
            double x = gap(one % count, two % count);
            double y = gap(one / count, two / count);
            /* A thousandth less, so that rounding never puts a node below the least distance. */
            double least_m = 0.999 * w.cell_m * sqrt(x * x + y * y);
            rc = pairs_thin(&w, &pair, p->beta * mdl_exp(-least_m / w.scale_m));
        }
    }
    scn_cells_fini(&cells);
    return rc;
}

/* ---- barabasi-albert ---- */

static bool among(const uint32_t *chosen, uint32_t count, uint32_t node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (chosen[i] == node) {
            return true;
        }
    }
    return false;
}

/* Starts with m + 1 nodes all joined; each further one joins m different nodes, drawn from the ends
 * of all links so far, that is, with a probability in proportion to their degree. */
static int barabasi_make(const struct scn_topology_params *p, struct scn_topology *t,
                         struct qkd_rng *rng)
{
    uint32_t *chosen = scn_mem_new(p->m, sizeof *chosen);
    int rc = chosen == NULL ? QKD_ERR_NOMEM : 0;
    for (uint32_t node = 1; node < p->nodes && rc == 0; node++) {
        uint32_t wanted = node < p->m ? node : p->m;
        size_t before = t->edge_count;
        for (uint32_t i = 0; i < wanted;) {
            uint32_t other = i; /* the start: all that are there */
            if (node > p->m) {
                const struct scn_edge *edge = &t->edges[qkd_rng_below(rng, before)];
                other = qkd_rng_below(rng, 2) == 0 ? edge->a : edge->b;
            }
            if (!among(chosen, i, other)) {
                chosen[i++] = other;
            }
        }
        for (uint32_t i = 0; i < wanted && rc == 0; i++) {
            rc = scn_topology_edge(t, p->link_limit, node, chosen[i]);
        }
    }
    scn_mem_free(chosen);
    return rc;
}

int scn_topology_random(const struct scn_topology_params *p, struct scn_topology *t)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, p->seed, "generated network", 0);
    spots_draw(p, t, &rng);
    int rc;
    if (p->kind == SCN_TOPOLOGY_GEOMETRIC) {
        rc = geometric_make(p, t);
    } else if (p->kind == SCN_TOPOLOGY_WAXMAN) {
        rc = waxman_make(p, t, &rng);
    } else {
        rc = barabasi_make(p, t, &rng);
    }
    qkd_rng_fini(&rng);
    return rc;
}
