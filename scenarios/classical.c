/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A classical network of its own: switches, links between nodes and switches, and that those who
 * talk can reach one another. Numbers of ends: nodes first, then switches. */
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/expand.h"

#define NS_PER_M 5            /* light in fibre: 5 us per km */
#define LATENCY_LEAST_NS 5000 /* of a link however short */
#define MOST_SWITCHES SCN_MAX_NODES

/* ---- before decoding ---- */

static void id_default(struct scn_ctx *ctx, struct scn_tree *link)
{
    const struct scn_tree *ends = scn_tree_find(link, "ends");
    if (scn_tree_find(link, "id") == NULL && ends != NULL && ends->kind == SCN_TREE_LIST &&
        ends->count == 2 && ends->first->kind == SCN_TREE_SCALAR &&
        ends->last->kind == SCN_TREE_SCALAR && scn_id_valid(ends->first->text) &&
        scn_id_valid(ends->last->text)) {
        (void)scn_tree_put(ctx, link, "id",
                           scn_expand_text(ctx, "%s-%s", ends->first->text, ends->last->text));
    }
}

void scn_classical_expand(struct scn_ctx *ctx, struct scn_tree *network)
{
    struct scn_tree *classical = scn_tree_find(network, "classical");
    if (classical == NULL || scn_tree_find(classical, "links") == NULL ||
        !scn_tree_own(ctx, classical)) {
        return;
    }
    struct scn_tree *links = scn_expand_list(ctx, classical, "links");
    struct scn_tree *link = links == NULL ? NULL : links->first;
    for (; link != NULL; link = link->next) {
        if (link->kind == SCN_TREE_MAP && scn_tree_own(ctx, link)) {
            id_default(ctx, link);
        }
    }
}

/* ---- switches ---- */

static void switch_take(struct scn_ctx *ctx, const struct scn_tree *item)
{
    struct scn_items *items = &ctx->items[SCN_KIND_SWITCH];
    struct scn_switch *at = &ctx->scenario->classical.switches[items->count];
    if (item->kind != SCN_TREE_SCALAR || !scn_id_valid(item->text)) {
        scn_mistake(ctx, item->place,
                    "switches: expected identifiers of 1 to %d letters, digits, '_', '-', '.', ':'",
                    SCN_ID_SIZE - 1);
    } else if (scn_ref_look(ctx, SCN_KIND_NODE, item->text) != UINT32_MAX) {
        scn_mistake(ctx, item->place, "'%s' is a node: expected another name for the switch",
                    item->text);
    } else {
        memcpy(at->id, item->text, strlen(item->text) + 1);
    }
    items->trees[items->count++] = item;
}

static void switches_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    static const struct scn_table table = {.name = "switch",
                                           .item_bytes = sizeof(struct scn_switch),
                                           .kind = SCN_KIND_SWITCH};
    struct scn_classical *classical = base;
    if (value == NULL || scn_tree_is_null(value)) {
        return;
    }
    if (value->kind != SCN_TREE_LIST || value->count > MOST_SWITCHES) {
        scn_mistake(ctx, value->place, "switches: expected a list of at most %d identifiers",
                    MOST_SWITCHES);
        return;
    }
    struct scn_items *items = &ctx->items[SCN_KIND_SWITCH];
    items->trees = scn_ctx_new(ctx, (value->count + 1) * sizeof *items->trees);
    classical->switches = scn_mem_new(value->count, sizeof *classical->switches);
    if (items->trees == NULL || classical->switches == NULL) {
        ctx->no_memory = true;
        return;
    }
    for (const struct scn_tree *item = value->first; item != NULL; item = item->next) {
        switch_take(ctx, item);
    }
    classical->switch_count = items->count;
    scn_items_index(ctx, &table, classical->switches[0].id);
}

static bool switches_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                           const void *base)
{
    const struct scn_classical *classical = base;
    (void)scenario;
    scn_buffer_text(out, "[");
    for (size_t i = 0; i < classical->switch_count; i++) {
        scn_buffer_text(out, i == 0 ? "" : ", ");
        scn_buffer_quoted(out, classical->switches[i].id);
    }
    scn_buffer_text(out, "]");
    return classical->switch_count > 0;
}

const struct scn_special scn_special_switches = {
    switches_decode, switches_print,
    "\"type\": [\"array\", \"null\"], \"items\": {" SCN_SCHEMA_ID "}"};

/* ---- ends ---- */

/* The number of a node or switch; UINT32_MAX and a mistake if there is none. */
static uint32_t end_find(struct scn_ctx *ctx, const struct scn_tree *end)
{
    uint32_t found = scn_ref_look(ctx, SCN_KIND_SWITCH, end->text);
    if (found != UINT32_MAX) {
        return (uint32_t)ctx->scenario->node_count + found;
    }
    found = scn_ref_look(ctx, SCN_KIND_NODE, end->text);
    if (found == UINT32_MAX && !ctx->incomplete) {
        const char *near[256];
        size_t count = 0;
        static const enum scn_kind kinds[] = {SCN_KIND_SWITCH, SCN_KIND_NODE};
        for (size_t k = 0; k < 2; k++) {
            const struct scn_items *items = &ctx->items[kinds[k]];
            for (size_t i = 0; i < items->by_id_count && count < sizeof near / sizeof near[0];
                 i++) {
                near[count++] = items->ids + items->by_id[i] * items->stride;
            }
        }
        char hint[SCN_NAME_SIZE];
        scn_mistake(ctx, end->place, "unknown node or switch '%.64s'%s", end->text,
                    scn_hint(hint, scn_nearest(end->text, near, count)));
    }
    return found;
}

static void ends_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_classical_link *link = base;
    link->a = UINT32_MAX;
    link->b = UINT32_MAX;
    if (value == NULL) {
        return;
    }
    if (value->kind != SCN_TREE_LIST || value->count != 2 ||
        value->first->kind != SCN_TREE_SCALAR || value->last->kind != SCN_TREE_SCALAR) {
        scn_mistake(ctx, value->place,
                    "ends: expected the ids of two nodes or switches, such as [A, hub]");
        return;
    }
    link->a = end_find(ctx, value->first);
    link->b = end_find(ctx, value->last);
    if (link->a == link->b && link->a != UINT32_MAX) {
        scn_mistake(ctx, value->place, "the link joins '%s' to itself: expected two ends",
                    value->first->text);
        link->b = UINT32_MAX;
    }
}

static const char *end_id(const struct scn_scenario *scenario, uint32_t end)
{
    return end < scenario->node_count ? scenario->nodes[end].id
                                      : scenario->classical.switches[end - scenario->node_count].id;
}

static bool ends_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    const struct scn_classical_link *link = base;
    scn_buffer_text(out, "[");
    scn_buffer_quoted(out, end_id(scenario, link->a));
    scn_buffer_text(out, ", ");
    scn_buffer_quoted(out, end_id(scenario, link->b));
    scn_buffer_text(out, "]");
    return true;
}

const struct scn_special scn_special_classical_ends = {
    ends_decode, ends_print,
    "\"type\": \"array\", \"items\": {" SCN_SCHEMA_ID "}, \"minItems\": 2, "
    "\"maxItems\": 2"};

/* ---- after decoding ---- */

/* Who reaches whom: a union-find forest of nodes and switches. */
struct reach {
    uint32_t *parent;
};

static uint32_t root_of(const struct reach *reach, uint32_t end)
{
    while (reach->parent[end] != end) {
        reach->parent[end] = reach->parent[reach->parent[end]]; /* path halving */
        end = reach->parent[end];
    }
    return end;
}

/* Neighbours, and with in-band management every node with controller and manager. The ends of
 * applications are joined by a chain of neighbours. */
static void neighbours_check(struct scn_ctx *ctx, const struct reach *reach)
{
    const struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->link_count; i++) {
        const struct scn_link *link = &s->links[i];
        if (link->a < s->node_count && link->b < s->node_count &&
            root_of(reach, link->a) != root_of(reach, link->b)) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "ends"),
                        "no path in the classical network joins '%s' and '%s'",
                        s->nodes[link->a].id, s->nodes[link->b].id);
        }
    }
}

static void management_check(struct scn_ctx *ctx, const struct reach *reach)
{
    const struct scn_scenario *s = ctx->scenario;
    uint32_t hubs[] = {s->control.at, s->management.at, s->control.standby};
    static const char *const names[] = {"controller", "manager", "standby controller"};
    for (size_t k = 0; k < 3; k++) {
        bool is_again = k == 1 && hubs[0] == hubs[1];
        for (uint32_t i = 0; i < s->node_count && hubs[k] < s->node_count && !is_again; i++) {
            if (root_of(reach, i) != root_of(reach, hubs[k])) {
                scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_NODE, i, "id"),
                            "management is in-band, and no path in the classical network joins "
                            "'%s' and the %s at '%s'",
                            s->nodes[i].id, names[k], s->nodes[hubs[k]].id);
            }
        }
    }
}

/* Fills the forest; false if an end is unknown (a mistake already), or without memory. */
static bool reach_fill(struct scn_ctx *ctx, struct reach *reach)
{
    const struct scn_scenario *s = ctx->scenario;
    size_t ends = s->node_count + s->classical.switch_count;
    reach->parent = scn_ctx_new(ctx, (ends + 1) * sizeof *reach->parent);
    if (reach->parent == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < ends; i++) {
        reach->parent[i] = i;
    }
    bool own = s->classical.link_count > 0;
    size_t count = own ? s->classical.link_count : s->link_count;
    for (size_t i = 0; i < count; i++) {
        uint32_t a = own ? s->classical.links[i].a : s->links[i].a;
        uint32_t b = own ? s->classical.links[i].b : s->links[i].b;
        if (a >= ends || b >= ends) {
            return false;
        }
        reach->parent[root_of(reach, a)] = root_of(reach, b);
    }
    return true;
}

static void links_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->classical.link_count; i++) {
        struct scn_classical_link *link = &s->classical.links[i];
        if (link->bandwidth_bps == 0) {
            link->bandwidth_bps = s->classical.bandwidth_bps;
        }
        if (link->latency_ns < 0) {
            int64_t light_ns = link->length_m * NS_PER_M;
            link->latency_ns = light_ns > LATENCY_LEAST_NS ? light_ns : LATENCY_LEAST_NS;
            if (s->classical.latency_ns >= 0) {
                link->latency_ns = s->classical.latency_ns;
            }
        }
    }
    for (size_t i = 0; i < s->link_count; i++) {
        s->links[i].classical_latency_ns = 0;
        s->links[i].classical_bandwidth_bps = 0;
        if (scn_given(ctx, SCN_KIND_LINK, i, "classical")) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_LINK, i, "classical"),
                        "there is no channel beside the link: network.classical.links gives the "
                        "classical network");
        }
    }
}

void scn_classical_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    struct reach reach;
    if (s->classical.link_count > 0) {
        links_resolve(ctx);
    } else if (s->classical.switch_count > 0) {
        scn_mistake(ctx, ctx->items[SCN_KIND_SWITCH].trees[0]->place,
                    "switches, but no classical links: expected 'links' that lead to them");
    }
    if (!reach_fill(ctx, &reach)) {
        return;
    }
    neighbours_check(ctx, &reach);
    if (s->classical.management == SCN_MANAGEMENT_IN_BAND) {
        management_check(ctx, &reach);
    }
}
