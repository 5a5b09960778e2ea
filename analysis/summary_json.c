/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The summary as JSON; names are fixed (docs/cli.md), values come by the tables of fields.c. */
#include "analysis/events.h"
#include "analysis/fields.h"
#include "analysis/json.h"
#include "analysis/routes.h"
#include "analysis/summary.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define GROUP_SIZE 32

static void write_field(struct ana_json *json, const char *name, const struct ana_field *field,
                        const void *base)
{
    switch (field->kind) {
    case ANA_KIND_COUNT:
        ana_json_uint(json, name, ana_field_count(field, base));
        break;
    case ANA_KIND_BOOL:
        ana_json_bool(json, name, ana_field_bool(field, base));
        break;
    case ANA_KIND_REAL:
    case ANA_KIND_FRACTION:
        ana_json_double(json, name, ana_field_number(field, base));
        break;
    }
}

/* How a table is written: `group` is the nested object that is open, "" if none. */
struct table_writer {
    struct ana_json *json;
    const void *base;
    char group[GROUP_SIZE];
};

static void close_group(struct table_writer *writer)
{
    if (writer->group[0] != '\0') {
        ana_json_close(writer->json);
        writer->group[0] = '\0';
    }
}

static void write_row(struct table_writer *writer, const struct ana_field *field)
{
    const char *dot = strchr(field->name, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - field->name);
    bool same = dot != NULL && strlen(writer->group) == len &&
                strncmp(writer->group, field->name, len) == 0;
    if (!same) {
        close_group(writer);
        if (dot != NULL && len < GROUP_SIZE) {
            memcpy(writer->group, field->name, len);
            writer->group[len] = '\0';
            ana_json_object(writer->json, writer->group, ANA_JSON_INLINE);
        }
    }
    write_field(writer->json, dot == NULL ? field->name : dot + 1, field, writer->base);
}

/* Fields from `from` up to and without the first whose group is `until` (NULL: all). */
static const struct ana_field *write_fields(struct ana_json *json, const struct ana_field *from,
                                            const void *base, const char *until)
{
    struct table_writer writer = {json, base, ""};
    const struct ana_field *field = from;
    while (field->name != NULL && (until == NULL || strcmp(field->name, until) != 0)) {
        write_row(&writer, field);
        field++;
    }
    close_group(&writer);
    return field;
}

static void write_head(struct ana_json *json, const struct scn_scenario *scenario,
                       const struct scn_summary *summary)
{
    char digest[24];
    snprintf(digest, sizeof digest, "%016" PRIx64, summary->trace_digest);
    ana_json_uint(json, "schema", SCN_SUMMARY_SCHEMA);
    ana_json_string(json, "version", QKDN_VERSION);
    ana_json_string(json, "scenario", scenario->name);
    ana_json_string(json, "engine", scn_engine_name(summary->engine));
    ana_json_uint(json, "seed", summary->seed);
    write_fields(json, ana_head_fields, summary, NULL);
    ana_json_uint(json, "nodes", scenario->node_count);
    ana_json_uint(json, "links_count", scenario->link_count);
    ana_json_string(json, "trace_digest", digest);
}

static void write_reasons(struct ana_json *json, const struct scn_summary *summary,
                          const uint64_t *counts)
{
    ana_json_object(json, "reasons", ANA_JSON_INLINE);
    for (size_t i = 0; i < summary->reason_count; i++) {
        ana_json_uint(json, summary->reasons[i].text,
                      counts == NULL ? summary->reasons[i].count : counts[i]);
    }
    ana_json_close(json);
}

/* Why sessions were refused or broken; only reasons that there were. */
static void write_session_reasons(struct ana_json *json, const struct scn_summary *summary,
                                  const uint64_t *counts)
{
    ana_json_object(json, "session_reasons", ANA_JSON_INLINE);
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (counts[i] > 0) {
            ana_json_uint(json, summary->reasons[i].text, counts[i]);
        }
    }
    ana_json_close(json);
}

/* The groups that hold more than numbers: security (a list) and oracle (a text). */
static void write_watch(struct ana_json *json, const struct scn_summary *summary)
{
    ana_json_object(json, "security", ANA_JSON_INLINE);
    ana_json_uint(json, "auth_failures", summary->security.auth_failures);
    ana_json_uint(json, "forgeries_rejected", summary->security.forgeries_rejected);
    ana_json_uint(json, "forgeries_accepted", summary->security.forgeries_accepted);
    ana_json_uint(json, "leaked_bits", summary->security.leaked_bits);
    ana_json_double(json, "leaked_fraction", summary->security.leaked_fraction);
    ana_json_uint(json, "violations", summary->security.violations);
    if (summary->security.violations > 0) {
        ana_json_string(json, "first", summary->security.first);
    }
    ana_json_array(json, "measures_off", ANA_JSON_INLINE);
    for (size_t i = 0; i < summary->security.measure_count; i++) {
        ana_json_string(json, NULL, summary->security.measures_off[i]);
    }
    ana_json_close(json);
    ana_json_close(json);
    ana_json_object(json, "oracle", ANA_JSON_INLINE);
    ana_json_uint(json, "checks", summary->oracle.checks);
    ana_json_uint(json, "violations", summary->oracle.violations);
    ana_json_double(json, "cost_s", summary->oracle.cost_s);
    if (summary->oracle.violations > 0) {
        ana_json_string(json, "first", summary->oracle.first);
        ana_json_uint(json, "first_event", summary->oracle.first_event);
    }
    ana_json_close(json);
}

static void write_expectations(struct ana_json *json, const struct scn_scenario *scenario,
                               const struct scn_summary *summary)
{
    ana_json_array(json, "expectations", ANA_JSON_LINES);
    for (size_t i = 0; i < summary->verdict_count; i++) {
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "text", scenario->expects[i].text);
        ana_json_double(json, "value", summary->verdicts[i].value);
        ana_json_bool(json, "pass", summary->verdicts[i].pass);
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void write_attacks(struct ana_json *json, const struct scn_scenario *scenario,
                          const struct scn_summary *summary)
{
    ana_json_array(json, "attacks", ANA_JSON_LINES);
    for (size_t i = 0; i < summary->attack_count; i++) {
        const struct scn_attack *attack = &scenario->attacks[i];
        bool of_cell = attack->cell < SCN_CELLS;
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "id", attack->id);
        ana_json_string(json, "cell", of_cell ? scn_cells[attack->cell].id : "");
        ana_json_string(json, "variant", attack->variant);
        ana_json_string(json, "surface", scn_surface_name(attack->surface));
        write_fields(json, ana_attack_fields, &summary->attacks[i], NULL);
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void write_events(struct ana_json *json, const struct scn_scenario *scenario,
                         const struct scn_summary *summary)
{
    char entity[ANA_EVENT_TEXT_SIZE];
    ana_json_array(json, "fault_events", ANA_JSON_LINES);
    for (size_t i = 0; i < summary->fault_event_count; i++) {
        if (isnan(summary->fault_events[i].at_s)) {
            continue; /* it did not begin */
        }
        struct ana_event_text text = ana_event_text(scenario, i, entity);
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "event", scn_event_name(scenario, i));
        ana_json_string(json, "what", text.what);
        ana_json_string(json, "entity", entity);
        ana_json_uint(json, "faults", text.faults);
        write_fields(json, ana_event_fields, &summary->fault_events[i], NULL);
        ana_json_object(json, "reasons", ANA_JSON_INLINE);
        for (size_t k = 0; k < summary->reason_count; k++) {
            if (summary->fault_events[i].reasons[k] > 0) {
                ana_json_uint(json, summary->reasons[k].text, summary->fault_events[i].reasons[k]);
            }
        }
        ana_json_close(json);
        ana_json_close(json);
    }
    ana_json_close(json);
}

/* Classes, most important first as the scenario lists them; the applications without one behind them. */
static void write_classes(struct ana_json *json, const struct scn_scenario *scenario,
                          const struct scn_summary *summary)
{
    ana_json_array(json, "classes", ANA_JSON_LINES);
    for (size_t i = 0; i < summary->class_count; i++) {
        bool is_none = i == scenario->class_count;
        if (is_none && summary->classes[i].applications == 0) {
            continue;
        }
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "id", is_none ? "" : scenario->classes[i].id);
        write_fields(json, ana_class_fields, &summary->classes[i], NULL);
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void write_links(struct ana_json *json, const struct scn_scenario *scenario,
                        const struct scn_summary *summary)
{
    ana_json_array(json, "links", ANA_JSON_LINES);
    for (size_t i = 0; i < summary->link_count; i++) {
        const struct scn_link *link = &scenario->links[i];
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "id", link->id);
        ana_json_string(json, "a", scenario->nodes[link->a].id);
        ana_json_string(json, "b", scenario->nodes[link->b].id);
        ana_json_uint(json, "store_bits", link->store_bits);
        write_fields(json, ana_link_fields, &summary->links[i], NULL);
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void write_routes(struct ana_json *json, const struct scn_scenario *scenario,
                         const struct scn_application_summary *application)
{
    char text[ANA_ROUTE_SIZE];
    ana_json_array(json, "routes", ANA_JSON_INLINE);
    for (size_t i = 0; i < application->route_count; i++) {
        const struct scn_route_use *use = &application->routes[i];
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "route", ana_route_text(scenario, use, text, sizeof text));
        write_fields(json, ana_route_fields, use, NULL);
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void write_applications(struct ana_json *json, const struct scn_scenario *scenario,
                               const struct scn_summary *summary)
{
    ana_json_array(json, "applications", ANA_JSON_LINES);
    for (size_t i = 0; i < summary->application_count; i++) {
        const struct scn_application *app = &scenario->applications[i];
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "id", app->id);
        ana_json_string(json, "from", scenario->nodes[app->from].id);
        ana_json_string(json, "to", scenario->nodes[app->to].id);
        write_fields(json, ana_application_fields, &summary->applications[i], NULL);
        write_reasons(json, summary, summary->applications[i].reasons);
        write_session_reasons(json, summary, summary->applications[i].session_reasons);
        write_routes(json, scenario, &summary->applications[i]);
        ana_json_close(json);
    }
    ana_json_close(json);
}

char *ana_summary_json(const struct scn_scenario *scenario, const struct scn_summary *summary)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    write_head(&json, scenario, summary);
    const struct ana_field *rest = write_fields(&json, ana_run_fields, summary, "served_fraction");
    write_reasons(&json, summary, NULL);
    write_session_reasons(&json, summary, summary->session_reasons);
    write_fields(&json, rest, summary, "security.auth_failures");
    write_watch(&json, summary);
    write_expectations(&json, scenario, summary);
    write_events(&json, scenario, summary);
    write_attacks(&json, scenario, summary);
    write_classes(&json, scenario, summary);
    write_links(&json, scenario, summary);
    write_applications(&json, scenario, summary);
    ana_json_close(&json);
    if (json.failed) {
        ana_json_fini(&json);
        return NULL;
    }
    return json.text;
}
