/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multicast: `also` names further nodes whose applications get the same keys as the one at `to`. Each
 * becomes an application of its own in the tree, <id>.<node>, of which `of` says whose keys it gets: so
 * what is decoded, printed and run are application pairs like any other. */
#include "scenarios/multicast.h"

#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/expand.h"

#define EXPECTED_ALSO "also: expected a list of the ids of further nodes, such as [C, D]"

/* ---- also ---- */

static void also_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    (void)ctx; /* read from the tree */
    (void)value;
    (void)base;
}

static bool also_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    (void)out;
    (void)scenario;
    (void)base;
    return false;
}

const struct scn_special scn_special_also = {also_decode, also_print,
                                             "\"type\": \"array\", \"minItems\": 1, \"maxItems\": "
                                             "15, \"items\": {" SCN_SCHEMA_ID "}"};

static struct scn_tree *text_add(struct scn_ctx *ctx, struct scn_tree *map, const char *key,
                                 const struct scn_tree *like)
{
    struct scn_tree *child = scn_tree_add(ctx, map, key, like->place);
    if (child != NULL) {
        child->plain = true;
        child->text = like->text;
    }
    return child;
}

static void member_add(struct scn_ctx *ctx, struct scn_tree *list, const struct scn_tree *leader,
                       const struct scn_tree *node)
{
    const struct scn_tree *id = scn_tree_find(leader, "id");
    const struct scn_tree *from = scn_tree_find(leader, "from");
    if (id == NULL || id->text == NULL || from == NULL || from->text == NULL) {
        return; /* said where they are decoded */
    }
    if (strlen(id->text) + strlen(node->text) + 1 >= SCN_ID_SIZE) {
        scn_mistake(ctx, node->place, "the id '%.64s.%.64s' is longer than %d letters", id->text,
                    node->text, SCN_ID_SIZE - 1);
        return;
    }
    struct scn_tree *member = scn_tree_add(ctx, list, NULL, node->place);
    if (member == NULL) {
        return;
    }
    member->kind = SCN_TREE_MAP;
    member->text = NULL;
    struct scn_tree *own = text_add(ctx, member, "id", node);
    if (own != NULL) {
        own->text = scn_expand_text(ctx, "%s.%s", id->text, node->text);
    }
    (void)text_add(ctx, member, "from", from);
    (void)text_add(ctx, member, "to", node);
    (void)text_add(ctx, member, "of", id);
}

void scn_multicast_expand(struct scn_ctx *ctx, struct scn_tree *root)
{
    const struct scn_tree *written = scn_tree_find(root, "applications");
    bool any = false;
    if (written == NULL || written->kind != SCN_TREE_LIST) {
        return;
    }
    for (const struct scn_tree *item = written->first; item != NULL; item = item->next) {
        any = any || (item->kind == SCN_TREE_MAP && scn_tree_find(item, "also") != NULL);
    }
    struct scn_tree *list = any ? scn_expand_list(ctx, root, "applications") : NULL;
    struct scn_tree *last = list == NULL ? NULL : list->last; /* members come behind it */
    for (struct scn_tree *item = last == NULL ? NULL : list->first; item != NULL;
         item = item == last ? NULL : item->next) {
        const struct scn_tree *also = item->kind == SCN_TREE_MAP ? scn_tree_find(item, "also")
                                                                 : NULL;
        if (also == NULL) {
            continue;
        }
        if (also->kind != SCN_TREE_LIST || also->count == 0) {
            scn_mistake(ctx, also->place, EXPECTED_ALSO);
            continue;
        }
        if (also->count >= SCN_TARGETS_MAX) {
            scn_mistake(ctx, also->place, "also: more than %d nodes", SCN_TARGETS_MAX - 1);
            continue;
        }
        for (const struct scn_tree *node = also->first; node != NULL; node = node->next) {
            if (node->kind != SCN_TREE_SCALAR || scn_tree_is_null(node)) {
                scn_mistake(ctx, node->place, EXPECTED_ALSO);
            } else {
                member_add(ctx, list, item, node);
            }
        }
    }
}

/* ---- of ---- */

static void of_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_application *application = base;
    application->of = 0; /* resolved when all applications are there */
    if (value != NULL && (value->kind != SCN_TREE_SCALAR || scn_tree_is_null(value))) {
        scn_mistake(ctx, value->place, "of: expected the id of an application");
    }
}

static bool of_print(struct scn_buffer *out, const struct scn_scenario *scenario, const void *base)
{
    const struct scn_application *application = base;
    if (application->of > 0) {
        scn_buffer_quoted(out, scenario->applications[application->of - 1].id);
    }
    return application->of > 0;
}

const struct scn_special scn_special_of = {of_decode, of_print, SCN_SCHEMA_ID};

/* What a member does not say: its leader asks. */
static const char *const leader_keys[] = {"rate",    "key_rate", "volume",   "offset", "times",
                                          "on_time", "off_time", "trough",   "peak",   "day",
                                          "profile", "session",  "max_rate", "class",  "seed"};

/* What the leader says for all; a member may say the same, as what is printed does. */
static void same_check(struct scn_ctx *ctx, size_t i, const struct scn_application *leader)
{
    const struct scn_application *a = &ctx->scenario->applications[i];
    const struct {
        const char *key;
        bool same;
    } keys[] = {
        {"key", a->key_bits == leader->key_bits}, {"count", a->count == leader->count},
        {"level", a->level == leader->level},     {"relay", a->relay == leader->relay},
        {"paths", a->paths == leader->paths},     {"timeout", a->timeout_ns == leader->timeout_ns},
        {"wait", a->wait == leader->wait}};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        if (!keys[k].same && scn_given(ctx, SCN_KIND_APPLICATION, i, keys[k].key)) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, keys[k].key),
                        "%s is not that of '%s', which asks for the keys", keys[k].key, leader->id);
        }
    }
}

/* Nodes are all different. */
static void apart_check(struct scn_ctx *ctx, size_t i, const struct scn_application *leader)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_application *a = &s->applications[i];
    bool again = a->to == leader->to;
    for (size_t k = 0; k < i; k++) {
        again = again || (s->applications[k].of == a->of && s->applications[k].to == a->to);
    }
    if (again && a->to < s->node_count) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "to"),
                    "the keys of '%s' go to node '%s' twice: expected one application per node",
                    leader->id, s->nodes[a->to].id);
    }
    if (a->from != leader->from && a->from < s->node_count && leader->from < s->node_count) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "from"),
                    "'%s' gets the keys of '%s', which are asked for at '%s': expected that node",
                    a->id, leader->id, s->nodes[leader->from].id);
    }
}

static void member_resolve(struct scn_ctx *ctx, size_t i, const struct scn_tree *of)
{
    struct scn_scenario *s = ctx->scenario;
    struct scn_application *a = &s->applications[i];
    uint32_t found = of->text == NULL
                         ? UINT32_MAX
                         : scn_ref_find(ctx, SCN_KIND_APPLICATION, of->text, of->place);
    if (found == UINT32_MAX) {
        return;
    }
    if (found >= i || s->applications[found].of != 0) {
        scn_mistake(ctx, of->place,
                    "of: '%.64s' %s: expected an application above that has keys of its own",
                    of->text, found >= i ? "is not above" : "is itself of another one");
        return;
    }
    struct scn_application *leader = &s->applications[found];
    a->of = found + 1;
    leader->members++;
    if (leader->members == SCN_TARGETS_MAX) {
        scn_mistake(ctx, of->place, "the keys of '%s' go to more than %d applications", leader->id,
                    SCN_TARGETS_MAX);
    }
    for (size_t k = 0; k < sizeof leader_keys / sizeof leader_keys[0]; k++) {
        if (scn_given(ctx, SCN_KIND_APPLICATION, i, leader_keys[k])) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, leader_keys[k]),
                        "%s is given, but '%s' asks for the keys", leader_keys[k], leader->id);
        }
    }
    apart_check(ctx, i, leader);
    same_check(ctx, i, leader);
    a->key_bits = leader->key_bits;
    a->count = leader->count;
    a->level = leader->level;
    a->relay = leader->relay;
    a->paths = leader->paths;
    a->timeout_ns = leader->timeout_ns;
    a->wait = leader->wait;
}

/* What a leader cannot have. */
static void leader_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_application *a = &s->applications[i];
    enum scn_relay relay = scn_relay_of(s, a);
    bool own = scn_given(ctx, SCN_KIND_APPLICATION, i, "relay");
    if (relay == SCN_RELAY_FIRST_KEY || relay == SCN_RELAY_DESTINATION) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, own ? "relay" : "id"),
                    "a key for several nodes is drawn, and relay: %s takes a link's: expected "
                    "hop-by-hop or multipath",
                    scn_relay_name(relay));
    }
    if (a->session.rate_bps > 0) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "session"),
                    "a session reserves one route, and the keys go to several nodes: expected no "
                    "session");
    }
    if (a->count > SCN_MULTICAST_KEYS_MAX || (uint64_t)a->count * a->key_bits > 16384) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "count"),
                    "a request for several nodes is of at most %d keys and 16,384 bits",
                    SCN_MULTICAST_KEYS_MAX);
    }
    if (a->timeout_ns >
        s->key_management.fetch_within_ns) { /* the first node's copy is given up then */
        scn_mistake(
            ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "timeout"),
            "a request for several nodes may take no longer than fetch_within, %g s: what one "
            "node has waits for the others so long",
            (double)s->key_management.fetch_within_ns * 1e-9);
    }
}

void scn_multicast_resolve(struct scn_ctx *ctx)
{
    const struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->application_count; i++) {
        const struct scn_tree *of = scn_tree_find(ctx->items[SCN_KIND_APPLICATION].trees[i], "of");
        if (of != NULL) {
            member_resolve(ctx, i, of);
        }
    }
    for (size_t i = 0; i < s->application_count; i++) {
        if (s->applications[i].members > 0) {
            leader_check(ctx, i);
        }
    }
}
