/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What writing results costs: `qkdn run` (environment variable QKDN) of scenarios/bench/ring-10.yaml
 * with nothing kept, and with -o at each level of --record. The share is that of the CPU time of the
 * whole process: 1 - without / with. Median of five runs each, taken in turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/bench.h"

enum { RUNS = 5, LEVELS = 4 };

static const char *const levels[LEVELS] = {"", "summary", "requests", "full"};

/* CPU seconds as the command itself says; 0 if it fails. */
static double cpu_of(const char *qkdn, const char *level, const char *db)
{
    char command[1024];
    if (level[0] == '\0') {
        (void)snprintf(command, sizeof(command), "%s run scenarios/bench/ring-10.yaml --json",
                       qkdn);
    } else {
        (void)snprintf(command, sizeof(command),
                       "%s run scenarios/bench/ring-10.yaml --json -o %s --force --record %s", qkdn,
                       db, level);
    }
    char *json = bench_script(command);
    const char *at = json == NULL ? NULL : strstr(json, "\"cpu_s\": ");
    double cpu_s = at == NULL ? 0 : strtod(at + strlen("\"cpu_s\": "), NULL);
    free(json);
    return cpu_s;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    const char *qkdn = getenv("QKDN");
    char db[] = "/tmp/results_bench_XXXXXX";
    double cpu_s[LEVELS][RUNS];
    int fd = qkdn == NULL ? -1 : mkstemp(db);
    if (fd < 0) {
        (void)fprintf(stderr, "results_bench: QKDN must name the command\n");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < RUNS * LEVELS; i++) {
        cpu_s[i % LEVELS][i / LEVELS] = cpu_of(qkdn, levels[i % LEVELS], db);
        if (cpu_s[i % LEVELS][i / LEVELS] == 0) {
            (void)remove(db);
            return EXIT_FAILURE;
        }
    }
    (void)remove(db);
    (void)printf("writing results of scenarios/bench/ring-10.yaml (10,000 requests)\n");
    for (int k = 0; k < LEVELS; k++) {
        char name[64];
        qsort(cpu_s[k], RUNS, sizeof(double), ascending);
        double median_s = cpu_s[k][RUNS / 2];
        double share = 1 - cpu_s[0][RUNS / 2] / median_s;
        bool judged = strcmp(levels[k], "requests") == 0;
        (void)snprintf(name, sizeof(name), "%s%s", k == 0 ? "run, nothing written" : "--record ",
                       levels[k]);
        bench_row(&(struct bench_row){name, median_s, "s CPU", cpu_s[0][RUNS / 2], "nothing",
                                      k == 0 ? 0 : share, judged ? bench_goal("<=", 0.3) : "",
                                      share <= 0.3});
    }
    return EXIT_SUCCESS;
}
