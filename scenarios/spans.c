/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `network.scale` multiplies what is proportional to the length of a link; `network.max_span` cuts
 * longer links into even spans, joined by trusted relay nodes. Quantities that cannot be read are
 * left as they are: decoding says what is wrong with them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/expand.h"

#define MOST_M INT64_C(1000000000)

/* The number of a scalar child; false if there is none, or none that can be read. */
static bool integer_get(const struct scn_tree *map, const char *key, enum scn_dimension dimension,
                        int64_t *value)
{
    const struct scn_tree *child = scn_tree_find(map, key);
    return child != NULL && child->kind == SCN_TREE_SCALAR &&
           scn_integer_parse(dimension, child->text, value) == NULL;
}

static bool real_get(const struct scn_tree *map, const char *key, enum scn_dimension dimension,
                     double *value)
{
    const struct scn_tree *child = scn_tree_find(map, key);
    return child != NULL && child->kind == SCN_TREE_SCALAR &&
           scn_real_parse(dimension, child->text, value) == NULL;
}

static void real_put(struct scn_ctx *ctx, struct scn_tree *map, const char *key,
                     enum scn_dimension dimension, double value)
{
    char text[SCN_QUANTITY_SIZE];
    scn_real_print(dimension, value, text);
    (void)scn_tree_put(ctx, map, key, scn_expand_text(ctx, "%s", text));
}

/* ---- scale ---- */

static void link_scale(struct scn_ctx *ctx, struct scn_tree *link, double scale)
{
    int64_t length_m = 0;
    double loss_db = 0;
    if (integer_get(link, "length", SCN_DIM_LENGTH, &length_m)) {
        double scaled = (double)length_m * scale;
        if (scaled > (double)MOST_M) {
            scn_mistake(ctx, scn_tree_find(link, "length")->place,
                        "length times scale is out of range: expected at most 1000000 km");
            return;
        }
        (void)scn_tree_put(ctx, link, "length",
                           scn_expand_quantity(ctx, SCN_DIM_LENGTH, llround(scaled)));
    }
    if (real_get(link, "loss", SCN_DIM_LOSS, &loss_db)) {
        real_put(ctx, link, "loss", SCN_DIM_LOSS, loss_db * scale);
    }
}

static void links_scale(struct scn_ctx *ctx, const struct scn_tree *links, double scale)
{
    for (struct scn_tree *link = links == NULL ? NULL : links->first; link != NULL;
         link = link->next) {
        if (link->kind == SCN_TREE_MAP && scn_tree_own(ctx, link)) {
            link_scale(ctx, link, scale);
        }
    }
}

/* ---- max_span ---- */

/* One link that is cut into `count` spans. */
struct cut {
    struct scn_ctx *ctx;
    struct scn_tree *nodes, *links; /* lists that grow */
    const struct scn_tree *link;
    const char *id;
    const struct scn_tree *ends[2];  /* scalars with node ids */
    const struct scn_tree *sites[2]; /* the nodes; NULL: unknown */
    int64_t length_m, latency_ns;    /* latency < 0: not given */
    double loss_db;                  /* < 0: not given */
    int64_t count;
};

/* Where span i begins, of `total` in even parts: whole units, and all of them together. */
static int64_t part_begin(int64_t total, int64_t count, int64_t i)
{
    return total / count * i + (total % count < i ? total % count : i);
}

/* A relay has its operator from end a, and its place on the straight line between the ends. */
static void relay_add(const struct cut *c, int64_t i)
{
    static const char *const degrees[] = {"lat", "lon"};
    struct scn_tree *node = scn_tree_add(c->ctx, c->nodes, NULL, c->link->place);
    if (node == NULL) {
        return;
    }
    node->kind = SCN_TREE_MAP;
    node->text = NULL;
    (void)scn_tree_put(c->ctx, node, "id", scn_expand_text(c->ctx, "%s.%" PRId64, c->id, i));
    const struct scn_tree *operator_id = scn_tree_find(c->sites[0], "operator");
    if (operator_id != NULL) {
        (void)scn_tree_share(c->ctx, node, operator_id);
    }
    double from[2];
    double to[2];
    bool placed = true;
    for (size_t k = 0; k < 2; k++) {
        placed = placed && real_get(c->sites[0], degrees[k], SCN_DIM_REAL, &from[k]) &&
                 real_get(c->sites[1], degrees[k], SCN_DIM_REAL, &to[k]);
    }
    for (size_t k = 0; k < 2 && placed; k++) {
        double at = from[k] + (to[k] - from[k]) * (double)i / (double)c->count;
        (void)scn_tree_put(c->ctx, node, degrees[k], scn_expand_text(c->ctx, "%.6f", at));
    }
}

/* The id of the node at the end of span i - 1 and at the start of span i. */
static const char *end_id(const struct cut *c, int64_t i)
{
    if (i == 0 || i == c->count) {
        return c->ends[i == 0 ? 0 : 1]->text;
    }
    return scn_expand_text(c->ctx, "%s.%" PRId64, c->id, i);
}

/* `classical: {latency: 10 ms}` holds for the whole link: a span has its part. */
static void latency_put(const struct cut *c, struct scn_tree *span, int64_t i)
{
    struct scn_tree *classical = scn_tree_find(span, "classical");
    if (c->latency_ns < 0 || classical == NULL || !scn_tree_own(c->ctx, classical)) {
        return;
    }
    int64_t part_ns = part_begin(c->latency_ns, c->count, i + 1) -
                      part_begin(c->latency_ns, c->count, i);
    (void)scn_tree_put(c->ctx, classical, "latency",
                       scn_expand_quantity(c->ctx, SCN_DIM_TIME, part_ns));
}

static void span_add(const struct cut *c, int64_t i)
{
    struct scn_tree *span = scn_tree_share(c->ctx, c->links, c->link);
    if (span == NULL || !scn_tree_own(c->ctx, span)) {
        return;
    }
    int64_t length_m = part_begin(c->length_m, c->count, i + 1) -
                       part_begin(c->length_m, c->count, i);
    (void)scn_tree_put(c->ctx, span, "id", scn_expand_text(c->ctx, "%s.%" PRId64, c->id, i + 1));
    (void)scn_tree_put(c->ctx, span, "length",
                       scn_expand_quantity(c->ctx, SCN_DIM_LENGTH, length_m));
    if (c->loss_db >= 0) {
        real_put(c->ctx, span, "loss", SCN_DIM_LOSS,
                 c->loss_db * (double)length_m / (double)c->length_m);
    }
    struct scn_tree *ends = scn_tree_find(span, "ends");
    if (!scn_tree_own(c->ctx, ends)) {
        return;
    }
    ends->first->text = end_id(c, i);
    ends->last->text = end_id(c, i + 1);
    latency_put(c, span, i);
}

/* Nodes by their ids, for the places and operators of relays. */
struct site {
    const char *id;
    const struct scn_tree *node;
};

struct sites {
    struct site *sorted;
    size_t count;
};

static int site_compare(const void *a, const void *b)
{
    const struct site *x = a;
    const struct site *y = b;
    return strcmp(x->id, y->id);
}

static struct sites sites_make(struct scn_ctx *ctx, const struct scn_tree *nodes)
{
    struct sites sites = {.sorted = scn_ctx_new(ctx, (nodes->count + 1) * sizeof *sites.sorted)};
    for (const struct scn_tree *n = nodes->first; sites.sorted != NULL && n != NULL; n = n->next) {
        const struct scn_tree *id = scn_tree_find(n, "id");
        if (id != NULL && id->kind == SCN_TREE_SCALAR) {
            sites.sorted[sites.count++] = (struct site){id->text, n};
        }
    }
    if (sites.count > 0) {
        qsort(sites.sorted, sites.count, sizeof *sites.sorted, site_compare);
    }
    return sites;
}

static const struct scn_tree *site_find(const struct sites *sites, const char *id)
{
    struct site wanted = {.id = id};
    const struct site *found = sites->count == 0 ? NULL
                                                 : bsearch(&wanted, sites->sorted, sites->count,
                                                           sizeof wanted, site_compare);
    return found == NULL ? NULL : found->node;
}

/* What can be cut: a link that is written well so far. */
static bool cut_read(struct cut *c, const struct sites *sites, int64_t max_span_m)
{
    const struct scn_tree *id = scn_tree_find(c->link, "id");
    const struct scn_tree *ends = scn_tree_find(c->link, "ends");
    if (id == NULL || id->kind != SCN_TREE_SCALAR || ends == NULL || ends->kind != SCN_TREE_LIST ||
        ends->count != 2 || ends->first->kind != SCN_TREE_SCALAR ||
        ends->last->kind != SCN_TREE_SCALAR ||
        !integer_get(c->link, "length", SCN_DIM_LENGTH, &c->length_m) ||
        c->length_m <= max_span_m || c->length_m > MOST_M) {
        return false;
    }
    c->id = id->text;
    c->ends[0] = ends->first;
    c->ends[1] = ends->last;
    c->sites[0] = site_find(sites, ends->first->text);
    c->sites[1] = site_find(sites, ends->last->text);
    c->count = (c->length_m + max_span_m - 1) / max_span_m;
    c->loss_db = -1;
    c->latency_ns = -1;
    (void)real_get(c->link, "loss", SCN_DIM_LOSS, &c->loss_db);
    (void)integer_get(scn_tree_find(c->link, "classical"), "latency", SCN_DIM_TIME, &c->latency_ns);
    return true;
}

/* Replaces links that are too long by their spans, at the same place of the list. */
static void links_cut(struct scn_ctx *ctx, struct scn_tree *network, struct scn_tree *links,
                      int64_t max_span_m)
{
    struct scn_tree *nodes = scn_expand_list(ctx, network, "nodes");
    if (nodes == NULL) {
        return;
    }
    struct sites sites = sites_make(ctx, nodes);
    const struct scn_tree *link = links->first;
    links->first = NULL;
    links->last = NULL;
    links->count = 0;
    for (; link != NULL && !ctx->no_memory; link = link->next) {
        struct cut c = {.ctx = ctx, .nodes = nodes, .links = links, .link = link};
        if (!cut_read(&c, &sites, max_span_m)) {
            (void)scn_tree_share(ctx, links, link);
            continue;
        }
        if (c.count > SCN_MAX_LINKS - (int64_t)links->count ||
            c.count > SCN_MAX_NODES - (int64_t)nodes->count) {
            scn_mistake(ctx, link->place,
                        "max_span makes %" PRId64 " spans of this link: more than %d links or %d "
                        "nodes in all",
                        c.count, SCN_MAX_LINKS, SCN_MAX_NODES);
            ctx->incomplete = true;
            continue;
        }
        for (int64_t i = 0; i < c.count && !ctx->no_memory; i++) {
            span_add(&c, i);
            if (i > 0) {
                relay_add(&c, i);
            }
        }
    }
}

/* Cables of a classical network of its own have lengths too. */
static void cables_scale(struct scn_ctx *ctx, struct scn_tree *network, double scale)
{
    struct scn_tree *classical = scn_tree_find(network, "classical");
    if (classical == NULL || scn_tree_find(classical, "links") == NULL ||
        !scn_tree_own(ctx, classical)) {
        return;
    }
    struct scn_tree *links = scn_expand_list(ctx, classical, "links");
    links_scale(ctx, links, scale);
}

void scn_spans_expand(struct scn_ctx *ctx, struct scn_tree *network)
{
    struct scn_spans spans = {0};
    scn_decode_early(ctx, &scn_table_network, network, "scale", &spans);
    scn_decode_early(ctx, &scn_table_network, network, "max_span", &spans);
    bool scaled = scn_tree_find(network, "scale") != NULL;
    if (!scaled && spans.max_span_m == 0) {
        return;
    }
    struct scn_tree *links = scn_expand_list(ctx, network, "links");
    if (links == NULL) {
        return;
    }
    if (scaled) {
        links_scale(ctx, links, spans.scale);
        cables_scale(ctx, network, spans.scale);
    }
    if (spans.max_span_m > 0) {
        links_cut(ctx, network, links, spans.max_span_m);
    }
}
