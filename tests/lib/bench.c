/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs for benches, each in a child process, and rows of the table. */
#include "tests/lib/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/crypto/crypto.h"
#include "sim/run.h"

double bench_cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double peak_kib(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss;
}

static void complain(const struct scn_errors *errors)
{
    for (size_t i = 0; i < errors->count && i < 5; i++) {
        (void)fprintf(stderr, "bench: %s\n", errors->lines[i]);
    }
}

static int load(const struct bench_job *job, struct scn_scenario **scenario)
{
    struct scn_sets sets = {.texts = job->sets};
    while (job->sets != NULL && job->sets[sets.count] != NULL) {
        sets.count++;
    }
    struct scn_errors errors;
    int rc;
    if (job->text != NULL) {
        struct scn_text text = {"bench", job->text, strlen(job->text), NULL};
        rc = scn_load_text(&text, &sets, scenario, &errors);
    } else {
        rc = scn_load(job->path, &sets, scenario, &errors);
    }
    complain(&errors);
    scn_errors_fini(&errors);
    return rc;
}

static void fill(struct bench_run *run, const struct scn_summary *summary)
{
    run->sim_s = summary->sim_s;
    run->events = summary->events;
    run->messages = summary->messages;
    run->total = summary->requests.total;
    run->served = summary->requests.served;
    run->pending = summary->requests.pending;
    run->digest = summary->trace_digest;
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (strcmp(summary->reasons[i].text, "insufficient_key") == 0) {
            run->insufficient = summary->reasons[i].count;
        }
    }
}

/* In the child. */
static int work(const struct bench_job *job, struct bench_run *run)
{
    *run = (struct bench_run){0};
    char why[200] = "";
    struct sim_options options = {.has_engine = true,
                                  .engine = SCN_ENGINE_FAST,
                                  .oracle_off = job->oracle_off,
                                  .why = why,
                                  .why_size = sizeof(why)};
    struct scn_scenario *scenario = NULL;
    struct scn_summary summary;
    double empty_kib = peak_kib();
    double start_s = bench_cpu_s();
    if (load(job, &scenario) != 0) {
        return 1;
    }
    run->nodes = scenario->node_count;
    run->links = scenario->link_count;
    int rc = sim_run(scenario, &options, &summary);
    if (rc != 0 || summary.oracle.violations > 0) {
        (void)fprintf(stderr, "bench: run failed: %d %s %s\n", rc, why, summary.oracle.first);
        return 1;
    }
    fill(run, &summary);
    scn_summary_fini(&summary);
    scn_free(scenario);
    run->cpu_s = bench_cpu_s() - start_s;
    run->rss_kib = peak_kib() - empty_kib;
    return 0;
}

bool bench_run(const struct bench_job *job, struct bench_run *run)
{
    int ends[2];
    if (crypto_init() != 0 || pipe(ends) != 0) {
        return false;
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int rc = work(job, run);
        bool wrote = write(ends[1], run, sizeof(*run)) == (ssize_t)sizeof(*run);
        _exit(rc == 0 && wrote ? 0 : 1);
    }
    (void)close(ends[1]);
    int status = 1;
    ssize_t got = child < 0 ? 0 : read(ends[0], run, sizeof(*run));
    (void)close(ends[0]);
    (void)waitpid(child, &status, 0);
    return got == (ssize_t)sizeof(*run) && status == 0;
}

char *bench_script(const char *command)
{
    FILE *pipe = popen(command, "r");
    size_t len = 0, cap = 1 << 16;
    char *text = malloc(cap);
    while (pipe != NULL && text != NULL) {
        size_t got = fread(text + len, 1, cap - len - 1, pipe);
        len += got;
        if (got == 0) {
            break;
        }
        if (len + 1 == cap) {
            char *more = realloc(text, cap *= 2);
            if (more == NULL) {
                free(text);
            }
            text = more;
        }
    }
    if (pipe == NULL || pclose(pipe) != 0 || text == NULL) {
        (void)fprintf(stderr, "bench: %s failed\n", command);
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

const char *bench_goal(const char *sign, double bound)
{
    static char texts[8][24];
    static unsigned at;
    char *text = texts[at++ % 8];
    (void)snprintf(text, sizeof(texts[0]), "%s %g", sign, bound);
    return text;
}

static void number(char *text, size_t size, double value)
{
    if (value == 0) {
        (void)snprintf(text, size, "-");
    } else {
        (void)snprintf(text, size, "%.*f", value < 10 ? 3 : value < 1000 ? 1 : 0, value);
    }
}

void bench_row(const struct bench_row *row)
{
    char line[256], value[32], reference[32], ratio[32];
    number(value, sizeof(value), row->value);
    number(reference, sizeof(reference), row->reference);
    number(ratio, sizeof(ratio), row->ratio);
    (void)snprintf(line, sizeof(line), "%-44s %10s %-12s %10s %-10s %8s  %-9s %s", row->name, value,
                   row->unit, reference, row->against == NULL ? "" : row->against, ratio, row->goal,
                   row->goal[0] == '\0' ? ""
                   : row->met           ? "yes"
                                        : "NO");
    (void)printf("  %s\n", line);
    (void)fflush(stdout);
    const char *table = getenv("QKDN_BENCH_TABLE");
    FILE *file = table == NULL ? NULL : fopen(table, "a");
    if (file != NULL) {
        (void)fprintf(file, "%s\n", line);
        (void)fclose(file);
    }
}
