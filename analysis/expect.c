/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judge of `expect:` lines: finds the figure that a path names and compares it. */
#include "analysis/expect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/fields.h"
#include "core/base/err.h"
#include "scenarios/context.h"

#define REASONS "reasons."
#define MAX_WORDS 160

enum place_of { IN_RUN, IN_LINK, IN_APPLICATION };

/* A path taken apart: "link[BC].bits.pads" is {IN_LINK, "BC", "bits.pads"}. */
struct path {
    enum place_of in;
    char id[SCN_ID_SIZE];
    const char *field;
};

/* False if it has brackets and they are not of the form above. */
static bool path_split(const char *text, struct path *path)
{
    *path = (struct path){IN_RUN, "", text};
    const char *open = strchr(text, '[');
    if (open == NULL) {
        return true;
    }
    const char *close = strchr(open, ']');
    size_t name_len = (size_t)(open - text);
    if (strncmp(text, "link", name_len) == 0 && name_len == 4) {
        path->in = IN_LINK;
    } else if (strncmp(text, "application", name_len) == 0 && name_len == 11) {
        path->in = IN_APPLICATION;
    } else {
        return false;
    }
    if (close == NULL || close[1] != '.' || (size_t)(close - open) > sizeof path->id) {
        return false;
    }
    memcpy(path->id, open + 1, (size_t)(close - open) - 1);
    path->id[close - open - 1] = '\0';
    path->field = close + 2;
    return true;
}

static uint32_t application_find(const struct scn_scenario *scenario, const char *id)
{
    for (size_t i = 0; i < scenario->application_count; i++) {
        if (strcmp(scenario->applications[i].id, id) == 0) {
            return (uint32_t)i;
        }
    }
    return SCN_NO_INDEX;
}

/* Index of the path's link or application; 0 for the run. */
static uint32_t path_index(const struct scn_scenario *scenario, const struct path *path)
{
    switch (path->in) {
    case IN_LINK:
        return scn_link_find(scenario, path->id);
    case IN_APPLICATION:
        return application_find(scenario, path->id);
    case IN_RUN:
        break;
    }
    return 0;
}

static const struct ana_field *path_field(const struct path *path)
{
    if (path->in == IN_LINK) {
        return ana_field_find(ana_link_fields, path->field);
    }
    if (path->in == IN_APPLICATION) {
        return ana_field_find(ana_application_fields, path->field);
    }
    const struct ana_field *field = ana_field_find(ana_run_fields, path->field);
    return field != NULL ? field : ana_field_find(ana_head_fields, path->field);
}

static bool path_names_reason(const struct path *path)
{
    return path->in != IN_LINK && strncmp(path->field, REASONS, sizeof REASONS - 1) == 0;
}

/* ---- check ---- */

static size_t words_add(const struct ana_field *table, const char **words, size_t count)
{
    for (const struct ana_field *f = table; f->name != NULL && count < MAX_WORDS; f++) {
        words[count++] = f->name;
    }
    return count;
}

static int unknown_figure(const struct scn_expect *expect, const struct path *path,
                          struct ana_error *error)
{
    const char *words[MAX_WORDS];
    size_t count = 0;
    if (path->in == IN_LINK) {
        count = words_add(ana_link_fields, words, count);
    } else if (path->in == IN_APPLICATION) {
        count = words_add(ana_application_fields, words, count);
    } else {
        count = words_add(ana_run_fields, words, count);
        count = words_add(ana_head_fields, words, count);
    }
    const char *near = scn_nearest(path->field, words, count);
    const char *of = path->in == IN_LINK          ? "a link"
                     : path->in == IN_APPLICATION ? "an application"
                                                  : "a run";
    return ana_fail(error, QKD_ERR_INVALID, "'%s': '%s' is no figure of %s%s%s%s", expect->text,
                    path->field, of, near == NULL ? "" : "; did you mean '",
                    near == NULL ? "" : near, near == NULL ? "" : "'?");
}

int ana_expect_check(const struct scn_scenario *scenario, const struct scn_expect *expect,
                     const struct ana_reasons *reasons, struct ana_error *error)
{
    struct path path;
    if (!path_split(expect->path, &path)) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "'%s': expected a figure such as served_fraction, link[ID].pool_min_bits "
                        "or application[ID].served_fraction",
                        expect->text);
    }
    if (path_index(scenario, &path) == SCN_NO_INDEX) {
        return ana_fail(error, QKD_ERR_INVALID, "'%s': there is no %s '%s'", expect->text,
                        path.in == IN_LINK ? "link" : "application", path.id);
    }
    if (path_names_reason(&path)) {
        const char *name = path.field + sizeof REASONS - 1;
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
    return path_field(&path) == NULL ? unknown_figure(expect, &path, error) : QKD_OK;
}

/* ---- judge ---- */

static double reason_value(const struct scn_summary *summary, const struct path *path,
                           uint32_t index)
{
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (strcmp(summary->reasons[i].text, path->field + sizeof REASONS - 1) == 0) {
            return (double)(path->in == IN_RUN ? summary->reasons[i].count
                                               : summary->applications[index].reasons[i]);
        }
    }
    return NAN;
}

static double path_value(const struct scn_scenario *scenario, const struct scn_summary *summary,
                         const char *text)
{
    struct path path;
    if (!path_split(text, &path)) {
        return NAN;
    }
    uint32_t index = path_index(scenario, &path);
    if (index == SCN_NO_INDEX) {
        return NAN;
    }
    if (path_names_reason(&path)) {
        return reason_value(summary, &path, index);
    }
    const struct ana_field *field = path_field(&path);
    if (field == NULL) {
        return NAN;
    }
    const void *base = summary;
    if (path.in == IN_LINK) {
        base = &summary->links[index];
    } else if (path.in == IN_APPLICATION) {
        base = &summary->applications[index];
    }
    return ana_field_number(field, base);
}

bool ana_compare(double value, enum scn_compare compare, double number)
{
    switch (compare) {
    case SCN_LT:
        return value < number;
    case SCN_LE:
        return value <= number;
    case SCN_EQ:
        return value == number;
    case SCN_NE:
        return !isnan(value) && value != number;
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
        verdict->value = path_value(scenario, summary, expect->path);
        verdict->pass = ana_compare(verdict->value, expect->compare, expect->number);
        failed += verdict->pass ? 0 : 1;
    }
    return failed;
}
