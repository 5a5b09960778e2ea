/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparison of two runs, figure by figure. */
#include "analysis/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fields.h"
#include "core/base/err.h"
#include "scenarios/context.h"

#define MOST_DIFFERENCES 10000 /* that are kept; all are counted */
#define ROUNDING 1e-9          /* share of a figure that is no difference */

/* ---- which way is worse ---- */

enum way { NO_WAY, MORE_IS_WORSE, LESS_IS_WORSE };

struct direction {
    const char *figure; /* a whole name; or, with a final dot, the beginning of one */
    enum way worse;
    bool always; /* compared without being named */
    bool exact;  /* any change for the worse counts, unless a tolerance names the figure */
};

static const struct direction run_directions[] = {
    {"served_fraction", LESS_IS_WORSE, true, false},
    {"supplied_bits", LESS_IS_WORSE, true, false},
    {"mismatched_pairs", MORE_IS_WORSE, true, true},
    {"latency_s.max", MORE_IS_WORSE, false, false},
    {"latency_s.", MORE_IS_WORSE, true, false},
    {"fetch_latency_s.max", MORE_IS_WORSE, false, false},
    {"fetch_latency_s.", MORE_IS_WORSE, true, false},
    {"relay.hops_mean", MORE_IS_WORSE, true, false},
    {"relay.retransmissions", MORE_IS_WORSE, false, false},
    {"relay.reroutes", MORE_IS_WORSE, false, false},
    {"pools.fallbacks", MORE_IS_WORSE, false, false},
    {"pools.exhaustions", MORE_IS_WORSE, true, false},
    {"pools.empty_s", MORE_IS_WORSE, true, false},
    {"pools.min_bits", LESS_IS_WORSE, true, false},
    {"healing.detect_s", MORE_IS_WORSE, true, false},
    {"healing.first_key_s", MORE_IS_WORSE, true, false},
    {"security.forgeries_accepted", MORE_IS_WORSE, true, true},
    {"security.leaked_bits", MORE_IS_WORSE, true, true},
    {"security.auth_failures", MORE_IS_WORSE, false, false},
    {"requests.served", LESS_IS_WORSE, false, false},
    {"requests.refused", MORE_IS_WORSE, false, false},
    {"requests.timed_out", MORE_IS_WORSE, false, false},
    {"requests.failed", MORE_IS_WORSE, false, false},
    {"requests.pending", MORE_IS_WORSE, false, false},
    {"supplied_unanswered", MORE_IS_WORSE, false, false},
    {"alarms.raised", MORE_IS_WORSE, false, false},
    {"bits.expired", MORE_IS_WORSE, false, false},
    {"bits.discarded", MORE_IS_WORSE, false, false},
    {"keys.expired", MORE_IS_WORSE, false, false},
    {"keys.discarded", MORE_IS_WORSE, false, false},
    {NULL, NO_WAY, false, false},
};

static const struct direction link_directions[] = {
    {"pool_min_bits", LESS_IS_WORSE, false, false},
    {"pool_mean_bits", LESS_IS_WORSE, false, false},
    {"pool_end_bits", LESS_IS_WORSE, false, false},
    {"exhaustions", MORE_IS_WORSE, false, false},
    {"empty_s", MORE_IS_WORSE, false, false},
    {"down_s", MORE_IS_WORSE, false, false},
    {"up_end", LESS_IS_WORSE, false, false},
    {"retransmissions", MORE_IS_WORSE, false, false},
    {"tag_failures", MORE_IS_WORSE, false, false},
    {"bits.expired", MORE_IS_WORSE, false, false},
    {"bits.discarded", MORE_IS_WORSE, false, false},
    {NULL, NO_WAY, false, false},
};

static const struct direction application_directions[] = {
    {"served_fraction", LESS_IS_WORSE, true, false},
    {"latency_s.p95", MORE_IS_WORSE, true, false},
    {"latency_s.", MORE_IS_WORSE, false, false},
    {"fetch_latency_s.", MORE_IS_WORSE, false, false},
    {"hops_mean", MORE_IS_WORSE, false, false},
    {"supplied_keys", LESS_IS_WORSE, false, false},
    {"supplied_bits", LESS_IS_WORSE, false, false},
    {"reroutes", MORE_IS_WORSE, false, false},
    {"requests.served", LESS_IS_WORSE, false, false},
    {"requests.refused", MORE_IS_WORSE, false, false},
    {"requests.timed_out", MORE_IS_WORSE, false, false},
    {"requests.failed", MORE_IS_WORSE, false, false},
    {"requests.pending", MORE_IS_WORSE, false, false},
    {NULL, NO_WAY, false, false},
};

static const struct ana_field *fields_of(enum scn_scope scope)
{
    if (scope == SCN_SCOPE_LINK) {
        return ana_link_fields;
    }
    return scope == SCN_SCOPE_APPLICATION ? ana_application_fields : ana_run_fields;
}

/* The first entry that fits the name; its way is NO_WAY if there is none. */
static const struct direction *direction_of(enum scn_scope scope, const char *figure)
{
    const struct direction *d = scope == SCN_SCOPE_LINK          ? link_directions
                                : scope == SCN_SCOPE_APPLICATION ? application_directions
                                                                 : run_directions;
    for (; d->figure != NULL; d++) {
        size_t len = strlen(d->figure);
        bool prefix = d->figure[len - 1] == '.' && strncmp(figure, d->figure, len) == 0;
        if (prefix || strcmp(figure, d->figure) == 0) {
            break;
        }
    }
    return d;
}

/* ---- tolerances ---- */

/* "link[PATTERN].name": fills scope, pattern and figure. */
static bool figure_split(struct ana_tolerance *tolerance, const char *text, size_t len)
{
    static const struct {
        const char *prefix;
        enum scn_scope scope;
    } scopes[] = {{"link[", SCN_SCOPE_LINK}, {"application[", SCN_SCOPE_APPLICATION}};
    tolerance->scope = SCN_SCOPE_RUN;
    for (size_t i = 0; i < 2; i++) {
        size_t prefix = strlen(scopes[i].prefix);
        const char *close = memchr(text, ']', len);
        if (len <= prefix || strncmp(text, scopes[i].prefix, prefix) != 0) {
            continue;
        }
        size_t id_len = close == NULL ? 0 : (size_t)(close - text) - prefix;
        if (id_len == 0 || id_len >= SCN_ID_SIZE || close[1] != '.') {
            return false;
        }
        tolerance->scope = scopes[i].scope;
        memcpy(tolerance->pattern, text + prefix, id_len);
        tolerance->pattern[id_len] = '\0';
        len -= prefix + id_len + 2;
        text = close + 2;
    }
    if (len >= sizeof tolerance->figure) {
        return false;
    }
    memcpy(tolerance->figure, text, len);
    tolerance->figure[len] = '\0';
    return true;
}

static bool amount_parse(struct ana_tolerance *tolerance, const char *text)
{
    char *end = NULL;
    if (strcmp(text, "off") == 0) {
        tolerance->off = true;
        return true;
    }
    tolerance->amount = strtod(text, &end);
    tolerance->is_absolute = true;
    if (end == text || !isfinite(tolerance->amount) || tolerance->amount < 0) {
        return false;
    }
    end += strspn(end, " ");
    if (*end == '%') {
        tolerance->is_absolute = false;
        tolerance->amount /= 100;
        end++;
    }
    return *end == '\0';
}

static int figure_check(const struct ana_tolerance *tolerance, const char *text,
                        struct ana_error *error)
{
    static const char *const of[] = {"a run", "a link", "an application"};
    const char *names[192];
    size_t count = 0;
    for (const struct ana_field *f = fields_of(tolerance->scope); f->name != NULL; f++) {
        names[count++] = f->name;
    }
    if (ana_field_find(fields_of(tolerance->scope), tolerance->figure) == NULL) {
        const char *near = scn_nearest(tolerance->figure, names, count);
        return ana_fail(error, QKD_ERR_INVALID, "'%s': '%s' is no figure of %s%s%s%s", text,
                        tolerance->figure, of[tolerance->scope],
                        near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                        near == NULL ? "" : "'?");
    }
    if (direction_of(tolerance->scope, tolerance->figure)->worse == NO_WAY) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "'%s': of '%s' neither more nor less is worse: it is not compared", text,
                        tolerance->figure);
    }
    return QKD_OK;
}

int ana_tolerance_parse(struct ana_tolerance *tolerance, const char *text, struct ana_error *error)
{
    *tolerance = (struct ana_tolerance){0};
    const char *equal = strrchr(text, '=');
    const char *amount = equal == NULL ? text : equal + 1;
    bool good = amount_parse(tolerance, amount);
    if (good && equal != NULL) {
        good = equal > text && figure_split(tolerance, text, (size_t)(equal - text));
    } else if (good) {
        good = !tolerance->off && !tolerance->is_absolute;
    }
    if (!good) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "'%s': expected '5%%', 'latency_s.p95=10%%', "
                        "'link[*].pool_min_bits=5000' or 'relay.hops_mean=off'",
                        text);
    }
    return equal == NULL ? QKD_OK : figure_check(tolerance, text, error);
}

/* ---- comparing ---- */

/* One figure of one link, application or the run. */
struct subject {
    enum scn_scope scope;
    const char *id; /* "" for the run */
    const struct ana_field *field;
    double before, after;
};

/* How far a figure may get worse; false if it is not compared. */
static bool slack_of(const struct subject *subject, const struct ana_tolerance *tolerances,
                     size_t count, double *slack)
{
    const struct direction *direction = direction_of(subject->scope, subject->field->name);
    bool compared = direction->worse != NO_WAY && direction->always;
    bool named = false;
    double share = direction->exact ? 0 : ANA_TOLERANCE;
    *slack = share * fabs(subject->before);
    for (size_t i = 0; i < count; i++) {
        const struct ana_tolerance *t = &tolerances[i];
        if (t->figure[0] == '\0') {
            *slack = named || direction->exact ? *slack : t->amount * fabs(subject->before);
            continue;
        }
        if (t->scope != subject->scope || strcmp(t->figure, subject->field->name) != 0 ||
            (subject->id[0] != '\0' && !scn_pattern_matches(t->pattern, subject->id))) {
            continue;
        }
        named = true;
        compared = !t->off;
        *slack = t->is_absolute ? t->amount : t->amount * fabs(subject->before);
    }
    return compared;
}

static enum ana_change change_of(const struct subject *subject, double slack)
{
    enum way way = direction_of(subject->scope, subject->field->name)->worse;
    if (isnan(subject->before) || isnan(subject->after)) {
        bool lost = !isnan(subject->before) && isnan(subject->after);
        return lost ? ANA_WORSE : ANA_WITHIN;
    }
    double more = subject->after - subject->before;
    double worse = way == MORE_IS_WORSE ? more : -more;
    double limit = slack + ROUNDING * fabs(subject->before);
    return worse > limit ? ANA_WORSE : (-worse > limit ? ANA_BETTER : ANA_WITHIN);
}

static bool is_equal(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= ROUNDING * fabs(a);
}

static int difference_add(struct ana_comparison *comparison, const struct subject *subject,
                          double slack, enum ana_change change)
{
    if (comparison->count == MOST_DIFFERENCES) {
        return QKD_OK;
    }
    struct ana_difference *grown = realloc(comparison->differences,
                                           (comparison->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return QKD_ERR_NOMEM;
    }
    comparison->differences = grown;
    struct ana_difference *to = &grown[comparison->count++];
    *to = (struct ana_difference){
        .before = subject->before, .after = subject->after, .slack = slack, .change = change};
    if (subject->scope == SCN_SCOPE_RUN) {
        snprintf(to->figure, sizeof to->figure, "%s", subject->field->name);
    } else {
        snprintf(to->figure, sizeof to->figure, "%s[%s].%s",
                 subject->scope == SCN_SCOPE_LINK ? "link" : "application", subject->id,
                 subject->field->name);
    }
    return QKD_OK;
}

struct job {
    const struct ana_tolerance *tolerances;
    size_t tolerance_count;
    struct ana_comparison *comparison;
};

static int compare_one(const struct job *job, const struct subject *subject)
{
    double slack = 0;
    if (!slack_of(subject, job->tolerances, job->tolerance_count, &slack)) {
        return QKD_OK;
    }
    enum ana_change change = change_of(subject, slack);
    job->comparison->compared++;
    job->comparison->worse += change == ANA_WORSE;
    job->comparison->better += change == ANA_BETTER;
    if (is_equal(subject->before, subject->after)) {
        return QKD_OK;
    }
    return difference_add(job->comparison, subject, slack, change);
}

static int compare_all(const struct job *job, struct subject *subject, const double *before,
                       const double *after)
{
    int err = QKD_OK;
    for (const struct ana_field *f = fields_of(subject->scope); f->name != NULL && err == QKD_OK;
         f++) {
        subject->field = f;
        subject->before = *before++;
        subject->after = *after++;
        err = compare_one(job, subject);
    }
    return err;
}

/* Where an id is among count; at `hint` if it can be: lists rarely change. */
static size_t id_find(char (*ids)[SCN_ID_SIZE], size_t count, const char *id, size_t hint)
{
    if (hint < count && strcmp(ids[hint], id) == 0) {
        return hint;
    }
    size_t i = 0;
    while (i < count && strcmp(ids[i], id) != 0) {
        i++;
    }
    return i;
}

/* Links or applications of both runs; what only one of them has is noted. */
static int compare_items(const struct job *job, enum scn_scope scope,
                         const struct ana_figures *before, const struct ana_figures *after)
{
    bool links = scope == SCN_SCOPE_LINK;
    char(*old_ids)[SCN_ID_SIZE] = links ? before->link_ids : before->application_ids;
    char(*ids)[SCN_ID_SIZE] = links ? after->link_ids : after->application_ids;
    size_t old_count = links ? before->link_count : before->application_count;
    size_t count = links ? after->link_count : after->application_count;
    size_t common = 0;
    int err = QKD_OK;
    for (size_t i = 0; i < count && err == QKD_OK; i++) {
        size_t old = id_find(old_ids, old_count, ids[i], i);
        struct subject subject = {.scope = scope, .id = ids[i]};
        if (old < old_count) {
            common++;
            err = compare_all(job, &subject, ana_figures_of(before, scope, old),
                              ana_figures_of(after, scope, i));
        }
    }
    if (common != count || common != old_count) {
        snprintf(job->comparison->note, sizeof job->comparison->note,
                 "the scenario has other %s than the stored run: what both have is compared",
                 links ? "links" : "applications");
    }
    return err;
}

/* Worse ones first; otherwise as they came. */
static void sort(struct ana_comparison *comparison)
{
    static const enum ana_change order[] = {ANA_WORSE, ANA_BETTER, ANA_WITHIN};
    struct ana_difference *sorted = malloc((comparison->count + 1) * sizeof *sorted);
    size_t count = 0;
    for (size_t k = 0; sorted != NULL && k < 3; k++) {
        for (size_t i = 0; i < comparison->count; i++) {
            if (comparison->differences[i].change == order[k]) {
                sorted[count++] = comparison->differences[i];
            }
        }
    }
    if (sorted != NULL) {
        free(comparison->differences);
        comparison->differences = sorted;
    }
}

int ana_compare(const struct ana_figures *before, const struct ana_figures *after,
                const struct ana_tolerance *tolerances, size_t tolerance_count,
                struct ana_comparison *comparison)
{
    *comparison = (struct ana_comparison){.found = true};
    memcpy(comparison->scenario, after->scenario, sizeof comparison->scenario);
    memcpy(comparison->topology, after->topology, sizeof comparison->topology);
    if (strcmp(before->hash, after->hash) != 0) {
        snprintf(comparison->note, sizeof comparison->note,
                 "the scenario has changed since the stored run");
    }
    if (!is_equal(before->sim_s, after->sim_s)) {
        snprintf(comparison->wrong, sizeof comparison->wrong,
                 "the stored run lasted %.9g s, this one %.9g s: they cannot be compared",
                 before->sim_s, after->sim_s);
        return QKD_OK;
    }
    struct job job = {tolerances, tolerance_count, comparison};
    struct subject run = {.scope = SCN_SCOPE_RUN, .id = ""};
    int err = compare_all(&job, &run, before->run, after->run);
    if (err == QKD_OK) {
        err = compare_items(&job, SCN_SCOPE_LINK, before, after);
    }
    if (err == QKD_OK) {
        err = compare_items(&job, SCN_SCOPE_APPLICATION, before, after);
    }
    sort(comparison);
    return err;
}

void ana_comparison_fini(struct ana_comparison *comparison)
{
    free(comparison->differences);
    *comparison = (struct ana_comparison){0};
}

bool ana_comparison_pack(const struct ana_comparison *comparison, FILE *out)
{
    return fwrite(comparison, sizeof *comparison, 1, out) == 1 &&
           (comparison->count == 0 ||
            fwrite(comparison->differences, sizeof *comparison->differences, comparison->count,
                   out) == comparison->count);
}

bool ana_comparison_unpack(struct ana_comparison *comparison, FILE *in)
{
    bool ok = fread(comparison, sizeof *comparison, 1, in) == 1;
    size_t count = ok ? comparison->count : 0;
    comparison->differences = NULL;
    comparison->count = 0;
    if (count > 0) {
        comparison->differences = calloc(count, sizeof *comparison->differences);
        ok = comparison->differences != NULL &&
             fread(comparison->differences, sizeof *comparison->differences, count, in) == count;
        comparison->count = ok ? count : 0;
    }
    return ok;
}
