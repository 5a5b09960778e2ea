/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judge of `expect:` lines: finds the figure that a line is about and compares it. */
#include "analysis/expect.h"

#include <math.h>
#include <string.h>

#include "analysis/fields.h"
#include "analysis/routes.h"
#include "core/base/err.h"
#include "scenarios/context.h"

#define REASONS "reasons."
#define MAX_WORDS 192

static const char *const scope_names[] = {"a run", "a link", "an application", "an event",
                                          "an attack"};

static const struct ana_field *field_find(const struct scn_expect *expect)
{
    if (expect->scope == SCN_SCOPE_LINK) {
        return ana_field_find(ana_link_fields, expect->figure);
    }
    if (expect->scope == SCN_SCOPE_APPLICATION) {
        return ana_field_find(ana_application_fields, expect->figure);
    }
    if (expect->scope == SCN_SCOPE_EVENT) {
        return ana_field_find(ana_event_fields, expect->figure);
    }
    if (expect->scope == SCN_SCOPE_ATTACK) {
        return ana_field_find(ana_attack_fields, expect->figure);
    }
    const struct ana_field *field = ana_field_find(ana_run_fields, expect->figure);
    return field != NULL ? field : ana_field_find(ana_head_fields, expect->figure);
}

/* The reason that the figure counts, or NULL if it counts none. */
static const char *reason_of(const struct scn_expect *expect)
{
    bool counts = expect->scope != SCN_SCOPE_LINK && expect->scope != SCN_SCOPE_ATTACK &&
                  strncmp(expect->figure, REASONS, sizeof REASONS - 1) == 0;
    return counts ? expect->figure + sizeof REASONS - 1 : NULL;
}

static bool of_a_route(const struct scn_expect *expect)
{
    return expect->scope == SCN_SCOPE_APPLICATION && ana_route_names(expect->figure);
}

/* ---- check ---- */

/* Figures that belong to the run as a whole: ledgers, what follows faults, the run itself. */
static bool has_windows(const struct scn_expect *expect)
{
    static const char *const whole[] = {"bits.",
                                        "keys.",
                                        "healing.",
                                        "oracle.",
                                        "mismatched_pairs",
                                        "supplied_unanswered",
                                        "security.forgeries_accepted",
                                        "security.leaked_bits",
                                        "sessions.",
                                        "reserved_",
                                        "rate_bps"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        if (strncmp(expect->figure, whole[i], strlen(whole[i])) == 0) {
            return false;
        }
    }
    return expect->scope != SCN_SCOPE_RUN ||
           ana_field_find(ana_head_fields, expect->figure) == NULL;
}

static size_t words_add(const struct ana_field *table, const char **words, size_t count)
{
    for (const struct ana_field *f = table; f->name != NULL && count < MAX_WORDS; f++) {
        words[count++] = f->name;
    }
    return count;
}

static int unknown_figure(const struct scn_expect *expect, struct ana_error *error)
{
    const char *words[MAX_WORDS];
    size_t count = 0;
    if (expect->scope == SCN_SCOPE_LINK) {
        count = words_add(ana_link_fields, words, count);
    } else if (expect->scope == SCN_SCOPE_APPLICATION) {
        count = words_add(ana_application_fields, words, count);
    } else if (expect->scope == SCN_SCOPE_EVENT) {
        count = words_add(ana_event_fields, words, count);
    } else if (expect->scope == SCN_SCOPE_ATTACK) {
        count = words_add(ana_attack_fields, words, count);
    } else {
        count = words_add(ana_run_fields, words, count);
        count = words_add(ana_head_fields, words, count);
    }
    const char *near = scn_nearest(expect->figure, words, count);
    return ana_fail(error, QKD_ERR_INVALID, "'%s': '%s' is no figure of %s%s%s%s", expect->text,
                    expect->figure, scope_names[expect->scope],
                    near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                    near == NULL ? "" : "'?");
}

static int reason_check(const struct scn_expect *expect, const struct ana_reasons *reasons,
                        struct ana_error *error)
{
    const char *name = reason_of(expect);
    for (size_t i = 0; i < reasons->count; i++) {
        if (strcmp(reasons->texts[i], name) == 0) {
            return QKD_OK;
        }
    }
    const char *near = scn_nearest(name, reasons->texts, reasons->count);
    return ana_fail(error, QKD_ERR_INVALID, "'%s': '%s' is no reason%s%s%s", expect->text, name,
                    near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                    near == NULL ? "" : "'?");
}

/* A route of one application; of the whole run. */
static int route_check(const struct scn_scenario *scenario, const struct scn_expect *expect,
                       struct ana_error *error)
{
    if (expect->aggregate != SCN_OF_ONE || expect->has_window) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "'%s': routes are known of one application and of the whole run only; "
                        "via[LINK] has windows",
                        expect->text);
    }
    return ana_route_check(scenario, expect->index, expect->figure, error);
}

int ana_expect_check(const struct scn_scenario *scenario, const struct scn_expect *expect,
                     const struct ana_reasons *reasons, struct ana_error *error)
{
    if (expect->via[0] != '\0') {
        return QKD_OK;
    }
    if (of_a_route(expect)) {
        return route_check(scenario, expect, error);
    }
    if (reason_of(expect) != NULL) {
        return reason_check(expect, reasons, error);
    }
    if (field_find(expect) == NULL) {
        return unknown_figure(expect, error);
    }
    if (expect->has_window && !has_windows(expect)) {
        return ana_fail(error, QKD_ERR_INVALID, "'%s': '%s' is known of the whole run only",
                        expect->text, expect->figure);
    }
    return QKD_OK;
}

/* ---- the value ---- */

/* Where figures lie: of the run, a link or an application, of the whole run or a window. */
struct source {
    const struct scn_scenario *scenario;
    enum scn_scope scope;
    const struct scn_summary *summary;     /* of the whole run: it names the reasons */
    const struct scn_watch_summary *watch; /* NULL: the whole run */
    const void *figures; /* struct scn_summary, ..._link_... or ..._application_... */
};

static double reason_value(const struct source *source, const char *name)
{
    const struct scn_summary *run = source->summary;
    for (size_t i = 0; i < run->reason_count; i++) {
        if (strcmp(run->reasons[i].text, name) != 0) {
            continue;
        }
        if (source->scope == SCN_SCOPE_EVENT) {
            return (double)((const struct scn_event_summary *)source->figures)->reasons[i];
        }
        if (source->scope == SCN_SCOPE_RUN) {
            return (double)((const struct scn_summary *)source->figures)->reasons[i].count;
        }
        return (double)((const struct scn_application_summary *)source->figures)->reasons[i];
    }
    return NAN;
}

static double source_value(const struct source *source, const struct scn_expect *expect)
{
    if (of_a_route(expect)) {
        return ana_route_number(source->scenario, source->figures, expect->figure);
    }
    if (source->watch != NULL && !source->watch->reached) {
        return NAN;
    }
    if (expect->via[0] != '\0') {
        return source->watch != NULL ? source->watch->via : NAN;
    }
    if (reason_of(expect) != NULL) {
        return reason_value(source, reason_of(expect));
    }
    const struct ana_field *field = field_find(expect);
    return field == NULL ? NAN : ana_field_number(field, source->figures);
}

/* Takes the i-th link, application or event (or the run), by the whole run's figures. */
static void source_whole(struct source *source, size_t i)
{
    source->figures = source->summary;
    if (source->scope == SCN_SCOPE_LINK) {
        source->figures = &source->summary->links[i];
    } else if (source->scope == SCN_SCOPE_APPLICATION) {
        source->figures = &source->summary->applications[i];
    } else if (source->scope == SCN_SCOPE_EVENT) {
        source->figures = &source->summary->fault_events[i];
    } else if (source->scope == SCN_SCOPE_ATTACK) {
        source->figures = &source->summary->attacks[i];
    }
}

static size_t scope_size(const struct scn_scenario *scenario, enum scn_scope scope)
{
    return scope == SCN_SCOPE_LINK     ? scenario->link_count
           : scope == SCN_SCOPE_EVENT  ? scenario->fault_events
           : scope == SCN_SCOPE_ATTACK ? scenario->attack_count
                                       : scenario->application_count;
}

static const char *scope_id(const struct scn_scenario *scenario, enum scn_scope scope, size_t i)
{
    return scope == SCN_SCOPE_LINK     ? scenario->links[i].id
           : scope == SCN_SCOPE_EVENT  ? scn_event_name(scenario, i)
           : scope == SCN_SCOPE_ATTACK ? scenario->attacks[i].id
                                       : scenario->applications[i].id;
}

static void source_watched(struct source *source, size_t watch)
{
    source->watch = &source->summary->watches[watch];
    source->figures = source->watch->of.run;
}

/* Values put together: those that are not there are left out. */
struct gathering {
    double least, most, sum;
    size_t count;
};

static void gather(struct gathering *all, double value)
{
    if (isnan(value)) {
        return;
    }
    all->least = all->count == 0 || value < all->least ? value : all->least;
    all->most = all->count == 0 || value > all->most ? value : all->most;
    all->sum += value;
    all->count++;
}

static double gathered(const struct gathering *all, enum scn_aggregate aggregate)
{
    if (all->count == 0) {
        return NAN;
    }
    switch (aggregate) {
    case SCN_OF_MIN:
        return all->least;
    case SCN_OF_MAX:
        return all->most;
    case SCN_OF_MEAN:
        return all->sum / (double)all->count;
    case SCN_OF_ONE:
    case SCN_OF_SUM:
        break;
    }
    return all->sum;
}

double ana_expect_value(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        const struct scn_expect *expect)
{
    struct gathering all = {0};
    struct source source = {scenario, expect->scope, summary, NULL, NULL};
    if (expect->watch_count > 0) {
        for (size_t i = 0; i < expect->watch_count; i++) {
            source_watched(&source, expect->watch + i);
            gather(&all, source_value(&source, expect));
        }
    } else if (expect->aggregate == SCN_OF_ONE) {
        source_whole(&source, expect->index);
        gather(&all, source_value(&source, expect));
    } else {
        for (size_t i = 0; i < scope_size(scenario, expect->scope); i++) {
            const char *id = scope_id(scenario, expect->scope, i);
            if (scn_pattern_matches(expect->pattern, id)) {
                source_whole(&source, i);
                gather(&all, source_value(&source, expect));
            }
        }
    }
    return gathered(&all, expect->aggregate);
}

/* ---- judge ---- */

bool ana_expect_holds(const struct scn_expect *expect, double value)
{
    double number = expect->number;
    switch (expect->compare) {
    case SCN_LT:
        return value < number;
    case SCN_LE:
        return value <= number;
    case SCN_EQ:
        return fabs(value - number) <= expect->tolerance;
    case SCN_NE:
        return fabs(value - number) > expect->tolerance;
    case SCN_GE:
        return value >= number;
    case SCN_GT:
        return value > number;
    }
    return false;
}

size_t ana_expect_judge(const struct scn_scenario *scenario, struct scn_summary *summary)
{
    size_t failed = 0;
    for (size_t i = 0; i < scenario->expect_count && i < summary->verdict_count; i++) {
        const struct scn_expect *expect = &scenario->expects[i];
        struct scn_verdict *verdict = &summary->verdicts[i];
        verdict->value = ana_expect_value(scenario, summary, expect);
        verdict->pass = ana_expect_holds(expect, verdict->value);
        failed += verdict->pass ? 0 : 1;
    }
    return failed;
}
