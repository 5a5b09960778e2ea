/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Demands between all pairs of nodes, alike or by the gravity model. */
#include <string.h>

#include "scenarios/demands.h"
#include "scenarios/rows.h"

/* ---- pairs ---- */

/* The nodes that take part: their ids as scalars, in the order of the file. */
struct nodes {
    struct scn_tree *ids;
    double *weights; /* gravity only */
    size_t count;
};

static void nodes_written(const struct scn_made *made, const struct scn_tree *list,
                          struct nodes *to)
{
    for (const struct scn_tree *item = list->first; item != NULL; item = item->next) {
        if (item->kind != SCN_TREE_SCALAR || scn_tree_is_null(item)) {
            scn_mistake(made->ctx, item->place, "expected the id of a node");
        } else {
            to->ids[to->count++] = *item;
        }
    }
}

static void nodes_all(const struct scn_made *made, const struct scn_tree *list, struct nodes *to)
{
    for (const struct scn_tree *item = list->first; item != NULL; item = item->next) {
        const struct scn_tree *id = scn_tree_find(item, "id");
        if (id != NULL && id->text != NULL) {
            to->ids[to->count] = *id;
            to->ids[to->count++].place = made->item->place;
        }
    }
}

void scn_demand_pairs(const struct scn_made *made, const struct scn_demand *demand,
                      const struct scn_tree *network)
{
    const struct scn_tree *written = scn_tree_find(made->item, "nodes");
    const struct scn_tree *list = written != NULL ? written : scn_tree_find(network, "nodes");
    if (list == NULL || list->kind != SCN_TREE_LIST || list->count == 0) {
        if (written != NULL) {
            scn_mistake(made->ctx, list->place, "nodes: expected a list of the ids of nodes");
        }
        return;
    }
    struct nodes nodes = {.ids = scn_ctx_new(made->ctx, (list->count + 1) * sizeof *nodes.ids)};
    if (nodes.ids == NULL) {
        return;
    }
    (written != NULL ? nodes_written : nodes_all)(made, list, &nodes);
    if (written != NULL && nodes.count < 2) {
        scn_mistake(made->ctx, list->place, "nodes: expected at least two, which make a pair");
    }
    double count = (double)nodes.count;
    double pairs = count * (count - 1) / (demand->pairs == SCN_PAIRS_ONCE ? 2 : 1);
    if (!scn_demand_room(made, pairs, made->item->place)) {
        return;
    }
    for (size_t i = 0; i < nodes.count; i++) {
        for (size_t k = demand->pairs == SCN_PAIRS_ONCE ? i + 1 : 0; k < nodes.count; k++) {
            struct scn_tree *application =
                i == k ? NULL : scn_demand_pair(made, &nodes.ids[i], &nodes.ids[k]);
            if (application != NULL) {
                scn_demand_template(made, application);
            }
        }
    }
}

/* ---- gravity ---- */

static void weight_add(const struct scn_made *made, struct nodes *nodes,
                       const struct scn_tree *node, const struct scn_tree *weight)
{
    double value = 0;
    const char *why = weight->kind != SCN_TREE_SCALAR
                          ? "is not a number"
                          : scn_real_parse(SCN_DIM_REAL, weight->text, &value);
    if (why != NULL || !weight->plain || value < 0 || value > MOST_BITS) {
        scn_mistake(made->ctx, weight->place,
                    "the weight of node '%.64s': expected a number from 0", node->text);
    } else if (value > 0) {
        nodes->ids[nodes->count] = *node;
        nodes->weights[nodes->count++] = value;
    }
}

/* Weights from a mapping {A: 10, B: 3}, or a table of node,weight. */
static bool weights_read(const struct scn_made *made, const struct scn_tree *written,
                         struct nodes *nodes)
{
    struct scn_tree weights = *written;
    bool table = weights.kind == SCN_TREE_SCALAR && !scn_tree_is_null(&weights);
    if (table) {
        scn_tree_table(made->ctx, &weights);
    }
    nodes->ids = scn_ctx_new(made->ctx, (weights.count + 1) * sizeof *nodes->ids);
    nodes->weights = scn_ctx_new(made->ctx, (weights.count + 1) * sizeof *nodes->weights);
    if (nodes->ids == NULL || nodes->weights == NULL) {
        return false;
    }
    if (!table && weights.kind != SCN_TREE_MAP) {
        scn_mistake(made->ctx, written->place,
                    "weights: expected a file name or a mapping of nodes to numbers");
        return false;
    }
    for (const struct scn_tree *item = weights.first; item != NULL; item = item->next) {
        struct scn_tree name = {.text = item->key, .place = item->key_place};
        const struct scn_tree *node = table ? scn_tree_find(item, "node") : &name;
        const struct scn_tree *weight = table ? scn_tree_find(item, "weight") : item;
        if (node == NULL || weight == NULL || (table && item->count != 2)) {
            scn_mistake(made->ctx, item->place, "expected the columns node,weight");
        } else {
            weight_add(made, nodes, node, weight);
        }
    }
    return true;
}

/* d_ij = T w_i w_j / (sum over i != j of w_i w_j): the simple gravity model (M. Roughan, Simplifying
 * the synthesis of Internet traffic matrices, ACM SIGCOMM CCR 35(5), 2005, there with i = j). */
void scn_demand_gravity(const struct scn_made *made, const struct scn_demand *demand)
{
    const struct scn_tree *written = scn_tree_find(made->item, "weights");
    struct nodes nodes = {0};
    if (written == NULL) {
        scn_mistake(made->ctx, made->item->place,
                    "the key 'weights' is missing in demand: gravity needs a weight of each node");
        return;
    }
    if (!weights_read(made, written, &nodes)) {
        return;
    }
    double count = (double)nodes.count;
    if (nodes.count < 2) {
        scn_mistake(made->ctx, written->place, "expected weights above 0 for at least two nodes");
        return;
    }
    if (!scn_demand_room(made, count * (count - 1), made->item->place)) {
        return;
    }
    double sum = 0;
    for (size_t i = 0; i < nodes.count; i++) {
        for (size_t k = 0; k < nodes.count; k++) {
            sum += i == k ? 0 : nodes.weights[i] * nodes.weights[k];
        }
    }
    for (size_t i = 0; i < nodes.count; i++) {
        for (size_t k = 0; k < nodes.count; k++) {
            struct scn_tree *application =
                i == k ? NULL : scn_demand_pair(made, &nodes.ids[i], &nodes.ids[k]);
            if (application != NULL) {
                double rate = demand->gravity_bps * (nodes.weights[i] * nodes.weights[k] / sum);
                struct scn_tree *value = scn_tree_add(made->ctx, application, "key_rate",
                                                      made->item->place);
                if (value != NULL) {
                    value->plain = true;
                    value->text = scn_expand_text(made->ctx, "%.17g bit/s", rate);
                }
                scn_demand_template(made, application);
            }
        }
    }
}
