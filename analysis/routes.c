/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes by name: see analysis/routes.h. */
#include "analysis/routes.h"

#include <math.h>
#include <string.h>

#include "analysis/fields.h"
#include "analysis/text.h"
#include "core/base/err.h"
#include "scenarios/context.h"

#define PREFIX "route["
#define MAX_FIGURES 16

/* "route[A>B>C].last_s" taken apart: where the nodes begin and end, and the figure. */
struct parts {
    const char *nodes, *end;
    const char *figure;
};

bool ana_route_names(const char *what)
{
    return strncmp(what, PREFIX, sizeof PREFIX - 1) == 0;
}

static bool parts_split(const char *what, struct parts *parts)
{
    if (!ana_route_names(what)) {
        return false;
    }
    parts->nodes = what + sizeof PREFIX - 1;
    parts->end = strchr(parts->nodes, ']');
    if (parts->end == NULL || parts->end[1] != '.') {
        return false;
    }
    parts->figure = parts->end + 2;
    return true;
}

/* The next node's id: its start, *at moves behind it; its length, 0 at the end. */
static size_t node_next(const struct parts *parts, const char **at, const char **id)
{
    if (*at >= parts->end) {
        return 0;
    }
    *id = *at;
    const char *stop = memchr(*at, ANA_ROUTE_SEPARATOR, (size_t)(parts->end - *at));
    stop = stop == NULL ? parts->end : stop;
    *at = stop < parts->end ? stop + 1 : stop;
    return (size_t)(stop - *id);
}

static bool id_is(const char *node_id, const char *id, size_t len)
{
    return strlen(node_id) == len && memcmp(node_id, id, len) == 0;
}

static uint32_t node_find(const struct scn_scenario *scenario, const char *id, size_t len)
{
    for (size_t i = 0; i < scenario->node_count; i++) {
        if (id_is(scenario->nodes[i].id, id, len)) {
            return (uint32_t)i;
        }
    }
    return SCN_NO_INDEX;
}

static bool link_joins(const struct scn_scenario *scenario, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < scenario->link_count; i++) {
        const struct scn_link *link = &scenario->links[i];
        if ((link->a == a && link->b == b) || (link->a == b && link->b == a)) {
            return true;
        }
    }
    return false;
}

static int nodes_check(const struct scn_scenario *scenario, uint32_t application,
                       const struct parts *parts, struct ana_error *error)
{
    const struct scn_application *app = &scenario->applications[application];
    const char *at = parts->nodes;
    const char *id = NULL;
    uint32_t before = SCN_NO_INDEX;
    for (size_t len = node_next(parts, &at, &id); len > 0; len = node_next(parts, &at, &id)) {
        uint32_t node = node_find(scenario, id, len);
        if (node == SCN_NO_INDEX) {
            return ana_fail(error, QKD_ERR_INVALID, "there is no node '%.*s'", (int)len, id);
        }
        if (before == SCN_NO_INDEX && node != app->from) {
            return ana_fail(error, QKD_ERR_INVALID, "routes of '%s' begin at %s", app->id,
                            scenario->nodes[app->from].id);
        }
        if (before != SCN_NO_INDEX && !link_joins(scenario, before, node)) {
            return ana_fail(error, QKD_ERR_INVALID, "no link joins %s and %s",
                            scenario->nodes[before].id, scenario->nodes[node].id);
        }
        before = node;
    }
    if (before != app->to) {
        return ana_fail(error, QKD_ERR_INVALID, "routes of '%s' end at %s", app->id,
                        scenario->nodes[app->to].id);
    }
    return QKD_OK;
}

int ana_route_check(const struct scn_scenario *scenario, uint32_t application, const char *what,
                    struct ana_error *error)
{
    struct parts parts;
    if (!parts_split(what, &parts)) {
        return ana_fail(error, QKD_ERR_INVALID, "expected route[A>B>C].FIGURE");
    }
    if (ana_field_find(ana_route_fields, parts.figure) == NULL) {
        const char *words[MAX_FIGURES];
        size_t count = 0;
        for (const struct ana_field *f = ana_route_fields; f->name != NULL; f++) {
            words[count++] = f->name;
        }
        const char *near = scn_nearest(parts.figure, words, count);
        return ana_fail(error, QKD_ERR_INVALID, "'%s' is no figure of a route%s%s%s", parts.figure,
                        near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                        near == NULL ? "" : "'?");
    }
    return nodes_check(scenario, application, &parts, error);
}

static bool use_is(const struct scn_scenario *scenario, const struct scn_route_use *use,
                   const struct parts *parts)
{
    const char *at = parts->nodes;
    const char *id = NULL;
    for (size_t i = 0; i < use->node_count; i++) {
        size_t len = node_next(parts, &at, &id);
        if (len == 0 || !id_is(scenario->nodes[use->nodes[i]].id, id, len)) {
            return false;
        }
    }
    return node_next(parts, &at, &id) == 0;
}

double ana_route_number(const struct scn_scenario *scenario,
                        const struct scn_application_summary *application, const char *what)
{
    struct parts parts;
    if (!parts_split(what, &parts)) {
        return NAN;
    }
    const struct ana_field *field = ana_field_find(ana_route_fields, parts.figure);
    if (field == NULL) {
        return NAN;
    }
    for (size_t i = 0; i < application->route_count; i++) {
        if (use_is(scenario, &application->routes[i], &parts)) {
            return ana_field_number(field, &application->routes[i]);
        }
    }
    return field->kind == ANA_KIND_COUNT ? 0 : NAN; /* never used */
}

const char *ana_route_text(const struct scn_scenario *scenario, const struct scn_route_use *use,
                           char *text, size_t size)
{
    const char separator[] = {ANA_ROUTE_SEPARATOR, '\0'};
    struct ana_text out = {text, 0, size};
    text[0] = '\0';
    for (size_t i = 0; i < use->node_count; i++) {
        ana_text_add(&out, i == 0 ? "" : separator);
        ana_text_add(&out, scenario->nodes[use->nodes[i]].id);
    }
    return text;
}
