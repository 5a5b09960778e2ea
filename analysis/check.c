/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The result of checking one scenario: its making. */
#include "analysis/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

static char *copy(struct ana_check *check, const char *text)
{
    size_t size = strlen(text) + 1;
    char *made = malloc(size);
    if (made == NULL) {
        check->failed = true;
        return NULL;
    }
    return memcpy(made, text, size);
}

void ana_check_init(struct ana_check *check, const char *file, const char *topology)
{
    *check = (struct ana_check){0};
    check->file = copy(check, file);
    check->topology = copy(check, topology);
    check->scenario = copy(check, "");
    check->engine = copy(check, "");
    check->digest = copy(check, "");
}

void ana_check_fini(struct ana_check *check)
{
    for (size_t i = 0; i < check->point_count; i++) {
        free(check->points[i].name);
        free(check->points[i].where);
        free(check->points[i].text);
    }
    free(check->points);
    free(check->file);
    free(check->topology);
    free(check->scenario);
    free(check->engine);
    free(check->digest);
    ana_figures_fini(&check->figures);
    ana_comparison_fini(&check->comparison);
    *check = (struct ana_check){0};
}

/* The exit code that a point makes, unless another one makes a greater one. */
static int exit_of(enum ana_verdict verdict)
{
    return verdict == ANA_ERROR ? 3 : (verdict == ANA_FAIL ? 1 : 0);
}

struct ana_point *ana_check_add(struct ana_check *check, const char *name, enum ana_verdict verdict,
                                const char *text)
{
    struct ana_point *points = realloc(check->points, (check->point_count + 1) * sizeof *points);
    if (points == NULL) {
        check->failed = true;
        return NULL;
    }
    check->points = points;
    struct ana_point *point = &points[check->point_count];
    *point = (struct ana_point){.name = copy(check, name),
                                .verdict = verdict,
                                .value = NAN,
                                .where = copy(check, ""),
                                .text = copy(check, text)};
    if (point->name == NULL || point->where == NULL || point->text == NULL) {
        free(point->name);
        free(point->where);
        free(point->text);
        return NULL;
    }
    check->point_count++;
    int exit_code = exit_of(verdict);
    check->exit_code = exit_code > check->exit_code ? exit_code : check->exit_code;
    return point;
}

void ana_check_add_lines(struct ana_check *check, const char *name, enum ana_verdict verdict,
                         char *const *lines, size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        size += strlen(lines[i]) + 1;
    }
    char *text = malloc(size);
    if (text == NULL) {
        check->failed = true;
        return;
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, size - len, "%s%s", i == 0 ? "" : "\n", lines[i]);
    }
    text[len] = '\0';
    (void)ana_check_add(check, name, verdict, text);
    free(text);
}

static void replace(struct ana_check *check, char **member, const char *text)
{
    free(*member);
    *member = copy(check, text);
}

static void judge_rules(struct ana_check *check, const struct scn_summary *summary)
{
    char text[SCN_VIOLATION_SIZE + 128] = "";
    bool broken = summary->oracle.violations > 0;
    if (broken) {
        snprintf(text, sizeof text, "at event %" PRIu64 " with seed %" PRIu64 ": %s",
                 summary->oracle.first_event, summary->seed, summary->oracle.first);
    }
    (void)ana_check_add(check, "no rule is broken", broken ? ANA_FAIL : ANA_PASS, text);
}

static void judge_expect(struct ana_check *check, const struct scn_expect *expect,
                         const struct scn_verdict *verdict)
{
    struct ana_point *point = ana_check_add(check, expect->text,
                                            verdict->pass ? ANA_PASS : ANA_FAIL,
                                            verdict->pass ? ""
                                            : isnan(verdict->value)
                                                ? "the run gave no value"
                                                : "the expectation does not hold");
    if (point == NULL) {
        return;
    }
    point->has_value = true;
    point->value = verdict->value;
    replace(check, &point->where, expect->where == NULL ? "" : expect->where);
}

void ana_check_judge(struct ana_check *check, const struct scn_scenario *scenario,
                     const struct scn_summary *summary)
{
    char digest[24];
    snprintf(digest, sizeof digest, "%016" PRIx64, summary->trace_digest);
    replace(check, &check->scenario, scenario->name);
    replace(check, &check->engine, scn_engine_name(summary->engine));
    replace(check, &check->digest, digest);
    check->seed = summary->seed;
    check->sim_s = summary->sim_s;
    check->wall_s = summary->wall_s;
    judge_rules(check, summary);
    for (size_t i = 0; i < summary->verdict_count; i++) {
        judge_expect(check, &scenario->expects[i], &summary->verdicts[i]);
    }
}

void ana_check_compared(struct ana_check *check, struct ana_comparison *comparison)
{
    char text[512];
    check->comparison = *comparison;
    *comparison = (struct ana_comparison){0};
    const struct ana_comparison *made = &check->comparison;
    snprintf(text, sizeof text,
             "%zu of %zu compared figures are worse by more than their tolerance", made->worse,
             made->compared);
    const char *wrong = made->wrong[0] != '\0' ? made->wrong : (made->worse > 0 ? text : "");
    enum ana_verdict verdict = wrong[0] != '\0' ? ANA_FAIL : ANA_PASS;
    struct ana_point *point = ana_check_add(check, "no worse than the baseline",
                                            made->found ? verdict : ANA_SKIP,
                                            made->found ? wrong : "no stored run of this scenario");
    if (point != NULL) {
        point->compares = true;
    }
}

char *ana_check_title(const struct ana_check *check)
{
    bool own = check->topology[0] == '\0';
    size_t size = strlen(check->file) + strlen(check->topology) + sizeof " on ";
    char *title = malloc(size);
    if (title != NULL) {
        snprintf(title, size, "%s%s%s", check->file, own ? "" : " on ", check->topology);
    }
    return title;
}

size_t ana_check_count(const struct ana_check *check, enum ana_verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < check->point_count; i++) {
        count += check->points[i].verdict == verdict;
    }
    return count;
}
