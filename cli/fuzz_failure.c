/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Failures of `qkdn fuzz`: a smaller scenario that fails alike, and how to see it again. */
#include "cli/fuzz_failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/outfile.h"
#include "cli/cli.h"
#include "cli/fuzz_pool.h"
#include "cli/fuzz_text.h"
#include "cli/progress.h"
#include "core/base/err.h"

static const char *phase_text(enum sim_fuzz_phase phase)
{
    switch (phase) {
    case SIM_FUZZ_SAFETY:
        return "safety";
    case SIM_FUZZ_LIVENESS:
        return "liveness";
    case SIM_FUZZ_ERROR:
        return "error";
    case SIM_FUZZ_GOOD:
        break;
    }
    return "good";
}

/* How much of a verdict's text says what failed and not where. */
static size_t kind_len(const char *why)
{
    return strcspn(why, strchr(why, ';') != NULL ? ";" : ":");
}

static bool fails_alike(const struct sim_fuzz_verdict *a, const struct sim_fuzz_verdict *b)
{
    size_t len = kind_len(a->why);
    return a->phase == b->phase && len == kind_len(b->why) && strncmp(a->why, b->why, len) == 0;
}

/* ---- shrinking ---- */

struct shrinking {
    const struct sim_fuzz_verdict *verdict;
    double until_s;
    char text[SIM_FUZZ_TEXT];
};

static bool text_fails(void *ctx, const char *text)
{
    struct shrinking *shrinking = ctx;
    struct sim_fuzz_verdict verdict;
    cli_fuzz_alone(text, &verdict);
    return fails_alike(shrinking->verdict, &verdict);
}

static bool plan_fails(void *ctx, const struct sim_fuzz_plan *plan)
{
    struct shrinking *shrinking = ctx;
    sim_fuzz_print(plan, shrinking->text);
    return text_fails(ctx, shrinking->text);
}

static bool time_over(void *ctx)
{
    const struct shrinking *shrinking = ctx;
    return cli_interrupted != 0 || cli_wall_s() >= shrinking->until_s;
}

/* Writes the scenario to a new file; complains if it cannot. */
static void scenario_write(struct cli_fuzz_failure *failure, const struct cli_fuzz_shrink *how,
                           const char *text)
{
    const char *slash = failure->file == NULL ? NULL : strrchr(failure->file, '/');
    const char *base = slash == NULL ? failure->file : slash + 1;
    int len = base == NULL ? snprintf(failure->path, sizeof failure->path,
                                      "%s/fuzz-%" PRIu64 ".yaml", how->folder, failure->seed)
                           : snprintf(failure->path, sizeof failure->path, "%s/smaller-%s",
                                      how->folder, base);
    struct ana_error error;
    struct ana_bytes bytes = {text, strlen(text)};
    if (len < 0 || (size_t)len >= sizeof failure->path) {
        cli_complain(&cli_fuzz_command, "%s: name too long", how->folder);
        failure->path[0] = '\0';
    } else if (ana_outfile_write(failure->path, how->force, bytes, &error) != QKD_OK) {
        cli_complain(&cli_fuzz_command, "%s", error.text);
        failure->path[0] = '\0';
    }
}

static void seed_shrink(struct cli_fuzz_failure *failure, struct shrinking *shrinking)
{
    struct sim_fuzz_plan plan;
    sim_fuzz_plan_make(&plan, failure->seed);
    failure->tried = sim_fuzz_shrink(&plan,
                                     &(struct sim_fuzz_shrink){plan_fails, time_over, shrinking});
    sim_fuzz_print(&plan, shrinking->text);
}

void cli_fuzz_failure_shrink(struct cli_fuzz_failure *failure, const struct scn_scenario *scenario,
                             const struct cli_fuzz_shrink *how)
{
    struct shrinking *shrinking = calloc(1, sizeof *shrinking);
    char *text = scenario == NULL ? NULL : scn_print(scenario);
    if (shrinking == NULL || (scenario != NULL && text == NULL)) {
        cli_complain(&cli_fuzz_command, "no memory to look for a smaller scenario");
    } else {
        *shrinking = (struct shrinking){.verdict = &failure->verdict,
                                        .until_s = cli_wall_s() + how->most_s};
        if (text != NULL) {
            failure->tried = cli_fuzz_text_shrink(
                text, &(struct cli_fuzz_text_shrink){text_fails, time_over, shrinking});
        } else {
            seed_shrink(failure, shrinking);
        }
        scenario_write(failure, how, text != NULL ? text : shrinking->text);
    }
    free(text);
    free(shrinking);
}

/* ---- telling ---- */

void cli_fuzz_failure_print(const struct cli_fuzz_failure *failure)
{
    const struct sim_fuzz_verdict *v = &failure->verdict;
    if (failure->file != NULL) {
        printf("%s: %s: %s\n", failure->file, phase_text(v->phase), v->why);
        printf("  again:   qkdn fuzz %s\n", failure->file);
    } else {
        printf("seed %" PRIu64 ": %s: %s\n", failure->seed, phase_text(v->phase), v->why);
        printf("  again:   qkdn fuzz --seeds %" PRIu64 "..%" PRIu64 "\n", failure->seed,
               failure->seed);
    }
    if (failure->path[0] != '\0') {
        printf("  smaller: qkdn %s %s\n", v->phase == SIM_FUZZ_SAFETY ? "run" : "fuzz",
               failure->path);
    }
}

void cli_fuzz_failure_json(struct ana_json *json, const struct cli_fuzz_failure *failure)
{
    const struct sim_fuzz_verdict *v = &failure->verdict;
    char again[CLI_FUZZ_PATH + 64];
    ana_json_object(json, NULL, ANA_JSON_INLINE);
    if (failure->file != NULL) {
        ana_json_string(json, "file", failure->file);
        (void)snprintf(again, sizeof again, "qkdn fuzz %s", failure->file);
    } else {
        ana_json_uint(json, "seed", failure->seed);
        (void)snprintf(again, sizeof again, "qkdn fuzz --seeds %" PRIu64 "..%" PRIu64,
                       failure->seed, failure->seed);
    }
    ana_json_string(json, "again", again);
    ana_json_string(json, "smaller", failure->path[0] != '\0' ? failure->path : NULL);
    ana_json_uint(json, "candidates", failure->tried);
    ana_json_string(json, "phase", phase_text(v->phase));
    ana_json_string(json, "why", v->why);
    ana_json_close(json);
}
