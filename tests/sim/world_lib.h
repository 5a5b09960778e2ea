/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of whole worlds share: a scenario from a text, a run, and what its requests came
 * to. Every run is under the oracle unless a test says otherwise. */
#ifndef QKD_TESTS_WORLD_LIB_H
#define QKD_TESTS_WORLD_LIB_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run.h"
#include "sim/world.h"

enum { LIB_REQUESTS = 20000, LIB_ROUTE = 16, LIB_EVENTS = 200 };

/* A request as the sink saw it. */
struct lib_request {
    uint64_t number;
    uint32_t application;
    int64_t start_ns, end_ns, fetched_ns;
    char outcome[16], reason[32];
    uint32_t supplied, route_count;
    uint32_t route[LIB_ROUTE];
};

struct lib_event {
    char kind[24], entity[48];
    int64_t time_ns;
};

struct lib_run {
    struct scn_scenario *scenario;
    struct scn_summary summary;
    struct sim_options options;
    struct sim_hooks hooks;
    struct scn_sink sink;
    char why[200];
    int rc;
    uint64_t outputs;
    struct lib_request requests[LIB_REQUESTS];
    size_t request_count;
    struct lib_event events[LIB_EVENTS];
    size_t event_count, hop_count, pool_count, life_count;
};

static void lib_on_request(void *ctx, const struct scn_request *request)
{
    struct lib_run *run = ctx;
    ck_assert_uint_lt(run->request_count, LIB_REQUESTS);
    struct lib_request *to = &run->requests[run->request_count++];
    *to = (struct lib_request){.number = request->number,
                               .application = request->application,
                               .start_ns = request->start_ns,
                               .end_ns = request->end_ns,
                               .fetched_ns = request->fetched_ns,
                               .supplied = request->keys_supplied,
                               .route_count = (uint32_t)request->route_count};
    strncpy(to->outcome, request->outcome, sizeof(to->outcome) - 1);
    strncpy(to->reason, request->reason, sizeof(to->reason) - 1);
    for (size_t i = 0; i < request->route_count && i < LIB_ROUTE; i++) {
        to->route[i] = request->route[i];
    }
}

static void lib_on_event(void *ctx, const struct scn_event *event)
{
    struct lib_run *run = ctx;
    ck_assert_uint_lt(run->event_count, LIB_EVENTS);
    struct lib_event *to = &run->events[run->event_count++];
    *to = (struct lib_event){.time_ns = event->time_ns};
    strncpy(to->kind, event->kind, sizeof(to->kind) - 1);
    strncpy(to->entity, event->entity, sizeof(to->entity) - 1);
}

static void lib_on_hop(void *ctx, const struct scn_hop *hop)
{
    (void)hop;
    ((struct lib_run *)ctx)->hop_count++;
}

static void lib_on_pool(void *ctx, const struct scn_pool_sample *sample)
{
    (void)sample;
    ((struct lib_run *)ctx)->pool_count++;
}

static void lib_on_life(void *ctx, const struct scn_life *life)
{
    (void)life;
    ((struct lib_run *)ctx)->life_count++;
}

/* Loads `text`; the sink takes everything. */
static inline void lib_begin(struct lib_run *run, const char *text)
{
    memset(run, 0, sizeof(*run));
    struct scn_errors errors;
    struct scn_text from = {"test", text, strlen(text), NULL};
    int rc = scn_load_text(&from, NULL, &run->scenario, &errors);
    ck_assert_msg(rc == 0, "%s", errors.count > 0 ? errors.lines[0] : "scenario does not load");
    scn_errors_fini(&errors);
    run->sink = (struct scn_sink){.ctx = run,
                                  .request = lib_on_request,
                                  .event = lib_on_event,
                                  .hop = lib_on_hop,
                                  .pool = lib_on_pool,
                                  .life = lib_on_life};
    run->options = (struct sim_options){.has_engine = true,
                                        .engine = SCN_ENGINE_FAST,
                                        .sink = &run->sink,
                                        .why = run->why,
                                        .why_size = sizeof(run->why)};
}

/* Runs; the summary is then valid until lib_end(). */
static inline void lib_go(struct lib_run *run)
{
    struct sim_world *world = NULL;
    ck_assert_int_eq(scn_summary_init(&run->summary, run->scenario), 0);
    run->rc = sim_world_new(run->scenario, &run->options, &run->summary, &world);
    if (run->rc == 0) {
        sim_world_hook(world, &run->hooks);
        run->rc = sim_world_run(world);
        run->outputs = world->outputs;
    }
    sim_world_free(world);
}

/* The run went well and no rule was broken. */
static inline void lib_good(const struct lib_run *run)
{
    ck_assert_msg(run->rc == 0, "seed %llu: %s", (unsigned long long)run->scenario->seed, run->why);
    ck_assert_msg(run->summary.oracle.violations == 0, "seed %llu: %s",
                  (unsigned long long)run->scenario->seed, run->summary.oracle.first);
}

static inline void lib_end(struct lib_run *run)
{
    scn_summary_fini(&run->summary);
    scn_free(run->scenario);
    run->scenario = NULL;
}

/* Begin, go, good. */
static inline void lib_run_text(struct lib_run *run, const char *text)
{
    lib_begin(run, text);
    lib_go(run);
    lib_good(run);
}

/* The same with this seed where the classical channels lose and double so many frames, and hold some
 * back. */
static inline void lib_run_lossy(struct lib_run *run, const char *text, uint64_t seed, double loss)
{
    lib_begin(run, text);
    run->scenario->seed = seed;
    run->scenario->classical.loss = run->scenario->classical.duplicate = loss;
    run->scenario->classical.reorder = 0.05;
    lib_go(run);
    lib_good(run);
}

#endif
