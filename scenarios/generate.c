/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `network.generate`: its keys, which of them belong to which kind, and the nodes and links that a
 * generated network adds to the tree. Who is joined to whom is decided in scenarios/topology*.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/expand.h"
#include "scenarios/rows.h"
#include "scenarios/topology.h"

#define M_PER_DEGREE 111194.9 /* of a great circle on a sphere of radius 6371 km */
#define FARTHEST_M 10000000   /* places up to here get degrees */

struct generate {
    struct scn_topology_params p;
    uint32_t rows;
    char prefix[SCN_ID_SIZE];
    struct scn_link link; /* the template, decoded only to find its mistakes */
};

static const struct scn_word words_kind[] = {{"line", SCN_TOPOLOGY_LINE},
                                             {"ring", SCN_TOPOLOGY_RING},
                                             {"grid", SCN_TOPOLOGY_GRID},
                                             {"geometric", SCN_TOPOLOGY_GEOMETRIC},
                                             {"waxman", SCN_TOPOLOGY_WAXMAN},
                                             {"barabasi-albert", SCN_TOPOLOGY_BARABASI_ALBERT},
                                             {NULL, 0}};

#define STRUCT generate
static const struct scn_field generate_fields[] = {
    {.key = "kind",
     .doc = "what sort of network",
     .type = SCN_T_WORD,
     AT(p.kind),
     .words = words_kind,
     .required = true,
     .unset = -1},
    NUM("nodes", p.nodes, SCN_T_U32, SCN_DIM_NUMBER, 1, SCN_MAX_NODES, .unset = 0,
        .doc = "number of nodes; grid: rows times columns"),
    NUM("rows", rows, SCN_T_U32, SCN_DIM_NUMBER, 1, SCN_MAX_NODES, .unset = 0,
        .doc = "grid: nodes from top to bottom"),
    NUM("columns", p.columns, SCN_T_U32, SCN_DIM_NUMBER, 1, SCN_MAX_NODES, .unset = 0,
        .doc = "grid: nodes from left to right"),
    NUM("spacing", p.spacing_m, SCN_T_I64, SCN_DIM_LENGTH, 1, 1e9, .unset = 0,
        .doc = "line, ring, grid: length of each link"),
    NUM("side", p.side_m, SCN_T_I64, SCN_DIM_LENGTH, 1, 1e9, .unset = 0,
        .doc = "random kinds: of the square in which the nodes are"),
    NUM("radius", p.radius_m, SCN_T_I64, SCN_DIM_LENGTH, 1, 1e9, .unset = 0,
        .doc = "geometric: nodes up to this far apart are joined"),
    NUM("alpha", p.alpha, SCN_T_REAL, SCN_DIM_REAL, 1e-6, 1, .unset = 0,
        .doc = "waxman: how far links reach, as a part of the square's diagonal"),
    NUM("beta", p.beta, SCN_T_REAL, SCN_DIM_REAL, 1e-9, 1, .unset = 0,
        .doc = "waxman: probability of a link between nodes at one place"),
    NUM("m", p.m, SCN_T_U32, SCN_DIM_NUMBER, 1, 1000, .unset = 0,
        .doc = "barabasi-albert: links that each new node brings"),
    NUM("seed", p.seed, SCN_T_I64, SCN_DIM_NUMBER, 0, 9223372036854774784.0, .fallback = "1",
        .doc = "of the network alone: the run's seed does not change it"),
    {.key = "prefix",
     .doc = "of the ids: n0001, n0002 ...",
     .type = SCN_T_ID,
     AT(prefix),
     .fallback = "n"},
    {.key = "link",
     .doc = "what every link has besides id, ends and length",
     .type = SCN_T_SECTION,
     AT(link),
     .table = &scn_table_link_template,
     .required = true},
};
/* As `uses` below. */
static const char generate_needs[] =
    "\"allOf\": ["
    "{\"if\": {\"properties\": {\"kind\": {\"enum\": [\"line\", \"ring\"]}}}, "
    "\"then\": {\"required\": [\"nodes\", \"spacing\"]}}, "
    "{\"if\": {\"properties\": {\"kind\": {\"enum\": [\"grid\"]}}}, "
    "\"then\": {\"required\": [\"rows\", \"columns\", \"spacing\"]}}, "
    "{\"if\": {\"properties\": {\"kind\": {\"enum\": [\"geometric\"]}}}, "
    "\"then\": {\"required\": [\"nodes\", \"side\", \"radius\"]}}, "
    "{\"if\": {\"properties\": {\"kind\": {\"enum\": [\"waxman\"]}}}, "
    "\"then\": {\"required\": [\"nodes\", \"side\", \"alpha\", \"beta\"]}}, "
    "{\"if\": {\"properties\": {\"kind\": {\"enum\": [\"barabasi-albert\"]}}}, "
    "\"then\": {\"required\": [\"nodes\", \"side\", \"m\"]}}]";

const struct scn_table scn_table_generate = {.name = "generate",
                                             .fields = generate_fields,
                                             .field_count = COUNT_OF(generate_fields),
                                             .item_bytes = sizeof(struct generate),
                                             .needs = generate_needs};
#undef STRUCT

#define KIND(word) (1U << SCN_TOPOLOGY_##word)
#define REGULAR (KIND(LINE) | KIND(RING) | KIND(GRID))
#define RANDOM (KIND(GEOMETRIC) | KIND(WAXMAN) | KIND(BARABASI_ALBERT))

/* Which key belongs to which kinds. */
static const struct {
    const char *key;
    unsigned required, allowed;
} uses[] = {
    {"nodes", (REGULAR | RANDOM) & ~KIND(GRID), REGULAR | RANDOM},
    {"rows", KIND(GRID), KIND(GRID)},
    {"columns", KIND(GRID), KIND(GRID)},
    {"spacing", REGULAR, REGULAR},
    {"side", RANDOM, RANDOM},
    {"radius", KIND(GEOMETRIC), KIND(GEOMETRIC)},
    {"alpha", KIND(WAXMAN), KIND(WAXMAN)},
    {"beta", KIND(WAXMAN), KIND(WAXMAN)},
    {"m", KIND(BARABASI_ALBERT), KIND(BARABASI_ALBERT)},
    {"seed", 0, RANDOM},
};

static void uses_check(struct scn_ctx *ctx, const struct scn_tree *map, enum scn_topology_kind kind)
{
    const char *word = scn_word_of(words_kind, (int)kind);
    for (size_t i = 0; i < COUNT_OF(uses); i++) {
        const struct scn_tree *given = scn_tree_find(map, uses[i].key);
        if (given == NULL && (uses[i].required & (1U << kind)) != 0) {
            scn_mistake(ctx, map->place, "the key '%s' is missing in generate: kind %s needs it",
                        uses[i].key, word);
        } else if (given != NULL && (uses[i].allowed & (1U << kind)) == 0) {
            scn_mistake(ctx, given->place, "%s has no meaning for kind %s", uses[i].key, word);
        }
    }
}

static struct scn_place key_place(const struct scn_tree *map, const char *key)
{
    const struct scn_tree *found = scn_tree_find(map, key);
    return found == NULL ? map->place : found->place;
}

/* What the numbers must be among one another. */
static void numbers_check(struct scn_ctx *ctx, const struct scn_tree *map, struct generate *g)
{
    struct scn_topology_params *p = &g->p;
    if (p->kind == SCN_TOPOLOGY_GRID) {
        uint64_t product = (uint64_t)g->rows * p->columns;
        if (p->nodes != 0 && p->nodes != product) {
            scn_mistake(ctx, key_place(map, "nodes"),
                        "nodes is not rows times columns: expected %" PRIu64, product);
        }
        if (product > SCN_MAX_NODES) {
            scn_mistake(ctx, key_place(map, "rows"),
                        "%" PRIu64 " nodes, but at most %d are possible", product, SCN_MAX_NODES);
        }
        p->nodes = (uint32_t)product;
    }
    if (p->kind == SCN_TOPOLOGY_RING && p->nodes < 3) {
        scn_mistake(ctx, key_place(map, "nodes"), "a ring has at least 3 nodes");
    }
    if (p->kind == SCN_TOPOLOGY_BARABASI_ALBERT && p->m >= p->nodes) {
        scn_mistake(ctx, key_place(map, "m"), "m must be less than nodes");
    }
    if (strlen(g->prefix) > SCN_ID_SIZE / 2 - 8) {
        scn_mistake(ctx, key_place(map, "prefix"), "prefix is too long: expected at most %d bytes",
                    SCN_ID_SIZE / 2 - 8);
    }
}

static struct scn_tree *item_add(struct scn_ctx *ctx, struct scn_tree *list, struct scn_place place)
{
    struct scn_tree *item = scn_tree_add(ctx, list, NULL, place);
    if (item != NULL) {
        item->kind = SCN_TREE_MAP;
        item->text = NULL;
    }
    return item;
}

static void nodes_add(struct scn_ctx *ctx, struct scn_tree *list, const struct scn_tree *map,
                      const struct scn_topology *t, const char **ids)
{
    bool degrees = true;
    for (uint32_t i = 0; i < t->node_count; i++) {
        degrees = degrees && t->spots[i].x_m <= FARTHEST_M && t->spots[i].y_m <= FARTHEST_M;
    }
    for (uint32_t i = 0; i < t->node_count && !ctx->no_memory; i++) {
        struct scn_tree *item = item_add(ctx, list, map->place);
        if (item != NULL) {
            (void)scn_tree_put(ctx, item, "id", ids[i]);
        }
        if (item != NULL && degrees) {
            double lat = (double)t->spots[i].y_m / M_PER_DEGREE;
            double lon = (double)t->spots[i].x_m / M_PER_DEGREE;
            (void)scn_tree_put(ctx, item, "lat", scn_expand_text(ctx, "%.5f", lat));
            (void)scn_tree_put(ctx, item, "lon", scn_expand_text(ctx, "%.5f", lon));
        }
    }
}

static void links_add(struct scn_ctx *ctx, struct scn_tree *list, const struct scn_tree *map,
                      const struct scn_topology *t, const char **ids)
{
    const struct scn_tree *template = scn_tree_find(map, "link");
    for (size_t i = 0; i < t->edge_count && !ctx->no_memory; i++) {
        const struct scn_edge *edge = &t->edges[i];
        struct scn_tree *item = item_add(ctx, list, map->place);
        struct scn_tree *ends = NULL;
        if (item != NULL) {
            const char *id = scn_expand_text(ctx, "%s-%s", ids[edge->a], ids[edge->b]);
            (void)scn_tree_put(ctx, item, "id", id);
            ends = scn_tree_add(ctx, item, "ends", map->place);
        }
        if (ends != NULL) {
            ends->kind = SCN_TREE_LIST;
            (void)scn_tree_put(ctx, item, "length",
                               scn_expand_quantity(ctx, SCN_DIM_LENGTH, edge->length_m));
            struct scn_tree *a = scn_tree_add(ctx, ends, NULL, map->place);
            struct scn_tree *b = scn_tree_add(ctx, ends, NULL, map->place);
            if (a != NULL && b != NULL) {
                a->text = ids[edge->a];
                b->text = ids[edge->b];
            }
        }
        const struct scn_tree *part = item == NULL || template == NULL ? NULL : template->first;
        for (; part != NULL; part = part->next) {
            if (scn_table_has(&scn_table_link_template, part->key)) {
                (void)scn_tree_share(ctx, item, part);
            }
        }
    }
}

static void topology_add(struct scn_ctx *ctx, struct scn_tree *network, const struct scn_tree *map,
                         const struct generate *g)
{
    struct scn_tree *nodes = scn_expand_list(ctx, network, "nodes");
    struct scn_tree *links = scn_expand_list(ctx, network, "links");
    if (nodes == NULL || links == NULL) {
        ctx->incomplete = true; /* decoding says why */
        return;
    }
    struct scn_topology t;
    int rc = scn_topology_make(&g->p, &t);
    if (rc == QKD_ERR_LIMIT) {
        scn_mistake(ctx, map->place,
                    "more than %" PRIu32 " links would be generated: expected fewer nodes, or a "
                    "network with fewer links per node",
                    g->p.link_limit);
        ctx->incomplete = true;
    }
    const char **ids = rc == 0 ? scn_ctx_new(ctx, t.node_count * sizeof *ids) : NULL;
    for (uint32_t i = 0; ids != NULL && i < t.node_count; i++) {
        ids[i] = scn_expand_text(ctx, "%s%04" PRIu32, g->prefix, i + 1);
    }
    if (ids != NULL) {
        nodes_add(ctx, nodes, map, &t, ids);
        links_add(ctx, links, map, &t, ids);
    }
    ctx->no_memory = ctx->no_memory || rc == QKD_ERR_NOMEM;
    scn_topology_fini(&t);
}

void scn_generate_expand(struct scn_ctx *ctx, struct scn_tree *network)
{
    const struct scn_tree *map = scn_tree_find(network, "generate");
    if (map == NULL || scn_tree_is_null(map)) {
        return;
    }
    struct generate *g = scn_ctx_new(ctx, sizeof *g);
    if (g == NULL) {
        return;
    }
    size_t before = ctx->mistake_count;
    scn_decode_section(ctx, &scn_table_generate, map, map->place, g);
    scn_mem_free(g->link.qkd.trace);
    if (ctx->mistake_count == before) {
        uses_check(ctx, map, g->p.kind);
    }
    if (ctx->mistake_count == before) {
        numbers_check(ctx, map, g);
    }
    g->p.link_limit = SCN_MAX_LINKS;
    if (ctx->mistake_count == before) {
        topology_add(ctx, network, map, g);
    } else {
        ctx->incomplete = true;
    }
}
