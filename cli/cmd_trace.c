/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn trace`: the life of one key in the results of a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/chart.h"
#include "analysis/json.h"
#include "analysis/outfile.h"
#include "analysis/trace.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/err.h"

enum { OPT_JSON, OPT_SVG, OPT_MERMAID, OPT_REQUEST, OPT_FORCE };

static const struct cli_option options[] = {{"--json", false},   {"--svg", true},
                                            {"--mermaid", true}, {"--request", true},
                                            {"--force", false},  {NULL, false}};

struct settings {
    const char *arguments[2]; /* as given */
    size_t argument_count;
    const char *key, *path;
    const char *svg, *mermaid; /* where charts go; NULL: none */
    uint64_t request;          /* 0: of the key */
    bool json, force;
};

/* 8-4-4-4-12 text, or 32 hexadecimal digits as SQL's hex() prints them. */
static bool key_id_parse(const char *text, struct qkd_id *id)
{
    char lower[37];
    size_t len = strlen(text);
    if (len != 32 && len != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = dash && len == 32 ? '-' : *text++;
        lower[i] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    }
    lower[36] = '\0';
    return qkd_id_parse(lower, id);
}

/* ---- charts ---- */

typedef int chart_writer(const struct ana_chart *chart, FILE *out);

/* Writes a chart to a file, or to standard output if its name is "-". */
static int chart_write(const struct settings *settings, const struct ana_chart *chart,
                       chart_writer *writer, const char *path, struct ana_error *error)
{
    struct ana_bytes bytes = {0};
    char *text = NULL;
    FILE *memory = open_memstream(&text, &bytes.len);
    int err = memory == NULL ? QKD_ERR_NOMEM : writer(chart, memory);
    if (memory != NULL && fclose(memory) != 0) {
        err = QKD_ERR_NOMEM;
    }
    bytes.bytes = text;
    if (err != QKD_OK) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory");
    } else {
        err = ana_outfile_write(path, settings->force, bytes, error);
    }
    free(text);
    return err;
}

static void facts_print(const struct settings *settings, const struct ana_chart *chart)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_INLINE);
    if (settings->svg != NULL) {
        ana_json_string(&json, "svg", settings->svg);
    }
    if (settings->mermaid != NULL) {
        ana_json_string(&json, "mermaid", settings->mermaid);
    }
    ana_json_uint(&json, "request", chart->request);
    ana_json_uint(&json, "elements", chart->element_count);
    ana_json_uint(&json, "messages", chart->message_count);
    ana_json_close(&json);
    puts(json.failed ? "" : json.text);
    ana_json_fini(&json);
}

static int chart_request(const struct settings *settings, const struct ana_results *results,
                         const struct qkd_id *id, struct ana_error *error)
{
    struct ana_chart chart;
    uint64_t request = settings->request;
    int err = request != 0 ? QKD_OK : ana_chart_request(results, id, &request, error);
    if (err == QKD_OK) {
        err = ana_chart_load(results, request, &chart, error);
    }
    if (err != QKD_OK) {
        return err;
    }
    if (settings->svg != NULL) {
        err = chart_write(settings, &chart, ana_chart_svg, settings->svg, error);
    }
    if (err == QKD_OK && settings->mermaid != NULL) {
        err = chart_write(settings, &chart, ana_chart_mermaid, settings->mermaid, error);
    }
    if (err == QKD_OK && settings->json) {
        facts_print(settings, &chart);
    }
    ana_chart_fini(&chart);
    return err;
}

/* ---- the command ---- */

static int trace_key(const struct settings *settings)
{
    struct qkd_id id;
    struct ana_error error;
    struct ana_results *results = NULL;
    bool chart = settings->svg != NULL || settings->mermaid != NULL;
    if (settings->key != NULL && !key_id_parse(settings->key, &id)) {
        return cli_usage(&cli_trace_command,
                         "'%s' is no key ID: expected 8-4-4-4-12 or 32 hexadecimal digits",
                         settings->key);
    }
    const char *const outputs[] = {settings->svg, settings->mermaid};
    int err = ana_outfile_apart(&(struct ana_files){&settings->path, 1, outputs, 2}, &error);
    for (size_t i = 0; i < 2 && err == QKD_OK; i++) {
        if (outputs[i] != NULL && strcmp(outputs[i], "-") != 0) {
            err = ana_outfile_check(outputs[i], settings->force, &error);
        }
    }
    if (err == QKD_OK) {
        err = ana_results_open(settings->path, &results, &error);
    }
    if (err == QKD_OK && chart) {
        err = chart_request(settings, results, &id, &error);
    } else if (err == QKD_OK) {
        err = settings->json ? ana_trace_json(results, &id, stdout, &error)
                             : ana_trace_print(results, &id, stdout, &error);
    }
    ana_results_close(results);
    if (err != QKD_OK) {
        cli_complain(&cli_trace_command, "%s", error.text);
    }
    return cli_exit_of(err);
}

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_FORCE:
        settings->force = true;
        return true;
    case OPT_SVG:
        settings->svg = value;
        return true;
    case OPT_MERMAID:
        settings->mermaid = value;
        return true;
    case OPT_REQUEST:
        if (!cli_uint(value, &settings->request) || settings->request == 0) {
            cli_usage(&cli_trace_command, "'%s' is no number of a request: 1, 2 ...", value);
            return false;
        }
        return true;
    default: /* CLI_ARGUMENT */
        if (settings->argument_count == 2) {
            cli_usage(&cli_trace_command, "one key and one file, not also '%s'", value);
            return false;
        }
        settings->arguments[settings->argument_count++] = value;
        return true;
    }
}

/* False after a complaint or --help; *exit_code is then the program's. */
static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {&cli_trace_command, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    const char *const *arguments = settings->arguments;
    settings->key = settings->request != 0 ? NULL : arguments[0];
    settings->path = arguments[settings->request != 0 ? 0 : 1];
    if (settings->path == NULL) {
        cli_usage(&cli_trace_command, settings->request != 0 ? "in which results?"
                                                             : "which key, and in which results?");
        return false;
    }
    if (settings->request != 0 && arguments[1] != NULL) {
        cli_usage(&cli_trace_command, "a key or --request, not both");
        return false;
    }
    return true;
}

static int trace(int argc, char **argv)
{
    struct settings settings = {0};
    int exit_code;
    if (!settings_read(&settings, argc, argv, &exit_code)) {
        return exit_code;
    }
    bool chart = settings.svg != NULL || settings.mermaid != NULL;
    if (settings.request != 0 && !chart) {
        return cli_usage(&cli_trace_command, "--request needs --svg or --mermaid");
    }
    return trace_key(&settings);
}

const struct cli_command cli_trace_command = {
    "trace", trace, "show the life of one key, back to its QKD-keys",
    "usage: qkdn trace KEY_ID RESULTS.db [--json]\n"
    "       qkdn trace KEY_ID|--request N RESULTS.db [--svg FILE] [--mermaid FILE] [--force]\n\n"
    "Prints the life of one key: the request that it answered, the hops and pads of the KMA-key "
    "that\n"
    "it was cut from, and the QKD-keys that it travelled under. KEY_ID is that of a KSA-key, a\n"
    "KMA-key or a QKD-key. Hops and life cycle are there if the run was recorded with\n"
    "--record full. With --svg or --mermaid: draws the messages of that request instead, element\n"
    "by element (also with --record full only).\n\n"
    "  --json          one object {key, class, requests[], hops[], life[], parents[]}; parents "
    "are\n"
    "                  objects of the same form\n"
    "  --svg FILE      message-sequence chart of the request that the key answered; -: standard\n"
    "                  output\n"
    "  --mermaid FILE  the same as a Mermaid sequence diagram\n"
    "  --request N     instead of a key: the chart of request number N, also if it got no key\n"
    "  --force         replace an existing file\n"
    "  --help          this text\n\n"
    "examples:\n"
    "  qkdn run scenarios/line-3.yaml -o line-3.db --record full\n"
    "  qkdn trace $(sqlite3 line-3.db 'SELECT hex(ksa_key) FROM request_keys LIMIT 1') "
    "line-3.db\n"
    "  qkdn trace --request 1 line-3.db --svg request-1.svg\n\n"
    "exit codes: 0 done; 2 no such key or request, nothing recorded of it, bad usage or input;\n"
    "3 no memory, or the chart cannot be written\n"};
