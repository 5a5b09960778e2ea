/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn fuzz`: random networks under random faults; and scenarios judged as they are. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/json.h"
#include "cli/cli.h"
#include "cli/fuzz_failure.h"
#include "cli/fuzz_pool.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "core/base/err.h"
#include "scenarios/quantity.h"

enum {
    OPT_SEEDS,
    OPT_JOBS,
    OPT_TIME,
    OPT_FAILURES,
    OPT_SHRINK,
    OPT_OUTPUT,
    OPT_FORCE,
    OPT_SHOW,
    OPT_JSON,
    OPT_QUIET
};

static const struct cli_option options[] = {
    {"--seeds", true},  {"-j", true},       {"--time", true},   {"--failures", true},
    {"--shrink", true}, {"-o", true},       {"--force", false}, {"--show", false},
    {"--json", false},  {"--quiet", false}, {NULL, false}};

enum { JOBS_MOST = 256, FAILURES_MOST = 1000, POLL_MS = 200 };

#define SHRINK_S 20.0 /* default of --shrink */
#define LINE_EVERY_S 0.5
#define SEED_MOST UINT64_C(9223372036854774784) /* as `seed` of a scenario */

struct settings {
    uint64_t first, last; /* seeds */
    bool has_seeds, has_folder, force, show, json, quiet;
    uint32_t jobs, failures;
    double time_s, shrink_s; /* time 0: no limit */
    const char *folder;
    const char **files;
    size_t file_count;
};

struct session {
    const struct settings *settings;
    struct cli_fuzz_pool *pool;
    uint64_t next, done, reported; /* seeds given out, judged, looked at in order */
    struct cli_fuzz_result *early; /* judged before their turn: ring of early_cap by seed */
    bool *has_early;
    uint32_t early_cap;
    struct cli_fuzz_failure *failures;
    uint32_t failure_count;
    struct sim_fuzz_verdict sum; /* counts only */
    uint64_t unjudged[SIM_FUZZ_UNJUDGED];
    double began_s, line_s;
    bool drawn;
};

/* ---- options ---- */

/* "A..B", "A.." or "A" */
static bool seeds_parse(const char *text, struct settings *settings)
{
    char first[32];
    const char *dots = strstr(text, "..");
    size_t len = dots == NULL ? strlen(text) : (size_t)(dots - text);
    if (len >= sizeof first) {
        return false;
    }
    memcpy(first, text, len);
    first[len] = '\0';
    if (!cli_uint(first, &settings->first)) {
        return false;
    }
    settings->has_seeds = true;
    settings->last = dots == NULL ? settings->first : SEED_MOST;
    return settings->first <= SEED_MOST &&
           (dots == NULL || dots[2] == '\0' ||
            (cli_uint(dots + 2, &settings->last) && settings->last >= settings->first &&
             settings->last <= SEED_MOST));
}

static bool number_parse(const char *text, uint32_t most, uint32_t *number)
{
    uint64_t value = 0;
    if (!cli_uint(text, &value) || value == 0 || value > most) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static bool seconds_parse(const char *text, double *seconds)
{
    int64_t ns = 0;
    if (scn_integer_parse(SCN_DIM_TIME, text, &ns) != NULL || ns < 0) {
        return false;
    }
    *seconds = (double)ns * 1e-9;
    return true;
}

/* Takes one option; false: complained. */
static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *s = ctx;
    const struct cli_command *self = &cli_fuzz_command;
    bool good = true;
    switch (option) {
    case OPT_SEEDS:
        good = seeds_parse(value, s);
        break;
    case OPT_JOBS:
        good = number_parse(value, JOBS_MOST, &s->jobs);
        break;
    case OPT_TIME:
        good = seconds_parse(value, &s->time_s) && s->time_s > 0;
        break;
    case OPT_FAILURES:
        good = number_parse(value, FAILURES_MOST, &s->failures);
        break;
    case OPT_SHRINK:
        good = seconds_parse(value, &s->shrink_s);
        break;
    case OPT_OUTPUT:
        s->folder = value;
        s->has_folder = true;
        break;
    case OPT_FORCE:
        s->force = true;
        break;
    case OPT_SHOW:
        s->show = true;
        break;
    case OPT_JSON:
        s->json = true;
        break;
    case OPT_QUIET:
        s->quiet = true;
        break;
    default:
        s->files[s->file_count++] = value;
        break;
    }
    if (!good) {
        static const char *const wanted[] = {
            [OPT_SEEDS] = "--seeds '%s': expected A..B (both counted), A.. or A, below 2^63 - 1023",
            [OPT_JOBS] = "-j '%s': expected 1 to 256 processes",
            [OPT_TIME] = "--time '%s': expected a time such as '60 s'",
            [OPT_FAILURES] = "--failures '%s': expected 1 to 1000",
            [OPT_SHRINK] = "--shrink '%s': expected a time such as '20 s', or 0"};
        cli_usage(self, wanted[option], value);
    }
    return good;
}

/* Whether the files are there, and the folder of -o; before anything runs. */
static bool places_check(const struct settings *settings)
{
    struct stat st;
    bool good = true;
    for (size_t i = 0; i < settings->file_count; i++) {
        const char *file = settings->files[i];
        if (stat(file, &st) != 0) {
            cli_complain(&cli_fuzz_command, "%s: %s", file, strerror(errno));
            good = false;
        } else if (S_ISDIR(st.st_mode)) {
            cli_complain(&cli_fuzz_command, "%s: is a folder; expected scenario files", file);
            good = false;
        }
    }
    if (settings->has_folder && (stat(settings->folder, &st) != 0 || !S_ISDIR(st.st_mode) ||
                                 access(settings->folder, W_OK | X_OK) != 0)) {
        cli_complain(&cli_fuzz_command, "-o %s: expected a folder that can be written to",
                     settings->folder);
        good = false;
    }
    return good;
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {&cli_fuzz_command, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_take, settings, exit_code)) {
        return false;
    }
    if (settings->has_seeds == (settings->file_count > 0)) {
        cli_usage(&cli_fuzz_command, settings->has_seeds
                                         ? "expected --seeds or scenario files, not both"
                                         : "which seeds? --seeds A..B, or scenario files");
        return false;
    }
    if (settings->show && (settings->file_count > 0 || settings->first != settings->last)) {
        cli_usage(&cli_fuzz_command, "--show: expected one seed");
        return false;
    }
    return places_check(settings);
}

/* ---- seeds ---- */

static void line_remove(struct session *s)
{
    if (s->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        s->drawn = false;
    }
}

static void line_draw(struct session *s)
{
    double now_s = cli_wall_s();
    if (s->settings->quiet || isatty(STDERR_FILENO) != 1 || now_s - s->line_s < LINE_EVERY_S) {
        return;
    }
    s->line_s = now_s;
    double took_s = now_s - s->began_s;
    fprintf(stderr, "\r\033[K%" PRIu64 " seeds  %.0f per second  %" PRIu32 " failed", s->done,
            (double)s->done / took_s, s->failure_count);
    if (s->settings->last < SEED_MOST) {
        double all = (double)(s->settings->last - s->settings->first) + 1;
        fprintf(stderr, "  %.0f %%", 100 * (double)s->done / all);
    }
    fflush(stderr);
    s->drawn = true;
}

static void count(struct session *s, const struct sim_fuzz_verdict *one)
{
    struct sim_fuzz_verdict *sum = &s->sum;
    bool ran = one->phase == SIM_FUZZ_GOOD || one->phase == SIM_FUZZ_LIVENESS;
    s->unjudged[one->unjudged] += ran; /* else what came after the failure is not known */
    sum->checks += one->checks;
    sum->live_checks += one->live_checks;
    sum->requests += one->requests;
    sum->served += one->served;
    sum->messages += one->messages;
    sum->crashes += one->crashes;
    sum->torn += one->torn;
    sum->refused += one->refused;
    sum->sim_s += one->sim_s;
}

static void failure_shrink(const struct session *s, struct cli_fuzz_failure *failure,
                           const struct scn_scenario *scenario)
{
    if (s->settings->shrink_s > 0 && !cli_interrupted) {
        cli_fuzz_failure_shrink(failure, scenario,
                                &(struct cli_fuzz_shrink){.most_s = s->settings->shrink_s,
                                                          .folder = s->settings->folder,
                                                          .force = s->settings->force});
    }
}

/* The next verdict in the order of the seeds. */
static void seed_report(struct session *s, const struct cli_fuzz_result *result)
{
    s->reported++;
    count(s, &result->verdict);
    if (result->verdict.phase == SIM_FUZZ_GOOD || s->failure_count == s->settings->failures) {
        return;
    }
    struct cli_fuzz_failure *failure = &s->failures[s->failure_count++];
    *failure = (struct cli_fuzz_failure){.seed = result->seed, .verdict = result->verdict};
    line_remove(s);
    failure_shrink(s, failure, NULL);
    if (!s->settings->json) {
        cli_fuzz_failure_print(failure);
        fflush(stdout);
    }
}

/* Keeps a verdict until all seeds before it are reported. */
static void result_store(struct session *s, const struct cli_fuzz_result *result)
{
    s->early[result->seed % s->early_cap] = *result;
    s->has_early[result->seed % s->early_cap] = true;
    s->done++;
    for (;;) {
        /* session_run() frees s->early. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        uint64_t seed = s->settings->first + s->reported;
        if (!s->has_early[seed % s->early_cap] || s->early[seed % s->early_cap].seed != seed) {
            return;
        }
        s->has_early[seed % s->early_cap] = false;
        seed_report(s, &s->early[seed % s->early_cap]);
    }
}

static bool seeds_left(const struct session *s)
{
    const struct settings *settings = s->settings;
    bool late = settings->time_s > 0 && cli_wall_s() - s->began_s >= settings->time_s;
    return !late && !cli_interrupted && s->failure_count < settings->failures &&
           s->next <= settings->last && s->next - settings->first - s->reported < s->early_cap;
}

static void seeds_run(struct session *s)
{
    s->began_s = s->line_s = cli_wall_s();
    while (seeds_left(s) || cli_fuzz_pool_busy(s->pool) > 0) {
        while (seeds_left(s) && cli_fuzz_pool_give(s->pool, s->next)) {
            s->next++;
        }
        struct cli_fuzz_result result;
        if (cli_fuzz_pool_take(s->pool, POLL_MS, &result)) {
            result_store(s, &result);
        } else if (cli_interrupted) {
            break;
        }
        line_draw(s);
    }
    line_remove(s);
}

/* ---- the end ---- */

static bool session_json(const struct session *s)
{
    struct ana_json json = {0};
    double wall_s = cli_wall_s() - s->began_s;
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_uint(&json, "schema", 1);
    ana_json_string(&json, "version", QKDN_VERSION);
    ana_json_uint(&json, "judged", s->done);
    if (s->settings->has_seeds) {
        ana_json_uint(&json, "first_seed", s->settings->first);
    }
    ana_json_bool(&json, "interrupted", cli_interrupted != 0);
    ana_json_uint(&json, "failed", s->failure_count);
    ana_json_uint(&json, "oracle_checks", s->sum.checks);
    ana_json_uint(&json, "liveness_checks", s->sum.live_checks);
    ana_json_object(&json, "liveness", ANA_JSON_INLINE);
    for (int why = SIM_FUZZ_JUDGED; why < SIM_FUZZ_UNJUDGED; why++) {
        ana_json_uint(&json, sim_fuzz_unjudged_text((enum sim_fuzz_unjudged)why), s->unjudged[why]);
    }
    ana_json_close(&json);
    ana_json_uint(&json, "requests", s->sum.requests);
    ana_json_uint(&json, "served", s->sum.served);
    ana_json_uint(&json, "messages", s->sum.messages);
    ana_json_uint(&json, "crashes", s->sum.crashes);
    ana_json_uint(&json, "torn_commits", s->sum.torn);
    ana_json_uint(&json, "refused_commits", s->sum.refused);
    ana_json_double(&json, "sim_s", s->sum.sim_s);
    ana_json_double(&json, "wall_s", wall_s);
    ana_json_double(&json, "per_second", wall_s > 0 ? (double)s->done / wall_s : 0);
    ana_json_array(&json, "failures", ANA_JSON_LINES);
    for (uint32_t i = 0; i < s->failure_count; i++) {
        cli_fuzz_failure_json(&json, &s->failures[i]);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    puts(json.failed ? "" : json.text);
    bool good = !json.failed;
    ana_json_fini(&json);
    return good;
}

/* How many were judged for liveness, and why the others were not. */
static void liveness_print(const struct session *s)
{
    uint64_t others = 0;
    for (int why = SIM_FUZZ_JUDGED + 1; why < SIM_FUZZ_UNJUDGED; why++) {
        others += s->unjudged[why];
    }
    printf("  liveness: %" PRIu64 " judged, %" PRIu64 " not", s->unjudged[SIM_FUZZ_JUDGED], others);
    const char *before = ": ";
    for (int why = SIM_FUZZ_JUDGED + 1; why < SIM_FUZZ_UNJUDGED; why++) {
        if (s->unjudged[why] > 0) {
            printf("%s%" PRIu64 " %s", before, s->unjudged[why],
                   sim_fuzz_unjudged_text((enum sim_fuzz_unjudged)why));
            before = ", ";
        }
    }
    printf("\n");
}

static void session_print(const struct session *s)
{
    double wall_s = cli_wall_s() - s->began_s;
    printf("%" PRIu64 " %s, %" PRIu32 " failed%s\n", s->done,
           s->settings->has_seeds ? "seeds" : "scenarios", s->failure_count,
           cli_interrupted ? " (interrupted)" : "");
    printf("  checked: %" PRIu64 " by the oracle, %" PRIu64 " for liveness; %" PRIu64
           " requests, %" PRIu64 " served\n",
           s->sum.checks, s->sum.live_checks, s->sum.requests, s->sum.served);
    liveness_print(s);
    printf("  endured: %" PRIu64 " crashes, %" PRIu64 " of them in a commit; %" PRIu64
           " commits refused\n",
           s->sum.crashes, s->sum.torn, s->sum.refused);
    printf("  %.1f s, %.1f per second\n", wall_s, (double)s->done / (wall_s > 0 ? wall_s : 1));
}

static int session_end(const struct session *s)
{
    if (s->settings->json) {
        if (!session_json(s)) {
            return CLI_BROKEN;
        }
    } else if (!s->settings->quiet) {
        session_print(s);
    }
    if (s->failure_count > 0) {
        return CLI_FAILED;
    }
    return cli_interrupted ? CLI_BROKEN : CLI_DONE;
}

/* ---- scenario files ---- */

/* 0, or the exit code of a file that cannot be judged. */
static int file_judge(struct session *s, const char *path)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int err = cli_scenario_load(path, NULL, &scenario, &errors);
    if (err != 0) {
        cli_errors_print(&errors);
        scn_errors_fini(&errors);
        return err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
    }
    scn_errors_fini(&errors);
    struct sim_fuzz_verdict verdict;
    sim_fuzz_judge(scenario, &cli_interrupted, &verdict);
    s->done++;
    count(s, &verdict);
    if (verdict.phase != SIM_FUZZ_GOOD && !cli_interrupted) {
        struct cli_fuzz_failure *failure = &s->failures[s->failure_count++];
        *failure = (struct cli_fuzz_failure){.file = path, .verdict = verdict};
        failure_shrink(s, failure, scenario);
        if (!s->settings->json) {
            cli_fuzz_failure_print(failure);
        }
    }
    scn_free(scenario);
    return 0;
}

static int files_run(struct session *s)
{
    int exit_code = CLI_DONE;
    s->began_s = cli_wall_s();
    for (size_t i = 0; i < s->settings->file_count && !cli_interrupted; i++) {
        int code = file_judge(s, s->settings->files[i]);
        exit_code = code > exit_code ? code : exit_code;
    }
    if (s->done == 0 && exit_code != CLI_DONE) {
        return exit_code; /* nothing was judged: there are no figures */
    }
    int code = session_end(s);
    return exit_code > code ? exit_code : code;
}

/* ---- the command ---- */

static int show(const struct settings *settings)
{
    static char text[SIM_FUZZ_TEXT];
    struct sim_fuzz_plan plan;
    sim_fuzz_plan_make(&plan, settings->first);
    sim_fuzz_print(&plan, text);
    fputs(text, stdout);
    return CLI_DONE;
}

static int session_run(const struct settings *settings)
{
    struct session s = {.settings = settings, .next = settings->first};
    size_t most = settings->has_seeds ? settings->failures : settings->file_count;
    s.early_cap = 64 * settings->jobs;
    s.failures = calloc(most, sizeof *s.failures);
    s.early = calloc(s.early_cap, sizeof *s.early);
    s.has_early = calloc(s.early_cap, sizeof *s.has_early);
    int exit_code = CLI_BROKEN;
    cli_signals_catch();
    if (s.failures == NULL || s.early == NULL || s.has_early == NULL) {
        cli_complain(&cli_fuzz_command, "no memory");
    } else if (!settings->has_seeds) {
        exit_code = files_run(&s);
    } else if ((s.pool = cli_fuzz_pool_new(settings->jobs)) == NULL) {
        cli_complain(&cli_fuzz_command, "cannot start a process: %s", strerror(errno));
    } else {
        seeds_run(&s);
        cli_fuzz_pool_free(s.pool);
        exit_code = session_end(&s);
    }
    free(s.failures);
    free(s.early);
    free(s.has_early);
    return exit_code;
}

static int fuzz(int argc, char **argv)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct settings settings = {.jobs = online < 1           ? 1
                                        : online > JOBS_MOST ? JOBS_MOST
                                                             : (uint32_t)online,
                                .failures = 10,
                                .shrink_s = SHRINK_S,
                                .folder = "."};
    int exit_code = CLI_BROKEN;
    settings.files = calloc((size_t)argc + 1, sizeof *settings.files);
    if (settings.files == NULL) {
        cli_complain(&cli_fuzz_command, "no memory");
    } else if (settings_read(&settings, argc, argv, &exit_code)) {
        exit_code = settings.show ? show(&settings) : session_run(&settings);
    }
    free(settings.files);
    return exit_code;
}

const struct cli_command cli_fuzz_command = {
    "fuzz", fuzz, "random networks under random faults, judged",
    "usage: qkdn fuzz --seeds A..B [OPTIONS]\n"
    "       qkdn fuzz [OPTIONS] SCENARIO.yaml...\n\n"
    "Makes a random network, load and faults from each seed, runs it under the oracle (safety), "
    "and\n"
    "looks, once faults have ended, whether all comes back (liveness). Of a seed or file that "
    "fails\n"
    "it prints the line that replays it and writes a smaller scenario that fails alike. Scenario\n"
    "files are judged in the same way.\n\n"
    "  --seeds A..B    these seeds, A and B counted; A.. goes on until stopped; A is one seed\n"
    "  -j N            processes (default: one per processor)\n"
    "  --time TIME     give out no seed after this wall time, such as '60 s'\n"
    "  --failures N    end after so many failures (default 10)\n"
    "  --shrink TIME   look for a smaller scenario for so long (default '20 s'; 0: do not)\n"
    "  -o FOLDER       where smaller scenarios go, as fuzz-SEED.yaml, smaller-FILE (default: "
    "here)\n"
    "  --force         replace files that exist\n"
    "  --show          print the scenario of one seed and run nothing\n"
    "  --json          print one JSON object\n"
    "  --quiet         print failures only\n"
    "  --help          this text\n\n"
    "examples:\n"
    "  qkdn fuzz --seeds 1..1000\n"
    "  qkdn fuzz --seeds 1.. --time '10 min' --failures 1 -o found\n"
    "  qkdn fuzz --seeds 7 --show > seven.yaml && qkdn fuzz seven.yaml\n\n"
    "exit codes: 0 nothing failed; 1 something did; 2 bad usage or input; 3 failure at run time, "
    "or\n"
    "interrupted\n"};
