/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of least latency: Dijkstra's algorithm from the root, stopped when the leaf is settled
 * unless the tree is to be kept. The work space is reused; a stamp says what is of this search. */
#include "host/routes.h"

#include <stdlib.h>

#include "core/base/err.h"

struct edge {
    uint32_t to, link;
};

struct reach {
    int64_t dist_ns;
    uint32_t hops;
    uint32_t parent; /* link towards the root */
    uint32_t stamp;  /* search that wrote this */
    bool settled;
};

struct heap_entry {
    int64_t dist_ns;
    uint32_t hops;
    uint32_t node;
};

struct host_routes {
    uint32_t node_count;
    const struct host_cable *links;
    uint32_t *first; /* edges of node n: first[n] .. first[n + 1] - 1 */
    struct edge *edges;
    struct reach *reach;
    struct heap_entry *heap;
    uint32_t heap_count;
    uint32_t stamp;
    uint32_t **trees; /* per root: NULL, or per node the link towards the root (or NONE) */
};

void host_routes_free(struct host_routes *routes)
{
    if (routes == NULL) {
        return;
    }
    for (uint32_t i = 0; i < routes->node_count && routes->trees != NULL; i++) {
        free(routes->trees[i]);
    }
    free(routes->trees);
    free(routes->first);
    free(routes->edges);
    free(routes->reach);
    free(routes->heap);
    free(routes);
}

static void edges_fill(struct host_routes *routes, uint32_t link_count)
{
    uint32_t *first = routes->first;
    for (uint32_t i = 0; i < link_count; i++) {
        first[routes->links[i].a + 1]++;
        first[routes->links[i].b + 1]++;
    }
    for (uint32_t n = 0; n < routes->node_count; n++) {
        first[n + 1] += first[n];
    }
    /* Filled from the end: afterwards first[n] is back at the start of n's edges. */
    for (uint32_t i = link_count; i-- > 0;) {
        const struct host_cable *link = &routes->links[i];
        routes->edges[--first[link->a + 1]] = (struct edge){link->b, i};
        routes->edges[--first[link->b + 1]] = (struct edge){link->a, i};
    }
    for (uint32_t n = 0; n < routes->node_count; n++) {
        first[n] = first[n + 1];
    }
    first[routes->node_count] = 2 * link_count;
}

struct host_routes *host_routes_new(uint32_t node_count, const struct host_cable *links,
                                    uint32_t link_count)
{
    struct host_routes *routes = calloc(1, sizeof(*routes));
    if (routes == NULL) {
        return NULL;
    }
    routes->node_count = node_count;
    routes->links = links;
    routes->first = calloc((size_t)node_count + 1, sizeof(*routes->first));
    routes->edges = calloc(2 * (size_t)link_count + 1, sizeof(*routes->edges));
    routes->reach = calloc((size_t)node_count + 1, sizeof(*routes->reach));
    routes->heap = calloc(2 * (size_t)link_count + 2, sizeof(*routes->heap));
    routes->trees = calloc((size_t)node_count + 1, sizeof(*routes->trees));
    if (routes->first == NULL || routes->edges == NULL || routes->reach == NULL ||
        routes->heap == NULL || routes->trees == NULL) {
        host_routes_free(routes);
        return NULL;
    }
    edges_fill(routes, link_count);
    return routes;
}

static bool entry_before(const struct heap_entry *a, const struct heap_entry *b)
{
    if (a->dist_ns != b->dist_ns) {
        return a->dist_ns < b->dist_ns;
    }
    return a->hops != b->hops ? a->hops < b->hops : a->node < b->node;
}

static void heap_push(struct host_routes *routes, struct heap_entry entry)
{
    uint32_t at = routes->heap_count++;
    while (at > 0 && entry_before(&entry, &routes->heap[(at - 1) / 2])) {
        routes->heap[at] = routes->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    routes->heap[at] = entry;
}

static struct heap_entry heap_pop(struct host_routes *routes)
{
    struct heap_entry top = routes->heap[0];
    struct heap_entry last = routes->heap[--routes->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= routes->heap_count) {
            break;
        }
        if (child + 1 < routes->heap_count &&
            entry_before(&routes->heap[child + 1], &routes->heap[child])) {
            child++;
        }
        if (!entry_before(&routes->heap[child], &last)) {
            break;
        }
        routes->heap[at] = routes->heap[child];
        at = child;
    }
    routes->heap[at] = last;
    return top;
}

/* A node with one link. No route leads through it, so searches leave it out and routes step over
 * its link by themselves: around a switch with thousands of nodes there is nothing to search. */
static bool is_end(const struct host_routes *routes, uint32_t node)
{
    return routes->first[node + 1] - routes->first[node] == 1;
}

/* Steps from an end over its link, which is stored; another node stays where it is. */
static bool end_step(const struct host_routes *routes, uint32_t *node, uint32_t *link)
{
    if (!is_end(routes, *node)) {
        return false;
    }
    const struct edge *edge = &routes->edges[routes->first[*node]];
    *link = edge->link;
    *node = edge->to;
    return true;
}

static void relax(struct host_routes *routes, const struct heap_entry *from,
                  const struct edge *edge)
{
    int64_t latency_ns = routes->links[edge->link].latency_ns;
    int64_t dist_ns = from->dist_ns > INT64_MAX - latency_ns ? INT64_MAX
                                                             : from->dist_ns + latency_ns;
    uint32_t hops = from->hops + 1;
    struct reach *reach = &routes->reach[edge->to];
    if (reach->stamp == routes->stamp) {
        bool same = dist_ns == reach->dist_ns && hops == reach->hops;
        if (same && !reach->settled && edge->link < reach->parent) {
            reach->parent = edge->link;
        }
        if (same || reach->settled || dist_ns > reach->dist_ns ||
            (dist_ns == reach->dist_ns && hops > reach->hops)) {
            return;
        }
    }
    *reach = (struct reach){dist_ns, hops, edge->link, routes->stamp, false};
    heap_push(routes, (struct heap_entry){dist_ns, hops, edge->to});
}

/* Settles nodes from `root` until `leaf` is (HOST_NO_CABLE: all). */
static void search(struct host_routes *routes, uint32_t root, uint32_t leaf)
{
    routes->stamp++;
    routes->heap_count = 0;
    routes->reach[root] = (struct reach){0, 0, HOST_NO_CABLE, routes->stamp, false};
    heap_push(routes, (struct heap_entry){0, 0, root});
    while (routes->heap_count > 0) {
        struct heap_entry at = heap_pop(routes);
        if (routes->reach[at.node].settled) {
            continue;
        }
        routes->reach[at.node].settled = true;
        if (at.node == leaf) {
            return;
        }
        for (uint32_t e = routes->first[at.node]; e < routes->first[at.node + 1]; e++) {
            if (!is_end(routes, routes->edges[e].to)) {
                relax(routes, &at, &routes->edges[e]);
            }
        }
    }
}

/* The kept tree of `root`, made if `keep`; NULL in *tree if there is none. */
static int tree_get(struct host_routes *routes, uint32_t root, bool keep, const uint32_t **tree)
{
    *tree = routes->trees[root];
    if (*tree != NULL || !keep) {
        return 0;
    }
    uint32_t *parent = malloc(routes->node_count * sizeof(*parent));
    if (parent == NULL) {
        return QKD_ERR_NOMEM;
    }
    search(routes, root, HOST_NO_CABLE);
    for (uint32_t n = 0; n < routes->node_count; n++) {
        const struct reach *reach = &routes->reach[n];
        parent[n] = reach->stamp == routes->stamp ? reach->parent : HOST_NO_CABLE;
    }
    routes->trees[root] = parent;
    *tree = parent;
    return 0;
}

static uint32_t parent_of(const struct host_routes *routes, const uint32_t *tree, uint32_t node)
{
    if (tree != NULL) {
        return tree[node];
    }
    const struct reach *reach = &routes->reach[node];
    return reach->stamp == routes->stamp ? reach->parent : HOST_NO_CABLE;
}

/* The fastest direct link, HOST_NO_CABLE if they are no neighbours. */
static uint32_t direct(const struct host_routes *routes, uint32_t a, uint32_t b)
{
    uint32_t best = HOST_NO_CABLE;
    for (uint32_t e = routes->first[a]; e < routes->first[a + 1]; e++) {
        const struct edge *edge = &routes->edges[e];
        if (edge->to == b && (best == HOST_NO_CABLE || routes->links[edge->link].latency_ns <
                                                           routes->links[best].latency_ns)) {
            best = edge->link;
        }
    }
    return best;
}

/* The links from root to leaf, neither of them an end, appended to to[]. */
static int middle_find(struct host_routes *routes, const struct host_route_query *query,
                       uint32_t *to, uint32_t *count)
{
    const uint32_t *tree = NULL;
    int rc = tree_get(routes, query->root, query->keep, &tree);
    if (rc != 0) {
        return rc;
    }
    if (tree == NULL) {
        search(routes, query->root, query->leaf);
    }
    uint32_t node = query->leaf;
    uint32_t begin = *count;
    while (node != query->root) {
        uint32_t link = parent_of(routes, tree, node);
        if (link == HOST_NO_CABLE) {
            return QKD_ERR_UNKNOWN;
        }
        to[(*count)++] = link;
        node = routes->links[link].a == node ? routes->links[link].b : routes->links[link].a;
    }
    for (uint32_t i = begin, j = *count; i + 1 < j; i++) {
        uint32_t swap = to[i];
        to[i] = to[--j];
        to[j] = swap;
    }
    return 0;
}

int host_routes_find(struct host_routes *routes, const struct host_route_query *query, uint32_t *to,
                     uint32_t *count)
{
    *count = 0;
    if (query->root == query->leaf) {
        return QKD_ERR_UNKNOWN;
    }
    uint32_t link = query->shortest ? HOST_NO_CABLE : direct(routes, query->root, query->leaf);
    if (link != HOST_NO_CABLE) {
        to[(*count)++] = link;
        return 0;
    }
    struct host_route_query middle = *query;
    if (end_step(routes, &middle.root, &link)) {
        to[(*count)++] = link;
    }
    uint32_t last = HOST_NO_CABLE;
    if (middle.root != query->leaf) {
        (void)end_step(routes, &middle.leaf, &last);
    }
    int rc = middle.root == middle.leaf ? 0 : middle_find(routes, &middle, to, count);
    if (rc == 0 && last != HOST_NO_CABLE) {
        to[(*count)++] = last;
    }
    return rc;
}

/* ---- from a scenario ---- */

struct host_cable *host_cables_new(const struct scn_scenario *scenario, uint32_t *count)
{
    const struct scn_classical *classical = &scenario->classical;
    bool own = classical->link_count > 0;
    *count = (uint32_t)(own ? classical->link_count : scenario->link_count);
    struct host_cable *cables = calloc((size_t)*count + 1, sizeof(*cables));
    for (uint32_t i = 0; i < *count && cables != NULL; i++) {
        if (own) {
            const struct scn_classical_link *cable = &classical->links[i];
            cables[i] = (struct host_cable){cable->a, cable->b, cable->latency_ns,
                                            cable->bandwidth_bps};
        } else {
            const struct scn_link *link = &scenario->links[i];
            cables[i] = (struct host_cable){link->a, link->b, link->classical_latency_ns,
                                            link->classical_bandwidth_bps};
        }
    }
    return cables;
}

bool host_is_management(const struct scn_scenario *scenario, enum qkd_rp rp)
{
    bool reports = rp == QKD_RP_CK || rp == QKD_RP_CQ || rp == QKD_RP_CQRP || rp == QKD_RP_COPS ||
                   rp == QKD_RP_CX || rp == QKD_RP_MC || rp == QKD_RP_MK || rp == QKD_RP_MQ;
    return reports && scenario->classical.management == SCN_MANAGEMENT_SEPARATE;
}
