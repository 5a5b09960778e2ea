/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threats as one JSON object (docs/cli.md, "qkdn threats"). */
#include <string.h>

#include "analysis/json.h"
#include "cli/threats.h"

static void run_json(struct ana_json *json, const char *name, const struct cli_threat_run *run)
{
    ana_json_object(json, name, ANA_JSON_INLINE);
    ana_json_double(json, "gain", run->gain);
    ana_json_uint(json, "seen", run->attack.seen);
    ana_json_uint(json, "shielded", run->attack.shielded);
    ana_json_uint(json, "read", run->attack.read);
    ana_json_uint(json, "leaked_bits", run->attack.leaked_bits);
    ana_json_uint(json, "forged", run->attack.forged);
    ana_json_uint(json, "accepted", run->attack.accepted);
    ana_json_double(json, "detect_s", run->attack.detect_s);
    ana_json_double(json, "alarm_s", run->attack.alarm_s);
    ana_json_double(json, "restore_s", run->attack.restore_s);
    ana_json_uint(json, "sent", run->attack.sent);
    ana_json_uint(json, "backlog", run->attack.backlog);
    ana_json_uint(json, "missed", run->attack.missed);
    ana_json_uint(json, "honest_lost", run->honest_lost);
    ana_json_uint(json, "waste_bits", run->waste_bits);
    ana_json_uint(json, "mismatched_pairs", run->mismatched);
    ana_json_uint(json, "served", run->served);
    ana_json_uint(json, "total", run->total);
    ana_json_uint(json, "violations", run->violations);
    ana_json_uint(json, "excused", run->excused);
    ana_json_close(json);
}

/* How many variants of the cell had success in their runs of a kind. */
static void successes_json(struct ana_json *json, const struct cli_threats *threats, size_t cell,
                           enum cli_threat_kind kind)
{
    uint64_t runs = 0, successes = 0;
    for (size_t i = 0; i < threats->count; i++) {
        const struct cli_threat *threat = &threats->all[i];
        if (strcmp(scn_variants[threat->variant].cell, scn_cells[cell].id) == 0) {
            runs += threat->run[kind].done;
            successes += threat->run[kind].done && threat->run[kind].gain > 0;
        }
    }
    ana_json_object(json, cli_threat_kind_name(kind), ANA_JSON_INLINE);
    ana_json_uint(json, "runs", runs);
    ana_json_uint(json, "successes", successes);
    ana_json_close(json);
}

static void variants_json(struct ana_json *json, const struct cli_threats *threats, size_t cell)
{
    ana_json_array(json, "variants", ANA_JSON_LINES);
    for (size_t i = 0; i < threats->count; i++) {
        const struct cli_threat *threat = &threats->all[i];
        const struct scn_variant *v = &scn_variants[threat->variant];
        if (strcmp(v->cell, scn_cells[cell].id) != 0) {
            continue;
        }
        ana_json_object(json, NULL, ANA_JSON_LINES);
        ana_json_string(json, "name", v->name);
        ana_json_string(json, "asset", v->asset);
        ana_json_string(json, "proof", scn_proof_name(v->proof));
        ana_json_string(json, "verdict", cli_threat_verdict_name(threat->verdict));
        for (int kind = 0; kind < CLI_THREAT_KINDS; kind++) {
            if (threat->run[kind].done) {
                run_json(json, cli_threat_kind_name((enum cli_threat_kind)kind),
                         &threat->run[kind]);
            }
        }
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void cells_json(struct ana_json *json, const struct cli_threats *threats)
{
    ana_json_array(json, "cells", ANA_JSON_LINES);
    for (size_t i = 0; i < SCN_CELLS; i++) {
        if (!threats->wanted[i]) {
            continue;
        }
        const struct scn_cell *cell = &scn_cells[i];
        ana_json_object(json, NULL, ANA_JSON_LINES);
        ana_json_string(json, "id", cell->id);
        ana_json_string(json, "surface", scn_surface_name(cell->surface));
        ana_json_string(json, "threat", scn_threat_name(cell->threat));
        ana_json_bool(json, "extra", cell->extra);
        ana_json_string(json, "verdict", cli_threat_verdict_name(cli_threats_cell(threats, i)));
        ana_json_string(json, "missing", cell->missing);
        ana_json_object(json, "base", ANA_JSON_INLINE);
        ana_json_uint(json, "served", threats->base_served);
        ana_json_uint(json, "total", threats->base_total);
        ana_json_close(json);
        successes_json(json, threats, i, CLI_THREAT_OFF);
        successes_json(json, threats, i, CLI_THREAT_ON);
        variants_json(json, threats, i);
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void requirements_json(struct ana_json *json, const struct cli_threats *threats)
{
    ana_json_array(json, "requirements", ANA_JSON_LINES);
    for (int number = 1; number <= CLI_REQUIREMENTS; number++) {
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_uint(json, "id", (uint64_t)number);
        ana_json_string(json, "level",
                        cli_requirement_is_required(number) ? "required" : "recommended");
        ana_json_array(json, "cells", ANA_JSON_INLINE);
        for (size_t i = 0; i < SCN_CELLS; i++) {
            if (!scn_cells[i].extra && cli_requirement_has(number, i)) {
                ana_json_string(json, NULL, scn_cells[i].id);
            }
        }
        ana_json_close(json);
        ana_json_string(json, "verdict", cli_requirement_verdict(threats, number));
        ana_json_array(json, "evidence", ANA_JSON_INLINE);
        for (size_t i = 0; i < SCN_CELLS; i++) {
            if (!scn_cells[i].extra && cli_requirement_has(number, i) &&
                cli_threats_cell(threats, i) != CLI_THREAT_NOT_RUN) {
                ana_json_string(json, NULL, scn_cells[i].id);
            }
        }
        ana_json_close(json);
        ana_json_close(json);
    }
    ana_json_close(json);
}

/* D2.3, clause 10. */
static void points_json(struct ana_json *json, const struct cli_threats *threats)
{
    ana_json_array(json, "points", ANA_JSON_LINES);
    for (size_t i = 0; i < CLI_POINTS; i++) {
        ana_json_object(json, NULL, ANA_JSON_INLINE);
        ana_json_string(json, "point", cli_points[i].name);
        for (int p = 0; p < CLI_PROPERTIES; p++) {
            ana_json_string(json, cli_property_names[p],
                            cli_point_text(threats, &cli_points[i], (enum cli_property)p));
        }
        ana_json_close(json);
    }
    ana_json_close(json);
}

static void tags_json(struct ana_json *json, const struct cli_tags *tags)
{
    static const char *const names[] = {"short", "full"};
    if (!tags->done) {
        return;
    }
    ana_json_object(json, "tags", ANA_JSON_LINES);
    for (int i = 0; i < 2; i++) {
        ana_json_object(json, names[i], ANA_JSON_INLINE);
        ana_json_uint(json, "bits", i == 0 ? 8 : 128);
        ana_json_uint(json, "tries", tags->tries[i]);
        ana_json_uint(json, "accepted", tags->accepted[i]);
        ana_json_double(json, i == 0 ? "expected" : "most_95",
                        i == 0 ? tags->expected : tags->most_95);
        ana_json_double(json, i == 0 ? "spread" : "bound", i == 0 ? tags->spread : tags->bound);
        ana_json_bool(json, "good", i == 0 ? tags->short_good : tags->full_good);
        ana_json_close(json);
    }
    ana_json_close(json);
}

bool cli_threats_json(FILE *out, const struct cli_threats *threats)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_uint(&json, "schema", 1);
    ana_json_string(&json, "network", threats->network);
    ana_json_uint(&json, "seed", threats->seed);
    cells_json(&json, threats);
    requirements_json(&json, threats);
    points_json(&json, threats);
    tags_json(&json, &threats->tags);
    ana_json_close(&json);
    bool good = !json.failed;
    if (good) {
        fprintf(out, "%s\n", json.text);
    }
    ana_json_fini(&json);
    return good;
}
