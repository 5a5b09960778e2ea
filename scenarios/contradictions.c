/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scenarios that mean nothing: keys that each are in their range, of which one takes from another all
 * that it could do. What only serves badly (a patience shorter than the way) is no mistake: to see that
 * is what scenarios are for. Called when everything is resolved. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/field.h"

enum {
    RESERVE_PARTS = 16,    /* of a store all classes may reserve one (core/km/share.c) */
    RESERVE_DEFAULT = 4096 /* bits, cut where it is too much */
};

/* Of a key in a section of the scenario, or of the section. */
static struct scn_place key_place(const struct scn_ctx *ctx, const char *section, const char *key)
{
    const struct scn_tree *tree = scn_tree_find(ctx->root, section);
    const struct scn_tree *found = tree == NULL ? NULL : scn_tree_find(tree, key);
    return found != NULL ? found->place : tree != NULL ? tree->place : ctx->root->place;
}

static uint64_t smallest_store(const struct scn_scenario *s)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < s->link_count; i++) {
        least = s->links[i].store_bits < least ? s->links[i].store_bits : least;
    }
    return least;
}

static size_t sessions_of(const struct scn_scenario *s, size_t class_index)
{
    size_t count = 0;
    for (size_t i = 0; i < s->application_count; i++) {
        const struct scn_application *a = &s->applications[i];
        count += a->session.hold_ns > 0 && a->class_index == class_index;
    }
    return count;
}

static void class_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_class *class = &s->classes[i];
    uint64_t most = smallest_store(s) / RESERVE_PARTS;
    most = most > RESERVE_DEFAULT ? most : RESERVE_DEFAULT;
    if (class->max_bps > 0 && class->min_bps > class->max_bps) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_CLASS, i, "max_rate"),
                    "max_rate is less than min_rate: expected at least that");
    }
    if (class->min_bps > 0 && sessions_of(s, i) == 0 && !ctx->incomplete) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_CLASS, i, "min_rate"),
                    "nothing has this min_rate: expected an application of class '%s' with a "
                    "session",
                    class->id);
    }
    if (scn_given(ctx, SCN_KIND_CLASS, i, "reserve") && s->link_count > 0 &&
        (uint64_t) class->reserve_bits > most) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_CLASS, i, "reserve"),
                    "reserve of %" PRIu64 " bit is more than can be: expected at most %" PRIu64
                    " bit, a sixteenth of the smallest store",
                    (uint64_t) class->reserve_bits, most);
    }
}

static void control_check(struct scn_ctx *ctx)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_control *control = &s->control;
    uint64_t mark = (uint64_t)control->low_mark_bits;
    if (s->link_count > 0 && mark > smallest_store(s) / 5 * 4) {
        scn_mistake(ctx, key_place(ctx, "control", "low_mark"),
                    "low_mark of %" PRIu64 " bit: no route would ever lead over a link with a "
                    "store of %" PRIu64 " bit: expected at most four fifths of it",
                    mark, smallest_store(s));
    }
    if (!control->is_there && control->forecast_ns > 0) {
        scn_mistake(ctx, key_place(ctx, "control", "forecast"),
                    "there is no controller: nobody looks ahead");
    }
    if (!control->is_there && control->keep_route) {
        scn_mistake(ctx, key_place(ctx, "control", "keep_route"),
                    "there is no controller: nobody keeps routes");
    }
}

static void optical_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_optical *optical = &ctx->scenario->optical_switches[i];
    if (optical->dwell_ns <= optical->switching_ns) {
        bool own = scn_given(ctx, SCN_KIND_OPTICAL_SWITCH, i, "dwell");
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_OPTICAL_SWITCH, i, own ? "dwell" : "switching"),
                    "dwell, %g s, is not longer than switching, %g s: no light would pass",
                    (double)optical->dwell_ns * 1e-9, (double)optical->switching_ns * 1e-9);
    }
}

/* ---- applications ---- */

/* Requests for more than any link at their node holds. */
static void requests_check(struct scn_ctx *ctx)
{
    const struct scn_scenario *s = ctx->scenario;
    uint64_t *most = scn_ctx_new(ctx, (s->node_count + 1) * sizeof *most);
    for (size_t i = 0; i <= s->node_count && most != NULL; i++) {
        most[i] = 0;
    }
    for (size_t i = 0; i < s->link_count && most != NULL; i++) {
        const struct scn_link *link = &s->links[i];
        uint32_t a = link->a < s->node_count ? link->a : (uint32_t)s->node_count;
        uint32_t b = link->b < s->node_count ? link->b : (uint32_t)s->node_count;
        most[a] = link->store_bits > most[a] ? link->store_bits : most[a];
        most[b] = link->store_bits > most[b] ? link->store_bits : most[b];
    }
    for (size_t i = 0; i < s->application_count && most != NULL; i++) {
        const struct scn_application *a = &s->applications[i];
        uint64_t bits = (uint64_t)a->count * a->key_bits;
        if (a->of == 0 && a->from < s->node_count && most[a->from] > 0 && bits > most[a->from]) {
            bool own = scn_given(ctx, SCN_KIND_APPLICATION, i, "count");
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, own ? "count" : "key"),
                        "a request for %" PRIu64 " bit never fits in the stores of node '%s': "
                        "expected at most %" PRIu64 " bit",
                        bits, s->nodes[a->from].id, most[a->from]);
        }
    }
}

static bool any_instant(const struct scn_application *a)
{
    bool any = a->times_count == 0; /* a mistake already */
    for (size_t i = 0; i < a->times_count; i++) {
        any = any || (a->times_ns[i] >= a->start_ns && a->times_ns[i] < a->stop_ns);
    }
    return any;
}

static void application_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_application *a = &s->applications[i];
    if (a->session.hold_ns > 0 && !s->control.is_there) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "session"),
                    "there is no controller: nobody admits sessions");
    } else if (a->session.hold_ns > 0 && !(s->control.reservable > 0)) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "session"),
                    "no session is ever admitted: expected 'control.reservable' above 0");
    }
    if (a->of == 0 && scn_given(ctx, SCN_KIND_APPLICATION, i, "paths") &&
        scn_relay_of(s, a) != SCN_RELAY_MULTIPATH) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "paths"),
                    "paths has no meaning without 'relay: multipath'");
    }
    if (a->arrivals == SCN_ARRIVALS_TRACE && !any_instant(a)) {
        scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "times"),
                    "none of the times is between start and stop");
    }
}

/* ---- access rules ---- */

static bool name_fits(const char *rule, const char *name)
{
    return rule[0] == '\0' || strcmp(rule, name) == 0;
}

static bool side_fits(const struct scn_scenario *s, const struct scn_access_side *side,
                      uint32_t node)
{
    return (side->node == UINT32_MAX || side->node == node) &&
           name_fits(side->operator_id, s->nodes[node].operator_id) &&
           name_fits(side->community, s->nodes[node].community) &&
           ((int)side->role < 0 || side->role == s->nodes[node].role);
}

/* Whether all that fits b fits a too. */
static bool side_covers(const struct scn_access_side *a, const struct scn_access_side *b)
{
    return (a->node == UINT32_MAX || a->node == b->node) &&
           name_fits(a->operator_id, b->operator_id) && name_fits(a->community, b->community) &&
           ((int)a->role < 0 || a->role == b->role);
}

static bool rule_covers(const struct scn_access *a, const struct scn_access *b)
{
    return side_covers(&a->from, &b->from) && side_covers(&a->to, &b->to) &&
           (a->application == UINT32_MAX || a->application == b->application) &&
           (a->level < 0 || a->level == b->level);
}

static void access_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_access *rule = &s->access[i];
    const struct scn_application *a = rule->application < s->application_count
                                          ? &s->applications[rule->application]
                                          : NULL;
    struct scn_place here = scn_place_of(ctx, SCN_KIND_ACCESS, i, "");
    for (size_t k = 0; k < i; k++) {
        if (rule_covers(&s->access[k], rule)) {
            scn_mistake(ctx, here,
                        "no request comes to this rule: rule %zu of the list fits all of its",
                        k + 1);
            return;
        }
    }
    bool ends = a != NULL && a->from < s->node_count && a->to < s->node_count;
    if (ends && (!side_fits(s, &rule->from, a->from) || !side_fits(s, &rule->to, a->to) ||
                 (rule->level >= 0 && rule->level != (int)a->level))) {
        scn_mistake(ctx, here, "the rule names application '%s' and does not fit it", a->id);
    } else if (rule->from.node != UINT32_MAX && rule->from.node == rule->to.node) {
        scn_mistake(ctx, here, "the rule is for applications at one node: expected two nodes");
    }
}

/* ---- nodes ---- */

struct host {
    const char *address;
    size_t node;
};

static int host_compare(const void *a, const void *b)
{
    const struct host *x = a;
    const struct host *y = b;
    int order = strcmp(x->address, y->address);
    return order != 0 ? order : x->node < y->node ? -1 : 1;
}

/* Two KSAs with one address: who asks where one is would find the other. */
static void hosts_check(struct scn_ctx *ctx)
{
    const struct scn_scenario *s = ctx->scenario;
    struct host *hosts = scn_ctx_new(ctx, (s->node_count + 1) * sizeof *hosts);
    size_t count = 0;
    for (size_t i = 0; i < s->node_count && hosts != NULL; i++) {
        const char *address = s->nodes[i].ksa_address;
        if (address != NULL && strchr(address, '/') == NULL) { /* else it is drawn */
            hosts[count++] = (struct host){address, i};
        }
    }
    if (count > 0) {
        qsort(hosts, count, sizeof *hosts, host_compare);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(hosts[i - 1].address, hosts[i].address) == 0) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_NODE, hosts[i].node, "ksa_address"),
                        "ksa_address '%s' is that of node '%s': expected another one",
                        hosts[i].address, s->nodes[hosts[i - 1].node].id);
        }
    }
}

void scn_contradictions(struct scn_ctx *ctx)
{
    const struct scn_scenario *s = ctx->scenario;
    for (size_t i = 0; i < s->class_count; i++) {
        class_check(ctx, i);
    }
    control_check(ctx);
    for (size_t i = 0; i < s->optical_switch_count; i++) {
        optical_check(ctx, i);
    }
    for (size_t i = 0; i < s->application_count; i++) {
        application_check(ctx, i);
    }
    requests_check(ctx);
    for (size_t i = 0; i < s->access_count; i++) {
        access_check(ctx, i);
    }
    hosts_check(ctx);
}
