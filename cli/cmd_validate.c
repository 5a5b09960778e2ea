/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn validate`: checks scenario files without running them. */
#include <stdio.h>
#include <stdlib.h>

#include "analysis/json.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/err.h"

enum { OPT_SHOW, OPT_JSON, OPT_SET, OPT_SCHEMA };

static const struct cli_option options[] = {
    {"--show", false}, {"--json", false}, {"--set", true}, {"--schema", false}, {NULL, false}};

struct settings {
    bool show, json, schema;
    const char **paths, **sets;
    size_t path_count, set_count;
};

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_SHOW:
        settings->show = true;
        break;
    case OPT_JSON:
        settings->json = true;
        break;
    case OPT_SCHEMA:
        settings->schema = true;
        break;
    case OPT_SET:
        settings->sets[settings->set_count++] = value;
        break;
    default: /* CLI_ARGUMENT */
        settings->paths[settings->path_count++] = value;
        break;
    }
    return true;
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {&cli_validate_command, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    if (settings->path_count == 0 && !settings->schema) {
        (void)cli_usage(&cli_validate_command, "which scenario file?");
        return false;
    }
    return true;
}

static void counts_json(struct ana_json *json, const struct scn_scenario *scenario)
{
    char hex[65];
    ana_json_string(json, "scenario", scenario->name);
    ana_json_uint(json, "nodes", scenario->node_count);
    ana_json_uint(json, "links", scenario->link_count);
    ana_json_uint(json, "applications", scenario->application_count);
    ana_json_string(json, "hash", scn_hash(scenario, hex) == QKD_OK ? hex : NULL);
}

static void result_json(struct ana_json *json, const struct settings *settings, const char *path,
                        const struct scn_scenario *scenario, const struct scn_errors *errors)
{
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    ana_json_string(json, "file", path);
    ana_json_bool(json, "valid", scenario != NULL);
    if (scenario != NULL) {
        counts_json(json, scenario);
        if (settings->show) {
            char *text = scn_print(scenario);
            ana_json_string(json, "resolved", text);
            free(text);
        }
    }
    ana_json_array(json, "errors", ANA_JSON_INLINE);
    for (size_t i = 0; i < errors->count; i++) {
        ana_json_string(json, NULL, errors->lines[i]);
    }
    ana_json_close(json);
    ana_json_close(json);
}

static void result_print(const struct settings *settings, const char *path,
                         const struct scn_scenario *scenario, const struct scn_errors *errors)
{
    if (scenario == NULL) {
        cli_errors_print(errors);
        return;
    }
    if (settings->show) {
        char *text = scn_print(scenario);
        fputs(text == NULL ? "" : text, stdout);
        free(text);
        return;
    }
    printf("%s: valid: '%s' (nodes %zu, links %zu, applications %zu)\n", path, scenario->name,
           scenario->node_count, scenario->link_count, scenario->application_count);
}

static int files_check(const struct settings *settings)
{
    int exit_code = CLI_DONE;
    struct scn_sets sets = {settings->sets, settings->set_count};
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_array(&json, "files", ANA_JSON_LINES);
    for (size_t i = 0; i < settings->path_count; i++) {
        struct scn_scenario *scenario = NULL;
        struct scn_errors errors;
        int err = cli_scenario_load(settings->paths[i], &sets, &scenario, &errors);
        if (settings->json) {
            result_json(&json, settings, settings->paths[i], scenario, &errors);
        } else {
            result_print(settings, settings->paths[i], scenario, &errors);
        }
        if (err != QKD_OK && exit_code != CLI_BROKEN) {
            exit_code = err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
        }
        scn_free(scenario);
        scn_errors_fini(&errors);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    if (settings->json) {
        puts(json.failed ? "" : json.text);
        exit_code = json.failed ? CLI_BROKEN : exit_code;
    }
    ana_json_fini(&json);
    return exit_code;
}

static int schema_print(void)
{
    char *schema = scn_schema();
    if (schema == NULL) {
        cli_complain(&cli_validate_command, "no memory");
        return CLI_BROKEN;
    }
    fputs(schema, stdout);
    free(schema);
    return CLI_DONE;
}

static int validate(int argc, char **argv)
{
    int exit_code = CLI_BROKEN;
    struct settings settings = {0};
    settings.paths = calloc((size_t)argc + 1, sizeof *settings.paths);
    settings.sets = calloc((size_t)argc + 1, sizeof *settings.sets);
    if (settings.paths == NULL || settings.sets == NULL) {
        cli_complain(&cli_validate_command, "no memory");
    } else if (settings_read(&settings, argc, argv, &exit_code)) {
        exit_code = settings.schema ? schema_print() : files_check(&settings);
    }
    free(settings.paths);
    free(settings.sets);
    return exit_code;
}

const struct cli_command cli_validate_command = {
    "validate", validate, "check scenario files without running them",
    "usage: qkdn validate [OPTIONS] SCENARIO.yaml...\n\n"
    "Reads scenario files and says everything that is wrong with them, one line each:\n"
    "file:line:column: what, and what was expected. Runs nothing.\n\n"
    "  --show            print the resolved scenario: every default filled in\n"
    "  --set PATH=VALUE  change a value first, as in `qkdn run`; may be repeated\n"
    "  --json            one object: {\"files\": [{file, valid, scenario, nodes, links,\n"
    "                    applications, hash, errors[]}]}, with --show also resolved\n"
    "  --schema          print the JSON Schema of scenario files, for editors\n"
    "  --help            this text\n\n"
    "examples:\n"
    "  qkdn validate scenarios/line-3.yaml\n"
    "  qkdn validate --show --set control.routing=fewest-hops scenarios/line-3.yaml\n"
    "  qkdn validate scenarios/*.yaml\n\n"
    "exit codes: 0 all valid; 2 something is wrong, or a file is missing; 3 no memory\n"};
