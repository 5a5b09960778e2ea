/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loading: read, parse, override, decode, resolve; then either a whole scenario or nothing. */
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/field.h"
#include "scenarios/multicast.h"

void scn_free(struct scn_scenario *scenario)
{
    if (scenario == NULL) {
        return;
    }
    for (size_t i = 0; i < scenario->node_count; i++) {
        scn_mem_free(scenario->nodes[i].user_networks);
        scn_mem_free(scenario->nodes[i].ksa_address);
    }
    for (size_t i = 0; i < scenario->link_count; i++) {
        scn_mem_free(scenario->links[i].qkd.trace);
    }
    for (size_t i = 0; i < scenario->application_count; i++) {
        scn_mem_free(scenario->applications[i].times_ns);
        scn_mem_free(scenario->applications[i].address);
        scn_mem_free(scenario->applications[i].profile);
    }
    for (size_t i = 0; i < scenario->optical_switch_count; i++) {
        scn_mem_free(scenario->optical_switches[i].links);
    }
    for (size_t i = 0; i < scenario->relay_point_count; i++) {
        scn_mem_free(scenario->relay_points[i].links);
    }
    scn_mem_free(scenario->optical_switches);
    scn_mem_free(scenario->relay_points);
    scn_mem_free(scenario->classical.switches);
    scn_mem_free(scenario->classical.links);
    scn_mem_free(scenario->nodes);
    scn_mem_free(scenario->links);
    scn_mem_free(scenario->applications);
    scn_mem_free(scenario->access);
    scn_mem_free(scenario->classes);
    scn_mem_free(scenario->faults);
    scn_mem_free(scenario->attacks);
    scn_mem_free(scenario->event_firsts);
    for (size_t i = 0; i < scenario->expect_count; i++) {
        scn_mem_free(scenario->expects[i].where);
    }
    scn_mem_free(scenario->expects);
    scn_mem_free(scenario->watches);
    scn_mem_free(scenario);
}

void scn_errors_fini(struct scn_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        scn_mem_free(errors->lines[i]);
    }
    scn_mem_free(errors->lines);
    for (size_t i = 0; i < errors->source_count; i++) {
        scn_mem_free(errors->sources[i]);
    }
    scn_mem_free(errors->sources);
    *errors = (struct scn_errors){0};
}

static void tree_load(struct scn_ctx *ctx, struct scn_tree *root, const struct scn_sets *sets)
{
    if (root->kind != SCN_TREE_MAP) {
        scn_mistake(ctx, root->place, "expected a mapping of keys to values, such as 'seed: 1'");
        return;
    }
    root = scn_merge(ctx, root);
    if (root == NULL) {
        return;
    }
    if (ctx->network != NULL) {
        scn_merge_network(ctx, root, ctx->network);
    }
    for (size_t i = 0; sets != NULL && i < sets->count; i++) {
        scn_tree_set(ctx, root, sets->texts[i]);
    }
    static const char *const files[] = {"include", "extends", "remove"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const struct scn_tree *set = scn_tree_find(root, files[i]);
        if (set != NULL) {
            scn_mistake(ctx, set->place, "'%s' is for files, not for overrides", files[i]);
        }
    }
    ctx->root = root;
    scn_expand(ctx, root);
    scn_demands_expand(ctx, root);
    scn_multicast_expand(ctx, root);
    scn_decode_section(ctx, &scn_table_scenario, root, root->place, ctx->scenario);
    if (!ctx->no_memory) {
        scn_resolve(ctx);
        scn_expects_resolve(ctx);
    }
}

/* Gives the result out, or frees it, and everything of the load. */
static int finish(struct scn_ctx *ctx, struct scn_scenario **out, struct scn_errors *errors)
{
    struct scn_scenario *scenario = ctx->scenario;
    int err = scn_ctx_finish(ctx, errors);
    if (err == 0) {
        *out = scenario;
    } else {
        scn_free(scenario);
    }
    return err;
}

static void text_load(struct scn_ctx *ctx, const char *text, size_t len,
                      const struct scn_sets *sets)
{
    struct scn_place at = {.source = 0, .line = 1, .column = 1};
    ctx->scenario = scn_mem_new(1, sizeof *ctx->scenario);
    if (ctx->scenario == NULL) {
        ctx->no_memory = true;
        return;
    }
    struct scn_tree *root = scn_tree_parse(ctx, text, len, at);
    if (root != NULL) {
        tree_load(ctx, root, sets);
    }
}

int scn_load_text(const struct scn_text *text, const struct scn_sets *sets,
                  struct scn_scenario **out, struct scn_errors *errors)
{
    struct scn_ctx ctx = {.folder = text->folder};
    *out = NULL;
    *errors = (struct scn_errors){0};
    (void)scn_source_add(&ctx, text->name);
    if (text->len > SCN_MAX_BYTES) {
        scn_mistake(&ctx, (struct scn_place){0}, "too large: at most %u MiB are read",
                    SCN_MAX_BYTES >> 20);
    } else if (!ctx.no_memory) {
        text_load(&ctx, text->text, text->len, sets);
    }
    return finish(&ctx, out, errors);
}

int scn_load(const char *path, const struct scn_sets *sets, struct scn_scenario **out,
             struct scn_errors *errors)
{
    return scn_load_on(path, NULL, sets, out, errors);
}

int scn_load_on(const char *path, const char *network, const struct scn_sets *sets,
                struct scn_scenario **out, struct scn_errors *errors)
{
    struct scn_ctx ctx = {.network = network};
    *out = NULL;
    *errors = (struct scn_errors){0};
    size_t len = 0;
    char *text = scn_ctx_open(&ctx, path, &len);
    if (text != NULL) {
        text_load(&ctx, text, len, sets);
    }
    return finish(&ctx, out, errors);
}

uint32_t scn_link_find(const struct scn_scenario *scenario, const char *id)
{
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        if (strcmp(scenario->links[i].id, id) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

uint32_t scn_application_find(const struct scn_scenario *scenario, const char *id)
{
    for (uint32_t i = 0; i < scenario->application_count; i++) {
        if (strcmp(scenario->applications[i].id, id) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

const char *scn_event_name(const struct scn_scenario *scenario, size_t event)
{
    return event < scenario->fault_events ? scenario->faults[scenario->event_firsts[event]].event
                                          : "";
}

uint32_t scn_event_find(const struct scn_scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->fault_events && name[0] != '\0'; i++) {
        if (strcmp(scn_event_name(scenario, i), name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

uint64_t scn_stream_seed(const struct scn_scenario *scenario, int64_t given)
{
    return given == SCN_AUTO ? scenario->seed : (uint64_t)given;
}

uint64_t scn_application_seed(const struct scn_scenario *scenario, size_t application)
{
    int64_t own = scenario->applications[application].seed;
    return scn_stream_seed(scenario, own == SCN_AUTO ? scenario->seeds.arrivals : own);
}

uint64_t scn_link_seed(const struct scn_scenario *scenario, size_t link)
{
    int64_t own = scenario->links[link].seed;
    return scn_stream_seed(scenario, own == SCN_AUTO ? scenario->seeds.links : own);
}

const char *scn_engine_name(enum scn_engine engine)
{
    return engine == SCN_ENGINE_LIVE ? "live" : scn_word_of(scn_words_engine, (int)engine);
}

const char *scn_role_name(enum scn_node_role role)
{
    return scn_word_of(scn_words_role, (int)role);
}

const char *scn_level_name(enum scn_level level)
{
    return scn_word_of(scn_words_level, (int)level);
}

const char *scn_relay_name(enum scn_relay relay)
{
    return scn_word_of(scn_words_relay, (int)relay);
}

const char *scn_routing_name(enum scn_routing routing)
{
    return scn_word_of(scn_words_routing, (int)routing);
}

const char *scn_fault_name(enum scn_fault_what what)
{
    return scn_word_of(scn_words_fault, (int)what);
}

void scn_fault_entity(const struct scn_scenario *scenario, const struct scn_fault *fault,
                      char text[SCN_ENTITY_SIZE])
{
    switch (fault->target) {
    case SCN_TARGET_LINK:
        (void)snprintf(text, SCN_ENTITY_SIZE, "link %s", scenario->links[fault->index].id);
        break;
    case SCN_TARGET_CLASSICAL:
        (void)snprintf(text, SCN_ENTITY_SIZE, "classical link %s",
                       scenario->classical.links[fault->index].id);
        break;
    case SCN_TARGET_ELEMENT:
        (void)snprintf(text, SCN_ENTITY_SIZE, "%s", scn_element_name(fault->element));
        break;
    case SCN_TARGET_NODE:
        (void)snprintf(text, SCN_ENTITY_SIZE, "node %s", scenario->nodes[fault->index].id);
        break;
    }
}

const char *scn_element_name(int element)
{
    return scn_word_of(scn_words_element, element);
}
