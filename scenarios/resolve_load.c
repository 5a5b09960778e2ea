/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What depends on more than one key of an application or a fault: defaults and checks. */
#include "scenarios/field.h"

static void arrivals_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_application *a = &ctx->scenario->applications[i];
    bool trace = a->arrivals == SCN_ARRIVALS_TRACE;
    bool rate = scn_given(ctx, SCN_KIND_APPLICATION, i, "rate");
    bool times = scn_given(ctx, SCN_KIND_APPLICATION, i, "times");
    struct scn_place place = scn_place_of(ctx, SCN_KIND_APPLICATION, i, "arrivals");
    const char *word = trace ? "trace"
                             : (a->arrivals == SCN_ARRIVALS_POISSON ? "poisson" : "periodic");
    if (!trace && !rate) {
        scn_mistake(ctx, place, "the key 'rate' is missing: arrivals %s needs it, such as '2 /s'",
                    word);
    }
    if (trace && !times) {
        scn_mistake(ctx, place, "the key 'times' is missing: arrivals trace needs it");
    }
    if (trace && rate) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "rate"),
                    "rate has no meaning for arrivals trace");
    }
    if (!trace && times) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "times"),
                    "times has no meaning for arrivals %s", word);
    }
    if (a->arrivals != SCN_ARRIVALS_PERIODIC && scn_given(ctx, SCN_KIND_APPLICATION, i, "offset")) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "offset"),
                    "offset has no meaning for arrivals %s", word);
    }
    if (a->arrivals == SCN_ARRIVALS_PERIODIC && a->offset_ns < 0 && a->rate_per_s > 0) {
        double period_ns = 1e9 / a->rate_per_s; /* at most 10^18: the least rate is 10^-9 /s */
        a->offset_ns = (int64_t)(period_ns + 0.5);
    }
}

void scn_applications_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->application_count; i++) {
        struct scn_application *a = &s->applications[i];
        if (a->from == a->to && a->from < s->node_count) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "to"),
                        "the application pair is at one node, '%s': expected two nodes",
                        s->nodes[a->from].id);
        }
        arrivals_resolve(ctx, i);
        if (a->stop_ns != SCN_AUTO && a->stop_ns <= a->start_ns) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "stop"),
                        "stop is not after start");
        }
        if (s->duration_ns > 0 && a->start_ns >= s->duration_ns) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "start"),
                        "start is not before the end of the run");
        }
        if (a->stop_ns == SCN_AUTO || a->stop_ns > s->duration_ns) {
            a->stop_ns = s->duration_ns;
        }
    }
}

static void fault_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_fault *fault = &ctx->scenario->faults[i];
    bool link = scn_given(ctx, SCN_KIND_FAULT, i, "link");
    bool node = scn_given(ctx, SCN_KIND_FAULT, i, "node");
    if (link == node) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_FAULT, i, link ? "node" : ""),
                    "expected a link or a node%s", link ? ", not both" : ": neither is given");
        return;
    }
    int what = (int)fault->what;
    bool crash = what == SCN_FAULT_CRASH || what == SCN_FAULT_DOWN;
    if (what < 0) {
        fault->what = link ? SCN_FAULT_BOTH : SCN_FAULT_CRASH;
    } else if (crash == link) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_FAULT, i, "what"),
                    "what '%s' is not for a %s: %s", scn_word_of(scn_words_fault, what),
                    link ? "link" : "node",
                    link ? "expected both, quantum or classical" : "expected crash or down");
    }
}

void scn_faults_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->fault_count; i++) {
        fault_resolve(ctx, i);
        if (s->duration_ns > 0 && s->faults[i].at_ns >= s->duration_ns) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_FAULT, i, "at"),
                        "the fault is not before the end of the run");
        }
    }
}
