/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn graph`: draws a scenario, or a scenario with its results. */
#include <stdio.h>
#include <string.h>

#include "analysis/graph.h"
#include "analysis/json.h"
#include "analysis/outfile.h"
#include "analysis/results.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/err.h"

enum { OPT_OUTPUT, OPT_FORCE, OPT_APPLICATIONS, OPT_JSON, OPT_FORMAT, OPT_CLASSICAL };

static const struct cli_option options[] = {
    {"-o", true},      {"--force", false}, {"--applications", false},
    {"--json", false}, {"--format", true}, {"--classical", false},
    {NULL, false}};

struct settings {
    const char *input;
    bool json;
    struct ana_graph_options graph;
};

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_OUTPUT:
        settings->graph.path = value;
        return true;
    case OPT_FORCE:
        settings->graph.force = true;
        return true;
    case OPT_APPLICATIONS:
        settings->graph.applications = true;
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_CLASSICAL:
        settings->graph.classical = true;
        return true;
    case OPT_FORMAT:
        if (!ana_graph_format_parse(value, &settings->graph.format)) {
            cli_usage(&cli_graph_command, "--format '%s': expected svg, png, dot, mmd or json",
                      value);
            return false;
        }
        return true;
    default: /* CLI_ARGUMENT */
        if (settings->input != NULL) {
            cli_usage(&cli_graph_command, "one file at a time, not also '%s'", value);
            return false;
        }
        settings->input = value;
        return true;
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {&cli_graph_command, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    if (settings->input == NULL || settings->graph.path == NULL) {
        cli_usage(&cli_graph_command, settings->input == NULL ? "which scenario or results?"
                                                              : "where to? -o picture.svg");
        return false;
    }
    if (strcmp(settings->graph.path, "-") == 0 &&
        (settings->json || settings->graph.format == ANA_GRAPH_BY_NAME)) {
        cli_usage(&cli_graph_command, settings->json ? "--json and -o - both print; choose one"
                                                     : "-o - needs --format");
        return false;
    }
    return true;
}

static int draw(const struct settings *settings, const struct scn_scenario *scenario,
                const struct scn_summary *summary)
{
    struct ana_error error;
    int err = ana_graph_write(scenario, summary, &settings->graph, &error);
    if (err != QKD_OK) {
        cli_complain(&cli_graph_command, "%s", error.text);
        return cli_exit_of(err);
    }
    if (settings->json) {
        struct ana_json json = {0};
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        ana_json_string(&json, "file", settings->graph.path);
        ana_json_uint(&json, "nodes", scenario->node_count);
        ana_json_uint(&json, "links", scenario->link_count);
        ana_json_bool(&json, "results", summary != NULL);
        ana_json_close(&json);
        puts(json.failed ? "" : json.text);
        ana_json_fini(&json);
    }
    return CLI_DONE;
}

/* Whether the picture goes over none of these files. */
static bool output_check(const struct settings *settings, const char *const *inputs, size_t count)
{
    struct ana_error error;
    const struct ana_files files = {inputs, count, &settings->graph.path, 1};
    if (ana_outfile_apart(&files, &error) == QKD_OK) {
        return true;
    }
    cli_complain(&cli_graph_command, "%s", error.text);
    return false;
}

static int draw_scenario(const struct settings *settings)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int exit_code = CLI_DONE;
    int err = cli_scenario_load(settings->input, NULL, &scenario, &errors);
    if (err != QKD_OK) {
        cli_errors_print(&errors);
        exit_code = err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
    } else if (output_check(settings, (const char *const *)errors.sources, errors.source_count)) {
        exit_code = draw(settings, scenario, NULL);
    } else {
        exit_code = CLI_BAD_INPUT;
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
    return exit_code;
}

static int draw_results(const struct settings *settings)
{
    struct ana_results *results = NULL;
    struct ana_error error;
    int err = ana_results_open(settings->input, &results, &error);
    if (err != QKD_OK) {
        cli_complain(&cli_graph_command, "%s", error.text);
        return cli_exit_of(err);
    }
    int exit_code = draw(settings, ana_results_scenario(results), ana_results_summary(results));
    ana_results_close(results);
    return exit_code;
}

static int graph(int argc, char **argv)
{
    struct settings settings = {0};
    int exit_code;
    if (!settings_read(&settings, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!output_check(&settings, &settings.input, 1)) {
        return CLI_BAD_INPUT;
    }
    return ana_results_is(settings.input) ? draw_results(&settings) : draw_scenario(&settings);
}

const struct cli_command cli_graph_command = {
    "graph", graph, "draw a scenario or the results of a run",
    "usage: qkdn graph SCENARIO.yaml|RESULTS.db -o FILE.svg|.png|.dot|.mmd|.json [OPTIONS]\n\n"
    "Draws the network: links wide by key rate; with results, coloured by the pool level at the\n"
    "end; broken links (or, without results, links with a planned fault) dashed red. On the map "
    "if\n"
    "every node has lat and lon. As text: .dot for Graphviz, .mmd a Mermaid flowchart, .json\n"
    "nodes and links with all that is drawn.\n\n"
    "  -o FILE          where to; the ending of the name says what; -: standard output\n"
    "  --format FORMAT  svg, png, dot, mmd or json, whatever the name is\n"
    "  --applications   also draw who asks whom for keys\n"
    "  --classical      also draw a classical network of its own, with its switches\n"
    "  --force          replace an existing file\n"
    "  --json           one object {file, nodes, links, results} on standard output\n"
    "  --help           this text\n\n"
    "examples:\n"
    "  qkdn graph scenarios/line-3.yaml -o line-3.svg\n"
    "  qkdn run scenarios/line-3.yaml -o line-3.db && qkdn graph line-3.db -o line-3.png\n"
    "  qkdn graph line-3.db --format json -o - | jq '.links[] | {id, level}'\n\n"
    "exit codes: 0 drawn; 2 bad usage or input; 3 the picture cannot be written\n"};
