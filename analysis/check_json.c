/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks as one JSON object. */
#include <math.h>

#include "analysis/check.h"

#define CHECK_SCHEMA 1

static void write_point(struct ana_json *json, const struct ana_point *point)
{
    static const char *const verdicts[] = {"pass", "fail", "error", "skip"};
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    ana_json_string(json, "name", point->name);
    ana_json_string(json, "verdict", verdicts[point->verdict]);
    if (point->has_value) {
        ana_json_double(json, "value", point->value);
    }
    if (point->where[0] != '\0') {
        ana_json_string(json, "at", point->where);
    }
    if (point->text[0] != '\0') {
        ana_json_string(json, "message", point->text);
    }
    ana_json_close(json);
}

static void write_check(struct ana_json *json, const struct ana_check *check)
{
    bool own = check->topology[0] == '\0';
    ana_json_object(json, NULL, ANA_JSON_LINES);
    ana_json_string(json, "file", check->file);
    ana_json_string(json, "topology", own ? NULL : check->topology);
    ana_json_string(json, "scenario", check->scenario);
    ana_json_string(json, "engine", check->engine[0] == '\0' ? NULL : check->engine);
    ana_json_uint(json, "seed", check->seed);
    ana_json_string(json, "trace_digest", check->digest[0] == '\0' ? NULL : check->digest);
    ana_json_double(json, "sim_s", check->sim_s);
    ana_json_double(json, "wall_s", check->wall_s);
    ana_json_int(json, "exit", check->exit_code);
    ana_json_array(json, "points", ANA_JSON_LINES);
    for (size_t i = 0; i < check->point_count; i++) {
        write_point(json, &check->points[i]);
    }
    ana_json_close(json);
    if (check->comparison.found) {
        ana_comparison_json(json, "baseline", &check->comparison);
    }
    ana_json_close(json);
}

void ana_checks_json(struct ana_json *json, const struct ana_check *checks, size_t count)
{
    size_t sums[4] = {0};
    int exit_code = 0;
    for (size_t i = 0; i < count; i++) {
        for (int v = ANA_PASS; v <= ANA_SKIP; v++) {
            sums[v] += ana_check_count(&checks[i], (enum ana_verdict)v);
        }
        exit_code = checks[i].exit_code > exit_code ? checks[i].exit_code : exit_code;
    }
    ana_json_object(json, NULL, ANA_JSON_LINES);
    ana_json_uint(json, "schema", CHECK_SCHEMA);
    ana_json_string(json, "version", QKDN_VERSION);
    ana_json_uint(json, "passed", sums[ANA_PASS]);
    ana_json_uint(json, "failed", sums[ANA_FAIL]);
    ana_json_uint(json, "errors", sums[ANA_ERROR]);
    ana_json_uint(json, "skipped", sums[ANA_SKIP]);
    ana_json_int(json, "exit", exit_code);
    ana_json_array(json, "checks", ANA_JSON_LINES);
    for (size_t i = 0; i < count; i++) {
        write_check(json, &checks[i]);
    }
    ana_json_close(json);
    ana_json_close(json);
}
