/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All figures of one run as numbers. */
#include "analysis/figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fields.h"
#include "core/base/err.h"

static const struct ana_field *table_of(enum scn_scope scope)
{
    if (scope == SCN_SCOPE_LINK) {
        return ana_link_fields;
    }
    return scope == SCN_SCOPE_APPLICATION ? ana_application_fields : ana_run_fields;
}

size_t ana_figures_fields(enum scn_scope scope)
{
    size_t count = 0;
    for (const struct ana_field *f = table_of(scope); f->name != NULL; f++) {
        count++;
    }
    return count;
}

static double *numbers_new(size_t count)
{
    double *numbers = malloc((count + 1) * sizeof *numbers);
    for (size_t i = 0; numbers != NULL && i < count; i++) {
        numbers[i] = NAN;
    }
    return numbers;
}

int ana_figures_init(struct ana_figures *figures, size_t link_count, size_t application_count)
{
    *figures = (struct ana_figures){.link_count = link_count,
                                    .application_count = application_count};
    figures->link_ids = calloc(link_count + 1, sizeof *figures->link_ids);
    figures->application_ids = calloc(application_count + 1, sizeof *figures->application_ids);
    figures->run = numbers_new(ana_figures_fields(SCN_SCOPE_RUN));
    figures->links = numbers_new(link_count * ana_figures_fields(SCN_SCOPE_LINK));
    figures->applications = numbers_new(application_count *
                                        ana_figures_fields(SCN_SCOPE_APPLICATION));
    if (figures->link_ids == NULL || figures->application_ids == NULL || figures->run == NULL ||
        figures->links == NULL || figures->applications == NULL) {
        ana_figures_fini(figures);
        return QKD_ERR_NOMEM;
    }
    return QKD_OK;
}

void ana_figures_fini(struct ana_figures *figures)
{
    free(figures->link_ids);
    free(figures->application_ids);
    free(figures->run);
    free(figures->links);
    free(figures->applications);
    *figures = (struct ana_figures){0};
}

double *ana_figures_of(const struct ana_figures *figures, enum scn_scope scope, size_t index)
{
    size_t start = index * ana_figures_fields(scope);
    if (scope == SCN_SCOPE_LINK) {
        return figures->links + start;
    }
    return scope == SCN_SCOPE_APPLICATION ? figures->applications + start : figures->run;
}

static void numbers_take(double *numbers, enum scn_scope scope, const void *base)
{
    for (const struct ana_field *f = table_of(scope); f->name != NULL; f++) {
        *numbers++ = ana_field_number(f, base);
    }
}

static void text_take(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

int ana_figures_take(struct ana_figures *figures, const struct scn_scenario *scenario,
                     const struct scn_summary *summary, const char *topology)
{
    char hash[65];
    int err = scn_hash(scenario, hash);
    if (err == QKD_OK) {
        err = ana_figures_init(figures, summary->link_count, summary->application_count);
    }
    if (err != QKD_OK) {
        return err;
    }
    const char *slash = strrchr(topology, '/');
    text_take(figures->scenario, sizeof figures->scenario, scenario->name);
    text_take(figures->topology, sizeof figures->topology, slash == NULL ? topology : slash + 1);
    text_take(figures->hash, sizeof figures->hash, hash);
    text_take(figures->engine, sizeof figures->engine, scn_engine_name(summary->engine));
    snprintf(figures->digest, sizeof figures->digest, "%016" PRIx64, summary->trace_digest);
    figures->seed = summary->seed;
    figures->sim_s = summary->sim_s;
    numbers_take(figures->run, SCN_SCOPE_RUN, summary);
    for (size_t i = 0; i < summary->link_count; i++) {
        text_take(figures->link_ids[i], SCN_ID_SIZE, scenario->links[i].id);
        numbers_take(ana_figures_of(figures, SCN_SCOPE_LINK, i), SCN_SCOPE_LINK,
                     &summary->links[i]);
    }
    for (size_t i = 0; i < summary->application_count; i++) {
        text_take(figures->application_ids[i], SCN_ID_SIZE, scenario->applications[i].id);
        numbers_take(ana_figures_of(figures, SCN_SCOPE_APPLICATION, i), SCN_SCOPE_APPLICATION,
                     &summary->applications[i]);
    }
    return QKD_OK;
}

/* The five arrays of figures: where, bytes of one item, how many. */
struct part {
    void *items;
    size_t bytes, count;
};

static void parts_of(const struct ana_figures *figures, struct part parts[5])
{
    size_t links = figures->link_count;
    size_t applications = figures->application_count;
    bool empty = figures->run == NULL;
    parts[0] = (struct part){figures->link_ids, SCN_ID_SIZE, links};
    parts[1] = (struct part){figures->application_ids, SCN_ID_SIZE, applications};
    parts[2] = (struct part){figures->run, sizeof(double),
                             empty ? 0 : ana_figures_fields(SCN_SCOPE_RUN)};
    parts[3] = (struct part){figures->links, sizeof(double),
                             links * ana_figures_fields(SCN_SCOPE_LINK)};
    parts[4] = (struct part){figures->applications, sizeof(double),
                             applications * ana_figures_fields(SCN_SCOPE_APPLICATION)};
}

bool ana_figures_pack(const struct ana_figures *figures, FILE *out)
{
    struct part parts[5];
    parts_of(figures, parts);
    bool ok = fwrite(figures, sizeof *figures, 1, out) == 1;
    for (size_t i = 0; i < 5 && ok; i++) {
        ok = parts[i].count == 0 ||
             fwrite(parts[i].items, parts[i].bytes, parts[i].count, out) == parts[i].count;
    }
    return ok;
}

bool ana_figures_unpack(struct ana_figures *figures, FILE *in)
{
    struct ana_figures head;
    struct part parts[5];
    *figures = (struct ana_figures){0};
    if (fread(&head, sizeof head, 1, in) != 1) {
        return false;
    }
    if (head.run == NULL) {
        return true;
    }
    if (ana_figures_init(figures, head.link_count, head.application_count) != QKD_OK) {
        return false;
    }
    memcpy(figures->scenario, head.scenario, sizeof head.scenario);
    memcpy(figures->topology, head.topology, sizeof head.topology);
    memcpy(figures->hash, head.hash, sizeof head.hash);
    memcpy(figures->engine, head.engine, sizeof head.engine);
    memcpy(figures->digest, head.digest, sizeof head.digest);
    figures->seed = head.seed;
    figures->sim_s = head.sim_s;
    parts_of(figures, parts);
    bool ok = true;
    for (size_t i = 0; i < 5 && ok; i++) {
        ok = parts[i].count == 0 ||
             fread(parts[i].items, parts[i].bytes, parts[i].count, in) == parts[i].count;
    }
    return ok;
}
