/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn check`: runs scenarios and judges them, for continuous integration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/outfile.h"
#include "cli/check.h"
#include "cli/choices.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "core/base/err.h"

enum {
    OPT_TOPOLOGY,
    OPT_BASELINE,
    OPT_TOLERANCE,
    OPT_DIFF,
    OPT_SAVE,
    OPT_JUNIT,
    OPT_FORCE,
    OPT_JSON,
    OPT_JOBS,
    OPT_ENGINE,
    OPT_SEED,
    OPT_UNTIL,
    OPT_SET
};

static const struct cli_option options[] = {
    {"--topology", true}, {"--baseline", true}, {"--tolerance", true}, {"--diff", true},
    {"--save", true},     {"--junit", true},    {"--force", false},    {"--json", false},
    {"-j", true},         {"--engine", true},   {"--seed", true},      {"--until", true},
    {"--set", true},      {NULL, false}};

#define MOST_JOBS 64

struct settings {
    const char *topology, *diff, *save, *junit;
    bool force, json;
    size_t jobs;
    struct cli_check_plan plan;
    struct cli_check_items items;
    struct cli_choices choices;
};

static const struct cli_command *const self = &cli_check_command;

/* ---- the command line ---- */

static bool jobs_read(struct settings *settings, const char *value)
{
    uint64_t number;
    if (!cli_uint(value, &number) || number < 1 || number > MOST_JOBS) {
        cli_usage(self, "-j '%s': expected 1 to %d", value, MOST_JOBS);
        return false;
    }
    settings->jobs = (size_t)number;
    return true;
}

static bool tolerance_read(struct settings *settings, const char *value)
{
    struct ana_error error;
    struct cli_check_plan *plan = &settings->plan;
    if (ana_tolerance_parse(&plan->tolerances[plan->tolerance_count], value, &error) != QKD_OK) {
        cli_usage(self, "--tolerance %s", error.text);
        return false;
    }
    plan->keep_figures = plan->keep_figures ||
                         plan->tolerances[plan->tolerance_count].pattern[0] != '\0';
    plan->tolerance_count++;
    return true;
}

static bool diff_read(struct settings *settings, const char *value)
{
    size_t len = strlen(value);
    if ((len < 6 || strcmp(value + len - 5, ".html") != 0) &&
        (len < 4 || strcmp(value + len - 3, ".md") != 0)) {
        cli_usage(self, "--diff '%s': expected a name that ends with .html or .md", value);
        return false;
    }
    settings->diff = value;
    return true;
}

static bool file_read(struct settings *settings, const char *value)
{
    struct ana_error error;
    int err = cli_check_files(&settings->items, value, &error);
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    return err == QKD_OK;
}

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_TOPOLOGY:
        settings->topology = value;
        return true;
    case OPT_BASELINE:
        settings->plan.baseline = value;
        return true;
    case OPT_TOLERANCE:
        return tolerance_read(settings, value);
    case OPT_DIFF:
        return diff_read(settings, value);
    case OPT_SAVE:
        settings->save = value;
        settings->plan.keep_figures = true;
        return true;
    case OPT_JUNIT:
        settings->junit = value;
        return true;
    case OPT_FORCE:
        settings->force = true;
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_JOBS:
        return jobs_read(settings, value);
    case OPT_ENGINE:
        return cli_choose_engine(&settings->choices, self, value);
    case OPT_SEED:
        return cli_choose_seed(&settings->choices, self, value);
    case OPT_UNTIL:
        return cli_choose_until(&settings->choices, self, value);
    case OPT_SET:
        cli_choose_set(&settings->choices, value);
        return true;
    default: /* CLI_ARGUMENT */
        return file_read(settings, value);
    }
}

/* All files that the checks read but the baseline; a pair of CSV files is named by its beginning. To
 * be freed with names_free(); NULL without memory. */
static char **names_read(const struct cli_check_items *items, size_t *count)
{
    static const char *const endings[] = {"", "-nodes.csv", "-links.csv"};
    char **names = calloc(4 * items->count + 1, sizeof *names);
    *count = 0;
    for (size_t i = 0; i < items->count && names != NULL; i++) {
        const char *topology = items->items[i].topology;
        names[(*count)++] = strdup(items->items[i].file);
        for (size_t j = 0; j < 3 && topology != NULL; j++) {
            size_t size = strlen(topology) + strlen(endings[j]) + 1;
            names[*count] = malloc(size);
            if (names[*count] != NULL) {
                snprintf(names[*count], size, "%s%s", topology, endings[j]);
            }
            (*count)++;
        }
    }
    return names;
}

static void names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count && names != NULL; i++) {
        free(names[i]);
    }
    free(names);
}

/* Nothing is written over what is read, but --save over the baseline: it takes its place. */
static int outputs_check(const struct settings *settings, struct ana_error *error)
{
    const char *const outputs[] = {settings->junit, settings->diff, settings->save};
    int err = QKD_OK;
    size_t count;
    char **names = names_read(&settings->items, &count);
    if (names == NULL) {
        return ana_fail(error, QKD_ERR_NOMEM, "no memory");
    }
    const struct ana_files all = {(const char *const *)names, count, outputs, 3};
    /* Results of `qkdn run -o` hold more than what --save would put in their place. */
    bool renewed = ana_baseline_is_stored(settings->plan.baseline);
    const struct ana_files others = {&settings->plan.baseline, 1, outputs, renewed ? 2 : 3};
    err = ana_outfile_apart(&all, error);
    if (err == QKD_OK) {
        err = ana_outfile_apart(&others, error);
    }
    for (size_t i = 0; i < 3 && err == QKD_OK; i++) {
        if (outputs[i] != NULL) {
            err = i == 2 ? ana_outfile_replace_check(outputs[i], settings->force, error)
                         : ana_outfile_check(outputs[i], settings->force, error);
        }
    }
    names_free(names, count);
    return err;
}

/* What belongs together; and that all files can be written, before anything runs. */
static bool settings_check(struct settings *settings)
{
    struct ana_error error;
    int err = QKD_OK;
    if (settings->plan.baseline == NULL &&
        (settings->diff != NULL || settings->plan.tolerance_count > 0)) {
        cli_usage(self, "%s goes with --baseline",
                  settings->diff != NULL ? "--diff" : "--tolerance");
        return false;
    }
    if (settings->plan.baseline != NULL) {
        err = ana_baseline_check(settings->plan.baseline, &error);
    }
    if (err == QKD_OK && settings->topology != NULL) {
        err = cli_check_topologies(&settings->items, settings->topology, &error);
    }
    if (err == QKD_OK) {
        err = outputs_check(settings, &error);
    }
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    return err == QKD_OK;
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    if (settings->items.count == 0) {
        cli_usage(self, "which scenario files or folders?");
        return false;
    }
    cli_choices_complete(&settings->choices);
    settings->plan.sets = settings->choices.sets;
    settings->plan.set_count = settings->choices.set_count;
    settings->plan.until_ns = settings->choices.until_ns;
    settings->plan.outputs[0] = settings->junit;
    settings->plan.outputs[1] = settings->diff;
    settings->plan.outputs[2] = settings->save;
    return settings_check(settings);
}

/* ---- checks ---- */

struct collection {
    const struct settings *settings;
    struct ana_check *checks; /* room for all items */
    size_t count, points;
};

static void on_check(void *ctx, struct ana_check *check)
{
    struct collection *all = ctx;
    all->checks[all->count++] = *check;
    if (!all->settings->json) {
        ana_tap_check(stdout, &all->checks[all->count - 1], &all->points);
    }
}

/* ---- reports ---- */

typedef void report_write(FILE *out, const struct collection *all);

/* Writes a report into memory, then all of it into its file. */
static int report_make(const struct collection *all, const char *path, report_write *write)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct ana_error error;
    int err = QKD_OK;
    if (out == NULL) {
        cli_complain(self, "no memory for %s", path);
        return CLI_BROKEN;
    }
    write(out, all);
    if (fclose(out) != 0) {
        err = ana_fail(&error, QKD_ERR_NOMEM, "no memory for %s", path);
    } else {
        err = ana_outfile_write(path, all->settings->force, (struct ana_bytes){text, len}, &error);
    }
    free(text);
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    return err == QKD_OK ? CLI_DONE : CLI_BROKEN;
}

static void junit_write(FILE *out, const struct collection *all)
{
    char now_text[32] = "1970-01-01T00:00:00";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(now_text, sizeof now_text, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    ana_junit_write(out, all->checks, all->count, now_text);
}

static void diff_write(FILE *out, const struct collection *all)
{
    const struct ana_comparison **found = calloc(all->count + 1, sizeof *found);
    size_t count = 0;
    for (size_t i = 0; found != NULL && i < all->count; i++) {
        if (all->checks[i].comparison.found) {
            found[count++] = &all->checks[i].comparison;
        }
    }
    const char *diff = all->settings->diff;
    ana_comparison_page(out, strcmp(diff + strlen(diff) - 5, ".html") == 0, found, count);
    free(found);
}

static int json_print(const struct collection *all)
{
    struct ana_json json = {0};
    ana_checks_json(&json, all->checks, all->count);
    bool failed = json.failed;
    if (!failed) {
        puts(json.text);
    }
    ana_json_fini(&json);
    return failed ? CLI_BROKEN : CLI_DONE;
}

static int worse(int a, int b)
{
    return a > b ? a : b;
}

/* ---- what was compared, and what is stored ---- */

/* A comparison that finds nothing to compare with, in any run, is no comparison. */
static int baseline_judge(const struct collection *all)
{
    size_t asked = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct ana_check *check = &all->checks[i];
        for (size_t j = 0; j < check->point_count; j++) {
            asked += check->points[j].compares;
        }
        if (check->comparison.found) {
            return CLI_DONE;
        }
    }
    if (asked > 0) {
        cli_complain(
            self,
            "no run in %s is comparable: expected one of the same scenario name, topology, "
            "engine and seed",
            all->settings->plan.baseline);
    }
    return asked > 0 ? CLI_BAD_INPUT : CLI_DONE;
}

static bool tolerance_fits(const struct ana_tolerance *tolerance, const struct ana_figures *figures)
{
    bool links = tolerance->scope == SCN_SCOPE_LINK;
    size_t count = links ? figures->link_count : figures->application_count;
    for (size_t i = 0; i < count; i++) {
        if (scn_pattern_matches(tolerance->pattern,
                                links ? figures->link_ids[i] : figures->application_ids[i])) {
            return true;
        }
    }
    return false;
}

/* Each --tolerance of a link or application must name one of some run. */
static int tolerances_judge(const struct collection *all)
{
    const struct cli_check_plan *plan = &all->settings->plan;
    int exit_code = CLI_DONE;
    for (size_t t = 0; t < plan->tolerance_count; t++) {
        const struct ana_tolerance *tolerance = &plan->tolerances[t];
        size_t runs = 0;
        bool fits = tolerance->pattern[0] == '\0';
        for (size_t i = 0; i < all->count && !fits; i++) {
            const struct ana_figures *figures = &all->checks[i].figures;
            runs += figures->run != NULL;
            fits = figures->run != NULL && tolerance_fits(tolerance, figures);
        }
        if (!fits && runs > 0) {
            const char *what = tolerance->scope == SCN_SCOPE_LINK ? "link" : "application";
            cli_complain(self, "--tolerance %s[%s].%s: no run has such %s", what,
                         tolerance->pattern, tolerance->figure,
                         tolerance->scope == SCN_SCOPE_LINK ? "a link" : "an application");
            exit_code = CLI_BAD_INPUT;
        }
    }
    return exit_code;
}

/* Stores the runs. A baseline that is to be renewed stays as it is unless every run passed: it would
 * lose the better run of one that did not. */
static int runs_save(const struct collection *all)
{
    const struct settings *settings = all->settings;
    const struct ana_files same = {&settings->plan.baseline, 1, &settings->save, 1};
    struct ana_error error;
    size_t bad = 0;
    for (size_t i = 0; i < all->count; i++) {
        bad += all->checks[i].failed || all->checks[i].exit_code != CLI_DONE;
    }
    if (bad > 0 && ana_outfile_apart(&same, &error) != QKD_OK) {
        cli_complain(self, "%s: left as it is: %zu of %zu runs did not pass", settings->save, bad,
                     all->count);
        return CLI_DONE;
    }
    int err = ana_baseline_save(settings->save, settings->force, all->checks, all->count, &error);
    if (err != QKD_OK) {
        cli_complain(self, "%s", error.text);
    }
    return err == QKD_OK ? CLI_DONE : CLI_BROKEN;
}

static int reports_make(const struct collection *all)
{
    const struct settings *settings = all->settings;
    int exit_code = CLI_DONE;
    if (settings->json) {
        exit_code = json_print(all);
    } else if (cli_interrupted) {
        puts("Bail out! interrupted");
    } else {
        ana_tap_end(stdout, all->points);
    }
    for (size_t i = 0; i < all->count; i++) {
        if (all->checks[i].overwrites) {
            cli_complain(self, "no file was written: one would have gone over an input");
            return worse(exit_code, CLI_BAD_INPUT);
        }
    }
    if (settings->junit != NULL) {
        exit_code = worse(exit_code, report_make(all, settings->junit, junit_write));
    }
    if (settings->diff != NULL) {
        exit_code = worse(exit_code, report_make(all, settings->diff, diff_write));
    }
    if (settings->save != NULL && !cli_interrupted) {
        exit_code = worse(exit_code, runs_save(all));
    }
    return exit_code;
}

static int checks_run(const struct settings *settings)
{
    struct collection all = {.settings = settings};
    all.checks = calloc(settings->items.count + 1, sizeof *all.checks);
    if (all.checks == NULL) {
        cli_complain(self, "no memory");
        return CLI_BROKEN;
    }
    struct cli_pool pool = {&settings->plan, &settings->items, settings->jobs, on_check, &all};
    if (!settings->json) {
        ana_tap_begin(stdout);
    }
    int err = cli_pool_run(&pool);
    if (err != QKD_OK) {
        cli_complain(self, "a check could not be started: %s", qkd_err_text(err));
    }
    int exit_code = err != QKD_OK || cli_interrupted ? CLI_BROKEN : CLI_DONE;
    if (!cli_interrupted) {
        int judged = worse(baseline_judge(&all), tolerances_judge(&all));
        for (size_t i = 0; i < all.count; i++) { /* what is wrong with all is wrong with each */
            all.checks[i].exit_code = worse(all.checks[i].exit_code, judged);
        }
    }
    exit_code = worse(exit_code, reports_make(&all));
    for (size_t i = 0; i < all.count; i++) {
        exit_code = worse(exit_code, all.checks[i].failed ? CLI_BROKEN : all.checks[i].exit_code);
        ana_check_fini(&all.checks[i]);
    }
    free(all.checks);
    return exit_code;
}

static size_t processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (count > MOST_JOBS ? MOST_JOBS : (size_t)count);
}

static int check(int argc, char **argv)
{
    int exit_code = CLI_BROKEN;
    struct settings settings = {.jobs = processors()};
    int err = cli_choices_init(&settings.choices, argc);
    settings.plan.tolerances = calloc((size_t)argc + 1, sizeof *settings.plan.tolerances);
    if (err != QKD_OK || settings.plan.tolerances == NULL) {
        cli_complain(self, "no memory");
    } else if (settings_read(&settings, argc, argv, &exit_code)) {
        exit_code = checks_run(&settings);
    }
    cli_check_items_fini(&settings.items);
    cli_choices_fini(&settings.choices);
    free(settings.plan.tolerances);
    return exit_code;
}

const struct cli_command cli_check_command = {
    "check", check, "run scenarios and judge them, for CI",
    "usage: qkdn check SCENARIO.yaml|DIR... [OPTIONS]\n\n"
    "Runs scenarios, each in a process of its own, and judges each: it loads, it runs to its end, "
    "no\n"
    "rule is broken, every line of its `expect:` holds. Prints TAP (version 13). A folder stands "
    "for\n"
    "all *.yaml below it.\n\n"
    "  -j N               at most N at a time (default: the number of processors)\n"
    "  --junit FILE       also write JUnit XML\n"
    "  --json             print one JSON object instead of TAP\n"
    "  --topology DIR     run each scenario on every network in DIR: *.yaml with a network:\n"
    "                     section, and pairs X-nodes.csv, X-links.csv\n"
    "  --save FILE        keep the figures of all runs in this SQLite database\n"
    "  --baseline FILE    compare with the runs stored there (by --save, or by `qkdn run -o`)\n"
    "  --tolerance T      how much worse is allowed: '5%' (default), 'latency_s.p95=10%',\n"
    "                     'link[*].pool_min_bits=5000', 'relay.hops_mean=off'; may be repeated\n"
    "  --diff FILE        page of all differences to the baseline, .html or .md\n"
    "  --force            replace files that exist\n"
    "  --engine ENGINE, --seed N, --until TIME, --set PATH=VALUE    as in `qkdn run`\n"
    "  --help             this text\n\n"
    "examples:\n"
    "  qkdn check scenarios/line-3.yaml\n"
    "  qkdn check scenarios --junit report.xml -j 4\n"
    "  qkdn check load.yaml --topology topologies --save main.db\n"
    "  qkdn check load.yaml --topology topologies --baseline main.db --tolerance 3% --diff "
    "diff.html\n\n"
    "exit codes: 0 all is well; 1 an expectation or a rule failed, or a figure is worse than the\n"
    "baseline; 2 bad usage, a scenario does not load, or the baseline has none of these runs; 3 a\n"
    "run broke, or interrupted\n"};
