/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What depends on more than one key of an application or an access rule: defaults and checks. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/field.h"
#include "scenarios/multicast.h"

#define DAY_NS (INT64_C(86400) * 1000000000)
#define LEAST_PER_S 1e-9 /* requests, of the key `rate` */
#define MOST_PER_S 1e9
#define PEAK_OF_DAY (14.0 / 24.0) /* when nothing else is said */

/* Which keys belong to which arrivals. */
enum use { NEVER, MAY, MUST };

static const struct {
    const char *key;
    const char *example; /* what to write, for a missing one */
    enum use use[5];     /* by enum scn_arrivals: poisson, periodic, trace, on-off, diurnal */
} arrivals_keys[] = {
    {"rate", "'2 /s'", {MAY, MAY, NEVER, MAY, MAY}},
    {"key_rate", "'2 kbit/s'", {MAY, MAY, NEVER, MAY, MAY}},
    {"volume", "'1 Mbit'", {MAY, MAY, NEVER, NEVER, NEVER}},
    {"offset", "'1 s'", {NEVER, MAY, NEVER, MAY, NEVER}},
    {"times", "a file name or a list of times", {NEVER, NEVER, MUST, NEVER, NEVER}},
    {"on_time", "'1 min'", {NEVER, NEVER, NEVER, MUST, NEVER}},
    {"off_time", "'1 min'", {NEVER, NEVER, NEVER, MUST, NEVER}},
    {"periods", "fixed", {NEVER, NEVER, NEVER, MAY, NEVER}},
    {"trough", "'1 /s'", {NEVER, NEVER, NEVER, NEVER, MAY}},
    {"peak", "'14 h'", {NEVER, NEVER, NEVER, NEVER, MAY}},
    {"day", "'24 h'", {NEVER, NEVER, NEVER, NEVER, MAY}},
    {"profile", "a file name or a list", {NEVER, NEVER, NEVER, NEVER, MAY}},
};

static struct scn_place application_place(const struct scn_ctx *ctx, size_t i, const char *key)
{
    return scn_place_of(ctx, SCN_KIND_APPLICATION, i, key);
}

static void on_off_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_application *a = &ctx->scenario->applications[i];
    if ((int)a->periods < 0) {
        a->periods = SCN_PERIODS_EXPONENTIAL;
    }
    if (a->periods == SCN_PERIODS_EXPONENTIAL &&
        scn_given(ctx, SCN_KIND_APPLICATION, i, "offset")) {
        scn_mistake(ctx, application_place(ctx, i, "offset"),
                    "offset has no meaning for exponential periods: expected 'periods: fixed'");
    }
    if (a->periods == SCN_PERIODS_FIXED && a->offset_ns < 0) {
        a->offset_ns = 0;
    }
}

/* The rates by time of day: within the day, and not all 0. */
static void profile_resolve(struct scn_ctx *ctx, size_t i)
{
    static const char *const others[] = {"rate", "key_rate", "trough", "peak"};
    const struct scn_application *a = &ctx->scenario->applications[i];
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        if (scn_given(ctx, SCN_KIND_APPLICATION, i, others[k])) {
            scn_mistake(ctx, application_place(ctx, i, others[k]),
                        "%s is given, but the profile says it", others[k]);
        }
    }
    bool any = a->profile_count == 0; /* a mistake already */
    for (size_t k = 0; k < a->profile_count; k++) {
        any = any || a->profile[k].rate_per_s > 0;
    }
    if (!any) {
        scn_mistake(ctx, application_place(ctx, i, "profile"), "the profile has no rate above 0");
    }
    if (a->profile_count > 0 && a->profile[a->profile_count - 1].t_ns >= a->day_ns) {
        scn_mistake(ctx, application_place(ctx, i, "profile"),
                    "the profile goes on after the end of the day");
    }
}

static void diurnal_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_application *a = &ctx->scenario->applications[i];
    if (a->day_ns == 0) {
        a->day_ns = DAY_NS;
    }
    if (scn_given(ctx, SCN_KIND_APPLICATION, i, "profile")) {
        profile_resolve(ctx, i);
        return;
    }
    if (a->peak_ns < 0) {
        a->peak_ns = (int64_t)((double)a->day_ns * PEAK_OF_DAY);
    } else if (a->peak_ns >= a->day_ns) {
        scn_mistake(ctx, application_place(ctx, i, "peak"), "peak is not within the day");
    }
    if (a->trough_per_s < 0) {
        a->trough_per_s = 0;
    } else if (a->rate_per_s > 0 && a->trough_per_s > a->rate_per_s) {
        scn_mistake(ctx, application_place(ctx, i, "trough"), "trough is above rate");
    }
}

/* Requests per second in the mean, from the key that is asked for. */
static double mean_rate(const struct scn_application *a)
{
    double key_bits = (double)a->key_bits * a->count;
    if (a->key_rate_bps > 0) {
        return a->key_rate_bps / key_bits;
    }
    double time_s = (double)(a->stop_ns - a->start_ns) / 1e9;
    return time_s > 0 ? (double)a->volume_bits / key_bits / time_s : 0;
}

/* `rate`, or what makes it: exactly one of them, unless a trace or a profile says all. */
static void rate_resolve(struct scn_ctx *ctx, size_t i)
{
    static const char *const keys[] = {"rate", "key_rate", "volume"};
    struct scn_application *a = &ctx->scenario->applications[i];
    const char *given = NULL;
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        if (scn_given(ctx, SCN_KIND_APPLICATION, i, keys[k])) {
            if (given != NULL) {
                scn_mistake(ctx, application_place(ctx, i, keys[k]),
                            "%s and %s are both given: expected one of them", given, keys[k]);
            }
            given = keys[k];
        }
    }
    bool diurnal = a->arrivals == SCN_ARRIVALS_DIURNAL;
    if (given == NULL) {
        scn_mistake(ctx, application_place(ctx, i, "arrivals"),
                    "the key 'rate' is missing: arrivals %s needs it, such as '2 /s' (or %s)",
                    scn_word_of(scn_words_arrivals, (int)a->arrivals),
                    diurnal                              ? "key_rate, or profile"
                    : a->arrivals == SCN_ARRIVALS_ON_OFF ? "key_rate"
                                                         : "key_rate, or volume");
    }
    if (given == NULL || strcmp(given, "rate") == 0 ||
        (a->key_rate_bps <= 0 && a->volume_bits == 0)) {
        return;
    }
    a->rate_per_s = mean_rate(a);
    if (a->arrivals == SCN_ARRIVALS_ON_OFF && a->on_ns > 0) {
        a->rate_per_s *= ((double)a->on_ns + (double)a->off_ns) / (double)a->on_ns;
    } else if (diurnal) {
        a->rate_per_s = 2 * a->rate_per_s - (a->trough_per_s > 0 ? a->trough_per_s : 0);
    }
    if (!(a->rate_per_s >= LEAST_PER_S && a->rate_per_s <= MOST_PER_S) && a->key_bits > 0 &&
        a->stop_ns > a->start_ns) {
        scn_mistake(ctx, application_place(ctx, i, given),
                    "%s makes %g requests per second: expected 1e-9 to 1e9", given, a->rate_per_s);
    }
    a->key_rate_bps = 0;
    a->volume_bits = 0;
}

static void arrivals_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_application *a = &ctx->scenario->applications[i];
    const char *word = scn_word_of(scn_words_arrivals, (int)a->arrivals);
    for (size_t k = 0; k < sizeof arrivals_keys / sizeof arrivals_keys[0]; k++) {
        const char *key = arrivals_keys[k].key;
        bool given = scn_given(ctx, SCN_KIND_APPLICATION, i, key);
        if (given && arrivals_keys[k].use[a->arrivals] == NEVER) {
            scn_mistake(ctx, application_place(ctx, i, key), "%s has no meaning for arrivals %s",
                        key, word);
        } else if (!given && arrivals_keys[k].use[a->arrivals] == MUST) {
            scn_mistake(ctx, application_place(ctx, i, "arrivals"),
                        "the key '%s' is missing: arrivals %s needs it, such as %s", key, word,
                        arrivals_keys[k].example);
        }
    }
    bool profile = a->arrivals == SCN_ARRIVALS_DIURNAL &&
                   scn_given(ctx, SCN_KIND_APPLICATION, i, "profile");
    if (a->arrivals != SCN_ARRIVALS_TRACE && !profile) {
        rate_resolve(ctx, i);
    }
    if (a->arrivals == SCN_ARRIVALS_ON_OFF) {
        on_off_resolve(ctx, i);
    } else if (a->arrivals == SCN_ARRIVALS_DIURNAL) {
        diurnal_resolve(ctx, i);
    } else if (a->arrivals == SCN_ARRIVALS_PERIODIC && a->offset_ns < 0 && a->rate_per_s > 0) {
        double period_ns = 1e9 / a->rate_per_s; /* at most 10^18: the least rate is 10^-9 /s */
        a->offset_ns = (int64_t)(period_ns + 0.5);
    }
}

/* What its class says, where it says nothing itself. */
static void class_resolve(struct scn_ctx *ctx, size_t i)
{
    struct scn_application *a = &ctx->scenario->applications[i];
    bool is_known = a->class_index < ctx->scenario->class_count;
    const struct scn_class *class = is_known ? &ctx->scenario->classes[a->class_index] : NULL;
    if (class != NULL && !scn_given(ctx, SCN_KIND_APPLICATION, i, "max_rate")) {
        a->max_bps = class->max_bps;
    }
    if (class != NULL && class->timeout_ns > 0 &&
        !scn_given(ctx, SCN_KIND_APPLICATION, i, "timeout")) {
        a->timeout_ns = class->timeout_ns;
    }
    if (class != NULL && !scn_given(ctx, SCN_KIND_APPLICATION, i, "wait")) {
        a->wait = class->wait;
    }
    if (a->session.hold_ns > 0 && a->session.rate_bps == 0) {
        a->session.rate_bps = class == NULL ? 0 : (uint64_t) class->min_bps;
        const struct scn_tree *tree = ctx->items[SCN_KIND_APPLICATION].trees[i];
        const struct scn_tree *session = scn_tree_find(tree, "session");
        bool is_given = session != NULL && scn_tree_find(session, "rate") != NULL;
        if (a->session.rate_bps == 0 && !is_given) { /* else the mistake is told already */
            scn_mistake(ctx, application_place(ctx, i, "session"),
                        "the key 'rate' is missing in session: expected a rate such as "
                        "'2 kbit/s', or a class with min_rate");
        }
    }
}

void scn_applications_resolve(struct scn_ctx *ctx)
{
    struct scn_scenario *s = ctx->scenario;
    scn_multicast_resolve(ctx);
    for (size_t i = 0; i < s->application_count; i++) {
        struct scn_application *a = &s->applications[i];
        if (a->from == a->to && a->from < s->node_count) {
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, "to"),
                        "the application pair is at one node, '%s': expected two nodes",
                        s->nodes[a->from].id);
        }
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
        class_resolve(ctx, i);
        if (a->session.rate_bps > 0 && scn_relay_of(s, a) == SCN_RELAY_MULTIPATH) {
            bool own = scn_given(ctx, SCN_KIND_APPLICATION, i, "relay");
            scn_mistake(ctx, scn_place_of(ctx, SCN_KIND_APPLICATION, i, own ? "relay" : "session"),
                        "a session reserves one route, and relay: multipath takes several: "
                        "expected another relay");
        }
        scn_address_resolve(ctx, i);
        if (a->of == 0 && !scn_given(ctx, SCN_KIND_APPLICATION, i, "of")) {
            arrivals_resolve(ctx, i);
        }
    }
}

/* Operators and communities are names without a list of their own: one that no node has is a slip of the
 * pen. member: offset of the name in struct scn_node. */
static void name_check(struct scn_ctx *ctx, const struct scn_place *place, size_t member,
                       const char *name)
{
    const struct scn_scenario *s = ctx->scenario;
    const char *known[256];
    size_t count = 0;
    for (size_t k = 0; k < s->node_count && name[0] != '\0'; k++) {
        const char *here = (const char *)&s->nodes[k] + member;
        if (strcmp(here, name) == 0) {
            return;
        }
        if (count < sizeof known / sizeof known[0] &&
            (count == 0 || strcmp(known[count - 1], here) != 0)) {
            known[count++] = here;
        }
    }
    if (name[0] != '\0') {
        char hint[SCN_NAME_SIZE];
        bool is_operator = member == offsetof(struct scn_node, operator_id);
        scn_mistake(ctx, *place, "no node has the %s '%s'%s",
                    is_operator ? "operator" : "community", name,
                    scn_hint(hint, scn_nearest(name, known, count)));
    }
}

static void side_check(struct scn_ctx *ctx, size_t i, const char *end,
                       const struct scn_access_side *side)
{
    char path[32];
    (void)snprintf(path, sizeof path, "%s.operator", end);
    struct scn_place place = scn_place_of(ctx, SCN_KIND_ACCESS, i, path);
    name_check(ctx, &place, offsetof(struct scn_node, operator_id), side->operator_id);
    (void)snprintf(path, sizeof path, "%s.community", end);
    place = scn_place_of(ctx, SCN_KIND_ACCESS, i, path);
    name_check(ctx, &place, offsetof(struct scn_node, community), side->community);
}

void scn_access_resolve(struct scn_ctx *ctx)
{
    for (size_t i = 0; i < ctx->scenario->access_count; i++) {
        const struct scn_access *access = &ctx->scenario->access[i];
        side_check(ctx, i, "from", &access->from);
        side_check(ctx, i, "to", &access->to);
    }
}
