/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What expectations name: links and applications, which may be known only when all else is resolved,
 * and the figures that a world must collect for windows and for via[...]. Expectations with the same
 * window share what is collected. */
#include <stdio.h>
#include <string.h>

#include "scenarios/field.h"

bool scn_pattern_matches(const char *pattern, const char *id)
{
    const char *star = NULL; /* last `*` passed, and what it stands for so far */
    const char *taken = NULL;
    while (*id != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            taken = id;
        } else if (*pattern == *id) {
            pattern++;
            id++;
        } else if (star != NULL) {
            pattern = star + 1;
            id = ++taken;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static const char *const scope_names[] = {"run", "link", "application", "event", "attack"};

/* Ids of all links, applications or events: the i-th. */
static const char *id_of(const struct scn_scenario *scenario, enum scn_scope scope, size_t i)
{
    return scope == SCN_SCOPE_LINK     ? scenario->links[i].id
           : scope == SCN_SCOPE_EVENT  ? scn_event_name(scenario, i)
           : scope == SCN_SCOPE_ATTACK ? scenario->attacks[i].id
                                       : scenario->applications[i].id;
}

static size_t scope_size(const struct scn_scenario *scenario, enum scn_scope scope)
{
    return scope == SCN_SCOPE_LINK     ? scenario->link_count
           : scope == SCN_SCOPE_EVENT  ? scenario->fault_events
           : scope == SCN_SCOPE_ATTACK ? scenario->attack_count
                                       : scenario->application_count;
}

/* "there is no link 'AX'", with the nearest id. */
static void unknown_id(struct scn_ctx *ctx, size_t number, enum scn_scope scope, const char *id)
{
    const struct scn_scenario *scenario = ctx->scenario;
    size_t count = scope_size(scenario, scope);
    if (ctx->incomplete) {
        return;
    }
    if (scope == SCN_SCOPE_LINK && scn_link_was_cut(ctx, id)) {
        scn_mistake(ctx, ctx->expect_places[number],
                    "'%s': link '%s' was cut into spans by max_span: expected '%s.1' or another "
                    "one, or all of them as in min(link[%s.*].pool_min_bits)",
                    scenario->expects[number].text, id, id, id);
        return;
    }
    const char **ids = scn_ctx_new(ctx, (count + 1) * sizeof *ids);
    for (size_t i = 0; ids != NULL && i < count; i++) {
        ids[i] = id_of(scenario, scope, i);
    }
    char hint[SCN_NAME_SIZE];
    const char *near = ids == NULL ? NULL : scn_nearest(id, ids, count);
    scn_mistake(ctx, ctx->expect_places[number], "'%s': unknown %s '%s'%s",
                scenario->expects[number].text, scope_names[scope], id, scn_hint(hint, near));
}

static bool names_resolve(struct scn_ctx *ctx, size_t number)
{
    const struct scn_scenario *scenario = ctx->scenario;
    struct scn_expect *expect = &scenario->expects[number];
    expect->index = 0;
    if (expect->via[0] != '\0' && scn_link_find(scenario, expect->via) == UINT32_MAX) {
        unknown_id(ctx, number, SCN_SCOPE_LINK, expect->via);
        return false;
    }
    if (expect->aggregate != SCN_OF_ONE) {
        for (size_t i = 0; i < scope_size(scenario, expect->scope); i++) {
            if (scn_pattern_matches(expect->pattern, id_of(scenario, expect->scope, i))) {
                return true;
            }
        }
        if (!ctx->incomplete) {
            scn_mistake(ctx, ctx->expect_places[number], "'%s': no %s is called like '%s'",
                        expect->text, scope_names[expect->scope], expect->pattern);
        }
        return false;
    }
    if (expect->scope != SCN_SCOPE_RUN) {
        expect->index = expect->scope == SCN_SCOPE_LINK ? scn_link_find(scenario, expect->pattern)
                        : expect->scope == SCN_SCOPE_EVENT
                            ? scn_event_find(scenario, expect->pattern)
                        : expect->scope == SCN_SCOPE_ATTACK
                            ? scn_attack_find(scenario, expect->pattern)
                            : scn_application_find(scenario, expect->pattern);
    }
    if (expect->index == UINT32_MAX) {
        unknown_id(ctx, number, expect->scope, expect->pattern);
        return false;
    }
    return true;
}

/* ---- watches ---- */

static bool watch_wanted(const struct scn_expect *expect)
{
    return expect->has_window || expect->via[0] != '\0';
}

/* Whether two expectations read what the same watches collect. */
static bool watches_same(const struct scn_expect *a, const struct scn_expect *b)
{
    return a->scope == b->scope && a->from_ns == b->from_ns && a->to_ns == b->to_ns &&
           (a->aggregate == SCN_OF_ONE) == (b->aggregate == SCN_OF_ONE) &&
           strcmp(a->pattern, b->pattern) == 0 && strcmp(a->via, b->via) == 0;
}

static void watch_add(struct scn_ctx *ctx, size_t *room, const struct scn_watch *watch)
{
    struct scn_scenario *scenario = ctx->scenario;
    if (scenario->watch_count == *room) {
        *room = *room == 0 ? 16 : 2 * *room;
        struct scn_watch *grown = scn_mem_resize(scenario->watches, *room, sizeof *grown);
        if (grown == NULL) {
            ctx->no_memory = true;
            return;
        }
        scenario->watches = grown;
    }
    scenario->watches[scenario->watch_count++] = *watch;
}

/* A watch of each link or application that the expectation is about. */
static void watches_make(struct scn_ctx *ctx, struct scn_expect *expect, size_t *room)
{
    const struct scn_scenario *scenario = ctx->scenario;
    struct scn_watch watch = {expect->scope, expect->index, UINT32_MAX, expect->from_ns,
                              expect->to_ns};
    if (expect->via[0] != '\0') {
        watch.via = scn_link_find(scenario, expect->via);
    }
    expect->watch = (uint32_t)scenario->watch_count;
    if (expect->aggregate == SCN_OF_ONE) {
        watch_add(ctx, room, &watch);
        expect->watch_count = 1;
        return;
    }
    for (uint32_t i = 0; i < scope_size(scenario, expect->scope) && !ctx->no_memory; i++) {
        if (scn_pattern_matches(expect->pattern, id_of(scenario, expect->scope, i))) {
            watch.index = i;
            watch_add(ctx, room, &watch);
            expect->watch_count++;
        }
    }
}

void scn_expects_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *scenario = ctx->scenario;
    size_t room = 0;
    for (size_t i = 0; i < scenario->expect_count && !ctx->no_memory; i++) {
        struct scn_expect *expect = &scenario->expects[i];
        expect->watch = 0;
        expect->watch_count = 0;
        if (!names_resolve(ctx, i) || !watch_wanted(expect)) {
            continue;
        }
        for (size_t j = 0; j < i && expect->watch_count == 0; j++) {
            const struct scn_expect *other = &scenario->expects[j];
            if (other->watch_count > 0 && watches_same(other, expect)) {
                expect->watch = other->watch;
                expect->watch_count = other->watch_count;
            }
        }
        if (expect->watch_count == 0) {
            watches_make(ctx, expect, &room);
        }
        if (scenario->watch_count > SCN_MAX_WATCHES) {
            scn_mistake(ctx, ctx->expect_places[i],
                        "'%s': too much to watch: expected windows on at most %d links, "
                        "applications and runs together",
                        expect->text, SCN_MAX_WATCHES);
            return;
        }
    }
}
