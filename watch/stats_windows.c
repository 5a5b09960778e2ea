/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of windows: what `expect:` lines of a scenario ask for beside figures of the whole run.
 * Each watch collects as the run goes on and keeps what a figure needs, no records. */
#include <math.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "watch/stats_state.h"

static bool holds(const struct watch_window *watch, int64_t at_ns)
{
    return watch->plan->from_ns <= at_ns && at_ns < watch->plan->to_ns;
}

/* ---- new, free ---- */

/* Makes first[i] of count items the place of the first watch of item i, from `place` on. */
static void index_make(struct watch_stats *stats, enum scn_scope scope, uint32_t *first,
                       size_t count, uint32_t place)
{
    const struct scn_scenario *scenario = stats->scenario;
    for (size_t i = 0; i < scenario->watch_count; i++) {
        first[scenario->watches[i].index + 2] += scenario->watches[i].scope == scope ? 1 : 0;
    }
    first[0] = first[1] = place;
    for (size_t i = 0; i < count; i++) {
        first[i + 2] += first[i + 1];
    }
    for (size_t i = 0; i < scenario->watch_count; i++) {
        if (scenario->watches[i].scope == scope) {
            stats->by_scope[first[scenario->watches[i].index + 1]++] = &stats->watches[i];
        }
    }
}

int watch_windows_new(struct watch_stats *stats)
{
    const struct scn_scenario *scenario = stats->scenario;
    size_t links = scenario->link_count;
    size_t applications = scenario->application_count;
    size_t most = links > applications ? links : applications; /* an index of any scope */
    stats->watches = calloc(scenario->watch_count + 1, sizeof(*stats->watches));
    stats->by_scope = calloc(scenario->watch_count + 1, sizeof(*stats->by_scope));
    stats->link_watches = calloc(most + 3, sizeof(*stats->link_watches));
    stats->app_watches = calloc(most + 3, sizeof(*stats->app_watches));
    if (stats->watches == NULL || stats->by_scope == NULL || stats->link_watches == NULL ||
        stats->app_watches == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < scenario->watch_count; i++) {
        struct watch_window *watch = &stats->watches[i];
        watch->plan = &scenario->watches[i];
        watch->figures.min_bits = UINT64_MAX;
        if (watch->plan->scope == SCN_SCOPE_RUN) {
            stats->by_scope[stats->run_watches++] = watch;
        }
    }
    index_make(stats, SCN_SCOPE_LINK, stats->link_watches, links, stats->run_watches);
    index_make(stats, SCN_SCOPE_APPLICATION, stats->app_watches, applications,
               stats->link_watches[links]);
    return 0;
}

void watch_windows_free(struct watch_stats *stats)
{
    for (size_t i = 0; stats->watches != NULL && i < stats->scenario->watch_count; i++) {
        watch_tally_fini(&stats->watches[i].tally);
    }
    free(stats->watches);
    free(stats->by_scope);
    free(stats->link_watches);
    free(stats->app_watches);
}

/* Walks over the watches of one link or application and those of the run. */
struct walk {
    struct watch_window *const *watches;
    uint32_t run, run_end, own, own_end;
};

static struct walk walk_over(const struct watch_stats *stats, const uint32_t *first, uint32_t index)
{
    return (struct walk){stats->by_scope, 0, stats->run_watches, first[index], first[index + 1]};
}

static struct watch_window *walk_next(struct walk *walk)
{
    if (walk->run < walk->run_end) {
        return walk->watches[walk->run++];
    }
    return walk->own < walk->own_end ? walk->watches[walk->own++] : NULL;
}

/* ---- requests ---- */

/* The next watch whose window holds the arrival of the request. */
static struct watch_window *walk_arrival(struct walk *walk, const struct watch_request *request)
{
    struct watch_window *watch = walk_next(walk);
    while (watch != NULL && !holds(watch, request->start_ns)) {
        watch = walk_next(walk);
    }
    return watch;
}

void watch_windows_ended(struct watch_stats *stats, const struct watch_request *request)
{
    struct walk walk = walk_over(stats, stats->app_watches, request->application);
    for (struct watch_window *w = walk_arrival(&walk, request); w != NULL;
         w = walk_arrival(&walk, request)) {
        watch_tally_ended(&w->tally, request);
    }
}

static bool route_crosses(const struct watch_route *route, const struct scn_link *link)
{
    const uint32_t *nodes = watch_route_nodes(route);
    for (uint32_t i = 0; i + 1 < route->len; i++) {
        if ((nodes[i] == link->a && nodes[i + 1] == link->b) ||
            (nodes[i] == link->b && nodes[i + 1] == link->a)) {
            return true;
        }
    }
    return false;
}

int watch_windows_served(struct watch_stats *stats, const struct watch_request *request)
{
    int rc = 0;
    struct walk walk = walk_over(stats, stats->app_watches, request->application);
    for (struct watch_window *w = walk_arrival(&walk, request); w != NULL && rc == 0;
         w = walk_arrival(&walk, request)) {
        rc = watch_tally_served(&w->tally, request);
        if (w->plan->via != SCN_NO_INDEX && request->route.len > 0) {
            w->via_known++;
            const struct scn_link *link = &stats->scenario->links[w->plan->via];
            bool crosses = route_crosses(&request->route, link);
            for (uint32_t k = 0; k < request->way_count; k++) {
                crosses = crosses || route_crosses(&request->ways[k].route, link);
            }
            w->via += crosses;
        }
    }
    return rc;
}

int watch_windows_fetched(struct watch_stats *stats, const struct watch_request *request,
                          int64_t took_ns)
{
    int rc = 0;
    struct walk walk = walk_over(stats, stats->app_watches, request->application);
    for (struct watch_window *w = walk_arrival(&walk, request); w != NULL && rc == 0;
         w = walk_arrival(&walk, request)) {
        rc = watch_tally_fetched(&w->tally, took_ns);
    }
    return rc;
}

/* ---- links ---- */

void watch_windows_count(struct watch_stats *stats, int64_t now_ns, uint32_t link,
                         enum watch_link_count what)
{
    struct walk walk = walk_over(stats, stats->link_watches, link);
    for (struct watch_window *w = walk_next(&walk); w != NULL; w = walk_next(&walk)) {
        w->figures.counts[what] += holds(w, now_ns);
    }
}

/* The link's level counts, and is the last one so far. */
static void level_note(const struct watch_link_stats *link, struct watch_window *watch)
{
    uint64_t level = watch_links_level(link);
    if (link->known[0] && link->known[1] && level < watch->figures.min_bits) {
        watch->figures.min_bits = level;
    }
    watch->end_bits = level;
    watch->end_up = link->up[0] && link->up[1];
}

void watch_windows_passed(struct watch_stats *stats, uint32_t link, int64_t now_ns)
{
    const struct watch_link_stats *state = &stats->links[link];
    struct walk walk = walk_over(stats, stats->link_watches, link);
    for (struct watch_window *w = walk_next(&walk); w != NULL; w = walk_next(&walk)) {
        int64_t from_ns = state->since_ns > w->plan->from_ns ? state->since_ns : w->plan->from_ns;
        int64_t to_ns = now_ns < w->plan->to_ns ? now_ns : w->plan->to_ns;
        if (from_ns < to_ns) {
            watch_link_passed(stats, state, (double)(to_ns - from_ns) / 1e9, &w->figures);
            level_note(state, w);
        }
    }
}

void watch_windows_changed(struct watch_stats *stats, uint32_t link, int64_t now_ns)
{
    struct walk walk = walk_over(stats, stats->link_watches, link);
    for (struct watch_window *w = walk_next(&walk); w != NULL; w = walk_next(&walk)) {
        if (holds(w, now_ns)) {
            level_note(&stats->links[link], w);
        }
    }
}

/* ---- the run ---- */

void watch_windows_note(struct watch_stats *stats, int64_t now_ns, size_t member)
{
    for (uint32_t i = 0; i < stats->run_watches; i++) {
        struct watch_window *watch = stats->by_scope[i];
        if (holds(watch, now_ns)) {
            (*(uint64_t *)(void *)((char *)watch + member))++;
        }
    }
}

/* ---- the end ---- */

static void link_finish(const struct watch_stats *stats, const struct watch_window *watch,
                        struct scn_link_summary *to)
{
    const struct watch_link_figures *figures = &watch->figures;
    const struct watch_link_stats *link = &stats->links[watch->plan->index];
    to->rate_bps = stats->scenario->links[watch->plan->index].qkd.mean_bps;
    to->pool_end_bits = watch->end_bits;
    to->pool_min_bits = figures->min_bits == UINT64_MAX ? watch->end_bits : figures->min_bits;
    to->pool_mean_bits = figures->known_s > 0 ? figures->bit_s / figures->known_s : NAN;
    to->exhaustions = figures->counts[WATCH_LINK_EXHAUSTIONS];
    to->empty_s = figures->empty_s;
    to->down_s = figures->down_s + (link->hit_early || !link->was_up ? figures->early_s : 0);
    to->up_end = watch->end_up;
    to->frames = figures->counts[WATCH_LINK_FRAMES];
    to->retransmissions = figures->counts[WATCH_LINK_RETRANSMISSIONS];
    to->tag_failures = figures->counts[WATCH_LINK_TAG_FAILURES];
    to->relayed_keys = figures->counts[WATCH_LINK_RELAYED_KEYS];
    to->fallbacks = figures->counts[WATCH_LINK_FALLBACKS];
    to->fallback_frames = figures->counts[WATCH_LINK_FALLBACK_FRAMES];
}

static void run_finish(struct watch_window *watch, struct scn_summary *to)
{
    const struct watch_link_figures *figures = &watch->figures;
    watch_tally_run(&watch->tally, to);
    to->relay.frames = figures->counts[WATCH_LINK_FRAMES];
    to->relay.retransmissions = figures->counts[WATCH_LINK_RETRANSMISSIONS];
    to->relay.reroutes = watch->reroutes;
    to->pools.fallbacks = figures->counts[WATCH_LINK_FALLBACKS];
    to->relay.fallback_frames = figures->counts[WATCH_LINK_FALLBACK_FRAMES];
    to->pools.exhaustions = figures->counts[WATCH_LINK_EXHAUSTIONS];
    to->pools.empty_s = figures->empty_s;
    to->pools.min_bits = figures->min_bits == UINT64_MAX ? 0 : figures->min_bits;
    to->alarms.raised = watch->alarms_raised;
    to->alarms.cleared = watch->alarms_cleared;
    to->security.auth_failures = watch->auth_failures;
    to->security.forgeries_rejected = figures->counts[WATCH_LINK_TAG_FAILURES];
}

void watch_windows_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary)
{
    for (size_t i = 0; i < summary->watch_count; i++) {
        struct watch_window *watch = &stats->watches[i];
        struct scn_watch_summary *to = &summary->watches[i];
        to->reached = now_ns > watch->plan->from_ns;
        to->via = watch->via_known > 0 ? (double)watch->via / (double)watch->via_known : NAN;
        switch (watch->plan->scope) {
        case SCN_SCOPE_LINK:
            link_finish(stats, watch, to->of.link);
            break;
        case SCN_SCOPE_APPLICATION:
            watch_tally_application(&watch->tally, to->of.application);
            break;
        case SCN_SCOPE_RUN:
            run_finish(watch, to->of.run);
            break;
        case SCN_SCOPE_EVENT:
        case SCN_SCOPE_ATTACK:
            break; /* has no windows */
        }
    }
}
