/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn export`: tables of a results database as CSV or JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/export.h"
#include "analysis/json.h"
#include "analysis/outfile.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/err.h"

enum { OPT_TABLE, OPT_ALL, OPT_LIST, OPT_FORMAT, OPT_OUTPUT, OPT_FORCE, OPT_JSON };

static const struct cli_option options[] = {{"--table", true}, {"--all", false},
                                            {"--list", false}, {"--format", true},
                                            {"-o", true},      {"--force", false},
                                            {"--json", false}, {NULL, false}};

static const struct cli_command *const self = &cli_export_command;

struct settings {
    const char *input, *table, *output;
    enum ana_export_format format;
    bool all, list, force, json, has_format;
};

/* ---- the command line ---- */

static bool option_read(void *ctx, int got, const char *value)
{
    struct settings *settings = ctx;
    switch (got) {
    case OPT_TABLE:
        settings->table = value;
        return true;
    case OPT_ALL:
        settings->all = true;
        return true;
    case OPT_LIST:
        settings->list = true;
        return true;
    case OPT_FORMAT:
        settings->has_format = true;
        if (!ana_export_format_parse(value, &settings->format)) {
            cli_usage(self, "--format '%s': expected csv, json or jsonl", value);
            return false;
        }
        return true;
    case OPT_OUTPUT:
        settings->output = value;
        return true;
    case OPT_FORCE:
        settings->force = true;
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    default:
        if (settings->input != NULL) {
            cli_usage(self, "one file at a time, not also '%s'", value);
            return false;
        }
        settings->input = value;
        return true;
    }
}

/* Without --format, the ending of the output's name says it. */
static void format_guess(struct settings *settings)
{
    const char *dot = settings->output == NULL || settings->all ? NULL
                                                                : strrchr(settings->output, '.');
    if (!settings->has_format && dot != NULL) {
        (void)ana_export_format_parse(dot + 1, &settings->format);
    }
}

static bool settings_check(struct settings *settings)
{
    int choices = (settings->table != NULL) + settings->all + settings->list;
    if (settings->input == NULL) {
        cli_usage(self, "which results?");
    } else if (choices != 1) {
        cli_usage(self, "what? one of --table NAME, --all and --list");
    } else if (settings->all && (settings->output == NULL || strcmp(settings->output, "-") == 0)) {
        cli_usage(self, "--all needs a folder: -o FOLDER");
    } else if (settings->list && (settings->output != NULL || settings->has_format)) {
        cli_usage(self, "--list prints names; -o and --format are for tables");
    } else {
        format_guess(settings);
        return true;
    }
    return false;
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_read, settings, exit_code)) {
        return false;
    }
    return settings_check(settings);
}

/* ---- what it does ---- */

static int list(const struct settings *settings, const struct ana_results *results,
                const char **tables, struct ana_error *error)
{
    struct ana_json json = {0};
    int err = QKD_OK;
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_string(&json, "file", settings->input);
    ana_json_array(&json, "tables", ANA_JSON_LINES);
    for (size_t i = 0; tables[i] != NULL && err == QKD_OK; i++) {
        uint64_t rows = 0;
        err = ana_export_count(results, tables[i], &rows, error);
        if (err == QKD_OK && !settings->json) {
            printf("%-20s %12" PRIu64 " %s\n", tables[i], rows, rows == 1 ? "row" : "rows");
        }
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        ana_json_string(&json, "table", tables[i]);
        ana_json_uint(&json, "rows", rows);
        ana_json_close(&json);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    if (err == QKD_OK && settings->json) {
        puts(json.failed ? "" : json.text);
    }
    ana_json_fini(&json);
    return err;
}

static int export_one(const struct settings *settings, const struct ana_results *results,
                      const char *table, const char *path, struct ana_error *error)
{
    struct ana_outfile out;
    struct ana_error ignored;
    int err = ana_outfile_apart(&(struct ana_files){&settings->input, 1, &path, 1}, error);
    if (err == QKD_OK) {
        err = ana_outfile_begin(&out, path, settings->force, error);
    }
    if (err != QKD_OK) {
        return err;
    }
    err = ana_export_table(results, table, settings->format, out.file, error);
    int end = ana_outfile_end(&out, err == QKD_OK, err == QKD_OK ? error : &ignored);
    return err != QKD_OK ? err : end;
}

/* "FOLDER/table.csv"; NULL without memory. */
static char *path_in(const struct settings *settings, const char *table)
{
    const char *ending = ana_export_format_name(settings->format);
    size_t size = strlen(settings->output) + strlen(table) + strlen(ending) + 3;
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s/%s.%s", settings->output, table, ending);
    }
    return path;
}

/* One step over all tables: 0 checks that their files may be written, 1 writes them. */
static int for_all(const struct settings *settings, const struct ana_results *results,
                   const char **tables, int step, struct ana_error *error)
{
    int err = QKD_OK;
    for (size_t i = 0; tables[i] != NULL && err == QKD_OK; i++) {
        char *path = path_in(settings, tables[i]);
        if (path == NULL) {
            return ana_fail(error, QKD_ERR_NOMEM, "no memory");
        }
        if (step == 0) {
            const char *const outputs[] = {path};
            err = ana_outfile_apart(&(struct ana_files){&settings->input, 1, outputs, 1}, error);
            err = err == QKD_OK ? ana_outfile_check(path, settings->force, error) : err;
        } else {
            err = export_one(settings, results, tables[i], path, error);
        }
        free(path);
    }
    return err;
}

static int export_all(const struct settings *settings, const struct ana_results *results,
                      const char **tables, struct ana_error *error)
{
    if (mkdir(settings->output, 0777) != 0 && errno != EEXIST) {
        return ana_fail(error, QKD_ERR_IO, "%s: cannot be made: %s", settings->output,
                        strerror(errno));
    }
    int err = for_all(settings, results, tables, 0, error);
    return err == QKD_OK ? for_all(settings, results, tables, 1, error) : err;
}

static int run(const struct settings *settings, const struct ana_results *results,
               struct ana_error *error)
{
    /* One state of the database for all tables, also while a run goes on writing. */
    (void)sqlite3_exec(ana_results_db(results), "BEGIN", NULL, NULL, NULL);
    const char **tables = ana_export_tables(results, error);
    if (tables == NULL) {
        return QKD_ERR_INVALID;
    }
    int err;
    if (settings->list) {
        err = list(settings, results, tables, error);
    } else if (settings->all) {
        err = export_all(settings, results, tables, error);
    } else {
        err = export_one(settings, results, settings->table,
                         settings->output == NULL ? "-" : settings->output, error);
    }
    free(tables);
    return err;
}

static int export_command(int argc, char **argv)
{
    struct settings settings = {0};
    struct ana_results *results = NULL;
    struct ana_error error;
    int exit_code;
    if (!settings_read(&settings, argc, argv, &exit_code)) {
        return exit_code;
    }
    int err = ana_results_open(settings.input, &results, &error);
    if (err == QKD_OK) {
        err = run(&settings, results, &error);
    }
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    ana_results_close(results);
    return cli_exit_of(err);
}

const struct cli_command cli_export_command = {
    "export", export_command, "tables of results as CSV or JSON",
    "usage: qkdn export RESULTS.db --table NAME [--format FORMAT] [-o FILE] [--force]\n"
    "       qkdn export RESULTS.db --all -o FOLDER [--format FORMAT] [--force]\n"
    "       qkdn export RESULTS.db --list [--json]\n\n"
    "Writes tables of a results database for other programs, row by row: their size does not\n"
    "matter. docs/results.md explains tables and columns; exported names carry units.\n\n"
    "  --table NAME     this table or view, such as requests, links or request_list\n"
    "  --all            every table, each in a file of its own\n"
    "  --list           print the names of the tables and how many rows they have\n"
    "  --format FORMAT  csv (default; RFC 4180, with a header), json (one array, an object per\n"
    "                   line) or jsonl (an object per line); also told by the ending of FILE\n"
    "  -o FILE|FOLDER   where to; without it, or -, a table goes to standard output\n"
    "  --force          replace existing files\n"
    "  --json           with --list: one object {file, tables: [{table, rows}]}\n"
    "  --help           this text\n\n"
    "examples:\n"
    "  qkdn export line-3.db --list\n"
    "  qkdn export line-3.db --table request_list -o requests.csv\n"
    "  qkdn export line-3.db --table links --format jsonl | jq .pool_min_bits\n"
    "  qkdn export line-3.db --all -o line-3\n\n"
    "exit codes: 0 done; 2 no such table, bad usage or input, existing file; 3 a file cannot be\n"
    "written\n"};
