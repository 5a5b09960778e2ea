/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fault or a risk group names: one id, a list of ids, a pattern, a group. Lists and patterns
 * stay in the tree until scenarios/faults.c makes single faults of them. */
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"
#include "scenarios/risk.h"

#define SCHEMA_TARGET                                                                              \
    "\"anyOf\": [{\"type\": [\"string\", \"number\", \"boolean\"], \"pattern\": "                  \
    "\"^[A-Za-z0-9_.:*-]{1,63}$\"}, {\"type\": \"array\", \"minItems\": 1, \"items\": "            \
    "{" SCN_SCHEMA_ID "}}]"
#define SCHEMA_LIST "\"type\": \"array\", \"minItems\": 1, \"items\": {" SCN_SCHEMA_ID "}"

static bool is_id(const struct scn_tree *value)
{
    return value->kind == SCN_TREE_SCALAR && !scn_tree_is_null(value);
}

/* A list of ids, not empty; a mistake if it is none. */
static bool is_list(struct scn_ctx *ctx, const struct scn_tree *value, const char *of)
{
    bool good = value->kind == SCN_TREE_LIST && value->count > 0;
    for (const struct scn_tree *item = value->first; good && item != NULL; item = item->next) {
        good = is_id(item);
    }
    if (!good) {
        scn_mistake(ctx, value->place, "expected a list of ids of %s", of);
    }
    return good;
}

/* ---- targets of faults ---- */

static void fault_target(struct scn_ctx *ctx, const struct scn_tree *value, struct scn_fault *fault,
                         enum scn_target target)
{
    static const char *const one[] = {"link", "node", "classical link"};
    static const char *const many[] = {"links", "nodes", "classical links"};
    static const enum scn_kind kinds[] = {SCN_KIND_LINK, SCN_KIND_NODE, SCN_KIND_CLASSICAL};
    if (value == NULL) {
        return;
    }
    fault->target = target;
    if (value->kind == SCN_TREE_LIST) {
        fault->many = is_list(ctx, value, many[target]) ? value : NULL;
    } else if (!is_id(value)) {
        scn_mistake(ctx, value->place, "expected the id of a %s", one[target]);
    } else if (strchr(value->text, '*') != NULL) {
        fault->many = value;
    } else {
        fault->index = scn_ref_find(ctx, kinds[target], value->text, value->place);
    }
}

static void fault_link_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_fault *fault = base;
    fault->index = UINT32_MAX; /* the first of the targets in the table */
    fault_target(ctx, value, fault, SCN_TARGET_LINK);
}

static void fault_node_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    fault_target(ctx, value, base, SCN_TARGET_NODE);
}

static void fault_classical_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    fault_target(ctx, value, base, SCN_TARGET_CLASSICAL);
}

static void fault_group_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_fault *fault = base;
    if (value == NULL) {
        return;
    }
    if (!is_id(value)) {
        scn_mistake(ctx, value->place, "expected the id of a risk group");
        return;
    }
    fault->group = value;
}

static bool target_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                         const struct scn_fault *fault, enum scn_target target)
{
    if (fault->target != target) {
        return false;
    }
    scn_buffer_quoted(out, target == SCN_TARGET_LINK ? scenario->links[fault->index].id
                           : target == SCN_TARGET_NODE
                               ? scenario->nodes[fault->index].id
                               : scenario->classical.links[fault->index].id);
    return true;
}

static bool fault_link_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                             const void *base)
{
    return target_print(out, scenario, base, SCN_TARGET_LINK);
}

static bool fault_node_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                             const void *base)
{
    return target_print(out, scenario, base, SCN_TARGET_NODE);
}

static bool fault_classical_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                                  const void *base)
{
    return target_print(out, scenario, base, SCN_TARGET_CLASSICAL);
}

/* Groups and lists have become single faults. */
static bool nothing_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                          const void *base)
{
    (void)out;
    (void)scenario;
    (void)base;
    return false;
}

const struct scn_special scn_special_fault_link = {fault_link_decode, fault_link_print,
                                                   SCHEMA_TARGET};
const struct scn_special scn_special_fault_node = {fault_node_decode, fault_node_print,
                                                   SCHEMA_TARGET};
const struct scn_special scn_special_fault_classical = {fault_classical_decode,
                                                        fault_classical_print, SCHEMA_TARGET};
const struct scn_special scn_special_fault_group = {fault_group_decode, nothing_print,
                                                    SCN_SCHEMA_ID};

/* ---- members of risk groups ---- */

static void members_decode(struct scn_ctx *ctx, const struct scn_tree *value, const char *of,
                           const struct scn_tree **list)
{
    *list = value != NULL && is_list(ctx, value, of) ? value : NULL;
}

static void risk_links_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    members_decode(ctx, value, "links", &((struct scn_risk_group *)base)->links);
}

static void risk_nodes_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    members_decode(ctx, value, "nodes", &((struct scn_risk_group *)base)->nodes);
}

static void risk_classical_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    members_decode(ctx, value, "classical links",
                   &((struct scn_risk_group *)base)->classical_links);
}

const struct scn_special scn_special_risk_links = {risk_links_decode, nothing_print, SCHEMA_LIST};
const struct scn_special scn_special_risk_nodes = {risk_nodes_decode, nothing_print, SCHEMA_LIST};
const struct scn_special scn_special_risk_classical = {risk_classical_decode, nothing_print,
                                                       SCHEMA_LIST};
