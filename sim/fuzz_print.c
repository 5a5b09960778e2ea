/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as a scenario file, with the keys that matter and no others. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/base/err.h"
#include "sim/fuzz.h"

struct writer {
    const struct sim_fuzz_plan *plan;
    char *text;
    size_t len;
};

/* Node 0 is A. */
static char name(uint32_t node)
{
    return (char)('A' + node);
}

static void put(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(w->text + w->len, SIM_FUZZ_TEXT - w->len, format, args);
    va_end(args);
    QKD_ASSERT(len >= 0 && w->len + (size_t)len < SIM_FUZZ_TEXT);
    w->len += (size_t)len;
}

static void put_nodes(struct writer *w)
{
    put(w, "network:\n  nodes:\n");
    for (uint32_t i = 0; i < w->plan->node_count; i++) {
        if (w->plan->node[i].off) {
            continue;
        }
        put(w, "    - {id: %c", name(i));
        if (w->plan->node[i].offset_s != 0 || w->plan->node[i].drift_ppm != 0) {
            put(w, ", clock: {offset: %" PRId32 " s, drift: %" PRId32 " ppm}",
                w->plan->node[i].offset_s, w->plan->node[i].drift_ppm);
        }
        put(w, "}\n");
    }
}

static void put_links(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    put(w, "  links:\n");
    for (uint32_t i = 0; i < p->link_count; i++) {
        char a = name(p->link[i].a);
        char b = name(p->link[i].b);
        if (p->link[i].off) {
            continue;
        }
        put(w, "    - {id: %c%c, ends: [%c, %c], length: %" PRIu32 " km", a, b, a, b,
            p->link[i].km);
        if (p->link[i].store_kbit > 0) {
            put(w, ", store: %" PRIu32 " kbit", p->link[i].store_kbit);
        }
        put(w, ",\n       qkd: {model: trace, block: %" PRIu32 " kbit, key_form: %s,\n",
            p->link[i].block_kbit, p->link[i].bits ? "bits" : "seed");
        put(w, "             trace: [[0, %" PRIu32 " kbit/s, 0], ", p->link[i].first_kbps);
        put(w, "[%" PRIu32 " ms, %" PRIu32 " kbit/s, 0], [%" PRIu32 " ms, 0, 0]]}}\n",
            p->chaos_end_ms, p->link[i].then_kbps, p->stop_ms);
    }
}

static void put_classical(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    put(w, "  classical: {management: %s", p->in_band ? "in-band" : "separate");
    if (p->bandwidth_kbps > 0) {
        put(w, ", bandwidth: %" PRIu32 " kbit/s, queue: %" PRIu32 " KiB", p->bandwidth_kbps,
            p->queue_kib);
    }
    if (p->loss_pm + p->duplicate_pm + p->reorder_pm > 0) {
        put(w, ",\n              loss: %.3f, duplicate: %.3f, reorder: %.3f", p->loss_pm / 1e3,
            p->duplicate_pm / 1e3, p->reorder_pm / 1e3);
        put(w, ", reorder_jitter: %" PRIu32 " ms, disturbed_until: %" PRIu32 " ms", p->jitter_ms,
            p->chaos_end_ms);
    }
    put(w, "}\n");
}

static void put_policy(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    put(w, "key_management: {batch: %" PRIu32 ", deployment: %s, retention: %s", p->batch,
        p->two ? "two" : "one", p->preserve ? "preserve" : "delete");
    put(w, ", lease: %" PRIu32 " bit, retries: %" PRIu32 ", retransmit: %" PRIu32 " ms,\n",
        p->lease_bits, p->retries, p->retransmit_ms);
    put(w,
        "                 expiry: %" PRIu32 " s, fetch_within: %" PRIu32 " s, timer: %" PRIu32
        " s, bootstrap: %" PRIu32 " kbit}\n",
        p->expiry_s, p->fetch_within_s, p->timer_s, p->bootstrap_kbit);
    put(w, "control: {routing: %s, route_validity: %" PRIu32 " s, status_period: %" PRIu32 " ms",
        p->widest ? "widest" : "fewest-hops", p->validity_s, p->period_ms);
    put(w, ", at: %c}\nmanagement: {at: %c}\n", name(p->controller), name(p->manager));
}

static void put_applications(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    bool first = true;
    for (uint32_t i = 0; i < p->app_count; i++) {
        if (p->app[i].off) {
            continue;
        }
        put(w, "%s  - {id: app%" PRIu32 ", from: %c, to: %c, key: %" PRIu32 " bit, ",
            first ? "applications:\n" : "", i, name(p->app[i].from), name(p->app[i].to),
            p->app[i].key_bits);
        put(w, "count: %" PRIu32 ", arrivals: %s, rate: %.1f /s, level: %s,\n", p->app[i].count,
            p->app[i].poisson ? "poisson" : "periodic", p->app[i].tenths_per_s / 10.0,
            scn_level_name(p->app[i].level));
        put(w,
            "     timeout: %" PRIu32 " s, wait: %s, start: %" PRIu32 " ms, stop: %" PRIu32 " ms}\n",
            p->app[i].timeout_s, p->app[i].wait ? "true" : "false", p->app[i].start_ms,
            p->app[i].stop_ms);
        first = false;
    }
}

static void put_faults(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    bool first = true;
    for (uint32_t i = 0; i < p->fault_count; i++) {
        uint32_t index = p->fault[i].index;
        if (p->fault[i].off) {
            continue;
        }
        put(w, "%s  - {at: %" PRIu32 " ms, ", first ? "faults:\n" : "", p->fault[i].at_ms);
        if (p->fault[i].for_ms > 0) {
            put(w, "for: %" PRIu32 " ms, ", p->fault[i].for_ms);
        }
        if (p->fault[i].what >= SCN_FAULT_CRASH) {
            put(w, "node: %c", name(index));
        } else {
            put(w, "link: %c%c", name(p->link[index].a), name(p->link[index].b));
        }
        put(w, ", what: %s", scn_fault_name(p->fault[i].what));
        if (p->fault[i].output > 0) {
            put(w, ", output: %" PRIu32, p->fault[i].output);
        }
        put(w, "}\n");
        first = false;
    }
}

void sim_fuzz_print(const struct sim_fuzz_plan *plan, char text[SIM_FUZZ_TEXT])
{
    struct writer w = {.plan = plan, .text = text};
    text[0] = '\0';
    put(&w, "scenario: fuzz %" PRIu64 "\nseed: %" PRIu64 "\n", plan->seed, plan->seed);
    put(&w, "duration: %" PRIu32 " ms\nengine: fast\n", plan->end_ms);
    put_nodes(&w);
    put_links(&w);
    put_classical(&w);
    put_policy(&w);
    put_applications(&w);
    put_faults(&w);
}
