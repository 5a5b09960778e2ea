/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults: which kind is for what, which keys belong to which kind; then single faults are made of
 * lists, risk groups, repetition and chance, so that a world knows only things that fail once.
 *
 * Random failures: times without the fault and repair times are exponential (means mtbf and mttr), an
 * alternating renewal process that begins in the good state (Barlow and Proschan, "Mathematical Theory
 * of Reliability", 1965, chapter 5); each target that fails by itself has a stream of its own. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/base/rng.h"
#include "models/real.h"
#include "scenarios/risk.h"

enum { TARGETS = SCN_TARGET_ELEMENT + 1 };

static const char *const target_names[TARGETS] = {"link", "node", "classical link", "element"};
static const enum scn_kind target_kinds[TARGETS] = {SCN_KIND_LINK, SCN_KIND_NODE,
                                                    SCN_KIND_CLASSICAL, SCN_KIND_NONE};

/* Which kinds of fault a target may have, and what to expect instead of another one. */
static const uint32_t target_whats[TARGETS] = {
    [SCN_TARGET_LINK] = 1U << SCN_FAULT_BOTH | 1U << SCN_FAULT_QUANTUM | 1U << SCN_FAULT_CLASSICAL |
                        1U << SCN_FAULT_DEGRADED | 1U << SCN_FAULT_MODULE |
                        1U << SCN_FAULT_IMPAIRED | 1U << SCN_FAULT_SWITCH | 1U << SCN_FAULT_POINT |
                        1U << SCN_FAULT_MAINTENANCE,
    [SCN_TARGET_NODE] = 1U << SCN_FAULT_CRASH | 1U << SCN_FAULT_DOWN | 1U << SCN_FAULT_TORN |
                        1U << SCN_FAULT_DISK_FULL | 1U << SCN_FAULT_PARTITION |
                        1U << SCN_FAULT_STORE_LOST,
    [SCN_TARGET_CLASSICAL] = 1U << SCN_FAULT_CLASSICAL | 1U << SCN_FAULT_IMPAIRED,
    [SCN_TARGET_ELEMENT] = 1U << SCN_FAULT_CRASH,
};
static const char *const target_expected[TARGETS] = {
    [SCN_TARGET_LINK] = ("expected both, quantum, classical, degraded, module, impaired, "
                         "optical-switch, relay-point or maintenance"),
    [SCN_TARGET_NODE] = "expected crash, down, torn-commit, store-lost, disk-full or partition",
    [SCN_TARGET_CLASSICAL] = "expected classical or impaired",
    [SCN_TARGET_ELEMENT] = "expected crash",
};
/* Of a QKD link where network.classical.links gives the classical network. */
#define LIGHT_WHATS                                                                                \
    (1U << SCN_FAULT_QUANTUM | 1U << SCN_FAULT_DEGRADED | 1U << SCN_FAULT_MODULE |                 \
     1U << SCN_FAULT_SWITCH | 1U << SCN_FAULT_POINT | 1U << SCN_FAULT_MAINTENANCE)

static struct scn_place place(const struct scn_ctx *ctx, size_t i, const char *key)
{
    return scn_place_of(ctx, SCN_KIND_FAULT, i, key);
}

static bool given(const struct scn_ctx *ctx, size_t i, const char *key)
{
    return scn_given(ctx, SCN_KIND_FAULT, i, key);
}

/* ---- checks ---- */

/* What a target fails like if nothing is said. */
static enum scn_fault_what what_default(const struct scn_scenario *s, enum scn_target target)
{
    switch (target) {
    case SCN_TARGET_LINK:
        return s->classical.link_count > 0 ? SCN_FAULT_QUANTUM : SCN_FAULT_BOTH;
    case SCN_TARGET_CLASSICAL:
        return SCN_FAULT_CLASSICAL;
    case SCN_TARGET_NODE:
    case SCN_TARGET_ELEMENT:
        break;
    }
    return SCN_FAULT_CRASH;
}

/* Whether a kind of fault, which was given, is for this target; a mistake if not. */
static void what_check(struct scn_ctx *ctx, size_t i, enum scn_target target)
{
    int what = (int)ctx->scenario->faults[i].what;
    bool light = target == SCN_TARGET_LINK && ctx->scenario->classical.link_count > 0;
    if (what < 0) {
        return;
    }
    if ((target_whats[target] >> what & 1) == 0) {
        scn_mistake(ctx, place(ctx, i, "what"), "what '%s' is not for %s %s: %s",
                    scn_word_of(scn_words_fault, what), target == SCN_TARGET_ELEMENT ? "an" : "a",
                    target_names[target], target_expected[target]);
    } else if (light && (LIGHT_WHATS >> what & 1) == 0) {
        scn_mistake(ctx, place(ctx, i, "what"),
                    "what '%s' is not for this link: expected quantum, degraded, module, "
                    "optical-switch, relay-point or maintenance, as network.classical.links gives "
                    "the classical network",
                    scn_word_of(scn_words_fault, what));
    }
}

/* Exactly one thing that fails. */
static bool target_check(struct scn_ctx *ctx, size_t i)
{
    static const char *const keys[] = {"link", "node", "classical_link", "element", "group"};
    uint32_t count = 0;
    const char *second = "";
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        bool here = given(ctx, i, keys[k]);
        second = here && count == 1 ? keys[k] : second;
        count += here;
    }
    if (count != 1) {
        scn_mistake(ctx, place(ctx, i, second),
                    "expected a link, a node, a classical link, an element or a group: %s given",
                    count > 1 ? "more than one is" : "none is");
    }
    return count == 1;
}

/* Keys that belong to some kinds of fault only. */
static void keys_check(struct scn_ctx *ctx, size_t i)
{
    static const struct {
        const char *key;
        uint32_t whats;
        const char *expected;
    } keys[] = {
        {"output", 1U << SCN_FAULT_CRASH | 1U << SCN_FAULT_TORN, "crash or torn-commit"},
        {"end", 1U << SCN_FAULT_MODULE, "module"},
        {"loss", 1U << SCN_FAULT_DEGRADED, "degraded"},
        {"qber", 1U << SCN_FAULT_DEGRADED, "degraded"},
        {"rate", 1U << SCN_FAULT_DEGRADED, "degraded"},
        {"delay", 1U << SCN_FAULT_IMPAIRED, "impaired"},
        {"frame_loss", 1U << SCN_FAULT_IMPAIRED, "impaired"},
        {"frame_corruption", 1U << SCN_FAULT_IMPAIRED, "impaired"},
    };
    const struct scn_fault *fault = &ctx->scenario->faults[i];
    int what = (int)fault->what;
    bool of_node = fault->target == SCN_TARGET_NODE;
    uint32_t own = 0;
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        if (!given(ctx, i, keys[k].key)) {
            continue;
        }
        own++;
        bool fits = what < 0 ? k == 0 && of_node : (keys[k].whats >> what & 1) != 0;
        if (!fits || (k == 0 && !of_node)) {
            scn_mistake(ctx, place(ctx, i, keys[k].key), "%s: expected with %s only", keys[k].key,
                        keys[k].expected);
        }
    }
    if (own == 0 && (what == SCN_FAULT_DEGRADED || what == SCN_FAULT_IMPAIRED)) {
        scn_mistake(ctx, place(ctx, i, "what"), "what '%s' needs at least one of %s",
                    scn_word_of(scn_words_fault, what),
                    what == SCN_FAULT_DEGRADED ? "loss, qber, rate"
                                               : "delay, frame_loss, frame_corruption");
    }
    if (what == SCN_FAULT_MODULE && !given(ctx, i, "end")) {
        scn_mistake(ctx, place(ctx, i, "what"),
                    "the key 'end' is missing: what 'module' needs the node where the module is");
    }
}

static void times_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_fault *fault = &ctx->scenario->faults[i];
    bool random = given(ctx, i, "mtbf");
    if (given(ctx, i, "mttr") != random) {
        scn_mistake(ctx, place(ctx, i, random ? "mtbf" : "mttr"),
                    "mtbf and mttr: expected both or none");
    }
    if (!random && !given(ctx, i, "at")) {
        scn_mistake(ctx, place(ctx, i, ""),
                    "the key 'at' is missing in fault: expected when it begins");
    }
    static const char *const not_random[] = {"for", "every", "output"};
    for (size_t k = 0; k < sizeof not_random / sizeof not_random[0] && random; k++) {
        if (given(ctx, i, not_random[k])) {
            scn_mistake(ctx, place(ctx, i, not_random[k]), "%s has no meaning with mtbf",
                        not_random[k]);
        }
    }
    if (fault->every_ns > 0 && !random) {
        if (fault->for_ns >= fault->every_ns) {
            scn_mistake(ctx, place(ctx, i, "every"), "every: expected `for`, shorter than it");
        }
        if (given(ctx, i, "output")) {
            scn_mistake(ctx, place(ctx, i, "output"), "output has no meaning with every");
        }
    }
    if (given(ctx, i, "until") && !random && !given(ctx, i, "every")) {
        scn_mistake(ctx, place(ctx, i, "until"), "until: expected with every or mtbf only");
    }
    if (ctx->scenario->duration_ns > 0 && fault->at_ns >= ctx->scenario->duration_ns) {
        scn_mistake(ctx, place(ctx, i, "at"), "the fault is not before the end of the run");
    }
}

/* Faults that would do nothing. */
static void sense_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_fault *fault = &s->faults[i];
    bool degraded = fault->what == SCN_FAULT_DEGRADED &&
                    (given(ctx, i, "loss") || given(ctx, i, "qber") || given(ctx, i, "rate"));
    bool impaired = fault->what == SCN_FAULT_IMPAIRED &&
                    (given(ctx, i, "delay") || given(ctx, i, "frame_loss") ||
                     given(ctx, i, "frame_corruption"));
    bool worse = fault->loss_db > 0 || fault->qber > 0 || fault->rate < 1;
    bool bad = fault->delay_ns > 0 || fault->frame_loss > 0 || fault->frame_corruption > 0;
    if (((degraded && !worse) || (impaired && !bad)) && ctx->mistake_count == 0) {
        scn_mistake(ctx, place(ctx, i, "what"), "what '%s' with these values changes nothing",
                    scn_word_of(scn_words_fault, (int)fault->what));
    }
    int64_t at_ns = fault->at_ns == SCN_AUTO ? 0 : fault->at_ns;
    if (given(ctx, i, "until") && fault->until_ns <= at_ns) {
        scn_mistake(ctx, place(ctx, i, "until"), "until is not after at: it never fails");
    }
    bool list = fault->many != NULL && fault->many->kind == SCN_TREE_LIST;
    if (fault->what == SCN_FAULT_PARTITION && list && fault->many->count >= s->node_count) {
        scn_mistake(ctx, fault->many->place, "a partition of all nodes parts nobody");
    }
    if (fault->what == SCN_FAULT_MAINTENANCE && given(ctx, i, "mtbf")) {
        scn_mistake(ctx, place(ctx, i, "what"),
                    "maintenance is planned: expected at, and every, rather than mtbf");
    } else if (fault->what == SCN_FAULT_MAINTENANCE && !s->control.is_there) {
        scn_mistake(ctx, place(ctx, i, "what"),
                    "there is no controller that knows of the maintenance: expected quantum");
    }
}

static bool is_pattern(const struct scn_fault *fault)
{
    return fault->many != NULL && fault->many->kind == SCN_TREE_SCALAR;
}

static const char *id_of(const struct scn_scenario *s, enum scn_target target, size_t i)
{
    return target == SCN_TARGET_LINK   ? s->links[i].id
           : target == SCN_TARGET_NODE ? s->nodes[i].id
                                       : s->classical.links[i].id;
}

static size_t count_of(const struct scn_scenario *s, enum scn_target target)
{
    return target == SCN_TARGET_LINK   ? s->link_count
           : target == SCN_TARGET_NODE ? s->node_count
                                       : s->classical.link_count;
}

static void pattern_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_fault *fault = &s->faults[i];
    if (!given(ctx, i, "mtbf")) {
        scn_mistake(ctx, fault->many->place, "the pattern '%.64s': expected with mtbf only",
                    fault->many->text);
    }
    for (size_t k = 0; k < count_of(s, fault->target); k++) {
        if (scn_pattern_matches(fault->many->text, id_of(s, fault->target, k))) {
            return;
        }
    }
    if (!ctx->incomplete) {
        scn_mistake(ctx, fault->many->place, "no %s is called like '%.64s'",
                    target_names[fault->target], fault->many->text);
    }
}

/* The ids of a list are known, each is there once, and may fail like this. */
static void list_check(struct scn_ctx *ctx, const struct scn_tree *list, enum scn_target target)
{
    for (const struct scn_tree *item = list->first; item != NULL; item = item->next) {
        (void)scn_ref_find(ctx, target_kinds[target], item->text, item->place);
        for (const struct scn_tree *other = list->first; other != item; other = other->next) {
            if (strcmp(other->text, item->text) == 0) {
                scn_mistake(ctx, item->place, "'%.64s' is given twice", item->text);
                break;
            }
        }
    }
}

static const struct scn_tree *members_of(const struct scn_risk_group *group, int target)
{
    return target == SCN_TARGET_LINK   ? group->links
           : target == SCN_TARGET_NODE ? group->nodes
                                       : group->classical_links;
}

static void groups_check(struct scn_ctx *ctx, const struct scn_risk_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        bool any = false;
        for (int t = SCN_TARGET_LINK; t <= SCN_TARGET_CLASSICAL; t++) {
            const struct scn_tree *list = members_of(&groups->items[i], t);
            any = any || list != NULL;
            if (list != NULL) {
                list_check(ctx, list, (enum scn_target)t);
            }
        }
        if (!any && ctx->mistake_count == 0) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_RISK, i, ""),
                        "the risk group has no members: expected links, nodes or classical_links");
        }
    }
}

static void end_check(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_fault *fault = &s->faults[i];
    if (fault->what != SCN_FAULT_MODULE || fault->end >= s->node_count) {
        return;
    }
    if (fault->many != NULL || fault->group != NULL) {
        scn_mistake(ctx, place(ctx, i, "end"), "end: expected one link, not several");
    } else if (fault->index < s->link_count && s->links[fault->index].a != fault->end &&
               s->links[fault->index].b != fault->end) {
        scn_mistake(ctx, place(ctx, i, "end"), "node '%s' is no end of link '%s'",
                    s->nodes[fault->end].id, s->links[fault->index].id);
    }
}

static void fault_check(struct scn_ctx *ctx, size_t i, const struct scn_risk_groups *groups)
{
    struct scn_scenario *s = ctx->scenario;
    struct scn_fault *fault = &s->faults[i];
    if (!target_check(ctx, i)) {
        return;
    }
    if (fault->element >= 0) {
        fault->target = SCN_TARGET_ELEMENT;
        uint32_t controller_at = s->control.is_there ? s->control.at : SCN_NO_NODE;
        const uint32_t at[] = {[SCN_ELEMENT_CONTROLLER] = controller_at,
                               [SCN_ELEMENT_MANAGER] = s->management.at,
                               [SCN_ELEMENT_STANDBY] = s->control.standby};
        fault->index = at[fault->element];
        if (fault->index == SCN_NO_NODE) {
            scn_mistake(ctx, place(ctx, i, "element"),
                        fault->element == SCN_ELEMENT_STANDBY
                            ? "there is no standby controller: expected 'control.standby' to name "
                              "its node"
                            : "there is no controller: expected 'control.controller' to be true");
        }
    }
    keys_check(ctx, i);
    times_check(ctx, i);
    sense_check(ctx, i);
    end_check(ctx, i);
    if (fault->group != NULL) {
        uint32_t at = scn_ref_find(ctx, SCN_KIND_RISK, fault->group->text, fault->group->place);
        for (int t = SCN_TARGET_LINK; t <= SCN_TARGET_CLASSICAL && at < groups->count; t++) {
            if (members_of(&groups->items[at], t) != NULL) {
                what_check(ctx, i, (enum scn_target)t);
            }
        }
    } else {
        what_check(ctx, i, fault->target);
    }
    if (is_pattern(fault)) {
        pattern_check(ctx, i);
    } else if (fault->many != NULL) {
        list_check(ctx, fault->many, fault->target);
    }
    if (fault->what == SCN_FAULT_PARTITION && s->classical.management == SCN_MANAGEMENT_IN_BAND) {
        scn_mistake(ctx, place(ctx, i, "what"),
                    "what 'partition' is of the management network: expected "
                    "'network.classical.management: separate'");
    }
}

/* ---- single faults ---- */

struct expansion {
    struct scn_ctx *ctx;
    const struct scn_risk_groups *groups;
    struct scn_fault *made;
    size_t count, cap;
    size_t item; /* the fault of the file being expanded */
};

static void one_add(struct expansion *e, const struct scn_fault *fault)
{
    if (e->ctx->no_memory || e->count >= SCN_MAX_FAULTS) {
        if (e->count++ == SCN_MAX_FAULTS) {
            scn_mistake(e->ctx, place(e->ctx, e->item, ""),
                        "the faults so far are more than %d single ones", SCN_MAX_FAULTS);
        }
        return;
    }
    if (e->count == e->cap) {
        size_t cap = e->cap == 0 ? 16 : 2 * e->cap;
        struct scn_fault *grown = scn_mem_resize(e->made, cap, sizeof *grown);
        if (grown == NULL) {
            e->ctx->no_memory = true;
            return;
        }
        e->made = grown;
        e->cap = cap;
    }
    e->made[e->count++] = *fault;
}

/* One fault of one thing, at its instant, without what only the file knows. */
static void target_add(struct expansion *e, const struct scn_fault *once, enum scn_target target,
                       uint32_t index)
{
    struct scn_fault fault = *once;
    fault.target = target;
    fault.index = index;
    fault.what = (int)once->what < 0 ? what_default(e->ctx->scenario, target) : once->what;
    fault.many = fault.group = NULL;
    fault.every_ns = fault.mtbf_ns = fault.mttr_ns = 0;
    fault.until_ns = SCN_FOREVER;
    bool is_switch = fault.what == SCN_FAULT_SWITCH;
    if ((is_switch || fault.what == SCN_FAULT_POINT) && index < e->ctx->scenario->link_count &&
        scn_optical_of(e->ctx->scenario, index, is_switch) == SCN_NO_OPTICAL) {
        scn_mistake(e->ctx, place(e->ctx, e->item, "what"), "link '%s' has no %s",
                    e->ctx->scenario->links[index].id,
                    is_switch ? "optical switch" : "relay point");
        return;
    }
    one_add(e, &fault);
}

static void list_add(struct expansion *e, const struct scn_fault *once, enum scn_target target,
                     const struct scn_tree *list)
{
    for (const struct scn_tree *item = list->first; item != NULL; item = item->next) {
        target_add(e, once, target, scn_ref_look(e->ctx, target_kinds[target], item->text));
    }
}

/* All that fails at once. */
static void event_add(struct expansion *e, const struct scn_fault *once)
{
    if (once->group != NULL) {
        uint32_t at = scn_ref_look(e->ctx, SCN_KIND_RISK, once->group->text);
        for (int t = SCN_TARGET_LINK; t <= SCN_TARGET_CLASSICAL; t++) {
            const struct scn_tree *list = members_of(&e->groups->items[at], t);
            if (list != NULL) {
                list_add(e, once, (enum scn_target)t, list);
            }
        }
    } else if (once->many != NULL) {
        list_add(e, once, once->target, once->many);
    } else {
        target_add(e, once, once->target, once->index);
    }
}

/* "duct", "duct.AB", "duct.AB.2"; "" if nobody gave a name and none is needed. */
static void name_add(struct expansion *e, struct scn_fault *fault, const char *part)
{
    char name[2 * SCN_ID_SIZE];
    (void)snprintf(name, sizeof name, "%.63s.%.63s", fault->event, part);
    if (strlen(name) >= SCN_ID_SIZE) {
        scn_mistake(e->ctx, place(e->ctx, e->item, "event"),
                    "the event '%.63s' is too long a name: expected at most %d letters", name,
                    SCN_ID_SIZE - 1);
        return;
    }
    memcpy(fault->event, name, strlen(name) + 1);
}

static void instant_add(struct expansion *e, const struct scn_fault *fault, uint32_t number)
{
    struct scn_fault once = *fault;
    char text[16];
    if (number > 0 && once.event[0] != '\0') {
        (void)snprintf(text, sizeof text, "%u", (unsigned)number);
        name_add(e, &once, text);
    }
    event_add(e, &once);
}

static int64_t span_draw(struct qkd_rng *rng, int64_t mean_ns)
{
    double drawn_ns = -mdl_log(qkd_rng_unit(rng)) * (double)mean_ns;
    return drawn_ns < 1 ? 1 : drawn_ns > 9e18 ? INT64_MAX : (int64_t)drawn_ns;
}

/* `key`: which of the streams. */
static void random_add(struct expansion *e, const struct scn_fault *fault, uint32_t key)
{
    const struct scn_scenario *s = e->ctx->scenario;
    int64_t last_ns = fault->until_ns < s->duration_ns ? fault->until_ns : s->duration_ns;
    struct scn_fault once = *fault;
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, scn_stream_seed(s, s->seeds.faults), "fault",
                       (uint64_t)e->item << 32 | key);
    int64_t now_ns = fault->at_ns == SCN_AUTO ? 0 : fault->at_ns;
    for (uint32_t number = 1; e->count <= SCN_MAX_FAULTS && !e->ctx->no_memory; number++) {
        int64_t good_ns = span_draw(&rng, fault->mtbf_ns);
        once.for_ns = span_draw(&rng, fault->mttr_ns);
        if (now_ns >= last_ns || good_ns >= last_ns - now_ns) {
            break;
        }
        now_ns += good_ns;
        once.at_ns = now_ns;
        instant_add(e, &once, number);
        now_ns = once.for_ns < last_ns - now_ns ? now_ns + once.for_ns : last_ns;
    }
    qkd_rng_fini(&rng);
}

/* All instants of what fails together. */
static void instants_add(struct expansion *e, const struct scn_fault *fault, uint32_t key)
{
    const struct scn_scenario *s = e->ctx->scenario;
    if (fault->mtbf_ns > 0) {
        random_add(e, fault, key);
        return;
    }
    if (fault->every_ns == 0) {
        instant_add(e, fault, 0);
        return;
    }
    int64_t last_ns = fault->until_ns < s->duration_ns ? fault->until_ns : s->duration_ns;
    struct scn_fault once = *fault;
    uint32_t number = 1;
    for (; once.at_ns < last_ns && e->count <= SCN_MAX_FAULTS && !e->ctx->no_memory; number++) {
        instant_add(e, &once, number);
        if (fault->every_ns >= last_ns - once.at_ns) {
            break;
        }
        once.at_ns += fault->every_ns;
    }
}

static void fault_expand(struct expansion *e, const struct scn_fault *given_fault)
{
    const struct scn_scenario *s = e->ctx->scenario;
    struct scn_fault fault = *given_fault;
    bool several = fault.group != NULL || (fault.many != NULL && !is_pattern(&fault));
    if (fault.event[0] == '\0' && fault.group != NULL) {
        (void)snprintf(fault.event, sizeof fault.event, "%.63s", fault.group->text);
    } else if (fault.event[0] == '\0' && several) {
        (void)snprintf(fault.event, sizeof fault.event, "fault-%zu", e->item + 1);
    }
    if (!is_pattern(&fault)) {
        instants_add(e, &fault, 0);
        return;
    }
    for (uint32_t k = 0; k < count_of(s, fault.target); k++) {
        const char *id = id_of(s, fault.target, k);
        if (scn_pattern_matches(fault.many->text, id)) {
            struct scn_fault own = fault;
            own.many = NULL;
            own.index = k;
            if (own.event[0] != '\0') {
                name_add(e, &own, id);
            }
            instants_add(e, &own, k);
        }
    }
}

/* Which faults are one event. */
static void events_number(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    struct qkd_map names;
    s->event_firsts = scn_mem_new(s->fault_count, sizeof *s->event_firsts);
    ctx->no_memory = ctx->no_memory || s->event_firsts == NULL;
    qkd_map_init(&names, crypto_hash_sha256_BYTES, SCN_MAX_FAULTS, NULL);
    for (size_t i = 0; i < s->fault_count && !ctx->no_memory; i++) {
        struct scn_fault *fault = &s->faults[i];
        bool named = fault->event[0] != '\0';
        uint8_t digest[crypto_hash_sha256_BYTES];
        (void)crypto_hash_sha256(digest, (const uint8_t *)fault->event, strlen(fault->event));
        uint32_t known = named ? qkd_map_get(&names, digest) : QKD_MAP_NONE;
        if (known == QKD_MAP_NONE) {
            s->event_firsts[s->fault_events] = (uint32_t)i;
        }
        fault->event_number = known == QKD_MAP_NONE ? s->fault_events++ : known;
        if (known == QKD_MAP_NONE && named &&
            qkd_map_put(&names, digest, fault->event_number) != 0) {
            ctx->no_memory = true;
        }
    }
    qkd_map_fini(&names);
}

static void faults_expand(struct scn_ctx *ctx, const struct scn_risk_groups *groups)
{
    struct scn_scenario *s = ctx->scenario;
    struct expansion e = {.ctx = ctx, .groups = groups};
    for (; e.item < s->fault_count && ctx->mistake_count == 0 && !ctx->no_memory; e.item++) {
        fault_expand(&e, &s->faults[e.item]);
    }
    if (ctx->mistake_count > 0 || ctx->no_memory) {
        scn_mem_free(e.made);
        return;
    }
    scn_mem_free(s->faults);
    s->faults = e.made;
    s->fault_count = e.count;
    events_number(ctx);
}

void scn_faults_resolve(struct scn_ctx *ctx)
{
    struct scn_risk_groups groups = {NULL, 0};
    const struct scn_tree *network = scn_tree_find(ctx->root, "network");
    if (network != NULL && network->kind == SCN_TREE_MAP) {
        scn_decode_early(ctx, &scn_table_network, network, "risk_groups", &groups);
    }
    groups_check(ctx, &groups);
    for (size_t i = 0; i < ctx->scenario->fault_count; i++) {
        fault_check(ctx, i, &groups);
    }
    if (ctx->mistake_count == 0 && !ctx->incomplete && ctx->scenario->fault_count > 0) {
        faults_expand(ctx, &groups);
    }
    scn_mem_free(groups.items);
}
