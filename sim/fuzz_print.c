/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as a scenario file, with the keys that matter and no others. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/base/err.h"
#include "sim/fuzz_plan.h"

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
        if (w->plan->addresses) {
            put(w, ", user_networks: [10.%" PRIu32 ".0.0/16, net-%c%s]", i + 1, name(i),
                i == w->plan->widest_node ? ", 10.0.0.0/8" : "");
            put(w, ", ksa_address: 172.16.%" PRIu32 ".%s", i, i % 2 == 0 ? "0/24" : "1");
        }
        put(w, "%s}\n", w->plan->outside ? ", boundary: outside" : "");
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
        if (p->link[i].initial_kbit > 0) {
            put(w, ", initial: %" PRIu32 " kbit", p->link[i].initial_kbit);
        }
        put(w, ",\n       qkd: {model: trace, block: %" PRIu32 " kbit, key_form: %s%s,\n",
            p->link[i].block_kbit, p->link[i].bits ? "bits" : "seed",
            p->link[i].random_blocks ? ", blocks: poisson" : "");
        put(w, "             trace: [[0, %" PRIu32 " kbit/s, 0], ", p->link[i].first_kbps);
        if (p->link[i].noise_ms < p->link[i].quiet_ms) {
            put(w, "[%" PRIu32 " ms, %" PRIu32 " kbit/s, 12 %%], ", p->link[i].noise_ms,
                p->link[i].first_kbps);
            put(w, "[%" PRIu32 " ms, %" PRIu32 " kbit/s, 2 %%], ", p->link[i].quiet_ms,
                p->link[i].first_kbps);
        }
        put(w, "[%" PRIu32 " ms, %" PRIu32 " kbit/s, 0], [%" PRIu32 " ms, 0, 0]]}}\n",
            p->chaos_end_ms, p->link[i].then_kbps, p->stop_ms);
    }
}

static void put_opticals(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    bool first = true;
    if (sim_fuzz_is_alone(p)) {
        return; /* nobody commands them */
    }
    for (uint32_t i = 0; i < p->link_count; i++) {
        if ((p->optical.links >> i & 1) != 0) {
            put(w, "%s%c%c", first ? "  optical_switches:\n    - {id: S, links: [" : ", ",
                name(p->link[i].a), name(p->link[i].b));
            first = false;
        }
    }
    if (!first) {
        put(w, "], at: %c, by: %s, dwell: %" PRIu32 " ms, switching: %" PRIu32 " ms}\n",
            name(p->optical.node), p->optical.by_demand ? "demand" : "schedule",
            p->optical.dwell_ms, p->optical.dark_ms);
    }
    first = true;
    for (uint32_t i = 0; i < p->link_count; i++) {
        if ((p->points >> i & 1) != 0) {
            char a = name(p->link[i].a);
            char b = name(p->link[i].b);
            put(w, "%s    - {id: P%c%c, link: %c%c}\n", first ? "  relay_points:\n" : "", a, b, a,
                b);
            first = false;
        }
    }
}

/* A star around a switch. */
static void put_hub(struct writer *w)
{
    bool first = true;
    put(w, ",\n              switches: [hub], links: [");
    for (uint32_t i = 0; i < w->plan->node_count; i++) {
        if (!w->plan->node[i].off) {
            put(w, "%s{ends: [%c, hub], latency: %" PRIu32 " us}", first ? "" : ", ", name(i),
                100 * (i + 1));
            first = false;
        }
    }
    put(w, "]");
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
    if (p->hub) {
        put_hub(w);
    }
    put(w, "}\n");
}

/* No more than half a store, where one became smaller after the mark was drawn. */
static uint32_t low_mark_kbit(const struct sim_fuzz_plan *p)
{
    uint32_t mark_kbit = p->low_mark_kbit;
    for (uint32_t i = 0; i < p->link_count; i++) {
        uint32_t store_kbit = p->link[i].store_kbit;
        bool is_small = store_kbit > 0 && mark_kbit > store_kbit / 5 * 4;
        mark_kbit = is_small ? store_kbit / 2 : mark_kbit;
    }
    return mark_kbit;
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
        " s, bootstrap: %" PRIu32 " kbit",
        p->expiry_s, p->fetch_within_s, p->timer_s, p->bootstrap_kbit);
    if (p->processing_ms > 0) {
        put(w, ", processing: %" PRIu32 " ms", p->processing_ms);
    }
    if (p->pool_low > 0) {
        put(w,
            ",\n                 supply: pooled, pool_low: %" PRIu32 ", pool_high: %" PRIu32
            ", pool_batch: %" PRIu32,
            p->pool_low, p->pool_high, p->pool_batch);
    }
    if (p->fallback_kbit > 0) {
        put(w,
            ",\n                 fallback: aes-256, fallback_reserve: %" PRIu32
            " kbit, fallback_rekey: %" PRIu32 " s",
            p->fallback_kbit, p->fallback_rekey_s);
    }
    if (p->unit_bits > 0) {
        put(w, ", unit: %" PRIu32 " bit", p->unit_bits);
    }
    put(w, "}\n");
    put(w, "control: {routing: %s, route_validity: %" PRIu32 " s, status_period: %" PRIu32 " ms",
        p->control.is_set ? scn_routing_name(p->control.routing)
        : p->widest       ? "widest"
                          : "fewest-hops",
        p->validity_s, p->period_ms);
    if (p->control.is_set) {
        put(w, ", paths: %" PRIu32 ", mode: %s", p->control.paths,
            p->control.distributed ? "distributed"
            : p->control.proactive ? "proactive"
                                   : "on-request");
        put(w, "%s", sim_fuzz_is_alone(p) ? ", controller: false" : "");
    }
    uint32_t mark_kbit = low_mark_kbit(p);
    if (mark_kbit > 0) {
        put(w, ", low_mark: %" PRIu32 " kbit", mark_kbit);
    }
    bool alone = sim_fuzz_is_alone(p); /* what follows a controller does */
    put(w, "%s", p->keep_route && !alone ? ", keep_route: true" : "");
    if (p->forecast_ms > 0 && !alone) {
        put(w, ", forecast: %" PRIu32 " ms", p->forecast_ms);
    }
    put(w, ", at: %c", name(p->controller));
    if (p->standby > 0) {
        put(w, ", standby: %c", name(p->standby - 1));
    }
    put(w, "}\nmanagement: {at: %c}\n", name(p->manager));
}

static void put_shape(struct writer *w, uint32_t app)
{
    const struct sim_fuzz_plan *p = w->plan;
    switch (p->app[app].shape) {
    case SIM_FUZZ_BY_BURSTS:
        put(w, "arrivals: on-off, on_time: %" PRIu32 " ms, off_time: %" PRIu32 " ms, periods: %s",
            p->app[app].on_ms, p->app[app].off_ms,
            p->app[app].fixed_periods ? "fixed" : "exponential");
        break;
    case SIM_FUZZ_BY_DAY:
        put(w, "arrivals: diurnal, day: %" PRIu32 " ms, trough: 0", p->app[app].day_ms);
        break;
    case SIM_FUZZ_STEADY:
        put(w, "arrivals: %s", p->app[app].poisson ? "poisson" : "periodic");
        break;
    }
}

static void put_session(struct writer *w, uint32_t app)
{
    const struct sim_fuzz_plan *p = w->plan;
    put(w,
        ",\n     session: {rate: %" PRIu32 " bit/s, hold: %" PRIu32 " ms, hold_law: %s, keys: %s",
        p->app[app].session_bps, p->app[app].hold_ms,
        p->app[app].fixed_hold ? "fixed" : "exponential",
        p->app[app].without_keys ? "none" : "at-rate");
    put(w, ", timeout: %" PRIu32 " s}", p->app[app].session_timeout_s);
}

/* Whether a rule before it is about the same: no request comes to it. */
static bool is_ruled(const struct sim_fuzz_plan *p, uint32_t rule)
{
    bool found = false;
    for (uint32_t i = 0; i < rule; i++) {
        found = found || (!p->rule[i].off && p->rule[i].of == p->rule[rule].of &&
                          p->rule[i].index == p->rule[rule].index);
    }
    return found;
}

/* Rules of what is left out are left out, too. */
static void put_access(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    bool first = true;
    for (uint32_t i = 0; i < p->rule_count; i++) {
        uint32_t index = p->rule[i].index;
        bool of_app = p->rule[i].of == SIM_FUZZ_OF_APP;
        if (p->rule[i].off || is_ruled(p, i) || (of_app ? p->app[index].off : p->node[index].off)) {
            continue;
        }
        put(w, "%s  - {rule: %s, ", first ? "access:\n" : "", p->rule[i].allow ? "allow" : "deny");
        if (of_app) {
            put(w, "application: app%" PRIu32 "}\n", index);
        } else {
            put(w, "%s: {node: %c}}\n", p->rule[i].of == SIM_FUZZ_OF_MASTER ? "from" : "to",
                name(index));
        }
        first = false;
    }
}

static void put_demand(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->demand.nodes; i++) {
        count += !p->node[i].off;
    }
    if (count < 2) {
        return;
    }
    put(w, "demands:\n  - {id: d, pairs: once, nodes: [");
    for (uint32_t i = 0, seen = 0; i < p->demand.nodes; i++) {
        if (!p->node[i].off) {
            put(w, "%s%c", seen++ > 0 ? ", " : "", name(i));
        }
    }
    put(w, "],\n     application: {key: %" PRIu32 " bit, arrivals: %s, rate: %.2f /s",
        p->demand.key_bits, p->demand.poisson ? "poisson" : "periodic",
        p->demand.hundredths_per_s / 100.0);
    put(w, ", timeout: %" PRIu32 " s, stop: %" PRIu32 " ms}}\n", p->demand.timeout_s, p->stop_ms);
}

/* The further nodes of an application, of those that are left. */
static void put_classes(struct writer *w)
{
    static const uint32_t priorities[] = {0, 1, 1};
    for (uint32_t i = 0; i < w->plan->class_count; i++) {
        put(w, "%s  - {id: c%" PRIu32 ", priority: %" PRIu32 ", reserve: 1 kbit}\n",
            i == 0 ? "classes:\n" : "", i + 1, priorities[i]);
    }
}

static void put_also(struct writer *w, uint32_t i)
{
    const struct sim_fuzz_plan *p = w->plan;
    bool any = false;
    for (uint32_t n = 0; n < p->node_count; n++) {
        if ((p->app[i].also >> n & 1) != 0 && !p->node[n].off) {
            put(w, "%s%c", any ? ", " : ", also: [", name(n));
            any = true;
        }
    }
    put(w, "%s", any ? "]" : "");
}

static void put_applications(struct writer *w)
{
    const struct sim_fuzz_plan *p = w->plan;
    bool first = true;
    for (uint32_t i = 0; i < p->app_count; i++) {
        if (p->app[i].off) {
            continue;
        }
        if (first) {
            put_classes(w);
        }
        put(w, "%s  - {id: app%" PRIu32 ", from: %c, to: %c, key: %" PRIu32 " bit, ",
            first ? "applications:\n" : "", i, name(p->app[i].from), name(p->app[i].to),
            p->app[i].key_bits);
        put(w, "count: %" PRIu32 ", ", p->app[i].count);
        put_shape(w, i);
        put(w, ", rate: %.1f /s, level: %s,\n", p->app[i].tenths_per_s / 10.0,
            scn_level_name(p->app[i].level));
        put(w, "     timeout: %" PRIu32 " s, wait: %s, start: %" PRIu32 " ms, stop: %" PRIu32 " ms",
            p->app[i].timeout_s, p->app[i].wait ? "true" : "false", p->app[i].start_ms,
            p->app[i].stop_ms);
        if (p->app[i].relay >= 0) {
            put(w, ", relay: %s", scn_relay_name((enum scn_relay)p->app[i].relay));
        }
        put_also(w, i);
        if (p->app[i].named == 1) {
            put(w, ", address: 10.%" PRIu32 ".7.9", p->app[i].to + 1);
        } else if (p->app[i].named == 2) {
            put(w, ", address: net-%c", name(p->app[i].to));
        }
        if (p->app[i].max_bps > 0) {
            put(w, ", max_rate: %" PRIu32 " bit/s", p->app[i].max_bps);
        }
        if (p->app[i].class_number > 0 && p->class_count > 0) {
            put(w, ", class: c%" PRIu32, p->app[i].class_number);
        }
        if (p->app[i].session_bps > 0) {
            put_session(w, i);
        }
        put(w, "}\n");
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
        } else if (p->hub && p->fault[i].what == SCN_FAULT_CLASSICAL) {
            put(w, "classical_link: %c-hub", name(p->link[index].a));
        } else {
            put(w, "link: %c%c", name(p->link[index].a), name(p->link[index].b));
        }
        bool light_only = p->hub && p->fault[i].what == SCN_FAULT_BOTH; /* no channel beside it */
        put(w, ", what: %s", scn_fault_name(light_only ? SCN_FAULT_QUANTUM : p->fault[i].what));
        if (p->fault[i].output > 0) {
            put(w, ", output: %" PRIu32, p->fault[i].output);
        }
        put(w, "}\n");
        first = false;
    }
    for (uint32_t i = 0; i < p->trouble_count; i++) {
        char text[512];
        sim_fuzz_trouble_print(p, i, text, sizeof text);
        if (!p->trouble[i].off && !sim_fuzz_trouble_is_void(p, i)) {
            put(w, "%s  - {%s}\n", first ? "faults:\n" : "", text);
            first = false;
        }
    }
}

static void put_attacks(struct writer *w)
{
    bool first = true;
    for (uint32_t i = 0; i < w->plan->attack_count; i++) {
        char text[256];
        if (sim_fuzz_attack_print(w->plan, i, text, sizeof text)) {
            put(w, "%s  - {%s}\n", first ? "attacks:\n" : "", text);
            first = false;
        }
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
    put_opticals(&w);
    put_classical(&w);
    put_policy(&w);
    put_applications(&w);
    put_demand(&w);
    put_access(&w);
    put_faults(&w);
    put_attacks(&w);
}
